/* A batch of events as it is counted: what its entities give by now is read,
 * the events are added, and the states behind them are read. */

#include "base/alloc.h"
#include "block/view/view_batch.h"

/* --- adding events -------------------------------------------------------- */

static enum kan_err add_all(struct view_batch *batch, bool *ret_gap)
{
    struct view_follower *follower = batch->follower;
    struct kan_slice rest = buffer_slice(&batch->events->bytes);
    struct view_entry entry;

    while (view_entry_next(&rest, &entry)) {
        struct view_touched *touched = view_batch_find(batch, entry.key);
        struct entity_event event;
        enum kan_err err;
        if (!touched)
            continue;
        err = entity_event_read(
            follower->host->entities, buffer_slice(&follower->name), entry.key,
            entry.value, entry.revision, follower->arguments, &event);
        if (err)
            return err;
        err = view_add_event(touched, &event);
        *ret_gap = err == KAN_CORRUPT;
        if (err)
            return err;
    }
    return KAN_OK;
}

/* --- states --------------------------------------------------------------- */

static void read_more(struct view_batch *batch);

/* The state in the newest version, or NULL: it cannot be carried there. */
static const void *carry_state(struct view_touched *touched,
                               const struct entity_state *state)
{
    struct view_follower *follower = touched->batch->follower;
    struct contract *contract = follower->contract;
    uint32_t newest = program_version(follower->program);
    const void *at = state->state;
    struct program_refusal refusal;
    int side = 0;

    if (state->version > newest ||
        (state->version < newest &&
         state->version < contract_oldest(contract, follower->type)))
        return NULL;
    for (uint32_t version = state->version; version < newest; version++) {
        memset(follower->states[side], 0, TREE_STATE_BYTES_MAX);
        if (contract_up(contract, follower->type, version, at, &touched->input,
                        follower->states[side], &refusal))
            return NULL;
        at = follower->states[side];
        side = !side;
    }
    return at;
}

static void add_state(struct view_touched *touched,
                      const struct entity_state *state)
{
    struct view_follower *follower = touched->batch->follower;
    const void *carried = carry_state(touched, state);

    for (uint32_t i = 0; carried && i < follower->column_count; i++) {
        enum program_column_kind kind = follower->columns[i].kind;
        struct view_part nothing = {0};
        int64_t value = 0;
        if (follower->columns[i].of_events ||
            !program_column_state(follower->program, i, carried, &value))
            continue;
        if (kind == PROGRAM_COUNT)
            value = 1;
        touched->now[i] = view_part_add(kind, nothing, value);
    }
}

static void forget_state(struct view_touched *touched)
{
    const struct view_follower *follower = touched->batch->follower;

    for (uint32_t i = 0; i < follower->column_count; i++)
        if (!follower->columns[i].of_events)
            touched->now[i] = (struct view_part){0};
}

static void on_state(struct entity_read *read)
{
    struct view_touched *touched = read->data;
    struct view_batch *batch = touched->batch;

    batch->reading--;
    if (read->outcome == ENTITY_TAKEN)
        add_state(touched, &read->state);
    else if (read->outcome == ENTITY_FAILED)
        batch->err = read->err;
    read_more(batch);
}

static enum kan_err read_state(struct view_touched *touched)
{
    struct view_follower *follower = touched->batch->follower;

    forget_state(touched);
    memset(&touched->read, 0, sizeof(touched->read));
    touched->read.data = touched;
    touched->read.type = buffer_slice(&follower->name);
    touched->read.id = touched->id;
    touched->read.has_at = true;
    touched->read.at = touched->n;
    return entity_read(follower->host->entities, &touched->read, on_state);
}

/* What the event says that its state gives; false: it does not, by the views as
 * they are now. */
static bool told_state(struct view_touched *touched)
{
    struct view_follower *follower = touched->batch->follower;

    if (program_columns_load(follower->program, buffer_slice(&touched->columns),
                             follower->told, follower->told_values))
        return false;
    forget_state(touched);
    for (uint32_t i = 0; i < follower->column_count; i++)
        if (!follower->columns[i].of_events && follower->told[i])
            touched->now[i] =
                view_part_add(follower->columns[i].kind, (struct view_part){0},
                              follower->told_values[i]);
    return true;
}

static void read_more(struct view_batch *batch)
{
    struct view_follower *follower = batch->follower;

    while (batch->err == KAN_OK && batch->next_read < batch->to &&
           batch->reading < VIEW_READS_MAX) {
        struct view_touched *touched = &batch->touched[batch->next_read];
        batch->next_read++;
        if (!touched->changed || !touched->alive || !follower->of_state ||
            told_state(touched))
            continue;
        batch->err = read_state(touched);
        if (batch->err == KAN_OK)
            batch->reading++;
    }
    if (batch->reading > 0)
        return;
    if (batch->err)
        view_follower_done(follower, batch->err);
    else
        view_commit(batch);
}

/* --- what was kept -------------------------------------------------------- */

static enum kan_err load_touched(struct view_touched *touched,
                                 const struct engine_item *item)
{
    uint32_t count = touched->batch->follower->column_count;
    uint64_t n;
    enum kan_err err;

    if (!item->created)
        return KAN_OK;
    err = view_parts_load(item->value, touched->old, count, &n);
    if (err)
        return err;
    touched->had = true;
    if (!touched->batch->events)
        return view_add_kept(touched, n);
    touched->n = n;
    touched->alive = true;
    memcpy(touched->now, touched->old, count * sizeof(*touched->now));
    return KAN_OK;
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    struct view_follower *follower = get->request.data;
    struct view_batch *batch = follower->batch;
    bool gap = false;

    for (uint32_t i = batch->from; i < batch->to && err == KAN_OK; i++) {
        err = load_touched(&batch->touched[i], &get->items[i - batch->from]);
        gap = err == KAN_CORRUPT;
    }
    if (err == KAN_OK && batch->events)
        err = add_all(batch, &gap);
    if (gap) {
        view_follower_anew(follower,
                           "what is kept of it does not fit the "
                           "events: all are counted again");
        view_follower_done(follower, err);
    } else if (err) {
        view_follower_done(follower, err);
    } else {
        read_more(batch);
    }
}

static enum kan_err get_kept(struct view_batch *batch)
{
    struct view_follower *follower = batch->follower;
    uint32_t count = batch->to - batch->from;
    struct kan_slice *keys = NULL;
    size_t at = 0;
    enum kan_err err = KAN_NOMEM;

    if (count > ENGINE_KEYS_MAX)
        return KAN_INVALID;
    for (uint32_t i = batch->from; i < batch->to; i++) {
        buffer_append(&batch->bytes, buffer_slice(&follower->data_key));
        buffer_append_byte(&batch->bytes, 'c');
        buffer_append(&batch->bytes, batch->touched[i].id);
    }
    keys = mem_zalloc(count * sizeof(*keys));
    if (keys && !buffer_failed(&batch->bytes)) {
        for (uint32_t i = 0; i < count; i++) {
            size_t size = follower->data_key.size + 1 +
                          batch->touched[batch->from + i].id.size;
            keys[i] = kan_slice(batch->bytes.bytes + at, size);
            at += size;
        }
        memset(&follower->get, 0, sizeof(follower->get));
        follower->get.request.data = follower;
        follower->get.keys = keys;
        follower->get.key_count = count;
        err = engine_get(follower->host->engine, &follower->get, on_get);
    }
    buffer_clear(&batch->bytes);
    mem_free(keys);
    return err;
}

/* --- parts ---------------------------------------------------------------- */

/* What was gathered is counted in parts, so that nobody waits long behind one
 * of them; the events of pages, and what is queued with them, at once. */
void view_fold_part(struct view_batch *batch)
{
    struct view_follower *follower = batch->follower;
    uint32_t max = batch->count;
    enum kan_err err;

    if (!batch->events)
        max = follower->batch_max < VIEW_PART_MAX ? follower->batch_max
                                                  : VIEW_PART_MAX;
    batch->from = batch->to;
    batch->to =
        batch->count - batch->from > max ? batch->from + max : batch->count;
    batch->next_read = batch->from;
    err = get_kept(batch);
    if (err)
        view_follower_done(follower, err);
}

static void fold(struct view_follower *follower,
                 const struct view_place *becomes)
{
    struct view_batch *batch = follower->batch;
    enum kan_err err = view_batch_close(batch, becomes);

    if (err)
        view_follower_done(follower, err);
    else if (batch->count > 0)
        view_fold_part(batch);
    else
        view_commit(batch);
}

void view_fold(struct view_follower *follower, struct view_events *events,
               const struct view_place *becomes, bool scanned)
{
    enum kan_err err;

    follower->batch = view_batch_new(follower);
    if (!follower->batch) {
        view_events_free(events);
        view_follower_done(follower, KAN_NOMEM);
        return;
    }
    follower->batch->scanned = scanned;
    err = view_batch_events(follower->batch, events);
    if (err)
        view_follower_done(follower, err);
    else
        fold(follower, becomes);
}

void view_fold_gathered(struct view_follower *follower,
                        struct view_batch *batch,
                        const struct view_place *becomes)
{
    follower->batch = batch;
    fold(follower, becomes);
}
