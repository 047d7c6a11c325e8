/* Requests from the moment they come in until they are answered: queued, held
 * to their deadlines, withdrawn. What becomes of one: entity_step.c. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

enum
{
    WAITING_BYTES_MAX = 64 << 20 /* of arguments */
};

/* --- items ---------------------------------------------------------------- */

static void buffer_trim(struct buffer *buffer)
{
    if (buffer->capacity > ENTITY_SPARE_BYTES)
        buffer_fini(buffer);
    else
        buffer_clear(buffer);
}

static void item_free(struct entity_item *item)
{
    buffer_fini(&item->arguments);
    buffer_fini(&item->text);
    buffer_fini(&item->values);
    mem_free(item);
}

static struct entity_item *item_new(struct entity_host *host,
                                    enum entity_item_kind kind)
{
    struct list *link = list_pop(&host->spare_items);
    struct entity_item *item;

    if (link) {
        host->spare_item_count--;
        item = list_entry(link, struct entity_item, link);
    } else {
        item = mem_zalloc(sizeof(*item));
    }
    if (!item)
        return NULL;
    item->kind = kind;
    item->at = ENTITY_AT_DONE;
    item->call = NULL;
    item->change = NULL;
    item->read = NULL;
    item->one = NULL;
    item->bring = NULL;
    item->outcome = ENTITY_FAILED;
    item->err = KAN_OK;
    item->replayed = false;
    item->events = 0;
    item->n = 0;
    item->image_at = SIZE_MAX;
    item->shown_at = SIZE_MAX;
    return item;
}

void entity_item_release(struct entity_host *host, struct entity_item *item)
{
    kan_assert(!entity_item_wanted(item));
    list_remove(&item->link);
    host->waiting_bytes -= item->arguments.size;
    item->bring = mem_free(item->bring);
    if (host->spare_item_count >= ENTITY_SPARE_ITEMS) {
        item_free(item);
        return;
    }
    buffer_trim(&item->arguments);
    buffer_trim(&item->text);
    buffer_trim(&item->values);
    list_push(&host->spare_items, &item->link);
    host->spare_item_count++;
}

void entity_items_fini(struct entity_host *host)
{
    struct list *link;

    while ((link = list_pop(&host->spare_items)) != NULL)
        item_free(list_entry(link, struct entity_item, link));
    env_undefer(host->env, &host->done_task);
}

static struct entity_host *item_host(const struct entity_item *item)
{
    if (item->call)
        return item->call->host;
    return item->change ? item->change->host : item->read->host;
}

static struct env_timer *item_timer(struct entity_item *item)
{
    if (item->call)
        return &item->call->timer;
    return item->change ? &item->change->timer : &item->read->timer;
}

/* --- answers -------------------------------------------------------------- */

static struct entity_state item_state(const struct entity_item *item,
                                      const struct entity_batch *batch,
                                      uint64_t revision)
{
    struct entity_state state;
    const struct entity_type *type = item->one->type;
    const unsigned char *image = item->one->image.bytes;
    uint32_t shown = item->shown_at == SIZE_MAX ? item->place : item->shown;

    memset(&state, 0, sizeof(state));
    if (item->image_at != SIZE_MAX)
        image = (const unsigned char *)batch->images.bytes + item->image_at;
    state.version = type->versions[shown].version;
    state.program = type->versions[shown].program;
    state.n = item->n;
    state.revision = revision;
    state.state =
        item->shown_at == SIZE_MAX
            ? image
            : (const unsigned char *)batch->images.bytes + item->shown_at;
    state.tally = image + type->state_room + type->versions[shown].tally_at;
    return state;
}

/* Hand over what was decided, and forget the request. */
static void answer_call(struct entity_item *item,
                        const struct entity_state *state)
{
    struct entity_call *call = item->call;

    item->call = NULL;
    call->part = NULL;
    call->outcome = item->outcome;
    call->err = item->outcome == ENTITY_FAILED ? item->err : KAN_OK;
    call->replayed = item->replayed;
    memset(&call->after, 0, sizeof(call->after));
    if (item->outcome == ENTITY_TAKEN)
        call->after = *state;
    if (item->outcome == ENTITY_STALE)
        call->after.n = item->n;
    call->text = buffer_slice(&item->text);
    call->unfit = item->unfit;
    call->refusal = item->refusal;
    call->values = buffer_slice(&item->values);
    call->cb(call);
}

static void answer_change(struct entity_item *item)
{
    struct entity_change *change = item->change;

    item->change = NULL;
    change->part = NULL;
    change->outcome = item->outcome;
    change->err = item->outcome == ENTITY_FAILED ? item->err : KAN_OK;
    change->n = item->n;
    change->text = buffer_slice(&item->text);
    change->unfit = item->unfit;
    change->refusal = item->refusal;
    change->values = buffer_slice(&item->values);
    change->cb(change);
}

static void answer_read(struct entity_item *item,
                        const struct entity_state *state)
{
    struct entity_read *read = item->read;

    item->read = NULL;
    read->part = NULL;
    read->outcome = item->outcome;
    read->err = item->outcome == ENTITY_FAILED ? item->err : KAN_OK;
    memset(&read->state, 0, sizeof(read->state));
    if (item->outcome == ENTITY_TAKEN)
        read->state = *state;
    read->text = buffer_slice(&item->text);
    read->cb(read);
}

static void stats_count(struct entity_host *host,
                        const struct entity_item *item)
{
    if (item->kind != ENTITY_ITEM_CALL)
        return;
    if (item->replayed)
        host->stats.replays++;
    else if (item->outcome == ENTITY_TAKEN)
        host->stats.steps++;
    else if (item->outcome == ENTITY_REFUSED)
        host->stats.refused++;
}

void entity_item_show(struct entity_item *item,
                      const struct entity_state *state)
{
    struct entity_host *host = item_host(item);

    /*= K-ENTITY-10: one answer to each request. */
    kan_assert(entity_item_wanted(item) && host->waiting > 0);
    env_timer_stop(host->env, item_timer(item));
    stats_count(host, item);
    if (item->call)
        answer_call(item, state);
    else if (item->change)
        answer_change(item);
    else
        answer_read(item, state);
    host->waiting--;
    entity_item_release(host, item);
    entity_ebb(host);
}

void entity_item_answer(struct entity_item *item,
                        const struct entity_batch *batch, uint64_t revision,
                        uint64_t revision_before, uint64_t n_before)
{
    struct entity_state state;

    memset(&state, 0, sizeof(state));
    if (!entity_item_wanted(item)) {
        entity_item_release(item->one->host, item);
        return;
    }
    if (item->outcome == ENTITY_TAKEN && item->kind != ENTITY_ITEM_CHANGE)
        state = item_state(item, batch,
                           item->n > n_before ? revision : revision_before);
    entity_item_show(item, &state);
}

static void done_run(struct env_task *task)
{
    struct entity_host *host = task->data;
    struct entity_state none;
    struct list now, *link;

    check_magic(host, ENTITY_HOST_MAGIC);
    memset(&none, 0, sizeof(none));
    list_init(&now);
    list_splice(&now, &host->done);
    /* A callback may close the host, which does not end within this turn. */
    while ((link = list_pop(&now)) != NULL) {
        struct entity_item *item = list_entry(link, struct entity_item, link);
        if (entity_item_wanted(item))
            entity_item_show(item, &none);
        else
            entity_item_release(host, item);
    }
}

void entity_item_done(struct entity_item *item)
{
    struct entity_host *host = item_host(item);

    list_remove(&item->link);
    item->at = ENTITY_AT_DONE;
    list_push(&host->done, &item->link);
    env_defer(host->env, &host->done_task, done_run);
}

void entity_item_fail(struct entity_item *item, enum kan_err err)
{
    item->outcome = ENTITY_FAILED;
    item->err = err;
    buffer_clear(&item->text);
    buffer_clear(&item->values);
    entity_item_done(item);
}

/* --- the end of a request before its answer ------------------------------- */

static void item_unqueue(struct entity_item *item)
{
    struct entity_one *one = item->one;

    list_remove(&item->link);
    if (item->at == ENTITY_AT_QUEUE && one) {
        one->queued--;
        entity_one_ready(one);
    }
}

/* The answer of a request whose item is still needed: its step may happen. */
static void item_detach(struct entity_item *item, enum kan_err err)
{
    struct entity_host *host = item_host(item);
    enum entity_outcome outcome = item->outcome;

    item->outcome = ENTITY_FAILED;
    item->err = err;
    env_timer_stop(host->env, item_timer(item));
    if (item->call)
        answer_call(item, NULL);
    else if (item->change)
        answer_change(item);
    else
        answer_read(item, NULL);
    item->outcome = outcome;
    host->waiting--;
    entity_ebb(host);
}

/* Bring it to where nothing can happen by it any more, if that is possible. */
static bool item_withdraw(struct entity_item *item)
{
    if (item->at == ENTITY_AT_DRAFT)
        entity_one_undraft(item->one);
    if (item->at != ENTITY_AT_QUEUE)
        return false;
    item_unqueue(item);
    return true;
}

static void item_expire(struct env_timer *timer)
{
    struct entity_item *item = timer->data;

    if (item->at == ENTITY_AT_DONE)
        return;
    if (item_withdraw(item))
        entity_item_fail(item, KAN_TIMEOUT);
    else
        item_detach(item, KAN_TIMEOUT);
}

static void call_canceled(struct env_task *task)
{
    struct entity_call *call = task->data;
    struct entity_item *item = call->part;

    if (item)
        item_detach(item, KAN_CANCELED);
}

void entity_call_cancel(struct entity_call *call)
{
    struct entity_item *item = call->part;

    if (!item || item->at == ENTITY_AT_DONE)
        return;
    if (item_withdraw(item)) {
        entity_item_fail(item, KAN_CANCELED);
        return;
    }
    call->task.data = call;
    env_defer(call->host->env, &call->task, call_canceled);
}

static const struct entity_type *item_type(struct entity_host *host,
                                           const struct entity_item *item,
                                           struct kan_slice *ret_id)
{
    struct kan_slice type;

    if (item->call) {
        type = item->call->type;
        *ret_id = item->call->id;
    } else if (item->change) {
        type = item->change->type;
        *ret_id = item->change->id;
    } else {
        type = item->read->type;
        *ret_id = item->read->id;
    }
    return entity_book_type(host->book, type);
}

/* KAN_BUSY, KAN_NOMEM: there is no room for it. */
static enum kan_err item_admit(struct entity_host *host,
                               struct entity_item *item)
{
    struct kan_slice id;
    const struct entity_type *type = item_type(host, item, &id);
    struct entity_one *one;
    enum kan_err err;

    if (host->broken) {
        entity_item_fail(item, host->broken);
        return KAN_OK;
    }
    if (!entity_item_judge(host, item, type, id)) {
        entity_item_done(item);
        return KAN_OK;
    }
    if (item->read && item->read->has_at) {
        entity_past_begin(host, item, type, id, item->read->at);
        return KAN_OK;
    }
    err = entity_one_get(host, type, id, &one);
    if (err)
        return err;
    if (one->queued >= host->options.queue_max)
        return KAN_BUSY;
    item->one = one;
    item->at = ENTITY_AT_QUEUE;
    list_push(&one->queue, &item->link);
    one->queued++;
    entity_one_ready(one);
    return KAN_OK;
}

void entity_item_admit(struct entity_host *host, struct entity_item *item)
{
    enum kan_err err = item_admit(host, item);

    if (err)
        entity_item_fail(item, err);
}

/* --- requests come in ----------------------------------------------------- */

static enum kan_err host_enter(struct entity_host *host)
{
    check_magic(host, ENTITY_HOST_MAGIC);
    if (host->closing)
        return KAN_CLOSED;
    if (!host->ready || host->waiting >= host->options.waiting_max ||
        host->waiting_bytes > WAITING_BYTES_MAX)
        return KAN_BUSY;
    return KAN_OK;
}

/* The request is in the item; count it in, or refuse it. */
static enum kan_err host_submit(struct entity_host *host,
                                struct entity_item *item, uint64_t deadline_ns)
{
    struct env_timer *timer = item_timer(item);
    enum kan_err err;

    memset(timer, 0, sizeof(*timer));
    timer->data = item;
    err = env_timer_start(host->env, timer, entity_deadline(host, deadline_ns),
                          item_expire);
    if (!err) {
        err = item_admit(host, item);
        if (err)
            env_timer_stop(host->env, timer);
    }
    if (err) {
        item->call = NULL;
        item->change = NULL;
        item->read = NULL;
        entity_item_release(host, item);
        return err;
    }
    host->waiting++;
    return KAN_OK;
}

/* The guards and writes that a call brings along, in one block with their
 * bytes. */
static enum kan_err extra_copy(const struct entity_extra *extra,
                               struct entity_extra **ret_copy)
{
    size_t size = sizeof(*extra) +
                  extra->guard_count * sizeof(struct engine_guard) +
                  extra->write_count * sizeof(struct engine_write);
    struct entity_extra *copy;
    struct engine_guard *guards;
    struct engine_write *writes;
    char *bytes;

    if (extra->guard_count > ENTITY_EXTRA_MAX ||
        extra->write_count > ENTITY_EXTRA_MAX)
        return KAN_BUSY;
    for (uint32_t i = 0; i < extra->guard_count; i++)
        size += extra->guards[i].key.size;
    for (uint32_t i = 0; i < extra->write_count; i++)
        size += extra->writes[i].key.size + extra->writes[i].value.size;
    copy = mem_zalloc(size);
    if (!copy)
        return KAN_NOMEM;
    *copy = *extra;
    guards = (void *)(copy + 1);
    writes = (void *)(guards + extra->guard_count);
    bytes = (void *)(writes + extra->write_count);
    copy->guards = guards;
    copy->writes = writes;
    for (uint32_t i = 0; i < extra->guard_count; i++) {
        guards[i] = extra->guards[i];
        guards[i].key.bytes =
            memcpy(bytes, guards[i].key.bytes, guards[i].key.size);
        bytes += guards[i].key.size;
    }
    for (uint32_t i = 0; i < extra->write_count; i++) {
        writes[i] = extra->writes[i];
        writes[i].key.bytes =
            memcpy(bytes, writes[i].key.bytes, writes[i].key.size);
        bytes += writes[i].key.size;
        if (writes[i].value.size)
            writes[i].value.bytes =
                memcpy(bytes, writes[i].value.bytes, writes[i].value.size);
        bytes += writes[i].value.size;
    }
    *ret_copy = copy;
    return KAN_OK;
}

enum kan_err entity_call(struct entity_host *host, struct entity_call *call,
                         entity_call_cb *cb)
{
    enum kan_err err = host_enter(host);
    struct entity_item *item;

    if (err)
        return err;
    item = item_new(host, ENTITY_ITEM_CALL);
    if (!item)
        return KAN_NOMEM;
    if (call->extra) {
        err = extra_copy(call->extra, &item->bring);
        if (err) {
            entity_item_release(host, item);
            return err;
        }
    }
    item->call = call;
    call->host = host;
    call->cb = cb;
    call->part = item;
    memset(&call->task, 0, sizeof(call->task));
    return host_submit(host, item, call->deadline_ns);
}

enum kan_err entity_change(struct entity_host *host,
                           struct entity_change *change, entity_change_cb *cb)
{
    enum kan_err err = host_enter(host);
    struct entity_item *item;

    if (err)
        return err;
    item = item_new(host, ENTITY_ITEM_CHANGE);
    if (!item)
        return KAN_NOMEM;
    item->change = change;
    change->host = host;
    change->cb = cb;
    change->part = item;
    return host_submit(host, item, change->deadline_ns);
}

enum kan_err entity_read(struct entity_host *host, struct entity_read *read,
                         entity_read_cb *cb)
{
    enum kan_err err = host_enter(host);
    struct entity_item *item;

    if (err)
        return err;
    item = item_new(host, ENTITY_ITEM_READ);
    if (!item)
        return KAN_NOMEM;
    item->read = read;
    read->host = host;
    read->cb = cb;
    read->part = item;
    return host_submit(host, item, read->deadline_ns);
}
