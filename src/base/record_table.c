/* Whether a table is sound. Everything else that works on structs trusts a
 * table that passed: its fields lie in the struct and do not overlap, so all
 * walks are bounded by the struct's size. */

#include <inttypes.h>

#include "base/record.h"
#include "base/record_field.h"

enum
{
    TABLE_NAME_MAX = 63
};

static bool name_valid(const char *name)
{
    size_t size = name ? strnlen(name, TABLE_NAME_MAX + 1) : 0;

    if (size == 0 || size > TABLE_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* --- one field ------------------------------------------------------------ */

static bool size_valid(const struct kan_field *field)
{
    switch (field->kind) {
    case KAN_FIELD_BOOL:
        return field->size == sizeof(bool) && sizeof(bool) == 1;
    case KAN_FIELD_INT:
    case KAN_FIELD_UINT:
        return field->size == 1 || field->size == 2 || field->size == 4 ||
               field->size == 8;
    case KAN_FIELD_TIME:
        return field->size == sizeof(int64_t);
    case KAN_FIELD_REF:
        return field->size == sizeof(struct kan_ref);
    case KAN_FIELD_TEXT:
        return field->size >= 2;
    case KAN_FIELD_RECORD:
        break;
    }
    return field->record->size > 0 && field->size == field->record->size;
}

/* The range of an INT or UINT field: not empty, and of numbers it can hold. */
static enum kan_err range_check(const struct kan_field *field,
                                const struct field_place *place,
                                struct buffer *why)
{
    unsigned bits = field->size * 8 - (field->kind == KAN_FIELD_INT);
    int64_t most = bits < 63 ? ((int64_t)1 << bits) - 1 : INT64_MAX;
    int64_t least = field->kind == KAN_FIELD_INT ? -most - 1 : 0;

    if (field->min > field->max)
        return field_refuse(why, place,
                            ": the range %" PRId64 "..%" PRId64 " is empty",
                            field->min, field->max);
    if (field->min < least || field->max > most)
        return field_refuse(why, place,
                            ": the range %" PRId64 "..%" PRId64
                            " does not fit into %" PRIu32
                            " bytes, which hold "
                            "%" PRId64 "..%" PRId64,
                            field->min, field->max, field->size, least, most);
    if (field->flags & KAN_FIELD_VOLATILE && (field->min > 0 || field->max < 0))
        return field_refuse(why, place,
                            ": it is 0 after a crash, and 0 is outside "
                            "%" PRId64 "..%" PRId64,
                            field->min, field->max);
    return KAN_OK;
}

/* The field that an array names for its length. */
static enum kan_err length_check(const struct kan_record *record,
                                 const struct kan_field *field,
                                 const struct field_place *place,
                                 struct buffer *why)
{
    const struct kan_field *length = field_length(record, field);

    if (!(field->flags & KAN_FIELD_ARRAY))
        return field_refuse(why, place,
                            ": only an array can have a length, and this is "
                            "none");
    if (!length)
        return field_refuse(why, place,
                            ": its length '%s' is no field before it; declare "
                            "that one first",
                            field->length);
    if ((length->kind != KAN_FIELD_INT && length->kind != KAN_FIELD_UINT) ||
        length->flags & KAN_FIELD_ARRAY)
        return field_refuse(why, place, ": its length '%s' is not one number",
                            field->length);
    if (length->min < 0 || length->max > field->count)
        return field_refuse(why, place,
                            ": its length '%s' may be %" PRId64 "..%" PRId64
                            ", and the array holds 0..%" PRIu32,
                            field->length, length->min, length->max,
                            field->count);
    if ((length->flags ^ field->flags) & KAN_FIELD_VOLATILE)
        return field_refuse(why, place,
                            ": it and its length '%s' must both be volatile, "
                            "or neither",
                            field->length);
    return KAN_OK;
}

static enum kan_err shape_check(const struct kan_record *record,
                                const struct kan_field *field,
                                const struct field_place *place,
                                struct buffer *why)
{
    if ((unsigned)field->kind > KAN_FIELD_RECORD)
        return field_refuse(why, place, ": there is no kind %u of field",
                            (unsigned)field->kind);
    if (field->flags & ~(unsigned)(KAN_FIELD_ARRAY | KAN_FIELD_VOLATILE))
        return field_refuse(why, place, ": there are no flags 0x%x",
                            field->flags);
    if (field->kind == KAN_FIELD_RECORD && !field->record)
        return field_refuse(why, place, ": a struct needs its table");
    if (!size_valid(field))
        return field_refuse(why, place,
                            ": %" PRIu32 " bytes are not what its kind has",
                            field->size);
    if (field->count == 0 ||
        (field->count != 1 && !(field->flags & KAN_FIELD_ARRAY)))
        return field_refuse(why, place, ": it cannot have %" PRIu32 " elements",
                            field->count);
    if (field->offset + (uint64_t)field->size * field->count > record->size)
        return field_refuse(why, place,
                            ": it reaches beyond the %" PRIu32
                            " bytes of its struct",
                            record->size);
    return KAN_OK;
}

static enum kan_err field_check(const struct kan_record *record,
                                const struct kan_field *field,
                                const struct field_place *place,
                                struct buffer *why)
{
    enum kan_err err = shape_check(record, field, place, why);

    if (err)
        return err;
    if (field->kind == KAN_FIELD_INT || field->kind == KAN_FIELD_UINT)
        err = range_check(field, place, why);
    if (field->kind == KAN_FIELD_TIME && (field->min > 0 || field->max < 0))
        err = field_refuse(why, place,
                           ": how far behind and ahead it matters cannot be "
                           "less than 0 ms");
    if (!err && field->length)
        err = length_check(record, field, place, why);
    return err;
}

/* --- one table ------------------------------------------------------------ */

static bool overlap(const struct kan_field *a, const struct kan_field *b)
{
    uint64_t a_end = a->offset + (uint64_t)a->size * a->count;
    uint64_t b_end = b->offset + (uint64_t)b->size * b->count;
    return a->offset < b_end && b->offset < a_end;
}

/* A field against those before it: a name, and bytes, of its own. */
static enum kan_err alone_check(const struct kan_record *record,
                                uint32_t number,
                                const struct field_place *place,
                                struct buffer *why)
{
    const struct kan_field *field = &record->fields[number];

    for (uint32_t i = 0; i < number; i++) {
        const struct kan_field *other = &record->fields[i];
        if (strcmp(other->name, field->name) == 0)
            return field_refuse(why, place, ": it is in the table twice");
        if (overlap(other, field))
            return field_refuse(why, place, ": it shares bytes with '%s'",
                                other->name);
    }
    return KAN_OK;
}

static enum kan_err head_check(const struct kan_record *record,
                               const struct field_place *place,
                               struct buffer *why)
{
    if (!name_valid(record->name))
        return field_refuse(why, place,
                            ": the name of a table has 1 to %d letters, "
                            "digits, - and _",
                            TABLE_NAME_MAX);
    if (record->size > KAN_RECORD_SIZE_MAX)
        return field_refuse(why, place,
                            ": %" PRIu32
                            " bytes are more than a struct may "
                            "have, %d",
                            record->size, KAN_RECORD_SIZE_MAX);
    if (record->version == 0)
        return field_refuse(why, place, ": versions begin with 1");
    if (record->field_count > KAN_RECORD_FIELDS_MAX)
        return field_refuse(why, place,
                            ": %" PRIu32
                            " fields are more than a table may "
                            "have, %d",
                            record->field_count, KAN_RECORD_FIELDS_MAX);
    if ((record->size > 0) != (record->field_count > 0) ||
        (record->field_count > 0 && !record->fields))
        return field_refuse(why, place,
                            ": a struct of %" PRIu32
                            " bytes cannot have "
                            "%" PRIu32 " fields",
                            record->size, record->field_count);
    return KAN_OK;
}

/* place is the table's own; depth counts the structs around it. */
static enum kan_err table_check(const struct kan_record *record,
                                const struct field_place *place, unsigned depth,
                                struct buffer *why)
{
    enum kan_err err = head_check(record, place, why);

    if (!err && depth > KAN_RECORD_DEPTH_MAX)
        err = field_refuse(why, place,
                           ": structs stand in structs more than %d deep",
                           KAN_RECORD_DEPTH_MAX);
    for (uint32_t i = 0; !err && i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        struct field_place at = {place, field->name, FIELD_NO_INDEX};
        if (!name_valid(field->name))
            return field_refuse(why, place,
                                ": the name of field %" PRIu32
                                " must have 1 "
                                "to %d letters, digits, - and _",
                                i, TABLE_NAME_MAX);
        err = field_check(record, field, &at, why);
        if (!err)
            err = alone_check(record, i, &at, why);
        if (!err && field->kind == KAN_FIELD_RECORD)
            err = table_check(field->record, &at, depth + 1, why);
    }
    return err;
}

static enum kan_err upgrade_check(const struct kan_record *record,
                                  uint32_t number,
                                  const struct field_place *place,
                                  struct buffer *why)
{
    const struct kan_upgrade *upgrade = &record->upgrades[number];

    if (!upgrade->from || !upgrade->upgrade)
        return field_refuse(why, place,
                            ": upgrade %" PRIu32
                            " has no table to start from, "
                            "or no function",
                            number);
    if (upgrade->from->version >= record->version)
        return field_refuse(why, place,
                            ": an upgrade from version %" PRIu32
                            " cannot lead to version %" PRIu32,
                            upgrade->from->version, record->version);
    for (uint32_t i = 0; i < number; i++) {
        if (record->upgrades[i].from->version == upgrade->from->version)
            return field_refuse(why, place,
                                ": there are two upgrades from version "
                                "%" PRIu32,
                                upgrade->from->version);
    }
    struct field_place from = {NULL, upgrade->from->name, FIELD_NO_INDEX};
    return table_check(upgrade->from, &from, 0, why);
}

enum kan_err record_check_table(const struct kan_record *record,
                                struct buffer *why)
{
    struct field_place place = {
        NULL, record->name ? record->name : "a table without a name",
        FIELD_NO_INDEX};
    enum kan_err err = table_check(record, &place, 0, why);

    if (!err && record->upgrade_count > 0 && !record->upgrades)
        err = field_refuse(why, &place, ": it counts upgrades and has none");
    for (uint32_t i = 0; !err && i < record->upgrade_count; i++)
        err = upgrade_check(record, i, &place, why);
    return err;
}
