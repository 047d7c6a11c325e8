/* The visited set of a walk: nodes in the order found, their bytes one behind
 * another, and an index by hash that is rebuilt when it is half full. */

#include "contract/law/law_store.h"

#include "base/alloc.h"
#include "base/hash.h"

enum
{
    NODES_FIRST = 256,
    INDEX_FIRST = 1024 /* a power of two, above twice NODES_FIRST */
};

static uint64_t hash_state(struct kan_slice state)
{
    /* States are not chosen by an attacker: any fixed seed will do. */
    return hash_bytes((struct hash_seed){1, 2}, state);
}

void law_store_fini(struct law_store *store)
{
    buffer_fini(&store->bytes);
    mem_free(store->nodes);
    mem_free(store->index);
    *store = (struct law_store){0};
}

struct kan_slice law_store_state(const struct law_store *store, uint32_t node)
{
    const struct law_node *found = &store->nodes[node];

    return kan_slice(store->bytes.bytes + found->offset, found->size);
}

/* The slot of the state, or the empty one where it belongs. */
static uint32_t find_slot(const struct law_store *store, struct kan_slice state)
{
    uint32_t mask = store->index_size - 1;
    uint32_t slot = (uint32_t)hash_state(state) & mask;

    while (store->index[slot] != 0 &&
           !slice_equal(law_store_state(store, store->index[slot] - 1), state))
        slot = (slot + 1) & mask;
    return slot;
}

static enum kan_err grow_index(struct law_store *store)
{
    uint32_t size = store->index_size ? store->index_size * 2 : INDEX_FIRST;
    uint32_t *index = mem_zalloc(size * sizeof *index);

    if (!index)
        return KAN_NOMEM;
    mem_free(store->index);
    store->index = index;
    store->index_size = size;
    for (uint32_t i = 0; i < store->count; i++)
        index[find_slot(store, law_store_state(store, i))] = i + 1;
    return KAN_OK;
}

static enum kan_err grow_nodes(struct law_store *store)
{
    uint32_t capacity = store->capacity ? store->capacity * 2 : NODES_FIRST;
    struct law_node *nodes =
        mem_realloc(store->nodes, capacity * sizeof *nodes);

    if (!nodes)
        return KAN_NOMEM;
    store->nodes = nodes;
    store->capacity = capacity;
    return KAN_OK;
}

enum kan_err law_store_add(struct law_store *store, struct kan_slice state,
                           const struct law_node *node, bool *ret_new)
{
    enum kan_err err = KAN_OK;

    if (store->count >= store->index_size / 2)
        err = grow_index(store);
    if (err)
        return err;
    uint32_t slot = find_slot(store, state);
    if (store->index[slot] != 0 || store->count >= store->nodes_max ||
        store->bytes.size + state.size > store->bytes_max) {
        store->full |= store->index[slot] == 0;
        *ret_new = false;
        return KAN_OK;
    }
    if (store->count == store->capacity)
        err = grow_nodes(store);
    if (err == KAN_OK)
        err = buffer_reserve(&store->bytes, state.size + 1);
    if (err)
        return err;
    struct law_node *added = &store->nodes[store->count++];
    *added = *node;
    added->offset = store->bytes.size;
    added->size = (uint32_t)state.size;
    buffer_append(&store->bytes, state);
    store->index[slot] = store->count;
    *ret_new = true;
    return KAN_OK;
}
