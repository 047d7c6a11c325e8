/* Cases in child processes: crashes, exits and time-outs are failures that are
 * shrunk, and nothing of them reaches this process. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <kan/property.h>

#include "base/alloc.h"

static struct kan_property_result run(kan_property *property, void *data,
                                      uint32_t case_ms)
{
    struct kan_property_options options = {
        .isolate = true, .runs = 200, .case_ms = case_ms, .report_fd = -1};
    struct kan_property_result result;
    int64_t live = mem_live();
    assert_int_equal(kan_property_run(&options, property, data, &result),
                     KAN_OK);
    /* No child is left. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_true(mem_live() - live <= 3);
    return result;
}

static void holds(kan_case *c, void *data)
{
    ++*(int *)data;
    (void)kan_draw(c, 10);
}

static void memory_is_not_shared(void **state)
{
    int runs = 0;
    struct kan_property_result result = run(holds, &runs, 0);
    (void)state;
    assert_int_equal(result.verdict, KAN_HOLDS);
    assert_int_equal(result.runs, 200);
    assert_int_equal(runs, 0);
    kan_property_result_fini(&result);
}

static void is_below_100(kan_case *c, void *data)
{
    int64_t number = kan_draw_int(c, 0, 1000);
    (void)data;
    kan_note(c, "number %d", (int)number);
    kan_require(c, number < 100);
}

static void a_requirement_that_fails_is_shrunk(void **state)
{
    struct kan_property_result result = run(is_below_100, NULL, 0);
    (void)state;
    assert_int_equal(result.verdict, KAN_FAILS);
    assert_string_equal(result.notes, "number 100\n");
    assert_non_null(strstr(result.message, "required: number < 100"));
    kan_property_result_fini(&result);
}

/* Sums a list, and dies of it. The number behind is never drawn. */
static void dies(kan_case *c, void *data)
{
    int64_t sum = 0;
    int sig = *(int *)data;
    for (size_t n = 0; kan_draw_more(c, n, 0, 20); n++)
        sum += kan_draw_int(c, 0, 100);
    kan_note(c, "sum %d", (int)sum);
    if (sum > 70) {
        (void)signal(sig, SIG_DFL);
        (void)raise(sig);
    }
    (void)kan_draw(c, 10);
}

static void a_crash_is_shrunk(void **state)
{
    static const int signals[] = {SIGSEGV, SIGABRT, SIGKILL};
    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char part[32];
        int sig = signals[i];
        struct kan_property_result result = run(dies, &sig, 0);
        (void)snprintf(part, sizeof part, "died of signal %d, ", sig);
        assert_int_equal(result.verdict, KAN_FAILS);
        assert_non_null(strstr(result.message, part));
        assert_string_equal(result.notes, "sum 71\n");
        assert_string_equal(result.tape, "kan tape 1\n1/2 71/101 0/2\n");
        assert_true(result.smallest);
        kan_property_result_fini(&result);
    }
}

static void exits(kan_case *c, void *data)
{
    (void)data;
    if (kan_draw(c, 100) > 30) {
        puts("this is printed for the last case alone");
        _exit(3);
    }
}

static void an_exit_is_shrunk(void **state)
{
    struct kan_property_result result = run(exits, NULL, 0);
    (void)state;
    assert_int_equal(result.verdict, KAN_FAILS);
    assert_non_null(strstr(result.message, "exited with status 3"));
    assert_string_equal(result.tape, "kan tape 1\n31/100\n");
    kan_property_result_fini(&result);
}

static void hangs(kan_case *c, void *data)
{
    (void)data;
    if (kan_draw(c, 100) > 30)
        for (;;)
            (void)pause();
}

static void a_time_out_is_shrunk(void **state)
{
    struct kan_property_result result = run(hangs, NULL, 250);
    (void)state;
    assert_int_equal(result.verdict, KAN_FAILS);
    assert_non_null(strstr(result.message, "took longer than 250 ms"));
    assert_string_equal(result.tape, "kan tape 1\n31/100\n");
    kan_property_result_fini(&result);
}

static void leaves_a_child(kan_case *c, void *data)
{
    (void)data;
    if (kan_draw(c, 2) == 1 && fork() == 0)
        for (;;)
            (void)pause();
}

static void what_a_case_started_ends_with_it(void **state)
{
    struct kan_property_result result = run(leaves_a_child, NULL, 0);
    (void)state;
    assert_int_equal(result.verdict, KAN_HOLDS);
    kan_property_result_fini(&result);
}

static void closes_all(kan_case *c, void *data)
{
    (void)data;
    (void)kan_draw(c, 2);
    for (int fd = 3; fd < 64; fd++)
        (void)close(fd);
}

static void a_case_may_close_all_descriptors(void **state)
{
    struct kan_property_options options = {
        .isolate = true, .runs = 5, .report_fd = -1};
    (void)state;
    assert_true(kan_property_holds(&options, closes_all, NULL));
}

static void any_allocation_may_fail(void **state)
{
    int64_t live = mem_live();
    uint64_t nth = 0;
    enum kan_err err;
    bool struck;
    (void)state;
    do {
        struct kan_property_options options = {.isolate = true,
                                               .report_fd = -1};
        struct kan_property_result result = {0};
        mem_fault(++nth, false);
        err = kan_property_run(&options, is_below_100, NULL, &result);
        struck = mem_fault_struck();
        mem_fault(0, false);
        if (err)
            assert_int_equal(err, KAN_NOMEM);
        else
            assert_int_equal(result.verdict, KAN_FAILS);
        kan_property_result_fini(&result);
        assert_int_equal(mem_live(), live);
    } while ((err || struck) && nth < 100);
    assert_in_range(nth, 5, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_not_shared),
        cmocka_unit_test(a_requirement_that_fails_is_shrunk),
        cmocka_unit_test(a_crash_is_shrunk),
        cmocka_unit_test(an_exit_is_shrunk),
        cmocka_unit_test(a_time_out_is_shrunk),
        cmocka_unit_test(what_a_case_started_ends_with_it),
        cmocka_unit_test(a_case_may_close_all_descriptors),
        cmocka_unit_test(any_allocation_may_fail),
    };
    (void)unsetenv("KAN_SEED");
    (void)unsetenv("KAN_TAPE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
