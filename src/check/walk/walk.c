/* Every path of a space: which search answers, and what it ends with. */

#include "check/walk/walk.h"

#include <stdio.h>

#include "base/alloc.h"
#include "check/walk/searches.h"

enum
{
    THREADS_MAX = 256
};

bool options_valid(const struct walk_options *options)
{
    return options->space && options->threads <= THREADS_MAX &&
           options->seconds_max >= 0 &&
           (options->clock ||
            (options->seconds_max == 0 && !options->progress));
}

void result_fill(struct walk_result *result, const struct search *search,
                 const struct tally *tally, const struct finding *finding,
                 bool cut)
{
    bool halted = search->halting;

    result->states = tally->states;
    result->generated = tally->generated;
    result->terminal = tally->terminal;
    result->terminal_sum = tally->terminal_sum;
    result->depth = tally->depth;
    result->property = finding->property;
    if (finding->property != WALK_NONE) {
        result->verdict = WALK_FAILS;
        (void)snprintf(result->why, sizeof result->why, "%s", finding->why);
    } else if (halted) {
        result->verdict = WALK_UNKNOWN;
        (void)snprintf(result->why, sizeof result->why, "%s", search->why);
    } else {
        result->verdict = WALK_HOLDS;
        result->complete = !cut;
    }
}

/* Edges ask for all of them; several threads, a limit of depth and the wish for
 * it ask for breadth first; sleep sets are for the rest. */
static enum kan_err search_choose(struct search *search,
                                  struct walk_result *result)
{
    const struct walk_options *options = search->options;

    if (search->judge.recoverable_count > 0 ||
        search->judge.converges != WALK_NONE)
        return recover_walk(search, result);
    if (options->breadth_first || options->threads > 1 || options->depth_max)
        return breadth_first_walk(search, result);
    return depth_first_walk(search, result);
}

enum kan_err walk(const struct walk_options *options,
                  struct walk_result *ret_result)
{
    struct walk_result result = {
        .verdict = WALK_UNKNOWN, .property = WALK_NONE, .threads = 1};
    struct search search;

    if (!options_valid(options))
        return KAN_INVALID;
    search_init(&search, options);
    enum kan_err err = search_choose(&search, &result);
    if (err != KAN_OK)
        return err;
    /* With edges the run is the least already. */
    if (result.verdict == WALK_FAILS && !options->no_shortest &&
        search.judge.recoverable_count == 0 &&
        search.judge.converges == WALK_NONE)
        shorten(&search, &result);
    result.seconds = search_seconds(&search);
    result.omission = visited_omission(result.states);
    result.bytes = search.peak;
    *ret_result = result;
    return KAN_OK;
}

void walk_result_fini(struct walk_result *result)
{
    walk_run_fini(&result->run);
}
