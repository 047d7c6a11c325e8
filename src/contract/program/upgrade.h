/* upgrade.h - one way between two versions of a type, and the parameters of a
 * saga, compiled as programs of their own. For contract.c alone. */

#ifndef CONTRACT_PROGRAM_UPGRADE_H
#define CONTRACT_PROGRAM_UPGRADE_H

#include "contract/program/program.h"

/* The way up (or down) of an upgrade: a program whose state is that of the
 * version that is reached. Errors as of program_compile(). */
KAN_MUST_USE enum kan_err upgrade_compile(const struct tree *tree,
                                          const struct tree_upgrade *upgrade,
                                          bool up,
                                          struct program **ret_program);

/* Carry a state over to the version of target. KAN_CONFLICT with *refusal,
 * whose condition is one of target's, or none. */
KAN_MUST_USE enum kan_err upgrade_carry(const struct program *program,
                                        const struct program *target,
                                        const void *before,
                                        const struct program_input *input,
                                        void *after,
                                        struct program_refusal *refusal);

/* What both ways mean. */
KAN_MUST_USE enum kan_err upgrade_hash(const struct tree_upgrade *upgrade,
                                       struct program_hash *ret_hash);

/* The parameters of a saga as a state, without steps. Its calls are numbered:
 * of each step the do, then the undo, whether there is one or not. */
KAN_MUST_USE enum kan_err saga_compile(const struct tree *tree,
                                       const struct tree_saga *saga,
                                       struct program **ret_program);

KAN_MUST_USE enum kan_err saga_requires(const struct program *program,
                                        const void *parameters,
                                        struct program_refusal *refusal);

/* arguments has the size of the step's. KAN_CONFLICT with *refusal. */
KAN_MUST_USE enum kan_err saga_arguments(const struct program *program,
                                         uint32_t call, const void *parameters,
                                         void *arguments,
                                         struct program_refusal *refusal);

#endif /* CONTRACT_PROGRAM_UPGRADE_H */
