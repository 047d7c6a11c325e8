/* A client of an engine in another simulated process. Messages travel as timers
 * of the server's process, which outlives its clients; what reaches the client
 * is posted to its loop, and never runs when that is dead. */

#include "block/lock/lock_remote.h"

#include "base/alloc.h"
#include "base/assert.h"

struct remote
{
    struct engine engine;
    struct engine *server;
    struct remote_way *way;
    struct list calls;
    uint32_t call_count;
    void *close_data;
    env_close_cb *close_cb;
};

/* One request, from its question to its answer, with copies of both. */
struct call
{
    struct remote *remote;
    struct engine_request *outer; /* NULL: nobody waits any more */
    struct list link;
    struct list reports; /* of a watch */
    struct env_timer timer;
    struct env_task task;
    bool asked; /* the server has it */
    enum kan_err err;
    struct engine_item item;
    struct buffer value;
    union
    {
        struct engine_commit commit;
        struct engine_get get;
        struct engine_watch watch;
    } inner;
    struct engine_guard guards[4];
    struct engine_write writes[4];
    struct kan_slice key;
    struct buffer bytes; /* what they point to */
};

struct report
{
    struct call *call;
    struct list link;
    struct env_task task;
    struct engine_change change;
    struct buffer bytes;
};

static struct remote *remote_of(struct engine *engine)
{
    return (struct remote *)(void *)engine;
}

static struct env *far_env(const struct remote *remote)
{
    return remote->server->env;
}

static uint64_t draw(const struct call *call, uint64_t n)
{
    return n ? env_choose(far_env(call->remote), n) : 0;
}

static bool strikes(const struct call *call, uint32_t rate)
{
    return rate && draw(call, 1000) < rate;
}

/* --- life ----------------------------------------------------------------- */

static void remote_end(struct remote *remote);

static void report_free(struct report *report)
{
    env_undefer(report->call->remote->engine.env, &report->task);
    list_remove(&report->link);
    buffer_fini(&report->bytes);
    mem_free(report);
}

static void call_free(struct call *call)
{
    struct remote *remote = call->remote;
    struct list *link;

    kan_assert(!call->outer && !call->asked);
    while ((link = list_first(&call->reports)) != NULL)
        report_free(list_entry(link, struct report, link));
    env_timer_stop(far_env(remote), &call->timer);
    env_undefer(remote->engine.env, &call->task);
    list_remove(&call->link);
    buffer_fini(&call->bytes);
    buffer_fini(&call->value);
    mem_free(call);
    remote->call_count--;
    remote_end(remote);
}

static struct call *call_new(struct engine *engine,
                             struct engine_request *outer)
{
    struct call *call = mem_zalloc(sizeof(*call));

    kan_assert(call); /* memory does not fail in these tests */
    call->remote = remote_of(engine);
    call->outer = outer;
    call->timer.data = call;
    call->task.data = call;
    list_init(&call->reports);
    list_push(&call->remote->calls, &call->link);
    call->remote->call_count++;
    outer->op = call;
    return call;
}

/* --- the answer's way ----------------------------------------------------- */

/* On the client's loop. */
static void arrive(struct env_task *task)
{
    struct call *call = task->data;
    struct engine_request *outer = call->outer;

    call->outer = NULL;
    if (outer && outer->kind == ENGINE_REQUEST_COMMIT) {
        struct engine_commit *commit = (void *)outer;
        commit->revision = call->inner.commit.revision;
        commit->failed_guard = call->inner.commit.failed_guard;
    }
    if (outer && outer->kind == ENGINE_REQUEST_GET) {
        struct engine_get *get = (void *)outer;
        get->items = &call->item;
        get->revision = call->inner.get.revision;
    }
    if (outer)
        engine_answer(outer, call->err);
    call_free(call);
}

static void leave_server(struct env_timer *timer)
{
    struct call *call = timer->data;

    env_post(call->remote->engine.env, &call->task, arrive);
}

static void travel(struct call *call, uint64_t late_ns, env_timer_cb *then)
{
    struct env *env = far_env(call->remote);
    uint64_t delay = draw(call, call->remote->way->delay_max_ns) + late_ns;
    enum kan_err err =
        env_timer_start(env, &call->timer, env_now(env) + delay, then);

    kan_assert(!err);
}

/* A call that is lost stays, silent, until its client gives it up. */
static void answered(struct call *call, enum kan_err err)
{
    call->asked = false;
    call->err = err;
    if (!call->outer)
        call_free(call);
    else if (!strikes(call, call->remote->way->lost_rate))
        travel(call, 0, leave_server);
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct call *call = commit->request.data;

    if (!err && !call->outer)
        call->remote->way->late_commits++;
    answered(call, err);
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    struct call *call = get->request.data;

    if (!err) {
        call->item = get->items[0];
        buffer_append(&call->value, get->items[0].value);
        call->item.value = buffer_slice(&call->value);
        call->item.key = call->key;
    }
    answered(call, err);
}

/* --- the question's way --------------------------------------------------- */

static void ask_server(struct env_timer *timer)
{
    struct call *call = timer->data;
    struct engine *server = call->remote->server;
    enum kan_err err;

    if (strikes(call, call->remote->way->lost_rate)) {
        if (!call->outer)
            call_free(call);
        return;
    }
    call->asked = true;
    if (call->key.size)
        err = engine_get(server, &call->inner.get, on_get);
    else
        err = engine_commit(server, &call->inner.commit, on_commit);
    kan_assert(!err);
}

static void send(struct call *call)
{
    uint64_t late = 0;

    if (strikes(call, call->remote->way->late_rate))
        late = draw(call, call->remote->way->late_ns);
    travel(call, late, ask_server);
}

/* A copy in the call. The buffer has been given room for all. */
static struct kan_slice keep(struct call *call, struct kan_slice slice)
{
    size_t at = call->bytes.size;

    buffer_append(&call->bytes, slice);
    return slice.size ? kan_slice(call->bytes.bytes + at, slice.size)
                      : kan_slice(NULL, 0);
}

static void remote_commit(struct engine *engine, struct engine_commit *commit)
{
    struct call *call = call_new(engine, &commit->request);
    struct engine_commit *inner = &call->inner.commit;
    enum kan_err err = buffer_reserve(&call->bytes, 16384);

    kan_assert(!err && commit->guard_count <= 4 && commit->write_count <= 4);
    for (uint32_t i = 0; i < commit->guard_count; i++) {
        call->guards[i] = commit->guards[i];
        call->guards[i].key = keep(call, commit->guards[i].key);
    }
    for (uint32_t i = 0; i < commit->write_count; i++) {
        call->writes[i] = commit->writes[i];
        call->writes[i].key = keep(call, commit->writes[i].key);
        call->writes[i].value = keep(call, commit->writes[i].value);
    }
    inner->request.data = call;
    inner->guards = call->guards;
    inner->guard_count = commit->guard_count;
    inner->writes = call->writes;
    inner->write_count = commit->write_count;
    send(call);
}

static void remote_get(struct engine *engine, struct engine_get *get)
{
    struct call *call = call_new(engine, &get->request);
    struct engine_get *inner = &call->inner.get;
    enum kan_err err = buffer_reserve(&call->bytes, 4096);

    kan_assert(!err && get->key_count == 1);
    call->key = keep(call, get->keys[0]);
    inner->request.data = call;
    inner->keys = &call->key;
    inner->key_count = 1;
    inner->level = get->level;
    send(call);
}

static void remote_scan(struct engine *engine, struct engine_scan *scan)
{
    (void)engine;
    (void)scan;
    kan_assert(false); /* locks do not scan */
}

/* --- watching ------------------------------------------------------------- */

static void report_arrives(struct env_task *task)
{
    struct report *report = task->data;
    struct call *call = report->call;

    if (call->outer)
        engine_report((struct engine_watch *)(void *)call->outer,
                      report->change.version, &report->change, 1);
    report_free(report);
}

static void watch_ends(struct call *call, enum kan_err err)
{
    call->err = err;
    env_post(call->remote->engine.env, &call->task, arrive);
}

static void on_watch(struct engine_watch *watch, enum kan_err err,
                     uint64_t revision, const struct engine_change *changes,
                     uint32_t change_count)
{
    struct call *call = watch->request.data;

    (void)revision;
    if (err) {
        call->asked = false;
        if (call->outer)
            watch_ends(call, err == KAN_CANCELED ? KAN_LOST : err);
        else
            call_free(call);
        return;
    }
    if (strikes(call, call->remote->way->report_lost_rate)) {
        engine_cancel(&watch->request);
        return;
    }
    for (uint32_t i = 0; i < change_count && call->outer; i++) {
        struct report *report = mem_zalloc(sizeof(*report));
        kan_assert(report);
        report->call = call;
        report->change = changes[i];
        report->task.data = report;
        buffer_append(&report->bytes, changes[i].key);
        report->change.key = buffer_slice(&report->bytes);
        report->change.value = kan_slice(NULL, 0);
        list_push(&call->reports, &report->link);
        env_post(call->remote->engine.env, &report->task, report_arrives);
    }
}

static void remote_watch(struct engine *engine, struct engine_watch *watch)
{
    struct call *call = call_new(engine, &watch->request);
    struct engine_watch *inner = &call->inner.watch;
    enum kan_err err = buffer_reserve(&call->bytes, 4096);

    kan_assert(!err);
    inner->request.data = call;
    inner->prefix = keep(call, watch->prefix);
    inner->from = watch->from;
    call->asked = true;
    err = engine_watch(call->remote->server, inner, on_watch);
    kan_assert(!err);
}

/* --- ending --------------------------------------------------------------- */

static void remote_cancel(struct engine *engine, struct engine_request *request,
                          enum kan_err err)
{
    struct call *call = request->op;

    (void)engine;
    call->outer = NULL;
    if (request->kind == ENGINE_REQUEST_WATCH && call->asked)
        engine_cancel(&call->inner.watch.request);
    engine_answer(request, err);
}

/* The engine goes when the server has let go of its last call. */
static void remote_end(struct remote *remote)
{
    void *data = remote->close_data;
    env_close_cb *cb = remote->close_cb;

    if (!cb || remote->call_count)
        return;
    engine_fini(&remote->engine);
    mem_free(remote);
    cb(data);
}

static void remote_close(struct engine *engine, void *data, env_close_cb *cb)
{
    struct remote *remote = remote_of(engine);
    struct list rest, *link;

    list_init(&rest);
    list_splice(&rest, &remote->calls);
    remote->call_count++; /* not before all have been looked at */
    while ((link = list_pop(&rest)) != NULL) {
        struct call *call = list_entry(link, struct call, link);
        list_push(&remote->calls, link);
        if (call->outer)
            remote_cancel(engine, call->outer, KAN_CANCELED);
        if (!call->asked)
            call_free(call);
    }
    remote->call_count--;
    remote->close_data = data;
    remote->close_cb = cb;
    remote_end(remote);
}

static void remote_stats(struct engine *engine, struct engine_stats *ret_stats)
{
    (void)engine;
    (void)ret_stats;
}

static const struct engine_ops remote_ops = {
    .name = "remote",
    .commit = remote_commit,
    .get = remote_get,
    .scan = remote_scan,
    .watch = remote_watch,
    .cancel = remote_cancel,
    .close = remote_close,
    .stats = remote_stats,
};

enum kan_err engine_remote_open(struct env *env, struct engine *server,
                                struct remote_way *way,
                                struct engine **ret_engine)
{
    struct remote *remote = mem_zalloc(sizeof(*remote));

    if (!remote)
        return KAN_NOMEM;
    engine_init(&remote->engine, &remote_ops, env);
    remote->engine.promises = *engine_promises(server);
    remote->engine.promises.shared = true;
    remote->engine.behind = server;
    remote->server = server;
    remote->way = way;
    list_init(&remote->calls);
    *ret_engine = &remote->engine;
    return KAN_OK;
}
