/* program.c - what a program says about itself, and steps taken with it. */

#include "contract/program/machine.h"

#include "base/assert.h"

static const struct program_inside_step *step_of(const struct program *program,
                                                 uint32_t step)
{
    check_magic(program, PROGRAM_MAGIC);
    kan_assert(step < program->steps.count);
    return PROGRAM_ITEM(program, steps, struct program_inside_step, step);
}

/* --- what it is ----------------------------------------------------------- */

struct kan_slice program_name(const struct program *program)
{
    return program_slice(program, program->name);
}

uint32_t program_version(const struct program *program)
{
    return program->version;
}

struct program_hash program_hash(const struct program *program)
{
    return program->hash;
}

struct program_hash program_view_hash(const struct program *program)
{
    return program->view_hash;
}

struct kan_slice program_text(const struct program *program)
{
    return program_slice(program, program->text);
}

uint32_t program_type_count(const struct program *program)
{
    return program->types.count;
}

const struct program_type *program_type(const struct program *program,
                                        uint32_t type)
{
    return PROGRAM_ITEM(program, types, struct program_type, type);
}

struct program_member program_member(const struct program *program,
                                     uint32_t type, uint32_t number)
{
    const struct program_type *record = program_type(program, type);
    const struct program_inside_member *inside;
    struct program_member member;

    kan_assert(number < record->member_count);
    inside = program_inside_member(program, record, number);
    member.name = program_slice(program, inside->name);
    member.type = inside->type;
    member.offset = inside->offset;
    member.has_default = inside->has_default != 0;
    return member;
}

/* --- steps ---------------------------------------------------------------- */

uint32_t program_step_count(const struct program *program)
{
    return program->steps.count;
}

struct program_step program_step(const struct program *program, uint32_t step)
{
    const struct program_inside_step *inside = step_of(program, step);
    struct program_step found = {.name = program_slice(program, inside->name),
                                 .internal = inside->internal != 0,
                                 .arguments = inside->arguments};

    return found;
}

int32_t program_step_find(const struct program *program, struct kan_slice name)
{
    uint32_t i;

    for (i = 0; i < program->steps.count; i++) {
        if (slice_equal(program_slice(program, step_of(program, i)->name),
                        name))
            return (int32_t)i;
    }
    return PROGRAM_STEP_NONE;
}

static void start_copy(const struct program *program, uint32_t type, void *out)
{
    const void *start = program_inside_start(program, type);
    uint32_t size = program_type(program, type)->size;

    if (size == 0)
        return;
    if (start)
        memcpy(out, start, size);
    else
        memset(out, 0, size);
}

void program_arguments(const struct program *program, uint32_t step,
                       void *arguments)
{
    start_copy(program, step_of(program, step)->arguments, arguments);
}

void program_start(const struct program *program, void *state)
{
    start_copy(program, 0, state);
}

struct kan_slice program_start_fault(const struct program *program)
{
    static const int64_t zeros[TREE_STATE_BYTES_MAX / sizeof(int64_t)];
    const void *start = program_inside_start(program, 0);
    struct program_refusal refusal;
    struct kan_slice none = {0};
    const struct program_inside_condition *condition;

    if (program_holds(program, start ? start : zeros, &refusal) == KAN_OK)
        return none;
    if (refusal.kind == PROGRAM_INVARIANT)
        return refusal.name;
    /* Something in an invariant cannot be computed: say what. */
    condition =
        PROGRAM_ITEM(program, conditions, struct program_inside_condition,
                     refusal.condition);
    return program_slice(program, condition->source);
}

static enum kan_err take(const struct program *program, uint32_t step,
                         const void *before, const void *arguments,
                         const struct program_input *input, void *after,
                         struct program_refusal *refusal,
                         enum machine_asked asked)
{
    const struct program_inside_step *inside = step_of(program, step);
    const struct machine machine = {.program = program,
                                    .state = after,
                                    .arguments = arguments,
                                    .input = input,
                                    .refusal = refusal,
                                    .asked = asked};

    memcpy(after, before, program_state_size(program));
    if (!machine_run(&machine, inside->code))
        return KAN_CONFLICT;
    if (refusal)
        refusal->kind = PROGRAM_OK;
    return KAN_OK;
}

enum kan_err program_take(const struct program *program, uint32_t step,
                          const void *before, const void *arguments,
                          const struct program_input *input, void *after,
                          struct program_refusal *refusal)
{
    return take(program, step, before, arguments, input, after, refusal,
                MACHINE_STEP);
}

enum kan_err program_inside_take_all(const struct program *program,
                                     uint32_t step, const void *before,
                                     const void *arguments,
                                     const struct program_input *input,
                                     void *after,
                                     struct program_refusal *refusal)
{
    return take(program, step, before, arguments, input, after, refusal,
                MACHINE_STEP_ALL);
}

/* A state of its own to try in; large ones apart, as they cost. */
__attribute__((noinline)) static bool can_large(
    const struct program *program, uint32_t step, const void *state,
    const void *arguments, const struct program_input *input)
{
    int64_t after[TREE_STATE_BYTES_MAX / sizeof(int64_t)];

    return take(program, step, state, arguments, input, after, NULL,
                MACHINE_STEP_CAN) == KAN_OK;
}

bool program_can(const struct program *program, uint32_t step,
                 const void *state, const void *arguments,
                 const struct program_input *input)
{
    int64_t after[128];

    if (program_state_size(program) > sizeof after)
        return can_large(program, step, state, arguments, input);
    return take(program, step, state, arguments, input, after, NULL,
                MACHINE_STEP_CAN) == KAN_OK;
}

enum kan_err program_holds(const struct program *program, const void *state,
                           struct program_refusal *refusal)
{
    const struct program_input input = {0};
    /* Invariants write nothing. */
    const struct machine machine = {.program = program,
                                    .state = (void *)state,
                                    .input = &input,
                                    .refusal = refusal};

    check_magic(program, PROGRAM_MAGIC);
    if (!machine_run(&machine, program->judge_all))
        return KAN_CONFLICT;
    if (refusal)
        refusal->kind = PROGRAM_OK;
    return KAN_OK;
}

bool program_inside_value(const struct program *program, uint32_t code,
                          const void *state, const void *arguments,
                          void *ret_value)
{
    const struct program_input input = {0};
    const struct machine machine = {.program = program,
                                    .state = (void *)state,
                                    .arguments = arguments,
                                    .result = ret_value,
                                    .input = &input};

    return machine_run(&machine, code);
}

void program_step_fields(const struct program *program, uint32_t step,
                         uint64_t *reads, uint64_t *writes)
{
    const struct program_inside_step *inside = step_of(program, step);

    memcpy(reads, inside->reads, sizeof inside->reads);
    memcpy(writes, inside->writes, sizeof inside->writes);
}
