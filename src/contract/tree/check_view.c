/* check_view.c - views: what is counted of events, and what of entities.
 *
 * A bare name within count() is a step when there is one of that name, and
 * step.parameter within sum(), min(), max() and last() is of its events. All
 * else is an expression over the fields of an entity. */

#include "contract/tree/check.h"

#include <stdio.h>

/* The step that the name is, or NULL. */
static struct tree_step *named_step(const struct tree_members *members,
                                    const struct tree_expr *expr)
{
    return expr->kind == TREE_NAMED ? map_get(&members->steps, expr->name.text)
                                    : NULL;
}

static const char *aggregate_name(enum tree_aggregate kind)
{
    switch (kind) {
    case TREE_COUNT:
        return "count";
    case TREE_SUM:
        return "sum";
    case TREE_LEAST:
        return "min";
    case TREE_MOST:
        return "max";
    default:
        return "last";
    }
}

/* step.parameter: true when value has that form, right or wrong. */
static bool measure_events(struct tree_checker *c,
                           const struct tree_members *members,
                           struct tree_measure *measure)
{
    struct tree_expr *value = measure->value;
    struct tree_step *step =
        value->kind == TREE_MEMBER ? named_step(members, value->left) : NULL;
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "the step has none: count(STEP) counts it";
    uint32_t i;

    if (!step)
        return false;
    for (i = 0; i < step->parameter_count; i++) {
        struct tree_field *parameter = &step->parameters[i];

        if (slice_equal(parameter->name.text, value->name.text)) {
            measure->step = step;
            measure->parameter = parameter;
            return true;
        }
        tree_words_add(c, &words, parameter->name.text);
    }
    tree_words_tell(c, &words, value->name.text, "its parameters:", hint);
    source_fault(c->source, value->name.span, hint,
                 "the step %.*s has no parameter named %.*s",
                 SLICE_ARG(step->name.text), SLICE_ARG(value->name.text));
    return true;
}

static bool measure_number(struct tree_checker *c,
                           const struct tree_measure *measure,
                           const struct tree_type *type)
{
    struct tree_type_words words;

    if (tree_type_broken(type) || type->kind == TREE_INT)
        return true;
    words = tree_type_words(type);
    source_fault(c->source,
                 measure->value ? measure->value->span : measure->span,
                 "name an int; count(CONDITION) counts what is true",
                 "%s is of numbers, and this is %s",
                 aggregate_name(measure->kind), words.text);
    return false;
}

/* A name that is neither a step nor a field, alone or before a dot. */
static bool measure_unknown(struct tree_checker *c,
                            const struct tree_members *members,
                            const struct tree_expr *value)
{
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "declare it: NAME: type";

    if (value->kind == TREE_MEMBER)
        value = value->left;
    if (value->kind != TREE_NAMED || tree_word_is(value->name.text, "now") ||
        tree_word_is(value->name.text, "id") ||
        tree_word_is(value->name.text, "old") || named_step(members, value) ||
        map_get(&members->fields, value->name.text))
        return false;
    tree_words_map(c, &words, &members->steps);
    tree_words_map(c, &words, &members->fields);
    tree_words_tell(c, &words, value->name.text, "choose one of:", hint);
    source_fault(c->source, value->span, hint,
                 "no step and no field is named %.*s",
                 SLICE_ARG(value->name.text));
    return true;
}

/* What is said of all entities cannot stand in the view of one. */
static bool measure_over_all(struct tree_checker *c,
                             const struct tree_measure *measure, bool over_all)
{
    if (over_all)
        return true;
    source_fault(c->source, measure->span,
                 measure->kind == TREE_COUNT
                     ? "write `view NAME over all`, or count(STEP)"
                     : "write `view NAME over all`, or STEP.PARAMETER",
                 "this is computed over all entities, and the view is of one");
    return false;
}

static void measure_count(struct tree_checker *c,
                          const struct tree_members *members,
                          struct tree_measure *measure, bool over_all)
{
    struct tree_step *step = named_step(members, measure->value);

    if (measure_unknown(c, members, measure->value))
        return;
    if (step) {
        measure->step = step;
        return;
    }
    if (measure_events(c, members, measure)) {
        if (measure->parameter)
            source_fault(c->source, measure->value->span, "count(step)",
                         "count takes a step or a condition");
        measure->step = NULL;
        measure->parameter = NULL;
        return;
    }
    if (measure_over_all(c, measure, over_all))
        tree_check_value(c, measure->value, c->boolean);
}

static void measure_numbers(struct tree_checker *c,
                            const struct tree_members *members,
                            struct tree_measure *measure, bool over_all)
{
    struct tree_type *type;

    if (measure_unknown(c, members, measure->value))
        return;
    if (measure_events(c, members, measure)) {
        if (measure->parameter)
            measure_number(c, measure, measure->parameter->type);
        return;
    }
    if (named_step(members, measure->value) &&
        !map_get(&members->fields, measure->value->name.text)) {
        source_fault(c->source, measure->value->span,
                     "write STEP.PARAMETER, or count(STEP)",
                     "%s is of numbers, and %.*s is a step",
                     aggregate_name(measure->kind),
                     SLICE_ARG(measure->value->name.text));
        return;
    }
    if (!measure_over_all(c, measure, over_all))
        return;
    type = tree_check_expr(c, measure->value, NULL);
    if (type)
        measure_number(c, measure, type);
}

static void measure_last(struct tree_checker *c,
                         const struct tree_members *members,
                         struct tree_measure *measure)
{
    if (measure_unknown(c, members, measure->value) ||
        measure_events(c, members, measure))
        return;
    source_fault(
        c->source, measure->value->span, "a field is shown by its name alone",
        "last takes a step and its parameter, as in last(step.amount)");
}

/* What is added must be a number. */
static void measure_addend(struct tree_checker *c,
                           const struct tree_measure *measure)
{
    if (measure->kind == TREE_LAST && measure->parameter)
        measure_number(c, measure, measure->parameter->type);
}

static void check_measure(struct tree_checker *c,
                          const struct tree_members *members,
                          struct tree_measure *measure, bool over_all)
{
    switch (measure->kind) {
    case TREE_PLAIN:
        if (over_all) {
            source_fault(c->source, measure->span,
                         "write sum(...), count(...), min(...) or max(...)",
                         "a view over all shows totals, not the fields of one "
                         "entity");
            return;
        }
        tree_check_expr(c, measure->value, NULL);
        break;
    case TREE_COUNT:
        measure_count(c, members, measure, over_all);
        break;
    case TREE_SUM:
    case TREE_LEAST:
    case TREE_MOST:
        measure_numbers(c, members, measure, over_all);
        break;
    case TREE_LAST:
        measure_last(c, members, measure);
        break;
    case TREE_PLUS:
    case TREE_LESS_BY:
        check_measure(c, members, measure->left, over_all);
        check_measure(c, members, measure->right, over_all);
        measure_addend(c, measure->left);
        measure_addend(c, measure->right);
        break;
    case TREE_AMOUNT:
        break;
    }
}

void tree_check_views(struct tree_checker *c, struct tree_members *members)
{
    struct tree_entity *entity = members->entity;
    struct map names;
    uint32_t i;
    uint32_t k;

    if (!tree_check_limit(c, entity->name.span, entity->view_count,
                          TREE_STEPS_MAX, "views"))
        return;
    tree_check_map(&names);
    for (i = 0; i < entity->view_count; i++) {
        struct tree_view *view = &entity->views[i];
        struct map entries;

        tree_check_name(c, &names, &view->name, view, "view");
        tree_check_map(&entries);
        c->scope = (struct tree_scope){.members = members, .where = "a view"};
        for (k = 0; k < view->entry_count; k++) {
            struct tree_view_entry *entry = &view->entries[k];

            tree_check_name(c, &entries, &entry->name, entry,
                            "entry of the view");
            check_measure(c, members, entry->measure, view->over_all);
        }
        map_fini(&entries);
    }
    map_fini(&names);
}
