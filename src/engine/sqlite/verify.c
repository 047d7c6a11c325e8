/* Is the store what it should be? In one snapshot: the pages, the rows of the
 * feed one behind the other, and every key against the feed's last word on it.
 * The feed is read from its end, so the first change met of a key is the last
 * one made. */

#include <stdio.h>

#include "base/assert.h"
#include "base/map.h"
#include "engine/sqlite/db.h"
#include "engine/sqlite/feed.h"
#include "engine/sqlite/sqlite.h"
#include "engine/sqlite/vfs.h"

enum
{
    CACHE_BYTES = 4 << 20,
    LINE_SIZE = 256,
    PROBLEMS_MAX = 100 /* reported one by one */
};

struct verify
{
    struct sqlite_db db;
    void *data;
    sqlite_verify_cb *cb;
    uint64_t problems;
    struct map seen; /* keys that the feed has spoken of */
    uint64_t puts;   /* of these, those whose last word is a put */
    struct sqlite_verified found;
};

__attribute__((format(printf, 2, 3))) static void problem(struct verify *verify,
                                                          const char *format,
                                                          ...)
{
    char line[LINE_SIZE];
    va_list args;

    if (verify->problems++ >= PROBLEMS_MAX)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    verify->cb(verify->data, line);
}

/* A key for people: what is not printable becomes a dot. */
static const char *key_text(struct kan_slice key, char out[64])
{
    size_t size = key.size < 60 ? key.size : 60;

    for (size_t i = 0; i < size; i++) {
        unsigned char byte = slice_at(key, i);
        out[i] = byte >= 0x20 && byte < 0x7f ? (char)byte : '.';
    }
    out[size] = 0;
    return out;
}

/* --- pages ---------------------------------------------------------------- */

static int check_pages(struct verify *verify)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(verify->db.handle, "PRAGMA integrity_check(20)",
                                -1, &statement, NULL);

    if (rc)
        return rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(statement, 0);
        if (!line || strcmp(line, "ok") != 0)
            problem(verify, "pages: %s", line ? line : "?");
    }
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- keys ----------------------------------------------------------------- */

/* What the table says of a key that the feed last put or removed. */
static int check_last(struct verify *verify, const struct engine_change *change)
{
    char text[64];
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&verify->db, SQLITE_DB_GET, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_bytes(statement, 1, change->key);
    rc = sqlite3_step(statement);
    key_text(change->key, text);
    if (rc == SQLITE_ROW && change->kind != ENGINE_CHANGE_PUT) {
        problem(verify, "key %s is there, but revision %llu removed it", text,
                (unsigned long long)change->version);
    } else if (rc == SQLITE_DONE && change->kind == ENGINE_CHANGE_PUT) {
        problem(verify, "key %s of revision %llu is missing", text,
                (unsigned long long)change->version);
    } else if (rc == SQLITE_ROW) {
        int bytes_rc = SQLITE_OK;
        struct kan_slice value = sqlite_db_bytes(statement, 5, &bytes_rc);
        if (bytes_rc)
            rc = bytes_rc;
        else if (sqlite_db_u64(statement, 0) != change->created ||
                 sqlite_db_u64(statement, 1) != change->version)
            problem(verify,
                    "key %s has created %llu and version %llu, the feed says "
                    "%llu and %llu",
                    text, (unsigned long long)sqlite_db_u64(statement, 0),
                    (unsigned long long)sqlite_db_u64(statement, 1),
                    (unsigned long long)change->created,
                    (unsigned long long)change->version);
        else if (!slice_equal(value, change->value))
            problem(verify, "key %s has another value than revision %llu put",
                    text, (unsigned long long)change->version);
    }
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int check_change(struct verify *verify,
                        const struct engine_change *change)
{
    static char mark;
    void *old = NULL;
    enum kan_err err = KAN_OK;

    if (change->created == 0 || change->created > change->version)
        problem(verify, "revision %llu has a change created at %llu",
                (unsigned long long)change->version,
                (unsigned long long)change->created);
    if (change->key.size == 0) {
        problem(verify, "revision %llu changes a key without a name",
                (unsigned long long)change->version);
        return SQLITE_OK;
    }
    err = map_put(&verify->seen, change->key, &mark, &old);
    if (err)
        return SQLITE_NOMEM;
    if (old)
        return SQLITE_OK;
    verify->puts += change->kind == ENGINE_CHANGE_PUT;
    return check_last(verify, change);
}

/* Keys that only the table knows: too old for the feed, or wrong. */
static int check_rows(struct verify *verify)
{
    sqlite3_stmt *statement = NULL;
    uint64_t recent = 0;
    int rc = sqlite3_prepare_v2(verify->db.handle,
                                "SELECT key,created,version FROM kv", -1,
                                &statement, NULL);

    if (rc)
        return rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t created = sqlite_db_u64(statement, 1);
        uint64_t version = sqlite_db_u64(statement, 2);
        int bytes_rc = SQLITE_OK;
        struct kan_slice key = sqlite_db_bytes(statement, 0, &bytes_rc);
        char text[64];

        if (bytes_rc) {
            rc = bytes_rc;
            break;
        }
        verify->found.keys++;
        recent += version > verify->found.compacted;
        if (created == 0 || created > version || version > verify->found.head)
            problem(verify,
                    "key %s has created %llu and version %llu, the store is "
                    "at %llu",
                    key_text(key, text), (unsigned long long)created,
                    (unsigned long long)version,
                    (unsigned long long)verify->found.head);
    }
    (void)sqlite3_finalize(statement);
    if (recent != verify->puts)
        problem(verify,
                "%llu keys were written behind revision %llu, the feed tells "
                "of %llu",
                (unsigned long long)recent,
                (unsigned long long)verify->found.compacted,
                (unsigned long long)verify->puts);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- the feed ------------------------------------------------------------- */

/* All changes of a body, in order, and how many records it has. */
static enum kan_err body_changes(struct kan_slice body, uint64_t first,
                                 struct buffer *changes, uint64_t *ret_records)
{
    struct sqlite_feed_reader reader;
    struct engine_change change;
    enum kan_err err;
    uint32_t count;

    sqlite_feed_open(&reader, body, first);
    while ((err = sqlite_feed_record(&reader, &count)) == KAN_OK)
        while (sqlite_feed_change(&reader, &change) == KAN_OK)
            buffer_append(changes, kan_slice(&change, sizeof change));
    *ret_records = reader.revision + 1 - first;
    return buffer_failed(changes) ? KAN_NOMEM : err;
}

static int check_body(struct verify *verify, struct kan_slice body,
                      uint64_t first, uint64_t last)
{
    struct buffer changes = BUFFER_INIT;
    uint64_t records = 0;
    enum kan_err err = body_changes(body, first, &changes, &records);
    const struct engine_change *all =
        (const struct engine_change *)(const void *)changes.bytes;
    size_t count = changes.size / sizeof *all;
    int rc = err == KAN_NOMEM ? SQLITE_NOMEM : SQLITE_OK;

    if (!rc && (err != KAN_END || records != last - first + 1))
        problem(verify, "revisions %llu to %llu are %llu records in the feed%s",
                (unsigned long long)first, (unsigned long long)last,
                (unsigned long long)records,
                err == KAN_END ? "" : ", and then rubbish");
    while (!rc && count-- > 0)
        rc = check_change(verify, &all[count]);
    buffer_fini(&changes);
    return rc;
}

/* One row; *next is the first revision of the row behind it. */
static int check_feed_row(struct verify *verify, sqlite3_stmt *statement,
                          uint64_t *next)
{
    uint64_t last = sqlite_db_u64(statement, 0);
    uint64_t first = sqlite_db_u64(statement, 1);
    int rc = SQLITE_OK;
    struct kan_slice body = sqlite_db_bytes(statement, 2, &rc);

    if (rc)
        return rc;
    if (!*next)
        verify->found.head = last;
    if (first == 0 || first > last) {
        problem(verify, "a row of the feed goes from %llu to %llu",
                (unsigned long long)first, (unsigned long long)last);
        return SQLITE_OK;
    }
    if (*next && last + 1 != *next)
        problem(verify,
                last + 1 < *next
                    ? "revisions %llu to %llu are missing from the feed"
                    : "revisions %llu to %llu are in the feed twice",
                (unsigned long long)(last + 1 < *next ? last + 1 : *next),
                (unsigned long long)(last + 1 < *next ? *next - 1 : last));
    *next = first;
    verify->found.compacted = first - 1;
    return check_body(verify, body, first, last);
}

static int check_feed(struct verify *verify)
{
    sqlite3_stmt *statement = NULL;
    uint64_t next = 0;
    int rc = sqlite3_prepare_v2(verify->db.handle,
                                "SELECT revision,first,body FROM feed"
                                " ORDER BY revision DESC",
                                -1, &statement, NULL);

    if (rc)
        return rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        rc = check_feed_row(verify, statement, &next);
        if (rc)
            break;
    }
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- all of it ------------------------------------------------------------ */

static int verify_run(struct verify *verify)
{
    int rc = sqlite_db_run(&verify->db, SQLITE_DB_BEGIN);

    if (!rc)
        rc = check_pages(verify);
    if (!rc)
        rc = check_feed(verify);
    if (!rc)
        rc = check_rows(verify);
    sqlite_db_rollback(&verify->db);
    return rc;
}

static enum kan_err verify_open(struct verify *verify, struct env *env,
                                struct sqlite_vfs *vfs, const char *path)
{
    char why[LINE_SIZE] = "";
    struct sqlite_db_meta meta;
    enum kan_err err = env_file_exists(env, path);
    int rc;

    if (err)
        return err;
    err = sqlite_vfs_open(vfs, env);
    if (err)
        return err;
    rc = sqlite_db_open(&verify->db, path, vfs->name, SQLITE_DB_READ_ONLY,
                        CACHE_BYTES);
    if (rc)
        err = sqlite_db_fail(&verify->db, path, rc, why, sizeof why);
    else
        err = sqlite_db_check(&verify->db, path, NULL, why, sizeof why, &meta);
    if (err)
        problem(verify, "%s", why);
    return err;
}

enum kan_err sqlite_verify(struct env *env, const char *path, void *data,
                           sqlite_verify_cb *cb,
                           struct sqlite_verified *ret_verified)
{
    struct verify verify = {.data = data, .cb = cb};
    struct hash_seed seed = {env_choose(env, UINT64_MAX),
                             env_choose(env, UINT64_MAX)};
    struct sqlite_vfs vfs = {0};
    enum kan_err err;

    map_init(&verify.seen, seed, 1u << 28);
    err = verify_open(&verify, env, &vfs, path);
    if (!err) {
        err = sqlite_db_err(verify_run(&verify));
        if (err)
            problem(&verify, "%s: %s", path, sqlite3_errmsg(verify.db.handle));
        else if (verify.problems)
            err = KAN_CORRUPT;
    }
    sqlite_db_close(&verify.db);
    sqlite_vfs_close(&vfs);
    map_fini(&verify.seen);
    if (!err)
        *ret_verified = verify.found;
    return err;
}
