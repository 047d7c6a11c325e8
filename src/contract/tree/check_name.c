/* check_name.c - what a name stands for: a parameter, a field, a value of the
 * enum that is expected, `now`, `id`. */

#include "contract/tree/check.h"

#include <stdio.h>

/* The enum that is expected, maybe within an optional; or NULL. */
static const struct tree_type *expected_enum(const struct tree_type *expected)
{
    if (expected && expected->kind == TREE_OPTIONAL)
        expected = expected->of;
    return expected && expected->kind == TREE_ENUM ? expected : NULL;
}

const struct tree_field *tree_scope_parameter(const struct tree_scope *scope,
                                              struct kan_slice name)
{
    uint32_t i;

    for (i = 0; i < scope->parameter_count; i++) {
        if (slice_equal(scope->parameters[i].name.text, name))
            return &scope->parameters[i];
    }
    return NULL;
}

static const struct tree_field *scope_field(const struct tree_scope *scope,
                                            struct kan_slice name)
{
    return scope->members ? map_get(&scope->members->fields, name) : NULL;
}

/* The field whose enum has this value, as a hint. */
static bool hint_constant(const struct tree_checker *c, struct kan_slice name,
                          char *hint)
{
    const struct tree_members *members = c->scope.members;
    uint32_t i;

    for (i = 0; members && i < members->entity->field_count; i++) {
        const struct tree_field *field = &members->entity->fields[i];

        if (field->type && field->type->kind == TREE_ENUM &&
            tree_type_constant(field->type, name) >= 0) {
            snprintf(hint, SOURCE_MESSAGE_MAX,
                     "%.*s is a value of %.*s: compare them with ==",
                     SLICE_ARG(name), SLICE_ARG(field->name.text));
            return true;
        }
    }
    return false;
}

static void words_enum(struct tree_checker *c, struct tree_words *words,
                       const struct tree_type *type)
{
    uint32_t i;

    for (i = 0; i < type->name_count; i++)
        tree_words_add(c, words, type->names[i].text);
}

static void unknown_constant(struct tree_checker *c,
                             const struct tree_expr *expr,
                             const struct tree_type *type)
{
    struct tree_type_words of = tree_type_words(type);
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "write one of its values";

    words_enum(c, &words, type);
    if (c->scope.members && !c->scope.fields_written)
        tree_words_map(c, &words, &c->scope.members->fields);
    if (!tree_words_hint(c, &words, expr->name.text, hint)) {
        words.count = 0;
        words_enum(c, &words, type);
        tree_words_tell(c, &words, expr->name.text, "its values:", hint);
    }
    source_fault(c->source, expr->span, hint, "%.*s is not a value of %s",
                 SLICE_ARG(expr->name.text), of.text);
}

/* How a list of what can be named begins. */
static const char *there_are(const struct tree_scope *scope)
{
    if (scope->members && scope->parameters)
        return "choose one of:";
    return scope->members ? "the fields:" : "the parameters:";
}

static void name_unknown(struct tree_checker *c, const struct tree_expr *expr,
                         const struct tree_type *expected)
{
    const struct tree_scope *scope = &c->scope;
    struct kan_slice name = expr->name.text;
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "";
    const char *kinds = "field or parameter";
    uint32_t i;

    if (expected && expected->kind == TREE_NONE_TYPE)
        return;
    if (expected_enum(expected)) {
        unknown_constant(c, expr, expected_enum(expected));
        return;
    }
    if (!scope->members && !scope->parameters) {
        source_fault(c->source, expr->span,
                     "constants are numbers, texts, true, false, none, values "
                     "of the enum that is expected, and records of them",
                     "%s is a constant, and %.*s is not", scope->where,
                     SLICE_ARG(name));
        return;
    }
    if (!scope->parameters)
        kinds = "field";
    else if (!scope->members)
        kinds = "parameter";
    for (i = 0; i < scope->parameter_count; i++)
        tree_words_add(c, &words, scope->parameters[i].name.text);
    if (scope->members)
        tree_words_map(c, &words, &scope->members->fields);
    snprintf(hint, sizeof(hint), "declare it: %.*s: int(0 .. 100)",
             SLICE_ARG(name));
    if (!tree_words_hint(c, &words, name, hint) &&
        !hint_constant(c, name, hint))
        tree_words_tell(c, &words, name, there_are(scope), hint);
    source_fault(c->source, expr->span, hint, "no %s is named %.*s", kinds,
                 SLICE_ARG(name));
}

/* now, id and old. */
static struct tree_type *named_input(struct tree_checker *c,
                                     struct tree_expr *expr)
{
    const struct tree_scope *scope = &c->scope;

    if (tree_word_is(expr->name.text, "old")) {
        if (scope->old) {
            source_fault(c->source, expr->span, "write old and a field",
                         "old is the whole state before, and no value");
        } else {
            source_fault(c->source, expr->span,
                         scope->members ? "a field is read by its name alone"
                                        : "write a parameter or a constant",
                         "old stands in upgrades alone, not in %s",
                         scope->where);
        }
        return NULL;
    }
    if (!scope->inputs) {
        source_fault(c->source, expr->span,
                     scope->members
                         ? "let a step keep it in a field, and read that"
                         : "let a step read it, and write a constant here",
                     "%.*s stands in steps and upgrades alone, not in %s",
                     SLICE_ARG(expr->name.text), scope->where);
        return NULL;
    }
    if (tree_word_is(expr->name.text, "now")) {
        expr->meaning = TREE_MEANS_NOW;
        return c->integer;
    }
    expr->meaning = TREE_MEANS_ID;
    return c->id;
}

static struct tree_type *named_constant(struct tree_expr *expr,
                                        const struct tree_type *type)
{
    int64_t number = tree_type_constant(type, expr->name.text);

    if (number < 0)
        return NULL;
    expr->meaning = TREE_MEANS_CONSTANT;
    expr->place = (uint32_t)number;
    return (struct tree_type *)(uintptr_t)type;
}

/* A value of the expected enum that is the name of something else too. */
static bool named_twice(struct tree_checker *c, const struct tree_expr *expr,
                        const struct tree_type *expected, const char *what)
{
    const struct tree_type *type = expected_enum(expected);

    if (!type || tree_type_constant(type, expr->name.text) < 0)
        return false;
    source_fault(c->source, expr->span, "give one of them another name",
                 "%.*s is a %s, and a value of the enum that is expected here",
                 SLICE_ARG(expr->name.text), what);
    return true;
}

struct tree_type *tree_check_named(struct tree_checker *c,
                                   struct tree_expr *expr,
                                   const struct tree_type *expected)
{
    const struct tree_scope *scope = &c->scope;
    struct kan_slice name = expr->name.text;
    const struct tree_type *enumeration = expected_enum(expected);
    const struct tree_field *found;
    struct tree_type *type;

    if (tree_word_is(name, "now") || tree_word_is(name, "id") ||
        tree_word_is(name, "old"))
        return named_input(c, expr);
    found = tree_scope_parameter(scope, name);
    if (found) {
        if (named_twice(c, expr, expected, "parameter"))
            return NULL;
        expr->meaning = TREE_MEANS_PARAMETER;
        expr->place = found->place;
        return found->type ? found->type : c->entity_id;
    }
    found = scope_field(scope, name);
    if (found && !scope->fields_written) {
        if (named_twice(c, expr, expected, "field"))
            return NULL;
        expr->meaning = TREE_MEANS_FIELD;
        expr->place = found->place;
        return found->type;
    }
    type = enumeration ? named_constant(expr, enumeration) : NULL;
    if (type)
        return type;
    if (found || (scope->old && map_get(&scope->old->fields, name))) {
        source_fault(c->source, expr->span, "write old and its name",
                     "an upgrade reads the state before: old.%.*s",
                     SLICE_ARG(name));
        return NULL;
    }
    name_unknown(c, expr, expected);
    return NULL;
}

/* Whether the expression has no type of its own: a constant of an enum, none,
 * or a choice between such. */
bool tree_check_needs_type(const struct tree_checker *c,
                           const struct tree_expr *expr)
{
    if (expr->kind == TREE_IF)
        return tree_check_needs_type(c, expr->right) &&
               tree_check_needs_type(c, expr->third);
    if (expr->kind != TREE_NAMED)
        return expr->kind == TREE_NONE;
    if (tree_word_is(expr->name.text, "now") ||
        tree_word_is(expr->name.text, "id") ||
        tree_word_is(expr->name.text, "old"))
        return false;
    return !tree_scope_parameter(&c->scope, expr->name.text) &&
           (!scope_field(&c->scope, expr->name.text) ||
            c->scope.fields_written);
}
