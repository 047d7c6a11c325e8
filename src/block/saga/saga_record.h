/* saga_record.h - what is kept of a saga, and what a contract makes of it.
 *
 * Under the host's prefix:
 *
 *     r ID      the record: what the saga is, and how far it has come
 *     u ID      there while it is under way, for those who take it up again
 *
 * A record names the calls that it was begun with, as a number (the plan), so
 * that a text in which the saga does something else is noticed. */

#ifndef BLOCK_SAGA_SAGA_RECORD_H
#define BLOCK_SAGA_SAGA_RECORD_H

#include "base/bytes.h"
#include "block/saga/saga_core.h"
#include "contract/contract.h"

struct saga_state;

/* Slices are of what it was loaded from, or borrowed by saving. */
struct saga_record
{
    struct saga_progress progress;
    uint32_t refused;              /* a step, or SAGA_STEP_NONE */
    uint64_t plan;                 /* saga_plan.hash */
    struct kan_slice name;         /* of the saga */
    struct kan_slice refused_call; /* "to.deposit" */
    struct kan_slice reason;
    struct kan_slice parameters; /* as program_save() */
};

void saga_record_save(const struct saga_record *record, struct buffer *out);
KAN_MUST_USE enum kan_err saga_record_load(struct kan_slice saved,
                                           struct saga_record *ret_record);

/* What a saga of a contract does with these parameters. */
struct saga_plan
{
    struct saga_shape shape;
    uint64_t hash; /* of entities, steps and arguments, in order */
};

/* KAN_INVALID with a line in why: an argument does not fit its step, or an
 * entity's id is none; KAN_NOMEM. */
KAN_MUST_USE enum kan_err saga_plan_make(const struct contract *contract,
                                         uint32_t saga, const void *parameters,
                                         struct saga_plan *ret_plan,
                                         struct buffer *why);

/* "from.hold". */
void saga_call_text(const struct contract *contract, uint32_t saga,
                    uint32_t step, bool undo, struct buffer *out);

/* The call of a step (it has one), and room for its arguments. */
struct contract_saga_call saga_call_of(const struct contract *contract,
                                       uint32_t saga, uint32_t step, bool undo);
uint32_t saga_call_size(const struct contract *contract,
                        const struct contract_saga_call *call);

/* The entity's id that a parameter holds. Borrowed from parameters. */
struct kan_slice saga_entity_id(const struct contract *contract, uint32_t saga,
                                uint32_t parameter, const void *parameters);

/* Read the parameters from JSON. KAN_INVALID with a line in why; KAN_NOMEM.
 * Yours: mem_free(). */
KAN_MUST_USE enum kan_err saga_parameters_read(const struct contract *contract,
                                               uint32_t saga,
                                               struct kan_slice body,
                                               void **ret_parameters,
                                               struct buffer *why);

/* The opposite of program_save() of them. KAN_CORRUPT: they are not of this
 * saga; KAN_NOMEM. Yours: mem_free(). */
KAN_MUST_USE enum kan_err saga_parameters_load(const struct contract *contract,
                                               uint32_t saga,
                                               struct kan_slice saved,
                                               void **ret_parameters);

#endif /* BLOCK_SAGA_SAGA_RECORD_H */
