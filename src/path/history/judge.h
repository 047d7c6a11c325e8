/* judge.h - is a history linearizable? The whole decision: the specification
 * chosen, the history parted by key (it is linearizable if and only if every
 * part is: Herlihy and Wing 1990), each part decided the fastest exact way, and
 * the few operations found that cannot be ordered. */

#ifndef PATH_HISTORY_JUDGE_H
#define PATH_HISTORY_JUDGE_H

#include <kan/base.h>

#include "path/history/linear.h"
#include "path/history/minimal.h"

struct judge_options
{
    const struct spec *spec; /* NULL: chosen from what the history holds */
    uint32_t initial;        /* what a register holds at first, a value of the
                              * history; VALUE_NONE: nil */
    bool whole;              /* do not part by key */
    bool searched;           /* never take a fast path */
    bool no_minimal;         /* the verdict suffices */
    bool points;             /* say when each operation can have taken effect:
                              * costs the fast paths */
    struct linear_options search;
};

enum judge_reason
{
    JUDGE_DECIDED,
    JUDGE_MEMORY,  /* more than search.memory_max */
    JUDGE_STOPPED, /* by search.progress */
    JUDGE_OPEN,    /* more than PLAN_WORDS_MAX * 64 open at once */
    JUDGE_STEPS    /* more than search.steps_max */
};

/* One line for people, as "it needs more memory than it may use"; static. */
const char *judge_reason_text(enum judge_reason reason);

struct judgement
{
    enum verdict verdict;
    enum judge_reason reason; /* why it is unknown */
    const struct spec *spec;
    uint32_t part_count; /* parts it fell into */
    uint32_t fast_count; /* of them, decided by a fast path */
    uint32_t key;        /* VERDICT_NOT: of the part that is not linearizable;
                          * VALUE_NONE when there are no keys */
    struct minimal minimal; /* VERDICT_NOT */
    uint32_t *points; /* with options.points, by operation: the rank of the
                       * event behind which it takes effect in the longest
                       * order found, or PLAN_NONE; else NULL */
    uint64_t steps;   /* operations tried, without those for minimal */
    uint64_t memo;    /* configurations remembered, at most at once */
    uint64_t bytes;   /* memory in use, at most at once */
};

/* Judge a sealed history; values of specifications are added to its table.
 * KAN_INVALID: no specification knows all its functions, or options.spec does
 * not, or cannot use the values of operation *ret_bad (else PLAN_NONE).
 * KAN_NOMEM. options may be NULL. The judgement is given to judgement_fini()
 * after KAN_OK. */
KAN_MUST_USE enum kan_err history_judge(struct history *history,
                                        const struct judge_options *options,
                                        uint32_t *ret_bad,
                                        struct judgement *ret_judgement);
void judgement_fini(struct judgement *judgement);

#endif /* PATH_HISTORY_JUDGE_H */
