/* entity_core.h - the rules of the entity block: what may be asked of the
 * engine for one entity, what each of its answers means, and whose answers may
 * leave.
 *
 * A struct entity_core is one entity at one owner, in numbers: how many events
 * are committed, how many are with the engine, how many are decided on top of
 * those. It is a plain struct without pointers, stepped by a function of its
 * arguments: no I/O, no allocation, no clock, no chance. States and answers
 * stay with the driver (entity_commit.c), in the same order as the numbers
 * here. The simulator and models for the checker step the same code.
 *
 * What is decided is gathered in batches. At most one batch is sent, that is,
 * with the engine; at most one is drafted, that is, decided on the state that
 * the sent one would leave. A batch keeps its bytes from the first time it is
 * sent until its fate is known, so that the engine takes it once however often
 * it is asked. */

#ifndef BLOCK_ENTITY_ENTITY_CORE_H
#define BLOCK_ENTITY_ENTITY_CORE_H

#include <kan/base.h>

enum
{
    ENTITY_EFFECTS_MAX = 4, /* of one step */
    ENTITY_BACKOFF_MS = 10, /* before the first repetition; then twice that */
    ENTITY_BACKOFF_MAX_MS = 1280
};

enum entity_phase
{
    ENTITY_COLD,    /* nothing is known of it */
    ENTITY_OPENING, /* it is being read */
    ENTITY_OPEN,    /* its state is known, and no batch is sent */
    ENTITY_SENT,    /* a batch is with the engine */
    ENTITY_LOOKING, /* the answer was lost: the batch's first event is read */
    ENTITY_PAUSED,  /* until a timer, then `again` */
    ENTITY_BROKEN   /* the engine answers no more */
};

struct entity_core
{
    enum entity_phase phase;
    enum entity_phase again; /* PAUSED: OPENING, LOOKING or SENT */
    uint64_t n;              /* of the last event that is known committed */
    uint32_t sent;           /* events in the batch that is sent; 0 with SENT:
                              * only that n is the last event is asked */
    uint32_t drafted;        /* events in the batch behind it */
    bool draft;              /* there is one, be it without events */
    bool unknown;            /* a copy of the sent batch may be in force */
    bool refused;            /* and the engine has refused another copy */
    uint32_t failures;       /* in a row */
};

enum entity_input_kind
{
    ENTITY_ON_WANTED,    /* somebody asks for something */
    ENTITY_ON_OPENED,    /* n: it was read up to there */
    ENTITY_ON_UNOPENED,  /* it could not be read; later perhaps */
    ENTITY_ON_DRAFTED,   /* events: so many are in the draft now */
    ENTITY_ON_UNDRAFTED, /* what was drafted is to be decided again */
    ENTITY_ON_COMMITTED, /* the batch is in force; or n is the last event */
    ENTITY_ON_CONFLICT,  /* somebody else has written the entity */
    ENTITY_ON_GUARDED,   /* a guard that a call brought along does not hold */
    ENTITY_ON_UNKNOWN,   /* the answer was lost */
    ENTITY_ON_REFUSED,   /* certainly no effect */
    ENTITY_ON_BROKEN,
    ENTITY_ON_FOUND_OURS, /* LOOKING: the first event is that of the batch */
    ENTITY_ON_FOUND_OTHER,
    ENTITY_ON_FOUND_NONE,
    ENTITY_ON_UNFOUND, /* LOOKING: it could not be read */
    ENTITY_ON_TIMER
};

struct entity_input
{
    enum entity_input_kind kind;
    uint64_t n;      /* OPENED */
    uint32_t events; /* DRAFTED */
};

enum entity_effect_kind
{
    ENTITY_DO_READ,   /* open it, from what the engine has */
    ENTITY_DO_COMMIT, /* send the sent batch: its first event is n + 1 */
    ENTITY_DO_VERIFY, /* the sent batch has no event: ask that n is the last */
    ENTITY_DO_LOOK,   /* read event n + 1 */
    ENTITY_DO_ANSWER, /* the sent batch is in force: adopt its last state, let
                       * its answers out */
    ENTITY_DO_FAIL,   /* the sent batch certainly had no effect, by the engine's
                       * err: its calls are answered so */
    ENTITY_DO_GUARD,  /* the call whose guard failed is answered so */
    ENTITY_DO_LOSE,   /* nobody will know what became of the sent batch: its
                       * calls are answered KAN_LOST */
    ENTITY_DO_DROP,   /* forget sent and draft: calls not yet answered are to be
                       * decided again, in their old order */
    ENTITY_DO_FEED,   /* decide what waits */
    ENTITY_DO_PAUSE,  /* ON_TIMER after ms */
    ENTITY_DO_END     /* everybody is answered with the engine's err */
};

struct entity_effect
{
    enum entity_effect_kind kind;
    uint32_t ms; /* PAUSE */
};

struct entity_turn
{
    struct entity_core core;
    uint32_t effect_count;
    struct entity_effect effects[ENTITY_EFFECTS_MAX]; /* in this order */
};

/* The step that input leads to. What does not fit the phase changes nothing.
 * exclusive says that nobody else can write: then a batch without events needs
 * no look. */
struct entity_turn entity_core_step(struct entity_core core,
                                    struct entity_input input, bool exclusive);

/* Whether the driver may decide calls into the draft now. */
static inline bool entity_core_decides(struct entity_core core)
{
    return core.phase == ENTITY_OPEN || core.phase == ENTITY_SENT ||
           core.phase == ENTITY_LOOKING ||
           (core.phase == ENTITY_PAUSED && core.again != ENTITY_OPENING);
}

/* The number of the next event to be decided. */
static inline uint64_t entity_core_next(struct entity_core core)
{
    return core.n + core.sent + core.drafted + 1;
}

/* Nothing is under way: it may leave the memory. */
static inline bool entity_core_idle(struct entity_core core)
{
    return (core.phase == ENTITY_OPEN || core.phase == ENTITY_COLD ||
            core.phase == ENTITY_BROKEN) &&
           !core.draft;
}

/* --- small rules ---------------------------------------------------------- */

/* What the engine's answer to a commit says. base: the failed guard is one of
 * the entity's own. */
enum entity_input_kind entity_core_commit_meaning(enum kan_err err, bool base);

/* Whether a snapshot is due with this event. */
bool entity_core_snapshot_due(uint64_t n);

/* The last event not behind n with which a snapshot was due; 0: none. */
uint64_t entity_core_snapshot_before(uint64_t n);

/* Whether an idempotency key counts still. */
bool entity_core_key_counts(int64_t used_ms, int64_t now_ms);

uint32_t entity_core_backoff_ms(uint32_t failures);

#endif /* BLOCK_ENTITY_ENTITY_CORE_H */
