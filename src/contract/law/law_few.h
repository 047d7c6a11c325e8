/* law_few.h - a few ways to fill a record: for a number both ends of its range,
 * one and what the contract compares with, for a text the empty one, "a" and
 * what the contract compares with, of an enum all, of anything else its first
 * boundary values. Where several actors' choices multiply, more would only make
 * the walk shorter. */

#ifndef CONTRACT_LAW_LAW_FEW_H
#define CONTRACT_LAW_LAW_FEW_H

#include "contract/contract.h"

enum
{
    LAW_FEW_MAX = 64 /* ways: three parameters, each in four */
};

/* Records of one type, one behind another. Zeroed is empty. */
struct law_few
{
    unsigned char *records;
    size_t stride;
    uint32_t count;
    bool whole; /* these are all values there are */
};

/* What is to be filled. */
struct law_few_of
{
    const struct contract *contract; /* what it compares with */
    const struct program *program;
    uint32_t type;      /* a record of the program's */
    uint32_t fixed;     /* its members that stay as in preset, a bit each */
    const void *preset; /* each way begins as a copy of it */
    void *scratch;      /* holds any value of a member */
};

/* All ways, at most LAW_FEW_MAX, that are values of the type. KAN_NOMEM. Yours:
 * law_few_fini(). */
KAN_MUST_USE enum kan_err law_few_init(struct law_few *few,
                                       const struct law_few_of *of);
void law_few_fini(struct law_few *few);

static inline void *law_few_at(const struct law_few *few, uint32_t number)
{
    return few->records + few->stride * number;
}

#endif /* CONTRACT_LAW_LAW_FEW_H */
