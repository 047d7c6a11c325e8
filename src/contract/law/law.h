/* law.h - what holds of a type, found by running it: laws, pairs of steps that
 * commute, steps that are stable, undos that cannot be refused, versions that
 * answer alike.
 *
 * All of it walks the states that boundary values reach, breadth first, within
 * a budget. What is found is exact: a run that shows it. What is not found is
 * so within the budget, and law_walk.complete says whether that was all there
 * is (of boundary values). Pure: memory, no I/O. */

#ifndef CONTRACT_LAW_LAW_H
#define CONTRACT_LAW_LAW_H

#include "contract/contract.h"

/* Zero means the default in parentheses. */
struct law_budget
{
    uint32_t states_max;    /* (20,000) */
    uint32_t depth_max;     /* steps of a run (64) */
    uint32_t arguments_max; /* ways to call one step in one state (256) */
    /* Called now and then; true ends the walk. Or NULL. */
    bool (*stop)(void *data);
    void *data;
};

struct law_walk
{
    uint64_t states;
    uint64_t steps; /* taken, refused ones too */
    uint32_t depth;
    bool complete;
};

/* One step of a run that is shown. */
struct law_run_step
{
    uint32_t step;
    bool undo;               /* of a saga: for the printing alone */
    bool ours;               /* of the saga that is looked at, not of others */
    struct buffer arguments; /* JSON */
    struct buffer state;     /* JSON, after it; or the refusal's text */
    bool refused;
};

/* A run from the starting state. Zeroed is empty. */
struct law_run
{
    struct law_run_step *steps;
    uint32_t count;
};
void law_run_fini(struct law_run *run);

/* As lines: "  1  open(name: \"a\")      status: unopened -> open". */
void law_run_print(const struct program *program, const struct law_run *run,
                   struct buffer *out);

enum law_verdict
{
    LAW_HOLDS,  /* in all states walked */
    LAW_FAILS,  /* run leads to a state where it does not */
    LAW_VACUOUS /* no state walked can run both sides: an error */
};

/* --- laws ----------------------------------------------------------------- */

struct law_result
{
    enum law_verdict verdict;
    uint64_t checked;     /* states and arguments where both sides ran */
    struct law_run run;   /* FAILS: to the state, then the left side */
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
    bool disables; /* the first can make the second refused that was not */
    bool breaks;   /* the second, allowed before the first, would break an
                      * invariant or a bound after it */
};

/* pairs has step_count squared, [first * step_count + second]; stable has
 * step_count: no other step (nor itself) can disable it. A step that no state
 * walked can take is in never. KAN_NOMEM. */
KAN_MUST_USE enum kan_err law_pairs(const struct contract *contract,
                                    uint32_t type, uint32_t version,
                                    const struct law_budget *budget,
                                    struct law_pair *pairs, bool *stable,
                                    bool *never, struct law_walk *ret_walk);

/* --- sagas ---------------------------------------------------------------- */

/* Whether an undo, or a step behind the pivot, can be refused whatever others
 * do after its do-step. Others are all steps that are not internal, and other
 * runs of all sagas over the same entity (at most two at once), taken to their
 * end or not. An entity that is named by two parameters of the saga is taken as
 * two. LAW_FAILS: run shows it, and ret_call which call is refused. */
struct law_saga
{
    enum law_verdict verdict; /* never VACUOUS */
    uint32_t step;            /* FAILS: of the saga */
    bool undo;
    uint32_t type; /* FAILS: the entity's type, for printing */
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
    struct buffer why;  /* one line */
};

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

#endif /* CONTRACT_LAW_LAW_H */
