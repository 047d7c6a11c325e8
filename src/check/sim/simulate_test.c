/* Both drivers: planted bugs are found, shrunk and replayed, what is right
 * holds, equal tapes give equal runs, and one run has one path id everywhere.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/record.h"
#include "block/actor/actor.h"
#include "check/draw/run.h"
#include "check/sim/simulate_case.h"
#include "engine/memory/memory.h"
#include "env/uv/uv.h"
#include "models/models.h"

/* --- actors --------------------------------------------------------------- */

struct ledger
{
    int64_t total;
    int64_t shown; /* kept in memory only: the bug */
};
KAN_RECORD(ledger, 1, KAN_INT(ledger, total, 0, 1000),
           KAN_INT_VOLATILE(ledger, shown, 0, 1000));

struct durable
{
    int64_t total;
    int64_t shown;
};
KAN_RECORD(durable, 1, KAN_INT(durable, total, 0, 1000),
           KAN_INT(durable, shown, 0, 1000));

struct add
{
    int64_t amount;
};
KAN_RECORD(add, 1, KAN_INT(add, amount, 1, 9));

struct sum
{
    int64_t total;
};
KAN_RECORD(sum, 1, KAN_INT(sum, total, 0, 1000));

/* The same struct, by two tables. */
static void on_add(kan_turn *turn, void *state, const void *message)
{
    struct ledger *ledger = state;
    const struct add *add = message;

    if (ledger->total + add->amount > 1000) {
        kan_refuse(turn, "the ledger is full");
        return;
    }
    ledger->total += add->amount;
    ledger->shown += add->amount;
    KAN_REPLY(turn, sum, .total = ledger->total);
}

/* Now and then it shows less than there is. */
static void on_add_by_chance(kan_turn *turn, void *state, const void *message)
{
    struct ledger *ledger = state;

    on_add(turn, state, message);
    if (kan_choose(turn, 8) == 5)
        ledger->shown = 0;
}

static void on_add_claiming(kan_turn *turn, void *state, const void *message)
{
    struct ledger *ledger = state;

    on_add(turn, state, message);
    kan_claim(turn, ledger->total < 30, "less than thirty");
}

static const struct kan_handler handlers[] = {{&add_record, on_add}};
static const struct kan_handler handlers_chance[] = {
    {&add_record, on_add_by_chance}};
static const struct kan_handler handlers_claim[] = {
    {&add_record, on_add_claiming}};

static const struct kan_actor_type forgetful_type = {
    .name = "ledger", .state = &ledger_record, KAN_HANDLERS(handlers)};
static const struct kan_actor_type right_type = {
    .name = "ledger", .state = &durable_record, KAN_HANDLERS(handlers)};
static const struct kan_actor_type chance_type = {
    .name = "ledger", .state = &durable_record, KAN_HANDLERS(handlers_chance)};
static const struct kan_actor_type claim_type = {
    .name = "ledger", .state = &durable_record, KAN_HANDLERS(handlers_claim)};

static bool shows_all(const kan_view *view)
{
    const struct ledger *ledger = view->states[0];

    return ledger->shown == ledger->total;
}

static void setup_of(kan_setup *setup, const struct kan_actor_type *type)
{
    const struct add three = {3};
    const struct add nine = {9};

    kan_setup_actor(setup, type, 0);
    kan_setup_request(setup, kan_ref_number("ledger", 0), &add_record, &three,
                      4);
    kan_setup_request(setup, kan_ref_number("ledger", 0), &add_record, &nine,
                      4);
}

static void setup_forgetful(kan_setup *setup)
{
    setup_of(setup, &forgetful_type);
}

static void setup_right(kan_setup *setup)
{
    setup_of(setup, &right_type);
}

static void setup_chance(kan_setup *setup)
{
    setup_of(setup, &chance_type);
}

static void setup_claim(kan_setup *setup)
{
    setup_of(setup, &claim_type);
}

static const struct kan_model_property properties[] = {
    {.name = "shows-all", .kind = KAN_INVARIANT, .holds = shows_all},
};

#define LEDGER_MODEL(the_setup)                                        \
    {                                                                  \
        .name = "ledger", .summary = "a ledger", .setup = (the_setup), \
        KAN_PROPERTIES(properties), .network = KAN_NETWORK_DURABLE,    \
        .faults = {                                                    \
            .crash = 2,                                                \
            .lost = 9,                                                 \
            .doubled = 9,                                              \
            .clock = 1                                                 \
        }                                                              \
    }

static const struct kan_model forgetful_model = LEDGER_MODEL(setup_forgetful);
static const struct kan_model right_model = LEDGER_MODEL(setup_right);
static const struct kan_model chance_model = LEDGER_MODEL(setup_chance);
static const struct kan_model claim_model = LEDGER_MODEL(setup_claim);

#define LEDGER_MODULE(name, the_model, type)                                 \
    static const struct kan_actor_type *const name##_actors[] = {&(type)};   \
    static const struct kan_module name = {KAN_MODULE_ABI, name##_actors, 1, \
                                           the_model}

LEDGER_MODULE(forgetful, &forgetful_model, forgetful_type);
LEDGER_MODULE(right, &right_model, right_type);
LEDGER_MODULE(chance, &chance_model, chance_type);
LEDGER_MODULE(claim, &claim_model, claim_type);
LEDGER_MODULE(plain, NULL, right_type);

/* --- bugs that are found -------------------------------------------------- */

static void what_is_not_kept_is_found(void **state)
{
    (void)state;
    simulate_case_finds(&forgetful, NULL, "shows-all", 100, 60);
}

static void what_chance_breaks_is_found(void **state)
{
    (void)state;
    simulate_case_finds(&chance, NULL, "shows-all", 100, 60);
}

static void a_broken_claim_is_found(void **state)
{
    (void)state;
    simulate_case_finds(&claim, NULL, "handler", 20, 60);
}

static void a_lock_without_end_is_found(void **state)
{
    (void)state;
    simulate_case_finds(simulate_case_model("lock-setnx"), NULL,
                        "everybody-is-served", 200, 8);
}

static void a_payment_made_twice_is_found(void **state)
{
    (void)state;
    simulate_case_finds(simulate_case_model("retry"), NULL, "paid-once", 200,
                        8);
}

static void a_write_that_nobody_hears_of_is_found(void **state)
{
    (void)state;
    simulate_case_finds(simulate_case_model("dual-write"), NULL,
                        "in-the-end-they-agree", 200, 60);
}

/* --- what is right -------------------------------------------------------- */

static void what_is_right_holds(void **state)
{
    const int64_t fixed[] = {1};
    int64_t live = mem_live();

    (void)state;
    simulate_case_holds(&right, NULL, 60);
    simulate_case_holds(&plain, NULL, 60);
    simulate_case_holds(simulate_case_model("dual-write"), fixed, 40);
    simulate_case_holds(simulate_case_model("lock-setnx"), fixed, 200);
    simulate_case_holds(simulate_case_model("retry"), fixed, 200);
    assert_int_equal(mem_live(), live);
}

/* Seeds that never come to the rare places prove nothing about them. */
static void rare_places_are_reached(void **state)
{
    struct simulator *simulator = simulate_case_new(&plain, NULL);
    struct campaign campaign;
    const struct simulate_counts *counts = simulator_counts(simulator);

    (void)state;
    simulate_case_campaign(simulator, 300, &campaign);
    assert_int_equal(campaign.verdict, SIMULATE_HOLDS);
    for (uint32_t i = 0; i < SIMULATE_PROBES; i++) {
        if (simulator_expects(simulator, i) && counts->probes[i] == 0)
            fail_msg("not reached: %s", simulate_probe_name(i));
    }
    assert_true(counts->faults[SIMULATE_CRASH] > 0);
    assert_true(counts->faults[SIMULATE_POWER] > 0);
    assert_true(counts->faults[SIMULATE_LOST] > 0);
    assert_true(counts->faults[SIMULATE_DOUBLED] > 0);
    assert_true(counts->faults[SIMULATE_CLOCK] > 0);
    assert_true(counts->world[SIM_PROBE_CRASH_BEFORE_DONE] > 0);
    campaign_fini(&campaign);
    simulator_free(simulator);
}

/* --- equal runs ----------------------------------------------------------- */

static void equal_tapes_give_equal_runs(void **state)
{
    const struct kan_module *const modules[] = {
        &plain, &right, simulate_case_model("paxos"),
        simulate_case_model("lock-failover")};
    struct buffer why = BUFFER_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        struct simulator *simulator = simulate_case_new(modules[i], NULL);
        for (uint64_t seed = 1; seed <= 12; seed++) {
            if (simulator_compare(simulator, seed, &why))
                fail_msg("%s", buffer_text(&why));
        }
        simulator_free(simulator);
    }
    buffer_fini(&why);
}

static void run_seed(struct simulator *simulator, uint64_t seed,
                     struct simulate_run *run)
{
    struct tape tape;

    tape_init_seed(&tape, seed);
    assert_ok(simulator_run(simulator, &tape, NULL, run));
    tape_fini(&tape);
}

/* What was run before leaves no trace in a run. */
static void a_seed_stands_alone(void **state)
{
    const struct kan_module *modules[] = {&plain, simulate_case_model("paxos"),
                                          simulate_case_model("two-phase"),
                                          simulate_case_model("lock-delete")};

    (void)state;
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        struct simulator *late = simulate_case_new(modules[i], NULL);
        for (uint64_t seed = 20; seed > 0; seed--) {
            struct simulator *alone = simulate_case_new(modules[i], NULL);
            struct simulate_run runs[2];
            run_seed(late, seed, &runs[0]);
            run_seed(alone, seed, &runs[1]);
            simulate_case_same_path(runs[0].path, runs[1].path);
            assert_memory_equal(&runs[0].trace, &runs[1].trace,
                                sizeof runs[0].trace);
            simulator_free(alone);
        }
        simulator_free(late);
    }
}

/* --- one path everywhere -------------------------------------------------- */

/* A live world: the same calls, one after the other. */
struct live
{
    struct env *env;
    struct engine *engine;
    struct actor_host *host;
    struct path_id path;
    bool done;
};

static void on_live_event(void *data, const struct actor_event *event)
{
    struct live *live = data;

    live->path = event->path;
}

static void on_live_answer(struct actor_call *call)
{
    struct live *live = call->data;

    assert_int_equal(call->outcome, ACTOR_ANSWERED);
    live->done = true;
}

static void on_live_closed(void *data)
{
    ((struct live *)data)->done = true;
}

static void live_wait(struct live *live)
{
    while (!live->done)
        (void)env_run(live->env, ENV_RUN_ONCE);
    live->done = false;
}

static struct path_id path_live(const struct scenario *scenario)
{
    const struct kan_module *module = &plain;
    struct live live = {0};
    struct buffer why = BUFFER_INIT;

    assert_ok(env_uv_new(&live.env));
    assert_ok(engine_memory_open(live.env, NULL, &live.engine));
    const struct actor_options options = {.env = live.env,
                                          .engine = live.engine,
                                          .prefix = SLICE("live||"),
                                          .modules = &module,
                                          .module_count = 1,
                                          .data = &live,
                                          .event = on_live_event};
    assert_ok(actor_host_new(&options, &live.host, &why));
    for (uint32_t i = 0; i < scenario->event_count; i++) {
        const struct scenario_event *event = &scenario->events[i];
        struct actor_call call = {.data = &live,
                                  .type = SLICE("ledger"),
                                  .id = SLICE("0"),
                                  .method = kan_text(event->name),
                                  .body = kan_text(event->json)};
        if (event->kind != SCENARIO_DELIVER)
            continue;
        assert_ok(actor_call(live.host, &call, on_live_answer));
        live_wait(&live);
    }
    actor_host_close(live.host, &live, on_live_closed);
    live_wait(&live);
    engine_close(live.engine, &live, on_live_closed);
    live_wait(&live);
    env_free(live.env);
    buffer_fini(&why);
    return live.path;
}

static bool add_path(void *data, struct space_walker *walker,
                     const struct space_state *state,
                     const struct space_step *step)
{
    struct path_id *paths = data; /* the path, then of each actor */

    (void)state;
    if (step)
        space_path_step(walker, step, paths + 1, paths);
    return true;
}

static struct path_id path_checked(const struct scenario *scenario)
{
    const struct space_options options = {
        .module = &plain, .clients = 2, .requests = 8};
    struct buffer why = BUFFER_INIT;
    struct path_id paths[2] = {{0, 0}, {0, 0}};
    struct space *space;
    struct walk_run run;

    assert_ok(space_new(&options, &space, &why));
    if (run_find(space, scenario, "test", &run, &why))
        fail_msg("%s", buffer_text(&why));
    paths[1] = path_id_actor(space_actor_ref(space, 0));
    assert_ok(walk_follow(space, &run, add_path, paths));
    mem_free(run.steps);
    space_free(space);
    buffer_fini(&why);
    return paths[0];
}

/* Messages at the ends of their ranges: the checker has no others. */
static const char recorded[] =
    "kan path 1\n"
    "request ledger/0 add {\"amount\":9}\n"
    "deliver client/0 -> ledger/0 add {\"amount\":9}\n"
    "request ledger/0 add {\"amount\":1}\n"
    "deliver client/1 -> ledger/0 add {\"amount\":1}\n"
    "request ledger/0 add {\"amount\":9}\n"
    "deliver client/0 -> ledger/0 add {\"amount\":9}\n";

static void one_run_has_one_path(void **state)
{
    struct simulator *simulator = simulate_case_new(&plain, NULL);
    struct simulate_run run;
    struct simulate_log log;
    struct buffer why = BUFFER_INIT;
    struct buffer text = BUFFER_INIT;
    struct scenario script;
    struct scenario scenario;

    (void)state;
    memset(&log, 0, sizeof log);
    assert_ok(scenario_read(kan_text(recorded), "recorded", &script, &why));
    assert_ok(simulator_replay(simulator, &script, &log, &run));
    assert_int_equal(run.verdict, SIMULATE_HOLDS);
    /* What the simulator wrote down is what it was given, and the checker
     * finds it. */
    buffer_append_text(&text, "kan path 1\n");
    buffer_append(&text, buffer_slice(&log.lines));
    assert_ok(scenario_read(buffer_slice(&text), "log", &scenario, &why));
    assert_int_equal(scenario.event_count, script.event_count);
    simulate_case_same_path(run.path, path_checked(&scenario));
    simulate_case_same_path(run.path, path_live(&scenario));
    /* Another run has another path. */
    script.event_count -= 2;
    simulate_log_fini(&log);
    struct simulate_run shorter;
    assert_ok(simulator_replay(simulator, &script, &log, &shorter));
    assert_memory_not_equal(&run.path, &shorter.path, sizeof run.path);
    scenario_fini(&script);
    scenario_fini(&scenario);
    simulate_log_fini(&log);
    simulator_free(simulator);
    buffer_fini(&text);
    buffer_fini(&why);
}

static void what_cannot_be_replayed_is_told(void **state)
{
    static const char *const wrong[] = {
        "kan path 1\ndeliver client/0 -> ledger/0 subtract {\"amount\":9}\n",
        "kan path 1\ndeliver client/0 -> ledger/0 add {\"amount\":99}\n",
        "kan path 1\ntimer ledger/0 tick\n"};
    struct buffer why = BUFFER_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct simulator *simulator = simulate_case_new(&plain, NULL);
        struct simulate_run run;
        struct scenario script;
        assert_ok(scenario_read(kan_text(wrong[i]), "wrong", &script, &why));
        assert_ok(simulator_replay(simulator, &script, NULL, &run));
        assert_int_equal(run.verdict, SIMULATE_FAILS);
        assert_string_equal(run.property, "replay");
        assert_non_null(strstr(run.why, "line 2"));
        scenario_fini(&script);
        simulator_free(simulator);
    }
    buffer_fini(&why);
}

/* --- tapes in scenarios --------------------------------------------------- */

static void a_tape_goes_through_a_scenario(void **state)
{
    const struct tape_choice choices[] = {{3, 5}, {0, 2}, {0, 2}, {7, 1000}};
    struct scenario head = {.model = "paxos"};
    struct scenario read;
    struct buffer text = BUFFER_INIT;
    struct buffer why = BUFFER_INIT;
    struct tape tape;

    (void)state;
    simulate_tape_save(choices, 4, &head.tape);
    assert_ok(scenario_write_head(&head, &text));
    assert_non_null(strstr(buffer_text(&text), "tape 3/5 0/2*2 7/1000\n"));
    assert_ok(scenario_read(buffer_slice(&text), "tape", &read, &why));
    assert_ok(simulate_tape_load(buffer_slice(&read.tape), &tape));
    assert_int_equal(tape.given_count, 4);
    assert_memory_equal(tape.given, choices, sizeof choices);
    tape_fini(&tape);
    assert_int_equal(simulate_tape_load(SLICE("3/5 5/5"), &tape), KAN_INVALID);
    buffer_fini(&head.tape);
    scenario_fini(&read);
    buffer_fini(&text);
    buffer_fini(&why);
}

/* --- no memory ------------------------------------------------------------ */

static void a_walk_without_memory_says_so(void **state)
{
    struct simulator *simulator =
        simulate_case_new(simulate_case_model("retry"), NULL);
    int64_t live = mem_live();
    enum kan_err err = KAN_NOMEM;

    (void)state;
    for (uint64_t nth = 1; err; nth++) {
        const struct campaign_options options = {
            .simulator = simulator, .seed = 3, .seeds = 1, .shrink_max = 3};
        struct campaign campaign;
        struct buffer why = BUFFER_INIT;
        mem_fault(nth, false);
        err = campaign_run(&options, &campaign, &why);
        bool struck = mem_fault_struck();
        mem_fault(0, false);
        assert_true(err == KAN_OK || err == KAN_NOMEM);
        assert_true(struck || err == KAN_OK);
        campaign_fini(&campaign);
        buffer_fini(&why);
        assert_true(nth < 10000);
    }
    simulator_free(simulator);
    assert_true(mem_live() <= live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_kept_is_found),
        cmocka_unit_test(what_chance_breaks_is_found),
        cmocka_unit_test(a_broken_claim_is_found),
        cmocka_unit_test(a_lock_without_end_is_found),
        cmocka_unit_test(a_payment_made_twice_is_found),
        cmocka_unit_test(a_write_that_nobody_hears_of_is_found),
        cmocka_unit_test(what_is_right_holds),
        cmocka_unit_test(rare_places_are_reached),
        cmocka_unit_test(equal_tapes_give_equal_runs),
        cmocka_unit_test(a_seed_stands_alone),
        cmocka_unit_test(one_run_has_one_path),
        cmocka_unit_test(what_cannot_be_replayed_is_told),
        cmocka_unit_test(a_tape_goes_through_a_scenario),
        cmocka_unit_test(a_walk_without_memory_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
