/* serve_lock_test.c - locks over a simulated stream: Dapr's two calls word for
 * word, waiting in line, renewal, notice of loss, clients that go away, and
 * fences of state writes, on the locks' engine and on another. */

#include "serve/http/call.h"
#include "serve/http/serve_fixture.h"

#define TRY    "POST /v1.0-alpha1/lock/lockstore"
#define UNLOCK "POST /v1.0-alpha1/unlock/lockstore"
#define OWN    "/kan/v1/lock/lockstore"

#define NAMES "\"resourceId\":\"r\",\"lockOwner\":\"o\""

#define GRANTED "{\"success\":true}"
#define REFUSED "{\"success\":false}"

static struct fixture fixture;

static struct fixture *begin(bool second)
{
    struct fixture *f = &fixture;
    fixture_begin(f, second ? &memory_promises : NULL);
    fixture_locks(f);
    fixture_start(f, NULL);
    return f;
}

/* Time goes on, with nobody asking. */
static void pass(struct fixture *f, uint64_t ms)
{
    (void)sim_run(f->world, sim_now(f->world) + ms * ENV_MS);
}

/* --- Dapr's --------------------------------------------------------------- */

static void try_and_unlock(void **unused)
{
    static const struct step steps[] = {
        {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":60}", 200, GRANTED, NULL,
         "kan-fencing-token: 1\r\n"},
        {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":60}", 200, REFUSED},
        {TRY, NULL,
         "{\"resourceId\":\"r\",\"lockOwner\":\"p\",\"expiryInSeconds\":60}",
         200, REFUSED},
        {UNLOCK, NULL, "{\"resourceId\":\"r\",\"lockOwner\":\"p\"}", 200,
         "{\"status\":2}"},
        {UNLOCK, NULL, "{" NAMES "}", 200, "{\"status\":0}"},
        {UNLOCK, NULL, "{" NAMES "}", 200, "{\"status\":1}"},
        /* The names of protobuf, numbers as texts, what is not known. */
        {TRY, NULL,
         "{\"resource_id\":\"r\",\"lock_owner\":\"o\","
         "\"expiry_in_seconds\":\"60\",\"x\":[]}",
         200, GRANTED, NULL, "kan-fencing-token: 3\r\n"},
        {TRY, NULL,
         "{\"resourceId\":\"s\",\"lockOwner\":\"o\",\"expiryInSeconds\":60.0}",
         200, GRANTED},
    };
    (void)unused;
    struct fixture *f = begin(false);
    RUN(f, steps);
    assert_int_equal(lock_store_stats(f->lock_stores[0]).granted, 3);
    fixture_end(f);
}

static void order_of_checks(void **unused)
{
    static const struct step steps[] = {
        {TRY, NULL, "", 400,
         "{\"errorCode\":\"ERR_MALFORMED_REQUEST\",\"message\":"
         "\"ExpiryInSeconds is not positive in lock store lockstore\"}"},
        {"POST /v1.0-alpha1/lock/none", NULL, NULL, 400, NULL,
         "ExpiryInSeconds is not positive in lock store none"},
        {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":-1}", 400, NULL,
         "ExpiryInSeconds is not positive"},
        {"POST /v1.0-alpha1/lock/none", NULL,
         "{\"lockOwner\":\"o\",\"expiryInSeconds\":1}", 400,
         "{\"errorCode\":\"ERR_MALFORMED_REQUEST\",\"message\":"
         "\"ResourceId is empty in lock store none\"}"},
        {"POST /v1.0-alpha1/lock/none", NULL,
         "{\"resourceId\":\"a||b\",\"expiryInSeconds\":1}", 400,
         "{\"errorCode\":\"ERR_MALFORMED_REQUEST\",\"message\":"
         "\"LockOwner is empty in lock store none\"}"},
        {"POST /v1.0-alpha1/lock/none", NULL,
         "{\"resourceId\":\"a||b\",\"lockOwner\":\"o\",\"expiryInSeconds\":1}",
         400,
         "{\"errorCode\":\"ERR_LOCK_STORE_NOT_FOUND\",\"message\":"
         "\"lock store none not found\"}"},
        {TRY, NULL,
         "{\"resourceId\":\"a||b\",\"lockOwner\":\"o\",\"expiryInSeconds\":1}",
         500,
         "{\"errorCode\":\"ERR_TRY_LOCK\",\"message\":\"failed to try "
         "acquiring lock: input key/keyPrefix 'a||b' can't contain '||'\"}"},
        {UNLOCK, NULL, NULL, 400, NULL, "ResourceId is empty in lock store"},
        {UNLOCK, NULL, "{\"resourceId\":\"r\"}", 400, NULL,
         "LockOwner is empty in lock store"},
        {"POST /v1.0-alpha1/unlock/none", NULL, "{" NAMES "}", 400, NULL,
         "lock store none not found"},
        {UNLOCK, NULL, "{\"resourceId\":\"a||b\",\"lockOwner\":\"o\"}", 500,
         NULL, "\"ERR_UNLOCK\",\"message\":\"failed to release lock: "},
        {TRY, NULL, "[]", 400, NULL, "must be a JSON object"},
        {TRY, NULL, "{", 400, NULL, "ERR_MALFORMED_REQUEST"},
        {TRY, NULL, "{\"resourceId\":1}", 400, NULL, "must be a string"},
        {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":1.5}", 400, NULL,
         "must be a whole number"},
        {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":2147483648}", 400, NULL,
         "must be a whole number"},
    };
    (void)unused;
    struct fixture *f = begin(false);
    RUN(f, steps);
    assert_int_equal(fixture_revision(f), 0);
    fixture_end(f);
}

static void no_lock_store(void **unused)
{
    static const struct step steps[] = {
        {TRY, NULL, "{}", 400, NULL, "ExpiryInSeconds is not positive"},
        {TRY, NULL, "{\"expiryInSeconds\":1}", 500,
         "{\"errorCode\":\"ERR_LOCK_STORE_NOT_CONFIGURED\",\"message\":"
         "\"lock store is not configured\"}"},
        {UNLOCK, NULL, "{}", 500, NULL, "ERR_LOCK_STORE_NOT_CONFIGURED"},
        {"POST " OWN, NULL, "{}", 500, NULL, "ERR_LOCK_STORE_NOT_CONFIGURED"},
        {"GET " OWN "/r?token=1", NULL, NULL, 500, NULL,
         "ERR_LOCK_STORE_NOT_CONFIGURED"},
        {"POST " STORE "?metadata.fence=lockstore/r/1", NULL,
         "[{\"key\":\"a\"}]", 400, NULL, "lock store lockstore not found"},
    };
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, steps);
    fixture_end(f);
}

/* --- Kan's own ------------------------------------------------------------ */

static void wait_in_line(void **unused)
{
    (void)unused;
    struct fixture *f = begin(false);
    RUN(f,
        ((const struct step[]){
            {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":2}", 200, GRANTED},
            {"POST " OWN, NULL, "{" NAMES ",\"expiryMs\":500,\"waitMs\":1000}",
             200, REFUSED}}));
    /* The holder's lease ends while this one waits. */
    RUN(f,
        ((const struct step[]){
            {"POST " OWN, NULL,
             "{" NAMES ",\"expiryMs\":60000,\"waitMs\":10000}", 200, NULL,
             "{\"success\":true,\"token\":\"", "kan-fencing-token: "},
            {"POST " OWN, NULL, "{" NAMES ",\"expiryMs\":1}", 200, REFUSED}}));
    assert_true(sim_now(f->world) < UINT64_C(6000) * ENV_MS);
    fixture_end(f);
}

static void own_bodies(void **unused)
{
    static const struct step steps[] = {
        {"POST /kan/v1/lock/none", NULL, "{}", 400, NULL,
         "lock store none not found"},
        {"POST " OWN, NULL, "{}", 400, NULL, "ResourceId is empty"},
        {"POST " OWN, NULL, "{" NAMES "}", 400, NULL,
         "\\\"expiryMs\\\" must be at least 1"},
        {"POST " OWN, NULL, "{" NAMES ",\"expiryMs\":1,\"waitMs\":-1}", 400,
         NULL, "\\\"waitMs\\\" must not be negative"},
        {"POST " OWN, NULL, "{" NAMES ",\"expiryMs\":1,\"waitMs\":86400001}",
         400, NULL, "at most 86400000"},
        {"POST " OWN, NULL,
         "{\"resourceId\":\"a||\",\"lockOwner\":\"o\",\"expiryMs\":1}", 400,
         NULL, "ERR_MALFORMED_REQUEST"},
        {"POST /kan/v1/renew/lockstore", NULL, "{" NAMES ",\"token\":\"x\"}",
         400, NULL, "\\\"token\\\" must be one that was granted"},
        {"POST /kan/v1/renew/lockstore", NULL, "{" NAMES ",\"token\":0}", 400,
         NULL, "\\\"token\\\" must be"},
        {"POST /kan/v1/renew/lockstore", NULL, "{" NAMES ",\"token\":1}", 400,
         NULL, "\\\"expiryMs\\\" must be"},
        {"POST /kan/v1/unlock/lockstore", NULL, "{\"resourceId\":\"r\"}", 400,
         NULL, "LockOwner is empty"},
        {"GET " OWN "/r", NULL, NULL, 400, NULL, "as token=42"},
        {"GET " OWN "/r?token=0", NULL, NULL, 400, NULL, "as token=42"},
        {"GET " OWN "/r?token=1&waitMs=x", NULL, NULL, 400, NULL,
         "waitMs must be a number"},
        {"GET " OWN "/a%7C%7Cb?token=1", NULL, NULL, 400},
        {"GET " OWN "/r?token=%zz", NULL, NULL, 400, NULL, "percent escape"},
    };
    (void)unused;
    struct fixture *f = begin(false);
    RUN(f, steps);
    assert_int_equal(fixture_revision(f), 0);
    fixture_end(f);
}

static void renew_and_release(void **unused)
{
    (void)unused;
    struct fixture *f = begin(false);
    RUN(f, ((const struct step[]){
               {"POST " OWN, NULL, "{" NAMES ",\"expiryMs\":2000}", 200,
                "{\"success\":true,\"token\":\"1\",\"expiresInMs\":2000}"},
               {"POST /kan/v1/renew/lockstore", NULL,
                "{" NAMES ",\"token\":\"1\",\"expiryMs\":60000}", 200, NULL,
                "{\"success\":true,\"token\":\"1\",\"expiresInMs\":"}}));
    pass(f, 5000);
    RUN(f,
        ((const struct step[]){
            {"POST " OWN, NULL, "{" NAMES ",\"expiryMs\":1}", 200, REFUSED},
            {"POST /kan/v1/renew/lockstore", NULL,
             "{\"resourceId\":\"r\",\"lockOwner\":\"p\",\"expiryMs\":1}", 200,
             "{\"success\":false,\"status\":2}"},
            {"POST /kan/v1/renew/lockstore", NULL,
             "{\"resourceId\":\"r\",\"token\":99,\"expiryMs\":1}", 200,
             "{\"success\":false,\"status\":2}"},
            {"POST /kan/v1/unlock/lockstore", NULL,
             "{\"resourceId\":\"r\",\"token\":\"99\"}", 200, "{\"status\":2}"},
            {"POST /kan/v1/unlock/lockstore", NULL,
             "{\"resourceId\":\"r\",\"token\":\"1\"}", 200, "{\"status\":0}"},
            {"POST /kan/v1/unlock/lockstore", NULL,
             "{\"resourceId\":\"r\",\"token\":\"1\"}", 200, "{\"status\":1}"},
            {"POST /kan/v1/renew/lockstore", NULL,
             "{" NAMES ",\"token\":\"1\",\"expiryMs\":60000}", 200,
             "{\"success\":false,\"status\":1}"}}));
    fixture_end(f);
}

/* --- notice of loss ------------------------------------------------------- */

/* A request of another process of ours, so to say. */
struct other
{
    bool done;
    struct lock_request request;
};

static void other_done(struct lock_request *request)
{
    ((struct other *)request->data)->done = true;
}

static struct other *other_new(const char *owner, uint64_t token,
                               uint64_t expiry_ms)
{
    static struct other other;
    other = (struct other){.request = {.resource = SLICE("r"),
                                       .owner = kan_text(owner),
                                       .token = token,
                                       .expiry_ms = expiry_ms}};
    other.request.data = &other;
    return &other;
}

static void release_directly(struct fixture *f, uint64_t token)
{
    struct other *other = other_new("o", token, 0);
    assert_int_equal(
        lock_release(f->lock_stores[0], &other->request, other_done), KAN_OK);
    fixture_run(f, &other->done);
    assert_int_equal(other->request.outcome, LOCK_OK);
}

#define BARE(line) line " HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n"

/* Begin a request, and go on until it waits for what takes long. */
static void begin_waiting(struct fixture *f, const char *text)
{
    fixture_begin_send(f, "127.0.0.1:3500", kan_text(text));
    for (;;) {
        struct list *link = list_first(&f->serve->calls);
        if (link && list_entry(link, struct call, link)->patient)
            break;
        assert_true(sim_step(f->world));
    }
}

static void notice_of_loss(void **unused)
{
    (void)unused;
    struct fixture *f = begin(false);
    RUN(f, ((const struct step[]){
               {"GET " OWN "/r?token=1&waitMs=60000", NULL, NULL, 200,
                "{\"lost\":true}"}, /* there is no such grant */
               {"POST " OWN, NULL, "{" NAMES ",\"expiryMs\":60000}", 200, NULL,
                "\"token\":\"1\""},
               {"GET " OWN "/r?token=1&waitMs=0", NULL, NULL, 204},
               {"GET " OWN "/r?token=2&waitMs=0", NULL, NULL, 200,
                "{\"lost\":true}"},
               {"GET " OWN "/r?token=1&waitMs=1500", NULL, NULL, 204}}));
    assert_true(sim_now(f->world) >= UINT64_C(1500) * ENV_MS);
    /* It is released while somebody waits: told at once. */
    uint64_t before = sim_now(f->world);
    begin_waiting(f, BARE("GET " OWN "/r?token=1&waitMs=30000"));
    pass(f, 1000);
    release_directly(f, 1);
    fixture_gather(f);
    assert_non_null(strstr(f->reply.bytes, "{\"lost\":true}"));
    assert_true(sim_now(f->world) < before + UINT64_C(2000) * ENV_MS);
    /* Its lease ends while somebody waits. */
    RUN(f,
        ((const struct step[]){{TRY, NULL, "{" NAMES ",\"expiryInSeconds\":2}",
                                200, GRANTED, NULL, "kan-fencing-token: 3\r\n"},
                               {"GET " OWN "/r?token=3&waitMs=60000", NULL,
                                NULL, 200, "{\"lost\":true}"}}));
    assert_true(sim_now(f->world) < before + UINT64_C(6000) * ENV_MS);
    fixture_end(f);
}

/* It is released while we ask whether it is held. */
static void loss_while_asking(void **unused)
{
    (void)unused;
    struct fixture *f = begin(false);
    for (uint64_t token = 1; token < 20; token += 2) {
        struct step held = {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":60}",
                            200, GRANTED};
        char text[200];
        step_run(f, &held);
        (void)snprintf(text, sizeof(text),
                       BARE("GET " OWN "/r?token=%llu&waitMs=30000"),
                       (unsigned long long)token);
        begin_waiting(f, text);
        for (uint64_t i = 0; i < token / 2; i++)
            assert_true(sim_step(f->world));
        uint64_t before = sim_now(f->world);
        release_directly(f, token);
        fixture_gather(f);
        assert_non_null(strstr(f->reply.bytes, "{\"lost\":true}"));
        assert_true(sim_now(f->world) < before + UINT64_C(2000) * ENV_MS);
    }
    fixture_end(f);
}

/* A renewal is no loss, though the lease that was known before it ended. */
static void renewal_while_watched(void **unused)
{
    (void)unused;
    struct fixture *f = begin(false);
    RUN(f, ((const struct step[]){{"POST " OWN, NULL,
                                   "{" NAMES ",\"expiryMs\":2000}", 200, NULL,
                                   "\"token\":\"1\""}}));
    begin_waiting(f, BARE("GET " OWN "/r?token=1&waitMs=30000"));
    for (int i = 0; i < 3; i++) {
        struct other *other = other_new("o", 1, 3000);
        pass(f, 1500);
        assert_int_equal(
            lock_renew(f->lock_stores[0], &other->request, other_done), KAN_OK);
        fixture_run(f, &other->done);
        assert_int_equal(other->request.outcome, LOCK_OK);
    }
    assert_int_equal(f->reply.size, 0);
    uint64_t before = sim_now(f->world);
    fixture_gather(f);
    assert_non_null(strstr(f->reply.bytes, "{\"lost\":true}"));
    assert_true(sim_now(f->world) >= before + UINT64_C(2500) * ENV_MS);
    assert_true(sim_now(f->world) <= before + UINT64_C(5000) * ENV_MS);
    fixture_end(f);
}

/* --- clients that go away, and the end ------------------------------------ */

static void on_gone(void *data)
{
    *(bool *)data = true;
}

#define WAITING                                                          \
    "POST " OWN                                                          \
    " HTTP/1.1\r\nHost: k\r\nContent-Length: 66\r\n\r\n{\"resourceId\":" \
    "\"r\",\"lockOwner\":\"w\",\"expiryMs\":60000,\"waitMs\":60000}"

static void waiter_goes_away(void **unused)
{
    (void)unused;
    struct fixture *f = begin(false);
    struct step held = {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":60}", 200,
                        GRANTED};
    step_run(f, &held);
    /* Once after some time in line, once with the release on its heels. */
    for (int i = 0; i < 2; i++) {
        bool closed = false;
        begin_waiting(f, WAITING);
        pass(f, i ? 0 : 100);
        assert_int_equal(lock_store_stats(f->lock_stores[0]).waiting, 1);
        env_stream_close(f->stream, &closed, on_gone);
        fixture_run(f, &closed);
        if (i == 0) {
            pass(f, 100);
            assert_int_equal(lock_store_stats(f->lock_stores[0]).waiting, 0);
        }
        struct step release = {UNLOCK, NULL, "{" NAMES "}", 200,
                               "{\"status\":0}"};
        step_run(f, &release);
        pass(f, 2000);
        assert_int_equal(lock_store_stats(f->lock_stores[0]).waiting, 0);
        assert_int_equal(f->serve->call_count, 0);
        step_run(f, &held); /* nobody has it */
    }
    fixture_end(f);
}

/* What was granted to somebody who is gone is released. */
static void grant_to_nobody(void **unused)
{
    (void)unused;
    struct fixture *f = begin(false);
    fixture_begin_send(f, "127.0.0.1:3500", kan_text(WAITING));
    while (!f->serve->call_count)
        assert_true(sim_step(f->world));
    struct list *link = list_first(&f->serve->calls);
    list_entry(link, struct call, link)->gone = true;
    fixture_gather(f);
    assert_non_null(strstr(f->reply.bytes, "HTTP/1.1 500 "));
    assert_int_equal(lock_store_stats(f->lock_stores[0]).granted, 1);
    struct step held = {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":60}", 200,
                        GRANTED};
    step_run(f, &held);
    fixture_end(f);
}

static void on_serve_closed(void *data)
{
    ((struct fixture *)data)->closed = true;
}

/* Who waits does not hold up the end. */
static void the_end(void **unused)
{
    static const char *const requests[] = {
        WAITING, BARE("GET " OWN "/r?token=1&waitMs=60000")};
    static const char *const answers[] = {"HTTP/1.1 500 ", "HTTP/1.1 204 "};
    (void)unused;
    for (int i = 0; i < 2; i++) {
        struct fixture *f = begin(false);
        struct step held = {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":60}",
                            200, GRANTED};
        step_run(f, &held);
        begin_waiting(f, requests[i]);
        uint64_t before = sim_now(f->world);
        serve_close(f->serve, 30000, f, on_serve_closed);
        fixture_gather(f);
        assert_non_null(strstr(f->reply.bytes, answers[i]));
        fixture_run(f, &f->closed);
        assert_true(f->closed);
        assert_true(sim_now(f->world) < before + UINT64_C(5000) * ENV_MS);
        fixture_end(f);
    }
}

/* --- fences --------------------------------------------------------------- */

#define FENCE(token) "\"metadata\":{\"fence\":\"lockstore/a/r/" token "\"}"

static const struct step fence_bad[] = {
    {"POST " STORE "?metadata.fence=lockstore", NULL, "[{\"key\":\"a\"}]", 400,
     NULL, "fence 'lockstore' is not {lock store}/{resource}/{token}"},
    {"POST " STORE "?metadata.fence=lockstore/r", NULL, "[{\"key\":\"a\"}]",
     400, NULL, "is not {lock store}"},
    {"POST " STORE "?metadata.fence=lockstore/r/0", NULL, "[{\"key\":\"a\"}]",
     400, NULL, "is not {lock store}"},
    {"POST " STORE "?metadata.fence=lockstore/r/-1", NULL, "[{\"key\":\"a\"}]",
     400, NULL, "is not {lock store}"},
    {"POST " STORE "?metadata.fence=lockstore//1", NULL, "[{\"key\":\"a\"}]",
     400, NULL, "fence 'lockstore//1': "},
    {"POST " STORE "?metadata.fence=/r/1", NULL, "[{\"key\":\"a\"}]", 400},
    {"POST " STORE "?metadata.fence=lockstore/a%7C%7Cb/1", NULL,
     "[{\"key\":\"a\"}]", 400},
    {"POST " STORE "?metadata.fence=other/r/1", NULL, "[{\"key\":\"a\"}]", 400,
     NULL,
     "{\"errorCode\":\"ERR_LOCK_STORE_NOT_FOUND\",\"message\":\"fence "
     "'other/r/1': lock store other not found\"}"},
    {"POST " STORE, NULL,
     "[{\"key\":\"a\",\"metadata\":{\"fence\":\"lockstore/r/1\"}},"
     "{\"key\":\"b\",\"metadata\":{\"fence\":\"lockstore/r/2\"}}]",
     400, NULL, "is written under one fence"},
    {"POST " STORE, NULL, "[{\"key\":\"a\",\"metadata\":{\"fence\":1}}]", 400,
     NULL, "is not a text"},
    {"DELETE " STORE "/a?metadata.fence=x", NULL, NULL, 400, NULL,
     "is not {lock store}"},
};

static const struct step fence_refused[] = {
    {"POST " STORE, NULL, "[{\"key\":\"a\",\"value\":2," FENCE("9") "}]", 409,
     "{\"errorCode\":\"ERR_STATE_SAVE\",\"message\":\"failed saving state in "
     "state store statestore: the fence does not hold: the lock has been "
     "granted again, or its lease has ended; nothing was written\"}"},
    {"POST " STORE, NULL,
     "[{\"key\":\"b\",\"value\":2},{\"key\":\"c\"," FENCE("9") "}]", 409},
    {"DELETE " STORE "/a?metadata.fence=lockstore%2Fa/r%2F9", NULL, NULL, 409,
     NULL,
     "\"ERR_STATE_DELETE\",\"message\":\"failed deleting state with key "
     "a: the fence does not hold"},
    {"POST " STORE "/transaction", NULL,
     "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":\"b\"}}"
     "]," FENCE("9") "}",
     409, NULL,
     "\"ERR_STATE_TRANSACTION\",\"message\":\"error while "
     "executing state transaction: the fence does not hold"},
};

static void fence_on_the_same_engine(void **unused)
{
    (void)unused;
    struct fixture *f = begin(false);
    RUN(f, fence_bad);
    assert_int_equal(fixture_revision(f), 0);
    RUN(f, ((const struct step[]){
               {TRY, NULL,
                "{\"resourceId\":\"a/r\",\"lockOwner\":\"o\","
                "\"expiryInSeconds\":5}",
                200, GRANTED, NULL, "kan-fencing-token: 1\r\n"},
               {"POST " STORE, NULL,
                "[{\"key\":\"a\",\"value\":1," FENCE("1") "}]", 204}}));
    RUN(f, fence_refused);
    RUN(f,
        ((const struct step[]){
            {"GET " STORE "/b", NULL, NULL, 204},
            {"GET " STORE "/a", NULL, NULL, 200, "1", NULL, "ETag: 2\r\n"},
            /* The fence of the query wins. */
            {"POST " STORE "?metadata.fence=lockstore/a/r/1", NULL,
             "[{\"key\":\"a\",\"value\":3,\"etag\":\"2\"," FENCE("9") "}]",
             204},
            {"POST " STORE, NULL,
             "[{\"key\":\"a\",\"value\":4,\"etag\":\"2\"," FENCE("1") "}]", 409,
             NULL, "possible etag mismatch"},
            {"POST " STORE "/transaction", NULL,
             "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":"
             "\"b\",\"value\":5}},{\"operation\":\"delete\",\"request\":{"
             "\"key\":\"a\",\"etag\":\"3\"," FENCE("1") "}}]}",
             204},
            {"GET " STORE "/a", NULL, NULL, 204},
            {"DELETE " STORE "/b?metadata.fence=lockstore/a/r/1", NULL, NULL,
             204}}));
    /* A holder whose lease has ended is refused, though nobody else came. */
    pass(f, 7000);
    uint64_t before = fixture_revision(f);
    RUN(f, ((const struct step[]){
               {"POST " STORE, NULL, "[{\"key\":\"a\"," FENCE("1") "}]", 409},
               {"GET " STORE "/a", NULL, NULL, 204}}));
    assert_int_equal(fixture_revision(f), before);
    fixture_end(f);
}

#define FAR "?metadata.fence=farlock/r/"

static void fence_on_another_engine(void **unused)
{
    (void)unused;
    struct fixture *f = begin(true);
    RUN(f,
        ((const struct step[]){
            {"POST " STORE FAR "5", NULL,
             "[{\"key\":\"a\",\"value\":1},{\"key\":\"b\",\"value\":1}]", 204},
            {"POST " STORE FAR "5", NULL, "[{\"key\":\"a\",\"value\":2}]", 204},
            {"POST " STORE FAR "7", NULL, "[{\"key\":\"a\",\"value\":3}]", 204},
            {"POST " STORE FAR "5", NULL, "[{\"key\":\"a\",\"value\":4}]", 409,
             NULL, "the fence does not hold"},
            {"DELETE " STORE "/a" FAR "6", NULL, NULL, 409},
            {"POST " STORE "/transaction" FAR "6", NULL,
             "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":"
             "\"b\",\"value\":5}}]}",
             409},
            {"GET " STORE "/a", NULL, NULL, 200, "3"},
            {"GET " STORE "/b", NULL, NULL, 200, "1"},
            /* Each resource has a fence of its own. */
            {"POST " STORE "?metadata.fence=farlock/s/6", NULL,
             "[{\"key\":\"b\",\"value\":6}]", 204},
            {"POST " STORE FAR "8", NULL,
             "[{\"key\":\"a\",\"value\":7},{\"key\":\"b\",\"etag\":\"99\"}]",
             409, NULL, "possible etag mismatch"},
            {"GET " STORE "/a", NULL, NULL, 200, "3"},
            /* What was refused for its etag has not raised the fence. */
            {"DELETE " STORE "/a" FAR "7", NULL, NULL, 204},
            {"GET /kan/v1/state/statestore", NULL, NULL, 200, NULL,
             "{\"keys\":[{\"key\":\"b\","}}));
    fixture_end(f);
}

/* An engine that cannot keep a fence says so. */
static void fence_that_cannot_be(void **unused)
{
    struct fixture *f = &fixture;
    struct engine_promises small = memory_promises;
    (void)unused;
    small.ops_max = 1;
    fixture_begin(f, &small);
    fixture_locks(f);
    fixture_start(f, NULL);
    RUN(f, ((const struct step[]){
               {"POST /v1.0/state/weak?metadata.fence=lockstore/r/1", NULL,
                "[{\"key\":\"a\"}]", 400, NULL,
                "state store weak cannot take a fence: its engine needs "},
               {"POST /v1.0/state/weak?metadata.fence=farlock/r/1", NULL,
                "[{\"key\":\"a\"}]", 500, NULL,
                "state store weak doesn't support transactions"},
               {"GET /v1.0/state/weak/a", NULL, NULL, 204}}));
    fixture_end(f);
}

/* --- what is shown -------------------------------------------------------- */

static void shown(void **unused)
{
    (void)unused;
    struct fixture *f = begin(false);
    RUN(f,
        ((const struct step[]){
            {TRY, NULL, "{" NAMES ",\"expiryInSeconds\":60}", 200, GRANTED},
            {"GET /v1.0/metadata", NULL, NULL, 200, NULL,
             "{\"name\":\"lockstore\",\"type\":\"lock.in-memory\","
             "\"version\":\"v1\",\"capabilities\":[]}"},
            {"GET /metrics", NULL, NULL, 200, NULL,
             "\nkan_lock_granted_total{store=\"lockstore\"} 1\n"},
            {"GET /metrics", NULL, NULL, 200, NULL,
             "\nkan_http_requests_total{route=\"lock\",class=\"2xx\"} 1\n"}}));
    fixture_end(f);
}

/* --- failed allocations --------------------------------------------------- */

/* The 1st, 2nd, ... allocation fails, until none is left to fail. Whatever is
 * answered, a try that failed has granted nothing, and the next goes well. */
static void faults(void **unused)
{
    static const struct step steps[] = {
        {"POST " OWN, NULL, "{" NAMES ",\"expiryMs\":60000,\"waitMs\":10}", 200,
         NULL, "{\"success\":true,\"token\":\""},
        {"POST " STORE FAR "5", NULL, "[{\"key\":\"a\",\"value\":1}]", 204},
        {"GET " OWN "/q?token=1&waitMs=10", NULL, NULL, 200, "{\"lost\":true}"},
        {"POST /kan/v1/unlock/lockstore", NULL, "{" NAMES "}", 200, NULL,
         "{\"status\":"},
    };
    struct step release = {UNLOCK, NULL, "{" NAMES "}",
                           200,    NULL, "{\"status\":"};
    struct step free_again = {UNLOCK, NULL, "{" NAMES "}", 200,
                              "{\"status\":1}"};
    (void)unused;
    struct fixture *f = begin(true);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        for (uint64_t n = 1;; n++) {
            struct kan_slice body = {0};
            assert_true(n < 2000);
            if (steps[i].body)
                body = kan_text(steps[i].body);
            mem_fault(n, false);
            const struct reply *r = fixture_ask(f, steps[i].line, NULL, body);
            if (!f->struck || (r->status != 0 && r->status < 500))
                step_check(&steps[i], r);
            if (!f->struck)
                break;
            /* A bare 500 is the server's: the answer itself found no room. */
            if (i == 0 && r->status >= 500 && r->body.size) {
                pass(f, 1000);
                step_run(f, &free_again);
            }
            step_run(f, &release);
        }
    fixture_end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(try_and_unlock),
        cmocka_unit_test(order_of_checks),
        cmocka_unit_test(no_lock_store),
        cmocka_unit_test(wait_in_line),
        cmocka_unit_test(own_bodies),
        cmocka_unit_test(renew_and_release),
        cmocka_unit_test(notice_of_loss),
        cmocka_unit_test(loss_while_asking),
        cmocka_unit_test(renewal_while_watched),
        cmocka_unit_test(waiter_goes_away),
        cmocka_unit_test(grant_to_nobody),
        cmocka_unit_test(the_end),
        cmocka_unit_test(fence_on_the_same_engine),
        cmocka_unit_test(fence_on_another_engine),
        cmocka_unit_test(fence_that_cannot_be),
        cmocka_unit_test(shown),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
