/* reader.h - reads, many in one snapshot. Runs on the reading lane; knows no
 * requests and no callbacks. */

#ifndef SQLITE_READER_H
#define SQLITE_READER_H

#include "base/bytes.h"
#include "base/list.h"
#include "engine/engine.h"
#include "engine/sqlite/cache.h"
#include "engine/sqlite/db.h"
#include "engine/sqlite/writer.h"
#include "env/env.h"

enum sqlite_read_kind
{
    SQLITE_READ_GET,
    SQLITE_READ_SCAN,
    SQLITE_READ_FEED /* a page of the feed, for a watch */
};

enum
{
    SQLITE_GET_BYTES = 64 << 20, /* all values of one get */
    SQLITE_FEED_BYTES = 1 << 20, /* a page of the feed, at least one row */
    SQLITE_JOB_BYTES = 8 << 20,  /* after so much, a job ends */
    SQLITE_JOB_READS = 512,
    SQLITE_READ_MS = 5000 /* after so long, a read is cut off */
};

/* Where a read's snapshot stands. */
struct sqlite_snapshot
{
    uint64_t revision;
    uint64_t stamp;            /* 0: before the first group of this boot */
    struct sqlite_clock clock; /* of that group, or zero */
};

/* One read on its way. */
struct sqlite_read
{
    struct list link;
    enum sqlite_read_kind kind;
    void *owner; /* the loop's: a request or a watch; NULL: nobody waits */
    bool pooled; /* the next four are the loop's */
    bool begun;  /* the lane has it */
    bool hit;    /* answered from memory */
    uint64_t at_least;
    struct sqlite_clock clock; /* the instant it is asked for */
    uint32_t key_count;        /* GET */
    struct kan_slice *keys;
    struct sqlite_entry **entries; /* out, GET: one a key, yours */
    struct engine_item *items;     /* GET: room for key_count; the loop's */
    struct kan_slice prefix;       /* SCAN */
    struct kan_slice after;
    uint32_t limit;
    bool keys_only;
    uint64_t from; /* FEED: rows behind this revision */

    enum kan_err err; /* out */
    struct sqlite_snapshot snapshot;
    struct buffer bytes;    /* out, SCAN: keys and values; FEED: rows */
    struct buffer places;   /* out, SCAN: struct engine_item, whose slices are
                             * offsets until sqlite_read_settle() */
    uint32_t item_count;    /* out, SCAN */
    bool more;              /* out, SCAN and FEED */
    uint64_t compacted;     /* out, FEED: the newest revision lost */
    unsigned char memory[]; /* keys, prefix, after */
};

/* A page of the feed is rows: first u64, last u64, size u64, body. */
enum
{
    SQLITE_FEED_ROW = 24
};

struct sqlite_job
{
    struct list reads; /* in order */
    struct list done;  /* out: those that were reached */
    bool broken;       /* out: the file cannot be trusted */
    char message[SQLITE_MESSAGE_SIZE];
};

struct sqlite_reader
{
    struct sqlite_db db;
    struct env *env;
    uint64_t boot;
    uint64_t until_ms; /* of the wall: when the read under way is cut off */
};

void sqlite_reader_open(struct sqlite_reader *reader, struct env *env,
                        uint64_t boot);

/* Carry out a job. Each read that was reached has its err. */
void sqlite_reader_run(struct sqlite_reader *reader, struct sqlite_job *job);

/* Turn the offsets of a scan into slices. Once, by the loop. */
void sqlite_read_settle(struct sqlite_read *read);

/* Free what a read holds, not the read. */
void sqlite_read_fini(struct sqlite_read *read);

#endif /* SQLITE_READER_H */
