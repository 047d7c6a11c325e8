/* plain.c - expressions and statements, walked as they stand.
 *
 * A refusal travels as the kind in struct plain_run: once it is set, every
 * function returns at once, and whatever it returns is not looked at. */

#include "contract/plain/plain_inside.h"

/* --- expressions ---------------------------------------------------------- */

static const struct plain_value *plain_expr(struct plain_run *run,
                                            const struct tree_expr *expr);

static const struct plain_value *default_of(struct plain_run *run,
                                            const struct tree_type *type);

static const struct plain_value *fields_start(struct plain_run *run,
                                              const struct tree_field *fields,
                                              uint32_t count)
{
    struct plain_value *record = plain_whole(run->arena, count, false);
    uint32_t i;

    if (!record) {
        run->failed = true;
        return &plain_nothing;
    }
    for (i = 0; i < count; i++) {
        record->values[i] = fields[i].value ? plain_expr(run, fields[i].value)
                                            : default_of(run, fields[i].type);
    }
    return record;
}

static const struct plain_value *default_of(struct plain_run *run,
                                            const struct tree_type *type)
{
    struct plain_value *value;

    if (type->kind == TREE_OPTIONAL)
        return &plain_nothing;
    if (type->kind == TREE_RECORD) {
        return fields_start(run, type->record->fields,
                            type->record->field_count);
    }
    value = plain_whole(run->arena, 0, true);
    if (!value) {
        run->failed = true;
        return &plain_nothing;
    }
    return value;
}

static const struct plain_value *plain_arithmetic(struct plain_run *run,
                                                  enum tree_operator op,
                                                  int64_t a, int64_t b)
{
    int64_t result = 0;
    bool over = false;

    if ((op == TREE_DIVIDE || op == TREE_REMAINDER) && b == 0) {
        plain_refuse(run, PROGRAM_DIVIDE);
        return &plain_nothing;
    }
    switch (op) {
    case TREE_ADD:
        over = __builtin_add_overflow(a, b, &result);
        break;
    case TREE_SUBTRACT:
        over = __builtin_sub_overflow(a, b, &result);
        break;
    case TREE_MULTIPLY:
        over = __builtin_mul_overflow(a, b, &result);
        break;
    case TREE_DIVIDE:
        over = a == INT64_MIN && b == -1;
        result = over ? 0 : a / b;
        break;
    default:
        result = b == -1 ? 0 : a % b;
        break;
    }
    if (over)
        plain_refuse(run, PROGRAM_OVERFLOW);
    return plain_number(run, result);
}

/* The type by which two sides are compared: the optional when one is. */
static const struct tree_type *compared_type(const struct tree_expr *left,
                                             const struct tree_expr *right)
{
    if (right->type->kind == TREE_OPTIONAL)
        return right->type;
    return left->type;
}

static const struct plain_value *plain_binary(struct plain_run *run,
                                              const struct tree_expr *expr)
{
    const struct plain_value *left = plain_expr(run, expr->left);
    const struct plain_value *right;
    const struct tree_type *type;
    bool there;

    if (plain_ended(run))
        return &plain_nothing;
    if (expr->op == TREE_AND && !left->number)
        return plain_number(run, 0);
    if (expr->op == TREE_OR && left->number)
        return plain_number(run, 1);
    if (expr->op == TREE_IMPLIES && !left->number)
        return plain_number(run, 1);
    right = plain_expr(run, expr->right);
    if (plain_ended(run))
        return &plain_nothing;
    type = compared_type(expr->left, expr->right);
    switch (expr->op) {
    case TREE_AND:
    case TREE_OR:
    case TREE_IMPLIES:
        return plain_number(run, right->number);
    case TREE_EQUAL:
        return plain_number(run, plain_equal(type, left, right));
    case TREE_UNEQUAL:
        return plain_number(run, !plain_equal(type, left, right));
    case TREE_LESS:
        return plain_number(run, plain_compare(type, left, right) < 0);
    case TREE_AT_MOST:
        return plain_number(run, plain_compare(type, left, right) <= 0);
    case TREE_MORE:
        return plain_number(run, plain_compare(type, left, right) > 0);
    case TREE_AT_LEAST:
        return plain_number(run, plain_compare(type, left, right) >= 0);
    case TREE_IN:
        plain_find(expr->right->type, right, left, &there);
        return plain_number(run, there);
    default:
        return plain_arithmetic(run, expr->op, left->number, right->number);
    }
}

static const struct plain_value *plain_index(struct plain_run *run,
                                             const struct tree_expr *expr)
{
    const struct plain_value *whole = plain_expr(run, expr->left);
    const struct plain_value *key = plain_expr(run, expr->right);
    bool there;
    uint32_t place;

    if (plain_ended(run))
        return &plain_nothing;
    place = plain_find(expr->left->type, whole, key, &there);
    if (!there) {
        plain_refuse(run, PROGRAM_MISSING);
        return &plain_nothing;
    }
    return whole->values[place];
}

static const struct plain_value *plain_call(struct plain_run *run,
                                            const struct tree_expr *expr)
{
    const struct plain_value *values[3] = {&plain_nothing, &plain_nothing,
                                           &plain_nothing};
    const struct tree_type *type = expr->arguments[0]->type;
    uint32_t i;
    bool there;

    for (i = 0; i < expr->argument_count && i < 3; i++)
        values[i] = plain_expr(run, expr->arguments[i]);
    if (plain_ended(run))
        return &plain_nothing;
    switch (expr->function) {
    case TREE_SIZE:
        return plain_number(run, type->kind == TREE_TEXT
                                     ? (int64_t)values[0]->text.size
                                     : (int64_t)values[0]->count);
    case TREE_MIN:
        return values[0]->number <= values[1]->number ? values[0] : values[1];
    case TREE_MAX:
        return values[0]->number >= values[1]->number ? values[0] : values[1];
    case TREE_GET:
        /* An optional is made before it is known which of the two it is. */
        if (type->of->kind == TREE_OPTIONAL)
            plain_fits(run, type->of, values[expr->argument_count - 1]);
        if (plain_ended(run))
            return &plain_nothing;
        if (type->kind == TREE_OPTIONAL)
            return values[0]->absent ? values[1] : values[0];
        i = plain_find(type, values[0], values[1], &there);
        return there ? values[0]->values[i] : values[2];
    }
    return &plain_nothing;
}

static const struct plain_value *plain_literal(struct plain_run *run,
                                               const struct tree_expr *expr)
{
    const struct tree_record *record = expr->type->record;
    const struct plain_value *made =
        fields_start(run, record->fields, record->field_count);
    uint32_t i;
    uint32_t field;

    for (i = 0; i < expr->argument_count && !plain_ended(run); i++) {
        const struct plain_value *value = plain_expr(run, expr->arguments[i]);

        for (field = 0; field < record->field_count; field++) {
            if (slice_equal(record->fields[field].name.text,
                            expr->labels[i].text)) {
                plain_fits(run, record->fields[field].type, value);
                made = plain_record_with(run, made, field, value);
            }
        }
    }
    return made;
}

/* The id of the step, which may stay in the state for longer than the input. */
static const struct plain_value *plain_id(struct plain_run *run)
{
    const char *copy =
        arena_copy(run->arena, kan_slice(run->input->id, PROGRAM_ID_SIZE));

    if (!copy) {
        run->failed = true;
        return &plain_nothing;
    }
    return plain_text(run, kan_slice(copy, PROGRAM_ID_SIZE));
}

static const struct plain_value *plain_name(struct plain_run *run,
                                            const struct tree_expr *expr)
{
    switch (expr->meaning) {
    case TREE_MEANS_FIELD:
        return run->state->values[expr->place];
    case TREE_MEANS_PARAMETER:
        return run->arguments[expr->place];
    case TREE_MEANS_CONSTANT:
        return plain_number(run, expr->place);
    case TREE_MEANS_NOW:
        return plain_number(run, run->input->now_ms);
    case TREE_MEANS_ID:
        return plain_id(run);
    case TREE_MEANS_OLD:
        return run->old;
    case TREE_MEANS_NOTHING:
        break;
    }
    return &plain_nothing;
}

static const struct plain_value *plain_expr(struct plain_run *run,
                                            const struct tree_expr *expr)
{
    const struct plain_value *value;

    if (plain_ended(run))
        return &plain_nothing;
    switch (expr->kind) {
    case TREE_NUMBER:
    case TREE_TRUTH:
        return plain_number(run, expr->number);
    case TREE_STRING:
        return plain_text(run, expr->text);
    case TREE_NONE:
        return &plain_nothing;
    case TREE_NAMED:
        return plain_name(run, expr);
    case TREE_MEMBER:
        value = plain_expr(run, expr->left);
        return plain_ended(run) ? &plain_nothing : value->values[expr->place];
    case TREE_INDEX:
        return plain_index(run, expr);
    case TREE_UNARY:
        value = plain_expr(run, expr->left);
        if (plain_ended(run))
            return &plain_nothing;
        if (expr->op == TREE_NOT)
            return plain_number(run, !value->number);
        return plain_arithmetic(run, TREE_SUBTRACT, 0, value->number);
    case TREE_BINARY:
        return plain_binary(run, expr);
    case TREE_IF:
        value = plain_expr(run, expr->left);
        if (plain_ended(run))
            return &plain_nothing;
        value = plain_expr(run, value->number ? expr->right : expr->third);
        if (expr->type->kind != TREE_INT && expr->type->kind != TREE_TEXT)
            plain_fits(run, expr->type, value);
        return value;
    case TREE_CALL:
        return plain_call(run, expr);
    case TREE_LITERAL:
        return plain_literal(run, expr);
    }
    return &plain_nothing;
}

/* --- statements ----------------------------------------------------------- */

/* The state with the place that target names changed to value. within is what
 * the place is part of, as it is now. */
static void plain_put(struct plain_run *run, const struct tree_expr *target,
                      const struct plain_value *value)
{
    const struct plain_value *within;

    if (plain_ended(run))
        return;
    if (target->kind == TREE_NAMED) {
        run->state = plain_record_with(run, run->state, target->place, value);
        return;
    }
    within = plain_expr(run, target->left);
    if (target->kind == TREE_MEMBER) {
        within = plain_record_with(run, within, target->place, value);
    } else {
        const struct plain_value *key = plain_expr(run, target->right);

        plain_fits(run, target->left->type->key, key);
        if (plain_ended(run))
            return;
        within = plain_with(run, target->left->type, within, key, value);
    }
    plain_put(run, target->left, within);
}

/* target += value, or -=. */
static void plain_change(struct plain_run *run,
                         const struct tree_statement *statement)
{
    const struct tree_type *type = statement->target->type;
    const struct plain_value *was = plain_expr(run, statement->target);
    const struct plain_value *by = plain_expr(run, statement->value);
    bool more = statement->kind == TREE_INCREASE;

    if (plain_ended(run))
        return;
    if (type->kind == TREE_INT) {
        was = plain_arithmetic(run, more ? TREE_ADD : TREE_SUBTRACT,
                               was->number, by->number);
    } else if (more) {
        plain_fits(run, type->of, by);
        if (!plain_ended(run))
            was = plain_with(run, type, was, by, &plain_nothing);
    } else {
        was = plain_without(run, type, was, by);
    }
    plain_fits(run, type, was);
    plain_put(run, statement->target, was);
}

static void plain_block(struct plain_run *run, const struct tree_block *block)
{
    uint32_t i;

    for (i = 0; block && i < block->count && !plain_ended(run); i++) {
        const struct tree_statement *statement = block->statements[i];
        const struct plain_value *value;

        run->target = statement->target;
        switch (statement->kind) {
        case TREE_REQUIRE:
            value = plain_expr(run, statement->condition);
            if (!plain_ended(run) && !value->number) {
                run->text = statement->text;
                plain_refuse(run, PROGRAM_REQUIRE);
            }
            break;
        case TREE_ASSIGN:
            value = plain_expr(run, statement->value);
            plain_fits(run, statement->target->type, value);
            plain_put(run, statement->target, value);
            break;
        case TREE_INCREASE:
        case TREE_DECREASE:
            plain_change(run, statement);
            break;
        case TREE_BRANCH:
            value = plain_expr(run, statement->condition);
            if (!plain_ended(run)) {
                plain_block(run, value->number ? statement->body
                                               : statement->otherwise);
            }
            break;
        }
        if (!plain_ended(run))
            run->target = NULL;
    }
}

static void plain_invariants(struct plain_run *run,
                             const struct tree_entity *entity)
{
    uint32_t i;

    for (i = 0; i < entity->invariant_count && !plain_ended(run); i++) {
        const struct plain_value *value =
            plain_expr(run, entity->invariants[i].holds);

        if (!plain_ended(run) && !value->number) {
            run->text = entity->invariants[i].name.text;
            plain_refuse(run, PROGRAM_INVARIANT);
        }
    }
}

bool plain_target_named(const struct tree_expr *target, struct kan_slice name)
{
    struct kan_slice part;
    size_t before;

    if (!target)
        return name.size == 0;
    if (target->kind == TREE_INDEX)
        return plain_target_named(target->left, name);
    part = target->name.text;
    if (target->kind == TREE_NAMED)
        return slice_equal(part, name);
    /* "." and the last part. */
    if (name.size < part.size + 1)
        return false;
    before = name.size - part.size - 1;
    return slice_at(name, before) == '.' &&
           slice_equal(slice_skip(name, before + 1), part) &&
           plain_target_named(target->left, slice_head(name, before));
}

static struct plain_result plain_end(const struct plain_run *run)
{
    struct plain_result result = {.refused = run->refused,
                                  .state = run->state,
                                  .text = run->text,
                                  .target = run->target,
                                  .failed = run->failed};

    return result;
}

/* --- from outside --------------------------------------------------------- */

const struct plain_value *plain_start(const struct tree_entity *entity,
                                      struct arena *arena)
{
    struct plain_run run = {.arena = arena};
    const struct plain_value *state =
        fields_start(&run, entity->fields, entity->field_count);

    return run.failed ? NULL : state;
}

struct plain_result plain_take(const struct tree_entity *entity,
                               const struct tree_step *step,
                               const struct plain_value *state,
                               const struct plain_value *const *arguments,
                               const struct program_input *input,
                               struct arena *arena)
{
    struct plain_run run = {
        .arena = arena, .state = state, .arguments = arguments, .input = input};

    if (step->when) {
        const struct plain_value *guard = plain_expr(&run, step->when);

        if (!plain_ended(&run) && !guard->number)
            plain_refuse(&run, PROGRAM_GUARD);
    }
    plain_block(&run, step->body);
    plain_invariants(&run, entity);
    return plain_end(&run);
}

struct plain_result plain_carry(const struct tree_upgrade *upgrade, bool up,
                                const struct plain_value *state,
                                const struct program_input *input,
                                struct arena *arena)
{
    const struct tree_entity *from = up ? upgrade->old : upgrade->new_;
    const struct tree_entity *to = up ? upgrade->new_ : upgrade->old;
    struct plain_run run = {.arena = arena, .old = state, .input = input};
    uint32_t i;
    uint32_t k;

    run.state = fields_start(&run, to->fields, to->field_count);
    for (i = 0; i < to->field_count && !plain_ended(&run); i++) {
        for (k = 0; k < from->field_count; k++) {
            if (slice_equal(to->fields[i].name.text,
                            from->fields[k].name.text) &&
                tree_type_fits(from->fields[k].type, to->fields[i].type))
                run.state =
                    plain_record_with(&run, run.state, i, state->values[k]);
        }
    }
    plain_block(&run, up ? upgrade->up : upgrade->down);
    plain_invariants(&run, to);
    return plain_end(&run);
}
