/* A recording of actors that draw numbers: what `kan run --record` wrote is the
 * same path, and ends in the same states, in the simulated world, along the
 * walk of the simulator, and in the checker. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/alloc.h"
#include "base/record.h"
#include "check/draw/run.h"
#include "check/sim/simulate.h"
#include "engine/memory/memory.h"
#include "node/recording.h"

#define assert_ok(call) assert_int_equal((call), KAN_OK)

/* --- dice ----------------------------------------------------------------- */

enum
{
    DICE = 2,
    ROLLS = 4 /* of each */
};

struct dice
{
    int64_t luck;  /* drawn as it starts */
    int64_t shown; /* the last roll, and what was drawn as it settled */
    int64_t rolls;
};
KAN_RECORD(dice, 1, KAN_INT(dice, luck, 0, 9), KAN_INT(dice, shown, 0, 99999),
           KAN_INT(dice, rolls, 0, ROLLS));
KAN_RECORD_EMPTY(roll);

static void on_start(kan_turn *turn, void *state, const void *message)
{
    struct dice *dice = state;

    (void)message;
    dice->luck = (int64_t)kan_choose(turn, 10);
}

/* How many numbers there are for the second draw, the first one says: outcomes
 * are not a product of bounds. */
static void on_roll(kan_turn *turn, void *state, const void *message)
{
    struct dice *dice = state;
    uint64_t sides = 2 + kan_choose(turn, 5);

    (void)message;
    dice->shown = (int64_t)(10 * sides + kan_choose(turn, sides));
    dice->rolls++;
    kan_timer_set(turn, 0, 20);
}

static void on_settle(kan_turn *turn, void *state, const void *message)
{
    struct dice *dice = state;

    (void)message;
    dice->shown = (dice->shown * 100 + (int64_t)kan_choose(turn, 100)) % 100000;
}

static const struct kan_handler handlers[] = {{&roll_record, on_roll}};
static const struct kan_timer_type timers[] = {{"settle", on_settle}};
static const struct kan_actor_type dice_type = {.name = "dice",
                                                .state = &dice_record,
                                                .start = on_start,
                                                KAN_HANDLERS(handlers),
                                                KAN_TIMERS(timers)};

static void setup(kan_setup *setup_of)
{
    for (uint32_t i = 0; i < DICE; i++)
        kan_setup_actor(setup_of, &dice_type, i);
    for (uint32_t i = 0; i < DICE; i++)
        kan_setup_request(setup_of, kan_ref_number("dice", i), &roll_record,
                          NULL, ROLLS);
}

/* The states that a property saw last. */
static struct dice seen[DICE];

static bool see(const kan_view *view)
{
    for (uint32_t i = 0; i < DICE; i++)
        seen[i] = *(const struct dice *)view->states[i];
    return true;
}

static const struct kan_model_property properties[] = {
    {.name = "seen", .kind = KAN_INVARIANT, .holds = see}};
static const struct kan_model model = {.name = "dice",
                                       .summary = "dice are rolled",
                                       .setup = setup,
                                       KAN_PROPERTIES(properties),
                                       .network = KAN_NETWORK_DURABLE};
static const struct kan_actor_type *const types[] = {&dice_type};
static const struct kan_module module = {KAN_MODULE_ABI, types, 1, &model};

/* --- live ----------------------------------------------------------------- */

struct live
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine;
    struct actor_host *host;
    struct recording *recording;
    bool done;
};

static void on_event(void *data, const struct actor_event *event)
{
    recording_event(((struct live *)data)->recording, event);
}

static void on_answer(struct actor_call *call)
{
    assert_int_equal(call->outcome, ACTOR_ANSWERED);
    ((struct live *)call->data)->done = true;
}

static void on_closed(void *data)
{
    ((struct live *)data)->done = true;
}

static void live_wait(struct live *live)
{
    while (!live->done)
        assert_true(sim_step(live->world));
    live->done = false;
}

static void live_open(struct live *live, uint64_t seed)
{
    static const struct kan_module *const modules[] = {&module};
    struct buffer why = BUFFER_INIT;

    memset(live, 0, sizeof *live);
    tape_init_seed(&live->tape, seed);
    assert_ok(sim_world_new(&live->tape, NULL, &live->world));
    assert_ok(sim_node_new(live->world, "live", &live->env));
    assert_ok(engine_memory_open(live->env, NULL, &live->engine));
    assert_ok(recording_open(live->env, NULL, "run.path", "./dice.so",
                             &live->recording, &why));
    const struct actor_options options = {.env = live->env,
                                          .engine = live->engine,
                                          .prefix = SLICE("live||"),
                                          .modules = modules,
                                          .module_count = 1,
                                          .data = live,
                                          .event = on_event};
    assert_ok(actor_host_new(&options, &live->host, &why));
    buffer_fini(&why);
}

static void live_roll(struct live *live, uint32_t number)
{
    char id[12];
    struct actor_call call = {
        .data = live, .type = SLICE("dice"), .method = SLICE("roll")};

    (void)snprintf(id, sizeof id, "%u", number);
    call.id = kan_text(id);
    assert_ok(actor_call(live->host, &call, on_answer));
    live_wait(live);
}

static void on_look(struct actor_look *look)
{
    struct live *live = look->data;
    uint32_t number = look->id.size == 1 ? slice_at(look->id, 0) - '0' : DICE;

    assert_ok(look->err);
    assert_true(number < DICE);
    assert_ok(record_from_json(&dice_record, look->json, &seen[number], NULL));
    live->done = true;
}

static void live_look(struct live *live, const char *id)
{
    struct actor_look look = {
        .data = live, .type = SLICE("dice"), .id = kan_text(id)};

    assert_ok(actor_look(live->host, &look, on_look));
    live_wait(live);
}

static void live_close(struct live *live, struct buffer *text)
{
    struct path_id path = actor_host_stats(live->host).path;
    struct env_file *file;
    uint64_t size = 0;

    actor_host_close(live->host, live, on_closed);
    live_wait(live);
    recording_close(live->recording, &path);
    assert_ok(env_file_open(live->env, "run.path", ENV_OPEN_READ, &file));
    assert_ok(env_file_size(file, &size));
    assert_ok(buffer_reserve(text, size));
    assert_ok(env_file_read(file, 0, text->bytes, size, &text->size));
    env_file_close(file);
    engine_close(live->engine, live, on_closed);
    live_wait(live);
    env_free(live->env);
    sim_world_free(live->world);
    tape_fini(&live->tape);
}

/* Some rolls wait until the one before has settled, others do not. */
static void record_run(uint64_t seed, struct buffer *text)
{
    struct live live;

    live_open(&live, seed);
    for (uint32_t i = 0; i < DICE * ROLLS; i++) {
        live_roll(&live, i % DICE);
        if ((seed >> i & 1) != 0)
            sim_run(live.world, sim_now(live.world) + 100 * ENV_MS);
    }
    sim_run(live.world, sim_now(live.world) + 100 * ENV_MS);
    live_look(&live, "0");
    live_look(&live, "1");
    live_close(&live, text);
}

/* --- again ---------------------------------------------------------------- */

static struct simulator *simulator_of(enum simulate_driver driver)
{
    const struct simulate_options options = {.module = &module,
                                             .driver = driver};
    struct simulator *simulator;
    struct buffer why = BUFFER_INIT;

    if (simulator_new(&options, &simulator, &why))
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
    return simulator;
}

static void find_run(struct space *space, const struct scenario *scenario,
                     struct walk_run *run)
{
    struct buffer why = BUFFER_INIT;

    if (run_find(space, scenario, "run.path", run, &why))
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
}

static void run_real(const struct scenario *scenario, struct simulate_run *run)
{
    struct simulator *simulator = simulator_of(SIMULATE_REAL);

    assert_ok(simulator_replay(simulator, scenario, NULL, run));
    simulator_free(simulator);
}

static void run_walk(const struct scenario *scenario, struct simulate_run *run)
{
    struct simulator *simulator = simulator_of(SIMULATE_WALK);
    struct walk_run steps;

    find_run(simulator_space(simulator), scenario, &steps);
    assert_ok(simulator_follow(simulator, &steps, run));
    mem_free(steps.steps);
    simulator_free(simulator);
}

struct followed
{
    struct path_id path;
    struct path_id actors[DICE];
};

static bool on_follow(void *data, struct space_walker *walker,
                      const struct space_state *state,
                      const struct space_step *step)
{
    struct followed *followed = data;

    if (step)
        space_path_step(walker, step, followed->actors, &followed->path);
    for (uint32_t i = 0; i < DICE; i++)
        seen[i] = *(const struct dice *)space_actor_state(walker, state, i);
    return true;
}

static void run_checked(const struct scenario *scenario,
                        struct simulate_run *run)
{
    const struct space_options options = {.module = &module};
    struct followed followed = {.path = {0, 0}};
    struct buffer why = BUFFER_INIT;
    struct space *space;
    struct walk_run steps;

    assert_ok(space_new(&options, &space, &why));
    find_run(space, scenario, &steps);
    for (uint32_t i = 0; i < DICE; i++)
        followed.actors[i] = path_id_actor(space_actor_ref(space, i));
    assert_ok(walk_follow(space, &steps, on_follow, &followed));
    memset(run, 0, sizeof *run);
    run->path = followed.path;
    mem_free(steps.steps);
    space_free(space);
    buffer_fini(&why);
}

typedef void replay(const struct scenario *scenario, struct simulate_run *run);

static void is_the_same(replay *does, const struct scenario *scenario,
                        const struct dice *states)
{
    struct simulate_run run;

    memset(seen, 0, sizeof seen);
    does(scenario, &run);
    if (run.verdict != SIMULATE_HOLDS)
        fail_msg("%s: %s", run.property, run.why);
    assert_memory_equal(&run.path, &scenario->path, sizeof run.path);
    assert_memory_equal(seen, states, sizeof seen);
}

static void a_recording_is_one_run_everywhere(void **state)
{
    int64_t live = mem_live();

    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct buffer text = BUFFER_INIT;
        struct buffer why = BUFFER_INIT;
        struct scenario scenario;
        struct dice states[DICE];
        record_run(seed, &text);
        memcpy(states, seen, sizeof states);
        assert_int_equal(states[0].rolls + states[1].rolls, DICE * ROLLS);
        if (scenario_read(buffer_slice(&text), "run.path", &scenario, &why))
            fail_msg("%s", buffer_text(&why));
        assert_true(scenario.has_path);
        is_the_same(run_real, &scenario, states);
        is_the_same(run_walk, &scenario, states);
        is_the_same(run_checked, &scenario, states);
        scenario_fini(&scenario);
        buffer_fini(&text);
        buffer_fini(&why);
    }
    assert_int_equal(mem_live(), live);
}

/* What the simulator wrote of a run, the checker does again. */
static void a_log_of_the_simulator_is_found(void **state)
{
    struct simulator *simulator = simulator_of(SIMULATE_REAL);
    struct buffer text = BUFFER_INIT;
    struct buffer why = BUFFER_INIT;
    struct simulate_log log;
    struct simulate_run run;
    struct simulate_run again;
    struct scenario scenario;
    struct dice states[DICE];
    struct tape tape;

    (void)state;
    memset(&log, 0, sizeof log);
    tape_init_seed(&tape, 4);
    assert_ok(simulator_run(simulator, &tape, &log, &run));
    assert_int_equal(run.verdict, SIMULATE_HOLDS);
    memcpy(states, seen, sizeof states);
    buffer_append_text(&text, "kan path 1\n");
    buffer_append(&text, buffer_slice(&log.lines));
    assert_ok(scenario_read(buffer_slice(&text), "log", &scenario, &why));
    run_checked(&scenario, &again);
    assert_memory_equal(&again.path, &run.path, sizeof run.path);
    assert_memory_equal(seen, states, sizeof seen);
    scenario_fini(&scenario);
    simulate_log_fini(&log);
    tape_fini(&tape);
    simulator_free(simulator);
    buffer_fini(&text);
    buffer_fini(&why);
}

/* --- files that do not fit ------------------------------------------------ */

static const struct
{
    const char *line;
    const char *checked;
    const char *real;
} wrong[] = {
    {"deliver -> dice/0 roll #1/11,1/5,0/3",
     "f:2: the start of dice/0 draws other numbers than #1/11,1/5,0/3",
     "line 2: number 1 that dice/0 draws is of 10; the line has #1/11,1/5,0/3"},
    {"deliver -> dice/0 roll #1/10,1/5,0/4",
     "f:2: roll of dice/0 draws other numbers than #1/10,1/5,0/4",
     "line 2: number 3 that dice/0 draws is of 3; the line has #1/10,1/5,0/4"},
    {"deliver -> dice/0 roll #1/10,1/5",
     "f:2: roll of dice/0 draws other numbers than #1/10,1/5",
     "line 2: number 3 that dice/0 draws is of 3; the line has #1/10,1/5"},
    {"deliver -> dice/0 roll #1/10,1/5,0/3,1/2",
     "f:2: roll of dice/0 draws other numbers than #1/10,1/5,0/3,1/2",
     "line 2: dice/0 drew 3 numbers; the line has #1/10,1/5,0/3,1/2"},
};

static void numbers_that_do_not_fit_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct simulator *walk = simulator_of(SIMULATE_WALK);
        struct buffer text = BUFFER_INIT;
        struct buffer why = BUFFER_INIT;
        struct scenario scenario;
        struct simulate_run run;
        struct walk_run steps;
        buffer_print(&text, "kan path 1\n%s\n", wrong[i].line);
        assert_ok(scenario_read(buffer_slice(&text), "f", &scenario, &why));
        assert_int_equal(
            run_find(simulator_space(walk), &scenario, "f", &steps, &why),
            KAN_NOTFOUND);
        assert_string_equal(buffer_text(&why), wrong[i].checked);
        run_real(&scenario, &run);
        assert_int_equal(run.verdict, SIMULATE_FAILS);
        assert_string_equal(run.property, "replay");
        assert_string_equal(run.why, wrong[i].real);
        scenario_fini(&scenario);
        simulator_free(walk);
        buffer_fini(&text);
        buffer_fini(&why);
    }
}

/* Older files say nothing of numbers: then chance has them, which is 0. */
static void a_line_without_numbers_draws_them(void **state)
{
    struct buffer why = BUFFER_INIT;
    struct scenario scenario;
    struct simulate_run run;

    (void)state;
    assert_ok(scenario_read(SLICE("kan path 1\ndeliver -> dice/0 roll\n"
                                  "timer dice/0 settle #7/100\n"),
                            "f", &scenario, &why));
    run_real(&scenario, &run);
    assert_int_equal(run.verdict, SIMULATE_HOLDS);
    assert_int_equal(seen[0].shown % 100, 7);
    scenario_fini(&scenario);
    buffer_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recording_is_one_run_everywhere),
        cmocka_unit_test(a_log_of_the_simulator_is_found),
        cmocka_unit_test(numbers_that_do_not_fit_are_told),
        cmocka_unit_test(a_line_without_numbers_draws_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
