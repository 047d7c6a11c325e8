/* `kan version`: what this is, for people and for programs. */

#include <sqlite3.h>
#include <stdio.h>
#include <uv.h>

#include "base/json.h"
#include "cli/command.h"

static int run(int argc, const char *const *argv)
{
    const char *output = "text";
    const struct command_flag flags[] = {{"output", 'o', &output, NULL, NULL}};
    int code = command_parse("version", argc, argv, flags, 1, NULL);
    if (code != EXIT_DONE)
        return code;
    if (strcmp(output, "json") == 0)
        printf(
            "{\"version\":\"%s\",\"api\":\"v1.0\",\"compiler\":\"%s\","
            "\"sqlite\":\"%s\",\"libuv\":\"%s\"}\n",
            kan_version(), __VERSION__, sqlite3_libversion(),
            uv_version_string());
    else if (strcmp(output, "text") == 0)
        printf("kan %s\nsqlite %s, libuv %s\n", kan_version(),
               sqlite3_libversion(), uv_version_string());
    else
        return command_refuse(
            "version", "--output is '%s'; expected text or json", output);
    return EXIT_DONE;
}

const struct command command_version = {
    .name = "version",
    .usage = "[-o text|json]",
    .summary = "print the version and those of the libraries in use",
    .details = "Prints the version of Kan and of the libraries it runs on.",
    .run = run,
};
