/* value.c - values as bytes in memory: whether they are canonical, how they
 * compare, and how sets and maps are kept in order.
 *
 * Everything here goes by the layout that program_type() tells, and recurses as
 * deep as types do, which the checker of the source bounds. */

#include "contract/program/value.h"

#include "base/utf8.h"

/* --- whether bytes are a value -------------------------------------------- */

bool value_zero(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;

    return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

static bool text_valid(const struct program_type *type, const void *value)
{
    struct kan_slice text = value_text(value);
    size_t end = sizeof(uint16_t) + text.size;

    return text.size <= type->bound &&
           value_zero((const char *)value + end, type->size - end) &&
           utf8_valid(text);
}

static bool record_valid(const struct program *program, uint32_t number,
                         const struct program_type *type, const char *value)
{
    uint32_t end = 0;

    for (uint32_t i = 0; i < type->member_count; i++) {
        struct program_member member = program_member(program, number, i);
        if (!value_zero(value + end, member.offset - end) ||
            !program_valid(program, member.type, value + member.offset))
            return false;
        end = member.offset + program_type(program, member.type)->size;
    }
    return value_zero(value + end, type->size - end);
}

static bool optional_valid(const struct program *program,
                           const struct program_type *type, const void *value)
{
    const unsigned char *flag = value_flag(program, type, value);
    size_t size = (size_t)(flag - (const unsigned char *)value);

    if (*flag == 0)
        return value_zero(value, type->size);
    return *flag == 1 && program_valid(program, type->of, value) &&
           value_zero(flag + 1, type->size - size - 1);
}

/* An element of a map: what lies between its key, its value and the next. */
static bool element_valid(const struct program *program,
                          const struct program_type *type, const char *element)
{
    uint32_t key_end = program_type(program, value_key_type(type))->size;

    if (!program_valid(program, value_key_type(type), element))
        return false;
    if (type->kind == TREE_SET)
        return value_zero(element + key_end, type->stride - key_end);
    uint32_t end = type->value + program_type(program, type->of)->size;
    return value_zero(element + key_end, type->value - key_end) &&
           program_valid(program, type->of, element + type->value) &&
           value_zero(element + end, type->stride - end);
}

static bool elements_valid(const struct program *program,
                           const struct program_type *type, const void *value)
{
    uint32_t count = value_short(value);

    if (count > type->bound ||
        !value_zero((const char *)value + sizeof(uint16_t),
                    type->first - sizeof(uint16_t)))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const void *element = value_element(type, value, i);
        if (!element_valid(program, type, element))
            return false;
        if (i > 0 &&
            value_compare(program, value_key_type(type),
                          value_element(type, value, i - 1), element) >= 0)
            return false;
    }
    size_t end = type->first + (size_t)count * type->stride;
    return value_zero((const char *)value + end, type->size - end);
}

bool program_valid(const struct program *program, uint32_t type,
                   const void *value)
{
    const struct program_type *t = program_type(program, type);

    switch (t->kind) {
    case TREE_BOOL:
        return *(const unsigned char *)value <= 1;
    case TREE_INT:
        return value_int(value) >= t->min && value_int(value) <= t->max;
    case TREE_TEXT:
        return text_valid(t, value);
    case TREE_ENUM:
        return value_short(value) < t->member_count;
    case TREE_RECORD:
        return record_valid(program, type, t, value);
    case TREE_OPTIONAL:
        return optional_valid(program, t, value);
    case TREE_SET:
    case TREE_MAP:
        return elements_valid(program, t, value);
    case TREE_NONE_TYPE:
        break;
    }
    return false;
}

/* --- order ---------------------------------------------------------------- */

static int number_compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int record_compare(const struct program *program, uint32_t type,
                          const char *a, const char *b)
{
    uint32_t count = program_type(program, type)->member_count;
    int order = 0;

    for (uint32_t i = 0; i < count && order == 0; i++) {
        struct program_member member = program_member(program, type, i);
        order = value_compare(program, member.type, a + member.offset,
                              b + member.offset);
    }
    return order;
}

static int elements_compare(const struct program *program,
                            const struct program_type *type, const void *a,
                            const void *b)
{
    uint32_t a_count = value_short(a);
    uint32_t b_count = value_short(b);
    int order = 0;

    for (uint32_t i = 0; i < a_count && i < b_count && order == 0; i++) {
        const char *x = value_element(type, a, i);
        const char *y = value_element(type, b, i);
        order = value_compare(program, value_key_type(type), x, y);
        if (order == 0 && type->kind == TREE_MAP)
            order = value_compare(program, type->of, x + type->value,
                                  y + type->value);
    }
    return order != 0 ? order : number_compare(a_count, b_count);
}

int value_compare(const struct program *program, uint32_t type, const void *a,
                  const void *b)
{
    const struct program_type *t = program_type(program, type);

    switch (t->kind) {
    case TREE_BOOL:
        return number_compare(value_bool(a), value_bool(b));
    case TREE_INT:
        return number_compare(value_int(a), value_int(b));
    case TREE_TEXT:
        return slice_compare(value_text(a), value_text(b));
    case TREE_ENUM:
        return number_compare(value_short(a), value_short(b));
    case TREE_RECORD:
        return record_compare(program, type, a, b);
    case TREE_OPTIONAL: {
        int there = number_compare(*value_flag(program, t, a),
                                   *value_flag(program, t, b));
        /* Where neither is there both are zero, which is no value of all
         * types, but compares. */
        return there != 0 ? there : value_compare(program, t->of, a, b);
    }
    case TREE_SET:
    case TREE_MAP:
        return elements_compare(program, t, a, b);
    case TREE_NONE_TYPE:
        break;
    }
    return 0;
}

/* Swap two elements, piece by piece: they can be larger than a stack frame
 * should be. */
static void element_swap(char *a, char *b, size_t size)
{
    char piece[64];

    while (size > 0) {
        size_t n = size < sizeof piece ? size : sizeof piece;
        memcpy(piece, a, n);
        memcpy(a, b, n);
        memcpy(b, piece, n);
        a += n;
        b += n;
        size -= n;
    }
}

/* Move the element at root down the heap of count elements to its place. */
static void heap_sink(const struct program *program,
                      const struct program_type *type, void *value,
                      uint32_t root, uint32_t count)
{
    uint32_t key = value_key_type(type);

    for (;;) {
        uint32_t child = 2 * root + 1;
        if (child >= count)
            return;
        if (child + 1 < count &&
            value_compare(program, key, value_element(type, value, child),
                          value_element(type, value, child + 1)) < 0)
            child++;
        char *above = value_element_at(type, value, root);
        char *below = value_element_at(type, value, child);
        if (value_compare(program, key, above, below) >= 0)
            return;
        element_swap(above, below, type->stride);
        root = child;
    }
}

/* Whether each key stands behind the one before; else the first that does not,
 * in *ret_number. */
static bool elements_ascend(const struct program *program,
                            const struct program_type *type, const void *value,
                            uint32_t count, uint32_t *ret_number)
{
    for (uint32_t i = 1; i < count; i++) {
        if (value_compare(program, value_key_type(type),
                          value_element(type, value, i - 1),
                          value_element(type, value, i)) >= 0) {
            *ret_number = i;
            return false;
        }
    }
    return true;
}

uint32_t value_sort(const struct program *program,
                    const struct program_type *type, void *value,
                    uint32_t count)
{
    uint32_t doubled = count;

    value_short_set(value, count);
    if (elements_ascend(program, type, value, count, &doubled))
        return count;
    /* A heap sort: in place, and as fast on what an attacker has arranged. */
    for (uint32_t i = count / 2; i-- > 0;)
        heap_sink(program, type, value, i, count);
    for (uint32_t i = count; i-- > 1;) {
        element_swap(value_element_at(type, value, 0),
                     value_element_at(type, value, i), type->stride);
        heap_sink(program, type, value, 0, i);
    }
    doubled = count;
    (void)elements_ascend(program, type, value, count, &doubled);
    return doubled;
}
