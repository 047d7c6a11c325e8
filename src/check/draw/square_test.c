/* Progress squares whose numbers are known by formula or by hand, and those of
 * the models that ship, held against brute force. */

#include "check/draw/square.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "check/draw/picture.h"
#include "models/models.h"

/* --- models of the test --------------------------------------------------- */

/* Actors that count by themselves. */
enum
{
    MOVES_MAX = 300
};

struct mover
{
    uint16_t moves;
};
KAN_RECORD(mover, 1, KAN_INT(mover, moves, 0, MOVES_MAX));

static void mover_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_set(turn, 0, 1);
}

static void mover_move(kan_turn *turn, void *state, const void *message)
{
    struct mover *mover = state;

    (void)message;
    if (++mover->moves < kan_parameter(turn, 0))
        kan_timer_set(turn, 0, 1);
    kan_claim(turn, mover->moves != kan_parameter(turn, 1), "one too far");
}

static const struct kan_timer_type mover_timers[] = {{"move", mover_move}};
static const struct kan_actor_type mover_type = {
    .name = "mover",
    .state = &mover_record,
    .start = mover_start,
    KAN_TIMERS(mover_timers),
};

static void movers_setup(kan_setup *setup)
{
    for (uint32_t i = 0; i < (uint32_t)kan_setup_parameter(setup, 2); i++)
        kan_setup_actor(setup, &mover_type, i);
}

static const struct kan_model_parameter movers_parameters[] = {
    {"moves", 3, 1, MOVES_MAX, "of each"},
    {"broken", 0, 0, MOVES_MAX, "the move that breaks"},
    {"movers", 2, 1, 8, "how many"},
};

static const struct kan_model movers = {
    .name = "movers",
    .summary = "actors that have nothing to do with each other",
    KAN_PARAMETERS(movers_parameters),
    .setup = movers_setup,
};
static const struct kan_actor_type *const movers_types[] = {&mover_type};
static const struct kan_module movers_module = {
    .abi = KAN_MODULE_ABI,
    .model = &movers,
    .actors = movers_types,
    .actor_count = 1,
};

/* Two that each write to one cell: adding does not care about order, setting
 * does. */
struct cell
{
    uint8_t value;
};
KAN_RECORD(cell, 1, KAN_INT(cell, value, 0, 200));

struct put
{
    uint8_t value;
    bool add;
};
KAN_RECORD(put, 1, KAN_INT(put, value, 0, 20), KAN_BOOL(put, add));

struct writer
{
    bool done;
};
KAN_RECORD(writer, 1, KAN_BOOL(writer, done));

static void writer_start(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref cell = kan_ref_number("cell", 0);
    uint32_t number = kan_ref_to_number(turn->self);

    (void)state;
    (void)message;
    for (uint32_t i = 0; i < 3; i++)
        KAN_SEND(turn, &cell, put, .value = (uint8_t)(1 + number * 3 + i),
                 .add = kan_parameter(turn, 0) == 1);
}

static void cell_put(kan_turn *turn, void *state, const void *message)
{
    struct cell *cell = state;
    const struct put *put = message;

    (void)turn;
    cell->value = (uint8_t)(put->add ? cell->value + put->value : put->value);
}

static const struct kan_handler cell_handlers[] = {{&put_record, cell_put}};
static const struct kan_actor_type writer_type = {
    .name = "writer", .state = &writer_record, .start = writer_start};
static const struct kan_actor_type cell_type = {
    .name = "cell", .state = &cell_record, KAN_HANDLERS(cell_handlers)};

static void cell_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &writer_type, 0);
    kan_setup_actor(setup, &writer_type, 1);
    kan_setup_actor(setup, &cell_type, 0);
}

static bool cell_small(const kan_view *view)
{
    return ((const struct cell *)view->states[2])->value != 3;
}

static const struct kan_model_property cell_properties[] = {
    {.name = "never-three", .kind = KAN_INVARIANT, .holds = cell_small},
};
static const struct kan_model_parameter cell_parameters[] = {
    {"add", 0, 0, 1, "1: adding"},
};
static const struct kan_model cells = {
    .name = "cells",
    .summary = "two writers and a cell",
    KAN_PARAMETERS(cell_parameters),
    KAN_PROPERTIES(cell_properties),
    .setup = cell_setup,
};
static const struct kan_actor_type *const cell_types[] = {&writer_type,
                                                          &cell_type};
static const struct kan_module cells_module = {
    .abi = KAN_MODULE_ABI,
    .model = &cells,
    .actors = cell_types,
    .actor_count = 2,
};

/* test/picture/cross.c: two that take two locks in opposite order, and a run
 * in which the one goes through, then the other. */
extern const struct kan_module cross_module;

static const char cross_run[] =
    "kan path 1\nmodel cross\n"
    "deliver person/0 -> lock/0 take\n"
    "deliver lock/0 -> person/0 granted\n"
    "deliver person/0 -> lock/1 take\n"
    "deliver lock/1 -> person/0 granted\n"
    "deliver person/0 -> lock/0 give\n"
    "deliver person/0 -> lock/1 give\n"
    "deliver person/1 -> lock/1 take\n"
    "deliver lock/1 -> person/1 granted\n"
    "deliver person/1 -> lock/0 take\n"
    "deliver lock/0 -> person/1 granted\n"
    "deliver person/1 -> lock/1 give\n"
    "deliver person/1 -> lock/0 give\n";

/* --- one square ----------------------------------------------------------- */

/* A space, a run in it, and the square of two actors. */
struct fixture
{
    struct space *space;
    struct walk_run steps;
    struct run *run;
    struct square *square;
    struct buffer why;
};

static void fixture_fini(struct fixture *fixture)
{
    square_free(fixture->square);
    run_free(fixture->run);
    mem_free(fixture->steps.steps);
    space_free(fixture->space);
    buffer_fini(&fixture->why);
}

static enum kan_err find_steps(struct fixture *fixture, const char *text)
{
    struct scenario scenario;
    enum kan_err err;

    if (!text)
        return square_choose_run(fixture->space, &fixture->steps);
    err = scenario_read(kan_text(text), "test", &scenario, &fixture->why);
    if (err)
        return err;
    err = run_find(fixture->space, &scenario, "test", &fixture->steps,
                   &fixture->why);
    scenario_fini(&scenario);
    return err;
}

/* text NULL: a run that is chosen; p and q NULL: actors that are chosen. */
static enum kan_err fixture_init(struct fixture *fixture,
                                 const struct kan_module *module,
                                 const int64_t *parameters, const char *text,
                                 const char *p, const char *q)
{
    const struct space_options options = {
        .module = module, .model = module->model, .parameters = parameters};
    uint32_t lane_p = 0;
    uint32_t lane_q = 0;
    enum kan_err err;

    *fixture = (struct fixture){0};
    err = space_new(&options, &fixture->space, &fixture->why);
    if (err == KAN_OK)
        err = find_steps(fixture, text);
    if (err == KAN_OK)
        err = run_new(fixture->space, &fixture->steps, "a </script> title",
                      "verdict", &fixture->run);
    if (err == KAN_OK && !p)
        err = square_choose_actors(fixture->run, &lane_p, &lane_q);
    if (err == KAN_OK && p)
        err = picture_lane(fixture->run, kan_text(p), &lane_p);
    if (err == KAN_OK && p)
        err = picture_lane(fixture->run, kan_text(q), &lane_q);
    if (err == KAN_OK)
        err = square_new(fixture->space, &fixture->steps, fixture->run, lane_p,
                         lane_q, &fixture->square, &fixture->why);
    return err;
}

static void expect_counts(struct square *square, const char *interleavings,
                          const char *paths)
{
    assert_string_equal(buffer_text(&square->interleavings), interleavings);
    assert_string_equal(buffer_text(&square->paths), paths);
}

static uint32_t count_nodes(const struct square *square, uint32_t flags)
{
    uint32_t count = 0;

    for (uint32_t k = 0; k < square->node_count; k++)
        count += (square->nodes[k].flags & flags) == flags;
    return count;
}

/* --- brute force ---------------------------------------------------------- */

enum
{
    WAYS_MAX = 6000,
    WAY_STEPS_MAX = 24
};

struct brute
{
    const struct square *square;
    uint32_t length;
    uint32_t count;
    uint32_t ways[WAYS_MAX]; /* a bit for each step: it is of Q; sorted */
    uint32_t class[WAYS_MAX];
};

static bool find_ways(struct brute *brute, uint32_t node, uint32_t way,
                      uint32_t step)
{
    const struct square_node *here;

    if (node == SQUARE_NONE)
        return true;
    if (step == brute->length) {
        if (brute->count == WAYS_MAX)
            return false;
        brute->class[brute->count] = brute->count;
        brute->ways[brute->count++] = way;
        return true;
    }
    here = &brute->square->nodes[node];
    return find_ways(brute, here->p.to, way << 1, step + 1) &&
           find_ways(brute, here->q.to, way << 1 | 1, step + 1);
}

static uint32_t way_number(const struct brute *brute, uint32_t way)
{
    uint32_t low = 0;

    for (uint32_t high = brute->count; low < high;) {
        uint32_t middle = (low + high) / 2;
        if (brute->ways[middle] < way)
            low = middle + 1;
        else
            high = middle;
    }
    assert_true(low < brute->count && brute->ways[low] == way);
    return low;
}

static uint32_t class_of(struct brute *brute, uint32_t number)
{
    while (brute->class[number] != number)
        number = brute->class[number];
    return number;
}

/* Join a way to those that differ across one filled square. */
static void join(struct brute *brute, uint32_t number)
{
    uint32_t way = brute->ways[number];
    uint32_t node = 0;

    for (uint32_t step = 0; step + 1 < brute->length; step++) {
        uint32_t place = brute->length - 1 - step;
        const struct square_node *here = &brute->square->nodes[node];
        if ((way >> place & 1) == 1 && (way >> (place - 1) & 1) == 0 &&
            here->flags & SQUARE_FILLED) {
            uint32_t other =
                way_number(brute, way ^ (UINT32_C(3) << (place - 1)));
            brute->class[class_of(brute, other)] = class_of(brute, number);
        }
        node = way >> place & 1 ? here->q.to : here->p.to;
    }
}

/* Whether there are few enough ways; then the counts are held against them. */
static bool counts_are_right(struct square *square)
{
    struct brute *brute = mem_zalloc(sizeof *brute);
    struct buffer text = BUFFER_INIT;
    uint32_t classes = 0;
    bool few;

    assert_non_null(brute);
    brute->square = square;
    brute->length = square->p.count + square->q.count;
    few = brute->length <= WAY_STEPS_MAX && find_ways(brute, 0, 0, 0);
    for (uint32_t k = 0; few && k < brute->count; k++)
        join(brute, k);
    for (uint32_t k = 0; k < brute->count; k++)
        classes += brute->class[k] == k;
    if (few) {
        buffer_print(&text, "%u=%u", brute->count, classes);
        buffer_print(&square->interleavings, "=%s",
                     buffer_text(&square->paths));
        assert_string_equal(buffer_text(&square->interleavings),
                            buffer_text(&text));
    }
    buffer_fini(&text);
    mem_free(brute);
    return few;
}

/* --- tests ---------------------------------------------------------------- */

static void nothing_in_common(void **context)
{
    const int64_t few[] = {3, 0, 2};
    const int64_t many[] = {20, 0, 2};
    struct fixture fixture;
    int64_t live = mem_live();

    (void)context;
    assert_int_equal(
        fixture_init(&fixture, &movers_module, few, NULL, NULL, NULL), KAN_OK);
    expect_counts(fixture.square, "20", "1");
    assert_int_equal(fixture.square->node_count, 16);
    assert_int_equal(count_nodes(fixture.square, SQUARE_FILLED), 9);
    assert_int_equal(count_nodes(fixture.square, SQUARE_REACHES), 16);
    assert_int_equal(count_nodes(fixture.square, SQUARE_STUCK), 1);
    assert_true(counts_are_right(fixture.square));
    fixture_fini(&fixture);

    assert_int_equal(
        fixture_init(&fixture, &movers_module, many, NULL, NULL, NULL), KAN_OK);
    expect_counts(fixture.square, "137846528820", "1");
    assert_int_equal(fixture.square->node_count, 441);
    fixture_fini(&fixture);
    assert_int_equal(mem_live(), live);
}

static void a_cell_between(void **context)
{
    const int64_t adds[] = {1};
    const int64_t sets[] = {0};
    struct fixture fixture;
    uint32_t fails = 0;

    (void)context;
    assert_int_equal(
        fixture_init(&fixture, &cells_module, adds, NULL, NULL, NULL), KAN_OK);
    expect_counts(fixture.square, "20", "1");
    assert_int_equal(count_nodes(fixture.square, SQUARE_FILLED), 9);
    fixture_fini(&fixture);

    assert_int_equal(
        fixture_init(&fixture, &cells_module, sets, NULL, NULL, NULL), KAN_OK);
    /* The last to set wins, so a place inside has two nodes, and no square is
     * filled: each way is a path of its own. */
    expect_counts(fixture.square, "20", "20");
    assert_int_equal(count_nodes(fixture.square, SQUARE_FILLED), 0);
    assert_int_equal(count_nodes(fixture.square, SQUARE_EMPTY), 13);
    assert_int_equal(fixture.square->node_count, 7 + 9 * 2);
    /* The property fails where the first writer's last step was the last. */
    for (uint32_t k = 0; k < fixture.square->node_count; k++) {
        const struct square_node *node = &fixture.square->nodes[k];
        assert_true(node->fails == 0 || (node->fails == 1 && node->i == 3));
        fails += node->fails;
    }
    assert_int_equal(fails, 4);
    assert_true(counts_are_right(fixture.square));
    fixture_fini(&fixture);
}

static bool place_in(const char *places, uint32_t i, uint32_t j)
{
    char name[3] = {(char)('0' + i), (char)('0' + j), '\0'};

    return strstr(places, name) != NULL;
}

static void swiss_cross(void **context)
{
    struct fixture fixture;
    const struct square *square;
    uint32_t deadlocks = 0;

    (void)context;
    assert_int_equal(fixture_init(&fixture, &cross_module, NULL, cross_run,
                                  "person/0", "person/1"),
                     KAN_OK);
    square = fixture.square;
    assert_int_equal(square->p.count, 6);
    assert_int_equal(square->q.count, 6);
    expect_counts(fixture.square, "8", "2");
    for (uint32_t i = 0; i <= 6; i++) {
        for (uint32_t j = 0; j <= 6; j++) {
            enum square_place place =
                place_in("11 12 21 22 23 32 33", i, j) ? SQUARE_UNSAFE
                : place_in("24 25 34 35 42 43 44 45 52 53 54 55", i, j)
                    ? SQUARE_FORBIDDEN
                    : SQUARE_SAFE;
            if (square_place(square, i, j) != place)
                fail_msg("%u, %u", i, j);
        }
    }
    for (uint32_t k = 0; k < square->node_count; k++) {
        const struct square_node *node = &square->nodes[k];
        bool end = node->i == 6 && node->j == 6;
        if (!(node->flags & SQUARE_STUCK) || end)
            continue;
        deadlocks++;
        assert_int_equal(node->i, 3);
        assert_int_equal(node->j, 3);
    }
    assert_int_equal(deadlocks, 1);
    assert_true(counts_are_right(fixture.square));
    fixture_fini(&fixture);
}

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

/* Two clients that ask one store: who is first matters, and between the grant
 * and the release the other cannot be granted. */
static void a_lock_between(void **context)
{
    static const char text[] =
        "kan path 1\nmodel lock-delete\n"
        "deliver client/0 -> store/0 acquire {\"lease\":true}\n"
        "deliver store/0 -> client/0 answer {\"granted\":true,\"token\":1}\n"
        "timer client/0 worked\n"
        "deliver client/0 -> store/0 release {\"owned\":false}\n"
        "deliver client/1 -> store/0 acquire {\"lease\":true}\n"
        "deliver store/0 -> client/1 answer {\"granted\":true,\"token\":2}\n";
    struct fixture fixture;
    const struct square *square;
    struct kan_slice apart;
    uint32_t cursor = 0;

    (void)context;
    assert_int_equal(fixture_init(&fixture, module_named("lock-delete"), NULL,
                                  text, NULL, NULL),
                     KAN_OK);
    square = fixture.square;
    assert_string_equal(fixture.run->lanes[square->p.lane], "client/0");
    assert_string_equal(fixture.run->lanes[square->q.lane], "client/1");
    assert_int_equal(square->p.count, 4);
    assert_int_equal(square->q.count, 2);
    expect_counts(fixture.square, "1", "1");
    assert_int_equal(square->nodes[0].flags & (SQUARE_FILLED | SQUARE_EMPTY),
                     SQUARE_EMPTY);
    for (uint32_t k = 0; k <= square->nodes[0].apart; k++)
        assert_true(map_next(&square->texts, &cursor, &apart, NULL));
    assert_int_equal(slice_find(apart, SLICE("store/0 holder: 1 -> 2")), 0);
    for (uint32_t i = 0; i <= 4; i++) {
        assert_int_equal(square_place(square, i, 0), SQUARE_SAFE);
        assert_int_equal(square_place(square, i, 1),
                         i < 4 ? SQUARE_UNSAFE : SQUARE_SAFE);
        assert_int_equal(square_place(square, i, 2),
                         i < 4 ? SQUARE_FORBIDDEN : SQUARE_SAFE);
    }
    fixture_fini(&fixture);
}

static void a_broken_end(void **context)
{
    const int64_t parameters[] = {3, 2, 2};
    struct fixture fixture;
    const struct square *square;

    (void)context;
    assert_int_equal(fixture_init(&fixture, &movers_module, parameters,
                                  "kan path 1\nmodel movers\n"
                                  "timer mover/0 move\n"
                                  "timer mover/1 move\n"
                                  "timer mover/1 move\n",
                                  "mover/0", "mover/1"),
                     KAN_OK);
    square = fixture.square;
    /* Nothing follows the broken step, so it is the last. */
    expect_counts(fixture.square, "2", "1");
    assert_int_equal(count_nodes(square, SQUARE_BROKEN), 2);
    assert_true(counts_are_right(fixture.square));
    fixture_fini(&fixture);
}

static void every_model(void **context)
{
    const struct kan_module *module;
    uint32_t checked = 0;

    (void)context;
    for (uint32_t i = 0; (module = models_at(i)) != NULL; i++) {
        struct fixture fixture;
        enum kan_err err =
            fixture_init(&fixture, module, NULL, NULL, NULL, NULL);
        /* A model of one actor has no square. */
        if (err == KAN_NOTFOUND && fixture.run->lane_count == 1) {
            fixture_fini(&fixture);
            continue;
        }
        if (err)
            fail_msg("%s: %s", module->model->name, buffer_text(&fixture.why));
        checked += counts_are_right(fixture.square);
        fixture_fini(&fixture);
    }
    assert_true(checked > 5);
}

static void refusals(void **context)
{
    const int64_t one[] = {3, 0, 1};
    const int64_t many[] = {MOVES_MAX, 0, 2};
    struct buffer text = BUFFER_INIT;
    struct fixture fixture;

    (void)context;
    assert_int_equal(
        fixture_init(&fixture, &movers_module, one, NULL, NULL, NULL),
        KAN_NOTFOUND);
    fixture_fini(&fixture);

    buffer_append_text(&text, "kan path 1\nmodel movers\n");
    for (uint32_t i = 0; i <= SQUARE_STEPS_MAX; i++)
        buffer_append_text(&text, "timer mover/1 move\n");
    assert_int_equal(fixture_init(&fixture, &movers_module, many,
                                  buffer_text(&text), "mover/0", "mover/1"),
                     KAN_BUSY);
    assert_non_null(strstr(buffer_text(&fixture.why), "shorter run"));
    fixture_fini(&fixture);
    buffer_fini(&text);

    assert_int_equal(fixture_init(&fixture, &movers_module, NULL, NULL,
                                  "mover/0", "mover/1"),
                     KAN_OK);
    square_free(fixture.square);
    fixture.steps.steps[0] = UINT64_MAX;
    fixture.square = NULL;
    assert_int_equal(square_new(fixture.space, &fixture.steps, fixture.run, 0,
                                1, &fixture.square, &fixture.why),
                     KAN_NOTFOUND);
    fixture_fini(&fixture);
}

/* --- the page ------------------------------------------------------------- */

static void the_page(void **context)
{
    struct fixture fixture;
    struct buffer page = BUFFER_INIT;
    struct json_tree tree = {0};
    struct kan_slice data;

    (void)context;
    assert_int_equal(fixture_init(&fixture, &cross_module, NULL, cross_run,
                                  "person/0", "person/1"),
                     KAN_OK);
    assert_int_equal(picture_draw(fixture.space, fixture.square, &page),
                     KAN_OK);
    data = buffer_slice(&page);
    data = slice_skip(data, slice_find(data, SLICE("id=\"data\">")) + 10);
    data = slice_head(data, slice_find(data, SLICE("</script>")));
    assert_int_equal(json_parse(data, NULL, &tree), KAN_OK);
    const struct json_node *run = json_member(&tree, tree.nodes, "run");
    assert_true(slice_equal(run->text, SLICE("PPPPPPQQQQQQ")));
    const struct json_node *title = json_member(&tree, tree.nodes, "title");
    assert_true(slice_equal(title->text, SLICE("a </script> title")));
    const struct json_node *nodes = json_member(&tree, tree.nodes, "nodes");
    uint32_t count = 0;
    for (const struct json_node *node = json_first(&tree, nodes); node;
         node = json_next(&tree, nodes, node))
        count++;
    assert_int_equal(count, fixture.square->node_count);
    assert_true(slice_find(buffer_slice(&page), SLICE("@DATA@")) == SIZE_MAX);
    json_fini(&tree);
    buffer_fini(&page);
    fixture_fini(&fixture);
}

/* Every allocation fails once. */
static void out_of_memory(void **context)
{
    int64_t live = mem_live();
    enum kan_err err = KAN_NOMEM;

    (void)context;
    for (uint64_t nth = 1; err; nth++) {
        struct fixture fixture;
        struct buffer page = BUFFER_INIT;
        mem_fault(nth, false);
        err = fixture_init(&fixture, &cells_module, NULL, NULL, NULL, NULL);
        if (err == KAN_OK)
            err = picture_draw(fixture.space, fixture.square, &page);
        if (!mem_fault_struck())
            assert_int_equal(err, KAN_OK);
        mem_fault(0, false);
        assert_true(err == KAN_OK || err == KAN_NOMEM);
        buffer_fini(&page);
        fixture_fini(&fixture);
        assert_int_equal(mem_live(), live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_in_common), cmocka_unit_test(a_cell_between),
        cmocka_unit_test(swiss_cross),       cmocka_unit_test(a_lock_between),
        cmocka_unit_test(a_broken_end),      cmocka_unit_test(every_model),
        cmocka_unit_test(refusals),          cmocka_unit_test(the_page),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
