/* serve_actor_test.c - actors over a simulated stream: answers, every way in
 * which a call is refused, calls sent twice, a look at an actor, and messages
 * that were parked. */

#include "serve/http/serve_fixture.h"

/* --- a module ------------------------------------------------------------- */

struct box
{
    int64_t value;
    char label[16];
};
KAN_RECORD(box, 1, KAN_INT(box, value, 0, 100), KAN_TEXT(box, label));

struct put
{
    int64_t amount;
    char label[16];
};
KAN_RECORD(put, 1, KAN_INT(put, amount, 0, 50), KAN_TEXT(put, label));

struct holds
{
    int64_t value;
    char label[16];
};
KAN_RECORD(holds, 1, KAN_INT(holds, value, 0, 100), KAN_TEXT(holds, label));

KAN_RECORD_EMPTY(shake);
KAN_RECORD_EMPTY(spill);

static void on_put(kan_turn *turn, void *state, const void *message)
{
    struct box *box = state;
    const struct put *put = message;

    if (box->value + put->amount > 100) {
        kan_refuse(turn, "the \"box\" is full");
        return;
    }
    box->value += put->amount;
    memcpy(box->label, put->label, sizeof(box->label));
    struct holds holds = {.value = box->value};
    memcpy(holds.label, box->label, sizeof(holds.label));
    kan_reply(turn, &holds_record, &holds);
}

static void on_shake(kan_turn *turn, void *state, const void *message)
{
    (void)turn;
    (void)message;
    ((struct box *)state)->value = 1;
}

static void on_spill(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_claim(turn, false, "nothing is spilt");
}

static const struct kan_handler handlers[] = {{&put_record, on_put},
                                              {&shake_record, on_shake},
                                              {&spill_record, on_spill}};
static const struct kan_actor_type box = {
    .name = "box", .state = &box_record, KAN_HANDLERS(handlers)};
KAN_ACTORS(&box);

/* --- tests ---------------------------------------------------------------- */

#define BOX "/v1.0/actors/box/a/method/"

static struct fixture fixture;

static struct fixture *begin(void)
{
    struct fixture *f = &fixture;
    fixture_begin(f, NULL);
    fixture_actors(f, &kan_module);
    fixture_start(f, NULL);
    return f;
}

static void calls(void **unused)
{
    static const struct step steps[] = {
        {"POST " BOX "put", NULL, "{\"amount\":5,\"label\":\"x\\n<\"}", 200,
         "{\"value\":5,\"label\":\"x\\n\\u003c\"}", NULL,
         "Content-Type: application/json\r\n"},
        {"PUT " BOX "put?x=y", NULL, "{\"amount\":6}", 200,
         "{\"value\":11,\"label\":\"\"}"},
        /* No body is a message of zeros; no answer is an empty one. */
        {"GET " BOX "put", NULL, NULL, 200, "{\"value\":11,\"label\":\"\"}"},
        {"DELETE " BOX "shake", NULL, NULL, 200, "", NULL,
         "Content-Length: 0\r\n"},
        {"GET /v1.0/actors/box/other/method/put", NULL, NULL, 200,
         "{\"value\":0,\"label\":\"\"}"},
        {"GET /kan/v1/actors/box/a", NULL, NULL, 200, NULL,
         "{\"type\":\"box\",\"id\":\"a\",\"revision\":\""},
        {"GET /kan/v1/actors/box/a", NULL, NULL, 200, NULL,
         ",\"state\":{\"value\":1,\"label\":\"\"}}"},
        {"GET /kan/v1/actors/box/never", NULL, NULL, 204},
        /* Ids are decoded as keys are. */
        {"POST /v1.0/actors/box/a%20b/method/put", NULL, "{\"amount\":1}", 200},
        {"GET /kan/v1/actors/box/a+b", NULL, NULL, 200, NULL, "\"id\":\"a b\""},
    };
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    fixture_end(f);
}

static void refusals(void **unused)
{
    static const struct step steps[] = {
        {"POST " BOX "put", NULL, "{\"amount\":51}", 400,
         "{\"errorCode\":\"ERR_MALFORMED_REQUEST\",\"message\":\"amount: 51 is "
         "outside 0..50\"}"},
        {"POST " BOX "put", NULL, "{\"amonut\":5}", 400, NULL,
         "amonut: there is no such field; did you mean 'amount'?"},
        {"POST " BOX "put", NULL, "[]", 400, NULL, "ERR_MALFORMED_REQUEST"},
        {"POST " BOX "put", NULL, "{", 400, NULL, "ERR_MALFORMED_REQUEST"},
        {"POST " BOX "pit", NULL, NULL, 500,
         "{\"errorCode\":\"ERR_ACTOR_INVOKE_METHOD\",\"message\":\"error "
         "invoke actor method: error from actor service: (404) actor type box "
         "has no method 'pit'; did you mean 'put'?\"}"},
        {"POST " BOX "something", NULL, NULL, 500, NULL,
         "has no method 'something'; it has put, shake, spill"},
        {"POST /v1.0/actors/bax/a/method/put", NULL, NULL, 404,
         "{\"errorCode\":\"ERR_ACTOR_NO_ADDRESS\",\"message\":\"did not find "
         "address for actor 'bax/a'\"}"},
        {"GET /kan/v1/actors/bax/a", NULL, NULL, 404, NULL,
         "ERR_ACTOR_NO_ADDRESS"},
        {"POST /v1.0/actors/box/a%2Fb/method/put", NULL, NULL, 400, NULL,
         "\"ERR_BAD_REQUEST\",\"message\":\"invalid request: the actor id "},
        {"POST /v1.0/actors/b%23x/a/method/put", NULL, NULL, 400, NULL,
         "the actor type"},
        {"POST /v1.0/actors/box/%2E%2e/method/put", NULL, NULL, 400, NULL,
         "the actor id"},
        {"POST " BOX "a%00b", NULL, NULL, 400, NULL, "the method"},
        {"POST " BOX "a%5Cb", NULL, NULL, 400},
        {"POST " BOX "a%3Fb", NULL, NULL, 400},
        {"GET /kan/v1/actors/box/%01", NULL, NULL, 400},
        {"POST /v1.0/actors/box/"
         "0123456789012345678901234567890123456789012345678901234567890123"
         "/method/put",
         NULL, NULL, 400, NULL, "has at most 63 bytes"},
        {"GET /kan/v1/parked?after=x", NULL, NULL, 400, NULL,
         "after is not a key"},
        {"GET /kan/v1/parked", NULL, NULL, 200, "{\"parked\":[]}"},
    };
    (void)unused;
    struct fixture *f = begin();
    uint64_t before = fixture_revision(f);
    RUN(f, steps);
    assert_int_equal(fixture_revision(f), before);
    RUN(f, ((const struct step[]){
               {"POST " BOX "put", NULL, "{\"amount\":50}", 200},
               {"POST " BOX "put", NULL, "{\"amount\":50}", 200},
               {"POST " BOX "put", NULL, "{\"amount\":1}", 500,
                "{\"errorCode\":\"ERR_ACTOR_INVOKE_METHOD\",\"message\":"
                "\"error invoke actor method: error from actor service: (409) "
                "the \\\"box\\\" is full\"}"}}));
    fixture_end(f);
}

static void calls_sent_twice(void **unused)
{
#define ONCE(number) "kan-sender: me\r\nkan-number: " number "\r\n"
    static const struct step steps[] = {
        {"POST " BOX "put", ONCE("1"), "{\"amount\":5}", 200,
         "{\"value\":5,\"label\":\"\"}"},
        {"POST " BOX "put", ONCE("1"), "{\"amount\":5}", 200,
         "{\"value\":5,\"label\":\"\"}"},
        {"POST " BOX "put", ONCE("7"), "{\"amount\":5}", 200,
         "{\"value\":10,\"label\":\"\"}"},
        {"POST " BOX "put", ONCE("2"), "{\"amount\":5}", 500, NULL,
         "error invoke actor method: a later call of this sender was taken"},
        {"POST " BOX "put", "kan-sender: me\r\n", NULL, 400, NULL,
         "belong together"},
        {"POST " BOX "put", "kan-number: 9\r\n", NULL, 400},
        {"POST " BOX "put", ONCE("0"), NULL, 400},
        {"POST " BOX "put", ONCE("x"), NULL, 400},
        {"POST " BOX "put", "kan-sender: a/b\r\nkan-number: 1\r\n", NULL, 400},
        {"GET /kan/v1/actors/box/a", NULL, NULL, 200, NULL, "\"value\":10"},
    };
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    fixture_end(f);
}

/* A claim that does not hold is a crash; after three the message is parked. */
static void parked(void **unused)
{
    (void)unused;
    struct fixture *f = begin();
    bool found = false;
    for (int i = 0; i < 5 && !found; i++) {
        const struct reply *r = fixture_ask(f, "POST " BOX "spill", ONCE("1"),
                                            (struct kan_slice){0});
        assert_int_equal(r->status, 500);
        assert_true(contains(r->body, "error from actor service: (500) "));
        r = fixture_ask(f, "GET /kan/v1/parked", NULL, (struct kan_slice){0});
        assert_int_equal(r->status, 200);
        found = contains(r->body, "\"key\":\"");
    }
    assert_true(found);
    RUN(f, ((const struct step[]){
               {"GET /kan/v1/parked", NULL, NULL, 200, NULL,
                "\"actor\":\"box/a\",\"from\":\"client/"},
               {"GET /kan/v1/parked", NULL, NULL, 200, NULL,
                "\"method\":\"spill\",\"body\":{},\"why\":\""},
               {"GET /kan/v1/parked?after=ffff", NULL, NULL, 200,
                "{\"parked\":[]}"},
               {"POST " BOX "put", NULL, "{\"amount\":1}", 200},
               {"GET /metrics", NULL, NULL, 200, NULL,
                "\nkan_actor_parked_total 1\n"},
               {"GET /v1.0/metadata", NULL, NULL, 200, NULL,
                "\"actorRuntime\":{\"runtimeStatus\":\"RUNNING\",\"hostReady\":"
                "true,\"activeActors\":[{\"type\":\"box\"}]}"}}));
    fixture_end(f);
}

static void no_module(void **unused)
{
    struct fixture *f = &fixture;
    (void)unused;
    fixture_begin(f, NULL);
    fixture_start(f, NULL);
    RUN(f, ((const struct step[]){
               {"POST " BOX "put", NULL, "{}", 400,
                "{\"errorCode\":\"ERR_ACTOR_NO_PLACEMENT\",\"message\":"
                "\"placement service is not configured\"}"},
               {"GET /kan/v1/actors/box/a", NULL, NULL, 400, NULL,
                "ERR_ACTOR_NO_PLACEMENT"},
               {"GET /kan/v1/parked", NULL, NULL, 400, NULL,
                "ERR_ACTOR_NO_PLACEMENT"},
               {"GET /v1.0/metadata", NULL, NULL, 200, NULL,
                "\"actorRuntime\":{\"runtimeStatus\":\"DISABLED\"}"}}));
    fixture_end(f);
}

/* The 1st, 2nd, ... allocation fails, until none is left to fail: a call with
 * a number that failed is taken when it is sent again, once. */
static void faults(void **unused)
{
    static const struct step steps[] = {
        {"POST " BOX "put", ONCE("1"), "{\"amount\":7}", 200,
         "{\"value\":7,\"label\":\"\"}"},
        {"GET /kan/v1/actors/box/a", NULL, NULL, 200, NULL, "\"value\":7"},
        {"GET /kan/v1/parked", NULL, NULL, 200, "{\"parked\":[]}"},
        {"POST " BOX "pit", NULL, NULL, 500, NULL, "ERR_ACTOR"},
    };
    (void)unused;
    for (int sticky = 0; sticky < 2; sticky++) {
        struct fixture *f = begin();
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
            for (uint64_t n = 1;; n++) {
                struct kan_slice body = {0};
                assert_true(n < 2000);
                if (steps[i].body)
                    body = kan_text(steps[i].body);
                mem_fault(n, sticky == 1);
                const struct reply *r =
                    fixture_ask(f, steps[i].line, steps[i].headers, body);
                if (!f->struck || (r->status != 0 && r->status < 500))
                    step_check(&steps[i], r);
                if (!f->struck)
                    break;
            }
        fixture_end(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls),
        cmocka_unit_test(refusals),
        cmocka_unit_test(calls_sent_twice),
        cmocka_unit_test(parked),
        cmocka_unit_test(no_module),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
