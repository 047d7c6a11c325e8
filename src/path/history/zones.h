/* zones.h - registers of which no value is written twice, in O(n log n).
 *
 * After Gibbons and Korach (Testing Shared Memories, 1997). A value's zone
 * stretches between the first return and the last call of the operations that
 * write and read it. The history is linearizable if and only if no read returns
 * before its write is called, no two forward zones (first return before last
 * call) overlap, and no backward zone lies within a forward one. */

#ifndef PATH_HISTORY_ZONES_H
#define PATH_HISTORY_ZONES_H

#include <kan/base.h>

#include "path/history/history.h"

enum
{
    ZONES_WITNESS_MAX = 6
};

struct zones_result
{
    bool fits;         /* nothing but reads and writes, no value written twice
                        * and none that is the initial one; else the rest is
                        * not set */
    bool linearizable; /* exact */
    /* Not linearizable: operations that cannot be ordered even if all others
     * are optional; ascending. */
    uint32_t witness[ZONES_WITNESS_MAX];
    uint32_t witness_count;
};

/* Room for judging parts of one history, one after the other. */
struct zones
{
    const struct history *history; /* borrowed, sealed */
    uint32_t *places;              /* by value */
    uint32_t blank;                /* a value that means nil, or VALUE_NONE */
};

/* KAN_NOMEM leaves it zeroed. A zeroed one is fine to finish. */
KAN_MUST_USE enum kan_err zones_init(struct zones *zones,
                                     const struct history *history,
                                     uint32_t blank);
void zones_fini(struct zones *zones);

/* Judge the operations of these indices (ascending; NULL: all) as one register
 * that is initial (a value) at first. KAN_NOMEM. */
KAN_MUST_USE enum kan_err zones_judge(const struct zones *zones,
                                      const uint32_t *operations,
                                      uint32_t count, uint32_t initial,
                                      struct zones_result *ret_result);

#endif /* PATH_HISTORY_ZONES_H */
