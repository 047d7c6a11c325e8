/* The models that ship, whose numbers of states are known elsewhere. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/space/space.h"
#include "check/space/space_case.h"
#include "models/models.h"

static const struct kan_module *module_named(const char *name)
{
    const struct kan_module *module;

    for (uint32_t i = 0; (module = models_at(i)) != NULL; i++) {
        if (strcmp(module->model->name, name) == 0)
            return module;
    }
    fail_msg("no model %s", name);
    return NULL;
}

static void walk_model(const char *name, int64_t a, int64_t b,
                       struct plain_walk *ret_walk)
{
    int64_t parameters[KAN_PARAMETERS_MAX];
    struct space_options options = {.module = module_named(name),
                                    .parameters = parameters};
    const struct kan_model *model = options.module->model;
    struct buffer why = BUFFER_INIT;
    struct space_walker *walker;
    struct space *space;
    int64_t live = mem_live();

    for (uint32_t i = 0; i < model->parameter_count; i++)
        parameters[i] = model->parameters[i].preset;
    parameters[0] = a;
    if (model->parameter_count > 1)
        parameters[1] = b;
    if (space_new(&options, &space, &why) != KAN_OK)
        fail_msg("%s", buffer_text(&why));
    assert_int_equal(space_walker_new(space, &walker), KAN_OK);
    plain_walk(space, walker, 1 << 19, NULL, NULL, ret_walk);
    if (ret_walk->err != KAN_OK)
        fail_msg("%s", space_why(walker, NULL));
    if (ret_walk->broken > 0)
        fail_msg("%s", ret_walk->why);
    space_walker_free(walker);
    space_free(space);
    buffer_fini(&why);
    assert_int_equal(mem_live(), live);
}

/* The formulas of docs/design/checker.md. */
static void two_phase_commit(void **context)
{
    uint64_t two = 1, four = 1, six = 1;

    (void)context;
    for (uint64_t n = 1; n <= 6; n++) {
        struct plain_walk walk;
        uint64_t six_less = six;
        two *= 2;
        four *= 4;
        six *= 6;
        walk_model("two-phase", (int64_t)n, 0, &walk);
        assert_int_equal(walk.states, two + four + six);
        assert_int_equal(walk.generated,
                         (n + 1) * four + 1 + n * two + 8 * n * six_less + 1);
        assert_int_equal(walk.fails, 0);
        if (n == 3) {
            assert_int_equal(walk.states, 288);
            assert_int_equal(walk.generated, 1146);
        }
    }
}

static void paxos(void **context)
{
    struct plain_walk walk;

    (void)context;
    walk_model("paxos", 3, 2, &walk);
    assert_int_equal(walk.states, 16668);
    assert_int_equal(walk.generated, 32971);
    assert_int_equal(walk.terminal, 1268);
    assert_int_equal(walk.depth, 20);
    assert_int_equal(walk.unorderable, 0);
}

static void abd(void **context)
{
    struct plain_walk walk;

    (void)context;
    walk_model("abd", 2, 2, &walk);
    assert_int_equal(walk.states, 544);
    assert_int_equal(walk.unorderable, 0);
}

static void single_copy(void **context)
{
    struct plain_walk walk;

    (void)context;
    walk_model("single-copy", 1, 2, &walk);
    assert_int_equal(walk.states, 93);
    assert_int_equal(walk.unorderable, 0);
    walk_model("single-copy", 2, 2, &walk);
    assert_true(walk.unorderable > 0);
}

/* At their presets, with hashes and independence held against definitions; of
 * the large ones, as many states as there is time for. */
static void every_model_keeps_its_word(void **context)
{
    const struct kan_module *module;
    uint64_t pairs = 0;

    (void)context;
    for (uint32_t i = 0; (module = models_at(i)) != NULL; i++) {
        struct space_case the_case = {.model = *module->model,
                                      .states_max = 1500};
        space_case_walk(&the_case);
        if (the_case.walk.err != KAN_OK && the_case.walk.err != KAN_BUSY)
            fail_msg("%s: %s", module->model->name, the_case.walk.why);
        pairs += the_case.pairs;
    }
    assert_true(pairs > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_phase_commit),
        cmocka_unit_test(paxos),
        cmocka_unit_test(abd),
        cmocka_unit_test(single_copy),
        cmocka_unit_test(every_model_keeps_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
