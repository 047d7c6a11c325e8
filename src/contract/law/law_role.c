/* A saga seen from one of its entities. See law_role.h. */

#include "contract/law/law_role.h"

#include "base/alloc.h"

void law_role_init(struct law_role *role, const struct contract *contract,
                   uint32_t saga, uint32_t parameter,
                   const struct law_few *choices)
{
    struct contract_saga told = contract_saga(contract, saga);

    *role = (struct law_role){
        .contract = contract,
        .saga = saga,
        .parameter = parameter,
        .step_count = told.step_count,
        /* Without a pivot the last step decides. */
        .decides =
            told.pivot < told.step_count ? told.pivot : told.step_count - 1,
        .choices = choices,
    };
}

/* The call of a step, or of its undo, when it is of this entity. */
static bool own_do(const struct law_role *role, uint32_t step,
                   struct contract_saga_call *ret_call)
{
    *ret_call = contract_saga_do(role->contract, role->saga, step);
    return ret_call->parameter == role->parameter;
}

static bool own_undo(const struct law_role *role, uint32_t step,
                     struct contract_saga_call *ret_call)
{
    return contract_saga_undo(role->contract, role->saga, step, ret_call) &&
           ret_call->parameter == role->parameter;
}

bool law_role_calls(const struct law_role *role)
{
    struct contract_saga_call call;

    for (uint32_t i = 0; i < role->step_count; i++) {
        if (own_do(role, i, &call) || own_undo(role, i, &call))
            return true;
    }
    return false;
}

bool law_role_owes(const struct law_role *role)
{
    struct contract_saga_call call;

    for (uint32_t i = 0; i < role->step_count; i++) {
        if (i > role->decides ? own_do(role, i, &call)
                              : i < role->decides && own_undo(role, i, &call))
            return true;
    }
    return false;
}

/* --- what comes next ------------------------------------------------------ */

/* The next of our undos when `place` steps are to be undone; -1: none. */
static int32_t next_undo(const struct law_role *role, uint32_t place,
                         struct contract_saga_call *ret_call)
{
    while (place > 0) {
        if (own_undo(role, --place, ret_call))
            return (int32_t)place;
    }
    return -1;
}

/* The next of our steps behind the pivot when `place` are done; -1: none. */
static int32_t next_then(const struct law_role *role, uint32_t place,
                         struct contract_saga_call *ret_call)
{
    for (; place < role->step_count; place++) {
        if (own_do(role, place, ret_call))
            return (int32_t)place;
    }
    return -1;
}

/* The token in that mode, or none when nothing is left of it for this entity.
 */
static struct law_token moved(const struct law_role *role,
                              struct law_token token, enum law_role_mode mode,
                              uint32_t place)
{
    struct contract_saga_call call;
    bool over = false;

    token.mode = (uint8_t)mode;
    token.place = (uint8_t)place;
    if (mode == LAW_ROLE_UNDOING)
        over = next_undo(role, place, &call) < 0;
    else if (mode == LAW_ROLE_THEN)
        over = next_then(role, place, &call) < 0;
    return over ? (struct law_token){0} : token;
}

static uint32_t add_undo(const struct law_role *role, struct law_token token,
                         uint32_t place, struct law_role_call *calls)
{
    struct contract_saga_call call;
    int32_t step = next_undo(role, place, &call);

    if (step < 0)
        return 0;
    calls[0] = (struct law_role_call){
        .saga_step = (uint32_t)step,
        .undo = true,
        .must = true,
        .call = call,
        .after = moved(role, token, LAW_ROLE_UNDOING, (uint32_t)step),
    };
    return 1;
}

static uint32_t add_then(const struct law_role *role, struct law_token token,
                         uint32_t place, struct law_role_call *calls)
{
    struct contract_saga_call call;
    int32_t step = next_then(role, place, &call);

    if (step < 0)
        return 0;
    calls[0] = (struct law_role_call){
        .saga_step = (uint32_t)step,
        .must = true,
        .call = call,
        .after = moved(role, token, LAW_ROLE_THEN, (uint32_t)step + 1),
    };
    return 1;
}

uint32_t law_role_next(const struct law_role *role, struct law_token token,
                       struct law_role_call *calls)
{
    struct contract_saga_call call;
    uint32_t place = token.place;
    uint32_t count = 0;

    if (token.mode == LAW_ROLE_UNDOING)
        return add_undo(role, token, place, calls);
    if (token.mode == LAW_ROLE_THEN)
        return add_then(role, token, place, calls);
    /* Steps of other entities are passed over; each may also fail. */
    count = add_undo(role, token, place, calls);
    for (; place <= role->decides; place++) {
        bool last = place == role->decides;
        if (own_do(role, place, &call)) {
            calls[count++] = (struct law_role_call){
                .saga_step = place,
                .call = call,
                .after =
                    moved(role, token, last ? LAW_ROLE_THEN : LAW_ROLE_FORWARD,
                          place + 1),
            };
            return count;
        }
        if (!last && own_undo(role, place, &call))
            count += add_undo(role, token, place + 1, &calls[count]);
        if (last)
            count += add_then(role, token, place + 1, &calls[count]);
    }
    return count;
}

/* --- parameters ----------------------------------------------------------- */

static size_t largest(const struct program *program, size_t size)
{
    for (uint32_t i = 0; i < program_type_count(program); i++) {
        if (program_type(program, i)->size > size)
            size = program_type(program, i)->size;
    }
    return size;
}

size_t law_scratch_size(const struct contract *contract)
{
    size_t size = 0;

    for (uint32_t i = 0; i < contract_type_count(contract); i++)
        size = largest(contract_program(contract, i, 0), size);
    for (uint32_t i = 0; i < contract_saga_count(contract); i++)
        size = largest(contract_saga(contract, i).values, size);
    return (size + 15) / 16 * 16 + 16;
}

/* Whether the arguments of all its calls can be made of these parameters. */
static bool fits(const struct contract *contract, uint32_t saga,
                 const void *parameters, unsigned char *scratch)
{
    struct contract_saga told = contract_saga(contract, saga);
    struct contract_saga_call call;
    struct kan_slice text;
    struct buffer why = BUFFER_INIT;
    bool fine =
        contract_saga_requires(contract, saga, parameters, &text) == KAN_OK;

    for (uint32_t i = 0; fine && i < told.step_count; i++) {
        fine = contract_saga_arguments(contract, saga, i, false, parameters,
                                       scratch, &why) == KAN_OK;
        if (fine && contract_saga_undo(contract, saga, i, &call))
            fine = contract_saga_arguments(contract, saga, i, true, parameters,
                                           scratch, &why) == KAN_OK;
    }
    buffer_fini(&why);
    return fine;
}

/* Ids "a", "b", ... for the entities; other parameters stay as they are. */
static void set_ids(const struct contract *contract, uint32_t saga,
                    unsigned char *parameters)
{
    struct contract_saga told = contract_saga(contract, saga);
    const struct tree *tree = contract_tree(contract);

    for (uint32_t i = 0; i < tree->sagas[saga].parameter_count; i++) {
        struct program_member member =
            program_member(told.values, told.parameters, i);
        uint16_t size = 1;
        if (!tree->sagas[saga].parameters[i].of_entity)
            continue;
        memset(parameters + member.offset, 0,
               program_type(told.values, member.type)->size);
        memcpy(parameters + member.offset, &size, sizeof size);
        parameters[member.offset + sizeof size] = (unsigned char)('a' + i);
    }
}

/* Keep those that fit, each once. */
static void filter(const struct contract *contract, uint32_t saga,
                   struct law_few *few, unsigned char *scratch)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < few->count; i++) {
        unsigned char *record = law_few_at(few, i);
        bool is_new = true;
        set_ids(contract, saga, record);
        for (uint32_t k = 0; k < kept; k++)
            is_new &= memcmp(law_few_at(few, k), record, few->stride) != 0;
        if (!is_new || !fits(contract, saga, record, scratch))
            continue;
        if (kept != i)
            memcpy(law_few_at(few, kept), record, few->stride);
        kept++;
    }
    few->count = kept;
}

/* Which parameters of the saga are entities, a bit each. */
static uint32_t entities(const struct contract *contract, uint32_t saga)
{
    const struct tree_saga *tree = &contract_tree(contract)->sagas[saga];
    uint32_t found = 0;

    for (uint32_t i = 0; i < tree->parameter_count; i++)
        found |= tree->parameters[i].of_entity ? 1u << i : 0u;
    return found;
}

/* Whether it compares with texts, or a step that it takes is given one. */
static bool uses_texts(const struct contract *contract, uint32_t saga)
{
    struct contract_saga told = contract_saga(contract, saga);
    struct kan_slice text;
    bool uses = program_string(told.values, 0, &text);

    for (uint32_t i = 0; i < told.step_count && !uses; i++) {
        struct contract_saga_call call = contract_saga_do(contract, saga, i);
        const struct program *program =
            contract_program(contract, call.type, 0);
        uint32_t type = program_step(program, call.step).arguments;
        for (uint32_t m = 0; m < program_type(program, type)->member_count; m++)
            uses |= program_type(program, program_member(program, type, m).type)
                        ->kind == TREE_TEXT;
    }
    return uses;
}

enum kan_err law_role_choices(const struct contract *contract, uint32_t saga,
                              struct law_few *ret_choices)
{
    struct contract_saga told = contract_saga(contract, saga);
    unsigned char *preset = mem_zalloc(law_scratch_size(contract));
    unsigned char *scratch = mem_zalloc(law_scratch_size(contract));
    enum kan_err err = KAN_NOMEM;

    if (preset && scratch) {
        const struct law_few_of of = {.contract = contract,
                                      .program = told.values,
                                      .type = told.parameters,
                                      .fixed = entities(contract, saga),
                                      .preset = preset,
                                      .scratch = scratch};
        err = law_few_init(ret_choices, &of);
    }
    /* Ids may be compared with texts, and be arguments. */
    if (err == KAN_OK && uses_texts(contract, saga))
        ret_choices->whole = false;
    if (err == KAN_OK)
        filter(contract, saga, ret_choices, scratch);
    mem_free(preset);
    mem_free(scratch);
    return err;
}
