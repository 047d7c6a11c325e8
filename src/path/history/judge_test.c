/* The judge on histories with names: what each model allows, limits, what is
 * drawn, and no memory. random_test.c holds it against brute force. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "path/history/draw.h"
#include "path/history/models.h"
#include "path/history/parse.h"

static int64_t live_before;

static int note_live(void **state)
{
    (void)state;
    live_before = mem_live();
    return 0;
}

static int check_live(void **state)
{
    (void)state;
    mem_fault(0, false);
    return mem_live() == live_before ? 0 : -1;
}

/* --- short hand ----------------------------------------------------------- */

static void read_history(const char *input, struct history *history)
{
    struct buffer message = BUFFER_INIT;
    if (history_parse(kan_text(input), &message, history) != KAN_OK)
        fail_msg("%s", buffer_text(&message));
    buffer_fini(&message);
}

/* "0 write 1 2 3" is: process 0, write, of 1, called at 2, returned at 3; ">"
 * before the value says it is the result, "-" for the return that it never
 * comes, "!" behind the return that it failed. Lines are ended by ";". */
static void append_operation(struct kan_slice line, struct buffer *out)
{
    struct kan_slice words[5];
    for (int i = 0; i < 5; i++)
        (void)slice_cut(&line, ' ', &words[i]);
    bool result = slice_starts(words[2], SLICE(">"));
    bool failed = slice_find(words[4], SLICE("!")) != SIZE_MAX;
    struct kan_slice ret = slice_head(words[4], words[4].size - failed);
    buffer_print(out, "{:process %.*s :f :%.*s :%s %.*s :call %.*s",
                 SLICE_ARG(words[0]), SLICE_ARG(words[1]),
                 result ? "result" : "value",
                 SLICE_ARG(result ? slice_skip(words[2], 1) : words[2]),
                 SLICE_ARG(words[3]));
    if (!slice_equal(ret, SLICE("-")))
        buffer_print(out, " :return %.*s", SLICE_ARG(ret));
    buffer_append_text(out, failed ? " :type :fail}\n" : "}\n");
}

static void make(const char *text, struct history *history)
{
    struct kan_slice rest = kan_text(text);
    struct kan_slice line;
    struct buffer out = BUFFER_INIT;
    while (rest.size) {
        (void)slice_cut(&rest, ';', &line);
        append_operation(slice_trim(line), &out);
    }
    read_history(buffer_text(&out), history);
    buffer_fini(&out);
}

static void assert_verdict(const char *text, const char *model,
                           enum verdict expected)
{
    struct history history;
    struct judgement judgement;
    struct judge_options options = {.spec = spec_find(kan_text(model)),
                                    .initial = VALUE_NONE};
    make(text, &history);
    assert_non_null(options.spec);
    assert_int_equal(history_judge(&history, &options, NULL, &judgement),
                     KAN_OK);
    if (judgement.verdict != expected)
        fail_msg("%s: %s: the verdict is %d", model, text, judgement.verdict);
    judgement_fini(&judgement);
    history_fini(&history);
}

static void assert_good(const char *text, const char *model)
{
    assert_verdict(text, model, VERDICT_LINEARIZABLE);
}

static void assert_bad(const char *text, const char *model)
{
    assert_verdict(text, model, VERDICT_NOT);
}

/* --- models --------------------------------------------------------------- */

static void test_register(void **state)
{
    (void)state;
    assert_good("0 write 1 0 9;1 read >nil 1 2;1 read >1 3 4", "register");
    assert_bad("0 write 1 0 9;1 read >1 1 2;1 read >nil 3 4", "register");
    assert_good("0 write 1 0 -;1 read >nil 1 2;1 read >1 3 4", "register");
    assert_bad("0 write 1 5 6;1 read >1 1 2", "register");
    assert_bad("0 read >7 5 6", "register");
    assert_good("0 write 1 0 1;1 write 2 2 3;0 read >2 4 5", "register");
    assert_bad("0 write 1 0 1;1 write 2 2 3;0 read >1 4 5", "register");
    /* At the same time a call comes first: the two overlap. */
    assert_good("0 write 1 0 3;1 write 2 3 4;0 read >1 5 6", "register");
}

static void test_cas(void **state)
{
    (void)state;
    assert_good("0 cas [nil,1] 0 1;0 cas [2,3] 2 3!;0 read >1 4 5",
                "cas-register");
    assert_bad("0 cas [nil,1] 0 1;0 cas [1,3] 2 3!", "cas-register");
    assert_bad("0 cas [1,2] 0 1", "cas-register");
    assert_good("0 write 1 0 1;1 cas [1,2] 2 -;0 read >1 3 4;0 read >2 5 6",
                "cas-register");
    assert_bad("0 write 1 0 1;1 cas [3,2] 2 -;0 read >2 5 6", "cas-register");
}

static void test_kv(void **state)
{
    (void)state;
    assert_good("0 append \"a\" 0 1;1 append \"b\" 0 1;0 get >\"ba\" 2 3",
                "kv");
    assert_bad("0 append \"a\" 0 1;1 append \"b\" 2 3;0 get >\"ba\" 4 5", "kv");
    assert_good("0 get >\"\" 0 1;0 put \"\" 2 3;0 get >nil 4 5", "kv");
    assert_good("0 put \"x\" 0 1;0 delete nil 2 3;0 get >nil 4 5", "kv");
    assert_good("0 append 1 0 1;0 append [2] 2 3;0 get >[1,[2]] 4 5", "kv");
    assert_good("0 append \"a\" 0 1;0 append \"\" 2 3;0 get >\"a\" 4 5", "kv");
    assert_bad("0 put 5 0 1;0 append \"a\" 2 3", "kv");
    assert_good(
        "0 append \"a\" 0 9;1 append \"b\" 0 9;2 put \"c\" 0 9;"
        "3 get >\"cb\" 10 11",
        "kv");
    assert_bad("0 append \"a\" 0 1;2 put \"c\" 2 9;3 get >\"ca\" 10 11", "kv");
}

static void test_counter(void **state)
{
    (void)state;
    assert_good("0 add 2 0 1;1 dec nil 0 9;0 read >2 2 3;0 read >1 10 11",
                "counter");
    assert_bad("0 add 2 0 1;0 read >1 2 3", "counter");
    assert_good("0 inc nil 0 -;0 read >0 2 3;0 read >1 4 5", "counter");
}

static void test_set(void **state)
{
    (void)state;
    assert_good(
        "0 add 2 0 1;0 add 1 2 3;0 read >[1,2] 4 5;0 remove 1 6 7;"
        "0 contains 1 8 9!",
        "set");
    assert_bad("0 add 2 0 1;0 read >[] 4 5", "set");
    assert_good("0 add 2 0 5;0 read >nil 1 2", "set");
}

static void test_locks(void **state)
{
    (void)state;
    assert_bad("0 acquire nil 0 1;1 acquire nil 2 3", "mutex");
    assert_good("0 acquire nil 0 1;1 release nil 2 3", "mutex");
    assert_bad("0 acquire nil 0 1;1 release nil 2 3", "lock");
    assert_good("0 acquire nil 0 1;0 release nil 2 -;1 acquire nil 4 5",
                "lock");
    assert_bad("0 release nil 0 1", "lock");
}

static void test_queue(void **state)
{
    (void)state;
    assert_good("0 enqueue 1 0 1;0 enqueue 2 2 3;1 dequeue >1 4 5", "queue");
    assert_bad("0 enqueue 1 0 1;0 enqueue 2 2 3;1 dequeue >2 4 5", "queue");
    assert_good("0 dequeue >nil 0 1;0 enqueue 2 2 -;1 dequeue >2 4 5", "queue");
    assert_bad("0 enqueue 1 0 1;1 dequeue >1 2 3;2 dequeue >1 4 5", "queue");
    assert_good("0 enqueue 1 0 1;1 dequeue nil 2 -;2 dequeue >nil 4 5",
                "queue");
}

static void assert_chosen(const char *text, const char *expected)
{
    struct history history;
    make(text, &history);
    const struct spec *spec = spec_choose(&history);
    assert_string_equal(spec ? spec->name : "none", expected);
    history_fini(&history);
}

static void test_choice(void **state)
{
    (void)state;
    assert_chosen("0 read >1 0 1", "register");
    assert_chosen("0 cas [1,2] 0 1", "cas-register");
    assert_chosen("0 get >1 0 1;0 append 1 2 3", "kv");
    assert_chosen("0 add 1 0 1;0 read >1 2 3", "counter");
    assert_chosen("0 add 1 0 1;0 read >[1] 2 3", "set");
    assert_chosen("0 add 1 0 1;0 remove 1 2 3", "set");
    assert_chosen("0 acquire nil 0 1", "mutex");
    assert_chosen("0 dequeue >1 0 1", "queue");
    assert_chosen("0 dequeue >1 0 1;0 acquire nil 2 3", "none");
}

static void test_unusable(void **state)
{
    (void)state;
    struct history history;
    struct judgement judgement;
    uint32_t bad = 7;
    struct judge_options options = {.spec = &spec_counter,
                                    .initial = VALUE_NONE};
    make("0 read >0 0 1;0 add x 2 3", &history);
    assert_int_equal(history_judge(&history, &options, &bad, &judgement),
                     KAN_INVALID);
    assert_int_equal(bad, 1);
    options.spec = &spec_queue;
    assert_int_equal(history_judge(&history, &options, &bad, &judgement),
                     KAN_INVALID);
    assert_int_equal(bad, 0);
    history_fini(&history);
    make("0 dequeue >1 0 1;0 acquire nil 2 3", &history);
    assert_int_equal(history_judge(&history, NULL, &bad, &judgement),
                     KAN_INVALID);
    assert_int_equal(bad, PLAN_NONE);
    history_fini(&history);
}

static void test_initial(void **state)
{
    (void)state;
    struct history history;
    struct judgement judgement;
    struct judge_options options = {.initial = VALUE_NONE};
    make("0 read >0 0 1;0 write 0 2 3;1 read >nil 4 5", &history);
    assert_int_equal(value_add_number(&history.values, 0, &options.initial),
                     KAN_OK);
    for (int way = 0; way < 2; way++) {
        options.searched = way;
        assert_int_equal(history_judge(&history, &options, NULL, &judgement),
                         KAN_OK);
        assert_int_equal(judgement.verdict, VERDICT_NOT);
        assert_int_equal(judgement.minimal.count, 1);
        assert_int_equal(judgement.minimal.operations[0], 2);
        judgement_fini(&judgement);
    }
    history_fini(&history);
}

/* --- limits --------------------------------------------------------------- */

/* count writes, all open at once, of few values, and a read that sees one that
 * nobody wrote: every order has to be tried. */
static void make_wide(uint32_t count, uint32_t values, struct history *history)
{
    struct buffer out = BUFFER_INIT;
    for (uint32_t i = 0; i < count; i++)
        buffer_print(&out,
                     "{:process %u :f :write :value %u :call %u :return %u}\n",
                     i, i % values, i, 100000 + i);
    buffer_print(&out,
                 "{:process %u :f :read :value 1 :call %u :return %u}\n"
                 "{:process %u :f :cas :value [77 1] :call %u :return %u}\n",
                 count, 300000, 300001, count, 300002, 300003);
    read_history(buffer_text(&out), history);
    buffer_fini(&out);
}

static struct judgement judge_wide(uint32_t count, uint32_t values,
                                   const struct judge_options *options)
{
    struct history history;
    struct judgement judgement;
    make_wide(count, values, &history);
    assert_int_equal(history_judge(&history, options, NULL, &judgement),
                     KAN_OK);
    history_fini(&history);
    return judgement;
}

static bool stop_at_once(void *data, uint64_t steps, uint64_t bytes)
{
    (void)steps;
    (void)bytes;
    ++*(int *)data;
    return false;
}

static void test_limits(void **state)
{
    (void)state;
    int called = 0;
    struct judge_options options = {.initial = VALUE_NONE};
    options.search.memory_max = 4 << 20;
    struct judgement judgement = judge_wide(60, 50, &options);
    assert_int_equal(judgement.verdict, VERDICT_UNKNOWN);
    assert_int_equal(judgement.reason, JUDGE_MEMORY);
    assert_true(judgement.bytes <= 5 << 20);
    judgement_fini(&judgement);
    options.search.steps_max = 1000;
    judgement = judge_wide(60, 50, &options);
    assert_int_equal(judgement.verdict, VERDICT_UNKNOWN);
    assert_int_equal(judgement.reason, JUDGE_STEPS);
    judgement_fini(&judgement);
    options.search.data = &called;
    options.search.progress = stop_at_once;
    judgement = judge_wide(60, 50, &options);
    assert_int_equal(judgement.reason, JUDGE_STOPPED);
    assert_int_equal(called, 1);
    judgement_fini(&judgement);
    judgement = judge_wide(PLAN_WORDS_MAX * 64 + 1, 3, &options);
    assert_int_equal(judgement.verdict, VERDICT_UNKNOWN);
    assert_int_equal(judgement.reason, JUDGE_OPEN);
    judgement_fini(&judgement);
}

/* More than one word of slots; equal writes keep it small. */
static void test_wide(void **state)
{
    (void)state;
    struct judgement judgement = judge_wide(300, 2, NULL);
    assert_int_equal(judgement.verdict, VERDICT_NOT);
    assert_int_equal(judgement.minimal.count, 1);
    judgement_fini(&judgement);
}

/* One part needs more steps than it gets, the other is decided all the same. */
static void test_hard_part_waits(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    struct history history;
    struct judgement judgement;
    struct judge_options options = {.initial = VALUE_NONE};
    for (uint32_t i = 0; i < 40; i++)
        buffer_print(&out,
                     "{:process %u :f :write :key 1 :value %u :call 1 :return "
                     "9}\n",
                     i, i % 20);
    buffer_append_text(
        &out,
        "{:process 50 :f :read :key 1 :value 1 :call 10 :return 11}\n"
        "{:process 50 :f :read :key 1 :value 2 :call 11 :return 12}\n"
        "{:process 50 :f :read :key 2 :value 5 :call 12 :return 13}\n");
    read_history(buffer_text(&out), &history);
    options.search.steps_max = 200000;
    assert_int_equal(history_judge(&history, &options, NULL, &judgement),
                     KAN_OK);
    assert_int_equal(judgement.verdict, VERDICT_NOT);
    assert_int_equal(judgement.part_count, 2);
    out.size = 0;
    value_print(&history.values, judgement.key, &out);
    assert_string_equal(buffer_text(&out), "2");
    judgement_fini(&judgement);
    history_fini(&history);
    buffer_fini(&out);
}

/* --- drawing -------------------------------------------------------------- */

static void test_drawing(void **state)
{
    (void)state;
    struct history history;
    struct judgement judgement;
    struct buffer out = BUFFER_INIT;
    struct judge_options options = {.initial = VALUE_NONE, .points = true};
    make("0 write 1 0 1;1 write 2 2 5;0 read >1 6 9;2 write <&> 7 -", &history);
    assert_int_equal(history_judge(&history, &options, NULL, &judgement),
                     KAN_OK);
    assert_int_equal(history_draw_text(&history, &judgement, 120, &out),
                     KAN_OK);
    assert_string_equal(
        buffer_text(&out),
        "  process 0   (--write 1--)               [==read -> 1==]\n"
        "  process 1                 [==write 2==]\n"
        "\n"
        "    line 1      process 0    write 1\n"
        "  * line 2      process 1    write 2\n"
        "  * line 3      process 0    read -> 1\n");
    buffer_clear(&out);
    assert_int_equal(history_draw_text(&history, &judgement, 40, &out), KAN_OK);
    assert_int_equal(slice_find(buffer_slice(&out), SLICE("[==")), SIZE_MAX);
    buffer_clear(&out);
    assert_int_equal(
        history_draw_svg(&history, &judgement, SLICE("<a> & b"), &out), KAN_OK);
    assert_true(slice_starts(buffer_slice(&out), SLICE("<svg ")));
    static const char *const parts[] = {"&lt;a&gt; &amp; b",
                                        "write &lt;&amp;&gt;",
                                        "class='bar needed'",
                                        "class='bar wrote'",
                                        "class='bar open'",
                                        "<circle class='point'",
                                        "</svg>"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (slice_find(buffer_slice(&out), kan_text(parts[i])) == SIZE_MAX)
            fail_msg("%s is not in the drawing", parts[i]);
    }
    buffer_fini(&out);
    judgement_fini(&judgement);
    history_fini(&history);
}

/* --- no memory ------------------------------------------------------------ */

static const char faulty[] =
    "0 append \"a\" 0 20;1 append \"b\" 1 20;2 append \"c\" 2 20;"
    "3 put \"d\" 3 20;4 append \"e\" 4 -;0 get >\"dba\" 21 22;"
    "0 get >\"db\" 23 24;1 delete nil 25 26;1 get >nil 27 28";

/* One judgement with all that is drawn of it, in which the nth allocation
 * fails. Returns whether one did. */
static bool judge_with_fault(uint64_t nth, const struct judge_options *options)
{
    struct history history;
    struct judgement judgement;
    struct buffer out = BUFFER_INIT;
    make(faulty, &history);
    mem_fault(nth, false);
    enum kan_err err = history_judge(&history, options, NULL, &judgement);
    bool judged = err == KAN_OK;
    if (judged) {
        assert_int_equal(judgement.verdict, VERDICT_NOT);
        err = history_draw_text(&history, &judgement, 200, &out);
        if (err == KAN_OK)
            err = history_draw_svg(&history, &judgement, SLICE("x"), &out);
        judgement_fini(&judgement);
    }
    bool struck = mem_fault_struck();
    mem_fault(0, false);
    assert_int_equal(err, struck ? KAN_NOMEM : KAN_OK);
    buffer_fini(&out);
    history_fini(&history);
    return struck;
}

static void test_fault(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct judge_options options = {
            .initial = VALUE_NONE, .whole = way == 1, .points = way == 2};
        uint64_t nth = 1;
        while (judge_with_fault(nth, &options)) {
            assert_int_equal(mem_live(), live_before);
            nth += 1 + nth / 16;
        }
        assert_true(nth > 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, note_live, check_live)
        TEST(test_register),        TEST(test_cas),     TEST(test_kv),
        TEST(test_counter),         TEST(test_set),     TEST(test_locks),
        TEST(test_queue),           TEST(test_choice),  TEST(test_unusable),
        TEST(test_initial),         TEST(test_limits),  TEST(test_wide),
        TEST(test_hard_part_waits), TEST(test_drawing), TEST(test_fault),
#undef TEST
    };
    return cmocka_run_group_tests_name("history_judge", tests, NULL, NULL);
}
