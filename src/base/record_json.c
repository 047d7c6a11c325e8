/* A struct as a JSON object. Reading it back is in record_parse.c. */

#include "base/json.h"
#include "base/record.h"
#include "base/record_field.h"

/* Beyond this many a double cannot tell two neighbours apart, and readers in
 * other languages keep numbers as doubles. */
static const uint64_t exact_max = (uint64_t)1 << 53;

static void number_append(const struct kan_field *field, uint64_t number,
                          struct buffer *out)
{
    bool negative = field->kind == KAN_FIELD_INT && (int64_t)number < 0;
    bool quoted = (negative ? 0 - number : number) > exact_max;

    if (quoted)
        buffer_append_byte(out, '"');
    field_number_print(field, number, out);
    if (quoted)
        buffer_append_byte(out, '"');
}

static void fields_append(const struct kan_record *record, const void *bytes,
                          struct buffer *out);

static void element_append(const struct kan_field *field, const void *element,
                           struct buffer *out)
{
    switch (field->kind) {
    case KAN_FIELD_BOOL:
        buffer_append_text(out,
                           field_number(field, element) ? "true" : "false");
        break;
    case KAN_FIELD_INT:
    case KAN_FIELD_UINT:
        number_append(field, field_number(field, element), out);
        break;
    case KAN_FIELD_TIME:
        field_number_print(field, field_number(field, element), out);
        break;
    case KAN_FIELD_REF:
    case KAN_FIELD_TEXT:
        json_append_string(out, field_text(field, element));
        break;
    case KAN_FIELD_RECORD:
        fields_append(field->record, element, out);
        break;
    }
}

static void fields_append(const struct kan_record *record, const void *bytes,
                          struct buffer *out)
{
    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        uint32_t live = field_live(record, field, bytes);
        bool list = (field->flags & KAN_FIELD_ARRAY) != 0;
        json_append_name(out, field->name);
        if (list)
            buffer_append_byte(out, '[');
        for (uint32_t n = 0; n < live; n++) {
            if (n > 0)
                buffer_append_byte(out, ',');
            element_append(field, field_element(field, bytes, n), out);
        }
        if (list)
            buffer_append_byte(out, ']');
    }
    buffer_append_byte(out, '}');
}

enum kan_err record_to_json(const struct kan_record *record, const void *bytes,
                            struct buffer *out)
{
    size_t start = out->size;

    fields_append(record, bytes, out);
    if (!buffer_failed(out))
        return KAN_OK;
    out->size = start;
    return KAN_NOMEM;
}
