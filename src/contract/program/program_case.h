/* program_case.h - a program under test: compiled from text, stepped with
 * arguments as JSON, and asked for its state. For the tests of this folder. */

#ifndef CONTRACT_PROGRAM_PROGRAM_CASE_H
#define CONTRACT_PROGRAM_PROGRAM_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "contract/program/measure.h"
#include "contract/program/program_inside.h"

/* --- a program and a state under test ------------------------------------- */

enum
{
    BYTES_MAX = 1 << 16
};

struct under_test
{
    struct source source;
    struct tree tree;
    struct program *program;
    struct program_input input;
    struct program_refusal refusal;
    struct buffer text; /* of whatever was asked for last */
    int64_t state[BYTES_MAX / 8];
    int64_t after[BYTES_MAX / 8];
    int64_t other[BYTES_MAX / 8];
    int64_t arguments[BYTES_MAX / 8];
};

static struct under_test t;

static inline void ends(void)
{
    program_free(t.program);
    tree_fini(&t.tree);
    source_fini(&t.source);
    buffer_fini(&t.text);
    memset(&t, 0, sizeof t);
}

static inline enum kan_err try_begin(const char *text)
{
    enum kan_err err;

    err = source_init(&t.source, SLICE("test.kan"), kan_text(text));
    if (err == KAN_OK)
        err = tree_parse(&t.tree, &t.source);
    if (err == KAN_OK)
        err = tree_check(&t.tree);
    if (err == KAN_OK)
        err = program_compile(
            &t.tree, &t.tree.entities[t.tree.entity_count - 1], &t.program);
    return err;
}

/* Compile the last type of the text, and begin in its starting state. */
static inline void begins(const char *text)
{
    enum kan_err err = try_begin(text);

    if (err != KAN_OK) {
        source_print(&t.source, &t.text);
        print_error("%s\n", buffer_text(&t.text));
    }
    assert_int_equal(err, KAN_OK);
    program_start(t.program, t.state);
    memset(t.input.id, 'a', sizeof t.input.id);
    t.input.now_ms = 1000;
}

static inline const char *state_text(const void *state)
{
    buffer_clear(&t.text);
    program_json(t.program, 0, state, &t.text);
    return buffer_text(&t.text);
}

#define state_is(json) assert_string_equal(state_text(t.state), json)

static inline uint32_t arguments_read(const char *step, const char *json)
{
    int32_t number = program_step_find(t.program, kan_text(step));
    struct json_tree tree = {0};
    const struct json_options options = {0};
    struct buffer why = BUFFER_INIT;

    assert_true(number >= 0);
    program_arguments(t.program, (uint32_t)number, t.arguments);
    assert_int_equal(json_parse(kan_text(json), &options, &tree), KAN_OK);
    if (program_read_json(t.program,
                          program_step(t.program, (uint32_t)number).arguments,
                          &tree, tree.nodes, t.arguments, &why) != KAN_OK)
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
    json_fini(&tree);
    return (uint32_t)number;
}

/* Whether it is a whole state that was refused, not what a step does. */
static inline bool of_invariant(const struct program_refusal *refusal)
{
    return refusal->kind != PROGRAM_OK &&
           PROGRAM_ITEM(t.program, conditions, struct program_inside_condition,
                        refusal->condition)
                   ->step == PROGRAM_NOTHING;
}

/* Take a step; the state goes on when it was taken. Judging all invariants
 * gives the same, and the state is canonical. */
static inline enum program_refusal_kind take(const char *step, const char *json)
{
    uint32_t number = arguments_read(step, json);
    uint32_t size = program_state_size(t.program);
    struct program_refusal refusal;
    enum kan_err err;

    memset(t.after, 0x55, sizeof t.after);
    err = program_take(t.program, number, t.state, t.arguments, &t.input,
                       t.after, &t.refusal);
    assert_int_equal(
        program_inside_take_all(t.program, number, t.state, t.arguments,
                                &t.input, t.other, &refusal),
        err);
    assert_memory_equal(t.after, t.other, size);
    assert_int_equal(refusal.kind, t.refusal.kind);
    if (err != KAN_OK)
        assert_int_equal(refusal.condition, t.refusal.condition);
    assert_int_equal(
        program_can(t.program, number, t.state, t.arguments, &t.input),
        err == KAN_OK || of_invariant(&refusal));
    if (err == KAN_OK) {
        assert_int_equal(t.refusal.kind, PROGRAM_OK);
        assert_true(program_valid(t.program, 0, t.after));
        assert_int_equal(program_holds(t.program, t.after, &refusal), KAN_OK);
        memcpy(t.state, t.after, size);
    } else {
        assert_int_equal(err, KAN_CONFLICT);
    }
    return t.refusal.kind;
}

#define taken(step, json)         assert_int_equal(take(step, json), PROGRAM_OK)
#define refused(step, json, kind) assert_int_equal(take(step, json), kind)

static inline const char *refusal_text(const char *step)
{
    buffer_clear(&t.text);
    program_refusal_text(t.program, &t.refusal,
                         (uint32_t)program_step_find(t.program, kan_text(step)),
                         &t.text);
    return buffer_text(&t.text);
}

static inline const char *refusal_values(const char *step)
{
    buffer_clear(&t.text);
    program_refusal_values(
        t.program, &t.refusal,
        (uint32_t)program_step_find(t.program, kan_text(step)), t.after,
        t.arguments, &t.text);
    return buffer_text(&t.text);
}

#define says(step, text, values)                           \
    do {                                                   \
        assert_string_equal(refusal_text(step), text);     \
        assert_string_equal(refusal_values(step), values); \
    } while (0)

static inline int torn_down(void **state)
{
    (void)state;
    mem_fault(0, false);
    ends();
    return 0;
}

#endif /* CONTRACT_PROGRAM_PROGRAM_CASE_H */
