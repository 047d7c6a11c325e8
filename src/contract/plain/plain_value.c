/* plain_value.c - values that never change: what changes one makes another. */

#include "contract/plain/plain_inside.h"

const struct plain_value plain_nothing = {.absent = true};

static struct plain_value *value_new(struct arena *arena)
{
    return arena_give(arena, sizeof(struct plain_value));
}

const struct plain_value *plain_number(struct plain_run *run, int64_t number)
{
    struct plain_value *value = value_new(run->arena);

    if (!value) {
        run->failed = true;
        return &plain_nothing;
    }
    value->number = number;
    return value;
}

const struct plain_value *plain_text(struct plain_run *run,
                                     struct kan_slice text)
{
    struct plain_value *value = value_new(run->arena);

    if (!value) {
        run->failed = true;
        return &plain_nothing;
    }
    value->text = text;
    return value;
}

/* A value with room for count elements; keys too when there are some. */
struct plain_value *plain_whole(struct arena *arena, uint32_t count, bool keys)
{
    struct plain_value *value = value_new(arena);
    size_t size = sizeof(const struct plain_value *) * count;

    if (!value)
        return NULL;
    value->count = count;
    value->values = arena_give(arena, size);
    if (!value->values)
        return NULL;
    if (keys) {
        value->keys = arena_give(arena, size);
        if (!value->keys)
            return NULL;
    }
    return value;
}

static const struct tree_type *type_within(const struct tree_type *type)
{
    return type->kind == TREE_OPTIONAL ? type->of : type;
}

/* The order of keys, and equality of whatever holds no sets or maps in it. */
int plain_compare(const struct tree_type *type, const struct plain_value *a,
                  const struct plain_value *b)
{
    uint32_t i;

    type = type_within(type);
    if (a->absent || b->absent)
        return (int)b->absent - (int)a->absent;
    if (type->kind == TREE_TEXT)
        return slice_compare(a->text, b->text);
    if (type->kind == TREE_RECORD) {
        for (i = 0; i < a->count; i++) {
            int order = plain_compare(type->record->fields[i].type,
                                      a->values[i], b->values[i]);

            if (order)
                return order;
        }
        return 0;
    }
    return (a->number > b->number) - (a->number < b->number);
}

/* Of any two values of one type. */
bool plain_equal(const struct tree_type *type, const struct plain_value *a,
                 const struct plain_value *b)
{
    uint32_t i;

    if (type->kind != TREE_SET && type->kind != TREE_MAP)
        return plain_compare(type, a, b) == 0;
    if (a->count != b->count)
        return false;
    for (i = 0; i < a->count; i++) {
        if (type->kind == TREE_SET) {
            if (plain_compare(type->of, a->keys[i], b->keys[i]) != 0)
                return false;
        } else if (plain_compare(type->key, a->keys[i], b->keys[i]) != 0 ||
                   plain_compare(type->of, a->values[i], b->values[i]) != 0) {
            return false;
        }
    }
    return true;
}

static const struct tree_type *key_type(const struct tree_type *type)
{
    return type->kind == TREE_SET ? type->of : type->key;
}

/* Where key stands among the keys, or would; *ret_there says which. */
uint32_t plain_find(const struct tree_type *type,
                    const struct plain_value *whole,
                    const struct plain_value *key, bool *ret_there)
{
    uint32_t i;

    *ret_there = false;
    for (i = 0; i < whole->count; i++) {
        int order = plain_compare(key_type(type), whole->keys[i], key);

        if (order >= 0) {
            *ret_there = order == 0;
            return i;
        }
    }
    return i;
}

/* The set or map with the element put in, or with one taken out. */
const struct plain_value *plain_with(struct plain_run *run,
                                     const struct tree_type *type,
                                     const struct plain_value *whole,
                                     const struct plain_value *key,
                                     const struct plain_value *element)
{
    bool there;
    uint32_t place = plain_find(type, whole, key, &there);
    struct plain_value *made;
    uint32_t i;

    if (!there && whole->count == type->size) {
        plain_refuse(run, PROGRAM_FULL);
        return whole;
    }
    made = plain_whole(run->arena, whole->count + !there, true);
    if (!made) {
        run->failed = true;
        return whole;
    }
    for (i = 0; i < made->count; i++) {
        uint32_t from = i > place && !there ? i - 1 : i;

        made->keys[i] = i == place ? key : whole->keys[from];
        made->values[i] = i == place ? element : whole->values[from];
    }
    return made;
}

const struct plain_value *plain_without(struct plain_run *run,
                                        const struct tree_type *type,
                                        const struct plain_value *whole,
                                        const struct plain_value *key)
{
    bool there;
    uint32_t place = plain_find(type, whole, key, &there);
    struct plain_value *made;
    uint32_t i;

    if (!there)
        return whole;
    made = plain_whole(run->arena, whole->count - 1, true);
    if (!made) {
        run->failed = true;
        return whole;
    }
    for (i = 0; i < made->count; i++) {
        made->keys[i] = whole->keys[i < place ? i : i + 1];
        made->values[i] = whole->values[i < place ? i : i + 1];
    }
    return made;
}

/* The record with one field changed. */
const struct plain_value *plain_record_with(struct plain_run *run,
                                            const struct plain_value *record,
                                            uint32_t place,
                                            const struct plain_value *value)
{
    struct plain_value *made = plain_whole(run->arena, record->count, false);
    uint32_t i;

    if (!made) {
        run->failed = true;
        return record;
    }
    for (i = 0; i < record->count; i++)
        made->values[i] = i == place ? value : record->values[i];
    return made;
}

/* Refuse what the type cannot hold. */
void plain_fits(struct plain_run *run, const struct tree_type *type,
                const struct plain_value *value)
{
    uint32_t i;

    if (plain_ended(run))
        return;
    if (type->kind == TREE_OPTIONAL && value->absent)
        return;
    type = type_within(type);
    switch (type->kind) {
    case TREE_INT:
        if (value->number < type->min || value->number > type->max)
            plain_refuse(run, PROGRAM_BOUND);
        break;
    case TREE_TEXT:
        if (value->text.size > type->size)
            plain_refuse(run, PROGRAM_LENGTH);
        break;
    case TREE_RECORD:
        for (i = 0; i < value->count; i++)
            plain_fits(run, type->record->fields[i].type, value->values[i]);
        break;
    case TREE_SET:
    case TREE_MAP:
        if (value->count > type->size)
            plain_refuse(run, PROGRAM_FULL);
        for (i = 0; i < value->count; i++) {
            plain_fits(run, key_type(type), value->keys[i]);
            if (type->kind == TREE_MAP)
                plain_fits(run, type->of, value->values[i]);
        }
        break;
    case TREE_BOOL:
    case TREE_ENUM:
    case TREE_OPTIONAL:
    case TREE_NONE_TYPE:
        break;
    }
}
