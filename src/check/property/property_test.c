/* Running properties: draws, verdicts, reports, replays, files, limits. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <kan/property.h>

#include "base/alloc.h"

static char folder[] = "/tmp/kan-property-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    (void)unsetenv("KAN_SEED");
    (void)unsetenv("KAN_TAPE");
    (void)unlink(path);
    return 0;
}

static struct kan_property_result run(struct kan_property_options options,
                                      kan_property *property, void *data)
{
    struct kan_property_result result;
    if (!options.report)
        options.report_fd = -1;
    assert_int_equal(kan_property_run(&options, property, data, &result),
                     KAN_OK);
    return result;
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static const char *read_file(void)
{
    static char text[4096];
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    (void)fclose(file);
    return text;
}

/* --- properties ----------------------------------------------------------- */

static void is_below_100(kan_case *c, void *data)
{
    int64_t number = kan_draw_int(c, 0, 1000);
    if (data)
        ++*(int *)data;
    kan_note(c, "number %d", (int)number);
    kan_require(c, number < 100);
}

static void always_holds(kan_case *c, void *data)
{
    int *runs = data;
    ++*runs;
    (void)kan_draw(c, 10);
    kan_require(c, true);
}

/* --- draws ---------------------------------------------------------------- */

struct seen
{
    unsigned low;
    unsigned high;
    unsigned zero;
    unsigned negative;
    unsigned longest;
    unsigned empty;
    unsigned weights[4];
};

static void check_int(kan_case *c, struct seen *seen, int64_t low, int64_t high)
{
    int64_t number = kan_draw_int(c, low, high);
    assert_true(low <= number && number <= high);
    seen->low += number == low;
    seen->high += number == high;
    seen->zero += number == 0;
    seen->negative += number < 0;
}

static void draws_are_in_range(kan_case *c, void *data)
{
    static const int64_t ranges[][2] = {
        {0, 0},         {5, 9},   {-9, -5},        {-5, 100},
        {-100, 5},      {0, 255}, {INT64_MIN, 0},  {INT64_MIN, INT64_MAX},
        {0, INT64_MAX}, {-1, 1},  {INT64_MIN, -1}, {INT64_MAX, INT64_MAX},
    };
    static const uint32_t weights[] = {0, 1, 0, 99};
    static const char *const words[] = {"a", "b", "c"};
    struct seen *seen = data;
    char text[11];
    unsigned char bytes[10];
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        check_int(c, &seen[i], ranges[i][0], ranges[i][1]);
    assert_true(kan_draw(c, 3) < 3);
    assert_int_equal(kan_draw(c, 1), 0);
    (void)kan_draw(c, UINT64_MAX);
    assert_non_null(kan_draw_from(c, words));
    seen[0].weights[kan_draw_weighted(c, weights, 4)]++;
    size_t size = kan_draw_text(c, "xyz", 2, 10, text);
    assert_in_range(size, 2, 10);
    assert_int_equal(strlen(text), size);
    assert_int_equal(strspn(text, "xyz"), size);
    seen[0].longest += size == 10;
    size = kan_draw_text(c, NULL, 0, 10, text);
    for (size_t i = 0; i < size; i++)
        assert_in_range(text[i], ' ', '~');
    seen[0].empty += size == 0;
    assert_in_range(kan_draw_bytes(c, 10, 10, bytes), 10, 10);
}

static void data_are_in_range_and_at_its_ends(void **state)
{
    struct seen seen[12] = {{0}};
    struct kan_property_result result =
        run((struct kan_property_options){0}, draws_are_in_range, seen);
    (void)state;
    assert_int_equal(result.verdict, KAN_HOLDS);
    assert_int_equal(result.runs, 1000);
    assert_int_equal(result.seed, 1);
    assert_null(result.tape);
    for (size_t i = 0; i < 12; i++) {
        assert_true(seen[i].low >= 10);
        assert_true(seen[i].high >= 10);
    }
    assert_in_range(seen[7].negative, 400, 600);
    assert_true(seen[3].zero >= 20);
    assert_int_equal(seen[0].weights[0], 0);
    assert_int_equal(seen[0].weights[2], 0);
    assert_in_range(seen[0].weights[1], 1, 40);
    assert_true(seen[0].longest >= 100);
    assert_true(seen[0].empty >= 50);
    kan_property_result_fini(&result);
}

static void notes_all(kan_case *c, void *data)
{
    static const uint32_t weights[] = {0, 1, 0, 99};
    static const char *const words[] = {"first", "second"};
    char text[11];
    unsigned char bytes[3] = {9, 9, 9};
    (void)data;
    kan_note(c, "%d", (int)kan_draw(c, 7));
    kan_note(c, "%d %d %d", (int)kan_draw_int(c, 5, 9),
             (int)kan_draw_int(c, -9, -5), (int)kan_draw_int(c, -5, 9));
    kan_note(c, "%d", kan_draw_bool(c));
    kan_note(c, "%s", kan_draw_from(c, words));
    kan_note(c, "%d", (int)kan_draw_weighted(c, weights, 4));
    (void)kan_draw_text(c, NULL, 2, 10, text);
    kan_note(c, "%s", text);
    kan_note(c, "%d", (int)kan_draw_bytes(c, 2, 3, bytes));
    kan_note(c, "%d %d %d", bytes[0], bytes[1], bytes[2]);
    kan_require(c, false);
}

static void the_simplest_case_is_what_the_manual_says(void **state)
{
    struct kan_property_result result =
        run((struct kan_property_options){0}, notes_all, NULL);
    (void)state;
    assert_int_equal(result.verdict, KAN_FAILS);
    assert_int_equal(result.runs, 1);
    assert_string_equal(result.notes, "0\n5 -5 0\n0\nfirst\n1\naa\n2\n0 0 9\n");
    kan_property_result_fini(&result);
}

/* --- verdicts ------------------------------------------------------------- */

static void a_property_that_holds(void **state)
{
    int runs = 0;
    char report[64] = "x";
    struct kan_property_result result = run(
        (struct kan_property_options){
            .runs = 50, .report = report, .report_size = sizeof report},
        always_holds, &runs);
    (void)state;
    assert_int_equal(result.verdict, KAN_HOLDS);
    assert_int_equal(runs, 50);
    assert_string_equal(report, "");
    kan_property_result_fini(&result);
}

static void a_property_that_fails(void **state)
{
    char report[1024];
    struct kan_property_result result =
        run((struct kan_property_options){.name = "it's below",
                                          .report = report,
                                          .report_size = sizeof report},
            is_below_100, NULL);
    (void)state;
    assert_int_equal(result.verdict, KAN_FAILS);
    assert_string_equal(result.tape, "kan tape 1\n100/1001\n");
    assert_string_equal(result.notes, "number 100\n");
    assert_int_equal(result.choices, 1);
    assert_true(result.smallest);
    assert_false(result.flaky);
    assert_false(result.replayed);
    assert_non_null(strstr(result.message, "property_test.c:"));
    assert_non_null(strstr(result.message, ": required: number < 100"));
    assert_non_null(strstr(report, "property \"it's below\" fails: "));
    assert_non_null(strstr(report, "seed 1; the smallest of "));
    assert_non_null(strstr(report, "  | number 100\n"));
    assert_non_null(
        strstr(report, "  replay: KAN_TAPE='it'\\''s below: 100/1001' "));
    kan_property_result_fini(&result);
}

static void a_report_is_cut_to_its_buffer(void **state)
{
    char report[16];
    struct kan_property_result result =
        run((struct kan_property_options){.report = report,
                                          .report_size = sizeof report},
            is_below_100, NULL);
    (void)state;
    assert_string_equal(report, "property \"prope");
    kan_property_result_fini(&result);
}

static void assumes_the_rare(kan_case *c, void *data)
{
    (void)data;
    if (!kan_assume(c, kan_draw(c, 1000000) == 4711))
        kan_require(c, false); /* not looked at any more */
}

static void a_property_is_given_up(void **state)
{
    char report[1024];
    struct kan_property_result result = run(
        (struct kan_property_options){
            .runs = 30, .report = report, .report_size = sizeof report},
        assumes_the_rare, NULL);
    (void)state;
    assert_int_equal(result.verdict, KAN_GAVE_UP);
    assert_int_equal(result.runs, 0);
    assert_int_equal(result.discarded, 300);
    assert_non_null(strstr(report, "was given up: of 300 cases, 300 were"));
    assert_null(result.tape);
    kan_property_result_fini(&result);
}

static void draws_without_end(kan_case *c, void *data)
{
    unsigned *ends = data;
    for (int i = 0; i < KAN_CHOICES_MAX; i++)
        (void)kan_draw(c, 2);
    assert_int_equal(kan_draw(c, 2), 0);
    assert_int_equal(kan_draw_int(c, 5, 9), 5);
    ++*ends;
    kan_require(c, false);
}

static void a_case_that_draws_too_much_is_given_up(void **state)
{
    unsigned ends = 0;
    struct kan_property_result result =
        run((struct kan_property_options){.runs = 1}, draws_without_end, &ends);
    (void)state;
    assert_int_equal(result.verdict, KAN_GAVE_UP);
    assert_int_equal(result.discarded, 10);
    assert_int_equal(ends, 10);
    kan_property_result_fini(&result);
}

static void fails_once(kan_case *c, void *data)
{
    int *left = data;
    (void)kan_draw(c, 5);
    kan_require(c, --*left != 0);
}

static void a_flaky_property_is_told(void **state)
{
    int left = 10;
    char report[1024];
    struct kan_property_result result =
        run((struct kan_property_options){.report = report,
                                          .report_size = sizeof report},
            fails_once, &left);
    (void)state;
    assert_int_equal(result.verdict, KAN_FAILS);
    assert_true(result.flaky);
    assert_int_equal(result.runs, 10);
    assert_int_equal(result.shrinks, 0);
    assert_non_null(strstr(result.message, "required: --*left != 0"));
    assert_non_null(strstr(report, "not again with the same choices"));
    kan_property_result_fini(&result);
}

/* Once it has failed in one way, smaller cases fail in another one. */
static void fails_in_two_ways(kan_case *c, void *data)
{
    bool *failed = data;
    uint64_t number = kan_draw(c, 1000);
    *failed = *failed || number >= 700;
    if (!kan_require(c, number < 700))
        return;
    kan_require(c, !*failed || number < 100);
}

static void shrinking_keeps_to_one_failure(void **state)
{
    bool failed = false;
    struct kan_property_result result =
        run((struct kan_property_options){0}, fails_in_two_ways, &failed);
    (void)state;
    assert_string_equal(result.tape, "kan tape 1\n700/1000\n");
    kan_property_result_fini(&result);
}

static void notes_end_with_the_case(kan_case *c, void *data)
{
    (void)data;
    kan_note(c, "before %d", (int)kan_draw(c, 5));
    kan_require(c, false);
    kan_require(c, 1 == 2);
    kan_note(c, "after");
}

static void the_first_failure_counts(void **state)
{
    struct kan_property_result result =
        run((struct kan_property_options){0}, notes_end_with_the_case, NULL);
    (void)state;
    assert_non_null(strstr(result.message, "required: false"));
    assert_string_equal(result.notes, "before 0\n");
    kan_property_result_fini(&result);
}

static void notes_much(kan_case *c, void *data)
{
    (void)data;
    for (int i = 0; i < 1000; i++)
        kan_note(c, "%0100d", i);
    kan_require(c, false);
}

static void notes_are_bounded(void **state)
{
    struct kan_property_result result =
        run((struct kan_property_options){0}, notes_much, NULL);
    (void)state;
    assert_int_equal(strlen(result.notes), 16 * 1024);
    kan_property_result_fini(&result);
}

static void limits_are_kept(void **state)
{
    int runs = 0;
    struct kan_property_result result = run(
        (struct kan_property_options){.shrinks_max = 2}, is_below_100, &runs);
    (void)state;
    assert_int_equal(result.shrinks, 2);
    assert_false(result.smallest);
    assert_int_equal((uint32_t)runs, result.runs + result.discarded + 2 + 2);
    kan_property_result_fini(&result);
}

static void takes_long(kan_case *c, void *data)
{
    (void)data;
    for (int i = 0; i < 10000; i++)
        (void)kan_draw(c, 3);
}

static void time_is_limited(void **state)
{
    struct kan_property_result result =
        run((struct kan_property_options){.runs = UINT32_MAX, .time_ms = 20},
            takes_long, NULL);
    (void)state;
    assert_int_equal(result.verdict, KAN_HOLDS);
    assert_true(result.runs >= 1);
    kan_property_result_fini(&result);
}

/* --- seeds and replays ---------------------------------------------------- */

static void sums_up(kan_case *c, void *data)
{
    uint64_t *sum = data;
    *sum = *sum * 31 + kan_draw(c, UINT64_MAX);
    *sum = *sum * 31 + (uint64_t)kan_draw_int(c, INT64_MIN, INT64_MAX);
    *sum = *sum * 31 + kan_draw_more(c, 0, 0, 9);
}

static uint64_t sum_of(uint64_t seed)
{
    uint64_t sum = 0;
    struct kan_property_result result =
        run((struct kan_property_options){.seed = seed}, sums_up, &sum);
    kan_property_result_fini(&result);
    return sum;
}

static void a_seed_gives_its_cases(void **state)
{
    (void)state;
    /* The same on every machine, now and later: what users' seeds rest on. */
    assert_true(sum_of(0) == sum_of(1));
    assert_int_equal(sum_of(7), 0x1a88f6177bb2ca67);
    assert_true(sum_of(7) != sum_of(8));
    uint64_t seven = sum_of(7);
    assert_int_equal(setenv("KAN_SEED", "7", 1), 0);
    assert_true(sum_of(8) == seven);
}

static void a_tape_is_replayed(void **state)
{
    int runs = 0;
    struct kan_property_options options = {.name = "below"};
    (void)state;
    assert_int_equal(setenv("KAN_TAPE", "below: 150/1001", 1), 0);
    struct kan_property_result result = run(options, is_below_100, &runs);
    assert_int_equal(result.verdict, KAN_FAILS);
    assert_true(result.replayed);
    assert_string_equal(result.notes, "number 150\n");
    assert_int_equal(runs, 2);
    kan_property_result_fini(&result);

    assert_int_equal(setenv("KAN_TAPE", "below: 15/1001", 1), 0);
    result = run(options, is_below_100, &runs);
    assert_int_equal(result.verdict, KAN_HOLDS);
    assert_int_equal(result.runs, 1);
    assert_int_equal(runs, 3);
    kan_property_result_fini(&result);

    /* One for another property is not for this one. */
    assert_int_equal(setenv("KAN_TAPE", "above: 15/1001", 1), 0);
    result = run(options, is_below_100, &runs);
    assert_int_equal(result.verdict, KAN_FAILS);
    assert_false(result.replayed);
    kan_property_result_fini(&result);
}

static void what_is_reported_replays(void **state)
{
    char report[1024];
    struct kan_property_options options = {
        .name = "below", .report = report, .report_size = sizeof report};
    struct kan_property_result result = run(options, is_below_100, NULL);
    char *tape = strstr(report, "KAN_TAPE='");
    (void)state;
    assert_non_null(tape);
    tape += strlen("KAN_TAPE='");
    *strchr(tape, '\'') = 0;
    assert_int_equal(setenv("KAN_TAPE", tape, 1), 0);
    kan_property_result_fini(&result);
    result = run(options, is_below_100, NULL);
    assert_true(result.replayed);
    assert_string_equal(result.notes, "number 100\n");
    kan_property_result_fini(&result);
}

static void a_file_keeps_the_failure(void **state)
{
    struct kan_property_options options = {.file = path, .name = "below"};
    struct kan_property_result result = run(options, is_below_100, NULL);
    int runs = 0;
    (void)state;
    assert_string_equal(read_file(), "kan tape 1\n100/1001\n");
    kan_property_result_fini(&result);

    /* Run first; shrunk again; saved again. */
    write_file("kan tape 1\n900/1001\n");
    result = run(options, is_below_100, NULL);
    assert_true(result.replayed);
    assert_int_equal(result.runs, 0);
    assert_string_equal(read_file(), "kan tape 1\n100/1001\n");
    kan_property_result_fini(&result);

    /* Kept when it no longer fails, and the search goes on. */
    result = run(options, always_holds, &runs);
    assert_int_equal(result.verdict, KAN_HOLDS);
    assert_int_equal(runs, 1001);
    assert_string_equal(read_file(), "kan tape 1\n100/1001\n");
    kan_property_result_fini(&result);
}

/* --- what is refused ------------------------------------------------------ */

static void check_refused(const struct kan_property_options *options,
                          enum kan_err err, const char *part)
{
    char report[1024] = "";
    int runs = 0;
    struct kan_property_options all = *options;
    struct kan_property_result result = {.runs = 4711};
    int64_t live = mem_live();
    all.report = report;
    all.report_size = sizeof report;
    assert_int_equal(kan_property_run(&all, always_holds, &runs, &result), err);
    assert_int_equal(result.runs, 4711);
    assert_int_equal(runs, 0);
    assert_non_null(strstr(report, part));
    assert_false(kan_property_holds(&all, always_holds, &runs));
    assert_int_equal(mem_live(), live);
}

static void bad_settings_are_refused(void **state)
{
    static const char *const tapes[] = {"1/2", "property", "property: x",
                                        "property: 2/2",
                                        "property: 1/2*99999999999"};
    struct kan_property_options options = {0};
    (void)state;
    assert_int_equal(setenv("KAN_SEED", "0x1", 1), 0);
    check_refused(&options, KAN_INVALID, "KAN_SEED is \"0x1\"; set it to");
    (void)unsetenv("KAN_SEED");
    for (size_t i = 0; i < sizeof tapes / sizeof *tapes; i++) {
        assert_int_equal(setenv("KAN_TAPE", tapes[i], 1), 0);
        check_refused(&options, KAN_INVALID, "KAN_TAPE is no tape");
    }
    (void)unsetenv("KAN_TAPE");
    options.name = "a:b";
    check_refused(&options, KAN_INVALID, "rename it");
    options.name = "a\nb";
    check_refused(&options, KAN_INVALID, "rename it");
}

static void bad_files_are_refused_and_kept(void **state)
{
    static const char *const texts[] = {"", "kan tape 2\n1/2\n",
                                        "kan tape 1\n1/2 x\n", "my notes\n"};
    struct kan_property_options options = {.file = path};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(texts[i]);
        check_refused(&options, KAN_INVALID,
                      "is no tape of choices, and "
                      "nothing was run; delete it");
        assert_string_equal(read_file(), texts[i]);
    }
    options.file = folder; /* a directory */
    check_refused(&options, KAN_IO, "cannot read");
}

static void a_tape_that_cannot_be_saved_is_told(void **state)
{
    char report[1024];
    struct kan_property_result result =
        run((struct kan_property_options){.file = "/nowhere/at/all.tape",
                                          .report = report,
                                          .report_size = sizeof report},
            is_below_100, NULL);
    (void)state;
    assert_int_equal(result.verdict, KAN_FAILS);
    assert_non_null(strstr(report,
                           "its tape was not saved in "
                           "/nowhere/at/all.tape: No such file"));
    kan_property_result_fini(&result);
}

static void any_allocation_may_fail(void **state)
{
    int64_t live = mem_live();
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        enum kan_err err;
        uint64_t nth = 0;
        do {
            char report[1024];
            struct kan_property_options options = {
                .file = path, .report = report, .report_size = sizeof report};
            struct kan_property_result result = {.runs = 4711};
            write_file("kan tape 1\n900/1001\n");
            mem_fault(++nth, sticky);
            err = kan_property_run(&options, is_below_100, NULL, &result);
            bool struck = mem_fault_struck();
            mem_fault(0, false);
            if (err) {
                assert_true(struck);
                assert_int_equal(err, KAN_NOMEM);
                assert_int_equal(result.runs, 4711);
            } else {
                assert_int_equal(result.verdict, KAN_FAILS);
                assert_string_equal(result.tape, "kan tape 1\n100/1001\n");
                kan_property_result_fini(&result);
            }
            assert_int_equal(mem_live(), live);
            if (!struck)
                break;
        } while (nth < 1000);
        assert_in_range(nth, 20, 999);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(data_are_in_range_and_at_its_ends, set_up),
        cmocka_unit_test_setup(the_simplest_case_is_what_the_manual_says,
                               set_up),
        cmocka_unit_test_setup(a_property_that_holds, set_up),
        cmocka_unit_test_setup(a_property_that_fails, set_up),
        cmocka_unit_test_setup(a_report_is_cut_to_its_buffer, set_up),
        cmocka_unit_test_setup(a_property_is_given_up, set_up),
        cmocka_unit_test_setup(a_case_that_draws_too_much_is_given_up, set_up),
        cmocka_unit_test_setup(a_flaky_property_is_told, set_up),
        cmocka_unit_test_setup(shrinking_keeps_to_one_failure, set_up),
        cmocka_unit_test_setup(the_first_failure_counts, set_up),
        cmocka_unit_test_setup(notes_are_bounded, set_up),
        cmocka_unit_test_setup(limits_are_kept, set_up),
        cmocka_unit_test_setup(time_is_limited, set_up),
        cmocka_unit_test_setup(a_seed_gives_its_cases, set_up),
        cmocka_unit_test_setup(a_tape_is_replayed, set_up),
        cmocka_unit_test_setup(what_is_reported_replays, set_up),
        cmocka_unit_test_setup(a_file_keeps_the_failure, set_up),
        cmocka_unit_test_setup(bad_settings_are_refused, set_up),
        cmocka_unit_test_setup(bad_files_are_refused_and_kept, set_up),
        cmocka_unit_test_setup(a_tape_that_cannot_be_saved_is_told, set_up),
        cmocka_unit_test_setup(any_allocation_may_fail, set_up),
    };
    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(path, sizeof path, "%s/case.tape", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    (void)rmdir(folder);
    return failed;
}
