/* The process of a run: an engine with faults, and the entity block on it. */

#include "base/alloc.h"
#include "base/assert.h"
#include "check/entity/runs.h"
#include "engine/fault/fault.h"
#include "engine/memory/memory.h"
#include "engine/sqlite/sqlite.h"

/* --- ending --------------------------------------------------------------- */

static void on_closed(void *data)
{
    *(bool *)data = true;
}

/* Of a process that died, apart from the world. */
static void wait_closed(struct run *run, const bool *closed)
{
    while (!*closed)
        if (sim_dead(run->env))
            (void)env_run(run->env, ENV_RUN_ONCE);
        else if (!sim_step(run->world))
            break;
    kan_assert(*closed);
}

void run_down(struct run *run)
{
    bool closed = false;

    run->ending = true;
    for (uint32_t i = 0; run->env && i < RUNS_CLIENTS; i++)
        env_timer_stop(run->env, &run->clients[i].timer);
    if (run->host) {
        entity_host_close(run->host, &closed, on_closed);
        wait_closed(run, &closed);
    }
    run->host = NULL;
    closed = false;
    if (run->engine) {
        engine_close(run->engine, &closed, on_closed);
        wait_closed(run, &closed);
    }
    run->engine = run->fault = NULL;
    if (run->env)
        run->env = env_free(run->env);
    run->ending = false;
}

/* --- beginning ------------------------------------------------------------ */

static enum kan_err open_engine(struct run *run, char *why, size_t size)
{
    const struct sqlite_options options = {.path = "kan.db"};
    struct engine *inner;
    enum kan_err err =
        run->durable ? engine_sqlite_open(run->env, &options, why, size, &inner)
                     : engine_memory_open(run->env, NULL, &inner);

    if (err)
        return err;
    run->engine = inner;
    err = engine_fault_open(run->env, inner, NULL, &run->fault);
    if (err)
        return err;
    run->engine = run->fault;
    if (run->options->wrap)
        err = run->options->wrap(run->options->data, run->env, run->fault,
                                 &run->engine);
    return err;
}

static void on_ready(void *data, enum kan_err err, const char *why)
{
    struct run *run = data;

    run->ready = true;
    if (err && !sim_dead(run->env))
        run_fail(run, "the block does not begin: %s", why);
}

static void open_host(struct run *run)
{
    const struct entity_options options = {
        .env = run->env,
        .engine = run->engine,
        .prefix = SLICE("entity||kan||"),
        .contract = run->options->contract,
        .data = run,
    };
    struct buffer why = BUFFER_INIT;
    enum kan_err err;

    run->ready = false;
    err = entity_host_new(&options, on_ready, &run->host, &why);
    if (err == KAN_NOMEM)
        run->err = err;
    else if (err)
        run_fail(run, "the block does not begin: %s", buffer_text(&why));
    while (!err && !run->ready && sim_step(run->world))
        ;
    if (!err && !run->ready)
        run_fail(run, "the block does not begin: no answer comes");
    buffer_fini(&why);
}

static void set_faults(struct run *run, uint32_t rate)
{
    *engine_fault_options(run->fault) = (struct engine_fault_options){
        .rate = {[ENGINE_FAULT_BUSY] = rate / 2, [ENGINE_FAULT_LOST] = rate},
        .delay_rate = rate,
        .delay_max_ns = 100 * ENV_MS,
    };
}

void run_calm(struct run *run)
{
    run->calm = true;
    if (run->fault)
        set_faults(run, 0);
    if (run->env)
        sim_fault_crash(run->env, SIM_FAULT_ANY, 0);
}

void run_up(struct run *run)
{
    char why[256] = "";
    enum kan_err err = run->lived ? sim_restart(run->world, "kan", &run->env)
                                  : sim_node_new(run->world, "kan", &run->env);

    if (!err)
        err = open_engine(run, why, sizeof(why));
    run->lived = true;
    if (err == KAN_NOMEM)
        run->err = err;
    else if (err)
        run_fail(run, "the store does not open again: %s", why);
    if (run_goes(run))
        open_host(run);
    if (run_goes(run) && !run->calm)
        set_faults(run, run->rate);
}
