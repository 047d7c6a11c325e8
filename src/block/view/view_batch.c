/* Events as bytes, and a batch of them: the entities that they touch, with room
 * for what these give before and after. */

#include "block/view/view_batch.h"
#include "base/alloc.h"
#include "base/assert.h"

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

bool view_entry_next(struct kan_slice *rest, struct view_entry *ret_entry)
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

/* The id is followed by a zero and 8 bytes. */
struct kan_slice view_entry_id(struct kan_slice key)
{
    return key.size > 9 ? slice_head(key, key.size - 9) : kan_slice(NULL, 0);
}

bool view_events_ids(const struct view_events *events, struct map *seen)
{
    struct kan_slice rest = buffer_slice(&events->bytes);
    struct view_entry entry;

    while (view_entry_next(&rest, &entry))
        if (map_put(seen, view_entry_id(entry.key), seen, NULL))
            return false;
    return true;
}

/* --- the entities --------------------------------------------------------- */

static struct view_touched *find_id(const struct view_batch *batch,
                                    struct kan_slice id)
{
    uintptr_t place = (uintptr_t)map_get(&batch->places, id);

    return place ? &batch->touched[place - 1] : NULL;
}

static bool has_last(const struct view_follower *follower)
{
    for (uint32_t i = 0; i < follower->column_count; i++)
        if (follower->columns[i].kind == PROGRAM_LAST)
            return true;
    return false;
}

static bool rooms_make(struct view_batch *batch, struct kan_slice id,
                       struct view_touched *touched)
{
    const struct view_follower *follower = batch->follower;
    uint32_t columns = follower->column_count;
    char *copy = arena_copy(&batch->arena, id);

    touched->batch = batch;
    touched->id = kan_slice(copy, id.size);
    touched->old =
        arena_give(&batch->arena, 2 * columns * sizeof(*touched->old));
    touched->now = touched->old ? touched->old + columns : NULL;
    if (has_last(follower)) {
        touched->lasts =
            arena_give(&batch->arena, columns * sizeof(*touched->lasts));
        if (!touched->lasts)
            return false;
    }
    return copy && touched->old;
}

static bool grow(struct view_batch *batch)
{
    uint32_t capacity = batch->capacity ? 2 * batch->capacity : 16;
    void *grown;

    if (batch->count < batch->capacity)
        return true;
    grown = mem_realloc(batch->touched, capacity * sizeof(*batch->touched));
    if (!grown)
        return false;
    batch->touched = grown;
    batch->capacity = capacity;
    return true;
}

enum kan_err view_batch_touch(struct view_batch *batch, struct kan_slice id,
                              struct view_touched **ret_touched)
{
    struct view_touched touched = {0};
    enum kan_err err;

    *ret_touched = find_id(batch, id);
    if (*ret_touched)
        return KAN_OK;
    if (!grow(batch) || !rooms_make(batch, id, &touched))
        return KAN_NOMEM;
    err = map_put(&batch->places, touched.id,
                  (void *)(uintptr_t)(batch->count + 1), NULL);
    if (err)
        return err;
    batch->touched[batch->count] = touched;
    *ret_touched = &batch->touched[batch->count];
    batch->count++;
    return KAN_OK;
}

/* Whether the pages have not yet come to this event of the feed: then they
 * will, and count it. */
static bool to_come(const struct view_batch *batch, struct kan_slice key)
{
    const struct view_follower *follower = batch->follower;

    return !batch->scanned && follower->place.scanning &&
           slice_compare(key, buffer_slice(&follower->after)) > 0;
}

struct view_touched *view_batch_find(const struct view_batch *batch,
                                     struct kan_slice key)
{
    return to_come(batch, key) ? NULL : find_id(batch, view_entry_id(key));
}

enum kan_err view_batch_events(struct view_batch *batch,
                               struct view_events *events)
{
    struct kan_slice rest = buffer_slice(&events->bytes);
    struct view_entry entry;
    enum kan_err err = KAN_OK;

    batch->events = events;
    while (err == KAN_OK && view_entry_next(&rest, &entry)) {
        struct kan_slice id = view_entry_id(entry.key);
        struct view_touched *touched;
        if (id.size && !to_come(batch, entry.key))
            err = view_batch_touch(batch, id, &touched);
    }
    return err;
}

/* --- life ----------------------------------------------------------------- */

struct view_batch *view_batch_new(struct view_follower *follower)
{
    struct view_batch *batch = mem_zalloc(sizeof(*batch));

    if (!batch)
        return NULL;
    batch->follower = follower;
    map_init(&batch->places, follower->host->seed, VIEW_QUEUE_COMMITS_MAX);
    return batch;
}

enum kan_err view_batch_close(struct view_batch *batch,
                              const struct view_place *becomes)
{
    const struct view_follower *follower = batch->follower;
    uint32_t columns = follower->column_count;

    batch->becomes = *becomes;
    buffer_append(&batch->after, becomes->after);
    batch->totals = mem_zalloc(columns * sizeof(*batch->totals));
    batch->dirty = mem_zalloc(columns * sizeof(*batch->dirty));
    if (buffer_failed(&batch->after) || !batch->totals || !batch->dirty)
        return KAN_NOMEM;
    memcpy(batch->totals, follower->totals, columns * sizeof(*batch->totals));
    return KAN_OK;
}

struct view_place view_batch_place(const struct view_batch *batch)
{
    struct view_place place = batch->becomes;

    place.after = buffer_slice(&batch->after);
    if (batch->to == batch->count)
        return place;
    place.revision = batch->follower->place.revision;
    if (place.need < batch->becomes.revision)
        place.need = batch->becomes.revision;
    return place;
}

void view_batch_drop(struct view_batch *batch)
{
    if (!batch)
        return;
    kan_assert(batch->reading == 0);
    for (uint32_t i = 0; i < batch->count; i++) {
        struct buffer *lasts = batch->touched[i].lasts;
        for (uint32_t j = 0; lasts && j < batch->follower->column_count; j++)
            buffer_fini(&lasts[j]);
        buffer_fini(&batch->touched[i].columns);
    }
    view_events_free(batch->events);
    map_fini(&batch->places);
    mem_free(batch->touched);
    arena_fini(&batch->arena);
    mem_free(batch->totals);
    mem_free(batch->dirty);
    mem_free(batch->commit_writes);
    buffer_fini(&batch->after);
    buffer_fini(&batch->bytes);
    buffer_fini(&batch->writes);
    mem_free(batch);
}

void view_batch_free(struct view_follower *follower)
{
    struct view_batch *batch = follower->batch;

    follower->batch = NULL;
    view_batch_drop(batch);
}
