/* visited.h - the set of states a walk has seen, at 10 bytes a state.
 *
 * A state is known by its 128-bit hash, of which 74 bits are kept: 64 stored
 * as a tag, 10 told by where the tag stands. Two states whose 74 bits are equal
 * are taken for one, so a walk may omit states: visited_omission() says how
 * likely. Nothing is ever taken out. visited.c says how it works. */

#ifndef CHECK_WALK_VISITED_H
#define CHECK_WALK_VISITED_H

#include <kan/base.h>

enum
{
    VISITED_UNIT_BITS = 10,
    VISITED_UNITS = 1 << VISITED_UNIT_BITS,
    VISITED_GROUPS = 16,
    VISITED_BITS = 64 + VISITED_UNIT_BITS, /* kept of a hash */
    VISITED_LINE_TAGS = 8                  /* one cache line */
};

/* The hash of a state, all bits well mixed. Hashes that are not stay apart, but
 * cost time when they share their high halves, which choose the unit. */
struct visited_hash
{
    uint64_t low;
    uint64_t high;
};

/* Some lines of a table, with count tags. An add that would pass count_max
 * makes the table grow. */
struct visited_unit
{
    uint64_t *line;
    uint32_t lines;
    uint32_t count;
    uint32_t count_max;
};

/* A table: 64 units, without gaps. */
struct visited_group
{
    void *block;
    uint64_t lines;
};

/* A set. Read it with the functions below only. */
struct visited
{
    uint64_t memory_max;
    uint32_t line_words; /* 8 tags, and 8 payloads behind them or none */
    struct visited_unit units[VISITED_UNITS];
    struct visited_group groups[VISITED_GROUPS];
};

/* --- life cycle ----------------------------------------------------------- */

/* An empty set that never takes more than memory_max bytes, which includes what
 * growth needs for a moment. Each state has payload_size bytes of payload: 0,
 * or 8 for a uint64_t. Starts with 280 KiB, or 540 KiB with payloads.
 * KAN_NOMEM leaves nothing to free. Free it with visited_fini(). */
KAN_MUST_USE enum kan_err visited_init(struct visited *ret_set,
                                       uint32_t payload_size,
                                       uint64_t memory_max);

/* Free the memory. A zeroed set is fine. */
void visited_fini(struct visited *set);

/* --- one thread ----------------------------------------------------------- */

/* Make room for states more, if their hashes are spread evenly, and for one
 * more in each unit in any case. KAN_NOMEM, when memory_max or the heap is used
 * up; all states are still there. */
KAN_MUST_USE enum kan_err visited_reserve(struct visited *set, uint64_t states);

/* The 74 bits that are kept: the unit, and a tag that is not 0 (an empty slot
 * is; the one tag that is 0 becomes another). For one half of the hash fixed,
 * both steps are bijections of the other half, so halves that are equal or
 * sequential make no states equal. The factor is 2^64 over the golden ratio:
 * it spreads sequences (Knuth, TAOCP 3, section 6.4). */
static inline uint32_t visited_mix(struct visited_hash hash, uint64_t *ret_tag)
{
    const uint64_t golden = 0x9e3779b97f4a7c15;
    uint64_t high = hash.high * golden;
    uint64_t tag = (hash.low ^ high) * golden;
    *ret_tag = tag ? tag : UINT64_MAX;
    return (uint32_t)(high >> (64 - VISITED_UNIT_BITS));
}

/* As visited_slot(), of a tag whose two lines are full. */
uint64_t *visited_overflow(const struct visited *set,
                           const struct visited_unit *unit, uint64_t tag);

/* The two lines of a unit where a tag may stand (Lemire, "Fast random integer
 * generation in an interval", 2019: a product in place of a modulus). */
static inline uint32_t visited_home(uint32_t lines, uint64_t tag)
{
    return (uint32_t)((tag >> 32) * lines >> 32);
}

static inline uint32_t visited_other(uint32_t lines, uint64_t tag)
{
    return (uint32_t)((tag & UINT32_MAX) * lines >> 32);
}

static inline uint64_t *visited_line(const struct visited *set,
                                     const struct visited_unit *unit,
                                     uint32_t at)
{
    return unit->line + (uint64_t)at * set->line_words;
}

/* Have the processor fetch what visited_add(hash) will read. Prefetch all
 * successors of a state, then add them: the waits overlap. It must be inlined:
 * gcc takes a call that only prefetches for one without effect. */
__attribute__((always_inline)) static inline void visited_prefetch(
    const struct visited *set, struct visited_hash hash)
{
    uint64_t tag;
    const struct visited_unit *unit = &set->units[visited_mix(hash, &tag)];
    uint32_t lines = unit->lines;
    __builtin_prefetch(visited_line(set, unit, visited_home(lines, tag)), 1);
    __builtin_prefetch(visited_line(set, unit, visited_other(lines, tag)), 1);
}

/* The slots of a line that hold tag, as bits. */
static inline uint32_t visited_match(const uint64_t *line, uint64_t tag)
{
    uint32_t match = 0;
    for (uint32_t i = 0; i < VISITED_LINE_TAGS; i++)
        match |= (uint32_t)(line[i] == tag) << i;
    return match;
}

/* How many slots of a line are used: they fill from the first on. */
static inline uint32_t visited_used(const uint64_t *line)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < VISITED_LINE_TAGS; i++)
        used += line[i] != 0;
    return used;
}

/* The slot that holds tag, or the empty one where it belongs. */
static inline uint64_t *visited_slot(const struct visited *set,
                                     const struct visited_unit *unit,
                                     uint64_t tag)
{
    uint64_t *home = visited_line(set, unit, visited_home(unit->lines, tag));
    uint64_t *other = visited_line(set, unit, visited_other(unit->lines, tag));
    uint32_t match = visited_match(home, tag) | visited_match(other, tag)
                                                    << VISITED_LINE_TAGS;
    if (match) {
        uint32_t i = (uint32_t)__builtin_ctz(match);
        return i < VISITED_LINE_TAGS ? home + i : other + i - VISITED_LINE_TAGS;
    }
    uint32_t home_used = visited_used(home);
    uint32_t other_used = visited_used(other);
    if (other_used < home_used)
        return other + other_used;
    if (home_used < VISITED_LINE_TAGS)
        return home + home_used;
    return visited_overflow(set, unit, tag);
}

/* The payload of a slot, or NULL in a set without. */
static inline uint64_t *visited_payload(const struct visited *set,
                                        uint64_t *slot)
{
    return set->line_words > VISITED_LINE_TAGS ? slot + VISITED_LINE_TAGS
                                               : NULL;
}

/* Whether a state is in the set. ret_payload, which may be NULL, receives where
 * its payload stands, as of visited_add(). Any number of threads may ask at
 * once, while none adds. */
static inline bool visited_find(const struct visited *set,
                                struct visited_hash hash,
                                uint64_t **ret_payload)
{
    uint64_t tag;
    const struct visited_unit *unit = &set->units[visited_mix(hash, &tag)];
    uint64_t *slot = visited_slot(set, unit, tag);
    if (*slot != tag)
        return false;
    if (ret_payload)
        *ret_payload = visited_payload(set, slot);
    return true;
}

/* Add a state. ret_added tells whether it is new. ret_payload, which may be
 * NULL, receives where its payload stands, 0 when it is new: read and write it
 * until the next add or reserve. NULL in a set without payloads. KAN_NOMEM, for
 * a new state only, leaves all others in the set. */
KAN_MUST_USE static inline enum kan_err visited_add(struct visited *set,
                                                    struct visited_hash hash,
                                                    bool *ret_added,
                                                    uint64_t **ret_payload)
{
    uint64_t tag;
    struct visited_unit *unit = &set->units[visited_mix(hash, &tag)];
    uint64_t *slot = visited_slot(set, unit, tag);
    bool added = *slot != tag;
    if (added) {
        if (unit->count >= unit->count_max) {
            enum kan_err err = visited_reserve(set, 0);
            if (err != KAN_OK)
                return err;
            slot = visited_slot(set, unit, tag);
        }
        *slot = tag;
        unit->count++;
    }
    *ret_added = added;
    if (ret_payload)
        *ret_payload = visited_payload(set, slot);
    return KAN_OK;
}

/* --- several threads ------------------------------------------------------ */

/* As visited_add(), from any number of threads at once: of those that add one
 * state, exactly one is told that it is new. The set has no payloads. KAN_BUSY
 * when the unit is full: end the level on all threads, let one of them call
 * visited_reserve(), and add this state again. Between such adds and any other
 * call on the set there must be a barrier, a join or a lock. */
KAN_MUST_USE enum kan_err visited_add_shared(struct visited *set,
                                             struct visited_hash hash,
                                             bool *ret_added);

/* --- figures -------------------------------------------------------------- */

/* States in the set: the sum of 1,024 counts. */
uint64_t visited_count(const struct visited *set);

/* Bytes of memory that the set takes. */
uint64_t visited_bytes(const struct visited *set);

/* At most this is the probability that a walk which stored count states has
 * omitted one or more: of the n^2/2 pairs each is taken for one with
 * probability 2^-b, b = VISITED_BITS, hence n^2 / 2^(b+1), capped at 1 (the
 * union bound; Wolper and Leroy, "Reliable hashing without collision
 * detection", 1993). Holds for hashes that behave as chance. */
double visited_omission(uint64_t count);

#endif /* CHECK_WALK_VISITED_H */
