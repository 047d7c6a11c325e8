/* law_store.h - the states that a walk has visited, each kept once, with the
 * move that first led to it.
 *
 * Breadth first: a node's parent stands before it, and the way to it is a
 * shortest one. A state is a string of bytes to the store; equal bytes are the
 * same state. */

#ifndef CONTRACT_LAW_LAW_STORE_H
#define CONTRACT_LAW_LAW_STORE_H

#include <kan/base.h>

#include "base/bytes.h"

#define LAW_NO_NODE UINT32_MAX

/* A move: which step, how its arguments are found again, how often. What
 * `number` and `extra` mean is the walk's. */
struct law_move
{
    uint32_t step;
    uint32_t times;
    uint64_t number;
    uint32_t extra;
};

struct law_node
{
    size_t offset; /* of its bytes */
    uint32_t size;
    uint32_t parent; /* LAW_NO_NODE: where the walk began */
    uint32_t depth;  /* moves */
    int64_t now_ms;
    struct law_move move;
};

/* Zeroed but for the two limits is empty. */
struct law_store
{
    uint32_t nodes_max;
    uint64_t bytes_max;
    struct buffer bytes;
    struct law_node *nodes;
    uint32_t count;
    uint32_t capacity;
    uint32_t *index; /* open addressing: 0, or node + 1 */
    uint32_t index_size;
    bool full; /* a state found no room; it is not there */
};

void law_store_fini(struct law_store *store);

/* Keep the state unless it is there; node says how it was reached (offset and
 * size are set here). *ret_new: it was not there, and now is. KAN_NOMEM. */
KAN_MUST_USE enum kan_err law_store_add(struct law_store *store,
                                        struct kan_slice state,
                                        const struct law_node *node,
                                        bool *ret_new);

/* The bytes of a node, good until the next is added. */
struct kan_slice law_store_state(const struct law_store *store, uint32_t node);

#endif /* CONTRACT_LAW_LAW_STORE_H */
