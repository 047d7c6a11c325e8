/* case.h - one case of a property: where its draws come from, and what it says.
 *
 * All that a case says lies in one block without pointers, so that the block
 * can be shared with a child process and outlive its crash: each choice is
 * written there as it is drawn. */

#ifndef CHECK_PROPERTY_CASE_H
#define CHECK_PROPERTY_CASE_H

#include <kan/property.h>

#include "env/sim/tape.h"

enum
{
    CASE_MESSAGE_MAX = 1024,
    CASE_NOTES_MAX = 16 * 1024
};

enum case_state
{
    CASE_RUNNING, /* it has not come to its end: a crash, in a child */
    CASE_PASSED,
    CASE_DISCARDED,
    CASE_FAILED
};

struct case_outcome
{
    enum case_state state;
    enum kan_err err; /* the tape's; then the state says nothing */
    uint64_t place;   /* of a failure: equal for the same line, or way to end */
    size_t notes_size;
    size_t count;
    char message[CASE_MESSAGE_MAX];
    char notes[CASE_NOTES_MAX];
    struct tape_choice choices[KAN_CHOICES_MAX];
};

/* What to run. */
struct case_plan
{
    enum tape_source source; /* ZERO, SEED or REPLAY */
    uint64_t seed;
    const struct tape_choice *choices; /* borrowed */
    size_t count;
    bool noted; /* keep the notes */
};

/* Run the property with one case. */
void case_run(const struct case_plan *plan, kan_property *property, void *data,
              struct case_outcome *outcome);

/* Make it the outcome of a failure. place tells it from others. */
void case_outcome_fail(struct case_outcome *outcome, struct kan_slice place,
                       const char *message);

#endif /* CHECK_PROPERTY_CASE_H */
