/* A copy of a store while it is in use: SQLite writes one snapshot into a new
 * file (VACUUM INTO), which is then given an incarnation of its own, checked,
 * synced, and only then its name. */

#include <stdio.h>

#include "base/assert.h"
#include "engine/sqlite/db.h"
#include "engine/sqlite/lock.h"
#include "engine/sqlite/sqlite.h"
#include "engine/sqlite/vfs.h"

enum
{
    CACHE_BYTES = 2 << 20
};

struct backup
{
    struct env *env;
    const char *path;
    const char *dest;
    char part[SQLITE_PATH_SIZE]; /* dest, until it is whole */
    struct sqlite_vfs vfs;
    char *why;
    size_t why_size;
};

static enum kan_err failed(struct backup *backup, const char *path,
                           enum kan_err err, const char *what)
{
    snprintf(backup->why, backup->why_size, "%s %s: %s", path, what,
             err == KAN_NOTFOUND ? "there is no such file or folder"
                                 : kan_err_text(err));
    return err;
}

static enum kan_err db_failed(struct backup *backup, const char *path,
                              struct sqlite_db *db, int rc)
{
    return sqlite_db_fail(db, path, rc, backup->why, backup->why_size);
}

static int copy_run(struct sqlite_db *db, const char *part)
{
    sqlite3_stmt *statement = NULL;
    int rc =
        sqlite3_prepare_v2(db->handle, "VACUUM INTO ?1", -1, &statement, NULL);

    if (rc)
        return rc;
    rc = sqlite3_bind_text(statement, 1, part, -1, SQLITE_STATIC);
    if (!rc)
        rc = sqlite_db_done(statement);
    (void)sqlite3_finalize(statement);
    return rc;
}

/* An empty file, which SQLite fills: made by us it is its owner's alone, as the
 * store is. */
static enum kan_err part_make(struct backup *backup)
{
    struct env_file *file;
    enum kan_err err = env_file_open(backup->env, backup->part,
                                     ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file);

    if (err)
        return failed(backup, backup->dest, err, "cannot be made");
    env_file_close(file);
    return KAN_OK;
}

static enum kan_err copy_write(struct backup *backup)
{
    struct sqlite_db_meta meta;
    struct sqlite_db db;
    enum kan_err err;
    int rc = sqlite_db_open(&db, backup->path, backup->vfs.name,
                            SQLITE_DB_READ_ONLY, CACHE_BYTES);

    if (rc)
        err = db_failed(backup, backup->path, &db, rc);
    else
        err = sqlite_db_check(&db, backup->path, NULL, backup->why,
                              backup->why_size, &meta);
    if (!err)
        err = part_make(backup);
    if (!err) {
        rc = copy_run(&db, backup->part);
        if (rc)
            err = db_failed(backup, backup->dest, &db, rc);
    }
    sqlite_db_close(&db);
    return err;
}

/* What happens to the copy from here on is another history. */
static enum kan_err copy_rename_history(struct backup *backup)
{
    char sql[128];
    struct sqlite_db db;
    enum kan_err err = KAN_OK;
    int rc = sqlite_db_open(&db, backup->part, backup->vfs.name,
                            SQLITE_DB_WRITER, CACHE_BYTES);

    snprintf(sql, sizeof sql,
             "UPDATE meta SET value=%lld WHERE name='incarnation'",
             (long long)(1 + env_choose(backup->env, INT64_MAX - 1)));
    if (!rc)
        rc = sqlite_db_exec(&db, sql);
    if (rc)
        err = db_failed(backup, backup->part, &db, rc);
    sqlite_db_close(&db);
    return err;
}

/* The first line of what a check found. */
static void note_first(void *data, const char *line)
{
    struct backup *backup = data;

    if (!backup->why[0])
        snprintf(backup->why, backup->why_size, "the copy is damaged: %s",
                 line);
}

static enum kan_err copy_check(struct backup *backup)
{
    struct sqlite_verified verified;
    enum kan_err err;

    if (backup->why_size)
        backup->why[0] = 0;
    err =
        sqlite_verify(backup->env, backup->part, backup, note_first, &verified);
    if (err && backup->why_size && !backup->why[0])
        return failed(backup, backup->part, err, "cannot be checked");
    return err;
}

static enum kan_err copy_publish(struct backup *backup)
{
    char folder[SQLITE_PATH_SIZE];
    struct env_file *file;
    enum kan_err err =
        env_file_open(backup->env, backup->part, ENV_OPEN_WRITE, &file);

    if (!err) {
        err = env_file_sync(file);
        env_file_close(file);
    }
    if (!err)
        err = env_file_rename(backup->env, backup->part, backup->dest);
    sqlite_folder(folder, sizeof folder, backup->dest);
    if (!err)
        err = env_dir_sync(backup->env, folder);
    return err ? failed(backup, backup->dest, err, "cannot be made durable")
               : KAN_OK;
}

/* Nothing may be there under the final name; of the other, a run that was cut
 * off may have left something. */
static enum kan_err dest_check(struct backup *backup)
{
    enum kan_err err =
        sqlite_path(backup->part, sizeof backup->part, backup->dest, ".part");

    if (!err)
        err = env_file_exists(backup->env, backup->dest);
    if (err == KAN_OK) {
        snprintf(backup->why, backup->why_size,
                 "%s exists; name a file that does not", backup->dest);
        return KAN_CONFLICT;
    }
    if (err != KAN_NOTFOUND)
        return failed(backup, backup->dest, err, "cannot be written");
    err = env_file_delete(backup->env, backup->part);
    if (err && err != KAN_NOTFOUND)
        return failed(backup, backup->part, err, "cannot be replaced");
    err = env_file_exists(backup->env, backup->path);
    return err ? failed(backup, backup->path, err, "cannot be read") : KAN_OK;
}

static void part_delete(struct backup *backup)
{
    char journal[SQLITE_PATH_SIZE];
    enum kan_err err = env_file_delete(backup->env, backup->part);

    if (!sqlite_path(journal, sizeof journal, backup->part, "-journal"))
        err = env_file_delete(backup->env, journal);
    (void)err; /* it is in the way of nothing */
}

enum kan_err sqlite_backup(struct env *env, const char *path, const char *dest,
                           char *why, size_t why_size)
{
    struct backup backup = {.env = env,
                            .path = path,
                            .dest = dest,
                            .why = why,
                            .why_size = why_size};
    enum kan_err err = dest_check(&backup);

    if (err)
        return err;
    err = sqlite_vfs_open(&backup.vfs, env);
    if (err)
        return failed(&backup, path, err, "cannot be opened");
    err = copy_write(&backup);
    if (!err)
        err = copy_rename_history(&backup);
    if (!err)
        err = copy_check(&backup);
    if (!err)
        err = copy_publish(&backup);
    if (err)
        part_delete(&backup);
    sqlite_vfs_close(&backup.vfs);
    return err;
}
