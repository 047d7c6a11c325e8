/* The transaction: guards, writes, one row of the feed, one sync.
 *
 * What happens when it fails is the heart of this file (group_resolve): before
 * the COMMIT nothing has reached the disk, so the answer is a refusal; a COMMIT
 * that failed may still be found in the log after a crash, so the answer is
 * unknown, unless another commit has since been written in its place. */

#include "engine/sqlite/writer.h"

#include <stdio.h>

#include "engine/sqlite/apply.h"

enum
{
    RESET_WAIT_MS = 20 /* our own reads end sooner */
};

/* --- the feed ------------------------------------------------------------- */

static int feed_add(struct sqlite_writer *writer,
                    const struct sqlite_group *group, uint64_t total)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_FEED_ADD, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, group->head);
    sqlite_db_bind_u64(statement, 2, writer->head + 1);
    sqlite_db_bind_u64(statement, 3, writer->boot);
    sqlite_db_bind_u64(statement, 4, group->stamp);
    sqlite_db_bind_u64(statement, 5, group->clock.wall_ms);
    sqlite_db_bind_u64(statement, 6, group->clock.now_ns);
    sqlite_db_bind_u64(statement, 7, total);
    sqlite_db_bind_bytes(statement, 8, buffer_slice(&group->body));
    return sqlite_db_done(statement);
}

/* A group of touches alone has no revision, yet readers must be able to tell
 * that they have seen it. */
static int feed_stamp(struct sqlite_writer *writer,
                      const struct sqlite_group *group)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_FEED_STAMP, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, writer->head);
    sqlite_db_bind_u64(statement, 2, writer->boot);
    sqlite_db_bind_u64(statement, 3, group->stamp);
    sqlite_db_bind_u64(statement, 4, group->clock.wall_ms);
    sqlite_db_bind_u64(statement, 5, group->clock.now_ns);
    return sqlite_db_done(statement);
}

/* How many bytes of bodies are gone, by the oldest row that is left. */
static int feed_oldest(struct sqlite_writer *writer, uint64_t *ret_gone)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_OLDEST, &statement);

    if (rc)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *ret_gone = sqlite_db_u64(statement, 1);
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Rows go many at a time, once a sixteenth too much is there: whole pages come
 * free and are not written. The newest row always stays. */
static int feed_trim(struct sqlite_writer *writer,
                     const struct sqlite_group *group, uint64_t total,
                     uint64_t *gone)
{
    uint64_t max = writer->feed_bytes_max;
    sqlite3_stmt *statement;
    int rc;

    if (total - *gone <= max + max / 16)
        return SQLITE_OK;
    rc = sqlite_db_use(&writer->db, SQLITE_DB_FEED_TRIM, &statement);
    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, group->head);
    sqlite_db_bind_u64(statement, 2, total - max);
    sqlite_db_bind_u64(statement, 3, SQLITE_TRIM_MAX);
    rc = sqlite_db_done(statement);
    return rc ? rc : feed_oldest(writer, gone);
}

/* --- the group ------------------------------------------------------------ */

static int boot_write(struct sqlite_writer *writer)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_BOOT, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, writer->boot);
    return sqlite_db_done(statement);
}

static int group_apply(struct sqlite_writer *writer, struct sqlite_group *group,
                       bool *ret_wrote)
{
    struct sqlite_step step = {.writer = writer, .group = group};
    struct list *link = group->commits.next;
    int rc = SQLITE_OK;

    for (; !rc && link != &group->commits; link = link->next)
        rc = sqlite_apply_commit(&step,
                                 list_entry(link, struct sqlite_commit, link));
    if (!rc && group->sweep)
        rc = sqlite_sweep(&step);
    if (!rc)
        rc = sqlite_apply_forget(&step);
    *ret_wrote = step.wrote;
    return rc;
}

/* Everything but the COMMIT. */
static int group_write(struct sqlite_writer *writer, struct sqlite_group *group,
                       bool *ret_wrote, uint64_t *total, uint64_t *gone)
{
    int rc = group_apply(writer, group, ret_wrote);

    if (rc || !*ret_wrote)
        return rc;
    if (!writer->boot_written)
        rc = boot_write(writer);
    if (rc)
        return rc;
    if (group->head == writer->head)
        return feed_stamp(writer, group);
    *total += group->body.size;
    rc = feed_add(writer, group, *total);
    return rc ? rc : feed_trim(writer, group, *total, gone);
}

/* Write a little commit where the failed one may stand in the log. When that is
 * synced, the failed one is gone for good. */
static int fence(struct sqlite_writer *writer)
{
    int rc = sqlite_db_run(&writer->db, SQLITE_DB_BEGIN_WRITE);

    if (!rc)
        rc = sqlite_db_run(&writer->db, SQLITE_DB_FENCE);
    if (!rc)
        rc = sqlite_db_run(&writer->db, SQLITE_DB_COMMIT);
    if (rc)
        sqlite_db_rollback(&writer->db);
    return rc;
}

static bool shm_failed(int rc)
{
    return rc == SQLITE_IOERR_SHMSIZE || rc == SQLITE_IOERR_SHMMAP ||
           rc == SQLITE_IOERR_SHMOPEN;
}

/* The group failed with rc, within its COMMIT or before. A full disk while
 * frames are written is met before the last frame, without which the others are
 * nothing; memory may run out when the last is synced already. */
static void group_resolve(struct sqlite_writer *writer,
                          struct sqlite_group *group, int rc, bool committing)
{
    snprintf(group->message, sizeof group->message, "%s (code %d)",
             sqlite3_errstr(rc), rc);
    sqlite_db_rollback(&writer->db);
    group->cause = shm_failed(rc) ? KAN_FULL : sqlite_db_err(rc);
    group->err = group->cause;
    if (!sqlite3_get_autocommit(writer->db.handle)) {
        group->cause = KAN_IO;
        group->err = committing ? KAN_LOST : KAN_IO;
    } else if (committing && (rc & 0xff) != SQLITE_FULL &&
               (rc & 0xff) != SQLITE_BUSY) {
        bool local = group->cause == KAN_NOMEM || group->cause == KAN_FULL;
        if (!local || fence(writer)) {
            group->err = KAN_LOST;
            group->cause = KAN_IO;
        }
    }
    group->broken = kan_err_class(group->cause) == KAN_CLASS_BROKEN;
}

static void group_end(struct sqlite_writer *writer, struct sqlite_group *group)
{
    group->next_wall = writer->next_wall;
    group->next_now = writer->next_now;
    group->log_bytes = writer->log_frames * (SQLITE_DB_PAGE + 24);
}

/* What the writer knows goes back to what the file says. */
static void group_undo(struct sqlite_writer *writer, struct sqlite_group *group,
                       uint64_t id_count)
{
    struct list *link = group->commits.next;

    for (; link != &group->commits; link = link->next)
        list_entry(link, struct sqlite_commit, link)->err = group->err;
    writer->id_count = id_count;
    group->head = writer->head;
    buffer_clear(&group->body);
    group_end(writer, group);
}

void sqlite_writer_run(struct sqlite_writer *writer, struct sqlite_group *group)
{
    uint64_t total = writer->feed_total, gone = writer->feed_gone;
    uint64_t id_count = writer->id_count;
    bool wrote = false, committing = false;
    int rc;

    group->head = writer->head;
    group->first = writer->head + 1;
    rc = sqlite_db_run(&writer->db, SQLITE_DB_BEGIN_WRITE);
    if (!rc)
        rc = group_write(writer, group, &wrote, &total, &gone);
    if (!rc) {
        committing = wrote;
        rc = sqlite_db_run(&writer->db, SQLITE_DB_COMMIT);
    }
    if (rc) {
        group_resolve(writer, group, rc, committing);
        group_undo(writer, group, id_count);
        return;
    }
    group->err = KAN_OK;
    writer->boot_written = writer->boot_written || wrote;
    writer->head = group->head;
    writer->feed_total = total;
    writer->feed_gone = gone;
    group_end(writer, group);
}

/* --- opening and checkpoints ---------------------------------------------- */

static int count_frames(void *data, sqlite3 *handle, const char *name,
                        int frames)
{
    struct sqlite_writer *writer = data;

    (void)handle;
    (void)name;
    writer->log_frames = (uint64_t)frames;
    return SQLITE_OK;
}

static int writer_head(struct sqlite_writer *writer)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_HEAD, &statement);

    if (rc)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        writer->head = sqlite_db_u64(statement, 0);
        writer->feed_total = sqlite_db_u64(statement, 5);
    }
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int writer_ids(struct sqlite_writer *writer)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_ID_SPAN, &statement);

    if (rc)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        writer->id_count = sqlite_db_u64(statement, 0);
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* When the log begins again after it has grown big, cut it to that size. */
static int log_limit(struct sqlite_writer *writer, uint64_t bytes)
{
    char sql[64];

    snprintf(sql, sizeof sql, "PRAGMA journal_size_limit=%llu",
             (unsigned long long)bytes);
    return sqlite_db_exec(&writer->db, sql);
}

int sqlite_writer_open(struct sqlite_writer *writer, uint64_t boot,
                       uint64_t log_bytes_max)
{
    int rc = writer_head(writer);

    writer->boot = boot;
    writer->boot_written = false;
    if (!rc)
        rc = log_limit(writer, log_bytes_max);
    if (!rc)
        rc = feed_oldest(writer, &writer->feed_gone);
    if (!rc)
        rc = sqlite_sweep_plan(writer);
    if (!rc)
        rc = writer_ids(writer);
    (void)sqlite3_wal_hook(writer->db.handle, count_frames, writer);
    return rc;
}

enum kan_err sqlite_writer_checkpoint(struct sqlite_writer *writer, bool reset,
                                      char *message)
{
    sqlite3 *handle = writer->db.handle;
    int log = 0, copied = 0;
    enum kan_err err;
    int rc;

    (void)sqlite3_busy_timeout(handle, reset ? RESET_WAIT_MS : 0);
    rc = sqlite3_wal_checkpoint_v2(
        handle, NULL,
        reset ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, &log,
        &copied);
    (void)sqlite3_busy_timeout(handle, 2000);
    if (rc == SQLITE_OK && log == copied)
        writer->log_frames = 0; /* the next commit starts it again */
    err = sqlite_db_err(rc);
    if (err && err != KAN_BUSY)
        snprintf(message, SQLITE_MESSAGE_SIZE, "checkpoint: %s (code %d)",
                 sqlite3_errstr(rc), rc);
    return err == KAN_BUSY || err == KAN_NOMEM ? KAN_OK : err;
}
