/* compile_expr.c - expressions to instructions.
 *
 * A value is left where it lies for as long as possible: a number goes to a
 * register, anything larger stays at its address. */

#include "contract/program/compile.h"

static const struct program_words no_words;

void compile_deeper(struct compile *c, const struct tree_expr *expr)
{
    /* The parser bounds it; a chain of operators may add as many again. */
    if (++c->depth > 4 * TREE_DEPTH_MAX)
        compile_full(c, expr->span, "the expression is too deep");
}

static void read_field(struct compile *c, uint32_t field)
{
    c->reads[field / 64] |= UINT64_C(1) << field % 64;
}

static struct compile_value value_number(uint16_t reg, enum tree_type_kind kind)
{
    struct compile_value value = {.kind = kind,
                                  .type = PROGRAM_NOTHING,
                                  .number = true,
                                  .reg = reg,
                                  .min = INT64_MIN,
                                  .max = INT64_MAX};

    return value;
}

static struct compile_value value_constant(enum tree_type_kind kind,
                                           int64_t number)
{
    struct compile_value value = {.kind = kind,
                                  .type = PROGRAM_NOTHING,
                                  .number = true,
                                  .constant = true,
                                  .min = number,
                                  .max = number};

    return value;
}

/* What lies at register + offset, laid out as type. */
struct compile_value compile_value_at(struct compile *c, uint32_t type,
                                      uint16_t reg, uint32_t offset)
{
    struct compile_value value = {.type = type, .reg = reg, .offset = offset};
    const struct program_type *is;

    if (c->err != KAN_OK)
        return value;
    is = compile_type_of(c, type);
    value.kind = is->kind;
    value.min = is->kind == TREE_INT ? is->min : INT64_MIN;
    value.max = is->kind == TREE_INT ? is->max : INT64_MAX;
    return value;
}

bool compile_kind_is_number(enum tree_type_kind kind)
{
    return kind == TREE_BOOL || kind == TREE_INT || kind == TREE_ENUM;
}

uint16_t compile_in_register(struct compile *c, struct compile_value value,
                             struct source_span span)
{
    uint16_t reg;

    if (value.number && !value.constant)
        return value.reg;
    reg = compile_register(c, span);
    if (value.constant)
        compile_emit_number(c, reg, value.min);
    else if (value.kind == TREE_INT)
        compile_emit_xy(c, MACHINE_LOAD64, reg, value.reg, 0, value.offset, 0);
    else if (value.kind == TREE_BOOL)
        compile_emit_xy(c, MACHINE_LOAD8, reg, value.reg, 0, value.offset, 0);
    else
        compile_emit_xy(c, MACHINE_LOAD16, reg, value.reg, 0, value.offset, 0);
    return reg;
}

uint16_t compile_address(struct compile *c, struct compile_value value,
                         struct source_span span)
{
    uint16_t reg;

    if (value.offset == 0)
        return value.reg;
    reg = compile_register(c, span);
    compile_emit_xy(c, MACHINE_ADDRESS, reg, value.reg, 0, value.offset, 0);
    return reg;
}

/* A value as an operand of an instruction, whatever it is. */
uint16_t compile_operand(struct compile *c, struct compile_value value,
                         struct source_span span)
{
    return compile_kind_is_number(value.kind)
               ? compile_in_register(c, value, span)
               : compile_address(c, value, span);
}

/* --- names ---------------------------------------------------------------- */

static struct compile_value expr_member_of(struct compile *c, uint32_t record,
                                           uint16_t reg, uint32_t offset,
                                           uint32_t number)
{
    const struct program_inside_member *member;

    if (c->err != KAN_OK)
        return value_number(MACHINE_FIRST, TREE_INT);
    member = COMPILE_ITEM(c, members, struct program_inside_member,
                          compile_type_of(c, record)->member_first + number);
    return compile_value_at(c, member->type, reg, offset + member->offset);
}

static struct compile_value expr_name(struct compile *c,
                                      const struct tree_expr *expr)
{
    struct compile_value value = value_number(MACHINE_FIRST, TREE_INT);

    switch (expr->meaning) {
    case TREE_MEANS_FIELD:
        read_field(c, expr->place);
        return expr_member_of(c, 0, c->scope.state, 0, expr->place);
    case TREE_MEANS_PARAMETER:
        return expr_member_of(c, c->scope.parameters, c->scope.parameters_in, 0,
                              expr->place);
    case TREE_MEANS_CONSTANT:
        value = value_constant(TREE_ENUM, expr->place);
        value.type = compile_type(c, expr->type);
        return value;
    case TREE_MEANS_NOW:
        c->reads_outside = true;
        value.reg = compile_register(c, expr->span);
        compile_emit_xy(c, MACHINE_LOAD64, value.reg, MACHINE_INPUT, 0,
                        offsetof(struct program_input, now_ms), 0);
        return value;
    case TREE_MEANS_ID:
        c->reads_outside = true;
        value.kind = TREE_TEXT;
        value.number = false;
        value.reg = compile_register(c, expr->span);
        compile_emit_xy(c, MACHINE_ID, value.reg, 0, 0,
                        compile_temp(c, 2 + PROGRAM_ID_SIZE, expr->span), 0);
        return value;
    case TREE_MEANS_OLD:
    case TREE_MEANS_NOTHING:
        break;
    }
    return value;
}

static struct compile_value expr_member(struct compile *c,
                                        const struct tree_expr *expr)
{
    struct compile_value left;

    if (expr->left->kind == TREE_NAMED && expr->left->meaning == TREE_MEANS_OLD)
        return expr_member_of(c, c->scope.old, MACHINE_OLD, 0, expr->place);
    left = compile_expr(c, expr->left);
    return expr_member_of(c, left.type, left.reg, left.offset, expr->place);
}

static struct compile_value expr_string(struct compile *c,
                                        const struct tree_expr *expr)
{
    struct compile_value value = {
        .kind = TREE_TEXT, .type = PROGRAM_NOTHING, .reg = MACHINE_BLOCK};
    uint16_t size = (uint16_t)expr->text.size;

    value.offset = compile_data(c, NULL, 2 + expr->text.size, 2);
    if (c->err == KAN_OK) {
        char *at = c->data.bytes + value.offset - sizeof(struct program);

        memcpy(at, &size, sizeof size);
        if (size > 0)
            memcpy(at + 2, expr->text.bytes, size);
        struct program_words *noted = compile_add(c, &c->strings, NULL);
        if (noted)
            *noted = (struct program_words){value.offset + 2, size};
    }
    return value;
}

/* --- sets, maps, optionals ------------------------------------------------ */

/* The name of what holds a key, for a condition: of the last member named. */
static struct program_words name_of(struct compile *c,
                                    const struct tree_expr *expr)
{
    if (expr->kind == TREE_NAMED || expr->kind == TREE_MEMBER)
        return compile_words(c, expr->name.text);
    return no_words;
}

/* A key as FIND takes it: a number of an enum is that of the set's. */
uint16_t compile_key(struct compile *c, const struct tree_expr *expr,
                     uint32_t whole)
{
    struct compile_value key = compile_expr(c, expr);
    uint16_t reg = compile_operand(c, key, expr->span);
    const struct program_type *type;
    uint32_t want;
    uint16_t named;

    if (c->err != KAN_OK || key.kind != TREE_ENUM)
        return reg;
    type = compile_type_of(c, whole);
    want = type->kind == TREE_MAP ? type->key : type->of;
    if (want == key.type)
        return reg;
    named = compile_register(c, expr->span);
    compile_emit_xy(c, MACHINE_NAME_OF, named, reg, 0, key.type, want);
    return named;
}

static struct compile_value expr_index(struct compile *c,
                                       const struct tree_expr *expr)
{
    struct compile_value whole = compile_expr(c, expr->left);
    uint16_t at = compile_address(c, whole, expr->span);
    uint16_t key = compile_key(c, expr->right, whole.type);
    uint16_t reg = compile_register(c, expr->span);
    uint32_t condition = compile_condition(
        c, PROGRAM_MISSING, name_of(c, expr->left), expr->span, expr, NULL);

    compile_emit_xy(c, MACHINE_NEED, reg, at, key, whole.type, condition);
    if (c->err != KAN_OK)
        return whole;
    return compile_value_at(c, compile_type_of(c, whole.type)->of, reg, 0);
}

/* The address of what `in` or get() looks for, or 0. */
static uint16_t expr_find(struct compile *c, const struct tree_expr *whole_expr,
                          const struct tree_expr *key_expr, uint32_t *ret_type)
{
    struct compile_value whole = compile_expr(c, whole_expr);
    uint16_t at = compile_address(c, whole, whole_expr->span);
    uint16_t key = compile_key(c, key_expr, whole.type);
    uint16_t reg = compile_register(c, key_expr->span);

    compile_emit_xy(c, MACHINE_FIND, reg, at, key, whole.type, 0);
    *ret_type = whole.type;
    return reg;
}

/* `key in whole`: the left side is computed first. */
uint16_t compile_in(struct compile *c, const struct tree_expr *expr)
{
    struct compile_value key = compile_expr(c, expr->left);
    uint16_t key_reg = compile_operand(c, key, expr->span);
    struct compile_value whole = compile_expr(c, expr->right);
    uint16_t at = compile_address(c, whole, expr->span);
    uint16_t reg = compile_register(c, expr->span);

    if (c->err == KAN_OK && key.kind == TREE_ENUM) {
        const struct program_type *type = compile_type_of(c, whole.type);
        uint32_t want = type->kind == TREE_MAP ? type->key : type->of;

        if (want != key.type) {
            compile_emit_xy(c, MACHINE_NAME_OF, reg, key_reg, 0, key.type,
                            want);
            key_reg = reg;
        }
    }
    compile_emit_xy(c, MACHINE_FIND, reg, at, key_reg, whole.type, 0);
    return reg;
}

/* Move a value into what both branches of a choice leave: a number in the
 * register, or an address. */
static void choice_take(struct compile *c, uint16_t reg,
                        struct compile_value value)
{
    if (value.constant) {
        compile_emit_number(c, reg, value.min);
    } else if (value.number) {
        compile_emit(c, MACHINE_MOVE, reg, value.reg, 0);
    } else if (compile_kind_is_number(value.kind)) {
        enum machine_op op = value.kind == TREE_INT    ? MACHINE_LOAD64
                             : value.kind == TREE_BOOL ? MACHINE_LOAD8
                                                       : MACHINE_LOAD16;

        compile_emit_xy(c, op, reg, value.reg, 0, value.offset, 0);
    } else {
        compile_emit_xy(c, MACHINE_ADDRESS, reg, value.reg, 0, value.offset, 0);
    }
}

/* What a choice left in reg, of the kind of its first branch. */
static struct compile_value choice_value(struct compile_value first,
                                         struct compile_value second,
                                         uint16_t reg)
{
    struct compile_value value = {.kind = first.kind,
                                  .type = first.type,
                                  .number = compile_kind_is_number(first.kind),
                                  .reg = reg,
                                  .min = first.min,
                                  .max = first.max};

    /* Of two texts each may be the longer. */
    if (first.kind == TREE_TEXT && first.type != second.type)
        value.type = PROGRAM_NOTHING;
    if (second.min < value.min)
        value.min = second.min;
    if (second.max > value.max)
        value.max = second.max;
    return value;
}

/* get(whole, key, otherwise) and get(optional, otherwise): otherwise is
 * computed in any case. */
static struct compile_value expr_get(struct compile *c,
                                     const struct tree_expr *expr)
{
    bool map = expr->argument_count == 3;
    const struct tree_expr *otherwise = expr->arguments[map ? 2 : 1];
    uint32_t have = compile_label(c);
    uint32_t end = compile_label(c);
    struct compile_value found;
    struct compile_value other;
    uint16_t flag;
    uint16_t reg;

    if (map) {
        uint32_t type = 0;

        flag = expr_find(c, expr->arguments[0], expr->arguments[1], &type);
        if (c->err != KAN_OK)
            return value_number(MACHINE_FIRST, TREE_INT);
        found = compile_value_at(c, compile_type_of(c, type)->of, flag, 0);
    } else {
        struct compile_value optional = compile_expr(c, expr->arguments[0]);
        uint32_t of;

        if (c->err != KAN_OK)
            return value_number(MACHINE_FIRST, TREE_INT);
        of = compile_type_of(c, optional.type)->of;
        found = compile_value_at(c, of, optional.reg, optional.offset);
        flag = compile_register(c, expr->span);
        compile_emit_xy(c, MACHINE_LOAD8, flag, optional.reg, 0,
                        optional.offset + compile_type_of(c, of)->size, 0);
    }
    reg = compile_register(c, expr->span);
    if (found.kind == TREE_OPTIONAL || found.kind == TREE_RECORD) {
        /* Whatever otherwise is, it is laid out as what is looked for. */
        uint32_t temp = compile_temp(
            c, c->err == KAN_OK ? compile_type_of(c, found.type)->size : 0,
            expr->span);
        struct compile_goal goal = {.type = found.type,
                                    .reg = MACHINE_TEMPS,
                                    .offset = temp,
                                    .span = expr->span,
                                    .value = expr};

        compile_into(c, otherwise, goal);
        other = compile_value_at(c, found.type, MACHINE_TEMPS, temp);
    } else {
        other = compile_expr(c, otherwise);
    }
    compile_emit_xy(c, MACHINE_JUMP_IF, flag, 0, 0, have, 0);
    choice_take(c, reg, other);
    compile_emit_xy(c, MACHINE_JUMP, 0, 0, 0, end, 0);
    compile_label_here(c, have);
    choice_take(c, reg, found);
    compile_label_here(c, end);
    return choice_value(found, other, reg);
}

/* --- computing ------------------------------------------------------------ */

static void number_note(struct compile *c, int64_t number)
{
    int64_t *place = compile_add(c, &c->numbers, NULL);

    if (place)
        *place = number;
}

static struct compile_value expr_arithmetic(struct compile *c,
                                            const struct tree_expr *expr)
{
    static const struct
    {
        enum machine_op op;
        enum program_refusal_kind kind;
    } ops[] = {
        [TREE_ADD] = {MACHINE_ADD, PROGRAM_OVERFLOW},
        [TREE_SUBTRACT] = {MACHINE_SUBTRACT, PROGRAM_OVERFLOW},
        [TREE_MULTIPLY] = {MACHINE_MULTIPLY, PROGRAM_OVERFLOW},
        [TREE_DIVIDE] = {MACHINE_DIVIDE, PROGRAM_DIVIDE},
        [TREE_REMAINDER] = {MACHINE_REMAINDER, PROGRAM_DIVIDE},
    };
    struct compile_value left = compile_expr(c, expr->left);
    uint16_t a = compile_in_register(c, left, expr->span);
    struct compile_value right = compile_expr(c, expr->right);
    uint16_t b = compile_in_register(c, right, expr->span);
    uint16_t reg = compile_register(c, expr->span);
    uint32_t condition = compile_condition(c, ops[expr->op].kind, c->assigned,
                                           expr->span, expr, NULL);

    compile_emit_xy(c, ops[expr->op].op, reg, a, b, condition, 0);
    return value_number(reg, TREE_INT);
}

static struct compile_value expr_negative(struct compile *c,
                                          const struct tree_expr *expr)
{
    struct compile_value value = compile_expr(c, expr->left);
    uint16_t zero;
    uint16_t reg;
    uint16_t right;

    if (value.constant && value.min > INT64_MIN) {
        number_note(c, -value.min);
        return value_constant(TREE_INT, -value.min);
    }
    right = compile_in_register(c, value, expr->span);
    zero = compile_register(c, expr->span);
    compile_emit_number(c, zero, 0);
    reg = compile_register(c, expr->span);
    compile_emit_xy(c, MACHINE_SUBTRACT, reg, zero, right,
                    compile_condition(c, PROGRAM_OVERFLOW, c->assigned,
                                      expr->span, expr, NULL),
                    0);
    return value_number(reg, TREE_INT);
}

static struct compile_value expr_call(struct compile *c,
                                      const struct tree_expr *expr)
{
    struct compile_value left;
    struct compile_value right;
    uint16_t a;
    uint16_t b;
    uint16_t reg;

    if (expr->function == TREE_GET)
        return expr_get(c, expr);
    left = compile_expr(c, expr->arguments[0]);
    if (expr->function == TREE_SIZE) {
        /* A text's length, and a count, are what stands first. */
        reg = compile_register(c, expr->span);
        compile_emit_xy(c, MACHINE_LOAD16, reg, left.reg, 0, left.offset, 0);
        left = value_number(reg, TREE_INT);
        left.min = 0;
        left.max = UINT16_MAX;
        return left;
    }
    a = compile_in_register(c, left, expr->span);
    right = compile_expr(c, expr->arguments[1]);
    b = compile_in_register(c, right, expr->span);
    reg = compile_register(c, expr->span);
    compile_emit(c, expr->function == TREE_MIN ? MACHINE_LEAST : MACHINE_MOST,
                 reg, a, b);
    return value_number(reg, TREE_INT);
}

/* A value that is laid out in a temporary. */
static struct compile_value expr_in_temp(struct compile *c,
                                         const struct tree_expr *expr,
                                         uint32_t type)
{
    struct compile_goal goal = {
        .type = type, .reg = MACHINE_TEMPS, .span = expr->span, .value = expr};

    if (c->err != KAN_OK)
        return value_number(MACHINE_FIRST, TREE_INT);
    goal.offset = compile_temp(c, compile_type_of(c, type)->size, expr->span);
    compile_into(c, expr, goal);
    return compile_value_at(c, type, MACHINE_TEMPS, goal.offset);
}

static struct compile_value expr_if(struct compile *c,
                                    const struct tree_expr *expr)
{
    uint32_t otherwise = compile_label(c);
    uint32_t end = compile_label(c);
    struct compile_value first;
    struct compile_value second;
    uint16_t reg;

    if (expr->type && expr->type->kind != TREE_BOOL &&
        expr->type->kind != TREE_INT && expr->type->kind != TREE_TEXT)
        return expr_in_temp(c, expr, compile_type(c, expr->type));
    reg = compile_register(c, expr->span);
    compile_jump(c, expr->left, otherwise, false);
    first = compile_expr(c, expr->right);
    choice_take(c, reg, first);
    compile_emit_xy(c, MACHINE_JUMP, 0, 0, 0, end, 0);
    compile_label_here(c, otherwise);
    second = compile_expr(c, expr->third);
    choice_take(c, reg, second);
    compile_label_here(c, end);
    return choice_value(first, second, reg);
}

/* Truth as a number: 0 or 1. */
static struct compile_value expr_truth(struct compile *c,
                                       const struct tree_expr *expr)
{
    uint16_t reg = compile_register(c, expr->span);
    uint32_t no = compile_label(c);
    uint32_t end = compile_label(c);

    compile_jump(c, expr, no, false);
    compile_emit_number(c, reg, 1);
    compile_emit_xy(c, MACHINE_JUMP, 0, 0, 0, end, 0);
    compile_label_here(c, no);
    compile_emit_number(c, reg, 0);
    compile_label_here(c, end);
    return value_number(reg, TREE_BOOL);
}

static struct compile_value expr_inner(struct compile *c,
                                       const struct tree_expr *expr)
{
    switch (expr->kind) {
    case TREE_NUMBER:
        number_note(c, expr->number);
        return value_constant(TREE_INT, expr->number);
    case TREE_TRUTH:
        return value_constant(TREE_BOOL, expr->number);
    case TREE_STRING:
        return expr_string(c, expr);
    case TREE_NAMED:
        return expr_name(c, expr);
    case TREE_MEMBER:
        return expr_member(c, expr);
    case TREE_INDEX:
        return expr_index(c, expr);
    case TREE_CALL:
        return expr_call(c, expr);
    case TREE_IF:
        return expr_if(c, expr);
    case TREE_NONE:
    case TREE_LITERAL:
        return expr_in_temp(c, expr, compile_type(c, expr->type));
    case TREE_UNARY:
        if (expr->op == TREE_MINUS)
            return expr_negative(c, expr);
        return expr_truth(c, expr);
    case TREE_BINARY:
        if (expr->op >= TREE_ADD)
            return expr_arithmetic(c, expr);
        return expr_truth(c, expr);
    }
    return value_number(MACHINE_FIRST, TREE_INT);
}

struct compile_value compile_expr(struct compile *c,
                                  const struct tree_expr *expr)
{
    struct compile_value value = value_number(MACHINE_FIRST, TREE_INT);

    compile_deeper(c, expr);
    if (c->err == KAN_OK)
        value = expr_inner(c, expr);
    c->depth--;
    return value;
}
