/* Tests of counting, against formulas and against all runs written down. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/walk/fake_space.h"
#include "check/walk/walk.h"

/* All runs of a drawn space, each brought into the order that is first among
 * those that differ from it by independent steps changing places. */
enum
{
    RUN_MAX = 16, /* 4 actors, upwards through 4 places */
    CLASSES_MAX = 4096
};

struct runs
{
    const struct fake *fake;
    uint8_t run[RUN_MAX];
    uint32_t length;
    uint64_t count;
    uint8_t classes[CLASSES_MAX][RUN_MAX + 1]; /* the first move, moves */
    uint32_t class_count;
};

static bool move_apart(const struct fake *fake, uint32_t a, uint32_t b)
{
    const struct fake_move *x = &fake->moves[a], *y = &fake->moves[b];

    return x->actor != y->actor && x->guard != y->actor && y->guard != x->actor;
}

static void class_add(struct runs *runs, uint32_t first)
{
    uint8_t left[RUN_MAX], normal[RUN_MAX + 1];
    uint32_t count = runs->length;

    memset(normal, 255, sizeof normal);
    normal[RUN_MAX] = (uint8_t)first;
    memcpy(left, runs->run, sizeof left);
    for (uint32_t done = 0; done < runs->length; done++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < count; i++) {
            bool front = true;
            for (uint32_t j = 0; j < i; j++)
                front &= move_apart(runs->fake, left[i], left[j]);
            if (front && (best == UINT32_MAX || left[i] < left[best]))
                best = i;
        }
        normal[done] = left[best];
        count--;
        for (uint32_t i = best; i < count; i++)
            left[i] = left[i + 1];
    }
    for (uint32_t i = 0; i < runs->class_count; i++) {
        if (memcmp(runs->classes[i], normal, sizeof normal) == 0)
            return;
    }
    assert_true(runs->class_count < CLASSES_MAX);
    memcpy(runs->classes[runs->class_count++], normal, sizeof normal);
}

static void runs_walk(struct runs *runs, uint32_t first, uint32_t state)
{
    bool end = true;

    for (uint32_t move = 0; move < runs->fake->move_count; move++) {
        uint32_t to;
        if (!fake_leads(runs->fake, state, move, &to))
            continue;
        end = false;
        runs->run[runs->length++] = (uint8_t)move;
        runs_walk(runs, first, to);
        runs->length--;
    }
    if (end) {
        runs->count++;
        class_add(runs, first);
    }
}

static void check_counts(struct fake *fake, const char *interleavings,
                         const char *paths)
{
    struct walk_options options = {.space = fake_space(fake)};
    struct walk_counts counts;

    assert_int_equal(walk_count(&options, &counts), KAN_OK);
    assert_true(counts.complete);
    assert_int_equal(counts.unbounded, interleavings == NULL);
    if (interleavings) {
        assert_string_equal(buffer_text(&counts.interleavings), interleavings);
        assert_string_equal(buffer_text(&counts.paths), paths);
    }
    walk_counts_fini(&counts);
}

static void test_count(void **unused)
{
    static struct fake fake;

    (void)unused;
    fake_grid(&fake, 2, 2); /* 4! / 2!^2 */
    check_counts(&fake, "6", "1");
    fake_grid(&fake, 3, 4); /* 12! / 4!^3 */
    check_counts(&fake, "34650", "1");
    fake_grid(&fake, 6, 5); /* 30! / 5!^6 */
    check_counts(&fake, "88832646059788350720", "1");
    fake_grid(&fake, 1, 200);
    check_counts(&fake, "1", "1");
    fake_wheels(&fake, 2, 2);
    check_counts(&fake, NULL, NULL);
    /* More than 64 steps out of one state: 40 ways for each of two actors. */
    fake_init(&fake);
    fake.actors = 2;
    for (uint32_t i = 0; i < 80; i++)
        fake_move(&fake, i % 2, 0, 1 + i / 2);
    check_counts(&fake, "3200", "1600");
    /* A first state with nothing behind it is a run of no steps. */
    fake_init(&fake);
    fake.actors = 1;
    fake.first_count = 3;
    fake_move(&fake, 0, 0, 1); /* to another first state */
    check_counts(&fake, "3", "3");
}

static void test_count_drawn(void **unused)
{
    static struct fake fake;
    static struct runs runs;
    uint32_t fewer = 0;

    (void)unused;
    for (uint32_t round = 0; round < 400; round++) {
        char interleavings[32], paths[32];
        fake_seed = round;
        fake_drawn(&fake, false);
        runs.fake = &fake;
        runs.count = 0;
        runs.class_count = 0;
        for (uint32_t first = 0; first < fake.first_count; first++)
            runs_walk(&runs, first, first);
        snprintf(interleavings, sizeof interleavings, "%llu",
                 (unsigned long long)runs.count);
        snprintf(paths, sizeof paths, "%u", runs.class_count);
        check_counts(&fake, interleavings, paths);
        fewer += runs.class_count < runs.count;
    }
    assert_true(fewer > 100);
}

static void test_count_limits(void **unused)
{
    static struct fake fake;
    struct walk_counts counts;
    struct walk_options options = {.space = fake_space(&fake)};

    (void)unused;
    fake_grid(&fake, 5, 5);
    options.memory_max = 1200000;
    assert_int_equal(walk_count(&options, &counts), KAN_OK);
    assert_false(counts.complete);
    assert_non_null(strstr(counts.why, "the memory of 1 MiB is used up"));
    walk_counts_fini(&counts);
    options.memory_max = 0;
    fake.first_broken = true;
    assert_int_equal(walk_count(&options, &counts), KAN_OK);
    assert_false(counts.complete);
    assert_string_equal(counts.why, "a first step is broken: the space ended");
    walk_counts_fini(&counts);
    fake.first_broken = false;

    int64_t live = mem_live();
    fake_grid(&fake, 3, 5);
    bool struck = true;
    for (uint64_t nth = 1; struck; nth++) {
        mem_fault(nth, false);
        assert_int_equal(walk_count(&options, &counts), KAN_OK);
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(counts.complete, !struck);
        walk_counts_fini(&counts);
        assert_int_equal(mem_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_count_drawn),
        cmocka_unit_test(test_count_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
