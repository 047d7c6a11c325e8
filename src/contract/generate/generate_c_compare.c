/* generate_c_compare.c - comparisons. Each has its opposite at hand, as a step
 * is refused by what does not hold. */

#include "contract/generate/generate_c.h"

static const char *const signs[] = {
    [TREE_EQUAL] = "==",   [TREE_UNEQUAL] = "!=", [TREE_LESS] = "<",
    [TREE_AT_MOST] = "<=", [TREE_MORE] = ">",     [TREE_AT_LEAST] = ">=",
};

static const char *same_code(struct gen *g, struct gen_value a,
                             struct gen_value b);

/* Both there and the same, or neither there. */
static const char *same_optional(struct gen *g, struct gen_value a,
                                 struct gen_value b)
{
    struct gen_value one =
        gen_at(g, a.type->of, gen_words(g, "%s.value", a.code));
    struct gen_value other =
        gen_at(g, b.type->of, gen_words(g, "%s.value", b.code));

    return gen_words(g, "%s.there == %s.there && (!%s.there || (%s))", a.code,
                     b.code, a.code, same_code(g, one, other));
}

static const char *same_record(struct gen *g, struct gen_value a,
                               struct gen_value b)
{
    const struct tree_record *record = a.type->record;
    const char *code = NULL;
    uint32_t i;

    for (i = 0; i < record->field_count && !g->failed; i++) {
        const struct tree_type *type = record->fields[i].type;
        const char *one = same_code(
            g, gen_at(g, type, gen_member_place(g, a.type, a.code, i)),
            gen_at(g, type, gen_member_place(g, b.type, b.code, i)));

        code = code ? gen_words(g, "%s && %s", code, one) : one;
    }
    return code ? code : "true";
}

/* a == b, as it may stand beside &&. */
static const char *same_code(struct gen *g, struct gen_value a,
                             struct gen_value b)
{
    if (g->failed)
        return "";
    if (gen_is_number(a.kind))
        return gen_words(g, "%s == %s", gen_code(g, a, GEN_EQUAL + 1),
                         gen_code(g, b, GEN_EQUAL + 1));
    if (a.kind == TREE_TEXT)
        return gen_words(g, "%s_text_same(%s, %s)", g->name, a.code, b.code);
    if (a.kind == TREE_OPTIONAL)
        return same_optional(g, a, b);
    return same_record(g, a, b);
}

static struct gen_value equality(struct gen *g, const char *code,
                                 enum gen_bind bind, bool equal)
{
    struct gen_value value = gen_truth(code, bind);

    return equal ? value : gen_inverted(g, value);
}

/* optional == value. */
static struct gen_value compare_optional(struct gen *g, bool equal,
                                         struct gen_value optional,
                                         struct gen_value value)
{
    struct gen_value held =
        gen_at(g, optional.type->of, gen_words(g, "%s.value", optional.code));

    return equality(g,
                    gen_words(g, "%s.there && %s", optional.code,
                              same_code(g, held, value)),
                    GEN_AND, equal);
}

static bool numbers_compare(enum tree_operator op, int64_t a, int64_t b)
{
    switch (op) {
    case TREE_EQUAL:
        return a == b;
    case TREE_UNEQUAL:
        return a != b;
    case TREE_LESS:
        return a < b;
    case TREE_AT_MOST:
        return a <= b;
    case TREE_MORE:
        return a > b;
    default:
        return a >= b;
    }
}

static struct gen_value compare_numbers(struct gen *g, enum tree_operator op,
                                        struct gen_value a, struct gen_value b)
{
    static const enum tree_operator inverse[] = {
        [TREE_EQUAL] = TREE_UNEQUAL, [TREE_UNEQUAL] = TREE_EQUAL,
        [TREE_LESS] = TREE_AT_LEAST, [TREE_AT_MOST] = TREE_MORE,
        [TREE_MORE] = TREE_AT_MOST,  [TREE_AT_LEAST] = TREE_LESS,
    };
    const char *left = gen_code(g, a, GEN_ORDER + 1);
    const char *right = gen_code(g, b, GEN_ORDER + 1);
    struct gen_value value =
        gen_truth(gen_words(g, "%s %s %s", left, signs[op], right), GEN_EQUAL);

    value.inverse = gen_words(g, "%s %s %s", left, signs[inverse[op]], right);
    value.inverse_bind = GEN_EQUAL;
    return value;
}

struct gen_value gen_compare(struct gen *g, const struct tree_expr *expr)
{
    const struct tree_expr *none = expr->left->kind == TREE_NONE ? expr->left
                                   : expr->right->kind == TREE_NONE
                                       ? expr->right
                                       : NULL;
    bool equal = expr->op == TREE_EQUAL;
    struct gen_value a;
    struct gen_value b;

    if (none) {
        a = gen_expr(g, none == expr->left ? expr->right : expr->left);
        return equality(g, gen_words(g, "%s.there", a.code), GEN_ATOM, !equal);
    }
    a = gen_expr(g, expr->left);
    b = gen_expr(g, expr->right);
    if (g->failed)
        return a;
    if (a.kind == TREE_OPTIONAL && b.kind != TREE_OPTIONAL)
        return compare_optional(g, equal, a, b);
    if (b.kind == TREE_OPTIONAL && a.kind != TREE_OPTIONAL)
        return compare_optional(g, equal, b, a);
    if (gen_is_number(a.kind)) {
        if (a.constant && b.constant)
            return gen_constant_value(g, NULL, TREE_BOOL,
                                      numbers_compare(expr->op, a.min, b.min));
        return compare_numbers(g, expr->op, a, b);
    }
    if (expr->op == TREE_EQUAL || expr->op == TREE_UNEQUAL)
        return equality(g, same_code(g, a, b),
                        a.kind == TREE_TEXT ? GEN_ATOM : GEN_AND, equal);
    return gen_truth(gen_words(g, "%s_text_order(%s, %s) %s 0", g->name, a.code,
                               b.code, signs[expr->op]),
                     GEN_EQUAL);
}
