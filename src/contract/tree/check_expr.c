/* check_expr.c - expressions: what names stand for, and of what type values
 * are.
 *
 * Types go both ways. Upwards: each expression has one. Downwards: the type
 * that is expected says which enum a constant is of, and which optional is
 * `none`; a comparison passes it from one side to the other. */

#include "contract/tree/check.h"

#include <inttypes.h>
#include <stdio.h>

/* --- what is expected ----------------------------------------------------- */

/* What is wrong when `from` is given and `to` is expected, and what to do. */
static const char *mismatch_hint(const struct tree_expr *expr,
                                 const struct tree_type *from,
                                 const struct tree_type *to)
{
    if (from->kind == TREE_OPTIONAL && to->kind != TREE_OPTIONAL)
        return "get(optional, otherwise) gives what it holds";
    if (to->kind == TREE_BOOL && from->kind == TREE_INT)
        return "compare it, as in x != 0";
    if (to->kind == TREE_BOOL)
        return "compare it with == or !=";
    if (to->kind == TREE_INT && from->kind == TREE_BOOL)
        return "choose, as in: if x then 1 else 0";
    if (to->kind == TREE_INT && expr->kind == TREE_STRING)
        return "write the number without quotes";
    if (to->kind == TREE_ENUM && expr->kind == TREE_STRING)
        return "write the value without quotes";
    if (from->kind == TREE_ENUM && to->kind == TREE_ENUM)
        return "enums are the same when they have the same values in the same "
               "order";
    if (to->kind == TREE_INT &&
        (from->kind == TREE_SET || from->kind == TREE_MAP))
        return "size(x) counts its elements";
    if (to->kind == TREE_INT)
        return "write a number, or a field or parameter that is an int";
    if (to->kind == TREE_TEXT && from->kind == TREE_INT)
        return "numbers do not become texts: write a text in double quotes, or "
               "a field or parameter that is one";
    if (to->kind == TREE_TEXT)
        return "write a text in double quotes, or a field or parameter that is "
               "one";
    if (to->kind == TREE_ENUM)
        return "write one of its values, or a field or parameter of this enum";
    if (to->kind == TREE_RECORD)
        return "write the record out, as in name { field: value }";
    if (to->kind == TREE_SET || to->kind == TREE_MAP)
        return "+= and -= put in and take out single elements; = takes a whole "
               "set or map of the same kind";
    return "write a value of this type, or a field or parameter of it";
}

static void mismatch(struct tree_checker *c, const struct tree_expr *expr,
                     const struct tree_type *from, const struct tree_type *to)
{
    struct tree_type_words is = tree_type_words(from);
    struct tree_type_words should = tree_type_words(to);

    source_fault(c->source, expr->span, mismatch_hint(expr, from, to),
                 "expected %s, and this is %s", should.text,
                 from == c->entity_id ? "the id of an entity" : is.text);
}

struct tree_type *tree_check_value(struct tree_checker *c,
                                   struct tree_expr *expr,
                                   const struct tree_type *to)
{
    struct tree_type *type = tree_check_expr(c, expr, to);

    if (!type)
        return NULL;
    if (!tree_type_assignable(type, to)) {
        mismatch(c, expr, type, to);
        return NULL;
    }
    return tree_check_bounds(c, expr, to) ? type : NULL;
}

/* The type without its bounds. */
static const struct tree_type *widened(const struct tree_checker *c,
                                       const struct tree_type *type)
{
    if (type->kind == TREE_INT)
        return c->integer;
    return type->kind == TREE_TEXT ? c->text : type;
}

struct tree_type *tree_check_wide(struct tree_checker *c,
                                  struct tree_expr *expr,
                                  const struct tree_type *to)
{
    struct tree_type *type =
        tree_check_expr(c, expr, expr->kind == TREE_NONE ? to : widened(c, to));

    if (!type || tree_type_assignable(type, to))
        return type;
    mismatch(c, expr, type, to);
    return NULL;
}

/* A type that holds what both do; they are assignable, one way or the other. */
struct tree_type *tree_type_joined(struct tree_checker *c, struct tree_type *a,
                                   struct tree_type *b)
{
    struct tree_type *both;

    if (tree_type_same(a, b))
        return a;
    if (a->kind == TREE_INT && b->kind == TREE_INT)
        return c->integer;
    if (a->kind == TREE_TEXT && b->kind == TREE_TEXT)
        return a->size > b->size ? a : b;
    if (a->kind != TREE_OPTIONAL && b->kind != TREE_OPTIONAL)
        return a;
    both = tree_check_give(c, sizeof(*both));
    if (!both)
        return NULL;
    *both = a->kind == TREE_OPTIONAL ? *a : *b;
    both->of = tree_type_joined(c, a->kind == TREE_OPTIONAL ? a->of : a,
                                b->kind == TREE_OPTIONAL ? b->of : b);
    return both;
}

/* Both sides, each with the type of the other expected. False when one of them
 * is wrong, or they cannot be compared. */
static bool check_sides(struct tree_checker *c, struct tree_expr *left,
                        struct tree_expr *right)
{
    bool turned =
        tree_check_needs_type(c, left) && !tree_check_needs_type(c, right);
    struct tree_expr *first = turned ? right : left;
    struct tree_expr *second = turned ? left : right;
    struct tree_type *one = tree_check_expr(c, first, NULL);
    struct tree_type *other;

    if (one && second->kind != TREE_NONE)
        other = tree_check_expr(c, second, widened(c, one));
    else
        other = tree_check_expr(c, second, one ? one : c->unknown);
    if (!one || !other)
        return false;
    if (tree_type_assignable(one, other) || tree_type_assignable(other, one))
        return true;
    mismatch(c, second, other, one);
    return false;
}

/* --- operators ------------------------------------------------------------ */

static struct tree_type *check_none(struct tree_checker *c,
                                    const struct tree_expr *expr,
                                    const struct tree_type *expected)
{
    struct tree_type_words words;

    if (expected && expected->kind == TREE_OPTIONAL)
        return (struct tree_type *)(uintptr_t)expected;
    if (expected && expected->kind == TREE_NONE_TYPE)
        return NULL;
    if (!expected) {
        source_fault(c->source, expr->span,
                     "compare it with a field that is optional",
                     "nothing says here of which optional this is the none");
        return NULL;
    }
    words = tree_type_words(expected);
    source_fault(c->source, expr->span,
                 "only what is `optional` can be none: write that before its "
                 "type",
                 "expected %s, which is never none", words.text);
    return NULL;
}

static struct tree_type *check_equal(struct tree_checker *c,
                                     struct tree_expr *expr)
{
    const struct tree_type *type;

    if (!check_sides(c, expr->left, expr->right))
        return NULL;
    type = expr->left->type;
    if (type->kind == TREE_SET || type->kind == TREE_MAP) {
        source_fault(c->source, expr->span,
                     "compare their size(), or ask for elements with `in`",
                     "sets and maps are not compared");
        return NULL;
    }
    return c->boolean;
}

static struct tree_type *check_order(struct tree_checker *c,
                                     struct tree_expr *expr)
{
    struct tree_type_words words;
    const struct tree_type *type;

    if (!check_sides(c, expr->left, expr->right))
        return NULL;
    type = expr->left->type->kind == TREE_OPTIONAL ? expr->left->type
                                                   : expr->right->type;
    if (type->kind == TREE_INT || type->kind == TREE_TEXT)
        return c->boolean;
    words = tree_type_words(type);
    source_fault(c->source, expr->span,
                 type->kind == TREE_OPTIONAL
                     ? "get(optional, otherwise) gives what it holds"
                     : "only numbers and texts have an order",
                 "%s has no order", words.text);
    return NULL;
}

static struct tree_type *check_in(struct tree_checker *c,
                                  struct tree_expr *expr)
{
    struct tree_type *whole = tree_check_expr(c, expr->right, NULL);
    struct tree_type_words words;

    if (!whole || tree_type_broken(whole)) {
        tree_check_expr(c, expr->left, c->unknown);
        return NULL;
    }
    if (whole->kind == TREE_SET || whole->kind == TREE_MAP) {
        const struct tree_type *key =
            whole->kind == TREE_SET ? whole->of : whole->key;

        return tree_check_wide(c, expr->left, key) ? c->boolean : NULL;
    }
    words = tree_type_words(whole);
    tree_check_expr(c, expr->left, c->unknown);
    source_fault(c->source, expr->right->span,
                 "write element in set, or key in map; == compares",
                 "expected a set or a map, and this is %s", words.text);
    return NULL;
}

static struct tree_type *check_arithmetic(struct tree_checker *c,
                                          struct tree_expr *expr)
{
    struct tree_type *left = tree_check_expr(c, expr->left, c->integer);
    struct tree_type *right;
    int64_t number;

    if (left && left->kind == TREE_TEXT && expr->op == TREE_ADD) {
        source_fault(c->source, expr->span, "keep the parts in fields",
                     "texts are not joined: + is for numbers");
        return NULL;
    }
    if (left && (left->kind == TREE_SET || left->kind == TREE_MAP)) {
        source_fault(c->source, expr->span,
                     "the statements += and -= put in and take out",
                     "a set or a map is no number");
        return NULL;
    }
    if (left && left->kind != TREE_INT) {
        mismatch(c, expr->left, left, c->integer);
        left = NULL;
    }
    right = tree_check_value(c, expr->right, c->integer);
    if (!left || !right)
        return NULL;
    if ((expr->op == TREE_DIVIDE || expr->op == TREE_REMAINDER) &&
        tree_constant_number(expr->right, &number) == TREE_CONSTANT &&
        number == 0) {
        source_fault(c->source, expr->right->span,
                     "divide by a number that is not 0",
                     "nothing can be divided by 0");
        return NULL;
    }
    return c->integer;
}

static struct tree_type *check_binary(struct tree_checker *c,
                                      struct tree_expr *expr)
{
    bool left;
    bool right;

    switch (expr->op) {
    case TREE_IMPLIES:
    case TREE_OR:
    case TREE_AND:
        left = tree_check_value(c, expr->left, c->boolean);
        right = tree_check_value(c, expr->right, c->boolean);
        return left && right ? c->boolean : NULL;
    case TREE_EQUAL:
    case TREE_UNEQUAL:
        return check_equal(c, expr);
    case TREE_LESS:
    case TREE_AT_MOST:
    case TREE_MORE:
    case TREE_AT_LEAST:
        return check_order(c, expr);
    case TREE_IN:
        return check_in(c, expr);
    case TREE_ADD:
    case TREE_SUBTRACT:
    case TREE_MULTIPLY:
    case TREE_DIVIDE:
    case TREE_REMAINDER:
        return check_arithmetic(c, expr);
    case TREE_NOT:
    case TREE_MINUS:
        break;
    }
    return NULL;
}

static struct tree_type *check_unary(struct tree_checker *c,
                                     struct tree_expr *expr)
{
    struct tree_type *type = expr->op == TREE_NOT ? c->boolean : c->integer;

    return tree_check_value(c, expr->left, type) ? type : NULL;
}

/* Where an optional is expected, the whole is one, and each branch that is
 * none of its own is wrapped. */
static struct tree_type *check_if(struct tree_checker *c,
                                  struct tree_expr *expr,
                                  const struct tree_type *expected)
{
    bool fine = tree_check_value(c, expr->left, c->boolean);
    struct tree_type *right;
    struct tree_type *third;

    if (!expected) {
        if (!check_sides(c, expr->right, expr->third) || !fine)
            return NULL;
        return tree_type_joined(c, expr->right->type, expr->third->type);
    }
    right = tree_check_value(c, expr->right, expected);
    third = tree_check_value(c, expr->third, expected);
    if (!fine || !right || !third)
        return NULL;
    if (expected->kind == TREE_OPTIONAL)
        return (struct tree_type *)(uintptr_t)expected;
    return tree_type_joined(c, right, third);
}

/* --- all of them ---------------------------------------------------------- */

static struct tree_type *check_string(struct tree_checker *c,
                                      const struct tree_expr *expr)
{
    struct tree_type *type;

    if (expr->text.size > TREE_TEXT_MAX) {
        source_fault(c->source, expr->span, "make it shorter",
                     "a text has %d bytes at most, and this has %zu",
                     TREE_TEXT_MAX, expr->text.size);
        return NULL;
    }
    type = tree_check_give(c, sizeof(*type));
    if (!type)
        return NULL;
    type->kind = TREE_TEXT;
    type->size = expr->text.size ? (uint32_t)expr->text.size : 1;
    return type;
}

struct tree_type *tree_check_expr(struct tree_checker *c,
                                  struct tree_expr *expr,
                                  const struct tree_type *expected)
{
    struct tree_type *type = NULL;

    switch (expr->kind) {
    case TREE_NUMBER:
        type = c->integer;
        break;
    case TREE_STRING:
        type = check_string(c, expr);
        break;
    case TREE_TRUTH:
        type = c->boolean;
        break;
    case TREE_NONE:
        type = check_none(c, expr, expected);
        break;
    case TREE_NAMED:
        type = tree_check_named(c, expr, expected);
        break;
    case TREE_MEMBER:
        type = tree_check_member(c, expr);
        break;
    case TREE_INDEX:
        type = tree_check_index(c, expr);
        break;
    case TREE_UNARY:
        type = check_unary(c, expr);
        break;
    case TREE_BINARY:
        type = check_binary(c, expr);
        break;
    case TREE_IF:
        type = check_if(c, expr, expected);
        break;
    case TREE_CALL:
        type = tree_check_call(c, expr);
        break;
    case TREE_LITERAL:
        type = tree_check_literal(c, expr);
        break;
    }
    if (type && tree_type_broken(type))
        type = NULL;
    expr->type = type;
    return type;
}
