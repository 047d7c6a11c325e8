/* law.h - what holds of a type, found by running it: laws, pairs of steps that
 * commute, steps that are stable, undos that cannot be refused, versions that
 * answer alike.
 *
 * All of it walks the states that boundary values reach, breadth first, within
 * a budget. What is found is exact: a run that shows it. What is not found is
 * so within the budget, and law_walk.complete says whether that was all there
 * is: every state, and every value of every parameter. Pure: no I/O. */

#ifndef CONTRACT_LAW_LAW_H
#define CONTRACT_LAW_LAW_H

#include "contract/contract.h"

/* Where a walk does not get everywhere within the budget, it also takes a step
 * over and over until it is refused, as one move: so bounds are met. And it
 * takes steps with another element each time, so that sets and maps of at most
 * 256 get full. Zero means the default in parentheses. */
struct law_budget
{
    uint32_t states_max;    /* (20,000) */
    uint32_t depth_max;     /* steps of a run (4,096) */
    uint32_t arguments_max; /* ways to call one step in one state (256) */
    uint64_t bytes_max;     /* of all states kept (64 MiB) */
    /* Called now and then; true ends the walk. Or NULL. */
    bool (*stop)(void *data);
    void *data;
};

struct law_walk
{
    uint64_t states;
    uint64_t steps; /* taken, refused ones too */
    uint32_t depth;
    bool complete; /* nothing was left out, not even a value */
    bool stopped;  /* by budget.stop */
};

/* One step of a run that is shown. */
struct law_run_step
{
    uint32_t step;
    uint32_t times;          /* so often in a row, with these arguments */
    bool varied;             /* with other elements each time, these last */
    bool undo;               /* of a saga: for the printing alone */
    bool ours;               /* of the saga that is looked at, not of others */
    struct buffer arguments; /* JSON */
    struct buffer state;     /* JSON, after it; or the refusal's text */
    bool refused;
};

/* A run, mostly from the starting state. Zeroed is empty. */
struct law_run
{
    struct law_run_step *steps;
    uint32_t count;
    uint32_t first;      /* how many steps lead to its start */
    struct buffer start; /* JSON: the state in which it begins */
};
void law_run_fini(struct law_run *run);

/* As lines: "  1  open(name: \"a\")      status: unopened -> open". */
void law_run_print(const struct program *program, const struct law_run *run,
                   struct buffer *out);

/* As an array: [{"step":"open","times":1,"arguments":{...},"state":{...}}...],
 * with "refused":"..." in place of state. */
void law_run_json(const struct program *program, const struct law_run *run,
                  struct buffer *out);

enum law_verdict
{
    LAW_HOLDS,   /* in all states walked */
    LAW_FAILS,   /* run leads to a state where it does not */
    LAW_VACUOUS, /* no state can run both sides: an error */
    LAW_UNKNOWN  /* no state walked can, and there are others */
};

/* --- laws ----------------------------------------------------------------- */

struct law_result
{
    enum law_verdict verdict;
    uint64_t checked;     /* states and arguments where both sides ran */
    struct law_run run;   /* FAILS: to the state, then the left side */
    uint32_t at;          /* FAILS: how many of its steps lead to the state */
    struct law_run other; /* FAILS: the right side, from the same state */
};
void law_result_fini(struct law_result *result);

/* The laws of a version of a type; results has law_count(). KAN_NOMEM. */
uint32_t law_count(const struct contract *contract, uint32_t type,
                   uint32_t version);
struct kan_slice law_text(const struct contract *contract, uint32_t type,
                          uint32_t version, uint32_t law);
KAN_MUST_USE enum kan_err law_check(const struct contract *contract,
                                    uint32_t type, uint32_t version,
                                    const struct law_budget *budget,
                                    struct law_result *results,
                                    struct law_walk *ret_walk);

/* --- pairs of steps ------------------------------------------------------- */

struct law_pair
{
    bool commutes; /* same fields, same refusals, either order */
    bool fits;     /* same fields wherever both orders run to the end */
    bool meets;    /* there is a state where both orders run to the end */
    bool disables; /* the first can make the second refused that was not */
    bool breaks;   /* the second, allowed before the first, would break an
                    * invariant or a bound after it */
};

/* What the walk saw of one step. */
struct law_step
{
    bool stable;                /* no step, nor itself, can disable it */
    bool never;                 /* no state walked can take it */
    struct kan_slice invariant; /* one that refused it where its guard and its
                                 * requires allowed it; or empty. Borrowed from
                                 * the contract */
};

/* pairs has step_count squared, [first * step_count + second]; steps has
 * step_count. Pairs are tried in as many of the states walked as the budget
 * allows: those nearest to the start, and those farthest out. KAN_NOMEM. */
KAN_MUST_USE enum kan_err law_pairs(const struct contract *contract,
                                    uint32_t type, uint32_t version,
                                    const struct law_budget *budget,
                                    struct law_pair *pairs,
                                    struct law_step *steps,
                                    struct law_walk *ret_walk);

/* --- sagas ---------------------------------------------------------------- */

/* Whether an undo, or a step behind the pivot, can be refused whatever others
 * do after its do-step. Others are all steps that are not internal, and other
 * runs of all sagas over the same entity (at most two at once), taken to their
 * end or not. An entity that is named by two parameters of the saga is taken as
 * two. LAW_FAILS: run shows it, its last step is the call that is refused. */
struct law_saga
{
    enum law_verdict verdict; /* HOLDS or FAILS */
    uint32_t step;            /* FAILS: of the saga */
    bool undo;
    uint32_t type;        /* FAILS: the entity's type, for printing */
    uint32_t parameter;   /* FAILS: of the saga, the entity */
    struct buffer values; /* FAILS: JSON, the saga's parameters */
    struct law_run run;
    struct law_walk walk;
};
void law_saga_fini(struct law_saga *result);
KAN_MUST_USE enum kan_err law_saga_check(const struct contract *contract,
                                         uint32_t saga,
                                         const struct law_budget *budget,
                                         struct law_saga *ret_result);

/* --- versions ------------------------------------------------------------- */

enum law_compat_kind
{
    LAW_SAME,       /* every answer is the same through down */
    LAW_DIFFERS,    /* another state */
    LAW_REFUSES,    /* the new version refuses what the old one did */
    LAW_ALLOWS,     /* the new one does what the old one refused */
    LAW_GONE,       /* no such step any more, or its arguments do not fit */
    LAW_NO_WAY_BACK /* no down: an old client gets no answer */
};

struct law_compat
{
    uint32_t step; /* of the old version */
    enum law_compat_kind kind;
    struct law_run run; /* DIFFERS, REFUSES, ALLOWS: in the old version */
    struct buffer why;  /* one line; or empty */
};
void law_compat_fini(struct law_compat *result);

/* Whether callers of the old version keep working on the new one, step by
 * step: from each old state walked, up, the new step, down, beside the old
 * step. Random states are walked too, drawn with the seed. results has the old
 * version's step count. lost: which fields of the new version `down` does not
 * carry (a bit each, TREE_FIELDS_MAX / 64 words). The contract holds both
 * versions; to is from + 1. */
KAN_MUST_USE enum kan_err law_compat(const struct contract *contract,
                                     uint32_t type, uint32_t from,
                                     uint64_t seed,
                                     const struct law_budget *budget,
                                     struct law_compat *results, uint64_t *lost,
                                     struct law_walk *ret_walk);

/* --- a small picture of a type -------------------------------------------- */

enum
{
    LAW_TABLE_STATES_MAX = 200,
    LAW_TABLE_CALLS_MAX = 3,
    LAW_TABLE_REFUSES = 255
};

/* Some states of a type and what a few calls do to them, by number, for models
 * in which an entity is a number. State 0 is one in which many steps can be
 * taken; the others are within `depth` calls of it. */
struct law_table
{
    uint32_t states;
    uint32_t calls;
    uint8_t next[LAW_TABLE_STATES_MAX][LAW_TABLE_CALLS_MAX];
    struct buffer names[LAW_TABLE_CALLS_MAX]; /* "deposit(amount: 1)" */
    struct buffer start;                      /* JSON: state 0 */
};
void law_table_fini(struct law_table *table);

/* Of the newest version. KAN_NOMEM. */
KAN_MUST_USE enum kan_err law_table_make(const struct contract *contract,
                                         uint32_t type, uint32_t depth,
                                         struct law_table *ret_table);

#endif /* CONTRACT_LAW_LAW_H */
