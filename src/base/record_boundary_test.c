/* Boundary values: which there are, that each is valid and there once, and that
 * counts stay inside. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/record.h"
#include "base/record_sample.h"

static struct buffer text;

static int check_live(void **state)
{
    (void)state;
    buffer_fini(&text);
    return mem_live() == 0 ? 0 : -1;
}

/* All of them, a line each, as JSON. */
static void lists(const struct kan_record *record, const char *expected)
{
    unsigned char bytes[1024];
    unsigned char canonical[1024];

    assert_true(record->size <= sizeof bytes);
    buffer_clear(&text);
    for (uint32_t i = 0; i < record_boundary_count(record, 1000); i++) {
        memset(bytes, 0xcc, sizeof bytes);
        record_boundary(record, i, bytes);
        assert_int_equal(record_check(record, bytes, NULL), KAN_OK);
        record_canonical(record, bytes, canonical);
        assert_memory_equal(bytes, canonical, record->size);
        assert_int_equal(record_to_json(record, bytes, &text), KAN_OK);
        buffer_append_byte(&text, '\n');
    }
    assert_string_equal(buffer_text(&text), expected);
}

struct number
{
    int32_t n;
};
KAN_RECORD(number, 1, KAN_INT(number, n, -100, 50));

static void number_lists(int32_t min, int32_t max, const char *expected)
{
    struct kan_field field = number_fields[0];
    struct kan_record record = number_record;

    field.min = min;
    field.max = max;
    record.fields = &field;
    lists(&record, expected);
}

static void test_numbers(void **state)
{
    (void)state;
    number_lists(-100, 50, "{\"n\":0}\n{\"n\":1}\n{\"n\":50}\n{\"n\":-100}\n");
    number_lists(-3, 9, "{\"n\":0}\n{\"n\":1}\n{\"n\":-3}\n{\"n\":9}\n");
    number_lists(0, 1, "{\"n\":0}\n{\"n\":1}\n");
    number_lists(0, 0, "{\"n\":0}\n");
    number_lists(1, 100, "{\"n\":1}\n{\"n\":100}\n");
    number_lists(5, 6, "{\"n\":5}\n{\"n\":6}\n");
    number_lists(-9, -5, "{\"n\":-5}\n{\"n\":-9}\n");
    number_lists(7, 7, "{\"n\":7}\n");
    number_lists(INT32_MIN, INT32_MAX,
                 "{\"n\":0}\n{\"n\":1}\n{\"n\":2147483647}\n"
                 "{\"n\":-2147483648}\n");
}

struct others
{
    bool yes;
    int64_t at;
    struct kan_ref who;
    char word[4];
};
KAN_RECORD(others, 1, KAN_BOOL(others, yes), KAN_TIME(others, at),
           KAN_REF(others, who), KAN_TEXT(others, word));

static void test_other_kinds(void **state)
{
    (void)state;
    lists(&others_record,
          "{\"yes\":false,\"at\":0,\"who\":\"\",\"word\":\"\"}\n"
          "{\"yes\":false,\"at\":0,\"who\":\"\",\"word\":\"xxx\"}\n"
          "{\"yes\":false,\"at\":1,\"who\":\"\",\"word\":\"\"}\n"
          "{\"yes\":false,\"at\":1,\"who\":\"\",\"word\":\"xxx\"}\n"
          "{\"yes\":true,\"at\":0,\"who\":\"\",\"word\":\"\"}\n"
          "{\"yes\":true,\"at\":0,\"who\":\"\",\"word\":\"xxx\"}\n"
          "{\"yes\":true,\"at\":1,\"who\":\"\",\"word\":\"\"}\n"
          "{\"yes\":true,\"at\":1,\"who\":\"\",\"word\":\"xxx\"}\n");
}

struct arrays
{
    uint8_t all[2];
    uint8_t count;
    uint8_t some[3];
    bool marks[4];
};
KAN_RECORD(arrays, 1, KAN_INTS(arrays, all, 3, 4), KAN_INT(arrays, count, 0, 2),
           KAN_INTS_UPTO(arrays, some, "count", 5, 6),
           KAN_ARRAY_UPTO(arrays, marks, KAN_FIELD_BOOL, "count"));

static void test_arrays(void **state)
{
    (void)state;
    lists(&arrays_record,
          "{\"all\":[3,3],\"count\":0,\"some\":[],\"marks\":[]}\n"
          "{\"all\":[3,3],\"count\":2,\"some\":[5,5],\"marks\":[false,false]}\n"
          "{\"all\":[3,3],\"count\":2,\"some\":[6,6],\"marks\":[false,false]}\n"
          "{\"all\":[3,3],\"count\":2,\"some\":[5,5],\"marks\":[true,true]}\n"
          "{\"all\":[3,3],\"count\":2,\"some\":[6,6],\"marks\":[true,true]}\n"
          "{\"all\":[4,4],\"count\":0,\"some\":[],\"marks\":[]}\n"
          "{\"all\":[4,4],\"count\":2,\"some\":[5,5],\"marks\":[false,false]}\n"
          "{\"all\":[4,4],\"count\":2,\"some\":[6,6],\"marks\":[false,false]}\n"
          "{\"all\":[4,4],\"count\":2,\"some\":[5,5],\"marks\":[true,true]}\n"
          "{\"all\":[4,4],\"count\":2,\"some\":[6,6],\"marks\":[true,true]}\n");
}

struct bounded
{
    uint8_t count;
    struct number list[3];
};
KAN_RECORD(bounded, 1, KAN_INT(bounded, count, 1, 2),
           KAN_STRUCTS_UPTO(bounded, list, "count", number_record));

static void test_structs_in_lists(void **state)
{
    (void)state;
    lists(&bounded_record,
          "{\"count\":1,\"list\":[{\"n\":0}]}\n"
          "{\"count\":1,\"list\":[{\"n\":1}]}\n"
          "{\"count\":1,\"list\":[{\"n\":50}]}\n"
          "{\"count\":1,\"list\":[{\"n\":-100}]}\n"
          "{\"count\":2,\"list\":[{\"n\":0},{\"n\":0}]}\n"
          "{\"count\":2,\"list\":[{\"n\":1},{\"n\":1}]}\n"
          "{\"count\":2,\"list\":[{\"n\":50},{\"n\":50}]}\n"
          "{\"count\":2,\"list\":[{\"n\":-100},"
          "{\"n\":-100}]}\n");
}

static void test_a_length_that_is_fixed(void **state)
{
    (void)state;
    struct kan_field fields[2] = {bounded_fields[0], bounded_fields[1]};
    struct kan_record record = bounded_record;

    fields[0].min = 2;
    record.fields = fields;
    lists(&record,
          "{\"count\":2,\"list\":[{\"n\":0},{\"n\":0}]}\n"
          "{\"count\":2,\"list\":[{\"n\":1},{\"n\":1}]}\n"
          "{\"count\":2,\"list\":[{\"n\":50},{\"n\":50}]}\n"
          "{\"count\":2,\"list\":[{\"n\":-100},{\"n\":-100}]}\n");
}

KAN_RECORD_EMPTY(ping);

static void test_what_carries_nothing(void **state)
{
    (void)state;
    assert_int_equal(record_boundary_count(&ping_record, 10), 1);
    assert_int_equal(record_boundary_count(&ping_record, 0), 0);
    record_boundary(&ping_record, 0, NULL);
}

/* More than are counted: the first ones can be had all the same. */
static void test_counts_are_held(void **state)
{
    (void)state;
    enum
    {
        FIELDS = 40
    };
    struct kan_field fields[FIELDS];
    char names[FIELDS][8];
    struct kan_record record = {"many", FIELDS * 4, 1, fields, FIELDS, NULL, 0};
    int32_t first[FIELDS];
    int32_t last[FIELDS];

    for (uint32_t i = 0; i < FIELDS; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%u", (unsigned)i);
        fields[i] = number_fields[0];
        fields[i].name = names[i];
        fields[i].offset = i * 4;
    }
    assert_int_equal(record_check_table(&record, NULL), KAN_OK);
    assert_int_equal(record_boundary_count(&record, 77), 77);
    assert_int_equal(record_boundary_count(&record, UINT32_MAX), UINT32_MAX);
    record_boundary(&record, 0, first);
    for (uint32_t i = 0; i < FIELDS; i++)
        assert_int_equal(first[i], 0);
    record_boundary(&record, UINT32_MAX - 1, last);
    assert_int_equal(record_check(&record, last, NULL), KAN_OK);
    assert_int_equal(last[FIELDS - 1], 50); /* 2^32 - 2 is 2 modulo 4 */
    assert_int_equal(last[FIELDS - 2], -100);
    assert_int_equal(last[0], 0);
}

/* A sample of all of a struct with every kind, each canonical and valid. */
static void test_every_kind_at_once(void **state)
{
    (void)state;
    struct cart cart;
    struct cart canonical;
    uint32_t count = record_boundary_count(&cart_record, UINT32_MAX);

    assert_true(count > 10000);
    for (uint32_t i = 0; i < 5000; i++) {
        record_boundary(&cart_record, (uint32_t)((uint64_t)i * count / 5000),
                        &cart);
        record_canonical(&cart_record, &cart, &canonical);
        assert_memory_equal(&cart, &canonical, sizeof cart);
        buffer_clear(&text);
        if (record_check(&cart_record, &cart, &text) != KAN_OK)
            fail_msg("%s", buffer_text(&text));
    }
    memset(&canonical, 0, sizeof canonical);
    record_boundary(&cart_record, 0, &cart);
    assert_memory_equal(&cart, &canonical, sizeof cart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_structs_in_lists),
        cmocka_unit_test(test_a_length_that_is_fixed),
        cmocka_unit_test(test_what_carries_nothing),
        cmocka_unit_test(test_counts_are_held),
        cmocka_unit_test(test_every_kind_at_once),
    };
    return cmocka_run_group_tests_name("record_boundary", tests, NULL,
                                       check_live);
}
