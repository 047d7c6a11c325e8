/* record_field.h - one field of a struct with a table: its numbers, how many of
 * its elements count, and where it stands, for messages. For the record_*.c of
 * this folder.
 *
 * Everything reads and writes by memcpy() and inside the field, whatever the
 * bytes are: a length beyond its array counts as all of it. */

#ifndef BASE_RECORD_FIELD_H
#define BASE_RECORD_FIELD_H

#include <kan/record.h>

#include "base/bytes.h"

/* --- numbers -------------------------------------------------------------- */

/* The number in one element of kind BOOL, INT, UINT or TIME; what is signed as
 * two's complement of 64 bits. */
uint64_t field_number(const struct kan_field *field, const void *element);

/* Store a number; what does not fit loses its high bits. */
void field_number_set(const struct kan_field *field, void *element,
                      uint64_t number);

/* Whether a number of an INT or UINT field is in its range. */
bool field_in_range(const struct kan_field *field, uint64_t number);

/* Append it in decimal. */
void field_number_print(const struct kan_field *field, uint64_t number,
                        struct buffer *out);

/* --- elements ------------------------------------------------------------- */

/* The field that says how many elements of an array count, or NULL. */
const struct kan_field *field_length(const struct kan_record *record,
                                     const struct kan_field *field);

/* How many elements of a field of this struct count; 1 when it is no array. */
uint32_t field_live(const struct kan_record *record,
                    const struct kan_field *field, const void *bytes);

static inline const void *field_element(const struct kan_field *field,
                                        const void *bytes, uint32_t number)
{
    return (const unsigned char *)bytes + field->offset +
           (size_t)number * field->size;
}

static inline void *field_element_in(const struct kan_field *field, void *bytes,
                                     uint32_t number)
{
    return (unsigned char *)bytes + field->offset +
           (size_t)number * field->size;
}

/* The text of a REF or TEXT element, up to its end or its size. */
static inline struct kan_slice field_text(const struct kan_field *field,
                                          const void *element)
{
    return kan_slice(element, strnlen((const char *)element, field->size));
}

/* Whether text is fit for a reference: empty, or "type/id". */
bool field_ref_valid(struct kan_slice text);

/* --- places --------------------------------------------------------------- */

enum
{
    FIELD_NO_INDEX = UINT32_MAX
};

/* Where in a struct, as "counter.items[2].price", from the inside out. */
struct field_place
{
    const struct field_place *up; /* NULL: the outermost */
    const char *name;             /* NULL: the struct itself, not named */
    uint32_t index;               /* or FIELD_NO_INDEX */
};

/* The place of an element of field within up. */
static inline struct field_place field_place_of(const struct field_place *up,
                                                const struct kan_field *field,
                                                uint32_t number)
{
    struct field_place place;
    place.up = up;
    place.name = field->name;
    place.index = field->flags & KAN_FIELD_ARRAY ? number : FIELD_NO_INDEX;
    return place;
}

void field_place_print(const struct field_place *place, struct buffer *out);

/* Write the place and then the formatted text, unless why is NULL. Returns
 * KAN_INVALID. */
__attribute__((format(printf, 3, 4))) enum kan_err field_refuse(
    struct buffer *why, const struct field_place *place, const char *format,
    ...);

/* Append what somebody wrote so that it stays on one line: at most 64 bytes,
 * and '?' for control characters. */
void field_word_print(struct kan_slice word, struct buffer *out);

/* Say that text is no reference. Returns KAN_INVALID. */
enum kan_err field_refuse_ref(struct buffer *why,
                              const struct field_place *place,
                              struct kan_slice text);

#endif /* BASE_RECORD_FIELD_H */
