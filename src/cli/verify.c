/* `kan verify`: is the store whole? */

#include <stdio.h>

#include "cli/command.h"
#include "cli/files.h"
#include "engine/sqlite/sqlite.h"
#include "env/uv/uv.h"

static void on_problem(void *data, const char *line)
{
    printf("%s: %s\n", (const char *)data, line);
}

static const char *verdict(enum kan_err err)
{
    switch (err) {
    case KAN_CORRUPT:
        return "the store is damaged; restore a backup";
    case KAN_NOTFOUND:
        return "there is no store";
    case KAN_INVALID:
        return "it is no store that this version reads";
    default:
        return kan_err_text(err);
    }
}

static int check(struct env *env, const char *path)
{
    struct sqlite_verified found = {0};
    union
    {
        const char *text;
        void *data;
    } name = {.text = path};
    enum kan_err err = sqlite_verify(env, path, name.data, on_problem, &found);
    if (err == KAN_OK) {
        if (found.head == found.compacted)
            printf("%s: whole; %llu keys, no revision in the feed\n", path,
                   (unsigned long long)found.keys);
        else
            printf("%s: whole; %llu keys, revisions %llu to %llu all there\n",
                   path, (unsigned long long)found.keys,
                   (unsigned long long)found.compacted + 1,
                   (unsigned long long)found.head);
        return EXIT_DONE;
    }
    (void)command_refuse("verify", "%s: %s", path, verdict(err));
    return err == KAN_NOTFOUND || err == KAN_INVALID ? EXIT_USAGE : EXIT_FOUND;
}

static int run(int argc, const char *const *argv)
{
    const char *data_dir = ".kan";
    const char *file = NULL;
    const struct command_flag flags[] = {
        {"data-dir", 0, &data_dir, NULL, NULL}};
    int code = command_parse("verify", argc, argv, flags, 1, &file);
    if (code != EXIT_DONE)
        return code;
    struct env *env;
    if (env_uv_new(&env) != KAN_OK)
        return command_refuse("verify", "out of memory");
    struct buffer path = BUFFER_INIT;
    code = check(env, store_path(&path, data_dir, file));
    buffer_fini(&path);
    env_free(env);
    return code;
}

const struct command command_verify = {
    .name = "verify",
    .usage = "[FILE | --data-dir DIR]",
    .summary = "check the store: every page, and that every revision is there",
    .details =
        "Checks the pages of the store, that no revision kept is missing or "
        "there twice, and that every key is what its last revision made it. "
        "Kan may run meanwhile. Exit status 1 means damage, and each line says "
        "where.",
    .run = run,
};
