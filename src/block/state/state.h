/* state.h - the state block: keys, values, etags, time to live, transactions.
 *
 * The rules are in state_core.c: what a request means as guards and writes, and
 * what the engine's answer means to the client. state.c carries them out.
 * Guarantees K-STATE-n: docs/guarantees/state.md.
 *
 * An etag is the decimal text of the revision that last wrote the key, without
 * leading zeros. A key that contains || belongs to another store: it cannot be
 * read, written or listed here. */

#ifndef BLOCK_STATE_STATE_H
#define BLOCK_STATE_STATE_H

#include <kan/base.h>

#include "base/bytes.h"
#include "engine/engine.h"
#include "env/env.h"

/* One store of one app: an engine and a prefix. Belongs to one loop. */
struct state_store;

struct state_options
{
    struct engine *engine;   /* borrowed until the store is freed */
    struct kan_slice prefix; /* copied; put before every key, as "kan||"; at
                              * most STATE_PREFIX_MAX bytes */
};

/* Refused with KAN_INVALID and a line in why (a buffer of why_size bytes, or
 * NULL) when the engine does not promise what the block needs (state_needs), or
 * the prefix is too long; KAN_NOMEM. Yours: state_store_free(). */
KAN_MUST_USE enum kan_err state_store_new(const struct state_options *options,
                                          char *why, size_t why_size,
                                          struct state_store **ret_store);

/* Every request must have ended. NULL is ignored; returns NULL. */
struct state_store *state_store_free(struct state_store *store);

struct engine *state_store_engine(const struct state_store *store);

/* The least that the block needs of an engine, for `kan engines`. */
extern const struct engine_promises state_needs;

enum
{
    STATE_KEY_MAX = 1024,   /* bytes of a key, without its prefix; less when
                             * the engine's own limit is lower */
    STATE_PREFIX_MAX = 512, /* bytes of a store's prefix */
    STATE_OPS_MAX = 1024,   /* operations in a transaction or a bulk */
    STATE_ETAG_SIZE = 21,   /* decimal digits of a revision, and a NUL */
    STATE_PAGE_MAX = 1000,  /* keys in a page of a list */
    STATE_PAGE_DEFAULT = 100
};

enum state_concurrency
{
    STATE_CONCURRENCY_DEFAULT, /* as LAST, but a given etag is checked */
    STATE_FIRST_WRITE, /* without an etag: only when the key is absent */
    STATE_LAST_WRITE   /* a given etag is ignored */
};

enum state_consistency
{
    STATE_CONSISTENCY_DEFAULT,
    STATE_STRONG, /* linearizable, or refused by name */
    STATE_EVENTUAL
};

enum state_op_kind
{
    STATE_SET,
    STATE_DELETE,
    STATE_CHECK /* write nothing: only the condition counts */
};

/* A time to live beyond this counts as this, so that the time of expiry can
 * always be written down (about 3,169 years). */
#define STATE_TTL_SECONDS_MAX INT64_C(100000000000)

/* One thing to do to one key. */
struct state_op
{
    enum state_op_kind kind;
    enum state_concurrency concurrency;
    enum state_consistency consistency;
    struct kan_slice key;
    struct kan_slice value;
    struct kan_slice etag; /* empty: none */
    uint64_t revision;   /* the same as a number, when etag is empty; 0: none */
    bool ttl_given;      /* a set without one removes an earlier one */
    int64_t ttl_seconds; /* <= 0: for ever */
};

/* What became of an op or a request. The first group is the client's doing. */
enum state_outcome
{
    STATE_OK,
    STATE_MISMATCH,     /* the etag, or first-write, did not hold */
    STATE_ETAG_INVALID, /* the etag is not one that this store can have given */
    STATE_KEY_EMPTY,
    STATE_KEY_ILLEGAL, /* contains || */
    STATE_KEY_TOO_LONG,
    STATE_VALUE_TOO_LARGE,
    STATE_TOO_MANY,
    STATE_NOT_STRONG, /* consistency=strong on a store that is not */
    STATE_NO_TRANSACTION,
    STATE_NO_TTL,
    STATE_FAILED /* the engine; err says how */
};

/* One line that says what an outcome means and what to do. Static text. */
const char *state_outcome_text(enum state_outcome outcome);

struct state_write;
typedef void state_write_cb(struct state_write *write);

/* The grant of a lock that is on another engine (block/lock/fence.h). */
struct state_token
{
    struct kan_slice lock_store; /* as fence_write has it */
    struct kan_slice resource;
    uint64_t token;
};

/* One commit of a write. */
struct state_part
{
    struct engine_commit commit;
    struct state_write *write;
    uint32_t op;
};

/* Carry out ops, all or none when atomic, otherwise each for itself.
 *
 * In an atomic write every condition is judged against the state before it, and
 * of several ops on one key the last one decides what is stored. */
struct state_write
{
    void *data;                       /* in: the caller's */
    const struct state_op *ops;       /* in: borrowed until cb */
    uint32_t op_count;                /* in: 0 is fine */
    bool atomic;                      /* in */
    uint64_t deadline_ns;             /* in: 0 means 30 s */
    const struct engine_guard *fence; /* in: borrowed for the call; one more
                                       * guard, on a key of the engine, for
                                       * every commit of the write: where it
                                       * does not hold nothing is written, and
                                       * the outcome is STATE_FAILED,
                                       * KAN_FENCED. NULL: none */
    const struct state_token *token;  /* in: borrowed for the call; of an atomic
                                       * write without a fence: refused in the
                                       * same way once the store has seen a
                                       * higher token of that lock. Its engine
                                       * must cover fence_needs. NULL: none */

    enum state_outcome outcome; /* out: the worst of all: FAILED, then what
                                 * is wrong with the request's shape, then
                                 * ETAG_INVALID, then MISMATCH */
    enum kan_err err;           /* out, with STATE_FAILED */
    uint32_t failed_op;         /* out: the first op with that outcome */
    uint64_t revision;          /* out: the newest of what was written */

    struct state_store *store; /* from here on: the block's */
    state_write_cb *cb;
    bool fenced;
    uint32_t waiting;
    void *part;
    struct state_part first; /* so that one op needs no allocation */
    struct env_task task;
};

/* Submit. The rules that need no engine (keys, etags, sizes) are checked
 * before anything is written; such an outcome comes through cb too. What is
 * returned instead (KAN_NOMEM, KAN_BUSY, KAN_CLOSED, KAN_IO from an engine that
 * broke) had no effect, and cb does not run. */
KAN_MUST_USE enum kan_err state_write(struct state_store *store,
                                      struct state_write *write,
                                      state_write_cb *cb);

struct state_item
{
    struct kan_slice key; /* the client's, without prefix */
    bool found;
    struct kan_slice value;
    uint64_t version;    /* the etag, as a number */
    uint64_t expires_ms; /* wall clock; 0: never */
};

struct state_read;
typedef void state_read_cb(struct state_read *read);

/* Read keys, in one snapshot. Without a consistency they are read as strongly
 * as the engine can. */
struct state_read
{
    void *data;
    const struct kan_slice *keys; /* in: borrowed until cb */
    uint32_t key_count;           /* in: 0 is fine */
    enum state_consistency consistency;
    uint64_t at_least;    /* in: not before this revision; 0: any */
    uint64_t deadline_ns; /* in: 0 means 30 s */

    enum state_outcome outcome;     /* out */
    enum kan_err err;               /* out, with STATE_FAILED */
    uint32_t failed_key;            /* out: which key is at fault */
    const struct state_item *items; /* out: key_count, in the order asked;
                                     * borrowed until cb returns */
    uint64_t revision;              /* out: of the snapshot */

    struct state_store *store; /* from here on: the block's */
    state_read_cb *cb;
    bool asked; /* of the engine, and not yet answered */
    struct engine_get get;
    struct env_task task;
    void *part;
    struct state_item first; /* so that one key needs no allocation */
};

/* Submit; statuses as state_write(). */

KAN_MUST_USE enum kan_err state_read(struct state_store *store,
                                     struct state_read *read,
                                     state_read_cb *cb);

struct state_list;
typedef void state_list_cb(struct state_list *list);

/* A page of the keys of this store under a prefix, in byte order. It is empty
 * only when nothing is left. */
struct state_list
{
    void *data;
    struct kan_slice prefix; /* in: borrowed until cb */
    struct kan_slice after;  /* in: keys greater than this; empty: all */
    uint32_t limit;          /* in: 1..STATE_PAGE_MAX; 0: STATE_PAGE_DEFAULT */
    enum state_consistency consistency; /* in */
    uint64_t at_least;                  /* in */
    uint64_t deadline_ns;               /* in: 0 means 30 s */

    enum state_outcome outcome;     /* out */
    enum kan_err err;               /* out, with STATE_FAILED */
    const struct state_item *items; /* out: without values; borrowed until cb
                                     * returns */
    uint32_t item_count;            /* out */
    bool more;         /* out: ask again, after the last item's key */
    uint64_t revision; /* out: of the page's snapshot */

    struct state_store *store; /* from here on: the block's */
    state_list_cb *cb;
    struct engine_scan scan;
    struct env_task task;
    struct state_item *part;
};

/* Submit; statuses as state_write(). */
KAN_MUST_USE enum kan_err state_list(struct state_store *store,
                                     struct state_list *list,
                                     state_list_cb *cb);

/* Ask for an early end; cb still runs. */
void state_read_cancel(struct state_read *read);

#endif /* BLOCK_STATE_STATE_H */
