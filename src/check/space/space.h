/* space.h - the states of a model, and the steps between them.
 *
 * A state of the whole system is a short array of numbers: for each actor the
 * number of its local state (its struct, armed timers, clock, up or down, whom
 * it waits for), then the number of the surroundings (what is left of the
 * budget for faults, of requests and lies, and who is cut off), the number of
 * what clients saw, and the messages on their way. Local states, messages,
 * surroundings and what clients saw are kept once each, by content. A handler
 * is a function of (local state, input), so its outcome is kept too, and each
 * distinct call runs twice to show that it is one.
 *
 * The hash of a state is the sum of the hashes of its parts, which depend on
 * content alone: it is the same in every run, order and thread, and a step
 * changes it by a few additions. docs/design/checker.md has the rules. */

#ifndef CHECK_SPACE_SPACE_H
#define CHECK_SPACE_SPACE_H

#include <kan/model.h>

#include "base/bytes.h"
#include "path/id/id.h"

struct space;        /* what all threads share: the model and what is kept */
struct space_walker; /* one thread's memory of outcomes, and its scratch */

enum
{
    SPACE_WORDS_MAX = 1024, /* numbers in a state */
    SPACE_STEPS_MAX = 1024  /* steps out of one state */
};

struct space_options
{
    const struct kan_module *module;
    const struct kan_model *model; /* NULL: the module's, or clients that send
                                    * everything */
    const int64_t *parameters; /* of the model, all of them; NULL: presets */
    const struct kan_faults *faults; /* NULL: the model's */
    uint32_t clients;                /* without a model: how many; 0 means 2 */
    uint32_t requests; /* without a model: messages of each; 0 means 2 */
    void (*cast)(void *data, kan_setup *setup); /* without a model: who is
                                                 * there, and what they are
                                                 * sent, instead; or NULL */
    void *cast_data;
    uint64_t memory_max; /* bytes for what is kept; 0: no limit */
    uint32_t limit_ms;   /* of one call of a handler; 0 means 1,000 */
    bool once;           /* run each distinct call once, not twice */
    bool (*frozen_object)(void *data, const void *address, char *text,
                          size_t size); /* names what a crash touched; or NULL
                                         */
    void *data;
};

/* KAN_INVALID (the model or a parameter is not sound; why says it), KAN_NOMEM.
 * Yours: space_free(). module and model are borrowed until then. */
KAN_MUST_USE enum kan_err space_new(const struct space_options *options,
                                    struct space **ret_space,
                                    struct buffer *why);
struct space *space_free(struct space *space);

/* One for each thread that walks. */
KAN_MUST_USE enum kan_err space_walker_new(struct space *space,
                                           struct space_walker **ret_walker);
struct space_walker *space_walker_free(struct space_walker *walker);

/* --- states and steps ----------------------------------------------------- */

/* A state: count numbers. Equal states have equal numbers within one space. */
struct space_state
{
    struct path_id hash;
    uint32_t count;
    uint32_t words[SPACE_WORDS_MAX]; /* copy the first count only */
};

enum space_kind
{
    SPACE_DELIVER, /* object: message */
    SPACE_TIMER,   /* object: timer */
    SPACE_REQUEST, /* object: request; a client outside sends it */
    SPACE_LIE,     /* object: lie; a liar sends it */
    SPACE_CRASH,
    SPACE_RESTART,
    SPACE_LOSE,   /* object: message */
    SPACE_DOUBLE, /* object: message, delivered and kept */
    SPACE_JUMP,   /* object: jump */
    SPACE_CUT,    /* object: which group */
    SPACE_HEAL
};

enum space_step_flags
{
    SPACE_OBSERVED = 1 << 0,   /* it adds to what clients saw */
    SPACE_BROKEN = 1 << 1,     /* the handler failed: a claim did not hold, it
                              * left its tables, crashed, ran too long, or is
                              * not deterministic; space_why() says it. Nothing
                              * follows it */
    SPACE_UNORDERABLE = 1 << 2 /* after it, what clients saw fits no order */
};

/* One step out of a state. (kind, actor, choice, object) names a step: where
 * the same step is possible in two states, it has the same name. */
struct space_step
{
    struct path_id hash; /* of the state it leads to */
    uint8_t kind;        /* enum space_kind */
    uint8_t actor;       /* whose step it is: the receiver; UINT8_MAX: none */
    uint16_t choice;     /* which of the outcomes of chance */
    uint32_t object;
    uint32_t at;      /* place of the message in the state */
    uint32_t outcome; /* the walker's: what the handler did */
    uint32_t flags;   /* enum space_step_flags */
    uint32_t after;   /* the walker's: surroundings or history it leads to */
};

/* The name of a step as one number. */
static inline uint64_t space_step_name(const struct space_step *step)
{
    return (uint64_t)step->kind << 56 | (uint64_t)step->actor << 48 |
           (uint64_t)step->choice << 32 | step->object;
}

/* The first states (several when starting draws numbers or liars are chosen),
 * one after the other: number from 0; KAN_NOTFOUND behind the last. When a
 * first step is broken: KAN_CONFLICT, and space_why(walker, NULL). */
KAN_MUST_USE enum kan_err space_first(struct space_walker *walker,
                                      uint32_t number,
                                      struct space_state *ret_state);

/* Move *number, a first state in which the actor's start draws zeros, to the
 * one in which it draws the first of these numbers, pairs of a value and what
 * it is below. ret_used: how many of them; a liar's start draws none.
 * KAN_NOTFOUND: it draws others, or there are too many first states; KAN_NOMEM.
 */
KAN_MUST_USE enum kan_err space_first_drawn(struct space_walker *walker,
                                            uint32_t actor,
                                            const uint64_t *pairs,
                                            uint32_t count, uint32_t *number,
                                            uint32_t *ret_used);

/* Every step out of the state, in an order that depends on the state alone;
 * steps has room for SPACE_STEPS_MAX. Statuses: KAN_NOMEM (the memory limit),
 * KAN_BUSY (more words or steps than the limits above; space_why() says it). */
KAN_MUST_USE enum kan_err space_expand(struct space_walker *walker,
                                       const struct space_state *state,
                                       struct space_step *steps,
                                       uint32_t *ret_count);

/* Which outcome of chance the step has when its handler draws just these
 * numbers, pairs of a value and what it is below; step is one of them, with any
 * outcome. KAN_NOTFOUND: it draws others; KAN_NOMEM. */
KAN_MUST_USE enum kan_err space_drawn(struct space_walker *walker,
                                      const struct space_state *state,
                                      const struct space_step *step,
                                      const uint64_t *pairs, uint32_t count,
                                      uint16_t *ret_choice);

/* Make the state that the step leads to. state and ret_state may not be the
 * same. Never fails for a step of space_expand() on that state that is not
 * BROKEN. */
void space_apply(struct space_walker *walker, const struct space_state *state,
                 const struct space_step *step, struct space_state *ret_state);

/* Whether two steps that are possible in one state can change places: in either
 * order both stay possible and lead to one state. Sound, not complete; the
 * rules are in docs/design/checker.md. observers: a property looks at what
 * clients saw. */
bool space_independent(const struct space *space, const struct space_step *a,
                       const struct space_step *b, bool observers);

/* --- properties ----------------------------------------------------------- */

const struct kan_model *space_model(const struct space *space);

/* Without a model: properties made for it (none). With one: the model's. */
uint32_t space_property_count(const struct space *space);
const struct kan_model_property *space_property(const struct space *space,
                                                uint32_t number);

/* Whether a property of kind INVARIANT, FINALLY or RECOVERABLE holds in the
 * state. LINEARIZABLE is told by SPACE_UNORDERABLE. */
bool space_holds(struct space_walker *walker, uint32_t property,
                 const struct space_state *state);

/* The hash of the actors' states alone, for CONVERGES: of their structs,
 * without timers, messages, clocks and surroundings. */
struct path_id space_actors_hash(struct space_walker *walker,
                                 const struct space_state *state);

/* Whether the state is linearizable so far; false after UNORDERABLE. */
bool space_orderable(struct space_walker *walker,
                     const struct space_state *state);

/* --- what clients saw, in runs made elsewhere ----------------------------- */

struct turn_note;

/* In which orders all operations so far may have taken effect, by number. */
enum
{
    SPACE_ORDERS_NONE = 0, /* no order fits the specification and time */
    SPACE_ORDERS_FIRST = 1 /* nothing was done yet */
};

/* Go from *orders to those that are left when a step of the actor (below
 * KAN_INSTANCES_MAX) notes these operations begun and ended, one step after the
 * other. The model has a property of kind LINEARIZABLE. KAN_CONFLICT: it has an
 * operation open and begins one, or has none and ends it. KAN_NOMEM. */
KAN_MUST_USE enum kan_err space_observe(struct space_walker *walker,
                                        uint32_t actor,
                                        const struct turn_note *notes,
                                        uint32_t count, uint32_t *orders);

/* --- for reports ---------------------------------------------------------- */

uint32_t space_actor_count(const struct space *space);
const struct kan_ref *space_actor_ref(const struct space *space,
                                      uint32_t actor);
const struct kan_actor_type *space_actor_type(const struct space *space,
                                              uint32_t actor);

/* The struct of an actor in a state; borrowed until space_free(). */
const void *space_actor_state(struct space_walker *walker,
                              const struct space_state *state, uint32_t actor);
bool space_actor_up(struct space_walker *walker,
                    const struct space_state *state, uint32_t actor);

/* How far the step moves its actor's clock, in ms. An actor's times are shown
 * by a clock that stands still, so they seem to move by so much the other way.
 * 0 with a model's absolute_time. */
int64_t space_clock_moves(struct space_walker *walker,
                          const struct space_state *state,
                          const struct space_step *step);

/* What a step is about. Refs are empty where they do not apply. */
struct space_words
{
    struct kan_ref from;
    struct kan_ref to; /* the actor */
    const char *name;  /* the message's record or the timer; or NULL */
    const struct kan_record *record; /* DELIVER, LOSE, DOUBLE, REQUEST, LIE */
    const void *message;
    int64_t jump_ms;  /* JUMP */
    uint64_t group;   /* CUT: a bit for each actor cut off */
    const char *what; /* "deliver", "timer", "request", "lie", "crash", ... */
};
void space_describe(struct space_walker *walker, const struct space_step *step,
                    struct space_words *ret_words);

/* The messages that a step sends, in order. Returns how many; at most max are
 * given. */
uint32_t space_sends(struct space_walker *walker, const struct space_step *step,
                     struct space_words *ret_words, uint32_t max);

/* Why a step is broken, or a call of this header failed: one line. Borrowed
 * until the walker's next call. */
const char *space_why(struct space_walker *walker,
                      const struct space_step *step);

/* The id of the path when an actor takes the step (docs/design/checker.md);
 * actors has one hash for each actor, and is changed. */
void space_path_step(struct space_walker *walker, const struct space_step *step,
                     struct path_id *actors, struct path_id *path);

struct space_stats
{
    uint64_t locals; /* kept, distinct */
    uint64_t messages;
    uint64_t calls; /* distinct calls of handlers */
    uint64_t bytes; /* of all that is kept */
};
struct space_stats space_stats(const struct space *space);

#endif /* CHECK_SPACE_SPACE_H */
