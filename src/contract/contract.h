/* contract.h - a whole contract file, ready to be run: the programs of all its
 * versions, the upgrades between them, and its sagas.
 *
 *     text --source--> tree --check--> tree --compile--> programs
 *
 * Immutable once loaded, and counted by references: entities under way hold
 * the contract that they began with while a newer text takes its place. */

#ifndef CONTRACT_CONTRACT_H
#define CONTRACT_CONTRACT_H

#include "contract/program/measure.h"
#include "contract/program/program.h"

struct contract;

/* Read, check and compile. name is for messages, as "bank.kan". KAN_INVALID:
 * faults (may be NULL) has them printed; KAN_NOMEM. What depends on running
 * steps (laws, undos that can be refused) is not looked at: law/law.h. Yours:
 * contract_unref(). */
KAN_MUST_USE enum kan_err contract_load(struct kan_slice name,
                                        struct kan_slice text,
                                        struct contract **ret_contract,
                                        struct buffer *faults);
struct contract *contract_ref(struct contract *contract);
/* NULL is ignored; returns NULL. */
struct contract *contract_unref(struct contract *contract);

/* The checked tree, for what makes documents of it. */
const struct tree *contract_tree(const struct contract *contract);

/* Types, by name, in the order in which they first occur. */
uint32_t contract_type_count(const struct contract *contract);
struct kan_slice contract_type_name(const struct contract *contract,
                                    uint32_t type);
/* The number of the type of that name, or -1. */
int32_t contract_type_find(const struct contract *contract,
                           struct kan_slice name);

/* The program of a version; version 0: the newest. NULL: there is none. */
const struct program *contract_program(const struct contract *contract,
                                       uint32_t type, uint32_t version);
/* Oldest and newest version in the text. Those between exist. */
uint32_t contract_oldest(const struct contract *contract, uint32_t type);
uint32_t contract_newest(const struct contract *contract, uint32_t type);

/* --- from one version to the next ----------------------------------------- */

/* Whether the text says how version `from` becomes from + 1, and back. */
bool contract_has_up(const struct contract *contract, uint32_t type,
                     uint32_t from);
bool contract_has_down(const struct contract *contract, uint32_t type,
                       uint32_t from);

/* Carry a state of version `from` over to from + 1. KAN_NOTFOUND: the text does
 * not say how; KAN_CONFLICT with *refusal: there is no such state (a bound, an
 * invariant). after has the size of the other version's state. */
KAN_MUST_USE enum kan_err contract_up(const struct contract *contract,
                                      uint32_t type, uint32_t from,
                                      const void *before,
                                      const struct program_input *input,
                                      void *after,
                                      struct program_refusal *refusal);

/* Carry a state of version from + 1 back to `from`. */
KAN_MUST_USE enum kan_err contract_down(const struct contract *contract,
                                        uint32_t type, uint32_t from,
                                        const void *before,
                                        const struct program_input *input,
                                        void *after,
                                        struct program_refusal *refusal);

/* What the upgrade `from` -> from + 1 means, both ways. */
struct program_hash contract_upgrade_hash(const struct contract *contract,
                                          uint32_t type, uint32_t from);

/* Append what is other in a version here than it is in the older text: "the
 * step add has another body". Nothing when either lacks the version, or both
 * mean the same. */
void contract_differ(const struct contract *contract,
                     const struct contract *older, struct kan_slice type,
                     uint32_t version, struct buffer *out);

/* --- sagas ---------------------------------------------------------------- */

enum
{
    CONTRACT_ENTITY_ID_MAX = 256 /* bytes of an entity's id */
};

struct contract_saga
{
    struct kan_slice name;
    uint32_t parameters; /* a type of `values`: a record; an entity is a
                               * text(CONTRACT_ENTITY_ID_MAX) in it */
    const struct program *values; /* layout and JSON of the parameters; it has
                                   * no steps and its state is that record */
    uint32_t step_count;
    uint32_t pivot; /* as in struct tree_saga */
};

struct contract_saga_call
{
    uint32_t type;      /* the entity's, in this contract */
    uint32_t parameter; /* member of the parameters that holds its id */
    uint32_t step;      /* of the newest version of the type */
};

uint32_t contract_saga_count(const struct contract *contract);
struct contract_saga contract_saga(const struct contract *contract,
                                   uint32_t saga);
int32_t contract_saga_find(const struct contract *contract,
                           struct kan_slice name);

/* The call of a step, and of its undo (false: it has none). */
struct contract_saga_call contract_saga_do(const struct contract *contract,
                                           uint32_t saga, uint32_t step);
bool contract_saga_undo(const struct contract *contract, uint32_t saga,
                        uint32_t step, struct contract_saga_call *ret_call);

/* The arguments of that call, from the saga's parameters. KAN_INVALID with one
 * line in why when a parameter is not in the range that the step asks for. */
KAN_MUST_USE enum kan_err contract_saga_arguments(
    const struct contract *contract, uint32_t saga, uint32_t step, bool undo,
    const void *parameters, void *arguments, struct buffer *why);

/* The saga's own requires: KAN_OK, or KAN_CONFLICT and its text. */
KAN_MUST_USE enum kan_err contract_saga_requires(
    const struct contract *contract, uint32_t saga, const void *parameters,
    struct kan_slice *ret_text);

/* The same, with the refusal; what it names are the parameters, which stand as
 * the state of contract_saga().values. */
KAN_MUST_USE enum kan_err contract_saga_judge(const struct contract *contract,
                                              uint32_t saga,
                                              const void *parameters,
                                              struct program_refusal *refusal);

#endif /* CONTRACT_CONTRACT_H */
