/* compile_truth.c - conditions as jumps, so that what is not needed is not
 * computed: and, or, =>, not, if, and comparisons. */

#include "contract/program/compile.h"

/* a op b; by the order of the operators from TREE_EQUAL on. */
static void jump_numbers(struct compile *c, enum tree_operator op, uint16_t a,
                         uint16_t b, uint32_t label)
{
    switch (op) {
    case TREE_EQUAL:
        compile_emit_xy(c, MACHINE_JUMP_EQ, a, b, 0, label, 0);
        break;
    case TREE_UNEQUAL:
        compile_emit_xy(c, MACHINE_JUMP_NE, a, b, 0, label, 0);
        break;
    case TREE_LESS:
        compile_emit_xy(c, MACHINE_JUMP_LT, a, b, 0, label, 0);
        break;
    case TREE_AT_MOST:
        compile_emit_xy(c, MACHINE_JUMP_LE, a, b, 0, label, 0);
        break;
    case TREE_MORE:
        compile_emit_xy(c, MACHINE_JUMP_LT, b, a, 0, label, 0);
        break;
    default:
        compile_emit_xy(c, MACHINE_JUMP_LE, b, a, 0, label, 0);
        break;
    }
}

static void jump_constant(struct compile *c, enum tree_operator op, uint16_t a,
                          int64_t constant, uint32_t label)
{
    static const enum machine_op ops[] = {
        [TREE_EQUAL] = MACHINE_JUMP_EQ_N, [TREE_UNEQUAL] = MACHINE_JUMP_NE_N,
        [TREE_LESS] = MACHINE_JUMP_LT_N,  [TREE_AT_MOST] = MACHINE_JUMP_LE_N,
        [TREE_MORE] = MACHINE_JUMP_GT_N,  [TREE_AT_LEAST] = MACHINE_JUMP_GE_N,
    };

    compile_emit_xy(c, ops[op], a, 0, 0, label, (uint32_t)(int32_t)constant);
}

static enum tree_operator op_negated(enum tree_operator op)
{
    static const enum tree_operator negated[] = {
        [TREE_EQUAL] = TREE_UNEQUAL, [TREE_UNEQUAL] = TREE_EQUAL,
        [TREE_LESS] = TREE_AT_LEAST, [TREE_AT_MOST] = TREE_MORE,
        [TREE_MORE] = TREE_AT_MOST,  [TREE_AT_LEAST] = TREE_LESS,
    };

    return negated[op];
}

static bool constant_fits(struct compile_value value)
{
    return value.constant && value.min >= INT32_MIN && value.min <= INT32_MAX;
}

/* Jump when a == b (or not), of optionals, records, sets, maps. */
static void jump_same(struct compile *c, struct compile_value left,
                      struct compile_value right, struct source_span span,
                      uint32_t label, bool when)
{
    uint16_t a = compile_address(c, left, span);
    uint16_t b = compile_address(c, right, span);
    uint16_t reg = compile_register(c, span);

    if (c->err != KAN_OK)
        return;
    if (left.type == right.type) {
        compile_emit_xy(c, MACHINE_SAME_BYTES, reg, a, b,
                        compile_type_of(c, left.type)->size, 0);
    } else {
        compile_emit_xy(c, MACHINE_SAME_VALUE, reg, a, b, left.type,
                        right.type);
    }
    compile_emit_xy(c, when ? MACHINE_JUMP_IF : MACHINE_JUMP_UNLESS, reg, 0, 0,
                    label, 0);
}

static void jump_plain(struct compile *c, const struct tree_expr *expr,
                       struct compile_value left, struct compile_value right,
                       uint32_t label, bool when);

/* optional == value: it is there, and the same. */
static void jump_optional(struct compile *c, const struct tree_expr *expr,
                          struct compile_value optional,
                          struct compile_value value, uint32_t label, bool when)
{
    uint32_t of = compile_type_of(c, optional.type)->of;
    uint32_t skip = compile_label(c);
    bool equal = expr->op == TREE_EQUAL;
    uint16_t flag = compile_register(c, expr->span);

    compile_emit_xy(c, MACHINE_LOAD8, flag, optional.reg, 0,
                    optional.offset + compile_type_of(c, of)->size, 0);
    /* Not there: equal is false, unequal true. */
    compile_emit_xy(c, MACHINE_JUMP_UNLESS, flag, 0, 0,
                    equal == when ? skip : label, 0);
    optional = compile_value_at(c, of, optional.reg, optional.offset);
    jump_plain(c, expr, optional, value, label, when);
    compile_label_here(c, skip);
}

/* Both sides are computed, and no side is an optional unless both are. */
static void jump_plain(struct compile *c, const struct tree_expr *expr,
                       struct compile_value left, struct compile_value right,
                       uint32_t label, bool when)
{
    enum tree_operator op = when ? expr->op : op_negated(expr->op);
    uint16_t a;
    uint16_t b;
    uint16_t reg;

    if (left.kind == TREE_TEXT) {
        a = compile_address(c, left, expr->span);
        b = compile_address(c, right, expr->span);
        reg = compile_register(c, expr->span);
        if (op == TREE_EQUAL || op == TREE_UNEQUAL) {
            compile_emit(c, MACHINE_SAME_TEXT, reg, a, b);
            compile_emit_xy(
                c, op == TREE_EQUAL ? MACHINE_JUMP_IF : MACHINE_JUMP_UNLESS,
                reg, 0, 0, label, 0);
            return;
        }
        compile_emit(c, MACHINE_ORDER_TEXT, reg, a, b);
        jump_constant(c, op, reg, 0, label);
        return;
    }
    if (!compile_kind_is_number(left.kind)) {
        jump_same(c, left, right, expr->span, label, op == TREE_EQUAL);
        return;
    }
    a = compile_in_register(c, left, expr->span);
    if (constant_fits(right) &&
        (left.kind != TREE_ENUM || left.type == right.type)) {
        jump_constant(c, op, a, right.min, label);
        return;
    }
    b = compile_in_register(c, right, expr->span);
    if (left.kind == TREE_ENUM && left.type != right.type) {
        /* Two lists of names that share some. */
        reg = compile_register(c, expr->span);
        compile_emit_xy(c, MACHINE_NAME_OF, reg, b, 0, right.type, left.type);
        b = reg;
    }
    jump_numbers(c, op, a, b, label);
}

static void jump_compare(struct compile *c, const struct tree_expr *expr,
                         uint32_t label, bool when)
{
    const struct tree_expr *none = expr->left->kind == TREE_NONE ? expr->left
                                   : expr->right->kind == TREE_NONE
                                       ? expr->right
                                       : NULL;
    struct compile_value left;
    struct compile_value right;

    if (none) {
        const struct tree_expr *other =
            none == expr->left ? expr->right : expr->left;
        uint16_t flag;

        left = compile_expr(c, other);
        if (c->err != KAN_OK || left.kind != TREE_OPTIONAL)
            return;
        flag = compile_register(c, expr->span);
        compile_emit_xy(
            c, MACHINE_LOAD8, flag, left.reg, 0,
            left.offset +
                compile_type_of(c, compile_type_of(c, left.type)->of)->size,
            0);
        compile_emit_xy(c,
                        (expr->op == TREE_EQUAL) == when ? MACHINE_JUMP_UNLESS
                                                         : MACHINE_JUMP_IF,
                        flag, 0, 0, label, 0);
        return;
    }
    left = compile_expr(c, expr->left);
    right = compile_expr(c, expr->right);
    if (c->err != KAN_OK)
        return;
    if (left.kind == TREE_OPTIONAL && right.kind != TREE_OPTIONAL)
        jump_optional(c, expr, left, right, label, when);
    else if (right.kind == TREE_OPTIONAL && left.kind != TREE_OPTIONAL)
        jump_optional(c, expr, right, left, label, when);
    else
        jump_plain(c, expr, left, right, label, when);
}

static void jump_binary(struct compile *c, const struct tree_expr *expr,
                        uint32_t label, bool when)
{
    uint32_t skip;
    bool stop; /* the truth of the left side that settles all */

    switch (expr->op) {
    case TREE_AND:
    case TREE_OR:
    case TREE_IMPLIES:
        /* a and b: a false makes it false; a or b: a true makes it true;
         * a => b: a false makes it true. */
        stop = expr->op == TREE_OR;
        if ((expr->op != TREE_AND) == when) {
            compile_jump(c, expr->left, label, stop);
            compile_jump(c, expr->right, label, when);
            break;
        }
        skip = compile_label(c);
        compile_jump(c, expr->left, skip, stop);
        compile_jump(c, expr->right, label, when);
        compile_label_here(c, skip);
        break;
    case TREE_IN:
        compile_emit_xy(c, when ? MACHINE_JUMP_IF : MACHINE_JUMP_UNLESS,
                        compile_in(c, expr), 0, 0, label, 0);
        break;
    default:
        jump_compare(c, expr, label, when);
        break;
    }
}

static void jump_inner(struct compile *c, const struct tree_expr *expr,
                       uint32_t label, bool when)
{
    struct compile_value value;
    uint32_t otherwise;
    uint32_t end;

    if (expr->kind == TREE_UNARY && expr->op == TREE_NOT) {
        compile_jump(c, expr->left, label, !when);
        return;
    }
    if (expr->kind == TREE_BINARY && expr->op < TREE_ADD) {
        jump_binary(c, expr, label, when);
        return;
    }
    if (expr->kind == TREE_IF) {
        otherwise = compile_label(c);
        end = compile_label(c);
        compile_jump(c, expr->left, otherwise, false);
        compile_jump(c, expr->right, label, when);
        compile_emit_xy(c, MACHINE_JUMP, 0, 0, 0, end, 0);
        compile_label_here(c, otherwise);
        compile_jump(c, expr->third, label, when);
        compile_label_here(c, end);
        return;
    }
    value = compile_expr(c, expr);
    if (value.constant) {
        if ((value.min != 0) == when)
            compile_emit_xy(c, MACHINE_JUMP, 0, 0, 0, label, 0);
        return;
    }
    compile_emit_xy(c, when ? MACHINE_JUMP_IF : MACHINE_JUMP_UNLESS,
                    compile_in_register(c, value, expr->span), 0, 0, label, 0);
}

void compile_jump(struct compile *c, const struct tree_expr *expr,
                  uint32_t label, bool when)
{
    uint32_t registers = c->registers;

    compile_deeper(c, expr);
    if (c->err == KAN_OK)
        jump_inner(c, expr, label, when);
    c->depth--;
    /* What a jump computed is not needed behind it. */
    c->registers = registers;
}
