/* The actor block in a quiet world: what it does when nothing fails. */

#include <stdio.h>

#include "base/alloc.h"
#include "block/actor/actor_place.h"

static struct place place;

/* --- calls ---------------------------------------------------------------- */

static void test_a_counter_counts(void **state)
{
    (void)state;
    for (enum place_kind kind = PLACE_MEMORY; kind <= PLACE_SQLITE; kind++) {
        place_open(&place, kind, 1);
        call_gives(&place, "counter/a", "add", "{\"amount\":5}",
                   "{\"value\":5}");
        call_gives(&place, "counter/a", "add", "{\"amount\":7}",
                   "{\"value\":12}");
        call_gives(&place, "counter/b", "add", "{\"amount\":1}",
                   "{\"value\":1}");
        assert_int_equal(field_of(&place, "counter/a", "value"), 12);
        assert_string_equal(state_of(&place, "counter/nobody"), "NOTFOUND");
        assert_int_equal(place.events, 3);
        place_close(&place);
    }
}

static void refused(const char *ref, const char *method, const char *body,
                    enum actor_outcome outcome, const char *text)
{
    struct asked asked = call(&place, ref, method, body);

    assert_int_equal(asked.outcome, outcome);
    if (!strstr(asked.text, text))
        fail_msg("'%s' is not in '%s'", text, asked.text);
}

static void test_calls_that_cannot_be(void **state)
{
    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    refused("nobody/a", "add", NULL, ACTOR_NO_TYPE, "");
    refused("counter/a", "nothing", NULL, ACTOR_NO_METHOD, "");
    refused("counter/", "add", NULL, ACTOR_ID_ILLEGAL, "");
    refused("counter/a/b", "add", NULL, ACTOR_ID_ILLEGAL, "");
    refused("counter/a", "add", "{\"amount\":500}", ACTOR_BODY_INVALID,
            "amount: 500 is outside 1..100");
    refused("counter/a", "add", "{", ACTOR_BODY_INVALID, "");
    assert_int_equal(place.events, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(
            call(&place, "counter/a", "add", "{\"amount\":100}").outcome,
            ACTOR_ANSWERED);
    refused("counter/a", "add", "{\"amount\":1}", ACTOR_REFUSED,
            "the counter is full");
    assert_int_equal(field_of(&place, "counter/a", "value"), 1000);
    place_close(&place);
}

/* K-ACTOR-10: a call whose answer nobody can send is answered with nothing. */
static void test_no_answer_is_an_answer(void **state)
{
    struct asked kept;

    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    call_gives(&place, "counter/a", "quiet", NULL, "");
    to_ask(&kept, "counter/a", "keep", NULL);
    ask(&place, &kept);
    pass(&place, 1000);
    assert_false(kept.done);
    call_gives(&place, "counter/a", "add", "{\"amount\":5}", "{\"value\":6}");
    assert_true(kept.done);
    assert_string_equal(kept.text, "{\"value\":6}");
    place_close(&place);
}

static void test_deadlines_and_cancels(void **state)
{
    struct asked kept;
    struct asked other;

    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    to_ask(&kept, "counter/a", "keep", NULL);
    kept.call.deadline_ns = env_now(place.env) + 50 * ENV_MS;
    ask(&place, &kept);
    to_ask(&other, "counter/b", "keep", NULL);
    ask(&place, &other);
    pass(&place, 49);
    assert_false(kept.done);
    pass(&place, 2);
    assert_true(kept.done);
    assert_int_equal(kept.err, KAN_TIMEOUT);
    actor_call_cancel(&other.call);
    actor_call_cancel(&other.call);
    assert_false(other.done);
    run_until(&place, &other.done);
    assert_int_equal(other.err, KAN_CANCELED);
    /* Before it has begun, it had no effect. */
    to_ask(&other, "counter/c", "quiet", NULL);
    ask(&place, &other);
    actor_call_cancel(&other.call);
    run_until(&place, &other.done);
    pass(&place, 100);
    assert_string_equal(state_of(&place, "counter/c"), "NOTFOUND");
    place_close(&place);
}

/* --- numbers -------------------------------------------------------------- */

static struct asked numbered(const char *sender, uint64_t number,
                             const char *method, const char *body)
{
    struct asked asked;

    to_ask(&asked, "counter/a", method, body);
    asked.call.sender = kan_text(sender);
    asked.call.number = number;
    ask(&place, &asked);
    run_until(&place, &asked.done);
    return asked;
}

/* K-ACTOR-4: a call with a number is taken once, and answered the same. */
static void test_a_number_is_taken_once(void **state)
{
    char sender[16];

    (void)state;
    place_open(&place, PLACE_SQLITE, 1);
    assert_string_equal(numbered("x", 1, "add", "{\"amount\":5}").text,
                        "{\"value\":5}");
    assert_string_equal(numbered("x", 1, "add", "{\"amount\":5}").text,
                        "{\"value\":5}");
    assert_string_equal(numbered("y", 1, "add", "{\"amount\":5}").text,
                        "{\"value\":10}");
    assert_string_equal(numbered("x", 2, "add", "{\"amount\":1}").text,
                        "{\"value\":11}");
    assert_int_equal(numbered("x", 1, "add", "{\"amount\":5}").err,
                     KAN_COMPACTED);
    host_close(&place);
    place_host(&place);
    assert_string_equal(numbered("x", 2, "add", "{\"amount\":1}").text,
                        "{\"value\":11}");
    assert_int_equal(field_of(&place, "counter/a", "value"), 11);
    /* Those who called longest ago are forgotten. */
    for (unsigned i = 0; i < 16; i++) {
        snprintf(sender, sizeof(sender), "s%u", i);
        (void)numbered(sender, 1, "quiet", NULL);
    }
    assert_string_equal(numbered("s15", 1, "quiet", NULL).text, "");
    assert_int_equal(field_of(&place, "counter/a", "value"), 27);
    (void)numbered("x", 2, "add", "{\"amount\":1}");
    assert_int_equal(field_of(&place, "counter/a", "value"), 28);
    place_close(&place);
}

/* Call number 7 of x, whose answer waits for the next add. */
static void ask_kept(struct asked *asked, uint64_t deadline_ns)
{
    to_ask(asked, "counter/a", "keep", NULL);
    asked->call.sender = kan_text("x");
    asked->call.number = 7;
    asked->call.deadline_ns = deadline_ns;
    ask(&place, asked);
}

static void test_a_number_waits_for_its_answer(void **state)
{
    struct asked first;
    struct asked second;

    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    ask_kept(&first, env_now(place.env) + 10 * ENV_MS);
    pass(&place, 5);
    assert_int_equal(numbered("x", 7, "keep", NULL).err, KAN_BUSY);
    pass(&place, 20);
    assert_int_equal(first.err, KAN_TIMEOUT);
    ask_kept(&second, 0);
    pass(&place, 10);
    assert_false(second.done);
    call_gives(&place, "counter/a", "add", "{\"amount\":5}", "{\"value\":5}");
    assert_true(second.done);
    assert_string_equal(second.text, "{\"value\":5}");
    place_close(&place);
}

/* K-ACTOR-4: an answer that left while nobody waited for it is kept, too. */
static void test_a_late_answer_is_kept(void **state)
{
    struct asked first;

    (void)state;
    place_open(&place, PLACE_SQLITE, 1);
    ask_kept(&first, env_now(place.env) + 10 * ENV_MS);
    run_until(&place, &first.done);
    assert_int_equal(first.err, KAN_TIMEOUT);
    call_gives(&place, "counter/a", "add", "{\"amount\":5}", "{\"value\":5}");
    assert_string_equal(numbered("x", 7, "keep", NULL).text, "{\"value\":5}");
    host_close(&place);
    place_host(&place);
    assert_string_equal(numbered("x", 7, "keep", NULL).text, "{\"value\":5}");
    assert_int_equal(field_of(&place, "counter/a", "value"), 5);
    place_close(&place);
}

/* --- messages between actors ---------------------------------------------- */

static void burst(const char *from, const char *to, uint32_t count)
{
    char body[128];

    snprintf(body, sizeof(body), "{\"count\":%u,\"to\":\"%s\"}", count, to);
    call_gives(&place, from, "burst", body, "");
}

/* K-ACTOR-9: messages from one actor to another come in order. */
static void test_messages_come_in_order(void **state)
{
    (void)state;
    for (enum place_kind kind = PLACE_MEMORY; kind <= PLACE_SQLITE; kind++) {
        place_open(&place, kind, 2);
        for (int i = 0; i < 20; i++)
            burst("line/a", "line/b", 17);
        pass(&place, 1000);
        assert_int_equal(field_of(&place, "line/a", "next"), 340);
        assert_int_equal(field_of(&place, "line/b", "next"), 340);
        assert_int_equal(actor_host_stats(place.host).crashes, 0);
        place_close(&place);
    }
}

static void send_token(unsigned id, unsigned hops)
{
    char body[64];
    char ref[32];

    snprintf(ref, sizeof(ref), "cell/%u", id % CASE_CELLS);
    snprintf(body, sizeof(body), "{\"id\":%u,\"hop\":1,\"hops\":%u}", id, hops);
    call_gives(&place, ref, "token", body, "");
}

static void test_tokens_go_round(void **state)
{
    uint32_t received = 0;
    char ref[32];

    (void)state;
    place_open(&place, PLACE_MEMORY, 3);
    for (unsigned id = 0; id < CASE_TOKENS; id++)
        send_token(id, 50);
    pass(&place, 10000);
    for (unsigned i = 0; i < CASE_CELLS; i++) {
        snprintf(ref, sizeof(ref), "cell/%u", i);
        received += (uint32_t)field_of(&place, ref, "received");
    }
    assert_int_equal(received, 50 * CASE_TOKENS);
    assert_int_equal(actor_host_stats(place.host).crashes, 0);
    place_close(&place);
}

/* K-ACTOR-7: beyond its mailbox a sender is told BUSY; so is a client. */
static void test_mailboxes_are_bounded(void **state)
{
    struct asked calls[10];
    unsigned busy = 0;

    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    /* An asker that waits takes nothing: 8 fit, and 12 fail. */
    call_gives(&place, "mute/m", "poke", NULL, "");
    to_ask(&calls[0], "asker/1", "ask", "{\"to\":\"mute/m\"}");
    ask(&place, &calls[0]);
    pass(&place, 10);
    burst("asker/2", "asker/1", 20);
    pass(&place, 10);
    assert_int_equal(field_of(&place, "asker/2", "busy"), 12);
    for (unsigned i = 1; i < 3; i++) {
        to_ask(&calls[i], "asker/1", "poke", NULL);
        calls[i].call.data = &calls[i];
        busy += actor_call(place.host, &calls[i].call, NULL) == KAN_BUSY;
    }
    assert_int_equal(busy, 2);
    /* It answers at last, and they are taken. */
    call_gives(&place, "mute/m", "poke", NULL, "");
    pass(&place, 10);
    assert_int_equal(field_of(&place, "asker/1", "poked"), 8);
    assert_int_equal(field_of(&place, "asker/1", "poked_within"), 0);
    assert_true(calls[0].done);
    place_close(&place);
}

/* --- serial actors -------------------------------------------------------- */

/* K-ACTOR-6: a serial actor takes nothing but timers until its answer. */
static void test_a_serial_actor_waits(void **state)
{
    struct asked asked;
    struct asked poke;

    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    to_ask(&asked, "asker/1", "ask", "{\"to\":\"mute/m\"}");
    ask(&place, &asked);
    pass(&place, 10);
    to_ask(&poke, "asker/1", "poke", NULL);
    ask(&place, &poke);
    pass(&place, 500);
    assert_false(poke.done);
    assert_int_equal(field_of(&place, "asker/1", "rang"), 1);
    call_gives(&place, "mute/m", "poke", NULL, "");
    run_until(&place, &poke.done);
    assert_true(asked.done);
    assert_string_equal(asked.text, "{\"value\":0}");
    assert_int_equal(field_of(&place, "asker/1", "answered"), 1);
    assert_int_equal(field_of(&place, "asker/1", "poked_within"), 0);
    place_close(&place);
}

/* K-ACTOR-6: a chain that comes back fails at once. */
static void test_a_chain_that_comes_back(void **state)
{
    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    call_gives(&place, "asker/1", "ask",
               "{\"to\":\"asker/2\",\"then\":\"asker/1\"}", "{\"value\":0}");
    assert_int_equal(field_of(&place, "asker/2", "busy"), 1);
    assert_int_equal(field_of(&place, "asker/1", "answered"), 1);
    /* Itself. */
    call_gives(&place, "asker/3", "ask", "{\"to\":\"asker/3\"}",
               "{\"value\":1}");
    assert_int_equal(env_now(place.env), 0);
    place_close(&place);
}

static void test_a_chain_too_deep(void **state)
{
    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    call_gives(&place, "asker/0", "ask", "{\"depth\":8}", "{\"value\":0}");
    assert_int_equal(field_of(&place, "asker/8", "asked"), 1);
    call_gives(&place, "asker/20", "ask", "{\"depth\":9}", "{\"value\":0}");
    assert_int_equal(field_of(&place, "asker/28", "busy"), 1);
    assert_string_equal(state_of(&place, "asker/29"), "NOTFOUND");
    place_close(&place);
}

static void test_nobody_there(void **state)
{
    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    call_gives(&place, "asker/1", "ask", "{\"to\":\"nobody/x\"}",
               "{\"value\":0}");
    call_gives(&place, "asker/1", "ask", "{\"to\":\"rude/x\"}",
               "{\"value\":0}");
    assert_int_equal(field_of(&place, "asker/1", "invalid"), 2);
    place_close(&place);
}

/* --- crashes -------------------------------------------------------------- */

/* K-ACTOR-8: a crash is answered at once, and named. */
static void test_crashes_are_answered(void **state)
{
    const char *methods[] = {"divide", "touch", "spin"};
    struct asked asked;

    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    call_gives(&place, "counter/a", "add", "{\"amount\":5}", "{\"value\":5}");
    for (int i = 0; i < 3; i++) {
        asked = call(&place, "counter/a", methods[i], NULL);
        assert_int_equal(asked.outcome, ACTOR_CRASHED);
        assert_non_null(strstr(asked.text, methods[i]));
        assert_non_null(strstr(place.trouble, "counter/a"));
        assert_non_null(strstr(place.trouble, methods[i]));
    }
    /* One that was never there. */
    assert_int_equal(call(&place, "counter/b", "touch", NULL).outcome,
                     ACTOR_CRASHED);
    call_gives(&place, "counter/a", "add", "{\"amount\":5}", "{\"value\":10}");
    assert_int_equal(parked(&place, NULL, NULL), 0);
    place_close(&place);
}

/* K-ACTOR-8: after three crashes a message is parked and listed. */
static void test_a_numbered_call_is_parked(void **state)
{
    char method[64];
    char why[256];

    (void)state;
    place_open(&place, PLACE_SQLITE, 1);
    assert_int_equal(numbered("x", 1, "divide", NULL).outcome, ACTOR_CRASHED);
    assert_int_equal(numbered("x", 1, "divide", NULL).outcome, ACTOR_CRASHED);
    host_close(&place);
    place_host(&place);
    assert_int_equal(parked(&place, NULL, NULL), 0);
    assert_int_equal(numbered("x", 1, "divide", NULL).outcome, ACTOR_CRASHED);
    assert_int_equal(parked(&place, method, why), 1);
    assert_string_equal(method, "divide");
    assert_non_null(strstr(why, "divided"));
    assert_int_equal(numbered("x", 1, "divide", NULL).outcome, ACTOR_PARKED);
    assert_int_equal(parked(&place, NULL, NULL), 1);
    place_close(&place);
}

/* K-ACTOR-8: so is one between actors; what follows it is taken. */
static void test_a_message_is_parked(void **state)
{
    char method[64];

    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    burst("line/a", "line/b", 3);
    /* Out of order: its claim does not hold, three times. */
    burst("line/c", "line/b", 1);
    burst("line/a", "line/b", 2);
    pass(&place, 100);
    assert_int_equal(actor_host_stats(place.host).crashes, 3);
    assert_int_equal(actor_host_stats(place.host).parked, 1);
    assert_int_equal(parked(&place, method, NULL), 1);
    assert_string_equal(method, "number");
    assert_int_equal(field_of(&place, "line/b", "next"), 5);
    place_close(&place);
}

static void test_a_timer_is_disarmed(void **state)
{
    char method[64];

    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    call_gives(&place, "clock/a", "fuse", NULL, "");
    pass(&place, 5000);
    assert_int_equal(actor_host_stats(place.host).crashes, 3);
    assert_int_equal(parked(&place, method, NULL), 1);
    assert_string_equal(method, "burn");
    place_close(&place);
}

/* --- timers --------------------------------------------------------------- */

static void test_timers_fire_once(void **state)
{
    (void)state;
    place_open(&place, PLACE_MEMORY, 1);
    call_gives(&place, "clock/a", "arm", "{\"after_ms\":100}", "");
    call_gives(&place, "clock/b", "arm", "{\"after_ms\":100}", "");
    call_gives(&place, "clock/b", "disarm", NULL, "");
    call_gives(&place, "clock/c", "arm", "{\"after_ms\":100}", "");
    call_gives(&place, "clock/c", "arm", "{\"after_ms\":20000}", "");
    pass(&place, 99);
    assert_int_equal(field_of(&place, "clock/a", "rings"), 0);
    pass(&place, 5);
    assert_int_equal(field_of(&place, "clock/a", "rings"), 1);
    pass(&place, 10000);
    assert_int_equal(field_of(&place, "clock/a", "rings"), 1);
    assert_int_equal(field_of(&place, "clock/b", "rings"), 0);
    assert_int_equal(field_of(&place, "clock/c", "rings"), 0);
    pass(&place, 10000);
    assert_int_equal(field_of(&place, "clock/c", "rings"), 1);
    place_close(&place);
}

/* K-ACTOR-1: a timer survives a restart, and fires once. */
static void test_timers_survive(void **state)
{
    (void)state;
    place_open(&place, PLACE_SQLITE, 1);
    call_gives(&place, "clock/a", "arm", "{\"after_ms\":1000}", "");
    call_gives(&place, "clock/b", "arm", "{\"after_ms\":5000}", "");
    host_close(&place);
    pass(&place, 2000);
    place_host(&place);
    pass(&place, 100);
    assert_int_equal(field_of(&place, "clock/a", "rings"), 1);
    assert_int_equal(field_of(&place, "clock/b", "rings"), 0);
    pass(&place, 5000);
    assert_int_equal(field_of(&place, "clock/a", "rings"), 1);
    assert_int_equal(field_of(&place, "clock/b", "rings"), 1);
    place_close(&place);
}

/* --- memory and life ------------------------------------------------------ */

static void test_idle_actors_leave(void **state)
{
    char ref[32];

    (void)state;
    place_begin(&place, PLACE_MEMORY, 1);
    place.options.active_max = 8;
    place.options.idle_ms = 1000;
    place_host(&place);
    for (unsigned round = 1; round <= 2; round++) {
        for (unsigned i = 0; i < 30; i++) {
            snprintf(ref, sizeof(ref), "counter/%u", i);
            call_gives(&place, ref, "quiet", NULL, "");
            assert_true(actor_host_stats(place.host).active <= 8);
        }
    }
    for (unsigned i = 0; i < 30; i++) {
        snprintf(ref, sizeof(ref), "counter/%u", i);
        assert_int_equal(field_of(&place, ref, "value"), 2);
        /* Leaving the memory is no crash. */
        assert_int_equal(field_of(&place, ref, "restarts"), 0);
    }
    call_gives(&place, "counter/warm", "warm", NULL, "");
    pass(&place, 3000);
    /* What is volatile would be lost: it stays. */
    assert_int_equal(actor_host_stats(place.host).active, 1);
    place_close(&place);
}

/* More actors than fit send to each other: what does not fit waits in the
 * engine. */
static void test_more_than_fits(void **state)
{
    uint32_t received = 0;
    char ref[32];

    (void)state;
    place_begin(&place, PLACE_MEMORY, 1);
    place.options.active_max = 2;
    place_host(&place);
    for (unsigned id = 0; id < 4; id++)
        send_token(id, 20);
    pass(&place, 200000);
    for (unsigned i = 0; i < CASE_CELLS; i++) {
        snprintf(ref, sizeof(ref), "cell/%u", i);
        received += (uint32_t)field_of(&place, ref, "received");
    }
    assert_int_equal(received, 80);
    place_close(&place);
}

static void test_a_restart_is_felt(void **state)
{
    struct path_id before;

    (void)state;
    place_open(&place, PLACE_SQLITE, 1);
    call_gives(&place, "counter/a", "warm", NULL, "");
    call_gives(&place, "counter/a", "add", "{\"amount\":5}", "{\"value\":5}");
    host_close(&place);
    place_host(&place);
    call_gives(&place, "counter/a", "add", "{\"amount\":5}", "{\"value\":10}");
    assert_int_equal(field_of(&place, "counter/a", "restarts"), 1);
    assert_int_equal(place.events, 5);
    before = place.path;
    call_gives(&place, "counter/a", "add", "{\"amount\":5}", "{\"value\":15}");
    assert_int_equal(field_of(&place, "counter/a", "restarts"), 1);
    assert_true(before.low != place.path.low);
    place_close(&place);
}

/* K-ACTOR-5: an older state is upgraded, or it is refused. */
static void test_versions_of_a_state(void **state)
{
    struct asked asked;

    (void)state;
    place_begin(&place, PLACE_SQLITE, 1);
    place.modules[0] = &actor_case_v1;
    place_host(&place);
    call_gives(&place, "mark/a", "add", "{\"amount\":21}", "{\"value\":21}");
    for (int i = 0; i < 6; i++)
        (void)call(&place, "mark/b", "add", "{\"amount\":100}");
    host_close(&place);

    place.modules[0] = &actor_case_v2_alone;
    place_host(&place);
    asked = call(&place, "mark/a", "add", "{\"amount\":1}");
    assert_int_equal(asked.outcome, ACTOR_FAILED);
    assert_int_equal(asked.err, KAN_INVALID);
    assert_true(strlen(asked.text) > 0);
    assert_non_null(strstr(place.trouble, "mark/a is not loaded"));
    asked = call(&place, "mark/a", "add", "{\"amount\":1}");
    assert_int_equal(asked.err, KAN_INVALID);
    host_close(&place);

    place.modules[0] = &actor_case_v2;
    place_host(&place);
    call_gives(&place, "mark/a", "add", "{\"amount\":1}", "{\"value\":42}");
    /* An upgrade may refuse. */
    asked = call(&place, "mark/b", "add", "{\"amount\":1}");
    assert_int_equal(asked.err, KAN_INVALID);
    place_close(&place);
}

/* --- what happened -------------------------------------------------------- */

static void test_choices_are_recorded(void **state)
{
    struct asked asked;

    (void)state;
    place_open(&place, PLACE_MEMORY, 7);
    asked = call(&place, "counter/a", "roll", NULL);
    assert_int_equal(asked.outcome, ACTOR_ANSWERED);
    assert_int_equal(place.choices, 2);
    assert_int_equal(place.last.choice_count, 2);
    assert_int_equal(place.last.input, PATH_MESSAGE);
    assert_string_equal(place.last.actor.text, "counter/a");
    place_close(&place);
}

/* Two runs are the same path when every actor saw the same, in whatever order
 * between them. */
static void test_equal_paths(void **state)
{
    struct path_id paths[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        place_open(&place, PLACE_MEMORY, (uint64_t)i);
        call_gives(&place, i == 1 ? "counter/b" : "counter/a", "quiet", NULL,
                   "");
        call_gives(&place, i == 1 ? "counter/a" : "counter/b", "quiet", NULL,
                   "");
        if (i == 2)
            call_gives(&place, "counter/b", "quiet", NULL, "");
        paths[i] = actor_host_stats(place.host).path;
        assert_memory_equal(&paths[i], &place.path, sizeof(place.path));
        place_close(&place);
    }
    assert_memory_equal(&paths[0], &paths[1], sizeof(paths[0]));
    assert_memory_not_equal(&paths[0], &paths[2], sizeof(paths[0]));
}

/* --- the beginning and the end -------------------------------------------- */

static void test_hosts_that_cannot_be(void **state)
{
    const struct kan_module *twice[] = {&actor_case_v1, &actor_case_v2};
    struct engine_promises profile = memory_promises;
    struct memory_options memory = {.profile = &profile};
    struct engine *weak;
    struct actor_host *host;
    struct buffer why = BUFFER_INIT;
    bool closed = false;

    (void)state;
    place_begin(&place, PLACE_MEMORY, 1);
    place.options.modules = twice;
    place.options.module_count = 2;
    assert_int_equal(actor_host_new(&place.options, &host, &why), KAN_INVALID);
    assert_non_null(strstr(buffer_text(&why), "two types"));
    profile.append = false;
    assert_int_equal(engine_memory_open(place.env, &memory, &weak), KAN_OK);
    place.options.engine = weak;
    buffer_clear(&why);
    assert_int_equal(actor_host_new(&place.options, &host, &why), KAN_INVALID);
    assert_non_null(strstr(buffer_text(&why), "append"));
    buffer_fini(&why);
    engine_close(weak, &closed, set_flag);
    run_until(&place, &closed);
    place_close(&place);
}

/* K-ACTOR-10: a host that closes answers everybody. */
static void test_close_while_busy(void **state)
{
    struct asked calls[20];
    bool closed = false;

    (void)state;
    for (uint64_t steps = 0; steps < 60; steps++) {
        place_open(&place, steps % 2 ? PLACE_SQLITE : PLACE_MEMORY, steps);
        for (unsigned i = 0; i < 20; i++) {
            to_ask(&calls[i], i % 2 ? "counter/a" : "line/b",
                   i % 2 ? (i % 4 == 1 ? "quiet" : "keep") : "burst",
                   i % 2 ? NULL : "{\"count\":3,\"to\":\"line/c\"}");
            /* Steps of an idle world are seconds. */
            calls[i].call.deadline_ns = UINT64_C(3600) * ENV_S;
            ask(&place, &calls[i]);
        }
        for (uint64_t i = 0; i < steps; i++)
            (void)sim_step(place.world);
        closed = false;
        actor_host_close(place.host, &closed, set_flag);
        run_until(&place, &closed);
        place.host = NULL;
        for (unsigned i = 0; i < 20; i++) {
            assert_true(calls[i].done);
            if (calls[i].outcome == ACTOR_FAILED && calls[i].err != KAN_CLOSED)
                assert_int_equal(calls[i].err, KAN_LOST);
        }
        place_close(&place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_counter_counts),
        cmocka_unit_test(test_calls_that_cannot_be),
        cmocka_unit_test(test_no_answer_is_an_answer),
        cmocka_unit_test(test_deadlines_and_cancels),
        cmocka_unit_test(test_a_number_is_taken_once),
        cmocka_unit_test(test_a_number_waits_for_its_answer),
        cmocka_unit_test(test_a_late_answer_is_kept),
        cmocka_unit_test(test_messages_come_in_order),
        cmocka_unit_test(test_tokens_go_round),
        cmocka_unit_test(test_mailboxes_are_bounded),
        cmocka_unit_test(test_a_serial_actor_waits),
        cmocka_unit_test(test_a_chain_that_comes_back),
        cmocka_unit_test(test_a_chain_too_deep),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_crashes_are_answered),
        cmocka_unit_test(test_a_numbered_call_is_parked),
        cmocka_unit_test(test_a_message_is_parked),
        cmocka_unit_test(test_a_timer_is_disarmed),
        cmocka_unit_test(test_timers_fire_once),
        cmocka_unit_test(test_timers_survive),
        cmocka_unit_test(test_idle_actors_leave),
        cmocka_unit_test(test_more_than_fits),
        cmocka_unit_test(test_a_restart_is_felt),
        cmocka_unit_test(test_versions_of_a_state),
        cmocka_unit_test(test_choices_are_recorded),
        cmocka_unit_test(test_equal_paths),
        cmocka_unit_test(test_hosts_that_cannot_be),
        cmocka_unit_test(test_close_while_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
