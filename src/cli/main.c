/* `kan`: find the subcommand and hand over. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/command.h"

static const struct command *const commands[] = {
    &command_run,     &command_check,   &command_sim,    &command_history,
    &command_events,  &command_upgrade, &command_compat, &command_fmt,
    &command_gen,     &command_engines, &command_backup, &command_verify,
    &command_version,
};

enum
{
    COMMAND_COUNT = sizeof commands / sizeof commands[0]
};

static void print(struct buffer *out)
{
    fwrite(out->bytes, 1, out->size, stdout);
    buffer_fini(out);
}

static int help(void)
{
    struct buffer out = BUFFER_INIT;
    buffer_append_text(
        &out,
        "Kan: state, locks and actors for your service, in one small "
        "program,\nand a checker that walks every path.\n\n"
        "usage: kan COMMAND [flags]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        buffer_print(&out, "  %-9s %s\n", commands[i]->name,
                     commands[i]->summary);
    buffer_append_text(&out,
                       "\n'kan COMMAND --help' tells more; so does the "
                       "manual, kan(1).\n");
    print(&out);
    return EXIT_DONE;
}

static int help_command(const struct command *command)
{
    struct buffer out = BUFFER_INIT;
    buffer_print(&out, "usage: kan %s %s\n\n%s\n", command->name,
                 command->usage, command->details);
    if (command->flags)
        command->flags(&out, false);
    print(&out);
    return EXIT_DONE;
}

/* The manual page, made from the same words; see docs/man in the build. */
static int manual(void)
{
    struct buffer out = BUFFER_INIT;
    buffer_print(&out, ".TH KAN 1 \"\" \"Kan %s\" \"Kan\"\n", kan_version());
    buffer_append_text(&out,
                       ".SH NAME\nkan \\- a distributed application "
                       "runtime\n.SH SYNOPSIS\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        buffer_print(&out, ".B kan %s\n%s\n.br\n", commands[i]->name,
                     commands[i]->usage);
    buffer_append_text(
        &out,
        ".SH DESCRIPTION\nKan gives a service durable state, locks and actors "
        "over "
        "Dapr's public HTTP API, from an embedded store, with nothing else to "
        "start; and it walks and simulates the same actors under crashes, lost "
        "messages and slow clocks.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        buffer_print(&out, ".SH KAN %s\n%s\n", commands[i]->name,
                     commands[i]->details);
        if (commands[i]->flags)
            commands[i]->flags(&out, true);
    }
    buffer_append_text(
        &out,
        ".SH ENVIRONMENT\n.TP\n.B DAPR_API_TOKEN\nWhen set, every call but "
        "health must carry it in the header dapr\\-api\\-token.\n.TP\n.B "
        "NAMESPACE\nThe namespace of components and of the key prefix "
        "\"namespace\".\n.SH EXIT STATUS\n0 when all went well, 1 when "
        "something broke or a check found damage, 2 when it was told wrong "
        "or what it needs is taken. With an app, kan run ends as the app "
        "did.\n.SH SEE ALSO\n.BR libkan (3)\n");
    print(&out);
    return EXIT_DONE;
}

static int unknown(const char *name)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i]->name;
    const char *nearest = suggest_nearest(kan_text(name), names, COMMAND_COUNT);
    fprintf(stderr, "kan: there is no command '%s'; %s%s%s\n", name,
            nearest ? "did you mean '" : "'kan help' lists them",
            nearest ? nearest : "", nearest ? "'?" : "");
    return EXIT_USAGE;
}

/* A standard stream that whoever started us has closed becomes /dev/null, or
 * the next file opened would have its number, and be printed to. */
static void open_streams(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDWR);
    }
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i];
    }
    return NULL;
}

static bool asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* `kan help`, `kan help COMMAND` and, for the build, `kan help --roff`. */
static int help_on(const char *name)
{
    if (!name)
        return help();
    if (strcmp(name, "--roff") == 0)
        return manual();
    const struct command *command = find(name);
    return command ? help_command(command) : unknown(name);
}

int main(int argc, char **argv)
{
    open_streams();
    const char *const *words = (const char *const *)argv;
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "help") == 0 || asks_help(name))
        return help_on(argc > 2 ? argv[2] : NULL);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-v") == 0)
        name = "version";
    const struct command *command = find(name);
    if (!command)
        return unknown(name);
    if (argc > 2 && asks_help(argv[2]))
        return help_command(command);
    return command->run(argc - 2, words + 2);
}
