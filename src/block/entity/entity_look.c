/* Pages: of the events of one entity, and of the entities of a type. */

#include "base/alloc.h"
#include "base/arena.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

enum
{
    PAGE_BYTES = 4 << 20 /* of arguments in one page, at least one event */
};

struct look
{
    struct list link;
    struct entity_host *host;
    struct entity_events *events; /* or list */
    struct entity_list *list;
    const struct entity_type *type;
    bool begun;
    uint32_t limit;
    uint64_t erased;
    uint64_t revision;
    uint32_t count;
    bool more;
    struct entity_event *items;
    struct entity_list_item *ids;
    struct arena arena;
    enum entity_outcome outcome;
    enum kan_err err;
    const char *text;
    struct engine_get get;
    struct engine_scan scan;
    struct env_task task;
    struct buffer last; /* of a list: go on behind this key */
};

static void look_start(struct look *look);

/* --- the end -------------------------------------------------------------- */

static void look_free(struct look *look)
{
    list_remove(&look->link);
    arena_fini(&look->arena);
    buffer_fini(&look->last);
    mem_free(look->items);
    mem_free(look->ids);
    mem_free(look);
}

static void look_answer(struct look *look)
{
    struct entity_events *events = look->events;
    struct entity_list *list = look->list;
    struct entity_host *host = look->host;
    bool taken = look->outcome == ENTITY_TAKEN;

    if (events) {
        events->outcome = look->outcome;
        events->err = look->err;
        events->items = look->items;
        events->item_count = taken ? look->count : 0;
        events->last =
            events->item_count ? look->items[look->count - 1].n : events->after;
        events->more = taken && look->more;
        events->revision = look->revision;
        events->text = kan_text(look->text);
        events->cb(events);
    } else {
        list->outcome = look->outcome;
        list->err = look->err;
        list->items = look->ids;
        list->item_count = taken ? look->count : 0;
        list->more = taken && look->more;
        list->revision = look->revision;
        list->cb(list);
    }
    look_free(look);
    entity_ebb(host);
}

static void look_task(struct env_task *task)
{
    look_answer(task->data);
}

static void look_end(struct look *look, enum entity_outcome outcome,
                     enum kan_err err, const char *text)
{
    look->outcome = outcome;
    look->err = err;
    look->text = text;
    look->task.data = look;
    env_defer(look->host->env, &look->task, look_task);
}

static void look_fail(struct look *look, enum kan_err err)
{
    look_end(look, ENTITY_FAILED, err, "");
}

/* --- events --------------------------------------------------------------- */

static enum kan_err event_add(struct look *look, const struct engine_item *item)
{
    struct entity_event *event = &look->items[look->count];
    struct kan_slice key = slice_skip(
        item->key, look->host->prefix.size + look->type->name.size + 2);
    void *arguments = look->host->spare_arguments;
    uint32_t size;
    enum kan_err err =
        entity_event_read(look->host, look->type->name, key, item->value,
                          item->version, arguments, event);

    if (err)
        return err;
    event->id = look->events->id;
    if (event->kind == ENTITY_STEP) {
        uint32_t of = program_step(event->program, event->step).arguments;
        size = program_type(event->program, of)->size;
        arguments = arena_give(&look->arena, size);
        if (!arguments)
            return KAN_NOMEM;
        memcpy(arguments, look->host->spare_arguments, size);
        event->arguments = arguments;
    }
    look->count++;
    return KAN_OK;
}

static void on_events(struct engine_scan *scan, enum kan_err err)
{
    struct look *look = scan->request.data;
    uint32_t i = 0;

    look->host->asked--;
    look->revision = scan->revision;
    while (!err && i < scan->item_count && look->arena.bytes < PAGE_BYTES)
        err = event_add(look, &scan->items[i++]);
    look->more = scan->more || i < scan->item_count;
    if (err)
        look_fail(look, err);
    else
        look_end(look, ENTITY_TAKEN, KAN_OK, "");
}

static void look_scan_events(struct look *look)
{
    struct entity_host *host = look->host;
    const struct entity_events *events = look->events;
    uint64_t after = events->after;
    struct engine_scan *scan = &look->scan;
    enum kan_err err = KAN_NOMEM;

    if (look->erased && after < look->erased)
        after = look->erased - 1;
    memset(scan, 0, sizeof(*scan));
    scan->request.data = look;
    scan->request.deadline_ns = events->deadline_ns;
    scan->limit = look->limit;
    scan->prefix =
        entity_key_stream(host, &host->key, look->type->name, 'e', events->id);
    if (after)
        scan->after = entity_key_event(host, &host->other_key, look->type->name,
                                       'e', events->id, after);
    if (!buffer_failed(&host->key) && !buffer_failed(&host->other_key))
        err = engine_scan(host->engine, scan, on_events);
    if (err)
        look_fail(look, err);
    else
        host->asked++;
}

static void on_head(struct engine_get *get, enum kan_err err)
{
    struct look *look = get->request.data;
    struct entity_head head;

    look->host->asked--;
    if (!err && !get->items[0].created) {
        look_end(look, ENTITY_NOTFOUND, KAN_OK, "");
        return;
    }
    if (!err)
        err = entity_head_read(get->items[0].value, &head);
    if (!err && look->host->closing)
        err = KAN_CLOSED;
    if (err) {
        look_fail(look, err);
        return;
    }
    look->erased = head.erased;
    look_scan_events(look);
}

static void look_get_head(struct look *look)
{
    struct entity_host *host = look->host;
    struct kan_slice key = entity_key_plain(host, &host->key, look->type->name,
                                            'i', look->events->id);
    enum kan_err err = KAN_NOMEM;

    memset(&look->get, 0, sizeof(look->get));
    look->get.request.data = look;
    look->get.request.deadline_ns = look->events->deadline_ns;
    look->get.keys = &key;
    look->get.key_count = 1;
    if (!buffer_failed(&host->key))
        err = engine_get(host->engine, &look->get, on_head);
    if (err)
        look_fail(look, err);
    else
        host->asked++;
}

/* --- entities ------------------------------------------------------------- */

static void look_scan_list(struct look *look);

static enum kan_err list_add(struct look *look, const struct engine_item *item)
{
    struct kan_slice id = slice_skip(
        item->key, look->host->prefix.size + look->type->name.size + 2);
    struct entity_head head;
    char *copy;
    enum kan_err err = entity_head_read(item->value, &head);

    if (err || head.gone)
        return err;
    if (look->count == look->limit) {
        look->more = true;
        return KAN_OK;
    }
    copy = arena_copy(&look->arena, id);
    if (!copy)
        return KAN_NOMEM;
    look->ids[look->count++].id = kan_slice(copy, id.size);
    return KAN_OK;
}

static void on_list(struct engine_scan *scan, enum kan_err err)
{
    struct look *look = scan->request.data;

    look->host->asked--;
    look->revision = scan->revision;
    for (uint32_t i = 0; !err && i < scan->item_count && !look->more; i++)
        err = list_add(look, &scan->items[i]);
    if (!err && scan->more && !look->more) {
        buffer_clear(&look->last);
        buffer_append(&look->last, scan->items[scan->item_count - 1].key);
        err = look->host->closing ? KAN_CLOSED : KAN_OK;
        if (!err) {
            look_scan_list(look);
            return;
        }
    }
    if (err)
        look_fail(look, err);
    else
        look_end(look, ENTITY_TAKEN, KAN_OK, "");
}

static void look_scan_list(struct look *look)
{
    struct entity_host *host = look->host;
    const struct entity_list *list = look->list;
    struct engine_scan *scan = &look->scan;
    enum kan_err err = KAN_NOMEM;

    memset(scan, 0, sizeof(*scan));
    scan->request.data = look;
    scan->request.deadline_ns = list->deadline_ns;
    scan->limit = look->limit - look->count + 1;
    scan->prefix =
        entity_key_plain(host, &host->key, look->type->name, 'i', list->prefix);
    scan->after = buffer_slice(&look->last);
    if (look->last.size == 0 && list->after.size)
        scan->after = entity_key_plain(host, &host->other_key, look->type->name,
                                       'i', list->after);
    if (!buffer_failed(&host->key) && !buffer_failed(&host->other_key) &&
        !buffer_failed(&look->last))
        err = engine_scan(host->engine, scan, on_list);
    if (err)
        look_fail(look, err);
    else
        host->asked++;
}

/* --- beginning ------------------------------------------------------------ */

static void look_start(struct look *look)
{
    struct entity_host *host = look->host;
    struct kan_slice type =
        look->events ? look->events->type : look->list->type;

    look->begun = true;
    look->type = entity_book_type(host->book, type);
    if (!look->type)
        look_end(look, ENTITY_NO_TYPE, KAN_OK, "there is no type of that name");
    else if (host->broken)
        look_fail(look, host->broken);
    else if (look->list && (look->list->prefix.size > ENTITY_ID_MAX ||
                            look->list->after.size > ENTITY_ID_MAX))
        look_end(look, ENTITY_ID_ILLEGAL, KAN_OK, "that is longer than an id");
    else if (look->list)
        look_scan_list(look);
    else if (!entity_id_legal(look->events->id))
        look_end(look, ENTITY_ID_ILLEGAL, KAN_OK, "the id is not legal");
    else
        look_get_head(look);
}

void entity_look_stir(struct entity_host *host)
{
    struct list *link, *next;

    for (link = host->looks.next; link != &host->looks; link = next) {
        struct look *look = list_entry(link, struct look, link);
        next = link->next;
        if (look->begun)
            continue;
        look->begun = true;
        if (host->closing)
            look_fail(look, KAN_CLOSED);
        else
            look_start(look);
    }
}

static enum kan_err look_new(struct entity_host *host, uint32_t limit,
                             size_t size, struct look **ret_look)
{
    struct look *look;
    void *items;

    check_magic(host, ENTITY_HOST_MAGIC);
    if (host->closing)
        return KAN_CLOSED;
    if (!host->ready)
        return KAN_BUSY;
    if (limit > ENTITY_PAGE_MAX)
        return KAN_INVALID;
    look = mem_zalloc(sizeof(*look));
    if (!look)
        return KAN_NOMEM;
    look->host = host;
    look->limit = limit ? limit : ENTITY_PAGE_DEFAULT;
    items = mem_zalloc(size * look->limit);
    if (!items) {
        mem_free(look);
        return KAN_NOMEM;
    }
    if (size == sizeof(struct entity_event))
        look->items = items;
    else
        look->ids = items;
    list_push(&host->looks, &look->link);
    *ret_look = look;
    return KAN_OK;
}

enum kan_err entity_events(struct entity_host *host,
                           struct entity_events *events, entity_events_cb *cb)
{
    struct look *look;
    enum kan_err err =
        look_new(host, events->limit, sizeof(struct entity_event), &look);

    if (err)
        return err;
    events->host = host;
    events->cb = cb;
    look->events = events;
    if (host->open)
        look_start(look);
    return KAN_OK;
}

enum kan_err entity_list(struct entity_host *host, struct entity_list *list,
                         entity_list_cb *cb)
{
    struct look *look;
    enum kan_err err =
        look_new(host, list->limit, sizeof(struct entity_list_item), &look);

    if (err)
        return err;
    list->host = host;
    list->cb = cb;
    look->list = list;
    if (host->open)
        look_start(look);
    return KAN_OK;
}

/* --- the format, for others ----------------------------------------------- */

void entity_events_prefix(const struct entity_host *host, struct kan_slice type,
                          struct buffer *out)
{
    entity_key_sort(out, host->prefix, type, 'e');
}

enum kan_err entity_event_read(const struct entity_host *host,
                               struct kan_slice type, struct kan_slice key,
                               struct kan_slice value, uint64_t revision,
                               void *arguments, struct entity_event *ret_event)
{
    const struct entity_type *found =
        host->book ? entity_book_type(host->book, type) : NULL;
    struct entity_record record;
    struct entity_event event;
    int32_t place;

    memset(&event, 0, sizeof(event));
    if (!found || !entity_key_read(key, &event.id, &event.n) ||
        entity_record_read(value, &record))
        return KAN_CORRUPT;
    place = entity_type_find(found, record.version);
    if (place < 0)
        return KAN_CORRUPT;
    event.kind = record.kind;
    event.type = found->name;
    event.version = record.version;
    event.program = entity_type_program(found, (uint32_t)place);
    event.step = record.step;
    event.input = record.input;
    event.revision = revision;
    event.columns = record.columns;
    if (event.kind == ENTITY_STEP) {
        struct kan_slice bytes = record.arguments;
        if (record.step >= program_step_count(event.program) ||
            program_load(event.program,
                         program_step(event.program, record.step).arguments,
                         &bytes, arguments) ||
            bytes.size)
            return KAN_CORRUPT;
        event.arguments = arguments;
    }
    *ret_event = event;
    return KAN_OK;
}
