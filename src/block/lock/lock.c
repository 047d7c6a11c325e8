/* The driver of the lock block: the store, its requests, and the lines of those
 * who wait.
 *
 * Every answer to a client leaves from the queue of tasks, so that no cb runs
 * within a call, and none while the block is half way through a step. Timers
 * that must not fail are armed when a request is taken in, which may say
 * KAN_NOMEM, and moved from then on, which needs no memory. */

#include "block/lock/lock.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "block/lock/lock_store.h"

const struct engine_promises lock_needs = {
    .ops_max = 1,
    .commit_bytes_max = 4096,
    .key_max = 128,
    .value_max = LOCK_VALUE_MAX,
    .expiry_ms = 1000,
    .guard_created = true,
    .watch_from = true,
    .linearizable = true,
    .monotone_over_failover = true,
};

/* --- the store ------------------------------------------------------------ */

static enum kan_err store_refuse(char *why, size_t why_size, const char *text)
{
    if (why && why_size)
        snprintf(why, why_size, "%s", text);
    return KAN_INVALID;
}

static struct hash_seed draw_seed(struct env *env)
{
    struct hash_seed seed;

    seed.k0 = env_choose(env, UINT64_MAX);
    seed.k1 = env_choose(env, UINT64_MAX);
    return seed;
}

static uint32_t room_for_resource(const struct engine_promises *promises,
                                  size_t prefix_size)
{
    uint32_t room = promises->key_max - (uint32_t)prefix_size;

    return room < LOCK_RESOURCE_MAX ? room : LOCK_RESOURCE_MAX;
}

enum kan_err lock_store_new(const struct lock_options *options, char *why,
                            size_t why_size, struct lock_store **ret_store)
{
    const struct engine_promises *promises = engine_promises(options->engine);
    struct env *env = options->engine->env;
    struct kan_slice prefix = options->prefix;
    struct lock_store *store;
    enum kan_err err;

    err = engine_promises_cover(promises, &lock_needs, why, why_size);
    if (err)
        return err;
    if (prefix.size > LOCK_PREFIX_MAX)
        return store_refuse(why, why_size,
                            "the key prefix is longer than 512 bytes");
    if (prefix.size >= promises->key_max)
        return store_refuse(why, why_size,
                            "the key prefix leaves no room for resources");
    store = mem_zalloc(sizeof(*store) + prefix.size);
    if (!store)
        return KAN_NOMEM;
    store->magic = LOCK_STORE_MAGIC;
    store->engine = options->engine;
    store->env = env;
    store->resource_max = room_for_resource(promises, prefix.size);
    store->waiting_max =
        options->waiting_max ? options->waiting_max : LOCK_WAITING_DEFAULT;
    store->drift_ppm = promises->shared ? LOCK_DRIFT_PPM : 0;
    store->id = env_choose(env, UINT64_MAX);
    map_init(&store->lines, draw_seed(env), store->waiting_max);
    map_init(&store->holds, draw_seed(env), LOCK_HOLDS_MAX);
    list_init(&store->ops);
    list_init(&store->hold_list);
    store->watch_timer.data = store;
    store->close_task.data = store;
    store->prefix_size = prefix.size;
    if (prefix.size)
        memcpy(store->prefix, prefix.bytes, prefix.size);
    *ret_store = store;
    return KAN_OK;
}

struct engine *lock_store_engine(const struct lock_store *store)
{
    check_magic(store, LOCK_STORE_MAGIC);
    return store->engine;
}

struct lock_stats lock_store_stats(const struct lock_store *store)
{
    check_magic(store, LOCK_STORE_MAGIC);
    return store->stats;
}

/* --- requests ------------------------------------------------------------- */

static void request_told(struct env_task *task)
{
    struct lock_request *request = task->data;
    struct lock_store *store = request->store;

    store->requests--;
    if (request->ticket)
        store->stats.waiting--;
    request->store = NULL;
    request->cb(request);
    lock_store_ebb(store);
}

void lock_request_end(struct lock_request *request, enum lock_outcome outcome,
                      enum kan_err err)
{
    /*= K-LOCK-10: nobody is answered twice. */
    kan_assert(request->store && !list_linked(&request->task.link));
    request->outcome = outcome;
    request->err = outcome == LOCK_FAILED ? err : KAN_OK;
    request->part = NULL;
    request->task.data = request;
    env_defer(request->store->env, &request->task, request_told);
}

static void request_init(struct lock_store *store, struct lock_request *request,
                         lock_cb *cb)
{
    request->outcome = LOCK_OK;
    request->err = KAN_OK;
    request->granted = 0;
    request->lease = (struct lock_lease){0};
    request->store = store;
    request->cb = cb;
    request->ticket = 0;
    request->part = NULL;
    memset(&request->link, 0, sizeof(request->link));
    memset(&request->task, 0, sizeof(request->task));
}

static uint64_t request_deadline(const struct lock_request *request)
{
    uint64_t now = env_now(request->store->env);

    return request->deadline_ns ? request->deadline_ns
                                : now + (uint64_t)LOCK_DEADLINE_MS * ENV_MS;
}

/* --- lines ---------------------------------------------------------------- */

static void queue_feed(struct lock_queue *queue, struct lock_line_event event);

static struct kan_slice queue_resource(const struct lock_queue *queue)
{
    return kan_slice(queue->resource, queue->resource_size);
}

static struct lock_request *queue_find(struct lock_queue *queue,
                                       uint64_t ticket)
{
    struct list *link = queue->requests.next;

    for (; link != &queue->requests; link = link->next) {
        struct lock_request *request =
            list_entry(link, struct lock_request, link);
        if (request->ticket == ticket)
            return request;
    }
    return NULL;
}

static void queue_alarm(struct env_timer *timer);

static void queue_arm(struct lock_queue *queue, uint64_t due_ns)
{
    enum kan_err err =
        env_timer_start(queue->store->env, &queue->timer, due_ns, queue_alarm);

    kan_assert(!err); /* it is armed, or was until just now */
}

static uint64_t idle_due(struct lock_queue *queue)
{
    return env_now(queue->store->env) + (uint64_t)LOCK_IDLE_MS * ENV_MS;
}

static void queue_alarm(struct env_timer *timer)
{
    struct lock_queue *queue = timer->data;
    struct lock_line_event event = {.kind = LOCK_LINE_TIMER};

    queue_arm(queue, idle_due(queue));
    lock_watch_ensure(queue->store, 0);
    queue_feed(queue, event);
}

static enum kan_err queue_new(struct lock_store *store,
                              struct kan_slice resource,
                              struct lock_queue **ret_queue)
{
    struct lock_queue *queue = mem_zalloc(sizeof(*queue) + resource.size);
    enum kan_err err;

    if (!queue)
        return KAN_NOMEM;
    queue->store = store;
    list_init(&queue->requests);
    queue->timer.data = queue;
    queue->task.data = queue;
    queue->resource_size = resource.size;
    memcpy(queue->resource, resource.bytes, resource.size);
    err = env_timer_start(store->env, &queue->timer, idle_due(queue),
                          queue_alarm);
    if (!err)
        err = map_put(&store->lines, resource, queue, NULL);
    if (err) {
        env_timer_stop(store->env, &queue->timer);
        mem_free(queue);
        return err;
    }
    *ret_queue = queue;
    return KAN_OK;
}

static void queue_free(struct lock_queue *queue)
{
    struct lock_store *store = queue->store;

    kan_assert(!queue->op && list_empty(&queue->requests));
    map_remove(&store->lines, queue_resource(queue));
    env_timer_stop(store->env, &queue->timer);
    env_undefer(store->env, &queue->task);
    mem_free(queue);
}

/* The first in line could not begin its try. */
static void queue_no_memory(struct env_task *task)
{
    struct lock_queue *queue = task->data;
    struct lock_line_event event = {.kind = LOCK_LINE_TRIED,
                                    .ticket = queue->task_ticket,
                                    .outcome = LOCK_FAILED,
                                    .err = KAN_NOMEM};

    queue_feed(queue, event);
}

static void queue_try(struct lock_queue *queue, uint64_t ticket,
                      uint64_t until_ns)
{
    struct lock_store *store = queue->store;
    struct lock_request *request = queue_find(queue, ticket);
    struct lock_want want = {.kind = LOCK_TRY,
                             .expiry_ms = request->expiry_ms,
                             .until_ns = until_ns};
    const struct lock_waiter *waiter = request->part;

    want.id.store = store->id;
    want.id.number = ++store->numbers;
    if (lock_op_begin(store, want, queue_resource(queue),
                      kan_slice(waiter->owner, waiter->owner_size),
                      &queue->op) == KAN_OK) {
        queue->op->queue = queue;
        queue->op->ticket = ticket;
        return;
    }
    queue->task_ticket = ticket;
    env_defer(store->env, &queue->task, queue_no_memory);
}

static void queue_drop(struct lock_queue *queue)
{
    struct lock_op *op = queue->op;

    queue->op = NULL;
    if (op) {
        op->queue = NULL;
        lock_op_cancel(op);
    } else {
        env_undefer(queue->store->env, &queue->task);
    }
}

static void queue_answer(struct lock_queue *queue, uint64_t ticket,
                         enum lock_outcome outcome, enum kan_err err)
{
    struct lock_request *request = queue_find(queue, ticket);

    if (outcome == LOCK_OK) {
        /*= K-LOCK-1: what is handed on is the first's, and handed on once. */
        kan_assert(request->granted != 0);
        queue->store->stats.granted++;
    }
    list_remove(&request->link);
    mem_free(request->part);
    lock_request_end(request, outcome, err);
}

static void queue_feed(struct lock_queue *queue, struct lock_line_event event)
{
    struct lock_line_step step;

    event.now_ns = env_now(queue->store->env);
    step = lock_line_step(queue->line, event);
    queue->line = step.line;
    for (uint32_t i = 0; i < step.effect_count; i++) {
        const struct lock_line_effect *effect = &step.effects[i];
        switch (effect->kind) {
        case LOCK_LINE_TRY:
            queue_try(queue, effect->ticket, effect->until_ns);
            break;
        case LOCK_LINE_DROP:
            queue_drop(queue);
            break;
        case LOCK_LINE_ANSWER:
            queue_answer(queue, effect->ticket, effect->outcome, effect->err);
            break;
        case LOCK_LINE_ALARM:
            queue_arm(queue, effect->due_ns);
            break;
        }
    }
    if (queue->line.count == 0)
        queue_free(queue);
}

void lock_queue_wake(struct lock_queue *queue)
{
    struct lock_line_event event = {.kind = LOCK_LINE_WAKE};

    queue_feed(queue, event);
}

void lock_queue_tried(struct lock_queue *queue, struct lock_op *op,
                      const struct lock_effect *answer)
{
    struct lock_request *request = queue_find(queue, op->ticket);
    struct lock_line_event event = {.kind = LOCK_LINE_TRIED,
                                    .ticket = op->ticket,
                                    .outcome = answer->outcome,
                                    .err = answer->err};

    kan_assert(request && queue->op == op);
    queue->op = NULL;
    if (answer->outcome == LOCK_OK) {
        request->granted = answer->token;
        request->lease =
            lock_lease_begin(answer->token, answer->since_ns, answer->expiry_ms,
                             queue->store->drift_ppm);
    }
    queue_feed(queue, event);
}

/* --- acquire -------------------------------------------------------------- */

static enum lock_outcome inspect(const struct lock_store *store,
                                 const struct lock_request *request,
                                 bool needs_owner, bool needs_expiry)
{
    enum lock_outcome outcome =
        lock_core_resource(request->resource, store->resource_max);

    if (outcome == LOCK_OK && (needs_owner || request->owner.size > 0))
        outcome = lock_core_owner(request->owner);
    if (outcome == LOCK_OK && needs_expiry)
        outcome = lock_core_expiry(request->expiry_ms);
    return outcome;
}

/* What a waiter's request points to must be kept. */
static enum kan_err waiter_new(struct lock_queue *queue,
                               struct lock_request *request)
{
    struct lock_waiter *waiter =
        mem_alloc(sizeof(*waiter) + request->owner.size);

    if (!waiter)
        return KAN_NOMEM;
    waiter->queue = queue;
    waiter->owner_size = request->owner.size;
    memcpy(waiter->owner, request->owner.bytes, request->owner.size);
    request->part = waiter;
    return KAN_OK;
}

static void waiter_join(struct lock_store *store, struct lock_queue *queue,
                        struct lock_request *request)
{
    struct lock_line_event event = {.kind = LOCK_LINE_JOIN};

    request->ticket = ++store->tickets;
    event.place.ticket = request->ticket;
    event.place.patient = request->wait_until_ns != 0;
    event.place.until_ns = event.place.patient ? request->wait_until_ns
                                               : request_deadline(request);
    list_push(&queue->requests, &request->link);
    store->requests++;
    store->stats.waiting++;
    if (event.place.patient)
        lock_watch_ensure(store, 0);
    queue_feed(queue, event);
}

static enum kan_err acquire_submit(struct lock_store *store,
                                   struct lock_request *request)
{
    struct lock_queue *queue = map_get(&store->lines, request->resource);
    bool fresh = queue == NULL;
    enum kan_err err = KAN_OK;

    if (store->stats.waiting >= store->waiting_max ||
        (queue && queue->line.count >= LOCK_LINE_MAX))
        return KAN_BUSY;
    if (fresh)
        err = queue_new(store, request->resource, &queue);
    if (err)
        return err;
    err = waiter_new(queue, request);
    if (err && fresh)
        queue_free(queue);
    if (!err)
        waiter_join(store, queue, request);
    return err;
}

enum kan_err lock_acquire(struct lock_store *store,
                          struct lock_request *request, lock_cb *cb)
{
    enum lock_outcome outcome;

    check_magic(store, LOCK_STORE_MAGIC);
    if (store->closing)
        return KAN_CLOSED;
    request_init(store, request, cb);
    outcome = inspect(store, request, true, true);
    if (outcome == LOCK_OK)
        return acquire_submit(store, request);
    store->requests++;
    lock_request_end(request, outcome, KAN_OK);
    return KAN_OK;
}

/* --- release, renew ------------------------------------------------------- */

static enum kan_err change(struct lock_store *store, enum lock_kind kind,
                           struct lock_request *request, lock_cb *cb)
{
    struct lock_want want = {.kind = kind, .token = request->token};
    bool renewal = kind == LOCK_RENEW;
    enum lock_outcome outcome;
    struct lock_op *op;
    enum kan_err err;

    check_magic(store, LOCK_STORE_MAGIC);
    if (store->closing)
        return KAN_CLOSED;
    request_init(store, request, cb);
    outcome = inspect(store, request, request->token == 0, renewal);
    if (outcome != LOCK_OK) {
        store->requests++;
        lock_request_end(request, outcome, KAN_OK);
        return KAN_OK;
    }
    want.by_owner = request->owner.size > 0;
    want.expiry_ms = renewal ? request->expiry_ms : 0;
    want.until_ns = request_deadline(request);
    if (renewal)
        lock_hold_risk(store, request->resource, request->token,
                       request->expiry_ms);
    err = lock_op_begin(store, want, request->resource, request->owner, &op);
    if (err)
        return err;
    op->request = request;
    request->part = op;
    store->requests++;
    return KAN_OK;
}

enum kan_err lock_release(struct lock_store *store,
                          struct lock_request *request, lock_cb *cb)
{
    return change(store, LOCK_RELEASE, request, cb);
}

enum kan_err lock_renew(struct lock_store *store, struct lock_request *request,
                        lock_cb *cb)
{
    return change(store, LOCK_RENEW, request, cb);
}

/* --- ending early --------------------------------------------------------- */

/* Out of the line, with an answer that says why. */
static void waiter_leave(struct lock_request *request, enum kan_err err)
{
    struct lock_queue *queue = ((struct lock_waiter *)request->part)->queue;
    struct lock_line_event event = {.kind = LOCK_LINE_LEAVE,
                                    .ticket = request->ticket};

    list_remove(&request->link);
    mem_free(request->part);
    lock_request_end(request, LOCK_FAILED, err);
    queue_feed(queue, event);
}

void lock_cancel(struct lock_request *request)
{
    if (!request->store || !request->part)
        return;
    if (request->ticket)
        waiter_leave(request, KAN_CANCELED);
    else
        lock_op_cancel(request->part);
}

static void close_turn(struct env_task *task)
{
    struct lock_store *store = task->data;
    uint32_t cursor = 0;
    void *value;

    while (map_next(&store->lines, &cursor, NULL, &value)) {
        struct lock_queue *queue = value;
        while (!list_empty(&queue->requests)) {
            /* The queue is gone with the last of them. */
            struct list *link = queue->requests.prev;
            bool last = link == queue->requests.next;
            waiter_leave(list_entry(link, struct lock_request, link),
                         KAN_CLOSED);
            if (last)
                break;
        }
    }
    lock_op_close_all(store);
    lock_hold_close_all(store);
    lock_watch_close(store);
    store->ended = true;
    lock_store_ebb(store);
}

static void store_gone(struct env_task *task)
{
    struct lock_store *store = task->data;
    env_close_cb *cb = store->close_cb;
    void *data = store->close_data;

    map_fini(&store->lines);
    map_fini(&store->holds);
    store->magic = 0;
    mem_free(store);
    if (cb)
        cb(data);
}

void lock_store_ebb(struct lock_store *store)
{
    if (!store->ended || store->requests || store->hold_count ||
        !list_empty(&store->ops) || store->watching != LOCK_WATCH_OFF)
        return;
    kan_assert(map_count(&store->lines) == 0 && map_count(&store->holds) == 0);
    env_defer(store->env, &store->close_task, store_gone);
}

void lock_store_close(struct lock_store *store, void *data, env_close_cb *cb)
{
    check_magic(store, LOCK_STORE_MAGIC);
    kan_assert(!store->closing);
    store->closing = true;
    store->close_data = data;
    store->close_cb = cb;
    env_defer(store->env, &store->close_task, close_turn);
}

/* --- fencing on the same engine ------------------------------------------- */

enum kan_err lock_fence_guard(const struct lock_store *store,
                              struct kan_slice resource, uint64_t token,
                              struct lock_key *key,
                              struct engine_guard *ret_guard)
{
    check_magic(store, LOCK_STORE_MAGIC);
    if (token == 0 ||
        lock_core_resource(resource, store->resource_max) != LOCK_OK)
        return KAN_INVALID;
    if (store->prefix_size)
        memcpy(key->bytes, store->prefix, store->prefix_size);
    memcpy(key->bytes + store->prefix_size, resource.bytes, resource.size);
    ret_guard->kind = ENGINE_IF_CREATED;
    ret_guard->key = kan_slice(key->bytes, store->prefix_size + resource.size);
    ret_guard->revision = token;
    /*= K-LOCK-4: a fence is a guard on the very grant. */
    kan_assert(ret_guard->revision != 0);
    return KAN_OK;
}
