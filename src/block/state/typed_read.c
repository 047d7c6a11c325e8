/* How C programs read: one snapshot of some keys, or a page of keys. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/loop/loop.h"
#include "block/state/typed.h"

/* --- get ------------------------------------------------------------------ */

struct get_part
{
    struct state_read read;
    struct kan_store *store;
    struct kan_get *get;
    kan_get_cb *cb;
    struct kan_item item; /* of a request for one key */
    bool heap;            /* this part is to be freed */
};

static struct kan_item item_of(const struct state_item *found)
{
    struct kan_item item = {0};

    item.key = found->key;
    if (!found->found)
        return item;
    item.value = found->value;
    item.revision = found->version;
    item.expires_ms = found->expires_ms;
    return item;
}

/* The items of the answer as the public header shows them. */
static enum kan_err get_items(struct get_part *part,
                              struct kan_item **ret_items)
{
    uint32_t count = part->read.key_count;
    struct kan_item *items = &part->item;

    if (count > 1)
        items = mem_alloc(count * sizeof(*items));
    if (!items)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        items[i] = item_of(&part->read.items[i]);
    *ret_items = items;
    return KAN_OK;
}

static void on_read(struct state_read *read)
{
    struct get_part *part = read->data;
    struct kan_store *store = part->store;
    struct kan_get *get = part->get;
    struct kan_item *items = NULL;
    enum kan_err err =
        typed_outcome(store, read->outcome, read->err, "key", read->failed_key);

    if (!err) {
        typed_see(store, read->revision);
        err = get_items(part, &items);
        if (err)
            typed_fail(store, err);
        get->items = items;
        get->revision = read->revision;
    }
    part->cb(get, err);
    if (items != &part->item)
        mem_free(items);
    if (part->heap)
        mem_free(part);
}

static enum kan_err get_begin(struct get_part *part, struct kan_store *store,
                              enum typed_level level, struct kan_get *get,
                              kan_get_cb *cb)
{
    enum kan_err err;

    part->store = store;
    part->get = get;
    part->cb = cb;
    part->read.data = part;
    part->read.keys = get->keys;
    part->read.key_count = get->key_count;
    part->read.consistency = typed_consistency(level);
    part->read.at_least = typed_at_least(store, level);
    part->read.deadline_ns = typed_deadline(store, get->timeout_ms);
    err = state_read(store->state, &part->read, on_read);
    return err ? typed_fail(store, err) : KAN_OK;
}

enum kan_err typed_get_async(struct kan_store *store, enum typed_level level,
                             struct kan_get *get, kan_get_cb *cb)
{
    enum kan_err err = typed_enter(store);
    struct get_part *part;

    if (err)
        return err;
    part = mem_zalloc(sizeof(*part));
    if (!part)
        return typed_fail(store, KAN_NOMEM);
    part->heap = true;
    err = get_begin(part, store, level, get, cb);
    if (err)
        mem_free(part);
    return err;
}

struct get_wait
{
    bool done;
    enum kan_err err;
    struct kan_value value;
};

static enum kan_err value_copy(const struct kan_item *item,
                               struct kan_value *ret_value)
{
    char *bytes;

    if (item->revision == 0)
        return KAN_NOTFOUND;
    bytes = mem_copy(item->value.bytes, item->value.size);
    if (!bytes)
        return KAN_NOMEM;
    ret_value->bytes = bytes;
    ret_value->size = item->value.size;
    ret_value->revision = item->revision;
    ret_value->expires_ms = item->expires_ms;
    return KAN_OK;
}

static void get_waited(struct kan_get *get, enum kan_err err)
{
    struct get_wait *wait = get->data;

    wait->err = err ? err : value_copy(&get->items[0], &wait->value);
    wait->done = true;
}

enum kan_err typed_get(struct kan_store *store, enum typed_level level,
                       struct kan_slice key, struct kan_value *ret_value)
{
    struct get_wait wait = {0};
    struct kan_get get = {.data = &wait, .keys = &key, .key_count = 1};
    struct get_part part = {0};
    enum kan_err err = typed_enter(store);

    if (!err)
        err = get_begin(&part, store, level, &get, get_waited);
    if (err)
        return err;
    loop_wait(store->loop, &wait.done);
    if (wait.err == KAN_OK)
        *ret_value = wait.value;
    else if (wait.err == KAN_NOTFOUND || wait.err == KAN_NOMEM)
        typed_fail(store, wait.err);
    return wait.err;
}

void kan_value_fini(struct kan_value *value)
{
    mem_free(value->bytes);
    memset(value, 0, sizeof(*value));
}

/* --- list ----------------------------------------------------------------- */

struct list_part
{
    struct state_list block;
    struct kan_store *store;
    struct kan_list *list;
    kan_list_cb *cb;
    bool heap; /* this part is to be freed */
};

/* The entries of the answer as the public header shows them. */
static enum kan_err list_entries(const struct state_list *block,
                                 struct kan_entry **ret_entries)
{
    struct kan_entry *entries = mem_alloc(block->item_count * sizeof(*entries));

    if (!entries)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < block->item_count; i++) {
        entries[i].key = block->items[i].key;
        entries[i].revision = block->items[i].version;
        entries[i].expires_ms = block->items[i].expires_ms;
    }
    *ret_entries = entries;
    return KAN_OK;
}

static void on_list(struct state_list *block)
{
    struct list_part *part = block->data;
    struct kan_store *store = part->store;
    struct kan_list *list = part->list;
    struct kan_entry *entries = NULL;
    enum kan_err err =
        typed_outcome(store, block->outcome, block->err, "prefix or after", 0);

    if (!err) {
        typed_see(store, block->revision);
        err = list_entries(block, &entries);
        if (err)
            typed_fail(store, err);
        list->entries = entries;
        list->entry_count = block->item_count;
        list->more = block->more;
        list->revision = block->revision;
    }
    part->cb(list, err);
    mem_free(entries);
    if (part->heap)
        mem_free(part);
}

static enum kan_err list_begin(struct list_part *part, struct kan_store *store,
                               enum typed_level level, struct kan_list *list,
                               kan_list_cb *cb)
{
    enum kan_err err;

    part->store = store;
    part->list = list;
    part->cb = cb;
    part->block.data = part;
    part->block.prefix = list->options.prefix;
    part->block.after = list->options.after;
    part->block.limit = list->options.limit;
    part->block.consistency = typed_consistency(level);
    part->block.at_least = typed_at_least(store, level);
    part->block.deadline_ns = typed_deadline(store, list->timeout_ms);
    err = state_list(store->state, &part->block, on_list);
    return err ? typed_fail(store, err) : KAN_OK;
}

enum kan_err typed_list_async(struct kan_store *store, enum typed_level level,
                              struct kan_list *list, kan_list_cb *cb)
{
    enum kan_err err = typed_enter(store);
    struct list_part *part;

    if (err)
        return err;
    part = mem_zalloc(sizeof(*part));
    if (!part)
        return typed_fail(store, KAN_NOMEM);
    part->heap = true;
    err = list_begin(part, store, level, list, cb);
    if (err)
        mem_free(part);
    return err;
}

struct list_wait
{
    bool done;
    enum kan_err err;
    struct kan_page page;
};

/* One block holds the entries, then their keys. */
static enum kan_err page_copy(const struct kan_list *list,
                              struct kan_page *ret_page)
{
    size_t size = list->entry_count * sizeof(struct kan_entry);
    struct kan_entry *entries;
    char *bytes;

    for (uint32_t i = 0; i < list->entry_count; i++)
        size += list->entries[i].key.size;
    entries = mem_alloc(size);
    if (!entries)
        return KAN_NOMEM;
    bytes = (void *)(entries + list->entry_count);
    for (uint32_t i = 0; i < list->entry_count; i++) {
        entries[i] = list->entries[i];
        memcpy(bytes, entries[i].key.bytes, entries[i].key.size);
        entries[i].key.bytes = bytes;
        bytes += entries[i].key.size;
    }
    ret_page->entries = entries;
    ret_page->entry_count = list->entry_count;
    ret_page->more = list->more;
    ret_page->revision = list->revision;
    return KAN_OK;
}

static void list_waited(struct kan_list *list, enum kan_err err)
{
    struct list_wait *wait = list->data;

    wait->err = err ? err : page_copy(list, &wait->page);
    wait->done = true;
}

enum kan_err typed_list(struct kan_store *store, enum typed_level level,
                        const struct kan_list_options *options,
                        struct kan_page *ret_page)
{
    struct list_wait wait = {0};
    struct kan_list list = {.data = &wait};
    struct list_part part = {0};
    enum kan_err err = typed_enter(store);

    if (options)
        list.options = *options;
    if (!err)
        err = list_begin(&part, store, level, &list, list_waited);
    if (err)
        return err;
    loop_wait(store->loop, &wait.done);
    if (wait.err == KAN_OK)
        *ret_page = wait.page;
    else if (wait.err == KAN_NOMEM)
        typed_fail(store, wait.err);
    return wait.err;
}

void kan_page_fini(struct kan_page *page)
{
    mem_free(page->entries);
    memset(page, 0, sizeof(*page));
}
