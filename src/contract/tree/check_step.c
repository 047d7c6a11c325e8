/* check_step.c - statements, and the steps that hold them. */

#include "contract/tree/check.h"

#include <stdio.h>

/* --- what is assigned ----------------------------------------------------- */

static struct tree_type *target_named(struct tree_checker *c,
                                      struct tree_expr *target)
{
    const struct tree_scope *scope = &c->scope;
    struct kan_slice name = target->name.text;
    const struct tree_field *field = map_get(&scope->members->fields, name);
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "declare it: NAME: type";
    uint32_t i;

    if (field) {
        target->meaning = TREE_MEANS_FIELD;
        target->place = field->place;
        return field->type;
    }
    for (i = 0; i < scope->parameter_count; i++) {
        if (slice_equal(scope->parameters[i].name.text, name)) {
            source_fault(c->source, target->span, "assign a field of the type",
                         "the parameter %.*s cannot be changed",
                         SLICE_ARG(name));
            return NULL;
        }
    }
    if (slice_equal(name, SLICE("now")) || slice_equal(name, SLICE("id")) ||
        slice_equal(name, SLICE("old"))) {
        source_fault(c->source, target->span, "assign a field of the type",
                     "%.*s cannot be changed", SLICE_ARG(name));
        return NULL;
    }
    tree_words_map(c, &words, &scope->members->fields);
    tree_words_tell(c, &words, name, "the fields:", hint);
    source_fault(c->source, target->span, hint, "no field is named %.*s",
                 SLICE_ARG(name));
    return NULL;
}

static struct tree_type *target_type(struct tree_checker *c,
                                     struct tree_expr *target);

/* A field of a record. */
static struct tree_type *target_member(struct tree_checker *c,
                                       struct tree_expr *target)
{
    struct tree_type *type;
    struct tree_type_words words;
    const struct tree_field *field;

    type = target_type(c, target->left);
    if (!type)
        return NULL;
    if (type->kind != TREE_RECORD) {
        words = tree_type_words(type);
        source_fault(c->source, target->name.span,
                     type->kind == TREE_OPTIONAL
                         ? "assign the whole record, as in name { ... }"
                         : "assign the field itself, without the dot",
                     "only a record has fields, and this is %s", words.text);
        return NULL;
    }
    field = tree_check_record_field(c, type->record, &target->name);
    if (!field)
        return NULL;
    target->place = field->place;
    return field->type;
}

/* The value of a key. */
static struct tree_type *target_index(struct tree_checker *c,
                                      struct tree_expr *target)
{
    struct tree_type *type = target_type(c, target->left);
    struct tree_type_words words;

    if (!type) {
        tree_check_expr(c, target->right, c->unknown);
        return NULL;
    }
    if (type->kind == TREE_MAP) {
        bool fine = tree_check_value(c, target->right, type->key);

        return fine ? type->of : NULL;
    }
    words = tree_type_words(type);
    source_fault(c->source, target->left->span,
                 type->kind == TREE_SET ? "write set += element"
                                        : "assign the field itself, without "
                                          "[ ]",
                 "only a map has keys, and this is %s", words.text);
    return NULL;
}

static struct tree_type *target_type(struct tree_checker *c,
                                     struct tree_expr *target)
{
    struct tree_type *type = NULL;

    if (target->kind == TREE_NAMED) {
        type = target_named(c, target);
    } else if (target->kind == TREE_MEMBER) {
        type = target_member(c, target);
    } else if (target->kind == TREE_INDEX) {
        type = target_index(c, target);
    } else {
        source_fault(c->source, target->span,
                     "assign a field, a field of a record, or map[key]",
                     "this cannot be assigned");
    }
    if (type && tree_type_broken(type))
        type = NULL;
    target->type = type;
    return type;
}

/* --- statements ----------------------------------------------------------- */

/* What += or -= takes as its right side; NULL after a fault. */
static const struct tree_type *change_type(struct tree_checker *c,
                                           const struct tree_statement *one,
                                           const struct tree_type *type)
{
    struct tree_type_words words;
    bool more = one->kind == TREE_INCREASE;
    const char *hint = "assign the whole with =";

    if (type->kind == TREE_INT)
        return c->integer;
    if (type->kind == TREE_SET)
        return type->of;
    if (type->kind == TREE_MAP && !more)
        return type->key;
    if (type->kind == TREE_MAP)
        hint = "write map[key] = value";
    else if (type->kind == TREE_OPTIONAL)
        hint = "write = get(optional, otherwise) and what is added";
    else if (type->kind == TREE_TEXT)
        hint = "texts are not joined: assign the whole";
    words = tree_type_words(type);
    source_fault(
        c->source, one->target->span, hint, "%s is for %s, not for %s",
        more ? "+=" : "-=", more ? "an int or a set" : "an int, a set or a map",
        words.text);
    return NULL;
}

static void check_assignment(struct tree_checker *c, struct tree_statement *one)
{
    struct tree_type *type = target_type(c, one->target);
    const struct tree_type *value = type;

    if (type && one->kind != TREE_ASSIGN)
        value = change_type(c, one, type);
    tree_check_value(c, one->value, value ? value : c->unknown);
}

void tree_check_require(struct tree_checker *c, struct tree_statement *one)
{
    tree_check_value(c, one->condition, c->boolean);
    if (one->text.size == 0) {
        source_fault(c->source, one->span,
                     "it is what a caller reads when the step is refused",
                     "the text behind else is empty");
    }
}

static void check_statement(struct tree_checker *c, struct tree_statement *one,
                            bool upgrade)
{
    if (upgrade && (one->kind == TREE_REQUIRE || one->kind == TREE_INCREASE ||
                    one->kind == TREE_DECREASE)) {
        source_fault(c->source, one->span,
                     one->kind == TREE_REQUIRE
                         ? "bounds and invariants of the other version are "
                           "judged anyway"
                         : "write = and what the field becomes",
                     "an upgrade holds = and if alone");
        return;
    }
    switch (one->kind) {
    case TREE_REQUIRE:
        tree_check_require(c, one);
        break;
    case TREE_ASSIGN:
    case TREE_INCREASE:
    case TREE_DECREASE:
        check_assignment(c, one);
        break;
    case TREE_BRANCH:
        tree_check_value(c, one->condition, c->boolean);
        tree_check_block(c, one->body, upgrade);
        tree_check_block(c, one->otherwise, upgrade);
        break;
    }
}

void tree_check_block(struct tree_checker *c, struct tree_block *block,
                      bool upgrade)
{
    uint32_t i;

    for (i = 0; block && i < block->count; i++)
        check_statement(c, block->statements[i], upgrade);
}

/* --- steps ---------------------------------------------------------------- */

/* A parameter would hide the field. */
static void check_hidden(struct tree_checker *c,
                         const struct tree_members *members,
                         const struct tree_step *step)
{
    char hint[SOURCE_MESSAGE_MAX];
    uint32_t i;

    for (i = 0; i < step->parameter_count; i++) {
        const struct tree_name *name = &step->parameters[i].name;

        if (!map_get(&members->fields, name->text))
            continue;
        snprintf(hint, sizeof(hint), "call it new_%.*s, say",
                 SLICE_ARG(name->text));
        source_fault(c->source, name->span, hint,
                     "%.*s is a field already, so no parameter can have the "
                     "name",
                     SLICE_ARG(name->text));
    }
}

void tree_check_steps(struct tree_checker *c, struct tree_members *members)
{
    struct tree_entity *entity = members->entity;
    uint32_t i;

    for (i = 0; i < entity->step_count; i++) {
        struct tree_step *step = &entity->steps[i];

        check_hidden(c, members, step);
        c->scope = (struct tree_scope){
            .members = members,
            .parameters = step->parameters,
            .parameter_count = step->parameter_count < TREE_PARAMETERS_MAX
                                   ? step->parameter_count
                                   : TREE_PARAMETERS_MAX,
            .inputs = true,
            .where = "a step"};
        if (step->when)
            tree_check_value(c, step->when, c->boolean);
        tree_check_block(c, step->body, false);
    }
}
