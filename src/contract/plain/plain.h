/* plain.h - the plainest way to take a step: walk the checked tree over values
 * on the heap.
 *
 * It shares nothing with the flat program but the tree, so that the two can be
 * compared over random runs; generated C is the third. Only tests link it:
 * it is slow, and every value that it makes stays in the arena until the arena
 * is freed. */

#ifndef CONTRACT_PLAIN_PLAIN_H
#define CONTRACT_PLAIN_PLAIN_H

#include <kan/base.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "contract/program/program.h"
#include "contract/tree/tree.h"

/* A value. An optional that is there is the value itself. Never changed once
 * made. */
struct plain_value
{
    int64_t number;        /* BOOL, INT; ENUM: its number */
    struct kan_slice text; /* TEXT */
    bool absent;           /* OPTIONAL: none */
    uint32_t count;        /* RECORD: fields; SET, MAP: elements, sorted */
    const struct plain_value **keys;   /* SET, MAP */
    const struct plain_value **values; /* RECORD, MAP */
};

/* What became of a step. */
struct plain_result
{
    enum program_refusal_kind refused; /* PROGRAM_OK: it was taken */
    const struct plain_value *state;   /* of all fields, when it was */
    struct kan_slice text;             /* REQUIRE: its text; INVARIANT: name */
    const struct tree_expr *target;    /* what was being assigned, or NULL */
    bool failed;                       /* memory ran out: nothing else counts */
};

/* Whether name is what the interpreter calls the target that was assigned:
 * "lines.count" for lines[article].count; empty for none. Of OVERFLOW and
 * DIVIDE. */
bool plain_target_named(const struct tree_expr *target, struct kan_slice name);

/* The state in which an entity begins; NULL when memory ran out. */
const struct plain_value *plain_start(const struct tree_entity *entity,
                                      struct arena *arena);

/* Take a step. arguments has one value for each parameter. */
struct plain_result plain_take(const struct tree_entity *entity,
                               const struct tree_step *step,
                               const struct plain_value *state,
                               const struct plain_value *const *arguments,
                               const struct program_input *input,
                               struct arena *arena);

/* Carry a state over an upgrade: up, or down. */
struct plain_result plain_carry(const struct tree_upgrade *upgrade, bool up,
                                const struct plain_value *state,
                                const struct program_input *input,
                                struct arena *arena);

/* The value of the type that JSON, as program_json() writes it, says. NULL when
 * it is none, or memory ran out. */
const struct plain_value *plain_read(const struct tree_type *type,
                                     const struct json_tree *json,
                                     const struct json_node *node,
                                     struct arena *arena);

/* As program_json() writes it. */
void plain_print(const struct tree_type *type, const struct plain_value *value,
                 struct buffer *out);

/* A record of fields, which is what a state is. */
void plain_print_fields(const struct tree_field *fields, uint32_t count,
                        const struct plain_value *value, struct buffer *out);

#endif /* CONTRACT_PLAIN_PLAIN_H */
