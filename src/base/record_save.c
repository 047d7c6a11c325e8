/* A struct as it is kept.
 *
 *     0x6b 0x01            a struct of Kan, in the first format
 *     varint               the version of its table
 *     varint, bytes        its shape: "value:i8,history:u4*8,owner:r"
 *     ...                  the values, in the order of the shape
 *     8 bytes              SipHash of all before, little endian
 *
 * A shape names each field with its kind (b, i, u, t for time, r, s for text,
 * or the shape of a struct in braces), bytes, elements, and the field that is
 * its length. Ranges are no part of it: a value is checked against the range
 * that is in force when it is loaded. Numbers are varints of seven bits a byte,
 * low ones first, signed ones folded (0, -1, 1, -2, ...); truth values a byte;
 * texts and references a varint and as many bytes; of a list with a length, as
 * many elements as it says. */

#include <inttypes.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/record.h"
#include "base/record_field.h"

enum
{
    SAVE_MARK = 0x6b,
    SAVE_FORMAT = 1,
    SAVE_SUM_SIZE = 8,
    VARINT_MAX = 10 /* bytes of 64 bits, seven in each */
};

/* --- writing -------------------------------------------------------------- */

static void put_varint(uint64_t number, struct buffer *out)
{
    unsigned char bytes[VARINT_MAX];
    size_t size = 0;

    do {
        bytes[size++] =
            (unsigned char)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
    } while (number > 0);
    buffer_append(out, kan_slice(bytes, size));
}

static void put_shape(const struct kan_record *record, struct buffer *out);

static void put_field_shape(const struct kan_field *field, struct buffer *out)
{
    static const char letters[] = "biutrs";

    buffer_append_text(out, field->name);
    buffer_append_byte(out, ':');
    if (field->kind == KAN_FIELD_RECORD) {
        buffer_append_byte(out, '{');
        put_shape(field->record, out);
        buffer_append_byte(out, '}');
    } else {
        buffer_append_byte(out, (unsigned char)letters[field->kind]);
        buffer_append_u64(out, field->size);
    }
    if (field->flags & KAN_FIELD_ARRAY) {
        buffer_append_byte(out, '*');
        buffer_append_u64(out, field->count);
    }
    if (field->length) {
        buffer_append_byte(out, '#');
        buffer_append_text(out, field->length);
    }
}

static void put_shape(const struct kan_record *record, struct buffer *out)
{
    bool first = true;

    for (uint32_t i = 0; i < record->field_count; i++) {
        if (record->fields[i].flags & KAN_FIELD_VOLATILE)
            continue;
        if (!first)
            buffer_append_byte(out, ',');
        first = false;
        put_field_shape(&record->fields[i], out);
    }
}

static void put_fields(const struct kan_record *record, const void *bytes,
                       struct buffer *out);

static void put_element(const struct kan_field *field, const void *element,
                        struct buffer *out)
{
    uint64_t number;
    struct kan_slice text;

    switch (field->kind) {
    case KAN_FIELD_BOOL:
        buffer_append_byte(out, field_number(field, element) != 0);
        break;
    case KAN_FIELD_UINT:
        put_varint(field_number(field, element), out);
        break;
    case KAN_FIELD_INT:
    case KAN_FIELD_TIME:
        number = field_number(field, element);
        put_varint(number << 1 ^ (0 - (number >> 63)), out);
        break;
    case KAN_FIELD_REF:
    case KAN_FIELD_TEXT:
        text = field_text(field, element);
        put_varint(text.size, out);
        buffer_append(out, text);
        break;
    case KAN_FIELD_RECORD:
        put_fields(field->record, element, out);
        break;
    }
}

static void put_fields(const struct kan_record *record, const void *bytes,
                       struct buffer *out)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        if (field->flags & KAN_FIELD_VOLATILE)
            continue;
        uint32_t live = field_live(record, field, bytes);
        for (uint32_t n = 0; n < live; n++)
            put_element(field, field_element(field, bytes, n), out);
    }
}

/* The hash of what is kept, against damage: no seed to keep secret. */
static void sum_of(struct kan_slice kept, unsigned char ret_sum[SAVE_SUM_SIZE])
{
    uint64_t sum = hash_bytes((struct hash_seed){0, 0}, kept);

    for (unsigned i = 0; i < SAVE_SUM_SIZE; i++)
        ret_sum[i] = (unsigned char)(sum >> (8 * i));
}

enum kan_err record_save(const struct kan_record *record, const void *bytes,
                         struct buffer *out)
{
    size_t start = out->size;
    struct buffer shape = BUFFER_INIT;
    unsigned char sum[SAVE_SUM_SIZE];

    put_shape(record, &shape);
    buffer_append_byte(out, SAVE_MARK);
    buffer_append_byte(out, SAVE_FORMAT);
    put_varint(record->version, out);
    put_varint(shape.size, out);
    buffer_append(out, buffer_slice(&shape));
    put_fields(record, bytes, out);
    if (!buffer_failed(out) && !buffer_failed(&shape)) {
        sum_of(slice_skip(buffer_slice(out), start), sum);
        buffer_append(out, kan_slice(sum, sizeof sum));
    }
    bool failed = buffer_failed(out) || buffer_failed(&shape);
    buffer_fini(&shape);
    if (!failed)
        return KAN_OK;
    out->size = start;
    return KAN_NOMEM;
}

/* --- reading -------------------------------------------------------------- */

/* false: these bytes were not written by put_varint(). */
static bool take_varint(struct kan_slice *from, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < VARINT_MAX && i < from->size; i++) {
        unsigned char byte = slice_at(*from, i);
        if (i == VARINT_MAX - 1 && byte > 1)
            return false;
        number |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0)
            return false; /* a shorter one says the same */
        *from = slice_skip(*from, i + 1);
        *ret_number = number;
        return true;
    }
    return false;
}

static bool take_bytes(struct kan_slice *from, uint64_t size,
                       struct kan_slice *ret_bytes)
{
    if (size > from->size)
        return false;
    *ret_bytes = slice_head(*from, (size_t)size);
    *from = slice_skip(*from, (size_t)size);
    return true;
}

static bool take_number(const struct kan_field *field, struct kan_slice *from,
                        void *element)
{
    uint64_t number;

    if (!take_varint(from, &number))
        return false;
    if (field->kind != KAN_FIELD_UINT && field->kind != KAN_FIELD_BOOL)
        number = number >> 1 ^ (0 - (number & 1));
    else if (field->kind == KAN_FIELD_BOOL && number > 1)
        return false;
    field_number_set(field, element, number);
    return field_number(field, element) == number;
}

static bool take_text(const struct kan_field *field, struct kan_slice *from,
                      void *element)
{
    uint64_t size;
    struct kan_slice text;

    if (!take_varint(from, &size) || size >= field->size ||
        !take_bytes(from, size, &text))
        return false;
    if (size > 0 && memchr(text.bytes, 0, text.size))
        return false;
    if (size > 0)
        memcpy(element, text.bytes, text.size);
    return true;
}

/* Into zeroed bytes. */
static bool take_fields(const struct kan_record *record, struct kan_slice *from,
                        void *bytes)
{
    bool fine = true;

    for (uint32_t i = 0; fine && i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        if (field->flags & KAN_FIELD_VOLATILE)
            continue;
        uint32_t live = field_live(record, field, bytes);
        for (uint32_t n = 0; fine && n < live; n++) {
            void *element = field_element_in(field, bytes, n);
            if (field->kind == KAN_FIELD_RECORD)
                fine = take_fields(field->record, from, element);
            else if (field->kind == KAN_FIELD_REF ||
                     field->kind == KAN_FIELD_TEXT)
                fine = take_text(field, from, element);
            else
                fine = take_number(field, from, element);
        }
    }
    return fine;
}

/* What stands before the values. */
struct kept
{
    uint64_t version;
    struct kan_slice shape;
    struct kan_slice values;
};

static bool take_head(struct kan_slice saved, struct kept *ret_kept)
{
    struct kan_slice rest = saved;
    struct kan_slice mark;
    unsigned char sum[SAVE_SUM_SIZE];
    uint64_t shape_size;

    if (saved.size < 2 + SAVE_SUM_SIZE)
        return false;
    rest.size -= SAVE_SUM_SIZE;
    sum_of(rest, sum);
    if (!slice_equal(kan_slice(sum, sizeof sum), slice_skip(saved, rest.size)))
        return false;
    if (!take_bytes(&rest, 2, &mark) || slice_at(mark, 0) != SAVE_MARK ||
        slice_at(mark, 1) != SAVE_FORMAT)
        return false;
    if (!take_varint(&rest, &ret_kept->version) ||
        !take_varint(&rest, &shape_size) ||
        !take_bytes(&rest, shape_size, &ret_kept->shape))
        return false;
    ret_kept->values = rest;
    return true;
}

/* --- versions ------------------------------------------------------------- */

/* The table of a version: the record itself, or one to upgrade from. */
static const struct kan_record *table_of(const struct kan_record *record,
                                         uint64_t version)
{
    if (record->version == version)
        return record;
    for (uint32_t i = 0; i < record->upgrade_count; i++) {
        if (record->upgrades[i].from->version == version)
            return record->upgrades[i].from;
    }
    return NULL;
}

/* The upgrade that begins at an older version, which is known. */
static const struct kan_upgrade *upgrade_of(const struct kan_record *record,
                                            uint32_t version)
{
    const struct kan_upgrade *upgrade = record->upgrades;

    while (upgrade->from->version != version)
        upgrade++;
    return upgrade;
}

/* The table that the upgrade from an older version leads to: the next one. */
static const struct kan_record *table_after(const struct kan_record *record,
                                            uint32_t version)
{
    const struct kan_record *next = record;

    for (uint32_t i = 0; i < record->upgrade_count; i++) {
        const struct kan_record *from = record->upgrades[i].from;
        if (from->version > version && from->version < next->version)
            next = from;
    }
    return next;
}

static enum kan_err refuse_version(const struct kan_record *record,
                                   uint64_t version, struct buffer *why)
{
    if (!why)
        return KAN_INVALID;
    buffer_print(why,
                 "%s: version %" PRIu64
                 " of it is kept, which this program "
                 "does not know; its own is %" PRIu32 "; ",
                 record->name, version, record->version);
    if (version > record->version)
        buffer_append_text(why, "run the newer program");
    else
        buffer_print(why, "declare an upgrade from version %" PRIu64, version);
    return KAN_INVALID;
}

/* The field of a shape that ends at byte at, or in which that lies. */
static struct kan_slice shape_word(struct kan_slice shape, size_t at)
{
    size_t from = at;
    size_t to = at;

    while (from > 0 && slice_at(shape, from - 1) != ',' &&
           slice_at(shape, from - 1) != '{')
        from--;
    while (to < shape.size && slice_at(shape, to) != ',' &&
           slice_at(shape, to) != '}')
        to++;
    return slice_head(slice_skip(shape, from), to - from);
}

/* The field behind the one that ends at byte at; empty when there is none. */
static struct kan_slice shape_word_next(struct kan_slice shape, size_t at)
{
    if (at < shape.size && slice_at(shape, at) == ',')
        return shape_word(shape, at + 1);
    return kan_slice(NULL, 0);
}

static enum kan_err refuse_shape(const struct kan_record *table,
                                 struct kan_slice kept, struct kan_slice shape,
                                 struct buffer *why)
{
    size_t at = 0;
    struct kan_slice from;
    struct kan_slice to;

    if (!why)
        return KAN_INVALID;
    while (at < kept.size && at < shape.size &&
           slice_at(kept, at) == slice_at(shape, at))
        at++;
    from = shape_word(kept, at);
    to = shape_word(shape, at);
    if (slice_equal(from, to)) { /* one has ended, the other goes on */
        from = shape_word_next(kept, at);
        to = shape_word_next(shape, at);
    }
    buffer_print(why,
                 "%s: it changed under the same version %" PRIu32 ", from '",
                 table->name, table->version);
    field_word_print(from, why);
    buffer_append_text(why, "' to '");
    field_word_print(to, why);
    buffer_append_text(why, "'; give it a new version and an upgrade");
    return KAN_INVALID;
}

static enum kan_err check_shape(const struct kan_record *table,
                                struct kan_slice kept, struct buffer *why)
{
    struct buffer shape = BUFFER_INIT;
    enum kan_err err = KAN_OK;

    put_shape(table, &shape);
    if (buffer_failed(&shape))
        err = KAN_NOMEM;
    else if (!slice_equal(kept, buffer_slice(&shape)))
        err = refuse_shape(table, kept, buffer_slice(&shape), why);
    buffer_fini(&shape);
    return err;
}

/* --- loading -------------------------------------------------------------- */

/* Read the values of a version as its own struct. *ret_bytes is yours. */
static enum kan_err load_version(const struct kan_record *table,
                                 const struct kept *kept, void **ret_bytes,
                                 struct buffer *why)
{
    struct kan_slice values = kept->values;
    enum kan_err err = check_shape(table, kept->shape, why);
    void *bytes;

    if (err)
        return err;
    bytes = mem_zalloc(table->size);
    if (!bytes)
        return KAN_NOMEM;
    if (!take_fields(table, &values, bytes) || values.size > 0)
        err = KAN_CORRUPT;
    if (!err && (err = record_check(table, bytes, why)) != KAN_OK && why)
        buffer_print(why,
                     ", so the range has changed under version %" PRIu32
                     "; give it a new version and an upgrade",
                     table->version);
    if (err)
        bytes = mem_free(bytes);
    else
        *ret_bytes = bytes;
    return err;
}

/* Let the program make the next version of one; old is the canonical struct of
 * from. *ret_bytes, canonical too, is yours. */
static enum kan_err upgrade_once(const struct kan_upgrade *upgrade,
                                 const struct kan_record *to, const void *old,
                                 void **ret_bytes, struct buffer *why)
{
    void *rough = mem_zalloc(to->size);
    void *bytes = mem_alloc(to->size);
    enum kan_err err = rough && bytes ? KAN_OK : KAN_NOMEM;

    if (!err && !upgrade->upgrade(old, rough)) {
        err = KAN_INVALID;
        if (why)
            buffer_print(why,
                         "%s: its upgrade from version %" PRIu32 " to %" PRIu32
                         " refused what is kept",
                         to->name, upgrade->from->version, to->version);
    }
    if (!err) {
        record_canonical(to, rough, bytes);
        err = record_check(to, bytes, why);
        if (err && why)
            buffer_print(why, " after the upgrade from version %" PRIu32,
                         upgrade->from->version);
    }
    (void)mem_free(rough);
    if (err)
        (void)mem_free(bytes);
    else
        *ret_bytes = bytes;
    return err;
}

enum kan_err record_load(const struct kan_record *record,
                         struct kan_slice saved, void *ret_bytes,
                         struct buffer *why)
{
    struct kept kept;
    const struct kan_record *table;
    void *bytes = NULL;
    enum kan_err err;

    if (!take_head(saved, &kept))
        return KAN_CORRUPT;
    table = table_of(record, kept.version);
    if (!table)
        return refuse_version(record, kept.version, why);
    err = load_version(table, &kept, &bytes, why);
    while (!err && table != record) {
        const struct kan_record *next = table_after(record, table->version);
        void *upgraded = NULL;
        err = upgrade_once(upgrade_of(record, table->version), next, bytes,
                           &upgraded, why);
        (void)mem_free(bytes);
        bytes = upgraded;
        table = next;
    }
    if (!err && record->size > 0)
        memcpy(ret_bytes, bytes, record->size);
    (void)mem_free(bytes);
    return err;
}
