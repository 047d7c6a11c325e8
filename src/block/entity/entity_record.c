/* Keys and values of the entity block: written one way, and read strictly. */

#include "block/entity/entity_record.h"

#include "base/number.h"
#include "base/utf8.h"

enum
{
    FORMAT = 1,        /* of heads, snapshots and programs */
    FORMAT_EVENT = 16, /* of events: with the kind in the low bits */
    WITH_KEY = 32,
    WITH_COLUMNS = 64,
    KIND_MASK = 15,
    GONE = 1
};

/* --- numbers -------------------------------------------------------------- */

void entity_put_number(struct buffer *out, uint64_t number)
{
    unsigned char bytes[10];
    size_t size = 0;

    while (number >= 128) {
        bytes[size++] = (unsigned char)(number | 128);
        number >>= 7;
    }
    bytes[size++] = (unsigned char)number;
    buffer_append(out, kan_slice(bytes, size));
}

bool entity_take_number(struct kan_slice *bytes, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < 10 && i < bytes->size; i++) {
        unsigned char byte = slice_at(*bytes, i);
        if (i == 9 && byte > 1)
            return false;
        number |= (uint64_t)(byte & 127) << (7 * i);
        if (byte >= 128)
            continue;
        if (byte == 0 && i > 0)
            return false;
        *bytes = slice_skip(*bytes, i + 1);
        *ret_number = number;
        return true;
    }
    return false;
}

bool entity_take_bytes(struct kan_slice *bytes, size_t size,
                       struct kan_slice *ret_taken)
{
    if (bytes->size < size)
        return false;
    *ret_taken = slice_head(*bytes, size);
    *bytes = slice_skip(*bytes, size);
    return true;
}

static bool take_hash(struct kan_slice *bytes, uint8_t *out)
{
    struct kan_slice taken;

    if (!entity_take_bytes(bytes, ENTITY_HASH_SIZE, &taken))
        return false;
    memcpy(out, taken.bytes, ENTITY_HASH_SIZE);
    return true;
}

static bool take_version(struct kan_slice *bytes, uint32_t *ret_version)
{
    uint64_t number;

    if (!entity_take_number(bytes, &number) || number > UINT32_MAX)
        return false;
    *ret_version = (uint32_t)number;
    return true;
}

static bool take_format(struct kan_slice *bytes)
{
    struct kan_slice taken;

    return entity_take_bytes(bytes, 1, &taken) && slice_at(taken, 0) == FORMAT;
}

/* --- hashes --------------------------------------------------------------- */

struct entity_hash entity_hash_of(struct kan_slice step, struct kan_slice body)
{
    /* Two halves under seeds of their own; chained, so that no two pairs of
     * step and body run together. */
    struct entity_hash hash;

    for (unsigned i = 0; i < 2; i++) {
        struct hash_seed seed = {0x6b616e2d6b657900 + i, 0};
        seed.k1 = hash_bytes(seed, step);
        number_pack(hash_bytes(seed, body), hash.bytes + (size_t)8 * i);
    }
    return hash;
}

/* --- keys ----------------------------------------------------------------- */

void entity_key_sort(struct buffer *out, struct kan_slice prefix,
                     struct kan_slice type, char letter)
{
    buffer_append(out, prefix);
    buffer_append(out, type);
    buffer_append_byte(out, 0);
    buffer_append_byte(out, (unsigned char)letter);
}

void entity_key_number(struct buffer *out, struct kan_slice id, uint64_t n)
{
    unsigned char packed[1 + ENTITY_NUMBER_SIZE] = {0};

    number_pack(n, packed + 1);
    buffer_append(out, id);
    buffer_append(out, kan_slice(packed, sizeof(packed)));
}

uint64_t entity_key_n(struct kan_slice key)
{
    if (key.size < ENTITY_NUMBER_SIZE)
        return 0;
    return number_unpack((const unsigned char *)key.bytes + key.size -
                         ENTITY_NUMBER_SIZE);
}

bool entity_key_read(struct kan_slice rest, struct kan_slice *ret_id,
                     uint64_t *ret_n)
{
    size_t size;

    if (rest.size < 1 + 1 + ENTITY_NUMBER_SIZE)
        return false;
    size = rest.size - 1 - ENTITY_NUMBER_SIZE;
    if (slice_at(rest, size) != 0)
        return false;
    *ret_id = slice_head(rest, size);
    *ret_n = entity_key_n(rest);
    return true;
}

bool entity_id_legal(struct kan_slice id)
{
    if (id.size == 0 || id.size > ENTITY_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        unsigned char c = slice_at(id, i);
        if (c < 0x20 || c == 0x7f || c == '/' || c == '?' || c == '#' ||
            c == '\\')
            return false;
        /* U+0080 to U+009F are control characters too. */
        if (c == 0xc2 && i + 1 < id.size && slice_at(id, i + 1) < 0xa0)
            return false;
    }
    return utf8_valid(id);
}

/* --- events --------------------------------------------------------------- */

static void put_id(struct buffer *out, const char *id)
{
    unsigned char packed[PROGRAM_ID_SIZE / 2];

    for (unsigned i = 0; i < sizeof(packed); i++) {
        unsigned char byte = 0;
        for (unsigned j = 0; j < 2; j++) {
            char c = id[2 * i + j];
            byte = (unsigned char)(byte * 16 +
                                   (c <= '9' ? c - '0' : c - 'a' + 10));
        }
        packed[i] = byte;
    }
    buffer_append(out, kan_slice(packed, sizeof(packed)));
}

static void get_id(struct kan_slice packed, char *id)
{
    for (unsigned i = 0; i < packed.size; i++) {
        unsigned char byte = slice_at(packed, i);
        id[2 * i] = "0123456789abcdef"[byte >> 4];
        id[2 * i + 1] = "0123456789abcdef"[byte & 15];
    }
}

void entity_record_write(struct buffer *out, const struct entity_record *event)
{
    unsigned char now[8];

    buffer_append_byte(
        out, (unsigned char)(FORMAT_EVENT | (event->key.bytes ? WITH_KEY : 0) |
                             (event->columns.size ? WITH_COLUMNS : 0) |
                             (unsigned)event->kind));
    entity_put_number(out, event->version);
    number_pack((uint64_t)event->input.now_ms, now);
    buffer_append(out, kan_slice(now, sizeof(now)));
    put_id(out, event->input.id);
    if (event->key.bytes) {
        entity_put_number(out, event->key.size);
        buffer_append(out, event->key);
        buffer_append(out, kan_slice(event->hash.bytes, ENTITY_HASH_SIZE));
    }
    if (event->columns.size) {
        entity_put_number(out, event->columns.size);
        buffer_append(out, event->columns);
    }
    if (event->kind == ENTITY_STEP)
        entity_put_number(out, event->step);
}

static bool read_key(struct kan_slice *bytes, struct entity_record *event)
{
    uint64_t size;

    return entity_take_number(bytes, &size) && size > 0 &&
           size <= ENTITY_KEY_MAX &&
           entity_take_bytes(bytes, size, &event->key) &&
           take_hash(bytes, event->hash.bytes);
}

static bool read_columns(struct kan_slice *bytes, struct entity_record *event)
{
    uint64_t size;

    return entity_take_number(bytes, &size) && size > 0 &&
           entity_take_bytes(bytes, size, &event->columns);
}

enum kan_err entity_record_read(struct kan_slice value,
                                struct entity_record *ret_event)
{
    struct entity_record event;
    struct kan_slice taken;
    unsigned char head;

    memset(&event, 0, sizeof(event));
    if (!entity_take_bytes(&value, 1, &taken))
        return KAN_CORRUPT;
    head = slice_at(taken, 0);
    if ((head & ~(WITH_KEY | WITH_COLUMNS | KIND_MASK)) != FORMAT_EVENT ||
        (head & KIND_MASK) > ENTITY_ERASED)
        return KAN_CORRUPT;
    event.kind = (enum entity_event_kind)(head & KIND_MASK);
    if (!take_version(&value, &event.version) ||
        !entity_take_bytes(&value, 8, &taken))
        return KAN_CORRUPT;
    event.input.now_ms = (int64_t)number_unpack(taken.bytes);
    if (!entity_take_bytes(&value, PROGRAM_ID_SIZE / 2, &taken))
        return KAN_CORRUPT;
    get_id(taken, event.input.id);
    if ((head & WITH_KEY) && !read_key(&value, &event))
        return KAN_CORRUPT;
    if ((head & WITH_COLUMNS) && !read_columns(&value, &event))
        return KAN_CORRUPT;
    if (event.kind == ENTITY_STEP) {
        if (!take_version(&value, &event.step))
            return KAN_CORRUPT;
        event.arguments = value;
    } else if (value.size) {
        return KAN_CORRUPT;
    }
    *ret_event = event;
    return KAN_OK;
}

/* --- heads ---------------------------------------------------------------- */

void entity_head_write(struct buffer *out, struct entity_head head)
{
    buffer_append_byte(out, FORMAT);
    buffer_append_byte(out, head.gone ? GONE : 0);
    entity_put_number(out, head.snapshot);
    entity_put_number(out, head.erased);
}

enum kan_err entity_head_read(struct kan_slice value,
                              struct entity_head *ret_head)
{
    struct entity_head head;
    struct kan_slice flags;

    memset(&head, 0, sizeof(head));
    if (!take_format(&value) || !entity_take_bytes(&value, 1, &flags) ||
        slice_at(flags, 0) > GONE ||
        !entity_take_number(&value, &head.snapshot) ||
        !entity_take_number(&value, &head.erased) || value.size)
        return KAN_CORRUPT;
    head.gone = slice_at(flags, 0) == GONE;
    *ret_head = head;
    return KAN_OK;
}

/* --- programs ------------------------------------------------------------- */

void entity_kept_write(struct buffer *out, const struct entity_kept *kept)
{
    buffer_append_byte(out, FORMAT);
    buffer_append(out, kan_slice(kept->hash.bytes, ENTITY_HASH_SIZE));
    buffer_append(out, kan_slice(kept->upgrade.bytes, ENTITY_HASH_SIZE));
    buffer_append(out, kept->text);
}

enum kan_err entity_kept_read(struct kan_slice value,
                              struct entity_kept *ret_kept)
{
    struct entity_kept kept;

    if (!take_format(&value) || !take_hash(&value, kept.hash.bytes) ||
        !take_hash(&value, kept.upgrade.bytes))
        return KAN_CORRUPT;
    kept.text = value;
    *ret_kept = kept;
    return KAN_OK;
}
