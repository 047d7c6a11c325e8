/* `kan gen`: C, an OpenAPI document or a picture, made of a contract. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/files.h"
#include "contract/generate/generate.h"

struct gen_target
{
    const char *name;
    enum kan_err (*make)(const struct contract *contract,
                         const struct generate_options *options,
                         struct buffer *out); /* NULL: C, in two files */
};

static const struct gen_target targets[] = {
    {"c", NULL},
    {"openapi", generate_openapi},
    {"dot", generate_dot},
};

/* "bank" of "shop/bank.kan". */
static struct kan_slice stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct kan_slice name = kan_text(slash ? slash + 1 : path);

    if (name.size > 4 &&
        slice_equal(slice_skip(name, name.size - 4), SLICE(".kan")))
        name = slice_head(name, name.size - 4);
    return name;
}

/* What begins with a quote or a dot would be no name in an #include. */
static bool stem_fits(struct kan_slice stem)
{
    size_t i;

    for (i = 0; i < stem.size; i++) {
        unsigned char c = slice_at(stem, i);

        if (c < ' ' || c >= 0x7f || strchr("\"\\*?%", c))
            return false;
    }
    return stem.size > 0 && stem.size <= 200;
}

static int told(const char *path, enum kan_err err, const char *type)
{
    if (err == KAN_NOTFOUND)
        return type ? command_refuse("gen", "%s: there is no type '%s'", path,
                                     type)
                    : command_refuse("gen", "%s: there is no type in it", path);
    return command_refuse("gen", "%s: %s", path, kan_err_text(err));
}

static bool write_in(const char *folder, struct kan_slice stem, const char *end,
                     const struct buffer *bytes)
{
    struct buffer path = BUFFER_INIT;
    bool done;

    buffer_print(&path, "%s/%.*s%s", folder, SLICE_ARG(stem), end);
    done = file_write("gen", buffer_text(&path), buffer_slice(bytes));
    if (done)
        printf("%s\n", buffer_text(&path));
    buffer_fini(&path);
    return done;
}

static int make_c(const struct contract *contract,
                  const struct generate_options *options, const char *path,
                  const char *type, const char *folder)
{
    struct buffer header = BUFFER_INIT;
    struct buffer source = BUFFER_INIT;
    enum kan_err err = generate_c(contract, options, &header, &source);
    int code = EXIT_DONE;

    if (err != KAN_OK)
        code = told(path, err, type);
    else if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        code = command_refuse("gen", "%s: %s", folder, strerror(errno));
    else if (!write_in(folder, options->stem, ".h", &header) ||
             !write_in(folder, options->stem, ".c", &source))
        code = EXIT_FOUND;
    buffer_fini(&header);
    buffer_fini(&source);
    return code;
}

static int make_one(const struct gen_target *target,
                    const struct contract *contract,
                    const struct generate_options *options, const char *path,
                    const char *type, const char *file)
{
    struct buffer out = BUFFER_INIT;
    enum kan_err err = target->make(contract, options, &out);
    int code = EXIT_DONE;

    if (err != KAN_OK) {
        code = told(path, err, type);
    } else if (file) {
        if (!file_write("gen", file, buffer_slice(&out)))
            code = EXIT_FOUND;
    } else if (fwrite(out.bytes, 1, out.size, stdout) != out.size ||
               fflush(stdout) != 0) {
        code = command_refuse("gen", "standard output: %s", strerror(errno));
    }
    buffer_fini(&out);
    return code;
}

static int make(const struct gen_target *target, const char *path,
                const char *type, const char *output)
{
    struct contract *contract = NULL;
    struct buffer text = BUFFER_INIT;
    struct buffer faults = BUFFER_INIT;
    struct generate_options options = {.file = kan_text(path),
                                       .stem = stem_of(path),
                                       .type = kan_text(type ? type : "")};
    const char *slash = strrchr(path, '/');
    int code = file_read("gen", path, &text);
    enum kan_err err = KAN_OK;

    options.file = kan_text(slash ? slash + 1 : path);
    if (code == EXIT_DONE && !stem_fits(options.stem))
        code = command_refuse("gen", "%s: its name cannot be that of a header",
                              path);
    if (code == EXIT_DONE)
        err = contract_load(kan_text(path), buffer_slice(&text), &contract,
                            &faults);
    if (code == EXIT_DONE && err == KAN_INVALID) {
        if (faults.size)
            (void)fwrite(faults.bytes, 1, faults.size, stderr);
        code = EXIT_USAGE;
    } else if (code == EXIT_DONE && err != KAN_OK) {
        code = told(path, err, type);
    } else if (code == EXIT_DONE && !target->make) {
        code = make_c(contract, &options, path, type, output ? output : ".");
    } else if (code == EXIT_DONE) {
        code = make_one(target, contract, &options, path, type, output);
    }
    contract_unref(contract);
    buffer_fini(&faults);
    buffer_fini(&text);
    return code;
}

static int run(int argc, const char *const *argv)
{
    const char *output = NULL;
    const char *type = NULL;
    const char *operands[2] = {NULL, NULL};
    const struct command_flag flags[] = {
        {"output", 'o', &output, NULL, NULL},
        {"type", 0, &type, NULL, NULL},
    };
    int count = 0;
    int code =
        command_parse_all("gen", argc, argv, flags, 2, operands, 2, &count);
    size_t i;

    if (code != EXIT_DONE)
        return code;
    if (count < 2)
        return command_refuse("gen",
                              "what, and of which file? as in: "
                              "kan gen c bank.kan");
    for (i = 0; i < sizeof targets / sizeof *targets; i++) {
        if (strcmp(targets[i].name, operands[0]) == 0)
            return make(&targets[i], operands[1], type, output);
    }
    return command_refuse("gen",
                          "'%s' cannot be made; expected c, openapi or "
                          "dot",
                          operands[0]);
}

static void print_flags(struct buffer *out, bool roff)
{
    buffer_append_text(
        out,
        roff ? ".TP\n.B \\-o, \\-\\-output PATH\nc: the folder (.); openapi, "
               "dot: the file (standard output)\n.TP\n.B \\-\\-type NAME\nof "
               "this type alone\n"
             : "\n  -o, --output PATH  c: the folder (.); openapi, dot: the "
               "file (standard output)\n"
               "  --type NAME        of this type alone\n");
}

const struct command command_gen = {
    .name = "gen",
    .usage = "c|openapi|dot FILE.kan [-o PATH] [--type NAME]",
    .summary = "make C, an OpenAPI document or a picture of a contract",
    .details =
        "c writes a header and a source in C17, which are C++17 too and need "
        "libc alone: the types as structs, each step as a function, and for a "
        "type whose guards ask for a state a struct for each, so that a step "
        "that the state forbids does not compile. openapi writes an OpenAPI "
        "3.1 document of what 'kan run FILE.kan' serves; dot a picture of "
        "states and steps for Graphviz.",
    .run = run,
    .flags = print_flags,
};
