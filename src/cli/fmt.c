/* `kan fmt`: contracts laid out as all contracts are. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/files.h"
#include "contract/tree/tree.h"

enum
{
    FILES_MAX = 1024
};

static const char stdin_name[] = "standard input";

static int read_stdin(struct buffer *out)
{
    size_t size = 1;

    while (size > 0 && out->size <= SOURCE_BYTES_MAX) {
        if (buffer_reserve(out, 65536) != KAN_OK)
            return command_refuse("fmt", "out of memory");
        size = fread(out->bytes + out->size, 1, 65536, stdin);
        out->size += size;
    }
    return EXIT_DONE;
}

/* Through a file beside it, so that no fault leaves half a contract. A link is
 * followed, and the file keeps its mode. */
static bool replace(const char *path, struct kan_slice bytes)
{
    struct buffer beside = BUFFER_INIT;
    struct stat before;
    char *real = realpath(path, NULL);
    bool done = false;
    int fd = -1;

    if (real && stat(real, &before) == 0) {
        buffer_print(&beside, "%s.XXXXXX", real);
        (void)buffer_text(&beside); /* puts a NUL behind it */
        fd = buffer_failed(&beside) ? -1 : mkstemp(beside.bytes);
    }
    if (fd >= 0) {
        FILE *file = fdopen(fd, "wb");

        done = file && fchmod(fd, before.st_mode & 07777) == 0 &&
               fwrite(bytes.bytes, 1, bytes.size, file) == bytes.size &&
               fflush(file) == 0 && fsync(fd) == 0;
        if (file)
            done = fclose(file) == 0 && done;
        else
            (void)close(fd);
        done = done && rename(beside.bytes, real) == 0;
        if (!done)
            (void)unlink(beside.bytes);
    }
    if (!done)
        (void)command_refuse("fmt", "%s: %s", path, strerror(errno));
    free(real);
    buffer_fini(&beside);
    return done;
}

/* What becomes of a text that could be formatted. */
static int finish(const char *path, struct kan_slice before,
                  struct kan_slice after, bool check)
{
    bool same = slice_equal(before, after);
    bool stream = path == stdin_name;

    if (check) {
        if (!same)
            printf("%s\n", path);
        return same ? EXIT_DONE : EXIT_FOUND;
    }
    if (stream) {
        if (after.size)
            (void)fwrite(after.bytes, 1, after.size, stdout);
        return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FOUND;
    }
    return same || replace(path, after) ? EXIT_DONE : EXIT_FOUND;
}

static int format(const char *path, struct kan_slice text, bool check)
{
    struct source source = {0};
    struct buffer out = BUFFER_INIT;
    enum kan_err err = source_init(&source, kan_text(path), text);
    int code;

    if (err == KAN_FULL)
        return command_refuse("fmt", "%s: it is larger than %d MiB", path,
                              SOURCE_BYTES_MAX >> 20);
    if (err == KAN_OK)
        err = tree_format(&source, &out);
    if (err == KAN_OK) {
        code = finish(path, text, buffer_slice(&out), check);
    } else if (err == KAN_INVALID) {
        source_print(&source, &out);
        if (out.size)
            (void)fwrite(out.bytes, 1, out.size, stderr);
        code = EXIT_USAGE;
    } else {
        code = command_refuse("fmt", "%s: %s", path, kan_err_text(err));
    }
    buffer_fini(&out);
    source_fini(&source);
    return code;
}

static int format_file(const char *path, bool check)
{
    struct buffer text = BUFFER_INIT;
    bool stream = strcmp(path, "-") == 0;
    int code = stream ? read_stdin(&text) : file_read("fmt", path, &text);

    if (code == EXIT_DONE)
        code = format(stream ? stdin_name : path, buffer_slice(&text), check);
    buffer_fini(&text);
    return code;
}

static int run(int argc, const char *const *argv)
{
    static const char *files[FILES_MAX];
    bool check = false;
    int count = 0;
    int worst = EXIT_DONE;
    const struct command_flag flags[] = {{"check", 0, NULL, &check, NULL}};
    int code = command_parse_all("fmt", argc, argv, flags, 1, files, FILES_MAX,
                                 &count);

    if (code != EXIT_DONE)
        return code;
    if (count == 0)
        return command_refuse("fmt", "which file? - is standard input");
    for (int i = 0; i < count; i++) {
        code = format_file(files[i], check);
        worst = code > worst ? code : worst;
    }
    return worst;
}

static void print_flags(struct buffer *out, bool roff)
{
    buffer_append_text(out,
                       roff ? ".TP\n.B \\-\\-check\nchange nothing; name the "
                              "files that would change, and end with 1 when "
                              "there are any\n"
                            : "\n  --check  change nothing; name the files "
                              "that would change, and end with 1\n"
                              "           when there are any\n");
}

const struct command command_fmt = {
    .name = "fmt",
    .usage = "[--check] FILE.kan...",
    .summary = "lay out contracts",
    .details =
        "Formats contracts in place: four spaces a level, one blank line at "
        "most, neighbouring lines aligned, comments where they stood. - reads "
        "standard input and writes to standard output. A file with a mistake "
        "is left as it is, what is wrong is told, and the exit status is 2.",
    .run = run,
    .flags = print_flags,
};
