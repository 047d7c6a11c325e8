/* Every model that ships, right and wrong: its verdict, the property that
 * fails, and the length of a shortest run to there. Then the counts that are
 * known from elsewhere: two-phase commit by formula, the others from
 * Stateright's own tests and from the literature (docs/design/checker.md). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/number.h"
#include "block/actor/guard.h"
#include "check/walk/walk.h"
#include "models/models.h"

/* A model with its parameters, as "servers=3 fixed=1". */
struct subject
{
    const struct kan_module *module;
    int64_t parameters[KAN_PARAMETERS_MAX];
    struct space *space;
};

static void set_parameter(struct subject *subject, struct kan_slice name,
                          int64_t value)
{
    const struct kan_model *model = subject->module->model;
    uint32_t at = 0;

    while (at < model->parameter_count &&
           !slice_equal(name, kan_text(model->parameters[at].name)))
        at++;
    assert_true(at < model->parameter_count);
    subject->parameters[at] = value;
}

static void subject_open(struct subject *subject, const char *name,
                         const char *settings)
{
    struct kan_slice rest = kan_text(settings);
    struct buffer why = BUFFER_INIT;
    uint32_t number = 0;

    assert_int_equal(guard_install(), KAN_OK);
    while (models_at(number) &&
           strcmp(models_at(number)->model->name, name) != 0)
        number++;
    assert_non_null(models_at(number));
    *subject = (struct subject){.module = models_at(number)};
    for (uint32_t i = 0; i < subject->module->model->parameter_count; i++)
        subject->parameters[i] = subject->module->model->parameters[i].preset;
    while (rest.size > 0) {
        struct kan_slice pair;
        struct kan_slice parameter;
        int64_t value;
        slice_cut(&rest, ' ', &pair);
        assert_true(slice_cut(&pair, '=', &parameter));
        assert_int_equal(number_i64(pair, &value), KAN_OK);
        set_parameter(subject, parameter, value);
    }
    const struct space_options options = {
        .module = subject->module,
        .model = subject->module->model,
        .parameters = subject->parameters,
    };
    if (space_new(&options, &subject->space, &why) != KAN_OK)
        fail_msg("%s: %s", name, buffer_text(&why));
    buffer_fini(&why);
}

static void subject_close(struct subject *subject)
{
    space_free(subject->space);
}

/* --- verdicts ------------------------------------------------------------- */

static const struct expected
{
    const char *name;
    const char *settings;
    const char *property; /* that fails; NULL: all hold */
    uint32_t steps;       /* of a shortest run to there */
} expected[] = {
    {"abd", "", NULL, 0},
    {"abd", "servers=3 readers=1", NULL, 0},
    {"abd", "servers=3 readers=1 write-back=0", "linearizable", 11},
    {"commit-blocking", "fixed=0", "nobody-waits-for-ever", 2},
    {"commit-blocking", "fixed=1", NULL, 0},
    {"dual-write", "fixed=0", "in-the-end-they-agree", 6},
    {"dual-write", "fixed=1", NULL, 0},
    {"entity", "attempts=1 patient=0", NULL, 0},
    {"entity", "unknown=0", NULL, 0},
    {"entity", "wrong=1", "never-twice", 8},
    {"entity", "wrong=2", "acknowledged-is-kept", 10},
    {"entity", "wrong=3", "acknowledged-is-kept", 4},
    {"entity", "wrong=4", "acknowledged-is-kept", 12},
    {"equivocation", "nodes=3", "agreement", 4},
    {"equivocation", "nodes=4", NULL, 0},
    {"g-counter", "fixed=0", "never-too-many", 4},
    {"g-counter", "fixed=1", NULL, 0},
    {"lock", "", NULL, 0},
    {"lock", "clients=1 timeouts=2", NULL, 0},
    {"lock", "by-owner=1 attempts=1", NULL, 0},
    {"lock", "wrong=1", "every-grant-is-known", 2},
    {"lock", "wrong=2", "only-its-holder-frees-it", 8},
    {"lock", "wrong=3", "one-holder", 4},
    {"lock", "wrong=4", "no-stale-write", 5},
    {"lock", "wrong=5", "every-grant-is-known", 6},
    {"lock-delete", "fixed=0", "one-holder", 7},
    {"lock-delete", "fixed=1", NULL, 0},
    {"lock-failover", "fixed=0", "one-holder", 4},
    {"lock-failover", "fixed=1", NULL, 0},
    {"lock-fencing", "fixed=0", "no-stale-write", 9},
    {"lock-fencing", "fixed=1", NULL, 0},
    {"lock-setnx", "fixed=0", "everybody-is-served", 2},
    {"lock-setnx", "fixed=1", NULL, 0},
    {"paxos", "wrong=0", NULL, 0},
    {"paxos", "wrong=1", "linearizable", 9},
    {"paxos", "wrong=2", "linearizable", 17},
    {"raft-votes", "fixed=0", "one-leader-a-term", 8},
    {"raft-votes", "fixed=1", NULL, 0},
    {"retry", "fixed=0", "paid-once", 3},
    {"retry", "fixed=1", NULL, 0},
    {"saga", "", NULL, 0},
    {"saga", "unknown=0", NULL, 0},
    {"saga", "wrong=1", "each-step-once", 5},
    {"scheduler", "fixed=0", "the-job-is-done", 3},
    {"scheduler", "fixed=1", NULL, 0},
    {"single-copy", "servers=1", NULL, 0},
    {"single-copy", "servers=2", "linearizable", 4},
    {"snowflake", "fixed=0", "unique", 8},
    {"snowflake", "fixed=1", NULL, 0},
    {"two-phase", "", NULL, 0},
};

static const char *failed_property(const struct subject *subject,
                                   const struct walk_result *result)
{
    if (result->verdict == WALK_HOLDS)
        return "(none)";
    return result->property >= 0
               ? space_property(subject->space, (uint32_t)result->property)
                     ->name
               : result->why;
}

static void models_are_as_expected(void **state)
{
    uint32_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct subject subject;
        struct walk_result result;
        subject_open(&subject, expected[i].name, expected[i].settings);
        const struct walk_options options = {.space = subject.space};
        assert_int_equal(walk(&options, &result), KAN_OK);
        const char *failed = failed_property(&subject, &result);
        bool fits = strcmp(failed, expected[i].property ? expected[i].property
                                                        : "(none)") == 0 &&
                    result.run.step_count == expected[i].steps &&
                    (!expected[i].property || result.shortest);
        if (!fits) {
            print_error("%s %s: expected %s after %u, got %s after %u%s\n",
                        expected[i].name, expected[i].settings,
                        expected[i].property ? expected[i].property : "(none)",
                        expected[i].steps, failed, result.run.step_count,
                        result.shortest ? "" : " (not shown to be shortest)");
            wrong++;
        }
        walk_result_fini(&result);
        subject_close(&subject);
    }
    assert_int_equal(wrong, 0);
}

/* --- known counts --------------------------------------------------------- */

static void check_counts(const char *name, const char *settings,
                         uint64_t states, uint64_t generated, uint64_t terminal,
                         uint32_t threads)
{
    struct subject subject;
    struct walk_result result;

    subject_open(&subject, name, settings);
    const struct walk_options options = {
        .space = subject.space,
        .no_reduction = true,
        .threads = threads,
    };
    assert_int_equal(walk(&options, &result), KAN_OK);
    assert_int_equal(result.verdict, WALK_HOLDS);
    assert_true(result.complete);
    assert_int_equal(result.states, states);
    if (generated > 0)
        assert_int_equal(result.generated, generated);
    if (terminal > 0)
        assert_int_equal(result.terminal, terminal);
    walk_result_fini(&result);
    subject_close(&subject);
}

static uint64_t power(uint64_t base, uint64_t exponent)
{
    uint64_t product = 1;

    while (exponent-- > 0)
        product *= base;
    return product;
}

/* Two-phase commit has 2^n + 4^n + 6^n states, and so many steps. */
static void two_phase_commit_is_as_the_formulas_say(void **state)
{
    static const uint64_t sizes[] = {1, 2, 3, 5, 7};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t n = sizes[i];
        char settings[32];
        (void)snprintf(settings, sizeof settings, "managers=%u", (unsigned)n);
        check_counts("two-phase", settings,
                     power(2, n) + power(4, n) + power(6, n),
                     (n + 1) * power(4, n) + 1 + n * power(2, n) +
                         8 * n * power(6, n - 1) + 1,
                     0, 1 + (uint32_t)(i % 2));
    }
}

static void other_models_count_as_elsewhere(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 2; threads++) {
        check_counts("paxos", "servers=3 clients=2", 16668, 32971, 1268,
                     threads);
        check_counts("abd", "servers=2 clients=2", 544, 0, 0, threads);
        check_counts("single-copy", "servers=1 clients=2", 93, 0, 0, threads);
    }
}

static void check_paths(const char *name, const char *settings,
                        const char *interleavings, const char *paths)
{
    struct subject subject;
    struct walk_counts counts;

    subject_open(&subject, name, settings);
    const struct walk_options options = {.space = subject.space};
    assert_int_equal(walk_count(&options, &counts), KAN_OK);
    assert_int_equal(counts.unbounded, interleavings == NULL);
    if (interleavings) {
        assert_true(counts.complete);
        assert_string_equal(buffer_text(&counts.interleavings), interleavings);
        assert_string_equal(buffer_text(&counts.paths), paths);
    }
    walk_counts_fini(&counts);
    subject_close(&subject);
}

static void paths_are_counted(void **state)
{
    (void)state;
    check_paths("paxos", "servers=3 clients=2", "4038823", "1672");
    check_paths("two-phase", "", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_as_expected),
        cmocka_unit_test(two_phase_commit_is_as_the_formulas_say),
        cmocka_unit_test(other_models_count_as_elsewhere),
        cmocka_unit_test(paths_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
