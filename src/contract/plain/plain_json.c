/* plain_json.c - plain values in and out of the JSON that program_json()
 * writes, which is how the two are compared. */

#include <inttypes.h>

#include "base/number.h"
#include "contract/plain/plain.h"

/* Numbers beyond this, either way, are strings. */
#define PLAIN_EXACT_MAX (INT64_C(1) << 53)

static const struct plain_value *number_new(struct arena *arena, int64_t number)
{
    struct plain_value *value = arena_give(arena, sizeof(*value));

    if (value)
        value->number = number;
    return value;
}

/* The number of an enum's value; name_count when it has none of that name. */
static uint32_t enum_find(const struct tree_type *type, struct kan_slice name)
{
    uint32_t i;

    for (i = 0; i < type->name_count; i++) {
        if (slice_equal(type->names[i].text, name))
            break;
    }
    return i;
}

/* A key of a map: everything is text there. */
static const struct plain_value *plain_read_key(const struct tree_type *type,
                                                struct kan_slice text,
                                                struct arena *arena)
{
    struct plain_value *value;
    int64_t number;

    switch (type->kind) {
    case TREE_BOOL:
        return number_new(arena, slice_equal(text, SLICE("true")));
    case TREE_ENUM:
        number = enum_find(type, text);
        return number < type->name_count ? number_new(arena, number) : NULL;
    case TREE_INT:
        if (number_i64(text, &number) != KAN_OK)
            return NULL;
        return number_new(arena, number);
    default:
        value = arena_give(arena, sizeof(*value));
        if (value) {
            const char *copy = arena_copy(arena, text);

            if (!copy)
                return NULL;
            value->text = kan_slice(copy, text.size);
        }
        return value;
    }
}

/* An array, or an object, of as many elements as it has. What was written is
 * sorted already. */
static const struct plain_value *plain_read_whole(const struct tree_type *type,
                                                  const struct json_tree *json,
                                                  const struct json_node *node,
                                                  struct arena *arena)
{
    struct plain_value *whole = arena_give(arena, sizeof(*whole));
    const struct json_node *child;
    uint32_t count = 0;

    for (child = json_first(json, node); child;
         child = json_next(json, node, child))
        count++;
    if (!whole)
        return NULL;
    whole->keys = arena_give(arena, sizeof(whole->keys[0]) * count);
    whole->values = arena_give(arena, sizeof(whole->values[0]) * count);
    if (!whole->keys || !whole->values)
        return NULL;
    for (child = json_first(json, node); child;
         child = json_next(json, node, child)) {
        const struct plain_value *key;
        const struct plain_value *value = NULL;

        if (type->kind == TREE_SET) {
            key = value = plain_read(type->of, json, child, arena);
        } else {
            key = plain_read_key(type->key, child->name, arena);
            value = plain_read(type->of, json, child, arena);
        }
        if (!key || !value)
            return NULL;
        whole->keys[whole->count] = key;
        whole->values[whole->count++] = value;
    }
    return whole;
}

static const struct plain_value *plain_read_record(const struct tree_type *type,
                                                   const struct json_tree *json,
                                                   const struct json_node *node,
                                                   struct arena *arena)
{
    const struct tree_record *record = type->record;
    struct plain_value *value = arena_give(arena, sizeof(*value));
    uint32_t i;

    if (!value)
        return NULL;
    value->values =
        arena_give(arena, sizeof(value->values[0]) * record->field_count);
    if (!value->values)
        return NULL;
    for (i = 0; i < record->field_count; i++) {
        char name[SOURCE_NAME_MAX + 1] = "";
        struct kan_slice text =
            slice_head(record->fields[i].name.text, SOURCE_NAME_MAX);
        const struct json_node *member;

        memcpy(name, text.bytes, text.size);
        member = json_member(json, node, name);
        if (!member)
            return NULL;
        value->values[i] =
            plain_read(record->fields[i].type, json, member, arena);
        if (!value->values[i])
            return NULL;
    }
    value->count = record->field_count;
    return value;
}

const struct plain_value *plain_read(const struct tree_type *type,
                                     const struct json_tree *json,
                                     const struct json_node *node,
                                     struct arena *arena)
{
    struct plain_value *value;

    switch (type->kind) {
    case TREE_OPTIONAL:
        if (node->kind != JSON_NULL)
            return plain_read(type->of, json, node, arena);
        value = arena_give(arena, sizeof(*value));
        if (value)
            value->absent = true;
        return value;
    case TREE_BOOL:
        return number_new(arena, slice_equal(node->raw, SLICE("true")));
    case TREE_INT:
    case TREE_ENUM:
    case TREE_TEXT:
        return plain_read_key(type, node->text, arena);
    case TREE_SET:
    case TREE_MAP:
        return plain_read_whole(type, json, node, arena);
    case TREE_RECORD:
        return plain_read_record(type, json, node, arena);
    case TREE_NONE_TYPE:
        break;
    }
    return NULL;
}

/* --- out ------------------------------------------------------------------ */

static void plain_print_number(int64_t number, struct buffer *out)
{
    bool exact = number >= -PLAIN_EXACT_MAX && number <= PLAIN_EXACT_MAX;

    buffer_print(out, exact ? "%" PRId64 : "\"%" PRId64 "\"", number);
}

static void plain_print_key(const struct tree_type *type,
                            const struct plain_value *key, struct buffer *out)
{
    switch (type->kind) {
    case TREE_BOOL:
        buffer_append_text(out, key->number ? "\"true\"" : "\"false\"");
        break;
    case TREE_INT:
        buffer_print(out, "\"%" PRId64 "\"", key->number);
        break;
    case TREE_ENUM:
        json_append_string(out, type->names[key->number].text);
        break;
    default:
        json_append_string(out, key->text);
        break;
    }
}

void plain_print_fields(const struct tree_field *fields, uint32_t count,
                        const struct plain_value *value, struct buffer *out)
{
    uint32_t i;

    buffer_append_byte(out, '{');
    for (i = 0; i < count; i++) {
        if (i)
            buffer_append_byte(out, ',');
        json_append_string(out, fields[i].name.text);
        buffer_append_byte(out, ':');
        plain_print(fields[i].type, value->values[i], out);
    }
    buffer_append_byte(out, '}');
}

static void plain_print_whole(const struct tree_type *type,
                              const struct plain_value *value,
                              struct buffer *out)
{
    uint32_t i;

    buffer_append_byte(out, type->kind == TREE_SET ? '[' : '{');
    for (i = 0; i < value->count; i++) {
        if (i)
            buffer_append_byte(out, ',');
        if (type->kind == TREE_SET) {
            plain_print(type->of, value->keys[i], out);
            continue;
        }
        plain_print_key(type->key, value->keys[i], out);
        buffer_append_byte(out, ':');
        plain_print(type->of, value->values[i], out);
    }
    buffer_append_byte(out, type->kind == TREE_SET ? ']' : '}');
}

void plain_print(const struct tree_type *type, const struct plain_value *value,
                 struct buffer *out)
{
    switch (type->kind) {
    case TREE_OPTIONAL:
        if (value->absent)
            buffer_append_text(out, "null");
        else
            plain_print(type->of, value, out);
        break;
    case TREE_BOOL:
        buffer_append_text(out, value->number ? "true" : "false");
        break;
    case TREE_INT:
        plain_print_number(value->number, out);
        break;
    case TREE_ENUM:
    case TREE_TEXT:
        plain_print_key(type, value, out);
        break;
    case TREE_RECORD:
        plain_print_fields(type->record->fields, type->record->field_count,
                           value, out);
        break;
    case TREE_SET:
    case TREE_MAP:
        plain_print_whole(type, value, out);
        break;
    case TREE_NONE_TYPE:
        break;
    }
}
