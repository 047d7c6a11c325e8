/* Guards and writes of one commit. Nothing is written before all guards have
 * held, so a commit that is refused leaves no trace. */

#include "engine/sqlite/apply.h"

#include "base/assert.h"
#include "engine/sqlite/feed.h"

/* --- keys ----------------------------------------------------------------- */

static int row_find(struct sqlite_writer *writer, struct kan_slice key,
                    const struct sqlite_clock *clock,
                    struct sqlite_row *ret_row)
{
    struct sqlite_row row = {0};
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_KEY, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_bytes(statement, 1, key);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        row.id = sqlite3_column_int64(statement, 0);
        row.created = sqlite_db_u64(statement, 1);
        row.version = sqlite_db_u64(statement, 2);
        row.ttl = sqlite_db_ttl(statement, 3, writer->boot);
        if (engine_expired(row.ttl.kind, row.ttl.expires_at, clock->wall_ms,
                           clock->now_ns))
            row.created = row.version = 0;
    }
    (void)sqlite3_reset(statement);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        *ret_row = row;
        return SQLITE_OK;
    }
    return rc;
}

/* As row_find(), for a write: most are to the key that was just guarded. */
static int row_written(struct sqlite_step *step, struct kan_slice key,
                       struct sqlite_row *ret_row)
{
    bool seen = step->seen && slice_equal(key, step->seen_key);

    step->seen = false;
    if (!seen)
        return row_find(step->writer, key, &step->group->clock, ret_row);
    *ret_row = step->row;
    return SQLITE_OK;
}

static void note_due(struct sqlite_writer *writer, enum engine_ttl_kind kind,
                     uint64_t expires_at)
{
    if (kind == ENGINE_TTL && expires_at < writer->next_wall)
        writer->next_wall = expires_at;
    if (kind == ENGINE_LEASE && expires_at < writer->next_now)
        writer->next_now = expires_at;
}

void sqlite_apply_change(struct sqlite_step *step, enum engine_change_kind kind,
                         struct kan_slice key, struct kan_slice value,
                         uint64_t created)
{
    struct engine_change change = {kind, key, value, created, step->revision};

    sqlite_feed_add(&step->group->body, &change, kan_slice(NULL, 0));
    step->changes++;
    step->wrote = true;
}

/* how: SQLITE_DB_INSERT, or SQLITE_DB_INSERT_NEW, which leaves a row alone. */
static int put_insert(struct sqlite_step *step, enum sqlite_db_statement how,
                      struct kan_slice key, const struct engine_write *write,
                      uint64_t expires_at)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&step->writer->db, how, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_bytes(statement, 1, key);
    sqlite_db_bind_u64(statement, 2, step->revision);
    sqlite_db_bind_u64(statement, 3, step->revision);
    sqlite_db_bind_ttl(statement, 4, write->ttl_kind, write->ttl_ms,
                       step->writer->boot, expires_at);
    sqlite_db_bind_bytes(statement, 7, write->value);
    return sqlite_db_done(statement);
}

/* The index of what is due is left alone when neither value expires. */
static int put_update(struct sqlite_step *step, const struct sqlite_row *row,
                      uint64_t created, const struct engine_write *write,
                      uint64_t expires_at)
{
    bool ttl =
        write->ttl_kind != ENGINE_FOREVER || row->ttl.kind != ENGINE_FOREVER;
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&step->writer->db,
                           ttl ? SQLITE_DB_UPDATE_TTL : SQLITE_DB_UPDATE,
                           &statement);

    if (rc)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, row->id);
    sqlite_db_bind_u64(statement, 2, created);
    sqlite_db_bind_u64(statement, 3, step->revision);
    if (ttl)
        sqlite_db_bind_ttl(statement, 4, write->ttl_kind, write->ttl_ms,
                           step->writer->boot, expires_at);
    sqlite_db_bind_bytes(statement, ttl ? 7 : 4, write->value);
    return sqlite_db_done(statement);
}

static uint64_t put_expires_at(const struct sqlite_step *step,
                               const struct engine_write *write)
{
    const struct sqlite_clock *clock = &step->group->clock;

    return engine_expires_at(write->ttl_kind, write->ttl_ms, clock->wall_ms,
                             clock->now_ns);
}

/* The row is there. */
static void put_done(struct sqlite_step *step, struct kan_slice key,
                     const struct engine_write *write, uint64_t expires_at,
                     uint64_t created)
{
    note_due(step->writer, write->ttl_kind, expires_at);
    sqlite_apply_change(step, ENGINE_CHANGE_PUT, key, write->value, created);
}

/* Put where nothing may be; a row that is there is left alone. */
static int put_new(struct sqlite_step *step, const struct engine_write *write,
                   bool *ret_done)
{
    uint64_t expires_at = put_expires_at(step, write);
    int rc =
        put_insert(step, SQLITE_DB_INSERT_NEW, write->key, write, expires_at);

    *ret_done = !rc && sqlite3_changes(step->writer->db.handle) != 0;
    if (*ret_done)
        put_done(step, write->key, write, expires_at, step->revision);
    return rc;
}

static int apply_put(struct sqlite_step *step, struct kan_slice key,
                     const struct engine_write *write)
{
    uint64_t expires_at = put_expires_at(step, write);
    uint64_t created;
    struct sqlite_row row;
    int rc = row_written(step, key, &row);

    if (rc)
        return rc;
    created = row.created ? row.created : step->revision;
    if (row.id)
        rc = put_update(step, &row, created, write, expires_at);
    else
        rc = put_insert(step, SQLITE_DB_INSERT, key, write, expires_at);
    if (!rc)
        put_done(step, key, write, expires_at, created);
    return rc;
}

int sqlite_apply_delete_row(struct sqlite_writer *writer, int64_t id)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_DELETE, &statement);

    if (rc)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, id);
    return sqlite_db_done(statement);
}

static int apply_delete(struct sqlite_step *step,
                        const struct engine_write *write)
{
    struct sqlite_row row;
    int rc = row_written(step, write->key, &row);

    if (rc || row.created == 0)
        return rc;
    rc = sqlite_apply_delete_row(step->writer, row.id);
    if (!rc)
        sqlite_apply_change(step, ENGINE_CHANGE_DELETE, write->key,
                            kan_slice(NULL, 0), row.created);
    return rc;
}

int sqlite_apply_touch_row(struct sqlite_writer *writer, int64_t id,
                           enum engine_ttl_kind kind, uint64_t ttl_ms,
                           uint64_t expires_at)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_TOUCH, &statement);

    if (rc)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, id);
    sqlite_db_bind_ttl(statement, 2, kind, ttl_ms, writer->boot, expires_at);
    return sqlite_db_done(statement);
}

static int apply_touch(struct sqlite_step *step,
                       const struct engine_write *write)
{
    const struct sqlite_clock *clock = &step->group->clock;
    uint64_t expires_at = engine_expires_at(write->ttl_kind, write->ttl_ms,
                                            clock->wall_ms, clock->now_ns);
    struct sqlite_row row;
    int rc = row_written(step, write->key, &row);

    if (rc || row.created == 0)
        return rc;
    if (row.ttl.kind == ENGINE_FOREVER && write->ttl_kind == ENGINE_FOREVER)
        return SQLITE_OK;
    rc = sqlite_apply_touch_row(step->writer, row.id, write->ttl_kind,
                                write->ttl_ms, expires_at);
    if (rc)
        return rc;
    note_due(step->writer, write->ttl_kind, expires_at);
    step->wrote = true;
    return SQLITE_OK;
}

/* The key is short: at most key_max. */
static int apply_append(struct sqlite_step *step,
                        const struct engine_write *write, uint32_t index)
{
    unsigned char key[4096];
    size_t size = write->key.size + ENGINE_APPEND_SIZE;

    kan_assert(size <= sizeof key);
    engine_append_key(write->key, step->revision, index, key);
    return apply_put(step, kan_slice(key, size), write);
}

static int apply_write(struct sqlite_step *step,
                       const struct engine_write *write, uint32_t index)
{
    switch (write->kind) {
    case ENGINE_PUT:
        return apply_put(step, write->key, write);
    case ENGINE_DELETE:
        return apply_delete(step, write);
    case ENGINE_TOUCH:
        return apply_touch(step, write);
    case ENGINE_APPEND:
        return apply_append(step, write, index);
    }
    return SQLITE_INTERNAL;
}

/* --- commit ids ----------------------------------------------------------- */

static uint64_t window_start(const struct sqlite_group *group)
{
    uint64_t window = (uint64_t)SQLITE_DEDUPE_MS * ENV_MS;

    return group->clock.now_ns > window ? group->clock.now_ns - window : 0;
}

/* An id of an earlier boot is known for a whole window from the opening on. */
static int id_find(struct sqlite_step *step, struct sqlite_commit *commit)
{
    uint64_t start = window_start(step->group);
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&step->writer->db, SQLITE_DB_ID, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_bytes(statement, 1, commit->id);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        bool current = sqlite_db_u64(statement, 1) == step->writer->boot;
        uint64_t at = current ? sqlite_db_u64(statement, 2) : 0;
        if (at >= start) {
            commit->err = KAN_OK;
            commit->fresh = false;
            commit->revision = sqlite_db_u64(statement, 0);
        } else {
            step->id_again = true;
        }
    }
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int id_add(struct sqlite_step *step, const struct sqlite_commit *commit)
{
    struct sqlite_writer *writer = step->writer;
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&writer->db, SQLITE_DB_ID_ADD, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_bytes(statement, 1, commit->id);
    sqlite_db_bind_u64(statement, 2, commit->revision);
    sqlite_db_bind_u64(statement, 3, writer->boot);
    sqlite_db_bind_u64(statement, 4, step->group->clock.now_ns);
    rc = sqlite_db_done(statement);
    if (rc)
        return rc;
    writer->id_count += !step->id_again;
    step->ids_added++;
    step->wrote = true;
    return SQLITE_OK;
}

int sqlite_apply_forget(struct sqlite_step *step)
{
    struct sqlite_writer *writer = step->writer;
    uint64_t start = window_start(step->group);
    sqlite3_stmt *statement;
    int rc;

    if (start == 0 || step->ids_added == 0)
        return SQLITE_OK;
    rc = sqlite_db_use(&writer->db, SQLITE_DB_ID_TRIM, &statement);
    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, writer->boot);
    sqlite_db_bind_u64(statement, 2, start);
    sqlite_db_bind_u64(statement, 3, 64 + 2 * (uint64_t)step->ids_added);
    rc = sqlite_db_done(statement);
    if (!rc)
        writer->id_count -= (uint64_t)sqlite3_changes(writer->db.handle);
    return rc;
}

/* --- one commit ----------------------------------------------------------- */

static int guard_judge(struct sqlite_step *step, struct sqlite_commit *commit,
                       uint32_t index)
{
    const struct engine_guard *guard = &commit->guards[index];
    struct sqlite_row row;
    int rc = row_find(step->writer, guard->key, &step->group->clock, &row);

    if (rc)
        return rc;
    if (!engine_guard_holds(guard, row.created, row.version)) {
        commit->err = KAN_CONFLICT;
        commit->failed_guard = index;
        return SQLITE_OK;
    }
    step->seen = true;
    step->seen_key = guard->key;
    step->row = row;
    return SQLITE_OK;
}

/* Whether the guard asks for nothing but what the first write, an insert, finds
 * out by itself. */
static bool guard_hopes(const struct sqlite_commit *commit, uint32_t index)
{
    const struct engine_guard *guard = &commit->guards[index];
    const struct engine_write *write = commit->writes;

    return guard->kind == ENGINE_IF_ABSENT &&
           index + 1 == commit->guard_count && commit->write_count &&
           write->kind == ENGINE_PUT && slice_equal(write->key, guard->key);
}

static int guards_judge(struct sqlite_step *step, struct sqlite_commit *commit)
{
    int rc = SQLITE_OK;

    for (uint32_t i = 0; i < commit->guard_count && !rc && !commit->err; i++)
        if (guard_hopes(commit, i))
            step->hopes = true;
        else
            rc = guard_judge(step, commit, i);
    return rc;
}

static int commit_judge(struct sqlite_step *step, struct sqlite_commit *commit)
{
    int rc;

    commit->err = KAN_OK;
    commit->fresh = true;
    step->id_again = false;
    step->seen = step->hopes = false;
    if (commit->id.size) {
        rc = id_find(step, commit);
        if (rc || !commit->fresh)
            return rc;
    }
    rc = guards_judge(step, commit);
    if (!rc && !commit->err && commit->id.size &&
        step->writer->id_count >= SQLITE_IDS_MAX)
        commit->err = KAN_BUSY;
    return rc;
}

/* The guard that was left to the first write. Where a row is, it is judged. */
static int hope_end(struct sqlite_step *step, struct sqlite_commit *commit,
                    uint32_t *written)
{
    bool done = false;
    int rc;

    if (!step->hopes)
        return SQLITE_OK;
    rc = put_new(step, &commit->writes[0], &done);
    if (!rc && !done)
        rc = guard_judge(step, commit, commit->guard_count - 1);
    *written = done;
    return rc;
}

static int writes_apply(struct sqlite_step *step, struct sqlite_commit *commit)
{
    uint32_t written = 0;
    int rc = hope_end(step, commit, &written);

    for (; !rc && !commit->err && written < commit->write_count; written++)
        rc = apply_write(step, &commit->writes[written], written);
    return rc;
}

int sqlite_apply_commit(struct sqlite_step *step, struct sqlite_commit *commit)
{
    struct buffer *body = &step->group->body;
    size_t mark;
    int rc;

    step->revision = step->group->head + 1;
    step->changes = 0;
    rc = commit_judge(step, commit);
    if (rc || commit->err || !commit->fresh)
        return rc;
    mark = sqlite_feed_begin(body);
    rc = writes_apply(step, commit);
    sqlite_feed_finish(body, mark, step->changes);
    if (!rc && buffer_failed(body))
        rc = SQLITE_NOMEM;
    if (rc || commit->err)
        return rc;
    if (step->changes)
        step->group->head = step->revision;
    commit->revision = step->group->head;
    return commit->id.size ? id_add(step, commit) : SQLITE_OK;
}
