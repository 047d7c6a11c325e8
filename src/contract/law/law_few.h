/* law_few.h - a few ways to fill a record: for a number both ends of its range
 * and one, for anything else its first boundary values. Where several actors'
 * choices multiply, more would only make the walk shorter. */

#ifndef CONTRACT_LAW_LAW_FEW_H
#define CONTRACT_LAW_LAW_FEW_H

#include "contract/program/program.h"

enum
{
    LAW_FEW_MAX = 27 /* ways: three numbers, each in three */
};

/* Records of one type, one behind another. Zeroed is empty. */
struct law_few
{
    unsigned char *records;
    size_t stride;
    uint32_t count;
};

/* All ways, at most LAW_FEW_MAX, that are values of the type; each begins as a
 * copy of `preset`. scratch holds any value of a member. KAN_NOMEM. Yours:
 * law_few_fini(). */
KAN_MUST_USE enum kan_err law_few_init(struct law_few *few,
                                       const struct program *program,
                                       uint32_t type, const void *preset,
                                       void *scratch);
void law_few_fini(struct law_few *few);

static inline void *law_few_at(const struct law_few *few, uint32_t number)
{
    return few->records + few->stride * number;
}

#endif /* CONTRACT_LAW_LAW_FEW_H */
