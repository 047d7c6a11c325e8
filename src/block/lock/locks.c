/* The locks of C programs: kan/lock.h on the lock block.
 *
 * A kan_lock holds all that its life needs, the request under way and the hold
 * too, so that only asking for one can fail for want of memory. */

#include <kan/lock.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "block/lock/held.h"
#include "block/loop/loop.h"
#include "block/state/typed.h"

enum
{
    LOCKS_MAGIC = 0x10c45001
};

struct kan_locks
{
    unsigned magic;
    bool closing;
    struct kan_store *store;
    struct lock_store *space;
    uint32_t lock_count;   /* handles that a program has */
    struct buffer message; /* of the last failure */
    void *close_data;
    kan_store_close_cb *close_cb;
    size_t owner_size;
    char owner[];
};

/* --- messages ------------------------------------------------------------- */

const char *kan_locks_message(kan_locks *locks)
{
    check_magic(locks, LOCKS_MAGIC);
    return buffer_text(&locks->message);
}

static enum kan_err locks_fail(kan_locks *locks, enum kan_err err,
                               const char *text)
{
    buffer_clear(&locks->message);
    buffer_append_text(&locks->message, text);
    return err;
}

/* The status that a request's outcome is; a failure is noted. */
static enum kan_err status_of(kan_locks *locks,
                              const struct lock_request *request)
{
    const char *text = lock_outcome_text(request->outcome);

    switch (request->outcome) {
    case LOCK_OK:
        return KAN_OK;
    case LOCK_HELD:
        return locks_fail(locks, KAN_HELD, text);
    case LOCK_NOTFOUND:
        return locks_fail(locks, KAN_NOTFOUND, text);
    case LOCK_OTHER:
        return locks_fail(locks, KAN_FENCED, text);
    case LOCK_FAILED:
        return locks_fail(locks, request->err, kan_err_text(request->err));
    case LOCK_RESOURCE_EMPTY:
    case LOCK_RESOURCE_ILLEGAL:
    case LOCK_RESOURCE_TOO_LONG:
    case LOCK_OWNER_EMPTY:
    case LOCK_OWNER_TOO_LONG:
    case LOCK_EXPIRY_ILLEGAL:
        break;
    }
    return locks_fail(locks, KAN_INVALID, text);
}

static enum kan_err refuse(char *why, size_t why_size, enum kan_err err,
                           const char *text)
{
    struct kan_slice line = kan_text(text);

    if (!why || !why_size)
        return err;
    line = slice_head(line, why_size - 1);
    memcpy(why, line.bytes, line.size);
    why[line.size] = 0;
    return err;
}

/* --- opening -------------------------------------------------------------- */

enum kan_err kan_locks_open(kan_strong store,
                            const struct kan_locks_options *options, char *why,
                            size_t why_size, kan_locks **ret_locks)
{
    static const struct kan_locks_options none = {0};
    struct lock_options inner = {0};
    struct kan_slice owner;
    kan_locks *locks;
    enum kan_err err = typed_enter(store.store);

    if (err)
        return refuse(why, why_size, err, kan_err_text(err));
    options = options ? options : &none;
    owner =
        options->owner.size ? options->owner : SLICE("a program with libkan");
    if (lock_core_owner(owner) != LOCK_OK)
        return refuse(why, why_size, KAN_INVALID,
                      "options.owner is longer than 1,024 bytes");
    inner.engine = store.store->engine;
    inner.prefix = options->prefix.size ? options->prefix : SLICE("lock||");
    locks = mem_zalloc(sizeof(*locks) + owner.size);
    if (!locks)
        return refuse(why, why_size, KAN_NOMEM, kan_err_text(KAN_NOMEM));
    err = lock_store_new(&inner, why, why_size, &locks->space);
    if (err) {
        mem_free(locks);
        return err == KAN_NOMEM ? refuse(why, why_size, err, kan_err_text(err))
                                : err;
    }
    locks->magic = LOCKS_MAGIC;
    locks->store = store.store;
    locks->owner_size = owner.size;
    memcpy(locks->owner, owner.bytes, owner.size);
    *ret_locks = locks;
    return KAN_OK;
}

/* --- closing -------------------------------------------------------------- */

static void locks_gone(void *data)
{
    kan_locks *locks = data;
    kan_store_close_cb *cb = locks->close_cb;
    void *cb_data = locks->close_data;

    kan_assert(locks->lock_count == 0);
    buffer_fini(&locks->message);
    locks->magic = 0;
    mem_free(locks);
    cb(cb_data);
}

void kan_locks_close_async(kan_locks *locks, void *data, kan_store_close_cb *cb)
{
    check_magic(locks, LOCKS_MAGIC);
    kan_assert(cb && !locks->closing);
    kan_assert(locks->lock_count == 0); /* release them first */
    locks->closing = true;
    locks->close_data = data;
    locks->close_cb = cb;
    lock_store_close(locks->space, locks, locks_gone);
}

static void set_done(void *data)
{
    *(bool *)data = true;
}

void kan_locks_close(kan_locks *locks)
{
    kan_loop *loop;
    bool done = false;

    if (!locks)
        return;
    check_magic(locks, LOCKS_MAGIC);
    loop = locks->store->loop;
    kan_locks_close_async(locks, &done, set_done);
    loop_wait(loop, &done);
}

/* --- a lock that is held -------------------------------------------------- */

static struct kan_slice lock_resource(const kan_lock *lock)
{
    return kan_slice(lock->resource, lock->resource_size);
}

static void tell_lost(struct env_task *task)
{
    kan_lock *lock = task->data;
    kan_lock_lost_cb *cb = lock->lost_cb;

    lock->lost_cb = NULL;
    cb(lock->lost_data, lock, lock->lost);
}

/* Let the owner know, once, if it wants to. */
static void lock_lost(kan_lock *lock)
{
    lock->lost_task.data = lock;
    if (lock->lost != KAN_OK && lock->lost_cb)
        env_defer(lock->store->env, &lock->lost_task, tell_lost);
    else
        env_undefer(lock->store->env, &lock->lost_task);
}

static void lock_free(kan_lock *lock)
{
    kan_assert(!lock->asked && !lock->holding);
    env_undefer(lock->store->env, &lock->lost_task);
    lock->magic = 0;
    mem_free(lock);
}

static void released(kan_lock *lock);

static void on_hold_end(struct lock_hold *hold, enum kan_err why)
{
    kan_lock *lock = hold->data;

    lock->holding = false;
    lock->lease = hold->lease;
    if (why == KAN_NOTFOUND || why == KAN_FENCED) {
        lock->lost = why;
        lock_lost(lock);
    }
    if (lock->change_cb && !lock->asked)
        released(lock);
}

static enum kan_err hold_begin(kan_lock *lock)
{
    enum kan_err err;

    lock->hold.data = lock;
    lock->hold.resource = lock_resource(lock);
    lock->hold.lease = lock->lease;
    err = lock_hold_start(lock->space, &lock->hold, on_hold_end);
    lock->holding = err == KAN_OK;
    return err;
}

uint64_t kan_lock_token(const kan_lock *lock)
{
    check_magic(lock, HELD_MAGIC);
    return held_lease(lock).token;
}

uint64_t kan_lock_left_ms(const kan_lock *lock)
{
    uint64_t now = env_now(lock->store->env);
    struct lock_lease lease = held_lease(lock);

    check_magic(lock, HELD_MAGIC);
    if (lock->lost != KAN_OK || !lock_lease_valid(lease, now))
        return 0;
    return (lease.until_ns - now) / ENV_MS;
}

void kan_lock_on_loss(kan_lock *lock, void *data, kan_lock_lost_cb *cb)
{
    check_magic(lock, HELD_MAGIC);
    lock->lost_data = data;
    lock->lost_cb = cb;
    lock_lost(lock);
}

/* --- acquire -------------------------------------------------------------- */

static void acquire_told(kan_lock *lock, enum kan_err err)
{
    struct kan_acquire *acquire = lock->acquire;
    kan_acquire_cb *cb = lock->acquire_cb;

    acquire->part = NULL;
    if (err) {
        lock_free(lock);
    } else {
        lock->locks->lock_count++;
        acquire->lock = lock;
    }
    cb(acquire, err);
}

/* Granted, but there was no memory to watch over it: given back. */
static void on_given_back(struct lock_request *request)
{
    kan_lock *lock = request->data;

    lock->asked = false;
    acquire_told(lock, lock->err);
}

static void on_acquired(struct lock_request *request)
{
    kan_lock *lock = request->data;
    enum kan_err err = status_of(lock->locks, request);

    lock->asked = false;
    if (!err) {
        lock->lease = request->lease;
        err = hold_begin(lock);
        if (err) {
            (void)locks_fail(lock->locks, err, kan_err_text(err));
            lock->err = err;
            request->token = request->granted;
            request->owner = kan_slice(NULL, 0);
            lock->asked =
                lock_release(lock->space, request, on_given_back) == KAN_OK;
            if (lock->asked)
                return;
        }
    }
    acquire_told(lock, err);
}

static enum kan_err lock_new(kan_locks *locks, struct kan_slice resource,
                             kan_lock **ret_lock)
{
    /* What is too long is not even copied: the block refuses it as it is. */
    size_t size = resource.size <= KAN_RESOURCE_MAX ? resource.size : 0;
    kan_lock *lock = mem_zalloc(sizeof(*lock) + size);

    if (!lock)
        return locks_fail(locks, KAN_NOMEM, kan_err_text(KAN_NOMEM));
    lock->magic = HELD_MAGIC;
    lock->locks = locks;
    lock->space = locks->space;
    lock->store = locks->store;
    lock->resource_size = size;
    if (size)
        memcpy(lock->resource, resource.bytes, size);
    lock->request.data = lock;
    *ret_lock = lock;
    return KAN_OK;
}

static uint64_t wait_until(const kan_locks *locks, uint64_t wait_ms)
{
    uint64_t now = env_now(locks->store->env);

    if (wait_ms == 0)
        return 0;
    return wait_ms > (UINT64_MAX - now) / ENV_MS ? UINT64_MAX
                                                 : now + wait_ms * ENV_MS;
}

enum kan_err kan_lock_acquire_async(kan_locks *locks,
                                    struct kan_acquire *acquire,
                                    kan_acquire_cb *cb)
{
    kan_lock *lock = NULL;
    enum kan_err err;

    check_magic(locks, LOCKS_MAGIC);
    err = lock_new(locks, acquire->resource, &lock);
    if (err)
        return err;
    lock->acquire = acquire;
    lock->acquire_cb = cb;
    lock->request.resource = acquire->resource;
    lock->request.owner = acquire->owner.size
                              ? acquire->owner
                              : kan_slice(locks->owner, locks->owner_size);
    lock->request.expiry_ms = acquire->expiry_ms;
    lock->request.wait_until_ns = wait_until(locks, acquire->wait_ms);
    lock->request.deadline_ns = typed_deadline(locks->store, 0);
    err = lock_acquire(locks->space, &lock->request, on_acquired);
    if (err) {
        lock_free(lock);
        return locks_fail(locks, err, kan_err_text(err));
    }
    lock->asked = true;
    acquire->part = lock;
    return KAN_OK;
}

void kan_lock_acquire_cancel(struct kan_acquire *acquire)
{
    kan_lock *lock = acquire->part;

    check_magic(lock, HELD_MAGIC);
    lock_cancel(&lock->request);
}

struct waited
{
    bool done;
    enum kan_err err;
};

static void acquire_waited(struct kan_acquire *acquire, enum kan_err err)
{
    struct waited *waited = acquire->data;

    waited->err = err;
    waited->done = true;
}

enum kan_err kan_lock_acquire(kan_locks *locks, struct kan_slice resource,
                              uint64_t expiry_ms, uint64_t wait_ms,
                              kan_lock **ret_lock)
{
    struct waited waited = {0};
    struct kan_acquire acquire = {.data = &waited,
                                  .resource = resource,
                                  .expiry_ms = expiry_ms,
                                  .wait_ms = wait_ms};
    enum kan_err err = kan_lock_acquire_async(locks, &acquire, acquire_waited);

    if (err)
        return err;
    loop_wait(locks->store->loop, &waited.done);
    if (waited.err == KAN_OK)
        *ret_lock = acquire.lock;
    return waited.err;
}

enum kan_err kan_lock_try(kan_locks *locks, struct kan_slice resource,
                          uint64_t expiry_ms, kan_lock **ret_lock)
{
    return kan_lock_acquire(locks, resource, expiry_ms, 0, ret_lock);
}

/* --- renew ---------------------------------------------------------------- */

static void request_fill(kan_lock *lock, uint64_t expiry_ms)
{
    lock->request.resource = lock_resource(lock);
    lock->request.owner = kan_slice(NULL, 0);
    lock->request.token = held_lease(lock).token;
    lock->request.expiry_ms = expiry_ms;
    lock->request.deadline_ns = typed_deadline(lock->store, 0);
}

static void on_renewed(struct lock_request *request)
{
    kan_lock *lock = request->data;
    kan_lock_change_cb *cb = lock->change_cb;
    enum kan_err err = status_of(lock->locks, request);

    lock->asked = false;
    lock->change_cb = NULL;
    if (!err && !lock->holding) {
        /* It had been given up for lost, and was not. */
        lock->lost = KAN_OK;
        lock->lease = request->lease;
        err = hold_begin(lock);
    } else if (err == KAN_NOTFOUND || err == KAN_FENCED) {
        lock->lost = err;
    }
    cb(lock->change, err);
}

enum kan_err kan_lock_renew_async(kan_lock *lock,
                                  struct kan_lock_change *change,
                                  kan_lock_change_cb *cb)
{
    enum kan_err err;

    check_magic(lock, HELD_MAGIC);
    if (lock->asked)
        return locks_fail(lock->locks, KAN_BUSY,
                          "a renewal of the lock is under way: wait for it");
    request_fill(lock, change->expiry_ms);
    err = lock_renew(lock->space, &lock->request, on_renewed);
    if (err)
        return locks_fail(lock->locks, err, kan_err_text(err));
    lock->asked = true;
    lock->change = change;
    lock->change_cb = cb;
    return KAN_OK;
}

static void change_waited(struct kan_lock_change *change, enum kan_err err)
{
    struct waited *waited = change->data;

    waited->err = err;
    waited->done = true;
}

enum kan_err kan_lock_renew(kan_lock *lock, uint64_t expiry_ms)
{
    struct waited waited = {0};
    struct kan_lock_change change = {.data = &waited, .expiry_ms = expiry_ms};
    enum kan_err err = kan_lock_renew_async(lock, &change, change_waited);

    if (err)
        return err;
    loop_wait(lock->store->loop, &waited.done);
    return waited.err;
}

/* --- release -------------------------------------------------------------- */

/* The engine has answered and the hold has ended: nothing is left. */
static void released(kan_lock *lock)
{
    struct kan_lock_change *change = lock->change;
    kan_lock_change_cb *cb = lock->change_cb;
    enum kan_err err = lock->err;

    lock->locks->lock_count--;
    lock_free(lock);
    cb(change, err);
}

static void on_released(struct lock_request *request)
{
    kan_lock *lock = request->data;

    lock->asked = false;
    lock->err = status_of(lock->locks, request);
    if (!lock->holding)
        released(lock);
}

/* No word of a loss any more; cb when all has ended. */
static void release_begin(kan_lock *lock, struct kan_lock_change *change,
                          kan_lock_change_cb *cb)
{
    lock->lost_cb = NULL;
    lock->change = change;
    lock->change_cb = cb;
    env_undefer(lock->store->env, &lock->lost_task);
    if (lock->holding)
        lock_hold_stop(&lock->hold);
}

enum kan_err kan_lock_release_async(kan_lock *lock,
                                    struct kan_lock_change *change,
                                    kan_lock_change_cb *cb)
{
    enum kan_err err;

    check_magic(lock, HELD_MAGIC);
    kan_assert(!lock->asked); /* a renewal must have ended */
    request_fill(lock, 0);
    err = lock_release(lock->space, &lock->request, on_released);
    if (err)
        return locks_fail(lock->locks, err, kan_err_text(err));
    lock->asked = true;
    release_begin(lock, change, cb);
    return KAN_OK;
}

enum kan_err kan_lock_release(kan_lock *lock)
{
    struct waited waited = {0};
    struct kan_lock_change change = {.data = &waited};
    kan_loop *loop;
    enum kan_err err;

    if (!lock)
        return KAN_OK;
    check_magic(lock, HELD_MAGIC);
    loop = lock->store->loop;
    err = kan_lock_release_async(lock, &change, change_waited);
    if (err) {
        /* The handle goes all the same, and the lease ends by itself. */
        lock->err = err;
        release_begin(lock, &change, change_waited);
        if (!lock->holding)
            released(lock);
    }
    loop_wait(loop, &waited.done);
    return waited.err;
}

/* --- writing as a holder -------------------------------------------------- */

enum kan_err kan_strong_commit_fenced(kan_strong store, const kan_lock *lock,
                                      const struct kan_op *ops,
                                      uint32_t op_count, uint64_t *ret_revision)
{
    check_magic(lock, HELD_MAGIC);
    return typed_commit(store.store, lock, ops, op_count, ret_revision);
}

enum kan_err kan_strong_put_fenced(kan_strong store, const kan_lock *lock,
                                   struct kan_slice key, struct kan_slice value,
                                   uint32_t ttl_seconds, uint64_t *ret_revision)
{
    struct kan_op op = {.key = key, .value = value, .ttl_seconds = ttl_seconds};

    return kan_strong_commit_fenced(store, lock, &op, 1, ret_revision);
}
