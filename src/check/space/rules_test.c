/* What handlers do, and what becomes of it: chance, mistakes, serial actors,
 * chains of calls, modules without a model. And the space under failures. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/space/inside.h"
#include "check/space/space_case.h"

static void assert_counts(struct space_case *the_case, uint64_t states,
                          uint64_t generated, uint64_t terminal)
{
    space_case_walk(the_case);
    if (the_case->walk.broken > 0 || the_case->walk.err != KAN_OK)
        fail_msg("%s", the_case->walk.why);
    assert_int_equal(the_case->walk.states, states);
    assert_int_equal(the_case->walk.generated, generated);
    assert_int_equal(the_case->walk.terminal, terminal);
}

/* --- chance --------------------------------------------------------------- */

struct dice
{
    uint8_t first;
    uint8_t second;
};
KAN_RECORD(dice, 1, KAN_INT(dice, first, 0, 9), KAN_INT(dice, second, 0, 9));

static void dice_start(kan_turn *turn, void *state, const void *message)
{
    struct dice *dice = state;

    (void)message;
    if (kan_choose(turn, 2))
        dice->first = (uint8_t)(1 + kan_choose(turn, 3));
    kan_timer_set(turn, 0, 10);
}

static void dice_roll(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    ((struct dice *)state)->second = (uint8_t)(1 + kan_choose(turn, 3));
}

static const struct kan_timer_type dice_timers[] = {{"roll", dice_roll}};
static const struct kan_actor_type dice_type = {.name = "dice",
                                                .state = &dice_record,
                                                .start = dice_start,
                                                KAN_TIMERS(dice_timers)};

static void dice_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &dice_type, 0);
}

static void two_dice_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &dice_type, 0);
    kan_setup_actor(setup, &dice_type, 1);
}

static void every_choice_is_taken(void **context)
{
    struct space_case one = {.model = {.name = "dice", .setup = dice_setup}};
    struct space_case two = {
        .model = {.name = "dice", .setup = two_dice_setup}};
    struct space_case once = one;

    (void)context;
    assert_counts(&one, 4 + 12, 4 + 12, 12);
    assert_counts(&two, 16 * 16, 16 + 2 * 16 * 12, 144);
    assert_true(two.pairs > 0);
    once.options.once = true;
    assert_counts(&once, 4 + 12, 4 + 12, 12);
    assert_int_equal(once.walk.sum.low, one.walk.sum.low);
}

/* --- mistakes ------------------------------------------------------------- */

enum mistake
{
    MISTAKE_CLAIM,
    MISTAKE_RANGE,
    MISTAKE_CRASH,
    MISTAKE_UNSTEADY,
    MISTAKE_STRANGER,
    MISTAKE_COMPLETE,
    MISTAKE_ENDLESS,
    MISTAKE_CHOICES,
    MISTAKE_TWICE
};

enum
{
    FAULTY_MISTAKE,
    FAULTY_START
};

struct faulty
{
    uint8_t value;
};
KAN_RECORD(faulty, 1, KAN_INT(faulty, value, 0, 3));

static uint32_t faulty_calls;
/* A thread sanitizer hands out signals at calls of the C library. */
static size_t (*volatile faulty_length)(const char *text) = strlen;

static void faulty_do(kan_turn *turn, struct faulty *faulty)
{
    struct kan_ref stranger = kan_ref_named("nobody", "0");

    switch ((enum mistake)kan_parameter(turn, FAULTY_MISTAKE)) {
    case MISTAKE_CLAIM:
        kan_claim(turn, faulty->value > 0, "the value is positive");
        break;
    case MISTAKE_RANGE:
        faulty->value = 4;
        break;
    case MISTAKE_CRASH:
        *(volatile uint8_t *)8 = 1;
        break;
    case MISTAKE_UNSTEADY:
        faulty->value = (uint8_t)(faulty_calls++ % 4);
        break;
    case MISTAKE_STRANGER:
        kan_send(turn, &stranger, &faulty_record, faulty);
        break;
    case MISTAKE_COMPLETE:
        kan_complete(turn, 0);
        break;
    case MISTAKE_ENDLESS:
        while (faulty_length("") == 0)
            continue;
        break;
    case MISTAKE_CHOICES:
        (void)kan_choose(turn, 5000);
        break;
    case MISTAKE_TWICE:
        kan_invoke(turn, KAN_REGISTER_READ, 0);
        kan_invoke(turn, KAN_REGISTER_READ, 0);
        break;
    }
}

static void faulty_start(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    if (kan_parameter(turn, FAULTY_START))
        faulty_do(turn, state);
    kan_timer_set(turn, 0, 0);
}

static void faulty_go(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    faulty_do(turn, state);
}

static const struct kan_timer_type faulty_timers[] = {{"go", faulty_go}};
static const struct kan_actor_type faulty_type = {.name = "faulty",
                                                  .state = &faulty_record,
                                                  .start = faulty_start,
                                                  KAN_TIMERS(faulty_timers)};
static const struct kan_model_parameter faulty_parameters[] = {
    {"mistake", 0, 0, MISTAKE_TWICE, "which"},
    {"start", 0, 0, 1, "when it starts"},
};
static const struct kan_spec register_spec = KAN_REGISTER_SPEC;
static const struct kan_model_property register_properties[] = {
    {.name = "register", .kind = KAN_LINEARIZABLE, .spec = &register_spec}};

static void faulty_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &faulty_type, 0);
}

static void mistakes_are_told(void **context)
{
    static const char *const words[] = {
        [MISTAKE_CLAIM] = "the value is positive",
        [MISTAKE_RANGE] = "value = 4 is outside 0..3",
        [MISTAKE_CRASH] = "touched memory",
        [MISTAKE_UNSTEADY] = "not deterministic",
        [MISTAKE_STRANGER] = "\"nobody/0\", who is not in the model",
        [MISTAKE_COMPLETE] = "kan_complete() without",
        [MISTAKE_ENDLESS] = "did not end",
        [MISTAKE_CHOICES] = "4,096",
        [MISTAKE_TWICE] = "kan_invoke()",
    };

    (void)context;
    for (int64_t i = 0; i <= 2 * MISTAKE_TWICE + 1; i++) {
        int64_t parameters[] = {i / 2, i % 2};
        struct space_case the_case = {
            .model = {.name = "faulty",
                      KAN_PARAMETERS(faulty_parameters),
                      KAN_PROPERTIES(register_properties),
                      .setup = faulty_setup},
            .options = {.parameters = parameters, .limit_ms = 20}};
        space_case_walk(&the_case);
        if (i % 2 == 0) {
            assert_int_equal(the_case.walk.err, KAN_OK);
            assert_int_equal(the_case.walk.states, 1);
            assert_int_equal(the_case.walk.broken, 1);
        } else {
            assert_int_equal(the_case.walk.err, KAN_CONFLICT);
        }
        if (!strstr(the_case.walk.why, words[i / 2]) ||
            !strstr(the_case.walk.why, "faulty/0: "))
            fail_msg("%d: \"%s\"", (int)i, the_case.walk.why);
    }
}

static bool name_object(void *data, const void *address, char *text,
                        size_t size)
{
    static const char name[] = "variable calls";

    (void)data;
    assert_ptr_equal(address, (void *)8);
    assert_true(size >= sizeof(name));
    memcpy(text, name, sizeof(name));
    return true;
}

static void what_a_crash_touched_is_named(void **context)
{
    int64_t parameters[] = {MISTAKE_CRASH, 0};
    struct space_case the_case = {
        .model = {.name = "faulty",
                  KAN_PARAMETERS(faulty_parameters),
                  .setup = faulty_setup},
        .options = {.parameters = parameters, .frozen_object = name_object}};

    (void)context;
    space_case_walk(&the_case);
    assert_int_equal(the_case.walk.broken, 1);
    assert_non_null(strstr(the_case.walk.why, "it is variable calls"));
}

/* --- serial actors -------------------------------------------------------- */

KAN_RECORD_EMPTY(ask);
KAN_RECORD_EMPTY(ask_back);
KAN_RECORD_EMPTY(answer);
KAN_RECORD_EMPTY(hello);
KAN_RECORD_EMPTY(lookup);
KAN_RECORD_EMPTY(found);

enum
{
    BOSS_IDLE,
    BOSS_WAITING,
    BOSS_ANSWERED,
    BOSS_GAVE_UP
};

enum
{
    CALL_PLAIN, /* the helper answers */
    CALL_BACK,  /* it calls the boss first */
    CALL_RELAY, /* it asks the stranger, and then calls the boss */
    CALL_REFUSE /* it refuses */
};

struct boss
{
    uint8_t phase;
    uint8_t hellos;
};
KAN_RECORD(boss, 1, KAN_INT(boss, phase, 0, 3), KAN_INT(boss, hellos, 0, 9));

struct helper
{
    uint8_t asked;
};
KAN_RECORD(helper, 1, KAN_INT(helper, asked, 0, 9));

enum
{
    PARAMETER_CALL,
    PARAMETER_PATIENT
};

static void boss_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_set(turn, 0, 0);
}

static void boss_go(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref helper = kan_ref_number("helper", 0);

    (void)message;
    ((struct boss *)state)->phase = BOSS_WAITING;
    kan_call(turn, &helper, &ask_record, NULL);
    if (!kan_parameter(turn, PARAMETER_PATIENT))
        kan_timer_set(turn, 1, 1000);
}

static void boss_give_up(kan_turn *turn, void *state, const void *message)
{
    struct boss *boss = state;

    (void)message;
    if (boss->phase == BOSS_WAITING)
        boss->phase = BOSS_GAVE_UP;
    kan_release(turn);
}

static void boss_answer(kan_turn *turn, void *state, const void *message)
{
    (void)turn;
    (void)message;
    ((struct boss *)state)->phase = BOSS_ANSWERED;
}

static void boss_failed(kan_turn *turn, void *state, const void *message)
{
    const struct kan_failed *failed = message;

    kan_claim(turn, failed->err == KAN_INVALID, "the call was refused");
    ((struct boss *)state)->phase = BOSS_ANSWERED;
}

static void boss_hello(kan_turn *turn, void *state, const void *message)
{
    struct boss *boss = state;

    (void)message;
    kan_claim(turn, boss->phase != BOSS_WAITING, "it takes nothing else");
    boss->hellos++;
}

static void boss_ask_back(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_claim(turn, false, "calls that come back are not taken");
}

static void helper_ask(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref stranger = kan_ref_number("stranger", 0);

    (void)message;
    ((struct helper *)state)->asked++;
    switch (kan_parameter(turn, PARAMETER_CALL)) {
    case CALL_RELAY:
        kan_call(turn, &stranger, &lookup_record, NULL);
        break;
    case CALL_BACK:
        kan_call(turn, turn->sender, &ask_back_record, NULL);
        break;
    case CALL_REFUSE:
        kan_refuse(turn, "not today");
        break;
    default:
        kan_reply(turn, &answer_record, NULL);
    }
}

static void helper_found(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref boss = kan_ref_number("boss", 0);

    (void)state;
    (void)message;
    kan_call(turn, &boss, &ask_back_record, NULL);
}

static void helper_failed(kan_turn *turn, void *state, const void *message)
{
    const struct kan_failed *failed = message;

    (void)state;
    kan_claim(turn, failed->err == KAN_BUSY, "the boss waits");
    kan_reply(turn, &answer_record, NULL);
}

static void stranger_start(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref boss = kan_ref_number("boss", 0);

    (void)state;
    (void)message;
    kan_send(turn, &boss, &hello_record, NULL);
}

static void stranger_lookup(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_reply(turn, &found_record, NULL);
}

static const struct kan_timer_type boss_timers[] = {{"go", boss_go},
                                                    {"give-up", boss_give_up}};
static const struct kan_handler boss_handlers[] = {
    {&answer_record, boss_answer},
    {&hello_record, boss_hello},
    {&ask_back_record, boss_ask_back},
    {&kan_failed_record, boss_failed}};
static const struct kan_handler helper_handlers[] = {
    {&ask_record, helper_ask},
    {&found_record, helper_found},
    {&kan_failed_record, helper_failed}};
static const struct kan_handler stranger_handlers[] = {
    {&lookup_record, stranger_lookup}};
static const struct kan_actor_type boss_type = {.name = "boss",
                                                .state = &boss_record,
                                                .start = boss_start,
                                                .flags = KAN_ACTOR_SERIAL,
                                                KAN_HANDLERS(boss_handlers),
                                                KAN_TIMERS(boss_timers)};
static const struct kan_actor_type helper_type = {
    .name = "helper", .state = &helper_record, KAN_HANDLERS(helper_handlers)};
static const struct kan_actor_type stranger_type = {
    .name = "stranger",
    .state = &helper_record,
    .start = stranger_start,
    KAN_HANDLERS(stranger_handlers)};

static void serial_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &boss_type, 0);
    kan_setup_actor(setup, &helper_type, 0);
    kan_setup_actor(setup, &stranger_type, 0);
}

static const struct kan_model_parameter serial_parameters[] = {
    {"call", 0, 0, CALL_REFUSE, "what the helper does"},
    {"patient", 1, 0, 1, "0: the boss gives up after a second"},
};

static struct space_case serial(const int64_t *parameters,
                                enum kan_network network)
{
    struct space_case the_case = {.model = {.name = "serial",
                                            KAN_PARAMETERS(serial_parameters),
                                            .setup = serial_setup,
                                            .network = network},
                                  .options = {.parameters = parameters}};
    return the_case;
}

static void serial_actors_wait(void **context)
{
    const int64_t plain[] = {CALL_PLAIN, 1};
    struct space_case unordered = serial(plain, KAN_NETWORK_UNORDERED);
    struct space_case durable = serial(plain, KAN_NETWORK_DURABLE);

    (void)context;
    /* Idle, asking, answering, answered; hello comes first or last. */
    assert_counts(&unordered, 8, 1 + 5 + 3, 1);
    assert_counts(&durable, 8, 1 + 5 + 3, 1);
}

static void calls_that_come_back_are_busy(void **context)
{
    const int64_t back[] = {CALL_BACK, 1};
    struct space_case unordered = serial(back, KAN_NETWORK_UNORDERED);
    struct space_case durable = serial(back, KAN_NETWORK_DURABLE);

    (void)context;
    /* As above, and asking back, and its failure. */
    assert_counts(&unordered, 12, 1 + 7 + 5, 1);
    assert_counts(&durable, 12, 1 + 7 + 5, 1);
}

/* The chain goes on when the stranger has answered the helper. */
static void chains_come_back_with_answers(void **context)
{
    const int64_t relay[] = {CALL_RELAY, 1};
    struct space_case unordered = serial(relay, KAN_NETWORK_UNORDERED);

    (void)context;
    assert_counts(&unordered, 16, 1 + 9 + 7, 1);
}

static void a_refusal_is_an_answer(void **context)
{
    const int64_t refuse[] = {CALL_REFUSE, 1};
    struct space_case the_case = serial(refuse, KAN_NETWORK_DURABLE);

    (void)context;
    assert_counts(&the_case, 8, 1 + 5 + 3, 1);
}

static bool greeted_early(struct space_walker *walker,
                          const struct space_state *state)
{
    const struct boss *boss = space_actor_state(walker, state, 0);
    const struct helper *helper = space_actor_state(walker, state, 1);

    return boss->phase == BOSS_GAVE_UP && boss->hellos == 1 &&
           helper->asked == 0;
}

static void who_gives_up_is_free(void **context)
{
    const int64_t impatient[] = {CALL_PLAIN, 0};
    struct space_case the_case = serial(impatient, KAN_NETWORK_UNORDERED);

    (void)context;
    the_case.holds = greeted_early;
    space_case_walk(&the_case);
    assert_int_equal(the_case.walk.broken, 0);
    assert_true(the_case.held > 0);
}

/* What a serial actor sends and is asked may also be lost, doubled, cut. */
static void serial_actors_under_faults(void **context)
{
    const int64_t back[] = {CALL_BACK, 0};
    const struct kan_faults faults = {
        .crash = 1, .lost = 1, .doubled = 1, .partition = 1, .clock = 1};
    struct space_case the_case = serial(back, KAN_NETWORK_UNORDERED);

    (void)context;
    the_case.model.faults = faults;
    space_case_walk(&the_case);
    assert_true(the_case.pairs > 10000);
    the_case = serial(back, KAN_NETWORK_ORDERED);
    the_case.model.faults = faults;
    space_case_walk(&the_case);
    assert_true(the_case.pairs > 10000);
}

/* --- chains --------------------------------------------------------------- */

struct pong
{
    uint8_t balls;
    uint8_t failures;
};
KAN_RECORD(pong, 1, KAN_INT(pong, balls, 0, 20), KAN_INT(pong, failures, 0, 9));
KAN_RECORD_EMPTY(ball);

static void pong_call(kan_turn *turn)
{
    struct kan_ref other =
        kan_ref_number("pong", 1 - kan_ref_to_number(turn->self));

    kan_call(turn, &other, &ball_record, NULL);
}

static void pong_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    if (kan_ref_to_number(turn->self) == 0)
        pong_call(turn);
    else
        kan_timer_set(turn, 0, 0);
}

static void pong_greet(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref other = kan_ref_number("pong", 0);

    (void)state;
    (void)message;
    kan_send(turn, &other, &hello_record, NULL);
}

static void pong_ball(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    ((struct pong *)state)->balls++;
    pong_call(turn);
}

static void pong_failed(kan_turn *turn, void *state, const void *message)
{
    (void)turn;
    (void)message;
    ((struct pong *)state)->failures++;
}

static const struct kan_handler pong_handlers[] = {
    {&ball_record, pong_ball}, {&kan_failed_record, pong_failed}};
static const struct kan_timer_type pong_timers[] = {{"greet", pong_greet}};
static const struct kan_actor_type pong_type = {.name = "pong",
                                                .state = &pong_record,
                                                .start = pong_start,
                                                KAN_HANDLERS(pong_handlers),
                                                KAN_TIMERS(pong_timers)};

static void pong_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &pong_type, 0);
    kan_setup_actor(setup, &pong_type, 1);
}

static bool pong_ended(struct space_walker *walker,
                       const struct space_state *state)
{
    const struct pong *one = space_actor_state(walker, state, 0);
    const struct pong *other = space_actor_state(walker, state, 1);

    return one->balls + other->balls == KAN_CHAIN_MAX &&
           one->failures + other->failures == 1;
}

/* The last failure stands in the channel where the other's greeting stands, so
 * their order matters. */
static void chains_end(void **context)
{
    static const enum kan_network networks[] = {KAN_NETWORK_UNORDERED,
                                                KAN_NETWORK_ORDERED};

    (void)context;
    for (size_t i = 0; i < 2; i++) {
        struct space_case the_case = {.model = {.name = "pong",
                                                .setup = pong_setup,
                                                .network = networks[i]},
                                      .holds = pong_ended};
        space_case_walk(&the_case);
        assert_int_equal(the_case.walk.err, KAN_OK);
        assert_int_equal(the_case.walk.broken, 0);
        assert_int_equal(the_case.walk.terminal, 1);
        assert_int_equal(the_case.held_terminal, 1);
    }
}

/* --- modules without a model ---------------------------------------------- */

struct counter
{
    int64_t value;
};
KAN_RECORD(counter, 1, KAN_INT(counter, value, 0, 8));

struct increment
{
    uint8_t amount;
};
KAN_RECORD(increment, 1, KAN_INT(increment, amount, 1, 2));

static void counter_increment(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref audit = kan_ref_named("audit", "elsewhere");

    ((struct counter *)state)->value +=
        ((const struct increment *)message)->amount;
    kan_reply(turn, &counter_record, state);
    kan_send(turn, &audit, &counter_record, state);
}

static const struct kan_handler counter_handlers[] = {
    {&increment_record, counter_increment}};
static const struct kan_actor_type counter_type = {
    .name = "counter",
    .state = &counter_record,
    KAN_HANDLERS(counter_handlers)};
static const struct kan_actor_type *const counter_types[] = {&counter_type};
static const struct kan_module counter_module = {KAN_MODULE_ABI, counter_types,
                                                 1, NULL};

static void modules_have_clients(void **context)
{
    struct space_case one = {
        .options = {.module = &counter_module, .clients = 1, .requests = 1}};
    struct space_case two = {.options = {.module = &counter_module}};

    (void)context;
    /* Nothing sent; 1 or 2 on its way; 1 or 2 taken. */
    assert_counts(&one, 5, 5, 2);
    space_case_walk(&two);
    assert_int_equal(two.walk.err, KAN_OK);
    assert_int_equal(two.walk.broken, 0);
    assert_true(two.pairs > 0);
}

/* --- in words ------------------------------------------------------------- */

/* The one step of that kind out of a state. */
static const struct space_step *step_of(struct space_walker *walker,
                                        const struct space_state *state,
                                        enum space_kind kind,
                                        struct space_step *steps)
{
    uint32_t count;

    assert_int_equal(space_expand(walker, state, steps, &count), KAN_OK);
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].kind == kind)
            return &steps[i];
    }
    fail_msg("no such step");
    return NULL;
}

static void steps_have_words(void **context)
{
    static struct space_step steps[SPACE_STEPS_MAX];
    static struct space_state state, next;
    struct space_options options = {.module = &counter_module, .clients = 1};
    struct buffer why = BUFFER_INIT;
    struct space *space;
    struct space_walker *walker;
    struct space_words words;
    struct space_words sent[2];
    const struct space_step *step;
    struct path_id actors[1];
    struct path_id path = {0, 0};

    (void)context;
    assert_int_equal(space_new(&options, &space, &why), KAN_OK);
    assert_int_equal(space_walker_new(space, &walker), KAN_OK);
    assert_int_equal(space_first(walker, 0, &state), KAN_OK);
    assert_int_equal(space_first(walker, 1, &next), KAN_NOTFOUND);
    assert_string_equal(space_actor_ref(space, 0)->text, "counter/0");
    assert_ptr_equal(space_actor_type(space, 0), &counter_type);
    actors[0] = path_id_actor(space_actor_ref(space, 0));

    step = step_of(walker, &state, SPACE_REQUEST, steps);
    space_describe(walker, step, &words);
    assert_string_equal(words.what, "request");
    assert_string_equal(words.from.text, "client/0");
    assert_string_equal(words.to.text, "counter/0");
    assert_string_equal(words.name, "increment");
    assert_int_equal(((const struct increment *)words.message)->amount, 1);
    space_path_step(walker, step, actors, &path);
    assert_int_equal(path.low, 0);
    space_apply(walker, &state, step, &next);

    step = step_of(walker, &next, SPACE_DELIVER, steps);
    space_describe(walker, step, &words);
    assert_string_equal(words.what, "deliver");
    assert_string_equal(words.from.text, "client/0");
    assert_int_equal(space_sends(walker, step, sent, 2), 0);
    space_path_step(walker, step, actors, &path);
    assert_true(path.low == actors[0].low && path.high == actors[0].high);
    assert_true(path.low != 0);
    assert_true(space_stats(space).calls > 0);
    assert_true(space_actor_up(walker, &next, 0));
    space_walker_free(walker);
    space_free(space);
    buffer_fini(&why);
}

/* --- models that are not sound -------------------------------------------- */

static void no_actors_setup(kan_setup *setup)
{
    (void)setup;
}

static void twice_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &counter_type, 0);
    kan_setup_actor(setup, &counter_type, 0);
}

static void nobody_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &counter_type, 0);
    kan_setup_request(setup, kan_ref_number("counter", 7), &increment_record,
                      NULL, 1);
}

static void outside_range_setup(kan_setup *setup)
{
    struct increment wrong = {9};

    kan_setup_actor(setup, &counter_type, 0);
    kan_setup_request(setup, kan_ref_number("counter", 0), &increment_record,
                      &wrong, 1);
}

static void counter_setup(kan_setup *setup)
{
    kan_setup_actor(setup, &counter_type, 0);
}

static void unsound_models_are_refused(void **context)
{
    static const struct kan_model_parameter parameters[] = {
        {"size", 5, 1, 3, "too large"}};
    static const struct kan_model_property lacking[] = {
        {.name = "nothing", .kind = KAN_INVARIANT}};
    static const struct kan_model_property two[] = {
        {.name = "a", .kind = KAN_LINEARIZABLE, .spec = &register_spec},
        {.name = "b", .kind = KAN_LINEARIZABLE, .spec = &register_spec}};
    static const struct
    {
        struct kan_model model;
        const char *why;
    } cases[] = {
        {{.name = "m", .setup = no_actors_setup}, "there are no actors"},
        {{.name = "m"}, "has no setup"},
        {{.name = "m", .setup = twice_setup}, "counter/0 is added twice"},
        {{.name = "m", .setup = nobody_setup}, "\"counter/7\", who is not"},
        {{.name = "m", .setup = outside_range_setup}, "amount = 9 is outside"},
        {{.name = "m", .setup = counter_setup, KAN_PARAMETERS(parameters)},
         "size = 5 is outside 1..3"},
        {{.name = "m", .setup = counter_setup, KAN_PROPERTIES(lacking)},
         "property nothing lacks"},
        {{.name = "m", .setup = counter_setup, KAN_PROPERTIES(two)},
         "two properties"},
        {{.name = "m", .setup = counter_setup, .compat = KAN_COMPAT_SPEC},
         "KAN_NETWORK_SHARED"},
    };

    (void)context;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct space_options options = {.model = &cases[i].model};
        struct buffer why = BUFFER_INIT;
        struct space *space;
        assert_int_equal(space_new(&options, &space, &why), KAN_INVALID);
        if (!strstr(buffer_text(&why), cases[i].why))
            fail_msg("%s", buffer_text(&why));
        buffer_fini(&why);
    }
}

/* --- failures ------------------------------------------------------------- */

static const struct kan_model serial_model = {
    .name = "serial",
    KAN_PARAMETERS(serial_parameters),
    .setup = serial_setup,
    .network = KAN_NETWORK_UNORDERED,
    .faults = {.crash = 1, .lost = 1, .doubled = 1, .partition = 1},
};

static void every_allocation_may_fail(void **context)
{
    static const int64_t back[] = {CALL_BACK, 0};
    struct space_options options = {.model = &serial_model, .parameters = back};

    (void)context;
    space_case_faults(&options);
}

static void memory_has_a_limit(void **context)
{
    struct space_options options = {.model = &serial_model};
    uint64_t limit = 1000;
    enum kan_err err;

    (void)context;
    do {
        options.memory_max = limit;
        err = space_case_wander(&options, 3);
        assert_true(err == KAN_OK || err == KAN_NOMEM);
        limit += limit / 4;
    } while (err == KAN_NOMEM);
    assert_true(limit > 10000);
}

/* --- threads -------------------------------------------------------------- */

static void *wander_much(void *data)
{
    struct space *space = data;

    for (uint64_t i = 0; i < 20; i++) {
        struct space_walker *walker;
        struct space_state *state = mem_alloc(2 * sizeof(*state));
        struct space_step *steps = mem_alloc(SPACE_STEPS_MAX * sizeof(*steps));
        uint32_t count;
        uint64_t chance = i;
        assert_int_equal(space_walker_new(space, &walker), KAN_OK);
        assert_int_equal(space_first(walker, 0, &state[0]), KAN_OK);
        for (uint32_t j = 0; j < 40; j++) {
            const struct space_step *step;
            assert_int_equal(space_expand(walker, &state[j % 2], steps, &count),
                             KAN_OK);
            if (count == 0)
                break;
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            step = &steps[(chance >> 33) % count];
            if (step->flags & SPACE_BROKEN)
                break;
            space_apply(walker, &state[j % 2], step, &state[1 - j % 2]);
            assert_true(step->hash.low ==
                        state_hash(space, &state[1 - j % 2]).low);
        }
        space_walker_free(walker);
        mem_free(steps);
        mem_free(state);
    }
    return NULL;
}

static void threads_share_a_space(void **context)
{
    static const int64_t back[] = {CALL_BACK, 0};
    struct space_options options = {.model = &serial_model, .parameters = back};
    struct buffer why = BUFFER_INIT;
    struct space *space;
    pthread_t threads[3];

    (void)context;
    assert_int_equal(space_new(&options, &space, &why), KAN_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wander_much, space),
                         0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    space_free(space);
    buffer_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_choice_is_taken),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(what_a_crash_touched_is_named),
        cmocka_unit_test(serial_actors_wait),
        cmocka_unit_test(calls_that_come_back_are_busy),
        cmocka_unit_test(chains_come_back_with_answers),
        cmocka_unit_test(a_refusal_is_an_answer),
        cmocka_unit_test(who_gives_up_is_free),
        cmocka_unit_test(serial_actors_under_faults),
        cmocka_unit_test(chains_end),
        cmocka_unit_test(modules_have_clients),
        cmocka_unit_test(steps_have_words),
        cmocka_unit_test(unsound_models_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(memory_has_a_limit),
        cmocka_unit_test(threads_share_a_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
