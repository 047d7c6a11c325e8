/* The queue of the feed: what a follower has heard of its type's events and not
 * counted yet. When it is full the feed is left, and entered again behind what
 * was heard. */

#include "base/alloc.h"
#include "block/view/view_batch.h"

/* --- the queue ------------------------------------------------------------ */

/* Keep the events of a commit for the next batch. false: no memory. */
static bool queue_commit(struct view_follower *follower, uint64_t revision,
                         const struct engine_change *changes, uint32_t count)
{
    size_t head = follower->feed_key.size + 1;
    struct view_events *events = mem_zalloc(sizeof(*events));

    if (!events)
        return false;
    events->revision = revision;
    for (uint32_t i = 0; i < count; i++)
        if (changes[i].kind == ENGINE_CHANGE_PUT &&
            changes[i].key.size > head &&
            slice_at(changes[i].key, head - 1) == 'e')
            view_events_add(events, revision, slice_skip(changes[i].key, head),
                            changes[i].value);
    if (buffer_failed(&events->bytes)) {
        view_events_free(events);
        return false;
    }
    if (events->count == 0) {
        view_events_free(events);
        return true;
    }
    list_push(&follower->queue, &events->link);
    follower->queue_commits++;
    follower->queue_bytes += events->bytes.size;
    return true;
}

struct view_events *view_queue_take(struct view_follower *follower)
{
    struct view_events *events =
        list_entry(list_pop(&follower->queue), struct view_events, link);
    uint32_t commits = 1;
    struct list *link;
    struct map seen;
    bool room;

    map_init(&seen, follower->host->seed, follower->batch_max);
    follower->queue_commits--;
    follower->queue_bytes -= events->bytes.size;
    room = view_events_ids(events, &seen);
    while (room && (link = list_first(&follower->queue)) != NULL) {
        struct view_events *next = list_entry(link, struct view_events, link);
        if (events->bytes.size + next->bytes.size > VIEW_BATCH_BYTES_MAX ||
            !view_events_ids(next, &seen) ||
            buffer_reserve(&events->bytes, next->bytes.size))
            break;
        list_remove(&next->link);
        follower->queue_commits--;
        follower->queue_bytes -= next->bytes.size;
        buffer_append(&events->bytes, buffer_slice(&next->bytes));
        events->count += next->count;
        events->revision = next->revision;
        view_events_free(next);
        commits++;
    }
    map_fini(&seen);
    follower->many = commits >= VIEW_MANY;
    return events;
}

bool view_queue_empty(const struct view_follower *follower)
{
    return list_empty(&follower->queue) && list_empty(&follower->gathered);
}

void view_queue_clear(struct view_follower *follower)
{
    struct view_batch *batch;
    struct list *link;

    while ((link = list_pop(&follower->queue)) != NULL)
        view_events_free(list_entry(link, struct view_events, link));
    while ((batch = view_gather_take(follower)) != NULL)
        view_batch_drop(batch);
    follower->spoiled = KAN_OK;
    follower->queue_commits = 0;
    follower->queue_bytes = 0;
}

/* --- the feed ------------------------------------------------------------- */

void view_queue_leave(struct view_follower *follower)
{
    if (!follower->watching || follower->watch_ending)
        return;
    follower->watch_ending = true;
    engine_cancel(&follower->watch.request);
}

static void watch_ended(struct view_follower *follower, enum kan_err err)
{
    follower->watching = false;
    follower->watch_ending = false;
    if (err == KAN_COMPACTED)
        view_follower_anew(follower, NULL);
    else if (err != KAN_CANCELED && !follower->busy &&
             follower->phase == VIEW_WORKING)
        view_follower_done(follower, err);
    view_follower_hurry(follower);
}

static void on_watch(struct engine_watch *watch, enum kan_err err,
                     uint64_t revision, const struct engine_change *changes,
                     uint32_t change_count)
{
    struct view_follower *follower = watch->request.data;

    if (err) {
        watch_ended(follower, err);
        return;
    }
    if (follower->watch_ending)
        return;
    if (view_gathers(follower)) {
        follower->spoiled =
            view_gather(follower, revision, changes, change_count);
        if (follower->spoiled) {
            view_queue_leave(follower);
            view_follower_hurry(follower);
            return;
        }
    } else if (!queue_commit(follower, revision, changes, change_count)) {
        view_queue_leave(follower); /* and enter again behind what is queued */
        return;
    }
    follower->queued = revision;
    if (follower->queue_commits >= VIEW_QUEUE_COMMITS_MAX ||
        follower->queue_bytes >= VIEW_QUEUE_BYTES_MAX)
        view_queue_leave(follower);
    view_follower_hurry(follower);
}

enum kan_err view_queue_enter(struct view_follower *follower)
{
    struct engine_watch *watch = &follower->watch;
    enum kan_err err;

    memset(watch, 0, sizeof(*watch));
    watch->request.data = follower;
    watch->prefix = buffer_slice(&follower->feed_key);
    watch->from.store = follower->place.store;
    watch->from.incarnation = follower->place.incarnation;
    watch->from.revision = follower->queued;
    err = engine_watch(follower->host->engine, watch, on_watch);
    follower->watching = err == KAN_OK;
    return err;
}
