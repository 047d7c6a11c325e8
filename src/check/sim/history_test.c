/* What clients saw, and where runs end, judged in the real driver: registers
 * that are right hold, also when processes die between a commit and its
 * telling, and each that is wrong is found, shrunk and replayed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/sim/real.h"
#include "check/sim/simulate_case.h"

/* --- messages ------------------------------------------------------------- */

struct write
{
    int64_t value;
};
KAN_RECORD(write, 1, KAN_INT(write, value, 1, 9));
struct read
{
    int64_t zero;
};
KAN_RECORD(read, 1, KAN_INT(read, zero, 0, 0));
struct is
{
    int64_t value;
};
KAN_RECORD(is, 1, KAN_INT(is, value, 0, 9));

/* --- a register ----------------------------------------------------------- */

struct cell
{
    int64_t value;
    int64_t next;   /* acknowledged, and not yet written; or 0 */
    int64_t cached; /* the value, or 0 when it is not there */
};
KAN_RECORD(cell, 1, KAN_INT(cell, value, 0, 9), KAN_INT(cell, next, 0, 9),
           KAN_INT_VOLATILE(cell, cached, 0, 9));

enum
{
    TIMER_APPLY
};

static void on_write(kan_turn *turn, void *state, const void *message)
{
    struct cell *cell = state;
    const struct write *write = message;

    cell->value = write->value;
    cell->cached = write->value;
    kan_timer_set(turn, TIMER_APPLY, 30);
    KAN_REPLY(turn, is, .value = write->value);
}

static void on_read(kan_turn *turn, void *state, const void *message)
{
    struct cell *cell = state;

    (void)message;
    cell->cached = cell->value;
    KAN_REPLY(turn, is, .value = cell->cached);
}

/* A crash has emptied the copy: nobody has looked. */
static void on_read_cached(kan_turn *turn, void *state, const void *message)
{
    struct cell *cell = state;

    (void)message;
    KAN_REPLY(turn, is, .value = cell->cached);
}

static void on_write_later(kan_turn *turn, void *state, const void *message)
{
    struct cell *cell = state;
    const struct write *write = message;

    cell->next = write->value;
    kan_timer_set(turn, TIMER_APPLY, 30);
    KAN_REPLY(turn, is, .value = write->value);
}

static void on_apply(kan_turn *turn, void *state, const void *message)
{
    struct cell *cell = state;

    (void)turn;
    (void)message;
    if (cell->next)
        cell->value = cell->next;
    cell->next = 0;
}

static const struct kan_handler handlers_right[] = {{&write_record, on_write},
                                                    {&read_record, on_read}};
static const struct kan_handler handlers_stale[] = {
    {&write_record, on_write}, {&read_record, on_read_cached}};
static const struct kan_handler handlers_hasty[] = {
    {&write_record, on_write_later}, {&read_record, on_read}};
static const struct kan_timer_type timers[] = {
    [TIMER_APPLY] = {"apply", on_apply}};

static const struct kan_actor_type right_type = {.name = "cell",
                                                 .state = &cell_record,
                                                 KAN_HANDLERS(handlers_right),
                                                 KAN_TIMERS(timers)};
static const struct kan_actor_type stale_type = {.name = "cell",
                                                 .state = &cell_record,
                                                 KAN_HANDLERS(handlers_stale),
                                                 KAN_TIMERS(timers)};
static const struct kan_actor_type hasty_type = {.name = "cell",
                                                 .state = &cell_record,
                                                 KAN_HANDLERS(handlers_hasty),
                                                 KAN_TIMERS(timers)};

/* --- who asks it ---------------------------------------------------------- */

enum
{
    GATES = 2,
    TIMES = 3, /* of each, writes and reads */
    QUEUE_MAX = 2 * TIMES
};

/* It does what it was asked to, one after the other. */
struct gate
{
    uint32_t count;
    int64_t queue[QUEUE_MAX]; /* a value to write; 0: read */
};
KAN_RECORD(gate, 1, KAN_INT(gate, count, 0, QUEUE_MAX),
           KAN_INTS_UPTO(gate, queue, "count", 0, 9));

static void gate_do(kan_turn *turn, const struct gate *gate)
{
    const struct kan_ref cell = kan_ref_number("cell", 0);

    if (gate->queue[0]) {
        kan_invoke(turn, KAN_REGISTER_WRITE, gate->queue[0]);
        KAN_SEND(turn, &cell, write, .value = gate->queue[0]);
    } else {
        kan_invoke(turn, KAN_REGISTER_READ, 0);
        KAN_SEND(turn, &cell, read, .zero = 0);
    }
}

static void gate_ask(kan_turn *turn, struct gate *gate, int64_t value)
{
    gate->queue[gate->count++] = value;
    if (gate->count == 1)
        gate_do(turn, gate);
}

static void gate_write(kan_turn *turn, void *state, const void *message)
{
    gate_ask(turn, state, ((const struct write *)message)->value);
}

static void gate_read(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    gate_ask(turn, state, 0);
}

static void gate_next(kan_turn *turn, struct gate *gate)
{
    gate->count--;
    memmove(gate->queue, gate->queue + 1,
            (QUEUE_MAX - 1) * sizeof gate->queue[0]);
    gate->queue[QUEUE_MAX - 1] = 0;
    if (gate->count > 0)
        gate_do(turn, gate);
}

static void gate_is(kan_turn *turn, void *state, const void *message)
{
    struct gate *gate = state;
    const struct is *is = message;

    kan_complete(turn, gate->queue[0] ? 0 : is->value);
    gate_next(turn, gate);
}

/* It forgets to say that it has ended. */
static void gate_is_silent(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    gate_next(turn, state);
}

static const struct kan_handler handlers_gate[] = {{&write_record, gate_write},
                                                   {&read_record, gate_read},
                                                   {&is_record, gate_is}};
static const struct kan_handler handlers_silent[] = {
    {&write_record, gate_write},
    {&read_record, gate_read},
    {&is_record, gate_is_silent}};
static const struct kan_actor_type gate_type = {
    .name = "gate", .state = &gate_record, KAN_HANDLERS(handlers_gate)};
static const struct kan_actor_type silent_type = {
    .name = "gate", .state = &gate_record, KAN_HANDLERS(handlers_silent)};

/* --- the models ----------------------------------------------------------- */

static void setup_of(kan_setup *setup, const struct kan_actor_type *cell,
                     const struct kan_actor_type *gate)
{
    static const struct read read;

    kan_setup_actor(setup, cell, 0);
    for (uint32_t i = 0; i < GATES; i++) {
        const struct write write = {1 + i};
        kan_setup_actor(setup, gate, i);
        kan_setup_request(setup, kan_ref_number("gate", i), &write_record,
                          &write, TIMES);
        kan_setup_request(setup, kan_ref_number("gate", i), &read_record, &read,
                          TIMES);
    }
}

static void setup_right(kan_setup *setup)
{
    setup_of(setup, &right_type, &gate_type);
}

static void setup_stale(kan_setup *setup)
{
    setup_of(setup, &stale_type, &gate_type);
}

static void setup_hasty(kan_setup *setup)
{
    setup_of(setup, &hasty_type, &gate_type);
}

static void setup_silent(kan_setup *setup)
{
    setup_of(setup, &right_type, &silent_type);
}

static const struct kan_spec register_spec = KAN_REGISTER_SPEC;
static const struct kan_model_property linearizable[] = {
    {.name = "linearizable", .kind = KAN_LINEARIZABLE, .spec = &register_spec}};

#define ALL_FAULTS                                        \
    {                                                     \
        .crash = 3, .lost = 20, .doubled = 20, .clock = 2 \
    }

#define REGISTER_MODULE(the_name, the_setup, cell_type, the_gate)     \
    static const struct kan_model the_name##_model = {                \
        .name = #the_name,                                            \
        .summary = "a register",                                      \
        .setup = (the_setup),                                         \
        KAN_PROPERTIES(linearizable),                                 \
        .network = KAN_NETWORK_DURABLE,                               \
        .faults = ALL_FAULTS};                                        \
    static const struct kan_actor_type *const the_name##_actors[] = { \
        &(cell_type), &(the_gate)};                                   \
    static const struct kan_module the_name = {                       \
        KAN_MODULE_ABI, the_name##_actors, 2, &the_name##_model}

REGISTER_MODULE(right, setup_right, right_type, gate_type);
REGISTER_MODULE(stale, setup_stale, stale_type, gate_type);
REGISTER_MODULE(hasty, setup_hasty, hasty_type, gate_type);
REGISTER_MODULE(silent, setup_silent, right_type, silent_type);

/* --- what clients saw ----------------------------------------------------- */

/* Runs in which processes die count: where it is not known what clients saw,
 * nothing is judged, and that is rare. */
static void a_register_that_is_right_holds(void **state)
{
    int64_t live = mem_live();
    struct simulator *simulator = simulate_case_new(&right, NULL);
    const struct simulate_counts *counts = simulator_counts(simulator);
    struct campaign campaign;

    (void)state;
    assert_int_equal(simulator_driver(simulator), SIMULATE_REAL);
    simulate_case_campaign(simulator, 200, &campaign);
    if (campaign.verdict != SIMULATE_HOLDS)
        fail_msg("%s: %s", campaign.run.property, campaign.run.why);
    assert_true(counts->faults[SIMULATE_CRASH] > 20);
    assert_true(simulator->untold_found > 20);
    assert_true(simulator->histories_lost < 20);
    campaign_fini(&campaign);
    simulator_free(simulator);
    assert_int_equal(mem_live(), live);
}

static void a_stale_answer_is_found(void **state)
{
    (void)state;
    simulate_case_finds(&stale, NULL, "linearizable", 100, 80);
}

static void a_hasty_answer_is_found(void **state)
{
    (void)state;
    simulate_case_finds(&hasty, NULL, "linearizable", 100, 40);
}

static void a_client_that_does_two_things_is_found(void **state)
{
    (void)state;
    simulate_case_finds(&silent, NULL, "handler", 20, 40);
}

/* A message that nobody was told of: its sender may have begun something. */
static void what_is_taken_too_early_is_not_judged(void **state)
{
    static const struct read read;
    struct simulate_run result = {.verdict = SIMULATE_HOLDS};
    struct tape tape = {.source = TAPE_ZERO};
    struct sim_options options = {.step_ns = 1};
    struct actor_event event = {.input = PATH_MESSAGE,
                                .actor = kan_ref_number("cell", 0),
                                .from = kan_ref_number("gate", 0),
                                .name = "read",
                                .record = &read_record,
                                .message = &read};
    struct real_run *run = mem_zalloc(sizeof *run);

    (void)state;
    assert_non_null(run);
    run->simulator = simulate_case_new(&right, NULL);
    run->result = &result;
    assert_ok(sim_world_new(&tape, &options, &run->world));
    assert_ok(sim_node_new(run->world, "outside", &run->outside));
    real_history_init(run);
    assert_true(run->observed);
    real_sent_add(run, &event.from, &event.actor, &read_record, &read);
    real_history_took(run, &run->actors[0], &event);
    assert_true(run->observed);
    real_history_took(run, &run->actors[0], &event);
    assert_false(run->observed);
    real_sent_fini(run);
    sim_world_free(run->world);
    simulator_free(run->simulator);
    mem_free(run);
    tape_fini(&tape);
}

static void equal_tapes_give_equal_runs(void **state)
{
    struct simulator *simulator = simulate_case_new(&right, NULL);
    struct buffer why = BUFFER_INIT;

    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        if (simulator_compare(simulator, seed, &why))
            fail_msg("%s", buffer_text(&why));
    }
    buffer_fini(&why);
    simulator_free(simulator);
}

/* --- where runs end ------------------------------------------------------- */

struct last
{
    int64_t value;
    int64_t at;
};
KAN_RECORD(last, 1, KAN_INT(last, value, 0, 9), KAN_TIME(last, at));

static void keep_last(kan_turn *turn, void *state, const void *message)
{
    struct last *last = state;

    last->value = ((const struct write *)message)->value;
    last->at = kan_now(turn);
}

static void keep_greatest(kan_turn *turn, void *state, const void *message)
{
    struct last *last = state;
    int64_t value = ((const struct write *)message)->value;

    if (value > last->value)
        last->value = value;
    last->at = kan_now(turn);
}

static const struct kan_handler handlers_last[] = {{&write_record, keep_last}};
static const struct kan_handler handlers_greatest[] = {
    {&write_record, keep_greatest}};
static const struct kan_actor_type last_type = {
    .name = "last", .state = &last_record, KAN_HANDLERS(handlers_last)};
static const struct kan_actor_type greatest_type = {
    .name = "last", .state = &last_record, KAN_HANDLERS(handlers_greatest)};

static void setup_two_values(kan_setup *setup,
                             const struct kan_actor_type *type)
{
    const struct write one = {1};
    const struct write two = {2};

    kan_setup_actor(setup, type, 0);
    kan_setup_request(setup, kan_ref_number("last", 0), &write_record, &one, 2);
    kan_setup_request(setup, kan_ref_number("last", 0), &write_record, &two, 2);
}

static void setup_last(kan_setup *setup)
{
    setup_two_values(setup, &last_type);
}

static void setup_greatest(kan_setup *setup)
{
    setup_two_values(setup, &greatest_type);
}

static const struct kan_model_property converges[] = {
    {.name = "one-end", .kind = KAN_CONVERGES}};

#define VALUE_MODULE(the_name, the_setup, the_type, the_network, ...) \
    static const struct kan_model the_name##_model = {                \
        .name = #the_name,                                            \
        .summary = "one of the values written",                       \
        .setup = (the_setup),                                         \
        KAN_PROPERTIES(converges),                                    \
        .network = (the_network),                                     \
        .faults = __VA_ARGS__};                                       \
    static const struct kan_actor_type *const the_name##_actors[] = { \
        &(the_type)};                                                 \
    static const struct kan_module the_name = {                       \
        KAN_MODULE_ABI, the_name##_actors, 1, &the_name##_model}

VALUE_MODULE(last, setup_last, last_type, KAN_NETWORK_DURABLE, ALL_FAULTS);
VALUE_MODULE(greatest, setup_greatest, greatest_type, KAN_NETWORK_DURABLE,
             ALL_FAULTS);
VALUE_MODULE(last_walked, setup_last, last_type, KAN_NETWORK_UNORDERED, {0});
VALUE_MODULE(greatest_walked, setup_greatest, greatest_type,
             KAN_NETWORK_UNORDERED, {0});

static void one_end_holds(void **state)
{
    (void)state;
    simulate_case_holds(&greatest, NULL, 300);
    simulate_case_holds(&greatest_walked, NULL, 300);
}

static void two_ends_are_found(void **state)
{
    (void)state;
    simulate_case_finds(&last, NULL, "one-end", 100, 40);
    simulate_case_finds(&last_walked, NULL, "one-end", 100, 8);
}

/* What a seed comes to does not depend on where other runs ended. */
static void an_end_stands_alone(void **state)
{
    struct simulator *late = simulate_case_new(&last, NULL);
    uint32_t fails = 0;

    (void)state;
    for (uint64_t seed = 30; seed > 0; seed--) {
        struct simulator *alone = simulate_case_new(&last, NULL);
        struct simulate_run runs[2];
        for (uint32_t i = 0; i < 2; i++) {
            struct tape tape;
            tape_init_seed(&tape, seed);
            assert_ok(simulator_run(i ? alone : late, &tape, NULL, &runs[i]));
            tape_fini(&tape);
        }
        assert_int_equal(runs[0].verdict, runs[1].verdict);
        fails += runs[0].verdict == SIMULATE_FAILS;
        simulator_free(alone);
    }
    assert_true(fails > 0 && fails < 30);
    simulator_free(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_register_that_is_right_holds),
        cmocka_unit_test(a_stale_answer_is_found),
        cmocka_unit_test(a_hasty_answer_is_found),
        cmocka_unit_test(a_client_that_does_two_things_is_found),
        cmocka_unit_test(what_is_taken_too_early_is_not_judged),
        cmocka_unit_test(equal_tapes_give_equal_runs),
        cmocka_unit_test(one_end_holds),
        cmocka_unit_test(two_ends_are_found),
        cmocka_unit_test(an_end_stands_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
