/* States of before: the fold of the events up to one, from the nearest
 * snapshot. For reads at a number, and for the answers of repeated calls. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

enum
{
    PAST_TEXT_MAX = 96
};

struct entity_past
{
    struct list link;
    struct entity_host *host;
    struct entity_item *item;
    const struct entity_type *type;
    uint64_t at;
    bool begun;
    uint64_t erased;
    uint64_t revision;
    struct entity_image image;
    struct entity_image next;
    struct entity_keyed keyed;
    struct engine_get get;
    struct engine_scan scan;
    size_t id_size;
    char id[];
};

static void past_scan(struct entity_past *past);

static struct kan_slice past_id(const struct entity_past *past)
{
    return kan_slice(past->id, past->id_size);
}

/* --- the end -------------------------------------------------------------- */

static void past_free(struct entity_past *past)
{
    list_remove(&past->link);
    entity_keyed_fini(&past->keyed);
    mem_free(past->image.bytes);
    mem_free(past->next.bytes);
    mem_free(past);
}

/* The item has its outcome, but no state. */
static void past_end(struct entity_past *past, enum entity_outcome outcome,
                     enum kan_err err, const char *text)
{
    struct entity_item *item = past->item;
    struct entity_host *host = past->host;

    past_free(past);
    if (!entity_item_wanted(item)) {
        entity_item_release(host, item);
        return;
    }
    item->outcome = outcome;
    item->err = err;
    item->replayed = false;
    buffer_clear(&item->text);
    buffer_append_text(&item->text, text);
    entity_item_done(item);
}

static void past_show(struct entity_past *past)
{
    struct entity_host *host = past->host;
    struct entity_item *item = past->item;
    const struct entity_type *type = past->type;
    struct entity_image shown = past->image;
    struct program_refusal refusal;
    struct program_input input = entity_draw(host);
    struct entity_state state;
    uint32_t to = shown.place;
    enum kan_err err;

    if (!entity_item_wanted(item)) {
        past_end(past, ENTITY_FAILED, KAN_OK, "");
        return;
    }
    if (item->call || item->read->version)
        to = item->caller;
    err = entity_carry(host, type, &shown, to, &input, &refusal);
    if (err) {
        past_end(past, ENTITY_NO_VERSION, err,
                 "the state cannot be carried to that version");
        return;
    }
    memset(&state, 0, sizeof(state));
    state.version = type->versions[to].version;
    state.program = type->versions[to].program;
    state.n = past->at;
    state.revision = past->revision;
    state.state = shown.bytes;
    state.tally = entity_image_tally(type, &past->image, to);
    item->outcome = ENTITY_TAKEN;
    /* The state is borrowed from this past until cb has returned. The spare
     * image may be used by whatever cb calls: it gets one of its own. */
    if (shown.bytes != past->image.bytes) {
        memcpy(past->next.bytes, shown.bytes, type->state_room);
        state.state = past->next.bytes;
    }
    list_remove(&past->link);
    entity_item_show(item, &state);
    past_free(past);
}

static void past_fail(struct entity_past *past, enum kan_err err)
{
    past_end(past, ENTITY_FAILED, err, "");
}

/* --- reading -------------------------------------------------------------- */

/* The last event of it has been folded, or there is no more. */
static void past_done(struct entity_past *past)
{
    char text[PAST_TEXT_MAX];

    if (past->image.n < past->at)
        (void)snprintf(text, sizeof(text),
                       "the entity is at n %llu: there is no event %llu yet",
                       (unsigned long long)past->image.n,
                       (unsigned long long)past->at);
    else
        (void)snprintf(text, sizeof(text),
                       "the entity was deleted with event %llu",
                       (unsigned long long)past->at);
    if (past->image.n == past->at && (past->image.live || past->at == 0))
        past_show(past);
    else
        past_end(past, ENTITY_NOTFOUND, KAN_OK, text);
}

static enum kan_err past_event(struct entity_past *past,
                               const struct engine_item *item)
{
    struct entity_host *host = past->host;
    struct entity_image swap = past->image;
    uint64_t n = entity_key_n(item->key);
    struct entity_record event;
    const char *why = "a form that cannot be read";
    enum kan_err err;

    if (n > past->at)
        return KAN_END;
    past->revision = item->version;
    if (n == past->image.n)
        return KAN_OK;
    err = entity_record_read(item->value, &event);
    if (!err && n != past->image.n + 1)
        return event.kind == ENTITY_ERASED ? KAN_COMPACTED : KAN_LOST;
    if (!err)
        err = entity_image_fold(past->type, &past->image, &event, n,
                                host->spare_arguments, host->spare_image,
                                &past->next, &why);
    if (err) {
        if (err == KAN_CORRUPT)
            entity_trouble(host, "%.*s/%.*s cannot be read, event %llu has %s",
                           SLICE_ARG(past->type->name),
                           SLICE_ARG(past_id(past)), (unsigned long long)n,
                           why);
        return err;
    }
    past->image = past->next;
    past->next = swap;
    return KAN_OK;
}

static void on_events(struct engine_scan *scan, enum kan_err err)
{
    struct entity_past *past = scan->request.data;
    struct entity_host *host = past->host;

    host->asked--;
    for (uint32_t i = 0; !err && i < scan->item_count; i++)
        err = past_event(past, &scan->items[i]);
    if (err == KAN_COMPACTED)
        past_end(past, ENTITY_ERASED_PAST, KAN_OK, "these events were erased");
    else if (err && err != KAN_END)
        past_fail(past, err);
    else if (err == KAN_OK && scan->more && past->image.n < past->at &&
             !host->closing)
        past_scan(past);
    else
        past_done(past);
    entity_ebb(host);
}

static void past_scan(struct entity_past *past)
{
    struct entity_host *host = past->host;
    struct engine_scan *scan = &past->scan;
    uint64_t after = past->image.n;
    uint64_t wanted = past->at - after;
    enum kan_err err = KAN_NOMEM;

    /* The event of the snapshot itself once more, for its revision. */
    if (after && past->revision == 0)
        after--;
    memset(scan, 0, sizeof(*scan));
    scan->request.data = past;
    scan->limit =
        wanted < ENTITY_OPEN_PAGE ? (uint32_t)wanted + 1 : ENTITY_OPEN_PAGE;
    scan->prefix = entity_key_stream(host, &host->key, past->type->name, 'e',
                                     past_id(past));
    if (after)
        scan->after = entity_key_event(host, &host->other_key, past->type->name,
                                       'e', past_id(past), after);
    if (!buffer_failed(&host->key) && !buffer_failed(&host->other_key))
        err = engine_scan(host->engine, scan, on_events);
    if (err)
        past_fail(past, err);
    else
        host->asked++;
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    struct entity_past *past = get->request.data;
    struct entity_host *host = past->host;
    struct entity_head head = {0};

    host->asked--;
    if (!err && get->items[0].created)
        err = entity_head_read(get->items[0].value, &head);
    if (!err && get->key_count > 1 && get->items[1].created) {
        err = entity_snapshot_read(past->type, get->items[1].value,
                                   &past->image, &past->keyed);
        if (err == KAN_OK)
            past->image.n = entity_core_snapshot_before(past->at);
        else if (err == KAN_NOTFOUND)
            err = KAN_OK;
        if (past->image.n == 0)
            entity_image_start(past->type, &past->image);
    }
    if (err) {
        past_fail(past, err);
    } else if (!get->items[0].created) {
        past_end(past, ENTITY_NOTFOUND, KAN_OK, "");
    } else if (head.erased && past->at <= head.erased) {
        past_end(past, ENTITY_ERASED_PAST, KAN_OK, "these events were erased");
    } else if (past->at == 0) {
        past_done(past);
    } else {
        /* From the tombstone on, unless a snapshot is later. */
        if (past->image.n < head.erased)
            past->image.n = head.erased;
        past_scan(past);
    }
    entity_ebb(host);
}

static void past_start(struct entity_past *past)
{
    struct entity_host *host = past->host;
    uint64_t snapshot = entity_core_snapshot_before(past->at);
    struct kan_slice keys[2];
    enum kan_err err = KAN_NOMEM;

    past->begun = true;
    keys[0] = entity_key_plain(host, &host->key, past->type->name, 'i',
                               past_id(past));
    keys[1] = entity_key_event(host, &host->other_key, past->type->name, 's',
                               past_id(past), snapshot);
    memset(&past->get, 0, sizeof(past->get));
    past->get.request.data = past;
    past->get.keys = keys;
    past->get.key_count = snapshot ? 2 : 1;
    if (!buffer_failed(&host->key) && !buffer_failed(&host->other_key))
        err = engine_get(host->engine, &past->get, on_get);
    if (err)
        past_fail(past, err);
    else
        host->asked++;
}

void entity_past_begin(struct entity_host *host, struct entity_item *item,
                       const struct entity_type *type, struct kan_slice id,
                       uint64_t at)
{
    struct entity_past *past = mem_zalloc(sizeof(*past) + id.size);

    item->at = ENTITY_AT_PAST;
    if (!past) {
        entity_item_fail(item, KAN_NOMEM);
        return;
    }
    past->host = host;
    past->item = item;
    past->type = type;
    past->at = at;
    past->id_size = id.size;
    memcpy(past->id, id.bytes, id.size);
    list_push(&host->pasts, &past->link);
    past->image.bytes = mem_zalloc(type->image_size);
    past->next.bytes = mem_zalloc(type->image_size);
    if (!past->image.bytes || !past->next.bytes) {
        past_fail(past, KAN_NOMEM);
        return;
    }
    entity_image_start(type, &past->image);
    if (host->open)
        past_start(past);
}

void entity_past_stir(struct entity_host *host)
{
    struct list held, *link, *next;

    list_init(&held);
    for (link = host->pasts.next; link != &host->pasts; link = next) {
        struct entity_past *past = list_entry(link, struct entity_past, link);
        next = link->next;
        if (past->begun)
            continue;
        list_remove(link);
        list_push(&held, link);
    }
    while ((link = list_pop(&held)) != NULL) {
        struct entity_past *past = list_entry(link, struct entity_past, link);
        struct entity_item *item = past->item;
        if (host->closing || !entity_item_wanted(item)) {
            past_end(past, ENTITY_FAILED, KAN_CLOSED, "");
            continue;
        }
        /* The book may have changed: it is judged again. */
        past_free(past);
        item->replayed = false;
        entity_item_admit(host, item);
    }
}
