/* check_contract.h - `kan check FILE.kan`: what holds of a contract.
 *
 * Four parts: each version of each type by itself (laws, pairs of steps), each
 * saga among others (whether its undos can be refused), both on the blocks that
 * will run them (no acknowledged step lost or taken twice, all or nothing),
 * walked by models that embed the blocks' own rules; and each type at random on
 * the real block, in a simulated world. */

#ifndef CLI_CHECK_CONTRACT_H
#define CLI_CHECK_CONTRACT_H

#include "check/entity/entity_runs.h"
#include "check/walk/walk.h"
#include "cli/target.h"
#include "contract/law/law.h"

struct check_contract_options
{
    const char *file;
    const char *faults;  /* of the blocks' models; NULL: theirs */
    uint32_t states;     /* of each walk of a type or a saga; 0: 20,000 */
    uint32_t depth;      /* steps of a run of a type; 0: 4,096 */
    uint64_t memory_max; /* of each walk; 0: no limit but the budget's */
    double seconds_max;  /* of all together; 0: no limit */
    bool json;
    uint32_t width; /* of the terminal */
    bool colour;
};

/* Returns EXIT_DONE, EXIT_FOUND, EXIT_USAGE or EXIT_UNKNOWN. */
int check_contract(const struct check_contract_options *options);

/* Parse and check the texts alone: quiet when they are fine. */
int check_contract_syntax(const char *const *files, int count);

/* --- what was found, for check_contract_text.c ---------------------------- */

struct check_type
{
    uint32_t type;
    uint32_t version;
    const struct program *program;
    struct law_walk walk;
    struct law_result *laws;
    uint32_t law_count;
    struct law_pair *pairs;
    struct law_step *steps;
    uint32_t step_count;
};

/* A walk of a block's model. */
struct check_block
{
    const char *model; /* "entity", "saga" */
    uint32_t number;   /* of the type, or of the saga */
    enum walk_verdict verdict;
    bool complete;
    uint64_t states;
    uint64_t steps;
    uint32_t depth;
    uint32_t run_steps; /* FAILS */
    struct buffer budget;
    struct buffer property; /* FAILS: the property; UNKNOWN: what ran out */
    struct buffer drawing;  /* FAILS */
    struct law_table table; /* entity: what its numbers mean */
};

struct check_contract
{
    const struct check_contract_options *options;
    struct contract *contract;
    double deadline; /* 0: none */
    struct check_type *types;
    uint32_t type_count;
    struct law_saga *sagas;
    uint32_t saga_count;
    struct check_block *blocks;
    uint32_t block_count;
    struct entity_runs *runs; /* one a type */
    uint32_t run_count;
    bool stopped; /* time was up before all was looked at */
};

enum walk_verdict check_contract_verdict(const struct check_contract *check);

/* check_contract_runs.c: run each type until late() says so; then what came of
 * it, in words, or as the elements of an array. */
int check_contract_runs(struct check_contract *check, bool (*late)(void *data));
void check_contract_runs_fini(struct check_contract *check);
void check_contract_runs_text(const struct check_contract *check,
                              struct buffer *out);
void check_contract_runs_json(const struct check_contract *check,
                              struct buffer *out);

void check_contract_text(const struct check_contract *check,
                         struct buffer *out);
void check_contract_json(const struct check_contract *check,
                         struct buffer *out);

#endif /* CLI_CHECK_CONTRACT_H */
