/* Scenario files: what is written is read again, and what is wrong is refused
 * with its line. */

#include "path/scenario/scenario.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/alloc.h"

static const char whole[] =
    "kan path 1\n"
    "model paxos servers=3 clients=2\n"
    "faults crash=1 lost=2\n"
    "expect fails agreement\n"
    "start 2\n"
    "deliver client/0 -> server/0 put {\"request\":3,\"value\":65}\n"
    "deliver -> counter/a add {\"amount\":5} @1700000000000\n"
    "timer server/1 election #2\n"
    "deliver client/0 -> dice/0 roll {\"t\":\"#1/2\"} #3/6,0/2 @17\n"
    "request counter/a add {\"text\":\"a # b @ c\"} #3 @17\n"
    "crash server/2\n"
    "restart server/2\n"
    "lose server/0 -> server/1 prepare\n"
    "double server/0 -> server/1 prepare {\"n\":1}\n"
    "jump worker/0 -1000\n"
    "cut server/0 server/1\n"
    "heal\n"
    "lie node/0 -> node/1 propose {\"value\":2}\n"
    "path 0123456789abcdef0123456789abcdef\n";

static enum kan_err read_text(const char *text, struct scenario *ret_scenario,
                              struct buffer *why)
{
    return scenario_read(kan_text(text), "f.path", ret_scenario, why);
}

static void write_all(const struct scenario *scenario, struct buffer *out)
{
    assert_int_equal(scenario_write_head(scenario, out), KAN_OK);
    for (uint32_t i = 0; i < scenario->event_count; i++)
        assert_int_equal(scenario_write_event(&scenario->events[i], out),
                         KAN_OK);
    if (scenario->has_path)
        assert_int_equal(scenario_write_path(scenario->path, out), KAN_OK);
}

static void what_is_written_is_read_again(void **state)
{
    struct scenario scenario;
    struct buffer why = BUFFER_INIT;
    struct buffer out = BUFFER_INIT;

    (void)state;
    assert_int_equal(read_text(whole, &scenario, &why), KAN_OK);
    assert_int_equal(scenario.event_count, 13);
    assert_string_equal(scenario.model, "paxos");
    assert_int_equal(scenario.settings[1].value, 2);
    assert_string_equal(scenario.property, "agreement");
    assert_int_equal(scenario.first, 2);
    assert_string_equal(scenario.events[1].from.text, "");
    assert_string_equal(scenario.events[1].to.text, "counter/a");
    assert_string_equal(scenario.events[3].draws, "3/6,0/2");
    assert_string_equal(scenario.events[3].json, "{\"t\":\"#1/2\"}");
    assert_int_equal(scenario.events[4].choice, 3);
    assert_int_equal(scenario.events[4].now_ms, 17);
    assert_string_equal(scenario.events[4].json, "{\"text\":\"a # b @ c\"}");
    assert_int_equal(scenario.events[9].jump_ms, -1000);
    assert_true(scenario.path.high == UINT64_C(0x0123456789abcdef));
    write_all(&scenario, &out);
    assert_string_equal(buffer_text(&out), whole);
    scenario_fini(&scenario);
    buffer_fini(&out);
    buffer_fini(&why);
}

static void comments_and_blanks_say_nothing(void **state)
{
    struct scenario scenario;
    struct buffer why = BUFFER_INIT;

    (void)state;
    assert_int_equal(read_text("kan path 1\r\n\n# why\n   \nheal  \n"
                               "  crash a/1",
                               &scenario, &why),
                     KAN_OK);
    assert_int_equal(scenario.event_count, 2);
    assert_int_equal(scenario.events[1].line, 6);
    scenario_fini(&scenario);
    buffer_fini(&why);
}

static void mistakes_are_told_with_their_line(void **state)
{
    static const struct
    {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "f.path:0: the file is empty"},
        {"kan path 2\n",
         "f.path:1: not a scenario: the first line is not "
         "'kan path 1'"},
        {"kan path 1\ndelivr a/1 -> b/1 m\n",
         "f.path:2: nothing is called delivr; did you mean deliver?"},
        {"kan path 1\n\ndeliver a/1 b/1 m\n",
         "f.path:3: expected SENDER -> RECEIVER MESSAGE"},
        {"kan path 1\ndeliver a -> b/1 m\n",
         "f.path:2: expected an actor, as server/0, not a"},
        {"kan path 1\ndeliver a/1 ->\n",
         "f.path:2: expected an actor, as server/0"},
        {"kan path 1\ndeliver a/1 -> b/1\n",
         "f.path:2: which message? expected a name behind b/1"},
        {"kan path 1\ndeliver a/1 -> b/1 m 5\n",
         "f.path:2: expected a JSON object behind m"},
        {"kan path 1\njump a/1 soon\n",
         "f.path:2: expected milliseconds behind a/1"},
        {"kan path 1\ncut\n", "f.path:2: cut off whom?"},
        {"kan path 1\npath 12\n", "f.path:2: a path is 32 hexadecimal digits"},
        {"kan path 1\nmodel\n", "f.path:2: model needs a name"},
        {"kan path 1\nmodel m a=x\n",
         "f.path:2: expected name=number, not a=x"},
        {"kan path 1\nexpect maybe\n",
         "f.path:2: expect holds, or expect fails PROPERTY"},
        {"kan path 1\nstart -1\n",
         "f.path:2: expected a number up to 4294967295"},
        {"kan path 1\nmodel a\nmodule b\n",
         "f.path:3: a scenario has one model or module"},
        {"kan path 1\nmodel m =1\n", "f.path:2: expected name=number, not =1"},
        {"kan path 1\ntape \n", "f.path:2: expected choices behind tape"},
        {"kan path 1\ncrash a/1 b/1\n",
         "f.path:2: nothing may follow here, but b/1 does"},
        {"kan path 1\nheal it\n",
         "f.path:2: nothing may follow here, but it does"},
        {"kan path 1\nexpect fails this that\n",
         "f.path:2: nothing may follow here, but that does"},
        {"kan path 1\nheal #70000\n",
         "f.path:2: there are at most 65,535 outcomes"},
        {"kan path 1\nheal #1/2\n", "f.path:2: heal draws no numbers"},
        {"kan path 1\ntimer a/1 t #1/2,6/6\n",
         "f.path:2: expected at most 512 numbers drawn, each below what is "
         "behind it, as #3/6,0/2"},
        {"kan path 1\ntimer a/1 t #1/2,\n",
         "f.path:2: expected at most 512 numbers drawn, each below what is "
         "behind it, as #3/6,0/2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scenario scenario;
        struct buffer why = BUFFER_INIT;
        assert_int_equal(read_text(cases[i].text, &scenario, &why),
                         KAN_INVALID);
        assert_string_equal(buffer_text(&why), cases[i].why);
        assert_null(scenario.texts);
        buffer_fini(&why);
    }
}

static void numbers_drawn_are_read_and_written(void **state)
{
    const uint64_t pairs[] = {3, 6, UINT64_MAX - 1, UINT64_MAX, 0, 1};
    static const char *const wrong[] = {
        "", "3", "3/", "/6", "3/3", "0/0", "1/2,,1/2", "1/2/3", "-1/2"};
    uint64_t read[2 * SCENARIO_DRAWS_MAX];
    struct buffer text = BUFFER_INIT;
    uint32_t count = 0;

    (void)state;
    scenario_draws_write(pairs, 3, &text);
    assert_string_equal(buffer_text(&text),
                        "3/6,18446744073709551614/18446744073709551615,0/1");
    assert_int_equal(scenario_draws_read(buffer_text(&text), read, &count),
                     KAN_OK);
    assert_int_equal(count, 3);
    assert_memory_equal(read, pairs, sizeof pairs);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(scenario_draws_read(wrong[i], read, &count),
                         KAN_INVALID);
    buffer_clear(&text);
    for (uint32_t i = 0; i < SCENARIO_DRAWS_MAX; i++)
        buffer_append_text(&text, i == 0 ? "0/1" : ",0/1");
    assert_int_equal(scenario_draws_read(buffer_text(&text), read, &count),
                     KAN_OK);
    assert_int_equal(count, SCENARIO_DRAWS_MAX);
    buffer_append_text(&text, ",0/1");
    assert_int_equal(scenario_draws_read(buffer_text(&text), read, &count),
                     KAN_INVALID);
    buffer_fini(&text);
}

/* However many blanks stand before them. */
static void marks_are_read_from_the_end(void **state)
{
    struct scenario scenario;
    struct buffer why = BUFFER_INIT;

    (void)state;
    assert_int_equal(read_text("kan path 1\nheal  #2   @3\n"
                               "timer a/1 t  @4  #5  \n",
                               &scenario, &why),
                     KAN_OK);
    assert_int_equal(scenario.events[0].choice, 2);
    assert_int_equal(scenario.events[0].now_ms, 3);
    assert_int_equal(scenario.events[1].choice, 5);
    assert_int_equal(scenario.events[1].now_ms, 4);
    assert_null(scenario.events[1].json);
    scenario_fini(&scenario);
    buffer_fini(&why);
}

static void a_nul_byte_is_no_text(void **state)
{
    struct scenario scenario;
    struct buffer why = BUFFER_INIT;

    (void)state;
    assert_int_equal(scenario_read(kan_slice("kan path 1\nheal\0x", 17), "f",
                                   &scenario, &why),
                     KAN_INVALID);
    buffer_fini(&why);
}

static void memory_may_run_out_anywhere(void **state)
{
    int64_t live = mem_live();
    enum kan_err err = KAN_NOMEM;

    (void)state;
    for (uint64_t nth = 1; err == KAN_NOMEM; nth++) {
        struct scenario scenario;
        struct buffer why = BUFFER_INIT;
        mem_fault(nth, false);
        err = read_text(whole, &scenario, &why);
        mem_fault(0, false);
        if (err == KAN_OK)
            scenario_fini(&scenario);
        buffer_fini(&why);
        assert_int_equal(mem_live(), live);
    }
    assert_int_equal(err, KAN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(comments_and_blanks_say_nothing),
        cmocka_unit_test(mistakes_are_told_with_their_line),
        cmocka_unit_test(numbers_drawn_are_read_and_written),
        cmocka_unit_test(marks_are_read_from_the_end),
        cmocka_unit_test(a_nul_byte_is_no_text),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
