/* db.h - one connection to a store's file, its statements and its format. */

#ifndef SQLITE_DB_H
#define SQLITE_DB_H

#include <sqlite3.h>

#include "engine/engine.h"

enum
{
    SQLITE_DB_APPLICATION = 0x4b616e31, /* "Kan1" */
    SQLITE_DB_FORMAT = 1,               /* raised when older Kans must not
                                         * read what is written */
    SQLITE_DB_PAGE = 2048
};

/* What time it is: of the wall, and since the engine was opened. */
struct sqlite_clock
{
    uint64_t wall_ms;
    uint64_t now_ns;
};

/* clang-format off */
#define SQLITE_DB_STATEMENTS(XX)                                               \
    XX(BEGIN, "BEGIN")                                                         \
    XX(BEGIN_WRITE, "BEGIN IMMEDIATE")                                         \
    XX(COMMIT, "COMMIT")                                                       \
    XX(FENCE, "UPDATE meta SET value=value+1 WHERE name='fence'")              \
    XX(BOOT, "UPDATE meta SET value=?1 WHERE name='boot'")                     \
    XX(KEY, "SELECT id,created,version,ttl,boot,deadline FROM kv"              \
            " WHERE key=?1")                                                   \
    XX(GET, "SELECT created,version,ttl,boot,deadline,value FROM kv"           \
            " WHERE key=?1")                                                   \
    XX(SCAN, "SELECT key,created,version,ttl,boot,deadline,value FROM kv"      \
             " WHERE key>=?1 AND key<?2 ORDER BY key")                         \
    XX(SCAN_REST, "SELECT key,created,version,ttl,boot,deadline,value FROM kv" \
                  " WHERE key>=?1 ORDER BY key")                               \
    XX(INSERT, "INSERT INTO kv(key,created,version,ttl,boot,deadline,value)"   \
               " VALUES(?1,?2,?3,?4,?5,?6,?7)")                                \
    XX(INSERT_NEW, "INSERT OR IGNORE INTO kv(key,created,version,ttl,boot,"     \
                   "deadline,value) VALUES(?1,?2,?3,?4,?5,?6,?7)")             \
    XX(UPDATE, "UPDATE kv SET created=?2,version=?3,value=?4 WHERE id=?1")     \
    XX(UPDATE_TTL, "UPDATE kv SET created=?2,version=?3,ttl=?4,boot=?5,"       \
                   "deadline=?6,value=?7 WHERE id=?1")                         \
    XX(TOUCH, "UPDATE kv SET ttl=?2,boot=?3,deadline=?4 WHERE id=?1")          \
    XX(DELETE, "DELETE FROM kv WHERE id=?1")                                   \
    XX(DUE, "SELECT id,key,created,deadline FROM kv WHERE deadline IS NOT NULL"\
            " AND boot=?1 AND deadline<=?2 ORDER BY deadline LIMIT ?3")        \
    XX(NEXT, "SELECT deadline FROM kv WHERE deadline IS NOT NULL AND boot=?1"  \
             " ORDER BY deadline LIMIT 1")                                     \
    XX(OLD, "SELECT id,ttl FROM kv WHERE deadline IS NOT NULL AND boot>0"      \
            " AND boot<?1 LIMIT ?2")                                           \
    XX(HEAD, "SELECT revision,boot,stamp,wall,now,total FROM feed"             \
             " ORDER BY revision DESC LIMIT 1")                                \
    XX(OLDEST, "SELECT first,total-length(body) FROM feed"                     \
               " ORDER BY revision LIMIT 1")                                   \
    XX(FEED, "SELECT revision,first,body FROM feed WHERE revision>?1"          \
             " ORDER BY revision")                                             \
    XX(FEED_ADD, "INSERT INTO feed(revision,first,boot,stamp,wall,now,total,"  \
                 "body) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)")                      \
    XX(FEED_STAMP, "UPDATE feed SET boot=?2,stamp=?3,wall=?4,now=?5"           \
                   " WHERE revision=?1")                                       \
    XX(FEED_TRIM, "DELETE FROM feed WHERE revision IN (SELECT revision FROM"   \
                  " (SELECT revision,total FROM feed ORDER BY revision"        \
                  " LIMIT ?3) WHERE revision<?1 AND total<=?2)")               \
    XX(ID, "SELECT revision,boot,at FROM dedupe WHERE id=?1")                  \
    XX(ID_ADD, "INSERT OR REPLACE INTO dedupe(id,revision,boot,at)"            \
               " VALUES(?1,?2,?3,?4)")                                         \
    XX(ID_TRIM, "DELETE FROM dedupe WHERE n IN (SELECT n FROM"                 \
                " (SELECT n,boot,at FROM dedupe ORDER BY n LIMIT ?3)"          \
                " WHERE boot<?1 OR at<?2)")                                    \
    XX(ID_SPAN, "SELECT ifnull((SELECT max(n) FROM dedupe)"                    \
                "-(SELECT min(n) FROM dedupe)+1,0)")
/* clang-format on */

enum sqlite_db_statement
{
#define SQLITE_DB_ENUM(name, sql) SQLITE_DB_##name,
    SQLITE_DB_STATEMENTS(SQLITE_DB_ENUM)
#undef SQLITE_DB_ENUM
        SQLITE_DB_STATEMENT_COUNT
};

struct sqlite_db
{
    sqlite3 *handle;
    sqlite3_stmt *statements[SQLITE_DB_STATEMENT_COUNT]; /* when first used */
};

/* What the meta table says of the store. */
struct sqlite_db_meta
{
    uint64_t store;
    uint64_t incarnation;
    uint64_t boot; /* how often it was opened for writing */
};

enum sqlite_db_mode
{
    SQLITE_DB_READ_ONLY, /* for backup and verify: another may write */
    SQLITE_DB_READER,    /* of an engine */
    SQLITE_DB_WRITER     /* of an engine: the only one that checkpoints */
};

/* Open a connection; vfs is a name or NULL. Its cache takes cache_bytes. Also
 * after a failure: sqlite_db_close(). Returns a code of SQLite's. */
KAN_MUST_USE int sqlite_db_open(struct sqlite_db *db, const char *path,
                                const char *vfs, enum sqlite_db_mode mode,
                                uint64_t cache_bytes);

/* A zeroed one is fine. */
void sqlite_db_close(struct sqlite_db *db);

/* Check that the file is a store of a format we read, and read its meta; make a
 * store of an empty one when seed is not NULL. KAN_INVALID with a line in why,
 * KAN_NOTFOUND when it is empty and seed is NULL. */
KAN_MUST_USE enum kan_err sqlite_db_check(struct sqlite_db *db,
                                          const char *path,
                                          const struct sqlite_db_meta *seed,
                                          char *why, size_t why_size,
                                          struct sqlite_db_meta *ret_meta);

/* The statement, reset and without parameters; prepared on its first use. */
KAN_MUST_USE int sqlite_db_use(struct sqlite_db *db,
                               enum sqlite_db_statement which,
                               sqlite3_stmt **ret_statement);

/* Run it to its end, for its effect, and reset it. */
KAN_MUST_USE int sqlite_db_done(sqlite3_stmt *statement);

/* Both at once, without parameters. */
KAN_MUST_USE int sqlite_db_run(struct sqlite_db *db,
                               enum sqlite_db_statement which);

/* Undo what is under way, if anything is. */
void sqlite_db_rollback(struct sqlite_db *db);

/* Run SQL. */
KAN_MUST_USE int sqlite_db_exec(struct sqlite_db *db, const char *sql);

/* The first column of the first row. SQLITE_NOTFOUND without a row. */
KAN_MUST_USE int sqlite_db_number(struct sqlite_db *db, const char *sql,
                                  int64_t *ret_number);

/* Ours for a code of SQLite's, extended or not. */
enum kan_err sqlite_db_err(int rc);

/* Ours for a code, with a line in why about the file at path. */
enum kan_err sqlite_db_fail(struct sqlite_db *db, const char *path, int rc,
                            char *why, size_t why_size);

/* A column as bytes, good until the statement goes on. NULL gives the empty
 * slice; without memory for it *ret_rc becomes SQLITE_NOMEM. */
struct kan_slice sqlite_db_bytes(sqlite3_stmt *statement, int column,
                                 int *ret_rc);

static inline uint64_t sqlite_db_u64(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

static inline void sqlite_db_bind_u64(sqlite3_stmt *statement, int parameter,
                                      uint64_t number)
{
    (void)sqlite3_bind_int64(statement, parameter, (sqlite3_int64)number);
}

/* Bytes that stay where they are until the statement is reset. */
void sqlite_db_bind_bytes(sqlite3_stmt *statement, int parameter,
                          struct kan_slice bytes);

/* How a key expires: three columns from column on (ttl, boot, deadline), for an
 * engine in its boot-th life. A lease of an earlier life began when this one
 * did. */
struct sqlite_db_ttl
{
    enum engine_ttl_kind kind;
    uint64_t expires_at; /* engine_expires_at(), now_ns since the opening */
};

struct sqlite_db_ttl sqlite_db_ttl(sqlite3_stmt *statement, int column,
                                   uint64_t boot);

/* The opposite: bind ttl_ms, boot and the deadline. */
void sqlite_db_bind_ttl(sqlite3_stmt *statement, int parameter,
                        enum engine_ttl_kind kind, uint64_t ttl_ms,
                        uint64_t boot, uint64_t expires_at);

#endif /* SQLITE_DB_H */
