/* measure_inside.h - what views per entity (measure.c) and over all
 * (measure_all.c) share: entries by their number, and sums and differences of
 * what is counted. For this folder alone. */

#ifndef CONTRACT_PROGRAM_MEASURE_INSIDE_H
#define CONTRACT_PROGRAM_MEASURE_INSIDE_H

#include "contract/program/program_inside.h"

/* What a node comes to; nothing (null) over no entity or event at all. */
struct measure_amount
{
    bool any;
    __int128 number;
};

static inline const struct program_inside_node *measure_node(
    const struct program *program, uint32_t node)
{
    return PROGRAM_ITEM(program, nodes, struct program_inside_node, node);
}

/* Append the name of a view's entry, with a comma before it where one belongs;
 * returns what it shows. */
const struct program_inside_node *measure_entry(
    const struct program *program, const struct program_inside_view *view,
    uint32_t entry, struct buffer *out);

/* What an aggregate comes to. */
typedef struct measure_amount measure_leaf_cb(
    const struct program *program, const struct program_inside_node *node,
    const void *data);

/* The number that node comes to; nothing when any part is nothing, or in the
 * case, which no count of events reaches, that it is beyond 128 bits. */
struct measure_amount measure_compute(const struct program *program,
                                      const struct program_inside_node *node,
                                      measure_leaf_cb *leaf, const void *data);

/* As a number, a string beyond 2^53, or null. */
void measure_amount_json(struct measure_amount amount, struct buffer *out);

/* The node's expression over a state, an int or (as 0 and 1) a bool; false when
 * it cannot be computed. */
bool measure_int(const struct program *program,
                 const struct program_inside_node *node, const void *state,
                 int64_t *ret_number);

/* The node's expression of any type as JSON; null when it cannot be computed.
 * Without memory for its value the buffer is marked as failed. */
void measure_plain_json(const struct program *program,
                        const struct program_inside_node *node,
                        const void *state, struct buffer *out);

#endif /* CONTRACT_PROGRAM_MEASURE_INSIDE_H */
