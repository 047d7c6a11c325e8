/* view_host.h - the inside of the view block: the host and its readers
 * (view.c), a follower of one type's events (view_follow.c) with what it hears
 * of them (view_queue.c, view_gather.c, view_mark.c) and what it cleans up
 * (view_clean.c), and a batch of events as it is counted (view_batch.c,
 * view_add.c, view_fold.c, view_commit.c, which share view_batch.h).
 *
 * Under the host's prefix, the type and a zero byte:
 *
 *     p MEANING                 where the follower of that meaning stands, with
 *                               the totals that are added up
 *     d MEANING GENERATION
 *       c ID                    what the entity gives to each column
 *       x COLUMN ORDER ID       the index of a column; of LAST with the value
 *
 * MEANING is 16 bytes, of what the views mean; GENERATION 8, larger with each
 * beginning from nothing. A batch of events is counted in one commit of all of
 * these, guarded on p.
 *
 * A follower that begins from nothing reads all events in the order of their
 * keys, page by page, and meanwhile follows the feed: an event of the feed is
 * counted when the pages have passed its key, and dropped when they are still
 * to come to it. Events have numbers, so what is seen twice is counted once.
 * Later nothing is seen twice: events are then added up by entity as they are
 * heard, and what waits to be counted is as much as the entities, however many
 * events there were. */

#ifndef BLOCK_VIEW_VIEW_HOST_H
#define BLOCK_VIEW_VIEW_HOST_H

#include "base/map.h"
#include "block/view/view.h"
#include "block/view/view_core.h"

enum
{
    VIEW_KEEP_MS = 100,   /* what waits so long is counted and kept */
    VIEW_KEEP_TIMES = 5,  /* so many times that, after a batch of many commits:
                          * then fewer batches cover the same entities */
    VIEW_MANY = 256,      /* commits */
    VIEW_AGAIN_MS = 1000, /* what failed is tried again, at most */
    VIEW_ENTITIES_MAX = 960, /* in a commit: its keys are one get */
    VIEW_GATHER_MAX = 4096,  /* entities added up together */
    VIEW_PART_MAX = 128,     /* of these in a commit: about a millisecond */
    VIEW_PAGE_MAX = 256,     /* of a scan */
    VIEW_BATCH_BYTES_MAX = 2 << 20, /* of events */
    VIEW_QUEUE_COMMITS_MAX = 32768, /* of the feed, not yet counted; then it */
    VIEW_QUEUE_BYTES_MAX = 4 << 20, /* is left, and entered again later */
    VIEW_READS_MAX = 32,            /* of states, at the same time */
    VIEW_READERS_MAX = 65536,
    VIEW_BACKOFF_MS = 20,
    VIEW_BACKOFF_MAX_MS = 5000,
    VIEW_NUDGE_MS = 20, /* until a reader who waits for a revision of which
                         * the feed says nothing has a mark written into it */
    VIEW_HASH_SIZE = 16
};

/* Events of one commit, or of one page, as they were kept. */
struct view_events
{
    struct list link;
    uint64_t revision;
    uint32_t count;
    struct buffer bytes; /* count times: struct view_event_head, key, value */
};

struct view_event_head
{
    uint64_t revision;
    uint32_t key_size;
    uint32_t value_size;
};

struct view_batch;

enum view_phase
{
    VIEW_LOADING, /* its place is being read */
    VIEW_WORKING, /* see busy */
    VIEW_RESTING, /* after a failure, until a timer */
    VIEW_FROZEN   /* of an older contract: it shows what it has */
};

struct view_follower
{
    struct view_host *host;
    struct list link;
    struct contract *contract;
    uint32_t type;                 /* in the contract */
    struct buffer name;            /* of the type */
    const struct program *program; /* its newest version */
    uint32_t column_count;
    struct program_column *columns;
    bool of_state; /* a column of entities is among them */
    uint32_t ordered_count;
    void *arguments; /* room for those of any event */
    void *states[2]; /* room for any state, twice */
    bool *told;      /* by column: room for what an event says */
    int64_t *told_values;
    uint8_t meaning[VIEW_HASH_SIZE];

    struct buffer feed_key; /* what all keys of the type begin with */
    struct buffer place_key;
    struct buffer data_key; /* of this generation */
    struct buffer mark_key;

    enum view_phase phase;
    bool busy;     /* a piece of the work is under way */
    bool stopping; /* it ends when nothing is under way */
    bool anew;     /* what is kept is of no use any more */
    bool cleaned;  /* what older meanings left is gone */
    char cleaning; /* the sort of keys that is looked through */
    struct buffer clean_after;
    uint32_t failures;
    struct view_place place; /* after and totals are not used */
    uint64_t place_version;  /* 0: there is none */
    struct buffer after;
    struct view_part *totals;
    struct buffer *lasts; /* of each column: LAST's value */
    bool *dirty;          /* the first of the index is to be found */

    bool readable;
    uint64_t as_of;
    struct view_part *shown;
    struct buffer *shown_lasts;

    struct engine_watch watch;
    bool watching;
    bool watch_ending;
    struct list queue;    /* struct view_events, as they were heard */
    struct list gathered; /* struct view_batch, of what was heard behind them */
    uint32_t queue_commits;
    size_t queue_bytes;   /* of both */
    uint64_t queued;      /* the revision up to which the two hold all */
    enum kan_err spoiled; /* gathering failed: all of it is heard again */

    struct engine_get get;
    struct engine_scan scan;
    struct engine_commit commit;
    uint32_t looking; /* for the first of this column */
    struct view_batch *batch;
    uint32_t batch_max;     /* entities in a commit */
    bool many;              /* the last batch was of many commits */
    struct env_task task;   /* the next piece of work */
    struct env_timer timer; /* to keep, or to go on after a rest */
    struct env_timer nudge;
    uint32_t nudges;
    bool marking; /* mark, or ask, is under way */
    bool asking;  /* it is ask */
    struct engine_commit mark;
    struct engine_get ask;
    bool due;            /* keep_ms have passed since something waits */
    struct list readers; /* struct view_read */
};

struct view_host
{
    unsigned magic;
    struct env *env;
    struct engine *engine;
    struct entity_host *entities;
    struct hash_seed seed;
    struct buffer prefix;
    uint64_t keep_ms;
    void *data;
    entity_trouble_cb *trouble;
    struct list followers; /* frozen ones too */
    struct list answering; /* reads whose answer is on its way */
    uint32_t reader_count;
    struct env_timer timer; /* a reload that found no memory */
    bool closing;
    struct env_task close_task;
    void *close_data;
    env_close_cb *close_cb;
};

/* --- view.c --------------------------------------------------------------- */

/* The follower shows more than before: answer who waited for it. */
void view_host_shown(struct view_follower *follower);

/* It is readable for the first time: older ones of its type go. */
void view_host_switch(struct view_follower *follower);
void view_host_trouble(struct view_host *host, const char *type,
                       const char *what);
/* A follower has come to its end, and is gone. */
void view_host_gone(struct view_host *host);

/* --- view_follow.c -------------------------------------------------------- */

/* Follow a type of the contract, which has views over all. KAN_NOMEM. */
KAN_MUST_USE enum kan_err view_follower_new(struct view_host *host,
                                            struct contract *contract,
                                            uint32_t type,
                                            struct view_follower **ret);
/* What its views mean: 16 bytes. */
void view_meaning(const struct contract *contract, uint32_t type,
                  uint8_t out[VIEW_HASH_SIZE]);

/* It ends when nothing is under way: then view_host_gone(). */
void view_follower_stop(struct view_follower *follower);
/* As stop(), of one that has done nothing yet: it is gone at once. */
void view_follower_drop(struct view_follower *follower);
/* It does no more, and shows what it has. */
void view_follower_freeze(struct view_follower *follower);

/* A reader waits, or the feed said something: see at once what is next. */
void view_follower_hurry(struct view_follower *follower);

/* The work that was under way has ended: on with the next. On err it is begun
 * again from its place, later. */
void view_follower_done(struct view_follower *follower, enum kan_err err);

/* What is kept of it is not right: begin from nothing. */
void view_follower_anew(struct view_follower *follower, const char *why);

/* Append a key of the views of this type. */
void view_own_key(const struct view_follower *follower, char sort,
                  struct buffer *out);

/* --- view_queue.c --------------------------------------------------------- */

/* Hear the feed, from behind what is queued. KAN_COMPACTED: that is gone. */
KAN_MUST_USE enum kan_err view_queue_enter(struct view_follower *follower);
/* Hear no more of it; `watching` until it has ended. What is queued stays. */
void view_queue_leave(struct view_follower *follower);
/* The oldest commits as one, for as many as fit a batch: yours, free them with
 * view_events_free(). The queue is not empty. */
struct view_events *view_queue_take(struct view_follower *follower);
/* Nothing waits to be counted. */
bool view_queue_empty(const struct view_follower *follower);
void view_queue_clear(struct view_follower *follower);

/* --- view_gather.c -------------------------------------------------------- */

/* Whether events are to be gathered, and not queued. */
bool view_gathers(const struct view_follower *follower);
/* Add the events of a commit up. After an error what was gathered is spoiled.
 * KAN_CORRUPT: an event is missing, or cannot be read; KAN_NOMEM. */
KAN_MUST_USE enum kan_err view_gather(struct view_follower *follower,
                                      uint64_t revision,
                                      const struct engine_change *changes,
                                      uint32_t count);
/* The oldest batch, yours; NULL: none is gathered. */
struct view_batch *view_gather_take(struct view_follower *follower);
/* More than one batch waits: the first of them grows no more. */
bool view_gather_full(const struct view_follower *follower);

/* --- view_mark.c, view_clean.c -------------------------------------------- */

/* See, a little later, whether somebody waits for a mark. */
void view_nudge_later(struct view_follower *follower);

/* Delete a page of what is of no use any more. Ends by view_follower_done(). */
void view_clean(struct view_follower *follower);

/* --- view_batch.c --------------------------------------------------------- */

void view_events_add(struct view_events *events, uint64_t revision,
                     struct kan_slice key, struct kan_slice value);
/* Put the ids of entities into the set; false: they do not all fit. */
KAN_MUST_USE bool view_events_ids(const struct view_events *events,
                                  struct map *seen);
struct view_events *view_events_free(struct view_events *events);
/* Of the batch that the follower counts, if there is one. */
void view_batch_free(struct view_follower *follower);

/* --- view_fold.c ---------------------------------------------------------- */

/* Count the events, which are given; then the follower stands at `becomes`.
 * Scanned ones are all counted, those of the feed as far as the pages have
 * passed them. Ends by view_follower_done(). */
void view_fold(struct view_follower *follower, struct view_events *events,
               const struct view_place *becomes, bool scanned);
/* The same of a gathered batch. */
void view_fold_gathered(struct view_follower *follower,
                        struct view_batch *batch,
                        const struct view_place *becomes);

/* --- view_commit.c -------------------------------------------------------- */

/* Find the first of each index that is dirty. Ends by view_follower_done(). */
void view_find(struct view_follower *follower);

#endif /* BLOCK_VIEW_VIEW_HOST_H */
