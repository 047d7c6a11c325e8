/* plan.h - a history made ready for the search: what may be ordered, what must
 * be, and which of up to words * 64 slots each operation holds while it is
 * open.
 *
 * At any return at most as many operations are open as there are slots, so what
 * the search has ordered so far is known from the earliest return that it has
 * not, and one bit a slot (Wing and Gong's search has a bit for every
 * operation; this is Lowe's memo, exact and small). */

#ifndef PATH_HISTORY_PLAN_H
#define PATH_HISTORY_PLAN_H

#include <kan/base.h>

#include "path/history/spec.h"

enum
{
    PLAN_WORDS_MAX = 16, /* 1,024 operations open at once */
    PLAN_NONE = UINT32_MAX
};

/* What part an operation of the history has in a plan. */
enum plan_role
{
    PLAN_KEPT,    /* it happened as it was recorded */
    PLAN_OPTIONAL /* it may have happened, within its time and as it was
                   * recorded; what changes nothing is left out */
};

/* One operation of the plan. */
struct move
{
    struct spec_call call;
    uint32_t operation; /* its index in the history */
    uint32_t opens;     /* ranks of the history */
    uint32_t closes;    /* HISTORY_NEVER: it may come at any later time */
    uint32_t slot;
    uint32_t before;       /* an equal move that goes first as long as it is
                            * open; or PLAN_NONE */
    uint32_t return_index; /* among the returns, or PLAN_NONE */
    bool must;
    uint32_t leaves; /* as spec_leaves_fn tells; SPEC_GROWN when pure */
};

struct plan
{
    struct spec_world *world; /* borrowed */
    struct move *moves;       /* in the order in which they open */
    uint32_t count;
    uint32_t *returns; /* moves that close, in that order */
    uint32_t *opened;  /* how many moves have opened before each return */
    uint32_t return_count;
    uint32_t slot_count;
    uint32_t words;
    /* By return, plus one at the end: the first return from there on of a read
     * that must be, or a cas that matched; return_count when there is none.
     * NULL where the specification has no leads. */
    uint32_t *next_read;
    /* Where something grows, and nothing but reads looks at the state: the
     * same for a move that must be and leaves one certain state; and by move,
     * the last return among those up to it. Else NULL. */
    uint32_t *next_reset;
    uint32_t *last_return;
};

/* What of the history is to be planned. */
struct plan_part
{
    const struct history *history; /* sealed */
    const uint32_t *operations;    /* indices, ascending; NULL: all */
    uint32_t count;
    const uint8_t *roles;   /* enum plan_role by history index; NULL: kept */
    const uint32_t *places; /* by history index; NULL: one object */
    uint32_t end;           /* what is called at this rank or behind it is left
                             * out, what returns there is pending */
};

/* A plan of the part, in world (borrowed as long as the plan). KAN_INVALID when
 * the specification cannot use an operation (*ret_bad is its index), KAN_BUSY
 * when more than PLAN_WORDS_MAX * 64 are open at once, KAN_NOMEM; then the plan
 * is zeroed. ret_bad may be NULL. */
KAN_MUST_USE enum kan_err plan_init(struct plan *plan, struct spec_world *world,
                                    const struct plan_part *part,
                                    uint32_t *ret_bad);
/* A zeroed plan is fine. */
void plan_fini(struct plan *plan);

/* Memory in use, in bytes. */
uint64_t plan_size(const struct plan *plan);

#endif /* PATH_HISTORY_PLAN_H */
