/* Histories as text: every form, every refusal with its line, and no memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
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

/* Each operation as "process:call-return what", one a line. */
static void print_all(const struct history *history, struct buffer *out)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct operation *one = &history->operations[i];
        buffer_print(out, "%u:%u-", one->process, one->call);
        if (one->ret != HISTORY_NEVER)
            buffer_append_u64(out, one->ret);
        buffer_append_byte(out, ' ');
        history_print(history, i, out);
        buffer_append_byte(out, '\n');
    }
}

static void assert_reads(const char *input, const char *expected)
{
    struct buffer message = BUFFER_INIT;
    struct buffer out = BUFFER_INIT;
    struct history history;
    enum kan_err err = history_parse(kan_text(input), &message, &history);
    if (err != KAN_OK)
        fail_msg("%s: %s", kan_err_name(err), buffer_text(&message));
    print_all(&history, &out);
    assert_string_equal(buffer_text(&out), expected);
    history_fini(&history);
    buffer_fini(&message);
    buffer_fini(&out);
}

static void assert_refused(const char *input, const char *expected)
{
    struct buffer message = BUFFER_INIT;
    struct history history;
    enum kan_err err = history_parse(kan_text(input), &message, &history);
    assert_int_equal(err, KAN_INVALID);
    assert_string_equal(buffer_text(&message), expected);
    buffer_fini(&message);
}

/* --- forms ---------------------------------------------------------------- */

static void test_log(void **state)
{
    (void)state;
    assert_reads(
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"
        "INFO  jepsen.core - a line about something else\n"
        "INFO  jepsen.util - 3\t:invoke\t:write\t4\n"
        "INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n"
        "INFO  jepsen.util - 0 :ok :read nil\r\n"
        "INFO  jepsen.util - 3\t:info\t:write\t:timed-out\n"
        "INFO  jepsen.util - 3\t:invoke\t:cas\t[1 2]\n"
        "INFO  jepsen.util - 3\t:fail\t:cas\t[1 2]\n"
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"
        "INFO  jepsen.util - 0\t:fail\t:read\t:timed-out\n"
        "INFO  jepsen.util - 0\t:invoke\t:cas\t[2 1]\n"
        "INFO  jepsen.util - 0\t:fail\t:cas\t:connection-refused",
        "0:0-2 read -> nil\n"
        "3:1- write 4 -> ?\n"
        "3:3-4 cas 1 2 -> mismatch\n");
    assert_reads("0\t:invoke\t:write\t1\n0\t:ok\t:write\t1\n",
                 "0:0-1 write 1\n");
    assert_reads("", "");
    assert_reads(" \n\t ; nothing\n", "");
}

static void test_edn(void **state)
{
    (void)state;
    assert_reads(
        "[{:process 1, :type :invoke, :f :cas, :value [nil 3]}\n"
        " {:process 1, :type :ok, :f :cas, :value [nil 3], :time 7}\n"
        " {:process :nemesis, :type :info, :f :kill, :value #{:n1}}\n"
        " {:process 2, :type :invoke, :f :add, :value \"a\\n\"}\n"
        " {:process 2, :type :fail, :f :add, :error [:net {:a 1}]}\n"
        " {:index 9, :process 2, :type :invoke, :f :read}\n"
        " {:process 2, :f :read, :value #{2 1}, :type :ok,\n"
        "  :at #inst \"2026-01-01\"}]",
        "1:0-1 cas nil 3\n2:2-3 read -> #{1 2}\n");
    assert_reads(
        "{:process 0, :type :invoke, :f :append, :key \"k\", "
        ":value \"x 0 0 y\"}\n"
        "{:process 0, :type :ok, :f :append, :key \"k\", "
        ":value \"x 0 0 y\"}\n",
        "0:0-1 append \"k\" \"x 0 0 y\"\n");
}

static void test_json(void **state)
{
    (void)state;
    assert_reads(
        "{\"process\": 0, \"type\": \"invoke\", \"f\": \"get\", "
        "\"key\": \"a\"}\n"
        "{\"process\":0,\"type\":\"ok\",\"f\":\"get\",\"key\":\"a\","
        "\"value\":{\"x\":[1,null,\"\\u00e4\\ud83d\\ude00\"]}}\n",
        "0:0-1 read \"a\" -> [\"x\" [1 nil "
        "\"\xc3\xa4\xf0\x9f\x98\x80\"]]\n");
}

static void test_whole_operations(void **state)
{
    (void)state;
    assert_reads(
        "{\"process\":0,\"f\":\"write\",\"value\":3,\"call\":10,\"return\":20}"
        "{\"process\":1,\"f\":\"contains\",\"value\":7,\"result\":true,"
        "\"call\":5,\"return\":10}"
        "{\"process\":2,\"f\":\"inc\",\"call\":7,\"return\":null}"
        "{\"process\":3,\"f\":\"cas\",\"value\":[1,2],\"type\":\"fail\","
        "\"call\":1,\"return\":30}"
        "{\"process\":4,\"f\":\"dequeue\",\"result\":9,\"call\":-2,"
        "\"return\":-1}",
        "4:0-1 dequeue -> 9\n"
        "3:2-8 cas 1 2 -> mismatch\n"
        "1:3-6 contains 7 -> true\n"
        "2:4- add 1 -> ?\n"
        "0:5-7 write 3\n");
}

static void test_pairs(void **state)
{
    (void)state;
    assert_reads(
        "{:process 0 :type :invoke :f :write :value [5 1]}"
        "{:process 0 :type :ok :f :write :value [5 1]}"
        "{:process 0 :type :invoke :f :cas :value [5 [1 2]]}"
        "{:process 0 :type :info :f :cas :value :timeout}"
        "{:process 1 :type :invoke :f :read :value [5 nil]}"
        "{:process 1 :type :ok :f :read :value [5 2]}",
        "0:0-1 write 5 1\n0:2- cas 5 1 2 -> ?\n1:3-4 read 5 -> 2\n");
}

/* --- refusals ------------------------------------------------------------- */

static void test_refusals(void **state)
{
    (void)state;
    assert_refused("hello\nworld",
                   "line 1: no operation is told here; expected Jepsen's log, "
                   "EDN maps or JSON lines");
    assert_refused("{:process 0 :type :ok :f :read :value 1}",
                   "line 1: process 0 returns, but has called nothing");
    assert_refused(
        "{:process 2 :type :invoke :f :read}\n\n"
        "{:process 2 :type :invoke :f :read}",
        "line 3: process 2 calls, but its call in line 1 has not "
        "returned");
    assert_refused(
        "{:process 2 :type :invoke :f :read}\n"
        "{:process 2 :type :ok :f :write :value 1}",
        "line 2: process 2 returns from write, but has called read "
        "in line 1");
    assert_refused(
        "{:process 2 :type :invoke :f :read}\n"
        "{:process 2 :type :ok :f :read}",
        "line 2: a read that was answered needs a value");
    assert_refused("{:process 0 :type :begin :f :read}",
                   "line 1: type 'begin' is none of invoke, ok, fail, info");
    assert_refused("{:process 0 :type :invoke :f :reed}",
                   "line 1: function 'reed' is not known, did you mean 'read'; "
                   "known are read, write, cas, append, delete, add, remove, "
                   "contains, acquire, release, enqueue, dequeue");
    assert_refused("{:type :invoke :f :read}", "line 1: a process is missing");
    assert_refused("{:process 0 :type :invoke}",
                   "line 1: a function (f) is missing");
    assert_refused("{:process 0 :f :read}", "line 1: a type is missing");
    assert_refused("{:process 1048576 :type :invoke :f :read}",
                   "line 1: process 1048576: they must be below 1048576");
    assert_refused("{:process 0 :type :invoke :f :write}",
                   "line 1: write needs a value");
    assert_refused("{:process 0 :type :invoke :f :dec :value 2}",
                   "line 1: dec takes no value; add a negative number instead");
    assert_refused("{:process 0 :type :invoke :f :cas :value 2}",
                   "line 1: cas needs the value [expected new]");
    assert_refused(
        "{:process 0 :type :invoke :f :read}\n"
        "{:process 0 :f :read :value 1 :call 1 :return 2}",
        "line 2: some lines have a call time and others do not");
    assert_refused("{:process 0 :f :read :value 1 :call 3 :return 2}",
                   "line 1: it returns before it is called");
    assert_refused("{:process 0 :f :read :value 1 :call 3 :return x}",
                   "line 1: call and return must be whole numbers");
    assert_refused(
        "{:process 0 :type :invoke :f :read :value [1 nil]}\n"
        "{:process 0 :type :ok :f :read :value 2}",
        "line 2: the value is no [key value], as those of other "
        "reads");
}

static void test_broken_forms(void **state)
{
    (void)state;
    assert_refused("{:process 0\n:value \"a",
                   "line 2: the string does not end");
    assert_refused("{:process 0 :value \"\\x\"}",
                   "line 1: an escape that is not known");
    assert_refused("{:process 0 :value \"\\u12\"}",
                   "line 1: \\u needs four digits");
    assert_refused("{:process 0 :value \"\\ud800\"}",
                   "line 1: half of a \\u pair");
    assert_refused("{:process 0 :value \"\\udc00\"}",
                   "line 1: half of a \\u pair");
    assert_refused("{:process 0 :value [1 [2]",
                   "line 1: a bracket is not closed");
    assert_refused("{:process 0", "line 1: a value is missing");
    assert_refused("{:process 0 :type :invoke :f :read}\nfoo",
                   "line 2: expected a map, as {:process 0, :type :invoke, "
                   ":f :read, :value nil}");
    assert_refused("{:value [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1",
                   "line 1: brackets nested too deep");
    assert_refused(
        "{:value #a #a #a #a #a #a #a #a #a #a #a #a #a #a #a #a #a "
        "#a #a #a #a #a #a #a #a #a #a #a #a #a #a #a #a #a 1}",
        "line 1: brackets nested too deep");
}

/* --- no memory ------------------------------------------------------------ */

static void test_fault(void **state)
{
    (void)state;
    static const char input[] =
        "{:process 0 :type :invoke :f :write :value [\"k\" \"\\u00e4\"]}"
        "{:process 40 :type :invoke :f :read :value [\"k\" nil]}"
        "{:process 0 :type :ok :f :write :value [\"k\" [1 #{2}]]}"
        "{:process 40 :type :ok :f :read :value [\"k\" \"b\"]}";
    for (uint64_t nth = 1;; nth++) {
        struct buffer message = BUFFER_INIT;
        struct history history;
        mem_fault(nth, false);
        enum kan_err err = history_parse(kan_text(input), &message, &history);
        bool struck = mem_fault_struck();
        mem_fault(0, false);
        buffer_fini(&message);
        if (err == KAN_OK)
            history_fini(&history);
        else
            assert_int_equal(err, KAN_NOMEM);
        assert_int_equal(mem_live(), live_before);
        if (!struck) {
            assert_int_equal(err, KAN_OK);
            assert_true(nth > 8);
            break;
        }
        assert_int_not_equal(err, KAN_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, note_live, check_live)
        TEST(test_log),          TEST(test_edn),
        TEST(test_json),         TEST(test_whole_operations),
        TEST(test_pairs),        TEST(test_refusals),
        TEST(test_broken_forms), TEST(test_fault),
#undef TEST
    };
    return cmocka_run_group_tests_name("history_parse", tests, NULL, NULL);
}
