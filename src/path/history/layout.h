/* layout.h - where the bars of a drawing stand: rows of processes, and columns
 * of the moments at which something is called or returns. */

#ifndef PATH_HISTORY_LAYOUT_H
#define PATH_HISTORY_LAYOUT_H

#include <kan/base.h>

#include "path/history/judge.h"

enum layout_mark
{
    LAYOUT_PLAIN,
    LAYOUT_WROTE,  /* wrote what a needed one saw */
    LAYOUT_NEEDED, /* of the minimal ones */
    LAYOUT_MARKS
};

struct layout_bar
{
    uint32_t operation;
    uint32_t row;
    uint32_t from; /* columns; each is one call or one return */
    uint32_t to;   /* column_count: it never returns */
    enum layout_mark mark;
};

struct layout
{
    struct layout_bar *bars; /* in the order of their calls */
    uint32_t count;
    uint32_t *ranks; /* by column */
    uint32_t column_count;
    uint32_t *processes; /* by row; a process has more than one row when it
                          * calls while an operation of its own is open */
    uint32_t row_count;
};

/* Lay out the operations: all of the key that decided, at most bars_max around
 * the minimal ones; or, with minimal_only, just these and what wrote for them.
 * KAN_NOMEM leaves it zeroed. */
KAN_MUST_USE enum kan_err layout_init(struct layout *layout,
                                      const struct history *history,
                                      const struct judgement *judgement,
                                      bool minimal_only, uint32_t bars_max);
/* A zeroed layout is fine. */
void layout_fini(struct layout *layout);

/* The column of the last event up to rank; 0 when there is none. */
uint32_t layout_column(const struct layout *layout, uint32_t rank);

#endif /* PATH_HISTORY_LAYOUT_H */
