/* What is known of the actors: the events that the block tells, played again on
 * states of our own, and held against the properties. */

#include <stdarg.h>

#include "base/alloc.h"
#include "base/record.h"
#include "check/sim/real.h"

void real_note(struct real_run *run, const char *format, ...)
{
    struct buffer line = BUFFER_INIT;
    va_list args;

    va_start(args, format);
    buffer_vprint(&line, format, args);
    va_end(args);
    sim_trace(run->outside, buffer_text(&line));
    if (run->log) {
        buffer_append(&run->log->lines, buffer_slice(&line));
        buffer_append_byte(&run->log->lines, '\n');
    }
    buffer_fini(&line);
}

/* --- life cycle ----------------------------------------------------------- */

static struct real_actor *add_actor(struct real_run *run,
                                    const struct kan_ref *ref,
                                    const struct kan_actor_type *type)
{
    struct real_actor *actor = &run->actors[run->actor_count];

    if (run->actor_count == KAN_INSTANCES_MAX) {
        run_undecided(run->result, "there are more than %d actors",
                      KAN_INSTANCES_MAX);
        return NULL;
    }
    actor->ref = *ref;
    actor->type = type;
    actor->now = path_id_actor(ref);
    actor->state = mem_zalloc(type->state->size + 1u);
    if (!actor->state) {
        run->err = KAN_NOMEM;
        return NULL;
    }
    run->actor_count++;
    return actor;
}

void real_watch_init(struct real_run *run)
{
    const struct real_cast *cast = run->simulator->cast;

    for (uint32_t i = 0; i < cast->count; i++)
        (void)add_actor(run, &cast->refs[i], cast->types[i]);
}

void real_watch_fini(struct real_run *run)
{
    for (uint32_t i = 0; i < run->actor_count; i++) {
        mem_free(run->actors[i].state);
        mem_free(run->actors[i].past);
        mem_free(run->actors[i].died);
    }
}

bool real_watch_timers(const struct real_run *run)
{
    for (uint32_t i = 0; i < run->actor_count; i++) {
        if (run->actors[i].timers)
            return true;
    }
    return false;
}

struct real_actor *real_watch_actor(struct real_run *run,
                                    const struct kan_ref *ref)
{
    const struct kan_module *module = run->simulator->options.module;

    for (uint32_t i = 0; i < run->actor_count; i++) {
        if (kan_ref_equal(&run->actors[i].ref, ref))
            return &run->actors[i];
    }
    for (uint32_t i = 0; i < module->actor_count; i++) {
        const char *name = module->actors[i]->name;
        size_t size = strlen(name);
        if (strncmp(ref->text, name, size) == 0 && ref->text[size] == '/')
            return add_actor(run, ref, module->actors[i]);
    }
    return NULL;
}

/* --- properties ----------------------------------------------------------- */

struct seen
{
    kan_view view; /* first: properties get it */
    const struct real_run *run;
};

static void see_message(const struct kan_view *view, uint32_t number,
                        struct kan_view_message *ret_message)
{
    (void)view;
    (void)number;
    memset(ret_message, 0, sizeof *ret_message);
}

static int64_t see_parameter(const struct kan_view *view, uint32_t number)
{
    const struct simulator *simulator =
        ((const struct seen *)(const void *)view)->run->simulator;

    return number < simulator->parameter_count ? simulator->parameters[number]
                                               : 0;
}

static bool holds(const struct real_run *run,
                  const struct kan_model_property *property)
{
    const void *states[KAN_INSTANCES_MAX];
    bool up[KAN_INSTANCES_MAX];
    bool liar[KAN_INSTANCES_MAX] = {false};
    struct seen seen = {.run = run};

    for (uint32_t i = 0; i < run->simulator->cast->count; i++) {
        states[i] = run->actors[i].state;
        up[i] = true;
    }
    /* The model knows of no others. */
    seen.view.count = run->simulator->cast->count;
    seen.view.states = states;
    seen.view.up = up;
    seen.view.liar = liar;
    seen.view.message = see_message;
    seen.view.parameter = see_parameter;
    return property->holds(&seen.view);
}

void real_watch_judge(struct real_run *run, bool ended)
{
    const struct kan_model *model = run->simulator->model;

    for (uint32_t i = 0; model && i < model->property_count; i++) {
        const struct kan_model_property *property = &model->properties[i];
        if (property->kind == KAN_RECOVERABLE)
            run->goals |= (uint64_t)holds(run, property) << i;
        else if ((property->kind == KAN_INVARIANT ||
                  (property->kind == KAN_FINALLY && ended)) &&
                 !holds(run, property))
            run_fails(run->result, property->name, "%s does not hold here",
                      property->name);
    }
}

/* A time is how long something took, which differs from run to run: what counts
 * is whether it is set. */
static enum kan_err hash_actor(const struct real_actor *actor, uint64_t seed,
                               struct path_id *sum)
{
    const struct kan_record *record = actor->type->state;
    void *state = mem_copy(actor->state, record->size);

    if (!state)
        return KAN_NOMEM;
    record_shift_times(record, state, -(INT64_MAX / 2), 0);
    *sum = path_id_add(*sum, path_hash(kan_slice(state, record->size), seed));
    mem_free(state);
    return KAN_OK;
}

void real_watch_end(struct real_run *run)
{
    struct simulator *simulator = run->simulator;
    struct path_id end = {0, 0};

    if (!simulator_property(simulator, KAN_CONVERGES))
        return;
    for (uint32_t i = 0; run->err == KAN_OK && i < simulator->cast->count; i++)
        run->err = hash_actor(&run->actors[i], i + 1u, &end);
    if (real_going(run))
        run_ends(simulator, run->result, end);
}

/* --- playing again -------------------------------------------------------- */

struct draws
{
    const uint64_t *pairs;
    uint32_t count;
    uint32_t at;
};

static uint64_t draw_again(void *data, uint64_t n)
{
    struct draws *draws = data;
    uint64_t value;

    if (draws->at == draws->count)
        return TURN_NO_CHOICE;
    value = draws->pairs[2 * draws->at++];
    return value < n ? value : TURN_NO_CHOICE;
}

static void take_output(struct real_run *run, struct real_actor *actor,
                        const struct actor_event *event,
                        const struct turn_output *output)
{
    if (output->end == TURN_DONE) {
        memcpy(actor->state, output->state, actor->type->state->size);
        for (uint32_t i = 0; i < output->timer_count; i++) {
            uint64_t bit = UINT64_C(1) << output->timers[i].timer;
            actor->timers = output->timers[i].set ? actor->timers | bit
                                                  : actor->timers & ~bit;
        }
    } else if (output->end == TURN_REFUSED) {
        run->simulator->counts.probes[SIMULATE_PROBE_REFUSED]++;
    } else if (output->end != TURN_UNHANDLED) {
        run_fails(run->result, "deterministic",
                  "%s took %s, and when it is played again: %s",
                  actor->ref.text, event->name,
                  output->why[0] ? output->why : "it draws other numbers");
    }
}

static void play(struct real_run *run, struct real_actor *actor,
                 const struct actor_event *event, enum turn_kind kind,
                 struct draws *draws)
{
    const struct simulator *simulator = run->simulator;
    struct turn_input input = {
        .kind = kind,
        .type = actor->type,
        .self = &actor->ref,
        .sender = kind == TURN_MESSAGE ? &event->from : NULL,
        .record = event->record,
        .message = event->message,
        .now_ms = event->now_ms,
        .parameters = simulator->parameters,
        .parameter_count = simulator->parameter_count,
        .choose = draw_again,
        .data = draws,
    };

    while (kind == TURN_TIMER && input.timer < actor->type->timer_count &&
           strcmp(actor->type->timers[input.timer].name, event->name) != 0)
        input.timer++;
    if (kind == TURN_TIMER)
        actor->timers &= ~(UINT64_C(1) << input.timer);
    const struct turn_output *output =
        turn_run(simulator->turn, &input, actor->state);
    take_output(run, actor, event, output);
    if (real_going(run))
        real_history_did(run, actor, &input, output);
}

/* The first step of an actor comes before its first input. */
static void start(struct real_run *run, struct real_actor *actor,
                  const struct actor_event *event, struct draws *draws)
{
    if (!actor->started && actor->type->start)
        play(run, actor, event, TURN_START, draws);
    actor->started = true;
}

static void play_event(struct real_run *run, struct real_actor *actor,
                       const struct actor_event *event)
{
    struct draws draws = {event->choices, event->choice_count, 0};

    for (uint32_t i = 0; i < event->choice_count; i++) {
        if (event->choices[2 * i] > 0)
            run->simulator->counts.probes[SIMULATE_PROBE_CHANCE]++;
    }
    start(run, actor, event, &draws);
    switch (event->input) {
    case PATH_MESSAGE:
        play(run, actor, event, TURN_MESSAGE, &draws);
        break;
    case PATH_TIMER:
        play(run, actor, event, TURN_TIMER, &draws);
        break;
    case PATH_RESTART:
        play(run, actor, event, TURN_RESTART, &draws);
        break;
    case PATH_CRASH:
        break;
    }
}

/* --- paths ---------------------------------------------------------------- */

static void move_path(struct real_run *run, struct real_actor *actor,
                      struct path_id after)
{
    struct path_id blank = path_id_actor(&actor->ref);
    struct path_id *past;

    if ((actor->past_count & (actor->past_count - 1)) == 0) {
        uint32_t room = actor->past_count ? actor->past_count * 2 : 1;
        past = mem_realloc(actor->past, room * sizeof *past);
        if (!past) {
            run->err = KAN_NOMEM;
            return;
        }
        actor->past = past;
    }
    actor->past[actor->past_count++] = actor->now;
    run->result->path =
        path_id_replace(run->result->path, actor->now,
                        !real_same_path(actor->now, blank), after);
    actor->now = after;
}

/* --- events --------------------------------------------------------------- */

/* What a scenario says of it. Clients are named as the checker names them. */
static void write_event(struct real_run *run, const struct actor_event *event,
                        uint32_t client)
{
    struct buffer json = BUFFER_INIT;
    struct buffer line = BUFFER_INIT;
    struct buffer draws = BUFFER_INIT;
    struct scenario_event said = {
        .kind = event->input == PATH_MESSAGE ? SCENARIO_DELIVER
                : event->input == PATH_TIMER ? SCENARIO_TIMER
                : event->input == PATH_CRASH ? SCENARIO_CRASH
                                             : SCENARIO_RESTART,
        .to = event->actor,
        .from = event->from,
        .name = event->name && event->name[0] ? event->name : NULL,
    };
    enum kan_err err = KAN_OK;

    if (client != UINT32_MAX)
        said.from =
            kan_ref_number("client", run->simulator->model ? 0 : client);
    if (event->record && event->record->size > 0) {
        err = record_to_json(event->record, event->message, &json);
        said.json = buffer_text(&json);
    }
    if (client != UINT32_MAX) {
        struct scenario_event sent = said;
        sent.kind = SCENARIO_REQUEST;
        err = err ? err : scenario_write_event(&sent, &line);
    }
    scenario_draws_write(event->choices, event->choice_count, &draws);
    said.draws = event->choice_count > 0 ? buffer_text(&draws) : NULL;
    if (buffer_failed(&draws))
        err = KAN_NOMEM;
    err = err ? err : scenario_write_event(&said, &line);
    if (err)
        run->err = err;
    else
        real_note(run, "%.*s", (int)(line.size - 1), line.bytes);
    buffer_fini(&json);
    buffer_fini(&line);
    buffer_fini(&draws);
}

static void take_event(struct real_run *run, const struct actor_event *event)
{
    struct real_actor *actor = real_watch_actor(run, &event->actor);
    struct kan_slice bytes = kan_slice(NULL, 0);
    uint32_t client = UINT32_MAX;

    run->last_event_ns = sim_now(run->world);
    run->taken++;
    if (event->input == PATH_MESSAGE &&
        strncmp(event->from.text, "client/", 7) == 0 &&
        !real_client_took(run, event, &client)) {
        run_fails(run->result, "exactly-once",
                  "%s took %s of a client that did not send it, or sent it "
                  "once",
                  event->actor.text, event->name);
        return;
    }
    write_event(run, event, client);
    if (!actor)
        return;
    if (event->record)
        bytes = kan_slice(event->message, event->record->size);
    real_draws_took(run, actor, event);
    real_history_took(run, actor, event);
    play_event(run, actor, event);
    move_path(run, actor,
              path_id_step(actor->now, event->input, event->name, &event->from,
                           bytes));
    real_watch_judge(run, false);
}

void real_watch_event(void *data, const struct actor_event *event)
{
    struct real_run *run = data;

    /* A ghost's own callbacks tell of what nobody will see. */
    if (run->dead || sim_dead(run->env) || !real_going(run))
        return;
    take_event(run, event);
    if (!run->calm && run->jumps_left > 0 &&
        real_strikes(run, run->knobs.clock_rate))
        real_clock_disturb(run);
    if (real_going(run) && run->deaths_left > 0 && !run->calm &&
        real_strikes(run, run->knobs.kill_rate)) {
        run->deaths_left--;
        run->simulator->counts.probes[SIMULATE_PROBE_UNANSWERED]++;
        real_process_die(run, real_strikes(run, run->knobs.power_rate));
    }
}

/* --- after a death -------------------------------------------------------- */

static void keep_died(struct real_run *run, struct real_actor *actor)
{
    size_t size = actor->type->state->size;

    if (!actor->died)
        actor->died = mem_zalloc(size + 1u);
    if (actor->died)
        memcpy(actor->died, actor->state, size);
    else
        run->err = KAN_NOMEM;
}

/* Volatile fields are gone; all else is what was told, or more. */
void real_watch_reload(struct real_run *run)
{
    for (uint32_t i = 0; i < run->actor_count; i++) {
        struct real_actor *actor = &run->actors[i];
        if (run->observed)
            keep_died(run, actor);
        record_drop_volatile(actor->type->state, actor->state);
    }
    real_watch_judge(run, false);
}

void real_watch_found(struct real_run *run, struct real_actor *actor,
                      const struct path_id *path, const void *state,
                      uint64_t timers, bool started)
{
    if (real_same_path(*path, actor->now))
        return;
    for (uint32_t i = 0; i < actor->past_count; i++) {
        if (!real_same_path(*path, actor->past[i]))
            continue;
        run_fails(run->result, "durable",
                  "%s has lost the last %u of the steps that were "
                  "acknowledged",
                  actor->ref.text, actor->past_count - i);
        return;
    }
    /* A commit that succeeded as the process died: nobody was told. */
    real_note(run, "# %s had done more than was told", actor->ref.text);
    real_untold(run, actor, *path);
    memcpy(actor->state, state, actor->type->state->size);
    actor->timers = timers;
    actor->started = started;
    move_path(run, actor, *path);
    real_watch_judge(run, false);
}
