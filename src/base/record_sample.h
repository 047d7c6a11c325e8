/* record_sample.h - for tests: structs that have a field of every kind, in
 * lists, in structs, volatile, and with padding between them. */

#ifndef BASE_RECORD_SAMPLE_H
#define BASE_RECORD_SAMPLE_H

#include <kan/record.h>

enum
{
    SAMPLE_ITEMS = 4,
    SAMPLE_VOTES = 3
};

struct item
{
    uint8_t kind;
    int32_t price;
    char label[12];
    int64_t added;
};
KAN_RECORD(item, 1, KAN_INT(item, kind, 0, 9), KAN_INT(item, price, -100, 100),
           KAN_TEXT(item, label), KAN_TIME(item, added));

struct cart
{
    bool open;
    int64_t value;
    uint8_t item_count;
    struct item items[SAMPLE_ITEMS];
    int16_t votes[SAMPLE_VOTES];
    struct kan_ref owner;
    char note[16];
    int64_t due;
    int64_t renewed;
    uint64_t big;
    struct item best;
    uint32_t reader_count;
    struct kan_ref readers[2];
    int32_t scratch;
    bool dirty;
};
KAN_RECORD(cart, 2, KAN_BOOL(cart, open), KAN_INT(cart, value, 0, 1000000),
           KAN_INT(cart, item_count, 0, SAMPLE_ITEMS),
           KAN_STRUCTS_UPTO(cart, items, "item_count", item_record),
           KAN_INTS(cart, votes, -5, 5), KAN_REF(cart, owner),
           KAN_TEXT(cart, note), KAN_TIME(cart, due),
           KAN_TIME_WITHIN(cart, renewed, 5000, 1000),
           KAN_INT(cart, big, 0, INT64_MAX),
           KAN_STRUCT(cart, best, item_record),
           KAN_INT(cart, reader_count, 0, 2),
           KAN_ARRAY_UPTO(cart, readers, KAN_FIELD_REF, "reader_count"),
           KAN_INT_VOLATILE(cart, scratch, -7, 7),
           KAN_BOOL_VOLATILE(cart, dirty));

/* A cart with something in every field; all bytes that do not count are fill.
 */
static inline void sample_cart(struct cart *cart, int fill)
{
    memset(cart, fill, sizeof *cart);
    cart->open = true;
    cart->value = 12345;
    cart->item_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        cart->items[i].kind = (uint8_t)(i + 1);
        cart->items[i].price = i ? -100 : 100;
        memcpy(cart->items[i].label, i ? "pear" : "apple", i ? 5 : 6);
        cart->items[i].added = 1000 + i;
    }
    for (int i = 0; i < SAMPLE_VOTES; i++)
        cart->votes[i] = (int16_t)(i - 1);
    memcpy(cart->owner.text, "account/alice", 14);
    memcpy(cart->note, "say \"hi\"", 9);
    cart->due = 0;
    cart->renewed = 2000;
    cart->big = INT64_MAX;
    memset(&cart->best, fill, sizeof cart->best);
    cart->best.kind = 9;
    cart->best.price = 0;
    cart->best.label[0] = '\0';
    cart->best.added = 7;
    cart->reader_count = 1;
    memcpy(cart->readers[0].text, "account/bob", 12);
    cart->scratch = -7;
    cart->dirty = true;
}

#endif /* BASE_RECORD_SAMPLE_H */
