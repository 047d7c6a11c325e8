/* feed.h - how the change feed is written: one record a commit, one body a
 * group of commits with consecutive revisions. Pure.
 *
 * body = record*
 * record = count u32, change{count}
 * change = kind u8, key size u32, value size u32, created u64, key, value
 * Numbers are big endian. */

#ifndef SQLITE_FEED_H
#define SQLITE_FEED_H

#include <kan/base.h>

#include "base/bytes.h"
#include "engine/engine.h"

/* Begin a record at the end of body; ret_mark names it for feed_finish(). */
size_t sqlite_feed_begin(struct buffer *body);

/* Add a change. The key is key, followed by tail. */
void sqlite_feed_add(struct buffer *body, const struct engine_change *change,
                     struct kan_slice tail);

/* End the record; with no changes it is taken back. */
void sqlite_feed_finish(struct buffer *body, size_t mark, uint32_t count);

/* Reads a body from its start. */
struct sqlite_feed_reader
{
    struct kan_slice rest;
    uint64_t revision; /* of the record read last */
    uint32_t left;     /* of its changes */
};

/* first is the revision of the first record. */
void sqlite_feed_open(struct sqlite_feed_reader *reader, struct kan_slice body,
                      uint64_t first);

/* Go to the next record; the changes of the last one must have been read.
 * KAN_END behind the last, KAN_CORRUPT. */
KAN_MUST_USE enum kan_err sqlite_feed_record(struct sqlite_feed_reader *reader,
                                             uint32_t *ret_count);

/* The next change of the record; its slices point into the body. KAN_END,
 * KAN_CORRUPT. */
KAN_MUST_USE enum kan_err sqlite_feed_change(struct sqlite_feed_reader *reader,
                                             struct engine_change *ret_change);

#endif /* SQLITE_FEED_H */
