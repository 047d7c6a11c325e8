/* The shrinker on tapes of its own: long ones, limits, stops, out of memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/property/shrink.h"

enum
{
    LONG = 100000
};

/* What a test runs: whether choices, 0 behind their end, fail. */
typedef bool fails(const struct tape_choice *choices, size_t count);

struct subject
{
    fails *fails;
    size_t runs;
    size_t stop_at; /* 0: never */
    size_t progress_count;
    uint64_t trace; /* of all that was asked */
    struct tape_choice *drawn;
};

static uint64_t choice(const struct tape_choice *choices, size_t count,
                       size_t at)
{
    return at < count ? choices[at].value : 0;
}

static enum shrink_answer run(void *data, const struct tape_choice *choices,
                              size_t count, struct shrink_drawn *ret_drawn)
{
    struct subject *s = data;
    s->runs++;
    for (size_t i = 0; i < count && i < 100; i++)
        s->trace = s->trace * 31 + choices[i].value + count;
    if (s->runs == s->stop_at)
        return SHRINK_STOP;
    if (!s->fails(choices, count))
        return SHRINK_PASSES;
    *ret_drawn = (struct shrink_drawn){choices, count};
    return SHRINK_FAILS;
}

static void progress(void *data, size_t runs, size_t count)
{
    struct subject *s = data;
    assert_int_equal(runs, s->runs);
    assert_true(count <= s->progress_count);
    s->progress_count = count;
}

static struct tape random_tape(size_t count, uint64_t n, uint64_t seed)
{
    struct tape tape;
    tape_init_seed(&tape, seed);
    for (size_t i = 0; i < count; i++)
        (void)tape_choose(&tape, n);
    return tape;
}

static struct shrink_result shrunk(struct subject *s, const struct tape *tape,
                                   size_t runs_max)
{
    struct shrink_options options = {.runs_max = runs_max,
                                     .data = s,
                                     .progress_cb = progress,
                                     .run_cb = run};
    struct shrink_result result;
    s->progress_count = tape->count;
    assert_true(s->fails(tape->choices, tape->count));
    assert_int_equal(shrink(&options, tape->choices, tape->count, &result),
                     KAN_OK);
    assert_int_equal(result.runs, s->runs);
    assert_true(s->fails(result.choices, result.count));
    return result;
}

/* --- what fails ----------------------------------------------------------- */

static bool always(const struct tape_choice *choices, size_t count)
{
    (void)choices;
    (void)count;
    return true;
}

/* Three nines, wherever they are. */
static bool three_nines(const struct tape_choice *choices, size_t count)
{
    size_t nines = 0;
    for (size_t i = 0; i < count; i++)
        nines += choices[i].value == 9;
    return nines >= 3;
}

/* Two choices at their places: nothing before them can be deleted. */
static bool two_places(const struct tape_choice *choices, size_t count)
{
    return choice(choices, count, 5000) >= 3 &&
           choice(choices, count, 7000) >= 5;
}

/* Five choices that fall, next to each other. */
static bool falling(const struct tape_choice *choices, size_t count)
{
    for (size_t i = 4; i < count; i++)
        if (choices[i - 4].value > choices[i - 3].value &&
            choices[i - 3].value > choices[i - 2].value &&
            choices[i - 2].value > choices[i - 1].value &&
            choices[i - 1].value > choices[i].value)
            return true;
    return false;
}

/* --- tests ---------------------------------------------------------------- */

static void nothing_needed_is_the_empty_tape(void **state)
{
    struct tape tape = random_tape(1000, 10, 1);
    struct subject s = {.fails = always};
    struct shrink_result result = shrunk(&s, &tape, 0);
    (void)state;
    assert_int_equal(result.count, 0);
    assert_true(result.ended);
    assert_true(s.runs <= 12);
    shrink_result_fini(&result);
    tape_fini(&tape);
}

static void an_empty_tape_stays(void **state)
{
    struct tape tape = {0};
    struct subject s = {.fails = always};
    struct shrink_result result = shrunk(&s, &tape, 0);
    (void)state;
    assert_int_equal(result.count, 0);
    assert_int_equal(result.runs, 0);
    assert_true(result.ended);
    shrink_result_fini(&result);
}

static void a_long_tape_is_cut_fast(void **state)
{
    struct tape tape = random_tape(LONG, 10, 2);
    struct subject s = {.fails = three_nines};
    struct shrink_result result = shrunk(&s, &tape, 0);
    (void)state;
    assert_int_equal(result.count, 3);
    assert_true(result.ended);
    assert_in_range(s.runs, 1, 300);
    shrink_result_fini(&result);
    tape_fini(&tape);
}

static void what_cannot_be_deleted_is_zeroed(void **state)
{
    struct tape tape = random_tape(LONG / 10, 10, 3);
    struct subject s = {.fails = two_places};
    tape.choices[5000].value = 8;
    tape.choices[7000].value = 9;
    struct shrink_result result = shrunk(&s, &tape, 2000);
    (void)state;
    assert_int_equal(result.count, 7001);
    assert_true(result.ended);
    assert_int_equal(result.choices[5000].value, 3);
    assert_int_equal(result.choices[7000].value, 5);
    for (size_t i = 0; i < result.count; i++)
        if (i != 5000 && i != 7000)
            assert_int_equal(result.choices[i].value, 0);
    shrink_result_fini(&result);
    tape_fini(&tape);
}

static void order_and_values_are_smallest(void **state)
{
    struct tape tape = random_tape(2000, 1000, 4);
    struct subject s = {.fails = falling};
    struct shrink_result result = shrunk(&s, &tape, 0);
    (void)state;
    assert_int_equal(result.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(result.choices[i].value, 4 - i);
    shrink_result_fini(&result);
    tape_fini(&tape);
}

static void runs_are_limited(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 30; limit++) {
        struct tape tape = random_tape(2000, 1000, 4);
        struct subject s = {.fails = falling};
        struct shrink_result result = shrunk(&s, &tape, limit);
        assert_int_equal(s.runs, limit);
        assert_false(result.ended);
        shrink_result_fini(&result);
        tape_fini(&tape);
    }
}

static void a_stop_keeps_the_smallest_so_far(void **state)
{
    struct tape tape = random_tape(2000, 1000, 4);
    struct subject s = {.fails = falling, .stop_at = 10};
    struct shrink_result result = shrunk(&s, &tape, 0);
    (void)state;
    assert_int_equal(s.runs, 10);
    assert_false(result.ended);
    assert_true(result.count < 2000);
    assert_int_equal(result.count, s.progress_count);
    shrink_result_fini(&result);
    tape_fini(&tape);
}

static void equal_tapes_go_one_way(void **state)
{
    uint64_t traces[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tape tape = random_tape(500, 1000, 8);
        struct subject s = {.fails = falling};
        struct shrink_result result = shrunk(&s, &tape, 0);
        traces[i] = s.trace;
        shrink_result_fini(&result);
        tape_fini(&tape);
    }
    assert_true(traces[0] == traces[1]);
}

/* Every tape asked for is one never asked for, and smaller than the best. */
struct asked
{
    struct tape_choice choices[16];
    size_t count;
};

static struct
{
    struct asked list[20000];
    size_t count;
} asked;

static bool near_sum(const struct tape_choice *choices, size_t count)
{
    struct asked now = {.count = count};
    uint64_t sum = 0;
    memcpy(now.choices, choices, count * sizeof *choices);
    for (size_t i = 0; i < asked.count; i++)
        assert_true(asked.list[i].count != now.count ||
                    memcmp(asked.list[i].choices, now.choices,
                           count * sizeof *choices) != 0);
    asked.list[asked.count++] = now;
    for (size_t i = 0; i < count; i++)
        sum += choices[i].value;
    return sum > 100;
}

static void no_tape_is_run_twice(void **state)
{
    struct tape tape = random_tape(16, 50, 5);
    struct subject s = {.fails = near_sum};
    struct shrink_options options = {.data = &s, .run_cb = run};
    struct shrink_result result;
    (void)state;
    asked.count = 0;
    assert_int_equal(shrink(&options, tape.choices, tape.count, &result),
                     KAN_OK);
    assert_true(result.ended);
    assert_int_equal(result.count, 3);
    assert_int_equal(result.choices[0].value, 3);
    assert_int_equal(result.choices[1].value, 49);
    assert_int_equal(result.choices[2].value, 49);
    assert_in_range(asked.count, 10, 2000);
    shrink_result_fini(&result);
    tape_fini(&tape);
}

static void any_allocation_may_fail(void **state)
{
    int64_t live = mem_live();
    enum kan_err err;
    uint64_t nth = 0;
    (void)state;
    do {
        struct tape tape = random_tape(200, 1000, 8);
        struct subject s = {.fails = falling};
        struct shrink_options options = {.data = &s, .run_cb = run};
        struct shrink_result result = {0};
        assert_true(falling(tape.choices, tape.count));
        mem_fault(++nth, false);
        err = shrink(&options, tape.choices, tape.count, &result);
        bool struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(err, struck ? KAN_NOMEM : KAN_OK);
        assert_true(err == KAN_OK || result.choices == NULL);
        shrink_result_fini(&result);
        tape_fini(&tape);
        assert_int_equal(mem_live(), live);
    } while (err);
    assert_in_range(nth, 5, 20); /* the set of tried tapes has grown */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_needed_is_the_empty_tape),
        cmocka_unit_test(an_empty_tape_stays),
        cmocka_unit_test(a_long_tape_is_cut_fast),
        cmocka_unit_test(what_cannot_be_deleted_is_zeroed),
        cmocka_unit_test(order_and_values_are_smallest),
        cmocka_unit_test(runs_are_limited),
        cmocka_unit_test(a_stop_keeps_the_smallest_so_far),
        cmocka_unit_test(equal_tapes_go_one_way),
        cmocka_unit_test(no_tape_is_run_twice),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
