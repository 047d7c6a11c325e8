/* Lanes: a thread, a queue, and a list in which the loop finds what is done.
 *
 * The loop alone counts what a lane has to do and decides when it ends, so a
 * lane that closes still takes work, and nothing is lost between the two. */

#include <pthread.h>
#include <signal.h>

#include "base/alloc.h"
#include "env/uv/world.h"

enum
{
    LANE_STACK_SIZE = 256 * 1024, /* SQLite needs about a quarter of it */
    LANE_NAME_SIZE = 16           /* Linux keeps 15 bytes */
};

struct env_lane
{
    struct env_handle handle; /* first */
    uv_thread_t thread;
    char name[LANE_NAME_SIZE];
    uv_mutex_t mutex; /* guards queue and ended */
    uv_cond_t cond;
    struct list queue; /* struct env_work */
    bool ended;
    struct list finished;      /* as queue; guarded by the world's mutex */
    struct list finished_link; /* in the world's finished, likewise */
    /* The loop's: */
    struct list done;      /* taken over from finished */
    struct list done_link; /* in the world's done */
    size_t working;        /* submitted and not handed back */
    bool closing;
    struct env_task close_task;
    void *close_data;
    env_close_cb *close_cb;
};

/* --- on the lane's thread ------------------------------------------------- */

static struct env_work *next_work(struct env_lane *lane)
{
    struct list *link;
    uv_mutex_lock(&lane->mutex);
    while (!(link = list_pop(&lane->queue)) && !lane->ended)
        uv_cond_wait(&lane->cond, &lane->mutex);
    uv_mutex_unlock(&lane->mutex);
    return link ? list_entry(link, struct env_work, link) : NULL;
}

/* One wake for all that is finished before the loop looks. */
static void hand_back(struct env_lane *lane, struct env_work *work)
{
    struct env_uv *world = world_of(lane->handle.env);
    uv_mutex_lock(&world->mutex);
    list_push(&lane->finished, &work->link);
    if (!list_linked(&lane->finished_link)) {
        list_push(&world->finished, &lane->finished_link);
        uv_async_send(&world->async);
    }
    uv_mutex_unlock(&world->mutex);
}

/* Signals belong to the loop's thread, or to a foreign program's own. Those
 * that a fault of this thread raises stay with it. */
static void signals_block(void)
{
    sigset_t set;
    sigfillset(&set);
    sigdelset(&set, SIGSEGV);
    sigdelset(&set, SIGBUS);
    sigdelset(&set, SIGFPE);
    sigdelset(&set, SIGILL);
    sigdelset(&set, SIGABRT);
    sigdelset(&set, SIGTRAP);
    sigdelset(&set, SIGPROF);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static void lane_main(void *data)
{
    struct env_lane *lane = data;
    struct env_work *work;
    signals_block();
    pthread_setname_np(pthread_self(), lane->name);
    while ((work = next_work(lane)) != NULL) {
        work->run(work);
        hand_back(lane, work);
    }
}

/* --- on the loop ---------------------------------------------------------- */

static void lane_fini(struct env_lane *lane)
{
    uv_cond_destroy(&lane->cond);
    uv_mutex_destroy(&lane->mutex);
    mem_free(lane);
}

enum kan_err env_uv_lane_open(struct env *env, const char *name,
                              struct env_lane **ret_lane)
{
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                         .stack_size = LANE_STACK_SIZE};
    struct env_uv *world = world_of(env);
    struct env_lane *lane = mem_zalloc(sizeof *lane);
    int error;
    if (!lane)
        return KAN_NOMEM;
    lane->handle.env = env;
    strncpy(lane->name, name, sizeof lane->name - 1);
    list_init(&lane->queue);
    list_init(&lane->finished);
    list_init(&lane->done);
    error = uv_mutex_init(&lane->mutex);
    if (error) {
        mem_free(lane);
        return env_uv_err(-error);
    }
    error = uv_cond_init(&lane->cond);
    if (error) {
        uv_mutex_destroy(&lane->mutex);
        mem_free(lane);
        return env_uv_err(-error);
    }
    error = uv_thread_create_ex(&lane->thread, &options, lane_main, lane);
    if (error) {
        lane_fini(lane);
        return env_uv_err(-error);
    }
    world->open++;
    *ret_lane = lane;
    return KAN_OK;
}

void env_uv_lane_work(struct env_lane *lane, struct env_work *work,
                      env_work_cb *run, env_work_cb *done)
{
    struct env_uv *world = world_of(lane->handle.env);
    kan_assert(run && done);
    work->run = run;
    work->done = done;
    lane->working++;
    world->working++;
    uv_mutex_lock(&lane->mutex);
    list_push(&lane->queue, &work->link);
    uv_cond_signal(&lane->cond);
    uv_mutex_unlock(&lane->mutex);
}

/* A callback may have given the lane work since this was deferred; then the
 * last of it defers it again. */
static void on_close(struct env_task *task)
{
    struct env_lane *lane = task->data;
    struct env_uv *world = world_of(lane->handle.env);
    env_close_cb *cb = lane->close_cb;
    void *data = lane->close_data;
    if (lane->working)
        return;
    uv_mutex_lock(&lane->mutex);
    lane->ended = true;
    uv_cond_signal(&lane->cond);
    uv_mutex_unlock(&lane->mutex);
    uv_thread_join(&lane->thread); /* it is idle: it ends at once */
    lane_fini(lane);
    world->open--;
    if (cb)
        cb(data);
}

static void end_when_done(struct env_lane *lane)
{
    if (lane->closing && lane->working == 0)
        env_uv_defer(lane->handle.env, &lane->close_task, on_close);
}

void env_uv_lane_close(struct env_lane *lane, void *data, env_close_cb *cb)
{
    kan_assert(!lane->closing);
    lane->closing = true;
    lane->close_data = data;
    lane->close_cb = cb;
    lane->close_task.data = lane;
    end_when_done(lane);
}

void env_uv_lanes_collect(struct env_uv *world)
{
    struct list *link;
    while ((link = list_pop(&world->finished)) != NULL) {
        struct env_lane *lane =
            list_entry(link, struct env_lane, finished_link);
        list_splice(&lane->done, &lane->finished);
        if (!list_linked(&lane->done_link))
            list_push(&world->done, &lane->done_link);
    }
}

void env_uv_lanes_deliver(struct env_uv *world)
{
    struct list *link;
    while (!world->stopped && (link = list_first(&world->done)) != NULL) {
        struct env_lane *lane = list_entry(link, struct env_lane, done_link);
        struct list *first = list_pop(&lane->done);
        if (list_empty(&lane->done))
            list_remove(&lane->done_link);
        struct env_work *work = list_entry(first, struct env_work, link);
        lane->working--;
        world->working--;
        work->done(work);
        end_when_done(lane);
    }
}
