/* A simulator: which driver runs, and what all runs have in common. */

#include "check/sim/simulator.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"

/* --- names ---------------------------------------------------------------- */

const char *simulate_fault_name(enum simulate_fault fault)
{
    static const char *const names[] = {
        [SIMULATE_CRASH] = "crash",     [SIMULATE_POWER] = "power",
        [SIMULATE_ENGINE] = "engine",   [SIMULATE_LOST] = "lost",
        [SIMULATE_DOUBLED] = "doubled", [SIMULATE_LATE] = "late",
        [SIMULATE_CUT] = "partition",   [SIMULATE_CLOCK] = "clock",
        [SIMULATE_LIE] = "lie",
    };

    return names[fault];
}

const char *simulate_probe_name(enum simulate_probe probe)
{
    static const char *const names[] = {
        [SIMULATE_PROBE_CRASH_WITH_MESSAGES] = "crash with messages on the way",
        [SIMULATE_PROBE_RESTARTED] = "restarted",
        [SIMULATE_PROBE_TIMER_FIRST] = "timer before a message on the way",
        [SIMULATE_PROBE_CHANCE] = "handler drew a number",
        [SIMULATE_PROBE_ENDED] = "nothing more could happen",
        [SIMULATE_PROBE_GOAL] = "goal reached after the faults",
        [SIMULATE_PROBE_UNANSWERED] = "died between commit and answer",
        [SIMULATE_PROBE_REMEMBERED] = "asked again and answered from memory",
        [SIMULATE_PROBE_REFUSED] = "handler refused",
    };

    return names[probe];
}

/* --- life cycle ----------------------------------------------------------- */

static enum simulate_driver choose_driver(
    const struct simulate_options *options)
{
    const struct kan_model *model = options->module->model;

    if (options->driver != SIMULATE_AUTO)
        return options->driver;
    return !model || model->network == KAN_NETWORK_DURABLE ? SIMULATE_REAL
                                                           : SIMULATE_WALK;
}

/* Without a model nobody has said what goes wrong: everything, a few times. */
static struct kan_faults choose_faults(const struct simulate_options *options)
{
    static const struct kan_faults all = {
        .crash = 4, .lost = 100, .doubled = 100, .clock = 4};

    if (options->faults)
        return *options->faults;
    return options->module->model ? options->module->model->faults : all;
}

static void set_parameters(struct simulator *simulator)
{
    const struct kan_model *model = simulator->model;

    if (!model)
        return;
    simulator->parameter_count = model->parameter_count;
    for (uint32_t i = 0; i < model->parameter_count; i++)
        simulator->parameters[i] = simulator->options.parameters
                                       ? simulator->options.parameters[i]
                                       : model->parameters[i].preset;
}

enum kan_err simulator_new(const struct simulate_options *options,
                           struct simulator **ret_simulator, struct buffer *why)
{
    struct simulator *simulator = mem_zalloc(sizeof *simulator);
    enum kan_err err;

    if (!simulator)
        return KAN_NOMEM;
    simulator->magic = SIMULATOR_MAGIC;
    simulator->options = *options;
    simulator->model = options->module->model;
    simulator->driver = choose_driver(options);
    simulator->faults = choose_faults(options);
    set_parameters(simulator);
    err = simulator->driver == SIMULATE_WALK ? walk_driver_new(simulator, why)
                                             : real_driver_new(simulator, why);
    if (err) {
        simulator_free(simulator);
        return err;
    }
    *ret_simulator = simulator;
    return KAN_OK;
}

struct simulator *simulator_free(struct simulator *simulator)
{
    if (!simulator)
        return NULL;
    check_magic(simulator, SIMULATOR_MAGIC);
    simulator->magic = 0;
    if (simulator->driver == SIMULATE_WALK)
        walk_driver_free(simulator);
    else
        real_driver_free(simulator);
    return mem_free(simulator);
}

enum simulate_driver simulator_driver(const struct simulator *simulator)
{
    return simulator->driver;
}

struct space *simulator_space(struct simulator *simulator)
{
    return simulator->space;
}

const struct simulate_counts *simulator_counts(
    const struct simulator *simulator)
{
    return &simulator->counts;
}

/* --- what can be expected ------------------------------------------------- */

static bool has_goal(const struct kan_model *model)
{
    for (uint32_t i = 0; model && i < model->property_count; i++) {
        if (model->properties[i].kind == KAN_RECOVERABLE)
            return true;
    }
    return false;
}

static bool has_timers(const struct kan_module *module)
{
    for (uint32_t i = 0; i < module->actor_count; i++) {
        if (module->actors[i]->timer_count > 0)
            return true;
    }
    return false;
}

bool simulator_expects(const struct simulator *simulator,
                       enum simulate_probe probe)
{
    bool real = simulator->driver == SIMULATE_REAL;

    switch (probe) {
    case SIMULATE_PROBE_CRASH_WITH_MESSAGES:
        return simulator->faults.crash > 0 && !real;
    case SIMULATE_PROBE_RESTARTED:
        return simulator->faults.crash > 0;
    case SIMULATE_PROBE_TIMER_FIRST:
        return has_timers(simulator->options.module) && !real;
    case SIMULATE_PROBE_GOAL:
        return has_goal(simulator->model);
    case SIMULATE_PROBE_UNANSWERED:
        return simulator->faults.crash > 0 && real;
    case SIMULATE_PROBE_REMEMBERED:
        return simulator->faults.doubled + simulator->faults.lost > 0 && real;
    case SIMULATE_PROBE_CHANCE:
    case SIMULATE_PROBE_ENDED:
    case SIMULATE_PROBE_REFUSED:
    case SIMULATE_PROBES:
        break;
    }
    return false;
}

bool simulator_expects_world(const struct simulator *simulator,
                             enum sim_probe probe)
{
    if (simulator->driver != SIMULATE_REAL || simulator->faults.crash == 0)
        return false;
    switch (probe) {
    case SIM_PROBE_WRITE_KEPT:
    case SIM_PROBE_WRITE_DROPPED:
    case SIM_PROBE_WRITE_TORN:
    case SIM_PROBE_WRITE_REORDERED:
    case SIM_PROBE_CRASH_WITH_WORK:
    case SIM_PROBE_CRASH_BEFORE_DONE:
        return true;
    default:
        return false;
    }
}

/* --- runs ----------------------------------------------------------------- */

void run_fails(struct simulate_run *run, const char *property,
               const char *format, ...)
{
    va_list args;

    if (run->verdict == SIMULATE_FAILS)
        return;
    run->verdict = SIMULATE_FAILS;
    (void)snprintf(run->property, sizeof run->property, "%s", property);
    va_start(args, format);
    (void)vsnprintf(run->why, sizeof run->why, format, args);
    va_end(args);
}

void run_undecided(struct simulate_run *run, const char *format, ...)
{
    va_list args;

    if (run->verdict != SIMULATE_HOLDS)
        return;
    run->verdict = SIMULATE_UNKNOWN;
    va_start(args, format);
    (void)vsnprintf(run->why, sizeof run->why, format, args);
    va_end(args);
}

void run_mix(struct simulate_run *run, uint64_t word)
{
    struct sim_hash *hash = &run->trace;

    hash->low = (hash->low ^ word) * 0x9e3779b97f4a7c15u;
    hash->low ^= hash->low >> 29;
    hash->high = (hash->high + word) * 0xd1342543de82ef95u ^ hash->low;
}

uint32_t draw_rate(struct tape *tape)
{
    static const uint32_t rates[] = {0, 2, 5, 10, 20, 50, 100, 200, 400};
    enum
    {
        RATES = sizeof rates / sizeof rates[0]
    };
    uint64_t chance = tape_chance(tape);

    return rates[tape_choose_value(
        tape, RATES, chance % 2 ? 0 : 1 + (chance >> 1) % (RATES - 1))];
}

static enum kan_err driver_run(struct simulator *simulator, struct tape *tape,
                               struct simulate_log *log,
                               struct simulate_run *run)
{
    return simulator->driver == SIMULATE_WALK
               ? walk_driver_run(simulator, tape, log, run)
               : real_driver_run(simulator, tape, NULL, log, run);
}

/* --- one end for all runs ------------------------------------------------- */

const struct kan_model_property *simulator_property(
    const struct simulator *simulator, enum kan_property_kind kind)
{
    const struct kan_model *model = simulator->model;

    for (uint32_t i = 0; model && i < model->property_count; i++) {
        if (model->properties[i].kind == kind)
            return &model->properties[i];
    }
    return NULL;
}

/* All runs are held against one that depends on nothing but the model: so a
 * tape fails in the same way whatever was run before it. It is the mildest
 * there is, without faults, and counts nowhere. */
static enum kan_err find_end(struct simulator *simulator)
{
    struct simulate_counts counts = simulator->counts;
    struct simulate_run run = {.verdict = SIMULATE_HOLDS};
    struct tape zeros = {.source = TAPE_ZERO};
    enum kan_err err;

    if (simulator->end_sought || !simulator_property(simulator, KAN_CONVERGES))
        return KAN_OK;
    err = driver_run(simulator, &zeros, NULL, &run);
    if (err == KAN_OK && zeros.failed)
        err = KAN_NOMEM;
    tape_fini(&zeros);
    simulator->counts = counts;
    simulator->end_sought = err == KAN_OK;
    return err;
}

void run_ends(struct simulator *simulator, struct simulate_run *run,
              struct path_id end)
{
    const struct kan_model_property *property =
        simulator_property(simulator, KAN_CONVERGES);

    if (!property)
        return;
    if (!simulator->end_sought) {
        simulator->end = end;
        simulator->end_known = true;
    } else if (simulator->end_known &&
               memcmp(&end, &simulator->end, sizeof end) != 0) {
        run_fails(run, property->name,
                  "this run ends in another state than the one without faults");
    }
}

/* --- a run ---------------------------------------------------------------- */

enum kan_err simulator_run(struct simulator *simulator, struct tape *tape,
                           struct simulate_log *log,
                           struct simulate_run *ret_run)
{
    struct simulate_run run = {.verdict = SIMULATE_HOLDS};
    enum kan_err err;

    check_magic(simulator, SIMULATOR_MAGIC);
    err = find_end(simulator);
    if (err == KAN_OK)
        err = driver_run(simulator, tape, log, &run);
    simulator->counts.events += run.events;
    if (err == KAN_OK && tape->failed)
        err = KAN_NOMEM;
    if (err == KAN_OK)
        *ret_run = run;
    return err;
}

enum kan_err simulator_replay(struct simulator *simulator,
                              const struct scenario *scenario,
                              struct simulate_log *log,
                              struct simulate_run *ret_run)
{
    struct simulate_run run = {.verdict = SIMULATE_HOLDS};
    struct tape tape = {.source = TAPE_ZERO};
    enum kan_err err;

    check_magic(simulator, SIMULATOR_MAGIC);
    kan_assert(simulator->driver == SIMULATE_REAL);
    err = real_driver_run(simulator, &tape, scenario, log, &run);
    tape_fini(&tape);
    simulator->counts.events += run.events;
    if (err == KAN_OK)
        *ret_run = run;
    return err;
}

enum kan_err simulator_follow(struct simulator *simulator,
                              const struct walk_run *steps,
                              struct simulate_run *ret_run)
{
    struct simulate_run run = {.verdict = SIMULATE_HOLDS};
    enum kan_err err;

    check_magic(simulator, SIMULATOR_MAGIC);
    kan_assert(simulator->driver == SIMULATE_WALK);
    err = walk_driver_follow(simulator, steps, &run);
    if (err == KAN_OK)
        *ret_run = run;
    return err;
}

void simulate_log_fini(struct simulate_log *log)
{
    buffer_fini(&log->lines);
    buffer_fini(&log->trace);
    mem_free(log->run.steps);
    memset(log, 0, sizeof *log);
}

/* --- tapes in scenarios --------------------------------------------------- */

/* A scenario says of itself what it is: the tape's own first line is left out
 * there. */
void simulate_tape_save(const struct tape_choice *choices, size_t count,
                        struct buffer *out)
{
    struct tape tape = {.choices = (struct tape_choice *)(uintptr_t)choices,
                        .count = count};
    struct buffer text = BUFFER_INIT;
    struct kan_slice lines;
    struct kan_slice first;

    tape_save(&tape, &text);
    lines = buffer_slice(&text);
    slice_cut(&lines, '\n', &first);
    buffer_append(out, lines);
    out->failed |= buffer_failed(&text);
    buffer_fini(&text);
}

enum kan_err simulate_tape_load(struct kan_slice lines, struct tape *ret_tape)
{
    const struct tape empty = {.source = TAPE_ZERO};
    struct buffer text = BUFFER_INIT;
    enum kan_err err = KAN_NOMEM;

    *ret_tape = empty;
    tape_save(&empty, &text);
    buffer_append(&text, lines);
    if (!buffer_failed(&text))
        err = tape_load(ret_tape, buffer_slice(&text));
    buffer_fini(&text);
    return err;
}

/* --- twice ---------------------------------------------------------------- */

static enum kan_err run_seed(struct simulator *simulator, uint64_t seed,
                             struct simulate_log *log, struct simulate_run *run)
{
    struct tape tape;

    tape_init_seed(&tape, seed);
    enum kan_err err = simulator_run(simulator, &tape, log, run);
    tape_fini(&tape);
    return err;
}

/* Name the first line that two traces do not share. */
static void name_difference(const struct buffer *a, const struct buffer *b,
                            struct buffer *why)
{
    struct kan_slice left = buffer_slice(a);
    struct kan_slice right = buffer_slice(b);
    struct kan_slice one;
    struct kan_slice other;
    uint64_t number = 0;

    do {
        number++;
        slice_cut(&left, '\n', &one);
        slice_cut(&right, '\n', &other);
    } while (slice_equal(one, other) && (left.size > 0 || right.size > 0));
    buffer_print(why, "event %llu is '%.*s', and when it is run again '%.*s'",
                 (unsigned long long)number, SLICE_ARG(one), SLICE_ARG(other));
}

enum kan_err simulator_compare(struct simulator *simulator, uint64_t seed,
                               struct buffer *why)
{
    struct simulate_run runs[2];
    struct simulate_log logs[2];
    enum kan_err err = run_seed(simulator, seed, NULL, &runs[0]);

    memset(logs, 0, sizeof logs);
    if (err == KAN_OK)
        err = run_seed(simulator, seed, NULL, &runs[1]);
    if (err ||
        (memcmp(&runs[0].trace, &runs[1].trace, sizeof runs[0].trace) == 0 &&
         memcmp(&runs[0].path, &runs[1].path, sizeof runs[0].path) == 0))
        return err;
    buffer_print(why, "seed %llu gives another run when it is run again: ",
                 (unsigned long long)seed);
    err = run_seed(simulator, seed, &logs[0], &runs[0]);
    if (err == KAN_OK)
        err = run_seed(simulator, seed, &logs[1], &runs[1]);
    if (err == KAN_OK)
        name_difference(&logs[0].trace, &logs[1].trace, why);
    simulate_log_fini(&logs[0]);
    simulate_log_fini(&logs[1]);
    return err ? err : KAN_CORRUPT;
}
