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

/* The id in a key of an event: it is followed by a zero and 8 bytes. */
static struct kan_slice id_of(struct kan_slice key)
{
    return key.size > 9 ? slice_head(key, key.size - 9) : kan_slice(NULL, 0);
}

bool view_events_ids(const struct view_events *events, struct map *seen)
{
    struct kan_slice rest = buffer_slice(&events->bytes);
    struct view_entry entry;

    while (view_entry_next(&rest, &entry))
        if (map_put(seen, id_of(entry.key), seen, NULL))
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

static enum kan_err touch(struct view_batch *batch, struct kan_slice id)
{
    struct view_touched touched = {.batch = batch, .id = id};

    if (id.size == 0 || find_id(batch, id))
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

struct view_touched *view_batch_find(const struct view_batch *batch,
                                     struct kan_slice key)
{
    return to_come(batch, key) ? NULL : find_id(batch, id_of(key));
}

static enum kan_err touch_all(struct view_batch *batch)
{
    struct kan_slice rest = buffer_slice(&batch->events->bytes);
    struct view_entry entry;
    enum kan_err err = KAN_OK;

    while (err == KAN_OK && view_entry_next(&rest, &entry))
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
        struct view_touched *touched = &batch->touched[i];
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

/* --- life ----------------------------------------------------------------- */

enum kan_err view_batch_new(struct view_follower *follower,
                            struct view_events *events,
                            const struct view_place *becomes, bool scanned)
{
    struct view_batch *batch = mem_zalloc(sizeof(*batch));
    enum kan_err err;

    if (!batch) {
        view_events_free(events);
        return KAN_NOMEM;
    }
    follower->batch = batch;
    batch->follower = follower;
    batch->events = events;
    map_init(&batch->places, follower->host->seed, VIEW_QUEUE_COMMITS_MAX);
    batch->becomes = *becomes;
    batch->scanned = scanned;
    buffer_append(&batch->after, becomes->after);
    err = buffer_failed(&batch->after) ? KAN_NOMEM : touch_all(batch);
    return err ? err : make_room(batch);
}

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
