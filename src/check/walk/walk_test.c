/* Tests of the walk, over spaces that can be counted by formula or by brute
 * force. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "check/walk/fake_space.h"
#include "check/walk/walk.h"

/* --- brute force ---------------------------------------------------------- */

/* All states of a drawn space, as numbers to the base of FAKE_PLACES. */
struct brute
{
    const struct fake *fake;
    uint32_t distance[FAKE_STATES_MAX]; /* UINT32_MAX: not reached */
    uint32_t states;
    uint32_t generated;
    uint32_t terminal;
    uint32_t depth;
    uint64_t interleavings;
};

static void brute_walk(struct brute *brute, const struct fake *fake)
{
    memset(brute, 0, sizeof *brute);
    brute->fake = fake;
    for (uint32_t i = 0; i < FAKE_STATES_MAX; i++)
        brute->distance[i] = i < fake->first_count ? 0 : UINT32_MAX;
    brute->generated = fake->first_count;
    for (uint32_t depth = 0;; depth++) {
        bool any = false;
        for (uint32_t state = 0; state < FAKE_STATES_MAX; state++) {
            if (brute->distance[state] != depth)
                continue;
            uint32_t to, before = brute->generated;
            any = true;
            brute->states++;
            for (uint32_t move = 0; move < fake->move_count; move++) {
                if (!fake_leads(fake, state, move, &to))
                    continue;
                brute->generated++;
                if (brute->distance[to] == UINT32_MAX)
                    brute->distance[to] = depth + 1;
            }
            brute->terminal += brute->generated == before;
        }
        if (!any)
            return;
        brute->depth = depth;
    }
}

/* Whether a goal can be reached, by trying often enough. */
static bool brute_reaches(const struct fake *fake, uint32_t from, uint32_t goal)
{
    bool reached[FAKE_STATES_MAX] = {0};
    uint32_t to;

    reached[from] = true;
    for (uint32_t round = 0; round < FAKE_STATES_MAX; round++) {
        for (uint32_t state = 0; state < FAKE_STATES_MAX; state++) {
            for (uint32_t move = 0; reached[state] && move < fake->move_count;
                 move++) {
                if (fake_leads(fake, state, move, &to))
                    reached[to] = true;
            }
        }
    }
    return reached[goal];
}

static bool brute_cyclic(const struct fake *fake, const struct brute *brute)
{
    for (uint32_t state = 0; state < FAKE_STATES_MAX; state++) {
        uint32_t to;
        for (uint32_t move = 0;
             brute->distance[state] != UINT32_MAX && move < fake->move_count;
             move++) {
            if (fake_leads(fake, state, move, &to) &&
                brute_reaches(fake, to, state))
                return true;
        }
    }
    return false;
}

/* --- walking -------------------------------------------------------------- */

static enum walk_verdict walked(struct fake *fake,
                                const struct walk_options *options,
                                struct walk_result *ret_result)
{
    struct walk_options all = *options;

    all.space = fake_space(fake);
    assert_int_equal(walk(&all, ret_result), KAN_OK);
    return ret_result->verdict;
}

static const struct walk_options modes[] = {
    {.no_reduction = true}, {.no_reduction = false}, {.breadth_first = true},
    {.threads = 2},         {.threads = 3},          {.depth_max = 1000},
};
enum
{
    MODES = sizeof modes / sizeof modes[0],
    SLEEPING = 1 /* the mode that reduces */
};

/* All modes find the same states. */
static void check_modes(struct fake *fake, uint64_t states, uint64_t generated,
                        uint64_t terminal)
{
    struct walk_result result, first;

    for (uint32_t i = 0; i < MODES; i++) {
        assert_int_equal(walked(fake, &modes[i], &result), WALK_HOLDS);
        assert_true(result.complete);
        assert_int_equal(result.property, WALK_NONE);
        assert_int_equal(result.states, states);
        assert_int_equal(result.terminal, terminal);
        assert_int_equal(result.reduced, i == SLEEPING);
        if (i == SLEEPING)
            assert_true(result.generated <= generated);
        else
            assert_int_equal(result.generated, generated);
        if (i == 0)
            first = result;
        assert_int_equal(result.terminal_sum.low, first.terminal_sum.low);
        assert_int_equal(result.terminal_sum.high, first.terminal_sum.high);
        walk_result_fini(&result);
    }
}

static void test_grid(void **unused)
{
    static struct fake fake;

    (void)unused;
    for (uint32_t actors = 1; actors <= 4; actors++) {
        for (uint32_t length = 1; length <= 4; length++) {
            uint64_t side = 1;
            for (uint32_t i = 1; i < actors; i++)
                side *= length + 1;
            fake_grid(&fake, actors, length);
            check_modes(&fake, side * (length + 1), actors * length * side + 1,
                        1);
        }
    }
}

/* With nothing but independent steps, one run is enough, and each state is
 * arrived at once. */
static void test_grid_sleeps(void **unused)
{
    static struct fake fake;
    struct walk_result result;

    (void)unused;
    fake_grid(&fake, 4, 9);
    assert_int_equal(walked(&fake, &modes[SLEEPING], &result), WALK_HOLDS);
    assert_int_equal(result.states, 10000);
    assert_int_equal(result.generated, 10000);
    assert_int_equal(result.depth, 36);
    walk_result_fini(&result);
}

static void test_wheels(void **unused)
{
    static struct fake fake;

    (void)unused;
    fake_wheels(&fake, 3, 6);
    check_modes(&fake, 343, 3 * 343 + 1, 0);
    /* Enough for the table to grow, also while threads share it. */
    fake_grid(&fake, 5, 8);
    check_modes(&fake, 59049, 5 * 8 * 6561 + 1, 1);
    /* More steps than sleep: three actors with 40 ways each. */
    fake_init(&fake);
    fake.actors = 3;
    for (uint32_t i = 0; i < 120; i++)
        fake_move(&fake, i % 3, 0, 1 + i / 3);
    check_modes(&fake, 41 * 41 * 41, 1 + 3 * 40 * 41 * 41, 40 * 40 * 40);
}

static void test_drawn(void **unused)
{
    static struct fake fake;
    struct brute brute;

    (void)unused;
    for (uint32_t round = 0; round < 600; round++) {
        fake_seed = round;
        fake_drawn(&fake, round % 2);
        brute_walk(&brute, &fake);
        check_modes(&fake, brute.states, brute.generated, brute.terminal);
    }
}

/* Larger ones, of which the seeds are known to have states that only a second
 * arrival finds: one that wakes steps which slept in the first. */
static void test_wakes(void **unused)
{
    static const uint32_t seeds[] = {22362, 35849, 38438, 68393, 71555, 76305};
    static struct fake fake;

    (void)unused;
    for (uint32_t round = 0; round < sizeof seeds / sizeof seeds[0]; round++) {
        struct walk_result all, result;
        fake_seed = seeds[round];
        fake_init(&fake);
        uint32_t places = 3 + fake_draw(3);
        fake.actors = 3 + fake_draw(4);
        uint32_t moves = fake.actors + fake_draw(30);
        for (uint32_t i = 0; i < moves; i++) {
            uint32_t actor = fake_draw(fake.actors), from = fake_draw(places);
            uint32_t to = fake_draw(places), guard = fake_draw(fake.actors);
            if (fake_draw(3) == 0 || guard == actor)
                fake_move(&fake, actor, from, to);
            else
                fake_move_guarded(&fake, actor, from, to, guard,
                                  fake_draw(places));
        }
        assert_int_equal(walked(&fake, &modes[0], &all), WALK_HOLDS);
        assert_int_equal(walked(&fake, &modes[SLEEPING], &result), WALK_HOLDS);
        assert_int_equal(result.states, all.states);
        assert_true(result.generated < all.generated);
        walk_result_fini(&all);
        walk_result_fini(&result);
    }
}

/* --- failures ------------------------------------------------------------- */

static uint32_t bad_state; /* of a drawn space */

static bool not_bad(const struct fake *fake, uint32_t property,
                    const uint32_t *places)
{
    (void)property;
    return fake_pack(fake, places) != bad_state;
}

struct walked_end
{
    const struct fake *fake;
    uint32_t state;
    uint32_t steps;
};

static bool see_end(void *data, struct space_walker *walker,
                    const struct space_state *state,
                    const struct space_step *step)
{
    struct walked_end *end = data;

    (void)walker;
    end->state = fake_pack(end->fake, state->words);
    end->steps += step != NULL;
    return true;
}

static uint32_t run_end(struct fake *fake, const struct walk_run *run)
{
    struct walked_end end = {.fake = fake};

    assert_int_equal(walk_follow(fake_space(fake), run, see_end, &end), KAN_OK);
    assert_int_equal(end.steps, run->step_count);
    return end.state;
}

/* A state is said not to be: every mode finds it, by a shortest run, and all of
 * them by the same. */
static void test_always(void **unused)
{
    static struct fake fake;
    struct brute brute;
    uint32_t failed = 0;

    (void)unused;
    for (uint32_t round = 0; round < 600; round++) {
        fake_seed = round;
        fake_drawn(&fake, round % 2);
        fake.holds = not_bad;
        fake_property(&fake, round % 3 ? KAN_INVARIANT : KAN_FINALLY);
        brute_walk(&brute, &fake);
        do
            bad_state = fake_draw(FAKE_STATES_MAX);
        while (round % 2 && brute.distance[bad_state] == UINT32_MAX);
        uint32_t to;
        bool fails = brute.distance[bad_state] != UINT32_MAX;
        for (uint32_t move = 0; round % 3 == 0 && move < fake.move_count;
             move++)
            fails &= !fake_leads(&fake, bad_state, move, &to);
        failed += fails;
        struct walk_result result, first;
        for (uint32_t i = 0; i < MODES; i++) {
            assert_int_equal(walked(&fake, &modes[i], &result),
                             fails ? WALK_FAILS : WALK_HOLDS);
            if (!fails) {
                walk_result_fini(&result);
                continue;
            }
            assert_int_equal(result.property, 0);
            assert_true(result.shortest);
            assert_int_equal(result.run.step_count, brute.distance[bad_state]);
            assert_int_equal(run_end(&fake, &result.run), bad_state);
            if (i == 0)
                first = result;
            assert_int_equal(result.run.first, first.run.first);
            assert_memory_equal(result.run.steps, first.run.steps,
                                first.run.step_count * sizeof(uint64_t));
            if (i > 0)
                walk_result_fini(&result);
        }
        if (fails)
            walk_result_fini(&first);
    }
    assert_true(failed > 30);
}

/* Without the second search the run may be long, but it is one. */
static void test_no_shortest(void **unused)
{
    static struct fake fake;
    struct walk_result result;

    (void)unused;
    for (uint32_t i = 0; i < MODES; i++) {
        struct walk_options options = modes[i];
        options.no_shortest = true;
        fake_seed = 5;
        fake_wheels(&fake, 3, 3);
        fake.holds = not_bad;
        fake_property(&fake, KAN_INVARIANT);
        bad_state = 2 + FAKE_PLACES * 1;
        assert_int_equal(walked(&fake, &options, &result), WALK_FAILS);
        assert_int_equal(run_end(&fake, &result.run), bad_state);
        assert_int_equal(result.shortest, i >= 2);
        assert_true(result.run.step_count >= 3);
        walk_result_fini(&result);
    }
}

static void test_broken(void **unused)
{
    static struct fake fake;
    struct walk_result result;

    (void)unused;
    for (uint32_t i = 0; i < MODES; i++) {
        fake_wheels(&fake, 3, 3);
        fake.moves[4].flags = SPACE_BROKEN; /* actor 1 from 1 */
        assert_int_equal(walked(&fake, &modes[i], &result), WALK_FAILS);
        assert_int_equal(result.property, WALK_BROKEN);
        assert_string_equal(result.why, "the handler broke");
        assert_true(result.shortest);
        assert_int_equal(result.run.step_count, 2);
        assert_int_equal(run_end(&fake, &result.run), FAKE_PLACES);
        walk_result_fini(&result);

        fake_grid(&fake, 2, 3);
        fake.first_count = 2;
        fake.first_broken = true;
        assert_int_equal(walked(&fake, &modes[i], &result), WALK_FAILS);
        assert_int_equal(result.property, WALK_BROKEN);
        assert_int_equal(result.run.first, 1);
        assert_int_equal(result.run.step_count, 0);
        walk_result_fini(&result);

        fake_grid(&fake, 2, 3);
        fake_property(&fake, KAN_FINALLY);
        fake_property(&fake, KAN_LINEARIZABLE);
        fake.moves[5].flags = SPACE_UNORDERABLE; /* actor 1 to 3 */
        assert_int_equal(walked(&fake, &modes[i], &result), WALK_FAILS);
        assert_int_equal(result.property, 1);
        assert_int_equal(result.run.step_count, 3);
        walk_result_fini(&result);
    }
}

/* What a shorter run tells comes first, whatever it is. */
static void test_least(void **unused)
{
    static struct fake fake;
    struct walk_result result;

    (void)unused;
    for (uint32_t i = 0; i < MODES; i++) {
        fake_grid(&fake, 2, 3);
        fake.moves[2].flags = SPACE_BROKEN; /* actor 0 from 2 */
        fake.holds = not_bad;
        bad_state = 1 + FAKE_PLACES;
        fake_property(&fake, KAN_INVARIANT);
        assert_int_equal(walked(&fake, &modes[i], &result), WALK_FAILS);
        assert_int_equal(result.property, 0);
        assert_int_equal(result.run.step_count, 2);
        walk_result_fini(&result);
    }
}

struct walked_states
{
    const struct fake *fake;
    uint32_t states[FAKE_STATES_MAX];
    uint32_t count;
};

static bool see_state(void *data, struct space_walker *walker,
                      const struct space_state *state,
                      const struct space_step *step)
{
    struct walked_states *walked_states = data;

    (void)walker;
    (void)step;
    walked_states->states[walked_states->count++] =
        fake_pack(walked_states->fake, state->words);
    return true;
}

/* The run that is told goes through the same states in whatever order steps are
 * taken. */
static void test_order(void **unused)
{
    static struct fake fakes[2];
    static const struct walk_options options = {0};
    struct brute brute;

    (void)unused;
    for (uint32_t round = 0; round < 200; round++) {
        struct walked_states seen[2] = {{.fake = &fakes[0]},
                                        {.fake = &fakes[1]}};
        struct walk_result result;
        fake_seed = round;
        fake_drawn(&fakes[0], true);
        fakes[0].holds = not_bad;
        fake_property(&fakes[0], KAN_INVARIANT);
        fakes[1] = fakes[0];
        for (uint32_t i = 0; i < fakes[0].move_count; i++)
            fakes[1].moves[i] = fakes[0].moves[fakes[0].move_count - 1 - i];
        brute_walk(&brute, &fakes[0]);
        do
            bad_state = fake_draw(FAKE_STATES_MAX);
        while (brute.distance[bad_state] == UINT32_MAX);
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(walked(&fakes[i], &options, &result), WALK_FAILS);
            assert_int_equal(walk_follow(fake_space(&fakes[i]), &result.run,
                                         see_state, &seen[i]),
                             KAN_OK);
            walk_result_fini(&result);
        }
        assert_int_equal(seen[0].count, seen[1].count);
        assert_memory_equal(seen[0].states, seen[1].states,
                            seen[0].count * sizeof seen[0].states[0]);
    }
}

/* --- recovering and converging -------------------------------------------- */

static bool is_goal(const struct fake *fake, uint32_t property,
                    const uint32_t *places)
{
    (void)property;
    return fake_pack(fake, places) == bad_state;
}

static void test_recoverable(void **unused)
{
    static struct fake fake;
    static struct brute brute;
    uint32_t failed = 0, held = 0;
    static const struct walk_options options = {.threads = 2};

    (void)unused;
    for (uint32_t round = 0; round < 300; round++) {
        fake_seed = round;
        fake_drawn(&fake, true);
        fake.holds = is_goal;
        fake_property(&fake, KAN_RECOVERABLE);
        brute_walk(&brute, &fake);
        do
            bad_state = fake_draw(FAKE_STATES_MAX);
        while (brute.distance[bad_state] == UINT32_MAX);
        uint32_t nearest = UINT32_MAX;
        for (uint32_t state = 0; state < FAKE_STATES_MAX; state++) {
            if (brute.distance[state] < nearest &&
                !brute_reaches(&fake, state, bad_state))
                nearest = brute.distance[state];
        }
        struct walk_result result;
        enum walk_verdict verdict = walked(&fake, &options, &result);
        assert_int_equal(result.states, brute.states);
        assert_int_equal(result.generated, brute.generated);
        assert_int_equal(result.depth, brute.depth);
        if (nearest == UINT32_MAX) {
            assert_int_equal(verdict, WALK_HOLDS);
            held++;
        } else {
            assert_int_equal(verdict, WALK_FAILS);
            assert_int_equal(result.property, 0);
            assert_true(result.shortest);
            assert_int_equal(result.run.step_count, nearest);
            assert_false(
                brute_reaches(&fake, run_end(&fake, &result.run), bad_state));
            failed++;
        }
        walk_result_fini(&result);
    }
    assert_true(failed > 20 && held > 20);
}

static void test_converges(void **unused)
{
    static struct fake fake;
    static struct brute brute;
    uint32_t endless = 0, several = 0, held = 0;
    static const struct walk_options options = {0};

    (void)unused;
    for (uint32_t round = 0; round < 400; round++) {
        fake_seed = round;
        fake_drawn(&fake, round % 4 == 0);
        fake_property(&fake, KAN_CONVERGES);
        brute_walk(&brute, &fake);
        bool cyclic = brute_cyclic(&fake, &brute);
        struct walk_result result;
        enum walk_verdict verdict = walked(&fake, &options, &result);
        assert_int_equal(
            verdict, cyclic || brute.terminal > 1 ? WALK_FAILS : WALK_HOLDS);
        if (verdict == WALK_HOLDS) {
            held++;
        } else if (brute.terminal > 1) {
            uint32_t to, end = run_end(&fake, &result.run);
            for (uint32_t move = 0; move < fake.move_count; move++)
                assert_false(fake_leads(&fake, end, move, &to));
            several++;
        } else {
            /* The last state has been there before. */
            uint32_t end = run_end(&fake, &result.run);
            bool before = false;
            for (uint32_t n = 0; n < result.run.step_count; n++) {
                struct walk_run part = result.run;
                part.step_count = n;
                before |= run_end(&fake, &part) == end;
            }
            assert_true(before);
            endless++;
        }
        walk_result_fini(&result);
    }
    assert_true(endless > 10 && several > 10 && held > 10);
}

/* --- limits --------------------------------------------------------------- */

static void test_depth(void **unused)
{
    static struct fake fake;
    struct walk_result result;
    static const struct walk_options cut = {.depth_max = 5},
                                     two = {.depth_max = 5, .threads = 2},
                                     whole = {.depth_max = 6};

    (void)unused;
    fake_grid(&fake, 3, 2);
    assert_int_equal(walked(&fake, &cut, &result), WALK_HOLDS);
    assert_false(result.complete);
    assert_int_equal(result.states, 26);
    assert_int_equal(result.depth, 5);
    assert_int_equal(walked(&fake, &two, &result), WALK_HOLDS);
    assert_false(result.complete);
    assert_int_equal(result.states, 26);
    assert_int_equal(walked(&fake, &whole, &result), WALK_HOLDS);
    assert_true(result.complete);
    assert_int_equal(result.states, 27);
    /* Nothing new beyond the limit: complete after all. */
    fake_wheels(&fake, 1, 5);
    assert_int_equal(walked(&fake, &cut, &result), WALK_HOLDS);
    assert_true(result.complete);
    assert_int_equal(result.states, 6);
    /* What may yet recover has not failed. */
    fake_wheels(&fake, 1, 7);
    fake.holds = is_goal;
    bad_state = 0;
    fake_property(&fake, KAN_RECOVERABLE);
    assert_int_equal(walked(&fake, &cut, &result), WALK_HOLDS);
    assert_false(result.complete);
}

static double now;
static uint32_t told;

static double tick(void *data)
{
    (void)data;
    return now += 0.01;
}

static bool stop_soon(void *data, const struct walk_progress *progress)
{
    (void)data;
    assert_string_equal(progress->phase, "walking");
    assert_true(progress->seconds >= 0.1);
    return ++told < 3;
}

static void test_limits(void **unused)
{
    static struct fake fake;
    struct walk_result result;

    (void)unused;
    fake_grid(&fake, 6, 9);
    for (uint32_t i = 0; i < MODES; i++) {
        struct walk_options options = modes[i];
        options.memory_max = 1500000;
        assert_int_equal(walked(&fake, &options, &result), WALK_UNKNOWN);
        assert_false(result.complete);
        assert_non_null(strstr(result.why, "the memory of 1 MiB is used up"));
        assert_true(result.bytes <= options.memory_max);
        assert_true(result.states > 1000);

        options = modes[i];
        options.clock = tick;
        options.seconds_max = 0.5;
        assert_int_equal(walked(&fake, &options, &result), WALK_UNKNOWN);
        assert_non_null(strstr(result.why, "the time of 0.5 seconds"));
        assert_true(result.seconds >= 0.5);

        options.seconds_max = 0;
        options.progress = stop_soon;
        told = 0;
        assert_int_equal(walked(&fake, &options, &result), WALK_UNKNOWN);
        assert_string_equal(result.why, "it was stopped");
        assert_int_equal(told, 3);

        options = modes[i];
        fake.expansions = 0;
        fake.expansions_max = 500;
        assert_int_equal(walked(&fake, &options, &result), WALK_UNKNOWN);
        assert_string_equal(result.why, "the space ended");
        fake.expansions_max = 0;
    }
}

static void test_options(void **unused)
{
    static struct fake fake;
    struct walk_result result;
    struct walk_options options = {.space = fake_space(&fake)};

    (void)unused;
    fake_grid(&fake, 1, 1);
    options.seconds_max = 1;
    assert_int_equal(walk(&options, &result), KAN_INVALID);
    options.seconds_max = 0;
    options.progress = stop_soon;
    assert_int_equal(walk(&options, &result), KAN_INVALID);
    options.progress = NULL;
    options.threads = 100000;
    assert_int_equal(walk(&options, &result), KAN_INVALID);
}

/* Every allocation fails once: the walk refuses, or ends unknown, or had no
 * need of it. */
static void test_faults(void **unused)
{
    static struct fake fake;
    int64_t live = mem_live();

    (void)unused;
    for (uint32_t kind = 0; kind < 3; kind++) {
        fake_grid(&fake, 4, 7);
        fake.holds = is_goal;
        bad_state = kind == 1 ? 3 : 0;
        if (kind > 0)
            fake_property(&fake, kind == 1 ? KAN_RECOVERABLE : KAN_CONVERGES);
        if (kind == 0) {
            fake.holds = not_bad;
            bad_state = FAKE_PLACES + 1;
            fake_property(&fake, KAN_INVARIANT);
        }
        for (uint32_t i = 0; i < MODES; i++) {
            bool struck = true;
            for (uint64_t nth = 1; struck; nth++) {
                struct walk_options options = modes[i];
                struct walk_result result = {0};
                options.space = fake_space(&fake);
                mem_fault(nth, false);
                enum kan_err err = walk(&options, &result);
                struck = mem_fault_struck();
                mem_fault(0, false);
                if (err == KAN_OK) {
                    assert_true(struck ||
                                result.verdict ==
                                    (kind == 2 ? WALK_HOLDS : WALK_FAILS));
                    walk_result_fini(&result);
                } else {
                    assert_true(struck && err == KAN_NOMEM);
                }
                assert_int_equal(mem_live(), live);
            }
        }
    }
}

/* --- following ------------------------------------------------------------ */

static void test_follow(void **unused)
{
    static struct fake fake;
    struct walked_end end = {.fake = &fake};
    uint64_t names[2];
    struct walk_run run = {.step_count = 2, .steps = names};

    (void)unused;
    fake_grid(&fake, 2, 2);
    struct space_step step = {.kind = SPACE_DELIVER, .actor = 1, .object = 2};
    names[0] = space_step_name(&step);
    names[1] = names[0];
    assert_int_equal(walk_follow(fake_space(&fake), &run, see_end, &end),
                     KAN_NOTFOUND);
    step.object = 3;
    names[1] = space_step_name(&step);
    assert_int_equal(walk_follow(fake_space(&fake), &run, see_end, &end),
                     KAN_OK);
    assert_int_equal(end.state, 2 * FAKE_PLACES);
    run.first = 7;
    assert_int_equal(walk_follow(fake_space(&fake), &run, see_end, &end),
                     KAN_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),        cmocka_unit_test(test_grid_sleeps),
        cmocka_unit_test(test_wheels),      cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_wakes),       cmocka_unit_test(test_always),
        cmocka_unit_test(test_no_shortest), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_least),       cmocka_unit_test(test_order),
        cmocka_unit_test(test_recoverable), cmocka_unit_test(test_converges),
        cmocka_unit_test(test_depth),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_options),     cmocka_unit_test(test_faults),
        cmocka_unit_test(test_follow),

    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
