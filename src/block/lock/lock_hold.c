/* The watch on a lock store's keys, and notice of loss.
 *
 * One watch for the whole store tells when a resource is freed, so that its
 * line goes on, and when a grant ends early. It is a matter of speed alone:
 * lines try again every LOCK_POLL_MS, and a hold ends by the holder's own clock
 * in any case. So a watch that ends is opened again when it can be. */

#include "base/assert.h"
#include "block/lock/lock_store.h"

enum
{
    WATCH_RETRY_MS = 200
};

/* --- holds ---------------------------------------------------------------- */

static struct lock_hold *first_hold(const struct lock_store *store,
                                    struct kan_slice resource)
{
    return map_get(&store->holds, resource);
}

/* Put what is first for the resource in place of what was. The key is there, so
 * this needs no memory. */
static void set_first(struct lock_store *store, struct kan_slice resource,
                      struct lock_hold *first)
{
    enum kan_err err = KAN_OK;

    if (first)
        err = map_put(&store->holds, resource, first, NULL);
    else
        map_remove(&store->holds, resource);
    kan_assert(!err);
}

static void hold_told(struct env_task *task)
{
    struct lock_hold *hold = task->data;
    struct lock_store *store = hold->store;

    hold->store = NULL;
    store->hold_count--;
    hold->cb(hold, hold->why);
    lock_store_ebb(store);
}

/* Take the hold out, and run cb soon. */
static void hold_end(struct lock_hold *hold, enum kan_err why)
{
    struct lock_store *store = hold->store;
    struct lock_hold *first = first_hold(store, hold->resource);

    if (first == hold) {
        set_first(store, hold->resource, hold->next);
    } else {
        while (first->next != hold)
            first = first->next;
        first->next = hold->next;
    }
    list_remove(&hold->link);
    env_timer_stop(store->env, &hold->timer);
    if (why == KAN_NOTFOUND || why == KAN_FENCED)
        store->stats.lost++;
    hold->why = why;
    hold->task.data = hold;
    env_defer(store->env, &hold->task, hold_told);
}

/* Whether it has not been ended yet. */
static bool hold_lives(const struct lock_hold *hold)
{
    return hold->store && !list_linked(&hold->task.link);
}

static void hold_alarm(struct env_timer *timer);

static void hold_arm(struct lock_hold *hold)
{
    enum kan_err err = env_timer_start(hold->store->env, &hold->timer,
                                       hold->lease.until_ns, hold_alarm);

    kan_assert(!err); /* it is armed, and only moved */
}

static void hold_alarm(struct env_timer *timer)
{
    struct lock_hold *hold = timer->data;

    /*= K-LOCK-5: nobody is left to think that it holds what it may not. */
    kan_assert(!lock_lease_valid(hold->lease, env_now(hold->store->env)));
    hold_end(hold, KAN_NOTFOUND);
}

enum kan_err lock_hold_start(struct lock_store *store, struct lock_hold *hold,
                             lock_hold_cb *cb)
{
    enum kan_err err;

    check_magic(store, LOCK_STORE_MAGIC);
    if (store->closing)
        return KAN_CLOSED;
    if (lock_core_resource(hold->resource, store->resource_max) != LOCK_OK)
        return KAN_INVALID;
    hold->store = store;
    hold->cb = cb;
    memset(&hold->link, 0, sizeof(hold->link));
    memset(&hold->timer, 0, sizeof(hold->timer));
    memset(&hold->task, 0, sizeof(hold->task));
    hold->next = first_hold(store, hold->resource);
    hold->timer.data = hold;
    err = map_put(&store->holds, hold->resource, hold, NULL);
    if (!err)
        err = env_timer_start(store->env, &hold->timer, hold->lease.until_ns,
                              hold_alarm);
    if (err) {
        if (first_hold(store, hold->resource) == hold)
            set_first(store, hold->resource, hold->next);
        hold->store = NULL;
        return err;
    }
    store->hold_count++;
    list_push(&store->hold_list, &hold->link);
    lock_watch_ensure(store, hold->lease.token);
    return KAN_OK;
}

void lock_hold_stop(struct lock_hold *hold)
{
    if (hold_lives(hold))
        hold_end(hold, KAN_CANCELED);
}

void lock_hold_close_all(struct lock_store *store)
{
    struct list *link;

    while ((link = list_first(&store->hold_list)) != NULL)
        hold_end(list_entry(link, struct lock_hold, link), KAN_CLOSED);
}

/* --- what requests find out ----------------------------------------------- */

void lock_hold_risk(struct lock_store *store, struct kan_slice resource,
                    uint64_t token, uint64_t expiry_ms)
{
    struct lock_hold *hold = first_hold(store, resource);

    for (; hold; hold = hold->next) {
        if (token && token != hold->lease.token)
            continue;
        hold->lease =
            lock_lease_risk(hold->lease, env_now(store->env), expiry_ms);
        hold_arm(hold);
    }
}

struct lock_lease lock_hold_renewed(struct lock_store *store,
                                    struct kan_slice resource,
                                    const struct lock_effect *answer)
{
    struct lock_lease lease = lock_lease_begin(
        answer->token, answer->since_ns, answer->expiry_ms, store->drift_ppm);
    struct lock_hold *hold = first_hold(store, resource);

    for (; hold; hold = hold->next) {
        if (hold->lease.token != answer->token)
            continue;
        hold->lease =
            lock_lease_renew(hold->lease, answer->since_ns, answer->expiry_ms);
        lease = hold->lease;
        hold_arm(hold);
    }
    return lease;
}

void lock_hold_loose(struct lock_store *store, struct kan_slice resource,
                     uint64_t token, uint64_t expiry_ms)
{
    struct lock_hold *hold = first_hold(store, resource);

    for (; hold; hold = hold->next) {
        if (token == hold->lease.token)
            hold->lease =
                lock_lease_loose(hold->lease, env_now(store->env), expiry_ms);
    }
}

void lock_hold_gone(struct lock_store *store, struct kan_slice resource,
                    uint64_t token, enum kan_err why)
{
    struct lock_hold *hold = first_hold(store, resource);

    while (hold) {
        struct lock_hold *next = hold->next;
        if (token == hold->lease.token)
            hold_end(hold, why);
        hold = next;
    }
}

/* --- the watch ------------------------------------------------------------ */

/* What a change of a key says to those who hold, or held, it. */
static void holds_see(struct lock_store *store, struct kan_slice resource,
                      const struct engine_change *change)
{
    struct lock_hold *hold = first_hold(store, resource);
    bool put = change->kind == ENGINE_CHANGE_PUT;

    while (hold) {
        struct lock_hold *next = hold->next;
        uint64_t token = hold->lease.token;
        if (put && change->created > token)
            hold_end(hold, KAN_FENCED);
        if (!put && change->created == token)
            hold_end(hold, KAN_NOTFOUND);
        hold = next;
    }
}

static void see(struct lock_store *store, const struct engine_change *change)
{
    struct kan_slice resource = slice_skip(change->key, store->prefix_size);
    struct lock_queue *queue = map_get(&store->lines, resource);

    /*= K-LOCK-2: each grant's token is the revision that made it. */
    kan_assert(change->kind != ENGINE_CHANGE_PUT ||
               change->created == change->version);
    holds_see(store, resource, change);
    if (queue && change->kind != ENGINE_CHANGE_PUT)
        lock_queue_wake(queue);
}

static void wake_all(struct lock_store *store)
{
    uint32_t cursor = 0;
    void *queue;

    while (map_next(&store->lines, &cursor, NULL, &queue))
        lock_queue_wake(queue);
}

static void watch_again(struct env_timer *timer)
{
    struct lock_store *store = timer->data;

    if (!store->closing)
        lock_watch_ensure(store, 0);
    if (!store->closing)
        wake_all(store);
}

static void watch_ended(struct lock_store *store, enum kan_err err)
{
    uint64_t due = env_now(store->env) + (uint64_t)WATCH_RETRY_MS * ENV_MS;

    store->watching = LOCK_WATCH_OFF;
    if (err == KAN_COMPACTED)
        store->seen = (struct engine_cursor){0};
    if (store->closing || err == KAN_CLOSED) {
        lock_store_ebb(store);
        return;
    }
    /* Without memory for a timer, whoever comes next opens it again. */
    if (map_count(&store->lines) || store->hold_count)
        (void)!env_timer_start(store->env, &store->watch_timer, due,
                               watch_again);
}

static void on_watch(struct engine_watch *watch, enum kan_err err,
                     uint64_t revision, const struct engine_change *changes,
                     uint32_t change_count)
{
    struct lock_store *store = watch->request.data;

    if (err) {
        watch_ended(store, err);
        return;
    }
    if (store->closing)
        return;
    store->seen.revision = revision;
    for (uint32_t i = 0; i < change_count; i++)
        see(store, &changes[i]);
}

void lock_watch_ensure(struct lock_store *store, uint64_t revision)
{
    struct engine_cursor here = engine_cursor(store->engine);

    if (store->watching != LOCK_WATCH_OFF || store->closing)
        return;
    if (store->seen.store == 0) {
        store->seen = here;
        if (revision && revision < here.revision)
            store->seen.revision = revision;
    }
    store->watch.request.data = store;
    store->watch.prefix = kan_slice(store->prefix, store->prefix_size);
    store->watch.from = store->seen;
    if (engine_watch(store->engine, &store->watch, on_watch) == KAN_OK)
        store->watching = LOCK_WATCH_ON;
}

void lock_watch_close(struct lock_store *store)
{
    env_timer_stop(store->env, &store->watch_timer);
    if (store->watching != LOCK_WATCH_ON)
        return;
    store->watching = LOCK_WATCH_ENDING;
    engine_cancel(&store->watch.request);
}
