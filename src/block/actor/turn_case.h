/* turn_case.h - an actor for tests, with a way for each thing that a handler
 * can do, right or wrong. */

#ifndef BLOCK_ACTOR_TURN_CASE_H
#define BLOCK_ACTOR_TURN_CASE_H

#include <kan/actor.h>

struct part
{
    uint8_t small; /* padding behind it */
    int64_t large;
};
KAN_RECORD(part, 1, KAN_INT(part, small, 0, 255), KAN_INT(part, large, -9, 9));

struct tally
{
    bool open; /* padding behind it */
    int64_t value;
    int64_t since_ms;
    char name[10];
    struct part parts[2];
    uint16_t last; /* padding behind it */
};
KAN_RECORD(tally, 1, KAN_BOOL(tally, open), KAN_INT(tally, value, 0, 10),
           KAN_TIME(tally, since_ms), KAN_TEXT(tally, name),
           KAN_STRUCTS(tally, parts, part_record),
           KAN_INT(tally, last, 0, 60000));

struct add
{
    uint8_t way; /* padding behind it */
    int64_t amount;
};
KAN_RECORD(add, 1, KAN_INT(add, way, 0, 255), KAN_INT(add, amount, -100, 100));

struct total
{
    int64_t value;
    int64_t at_ms;
};
KAN_RECORD(total, 1, KAN_INT(total, value, 0, 10), KAN_TIME(total, at_ms));

KAN_RECORD_EMPTY(ping);
KAN_RECORD_EMPTY(unknown);

/* What an add does, by its way. */
enum way
{
    ADD,
    NOTHING,
    TIMES,
    OVERFLOW,
    BAD_TEXT,
    BAD_SEND,
    BAD_TABLE,
    BAD_REF,
    SEND_MANY,
    SEND_ZERO,
    SEND_LEFTOVER,
    REFUSE,
    DECLINE,
    RELEASE,
    DRAW,
    DRAW_NONE,
    DRAW_MANY,
    CLAIM,
    TIMER_WRONG,
    TIMER_FAR,
    TIMER_MANY,
    PARAMETER_WRONG,
    NOTES,
    NOTES_MANY,
    CRASH,
    DIVIDE,
    ABORT,
    DEEP,
    LOOP,
    STATE_BEHIND,
    MESSAGE_BEHIND,
    PADDING_STATE,
    PADDING_MESSAGE,
    STACK_READ,
    CLOCK_KEPT,
    CLOCK_SENT,
    KEEPS,
    KEEPS_SEND_TO,
    KEEPS_TIMER,
    KEEPS_DRAW,
    KEEPS_END,
    KEEPS_NOTE
};

/* Handles an add, by its way, and a ping; fires tick and tock. */
extern const struct kan_actor_type turn_case;

/* What a handler must not have: the KEEPS ways keep it. */
extern int64_t turn_case_kept;

#endif /* BLOCK_ACTOR_TURN_CASE_H */
