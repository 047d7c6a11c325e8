/* The heap of timers: order, ties, moves, and a model to compare with. */

#include "env/timers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/alloc.h"

static void cb_one(struct env_timer *timer)
{
    (void)timer;
}

static void cb_two(struct env_timer *timer)
{
    (void)timer;
}

static void add(struct timers *timers, struct env_timer *timer, uint64_t due_ns)
{
    assert_int_equal(timers_add(timers, timer, due_ns, 0, cb_one), KAN_OK);
}

static void test_empty(void **state)
{
    struct timers timers;
    struct timers zeroed = {0};
    struct env_timer timer = {0};
    (void)state;
    timers_init(&timers);
    assert_null(timers_first(&timers));
    assert_null(timers_pop(&timers, UINT64_MAX, UINT64_MAX));
    timers_remove(&timers, &timer);
    timers_fini(&timers);
    timers_fini(&zeroed);
}

static void test_order_and_ties(void **state)
{
    struct timers timers;
    struct env_timer t[5] = {{0}};
    const size_t expected[5] = {3, 1, 2, 4, 0};
    (void)state;
    timers_init(&timers);
    add(&timers, &t[0], 30);
    add(&timers, &t[1], 10);
    add(&timers, &t[2], 10);
    add(&timers, &t[3], 5);
    add(&timers, &t[4], 10);
    for (size_t i = 0; i < 5; i++) {
        assert_true(env_timer_armed(&t[expected[i]]));
        assert_ptr_equal(timers_first(&timers), &t[expected[i]]);
        assert_ptr_equal(timers_pop(&timers, 30, UINT64_MAX), &t[expected[i]]);
        assert_false(env_timer_armed(&t[expected[i]]));
    }
    timers_fini(&timers);
}

static void test_not_before_due(void **state)
{
    struct timers timers;
    struct env_timer timer = {0};
    (void)state;
    timers_init(&timers);
    add(&timers, &timer, 10);
    assert_null(timers_pop(&timers, 9, UINT64_MAX));
    assert_ptr_equal(timers_pop(&timers, 10, UINT64_MAX), &timer);
    timers_fini(&timers);
}

static void test_past_is_now(void **state)
{
    struct timers timers;
    struct env_timer late = {0};
    struct env_timer past = {0};
    (void)state;
    timers_init(&timers);
    add(&timers, &late, 50);
    assert_int_equal(timers_add(&timers, &past, 0, 100, cb_one), KAN_OK);
    assert_int_equal(past.due_ns, 100);
    assert_ptr_equal(timers_pop(&timers, 100, UINT64_MAX), &late);
    assert_ptr_equal(timers_pop(&timers, 100, UINT64_MAX), &past);
    timers_fini(&timers);
}

static void test_round_ends(void **state)
{
    struct timers timers;
    struct env_timer t[2] = {{0}};
    (void)state;
    timers_init(&timers);
    add(&timers, &t[0], 1);
    uint64_t before = timers.order;
    add(&timers, &t[1], 1);
    assert_ptr_equal(timers_pop(&timers, 1, before), &t[0]);
    assert_null(timers_pop(&timers, 1, before));
    assert_ptr_equal(timers_pop(&timers, 1, timers.order), &t[1]);
    timers_fini(&timers);
}

static void test_move_takes_a_new_number(void **state)
{
    struct timers timers;
    struct env_timer t[2] = {{0}};
    (void)state;
    timers_init(&timers);
    add(&timers, &t[0], 10);
    add(&timers, &t[1], 10);
    assert_int_equal(timers_add(&timers, &t[0], 10, 0, cb_two), KAN_OK);
    assert_true(t[0].cb == cb_two);
    assert_int_equal(timers.count, 2);
    assert_ptr_equal(timers_pop(&timers, 10, UINT64_MAX), &t[1]);
    timers_remove(&timers, &t[0]);
    timers_fini(&timers);
}

static void test_no_memory_leaves_all(void **state)
{
    struct timers timers;
    struct env_timer timer = {.due_ns = 7};
    int64_t live = mem_live();
    (void)state;
    timers_init(&timers);
    mem_fault(1, false);
    assert_int_equal(timers_add(&timers, &timer, 9, 0, cb_one), KAN_NOMEM);
    assert_true(mem_fault_struck());
    assert_false(env_timer_armed(&timer));
    assert_int_equal(timer.due_ns, 7);
    assert_null(timer.cb);
    add(&timers, &timer, 9);
    mem_fault(1, true); /* a move needs no memory */
    assert_int_equal(timers_add(&timers, &timer, 8, 0, cb_one), KAN_OK);
    mem_fault(0, false);
    timers_remove(&timers, &timer);
    timers_fini(&timers);
    assert_int_equal(mem_live(), live);
}

/* The armed timer that the rules want next, looked for in all of them. */
static struct env_timer *model_first(struct env_timer *all, size_t count)
{
    struct env_timer *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!env_timer_armed(&all[i]))
            continue;
        if (!first || all[i].due_ns < first->due_ns ||
            (all[i].due_ns == first->due_ns && all[i].order < first->order))
            first = &all[i];
    }
    return first;
}

static void test_against_a_model(void **state)
{
    enum
    {
        COUNT = 40,
        STEPS = 20000
    };
    struct timers timers;
    struct env_timer all[COUNT] = {{0}};
    uint64_t random = 88172645463325252;
    (void)state;
    timers_init(&timers);
    for (int step = 0; step < STEPS; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        struct env_timer *timer = &all[random % COUNT];
        if (random >> 32 & 1) {
            add(&timers, timer, random >> 40 & 31);
        } else if (random >> 33 & 1) {
            timers_remove(&timers, timer);
        } else {
            struct env_timer *first = model_first(all, COUNT);
            assert_ptr_equal(timers_pop(&timers, 31, UINT64_MAX), first);
        }
        assert_ptr_equal(timers_first(&timers), model_first(all, COUNT));
    }
    while (timers_pop(&timers, 31, UINT64_MAX)) {
    }
    timers_fini(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_order_and_ties),
        cmocka_unit_test(test_not_before_due),
        cmocka_unit_test(test_past_is_now),
        cmocka_unit_test(test_round_ends),
        cmocka_unit_test(test_move_takes_a_new_number),
        cmocka_unit_test(test_no_memory_leaves_all),
        cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
