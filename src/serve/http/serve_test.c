/* serve_test.c - the API as a whole over a simulated stream: routes, health,
 * metadata, metrics, the token, several sides, the end, and failed
 * allocations on every path. */

#include "serve/http/serve_fixture.h"

#include "serve/http/call.h"

static struct fixture fixture;

/* --- the rest of the routes ----------------------------------------------- */

static void unserved_blocks(void **unused)
{
    static const char nowhere[] =
        "{\"errorCode\":\"ERR_DIRECT_INVOKE\",\"message\":\"failed getting app "
        "id either from the URL path or the header dapr-app-id\"}";
    static const struct step steps[] = {
        {"GET /", NULL, NULL, 404, nowhere},
        {"GET /v1.0", NULL, NULL, 404, nowhere},
        {"GET /v1.0/state", NULL, NULL, 404, nowhere},
        {"GET /v1.0/state/statestore", NULL, NULL, 404, nowhere},
        {"GET /v1.0/state/statestore/a/b", NULL, NULL, 404, nowhere},
        {"PATCH /v1.0/state/statestore", NULL, NULL, 404, nowhere},
        {"OPTIONS /v1.0/state/statestore", NULL, NULL, 404, nowhere},
        {"PUT /v1.0/healthz", NULL, "", 404, nowhere},
        {"GET /v2.0/state/statestore/a", NULL, NULL, 404, nowhere},
        {"GET /kan/v2/state/statestore", NULL, NULL, 404, nowhere},
        {"GET /a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s", NULL, NULL, 404,
         nowhere},
        {"GET /any", "dapr-app-id: other\r\n", NULL, 500, NULL,
         "failed to invoke, id: other, err: "},
        {"GET /v1.0/invoke/other/method/a/b", NULL, NULL, 500, NULL,
         "failed to invoke, id: other, err: "},
        {"GET /v1.0/secrets/s/k", NULL, NULL, 500, NULL,
         "ERR_SECRET_STORES_NOT_CONFIGURED"},
        {"GET /v1.0/secrets/s/bulk", NULL, NULL, 500, NULL,
         "ERR_SECRET_STORES_NOT_CONFIGURED"},
        {"POST /v1.0/publish/p/a/b/c", NULL, "x", 400,
         "{\"errorCode\":\"ERR_PUBSUB_NOT_CONFIGURED\",\"message\":\"pubsub p "
         "is not configured\",\"details\":[{\"@type\":\"type.googleapis.com/"
         "google.rpc.ErrorInfo\",\"domain\":\"dapr.io\",\"metadata\":"
         "{\"appID\":\"kan\"},\"reason\":\"DAPR_PUBSUB_NOT_CONFIGURED\"}]}"},
        {"POST /v1.0-alpha1/publish/bulk/p/t", NULL, "x", 400, NULL,
         "pubsub p is not configured"},
        {"PUT /v1.0/bindings/b", NULL, "{}", 500, NULL,
         "couldn't find output binding b"},
        {"GET /v1.0/configuration/c", NULL, NULL, 500, NULL,
         "ERR_CONFIGURATION_STORE_NOT_CONFIGURED"},
        {"GET /v1.0-alpha1/configuration/c/subscribe", NULL, NULL, 500},
        {"GET /v1.0/configuration/c/id/unsubscribe", NULL, NULL, 500},
        {"POST /v1.0/actors/t/i/method/m", NULL, "", 400, NULL,
         "ERR_ACTOR_NO_PLACEMENT"},
        {"POST /v1.0/actors/t/i/state", NULL, "", 400},
        {"DELETE /v1.0/actors/t/i/timers/n", NULL, NULL, 400},
        {"GET /v1.0/actors/t/i/reminders/n", NULL, NULL, 400},
        {"POST /v1.0-alpha1/lock/l", NULL, "{\"expiryInSeconds\":1}", 500, NULL,
         "ERR_LOCK_STORE_NOT_CONFIGURED"},
        {"POST /v1.0-alpha1/unlock/l", NULL, "{}", 500},
        {"POST /v1.0/jobs/j", NULL, "{}", 501, NULL, "ERR_API_UNIMPLEMENTED"},
        {"POST /v1.0-beta1/workflows/dapr/w/start", NULL, "{}", 501},
        {"POST /v1.0/workflows/dapr/w/raiseEvent/e", NULL, "{}", 501},
        {"GET /v1.0/workflows/dapr/w", NULL, NULL, 501},
        {"PUT /v1.0-alpha1/crypto/c/encrypt", NULL, "", 500, NULL,
         "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED"},
        {"POST /v1.0-alpha1/subtlecrypto/c/sign", NULL, "", 501},
        {"POST /v1.0-alpha2/conversation/c/converse", NULL, "{}", 400, NULL,
         "failed finding conversation component c"},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, steps);
    fixture_end(f);
}

static void paths(void **unused)
{
    static const struct
    {
        const char *path;
        const char *name;
    } rows[] = {
        {"/v1.0/state/s/k", "state_get"},
        {"//v1.0//state/./s/k/", "state_get"},
        {"/v1.0/x/../state/s/k", "state_get"},
        {"/../../v1.0/state/s/k", "state_get"},
        {"/v1.0/state/s/..", "none"},
        {"/v1.0/state/s/%2e%2e", "state_get"},
        {"/v1.0/state/s/.", "none"},
        {"/v1.0/state/s/k/", "state_get"},
        {"/v1.0/healthz", "healthz"},
        {"/v1.0/healthz/outbound", "healthz_outbound"},
        {"/V1.0/healthz", "none"},
        {"/v1.0-alpha1/healthz", "none"},
        {"/metrics", "metrics"},
        {"/", "metrics"},
        {"", "metrics"},
        {"/kan/v1/log-level", "log_level_get"},
        {"/kan/v1", "none"},
        {"/kan", "none"},
        {"/v1.0/invoke/a/method/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15", "invoke"},
        {"/v1.0/invoke/a/method", "none"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kan_slice params[CALL_PARAMS_MAX] = {{0}};
        struct route_path path;
        route_path_cut(kan_text(rows[i].path), &path);
        assert_string_equal(route_find(SLICE("GET"), &path, params)->name,
                            rows[i].name);
    }
    /* Every row has what it needs, and no name is foreign to Prometheus. */
    for (uint32_t i = 0; i < route_count; i++) {
        assert_non_null(routes[i].handler);
        assert_int_equal(strspn(routes[i].name, "abcdefghijklmnopqrstuvwxyz_"),
                         strlen(routes[i].name));
    }
}

static void health(void **unused)
{
    static const struct step ready[] = {
        {"GET /v1.0/healthz", NULL, NULL, 204},
        {"GET /v1.0/healthz/outbound", NULL, NULL, 204},
        {"GET /v1.0/healthz?appid=kan", NULL, NULL, 204},
        {"GET /v1.0/healthz?appid=other", NULL, NULL, 500, NULL,
         "ERR_HEALTH_APPID_NOT_MATCH"},
    };
    static const struct step starting[] = {
        {"GET /v1.0/healthz", NULL, NULL, 500,
         "{\"errorCode\":\"ERR_HEALTH_NOT_READY\",\"message\":\"dapr is not "
         "ready: [app]\"}"},
        {"GET /v1.0/healthz/outbound", NULL, NULL, 204},
    };
    static const struct step down[] = {
        {"GET /v1.0/healthz", NULL, NULL, 500, NULL, "[outbound app]"},
        {"GET /v1.0/healthz/outbound", NULL, NULL, 500, NULL,
         "ERR_OUTBOUND_HEALTH_NOT_READY"},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, ready);
    serve_set_ready(f->serve, SERVE_APPLICATION, false);
    RUN(f, starting);
    serve_set_ready(f->serve, SERVE_OUTBOUND, false);
    RUN(f, down);
    fixture_end(f);
}

static void stats_of_a_broken_engine(struct engine *engine,
                                     struct engine_stats *ret_stats)
{
    (void)engine;
    *ret_stats = (struct engine_stats){.broken = true};
}

static void a_broken_store_is_not_ready(void **unused)
{
    static const struct step steps[] = {
        {"GET /v1.0/healthz", NULL, NULL, 500, NULL, "[outbound]"},
        {"GET /v1.0/healthz/outbound", NULL, NULL, 500, NULL,
         "ERR_OUTBOUND_HEALTH_NOT_READY"},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    const struct engine_ops *whole = f->engines[0]->ops;
    struct engine_ops broken = *whole;
    broken.stats = stats_of_a_broken_engine;
    f->engines[0]->ops = &broken;
    RUN(f, steps);
    f->engines[0]->ops = whole;
    fixture_end(f);
}

static void metadata(void **unused)
{
    static const struct serve_skipped skipped[] = {{"bus", "pubsub.redis"},
                                                   {"box", "state.redis"}};
    static const struct step steps[] = {
        {"GET /v1.0/metadata", NULL, NULL, 200,
         "{\"id\":\"orders\",\"runtimeVersion\":\"1.2.3\",\"components\":["
         "{\"name\":\"statestore\",\"type\":\"state.in-memory\",\"version\":"
         "\"v1\",\"capabilities\":[\"ETAG\",\"TRANSACTIONAL\",\"TTL\","
         "\"ACTOR\"]}],\"extended\":{\"daprRuntimeVersion\":\"1.2.3\","
         "\"kanNamespace\":\"shop\",\"kanSkippedComponents\":"
         "\"bus (pubsub.redis), box (state.redis)\"},"
         "\"appConnectionProperties\":{\"port\":3000,\"protocol\":\"http\","
         "\"channelAddress\":\"127.0.0.1\",\"maxConcurrency\":4,\"health\":"
         "{\"healthCheckPath\":\"/hz\",\"healthProbeInterval\":\"1h1m1.05s\","
         "\"healthProbeTimeout\":\"500ms\",\"healthThreshold\":3}},"
         "\"actorRuntime\":{\"runtimeStatus\":\"DISABLED\"}}",
         NULL, "Content-Type: application/json\r\n"},
        {"PUT /v1.0/metadata/b", NULL, "two", 204},
        {"PUT /v1.0/metadata/a", NULL, "<1>\n", 204},
        {"PUT /v1.0/metadata/c%20c", NULL, "", 204},
        {"PUT /v1.0/metadata/daprRuntimeVersion", NULL, "9", 204},
        {"GET /v1.0/metadata", NULL, NULL, 200, NULL,
         "\"extended\":{\"a\":\"\\u003c1\\u003e\\n\",\"b\":\"two\",\"c c\":"
         "\"\",\"daprRuntimeVersion\":\"1.2.3\","},
        {"PUT /v1.0/metadata/b", NULL, "2", 204},
        {"GET /v1.0/metadata", NULL, NULL, 200, NULL,
         "\"b\":\"2\",\"c c\":\"\","},
    };
    struct serve_options options = {.app_id = "orders",
                                    .app_namespace = "shop",
                                    .version = "1.2.3",
                                    .skipped = skipped,
                                    .skipped_count = 2,
                                    .app = {.port = 3000,
                                            .max_concurrency = 4,
                                            .health_check = true,
                                            .health_path = "/hz",
                                            .health_interval_ms = 3661050,
                                            .health_timeout_ms = 500,
                                            .health_threshold = 3}};
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, &options);
    RUN(f, steps);
    fixture_end(f);
}

static void metadata_is_bounded(void **unused)
{
    struct fixture *f = &fixture;
    char line[600];
    static char value[SERVE_EXTENDED_VALUE_MAX + 1];
    (void)unused;
    memset(value, 'v', sizeof(value));
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    assert_int_equal(fixture_ask(f, "PUT /v1.0/metadata/a", NULL,
                                 kan_slice(value, sizeof(value)))
                         ->status,
                     400);
    snprintf(line, sizeof(line), "PUT /v1.0/metadata/%0257d", 1);
    assert_int_equal(fixture_ask(f, line, NULL, SLICE("x"))->status, 400);
    for (int i = 0; i < SERVE_EXTENDED_MAX; i++) {
        snprintf(line, sizeof(line), "PUT /v1.0/metadata/key%d", i);
        assert_int_equal(
            fixture_ask(f, line, NULL, kan_slice(value, sizeof(value) - 1))
                ->status,
            204);
    }
    RUN(f,
        ((const struct step[]){{"PUT /v1.0/metadata/more", NULL, "x", 400, NULL,
                                "at most 64 entries"},
                               {"PUT /v1.0/metadata/key7", NULL, "again", 204},
                               {"GET /v1.0/metadata", NULL, NULL, 200, NULL,
                                "\"key7\":\"again\""}}));
    fixture_end(f);
}

static void shutdown_and_level(void **unused)
{
    static const struct step steps[] = {
        {"GET /kan/v1/log-level", NULL, NULL, 200, "{\"level\":\"debug\"}"},
        {"PUT /kan/v1/log-level", NULL, "warn\n", 204},
        {"PUT /kan/v1/log-level", NULL, "loud", 400, NULL, "ERR_BAD_REQUEST"},
        {"PUT /kan/v1/log-level", NULL, "{\"level\":1}", 400},
        {"PUT /kan/v1/log-level", NULL, "{", 400},
        {"PUT /kan/v1/log-level", NULL, "", 400},
        {"GET /kan/v1/log-level", NULL, NULL, 200, "{\"level\":\"warn\"}"},
        {"PUT /kan/v1/log-level", NULL, "{\"level\":\"error\"}", 204},
        {"GET /kan/v1/log-level", NULL, NULL, 200, "{\"level\":\"error\"}"},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, steps);
    RUN(f, ((const struct step[]){{"POST /v1.0/shutdown", NULL, "", 204}}));
    assert_int_equal(f->shutdowns, 1);
    assert_false(f->forced);
    RUN(f, ((const struct step[]){{"POST /v1.0/shutdown",
                                   "dapr-force-shutdown: true\r\n", "", 204}}));
    assert_int_equal(f->shutdowns, 2);
    assert_true(f->forced);
    fixture_end(f);
}

static void tokens(void **unused)
{
    static const char good[] = "dapr-api-token: secret\r\n";
    static const struct step steps[] = {
        {"GET " STORE "/a", NULL, NULL, 401, "invalid api token", NULL,
         "Content-Type: text/plain\r\n"},
        {"GET " STORE "/a", "dapr-api-token: secreT\r\n", NULL, 401},
        {"GET " STORE "/a", "dapr-api-token: secretsecret\r\n", NULL, 401},
        {"GET " STORE "/a", "dapr-api-token: s\r\n", NULL, 401},
        {"GET " STORE "/a", "dapr-api-token:\r\n", NULL, 401},
        {"GET " STORE "/a", good, NULL, 204},
        {"GET /v1.0/healthz", NULL, NULL, 204},
        {"GET /v1.0/healthz/outbound", NULL, NULL, 204},
        {"GET /v1.0/metadata", NULL, NULL, 401},
        {"GET /kan/v1/state/statestore", NULL, NULL, 401},
        {"GET /kan/v1/log-level", NULL, NULL, 401},
        {"GET /metrics", NULL, NULL, 401},
        {"GET /metrics", good, NULL, 200},
        {"GET /nowhere", NULL, NULL, 401},
        {"GET " STORE "/%f", NULL, NULL, 401},
        {"POST /v1.0/shutdown", NULL, "", 401},
    };
    struct serve_options options = {.api_token = "secret"};
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, &options);
    RUN(f, steps);
    assert_int_equal(f->shutdowns, 0);
    fixture_end(f);
}

static const struct reply *get(struct fixture *f, const char *address,
                               const char *path)
{
    char text[200];
    int size = snprintf(text, sizeof(text),
                        "GET %s HTTP/1.1\r\nHost: kan\r\n"
                        "Connection: close\r\n\r\n",
                        path);
    return fixture_send(f, address, kan_slice(text, (size_t)size));
}

static void sides(void **unused)
{
    struct serve_options options = {.api_token = "secret"};
    struct fixture *f = &fixture;
    const char *public = "127.0.0.1:3501";
    const char *metrics = "127.0.0.1:9090";
    char why[128];
    uint32_t number;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, &options);
    assert_int_equal(serve_listen(f->serve, SERVE_PUBLIC, public, NULL, why,
                                  sizeof(why), &number),
                     KAN_OK);
    assert_int_equal(serve_listen(f->serve, SERVE_METRICS, metrics, NULL, why,
                                  sizeof(why), &number),
                     KAN_OK);
    assert_string_equal(serve_address(f->serve, number), metrics);
    assert_int_equal(get(f, public, "/v1.0/healthz")->status, 204);
    assert_int_equal(get(f, public, "/v1.0/metadata")->status, 401);
    assert_int_equal(get(f, public, "/metrics")->status, 401);
    assert_int_equal(get(f, metrics, "/metrics")->status, 200);
    assert_int_equal(get(f, metrics, "/")->status, 200);
    assert_int_equal(get(f, metrics, "/v1.0/healthz")->status, 404);
    assert_int_equal(get(f, metrics, STORE "/a")->status, 404);
    fixture_end(f);
}

static void public_side_is_small(void **unused)
{
    struct fixture *f = &fixture;
    const char *public = "127.0.0.1:3501";
    uint32_t number;
    char why[128];
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    assert_int_equal(serve_listen(f->serve, SERVE_PUBLIC, public, NULL, why,
                                  sizeof(why), &number),
                     KAN_OK);
    assert_int_equal(get(f, public, "/v1.0/metadata")->status, 200);
    assert_int_equal(get(f, public, "/v1.0/healthz/outbound")->status, 204);
    assert_int_equal(get(f, public, STORE "/a")->status, 404);
    assert_int_equal(get(f, public, "/metrics")->status, 404);
    assert_int_equal(get(f, public, "/kan/v1/log-level")->status, 404);
    fixture_end(f);
}

static void metrics_page(void **unused)
{
    static const char *const lines[] = {
        "\nkan_http_requests_total{route=\"state_save\",class=\"2xx\"} 1\n",
        "\nkan_http_requests_total{route=\"none\",class=\"4xx\"} 1\n",
        ("\nkan_http_request_duration_seconds_bucket{route=\"state_save\",le="
         "\"+Inf\"} 1\n"),
        "\nkan_http_request_duration_seconds_count{route=\"state_save\"} 1\n",
        "\nkan_store_commits_total{store=\"statestore\"} 1\n",
        "\nkan_store_revision{store=\"statestore\"} 1\n",
        "\nkan_http_requests_under_way 1\n",
        "\nkan_http_connections_open 1\n",
        "\nkan_log_level{level=\"debug\"} 1\n",
        "\nkan_log_level{level=\"info\"} 0\n",
        "\nkan_ready 1\n",
        "kan_build_info{version=\"",
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, ((const struct step[]){
               {"POST " STORE, NULL, "[{\"key\":\"secret\",\"value\":1}]", 204},
               {"GET /users-text", NULL, NULL, 404}}));
    const struct reply *r =
        fixture_ask(f, "GET /metrics", NULL, (struct kan_slice){0});
    assert_int_equal(r->status, 200);
    assert_non_null(strstr(r->head, "Transfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(r->head, "Content-Type: text/plain; version=0.0.4"));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!contains(r->body, lines[i]))
            fail_msg("no %s in\n%.*s", lines[i], (int)r->body.size,
                     (const char *)r->body.bytes);
    assert_false(contains(r->body, "secret"));
    assert_false(contains(r->body, "users-text"));
    fixture_end(f);
}

static void metrics_turned_off(void **unused)
{
    struct serve_options options = {.metrics_off = true};
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, &options);
    RUN(f, ((const struct step[]){{"GET /metrics", NULL, NULL, 404}}));
    fixture_end(f);
}

static void cors(void **unused)
{
    static const char *const preflight =
        "Origin: http://a.example\r\nAccess-Control-Request-Method: PUT\r\n"
        "Access-Control-Request-Headers: x-one\r\n";
    static const struct step off[] = {
        {"OPTIONS " STORE,
         "Origin: x\r\nAccess-Control-Request-Method: PUT\r\n", NULL, 404},
    };
    const struct step on[] = {
        {"OPTIONS " STORE, preflight, NULL, 204, NULL, NULL,
         "Access-Control-Allow-Origin: http://a.example\r\n"},
        {"OPTIONS " STORE, preflight, NULL, 204, NULL, NULL,
         "Access-Control-Allow-Headers: x-one\r\n"},
        {"GET " STORE "/a", "Origin: http://a.example\r\n", NULL, 204, NULL,
         NULL, "Access-Control-Allow-Origin: http://a.example\r\n"},
        {"GET /nowhere", "Origin: http://b.example\r\n", NULL, 404, NULL, NULL,
         "Access-Control-Allow-Origin: http://b.example\r\n"},
        {"GET " STORE "/a", "Origin: http://evil.example\r\n", NULL, 204, NULL,
         NULL, "Vary: Origin\r\n"},
    };
    struct serve_options options = {.allowed_origins =
                                        "http://a.example, http://b.example"};
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, off);
    assert_null(strstr(f->reply.head, "Access-Control"));
    fixture_end(f);
    fixture_begin(f, NULL);
    fixture_start(f, &options);
    RUN(f, on);
    assert_null(strstr(f->reply.head, "Access-Control"));
    fixture_end(f);
}

static struct buffer logged;

static void log_sink_test(void *data, struct kan_slice line)
{
    (void)data;
    buffer_append(&logged, line);
}

static uint64_t log_clock_test(void *data)
{
    (void)data;
    return 0;
}

static void api_logging(void **unused)
{
    struct serve_options options = {.api_logging = true};
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    f->log.sink = log_sink_test;
    f->log.clock = log_clock_test;
    fixture_start(f, &options);
    RUN(f, ((const struct step[]){{"GET " STORE "/a?x=1", NULL, NULL, 204}}));
    assert_true(contains(buffer_slice(&logged), "route=state_get"));
    assert_true(contains(buffer_slice(&logged), "status=204"));
    assert_true(contains(buffer_slice(&logged), "path=" STORE "/a"));
    assert_false(contains(buffer_slice(&logged), "x=1"));
    buffer_fini(&logged);
    fixture_end(f);
}

/* --- one connection, many requests ---------------------------------------- */

static int count_of(const char *text, const char *part)
{
    int count = 0;
    while ((text = strstr(text, part)) != NULL) {
        count++;
        text += strlen(part);
    }
    return count;
}

static void pipelined(void **unused)
{
    static const char text[] =
        "POST " STORE
        " HTTP/1.1\r\nHost: k\r\nContent-Length: 25\r\n\r\n"
        "[{\"key\":\"a\",\"value\":123}]"
        "GET " STORE
        "/a HTTP/1.1\r\nHost: k\r\n\r\n"
        "GET /metrics HTTP/1.1\r\nHost: k\r\n\r\n"
        "GET " STORE "/a HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n";
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    fixture_begin_send(f, "127.0.0.1:3500", kan_slice(text, sizeof(text) - 1));
    fixture_gather(f);
    assert_int_equal(count_of(f->reply.bytes, "HTTP/1.1 204 "), 1);
    assert_int_equal(count_of(f->reply.bytes, "HTTP/1.1 200 "), 3);
    assert_int_equal(count_of(f->reply.bytes, "\r\n\r\n123"), 2);
    fixture_end(f);
}

/* --- the end -------------------------------------------------------------- */

static void on_serve_closed(void *data)
{
    struct fixture *f = data;
    f->closed = true;
}

/* The store is asked and the drain is over at once: the client is cut off, and
 * the serve ends when the store has answered. */
static void close_with_a_request_under_way(void **unused)
{
    static const char *const requests[] = {
        "GET " STORE "/a HTTP/1.1\r\nHost: k\r\n\r\n",
        "DELETE " STORE "/a HTTP/1.1\r\nHost: k\r\n\r\n",
        "GET /kan/v1/state/statestore HTTP/1.1\r\nHost: k\r\n\r\n",
    };
    struct fixture *f = &fixture;
    (void)unused;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        fixture_begin(f, NULL);
        fixture_start(f, NULL);
        fixture_begin_send(f, "127.0.0.1:3500", kan_text(requests[i]));
        while (!f->serve->call_count)
            assert_true(sim_step(f->world));
        serve_close(f->serve, 0, f, on_serve_closed);
        fixture_gather(f);
        fixture_run(f, &f->closed);
        assert_true(f->closed);
        fixture_end(f);
    }
}

/* --- failed allocations --------------------------------------------------- */

/* Ask, with the 1st, 2nd, ... allocation failing, until none is left to fail.
 * Every answer is the right one or says that it failed; the next request, with
 * memory again, gets the right one. */
static void fault_loop(struct fixture *f, const struct step *step, bool sticky)
{
    for (uint64_t n = 1;; n++) {
        assert_true(n < 2000);
        struct kan_slice body = {0};
        if (step->body)
            body = kan_text(step->body);
        uint64_t before = fixture_revision(f);
        mem_fault(n, sticky);
        const struct reply *r = fixture_ask(f, step->line, NULL, body);
        if (!f->struck) {
            step_check(step, r);
            return;
        }
        if (r->status != 0 && r->status != 500 && r->status != 503)
            step_check(step, r);
        /* A 503 says that nothing was done. */
        if (r->status == 503)
            assert_int_equal(fixture_revision(f), before);
        step_run(f, step);
    }
}

static void faults(void **unused)
{
    static const struct step steps[] = {
        {"POST " STORE, NULL, "[{\"key\":\"a\",\"value\":{\"x\":\"\\n\"}}]",
         204},
        {"GET " STORE "/a", NULL, NULL, 200, "{\"x\":\"\\n\"}"},
        {"GET " STORE "/a?consistency=%73trong", NULL, NULL, 200,
         "{\"x\":\"\\n\"}"},
        {"POST " STORE, NULL,
         "[{\"key\":\"b\\n\",\"value\":1,\"metadata\":{\"ttlInSeconds\":\"9\"}}"
         ",{\"key\":\"c\"},{\"key\":\"d\"}]",
         204},
        {"POST " STORE "/bulk", NULL, "{\"keys\":[\"a\",\"c\",\"no\"]}", 200,
         NULL, "{\"key\":\"no\"}]"},
        {"POST " STORE "/transaction", NULL,
         "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":"
         "\"x\",\"value\":7}},{\"operation\":\"delete\",\"request\":{\"key\":"
         "\"c\"}}]}",
         204},
        {"GET /kan/v1/state/statestore", NULL, NULL, 200, NULL,
         "{\"key\":\"x\",\"etag\":\""},
        {"GET /v1.0/state/nope/a", NULL, NULL, 400},
        {"POST " STORE, NULL, "[{\"key\":\"a||\"}]", 400},
        {"POST " STORE, NULL, "[{\"key\":7}]", 400},
        {"POST " STORE, NULL, "nonsense", 400},
        {"GET /v1.0/metadata", NULL, NULL, 200, NULL, "statestore"},
        {"PUT /v1.0/metadata/a", NULL, "b", 204},
        {"GET /metrics", NULL, NULL, 200, NULL, "kan_build_info"},
        {"DELETE " STORE "/a", NULL, NULL, 204},
    };
    struct fixture *f = &fixture;
    (void)unused;
    for (int sticky = 0; sticky < 2; sticky++) {
        fixture_begin(f, NULL);
        fixture_start(f, NULL);
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
            fault_loop(f, &steps[i], sticky == 1);
        fixture_end(f);
    }
}

static void faults_of_new(void **unused)
{
    struct fixture *f = &fixture;
    struct serve_options options = {0};
    (void)unused;
    fixture_begin(f, NULL);
    options.env = f->env;
    int64_t live = mem_live();
    for (uint64_t n = 1;; n++) {
        struct serve *serve;
        mem_fault(n, false);
        enum kan_err err = serve_new(&options, &serve);
        bool struck = mem_fault_struck();
        mem_fault(0, false);
        if (err == KAN_OK) {
            assert_false(struck);
            f->serve = serve;
            break;
        }
        assert_int_equal(err, KAN_NOMEM);
        assert_int_equal(mem_live(), live);
    }
    fixture_end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unserved_blocks),
        cmocka_unit_test(paths),
        cmocka_unit_test(health),
        cmocka_unit_test(a_broken_store_is_not_ready),
        cmocka_unit_test(metadata),
        cmocka_unit_test(metadata_is_bounded),
        cmocka_unit_test(shutdown_and_level),
        cmocka_unit_test(tokens),
        cmocka_unit_test(sides),
        cmocka_unit_test(public_side_is_small),
        cmocka_unit_test(metrics_page),
        cmocka_unit_test(metrics_turned_off),
        cmocka_unit_test(cors),
        cmocka_unit_test(api_logging),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(close_with_a_request_under_way),
        cmocka_unit_test(faults),
        cmocka_unit_test(faults_of_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
