/* How C programs write: one key at any level, many with conditions at the
 * strong one. A condition on revision 0, which no key has, is refused. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/lock/held.h"
#include "block/loop/loop.h"
#include "block/state/typed.h"

/* --- writing -------------------------------------------------------------- */

struct write_part;

/* Tell the request's owner. */
typedef void write_tell(struct write_part *part, enum kan_err err);

struct write_part
{
    struct state_write write;
    struct kan_store *store;
    void *request; /* a kan_commit or a kan_write */
    union
    {
        kan_commit_cb *commit;
        kan_write_cb *write;
    } cb;
    write_tell *tell;
    const struct kan_lock *lock; /* that must be held; NULL: none */
    struct state_op op;          /* of a request with one */
    struct state_op *ops;        /* of one with more */
    bool heap;                   /* this part is to be freed */
};

static struct state_op op_of(const struct kan_op *from)
{
    static const enum state_op_kind kinds[] = {
        [KAN_PUT] = STATE_SET,
        [KAN_DELETE] = STATE_DELETE,
        [KAN_CHECK] = STATE_CHECK,
    };
    struct state_op op = {0};

    kan_assert((unsigned)from->kind <= KAN_CHECK);
    kan_assert((unsigned)from->condition <= KAN_IF_REVISION);
    op.kind = kinds[from->kind];
    op.key = from->key;
    op.value = from->value;
    op.ttl_given = true;
    op.ttl_seconds = from->ttl_seconds;
    if (from->condition == KAN_IF_ABSENT)
        op.concurrency = STATE_FIRST_WRITE;
    if (from->condition == KAN_IF_REVISION)
        op.revision = from->revision;
    /* No key has revision 0, and "0" is no etag: the block will refuse it. */
    if (from->condition == KAN_IF_REVISION && from->revision == 0)
        op.etag = SLICE("0");
    return op;
}

static void on_write(struct state_write *write)
{
    struct write_part *part = write->data;
    enum kan_err err = typed_outcome(part->store, write->outcome, write->err,
                                     "operation", write->failed_op);
    struct state_op *ops = part->ops;
    bool heap = part->heap;

    if (!err)
        typed_see(part->store, write->revision);
    part->tell(part, err);
    mem_free(ops);
    if (heap)
        mem_free(part);
}

/* The guard that refuses the write unless the lock is held. It points into
 * *key. */
static enum kan_err fence_of(const struct kan_store *store,
                             const struct kan_lock *lock, struct lock_key *key,
                             struct engine_guard *ret_guard)
{
    if (lock->store != store)
        return KAN_INVALID;
    return lock_fence_guard(lock->space,
                            kan_slice(lock->resource, lock->resource_size),
                            held_lease(lock).token, key, ret_guard);
}

static enum kan_err write_begin(struct write_part *part,
                                struct kan_store *store, uint32_t timeout_ms)
{
    struct engine_guard fence;
    struct lock_key key;
    enum kan_err err = KAN_OK;

    if (part->lock)
        err = fence_of(store, part->lock, &key, &fence);
    if (err)
        return typed_fail(store, err);
    part->write.fence = part->lock ? &fence : NULL;
    part->store = store;
    part->write.data = part;
    part->write.ops = part->ops ? part->ops : &part->op;
    part->write.atomic = part->write.op_count > 1;
    part->write.deadline_ns = typed_deadline(store, timeout_ms);
    err = state_write(store->state, &part->write, on_write);
    part->write.fence = NULL;
    return err ? typed_fail(store, err) : KAN_OK;
}

static void commit_tell(struct write_part *part, enum kan_err err)
{
    struct kan_commit *commit = part->request;

    if (!err)
        commit->revision = part->write.revision;
    else
        commit->failed_op = part->write.failed_op;
    part->cb.commit(commit, err);
}

static enum kan_err commit_begin(struct write_part *part,
                                 struct kan_store *store,
                                 struct kan_commit *commit, kan_commit_cb *cb)
{
    uint32_t count = commit->op_count;
    enum kan_err err;

    part->request = commit;
    part->lock = commit->lock;
    part->cb.commit = cb;
    part->tell = commit_tell;
    part->write.op_count = count;
    if (count == 1)
        part->op = op_of(&commit->ops[0]);
    /* More than the block takes are not even looked at: it says so. */
    if (count > 1 && count <= KAN_OPS_MAX) {
        part->ops = mem_alloc(count * sizeof(*part->ops));
        if (!part->ops)
            return typed_fail(store, KAN_NOMEM);
        for (uint32_t i = 0; i < count; i++)
            part->ops[i] = op_of(&commit->ops[i]);
    }
    err = write_begin(part, store, commit->timeout_ms);
    if (err)
        part->ops = mem_free(part->ops);
    return err;
}

enum kan_err typed_commit_async(struct kan_store *store,
                                struct kan_commit *commit, kan_commit_cb *cb)
{
    enum kan_err err = typed_enter(store);
    struct write_part *part;

    if (err)
        return err;
    part = mem_zalloc(sizeof(*part));
    if (!part)
        return typed_fail(store, KAN_NOMEM);
    part->heap = true;
    err = commit_begin(part, store, commit, cb);
    if (err)
        mem_free(part);
    return err;
}

static void write_tell_one(struct write_part *part, enum kan_err err)
{
    struct kan_write *write = part->request;

    if (!err)
        write->revision = part->write.revision;
    part->cb.write(write, err);
}

enum kan_err typed_write_async(struct kan_store *store, enum kan_op_kind kind,
                               struct kan_write *write, kan_write_cb *cb)
{
    struct kan_op op = {.kind = kind,
                        .key = write->key,
                        .value = write->value,
                        .ttl_seconds = write->ttl_seconds};
    enum kan_err err = typed_enter(store);
    struct write_part *part;

    if (err)
        return err;
    part = mem_zalloc(sizeof(*part));
    if (!part)
        return typed_fail(store, KAN_NOMEM);
    part->heap = true;
    part->request = write;
    part->cb.write = cb;
    part->tell = write_tell_one;
    part->write.op_count = 1;
    part->op = op_of(&op);
    err = write_begin(part, store, write->timeout_ms);
    if (err)
        mem_free(part);
    return err;
}

struct commit_wait
{
    bool done;
    enum kan_err err;
};

static void commit_waited(struct kan_commit *commit, enum kan_err err)
{
    struct commit_wait *wait = commit->data;

    wait->err = err;
    wait->done = true;
}

enum kan_err typed_commit(struct kan_store *store, const struct kan_lock *lock,
                          const struct kan_op *ops, uint32_t op_count,
                          uint64_t *ret_revision)
{
    struct commit_wait wait = {0};
    struct kan_commit commit = {
        .data = &wait, .ops = ops, .op_count = op_count, .lock = lock};
    struct write_part part = {0};
    enum kan_err err = typed_enter(store);

    if (!err)
        err = commit_begin(&part, store, &commit, commit_waited);
    if (err)
        return err;
    loop_wait(store->loop, &wait.done);
    if (wait.err == KAN_OK && ret_revision)
        *ret_revision = commit.revision;
    return wait.err;
}
