/* writer.h - a group of commits, in one transaction. Runs on the writing lane;
 * knows no requests and no callbacks.
 *
 * A group is all or nothing on the disk, while each of its commits is all or
 * nothing by its guards: one that is refused leaves no trace among others. */

#ifndef SQLITE_WRITER_H
#define SQLITE_WRITER_H

#include "base/bytes.h"
#include "base/list.h"
#include "engine/engine.h"
#include "engine/sqlite/db.h"
#include "env/env.h"

enum
{
    SQLITE_MESSAGE_SIZE = 200,
    SQLITE_SWEEP_MAX = 256,       /* keys that one sweep deletes */
    SQLITE_IDS_MAX = 1 << 20,     /* commit ids known at once */
    SQLITE_DEDUPE_MS = 60 * 1000, /* how long an id is known */
    SQLITE_TRIM_MAX = 256         /* rows that one group takes from the feed */
};

/* One commit on its way, with all it needs in its own block. */
struct sqlite_commit
{
    struct list link;
    struct engine_commit *request; /* the loop's; NULL when nobody waits */
    size_t bytes;                  /* of keys and values */
    struct kan_slice id;
    struct engine_guard *guards;
    struct engine_write *writes;
    uint32_t guard_count;
    uint32_t write_count;

    enum kan_err err; /* out */
    uint32_t failed_guard;
    uint64_t revision;
    bool fresh; /* applied now, and not found by its id */
    bool begun; /* the loop's: part of a group */
};

/* What a transaction is made of, and what became of it. */
struct sqlite_group
{
    struct list commits;       /* in order */
    struct sqlite_clock clock; /* the group's instant */
    uint64_t stamp;            /* groups of this boot, up to this one */
    bool sweep;                /* in: delete what is due */

    enum kan_err err;   /* out: of the whole group */
    enum kan_err cause; /* with err: what went wrong, as KAN_IO */
    bool broken;        /* out: nothing more may be written */
    bool swept_all;     /* out: nothing more is due */
    uint64_t first;     /* out: of the revisions in body */
    uint64_t head;      /* out: the newest revision */
    struct buffer body; /* out: feed.h */
    uint64_t next_wall; /* out: no TTL ends before; UINT64_MAX: none is left */
    uint64_t next_now;  /* out: as next_wall, of leases */
    uint64_t log_bytes; /* out: size of the write-ahead log */
    char message[SQLITE_MESSAGE_SIZE];
};

struct sqlite_writer
{
    struct sqlite_db db;
    uint64_t feed_bytes_max;
    uint64_t boot;
    bool boot_written;
    uint64_t head;
    uint64_t feed_total; /* bytes of all bodies ever */
    uint64_t feed_gone;  /* of these, no longer kept */
    uint64_t id_count;
    uint64_t next_wall;
    uint64_t next_now;
    uint64_t log_frames; /* in the log after the last commit */
};

/* Read where the store stands; db is open and checked. A log that has grown
 * beyond log_bytes_max is cut to that when it begins again. */
KAN_MUST_USE int sqlite_writer_open(struct sqlite_writer *writer, uint64_t boot,
                                    uint64_t log_bytes_max);

/* Carry out a group. */
void sqlite_writer_run(struct sqlite_writer *writer,
                       struct sqlite_group *group);

/* Copy the log into the database, as far as readers allow; with reset, wait a
 * moment for them, so that it can begin again. KAN_OK also when some of it is
 * left; KAN_FULL; KAN_IO: nothing more may be written. */
KAN_MUST_USE enum kan_err sqlite_writer_checkpoint(struct sqlite_writer *writer,
                                                   bool reset, char *message);

#endif /* SQLITE_WRITER_H */
