/* The requests of the memory engine: each is copied when it is submitted and
 * carried out whole by a deferred task, in order of submission. So a request
 * has either not begun or is over, and a cancel is always without effect. */

#include "engine/memory/memory.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "engine/memory/store.h"

enum
{
    MEMORY_MAGIC = 0x6d656d6f, /* "memo" */
    SWEEP_MS = 500,   /* half of the second that expiry is swept within */
    TURN_RECORDS = 64 /* reported to one watch in one turn */
};

const struct engine_promises memory_promises = {
    .ops_max = 4096,
    .commit_bytes_max = 16 << 20,
    .key_max = 2048,
    .value_max = 4 << 20,
    .expiry_ms = 1,
    .dedupe_ms = 60 * 1000,
    .durable = ENGINE_VOLATILE,
    .guard_created = true,
    .append = true,
    .watch_from = true,
    .scan = true,
    .linearizable = true,
    .monotone_over_failover = true, /* it has nothing to fail over to */
    .shared = false,
};

struct memory
{
    struct engine engine;
    unsigned magic;
    struct store store;
    struct list watches;    /* struct memory_watch */
    struct list waiting;    /* reads of a revision still to come */
    struct env_timer sweep; /* armed while a key may expire */
    struct env_task pump;   /* reports what watches have not seen yet */
    struct engine_stats stats;
};

/* A get or a scan on its way. */
struct memory_read
{
    struct engine_item *items;
    struct kan_slice prefix; /* scan */
    struct kan_slice after;
    unsigned char bytes[]; /* keys, or prefix and after; items behind them */
};

struct memory_watch
{
    struct list link;
    struct engine_watch *watch;
    uint64_t position; /* the revision seen last */
    size_t prefix_size;
    unsigned char prefix[];
};

static struct memory *memory_of(struct engine *engine)
{
    struct memory *memory = (struct memory *)(void *)engine;

    check_magic(memory, MEMORY_MAGIC);
    return memory;
}

static struct store_clock memory_clock(struct memory *memory)
{
    struct store_clock clock;

    clock.wall_ms = env_wall_ms(memory->engine.env);
    clock.now_ns = env_now(memory->engine.env);
    return clock;
}

static void memory_nomem(struct memory *memory)
{
    engine_fail(&memory->engine, "memory: out of memory");
}

/* --- watches -------------------------------------------------------------- */

static void memory_pump_task(struct env_task *task);

static void watch_end(struct memory_watch *op, enum kan_err err)
{
    struct engine_watch *watch = op->watch;

    list_remove(&op->link);
    mem_free(op);
    watch->request.op = NULL;
    engine_answer(&watch->request, err);
}

/* Report what the watch has not seen, within a turn's bound. Returns whether
 * more is left; the watch may have ended when not. */
static bool watch_catch_up(struct memory *memory, struct memory_watch *op)
{
    struct store *store = &memory->store;

    for (unsigned i = 0; i < TURN_RECORDS; i++) {
        const struct store_record *record;
        const struct engine_change *changes;
        uint32_t count;

        if (op->position < store->compacted) {
            engine_fail(&memory->engine,
                        "memory: the history up to revision %llu is no longer "
                        "kept; read the keys and watch from that revision",
                        (unsigned long long)store->compacted);
            watch_end(op, KAN_COMPACTED);
            return false;
        }
        record = store_record_after(store, op->position);
        if (!record)
            return false;
        op->position = record->revision;
        count = store_record_filter(
            store, record, kan_slice(op->prefix, op->prefix_size), &changes);
        if (count)
            engine_report(op->watch, record->revision, changes, count);
    }
    return op->position < store->revision;
}

static void memory_pump(struct memory *memory)
{
    struct list *link = memory->watches.next;
    bool more = false;

    while (link != &memory->watches) {
        struct memory_watch *op = list_entry(link, struct memory_watch, link);
        struct list *before = link->prev;
        if (watch_catch_up(memory, op))
            more = true;
        /* The callback may have added a watch, and op may be gone. */
        link = before->next == link ? link->next : before->next;
    }
    if (more)
        env_defer(memory->engine.env, &memory->pump, memory_pump_task);
}

static void memory_pump_task(struct env_task *task)
{
    memory_pump(task->data);
}

static void watch_refuse(struct env_task *task)
{
    struct engine_request *request = task->data;
    struct memory *memory = memory_of(request->engine);

    if (request->err == KAN_NOMEM)
        memory_nomem(memory);
    else
        engine_fail(&memory->engine,
                    "memory: the cursor is not of this store's history; read "
                    "the keys and watch from that revision");
    engine_answer(request, request->err);
}

static void memory_watch(struct engine *engine, struct engine_watch *watch)
{
    struct memory *memory = memory_of(engine);
    struct memory_watch *op = NULL;
    bool now = watch->from.store == 0;

    if (!now && !engine_cursor_known(&engine->cursor, &watch->from))
        watch->request.err = KAN_COMPACTED;
    else if (!(op = mem_zalloc(sizeof *op + watch->prefix.size)))
        watch->request.err = KAN_NOMEM;
    if (!op) {
        env_defer(engine->env, &watch->request.task, watch_refuse);
        return;
    }
    op->watch = watch;
    op->position = now ? memory->store.revision : watch->from.revision;
    op->prefix_size = watch->prefix.size;
    if (op->prefix_size)
        memcpy(op->prefix, watch->prefix.bytes, op->prefix_size);
    watch->request.op = op;
    list_push(&memory->watches, &op->link);
    if (op->position < memory->store.revision)
        env_defer(engine->env, &memory->pump, memory_pump_task);
}

/* --- after a commit ------------------------------------------------------- */

static void read_run(struct env_task *task);

static uint64_t read_at_least(const struct engine_request *request)
{
    if (request->kind == ENGINE_REQUEST_GET) {
        const struct engine_get *get = (const void *)request;
        return get->level == ENGINE_CAUSAL ? get->at_least : 0;
    } else {
        const struct engine_scan *scan = (const void *)request;
        return scan->level == ENGINE_CAUSAL ? scan->at_least : 0;
    }
}

/* Let reads go on that waited for a revision. */
static void memory_wake(struct memory *memory)
{
    struct list rest, *link;

    list_init(&rest);
    list_splice(&rest, &memory->waiting);
    while ((link = list_pop(&rest)) != NULL) {
        struct engine_request *request =
            list_entry(link, struct engine_request, link);
        if (read_at_least(request) > memory->store.revision)
            list_push(&memory->waiting, link);
        else
            env_defer(memory->engine.env, &request->task, read_run);
    }
}

/* Show the world what the store has become. */
static void memory_moved(struct memory *memory)
{
    if (memory->engine.cursor.revision == memory->store.revision)
        return;
    memory->engine.cursor.revision = memory->store.revision;
    memory_wake(memory);
    memory_pump(memory);
}

/* --- expiry --------------------------------------------------------------- */

static void memory_sweep(struct env_timer *timer);

static enum kan_err memory_arm(struct memory *memory, uint64_t after_ms)
{
    struct env *env = memory->engine.env;

    if (env_timer_armed(&memory->sweep))
        return KAN_OK;
    return env_timer_start(env, &memory->sweep,
                           env_now(env) + after_ms * ENV_MS, memory_sweep);
}

static void memory_sweep(struct env_timer *timer)
{
    struct memory *memory = timer->data;
    bool more = false;

    if (store_sweep(&memory->store, memory_clock(memory), &more))
        memory_nomem(memory);
    /* A timer that has just fired left its place in the heap; should there be
     * no memory all the same, the next commit with a time to live arms it. */
    if (store_mortal(&memory->store) && memory_arm(memory, more ? 0 : SWEEP_MS))
        memory_nomem(memory);
    memory_moved(memory);
}

/* --- commits -------------------------------------------------------------- */

static void commit_explain(struct memory *memory, enum kan_err err)
{
    if (err == KAN_NOMEM)
        memory_nomem(memory);
    if (err == KAN_FULL)
        engine_fail(&memory->engine,
                    "memory: the store holds %llu bytes, the most is %llu; "
                    "delete keys, or raise the limit",
                    (unsigned long long)memory->store.bytes,
                    (unsigned long long)memory->store.bytes_max);
    if (err == KAN_BUSY)
        engine_fail(&memory->engine,
                    "memory: %llu bytes of commit ids are known, the most is "
                    "%llu; commit without an id, or wait",
                    (unsigned long long)memory->store.id_bytes,
                    (unsigned long long)memory->store.id_bytes_max);
}

static enum kan_err commit_apply(struct memory *memory,
                                 struct engine_commit *commit)
{
    struct store_commit *op = commit->request.op;
    uint64_t before = memory->store.revision;
    enum kan_err err;

    if (!op)
        return KAN_NOMEM;
    err = store_commit_mortal(op) ? memory_arm(memory, SWEEP_MS) : KAN_OK;
    if (!err)
        err = store_apply(&memory->store, op, memory_clock(memory),
                          &commit->revision, &commit->failed_guard);
    commit->request.op = store_commit_free(op);
    if (err == KAN_CONFLICT)
        memory->stats.conflicts++;
    if (memory->store.revision != before)
        memory->stats.commits++;
    memory->stats.full = err == KAN_FULL;
    return err;
}

static void commit_run(struct env_task *task)
{
    struct engine_commit *commit = task->data;
    struct memory *memory = memory_of(commit->request.engine);
    enum kan_err err = commit_apply(memory, commit);

    commit_explain(memory, err);
    memory->engine.cursor.revision = memory->store.revision;
    engine_answer(&commit->request, err);
    memory_wake(memory);
    memory_pump(memory);
}

static void memory_commit(struct engine *engine, struct engine_commit *commit)
{
    commit->request.op = store_commit_new(commit);
    env_defer(engine->env, &commit->request.task, commit_run);
}

/* --- reads ---------------------------------------------------------------- */

/* How an entry shows itself. */
static struct engine_item item_of(const struct store_entry *entry,
                                  bool keys_only)
{
    struct engine_item item = {0};

    item.key = store_cell_key(entry->cell);
    if (!keys_only)
        item.value = store_cell_value(entry->cell);
    item.created = entry->cell->created;
    item.version = entry->cell->version;
    if (entry->ttl_kind == ENGINE_TTL)
        item.expires_ms = entry->expires_at;
    return item;
}

static void get_run(struct memory *memory, struct engine_get *get)
{
    struct store_clock clock = memory_clock(memory);
    struct memory_read *op = get->request.op;

    for (uint32_t i = 0; i < get->key_count; i++) {
        struct kan_slice key = op->items[i].key;
        const struct store_entry *entry =
            store_lookup(&memory->store, key, clock);
        if (entry)
            op->items[i] = item_of(entry, false);
    }
    memory->stats.reads += get->key_count;
    memory->stats.cache_hits += get->key_count;
    get->items = op->items;
    get->revision = memory->store.revision;
}

static void scan_run(struct memory *memory, struct engine_scan *scan)
{
    struct store_clock clock = memory_clock(memory);
    struct memory_read *op = scan->request.op;
    struct kan_slice at = op->after;
    size_t bytes = 0;
    uint32_t count = 0;

    for (;;) {
        const struct store_entry *entry =
            store_seek(&memory->store, op->prefix, at, at.size > 0, clock);
        struct engine_item item;
        if (!entry)
            break;
        item = item_of(entry, scan->keys_only);
        bytes += item.value.size;
        if (count == scan->limit || (count && bytes > ENGINE_PAGE_BYTES)) {
            scan->more = true;
            break;
        }
        op->items[count++] = item;
        at = item.key;
    }
    memory->stats.reads += count;
    memory->stats.cache_hits += count;
    scan->items = op->items;
    scan->item_count = count;
    scan->revision = memory->store.revision;
}

static void read_run(struct env_task *task)
{
    struct engine_request *request = task->data;
    struct memory *memory = memory_of(request->engine);
    struct memory_read *op = request->op;

    if (!op) {
        memory_nomem(memory);
        engine_answer(request, KAN_NOMEM);
        return;
    }
    if (read_at_least(request) > memory->store.revision) {
        list_push(&memory->waiting, &request->link);
        return;
    }
    if (request->kind == ENGINE_REQUEST_GET)
        get_run(memory, (struct engine_get *)(void *)request);
    else
        scan_run(memory, (struct engine_scan *)(void *)request);
    request->op = NULL;
    engine_answer(request, KAN_OK);
    mem_free(op);
}

/* Room for items and, behind them, bytes of keys. */
static struct memory_read *read_new(uint32_t item_count, size_t byte_count)
{
    size_t items = item_count * sizeof(struct engine_item);
    struct memory_read *op = mem_zalloc(sizeof *op + items + byte_count);

    if (op)
        op->items = (struct engine_item *)(void *)op->bytes;
    return op;
}

static struct kan_slice read_copy(unsigned char **at, struct kan_slice slice)
{
    struct kan_slice copy = kan_slice(*at, slice.size);

    if (slice.size)
        memcpy(*at, slice.bytes, slice.size);
    *at += slice.size;
    return copy;
}

static void memory_get(struct engine *engine, struct engine_get *get)
{
    struct memory_read *op;
    size_t bytes = 0;
    unsigned char *at;

    for (uint32_t i = 0; i < get->key_count; i++)
        bytes += get->keys[i].size;
    op = read_new(get->key_count, bytes);
    if (op) {
        at = (unsigned char *)(op->items + get->key_count);
        for (uint32_t i = 0; i < get->key_count; i++)
            op->items[i].key = read_copy(&at, get->keys[i]);
    }
    get->request.op = op;
    env_defer(engine->env, &get->request.task, read_run);
}

static void memory_scan(struct engine *engine, struct engine_scan *scan)
{
    struct memory_read *op =
        read_new(scan->limit, scan->prefix.size + scan->after.size);

    if (op) {
        unsigned char *at = (unsigned char *)(op->items + scan->limit);
        op->prefix = read_copy(&at, scan->prefix);
        op->after = read_copy(&at, scan->after);
    }
    scan->request.op = op;
    env_defer(engine->env, &scan->request.task, read_run);
}

/* --- life cycle ----------------------------------------------------------- */

static void memory_cancel(struct engine *engine, struct engine_request *request,
                          enum kan_err err)
{
    env_undefer(engine->env, &request->task);
    list_remove(&request->link);
    switch ((enum engine_request_kind)request->kind) {
    case ENGINE_REQUEST_COMMIT:
        store_commit_free(request->op);
        break;
    case ENGINE_REQUEST_WATCH:
        if (request->op)
            list_remove(&((struct memory_watch *)request->op)->link);
        mem_free(request->op);
        break;
    case ENGINE_REQUEST_GET:
    case ENGINE_REQUEST_SCAN:
        mem_free(request->op);
        break;
    }
    request->op = NULL;
    engine_answer(request, err);
}

/* Free what is there, also of an engine that is half open. */
static void memory_free(struct memory *memory)
{
    env_timer_stop(memory->engine.env, &memory->sweep);
    env_undefer(memory->engine.env, &memory->pump);
    store_fini(&memory->store);
    engine_fini(&memory->engine);
    memory->magic = 0;
    mem_free(memory);
}

static void memory_close(struct engine *engine, void *data, env_close_cb *cb)
{
    struct list *link;

    /* No commit has begun: one that has is over. */
    while ((link = list_first(&engine->open)) != NULL ||
           (link = list_first(&engine->canceling)) != NULL)
        memory_cancel(engine, list_entry(link, struct engine_request, open),
                      KAN_CLOSED);
    memory_free(memory_of(engine));
    cb(data);
}

static void memory_stats(struct engine *engine, struct engine_stats *ret_stats)
{
    *ret_stats = memory_of(engine)->stats;
}

static const struct engine_ops memory_ops = {
    .name = "memory",
    .commit = memory_commit,
    .get = memory_get,
    .scan = memory_scan,
    .watch = memory_watch,
    .cancel = memory_cancel,
    .close = memory_close,
    .stats = memory_stats,
};

static uint64_t or_default(uint64_t value, uint64_t when_zero)
{
    return value ? value : when_zero;
}

enum kan_err engine_memory_open(struct env *env,
                                const struct memory_options *options,
                                struct engine **ret_engine)
{
    static const struct memory_options defaults = {0};
    const struct memory_options *with = options ? options : &defaults;
    struct memory *memory = mem_zalloc(sizeof *memory);

    if (!memory)
        return KAN_NOMEM;
    memory->magic = MEMORY_MAGIC;
    engine_init(&memory->engine, &memory_ops, env);
    memory->engine.promises =
        with->profile ? engine_promises_mask(memory_promises, *with->profile)
                      : memory_promises;
    memory->engine.cursor.store = 1 + env_choose(env, UINT64_C(1) << 62);
    memory->engine.cursor.incarnation = 1 + env_choose(env, UINT64_C(1) << 62);
    store_init(&memory->store, memory->engine.cursor.store);
    memory->store.bytes_max = or_default(with->bytes_max, UINT64_C(256) << 20);
    memory->store.id_bytes_max = memory->store.bytes_max / 4;
    memory->store.feed_bytes_max =
        or_default(with->feed_bytes_max, UINT64_C(8) << 20);
    memory->store.dedupe_ns =
        (uint64_t)memory->engine.promises.dedupe_ms * ENV_MS;
    list_init(&memory->watches);
    list_init(&memory->waiting);
    memory->sweep.data = memory;
    memory->pump.data = memory;
    *ret_engine = &memory->engine;
    return KAN_OK;
}
