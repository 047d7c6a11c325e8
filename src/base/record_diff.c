/* What differs between two structs of one table, a line each. */

#include "base/json.h"
#include "base/record.h"
#include "base/record_field.h"

static void number_show(const struct kan_field *field, const void *element,
                        struct buffer *out)
{
    uint64_t number = field_number(field, element);

    if (field->kind == KAN_FIELD_BOOL)
        buffer_append_text(out, number ? "true" : "false");
    else if (field->kind == KAN_FIELD_TIME && number == 0)
        buffer_append_text(out, "never");
    else
        field_number_print(field, number, out);
}

static void element_show(const struct kan_field *field, const void *element,
                         struct buffer *out)
{
    struct kan_slice text;

    switch (field->kind) {
    case KAN_FIELD_REF:
        text = field_text(field, element);
        buffer_append(out, text.size ? text : SLICE("nobody"));
        break;
    case KAN_FIELD_TEXT:
        json_append_string(out, field_text(field, element));
        break;
    default:
        number_show(field, element, out);
        break;
    }
}

static bool element_equal(const struct kan_field *field, const void *before,
                          const void *after)
{
    if (field->kind == KAN_FIELD_REF || field->kind == KAN_FIELD_TEXT)
        return slice_equal(field_text(field, before), field_text(field, after));
    return field_number(field, before) == field_number(field, after);
}

/* What lies behind the end of a list counts as zero on either side, so that an
 * element that came or went shows. */
static const unsigned char zeros[KAN_RECORD_SIZE_MAX];

static void fields_diff(const struct kan_record *record, const void *before,
                        const void *after, const struct field_place *up,
                        size_t start, struct buffer *out);

static void element_diff(const struct kan_field *field, const void *before,
                         const void *after, const struct field_place *place,
                         size_t start, struct buffer *out)
{
    if (field->kind == KAN_FIELD_RECORD) {
        fields_diff(field->record, before, after, place, start, out);
        return;
    }
    if (element_equal(field, before, after))
        return;
    if (out->size > start)
        buffer_append_byte(out, '\n');
    field_place_print(place, out);
    buffer_append_text(out, ": ");
    element_show(field, before, out);
    buffer_append_text(out, " -> ");
    element_show(field, after, out);
}

static void fields_diff(const struct kan_record *record, const void *before,
                        const void *after, const struct field_place *up,
                        size_t start, struct buffer *out)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        uint32_t live_before = field_live(record, field, before);
        uint32_t live_after = field_live(record, field, after);
        for (uint32_t n = 0; n < live_before || n < live_after; n++) {
            struct field_place place = field_place_of(up, field, n);
            element_diff(
                field,
                n < live_before ? field_element(field, before, n) : zeros,
                n < live_after ? field_element(field, after, n) : zeros, &place,
                start, out);
        }
    }
}

enum kan_err record_diff(const struct kan_record *record, const void *before,
                         const void *after, struct buffer *out)
{
    struct field_place root = {NULL, NULL, FIELD_NO_INDEX};
    size_t start = out->size;

    fields_diff(record, before, after, &root, start, out);
    if (!buffer_failed(out))
        return KAN_OK;
    out->size = start;
    return KAN_NOMEM;
}
