/* One field of a struct with a table: numbers of all sizes, live elements, and
 * places for messages. */

#include "base/record_field.h"

#include <inttypes.h>

#include "base/utf8.h"

/* --- numbers -------------------------------------------------------------- */

/* The value of the low bits as two's complement. */
static uint64_t sign_extend(uint64_t number, uint32_t size)
{
    uint64_t sign = (uint64_t)1 << (size * 8 - 1);
    return size < 8 ? (number ^ sign) - sign : number;
}

static uint64_t unsigned_read(const void *element, uint32_t size)
{
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;

    switch (size) {
    case 1:
        memcpy(&one, element, sizeof one);
        return one;
    case 2:
        memcpy(&two, element, sizeof two);
        return two;
    case 4:
        memcpy(&four, element, sizeof four);
        return four;
    default:
        memcpy(&eight, element, sizeof eight);
        return eight;
    }
}

uint64_t field_number(const struct kan_field *field, const void *element)
{
    uint64_t number = unsigned_read(element, field->size);
    return field->kind == KAN_FIELD_INT ? sign_extend(number, field->size)
                                        : number;
}

void field_number_set(const struct kan_field *field, void *element,
                      uint64_t number)
{
    uint8_t one = (uint8_t)number;
    uint16_t two = (uint16_t)number;
    uint32_t four = (uint32_t)number;

    switch (field->size) {
    case 1:
        memcpy(element, &one, sizeof one);
        break;
    case 2:
        memcpy(element, &two, sizeof two);
        break;
    case 4:
        memcpy(element, &four, sizeof four);
        break;
    default:
        memcpy(element, &number, sizeof number);
        break;
    }
}

bool field_in_range(const struct kan_field *field, uint64_t number)
{
    /* What is unsigned and beyond 2^63 is negative here, and below its min. */
    return (int64_t)number >= field->min && (int64_t)number <= field->max;
}

void field_number_print(const struct kan_field *field, uint64_t number,
                        struct buffer *out)
{
    bool negative = field->kind != KAN_FIELD_UINT && (int64_t)number < 0;

    if (negative)
        buffer_append_byte(out, '-');
    buffer_append_u64(out, negative ? 0 - number : number);
}

/* --- elements ------------------------------------------------------------- */

const struct kan_field *field_length(const struct kan_record *record,
                                     const struct kan_field *field)
{
    if (!field->length)
        return NULL;
    for (const struct kan_field *at = field; at > record->fields;) {
        at--;
        if (at->name == field->length || strcmp(at->name, field->length) == 0)
            return at;
    }
    return NULL;
}

uint32_t field_live(const struct kan_record *record,
                    const struct kan_field *field, const void *bytes)
{
    const struct kan_field *length = field_length(record, field);

    if (!length)
        return field->count;
    uint64_t number = field_number(length, field_element(length, bytes, 0));
    if (length->kind == KAN_FIELD_INT && (int64_t)number < 0)
        return 0;
    return number < field->count ? (uint32_t)number : field->count;
}

bool field_ref_valid(struct kan_slice text)
{
    struct kan_slice id = text;
    struct kan_slice type;

    if (text.size == 0)
        return true;
    return slice_cut(&id, '/', &type) && type.size > 0 && id.size > 0;
}

/* --- places --------------------------------------------------------------- */

void field_place_print(const struct field_place *place, struct buffer *out)
{
    if (!place->name)
        return;
    if (place->up && place->up->name) {
        field_place_print(place->up, out);
        buffer_append_byte(out, '.');
    }
    buffer_append_text(out, place->name);
    if (place->index != FIELD_NO_INDEX)
        buffer_print(out, "[%" PRIu32 "]", place->index);
}

enum kan_err field_refuse(struct buffer *why, const struct field_place *place,
                          const char *format, ...)
{
    va_list args;

    if (why) {
        field_place_print(place, why);
        va_start(args, format);
        buffer_vprint(why, format, args);
        va_end(args);
    }
    return KAN_INVALID;
}

enum
{
    WORD_MAX = 64
};

void field_word_print(struct kan_slice word, struct buffer *out)
{
    struct kan_slice head = slice_head(word, WORD_MAX);

    head.size = utf8_valid_size(head); /* no half a character at the cut */
    for (size_t i = 0; i < head.size; i++) {
        unsigned char c = slice_at(head, i);
        buffer_append_byte(out, c < 0x20 || c == 0x7f ? '?' : c);
    }
    if (head.size < word.size)
        buffer_append_text(out, "...");
}

enum kan_err field_refuse_ref(struct buffer *why,
                              const struct field_place *place,
                              struct kan_slice text)
{
    if (!why)
        return KAN_INVALID;
    field_place_print(place, why);
    buffer_append_text(why, ": '");
    field_word_print(text, why);
    buffer_append_text(why,
                       "' is no reference; write type/id, as account/alice");
    return KAN_INVALID;
}
