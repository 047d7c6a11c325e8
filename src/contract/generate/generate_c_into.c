/* generate_c_into.c - values to where they belong: bounds are checked here, and
 * what is no optional is wrapped where an optional is expected. */

#include "contract/generate/generate_c.h"

#include <inttypes.h>

static const struct kan_slice nothing;

static struct gen_goal goal_within(const struct gen_goal *goal,
                                   const struct tree_type *type,
                                   const char *place)
{
    struct gen_goal inner = *goal;

    inner.type = type;
    inner.place = place;
    return inner;
}

/* --- checks --------------------------------------------------------------- */

static struct gen_value fit_int(struct gen *g, struct gen_value value,
                                const struct gen_goal *goal)
{
    int64_t min = goal->type->min;
    int64_t max = goal->type->max;
    const char *low;
    const char *high;
    const char *condition;

    if (value.min >= min && value.max <= max)
        return value;
    value = gen_settle(g, value);
    low = gen_words(g, "%s < %s", gen_code(g, value, GEN_ORDER + 1),
                    gen_number(g, min));
    high = gen_words(g, "%s > %s", gen_code(g, value, GEN_ORDER + 1),
                     gen_number(g, max));
    if (value.min >= min)
        condition = high;
    else if (value.max <= max)
        condition = low;
    else
        condition = gen_words(g, "%s || %s", low, high);
    gen_refuse(
        g, condition,
        gen_reason(g, PROGRAM_BOUND, goal->name, nothing, goal->span, min, max),
        value.code);
    value.min = value.min < min ? min : value.min;
    value.max = value.max > max ? max : value.max;
    return value;
}

static struct gen_value fit_text(struct gen *g, struct gen_value value,
                                 const struct gen_goal *goal)
{
    const char *size;

    if (value.type->size <= goal->type->size)
        return value;
    if (!value.place)
        value = gen_settle(g, value);
    size = gen_words(g, "%s.size",
                     value.place ? value.place : gen_code(g, value, GEN_ATOM));
    gen_refuse(g, gen_words(g, "%s > %" PRIu32, size, goal->type->size),
               gen_reason(g, PROGRAM_LENGTH, goal->name, nothing, goal->span, 0,
                          goal->type->size),
               NULL);
    value.place = NULL;
    return value;
}

/* Elements of a set or map that may not fit: one after the other, as they are
 * sorted in both. */
static void convert_elements(struct gen *g, struct gen_value value,
                             const struct gen_goal *goal)
{
    const struct tree_type *from = value.type;
    const struct tree_type *to = goal->type;
    const char *at = gen_words(g, "t%u", ++g->temps);
    bool map = to->kind == TREE_MAP;
    const char *source = gen_words(g, "%s.elements[%s]", value.code, at);
    const char *target = gen_words(g, "%s.elements[%s]", goal->place, at);
    struct gen_goal inner;

    if (from->size > to->size) {
        gen_refuse(g, gen_words(g, "%s.count > %" PRIu32, value.code, to->size),
                   gen_reason(g, PROGRAM_FULL, goal->name, nothing, goal->span,
                              0, to->size),
                   NULL);
    }
    gen_line(g, "for (uint16_t %s = 0; %s < %s.count; %s++) {", at, at,
             value.code, at);
    g->depth++;
    inner = goal_within(goal, map ? to->key : to->of,
                        map ? gen_words(g, "%s.key", target) : target);
    gen_put(g,
            gen_at(g, map ? from->key : from->of,
                   map ? gen_words(g, "%s.key", source) : source),
            inner);
    if (map) {
        inner = goal_within(goal, to->of, gen_words(g, "%s.value", target));
        gen_put(g, gen_at(g, from->of, gen_words(g, "%s.value", source)),
                inner);
    }
    g->depth--;
    gen_line(g, "}");
    gen_line(g, "%s.count = %s.count;", goal->place, value.code);
}

static struct gen_value fit_whole(struct gen *g, struct gen_value value,
                                  const struct gen_goal *goal)
{
    const char *temp;
    struct gen_goal inner;
    struct gen_value fitting;

    if (gen_holds(value.type, goal->type))
        return value;
    temp = gen_temp(g, goal->type, true);
    inner = goal_within(goal, goal->type, temp);
    if (value.kind == TREE_OPTIONAL) {
        inner.type = goal->type->of;
        inner.place = gen_words(g, "%s.value", temp);
        gen_line(g, "if (%s.there) {", value.code);
        g->depth++;
        gen_put(g,
                gen_at(g, value.type->of, gen_words(g, "%s.value", value.code)),
                inner);
        gen_line(g, "%s.there = true;", temp);
        g->depth--;
        gen_line(g, "}");
    } else {
        convert_elements(g, value, &inner);
    }
    fitting = gen_at(g, goal->type, temp);
    fitting.settled = true;
    return fitting;
}

struct gen_value gen_fit(struct gen *g, struct gen_value value,
                         struct gen_goal goal)
{
    if (g->failed)
        return value;
    if (goal.type->kind == TREE_OPTIONAL && value.kind != TREE_OPTIONAL)
        goal.type = goal.type->of;
    switch (goal.type->kind) {
    case TREE_INT:
        return fit_int(g, value, &goal);
    case TREE_TEXT:
        return fit_text(g, value, &goal);
    case TREE_OPTIONAL:
    case TREE_SET:
    case TREE_MAP:
        return fit_whole(g, value, &goal);
    case TREE_BOOL:
    case TREE_ENUM:
    case TREE_RECORD:
    case TREE_NONE_TYPE:
        break;
    }
    return value;
}

/* --- stores --------------------------------------------------------------- */

static void copy(struct gen *g, const char *place, const char *from)
{
    if (strcmp(place, from) != 0)
        gen_line(g, "memcpy(&%s, &%s, sizeof %s);", place, from, place);
}

/* Of a value that fits. */
static void store(struct gen *g, struct gen_value value,
                  const struct gen_goal *goal)
{
    struct gen_goal inner;

    if (goal->type->kind == TREE_OPTIONAL && value.kind != TREE_OPTIONAL) {
        inner = goal_within(goal, goal->type->of,
                            gen_words(g, "%s.value", goal->place));
        store(g, value, &inner);
        gen_line(g, "%s.there = true;", goal->place);
        return;
    }
    switch (value.kind) {
    case TREE_BOOL:
    case TREE_INT:
        gen_line(g, "%s = %s;", goal->place, value.code);
        break;
    case TREE_ENUM:
        if (value.constant)
            gen_line(g, "%s = %s;", goal->place, value.code);
        else
            gen_line(g, "%s = (uint16_t)%s;", goal->place,
                     gen_code(g, value, GEN_UNARY));
        break;
    case TREE_TEXT:
        if (value.place && value.type->size == goal->type->size)
            copy(g, goal->place, value.place);
        else
            gen_line(g, "%s.size = %s_text_put(%s.bytes, sizeof %s.bytes, %s);",
                     goal->place, g->name, goal->place, goal->place,
                     value.code);
        break;
    default:
        copy(g, goal->place, value.code);
        break;
    }
}

void gen_put(struct gen *g, struct gen_value value, struct gen_goal goal)
{
    value = gen_fit(g, value, goal);
    if (!g->failed)
        store(g, value, &goal);
}

/* --- record literals ------------------------------------------------------ */

static bool labelled(const struct tree_expr *expr, struct kan_slice name)
{
    uint32_t i;

    for (i = 0; i < expr->argument_count; i++) {
        if (slice_equal(expr->labels[i].text, name))
            return true;
    }
    return false;
}

/* Into a place that is zeroed, and read by nothing. */
static void literal_into(struct gen *g, const struct tree_expr *expr,
                         const struct gen_goal *goal)
{
    const struct tree_record *record = goal->type->record;
    uint32_t i;
    uint32_t k;

    for (k = 0; k < record->field_count; k++) {
        const struct tree_field *field = &record->fields[k];

        if (!labelled(expr, field->name.text)) {
            gen_default(g, field,
                        gen_words(g, "%s.%s", goal->place,
                                  gen_member(g, field->name.text)));
        }
    }
    for (i = 0; i < expr->argument_count && !g->failed; i++) {
        for (k = 0; k < record->field_count; k++) {
            const struct tree_field *field = &record->fields[k];
            struct gen_goal inner;

            if (!slice_equal(field->name.text, expr->labels[i].text))
                continue;
            inner = goal_within(goal, field->type,
                                gen_words(g, "%s.%s", goal->place,
                                          gen_member(g, field->name.text)));
            inner.span = expr->arguments[i]->span;
            inner.name =
                *goal->name ? gen_words(g, "%s.%.*s", goal->name,
                                        SLICE_ARG(field->name.text))
                            : gen_words(g, "%.*s", SLICE_ARG(field->name.text));
            gen_into(g, expr->arguments[i], inner);
        }
    }
}

/* --- expressions ---------------------------------------------------------- */

static void choice_into(struct gen *g, const struct tree_expr *expr,
                        const struct gen_goal *goal)
{
    struct gen_value condition = gen_expr(g, expr->left);

    gen_line(g, "if (%s) {", condition.code);
    g->depth++;
    gen_into(g, expr->right, *goal);
    g->depth--;
    gen_line(g, "} else {");
    g->depth++;
    gen_into(g, expr->third, *goal);
    g->depth--;
    gen_line(g, "}");
}

void gen_into(struct gen *g, const struct tree_expr *expr, struct gen_goal goal)
{
    const struct tree_type *type = goal.type;
    struct gen_goal inner;
    const char *temp;

    if (g->failed)
        return;
    if (expr->kind == TREE_NONE) {
        gen_line(g, "memset(&%s, 0, sizeof %s);", goal.place, goal.place);
        return;
    }
    if (expr->kind == TREE_IF && type->kind != TREE_BOOL &&
        type->kind != TREE_INT && type->kind != TREE_TEXT &&
        type->kind != TREE_ENUM) {
        choice_into(g, expr, &goal);
        return;
    }
    if (expr->kind != TREE_LITERAL) {
        gen_put(g, gen_expr(g, expr), goal);
        return;
    }
    if (type->kind == TREE_OPTIONAL)
        type = type->of;
    temp = gen_temp(g, type, true);
    inner = goal_within(&goal, type, temp);
    literal_into(g, expr, &inner);
    gen_put(g, gen_at(g, type, temp), goal);
}

void gen_default(struct gen *g, const struct tree_field *field,
                 const char *place)
{
    const struct tree_type *type = field->type;
    struct gen_goal goal = {
        .type = type, .place = place, .name = "", .span = field->name.span};
    uint32_t i;

    if (field->value) {
        const struct tree_expr *expr = field->value;
        bool zero = (expr->kind == TREE_NUMBER && expr->number == 0) ||
                    (expr->kind == TREE_TRUTH && expr->number == 0) ||
                    (expr->kind == TREE_STRING && expr->text.size == 0) ||
                    expr->kind == TREE_NONE;

        /* What is zero is there already. */
        if (!zero || type->kind == TREE_OPTIONAL)
            gen_into(g, expr, goal);
        return;
    }
    if (type->kind != TREE_RECORD)
        return;
    for (i = 0; i < type->record->field_count; i++) {
        const struct tree_field *inner = &type->record->fields[i];

        gen_default(
            g, inner,
            gen_words(g, "%s.%s", place, gen_member(g, inner->name.text)));
    }
}
