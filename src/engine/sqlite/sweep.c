/* The sweep: what has expired is deleted, in an ordinary commit that watches
 * are told of. Judged in the transaction, it takes nothing that was renewed. */

#include "engine/sqlite/apply.h"
#include "engine/sqlite/feed.h"

/* Delete what is due under boot, oldest first. The rows are gathered before the
 * first is deleted, for the statement must not walk an index that changes. */
static int sweep_boot(struct sqlite_step *step, uint64_t boot, uint64_t until,
                      uint32_t *left)
{
    int64_t ids[SQLITE_SWEEP_MAX];
    uint32_t count = 0;
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&step->writer->db, SQLITE_DB_DUE, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, boot);
    sqlite_db_bind_u64(statement, 2, until);
    sqlite_db_bind_u64(statement, 3, *left);
    while (count < *left && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        int bytes_rc = SQLITE_OK;
        struct kan_slice key = sqlite_db_bytes(statement, 1, &bytes_rc);
        if (bytes_rc) {
            rc = bytes_rc;
            break;
        }
        ids[count++] = sqlite3_column_int64(statement, 0);
        sqlite_apply_change(step, ENGINE_CHANGE_EXPIRE, key, kan_slice(NULL, 0),
                            sqlite_db_u64(statement, 2));
    }
    (void)sqlite3_reset(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_OK)
        return rc;
    rc = SQLITE_OK;
    for (uint32_t i = 0; !rc && i < count; i++)
        rc = sqlite_apply_delete_row(step->writer, ids[i]);
    *left -= count;
    return rc;
}

/* Leases of earlier boots began when this one did: write that down, so that
 * they are found when they are due. */
static int sweep_old(struct sqlite_step *step, uint32_t *left)
{
    struct
    {
        int64_t id;
        uint64_t ttl_ms;
    } leases[SQLITE_SWEEP_MAX];
    uint32_t count = 0;
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&step->writer->db, SQLITE_DB_OLD, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, step->writer->boot);
    sqlite_db_bind_u64(statement, 2, *left);
    while (count < *left && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        leases[count].id = sqlite3_column_int64(statement, 0);
        leases[count++].ttl_ms = sqlite_db_u64(statement, 1);
    }
    (void)sqlite3_reset(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_OK)
        return rc;
    rc = SQLITE_OK;
    for (uint32_t i = 0; !rc && i < count; i++)
        rc = sqlite_apply_touch_row(
            step->writer, leases[i].id, ENGINE_LEASE, leases[i].ttl_ms,
            engine_expires_at(ENGINE_LEASE, leases[i].ttl_ms, 0, 0));
    if (count)
        step->wrote = true;
    *left -= count;
    return rc;
}

static int next_due(struct sqlite_writer *writer, uint64_t boot,
                    uint64_t *ret_next)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_NEXT, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, boot);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *ret_next = sqlite_db_u64(statement, 0);
    else if (rc == SQLITE_DONE)
        *ret_next = UINT64_MAX;
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* When the next key is due; 0 while leases of earlier boots are left. */
int sqlite_sweep_plan(struct sqlite_writer *writer)
{
    uint64_t old = 0;
    sqlite3_stmt *statement;
    int rc = next_due(writer, 0, &writer->next_wall);

    if (!rc)
        rc = next_due(writer, writer->boot, &writer->next_now);
    if (!rc)
        rc = sqlite_db_use(&writer->db, SQLITE_DB_OLD, &statement);
    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, writer->boot);
    sqlite_db_bind_u64(statement, 2, 1);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        old = 1;
    (void)sqlite3_reset(statement);
    if (old)
        writer->next_now = 0;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sqlite_sweep(struct sqlite_step *step)
{
    struct sqlite_group *group = step->group;
    uint32_t left = SQLITE_SWEEP_MAX;
    size_t mark = sqlite_feed_begin(&group->body);
    int rc;

    step->revision = group->head + 1;
    step->changes = 0;
    rc = sweep_old(step, &left);
    if (!rc)
        rc = sweep_boot(step, 0, group->clock.wall_ms, &left);
    if (!rc)
        rc = sweep_boot(step, step->writer->boot, group->clock.now_ns, &left);
    sqlite_feed_finish(&group->body, mark, step->changes);
    if (!rc && buffer_failed(&group->body))
        rc = SQLITE_NOMEM;
    if (rc)
        return rc;
    if (step->changes)
        group->head = step->revision;
    group->swept_all = left > 0;
    return sqlite_sweep_plan(step->writer);
}
