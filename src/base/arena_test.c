/* The arena: pieces that do not overlap, are zeroed and aligned, a limit, and
 * an end that frees all. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/bytes.h"

static int check_live(void **state)
{
    (void)state;
    mem_fault(0, false);
    return mem_live() == 0 ? 0 : -1;
}

static void test_pieces_are_apart(void **state)
{
    (void)state;
    enum
    {
        COUNT = 500
    };
    struct arena arena = {0};
    unsigned char *pieces[COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        pieces[i] = arena_give(&arena, i * 7);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % sizeof(max_align_t), 0);
        for (size_t k = 0; k < i * 7; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)(i % 255) + 1, i * 7);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < i * 7; k++)
            assert_int_equal(pieces[i][k], i % 255 + 1);
    }
    assert_true(arena.bytes >= (size_t)COUNT * (COUNT - 1) / 2 * 7);
    arena_fini(&arena);
    assert_null(arena.blocks);
    assert_int_equal(arena.bytes, 0);
}

static void test_large_pieces(void **state)
{
    (void)state;
    struct arena arena = {0};
    char *large = arena_give(&arena, 5 << 20);
    char *small = arena_give(&arena, 1);

    assert_non_null(large);
    assert_non_null(small);
    large[(5 << 20) - 1] = 1;
    *small = 2;
    assert_int_equal(large[0], 0);
    assert_null(arena_give(&arena, SIZE_MAX));
    assert_null(arena_give(&arena, SIZE_MAX - 8));
    arena_fini(&arena);
}

static void test_copy(void **state)
{
    (void)state;
    struct arena arena = {0};

    assert_string_equal(arena_copy(&arena, SLICE("frozen")), "frozen");
    assert_string_equal(arena_copy(&arena, kan_slice(NULL, 0)), "");
    arena_fini(&arena);
}

static void test_limit(void **state)
{
    (void)state;
    struct arena arena = {.bytes_max = 1000};
    size_t given = 0;

    while (arena_give(&arena, 64))
        given += 64;
    assert_int_equal(given, 1000 / 64 * 64);
    /* What is refused takes nothing: a smaller piece still fits. */
    assert_non_null(arena_give(&arena, 1));
    assert_true(arena.bytes <= 1000);
    arena_fini(&arena);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct arena arena = {0};
    size_t given = 0;

    mem_fault(3, true);
    while (arena_give(&arena, 1024))
        given++;
    assert_true(given >= 2);
    mem_fault(0, false);
    assert_non_null(arena_give(&arena, 1024));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_pieces_are_apart, check_live),
        cmocka_unit_test_teardown(test_large_pieces, check_live),
        cmocka_unit_test_teardown(test_copy, check_live),
        cmocka_unit_test_teardown(test_limit, check_live),
        cmocka_unit_test_teardown(test_no_memory, check_live),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
