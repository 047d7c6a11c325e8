/* driver.h - the engine on its loop: what waits, what is under way, what is
 * known. sqlite.c opens and closes, commits.c and reads.c carry requests to
 * their lanes and back, watch.c reports. For this folder alone. */

#ifndef SQLITE_DRIVER_H
#define SQLITE_DRIVER_H

#include "engine/engine.h"
#include "engine/sqlite/cache.h"
#include "engine/sqlite/lock.h"
#include "engine/sqlite/reader.h"
#include "engine/sqlite/vfs.h"
#include "engine/sqlite/writer.h"

enum
{
    SQLITE_MAGIC = 0x73716c69,    /* "sqli" */
    SQLITE_GROUP_COMMITS = 512,   /* in one transaction */
    SQLITE_GROUP_BYTES = 4 << 20, /* the same; at least one commit */
    SQLITE_SWEEP_MS = 500,        /* half of what expiry is swept within */
    SQLITE_IDLE_MS = 1000,        /* without a commit: the log is copied */
    SQLITE_POOL_BLOCK = 640,      /* bytes: a read of a few keys fits */
    SQLITE_POOL_BLOCKS = 64
};

/* What the writing lane is doing. */
enum sqlite_writing
{
    SQLITE_WRITING_NOTHING,
    SQLITE_WRITING_GROUP,
    SQLITE_WRITING_CHECKPOINT
};

struct sqlite
{
    struct engine engine;
    unsigned magic;
    struct sqlite_vfs vfs;
    struct sqlite_lock lock;
    uint64_t opened_ns;
    bool broken;
    struct engine_stats stats;

    /* commits.c */
    struct env_lane *write_lane;
    struct env_work write_work;
    struct env_task write_kick;
    enum sqlite_writing writing;
    struct sqlite_writer writer;   /* the lane's while writing */
    struct list commits;           /* that wait, struct sqlite_commit */
    struct sqlite_group groups[2]; /* one under way, one being answered */
    struct sqlite_group *group;    /* the one under way, or the last */
    uint64_t stamp;                /* groups begun */
    uint64_t applied;              /* groups ended: what the loop knows */
    struct env_timer sweep_timer;
    bool sweep_due;
    uint64_t next_wall; /* when to sweep next; UINT64_MAX: never */
    uint64_t next_now;
    struct env_timer idle_timer;
    uint64_t wrote_ns;  /* the last group's end */
    uint64_t log_bytes; /* in the log, and not copied */
    uint64_t log_size;  /* of the log after the last group */
    uint64_t checkpoint_bytes;
    uint64_t checkpoint_at; /* log_bytes that starts the next one */
    bool checkpoint_reset;
    enum kan_err checkpoint_err; /* out of the lane */
    char checkpoint_message[SQLITE_MESSAGE_SIZE];

    /* reads.c */
    struct env_lane *read_lane;
    struct env_work read_work;
    struct env_task read_kick;
    bool reading;
    struct sqlite_reader reader; /* the lane's while reading */
    struct sqlite_job job;
    struct list reads; /* that wait, struct sqlite_read */
    struct list held;  /* read, of groups that the loop was not told of yet */
    struct list ahead; /* of revisions still to come */
    struct sqlite_cache cache;
    void *pool; /* free blocks, chained by their first word */
    uint32_t pool_count;

    /* watch.c */
    struct list watches;   /* struct sqlite_watch */
    struct buffer changes; /* scratch: struct engine_change */
    struct buffer chosen;

    bool closing;
    void *close_data;
    env_close_cb *close_cb;
};

struct sqlite *sqlite_of(struct engine *engine);

/* What time requests are judged at: while a group is under way, its instant, so
 * that nothing is seen to expire that the group may be renewing. */
struct sqlite_clock sqlite_clock(struct sqlite *sqlite);

/* Answer a request that could not begin, soon, with err. */
void sqlite_refuse(struct sqlite *sqlite, struct engine_request *request,
                   enum kan_err err);

/* Nothing can be trusted any more: answer what waits with KAN_IO. */
void sqlite_break(struct sqlite *sqlite, const char *message);

/* Go on closing, when nothing is under way any more. */
void sqlite_close_next(struct sqlite *sqlite);

/* commits.c */
void sqlite_commits_init(struct sqlite *sqlite);
void sqlite_commits_fini(struct sqlite *sqlite);
void sqlite_commit(struct engine *engine, struct engine_commit *request);
void sqlite_commit_cancel(struct sqlite *sqlite, struct engine_request *request,
                          enum kan_err err);
void sqlite_commits_fail(struct sqlite *sqlite, enum kan_err err);
void sqlite_commits_arm(struct sqlite *sqlite);

/* reads.c */
void sqlite_reads_init(struct sqlite *sqlite);
void sqlite_reads_fini(struct sqlite *sqlite);
void sqlite_get(struct engine *engine, struct engine_get *get);
void sqlite_scan(struct engine *engine, struct engine_scan *scan);
void sqlite_read_cancel(struct sqlite *sqlite, struct engine_request *request,
                        enum kan_err err);
void sqlite_reads_fail(struct sqlite *sqlite, enum kan_err err);
void sqlite_reads_moved(struct sqlite *sqlite);

/* A page of the feed behind revision from, for watch.c; NULL: out of memory.
 * It comes back by sqlite_watch_page(), with its owner. */
struct sqlite_read *sqlite_read_feed(struct sqlite *sqlite, void *owner,
                                     uint64_t from);
void sqlite_read_free(struct sqlite *sqlite, struct sqlite_read *read);

/* watch.c */
void sqlite_watches_init(struct sqlite *sqlite);
void sqlite_watches_fini(struct sqlite *sqlite);
void sqlite_watch(struct engine *engine, struct engine_watch *watch);
void sqlite_watch_cancel(struct sqlite *sqlite, struct engine_request *request,
                         enum kan_err err);
void sqlite_watches_fail(struct sqlite *sqlite, enum kan_err err);
void sqlite_watches_group(struct sqlite *sqlite,
                          const struct sqlite_group *group);
void sqlite_watch_page(struct sqlite *sqlite, struct sqlite_read *read);

#endif /* SQLITE_DRIVER_H */
