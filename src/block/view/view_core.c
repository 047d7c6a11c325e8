/* The rules of totals. Everything here is a function of its arguments. */

#include "block/view/view_core.h"

#include "base/assert.h"
#include "base/number.h"

enum
{
    PARTS_VERSION = 1,
    PLACE_VERSION = 1,
    PART_SIZE = 2 + 16, /* the column's number, the amount */
    PARTS_HEAD = 1 + 8,
    PLACE_HEAD = 2 + 6 * 8
};

bool view_ordered(enum program_column_kind kind)
{
    return kind == PROGRAM_LEAST || kind == PROGRAM_MOST ||
           kind == PROGRAM_LAST;
}

struct view_part view_part_join(enum program_column_kind kind,
                                struct view_part before, struct view_part after)
{
    if (!before.any || !after.any)
        return after.any ? after : before;
    switch (kind) {
    case PROGRAM_COUNT:
    case PROGRAM_SUM:
        after.amount += before.amount;
        break;
    case PROGRAM_LEAST:
        if (before.amount < after.amount)
            after.amount = before.amount;
        break;
    case PROGRAM_MOST:
        if (before.amount > after.amount)
            after.amount = before.amount;
        break;
    case PROGRAM_LAST:
        break;
    }
    return after;
}

struct view_part view_part_add(enum program_column_kind kind,
                               struct view_part part, int64_t value)
{
    struct view_part one = {.any = true, .amount = value};

    return view_part_join(kind, part, one);
}

bool view_part_equal(struct view_part a, struct view_part b)
{
    return a.any == b.any && a.amount == b.amount;
}

struct view_part view_total_move(struct view_part total, struct view_part from,
                                 struct view_part to)
{
    total.amount -= from.amount;
    total.amount += to.amount;
    total.any = true;
    return total;
}

/* --- bytes ---------------------------------------------------------------- */

static void put_number(struct buffer *out, uint64_t number)
{
    unsigned char bytes[8];

    number_pack(number, bytes);
    buffer_append(out, kan_slice(bytes, sizeof(bytes)));
}

static uint64_t number_at(struct kan_slice bytes, size_t at)
{
    return number_unpack((const unsigned char *)bytes.bytes + at);
}

void view_parts_save(uint64_t n, const struct view_part *parts, uint32_t count,
                     struct buffer *out)
{
    buffer_append_byte(out, PARTS_VERSION);
    put_number(out, n);
    for (uint32_t i = 0; i < count; i++) {
        unsigned __int128 amount = (unsigned __int128)parts[i].amount;
        if (!parts[i].any)
            continue;
        buffer_append_byte(out, (unsigned char)(i >> 8));
        buffer_append_byte(out, (unsigned char)i);
        put_number(out, (uint64_t)(amount >> 64));
        put_number(out, (uint64_t)amount);
    }
}

enum kan_err view_parts_load(struct kan_slice saved, struct view_part *parts,
                             uint32_t count, uint64_t *ret_n)
{
    struct view_part nothing = {0};

    for (uint32_t i = 0; i < count; i++)
        parts[i] = nothing;
    if (saved.size < PARTS_HEAD || slice_at(saved, 0) != PARTS_VERSION ||
        (saved.size - PARTS_HEAD) % PART_SIZE)
        return KAN_CORRUPT;
    for (size_t at = PARTS_HEAD; at < saved.size; at += PART_SIZE) {
        uint32_t column =
            (uint32_t)slice_at(saved, at) << 8 | slice_at(saved, at + 1);
        unsigned __int128 high = number_at(saved, at + 2);
        if (column >= count)
            return KAN_CORRUPT;
        parts[column].any = true;
        parts[column].amount =
            (__int128)(high << 64 | number_at(saved, at + 10));
    }
    *ret_n = number_at(saved, 1);
    return KAN_OK;
}

/* Numbers below zero sort first when the sign is turned over. */
void view_order(enum program_column_kind kind, __int128 amount,
                unsigned char out[8])
{
    uint64_t bits = (uint64_t)(int64_t)amount ^ UINT64_C(1) << 63;

    kan_assert(amount == (int64_t)amount);
    number_pack(kind == PROGRAM_LEAST ? bits : ~bits, out);
}

__int128 view_order_read(enum program_column_kind kind,
                         const unsigned char in[8])
{
    uint64_t bits = number_unpack(in);

    if (kind != PROGRAM_LEAST)
        bits = ~bits;
    return (int64_t)(bits ^ UINT64_C(1) << 63);
}

void view_place_save(const struct view_place *place, struct buffer *out)
{
    buffer_append_byte(out, PLACE_VERSION);
    buffer_append_byte(out, place->scanning);
    put_number(out, place->generation);
    put_number(out, place->store);
    put_number(out, place->incarnation);
    put_number(out, place->revision);
    put_number(out, place->need);
    put_number(out, place->after.size);
    buffer_append(out, place->after);
    buffer_append(out, place->totals);
}

enum kan_err view_place_load(struct kan_slice saved,
                             struct view_place *ret_place)
{
    struct view_place place = {0};
    struct kan_slice rest = slice_skip(saved, PLACE_HEAD);
    uint64_t size;

    if (saved.size < PLACE_HEAD || slice_at(saved, 0) != PLACE_VERSION)
        return KAN_CORRUPT;
    size = number_at(saved, 42);
    if (size > rest.size)
        return KAN_CORRUPT;
    place.scanning = slice_at(saved, 1) != 0;
    place.generation = number_at(saved, 2);
    place.store = number_at(saved, 10);
    place.incarnation = number_at(saved, 18);
    place.revision = number_at(saved, 26);
    place.need = number_at(saved, 34);
    place.after = slice_head(rest, (size_t)size);
    place.totals = slice_skip(rest, (size_t)size);
    *ret_place = place;
    return KAN_OK;
}
