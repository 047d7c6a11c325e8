/* What clients saw: frontiers against a search for an order by brute force, and
 * histories kept as seen against histories kept as frontiers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/space/inside.h"
#include "check/space/space_case.h"
#include "models/models.h"

/* --- a space with a specification, and nothing in it ---------------------- */

struct idle
{
    uint8_t nothing;
};
KAN_RECORD(idle, 1, KAN_INT(idle, nothing, 0, 0));
static const struct kan_actor_type idle_type = {.name = "idle",
                                                .state = &idle_record};

enum
{
    CLIENTS = 4,
    OPS_MAX = 6,
    VALUES = 3
};

static void idle_setup(kan_setup *setup)
{
    for (uint32_t i = 0; i < CLIENTS; i++)
        kan_setup_actor(setup, &idle_type, i);
}

static const struct kan_spec register_spec = KAN_REGISTER_SPEC;
static const struct kan_model_property properties[] = {
    {.name = "register", .kind = KAN_LINEARIZABLE, .spec = &register_spec}};
static const struct kan_model idle_model = {
    .name = "idle", .setup = idle_setup, KAN_PROPERTIES(properties)};

struct place
{
    struct space *space;
    struct space_walker *walker;
};

static void place_open(struct place *place)
{
    struct space_options options = {.model = &idle_model};
    struct buffer why = BUFFER_INIT;

    assert_int_equal(space_new(&options, &place->space, &why), KAN_OK);
    assert_int_equal(space_walker_new(place->space, &place->walker), KAN_OK);
    buffer_fini(&why);
}

static void place_close(struct place *place)
{
    space_walker_free(place->walker);
    space_free(place->space);
}

/* --- by brute force ------------------------------------------------------- */

struct op
{
    uint32_t op;
    int64_t argument;
    int64_t result;
    uint32_t begin;
    uint32_t end; /* UINT32_MAX: it is open */
    uint8_t client;
};

/* Whether the operations that are not done can follow, in an order that keeps
 * to time; open ones may be left out. */
static bool orderable(const struct op *ops, uint32_t count, uint32_t done,
                      int64_t value)
{
    uint32_t first_end = UINT32_MAX;
    bool all = true;

    for (uint32_t i = 0; i < count; i++) {
        if (done >> i & 1)
            continue;
        all &= ops[i].end == UINT32_MAX;
        if (ops[i].end < first_end)
            first_end = ops[i].end;
    }
    if (all)
        return true;
    for (uint32_t i = 0; i < count; i++) {
        struct kan_register reg = {value};
        if ((done >> i & 1) || ops[i].begin > first_end)
            continue;
        if (kan_register_step(&reg, ops[i].op, ops[i].argument,
                              ops[i].end != UINT32_MAX, ops[i].result) &&
            orderable(ops, count, done | 1u << i, reg.value))
            return true;
    }
    return false;
}

/* --- histories by chance -------------------------------------------------- */

struct history
{
    struct op ops[OPS_MAX];
    uint32_t count;
    uint32_t open[CLIENTS]; /* operation + 1, or 0 */
    uint32_t now;
    uint64_t chance;
};

static uint32_t draw(struct history *history, uint32_t n)
{
    history->chance = history->chance * 6364136223846793005u + 1;
    return (uint32_t)(history->chance >> 40) % n;
}

/* One more event; false when there is none. */
static bool history_add(struct history *history, struct frontier_event *event)
{
    uint8_t client = (uint8_t)draw(history, CLIENTS);
    struct op *op;

    memset(event, 0, sizeof(*event));
    event->actor = client;
    history->now++;
    if (history->open[client] > 0) {
        op = &history->ops[history->open[client] - 1];
        op->end = history->now;
        op->result =
            op->op == KAN_REGISTER_READ ? (int64_t)draw(history, VALUES) : 0;
        event->complete = 1;
        event->value = op->result;
        history->open[client] = 0;
        return true;
    }
    if (history->count == OPS_MAX)
        return false;
    op = &history->ops[history->count++];
    op->client = client;
    op->op = draw(history, 2);
    op->argument =
        op->op == KAN_REGISTER_WRITE ? (int64_t)draw(history, VALUES) : 0;
    op->begin = history->now;
    op->end = UINT32_MAX;
    event->op = op->op;
    event->value = op->argument;
    history->open[client] = history->count;
    return true;
}

static void frontiers_agree_with_brute_force(void **context)
{
    struct place place;
    uint32_t orderables = 0;
    uint32_t others = 0;

    (void)context;
    place_open(&place);
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        struct history history = {.chance = seed * 0x9e3779b97f4a7c15};
        struct frontier_event event;
        uint32_t frontier = FRONTIER_FIRST;
        while (frontier != FRONTIER_EMPTY && history_add(&history, &event)) {
            bool expected;
            assert_int_equal(frontier_open(place.space, frontier, event.actor),
                             event.complete);
            assert_int_equal(
                frontier_next(place.walker, frontier, &event, &frontier),
                KAN_OK);
            expected = orderable(history.ops, history.count, 0, 0);
            assert_int_equal(frontier != FRONTIER_EMPTY, expected);
            orderables += expected;
            others += !expected;
        }
    }
    assert_true(orderables > 1000 && others > 1000);
    place_close(&place);
}

static uint32_t frontier_of(struct place *place,
                            const struct frontier_event *events, uint32_t count)
{
    uint32_t frontier = FRONTIER_FIRST;

    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(
            frontier_next(place->walker, frontier, &events[i], &frontier),
            KAN_OK);
    return frontier;
}

/* Histories whose operations are ordered alike are one. */
static void frontiers_are_canonical(void **context)
{
    const struct frontier_event write_a = {
        .actor = 0, .op = KAN_REGISTER_WRITE, .value = 1};
    const struct frontier_event write_b = {
        .actor = 1, .op = KAN_REGISTER_WRITE, .value = 2};
    const struct frontier_event a_ends = {.actor = 0, .complete = 1};
    const struct frontier_event b_ends = {.actor = 1, .complete = 1};
    const struct frontier_event one[] = {write_a, write_b, a_ends, b_ends};
    const struct frontier_event two[] = {write_b, write_a, b_ends, a_ends};
    const struct frontier_event apart[] = {write_a, a_ends, write_b, b_ends};
    const struct frontier_event write_same = {
        .actor = 1, .op = KAN_REGISTER_WRITE, .value = 1};
    const struct frontier_event same[] = {write_a, write_same, a_ends, b_ends};
    const struct frontier_event once[] = {write_a, a_ends};
    struct place place;

    (void)context;
    place_open(&place);
    assert_int_equal(frontier_of(&place, one, 4), frontier_of(&place, two, 4));
    assert_int_not_equal(frontier_of(&place, one, 4),
                         frontier_of(&place, apart, 4));
    /* Both orders end alike. */
    assert_int_equal(frontier_of(&place, same, 4),
                     frontier_of(&place, once, 2));
    place_close(&place);
}

/* --- models --------------------------------------------------------------- */

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

/* The presets, but for the number of servers. */
static void presets(const struct kan_model *model, int64_t servers,
                    int64_t parameters[KAN_PARAMETERS_MAX])
{
    for (uint32_t i = 0; i < model->parameter_count; i++)
        parameters[i] = model->parameters[i].preset;
    parameters[0] = servers;
}

/* Every state, hash and pair of independent steps, both ways of keeping what
 * clients saw. */
static void both_ways(const char *name, int64_t servers, bool right)
{
    const struct kan_module *module = module_named(name);
    int64_t parameters[KAN_PARAMETERS_MAX];
    struct space_case seen = {.model = *module->model,
                              .options = {.parameters = parameters}};
    struct space_case frontier = seen;

    presets(module->model, servers, parameters);
    frontier.model.compat = KAN_COMPAT_NONE;
    space_case_walk(&seen);
    space_case_walk(&frontier);
    assert_int_equal(seen.walk.err, KAN_OK);
    assert_int_equal(frontier.walk.err, KAN_OK);
    assert_int_equal(seen.walk.unorderable == 0, right);
    assert_int_equal(frontier.walk.unorderable == 0, right);
    assert_true(seen.pairs > 0 && frontier.pairs > 0);
}

static void models_are_judged_alike(void **context)
{
    (void)context;
    both_ways("single-copy", 1, true);
    both_ways("single-copy", 2, false);
    both_ways("abd", 2, true);
}

static void every_allocation_may_fail(void **context)
{
    int64_t parameters[KAN_PARAMETERS_MAX];
    struct kan_model frontier = *module_named("single-copy")->model;
    struct space_options options = {.module = module_named("single-copy"),
                                    .parameters = parameters};

    (void)context;
    presets(&frontier, 1, parameters);
    space_case_faults(&options);
    frontier.compat = KAN_COMPAT_NONE;
    options.model = &frontier;
    space_case_faults(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frontiers_agree_with_brute_force),
        cmocka_unit_test(frontiers_are_canonical),
        cmocka_unit_test(models_are_judged_alike),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
