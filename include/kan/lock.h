/* kan/lock.h - locks that last for a lease, and tokens that keep out whoever
 * has lost one.
 *
 * A lock is held for so many milliseconds, and longer only by renewal: a holder
 * that hangs or dies blocks nobody for ever. So a holder may find that it holds
 * no more, and only then learn of it. What must not be written twice is
 * therefore written with the lock (kan_strong_put_fenced): the store refuses it
 * in that same commit once the lock has been lost. The lock's token is larger
 * at each grant, for stores that are somewhere else.
 *
 * Guarantees K-LOCK-1 to K-LOCK-10: docs/guarantees/lock.md. In short: one
 * holder at a time, tokens grow, only the holder releases, waiting is first
 * come, first served, and a loss is told no later than the lease can end.
 *
 * Locks stand on an open kan_strong and belong to its loop. Verbs have a
 * blocking form, and one with async in its name that follows the contract of
 * kan/loop.h.
 *
 *     #include <kan/lock.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         struct kan_store_options options = {.path = "./.kan"};
 *         kan_locks *locks;
 *         kan_strong store;
 *         char why[256];
 *
 *         if (kan_strong_open(NULL, &options, why, sizeof(why), &store))
 *             return fprintf(stderr, "%s\n", why), 1;
 *         if (kan_locks_open(store, NULL, why, sizeof(why), &locks))
 *             return fprintf(stderr, "%s\n", why), 1;
 *         {
 *             KAN_LOCK_SCOPED lock = NULL;
 *             if (kan_lock_acquire(locks, kan_text("report"), 10000, 5000,
 *                                  &lock) == KAN_OK &&
 *                 kan_strong_put_fenced(store, lock, kan_text("sum"),
 *                                       kan_text("42"), 0, NULL) == KAN_OK)
 *                 puts("written, and nobody else has it");
 *         }
 *         kan_locks_close(locks);
 *         kan_strong_close(store);
 *         return 0;
 *     }
 *
 * Locks belong to one loop, and so to one thread. */

#ifndef KAN_LOCK_H
#define KAN_LOCK_H

#include <kan/base.h>
#include <kan/loop.h>
#include <kan/state.h>

KAN_BEGIN_DECLS

/* --- handles -------------------------------------------------------------- */

/* The locks of one data directory, under one prefix. */
typedef struct kan_locks kan_locks;

/* A lock that was granted. Free it with kan_lock_release(). */
typedef struct kan_lock kan_lock;

/* Beyond any of them a call is refused with KAN_INVALID. */
enum
{
    KAN_RESOURCE_MAX = 1024,   /* bytes of a resource; at least one, no || */
    KAN_LOCK_OWNER_MAX = 1024, /* bytes of an owner's name */
    KAN_LOCK_PREFIX_MAX = 512  /* bytes of the locks' prefix */
};

/* Zero means the default. */
struct kan_locks_options
{
    struct kan_slice prefix; /* copied; put before every resource. Empty means
                              * "lock||". A daemon with the app id orders keeps
                              * its locks under "lock||orders||" */
    struct kan_slice owner;  /* copied; who the locks are for, to be read by
                              * people. Empty means "a program with libkan" */
};

/* --- life cycle ----------------------------------------------------------- */

/* Open the locks on store, which must stay open until they are closed. options
 * may be NULL. KAN_INVALID: the options are wrong, or the store's engine cannot
 * carry locks; KAN_NOMEM. why, unless NULL, is a buffer of why_size bytes that
 * then receives one line with the reason. Give them to kan_locks_close().
 *
 * On the engine "memory" locks end with the process, like its data. */
KAN_API KAN_MUST_USE enum kan_err kan_locks_open(
    kan_strong store, const struct kan_locks_options *options, char *why,
    size_t why_size, kan_locks **ret_locks);

/* Close, and wait until it is done. Every lock must have been released before;
 * who still waits for one gets KAN_CLOSED. NULL is ignored. */
KAN_API void kan_locks_close(kan_locks *locks);

/* As kan_locks_close(), for a program that runs its loop: cb runs once, when
 * the handle is gone. */
KAN_API void kan_locks_close_async(kan_locks *locks, void *data,
                                   kan_store_close_cb *cb);

/* One line about the last failure, for a human; "" when there was none.
 * Borrowed until the next call. */
KAN_API const char *kan_locks_message(kan_locks *locks);

/* --- holding -------------------------------------------------------------- */

/* Acquire the resource for expiry_ms (at least 1), if nobody holds it; else
 * KAN_HELD, also when it is this program that does. Any other failure, of
 * whatever class, means that it is not held by this call. */
KAN_API KAN_MUST_USE enum kan_err kan_lock_try(kan_locks *locks,
                                               struct kan_slice resource,
                                               uint64_t expiry_ms,
                                               kan_lock **ret_lock);

/* As kan_lock_try(), but stand in line for up to wait_ms: first come, first
 * served among the calls of this program. KAN_HELD when the time is over;
 * KAN_BUSY when the line is full. */
KAN_API KAN_MUST_USE enum kan_err kan_lock_acquire(kan_locks *locks,
                                                   struct kan_slice resource,
                                                   uint64_t expiry_ms,
                                                   uint64_t wait_ms,
                                                   kan_lock **ret_lock);

/* Let the lease begin anew, for expiry_ms from now. KAN_NOTFOUND: it was lost;
 * KAN_FENCED: it was lost, and somebody has it. After a failure of another kind
 * the lease is what kan_lock_left_ms() says. */
KAN_API KAN_MUST_USE enum kan_err kan_lock_renew(kan_lock *lock,
                                                 uint64_t expiry_ms);

/* Release the lock and free the handle, whatever is returned: KAN_OK;
 * KAN_NOTFOUND or KAN_FENCED, it had been lost; or a failure, after which the
 * lease ends by itself. NULL is ignored: KAN_OK. */
KAN_API enum kan_err kan_lock_release(kan_lock *lock);

/* The fencing token: larger at each grant of a resource, unchanged by
 * renewal. */
KAN_API uint64_t kan_lock_token(const kan_lock *lock);

/* How long the lock is still held at least, by this program's clock and on the
 * safe side; 0: it is or may be lost. Costs no request. */
KAN_API uint64_t kan_lock_left_ms(const kan_lock *lock);

/* The lock was lost: KAN_FENCED, somebody else has it; KAN_NOTFOUND, its lease
 * has ended, or may have. The handle stays, to be released. */
typedef void kan_lock_lost_cb(void *data, kan_lock *lock, enum kan_err why);

/* Call cb, once and on the loop, when the lock is lost: no later than
 * kan_lock_left_ms() is 0, if the loop runs. At once, though not within this
 * call, when it is lost already. Replaces an earlier one; cb NULL takes it
 * back. */
KAN_API void kan_lock_on_loss(kan_lock *lock, void *data, kan_lock_lost_cb *cb);

/* KAN_LOCK_SCOPED lock = NULL; is a kan_lock * that is released when its block
 * is left, by whatever way. */
static inline void kan_lock_scope_end(kan_lock **lock)
{
    (void)kan_lock_release(*lock);
}

#define KAN_LOCK_SCOPED __attribute__((cleanup(kan_lock_scope_end))) kan_lock *

/* --- writing as a holder -------------------------------------------------- */

/* As kan_strong_put() and kan_strong_commit(), if lock is held: judged in the
 * same commit, by the clock of the data. Else KAN_FENCED, and nothing is
 * written. lock must be of locks on this store. */
KAN_API KAN_MUST_USE enum kan_err kan_strong_put_fenced(
    kan_strong store, const kan_lock *lock, struct kan_slice key,
    struct kan_slice value, uint32_t ttl_seconds, uint64_t *ret_revision);
KAN_API KAN_MUST_USE enum kan_err kan_strong_commit_fenced(
    kan_strong store, const kan_lock *lock, const struct kan_op *ops,
    uint32_t op_count, uint64_t *ret_revision);

/* --- requests ------------------------------------------------------------- */

/* Acquire a lock. */
struct kan_acquire
{
    void *data;                /* in: yours */
    struct kan_slice resource; /* in: copied */
    struct kan_slice owner;    /* in: copied; empty means that of the locks */
    uint64_t expiry_ms;        /* in: at least 1 */
    uint64_t wait_ms;          /* in: stand in line so long; 0: do not */
    kan_lock *lock;            /* out, with KAN_OK: yours */
    void *part;                /* the library's */
};
typedef void kan_acquire_cb(struct kan_acquire *acquire, enum kan_err err);

/* Renew or release a lock. */
struct kan_lock_change
{
    void *data;         /* in: yours */
    uint64_t expiry_ms; /* in: of a renewal */
    void *part;         /* the library's */
};
typedef void kan_lock_change_cb(struct kan_lock_change *change,
                                enum kan_err err);

/* Submit. What is returned instead of KAN_OK had no effect: KAN_NOMEM,
 * KAN_BUSY, KAN_CLOSED. cb gets every other status, KAN_INVALID too. */
KAN_API KAN_MUST_USE enum kan_err kan_lock_acquire_async(
    kan_locks *locks, struct kan_acquire *acquire, kan_acquire_cb *cb);

/* Leave the line; cb still runs: with KAN_OK and the lock when it had been
 * granted, else with KAN_CANCELED. Not after cb. */
KAN_API void kan_lock_acquire_cancel(struct kan_acquire *acquire);

KAN_API KAN_MUST_USE enum kan_err kan_lock_renew_async(
    kan_lock *lock, struct kan_lock_change *change, kan_lock_change_cb *cb);

/* The handle is given: it is gone when cb runs, whatever its status. A renewal
 * of it must have ended. */
KAN_API KAN_MUST_USE enum kan_err kan_lock_release_async(
    kan_lock *lock, struct kan_lock_change *change, kan_lock_change_cb *cb);

KAN_END_DECLS

#endif /* KAN_LOCK_H */
