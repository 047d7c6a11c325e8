/* level.c - the log level, read and changed while running. */

#include "serve/http/call.h"

/* The level that the body names, as text or as {"level":"..."}. */
static enum kan_err level_of(struct call *call, enum log_level *ret_level)
{
    struct kan_slice body = call->request->body;
    const struct json_node *node;
    /* `echo warn | curl -T -` ends its line. */
    while (body.size && strchr("\r\n \t", slice_at(body, body.size - 1)))
        body = slice_head(body, body.size - 1);
    if (!body.size || slice_at(body, 0) != '{')
        return log_level_parse(body, ret_level);
    enum kan_err err = json_parse(body, NULL, &call->tree);
    if (err != KAN_OK)
        return err;
    node = json_member(&call->tree, call->tree.nodes, "level");
    if (!node || node->kind != JSON_STRING)
        return KAN_INVALID;
    return log_level_parse(node->text, ret_level);
}

static bool level_known(struct call *call)
{
    if (call->serve->options.log)
        return true;
    call_fail_basic(call, ERROR_UNIMPLEMENTED,
                    "this API is currently not implemented");
    return false;
}

void level_get_call(struct call *call)
{
    if (!level_known(call))
        return;
    buffer_append_text(&call->out, "{\"level\":\"");
    buffer_append_text(&call->out,
                       log_level_name(call->serve->options.log->level));
    buffer_append_text(&call->out, "\"}");
    call_answer_json(call);
}

void level_put_call(struct call *call)
{
    const struct serve_options *options = &call->serve->options;
    enum log_level level;
    if (!level_known(call))
        return;
    switch (level_of(call, &level)) {
    case KAN_OK:
        options->log->level = level;
        if (options->level)
            options->level(options->data, level);
        call_answer_empty(call);
        break;
    case KAN_NOMEM:
        call_overloaded(call);
        break;
    default:
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: the body must be debug, info, warn, "
                        "error or fatal");
        break;
    }
}
