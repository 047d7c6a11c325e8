/* generate.h - a contract as something else: C whose types have its layout and
 * whose functions take its steps, an OpenAPI document of what serves it, a
 * picture of its states.
 *
 * Everything is made from the checked tree, in the order in which it is
 * written there: the same text gives the same bytes on every machine. */

#ifndef CONTRACT_GENERATE_GENERATE_H
#define CONTRACT_GENERATE_GENERATE_H

#include "contract/contract.h"

struct generate_options
{
    struct kan_slice file; /* the contract's name in comments: "bank.kan" */
    struct kan_slice stem; /* of the header and the source: "bank" */
    struct kan_slice type; /* of this type alone; empty: of all */
};

/* All of these append to their buffers. KAN_NOTFOUND: there is no such type;
 * KAN_NOMEM. What the buffers hold after an error is not meant to be used. */

/* stem.h and stem.c: C17 that is C++17 too, and needs libc alone. */
KAN_MUST_USE enum kan_err generate_c(const struct contract *contract,
                                     const struct generate_options *options,
                                     struct buffer *header,
                                     struct buffer *source);

/* OpenAPI 3.1, as JSON. */
KAN_MUST_USE enum kan_err generate_openapi(
    const struct contract *contract, const struct generate_options *options,
    struct buffer *out);

/* Graphviz: states and steps, a cluster a type. */
KAN_MUST_USE enum kan_err generate_dot(const struct contract *contract,
                                       const struct generate_options *options,
                                       struct buffer *out);

#endif /* CONTRACT_GENERATE_GENERATE_H */
