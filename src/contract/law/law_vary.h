/* law_vary.h - calling a step over and over, each time with another element.
 *
 * Two or three boundary values of a text never fill a set of five. So a walk
 * also calls a step many times in one move, and gives its parameters that may
 * be elements a value that they had not before. */

#ifndef CONTRACT_LAW_LAW_VARY_H
#define CONTRACT_LAW_LAW_VARY_H

#include "contract/program/program.h"

enum
{
    LAW_VARY_MAX = 256, /* calls in one move: collections up to here get full */
    LAW_VARY_MISSES = 32 /* calls in a row that change nothing: enough */
};

/* The kinds of the elements and keys that the type holds more than one of, a
 * bit each; 0: nothing is to be filled. */
uint32_t law_vary_kinds(const struct program *program);

/* Whether a parameter of the step is of these kinds. */
bool law_varies(const struct program *program, uint32_t step, uint32_t kinds);

/* Give each such parameter its number-th value; others stay. false: one has not
 * so many. */
bool law_vary(const struct program *program, uint32_t step, uint32_t kinds,
              uint32_t number, void *arguments);

/* Whether each such parameter has the same value in both. */
bool law_vary_same(const struct program *program, uint32_t step, uint32_t kinds,
                   const void *a, const void *b);

#endif /* CONTRACT_LAW_LAW_VARY_H */
