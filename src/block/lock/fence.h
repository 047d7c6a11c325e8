/* fence.h - fencing writes on an engine that does not hold the lock.
 *
 * Where lock and data are on one engine, lock_fence_guard() is all that is
 * needed, and refuses an expired holder too. Where they are not, the data's
 * engine cannot know whether a lease has ended; but it can remember the highest
 * token that it has seen for a lock, and refuse whoever comes with a lower one.
 * It does so in a key fence||{lock store}||{resource}, which the same commit
 * that writes the data reads and raises. The rules are pure (fence_core_*). */

#ifndef BLOCK_LOCK_FENCE_H
#define BLOCK_LOCK_FENCE_H

#include <kan/base.h>

#include "engine/engine.h"

/* --- the rules ------------------------------------------------------------ */

enum
{
    FENCE_VALUE_SIZE = 9, /* the version of the encoding, and the token, big
                           * endian */
    FENCE_TRIES_MAX = 100 /* reads of one write; each but the first means that
                           * somebody else's write took effect */
};

enum fence_phase
{
    FENCE_IDLE,
    FENCE_READING,
    FENCE_COMMITTING,
    FENCE_ENDED
};

/* One fenced write. */
struct fence_core
{
    enum fence_phase phase;
    uint64_t token;
    uint32_t tries;
};

enum fence_event_kind
{
    FENCE_EVENT_START,
    FENCE_EVENT_READ,      /* version (0: absent) and highest, or damaged */
    FENCE_EVENT_COMMITTED, /* revision */
    FENCE_EVENT_REFUSED,   /* the guard on the fence key does not hold */
    FENCE_EVENT_CONFLICT,  /* a guard of the client's does not hold */
    FENCE_EVENT_FAILED     /* err */
};

struct fence_event
{
    enum fence_event_kind kind;
    uint64_t version;
    uint64_t highest;
    bool damaged; /* the key holds what no fence wrote */
    uint64_t revision;
    enum kan_err err;
};

enum fence_effect
{
    FENCE_NOTHING,
    FENCE_READ,   /* the fence key, linearizable */
    FENCE_COMMIT, /* what the client asked for, guarded and raising as told */
    FENCE_ANSWER  /* err, revision */
};

struct fence_step
{
    struct fence_core core;
    enum fence_effect effect;
    bool absent;      /* COMMIT: guard on absence of the fence key */
    uint64_t version; /* COMMIT: else on this version of it */
    bool raise;       /* COMMIT: put the token into it */
    enum kan_err err; /* ANSWER */
    uint64_t revision;
};

struct fence_core fence_core_init(uint64_t token);
struct fence_step fence_core_step(struct fence_core core,
                                  struct fence_event event);

void fence_value_write(uint64_t token, unsigned char value[FENCE_VALUE_SIZE]);

/* The token in a value; false when no fence wrote it. */
bool fence_value_read(struct kan_slice value, uint64_t *ret_token);

/* --- carrying them out ---------------------------------------------------- */

enum
{
    FENCE_STORE_MAX = 255, /* bytes of a lock store's name */
    FENCE_OPS_MAX = 1022   /* guards, and writes, of a fenced write: each */
};

/* What a fenced write needs of the engine. */
extern const struct engine_promises fence_needs;

struct fence_write;
typedef void fence_write_cb(struct fence_write *write, enum kan_err err);

/* A commit that is carried out only by the holder of the highest token. */
struct fence_write
{
    void *data;                        /* in: the caller's */
    struct engine *engine;             /* in: the data's */
    struct kan_slice lock_store;       /* in: copied; the same name for the same
                                  * tokens, whoever writes; no || in it */
    struct kan_slice resource;         /* in: copied */
    uint64_t token;                    /* in: at least 1 */
    const struct engine_guard *guards; /* in: borrowed until cb */
    const struct engine_write *writes; /* in: borrowed until cb; at least one,
                                        * or a guard */
    uint32_t guard_count;
    uint32_t write_count;
    uint64_t deadline_ns; /* in: 0 means 30 s from now */

    uint64_t revision;     /* out, with KAN_OK */
    uint32_t failed_guard; /* out, with KAN_CONFLICT: which of guards */

    fence_write_cb *cb; /* from here on: the block's */
    struct fence_core core;
    struct env_task task;
    struct engine_get get;
    struct engine_commit commit;
    enum kan_err err;
    void *part;
};

/* Submit. KAN_OK and then, through cb: KAN_OK; KAN_FENCED, a higher token has
 * been seen, nothing was written; KAN_CONFLICT; KAN_CORRUPT, the fence key
 * holds something else; KAN_BUSY, others kept raising it; or what the engine
 * says, UNKNOWN in the usual sense. Refused here: KAN_INVALID (a name, the
 * counts, or an engine that lacks fence_needs), KAN_NOMEM, KAN_BUSY,
 * KAN_CLOSED. */
KAN_MUST_USE enum kan_err fence_write(struct fence_write *write,
                                      fence_write_cb *cb);

#endif /* BLOCK_LOCK_FENCE_H */
