/* entity_runs.h - entities of a contract at random: clients call steps with
 * boundary values on the real entity block, over the memory or the SQLite
 * engine, as is drawn, in a simulated world in which requests to the engine are
 * refused, answers are lost or late, and the power fails.
 *
 * Each request has an idempotency key and is asked again with it until its
 * answer is known; some are asked again after that. In the end every step that
 * was acknowledged must be in the stream once, with its number, and nothing
 * else; and each state must be the fold of its events.
 *
 * A run is its tape; one that fails is shrunk, and told in words. */

#ifndef CHECK_ENTITY_ENTITY_RUNS_H
#define CHECK_ENTITY_ENTITY_RUNS_H

#include "base/bytes.h"
#include "contract/contract.h"
#include "engine/engine.h"

/* Zero means the default in parentheses. */
struct entity_runs_options
{
    struct contract *contract; /* borrowed */
    uint32_t type;             /* whose newest version is run */
    uint64_t seed;             /* of the first run; (0 is 0) */
    uint32_t runs;             /* (100) */
    uint32_t requests;         /* of all clients, in a run (30) */
    void *data;
    bool (*stop)(void *data); /* asked between runs; true ends them. Or NULL */
    /* For tests: puts another engine above the one opened, which is given.
     * KAN_NOMEM. Or NULL. */
    enum kan_err (*wrap)(void *data, struct env *env, struct engine *inner,
                         struct engine **ret_engine);
};

struct entity_runs
{
    bool fails;
    bool stopped;
    uint64_t runs;
    uint64_t taken; /* requests that were acknowledged, */
    uint64_t refused;
    uint64_t again;    /* and how often one was asked again, */
    uint64_t unknown;  /* after an answer that did not tell */
    uint64_t deaths;   /* of the process */
    uint64_t seed;     /* fails: of the run */
    struct buffer why; /* fails: one line */
    struct buffer run; /* fails: the smallest one found, a line for each thing
                        * that happened */
};

/* KAN_NOMEM, or what the simulated world could not do. */
KAN_MUST_USE enum kan_err entity_runs(const struct entity_runs_options *options,
                                      struct entity_runs *ret_runs);
void entity_runs_fini(struct entity_runs *runs);

#endif /* CHECK_ENTITY_ENTITY_RUNS_H */
