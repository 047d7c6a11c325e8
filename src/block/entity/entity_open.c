/* An entity read into memory: its head, the newest snapshot, and the events
 * behind it. However many events it has, that is two gets and the events since
 * the snapshot: K-ENTITY-8. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

static void open_scan(struct entity_one *one, uint64_t after);

/* --- the end -------------------------------------------------------------- */

static void open_fail(struct entity_one *one, enum kan_err err)
{
    one->err = err;
    if (kan_err_class(err) == KAN_CLASS_BROKEN && err != KAN_CORRUPT)
        entity_one_input(one, ENTITY_ON_BROKEN, 0, 0);
    else if (err == KAN_CLOSED)
        entity_one_input(one, ENTITY_ON_BROKEN, 0, 0);
    else
        entity_one_input(one, ENTITY_ON_UNOPENED, 0, 0);
}

/* What is there is not what was written: nobody gets a guess. */
static void open_corrupt(struct entity_one *one, uint64_t n, const char *why)
{
    struct entity_host *host = one->host;

    entity_trouble(host, "%.*s/%.*s cannot be read, event %llu has %s",
                   SLICE_ARG(one->type->name), SLICE_ARG(entity_one_id(one)),
                   (unsigned long long)n, why);
    entity_one_fail(one, KAN_CORRUPT);
}

static void open_done(struct entity_one *one)
{
    one->spare.bytes = mem_free(one->spare.bytes);
    one->host->stats.opened++;
    entity_one_input(one, ENTITY_ON_OPENED, one->image.n, 0);
}

/* --- events --------------------------------------------------------------- */

/* Fold one event of the page. KAN_NOTFOUND: it does not follow: the entity was
 * changed between two reads. */
static enum kan_err open_event(struct entity_one *one,
                               const struct engine_item *item,
                               const char **ret_why)
{
    struct entity_host *host = one->host;
    uint64_t n = entity_key_n(item->key);
    struct entity_image next = one->spare;
    struct entity_record event;
    enum kan_err err;

    if (n <= one->head.erased && n < one->image.n)
        return KAN_OK;
    if (n == one->image.n) {
        one->revision = item->version;
        return KAN_OK;
    }
    *ret_why = "a form that cannot be read";
    err = entity_record_read(item->value, &event);
    if (err)
        return err;
    if (n != one->image.n + 1 && event.kind != ENTITY_ERASED)
        return KAN_NOTFOUND;
    /* Its room is where the image was: they take turns. */
    err = entity_image_fold(one->type, &one->image, &event, n,
                            host->spare_arguments, host->spare_image, &next,
                            ret_why);
    if (err)
        return err;
    memcpy(one->image.bytes, next.bytes, one->type->image_size);
    next.bytes = one->image.bytes;
    one->image = next;
    one->revision = item->version;
    one->head.gone = !next.live;
    if (event.kind == ENTITY_ERASED) {
        one->head.erased = n;
        one->head.snapshot = 0;
        one->keyed.count = 0;
    }
    if (event.key.bytes) {
        err = entity_keyed_add(&one->keyed, n);
        entity_keyed_trim(&one->keyed);
    }
    if (entity_core_snapshot_due(n) && event.kind != ENTITY_ERASED)
        one->head.snapshot = n;
    return err;
}

static void on_events(struct engine_scan *scan, enum kan_err err)
{
    struct entity_one *one = scan->request.data;
    struct entity_host *host = one->host;
    const char *why = "";
    uint64_t n = 0;

    host->asked--;
    for (uint32_t i = 0; !err && i < scan->item_count; i++) {
        n = entity_key_n(scan->items[i].key);
        err = open_event(one, &scan->items[i], &why);
        if (err == KAN_CORRUPT) {
            open_corrupt(one, n, why);
            entity_ebb(host);
            return;
        }
    }
    if (err)
        open_fail(one, err == KAN_NOTFOUND ? KAN_LOST : err);
    else if (scan->more && !host->closing)
        open_scan(one, n);
    else if (one->image.n && one->revision == 0)
        open_fail(one, KAN_LOST);
    else
        open_done(one);
    entity_ebb(host);
}

/* The events behind number after. */
static void open_scan(struct entity_one *one, uint64_t after)
{
    struct entity_host *host = one->host;
    struct kan_slice id = entity_one_id(one);
    struct engine_scan *scan = &one->scan;
    enum kan_err err = KAN_NOMEM;

    memset(scan, 0, sizeof(*scan));
    scan->request.data = one;
    scan->limit = ENTITY_OPEN_PAGE;
    scan->prefix =
        entity_key_stream(host, &host->key, one->type->name, 'e', id);
    if (after)
        scan->after = entity_key_event(host, &host->other_key, one->type->name,
                                       'e', id, after);
    if (!buffer_failed(&host->key) && !buffer_failed(&host->other_key))
        err = engine_scan(host->engine, scan, on_events);
    if (err == KAN_OK)
        host->asked++;
    else
        open_fail(one, err);
}

/* --- snapshot and head ---------------------------------------------------- */

/* The event of the snapshot is read again, for its revision. */
static void on_snapshot(struct engine_get *get, enum kan_err err)
{
    struct entity_one *one = get->request.data;
    struct entity_host *host = one->host;

    host->asked--;
    if (err == KAN_OK) {
        err = KAN_NOTFOUND;
        if (get->items[0].created)
            err = entity_snapshot_read(one->type, get->items[0].value,
                                       &one->image, &one->keyed);
        one->image.n = one->head.snapshot;
        if (err == KAN_NOTFOUND) {
            entity_image_start(one->type, &one->image);
            one->keyed.count = 0;
            one->image.n = one->head.erased ? one->head.erased - 1 : 0;
            err = KAN_OK;
        }
    }
    if (err)
        open_fail(one, err);
    else
        open_scan(one, one->image.n ? one->image.n - 1 : 0);
    entity_ebb(host);
}

static void open_get(struct entity_one *one, struct kan_slice key,
                     engine_get_cb *cb)
{
    struct entity_host *host = one->host;
    enum kan_err err = KAN_NOMEM;

    memset(&one->get, 0, sizeof(one->get));
    one->get.request.data = one;
    one->get.keys = &key;
    one->get.key_count = 1;
    if (!buffer_failed(&host->key))
        err = engine_get(host->engine, &one->get, cb);
    if (err == KAN_OK)
        host->asked++;
    else
        open_fail(one, err);
}

static void on_head(struct engine_get *get, enum kan_err err)
{
    struct entity_one *one = get->request.data;
    struct entity_host *host = one->host;
    struct kan_slice type = one->type->name;

    host->asked--;
    if (err) {
        open_fail(one, err);
    } else if (!get->items[0].created) {
        open_done(one);
    } else if (entity_head_read(get->items[0].value, &one->head)) {
        open_corrupt(one, 0, "a head that cannot be read");
    } else {
        one->known = true;
        if (one->head.snapshot) {
            open_get(one,
                     entity_key_event(host, &host->key, type, 's',
                                      entity_one_id(one), one->head.snapshot),
                     on_snapshot);
        } else {
            one->image.n = one->head.erased ? one->head.erased - 1 : 0;
            open_scan(one, one->image.n);
        }
    }
    entity_ebb(host);
}

void entity_open(struct entity_one *one)
{
    struct entity_host *host = one->host;

    entity_image_start(one->type, &one->image);
    one->image.n = 0;
    one->revision = 0;
    one->known = false;
    memset(&one->head, 0, sizeof(one->head));
    one->keyed.count = 0;
    entity_keys_free(one);
    if (!one->spare.bytes)
        one->spare.bytes = mem_zalloc(one->type->image_size);
    if (!one->spare.bytes) {
        open_fail(one, KAN_NOMEM);
        return;
    }
    open_get(one,
             entity_key_plain(host, &host->key, one->type->name, 'i',
                              entity_one_id(one)),
             on_head);
}
