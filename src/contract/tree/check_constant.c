/* check_constant.c - what can be known of a value before it is one: numbers
 * that are computed from numbers, and constants outside of bounds. */

#include "contract/tree/check.h"

#include <inttypes.h>
#include <stdio.h>

static enum tree_constancy constant_binary(const struct tree_expr *expr,
                                           int64_t *ret_number)
{
    int64_t left;
    int64_t right;
    enum tree_constancy first = tree_constant_number(expr->left, &left);
    enum tree_constancy second = first == TREE_CONSTANT
                                     ? tree_constant_number(expr->right, &right)
                                     : first;
    bool over = false;

    if (second != TREE_CONSTANT)
        return second;
    switch (expr->op) {
    case TREE_ADD:
        over = __builtin_add_overflow(left, right, ret_number);
        break;
    case TREE_SUBTRACT:
        over = __builtin_sub_overflow(left, right, ret_number);
        break;
    case TREE_MULTIPLY:
        over = __builtin_mul_overflow(left, right, ret_number);
        break;
    case TREE_DIVIDE:
        over = right == 0 || (right == -1 && left == INT64_MIN);
        if (!over)
            *ret_number = left / right;
        break;
    case TREE_REMAINDER:
        over = right == 0;
        if (!over)
            *ret_number = right == -1 ? 0 : left % right;
        break;
    default:
        return TREE_VARIES;
    }
    return over ? TREE_OVERFLOWS : TREE_CONSTANT;
}

enum tree_constancy tree_constant_number(const struct tree_expr *expr,
                                         int64_t *ret_number)
{
    int64_t number;
    enum tree_constancy constancy;

    if (expr->kind == TREE_NUMBER) {
        *ret_number = expr->number;
        return TREE_CONSTANT;
    }
    if (expr->kind == TREE_BINARY)
        return constant_binary(expr, ret_number);
    if (expr->kind != TREE_UNARY || expr->op != TREE_MINUS)
        return TREE_VARIES;
    constancy = tree_constant_number(expr->left, &number);
    if (constancy == TREE_CONSTANT &&
        __builtin_sub_overflow((int64_t)0, number, ret_number))
        return TREE_OVERFLOWS;
    return constancy;
}

static const char *text_hint(size_t size, char hint[SOURCE_MESSAGE_MAX])
{
    if (size > TREE_TEXT_MAX)
        return "make it shorter";
    snprintf(hint, SOURCE_MESSAGE_MAX,
             "make it shorter, or give its type more room: text(%zu)", size);
    return hint;
}

bool tree_check_bounds(struct tree_checker *c, const struct tree_expr *expr,
                       const struct tree_type *to)
{
    char hint[SOURCE_MESSAGE_MAX];
    int64_t number;

    if (to->kind == TREE_OPTIONAL)
        to = to->of;
    if (to->kind == TREE_TEXT && expr->kind == TREE_STRING &&
        expr->text.size > to->size) {
        source_fault(c->source, expr->span, text_hint(expr->text.size, hint),
                     "this text has %zu bytes, and text(%" PRIu32
                     ") has room for %" PRIu32,
                     expr->text.size, to->size, to->size);
        return false;
    }
    if (to->kind != TREE_INT ||
        (to->min == INT64_MIN && to->max == INT64_MAX) ||
        tree_constant_number(expr, &number) != TREE_CONSTANT ||
        (number >= to->min && number <= to->max))
        return true;
    snprintf(hint, sizeof(hint),
             "write a number from %" PRId64 " to %" PRId64
             ", or widen the range of the type",
             to->min, to->max);
    source_fault(c->source, expr->span, hint,
                 "%" PRId64 " is not in %" PRId64 " .. %" PRId64, number,
                 to->min, to->max);
    return false;
}

/* Numbers, texts, truths, none, values of enums, and records of them. */
bool tree_check_constant(struct tree_checker *c, struct tree_expr *expr,
                         const char *what)
{
    struct kan_slice text = source_slice(c->source, expr->span);
    int64_t number = 0;
    uint32_t i;

    switch (expr->kind) {
    case TREE_NUMBER:
    case TREE_STRING:
    case TREE_TRUTH:
    case TREE_NONE:
        return true;
    case TREE_NAMED:
        if (expr->meaning == TREE_MEANS_CONSTANT)
            return true;
        break;
    case TREE_UNARY:
    case TREE_BINARY:
        switch (tree_constant_number(expr, &number)) {
        case TREE_CONSTANT:
            expr->kind = TREE_NUMBER;
            expr->number = number;
            return true;
        case TREE_OVERFLOWS:
            source_fault(c->source, expr->span,
                         "numbers go from -9223372036854775808 to "
                         "9223372036854775807",
                         "this is no number of 64 bits");
            return false;
        case TREE_VARIES:
            break;
        }
        break;
    case TREE_LITERAL:
        for (i = 0; i < expr->argument_count; i++) {
            if (!tree_check_constant(c, expr->arguments[i], what))
                return false;
        }
        return true;
    case TREE_MEMBER:
    case TREE_INDEX:
    case TREE_IF:
    case TREE_CALL:
        break;
    }
    source_fault(c->source, expr->span,
                 "constants are numbers, texts, true, false, none, values of "
                 "enums, and records of them",
                 "%s, and %.*s is not", what,
                 (int)(text.size < 60 ? text.size : 60),
                 text.size ? (const char *)text.bytes : "");
    return false;
}
