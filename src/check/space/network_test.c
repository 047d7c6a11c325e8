/* Networks, faults, clocks and liars, on models so small that their states can
 * be counted on paper. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check/space/space_case.h"

/* --- three messages from one actor to another ----------------------------- */

struct number
{
    uint8_t n;
};
KAN_RECORD(number, 1, KAN_INT(number, n, 0, 9));
KAN_RECORD_EMPTY(go);

enum
{
    SINK_ROOM = 4
};

struct sink
{
    uint8_t count;
    uint8_t seen[SINK_ROOM];
};
KAN_RECORD(sink, 1, KAN_INT(sink, count, 0, SINK_ROOM),
           KAN_INTS_UPTO(sink, seen, "count", 0, 9));

struct source
{
    uint8_t failures;
};
KAN_RECORD(source, 1, KAN_INT(source, failures, 0, 9));

enum
{
    NUMBER_FIRST,
    NUMBER_STEP,
    NUMBER_COUNT,
    NUMBER_ROOM
};

static void source_start(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref sink = kan_ref_number("sink", 0);

    (void)state;
    (void)message;
    for (int64_t i = 0; i < kan_parameter(turn, NUMBER_COUNT); i++)
        KAN_SEND(turn, &sink, number,
                 .n = (uint8_t)(kan_parameter(turn, NUMBER_FIRST) +
                                i * kan_parameter(turn, NUMBER_STEP)));
}

static void source_failed(kan_turn *turn, void *state, const void *message)
{
    const struct kan_failed *failed = message;

    kan_claim(turn, failed->err == KAN_BUSY, "only a full mailbox is met");
    ((struct source *)state)->failures++;
}

static void source_go(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref sink = kan_ref_number("sink", 0);

    (void)state;
    (void)message;
    KAN_SEND(turn, &sink, number, .n = 1);
    KAN_SEND(turn, &sink, number, .n = 2);
}

static void sink_number(kan_turn *turn, void *state, const void *message)
{
    struct sink *sink = state;

    if (sink->count < kan_parameter(turn, NUMBER_ROOM))
        sink->seen[sink->count++] = ((const struct number *)message)->n;
}

static const struct kan_handler source_handlers[] = {
    {&kan_failed_record, source_failed}, {&go_record, source_go}};
static const struct kan_handler sink_handlers[] = {
    {&number_record, sink_number}};
static const struct kan_actor_type source_type = {
    .name = "source",
    .state = &source_record,
    .start = source_start,
    KAN_HANDLERS(source_handlers)};
static const struct kan_actor_type sink_type = {
    .name = "sink", .state = &sink_record, KAN_HANDLERS(sink_handlers)};
static const struct kan_actor_type narrow_type = {.name = "sink",
                                                  .state = &sink_record,
                                                  .mailbox_max = 2,
                                                  KAN_HANDLERS(sink_handlers)};

static const struct kan_model_parameter number_parameters[] = {
    {"first", 1, 0, 9, "the first number"},
    {"step", 1, 0, 9, "from one to the next"},
    {"count", 3, 0, 9, "how many"},
    {"room", SINK_ROOM, 0, SINK_ROOM, "how many are remembered"},
};

static void number_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &source_type, 0);
    kan_setup_actor(setup, &sink_type, 0);
}

static void narrow_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &source_type, 0);
    kan_setup_actor(setup, &narrow_type, 0);
}

static struct space_case numbers(enum kan_network network,
                                 struct kan_faults faults)
{
    struct space_case the_case = {.model = {.name = "numbers",
                                            KAN_PARAMETERS(number_parameters),
                                            .setup = number_setup,
                                            .network = network,
                                            .faults = faults}};
    return the_case;
}

static void assert_counts(struct space_case *the_case, uint64_t states,
                          uint64_t generated, uint64_t terminal)
{
    space_case_walk(the_case);
    if (the_case->walk.broken > 0)
        fail_msg("%s", the_case->walk.why);
    assert_int_equal(the_case->walk.err, KAN_OK);
    assert_int_equal(the_case->walk.states, states);
    assert_int_equal(the_case->walk.generated, generated);
    assert_int_equal(the_case->walk.terminal, terminal);
}

static const struct kan_faults no_faults;

static void unordered_takes_every_order(void **context)
{
    struct space_case the_case = numbers(KAN_NETWORK_UNORDERED, no_faults);
    const int64_t equal[] = {1, 0, 3, SINK_ROOM};

    (void)context;
    assert_counts(&the_case, 1 + 3 + 6 + 6, 1 + 3 + 6 + 6, 6);
    the_case.options.parameters = equal;
    assert_counts(&the_case, 4, 4, 1);
}

static void in_order_there_is_one(void **context)
{
    struct space_case ordered = numbers(KAN_NETWORK_ORDERED, no_faults);
    struct space_case durable = numbers(KAN_NETWORK_DURABLE, no_faults);

    (void)context;
    assert_counts(&ordered, 4, 4, 1);
    assert_counts(&durable, 4, 4, 1);
}

static void shared_messages_stay(void **context)
{
    struct space_case the_case = numbers(
        KAN_NETWORK_SHARED, (struct kan_faults){.lost = 1, .doubled = 1});
    const int64_t three[] = {1, 1, 3, 3};

    (void)context;
    the_case.options.parameters = three;
    /* Sequences of up to three numbers; behind the third nothing changes. */
    assert_counts(&the_case, 1 + 3 + 9 + 27, 1 + 3 + 9 + 27 + 27 * 3, 0);
    the_case.model.compat = KAN_COMPAT_SPEC;
    assert_counts(&the_case, 1 + 3 + 9 + 27, 1 + 3 + 9 + 27 + 27 * 3, 0);
    the_case.model.compat = KAN_COMPAT_ACTOR;
    assert_counts(&the_case, 1 + 3 + 9 + 27, 1 + 3 + 9 + 27, 27);
}

static void messages_are_lost(void **context)
{
    struct kan_faults lost = {.lost = 1};
    struct space_case unordered = numbers(KAN_NETWORK_UNORDERED, lost);
    struct space_case ordered = numbers(KAN_NETWORK_ORDERED, lost);
    struct space_case durable = numbers(KAN_NETWORK_DURABLE, lost);

    (void)context;
    /* None lost, or one of three and the others in any order. */
    assert_counts(&unordered, 16 + 3 * 5,
                  1 + (3 + 6 + 6) + (3 + 3 * 2 + 6) + 3 * 4, 6 + 3 * 2);
    assert_counts(&ordered, 4 + 3 + 2 + 1, 1 + 6 + 2 + 1, 4);
    assert_counts(&durable, 4, 4, 1);
}

static void messages_are_doubled(void **context)
{
    struct kan_faults doubled = {.doubled = 1};
    struct space_case ordered = numbers(KAN_NETWORK_ORDERED, doubled);
    struct space_case durable = numbers(KAN_NETWORK_DURABLE, doubled);
    struct space_case unordered = numbers(KAN_NETWORK_UNORDERED, doubled);
    const int64_t one[] = {1, 1, 1, SINK_ROOM};

    (void)context;
    assert_counts(&ordered, 4 + 4 + 3 + 2, 1 + 6 + 3 + 2 + 1, 4);
    assert_counts(&durable, 4, 4, 1);
    unordered.options.parameters = one;
    assert_counts(&unordered, 4, 4, 2);
}

static bool some_failed(struct space_walker *walker,
                        const struct space_state *state)
{
    const struct source *one = space_actor_state(walker, state, 0);
    const struct source *other = space_actor_state(walker, state, 2);

    return one->failures + other->failures > 0;
}

static bool one_failed(struct space_walker *walker,
                       const struct space_state *state)
{
    const struct source *source = space_actor_state(walker, state, 0);
    const struct sink *sink = space_actor_state(walker, state, 1);

    return source->failures == 1 && sink->count == 2;
}

/* Two of three find room; the third comes back as a failure. */
static void mailboxes_are_bounded(void **context)
{
    struct space_case the_case = numbers(KAN_NETWORK_DURABLE, no_faults);

    (void)context;
    the_case.model.setup = narrow_setup;
    the_case.holds = one_failed;
    assert_counts(&the_case, 2 * 3, 1 + 2 + 2 + 2 + 1, 1);
    assert_int_equal(the_case.held_terminal, 1);
}

static void contended_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &source_type, 0);
    kan_setup_actor(setup, &narrow_type, 0);
    kan_setup_actor(setup, &source_type, 1);
    for (uint8_t i = 1; i <= 2; i++) {
        struct number number = {i};
        kan_setup_request(setup, kan_ref_number("sink", 0), &number_record,
                          &number, 1);
    }
    kan_setup_request(setup, kan_ref_number("source", 0), &go_record, NULL, 1);
    kan_setup_request(setup, kan_ref_number("source", 1), &go_record, NULL, 1);
}

/* Who comes last to a mailbox of two fails; so the order matters, and the pairs
 * that were judged are few. */
static void full_mailboxes_make_order_matter(void **context)
{
    const int64_t none[] = {1, 1, 0, 1};
    struct space_case durable = numbers(KAN_NETWORK_DURABLE, no_faults);
    struct space_case unordered = numbers(KAN_NETWORK_UNORDERED, no_faults);

    (void)context;
    durable.model.setup = contended_setup;
    durable.options.parameters = none;
    durable.holds = some_failed;
    space_case_walk(&durable);
    assert_int_equal(durable.walk.err, KAN_OK);
    assert_true(durable.held > 0 && durable.held < durable.walk.states);
    unordered.model.setup = contended_setup;
    unordered.options.parameters = none;
    space_case_walk(&unordered);
    assert_int_equal(unordered.walk.err, KAN_OK);
}

/* --- clients outside ------------------------------------------------------ */

struct worker
{
    uint8_t hits;
    uint8_t warm;
    uint8_t restarts;
};
KAN_RECORD(worker, 1, KAN_INT(worker, hits, 0, 9),
           KAN_INT_VOLATILE(worker, warm, 0, 9),
           KAN_INT(worker, restarts, 0, 9));
KAN_RECORD_EMPTY(hit);

static void worker_hit(kan_turn *turn, void *state, const void *message)
{
    struct worker *worker = state;

    (void)message;
    worker->hits++;
    worker->warm++;
    KAN_REPLY(turn, number, .n = worker->hits);
}

static void worker_restart(kan_turn *turn, void *state, const void *message)
{
    struct worker *worker = state;

    (void)message;
    kan_claim(turn, worker->warm == 0, "what is volatile is gone");
    worker->restarts++;
}

static const struct kan_handler worker_handlers[] = {{&hit_record, worker_hit}};
static const struct kan_actor_type worker_type = {
    .name = "worker",
    .state = &worker_record,
    .restart = worker_restart,
    KAN_HANDLERS(worker_handlers)};
static const struct kan_actor_type mortal_type = {
    .name = "worker",
    .state = &worker_record,
    .restart = worker_restart,
    .flags = KAN_ACTOR_MORTAL,
    KAN_HANDLERS(worker_handlers)};

static void worker_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &worker_type, 0);
    kan_setup_request(setup, kan_ref_number("worker", 0), &hit_record, NULL, 1);
}

static void mortal_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &mortal_type, 0);
    kan_setup_request(setup, kan_ref_number("worker", 0), &hit_record, NULL, 1);
}

static void two_requests_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &worker_type, 0);
    kan_setup_request(setup, kan_ref_number("worker", 0), &hit_record, NULL, 2);
}

static struct space_case work(void (*setup)(kan_setup *), bool durable,
                              struct kan_faults faults)
{
    struct space_case the_case = {
        .model = {
            .name = "work",
            .setup = setup,
            .network = durable ? KAN_NETWORK_DURABLE : KAN_NETWORK_UNORDERED,
            .faults = faults}};
    return the_case;
}

static void requests_are_sent_and_taken(void **context)
{
    struct space_case one = work(worker_setup, true, no_faults);
    struct space_case two = work(two_requests_setup, false, no_faults);

    (void)context;
    assert_counts(&one, 3, 3, 1);
    /* (sent, taken) with taken <= sent <= 2. */
    assert_counts(&two, 6, 1 + 3 + 3, 1);
}

/* The only messages that a durable network may lose or double. */
static void requests_are_lost_and_doubled(void **context)
{
    struct space_case lost =
        work(worker_setup, true, (struct kan_faults){.lost = 1});
    struct space_case doubled =
        work(worker_setup, true, (struct kan_faults){.doubled = 1});

    (void)context;
    assert_counts(&lost, 4, 4, 2);
    assert_counts(&doubled, 5, 5, 2);
}

static void actors_crash_and_come_back(void **context)
{
    struct space_case worker =
        work(worker_setup, false, (struct kan_faults){.crash = 1});
    struct space_case mortal =
        work(mortal_setup, false, (struct kan_faults){.crash = 1});

    (void)context;
    /* Unsent, on its way, taken; fresh, down, back; and warm or not. */
    assert_counts(&worker, 3 + 3 + 4, 1 + 5 + 4 + 2, 2);
    assert_counts(&mortal, 2 + 2 + 2, 1 + 3 + 2 + 1, 2);
}

/* --- partitions ----------------------------------------------------------- */

static void partitions_delay(void **context)
{
    struct space_case the_case =
        numbers(KAN_NETWORK_ORDERED, (struct kan_faults){.partition = 1});
    const int64_t one[] = {1, 1, 1, SINK_ROOM};

    (void)context;
    the_case.options.parameters = one;
    /* (on its way, there) by (whole, cut, healed); the cut lets none through.
     */
    assert_counts(&the_case, 6, 1 + 2 + 1 + 1 + 1 + 1, 1);
}

static void many_setup(kan_setup *setup)
{
    int64_t count = kan_setup_parameter(setup, 0);

    for (int64_t i = 0; i < count; i++)
        kan_setup_actor(setup, &sink_type, (uint32_t)i);
}

static void partitions_are_all_groups_or_single_actors(void **context)
{
    static const struct kan_model_parameter parameters[] = {
        {"actors", 2, 1, 64, "how many"}};
    static const int64_t groups[][2] = {{1, 0}, {2, 1},  {3, 3},
                                        {4, 7}, {5, 15}, {6, 6}};

    (void)context;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        struct space_case the_case = {
            .model = {.name = "many",
                      KAN_PARAMETERS(parameters),
                      .setup = many_setup,
                      .network = KAN_NETWORK_UNORDERED,
                      .faults = {.partition = 1}},
            .options = {.parameters = &groups[i][0]}};
        uint64_t cuts = (uint64_t)groups[i][1];
        assert_counts(&the_case, cuts ? 2 + cuts : 1, 1 + 2 * cuts, 1);
    }
}

/* --- clocks --------------------------------------------------------------- */

enum
{
    TIMER_SOON,
    TIMER_LATE
};

struct clock
{
    uint8_t fired;
    int64_t since;
};
KAN_RECORD(clock, 1, KAN_INT(clock, fired, 0, 9),
           KAN_TIME_WITHIN(clock, since, 50, 0));

enum
{
    CLOCK_SOON,
    CLOCK_LATE,
    CLOCK_AGAIN
};

static void clock_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_set(turn, TIMER_SOON, (uint64_t)kan_parameter(turn, CLOCK_SOON));
    if (kan_parameter(turn, CLOCK_LATE) > 0)
        kan_timer_set(turn, TIMER_LATE,
                      (uint64_t)kan_parameter(turn, CLOCK_LATE));
}

static void clock_soon(kan_turn *turn, void *state, const void *message)
{
    struct clock *clock = state;

    (void)message;
    if (kan_parameter(turn, CLOCK_AGAIN)) {
        if (clock->since == 0)
            clock->since = kan_now(turn);
        kan_timer_set(turn, TIMER_SOON,
                      (uint64_t)kan_parameter(turn, CLOCK_SOON));
    } else {
        clock->fired |= 1;
    }
}

static void clock_late(kan_turn *turn, void *state, const void *message)
{
    (void)turn;
    (void)message;
    ((struct clock *)state)->fired |= 2;
}

static const struct kan_timer_type clock_timers[] = {
    [TIMER_SOON] = {"soon", clock_soon}, [TIMER_LATE] = {"late", clock_late}};
static const struct kan_actor_type clock_type = {.name = "clock",
                                                 .state = &clock_record,
                                                 .start = clock_start,
                                                 KAN_TIMERS(clock_timers)};
static const struct kan_model_parameter clock_parameters[] = {
    {"soon", 100, 1, 1000, "ms"},
    {"late", 0, 0, 1000, "ms; 0: not armed"},
    {"again", 0, 0, 1, "arm it again"},
};

static void clock_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &clock_type, 0);
}

static struct space_case clocks(const int64_t *parameters)
{
    struct space_case the_case = {.model = {.name = "clocks",
                                            KAN_PARAMETERS(clock_parameters),
                                            .setup = clock_setup,
                                            .network = KAN_NETWORK_DURABLE},
                                  .options = {.parameters = parameters}};
    return the_case;
}

static bool only_soon(struct space_walker *walker,
                      const struct space_state *state)
{
    const struct clock *clock = space_actor_state(walker, state, 0);

    return clock->fired == 1;
}

static void the_earliest_timer_fires(void **context)
{
    const int64_t later[] = {100, 200, 0};
    const int64_t equal[] = {100, 100, 0};
    struct space_case one_after_another = clocks(later);
    struct space_case any_order = clocks(equal);

    (void)context;
    one_after_another.holds = only_soon;
    assert_counts(&one_after_another, 3, 3, 1);
    assert_int_equal(one_after_another.held, 1);
    assert_counts(&any_order, 4, 1 + 2 + 2, 1);
}

/* Armed again and again it is one state, once the first firing is so long ago
 * that it does not matter. */
static void times_are_relative(void **context)
{
    const int64_t again[] = {20, 0, 1};
    struct space_case relative = clocks(again);
    struct space_case absolute = clocks(again);

    (void)context;
    /* Not yet, and 0, 20, 40 and at least 50 ms ago. */
    assert_counts(&relative, 5, 6, 0);
    absolute.model.absolute_time = true;
    space_case_walk(&absolute);
    assert_int_equal(absolute.walk.err, KAN_BUSY);
}

static void clocks_jump(void **context)
{
    const int64_t once[] = {100, 0, 0};
    struct space_case relative = clocks(once);
    struct space_case absolute = clocks(once);

    (void)context;
    relative.model.faults.clock = 1;
    absolute.model.faults.clock = 1;
    absolute.model.absolute_time = true;
    /* Where nothing is timed any more, a jump changes nothing. */
    assert_counts(&relative, 5, 6, 2);
    assert_counts(&absolute, 8, 8, 4);
}

static void jump_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &clock_type, 0);
    kan_setup_actor(setup, &clock_type, 1);
    kan_setup_jump(setup, kan_ref_number("clock", 1), 5000);
}

static void declared_jumps_are_the_only_ones(void **context)
{
    const int64_t once[] = {100, 0, 0};
    struct space_case the_case = clocks(once);

    (void)context;
    the_case.model.setup = jump_setup;
    the_case.model.faults.clock = 1;
    /* clock/1 is armed, jumped, fired or fired after a jump; clock/0 fires. */
    assert_counts(&the_case, 2 * 4, 1 + 4 + 2 * 3, 2);
}

/* --- liars ---------------------------------------------------------------- */

static void liar_setup(kan_setup *setup)
{
    struct number seven = {7};
    struct number eight = {8};
    struct kan_ref sink = kan_ref_number("sink", 0);

    kan_setup_actor(setup, &source_type, 0);
    kan_setup_actor(setup, &sink_type, 0);
    kan_setup_actor(setup, &sink_type, 1);
    kan_setup_lie(setup, kan_ref_number("source", 0), sink, &number_record,
                  &seven);
    kan_setup_lie(setup, kan_ref_number("sink", 1), sink, &number_record,
                  &eight);
}

static void liars_lie_once_each(void **context)
{
    const int64_t one[] = {1, 1, 1, SINK_ROOM};
    struct space_case honest = numbers(KAN_NETWORK_UNORDERED, no_faults);
    struct space_case one_liar = honest;
    struct space_case two_liars = honest;

    (void)context;
    honest.model.setup = liar_setup;
    honest.options.parameters = one;
    assert_counts(&honest, 2, 2, 1);
    /* source lies: 7 is unsent, on its way or there. sink/1 lies: 8 likewise,
     * and 1 comes before, after or not yet. */
    one_liar.model.setup = liar_setup;
    one_liar.options.parameters = one;
    one_liar.model.faults.liar = 1;
    assert_counts(&one_liar, 3 + 7, 2 + 2 + 7, 1 + 2);
    two_liars.model.setup = liar_setup;
    two_liars.options.parameters = one;
    two_liars.model.faults.liar = 2;
    assert_counts(&two_liars, 3 * 3 + 1, 1 + 12, 2);
}

static void messages_to_liars_vanish(void **context)
{
    struct space_case the_case = numbers(KAN_NETWORK_UNORDERED, no_faults);
    const int64_t none[] = {1, 1, 2, 0};

    (void)context;
    the_case.model.setup = liar_setup;
    the_case.model.faults.liar = 9;
    the_case.options.parameters = none;
    /* Both lie, and sink/0 remembers nothing: 3 stages of each lie. */
    assert_counts(&the_case, 9, 1 + 12, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unordered_takes_every_order),
        cmocka_unit_test(in_order_there_is_one),
        cmocka_unit_test(shared_messages_stay),
        cmocka_unit_test(messages_are_lost),
        cmocka_unit_test(messages_are_doubled),
        cmocka_unit_test(mailboxes_are_bounded),
        cmocka_unit_test(full_mailboxes_make_order_matter),
        cmocka_unit_test(requests_are_sent_and_taken),
        cmocka_unit_test(requests_are_lost_and_doubled),
        cmocka_unit_test(actors_crash_and_come_back),
        cmocka_unit_test(partitions_delay),
        cmocka_unit_test(partitions_are_all_groups_or_single_actors),
        cmocka_unit_test(the_earliest_timer_fires),
        cmocka_unit_test(times_are_relative),
        cmocka_unit_test(clocks_jump),
        cmocka_unit_test(declared_jumps_are_the_only_ones),
        cmocka_unit_test(liars_lie_once_each),
        cmocka_unit_test(messages_to_liars_vanish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
