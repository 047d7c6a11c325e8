/* The process under test: an engine, and a host of actors on it. */

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "block/actor/actor_store.h"
#include "check/sim/real.h"
#include "engine/memory/memory.h"
#include "engine/sqlite/sqlite.h"

static const char prefix_text[] = "actor||";

/* --- ending --------------------------------------------------------------- */

static void on_closed(void *data)
{
    *(bool *)data = true;
}

/* Until a close has ended. Of a process that died, apart from the world. */
static void wait_closed(struct real_run *run, const bool *closed)
{
    while (!*closed) {
        if (sim_dead(run->env))
            (void)env_run(run->env, ENV_RUN_ONCE);
        else if (!sim_step(run->world))
            break;
    }
}

void real_process_down(struct real_run *run)
{
    bool closed = false;

    if (run->host)
        actor_host_close(run->host, &closed, on_closed);
    if (run->host)
        wait_closed(run, &closed);
    run->host = NULL;
    closed = false;
    if (run->engine)
        engine_close(run->engine, &closed, on_closed);
    if (run->engine)
        wait_closed(run, &closed);
    run->engine = NULL;
    if (run->env)
        run->env = env_free(run->env);
}

void real_process_die(struct real_run *run, bool power)
{
    if (run->dead || !run->env)
        return;
    run->dead = true;
    run->simulator->counts.faults[power ? SIMULATE_POWER : SIMULATE_CRASH]++;
    real_note(run, power ? "# the power fails" : "# kill -9");
    if (power)
        sim_crash(run->env);
    else
        sim_kill(run->env);
}

void real_process_disarm(struct real_run *run)
{
    for (enum sim_fault_kind kind = 0; kind < SIM_FAULT_KINDS; kind++)
        sim_fault_crash(run->env, kind, 0);
}

/* --- beginning ------------------------------------------------------------ */

static enum kan_err open_env(struct real_run *run)
{
    return run->lives ? sim_restart(run->world, "kan", &run->env)
                      : sim_node_new(run->world, "kan", &run->env);
}

static enum kan_err open_engine(struct real_run *run, char *why, size_t size)
{
    const struct sqlite_options options = {.path = "kan.db"};
    struct engine *inner;
    enum kan_err err =
        run->knobs.durable
            ? engine_sqlite_open(run->env, &options, why, size, &inner)
            : engine_memory_open(run->env, NULL, &inner);

    if (err)
        return err;
    err = engine_fault_open(run->env, inner, NULL, &run->engine);
    if (err)
        run->engine = inner;
    return err;
}

struct finding
{
    struct real_run *run;
    struct real_actor *actor;
    bool done;
};

static uint64_t armed(const struct actor_head *head)
{
    uint64_t timers = 0;

    for (uint32_t i = 0; i < KAN_TIMERS_MAX; i++)
        timers |= (uint64_t)(head->clocks[i].due_ms != 0) << i;
    return timers;
}

static void on_found(struct engine_get *get, enum kan_err err)
{
    struct finding *finding = get->request.data;
    struct real_run *run = finding->run;
    struct real_actor *actor = finding->actor;
    struct actor_note *notes[ACTOR_SENDERS_MAX] = {NULL};
    struct actor_head head = actor_core_head(&actor->ref);
    struct buffer why = BUFFER_INIT;
    void *state = mem_zalloc(actor->type->state->size + 1u);

    finding->done = true;
    if (sim_dead(run->env)) {
        mem_free(state);
        return;
    }
    if (!state)
        err = KAN_NOMEM;
    if (err == KAN_OK && get->items[0].created > 0)
        err = actor_load(actor->type, get->items[0].value, &head, notes, state,
                         &why);
    if (err == KAN_NOMEM)
        run->err = err;
    else if (err)
        run_fails(run->result, "durable",
                  "%s cannot be read again after the process died: %s",
                  actor->ref.text,
                  why.size ? buffer_text(&why) : kan_err_text(err));
    else
        real_watch_found(run, actor, &head.path, state, armed(&head),
                         head.started);
    for (uint32_t i = 0; i < ACTOR_SENDERS_MAX; i++)
        mem_free(notes[i]);
    mem_free(state);
    buffer_fini(&why);
}

/* Read every actor from the engine before anything runs that may change it. */
static void find_actors(struct real_run *run)
{
    struct kan_slice prefix = kan_slice(prefix_text, sizeof prefix_text - 1);

    for (uint32_t i = 0; real_going(run) && i < run->actor_count; i++) {
        struct finding finding = {run, &run->actors[i], false};
        struct buffer text = BUFFER_INIT;
        struct engine_get get = {.request = {.data = &finding}, .key_count = 1};
        struct kan_slice key;
        store_key_actor(&text, prefix, &run->actors[i].ref);
        key = buffer_slice(&text);
        get.keys = &key;
        enum kan_err err = buffer_failed(&text)
                               ? KAN_NOMEM
                               : engine_get(run->engine, &get, on_found);
        if (err)
            run->err = err;
        while (err == KAN_OK && !finding.done && sim_step(run->world))
            ;
        kan_assert(err || finding.done);
        buffer_fini(&text);
    }
}

static void on_trouble(void *data, const char *text)
{
    struct real_run *run = data;

    if (sim_dead(run->env))
        return;
    (void)snprintf(run->trouble, sizeof run->trouble, "%s", text);
    real_note(run, "# %s", text);
}

static enum kan_err open_host(struct real_run *run, struct buffer *why)
{
    const struct simulator *simulator = run->simulator;
    const struct actor_options options = {
        .env = run->env,
        .engine = run->engine,
        .prefix = kan_slice(prefix_text, sizeof prefix_text - 1),
        .modules = &simulator->options.module,
        .module_count = 1,
        .parameters = simulator->parameters,
        .parameter_count = simulator->parameter_count,
        .idle_ms = UINT64_C(1000) * 60 * 60 * 24 * 365,
        .data = run,
        .draw = run->script ? real_draws_give : NULL,
        .event = real_watch_event,
        .trouble = on_trouble,
    };

    run->crashes = 0;
    return actor_host_new(&options, &run->host, why);
}

/* The engine's own faults begin when the actors do. */
static void set_engine_faults(struct real_run *run, bool on)
{
    struct engine_fault_options *options = engine_fault_options(run->engine);
    const struct kan_faults *faults = &run->simulator->faults;

    memset(options, 0, sizeof *options);
    if (!on || run->calm || faults->lost == 0)
        return;
    options->rate[ENGINE_FAULT_BUSY] = run->knobs.lost_rate / 4;
    options->rate[ENGINE_FAULT_LOST] = run->knobs.lost_rate / 4;
    options->rate[ENGINE_FAULT_IO] =
        run->knobs.durable && faults->crash > 0 ? run->knobs.lost_rate / 64 : 0;
    options->delay_rate = run->knobs.late_rate;
    options->delay_max_ns = 100 * ENV_MS;
}

void real_process_calm(struct real_run *run)
{
    if (run->engine && !run->dead)
        set_engine_faults(run, false);
}

void real_process_up(struct real_run *run)
{
    struct buffer why = BUFFER_INIT;
    char line[256] = "";
    enum kan_err err = open_env(run);

    run->dead = false;
    run->broken = false;
    run->starting = true;
    if (err == KAN_OK)
        real_process_disarm(run);
    if (err == KAN_OK)
        err = open_engine(run, line, sizeof line);
    if (err == KAN_OK && run->lives) {
        run->simulator->counts.probes[SIMULATE_PROBE_RESTARTED]++;
        find_actors(run);
    }
    if (err == KAN_OK && real_going(run))
        err = open_host(run, &why);
    run->lives = true;
    run->starting = false;
    if (err == KAN_NOMEM)
        run->err = err;
    else if (err)
        run_fails(run->result, "durable", "the store does not open again: %s",
                  why.size  ? buffer_text(&why)
                  : line[0] ? line
                            : kan_err_text(err));
    else if (real_going(run))
        set_engine_faults(run, true);
    buffer_fini(&why);
}
