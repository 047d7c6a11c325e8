/* Clients that ask, one run of them, and many runs. */

#include "check/entity/entity_runs.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "check/entity/runs.h"
#include "check/property/shrink.h"
#include "contract/program/program.h"

enum
{
    RUNS = 100,
    REQUESTS = 30,
    RATE_MAX = 200,      /* of a fault, in thousandths of requests */
    DISK_CALLS_MAX = 60, /* until the power fails */
    WAYS = 64,           /* to call a step */
    PATIENCE = 16,       /* a client begins about so many requests */
    TRIES = 6,           /* to draw a step that may be taken */
    SHRINK_MAX = 400
};

void run_fail(struct run *run, const char *format, ...)
{
    va_list arguments;

    if (run->failed)
        return;
    run->failed = true;
    va_start(arguments, format);
    buffer_vprint(&run->why, format, arguments);
    va_end(arguments);
}

void run_tell(struct run *run, const char *format, ...)
{
    va_list arguments;

    if (!run->story)
        return;
    va_start(arguments, format);
    buffer_vprint(run->story, format, arguments);
    va_end(arguments);
    buffer_append_byte(run->story, '\n');
}

const char *run_entity_id(uint32_t entity)
{
    static const char *const ids[RUNS_ENTITIES] = {"a", "b"};

    return ids[entity];
}

/* --- a client ------------------------------------------------------------- */

static void ask(struct runs_client *client);

static uint64_t draw(void *data, uint64_t n)
{
    struct run *run = data;

    return tape_choose(run->tape, n);
}

/* One of the steps that callers may take, of which there is one. */
static uint32_t draw_step(struct run *run)
{
    uint32_t count = program_step_count(run->program);
    uint32_t open = 0;
    uint32_t left;

    for (uint32_t i = 0; i < count; i++)
        open += !program_step(run->program, i).internal;
    left = (uint32_t)draw(run, open);
    for (uint32_t i = 0;; i++)
        if (!program_step(run->program, i).internal && left-- == 0)
            return i;
}

static void draw_arguments(struct run *run, uint32_t step, void *arguments)
{
    uint64_t way = draw(run, WAYS);

    program_arguments(run->program, step, arguments);
    if (way == WAYS - 1)
        program_any(run->program, program_step(run->program, step).arguments,
                    draw, run, arguments);
    else
        while (
            !program_boundary_arguments(run->program, step, way, arguments) &&
            way > 0)
            way /= 2;
}

/* A step with arguments: rather one that may be taken, as far as is known. */
static void draw_call(struct run *run, struct runs_request *request)
{
    const struct program_input input = {0};
    uint32_t type;

    for (uint32_t tries = 0; tries < TRIES && run_goes(run); tries++) {
        uint32_t step = draw_step(run);
        void *arguments;
        type = program_step(run->program, step).arguments;
        arguments = mem_zalloc(program_type(run->program, type)->size + 1u);
        if (!arguments) {
            run->err = KAN_NOMEM;
            return;
        }
        draw_arguments(run, step, arguments);
        if (program_can(run->program, step, run->states[request->entity],
                        arguments, &input))
            tries = TRIES;
        request->step = step;
        buffer_clear(&request->arguments);
        buffer_append(
            &request->arguments,
            kan_slice(arguments, program_type(run->program, type)->size));
        mem_free(arguments);
    }
    type = program_step(run->program, request->step).arguments;
    if (run_goes(run) && !buffer_failed(&request->arguments))
        program_json(run->program, type, request->arguments.bytes,
                     &request->body);
    if (buffer_failed(&request->arguments) || buffer_failed(&request->body))
        run->err = KAN_NOMEM;
}

/* The next thing that the client wants. */
static void begin(struct runs_client *client)
{
    struct run *run = client->run;
    uint32_t max = run->options->requests ? run->options->requests : REQUESTS;
    struct runs_request *request = &run->requests[run->request_count];

    client->request = NULL;
    if (run->request_count >= max || run->request_count >= RUNS_REQUESTS_MAX ||
        draw(run, PATIENCE) == 0)
        return;
    request->number = ++run->request_count;
    request->entity = (uint32_t)draw(run, RUNS_ENTITIES);
    (void)snprintf(request->key, sizeof(request->key), "k%u", request->number);
    draw_call(run, request);
    client->request = request;
    run_tell(run, "client %u asks %s to %.*s %s (request %u)", client->number,
             run_entity_id(request->entity),
             SLICE_ARG(program_step(run->program, request->step).name),
             buffer_text(&request->body), request->number);
    if (run_goes(run))
        ask(client);
}

static void on_timer(struct env_timer *timer)
{
    ask(timer->data);
}

/* Ask again, a little later; after a death at once. */
static void later(struct runs_client *client)
{
    struct run *run = client->run;

    run->counts->again++;
    if (run->ending || sim_dead(run->env))
        return;
    client->timer.data = client;
    if (env_timer_start(run->env, &client->timer,
                        env_now(run->env) + RUNS_RETRY_MS * ENV_MS, on_timer))
        run->err = KAN_NOMEM;
}

static void taken(struct runs_client *client, const struct entity_call *call)
{
    struct run *run = client->run;
    struct runs_request *request = client->request;
    unsigned long long n = call->after.n;

    run_tell(run, "  request %u: taken as event %llu%s", request->number, n,
             call->replayed ? ", before" : "");
    if (request->known && request->n != call->after.n)
        run_fail(run,
                 "request %u was event %llu of %s, and is event %llu when "
                 "it is asked again with its key",
                 request->number, (unsigned long long)request->n,
                 run_entity_id(request->entity), n);
    else if (request->known && !call->replayed)
        run_fail(run, "request %u was taken again, as event %llu of %s",
                 request->number, n, run_entity_id(request->entity));
    for (uint32_t i = 0; i < run->request_count; i++) {
        const struct runs_request *other = &run->requests[i];
        if (other != request && other->taken &&
            other->entity == request->entity && other->n == call->after.n)
            run_fail(run, "requests %u and %u are both event %llu of %s",
                     other->number, request->number, n,
                     run_entity_id(request->entity));
    }
    memcpy(run->states[request->entity], call->after.state,
           program_state_size(run->program));
    run->counts->taken += !request->known;
    request->known = request->taken = true;
    request->n = call->after.n;
}

static void refused(struct runs_client *client, const struct entity_call *call)
{
    struct run *run = client->run;
    struct runs_request *request = client->request;

    run_tell(run, "  request %u: refused, %.*s", request->number,
             SLICE_ARG(call->text));
    if (request->known)
        run_fail(run,
                 "request %u was taken, and is refused when it is asked "
                 "again with its key",
                 request->number);
    run->counts->refused++;
    request->known = true;
}

static void unknown(struct runs_client *client, const char *why)
{
    run_tell(client->run, "  request %u: no answer that tells, %s",
             client->request->number, why);
    client->run->counts->unknown++;
    later(client);
}

static void on_call(struct entity_call *call)
{
    struct runs_client *client = call->data;
    struct run *run = client->run;

    if (run->ending || sim_dead(run->env)) {
        unknown(client, "the process is gone");
        return;
    }
    if (call->outcome == ENTITY_FAILED) {
        unknown(client, kan_err_text(call->err));
        return;
    }
    if (call->outcome == ENTITY_TAKEN)
        taken(client, call);
    else if (call->outcome == ENTITY_REFUSED)
        refused(client, call);
    else
        run_fail(run, "request %u is answered: %.*s", client->request->number,
                 SLICE_ARG(call->text));
    if (!run_goes(run))
        return;
    if (client->request->taken && draw(run, 4) == 3)
        later(client);
    else
        begin(client);
}

static void ask(struct runs_client *client)
{
    struct run *run = client->run;
    const struct runs_request *request = client->request;
    enum kan_err err;

    client->call = (struct entity_call){
        .data = client,
        .type = program_name(run->program),
        .id = kan_text(run_entity_id(request->entity)),
        .step = program_step(run->program, request->step).name,
        .body = buffer_slice(&request->body),
        .key = kan_text(request->key),
    };
    err = entity_call(run->host, &client->call, on_call);
    if (err == KAN_OK)
        return;
    unknown(client, kan_err_text(err));
}

/* --- one run -------------------------------------------------------------- */

/* The power fails at one of the next calls of the disk. */
static void plan_death(struct run *run)
{
    if (run->durable && run->deaths < RUNS_DEATHS_MAX && draw(run, 3) > 0)
        sim_fault_crash(run->env, SIM_FAULT_ANY, 1 + draw(run, DISK_CALLS_MAX));
}

static void die(struct run *run)
{
    run_tell(run, "the power fails");
    run->counts->deaths++;
    run->deaths++;
    run_down(run);
    run_up(run);
    for (uint32_t i = 0; run_goes(run) && i < RUNS_CLIENTS; i++)
        if (run->clients[i].request)
            ask(&run->clients[i]);
}

static bool anything(const struct run *run)
{
    for (uint32_t i = 0; i < RUNS_CLIENTS; i++)
        if (run->clients[i].request)
            return true;
    return false;
}

static void run_clients(struct run *run)
{
    uint64_t until = sim_steps(run->world) + RUNS_QUIET_STEPS;

    for (uint32_t i = 0; run_goes(run) && i < RUNS_CLIENTS; i++) {
        run->clients[i].run = run;
        run->clients[i].number = i + 1;
        begin(&run->clients[i]);
    }
    plan_death(run);
    while (run_goes(run) && anything(run)) {
        if (sim_dead(run->env)) {
            die(run);
            plan_death(run);
        } else if (!sim_step(run->world) || sim_steps(run->world) > until) {
            run_fail(run, "a request is never answered");
        }
    }
}

static void run_end(struct run *run)
{
    run_calm(run);
    if (run_goes(run) && !sim_dead(run->env))
        run_judge(run);
    if (run_goes(run) && run->durable) {
        if (!sim_dead(run->env))
            sim_crash(run->env);
        die(run);
        run_judge(run);
    }
    run_down(run);
}

/* One run along the tape. what->failed and why say what came of it. */
static void run_once(struct run *run, struct tape *tape)
{
    run->tape = tape;
    run->program =
        contract_program(run->options->contract, run->options->type, 0);
    run->durable = draw(run, 2) == 1;
    run->rate = (uint32_t)draw(run, 2) * (uint32_t)draw(run, RATE_MAX + 1);
    for (uint32_t i = 0; i < RUNS_ENTITIES; i++) {
        run->states[i] = mem_zalloc(program_state_size(run->program) + 1u);
        if (!run->states[i])
            run->err = KAN_NOMEM;
        else
            program_start(run->program, run->states[i]);
    }
    if (run->err == KAN_OK)
        run->err = sim_world_new(tape, NULL, &run->world);
    if (run->err)
        return;
    run_up(run);
    run_clients(run);
    run_end(run);
    sim_world_free(run->world);
    if (run->err == KAN_OK && tape->failed)
        run->err = KAN_NOMEM;
}

static void run_fini(struct run *run)
{
    for (uint32_t i = 0; i < RUNS_REQUESTS_MAX; i++) {
        buffer_fini(&run->requests[i].arguments);
        buffer_fini(&run->requests[i].body);
    }
    for (uint32_t i = 0; i < RUNS_ENTITIES; i++)
        mem_free(run->states[i]);
    buffer_fini(&run->why);
    mem_free(run);
}

static struct run *run_new(const struct entity_runs_options *options,
                           struct entity_runs *counts)
{
    struct run *run = mem_zalloc(sizeof(*run));

    if (run) {
        run->options = options;
        run->counts = counts;
    }
    return run;
}

/* --- many runs ------------------------------------------------------------ */

struct shrinking
{
    const struct entity_runs_options *options;
    struct tape drawn; /* of the run before */
    enum kan_err err;
};

static enum shrink_answer try_tape(void *data,
                                   const struct tape_choice *choices,
                                   size_t count, struct shrink_drawn *ret_drawn)
{
    struct shrinking *shrinking = data;
    struct entity_runs counts = {0};
    struct run *run = run_new(shrinking->options, &counts);
    enum shrink_answer answer = SHRINK_STOP;

    tape_fini(&shrinking->drawn);
    shrinking->err =
        run ? tape_init_replay(&shrinking->drawn, choices, count) : KAN_NOMEM;
    if (shrinking->err == KAN_OK) {
        run_once(run, &shrinking->drawn);
        shrinking->err = run->err;
        if (run->err == KAN_OK)
            answer = run->failed ? SHRINK_FAILS : SHRINK_PASSES;
        ret_drawn->choices = shrinking->drawn.choices;
        ret_drawn->count = shrinking->drawn.count;
    }
    if (run)
        run_fini(run);
    return answer;
}

/* The smallest run again, in words. */
static enum kan_err tell_smallest(const struct entity_runs_options *options,
                                  const struct shrink_result *result,
                                  struct entity_runs *runs)
{
    struct entity_runs counts = {0};
    struct run *run = run_new(options, &counts);
    struct tape tape;
    enum kan_err err =
        run ? tape_init_replay(&tape, result->choices, result->count)
            : KAN_NOMEM;

    if (err == KAN_OK) {
        run->story = &runs->run;
        run_once(run, &tape);
        err = run->err;
        buffer_append(&runs->why, buffer_slice(&run->why));
        tape_fini(&tape);
    }
    if (run)
        run_fini(run);
    if (buffer_failed(&runs->why) || buffer_failed(&runs->run))
        err = KAN_NOMEM;
    return err;
}

static enum kan_err tell_failure(const struct entity_runs_options *options,
                                 const struct tape *tape,
                                 struct entity_runs *runs)
{
    struct shrinking shrinking = {.options = options};
    struct shrink_options how = {
        .runs_max = SHRINK_MAX, .data = &shrinking, .run_cb = try_tape};
    struct shrink_result result;
    enum kan_err err = shrink(&how, tape->choices, tape->count, &result);

    tape_fini(&shrinking.drawn);
    if (err)
        return err;
    err = shrinking.err ? shrinking.err : tell_smallest(options, &result, runs);
    shrink_result_fini(&result);
    return err;
}

static enum kan_err run_seed(const struct entity_runs_options *options,
                             uint64_t seed, struct entity_runs *runs)
{
    struct run *run = run_new(options, runs);
    struct tape tape;
    enum kan_err err;

    if (!run)
        return KAN_NOMEM;
    tape_init_seed(&tape, seed);
    run_once(run, &tape);
    err = run->err;
    runs->runs++;
    if (err == KAN_OK && run->failed) {
        runs->fails = true;
        runs->seed = seed;
        err = tell_failure(options, &tape, runs);
    }
    tape_fini(&tape);
    run_fini(run);
    return err;
}

enum kan_err entity_runs(const struct entity_runs_options *options,
                         struct entity_runs *ret_runs)
{
    const struct program *program =
        contract_program(options->contract, options->type, 0);
    uint32_t count = options->runs ? options->runs : RUNS;
    enum kan_err err = KAN_OK;
    bool open = false;

    memset(ret_runs, 0, sizeof(*ret_runs));
    for (uint32_t i = 0; i < program_step_count(program); i++)
        open = open || !program_step(program, i).internal;
    for (uint32_t i = 0; open && i < count && !err && !ret_runs->fails; i++) {
        if (options->stop && options->stop(options->data)) {
            ret_runs->stopped = true;
            break;
        }
        err = run_seed(options, options->seed + i, ret_runs);
    }
    return err;
}

void entity_runs_fini(struct entity_runs *runs)
{
    buffer_fini(&runs->why);
    buffer_fini(&runs->run);
}
