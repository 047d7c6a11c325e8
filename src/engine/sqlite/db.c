/* A connection: how it is opened, what it may hold, and what the file must look
 * like. The layout is explained in docs/design/sqlite.md. */

#include "engine/sqlite/db.h"

#include <stdio.h>

#include "base/assert.h"

static const char *const statement_texts[] = {
#define STATEMENT_TEXT(name, sql) [SQLITE_DB_##name] = (sql),
    SQLITE_DB_STATEMENTS(STATEMENT_TEXT)
#undef STATEMENT_TEXT
};

/* clang-format off */
static const char layout[] =
    "CREATE TABLE meta("
    "name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE kv("
    "id INTEGER PRIMARY KEY,"
    "key BLOB NOT NULL UNIQUE,"
    "created INTEGER NOT NULL,"
    "version INTEGER NOT NULL,"
    "ttl INTEGER,"        /* ms; these three are NULL when it lives for ever */
    "boot INTEGER,"       /* 0: by the wall; else a lease, of that boot */
    "deadline INTEGER,"   /* ms of the wall; or ns since that boot */
    "value BLOB NOT NULL);"
    "CREATE INDEX kv_due ON kv(boot, deadline) WHERE deadline IS NOT NULL;"
    "CREATE TABLE feed("
    "revision INTEGER PRIMARY KEY," /* the last one in body */
    "first INTEGER NOT NULL,"
    "boot INTEGER NOT NULL,"
    "stamp INTEGER NOT NULL," /* groups of that boot so far */
    "wall INTEGER NOT NULL,"  /* the group's clock: ms, and ns since boot */
    "now INTEGER NOT NULL,"
    "total INTEGER NOT NULL," /* bytes of all bodies ever, up to this one */
    "body BLOB NOT NULL);"
    "CREATE TABLE dedupe("
    "n INTEGER PRIMARY KEY,"
    "id BLOB NOT NULL UNIQUE,"
    "revision INTEGER NOT NULL,"
    "boot INTEGER NOT NULL,"
    "at INTEGER NOT NULL);"; /* ns since that boot */
/* clang-format on */

enum kan_err sqlite_db_err(int rc)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return KAN_NOMEM;
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return KAN_OK;
    case SQLITE_NOMEM:
        return KAN_NOMEM;
    case SQLITE_FULL:
        return KAN_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
    case SQLITE_TOOBIG: /* values of one get, beyond its limit */
        return KAN_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return KAN_CORRUPT;
    default:
        return KAN_IO;
    }
}

/* --- statements ----------------------------------------------------------- */

int sqlite_db_use(struct sqlite_db *db, enum sqlite_db_statement which,
                  sqlite3_stmt **ret_statement)
{
    sqlite3_stmt **statement = &db->statements[which];

    if (*statement) {
        (void)sqlite3_reset(*statement);
    } else {
        int rc = sqlite3_prepare_v3(db->handle, statement_texts[which], -1,
                                    SQLITE_PREPARE_PERSISTENT, statement, NULL);
        if (rc)
            return rc;
    }
    *ret_statement = *statement;
    return SQLITE_OK;
}

int sqlite_db_done(sqlite3_stmt *statement)
{
    int rc;

    do {
        rc = sqlite3_step(statement);
    } while (rc == SQLITE_ROW);
    (void)sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sqlite_db_run(struct sqlite_db *db, enum sqlite_db_statement which)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(db, which, &statement);

    return rc ? rc : sqlite_db_done(statement);
}

/* A failed rollback leaves a transaction that every later BEGIN trips over. */
void sqlite_db_rollback(struct sqlite_db *db)
{
    if (!db->handle)
        return;
    for (unsigned i = 0; i < SQLITE_DB_STATEMENT_COUNT; i++)
        (void)sqlite3_reset(db->statements[i]);
    if (!sqlite3_get_autocommit(db->handle))
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int sqlite_db_exec(struct sqlite_db *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
}

int sqlite_db_number(struct sqlite_db *db, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);

    if (rc)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *ret_number = sqlite3_column_int64(statement, 0);
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_NOTFOUND;
    }
    (void)sqlite3_finalize(statement);
    return rc;
}

struct kan_slice sqlite_db_bytes(sqlite3_stmt *statement, int column,
                                 int *ret_rc)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);

    if (!bytes && (size > 0 || sqlite3_errcode(sqlite3_db_handle(statement)) ==
                                   SQLITE_NOMEM))
        *ret_rc = SQLITE_NOMEM;
    return bytes ? kan_slice(bytes, (size_t)size) : kan_slice(NULL, 0);
}

/* With no bytes at all a NULL pointer would bind NULL. */
void sqlite_db_bind_bytes(sqlite3_stmt *statement, int parameter,
                          struct kan_slice bytes)
{
    (void)sqlite3_bind_blob64(statement, parameter,
                              bytes.size ? bytes.bytes : "", bytes.size,
                              SQLITE_STATIC);
}

struct sqlite_db_ttl sqlite_db_ttl(sqlite3_stmt *statement, int column,
                                   uint64_t boot)
{
    struct sqlite_db_ttl ttl = {ENGINE_FOREVER, 0};
    uint64_t of_boot = sqlite_db_u64(statement, column + 1);

    if (sqlite3_column_type(statement, column + 2) == SQLITE_NULL)
        return ttl;
    ttl.kind = of_boot ? ENGINE_LEASE : ENGINE_TTL;
    if (of_boot == 0 || of_boot == boot)
        ttl.expires_at = sqlite_db_u64(statement, column + 2);
    else
        ttl.expires_at = engine_expires_at(
            ENGINE_LEASE, sqlite_db_u64(statement, column), 0, 0);
    return ttl;
}

void sqlite_db_bind_ttl(sqlite3_stmt *statement, int parameter,
                        enum engine_ttl_kind kind, uint64_t ttl_ms,
                        uint64_t boot, uint64_t expires_at)
{
    if (kind == ENGINE_FOREVER) {
        for (int i = 0; i < 3; i++)
            (void)sqlite3_bind_null(statement, parameter + i);
        return;
    }
    sqlite_db_bind_u64(statement, parameter,
                       ttl_ms < INT64_MAX ? ttl_ms : INT64_MAX);
    sqlite_db_bind_u64(statement, parameter + 1,
                       kind == ENGINE_LEASE ? boot : 0);
    sqlite_db_bind_u64(statement, parameter + 2, expires_at);
}

/* --- opening -------------------------------------------------------------- */

static int db_settings(struct sqlite_db *db, enum sqlite_db_mode mode,
                       uint64_t cache_bytes)
{
    char sql[256];
    int rc;

    (void)sqlite3_extended_result_codes(db->handle, 1);
    (void)sqlite3_busy_timeout(db->handle, 2000);
    /* A reader that happens to be the last to close must not checkpoint. */
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
                            mode != SQLITE_DB_WRITER, NULL);
    /* A file made to be opened by us must not run what is in it. */
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
                            NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    snprintf(sql, sizeof sql,
             "PRAGMA cache_size=-%llu; PRAGMA cache_spill=OFF;"
             "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
             "PRAGMA wal_autocheckpoint=0; PRAGMA cell_size_check=ON;"
             "PRAGMA secure_delete=OFF; PRAGMA synchronous=FULL;",
             (unsigned long long)(cache_bytes / 1024));
    rc = sqlite_db_exec(db, sql);
    if (!rc && mode == SQLITE_DB_READER)
        rc = sqlite_db_exec(db, "PRAGMA query_only=ON");
    return rc;
}

int sqlite_db_open(struct sqlite_db *db, const char *path, const char *vfs,
                   enum sqlite_db_mode mode, uint64_t cache_bytes)
{
    int flags = SQLITE_OPEN_NOMUTEX;
    int rc;

    memset(db, 0, sizeof *db);
    flags |= mode == SQLITE_DB_READ_ONLY ? SQLITE_OPEN_READONLY
                                         : SQLITE_OPEN_READWRITE;
    rc = sqlite3_open_v2(path, &db->handle, flags, vfs);
    return rc ? rc : db_settings(db, mode, cache_bytes);
}

void sqlite_db_close(struct sqlite_db *db)
{
    for (unsigned i = 0; i < SQLITE_DB_STATEMENT_COUNT; i++) {
        (void)sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    if (db->handle) {
        int rc = sqlite3_close(db->handle);
        kan_assert(rc == SQLITE_OK);
        db->handle = NULL;
    }
}

/* --- the format ----------------------------------------------------------- */

/* A crash before the end leaves an empty database, and the next opening starts
 * again. */
static int db_make(struct sqlite_db *db, const struct sqlite_db_meta *seed)
{
    char sql[512];
    int rc;

    snprintf(
        sql, sizeof sql,
        "PRAGMA page_size=%d; PRAGMA auto_vacuum=NONE;"
        "PRAGMA encoding='UTF-8'; PRAGMA journal_mode=WAL; BEGIN IMMEDIATE",
        SQLITE_DB_PAGE);
    rc = sqlite_db_exec(db, sql);
    if (!rc)
        rc = sqlite_db_exec(db, layout);
    snprintf(sql, sizeof sql,
             "INSERT INTO meta VALUES('store',%lld),('incarnation',%lld),"
             "('boot',0),('fence',0);"
             "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
             (long long)seed->store, (long long)seed->incarnation,
             SQLITE_DB_APPLICATION, SQLITE_DB_FORMAT);
    if (!rc)
        rc = sqlite_db_exec(db, sql);
    if (rc)
        sqlite_db_rollback(db);
    return rc;
}

static int db_meta(struct sqlite_db *db, struct sqlite_db_meta *ret_meta)
{
    struct sqlite_db_meta meta = {0};
    int64_t number = 0;
    int rc = sqlite_db_number(db, "SELECT value FROM meta WHERE name='store'",
                              &number);

    meta.store = (uint64_t)number;
    if (!rc)
        rc = sqlite_db_number(
            db, "SELECT value FROM meta WHERE name='incarnation'", &number);
    meta.incarnation = (uint64_t)number;
    if (!rc)
        rc = sqlite_db_number(db, "SELECT value FROM meta WHERE name='boot'",
                              &number);
    meta.boot = (uint64_t)number;
    if (!rc)
        *ret_meta = meta;
    return rc;
}

struct identity
{
    int64_t application;
    int64_t format;
    int64_t tables;
};

static int db_identity(struct sqlite_db *db, struct identity *ret)
{
    int rc = sqlite_db_number(db, "PRAGMA application_id", &ret->application);

    if (!rc)
        rc = sqlite_db_number(db, "PRAGMA user_version", &ret->format);
    if (!rc)
        rc = sqlite_db_number(db, "SELECT count(*) FROM sqlite_schema",
                              &ret->tables);
    return rc;
}

enum kan_err sqlite_db_fail(struct sqlite_db *db, const char *path, int rc,
                            char *why, size_t why_size)
{
    if ((rc & 0xff) == SQLITE_NOTADB) {
        snprintf(why, why_size,
                 "%s is not a Kan store (and not an SQLite database)", path);
        return KAN_INVALID;
    }
    if (rc == SQLITE_NOTFOUND) {
        snprintf(why, why_size, "%s has lost a row that every store has", path);
        return KAN_CORRUPT;
    }
    snprintf(why, why_size, "%s: %s", path,
             db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc));
    return sqlite_db_err(rc);
}

static enum kan_err db_refuse(const char *path, const struct identity *found,
                              char *why, size_t why_size)
{
    if (found->application != SQLITE_DB_APPLICATION) {
        snprintf(why, why_size, "%s is an SQLite database of another program",
                 path);
        return KAN_INVALID;
    }
    if (found->format > SQLITE_DB_FORMAT) {
        snprintf(why, why_size,
                 "%s has format %lld, and this Kan reads up to %d: use the "
                 "newer Kan that wrote it",
                 path, (long long)found->format, SQLITE_DB_FORMAT);
        return KAN_INVALID;
    }
    return KAN_OK;
}

enum kan_err sqlite_db_check(struct sqlite_db *db, const char *path,
                             const struct sqlite_db_meta *seed, char *why,
                             size_t why_size, struct sqlite_db_meta *ret_meta)
{
    struct identity found = {0};
    enum kan_err err;
    int rc = db_identity(db, &found);

    if (!rc && found.application == 0 && found.format == 0 &&
        found.tables == 0) {
        if (!seed) {
            snprintf(why, why_size, "%s is empty", path);
            return KAN_NOTFOUND;
        }
        rc = db_make(db, seed);
        if (!rc)
            rc = db_identity(db, &found);
    }
    if (rc)
        return sqlite_db_fail(db, path, rc, why, why_size);
    err = db_refuse(path, &found, why, why_size);
    if (err)
        return err;
    rc = db_meta(db, ret_meta);
    return rc ? sqlite_db_fail(db, path, rc, why, why_size) : KAN_OK;
}
