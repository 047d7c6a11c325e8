/* plain_walk.h - every state of a space, the plain way, as an oracle for tests:
 * breadth first, each state kept whole and found by its hash, nothing left out.
 */

#ifndef CHECK_SPACE_PLAIN_WALK_H
#define CHECK_SPACE_PLAIN_WALK_H

#include "check/space/space.h"

struct plain_walk
{
    enum kan_err err;
    uint64_t states;
    uint64_t generated; /* steps, and first states */
    uint64_t terminal;
    uint32_t depth;
    uint64_t broken;      /* steps */
    uint64_t unorderable; /* steps */
    uint64_t fails;       /* states in which a property does not hold */
    struct path_id sum;   /* of the hashes of all states */
    char why[512];        /* of the first broken step */
};

/* Called for each state with the steps out of it; may be NULL. */
typedef void plain_visit_cb(void *data, struct space_walker *walker,
                            const struct space_state *state,
                            const struct space_step *steps, uint32_t count);

/* Walk all, at most states_max states (then err is KAN_BUSY). */
void plain_walk(const struct space *space, struct space_walker *walker,
                uint64_t states_max, plain_visit_cb *visit, void *data,
                struct plain_walk *ret_walk);

#endif /* CHECK_SPACE_PLAIN_WALK_H */
