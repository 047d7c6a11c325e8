/* Walking small models with everything held against its definition. */

#include "check/space/space_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/space/inside.h"

struct judge
{
    struct space_case *the_case;
    const struct space *space;
};

static bool same_hash(struct path_id a, struct path_id b)
{
    return a.low == b.low && a.high == b.high;
}

static void say_step(struct space_walker *walker, const struct space_step *step,
                     struct buffer *out)
{
    struct space_words words;

    space_describe(walker, step, &words);
    buffer_print(out, "%s %s -> %s %s; ", words.what, words.from.text,
                 words.to.text, words.name ? words.name : "");
}

/* Take the step of that name after the first; its hash. */
static bool follow(struct space_walker *walker, const struct space_state *state,
                   const struct space_step *first,
                   const struct space_step *second, struct path_id *ret_hash)
{
    static struct space_step steps[SPACE_STEPS_MAX];
    static struct space_state next;
    uint32_t count;

    space_apply(walker, state, first, &next);
    assert_int_equal(space_expand(walker, &next, steps, &count), KAN_OK);
    for (uint32_t i = 0; i < count; i++) {
        if (space_step_name(&steps[i]) != space_step_name(second))
            continue;
        *ret_hash = steps[i].hash;
        return !(steps[i].flags & SPACE_BROKEN);
    }
    return false;
}

static void judge_pair(struct judge *judge, struct space_walker *walker,
                       const struct space_state *state,
                       const struct space_step *a, const struct space_step *b)
{
    struct path_id one;
    struct path_id other;
    struct buffer out = BUFFER_INIT;

    assert_true(space_independent(judge->space, b, a, true));
    judge->the_case->pairs++;
    if (follow(walker, state, a, b, &one) &&
        follow(walker, state, b, a, &other) && same_hash(one, other))
        return;
    say_step(walker, a, &out);
    say_step(walker, b, &out);
    fail_msg("cannot change places: %s", buffer_text(&out));
}

static void judge_state(void *data, struct space_walker *walker,
                        const struct space_state *state,
                        const struct space_step *steps, uint32_t count)
{
    static struct space_state next;
    struct judge *judge = data;
    struct space_case *the_case = judge->the_case;

    assert_true(same_hash(state->hash, state_hash(judge->space, state)));
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].flags & SPACE_BROKEN)
            continue;
        space_apply(walker, state, &steps[i], &next);
        assert_true(same_hash(next.hash, state_hash(judge->space, &next)));
        for (uint32_t j = 0; j < i; j++) {
            assert_true(space_step_name(&steps[i]) !=
                        space_step_name(&steps[j]));
            if (space_independent(judge->space, &steps[i], &steps[j], true))
                judge_pair(judge, walker, state, &steps[i], &steps[j]);
        }
    }
    if (the_case->holds && the_case->holds(walker, state)) {
        the_case->held++;
        the_case->held_terminal += count == 0;
    }
}

void space_case_walk(struct space_case *the_case)
{
    int64_t live = mem_live();
    struct buffer why = BUFFER_INIT;
    struct judge judge = {.the_case = the_case};
    struct space_walker *walker;
    struct space *space;

    if (!the_case->options.module)
        the_case->options.model = &the_case->model;
    the_case->pairs = 0;
    the_case->held = 0;
    the_case->held_terminal = 0;
    if (space_new(&the_case->options, &space, &why) != KAN_OK)
        fail_msg("%s", buffer_text(&why));
    judge.space = space;
    assert_int_equal(space_walker_new(space, &walker), KAN_OK);
    plain_walk(space, walker,
               the_case->states_max ? the_case->states_max : 20000, judge_state,
               &judge, &the_case->walk);
    if (the_case->walk.err != KAN_OK && the_case->walk.err != KAN_BUSY)
        memcpy(the_case->walk.why, space_why(walker, NULL),
               strlen(space_why(walker, NULL)) + 1);
    space_walker_free(walker);
    space_free(space);
    buffer_fini(&why);
    assert_int_equal(mem_live(), live);
}

/* --- failures ------------------------------------------------------------- */

static enum kan_err wander(struct space *space, uint64_t chance)
{
    static struct space_step steps[SPACE_STEPS_MAX];
    static struct space_state state, next;
    struct space_walker *walker;
    enum kan_err err = space_walker_new(space, &walker);

    if (err != KAN_OK)
        return err;
    err = space_first(walker, 0, &state);
    for (uint32_t i = 0; err == KAN_OK && i < 30; i++) {
        uint32_t count;
        uint32_t chosen;
        err = space_expand(walker, &state, steps, &count);
        if (err != KAN_OK || count == 0)
            break;
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        chosen = (uint32_t)(chance >> 33) % count;
        if (steps[chosen].flags & SPACE_BROKEN)
            break;
        space_apply(walker, &state, &steps[chosen], &next);
        state = next;
    }
    space_walker_free(walker);
    return err;
}

enum kan_err space_case_wander(const struct space_options *options,
                               uint64_t chance)
{
    struct buffer why = BUFFER_INIT;
    struct space *space;
    enum kan_err err = space_new(options, &space, &why);

    if (err == KAN_OK) {
        err = wander(space, chance);
        space_free(space);
    }
    buffer_fini(&why);
    return err;
}

void space_case_faults(const struct space_options *options)
{
    int64_t live;
    uint64_t nth = 0;
    bool struck;

    assert_int_equal(space_case_wander(options, 1), KAN_OK);
    live = mem_live();
    do {
        enum kan_err err;
        mem_fault(++nth, false);
        err = space_case_wander(options, nth % 7);
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(err, struck ? KAN_NOMEM : KAN_OK);
        assert_int_equal(mem_live(), live);
    } while (struck);
    assert_true(nth > 30);
}
