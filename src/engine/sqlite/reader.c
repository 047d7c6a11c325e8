/* One transaction for all reads of a job, so that they share a snapshot and its
 * cost. It ends soon: by the number of reads, their bytes, or the time. */

#include "engine/sqlite/reader.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/number.h"

void sqlite_read_fini(struct sqlite_read *read)
{
    for (uint32_t i = 0; read->entries && i < read->key_count; i++)
        sqlite_entry_unref(read->entries[i]);
    buffer_fini(&read->bytes);
    buffer_fini(&read->places);
}

/* --- keys ----------------------------------------------------------------- */

static int get_row(struct sqlite_reader *reader, struct kan_slice key,
                   struct sqlite_entry **ret_entry)
{
    struct sqlite_entry *entry = NULL;
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&reader->db, SQLITE_DB_GET, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_bytes(statement, 1, key);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        int bytes_rc = SQLITE_OK;
        struct kan_slice value = sqlite_db_bytes(statement, 5, &bytes_rc);
        entry = bytes_rc ? NULL : sqlite_entry_new(key, value);
        if (entry) {
            struct sqlite_db_ttl ttl =
                sqlite_db_ttl(statement, 2, reader->boot);
            entry->created = sqlite_db_u64(statement, 0);
            entry->version = sqlite_db_u64(statement, 1);
            entry->ttl_kind = ttl.kind;
            entry->expires_at = ttl.expires_at;
        }
    } else if (rc == SQLITE_DONE) {
        entry = sqlite_entry_new(key, kan_slice(NULL, 0));
    }
    (void)sqlite3_reset(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rc;
    if (!entry)
        return SQLITE_NOMEM;
    *ret_entry = entry;
    return SQLITE_OK;
}

static int read_get(struct sqlite_reader *reader, struct sqlite_read *read,
                    uint64_t *bytes)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < read->key_count; i++) {
        int rc = get_row(reader, read->keys[i], &read->entries[i]);
        if (rc)
            return rc;
        sum += read->entries[i]->value_size;
        if (sum > SQLITE_GET_BYTES)
            return SQLITE_TOOBIG;
    }
    *bytes += sum;
    return SQLITE_OK;
}

/* --- pages ---------------------------------------------------------------- */

/* The least key behind all that have the prefix: the prefix
 * with its last byte raised. false when there is none. */
static bool prefix_end(struct kan_slice prefix, struct buffer *out)
{
    size_t size = prefix.size;

    while (size > 0 && slice_at(prefix, size - 1) == 0xff)
        size--;
    if (size == 0)
        return false;
    buffer_append(out, slice_head(prefix, size));
    if (!buffer_failed(out))
        out->bytes[size - 1] = (char)(slice_at(prefix, size - 1) + 1);
    return true;
}

/* The least key of the page: right behind after, or the prefix itself. */
static void scan_start(const struct sqlite_read *read, struct buffer *out)
{
    if (read->after.size && slice_compare(read->after, read->prefix) >= 0) {
        buffer_append(out, read->after);
        buffer_append_byte(out, 0);
    } else {
        buffer_append(out, read->prefix);
    }
}

static int scan_keep(struct sqlite_read *read, struct kan_slice key,
                     struct kan_slice value, struct engine_item *item)
{
    item->key = kan_slice(NULL, key.size);
    item->value = kan_slice(NULL, value.size);
    buffer_append(&read->bytes, key);
    buffer_append(&read->bytes, value);
    buffer_append(&read->places, kan_slice(item, sizeof *item));
    read->item_count++;
    return buffer_failed(&read->bytes) || buffer_failed(&read->places)
               ? SQLITE_NOMEM
               : SQLITE_OK;
}

/* One row. ret_full: it does not fit into the page any more. */
static int scan_row(struct sqlite_reader *reader, struct sqlite_read *read,
                    sqlite3_stmt *statement, uint64_t *values, bool *ret_full)
{
    struct sqlite_db_ttl ttl = sqlite_db_ttl(statement, 3, reader->boot);
    struct engine_item item = {0};
    struct kan_slice key, value = {0};
    int rc = SQLITE_OK;

    if (engine_expired(ttl.kind, ttl.expires_at, read->clock.wall_ms,
                       read->clock.now_ns))
        return SQLITE_OK;
    if (read->item_count == read->limit) {
        *ret_full = true;
        return SQLITE_OK;
    }
    key = sqlite_db_bytes(statement, 0, &rc);
    if (!read->keys_only)
        value = sqlite_db_bytes(statement, 6, &rc);
    if (rc)
        return rc;
    *values += value.size;
    if (read->item_count && *values > ENGINE_PAGE_BYTES) {
        *ret_full = true;
        return SQLITE_OK;
    }
    item.created = sqlite_db_u64(statement, 1);
    item.version = sqlite_db_u64(statement, 2);
    item.expires_ms = ttl.kind == ENGINE_TTL ? ttl.expires_at : 0;
    return scan_keep(read, key, value, &item);
}

static int scan_rows(struct sqlite_reader *reader, struct sqlite_read *read,
                     struct kan_slice start, const struct kan_slice *end,
                     uint64_t *bytes)
{
    sqlite3_stmt *statement;
    uint64_t values = 0;
    int rc = sqlite_db_use(
        &reader->db, end ? SQLITE_DB_SCAN : SQLITE_DB_SCAN_REST, &statement);

    if (rc)
        return rc;
    sqlite_db_bind_bytes(statement, 1, start);
    if (end)
        sqlite_db_bind_bytes(statement, 2, *end);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && !read->more) {
        rc = scan_row(reader, read, statement, &values, &read->more);
        if (rc)
            break;
    }
    (void)sqlite3_reset(statement);
    *bytes += read->bytes.size;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int read_scan(struct sqlite_reader *reader, struct sqlite_read *read,
                     uint64_t *bytes)
{
    struct buffer start = BUFFER_INIT, end = BUFFER_INIT;
    bool bounded = prefix_end(read->prefix, &end);
    struct kan_slice end_slice = buffer_slice(&end);
    int rc = SQLITE_NOMEM;

    scan_start(read, &start);
    if (!buffer_failed(&start) && !buffer_failed(&end))
        rc = scan_rows(reader, read, buffer_slice(&start),
                       bounded ? &end_slice : NULL, bytes);
    buffer_fini(&start);
    buffer_fini(&end);
    return rc;
}

void sqlite_read_settle(struct sqlite_read *read)
{
    struct engine_item *items =
        (struct engine_item *)(void *)read->places.bytes;
    const char *at = read->bytes.bytes;

    for (uint32_t i = 0; i < read->item_count; i++) {
        items[i].key.bytes = at;
        at += items[i].key.size;
        items[i].value.bytes = at;
        at += items[i].value.size;
    }
    read->items = items;
}

/* --- the feed ------------------------------------------------------------- */

static int feed_compacted(struct sqlite_reader *reader, uint64_t *ret_compacted)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&reader->db, SQLITE_DB_OLDEST, &statement);

    if (rc)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *ret_compacted = sqlite_db_u64(statement, 0) - 1;
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int feed_row(struct sqlite_read *read, sqlite3_stmt *statement)
{
    unsigned char head[SQLITE_FEED_ROW];
    int rc = SQLITE_OK;
    struct kan_slice body = sqlite_db_bytes(statement, 2, &rc);

    if (rc)
        return rc;
    number_pack(sqlite_db_u64(statement, 1), head);
    number_pack(sqlite_db_u64(statement, 0), head + 8);
    number_pack(body.size, head + 16);
    buffer_append(&read->bytes, kan_slice(head, sizeof head));
    buffer_append(&read->bytes, body);
    return buffer_failed(&read->bytes) ? SQLITE_NOMEM : SQLITE_OK;
}

static int read_feed(struct sqlite_reader *reader, struct sqlite_read *read,
                     uint64_t *bytes)
{
    sqlite3_stmt *statement;
    int rc = feed_compacted(reader, &read->compacted);

    if (rc || read->from < read->compacted)
        return rc;
    rc = sqlite_db_use(&reader->db, SQLITE_DB_FEED, &statement);
    if (rc)
        return rc;
    sqlite_db_bind_u64(statement, 1, read->from);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        if (read->bytes.size >= SQLITE_FEED_BYTES) {
            read->more = true;
            break;
        }
        rc = feed_row(read, statement);
        if (rc)
            break;
    }
    (void)sqlite3_reset(statement);
    *bytes += read->bytes.size;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- the job -------------------------------------------------------------- */

static int snapshot_take(struct sqlite_reader *reader,
                         struct sqlite_snapshot *snapshot)
{
    sqlite3_stmt *statement;
    int rc = sqlite_db_use(&reader->db, SQLITE_DB_HEAD, &statement);

    if (rc)
        return rc;
    memset(snapshot, 0, sizeof *snapshot);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        snapshot->revision = sqlite_db_u64(statement, 0);
        if (sqlite_db_u64(statement, 1) == reader->boot) {
            snapshot->stamp = sqlite_db_u64(statement, 2);
            snapshot->clock.wall_ms = sqlite_db_u64(statement, 3);
            snapshot->clock.now_ns = sqlite_db_u64(statement, 4);
        }
    }
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A snapshot is not older than its newest group: what had expired for that, has
 * expired for this. */
static void read_clock(struct sqlite_read *read,
                       const struct sqlite_snapshot *snapshot)
{
    read->snapshot = *snapshot;
    if (read->clock.wall_ms < snapshot->clock.wall_ms)
        read->clock.wall_ms = snapshot->clock.wall_ms;
    if (read->clock.now_ns < snapshot->clock.now_ns)
        read->clock.now_ns = snapshot->clock.now_ns;
}

static int read_run(struct sqlite_reader *reader, struct sqlite_read *read,
                    uint64_t *bytes)
{
    switch (read->kind) {
    case SQLITE_READ_GET:
        return read_get(reader, read, bytes);
    case SQLITE_READ_SCAN:
        return read_scan(reader, read, bytes);
    case SQLITE_READ_FEED:
        return read_feed(reader, read, bytes);
    }
    return SQLITE_INTERNAL;
}

static void job_failed(struct sqlite_job *job, int rc)
{
    snprintf(job->message, sizeof job->message, "read: %s (code %d)",
             sqlite3_errstr(rc), rc);
    if (kan_err_class(sqlite_db_err(rc)) == KAN_CLASS_BROKEN)
        job->broken = true;
}

static void job_reads(struct sqlite_reader *reader, struct sqlite_job *job,
                      const struct sqlite_snapshot *snapshot)
{
    uint64_t bytes = 0;
    struct list *link;

    while (bytes < SQLITE_JOB_BYTES && (link = list_pop(&job->reads)) != NULL) {
        struct sqlite_read *read = list_entry(link, struct sqlite_read, link);
        int rc;
        list_push(&job->done, link);
        read_clock(read, snapshot);
        rc = read_run(reader, read, &bytes);
        read->err = sqlite_db_err(rc);
        if (rc)
            job_failed(job, rc);
    }
}

/* Without a snapshot no read can be carried out. */
static void job_fail_all(struct sqlite_job *job, int rc)
{
    struct list *link;

    job_failed(job, rc);
    while ((link = list_pop(&job->reads)) != NULL) {
        list_entry(link, struct sqlite_read, link)->err = sqlite_db_err(rc);
        list_push(&job->done, link);
    }
}

void sqlite_reader_run(struct sqlite_reader *reader, struct sqlite_job *job)
{
    struct sqlite_snapshot snapshot = {0};
    int rc;

    reader->until_ms = env_wall_ms(reader->env) + SQLITE_READ_MS;
    rc = sqlite_db_run(&reader->db, SQLITE_DB_BEGIN);
    if (!rc)
        rc = snapshot_take(reader, &snapshot);
    if (rc)
        job_fail_all(job, rc);
    else
        job_reads(reader, job, &snapshot);
    /* What was read stays true, however the end of the transaction goes. */
    if (!rc)
        rc = sqlite_db_run(&reader->db, SQLITE_DB_COMMIT);
    if (rc)
        sqlite_db_rollback(&reader->db);
    reader->until_ms = 0;
}

/* Called by SQLite every so many steps. The clock of the wall may jump: then a
 * read is cut off early, and asked for again. */
static int reader_cut_off(void *data)
{
    const struct sqlite_reader *reader = data;

    return reader->until_ms && env_wall_ms(reader->env) > reader->until_ms;
}

void sqlite_reader_open(struct sqlite_reader *reader, struct env *env,
                        uint64_t boot)
{
    reader->env = env;
    reader->boot = boot;
    sqlite3_progress_handler(reader->db.handle, 10000, reader_cut_off, reader);
}
