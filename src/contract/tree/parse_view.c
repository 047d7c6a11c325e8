/* parse_view.c - views. A measure is read as an expression, in which count(),
 * sum(), last() and min() and max() of one argument are aggregates, and then
 * taken apart at its + and -. */

#include "contract/tree/parse.h"

static const struct
{
    const char *name;
    enum tree_aggregate kind;
} aggregates[] = {{"count", TREE_COUNT},
                  {"sum", TREE_SUM},
                  {"last", TREE_LAST},
                  {"min", TREE_LEAST},
                  {"max", TREE_MOST}};

/* Whether the call is one of an aggregate. */
static bool aggregate(const struct tree_expr *expr,
                      enum tree_aggregate *ret_kind)
{
    if (expr->kind != TREE_CALL)
        return false;
    for (size_t i = 0; i < sizeof aggregates / sizeof aggregates[0]; i++) {
        enum tree_aggregate kind = aggregates[i].kind;

        if (!slice_equal(expr->name.text, kan_text(aggregates[i].name)))
            continue;
        *ret_kind = kind;
        return expr->argument_count == 1 ||
               (kind != TREE_LEAST && kind != TREE_MOST);
    }
    return false;
}

/* The first aggregate within the expression, or NULL. */
static const struct tree_expr *has_aggregate(const struct tree_expr *expr)
{
    const struct tree_expr *parts[] = {expr->left, expr->right, expr->third};
    const struct tree_expr *found = NULL;
    enum tree_aggregate kind;

    if (aggregate(expr, &kind))
        return expr;
    for (int i = 0; i < 3 && !found; i++)
        found = parts[i] ? has_aggregate(parts[i]) : NULL;
    for (uint32_t i = 0; i < expr->argument_count && !found; i++)
        found = has_aggregate(expr->arguments[i]);
    return found;
}

static struct tree_measure *measure_of(struct parse *parse,
                                       struct tree_expr *expr, bool whole);

/* left + right, left - right */
static struct tree_measure *both(struct parse *parse,
                                 struct tree_measure *measure,
                                 const struct tree_expr *expr)
{
    measure->kind = expr->op == TREE_ADD ? TREE_PLUS : TREE_LESS_BY;
    measure->left = measure_of(parse, expr->left, false);
    measure->right =
        measure->left ? measure_of(parse, expr->right, false) : NULL;
    return measure->right ? measure : NULL;
}

static struct tree_measure *measure_of(struct parse *parse,
                                       struct tree_expr *expr, bool whole)
{
    struct tree_measure *measure = parse_give(parse, sizeof *measure);
    const struct tree_expr *inner;

    if (!measure)
        return NULL;
    measure->span = expr->span;
    if (aggregate(expr, &measure->kind)) {
        if (expr->argument_count != 1) {
            source_fault(parse->source, expr->span,
                         "as in sum(amount), or sum(STEP.PARAMETER)",
                         "%.*s() takes one argument",
                         SLICE_ARG(expr->name.text));
            return NULL;
        }
        measure->value = expr->arguments[0];
        inner = has_aggregate(measure->value);
        if (!inner)
            return measure;
        source_fault(parse->source, inner->span, "give each a line of its own",
                     "an aggregate within an aggregate");
        return NULL;
    }
    if (expr->kind == TREE_NUMBER) {
        measure->kind = TREE_AMOUNT;
        measure->value = expr;
        return measure;
    }
    inner = has_aggregate(expr);
    if (inner && expr->kind == TREE_BINARY &&
        (expr->op == TREE_ADD || expr->op == TREE_SUBTRACT))
        return both(parse, measure, expr);
    if (!inner && whole) {
        measure->kind = TREE_PLAIN;
        measure->value = expr;
        return measure;
    }
    source_fault(parse->source, inner ? inner->span : expr->span,
                 "put the operation within: sum(a * b), count(a > b)",
                 inner ? "an aggregate can only be added and subtracted"
                       : "only aggregates and numbers are added to an "
                         "aggregate");
    return NULL;
}

static bool entry(struct parse *parse, struct tree_view *view)
{
    struct tree_view_entry one = {0};
    struct tree_expr *expr;

    parse_item(parse, LEX_FIELD);
    if (!parse_name(parse, "the name of what is shown", false, &one.name) ||
        !parse_expect(parse, LEX_COLON, "a line of a view is name: measure"))
        return false;
    expr = parse_expr(parse);
    if (!expr)
        return false;
    one.measure = measure_of(parse, expr, true);
    if (!one.measure)
        return false;
    view->entries = parse_room_upto(parse, view->entries, view->entry_count,
                                    sizeof one, TREE_FIELDS_MAX, "lines");
    if (!view->entries)
        return false;
    view->entries[view->entry_count++] = one;
    return true;
}

/* over all: words that are none elsewhere. */
static bool over(struct parse *parse, struct tree_view *view)
{
    if (parse_kind(parse) != LEX_NAME)
        return true;
    if (!slice_equal(parse_slice(parse), SLICE("over")))
        return parse_expected(parse, "over all, or {",
                              "write view NAME { ... }, or view NAME over all "
                              "{ ... }");
    parse_skip(parse);
    if (!slice_equal(parse_slice(parse), SLICE("all")))
        return parse_expected(parse, "all",
                              "a view is of each entity, or over all");
    parse_skip(parse);
    view->over_all = true;
    return true;
}

bool parse_view(struct parse *parse, struct tree_entity *entity)
{
    struct tree_view view = {0};
    uint32_t open;
    uint32_t depth = parse->depth;

    parse_skip(parse);
    if (!parse_name(parse, "the name of a view", false, &view.name) ||
        !over(parse, &view))
        return false;
    if (!parse_open(parse, "what is shown stands in { }, as name: measure",
                    &open))
        return false;
    while (!parse_list_over(parse, open, false)) {
        uint32_t began = parse->at;

        if (parse_semicolon(parse))
            continue;
        if (!entry(parse, &view) || !parse_separator(parse, "a line of a view"))
            parse_recover(parse, began);
        parse->depth = depth;
        if (parse->no_memory)
            return false;
    }
    entity->views = parse_room_upto(parse, entity->views, entity->view_count,
                                    sizeof view, TREE_STEPS_MAX, "views");
    if (!entity->views)
        return false;
    entity->views[entity->view_count++] = view;
    return true;
}
