/* parse_type.c - types, fields and parameters. */

#include <inttypes.h>

#include "contract/tree/parse.h"

static const char range_hint[] = "a range is written int(0 .. 99)";

/* --- constants of the parser ---------------------------------------------- */

/* A bound is known when it is read: numbers, and what is computed with them.
 */
static bool fold(struct parse *parse, const struct tree_expr *expr,
                 int64_t *ret_value)
{
    int64_t a;
    int64_t b;
    bool over = false;

    if (expr->kind == TREE_NUMBER) {
        *ret_value = expr->number;
        return true;
    }
    if (expr->kind == TREE_UNARY && expr->op == TREE_MINUS) {
        if (!fold(parse, expr->left, &a))
            return false;
        over = __builtin_sub_overflow(0, a, ret_value);
    } else if (expr->kind == TREE_BINARY && expr->op >= TREE_ADD) {
        if (!fold(parse, expr->left, &a) || !fold(parse, expr->right, &b))
            return false;
        if (expr->op == TREE_ADD)
            over = __builtin_add_overflow(a, b, ret_value);
        else if (expr->op == TREE_SUBTRACT)
            over = __builtin_sub_overflow(a, b, ret_value);
        else if (expr->op == TREE_MULTIPLY)
            over = __builtin_mul_overflow(a, b, ret_value);
        else if (b == 0 || (b == -1 && a == INT64_MIN))
            over = true;
        else
            *ret_value = expr->op == TREE_DIVIDE ? a / b : a % b;
    } else {
        source_fault(parse->source, expr->span, range_hint,
                     "a bound is a constant number");
        return false;
    }
    if (over)
        source_fault(parse->source, expr->span,
                     "numbers go from -9223372036854775808 to "
                     "9223372036854775807",
                     "this bound is outside 64 bits");
    return !over;
}

static bool bound(struct parse *parse, int64_t *ret_value)
{
    struct tree_expr *expr = parse_additive(parse);

    return expr && fold(parse, expr, ret_value);
}

/* --- types ---------------------------------------------------------------- */

/* ( min .. max ), behind `int`. */
static bool int_range(struct parse *parse, struct tree_type *type)
{
    uint32_t start;

    type->min = INT64_MIN;
    type->max = INT64_MAX;
    if (!parse_take_here(parse, LEX_OPEN_PAREN))
        return true;
    parse->inside++;
    start = parse_span(parse).start;
    if (!bound(parse, &type->min) ||
        !parse_expect(parse, LEX_RANGE, range_hint) ||
        !bound(parse, &type->max))
        return false;
    if (type->min > type->max)
        source_fault(parse->source, parse_from(parse, start),
                     "the smaller bound stands first",
                     "no number is in %" PRId64 " .. %" PRId64, type->min,
                     type->max);
    if (parse_kind(parse) != LEX_CLOSE_PAREN)
        return parse_expected(parse, ")", range_hint);
    parse->inside--;
    parse_skip(parse);
    return true;
}

/* ( size ), behind `text`. */
static bool text_size(struct parse *parse, struct tree_type *type)
{
    static const char hint[] =
        "a text has a size, the most bytes it may have: text(80)";

    type->size = 1;
    if (parse_line_ends(parse) || parse_kind(parse) != LEX_OPEN_PAREN) {
        source_fault(parse->source, parse_from(parse, type->span.start), hint,
                     "text has no size");
        return true;
    }
    parse_skip(parse);
    parse->inside++;
    if (parse_kind(parse) != LEX_NUMBER)
        return parse_expected(parse, "a number of bytes", hint);
    if (!parse_count(parse, "the size of a text", 1, TREE_TEXT_MAX,
                     &type->size))
        return false;
    if (parse_kind(parse) != LEX_CLOSE_PAREN)
        return parse_expected(parse, ")", hint);
    parse->inside--;
    parse_skip(parse);
    return true;
}

/* ( key, value, size ) or ( element, size ). */
static bool container(struct parse *parse, struct tree_type *type)
{
    bool map = type->kind == TREE_MAP;
    const char *hint = map ? "a map is written map(text(40), int, 50), with "
                             "the most keys it may have"
                           : "a set is written set(text(40), 50), with the "
                             "most elements it may have";

    if (parse_line_ends(parse) || !parse_take(parse, LEX_OPEN_PAREN))
        return parse_expected(parse, "(", hint);
    parse->inside++;
    if (map) {
        type->key = parse_type(parse);
        if (!type->key || !parse_expect(parse, LEX_COMMA, hint))
            return false;
    }
    type->of = parse_type(parse);
    if (!type->of || !parse_expect(parse, LEX_COMMA, hint))
        return false;
    if (parse_kind(parse) != LEX_NUMBER)
        return parse_expected(parse, "a number of elements", hint);
    if (!parse_count(parse, "the size of a set or a map", 1, TREE_ELEMENTS_MAX,
                     &type->size))
        return false;
    if (parse_kind(parse) != LEX_CLOSE_PAREN)
        return parse_expected(parse, ")", hint);
    parse->inside--;
    parse_skip(parse);
    return true;
}

static const char type_hint[] =
    "bool, int(0 .. 9), text(20), a | b, optional ..., set(...), map(...), or "
    "the name of a record";

/* a | b | c, or the name of a record. */
static bool names(struct parse *parse, struct tree_type *type)
{
    static const char *const words[] = {"bool",     "int", "text",
                                        "optional", "set", "map"};
    char text[SOURCE_MESSAGE_MAX];
    struct tree_name name;

    if (parse_ahead(parse, 1) == LEX_OPEN_PAREN &&
        !parse->tokens[parse->at + 1].first) {
        parse_expected(parse, "a type",
                       parse_suggest_or(parse, words, 6, text, type_hint));
        return false;
    }
    if (!parse_name(parse, "a type", true, &name))
        return false;
    type->kind = TREE_RECORD;
    type->name = name;
    if (parse_line_ends(parse) || parse_kind(parse) != LEX_BAR)
        return true;
    type->kind = TREE_ENUM;
    do {
        if (type->name_count &&
            !parse_name(parse, "a value of the enum", true, &name))
            return false;
        type->names =
            parse_room_upto(parse, type->names, type->name_count,
                            sizeof *type->names, TREE_VALUES_MAX, "values");
        if (!type->names)
            return false;
        type->names[type->name_count++] = name;
    } while (parse_take_here(parse, LEX_BAR));
    return true;
}

static bool type_of(struct parse *parse, struct tree_type *type)
{
    enum lex_kind kind = parse_kind(parse);

    switch (kind) {
    case LEX_BOOL:
        type->kind = TREE_BOOL;
        parse_skip(parse);
        return true;
    case LEX_INT:
        type->kind = TREE_INT;
        parse_skip(parse);
        return int_range(parse, type);
    case LEX_TEXT:
        type->kind = TREE_TEXT;
        parse_skip(parse);
        return text_size(parse, type);
    case LEX_OPTIONAL:
        type->kind = TREE_OPTIONAL;
        parse_skip(parse);
        type->of = parse_type(parse);
        return type->of != NULL;
    case LEX_SET:
    case LEX_MAP:
        type->kind = kind == LEX_SET ? TREE_SET : TREE_MAP;
        parse_skip(parse);
        return container(parse, type);
    default:
        break;
    }
    if (kind == LEX_NAME || lex_is_word(kind))
        return names(parse, type);
    return parse_expected(parse, "a type", type_hint);
}

struct tree_type *parse_type(struct parse *parse)
{
    struct tree_type *type = parse_give(parse, sizeof *type);

    if (!type || !parse_enter(parse))
        return NULL;
    type->span = parse_span(parse);
    if (!type_of(parse, type))
        return NULL;
    type->span = parse_from(parse, type->span.start);
    parse->depth--;
    return type;
}

/* --- fields --------------------------------------------------------------- */

bool parse_field(struct parse *parse, const char *what, bool entities,
                 struct tree_field *ret_field)
{
    struct tree_field field = {0};

    if (!parse_name(parse, what, false, &field.name))
        return false;
    if (!parse_expect(parse, LEX_COLON,
                      "a field or a parameter is written "
                      "name: type"))
        return false;
    field.type = parse_type(parse);
    if (!field.type)
        return false;
    if (entities && field.type->kind == TREE_RECORD) {
        /* Whether it is a record is known at the end of the file. */
        field.entity = field.type->name;
        field.type = NULL;
    }
    if (parse_kind(parse) == LEX_EQUAL && !parse_line_ends(parse))
        return parse_expected(parse, "= and a default",
                              "= gives a default; == compares");
    if (parse_take_here(parse, LEX_ASSIGN)) {
        field.value = parse_expr(parse);
        if (!field.value)
            return false;
    }
    *ret_field = field;
    return true;
}

bool parse_parameters(struct parse *parse, bool entities,
                      struct tree_field **ret_fields, uint32_t *ret_count)
{
    struct tree_field *fields = NULL;
    uint32_t count = 0;

    if (!parse_take_here(parse, LEX_OPEN_PAREN))
        return true;
    parse->inside++;
    while (parse_kind(parse) != LEX_CLOSE_PAREN || count) {
        fields = parse_room_upto(parse, fields, count, sizeof *fields,
                                 TREE_PARAMETERS_MAX, "parameters");
        if (!fields || !parse_field(parse, "the name of a parameter", entities,
                                    &fields[count]))
            return false;
        count++;
        if (parse_kind(parse) == LEX_CLOSE_PAREN)
            break;
        if (!parse_take(parse, LEX_COMMA))
            return parse_expected(parse, ", or )",
                                  "parameters are separated by ,");
    }
    parse->inside--;
    parse_skip(parse);
    *ret_fields = fields;
    *ret_count = count;
    return true;
}
