/* The structs whose fields are at the ends of their ranges, numbered.
 *
 * A field's values stand in order of magnitude:
 *   numbers: what is inside of 0, 1, and the two ends of the range;
 *   truth values: false, true; times: 0 (never), 1 (long ago);
 *   references: nobody; texts: the empty one, and one of full length;
 *   arrays: all elements equal, to each value of an element; those that have a
 *     length, as short and as long as it may be, and an empty list once only;
 *   structs: each of theirs.
 * A number is then read as digits, one a field, the last field's the fastest;
 * a length and all its arrays are one digit. Counts are held at UINT32_MAX. */

#include "base/assert.h"
#include "base/record.h"
#include "base/record_field.h"

static uint64_t held(uint64_t count)
{
    return count < UINT32_MAX ? count : UINT32_MAX;
}

/* --- elements ------------------------------------------------------------- */

enum
{
    ENDS_MAX = 4
};

static uint64_t magnitude(int64_t number)
{
    return number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
}

/* The values of a number, smallest magnitude first. Returns how many. */
static uint32_t number_ends(const struct kan_field *field,
                            int64_t ends[ENDS_MAX])
{
    bool min_first = magnitude(field->min) < magnitude(field->max);
    int64_t all[ENDS_MAX] = {0, 1, min_first ? field->min : field->max,
                             min_first ? field->max : field->min};
    uint32_t count = 0;

    for (unsigned i = 0; i < ENDS_MAX; i++) {
        bool fresh = all[i] >= field->min && all[i] <= field->max;
        for (uint32_t j = 0; j < count; j++)
            fresh = fresh && ends[j] != all[i];
        if (fresh)
            ends[count++] = all[i];
    }
    return count;
}

static uint64_t fields_count(const struct kan_record *record);

static uint64_t element_count(const struct kan_field *field)
{
    int64_t ends[ENDS_MAX];

    switch (field->kind) {
    case KAN_FIELD_INT:
    case KAN_FIELD_UINT:
        return number_ends(field, ends);
    case KAN_FIELD_BOOL:
    case KAN_FIELD_TIME:
    case KAN_FIELD_TEXT:
        return 2;
    case KAN_FIELD_RECORD:
        return fields_count(field->record);
    case KAN_FIELD_REF:
        break;
    }
    return 1;
}

static void fields_set(const struct kan_record *record, uint64_t number,
                       void *bytes);

static void element_set(const struct kan_field *field, uint64_t number,
                        void *element)
{
    int64_t ends[ENDS_MAX];

    switch (field->kind) {
    case KAN_FIELD_INT:
    case KAN_FIELD_UINT:
        (void)number_ends(field, ends);
        field_number_set(field, element, (uint64_t)ends[number]);
        break;
    case KAN_FIELD_BOOL:
    case KAN_FIELD_TIME:
        field_number_set(field, element, number);
        break;
    case KAN_FIELD_TEXT:
        if (number == 1)
            memset(element, 'x', field->size - 1);
        break;
    case KAN_FIELD_RECORD:
        fields_set(field->record, number, element);
        break;
    case KAN_FIELD_REF:
        break;
    }
}

/* --- lists with a length -------------------------------------------------- */

/* Whether number is the length of arrays of this record. */
static bool is_length(const struct kan_record *record,
                      const struct kan_field *number)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (field_length(record, &record->fields[i]) == number)
            return true;
    }
    return false;
}

/* How many ways there are to fill the arrays of a length that is not 0. */
static uint64_t lists_count(const struct kan_record *record,
                            const struct kan_field *length)
{
    uint64_t count = 1;

    for (uint32_t i = 0; i < record->field_count; i++) {
        if (field_length(record, &record->fields[i]) == length)
            count = held(count * element_count(&record->fields[i]));
    }
    return count;
}

static void lists_set(const struct kan_record *record,
                      const struct kan_field *length, uint64_t number,
                      void *bytes)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        if (field_length(record, field) != length)
            continue;
        uint64_t count = element_count(field);
        uint32_t live = field_live(record, field, bytes);
        for (uint32_t n = 0; n < live; n++)
            element_set(field, number % count,
                        field_element_in(field, bytes, n));
        number /= count;
    }
}

/* How many ways there are for the shortest length, and for all. */
static uint64_t length_count(const struct kan_record *record,
                             const struct kan_field *length,
                             uint64_t *ret_shortest)
{
    uint64_t lists = lists_count(record, length);

    *ret_shortest = length->min == 0 ? 1 : lists;
    if (length->min == length->max)
        return *ret_shortest;
    return held(*ret_shortest + lists);
}

static void length_set(const struct kan_record *record,
                       const struct kan_field *length, uint64_t number,
                       void *bytes)
{
    uint64_t shortest;
    void *element = field_element_in(length, bytes, 0);

    (void)length_count(record, length, &shortest);
    bool full = number >= shortest;
    field_number_set(length, element,
                     (uint64_t)(full ? length->max : length->min));
    lists_set(record, length, full ? number - shortest : number, bytes);
}

/* --- structs -------------------------------------------------------------- */

/* The digits of one field: 1 for an array that goes with its length. */
static uint64_t field_count(const struct kan_record *record,
                            const struct kan_field *field)
{
    uint64_t shortest;

    if (field->length)
        return 1;
    if (is_length(record, field))
        return length_count(record, field, &shortest);
    return element_count(field);
}

static uint64_t fields_count(const struct kan_record *record)
{
    uint64_t count = 1;

    for (uint32_t i = 0; i < record->field_count; i++)
        count = held(count * field_count(record, &record->fields[i]));
    return count;
}

/* Into zeroed bytes. */
static void fields_set(const struct kan_record *record, uint64_t number,
                       void *bytes)
{
    for (uint32_t i = record->field_count; i-- > 0;) {
        const struct kan_field *field = &record->fields[i];
        uint64_t count = field_count(record, field);
        uint64_t digit = number % count;
        number /= count;
        if (field->length)
            continue;
        if (is_length(record, field)) {
            length_set(record, field, digit, bytes);
            continue;
        }
        for (uint32_t n = 0; n < field->count; n++)
            element_set(field, digit, field_element_in(field, bytes, n));
    }
}

uint32_t record_boundary_count(const struct kan_record *record, uint32_t max)
{
    uint64_t count = fields_count(record);
    return count < max ? (uint32_t)count : max;
}

void record_boundary(const struct kan_record *record, uint32_t number,
                     void *ret_bytes)
{
    kan_assert(number < record_boundary_count(record, UINT32_MAX));
    if (record->size == 0)
        return;
    memset(ret_bytes, 0, record->size);
    fields_set(record, number, ret_bytes);
}
