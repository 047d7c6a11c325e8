/* The programs that events were made by, kept beside them: read and compared
 * at the start and whenever another contract is to take the place of this one.
 *
 * A reload closes the gate: what has not begun waits, what has begun ends by
 * the old contract; then the book is exchanged, and what waited is judged by
 * the new one. */

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "block/entity/entity_host.h"

enum
{
    KEEP_PAGE = 100, /* kept versions in one page */
    TRIES_MAX = 100,
    TRY_MS = 100
};

struct entity_keeper
{
    struct entity_host *host;
    struct contract *contract;
    entity_ready_cb *cb;
    uint32_t type; /* being read */
    struct entity_page *pages;
    uint32_t page_count;
    uint32_t page_capacity;
    struct arena texts;
    bool writing;
    uint32_t version; /* of type, being written */
    bool looked;      /* for types that no contract has */
    struct entity_book *book;
    uint32_t tries;
    bool asked;
    bool ending;
    enum kan_err err;
    struct engine_scan scan;
    struct engine_commit commit;
    struct env_task task;
    struct env_timer timer;
    struct buffer key;
    struct buffer other_key;
    struct buffer value;
    struct buffer why;
};

static void keep_scan(struct entity_keeper *keeper, struct kan_slice after);
static void keep_write(struct entity_keeper *keeper);

/* --- the end -------------------------------------------------------------- */

static void keep_forget(struct entity_keeper *keeper)
{
    keeper->pages = mem_free(keeper->pages);
    keeper->page_count = 0;
    keeper->page_capacity = 0;
    arena_fini(&keeper->texts);
    keeper->book = entity_book_free(keeper->book);
    keeper->type = 0;
    keeper->version = 0;
    keeper->writing = false;
}

void entity_keep_end(struct entity_host *host)
{
    struct entity_keeper *keeper = host->keeper;

    host->keeper = NULL;
    if (!keeper)
        return;
    env_undefer(host->env, &keeper->task);
    env_timer_stop(host->env, &keeper->timer);
    keep_forget(keeper);
    contract_unref(keeper->contract);
    buffer_fini(&keeper->key);
    buffer_fini(&keeper->other_key);
    buffer_fini(&keeper->value);
    buffer_fini(&keeper->why);
    mem_free(keeper);
}

static void keep_finish(struct entity_keeper *keeper, enum kan_err err)
{
    struct entity_host *host = keeper->host;
    struct buffer why = keeper->why;
    entity_ready_cb *cb = keeper->cb;

    memset(&keeper->why, 0, sizeof(keeper->why));
    if (err && why.size == 0)
        buffer_append_text(&why, kan_err_text(err));
    host->open = host->ready;
    entity_keep_end(host);
    cb(host->options.data, err, err ? buffer_text(&why) : "");
    buffer_fini(&why);
    entity_ebb(host);
}

/* --- the exchange --------------------------------------------------------- */

static enum kan_err spare_rooms(struct entity_host *host,
                                const struct entity_book *book)
{
    size_t size = 16;
    void *rooms[3];

    for (uint32_t i = 0; i < book->type_count; i++) {
        const struct entity_type *type = &book->types[i];
        if (type->image_size > size)
            size = type->image_size;
        if (type->arguments_room > size)
            size = type->arguments_room;
    }
    for (unsigned i = 0; i < 3; i++)
        rooms[i] = mem_zalloc(size);
    if (!rooms[0] || !rooms[1] || !rooms[2]) {
        for (unsigned i = 0; i < 3; i++)
            mem_free(rooms[i]);
        return KAN_NOMEM;
    }
    mem_free(host->spare_arguments);
    mem_free(host->spare_image);
    mem_free(host->spare_image_2);
    host->spare_arguments = rooms[0];
    host->spare_image = rooms[1];
    host->spare_image_2 = rooms[2];
    return KAN_OK;
}

/* Whether nothing of the old book is in use. */
static bool host_still(struct entity_host *host)
{
    uint32_t cursor = 0;
    void *value;

    if (host->asked)
        return false;
    while (map_next(&host->ones, &cursor, NULL, &value)) {
        struct entity_one *one = value;
        if (one->sent || one->draft || one->running || one->unsent)
            return false;
    }
    return true;
}

static void gate_close(struct entity_host *host)
{
    uint32_t cursor = 0;
    void *value;

    host->open = false;
    while (map_next(&host->ones, &cursor, NULL, &value)) {
        struct entity_one *one = value;
        if (one->draft)
            entity_one_undraft(one);
    }
}

/* All entities leave the memory; who waits for them is held. */
static void ones_leave(struct entity_host *host, struct list *held)
{
    uint32_t cursor = 0;
    void *value;

    while (cursor = 0, map_next(&host->ones, &cursor, NULL, &value)) {
        struct entity_one *one = value;
        struct list *link;
        while ((link = list_pop(&one->queue)) != NULL) {
            struct entity_item *item =
                list_entry(link, struct entity_item, link);
            item->one = NULL;
            item->at = ENTITY_AT_DONE;
            list_push(held, link);
        }
        one->queued = 0;
        entity_one_free(one);
    }
}

static void keep_exchange(struct entity_keeper *keeper)
{
    struct entity_host *host = keeper->host;
    struct list held, *link;
    bool first = !host->ready;
    enum kan_err err = spare_rooms(host, keeper->book);

    if (err) {
        keep_finish(keeper, err);
        entity_past_stir(host);
        entity_look_stir(host);
        entity_follow_stir(host);
        return;
    }
    /*= K-ENTITY-7: nothing is decided by two texts. */
    kan_assert(host_still(host));
    list_init(&held);
    ones_leave(host, &held);
    entity_book_free(host->book);
    host->book = keeper->book;
    keeper->book = NULL;
    host->ready = true;
    host->open = true;
    while ((link = list_pop(&held)) != NULL) {
        struct entity_item *item = list_entry(link, struct entity_item, link);
        if (entity_item_wanted(item))
            entity_item_admit(host, item);
        else
            entity_item_release(host, item);
    }
    entity_past_stir(host);
    entity_look_stir(host);
    entity_follow_stir(host);
    if (first)
        entity_erase_resume(host);
    keep_finish(keeper, KAN_OK);
}

static void keep_run(struct env_task *task)
{
    struct entity_keeper *keeper = task->data;
    struct entity_host *host = keeper->host;

    if (keeper->ending) {
        if (!keeper->asked)
            keep_finish(keeper, keeper->err);
        return;
    }
    if (!keeper->book) {
        keep_scan(keeper, kan_slice(NULL, 0));
        return;
    }
    if (host_still(host))
        keep_exchange(keeper);
}

static void keep_later(struct entity_keeper *keeper)
{
    env_defer(keeper->host->env, &keeper->task, keep_run);
}

static void keep_fail(struct entity_keeper *keeper, enum kan_err err)
{
    keeper->ending = true;
    keeper->err = err;
    keep_later(keeper);
}

void entity_keep_stir(struct entity_host *host)
{
    if (!host->keeper)
        return;
    if (host->closing && !host->keeper->ending) {
        keep_fail(host->keeper, KAN_CLOSED);
        return;
    }
    if (host->keeper->book || host->keeper->ending)
        keep_later(host->keeper);
}

/* --- again ---------------------------------------------------------------- */

static void on_retry(struct env_timer *timer)
{
    struct entity_keeper *keeper = timer->data;

    if (!keeper->ending)
        keep_scan(keeper, kan_slice(NULL, 0));
}

/* From the beginning, after a while: another may have written, or the engine
 * was away. */
static void keep_again(struct entity_keeper *keeper, enum kan_err err)
{
    struct entity_host *host = keeper->host;
    enum kan_err_class class = kan_err_class(err);
    uint64_t due = env_now(host->env) + (uint64_t)TRY_MS * ENV_MS;

    if (class == KAN_CLASS_BROKEN || err == KAN_CLOSED ||
        ++keeper->tries > TRIES_MAX || err == KAN_INVALID) {
        keep_fail(keeper, err);
        return;
    }
    keep_forget(keeper);
    if (env_timer_start(host->env, &keeper->timer, due, on_retry))
        keep_fail(keeper, KAN_NOMEM);
}

/* --- writing -------------------------------------------------------------- */

static void on_written(struct engine_commit *commit, enum kan_err err)
{
    struct entity_keeper *keeper = commit->request.data;

    keeper->host->asked--;
    keeper->asked = false;
    if (keeper->ending || keeper->host->closing)
        keep_fail(keeper, keeper->ending ? keeper->err : KAN_CLOSED);
    else if (err)
        keep_again(keeper, err);
    else
        keep_write(keeper);
    entity_ebb(keeper->host);
}

static const struct entity_page *page_of(const struct entity_keeper *keeper,
                                         uint32_t type, uint32_t version)
{
    for (uint32_t i = 0; i < keeper->page_count; i++)
        if (keeper->pages[i].type == type &&
            keeper->pages[i].version == version)
            return &keeper->pages[i];
    return NULL;
}

static void keep_commit(struct entity_keeper *keeper,
                        const struct entity_page *old)
{
    struct entity_host *host = keeper->host;
    const struct contract *contract = keeper->contract;
    const struct source *source = contract_tree(contract)->source;
    unsigned char number[ENTITY_NUMBER_SIZE];
    struct entity_kept kept;
    struct engine_guard guard;
    struct engine_write write;
    enum kan_err err = KAN_NOMEM;

    memset(&guard, 0, sizeof(guard));
    memset(&write, 0, sizeof(write));
    entity_book_means(contract, keeper->type, keeper->version, &kept.hash,
                      &kept.upgrade);
    kept.text = buffer_slice(&source->text);
    if (kept.text.size + 64 > engine_promises(host->engine)->value_max)
        kept.text = program_text(
            contract_program(contract, keeper->type, keeper->version));
    buffer_clear(&keeper->value);
    entity_kept_write(&keeper->value, &kept);
    buffer_clear(&keeper->key);
    entity_key_sort(&keeper->key, host->prefix,
                    contract_type_name(contract, keeper->type), 'p');
    number_pack(keeper->version, number);
    buffer_append(&keeper->key, kan_slice(number, sizeof(number)));
    guard.kind = old ? ENGINE_IF_VERSION : ENGINE_IF_ABSENT;
    guard.key = write.key = buffer_slice(&keeper->key);
    guard.revision = old ? old->revision : 0;
    write.kind = ENGINE_PUT;
    write.value = buffer_slice(&keeper->value);
    memset(&keeper->commit, 0, sizeof(keeper->commit));
    keeper->commit.request.data = keeper;
    keeper->commit.guards = &guard;
    keeper->commit.guard_count = 1;
    keeper->commit.writes = &write;
    keeper->commit.write_count = 1;
    if (!buffer_failed(&keeper->key) && !buffer_failed(&keeper->value))
        err = engine_commit(host->engine, &keeper->commit, on_written);
    if (err) {
        keep_again(keeper, err);
        return;
    }
    host->asked++;
    keeper->asked = true;
}

/* The next version that is not kept as it is; or all are. */
static void keep_write(struct entity_keeper *keeper)
{
    const struct contract *contract = keeper->contract;
    enum kan_err err;

    if (!keeper->writing) {
        keeper->writing = true;
        keeper->type = 0;
        keeper->version = 0;
    }
    for (; keeper->type < contract_type_count(contract); keeper->type++) {
        const struct entity_page *page;
        if (keeper->version < contract_oldest(contract, keeper->type))
            keeper->version = contract_oldest(contract, keeper->type) - 1;
        while (keeper->version < contract_newest(contract, keeper->type)) {
            keeper->version++;
            page = page_of(keeper, keeper->type, keeper->version);
            if (page &&
                entity_book_agrees(contract, page, &keeper->why) == KAN_OK)
                continue;
            keep_commit(keeper, page);
            return;
        }
        keeper->version = 0;
    }
    err = entity_book_new(keeper->contract, keeper->pages, keeper->page_count,
                          &keeper->book, &keeper->why);
    if (err) {
        keep_fail(keeper, err);
        return;
    }
    if (keeper->host->ready)
        gate_close(keeper->host);
    keep_later(keeper);
}

/* --- types that no contract has ------------------------------------------- */

static void keep_look(struct entity_keeper *keeper, struct kan_slice type);

/* Tell of the type that the key belongs to. Events sort before all else that is
 * kept of a type: one of which the program alone was kept has no entities. */
static struct kan_slice tell_stranger(struct entity_keeper *keeper,
                                      struct kan_slice key)
{
    struct entity_host *host = keeper->host;
    struct kan_slice rest = slice_skip(key, host->prefix.size);
    struct kan_slice type;

    (void)slice_cut(&rest, 0, &type);
    if (slice_starts(rest, SLICE("e")) &&
        contract_type_find(keeper->contract, type) < 0)
        entity_trouble(host,
                       "the store has entities of the type %.*s, which is in "
                       "no contract: they cannot be reached; start Kan with a "
                       "contract that has the type",
                       SLICE_ARG(type));
    return type;
}

static void on_stranger(struct engine_scan *scan, enum kan_err err)
{
    struct entity_keeper *keeper = scan->request.data;
    struct entity_host *host = keeper->host;

    host->asked--;
    keeper->asked = false;
    if (keeper->ending || host->closing) {
        keep_fail(keeper, keeper->ending ? keeper->err : KAN_CLOSED);
    } else if (err) {
        keep_again(keeper, err);
    } else if (scan->item_count > 0) {
        keep_look(keeper, tell_stranger(keeper, scan->items[0].key));
    } else {
        keeper->looked = true;
        keep_write(keeper);
    }
    entity_ebb(host);
}

/* Find the first key behind all of a type, or the first of all: one read a
 * type, however many entities there are. */
static void keep_look(struct entity_keeper *keeper, struct kan_slice type)
{
    struct entity_host *host = keeper->host;
    struct engine_scan *scan = &keeper->scan;
    enum kan_err err = KAN_NOMEM;

    buffer_clear(&keeper->other_key);
    if (type.size > 0) {
        buffer_append(&keeper->other_key, host->prefix);
        buffer_append(&keeper->other_key, type);
        buffer_append_byte(&keeper->other_key, 1); /* its keys go on with 0 */
    }
    memset(scan, 0, sizeof(*scan));
    scan->request.data = keeper;
    scan->prefix = host->prefix;
    scan->after = buffer_slice(&keeper->other_key);
    scan->limit = 1;
    scan->keys_only = true;
    if (!buffer_failed(&keeper->other_key))
        err = engine_scan(host->engine, scan, on_stranger);
    if (err) {
        keep_again(keeper, err);
        return;
    }
    host->asked++;
    keeper->asked = true;
}

/* --- reading -------------------------------------------------------------- */

static enum kan_err keep_page(struct entity_keeper *keeper,
                              const struct engine_item *item)
{
    struct entity_page *page;
    uint64_t version = entity_key_n(item->key);
    char *text;
    enum kan_err err;

    if (keeper->page_count == keeper->page_capacity) {
        uint32_t more = keeper->page_capacity ? 2 * keeper->page_capacity : 16;
        page = mem_realloc(keeper->pages, sizeof(*page) * more);
        if (!page)
            return KAN_NOMEM;
        keeper->pages = page;
        keeper->page_capacity = more;
    }
    page = &keeper->pages[keeper->page_count];
    memset(page, 0, sizeof(*page));
    page->type = keeper->type;
    page->version = (uint32_t)version;
    page->revision = item->version;
    if (version == 0 || version > UINT32_MAX ||
        entity_kept_read(item->value, &page->kept)) {
        buffer_print(
            &keeper->why,
            "a program that is kept of type %.*s "
            "cannot be read",
            SLICE_ARG(contract_type_name(keeper->contract, keeper->type)));
        return KAN_CORRUPT;
    }
    text = arena_copy(&keeper->texts, page->kept.text);
    if (!text)
        return KAN_NOMEM;
    page->kept.text.bytes = text;
    keeper->page_count++;
    err = entity_book_agrees(keeper->contract, page, &keeper->why);
    return err == KAN_NOTFOUND ? KAN_OK : err;
}

static void on_pages(struct engine_scan *scan, enum kan_err err)
{
    struct entity_keeper *keeper = scan->request.data;
    struct entity_host *host = keeper->host;
    enum kan_err wrong = KAN_OK;

    host->asked--;
    keeper->asked = false;
    for (uint32_t i = 0; !err && !wrong && i < scan->item_count; i++)
        wrong = keep_page(keeper, &scan->items[i]);
    if (keeper->ending || host->closing) {
        keep_fail(keeper, keeper->ending ? keeper->err : KAN_CLOSED);
    } else if (wrong) {
        keep_fail(keeper, wrong);
    } else if (err) {
        keep_again(keeper, err);
    } else if (scan->more) {
        keep_scan(keeper, scan->items[scan->item_count - 1].key);
    } else {
        keeper->type++;
        keep_scan(keeper, kan_slice(NULL, 0));
    }
    entity_ebb(host);
}

static void keep_scan(struct entity_keeper *keeper, struct kan_slice after)
{
    struct entity_host *host = keeper->host;
    struct engine_scan *scan = &keeper->scan;
    enum kan_err err = KAN_NOMEM;

    if (keeper->type >= contract_type_count(keeper->contract)) {
        /* At the start alone: a reload drops no type. */
        if (host->ready || keeper->looked)
            keep_write(keeper);
        else
            keep_look(keeper, kan_slice(NULL, 0));
        return;
    }
    buffer_clear(&keeper->other_key);
    buffer_append(&keeper->other_key, after);
    buffer_clear(&keeper->key);
    entity_key_sort(&keeper->key, host->prefix,
                    contract_type_name(keeper->contract, keeper->type), 'p');
    memset(scan, 0, sizeof(*scan));
    scan->request.data = keeper;
    scan->prefix = buffer_slice(&keeper->key);
    scan->after = buffer_slice(&keeper->other_key);
    scan->limit = KEEP_PAGE;
    if (!buffer_failed(&keeper->key) && !buffer_failed(&keeper->other_key))
        err = engine_scan(host->engine, scan, on_pages);
    if (err) {
        keep_again(keeper, err);
        return;
    }
    host->asked++;
    keeper->asked = true;
}

/* --- beginning ------------------------------------------------------------ */

enum kan_err entity_keep_begin(struct entity_host *host,
                               struct contract *contract, entity_ready_cb *cb)
{
    struct entity_keeper *keeper;

    if (host->keeper)
        return KAN_BUSY;
    keeper = mem_zalloc(sizeof(*keeper));
    if (!keeper)
        return KAN_NOMEM;
    keeper->host = host;
    keeper->contract = contract_ref(contract);
    keeper->cb = cb;
    keeper->task.data = keeper;
    keeper->timer.data = keeper;
    host->keeper = keeper;
    keep_later(keeper);
    return KAN_OK;
}

enum kan_err entity_host_reload(struct entity_host *host,
                                struct contract *contract, entity_ready_cb *cb)
{
    check_magic(host, ENTITY_HOST_MAGIC);
    if (host->closing)
        return KAN_CLOSED;
    return entity_keep_begin(host, contract, cb);
}
