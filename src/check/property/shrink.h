/* shrink.h - the smallest tape that still fails.
 *
 * Test data, schedules and faults are all drawn from a tape of choices, so one
 * shrinker serves them all: it knows nothing of what the choices mean. A tape
 * is smaller when it has fewer choices, or as many and the first that differs
 * is lower (shortlex order); 0 is always the mildest choice. This is the
 * internal reduction of MacIver and Donaldson, Test-case reduction via
 * test-case generation (ECOOP 2020). Deterministic: equal tapes and equal
 * answers give the same result. */

#ifndef CHECK_PROPERTY_SHRINK_H
#define CHECK_PROPERTY_SHRINK_H

#include <kan/base.h>

#include "env/sim/tape.h"

enum shrink_answer
{
    SHRINK_PASSES,
    SHRINK_FAILS, /* in the way that is looked for */
    SHRINK_STOP   /* end here: keep the smallest tape so far */
};

/* What a run drew from the tape it was given. */
struct shrink_drawn
{
    const struct tape_choice *choices; /* borrowed until the next run */
    size_t count;
};

/* Run what fails on a replay of choices (borrowed; modulo the n asked for, 0
 * behind their end). With SHRINK_FAILS, *ret_drawn is what was drawn. */
typedef enum shrink_answer shrink_run_cb(void *data,
                                         const struct tape_choice *choices,
                                         size_t count,
                                         struct shrink_drawn *ret_drawn);

/* A smaller tape was found, of count choices, after so many runs. */
typedef void shrink_progress_cb(void *data, size_t runs, size_t count);

struct shrink_options
{
    size_t runs_max;                 /* 0 means SHRINK_RUNS_MAX */
    void *data;                      /* yours, for both callbacks */
    shrink_progress_cb *progress_cb; /* may be NULL */
    shrink_run_cb *run_cb;
};

enum
{
    /* Enough for tapes of some hundred choices to reach the end; a tape of
     * 100,000 is then cut down by its large blocks, which come first. */
    SHRINK_RUNS_MAX = 20000
};

struct shrink_result
{
    struct tape_choice *choices; /* yours: shrink_result_fini() */
    size_t count;
    size_t runs; /* made; a tape tried before is not run again */
    bool ended;  /* nothing that is tried makes it smaller: not cut short */
};

/* Shrink the count choices (borrowed) that a failing run drew. KAN_NOMEM: no
 * result. */
KAN_MUST_USE enum kan_err shrink(const struct shrink_options *options,
                                 const struct tape_choice *choices,
                                 size_t count,
                                 struct shrink_result *ret_result);

/* Free the choices. A zeroed result is fine. */
void shrink_result_fini(struct shrink_result *result);

#endif /* CHECK_PROPERTY_SHRINK_H */
