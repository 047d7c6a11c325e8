/* turn.h - one step of one actor: a handler run on a state, with nothing but
 * what it is given, and everything it did written down.
 *
 * The live runtime, the simulator and the checker all run handlers through
 * here. Nothing in it does I/O, reads a clock or draws a number: time and
 * choices are arguments. A turn uses memory of its own, given once. */

#ifndef BLOCK_ACTOR_TURN_H
#define BLOCK_ACTOR_TURN_H

#include <kan/actor.h>
#include <kan/model.h>

#include "base/bytes.h"

enum turn_kind
{
    TURN_START,   /* the first step of an actor */
    TURN_RESTART, /* after a crash; volatile fields are zero already */
    TURN_MESSAGE,
    TURN_TIMER
};

/* The answer of turn_input.choose when there is no choice left to give: the
 * step ends as TURN_NEEDS_CHOICE. */
#define TURN_NO_CHOICE UINT64_MAX

struct turn_input
{
    enum turn_kind kind;
    const struct kan_actor_type *type;
    const struct kan_ref *self;
    const struct kan_ref *sender;    /* MESSAGE; else NULL */
    const struct kan_record *record; /* MESSAGE */
    const void *message;             /* MESSAGE; canonical; may be NULL when the
                                      * record carries nothing */
    uint32_t timer;                  /* TIMER */
    int64_t now_ms;
    const int64_t *parameters; /* of the model; may be NULL when there are none
                                */
    uint32_t parameter_count;
    bool may_decline;

    /* The door of chance. */
    uint64_t (*choose)(void *data, uint64_t n);
    void *data;

    uint32_t limit_ms; /* a handler that runs longer counts as OVERRUN; 0: no
                        * limit */
};

struct turn_send
{
    struct kan_ref to;
    const struct kan_record *record;
    const void *message; /* canonical, in the turn's memory; NULL when the
                          * record carries nothing */
    bool call;
};

struct turn_timer
{
    uint32_t timer;
    bool set;
    uint64_t after_ms;
};

enum turn_note_kind
{
    TURN_INVOKE,
    TURN_COMPLETE
};

/* What a client actor did, for histories. */
struct turn_note
{
    enum turn_note_kind kind;
    uint32_t op;
    int64_t value; /* the argument, or the result */
};

enum
{
    TURN_NOTES_MAX = 4,
    TURN_TIMER_CALLS_MAX = 32,
    TURN_DRAWS_MAX = 256, /* kan_choose() in one step */
    TURN_WHY_MAX = 256
};

enum turn_end
{
    TURN_DONE,
    TURN_UNHANDLED,    /* the type has no handler for the record: the message is
                        * taken, nothing changes */
    TURN_DECLINED,     /* kan_decline() */
    TURN_REFUSED,      /* kan_refuse(): nothing changes */
    TURN_NEEDS_CHOICE, /* choose() had nothing to give; nothing changes */
    TURN_CLAIM,        /* kan_claim() did not hold */
    TURN_INVALID,      /* left a state or a message outside its table, sent too
                        * much, or used the turn wrongly */
    TURN_CRASHED,      /* a signal */
    TURN_OVERRUN       /* longer than limit_ms */
};

/* What the step did. Valid until the turn's next run. With any end but DONE,
 * state is what was given, and there are no sends, timers or notes. */
struct turn_output
{
    enum turn_end end;
    const void *state; /* canonical, in the turn's memory */
    bool changed;      /* state differs from the one given */
    bool released;     /* kan_release() */
    const struct turn_send *sends;
    uint32_t send_count;
    const struct turn_timer *timers; /* calls, in order */
    uint32_t timer_count;
    const struct turn_note *notes;
    uint32_t note_count;
    const void *address;    /* CRASHED: what was touched, or NULL */
    char why[TURN_WHY_MAX]; /* CLAIM, INVALID, CRASHED, OVERRUN: a line that
                             * names the actor's type and message; REFUSED:
                             * the handler's text */
};

struct turn;

/* Room to run handlers of any actor whose state and messages have at most
 * KAN_RECORD_SIZE_MAX bytes. Installs the guard. One thread at a time.
 * KAN_NOMEM, KAN_BUSY. Yours: turn_free(). */
KAN_MUST_USE enum kan_err turn_new(struct turn **ret_turn);
struct turn *turn_free(struct turn *turn);

/* Run the handler on a copy of state (canonical; type->state->size bytes; not
 * the turn's own memory). Handlers run under a guard: see guard.h. */
const struct turn_output *turn_run(struct turn *turn,
                                   const struct turn_input *input,
                                   const void *state);

/* The same twice, in scratch memory that is filled differently, and on clocks
 * that are an arbitrary time apart when the state's times are relative: when
 * the outcomes differ the end is INVALID, and why says that the handler is not
 * deterministic and where it differs. Choices are asked for in the first run,
 * and given again in the second. A failed first run is not repeated. */
const struct turn_output *turn_run_twice(struct turn *turn,
                                         const struct turn_input *input,
                                         const void *state,
                                         bool relative_times);

/* Whether a type of actor is sound: names, tables, handlers once each.
 * KAN_INVALID and one line in why. */
KAN_MUST_USE enum kan_err turn_check_type(const struct kan_actor_type *type,
                                          struct buffer *why);

#endif /* BLOCK_ACTOR_TURN_H */
