/* Tests of the rules of waiting: little plays, and a long random one against
 * what first come, first served means. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "block/lock/lock_line.h"
#include "env/sim/tape.h"

#define MS UINT64_C(1000000)

static void describe(const struct lock_line_effect *effect, struct buffer *out)
{
    if (out->size)
        buffer_append_text(out, ", ");
    switch (effect->kind) {
    case LOCK_LINE_TRY:
        buffer_print(out, "try %d", (int)effect->ticket);
        break;
    case LOCK_LINE_DROP:
        buffer_print(out, "drop %d", (int)effect->ticket);
        break;
    case LOCK_LINE_ANSWER:
        buffer_print(out, "%d %s", (int)effect->ticket,
                     effect->outcome == LOCK_OK ? "ok"
                     : effect->outcome == LOCK_HELD
                         ? "held"
                         : kan_err_name(effect->err));
        break;
    case LOCK_LINE_ALARM:
        buffer_print(out, "alarm %d", (int)(effect->due_ns / MS));
        break;
    }
}

/* The effects of the event, as text. */
static void expect(struct lock_line *line, uint64_t at,
                   struct lock_line_event event, const char *effects)
{
    struct lock_line_step step;
    struct buffer found = BUFFER_INIT;

    event.now_ns = at * MS;
    step = lock_line_step(*line, event);
    for (uint32_t i = 0; i < step.effect_count; i++)
        describe(&step.effects[i], &found);
    assert_string_equal(buffer_text(&found), effects);
    buffer_fini(&found);
    *line = step.line;
}

static struct lock_line_event join(uint64_t ticket, uint64_t until,
                                   bool patient)
{
    return (struct lock_line_event){
        .kind = LOCK_LINE_JOIN,
        .place = {
            .ticket = ticket, .until_ns = until * MS, .patient = patient}};
}

static struct lock_line_event tried(uint64_t ticket, enum lock_outcome outcome)
{
    return (struct lock_line_event){.kind = LOCK_LINE_TRIED,
                                    .ticket = ticket,
                                    .outcome = outcome,
                                    .err = KAN_LOST};
}

static struct lock_line_event leave(uint64_t ticket)
{
    return (struct lock_line_event){.kind = LOCK_LINE_LEAVE, .ticket = ticket};
}

static const struct lock_line_event wake = {.kind = LOCK_LINE_WAKE};
static const struct lock_line_event timer = {.kind = LOCK_LINE_TIMER};

/* --- plays ---------------------------------------------------------------- */

static void one_who_does_not_wait(void **context)
{
    struct lock_line line = {0};

    (void)context;
    expect(&line, 0, join(1, 30, false), "try 1");
    expect(&line, 1, tried(1, LOCK_OK), "1 ok");
    assert_int_equal(line.count, 0);
    expect(&line, 2, join(2, 30, false), "try 2");
    expect(&line, 3, tried(2, LOCK_HELD), "2 held");
    assert_int_equal(line.count, 0);
    expect(&line, 4, join(3, 30, false), "try 3");
    expect(&line, 5, tried(3, LOCK_FAILED), "3 LOST");
    assert_int_equal(line.phase, LOCK_LINE_OPEN);
}

/* K-LOCK-6 */
static void k_lock_6_the_first_goes_first(void **context)
{
    struct lock_line line = {0};

    (void)context;
    expect(&line, 0, join(1, 9000, true), "try 1");
    expect(&line, 0, join(2, 9000, true), "alarm 9000");
    expect(&line, 1, tried(1, LOCK_HELD), "alarm 1001");
    expect(&line, 2, join(3, 9000, true), "alarm 1001");
    expect(&line, 500, wake, "try 1, alarm 9000");
    expect(&line, 501, tried(1, LOCK_OK), "1 ok, alarm 1501");
    expect(&line, 600, wake, "try 2, alarm 9000");
    expect(&line, 601, tried(2, LOCK_OK), "2 ok, alarm 1601");
    expect(&line, 1601, timer, "try 3");
    expect(&line, 1602, tried(3, LOCK_OK), "3 ok");
}

/* K-LOCK-6: whoever does not wait does not overtake. */
static void k_lock_6_a_try_does_not_overtake(void **context)
{
    struct lock_line line = {0};

    (void)context;
    expect(&line, 0, join(1, 9000, true), "try 1");
    expect(&line, 1, join(2, 9000, false), "alarm 9000");
    expect(&line, 2, tried(1, LOCK_HELD), "2 held, alarm 1002");
    expect(&line, 3, join(3, 9000, false), "3 held, alarm 1002");
    expect(&line, 4, wake, "try 1");
    expect(&line, 5, join(4, 9000, false), "alarm 9000");
    expect(&line, 6, tried(1, LOCK_OK), "1 ok, 4 held");
}

/* K-LOCK-6: the report comes before the answer to a try that was too early. */
static void k_lock_6_no_wake_up_is_lost(void **context)
{
    struct lock_line line = {0};

    (void)context;
    expect(&line, 0, join(1, 9000, true), "try 1");
    expect(&line, 1, wake, "");
    expect(&line, 2, tried(1, LOCK_HELD), "try 1");
    expect(&line, 3, tried(1, LOCK_HELD), "alarm 1003");
}

static void deadlines_are_kept(void **context)
{
    struct lock_line line = {0};

    (void)context;
    expect(&line, 0, join(1, 700, true), "try 1");
    expect(&line, 0, join(2, 300, true), "alarm 300");
    expect(&line, 0, join(3, 400, false), "alarm 300");
    expect(&line, 300, timer, "2 held, alarm 400");
    /* The first has not been answered: nobody knows whether it is held. */
    expect(&line, 400, timer, "3 TIMEOUT");
    expect(&line, 500, tried(1, LOCK_HELD), "alarm 700");
    expect(&line, 700, timer, "1 held");
    assert_int_equal(line.count, 0);
}

/* K-LOCK-7 */
static void k_lock_7_who_leaves_is_dropped(void **context)
{
    struct lock_line line = {0};

    (void)context;
    expect(&line, 0, join(1, 9000, true), "try 1");
    expect(&line, 0, join(2, 9000, true), "alarm 9000");
    expect(&line, 0, join(3, 9000, true), "alarm 9000");
    expect(&line, 1, leave(2), "alarm 9000");
    expect(&line, 2, leave(7), "alarm 9000");
    expect(&line, 3, leave(1), "drop 1, try 3");
    expect(&line, 4, tried(1, LOCK_OK), ""); /* it is not the first's */
    expect(&line, 5, tried(3, LOCK_HELD), "alarm 1005");
    expect(&line, 6, leave(3), "");
    assert_int_equal(line.count, 0);
}

static void a_failure_is_told_to_the_first_alone(void **context)
{
    struct lock_line line = {0};

    (void)context;
    expect(&line, 0, join(1, 9000, true), "try 1");
    expect(&line, 0, join(2, 9000, true), "alarm 9000");
    expect(&line, 1, tried(1, LOCK_FAILED), "1 LOST, try 2");
}

/* More answers are due than fit into one step. */
static void many_answers_take_several_steps(void **context)
{
    struct lock_line line = {0};
    uint64_t now = 1;
    int answers = 0;

    (void)context;
    for (uint64_t i = 1; i <= LOCK_LINE_MAX; i++) {
        struct lock_line_event event = join(i, 9000, false);
        line = lock_line_step(line, event).line;
    }
    for (struct lock_line_event event = tried(1, LOCK_HELD); line.count > 0;
         event = timer) {
        struct lock_line_step step;
        event.now_ns = now * MS;
        step = lock_line_step(line, event);
        line = step.line;
        assert_in_range(step.effect_count, 1, LOCK_LINE_EFFECTS);
        for (uint32_t i = 0; i < step.effect_count; i++) {
            const struct lock_line_effect *effect = &step.effects[i];
            if (effect->kind == LOCK_LINE_ANSWER) {
                assert_int_equal(effect->ticket, ++answers);
                assert_int_equal(effect->outcome, LOCK_HELD);
            } else {
                assert_int_equal(effect->kind, LOCK_LINE_ALARM);
                assert_int_equal(effect->due_ns, now * MS);
            }
        }
    }
    assert_int_equal(answers, LOCK_LINE_MAX);
}

/* --- at random ------------------------------------------------------------ */

struct world
{
    struct lock_line line;
    uint64_t now;
    uint64_t alarm; /* 0: none */
    uint64_t tickets;
    uint64_t trying;  /* the ticket whose try is out; 0: none */
    uint64_t granted; /* the newest patient ticket that got the lock */
    bool busy;        /* somebody holds the resource */
    uint64_t freed;   /* when it was freed last */
    uint32_t waiting; /* tickets not answered */
    uint32_t grants;
};

static void apply(struct world *world, struct lock_line_event event)
{
    struct lock_line_step step;

    event.now_ns = world->now;
    step = lock_line_step(world->line, event);
    world->line = step.line;
    for (uint32_t i = 0; i < step.effect_count; i++) {
        const struct lock_line_effect *effect = &step.effects[i];
        switch (effect->kind) {
        case LOCK_LINE_TRY:
            assert_int_equal(world->trying, 0);
            world->trying = effect->ticket;
            break;
        case LOCK_LINE_DROP:
            assert_int_equal(world->trying, effect->ticket);
            world->trying = 0;
            break;
        case LOCK_LINE_ANSWER:
            world->waiting--;
            if (effect->outcome == LOCK_OK) {
                /* K-LOCK-6: nobody who came later was served before. */
                assert_true(effect->ticket > world->granted);
                world->granted = effect->ticket;
                world->grants++;
            }
            break;
        case LOCK_LINE_ALARM:
            world->alarm = effect->due_ns;
            break;
        }
    }
    assert_int_equal(world->waiting, world->line.count);
    /* Whoever waits is under way, or will be called. */
    if (world->waiting && !world->trying)
        assert_true(world->alarm >= world->now);
}

static void try_ends(struct world *world, bool fails)
{
    uint64_t ticket = world->trying;

    world->trying = 0;
    if (fails) {
        apply(world, tried(ticket, LOCK_FAILED));
    } else if (world->busy) {
        apply(world, tried(ticket, LOCK_HELD));
    } else {
        world->busy = true;
        apply(world, tried(ticket, LOCK_OK));
    }
}

static void turn(struct world *world, struct tape *tape)
{
    switch (tape_choose(tape, 6)) {
    case 0:
        if (world->line.count == LOCK_LINE_MAX)
            break;
        world->waiting++;
        apply(world,
              join(++world->tickets, world->now / MS + tape_choose(tape, 5000),
                   tape_choose(tape, 3) > 0));
        break;
    case 1:
        if (world->trying)
            try_ends(world, tape_choose(tape, 20) == 0);
        break;
    case 2:
        if (world->busy) {
            world->busy = false;
            if (tape_choose(tape, 4)) /* else the report is lost */
                apply(world, wake);
        }
        break;
    case 3:
        if (world->line.count) {
            uint64_t at = tape_choose(tape, world->line.count);
            uint64_t ticket = world->line.places[at].ticket;
            world->waiting--;
            apply(world, leave(ticket));
        }
        break;
    default:
        world->now += tape_choose(tape, 300) * MS;
        if (world->alarm && world->now >= world->alarm) {
            world->alarm = 0;
            apply(world, timer);
        }
        break;
    }
}

/* K-LOCK-6, K-LOCK-7 */
static void random_lines_serve_in_order(void **context)
{
    uint32_t grants = 0;

    (void)context;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct world world = {0};
        struct tape tape;
        tape_init_seed(&tape, seed);
        for (int i = 0; i < 400; i++)
            turn(&world, &tape);
        /* Left alone, everybody gets an answer, without a single report. */
        while (world.waiting) {
            world.busy = false;
            if (world.trying)
                try_ends(&world, false);
            if (world.waiting && !world.trying) {
                world.now = world.alarm > world.now ? world.alarm : world.now;
                apply(&world, timer);
            }
        }
        grants += world.grants;
        tape_fini(&tape);
    }
    assert_true(grants > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_who_does_not_wait),
        cmocka_unit_test(k_lock_6_the_first_goes_first),
        cmocka_unit_test(k_lock_6_a_try_does_not_overtake),
        cmocka_unit_test(k_lock_6_no_wake_up_is_lost),
        cmocka_unit_test(deadlines_are_kept),
        cmocka_unit_test(k_lock_7_who_leaves_is_dropped),
        cmocka_unit_test(a_failure_is_told_to_the_first_alone),
        cmocka_unit_test(many_answers_take_several_steps),
        cmocka_unit_test(random_lines_serve_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
