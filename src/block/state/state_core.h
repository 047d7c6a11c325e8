/* state_core.h - the rules of the state block: what an op means as a guard and
 * a write, and what an engine's answer means to the client.
 *
 * Everything is a function of its arguments: no I/O, no allocation, no clock,
 * no chance. Keys here are the client's; the driver puts the prefix before
 * them. Slices are borrowed for the call, and handed back as they came. */

#ifndef BLOCK_STATE_STATE_CORE_H
#define BLOCK_STATE_STATE_CORE_H

#include "block/state/state.h"

/* What one store can carry, from its engine's promises and its prefix. */
struct state_limits
{
    uint32_t key_max;          /* bytes of a client's key */
    uint32_t value_max;        /* bytes */
    uint32_t prefix_size;      /* bytes */
    uint32_t ops_max;          /* guards and writes of one commit */
    uint32_t commit_bytes_max; /* keys and values of one commit */
    bool linearizable;
    bool atomic;
    bool expiry;
};

struct state_limits state_core_limits(struct engine_promises promises,
                                      uint32_t prefix_size);

/* STATE_OK, or what is wrong with a client's key. */
enum state_outcome state_core_key(struct state_limits limits,
                                  struct kan_slice key);

/* Whether the key, without its prefix, can belong to this store. */
bool state_core_owns(struct kan_slice key);

/* The revision that an etag names; 0 when no store can have given that etag.
 * Accepted are the decimal numbers 1 to 2^64-1, without leading zeros. */
uint64_t state_core_etag(struct kan_slice etag);

/* The milliseconds of a time to live; 0: for ever. */
uint64_t state_core_ttl_ms(bool given, int64_t seconds);

/* An op as the engine understands it. With an outcome other than STATE_OK the
 * rest is zero. */
struct state_step
{
    enum state_outcome outcome;
    bool guarded;
    bool writing;
    struct engine_guard guard;
    struct engine_write write;
};

struct state_step state_core_step(struct state_limits limits,
                                  struct state_op op);

/* The whole of a commit, as far as the engine counts it. */
struct state_size
{
    uint32_t parts; /* guards and writes */
    uint64_t bytes; /* their keys and values */
};

/* The commit with one more step in it. */
struct state_size state_core_add(struct state_limits limits,
                                 struct state_size size,
                                 struct state_step step);

/* The commit with what a fence on that token's resource adds to it. */
struct state_size state_core_add_fence(struct state_size size,
                                       struct state_token token);

/* STATE_OK when a commit of that size is allowed. */
enum state_outcome state_core_fits(struct state_limits limits,
                                   struct state_size size);

/* How a read with that consistency is done. */
struct state_level
{
    enum state_outcome outcome; /* STATE_OK or STATE_NOT_STRONG */
    enum engine_level level;
};

struct state_level state_core_level(struct state_limits limits,
                                    enum state_consistency consistency,
                                    uint64_t at_least);

/* What the engine's answer to a commit means. */
enum state_outcome state_core_answer(enum kan_err err);

/* Whether outcome a is worse than b: the request's whole outcome is the worst
 * of its ops'. */
bool state_core_worse(enum state_outcome a, enum state_outcome b);

#endif /* BLOCK_STATE_STATE_CORE_H */
