/* record.c - structs from any bytes: as JSON, as they are kept, and as the
 * memory that a handler left. What is accepted must be valid and canonical, and
 * must come back from JSON and from what is kept as it was. */

#include "base/record.h"
#include "base/assert.h"
#include "base/hash.h"
#include "base/record_sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An older cart, so that upgrades are walked too. */
struct cart_v1
{
    int16_t value;
    char note[8];
};
KAN_RECORD(cart_v1, 1, KAN_INT(cart_v1, value, -10, 10000),
           KAN_TEXT(cart_v1, note));

static bool upgrade_cart(const void *old, void *new_)
{
    const struct cart_v1 *from = old;
    struct cart *to = new_;

    to->value = from->value;
    memcpy(to->note, from->note, sizeof from->note);
    return from->value != 7;
}

static struct kan_record upgraded(void)
{
    static const struct kan_upgrade upgrades[] = {
        {&cart_v1_record, upgrade_cart}};
    struct kan_record record = cart_record;

    record.upgrades = upgrades;
    record.upgrade_count = 1;
    return record;
}

/* A struct that was accepted: there and back is where it was. */
static void check_cart(const struct kan_record *record, const struct cart *cart)
{
    struct buffer out = BUFFER_INIT;
    struct cart again;
    struct cart kept = *cart;

    kan_assert(record_check(record, cart, NULL) == KAN_OK);
    record_canonical(record, cart, &again);
    kan_assert(memcmp(&again, cart, sizeof again) == 0);
    kan_assert(record_to_json(record, cart, &out) == KAN_OK);
    kan_assert(record_from_json(record, buffer_slice(&out), &again, NULL) ==
               KAN_OK);
    kan_assert(memcmp(&again, cart, sizeof again) == 0);
    buffer_clear(&out);
    kan_assert(record_save(record, cart, &out) == KAN_OK);
    kan_assert(record_load(record, buffer_slice(&out), &again, NULL) == KAN_OK);
    record_drop_volatile(record, &kept);
    kan_assert(memcmp(&again, &kept, sizeof again) == 0);
    buffer_clear(&out);
    kan_assert(record_diff(record, &again, &kept, &out) == KAN_OK);
    kan_assert(out.size == 0);
    buffer_fini(&out);
}

static void check_result(const struct kan_record *record, enum kan_err err,
                         const struct cart *cart, const struct buffer *why)
{
    if (err == KAN_OK)
        check_cart(record, cart);
    else
        kan_assert(err == KAN_CORRUPT ||
                   (err == KAN_INVALID && why->size > 0 &&
                    !memchr(why->bytes, '\n', why->size)));
}

/* As a handler may leave it; nothing may be read beyond. */
static void check_memory(const struct kan_record *record, struct kan_slice from)
{
    struct cart cart = {0};
    struct cart to;
    struct buffer why = BUFFER_INIT;

    if (from.size > 0)
        memcpy(&cart, from.bytes,
               from.size < sizeof cart ? from.size : sizeof cart);
    enum kan_err err = record_check(record, &cart, &why);
    record_canonical(record, &cart, &to);
    kan_assert(err == KAN_OK || why.size > 0);
    if (err == KAN_OK)
        check_cart(record, &to);
    buffer_clear(&why);
    kan_assert(record_diff(record, &cart, &to, &why) == KAN_OK);
    record_shift_times(record, &cart, -1000, 500);
    record_drop_volatile(record, &cart);
    buffer_fini(&why);
}

/* The bytes with the sum that they need, so that what is behind it is tried. */
static void check_sealed(const struct kan_record *record, struct kan_slice from)
{
    struct buffer sealed = BUFFER_INIT;
    struct buffer why = BUFFER_INIT;
    struct cart cart;
    uint64_t sum = hash_bytes((struct hash_seed){0, 0}, from);

    buffer_append(&sealed, from);
    for (unsigned i = 0; i < 8; i++)
        buffer_append_byte(&sealed, (unsigned char)(sum >> (8 * i)));
    check_result(record,
                 record_load(record, buffer_slice(&sealed), &cart, &why), &cart,
                 &why);
    buffer_fini(&sealed);
    buffer_fini(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct kan_record record = upgraded();
    struct kan_slice input = kan_slice(data, size);
    struct buffer why = BUFFER_INIT;
    struct cart cart;

    check_result(&record, record_from_json(&record, input, &cart, &why), &cart,
                 &why);
    buffer_clear(&why);
    check_result(&record, record_load(&record, input, &cart, &why), &cart,
                 &why);
    buffer_fini(&why);
    check_sealed(&record, input);
    check_memory(&record, input);
    return 0;
}
