/* The functions of kan/state.h: each level says how it reads, and has no more
 * verbs than its header. */

#include "block/state/typed.h"

/* --- kan_strong ----------------------------------------------------------- */

enum kan_err kan_strong_open(kan_loop *loop,
                             const struct kan_store_options *options, char *why,
                             size_t why_size, kan_strong *ret_store)
{
    return typed_open(loop, options, TYPED_STRONG, why, why_size,
                      &ret_store->store);
}

void kan_strong_close(kan_strong store)
{
    typed_close(store.store);
}

void kan_strong_close_async(kan_strong store, void *data,
                            kan_store_close_cb *cb)
{
    typed_close_async(store.store, data, cb);
}

const char *kan_strong_message(kan_strong store)
{
    return typed_message(store.store);
}

enum kan_err kan_strong_get(kan_strong store, struct kan_slice key,
                            struct kan_value *ret_value)
{
    return typed_get(store.store, TYPED_STRONG, key, ret_value);
}

enum kan_err kan_strong_put(kan_strong store, struct kan_slice key,
                            struct kan_slice value, uint32_t ttl_seconds,
                            uint64_t *ret_revision)
{
    struct kan_op op = {.key = key, .value = value, .ttl_seconds = ttl_seconds};

    return typed_commit(store.store, NULL, &op, 1, ret_revision);
}

enum kan_err kan_strong_delete(kan_strong store, struct kan_slice key)
{
    struct kan_op op = {.kind = KAN_DELETE, .key = key};

    return typed_commit(store.store, NULL, &op, 1, NULL);
}

enum kan_err kan_strong_put_if(kan_strong store, struct kan_slice key,
                               uint64_t revision, struct kan_slice value,
                               uint64_t *ret_revision)
{
    struct kan_op op = {.key = key, .value = value, .revision = revision};

    op.condition = revision ? KAN_IF_REVISION : KAN_IF_ABSENT;
    return typed_commit(store.store, NULL, &op, 1, ret_revision);
}

enum kan_err kan_strong_delete_if(kan_strong store, struct kan_slice key,
                                  uint64_t revision)
{
    struct kan_op op = {.kind = KAN_DELETE,
                        .condition = KAN_IF_REVISION,
                        .key = key,
                        .revision = revision};

    return typed_commit(store.store, NULL, &op, 1, NULL);
}

enum kan_err kan_strong_commit(kan_strong store, const struct kan_op *ops,
                               uint32_t op_count, uint64_t *ret_revision)
{
    return typed_commit(store.store, NULL, ops, op_count, ret_revision);
}

enum kan_err kan_strong_list(kan_strong store,
                             const struct kan_list_options *options,
                             struct kan_page *ret_page)
{
    return typed_list(store.store, TYPED_STRONG, options, ret_page);
}

enum kan_err kan_strong_get_async(kan_strong store, struct kan_get *get,
                                  kan_get_cb *cb)
{
    return typed_get_async(store.store, TYPED_STRONG, get, cb);
}

enum kan_err kan_strong_commit_async(kan_strong store,
                                     struct kan_commit *commit,
                                     kan_commit_cb *cb)
{
    return typed_commit_async(store.store, commit, cb);
}

enum kan_err kan_strong_list_async(kan_strong store, struct kan_list *list,
                                   kan_list_cb *cb)
{
    return typed_list_async(store.store, TYPED_STRONG, list, cb);
}

/* --- kan_causal ----------------------------------------------------------- */

enum kan_err kan_causal_open(kan_loop *loop,
                             const struct kan_store_options *options, char *why,
                             size_t why_size, kan_causal *ret_store)
{
    return typed_open(loop, options, TYPED_CAUSAL, why, why_size,
                      &ret_store->store);
}

void kan_causal_close(kan_causal store)
{
    typed_close(store.store);
}

void kan_causal_close_async(kan_causal store, void *data,
                            kan_store_close_cb *cb)
{
    typed_close_async(store.store, data, cb);
}

const char *kan_causal_message(kan_causal store)
{
    return typed_message(store.store);
}

enum kan_err kan_causal_get(kan_causal store, struct kan_slice key,
                            struct kan_value *ret_value)
{
    return typed_get(store.store, TYPED_CAUSAL, key, ret_value);
}

enum kan_err kan_causal_put(kan_causal store, struct kan_slice key,
                            struct kan_slice value, uint32_t ttl_seconds,
                            uint64_t *ret_revision)
{
    struct kan_op op = {.key = key, .value = value, .ttl_seconds = ttl_seconds};

    return typed_commit(store.store, NULL, &op, 1, ret_revision);
}

enum kan_err kan_causal_delete(kan_causal store, struct kan_slice key)
{
    struct kan_op op = {.kind = KAN_DELETE, .key = key};

    return typed_commit(store.store, NULL, &op, 1, NULL);
}

uint64_t kan_causal_seen(kan_causal store)
{
    return typed_seen(store.store);
}

void kan_causal_see(kan_causal store, uint64_t revision)
{
    typed_see(store.store, revision);
}

enum kan_err kan_causal_list(kan_causal store,
                             const struct kan_list_options *options,
                             struct kan_page *ret_page)
{
    return typed_list(store.store, TYPED_CAUSAL, options, ret_page);
}

enum kan_err kan_causal_get_async(kan_causal store, struct kan_get *get,
                                  kan_get_cb *cb)
{
    return typed_get_async(store.store, TYPED_CAUSAL, get, cb);
}

enum kan_err kan_causal_put_async(kan_causal store, struct kan_write *write,
                                  kan_write_cb *cb)
{
    return typed_write_async(store.store, KAN_PUT, write, cb);
}

enum kan_err kan_causal_delete_async(kan_causal store, struct kan_write *write,
                                     kan_write_cb *cb)
{
    return typed_write_async(store.store, KAN_DELETE, write, cb);
}

enum kan_err kan_causal_list_async(kan_causal store, struct kan_list *list,
                                   kan_list_cb *cb)
{
    return typed_list_async(store.store, TYPED_CAUSAL, list, cb);
}

/* --- kan_eventual --------------------------------------------------------- */

enum kan_err kan_eventual_open(kan_loop *loop,
                               const struct kan_store_options *options,
                               char *why, size_t why_size,
                               kan_eventual *ret_store)
{
    return typed_open(loop, options, TYPED_EVENTUAL, why, why_size,
                      &ret_store->store);
}

void kan_eventual_close(kan_eventual store)
{
    typed_close(store.store);
}

void kan_eventual_close_async(kan_eventual store, void *data,
                              kan_store_close_cb *cb)
{
    typed_close_async(store.store, data, cb);
}

const char *kan_eventual_message(kan_eventual store)
{
    return typed_message(store.store);
}

enum kan_err kan_eventual_get(kan_eventual store, struct kan_slice key,
                              struct kan_value *ret_value)
{
    return typed_get(store.store, TYPED_EVENTUAL, key, ret_value);
}

enum kan_err kan_eventual_put(kan_eventual store, struct kan_slice key,
                              struct kan_slice value, uint32_t ttl_seconds)
{
    struct kan_op op = {.key = key, .value = value, .ttl_seconds = ttl_seconds};

    return typed_commit(store.store, NULL, &op, 1, NULL);
}

enum kan_err kan_eventual_delete(kan_eventual store, struct kan_slice key)
{
    struct kan_op op = {.kind = KAN_DELETE, .key = key};

    return typed_commit(store.store, NULL, &op, 1, NULL);
}

enum kan_err kan_eventual_list(kan_eventual store,
                               const struct kan_list_options *options,
                               struct kan_page *ret_page)
{
    return typed_list(store.store, TYPED_EVENTUAL, options, ret_page);
}

enum kan_err kan_eventual_get_async(kan_eventual store, struct kan_get *get,
                                    kan_get_cb *cb)
{
    return typed_get_async(store.store, TYPED_EVENTUAL, get, cb);
}

enum kan_err kan_eventual_put_async(kan_eventual store, struct kan_write *write,
                                    kan_write_cb *cb)
{
    return typed_write_async(store.store, KAN_PUT, write, cb);
}

enum kan_err kan_eventual_delete_async(kan_eventual store,
                                       struct kan_write *write,
                                       kan_write_cb *cb)
{
    return typed_write_async(store.store, KAN_DELETE, write, cb);
}

enum kan_err kan_eventual_list_async(kan_eventual store, struct kan_list *list,
                                     kan_list_cb *cb)
{
    return typed_list_async(store.store, TYPED_EVENTUAL, list, cb);
}
