/* Whether a struct is what its table says: ranges, texts, references. */

#include <inttypes.h>

#include "base/record.h"
#include "base/record_field.h"
#include "base/utf8.h"

static enum kan_err number_refuse(const struct kan_field *field,
                                  uint64_t number,
                                  const struct field_place *place,
                                  struct buffer *why)
{
    if (!why)
        return KAN_INVALID;
    field_place_print(place, why);
    buffer_append_text(why, " = ");
    field_number_print(field, number, why);
    buffer_print(why, " is outside %" PRId64 "..%" PRId64, field->min,
                 field->max);
    return KAN_INVALID;
}

static enum kan_err text_check(const struct kan_field *field,
                               const void *element,
                               const struct field_place *place,
                               struct buffer *why)
{
    struct kan_slice text = field_text(field, element);

    if (text.size == field->size)
        return field_refuse(
            why, place,
            ": the text has no zero at its end; at most %" PRIu32 " bytes fit",
            field->size - 1);
    if (!utf8_valid(text))
        return field_refuse(why, place, ": byte %zu is not UTF-8",
                            utf8_valid_size(text));
    if (field->kind == KAN_FIELD_REF && !field_ref_valid(text))
        return field_refuse_ref(why, place, text);
    return KAN_OK;
}

static enum kan_err fields_check(const struct kan_record *record,
                                 const void *bytes,
                                 const struct field_place *up,
                                 struct buffer *why);

static enum kan_err element_check(const struct kan_field *field,
                                  const void *element,
                                  const struct field_place *place,
                                  struct buffer *why)
{
    uint64_t number;

    switch (field->kind) {
    case KAN_FIELD_BOOL:
        number = field_number(field, element);
        if (number > 1)
            return field_refuse(
                why, place, " = %" PRIu64 " is neither true nor false", number);
        break;
    case KAN_FIELD_INT:
    case KAN_FIELD_UINT:
        number = field_number(field, element);
        if (!field_in_range(field, number))
            return number_refuse(field, number, place, why);
        break;
    case KAN_FIELD_TIME:
        number = field_number(field, element);
        if ((int64_t)number < 0)
            return field_refuse(
                why, place, " = %" PRId64 " is before all times; 0 is never",
                (int64_t)number);
        break;
    case KAN_FIELD_REF:
    case KAN_FIELD_TEXT:
        return text_check(field, element, place, why);
    case KAN_FIELD_RECORD:
        return fields_check(field->record, element, place, why);
    }
    return KAN_OK;
}

static enum kan_err fields_check(const struct kan_record *record,
                                 const void *bytes,
                                 const struct field_place *up,
                                 struct buffer *why)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        uint32_t live = field_live(record, field, bytes);
        for (uint32_t n = 0; n < live; n++) {
            struct field_place place = field_place_of(up, field, n);
            enum kan_err err = element_check(
                field, field_element(field, bytes, n), &place, why);
            if (err)
                return err;
        }
    }
    return KAN_OK;
}

enum kan_err record_check(const struct kan_record *record, const void *bytes,
                          struct buffer *why)
{
    struct field_place root = {NULL, record->name, FIELD_NO_INDEX};
    return fields_check(record, bytes, &root, why);
}
