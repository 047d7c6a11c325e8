/* contract_random.h - contracts out of draws. */

#ifndef TEST_FUZZ_CONTRACT_RANDOM_H
#define TEST_FUZZ_CONTRACT_RANDOM_H

#include "contract/program/program.h"

/* Append the text of a type with fields of every kind, some invariants and some
 * steps. Names and types are right; what numbers do to each other may not be.
 */
void random_contract(program_choose_cb *choose, void *data, struct buffer *out);

#endif /* TEST_FUZZ_CONTRACT_RANDOM_H */
