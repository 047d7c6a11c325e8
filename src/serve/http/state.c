/* state.c - get, save, delete, bulk get and transaction: requests to the state
 * block out of HTTP, and its outcomes as statuses and errors. The rules are
 * the block's; the wording, and the order of checks before it is asked, are
 * those of the public API. */

#include "base/alloc.h"
#include "base/number.h"
#include "base/utf8.h"
#include "serve/http/fence.h"
#include "serve/http/item.h"
#include "serve/http/store.h"

/* --- reading -------------------------------------------------------------- */

/* The key of the path, which is checked to be text: others could be written
 * and never be listed. false: answered. */
static bool key_param(struct call *call)
{
    call->key = call->params[1];
    if (utf8_valid(call->key))
        return true;
    call_fail_basic(call, ERROR_MALFORMED, "the key is not UTF-8");
    return false;
}

/* A parameter of the query. false: answered. */
static bool query_text(struct call *call, const char *name,
                       struct kan_slice *ret_text)
{
    enum kan_err err = call_query(call, name, ret_text);
    if (err == KAN_OK)
        return true;
    call_fail_query(call, err);
    return false;
}

/* What the query says for all items. false: answered. */
static bool query_metadata(struct call *call,
                           struct item_metadata *ret_metadata)
{
    enum kan_err err = item_query(call, ret_metadata);
    if (err == KAN_OK)
        return true;
    call_fail_query(call, err);
    return false;
}

static bool query_consistency(struct call *call,
                              enum state_consistency *ret_consistency)
{
    struct item_scope scope = {.call = call};
    struct kan_slice text;
    if (!query_text(call, "consistency", &text))
        return false;
    item_consistency(&scope, text, ret_consistency);
    if (!scope.refused)
        return true;
    store_fail_option(call, NULL, 0);
    return false;
}

static void read_cancel(struct call *call)
{
    state_read_cancel(&call->state.read);
}

static void read_submit(struct call *call, const struct kan_slice *keys,
                        uint32_t count, enum state_consistency consistency,
                        state_read_cb *cb)
{
    struct state_read *read = &call->state.read;
    memset(read, 0, sizeof(*read));
    read->data = call;
    read->keys = keys;
    read->key_count = count;
    read->consistency = consistency;
    enum kan_err err = state_read(call->store->state, read, cb);
    if (err == KAN_OK)
        call->cancel = read_cancel;
    else
        store_fail(call, STATE_FAILED, err, keys[0], count);
}

static void get_done(struct state_read *read)
{
    struct call *call = read->data;
    const struct state_item *item = read->items;
    struct buffer *head = &call->text;
    call->cancel = NULL;
    if (read->outcome != STATE_OK) {
        store_fail(call, read->outcome, read->err, call->key, 1);
        return;
    }
    if (!item->found) {
        call_answer_empty(call);
        return;
    }
    buffer_append_text(head, "ETag: ");
    buffer_append_u64(head, item->version);
    buffer_append_text(head, "\r\n");
    if (item->expires_ms) {
        char time[NUMBER_TIME_SIZE];
        number_time(item->expires_ms, false, time);
        buffer_append_text(head, "metadata.ttlExpireTime: ");
        buffer_append_text(head, time);
        buffer_append_text(head, "\r\n");
    }
    if (buffer_failed(head))
        call_overloaded(call);
    else
        call_answer(call, 200, "application/json", buffer_slice(head),
                    item->value);
}

void state_get_call(struct call *call)
{
    enum state_consistency consistency = STATE_CONSISTENCY_DEFAULT;
    call->context = ERROR_STATE_GET;
    if (store_find(call) && key_param(call) &&
        query_consistency(call, &consistency))
        read_submit(call, &call->key, 1, consistency, get_done);
}

/* --- writing -------------------------------------------------------------- */

static void write_done(struct state_write *write)
{
    struct call *call = write->data;
    if (write->outcome == STATE_OK)
        call_answer_empty(call);
    else
        store_fail(call, write->outcome, write->err,
                   write->ops[write->failed_op].key, write->op_count);
}

static void write_submit(struct call *call, const struct state_op *ops,
                         uint32_t count, bool atomic)
{
    struct state_write *write = &call->state.write;
    memset(write, 0, sizeof(*write));
    write->data = call;
    write->ops = ops;
    write->op_count = count;
    write->atomic = atomic;
    enum kan_err err = fence_submit(call, write, write_done);
    if (err != KAN_OK)
        store_fail(call, STATE_FAILED, err, ops[0].key, count);
}

void state_delete_call(struct call *call)
{
    struct item_scope scope = {.call = call};
    struct kan_slice concurrency;
    struct kan_slice consistency;
    struct state_op *op = &call->op;
    call->context = ERROR_STATE_DELETE;
    if (!store_find(call) || !key_param(call) ||
        !query_text(call, "concurrency", &concurrency) ||
        !query_text(call, "consistency", &consistency) ||
        !query_metadata(call, &scope.query) ||
        !fence_take(call, scope.query.fence))
        return;
    memset(op, 0, sizeof(*op));
    op->kind = STATE_DELETE;
    op->key = call->key;
    op->etag = http_request_header(call->request, "If-Match");
    item_concurrency(&scope, concurrency, &op->concurrency);
    item_consistency(&scope, consistency, &op->consistency);
    if (scope.refused)
        store_fail_option(call, op, 1);
    else
        write_submit(call, op, 1, false);
}

/* --- bodies --------------------------------------------------------------- */

static void fail_malformed(struct call *call)
{
    call_fail_text(call, &(const struct error_report){.name = ERROR_MALFORMED});
}

/* Read the body, which must be of that kind. NULL: answered. */
static const struct json_node *body_read(struct call *call, enum json_kind kind)
{
    static const struct json_options options = {.raw = "value"};
    enum kan_err err = json_parse(call->request->body, &options, &call->tree);
    if (err == KAN_NOMEM || buffer_failed(&call->tree.message)) {
        call_overloaded(call);
        return NULL;
    }
    if (err != KAN_OK) {
        buffer_append(&call->text, buffer_slice(&call->tree.message));
        fail_malformed(call);
        return NULL;
    }
    if (call->tree.nodes[0].kind != kind) {
        call_fail_basic(call, ERROR_MALFORMED, "the body must be a JSON %s",
                        kind == JSON_ARRAY ? "array" : "object");
        return NULL;
    }
    return call->tree.nodes;
}

static uint32_t child_count(const struct call *call,
                            const struct json_node *array)
{
    uint32_t count = 0;
    const struct json_node *node = json_first(&call->tree, array);
    for (; node; node = json_next(&call->tree, array, node))
        count++;
    return count;
}

/* Room for count ops; NULL: answered. */
static struct state_op *ops_alloc(struct call *call, uint32_t count)
{
    struct state_op *ops = &call->op;
    if (count > 1)
        ops = call_alloc(call, count * sizeof(*ops));
    if (!ops)
        call_overloaded(call);
    return ops;
}

void state_save_call(struct call *call)
{
    struct item_scope scope = {.call = call, .noun = "item"};
    uint32_t at = 0;
    call->context = ERROR_STATE_SAVE;
    if (!store_find(call) || !query_metadata(call, &scope.query))
        return;
    const struct json_node *root = body_read(call, JSON_ARRAY);
    if (!root)
        return;
    uint32_t count = child_count(call, root);
    if (!count) {
        call_answer_empty(call);
        return;
    }
    if (count > STATE_OPS_MAX) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "the request holds %u items, and at most %d are taken "
                        "at once: split it",
                        count, STATE_OPS_MAX);
        return;
    }
    struct state_op *ops = ops_alloc(call, count);
    if (!ops)
        return;
    const struct json_node *node = json_first(&call->tree, root);
    for (; node; node = json_next(&call->tree, root, node)) {
        ops[at].kind = STATE_SET;
        if (item_read(&scope, node, at, &ops[at]) != ITEM_OK) {
            fail_malformed(call);
            return;
        }
        at++;
    }
    if (!fence_take(call, item_fence(&scope)))
        return;
    if (scope.refused)
        store_fail_option(call, ops, count);
    else
        write_submit(call, ops, count, false);
}

/* --- transactions --------------------------------------------------------- */

/* A member that is an array; *ret_node is NULL when it is absent or null. */
static enum item_result body_array(struct call *call,
                                   const struct json_node *root,
                                   const char *name,
                                   const struct json_node **ret_node)
{
    const struct json_node *node = json_member(&call->tree, root, name);
    if (node && node->kind == JSON_NULL)
        node = NULL;
    if (node && node->kind != JSON_ARRAY)
        return item_malformed(call, "\"%s\" must be an array", name);
    *ret_node = node;
    return ITEM_OK;
}

/* Which operation it is. false: answered. */
static bool operation_kind(struct call *call, const struct json_node *node,
                           uint32_t number, enum state_op_kind *ret_kind)
{
    struct kan_slice name = {0};
    if (node->kind != JSON_OBJECT ||
        item_text(call, node, "operation", &name) != ITEM_OK) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "operation %u must be an object whose \"operation\" is "
                        "a string",
                        number + 1);
        return false;
    }
    if (slice_equal(name, SLICE("upsert"))) {
        *ret_kind = STATE_SET;
    } else if (slice_equal(name, SLICE("delete"))) {
        *ret_kind = STATE_DELETE;
    } else {
        call_fail_basic(call, ERROR_STATE_OPERATION,
                        "operation type %.*s not supported", SLICE_ARG(name));
        return false;
    }
    return true;
}

/* Take the operations apart and submit them. */
static void transaction_submit(struct item_scope *scope,
                               const struct json_node *operations,
                               uint32_t count)
{
    struct call *call = scope->call;
    struct state_op *ops = ops_alloc(call, count);
    uint32_t at = 0;
    if (!ops)
        return;
    const struct json_node *node = json_first(&call->tree, operations);
    for (; node; node = json_next(&call->tree, operations, node)) {
        if (!operation_kind(call, node, at, &ops[at].kind))
            return;
        const struct json_node *item =
            json_member(&call->tree, node, "request");
        if (item_read(scope, item, at, &ops[at]) != ITEM_OK) {
            fail_malformed(call);
            return;
        }
        at++;
    }
    if (!fence_take(call, item_fence(scope)))
        return;
    if (scope->refused)
        store_fail_option(call, ops, count);
    else
        write_submit(call, ops, count, true);
}

void state_transaction_call(struct call *call)
{
    struct item_scope scope = {.call = call, .noun = "operation"};
    const struct json_node *operations = NULL;
    call->context = ERROR_STATE_TRANSACTION;
    if (!store_find(call))
        return;
    if (!(serve_capabilities(call->store->state) & SERVE_TRANSACTIONAL)) {
        store_fail_no_transactions(call);
        return;
    }
    if (!query_metadata(call, &scope.query))
        return;
    const struct json_node *root = body_read(call, JSON_OBJECT);
    if (!root)
        return;
    if (item_metadata(call, root, &scope.body) != ITEM_OK ||
        body_array(call, root, "operations", &operations) != ITEM_OK) {
        fail_malformed(call);
        return;
    }
    uint32_t count = operations ? child_count(call, operations) : 0;
    if (!count)
        call_answer_empty(call);
    else if (count > STATE_OPS_MAX)
        store_fail_too_many(call, count);
    else
        transaction_submit(&scope, operations, count);
}

/* --- bulk get ------------------------------------------------------------- */

/* Whether the object at the end of the answer, which begins at from, is JSON
 * and has value, whole, as its data. Values saved through this API always
 * pass; a program that links libkan may have stored anything. */
static bool bulk_item_clean(struct buffer *out, size_t from,
                            struct kan_slice value)
{
    static const struct json_options options = {.raw = "data"};
    static const char *const space = " \t\r\n";
    struct json_tree tree = {0};
    while (value.size && strchr(space, slice_at(value, 0)))
        value = slice_skip(value, 1);
    while (value.size && strchr(space, slice_at(value, value.size - 1)))
        value = slice_head(value, value.size - 1);
    struct kan_slice text = slice_skip(buffer_slice(out), from);
    enum kan_err err = json_parse(text, &options, &tree);
    const struct json_node *data =
        err == KAN_OK ? json_member(&tree, tree.nodes, "data") : NULL;
    bool clean = data && data->raw.size == value.size;
    json_fini(&tree);
    out->failed |= err == KAN_NOMEM;
    return clean;
}

/* Append one item, its members in the order that Dapr has. */
static void bulk_item(struct buffer *out, const struct state_item *item)
{
    size_t from = out->size;
    buffer_append_text(out, "{\"key\":");
    json_append_string(out, item->key);
    if (!item->found) {
        buffer_append_byte(out, '}');
        return;
    }
    size_t data = out->size;
    buffer_append_text(out, ",\"data\":");
    buffer_append(out, item->value);
    buffer_append_byte(out, '}');
    if (buffer_failed(out))
        return;
    if (bulk_item_clean(out, from, item->value)) {
        out->size--;
    } else {
        out->size = data;
        buffer_append_text(out,
                           ",\"error\":\"the value is not JSON: get it by "
                           "its key alone\"");
    }
    buffer_append_text(out, ",\"etag\":\"");
    buffer_append_u64(out, item->version);
    buffer_append_byte(out, '"');
    if (item->expires_ms) {
        char time[NUMBER_TIME_SIZE];
        number_time(item->expires_ms, false, time);
        buffer_append_text(out, ",\"metadata\":{\"ttlExpireTime\":\"");
        buffer_append_text(out, time);
        buffer_append_text(out, "\"}");
    }
    buffer_append_byte(out, '}');
}

static void bulk_done(struct state_read *read)
{
    struct call *call = read->data;
    struct buffer *out = &call->out;
    uint64_t size = 0;
    call->cancel = NULL;
    if (read->outcome != STATE_OK) {
        uint32_t at = read->failed_key;
        struct kan_slice key = {0};
        if (at < read->key_count)
            key = read->keys[at];
        store_fail(call, read->outcome, read->err, key, read->key_count);
        return;
    }
    for (uint32_t i = 0; i < read->key_count; i++)
        size += read->items[i].value.size;
    if (size > call->serve->options.answer_max) {
        call_fail_basic(call, ERROR_STATE_BULK_GET,
                        "the values take %llu bytes, and one answer holds at "
                        "most %llu: ask for fewer keys at once",
                        (unsigned long long)size,
                        (unsigned long long)call->serve->options.answer_max);
        return;
    }
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < read->key_count && !buffer_failed(out); i++) {
        if (i)
            buffer_append_byte(out, ',');
        bulk_item(out, &read->items[i]);
    }
    buffer_append_byte(out, ']');
    call_answer_json(call);
}

/* The keys of the request, which are strings or null. */
static enum item_result bulk_keys(struct call *call,
                                  const struct json_node *array,
                                  struct kan_slice *keys)
{
    uint32_t at = 0;
    const struct json_node *node = json_first(&call->tree, array);
    for (; node; node = json_next(&call->tree, array, node)) {
        if (node->kind != JSON_STRING && node->kind != JSON_NULL)
            return item_malformed(call, "key %u must be a string", at + 1);
        keys[at++] = node->kind == JSON_STRING ? node->text : SLICE("");
    }
    return ITEM_OK;
}

/* What is read of the request and not used is checked all the same. */
static enum item_result bulk_rest(struct call *call,
                                  const struct json_node *root)
{
    const struct json_node *node =
        json_member(&call->tree, root, "parallelism");
    struct item_metadata metadata;
    int64_t number;
    if (node && node->kind != JSON_NULL &&
        (node->kind != JSON_NUMBER || json_integer(node, &number) != KAN_OK))
        return item_malformed(call, "\"parallelism\" must be an integer");
    return item_metadata(call, root, &metadata);
}

void state_bulk_call(struct call *call)
{
    enum state_consistency consistency = STATE_CONSISTENCY_DEFAULT;
    const struct json_node *array = NULL;
    call->context = ERROR_STATE_BULK_GET;
    if (!store_find(call) || !query_consistency(call, &consistency))
        return;
    const struct json_node *root = body_read(call, JSON_OBJECT);
    if (!root)
        return;
    if (body_array(call, root, "keys", &array) != ITEM_OK ||
        bulk_rest(call, root) != ITEM_OK) {
        fail_malformed(call);
        return;
    }
    uint32_t count = array ? child_count(call, array) : 0;
    if (!count) {
        buffer_append_text(&call->out, "[]");
        call_answer_json(call);
        return;
    }
    if (count > STATE_OPS_MAX) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "the request asks for %u keys, and at most %d are "
                        "read at once: split it",
                        count, STATE_OPS_MAX);
        return;
    }
    struct kan_slice *keys = call_alloc(call, count * sizeof(*keys));
    if (!keys)
        call_overloaded(call);
    else if (bulk_keys(call, array, keys) != ITEM_OK)
        fail_malformed(call);
    else
        read_submit(call, keys, count, consistency, bulk_done);
}

/* --- query ---------------------------------------------------------------- */

void state_query_call(struct call *call)
{
    if (!store_find(call))
        return;
    struct error_report report = {
        .name = ERROR_STATE_NO_QUERIES,
        .resource = "state",
        .owner = store_name(call),
        .pairs = {{"appID", kan_text(call->serve->options.app_id)}}};
    call_fail(call, &report, "state store does not support querying");
}
