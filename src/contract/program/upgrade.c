/* upgrade.c - what is not a version of a type, but computed alike: the ways
 * between two versions, and sagas. */

#include "contract/program/upgrade.h"

#include "contract/program/compile.h"

/* --- upgrades ------------------------------------------------------------- */

/* The type of the state that is left, as a record of its own. */
static uint32_t old_type(struct compile *c, const struct tree_entity *from)
{
    return compile_fields(c, from->fields, from->field_count, from->span,
                          false);
}

/* Fields of one name and a type that the other holds whole. */
static void copies(struct compile *c, const struct tree_entity *from,
                   const struct tree_entity *to)
{
    uint32_t i;
    uint32_t k;

    for (i = 0; i < to->field_count; i++) {
        for (k = 0; k < from->field_count && c->err == KAN_OK; k++) {
            const struct tree_field *a = &from->fields[k];
            const struct tree_field *b = &to->fields[i];
            const struct program_inside_member *old;
            const struct program_inside_member *new_;
            struct compile_goal goal = {.reg = MACHINE_STATE,
                                        .span = b->name.span};
            struct compile_value value;

            if (!slice_equal(a->name.text, b->name.text) ||
                !tree_type_fits(a->type, b->type))
                continue;
            old = COMPILE_ITEM(
                c, members, struct program_inside_member,
                compile_type_of(c, c->scope.old)->member_first + k);
            new_ = COMPILE_ITEM(c, members, struct program_inside_member,
                                compile_type_of(c, 0)->member_first + i);
            goal.type = new_->type;
            goal.offset = new_->offset;
            goal.name = new_->name;
            value = compile_value_at(c, old->type, MACHINE_OLD, old->offset);
            c->registers = MACHINE_FIRST;
            c->temps = 0;
            compile_put(c, value, goal);
        }
    }
}

enum kan_err upgrade_compile(const struct tree *tree,
                             const struct tree_upgrade *upgrade, bool up,
                             struct program **ret_program)
{
    const struct tree_entity *from = up ? upgrade->old : upgrade->new_;
    const struct tree_entity *to = up ? upgrade->new_ : upgrade->old;
    struct compile_scope scope = {.parameters = PROGRAM_NOTHING,
                                  .step = PROGRAM_NOTHING};
    struct program_inside_step *step;
    struct compile c;
    enum kan_err err;
    uint32_t code;

    compile_init(&c, tree);
    c.version = to->version;
    c.name = compile_words(&c, to->name.text);
    compile_reserve_state(&c);
    (void)compile_fields(&c, to->fields, to->field_count, to->span, true);
    scope.old = old_type(&c, from);
    compile_invariants(&c, to);
    code = compile_begin(&c, &scope);
    copies(&c, from, to);
    compile_block(&c, up ? upgrade->up : upgrade->down);
    compile_emit(&c, MACHINE_JUDGE, 0, 0, 0);
    step = compile_add(&c, &c.ways, NULL);
    if (step) {
        step->code = code;
        step->arguments = scope.old;
    }
    compile_images(&c);
    err = compile_end(&c, ret_program);
    compile_fini(&c);
    return err;
}

/* The refusal as one of the version that is reached, which is what a caller
 * has: its invariants stand in the same order. */
static void carry_refused(const struct program *program,
                          const struct program *target,
                          struct program_refusal *refusal)
{
    uint32_t i;

    for (i = 0; i < program->invariants.count; i++) {
        if (PROGRAM_ITEM(program, invariants, struct program_inside_invariant,
                         i)
                ->condition == refusal->condition)
            break;
    }
    refusal->condition = PROGRAM_NOTHING;
    if (i < program->invariants.count) {
        refusal->condition =
            PROGRAM_ITEM(target, invariants, struct program_inside_invariant, i)
                ->condition;
    }
}

enum kan_err upgrade_carry(const struct program *program,
                           const struct program *target, const void *before,
                           const struct program_input *input, void *after,
                           struct program_refusal *refusal)
{
    const struct program_inside_step *step =
        PROGRAM_ITEM(program, ways, struct program_inside_step, 0);
    const struct machine machine = {.program = program,
                                    .state = after,
                                    .old = before,
                                    .input = input,
                                    .refusal = refusal,
                                    .asked = MACHINE_STEP_ALL};

    program_start(program, after);
    if (!machine_run(&machine, step->code)) {
        if (refusal)
            carry_refused(program, target, refusal);
        return KAN_CONFLICT;
    }
    if (refusal)
        refusal->kind = PROGRAM_OK;
    return KAN_OK;
}

enum kan_err upgrade_hash(const struct tree_upgrade *upgrade,
                          struct program_hash *ret_hash)
{
    struct buffer bytes = BUFFER_INIT;
    enum kan_err err = KAN_OK;

    compile_meaning_upgrade(upgrade, &bytes);
    if (buffer_failed(&bytes))
        err = KAN_NOMEM;
    else
        *ret_hash = compile_hash(buffer_slice(&bytes));
    buffer_fini(&bytes);
    return err;
}

/* --- sagas ---------------------------------------------------------------- */

static void step_add(struct compile *c, struct program_words name,
                     uint32_t arguments, uint32_t code)
{
    struct program_inside_step *step = compile_add(c, &c->ways, NULL);

    if (!step)
        return;
    step->name = name;
    step->arguments = arguments;
    step->code = code;
}

static void saga_judged(struct compile *c, const struct tree_saga *saga,
                        const struct compile_scope *scope)
{
    const struct program_words no_words = {0};
    uint32_t code = compile_begin(c, scope);
    uint32_t i;

    for (i = 0; i < saga->require_count && c->err == KAN_OK; i++) {
        c->registers = MACHINE_FIRST;
        c->temps = 0;
        compile_require(c, saga->requires[i] -> condition, PROGRAM_REQUIRE,
                        no_words, saga -> requires[i] -> text);
    }
    compile_emit(c, MACHINE_END, 0, 0, 0);
    step_add(c, no_words, 0, code);
}

/* The code of one call; call is NULL for an undo that is not there. */
static void saga_call(struct compile *c, const struct tree_saga_call *call,
                      const struct compile_scope *scope)
{
    const struct program_words no_words = {0};
    struct program_words name = no_words;
    uint32_t arguments = 0;
    uint32_t code;
    uint32_t i;

    if (!call) {
        step_add(c, no_words, 0, PROGRAM_NOTHING);
        return;
    }
    name = compile_words(c, call->step->name.text);
    arguments = compile_fields(c, call->step->parameters,
                               call->step->parameter_count, call->span, false);
    code = compile_begin(c, scope);
    for (i = 0; i < call->step->parameter_count && c->err == KAN_OK; i++) {
        const struct program_inside_member member =
            *COMPILE_ITEM(c, members, struct program_inside_member,
                          compile_type_of(c, arguments)->member_first + i);
        struct compile_goal goal = {.type = member.type,
                                    .reg = MACHINE_RESULT,
                                    .offset = member.offset,
                                    .name = member.name};

        c->registers = MACHINE_FIRST;
        c->temps = 0;
        /* What is not given stays at its default. */
        if (i >= call->argument_count)
            break;
        goal.span = call->arguments[i]->span;
        goal.value = call->arguments[i];
        compile_into(c, call->arguments[i], goal);
    }
    compile_emit(c, MACHINE_END, 0, 0, 0);
    step_add(c, name, arguments, code);
}

enum kan_err saga_compile(const struct tree *tree, const struct tree_saga *saga,
                          struct program **ret_program)
{
    /* The parameters are the state. */
    const struct compile_scope scope = {.parameters = 0,
                                        .parameters_in = MACHINE_STATE,
                                        .old = PROGRAM_NOTHING,
                                        .step = PROGRAM_NOTHING};
    struct compile c;
    enum kan_err err;
    uint32_t i;

    compile_init(&c, tree);
    c.version = 1;
    c.name = compile_words(&c, saga->name.text);
    compile_reserve_state(&c);
    (void)compile_fields(&c, saga->parameters, saga->parameter_count,
                         saga->span, true);
    c.judge_all = compile_begin(&c, &scope);
    compile_emit(&c, MACHINE_END, 0, 0, 0);
    saga_judged(&c, saga, &scope);
    for (i = 0; i < saga->step_count && c.err == KAN_OK; i++) {
        saga_call(&c, &saga->steps[i].call, &scope);
        saga_call(&c, saga->steps[i].has_undo ? &saga->steps[i].undo : NULL,
                  &scope);
    }
    compile_images(&c);
    err = compile_end(&c, ret_program);
    compile_fini(&c);
    return err;
}

static enum kan_err saga_run(const struct program *program, uint32_t number,
                             const void *parameters, void *result,
                             struct program_refusal *refusal)
{
    const struct program_input input = {0};
    const struct program_inside_step *step =
        PROGRAM_ITEM(program, ways, struct program_inside_step, number);
    const struct machine machine = {.program = program,
                                    .state = (void *)parameters,
                                    .result = result,
                                    .input = &input,
                                    .refusal = refusal,
                                    .asked = MACHINE_STEP};

    return machine_run(&machine, step->code) ? KAN_OK : KAN_CONFLICT;
}

enum kan_err saga_requires(const struct program *program,
                           const void *parameters,
                           struct program_refusal *refusal)
{
    return saga_run(program, 0, parameters, NULL, refusal);
}

enum kan_err saga_arguments(const struct program *program, uint32_t call,
                            const void *parameters, void *arguments,
                            struct program_refusal *refusal)
{
    const struct program_inside_step *way =
        PROGRAM_ITEM(program, ways, struct program_inside_step, 1 + call);
    const void *start = program_inside_start(program, way->arguments);
    uint32_t size = program_type(program, way->arguments)->size;

    if (size > 0 && start)
        memcpy(arguments, start, size);
    else if (size > 0)
        memset(arguments, 0, size);
    return saga_run(program, 1 + call, parameters, arguments, refusal);
}
