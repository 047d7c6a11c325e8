/* Structs as JSON, and JSON as structs: what is written, what is read back, and
 * how each fault is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/record.h"
#include "base/record_sample.h"

static struct buffer out;

static int check_live(void **state)
{
    (void)state;
    buffer_fini(&out);
    return mem_live() == 0 ? 0 : -1;
}

static const char sample_json[] =
    "{\"open\":true,\"value\":12345,\"item_count\":2,\"items\":["
    "{\"kind\":1,\"price\":100,\"label\":\"apple\",\"added\":1000},"
    "{\"kind\":2,\"price\":-100,\"label\":\"pear\",\"added\":1001}],"
    "\"votes\":[-1,0,1],\"owner\":\"account/alice\","
    "\"note\":\"say \\\"hi\\\"\",\"due\":0,\"renewed\":2000,"
    "\"big\":\"9223372036854775807\","
    "\"best\":{\"kind\":9,\"price\":0,\"label\":\"\",\"added\":7},"
    "\"reader_count\":1,\"readers\":[\"account/bob\"],\"scratch\":-7,"
    "\"dirty\":true}";

KAN_RECORD_EMPTY(ping);

struct numbers
{
    int64_t low;
    int8_t small;
};
KAN_RECORD(numbers, 1, KAN_INT(numbers, low, INT64_MIN, INT64_MAX),
           KAN_INT(numbers, small, INT8_MIN, INT8_MAX));

/* A field that must be given, alone and within. */
struct amount
{
    int32_t amount;
};
KAN_RECORD(amount, 1, KAN_INT(amount, amount, 1, 100));

struct order
{
    uint8_t count;
    struct amount lines[3];
    uint8_t tags[3];
    struct amount tip;
    uint16_t pair[2];
};
KAN_RECORD(order, 1, KAN_INT(order, count, 0, 3),
           KAN_STRUCTS_UPTO(order, lines, "count", amount_record),
           KAN_INTS_UPTO(order, tags, "count", 0, 9),
           KAN_STRUCT(order, tip, amount_record),
           KAN_INTS(order, pair, 0, 500));

/* Never empty. */
struct crew
{
    uint8_t count;
    uint8_t ages[3];
};
KAN_RECORD(crew, 1, KAN_INT(crew, count, 1, 3),
           KAN_INTS_UPTO(crew, ages, "count", 0, 150));

/* --- writing -------------------------------------------------------------- */

static void writes(const struct kan_record *record, const void *bytes,
                   const char *expected)
{
    buffer_clear(&out);
    assert_int_equal(record_to_json(record, bytes, &out), KAN_OK);
    assert_string_equal(buffer_text(&out), expected);
}

static void test_writes_every_kind(void **state)
{
    (void)state;
    struct cart cart;

    sample_cart(&cart, 0xee);
    writes(&cart_record, &cart, sample_json);
    writes(&ping_record, NULL, "{}");
}

static void test_writes_large_numbers_as_strings(void **state)
{
    (void)state;
    struct numbers numbers = {INT64_MIN, INT8_MIN};

    writes(&numbers_record, &numbers,
           "{\"low\":\"-9223372036854775808\",\"small\":-128}");
    numbers.low = (int64_t)1 << 53;
    writes(&numbers_record, &numbers,
           "{\"low\":9007199254740992,\"small\":-128}");
    numbers.low++;
    writes(&numbers_record, &numbers,
           "{\"low\":\"9007199254740993\",\"small\":-128}");
    numbers.low = -((int64_t)1 << 53);
    writes(&numbers_record, &numbers,
           "{\"low\":-9007199254740992,\"small\":-128}");
}

static void test_appends(void **state)
{
    (void)state;
    struct numbers numbers = {0, 0};

    buffer_clear(&out);
    buffer_append_text(&out, "[1,");
    assert_int_equal(record_to_json(&numbers_record, &numbers, &out), KAN_OK);
    assert_string_equal(buffer_text(&out), "[1,{\"low\":0,\"small\":0}");
}

/* --- reading -------------------------------------------------------------- */

static void reads(const struct kan_record *record, const char *json, void *to)
{
    buffer_clear(&out);
    if (record_from_json(record, kan_text(json), to, &out) != KAN_OK)
        fail_msg("%s", buffer_text(&out));
    assert_int_equal(out.size, 0);
}

static void refuses(const struct kan_record *record, const char *json,
                    const char *expected)
{
    struct cart to;
    struct cart untouched;

    memset(&to, 0x5a, sizeof to);
    memset(&untouched, 0x5a, sizeof to);
    assert_true(record->size <= sizeof to);
    buffer_clear(&out);
    assert_int_equal(record_from_json(record, kan_text(json), &to, &out),
                     KAN_INVALID);
    assert_string_equal(buffer_text(&out), expected);
    assert_int_equal(record_from_json(record, kan_text(json), &to, NULL),
                     KAN_INVALID);
    assert_memory_equal(&to, &untouched, sizeof to);
}

static void test_reads_what_was_written(void **state)
{
    (void)state;
    struct cart cart;
    struct cart canonical;
    struct cart read;

    sample_cart(&cart, 0xee);
    record_canonical(&cart_record, &cart, &canonical);
    memset(&read, 0x77, sizeof read);
    reads(&cart_record, sample_json, &read);
    assert_memory_equal(&read, &canonical, sizeof read);
    reads(&cart_record, "{}", &read);
    memset(&canonical, 0, sizeof canonical);
    assert_memory_equal(&read, &canonical, sizeof read);
    reads(&ping_record, " { } ", NULL);
}

static void test_reads_numbers(void **state)
{
    (void)state;
    struct numbers numbers;

    reads(&numbers_record, "{\"small\":-128,\"low\":-9223372036854775808}",
          &numbers);
    assert_int_equal(numbers.small, INT8_MIN);
    assert_true(numbers.low == INT64_MIN);
    reads(&numbers_record, "{\"low\":\"-9223372036854775808\"}", &numbers);
    assert_true(numbers.low == INT64_MIN);
    reads(&numbers_record, "{\"low\":\"12\",\"small\":\"-3\"}", &numbers);
    assert_true(numbers.low == 12 && numbers.small == -3);
    refuses(&numbers_record, "{\"small\":128}",
            "small: 128 is outside -128..127");
    refuses(&numbers_record, "{\"small\":-99999999999999999999}",
            "small: -99999999999999999999 is outside -128..127");
    refuses(&numbers_record, "{\"low\":9223372036854775808}",
            "low: 9223372036854775808 is outside "
            "-9223372036854775808..9223372036854775807");
    refuses(&numbers_record, "{\"low\":1.5}",
            "low: expected a whole number, without fraction or exponent");
    refuses(&numbers_record, "{\"low\":1e3}",
            "low: expected a whole number, without fraction or exponent");
    refuses(&numbers_record, "{\"low\":\"\"}", "low: expected a number");
    refuses(&numbers_record, "{\"low\":\"-\"}", "low: expected a number");
    refuses(&numbers_record, "{\"low\":\"+5\"}", "low: expected a number");
    refuses(&numbers_record, "{\"low\":\"5 \"}", "low: expected a number");
    refuses(&numbers_record, "{\"low\":null}", "low: expected a number");
    refuses(&numbers_record, "{\"low\":[1]}", "low: expected a number");
}

static void test_refuses_wrong_types(void **state)
{
    (void)state;
    refuses(&cart_record, "{\"open\":1}", "open: expected true or false");
    refuses(&cart_record, "{\"open\":\"true\"}",
            "open: expected true or false");
    refuses(&cart_record, "{\"owner\":5}",
            "owner: expected a reference, as \"account/alice\"");
    refuses(&cart_record, "{\"note\":false}", "note: expected a text");
    refuses(&cart_record, "{\"best\":[]}", "best: expected an object");
    refuses(&cart_record, "{\"items\":{}}", "items: expected a list");
    refuses(&cart_record, "{\"items\":[{},7]}", "items[1]: expected an object");
    refuses(&cart_record, "{\"items\":[{},{},{\"price\":\"x\"}]}",
            "items[2].price: expected a number");
    refuses(&cart_record, "{\"best\":{\"price\":101}}",
            "best.price: 101 is outside -100..100");
    refuses(&cart_record, "[]", "expected an object with the fields of cart");
    refuses(&cart_record, "{\"due\":-1}",
            "due: -1 is no time: milliseconds since 1970, or 0 for never");
    refuses(&cart_record, "{\"due\":99999999999999999999}",
            "due: 99999999999999999999 is no time: milliseconds since 1970, or "
            "0 for never");
}

static void test_refuses_texts_and_references(void **state)
{
    (void)state;
    struct cart cart;

    reads(&cart_record, "{\"note\":\"123456789012345\"}", &cart);
    assert_string_equal(cart.note, "123456789012345");
    refuses(&cart_record, "{\"note\":\"1234567890123456\"}",
            "note: 16 bytes are too long; at most 15 fit");
    refuses(&cart_record, "{\"note\":\"a\\u0000b\"}",
            "note: a character U+0000 cannot be kept");
    refuses(&cart_record, "{\"owner\":\"alice\"}",
            "owner: 'alice' is no reference; write type/id, as account/alice");
    refuses(&cart_record, "{\"readers\":[\"a/b\",\"c\\nd\"]}",
            "readers[1]: 'c?d' is no reference; write type/id, as "
            "account/alice");
    reads(&cart_record, "{\"owner\":\"\"}", &cart);
    assert_int_equal(cart.owner.text[0], 0);
}

static void test_refuses_names(void **state)
{
    (void)state;
    refuses(&amount_record, "{\"amonut\":5}",
            "amonut: there is no such field; did you mean 'amount'?");
    refuses(&amount_record, "{\"Amount\":5}",
            "Amount: there is no such field; did you mean 'amount'?");
    refuses(&cart_record, "{\"best\":{\"cost\\u0001\":1}}",
            "best.cost?: there is no such field");
    /* Cut at 64 bytes, and not within a character. */
    refuses(&cart_record,
            "{\"123456789012345678901234567890123456789012345678901234567890"
            "123\u00e9\":1}",
            "12345678901234567890123456789012345678901234567890123456789"
            "0123...: there is no such field");
    refuses(&ping_record, "{\"x\":1}",
            "x: there is no such field; ping carries nothing");
    refuses(&cart_record, "{\"value\":1,\"open\":true,\"value\":1}",
            "value: it is given twice");
    refuses(&cart_record, "{\"best\":{\"kind\":1,\"kind\":1}}",
            "best.kind: it is given twice");
    refuses(&cart_record, "{\"votes\":[1,2,3],\"votes\":[1,2,3]}",
            "votes: it is given twice");
}

static void test_refuses_what_is_no_json(void **state)
{
    (void)state;
    struct amount amount;

    buffer_clear(&out);
    assert_int_equal(record_from_json(&amount_record, kan_text("{\"amount\""),
                                      &amount, &out),
                     KAN_INVALID);
    assert_true(out.size > 0);
    assert_int_equal(
        record_from_json(&amount_record, kan_slice(NULL, 0), &amount, &out),
        KAN_INVALID);
}

static void test_what_is_missing(void **state)
{
    (void)state;
    struct order order;

    refuses(&amount_record, "{}",
            "amount: it is missing, and 0 is outside 1..100");
    refuses(&order_record, "{}",
            "tip.amount: it is missing, and 0 is outside 1..100");
    refuses(&order_record, "{\"tip\":{}}",
            "tip.amount: it is missing, and 0 is outside 1..100");
    refuses(&order_record, "{\"tip\":{\"amount\":1},\"count\":2}",
            "lines.amount: it is missing, and 0 is outside 1..100");
    refuses(&order_record, "{\"tip\":{\"amount\":1},\"lines\":[{}]}",
            "lines[0].amount: it is missing, and 0 is outside 1..100");
    reads(&order_record, "{\"tip\":{\"amount\":1}}", &order);
    assert_int_equal(order.count, 0);
    assert_int_equal(order.tip.amount, 1);
}

/* --- lists ---------------------------------------------------------------- */

static void test_lists_and_their_lengths(void **state)
{
    (void)state;
    struct order order;

    reads(&order_record,
          "{\"tip\":{\"amount\":1},\"tags\":[7,8],\"lines\":[{\"amount\":3},"
          "{\"amount\":4}]}",
          &order);
    assert_int_equal(order.count, 2);
    assert_int_equal(order.lines[1].amount, 4);
    assert_int_equal(order.tags[1], 8);
    reads(&order_record,
          "{\"tags\":[7],\"lines\":[{\"amount\":3}],\"count\":1,"
          "\"tip\":{\"amount\":1},\"pair\":[499,500]}",
          &order);
    assert_int_equal(order.count, 1);
    assert_int_equal(order.pair[1], 500);
    refuses(&order_record, "{\"count\":2,\"lines\":[{\"amount\":3}]}",
            "lines: it has 1 elements, and 'count' is 2");
    refuses(&order_record, "{\"lines\":[{\"amount\":3}],\"tags\":[1,2]}",
            "tags: it has 2 elements, and 'count' is 1");
    refuses(&order_record, "{\"tags\":[1,2,3,4]}",
            "tags: the list is too long; at most 3 elements fit");
    refuses(&order_record, "{\"pair\":[1]}",
            "pair: 1 elements are too few; expected 2");
    refuses(&order_record, "{\"pair\":[1,2,3]}",
            "pair: the list is too long; at most 2 elements fit");
    refuses(&crew_record, "{\"ages\":[]}", "count: 0 is outside 1..3");
    refuses(&crew_record, "{\"ages\":[1],\"count\":4}",
            "count: 4 is outside 1..3");
    refuses(&crew_record, "{}", "count: it is missing, and 0 is outside 1..3");
    refuses(&order_record, "{\"pair\":[1,501]}",
            "pair[1]: 501 is outside 0..500");
}

/* --- memory --------------------------------------------------------------- */

static void test_without_memory(void **state)
{
    (void)state;
    struct cart cart;
    struct cart read;
    enum kan_err err;
    uint64_t nth = 0;

    sample_cart(&cart, 0);
    do {
        struct buffer to = BUFFER_INIT;
        mem_fault(++nth, false);
        err = record_to_json(&cart_record, &cart, &to);
        mem_fault(0, false);
        assert_true(err == KAN_OK || (err == KAN_NOMEM && to.size == 0));
        buffer_fini(&to);
    } while (err);
    assert_true(nth > 3);
    nth = 0;
    do {
        memset(&read, 0x5a, sizeof read);
        mem_fault(++nth, false);
        err =
            record_from_json(&cart_record, kan_text(sample_json), &read, NULL);
        mem_fault(0, false);
        assert_true(err == KAN_OK || err == KAN_NOMEM);
        assert_true(err == KAN_OK || read.value == 0x5a5a5a5a5a5a5a5a);
    } while (err);
    assert_true(nth > 2);
    assert_int_equal(read.value, 12345);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_every_kind),
        cmocka_unit_test(test_writes_large_numbers_as_strings),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_reads_what_was_written),
        cmocka_unit_test(test_reads_numbers),
        cmocka_unit_test(test_refuses_wrong_types),
        cmocka_unit_test(test_refuses_texts_and_references),
        cmocka_unit_test(test_refuses_names),
        cmocka_unit_test(test_refuses_what_is_no_json),
        cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_lists_and_their_lengths),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests_name("record_json", tests, NULL, check_live);
}
