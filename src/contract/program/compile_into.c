/* compile_into.c - values to where they belong: bounds are checked here, and
 * what is no optional is wrapped where an optional is expected. */

#include "contract/program/compile.h"

static uint32_t type_size(struct compile *c, uint32_t type)
{
    return c->err == KAN_OK ? compile_type_of(c, type)->size : 0;
}

/* The condition of a goal that a value may not fit. */
static uint32_t goal_condition(struct compile *c,
                               const struct compile_goal *goal,
                               enum program_refusal_kind kind, int64_t min,
                               int64_t max)
{
    uint32_t number = compile_condition(c, kind, goal->name, goal->span,
                                        goal->target, goal->value);

    if (c->err == KAN_OK) {
        struct program_inside_condition *condition = COMPILE_ITEM(
            c, conditions, struct program_inside_condition, number);

        condition->min = min;
        condition->max = max;
    }
    return number;
}

static void put_int(struct compile *c, struct compile_value value,
                    const struct compile_goal *goal)
{
    const struct program_type type = *compile_type_of(c, goal->type);
    uint16_t reg = compile_in_register(c, value, goal->span);

    if (value.min >= type.min && value.max <= type.max) {
        compile_emit_xy(c, MACHINE_STORE64, reg, goal->reg, 0, goal->offset, 0);
        return;
    }
    compile_emit_xy(c, MACHINE_STORE_IN, reg, goal->reg,
                    goal_condition(c, goal, PROGRAM_BOUND, type.min, type.max),
                    goal->offset, 0);
}

static void put_text(struct compile *c, struct compile_value value,
                     const struct compile_goal *goal)
{
    uint32_t bound = compile_type_of(c, goal->type)->bound;
    uint16_t at;

    if (value.type == goal->type) {
        at = compile_address(c, value, goal->span);
        compile_emit_xy(c, MACHINE_COPY, at, goal->reg, 0, goal->offset,
                        type_size(c, goal->type));
        return;
    }
    at = compile_address(c, value, goal->span);
    compile_emit_xy(c, MACHINE_COPY_TEXT, at, goal->reg,
                    goal_condition(c, goal, PROGRAM_LENGTH, 0, bound),
                    goal->offset, bound);
}

static void put_enum(struct compile *c, struct compile_value value,
                     const struct compile_goal *goal)
{
    uint16_t reg = compile_in_register(c, value, goal->span);

    if (value.type != goal->type) {
        uint16_t named = compile_register(c, goal->span);

        compile_emit_xy(c, MACHINE_NAME_OF, named, reg, 0, value.type,
                        goal->type);
        reg = named;
    }
    compile_emit_xy(c, MACHINE_STORE16, reg, goal->reg, 0, goal->offset, 0);
}

static void put_bytes(struct compile *c, struct compile_value value,
                      const struct compile_goal *goal)
{
    uint16_t at = compile_address(c, value, goal->span);
    uint32_t temp;

    if (value.type == goal->type) {
        compile_emit_xy(c, MACHINE_COPY, at, goal->reg, 0, goal->offset,
                        type_size(c, goal->type));
        return;
    }
    /* The kind of the refusal is found out when it happens; until it has not,
     * the goal stays as it is. */
    temp = compile_temp(c, type_size(c, goal->type), goal->span);
    compile_emit_xy(c, MACHINE_CONVERT, at, MACHINE_TEMPS,
                    goal_condition(c, goal, PROGRAM_BOUND, 0, 0), temp,
                    goal->type << 16 | value.type);
    at = compile_register(c, goal->span);
    compile_emit_xy(c, MACHINE_ADDRESS, at, MACHINE_TEMPS, 0, temp, 0);
    compile_emit_xy(c, MACHINE_COPY, at, goal->reg, 0, goal->offset,
                    type_size(c, goal->type));
}

/* The flag behind an optional's value. */
static void put_flag(struct compile *c, const struct compile_goal *goal,
                     uint32_t of)
{
    uint16_t one = compile_register(c, goal->span);
    uint32_t flag = type_size(c, of);
    uint32_t rest = type_size(c, goal->type) - flag - 1;

    compile_emit_number(c, one, 1);
    compile_emit_xy(c, MACHINE_STORE8, one, goal->reg, 0, goal->offset + flag,
                    0);
    /* In a state what pads it is zero already. */
    if (rest > 0 && goal->reg != MACHINE_STATE) {
        compile_emit_xy(c, MACHINE_ZERO, 0, goal->reg, 0,
                        goal->offset + flag + 1, rest);
    }
}

void compile_put(struct compile *c, struct compile_value value,
                 struct compile_goal goal)
{
    const struct program_type *type;

    if (c->err != KAN_OK)
        return;
    type = compile_type_of(c, goal.type);
    if (type->kind == TREE_OPTIONAL && value.kind != TREE_OPTIONAL) {
        struct compile_goal inner = goal;

        inner.type = type->of;
        compile_put(c, value, inner);
        put_flag(c, &goal, inner.type);
        return;
    }
    switch (type->kind) {
    case TREE_BOOL:
        compile_emit_xy(c, MACHINE_STORE8,
                        compile_in_register(c, value, goal.span), goal.reg, 0,
                        goal.offset, 0);
        break;
    case TREE_INT:
        put_int(c, value, &goal);
        break;
    case TREE_TEXT:
        put_text(c, value, &goal);
        break;
    case TREE_ENUM:
        put_enum(c, value, &goal);
        break;
    case TREE_RECORD:
    case TREE_OPTIONAL:
    case TREE_SET:
    case TREE_MAP:
        put_bytes(c, value, &goal);
        break;
    case TREE_NONE_TYPE:
        break;
    }
}

/* --- record literals ------------------------------------------------------ */

/* "place.x" for a field of a literal that goes to `place`. */
static struct program_words name_within(struct compile *c,
                                        struct program_words outer,
                                        struct kan_slice field)
{
    char joined[2 * SOURCE_NAME_MAX + 2];
    size_t size = 0;

    if (c->err != KAN_OK || outer.size == 0 ||
        outer.size + field.size + 1 > sizeof joined)
        return compile_words(c, field);
    memcpy(joined, c->data.bytes + outer.at - sizeof(struct program),
           outer.size);
    size = outer.size;
    joined[size++] = '.';
    memcpy(joined + size, field.bytes, field.size);
    return compile_words(c, kan_slice(joined, size + field.size));
}

static void literal_into(struct compile *c, const struct tree_expr *expr,
                         const struct compile_goal *goal)
{
    const struct tree_record *record = expr->type->record;
    uint32_t image = *COMPILE_ITEM(c, starts, uint32_t, goal->type);
    uint32_t i;
    uint32_t k;

    if (image == PROGRAM_NOTHING) {
        compile_emit_xy(c, MACHINE_ZERO, 0, goal->reg, 0, goal->offset,
                        type_size(c, goal->type));
    } else {
        uint16_t at = compile_register(c, expr->span);

        compile_emit_xy(c, MACHINE_ADDRESS, at, MACHINE_BLOCK, 0, image, 0);
        compile_emit_xy(c, MACHINE_COPY, at, goal->reg, 0, goal->offset,
                        type_size(c, goal->type));
    }
    for (i = 0; i < expr->argument_count && c->err == KAN_OK; i++) {
        for (k = 0; k < record->field_count; k++) {
            const struct program_inside_member *member;
            struct compile_goal inner = *goal;

            if (!slice_equal(record->fields[k].name.text, expr->labels[i].text))
                continue;
            inner.name = name_within(c, goal->name, expr->labels[i].text);
            if (c->err != KAN_OK)
                return;
            member =
                COMPILE_ITEM(c, members, struct program_inside_member,
                             compile_type_of(c, goal->type)->member_first + k);
            inner.type = member->type;
            inner.offset = goal->offset + member->offset;
            inner.span = expr->arguments[i]->span;
            inner.value = expr->arguments[i];
            inner.target = NULL;
            compile_into(c, expr->arguments[i], inner);
        }
    }
}

/* --- expressions ---------------------------------------------------------- */

static void choice_into(struct compile *c, const struct tree_expr *expr,
                        const struct compile_goal *goal)
{
    uint32_t otherwise = compile_label(c);
    uint32_t end = compile_label(c);

    compile_jump(c, expr->left, otherwise, false);
    compile_into(c, expr->right, *goal);
    compile_emit_xy(c, MACHINE_JUMP, 0, 0, 0, end, 0);
    compile_label_here(c, otherwise);
    compile_into(c, expr->third, *goal);
    compile_label_here(c, end);
}

void compile_into(struct compile *c, const struct tree_expr *expr,
                  struct compile_goal goal)
{
    uint32_t registers = c->registers;
    enum tree_type_kind kind;

    if (c->err != KAN_OK)
        return;
    if (++c->depth > 4 * TREE_DEPTH_MAX)
        compile_full(c, expr->span, "the expression is too deep");
    kind = c->err == KAN_OK ? compile_type_of(c, goal.type)->kind : TREE_INT;
    if (c->err != KAN_OK) {
        /* Nothing more. */
    } else if (expr->kind == TREE_IF) {
        choice_into(c, expr, &goal);
    } else if (expr->kind == TREE_NONE) {
        compile_emit_xy(c, MACHINE_ZERO, 0, goal.reg, 0, goal.offset,
                        type_size(c, goal.type));
    } else if (expr->kind == TREE_LITERAL && kind == TREE_OPTIONAL) {
        struct compile_goal inner = goal;

        inner.type = compile_type_of(c, goal.type)->of;
        compile_into(c, expr, inner);
        put_flag(c, &goal, inner.type);
    } else if (expr->kind == TREE_LITERAL) {
        literal_into(c, expr, &goal);
    } else {
        compile_put(c, compile_expr(c, expr), goal);
    }
    c->depth--;
    c->registers = registers;
}
