/* The bytes of all values stand one behind the other in one buffer; an item
 * knows where its own begin. At most half of the index is in use. */

#include "path/history/values.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/number.h"

struct value
{
    uint64_t offset;
    uint64_t hash;
    uint32_t size;
    enum value_kind kind;
};

enum
{
    COUNT_MAX = 1 << 30,
    CAPACITY_FIRST = 64,
    PRINT_MAX = 200,
    PRINT_DEPTH_MAX = 16
};

/* Histories are files that somebody chose to check; the seed only has to
 * spread them. */
static const struct hash_seed seed = {0x6b616e2d76616c75, 0x65732d68697374};

/* --- life cycle ----------------------------------------------------------- */

enum kan_err value_table_init(struct value_table *table)
{
    *table = (struct value_table){0};
    uint32_t nil;
    enum kan_err err = value_add(table, VALUE_NIL, kan_slice(NULL, 0), &nil);
    if (err != KAN_OK)
        value_table_fini(table);
    return err;
}

void value_table_fini(struct value_table *table)
{
    mem_free(table->items);
    mem_free(table->index);
    buffer_fini(&table->bytes);
    *table = (struct value_table){0};
}

uint64_t value_table_size(const struct value_table *table)
{
    return table->bytes.capacity +
           (uint64_t)table->capacity * sizeof *table->items +
           (uint64_t)table->index_size * sizeof *table->index;
}

/* --- adding --------------------------------------------------------------- */

static uint64_t hash_value(enum value_kind kind, struct kan_slice bytes)
{
    return hash_bytes(seed, bytes) + (uint64_t)kind * 0x9e3779b97f4a7c15u;
}

/* Where the value stands in the index, or the free place where it would. */
static uint32_t place_of(const struct value_table *table, uint64_t hash,
                         enum value_kind kind, struct kan_slice bytes)
{
    uint32_t mask = table->index_size - 1;
    uint32_t at = (uint32_t)hash & mask;
    for (; table->index[at]; at = (at + 1) & mask) {
        uint32_t id = table->index[at] - 1;
        const struct value *item = &table->items[id];
        if (item->hash == hash && item->kind == kind &&
            slice_equal(value_bytes(table, id), bytes))
            break;
    }
    return at;
}

/* Whether so many bytes more are within the limit. */
static bool may_take(const struct value_table *table, uint64_t bytes)
{
    return !table->bytes_max ||
           value_table_size(table) + bytes <= table->bytes_max;
}

static enum kan_err grow(struct value_table *table)
{
    uint32_t capacity = table->capacity ? table->capacity * 2 : CAPACITY_FIRST;
    size_t each = sizeof *table->items + 2 * sizeof *table->index;
    if (capacity > COUNT_MAX ||
        !may_take(table, (capacity - table->capacity) * each))
        return KAN_BUSY;
    uint32_t *index = mem_zalloc((size_t)capacity * 2 * sizeof *index);
    struct value *items =
        index ? mem_realloc(table->items, capacity * sizeof *items) : NULL;
    if (!items) {
        mem_free(index);
        return KAN_NOMEM;
    }
    mem_free(table->index);
    table->items = items;
    table->capacity = capacity;
    table->index = index;
    table->index_size = capacity * 2;
    for (uint32_t id = 0; id < table->count; id++) {
        uint32_t at = (uint32_t)items[id].hash & (table->index_size - 1);
        while (index[at])
            at = (at + 1) & (table->index_size - 1);
        index[at] = id + 1;
    }
    return KAN_OK;
}

/* Append bytes, which may be of the buffer itself. */
static enum kan_err keep(struct value_table *table, struct kan_slice bytes)
{
    const char *from = bytes.bytes;
    const char *start = table->bytes.bytes;
    bool own = bytes.size && start && from >= start &&
               from < start + table->bytes.size;
    size_t offset = own ? (size_t)(from - start) : 0;
    const struct buffer *buffer = &table->bytes;
    if (bytes.size > buffer->capacity - buffer->size &&
        !may_take(table, buffer->capacity + bytes.size))
        return KAN_BUSY;
    enum kan_err err = buffer_reserve(&table->bytes, bytes.size);
    if (err != KAN_OK)
        return err;
    if (own)
        bytes.bytes = table->bytes.bytes + offset;
    buffer_append(&table->bytes, bytes);
    return KAN_OK;
}

enum kan_err value_add(struct value_table *table, enum value_kind kind,
                       struct kan_slice bytes, uint32_t *ret_id)
{
    uint64_t hash = hash_value(kind, bytes);
    uint32_t at = 0;
    if (table->index_size) {
        at = place_of(table, hash, kind, bytes);
        if (table->index[at]) {
            *ret_id = table->index[at] - 1;
            return KAN_OK;
        }
    }
    if (bytes.size > UINT32_MAX)
        return KAN_BUSY;
    if (table->count == table->capacity) {
        enum kan_err grown = grow(table);
        if (grown != KAN_OK)
            return grown;
        at = place_of(table, hash, kind, bytes);
    }
    uint64_t offset = table->bytes.size;
    enum kan_err err = keep(table, bytes);
    if (err != KAN_OK)
        return err;
    uint32_t id = table->count++;
    table->items[id] = (struct value){.offset = offset,
                                      .hash = hash,
                                      .size = (uint32_t)bytes.size,
                                      .kind = kind};
    table->index[at] = id + 1;
    *ret_id = id;
    return KAN_OK;
}

enum kan_err value_add_number(struct value_table *table, int64_t number,
                              uint32_t *ret_id)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%lld", (long long)number);
    return value_add(table, VALUE_WORD, kan_slice(text, (size_t)size), ret_id);
}

static int compare_ids(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

enum kan_err value_add_ids(struct value_table *table, enum value_kind kind,
                           uint32_t *ids, uint32_t count, uint32_t *ret_id)
{
    if (kind == VALUE_SET && count > 1) {
        qsort(ids, count, sizeof *ids, compare_ids);
        uint32_t kept = 1;
        for (uint32_t i = 1; i < count; i++) {
            if (ids[i] != ids[kept - 1])
                ids[kept++] = ids[i];
        }
        count = kept;
    }
    return value_add(table, kind, kan_slice(ids, count * sizeof *ids), ret_id);
}

/* --- reading -------------------------------------------------------------- */

enum value_kind value_kind(const struct value_table *table, uint32_t id)
{
    return table->items[id].kind;
}

struct kan_slice value_bytes(const struct value_table *table, uint32_t id)
{
    const struct value *item = &table->items[id];
    if (!item->size)
        return kan_slice(NULL, 0);
    return kan_slice(table->bytes.bytes + item->offset, item->size);
}

enum kan_err value_number(const struct value_table *table, uint32_t id,
                          int64_t *ret_number)
{
    if (value_kind(table, id) != VALUE_WORD)
        return KAN_INVALID;
    return number_i64(value_bytes(table, id), ret_number);
}

uint32_t value_count(const struct value_table *table, uint32_t id)
{
    const struct value *item = &table->items[id];
    if (item->kind != VALUE_LIST && item->kind != VALUE_SET)
        return 0;
    return item->size / (uint32_t)sizeof(uint32_t);
}

uint32_t value_element(const struct value_table *table, uint32_t id,
                       uint32_t index)
{
    uint32_t element;
    memcpy(
        &element,
        table->bytes.bytes + table->items[id].offset + index * sizeof element,
        sizeof element);
    return element;
}

static void print(const struct value_table *table, uint32_t id, size_t end,
                  uint32_t depth, struct buffer *out)
{
    enum value_kind kind = value_kind(table, id);
    if (out->size > end || depth > PRINT_DEPTH_MAX) {
        buffer_append_text(out, "...");
    } else if (kind == VALUE_NIL) {
        buffer_append_text(out, "nil");
    } else if (kind == VALUE_WORD) {
        buffer_append(out, slice_head(value_bytes(table, id), PRINT_MAX));
    } else if (kind == VALUE_TEXT) {
        struct kan_slice text = value_bytes(table, id);
        json_append_string(out, slice_head(text, PRINT_MAX));
        if (text.size > PRINT_MAX)
            buffer_append_text(out, "...");
    } else {
        buffer_append_text(out, kind == VALUE_SET ? "#{" : "[");
        uint32_t count = value_count(table, id);
        for (uint32_t i = 0; i < count && out->size <= end; i++) {
            if (i)
                buffer_append_byte(out, ' ');
            print(table, value_element(table, id, i), end, depth + 1, out);
        }
        buffer_append_text(out, out->size > end ? "..." : "");
        buffer_append_byte(out, kind == VALUE_SET ? '}' : ']');
    }
}

void value_print(const struct value_table *table, uint32_t id,
                 struct buffer *out)
{
    print(table, id, out->size + PRINT_MAX, 0, out);
}
