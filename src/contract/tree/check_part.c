/* check_part.c - parts of values: fields of records, values of keys, built-in
 * calls, and records written out. */

#include "contract/tree/check.h"

#include <inttypes.h>
#include <stdio.h>

/* --- parts of values ------------------------------------------------------ */

static struct tree_type *check_old(struct tree_checker *c,
                                   struct tree_expr *expr)
{
    const struct tree_members *old = c->scope.old;
    const struct tree_field *field = map_get(&old->fields, expr->name.text);
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "that version has no fields";

    if (field) {
        expr->left->meaning = TREE_MEANS_OLD;
        expr->place = field->place;
        return field->type;
    }
    tree_words_map(c, &words, &old->fields);
    tree_words_tell(c, &words, expr->name.text, "its fields:", hint);
    source_fault(c->source, expr->name.span, hint,
                 "version %" PRIu32 " of %.*s has no field named %.*s",
                 old->entity->version, SLICE_ARG(old->entity->name.text),
                 SLICE_ARG(expr->name.text));
    return NULL;
}

const struct tree_field *tree_check_record_field(
    struct tree_checker *c, const struct tree_record *record,
    const struct tree_name *name)
{
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "add it to the record";
    uint32_t i;

    for (i = 0; i < record->field_count; i++) {
        if (slice_equal(record->fields[i].name.text, name->text))
            return &record->fields[i];
    }
    for (i = 0; i < record->field_count; i++)
        tree_words_add(c, &words, record->fields[i].name.text);
    tree_words_tell(c, &words, name->text, "its fields:", hint);
    source_fault(c->source, name->span, hint,
                 "the record %.*s has no field named %.*s",
                 SLICE_ARG(record->name.text), SLICE_ARG(name->text));
    return NULL;
}

struct tree_type *tree_check_member(struct tree_checker *c,
                                    struct tree_expr *expr)
{
    const struct tree_expr *left = expr->left;
    const struct tree_field *field;
    struct tree_type_words words;
    struct tree_type *type;
    const char *hint = "write the name alone, without the dot";

    if (left->kind == TREE_NAMED && c->scope.old &&
        tree_word_is(left->name.text, "old"))
        return check_old(c, expr);
    if (left->kind == TREE_NAMED) {
        field = tree_scope_parameter(&c->scope, left->name.text);
        if (field && !field->type) {
            source_fault(c->source, expr->span,
                         "let a step of it refuse, with a require",
                         "a saga does not see the fields of %.*s, only its id",
                         SLICE_ARG(left->name.text));
            return NULL;
        }
    }
    type = tree_check_expr(c, expr->left, NULL);
    if (!type || tree_type_broken(type))
        return NULL;
    if (type->kind == TREE_RECORD) {
        field = tree_check_record_field(c, type->record, &expr->name);
        if (!field)
            return NULL;
        expr->place = field->place;
        return field->type;
    }
    if (type->kind == TREE_OPTIONAL && type->of->kind == TREE_RECORD)
        hint = "get(optional, otherwise) gives the record it holds";
    else if (type->kind == TREE_MAP)
        hint = "map[key] is the value of a key";
    words = tree_type_words(type);
    source_fault(c->source, expr->name.span, hint,
                 "only a record has fields, and this is %s", words.text);
    return NULL;
}

struct tree_type *tree_check_index(struct tree_checker *c,
                                   struct tree_expr *expr)
{
    struct tree_type *type = tree_check_expr(c, expr->left, NULL);
    struct tree_type_words words;

    if (!type || tree_type_broken(type)) {
        tree_check_expr(c, expr->right, c->unknown);
        return NULL;
    }
    if (type->kind == TREE_MAP) {
        bool fine = tree_check_value(c, expr->right, type->key);

        return fine ? type->of : NULL;
    }
    words = tree_type_words(type);
    tree_check_expr(c, expr->right, c->unknown);
    source_fault(c->source, expr->left->span,
                 type->kind == TREE_SET ? "ask with `in` whether a set has it"
                                        : "write the name alone, without [ ]",
                 "only a map has keys, and this is %s", words.text);
    return NULL;
}

/* --- calls ---------------------------------------------------------------- */

static void call_unknown(struct tree_checker *c, const struct tree_expr *expr)
{
    static const char *const functions[] = {"size", "get", "min", "max"};
    struct kan_slice name = expr->name.text;
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "there are size, get, min and max";
    uint32_t i;

    for (i = 0; i < 4; i++)
        words.list[words.count++] = functions[i];
    if (tree_word_is(name, "count") || tree_word_is(name, "sum") ||
        tree_word_is(name, "last")) {
        source_fault(c->source, expr->name.span,
                     "in a view it stands alone, or beside + and -",
                     "%.*s stands in views alone", SLICE_ARG(name));
        return;
    }
    if (tree_word_is(name, "len") || tree_word_is(name, "length") ||
        tree_word_is(name, "strlen"))
        snprintf(hint, sizeof(hint),
                 "size(x) is the length of a text, and "
                 "the count of a set or a map");
    else if (tree_word_is(name, "contains") || tree_word_is(name, "has"))
        snprintf(hint, sizeof(hint), "write x in set, or key in map");
    else if (c->scope.members && map_get(&c->scope.members->steps, name))
        snprintf(hint, sizeof(hint), "a step is not taken by another step");
    else
        tree_words_hint(c, &words, name, hint);
    source_fault(c->source, expr->name.span, hint, "no function is named %.*s",
                 SLICE_ARG(name));
}

static bool call_count(struct tree_checker *c, const struct tree_expr *expr,
                       uint32_t count, const char *form)
{
    if (expr->argument_count == count)
        return true;
    source_fault(c->source, expr->span, form,
                 "%.*s takes %" PRIu32 " argument%s here, not %" PRIu32,
                 SLICE_ARG(expr->name.text), count, count == 1 ? "" : "s",
                 expr->argument_count);
    return false;
}

static struct tree_type *call_size(struct tree_checker *c,
                                   struct tree_expr *expr)
{
    struct tree_type_words words;
    struct tree_type *type;

    expr->function = TREE_SIZE;
    if (!call_count(c, expr, 1, "size(text), size(set), size(map)"))
        return NULL;
    type = tree_check_expr(c, expr->arguments[0], NULL);
    if (!type || tree_type_broken(type))
        return NULL;
    if (type->kind == TREE_TEXT || type->kind == TREE_SET ||
        type->kind == TREE_MAP)
        return c->integer;
    words = tree_type_words(type);
    source_fault(c->source, expr->arguments[0]->span,
                 type->kind == TREE_OPTIONAL
                     ? "get(optional, otherwise) gives what it holds"
                     : "write its name alone, without size( )",
                 "only a text, a set and a map have a size, and this is %s",
                 words.text);
    return NULL;
}

static struct tree_type *call_get(struct tree_checker *c,
                                  struct tree_expr *expr)
{
    static const char form[] =
        "get(optional, otherwise), or get(map, key, "
        "otherwise)";
    struct tree_type_words words;
    struct tree_type *type;
    struct tree_type *other;
    bool fine = true;

    expr->function = TREE_GET;
    if (expr->argument_count < 2 || expr->argument_count > 3)
        return call_count(c, expr, 2, form) ? c->unknown : NULL;
    type = tree_check_expr(c, expr->arguments[0], NULL);
    if (!type || tree_type_broken(type))
        return NULL;
    if (type->kind != TREE_OPTIONAL && type->kind != TREE_MAP) {
        words = tree_type_words(type);
        source_fault(c->source, expr->arguments[0]->span, form,
                     "get takes an optional or a map, and this is %s",
                     words.text);
        return NULL;
    }
    if (!call_count(c, expr, type->kind == TREE_MAP ? 3 : 2, form))
        return NULL;
    if (type->kind == TREE_MAP)
        fine = tree_check_wide(c, expr->arguments[1], type->key);
    other =
        tree_check_wide(c, expr->arguments[expr->argument_count - 1], type->of);
    return fine && other ? tree_type_joined(c, type->of, other) : NULL;
}

struct tree_type *tree_check_call(struct tree_checker *c,
                                  struct tree_expr *expr)
{
    bool least = tree_word_is(expr->name.text, "min");
    bool first;
    bool second;

    if (tree_word_is(expr->name.text, "size"))
        return call_size(c, expr);
    if (tree_word_is(expr->name.text, "get"))
        return call_get(c, expr);
    if (!least && !tree_word_is(expr->name.text, "max")) {
        call_unknown(c, expr);
        return NULL;
    }
    expr->function = least ? TREE_MIN : TREE_MAX;
    if (!call_count(c, expr, 2, least ? "min(a, b)" : "max(a, b)"))
        return NULL;
    first = tree_check_value(c, expr->arguments[0], c->integer);
    second = tree_check_value(c, expr->arguments[1], c->integer);
    return first && second ? c->integer : NULL;
}

/* --- records -------------------------------------------------------------- */

/* Fields without a default must be given, but for optionals. */
static bool literal_whole(struct tree_checker *c, const struct tree_expr *expr,
                          const struct tree_record *record, const bool *given)
{
    uint32_t i;

    for (i = 0; i < record->field_count; i++) {
        const struct tree_field *field = &record->fields[i];

        if (given[i] || field->value || field->type->kind == TREE_OPTIONAL)
            continue;
        source_fault(c->source, expr->span,
                     "only optionals and what has a default may be left out",
                     "the field %.*s of %.*s is missing",
                     SLICE_ARG(field->name.text), SLICE_ARG(record->name.text));
        return false;
    }
    return true;
}

static const struct tree_record *literal_record(struct tree_checker *c,
                                                const struct tree_expr *expr)
{
    const struct tree_record *record = map_get(&c->records, expr->name.text);
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "declare it: record NAME { field: type }";

    if (record)
        return record;
    tree_words_map(c, &words, &c->records);
    tree_words_tell(c, &words, expr->name.text, "the records:", hint);
    source_fault(c->source, expr->name.span, hint, "no record is named %.*s",
                 SLICE_ARG(expr->name.text));
    return NULL;
}

struct tree_type *tree_check_literal(struct tree_checker *c,
                                     struct tree_expr *expr)
{
    const struct tree_record *record = literal_record(c, expr);
    bool given[TREE_FIELDS_MAX] = {false};
    struct tree_type *type;
    bool fine = record;
    uint32_t i;

    for (i = 0; i < expr->argument_count; i++) {
        const struct tree_field *field =
            record ? tree_check_record_field(c, record, &expr->labels[i])
                   : NULL;
        bool known = field && !tree_type_broken(field->type);

        if (!tree_check_value(c, expr->arguments[i],
                              known ? field->type : c->unknown) ||
            !known)
            fine = false;
        if (!field)
            continue;
        if (given[field - record->fields]) {
            source_fault(c->source, expr->labels[i].span, "leave one out",
                         "the field %.*s is given twice",
                         SLICE_ARG(expr->labels[i].text));
            fine = false;
        }
        given[field - record->fields] = true;
    }
    if (!fine || !literal_whole(c, expr, record, given))
        return NULL;
    type = tree_check_give(c, sizeof(*type));
    if (!type)
        return NULL;
    type->kind = TREE_RECORD;
    type->name = expr->name;
    type->span = expr->name.span;
    type->record = (struct tree_record *)(uintptr_t)record;
    return type;
}
