/* runs.h - one run of entity_runs.h, from within. For this folder alone. */

#ifndef CHECK_ENTITY_RUNS_H
#define CHECK_ENTITY_RUNS_H

#include "block/entity/entity.h"
#include "check/entity/entity_runs.h"
#include "env/sim/sim.h"

enum
{
    RUNS_CLIENTS = 3,
    RUNS_ENTITIES = 2,
    RUNS_REQUESTS_MAX = 256,
    RUNS_DEATHS_MAX = 4,
    RUNS_RETRY_MS = 20,
    RUNS_QUIET_STEPS = 200000 /* of the world: then nothing comes any more */
};

/* What a client wants, until it knows what became of it. */
struct runs_request
{
    uint32_t number;
    uint32_t entity;
    uint32_t step;
    struct buffer arguments; /* laid out */
    struct buffer body;      /* the same as JSON */
    char key[16];
    bool known;
    bool taken;
    uint64_t n; /* of its event, when taken */
};

struct run;

struct runs_client
{
    struct run *run;
    uint32_t number;
    struct runs_request *request; /* NULL: none */
    struct env_timer timer;
    struct entity_call call;
};

struct run
{
    const struct entity_runs_options *options;
    const struct program *program;
    struct entity_runs *counts;
    struct tape *tape;
    struct sim_world *world;
    struct env *env;
    struct engine *fault; /* the wrapper with knobs, within engine */
    struct engine *engine;
    struct entity_host *host;
    bool durable; /* on SQLite: the process may die */
    bool lived;
    bool calm;     /* no faults any more */
    uint32_t rate; /* of the engine's faults, in thousandths */
    uint32_t deaths;
    bool ready;
    bool ending; /* the process goes down */
    struct runs_client clients[RUNS_CLIENTS];
    struct runs_request requests[RUNS_REQUESTS_MAX];
    uint32_t request_count;
    void *states[RUNS_ENTITIES]; /* as far as the clients have heard */

    bool failed; /* why says how */
    enum kan_err err;
    struct buffer why;
    struct buffer *story; /* or NULL */
};

static inline bool run_goes(const struct run *run)
{
    return !run->failed && !run->err;
}

/* The first failure is kept. */
__attribute__((format(printf, 2, 3))) void run_fail(struct run *run,
                                                    const char *format, ...);
__attribute__((format(printf, 2, 3))) void run_tell(struct run *run,
                                                    const char *format, ...);
const char *run_entity_id(uint32_t entity);

/* --- runs_process.c ------------------------------------------------------- */

/* The process begins, or begins again on the same disk, and is ready. */
void run_up(struct run *run);
/* It dies, with the power, or ends. All that waits for it hears of that. */
void run_down(struct run *run);
/* From now on the engine does what it is told. */
void run_calm(struct run *run);

/* --- runs_judge.c --------------------------------------------------------- */

/* All events and states against what was acknowledged. */
void run_judge(struct run *run);

#endif /* CHECK_ENTITY_RUNS_H */
