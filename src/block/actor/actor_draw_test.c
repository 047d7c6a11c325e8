/* Numbers that handlers draw: with which event they are told, and where they
 * come from when a run is done again. */

#include "base/alloc.h"
#include "block/actor/actor_place.h"

/* --- an actor that draws wherever it can ---------------------------------- */

struct die
{
    int64_t luck;
    int64_t shown;
    int64_t cache; /* so that a crash is felt */
};
KAN_RECORD(die, 1, KAN_INT(die, luck, 0, 1000), KAN_INT(die, shown, 0, 1000),
           KAN_INT_VOLATILE(die, cache, 0, 1000));
KAN_RECORD_EMPTY(throw);
KAN_RECORD_EMPTY(drop);

static void on_start(kan_turn *turn, void *state, const void *message)
{
    struct die *die = state;

    (void)message;
    die->luck = (int64_t)(kan_choose(turn, 100) + kan_choose(turn, 101));
}

static void on_restart(kan_turn *turn, void *state, const void *message)
{
    struct die *die = state;

    (void)message;
    die->luck = (int64_t)kan_choose(turn, 200);
}

static void on_throw(kan_turn *turn, void *state, const void *message)
{
    struct die *die = state;

    (void)message;
    die->shown = (int64_t)kan_choose(turn, 6);
}

static void on_drop(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_claim(turn, kan_choose(turn, 50) > 50, "it does not break");
}

static const struct kan_handler handlers[] = {{&throw_record, on_throw},
                                              {&drop_record, on_drop}};
static const struct kan_actor_type die_type = {.name = "die",
                                               .state = &die_record,
                                               .start = on_start,
                                               .restart = on_restart,
                                               KAN_HANDLERS(handlers)};
static const struct kan_actor_type *const types[] = {&die_type};
static const struct kan_module module = {KAN_MODULE_ABI, types, 1, NULL};

/* --- what is told --------------------------------------------------------- */

static struct place place;
static struct buffer told;      /* "message 100 101 6;": inputs and bounds */
static struct buffer asked_for; /* "0.0 0.1 ": step and number */

static void on_event(void *data, const struct actor_event *event)
{
    static const char *const inputs[] = {[PATH_MESSAGE] = "message",
                                         [PATH_TIMER] = "timer",
                                         [PATH_CRASH] = "crash",
                                         [PATH_RESTART] = "restart"};

    (void)data;
    buffer_append_text(&told, inputs[event->input]);
    for (uint32_t i = 0; i < event->choice_count; i++)
        buffer_print(&told, " %u", (unsigned)event->choices[2 * i + 1]);
    buffer_append_byte(&told, ';');
}

static uint64_t give(void *data, const struct actor_draw *draw)
{
    (void)data;
    assert_string_equal(draw->actor->text, "die/a");
    buffer_print(&asked_for, "%u.%u ", draw->step, draw->number);
    return draw->n - 1;
}

static void begin(actor_draw_cb *draw)
{
    place_begin(&place, PLACE_SQLITE, 1);
    place.modules[0] = &module;
    place.options.event = on_event;
    place.options.draw = draw;
    place_host(&place);
}

static void end(const char *wanted)
{
    assert_string_equal(buffer_text(&told), wanted);
    buffer_fini(&told);
    buffer_fini(&asked_for);
    place_close(&place);
}

static void test_a_start_is_told_with_the_first_input(void **state)
{
    (void)state;
    begin(NULL);
    call_gives(&place, "die/a", "throw", NULL, "");
    call_gives(&place, "die/a", "throw", NULL, "");
    end("message 100 101 6;message 6;");
}

/* Nothing tells of an input that was not taken. */
static void test_a_start_waits_for_an_input_that_is_taken(void **state)
{
    (void)state;
    begin(NULL);
    assert_int_equal(call(&place, "die/a", "drop", NULL).outcome,
                     ACTOR_CRASHED);
    assert_int_equal(call(&place, "die/a", "drop", NULL).outcome,
                     ACTOR_CRASHED);
    call_gives(&place, "die/a", "throw", NULL, "");
    call_gives(&place, "die/a", "throw", NULL, "");
    end("message 100 101 6;message 6;");
}

static void test_a_crash_draws_nothing(void **state)
{
    (void)state;
    begin(NULL);
    call_gives(&place, "die/a", "throw", NULL, "");
    host_close(&place);
    place_host(&place);
    call_gives(&place, "die/a", "throw", NULL, "");
    end("message 100 101 6;crash;restart 200;message 6;");
}

/* Steps of one commit are told apart. */
static void test_numbers_are_given(void **state)
{
    struct asked asked[3];

    (void)state;
    begin(give);
    for (int i = 0; i < 3; i++) {
        to_ask(&asked[i], "die/a", "throw", NULL);
        ask(&place, &asked[i]);
    }
    for (int i = 0; i < 3; i++)
        run_until(&place, &asked[i].done);
    assert_int_equal(field_of(&place, "die/a", "luck"), 199);
    assert_int_equal(field_of(&place, "die/a", "shown"), 5);
    assert_string_equal(buffer_text(&asked_for), "0.0 0.1 0.2 1.0 2.0 ");
    end("message 100 101 6;message 6;message 6;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_start_is_told_with_the_first_input),
        cmocka_unit_test(test_a_start_waits_for_an_input_that_is_taken),
        cmocka_unit_test(test_a_crash_draws_nothing),
        cmocka_unit_test(test_numbers_are_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
