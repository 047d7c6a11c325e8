/* What the feed tells, added up by entity as it is heard. Only behind what any
 * page may have seen is that right: what is added up cannot be told apart
 * again. */

#include "base/assert.h"
#include "block/view/view_batch.h"

bool view_gathers(const struct view_follower *follower)
{
    return follower->phase == VIEW_WORKING && !follower->place.scanning &&
           follower->queued >= follower->place.need;
}

static struct view_batch *batch_of(struct list *link)
{
    return list_entry(link, struct view_batch, link);
}

/* About what one more entity takes. */
static size_t entity_bytes(const struct view_follower *follower)
{
    return sizeof(struct view_touched) +
           2 * follower->column_count * sizeof(struct view_part) + 128;
}

/* The batch that the next commit goes into, as a whole. */
static struct view_batch *batch_open(struct view_follower *follower)
{
    struct view_batch *batch;

    if (!list_empty(&follower->gathered)) {
        batch = batch_of(follower->gathered.prev);
        if (batch->count < VIEW_GATHER_MAX)
            return batch;
    }
    batch = view_batch_new(follower);
    if (batch)
        list_push(&follower->gathered, &batch->link);
    return batch;
}

static bool is_event(const struct view_follower *follower,
                     const struct engine_change *change)
{
    size_t head = follower->feed_key.size;

    return change->kind == ENGINE_CHANGE_PUT && change->key.size > head + 1 &&
           slice_at(change->key, head) == 'e';
}

static bool any_event(const struct view_follower *follower,
                      const struct engine_change *changes, uint32_t count)
{
    uint32_t i = 0;

    while (i < count && !is_event(follower, &changes[i]))
        i++;
    return i < count;
}

static enum kan_err gather_event(struct view_batch *batch,
                                 const struct engine_change *change)
{
    struct view_follower *follower = batch->follower;
    struct kan_slice key = slice_skip(change->key, follower->feed_key.size + 1);
    struct kan_slice id = view_entry_id(key);
    uint32_t before = batch->count;
    struct view_touched *touched;
    struct entity_event event;
    enum kan_err err;

    if (id.size == 0)
        return KAN_OK;
    err = entity_event_read(follower->host->entities,
                            buffer_slice(&follower->name), key, change->value,
                            change->version, follower->arguments, &event);
    if (err == KAN_OK)
        err = view_batch_touch(batch, id, &touched);
    if (batch->count > before)
        follower->queue_bytes += entity_bytes(follower);
    if (err)
        return err;
    err = view_add_event(touched, &event);
    if (err == KAN_CORRUPT)
        view_follower_anew(follower,
                           "an event is missing in what the feed "
                           "tells: all are counted again");
    return err;
}

enum kan_err view_gather(struct view_follower *follower, uint64_t revision,
                         const struct engine_change *changes, uint32_t count)
{
    struct view_batch *batch;
    enum kan_err err = KAN_OK;

    if (!any_event(follower, changes, count))
        return KAN_OK;
    batch = batch_open(follower);
    if (!batch)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count && err == KAN_OK; i++)
        if (is_event(follower, &changes[i]))
            err = gather_event(batch, &changes[i]);
    kan_assert(revision > batch->revision);
    batch->revision = revision;
    batch->commits++;
    return err;
}

struct view_batch *view_gather_take(struct view_follower *follower)
{
    struct list *link = list_pop(&follower->gathered);
    struct view_batch *batch = link ? batch_of(link) : NULL;

    if (batch)
        follower->queue_bytes -= batch->count * entity_bytes(follower);
    return batch;
}

bool view_gather_full(const struct view_follower *follower)
{
    return !list_empty(&follower->gathered) &&
           follower->gathered.next != follower->gathered.prev;
}
