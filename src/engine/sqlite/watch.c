/* Watches: what was there already is read from the feed page by page; once a
 * page ends where the loop stands, commits are reported as they end. */

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "engine/sqlite/driver.h"
#include "engine/sqlite/feed.h"

struct sqlite_watch
{
    struct list link;
    struct engine_watch *watch;
    uint64_t position;        /* the revision reported last */
    bool live;                /* else a page is on its way */
    struct sqlite_read *page; /* with live false */
    size_t prefix_size;
    unsigned char prefix[];
};

static void watch_end(struct sqlite_watch *op, enum kan_err err)
{
    struct engine_watch *watch = op->watch;

    list_remove(&op->link);
    mem_free(op);
    watch->request.op = NULL;
    engine_answer(&watch->request, err);
}

static void watch_compacted(struct sqlite *sqlite, uint64_t compacted)
{
    engine_fail(&sqlite->engine,
                "sqlite: the history up to revision %llu is no longer kept; "
                "read the keys and watch from that revision",
                (unsigned long long)compacted);
}

static struct sqlite_watch *watch_new(struct engine_watch *watch)
{
    struct sqlite_watch *op = mem_zalloc(sizeof *op + watch->prefix.size);

    if (!op)
        return NULL;
    op->watch = watch;
    op->prefix_size = watch->prefix.size;
    if (op->prefix_size)
        memcpy(op->prefix, watch->prefix.bytes, op->prefix_size);
    return op;
}

void sqlite_watch(struct engine *engine, struct engine_watch *watch)
{
    struct sqlite *sqlite = sqlite_of(engine);
    bool now = watch->from.store == 0;
    struct sqlite_watch *op;

    if (sqlite->broken) {
        sqlite_refuse(sqlite, &watch->request, KAN_IO);
        return;
    }
    if (!now && !engine_cursor_known(&engine->cursor, &watch->from)) {
        sqlite_refuse(sqlite, &watch->request, KAN_COMPACTED);
        return;
    }
    op = watch_new(watch);
    if (!op) {
        sqlite_refuse(sqlite, &watch->request, KAN_NOMEM);
        return;
    }
    op->position = now ? engine->cursor.revision : watch->from.revision;
    op->live = op->position == engine->cursor.revision;
    if (!op->live)
        op->page = sqlite_read_feed(sqlite, op, op->position);
    if (!op->live && !op->page) {
        mem_free(op);
        sqlite_refuse(sqlite, &watch->request, KAN_NOMEM);
        return;
    }
    watch->request.op = op;
    list_push(&sqlite->watches, &op->link);
}

void sqlite_watch_cancel(struct sqlite *sqlite, struct engine_request *request,
                         enum kan_err err)
{
    struct sqlite_watch *op = request->op;
    struct sqlite_read *page = op->page;

    if (page && page->begun) {
        page->owner = NULL;
    } else if (page) {
        list_remove(&page->link);
        sqlite_read_free(sqlite, page);
    }
    watch_end(op, err);
}

/* --- reports -------------------------------------------------------------- */

static bool prefixed(const struct sqlite_watch *op, struct kan_slice key)
{
    return slice_starts(key, kan_slice(op->prefix, op->prefix_size));
}

static void report(struct sqlite_watch *op, uint64_t revision,
                   const struct buffer *changes)
{
    size_t count = changes->size / sizeof(struct engine_change);

    op->position = revision;
    if (count)
        engine_report(
            op->watch, revision,
            (const struct engine_change *)(const void *)changes->bytes,
            (uint32_t)count);
}

/* Gather the changes of the record that was just opened; under op's prefix when
 * op is not NULL. */
static enum kan_err gather(struct sqlite_feed_reader *feed,
                           const struct sqlite_watch *op,
                           struct buffer *changes)
{
    struct engine_change change;
    enum kan_err err;

    buffer_clear(changes);
    while ((err = sqlite_feed_change(feed, &change)) == KAN_OK)
        if (!op || prefixed(op, change.key))
            buffer_append(changes, kan_slice(&change, sizeof change));
    if (err != KAN_END)
        return err;
    return buffer_failed(changes) ? KAN_NOMEM : KAN_OK;
}

/* What of the changes is under the watch's prefix. */
static enum kan_err choose(const struct sqlite_watch *op,
                           const struct buffer *changes, struct buffer *chosen)
{
    const struct engine_change *change =
        (const struct engine_change *)(const void *)changes->bytes;
    size_t count = changes->size / sizeof *change;

    buffer_clear(chosen);
    for (size_t i = 0; i < count; i++)
        if (prefixed(op, change[i].key))
            buffer_append(chosen, kan_slice(&change[i], sizeof change[i]));
    return buffer_failed(chosen) ? KAN_NOMEM : KAN_OK;
}

/* One commit, to every live watch. Cancels wait until this returns; a watch
 * that is added meanwhile is at the end, and stands behind this commit. */
static void report_all(struct sqlite *sqlite, uint64_t revision,
                       enum kan_err err)
{
    struct list *link = sqlite->watches.next, *last = sqlite->watches.prev;
    bool more = !list_empty(&sqlite->watches);

    while (more) {
        struct sqlite_watch *op = list_entry(link, struct sqlite_watch, link);
        enum kan_err failed = err;
        more = link != last;
        link = link->next;
        if (!op->live || op->position >= revision)
            continue;
        if (!failed)
            failed = choose(op, &sqlite->changes, &sqlite->chosen);
        if (failed)
            watch_end(op, failed);
        else
            report(op, revision, &sqlite->chosen);
    }
}

void sqlite_watches_group(struct sqlite *sqlite,
                          const struct sqlite_group *group)
{
    struct sqlite_feed_reader feed;
    uint32_t count;

    if (list_empty(&sqlite->watches))
        return;
    sqlite_feed_open(&feed, buffer_slice(&group->body), group->first);
    while (sqlite_feed_record(&feed, &count) == KAN_OK) {
        enum kan_err err = gather(&feed, NULL, &sqlite->changes);
        report_all(sqlite, feed.revision, err);
        if (err)
            break; /* every live watch has ended */
    }
}

/* --- pages ---------------------------------------------------------------- */

/* One row of a page. */
static enum kan_err page_row(struct sqlite *sqlite, struct sqlite_watch *op,
                             struct kan_slice body, uint64_t first,
                             uint64_t last)
{
    struct sqlite_feed_reader feed;
    enum kan_err err;
    uint32_t count;

    if (first > op->position + 1)
        return KAN_CORRUPT;
    sqlite_feed_open(&feed, body, first);
    while ((err = sqlite_feed_record(&feed, &count)) == KAN_OK) {
        err = gather(&feed, op, &sqlite->chosen);
        if (err)
            return err;
        if (feed.revision > op->position)
            report(op, feed.revision, &sqlite->chosen);
    }
    if (err != KAN_END || feed.revision != last)
        return KAN_CORRUPT;
    return KAN_OK;
}

static enum kan_err page_rows(struct sqlite *sqlite, struct sqlite_watch *op,
                              struct kan_slice rest)
{
    enum kan_err err = KAN_OK;

    while (!err && rest.size) {
        const unsigned char *head = rest.bytes;
        size_t size = (size_t)number_unpack(head + 16);
        err = page_row(sqlite, op, kan_slice(head + SQLITE_FEED_ROW, size),
                       number_unpack(head), number_unpack(head + 8));
        rest = slice_skip(rest, SQLITE_FEED_ROW + size);
    }
    return err;
}

/* Take a page, and end the watch, go on with the next page, or live. The page
 * was held until the loop had been told of all that is in it. */
void sqlite_watch_page(struct sqlite *sqlite, struct sqlite_read *read)
{
    struct sqlite_watch *op = read->owner;
    enum kan_err err = read->err;
    bool more = read->more;

    op->page = NULL;
    if (!err && read->compacted > op->position) {
        watch_compacted(sqlite, read->compacted);
        err = KAN_COMPACTED;
    }
    if (!err)
        err = page_rows(sqlite, op, buffer_slice(&read->bytes));
    sqlite_read_free(sqlite, read);
    if (!err && !more && op->position >= sqlite->engine.cursor.revision) {
        op->live = true;
        return;
    }
    if (!err && !(op->page = sqlite_read_feed(sqlite, op, op->position)))
        err = KAN_NOMEM;
    if (err)
        watch_end(op, err);
}

void sqlite_watches_fail(struct sqlite *sqlite, enum kan_err err)
{
    struct list rest, *link;

    list_init(&rest);
    list_splice(&rest, &sqlite->watches);
    while ((link = list_pop(&rest)) != NULL) {
        struct sqlite_watch *op = list_entry(link, struct sqlite_watch, link);
        if (op->page && op->page->begun)
            op->page->owner = NULL;
        watch_end(op, err);
    }
}

void sqlite_watches_init(struct sqlite *sqlite)
{
    list_init(&sqlite->watches);
}

void sqlite_watches_fini(struct sqlite *sqlite)
{
    buffer_fini(&sqlite->changes);
    buffer_fini(&sqlite->chosen);
}
