/* What lies before a tombstone is deleted, in batches, from the first event on:
 * so whatever is still there has nothing missing behind it. A key says that the
 * erasure is under way, so that a host that starts goes on with it. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

enum
{
    ERASE_PAGE = 64,
    ERASE_WAIT_MS = 100
};

struct eraser
{
    struct list link;
    struct entity_host *host;
    struct entity_item *item; /* or NULL */
    uint64_t n;
    uint64_t revision; /* of the key that says so; 0: it is gone */
    char letter;       /* what is being deleted: 'e', then 's' */
    bool looked;
    bool ended;
    struct engine_get get;
    struct engine_scan scan;
    struct engine_commit commit;
    struct env_timer timer;
    struct env_task task;
    struct buffer key;
    struct buffer other_key;
    size_t type_size;
    size_t id_size;
    char names[]; /* type and id */
};

static void erase_go(struct eraser *eraser);

static struct kan_slice erase_type(const struct eraser *eraser)
{
    return kan_slice(eraser->names, eraser->type_size);
}

static struct kan_slice erase_id(const struct eraser *eraser)
{
    return kan_slice(eraser->names + eraser->type_size, eraser->id_size);
}

/* --- the end -------------------------------------------------------------- */

static void erase_end(struct eraser *eraser, enum kan_err err)
{
    struct entity_host *host = eraser->host;
    struct entity_item *item = eraser->item;

    list_remove(&eraser->link);
    env_timer_stop(host->env, &eraser->timer);
    env_undefer(host->env, &eraser->task);
    buffer_fini(&eraser->key);
    buffer_fini(&eraser->other_key);
    mem_free(eraser);
    if (item && !entity_item_wanted(item)) {
        entity_item_release(host, item);
    } else if (item && err) {
        entity_item_fail(item, err);
    } else if (item) {
        item->outcome = ENTITY_TAKEN;
        entity_item_done(item);
    }
    entity_ebb(host);
}

static void erase_on_timer(struct env_timer *timer)
{
    erase_go(timer->data);
}

static void erase_on_task(struct env_task *task)
{
    erase_go(task->data);
}

/* After an answer: go on, or try again; what was deleted stays so. */
static void erase_next(struct eraser *eraser, enum kan_err err)
{
    struct entity_host *host = eraser->host;
    uint64_t due = env_now(host->env) + (uint64_t)ERASE_WAIT_MS * ENV_MS;

    if (host->closing || err == KAN_CLOSED)
        erase_end(eraser, KAN_CLOSED);
    else if (kan_err_class(err) == KAN_CLASS_BROKEN)
        erase_end(eraser, err);
    else if (err == KAN_OK)
        env_defer(host->env, &eraser->task, erase_on_task);
    else if (env_timer_start(host->env, &eraser->timer, due, erase_on_timer))
        env_defer(host->env, &eraser->task, erase_on_task);
}

/* --- deleting ------------------------------------------------------------- */

static void on_deleted(struct engine_commit *commit, enum kan_err err)
{
    struct eraser *eraser = commit->request.data;
    struct entity_host *host = eraser->host;

    host->asked--;
    erase_next(eraser, err);
    entity_ebb(host);
}

static void on_closed(struct engine_commit *commit, enum kan_err err)
{
    struct eraser *eraser = commit->request.data;
    struct entity_host *host = eraser->host;

    host->asked--;
    /* Another erasure has come meanwhile, and looks after the key. */
    if (err == KAN_OK || err == KAN_CONFLICT)
        erase_end(eraser, KAN_OK);
    else
        erase_next(eraser, err);
    entity_ebb(host);
}

static void erase_commit(struct eraser *eraser,
                         const struct engine_write *writes, uint32_t count,
                         const struct engine_guard *guard, engine_commit_cb *cb)
{
    struct entity_host *host = eraser->host;
    enum kan_err err;

    memset(&eraser->commit, 0, sizeof(eraser->commit));
    eraser->commit.request.data = eraser;
    eraser->commit.writes = writes;
    eraser->commit.write_count = count;
    eraser->commit.guards = guard;
    eraser->commit.guard_count = guard ? 1 : 0;
    err = engine_commit(host->engine, &eraser->commit, cb);
    if (err)
        erase_next(eraser, err);
    else
        host->asked++;
}

static void erase_close(struct eraser *eraser)
{
    struct entity_host *host = eraser->host;
    struct engine_guard guard;
    struct engine_write write;

    /*= K-ENTITY-9: the events are gone, then the snapshots: both were looked
     * through to their end. */
    kan_assert(eraser->letter == 's');
    if (eraser->revision == 0) {
        erase_end(eraser, KAN_OK);
        return;
    }
    memset(&guard, 0, sizeof(guard));
    memset(&write, 0, sizeof(write));
    guard.kind = ENGINE_IF_VERSION;
    guard.revision = eraser->revision;
    guard.key = write.key = entity_key_plain(
        host, &eraser->key, erase_type(eraser), 'x', erase_id(eraser));
    write.kind = ENGINE_DELETE;
    if (buffer_failed(&eraser->key))
        erase_next(eraser, KAN_NOMEM);
    else
        erase_commit(eraser, &write, 1, &guard, on_closed);
}

static void on_page(struct engine_scan *scan, enum kan_err err)
{
    struct eraser *eraser = scan->request.data;
    struct entity_host *host = eraser->host;
    struct engine_write writes[ERASE_PAGE];
    uint32_t count = 0;

    host->asked--;
    for (uint32_t i = 0; !err && i < scan->item_count; i++) {
        if (entity_key_n(scan->items[i].key) >= eraser->n)
            break;
        memset(&writes[count], 0, sizeof(writes[0]));
        writes[count].kind = ENGINE_DELETE;
        writes[count++].key = scan->items[i].key;
    }
    if (err || host->closing) {
        erase_next(eraser, err);
    } else if (count) {
        erase_commit(eraser, writes, count, NULL, on_deleted);
    } else if (eraser->letter == 'e') {
        eraser->letter = 's';
        erase_next(eraser, KAN_OK);
    } else {
        erase_close(eraser);
    }
    entity_ebb(host);
}

static void erase_scan(struct eraser *eraser)
{
    struct entity_host *host = eraser->host;
    struct engine_scan *scan = &eraser->scan;
    enum kan_err err = KAN_NOMEM;

    memset(scan, 0, sizeof(*scan));
    scan->request.data = eraser;
    scan->keys_only = true;
    scan->limit = ERASE_PAGE;
    scan->prefix = entity_key_stream(host, &eraser->key, erase_type(eraser),
                                     eraser->letter, erase_id(eraser));
    if (!buffer_failed(&eraser->key))
        err = engine_scan(host->engine, scan, on_page);
    if (err)
        erase_next(eraser, err);
    else
        host->asked++;
}

/* --- beginning ------------------------------------------------------------ */

static void on_look(struct engine_get *get, enum kan_err err)
{
    struct eraser *eraser = get->request.data;
    struct entity_host *host = eraser->host;
    struct entity_head head;

    host->asked--;
    if (!err) {
        eraser->revision = get->items[0].created ? get->items[0].version : 0;
        if (eraser->n == 0 && get->items[1].created) {
            err = entity_head_read(get->items[1].value, &head);
            eraser->n = head.erased;
        }
        eraser->looked = true;
    }
    erase_next(eraser, err);
    entity_ebb(host);
}

static void erase_look(struct eraser *eraser)
{
    struct entity_host *host = eraser->host;
    struct kan_slice keys[2];
    enum kan_err err = KAN_NOMEM;

    keys[0] = entity_key_plain(host, &eraser->key, erase_type(eraser), 'x',
                               erase_id(eraser));
    keys[1] = entity_key_plain(host, &eraser->other_key, erase_type(eraser),
                               'i', erase_id(eraser));
    memset(&eraser->get, 0, sizeof(eraser->get));
    eraser->get.request.data = eraser;
    eraser->get.keys = keys;
    eraser->get.key_count = 2;
    if (!buffer_failed(&eraser->key) && !buffer_failed(&eraser->other_key))
        err = engine_get(host->engine, &eraser->get, on_look);
    if (err)
        erase_next(eraser, err);
    else
        host->asked++;
}

static void erase_go(struct eraser *eraser)
{
    if (eraser->host->closing)
        erase_end(eraser, KAN_CLOSED);
    else if (eraser->looked)
        erase_scan(eraser);
    else
        erase_look(eraser);
}

void entity_erase_begin(struct entity_host *host,
                        const struct entity_type *type, struct kan_slice id,
                        uint64_t n, struct entity_item *item)
{
    struct eraser *eraser =
        mem_zalloc(sizeof(*eraser) + type->name.size + id.size);

    if (!eraser) {
        /* The tombstone is there, and the key: a start goes on from it. */
        if (item && entity_item_wanted(item))
            entity_item_fail(item, KAN_NOMEM);
        else if (item)
            entity_item_release(host, item);
        return;
    }
    eraser->host = host;
    eraser->item = item;
    eraser->n = n;
    eraser->letter = 'e';
    eraser->type_size = type->name.size;
    eraser->id_size = id.size;
    memcpy(eraser->names, type->name.bytes, type->name.size);
    memcpy(eraser->names + type->name.size, id.bytes, id.size);
    eraser->timer.data = eraser;
    eraser->task.data = eraser;
    list_push(&host->erasers, &eraser->link);
    if (item)
        item->at = ENTITY_AT_ERASE;
    env_defer(host->env, &eraser->task, erase_on_task);
}

void entity_erase_stir(struct entity_host *host)
{
    struct list *link, *next;

    for (link = host->erasers.next; link != &host->erasers; link = next) {
        struct eraser *eraser = list_entry(link, struct eraser, link);
        next = link->next;
        if (env_timer_armed(&eraser->timer))
            erase_end(eraser, KAN_CLOSED);
    }
}

/* --- after a start -------------------------------------------------------- */

struct resume
{
    struct entity_host *host;
    uint32_t type;
    struct engine_scan scan;
    struct buffer after;
};

static void resume_scan(struct resume *resume);

static void resume_end(struct resume *resume)
{
    buffer_fini(&resume->after);
    mem_free(resume);
}

static void on_resume(struct engine_scan *scan, enum kan_err err)
{
    struct resume *resume = scan->request.data;
    struct entity_host *host = resume->host;
    const struct entity_type *type = &host->book->types[resume->type];
    size_t head = host->prefix.size + type->name.size + 2;

    host->asked--;
    if (err || host->closing) {
        resume_end(resume);
        entity_ebb(host);
        return;
    }
    for (uint32_t i = 0; i < scan->item_count; i++)
        entity_erase_begin(host, type, slice_skip(scan->items[i].key, head), 0,
                           NULL);
    buffer_clear(&resume->after);
    if (scan->more)
        buffer_append(&resume->after, scan->items[scan->item_count - 1].key);
    else
        resume->type++;
    resume_scan(resume);
    entity_ebb(host);
}

static void resume_scan(struct resume *resume)
{
    struct entity_host *host = resume->host;
    struct engine_scan *scan = &resume->scan;
    enum kan_err err = KAN_NOMEM;

    if (resume->type >= host->book->type_count) {
        resume_end(resume);
        return;
    }
    memset(scan, 0, sizeof(*scan));
    scan->request.data = resume;
    scan->keys_only = true;
    scan->limit = ERASE_PAGE;
    scan->prefix =
        entity_key_plain(host, &host->key, host->book->types[resume->type].name,
                         'x', kan_slice(NULL, 0));
    scan->after = buffer_slice(&resume->after);
    if (!buffer_failed(&host->key) && !buffer_failed(&resume->after))
        err = engine_scan(host->engine, scan, on_resume);
    if (err)
        resume_end(resume);
    else
        host->asked++;
}

void entity_erase_resume(struct entity_host *host)
{
    struct resume *resume = mem_zalloc(sizeof(*resume));

    if (!resume)
        return;
    resume->host = host;
    resume_scan(resume);
}
