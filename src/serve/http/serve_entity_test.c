/* serve_entity_test.c - entities, their events, views and sagas over a
 * simulated stream: answers, every way in which a request is refused, events as
 * they come, a reader that is too slow, and allocations that fail. */

#include "serve/http/serve_fixture.h"

/* --- a contract ----------------------------------------------------------- */

static const char contract_text[] =
    "record note { text_of_it: text(8)\n stars: optional int(0 .. 5) }\n"
    "type account {\n"
    "    owner: text(80)\n"
    "    balance: int(0 .. 1000)\n"
    "    held: int(0 .. 1000)\n"
    "    spare: int\n"
    "    marks: set(text(8), 2)\n"
    "    status: unopened | open | closed\n"
    "    invariant even: balance + held != 13\n"
    "    step open(name: text(80)) when status == unopened {\n"
    "        require name != \"\" else \"an account needs an owner\"\n"
    "        owner = name\n"
    "        status = open\n"
    "    }\n"
    "    step deposit(amount: int(1 .. 500)) when status == open {\n"
    "        balance += amount\n"
    "    }\n"
    "    step withdraw(amount: int(1 .. 500)) when status == open {\n"
    "        require amount <= balance else \"insufficient funds\"\n"
    "        balance -= amount\n"
    "    }\n"
    "    step spread(by: int) { spare = 9_000_000_000_000_000_000 / by\n"
    "        spare += spare }\n"
    "    step mark(as: text(8)) { marks += as }\n"
    "    step close when status == open { status = closed }\n"
    "    internal step hold(amount: int(1 .. 500)) when status == open {\n"
    "        require amount <= balance else \"insufficient funds\"\n"
    "        balance -= amount\n"
    "        held += amount\n"
    "    }\n"
    "    internal step release(amount: int(1 .. 500)) when amount <= held {\n"
    "        held -= amount\n"
    "        balance += amount\n"
    "    }\n"
    "    internal step settle(amount: int(1 .. 500)) when amount <= held {\n"
    "        held -= amount\n"
    "    }\n"
    "    view statement { balance: balance\n deposits: count(deposit) }\n"
    "    view bank over all { accounts: count(open)\n"
    "        money: sum(balance) + sum(held) }\n"
    "}\n"
    "type diary { last: text(4000)\n"
    "    step note(words: text(4000)) { last = words }\n"
    "    step tell(it: note, more: optional int) { last = it.text_of_it } }\n"
    "type cart version 1 { paid: bool = false\n"
    "    step pay when not paid { paid = true }\n"
    "    step forget { paid = false } }\n"
    "type cart version 2 { stage: filling | paid\n"
    "    step pay when stage == filling { stage = paid }\n"
    "    step ship when stage == paid { stage = filling } }\n"
    "upgrade cart 1 -> 2 {\n"
    "    up { stage = if old.paid then paid else filling }\n"
    "    down { paid = old.stage == paid }\n"
    "}\n"
    "type crate version 1 { n: int(0 .. 100) = 0\n step bye { n = 0 } }\n"
    "type crate version 2 { n: int(0 .. 100) = 0 }\n"
    "type crate version 3 { n: int(0 .. 10) = 0\n"
    "    invariant small: n < 8\n"
    "    step more { n += 1 } }\n"
    "upgrade crate 1 -> 2 { down { } }\n"
    "upgrade crate 2 -> 3 {\n"
    "    up { n = old.n }\n"
    "    down { n = if old.n == 1 then 9 else 50 }\n"
    "}\n"
    "saga transfer(from: account, to: account, amount: int(1 .. 500)) {\n"
    "    require from != to else \"the two accounts are one\"\n"
    "    from.hold(amount) undo from.release(amount)\n"
    "    to.deposit(amount)\n"
    "    then from.settle(amount)\n"
    "}\n";

#define ALICE "/v1.0/actors/account/alice/method/"
#define BOB   "/v1.0/actors/account/bob/method/"
#define SHOW  "/kan/v1/entities/account/alice"

static struct fixture fixture;
static struct serve_contracts contracts;
static struct serve_source source;
static struct contract *contract;
static bool ready;

static void on_ready(void *data, enum kan_err err, const char *why)
{
    (void)data;
    if (err != KAN_OK)
        fail_msg("the host is not ready: %s", why ? why : kan_err_text(err));
    ready = true;
}

static void on_closed(void *data)
{
    *(bool *)data = true;
}

static void end_contracts(struct fixture *f)
{
    bool closed = false;
    saga_host_close(contracts.sagas, &closed, on_closed);
    fixture_run(f, &closed);
    assert_true(closed);
    closed = false;
    view_host_close(contracts.views, &closed, on_closed);
    fixture_run(f, &closed);
    assert_true(closed);
    closed = false;
    entity_host_close(contracts.entities, &closed, on_closed);
    fixture_run(f, &closed);
    assert_true(closed);
    contract = contract_unref(contract);
}

static void open_hosts(struct fixture *f)
{
    struct buffer why = BUFFER_INIT;
    const struct entity_options entities = {.env = f->env,
                                            .engine = f->engines[0],
                                            .prefix = SLICE("entity||kan||"),
                                            .contract = contract};
    ready = false;
    assert_int_equal(
        entity_host_new(&entities, on_ready, &contracts.entities, &why),
        KAN_OK);
    fixture_run(f, &ready);
    assert_true(ready);
    const struct view_options views = {.env = f->env,
                                       .engine = f->engines[0],
                                       .entities = contracts.entities,
                                       .prefix = SLICE("view||kan||")};
    assert_int_equal(view_host_new(&views, &contracts.views, &why), KAN_OK);
    const struct saga_options sagas = {.env = f->env,
                                       .engine = f->engines[0],
                                       .entities = contracts.entities,
                                       .prefix = SLICE("saga||kan||")};
    assert_int_equal(saga_host_new(&sagas, &contracts.sagas, &why), KAN_OK);
    buffer_fini(&why);
}

static struct fixture *begin(void)
{
    struct fixture *f = &fixture;
    struct buffer faults = BUFFER_INIT;
    fixture_begin(f, NULL);
    contracts = (struct serve_contracts){0};
    if (contract_load(SLICE("test.kan"), kan_text(contract_text), &contract,
                      &faults) != KAN_OK)
        fail_msg("%s", buffer_text(&faults));
    buffer_fini(&faults);
    open_hosts(f);
    source = (struct serve_source){"test.kan", contract};
    contracts.engine = f->engines[0];
    contracts.sources = &source;
    contracts.source_count = 1;
    f->contracts = &contracts;
    f->end = end_contracts;
    fixture_start(f, NULL);
    return f;
}

/* --- steps and states ----------------------------------------------------- */

static void steps_and_states(void **unused)
{
    static const struct step steps[] = {
        {"POST " ALICE "open", NULL, "{\"name\":\"Alice\"}", 200, NULL,
         "{\"type\":\"account\",\"id\":\"alice\",\"version\":1,\"n\":1,"
         "\"revision\":",
         "ETag: \"1\"\r\n"},
        {"PUT " ALICE "deposit", NULL, "{\"amount\":500}", 200, NULL,
         "\"n\":2,", "kan-version: 1\r\n"},
        {"POST " ALICE "withdraw", "If-Match: \"2\"\r\n",
         "[{\"amount\":\"20\"}]", 200, NULL,
         "\"state\":{\"owner\":\"Alice\",\"balance\":480,\"held\":0,", NULL},
        {"POST " ALICE "deposit", "If-Match: 3\r\nkan-version: 1\r\n", "[1]",
         200, NULL, "\"n\":4,"},
        {"GET " SHOW, NULL, NULL, 200, NULL, "\"balance\":481,",
         "ETag: \"4\"\r\n"},
        {"GET " SHOW "?at=2", NULL, NULL, 200, NULL, "\"balance\":500,",
         "ETag: \"2\"\r\n"},
        {"GET " SHOW "?at=1&version=1", NULL, NULL, 200, NULL,
         "\"balance\":0,"},
        {"GET " SHOW "?at=0", NULL, NULL, 200, NULL,
         "\"version\":1,\"n\":0,\"revision\":0,\"state\":{\"owner\":\"\",",
         "ETag: \"0\"\r\n"},
        {"GET " SHOW "?at=5", NULL, NULL, 404, NULL,
         "\"message\":\"account 'alice': the entity is at n 4: there is no "
         "event 5 yet\""},
        {"GET " SHOW "?at=18446744073709551615", NULL, NULL, 404, NULL,
         "is at n 4"},
        {"GET /kan/v1/entities/account/bob?at=0", NULL, NULL, 404, NULL,
         "\"there is no account 'bob'\""},
        {"GET /kan/v1/entities/account", NULL, NULL, 200,
         "{\"entities\":[{\"id\":\"alice\"}]}"},
        {"POST " BOB "open?version=1", NULL, "{\"name\":\"Bob\"}", 200},
        {"GET /kan/v1/entities/account?limit=1", NULL, NULL, 200,
         "{\"entities\":[{\"id\":\"alice\"}],\"after\":\"alice\"}"},
        {"GET /kan/v1/entities/account?limit=1&after=alice", NULL, NULL, 200,
         "{\"entities\":[{\"id\":\"bob\"}]}"},
        {"GET /kan/v1/entities/account?prefix=b", NULL, NULL, 200,
         "{\"entities\":[{\"id\":\"bob\"}]}"},
        {"GET /v1.0/metadata", NULL, NULL, 200, NULL,
         "\"activeActors\":[{\"type\":\"account\"},{\"type\":\"diary\"},{"
         "\"type\":\"cart\"},{\"type\":\"crate\"}]"},
        {"GET /kan/v1/contracts", NULL, NULL, 200, NULL,
         "{\"contracts\":[{\"source\":\"test.kan\",\"types\":[{\"type\":"
         "\"account\",\"versions\":[{\"version\":1,\"hash\":\""},
        {"GET /kan/v1/contracts", NULL, NULL, 200, NULL,
         "\"sagas\":[\"transfer\"]}]"},
        {"GET /metrics", NULL, NULL, 200, NULL,
         "\nkan_entity_requests_total{type=\"account\",outcome=\"taken\"} 5\n"},
        {"GET /metrics", NULL, NULL, 200, NULL, "\nkan_sagas_running 0\n"},
        {"GET /metrics", NULL, NULL, 200, NULL,
         "\nkan_view_lag_revisions{type=\"account\"} "},
    };
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    fixture_end(f);
}

static void idempotency(void **unused)
{
#define KEY(key) "Idempotency-Key: " key "\r\n"
    static const struct step steps[] = {
        {"POST " ALICE "open", NULL, "{\"name\":\"Alice\"}", 200},
        {"POST " ALICE "deposit", KEY("k"), "{\"amount\":5}", 200, NULL,
         "\"n\":2,"},
        {"POST " ALICE "deposit", NULL, "{\"amount\":7}", 200, NULL,
         "\"n\":3,"},
        /* The state as it was, not as it is. */
        {"POST " ALICE "deposit", KEY("k"), "{\"amount\":5}", 200, NULL,
         "\"balance\":5,", "kan-replayed: true\r\n"},
        {"POST " ALICE "deposit", KEY("k"), "{\"amount\":6}", 422, NULL,
         "\"errorCode\":\"ERR_IDEMPOTENCY_KEY_REUSED\"",
         "Content-Type: application/problem+json\r\n"},
        {"POST " ALICE "withdraw", KEY("k"), "{\"amount\":5}", 422},
        /* Of another entity it is another key. */
        {"POST " BOB "open", KEY("k"), "{\"name\":\"Bob\"}", 200},
        {"POST " ALICE "deposit", "Idempotency-Key:\r\n", "{\"amount\":6}", 400,
         NULL, "1 to 255 bytes"},
        {"GET " SHOW, NULL, NULL, 200, NULL, "\"balance\":12,"},
    };
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    fixture_end(f);
}

/* --- refusals ------------------------------------------------------------- */

static void refusals(void **unused)
{
    static const char problem[] = "Content-Type: application/problem+json\r\n";
    static const struct step steps[] = {
        {"POST " ALICE "deposit", NULL, "{\"amount\":5}", 409, NULL,
         "\"type\":\"urn:kan:problem:guard\"", problem},
        {"POST " ALICE "deposit", NULL, "{\"amount\":5}", 409, NULL,
         "\"instance\":\"" ALICE "deposit\",\"errorCode\":"
         "\"ERR_ENTITY_REFUSED\",\"message\":\""},
        {"POST " ALICE "deposit", NULL, "{\"amount\":5}", 409, NULL,
         "\"step\":\"deposit\",\"guard\":\"status == open\",\"values\":{"
         "\"status\":\"unopened\"}}"},
        {"POST " ALICE "open", NULL, "{\"name\":\"\"}", 409, NULL,
         "\"detail\":\"an account needs an owner\""},
        {"POST " ALICE "spread", NULL, "{\"by\":0}", 409, NULL,
         "urn:kan:problem:division", problem},
        {"POST /v1.0/actors/diary/d/method/tell", NULL,
         "{\"it\":{\"text_of_it\":\"x\"},\"more\":null}", 200, NULL,
         "{\"last\":\"x\"}"},
        {"POST " ALICE "spread", NULL, "{\"by\":0}", 409, NULL,
         "\"detail\":\"spare cannot be set: 9_000_000_000_000_000_000 / by "
         "divides by zero\""},
        {"POST " ALICE "spread", NULL, "{\"by\":0}", 409, NULL,
         "\"field\":\"spare\",\"expression\":\"9_000_000_000_000_000_000 / "
         "by\",\"values\":{\"by\":0}}"},
        {"POST " ALICE "spread", NULL, "{\"by\":1}", 409, NULL,
         "urn:kan:problem:overflow", problem},
        {"POST " ALICE "open", NULL, "{\"name\":\"Alice\"}", 200},
        {"POST " ALICE "withdraw", NULL, "{\"amount\":5}", 409, NULL,
         "\"require\":\"amount \\u003c= balance\",\"values\":{", problem},
        {"POST " ALICE "deposit", NULL, "{\"amount\":13}", 409, NULL,
         "\"invariant\":\"even\"", problem},
        {"POST " ALICE "deposit", NULL, "{\"amount\":500}", 200},
        {"POST " ALICE "deposit", NULL, "{\"amount\":500}", 200},
        {"POST " ALICE "deposit", NULL, "{\"amount\":500}", 409, NULL,
         "\"field\":\"balance\",\"value\":1500,\"min\":0,\"max\":1000",
         problem},
        {"POST " ALICE "mark", NULL, "{\"as\":\"a\"}", 200},
        {"POST " ALICE "mark", NULL, "{\"as\":\"b\"}", 200},
        {"POST " ALICE "mark", NULL, "{\"as\":\"c\"}", 409, NULL,
         "\"field\":\"marks\",\"max\":2", problem},
        {"POST " ALICE "deposit", "If-Match: \"2\"\r\n", "{\"amount\":1}", 412,
         NULL, ",\"n\":5}", problem},
        {"POST " ALICE "deposit", "If-Match: 0\r\n", "{\"amount\":1}", 412,
         NULL, "\"errorCode\":\"ERR_ENTITY_STALE\""},
        {"GET " SHOW, NULL, NULL, 200, NULL, "\"n\":5,"},
    };
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    fixture_end(f);
}

static void wrong_requests(void **unused)
{
    static const struct step steps[] = {
        {"POST " ALICE "open", NULL, "{\"nam\":\"x\"}", 400, NULL, "nam"},
        {"POST " ALICE "open", NULL, "{\"name\":5}", 400, NULL,
         "\"errorCode\":\"ERR_MALFORMED_REQUEST\",\"message\":\"name"},
        {"POST " ALICE "open", NULL, "{}", 400, NULL, "name"},
        {"POST /v1.0/actors/diary/d/method/tell", NULL,
         "{\"it\":{\"text_of_it\":\"x\"}}", 400, NULL,
         "\"message\":\"more: missing, expected optional int\""},
        {"POST /v1.0/actors/diary/d/method/tell", NULL,
         "{\"it\":{},\"more\":null}", 400, NULL,
         "\"message\":\"it.text_of_it: missing, expected text(8)\""},
        {"POST " ALICE "open", NULL, "{", 400, NULL, "ERR_MALFORMED_REQUEST"},
        {"POST " ALICE "open", NULL, "[]", 400, NULL, "name: missing"},
        {"POST " ALICE "open", NULL, "5", 400, NULL, "is not a JSON object"},
        {"POST " ALICE "open", NULL, "[\"a\",2]", 400, NULL,
         "more than the 1 arguments of the step"},
        {"POST " ALICE "open", NULL, "[2]", 400, NULL, "name: expected"},
        {"POST " ALICE "open", NULL, "[[\"a\"]]", 400, NULL, "name: expected"},
        {"POST " ALICE "deposit", NULL, "{\"amount\":501}", 400, NULL,
         "\"message\":\"amount: 501 is not in 1 .. 500\""},
        {"POST " ALICE "opne", NULL, "{}", 404, NULL,
         "account has no step 'opne'; did you mean 'open'?"},
        {"POST " ALICE "something", NULL, "{}", 404, NULL, "; there is open, "},
        {"POST " ALICE "hold", NULL, "{\"amount\":1}", 404, NULL,
         "it is internal: sagas alone take it"},
        {"POST /v1.0/actors/acount/a/method/open", NULL, "{}", 404, NULL,
         "\"errorCode\":\"ERR_ACTOR_NO_ADDRESS\",\"message\":\"no contract has "
         "the type 'acount'; did you mean 'account'?\""},
        {"POST /v1.0/actors/account/a%2Fb/method/open", NULL, "{}", 400, NULL,
         "is no id"},
        {"GET " ALICE "open", NULL, NULL, 400, NULL, "with POST or PUT"},
        {"DELETE " ALICE "open", NULL, NULL, 400},
        {"POST " ALICE "open", "kan-version: x\r\n", "{}", 400, NULL,
         "kan-version must be"},
        {"POST " ALICE "open?version=0", NULL, "{}", 400, NULL, "version must"},
        {"POST " ALICE "open", "kan-version: 9\r\n", "{\"name\":\"x\"}", 404,
         NULL, "ERR_ENTITY_NO_VERSION"},
        {"POST " ALICE "open", "If-Match: x\r\n", "{}", 400, NULL, "If-Match"},
        {"POST " ALICE "open", "If-Match: 0\r\nIf-Match: 1\r\n",
         "{\"name\":\"x\"}", 400, NULL, "2 headers If-Match: send one"},
        {"POST " ALICE "open", KEY("a") KEY("b"), "{\"name\":\"x\"}", 400, NULL,
         "2 headers Idempotency-Key: send one"},
        {"DELETE " SHOW, "If-Match: 0\r\nif-match: 0\r\n", NULL, 400, NULL,
         "2 headers If-Match"},
        {"POST /kan/v1/sagas/transfer", KEY("a") KEY("a"), "{}", 400, NULL,
         "2 headers Idempotency-Key"},
        {"GET " SHOW, NULL, NULL, 404, NULL,
         "\"errorCode\":\"ERR_ENTITY_NOT_FOUND\",\"message\":\"there is no "
         "account 'alice'\""},
        {"GET " SHOW "?at=x", NULL, NULL, 400, NULL, "at must be a number"},
        {"GET /kan/v1/entities/none/x", NULL, NULL, 404, NULL,
         "ERR_ENTITY_NO_TYPE"},
        {"GET /kan/v1/entities/none", NULL, NULL, 404, NULL,
         "ERR_ENTITY_NO_TYPE"},
        {"GET /kan/v1/entities/account?limit=0", NULL, NULL, 400, NULL,
         "limit must"},
        {"GET /kan/v1/entities/account?limit=1001", NULL, NULL, 400},
        {"GET /kan/v1/entities/none/x/events", NULL, NULL, 404},
        {"GET " SHOW "/events?after=-1", NULL, NULL, 400, NULL, "after must"},
        {"GET " SHOW "/events",
         "Accept: text/event-stream\r\nLast-Event-ID: "
         "x\r\n",
         NULL, 400, NULL, "Last-Event-ID must be"},
        {"DELETE " SHOW, NULL, NULL, 404},
        {"DELETE " SHOW "?erase=maybe", NULL, NULL, 400, NULL, "erase must be"},
        {"POST " SHOW "/upgrade", NULL, "{\"version\":0}", 400, NULL,
         "version: "},
        {"POST " SHOW "/upgrade", NULL, "7", 400},
        {"GET /kan/v1/parked", NULL, NULL, 400, NULL, "ERR_ACTOR_NO_PLACEMENT"},
    };
    (void)unused;
    struct fixture *f = begin();
    /* Once it is counted, the view has written where it stands. */
    RUN(f, ((const struct step[]){
               {"GET /kan/v1/views/account/bank", NULL, NULL, 200}}));
    uint64_t before = fixture_revision(f);
    RUN(f, steps);
    assert_int_equal(fixture_revision(f), before);
    fixture_end(f);
}

static void no_contract(void **unused)
{
    static const struct step steps[] = {
        {"GET " SHOW, NULL, NULL, 404, NULL, "ERR_CONTRACT_NOT_SERVED"},
        {"GET /kan/v1/entities/account", NULL, NULL, 404},
        {"GET " SHOW "/events", NULL, NULL, 404},
        {"GET " SHOW "/views/statement", NULL, NULL, 404},
        {"GET /kan/v1/views/account/bank", NULL, NULL, 404},
        {"POST /kan/v1/sagas/transfer", NULL, "{}", 404},
        {"GET /kan/v1/sagas/transfer/x", NULL, NULL, 404},
        {"DELETE " SHOW, NULL, NULL, 404},
        {"POST " SHOW "/upgrade", NULL, NULL, 404},
        {"GET /kan/v1/contracts", NULL, NULL, 200, "{\"contracts\":[]}"},
        {"POST " ALICE "open", NULL, "{}", 400, NULL, "ERR_ACTOR_NO_PLACEMENT"},
    };
    (void)unused;
    fixture_begin(&fixture, NULL);
    fixture_start(&fixture, NULL);
    RUN(&fixture, steps);
    fixture_end(&fixture);
}

/* --- versions, deletion --------------------------------------------------- */

static void versions(void **unused)
{
#define CART "/v1.0/actors/cart/c/method/"
#define KART "/kan/v1/entities/cart/c"
    static const struct step steps[] = {
        {"POST " CART "pay", NULL, "{}", 200, NULL, "\"version\":2,\"n\":1,"},
        {"GET " KART "?version=1", NULL, NULL, 200, NULL, "{\"paid\":true}",
         "kan-version: 1\r\n"},
        {"POST " CART "ship", "kan-version: 1\r\n", "{}", 404, NULL,
         "no step 'ship' in the version asked for; a later one has"},
        {"POST " CART "forget", "kan-version: 1\r\n", "{}", 410, NULL,
         "urn:kan:problem:step-gone",
         "Content-Type: application/problem+json\r\n"},
        {"POST " KART "/upgrade", NULL, "{\"version\":1}", 200, NULL,
         "{\"type\":\"cart\",\"id\":\"c\",\"n\":2,\"version\":1}"},
        {"GET " KART, NULL, NULL, 200, NULL, "\"version\":1,\"n\":2,"},
        {"POST " KART "/upgrade", NULL, NULL, 200, NULL, "\"n\":3"},
        {"POST " KART "/upgrade", NULL, "{\"version\":2}", 200, NULL,
         "\"n\":3"},
        {"POST " KART "/upgrade", NULL, "{\"version\":3}", 404, NULL,
         "ERR_ENTITY_NO_VERSION"},
        {"DELETE " KART, "If-Match: 1\r\n", NULL, 412},
        {"DELETE " KART, "If-Match: \"3\"\r\n", NULL, 200},
        {"GET " KART, NULL, NULL, 404},
        {"GET " KART "/events", NULL, NULL, 200, NULL, "\"event\":\"deleted\""},
        {"POST " CART "pay", NULL, "{}", 200, NULL, "\"n\":5,"},
        {"DELETE " KART "?erase=true", NULL, NULL, 200},
        {"GET " KART "?at=1", NULL, NULL, 410, NULL,
         "\"errorCode\":\"ERR_ENTITY_GONE\""},
        {"GET " KART "/events", NULL, NULL, 200, NULL, "\"event\":\"erased\""},
    };
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    fixture_end(f);
}

static void entities_that_do_not_fit(void **unused)
{
#define CRATE "/v1.0/actors/crate/"
#define SHELF "/kan/v1/entities/crate/"
    static const char problem[] = "Content-Type: application/problem+json\r\n";
    static const struct step steps[] = {
        {"POST " CRATE "a/method/bye", "kan-version: 1\r\n", "{}", 410, NULL,
         "step bye is gone since version 2"},
        {"POST " CRATE "a/method/more", NULL, "{}", 200, NULL, "\"n\":1"},
        {"POST " SHELF "a/upgrade", NULL, "{\"version\":2}", 200},
        {"POST " CRATE "a/method/more", NULL, "{}", 409, NULL,
         "\"type\":\"urn:kan:problem:upgrade\"", problem},
        {"POST " CRATE "a/method/more", NULL, "{}", 409, NULL,
         "\"step\":\"more\",\"version\":3,\"invariant\":\"small\","
         "\"condition\":\"n \\u003c 8\",\"values\":{\"n\":9}}"},
        {"POST " SHELF "a/upgrade", NULL, NULL, 409, NULL,
         "urn:kan:problem:upgrade", problem},
        {"POST " SHELF "a/upgrade", NULL, NULL, 409, NULL,
         ",\"version\":3,\"invariant\":\"small\","
         "\"condition\":\"n \\u003c 8\",\"values\":{\"n\":9}}"},
        {"GET " SHELF "a", NULL, NULL, 200, NULL, "\"version\":2,\"n\":2,"},
        {"POST " CRATE "b/method/more", NULL, "{}", 200},
        {"POST " CRATE "b/method/more", NULL, "{}", 200},
        {"POST " SHELF "b/upgrade", NULL, "{\"version\":1}", 200},
        {"POST " CRATE "b/method/more", NULL, "{}", 409, NULL,
         "\"step\":\"more\",\"version\":3,\"field\":\"n\",\"value\":50,"
         "\"min\":0,\"max\":10,\"values\":{}}"},
    };
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    fixture_end(f);
}

/* --- views, sagas --------------------------------------------------------- */

static void views(void **unused)
{
    static const struct step steps[] = {
        {"POST " ALICE "open", NULL, "{\"name\":\"Alice\"}", 200},
        {"POST " ALICE "deposit", NULL, "{\"amount\":30}", 200},
        {"GET " SHOW "/views/statement", NULL, NULL, 200, NULL,
         "{\"type\":\"account\",\"id\":\"alice\",\"view\":\"statement\","
         "\"version\":1,\"n\":2,\"revision\":"},
        {"GET " SHOW "/views/statement", NULL, NULL, 200, NULL,
         "\"values\":{\"balance\":30,\"deposits\":1}}"},
        {"GET " SHOW "/views/statement?version=1", NULL, NULL, 400, NULL,
         "in the version that it is in: leave version out; GET " SHOW},
        {"GET " SHOW "/views/statement?at=1", NULL, NULL, 400, NULL,
         "leave at out"},
        {"GET " SHOW "/views/statement", "kan-version: 1\r\n", NULL, 400, NULL,
         "leave kan-version out"},
        {"GET " SHOW "/views/bank", NULL, NULL, 404, NULL,
         "that one is over all"},
        {"GET " SHOW "/views/none", NULL, NULL, 404, NULL,
         "ERR_VIEW_NOT_FOUND"},
        {"GET /kan/v1/entities/account/no/views/statement", NULL, NULL, 404},
        {"GET /kan/v1/views/account/statement", NULL, NULL, 404, NULL,
         "that one is of each entity"},
        {"GET /kan/v1/views/account/none", NULL, NULL, 404, NULL,
         "ERR_VIEW_NOT_FOUND"},
        {"GET /kan/v1/views/none/bank", NULL, NULL, 404, NULL,
         "ERR_ENTITY_NO_TYPE"},
        {"GET /kan/v1/views/account/bank?at_least=x", NULL, NULL, 400},
        {"GET /kan/v1/views/account/bank?at_least=9999999&waitMs=50", NULL,
         NULL, 504, NULL, "ERR_VIEW_BEHIND"},
    };
    char line[96];
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    snprintf(line, sizeof line, "GET /kan/v1/views/account/bank?at_least=%llu",
             (unsigned long long)fixture_revision(f));
    const struct step read = {
        line, NULL, NULL,
        200,  NULL, "\"values\":{\"accounts\":1,\"money\":30}}"};
    step_run(f, &read);
    assert_true(contains(f->reply.body,
                         "{\"type\":\"account\",\"view\":"
                         "\"bank\",\"as_of\":"));
    fixture_end(f);
}

static void sagas(void **unused)
{
#define TRANSFER     "/kan/v1/sagas/transfer"
#define MOVE(amount) "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":" amount "}"
    static const struct step steps[] = {
        {"POST " ALICE "open", NULL, "{\"name\":\"Alice\"}", 200},
        {"POST " BOB "open", NULL, "{\"name\":\"Bob\"}", 200},
        {"POST " ALICE "deposit", NULL, "{\"amount\":30}", 200},
        {"POST " TRANSFER, KEY("t1"), MOVE("10"), 200, NULL,
         "\"status\":\"done\""},
        {"POST " TRANSFER, KEY("t1"), MOVE("10"), 200, NULL, "\"id\":\"t1\""},
        {"POST " TRANSFER, KEY("t1"), MOVE("11"), 422, NULL,
         "ERR_IDEMPOTENCY_KEY_REUSED"},
        {"GET " TRANSFER "/t1", NULL, NULL, 200, NULL, "\"status\":\"done\""},
        {"POST " TRANSFER, NULL, MOVE("1"), 200},
        {"GET " SHOW, NULL, NULL, 200, NULL, "\"balance\":19,\"held\":0,"},
        {"POST " TRANSFER, KEY("t2"), MOVE("400"), 409, NULL,
         "\"type\":\"urn:kan:problem:saga-undone\""},
        {"POST " TRANSFER, KEY("t2"), MOVE("400"), 409, NULL,
         "\"saga\":\"transfer\",\"id\":\"t2\",\"refused\":\"from.hold\"",
         "Content-Type: application/problem+json\r\n"},
        {"POST " BOB "close", NULL, "{}", 200},
        {"POST " TRANSFER, KEY("t3"), MOVE("5"), 409, NULL,
         "\"refused\":\"to.deposit\""},
        {"GET " TRANSFER "/t3", NULL, NULL, 200, NULL, "\"status\":\"undone\""},
        {"GET " SHOW, NULL, NULL, 200, NULL, "\"balance\":19,\"held\":0,"},
        {"POST " TRANSFER, NULL,
         "{\"from\":\"alice\",\"to\":\"alice\",\"amount\":5}", 409, NULL,
         "\"detail\":\"the two accounts are one\""},
        {"POST " TRANSFER, NULL,
         "{\"from\":\"alice\",\"to\":\"alice\",\"amount\":5}", 409, NULL,
         "\"require\":\"from != to\",\"values\":{\"from\":\"alice\",\"to\":"
         "\"alice\"}}"},
        {"POST " TRANSFER, NULL, "{\"from\":\"alice\"}", 400, NULL,
         "ERR_MALFORMED_REQUEST"},
        {"POST " TRANSFER, "Idempotency-Key:\r\n", MOVE("5"), 400},
        {"POST " TRANSFER "?waitMs=x", NULL, MOVE("5"), 400},
        {"POST /kan/v1/sagas/transfr", NULL, MOVE("5"), 404, NULL,
         "did you mean 'transfer'?"},
        {"GET " TRANSFER "/none", NULL, NULL, 404, NULL, "ERR_SAGA_NOT_FOUND"},
        {"GET /metrics", NULL, NULL, 200, NULL,
         "\nkan_sagas_total{outcome=\"done\"} 2\n"},
        {"GET /metrics", NULL, NULL, 200, NULL,
         "\nkan_sagas_total{outcome=\"undone\"} 2\n"},
    };
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    fixture_end(f);
}

/* The time is over at once: the saga goes on, and can be followed. */
static void saga_goes_on(void **unused)
{
    (void)unused;
    struct fixture *f = begin();
    RUN(f, ((const struct step[]){
               {"POST " ALICE "open", NULL, "{\"name\":\"Alice\"}", 200},
               {"POST " BOB "open", NULL, "{\"name\":\"Bob\"}", 200},
               {"POST " ALICE "deposit", NULL, "{\"amount\":30}", 200}}));
    const struct reply *r = fixture_ask(f, "POST " TRANSFER "?waitMs=0",
                                        KEY("now"), SLICE(MOVE("10")));
    assert_true(r->status == 202 || r->status == 200);
    if (r->status == 202)
        assert_string_equal(r->body.bytes,
                            "{\"saga\":\"transfer\",\"id\":\"now\",\"status\":"
                            "\"running\"}");
    RUN(f, ((const struct step[]){{"POST " TRANSFER, KEY("now"), MOVE("10"),
                                   200, NULL, "\"status\":\"done\""}}));
    fixture_end(f);
}

/* --- events --------------------------------------------------------------- */

static void pages_of_events(void **unused)
{
    static const struct step steps[] = {
        {"GET " SHOW "/events", NULL, NULL, 404},
        {"POST " ALICE "open", NULL, "{\"name\":\"Alice\"}", 200},
        {"POST " ALICE "deposit", NULL, "{\"amount\":30}", 200},
        {"POST " ALICE "close", NULL, NULL, 200},
        {"GET " SHOW "/events?limit=2", NULL, NULL, 200, NULL,
         "{\"events\":[{\"n\":1,\"step\":\"open\",\"version\":1,\"args\":{"
         "\"name\":\"Alice\"},\"time\":\""},
        {"GET " SHOW "/events?limit=2", NULL, NULL, 200, NULL,
         "],\"after\":2,\"more\":true}"},
        {"GET " SHOW "/events?after=2", NULL, NULL, 200, NULL,
         "{\"events\":[{\"n\":3,\"step\":\"close\","},
        {"GET " SHOW "/events?after=3", NULL, NULL, 200,
         "{\"events\":[],\"after\":3,\"more\":false}"},
    };
    (void)unused;
    struct fixture *f = begin();
    RUN(f, steps);
    fixture_end(f);
}

/* A step beside the client that follows. */
struct aside
{
    struct entity_call call;
    bool done;
};

static void on_aside(struct entity_call *call)
{
    struct aside *aside = call->data;
    assert_int_equal(call->outcome, ENTITY_TAKEN);
    aside->done = true;
}

static void step_aside(struct fixture *f, const char *type, const char *step,
                       const char *body)
{
    struct aside aside = {.call = {.type = kan_text(type),
                                   .id = SLICE("x"),
                                   .step = kan_text(step),
                                   .body = kan_text(body)}};
    aside.call.data = &aside;
    assert_int_equal(entity_call(contracts.entities, &aside.call, on_aside),
                     KAN_OK);
    fixture_run(f, &aside.done);
    assert_true(aside.done);
}

#define FOLLOW(type, lines)               \
    "GET /kan/v1/entities/" type          \
    "/x/events HTTP/1.1\r\nHost: kan\r\n" \
    "Accept: text/event-stream\r\n" lines "\r\n"

/* Run until the reply has the part; or, so that it never waits for ever, until
 * a minute has passed. */
static bool comes(struct fixture *f, const char *part)
{
    uint64_t end = env_now(f->env) + 60 * (uint64_t)ENV_S;
    while (env_now(f->env) < end) {
        f->reply.bytes[f->reply.size] = 0;
        if (contains(kan_slice(f->reply.bytes, f->reply.size), part))
            return true;
        if (!sim_step(f->world))
            return false;
    }
    return false;
}

static size_t times(const struct fixture *f, const char *part)
{
    size_t count = 0;
    for (const char *at = f->reply.bytes; (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void events_as_they_come(void **unused)
{
    (void)unused;
    struct fixture *f = begin();
    step_aside(f, "account", "open", "{\"name\":\"X\"}");
    step_aside(f, "account", "deposit", "{\"amount\":1}");
    fixture_begin_send(f, "127.0.0.1:3500", SLICE(FOLLOW("account", "")));
    assert_true(comes(f,
                      "id: 2\nevent: deposit\ndata: {\"n\":2,\"step\":"
                      "\"deposit\",\"version\":1,\"args\":{\"amount\":1},"));
    step_aside(f, "account", "deposit", "{\"amount\":2}");
    step_aside(f, "account", "close", "{}");
    assert_true(comes(f, "id: 4\nevent: close\n"));
    assert_true(comes(f, ": still here\n"));
    /* The server ends: so does the answer, whole. */
    serve_close(f->serve, 1000, &f->closed, on_closed);
    fixture_gather(f);
    assert_non_null(strstr(f->reply.bytes, "\r\n0\r\n\r\n"));
    assert_non_null(strstr(f->reply.bytes,
                           "event: error\ndata: {\"errorCode\":"
                           "\"ERR_ENTITY_CLOSED\""));
    assert_non_null(
        strstr(f->reply.bytes, "Content-Type: text/event-stream\r\n"));
    for (int n = 1; n <= 4; n++) {
        char id[24];
        snprintf(id, sizeof id, "id: %d\n", n);
        assert_int_equal(times(f, id), 1);
    }
    fixture_run(f, &f->closed);
    assert_true(f->closed);
    fixture_end(f);
}

static void events_from_the_last_seen(void **unused)
{
    (void)unused;
    struct fixture *f = begin();
    step_aside(f, "account", "open", "{\"name\":\"X\"}");
    step_aside(f, "account", "deposit", "{\"amount\":1}");
    step_aside(f, "account", "deposit", "{\"amount\":2}");
    fixture_begin_send(f, "127.0.0.1:3500",
                       SLICE(FOLLOW("account", "Last-Event-ID: 2\r\n")));
    assert_true(comes(f, "id: 3\n"));
    assert_int_equal(times(f, "id: "), 1);
    /* The client goes: nothing is left behind (fixture_end looks). */
    bool closed = false;
    env_stream_close(f->stream, &closed, on_closed);
    fixture_run(f, &closed);
    f->stream = NULL;
    step_aside(f, "account", "deposit", "{\"amount\":3}");
    RUN(f, ((const struct step[]){{"GET /metrics", NULL, NULL, 200, NULL,
                                   "\nkan_http_requests_under_way 1\n"}}));
    fixture_end(f);
}

/* Who does not read is cut with a last event, and what waits is bounded. */
static void slow_reader(void **unused)
{
    enum
    {
        NOTES = 600
    };
    static char body[4100];
    (void)unused;
    struct fixture *f = begin();
    memset(body, 'a', sizeof body);
    memcpy(body, "{\"words\":\"", 10);
    memcpy(body + 10 + 4000, "\"}", 3);
    step_aside(f, "diary", "note", "{\"words\":\"first\"}");
    fixture_begin_send(f, "127.0.0.1:3500", SLICE(FOLLOW("diary", "")));
    assert_true(comes(f, "id: 1\n"));
    env_stream_read_stop(f->stream);
    for (int i = 0; i < NOTES; i++)
        step_aside(f, "diary", "note", body);
    (void)sim_run(f->world, sim_now(f->world) + 15 * (uint64_t)ENV_S);
    env_stream_read_start(f->stream, f, fixture_read);
    fixture_gather(f);
    const char *last = strstr(f->reply.bytes, "event: error\n");
    assert_non_null(last);
    assert_non_null(strstr(last, "ERR_EVENTS_SLOW_READER"));
    assert_non_null(strstr(last, "\r\n0\r\n\r\n"));
    /* Far from all was held for it. */
    assert_true(times(f, "id: ") < NOTES / 2);
    fixture_end(f);
}

/* --- memory --------------------------------------------------------------- */

static void faults(void **unused)
{
    static const struct step steps[] = {
        {"POST " ALICE "open", KEY("a"), "{\"name\":\"Alice\"}", 200, NULL,
         "\"n\":1,"},
        {"POST " ALICE "deposit", NULL, "{\"amount\":501}", 400},
        {"POST " ALICE "withdraw", NULL, "{\"amount\":5}", 409, NULL,
         "\"require\":"},
        {"GET " SHOW, NULL, NULL, 200, NULL, "\"n\":1,"},
        {"GET " SHOW "/events", NULL, NULL, 200, NULL, "\"n\":1,"},
        {"GET " SHOW "/views/statement", NULL, NULL, 200, NULL, "\"balance\""},
        {"GET /kan/v1/entities/account", NULL, NULL, 200, NULL, "alice"},
        {"GET /kan/v1/contracts", NULL, NULL, 200, NULL, "\"account\""},
        {"GET /kan/v1/views/account/none", NULL, NULL, 404},
        {"POST /kan/v1/sagas/transfr", NULL, "{}", 404},
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
                if (!f->struck || (r->status != 0 && r->status < 300))
                    step_check(&steps[i], r);
                if (!f->struck)
                    break;
            }
        fixture_end(f);
    }
}

/* A live answer whose memory runs out ends, and nothing is left behind. What it
 * has given until then is in order. */
static void faults_of_following(void **unused)
{
    (void)unused;
    for (int sticky = 0; sticky < 2; sticky++) {
        struct fixture *f = begin();
        step_aside(f, "account", "open", "{\"name\":\"X\"}");
        step_aside(f, "account", "deposit", "{\"amount\":1}");
        for (uint64_t n = 1;; n++) {
            bool closed = false;
            assert_true(n < 2000);
            mem_fault(n, sticky == 1);
            fixture_begin_send(f, "127.0.0.1:3500",
                               SLICE(FOLLOW("account", "")));
            bool came = comes(f, "id: 2\nevent: deposit\ndata: {\"n\":2,");
            bool struck = mem_fault_struck();
            mem_fault(0, false);
            f->reply.bytes[f->reply.size] = 0;
            const char *second = strstr(f->reply.bytes, "id: 2\n");
            const char *first = strstr(f->reply.bytes, "id: 1\n");
            assert_true(!second || (first && first < second));
            if (f->stream) {
                env_stream_close(f->stream, &closed, on_closed);
                fixture_run(f, &closed);
            }
            if (!struck) {
                assert_true(came);
                break;
            }
        }
        RUN(f, ((const struct step[]){{"GET /metrics", NULL, NULL, 200, NULL,
                                       "\nkan_http_requests_under_way 1\n"}}));
        fixture_end(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_and_states),
        cmocka_unit_test(idempotency),
        cmocka_unit_test(refusals),
        cmocka_unit_test(wrong_requests),
        cmocka_unit_test(no_contract),
        cmocka_unit_test(versions),
        cmocka_unit_test(entities_that_do_not_fit),
        cmocka_unit_test(views),
        cmocka_unit_test(sagas),
        cmocka_unit_test(saga_goes_on),
        cmocka_unit_test(pages_of_events),
        cmocka_unit_test(events_as_they_come),
        cmocka_unit_test(events_from_the_last_seen),
        cmocka_unit_test(slow_reader),
        cmocka_unit_test(faults),
        cmocka_unit_test(faults_of_following),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
