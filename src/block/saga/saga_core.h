/* saga_core.h - the rules of a saga: which step is next, what a refusal undoes,
 * what is done again when nobody knows.
 *
 * A struct saga_core is one saga, a plain struct, bounded and without pointers,
 * stepped by a function of its arguments: no I/O, no allocation, no clock, no
 * chance. The driver (saga.c), the simulator and models for the checker step
 * the same code. At most one effect that asks for something is out at a time.
 *
 * What is known of a saga is its record: a status, the step that is next, and
 * the revision of the record. Each step is taken in one commit with the record
 * that it leads to, guarded by the revision of the record that it starts from.
 * So a commit whose answer was lost can come into force late, or not, but never
 * beside another one: reading the record tells which. */

#ifndef BLOCK_SAGA_SAGA_CORE_H
#define BLOCK_SAGA_SAGA_CORE_H

#include <kan/base.h>

enum
{
    SAGA_STEPS_MAX = 16, /* as TREE_SAGA_STEPS_MAX */
    SAGA_STEP_NONE = 255,
    SAGA_EFFECTS_MAX = 2,       /* of one step */
    SAGA_BACKOFF_MS = 10,       /* before the first repetition; then twice, */
    SAGA_BACKOFF_MAX_MS = 10000 /* at most so long */
};

enum saga_status
{
    SAGA_RUNNING, /* forwards */
    SAGA_UNDOING,
    SAGA_DONE,
    SAGA_UNDONE /* all is undone; reason says why */
};

/* What a record says. RUNNING: the steps before next are taken, and it is next.
 * UNDOING: next and the steps before it are still to be undone. */
struct saga_progress
{
    enum saga_status status;
    uint32_t next;
};

/* What a saga is, as its contract says. */
struct saga_shape
{
    uint32_t step_count; /* 1..SAGA_STEPS_MAX */
    uint32_t pivot;      /* step_count: there is none */
    uint32_t undoable;   /* a bit for each step that has an undo */
};

enum saga_phase
{
    SAGA_NEW,
    SAGA_READING,   /* the record */
    SAGA_STEPPING,  /* a step, or an undo, is being taken */
    SAGA_RECORDING, /* an end to which no step belongs */
    SAGA_RESTING,   /* until a timer */
    SAGA_OVER
};

struct saga_core
{
    struct saga_shape shape;
    struct saga_progress progress; /* UNDOING may be ahead of the record */
    enum saga_phase phase;
    uint64_t revision; /* of the record; 0: there is none, as far as known */
    uint32_t refused;  /* the step that was, or SAGA_STEP_NONE */
    uint32_t tries;    /* without progress */
    bool known;        /* what the record says, as far as it matters */
    bool balked;       /* what must not be refused was; is it so? */
    bool loose;        /* a first step may still come into force */
};

enum saga_event_kind
{
    SAGA_EVENT_START,   /* anew: there should be no record */
    SAGA_EVENT_RECOVER, /* from its record */
    SAGA_EVENT_TAKEN,   /* the step, or the record: revision */
    SAGA_EVENT_REFUSED, /* by the entity's type, and always will be until the
                         * entity changes */
    SAGA_EVENT_GUARDED, /* the record was not what it started from */
    SAGA_EVENT_UNKNOWN, /* it may have been taken */
    SAGA_EVENT_FAILED,  /* it certainly was not; try again */
    SAGA_EVENT_BROKEN,  /* the engine must be opened again, or closes */
    SAGA_EVENT_READ,    /* revision 0: there is no record */
    SAGA_EVENT_TIMER
};

struct saga_event
{
    enum saga_event_kind kind;
    uint64_t revision;             /* TAKEN, READ */
    struct saga_progress progress; /* READ */
    uint32_t refused;              /* READ: the step that was, or NONE */
};

enum saga_effect_kind
{
    SAGA_EFFECT_DO,      /* take the step; write the record */
    SAGA_EFFECT_UNDO,    /* take its undo; write the record */
    SAGA_EFFECT_RECORD,  /* write the record alone */
    SAGA_EFFECT_READ,    /* read the record */
    SAGA_EFFECT_RETRY,   /* feed TIMER after ms */
    SAGA_EFFECT_TROUBLE, /* tell: what cannot be refused was; see core */
    SAGA_EFFECT_ANSWER   /* tell who waits, and forget the saga */
};

struct saga_effect
{
    enum saga_effect_kind kind;
    uint32_t step;                /* DO, UNDO, TROUBLE */
    struct saga_progress becomes; /* DO, UNDO, RECORD: of the record, guarded on
                                   * core.revision (0: on its absence) */
    bool undo;                    /* TROUBLE: of the step's undo */
    uint32_t ms;                  /* RETRY */
    bool ended;                   /* ANSWER: the record says DONE or UNDONE */
};

struct saga_turn
{
    struct saga_core core;
    uint32_t effect_count;
    struct saga_effect effects[SAGA_EFFECTS_MAX];
};

/* A saga that nothing is known of yet. */
struct saga_core saga_core_begin(struct saga_shape shape);

/* The one rule. */
struct saga_turn saga_core_step(struct saga_core core, struct saga_event event);

/* Whether it ended: all done, or all undone. */
bool saga_core_ended(struct saga_progress progress);

/* Whether a record may say so of a saga of this shape. */
bool saga_core_possible(struct saga_shape shape, struct saga_progress progress);

/* Whether step must not be refused any more when it is done (undo false). */
bool saga_core_behind(struct saga_shape shape, uint32_t step);

#endif /* BLOCK_SAGA_SAGA_CORE_H */
