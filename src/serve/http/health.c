/* health.c - whether this Kan is ready, and the request to shut it down. */

#include "serve/http/call.h"

/* A store whose disk has failed takes nothing until it is opened again, so
 * whoever watches over us has to start us anew. */
static bool outbound_ready(const struct serve *serve)
{
    for (uint32_t i = 0; i < serve->options.store_count; i++) {
        const struct state_store *store = serve->options.stores[i].state;
        if (engine_stats(state_store_engine(store)).broken)
            return false;
    }
    return serve->ready[SERVE_OUTBOUND];
}

void health_call(struct call *call)
{
    const struct serve *serve = call->serve;
    bool outbound = outbound_ready(serve);
    bool application = serve->ready[SERVE_APPLICATION];
    struct kan_slice asked;
    enum kan_err err = call_query(call, "appid", &asked);
    if (err != KAN_OK)
        call_fail_query(call, err);
    else if (!outbound || !application)
        call_fail_basic(call, ERROR_HEALTH, "dapr is not ready: [%s%s%s]",
                        outbound ? "" : "outbound",
                        outbound || application ? "" : " ",
                        application ? "" : "app");
    else if (asked.size && !slice_equal(asked, kan_text(serve->options.app_id)))
        call_fail_basic(call, ERROR_HEALTH_APP_ID,
                        "dapr app-id does not match");
    else
        call_answer_empty(call);
}

void health_outbound_call(struct call *call)
{
    if (outbound_ready(call->serve))
        call_answer_empty(call);
    else
        call_fail_basic(call, ERROR_HEALTH_OUTBOUND,
                        "dapr outbound is not ready");
}

void shutdown_call(struct call *call)
{
    const struct serve_options *options = &call->serve->options;
    serve_shutdown_cb *shutdown = options->shutdown;
    void *data = options->data;
    bool force = slice_equal_nocase(
        http_request_header(call->request, "dapr-force-shutdown"),
        SLICE("true"));
    if (!shutdown) {
        call_fail_basic(call, ERROR_UNIMPLEMENTED,
                        "this API is currently not implemented");
        return;
    }
    /* Nothing of the call or the serve is touched behind the answer. */
    call_answer_empty(call);
    shutdown(data, force);
}
