/* searches.h - the searches that walk.c chooses from.
 *
 * Each begins with a search that search_init() has made, and fills the result
 * but for seconds and bytes. KAN_NOMEM only before it began: what runs out
 * later is a verdict. Internal to the module. */

#ifndef CHECK_WALK_SEARCHES_H
#define CHECK_WALK_SEARCHES_H

#include "check/walk/search.h"

/* Depth first, by one thread, with sleep sets unless no_reduction. Knows no
 * limit of depth, and neither RECOVERABLE nor CONVERGES. */
KAN_MUST_USE enum kan_err depth_first_walk(struct search *search,
                                           struct walk_result *result);

/* By levels, by any number of threads. The same properties as depth first. */
KAN_MUST_USE enum kan_err breadth_first_walk(struct search *search,
                                             struct walk_result *result);

/* By levels, by one thread, with all edges, for every kind of property. */
KAN_MUST_USE enum kan_err recover_walk(struct search *search,
                                       struct walk_result *result);

/* Find a run no longer than result->run, the least of the shortest, and put it
 * in place of that one. Leaves the result as it is when memory or time do not
 * suffice. */
void shorten(struct search *search, struct walk_result *result);

/* Whether the options are as walk.h has them. */
bool options_valid(const struct walk_options *options);

/* --- what they end with --------------------------------------------------- */

/* Put counts and the verdict into the result. */
void result_fill(struct walk_result *result, const struct search *search,
                 const struct tally *tally, const struct finding *finding,
                 bool cut);

/* A run of that many steps, to be filled in. */
KAN_MUST_USE enum kan_err walk_run_new(uint32_t first, uint32_t step_count,
                                       struct walk_run *ret_run);
void walk_run_fini(struct walk_run *run);

/* Where each state of a tree came from. Numbers below the count of firsts are
 * roots. */
struct trail
{
    struct column parents; /* u32 */
    struct column steps;   /* u16, places */
    struct column firsts;  /* u32: the number of each root, for space_first() */
};

void trail_init(struct trail *tree, struct search *search);
void trail_fini(struct trail *tree);

/* The run to a state, and one step more unless it is UINT32_MAX. Statuses:
 * KAN_NOMEM, and those of space_expand(). */
KAN_MUST_USE enum kan_err trail_run(const struct trail *tree,
                                    struct space_walker *walker,
                                    uint32_t number, uint32_t step,
                                    struct walk_run *ret_run);

#endif /* CHECK_WALK_SEARCHES_H */
