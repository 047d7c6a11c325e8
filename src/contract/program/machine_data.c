/* machine_data.c - sets and maps as sorted arrays in place, and values of one
 * type as those of another. What is freed is zeroed. Recursion goes as deep as
 * types do, which the language bounds. */

#include "contract/program/machine.h"

/* --- short readings ------------------------------------------------------- */

static uint16_t read16(const char *at)
{
    uint16_t number;

    memcpy(&number, at, sizeof number);
    return number;
}

static void write16(char *at, uint32_t number)
{
    uint16_t small = (uint16_t)number;

    memcpy(at, &small, sizeof small);
}

static int64_t read64(const char *at)
{
    int64_t number;

    memcpy(&number, at, sizeof number);
    return number;
}

int machine_order_text(const char *a, const char *b)
{
    uint16_t a_size = read16(a);
    uint16_t b_size = read16(b);
    int order = memcmp(a + 2, b + 2, a_size < b_size ? a_size : b_size);

    if (order == 0)
        order = (a_size > b_size) - (a_size < b_size);
    return (order > 0) - (order < 0);
}

int program_inside_compare(const struct program_type *type, const void *a,
                           const void *b)
{
    int64_t left;
    int64_t right;

    switch (type->kind) {
    case TREE_TEXT:
        return machine_order_text(a, b);
    case TREE_INT:
        left = read64(a);
        right = read64(b);
        break;
    case TREE_ENUM:
        left = read16(a);
        right = read16(b);
        break;
    default:
        left = *(const unsigned char *)a;
        right = *(const unsigned char *)b;
        break;
    }
    return (left > right) - (left < right);
}

/* --- sets and maps -------------------------------------------------------- */

static const struct program_type *key_type(const struct program *program,
                                           const struct program_type *type)
{
    return program_type(program, type->kind == TREE_MAP ? type->key : type->of);
}

/* The stored key below, at or above the one that is looked for. */
static int key_order(enum tree_type_kind kind, const char *stored,
                     union machine_cell key)
{
    int64_t number;

    if (kind == TREE_TEXT)
        return machine_order_text(stored, key.place);
    number = kind == TREE_INT    ? read64(stored)
             : kind == TREE_ENUM ? read16(stored)
                                 : *(const unsigned char *)stored;
    return (number > key.number) - (number < key.number);
}

/* The number of the first element that is not below key. */
static uint32_t key_search(const struct program_type *type,
                           enum tree_type_kind kind, const char *whole,
                           union machine_cell key, bool *ret_there)
{
    uint32_t low = 0;
    uint32_t high = read16(whole);

    *ret_there = false;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = key_order(
            kind, whole + type->first + (size_t)middle * type->stride, key);

        if (order == 0) {
            *ret_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

char *machine_find(const struct program *program, uint32_t type_number,
                   const char *whole, union machine_cell key)
{
    const struct program_type *type = program_type(program, type_number);
    bool there;
    uint32_t place =
        key_search(type, key_type(program, type)->kind, whole, key, &there);

    if (!there)
        return NULL;
    return (char *)whole + type->first + (size_t)place * type->stride +
           type->value;
}

static void key_store(const struct program_type *type, char *at,
                      union machine_cell key)
{
    switch (type->kind) {
    case TREE_TEXT:
        memcpy(at, key.place, 2 + (size_t)read16(key.place));
        break;
    case TREE_INT:
        memcpy(at, &key.number, sizeof key.number);
        break;
    case TREE_ENUM:
        write16(at, (uint32_t)key.number);
        break;
    default:
        *at = (char)key.number;
        break;
    }
}

char *machine_insert(const struct program *program, uint32_t type_number,
                     char *whole, union machine_cell key)
{
    const struct program_type *type = program_type(program, type_number);
    const struct program_type *of = key_type(program, type);
    uint32_t count = read16(whole);
    bool there;
    uint32_t place = key_search(type, of->kind, whole, key, &there);
    char *at = whole + type->first + (size_t)place * type->stride;

    if (there)
        return at + type->value;
    if (count >= type->bound)
        return NULL;
    memmove(at + type->stride, at, (size_t)(count - place) * type->stride);
    memset(at, 0, type->stride);
    key_store(of, at, key);
    write16(whole, count + 1);
    return at + type->value;
}

void machine_remove(const struct program *program, uint32_t type_number,
                    char *whole, union machine_cell key)
{
    const struct program_type *type = program_type(program, type_number);
    uint32_t count = read16(whole);
    bool there;
    uint32_t place =
        key_search(type, key_type(program, type)->kind, whole, key, &there);
    char *at = whole + type->first + (size_t)place * type->stride;

    if (!there)
        return;
    memmove(at, at + type->stride, (size_t)(count - place - 1) * type->stride);
    memset(whole + type->first + (size_t)(count - 1) * type->stride, 0,
           type->stride);
    write16(whole, count - 1);
}

/* --- between types -------------------------------------------------------- */

int64_t machine_name_of(const struct program *program, uint32_t from,
                        int64_t number, uint32_t to)
{
    const struct program_type *type = program_type(program, to);
    struct kan_slice name = program_slice(
        program, program_inside_member(program, program_type(program, from),
                                       (uint32_t)number)
                     ->name);
    uint32_t i;

    for (i = 0; i < type->member_count; i++) {
        struct kan_slice other = program_slice(
            program, program_inside_member(program, type, i)->name);

        if (slice_equal(name, other))
            return i;
    }
    return -1;
}

static bool refuse(struct program_refusal *refusal,
                   enum program_refusal_kind kind, int64_t value, int64_t min,
                   int64_t max)
{
    refusal->kind = kind;
    refusal->value = value;
    refusal->min = min;
    refusal->max = max;
    return false;
}

static bool convert_elements(const struct program *program,
                             const struct program_type *from, const char *value,
                             uint32_t to_number, char *out,
                             struct program_refusal *refusal)
{
    const struct program_type *to = program_type(program, to_number);
    uint32_t from_key = from->kind == TREE_MAP ? from->key : from->of;
    uint32_t to_key = to->kind == TREE_MAP ? to->key : to->of;
    uint32_t count = read16(value);
    uint32_t i;

    if (count > to->bound)
        return refuse(refusal, PROGRAM_FULL, 0, 0, to->bound);
    /* Keys may be renumbered (names of an enum), so each finds its place. The
     * slot behind the last serves to convert them. */
    for (i = 0; i < count; i++) {
        const char *element = value + from->first + (size_t)i * from->stride;
        char *slot = out + to->first + (size_t)i * to->stride;
        union machine_cell key;
        char moved[TREE_TEXT_MAX + 2];
        char *at;

        if (!machine_convert(program, from_key, element, to_key, slot, refusal))
            return false;
        switch (program_type(program, to_key)->kind) {
        case TREE_TEXT:
            memcpy(moved, slot, 2 + (size_t)read16(slot));
            key.place = moved;
            break;
        case TREE_INT:
            key.number = read64(slot);
            break;
        case TREE_ENUM:
            key.number = read16(slot);
            break;
        default:
            key.number = *(unsigned char *)slot;
            break;
        }
        memset(slot, 0, to->stride);
        at = machine_insert(program, to_number, out, key);
        if (!at)
            return refuse(refusal, PROGRAM_FULL, 0, 0, to->bound);
        if (from->kind == TREE_MAP &&
            !machine_convert(program, from->of, element + from->value, to->of,
                             at, refusal))
            return false;
    }
    return true;
}

static bool convert_record(const struct program *program,
                           const struct program_type *from, const char *value,
                           const struct program_type *to, char *out,
                           struct program_refusal *refusal)
{
    uint32_t i;

    /* Records are told apart by name; those of one name have one layout, but
     * for what an older text called so. */
    for (i = 0; i < to->member_count && i < from->member_count; i++) {
        const struct program_inside_member *a =
            program_inside_member(program, from, i);
        const struct program_inside_member *b =
            program_inside_member(program, to, i);

        if (!machine_convert(program, a->type, value + a->offset, b->type,
                             out + b->offset, refusal))
            return false;
    }
    return true;
}

static bool convert_optional(const struct program *program,
                             const struct program_type *from, const char *value,
                             const struct program_type *to, char *out,
                             struct program_refusal *refusal)
{
    uint32_t from_flag = program_type(program, from->of)->size;
    uint32_t to_flag = program_type(program, to->of)->size;

    if (!value[from_flag])
        return true;
    out[to_flag] = 1;
    return machine_convert(program, from->of, value, to->of, out, refusal);
}

bool machine_convert(const struct program *program, uint32_t from_number,
                     const char *value, uint32_t to_number, char *out,
                     struct program_refusal *refusal)
{
    const struct program_type *from = program_type(program, from_number);
    const struct program_type *to = program_type(program, to_number);
    int64_t number;

    if (from_number == to_number) {
        memmove(out, value, to->size);
        return true;
    }
    memset(out, 0, to->size);
    switch (to->kind) {
    case TREE_BOOL:
        *out = *value;
        return true;
    case TREE_INT:
        number = read64(value);
        memcpy(out, &number, sizeof number);
        if (number < to->min || number > to->max)
            return refuse(refusal, PROGRAM_BOUND, number, to->min, to->max);
        return true;
    case TREE_TEXT:
        if (read16(value) > to->bound)
            return refuse(refusal, PROGRAM_LENGTH, 0, 0, to->bound);
        memcpy(out, value, 2 + (size_t)read16(value));
        return true;
    case TREE_ENUM:
        number =
            machine_name_of(program, from_number, read16(value), to_number);
        write16(out, number < 0 ? 0 : (uint32_t)number);
        if (number < 0)
            return refuse(refusal, PROGRAM_BOUND, read16(value), 0,
                          (int64_t)to->member_count - 1);
        return true;
    case TREE_OPTIONAL:
        if (from->kind == TREE_OPTIONAL)
            return convert_optional(program, from, value, to, out, refusal);
        out[program_type(program, to->of)->size] = 1;
        return machine_convert(program, from_number, value, to->of, out,
                               refusal);
    case TREE_RECORD:
        return convert_record(program, from, value, to, out, refusal);
    case TREE_SET:
    case TREE_MAP:
        return convert_elements(program, from, value, to_number, out, refusal);
    case TREE_NONE_TYPE:
        break;
    }
    return true;
}

static bool same_elements(const struct program *program,
                          const struct program_type *a_type, const char *a,
                          const struct program_type *b_type, const char *b)
{
    uint32_t i;

    if (read16(a) != read16(b))
        return false;
    for (i = 0; i < read16(a); i++) {
        const char *left = a + a_type->first + (size_t)i * a_type->stride;
        const char *right = b + b_type->first + (size_t)i * b_type->stride;
        bool map = a_type->kind == TREE_MAP;

        if (!machine_same(program, map ? a_type->key : a_type->of, left,
                          map ? b_type->key : b_type->of, right))
            return false;
        if (map && !machine_same(program, a_type->of, left + a_type->value,
                                 b_type->of, right + b_type->value))
            return false;
    }
    return true;
}

bool machine_same(const struct program *program, uint32_t a_number,
                  const char *a, uint32_t b_number, const char *b)
{
    const struct program_type *a_type = program_type(program, a_number);
    const struct program_type *b_type = program_type(program, b_number);
    uint32_t i;

    if (a_number == b_number)
        return memcmp(a, b, a_type->size) == 0;
    switch (a_type->kind) {
    case TREE_BOOL:
        return *a == *b;
    case TREE_INT:
        return read64(a) == read64(b);
    case TREE_TEXT:
        return machine_order_text(a, b) == 0;
    case TREE_ENUM:
        return machine_name_of(program, a_number, read16(a), b_number) ==
               read16(b);
    case TREE_OPTIONAL:
        if (a[program_type(program, a_type->of)->size] !=
            b[program_type(program, b_type->of)->size])
            return false;
        if (!a[program_type(program, a_type->of)->size])
            return true;
        return machine_same(program, a_type->of, a, b_type->of, b);
    case TREE_RECORD:
        for (i = 0; i < a_type->member_count && i < b_type->member_count; i++) {
            const struct program_inside_member *left =
                program_inside_member(program, a_type, i);
            const struct program_inside_member *right =
                program_inside_member(program, b_type, i);

            if (!machine_same(program, left->type, a + left->offset,
                              right->type, b + right->offset))
                return false;
        }
        return true;
    case TREE_SET:
    case TREE_MAP:
        return same_elements(program, a_type, a, b_type, b);
    case TREE_NONE_TYPE:
        break;
    }
    return false;
}
