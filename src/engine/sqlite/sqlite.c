/* Opening and closing, and what all requests share. The order in which things
 * are opened is the order in which they can be trusted: the lock, the log of a
 * process that died, the format, then the data. */

#include "engine/sqlite/sqlite.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "engine/sqlite/driver.h"

enum
{
    CACHE_BYTES = 3 << 20,
    VALUE_CACHE_BYTES = 3 << 19,
    FEED_BYTES = 64 << 20,
    CHECKPOINT_BYTES = 32 << 20,
    SETTLE_BYTES = 64 << 10
};

const struct engine_promises sqlite_promises = {
    .ops_max = 4096,
    .commit_bytes_max = 16 << 20,
    .key_max = 2048,
    .value_max = 4 << 20,
    .expiry_ms = 1,
    .dedupe_ms = SQLITE_DEDUPE_MS,
    .durable = ENGINE_FSYNC,
    .guard_created = true,
    .append = true,
    .watch_from = true,
    .scan = true,
    .linearizable = true,
    .monotone_over_failover = true,
    .shared = false,
};

struct sqlite *sqlite_of(struct engine *engine)
{
    struct sqlite *sqlite = (struct sqlite *)(void *)engine;

    check_magic(sqlite, SQLITE_MAGIC);
    return sqlite;
}

struct sqlite_clock sqlite_clock(struct sqlite *sqlite)
{
    struct sqlite_clock clock;

    if (sqlite->writing == SQLITE_WRITING_GROUP)
        return sqlite->group->clock;
    clock.wall_ms = env_wall_ms(sqlite->engine.env);
    clock.now_ns = env_now(sqlite->engine.env) - sqlite->opened_ns;
    return clock;
}

/* --- what all requests share ---------------------------------------------- */

static void refused(struct env_task *task)
{
    struct engine_request *request = task->data;
    struct engine *engine = request->engine;

    if (request->err == KAN_NOMEM)
        engine_fail(engine, "sqlite: out of memory");
    else if (request->err == KAN_COMPACTED)
        engine_fail(engine,
                    "sqlite: the cursor is not of this store's "
                    "history; read the keys and watch from that "
                    "revision");
    else
        engine_fail(engine,
                    "sqlite: the disk has failed; open the store again");
    engine_answer(request, request->err);
}

void sqlite_refuse(struct sqlite *sqlite, struct engine_request *request,
                   enum kan_err err)
{
    request->op = NULL;
    request->err = err;
    env_defer(sqlite->engine.env, &request->task, refused);
}

void sqlite_break(struct sqlite *sqlite, const char *message)
{
    sqlite->broken = true;
    sqlite->stats.broken = true;
    if (message)
        engine_fail(&sqlite->engine, "sqlite: %s", message);
    sqlite_commits_fail(sqlite, KAN_IO);
    sqlite_reads_fail(sqlite, KAN_IO);
    sqlite_watches_fail(sqlite, KAN_IO);
}

static void sqlite_cancel(struct engine *engine, struct engine_request *request,
                          enum kan_err err)
{
    struct sqlite *sqlite = sqlite_of(engine);

    if (!request->op) { /* it was refused, and is about to hear of it */
        env_undefer(engine->env, &request->task);
        engine_answer(request, err);
        return;
    }
    switch ((enum engine_request_kind)request->kind) {
    case ENGINE_REQUEST_COMMIT:
        sqlite_commit_cancel(sqlite, request, err);
        break;
    case ENGINE_REQUEST_GET:
    case ENGINE_REQUEST_SCAN:
        sqlite_read_cancel(sqlite, request, err);
        break;
    case ENGINE_REQUEST_WATCH:
        sqlite_watch_cancel(sqlite, request, err);
        break;
    }
}

static void sqlite_stats(struct engine *engine, struct engine_stats *ret_stats)
{
    struct sqlite *sqlite = sqlite_of(engine);

    *ret_stats = sqlite->stats;
    ret_stats->broken = sqlite->broken;
    ret_stats->bytes_written = atomic_load(&sqlite->vfs.bytes_written);
}

void engine_sqlite_note(struct engine *engine, const char *text)
{
    sqlite_lock_note(&sqlite_of(engine)->lock, text);
}

/* --- closing -------------------------------------------------------------- */

/* Everything but the lanes, at any stage of opening. */
static struct sqlite *sqlite_free(struct sqlite *sqlite)
{
    sqlite_db_close(&sqlite->reader.db);
    sqlite_db_close(&sqlite->writer.db);
    sqlite_vfs_close(&sqlite->vfs);
    sqlite_lock_drop(&sqlite->lock);
    sqlite_commits_fini(sqlite);
    sqlite_reads_fini(sqlite);
    sqlite_watches_fini(sqlite);
    engine_fini(&sqlite->engine);
    sqlite->magic = 0;
    return mem_free(sqlite);
}

static void read_lane_closed(void *data)
{
    struct sqlite *sqlite = data;
    void *close_data = sqlite->close_data;
    env_close_cb *close_cb = sqlite->close_cb;

    sqlite_free(sqlite);
    close_cb(close_data);
}

static void write_lane_closed(void *data)
{
    struct sqlite *sqlite = data;

    env_lane_close(sqlite->read_lane, sqlite, read_lane_closed);
}

/* The last connection to close copies the log and deletes it. When the disk has
 * failed, nothing more is written: what the log holds is the truth. */
static void close_run(struct env_work *work)
{
    struct sqlite *sqlite = work->data;

    if (sqlite->broken)
        (void)sqlite3_db_config(sqlite->writer.db.handle,
                                SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite_db_close(&sqlite->reader.db);
    sqlite_db_close(&sqlite->writer.db);
}

static void close_done(struct env_work *work)
{
    struct sqlite *sqlite = work->data;

    env_lane_close(sqlite->write_lane, sqlite, write_lane_closed);
}

void sqlite_close_next(struct sqlite *sqlite)
{
    if (!sqlite->closing || sqlite->writing || sqlite->reading)
        return;
    sqlite->writing = SQLITE_WRITING_CHECKPOINT;
    env_lane_work(sqlite->write_lane, &sqlite->write_work, close_run,
                  close_done);
}

static void sqlite_close(struct engine *engine, void *data, env_close_cb *cb)
{
    struct sqlite *sqlite = sqlite_of(engine);

    sqlite->closing = true;
    sqlite->close_data = data;
    sqlite->close_cb = cb;
    env_timer_stop(engine->env, &sqlite->sweep_timer);
    env_timer_stop(engine->env, &sqlite->idle_timer);
    env_undefer(engine->env, &sqlite->write_kick);
    env_undefer(engine->env, &sqlite->read_kick);
    sqlite_commits_fail(sqlite, KAN_CLOSED);
    sqlite_close_next(sqlite);
}

static const struct engine_ops sqlite_ops = {
    .name = "sqlite",
    .commit = sqlite_commit,
    .get = sqlite_get,
    .scan = sqlite_scan,
    .watch = sqlite_watch,
    .cancel = sqlite_cancel,
    .close = sqlite_close,
    .stats = sqlite_stats,
};

/* --- opening -------------------------------------------------------------- */

struct opening
{
    struct sqlite *sqlite;
    const struct sqlite_options *options;
    struct env *env;
    char *why;
    size_t why_size;
};

static uint64_t option(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

static enum kan_err opening_failed(const struct opening *opening,
                                   enum kan_err err, const char *what)
{
    snprintf(opening->why, opening->why_size, "%s %s: %s",
             opening->options->path, what, kan_err_text(err));
    return err;
}

static struct sqlite *sqlite_new(struct env *env,
                                 const struct sqlite_options *options)
{
    struct sqlite *sqlite = mem_zalloc(sizeof *sqlite);
    struct hash_seed seed;

    if (!sqlite)
        return NULL;
    engine_init(&sqlite->engine, &sqlite_ops, env);
    sqlite->engine.promises = sqlite_promises;
    sqlite->magic = SQLITE_MAGIC;
    sqlite->checkpoint_bytes =
        option(options->checkpoint_bytes, CHECKPOINT_BYTES);
    sqlite->writer.feed_bytes_max = option(options->feed_bytes_max, FEED_BYTES);
    sqlite_commits_init(sqlite);
    sqlite_reads_init(sqlite);
    sqlite_watches_init(sqlite);
    seed.k0 = env_choose(env, UINT64_MAX);
    seed.k1 = env_choose(env, UINT64_MAX);
    sqlite_cache_init(&sqlite->cache, seed,
                      option(options->value_cache_bytes, VALUE_CACHE_BYTES));
    return sqlite;
}

/* Make the file before SQLite does, so that it is its owner's alone; its logs
 * take over its mode. */
static enum kan_err file_make(const struct opening *opening)
{
    const char *path = opening->options->path;
    char folder[SQLITE_PATH_SIZE];
    struct env_file *file;
    enum kan_err err = env_file_exists(opening->env, path);

    if (err != KAN_NOTFOUND)
        return err ? opening_failed(opening, err, "cannot be looked at") : err;
    err = env_file_open(opening->env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE,
                        &file);
    if (err)
        return opening_failed(opening, err, "cannot be made");
    env_file_close(file);
    sqlite_folder(folder, sizeof folder, path);
    err = env_dir_sync(opening->env, folder);
    return err ? opening_failed(opening, err, "cannot be made durable") : err;
}

/* Write the same bytes again, and sync. */
static enum kan_err log_rewrite(struct env_file *log, void *block)
{
    enum kan_err err = KAN_OK;
    uint64_t offset = 0;
    size_t size = SETTLE_BYTES;

    while (!err && size == SETTLE_BYTES) {
        err = env_file_read(log, offset, block, SETTLE_BYTES, &size);
        if (!err && size)
            err = env_file_write(log, offset, kan_slice(block, size));
        offset += size;
    }
    return err ? err : env_file_sync(log);
}

/* The log of a process that died may hold commits that it had not synced, or
 * whose sync had failed: the kernel may take such pages for clean. What we are
 * about to show to readers must be on the disk, so it is written once more. */
static enum kan_err log_settle(const struct opening *opening)
{
    char path[SQLITE_PATH_SIZE];
    struct env_file *log;
    void *block;
    enum kan_err err =
        sqlite_path(path, sizeof path, opening->options->path, "-wal");

    if (!err)
        err = env_file_open(opening->env, path, ENV_OPEN_WRITE, &log);
    if (err)
        return err == KAN_NOTFOUND
                   ? KAN_OK
                   : opening_failed(opening, err, "has a log that fails");
    block = mem_alloc(SETTLE_BYTES);
    err = block ? log_rewrite(log, block) : KAN_NOMEM;
    mem_free(block);
    env_file_close(log);
    return err ? opening_failed(opening, err, "has a log that fails") : err;
}

static enum kan_err db_failed(const struct opening *opening,
                              struct sqlite_db *db, int rc)
{
    return sqlite_db_fail(db, opening->options->path, rc, opening->why,
                          opening->why_size);
}

static int wal_set(struct sqlite_db *db)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db->handle, "PRAGMA journal_mode=WAL", -1,
                                &statement, NULL);

    if (rc)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(statement, 0);
        rc = mode && strcmp(mode, "wal") == 0 ? SQLITE_OK : SQLITE_IOERR;
        if (!mode)
            rc = SQLITE_NOMEM;
    }
    (void)sqlite3_finalize(statement);
    return rc;
}

static enum kan_err open_writer(const struct opening *opening,
                                uint64_t cache_bytes)
{
    struct sqlite *sqlite = opening->sqlite;
    struct sqlite_db *db = &sqlite->writer.db;
    struct sqlite_db_meta seed = {0}, meta = {0};
    enum kan_err err;
    int rc = sqlite_db_open(db, opening->options->path, sqlite->vfs.name,
                            SQLITE_DB_WRITER, cache_bytes);

    if (rc)
        return db_failed(opening, db, rc);
    seed.store = 1 + env_choose(opening->env, INT64_MAX - 1);
    seed.incarnation = 1 + env_choose(opening->env, INT64_MAX - 1);
    err = sqlite_db_check(db, opening->options->path, &seed, opening->why,
                          opening->why_size, &meta);
    if (err)
        return err;
    rc = wal_set(db);
    if (!rc)
        rc = sqlite_writer_open(&sqlite->writer, meta.boot + 1,
                                2 * sqlite->checkpoint_bytes);
    if (rc)
        return db_failed(opening, db, rc);
    sqlite->engine.cursor.store = meta.store;
    sqlite->engine.cursor.incarnation = meta.incarnation;
    sqlite->engine.cursor.revision = sqlite->writer.head;
    sqlite->next_wall = sqlite->writer.next_wall;
    sqlite->next_now = sqlite->writer.next_now;
    return KAN_OK;
}

static enum kan_err open_reader(const struct opening *opening,
                                uint64_t cache_bytes)
{
    struct sqlite *sqlite = opening->sqlite;
    struct sqlite_db *db = &sqlite->reader.db;
    int rc = sqlite_db_open(db, opening->options->path, sqlite->vfs.name,
                            SQLITE_DB_READER, cache_bytes);

    if (rc)
        return db_failed(opening, db, rc);
    sqlite_reader_open(&sqlite->reader, opening->env, sqlite->writer.boot);
    return KAN_OK;
}

static enum kan_err open_files(const struct opening *opening)
{
    const struct sqlite_options *options = opening->options;
    struct sqlite *sqlite = opening->sqlite;
    uint64_t cache_bytes = option(options->cache_bytes, CACHE_BYTES);
    enum kan_err err =
        sqlite_lock_take(&sqlite->lock, opening->env, options->path,
                         options->program ? options->program : "kan",
                         opening->why, opening->why_size);

    if (!err)
        err = file_make(opening);
    if (!err)
        err = log_settle(opening);
    if (err)
        return err;
    err = sqlite_vfs_open(&sqlite->vfs, opening->env);
    if (err)
        return opening_failed(opening, err, "cannot be opened");
    sqlite->opened_ns = env_now(opening->env);
    err = open_writer(opening, cache_bytes / 3 * 2);
    return err ? err : open_reader(opening, cache_bytes / 3);
}

static void nothing(void *data)
{
    (void)data;
}

static enum kan_err open_lanes(const struct opening *opening)
{
    struct sqlite *sqlite = opening->sqlite;
    enum kan_err err =
        env_lane_open(opening->env, "kan-write", &sqlite->write_lane);

    if (err)
        return opening_failed(opening, err, "gets no thread");
    err = env_lane_open(opening->env, "kan-read", &sqlite->read_lane);
    if (err) {
        env_lane_close(sqlite->write_lane, NULL, nothing);
        return opening_failed(opening, err, "gets no thread");
    }
    return KAN_OK;
}

enum kan_err engine_sqlite_open(struct env *env,
                                const struct sqlite_options *options, char *why,
                                size_t why_size, struct engine **ret_engine)
{
    struct opening opening = {NULL, options, env, why, why_size};
    enum kan_err err;

    opening.sqlite = sqlite_new(env, options);
    if (!opening.sqlite)
        return opening_failed(&opening, KAN_NOMEM, "cannot be opened");
    err = open_files(&opening);
    if (!err)
        err = open_lanes(&opening);
    if (err) {
        sqlite_free(opening.sqlite);
        return err;
    }
    sqlite_lock_note(&opening.sqlite->lock, NULL);
    sqlite_commits_arm(opening.sqlite);
    *ret_engine = &opening.sqlite->engine;
    return KAN_OK;
}
