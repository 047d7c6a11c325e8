/* states.h - which of a type's enums says in what state an entity is, and what
 * steps make of each state.
 *
 * The enum is the field that most guards ask for. A step is followed with what
 * is known of that field alone: everything else may be anything, so a step may
 * be said to lead to more states than it does, never to fewer. */

#ifndef CONTRACT_GENERATE_STATES_H
#define CONTRACT_GENERATE_STATES_H

#include "contract/tree/tree.h"

enum
{
    STATES_WORDS = TREE_VALUES_MAX / 64
};

/* A set of values of the enum. */
struct states_set
{
    uint64_t words[STATES_WORDS];
};

struct states
{
    const struct tree_entity *entity;
    const struct tree_field *field; /* NULL: no guard asks for an enum */
    uint32_t count;                 /* of its values; without it 1 */
};

void states_find(const struct tree_entity *entity, struct states *ret_states);

/* Where the step may lead from that value; empty when it cannot be taken. */
struct states_set states_after(const struct states *states,
                               const struct tree_step *step, uint32_t value);

/* The value in which an entity begins. */
uint32_t states_start(const struct states *states);

static inline bool states_has(const struct states_set *set, uint32_t value)
{
    return set->words[value / 64] >> value % 64 & 1;
}

static inline void states_add(struct states_set *set, uint32_t value)
{
    set->words[value / 64] |= UINT64_C(1) << value % 64;
}

uint32_t states_count(const struct states_set *set);

/* The only one of the set, which has one. */
uint32_t states_only(const struct states_set *set);

#endif /* CONTRACT_GENERATE_STATES_H */
