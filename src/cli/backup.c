/* `kan backup`: a checked copy of the store, also while Kan runs. */

#include <stdio.h>

#include "cli/command.h"
#include "cli/files.h"
#include "engine/sqlite/sqlite.h"
#include "env/uv/uv.h"

enum
{
    WHY_SIZE = 512
};

static int copy(struct env *env, const char *path, const char *dest)
{
    char why[WHY_SIZE] = "";
    enum kan_err err = sqlite_backup(env, path, dest, why, sizeof why);
    if (err == KAN_OK) {
        printf("%s: a copy of %s, checked\n", dest, path);
        return EXIT_DONE;
    }
    (void)command_refuse("backup", "%s", *why ? why : kan_err_text(err));
    return kan_err_class(err) == KAN_CLASS_BROKEN ? EXIT_FOUND : EXIT_USAGE;
}

static int run(int argc, const char *const *argv)
{
    const char *data_dir = ".kan";
    const char *store = NULL;
    const char *dest = NULL;
    const struct command_flag flags[] = {
        {"data-dir", 0, &data_dir, NULL, NULL},
        {"store-file", 0, &store, NULL, NULL},
    };
    int code = command_parse("backup", argc, argv, flags, 2, &dest);
    if (code != EXIT_DONE)
        return code;
    if (!dest)
        return command_refuse("backup",
                              "name the file to write: kan backup "
                              "FILE");
    struct env *env;
    if (env_uv_new(&env) != KAN_OK)
        return command_refuse("backup", "out of memory");
    struct buffer path = BUFFER_INIT;
    code = copy(env, store_path(&path, data_dir, store), dest);
    buffer_fini(&path);
    env_free(env);
    return code;
}

const struct command command_backup = {
    .name = "backup",
    .usage = "FILE [--data-dir DIR | --store-file FILE]",
    .summary = "copy the store to FILE, also while Kan runs",
    .details =
        "Writes a consistent copy of the store to FILE, which must not exist, "
        "and checks it. Kan may run and serve meanwhile. To restore, stop Kan "
        "and put the copy in the place of kan.db; etags and the order of keys "
        "stay, and watchers start anew, since the copy is another incarnation.",
    .run = run,
};
