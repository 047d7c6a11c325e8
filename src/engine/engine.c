/* The front end of every engine: what blocks call.
 *
 * It refuses what is outside the promises and the documented limits, so that
 * an engine sees only valid requests; it holds deadlines and counts; and it
 * makes the contract of env.h true whatever the engine does: one answer, never
 * within the call. Cancels and the close are carried out by one deferred task,
 * so that they are safe within any callback. */

#include "engine/engine.h"

#include "base/assert.h"

enum
{
    ENGINE_MAGIC = 0x656e6769, /* "engi" */
    OPEN_MAX = 65536
};

enum request_state
{
    REQUEST_ENDED, /* 0: never submitted, or answered */
    REQUEST_OPEN,
    REQUEST_CANCELING
};

/* --- life cycle ----------------------------------------------------------- */

void engine_init(struct engine *engine, const struct engine_ops *ops,
                 struct env *env)
{
    memset(engine, 0, sizeof *engine);
    engine->magic = ENGINE_MAGIC;
    engine->ops = ops;
    engine->env = env;
    engine->task.data = engine;
    list_init(&engine->open);
    list_init(&engine->canceling);
}

void engine_fini(struct engine *engine)
{
    check_magic(engine, ENGINE_MAGIC);
    kan_assert(engine->open_count == 0);
    env_undefer(engine->env, &engine->task);
    buffer_fini(&engine->message);
    engine->magic = 0;
}

void engine_fail(struct engine *engine, const char *format, ...)
{
    va_list args;

    check_magic(engine, ENGINE_MAGIC);
    buffer_clear(&engine->message);
    va_start(args, format);
    buffer_vprint(&engine->message, format, args);
    va_end(args);
}

const char *engine_message(struct engine *engine)
{
    check_magic(engine, ENGINE_MAGIC);
    return buffer_text(&engine->message);
}

struct engine_cursor engine_cursor(const struct engine *engine)
{
    check_magic(engine, ENGINE_MAGIC);
    return engine->behind ? engine_cursor(engine->behind) : engine->cursor;
}

const struct engine_promises *engine_promises(const struct engine *engine)
{
    check_magic(engine, ENGINE_MAGIC);
    return &engine->promises;
}

struct engine_stats engine_stats(struct engine *engine)
{
    struct engine_stats stats = {0};

    check_magic(engine, ENGINE_MAGIC);
    engine->ops->stats(engine, &stats);
    stats.waiting = engine->open_count;
    return stats;
}

/* --- requests ------------------------------------------------------------- */

static void request_expire(struct env_timer *timer)
{
    struct engine_request *request = timer->data;

    request->engine->ops->cancel(request->engine, request, KAN_TIMEOUT);
}

static enum kan_err request_arm(struct engine *engine,
                                struct engine_request *request)
{
    uint64_t due = request->deadline_ns;

    if (due == 0)
        due = env_now(engine->env) + (uint64_t)ENGINE_DEADLINE_MS * ENV_MS;
    return env_timer_start(engine->env, &request->timer, due, request_expire);
}

/* Count the request in, or refuse it. */
static enum kan_err request_begin(struct engine *engine,
                                  struct engine_request *request,
                                  enum engine_request_kind kind)
{
    uint32_t max = engine->open_max ? engine->open_max : OPEN_MAX;

    if (engine->open_count >= max) {
        engine_fail(engine,
                    "%s: %u requests are under way, the most it takes; "
                    "wait for answers before sending more",
                    engine->ops->name, max);
        return KAN_BUSY;
    }
    request->engine = engine;
    request->err = KAN_OK;
    request->kind = (uint8_t)kind;
    request->state = REQUEST_OPEN;
    request->op = NULL;
    memset(&request->link, 0, sizeof request->link);
    memset(&request->open, 0, sizeof request->open);
    memset(&request->timer, 0, sizeof request->timer);
    memset(&request->task, 0, sizeof request->task);
    request->timer.data = request;
    request->task.data = request;
    if (kind != ENGINE_REQUEST_WATCH && request_arm(engine, request)) {
        request->state = REQUEST_ENDED;
        engine_fail(engine, "%s: out of memory for a timer", engine->ops->name);
        return KAN_NOMEM;
    }
    list_push(&engine->open, &request->open);
    engine->open_count++;
    return KAN_OK;
}

static enum kan_err engine_enter(struct engine *engine)
{
    check_magic(engine, ENGINE_MAGIC);
    kan_assert(!engine->submitting);
    if (!engine->closing)
        return KAN_OK;
    engine_fail(engine, "%s: the engine is closing", engine->ops->name);
    return KAN_CLOSED;
}

void engine_answer(struct engine_request *request, enum kan_err err)
{
    struct engine *engine = request->engine;

    check_magic(engine, ENGINE_MAGIC);
    kan_assert(!engine->submitting);
    kan_assert(request->state != REQUEST_ENDED);
    env_timer_stop(engine->env, &request->timer);
    list_remove(&request->open);
    engine->open_count--;
    request->state = REQUEST_ENDED;
    request->err = err;
    switch ((enum engine_request_kind)request->kind) {
    case ENGINE_REQUEST_COMMIT: {
        struct engine_commit *commit = (struct engine_commit *)(void *)request;
        commit->cb(commit, err);
        break;
    }
    case ENGINE_REQUEST_GET: {
        struct engine_get *get = (struct engine_get *)(void *)request;
        get->cb(get, err);
        break;
    }
    case ENGINE_REQUEST_SCAN: {
        struct engine_scan *scan = (struct engine_scan *)(void *)request;
        scan->cb(scan, err);
        break;
    }
    case ENGINE_REQUEST_WATCH: {
        struct engine_watch *watch = (struct engine_watch *)(void *)request;
        kan_assert(err != KAN_OK);
        watch->cb(watch, err, 0, NULL, 0);
        break;
    }
    }
}

void engine_report(struct engine_watch *watch, uint64_t revision,
                   const struct engine_change *changes, uint32_t change_count)
{
    struct engine *engine = watch->request.engine;

    check_magic(engine, ENGINE_MAGIC);
    kan_assert(!engine->submitting);
    kan_assert(watch->request.state != REQUEST_ENDED);
    kan_assert(change_count > 0);
    if (watch->request.state == REQUEST_OPEN)
        watch->cb(watch, KAN_OK, revision, changes, change_count);
}

/* --- ending early --------------------------------------------------------- */

/* Carry out the cancels asked for so far. Callbacks may ask for more. */
static void engine_cancel_all(struct engine *engine)
{
    struct list *link;

    while ((link = list_pop(&engine->canceling)) != NULL) {
        struct engine_request *request =
            list_entry(link, struct engine_request, open);
        engine->ops->cancel(engine, request, KAN_CANCELED);
    }
}

/* End what cannot have had an effect, in order of submission; commits are left
 * to the engine, which alone knows whether they have begun. */
static void engine_close_reads(struct engine *engine)
{
    struct list rest, *link;

    list_init(&rest);
    list_splice(&rest, &engine->open);
    while ((link = list_pop(&rest)) != NULL) {
        struct engine_request *request =
            list_entry(link, struct engine_request, open);
        if (request->kind == ENGINE_REQUEST_COMMIT)
            list_push(&engine->open, link);
        else
            engine->ops->cancel(engine, request, KAN_CLOSED);
    }
}

static void engine_turn(struct env_task *task)
{
    struct engine *engine = task->data;

    check_magic(engine, ENGINE_MAGIC);
    engine_cancel_all(engine);
    if (!engine->closing || engine->closed)
        return;
    engine_close_reads(engine);
    engine_cancel_all(engine);
    engine->closed = true;
    engine->ops->close(engine, engine->close_data, engine->close_cb);
}

void engine_cancel(struct engine_request *request)
{
    struct engine *engine = request->engine;

    if (request->state != REQUEST_OPEN)
        return;
    check_magic(engine, ENGINE_MAGIC);
    request->state = REQUEST_CANCELING;
    list_remove(&request->open);
    list_push(&engine->canceling, &request->open);
    env_defer(engine->env, &engine->task, engine_turn);
}

static void closed_nothing(void *data)
{
    (void)data;
}

void engine_close(struct engine *engine, void *data, env_close_cb *cb)
{
    check_magic(engine, ENGINE_MAGIC);
    kan_assert(!engine->closing);
    engine->closing = true;
    engine->close_data = data;
    engine->close_cb = cb ? cb : closed_nothing;
    env_defer(engine->env, &engine->task, engine_turn);
}

/* --- what is checked before a request is let through ---------------------- */

/* Where in a commit something is wrong, for the message. */
struct place
{
    const char *what; /* "guard", "write", "key" */
    uint32_t index;
};

static enum kan_err check_key(struct engine *engine, struct place place,
                              uint64_t size)
{
    if (size == 0) {
        engine_fail(engine,
                    "%s: %s %u: the key is empty; name one of 1 to %u "
                    "bytes",
                    engine->ops->name, place.what, place.index,
                    engine->promises.key_max);
        return KAN_INVALID;
    }
    if (size > engine->promises.key_max) {
        engine_fail(engine,
                    "%s: %s %u: the key would have %llu bytes, the most is "
                    "%u; shorten it",
                    engine->ops->name, place.what, place.index,
                    (unsigned long long)size, engine->promises.key_max);
        return KAN_INVALID;
    }
    return KAN_OK;
}

static enum kan_err refuse(struct engine *engine, struct place place,
                           const char *why)
{
    engine_fail(engine, "%s: %s %u: %s", engine->ops->name, place.what,
                place.index, why);
    return KAN_INVALID;
}

static enum kan_err check_guard(struct engine *engine,
                                const struct engine_guard *guard,
                                uint32_t index)
{
    struct place place = {"guard", index};

    kan_assert((unsigned)guard->kind <= ENGINE_IF_PRESENT);
    if (guard->kind == ENGINE_IF_CREATED && !engine->promises.guard_created)
        return refuse(engine, place,
                      "guards on created are not promised; guard on version, "
                      "or choose another engine");
    return check_key(engine, place, guard->key.size);
}

static enum kan_err check_ttl(struct engine *engine,
                              const struct engine_write *write,
                              struct place place)
{
    bool expires = write->ttl_kind != ENGINE_FOREVER;

    kan_assert((unsigned)write->ttl_kind <= ENGINE_LEASE);
    if (engine->promises.expiry_ms == 0 &&
        (expires || write->kind == ENGINE_TOUCH))
        return refuse(engine, place,
                      "time to live is not promised; leave it out, or choose "
                      "another engine");
    if (expires && write->ttl_ms == 0)
        return refuse(engine, place,
                      "a time to live of 0 ms; give one of at least 1 ms, or "
                      "ENGINE_FOREVER");
    return KAN_OK;
}

static enum kan_err check_value(struct engine *engine,
                                const struct engine_write *write,
                                struct place place)
{
    if (write->value.size <= engine->promises.value_max)
        return KAN_OK;
    engine_fail(engine,
                "%s: %s %u: the value has %zu bytes, the most is %u; split it",
                engine->ops->name, place.what, place.index, write->value.size,
                engine->promises.value_max);
    return KAN_INVALID;
}

/* Bytes of the key that the write names or makes. */
static uint64_t write_key_size(const struct engine_write *write)
{
    return (uint64_t)write->key.size +
           (write->kind == ENGINE_APPEND ? ENGINE_APPEND_SIZE : 0);
}

static enum kan_err check_write(struct engine *engine,
                                const struct engine_write *write,
                                uint32_t index)
{
    struct place place = {"write", index};
    enum kan_err err;

    kan_assert((unsigned)write->kind <= ENGINE_APPEND);
    if (write->kind == ENGINE_APPEND && !engine->promises.append)
        return refuse(engine, place,
                      "append is not promised; put under a key of your own, "
                      "or choose another engine");
    err = check_key(engine, place, write_key_size(write));
    if (!err && write->kind != ENGINE_DELETE)
        err = check_ttl(engine, write, place);
    if (!err && (write->kind == ENGINE_PUT || write->kind == ENGINE_APPEND))
        err = check_value(engine, write, place);
    return err;
}

/* How much of ops_max a commit takes. */
static uint64_t commit_ops(const struct engine_commit *commit)
{
    uint64_t ops = (uint64_t)commit->guard_count + commit->write_count;

    if (commit->write_count != 1)
        return ops;
    for (uint32_t i = 0; i < commit->guard_count; i++)
        if (!slice_equal(commit->guards[i].key, commit->writes[0].key))
            return ops;
    return 1;
}

static uint64_t commit_bytes(const struct engine_commit *commit)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < commit->guard_count; i++)
        bytes += commit->guards[i].key.size;
    for (uint32_t i = 0; i < commit->write_count; i++) {
        const struct engine_write *write = &commit->writes[i];
        bytes += write_key_size(write);
        if (write->kind == ENGINE_PUT || write->kind == ENGINE_APPEND)
            bytes += write->value.size;
    }
    return bytes;
}

static enum kan_err check_counts(struct engine *engine,
                                 const struct engine_commit *commit)
{
    uint64_t ops = commit_ops(commit);

    if (ops == 0) {
        engine_fail(engine, "%s: a commit without guards and writes",
                    engine->ops->name);
        return KAN_INVALID;
    }
    if (ops > engine->promises.ops_max) {
        engine_fail(engine,
                    "%s: %llu guards and writes in one commit, the most is "
                    "%u; split it, or choose another engine",
                    engine->ops->name, (unsigned long long)ops,
                    engine->promises.ops_max);
        return KAN_INVALID;
    }
    return KAN_OK;
}

static enum kan_err check_id(struct engine *engine, struct kan_slice id)
{
    if (id.size == 0)
        return KAN_OK;
    if (engine->promises.dedupe_ms == 0) {
        engine_fail(engine,
                    "%s: commit ids are not promised; leave the id out, or "
                    "choose another engine",
                    engine->ops->name);
        return KAN_INVALID;
    }
    if (id.size > ENGINE_ID_MAX) {
        engine_fail(engine, "%s: the commit id has %zu bytes, the most is %d",
                    engine->ops->name, id.size, ENGINE_ID_MAX);
        return KAN_INVALID;
    }
    return KAN_OK;
}

static enum kan_err check_commit(struct engine *engine,
                                 const struct engine_commit *commit)
{
    uint64_t bytes;
    enum kan_err err = check_id(engine, commit->id);

    if (!err)
        err = check_counts(engine, commit);
    for (uint32_t i = 0; !err && i < commit->guard_count; i++)
        err = check_guard(engine, &commit->guards[i], i);
    for (uint32_t i = 0; !err && i < commit->write_count; i++)
        err = check_write(engine, &commit->writes[i], i);
    if (err)
        return err;
    bytes = commit_bytes(commit);
    if (bytes > engine->promises.commit_bytes_max) {
        engine_fail(engine,
                    "%s: the keys and values of the commit have %llu bytes, "
                    "the most is %u; split it",
                    engine->ops->name, (unsigned long long)bytes,
                    engine->promises.commit_bytes_max);
        return KAN_INVALID;
    }
    return KAN_OK;
}

static enum kan_err check_level(struct engine *engine, enum engine_level level)
{
    kan_assert((unsigned)level <= ENGINE_EVENTUAL);
    if (level == ENGINE_LINEARIZABLE && !engine->promises.linearizable) {
        engine_fail(engine,
                    "%s: linearizable reads are not promised; name a weaker "
                    "level, or choose another engine",
                    engine->ops->name);
        return KAN_INVALID;
    }
    return KAN_OK;
}

static enum kan_err check_get(struct engine *engine,
                              const struct engine_get *get)
{
    enum kan_err err = check_level(engine, get->level);

    if (!err && get->key_count > ENGINE_KEYS_MAX) {
        engine_fail(engine, "%s: %u keys in one get, the most is %d; split it",
                    engine->ops->name, get->key_count, ENGINE_KEYS_MAX);
        err = KAN_INVALID;
    }
    for (uint32_t i = 0; !err && i < get->key_count; i++)
        err = check_key(engine, (struct place){"key", i}, get->keys[i].size);
    return err;
}

/* A prefix or a place to go on from may be empty. */
static enum kan_err check_part(struct engine *engine, const char *what,
                               struct kan_slice part)
{
    if (part.size <= engine->promises.key_max)
        return KAN_OK;
    engine_fail(engine, "%s: %s has %zu bytes, keys have at most %u",
                engine->ops->name, what, part.size, engine->promises.key_max);
    return KAN_INVALID;
}

static enum kan_err check_scan(struct engine *engine,
                               const struct engine_scan *scan)
{
    enum kan_err err;

    if (!engine->promises.scan) {
        engine_fail(engine,
                    "%s: scan is not promised; keep an index of your own, or "
                    "choose another engine",
                    engine->ops->name);
        return KAN_INVALID;
    }
    err = check_level(engine, scan->level);
    if (!err)
        err = check_part(engine, "the prefix", scan->prefix);
    if (!err)
        err = check_part(engine, "the place to go on from", scan->after);
    if (!err && (scan->limit == 0 || scan->limit > ENGINE_KEYS_MAX)) {
        engine_fail(engine, "%s: a page of %u items; ask for 1 to %d",
                    engine->ops->name, scan->limit, ENGINE_KEYS_MAX);
        err = KAN_INVALID;
    }
    return err;
}

static enum kan_err check_watch(struct engine *engine,
                                const struct engine_watch *watch)
{
    if (watch->from.store != 0 && !engine->promises.watch_from) {
        engine_fail(engine,
                    "%s: watching from a cursor is not promised; watch from "
                    "now on and read, or choose another engine",
                    engine->ops->name);
        return KAN_INVALID;
    }
    return check_part(engine, "the prefix", watch->prefix);
}

/* --- submission ----------------------------------------------------------- */

enum kan_err engine_commit(struct engine *engine, struct engine_commit *commit,
                           engine_commit_cb *cb)
{
    enum kan_err err = engine_enter(engine);

    kan_assert(cb != NULL);
    if (!err)
        err = check_commit(engine, commit);
    if (!err)
        err = request_begin(engine, &commit->request, ENGINE_REQUEST_COMMIT);
    if (err)
        return err;
    commit->cb = cb;
    commit->revision = 0;
    commit->failed_guard = 0;
    engine->submitting = true;
    engine->ops->commit(engine, commit);
    engine->submitting = false;
    return KAN_OK;
}

enum kan_err engine_get(struct engine *engine, struct engine_get *get,
                        engine_get_cb *cb)
{
    enum kan_err err = engine_enter(engine);

    kan_assert(cb != NULL);
    if (!err)
        err = check_get(engine, get);
    if (!err)
        err = request_begin(engine, &get->request, ENGINE_REQUEST_GET);
    if (err)
        return err;
    get->cb = cb;
    get->items = NULL;
    get->revision = 0;
    engine->submitting = true;
    engine->ops->get(engine, get);
    engine->submitting = false;
    return KAN_OK;
}

enum kan_err engine_scan(struct engine *engine, struct engine_scan *scan,
                         engine_scan_cb *cb)
{
    enum kan_err err = engine_enter(engine);

    kan_assert(cb != NULL);
    if (!err)
        err = check_scan(engine, scan);
    if (!err)
        err = request_begin(engine, &scan->request, ENGINE_REQUEST_SCAN);
    if (err)
        return err;
    scan->cb = cb;
    scan->items = NULL;
    scan->item_count = 0;
    scan->more = false;
    scan->revision = 0;
    engine->submitting = true;
    engine->ops->scan(engine, scan);
    engine->submitting = false;
    return KAN_OK;
}

enum kan_err engine_watch(struct engine *engine, struct engine_watch *watch,
                          engine_watch_cb *cb)
{
    enum kan_err err = engine_enter(engine);

    kan_assert(cb != NULL);
    if (!err)
        err = check_watch(engine, watch);
    if (!err)
        err = request_begin(engine, &watch->request, ENGINE_REQUEST_WATCH);
    if (err)
        return err;
    watch->cb = cb;
    engine->submitting = true;
    engine->ops->watch(engine, watch);
    engine->submitting = false;
    return KAN_OK;
}
