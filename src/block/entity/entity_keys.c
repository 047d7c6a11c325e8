/* The window of idempotency keys of one entity: the last ENTITY_KEYS_MAX, of
 * the last day. The events hold them; which events those are is known with the
 * entity, and they are read when a call with a key comes for the first time. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

/* One use of a key. */
struct use
{
    struct list link; /* by n */
    uint64_t n;
    int64_t used_ms;
    struct entity_hash hash;
    size_t size;
    char key[];
};

struct entity_window
{
    struct map uses;
    struct list order; /* the oldest first */
    uint32_t count;
};

/* --- the window ----------------------------------------------------------- */

static struct kan_slice use_key(const struct use *use)
{
    return kan_slice(use->key, use->size);
}

/* A later use of the same key may have taken its place. */
static void use_free(struct entity_window *window, struct use *use)
{
    if (map_get(&window->uses, use_key(use)) == use)
        (void)map_remove(&window->uses, use_key(use));
    list_remove(&use->link);
    window->count--;
    mem_free(use);
}

void entity_keys_free(struct entity_one *one)
{
    struct entity_window *window = one->window;
    struct list *link;

    one->window = NULL;
    if (!window)
        return;
    while ((link = list_first(&window->order)) != NULL)
        use_free(window, list_entry(link, struct use, link));
    map_fini(&window->uses);
    mem_free(window);
}

enum entity_key_state entity_keys_find(const struct entity_one *one,
                                       struct kan_slice key,
                                       const struct entity_hash *hash,
                                       int64_t now_ms, uint64_t *ret_n)
{
    const struct use *use = map_get(&one->window->uses, key);

    if (!use || !entity_core_key_counts(use->used_ms, now_ms))
        return ENTITY_KEY_NEW;
    *ret_n = use->n;
    return memcmp(use->hash.bytes, hash->bytes, sizeof(hash->bytes)) == 0
               ? ENTITY_KEY_SAME
               : ENTITY_KEY_OTHER;
}

enum kan_err entity_keys_add(struct entity_one *one, struct kan_slice key,
                             const struct entity_hash *hash, uint64_t n,
                             int64_t now_ms)
{
    struct entity_window *window = one->window;
    struct use *use = mem_alloc(sizeof(*use) + key.size);
    enum kan_err err;

    if (!use)
        return KAN_NOMEM;
    memset(use, 0, sizeof(*use));
    /*= K-ENTITY-6: each use of a key is an event of its own. */
    kan_assert(list_empty(&window->order) ||
               list_entry(window->order.prev, struct use, link)->n < n);
    use->n = n;
    use->used_ms = now_ms;
    use->hash = *hash;
    use->size = key.size;
    memcpy(use->key, key.bytes, key.size);
    err = map_put(&window->uses, key, use, NULL);
    if (err) {
        mem_free(use);
        return err;
    }
    list_push(&window->order, &use->link);
    window->count++;
    return KAN_OK;
}

void entity_keys_cut(struct entity_one *one, uint64_t n)
{
    struct entity_window *window = one->window;

    while (window && !list_empty(&window->order)) {
        struct use *last = list_entry(window->order.prev, struct use, link);
        if (last->n <= n)
            return;
        use_free(window, last);
    }
}

void entity_keys_trim(struct entity_one *one)
{
    struct entity_window *window = one->window;

    while (window && window->count > ENTITY_KEYS_MAX) {
        struct use *first = list_entry(window->order.next, struct use, link);
        /* Those of a draft are not certain, and not counted on. */
        if (first->n > one->core.n)
            return;
        use_free(window, first);
    }
}

/* --- reading it ----------------------------------------------------------- */

static void load_page(struct entity_one *one);

static void load_end(struct entity_one *one, enum kan_err err)
{
    one->loading = false;
    if (err) {
        struct list *first = list_first(&one->queue);
        struct entity_item *item;
        entity_keys_free(one);
        /* Who waits for the window is told; the next one tries again. */
        if (first) {
            item = list_entry(first, struct entity_item, link);
            one->queued--;
            entity_item_fail(item, err);
        }
    }
    entity_one_ready(one);
}

static enum kan_err load_event(struct entity_one *one,
                               const struct engine_item *item, uint64_t n)
{
    int64_t now = (int64_t)env_wall_ms(one->host->env);
    struct entity_record event;
    enum kan_err err;

    if (!item->created)
        return KAN_LOST; /* erased by another; the next try opens it again */
    err = entity_record_read(item->value, &event);
    if (!err && !event.key.bytes)
        err = KAN_CORRUPT;
    if (err || !entity_core_key_counts(event.input.now_ms, now))
        return err;
    return entity_keys_add(one, event.key, &event.hash, n, event.input.now_ms);
}

static void on_page(struct engine_get *get, enum kan_err err)
{
    struct entity_one *one = get->request.data;
    struct entity_host *host = one->host;

    host->asked--;
    for (uint32_t i = 0; !err && i < get->key_count; i++)
        err = load_event(one, &get->items[i], one->keyed.numbers[one->page++]);
    if (!err && host->closing)
        err = KAN_CLOSED;
    if (err || one->page >= one->keyed.count)
        load_end(one, err);
    else
        load_page(one);
    entity_ebb(host);
}

static void load_page(struct entity_one *one)
{
    struct entity_host *host = one->host;
    struct kan_slice keys[ENTITY_KEYS_PAGE];
    struct kan_slice id = entity_one_id(one);
    struct buffer bytes = BUFFER_INIT;
    uint32_t count = one->keyed.count - one->page;
    enum kan_err err = KAN_NOMEM;
    size_t size = 0;

    if (count > ENTITY_KEYS_PAGE)
        count = ENTITY_KEYS_PAGE;
    for (uint32_t i = 0; i < count; i++) {
        entity_key_sort(&bytes, host->prefix, one->type->name, 'e');
        entity_key_number(&bytes, id, one->keyed.numbers[one->page + i]);
    }
    if (!buffer_failed(&bytes)) {
        size = bytes.size / count;
        for (uint32_t i = 0; i < count; i++)
            keys[i] = kan_slice(bytes.bytes + i * size, size);
        memset(&one->get, 0, sizeof(one->get));
        one->get.request.data = one;
        one->get.keys = keys;
        one->get.key_count = count;
        err = engine_get(host->engine, &one->get, on_page);
    }
    buffer_fini(&bytes);
    if (err)
        load_end(one, err);
    else
        host->asked++;
}

void entity_keys_load(struct entity_one *one)
{
    struct entity_window *window = mem_zalloc(sizeof(*window));

    if (!window) {
        load_end(one, KAN_NOMEM);
        return;
    }
    list_init(&window->order);
    map_init(&window->uses, one->host->seed, 4 * ENTITY_KEYS_MAX);
    one->window = window;
    one->loading = true;
    one->page = 0;
    if (one->keyed.count > ENTITY_KEYS_MAX)
        one->page = one->keyed.count - ENTITY_KEYS_MAX;
    if (one->page < one->keyed.count)
        load_page(one);
    else
        load_end(one, KAN_OK);
}
