/* walk.h - every path of a space: what holds, what does not, and how many there
 * are.
 *
 * One search answers for the properties of kinds INVARIANT, FINALLY and
 * LINEARIZABLE, and for broken handlers: depth first with sleep sets over a
 * set of visited states, or breadth first. RECOVERABLE is a search of its own,
 * without reduction, since it needs every edge. Counting is a pass of its own.
 * docs/design/checker.md says which reduction is sound for which property, and
 * why. */

#ifndef CHECK_WALK_WALK_H
#define CHECK_WALK_WALK_H

#include "base/bytes.h"
#include "check/space/space.h"

enum walk_verdict
{
    WALK_HOLDS,
    WALK_FAILS,
    WALK_UNKNOWN /* out of memory or time, or stopped */
};

/* What failed, when it is no property of the model. */
enum
{
    WALK_BROKEN = -1, /* a handler: see space_why() */
    WALK_NONE = -2
};

struct walk_progress
{
    uint64_t states;
    uint64_t generated;
    uint32_t depth;
    double seconds;
    double omission;
    const char *phase; /* "walking", "shortening", "counting", "recovering" */
};

/* Called now and then, not more than ten times a second. false stops the walk
 * with UNKNOWN. */
typedef bool walk_progress_cb(void *data, const struct walk_progress *progress);

struct walk_options
{
    struct space *space; /* borrowed */
    bool no_reduction;   /* no sleep sets */
    bool breadth_first;  /* shortest runs at once; no sleep sets */
    bool no_shortest;    /* do not confirm a shortest run after a failure */
    uint32_t threads;    /* 0 or 1: one; more: breadth first by levels */
    uint32_t depth_max;  /* steps; 0: no limit. Beyond it, a success is
                           * "within budget" and complete is false */
    uint64_t memory_max; /* bytes of visited states and what goes with them; 0:
                           * no limit */
    double seconds_max;  /* wall time; 0: no limit */
    double (*clock)(void *data); /* seconds; needed for the two above */
    walk_progress_cb *progress;  /* or NULL */
    void *data;
};

/* A run: from the first state of that number, steps by name. */
struct walk_run
{
    uint32_t first;
    uint32_t step_count;
    uint64_t *steps; /* space_step_name() of each */
};

struct walk_result
{
    enum walk_verdict verdict;
    bool complete;       /* every state within the budget was seen */
    int32_t property;    /* that failed, or WALK_BROKEN, or WALK_NONE */
    char why[512];       /* FAILS: of a broken handler, or how runs do not
                          * converge; UNKNOWN: what ran out */
    struct walk_run run; /* FAILS: to where it fails. RECOVERABLE: to a state
                          * from which the goal cannot be reached. CONVERGES:
                          * to a second end, or once round a cycle */
    bool shortest;       /* no shorter run exists */
    uint64_t states;
    uint64_t generated;          /* steps taken, and first states */
    uint64_t terminal;           /* states that nothing follows */
    struct path_id terminal_sum; /* of their hashes, for comparisons */
    uint32_t depth; /* longest path of the search; breadth first: of the
                         * space */
    double seconds;
    double omission; /* probability that any state was taken for another */
    uint64_t bytes;  /* peak, of visited states and what goes with them */
    uint32_t threads;
    bool reduced; /* sleep sets were used */
};

/* Walk. Every property of the model is looked at; with several broken, the one
 * with the shortest run is told, or with no_shortest the one found first. Ends
 * with KAN_OK and a verdict, or KAN_NOMEM before it began, KAN_BUSY when no
 * more threads can be had, KAN_INVALID for options. Free the result's run with
 * walk_result_fini(). */
KAN_MUST_USE enum kan_err walk(const struct walk_options *options,
                               struct walk_result *ret_result);
void walk_result_fini(struct walk_result *result);

struct walk_counts
{
    bool complete;  /* false: memory or time ran out; why says it */
    bool unbounded; /* there is a cycle: no number */
    struct buffer interleavings; /* decimal text */
    struct buffer paths;
    char why[256];
};

/* How many runs there are from the first states to where nothing follows, and
 * how many classes of them when independent steps change places. Needs all
 * states in memory. Free with walk_counts_fini(). */
KAN_MUST_USE enum kan_err walk_count(const struct walk_options *options,
                                     struct walk_counts *ret_counts);
void walk_counts_fini(struct walk_counts *counts);

/* --- following a run ------------------------------------------------------ */

/* Called for each state of a run and the step taken from it; step is NULL at
 * the end. Returning false ends it. */
typedef bool walk_follow_cb(void *data, struct space_walker *walker,
                            const struct space_state *state,
                            const struct space_step *step);

/* Go along a run. KAN_NOTFOUND when a step is not possible where the run has
 * it. */
KAN_MUST_USE enum kan_err walk_follow(struct space *space,
                                      const struct walk_run *run,
                                      walk_follow_cb *cb, void *data);

#endif /* CHECK_WALK_WALK_H */
