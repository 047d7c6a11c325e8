/* Requests handed through to another engine. An op is in one of two lists: the
 * inner engine's (open), or ours (waiting); what nobody waits for any more is
 * only ever in open. */

#include "engine/wrap.h"

#include "base/alloc.h"
#include "base/assert.h"

static struct wrap *wrap_of(struct engine *engine)
{
    return (struct wrap *)(void *)engine;
}

/* --- ops ------------------------------------------------------------------ */

static void op_free(struct wrap_op *op)
{
    env_timer_stop(op->wrap->engine.env, &op->timer);
    env_undefer(op->wrap->engine.env, &op->task);
    list_remove(&op->link);
    mem_free(op->copy);
    mem_free(op);
}

/* What the inner engine set, for the owner of the request. */
static void op_outs(struct wrap_op *op, struct engine_request *outer)
{
    if (outer->kind == ENGINE_REQUEST_COMMIT) {
        struct engine_commit *commit = (struct engine_commit *)(void *)outer;
        commit->revision = op->inner.commit.revision;
        commit->failed_guard = op->inner.commit.failed_guard;
    }
    if (outer->kind == ENGINE_REQUEST_GET) {
        struct engine_get *get = (struct engine_get *)(void *)outer;
        get->items = op->inner.get.items;
        get->revision = op->inner.get.revision;
    }
    if (outer->kind == ENGINE_REQUEST_SCAN) {
        struct engine_scan *scan = (struct engine_scan *)(void *)outer;
        scan->items = op->inner.scan.items;
        scan->item_count = op->inner.scan.item_count;
        scan->more = op->inner.scan.more;
        scan->revision = op->inner.scan.revision;
    }
}

/* Tell the owner, who may do anything. */
static void op_tell(struct wrap_op *op, enum kan_err err)
{
    struct engine_request *outer = op->outer;

    op->outer = NULL;
    outer->op = NULL;
    engine_answer(outer, err);
}

void wrap_answer(struct wrap_op *op, enum kan_err err)
{
    struct wrap *wrap = op->wrap;

    if (op->outer) {
        if (op->state != WRAP_WAITING)
            op_outs(op, op->outer);
        wrap->hooks->ended(op, err);
        op_tell(op, err);
    }
    op_free(op);
}

static void answer_task(struct env_task *task)
{
    struct wrap_op *op = task->data;

    wrap_answer(op, op->err);
}

void wrap_answer_later(struct wrap_op *op, enum kan_err err)
{
    op->err = err;
    env_defer(op->wrap->engine.env, &op->task, answer_task);
}

void wrap_abandon(struct wrap_op *op, enum kan_err err)
{
    op->wrap->hooks->ended(op, err);
    if (op->state == WRAP_OPEN) {
        engine_cancel(&op->inner.request);
        op_tell(op, err);
    } else {
        op_tell(op, err);
        op_free(op);
    }
}

/* What the inner engine says about a failure of its own. */
static void wrap_explain(struct wrap *wrap, enum kan_err err)
{
    if (err && err != KAN_CONFLICT)
        engine_fail(&wrap->engine, "%s", engine_message(wrap->inner));
}

/* --- answers of the inner engine ------------------------------------------ */

static void inner_answered(struct wrap_op *op, enum kan_err err)
{
    list_remove(&op->link);
    list_push(&op->wrap->waiting, &op->link);
    op->state = WRAP_HELD;
    op->err = err;
    if (op->outer) {
        wrap_explain(op->wrap, err);
        op->wrap->hooks->answered(op, err);
    } else {
        op_free(op);
    }
}

static void inner_commit(struct engine_commit *commit, enum kan_err err)
{
    inner_answered(commit->request.data, err);
}

static void inner_get(struct engine_get *get, enum kan_err err)
{
    inner_answered(get->request.data, err);
}

static void inner_scan(struct engine_scan *scan, enum kan_err err)
{
    inner_answered(scan->request.data, err);
}

static void inner_watch(struct engine_watch *watch, enum kan_err err,
                        uint64_t revision, const struct engine_change *changes,
                        uint32_t change_count)
{
    struct wrap_op *op = watch->request.data;

    if (err) {
        inner_answered(op, err);
        return;
    }
    if (op->outer &&
        op->wrap->hooks->report(op, revision, changes, change_count))
        engine_report((struct engine_watch *)(void *)op->outer, revision,
                      changes, change_count);
}

/* --- forwarding ----------------------------------------------------------- */

static enum kan_err inner_submit(struct wrap_op *op)
{
    struct engine *inner = op->wrap->inner;

    switch (wrap_kind(op)) {
    case ENGINE_REQUEST_COMMIT:
        return engine_commit(inner, &op->inner.commit, inner_commit);
    case ENGINE_REQUEST_GET:
        return engine_get(inner, &op->inner.get, inner_get);
    case ENGINE_REQUEST_SCAN:
        return engine_scan(inner, &op->inner.scan, inner_scan);
    case ENGINE_REQUEST_WATCH:
        return engine_watch(inner, &op->inner.watch, inner_watch);
    }
    return KAN_INVALID;
}

void wrap_forward(struct wrap_op *op)
{
    enum kan_err err;

    kan_assert(op->state == WRAP_WAITING);
    err = inner_submit(op);
    if (err) {
        wrap_explain(op->wrap, err);
        wrap_answer_later(op, err);
        return;
    }
    op->state = WRAP_OPEN;
    list_remove(&op->link);
    list_push(&op->wrap->open, &op->link);
    op->copy = mem_free(op->copy);
}

/* --- holding -------------------------------------------------------------- */

static void copy_slice(unsigned char **at, struct kan_slice *slice)
{
    if (slice->size)
        memcpy(*at, slice->bytes, slice->size);
    slice->bytes = *at;
    *at += slice->size;
}

static size_t commit_size(const struct engine_commit *commit)
{
    size_t size = commit->id.size +
                  commit->guard_count * sizeof(struct engine_guard) +
                  commit->write_count * sizeof(struct engine_write);

    for (uint32_t i = 0; i < commit->guard_count; i++)
        size += commit->guards[i].key.size;
    for (uint32_t i = 0; i < commit->write_count; i++)
        size += commit->writes[i].key.size + commit->writes[i].value.size;
    return size;
}

static bool copy_commit(struct wrap_op *op, struct engine_commit *commit)
{
    size_t guards = commit->guard_count * sizeof(struct engine_guard);
    size_t writes = commit->write_count * sizeof(struct engine_write);
    struct engine_guard *guard = op->copy = mem_alloc(commit_size(commit));
    struct engine_write *write;
    unsigned char *at;

    if (!guard)
        return false;
    write = (struct engine_write *)(void *)(guard + commit->guard_count);
    at = (unsigned char *)(write + commit->write_count);
    if (guards)
        memcpy(guard, commit->guards, guards);
    if (writes)
        memcpy(write, commit->writes, writes);
    commit->guards = guard;
    commit->writes = write;
    copy_slice(&at, &commit->id);
    for (uint32_t i = 0; i < commit->guard_count; i++)
        copy_slice(&at, &guard[i].key);
    for (uint32_t i = 0; i < commit->write_count; i++) {
        copy_slice(&at, &write[i].key);
        copy_slice(&at, &write[i].value);
    }
    return true;
}

static bool copy_get(struct wrap_op *op, struct engine_get *get)
{
    size_t size = get->key_count * sizeof(struct kan_slice);
    struct kan_slice *keys;
    unsigned char *at;

    for (uint32_t i = 0; i < get->key_count; i++)
        size += get->keys[i].size;
    keys = op->copy = mem_alloc(size);
    if (!keys)
        return false;
    at = (unsigned char *)(keys + get->key_count);
    for (uint32_t i = 0; i < get->key_count; i++) {
        keys[i] = get->keys[i];
        copy_slice(&at, &keys[i]);
    }
    get->keys = keys;
    return true;
}

static bool copy_two(struct wrap_op *op, struct kan_slice *a,
                     struct kan_slice *b)
{
    unsigned char *at = op->copy = mem_alloc(a->size + (b ? b->size : 0));

    if (!at)
        return false;
    copy_slice(&at, a);
    if (b)
        copy_slice(&at, b);
    return true;
}

static bool op_copy(struct wrap_op *op)
{
    switch (wrap_kind(op)) {
    case ENGINE_REQUEST_COMMIT:
        return copy_commit(op, &op->inner.commit);
    case ENGINE_REQUEST_GET:
        return copy_get(op, &op->inner.get);
    case ENGINE_REQUEST_SCAN:
        return copy_two(op, &op->inner.scan.prefix, &op->inner.scan.after);
    case ENGINE_REQUEST_WATCH:
        return copy_two(op, &op->inner.watch.prefix, NULL);
    }
    return false;
}

enum kan_err wrap_hold(struct wrap_op *op, uint64_t due_ns, enum kan_err err,
                       env_timer_cb *then)
{
    kan_assert(op->state != WRAP_OPEN);
    op->err = err;
    op->timer.data = op;
    if (env_timer_start(op->wrap->engine.env, &op->timer, due_ns, then))
        return KAN_NOMEM;
    if (op->state == WRAP_WAITING && !op->copy && !op_copy(op)) {
        env_timer_stop(op->wrap->engine.env, &op->timer);
        return KAN_NOMEM;
    }
    return KAN_OK;
}

/* --- methods -------------------------------------------------------------- */

static void begin_nomem(struct env_task *task)
{
    struct engine_request *request = task->data;

    engine_fail(request->engine, "%s: out of memory",
                request->engine->ops->name);
    engine_answer(request, KAN_NOMEM);
}

/* A new op for the request, or NULL: then it is answered. */
static struct wrap_op *op_new(struct engine *engine,
                              struct engine_request *request)
{
    struct wrap *wrap = wrap_of(engine);
    struct wrap_op *op = mem_zalloc(sizeof *op);

    request->op = op;
    if (!op) {
        env_defer(engine->env, &request->task, begin_nomem);
        return NULL;
    }
    op->wrap = wrap;
    op->outer = request;
    op->number = ++wrap->count;
    op->task.data = op;
    list_push(&wrap->waiting, &op->link);
    return op;
}

/* Deadlines are kept by the outer engine alone. */
static void op_begin(struct wrap_op *op)
{
    memset(&op->inner.request, 0, sizeof op->inner.request);
    op->inner.request.data = op;
    op->inner.request.deadline_ns = UINT64_MAX;
    op->wrap->hooks->begin(op);
}

static void wrap_commit(struct engine *engine, struct engine_commit *commit)
{
    struct wrap_op *op = op_new(engine, &commit->request);

    if (!op)
        return;
    op->inner.commit = *commit;
    op_begin(op);
}

static void wrap_get(struct engine *engine, struct engine_get *get)
{
    struct wrap_op *op = op_new(engine, &get->request);

    if (!op)
        return;
    op->inner.get = *get;
    op_begin(op);
}

static void wrap_scan(struct engine *engine, struct engine_scan *scan)
{
    struct wrap_op *op = op_new(engine, &scan->request);

    if (!op)
        return;
    op->inner.scan = *scan;
    op_begin(op);
}

static void wrap_watch(struct engine *engine, struct engine_watch *watch)
{
    struct wrap_op *op = op_new(engine, &watch->request);

    if (!op)
        return;
    op->inner.watch = *watch;
    op_begin(op);
}

static void wrap_cancel(struct engine *engine, struct engine_request *request,
                        enum kan_err err)
{
    struct wrap_op *op = request->op;

    if (op) {
        wrap_abandon(op, err);
    } else {
        env_undefer(engine->env, &request->task);
        engine_answer(request, err);
    }
}

static void wrap_stats(struct engine *engine, struct engine_stats *ret_stats)
{
    struct wrap *wrap = wrap_of(engine);

    *ret_stats = engine_stats(wrap->inner);
    wrap->hooks->stats(wrap, ret_stats);
}

/* --- closing -------------------------------------------------------------- */

static void inner_closed(void *data)
{
    struct wrap *wrap = data;
    env_close_cb *cb = wrap->close_cb;
    void *close_data = wrap->close_data;

    kan_assert(list_empty(&wrap->waiting) && list_empty(&wrap->open));
    wrap->engine.behind = NULL;
    wrap->hooks->fini(wrap);
    engine_fini(&wrap->engine);
    mem_free(wrap);
    cb(close_data);
}

/* Commits without an op: they are about to be told that memory was out. */
static void close_starved(struct engine *engine)
{
    struct list rest, *link;

    list_init(&rest);
    list_splice(&rest, &engine->open);
    while ((link = list_pop(&rest)) != NULL) {
        struct engine_request *request =
            list_entry(link, struct engine_request, open);
        list_push(&engine->open, link);
        if (!request->op)
            wrap_cancel(engine, request, KAN_CLOSED);
    }
}

static void wrap_close(struct engine *engine, void *data, env_close_cb *cb)
{
    struct wrap *wrap = wrap_of(engine);
    struct list *link;

    wrap->close_data = data;
    wrap->close_cb = cb;
    close_starved(engine);
    while ((link = list_first(&wrap->waiting)) != NULL) {
        struct wrap_op *op = list_entry(link, struct wrap_op, link);
        wrap_answer(op, op->state == WRAP_HELD ? op->err : KAN_CLOSED);
    }
    engine_close(wrap->inner, wrap, inner_closed);
}

void wrap_init(struct wrap *wrap, const char *name,
               const struct wrap_hooks *hooks, struct env *env,
               struct engine *inner)
{
    wrap->ops.name = name;
    wrap->ops.commit = wrap_commit;
    wrap->ops.get = wrap_get;
    wrap->ops.scan = wrap_scan;
    wrap->ops.watch = wrap_watch;
    wrap->ops.cancel = wrap_cancel;
    wrap->ops.close = wrap_close;
    wrap->ops.stats = wrap_stats;
    wrap->hooks = hooks;
    wrap->inner = inner;
    engine_init(&wrap->engine, &wrap->ops, env);
    wrap->engine.promises = *engine_promises(inner);
    wrap->engine.behind = inner;
    list_init(&wrap->waiting);
    list_init(&wrap->open);
}
