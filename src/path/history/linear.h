/* linear.h - the exact search: is there an order of a plan's operations that
 * its specification allows and that keeps to their times?
 *
 * After Wing and Gong (1993), with the memo of Lowe (2017): an operation that
 * is open and possible is taken, and what was tried in vain is remembered, as
 * (earliest return not yet ordered, slots ordered, state): 16 bytes for 64
 * operations open at once. The time is exponential in how many are open at
 * once, and linear in how many there are. Memory is bounded; where it does not
 * suffice the answer is unknown, never wrong. */

#ifndef PATH_HISTORY_LINEAR_H
#define PATH_HISTORY_LINEAR_H

#include <kan/base.h>

#include "path/history/plan.h"

enum verdict
{
    VERDICT_LINEARIZABLE,
    VERDICT_NOT,
    VERDICT_UNKNOWN
};

/* Called every few thousand steps; false ends the search as unknown. */
typedef bool linear_progress_cb(void *data, uint64_t steps, uint64_t bytes);

struct linear_options
{
    uint64_t memory_max; /* bytes; 0: 1 GiB. The table of values is counted. */
    uint64_t steps_max;  /* 0: no limit */
    void *data;
    linear_progress_cb *progress; /* may be NULL */
};

enum linear_limit
{
    LINEAR_NO_LIMIT,
    LINEAR_MEMORY,
    LINEAR_STEPS,
    LINEAR_STOPPED /* by progress */
};

struct linear_result
{
    enum verdict verdict;
    enum linear_limit limit; /* why it is unknown */
    uint32_t *order;         /* operations as they can take effect: all that
                              * must, or the longest that was found */
    uint32_t order_count;
    uint32_t stuck; /* VERDICT_NOT: an operation; the history up to its return
                     * cannot be ordered */
    uint64_t steps; /* operations tried */
    uint64_t memo;  /* configurations remembered */
    uint64_t bytes; /* memory in use at the end */
};

/* Search. KAN_OK with any verdict, or KAN_NOMEM. The result is given to
 * linear_result_fini() after KAN_OK. options may be NULL. */
KAN_MUST_USE enum kan_err linear_search(const struct plan *plan,
                                        const struct linear_options *options,
                                        struct linear_result *ret_result);
void linear_result_fini(struct linear_result *result);

#endif /* PATH_HISTORY_LINEAR_H */
