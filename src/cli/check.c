/* `kan check`: walk every path of a model. */

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "cli/check_cast.h"
#include "cli/check_contract.h"
#include "cli/check_picture.h"
#include "cli/check_replay.h"
#include "cli/check_report.h"
#include "cli/files.h"

enum
{
    STATES_MAX = 100000000, /* of --states */
    COUNTED_MAX = 200000,   /* states of a space that is counted unasked */
    FILES_MAX = 1024        /* for --syntax */
};

/* What the command line says. */
struct check
{
    struct target target;
    struct command_list settings;
    const char *faults;
    const char *depth;
    const char *states;
    const char *threads;
    const char *memory;
    const char *time;
    const char *clients;
    const char *requests;
    const char *output;
    const char *replay;
    const char *save;
    const char *svg;
    struct check_picture picture;
    bool no_reduction;
    bool breadth_first;
    bool no_shortest;
    bool once;
    bool count;
    bool list;
    bool syntax;

    struct scenario scenario; /* to replay */
    struct buffer scenario_text;
    struct walk_options walk;
    struct space_options space;
    struct space *opened;
    struct buffer out;
    bool progress_shown;
};

/* --- reading the command line --------------------------------------------- */

static int read_number(const char *name, const char *text, uint64_t max,
                       uint64_t *number)
{
    if (!text)
        return EXIT_DONE;
    if (number_u64(kan_text(text), number) != KAN_OK || *number > max)
        return command_refuse("check", "--%s is '%s'; expected 0 to %llu", name,
                              text, (unsigned long long)max);
    return EXIT_DONE;
}

static int read_limits(struct check *check)
{
    uint64_t depth = 0;
    uint64_t threads = 1;
    uint64_t clients = 0;
    uint64_t requests = 0;
    uint64_t time_ns = 0;
    int code = read_number("depth", check->depth, UINT32_MAX, &depth);

    if (code == EXIT_DONE)
        code = read_number("threads", check->threads, 64, &threads);
    if (code == EXIT_DONE)
        code = read_number("clients", check->clients, 16, &clients);
    if (code == EXIT_DONE)
        code = read_number("requests", check->requests, 64, &requests);
    if (code != EXIT_DONE)
        return code;
    if (check->memory && number_quantity(kan_text(check->memory),
                                         &check->walk.memory_max) != KAN_OK)
        return command_refuse(
            "check", "--memory is '%s'; expected bytes, as 2Gi", check->memory);
    if (check->time &&
        number_duration(kan_text(check->time), &time_ns) != KAN_OK)
        return command_refuse("check",
                              "--time is '%s'; expected a duration, as 1m30s",
                              check->time);
    if (strcmp(check->output, "text") != 0 &&
        strcmp(check->output, "json") != 0)
        return command_refuse(
            "check", "--output is '%s'; expected text or json", check->output);
    if (check->picture.actors && !check->picture.file)
        return command_refuse("check",
                              "--actors says whom --picture FILE.html shows");
    check->walk.seconds_max = (double)time_ns / 1e9;
    check->walk.depth_max = (uint32_t)depth;
    check->walk.threads = (uint32_t)threads;
    check->space.clients = (uint32_t)clients;
    check->space.requests = (uint32_t)requests;
    check->space.memory_max = check->walk.memory_max;
    return EXIT_DONE;
}

static int read_scenario(struct check *check)
{
    struct buffer why = BUFFER_INIT;
    int code = file_read("check", check->replay, &check->scenario_text);

    if (code != EXIT_DONE)
        return code;
    enum kan_err err = scenario_read(buffer_slice(&check->scenario_text),
                                     check->replay, &check->scenario, &why);
    if (err)
        code = command_refuse("check", "%s",
                              why.size ? buffer_text(&why) : kan_err_text(err));
    buffer_fini(&why);
    return code;
}

/* Open what is named, with all that was said about it. */
static int open_target(struct check *check, const char *name)
{
    int code = EXIT_DONE;

    if (check->replay)
        code = read_scenario(check);
    if (code != EXIT_DONE)
        return code;
    if (!name)
        name = check->scenario.module ? check->scenario.module
                                      : check->scenario.model;
    if (!name)
        return command_refuse("check",
                              "what? a model ('kan check --list' "
                              "names them) or a file, as ./x.so");
    code = target_open("check", name, &check->target);
    if (code == EXIT_DONE)
        code = target_set_scenario("check", &check->target, &check->scenario);
    for (uint32_t i = 0; code == EXIT_DONE && i < check->settings.count; i++)
        code = target_set("check", &check->target, check->settings.values[i]);
    if (code == EXIT_DONE && check->faults)
        code = target_set_faults("check", &check->target, check->faults);
    return code;
}

/* --- the space ------------------------------------------------------------ */

static int open_space(struct check *check)
{
    struct buffer why = BUFFER_INIT;
    int code = EXIT_DONE;

    check->space.module = check->target.module;
    check->space.model = check->target.module->model;
    check->space.parameters = check->target.parameters;
    check->space.faults = &check->target.faults;
    check->space.once = check->once;
    check->space.frozen_object = target_name_object;
    check->space.data = &check->target;
    struct check_cast cast = {check->target.module, &check->scenario};
    if (check->replay) {
        check->space.cast = check_cast_set;
        check->space.cast_data = &cast;
    }
    enum kan_err err = space_new(&check->space, &check->opened, &why);
    if (err)
        code = command_refuse("check", "%s: %s", check->target.name,
                              why.size ? buffer_text(&why) : kan_err_text(err));
    buffer_fini(&why);
    check->walk.space = check->opened;
    return code;
}

/* --- progress ------------------------------------------------------------- */

static double seconds_now(void *data)
{
    struct timespec now;

    (void)data;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool show_progress(void *data, const struct walk_progress *progress)
{
    struct check *check = data;

    check->progress_shown = true;
    fprintf(stderr,
            "\r%s: %llu states, %llu steps, depth %u, %.1f s, omission %.1g   ",
            progress->phase, (unsigned long long)progress->states,
            (unsigned long long)progress->generated, progress->depth,
            progress->seconds, progress->omission);
    return true;
}

static void end_progress(struct check *check)
{
    if (check->progress_shown)
        fprintf(stderr, "\r%79s\r", "");
    check->progress_shown = false;
}

/* --- reporting ------------------------------------------------------------ */

static uint32_t terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 100;
}

/* Write text to the file given, or to one named after what failed; file is its
 * name then. Returns that, or NULL after one line on stderr. */
static const char *write_failure(const struct check_report *report,
                                 const char *given, const char *suffix,
                                 const struct buffer *text, struct buffer *file)
{
    if (given)
        buffer_append_text(file, given);
    else
        target_file_name(report->target, check_property(report), suffix, file);
    return file_write("check", buffer_text(file), buffer_slice(text))
               ? buffer_text(file)
               : NULL;
}

static enum kan_err write_scenario(const struct check_report *report,
                                   struct buffer *out)
{
    struct scenario head;

    target_head(report->target, &head);
    head.expect = "fails";
    head.property = check_property(report);
    head.first = report->result->run.first;
    return run_write(report->run, &head, out);
}

/* Put the failing run into words, and save it as a scenario and a picture. */
static void draw_failure(const struct check *check, struct check_report *report,
                         struct run **run, struct buffer *saved,
                         struct buffer *svg)
{
    struct buffer title = BUFFER_INIT;
    struct buffer text = BUFFER_INIT;

    buffer_print(&title, "%s: %s fails", check->target.name,
                 check_property(report));
    enum kan_err err = run_new(
        check->opened, &report->result->run, buffer_text(&title),
        report->result->why[0] ? report->result->why : buffer_text(&title),
        run);
    report->run = *run;
    if (err == KAN_OK)
        err = write_scenario(report, &text);
    if (err == KAN_OK) {
        report->saved =
            write_failure(report, check->save, ".path", &text, saved);
        buffer_clear(&text);
        err = run_draw_svg(*run, &text);
    }
    if (err == KAN_OK)
        report->svg = write_failure(report, check->svg, ".svg", &text, svg);
    else
        (void)command_refuse("check", "the run could not be drawn: %s",
                             kan_err_text(err));
    buffer_fini(&title);
    buffer_fini(&text);
}

static int print_report(struct check *check, struct check_report *report)
{
    struct buffer saved = BUFFER_INIT;
    struct buffer svg = BUFFER_INIT;
    struct buffer square = BUFFER_INIT;
    struct run *run = NULL;

    report->width = terminal_width();
    report->colour = isatty(STDOUT_FILENO) == 1;
    if (report->result->verdict == WALK_FAILS)
        draw_failure(check, report, &run, &saved, &svg);
    int code = check_picture_write(&check->picture, check->opened,
                                   &report->result->run, run,
                                   check->target.name, &square);
    if (strcmp(check->output, "json") == 0)
        check_print_json(report, &check->out);
    else
        check_print_text(report, &check->out);
    if (strcmp(check->output, "json") != 0)
        buffer_append(&check->out, buffer_slice(&square));
    fwrite(check->out.bytes, 1, check->out.size, stdout);
    run_free(run);
    buffer_fini(&saved);
    buffer_fini(&svg);
    buffer_fini(&square);
    return code;
}

/* --- walking and counting ------------------------------------------------- */

static int exit_code(enum walk_verdict verdict)
{
    return verdict == WALK_HOLDS   ? EXIT_DONE
           : verdict == WALK_FAILS ? EXIT_FOUND
                                   : EXIT_UNKNOWN;
}

static bool wants_counts(const struct check *check,
                         const struct walk_result *result)
{
    if (check->count)
        return true;
    return strcmp(check->output, "json") == 0 && result->complete &&
           result->verdict == WALK_HOLDS && result->states <= COUNTED_MAX;
}

static int walk_all(struct check *check)
{
    struct walk_result result;
    struct walk_counts counts;
    bool counted = false;
    enum kan_err err;

    check->walk.no_reduction = check->no_reduction;
    check->walk.breadth_first = check->breadth_first;
    check->walk.no_shortest = check->no_shortest;
    check->walk.clock = seconds_now;
    check->walk.data = check;
    if (isatty(STDERR_FILENO) == 1)
        check->walk.progress = show_progress;
    err = walk(&check->walk, &result);
    if (err) {
        end_progress(check);
        return command_refuse("check", "%s: %s", check->target.name,
                              kan_err_text(err));
    }
    if (wants_counts(check, &result))
        counted = walk_count(&check->walk, &counts) == KAN_OK;
    end_progress(check);
    struct check_report report = {
        .target = &check->target,
        .space = check->opened,
        .result = &result,
        .counts = counted ? &counts : NULL,
        .depth_max = check->walk.depth_max,
    };
    int code = print_report(check, &report);
    if (code == EXIT_DONE || result.verdict != WALK_HOLDS)
        code = exit_code(result.verdict);
    if (counted)
        walk_counts_fini(&counts);
    walk_result_fini(&result);
    return code;
}

/* --- the command ---------------------------------------------------------- */

static void end(struct check *check)
{
    space_free(check->opened);
    target_close(&check->target);
    scenario_fini(&check->scenario);
    buffer_fini(&check->scenario_text);
    buffer_fini(&check->out);
}

static bool is_contract(const char *name)
{
    size_t size = name ? strlen(name) : 0;

    return size > 4 && strcmp(name + size - 4, ".kan") == 0;
}

/* The first flag given that means nothing for a contract, or NULL. */
static const char *flag_unused(const struct check *check)
{
    const struct
    {
        const char *name;
        bool given;
    } flags[] = {
        {"set", check->settings.count > 0},
        {"threads", check->threads != NULL},
        {"clients", check->clients != NULL},
        {"requests", check->requests != NULL},
        {"replay", check->replay != NULL},
        {"save", check->save != NULL},
        {"svg", check->svg != NULL},
        {"picture", check->picture.file != NULL},
        {"actors", check->picture.actors != NULL},
        {"no-reduction", check->no_reduction},
        {"breadth-first", check->breadth_first},
        {"no-shortest", check->no_shortest},
        {"once", check->once},
        {"count", check->count},
        {"list", check->list},
    };

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (flags[i].given)
            return flags[i].name;
    }
    return NULL;
}

/* Faults that the models of the blocks do not have. */
static int refuse_faults(const struct check *check)
{
    struct target target = {0};
    int code = EXIT_DONE;

    if (check->faults)
        code = target_set_faults("check", &target, check->faults);
    if (code == EXIT_DONE && (target.faults.doubled || target.faults.liar))
        code = command_refuse(
            "check",
            "a contract is not checked with %s: an engine carries out what it "
            "is told once, and tells no lies; expected crash, lost, partition "
            "or clock, or none",
            target.faults.doubled ? "doubled" : "liar");
    return code;
}

static int run_contract(struct check *check, const char *name)
{
    const char *unused = flag_unused(check);
    uint64_t states = 0;
    int code = read_number("states", check->states, STATES_MAX, &states);
    const struct check_contract_options options = {
        .file = name,
        .faults = check->faults,
        .states = (uint32_t)states,
        .depth = check->walk.depth_max,
        .memory_max = check->walk.memory_max,
        .seconds_max = check->walk.seconds_max,
        .json = strcmp(check->output, "json") == 0,
        .width = terminal_width(),
        .colour = isatty(STDOUT_FILENO) == 1,
    };

    if (code != EXIT_DONE)
        return code;
    if (unused)
        return command_refuse("check",
                              "a contract is checked without --%s; what can "
                              "be given is --depth, --states, --time, "
                              "--memory, --faults, -o or --syntax",
                              unused);
    code = refuse_faults(check);
    return code == EXIT_DONE ? check_contract(&options) : code;
}

static int run_syntax(const struct check *check, const char *const *files,
                      int count)
{
    const char *unused = flag_unused(check);

    if (!unused)
        unused = check->faults                        ? "faults"
                 : check->depth                       ? "depth"
                 : check->states                      ? "states"
                 : check->memory                      ? "memory"
                 : check->time                        ? "time"
                 : strcmp(check->output, "text") != 0 ? "output"
                                                      : NULL;
    if (unused)
        return command_refuse(
            "check", "--syntax parses files alone, without --%s", unused);
    if (count == 0)
        return command_refuse("check", "--syntax of what? FILE.kan ...");
    return check_contract_syntax(files, count);
}

static int run_check(struct check *check, const char *name)
{
    int code = read_limits(check);

    if (code != EXIT_DONE)
        return code;
    if (is_contract(name))
        return run_contract(check, name);
    if (check->states)
        return command_refuse("check",
                              "--states is for contracts, FILE.kan; "
                              "--memory ends the walk of a model");
    if (check->list) {
        target_list(strcmp(check->output, "json") == 0);
        return EXIT_DONE;
    }
    code = open_target(check, name);
    if (code == EXIT_DONE)
        code = open_space(check);
    if (code != EXIT_DONE)
        return code;
    if (!check->replay)
        return walk_all(check);
    const struct check_replay replay = {
        .space = check->opened,
        .scenario = &check->scenario,
        .file = check->replay,
        .picture = &check->picture,
        .width = terminal_width(),
        .colour = isatty(STDOUT_FILENO) == 1,
    };
    return check_replay(&replay, &check->out);
}

static int run(int argc, const char *const *argv)
{
    static const char *names[FILES_MAX];
    struct check check = {.output = "text"};
    int count = 0;
    const struct command_flag flags[] = {
        {"set", 0, NULL, NULL, &check.settings},
        {"faults", 0, &check.faults, NULL, NULL},
        {"depth", 0, &check.depth, NULL, NULL},
        {"states", 0, &check.states, NULL, NULL},
        {"threads", 0, &check.threads, NULL, NULL},
        {"memory", 0, &check.memory, NULL, NULL},
        {"time", 0, &check.time, NULL, NULL},
        {"clients", 0, &check.clients, NULL, NULL},
        {"requests", 0, &check.requests, NULL, NULL},
        {"output", 'o', &check.output, NULL, NULL},
        {"replay", 0, &check.replay, NULL, NULL},
        {"save", 0, &check.save, NULL, NULL},
        {"svg", 0, &check.svg, NULL, NULL},
        {"picture", 0, &check.picture.file, NULL, NULL},
        {"actors", 0, &check.picture.actors, NULL, NULL},
        {"no-reduction", 0, NULL, &check.no_reduction, NULL},
        {"breadth-first", 0, NULL, &check.breadth_first, NULL},
        {"no-shortest", 0, NULL, &check.no_shortest, NULL},
        {"once", 0, NULL, &check.once, NULL},
        {"count", 0, NULL, &check.count, NULL},
        {"list", 0, NULL, &check.list, NULL},
        {"syntax", 0, NULL, &check.syntax, NULL},
    };
    int code = command_parse_all("check", argc, argv, flags,
                                 sizeof flags / sizeof flags[0], names,
                                 FILES_MAX, &count);

    if (code == EXIT_DONE && check.syntax)
        code = run_syntax(&check, names, count);
    else if (code == EXIT_DONE && count > 1)
        code = command_refuse("check", "unexpected '%s'", names[1]);
    else if (code == EXIT_DONE)
        code = run_check(&check, count > 0 ? names[0] : NULL);
    end(&check);
    return code;
}

const struct command command_check = {
    .name = "check",
    .usage =
        "MODEL|FILE.so|FILE.kan [flags] | --replay FILE.path | --list | "
        "--syntax FILE.kan...",
    .summary = "walk every path of a model or a contract, and show what fails",
    .details =
        "Walks every order of deliveries and timers of the model, and every "
        "fault within the budget, and says which property fails, with a "
        "shortest run as a sequence diagram, an SVG and a scenario file that "
        "replays it; or that all hold within the budget. MODEL is one that "
        "ships (--list names them and their parameters); FILE.so holds actors, "
        "and may hold a model of its own (kan/model.h).\n\n"
        "--set NAME=NUMBER sets a parameter; --faults crash=1,lost=2,doubled=1,"
        "partition=1,clock=1,liar=1 or none the budget; --clients and "
        "--requests how many clients send how many messages where the file has "
        "no model. --depth N, --time 1m and --memory 2Gi end the walk early, "
        "the last two with the verdict unknown. --threads N walks breadth "
        "first with N threads. --count counts interleavings and paths. "
        "--no-reduction walks without sleep sets, --breadth-first finds a "
        "shortest run at once, --no-shortest takes the first one found, and "
        "--once calls each handler once instead of twice to show that it is "
        "deterministic. --save and --svg name the files of a failure. -o json "
        "prints one object for programs.\n\n"
        "--picture FILE.html writes a page, for any browser, that shows every "
        "order of the steps of two actors as a square: of the run that fails, "
        "of the one replayed, or of one in which all take turns. Orders that "
        "end in one state are filled in; the run is a staircase that can be "
        "dragged. --actors A,B says which two; without it, those that meet "
        "most often.\n\n"
        "FILE.kan is a contract: every state of its types that boundary values "
        "reach is walked, within a budget, and what is told is which laws hold "
        "(one that fails is shown by both its runs, one that no state can run "
        "is an error), which pairs of steps commute, which steps are stable, "
        "which no state takes, and whether others can cause a saga's undo, or "
        "a step behind its pivot, to be refused. Then the entity block and the "
        "saga block are walked with states and steps of the contract, several "
        "clients, crashes and lost answers: no acknowledged step is lost or "
        "taken twice, all of a saga or nothing. --depth, --time, --memory, "
        "--faults (crash, lost, partition and clock, or none: beside the "
        "answer that is always lost) and -o json mean what they say; other "
        "flags are refused. --states N walks more than 20,000 states of each "
        "type and each saga. A law that no state walked can run is unknown "
        "when more states may. Each type is also run on the real block, in a "
        "simulated world where power fails. --syntax parses and checks texts "
        "alone, and is quiet when they are fine.\n\n"
        "Sleep sets keep every state, so they are used for properties of "
        "states and of what clients saw. They leave out edges: a property that "
        "says what can always be recovered is walked without them, and so is "
        "convergence; with threads they are off.\n\n"
        "Exit status: 0 all properties hold within the budget, 1 one fails, 2 "
        "told wrong, 3 unknown: memory or time ran out.",
    .run = run,
};
