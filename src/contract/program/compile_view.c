/* compile_view.c - views: small trees of what is counted, and the expressions
 * in them. */

#include "contract/program/compile.h"
#include "contract/program/measure.h"

/* An expression over the fields, computed into RESULT; its type. */
static uint32_t expression_code(struct compile *c, const struct tree_expr *expr,
                                uint32_t *ret_type)
{
    const struct compile_scope scope = {.parameters = PROGRAM_NOTHING,
                                        .old = PROGRAM_NOTHING,
                                        .step = PROGRAM_NOTHING};
    struct compile_goal goal = {
        .reg = MACHINE_RESULT, .span = expr->span, .value = expr};
    uint32_t code;

    goal.type = compile_type(c, expr->type);
    code = compile_begin(c, &scope);
    compile_into(c, expr, goal);
    compile_emit(c, MACHINE_END, 0, 0, 0);
    *ret_type = goal.type;
    return code;
}

static bool is_aggregate(enum tree_aggregate kind)
{
    return kind == TREE_COUNT || kind == TREE_SUM || kind == TREE_LEAST ||
           kind == TREE_MOST || kind == TREE_LAST;
}

/* The parameter that is aggregated. */
static void node_parameter(struct compile *c, struct program_inside_node *node,
                           const struct tree_field *parameter)
{
    const struct program_inside_step *step =
        COMPILE_ITEM(c, steps, struct program_inside_step, node->step);
    const struct program_inside_member *member = COMPILE_ITEM(
        c, members, struct program_inside_member,
        compile_type_of(c, step->arguments)->member_first + parameter->place);

    node->member = parameter->place;
    node->type = member->type;
    node->offset = member->offset;
}

/* Its place in the tally. */
static void node_tally(struct compile *c, struct program_inside_node *node,
                       uint32_t number, struct source_span span)
{
    uint32_t size = 16;
    uint32_t *slot;

    if (node->kind == TREE_LAST)
        size += (compile_type_of(c, node->type)->size + 15) & ~UINT32_C(15);
    if (c->tally_size > PROGRAM_TALLY_MAX - size) {
        compile_full(c, span, "the views of an entity are too large");
        return;
    }
    node->tally = c->tally_size;
    c->tally_size += size;
    slot = compile_add(c, &c->slots, NULL);
    if (slot)
        *slot = number;
}

static uint32_t column_add(struct compile *c,
                           const struct program_inside_node *node,
                           uint32_t number, uint32_t view)
{
    static const enum program_column_kind kinds[] = {
        [TREE_COUNT] = PROGRAM_COUNT, [TREE_SUM] = PROGRAM_SUM,
        [TREE_LEAST] = PROGRAM_LEAST, [TREE_MOST] = PROGRAM_MOST,
        [TREE_LAST] = PROGRAM_LAST,
    };
    struct program_inside_column *column;
    uint32_t place = 0;

    column = compile_add(c, &c->columns, &place);
    if (!column)
        return 0;
    column->kind = kinds[node->kind];
    column->of_events = node->step != PROGRAM_NOTHING;
    column->view = view;
    column->node = number;
    return place;
}

static uint32_t compile_measure(struct compile *c,
                                const struct tree_measure *measure,
                                bool over_all, uint32_t view)
{
    struct program_inside_node node = {.kind = measure->kind,
                                       .step = PROGRAM_NOTHING,
                                       .code = PROGRAM_NOTHING,
                                       .tally = PROGRAM_NOTHING,
                                       .column = PROGRAM_NOTHING};
    struct program_inside_node *place;
    uint32_t number;

    if (++c->depth > 4 * TREE_DEPTH_MAX)
        compile_full(c, measure->span, "the measure is too deep");
    if (c->err == KAN_OK &&
        (measure->kind == TREE_PLUS || measure->kind == TREE_LESS_BY)) {
        node.left = compile_measure(c, measure->left, over_all, view);
        node.right = compile_measure(c, measure->right, over_all, view);
    }
    c->depth--;
    if (c->err != KAN_OK)
        return 0;
    number = c->nodes.count;
    if (measure->kind == TREE_AMOUNT)
        node.amount = measure->value->number;
    if (measure->step) {
        node.step = measure->step->place;
        if (measure->parameter)
            node_parameter(c, &node, measure->parameter);
        if (!over_all)
            node_tally(c, &node, number, measure->span);
    } else if (is_aggregate(measure->kind) || measure->kind == TREE_PLAIN) {
        node.code = expression_code(c, measure->value, &node.type);
    }
    if (over_all && is_aggregate(measure->kind))
        node.column = column_add(c, &node, number, view);
    place = compile_add(c, &c->nodes, NULL);
    if (place)
        *place = node;
    return number;
}

static void compile_view(struct compile *c, const struct tree_view *from)
{
    struct program_words name = compile_words(c, from->name.text);
    struct program_inside_view *view;
    uint32_t number = 0;
    uint32_t i;

    view = compile_add(c, &c->views, &number);
    if (!view)
        return;
    view->name = name;
    view->over_all = from->over_all;
    view->entry_first = c->entries.count;
    view->entry_count = from->entry_count;
    for (i = 0; i < from->entry_count && c->err == KAN_OK; i++) {
        struct program_words entry_name =
            compile_words(c, from->entries[i].name.text);
        uint32_t node = compile_measure(c, from->entries[i].measure,
                                        from->over_all, number);
        struct program_inside_entry *entry = compile_add(c, &c->entries, NULL);

        if (!entry)
            return;
        entry->name = entry_name;
        entry->node = node;
    }
}

void compile_views(struct compile *c, const struct tree_entity *entity)
{
    uint32_t i;

    for (i = 0; i < entity->view_count && c->err == KAN_OK; i++)
        compile_view(c, &entity->views[i]);
}
