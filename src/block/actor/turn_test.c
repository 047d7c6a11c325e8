/* One step of one actor: what it may do, what it may not, and what is said
 * about it. */

#include "block/actor/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/record.h"
#include "block/actor/guard.h"
#include "block/actor/turn_case.h"

/* --- a place to run it ---------------------------------------------------- */

struct place
{
    struct turn *turn;
    struct kan_ref self;
    struct kan_ref sender;
    struct tally state;
    struct add add;
    struct turn_input input;
    uint32_t draws;
    uint64_t answers[4];
    uint32_t answer_count;
    int64_t live;
};

static const int64_t parameters[] = {3, 30};

static uint64_t choose_next(void *data, uint64_t n)
{
    struct place *place = data;
    uint32_t at = place->draws++;

    if (place->answer_count == UINT32_MAX)
        return at % n;
    return at < place->answer_count ? place->answers[at] % n : TURN_NO_CHOICE;
}

static int place_setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    place->live = mem_live();
    assert_int_equal(turn_new(&place->turn), KAN_OK);
    place->self = kan_ref_number("tally", 7);
    place->sender = kan_ref_named("client", "you");
    place->state.value = 3;
    place->input = (struct turn_input){
        .kind = TURN_MESSAGE,
        .type = &turn_case,
        .self = &place->self,
        .sender = &place->sender,
        .record = &add_record,
        .message = &place->add,
        .now_ms = 1000,
        .parameters = parameters,
        .parameter_count = 2,
        .choose = choose_next,
        .data = place,
    };
    *state = place;
    return 0;
}

static int place_teardown(void **state)
{
    struct place *place = *state;

    assert_null(turn_free(place->turn));
    assert_int_equal(mem_live(), place->live);
    free(place);
    return 0;
}

/* cmocka takes the signals for itself, before each test and its setup. */
static void place_guard(void)
{
    assert_int_equal(guard_install(), KAN_OK);
}

static const struct turn_output *run(struct place *place, enum way way)
{
    place_guard();
    place->add.way = (uint8_t)way;
    place->draws = 0;
    return turn_run(place->turn, &place->input, &place->state);
}

static const struct turn_output *run_twice(struct place *place, enum way way,
                                           bool relative)
{
    place_guard();
    place->add.way = (uint8_t)way;
    place->draws = 0;
    return turn_run_twice(place->turn, &place->input, &place->state, relative);
}

/* It ended so, and did nothing. */
static void check_nothing(const struct place *place,
                          const struct turn_output *output, enum turn_end end,
                          const char *why)
{
    if (output->end != end)
        print_error("%s\n", output->why);
    assert_int_equal(output->end, end);
    assert_string_equal(output->why, why);
    assert_memory_equal(output->state, &place->state, sizeof(place->state));
    assert_false(output->changed);
    assert_false(output->released);
    assert_int_equal(output->send_count, 0);
    assert_int_equal(output->timer_count, 0);
    assert_int_equal(output->note_count, 0);
}

/* Its why begins and ends so. */
static void check_why(const struct turn_output *output, enum turn_end end,
                      const char *start, const char *finish)
{
    size_t size = strlen(output->why);

    if (output->end != end || strncmp(output->why, start, strlen(start)) != 0)
        print_error("%s\n", output->why);
    assert_int_equal(output->end, end);
    assert_memory_equal(output->why, start, strlen(start));
    assert_true(size >= strlen(finish));
    assert_string_equal(output->why + size - strlen(finish), finish);
}

/* --- what a step does ----------------------------------------------------- */

static void test_step(void **state)
{
    struct place *place = *state;
    const struct turn_output *output;

    place->add.amount = 4;
    output = run(place, ADD);
    assert_int_equal(output->end, TURN_DONE);
    assert_string_equal(output->why, "");
    assert_true(output->changed);
    assert_int_equal(((const struct tally *)output->state)->value, 7);
    assert_int_equal(place->state.value, 3);
    assert_int_equal(output->send_count, 1);
    assert_string_equal(output->sends[0].to.text, "client/you");
    assert_string_equal(output->sends[0].record->name, "total");
    assert_int_equal(((const struct total *)output->sends[0].message)->value,
                     7);
    assert_false(output->sends[0].call);
    assert_int_equal(output->timer_count, 2);
    assert_int_equal(output->timers[0].timer, 1);
    assert_true(output->timers[0].set);
    assert_int_equal(output->timers[0].after_ms, 250);
    assert_int_equal(output->timers[1].timer, 0);
    assert_false(output->timers[1].set);
}

static void test_nothing(void **state)
{
    struct place *place = *state;

    check_nothing(place, run(place, NOTHING), TURN_DONE, "");
    place->input.record = &unknown_record;
    place->input.message = NULL;
    check_nothing(place, run(place, NOTHING), TURN_UNHANDLED, "");
    place->input.kind = TURN_START;
    check_nothing(place, run(place, NOTHING), TURN_DONE, "");
    place->input.kind = TURN_RESTART;
    check_nothing(place, run(place, NOTHING), TURN_DONE, "");
}

static void test_send_zero(void **state)
{
    struct place *place = *state;
    const struct turn_output *output = run(place, SEND_ZERO);
    struct total zeroed = {0};

    assert_int_equal(output->end, TURN_DONE);
    assert_int_equal(output->send_count, 2);
    assert_memory_equal(output->sends[0].message, &zeroed, sizeof(zeroed));
    assert_null(output->sends[1].message);
    assert_true(output->sends[1].call);
    assert_string_equal(output->sends[1].to.text, "tally/7");
}

/* What stands behind the end of a reference is not sent. */
static void test_send_leftover(void **state)
{
    struct place *place = *state;
    const struct turn_output *output = run(place, SEND_LEFTOVER);
    struct kan_ref to = kan_ref_number("other", 1);

    assert_int_equal(output->end, TURN_DONE);
    assert_int_equal(output->send_count, 1);
    assert_true(kan_ref_equal(&output->sends[0].to, &to));
}

static void test_kinds(void **state)
{
    struct place *place = *state;
    const struct turn_output *output;

    place->input.record = &ping_record;
    place->input.message = NULL;
    output = run(place, NOTHING);
    assert_int_equal(((const struct tally *)output->state)->value, 1);
    place->input.kind = TURN_TIMER;
    place->input.sender = NULL;
    place->input.timer = 0;
    output = run(place, NOTHING);
    assert_int_equal(((const struct tally *)output->state)->value, 2);
    place->input.timer = 1;
    check_nothing(place, run(place, NOTHING), TURN_INVALID,
                  "tally: tock: sends total to nobody: '' is no \"type/id\"");
}

static void start_set(kan_turn *turn, void *state, const void *message)
{
    struct add *add = state;

    (void)turn;
    (void)message;
    add->amount = 1;
}

static void start_not(kan_turn *turn, void *state, const void *message)
{
    (void)turn;
    (void)state;
    (void)message;
}

static void test_start(void **state)
{
    struct place *place = *state;
    static const struct kan_field fields[] = {KAN_INT(add, amount, 1, 9)};
    static const struct kan_record record = {
        "from1", sizeof(struct add), 1, fields, 1, NULL, 0};
    struct kan_actor_type starts = {
        .name = "starts", .state = &record, .start = start_set};
    struct add zeroed = {0};
    const struct turn_output *output;

    place->input.type = &starts;
    place->input.kind = TURN_START;
    output = turn_run(place->turn, &place->input, &zeroed);
    assert_int_equal(output->end, TURN_DONE);
    assert_true(output->changed);
    assert_int_equal(((const struct add *)output->state)->amount, 1);
    starts.start = start_not;
    output = turn_run(place->turn, &place->input, &zeroed);
    assert_int_equal(output->end, TURN_INVALID);
    assert_string_equal(output->why,
                        "starts: start: the state's amount = 0 is outside "
                        "1..9");
}

static void test_ends(void **state)
{
    struct place *place = *state;
    const struct turn_output *output;

    check_nothing(place, run(place, REFUSE), TURN_REFUSED, "it is closed");
    check_nothing(place, run(place, DECLINE), TURN_INVALID,
                  "tally: add: calls kan_decline(), which only a model with "
                  "KAN_COMPAT_SPEC may; use kan_refuse()");
    place->input.may_decline = true;
    check_nothing(place, run(place, DECLINE), TURN_DECLINED, "");
    check_nothing(place, run(place, CLAIM), TURN_CLAIM,
                  "tally: add: the claim 'one is two' does not hold");
    output = run(place, RELEASE);
    assert_int_equal(output->end, TURN_DONE);
    assert_true(output->released);
    output = run(place, NOTES);
    assert_int_equal(output->note_count, 2);
    assert_int_equal(output->notes[0].kind, TURN_INVOKE);
    assert_int_equal(output->notes[0].op, 7);
    assert_int_equal(output->notes[0].value, 70);
    assert_int_equal(output->notes[1].kind, TURN_COMPLETE);
    assert_int_equal(output->notes[1].value, 30);
}

static void test_choices(void **state)
{
    struct place *place = *state;
    const struct turn_output *output;

    check_nothing(place, run(place, DRAW), TURN_NEEDS_CHOICE, "");
    assert_int_equal(place->draws, 1);
    place->answers[0] = 2;
    place->answer_count = 1;
    check_nothing(place, run(place, DRAW), TURN_NEEDS_CHOICE, "");
    assert_int_equal(place->draws, 2);
    place->answers[1] = 3;
    place->answer_count = 2;
    output = run(place, DRAW);
    assert_int_equal(output->end, TURN_DONE);
    assert_int_equal(((const struct tally *)output->state)->value, 5);
    /* Asked for once, given twice. */
    output = run_twice(place, DRAW, true);
    assert_int_equal(output->end, TURN_DONE);
    assert_int_equal(((const struct tally *)output->state)->value, 5);
    assert_int_equal(place->draws, 2);
    place->answer_count = 1;
    check_nothing(place, run_twice(place, DRAW, true), TURN_NEEDS_CHOICE, "");
    place->input.choose = NULL;
    check_nothing(place, run(place, DRAW), TURN_NEEDS_CHOICE, "");
}

/* --- what it may not do --------------------------------------------------- */

static void test_invalid(void **state)
{
    struct place *place = *state;
    static const struct
    {
        enum way way;
        const char *why;
    } cases[] = {
        {OVERFLOW, "tally: add: the state's value = 15 is outside 0..10"},
        {BAD_TEXT,
         "tally: add: the state's name: the text has no zero at its "
         "end; at most 9 bytes fit"},
        {BAD_SEND, "tally: add: the sent total's value = 11 is outside 0..10"},
        {SEND_MANY, "tally: add: sends more than 64 messages in one step"},
        {TIMER_WRONG, "tally: add: uses timer 2 of 2 in its type's table"},
        {TIMER_FAR,
         "tally: add: sets timer tock to 18446744073709551615 ms "
         "from now, where no clock ever is"},
        {TIMER_MANY,
         "tally: add: sets and clears timers more than 32 times in "
         "one step"},
        {PARAMETER_WRONG,
         "tally: add: asks for parameter 2 of 2 in its model's table"},
        {NOTES_MANY,
         "tally: add: calls kan_invoke() and kan_complete() more "
         "than 4 times in one step"},
        {DRAW_NONE,
         "tally: add: calls kan_choose() with nothing to choose from"},
        {DRAW_MANY,
         "tally: add: calls kan_choose() more than 256 times in one step"},
        {STATE_BEHIND, "tally: add: wrote behind the end of its state"},
        {MESSAGE_BEHIND, "tally: add: wrote behind the end of its message"},
    };

    place->answer_count = UINT32_MAX;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_nothing(place, run(place, cases[i].way), TURN_INVALID,
                      cases[i].why);
        check_nothing(place, run_twice(place, cases[i].way, true), TURN_INVALID,
                      cases[i].why);
    }
    check_why(run(place, BAD_TABLE), TURN_INVALID,
              "tally: add: the table of a sent message: broken", "");
    check_why(run(place, BAD_REF), TURN_INVALID,
              "tally: add: sends total to nobody: 'xxx",
              "x' is no \"type/id\"");
}

static void test_other_table(void **state)
{
    struct place *place = *state;
    static const struct kan_field same[] = {KAN_INT(add, way, 0, 255),
                                            KAN_INT(add, amount, -100, 100)};
    static const struct kan_field other[] = {KAN_INT(add, way, 0, 255),
                                             KAN_TIME(add, amount)};
    struct kan_record record = add_record;

    record.fields = same;
    place->input.record = &record;
    place->add.amount = 2;
    assert_int_equal(run(place, ADD)->end, TURN_DONE);
    record.fields = other;
    check_nothing(place, run(place, ADD), TURN_INVALID,
                  "tally: add: the sender's struct add has other fields than "
                  "the handler's: build both from one header");
}

static void test_crashes(void **state)
{
    struct place *place = *state;
    const struct turn_output *output = run(place, CRASH);

    check_why(output, TURN_CRASHED,
              "tally: add: touched memory that is not its own (SIGSEGV at ",
              ")");
    assert_null(output->address);
    check_why(run(place, DIVIDE), TURN_CRASHED,
              "tally: add: divided by zero, or a number too large (SIGFPE", "");
    check_why(run(place, ABORT), TURN_CRASHED, "tally: add: aborted", "");
    /* And on it goes. */
    place->add.amount = 1;
    assert_int_equal(run(place, ADD)->end, TURN_DONE);
}

/* A stack without end. The thread sanitizer keeps a stack of calls of its own,
 * which such a handler runs over first, and dies of it. */
static void test_deep(void **state)
{
#ifdef TURN_THREAD_SANITIZER
    (void)state;
    skip();
#else
    struct place *place = *state;

    check_why(run(place, DEEP), TURN_CRASHED,
              "tally: add: touched memory that is not its own (SIGSEGV at ",
              "");
    assert_non_null(run(place, DEEP)->address);
    place->add.amount = 1;
    assert_int_equal(run(place, ADD)->end, TURN_DONE);
#endif
}

static void test_overrun(void **state)
{
    struct place *place = *state;

    place->input.limit_ms = 5;
    for (int i = 0; i < 3; i++) {
        place->add.amount = 1;
        assert_int_equal(run(place, ADD)->end, TURN_DONE);
        check_nothing(place, run(place, LOOP), TURN_OVERRUN,
                      "tally: add: did not end within 5 ms of computing");
    }
    check_nothing(place, run_twice(place, LOOP, true), TURN_OVERRUN,
                  "tally: add: did not end within 5 ms of computing");
}

/* --- the same twice ------------------------------------------------------- */

static void test_twice(void **state)
{
    struct place *place = *state;
    const struct turn_output *output;

    place->add.amount = 4;
    for (int relative = 0; relative < 2; relative++) {
        output = run_twice(place, ADD, relative);
        assert_int_equal(output->end, TURN_DONE);
        assert_int_equal(((const struct tally *)output->state)->value, 7);
        assert_int_equal(output->send_count, 1);
        assert_int_equal(output->timer_count, 2);
        check_nothing(place, run_twice(place, NOTHING, relative), TURN_DONE,
                      "");
        check_nothing(place, run_twice(place, REFUSE, relative), TURN_REFUSED,
                      "it is closed");
    }
}

static void test_twice_times(void **state)
{
    struct place *place = *state;
    const struct turn_output *output;
    const struct tally *tally;

    for (int64_t since = 0; since < 1000; since += 900) {
        place->state.since_ms = since;
        output = run_twice(place, TIMES, true);
        assert_string_equal(output->why, "");
        tally = output->state;
        assert_int_equal(tally->since_ms, 1005);
        assert_int_equal(tally->value, since ? 4 : 3);
        assert_int_equal(
            ((const struct total *)output->sends[0].message)->at_ms, 1004);
    }
}

static void test_twice_differs(void **state)
{
    struct place *place = *state;
    const char *once =
        "tally: add: is not deterministic: run again it gives "
        "another outcome, as when it reads what was never set: ";
    const char *clock =
        "tally: add: gives another outcome on another day, so "
        "a time is where none is declared: ";
    static const struct
    {
        enum way way;
        const char *what;
    } cases[] = {
        {PADDING_STATE, "state: value: 0 -> 5"},
        {PADDING_MESSAGE, "state: value: 0 -> 5"},
        {KEEPS, "state: value: 0 -> 1"},
        {KEEPS_SEND_TO, "message 1 goes to other/0, then to other/1"},
        {KEEPS_TIMER, "timer tock is set to 0 ms, then tock set to 1"},
        {KEEPS_DRAW, "kan_choose() number 1 is of 2, then of 3"},
        {KEEPS_END, "done, then refused: every second time"},
        {KEEPS_NOTE, "kan_invoke() of 0, then kan_invoke() of 1"},
    };

    place->answer_count = UINT32_MAX;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        turn_case_kept = 0;
        check_why(run_twice(place, cases[i].way, false), TURN_INVALID, once,
                  cases[i].what);
    }
    check_why(run_twice(place, CLOCK_KEPT, true), TURN_INVALID, clock,
              "state: last: 1000 -> 12867");
    check_why(run_twice(place, CLOCK_SENT, true), TURN_INVALID, clock, "");
    assert_int_equal(run_twice(place, CLOCK_KEPT, false)->end, TURN_DONE);
}

static void test_twice_stack(void **state)
{
    struct place *place = *state;

    check_why(run_twice(place, STACK_READ, true), TURN_INVALID,
              "tally: add: is not deterministic", "state: value: 0 -> 5");
}

/* --- memory and types ----------------------------------------------------- */

static void test_no_memory(void **state)
{
    int64_t live = mem_live();
    enum kan_err err = KAN_NOMEM;
    struct turn *turn = NULL;

    (void)state;
    for (uint64_t n = 1; err == KAN_NOMEM; n++) {
        mem_fault(n, false);
        err = turn_new(&turn);
        mem_fault(0, false);
        if (err == KAN_NOMEM) {
            assert_null(turn);
            assert_int_equal(mem_live(), live);
        }
    }
    assert_int_equal(err, KAN_OK);
    turn_free(turn);
    assert_null(turn_free(NULL));
}

/* A failure needs no memory either. */
static void test_no_memory_run(void **state)
{
    struct place *place = *state;

    mem_fault(1, true);
    const struct turn_output *output = run(place, OVERFLOW);
    mem_fault(0, false);
    check_nothing(place, output, TURN_INVALID,
                  "tally: add: the state's value = 15 is outside 0..10");
}

static void check_type(struct kan_actor_type bad, const char *expected)
{
    struct buffer why = BUFFER_INIT;

    assert_int_equal(turn_check_type(&bad, &why), KAN_INVALID);
    assert_string_equal(buffer_text(&why), expected);
    buffer_fini(&why);
}

static void test_types(void **state)
{
    static const struct kan_handler twice[] = {{&add_record, start_not},
                                               {&add_record, start_not}};
    static const struct kan_handler empty[] = {{&add_record, NULL}};
    static const struct kan_timer_type nameless[] = {{"", start_not}};
    static const struct kan_timer_type same[] = {{"tick", start_not},
                                                 {"tick", start_not}};
    static const struct kan_field fields[] = {KAN_INT(add, amount, 1, 9)};
    static const struct kan_record from1 = {
        "from1", sizeof(struct add), 1, fields, 1, NULL, 0};
    struct buffer why = BUFFER_INIT;
    struct kan_actor_type bad = turn_case;

    (void)state;
    assert_int_equal(turn_check_type(&turn_case, &why), KAN_OK);
    assert_int_equal(why.size, 0);
    buffer_fini(&why);
    bad.name = "two words";
    check_type(bad,
               "a type of actor is called 'two words': a name has 1 to 31 "
               "letters, digits, - and _");
    bad.name = "tally";
    bad.flags = 64;
    check_type(bad, "tally: has unknown flags (0x40)");
    bad = turn_case;
    bad.mailbox_max = 2000;
    check_type(bad, "tally: mailbox_max = 2000 is outside 0..1024");
    bad = turn_case;
    bad.state = NULL;
    check_type(bad, "tally: its state has no table");
    bad = turn_case;
    bad.handlers = twice;
    check_type(bad, "tally: add has two handlers");
    bad.handlers = empty;
    bad.handler_count = 1;
    check_type(bad, "tally: the handler of add has no function");
    bad = turn_case;
    bad.timers = nameless;
    bad.timer_count = 1;
    check_type(bad,
               "tally: timer 0 needs a name of 1 to 31 letters, digits, - "
               "and _");
    bad.timers = same;
    bad.timer_count = 2;
    check_type(bad, "tally: two timers are called tick");
    bad.timer_count = 17;
    check_type(bad, "tally: has 17 timers; at most 16 fit");
    bad = turn_case;
    bad.state = &from1;
    check_type(bad,
               "tally: the first state is all zeros, but from1.amount = 0 "
               "is outside 1..9: give the type a start that sets it");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_step),          TEST(test_nothing),
        TEST(test_send_zero),     TEST(test_send_leftover),
        TEST(test_kinds),         TEST(test_start),
        TEST(test_ends),          TEST(test_choices),
        TEST(test_invalid),       TEST(test_other_table),
        TEST(test_crashes),       TEST(test_deep),
        TEST(test_overrun),       TEST(test_twice),
        TEST(test_twice_times),   TEST(test_twice_differs),
        TEST(test_twice_stack),   cmocka_unit_test(test_no_memory),
        TEST(test_no_memory_run), cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
