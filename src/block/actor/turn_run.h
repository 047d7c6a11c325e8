/* turn_run.h - what the files of a turn share: its memory, and one run in it.
 *
 * A handler sees scratch memory only. Its calls write down what it wants, as
 * it gave it (turn_api.c); when it has returned, that is checked and made
 * canonical outside of the guard (turn.c), where memory may be allocated. */

#ifndef BLOCK_ACTOR_TURN_RUN_H
#define BLOCK_ACTOR_TURN_RUN_H

#include "block/actor/turn.h"

enum
{
    TURN_TAIL = 64,   /* watched bytes behind what a handler may touch */
    TURN_TABLES = 64, /* remembered as sound; a power of two */
    TURN_SENT_MAX = KAN_SENDS_MAX * KAN_RECORD_SIZE_MAX
};

#define TURN_ALIGN 16u /* as malloc() aligns */

/* A draw, as asked for and as answered. */
struct turn_draw
{
    uint64_t n;
    uint64_t given;
};

/* What one run wrote down. */
struct turn_result
{
    struct turn_output output;
    struct turn_send sends[KAN_SENDS_MAX];
    struct turn_timer timers[TURN_TIMER_CALLS_MAX];
    struct turn_note notes[TURN_NOTES_MAX];
    struct turn_draw draws[TURN_DRAWS_MAX];
    uint32_t draw_count;
    size_t sent_size;
    _Alignas(TURN_ALIGN) char state[KAN_RECORD_SIZE_MAX];
    _Alignas(TURN_ALIGN) char sent[TURN_SENT_MAX];
};

/* Memory that a handler works in, with its tail. */
struct turn_scratch
{
    _Alignas(TURN_ALIGN) unsigned char bytes[KAN_RECORD_SIZE_MAX + TURN_TAIL];
};

/* How a run differs from a plain one. */
struct turn_world
{
    unsigned char fill; /* of padding, the stack, and the tails */
    bool dirty;         /* fill the padding and the stack at all */
    int64_t shift_ms;   /* of the clock */
    const struct turn_result *repeat; /* whose draws are given again */
};

/* Which kan_record a table was when it was found sound. */
struct turn_table
{
    const struct kan_record *record;
    struct kan_record was;
};

struct turn
{
    uint32_t magic;
    struct kan_turn face; /* what the handler is given */
    const struct turn_input *input;
    const struct turn_world *world;
    struct turn_result *result; /* of the run */
    const char *step;           /* name of the message or timer */
    kan_handle *handle;
    const void *message; /* for the handler */
    struct buffer why;
    struct turn_table tables[TURN_TABLES];
    struct turn_result first;
    struct turn_result second;
    struct turn_scratch scratch_state;
    struct turn_scratch scratch_message;
};

/* Calls that a handler makes; face.api. */
extern const struct kan_turn_api turn_api;

/* The run of a face. */
struct turn *turn_of(kan_turn *face);

/* One run, into result, which becomes turn->result. */
void turn_run_in(struct turn *turn, const struct turn_input *input,
                 const void *state, const struct turn_world *world,
                 struct turn_result *result);

/* Nothing of the run counts; it ended so, and why is "type: message: " and the
 * text. The first failure of a run stays. */
__attribute__((format(printf, 3, 4))) void turn_fail(struct turn *turn,
                                                     enum turn_end end,
                                                     const char *format, ...);

/* Copy the struct's fields over bytes, and leave its padding as it is. */
void turn_copy_fields(const struct kan_record *record, const void *from,
                      void *to);

#endif /* BLOCK_ACTOR_TURN_RUN_H */
