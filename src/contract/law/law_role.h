/* law_role.h - what a saga does to one of its entities.
 *
 * A role is a saga seen from one entity parameter. It goes forwards, step by
 * step; up to the pivot it may turn round at any time and undo what it did, and
 * behind the pivot it goes on to the end. Steps of other entities happen, or
 * fail, unseen. */

#ifndef CONTRACT_LAW_LAW_ROLE_H
#define CONTRACT_LAW_LAW_ROLE_H

#include "contract/contract.h"
#include "contract/law/law_few.h"

enum law_role_mode
{
    LAW_ROLE_NONE,
    LAW_ROLE_FORWARD, /* place: steps done */
    LAW_ROLE_UNDOING, /* place: steps still to be undone */
    LAW_ROLE_THEN     /* behind the pivot; place: steps done */
};

/* Where one run of a saga is. Plain bytes: part of a walked state. */
struct law_token
{
    uint16_t role;
    uint16_t choice; /* of the saga's parameters */
    uint8_t mode;
    uint8_t place;
};

/* A call that a token can make next, and what the token is behind it. */
struct law_role_call
{
    uint32_t saga_step;
    bool undo;
    bool must; /* it may not be refused: it is an undo, or behind the pivot */
    struct contract_saga_call call;
    struct law_token after; /* mode NONE: nothing is left to do here */
};

struct law_role
{
    const struct contract *contract;
    uint32_t saga;
    uint32_t parameter;
    uint32_t step_count;
    uint32_t decides; /* the step behind which nothing is undone */
    const struct law_few *choices;
};

enum
{
    LAW_ROLE_CALLS_MAX = 2 * TREE_SAGA_STEPS_MAX + 2
};

void law_role_init(struct law_role *role, const struct contract *contract,
                   uint32_t saga, uint32_t parameter,
                   const struct law_few *choices);

/* Whether it calls this entity at all; and whether any of that may not be
 * refused. */
bool law_role_calls(const struct law_role *role);
bool law_role_owes(const struct law_role *role);

/* The calls that the token may make next. A new one has mode FORWARD, place 0.
 * Returns how many, at most LAW_ROLE_CALLS_MAX. */
uint32_t law_role_next(const struct law_role *role, struct law_token token,
                       struct law_role_call *calls);

/* The parameters' values that a saga is tried with: ids are distinct, its own
 * requires hold, and its calls' arguments are in range. KAN_NOMEM. */
KAN_MUST_USE enum kan_err law_role_choices(const struct contract *contract,
                                           uint32_t saga,
                                           struct law_few *ret_choices);

/* Bytes that hold any value of any newest program, or of a saga. */
size_t law_scratch_size(const struct contract *contract);

#endif /* CONTRACT_LAW_LAW_ROLE_H */
