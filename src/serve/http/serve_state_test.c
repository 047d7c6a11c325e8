/* serve_state_test.c - the state API over a simulated stream: every status,
 * body and order of checks that docs/api.md promises, bad input that changes
 * nothing, and limits. */

#include "serve/http/serve_fixture.h"

static struct fixture fixture;

/* --- state ---------------------------------------------------------------- */

static void save_get_delete(void **unused)
{
    static const struct step steps[] = {
        {"GET " STORE "/a", NULL, NULL, 204},
        {"POST " STORE, NULL, "[{\"key\":\"a\",\"value\":{\"b\" : 1.50}}]",
         204},
        /* Byte for byte, where Dapr would encode anew. */
        {"GET " STORE "/a", NULL, NULL, 200, "{\"b\" : 1.50}", NULL,
         "Content-Type: application/json\r\n"},
        {"GET " STORE "/a", NULL, NULL, 200, NULL, NULL, "ETag: 1\r\n"},
        {"PUT " STORE "?", NULL,
         " [ {\"KEY\":\"a\",\"Value\":12345678901234567890,\"ETag\":\"1\"} ] ",
         204},
        {"GET " STORE "/a?", NULL, NULL, 200, "12345678901234567890", NULL,
         "ETag: 2\r\n"},
        {"POST " STORE, NULL, "[]", 204},
        {"POST " STORE, NULL,
         "[{\"key\":\"absent\"},{\"key\":\"null\",\"value\":null,"
         "\"metadata\":null,\"options\":null,\"etag\":null,\"x\":[{}]}]",
         204},
        {"GET " STORE "/absent", NULL, NULL, 200, "null"},
        {"GET " STORE "/null", NULL, NULL, 200, "null"},
        {"DELETE " STORE "/a", NULL, NULL, 204},
        {"DELETE " STORE "/a", NULL, NULL, 204},
        {"GET " STORE "/a", NULL, NULL, 204},
        /* Parameters are decoded as a query is. */
        {"POST " STORE, NULL, "[{\"key\":\"x /\\u00e9\",\"value\":1}]", 204},
        {"GET " STORE "/x+%2f%C3%A9", NULL, NULL, 200, "1"},
        {"GET //v1.0/./state//statestore/x%20%2F%c3%a9/", NULL, NULL, 200, "1"},
        {"POST " STORE, NULL, "[{\"key\":\"t\",\"value\":\" \\u003c<\"}]", 204},
        {"GET " STORE "/t", NULL, NULL, 200, "\" \\u003c<\""},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, steps);
    fixture_end(f);
}

static void etags(void **unused)
{
    static const struct step steps[] = {
        {"POST " STORE, NULL, "[{\"key\":\"a\",\"value\":1}]", 204},
        {"POST " STORE, NULL, "[{\"key\":\"a\",\"value\":2,\"etag\":\"9\"}]",
         409, NULL,
         "\"errorCode\":\"ERR_STATE_SAVE\",\"message\":\"failed saving state "
         "in state store statestore: possible etag mismatch. error from state "
         "store: "},
        {"POST " STORE, NULL, "[{\"key\":\"a\",\"value\":2,\"etag\":\"x\"}]",
         400, NULL, "statestore: invalid etag value: "},
        {"POST " STORE, NULL,
         "[{\"key\":\"a\",\"etag\":\"9\"},{\"key\":\"b\",\"etag\":\"x\"}]", 400,
         NULL, "invalid etag value"},
        {"GET " STORE "/a", NULL, NULL, 200, "1"},
        {"POST " STORE, NULL,
         "[{\"key\":\"a\",\"value\":3,\"etag\":\"9\","
         "\"options\":{\"concurrency\":\"last-write\","
         "\"consistency\":\"strong\"}}]",
         204},
        {"POST " STORE, NULL,
         "[{\"key\":\"a\",\"value\":4,"
         "\"options\":{\"concurrency\":\"first-write\"}}]",
         409},
        {"POST " STORE, NULL,
         "[{\"key\":\"new\",\"value\":4,"
         "\"options\":{\"concurrency\":\"first-write\","
         "\"consistency\":\"eventual\"}}]",
         204},
        {"DELETE " STORE "/a", "If-Match: 77\r\n", NULL, 409, NULL,
         "\"ERR_STATE_DELETE\",\"message\":\"failed deleting state with key "
         "a: possible etag mismatch. error from state store: "},
        {"DELETE " STORE "/a", "If-Match: x\r\n", NULL, 400, NULL,
         "invalid etag value"},
        {"GET " STORE "/a", NULL, NULL, 200, "3", NULL, "ETag: 2\r\n"},
        {"DELETE " STORE "/a", "if-match: 2\r\n", NULL, 204},
        {"DELETE " STORE "/new?concurrency=last-write&consistency=strong",
         "If-Match: 77\r\n", NULL, 204},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, steps);
    fixture_end(f);
}

/* None of these changes anything. */
static const struct step bad_requests[] = {
    {"POST " STORE, NULL, "", 400, NULL, "ERR_MALFORMED_REQUEST"},
    {"POST " STORE, NULL, NULL, 400, NULL, "ERR_MALFORMED_REQUEST"},
    {"POST " STORE, NULL, "{}", 400, NULL, "must be a JSON array"},
    {"POST " STORE, NULL, "null", 400, NULL, "must be a JSON array"},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"value\":1}", 400},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"value\":1}] x", 400},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"value\":1}][]", 400},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"value\":01}]", 400},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"value\":\"\xff\"}]", 400},
    {"POST " STORE, NULL, "[{\"key\":\"k\xc0\x80\",\"value\":1}]", 400},
    {"POST " STORE, NULL, "[{\"key\":\"\\ud800\",\"value\":1}]", 400},
    {"POST " STORE, NULL, "[1]", 400, NULL, "item 1 must be an object"},
    {"POST " STORE, NULL, "[{\"key\":\"k\"},[]]", 400, NULL, "item 2"},
    {"POST " STORE, NULL, "[{\"key\":1}]", 400, NULL,
     "\\\"key\\\" must be a string in item 1"},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"etag\":1}]", 400, NULL,
     "\\\"etag\\\" must be a string"},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"contentType\":1}]", 400},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"metadata\":[]}]", 400},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"metadata\":{\"a\":1}}]", 400, NULL,
     "\\\"a\\\" is not a text"},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"options\":\"strong\"}]", 400},
    {"POST " STORE, NULL,
     "[{\"key\":\"k\",\"options\":{\"consistency\":true}}]", 400},
    {"POST " STORE, NULL, "[{\"value\":1}]", 400, NULL,
     "\\\"key\\\" is a required field"},
    {"POST " STORE, NULL, "[null]", 400, NULL,
     "\\\"key\\\" is a required field"},
    {"POST " STORE, NULL, "[{\"key\":\"k\",\"value\":1},{\"key\":\"\"}]", 400},
    {"POST " STORE, NULL, "[{\"key\":\"k\"},{\"key\":\"a||b\"}]", 400,
     "{\"errorCode\":\"ERR_MALFORMED_REQUEST\",\"message\":\"input "
     "key/keyPrefix 'a||b' can't contain '||'\",\"details\":["
     "{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
     "\"field_violations\":[{\"field\":\"a||b\",\"description\":\"input "
     "key/keyPrefix 'a||b' can't contain '||'\"}]},"
     "{\"@type\":\"type.googleapis.com/google.rpc.ResourceInfo\","
     "\"resource_type\":\"state\",\"resource_name\":\"statestore\","
     "\"owner\":\"\",\"description\":\"input key/keyPrefix 'a||b' can't "
     "contain '||'\"},"
     "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
     "\"domain\":\"dapr.io\",\"metadata\":null,"
     "\"reason\":\"DAPR_STATE_ILLEGAL_KEY\"}]}"},
    {"POST " STORE, NULL,
     "[{\"key\":\"k\",\"options\":{\"concurrency\":\"never\"}}]", 500, NULL,
     "\"ERR_STATE_SAVE\",\"message\":\"failed saving state in state store "
     "statestore: unrecognized concurrency 'never'"},
    {"POST " STORE, NULL,
     "[{\"key\":\"k\"},{\"key\":\"l\",\"options\":{\"consistency\":\"most\"}}]",
     500, NULL, "unrecognized consistency 'most'"},
    /* A bad key is told before a bad option. */
    {"POST " STORE, NULL,
     "[{\"key\":\"k\",\"options\":{\"consistency\":\"most\"}},{\"key\":\"\"}]",
     400, NULL, "required field"},
    {"POST " STORE, NULL,
     "[{\"key\":\"k\",\"metadata\":{\"ttlInSeconds\":\"1.5\"}}]", 500, NULL,
     "ERR_STATE_SAVE"},
    {"POST " STORE "?metadata.ttlInSeconds=soon", NULL, "[{\"key\":\"k\"}]",
     500, NULL, "not 'soon'"},
    {"POST " STORE "?metadata.ttlInSeconds=%zz", NULL, "[{\"key\":\"k\"}]", 400,
     NULL, "ERR_BAD_REQUEST"},
    /* The store is looked for before the body is. */
    {"POST /v1.0/state/nope", NULL, "", 400,
     "{\"errorCode\":\"ERR_STATE_STORE_NOT_FOUND\",\"message\":\"state store "
     "nope is not found\",\"details\":[{\"@type\":\"type.googleapis.com/"
     "google.rpc.ErrorInfo\",\"domain\":\"dapr.io\",\"metadata\":{\"appID\":"
     "\"kan\"},\"reason\":\"DAPR_STATE_NOT_FOUND\"}]}"},
    {"GET /v1.0/state/nope/k", NULL, NULL, 400, NULL, "NOT_FOUND"},
    {"DELETE /v1.0/state/nope/k", NULL, NULL, 400, NULL, "NOT_FOUND"},
    {"POST /v1.0/state/nope/bulk", NULL, "", 400, NULL, "NOT_FOUND"},
    {"POST /v1.0/state/nope/transaction", NULL, "", 400, NULL, "NOT_FOUND"},
    {"POST /v1.0-alpha1/state/nope/query", NULL, "", 400, NULL, "NOT_FOUND"},
    {"GET /kan/v1/state/nope", NULL, NULL, 400, NULL, "NOT_FOUND"},
    {"GET " STORE "/a%7C%7Cb", NULL, NULL, 400, NULL, "ILLEGAL_KEY"},
    {"DELETE " STORE "/a%7C%7Cb", NULL, NULL, 400, NULL, "ILLEGAL_KEY"},
    {"GET " STORE "/%ff", NULL, NULL, 400, NULL, "not UTF-8"},
    {"DELETE " STORE "/%ff", NULL, NULL, 400, NULL, "not UTF-8"},
    {"GET " STORE "/%f", NULL, NULL, 400, "bad percent escape in the path",
     NULL, "Content-Type: text/plain\r\n"},
    {"GET " STORE "/k?consistency=most", NULL, NULL, 500, NULL,
     "\"ERR_STATE_GET\",\"message\":\"fail to get k from state store "
     "statestore: unrecognized consistency 'most'"},
    {"DELETE " STORE "/k?concurrency=most", NULL, NULL, 500, NULL,
     "failed deleting state with key k: unrecognized concurrency"},
    {"GET " STORE "/k?x=%&consistency=%", NULL, NULL, 400, NULL,
     "ERR_BAD_REQUEST"},
    /* Bulk get. */
    {"POST " STORE "/bulk", NULL, "", 400, NULL, "ERR_MALFORMED_REQUEST"},
    {"POST " STORE "/bulk", NULL, "[]", 400, NULL, "must be a JSON object"},
    {"POST " STORE "/bulk", NULL, "{\"keys\":\"a\"}", 400, NULL, "an array"},
    {"POST " STORE "/bulk", NULL, "{\"keys\":[1]}", 400, NULL, "key 1"},
    {"POST " STORE "/bulk", NULL, "{\"keys\":[\"\"]}", 400, NULL, "required"},
    {"POST " STORE "/bulk", NULL, "{\"keys\":[\"a\",\"b||\"]}", 400, NULL,
     "'b||'"},
    {"POST " STORE "/bulk", NULL, "{\"keys\":[],\"parallelism\":\"x\"}", 400},
    {"POST " STORE "/bulk", NULL, "{\"keys\":[],\"metadata\":{\"a\":1}}", 400},
    /* Transactions. */
    {"POST " STORE "/transaction", NULL, "", 400, NULL, "MALFORMED"},
    {"POST " STORE "/transaction", NULL, "{\"operations\":{}}", 400},
    {"POST " STORE "/transaction", NULL, "{\"operations\":[1]}", 400},
    {"POST " STORE "/transaction", NULL, "{\"operations\":[{}]}", 400, NULL,
     "\"ERR_NOT_SUPPORTED_STATE_OPERATION\",\"message\":\"operation type  not "
     "supported\""},
    {"POST " STORE "/transaction", NULL,
     "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":\"k\"}},"
     "{\"operation\":\"Delete\",\"request\":{\"key\":\"k\"}}]}",
     400, NULL, "operation type Delete not supported"},
    {"POST " STORE "/transaction", NULL,
     "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":\"k\"}},"
     "{\"operation\":\"upsert\"}]}",
     400, NULL, "required field"},
    {"POST " STORE "/transaction", NULL,
     "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":\"k\"}},"
     "{\"operation\":\"upsert\",\"request\":{\"key\":\"k\",\"etag\":7}}]}",
     400, NULL, "in operation 2"},
    {"POST " STORE "/transaction", NULL,
     "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":\"k\"}},"
     "{\"operation\":\"delete\",\"request\":{\"key\":\"k||\"}}]}",
     400, NULL, "ILLEGAL_KEY"},
    {"POST " STORE "/transaction", NULL,
     "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":\"k\","
     "\"metadata\":{\"ttlInSeconds\":\"x\"}}}]}",
     500, NULL,
     "\"ERR_STATE_TRANSACTION\",\"message\":\"error while executing state "
     "transaction: ttlInSeconds"},
    {"POST " STORE "/transaction", NULL,
     "{\"operations\":[],\"metadata\":{\"a\":{}}}", 400},
    /* What is not there. */
    {"POST /v1.0-alpha1/state/statestore/query", NULL, "{}", 500,
     "{\"errorCode\":\"ERR_STATE_STORE_NOT_SUPPORTED\",\"message\":\"state "
     "store does not support querying\",\"details\":[{\"@type\":\"type."
     "googleapis.com/google.rpc.ResourceInfo\",\"resource_type\":\"state\","
     "\"resource_name\":\"statestore\",\"owner\":\"\",\"description\":\"state "
     "store does not support querying\"},{\"@type\":\"type.googleapis.com/"
     "google.rpc.ErrorInfo\",\"domain\":\"dapr.io\",\"metadata\":{\"appID\":"
     "\"kan\"},\"reason\":\"DAPR_STATE_QUERYING_NOT_SUPPORTED\"}]}"},
    {"GET /kan/v1/state/statestore?limit=0", NULL, NULL, 400, NULL, "limit"},
    {"GET /kan/v1/state/statestore?limit=1001", NULL, NULL, 400, NULL, "1000"},
    {"GET /kan/v1/state/statestore?limit=-1", NULL, NULL, 400, NULL, "limit"},
    {"GET /kan/v1/state/statestore?limit=", NULL, NULL, 400, NULL, "limit"},
    {"GET /kan/v1/state/statestore?limit=x", NULL, NULL, 400, NULL, "'x'"},
};

static void bad_input_changes_nothing(void **unused)
{
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, ((const struct step[]){
               {"POST " STORE, NULL, "[{\"key\":\"k\",\"value\":0}]", 204}}));
    uint64_t before = fixture_revision(f);
    RUN(f, bad_requests);
    assert_int_equal(fixture_revision(f), before);
    RUN(f, ((const struct step[]){{"GET " STORE "/k", NULL, NULL, 200, "0"}}));
    fixture_end(f);
}

/* A body of count copies of item, # in it being the number of the copy. Yours:
 * ask_many() frees it. */
static struct kan_slice many(const char *head, const char *item, int count,
                             const char *tail)
{
    struct buffer text = BUFFER_INIT;
    buffer_append_text(&text, head);
    for (int i = 0; i < count; i++) {
        struct kan_slice rest = kan_text(item);
        struct kan_slice before;
        if (i)
            buffer_append_byte(&text, ',');
        bool numbered = slice_cut(&rest, '#', &before);
        buffer_append(&text, before);
        if (numbered)
            buffer_append_u64(&text, (uint64_t)i);
        buffer_append(&text, rest);
    }
    buffer_append_text(&text, tail);
    assert_false(buffer_failed(&text));
    return buffer_slice(&text);
}

static const struct reply *ask_many(struct fixture *f, const char *line,
                                    struct kan_slice body)
{
    const struct reply *reply = fixture_ask(f, line, NULL, body);
    mem_free((void *)body.bytes);
    return reply;
}

static void many_items(void **unused)
{
    struct fixture *f = &fixture;
    const char *item = "{\"key\":\"k#\",\"value\":7}";
    const char *upsert =
        "{\"operation\":\"upsert\",\"request\":{\"key\":\"k#\",\"value\":8}}";
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    uint64_t before = fixture_revision(f);
    const struct reply *r =
        ask_many(f, "POST " STORE, many("[", item, 5000, "]"));
    assert_int_equal(r->status, 400);
    assert_true(contains(r->body, "5000 items"));
    r = ask_many(f, "POST " STORE "/transaction",
                 many("{\"operations\":[", upsert, 1025, "]}"));
    assert_int_equal(r->status, 400);
    assert_true(contains(r->body, "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS"));
    assert_true(contains(r->body,
                         "{\"currentOpsTransaction\":\"1025\","
                         "\"maxOpsPerTransaction\":\"1024\"}"));
    r = ask_many(f, "POST " STORE "/bulk",
                 many("{\"keys\":[", "\"k#\"", 1025, "]}"));
    assert_int_equal(r->status, 400);
    r = ask_many(f, "POST " STORE, many("[", "#", 100000, "]"));
    assert_int_equal(r->status, 400);
    assert_int_equal(fixture_revision(f), before);
    r = ask_many(f, "POST " STORE, many("[", item, 1024, "]"));
    assert_int_equal(r->status, 204);
    r = ask_many(f, "POST " STORE "/transaction",
                 many("{\"operations\":[", upsert, 1024, "]}"));
    assert_int_equal(r->status, 204);
    r = ask_many(f, "POST " STORE "/bulk",
                 many("{\"keys\":[", "\"k#\"", 1024, "]}"));
    assert_int_equal(r->status, 200);
    assert_true(contains(r->body, "{\"key\":\"k1023\",\"data\":8,\"etag\":\""));
    fixture_end(f);
}

static void long_and_deep(void **unused)
{
    struct fixture *f = &fixture;
    char *text = malloc(6 << 20);
    assert_non_null(text);
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    uint64_t before = fixture_revision(f);
    /* A key of 1,025 bytes, in a body and in a path. */
    char key[1026];
    memset(key, 'k', sizeof(key));
    key[1025] = 0;
    int size = snprintf(text, 4096, "[{\"key\":\"%s\",\"value\":1}]", key);
    const struct reply *r =
        fixture_ask(f, "POST " STORE, NULL, kan_slice(text, (size_t)size));
    assert_int_equal(r->status, 400);
    assert_true(contains(r->body, "longer"));
    snprintf(text, 4096, "GET " STORE "/%s", key);
    assert_int_equal(fixture_ask(f, text, NULL, (struct kan_slice){0})->status,
                     400);
    /* Nesting. */
    size = snprintf(text, 4096, "[{\"key\":\"k\",\"value\":");
    memset(text + size, '[', 100000);
    memset(text + size + 100000, ']', 100000);
    memcpy(text + size + 200000, "}]", 2);
    r = fixture_ask(f, "POST " STORE, NULL,
                    kan_slice(text, (size_t)size + 200002));
    assert_int_equal(r->status, 400);
    assert_true(contains(r->body, "nested"));
    /* More than a body may have: the server refuses by itself. */
    memset(text, ' ', 6 << 20);
    r = fixture_ask(f, "POST " STORE, NULL, kan_slice(text, 5 << 20));
    assert_int_equal(r->status, 400);
    assert_true(contains(r->body, "ERR_BODY_READ"));
    assert_int_equal(fixture_revision(f), before);
    free(text);
    fixture_end(f);
}

static void time_to_live(void **unused)
{
    /* The world's wall clock begins at 2026-01-01 and does not move here. */
    static const struct step steps[] = {
        {"POST " STORE, NULL,
         "[{\"key\":\"a\",\"value\":1,\"metadata\":{\"ttlinseconds\":\"60\"}},"
         "{\"key\":\"b\",\"value\":1,\"metadata\":{\"ttlInSeconds\":\"-1\"}}]",
         204},
        {"GET " STORE "/a", NULL, NULL, 200, "1", NULL,
         "metadata.ttlExpireTime: 2026-01-01T00:01:00"},
        {"POST " STORE "/bulk", NULL, "{\"keys\":[\"b\",\"a\"]}", 200, NULL,
         "\"metadata\":{\"ttlExpireTime\":\"2026-01-01T00:01:00"},
        /* The query wins over the item, and its first value over the second. */
        {"POST " STORE "?metadata.ttlInSeconds=120&metadata.ttlInSeconds=5",
         NULL,
         "[{\"key\":\"a\",\"value\":1,\"metadata\":{\"ttlInSeconds\":\"1\"}}]",
         204},
        {"GET " STORE "/a", NULL, NULL, 200, "1", NULL,
         "ttlExpireTime: 2026-01-01T00:02:00"},
        {"POST " STORE "/transaction", NULL,
         "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":"
         "\"c\",\"value\":1}},{\"operation\":\"upsert\",\"request\":{\"key\":"
         "\"d\",\"value\":1,\"metadata\":{\"ttlInSeconds\":\"3600\"}}}],"
         "\"metadata\":{\"ttlInSeconds\":\"60\"}}",
         204},
        {"GET " STORE "/c", NULL, NULL, 200, "1", NULL,
         "ttlExpireTime: 2026-01-01T00:01:00"},
        {"GET " STORE "/d", NULL, NULL, 200, "1", NULL,
         "ttlExpireTime: 2026-01-01T01:00:00"},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, steps);
    const struct reply *r =
        fixture_ask(f, "GET " STORE "/b", NULL, (struct kan_slice){0});
    assert_int_equal(r->status, 200);
    assert_null(strstr(r->head, "ttlExpireTime"));
    sim_run(f->world, sim_now(f->world) + 200 * (uint64_t)ENV_S);
    RUN(f, ((const struct step[]){{"GET " STORE "/a", NULL, NULL, 204}}));
    fixture_end(f);
}

static void bulk_get(void **unused)
{
    static const struct step steps[] = {
        {"POST " STORE "/bulk", NULL, "{}", 200, "[]"},
        {"POST " STORE "/bulk", NULL, "{\"keys\":null}", 200, "[]"},
        {"PUT " STORE "/bulk", NULL, "{\"keys\":[],\"metadata\":null}", 200,
         "[]"},
        {"POST " STORE, NULL, "[{\"key\":\"a\",\"value\":{ \"x\":[1] }}]", 204},
        {"POST " STORE "/bulk?consistency=strong", NULL,
         "{\"keys\":[\"no\",\"a\",\"a\"],\"parallelism\":10}", 200,
         "[{\"key\":\"no\"},"
         "{\"key\":\"a\",\"data\":{ \"x\":[1] },\"etag\":\"1\"},"
         "{\"key\":\"a\",\"data\":{ \"x\":[1] },\"etag\":\"1\"}]"},
        /* "bulk" is a key like any other to a get. */
        {"GET " STORE "/bulk", NULL, NULL, 204},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, steps);
    fixture_end(f);
}

static void on_written(struct state_write *write)
{
    *(bool *)write->data = true;
}

/* What a program that links libkan may store. */
static void store_raw(struct fixture *f, struct kan_slice key,
                      struct kan_slice value)
{
    bool done = false;
    struct state_op op = {.kind = STATE_SET, .key = key, .value = value};
    struct state_write write = {.data = &done, .ops = &op, .op_count = 1};
    assert_int_equal(state_write(f->states[0], &write, on_written), KAN_OK);
    fixture_run(f, &done);
    assert_int_equal(write.outcome, STATE_OK);
}

static void values_that_are_no_json(void **unused)
{
    static const char *const values[] = {"", "x", "1,\"data\":2", "1},{\"a\":1",
                                         "\"\xff\""};
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        store_raw(f, SLICE("a"), kan_text(values[i]));
        const struct reply *r = fixture_ask(f, "POST " STORE "/bulk", NULL,
                                            SLICE("{\"keys\":[\"a\"]}"));
        assert_int_equal(r->status, 200);
        assert_true(contains(r->body,
                             "[{\"key\":\"a\",\"error\":\"the value "
                             "is not JSON"));
        r = fixture_ask(f, "GET " STORE "/a", NULL, (struct kan_slice){0});
        assert_int_equal(r->status, 200);
        assert_true(slice_equal(r->body, kan_text(values[i])));
    }
    store_raw(f, SLICE("a"), SLICE(" [1] \n"));
    RUN(f, ((const struct step[]){{"POST " STORE "/bulk", NULL,
                                   "{\"keys\":[\"a\"]}", 200, NULL,
                                   "\"data\": [1] \n,\"etag\""}}));
    store_raw(f, SLICE("\xff"), SLICE("1"));
    RUN(f, ((const struct step[]){{"GET /kan/v1/state/statestore", NULL, NULL,
                                   500, NULL, "ERR_STATE_LIST"}}));
    fixture_end(f);
}

static void transactions(void **unused)
{
    static const struct step steps[] = {
        {"POST " STORE "/transaction", NULL, "{}", 204},
        {"POST " STORE "/transaction", NULL,
         "{\"operations\":[],\"metadata\":null}", 204},
        {"POST " STORE "/transaction", NULL,
         "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":"
         "\"a\",\"value\":[1]}},{\"Operation\":\"upsert\",\"Request\":"
         "{\"Key\":\"b\",\"Value\":2}}]}",
         204},
        {"GET " STORE "/a", NULL, NULL, 200, "[1]", NULL, "ETag: 1\r\n"},
        {"GET " STORE "/b", NULL, NULL, 200, "2", NULL, "ETag: 1\r\n"},
        /* All or nothing; a mismatch in here is a 500. */
        {"PUT " STORE "/transaction", NULL,
         "{\"operations\":[{\"operation\":\"delete\",\"request\":{\"key\":"
         "\"a\"}},{\"operation\":\"upsert\",\"request\":{\"key\":\"b\","
         "\"value\":3,\"etag\":\"9\"}}]}",
         500, NULL,
         "\"ERR_STATE_TRANSACTION\",\"message\":\"error while executing state "
         "transaction: possible etag mismatch"},
        {"GET " STORE "/a", NULL, NULL, 200, "[1]"},
        {"GET " STORE "/b", NULL, NULL, 200, "2"},
        {"PUT " STORE "/transaction", NULL,
         "{\"operations\":[{\"operation\":\"delete\",\"request\":{\"key\":"
         "\"a\",\"etag\":\"1\"}},{\"operation\":\"upsert\",\"request\":"
         "{\"key\":\"b\",\"value\":3,\"etag\":\"1\"}}]}",
         204},
        {"GET " STORE "/a", NULL, NULL, 204},
        {"GET " STORE "/b", NULL, NULL, 200, "3"},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, steps);
    fixture_end(f);
}

/* --- stores that can less ------------------------------------------------- */

static void weak_store(void **unused)
{
    static const struct step steps[] = {
        {"POST /v1.0/state/weak", NULL, "[{\"key\":\"a\",\"value\":1}]", 204},
        {"POST /v1.0/state/weak", NULL,
         "[{\"key\":\"a\",\"value\":2,\"options\":{\"consistency\":"
         "\"strong\"}}]",
         400, NULL, "ERR_STATE_STORE_NOT_STRONG"},
        {"GET /v1.0/state/weak/a?consistency=strong", NULL, NULL, 400, NULL,
         "ERR_STATE_STORE_NOT_STRONG"},
        {"DELETE /v1.0/state/weak/a?consistency=strong", NULL, NULL, 400, NULL,
         "ERR_STATE_STORE_NOT_STRONG"},
        {"GET /v1.0/state/weak/a?consistency=eventual", NULL, NULL, 200, "1"},
        {"POST /v1.0/state/weak", NULL,
         "[{\"key\":\"a\",\"metadata\":{\"ttlInSeconds\":\"1\"}}]", 500, NULL,
         "ERR_STATE_SAVE"},
        /* Before the body is looked at. */
        {"POST /v1.0/state/weak/transaction", NULL, "", 500,
         "{\"errorCode\":\"ERR_STATE_STORE_NOT_SUPPORTED\",\"message\":\"state "
         "store weak doesn't support transactions\",\"details\":[{\"@type\":"
         "\"type.googleapis.com/google.rpc.Help\",\"links\":[{\"description\":"
         "\"what each store supports\",\"url\":\"https://docs.dapr.io/"
         "reference/components-reference/supported-state-stores/\"}]},"
         "{\"@type\":\"type.googleapis.com/google.rpc.ResourceInfo\","
         "\"resource_type\":\"state\",\"resource_name\":\"weak\",\"owner\":"
         "\"\",\"description\":\"state store weak doesn't support "
         "transactions\"},{\"@type\":\"type.googleapis.com/google.rpc."
         "ErrorInfo\",\"domain\":\"dapr.io\",\"metadata\":{\"appID\":\"kan\"},"
         "\"reason\":\"DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED\"}]}"},
        {"GET /v1.0/metadata", NULL, NULL, 200, NULL,
         "{\"name\":\"weak\",\"type\":\"state.in-memory\",\"version\":\"v1\","
         "\"capabilities\":[\"ETAG\"]}"},
    };
    struct engine_promises promises = memory_promises;
    struct fixture *f = &fixture;
    (void)unused;
    promises.linearizable = false;
    promises.ops_max = 1;
    promises.expiry_ms = 0;
    fixture_begin(f, &promises);
    fixture_start(f, NULL);
    RUN(f, steps);
    fixture_end(f);
}

static void small_transactions(void **unused)
{
    struct engine_promises promises = memory_promises;
    struct fixture *f = &fixture;
    (void)unused;
    promises.ops_max = 3;
    fixture_begin(f, &promises);
    fixture_start(f, NULL);
    const struct reply *r =
        ask_many(f, "POST /v1.0/state/weak/transaction",
                 many("{\"operations\":[",
                      "{\"operation\":\"upsert\",\"request\":{\"key\":\"k#\"}}",
                      4, "]}"));
    assert_int_equal(r->status, 400);
    assert_true(contains(r->body,
                         "the transaction contains 4 operations, "
                         "which is more than what the state store "
                         "supports: 3"));
    fixture_end(f);
}

static void no_store(void **unused)
{
    static const struct step steps[] = {
        {"GET " STORE "/a", NULL, NULL, 500,
         "{\"errorCode\":\"ERR_STATE_STORE_NOT_CONFIGURED\",\"message\":"
         "\"state store statestore is not configured\",\"details\":[{\"@type\":"
         "\"type.googleapis.com/google.rpc.ErrorInfo\",\"domain\":\"dapr.io\","
         "\"metadata\":{\"appID\":\"orders\"},\"reason\":"
         "\"DAPR_STATE_NOT_CONFIGURED\"}]}"},
        {"GET /v1.0/metadata", NULL, NULL, 200, NULL, "{\"id\":\"orders\""},
    };
    struct serve_options options = {.store_count = 1, .app_id = "orders"};
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, &options);
    RUN(f, steps);
    fixture_end(f);
}

static void large_answers(void **unused)
{
    struct serve_options options = {.answer_max = 9};
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, &options);
    RUN(f,
        ((const struct step[]){
            {"POST " STORE, NULL,
             "[{\"key\":\"a\",\"value\":12345},{\"key\":\"b\",\"value\":1234}]",
             204},
            {"POST " STORE "/bulk", NULL, "{\"keys\":[\"a\",\"b\"]}", 200},
            {"POST " STORE "/bulk", NULL, "{\"keys\":[\"a\",\"a\"]}", 500, NULL,
             "ERR_STATE_BULK_GET"}}));
    fixture_end(f);
}

/* --- listing -------------------------------------------------------------- */

static void list_keys(void **unused)
{
    static const struct step steps[] = {
        {"GET /kan/v1/state/statestore", NULL, NULL, 200, "{\"keys\":[]}"},
        {"POST " STORE, NULL,
         "[{\"key\":\"b/1\"},{\"key\":\"a\"},{\"key\":\"b/2\"},"
         "{\"key\":\"b/\\u00e9 \\\"\"},{\"key\":\"c\"}]",
         204},
        {"GET /kan/v1/state/statestore?limit=2", NULL, NULL, 200, NULL,
         "\"after\":\"b/1\"}"},
        {"GET /kan/v1/state/statestore?limit=2&after=b/1", NULL, NULL, 200,
         NULL, "\"after\":\"b/\xc3\xa9 \\\"\"}"},
        {"GET /kan/v1/state/statestore?prefix=b%2F&after=b/1&limit=1000", NULL,
         NULL, 200, NULL, "{\"keys\":[{\"key\":\"b/2\",\"etag\":\""},
        {"GET /kan/v1/state/statestore?prefix=z", NULL, NULL, 200,
         "{\"keys\":[]}"},
        {"GET /kan/v1/state/statestore?after=c", NULL, NULL, 200,
         "{\"keys\":[]}"},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, steps);
    const struct reply *r = fixture_ask(f, "GET /kan/v1/state/statestore", NULL,
                                        (struct kan_slice){0});
    assert_int_equal(r->status, 200);
    assert_false(contains(r->body, "after"));
    assert_true(contains(r->body, "\"key\":\"c\""));
    fixture_end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(save_get_delete),
        cmocka_unit_test(etags),
        cmocka_unit_test(bad_input_changes_nothing),
        cmocka_unit_test(many_items),
        cmocka_unit_test(long_and_deep),
        cmocka_unit_test(time_to_live),
        cmocka_unit_test(bulk_get),
        cmocka_unit_test(values_that_are_no_json),
        cmocka_unit_test(transactions),
        cmocka_unit_test(weak_store),
        cmocka_unit_test(small_transactions),
        cmocka_unit_test(no_store),
        cmocka_unit_test(large_answers),
        cmocka_unit_test(list_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
