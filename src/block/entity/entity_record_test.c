/* What is kept comes back as it was, and what is none is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block/entity/entity_record.h"

static void test_events(void **state)
{
    struct entity_record event, back;
    struct buffer bytes = BUFFER_INIT;

    (void)state;
    for (unsigned with = 0; with < 4; with++) {
        bool with_key = with & 1;

        memset(&event, 0, sizeof(event));
        event.kind = ENTITY_STEP;
        event.version = 300;
        event.step = 7;
        event.input.now_ms = -5;
        memcpy(event.input.id, "00112233445566778899aabbccddeeff", 32);
        if (with_key) {
            event.key = SLICE("key");
            event.hash = entity_hash_of(SLICE("step"), SLICE("{}"));
        }
        if (with & 2)
            event.columns = SLICE("columns");
        buffer_clear(&bytes);
        entity_record_write(&bytes, &event);
        buffer_append_text(&bytes, "args");
        assert_true(bytes.size < ENTITY_RECORD_HEAD + 3 + 8 + 4);
        assert_int_equal(entity_record_read(buffer_slice(&bytes), &back),
                         KAN_OK);
        assert_int_equal(back.kind, ENTITY_STEP);
        assert_int_equal(back.version, 300);
        assert_int_equal(back.step, 7);
        assert_int_equal(back.input.now_ms, -5);
        assert_memory_equal(back.input.id, event.input.id, 32);
        assert_true(slice_equal(back.key, event.key));
        assert_true((back.key.bytes != NULL) == with_key);
        assert_memory_equal(&back.hash, &event.hash, sizeof(event.hash));
        assert_true(slice_equal(back.columns, event.columns));
        assert_true(slice_equal(back.arguments, SLICE("args")));
        for (size_t size = 0; size + 4 < bytes.size; size++)
            assert_int_equal(
                entity_record_read(kan_slice(bytes.bytes, size), &back),
                KAN_CORRUPT);
        bytes.bytes[0] = (char)(bytes.bytes[0] | 128);
        assert_int_equal(entity_record_read(buffer_slice(&bytes), &back),
                         KAN_CORRUPT);
    }
    event.kind = ENTITY_DELETED;
    buffer_clear(&bytes);
    entity_record_write(&bytes, &event);
    assert_int_equal(entity_record_read(buffer_slice(&bytes), &back), KAN_OK);
    buffer_append_byte(&bytes, 0);
    assert_int_equal(entity_record_read(buffer_slice(&bytes), &back),
                     KAN_CORRUPT);
    buffer_fini(&bytes);
}

static void test_heads(void **state)
{
    struct entity_head head = {true, 1000, UINT64_MAX};
    struct entity_head back;
    struct buffer bytes = BUFFER_INIT;

    (void)state;
    entity_head_write(&bytes, head);
    assert_int_equal(entity_head_read(buffer_slice(&bytes), &back), KAN_OK);
    assert_true(back.gone);
    assert_int_equal(back.snapshot, 1000);
    assert_true(back.erased == UINT64_MAX);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(entity_head_read(kan_slice(bytes.bytes, size), &back),
                         KAN_CORRUPT);
    buffer_fini(&bytes);
}

static void test_numbers(void **state)
{
    static const uint64_t numbers[] = {0, 1, 127, 128, 300, UINT64_MAX};
    struct kan_slice rest;
    uint64_t back;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct buffer bytes = BUFFER_INIT;
        entity_put_number(&bytes, numbers[i]);
        rest = buffer_slice(&bytes);
        assert_true(entity_take_number(&rest, &back));
        assert_true(back == numbers[i] && rest.size == 0);
        buffer_fini(&bytes);
    }
    /* Only the shortest form of a number is one. */
    rest = SLICE("\x80\x00");
    assert_false(entity_take_number(&rest, &back));
    rest = SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    assert_false(entity_take_number(&rest, &back));
    rest = SLICE("\x80");
    assert_false(entity_take_number(&rest, &back));
}

static void test_keys(void **state)
{
    struct buffer one = BUFFER_INIT;
    struct buffer two = BUFFER_INIT;
    struct kan_slice id;
    uint64_t n;

    (void)state;
    entity_key_number(&one, SLICE("a"), 255);
    entity_key_number(&two, SLICE("a"), 256);
    assert_true(slice_compare(buffer_slice(&one), buffer_slice(&two)) < 0);
    assert_true(entity_key_read(buffer_slice(&two), &id, &n));
    assert_true(slice_equal(id, SLICE("a")) && n == 256);
    assert_false(entity_key_read(kan_slice(two.bytes, 9), &id, &n));
    buffer_fini(&one);
    buffer_fini(&two);
    assert_true(entity_id_legal(SLICE("alice@example.org \xc3\xa9|")));
    assert_false(entity_id_legal(SLICE("a/b")));
    assert_false(entity_id_legal(SLICE("a\0b")));
    assert_false(entity_id_legal(SLICE("a\x7f")));
    assert_false(entity_id_legal(SLICE("a\xc3")));
    assert_false(entity_id_legal(SLICE("")));
}

static void test_hashes(void **state)
{
    struct entity_hash a = entity_hash_of(SLICE("ab"), SLICE("c"));
    struct entity_hash b = entity_hash_of(SLICE("a"), SLICE("bc"));
    struct entity_hash c = entity_hash_of(SLICE("ab"), SLICE("c"));

    (void)state;
    assert_memory_equal(&a, &c, sizeof(a));
    assert_memory_not_equal(&a, &b, sizeof(a));
    assert_memory_not_equal(a.bytes, a.bytes + 8, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),  cmocka_unit_test(test_heads),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
