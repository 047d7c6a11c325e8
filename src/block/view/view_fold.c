/* A batch of events as it is counted: what their entities give by now is read,
 * the events are added, the states behind them are read, and all that changed
 * is committed at once. */

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "block/view/view_host.h"

/* An entity with events in the batch. */
struct touched
{
    struct view_batch *batch;
    struct kan_slice id; /* of the events' bytes */
    bool had;            /* parts are kept of it */
    bool alive;
    bool changed;
    uint64_t n; /* of the last event that is counted; 0: none is known */
    struct kan_slice columns; /* of that event */
    struct program_input input;
    struct view_part *old;
    struct view_part *now;
    struct buffer *lasts; /* by column; NULL when there is no LAST */
    struct entity_read read;
};

struct view_batch
{
    struct view_follower *follower;
    struct view_events *events;
    struct view_place becomes;
    struct buffer after;
    bool scanned;
    struct touched *touched;
    struct map places; /* of an id in touched, plus 1 */
    uint32_t count;
    uint32_t capacity;
    uint32_t next_read;
    uint32_t reading;
    enum kan_err err;        /* of the reads */
    struct view_part *parts; /* that touched point to */
    struct view_part *totals;
    bool *dirty;
    struct buffer bytes;  /* of the commit: keys and values */
    struct buffer writes; /* struct writing */
    struct engine_write *commit_writes;
};

/* A write whose slices are places in bytes, which may move while it grows. */
struct writing
{
    enum engine_write_kind kind;
    size_t key;
    size_t key_size;
    size_t value_size;
};

/* --- events as bytes ------------------------------------------------------ */

void view_events_add(struct view_events *events, uint64_t revision,
                     struct kan_slice key, struct kan_slice value)
{
    struct view_event_head head = {.revision = revision,
                                   .key_size = (uint32_t)key.size,
                                   .value_size = (uint32_t)value.size};

    buffer_append(&events->bytes, kan_slice(&head, sizeof(head)));
    buffer_append(&events->bytes, key);
    buffer_append(&events->bytes, value);
    events->count++;
}

struct view_events *view_events_free(struct view_events *events)
{
    if (events)
        buffer_fini(&events->bytes);
    return mem_free(events);
}

struct entry
{
    uint64_t revision;
    struct kan_slice key;
    struct kan_slice value;
};

/* Take one from the head of *rest; false at the end. */
static bool next_entry(struct kan_slice *rest, struct entry *ret_entry)
{
    struct view_event_head head;

    if (rest->size == 0)
        return false;
    memcpy(&head, rest->bytes, sizeof(head));
    *rest = slice_skip(*rest, sizeof(head));
    ret_entry->revision = head.revision;
    ret_entry->key = slice_head(*rest, head.key_size);
    *rest = slice_skip(*rest, head.key_size);
    ret_entry->value = slice_head(*rest, head.value_size);
    *rest = slice_skip(*rest, head.value_size);
    return true;
}

/* The id in a key of an event: it is followed by a zero and 8 bytes. */
static struct kan_slice id_of(struct kan_slice key)
{
    return key.size > 9 ? slice_head(key, key.size - 9) : kan_slice(NULL, 0);
}

/* --- life ----------------------------------------------------------------- */

void view_batch_free(struct view_follower *follower)
{
    struct view_batch *batch = follower->batch;

    if (!batch)
        return;
    follower->batch = NULL;
    kan_assert(batch->reading == 0);
    for (uint32_t i = 0; i < batch->count; i++) {
        struct buffer *lasts = batch->touched[i].lasts;
        for (uint32_t j = 0; lasts && j < follower->column_count; j++)
            buffer_fini(&lasts[j]);
        mem_free(lasts);
    }
    view_events_free(batch->events);
    map_fini(&batch->places);
    mem_free(batch->touched);
    mem_free(batch->parts);
    mem_free(batch->totals);
    mem_free(batch->dirty);
    mem_free(batch->commit_writes);
    buffer_fini(&batch->after);
    buffer_fini(&batch->bytes);
    buffer_fini(&batch->writes);
    mem_free(batch);
}

bool view_events_ids(const struct view_events *events, struct map *seen)
{
    struct kan_slice rest = buffer_slice(&events->bytes);
    struct entry entry;

    while (next_entry(&rest, &entry))
        if (map_put(seen, id_of(entry.key), seen, NULL))
            return false;
    return true;
}

static struct touched *find(struct view_batch *batch, struct kan_slice id)
{
    uintptr_t place = (uintptr_t)map_get(&batch->places, id);

    return place ? &batch->touched[place - 1] : NULL;
}

static enum kan_err touch(struct view_batch *batch, struct kan_slice id)
{
    struct touched touched = {.batch = batch, .id = id};

    if (id.size == 0 || find(batch, id))
        return KAN_OK;
    if (batch->count == batch->capacity) {
        uint32_t capacity = batch->capacity ? 2 * batch->capacity : 16;
        void *grown = mem_realloc(batch->touched, capacity * sizeof(touched));
        if (!grown)
            return KAN_NOMEM;
        batch->touched = grown;
        batch->capacity = capacity;
    }
    batch->touched[batch->count] = touched;
    batch->count++;
    return map_put(&batch->places, id, (void *)(uintptr_t)batch->count, NULL);
}

/* Whether the pages have not yet come to this event of the feed: then they
 * will, and count it. */
static bool to_come(const struct view_batch *batch, struct kan_slice key)
{
    const struct view_follower *follower = batch->follower;

    return !batch->scanned && follower->place.scanning &&
           slice_compare(key, buffer_slice(&follower->after)) > 0;
}

static enum kan_err touch_all(struct view_batch *batch)
{
    struct kan_slice rest = buffer_slice(&batch->events->bytes);
    struct entry entry;
    enum kan_err err = KAN_OK;

    while (err == KAN_OK && next_entry(&rest, &entry))
        if (!to_come(batch, entry.key))
            err = touch(batch, id_of(entry.key));
    return err;
}

static bool has_last(const struct view_follower *follower)
{
    for (uint32_t i = 0; i < follower->column_count; i++)
        if (follower->columns[i].kind == PROGRAM_LAST)
            return true;
    return false;
}

static enum kan_err make_room(struct view_batch *batch)
{
    const struct view_follower *follower = batch->follower;
    uint32_t columns = follower->column_count;
    bool lasts = has_last(follower);

    batch->parts =
        mem_zalloc((size_t)batch->count * columns * 2 * sizeof(*batch->parts));
    batch->totals = mem_zalloc(columns * sizeof(*batch->totals));
    batch->dirty = mem_zalloc(columns * sizeof(*batch->dirty));
    if (!batch->parts || !batch->totals || !batch->dirty)
        return KAN_NOMEM;
    memcpy(batch->totals, follower->totals, columns * sizeof(*batch->totals));
    for (uint32_t i = 0; i < batch->count; i++) {
        struct touched *touched = &batch->touched[i];
        touched->old = batch->parts + (size_t)i * 2 * columns;
        touched->now = touched->old + columns;
        if (!lasts)
            continue;
        touched->lasts = mem_zalloc(columns * sizeof(*touched->lasts));
        if (!touched->lasts)
            return KAN_NOMEM;
    }
    return KAN_OK;
}

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

static void add_to_column(struct touched *touched, uint32_t column,
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

static enum kan_err add_step(struct touched *touched,
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
static void reset(struct touched *touched)
{
    uint32_t count = touched->batch->follower->column_count;

    memset(touched->now, 0, count * sizeof(*touched->now));
    for (uint32_t i = 0; touched->lasts && i < count; i++)
        buffer_clear(&touched->lasts[i]);
    touched->alive = false;
}

/* KAN_CORRUPT when an event is missing before this one. */
static enum kan_err add_event(struct touched *touched,
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
    struct entry entry;

    while (next_entry(&rest, &entry)) {
        struct touched *touched = find(batch, id_of(entry.key));
        struct entity_event event;
        enum kan_err err;
        if (!touched || to_come(batch, entry.key))
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

/* --- the commit ----------------------------------------------------------- */

/* Begin a write: its key is what is appended next, then end_key(). */
static struct writing begin_write(struct view_batch *batch,
                                  enum engine_write_kind kind)
{
    struct writing writing = {.kind = kind, .key = batch->bytes.size};

    return writing;
}

static void end_key(struct view_batch *batch, struct writing *writing)
{
    writing->key_size = batch->bytes.size - writing->key;
}

static void end_write(struct view_batch *batch, struct writing *writing)
{
    writing->value_size = batch->bytes.size - writing->key - writing->key_size;
    buffer_append(&batch->writes, kan_slice(writing, sizeof(*writing)));
}

static void index_key(const struct view_follower *follower, uint32_t column,
                      struct buffer *out)
{
    buffer_append(out, buffer_slice(&follower->data_key));
    buffer_append_byte(out, 'x');
    buffer_append_byte(out, (unsigned char)(column >> 8));
    buffer_append_byte(out, (unsigned char)column);
}

static void write_index(struct view_batch *batch, const struct touched *touched,
                        uint32_t column, enum engine_write_kind kind,
                        struct view_part part)
{
    const struct view_follower *follower = batch->follower;
    enum program_column_kind sort = follower->columns[column].kind;
    struct writing writing = begin_write(batch, kind);
    unsigned char order[8];
    unsigned char first[8];

    view_order(sort, part.amount, order);
    index_key(follower, column, &batch->bytes);
    buffer_append(&batch->bytes, kan_slice(order, sizeof(order)));
    buffer_append(&batch->bytes, touched->id);
    end_key(batch, &writing);
    if (kind == ENGINE_PUT && sort == PROGRAM_LAST)
        buffer_append(&batch->bytes, buffer_slice(&touched->lasts[column]));
    end_write(batch, &writing);
    /* Only what comes first, or would, changes the total. */
    if (follower->totals[column].any)
        view_order(sort, follower->totals[column].amount, first);
    else
        memset(first, 0xff, sizeof(first));
    if (memcmp(order, first, sizeof(order)) <= 0)
        batch->dirty[column] = true;
}

static void write_column(struct view_batch *batch,
                         const struct touched *touched, uint32_t column)
{
    struct view_part old = touched->old[column];
    struct view_part now = touched->now[column];
    bool same = view_part_equal(old, now);

    if (!view_ordered(batch->follower->columns[column].kind)) {
        batch->totals[column] =
            view_total_move(batch->totals[column], old, now);
        return;
    }
    if (old.any && !same)
        write_index(batch, touched, column, ENGINE_DELETE, old);
    if (now.any && (!same || (touched->lasts && touched->lasts[column].size)))
        write_index(batch, touched, column, ENGINE_PUT, now);
}

static void write_touched(struct view_batch *batch,
                          const struct touched *touched)
{
    const struct view_follower *follower = batch->follower;
    struct writing writing =
        begin_write(batch, touched->alive ? ENGINE_PUT : ENGINE_DELETE);

    for (uint32_t i = 0; i < follower->column_count; i++)
        write_column(batch, touched, i);
    if (!touched->alive && !touched->had)
        return;
    writing.key = batch->bytes.size;
    buffer_append(&batch->bytes, buffer_slice(&follower->data_key));
    buffer_append_byte(&batch->bytes, 'c');
    buffer_append(&batch->bytes, touched->id);
    end_key(batch, &writing);
    if (touched->alive)
        view_parts_save(touched->n, touched->now, follower->column_count,
                        &batch->bytes);
    end_write(batch, &writing);
}

static void write_place(struct view_batch *batch)
{
    const struct view_follower *follower = batch->follower;
    struct writing writing = begin_write(batch, ENGINE_PUT);
    struct view_part *totals = batch->totals;
    struct view_place place = batch->becomes;
    struct buffer saved = BUFFER_INIT;

    /* What has an index is found there. */
    for (uint32_t i = 0; i < follower->column_count; i++)
        if (view_ordered(follower->columns[i].kind))
            totals[i] = (struct view_part){0};
    view_parts_save(0, totals, follower->column_count, &saved);
    place.after = buffer_slice(&batch->after);
    place.totals = buffer_slice(&saved);
    buffer_append(&batch->bytes, buffer_slice(&follower->place_key));
    end_key(batch, &writing);
    view_place_save(&place, &batch->bytes);
    end_write(batch, &writing);
    batch->bytes.failed = batch->bytes.failed || buffer_failed(&saved);
    buffer_fini(&saved);
}

static void adopt(struct view_batch *batch, uint64_t revision)
{
    struct view_follower *follower = batch->follower;

    for (uint32_t i = 0; i < follower->column_count; i++) {
        if (!view_ordered(follower->columns[i].kind))
            follower->totals[i] = batch->totals[i];
        follower->dirty[i] = follower->dirty[i] || batch->dirty[i];
    }
    /*= K-VIEW-1: what is counted and where it stands are one commit. */
    kan_assert(revision > follower->place_version);
    follower->place = batch->becomes;
    follower->place_version = revision;
    buffer_fini(&follower->after);
    follower->after = batch->after;
    memset(&batch->after, 0, sizeof(batch->after));
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct view_follower *follower = commit->request.data;

    if (err) {
        view_follower_done(follower, err);
        return;
    }
    adopt(follower->batch, commit->revision);
    view_batch_free(follower);
    view_find(follower);
}

static enum kan_err submit(struct view_batch *batch)
{
    struct view_follower *follower = batch->follower;
    const struct writing *writings =
        (const struct writing *)(const void *)batch->writes.bytes;
    uint32_t count = (uint32_t)(batch->writes.size / sizeof(*writings));
    struct engine_guard guard = {.key = buffer_slice(&follower->place_key),
                                 .kind = ENGINE_IF_ABSENT};

    batch->commit_writes = mem_zalloc(count * sizeof(*batch->commit_writes));
    if (!batch->commit_writes)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        const char *key = batch->bytes.bytes + writings[i].key;
        batch->commit_writes[i].kind = writings[i].kind;
        batch->commit_writes[i].key = kan_slice(key, writings[i].key_size);
        batch->commit_writes[i].value =
            kan_slice(key + writings[i].key_size, writings[i].value_size);
    }
    if (follower->place_version) {
        guard.kind = ENGINE_IF_VERSION;
        guard.revision = follower->place_version;
    }
    memset(&follower->commit, 0, sizeof(follower->commit));
    follower->commit.request.data = follower;
    follower->commit.guards = &guard;
    follower->commit.guard_count = 1;
    follower->commit.writes = batch->commit_writes;
    follower->commit.write_count = count;
    return engine_commit(follower->host->engine, &follower->commit, on_commit);
}

/* A batch that is too large for one commit is halved. */
static bool too_large(const struct view_batch *batch)
{
    const struct engine_promises *promises =
        engine_promises(batch->follower->host->engine);
    size_t count = batch->writes.size / sizeof(struct writing);

    return count + 1 > promises->ops_max ||
           batch->bytes.size > promises->commit_bytes_max;
}

static void commit(struct view_batch *batch)
{
    struct view_follower *follower = batch->follower;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->touched[i].changed)
            write_touched(batch, &batch->touched[i]);
        for (uint32_t j = 0;
             batch->touched[i].lasts && j < follower->column_count; j++)
            if (buffer_failed(&batch->touched[i].lasts[j]))
                err = KAN_NOMEM;
    }
    write_place(batch);
    if (buffer_failed(&batch->bytes) || buffer_failed(&batch->writes))
        err = KAN_NOMEM;
    if (err == KAN_OK && too_large(batch) && follower->batch_max > 1) {
        follower->batch_max /= 2;
        err = KAN_BUSY;
    }
    if (err == KAN_OK)
        err = submit(batch);
    if (err)
        view_follower_done(follower, err);
}

/* --- states --------------------------------------------------------------- */

static void read_more(struct view_batch *batch);

/* The state in the newest version, or NULL: it cannot be carried there. */
static const void *carry_state(struct touched *touched,
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

static void add_state(struct touched *touched, const struct entity_state *state)
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

static void forget_state(struct touched *touched)
{
    const struct view_follower *follower = touched->batch->follower;

    for (uint32_t i = 0; i < follower->column_count; i++)
        if (!follower->columns[i].of_events)
            touched->now[i] = (struct view_part){0};
}

static void on_state(struct entity_read *read)
{
    struct touched *touched = read->data;
    struct view_batch *batch = touched->batch;

    batch->reading--;
    if (read->outcome == ENTITY_TAKEN)
        add_state(touched, &read->state);
    else if (read->outcome == ENTITY_FAILED)
        batch->err = read->err;
    read_more(batch);
}

static enum kan_err read_state(struct touched *touched)
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
static bool told_state(struct touched *touched)
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
        struct touched *touched = &batch->touched[batch->next_read];
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
        commit(batch);
}

/* --- what was kept -------------------------------------------------------- */

static enum kan_err load_touched(struct touched *touched,
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
    struct view_batch *batch = mem_zalloc(sizeof(*batch));
    enum kan_err err;

    if (!batch) {
        view_events_free(events);
        view_follower_done(follower, KAN_NOMEM);
        return;
    }
    follower->batch = batch;
    batch->follower = follower;
    batch->events = events;
    map_init(&batch->places, follower->host->seed, VIEW_QUEUE_COMMITS_MAX);
    batch->becomes = *becomes;
    batch->scanned = scanned;
    buffer_append(&batch->after, becomes->after);
    err = buffer_failed(&batch->after) ? KAN_NOMEM : touch_all(batch);
    if (err == KAN_OK)
        err = make_room(batch);
    if (err == KAN_OK && batch->count > 0)
        err = get_kept(batch);
    else if (err == KAN_OK)
        commit(batch);
    if (err)
        view_follower_done(follower, err);
}

/* --- the first of each index ---------------------------------------------- */

static void find_next(struct view_follower *follower);

static enum kan_err found(struct view_follower *follower,
                          const struct engine_scan *scan)
{
    uint32_t column = follower->looking;
    struct buffer prefix = BUFFER_INIT;
    struct view_part part = {0};
    enum kan_err err = KAN_OK;

    index_key(follower, column, &prefix);
    if (buffer_failed(&prefix))
        err = KAN_NOMEM;
    buffer_clear(&follower->lasts[column]);
    if (err == KAN_OK && scan->item_count > 0) {
        struct kan_slice order = slice_skip(scan->items[0].key, prefix.size);
        if (order.size < 8) {
            err = KAN_CORRUPT;
        } else {
            part.any = true;
            part.amount =
                view_order_read(follower->columns[column].kind, order.bytes);
            buffer_append(&follower->lasts[column], scan->items[0].value);
        }
    }
    buffer_fini(&prefix);
    if (buffer_failed(&follower->lasts[column]))
        err = KAN_NOMEM;
    if (err == KAN_OK) {
        follower->totals[column] = part;
        follower->dirty[column] = false;
    }
    return err;
}

static void on_found(struct engine_scan *scan, enum kan_err err)
{
    struct view_follower *follower = scan->request.data;

    if (err == KAN_OK)
        err = found(follower, scan);
    if (err)
        view_follower_done(follower, err);
    else
        find_next(follower);
}

static void find_next(struct view_follower *follower)
{
    struct buffer prefix = BUFFER_INIT;
    uint32_t column = 0;
    enum kan_err err = KAN_NOMEM;

    while (column < follower->column_count && !follower->dirty[column])
        column++;
    if (column == follower->column_count) {
        view_follower_done(follower, KAN_OK);
        return;
    }
    follower->looking = column;
    index_key(follower, column, &prefix);
    memset(&follower->scan, 0, sizeof(follower->scan));
    follower->scan.request.data = follower;
    follower->scan.prefix = buffer_slice(&prefix);
    follower->scan.limit = 1;
    if (!buffer_failed(&prefix))
        err = engine_scan(follower->host->engine, &follower->scan, on_found);
    buffer_fini(&prefix);
    if (err)
        view_follower_done(follower, err);
}

void view_find(struct view_follower *follower)
{
    find_next(follower);
}
