/* Steps of a contract in process, by the interpreter: deposit of bank.kan into
 * an open account, and add of cart.kan to a cart of ten articles.
 *
 * usage: step FOLDER-OF-EXAMPLES [STEPS]
 * Prints for each the file, the step, and how many millions of it are taken a
 * second of CPU time, best of five rounds. It is linked to the modules
 * contract_program, contract_tree, contract_source and base of a release
 * build. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "contract/program/program.h"

enum
{
    ROUNDS = 5,
    TEXT_MAX = 65536,
    STATE_MAX = TREE_STATE_BYTES_MAX,
    ARGUMENTS_MAX = 4096
};

/* A step that is timed: what leads to where it can be taken, and the ways in
 * which it is called in turn. When it is refused, or has been taken often
 * enough, the state begins again. */
struct load
{
    const char *file;
    const char *type;
    const char *step;
    const char *before[2];     /* a step and its arguments, or NULL */
    const char *arguments[10]; /* NULL: no more */
    unsigned often;            /* so often in turn */
};

static const struct load loads[] = {
    {"bank.kan",
     "account",
     "deposit",
     {"open", "{\"name\":\"ann\"}"},
     {"{\"amount\":1}", "{\"amount\":3}"},
     1000000},
    {"cart.kan",
     "cart",
     "add",
     {NULL, NULL},
     {"{\"article\":\"apple\"}", "{\"article\":\"pear\"}",
      "{\"article\":\"plum\"}", "{\"article\":\"fig\"}",
      "{\"article\":\"date\"}", "{\"article\":\"melon\"}",
      "{\"article\":\"cherry\"}", "{\"article\":\"lemon\"}",
      "{\"article\":\"grape\"}", "{\"article\":\"quince\"}"},
     990},
};

static struct program_input input = {.now_ms = 1,
                                     .id = "00000000000000000000000000000000"};

/* To whom a benchmark that cannot run says why. */
static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "step: %s: %s\n", what, why);
    exit(1);
}

static double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct program *compile(const char *folder, const struct load *load)
{
    static struct source source;
    static char text[TEXT_MAX];
    char path[4096];
    struct tree tree = {0};
    struct buffer faults = BUFFER_INIT;
    struct program *program = NULL;

    (void)snprintf(path, sizeof path, "%s/%s", folder, load->file);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path, "cannot be read");
    size_t size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    enum kan_err err =
        source_init(&source, kan_text(load->file), kan_slice(text, size));
    if (err == KAN_OK)
        err = tree_parse(&tree, &source);
    if (err == KAN_OK)
        err = tree_check(&tree);
    if (err == KAN_OK)
        err = program_compile(
            &tree, tree_entity(&tree, kan_text(load->type), 0), &program);
    source_print(&source, &faults);
    if (err != KAN_OK)
        fail(path, faults.size ? buffer_text(&faults) : kan_err_name(err));
    buffer_fini(&faults);
    tree_fini(&tree);
    source_fini(&source);
    return program;
}

static uint32_t read_arguments(const struct program *program, const char *name,
                               const char *text, void *arguments)
{
    struct json_tree json = {0};
    struct buffer why = BUFFER_INIT;
    int32_t step = program_step_find(program, kan_text(name));

    if (step < 0)
        fail(name, "no such step");
    uint32_t type = program_step(program, (uint32_t)step).arguments;
    if (program_type(program, type)->size > ARGUMENTS_MAX)
        fail(name, "its arguments are too large");
    program_arguments(program, (uint32_t)step, arguments);
    if (json_parse(kan_text(text), NULL, &json) != KAN_OK ||
        program_read_json(program, type, &json, &json.nodes[0], arguments,
                          &why) != KAN_OK)
        fail(name, buffer_text(&why));
    buffer_fini(&why);
    json_fini(&json);
    return (uint32_t)step;
}

/* Take the step so often, and return how many seconds it took. */
static double round_of(const struct program *program, const struct load *load,
                       uint32_t step, const void *first,
                       char arguments[10][ARGUMENTS_MAX], unsigned ways,
                       unsigned long steps)
{
    static _Alignas(16) char states[2][STATE_MAX];
    struct program_refusal refusal;
    size_t size = program_state_size(program);
    char *before = states[0];
    char *after = states[1];
    unsigned way = 0;
    unsigned taken = load->often;
    double from = cpu_seconds();

    for (unsigned long i = 0; i < steps; i++) {
        if (taken == load->often) {
            memcpy(before, first, size);
            taken = 0;
        }
        if (program_take(program, step, before, arguments[way], &input, after,
                         &refusal) != KAN_OK)
            fail(load->step, "refused");
        char *spare = before;
        before = after;
        after = spare;
        taken++;
        way = way + 1 == ways ? 0 : way + 1;
    }
    return cpu_seconds() - from;
}

static void time_load(const char *folder, const struct load *load,
                      unsigned long steps)
{
    static _Alignas(16) char start[STATE_MAX];
    static _Alignas(16) char first[STATE_MAX];
    static _Alignas(16) char arguments[10][ARGUMENTS_MAX];
    struct program *program = compile(folder, load);
    struct program_refusal refusal;
    double best = 1e9;
    unsigned ways = 0;

    program_start(program, start);
    memcpy(first, start, program_state_size(program));
    if (load->before[0]) {
        uint32_t step = read_arguments(program, load->before[0],
                                       load->before[1], arguments[0]);
        if (program_take(program, step, start, arguments[0], &input, first,
                         &refusal) != KAN_OK)
            fail(load->before[0], "refused");
    }
    uint32_t step = 0;
    for (; ways < 10 && load->arguments[ways]; ways++)
        step = read_arguments(program, load->step, load->arguments[ways],
                              arguments[ways]);
    for (unsigned i = 0; i < ROUNDS; i++) {
        double took =
            round_of(program, load, step, first, arguments, ways, steps);
        best = took < best ? took : best;
    }
    printf("%s %s %.2f\n", load->file, load->step, (double)steps / best / 1e6);
    program_free(program);
}

int main(int argc, char **argv)
{
    unsigned long steps = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000000;

    if (argc < 2 || steps == 0)
        fail("usage", "step FOLDER-OF-EXAMPLES [STEPS]");
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
        time_load(argv[1], &loads[i], steps);
    return 0;
}
