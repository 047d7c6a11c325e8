/* `kan history`: is what was recorded linearizable? */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/files.h"
#include "path/history/draw.h"
#include "path/history/form.h"
#include "path/history/parse.h"

enum
{
    WIDTH_DEFAULT = 160
};

/* What was asked for, and what came of it so far. */
struct asked
{
    struct judge_options options;
    const char *initial;
    const char *svg;
    bool json;
    bool several;
    uint32_t counts[3]; /* by verdict */
    uint32_t unread;
    struct timespec shown; /* progress: when last */
    bool progress_shown;
};

/* One file on its way. */
struct judged
{
    const char *path;
    struct buffer text;
    struct history history;
    struct judgement judgement;
    double seconds; /* for the judgement alone */
};

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) +
           (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* --- progress ------------------------------------------------------------- */

static bool show_progress(void *data, uint64_t steps, uint64_t bytes)
{
    struct asked *asked = data;
    if (seconds_since(&asked->shown) < 0.25)
        return true;
    clock_gettime(CLOCK_MONOTONIC, &asked->shown);
    asked->progress_shown = true;
    fprintf(stderr, "\r\033[Kordering: %llu million steps, %llu MiB",
            (unsigned long long)(steps / 1000000),
            (unsigned long long)(bytes >> 20));
    return true;
}

static void end_progress(struct asked *asked)
{
    if (asked->progress_shown)
        fprintf(stderr, "\r\033[K");
    asked->progress_shown = false;
}

/* --- words ---------------------------------------------------------------- */

static const char *verdict_text(enum verdict verdict)
{
    static const char *const texts[] = {"linearizable", "not linearizable",
                                        "unknown"};
    return texts[verdict];
}

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static void say_verdict(const struct judged *judged, struct buffer *out)
{
    const struct judgement *judgement = &judged->judgement;
    buffer_print(out, "%s: %s", judged->path, verdict_text(judgement->verdict));
    if (judgement->verdict == VERDICT_UNKNOWN)
        buffer_print(out, ", since %s", judge_reason_text(judgement->reason));
    if (judgement->verdict == VERDICT_NOT && judgement->key != VALUE_NONE) {
        buffer_append_text(out, ", at key ");
        value_print(&judged->history.values, judgement->key, out);
    }
    buffer_print(out, " (%s, %u operation%s, %.1f ms)\n", judgement->spec->name,
                 judged->history.count, plural(judged->history.count),
                 judged->seconds * 1e3);
}

/* What can be done about a verdict that was not reached. */
static const char *advice(enum judge_reason reason)
{
    if (reason == JUDGE_MEMORY)
        return "  give it more with --memory, as --memory 8Gi\n";
    return "  record fewer operations at once, or give each a timeout\n";
}

static uint32_t terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return WIDTH_DEFAULT;
}

static enum kan_err say_minimal(const struct judged *judged, struct buffer *out)
{
    const struct minimal *minimal = &judged->judgement.minimal;
    if (!minimal->count)
        return KAN_OK;
    buffer_append_byte(out, '\n');
    enum kan_err err = history_draw_text(&judged->history, &judged->judgement,
                                         terminal_width(), out);
    buffer_print(out,
                 "\n%s marked * cannot be ordered, whether or not the others "
                 "took\neffect%s",
                 minimal->count == 1 ? "The operation" : "The operations",
                 !minimal->exact ? ". The search for fewer ran into its "
                                   "limits.\n"
                 : minimal->count == 1
                     ? ".\n"
                     : "; without any one of them, the rest can be.\n");
    if (minimal->write_count)
        buffer_append_text(out,
                           "The others are the last that can have written "
                           "what they saw.\n");
    return err;
}

static enum kan_err say_text(const struct asked *asked,
                             const struct judged *judged, struct buffer *out)
{
    say_verdict(judged, out);
    if (asked->several)
        return KAN_OK;
    if (judged->judgement.verdict == VERDICT_UNKNOWN)
        buffer_append_text(out, advice(judged->judgement.reason));
    return say_minimal(judged, out);
}

/* --- JSON ----------------------------------------------------------------- */

static void json_text(struct buffer *out, const char *name,
                      struct kan_slice text)
{
    json_append_name(out, name);
    json_append_string(out, text);
}

static void json_number(struct buffer *out, const char *name, uint64_t number)
{
    json_append_name(out, name);
    buffer_append_u64(out, number);
}

static void json_operation(const struct history *history, uint32_t index,
                           bool needed, struct buffer *out)
{
    const struct operation *one = &history->operations[index];
    struct buffer text = BUFFER_INIT;
    history_print(history, index, &text);
    if (out->bytes[out->size - 1] == '}')
        buffer_append_byte(out, ',');
    buffer_append_byte(out, '{');
    json_number(out, "line", one->line);
    json_number(out, "process", one->process);
    json_text(out, "operation", buffer_slice(&text));
    json_text(out, "role", needed ? SLICE("needed") : SLICE("wrote"));
    buffer_append_byte(out, '}');
    buffer_fini(&text);
}

static void json_minimal(const struct judged *judged, struct buffer *out)
{
    const struct minimal *minimal = &judged->judgement.minimal;
    json_append_name(out, "minimal");
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < minimal->count && !buffer_failed(out); i++)
        json_operation(&judged->history, minimal->operations[i], true, out);
    for (uint32_t i = 0; i < minimal->write_count && !buffer_failed(out); i++)
        json_operation(&judged->history, minimal->writes[i], false, out);
    buffer_append_byte(out, ']');
    json_append_name(out, "smallest");
    buffer_append_text(out, minimal->exact ? "true" : "false");
}

static void say_json(const struct judged *judged, struct buffer *out)
{
    const struct judgement *judgement = &judged->judgement;
    buffer_append_byte(out, '{');
    json_text(out, "file", kan_text(judged->path));
    json_text(out, "verdict", kan_text(verdict_text(judgement->verdict)));
    json_text(out, "model", kan_text(judgement->spec->name));
    json_number(out, "operations", judged->history.count);
    json_number(out, "parts", judgement->part_count);
    json_number(out, "fast", judgement->fast_count);
    json_number(out, "steps", judgement->steps);
    json_number(out, "memo", judgement->memo);
    json_append_name(out, "seconds");
    buffer_print(out, "%.9f", judged->seconds);
    if (judgement->verdict == VERDICT_UNKNOWN)
        json_text(out, "reason",
                  kan_text(judge_reason_text(judgement->reason)));
    if (judgement->verdict == VERDICT_NOT && judgement->key != VALUE_NONE) {
        struct buffer key = BUFFER_INIT;
        value_print(&judged->history.values, judgement->key, &key);
        json_text(out, "key", buffer_slice(&key));
        buffer_fini(&key);
    }
    if (judgement->minimal.count)
        json_minimal(judged, out);
    buffer_append_text(out, "}\n");
}

/* --- one file ------------------------------------------------------------- */

static int broke(const char *path, enum kan_err err)
{
    (void)command_refuse("history", "%s: %s", path, kan_err_text(err));
    return EXIT_USAGE;
}

/* --initial, as a value of this history. */
static enum kan_err set_initial(struct asked *asked, struct history *history)
{
    struct form_reader reader;
    if (!asked->initial)
        return KAN_OK;
    form_init(&reader, kan_text(asked->initial));
    enum kan_err err =
        form_value(&reader, &history->values, &asked->options.initial);
    if (err == KAN_OK && form_peek(&reader) >= 0)
        err = KAN_INVALID;
    form_fini(&reader);
    return err;
}

static int read_file(struct judged *judged)
{
    struct buffer message = BUFFER_INIT;
    int code = file_read("history", judged->path, &judged->text);
    if (code != EXIT_DONE)
        return code;
    enum kan_err err =
        history_parse(buffer_slice(&judged->text), &message, &judged->history);
    buffer_fini(&judged->text);
    if (err == KAN_INVALID && message.size)
        code = command_refuse("history", "%s: %s", judged->path,
                              buffer_text(&message));
    else if (err != KAN_OK)
        code = broke(judged->path, err);
    buffer_fini(&message);
    return code;
}

/* Why no judgement was possible. */
static int refuse_judging(const struct asked *asked,
                          const struct judged *judged, enum kan_err err,
                          uint32_t bad)
{
    if (err != KAN_INVALID)
        return broke(judged->path, err);
    if (bad == PLAN_NONE)
        return command_refuse("history",
                              "%s: no model knows all of its operations; "
                              "record each object in a file of its own",
                              judged->path);
    struct buffer text = BUFFER_INIT;
    history_print(&judged->history, bad, &text);
    int code = command_refuse(
        "history", "%s: line %u: the model%s%s cannot use '%s'", judged->path,
        judged->history.operations[bad].line, asked->options.spec ? " " : "",
        asked->options.spec ? asked->options.spec->name : "",
        buffer_text(&text));
    buffer_fini(&text);
    return code;
}

static int judge(struct asked *asked, struct judged *judged)
{
    struct timespec start;
    uint32_t bad = PLAN_NONE;
    if (set_initial(asked, &judged->history) != KAN_OK)
        return command_refuse("history",
                              "--initial is '%s'; expected a value, as 0 or "
                              "\"text\"",
                              asked->initial);
    clock_gettime(CLOCK_MONOTONIC, &start);
    asked->shown = start;
    enum kan_err err = history_judge(&judged->history, &asked->options, &bad,
                                     &judged->judgement);
    judged->seconds = seconds_since(&start);
    end_progress(asked);
    if (err != KAN_OK)
        return refuse_judging(asked, judged, err, bad);
    asked->counts[judged->judgement.verdict]++;
    return EXIT_DONE;
}

static int tell(struct asked *asked, struct judged *judged)
{
    struct buffer out = BUFFER_INIT;
    enum kan_err err = KAN_OK;
    if (asked->json)
        say_json(judged, &out);
    else
        err = say_text(asked, judged, &out);
    if (err == KAN_OK && buffer_failed(&out))
        err = KAN_NOMEM;
    fwrite(out.bytes, 1, out.size, stdout);
    buffer_clear(&out);
    int code = err == KAN_OK ? EXIT_DONE : broke(judged->path, err);
    if (code == EXIT_DONE && asked->svg) {
        buffer_print(&out, "%s: %s", judged->path,
                     verdict_text(judged->judgement.verdict));
        struct buffer svg = BUFFER_INIT;
        err = history_draw_svg(&judged->history, &judged->judgement,
                               buffer_slice(&out), &svg);
        if (err != KAN_OK)
            code = broke(judged->path, err);
        else if (!file_write("history", asked->svg, buffer_slice(&svg)))
            code = EXIT_USAGE;
        buffer_fini(&svg);
    }
    buffer_fini(&out);
    return code;
}

static void one_file(struct asked *asked, const char *path)
{
    struct judged judged = {.path = path};
    int code = read_file(&judged);
    if (code == EXIT_DONE)
        code = judge(asked, &judged);
    if (code == EXIT_DONE)
        code = tell(asked, &judged);
    asked->unread += code != EXIT_DONE;
    judgement_fini(&judged.judgement);
    history_fini(&judged.history);
    buffer_fini(&judged.text);
}

/* --- folders -------------------------------------------------------------- */

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The paths of the files in folder, ascending; each is to be freed, and the
 * array. */
static bool list_files(const char *folder, char ***ret_paths, size_t *ret_count)
{
    DIR *dir = opendir(folder);
    char **paths = NULL;
    size_t count = 0;
    size_t room = 0;
    bool whole = dir != NULL;
    const struct dirent *entry;
    while (whole && (entry = readdir(dir)) != NULL) {
        struct buffer path = BUFFER_INIT;
        buffer_print(&path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || is_folder(buffer_text(&path))) {
            buffer_fini(&path);
            continue;
        }
        if (count == room) {
            room = room * 2 + 64;
            char **more = mem_realloc(paths, room * sizeof *paths);
            whole = more != NULL;
            paths = more ? more : paths;
        }
        if (whole)
            paths[count++] = mem_copy(path.bytes, path.size);
        whole = whole && paths[count - 1];
        buffer_fini(&path);
    }
    if (dir)
        (void)closedir(dir);
    if (count)
        qsort(paths, count, sizeof *paths, compare_names);
    *ret_paths = paths;
    *ret_count = count;
    return whole;
}

static void one_folder(struct asked *asked, const char *folder)
{
    char **paths;
    size_t count;
    if (!list_files(folder, &paths, &count)) {
        (void)command_refuse("history", "%s: the folder cannot be listed",
                             folder);
        asked->unread++;
    } else {
        for (size_t i = 0; i < count; i++)
            one_file(asked, paths[i]);
    }
    for (size_t i = 0; i < count; i++)
        mem_free(paths[i]);
    mem_free(paths);
}

/* --- the command ---------------------------------------------------------- */

static int set_model(struct asked *asked, const char *model)
{
    if (!model)
        return EXIT_DONE;
    asked->options.spec = spec_find(kan_text(model));
    if (asked->options.spec)
        return EXIT_DONE;
    struct buffer names = BUFFER_INIT;
    for (size_t i = 0; spec_list[i]; i++)
        buffer_print(&names, "%s%s", i ? ", " : "", spec_list[i]->name);
    int code = command_refuse("history", "--model is '%s'; expected one of %s",
                              model, buffer_text(&names));
    buffer_fini(&names);
    return code;
}

static int read_flags(struct asked *asked, int argc, const char *const *argv,
                      const char **paths, int *path_count)
{
    const char *model = NULL;
    const char *memory = NULL;
    const char *output = "text";
    const struct command_flag flags[] = {
        {.name = "model", .value = &model},
        {.name = "initial", .value = &asked->initial},
        {.name = "memory", .value = &memory},
        {.name = "svg", .value = &asked->svg},
        {.name = "output", .letter = 'o', .value = &output},
        {.name = "no-fast", .given = &asked->options.searched},
        {.name = "no-partition", .given = &asked->options.whole},
        {.name = "no-minimal", .given = &asked->options.no_minimal},
    };
    int code = command_parse_all("history", argc, argv, flags,
                                 sizeof flags / sizeof flags[0], paths, argc,
                                 path_count);
    if (code == EXIT_DONE)
        code = set_model(asked, model);
    if (code != EXIT_DONE)
        return code;
    asked->json = strcmp(output, "json") == 0;
    if (!asked->json && strcmp(output, "text") != 0)
        return command_refuse(
            "history", "--output is '%s'; expected text or json", output);
    if (memory && number_quantity(kan_text(memory),
                                  &asked->options.search.memory_max) != KAN_OK)
        return command_refuse(
            "history", "--memory is '%s'; expected bytes, as 2Gi", memory);
    return EXIT_DONE;
}

static int run_paths(struct asked *asked, const char *const *paths, int count)
{
    if (!count)
        return command_refuse("history",
                              "name a file: kan history FILE; 'kan history "
                              "--help' tells which it reads");
    asked->several = count > 1 || is_folder(paths[0]);
    if (asked->svg && asked->several)
        return command_refuse("history", "--svg draws one file; name just one");
    asked->options.points = asked->svg != NULL;
    if (isatty(STDERR_FILENO)) {
        asked->options.search.data = asked;
        asked->options.search.progress = show_progress;
    }
    for (int i = 0; i < count; i++) {
        if (is_folder(paths[i]))
            one_folder(asked, paths[i]);
        else
            one_file(asked, paths[i]);
    }
    uint32_t total = asked->counts[0] + asked->counts[1] + asked->counts[2];
    if (asked->several && !asked->json)
        printf("%u histor%s: %u linearizable, %u not, %u unknown\n", total,
               total == 1 ? "y" : "ies", asked->counts[VERDICT_LINEARIZABLE],
               asked->counts[VERDICT_NOT], asked->counts[VERDICT_UNKNOWN]);
    if (asked->unread)
        return EXIT_USAGE;
    if (asked->counts[VERDICT_NOT])
        return EXIT_FOUND;
    return asked->counts[VERDICT_UNKNOWN] ? EXIT_UNKNOWN : EXIT_DONE;
}

static int run(int argc, const char *const *argv)
{
    struct asked asked = {.options = {.initial = VALUE_NONE}};
    int count = 0;
    const char **paths = mem_alloc(((size_t)argc + 1) * sizeof *paths);
    if (!paths)
        return command_refuse("history", "out of memory");
    int code = read_flags(&asked, argc, argv, paths, &count);
    if (code == EXIT_DONE)
        code = run_paths(&asked, paths, count);
    mem_free(paths);
    return code;
}

const struct command command_history = {
    .name = "history",
    .usage =
        "FILE... [--model NAME] [--svg FILE] [-o text|json] [--memory BYTES]",
    .summary = "say whether a recorded history is linearizable",
    .details =
        "Reads what was called and answered, and when, and says whether all of "
        "it can be put in one order that keeps to those times and that one "
        "object, doing one thing at a time, would answer alike. If not, shows "
        "the few operations that cannot be ordered, whatever the others did.\n"
        "\n"
        "A FILE is Jepsen's log, its EDN maps, a log of Porcupine, or JSON "
        "lines with process, type (invoke, ok, fail, info), f, key and value; "
        "a folder stands for the files in it. An operation without an answer "
        "may have taken effect at any later moment, or never. A cas that "
        "failed without an error found another value.\n"
        "\n"
        "--model: register (read, write), cas-register, kv (get, put, append, "
        "delete, cas), counter, set, mutex, lock (released by its holder "
        "alone), queue; else the first that knows all operations. --initial "
        "VALUE: what a register holds at first (nil). --memory BYTES: about "
        "how "
        "much the search may use (1Gi). --svg FILE: draw it. --no-minimal: the "
        "verdict alone. --no-fast and --no-partition switch off what makes it "
        "fast; the verdict is the same.\n"
        "\n"
        "Exit status: 0 linearizable, 1 not, 3 no verdict within the limits, 2 "
        "told wrong, or a file could not be read.",
    .run = run,
};
