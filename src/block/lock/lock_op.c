/* One lock request against the engine: the effects of its core are carried out
 * here, and what the engine answers is fed back to it. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/lock/lock_store.h"

static void op_feed(struct lock_op *op, struct lock_event event);

/* --- life ----------------------------------------------------------------- */

static struct kan_slice op_key(const struct lock_op *op)
{
    return kan_slice(op->bytes, op->key_size);
}

static struct kan_slice op_resource(const struct lock_op *op)
{
    return slice_skip(op_key(op), op->store->prefix_size);
}

static struct kan_slice op_value(const struct lock_op *op)
{
    return kan_slice(op->bytes + op->key_size, op->value_size);
}

static void op_free(struct lock_op *op)
{
    struct lock_store *store = op->store;

    kan_assert(!op->queue && !op->request);
    env_timer_stop(store->env, &op->timer);
    env_undefer(store->env, &op->task);
    list_remove(&op->link);
    if (op->core.kind == LOCK_TRY)
        store->stats.settling--;
    mem_free(op);
    lock_store_ebb(store);
}

static void op_fill(struct lock_op *op, struct kan_slice resource,
                    struct kan_slice owner)
{
    const struct lock_store *store = op->store;
    unsigned char *at = op->bytes;

    if (store->prefix_size)
        memcpy(at, store->prefix, store->prefix_size);
    memcpy(at + store->prefix_size, resource.bytes, resource.size);
    at += op->key_size;
    lock_value_head(op->core.id, at);
    if (owner.size)
        memcpy(at + LOCK_VALUE_HEAD, owner.bytes, owner.size);
}

/* --- what the client is told ---------------------------------------------- */

/* Holds follow what a renewal or a release found. What a request by name alone
 * found absent may have been granted again since: the watch will tell. */
static void change_told(struct lock_op *op, const struct lock_effect *answer)
{
    struct kan_slice resource = op_resource(op);
    bool renewal = op->core.kind == LOCK_RENEW;
    bool sure = !op->core.by_owner;

    if (answer->outcome == LOCK_OK) {
        op->request->granted = answer->token;
        if (renewal)
            op->request->lease = lock_hold_renewed(op->store, resource, answer);
        else
            lock_hold_gone(op->store, resource, answer->token, KAN_NOTFOUND);
    } else if (answer->outcome == LOCK_NOTFOUND && answer->token) {
        lock_hold_gone(op->store, resource, answer->token, KAN_NOTFOUND);
    } else if (answer->outcome == LOCK_OTHER && sure) {
        lock_hold_gone(op->store, resource, answer->token, KAN_FENCED);
    }
    if (renewal && answer->loose)
        lock_hold_loose(op->store, resource, answer->token, answer->expiry_ms);
}

static void op_answer(struct lock_op *op, const struct lock_effect *answer)
{
    struct lock_queue *queue = op->queue;

    if (answer->loose && answer->outcome != LOCK_FAILED)
        op->store->stats.settled++;
    op->queue = NULL;
    if (op->core.kind == LOCK_TRY) {
        op->store->stats.settling++;
        if (queue)
            lock_queue_tried(queue, op, answer);
    } else if (op->request) {
        change_told(op, answer);
        lock_request_end(op->request, answer->outcome, answer->err);
        op->request = NULL;
    }
}

/* --- what the engine answers ---------------------------------------------- */

/* How the core is to take a failure of the engine. */
static enum lock_event_kind failure_kind(const struct lock_op *op,
                                         enum kan_err err)
{
    if (err == KAN_CLOSED || kan_err_class(err) == KAN_CLASS_BROKEN)
        return LOCK_EVENT_BROKEN;
    if (kan_err_class(err) == KAN_CLASS_UNKNOWN &&
        op->asked != LOCK_EFFECT_READ)
        return LOCK_EVENT_UNKNOWN;
    return LOCK_EVENT_FAILED;
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    struct lock_op *op = get->request.data;
    struct lock_event event = {.kind = LOCK_EVENT_READ};

    if (err) {
        event.kind = failure_kind(op, err);
        event.err = err;
    } else if (get->items[0].created) {
        struct kan_slice owner = {0};
        /* What no lock wrote is held by somebody else. */
        if (!lock_value_read(get->items[0].value, &event.id, &owner))
            event.id = (struct lock_id){0};
        event.created = get->items[0].created;
        event.owner =
            owner.size > 0 &&
            slice_equal(owner, slice_skip(op_value(op), LOCK_VALUE_HEAD));
    }
    op_feed(op, event);
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct lock_op *op = commit->request.data;
    struct lock_event event = {
        .kind = LOCK_EVENT_COMMITTED, .revision = commit->revision, .err = err};

    if (err == KAN_CONFLICT)
        event.kind = LOCK_EVENT_REFUSED;
    else if (err)
        event.kind = failure_kind(op, err);
    op_feed(op, event);
}

/* --- asking it ------------------------------------------------------------ */

static void not_taken(struct env_task *task)
{
    struct lock_op *op = task->data;
    struct lock_event event = {.err = op->err};

    /* It never reached the engine, so nothing about it is unknown. */
    event.kind = failure_kind(op, op->err);
    if (event.kind == LOCK_EVENT_UNKNOWN)
        event.kind = LOCK_EVENT_FAILED;
    op_feed(op, event);
}

static uint64_t ask_deadline(const struct lock_op *op)
{
    uint64_t due = env_now(op->store->env) + (uint64_t)LOCK_ASK_MS * ENV_MS;

    if (!op->core.answered && op->core.until_ns < due)
        due = op->core.until_ns;
    return due;
}

static enum kan_err ask_read(struct lock_op *op)
{
    struct kan_slice key = op_key(op);

    op->get.request.data = op;
    op->get.request.deadline_ns = ask_deadline(op);
    op->get.keys = &key;
    op->get.key_count = 1;
    op->get.level = ENGINE_LINEARIZABLE;
    return engine_get(op->store->engine, &op->get, on_get);
}

static enum kan_err ask_commit(struct lock_op *op,
                               const struct lock_effect *effect)
{
    struct engine_guard guard = {.kind = ENGINE_IF_CREATED,
                                 .key = op_key(op),
                                 .revision = effect->token};
    struct engine_write write = {.kind = ENGINE_DELETE, .key = op_key(op)};

    if (effect->kind != LOCK_EFFECT_DELETE) {
        bool put = effect->kind == LOCK_EFFECT_PUT;
        write.kind = put ? ENGINE_PUT : ENGINE_TOUCH;
        /*= K-LOCK-7: what is granted, is granted for a lease. */
        kan_assert(effect->expiry_ms > 0);
        write.ttl_kind = ENGINE_LEASE;
        write.ttl_ms = effect->expiry_ms;
        if (put)
            write.value = op_value(op);
        if (put)
            guard.kind = ENGINE_IF_ABSENT;
    }
    /*= K-LOCK-1: a grant is put only where none is, and nothing is done to one
     * but by its token. */
    kan_assert(guard.kind == ENGINE_IF_ABSENT || guard.revision != 0);
    op->commit.request.data = op;
    op->commit.request.deadline_ns = ask_deadline(op);
    op->commit.guards = &guard;
    op->commit.guard_count = 1;
    op->commit.writes = &write;
    op->commit.write_count = 1;
    return engine_commit(op->store->engine, &op->commit, on_commit);
}

static void op_ask(struct lock_op *op, const struct lock_effect *effect)
{
    op->asked = effect->kind;
    if (op->core.phase == LOCK_FREEING)
        op->store->stats.taken_back++;
    if (effect->kind == LOCK_EFFECT_READ)
        op->err = ask_read(op);
    else
        op->err = ask_commit(op, effect);
    if (op->err)
        env_defer(op->store->env, &op->task, not_taken);
}

/* --- the core's turn ------------------------------------------------------ */

static void op_alarm(struct env_timer *timer);

static void op_arm(struct lock_op *op, uint64_t due_ns)
{
    enum kan_err err =
        env_timer_start(op->store->env, &op->timer, due_ns, op_alarm);

    kan_assert(!err); /* it is armed, or was until just now */
}

static void op_alarm(struct env_timer *timer)
{
    struct lock_op *op = timer->data;
    struct lock_event event = {.kind = LOCK_EVENT_TIMER};

    op_arm(op, env_now(op->store->env) + (uint64_t)LOCK_IDLE_MS * ENV_MS);
    op_feed(op, event);
}

static void op_feed(struct lock_op *op, struct lock_event event)
{
    struct lock_store *store = op->store;
    struct lock_step step;

    event.now_ns = env_now(store->env);
    step = lock_core_step(op->core, event);
    op->core = step.core;
    for (uint32_t i = 0; i < step.effect_count; i++) {
        const struct lock_effect *effect = &step.effects[i];
        if (effect->kind == LOCK_EFFECT_ANSWER)
            op_answer(op, effect);
        else if (effect->kind == LOCK_EFFECT_TIMER)
            op_arm(op, effect->due_ns);
        else
            op_ask(op, effect);
    }
    /* A store that closes does not wait for what may never come. */
    if (op->core.phase == LOCK_ENDED ||
        (store->closing && op->core.answered && op->core.phase == LOCK_WAITING))
        op_free(op);
}

enum kan_err lock_op_begin(struct lock_store *store, struct lock_want want,
                           struct kan_slice resource, struct kan_slice owner,
                           struct lock_op **ret_op)
{
    size_t key_size = store->prefix_size + resource.size;
    size_t value_size = LOCK_VALUE_HEAD + owner.size;
    struct lock_event event = {.kind = LOCK_EVENT_START};
    struct lock_op *op = mem_zalloc(sizeof(*op) + key_size + value_size);
    enum kan_err err;

    if (!op)
        return KAN_NOMEM;
    op->store = store;
    op->core = lock_core_init(want);
    op->key_size = key_size;
    op->value_size = value_size;
    op->timer.data = op;
    op->task.data = op;
    op_fill(op, resource, owner);
    err = env_timer_start(store->env, &op->timer, want.until_ns, op_alarm);
    if (err) {
        mem_free(op);
        return err;
    }
    list_push(&store->ops, &op->link);
    *ret_op = op;
    op_feed(op, event);
    return KAN_OK;
}

void lock_op_cancel(struct lock_op *op)
{
    struct lock_event event = {.kind = LOCK_EVENT_CANCEL};

    op_feed(op, event);
}

void lock_op_close_all(struct lock_store *store)
{
    struct list rest, *link;

    list_init(&rest);
    list_splice(&rest, &store->ops);
    while ((link = list_pop(&rest)) != NULL) {
        struct lock_op *op = list_entry(link, struct lock_op, link);
        list_push(&store->ops, link);
        if (op->asked == LOCK_EFFECT_READ)
            engine_cancel(&op->get.request);
        else
            engine_cancel(&op->commit.request);
        lock_op_cancel(op);
    }
}
