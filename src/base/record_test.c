/* Structs with tables: canonical bytes, ranges, times, differences. Tables,
 * JSON, what is kept and boundary values have programs of their own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/record.h"
#include "base/record_sample.h"

static struct buffer why;

static int note_live(void **state)
{
    (void)state;
    buffer_fini(&why);
    return 0;
}

static int check_live(void **state)
{
    (void)state;
    buffer_fini(&why);
    mem_fault(0, false);
    return mem_live() == 0 ? 0 : -1;
}

/* --- canonical ------------------------------------------------------------ */

static void test_canonical_is_independent_of_what_does_not_count(void **state)
{
    (void)state;
    struct cart a;
    struct cart b;
    struct cart a_canonical;
    struct cart b_canonical;

    sample_cart(&a, 0xa5);
    sample_cart(&b, 0x3c);
    assert_memory_not_equal(&a, &b, sizeof a);
    memset(&a_canonical, 0x11, sizeof a);
    memset(&b_canonical, 0x22, sizeof b);
    record_canonical(&cart_record, &a, &a_canonical);
    record_canonical(&cart_record, &b, &b_canonical);
    assert_memory_equal(&a_canonical, &b_canonical, sizeof a);
    /* And it is still the cart. */
    assert_true(a_canonical.open);
    assert_int_equal(a_canonical.items[1].price, -100);
    assert_string_equal(a_canonical.items[1].label, "pear");
    assert_int_equal(a_canonical.votes[0], -1);
    assert_string_equal(a_canonical.readers[0].text, "account/bob");
    assert_int_equal(a_canonical.readers[1].text[0], 0);
    assert_int_equal(a_canonical.items[2].price, 0);
    /* Twice changes nothing. */
    record_canonical(&cart_record, &a_canonical, &b);
    assert_memory_equal(&b, &a_canonical, sizeof b);
}

static void test_canonical_keeps_every_field(void **state)
{
    (void)state;
    struct cart a;
    struct cart b;
    struct cart clean;

    sample_cart(&a, 0);
    record_canonical(&cart_record, &a, &clean);
    b = clean;
    b.open = false;
    record_canonical(&cart_record, &b, &a);
    assert_false(a.open);
    b = clean;
    b.items[1].label[3] = 'R';
    record_canonical(&cart_record, &b, &a);
    assert_memory_not_equal(&a, &clean, sizeof a);
    b = clean;
    b.votes[2] = 5;
    record_canonical(&cart_record, &b, &a);
    assert_memory_not_equal(&a, &clean, sizeof a);
    b = clean;
    b.best.added++;
    record_canonical(&cart_record, &b, &a);
    assert_memory_not_equal(&a, &clean, sizeof a);
}

/* Any bytes at all, as a handler with a bug may leave them, stay inside. */
static void test_canonical_of_garbage(void **state)
{
    (void)state;
    struct cart *garbage = mem_alloc(sizeof *garbage);
    struct cart *to = mem_alloc(sizeof *to);
    unsigned char truth;

    assert_non_null(garbage);
    assert_non_null(to);
    for (int fill = 1; fill < 256; fill += 2) {
        memset(garbage, fill, sizeof *garbage);
        record_canonical(&cart_record, garbage, to);
        memcpy(&truth, &to->open, 1);
        assert_int_equal(truth, 1);
        buffer_clear(&why);
        assert_int_equal(record_check(&cart_record, garbage, &why),
                         KAN_INVALID);
        assert_int_equal(record_check(&cart_record, garbage, NULL),
                         KAN_INVALID);
        record_drop_volatile(&cart_record, to);
        record_shift_times(&cart_record, garbage, INT64_MIN, 1);
        record_shift_times(&cart_record, garbage, INT64_MAX, INT64_MAX);
    }
    (void)mem_free(garbage);
    (void)mem_free(to);
}

struct signed_list
{
    int8_t count;
    bool flags[5];
};
KAN_RECORD(signed_list, 1, KAN_INT(signed_list, count, 0, 5),
           KAN_ARRAY_UPTO(signed_list, flags, KAN_FIELD_BOOL, "count"));

static void test_a_length_out_of_range_is_held(void **state)
{
    (void)state;
    struct signed_list list = {-3, {true, true, true, true, true}};
    struct signed_list to;

    record_canonical(&signed_list_record, &list, &to);
    assert_int_equal(to.count, -3);
    assert_false(to.flags[0]);
    list.count = 100;
    record_canonical(&signed_list_record, &list, &to);
    assert_true(to.flags[4]);
    assert_int_equal(record_check(&signed_list_record, &list, &why),
                     KAN_INVALID);
    assert_string_equal(buffer_text(&why),
                        "signed_list.count = 100 is outside 0..5");
}

KAN_RECORD_EMPTY(nothing);

static void test_a_message_that_carries_nothing(void **state)
{
    (void)state;
    record_canonical(&nothing_record, NULL, NULL);
    assert_int_equal(record_check(&nothing_record, NULL, NULL), KAN_OK);
    record_drop_volatile(&nothing_record, NULL);
    record_shift_times(&nothing_record, NULL, 5, 5);
    assert_false(record_has_times(&nothing_record));
    assert_int_equal(record_diff(&nothing_record, NULL, NULL, &why), KAN_OK);
    assert_int_equal(why.size, 0);
}

/* --- check ---------------------------------------------------------------- */

static void check_refuses(const struct cart *cart, const char *expected)
{
    buffer_clear(&why);
    assert_int_equal(record_check(&cart_record, cart, &why), KAN_INVALID);
    assert_string_equal(buffer_text(&why), expected);
}

static void test_check_accepts_the_ends(void **state)
{
    (void)state;
    struct cart cart;

    sample_cart(&cart, 0xff);
    assert_int_equal(record_check(&cart_record, &cart, &why), KAN_OK);
    assert_int_equal(why.size, 0);
    cart.value = 1000000;
    cart.item_count = 0;
    memcpy(cart.note, "123456789012345", 16);
    assert_int_equal(record_check(&cart_record, &cart, NULL), KAN_OK);
    memset(&cart, 0, sizeof cart);
    assert_int_equal(record_check(&cart_record, &cart, NULL), KAN_OK);
}

static void test_check_names_the_place(void **state)
{
    (void)state;
    struct cart cart;

    sample_cart(&cart, 0);
    cart.value = 1000001;
    check_refuses(&cart, "cart.value = 1000001 is outside 0..1000000");
    cart.value = -1;
    check_refuses(&cart, "cart.value = -1 is outside 0..1000000");
    sample_cart(&cart, 0);
    cart.items[1].price = -101;
    check_refuses(&cart, "cart.items[1].price = -101 is outside -100..100");
    cart.item_count = 1; /* it does not count any more */
    assert_int_equal(record_check(&cart_record, &cart, NULL), KAN_OK);
    cart.votes[2] = 6;
    check_refuses(&cart, "cart.votes[2] = 6 is outside -5..5");
    sample_cart(&cart, 0);
    cart.big = (uint64_t)INT64_MAX + 1;
    check_refuses(&cart,
                  "cart.big = 9223372036854775808 is outside "
                  "0..9223372036854775807");
    sample_cart(&cart, 0);
    cart.best.kind = 10;
    check_refuses(&cart, "cart.best.kind = 10 is outside 0..9");
    sample_cart(&cart, 0);
    cart.due = -1;
    check_refuses(&cart, "cart.due = -1 is before all times; 0 is never");
}

static void test_check_reads_texts_and_references(void **state)
{
    (void)state;
    struct cart cart;
    unsigned char two = 2;

    sample_cart(&cart, 0);
    memset(cart.note, 'x', sizeof cart.note);
    check_refuses(&cart,
                  "cart.note: the text has no zero at its end; at most "
                  "15 bytes fit");
    memcpy(cart.note, "ab\xff", 4);
    check_refuses(&cart, "cart.note: byte 2 is not UTF-8");
    sample_cart(&cart, 0);
    memcpy(cart.owner.text, "alice", 6);
    check_refuses(&cart,
                  "cart.owner: 'alice' is no reference; write type/id, "
                  "as account/alice");
    memcpy(cart.owner.text, "account/", 9);
    assert_int_equal(record_check(&cart_record, &cart, NULL), KAN_INVALID);
    memcpy(cart.owner.text, "/alice", 7);
    assert_int_equal(record_check(&cart_record, &cart, NULL), KAN_INVALID);
    cart.owner.text[0] = '\0';
    assert_int_equal(record_check(&cart_record, &cart, NULL), KAN_OK);
    memcpy(&cart.open, &two, 1);
    check_refuses(&cart, "cart.open = 2 is neither true nor false");
}

static void test_check_without_memory_for_words(void **state)
{
    (void)state;
    struct cart cart;

    sample_cart(&cart, 0);
    cart.value = -1;
    mem_fault(1, true);
    assert_int_equal(record_check(&cart_record, &cart, &why), KAN_INVALID);
    mem_fault(0, false);
}

/* --- crashes and clocks --------------------------------------------------- */

struct inner
{
    int32_t kept;
    int32_t lost;
};
KAN_RECORD(inner, 1, KAN_INT(inner, kept, 0, 9),
           KAN_INT_VOLATILE(inner, lost, 0, 9));

struct outer
{
    struct inner one;
    struct inner many[2];
};
KAN_RECORD(outer, 1, KAN_STRUCT(outer, one, inner_record),
           KAN_STRUCTS(outer, many, inner_record));

static void test_drop_volatile(void **state)
{
    (void)state;
    struct cart cart;
    struct cart before;
    struct outer outer = {{1, 2}, {{3, 4}, {5, 6}}};

    sample_cart(&cart, 0);
    before = cart;
    record_drop_volatile(&cart_record, &cart);
    assert_int_equal(cart.scratch, 0);
    assert_false(cart.dirty);
    cart.scratch = before.scratch;
    cart.dirty = before.dirty;
    assert_memory_equal(&cart, &before, sizeof cart);

    record_drop_volatile(&outer_record, &outer);
    assert_int_equal(outer.one.kept, 1);
    assert_int_equal(outer.one.lost, 0);
    assert_int_equal(outer.many[1].kept, 5);
    assert_int_equal(outer.many[1].lost, 0);
}

static void test_shift_moves_all_but_never(void **state)
{
    (void)state;
    struct cart cart;

    sample_cart(&cart, 0);
    record_shift_times(&cart_record, &cart, 50, 0);
    assert_int_equal(cart.due, 0);
    assert_int_equal(cart.renewed, 2050);
    assert_int_equal(cart.best.added, 57);
    assert_int_equal(cart.items[0].added, 1050);
    assert_int_equal(cart.items[1].added, 1051);
    assert_int_equal(cart.items[2].added, 0);
    assert_int_equal(cart.value, 12345);
    record_shift_times(&cart_record, &cart, -50, 0);
    assert_int_equal(cart.items[1].added, 1001);
    /* What would be never, or before, is the first moment. */
    record_shift_times(&cart_record, &cart, -2000, 0);
    assert_int_equal(cart.renewed, 1);
    assert_int_equal(cart.best.added, 1);
    record_shift_times(&cart_record, &cart, INT64_MAX, 0);
    assert_int_equal(cart.renewed, INT64_MAX);
    record_shift_times(&cart_record, &cart, INT64_MIN, 0);
    assert_int_equal(cart.renewed, 1);
}

static int64_t renewed_near(int64_t time, int64_t now)
{
    struct cart cart;

    sample_cart(&cart, 0);
    cart.renewed = time;
    record_shift_times(&cart_record, &cart, 0, now);
    assert_int_equal(cart.best.added, 7); /* without end: never touched */
    return cart.renewed;
}

static void test_shift_brings_near_what_is_too_far(void **state)
{
    (void)state;
    int64_t now = 100000;

    assert_int_equal(renewed_near(0, now), 0);
    assert_int_equal(renewed_near(now, now), now);
    assert_int_equal(renewed_near(now - 5000, now), now - 5000);
    assert_int_equal(renewed_near(now - 5001, now), now - 5001);
    assert_int_equal(renewed_near(now - 5002, now), now - 5001);
    assert_int_equal(renewed_near(1, now), now - 5001);
    assert_int_equal(renewed_near(now + 1001, now), now + 1001);
    assert_int_equal(renewed_near(now + 1002, now), now + 1001);
    assert_int_equal(renewed_near(INT64_MAX, now), now + 1001);
    assert_int_equal(renewed_near(3, 4000), 3);
    assert_int_equal(renewed_near(INT64_MAX, INT64_MAX), INT64_MAX);
}

static void test_has_times(void **state)
{
    (void)state;
    assert_true(record_has_times(&cart_record));
    assert_true(record_has_times(&item_record));
    assert_false(record_has_times(&outer_record));
}

/* --- differences ---------------------------------------------------------- */

static void test_diff(void **state)
{
    (void)state;
    struct cart a;
    struct cart b;

    sample_cart(&a, 0x11);
    sample_cart(&b, 0x22);
    assert_int_equal(record_diff(&cart_record, &a, &b, &why), KAN_OK);
    assert_int_equal(why.size, 0);
    buffer_append_text(&why, "before\n");
    b.open = false;
    b.value = 12346;
    b.item_count = 3;
    memset(&b.items[2], 0, sizeof b.items[2]);
    b.items[2].price = 5;
    b.votes[1] = -2;
    b.owner.text[0] = '\0';
    memcpy(b.note, "\n", 2);
    b.due = 99;
    b.reader_count = 0;
    assert_int_equal(record_diff(&cart_record, &a, &b, &why), KAN_OK);
    assert_string_equal(buffer_text(&why),
                        "before\n"
                        "open: true -> false\n"
                        "value: 12345 -> 12346\n"
                        "item_count: 2 -> 3\n"
                        "items[2].price: 0 -> 5\n"
                        "votes[1]: 0 -> -2\n"
                        "owner: account/alice -> nobody\n"
                        "note: \"say \\\"hi\\\"\" -> \"\\n\"\n"
                        "due: never -> 99\n"
                        "reader_count: 1 -> 0\n"
                        "readers[0]: account/bob -> nobody");
}

static void test_diff_without_memory(void **state)
{
    (void)state;
    struct cart a;
    struct cart b;
    enum kan_err err;
    uint64_t nth = 0;

    sample_cart(&a, 0);
    memset(&b, 0, sizeof b);
    do {
        struct buffer out = BUFFER_INIT;
        mem_fault(++nth, false);
        err = record_diff(&cart_record, &a, &b, &out);
        mem_fault(0, false);
        assert_true(err == KAN_OK || (err == KAN_NOMEM && out.size == 0));
        buffer_fini(&out);
    } while (err);
    assert_true(nth > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_canonical_is_independent_of_what_does_not_count, note_live,
            check_live),
        cmocka_unit_test_setup_teardown(test_canonical_keeps_every_field,
                                        note_live, check_live),
        cmocka_unit_test_setup_teardown(test_canonical_of_garbage, note_live,
                                        check_live),
        cmocka_unit_test_setup_teardown(test_a_length_out_of_range_is_held,
                                        note_live, check_live),
        cmocka_unit_test_setup_teardown(test_a_message_that_carries_nothing,
                                        note_live, check_live),
        cmocka_unit_test_setup_teardown(test_check_accepts_the_ends, note_live,
                                        check_live),
        cmocka_unit_test_setup_teardown(test_check_names_the_place, note_live,
                                        check_live),
        cmocka_unit_test_setup_teardown(test_check_reads_texts_and_references,
                                        note_live, check_live),
        cmocka_unit_test_setup_teardown(test_check_without_memory_for_words,
                                        note_live, check_live),
        cmocka_unit_test_setup_teardown(test_drop_volatile, note_live,
                                        check_live),
        cmocka_unit_test_setup_teardown(test_shift_moves_all_but_never,
                                        note_live, check_live),
        cmocka_unit_test_setup_teardown(test_shift_brings_near_what_is_too_far,
                                        note_live, check_live),
        cmocka_unit_test_setup_teardown(test_has_times, note_live, check_live),
        cmocka_unit_test_setup_teardown(test_diff, note_live, check_live),
        cmocka_unit_test_setup_teardown(test_diff_without_memory, note_live,
                                        check_live),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
