/* A batch of events as it is counted: what its entities give by now is read,
 * the events are added, and the states behind them are read. */

#include "base/alloc.h"
#include "block/view/view_batch.h"

/* --- adding events -------------------------------------------------------- */

/* Carry arguments of another version over, by the names of parameters. false:
 * they do not fit the newest one. */
static bool carry_arguments(const struct view_follower *follower,
                            const struct entity_event *event, uint32_t step,
                            void *arguments)
{
    const struct program *from = event->program;
    const struct program *to = follower->program;
    uint32_t old_type = program_step(from, event->step).arguments;
    uint32_t new_type = program_step(to, step).arguments;
    uint32_t new_count = program_type(to, new_type)->member_count;
    uint32_t old_count = program_type(from, old_type)->member_count;
    struct buffer json = BUFFER_INIT;
    struct buffer why = BUFFER_INIT;
    struct json_tree tree;
    bool fits;

    memset(&tree, 0, sizeof(tree));
    program_arguments(to, step, arguments);
    buffer_append_byte(&json, '{');
    for (uint32_t i = 0; i < old_count; i++) {
        struct program_member old = program_member(from, old_type, i);
        for (uint32_t j = 0; j < new_count; j++) {
            struct program_member member = program_member(to, new_type, j);
            if (!slice_equal(member.name, old.name))
                continue;
            buffer_append_text(&json, json.size > 1 ? "," : "");
            json_append_string(&json, old.name);
            buffer_append_byte(&json, ':');
            program_json(from, old.type,
                         (const char *)event->arguments + old.offset, &json);
        }
    }
    buffer_append_byte(&json, '}');
    fits = !buffer_failed(&json) &&
           json_parse(buffer_slice(&json), NULL, &tree) == KAN_OK &&
           program_read_json(to, new_type, &tree, &tree.nodes[0], arguments,
                             &why) == KAN_OK;
    json_fini(&tree);
    buffer_fini(&json);
    buffer_fini(&why);
    return fits;
}

static void add_to_column(struct view_touched *touched, uint32_t column,
                          uint32_t step, const void *arguments,
                          uint64_t revision)
{
    const struct view_follower *follower = touched->batch->follower;
    enum program_column_kind kind = follower->columns[column].kind;
    struct view_part *part = &touched->now[column];
    int64_t value = 0;

    if (!program_column_event(follower->program, column, step, arguments,
                              &value))
        return;
    if (kind == PROGRAM_COUNT)
        value = 1;
    if (kind == PROGRAM_LAST) {
        value = (int64_t)revision;
        buffer_clear(&touched->lasts[column]);
        program_column_last(follower->program, column, step, arguments,
                            &touched->lasts[column]);
    }
    *part = view_part_add(kind, *part, value);
}

static enum kan_err add_step(struct view_touched *touched,
                             const struct entity_event *event)
{
    const struct view_follower *follower = touched->batch->follower;
    struct program_step old = program_step(event->program, event->step);
    int32_t step = program_step_find(follower->program, old.name);
    const void *arguments = event->arguments;
    void *carried = NULL;
    bool fits = true;

    if (step == PROGRAM_STEP_NONE)
        return KAN_OK;
    if (event->version != program_version(follower->program)) {
        uint32_t type =
            program_step(follower->program, (uint32_t)step).arguments;
        carried = mem_zalloc(program_type(follower->program, type)->size);
        if (!carried)
            return KAN_NOMEM;
        fits = carry_arguments(follower, event, (uint32_t)step, carried);
        arguments = carried;
    }
    for (uint32_t i = 0; i < follower->column_count; i++)
        if (follower->columns[i].of_events &&
            (fits || follower->columns[i].kind == PROGRAM_COUNT))
            add_to_column(touched, i, (uint32_t)step, arguments,
                          event->revision);
    mem_free(carried);
    return KAN_OK;
}

/* It is gone, and gives nothing. */
static void reset(struct view_touched *touched)
{
    uint32_t count = touched->batch->follower->column_count;

    memset(touched->now, 0, count * sizeof(*touched->now));
    for (uint32_t i = 0; touched->lasts && i < count; i++)
        buffer_clear(&touched->lasts[i]);
    touched->alive = false;
}

/* KAN_CORRUPT when an event is missing before this one. */
static enum kan_err add_event(struct view_touched *touched,
                              const struct entity_event *event)
{
    bool erased = event->kind == ENTITY_ERASED;

    if (erased ? event->n < touched->n : event->n <= touched->n)
        return KAN_OK;
    if (!erased && touched->n != 0 && event->n != touched->n + 1)
        return KAN_CORRUPT;
    touched->n = event->n;
    touched->changed = true;
    touched->input = event->input;
    touched->columns = event->columns;
    if (erased || event->kind == ENTITY_DELETED) {
        reset(touched);
        return KAN_OK;
    }
    touched->alive = true;
    return event->kind == ENTITY_STEP ? add_step(touched, event) : KAN_OK;
}

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
        err = add_event(touched, &event);
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

    if (program_columns_load(follower->program, touched->columns,
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

    while (batch->err == KAN_OK && batch->next_read < batch->count &&
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
    enum kan_err err;

    if (!item->created)
        return KAN_OK;
    err = view_parts_load(item->value, touched->old, count, &touched->n);
    if (err)
        return err;
    touched->had = true;
    touched->alive = true;
    memcpy(touched->now, touched->old, count * sizeof(*touched->now));
    return KAN_OK;
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    struct view_follower *follower = get->request.data;
    struct view_batch *batch = follower->batch;
    bool gap = false;

    for (uint32_t i = 0; i < batch->count && err == KAN_OK; i++) {
        err = load_touched(&batch->touched[i], &get->items[i]);
        gap = err == KAN_CORRUPT;
    }
    if (err == KAN_OK)
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
    struct kan_slice *keys = NULL;
    size_t at = 0;
    enum kan_err err = KAN_NOMEM;

    if (batch->count > ENGINE_KEYS_MAX)
        return KAN_INVALID;
    for (uint32_t i = 0; i < batch->count; i++) {
        buffer_append(&batch->bytes, buffer_slice(&follower->data_key));
        buffer_append_byte(&batch->bytes, 'c');
        buffer_append(&batch->bytes, batch->touched[i].id);
    }
    keys = mem_zalloc(batch->count * sizeof(*keys));
    if (keys && !buffer_failed(&batch->bytes)) {
        for (uint32_t i = 0; i < batch->count; i++) {
            size_t size =
                follower->data_key.size + 1 + batch->touched[i].id.size;
            keys[i] = kan_slice(batch->bytes.bytes + at, size);
            at += size;
        }
        memset(&follower->get, 0, sizeof(follower->get));
        follower->get.request.data = follower;
        follower->get.keys = keys;
        follower->get.key_count = batch->count;
        err = engine_get(follower->host->engine, &follower->get, on_get);
    }
    buffer_clear(&batch->bytes);
    mem_free(keys);
    return err;
}

void view_fold(struct view_follower *follower, struct view_events *events,
               const struct view_place *becomes, bool scanned)
{
    enum kan_err err = view_batch_new(follower, events, becomes, scanned);

    if (err == KAN_OK && follower->batch->count > 0)
        err = get_kept(follower->batch);
    else if (err == KAN_OK)
        view_commit(follower->batch);
    if (err)
        view_follower_done(follower, err);
}
