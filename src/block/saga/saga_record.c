/* How sagas are kept, and what contracts say of them. */

#include "block/saga/saga_record.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "block/entity/entity_record.h"
#include "block/saga/saga.h"

enum
{
    RECORD_VERSION = 1
};

/* --- the record ----------------------------------------------------------- */

static void put_number(struct buffer *out, uint64_t number)
{
    unsigned char bytes[8];

    number_pack(number, bytes);
    buffer_append(out, kan_slice(bytes, sizeof(bytes)));
}

static void put_bytes(struct buffer *out, struct kan_slice bytes)
{
    put_number(out, bytes.size);
    buffer_append(out, bytes);
}

void saga_record_save(const struct saga_record *record, struct buffer *out)
{
    buffer_append_byte(out, RECORD_VERSION);
    buffer_append_byte(out, (unsigned char)record->progress.status);
    buffer_append_byte(out, (unsigned char)record->progress.next);
    buffer_append_byte(out, (unsigned char)record->refused);
    put_number(out, record->plan);
    put_bytes(out, record->name);
    put_bytes(out, record->refused_call);
    put_bytes(out, record->reason);
    buffer_append(out, record->parameters);
}

static bool take_number(struct kan_slice *rest, uint64_t *ret_number)
{
    if (rest->size < 8)
        return false;
    *ret_number = number_unpack(rest->bytes);
    *rest = slice_skip(*rest, 8);
    return true;
}

static bool take_bytes(struct kan_slice *rest, struct kan_slice *ret_bytes)
{
    uint64_t size;

    if (!take_number(rest, &size) || size > rest->size)
        return false;
    *ret_bytes = slice_head(*rest, (size_t)size);
    *rest = slice_skip(*rest, (size_t)size);
    return true;
}

enum kan_err saga_record_load(struct kan_slice saved,
                              struct saga_record *ret_record)
{
    struct kan_slice rest = slice_skip(saved, 4);
    struct saga_record record;

    memset(&record, 0, sizeof(record));
    if (saved.size < 4 || slice_at(saved, 0) != RECORD_VERSION ||
        slice_at(saved, 1) > SAGA_UNDONE)
        return KAN_CORRUPT;
    record.progress.status = (enum saga_status)slice_at(saved, 1);
    record.progress.next = slice_at(saved, 2);
    record.refused = slice_at(saved, 3);
    if (!take_number(&rest, &record.plan) || !take_bytes(&rest, &record.name) ||
        !take_bytes(&rest, &record.refused_call) ||
        !take_bytes(&rest, &record.reason))
        return KAN_CORRUPT;
    record.parameters = rest;
    *ret_record = record;
    return KAN_OK;
}

/* --- calls ---------------------------------------------------------------- */

struct contract_saga_call saga_call_of(const struct contract *contract,
                                       uint32_t saga, uint32_t step, bool undo)
{
    struct contract_saga_call call = {0};

    if (!undo)
        return contract_saga_do(contract, saga, step);
    bool has = contract_saga_undo(contract, saga, step, &call);
    kan_assert(has);
    return call;
}

static const struct program *program_of(const struct contract *contract,
                                        const struct contract_saga_call *call)
{
    return contract_program(contract, call->type, 0);
}

uint32_t saga_call_size(const struct contract *contract,
                        const struct contract_saga_call *call)
{
    const struct program *program = program_of(contract, call);
    struct program_step step = program_step(program, call->step);

    return program_type(program, step.arguments)->size;
}

static struct kan_slice member_name(const struct contract *contract,
                                    uint32_t saga, uint32_t parameter)
{
    struct contract_saga what = contract_saga(contract, saga);

    return program_member(what.values, what.parameters, parameter).name;
}

void saga_call_text(const struct contract *contract, uint32_t saga,
                    uint32_t step, bool undo, struct buffer *out)
{
    struct contract_saga_call call = saga_call_of(contract, saga, step, undo);

    buffer_append(out, member_name(contract, saga, call.parameter));
    buffer_append_byte(out, '.');
    buffer_append(out,
                  program_step(program_of(contract, &call), call.step).name);
}

struct kan_slice saga_entity_id(const struct contract *contract, uint32_t saga,
                                uint32_t parameter, const void *parameters)
{
    struct contract_saga what = contract_saga(contract, saga);
    struct program_member member =
        program_member(what.values, what.parameters, parameter);
    const char *text = (const char *)parameters + member.offset;
    uint16_t size;

    memcpy(&size, text, sizeof(size));
    return kan_slice(text + sizeof(size), size);
}

/* --- the plan ------------------------------------------------------------- */

static const struct tree_saga *tree_of(const struct contract *contract,
                                       struct kan_slice name)
{
    const struct tree *tree = contract_tree(contract);

    for (uint32_t i = 0; i < tree->saga_count; i++)
        if (slice_equal(tree->sagas[i].name.text, name))
            return &tree->sagas[i];
    return NULL;
}

/* How many arguments are written. What a newer version adds to a step, with a
 * default, makes no other saga of it. */
static uint32_t argument_count(const struct contract *contract, uint32_t saga,
                               uint32_t step, bool undo)
{
    const struct tree_saga *tree =
        tree_of(contract, contract_saga(contract, saga).name);

    kan_assert(tree && step < tree->step_count);
    return undo ? tree->steps[step].undo.argument_count
                : tree->steps[step].call.argument_count;
}

struct planning
{
    const struct contract *contract;
    uint32_t saga;
    const void *parameters;
    struct buffer *why;
    struct buffer text; /* of all calls */
};

static enum kan_err plan_call(struct planning *planning, uint32_t step,
                              bool undo)
{
    const struct contract *contract = planning->contract;
    struct contract_saga_call call =
        saga_call_of(contract, planning->saga, step, undo);
    const struct program *program = program_of(contract, &call);
    struct program_step what = program_step(program, call.step);
    struct kan_slice id = saga_entity_id(contract, planning->saga,
                                         call.parameter, planning->parameters);
    uint32_t count = argument_count(contract, planning->saga, step, undo);
    void *arguments;
    enum kan_err err;

    if (!entity_id_legal(id)) {
        struct kan_slice name =
            member_name(contract, planning->saga, call.parameter);
        buffer_print(planning->why,
                     "%.*s: an entity's id is 1 to %d bytes of UTF-8 without "
                     "control characters and without / ? # \\",
                     SLICE_ARG(name), ENTITY_ID_MAX);
        return KAN_INVALID;
    }
    arguments = mem_zalloc(saga_call_size(contract, &call));
    if (!arguments)
        return KAN_NOMEM;
    err =
        contract_saga_arguments(contract, planning->saga, step, undo,
                                planning->parameters, arguments, planning->why);
    if (err == KAN_OK) {
        buffer_append_byte(&planning->text, undo ? 'u' : 'd');
        put_bytes(&planning->text, contract_type_name(contract, call.type));
        put_bytes(&planning->text, id);
        put_bytes(&planning->text, what.name);
        for (uint32_t i = 0; i < count; i++) {
            struct program_member member =
                program_member(program, what.arguments, i);
            program_save(program, member.type,
                         (const char *)arguments + member.offset,
                         &planning->text);
        }
    }
    mem_free(arguments);
    return err;
}

enum kan_err saga_plan_make(const struct contract *contract, uint32_t saga,
                            const void *parameters, struct saga_plan *ret_plan,
                            struct buffer *why)
{
    struct contract_saga what = contract_saga(contract, saga);
    struct planning planning = {.contract = contract,
                                .saga = saga,
                                .parameters = parameters,
                                .why = why};
    struct saga_plan plan = {
        .shape = {.step_count = what.step_count, .pivot = what.pivot}};
    struct contract_saga_call undo;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; err == KAN_OK && i < what.step_count; i++) {
        err = plan_call(&planning, i, false);
        if (err || !contract_saga_undo(contract, saga, i, &undo))
            continue;
        plan.shape.undoable |= UINT32_C(1) << i;
        err = plan_call(&planning, i, true);
    }
    put_number(&planning.text, what.pivot);
    if (err == KAN_OK && buffer_failed(&planning.text))
        err = KAN_NOMEM;
    /* Two numbers that everybody knows: it is no secret, and need not be. */
    plan.hash = hash_bytes((struct hash_seed){0x73616761, 0x706c616e},
                           buffer_slice(&planning.text));
    buffer_fini(&planning.text);
    if (err == KAN_OK)
        *ret_plan = plan;
    return err;
}

/* --- parameters ----------------------------------------------------------- */

static enum kan_err read_json(const struct contract_saga *what,
                              struct kan_slice body, void *values,
                              struct buffer *why)
{
    struct json_tree json;
    enum kan_err err;

    memset(&json, 0, sizeof(json));
    err = json_parse(body, NULL, &json);
    if (err == KAN_INVALID)
        buffer_append(why, buffer_slice(&json.message));
    if (err == KAN_OK && json.nodes[0].kind != JSON_OBJECT) {
        buffer_append_text(why, "the body is no JSON object");
        err = KAN_INVALID;
    }
    if (err == KAN_OK)
        err = program_read_json(what->values, what->parameters, &json,
                                &json.nodes[0], values, why);
    json_fini(&json);
    return err;
}

enum kan_err saga_parameters_read(const struct contract *contract,
                                  uint32_t saga, struct kan_slice body,
                                  void **ret_parameters, struct buffer *why)
{
    struct contract_saga what = contract_saga(contract, saga);
    void *values = mem_zalloc(program_type(what.values, what.parameters)->size);
    enum kan_err err;

    if (!values)
        return KAN_NOMEM;
    program_start(what.values, values);
    if (body.size == 0)
        body = SLICE("{}");
    err = read_json(&what, body, values, why);
    if (err)
        mem_free(values);
    else
        *ret_parameters = values;
    return err;
}

enum kan_err saga_parameters_load(const struct contract *contract,
                                  uint32_t saga, struct kan_slice saved,
                                  void **ret_parameters)
{
    struct contract_saga what = contract_saga(contract, saga);
    void *values = mem_zalloc(program_type(what.values, what.parameters)->size);
    enum kan_err err;

    if (!values)
        return KAN_NOMEM;
    err = program_load(what.values, what.parameters, &saved, values);
    if (err == KAN_OK && saved.size)
        err = KAN_CORRUPT;
    if (err)
        mem_free(values);
    else
        *ret_parameters = values;
    return err;
}

/* --- as JSON -------------------------------------------------------------- */

static const char *const status_names[] = {"running", "undoing", "done",
                                           "undone"};

/* What has become of one step. */
static const char *step_status(const struct saga_state *state, uint32_t step)
{
    bool refused = state->refused.size > 0;

    switch (state->status) {
    case SAGA_RUNNING:
        return step < state->next ? "done" : "waiting";
    case SAGA_DONE:
        return "done";
    case SAGA_UNDOING:
        if (step <= state->next)
            return "done";
        break;
    case SAGA_UNDONE:
        break;
    }
    if (refused && step == state->refused_step)
        return "refused";
    return refused && step > state->refused_step ? "not begun" : "undone";
}

static void string_member(struct buffer *out, const char *name,
                          struct kan_slice text)
{
    json_append_name(out, name);
    json_append_string(out, text);
}

static void steps_json(const struct contract *contract, uint32_t saga,
                       const struct saga_state *state, struct buffer *out)
{
    uint32_t count = contract_saga(contract, saga).step_count;

    for (uint32_t i = 0; i < count; i++) {
        struct buffer call = BUFFER_INIT;
        saga_call_text(contract, saga, i, false, &call);
        buffer_append_text(out, i ? ",{" : "{");
        string_member(out, "call", buffer_slice(&call));
        string_member(out, "status", kan_text(step_status(state, i)));
        buffer_append_byte(out, '}');
        out->failed = out->failed || buffer_failed(&call);
        buffer_fini(&call);
    }
}

static void stuck_json(const struct saga_state *state, struct buffer *out)
{
    json_append_name(out, "stuck");
    buffer_append_byte(out, '{');
    if (state->stuck_call.size) {
        string_member(out, "call", state->stuck_call);
        json_append_name(out, "undo");
        buffer_append_text(out, state->stuck_undo ? "true" : "false");
    }
    string_member(out, "reason", state->stuck);
    buffer_append_byte(out, '}');
}

void saga_state_json(const struct contract *contract,
                     const struct saga_state *state, struct buffer *out)
{
    int32_t saga = contract_saga_find(contract, state->saga);

    buffer_append_byte(out, '{');
    string_member(out, "saga", state->saga);
    string_member(out, "id", state->id);
    string_member(out, "status", kan_text(status_names[state->status]));
    json_append_name(out, "parameters");
    buffer_append(out, state->json.size ? state->json : SLICE("null"));
    json_append_name(out, "steps");
    buffer_append_byte(out, '[');
    if (saga >= 0)
        steps_json(contract, (uint32_t)saga, state, out);
    buffer_append_byte(out, ']');
    if (state->refused.size) {
        string_member(out, "refused", state->refused);
        string_member(out, "reason", state->reason);
    }
    if (state->stuck.size)
        stuck_json(state, out);
    json_append_name(out, "revision");
    buffer_append_u64(out, state->revision);
    buffer_append_byte(out, '}');
}
