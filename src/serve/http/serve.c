/* serve.c - the API as a whole: its life, its listeners, and the stages that a
 * request passes before its handler (route, CORS, token, parameters). */

#include "serve/http/serve.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "serve/http/entity.h"

enum
{
    SERVE_MAGIC = 0x53455256
};

static const uint64_t answer_max_default = UINT64_C(16) << 20;

/* --- stages --------------------------------------------------------------- */

/* Compare in a time that depends on the length of what was given alone. */
static bool token_equal(struct kan_slice token, struct kan_slice given)
{
    const unsigned char *a = token.bytes;
    const unsigned char *b = given.bytes;
    size_t differs = token.size ^ given.size;
    for (size_t i = 0; i < given.size; i++)
        differs |= (size_t)(a[i % token.size] ^ b[i]);
    return differs == 0;
}

static bool token_passes(const struct call *call)
{
    const struct route *route = call->route;
    struct kan_slice token = kan_text(call->serve->options.api_token);
    if (!token.size || (route->flags & ROUTE_OPEN) ||
        call_side(call) == SERVE_METRICS)
        return true;
    return token_equal(token,
                       http_request_header(call->request, "dapr-api-token"));
}

/* Whether an origin is in the comma list of those allowed. */
static bool origin_allowed(const char *allowed, struct kan_slice origin)
{
    struct kan_slice rest = kan_text(allowed);
    while (rest.size) {
        struct kan_slice one;
        slice_cut(&rest, ',', &one);
        one = slice_trim(one);
        if (slice_equal(one, SLICE("*")) || slice_equal_nocase(one, origin))
            return true;
    }
    return false;
}

/* Note what CORS allows; true when the request was a preflight, which is
 * answered. */
static bool cors_answers(struct call *call)
{
    const char *allowed = call->serve->options.allowed_origins;
    if (!allowed || !*allowed)
        return false;
    call->vary = true;
    struct kan_slice origin = http_request_header(call->request, "Origin");
    if (origin.size && origin_allowed(allowed, origin))
        call->origin = origin;
    struct kan_slice headers =
        http_request_header(call->request, "Access-Control-Request-Headers");
    struct kan_slice wanted =
        http_request_header(call->request, "Access-Control-Request-Method");
    if (!slice_equal(call->request->method, SLICE("OPTIONS")) || !wanted.bytes)
        return false;
    if (call->origin.bytes) {
        buffer_append_text(&call->text,
                           "Access-Control-Allow-Methods: HEAD, GET, POST, "
                           "PUT, PATCH, DELETE\r\n");
        if (headers.size) {
            buffer_append_text(&call->text, "Access-Control-Allow-Headers: ");
            buffer_append(&call->text, headers);
            buffer_append_text(&call->text, "\r\n");
        }
    }
    if (buffer_failed(&call->text))
        call_overloaded(call);
    else
        call_answer(call, 204, NULL, buffer_slice(&call->text), SLICE(""));
    return true;
}

/* Whether this side of the API has the route. */
static bool side_serves(const struct serve *serve, enum serve_side side,
                        const struct route *route)
{
    if (serve->options.metrics_off && (route->flags & ROUTE_METRICS))
        return false;
    switch (side) {
    case SERVE_PUBLIC:
        return (route->flags & ROUTE_PUBLIC) != 0;
    case SERVE_METRICS:
        return (route->flags & ROUTE_METRICS) != 0;
    default:
        /* The root is the metrics side's alone. */
        return !(route->flags & ROUTE_METRICS) || route->pattern[0] != 0;
    }
}

/* Parameters are percent-decoded as a query is. false: answered. */
static bool params_decode(struct call *call)
{
    for (int i = 0; i < CALL_PARAMS_MAX && call->params[i].bytes; i++) {
        enum kan_err err = call_decode(call, call->params[i], &call->params[i]);
        if (err == KAN_NOMEM) {
            call_overloaded(call);
            return false;
        }
        if (err != KAN_OK) {
            call_answer(call, 400, "text/plain", SLICE(""),
                        SLICE("bad percent escape in the path"));
            return false;
        }
    }
    return true;
}

static void serve_handle(void *data, struct http_exchange *exchange,
                         const struct http_request *request)
{
    struct serve *serve = data;
    check_magic(serve, SERVE_MAGIC);
    struct call *call = call_new(serve, exchange, request);
    if (!call) {
        http_answer(exchange, 503, "text/plain", SLICE(""),
                    SLICE("out of memory"));
        return;
    }
    struct kan_slice params[CALL_PARAMS_MAX] = {{0}};
    struct route_path path;
    route_path_cut(request->path, &path);
    const struct route *route = route_find(request->method, &path, params);
    if (!side_serves(serve, call_side(call), route))
        route = &routes[route_count - 1];
    call->route = route;
    if (route->handler != nowhere_call)
        memcpy(call->params, params, sizeof(params));
    if (cors_answers(call))
        return;
    if (!token_passes(call)) {
        call_answer(call, 401, "text/plain", SLICE(""),
                    SLICE("invalid api token"));
        return;
    }
    if (params_decode(call))
        route->handler(call);
}

/* How the server words what it refuses by itself. A body that is too large is
 * one that could not be read: Dapr has 400 for it. */
static const char *serve_error(void *data, int *status, const char *reason,
                               struct buffer *body)
{
    (void)data;
    struct error_report report = {.name = ERROR_BAD_REQUEST};
    if (*status == 413) {
        *status = 400;
        report.name = ERROR_BODY_READ;
    } else if (*status == 503) {
        report.name = ERROR_OVERLOADED;
    }
    error_write(body, &report, kan_text(reason));
    return "application/json";
}

/* --- life ----------------------------------------------------------------- */

static void serve_free(struct serve *serve)
{
    struct list *link;
    while ((link = list_pop(&serve->spare)) != NULL) {
        struct call *call = list_entry(link, struct call, link);
        buffer_fini(&call->out);
        buffer_fini(&call->text);
        mem_free(call);
    }
    while ((link = list_pop(&serve->extended)) != NULL)
        mem_free(list_entry(link, struct extended, link));
    entity_counts_free(serve);
    mem_free(serve->stats);
    serve->magic = 0;
    mem_free(serve);
}

static enum kan_err options_check(const struct serve_options *options)
{
    if (options->store_count > SERVE_STORES_MAX ||
        options->lock_count > SERVE_STORES_MAX)
        return KAN_INVALID;
    for (uint32_t i = 0; i < options->store_count; i++) {
        const struct serve_store *store = &options->stores[i];
        if (!store->name || !*store->name || !store->type || !store->state)
            return KAN_INVALID;
    }
    for (uint32_t i = 0; i < options->lock_count; i++) {
        const struct serve_lock *lock = &options->locks[i];
        if (!lock->name || !*lock->name || !lock->type || !lock->lock)
            return KAN_INVALID;
    }
    return KAN_OK;
}

enum kan_err serve_new(const struct serve_options *options,
                       struct serve **ret_serve)
{
    kan_assert(options->env);
    enum kan_err err = options_check(options);
    if (err != KAN_OK)
        return err;
    struct serve *serve = mem_zalloc(sizeof(*serve));
    if (!serve)
        return KAN_NOMEM;
    serve->magic = SERVE_MAGIC;
    serve->options = *options;
    list_init(&serve->extended);
    list_init(&serve->calls);
    list_init(&serve->spare);
    if (!serve->options.app_id)
        serve->options.app_id = "kan";
    if (!serve->options.version)
        serve->options.version = kan_version();
    if (!serve->options.answer_max)
        serve->options.answer_max = answer_max_default;
    serve->stats = mem_zalloc(route_count * sizeof(*serve->stats));
    struct http_server_options http = {.limits = options->limits,
                                       .data = serve,
                                       .handler = serve_handle,
                                       .error = serve_error};
    err = serve->stats ? http_server_new(options->env, &http, &serve->server)
                       : KAN_NOMEM;
    if (err != KAN_OK) {
        serve_free(serve);
        return err;
    }
    *ret_serve = serve;
    return KAN_OK;
}

enum kan_err serve_listen(struct serve *serve, enum serve_side side,
                          const char *address,
                          const struct env_listen_options *options, char *why,
                          size_t why_size, uint32_t *ret_number)
{
    check_magic(serve, SERVE_MAGIC);
    uint32_t number;
    if (serve->side_count == SERVE_LISTENERS_MAX)
        return KAN_BUSY;
    enum kan_err err = http_server_listen(serve->server, address, options, why,
                                          why_size, &number);
    if (err != KAN_OK)
        return err;
    kan_assert(number == serve->side_count);
    serve->sides[serve->side_count++] = side;
    *ret_number = number;
    return KAN_OK;
}

const char *serve_address(const struct serve *serve, uint32_t number)
{
    check_magic(serve, SERVE_MAGIC);
    return http_server_address(serve->server, number);
}

struct http_stats serve_http_stats(const struct serve *serve)
{
    check_magic(serve, SERVE_MAGIC);
    return http_server_stats(serve->server);
}

void serve_set_ready(struct serve *serve, enum serve_part part, bool ready)
{
    check_magic(serve, SERVE_MAGIC);
    kan_assert(part < SERVE_PARTS);
    serve->ready[part] = ready;
}

unsigned serve_capabilities(const struct state_store *store)
{
    const struct engine_promises *promises =
        engine_promises(state_store_engine(store));
    unsigned mask = SERVE_ETAG;
    if (promises->ops_max > 1)
        mask |= SERVE_TRANSACTIONAL | SERVE_ACTOR;
    if (promises->expiry_ms)
        mask |= SERVE_TTL;
    return mask;
}

/* --- the end -------------------------------------------------------------- */

void serve_settle(struct serve *serve)
{
    if (!serve->closed || serve->call_count)
        return;
    void *data = serve->close_data;
    env_close_cb *cb = serve->close_cb;
    serve_free(serve);
    if (cb)
        cb(data);
}

/* Nobody is connected any more. What still waits for a store is asked to end;
 * writes run to their answer, which no client will see. */
static void serve_server_closed(void *data)
{
    struct serve *serve = data;
    check_magic(serve, SERVE_MAGIC);
    serve->server = NULL;
    serve->closed = true;
    serve->call_count++; /* so that no call that ends here ends the serve */
    struct list *link = serve->calls.next;
    while (link != &serve->calls) {
        struct call *call = list_entry(link, struct call, link);
        link = link->next;
        if (call->cancel)
            call->cancel(call);
    }
    serve->call_count--;
    serve_settle(serve);
}

void serve_close(struct serve *serve, uint32_t drain_ms, void *data,
                 env_close_cb *cb)
{
    check_magic(serve, SERVE_MAGIC);
    kan_assert(!serve->closing);
    serve->closing = true;
    serve->close_data = data;
    serve->close_cb = cb;
    struct list *link = serve->calls.next;
    for (; link != &serve->calls; link = link->next) {
        struct call *call = list_entry(link, struct call, link);
        if (call->patient && call->cancel)
            call->cancel(call);
    }
    http_server_close(serve->server, drain_ms, serve, serve_server_closed);
}

void serve_hurry(struct serve *serve)
{
    check_magic(serve, SERVE_MAGIC);
    kan_assert(serve->closing);
    if (serve->server)
        http_server_hurry(serve->server);
}
