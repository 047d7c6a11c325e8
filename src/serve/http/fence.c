/* fence.c - see fence.h. Where lock and data are on one engine the grant is a
 * guard in the commit itself; elsewhere the data's engine keeps the highest
 * token seen. The rules of both are the lock block's. */

#include "serve/http/fence.h"

#include "base/number.h"
#include "block/lock/fence.h"
#include "serve/http/lock.h"

/* Where the last slash stands, or SIZE_MAX. */
static size_t last_slash(struct kan_slice text)
{
    for (size_t at = text.size; at-- > 0;)
        if (slice_at(text, at) == '/')
            return at;
    return SIZE_MAX;
}

/* A resource may have slashes in it, names of stores and tokens have none. */
static bool fence_cut(struct kan_slice text, struct kan_slice *ret_store,
                      struct kan_slice *ret_resource, uint64_t *ret_token)
{
    struct kan_slice rest = text;
    struct kan_slice store;
    if (!slice_cut(&rest, '/', &store))
        return false;
    size_t slash = last_slash(rest);
    if (slash == SIZE_MAX || !store.size ||
        number_u64(slice_skip(rest, slash + 1), ret_token) != KAN_OK)
        return false;
    *ret_store = store;
    *ret_resource = slice_head(rest, slash);
    return *ret_token != 0;
}

static bool same_engine(const struct call *call)
{
    return lock_store_engine(call->grant.lock->lock) ==
           state_store_engine(call->store->state);
}

/* Whether the engines can do it at all. false: answered. */
static bool fence_possible(struct call *call)
{
    char why[128] = "";
    const struct engine_promises *promises =
        engine_promises(state_store_engine(call->store->state));
    if (same_engine(call) || engine_promises_cover(promises, &fence_needs, why,
                                                   sizeof(why)) == KAN_OK)
        return true;
    call_fail_basic(call, ERROR_MALFORMED,
                    "state store %s cannot take a fence: its engine %s",
                    call->store->name, why);
    return false;
}

bool fence_take(struct call *call, struct kan_slice text)
{
    struct call_grant *grant = &call->grant;
    struct kan_slice store;
    if (!text.size)
        return true;
    if (!fence_cut(text, &store, &grant->resource, &grant->token)) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "fence '%.*s' is not {lock store}/{resource}/{token}, "
                        "as lockstore/order-7/42",
                        SLICE_ARG(text));
        return false;
    }
    enum lock_outcome outcome =
        lock_core_resource(grant->resource, LOCK_RESOURCE_MAX);
    if (outcome != LOCK_OK) {
        call_fail_basic(call, ERROR_MALFORMED, "fence '%.*s': %s",
                        SLICE_ARG(text), lock_outcome_text(outcome));
        return false;
    }
    grant->lock = lock_named(call->serve, store);
    if (grant->lock)
        return fence_possible(call);
    call_fail_basic(call, ERROR_LOCK_NOT_FOUND,
                    "fence '%.*s': lock store %.*s not found", SLICE_ARG(text),
                    SLICE_ARG(store));
    return false;
}

enum kan_err fence_submit(struct call *call, struct state_write *write,
                          state_write_cb *cb)
{
    const struct call_grant *grant = &call->grant;
    struct state_token token;
    struct engine_guard guard;
    struct lock_key key;
    enum kan_err err;
    if (!grant->lock)
        return state_write(call->store->state, write, cb);
    write->atomic = true;
    if (same_engine(call)) {
        err = lock_fence_guard(grant->lock->lock, grant->resource, grant->token,
                               &key, &guard);
        if (err != KAN_OK)
            return err;
        write->fence = &guard;
    } else {
        token = (struct state_token){kan_text(grant->lock->name),
                                     grant->resource, grant->token};
        write->token = &token;
    }
    err = state_write(call->store->state, write, cb);
    write->fence = NULL;
    write->token = NULL;
    return err;
}
