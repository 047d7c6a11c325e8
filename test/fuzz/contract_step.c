/* contract_step.c - steps of any contract by any bytes: the interpreter, the
 * plain evaluator and, for the fixed contracts, the C that was generated when
 * this was built agree in what is refused, why, and in every state; a state
 * behind a step is canonical and keeps every invariant.
 *
 * The first byte chooses a contract: one of a fixed set, or one that is made of
 * the bytes that follow (contract_random.c). The rest draws steps and
 * arguments. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "contract/contract.h"
#include "contract/plain/plain.h"
#include "contract_random.h"
#include "subject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum
{
    STEPS_MAX = 64,
    STATE_MAX = TREE_STATE_BYTES_MAX
};

static const char *const files[] = {
    EXAMPLES "/bank.kan",         EXAMPLES "/cart.kan",
    EXAMPLES "/order.kan",        EXAMPLES "/stock.kan",
    EXAMPLES "/subscription.kan", EXAMPLES "/ticket.kan",
    DIFFERENTIAL "/every.kan",
};

enum
{
    FILES = sizeof files / sizeof *files
};

static struct contract *fixed[FILES];

/* What is left to draw from; all zero behind its end. */
struct bytes
{
    const uint8_t *at;
    size_t left;
};

static uint64_t draw(void *context, uint64_t n)
{
    struct bytes *bytes = context;
    uint64_t number = 0;
    unsigned i;

    /* As many bytes as n needs. */
    for (i = 0; i < 8 && (i == 0 || n >> 8 * i > 0) && bytes->left > 0; i++) {
        number = number << 8 | *bytes->at++;
        bytes->left--;
    }
    return n ? number % n : number;
}

static struct contract *read_contract(const char *path)
{
    static char text[1 << 16];
    struct contract *contract = NULL;
    FILE *file = fopen(path, "rb");

    kan_assert(file);
    size_t size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    kan_assert(contract_load(SLICE("fixed"), kan_slice(text, size), &contract,
                             NULL) == KAN_OK);
    return contract;
}

/* --- a path --------------------------------------------------------------- */

struct path
{
    const struct program *program;
    const struct tree_entity *entity;
    const struct subject *subject; /* NULL: no C was generated of it */
    struct bytes bytes;
    struct program_input input;
};

static _Alignas(16) char before[STATE_MAX];
static _Alignas(16) char after[STATE_MAX];
static _Alignas(16) char built[STATE_MAX]; /* by generated C */
static _Alignas(16) char arguments[STATE_MAX];

static const struct plain_value *plain_of(const struct path *path,
                                          uint32_t type, const void *value,
                                          struct tree_field *fields,
                                          uint32_t count, struct arena *arena)
{
    struct buffer out = BUFFER_INIT;
    struct json_tree json = {0};
    struct tree_record record = {.fields = fields, .field_count = count};
    struct tree_type whole = {.kind = TREE_RECORD, .record = &record};

    program_json(path->program, type, value, &out);
    kan_assert(json_parse(buffer_slice(&out), NULL, &json) == KAN_OK);
    const struct plain_value *made =
        plain_read(&whole, &json, &json.nodes[0], arena);
    kan_assert(made);
    json_fini(&json);
    buffer_fini(&out);
    return made;
}

static void compare(const struct path *path, uint32_t step, enum kan_err err,
                    const struct program_refusal *refusal)
{
    const struct tree_entity *entity = path->entity;
    const struct tree_step *taken = &entity->steps[step];
    struct arena arena = {0};
    struct buffer one = BUFFER_INIT;
    struct buffer other = BUFFER_INIT;
    const struct plain_value *state =
        plain_of(path, 0, before, entity->fields, entity->field_count, &arena);
    const struct plain_value *given =
        plain_of(path, program_step(path->program, step).arguments, arguments,
                 taken->parameters, taken->parameter_count, &arena);
    struct plain_result result =
        plain_take(entity, taken, state, given->values, &path->input, &arena);

    kan_assert(!result.failed);
    kan_assert((err == KAN_OK) == (refusal->kind == PROGRAM_OK));
    kan_assert(result.refused == refusal->kind);
    if (refusal->kind == PROGRAM_REQUIRE)
        kan_assert(slice_equal(result.text, refusal->text));
    if (refusal->kind == PROGRAM_INVARIANT)
        kan_assert(slice_equal(result.text, refusal->name));
    if (refusal->kind == PROGRAM_OVERFLOW || refusal->kind == PROGRAM_DIVIDE)
        kan_assert(plain_target_named(result.target, refusal->name));
    if (err == KAN_OK) {
        struct program_refusal none;

        program_json(path->program, 0, after, &one);
        plain_print_fields(entity->fields, entity->field_count, result.state,
                           &other);
        kan_assert(slice_equal(buffer_slice(&one), buffer_slice(&other)));
        kan_assert(program_valid(path->program, 0, after));
        kan_assert(program_holds(path->program, after, &none) == KAN_OK);
    }
    buffer_fini(&one);
    buffer_fini(&other);
    arena_fini(&arena);
}

/* A refused step leaves the state as it was. */
static void compare_generated(const struct path *path, uint32_t step,
                              const struct program_refusal *refusal)
{
    size_t size = program_state_size(path->program);
    struct said said;

    memcpy(built, before, size);
    said = path->subject->take(built, step, arguments, path->input.now_ms,
                               path->input.id);
    kan_assert(said.kind == (int)refusal->kind);
    if (refusal->kind != PROGRAM_OK)
        kan_assert(slice_equal(kan_text(said.name), refusal->name));
    kan_assert(
        memcmp(built, refusal->kind == PROGRAM_OK ? after : before, size) == 0);
}

static const struct subject *subject_of(const char *file, struct kan_slice type,
                                        uint32_t version)
{
    for (size_t i = 0; file && i < subject_count; i++)
        if (strcmp(subjects[i].file, strrchr(file, '/') + 1) == 0 &&
            slice_equal(kan_text(subjects[i].type), type) &&
            subjects[i].version == version)
            return &subjects[i];
    kan_assert(!file);
    return NULL;
}

static void draw_arguments(struct path *path, uint32_t step)
{
    uint32_t type = program_step(path->program, step).arguments;
    uint32_t i;

    memset(arguments, 0, program_type(path->program, type)->size);
    program_arguments(path->program, step, arguments);
    for (i = 0; i < program_type(path->program, type)->member_count; i++) {
        struct program_member member = program_member(path->program, type, i);
        uint64_t way = draw(&path->bytes, 256);

        if (way >= 200 ||
            !program_boundary(path->program, member.type,
                              (uint32_t)way % PROGRAM_BOUNDARY_MAX,
                              arguments + member.offset))
            program_any(path->program, member.type, draw, &path->bytes,
                        arguments + member.offset);
    }
}

static void walk(struct path *path)
{
    uint32_t count = program_step_count(path->program);
    unsigned i;

    if (program_start_fault(path->program).size > 0 || count == 0)
        return;
    program_start(path->program, before);
    for (i = 0; i < STEPS_MAX && path->bytes.left > 0; i++) {
        struct program_refusal refusal = {0};
        uint32_t step = (uint32_t)draw(&path->bytes, count);
        enum kan_err err;

        draw_arguments(path, step);
        path->input.now_ms += (int64_t)draw(&path->bytes, 256);
        path->input.id[0] = (char)('a' + draw(&path->bytes, 26));
        err = program_take(path->program, step, before, arguments, &path->input,
                           after, &refusal);
        compare(path, step, err, &refusal);
        if (path->subject)
            compare_generated(path, step, &refusal);
        if (err == KAN_OK)
            memcpy(before, after, program_state_size(path->program));
    }
}

/* file: of a fixed contract; NULL: a random one. */
static void walk_types(const struct contract *contract, const char *file,
                       struct bytes bytes)
{
    uint32_t type = (uint32_t)draw(&bytes, contract_type_count(contract));
    uint32_t oldest = contract_oldest(contract, type);
    uint32_t version =
        oldest +
        (uint32_t)draw(&bytes, contract_newest(contract, type) - oldest + 1);
    struct path path = {.bytes = bytes};

    memset(path.input.id, '0', sizeof path.input.id);
    path.program = contract_program(contract, type, version);
    path.entity = tree_entity(contract_tree(contract),
                              contract_type_name(contract, type), version);
    kan_assert(path.program && path.entity);
    path.subject =
        subject_of(file, contract_type_name(contract, type), version);
    walk(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {.at = data + 1, .left = size > 0 ? size - 1 : 0};
    struct buffer text = BUFFER_INIT;
    struct contract *contract = NULL;

    if (size == 0)
        return 0;
    if (data[0] < 64) {
        uint32_t file = data[0] % FILES;

        if (!fixed[file])
            fixed[file] = read_contract(files[file]);
        walk_types(fixed[file], files[file], bytes);
        return 0;
    }
    random_contract(draw, &bytes, &text);
    /* Constants may be out of range, or divided by zero. */
    if (contract_load(SLICE("random"), buffer_slice(&text), &contract, NULL) ==
        KAN_OK)
        walk_types(contract, NULL, bytes);
    contract_unref(contract);
    buffer_fini(&text);
    return 0;
}
