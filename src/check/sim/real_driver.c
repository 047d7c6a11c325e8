/* A run of the real driver: the actor block on an engine, in a simulated world,
 * with clients, and with faults that end. */

#include "base/alloc.h"
#include "base/record.h"
#include "check/sim/real.h"

enum
{
    CLIENTS = 2,
    REQUESTS_MAX = 20,
    CHAOS_MS = 1, /* between two moments at which something happens */
    CLOCK_PPM_MAX = 200000,
    DISK_CALLS_MAX = 30, /* until an armed power failure strikes */
    DOWN_MS_MAX = 200,
    FAULTS_S = 10, /* of virtual time, at most */
    CALM_S = 120,  /* until every call has ended */
    QUIET_S = 2,   /* without an event: nothing more will happen */
    GOAL_S = 120,  /* until a goal is reached */
    GOING_S = 10   /* and then, when it never ends */
};

/* World steps of one run; beyond it nothing is said of it. */
static const uint64_t steps_max = 3000000;

/* --- life cycle ----------------------------------------------------------- */

/* Whether the block runs the type, and clients have something to send it. */
static enum kan_err check_type(const struct simulator *simulator,
                               const struct kan_actor_type *type,
                               struct buffer *why)
{
    if (strcmp(type->name, "client") == 0)
        buffer_append_text(why,
                           "a type of actor is called client: that name is for "
                           "who asks from outside, so it runs with --driver "
                           "walk only");
    else if (type->handler_count == 0 && !simulator->model)
        buffer_print(why, "%s has no handlers: there is nothing to send it",
                     type->name);
    else
        return KAN_OK;
    return KAN_INVALID;
}

enum kan_err real_driver_new(struct simulator *simulator, struct buffer *why)
{
    const struct kan_module *module = simulator->options.module;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; err == KAN_OK && i < module->actor_count; i++)
        err = check_type(simulator, module->actors[i], why);
    if (err == KAN_OK)
        err = real_cast_new(simulator, &simulator->cast, why);
    if (err == KAN_OK)
        err = real_judge_open(simulator, why);
    return err ? err : turn_new(&simulator->turn);
}

void real_driver_free(struct simulator *simulator)
{
    simulator->cast = real_cast_free(simulator->cast);
    simulator->turn = turn_free(simulator->turn);
    real_judge_close(simulator);
}

/* --- faults --------------------------------------------------------------- */

bool real_strikes(struct real_run *run, uint32_t rate)
{
    if (rate == 0)
        return false;
    return tape_choose_value(run->tape, 2,
                             tape_chance(run->tape) % 1000 < rate) == 1;
}

static void draw_knobs(struct real_run *run)
{
    static const uint32_t jitters_ms[] = {0, 1, 20};
    const struct kan_faults *faults = &run->simulator->faults;
    struct real_knobs *knobs = &run->knobs;
    struct sim_options *options = sim_world_options(run->world);

    if (run->script)
        return;
    knobs->durable = draw_below(run->tape, 3) > 0;
    options->shuffle = draw_below(run->tape, 2) == 1;
    options->lane_jitter_ns =
        jitters_ms[draw_below(run->tape, 3)] * UINT64_C(1000000);
    /* What is in memory alone does not outlive its process. */
    if (faults->crash > 0 && knobs->durable) {
        knobs->kill_rate = draw_rate(run->tape);
        knobs->chaos_rate = draw_rate(run->tape);
        knobs->power_rate = draw_below(run->tape, 2) * 600;
        run->deaths_left = faults->crash;
    }
    if (faults->clock > 0)
        knobs->clock_rate = draw_rate(run->tape);
    if (faults->lost > 0) {
        knobs->lost_rate = draw_rate(run->tape);
        knobs->late_rate = draw_rate(run->tape);
    }
    if (faults->doubled > 0)
        knobs->doubled_rate = draw_rate(run->tape);
    run->jumps_left = faults->clock;
}

/* The power fails at one of the next calls of the disk: so commits are cut. */
static void arm_power(struct real_run *run)
{
    static const enum sim_fault_kind kinds[] = {SIM_FAULT_SYNC, SIM_FAULT_WRITE,
                                                SIM_FAULT_ANY};

    real_process_disarm(run);
    sim_fault_crash(run->env, kinds[draw_below(run->tape, 3)],
                    1 + draw_below(run->tape, DISK_CALLS_MAX));
}

void real_clock_disturb(struct real_run *run)
{
    const struct real_cast *cast = run->simulator->cast;
    static const int64_t jumps_ms[] = {-1, -5, 1000, -1000, 60000, -3600000};

    run->jumps_left--;
    run->simulator->counts.faults[SIMULATE_CLOCK]++;
    if (draw_below(run->tape, 2) == 0) {
        int64_t jump =
            cast->jump_count > 0
                ? cast->jumps_ms[draw_below(run->tape, cast->jump_count)]
                : jumps_ms[draw_below(run->tape, 6)];
        real_note(run, "# the clock jumps by %lld ms", (long long)jump);
        sim_wall_jump(run->env, jump);
    } else {
        int32_t ppm =
            (int32_t)draw_below(run->tape, 2 * CLOCK_PPM_MAX) - CLOCK_PPM_MAX;
        real_note(run, "# the clock runs by %d ppm wrong", ppm);
        sim_clock_rate(run->env, ppm);
    }
}

static void on_chaos(struct env_timer *timer)
{
    struct real_run *run = timer->data;

    if (run->calm || !real_going(run))
        return;
    if (env_timer_start(run->outside, timer,
                        env_now(run->outside) + (uint64_t)CHAOS_MS * ENV_MS,
                        on_chaos) != KAN_OK)
        run->err = KAN_NOMEM;
    if (!run->env || run->dead || run->starting)
        return;
    if (run->jumps_left > 0 && real_strikes(run, run->knobs.clock_rate))
        real_clock_disturb(run);
    if (run->deaths_left == 0 || !real_strikes(run, run->knobs.chaos_rate))
        return;
    run->deaths_left--;
    if (!real_strikes(run, run->knobs.power_rate))
        real_process_die(run, false);
    else if (draw_below(run->tape, 2) == 0)
        real_process_die(run, true);
    else
        arm_power(run);
}

/* --- one step of the world ------------------------------------------------ */

static void bury(struct real_run *run)
{
    uint32_t down_ms = 0;

    real_process_down(run);
    real_clients_lost(run);
    real_watch_reload(run);
    if (!run->calm)
        down_ms = draw_below(run->tape, DOWN_MS_MAX + 1);
    run->up_at_ns = sim_now(run->world) + (uint64_t)down_ms * ENV_MS;
}

/* A handler that failed is told of by the block. */
static void look_for_crashes(struct real_run *run)
{
    if (run->host && !run->dead &&
        actor_host_stats(run->host).crashes > run->crashes)
        run_fails(run->result, "handler", "%s", run->trouble);
}

static bool step(struct real_run *run)
{
    bool more = sim_step(run->world);

    if (run->env && !run->dead && sim_dead(run->env)) {
        run->dead = true; /* an armed power failure */
        run->simulator->counts.faults[SIMULATE_POWER]++;
        real_note(run, "# the power fails");
    }
    look_for_crashes(run);
    if (run->broken && !run->dead && run->env) {
        run->simulator->counts.faults[SIMULATE_ENGINE]++;
        real_note(run, "# the engine broke: it is opened again");
        sim_kill(run->env);
        run->dead = true;
    }
    if (run->dead && real_going(run))
        bury(run);
    if (!run->env && real_going(run) && sim_now(run->world) >= run->up_at_ns)
        real_process_up(run);
    if (sim_steps(run->world) > steps_max)
        run_undecided(run->result, "the run did not end in %llu steps",
                      (unsigned long long)steps_max);
    return more && real_going(run) && run->result->verdict == SIMULATE_HOLDS;
}

static uint64_t after_s(const struct real_run *run, uint64_t seconds)
{
    return sim_now(run->world) + seconds * ENV_S;
}

/* --- a script ------------------------------------------------------------- */

static bool takes(const struct scenario_event *event)
{
    return event->kind == SCENARIO_DELIVER || event->kind == SCENARIO_TIMER;
}

static bool from_client(const struct scenario_event *event)
{
    return event->kind == SCENARIO_DELIVER &&
           (event->from.text[0] == '\0' ||
            strncmp(event->from.text, "client/", 7) == 0);
}

static const struct kan_record *find_record(const struct real_run *run,
                                            const struct scenario_event *event)
{
    const struct kan_module *module = run->simulator->options.module;

    for (uint32_t i = 0; i < module->actor_count; i++) {
        const struct kan_actor_type *type = module->actors[i];
        size_t size = strlen(type->name);
        if (strncmp(event->to.text, type->name, size) != 0 ||
            event->to.text[size] != '/')
            continue;
        for (uint32_t j = 0; j < type->handler_count; j++) {
            if (strcmp(type->handlers[j].message->name, event->name) == 0)
                return type->handlers[j].message;
        }
    }
    return NULL;
}

/* Send what the line says. false: not now. */
static bool send_line(struct real_run *run, const struct scenario_event *event)
{
    const struct kan_record *record = find_record(run, event);
    struct buffer why = BUFFER_INIT;
    void *bytes = mem_zalloc(KAN_RECORD_SIZE_MAX);
    enum kan_err err = bytes ? KAN_OK : KAN_NOMEM;
    bool sent = false;

    if (!record) {
        run_fails(run->result, "replay", "line %u: %s takes no %s", event->line,
                  event->to.text, event->name);
    } else if (err == KAN_OK && event->json && record->size > 0) {
        err = record_from_json(record, kan_text(event->json), bytes, &why);
    }
    if (err == KAN_NOMEM)
        run->err = err;
    else if (err)
        run_fails(run->result, "replay", "line %u: %s", event->line,
                  buffer_text(&why));
    else if (real_going(run))
        sent = real_client_send(run, &event->to, record, bytes);
    buffer_fini(&why);
    mem_free(bytes);
    return sent;
}

/* Each message of a client is sent when all that stands before it was taken. */
static void run_script(struct real_run *run)
{
    const struct scenario *script = run->script;
    uint64_t end = after_s(run, CALM_S);
    uint64_t wanted = 0;

    for (uint32_t i = 0; real_going(run) && i < script->event_count; i++) {
        const struct scenario_event *event = &script->events[i];
        if (!takes(event))
            continue;
        while (from_client(event) && real_going(run) &&
               (run->taken < wanted || !send_line(run, event)) && step(run) &&
               sim_now(run->world) < end)
            ;
        wanted++;
        while (run->taken < wanted && sim_now(run->world) < end && step(run))
            ;
        if (run->taken < wanted)
            run_fails(run->result, "replay",
                      "line %u: %s has not taken %s, nor anything else",
                      event->line, event->to.text, event->name);
        end = after_s(run, CALM_S);
    }
}

/* --- phases --------------------------------------------------------------- */

static void run_faults(struct real_run *run)
{
    uint64_t end = after_s(run, FAULTS_S);

    while (!real_clients_done(run) && sim_now(run->world) < end && step(run))
        ;
}

static void end_faults(struct real_run *run)
{
    run->calm = true;
    run->up_at_ns = 0;
    if (run->env && !run->dead) {
        real_process_disarm(run);
        sim_clock_rate(run->env, 0);
    }
    real_process_calm(run);
    real_note(run, "# the faults end");
    if (!run->env && real_going(run))
        real_process_up(run);
}

static void demand_answers(struct real_run *run)
{
    uint64_t end = after_s(run, CALM_S);

    while (!real_clients_done(run) && sim_now(run->world) < end && step(run))
        ;
    if (real_clients_done(run) || run->result->verdict != SIMULATE_HOLDS)
        return;
    for (uint32_t i = 0; i < run->client_count; i++) {
        const struct real_client *client = &run->clients[i];
        if (client->waiting)
            run_fails(run->result, "progress",
                      "%s of %s to %s is not answered %d s after the faults",
                      client->record->name, client->sender, client->to.text,
                      CALM_S);
    }
}

static uint64_t wanted_goals(const struct kan_model *model)
{
    uint64_t goals = 0;

    for (uint32_t i = 0; model && i < model->property_count; i++)
        goals |= (uint64_t)(model->properties[i].kind == KAN_RECOVERABLE) << i;
    return goals;
}

/* Until nothing more happens, or for a while; then goals were reached. */
static void demand_goals(struct real_run *run)
{
    const struct kan_model *model = run->simulator->model;
    uint64_t wanted = wanted_goals(model);
    uint64_t end = after_s(run, GOAL_S);
    uint64_t quiet = (uint64_t)QUIET_S * ENV_S;
    bool ended = false;

    run->goals = 0;
    run->last_event_ns = sim_now(run->world);
    real_watch_judge(run, false);
    while (!ended && sim_now(run->world) < end && step(run)) {
        ended = !real_watch_timers(run) &&
                sim_now(run->world) - run->last_event_ns > quiet;
        if (wanted && (run->goals & wanted) == wanted &&
            end > after_s(run, GOING_S))
            end = after_s(run, GOING_S);
    }
    if (run->result->verdict != SIMULATE_HOLDS || run->err)
        return;
    run->simulator->counts.probes[SIMULATE_PROBE_ENDED] += ended;
    if (ended) {
        real_watch_judge(run, true);
        real_watch_end(run);
    }
    if (wanted && (run->goals & wanted) == wanted)
        run->simulator->counts.probes[SIMULATE_PROBE_GOAL]++;
    for (uint32_t i = 0; model && i < model->property_count; i++) {
        if (wanted >> i & 1 && !(run->goals >> i & 1))
            run_fails(run->result, model->properties[i].name,
                      "%s was not reached within %d s after the faults",
                      model->properties[i].name, GOAL_S);
    }
}

/* --- the end -------------------------------------------------------------- */

struct looking
{
    struct real_run *run;
    struct real_actor *actor;
    bool done;
};

/* Whether the state is the one in the text, but for what a crash takes. */
static bool same_kept(struct real_run *run, const struct real_actor *actor,
                      struct kan_slice json)
{
    const struct kan_record *record = actor->type->state;
    char *ours = mem_copy(actor->state, record->size);
    void *theirs = mem_zalloc(record->size + 1u);
    bool same = false;

    if (!ours || !theirs) {
        run->err = KAN_NOMEM;
    } else if (record_from_json(record, json, theirs, NULL) == KAN_OK) {
        record_drop_volatile(record, ours);
        record_drop_volatile(record, theirs);
        same = memcmp(ours, theirs, record->size) == 0;
    }
    mem_free(ours);
    mem_free(theirs);
    return same;
}

static void on_look(struct actor_look *look)
{
    struct looking *looking = look->data;
    struct real_run *run = looking->run;
    struct real_actor *actor = looking->actor;
    struct buffer json = BUFFER_INIT;

    looking->done = true;
    if (look->err == KAN_NOTFOUND && actor->past_count == 0)
        return;
    if (look->err) {
        run_fails(run->result, "durable", "%s cannot be looked at: %s",
                  actor->ref.text, kan_err_text(look->err));
        return;
    }
    if (memcmp(&look->path, &actor->now, sizeof actor->now) != 0)
        run_fails(run->result, "durable",
                  "%s has taken another path than was told of",
                  actor->ref.text);
    else if (record_to_json(actor->type->state, actor->state, &json) != KAN_OK)
        run->err = KAN_NOMEM;
    else if (!same_kept(run, actor, look->json))
        run_fails(run->result, "deterministic",
                  "%s is %.*s, and what it took comes to %.*s", actor->ref.text,
                  SLICE_ARG(look->json), SLICE_ARG(buffer_slice(&json)));
    buffer_fini(&json);
}

/* What the block says of each actor is what its events come to. */
static void look_at_all(struct real_run *run)
{
    for (uint32_t i = 0; run->result->verdict == SIMULATE_HOLDS &&
                         real_going(run) && i < run->actor_count;
         i++) {
        struct looking looking = {run, &run->actors[i], false};
        struct kan_slice id = kan_text(run->actors[i].ref.text);
        struct kan_slice type;
        struct actor_look look;
        memset(&look, 0, sizeof look);
        slice_cut(&id, '/', &type);
        look.data = &looking;
        look.type = type;
        look.id = id;
        enum kan_err err = actor_look(run->host, &look, on_look);
        if (err)
            run->err = err;
        while (err == KAN_OK && !looking.done && sim_step(run->world))
            ;
    }
}

static void count_world(struct real_run *run)
{
    for (uint32_t i = 0; i < SIM_PROBES; i++)
        run->simulator->counts.world[i] += sim_probe_count(run->world, i);
    run->result->events = sim_steps(run->world);
    run->result->trace = sim_trace_hash(run->world);
}

/* --- a run ---------------------------------------------------------------- */

static void on_line(void *data, const char *line)
{
    struct real_run *run = data;

    buffer_append_text(&run->log->trace, line);
    buffer_append_byte(&run->log->trace, '\n');
}

static enum kan_err open_world(struct real_run *run)
{
    const struct simulator *simulator = run->simulator;
    struct sim_options options = {.step_ns = 1000};
    enum kan_err err;

    if (run->log) {
        options.sink_data = run;
        options.sink = on_line;
    }
    err = sim_world_new(run->tape, &options, &run->world);
    if (err == KAN_OK)
        err = sim_node_new(run->world, "outside", &run->outside);
    if (err == KAN_OK && simulator->cast->request_count > 0) {
        run->left =
            mem_alloc(simulator->cast->request_count * sizeof *run->left);
        err = run->left ? KAN_OK : KAN_NOMEM;
        for (uint32_t i = 0;
             err == KAN_OK && i < simulator->cast->request_count; i++)
            run->left[i] = simulator->cast->requests[i].times;
    }
    if (err == KAN_OK)
        real_watch_init(run);
    if (err == KAN_OK)
        real_history_init(run);
    return err;
}

static void close_world(struct real_run *run)
{
    if (run->world) {
        real_process_down(run);
        real_clients_fini(run);
        env_timer_stop(run->outside, &run->chaos);
        count_world(run);
        sim_world_free(run->world);
    }
    real_watch_fini(run);
    real_sent_fini(run);
    mem_free(run->left);
}

static uint32_t draw_requests(struct real_run *run)
{
    static const uint32_t parts[] = {10, 25, 50, 100};
    const struct simulate_options *options = &run->simulator->options;
    uint32_t most = options->requests ? options->requests : REQUESTS_MAX;

    if (run->simulator->model)
        return UINT32_MAX; /* as many as its setup allows */
    return (most * parts[draw_below(run->tape, 4)] + 99) / 100;
}

static void run_all(struct real_run *run)
{
    const struct simulate_options *options = &run->simulator->options;
    uint32_t clients = options->clients ? options->clients : CLIENTS;

    draw_knobs(run);
    real_process_up(run);
    if (!real_going(run))
        return;
    if (run->script) {
        real_clients_init(run, REAL_CLIENTS_MAX, 0);
        run->calm = true;
        run_script(run);
        return;
    }
    run->chaos.data = run;
    on_chaos(&run->chaos);
    real_clients_init(run,
                      clients < REAL_CLIENTS_MAX ? clients : REAL_CLIENTS_MAX,
                      draw_requests(run));
    run_faults(run);
    if (real_going(run))
        end_faults(run);
    if (real_going(run))
        demand_answers(run);
    if (real_going(run))
        demand_goals(run);
    if (real_going(run))
        look_at_all(run);
}

enum kan_err real_driver_run(struct simulator *simulator, struct tape *tape,
                             const struct scenario *script,
                             struct simulate_log *log, struct simulate_run *run)
{
    struct real_run *real = mem_zalloc(sizeof *real);
    enum kan_err err;

    if (!real)
        return KAN_NOMEM;
    real->simulator = simulator;
    real->tape = tape;
    real->script = script;
    real->log = log;
    real->result = run;
    err = open_world(real);
    if (err == KAN_OK)
        run_all(real);
    if (err == KAN_OK)
        err = real->err;
    close_world(real);
    mem_free(real);
    return err;
}
