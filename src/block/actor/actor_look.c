/* Looking at actors, and at messages that were parked, without touching them.
 */

#include "base/alloc.h"
#include "base/assert.h"
#include "base/record.h"
#include "block/actor/actor_host.h"

/* --- an actor ------------------------------------------------------------- */

static enum kan_err look_read(struct actor_look *look,
                              const struct engine_item *item,
                              struct buffer *json)
{
    const struct kan_actor_type *type = actor_host_type(look->host, look->type);
    struct actor_note *notes[ACTOR_SENDERS_MAX] = {NULL};
    struct actor_head head;
    void *state;
    enum kan_err err;

    if (item->created == 0)
        return KAN_NOTFOUND;
    state = mem_zalloc(type->state->size);
    if (!state)
        return KAN_NOMEM;
    err = actor_load(type, item->value, &head, notes, state, NULL);
    if (err == KAN_OK && !head.started)
        err = KAN_NOTFOUND;
    if (err == KAN_OK)
        err = record_to_json(type->state, state, json);
    for (uint32_t i = 0; i < ACTOR_SENDERS_MAX; i++)
        mem_free(notes[i]);
    mem_free(state);
    if (err != KAN_OK)
        return err;
    look->revision = item->version;
    look->path = head.path;
    return KAN_OK;
}

static void on_look(struct engine_get *get, enum kan_err err)
{
    struct actor_look *look = get->request.data;
    struct actor_host *host = look->host;
    struct buffer json = BUFFER_INIT;

    look->err = err ? err : look_read(look, &get->items[0], &json);
    look->json = look->err ? kan_slice(NULL, 0) : buffer_slice(&json);
    host->asked--;
    look->cb(look);
    buffer_fini(&json);
    host_ebb(host);
}

enum kan_err actor_look(struct actor_host *host, struct actor_look *look,
                        actor_look_cb *cb)
{
    struct buffer key = BUFFER_INIT;
    struct kan_slice keys;
    struct kan_ref ref;
    enum kan_err err = KAN_NOMEM;

    check_magic(host, ACTOR_HOST_MAGIC);
    if (host->closing)
        return KAN_CLOSED;
    if (!actor_host_type(host, look->type) ||
        !actor_core_ref(look->type, look->id, &ref))
        return KAN_INVALID;
    look->host = host;
    look->cb = cb;
    memset(&look->get, 0, sizeof(look->get));
    store_key_actor(&key, host->prefix, &ref);
    if (!buffer_failed(&key)) {
        keys = buffer_slice(&key);
        look->get.request.data = look;
        look->get.keys = &keys;
        look->get.key_count = 1;
        err = engine_get(host->engine, &look->get, on_look);
    }
    buffer_fini(&key);
    if (err == KAN_OK)
        host->asked++;
    return err;
}

/* --- parked messages ------------------------------------------------------ */

static enum kan_err parked_read(struct actor_parked *parked,
                                struct actor_parked_item *items)
{
    const struct engine_scan *scan = &parked->scan;

    for (uint32_t i = 0; i < scan->item_count; i++) {
        struct parked_value value;
        enum kan_err err = parked_load(scan->items[i].value, &value);
        if (err != KAN_OK)
            return err;
        items[i] = (struct actor_parked_item){.key = scan->items[i].key,
                                              .actor = value.actor,
                                              .from = value.from,
                                              .method = value.method,
                                              .json = value.json,
                                              .why = value.why};
    }
    return KAN_OK;
}

static void on_parked(struct engine_scan *scan, enum kan_err err)
{
    struct actor_parked *parked = scan->request.data;
    struct actor_host *host = parked->host;
    struct actor_parked_item *items = NULL;

    if (err == KAN_OK) {
        items = mem_zalloc((scan->item_count + 1) * sizeof(*items));
        err = items ? parked_read(parked, items) : KAN_NOMEM;
    }
    parked->err = err;
    parked->items = err ? NULL : items;
    parked->item_count = err ? 0 : scan->item_count;
    parked->more = !err && scan->more;
    host->asked--;
    parked->cb(parked);
    mem_free(items);
    host_ebb(host);
}

enum kan_err actor_parked(struct actor_host *host, struct actor_parked *parked,
                          actor_parked_cb *cb)
{
    struct engine_scan *scan = &parked->scan;
    struct buffer prefix = BUFFER_INIT;
    enum kan_err err = KAN_NOMEM;

    check_magic(host, ACTOR_HOST_MAGIC);
    if (host->closing)
        return KAN_CLOSED;
    if (parked->limit > 100)
        return KAN_INVALID;
    parked->host = host;
    parked->cb = cb;
    memset(scan, 0, sizeof(*scan));
    store_key_all(&prefix, host->prefix, 'p');
    if (!buffer_failed(&prefix)) {
        scan->request.data = parked;
        scan->prefix = buffer_slice(&prefix);
        scan->after = parked->after;
        scan->limit = parked->limit ? parked->limit : 100;
        err = engine_scan(host->engine, scan, on_parked);
    }
    buffer_fini(&prefix);
    if (err == KAN_OK)
        host->asked++;
    return err;
}
