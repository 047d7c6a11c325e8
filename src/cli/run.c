/* `kan run`: the daemon, with or without an app beside it. */

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/command.h"
#include "engine/sqlite/sqlite.h"
#include "env/uv/uv.h"
#include "node/node.h"

/* What is written here is whole lines, in one call each, so that lines of Kan
 * and of the app do not mix. A closed pipe loses them: there is nobody left to
 * tell. */
static void write_line(int descriptor, struct kan_slice line)
{
    (void)!write(descriptor, line.bytes, line.size);
}

static void sink(void *data, struct kan_slice line)
{
    (void)data;
    write_line(STDERR_FILENO, line);
}

static uint64_t log_now(void *data)
{
    return env_wall_ms(data);
}

/* The ready line goes to stdout, or to stderr when stdout is the app's. */
static void say(void *data, struct kan_slice line)
{
    const struct settings *settings = data;
    write_line(settings->command ? STDERR_FILENO : STDOUT_FILENO, line);
}

static const char *lookup(const char *name)
{
    return getenv(name);
}

/* End as the app ended, so that whoever started us sees the same. */
static int end_as(struct node_end end)
{
    if (end.signal) {
        (void)signal(end.signal, SIG_DFL);
        (void)raise(end.signal);
    }
    return end.exit_code;
}

/* Each connection is an open file, and the usual limit is 1,024. The stores,
 * the loop and the listeners have a few as well. */
static void raise_files(const struct settings *settings, struct log *log)
{
    const rlim_t others = 256;
    rlim_t wanted = settings->connections_max + others;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        log_line(log, LOG_WARN,
                 "the limit of open files is below max-connections",
                 LOG_NUMBER("limit", limit.rlim_cur));
}

static int serve(struct settings *settings)
{
    struct env *env;
    struct node_end end = {0};
    struct buffer why = BUFFER_INIT;
    engine_sqlite_configure();
    /* Lanes would each get an arena of their own, and keep what it once held:
     * 3 MB more resident, for nothing that can be measured. */
    (void)mallopt(M_ARENA_MAX, 1);
    enum kan_err err = env_uv_new(&env);
    if (err != KAN_OK) {
        (void)command_refuse("run", "the event loop could not be started: %s",
                             kan_err_text(err));
        return NODE_EXIT_FAILED;
    }
    struct log log = {.level = settings->log_level,
                      .json = settings->log_json,
                      .data = env,
                      .sink = sink,
                      .clock = log_now};
    raise_files(settings, &log);
    struct node_options options = {.env = env,
                                   .settings = settings,
                                   .log = &log,
                                   .lookup = lookup,
                                   .terminal = isatty(STDIN_FILENO) == 1,
                                   .data = settings,
                                   .say = say};
    err = node_run(&options, &why, &end);
    if (err != KAN_OK) {
        /* Lines about a contract are as an editor reads them. */
        if (slice_find(buffer_slice(&why), SLICE("\n")) != SIZE_MAX)
            write_line(STDERR_FILENO, buffer_slice(&why));
        else
            (void)command_refuse("run", "%s", buffer_text(&why));
        bool told_wrong =
            kan_err_class(err) != KAN_CLASS_BROKEN && err != KAN_NOMEM;
        end = (struct node_end){told_wrong ? NODE_EXIT_USAGE : NODE_EXIT_FAILED,
                                0};
    }
    buffer_fini(&why);
    log_fini(&log);
    env_free(env);
    return end_as(end);
}

static int run(int argc, const char *const *argv)
{
    struct settings settings;
    struct buffer why = BUFFER_INIT;
    enum kan_err err = settings_parse(&settings, argc, argv, lookup, &why);
    if (err != KAN_OK) {
        int code = command_refuse("run", "%s", buffer_text(&why));
        buffer_fini(&why);
        return code;
    }
    buffer_fini(&why);
    if (settings.version)
        return command_version.run(0, NULL);
    if (settings.help) {
        struct buffer out = BUFFER_INIT;
        settings_help(&out, false);
        printf("%s", buffer_text(&out));
        buffer_fini(&out);
        return EXIT_DONE;
    }
    return serve(&settings);
}

const struct command command_run = {
    .name = "run",
    .usage = "[flags] [FILE.kan...] [MODULE.so...] [-- COMMAND ARGS...]",
    .summary = "serve contracts, durable state, locks and actors",
    .details =
        "Serves Dapr's HTTP API on port 3500 from an embedded store under "
        "./.kan. The types of contract files answer under /v1.0/actors and "
        "/kan/v1/entities; a file that changes is taken up within two seconds, "
        "or at once on SIGHUP, when it is sound. Modules are shared objects "
        "with actors (kan/actor.h), which "
        "answer under /v1.0/actors. With a command, starts it as the app, "
        "passes signals to it, and ends as it ends. Prints one line when it is "
        "ready. Ctrl-C drains and stops; a second one does not wait.",
    .run = run,
    .flags = settings_help,
};
