/* Structs as they are kept: they come back, older versions come forward, and
 * what was damaged or changed is told apart. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/record.h"
#include "base/record_sample.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct buffer saved;
static struct buffer why;

static int check_live(void **state)
{
    (void)state;
    buffer_fini(&saved);
    buffer_fini(&why);
    return mem_live() == 0 ? 0 : -1;
}

static void save(const struct kan_record *record, const void *bytes)
{
    buffer_clear(&saved);
    assert_int_equal(record_save(record, bytes, &saved), KAN_OK);
}

static void loads(const struct kan_record *record, void *bytes)
{
    buffer_clear(&why);
    if (record_load(record, buffer_slice(&saved), bytes, &why) != KAN_OK)
        fail_msg("%s", buffer_text(&why));
    assert_int_equal(why.size, 0);
}

static void refuses(const struct kan_record *record, const char *expected)
{
    struct cart to;
    struct cart untouched;

    assert_true(record->size <= sizeof to);
    memset(&to, 0x5a, sizeof to);
    memset(&untouched, 0x5a, sizeof to);
    buffer_clear(&why);
    assert_int_equal(record_load(record, buffer_slice(&saved), &to, &why),
                     KAN_INVALID);
    assert_string_equal(buffer_text(&why), expected);
    assert_int_equal(record_load(record, buffer_slice(&saved), &to, NULL),
                     KAN_INVALID);
    assert_memory_equal(&to, &untouched, sizeof to);
}

/* --- there and back ------------------------------------------------------- */

KAN_RECORD_EMPTY(ping);

static void test_comes_back(void **state)
{
    (void)state;
    struct cart cart;
    struct cart expected;
    struct cart read;

    sample_cart(&cart, 0xee);
    save(&cart_record, &cart);
    memset(&read, 0x77, sizeof read);
    loads(&cart_record, &read);
    record_canonical(&cart_record, &cart, &expected);
    record_drop_volatile(&cart_record, &expected);
    assert_memory_equal(&read, &expected, sizeof read);
    save(&ping_record, NULL);
    loads(&ping_record, NULL);
}

struct numbers
{
    int8_t i1;
    int16_t i2;
    int32_t i4;
    int64_t i8;
    uint8_t u1;
    uint16_t u2;
    uint32_t u4;
    uint64_t u8;
};
KAN_RECORD(numbers, 1, KAN_INT(numbers, i1, INT8_MIN, INT8_MAX),
           KAN_INT(numbers, i2, INT16_MIN, INT16_MAX),
           KAN_INT(numbers, i4, INT32_MIN, INT32_MAX),
           KAN_INT(numbers, i8, INT64_MIN, INT64_MAX),
           KAN_INT(numbers, u1, 0, UINT8_MAX),
           KAN_INT(numbers, u2, 0, UINT16_MAX),
           KAN_INT(numbers, u4, 0, UINT32_MAX),
           KAN_INT(numbers, u8, 0, INT64_MAX));

static void test_numbers_come_back(void **state)
{
    (void)state;
    static const struct numbers all[] = {
        {0, 0, 0, 0, 0, 0, 0, 0},
        {-1, -1, -1, -1, 1, 1, 1, 1},
        {INT8_MIN, INT16_MIN, INT32_MIN, INT64_MIN, UINT8_MAX, UINT16_MAX,
         UINT32_MAX, INT64_MAX},
        {INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX, 127, 128, 16383, 16384},
        {63, 64, -64, -65, 0x80, 0x4000, 0x200000, 0x10000000},
    };
    struct numbers clean;
    struct numbers read;

    for (size_t i = 0; i < COUNT(all); i++) {
        save(&numbers_record, &all[i]);
        loads(&numbers_record, &read);
        record_canonical(&numbers_record, &all[i], &clean);
        assert_memory_equal(&read, &clean, sizeof read);
    }
}

/* Every boundary value of a struct of every kind, there and back. */
static void test_boundaries_come_back(void **state)
{
    (void)state;
    struct cart cart;
    struct cart read;
    uint32_t count = record_boundary_count(&cart_record, UINT32_MAX);

    for (uint32_t i = 0; i < 2000; i++) {
        record_boundary(&cart_record, (uint32_t)((uint64_t)i * count / 2000),
                        &cart);
        save(&cart_record, &cart);
        loads(&cart_record, &read);
        record_drop_volatile(&cart_record, &cart);
        assert_memory_equal(&read, &cart, sizeof read);
    }
}

/* What stands on disks: these bytes never change their meaning. */
static void test_bytes_that_were_kept(void **state)
{
    (void)state;
    static const char kept[] =
        "\x6b\x01\x01\x23"
        "kind:u1,price:i4,label:s12,added:t8"
        "\x03\x01\x04pear\xd8\x04"
        "\x79\x3e\x87\x46\x01\x70\xb9\x34";
    struct item item = {3, -1, "pear", 300};
    struct item read;

    save(&item_record, &item);
    assert_int_equal(saved.size, sizeof kept - 1);
    assert_memory_equal(saved.bytes, kept, sizeof kept - 1);
    loads(&item_record, &read);
    assert_int_equal(read.added, 300);
}

static void test_shapes_name_everything(void **state)
{
    (void)state;
    static const char shape[] =
        "open:b1,value:i8,item_count:u1,"
        "items:{kind:u1,price:i4,label:s12,added:t8}*4#item_count,"
        "votes:i2*3,owner:r64,note:s16,due:t8,renewed:t8,big:u8,"
        "best:{kind:u1,price:i4,label:s12,added:t8},reader_count:u4,"
        "readers:r64*2#reader_count";
    struct cart cart;

    sample_cart(&cart, 0);
    save(&cart_record, &cart);
    assert_memory_equal(saved.bytes, "\x6b\x01\x02", 3);
    assert_memory_equal(saved.bytes + 5, shape, sizeof shape - 1);
}

static void test_appends(void **state)
{
    (void)state;
    struct item item = {3, -1, "pear", 300};
    struct buffer alone = BUFFER_INIT;

    assert_int_equal(record_save(&item_record, &item, &alone), KAN_OK);
    buffer_clear(&saved);
    buffer_append_text(&saved, "before");
    assert_int_equal(record_save(&item_record, &item, &saved), KAN_OK);
    assert_true(
        slice_equal(slice_skip(buffer_slice(&saved), 6), buffer_slice(&alone)));
    buffer_fini(&alone);
}

/* --- damage --------------------------------------------------------------- */

static void test_damage_is_seen(void **state)
{
    (void)state;
    struct cart cart;
    struct cart to;
    struct cart untouched;

    sample_cart(&cart, 0);
    save(&cart_record, &cart);
    memset(&to, 0x5a, sizeof to);
    memset(&untouched, 0x5a, sizeof to);
    for (size_t size = 0; size < saved.size; size++)
        assert_int_equal(
            record_load(&cart_record, slice_head(buffer_slice(&saved), size),
                        &to, NULL),
            KAN_CORRUPT);
    for (size_t bit = 0; bit < saved.size * 8; bit++) {
        saved.bytes[bit / 8] ^= (char)(1 << (bit % 8));
        assert_int_equal(
            record_load(&cart_record, buffer_slice(&saved), &to, NULL),
            KAN_CORRUPT);
        saved.bytes[bit / 8] ^= (char)(1 << (bit % 8));
    }
    buffer_append_byte(&saved, 0);
    assert_int_equal(record_load(&cart_record, buffer_slice(&saved), &to, NULL),
                     KAN_CORRUPT);
    assert_memory_equal(&to, &untouched, sizeof to);
}

/* Give saved a right sum again. */
static void seal(void)
{
    struct kan_slice body = buffer_slice(&saved);
    body.size -= 8;
    uint64_t sum = hash_bytes((struct hash_seed){0, 0}, body);
    for (unsigned i = 0; i < 8; i++)
        saved.bytes[body.size + i] = (char)(unsigned char)(sum >> (8 * i));
}

/* Bytes with a right sum that record_save() does not write. */
static void corrupt(const char *values, size_t size)
{
    static const char head[] =
        "\x6b\x01\x01\x23"
        "kind:u1,price:i4,label:s12,added:t8";
    struct item to;

    buffer_clear(&saved);
    buffer_append(&saved, kan_slice(head, sizeof head - 1));
    buffer_append(&saved, kan_slice(values, size));
    buffer_append(&saved, SLICE("12345678"));
    seal();
    assert_int_equal(record_load(&item_record, buffer_slice(&saved), &to, NULL),
                     KAN_CORRUPT);
}

#define CORRUPT(literal) corrupt(literal, sizeof(literal) - 1)

static void test_values_nobody_wrote(void **state)
{
    (void)state;
    struct item item;

    CORRUPT("");
    CORRUPT("\x03\x01\x00");                     /* too few */
    CORRUPT("\x03\x01\x00\x00\x00");             /* too many */
    CORRUPT("\x83\x00\x01\x00\x00");             /* 3 in two bytes */
    CORRUPT("\x80\x02\x01\x00\x00");             /* 256 in one byte of struct */
    CORRUPT("\x03\x80\x80\x80\x80\x20\x00\x00"); /* 2^32 in four */
    CORRUPT("\x03\x01\x0cxxxxxxxxxxxx\x00");     /* no room for the zero */
    CORRUPT("\x03\x01\x04xx");                   /* cut */
    CORRUPT("\x03\x01\x02x\x00\x00");            /* a zero within */
    CORRUPT("\x03\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    CORRUPT("\x03\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00");
    CORRUPT("\x03\x01\x00\x80");
    /* And the same head with what is right. */
    saved.size -= 8 + 4;
    buffer_append(&saved, SLICE("\x03\x01\x00\x00"));
    buffer_append(&saved, SLICE("12345678"));
    seal();
    loads(&item_record, &item);
    assert_int_equal(item.kind, 3);
    assert_int_equal(item.price, -1);
}

struct flag
{
    bool up;
};
KAN_RECORD(flag, 1, KAN_BOOL(flag, up));

static void test_truth_values_nobody_wrote(void **state)
{
    (void)state;
    struct flag flag = {true};

    save(&flag_record, &flag);
    loads(&flag_record, &flag);
    saved.bytes[saved.size - 9]++;
    seal();
    assert_int_equal(
        record_load(&flag_record, buffer_slice(&saved), &flag, NULL),
        KAN_CORRUPT);
}

static void test_heads_nobody_wrote(void **state)
{
    (void)state;
    struct item item = {3, -1, "pear", 300};
    struct item to;
    static const struct
    {
        size_t at;
        unsigned char byte;
    } changes[] = {{0, 0x6c}, {1, 2}, {2, 0x80}, {3, 0x7f}};

    for (size_t i = 0; i < COUNT(changes); i++) {
        save(&item_record, &item);
        saved.bytes[changes[i].at] = (char)changes[i].byte;
        seal();
        assert_int_equal(
            record_load(&item_record, buffer_slice(&saved), &to, NULL),
            KAN_CORRUPT);
    }
}

/* --- shapes --------------------------------------------------------------- */

/* The item's table, one of its fields replaced. */
static struct kan_field changed_fields[4];
static struct kan_record changed;

static struct kan_field *change(uint32_t number)
{
    memcpy(changed_fields, item_fields, sizeof changed_fields);
    changed = item_record;
    changed.fields = changed_fields;
    return &changed_fields[number];
}

static void test_changed_under_the_same_version(void **state)
{
    (void)state;
    struct item item = {3, -1, "pear", 300};

    save(&item_record, &item);
    change(1)->size = 2;
    refuses(&changed,
            "item: it changed under the same version 1, from "
            "'price:i4' to 'price:i2'; give it a new version and an "
            "upgrade");
    change(1)->name = "cost";
    refuses(&changed,
            "item: it changed under the same version 1, from "
            "'price:i4' to 'cost:i4'; give it a new version and an "
            "upgrade");
    change(1)->kind = KAN_FIELD_UINT;
    changed_fields[1].min = 0;
    refuses(&changed,
            "item: it changed under the same version 1, from "
            "'price:i4' to 'price:u4'; give it a new version and an "
            "upgrade");
    (void)change(0);
    changed.field_count = 3;
    refuses(&changed,
            "item: it changed under the same version 1, from "
            "'added:t8' to ''; give it a new version and an upgrade");
    save(&changed, &item);
    refuses(&item_record,
            "item: it changed under the same version 1, from '' "
            "to 'added:t8'; give it a new version and an "
            "upgrade");
    save(&item_record, &item);
    change(2)->flags = KAN_FIELD_VOLATILE;
    refuses(&changed,
            "item: it changed under the same version 1, from "
            "'label:s12' to 'added:t8'; give it a new version and an "
            "upgrade");
    change(0)->flags = KAN_FIELD_ARRAY;
    refuses(&changed,
            "item: it changed under the same version 1, from "
            "'kind:u1' to 'kind:u1*1'; give it a new version and an "
            "upgrade");
}

static void test_a_narrower_range_refuses_what_is_outside(void **state)
{
    (void)state;
    struct item item = {3, -1, "pear", 300};

    save(&item_record, &item);
    change(0)->max = 2;
    refuses(&changed,
            "item.kind = 3 is outside 0..2, so the range has changed "
            "under version 1; give it a new version and an upgrade");
    change(0)->max = 3;
    loads(&changed, &item);
    assert_int_equal(item.kind, 3);
}

/* --- versions ------------------------------------------------------------- */

struct account_v1
{
    int32_t euros;
    char scratch[3];
};
KAN_RECORD(account_v1, 1, KAN_INT(account_v1, euros, 0, 1000));

struct account_v3
{
    int64_t cents;
};
KAN_RECORD(account_v3, 3, KAN_INT(account_v3, cents, 0, 50000));

struct account
{
    bool open;
    int64_t cents;
    uint8_t count;
    uint8_t list[4];
};

static bool to_cents(const void *old, void *new_)
{
    const struct account_v1 *from = old;
    struct account_v3 *to = new_;

    if (from->euros == 13)
        return false;
    to->cents = (int64_t)from->euros * 100;
    return true;
}

/* Leaves garbage behind the end of its list. */
static bool to_open(const void *old, void *new_)
{
    const struct account_v3 *from = old;
    struct account *to = new_;

    assert_int_equal(to->cents, 0);
    memset(to, 0xff, sizeof *to);
    to->open = true;
    to->cents = from->cents;
    to->count = from->cents == 700 ? 9 : 1;
    return true;
}

/* In no particular order. */
static const struct kan_upgrade account_upgrades[] = {
    {&account_v3_record, to_open}, {&account_v1_record, to_cents}};
KAN_RECORD_UPGRADED(account, 5, account_upgrades, KAN_BOOL(account, open),
                    KAN_INT(account, cents, 0, INT64_MAX),
                    KAN_INT(account, count, 0, 4),
                    KAN_INTS_UPTO(account, list, "count", 0, 255));

static void save_v1(int32_t euros)
{
    struct account_v1 account;

    memset(&account, 0xaa, sizeof account);
    account.euros = euros;
    save(&account_v1_record, &account);
}

static void test_upgrades_run_one_after_the_other(void **state)
{
    (void)state;
    struct account account;
    struct account expected;

    assert_int_equal(record_check_table(&account_record, NULL), KAN_OK);
    memset(&expected, 0, sizeof expected);
    expected.open = true;
    expected.cents = 1200;
    expected.count = 1;
    expected.list[0] = 0xff;
    save_v1(12);
    memset(&account, 0x33, sizeof account);
    loads(&account_record, &account);
    assert_memory_equal(&account, &expected, sizeof account);
    save(&account_v3_record, &(struct account_v3){1200});
    loads(&account_record, &account);
    assert_memory_equal(&account, &expected, sizeof account);
    save(&account_record, &account);
    loads(&account_record, &account);
    assert_memory_equal(&account, &expected, sizeof account);
}

/* A number that notes in its digits through which versions it came. */
struct trail
{
    int64_t n;
};
KAN_RECORD(trail, 4, KAN_INT(trail, n, 0, INT64_MAX));

static bool from_1(const void *old, void *new_)
{
    ((struct trail *)new_)->n = ((const struct trail *)old)->n * 10 + 1;
    return true;
}

static bool from_2(const void *old, void *new_)
{
    ((struct trail *)new_)->n = ((const struct trail *)old)->n * 10 + 2;
    return true;
}

static bool from_3(const void *old, void *new_)
{
    ((struct trail *)new_)->n = ((const struct trail *)old)->n * 10 + 3;
    return true;
}

static void test_no_version_is_skipped(void **state)
{
    (void)state;
    static const unsigned char orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0},
                                              {0, 2, 1}, {1, 0, 2}, {2, 0, 1}};
    struct kan_record old[3] = {trail_record, trail_record, trail_record};
    const struct kan_upgrade each[3] = {
        {&old[0], from_1}, {&old[1], from_2}, {&old[2], from_3}};
    struct kan_upgrade upgrades[3];
    struct kan_record record = trail_record;
    struct trail trail = {0};

    record.upgrades = upgrades;
    record.upgrade_count = 3;
    for (uint32_t i = 0; i < 3; i++)
        old[i].version = i + 1;
    save(&old[0], &trail);
    for (size_t i = 0; i < COUNT(orders); i++) {
        for (unsigned j = 0; j < 3; j++)
            upgrades[j] = each[orders[i][j]];
        loads(&record, &trail);
        assert_int_equal(trail.n, 123);
    }
}

static void test_upgrades_that_refuse(void **state)
{
    (void)state;
    save_v1(13);
    refuses(&account_record,
            "account_v3: its upgrade from version 1 to 3 "
            "refused what is kept");
    save_v1(7);
    refuses(&account_record,
            "account.count = 9 is outside 0..4 after the "
            "upgrade from version 3");
    save_v1(501);
    refuses(&account_record,
            "account_v3.cents = 50100 is outside 0..50000 "
            "after the upgrade from version 1");
}

static void test_versions_that_are_not_known(void **state)
{
    (void)state;
    struct account account = {0};
    struct kan_record other = account_record;

    other.version = 6;
    save(&other, &account);
    refuses(&account_record,
            "account: version 6 of it is kept, which this "
            "program does not know; its own is 5; run the "
            "newer program");
    other.version = 4;
    save(&other, &account);
    refuses(&account_record,
            "account: version 4 of it is kept, which this "
            "program does not know; its own is 5; declare an "
            "upgrade from version 4");
    other.version = UINT32_MAX;
    save(&other, &account);
    assert_int_equal(
        record_load(&account_record, buffer_slice(&saved), &account, NULL),
        KAN_INVALID);
}

/* --- memory --------------------------------------------------------------- */

static void test_without_memory(void **state)
{
    (void)state;
    struct account account;
    struct account_v1 old = {12, ""};
    enum kan_err err;
    uint64_t nth = 0;

    do {
        buffer_fini(&saved);
        mem_fault(++nth, false);
        err = record_save(&account_v1_record, &old, &saved);
        mem_fault(0, false);
        assert_true(err == KAN_OK || (err == KAN_NOMEM && saved.size == 0));
    } while (err);
    assert_true(nth > 2);
    nth = 0;
    do {
        memset(&account, 0x5a, sizeof account);
        mem_fault(++nth, false);
        err =
            record_load(&account_record, buffer_slice(&saved), &account, NULL);
        mem_fault(0, false);
        assert_true(err == KAN_OK || err == KAN_NOMEM);
        assert_true(err == KAN_OK || account.count == 0x5a);
    } while (err);
    assert_true(nth > 6); /* the shape, and one struct and two twice */
    assert_int_equal(account.cents, 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_numbers_come_back),
        cmocka_unit_test(test_boundaries_come_back),
        cmocka_unit_test(test_bytes_that_were_kept),
        cmocka_unit_test(test_shapes_name_everything),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_damage_is_seen),
        cmocka_unit_test(test_values_nobody_wrote),
        cmocka_unit_test(test_truth_values_nobody_wrote),
        cmocka_unit_test(test_heads_nobody_wrote),
        cmocka_unit_test(test_changed_under_the_same_version),
        cmocka_unit_test(test_a_narrower_range_refuses_what_is_outside),
        cmocka_unit_test(test_upgrades_run_one_after_the_other),
        cmocka_unit_test(test_no_version_is_skipped),
        cmocka_unit_test(test_upgrades_that_refuse),
        cmocka_unit_test(test_versions_that_are_not_known),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests_name("record_save", tests, NULL, check_live);
}
