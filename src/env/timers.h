/* timers.h - the armed timers of a world, the next due one first.
 *
 * A binary heap of pointers to the callers' structs, ordered by due time and
 * then by submission, so that ties break the same way in every world and every
 * run. A timer knows its place (heap_index, 0 when it is not armed): moving
 * and stopping cost O(log n) and never fail. For env/uv and env/sim alone. */

#ifndef ENV_TIMERS_H
#define ENV_TIMERS_H

#include "env/env.h"

struct timers
{
    struct env_timer **heap; /* NULL while capacity is 0 */
    size_t count;
    size_t capacity;
    uint64_t order; /* of the next submission; starts at 1 */
};

/* An empty heap. Allocates nothing. */
void timers_init(struct timers *timers);

/* Free the heap, which must be empty. A zeroed struct is fine. */
void timers_fini(struct timers *timers);

/* Arm the timer, or move it when it is armed; either way it takes the next
 * submission number. The struct stays the caller's and must live until it is
 * removed or popped. A due_ns before now_ns counts as now_ns: what is started
 * in the past cannot overtake what is due already. KAN_NOMEM, only when the
 * timer was not armed, leaves everything as it was. */
KAN_MUST_USE enum kan_err timers_add(struct timers *timers,
                                     struct env_timer *timer, uint64_t due_ns,
                                     uint64_t now_ns, env_timer_cb *cb);

/* Disarm. Nothing happens when the timer is not armed. */
void timers_remove(struct timers *timers, struct env_timer *timer);

/* The next due timer, still armed, or NULL when there is none. */
struct env_timer *timers_first(const struct timers *timers);

/* Disarm and return the next timer with due_ns <= now_ns whose number is below
 * before_order, or NULL. A world's round passes what timers->order was when it
 * began, so that a timer which starts itself again at once waits for the next
 * round. */
struct env_timer *timers_pop(struct timers *timers, uint64_t now_ns,
                             uint64_t before_order);

#endif /* ENV_TIMERS_H */
