/* kept.h - bytes that are kept once each, by content, and known by a number.
 *
 * Numbers begin at 0 and are given in the order of first sight. An item never
 * moves and never changes, so reading one takes no lock: a thread knows a
 * number only after the thread that made it has handed it over. */

#ifndef CHECK_SPACE_KEPT_H
#define CHECK_SPACE_KEPT_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "path/id/id.h"

enum
{
    KEPT_CHUNK_BITS = 12, /* items allocated together: 4,096 */
    KEPT_CHUNKS = 1 << 14 /* hence at most 2^26 items */
};

/* What the tables and caches of one space may take together. */
struct kept_budget
{
    atomic_ullong bytes;
    uint64_t bytes_max; /* 0: no limit */
};

/* Take size bytes of the budget. KAN_NOMEM when there are fewer. */
KAN_MUST_USE enum kan_err kept_take(struct kept_budget *budget, uint64_t size);
void kept_give(struct kept_budget *budget, uint64_t size);

struct kept_item
{
    struct path_id hash;
    const uint8_t *bytes; /* aligned to 16 */
    uint32_t size;
    uint32_t note; /* of whoever keeps it; not part of the content */
};

struct kept
{
    struct kept_budget *budget;
    atomic_flag busy; /* a lock that is held for less than a microsecond */
    uint32_t count;
    uint32_t index_size; /* a power of two, or 0 */
    uint32_t *index;     /* open addressing: 0, or number + 1 */
    uint8_t *block;      /* bytes of items, the newest block */
    size_t block_left;
    void *blocks; /* all of them, linked */
    struct kept_item *chunks[KEPT_CHUNKS];
};

/* An empty table. Yours: kept_free(). KAN_NOMEM. budget is borrowed until
 * then. */
KAN_MUST_USE enum kan_err kept_new(struct kept_budget *budget,
                                   struct kept **ret_kept);
struct kept *kept_free(struct kept *kept);

/* The number of the item with these bytes (copied when they are new) and this
 * hash of them. note counts for a new item only. KAN_NOMEM, also when the table
 * is full. Any thread. */
KAN_MUST_USE enum kan_err kept_number(struct kept *kept, struct path_id hash,
                                      struct kan_slice bytes, uint32_t note,
                                      uint32_t *ret_number);

/* Items so far. Any thread. */
uint32_t kept_count(struct kept *kept);

static inline const struct kept_item *kept_at(const struct kept *kept,
                                              uint32_t number)
{
    return &kept->chunks[number >> KEPT_CHUNK_BITS]
                        [number & ((1u << KEPT_CHUNK_BITS) - 1)];
}

/* --- a map from numbers to numbers ---------------------------------------- */

/* Of one thread: open addressing, at most half full. */
struct kept_memo
{
    struct kept_budget *budget;
    uint64_t *keys; /* 0: empty; key + 1 */
    uint32_t *values;
    uint32_t size; /* a power of two, or 0 */
    uint32_t count;
};

void kept_memo_fini(struct kept_memo *memo);

/* Set a key (not UINT64_MAX) that is not there. KAN_NOMEM. */
KAN_MUST_USE enum kan_err kept_memo_set(struct kept_memo *memo, uint64_t key,
                                        uint32_t value);

/* Spreads keys over a table: the factor is 2^64 over the golden ratio (Knuth,
 * TAOCP 3, section 6.4). */
static inline uint64_t kept_spread(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15;
    return key ^ key >> 32;
}

static inline bool kept_memo_get(const struct kept_memo *memo, uint64_t key,
                                 uint32_t *ret_value)
{
    if (memo->size == 0)
        return false;
    for (uint32_t at = (uint32_t)kept_spread(key);; at++) {
        at &= memo->size - 1;
        if (memo->keys[at] == key + 1) {
            *ret_value = memo->values[at];
            return true;
        }
        if (memo->keys[at] == 0)
            return false;
    }
}

#endif /* CHECK_SPACE_KEPT_H */
