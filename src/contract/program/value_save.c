/* value_save.c - values as they are kept: a bool and an optional's presence
 * are a byte, an int a varint in zigzag, an enum a varint, a text its length
 * and its bytes; sets and maps are a count and their elements in order, records
 * their fields. A value has exactly one such form, and nothing else loads. */

#include "contract/program/value.h"

#include "base/utf8.h"

void value_varint_save(uint64_t number, struct buffer *out)
{
    while (number >= 0x80) {
        buffer_append_byte(out, (unsigned char)(number | 0x80));
        number >>= 7;
    }
    buffer_append_byte(out, (unsigned char)number);
}

bool value_varint_load(struct kan_slice *bytes, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes->size && i < 10; i++) {
        unsigned char byte = slice_at(*bytes, i);
        /* The tenth byte has room for the 64th bit alone. */
        if (i == 9 && byte > 1)
            return false;
        number |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0)
            return false; /* a longer form than it takes */
        *bytes = slice_skip(*bytes, i + 1);
        *ret_number = number;
        return true;
    }
    return false;
}

/* --- saving --------------------------------------------------------------- */

static void elements_save(const struct program *program,
                          const struct program_type *type, const void *value,
                          struct buffer *out)
{
    uint32_t count = value_short(value);

    value_varint_save(count, out);
    for (uint32_t i = 0; i < count; i++) {
        const char *element = value_element(type, value, i);
        program_save(program, value_key_type(type), element, out);
        if (type->kind == TREE_MAP)
            program_save(program, type->of, element + type->value, out);
    }
}

void program_save(const struct program *program, uint32_t type,
                  const void *value, struct buffer *out)
{
    const struct program_type *t = program_type(program, type);

    switch (t->kind) {
    case TREE_BOOL:
        buffer_append_byte(out, value_bool(value));
        break;
    case TREE_INT:
        value_varint_save(value_zigzag(value_int(value)), out);
        break;
    case TREE_TEXT:
        value_varint_save(value_short(value), out);
        buffer_append(out, value_text(value));
        break;
    case TREE_ENUM:
        value_varint_save(value_short(value), out);
        break;
    case TREE_RECORD:
        for (uint32_t i = 0; i < t->member_count; i++) {
            struct program_member member = program_member(program, type, i);
            program_save(program, member.type,
                         (const char *)value + member.offset, out);
        }
        break;
    case TREE_OPTIONAL:
        buffer_append_byte(out, *value_flag(program, t, value));
        if (*value_flag(program, t, value))
            program_save(program, t->of, value, out);
        break;
    case TREE_SET:
    case TREE_MAP:
        elements_save(program, t, value, out);
        break;
    case TREE_NONE_TYPE:
        break;
    }
}

/* --- loading -------------------------------------------------------------- */

/* What a set or a map is sorted by, as read. */
struct atom
{
    int64_t number;
    struct kan_slice text;
};

static bool atoms_ascend(const struct atom *a, const struct atom *b)
{
    return a->number != b->number ? a->number < b->number
                                  : slice_compare(a->text, b->text) < 0;
}

/* Bytes are read twice: once with value NULL, to judge them, and once to fill
 * value, which is zeroed before. So a value that does not load leaves what was
 * there. atom is set for what may be a key. */
static bool value_take(const struct program *program, uint32_t type,
                       struct kan_slice *bytes, char *value, struct atom *atom);

static bool byte_take(struct kan_slice *bytes, bool *ret_bit)
{
    if (bytes->size == 0 || slice_at(*bytes, 0) > 1)
        return false;
    *ret_bit = slice_at(*bytes, 0) == 1;
    *bytes = slice_skip(*bytes, 1);
    return true;
}

static bool text_take(const struct program_type *type, struct kan_slice *bytes,
                      char *value, struct atom *atom)
{
    uint64_t size;

    if (!value_varint_load(bytes, &size) || size > type->bound ||
        size > bytes->size)
        return false;
    atom->text = slice_head(*bytes, (size_t)size);
    *bytes = slice_skip(*bytes, (size_t)size);
    if (value)
        value_text_set(value, atom->text);
    return value || utf8_valid(atom->text);
}

static bool number_take(const struct program_type *type,
                        struct kan_slice *bytes, char *value, struct atom *atom)
{
    uint64_t number;

    if (!value_varint_load(bytes, &number))
        return false;
    if (type->kind == TREE_ENUM) {
        if (number >= type->member_count)
            return false;
        atom->number = (int64_t)number;
        if (value)
            value_short_set(value, (uint32_t)number);
        return true;
    }
    atom->number = value_unzigzag(number);
    if (value)
        value_int_set(value, atom->number);
    return atom->number >= type->min && atom->number <= type->max;
}

static bool record_take(const struct program *program, uint32_t type,
                        struct kan_slice *bytes, char *value)
{
    uint32_t count = program_type(program, type)->member_count;
    struct atom none;

    for (uint32_t i = 0; i < count; i++) {
        struct program_member member = program_member(program, type, i);
        if (!value_take(program, member.type, bytes,
                        value ? value + member.offset : NULL, &none))
            return false;
    }
    return true;
}

static bool elements_take(const struct program *program,
                          const struct program_type *type,
                          struct kan_slice *bytes, char *value)
{
    uint64_t count;
    struct atom last = {0, {NULL, 0}};
    struct atom none;

    if (!value_varint_load(bytes, &count) || count > type->bound)
        return false;
    if (value)
        value_short_set(value, (uint32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        struct atom key = {0, {NULL, 0}};
        char *element = value ? value_element_at(type, value, i) : NULL;
        if (!value_take(program, value_key_type(type), bytes, element, &key) ||
            (i > 0 && !atoms_ascend(&last, &key)))
            return false;
        if (type->kind == TREE_MAP &&
            !value_take(program, type->of, bytes,
                        element ? element + type->value : NULL, &none))
            return false;
        last = key;
    }
    return true;
}

static bool value_take(const struct program *program, uint32_t type,
                       struct kan_slice *bytes, char *value, struct atom *atom)
{
    const struct program_type *t = program_type(program, type);
    bool bit;

    switch (t->kind) {
    case TREE_BOOL:
        if (!byte_take(bytes, &bit))
            return false;
        atom->number = bit;
        if (value)
            *value = (char)bit;
        return true;
    case TREE_INT:
    case TREE_ENUM:
        return number_take(t, bytes, value, atom);
    case TREE_TEXT:
        return text_take(t, bytes, value, atom);
    case TREE_RECORD:
        return record_take(program, type, bytes, value);
    case TREE_OPTIONAL:
        if (!byte_take(bytes, &bit))
            return false;
        if (value)
            value[program_type(program, t->of)->size] = (char)bit;
        return !bit || value_take(program, t->of, bytes, value, atom);
    case TREE_SET:
    case TREE_MAP:
        return elements_take(program, t, bytes, value);
    case TREE_NONE_TYPE:
        break;
    }
    return false;
}

bool value_skip(const struct program *program, uint32_t type,
                struct kan_slice *bytes)
{
    struct atom none;

    return value_take(program, type, bytes, NULL, &none);
}

enum kan_err program_load(const struct program *program, uint32_t type,
                          struct kan_slice *bytes, void *value)
{
    struct kan_slice rest = *bytes;
    struct atom none;

    if (!value_skip(program, type, &rest))
        return KAN_CORRUPT;
    rest = *bytes;
    memset(value, 0, program_type(program, type)->size);
    (void)value_take(program, type, &rest, value, &none);
    *bytes = rest;
    return KAN_OK;
}
