/* Reads on the loop: answered from the cache when all of their keys are there,
 * else sent to the reading lane, many in one go.
 *
 * A snapshot may hold a group that the loop has not been told of. Its reads are
 * held until it has: else a read that comes later, and finds the cache as it
 * was before the group, would see time go back. */

#include "base/alloc.h"
#include "base/assert.h"
#include "engine/sqlite/driver.h"

static void reads_next(struct sqlite *sqlite);

/* --- blocks --------------------------------------------------------------- */

static void *pool_take(struct sqlite *sqlite)
{
    void *block = sqlite->pool;

    if (!block)
        return mem_alloc(SQLITE_POOL_BLOCK);
    memcpy(&sqlite->pool, block, sizeof sqlite->pool);
    sqlite->pool_count--;
    return block;
}

static void pool_put(struct sqlite *sqlite, void *block)
{
    if (sqlite->pool_count >= SQLITE_POOL_BLOCKS) {
        mem_free(block);
        return;
    }
    memcpy(block, &sqlite->pool, sizeof sqlite->pool);
    sqlite->pool = block;
    sqlite->pool_count++;
}

/* extra bytes are at ret->memory. */
static struct sqlite_read *read_new(struct sqlite *sqlite,
                                    enum sqlite_read_kind kind, size_t extra)
{
    bool pooled = sizeof(struct sqlite_read) + extra <= SQLITE_POOL_BLOCK;
    struct sqlite_read *read =
        pooled ? pool_take(sqlite)
               : mem_alloc(sizeof(struct sqlite_read) + extra);

    if (!read)
        return NULL;
    memset(read, 0, sizeof *read);
    read->kind = kind;
    read->pooled = pooled;
    return read;
}

void sqlite_read_free(struct sqlite *sqlite, struct sqlite_read *read)
{
    sqlite_read_fini(read);
    if (read->pooled)
        pool_put(sqlite, read);
    else
        mem_free(read);
}

static struct kan_slice copy(unsigned char **at, struct kan_slice from)
{
    struct kan_slice slice = kan_slice(*at, from.size);

    if (from.size)
        memcpy(*at, from.bytes, from.size);
    *at += from.size;
    return slice;
}

static struct sqlite_read *get_new(struct sqlite *sqlite,
                                   const struct engine_get *get)
{
    size_t count = get->key_count;
    size_t size = count * (sizeof(struct engine_item) + sizeof(void *) +
                           sizeof(struct kan_slice));
    struct sqlite_read *read;
    unsigned char *at;

    for (uint32_t i = 0; i < get->key_count; i++)
        size += get->keys[i].size;
    read = read_new(sqlite, SQLITE_READ_GET, size);
    if (!read)
        return NULL;
    read->key_count = get->key_count;
    read->items = (struct engine_item *)(void *)read->memory;
    read->entries = (struct sqlite_entry **)(void *)(read->items + count);
    read->keys = (struct kan_slice *)(void *)(read->entries + count);
    memset(read->entries, 0, count * sizeof(void *));
    at = (unsigned char *)(read->keys + count);
    for (uint32_t i = 0; i < get->key_count; i++)
        read->keys[i] = copy(&at, get->keys[i]);
    return read;
}

/* --- answers -------------------------------------------------------------- */

static struct engine_item item_of(const struct sqlite_entry *entry,
                                  const struct sqlite_clock *clock)
{
    struct engine_item item = {0};

    item.key = sqlite_entry_key(entry);
    if (entry->created == 0 ||
        engine_expired(entry->ttl_kind, entry->expires_at, clock->wall_ms,
                       clock->now_ns))
        return item;
    item.value = sqlite_entry_value(entry);
    item.created = entry->created;
    item.version = entry->version;
    item.expires_ms = entry->ttl_kind == ENGINE_TTL ? entry->expires_at : 0;
    return item;
}

static void get_items(struct sqlite_read *read)
{
    for (uint32_t i = 0; i < read->key_count; i++)
        read->items[i] = item_of(read->entries[i], &read->clock);
}

static void read_fill(struct sqlite_read *read)
{
    if (read->kind == SQLITE_READ_GET) {
        struct engine_get *get = read->owner;
        get->items = read->items;
        get->revision = read->snapshot.revision;
    } else {
        struct engine_scan *scan = read->owner;
        sqlite_read_settle(read);
        scan->items = read->items;
        scan->item_count = read->item_count;
        scan->more = read->more;
        scan->revision = read->snapshot.revision;
    }
}

/* The answer, and the end of the read. */
static void read_answer(struct sqlite *sqlite, struct sqlite_read *read,
                        enum kan_err err)
{
    struct engine_request *request = read->owner;

    if (read->kind == SQLITE_READ_FEED) {
        read->err = err;
        sqlite_watch_page(sqlite, read);
        return;
    }
    if (request) {
        if (!err)
            read_fill(read);
        sqlite->stats.reads += read->item_count;
        request->op = NULL;
        engine_answer(request, err);
    }
    sqlite_read_free(sqlite, read);
}

/* What a lane has read, whatever it waited for, has come. */
static void read_arrived(struct sqlite *sqlite, struct sqlite_read *read)
{
    if (read->kind == SQLITE_READ_GET) {
        get_items(read);
        for (uint32_t i = 0; i < read->key_count; i++)
            sqlite_cache_fill(&sqlite->cache, read->entries[i],
                              read->snapshot.stamp);
    }
    read_answer(sqlite, read, KAN_OK);
}

/* --- the lane ------------------------------------------------------------- */

static void reads_run(struct env_work *work)
{
    struct sqlite *sqlite = work->data;

    sqlite_reader_run(&sqlite->reader, &sqlite->job);
}

/* Put those that the job did not reach back, in front. */
static void reads_return(struct sqlite *sqlite)
{
    struct list rest, *link;

    if (list_empty(&sqlite->job.reads))
        return;
    list_init(&rest);
    while ((link = list_pop(&sqlite->job.reads)) != NULL) {
        struct sqlite_read *read = list_entry(link, struct sqlite_read, link);
        read->begun = false;
        if (read->owner)
            list_push(&rest, link);
        else
            sqlite_read_free(sqlite, read);
    }
    list_splice(&rest, &sqlite->reads);
    list_splice(&sqlite->reads, &rest);
}

static void read_done(struct sqlite *sqlite, struct sqlite_read *read)
{
    read->begun = false;
    if (!read->owner)
        sqlite_read_free(sqlite, read);
    else if (sqlite->broken)
        read_answer(sqlite, read, KAN_IO);
    else if (read->err)
        read_answer(sqlite, read, read->err);
    else if (read->snapshot.stamp > sqlite->applied)
        list_push(&sqlite->held, &read->link);
    else
        read_arrived(sqlite, read);
}

static void reads_done(struct env_work *work)
{
    struct sqlite *sqlite = work->data;
    bool broken = sqlite->job.broken;
    struct list done, *link;

    list_init(&done);
    list_splice(&done, &sqlite->job.done);
    reads_return(sqlite);
    sqlite->reading = false;
    if (sqlite->job.message[0])
        engine_fail(&sqlite->engine, "sqlite: %s", sqlite->job.message);
    if (broken)
        sqlite->broken = true;
    else
        reads_next(sqlite);
    while ((link = list_pop(&done)) != NULL)
        read_done(sqlite, list_entry(link, struct sqlite_read, link));
    if (broken)
        sqlite_break(sqlite, NULL);
    sqlite_close_next(sqlite);
}

static void reads_next(struct sqlite *sqlite)
{
    struct sqlite_clock clock = sqlite_clock(sqlite);
    struct list *link;

    if (sqlite->reading || sqlite->broken || list_empty(&sqlite->reads))
        return;
    for (uint32_t i = 0;
         i < SQLITE_JOB_READS && (link = list_pop(&sqlite->reads)) != NULL;
         i++) {
        struct sqlite_read *read = list_entry(link, struct sqlite_read, link);
        read->clock = clock;
        read->begun = true;
        list_push(&sqlite->job.reads, link);
    }
    sqlite->job.broken = false;
    sqlite->job.message[0] = 0;
    sqlite->reading = true;
    env_lane_work(sqlite->read_lane, &sqlite->read_work, reads_run, reads_done);
}

static void reads_kicked(struct env_task *task)
{
    reads_next(task->data);
}

static void read_submit(struct sqlite *sqlite, struct sqlite_read *read)
{
    if (read->at_least > sqlite->engine.cursor.revision) {
        list_push(&sqlite->ahead, &read->link);
        return;
    }
    list_push(&sqlite->reads, &read->link);
    if (!sqlite->reading)
        env_defer(sqlite->engine.env, &sqlite->read_kick, reads_kicked);
}

/* --- requests ------------------------------------------------------------- */

static void read_hit(struct env_task *task)
{
    struct engine_request *request = task->data;

    read_answer(sqlite_of(request->engine), request->op, KAN_OK);
}

/* Answer from memory: with what holds now, though soon. */
static bool get_cached(struct sqlite *sqlite, struct sqlite_read *read)
{
    uint32_t found = 0;

    for (; found < read->key_count; found++) {
        struct sqlite_entry *entry =
            sqlite_cache_get(&sqlite->cache, read->keys[found]);
        if (!entry)
            break;
        read->entries[found] = sqlite_entry_ref(entry);
    }
    if (found == read->key_count) {
        read->clock = sqlite_clock(sqlite);
        read->snapshot.revision = sqlite->engine.cursor.revision;
        get_items(read);
        return true;
    }
    while (found-- > 0) {
        sqlite_entry_unref(read->entries[found]);
        read->entries[found] = NULL;
    }
    return false;
}

void sqlite_get(struct engine *engine, struct engine_get *get)
{
    struct sqlite *sqlite = sqlite_of(engine);
    struct sqlite_read *read = NULL;

    if (sqlite->broken || !(read = get_new(sqlite, get))) {
        sqlite_refuse(sqlite, &get->request,
                      sqlite->broken ? KAN_IO : KAN_NOMEM);
        return;
    }
    read->owner = get;
    read->at_least = get->level == ENGINE_CAUSAL ? get->at_least : 0;
    get->request.op = read;
    sqlite->stats.reads += get->key_count;
    if (read->at_least <= engine->cursor.revision && get_cached(sqlite, read)) {
        sqlite->stats.cache_hits += get->key_count;
        read->hit = true;
        env_defer(engine->env, &get->request.task, read_hit);
    } else {
        read_submit(sqlite, read);
    }
}

void sqlite_scan(struct engine *engine, struct engine_scan *scan)
{
    struct sqlite *sqlite = sqlite_of(engine);
    struct sqlite_read *read = NULL;
    unsigned char *at;

    if (!sqlite->broken)
        read = read_new(sqlite, SQLITE_READ_SCAN,
                        scan->prefix.size + scan->after.size);
    if (!read) {
        sqlite_refuse(sqlite, &scan->request,
                      sqlite->broken ? KAN_IO : KAN_NOMEM);
        return;
    }
    at = read->memory;
    read->owner = scan;
    read->at_least = scan->level == ENGINE_CAUSAL ? scan->at_least : 0;
    read->prefix = copy(&at, scan->prefix);
    read->after = copy(&at, scan->after);
    read->limit = scan->limit;
    read->keys_only = scan->keys_only;
    scan->request.op = read;
    read_submit(sqlite, read);
}

struct sqlite_read *sqlite_read_feed(struct sqlite *sqlite, void *owner,
                                     uint64_t from)
{
    struct sqlite_read *read = read_new(sqlite, SQLITE_READ_FEED, 0);

    if (!read)
        return NULL;
    read->owner = owner;
    read->from = from;
    read_submit(sqlite, read);
    return read;
}

void sqlite_read_cancel(struct sqlite *sqlite, struct engine_request *request,
                        enum kan_err err)
{
    struct sqlite_read *read = request->op;

    request->op = NULL;
    if (read->hit)
        env_undefer(sqlite->engine.env, &request->task);
    if (read->begun) {
        read->owner = NULL; /* the lane has it */
    } else {
        list_remove(&read->link);
        sqlite_read_free(sqlite, read);
    }
    engine_answer(request, err);
}

/* --- moves ---------------------------------------------------------------- */

/* The loop has been told of a group. */
void sqlite_reads_moved(struct sqlite *sqlite)
{
    struct list rest, *link;

    list_init(&rest);
    list_splice(&rest, &sqlite->held);
    while ((link = list_pop(&rest)) != NULL) {
        struct sqlite_read *read = list_entry(link, struct sqlite_read, link);
        read_done(sqlite, read);
    }
    list_splice(&rest, &sqlite->ahead);
    while ((link = list_pop(&rest)) != NULL)
        read_submit(sqlite, list_entry(link, struct sqlite_read, link));
}

static void list_fail(struct sqlite *sqlite, struct list *reads,
                      enum kan_err err)
{
    struct list *link;

    while ((link = list_pop(reads)) != NULL)
        read_answer(sqlite, list_entry(link, struct sqlite_read, link), err);
}

void sqlite_reads_fail(struct sqlite *sqlite, enum kan_err err)
{
    list_fail(sqlite, &sqlite->reads, err);
    list_fail(sqlite, &sqlite->held, err);
    list_fail(sqlite, &sqlite->ahead, err);
}

void sqlite_reads_init(struct sqlite *sqlite)
{
    list_init(&sqlite->reads);
    list_init(&sqlite->held);
    list_init(&sqlite->ahead);
    list_init(&sqlite->job.reads);
    list_init(&sqlite->job.done);
    sqlite->read_work.data = sqlite;
    sqlite->read_kick.data = sqlite;
}

void sqlite_reads_fini(struct sqlite *sqlite)
{
    env_undefer(sqlite->engine.env, &sqlite->read_kick);
    sqlite_cache_fini(&sqlite->cache);
    while (sqlite->pool)
        mem_free(pool_take(sqlite));
}
