/* differ.h - in what two texts of one version differ first, in words. */

#ifndef CONTRACT_PROGRAM_DIFFER_H
#define CONTRACT_PROGRAM_DIFFER_H

#include "contract/program/program.h"

/* A version, as written and as compiled. */
struct program_told
{
    const struct tree_entity *entity;
    const struct program *program;
};

/* Append what is other in `is` than it was in `was`: "the field total was
 * int(0 .. 9), and is int(0 .. 99)", "the step add has another body". Fields
 * come first, then invariants, then steps. Nothing when both mean the same. */
void program_differ(const struct program_told *was,
                    const struct program_told *is, struct buffer *out);

#endif /* CONTRACT_PROGRAM_DIFFER_H */
