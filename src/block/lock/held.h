/* held.h - what a kan_lock is: a grant, the hold on it, and the one request
 * that may be under way for it. For the parts of libkan that write as a
 * holder. */

#ifndef BLOCK_LOCK_HELD_H
#define BLOCK_LOCK_HELD_H

#include <kan/lock.h>

#include "block/lock/lock.h"

enum
{
    HELD_MAGIC = 0x10c4e1d0
};

/* It exists from the moment that it is asked for, so that nothing needs memory
 * once it is granted. */
struct kan_lock
{
    unsigned magic;
    kan_locks *locks;
    struct lock_store *space;
    struct kan_store *store;     /* that the locks are on */
    struct lock_request request; /* acquire, then renewals, then release */
    bool asked;                  /* request is under way */
    struct lock_hold hold;
    bool holding;            /* hold is under way */
    struct lock_lease lease; /* while it is not */
    enum kan_err lost;       /* KAN_OK: not as far as is known */
    void *lost_data;
    kan_lock_lost_cb *lost_cb;
    struct env_task lost_task;
    enum kan_err err; /* what the release, or a failed acquire, comes to */
    struct kan_acquire *acquire;
    kan_acquire_cb *acquire_cb;
    struct kan_lock_change *change;
    kan_lock_change_cb *change_cb;
    size_t resource_size;
    char resource[];
};

static inline struct lock_lease held_lease(const struct kan_lock *lock)
{
    return lock->holding ? lock->hold.lease : lock->lease;
}

#endif /* BLOCK_LOCK_HELD_H */
