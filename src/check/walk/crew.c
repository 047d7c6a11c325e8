/* Threads that do one piece of work together, again and again. */

#include "check/walk/crew.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"

struct member
{
    struct crew *crew;
    pthread_t thread;
    uint32_t number;
};

struct crew
{
    pthread_mutex_t lock;
    pthread_cond_t changed;
    crew_work_cb *work;
    void *data;
    uint64_t round;   /* of work; a thread that has seen another one begins */
    uint32_t running; /* members that have not ended the round */
    uint32_t paused;  /* of these */
    uint32_t started; /* threads */
    bool ending;
    atomic_bool wanted; /* somebody wants to be alone */
    struct member members[];
};

static void *member_main(void *data)
{
    const struct member *member = data;
    struct crew *crew = member->crew;
    uint64_t seen = 0;

    pthread_mutex_lock(&crew->lock);
    for (;;) {
        while (crew->round == seen && !crew->ending)
            pthread_cond_wait(&crew->changed, &crew->lock);
        if (crew->ending)
            break;
        seen = crew->round;
        pthread_mutex_unlock(&crew->lock);
        crew->work(crew->data, member->number);
        pthread_mutex_lock(&crew->lock);
        crew->running--;
        pthread_cond_broadcast(&crew->changed);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

enum kan_err crew_new(uint32_t count, crew_work_cb *work, void *data,
                      struct crew **ret_crew)
{
    struct crew *crew =
        mem_zalloc(sizeof *crew + count * sizeof crew->members[0]);

    if (!crew)
        return KAN_NOMEM;
    crew->work = work;
    crew->data = data;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->changed, NULL);
    while (crew->started + 1 < count) {
        struct member *member = &crew->members[crew->started];
        member->crew = crew;
        member->number = crew->started + 1;
        if (pthread_create(&member->thread, NULL, member_main, member) != 0) {
            crew_free(crew);
            return KAN_BUSY;
        }
        crew->started++;
    }
    *ret_crew = crew;
    return KAN_OK;
}

struct crew *crew_free(struct crew *crew)
{
    if (!crew)
        return NULL;
    pthread_mutex_lock(&crew->lock);
    crew->ending = true;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    for (uint32_t i = 0; i < crew->started; i++)
        pthread_join(crew->members[i].thread, NULL);
    pthread_cond_destroy(&crew->changed);
    pthread_mutex_destroy(&crew->lock);
    return mem_free(crew);
}

void crew_run(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->round++;
    crew->running = crew->started + 1;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    crew->work(crew->data, 0);
    pthread_mutex_lock(&crew->lock);
    crew->running--;
    pthread_cond_broadcast(&crew->changed);
    while (crew->running > 0)
        pthread_cond_wait(&crew->changed, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}

/* Wait, with the lock, until nobody wants to be alone. */
static void pause_locked(struct crew *crew)
{
    crew->paused++;
    pthread_cond_broadcast(&crew->changed);
    while (atomic_load(&crew->wanted))
        pthread_cond_wait(&crew->changed, &crew->lock);
    crew->paused--;
}

void crew_yield(struct crew *crew)
{
    if (!atomic_load_explicit(&crew->wanted, memory_order_relaxed))
        return;
    pthread_mutex_lock(&crew->lock);
    pause_locked(crew);
    pthread_mutex_unlock(&crew->lock);
}

void crew_alone(struct crew *crew, void (*cb)(void *data), void *data)
{
    pthread_mutex_lock(&crew->lock);
    while (atomic_load(&crew->wanted))
        pause_locked(crew);
    atomic_store(&crew->wanted, true);
    while (crew->running - crew->paused > 1)
        pthread_cond_wait(&crew->changed, &crew->lock);
    cb(data);
    atomic_store(&crew->wanted, false);
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
}
