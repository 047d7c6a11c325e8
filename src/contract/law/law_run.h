/* law_run.h - putting a run into words, step by step. */

#ifndef CONTRACT_LAW_LAW_RUN_H
#define CONTRACT_LAW_LAW_RUN_H

#include "contract/law/law.h"

/* Say in which state the run begins, behind how many steps. */
KAN_MUST_USE enum kan_err law_run_begin(struct law_run *run,
                                        const struct program *program,
                                        const void *state, uint32_t first);

/* Add a step that led to the state; or that was refused: then state is the
 * text, borrowed. ret_step may be NULL. */
KAN_MUST_USE enum kan_err law_run_took(struct law_run *run,
                                       const struct program *program,
                                       uint32_t step, const void *arguments,
                                       uint32_t times, const void *state);
KAN_MUST_USE enum kan_err law_run_refused(
    struct law_run *run, const struct program *program, uint32_t step,
    const void *arguments, const struct program_refusal *refusal);

/* Make one step of many in a row that are the same. */
void law_run_fold(struct law_run *run);

/* The step added last. */
static inline struct law_run_step *law_run_last(struct law_run *run)
{
    return &run->steps[run->count - 1];
}

/* "open(name: \"a\")": a call with its arguments, given as JSON. */
void law_call_print(const struct program *program, uint32_t step,
                    struct kan_slice arguments, struct buffer *out);

#endif /* CONTRACT_LAW_LAW_RUN_H */
