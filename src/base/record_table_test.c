/* Tables: what is sound, and what each fault is told as. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/record.h"
#include "base/record_sample.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct buffer why;

static int check_live(void **state)
{
    (void)state;
    buffer_fini(&why);
    return mem_live() == 0 ? 0 : -1;
}

static void accepts(const struct kan_record *record)
{
    buffer_clear(&why);
    if (record_check_table(record, &why) != KAN_OK)
        fail_msg("%s", buffer_text(&why));
    assert_int_equal(why.size, 0);
}

static void refuses(const struct kan_record *record, const char *expected)
{
    buffer_clear(&why);
    assert_int_equal(record_check_table(record, &why), KAN_INVALID);
    assert_string_equal(buffer_text(&why), expected);
    assert_int_equal(record_check_table(record, NULL), KAN_INVALID);
}

/* A struct of 64 bytes, with such fields. */
static struct kan_record table(const struct kan_field *fields, uint32_t count)
{
    return (struct kan_record){"t", 64, 1, fields, count, NULL, 0};
}

static void refuses_field(struct kan_field field, const char *expected)
{
    struct kan_record record = table(&field, 1);
    refuses(&record, expected);
}

/* --- sound ---------------------------------------------------------------- */

KAN_RECORD_EMPTY(ping);

struct wide
{
    int8_t a;
    uint8_t b;
    int64_t c;
    uint64_t d;
    enum
    {
        WIDE_ONE,
        WIDE_TWO
    } e;
};
KAN_RECORD(wide, 9, KAN_INT(wide, a, INT8_MIN, INT8_MAX),
           KAN_INT(wide, b, 0, UINT8_MAX),
           KAN_INT(wide, c, INT64_MIN, INT64_MAX),
           KAN_INT(wide, d, 0, INT64_MAX),
           KAN_INT(wide, e, WIDE_ONE, WIDE_TWO));

static void test_sound_tables(void **state)
{
    (void)state;
    accepts(&ping_record);
    accepts(&item_record);
    accepts(&cart_record);
    accepts(&wide_record);
    assert_int_equal(wide_fields[4].kind, KAN_FIELD_UINT);
}

/* --- heads ---------------------------------------------------------------- */

static void test_heads(void **state)
{
    (void)state;
    struct kan_field fields[KAN_RECORD_FIELDS_MAX + 1] = {{0}};
    struct kan_record record = item_record;

    record.name = NULL;
    refuses(&record,
            "a table without a name: the name of a table has 1 to 63 "
            "letters, digits, - and _");
    record.name = "two words";
    refuses(&record,
            "two words: the name of a table has 1 to 63 letters, "
            "digits, - and _");
    record = item_record;
    record.size = KAN_RECORD_SIZE_MAX + 1;
    refuses(&record,
            "item: 65537 bytes are more than a struct may have, 65536");
    record = item_record;
    record.version = 0;
    refuses(&record, "item: versions begin with 1");
    record = table(fields, COUNT(fields));
    refuses(&record, "t: 257 fields are more than a table may have, 256");
    record = table(fields, 0);
    refuses(&record, "t: a struct of 64 bytes cannot have 0 fields");
    record = table(fields, 1);
    record.size = 0;
    refuses(&record, "t: a struct of 0 bytes cannot have 1 fields");
    record = table(NULL, 2);
    assert_int_equal(record_check_table(&record, NULL), KAN_INVALID);
    record = table(fields, 1);
    refuses(&record,
            "t: the name of field 0 must have 1 to 63 letters, "
            "digits, - and _");
}

/* --- fields --------------------------------------------------------------- */

static const struct kan_field number = {"n", KAN_FIELD_INT, 0, 0, 4,
                                        1,   NULL,          0, 9, NULL};

static void test_ranges(void **state)
{
    (void)state;
    struct kan_field field = number;

    field.min = 5;
    field.max = 3;
    refuses_field(field, "t.n: the range 5..3 is empty");
    field = number;
    field.max = (int64_t)INT32_MAX + 1;
    refuses_field(field,
                  "t.n: the range 0..2147483648 does not fit into 4 "
                  "bytes, which hold -2147483648..2147483647");
    field.kind = KAN_FIELD_UINT;
    field.size = 1;
    field.max = 256;
    refuses_field(field,
                  "t.n: the range 0..256 does not fit into 1 bytes, "
                  "which hold 0..255");
    field.max = 255;
    field.min = -1;
    refuses_field(field,
                  "t.n: the range -1..255 does not fit into 1 bytes, "
                  "which hold 0..255");
    field = number;
    field.min = 1;
    field.flags = KAN_FIELD_VOLATILE;
    refuses_field(field, "t.n: it is 0 after a crash, and 0 is outside 1..9");
    field = number;
    field.kind = KAN_FIELD_TIME;
    field.size = 8;
    field.min = 1;
    refuses_field(field,
                  "t.n: how far behind and ahead it matters cannot be "
                  "less than 0 ms");
}

static void test_shapes(void **state)
{
    (void)state;
    struct kan_field field = number;

    field.kind = (enum kan_field_kind)77;
    refuses_field(field, "t.n: there is no kind 77 of field");
    field = number;
    field.flags = 8;
    refuses_field(field, "t.n: there are no flags 0x8");
    field = number;
    field.size = 3;
    refuses_field(field, "t.n: 3 bytes are not what its kind has");
    field.kind = KAN_FIELD_BOOL;
    assert_int_equal(field.size, 3);
    refuses_field(field, "t.n: 3 bytes are not what its kind has");
    field.kind = KAN_FIELD_REF;
    refuses_field(field, "t.n: 3 bytes are not what its kind has");
    field.kind = KAN_FIELD_TIME;
    refuses_field(field, "t.n: 3 bytes are not what its kind has");
    field.kind = KAN_FIELD_TEXT;
    field.size = 1;
    refuses_field(field, "t.n: 1 bytes are not what its kind has");
    field.kind = KAN_FIELD_RECORD;
    refuses_field(field, "t.n: a struct needs its table");
    field.record = &item_record;
    refuses_field(field, "t.n: 1 bytes are not what its kind has");
    field.record = &ping_record;
    field.size = 0;
    refuses_field(field, "t.n: 0 bytes are not what its kind has");
    field = number;
    field.count = 2;
    refuses_field(field, "t.n: it cannot have 2 elements");
    field.count = 0;
    field.flags = KAN_FIELD_ARRAY;
    refuses_field(field, "t.n: it cannot have 0 elements");
    field.count = 17;
    refuses_field(field, "t.n: it reaches beyond the 64 bytes of its struct");
    field.count = UINT32_MAX;
    field.offset = UINT32_MAX;
    refuses_field(field, "t.n: it reaches beyond the 64 bytes of its struct");
    field = number;
    field.offset = 61;
    refuses_field(field, "t.n: it reaches beyond the 64 bytes of its struct");
}

static void test_fields_among_each_other(void **state)
{
    (void)state;
    struct kan_field fields[2] = {number, number};
    struct kan_record record = table(fields, 2);

    fields[1].offset = 4;
    refuses(&record, "t.n: it is in the table twice");
    fields[1].name = "m";
    accepts(&record);
    fields[1].offset = 3;
    refuses(&record, "t.m: it shares bytes with 'n'");
    fields[1].offset = 0;
    refuses(&record, "t.m: it shares bytes with 'n'");
}

/* --- lengths -------------------------------------------------------------- */

static void test_lengths(void **state)
{
    (void)state;
    struct kan_field fields[2] = {number, number};
    struct kan_record record = table(fields, 2);
    struct kan_field *list = &fields[1];

    list->name = "list";
    list->offset = 8;
    list->length = "n";
    refuses(&record,
            "t.list: only an array can have a length, and this is "
            "none");
    list->flags = KAN_FIELD_ARRAY;
    list->count = 9;
    accepts(&record);
    list->count = 8;
    refuses(&record,
            "t.list: its length 'n' may be 0..9, and the array holds "
            "0..8");
    list->count = 9;
    fields[0].min = -1;
    refuses(&record,
            "t.list: its length 'n' may be -1..9, and the array "
            "holds 0..9");
    fields[0].min = 0;
    fields[0].flags = KAN_FIELD_VOLATILE;
    refuses(&record,
            "t.list: it and its length 'n' must both be volatile, or "
            "neither");
    fields[0].flags = KAN_FIELD_ARRAY;
    refuses(&record, "t.list: its length 'n' is not one number");
    fields[0] = number;
    fields[0].kind = KAN_FIELD_TIME;
    fields[0].size = 8;
    refuses(&record, "t.list: its length 'n' is not one number");
    list->length = "list";
    refuses(&record,
            "t.list: its length 'list' is no field before it; "
            "declare that one first");
    record = table(fields, 2);
    fields[0] = *list;
    fields[0].length = "n";
    fields[0].offset = 8;
    fields[1] = number;
    refuses(&record,
            "t.list: its length 'n' is no field before it; declare "
            "that one first");
}

/* --- depth ---------------------------------------------------------------- */

static void test_depth(void **state)
{
    (void)state;
    struct kan_field fields[KAN_RECORD_DEPTH_MAX + 2];
    struct kan_record records[KAN_RECORD_DEPTH_MAX + 2];

    fields[0] = number;
    records[0] = (struct kan_record){"deep", 4, 1, fields, 1, NULL, 0};
    for (unsigned i = 1; i < COUNT(records); i++) {
        fields[i] = (struct kan_field){
            "in", KAN_FIELD_RECORD, 0, 0, 4, 1, NULL, 0, 0, &records[i - 1]};
        records[i] = (struct kan_record){"deep", 4, 1, &fields[i], 1, NULL, 0};
    }
    accepts(&records[KAN_RECORD_DEPTH_MAX]);
    refuses(&records[KAN_RECORD_DEPTH_MAX + 1],
            "deep.in.in.in.in.in: structs stand in structs more than 4 deep");
    /* The same when a table holds itself. */
    fields[1].record = &records[1];
    refuses(&records[1],
            "deep.in.in.in.in.in: structs stand in structs more than 4 deep");
    /* A fault within is told with its place. */
    fields[1].record = &records[0];
    fields[0].max = -1;
    refuses(&records[2], "deep.in.in.n: the range 0..-1 is empty");
}

/* --- upgrades ------------------------------------------------------------- */

static bool same(const void *old, void *new_)
{
    memcpy(new_, old, sizeof(struct item));
    return true;
}

static void test_upgrades(void **state)
{
    (void)state;
    struct kan_record old = item_record;
    struct kan_record bad = item_record;
    struct kan_upgrade upgrades[2] = {{&old, same}, {&old, same}};
    struct kan_record record = item_record;

    record.version = 2;
    record.upgrades = upgrades;
    record.upgrade_count = 1;
    accepts(&record);
    record.upgrade_count = 2;
    refuses(&record, "item: there are two upgrades from version 1");
    upgrades[1].upgrade = NULL;
    refuses(&record,
            "item: upgrade 1 has no table to start from, or no "
            "function");
    record.version = 1;
    refuses(&record,
            "item: an upgrade from version 1 cannot lead to version "
            "1");
    record.version = 3;
    upgrades[1] = (struct kan_upgrade){&bad, same};
    bad.version = 2;
    bad.name = "item_two";
    accepts(&record);
    bad.field_count = 0;
    refuses(&record, "item_two: a struct of 32 bytes cannot have 0 fields");
    record.upgrades = NULL;
    refuses(&record, "item: it counts upgrades and has none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_tables),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_fields_among_each_other),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_upgrades),
    };
    return cmocka_run_group_tests_name("record_table", tests, NULL, check_live);
}
