/* `kan sim`: run a model or a module at random, with faults. */

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "cli/files.h"
#include "cli/sim_report.h"

enum
{
    SEEDS_PRESET = 100
};

/* What the command line says. */
struct sim
{
    struct target target;
    struct command_list settings;
    const char *faults;
    const char *driver;
    const char *seed;
    const char *seeds;
    const char *time;
    const char *steps;
    const char *clients;
    const char *requests;
    const char *output;
    const char *replay;
    const char *save;
    bool check_determinism;

    struct scenario scenario; /* to replay */
    struct buffer scenario_text;
    struct simulate_options options;
    struct campaign_options campaign;
    struct simulator *simulator;
    struct buffer out;
    double began;
    double seconds_max;
    double shown;
    bool progress_shown;
    bool terminal;
};

/* --- reading the command line --------------------------------------------- */

static int read_number(const char *name, const char *text, uint64_t max,
                       uint64_t *number)
{
    if (!text)
        return EXIT_DONE;
    if (number_u64(kan_text(text), number) != KAN_OK || *number > max)
        return command_refuse("sim", "--%s is '%s'; expected 0 to %llu", name,
                              text, (unsigned long long)max);
    return EXIT_DONE;
}

static int read_driver(struct sim *sim)
{
    if (!sim->driver)
        return EXIT_DONE;
    if (strcmp(sim->driver, "real") == 0)
        sim->options.driver = SIMULATE_REAL;
    else if (strcmp(sim->driver, "walk") == 0)
        sim->options.driver = SIMULATE_WALK;
    else
        return command_refuse("sim", "--driver is '%s'; expected real or walk",
                              sim->driver);
    return EXIT_DONE;
}

static int read_time(struct sim *sim)
{
    uint64_t time_ns = 0;

    if (!sim->time)
        return EXIT_DONE;
    if (number_duration(kan_text(sim->time), &time_ns) != KAN_OK)
        return command_refuse(
            "sim", "--time is '%s'; expected a duration, as 1m30s", sim->time);
    sim->seconds_max = (double)time_ns / 1e9;
    if (!sim->seeds)
        sim->campaign.seeds = 0;
    return EXIT_DONE;
}

static int read_limits(struct sim *sim)
{
    uint64_t steps = 0;
    uint64_t clients = 0;
    uint64_t requests = 0;
    int code = read_number("seed", sim->seed, UINT64_MAX, &sim->campaign.seed);

    if (code == EXIT_DONE)
        code =
            read_number("seeds", sim->seeds, UINT64_MAX, &sim->campaign.seeds);
    if (code == EXIT_DONE && sim->seeds && sim->campaign.seeds == 0)
        code = command_refuse("sim", "--seeds is 0; expected 1 or more");
    if (code == EXIT_DONE)
        code = read_number("steps", sim->steps, 1000000, &steps);
    if (code == EXIT_DONE)
        code = read_number("clients", sim->clients, 16, &clients);
    if (code == EXIT_DONE)
        code = read_number("requests", sim->requests, 1000, &requests);
    if (code == EXIT_DONE)
        code = read_time(sim);
    if (code == EXIT_DONE)
        code = read_driver(sim);
    if (code != EXIT_DONE)
        return code;
    if (strcmp(sim->output, "text") != 0 && strcmp(sim->output, "json") != 0)
        return command_refuse("sim", "--output is '%s'; expected text or json",
                              sim->output);
    sim->options.steps = (uint32_t)steps;
    sim->options.clients = (uint32_t)clients;
    sim->options.requests = (uint32_t)requests;
    return EXIT_DONE;
}

static int read_scenario(struct sim *sim)
{
    struct buffer why = BUFFER_INIT;
    int code = file_read("sim", sim->replay, &sim->scenario_text);

    if (code != EXIT_DONE)
        return code;
    enum kan_err err = scenario_read(buffer_slice(&sim->scenario_text),
                                     sim->replay, &sim->scenario, &why);
    if (err)
        code = command_refuse("sim", "%s",
                              why.size ? buffer_text(&why) : kan_err_text(err));
    buffer_fini(&why);
    return code;
}

/* Open what is named, with all that was said about it. */
static int open_target(struct sim *sim, const char *name)
{
    int code = sim->replay ? read_scenario(sim) : EXIT_DONE;

    if (code != EXIT_DONE)
        return code;
    if (!name)
        name =
            sim->scenario.module ? sim->scenario.module : sim->scenario.model;
    if (!name)
        return command_refuse("sim",
                              "what? a model ('kan check --list' names them), "
                              "or a file of actors as ./counter.so");
    code = target_open("sim", name, &sim->target);
    if (code == EXIT_DONE)
        code = target_set_scenario("sim", &sim->target, &sim->scenario);
    for (uint32_t i = 0; code == EXIT_DONE && i < sim->settings.count; i++)
        code = target_set("sim", &sim->target, sim->settings.values[i]);
    if (code == EXIT_DONE && sim->faults)
        code = target_set_faults("sim", &sim->target, sim->faults);
    return code;
}

static int open_simulator(struct sim *sim)
{
    struct simulate_options *options = &sim->options;
    struct buffer why = BUFFER_INIT;
    int code = EXIT_DONE;

    options->module = sim->target.module;
    options->parameters = sim->target.parameters;
    if (options->module->model || sim->faults || sim->scenario.fault_count > 0)
        options->faults = &sim->target.faults;
    options->frozen_object = target_name_object;
    options->data = &sim->target;
    enum kan_err err = simulator_new(options, &sim->simulator, &why);
    if (err)
        code = command_refuse("sim", "%s: %s", sim->target.name,
                              why.size ? buffer_text(&why) : kan_err_text(err));
    buffer_fini(&why);
    return code;
}

/* --- progress ------------------------------------------------------------- */

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool on_progress(void *data, const struct campaign_progress *progress)
{
    struct sim *sim = data;
    double now = seconds_now();

    if (sim->terminal && now - sim->shown > 0.1) {
        sim->shown = now;
        sim->progress_shown = true;
        if (progress->shrink_runs > 0)
            fprintf(stderr, "\rshrinking: %zu choices, %zu runs   ",
                    progress->choices, progress->shrink_runs);
        else
            fprintf(stderr, "\r%llu seeds, %llu events, %llu paths, %.1f s   ",
                    (unsigned long long)progress->seeds,
                    (unsigned long long)progress->events,
                    (unsigned long long)progress->paths, now - sim->began);
    }
    /* What was found is worth shrinking, also when the time is up. */
    return progress->shrink_runs > 0 || sim->seconds_max <= 0 ||
           now - sim->began < sim->seconds_max;
}

static void end_progress(struct sim *sim)
{
    if (sim->progress_shown)
        fprintf(stderr, "\r%79s\r", "");
    sim->progress_shown = false;
}

/* --- reporting ------------------------------------------------------------ */

static uint32_t terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 100;
}

/* A walk is drawn from the steps that it took. */
static enum kan_err make_drawing(struct sim *sim,
                                 const struct simulate_run *run,
                                 const struct walk_run *steps,
                                 struct run **ret_drawing)
{
    struct buffer title = BUFFER_INIT;
    struct space *space = simulator_space(sim->simulator);
    enum kan_err err = KAN_OK;

    if (!space)
        return KAN_OK;
    buffer_print(&title, "%s: %s", sim->target.name,
                 run->verdict == SIMULATE_FAILS ? run->property : "replayed");
    err = run_new(space, steps, buffer_text(&title), run->why, ret_drawing);
    buffer_fini(&title);
    return err;
}

/* The file that runs it again: what happened as events, and the tape. */
static enum kan_err write_scenario(struct sim *sim,
                                   const struct campaign *campaign,
                                   const struct run *drawing,
                                   struct buffer *out)
{
    struct scenario head;
    enum kan_err err;

    target_head(&sim->target, &head);
    head.expect = "fails";
    head.property = campaign->run.property;
    head.first = campaign->log.run.first;
    simulate_tape_save(campaign->choices, campaign->choice_count, &head.tape);
    if (drawing) {
        err = run_write(drawing, &head, out);
    } else {
        err = scenario_write_head(&head, out);
        buffer_append(out, buffer_slice(&campaign->log.lines));
        if (err == KAN_OK)
            err = scenario_write_path(campaign->run.path, out);
    }
    buffer_fini(&head.tape);
    return err;
}

static void save_failure(struct sim *sim, struct sim_report *report,
                         struct run **drawing, struct buffer *file)
{
    const struct campaign *campaign = report->campaign;
    struct buffer text = BUFFER_INIT;
    enum kan_err err =
        make_drawing(sim, &campaign->run, &campaign->log.run, drawing);

    report->run = *drawing;
    if (sim->save)
        buffer_append_text(file, sim->save);
    else
        target_file_name(&sim->target, campaign->run.property, ".path", file);
    if (err == KAN_OK)
        err = write_scenario(sim, campaign, *drawing, &text);
    if (err)
        (void)command_refuse("sim", "the run could not be saved: %s",
                             kan_err_text(err));
    else if (file_write("sim", buffer_text(file), buffer_slice(&text)))
        report->saved = buffer_text(file);
    buffer_fini(&text);
}

static void print_report(struct sim *sim, const struct campaign *campaign)
{
    struct sim_report report = {
        .target = &sim->target,
        .simulator = sim->simulator,
        .campaign = campaign,
        .seed = sim->campaign.seed,
        .seconds = seconds_now() - sim->began,
        .width = terminal_width(),
        .colour = isatty(STDOUT_FILENO) == 1,
    };
    struct buffer file = BUFFER_INIT;
    struct run *drawing = NULL;

    if (campaign->verdict == SIMULATE_FAILS)
        save_failure(sim, &report, &drawing, &file);
    if (strcmp(sim->output, "json") == 0)
        sim_print_json(&report, &sim->out);
    else
        sim_print_text(&report, &sim->out);
    fwrite(sim->out.bytes, 1, sim->out.size, stdout);
    run_free(drawing);
    buffer_fini(&file);
}

/* --- seeds ---------------------------------------------------------------- */

static int exit_code(enum simulate_verdict verdict)
{
    return verdict == SIMULATE_HOLDS   ? EXIT_DONE
           : verdict == SIMULATE_FAILS ? EXIT_FOUND
                                       : EXIT_UNKNOWN;
}

static int run_seeds(struct sim *sim)
{
    struct buffer why = BUFFER_INIT;
    struct campaign campaign;
    int code;

    sim->campaign.simulator = sim->simulator;
    sim->campaign.twice = sim->check_determinism;
    sim->campaign.data = sim;
    sim->campaign.progress = on_progress;
    sim->terminal = isatty(STDERR_FILENO) == 1;
    sim->began = seconds_now();
    enum kan_err err = campaign_run(&sim->campaign, &campaign, &why);
    end_progress(sim);
    if (err) {
        (void)command_refuse("sim", "%s: %s", sim->target.name,
                             why.size ? buffer_text(&why) : kan_err_text(err));
        code = err == KAN_CORRUPT ? EXIT_FOUND : EXIT_UNKNOWN;
    } else {
        print_report(sim, &campaign);
        code = exit_code(campaign.verdict);
    }
    campaign_fini(&campaign);
    buffer_fini(&why);
    return code;
}

/* --- replaying ------------------------------------------------------------ */

static enum kan_err replay_tape(struct sim *sim, struct simulate_log *log,
                                struct simulate_run *run)
{
    struct tape tape;
    enum kan_err err =
        simulate_tape_load(buffer_slice(&sim->scenario.tape), &tape);

    if (err == KAN_OK)
        err = simulator_run(sim->simulator, &tape, log, run);
    tape_fini(&tape);
    return err;
}

/* The events say which steps of the space they are. */
static int replay_steps(struct sim *sim, struct simulate_log *log,
                        struct simulate_run *run)
{
    struct buffer why = BUFFER_INIT;
    enum kan_err err = run_find(simulator_space(sim->simulator), &sim->scenario,
                                sim->replay, &log->run, &why);
    int code = EXIT_DONE;

    if (err == KAN_OK)
        err = simulator_follow(sim->simulator, &log->run, run);
    if (err)
        code = command_refuse("sim", "%s",
                              why.size ? buffer_text(&why) : kan_err_text(err));
    buffer_fini(&why);
    return code;
}

/* Whether the run is the one that the file says it is. */
static int judge_replay(const struct sim *sim, const struct simulate_run *run)
{
    const struct scenario *scenario = &sim->scenario;
    bool fails = scenario->expect && strcmp(scenario->expect, "fails") == 0;

    if (scenario->has_path &&
        memcmp(&scenario->path, &run->path, sizeof run->path) != 0) {
        (void)command_refuse(
            "sim", "%s: this is not the path that the file names", sim->replay);
        return EXIT_FOUND;
    }
    if (fails && run->verdict != SIMULATE_FAILS)
        return EXIT_DONE;
    return exit_code(run->verdict);
}

static int print_replay(struct sim *sim, const struct simulate_log *log,
                        const struct simulate_run *run)
{
    struct run *drawing = NULL;
    char path[PATH_ID_TEXT];
    enum kan_err err = make_drawing(sim, run, &log->run, &drawing);

    if (err == KAN_OK && drawing)
        err = run_draw_text(drawing, terminal_width(),
                            isatty(STDOUT_FILENO) == 1, &sim->out);
    if (err)
        return command_refuse("sim", "%s: %s", sim->replay, kan_err_text(err));
    if (!drawing)
        buffer_append(&sim->out, buffer_slice(&log->lines));
    path_id_text(run->path, path);
    buffer_print(&sim->out, "\n%s%s%s\npath %s\n",
                 run->verdict == SIMULATE_FAILS ? run->property : "",
                 run->verdict == SIMULATE_FAILS ? " fails: " : "",
                 run->why[0] ? run->why : "every property held", path);
    fwrite(sim->out.bytes, 1, sim->out.size, stdout);
    run_free(drawing);
    return judge_replay(sim, run);
}

static int replay(struct sim *sim)
{
    struct simulate_run run = {.verdict = SIMULATE_HOLDS};
    struct simulate_log log;
    enum kan_err err = KAN_OK;
    int code = EXIT_DONE;

    memset(&log, 0, sizeof log);
    if (sim->scenario.tape.size > 0)
        err = replay_tape(sim, &log, &run);
    else if (simulator_driver(sim->simulator) == SIMULATE_REAL)
        err = simulator_replay(sim->simulator, &sim->scenario, &log, &run);
    else
        code = replay_steps(sim, &log, &run);
    if (err)
        code = command_refuse(
            "sim", "%s: %s", sim->replay,
            err == KAN_INVALID ? "the tape is damaged" : kan_err_text(err));
    if (code == EXIT_DONE)
        code = print_replay(sim, &log, &run);
    simulate_log_fini(&log);
    return code;
}

/* --- the command ---------------------------------------------------------- */

static void end(struct sim *sim)
{
    simulator_free(sim->simulator);
    target_close(&sim->target);
    scenario_fini(&sim->scenario);
    buffer_fini(&sim->scenario_text);
    buffer_fini(&sim->out);
}

static int run_sim(struct sim *sim, const char *name)
{
    int code = read_limits(sim);

    if (code == EXIT_DONE)
        code = open_target(sim, name);
    if (code == EXIT_DONE)
        code = open_simulator(sim);
    if (code != EXIT_DONE)
        return code;
    return sim->replay ? replay(sim) : run_seeds(sim);
}

static int run(int argc, const char *const *argv)
{
    struct sim sim = {.output = "text"};
    const char *name = NULL;
    const struct command_flag flags[] = {
        {"set", 0, NULL, NULL, &sim.settings},
        {"faults", 0, &sim.faults, NULL, NULL},
        {"driver", 0, &sim.driver, NULL, NULL},
        {"seed", 0, &sim.seed, NULL, NULL},
        {"seeds", 0, &sim.seeds, NULL, NULL},
        {"time", 0, &sim.time, NULL, NULL},
        {"steps", 0, &sim.steps, NULL, NULL},
        {"clients", 0, &sim.clients, NULL, NULL},
        {"requests", 0, &sim.requests, NULL, NULL},
        {"output", 'o', &sim.output, NULL, NULL},
        {"replay", 0, &sim.replay, NULL, NULL},
        {"save", 0, &sim.save, NULL, NULL},
        {"check-determinism", 0, NULL, &sim.check_determinism, NULL},
    };
    sim.campaign.seed = 1;
    sim.campaign.seeds = SEEDS_PRESET;
    int code = command_parse("sim", argc, argv, flags,
                             sizeof flags / sizeof flags[0], &name);

    if (code == EXIT_DONE)
        code = run_sim(&sim, name);
    end(&sim);
    return code;
}

const struct command command_sim = {
    .name = "sim",
    .usage = "MODEL|FILE.so [flags] | --replay FILE.path",
    .summary = "run actors at random with faults, and show a run that fails",
    .details =
        "Runs seed after seed of the model or the actors of the file. Each run "
        "draws which faults it has and how often, checks the properties after "
        "each step, then ends the faults and demands progress. A failure is "
        "shrunk to a short run, printed, and saved as a scenario file that "
        "replays it.\n\n"
        "Actors without a model, and models whose messages are durable, run in "
        "the real driver, in a simulated world: the process is killed, its "
        "power fails and tears writes, the engine's answers are lost or late, "
        "clocks jump, clients send again. Other models are walked at random "
        "through the states of 'kan check', where messages are lost, doubled "
        "and overtaken. --driver real or walk chooses.\n\n"
        "--seed N is the first seed (1), --seeds N how many (100); --time 30s "
        "runs until then. --set NAME=NUMBER sets a parameter; --faults "
        "crash=1,lost=2,doubled=1,partition=1,clock=1,liar=1 or none the "
        "budget of a run. --steps N ends the faults of a walk; --clients and "
        "--requests say how many clients send how many messages. --save names "
        "the file of a failure. --check-determinism runs each seed again and "
        "shows the first event that differs. --replay runs a file of 'kan "
        "sim', 'kan check' or 'kan run --record' again. -o json prints one "
        "object for programs.\n\n"
        "Exit status: 0 no property failed, 1 one fails, 2 told wrong, 3 "
        "unknown: a goal was not reached in time, or memory ran out.",
    .run = run,
};
