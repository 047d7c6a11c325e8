/* view_batch.h - a batch of events on its way into the totals: which entities
 * it touches (view_batch.c), what they give once its events are added
 * (view_fold.c), and the commit of that (view_commit.c). */

#ifndef BLOCK_VIEW_VIEW_BATCH_H
#define BLOCK_VIEW_VIEW_BATCH_H

#include "block/view/view_host.h"

/* An entity with events in the batch. */
struct view_touched
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
    struct view_touched *touched;
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
    struct buffer writes; /* see view_commit.c */
    struct engine_write *commit_writes;
};

/* An event, of the bytes of view_events. */
struct view_entry
{
    uint64_t revision;
    struct kan_slice key;
    struct kan_slice value;
};

/* --- view_batch.c --------------------------------------------------------- */

/* Take one from the head of *rest; false at the end. */
bool view_entry_next(struct kan_slice *rest, struct view_entry *ret_entry);

/* As view_fold(): give the follower a batch with all that the events touch, of
 * which nothing is read yet. The events are given on failure too, and what was
 * made of the batch is for view_batch_free(). KAN_NOMEM. */
KAN_MUST_USE enum kan_err view_batch_new(struct view_follower *follower,
                                         struct view_events *events,
                                         const struct view_place *becomes,
                                         bool scanned);

/* The entity of the event with this key; NULL: it is not of this batch, as the
 * pages are still to come to it. */
struct view_touched *view_batch_find(const struct view_batch *batch,
                                     struct kan_slice key);

/* --- view_commit.c -------------------------------------------------------- */

/* Write what has changed, and find what is first by then. Ends by
 * view_follower_done(). */
void view_commit(struct view_batch *batch);

#endif /* BLOCK_VIEW_VIEW_BATCH_H */
