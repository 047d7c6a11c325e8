/* value.h - what the files about values share: how the bytes of a laid out
 * type are reached, and the order of what sets and maps hold. For this folder
 * alone. */

#ifndef CONTRACT_PROGRAM_VALUE_H
#define CONTRACT_PROGRAM_VALUE_H

#include "contract/program/program.h"

/* Beyond this many a double cannot tell two neighbours apart, and readers in
 * other languages keep numbers as doubles. */
#define VALUE_EXACT_MAX ((int64_t)1 << 53)

static inline int64_t value_int(const void *value)
{
    int64_t number;
    memcpy(&number, value, sizeof number);
    return number;
}

static inline void value_int_set(void *value, int64_t number)
{
    memcpy(value, &number, sizeof number);
}

/* An enum's value, a text's length, a set's or a map's count. */
static inline uint16_t value_short(const void *value)
{
    uint16_t number;
    memcpy(&number, value, sizeof number);
    return number;
}

static inline void value_short_set(void *value, uint32_t number)
{
    uint16_t stored = (uint16_t)number;
    memcpy(value, &stored, sizeof stored);
}

static inline bool value_bool(const void *value)
{
    return *(const unsigned char *)value != 0;
}

static inline struct kan_slice value_text(const void *value)
{
    return kan_slice((const char *)value + sizeof(uint16_t),
                     value_short(value));
}

/* text has at most the bytes that the type takes; value is zeroed. */
static inline void value_text_set(void *value, struct kan_slice text)
{
    value_short_set(value, (uint32_t)text.size);
    if (text.size > 0)
        memcpy((char *)value + sizeof(uint16_t), text.bytes, text.size);
}

/* Of an optional: the byte that says whether it is there. */
static inline const unsigned char *value_flag(const struct program *program,
                                              const struct program_type *type,
                                              const void *value)
{
    return (const unsigned char *)value + program_type(program, type->of)->size;
}

/* Of a set or a map: the type by which it is sorted, and its elements. */
static inline uint32_t value_key_type(const struct program_type *type)
{
    return type->kind == TREE_MAP ? type->key : type->of;
}

static inline const void *value_element(const struct program_type *type,
                                        const void *value, uint32_t number)
{
    return (const char *)value + type->first + (size_t)number * type->stride;
}

static inline void *value_element_at(const struct program_type *type,
                                     void *value, uint32_t number)
{
    return (char *)value + type->first + (size_t)number * type->stride;
}

/* Whether all bytes are zero. */
bool value_zero(const void *bytes, size_t size);

/* Below, at or above zero as a stands before, at or behind b: none before what
 * is there, records by their fields, sets and maps by their elements, a prefix
 * before what continues it. */
int value_compare(const struct program *program, uint32_t type, const void *a,
                  const void *b);

/* Sort the first count elements of a set or a map, in place, and set its
 * count. Returns the number of the first element whose key is that of the one
 * before it, or count when all are different. */
uint32_t value_sort(const struct program *program,
                    const struct program_type *type, void *value,
                    uint32_t count);

/* Seven bits a byte, the lowest first, as few bytes as hold it. */
void value_varint_save(uint64_t number, struct buffer *out);
KAN_MUST_USE bool value_varint_load(struct kan_slice *bytes,
                                    uint64_t *ret_number);

/* Take a value of the type from the head of *bytes without keeping it: false
 * when program_load() would refuse it, and *bytes is undefined then. */
KAN_MUST_USE bool value_skip(const struct program *program, uint32_t type,
                             struct kan_slice *bytes);

/* Numbers near zero, of either sign, as small ones, and back. */
static inline uint64_t value_zigzag(int64_t number)
{
    return (uint64_t)number << 1 ^ (0 - ((uint64_t)number >> 63));
}

static inline int64_t value_unzigzag(uint64_t number)
{
    return (int64_t)(number >> 1 ^ (0 - (number & 1)));
}

/* Digits, with a minus where there is one. */
void value_int_print(int64_t number, struct buffer *out);

/* The same as the text of a contract has it, 1_000_000. */
void value_int_print_long(int64_t number, struct buffer *out);

/* The type in words, as written: "int(0 .. 99)"; a record is "an object". */
void value_type_print(const struct program *program, uint32_t type,
                      struct buffer *out);

#endif /* CONTRACT_PROGRAM_VALUE_H */
