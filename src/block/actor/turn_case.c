/* Handlers that crash, loop, lie, keep and overflow, one way each. */

#include "block/actor/turn_case.h"

#include <stdlib.h>

#include "block/actor/turn.h"

int64_t turn_case_kept;
static volatile int zero;           /* what no compiler knows to be 0 */
static volatile int *volatile null; /* nor this */

/* A thread sanitizer hands out signals at calls of the C library. */
static size_t (*volatile length)(const char *) = strlen;

static const struct kan_field broken_fields[] = {
    {"far", KAN_FIELD_INT, 0, 4096, 8, 1, NULL, 0, 1, NULL}};
static const struct kan_record broken_record = {
    "broken", 8, 1, broken_fields, 1, NULL, 0};

__attribute__((noinline)) static int go_deep(int n)
{
    volatile char room[4096];

    room[0] = (char)n;
    return n == -1 ? 0 : go_deep(n + 1) + room[0];
}

/* A value that nobody has set. */
__attribute__((noinline, no_sanitize("address"))) static int64_t read_stack(
    void)
{
    volatile unsigned char bytes[64];

    /* So that compilers believe it to be set. */
    __asm__ volatile("" : "=m"(bytes));
    return bytes[32] & 7;
}

static void misuse(kan_turn *turn, struct tally *tally, const struct add *add)
{
    struct kan_ref ref;

    switch (add->way) {
    case OVERFLOW:
        tally->value += 12;
        break;
    case BAD_TEXT:
        memset(tally->name, 'x', sizeof(tally->name));
        break;
    case BAD_SEND:
        KAN_REPLY(turn, total, .value = 11);
        break;
    case BAD_TABLE:
        kan_reply(turn, &broken_record, NULL);
        break;
    case BAD_REF:
        memset(&ref, 'x', sizeof(ref));
        KAN_SEND(turn, &ref, total, .value = 1);
        break;
    case SEND_MANY:
        for (int i = 0; i <= KAN_SENDS_MAX; i++)
            KAN_REPLY(turn, total, .value = 1);
        break;
    case TIMER_WRONG:
        kan_timer_set(turn, 2, 5);
        break;
    case TIMER_FAR:
        kan_timer_set(turn, 1, UINT64_MAX);
        break;
    case TIMER_MANY:
        for (int i = 0; i <= TURN_TIMER_CALLS_MAX; i++)
            kan_timer_set(turn, 1, 5);
        break;
    case PARAMETER_WRONG:
        tally->value = kan_parameter(turn, 2);
        break;
    case NOTES_MANY:
        for (int i = 0; i <= TURN_NOTES_MAX; i++)
            kan_complete(turn, i);
        break;
    case DRAW_NONE:
        tally->value = (int64_t)kan_choose(turn, 0);
        break;
    case DRAW_MANY:
        for (int i = 0; i <= TURN_DRAWS_MAX; i++)
            (void)kan_choose(turn, 2);
        break;
    case CLAIM:
        kan_claim(turn, true, "one is one");
        kan_claim(turn, false, "one is two");
        abort(); /* not reached */
    default:
        abort();
    }
}

/* Sanitizers would be first to notice. */
__attribute__((no_sanitize("undefined", "address"))) static void crash(
    struct tally *tally, const struct add *add)
{
    switch (add->way) {
    case CRASH:
        tally->value = *null;
        break;
    case DIVIDE:
        tally->value = 5 / zero;
        break;
    case ABORT:
        abort();
    case DEEP:
        tally->value = go_deep(0);
        break;
    case LOOP:
        while (length("") == 0)
            continue;
        break;
    case STATE_BEHIND:
        ((volatile char *)tally)[sizeof(*tally) + (size_t)zero] = 1;
        break;
    case MESSAGE_BEHIND:
        ((volatile char *)(uintptr_t)add)[sizeof(*add) + 7 + (size_t)zero] = 1;
        break;
    default:
        abort();
    }
}

/* Not the same twice. */
static void waver(kan_turn *turn, struct tally *tally, const struct add *add)
{
    switch (add->way) {
    case PADDING_STATE:
        tally->value = ((const volatile unsigned char *)tally)[3] & 7;
        break;
    case PADDING_MESSAGE:
        tally->value = ((const volatile unsigned char *)add)[3] & 7;
        break;
    case STACK_READ:
        tally->value = read_stack();
        break;
    case CLOCK_KEPT:
        tally->last = (uint16_t)(kan_now(turn) % 60000);
        break;
    case CLOCK_SENT:
        KAN_REPLY(turn, total, .value = kan_now(turn) % 11);
        break;
    case KEEPS:
        tally->value = turn_case_kept++ % 2;
        break;
    case KEEPS_SEND_TO: {
        struct kan_ref to =
            kan_ref_number("other", (uint32_t)(turn_case_kept++ % 2));
        KAN_SEND(turn, &to, total, .value = 1);
        break;
    }
    case KEEPS_TIMER:
        kan_timer_set(turn, 1, (uint64_t)(turn_case_kept++ % 2));
        break;
    case KEEPS_DRAW:
        (void)kan_choose(turn, 2 + (uint64_t)(turn_case_kept++ % 2));
        break;
    case KEEPS_END:
        if (turn_case_kept++ % 2)
            kan_refuse(turn, "every second time");
        break;
    case KEEPS_NOTE:
        kan_invoke(turn, 1, turn_case_kept++ % 2);
        break;
    default:
        abort();
    }
}

static void on_add(kan_turn *turn, void *state, const void *message)
{
    struct tally *tally = state;
    const struct add *add = message;

    switch (add->way) {
    case ADD:
        tally->value += add->amount;
        KAN_REPLY(turn, total, .value = tally->value);
        kan_timer_set(turn, 1, 250);
        kan_timer_clear(turn, 0);
        break;
    case NOTHING:
        break;
    case TIMES:
        if (tally->since_ms != 0 && kan_now(turn) - tally->since_ms > 50)
            tally->value++;
        tally->since_ms = kan_now(turn) + 5;
        KAN_REPLY(turn, total, .at_ms = tally->since_ms - 1);
        break;
    case SEND_ZERO:
        kan_reply(turn, &total_record, NULL);
        kan_call(turn, turn->self, &ping_record, NULL);
        break;
    case SEND_LEFTOVER: {
        struct kan_ref to;
        memset(&to, 'x', sizeof(to));
        memcpy(to.text, "other/1", sizeof("other/1"));
        kan_send(turn, &to, &ping_record, NULL);
        break;
    }
    case REFUSE:
        tally->value = 9;
        kan_refuse(turn, "it is closed");
        kan_refuse(turn, "it is not even there");
        break;
    case DECLINE:
        tally->value = 9;
        kan_decline(turn);
        break;
    case RELEASE:
        kan_release(turn);
        break;
    case DRAW:
        tally->value = (int64_t)(kan_choose(turn, 3) + kan_choose(turn, 4));
        break;
    case NOTES:
        kan_invoke(turn, 7, 70);
        kan_complete(turn, kan_parameter(turn, 1));
        break;
    default:
        if (add->way >= PADDING_STATE)
            waver(turn, tally, add);
        else if (add->way >= CRASH)
            crash(tally, add);
        else
            misuse(turn, tally, add);
    }
}

static void on_ping(kan_turn *turn, void *state, const void *message)
{
    struct tally *tally = state;

    if (message)
        abort();
    tally->value = turn->sender->text[0] ? 1 : 2;
}

static void on_tick(kan_turn *turn, void *state, const void *message)
{
    on_ping(turn, state, message);
}

static void on_tock(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    KAN_REPLY(turn, total, .value = 1);
}

static const struct kan_handler handlers[] = {{&add_record, on_add},
                                              {&ping_record, on_ping}};
static const struct kan_timer_type timers[] = {{"tick", on_tick},
                                               {"tock", on_tock}};
const struct kan_actor_type turn_case = {
    .name = "tally",
    .state = &tally_record,
    KAN_HANDLERS(handlers),
    KAN_TIMERS(timers),
};
