/* law_space.h - the states of one type that boundary values reach.
 *
 * A breadth-first walk over every step, internal ones too, each called in every
 * way that its parameters' boundary values give. Where that is not all there
 * is, for want of states or of depth, a part of the budget is kept for moves
 * that take one step over and over until it is refused: a balance then meets
 * its bound although that is a thousand deposits away. And where sets or maps
 * are to be filled, for moves that do so with another element each time. */

#ifndef CONTRACT_LAW_LAW_SPACE_H
#define CONTRACT_LAW_LAW_SPACE_H

#include "contract/law/law.h"
#include "contract/law/law_store.h"

/* The ways to call one step that are tried: ways of all `total`. */
struct law_ways
{
    uint64_t total; /* at most 2^62 */
    uint32_t ways;
};

/* What was seen of one step. */
struct law_seen
{
    bool taken;
    bool ended;        /* repeated until it was refused or changed nothing */
    bool cut;          /* repeated, and given up */
    uint64_t hopeless; /* of the first 64 ways, those that were given up */
    struct kan_slice invariant; /* that has refused it */
};

struct law_space
{
    const struct program *program;
    const struct tree_entity *entity;
    struct law_budget budget; /* without zeros */
    struct law_store store;
    struct law_ways *ways; /* a step each */
    struct law_seen *seen; /* a step each */
    uint32_t step_count;
    uint32_t inputs;     /* how many times of day a step is tried at */
    size_t stride;       /* bytes from one scratch state to the next */
    size_t argument_max; /* bytes of the largest arguments */
    unsigned char *before;
    unsigned char *after;
    unsigned char *spare;
    unsigned char *prior; /* before the last of repeated steps */
    unsigned char *arguments;
    int64_t prior_ms;
    struct buffer saved;
    uint64_t steps;
    uint64_t leaps_left; /* steps within moves that repeat */
    uint32_t depth;
    uint32_t leaped; /* from this node on, some were reached by repeating */
    uint32_t kinds;  /* of elements: law_vary_kinds() */
    bool trimmed;    /* not all ways, not all states or not all depths */
    bool shallow;    /* not all depths */
    bool sampled;    /* not all values of a parameter */
    bool stopped;
};

/* The budget without zeros. NULL: all defaults. */
struct law_budget law_budget_whole(const struct law_budget *budget);

/* Prepare. KAN_NOMEM; KAN_NOTFOUND: no such version. The space is given to
 * law_space_fini() in any case. */
KAN_MUST_USE enum kan_err law_space_init(struct law_space *space,
                                         const struct contract *contract,
                                         uint32_t type, uint32_t version,
                                         const struct law_budget *budget);
void law_space_fini(struct law_space *space);

/* Walk. KAN_NOMEM. */
KAN_MUST_USE enum kan_err law_space_walk(struct law_space *space);

struct law_walk law_space_result(const struct law_space *space);

/* Whether what no state walked shows may be taken for what no state shows: all
 * was walked, or each step was also repeated to its end. */
bool law_space_reached(const struct law_space *space);

/* Lay out the state of a node. */
void law_space_load(const struct law_space *space, uint32_t node, void *state);

/* The number of the i-th way to call a step; and its arguments. */
uint64_t law_ways_number(const struct law_ways *ways, uint32_t i);
void law_space_arguments(const struct law_space *space, uint32_t step,
                         uint64_t number, void *arguments);

/* The time and the id of the step-th step of a run, `input` of all inputs. */
struct program_input law_space_input(int64_t before_ms, uint32_t depth,
                                     uint32_t input);

/* Whether the walk should end now; asked once a step. */
bool law_space_stopped(struct law_space *space);

/* How many boundary values a type has. */
uint32_t law_boundary_count(const struct program *program, uint32_t type,
                            void *scratch);

/* A run from the start to the node; more steps may follow (law_run.h). */
KAN_MUST_USE enum kan_err law_space_run(struct law_space *space, uint32_t node,
                                        struct law_run *run);

#endif /* CONTRACT_LAW_LAW_SPACE_H */
