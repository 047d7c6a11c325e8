/* minimal.h - which few operations cannot be ordered.
 *
 * An operation is taken out by no longer insisting on it: a read is not asked,
 * and what changes the object may or may not have happened, within its own
 * time and with the answer it gave. So what is left cannot be ordered whatever
 * the others did, and the whole history cannot either; and without any one of
 * them, it can. */

#ifndef PATH_HISTORY_MINIMAL_H
#define PATH_HISTORY_MINIMAL_H

#include <kan/base.h>

#include "path/history/linear.h"

struct minimal
{
    uint32_t *operations; /* indices of the history, ascending */
    uint32_t count;
    bool exact;       /* none can be spared; else the search for a smaller one
                       * ran into its limits */
    uint32_t *writes; /* not among them: for each value that they saw, the last
                       * operation that can have written it; ascending */
    uint32_t write_count;
};

/* Find one. part is what cannot be ordered, without roles; its end is known to
 * suffice. Each of the searches is held to options, and all together to a few
 * million steps. KAN_NOMEM. */
KAN_MUST_USE enum kan_err minimal_find(struct spec_world *world,
                                       const struct plan_part *part,
                                       const struct linear_options *options,
                                       struct minimal *ret_minimal);
void minimal_fini(struct minimal *minimal);

#endif /* PATH_HISTORY_MINIMAL_H */
