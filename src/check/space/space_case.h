/* space_case.h - small models, made in tests, and what is told of each: how
 * many states and steps there are, and whether steps that are said to be
 * independent are.
 *
 * A walk also holds every hash against one made from scratch, and every pair of
 * independent steps against both orders. */

#ifndef CHECK_SPACE_SPACE_CASE_H
#define CHECK_SPACE_SPACE_CASE_H

#include "check/space/plain_walk.h"

struct space_case
{
    struct kan_model model;
    struct space_options options; /* model is filled in */
    uint64_t states_max;          /* 0 means 20,000; beyond: KAN_BUSY */
    struct plain_walk walk;       /* out */
    uint64_t pairs;               /* out: of independent steps */
    uint64_t held;                /* out: states in which holds is true */
    uint64_t held_terminal;       /* out: of those that nothing follows */
    bool (*holds)(struct space_walker *walker, const struct space_state *state);
};

/* Walk it; fails the test when the space cannot be made, or hashes or
 * independence are wrong. */
void space_case_walk(struct space_case *the_case);

/* Make a space and go along steps that a number chooses, 30 at most; KAN_OK at
 * the end, or what failed. */
enum kan_err space_case_wander(const struct space_options *options,
                               uint64_t chance);

/* The same, with the first, second, ... allocation failing, until all succeed:
 * each time the status says so, and nothing leaks. */
void space_case_faults(const struct space_options *options);

#endif /* CHECK_SPACE_SPACE_CASE_H */
