/* The actor block in a bad world: the power fails, answers are lost, memory
 * ends, somebody else writes. Tokens that go round and numbers that are added
 * show whether a message was lost or taken twice. */

#include <stdio.h>

#include "base/alloc.h"
#include "block/actor/actor_place.h"

enum
{
    HOPS = 12,
    TOKENS = 6,
    ADDS = 10
};

static struct place place;

/* --- work that can be counted --------------------------------------------- */

/* What one client wants: each call with a number, and again with the same
 * number until it is known. */
struct client
{
    struct asked asked;
    bool under_way;
    uint64_t number; /* of the call under way; those before are done */
    uint64_t count;
    const char *name;
    bool tokens; /* seed tokens; else add */
};

static struct client clients[2];

static void clients_init(void)
{
    memset(clients, 0, sizeof(clients));
    clients[0].name = "adder";
    clients[0].count = ADDS;
    clients[1].name = "seeder";
    clients[1].count = TOKENS;
    clients[1].tokens = true;
}

static void client_ask(struct client *client)
{
    static char bodies[2][64];
    static char refs[2][32];
    unsigned at = (unsigned)(client - clients);
    unsigned id = (unsigned)client->number;

    if (client->tokens) {
        snprintf(refs[at], sizeof(refs[at]), "cell/%u", id % CASE_CELLS);
        snprintf(bodies[at], sizeof(bodies[at]),
                 "{\"id\":%u,\"hop\":1,\"hops\":%u}", id, HOPS);
    } else {
        snprintf(refs[at], sizeof(refs[at]), "counter/sum");
        snprintf(bodies[at], sizeof(bodies[at]), "{\"amount\":1}");
    }
    to_ask(&client->asked, refs[at], client->tokens ? "token" : "add",
           bodies[at]);
    client->asked.call.sender = kan_text(client->name);
    client->asked.call.number = client->number + 1;
    client->asked.call.deadline_ns = env_now(place.env) + UINT64_C(5) * ENV_S;
    client->asked.call.data = &client->asked;
}

/* The answers come through actor_place.c's callback: a call is submitted there,
 * and looked at here. */
static void client_step(struct client *client)
{
    char sum[32];

    if (client->under_way && client->asked.done) {
        client->under_way = false;
        if (client->asked.outcome == ACTOR_ANSWERED) {
            snprintf(sum, sizeof(sum), "{\"value\":%u}",
                     (unsigned)client->number + 1);
            /* K-ACTOR-4: the same answer, however often it was sent. */
            if (!client->tokens && !client->asked.unread)
                assert_string_equal(client->asked.text, sum);
            client->number++;
        } else {
            assert_int_equal(client->asked.outcome, ACTOR_FAILED);
        }
    }
    if (client->under_way || client->number == client->count)
        return;
    client_ask(client);
    if (ask_try(place.host, &client->asked) == KAN_OK)
        client->under_way = true;
}

static bool clients_done(void)
{
    return clients[0].number == ADDS && clients[1].number == TOKENS;
}

/* Work so many steps, or until the power fails, or all is done. */
static bool work(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        if (sim_dead(place.env))
            return false;
        client_step(&clients[0]);
        client_step(&clients[1]);
        if (clients_done())
            return true;
        (void)sim_step(place.world);
    }
    return false;
}

/* All is over when each token is at its end, at its last hop, once. */
static void check_all(void)
{
    uint32_t received = 0;
    uint32_t ended = 0;
    char ref[32];

    for (int i = 0; i < 600 && !clients_done(); i++)
        (void)work(200);
    assert_true(clients_done());
    pass(&place, 60000);
    for (unsigned i = 0; i < CASE_CELLS; i++) {
        const char *at;
        snprintf(ref, sizeof(ref), "cell/%u", i);
        received += (uint32_t)field_of(&place, ref, "received");
        for (at = state_of(&place, ref); (at = strstr(at, "true")); at++)
            ended++;
    }
    assert_int_equal(received, TOKENS * HOPS);
    assert_int_equal(ended, TOKENS);
    assert_int_equal(field_of(&place, "counter/sum", "value"), ADDS);
    assert_int_equal(parked(&place, NULL, NULL), 0);
}

/* The memory of calls that a dead process had under way is ours again. */
static void crash(void)
{
    place_crash(&place);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(!clients[i].under_way || clients[i].asked.done);
        if (clients[i].asked.outcome == ACTOR_FAILED)
            clients[i].under_way = false;
    }
}

/* --- the power fails ------------------------------------------------------ */

/* K-ACTOR-1, K-ACTOR-2: at every file call of the work. */
static void crash_loop(enum sim_fault_kind kind, uint64_t stride)
{
    bool struck = true;

    for (uint64_t nth = 1; struck; nth += stride) {
        clients_init();
        place_open(&place, PLACE_SQLITE, nth);
        sim_fault_crash(place.env, kind, nth);
        (void)work(100000);
        struck = sim_dead(place.env);
        if (struck)
            crash();
        sim_fault_crash(place.env, kind, 0);
        check_all();
        assert_int_equal(actor_host_stats(place.host).crashes, 0);
        place_close(&place);
    }
}

static void test_the_power_fails_at_every_sync(void **state)
{
    (void)state;
    crash_loop(SIM_FAULT_SYNC, 1);
}

static void test_the_power_fails_at_many_writes(void **state)
{
    (void)state;
    crash_loop(SIM_FAULT_WRITE, 7);
}

/* K-ACTOR-1, K-ACTOR-2: again and again. */
static void test_the_power_fails_often(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 15; seed++) {
        clients_init();
        place_open(&place, PLACE_SQLITE, seed);
        sim_world_options(place.world)->lane_jitter_ns = 3 * ENV_MS;
        for (unsigned i = 0; i < 8 && !clients_done(); i++) {
            (void)work(1 + (unsigned)tape_choose(&place.tape, 150));
            crash();
        }
        check_all();
        assert_int_equal(actor_host_stats(place.host).crashes, 0);
        place_close(&place);
    }
}

/* A timer that was due while the power was off fires once. */
static void test_timers_and_power(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        place_open(&place, PLACE_SQLITE, seed);
        call_gives(&place, "clock/a", "arm", "{\"after_ms\":500}", "");
        for (unsigned i = 0; i < 5; i++) {
            pass(&place, tape_choose(&place.tape, 300));
            place_crash(&place);
        }
        pass(&place, 2000);
        assert_int_equal(field_of(&place, "clock/a", "rings"), 1);
        place_close(&place);
    }
}

/* --- the engine fails ----------------------------------------------------- */

/* K-ACTOR-2, K-ACTOR-3: answers are lost, late or BUSY. */
static void test_answers_are_lost(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct engine_fault_options *knobs;
        clients_init();
        place_open(&place, PLACE_FAULT, seed);
        knobs = engine_fault_options(place.engine);
        knobs->rate[ENGINE_FAULT_LOST] = seed % 3 ? 150 : 400;
        knobs->rate[ENGINE_FAULT_BUSY] = 100;
        knobs->delay_rate = 300;
        knobs->delay_max_ns = 20 * ENV_MS;
        (void)work(4000);
        memset(knobs, 0, sizeof(*knobs));
        check_all();
        assert_int_equal(actor_host_stats(place.host).crashes, 0);
        place_close(&place);
    }
}

/* K-ACTOR-9: messages come in order, also when commits are refused or nobody
 * knows what they did. */
static void test_order_in_a_bad_world(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct engine_fault_options *knobs;
        place_open(&place, PLACE_FAULT, seed);
        knobs = engine_fault_options(place.engine);
        knobs->rate[ENGINE_FAULT_LOST] = 100;
        knobs->rate[ENGINE_FAULT_BUSY] = 200;
        knobs->delay_rate = 300;
        knobs->delay_max_ns = 20 * ENV_MS;
        for (unsigned i = 0; i < 12; i++)
            (void)call(&place, "line/a", "burst",
                       "{\"count\":9,\"to\":\"line/b\"}");
        memset(knobs, 0, sizeof(*knobs));
        pass(&place, 60000);
        assert_true(field_of(&place, "line/a", "next") > 0);
        assert_int_equal(field_of(&place, "line/a", "next"),
                         field_of(&place, "line/b", "next"));
        assert_int_equal(actor_host_stats(place.host).crashes, 0);
        place_close(&place);
    }
}

/* One fault at every request in turn. */
static void test_a_fault_at_every_request(void **state)
{
    enum engine_fault_kind kinds[] = {ENGINE_FAULT_BUSY, ENGINE_FAULT_LOST};

    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        bool struck = true;
        for (uint64_t nth = 1; struck; nth++) {
            clients_init();
            place_open(&place, PLACE_FAULT, nth);
            engine_fault_nth(place.engine, kinds[k], nth);
            (void)work(100000);
            struck = engine_fault_struck(place.engine);
            engine_fault_nth(place.engine, kinds[k], 0);
            check_all();
            place_close(&place);
        }
    }
}

/* K-ACTOR-3: an answer that is lost is found out, and the client has its own,
 * without a number. */
static void test_a_lost_answer_is_found(void **state)
{
    unsigned struck = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        place_open(&place, PLACE_FAULT, seed);
        call_gives(&place, "counter/a", "warm", NULL, "");
        engine_fault_nth(place.engine, ENGINE_FAULT_LOST, 1);
        call_gives(&place, "counter/a", "add", "{\"amount\":5}",
                   "{\"value\":5}");
        struck += engine_fault_struck(place.engine);
        assert_int_equal(place.troubles, 0);
        assert_int_equal(field_of(&place, "counter/a", "restarts"), 0);
        place_close(&place);
    }
    assert_int_equal(struck, 60);
}

/* A broken engine: everybody is told, and nothing hangs. */
static void test_a_broken_engine(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 20; nth++) {
        struct asked asked;
        struct asked later;
        place_open(&place, PLACE_FAULT, nth);
        engine_fault_nth(place.engine, ENGINE_FAULT_IO, nth);
        for (unsigned i = 0; i < 8; i++)
            (void)call(&place, "counter/a", "quiet", NULL);
        asked = call(&place, "counter/a", "quiet", NULL);
        later = call(&place, "counter/b", "quiet", NULL);
        if (engine_fault_struck(place.engine)) {
            assert_true(asked.err == KAN_OK || asked.err == KAN_IO);
            assert_int_equal(later.err, KAN_IO);
            assert_non_null(strstr(place.trouble, "the engine has failed"));
        }
        place_close(&place);
    }
}

/* --- somebody else writes ------------------------------------------------- */

/* K-ACTOR-3: of two hosts on one engine, the one that knows less is refused,
 * and reads again. */
static void test_two_hosts(void **state)
{
    struct actor_host *other;
    struct actor_host *hosts[2];
    unsigned conflicts = 0;

    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    hosts[0] = place.host;
    place_host(&place);
    other = hosts[1] = place.host;
    for (unsigned i = 1; i <= 20; i++) {
        struct asked asked;
        char sum[32];
        to_ask(&asked, "counter/a", "add", "{\"amount\":1}");
        ask_on(hosts[(i / 2) % 2], &asked);
        run_until(&place, &asked.done);
        assert_int_equal(asked.outcome, ACTOR_ANSWERED);
        snprintf(sum, sizeof(sum), "{\"value\":%u}", i);
        assert_string_equal(asked.text, sum);
    }
    conflicts = place.troubles;
    assert_true(conflicts >= 8);
    assert_non_null(strstr(place.trouble, "written by another process"));
    place.host = hosts[0];
    host_close(&place);
    place.host = other;
    place_close(&place);
}

/* The same at once, with answers lost: numbers are added once. */
static void test_two_hosts_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct actor_host *hosts[2];
        struct engine_fault_options *knobs;
        clients_init();
        place_open(&place, PLACE_FAULT, seed);
        hosts[0] = place.host;
        place_host(&place);
        hosts[1] = place.host;
        knobs = engine_fault_options(place.engine);
        knobs->rate[ENGINE_FAULT_LOST] = 150;
        for (unsigned i = 0; i < 400 && clients[0].number < ADDS; i++) {
            place.host = hosts[tape_choose(&place.tape, 2)];
            for (unsigned step = 0; step < 10; step++) {
                client_step(&clients[0]);
                (void)sim_step(place.world);
            }
        }
        memset(knobs, 0, sizeof(*knobs));
        for (unsigned i = 0; i < 1000 && clients[0].number < ADDS; i++) {
            client_step(&clients[0]);
            (void)sim_step(place.world);
        }
        assert_int_equal(clients[0].number, ADDS);
        assert_int_equal(field_of(&place, "counter/sum", "value"), ADDS);
        place.host = hosts[0];
        host_close(&place);
        place.host = hosts[1];
        place_close(&place);
    }
}

/* --- memory ends ---------------------------------------------------------- */

/* K-ACTOR-10: whatever allocation fails. */
static void alloc_loop(bool sticky)
{
    bool struck = true;

    for (uint64_t nth = 1; struck; nth++) {
        clients_init();
        place_open(&place, PLACE_MEMORY, nth);
        mem_fault(nth, sticky);
        (void)work(sticky ? 40 : 100000);
        struck = mem_fault_struck();
        mem_fault(0, false);
        check_all();
        assert_int_equal(actor_host_stats(place.host).crashes, 0);
        place_close(&place);
        if (nth > 400)
            nth += nth / 8;
    }
}

static void test_memory_ends_once(void **state)
{
    (void)state;
    alloc_loop(false);
}

static void test_memory_ends_for_a_while(void **state)
{
    (void)state;
    alloc_loop(true);
}

static void test_no_memory_for_a_host(void **state)
{
    bool struck = true;

    (void)state;
    place_begin(&place, PLACE_MEMORY, 1);
    for (uint64_t nth = 1; struck; nth++) {
        struct buffer why = BUFFER_INIT;
        enum kan_err err;
        mem_fault(nth, false);
        err = actor_host_new(&place.options, &place.host, &why);
        struck = mem_fault_struck();
        mem_fault(0, false);
        buffer_fini(&why);
        if (err == KAN_OK)
            host_close(&place);
        else
            assert_int_equal(err, KAN_NOMEM);
        place.host = NULL;
    }
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_power_fails_at_every_sync),
        cmocka_unit_test(test_the_power_fails_at_many_writes),
        cmocka_unit_test(test_the_power_fails_often),
        cmocka_unit_test(test_timers_and_power),
        cmocka_unit_test(test_answers_are_lost),
        cmocka_unit_test(test_order_in_a_bad_world),
        cmocka_unit_test(test_a_fault_at_every_request),
        cmocka_unit_test(test_a_lost_answer_is_found),
        cmocka_unit_test(test_a_broken_engine),
        cmocka_unit_test(test_two_hosts),
        cmocka_unit_test(test_two_hosts_at_once),
        cmocka_unit_test(test_memory_ends_once),
        cmocka_unit_test(test_memory_ends_for_a_while),
        cmocka_unit_test(test_no_memory_for_a_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
