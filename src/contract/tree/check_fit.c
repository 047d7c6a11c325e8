/* check_fit.c - types beside types: which are the same, which fit where, and
 * what they are in words. */

#include "contract/tree/check.h"

#include <stdio.h>

/* --- in words ------------------------------------------------------------- */

struct tree_type_words tree_type_words(const struct tree_type *type)
{
    struct tree_type_words words;
    struct buffer text = BUFFER_INIT;

    tree_type_print(type, &text);
    if (text.size < sizeof(words.text)) {
        snprintf(words.text, sizeof(words.text), "%.*s",
                 SLICE_ARG(buffer_slice(&text)));
    } else {
        snprintf(words.text, sizeof(words.text), "%.*s ...",
                 (int)sizeof(words.text) - 6, buffer_text(&text));
    }
    buffer_fini(&text);
    return words;
}

/* --- how types relate ----------------------------------------------------- */

bool tree_type_broken(const struct tree_type *type)
{
    if (!type || (type->kind == TREE_RECORD && !type->record))
        return true;
    if (type->kind == TREE_OPTIONAL || type->kind == TREE_SET)
        return tree_type_broken(type->of);
    return type->kind == TREE_MAP &&
           (tree_type_broken(type->key) || tree_type_broken(type->of));
}

static bool names_same(const struct tree_type *a, const struct tree_type *b)
{
    uint32_t i;

    if (a->name_count != b->name_count)
        return false;
    for (i = 0; i < a->name_count && a->names != b->names; i++) {
        if (!slice_equal(a->names[i].text, b->names[i].text))
            return false;
    }
    return true;
}

/* All values of a are values of b, in whatever order. */
static bool names_within(const struct tree_type *a, const struct tree_type *b)
{
    uint32_t i;

    if (names_same(a, b))
        return true;
    for (i = 0; i < a->name_count; i++) {
        if (tree_type_constant(b, a->names[i].text) < 0)
            return false;
    }
    return true;
}

bool tree_type_same(const struct tree_type *a, const struct tree_type *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case TREE_BOOL:
    case TREE_NONE_TYPE:
        return true;
    case TREE_INT:
        return a->min == b->min && a->max == b->max;
    case TREE_TEXT:
        return a->size == b->size;
    case TREE_ENUM:
        return names_same(a, b);
    case TREE_RECORD:
        return a->record == b->record;
    case TREE_OPTIONAL:
        return tree_type_same(a->of, b->of);
    case TREE_SET:
        return a->size == b->size && tree_type_same(a->of, b->of);
    case TREE_MAP:
        return a->size == b->size && tree_type_same(a->key, b->key) &&
               tree_type_same(a->of, b->of);
    }
    return false;
}

bool tree_type_assignable(const struct tree_type *from,
                          const struct tree_type *to)
{
    if (to->kind == TREE_NONE_TYPE)
        return true;
    if (to->kind == TREE_OPTIONAL) {
        return tree_type_assignable(
            from->kind == TREE_OPTIONAL ? from->of : from, to->of);
    }
    if (from->kind != to->kind)
        return false;
    switch (from->kind) {
    case TREE_INT:
    case TREE_TEXT:
        return true;
    case TREE_SET:
        return tree_type_assignable(from->of, to->of);
    case TREE_MAP:
        return tree_type_assignable(from->key, to->key) &&
               tree_type_assignable(from->of, to->of);
    default:
        return tree_type_same(from, to);
    }
}

static bool record_fits(const struct tree_record *from,
                        const struct tree_record *to)
{
    uint32_t i;

    if (from == to)
        return true;
    if (!from || !to || from->field_count != to->field_count)
        return false;
    for (i = 0; i < from->field_count; i++) {
        if (!slice_equal(from->fields[i].name.text, to->fields[i].name.text) ||
            !tree_type_fits(from->fields[i].type, to->fields[i].type))
            return false;
    }
    return true;
}

/* Values of an enum are carried over by their names: their numbers, and with
 * them the order of elements of sets and maps, may differ. */
bool tree_type_fits(const struct tree_type *from, const struct tree_type *to)
{
    if (to->kind == TREE_OPTIONAL)
        return tree_type_fits(from->kind == TREE_OPTIONAL ? from->of : from,
                              to->of);
    if (from->kind != to->kind)
        return false;
    switch (from->kind) {
    case TREE_BOOL:
        return true;
    case TREE_INT:
        return from->min >= to->min && from->max <= to->max;
    case TREE_TEXT:
        return from->size <= to->size;
    case TREE_ENUM:
        return names_within(from, to);
    case TREE_RECORD:
        return record_fits(from->record, to->record);
    case TREE_SET:
        return from->size <= to->size && tree_type_fits(from->of, to->of);
    case TREE_MAP:
        return from->size <= to->size && tree_type_fits(from->key, to->key) &&
               tree_type_fits(from->of, to->of);
    case TREE_OPTIONAL:
    case TREE_NONE_TYPE:
        break;
    }
    return false;
}

int64_t tree_type_constant(const struct tree_type *type, struct kan_slice name)
{
    uint32_t i;

    for (i = 0; i < type->name_count; i++) {
        if (slice_equal(type->names[i].text, name))
            return i;
    }
    return -1;
}
