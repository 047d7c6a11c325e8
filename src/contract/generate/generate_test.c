/* generate_test.c - what is made of contracts: that it is the same each time,
 * complete or refused when memory runs out, and says what it should. That the C
 * is right is shown by test/contract/differential. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "contract/generate/generate.h"
#include "contract/generate/states.h"

static const char door[] =
    "record size { width: int(1 .. 9) = 2; name: text(3) }\n"
    "type door {\n"
    "    state: shut | ajar | locked\n"
    "    times: int(0 .. 1_000) = 0\n"
    "    frame: size\n"
    "    keys: map(text(8), int(0 .. 9), 4)\n"
    "    big: int\n"
    "    invariant few: times < 900\n"
    "    # Opens */ it.\n"
    "    step open when state == shut {\n"
    "        require times < 800 else \"worn \\\"*/\\\" ?\?/ out\"\n"
    "        state = ajar\n"
    "        times += 1\n"
    "    }\n"
    "    step close(hard: bool = false) when state == ajar {\n"
    "        state = if hard then locked else shut\n"
    "    }\n"
    "    step wedge when state != locked { if state == shut { state = ajar } "
    "}\n"
    "    step give(key: text(8), n: int(0 .. 9)) { keys[key] = n }\n"
    "    internal step paint { frame.name = \"red\" }\n"
    "    step start when state == locked { big = now }\n"
    "    view wear over all { times: sum(times); last: last(give.n) }\n"
    "}\n"
    "saga both(a: door, b: door) { require a != b else \"one\"\n"
    "    a.paint() undo a.paint()\n"
    "    b.paint()\n"
    "}\n"
    "type door version 2 { state: shut | ajar; step open when state == shut { "
    "state = ajar }\n"
    "    internal step paint { } }\n"
    "upgrade door 1 -> 2 { up { state = if old.state == ajar then ajar else "
    "shut } }\n";

static const char lone[] = "type lone { step go { } }\n";

typedef enum kan_err make_fn(const struct contract *contract,
                             const struct generate_options *options,
                             struct buffer *out);

/* Header and source, one behind the other. */
static enum kan_err make_c(const struct contract *contract,
                           const struct generate_options *options,
                           struct buffer *out)
{
    struct buffer source = BUFFER_INIT;
    enum kan_err err = generate_c(contract, options, out, &source);

    if (err == KAN_OK) {
        buffer_append(out, buffer_slice(&source));
        if (buffer_failed(out))
            err = KAN_NOMEM;
    }
    buffer_fini(&source);
    return err;
}

static make_fn *const makes[] = {make_c, generate_openapi, generate_dot};

enum
{
    MAKES = sizeof makes / sizeof *makes
};

static const struct generate_options options = {
    .file = {.bytes = "door.kan", .size = 8},
    .stem = {.bytes = "door", .size = 4}};

static struct contract *load(const char *text)
{
    struct contract *contract = NULL;
    struct buffer faults = BUFFER_INIT;

    if (contract_load(SLICE("door.kan"), kan_text(text), &contract, &faults) !=
        KAN_OK)
        fail_msg("%s", buffer_text(&faults));
    buffer_fini(&faults);
    return contract;
}

static bool says(const struct buffer *out, const char *text)
{
    return slice_find(buffer_slice(out), kan_text(text)) != SIZE_MAX;
}

static void memory_runs_out(void **state)
{
    struct contract *contract = load(door);
    int64_t live = mem_live();
    size_t i;

    (void)state;
    for (i = 0; i < MAKES; i++) {
        struct buffer whole = BUFFER_INIT;
        uint64_t nth;
        bool done = false;

        assert_int_equal(makes[i](contract, &options, &whole), KAN_OK);
        for (nth = 1; !done; nth += 1 + nth / 8) {
            struct buffer out = BUFFER_INIT;
            enum kan_err err;

            mem_fault(nth, true);
            err = makes[i](contract, &options, &out);
            done = !mem_fault_struck();
            mem_fault(0, false);
            /* All of it, or an error: never a part. */
            assert_int_equal(err, done ? KAN_OK : KAN_NOMEM);
            if (done)
                assert_true(
                    slice_equal(buffer_slice(&out), buffer_slice(&whole)));
            buffer_fini(&out);
        }
        buffer_fini(&whole);
        assert_int_equal(mem_live(), live);
    }
    contract_unref(contract);
}

static void types_are_chosen(void **state)
{
    struct contract *contract = load(door);
    struct generate_options one = options;
    size_t i;

    (void)state;
    for (i = 0; i < MAKES; i++) {
        struct buffer out = BUFFER_INIT;

        one.type = SLICE("window");
        assert_int_equal(makes[i](contract, &one, &out), KAN_NOTFOUND);
        buffer_clear(&out);
        one.type = SLICE("door");
        assert_int_equal(makes[i](contract, &one, &out), KAN_OK);
        assert_true(says(&out, "ajar"));
        buffer_fini(&out);
    }
    contract_unref(contract);
}

static void c_says_what_it_should(void **state)
{
    struct contract *contract = load(door);
    struct buffer out = BUFFER_INIT;

    (void)state;
    assert_int_equal(make_c(contract, &options, &out), KAN_OK);
    /* Older versions have their number behind the name. */
    assert_true(says(&out, "struct door_v1\n{"));
    assert_true(says(&out, "struct door\n{"));
    assert_true(says(&out, "struct door_v1_locked\n{"));
    assert_false(says(&out, "struct door_locked\n{"));
    /* What ends in one state, stays, and depends. */
    assert_true(says(&out,
                     "door_v1_shut_open(struct door_v1_shut *from,\n"
                     "    struct door_v1_ajar *to, struct door_v1_why *why)"));
    assert_true(says(&out,
                     "door_v1_ajar_wedge(struct door_v1_ajar *from,\n"
                     "    struct door_v1_why *why)"));
    assert_true(says(&out,
                     "door_v1_ajar_close(struct door_v1_ajar *from,\n"
                     "    struct door_v1_any *to, bool hard"));
    assert_false(says(&out, "door_v1_ajar_open("));
    assert_false(says(&out, "door_v1_locked_wedge("));
    /* A step that has the name of a function gets another. */
    assert_true(says(&out, "#define door_v1_start_(from, ...)"));
    /* No comment ends, and no trigraph begins, where the contract says so. */
    assert_true(says(&out, "worn \\\"*/\\\" \\?\\?/ out"));
    assert_false(says(&out, "/* require times < 800 else \"worn \\\"*/"));
    /* now is asked for where it is read alone. */
    assert_true(says(&out,
                     "door_v1_take_start(struct door_v1 *door, int64_t "
                     "now_ms,"));
    assert_true(says(&out,
                     "door_v1_take_paint(struct door_v1 *door,\n"
                     "    struct door_v1_why *why)"));
    buffer_fini(&out);
    contract_unref(contract);
}

static void a_type_may_have_no_states(void **state)
{
    struct contract *contract = load(lone);
    struct buffer out = BUFFER_INIT;

    (void)state;
    assert_int_equal(make_c(contract, &options, &out), KAN_OK);
    assert_true(says(&out, "lone_take_go(struct lone *lone"));
    assert_false(says(&out, "lone_any"));
    buffer_clear(&out);
    assert_int_equal(generate_dot(contract, &options, &out), KAN_OK);
    assert_true(says(&out, "s0_0 -> s0_0 [label=\"go\\l\"]"));
    buffer_fini(&out);
    contract_unref(contract);
}

static void a_picture_shows_states(void **state)
{
    struct contract *contract = load(door);
    struct buffer out = BUFFER_INIT;
    struct generate_options first = options;

    (void)state;
    assert_int_equal(generate_dot(contract, &first, &out), KAN_OK);
    assert_true(says(&out, "label=\"door, version 2"));
    assert_true(says(&out, "-> s"));
    buffer_fini(&out);
    contract_unref(contract);
}

static void documents_say_what_is_served(void **state)
{
    struct contract *contract = load(door);
    struct buffer out = BUFFER_INIT;
    struct json_tree json = {0};
    const struct json_node *paths;

    (void)state;
    assert_int_equal(generate_openapi(contract, &options, &out), KAN_OK);
    assert_int_equal(json_parse(buffer_slice(&out), NULL, &json), KAN_OK);
    paths = json_member(&json, &json.nodes[0], "paths");
    assert_non_null(paths);
    assert_non_null(
        json_member(&json, paths, "/v1.0/actors/door/{id}/method/open"));
    assert_non_null(json_member(&json, paths, "/kan/v1/sagas/both"));
    /* The newest version alone is told. */
    assert_null(
        json_member(&json, paths, "/v1.0/actors/door/{id}/method/wedge"));
    json_fini(&json);
    buffer_fini(&out);
    contract_unref(contract);
}

static void states_are_followed(void **state)
{
    struct contract *contract = load(door);
    const struct tree_entity *entity =
        tree_entity(contract_tree(contract), SLICE("door"), 1);
    struct states states;
    struct states_set after;

    (void)state;
    states_find(entity, &states);
    assert_non_null(states.field);
    assert_int_equal(states.count, 3);
    assert_int_equal(states_start(&states), 0);
    after = states_after(&states, &entity->steps[1], 1);
    assert_int_equal(states_count(&after), 2);
    assert_true(states_has(&after, 0) && states_has(&after, 2));
    after = states_after(&states, &entity->steps[2], 0);
    assert_int_equal(states_count(&after), 1);
    assert_int_equal(states_only(&after), 1);
    after = states_after(&states, &entity->steps[2], 2);
    assert_int_equal(states_count(&after), 0);
    after = states_after(&states, &entity->steps[3], 2);
    assert_int_equal(states_only(&after), 2);
    contract_unref(contract);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_says_what_it_should),
        cmocka_unit_test(a_type_may_have_no_states),
        cmocka_unit_test(a_picture_shows_states),
        cmocka_unit_test(documents_say_what_is_served),
        cmocka_unit_test(states_are_followed),
        cmocka_unit_test(types_are_chosen),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
