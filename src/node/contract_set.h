/* contract_set.h - the contract files of one running Kan, read and compiled
 * together.
 *
 * Each file stands alone: it is compiled by itself, so that what is wrong is
 * told in its own lines. What runs is all of them as one text. May be used from
 * a lane: files and memory only. */

#ifndef NODE_CONTRACT_SET_H
#define NODE_CONTRACT_SET_H

#include <kan/base.h>

#include "base/bytes.h"
#include "contract/contract.h"
#include "env/env.h"
#include "node/settings.h"
#include "serve/http/serve.h"

/* Zeroed is empty. */
struct contract_set
{
    struct buffer texts[SETTINGS_LIST_MAX];
    struct serve_source sources[SETTINGS_LIST_MAX]; /* names are borrowed */
    uint32_t count;
    struct contract *whole; /* what runs; NULL until it is compiled */
    struct buffer partly;   /* sagas of which not all was walked, and who walks
                             * more; or empty */
};

/* Read all files. KAN_NOTFOUND, KAN_IO, ... with one line in why. */
KAN_MUST_USE enum kan_err contract_set_read(struct contract_set *set,
                                            struct env *env,
                                            const struct settings_list *paths,
                                            struct buffer *why);

/* Whether both were read from the same texts. */
bool contract_set_equal(const struct contract_set *set,
                        const struct contract_set *other);

/* Compile what was read, and check its sagas: one whose undo, or a step behind
 * whose pivot, others can cause to be refused is a fault, and the run that
 * shows it is printed. They are walked for some milliseconds; set->partly says
 * of which that was not all. modules: none of their types may be in a contract
 * too. KAN_INVALID with lines in why, each with its newline; KAN_NOMEM. */
KAN_MUST_USE enum kan_err contract_set_compile(
    struct contract_set *set, const struct kan_module *const *modules,
    uint32_t module_count, struct buffer *why);

/* Whether all types of the set that runs are in the next one too; both are
 * compiled. KAN_INVALID with a line in why for each that is missing: a file
 * that was cut short would otherwise take what it lacks out of service. */
KAN_MUST_USE enum kan_err contract_set_keeps(const struct contract_set *next,
                                             const struct contract_set *running,
                                             struct buffer *why);

void contract_set_fini(struct contract_set *set);

#endif /* NODE_CONTRACT_SET_H */
