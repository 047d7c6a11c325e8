/* lock.h - the lock block: try, wait in line, release, renew, notice of loss.
 *
 * A lock is a key that lives as long as its lease: prefix + resource, put only
 * if it is absent. Its fencing token is the key's `created`: larger at each
 * grant of the resource, never given twice, unchanged by renewal. Locks are not
 * re-entrant: while it lives, its own owner too is told LOCK_HELD.
 *
 * The rules are in lock_core.c (one request) and lock_line.c (waiting); lock.c
 * carries them out. Guarantees K-LOCK-n: docs/guarantees/lock.md. */

#ifndef BLOCK_LOCK_LOCK_H
#define BLOCK_LOCK_LOCK_H

#include <kan/base.h>

#include "base/list.h"
#include "block/lock/lock_core.h"
#include "engine/engine.h"
#include "env/env.h"

/* The locks under one prefix of an engine. Belongs to one loop. */
struct lock_store;

struct lock_options
{
    struct engine *engine; /* borrowed until the store is closed, which must be
                            * before the engine is; the engine may fail, or
                            * refuse as it begins to close, before that */
    struct kan_slice prefix; /* copied; put before every resource, as
                              * "lock||kan||"; at most LOCK_PREFIX_MAX bytes */
    uint32_t waiting_max;    /* acquires under way in the whole store; 0 means
                              * LOCK_WAITING_DEFAULT */
};

enum
{
    LOCK_PREFIX_MAX = 512, /* bytes of a store's prefix */
    LOCK_KEY_MAX = LOCK_PREFIX_MAX + LOCK_RESOURCE_MAX,
    LOCK_WAITING_DEFAULT = 4096,
    LOCK_DRIFT_PPM = 10000 /* how much slower than a shared engine's clock a
                            * holder's is assumed to run at most: 1 in 100 */
};

/* The least that the block needs of an engine, for `kan engines`. */
extern const struct engine_promises lock_needs;

/* Refused with KAN_INVALID and a line in why (a buffer of why_size bytes, or
 * NULL) when the engine does not promise what the block needs (lock_needs), or
 * the prefix is too long; KAN_NOMEM. An engine that forgets with its process
 * (ENGINE_VOLATILE) is taken: its locks end with it, all at once. Give the
 * store to lock_store_close(). */
KAN_MUST_USE enum kan_err lock_store_new(const struct lock_options *options,
                                         char *why, size_t why_size,
                                         struct lock_store **ret_store);

/* End every request: those that wait get KAN_CLOSED, those that the engine has
 * are canceled, holds get KAN_CLOSED. What is held stays held until its lease
 * ends. Then the store is gone and cb (NULL is fine) runs, never within this
 * call. */
void lock_store_close(struct lock_store *store, void *data, env_close_cb *cb);

struct engine *lock_store_engine(const struct lock_store *store);

/* What is read from outside, at any time. */
struct lock_stats
{
    uint64_t granted;    /* tries that were */
    uint64_t taken_back; /* grants that nobody wanted any more */
    uint64_t settled;    /* requests answered after an answer had been lost */
    uint64_t lost;       /* holds that ended by a loss */
    uint32_t waiting;    /* acquires under way */
    uint32_t settling;   /* requests answered, but not yet accounted for */
};

struct lock_stats lock_store_stats(const struct lock_store *store);

/* --- acquire, release, renew ---------------------------------------------- */

struct lock_request;
typedef void lock_cb(struct lock_request *request);

/* One request. The caller's until cb. */
struct lock_request
{
    void *data;                /* in: the caller's */
    struct kan_slice resource; /* in: copied */
    struct kan_slice owner;    /* in: copied. Acquire: who it is for, at least
                                * one byte. Release, renew: only if the holder
                                * has this name; may be empty with a token */
    uint64_t token;            /* in: release, renew: only this grant; 0: any of
                                * the owner's */
    uint64_t expiry_ms;        /* in: acquire, renew: how long the lease is;
                                * 1..LOCK_EXPIRY_MAX_MS */
    uint64_t wait_until_ns;    /* in: acquire: stand in line until then (env_now
                                * time); 0: do not wait for whoever holds it */
    uint64_t deadline_ns;      /* in: of a request that does not stand in line;
                                * 0 means 30 s from now */

    enum lock_outcome outcome; /* out */
    enum kan_err err;          /* out, with LOCK_FAILED: KAN_TIMEOUT,
                                * KAN_CANCELED, or the engine's. An acquire that
                                * failed, in whatever class, was not granted: a
                                * grant that still comes is taken back */
    uint64_t granted;          /* out, with LOCK_OK: the token */
    struct lock_lease lease;   /* out, acquire and renew with LOCK_OK: what the
                                * holder may rely on, by env_now */

    struct lock_store *store; /* from here on: the block's */
    lock_cb *cb;
    uint64_t ticket;
    void *part;
    struct list link;
    struct env_task task;
};

/* Submit. What is refused here had no effect, and cb does not run: KAN_NOMEM;
 * KAN_BUSY when LOCK_LINE_MAX stand in line for the resource or waiting_max in
 * all; KAN_CLOSED. Everything else comes through cb, wrong names too.
 *
 * Acquire: LOCK_OK, LOCK_HELD (also when the wait ended), LOCK_FAILED. */
KAN_MUST_USE enum kan_err lock_acquire(struct lock_store *store,
                                       struct lock_request *request,
                                       lock_cb *cb);

/* LOCK_OK, LOCK_NOTFOUND, LOCK_OTHER, LOCK_FAILED. After a failure of class
 * UNKNOWN it may be released, or still be held until its lease ends. */
KAN_MUST_USE enum kan_err lock_release(struct lock_store *store,
                                       struct lock_request *request,
                                       lock_cb *cb);

/* As lock_release(). The token stays. After LOCK_NOTFOUND or LOCK_OTHER the
 * grant is lost; after a failure of class UNKNOWN the lease is as before, or
 * has been renewed. Holds of the grant follow. */
KAN_MUST_USE enum kan_err lock_renew(struct lock_store *store,
                                     struct lock_request *request, lock_cb *cb);

/* Ask for an early end: cb still runs, with LOCK_OK if it was granted already,
 * else LOCK_FAILED, KAN_CANCELED. */
void lock_cancel(struct lock_request *request);

/* --- notice of loss ------------------------------------------------------- */

struct lock_hold;

/* The grant is no more: KAN_NOTFOUND, it was released, or its lease ended, or
 * may have ended by the holder's clock; KAN_FENCED, it has been granted again;
 * KAN_CANCELED, lock_hold_stop(); KAN_CLOSED, the store closes. */
typedef void lock_hold_cb(struct lock_hold *hold, enum kan_err why);

/* Watch over one grant. The caller's until cb. */
struct lock_hold
{
    void *data;                /* in: the caller's */
    struct kan_slice resource; /* in: borrowed until cb */
    struct lock_lease lease;   /* in: as the acquire gave it; renewals of this
                                * store move it on */

    struct lock_store *store; /* from here on: the block's */
    lock_hold_cb *cb;
    enum kan_err why;
    struct lock_hold *next; /* of the same resource */
    struct list link;
    struct env_timer timer;
    struct env_task task;
};

/* cb runs once, at the latest when lease.until_ns has come. KAN_NOMEM,
 * KAN_BUSY (65,536 holds), KAN_CLOSED; KAN_INVALID when resource is no name. */
KAN_MUST_USE enum kan_err lock_hold_start(struct lock_store *store,
                                          struct lock_hold *hold,
                                          lock_hold_cb *cb);

/* Ask for the end; cb still runs, later. Nothing happens when it has ended. */
void lock_hold_stop(struct lock_hold *hold);

/* --- fencing on the same engine ------------------------------------------- */

/* Room for the key that a guard points to. */
struct lock_key
{
    unsigned char bytes[LOCK_KEY_MAX];
};

/* The guard with which a commit on lock_store_engine() is refused unless the
 * resource is still held by the grant token: in the very commit, by the
 * engine's clock. It points into *key, which must last until the commit has
 * been submitted. KAN_INVALID when resource is no name, or token is 0. */
KAN_MUST_USE enum kan_err lock_fence_guard(const struct lock_store *store,
                                           struct kan_slice resource,
                                           uint64_t token, struct lock_key *key,
                                           struct engine_guard *ret_guard);

#endif /* BLOCK_LOCK_LOCK_H */
