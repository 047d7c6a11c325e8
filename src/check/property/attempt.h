/* attempt.h - the smallest failing tape so far, and attempts to replace it.
 *
 * A pass writes a candidate, most often by editing a copy of the best tape, and
 * asks attempt_try(). A candidate is run only when it is smaller than the best
 * one and was not run before. */

#ifndef CHECK_PROPERTY_ATTEMPT_H
#define CHECK_PROPERTY_ATTEMPT_H

#include "check/property/shrink.h"

/* A hash that 2^40 tapes share with a chance of 2^-49. */
struct attempt_hash
{
    uint64_t a;
    uint64_t b;
};

struct attempt
{
    const struct shrink_options *options;
    size_t runs_max;
    size_t runs;
    size_t adopted; /* how often the best tape was replaced */
    bool stopped;   /* every further attempt fails */
    bool failed;    /* out of memory */
    struct tape_choice *best;
    size_t count;
    struct tape_choice *candidate;
    size_t candidate_count;
    struct attempt_hash *tried; /* open addressing; zero is an empty place */
    size_t tried_size;          /* a power of two */
    size_t tried_count;
};

/* Begin with a tape that fails (copied). KAN_NOMEM leaves a zero attempt. */
KAN_MUST_USE enum kan_err attempt_init(struct attempt *attempt,
                                       const struct shrink_options *options,
                                       const struct tape_choice *choices,
                                       size_t count);
void attempt_fini(struct attempt *attempt);

/* Make the candidate a copy of the best tape without the size choices at at. */
void attempt_copy_without(struct attempt *attempt, size_t at, size_t size);

/* Make the candidate a copy of the best tape. */
void attempt_copy(struct attempt *attempt);

/* Whether the candidate fails and is smaller; then what it drew is the best
 * tape from now on. */
bool attempt_try(struct attempt *attempt);

#endif /* CHECK_PROPERTY_ATTEMPT_H */
