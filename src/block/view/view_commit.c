/* The commit of a batch: the parts of its entities, their places in the indexes
 * and where the follower stands by then, all at once. Then the first of each
 * index that it may have moved is found again. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/view/view_batch.h"

/* A write whose slices are places in bytes, which may move while it grows. */
struct writing
{
    enum engine_write_kind kind;
    size_t key;
    size_t key_size;
    size_t value_size;
};

/* Begin a write: its key is what is appended next, then end_key(). */
static struct writing begin_write(struct view_batch *batch,
                                  enum engine_write_kind kind)
{
    struct writing writing = {.kind = kind, .key = batch->bytes.size};

    return writing;
}

static void end_key(struct view_batch *batch, struct writing *writing)
{
    writing->key_size = batch->bytes.size - writing->key;
}

static void end_write(struct view_batch *batch, struct writing *writing)
{
    writing->value_size = batch->bytes.size - writing->key - writing->key_size;
    buffer_append(&batch->writes, kan_slice(writing, sizeof(*writing)));
}

static void index_key(const struct view_follower *follower, uint32_t column,
                      struct buffer *out)
{
    buffer_append(out, buffer_slice(&follower->data_key));
    buffer_append_byte(out, 'x');
    buffer_append_byte(out, (unsigned char)(column >> 8));
    buffer_append_byte(out, (unsigned char)column);
}

static void write_index(struct view_batch *batch,
                        const struct view_touched *touched, uint32_t column,
                        enum engine_write_kind kind, struct view_part part)
{
    const struct view_follower *follower = batch->follower;
    enum program_column_kind sort = follower->columns[column].kind;
    struct writing writing = begin_write(batch, kind);
    unsigned char order[8];
    unsigned char first[8];

    view_order(sort, part.amount, order);
    index_key(follower, column, &batch->bytes);
    buffer_append(&batch->bytes, kan_slice(order, sizeof(order)));
    buffer_append(&batch->bytes, touched->id);
    end_key(batch, &writing);
    if (kind == ENGINE_PUT && sort == PROGRAM_LAST)
        buffer_append(&batch->bytes, buffer_slice(&touched->lasts[column]));
    end_write(batch, &writing);
    /* Only what comes first, or would, changes the total. */
    if (follower->totals[column].any)
        view_order(sort, follower->totals[column].amount, first);
    else
        memset(first, 0xff, sizeof(first));
    if (memcmp(order, first, sizeof(order)) <= 0)
        batch->dirty[column] = true;
}

static void write_column(struct view_batch *batch,
                         const struct view_touched *touched, uint32_t column)
{
    struct view_part old = touched->old[column];
    struct view_part now = touched->now[column];
    bool same = view_part_equal(old, now);

    if (!view_ordered(batch->follower->columns[column].kind)) {
        batch->totals[column] =
            view_total_move(batch->totals[column], old, now);
        return;
    }
    if (old.any && !same)
        write_index(batch, touched, column, ENGINE_DELETE, old);
    if (now.any && (!same || (touched->lasts && touched->lasts[column].size)))
        write_index(batch, touched, column, ENGINE_PUT, now);
}

static void write_touched(struct view_batch *batch,
                          const struct view_touched *touched)
{
    const struct view_follower *follower = batch->follower;
    struct writing writing =
        begin_write(batch, touched->alive ? ENGINE_PUT : ENGINE_DELETE);

    for (uint32_t i = 0; i < follower->column_count; i++)
        write_column(batch, touched, i);
    if (!touched->alive && !touched->had)
        return;
    writing.key = batch->bytes.size;
    buffer_append(&batch->bytes, buffer_slice(&follower->data_key));
    buffer_append_byte(&batch->bytes, 'c');
    buffer_append(&batch->bytes, touched->id);
    end_key(batch, &writing);
    if (touched->alive)
        view_parts_save(touched->n, touched->now, follower->column_count,
                        &batch->bytes);
    end_write(batch, &writing);
}

static void write_place(struct view_batch *batch)
{
    const struct view_follower *follower = batch->follower;
    struct writing writing = begin_write(batch, ENGINE_PUT);
    struct view_part *totals = batch->totals;
    struct view_place place = view_batch_place(batch);
    struct buffer saved = BUFFER_INIT;

    /* What has an index is found there. */
    for (uint32_t i = 0; i < follower->column_count; i++)
        if (view_ordered(follower->columns[i].kind))
            totals[i] = (struct view_part){0};
    view_parts_save(0, totals, follower->column_count, &saved);
    place.totals = buffer_slice(&saved);
    buffer_append(&batch->bytes, buffer_slice(&follower->place_key));
    end_key(batch, &writing);
    view_place_save(&place, &batch->bytes);
    end_write(batch, &writing);
    batch->bytes.failed = batch->bytes.failed || buffer_failed(&saved);
    buffer_fini(&saved);
}

static void adopt(struct view_batch *batch, uint64_t revision)
{
    struct view_follower *follower = batch->follower;

    for (uint32_t i = 0; i < follower->column_count; i++) {
        if (!view_ordered(follower->columns[i].kind))
            follower->totals[i] = batch->totals[i];
        follower->dirty[i] = follower->dirty[i] || batch->dirty[i];
    }
    /*= K-VIEW-1: what is counted and where it stands are one commit. */
    kan_assert(revision > follower->place_version);
    follower->place = view_batch_place(batch);
    follower->place.after = kan_slice(NULL, 0);
    follower->place_version = revision;
    if (batch->to < batch->count)
        return;
    buffer_fini(&follower->after);
    follower->after = batch->after;
    memset(&batch->after, 0, sizeof(batch->after));
}

/* The writes of one part. */
static void forget_writes(struct view_batch *batch)
{
    batch->commit_writes = mem_free(batch->commit_writes);
    buffer_clear(&batch->bytes);
    buffer_clear(&batch->writes);
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct view_follower *follower = commit->request.data;

    if (err) {
        view_follower_done(follower, err);
        return;
    }
    adopt(follower->batch, commit->revision);
    if (follower->batch->to < follower->batch->count && !follower->stopping) {
        forget_writes(follower->batch);
        view_fold_part(follower->batch);
        return;
    }
    view_batch_free(follower);
    view_find(follower);
}

static enum kan_err submit(struct view_batch *batch)
{
    struct view_follower *follower = batch->follower;
    const struct writing *writings =
        (const struct writing *)(const void *)batch->writes.bytes;
    uint32_t count = (uint32_t)(batch->writes.size / sizeof(*writings));
    struct engine_guard guard = {.key = buffer_slice(&follower->place_key),
                                 .kind = ENGINE_IF_ABSENT};

    batch->commit_writes = mem_zalloc(count * sizeof(*batch->commit_writes));
    if (!batch->commit_writes)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        const char *key = batch->bytes.bytes + writings[i].key;
        batch->commit_writes[i].kind = writings[i].kind;
        batch->commit_writes[i].key = kan_slice(key, writings[i].key_size);
        batch->commit_writes[i].value =
            kan_slice(key + writings[i].key_size, writings[i].value_size);
    }
    if (follower->place_version) {
        guard.kind = ENGINE_IF_VERSION;
        guard.revision = follower->place_version;
    }
    memset(&follower->commit, 0, sizeof(follower->commit));
    follower->commit.request.data = follower;
    follower->commit.guards = &guard;
    follower->commit.guard_count = 1;
    follower->commit.writes = batch->commit_writes;
    follower->commit.write_count = count;
    return engine_commit(follower->host->engine, &follower->commit, on_commit);
}

/* A batch that is too large for one commit is halved. */
static bool too_large(const struct view_batch *batch)
{
    const struct engine_promises *promises =
        engine_promises(batch->follower->host->engine);
    size_t count = batch->writes.size / sizeof(struct writing);

    return count + 1 > promises->ops_max ||
           batch->bytes.size > promises->commit_bytes_max;
}

void view_commit(struct view_batch *batch)
{
    struct view_follower *follower = batch->follower;
    enum kan_err err = KAN_OK;

    for (uint32_t i = batch->from; i < batch->to; i++) {
        if (batch->touched[i].changed)
            write_touched(batch, &batch->touched[i]);
        for (uint32_t j = 0;
             batch->touched[i].lasts && j < follower->column_count; j++)
            if (buffer_failed(&batch->touched[i].lasts[j]))
                err = KAN_NOMEM;
    }
    write_place(batch);
    if (buffer_failed(&batch->bytes) || buffer_failed(&batch->writes))
        err = KAN_NOMEM;
    if (err == KAN_OK && too_large(batch) && follower->batch_max > 1) {
        follower->batch_max /= 2;
        err = KAN_BUSY;
    }
    if (err == KAN_OK)
        err = submit(batch);
    if (err)
        view_follower_done(follower, err);
}

/* --- the first of each index ---------------------------------------------- */

static void find_next(struct view_follower *follower);

static enum kan_err found(struct view_follower *follower,
                          const struct engine_scan *scan)
{
    uint32_t column = follower->looking;
    struct buffer prefix = BUFFER_INIT;
    struct view_part part = {0};
    enum kan_err err = KAN_OK;

    index_key(follower, column, &prefix);
    if (buffer_failed(&prefix))
        err = KAN_NOMEM;
    buffer_clear(&follower->lasts[column]);
    if (err == KAN_OK && scan->item_count > 0) {
        struct kan_slice order = slice_skip(scan->items[0].key, prefix.size);
        if (order.size < 8) {
            err = KAN_CORRUPT;
        } else {
            part.any = true;
            part.amount =
                view_order_read(follower->columns[column].kind, order.bytes);
            buffer_append(&follower->lasts[column], scan->items[0].value);
        }
    }
    buffer_fini(&prefix);
    if (buffer_failed(&follower->lasts[column]))
        err = KAN_NOMEM;
    if (err == KAN_OK) {
        follower->totals[column] = part;
        follower->dirty[column] = false;
    }
    return err;
}

static void on_found(struct engine_scan *scan, enum kan_err err)
{
    struct view_follower *follower = scan->request.data;

    if (err == KAN_OK)
        err = found(follower, scan);
    if (err)
        view_follower_done(follower, err);
    else
        find_next(follower);
}

static void find_next(struct view_follower *follower)
{
    struct buffer prefix = BUFFER_INIT;
    uint32_t column = 0;
    enum kan_err err = KAN_NOMEM;

    while (column < follower->column_count && !follower->dirty[column])
        column++;
    if (column == follower->column_count) {
        view_follower_done(follower, KAN_OK);
        return;
    }
    follower->looking = column;
    index_key(follower, column, &prefix);
    memset(&follower->scan, 0, sizeof(follower->scan));
    follower->scan.request.data = follower;
    follower->scan.prefix = buffer_slice(&prefix);
    follower->scan.limit = 1;
    if (!buffer_failed(&prefix))
        err = engine_scan(follower->host->engine, &follower->scan, on_found);
    buffer_fini(&prefix);
    if (err)
        view_follower_done(follower, err);
}

void view_find(struct view_follower *follower)
{
    find_next(follower);
}
