/* item.c - state items out of JSON. Nothing is copied: ops point into the body
 * and its tree. */

#include "serve/http/item.h"

#include "base/number.h"

enum item_result item_malformed(struct call *call, const char *format, ...)
{
    va_list args;
    buffer_clear(&call->text);
    va_start(args, format);
    buffer_vprint(&call->text, format, args);
    va_end(args);
    return ITEM_MALFORMED;
}

/* Refuse an option; the first refusal is the one that is told. */
__attribute__((format(printf, 2, 3))) static void item_refuse(
    struct item_scope *scope, const char *format, ...)
{
    va_list args;
    if (scope->refused)
        return;
    scope->refused = true;
    buffer_clear(&scope->call->text);
    va_start(args, format);
    buffer_vprint(&scope->call->text, format, args);
    va_end(args);
}

void item_consistency(struct item_scope *scope, struct kan_slice text,
                      enum state_consistency *ret_consistency)
{
    if (!text.size)
        *ret_consistency = STATE_CONSISTENCY_DEFAULT;
    else if (slice_equal(text, SLICE("strong")))
        *ret_consistency = STATE_STRONG;
    else if (slice_equal(text, SLICE("eventual")))
        *ret_consistency = STATE_EVENTUAL;
    else
        item_refuse(scope,
                    "unrecognized consistency '%.*s': it is strong or eventual",
                    SLICE_ARG(text));
}

void item_concurrency(struct item_scope *scope, struct kan_slice text,
                      enum state_concurrency *ret_concurrency)
{
    if (!text.size)
        *ret_concurrency = STATE_CONCURRENCY_DEFAULT;
    else if (slice_equal(text, SLICE("first-write")))
        *ret_concurrency = STATE_FIRST_WRITE;
    else if (slice_equal(text, SLICE("last-write")))
        *ret_concurrency = STATE_LAST_WRITE;
    else
        item_refuse(scope,
                    "unrecognized concurrency '%.*s': it is first-write or "
                    "last-write",
                    SLICE_ARG(text));
}

enum item_result item_text(struct call *call, const struct json_node *object,
                           const char *name, struct kan_slice *ret_text)
{
    const struct json_node *node = json_member(&call->tree, object, name);
    if (!node || node->kind == JSON_NULL) {
        *ret_text = kan_slice(NULL, 0);
        return ITEM_OK;
    }
    if (node->kind != JSON_STRING)
        return item_malformed(call, "\"%s\" must be a string", name);
    *ret_text = node->text;
    return ITEM_OK;
}

/* A member that is an object; NULL when it is absent or null. */
static enum item_result item_object(struct call *call,
                                    const struct json_node *object,
                                    const char *name,
                                    const struct json_node **ret_node)
{
    const struct json_node *node = json_member(&call->tree, object, name);
    if (node && node->kind == JSON_NULL)
        node = NULL;
    if (node && node->kind != JSON_OBJECT)
        return item_malformed(call, "\"%s\" must be an object", name);
    *ret_node = node;
    return ITEM_OK;
}

enum item_result item_metadata(struct call *call,
                               const struct json_node *object,
                               struct item_metadata *ret_metadata)
{
    const struct json_node *map = NULL;
    *ret_metadata = (struct item_metadata){{0}, {0}};
    if (item_object(call, object, "metadata", &map) != ITEM_OK)
        return ITEM_MALFORMED;
    if (!map)
        return ITEM_OK;
    const struct json_node *node = json_first(&call->tree, map);
    for (; node; node = json_next(&call->tree, map, node))
        if (node->kind != JSON_STRING && node->kind != JSON_NULL)
            return item_malformed(call,
                                  "\"metadata\" must map texts to texts, and "
                                  "\"%.*s\" is not a text",
                                  SLICE_ARG(node->name));
    if (item_text(call, map, "ttlInSeconds", &ret_metadata->ttl) != ITEM_OK)
        return ITEM_MALFORMED;
    return item_text(call, map, "fence", &ret_metadata->fence);
}

enum kan_err item_query(struct call *call, struct item_metadata *ret_metadata)
{
    enum kan_err err =
        call_query(call, "metadata.ttlInSeconds", &ret_metadata->ttl);
    if (err == KAN_OK)
        err = call_query(call, "metadata.fence", &ret_metadata->fence);
    return err;
}

struct kan_slice item_fence(const struct item_scope *scope)
{
    if (scope->query.fence.bytes)
        return scope->query.fence;
    return scope->fence.size ? scope->fence : scope->body.fence;
}

/* What one item names holds for all: they are one commit. */
static enum item_result item_take_fence(struct item_scope *scope,
                                        struct kan_slice fence)
{
    if (!fence.size || scope->query.fence.bytes)
        return ITEM_OK;
    if (scope->fence.size && !slice_equal(scope->fence, fence))
        return item_malformed(scope->call,
                              "a request is written under one fence, and "
                              "there are '%.*s' and '%.*s'",
                              SLICE_ARG(scope->fence), SLICE_ARG(fence));
    scope->fence = fence;
    return ITEM_OK;
}

static void item_ttl(struct item_scope *scope, struct kan_slice own,
                     struct state_op *op)
{
    struct kan_slice text = own;
    if (scope->query.ttl.bytes)
        text = scope->query.ttl;
    else if (!own.bytes)
        text = scope->body.ttl;
    if (!text.size || op->kind == STATE_DELETE)
        return;
    op->ttl_given = true;
    if (number_i64(text, &op->ttl_seconds) != KAN_OK)
        item_refuse(scope, "ttlInSeconds must be a whole number, not '%.*s'",
                    SLICE_ARG(text));
}

static enum item_result item_options(struct item_scope *scope,
                                     const struct json_node *node,
                                     struct state_op *op)
{
    struct call *call = scope->call;
    const struct json_node *options = NULL;
    struct kan_slice concurrency;
    struct kan_slice consistency;
    if (item_object(call, node, "options", &options) != ITEM_OK)
        return ITEM_MALFORMED;
    if (!options)
        return ITEM_OK;
    if (item_text(call, options, "concurrency", &concurrency) != ITEM_OK ||
        item_text(call, options, "consistency", &consistency) != ITEM_OK)
        return ITEM_MALFORMED;
    item_concurrency(scope, concurrency, &op->concurrency);
    item_consistency(scope, consistency, &op->consistency);
    return ITEM_OK;
}

static enum item_result item_members(struct item_scope *scope,
                                     const struct json_node *node,
                                     struct state_op *op)
{
    struct call *call = scope->call;
    const struct json_node *value;
    struct kan_slice type;
    struct item_metadata metadata;
    if (item_text(call, node, "key", &op->key) != ITEM_OK ||
        item_text(call, node, "etag", &op->etag) != ITEM_OK ||
        item_text(call, node, "contentType", &type) != ITEM_OK ||
        item_metadata(call, node, &metadata) != ITEM_OK ||
        item_take_fence(scope, metadata.fence) != ITEM_OK ||
        item_options(scope, node, op) != ITEM_OK)
        return ITEM_MALFORMED;
    item_ttl(scope, metadata.ttl, op);
    value = json_member(&call->tree, node, "value");
    if (value && op->kind == STATE_SET)
        op->value = value->raw;
    return ITEM_OK;
}

enum item_result item_read(struct item_scope *scope,
                           const struct json_node *node, uint32_t number,
                           struct state_op *ret_op)
{
    struct state_op op = {.kind = ret_op->kind};
    struct call *call = scope->call;
    if (op.kind == STATE_SET)
        op.value = SLICE("null");
    if (node && node->kind == JSON_OBJECT) {
        if (item_members(scope, node, &op) != ITEM_OK) {
            buffer_print(&call->text, " in %s %u", scope->noun, number + 1);
            return ITEM_MALFORMED;
        }
    } else if (node && node->kind != JSON_NULL) {
        return item_malformed(call, "%s %u must be an object", scope->noun,
                              number + 1);
    }
    *ret_op = op;
    return ITEM_OK;
}
