/* A struct with a table, made canonical, and what crashes and clocks do to it.
 * All of it is on the checker's hot path: nothing here allocates or prints. */

#include "base/record.h"

#include "base/record_field.h"

/* --- canonical ------------------------------------------------------------ */

/* Numbers but truth values: every bit pattern is canonical. */
static bool is_number(const struct kan_field *field)
{
    return field->kind == KAN_FIELD_INT || field->kind == KAN_FIELD_UINT ||
           field->kind == KAN_FIELD_TIME;
}

static void element_canonical(const struct kan_field *field, const void *from,
                              void *to)
{
    if (field->kind == KAN_FIELD_RECORD)
        record_canonical(field->record, from, to);
    else if (field->kind == KAN_FIELD_BOOL)
        field_number_set(field, to, field_number(field, from) != 0);
    else
        memcpy(to, from, field_text(field, from).size);
}

void record_canonical(const struct kan_record *record, const void *from,
                      void *to)
{
    if (record->size == 0)
        return;
    memset(to, 0, record->size);
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        uint32_t live = field_live(record, field, from);
        if (is_number(field)) {
            memcpy(field_element_in(field, to, 0),
                   field_element(field, from, 0), (size_t)field->size * live);
            continue;
        }
        for (uint32_t n = 0; n < live; n++)
            element_canonical(field, field_element(field, from, n),
                              field_element_in(field, to, n));
    }
}

/* --- crashes -------------------------------------------------------------- */

void record_drop_volatile(const struct kan_record *record, void *bytes)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        if (field->flags & KAN_FIELD_VOLATILE) {
            memset(field_element_in(field, bytes, 0), 0,
                   (size_t)field->size * field->count);
            continue;
        }
        if (field->kind != KAN_FIELD_RECORD)
            continue;
        for (uint32_t n = 0; n < field->count; n++)
            record_drop_volatile(field->record,
                                 field_element_in(field, bytes, n));
    }
}

/* --- times ---------------------------------------------------------------- */

bool record_has_times(const struct kan_record *record)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        if (field->kind == KAN_FIELD_TIME)
            return true;
        if (field->kind == KAN_FIELD_RECORD && record_has_times(field->record))
            return true;
    }
    return false;
}

/* a + b, held at the ends of the numbers. */
static int64_t add_held(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b < 0 ? INT64_MIN : INT64_MAX;
}

/* A time that is too far from now to matter, brought to where it just does not:
 * one millisecond beyond the last that does. */
static int64_t time_near(const struct kan_field *field, int64_t time,
                         int64_t now_ms)
{
    int64_t first = add_held(add_held(now_ms, field->min), -1);
    int64_t last = add_held(add_held(now_ms, field->max), 1);

    if (field->min == 0 && field->max == 0)
        return time;
    return time < first ? first : time > last ? last : time;
}

static void time_shift(const struct kan_field *field, void *element,
                       int64_t delta_ms, int64_t now_ms)
{
    int64_t time = (int64_t)field_number(field, element);

    if (time == 0)
        return;
    time = add_held(time, delta_ms);
    if (now_ms != 0)
        time = time_near(field, time, now_ms);
    if (time < 1)
        time = 1;
    field_number_set(field, element, (uint64_t)time);
}

void record_shift_times(const struct kan_record *record, void *bytes,
                        int64_t delta_ms, int64_t now_ms)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        if (field->kind != KAN_FIELD_TIME && field->kind != KAN_FIELD_RECORD)
            continue;
        uint32_t live = field_live(record, field, bytes);
        for (uint32_t n = 0; n < live; n++) {
            void *element = field_element_in(field, bytes, n);
            if (field->kind == KAN_FIELD_TIME)
                time_shift(field, element, delta_ms, now_ms);
            else
                record_shift_times(field->record, element, delta_ms, now_ms);
        }
    }
}
