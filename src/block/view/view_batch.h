/* view_batch.h - a batch of events on its way into the totals: which entities
 * it touches (view_batch.c), what they give once its events are added
 * (view_add.c, view_fold.c), and the commit of that (view_commit.c).
 *
 * The events of pages, and those heard while pages are read, are added to what
 * is kept of their entities. Those heard later are added up as they are heard
 * (view_gather.c), and what that gives is joined to what is kept. */

#ifndef BLOCK_VIEW_VIEW_BATCH_H
#define BLOCK_VIEW_VIEW_BATCH_H

#include "base/arena.h"
#include "block/view/view_host.h"

/* An entity with events in the batch. */
struct view_touched
{
    struct view_batch *batch;
    struct kan_slice id; /* the batch's */
    bool had;            /* parts are kept of it */
    bool alive;
    bool changed;
    bool anew;      /* what it gave before the batch is gone */
    uint64_t first; /* gathered: the number of its first event; 0: it was
                     * erased, or has none */
    uint64_t n;     /* of the last event that is counted; 0: none is known */
    struct buffer columns; /* of that event: what its state gives */
    struct program_input input;
    struct view_part *old;
    struct view_part *now;
    struct buffer *lasts; /* by column; NULL when there is no LAST */
    struct entity_read read;
};

struct view_batch
{
    struct view_follower *follower;
    struct list link;           /* gathered: in the follower's queue of them */
    struct view_events *events; /* NULL: gathered */
    uint64_t revision;          /* gathered: of the last commit */
    uint32_t commits;           /* gathered */
    struct arena arena;         /* ids and parts */
    struct view_place becomes;
    struct buffer after;
    bool scanned;
    struct view_touched *touched;
    struct map places; /* of an id in touched, plus 1 */
    uint32_t count;
    uint32_t capacity;
    uint32_t from; /* the part of touched that is counted in one commit */
    uint32_t to;
    uint32_t next_read;
    uint32_t reading;
    enum kan_err err; /* of the reads */
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

/* The id in a key of an event; empty when it is none. */
struct kan_slice view_entry_id(struct kan_slice key);

/* A batch of nothing, or NULL. */
struct view_batch *view_batch_new(struct view_follower *follower);

/* The entity of the batch with this id, made when there is none. KAN_NOMEM. */
KAN_MUST_USE enum kan_err view_batch_touch(struct view_batch *batch,
                                           struct kan_slice id,
                                           struct view_touched **ret_touched);

/* The events, which are given, are those of the batch: touch all that they are
 * of. KAN_NOMEM. */
KAN_MUST_USE enum kan_err view_batch_events(struct view_batch *batch,
                                            struct view_events *events);

/* Nothing more is touched; when it is counted the follower stands at becomes.
 * KAN_NOMEM. */
KAN_MUST_USE enum kan_err view_batch_close(struct view_batch *batch,
                                           const struct view_place *becomes);

/* Where the follower stands once this part is counted. What lies between its
 * old place and what a part has seen is then counted by the events' numbers. */
struct view_place view_batch_place(const struct view_batch *batch);

/* The entity of the event with this key; NULL: it is not of this batch, as the
 * pages are still to come to it. */
struct view_touched *view_batch_find(const struct view_batch *batch,
                                     struct kan_slice key);

/* NULL is ignored. */
void view_batch_drop(struct view_batch *batch);

/* --- view_add.c ----------------------------------------------------------- */

/* Add an event to what its entity gives. One that was counted before does
 * nothing. KAN_CORRUPT when an event is missing before this one, KAN_NOMEM. */
KAN_MUST_USE enum kan_err view_add_event(struct view_touched *touched,
                                         const struct entity_event *event);

/* Join what was gathered to what is kept of its entity (old, up to event n).
 * KAN_CORRUPT: they do not follow each other. */
KAN_MUST_USE enum kan_err view_add_kept(struct view_touched *touched,
                                        uint64_t n);

/* --- view_fold.c ---------------------------------------------------------- */

/* Count the next part, when there is one. */
void view_fold_part(struct view_batch *batch);

/* --- view_commit.c -------------------------------------------------------- */

/* Write what has changed, and find what is first by then. Ends by
 * view_follower_done(). */
void view_commit(struct view_batch *batch);

#endif /* BLOCK_VIEW_VIEW_BATCH_H */
