/* parse_expr.c - expressions, by precedence. */

#include <inttypes.h>

#include "contract/tree/parse.h"

/* Loosest first, as in docs/contract.md. */
enum level
{
    LEVEL_NONE,
    LEVEL_IMPLIES,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE,
    LEVEL_ADD,
    LEVEL_MULTIPLY,
    LEVEL_UNARY
};

/* A node knows its depth, so that chains to the left are bounded too. */
struct node
{
    struct tree_expr expr; /* first: a node is found by its expression */
    uint32_t depth;
};

static const struct
{
    uint8_t level;
    uint8_t op;
} binaries[LEX_KINDS] = {
    [LEX_IMPLIES] = {LEVEL_IMPLIES, TREE_IMPLIES},
    [LEX_OR] = {LEVEL_OR, TREE_OR},
    [LEX_AND] = {LEVEL_AND, TREE_AND},
    [LEX_EQUAL] = {LEVEL_COMPARE, TREE_EQUAL},
    [LEX_UNEQUAL] = {LEVEL_COMPARE, TREE_UNEQUAL},
    [LEX_LESS] = {LEVEL_COMPARE, TREE_LESS},
    [LEX_AT_MOST] = {LEVEL_COMPARE, TREE_AT_MOST},
    [LEX_MORE] = {LEVEL_COMPARE, TREE_MORE},
    [LEX_AT_LEAST] = {LEVEL_COMPARE, TREE_AT_LEAST},
    [LEX_IN] = {LEVEL_COMPARE, TREE_IN},
    [LEX_PLUS] = {LEVEL_ADD, TREE_ADD},
    [LEX_MINUS] = {LEVEL_ADD, TREE_SUBTRACT},
    [LEX_STAR] = {LEVEL_MULTIPLY, TREE_MULTIPLY},
    [LEX_SLASH] = {LEVEL_MULTIPLY, TREE_DIVIDE},
    [LEX_PERCENT] = {LEVEL_MULTIPLY, TREE_REMAINDER},
};

static struct tree_expr *binary(struct parse *parse, enum level min);

/* --- nodes ---------------------------------------------------------------- */

static struct tree_expr *node_new(struct parse *parse, enum tree_expr_kind kind,
                                  struct source_span span)
{
    struct node *node = parse_give(parse, sizeof *node);

    if (!node)
        return NULL;
    node->expr.kind = kind;
    node->expr.span = span;
    node->depth = 1;
    return &node->expr;
}

/* Note that child is below expr. NULL when that is too deep. */
static struct tree_expr *node_over(struct parse *parse, struct tree_expr *expr,
                                   const struct tree_expr *child)
{
    struct node *node = (struct node *)expr;
    uint32_t depth = ((const struct node *)child)->depth + 1;

    if (depth > node->depth)
        node->depth = depth;
    if (parse->depth + depth <= TREE_DEPTH_MAX)
        return expr;
    if (expr->kind == TREE_IF || parse->depth > depth) {
        parse_deep(parse, expr->span);
        return NULL;
    }
    source_fault(parse->source, expr->span,
                 "give a part of it a name: an invariant, a field or a "
                 "require of its own",
                 "this expression is more than %d operators deep",
                 TREE_DEPTH_MAX);
    return NULL;
}

/* --- constants and names -------------------------------------------------- */

static struct tree_expr *number(struct parse *parse, bool negative,
                                uint32_t start)
{
    struct kan_slice text = parse_slice(parse);
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    uint64_t value = 0;
    struct tree_expr *expr;

    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = slice_at(text, i) - (unsigned)'0';

        if (digit > 9)
            continue; /* _, or what a fault has been noted for */
        if (value > (limit - digit) / 10) {
            source_fault(parse->source, parse_span(parse),
                         "count in a larger unit, or keep it as a text",
                         "the number is outside %" PRId64 " .. %" PRId64,
                         INT64_MIN, INT64_MAX);
            value = 0;
            break;
        }
        value = value * 10 + digit;
    }
    parse_skip(parse);
    expr = node_new(parse, TREE_NUMBER, parse_from(parse, start));
    if (expr)
        expr->number = negative ? (int64_t)(0 - value) : (int64_t)value;
    return expr;
}

static struct tree_expr *named(struct parse *parse)
{
    struct tree_expr *expr = node_new(parse, TREE_NAMED, parse_span(parse));

    if (!expr)
        return NULL;
    expr->name = (struct tree_name){parse_slice(parse), parse_span(parse)};
    parse_skip(parse);
    return expr;
}

static struct tree_expr *string(struct parse *parse)
{
    struct tree_expr *expr = node_new(parse, TREE_STRING, parse_span(parse));

    if (!expr || !parse_string(parse, "a text", &expr->text))
        return NULL;
    return expr;
}

/* true, false, none */
static struct tree_expr *constant(struct parse *parse)
{
    enum lex_kind kind = parse_kind(parse);
    struct tree_expr *expr = node_new(
        parse, kind == LEX_NONE ? TREE_NONE : TREE_TRUTH, parse_span(parse));

    if (expr)
        expr->number = kind == LEX_TRUE;
    parse_skip(parse);
    return expr;
}

/* --- calls and literals --------------------------------------------------- */

bool parse_arguments(struct parse *parse, struct tree_expr ***ret_arguments,
                     uint32_t *ret_count)
{
    struct tree_expr **arguments = NULL;
    uint32_t count = 0;

    if (!parse_expect(parse, LEX_OPEN_PAREN, "as in name(a, b)"))
        return false;
    parse->inside++;
    while (parse_kind(parse) != LEX_CLOSE_PAREN || count) {
        struct tree_expr *argument;

        arguments = parse_room_upto(parse, arguments, count, sizeof *arguments,
                                    TREE_PARAMETERS_MAX, "arguments");
        argument = arguments ? parse_expr(parse) : NULL;
        if (!argument)
            return false;
        arguments[count++] = argument;
        if (parse_kind(parse) == LEX_CLOSE_PAREN)
            break;
        if (!parse_take(parse, LEX_COMMA))
            return parse_expected(parse, ", or )",
                                  "arguments are separated by ,");
    }
    parse->inside--;
    parse_skip(parse);
    *ret_arguments = arguments;
    *ret_count = count;
    return true;
}

static struct tree_expr *call(struct parse *parse, struct tree_expr *expr)
{
    expr->kind = TREE_CALL;
    if (!parse_arguments(parse, &expr->arguments, &expr->argument_count))
        return NULL;
    expr->span = parse_from(parse, expr->span.start);
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!node_over(parse, expr, expr->arguments[i]))
            return NULL;
    }
    return expr;
}

/* name { field: ... } is a record, and name { } where no block can stand: a
 * block never begins with a name and a colon. */
static bool literal_begins(const struct parse *parse)
{
    enum lex_kind kind = parse_ahead(parse, 1);

    return parse_kind(parse) == LEX_OPEN_BRACE && !parse_line_ends(parse) &&
           (kind == LEX_NAME || lex_is_word(kind)) &&
           parse_ahead(parse, 2) == LEX_COLON;
}

static struct tree_expr *literal(struct parse *parse, struct tree_expr *expr)
{
    uint32_t open = parse->at;
    struct tree_expr **values = NULL;
    struct tree_name *labels = NULL;
    uint32_t count = 0;

    expr->kind = TREE_LITERAL;
    parse_skip(parse);
    parse->inside++;
    do {
        values = parse_room_upto(parse, values, count, sizeof *values,
                                 TREE_FIELDS_MAX, "fields");
        labels =
            values ? parse_room(parse, labels, count, sizeof *labels) : NULL;
        if (!labels ||
            !parse_name(parse, "the name of a field", false, &labels[count]))
            return NULL;
        if (!parse_expect(parse, LEX_COLON,
                          "a record is written out as name { field: value }"))
            return NULL;
        values[count] = parse_expr(parse);
        if (!values[count])
            return NULL;
        count++;
    } while (parse_take(parse, LEX_COMMA));
    if (parse_kind(parse) == LEX_END) {
        parse_unclosed(parse, open);
        return NULL;
    }
    if (parse_kind(parse) != LEX_CLOSE_BRACE) {
        parse_expected(parse, ", or }",
                       "the fields of a record are separated by ,");
        return NULL;
    }
    parse->inside--;
    parse_skip(parse);
    expr->span = parse_from(parse, expr->span.start);
    expr->arguments = values;
    expr->labels = labels;
    expr->argument_count = count;
    for (uint32_t i = 0; i < count; i++) {
        if (!node_over(parse, expr, values[i]))
            return NULL;
    }
    return expr;
}

static struct tree_expr *parens(struct parse *parse)
{
    uint32_t start = parse_span(parse).start;
    struct tree_expr *expr;

    parse_skip(parse);
    parse->inside++;
    expr = parse_expr(parse);
    if (!expr)
        return NULL;
    if (parse_kind(parse) != LEX_CLOSE_PAREN) {
        parse_expected(parse, ")",
                       parse_kind(parse) == LEX_ASSIGN
                           ? "== compares; = assigns"
                           : "a ( before it is still open");
        return NULL;
    }
    parse->inside--;
    parse_skip(parse);
    expr->span = parse_from(parse, start);
    return expr;
}

/* --- operands ------------------------------------------------------------- */

static struct tree_expr *no_value(struct parse *parse)
{
    enum lex_kind kind = parse_kind(parse);
    const char *hint =
        "a value is a number, a text, a name, a call, or made of such by "
        "operators";

    if (kind == LEX_IF)
        hint = "an if within an operation stands in parentheses";
    else if (kind == LEX_NOT)
        hint = "write not before the whole comparison, or in parentheses";
    else if (kind == LEX_ASSIGN)
        hint = "== compares; = assigns";
    else if (kind == LEX_SET || kind == LEX_MAP || kind == LEX_OPEN_BRACKET)
        hint = "a set or a map begins empty, and += and [key] = add to it";
    else if (kind == LEX_PLUS)
        hint = "a number has no + before it";
    else if (kind == LEX_UNDO || kind == LEX_NOTHING)
        hint = "this word is reserved, and no value";
    parse_expected(parse, "a value", hint);
    return NULL;
}

static struct tree_expr *primary(struct parse *parse)
{
    enum lex_kind kind = parse_kind(parse);
    struct tree_expr *expr;

    switch (kind) {
    case LEX_NUMBER:
        return number(parse, false, parse_span(parse).start);
    case LEX_STRING:
        return string(parse);
    case LEX_TRUE:
    case LEX_FALSE:
    case LEX_NONE:
        return constant(parse);
    case LEX_OPEN_PAREN:
        return parens(parse);
    case LEX_NOW:
    case LEX_ID:
    case LEX_OLD:
        return named(parse);
    default:
        break;
    }
    if (kind != LEX_NAME && !lex_is_head(kind))
        return no_value(parse);
    expr = named(parse);
    if (!expr)
        return NULL;
    if (parse_kind(parse) == LEX_OPEN_PAREN && !parse_line_ends(parse))
        return call(parse, expr);
    return literal_begins(parse) ? literal(parse, expr) : expr;
}

static struct tree_expr *member(struct parse *parse, struct tree_expr *left)
{
    struct tree_expr *expr;
    struct tree_name name;

    parse_skip(parse);
    if (parse_kind(parse) == LEX_NUMBER && left->kind == TREE_NUMBER) {
        parse_expected(parse, "a name",
                       "numbers are whole; a range is "
                       "written 0 .. 10");
        return NULL;
    }
    if (!parse_name(parse, "a name behind the dot", false, &name))
        return NULL;
    expr = node_new(parse, TREE_MEMBER, parse_from(parse, left->span.start));
    if (!expr)
        return NULL;
    expr->name = name;
    expr->left = left;
    return node_over(parse, expr, left);
}

static struct tree_expr *indexed(struct parse *parse, struct tree_expr *left)
{
    struct tree_expr *expr;
    struct tree_expr *key;

    parse_skip(parse);
    parse->inside++;
    key = parse_expr(parse);
    if (!key)
        return NULL;
    if (parse_kind(parse) != LEX_CLOSE_BRACKET) {
        parse_expected(parse, "]", "a [ before it is still open");
        return NULL;
    }
    parse->inside--;
    parse_skip(parse);
    expr = node_new(parse, TREE_INDEX, parse_from(parse, left->span.start));
    if (!expr)
        return NULL;
    expr->left = left;
    expr->right = key;
    return node_over(parse, expr, left) ? node_over(parse, expr, key) : NULL;
}

static struct tree_expr *postfix(struct parse *parse, struct tree_expr *expr)
{
    while (expr && !parse_line_ends(parse)) {
        if (parse_kind(parse) == LEX_DOT)
            expr = member(parse, expr);
        else if (parse_kind(parse) == LEX_OPEN_BRACKET)
            expr = indexed(parse, expr);
        else
            break;
    }
    return expr;
}

struct tree_expr *parse_place(struct parse *parse)
{
    return postfix(parse, named(parse));
}

/* --- operators ------------------------------------------------------------ */

static struct tree_expr *unary_over(struct parse *parse, enum level min)
{
    bool is_not = parse_kind(parse) == LEX_NOT;
    uint32_t start = parse_span(parse).start;
    struct tree_expr *operand;
    struct tree_expr *expr;

    if (!is_not)
        parse_mark(parse, LEX_SIGN);
    parse_skip(parse);
    if (!is_not && parse_kind(parse) == LEX_NUMBER)
        return postfix(parse, number(parse, true, start));
    if (is_not && min > LEVEL_NOT) {
        parse->at--;
        return no_value(parse);
    }
    if (!parse_enter(parse))
        return NULL;
    operand = binary(parse, is_not ? LEVEL_NOT : LEVEL_UNARY);
    parse->depth--;
    if (!operand)
        return NULL;
    expr = node_new(parse, TREE_UNARY, parse_from(parse, start));
    if (!expr)
        return NULL;
    expr->op = is_not ? TREE_NOT : TREE_MINUS;
    expr->left = operand;
    return node_over(parse, expr, operand);
}

/* An operand of an operator of level min, with all that binds closer. */
static struct tree_expr *operand_of(struct parse *parse, enum level min)
{
    enum lex_kind kind = parse_kind(parse);

    if (kind == LEX_NOT || kind == LEX_MINUS)
        return unary_over(parse, min);
    return postfix(parse, primary(parse));
}

static bool compare_once(struct parse *parse, bool compared)
{
    if (!compared)
        return true;
    source_fault(parse->source, parse_span(parse),
                 "write a < b and b < c, or put one of them in parentheses",
                 "a comparison is not compared again by %s",
                 lex_text(parse_kind(parse)));
    return false;
}

static struct tree_expr *binary(struct parse *parse, enum level min)
{
    struct tree_expr *left = operand_of(parse, min);
    bool compared = false;

    while (left && !parse_line_ends(parse)) {
        enum level level = (enum level)binaries[parse_kind(parse)].level;
        enum tree_operator op =
            (enum tree_operator)binaries[parse_kind(parse)].op;
        struct tree_expr *right;
        struct tree_expr *expr;

        if (level == LEVEL_NONE || level < min)
            break;
        if (level == LEVEL_COMPARE && !compare_once(parse, compared))
            return NULL;
        parse_skip(parse);
        if (!parse_enter(parse))
            return NULL;
        if (level == LEVEL_IMPLIES)
            right = parse_kind(parse) == LEX_IF ? parse_expr(parse)
                                                : binary(parse, level);
        else
            right = binary(parse, level + 1);
        parse->depth--;
        if (!right)
            return NULL;
        expr =
            node_new(parse, TREE_BINARY, parse_from(parse, left->span.start));
        if (!expr)
            return NULL;
        compared = level == LEVEL_COMPARE;
        expr->op = op;
        expr->left = left;
        expr->right = right;
        left = node_over(parse, expr, left);
        left = left ? node_over(parse, expr, right) : NULL;
    }
    return left;
}

struct tree_expr *parse_additive(struct parse *parse)
{
    return binary(parse, LEVEL_ADD);
}

/* if a then b else c */
static struct tree_expr *choice(struct parse *parse)
{
    struct tree_expr *expr = node_new(parse, TREE_IF, parse_span(parse));

    if (!expr)
        return NULL;
    parse_skip(parse);
    expr->left = parse_expr(parse);
    if (!expr->left)
        return NULL;
    if (!parse_expect(parse, LEX_THEN,
                      "a value is chosen by if a then b else c"))
        return NULL;
    expr->right = parse_expr(parse);
    if (!expr->right ||
        !parse_expect(parse, LEX_ELSE,
                      "a value is chosen by if a then b else c"))
        return NULL;
    expr->third = parse_expr(parse);
    if (!expr->third)
        return NULL;
    expr->span = parse_from(parse, expr->span.start);
    if (!node_over(parse, expr, expr->left) ||
        !node_over(parse, expr, expr->right))
        return NULL;
    return node_over(parse, expr, expr->third);
}

struct tree_expr *parse_expr(struct parse *parse)
{
    struct tree_expr *expr;

    if (!parse_enter(parse))
        return NULL;
    expr = parse_kind(parse) == LEX_IF ? choice(parse)
                                       : binary(parse, LEVEL_IMPLIES);
    parse->depth--;
    return expr;
}
