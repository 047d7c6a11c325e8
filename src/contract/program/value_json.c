/* value_json.c - values as JSON and as text for humans, and types in words. */

#include "contract/program/value.h"

/* --- numbers -------------------------------------------------------------- */

static uint64_t magnitude(int64_t number)
{
    return number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
}

void value_int_print(int64_t number, struct buffer *out)
{
    if (number < 0)
        buffer_append_byte(out, '-');
    buffer_append_u64(out, magnitude(number));
}

void value_int_print_long(int64_t number, struct buffer *out)
{
    char digits[32];
    size_t from = sizeof digits;
    uint64_t left = magnitude(number);
    /* Four digits are read at a glance. */
    bool grouped = left >= 10000;

    for (unsigned n = 0; left > 0 || n == 0; n++) {
        if (grouped && n > 0 && n % 3 == 0)
            digits[--from] = '_';
        digits[--from] = (char)('0' + left % 10);
        left /= 10;
    }
    if (number < 0)
        digits[--from] = '-';
    buffer_append(out, kan_slice(digits + from, sizeof digits - from));
}

static void int_json(int64_t number, struct buffer *out)
{
    bool quoted = number > VALUE_EXACT_MAX || number < -VALUE_EXACT_MAX;

    if (quoted)
        buffer_append_byte(out, '"');
    value_int_print(number, out);
    if (quoted)
        buffer_append_byte(out, '"');
}

/* --- JSON ----------------------------------------------------------------- */

static struct kan_slice enum_name(const struct program *program, uint32_t type,
                                  const void *value)
{
    return program_member(program, type, value_short(value)).name;
}

/* Names of a contract are letters, digits and underscores. */
static void name_json(struct kan_slice name, struct buffer *out)
{
    buffer_append_byte(out, '"');
    buffer_append(out, name);
    buffer_append_byte(out, '"');
}

static void record_json(const struct program *program, uint32_t type,
                        const char *value, struct buffer *out)
{
    uint32_t count = program_type(program, type)->member_count;

    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        struct program_member member = program_member(program, type, i);
        if (i > 0)
            buffer_append_byte(out, ',');
        name_json(member.name, out);
        buffer_append_byte(out, ':');
        program_json(program, member.type, value + member.offset, out);
    }
    buffer_append_byte(out, '}');
}

/* What is no text is put into quotes, as JSON wants of a name. */
static void key_json(const struct program *program, uint32_t type,
                     const void *key, struct buffer *out)
{
    const struct program_type *t = program_type(program, type);

    if (t->kind == TREE_TEXT || t->kind == TREE_ENUM) {
        program_json(program, type, key, out);
        return;
    }
    buffer_append_byte(out, '"');
    if (t->kind == TREE_BOOL)
        buffer_append_text(out, value_bool(key) ? "true" : "false");
    else
        value_int_print(value_int(key), out);
    buffer_append_byte(out, '"');
}

static void elements_json(const struct program *program,
                          const struct program_type *type, const void *value,
                          struct buffer *out)
{
    bool map = type->kind == TREE_MAP;
    uint32_t count = value_short(value);

    buffer_append_byte(out, map ? '{' : '[');
    for (uint32_t i = 0; i < count; i++) {
        const char *element = value_element(type, value, i);
        if (i > 0)
            buffer_append_byte(out, ',');
        if (map) {
            key_json(program, type->key, element, out);
            buffer_append_byte(out, ':');
            element += type->value;
        }
        program_json(program, type->of, element, out);
    }
    buffer_append_byte(out, map ? '}' : ']');
}

void program_json(const struct program *program, uint32_t type,
                  const void *value, struct buffer *out)
{
    const struct program_type *t = program_type(program, type);

    switch (t->kind) {
    case TREE_BOOL:
        buffer_append_text(out, value_bool(value) ? "true" : "false");
        break;
    case TREE_INT:
        int_json(value_int(value), out);
        break;
    case TREE_TEXT:
        json_append_string(out, value_text(value));
        break;
    case TREE_ENUM:
        name_json(enum_name(program, type, value), out);
        break;
    case TREE_RECORD:
        record_json(program, type, value, out);
        break;
    case TREE_OPTIONAL:
        if (*value_flag(program, t, value))
            program_json(program, t->of, value, out);
        else
            buffer_append_text(out, "null");
        break;
    case TREE_SET:
    case TREE_MAP:
        elements_json(program, t, value, out);
        break;
    case TREE_NONE_TYPE:
        break;
    }
}

/* --- for humans ----------------------------------------------------------- */

static void record_print(const struct program *program, uint32_t type,
                         const char *value, struct buffer *out)
{
    uint32_t count = program_type(program, type)->member_count;

    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        struct program_member member = program_member(program, type, i);
        buffer_append_text(out, i > 0 ? ", " : "");
        buffer_append(out, member.name);
        buffer_append_text(out, ": ");
        program_print(program, member.type, value + member.offset, out);
    }
    buffer_append_byte(out, '}');
}

static void elements_print(const struct program *program,
                           const struct program_type *type, const void *value,
                           struct buffer *out)
{
    uint32_t count = value_short(value);

    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        const char *element = value_element(type, value, i);
        buffer_append_text(out, i > 0 ? ", " : "");
        program_print(program, value_key_type(type), element, out);
        if (type->kind == TREE_MAP) {
            buffer_append_text(out, ": ");
            program_print(program, type->of, element + type->value, out);
        }
    }
    buffer_append_byte(out, '}');
}

/* A text that is long says how it begins and how long it is. */
static void text_print(struct kan_slice text, struct buffer *out)
{
    enum
    {
        SHOWN = 40
    };

    if (text.size <= SHOWN) {
        json_append_string(out, text);
        return;
    }
    size_t size = SHOWN / 2;
    while (size > 0 && (slice_at(text, size) & 0xc0) == 0x80)
        size--;
    json_append_string(out, slice_head(text, size));
    buffer_append_text(out, "... (");
    buffer_append_u64(out, text.size);
    buffer_append_text(out, " bytes)");
}

void program_print(const struct program *program, uint32_t type,
                   const void *value, struct buffer *out)
{
    const struct program_type *t = program_type(program, type);

    switch (t->kind) {
    case TREE_BOOL:
        buffer_append_text(out, value_bool(value) ? "true" : "false");
        break;
    case TREE_INT:
        value_int_print(value_int(value), out);
        break;
    case TREE_TEXT:
        text_print(value_text(value), out);
        break;
    case TREE_ENUM:
        buffer_append(out, enum_name(program, type, value));
        break;
    case TREE_RECORD:
        record_print(program, type, value, out);
        break;
    case TREE_OPTIONAL:
        if (*value_flag(program, t, value))
            program_print(program, t->of, value, out);
        else
            buffer_append_text(out, "none");
        break;
    case TREE_SET:
    case TREE_MAP:
        elements_print(program, t, value, out);
        break;
    case TREE_NONE_TYPE:
        break;
    }
}

/* --- types ---------------------------------------------------------------- */

static void int_type_print(const struct program_type *type, struct buffer *out)
{
    buffer_append_text(out, "int");
    if (type->min == INT64_MIN && type->max == INT64_MAX)
        return;
    buffer_append_byte(out, '(');
    value_int_print_long(type->min, out);
    buffer_append_text(out, " .. ");
    value_int_print_long(type->max, out);
    buffer_append_byte(out, ')');
}

static void enum_type_print(const struct program *program, uint32_t type,
                            struct buffer *out)
{
    uint32_t count = program_type(program, type)->member_count;

    for (uint32_t i = 0; i < count; i++) {
        buffer_append_text(out, i > 0 ? " | " : "");
        buffer_append(out, program_member(program, type, i).name);
    }
}

void value_type_print(const struct program *program, uint32_t type,
                      struct buffer *out)
{
    const struct program_type *t = program_type(program, type);

    switch (t->kind) {
    case TREE_BOOL:
        buffer_append_text(out, "bool");
        break;
    case TREE_INT:
        int_type_print(t, out);
        break;
    case TREE_TEXT:
        buffer_print(out, "text(%u)", t->bound);
        break;
    case TREE_ENUM:
        enum_type_print(program, type, out);
        break;
    case TREE_RECORD:
        buffer_append_text(out, "an object");
        break;
    case TREE_OPTIONAL:
        buffer_append_text(out, "optional ");
        value_type_print(program, t->of, out);
        break;
    case TREE_SET:
        buffer_append_text(out, "set(");
        value_type_print(program, t->of, out);
        buffer_print(out, ", %u)", t->bound);
        break;
    case TREE_MAP:
        buffer_append_text(out, "map(");
        value_type_print(program, t->key, out);
        buffer_append_text(out, ", ");
        value_type_print(program, t->of, out);
        buffer_print(out, ", %u)", t->bound);
        break;
    case TREE_NONE_TYPE:
        break;
    }
}
