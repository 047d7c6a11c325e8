/* store.c - the store that a request names, and the outcomes of the state block
 * as statuses and errors in the words of the public API. */

#include "serve/http/store.h"

#include "block/state/state_core.h"

#define SUPPORT_HELP                                       \
    "https://docs.dapr.io/reference/components-reference/" \
    "supported-state-stores/"

/* --- stores --------------------------------------------------------------- */

bool store_find(struct call *call)
{
    const struct serve_options *options = &call->serve->options;
    struct kan_slice name = call->params[0];
    struct error_report report = {
        .pairs = {{"appID", kan_text(options->app_id)}}};
    for (uint32_t i = 0; i < options->store_count; i++)
        if (slice_equal(name, kan_text(options->stores[i].name))) {
            call->store = &options->stores[i];
            return true;
        }
    report.name = options->store_count ? ERROR_STATE_NOT_FOUND
                                       : ERROR_STATE_NOT_CONFIGURED;
    call_fail(call, &report,
              options->store_count ? "state store %.*s is not found"
                                   : "state store %.*s is not configured",
              SLICE_ARG(name));
    return false;
}

struct kan_slice store_name(const struct call *call)
{
    return kan_text(call->store->name);
}

/* --- failures ------------------------------------------------------------- */

/* What the API says before the reason. */
static void fail_begin(struct call *call, struct kan_slice key)
{
    struct buffer *text = &call->text;
    struct kan_slice store = store_name(call);
    buffer_clear(text);
    switch (call->context) {
    case ERROR_STATE_GET:
        buffer_print(text,
                     "fail to get %.*s from state store %.*s: ", SLICE_ARG(key),
                     SLICE_ARG(store));
        break;
    case ERROR_STATE_SAVE:
        buffer_print(text, "failed saving state in state store %.*s: ",
                     SLICE_ARG(store));
        break;
    case ERROR_STATE_DELETE:
        buffer_print(text,
                     "failed deleting state with key %.*s: ", SLICE_ARG(key));
        break;
    case ERROR_STATE_TRANSACTION:
        buffer_append_text(text, "error while executing state transaction: ");
        break;
    case ERROR_STATE_LIST:
        buffer_print(text, "failed listing keys of state store %.*s: ",
                     SLICE_ARG(store));
        break;
    default:
        break;
    }
}

/* A failure in the context of the call, with that status (0: the table's). */
static void fail_reason(struct call *call, int status, struct kan_slice key,
                        const char *before, const char *reason)
{
    fail_begin(call, key);
    buffer_append_text(&call->text, before);
    buffer_append_text(&call->text, reason);
    call_fail_text(call, &(const struct error_report){.name = call->context,
                                                      .status = status});
}

static void fail_illegal_key(struct call *call, struct kan_slice key)
{
    struct error_report report = {.name = ERROR_STATE_ILLEGAL_KEY,
                                  .field = key,
                                  .resource = "state",
                                  .owner = store_name(call)};
    call_fail(call, &report, "input key/keyPrefix '%.*s' can't contain '||'",
              SLICE_ARG(key));
}

void store_fail_no_transactions(struct call *call)
{
    struct kan_slice store = store_name(call);
    struct error_report report = {
        .name = ERROR_STATE_NO_TRANSACTIONS,
        .help = SUPPORT_HELP,
        .resource = "state",
        .owner = store,
        .pairs = {{"appID", kan_text(call->serve->options.app_id)}}};
    call_fail(call, &report, "state store %.*s doesn't support transactions",
              SLICE_ARG(store));
}

/* More operations than a transaction may have. An operation with a condition
 * counts twice to the engine, hence the second maximum. */
void store_fail_too_many(struct call *call, uint32_t count)
{
    struct engine *engine = state_store_engine(call->store->state);
    uint32_t most = engine_promises(engine)->ops_max;
    uint32_t max = most < STATE_OPS_MAX ? most : STATE_OPS_MAX;
    struct buffer digits = BUFFER_INIT;
    if (count <= max)
        max = most / 2;
    buffer_print(&digits, "%u", count);
    size_t cut = digits.size;
    buffer_print(&digits, "%u", max);
    struct kan_slice both = buffer_slice(&digits);
    struct error_report report = {
        .name = ERROR_STATE_TOO_MANY,
        .pairs = {{"currentOpsTransaction", slice_head(both, cut)},
                  {"maxOpsPerTransaction", slice_skip(both, cut)}}};
    call_fail(call, &report,
              "the transaction contains %u operations, which is more than "
              "what the state store supports: %u",
              count, max);
    buffer_fini(&digits);
}

static void fail_engine(struct call *call, enum kan_err err,
                        struct kan_slice key)
{
    bool unknown = kan_err_class(err) == KAN_CLASS_UNKNOWN;
    const char *hint = "";
    if (unknown && call->context != ERROR_STATE_GET &&
        call->context != ERROR_STATE_BULK_GET &&
        call->context != ERROR_STATE_LIST)
        hint =
            "it may have been stored all the same, read before you repeat "
            "it: ";
    fail_reason(call, 0, key, hint, kan_err_text(err));
}

static const char fenced_text[] =
    "the fence does not hold: the lock has been granted again, or its lease "
    "has ended; nothing was written";

void store_fail(struct call *call, enum state_outcome outcome, enum kan_err err,
                struct kan_slice key, uint32_t count)
{
    bool atomic = call->context == ERROR_STATE_TRANSACTION;
    const char *text = state_outcome_text(outcome);
    switch (outcome) {
    case STATE_MISMATCH:
        fail_reason(call, atomic ? 500 : 409, key,
                    "possible etag mismatch. error from state store: ", text);
        break;
    case STATE_ETAG_INVALID:
        fail_reason(call, atomic ? 500 : 400, key,
                    "invalid etag value: ", text);
        break;
    case STATE_KEY_EMPTY:
        call_fail_basic(call, ERROR_MALFORMED, "\"key\" is a required field");
        break;
    case STATE_KEY_ILLEGAL:
        fail_illegal_key(call, key);
        break;
    case STATE_KEY_TOO_LONG:
        call_fail_basic(call, ERROR_MALFORMED, "%s", text);
        break;
    case STATE_TOO_MANY:
        if (atomic)
            store_fail_too_many(call, count);
        else
            call_fail_basic(call, ERROR_MALFORMED, "%s", text);
        break;
    case STATE_VALUE_TOO_LARGE:
        fail_reason(call, 400, key, "", text);
        break;
    case STATE_NOT_STRONG:
        call_fail_basic(call, ERROR_NOT_STRONG, "state store %s: %s",
                        call->store->name, text);
        break;
    case STATE_NO_TRANSACTION:
        store_fail_no_transactions(call);
        break;
    case STATE_FAILED:
        if (err == KAN_FENCED)
            fail_reason(call, 409, key, "", fenced_text);
        else
            fail_engine(call, err, key);
        break;
    default:
        fail_reason(call, 0, key, "", text);
        break;
    }
}

void store_fail_option(struct call *call, const struct state_op *ops,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct kan_slice key = ops[i].key;
        if (!state_core_owns(key)) {
            store_fail(call, key.size ? STATE_KEY_ILLEGAL : STATE_KEY_EMPTY,
                       KAN_OK, key, count);
            return;
        }
    }
    struct buffer why = call->text;
    call->text = (struct buffer)BUFFER_INIT;
    fail_begin(call, count ? ops[0].key : call->key);
    buffer_append(&call->text, buffer_slice(&why));
    call->text.failed |= buffer_failed(&why);
    buffer_fini(&why);
    call_fail_text(call, &(const struct error_report){.name = call->context});
}
