/* Tests of exact numbers; the expected digits are Python's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "path/big/big.h"

static void assert_ok(enum kan_err err)
{
    assert_string_equal(kan_err_name(err), "OK");
}

static void assert_digits(const struct big *big, const char *expected)
{
    struct buffer text = BUFFER_INIT;
    assert_ok(big_append(&text, big));
    assert_string_equal(buffer_text(&text), expected);
    buffer_fini(&text);
}

static int64_t live_before;

static int setup(void **state)
{
    (void)state;
    live_before = mem_live();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mem_fault(0, false);
    return mem_live() == live_before ? 0 : -1;
}

/* --- known numbers -------------------------------------------------------- */

static void test_small_numbers_take_no_heap(void **state)
{
    (void)state;
    struct big big = {.size = 0};
    struct big zero = {.size = 0};
    assert_int_equal(sizeof big, 40);
    assert_digits(&big, "0");
    big_init(&big, 4038823);
    assert_digits(&big, "4038823");
    assert_int_equal(big_u64(&big), 4038823);
    big_init(&big, UINT64_MAX);
    assert_digits(&big, "18446744073709551615");
    for (int i = 0; i < 3; i++)
        assert_ok(big_multiply_u64(&big, UINT64_MAX));
    assert_int_equal(big_u64(&big), UINT64_MAX);
    assert_digits(&big,
                  "1157920892373161953984625780671411847999"
                  "68521174335529155754622898352762650625");
    assert_ok(big_multiply_u64(&big, 1));
    assert_ok(big_add(&big, &zero));
    assert_int_equal(mem_live(), live_before);
    assert_ok(big_multiply(&big, &zero));
    assert_int_equal(big_compare(&big, &zero), 0);
    assert_ok(big_multiply_u64(&big, 7));
    assert_ok(big_add(&big, &zero));
    assert_digits(&big, "0");
    big_init(&big, 7);
    assert_ok(big_multiply_u64(&big, 0));
    assert_int_equal(big_compare(&big, &zero), 0);
}

/* Chunks of 19 digits keep the zeros between them. */
static void test_zeros_within(void **state)
{
    (void)state;
    struct big big;
    struct big one;
    big_init(&big, 10);
    big_init(&one, 1);
    for (int i = 0; i < 59; i++)
        assert_ok(big_multiply_u64(&big, 10));
    assert_digits(&big,
                  "1000000000000000000000000000000000000000"
                  "000000000000000000000");
    assert_ok(big_add(&big, &one));
    assert_digits(&big,
                  "1000000000000000000000000000000000000000"
                  "000000000000000000001");
    big_fini(&big);
}

static void factorial(struct big *big, uint64_t n)
{
    big_init(big, 1);
    for (uint64_t i = 2; i <= n; i++)
        assert_ok(big_multiply_u64(big, i));
}

static void test_factorials(void **state)
{
    (void)state;
    struct big big;
    factorial(&big, 20);
    assert_int_equal(big_u64(&big), 2432902008176640000);
    factorial(&big, 100);
    assert_digits(&big,
                  "933262154439441526816992388562667004907159682643816214685929"
                  "638952175999932299156089414639761565182862536979208272237582"
                  "51185210916864000000000000000000000000");
    big_fini(&big);
}

/* Thousands of digits: length, ends and sum of digits. */
static void test_factorial_of_2000(void **state)
{
    (void)state;
    struct big big;
    struct buffer text = BUFFER_INIT;
    uint64_t sum = 0;
    factorial(&big, 2000);
    buffer_append_text(&text, "2000! = ");
    assert_ok(big_append(&text, &big));
    struct kan_slice digits = slice_skip(buffer_slice(&text), 8);
    assert_int_equal(digits.size, 5736);
    assert_true(slice_starts(buffer_slice(&text),
                             SLICE("2000! = 331627509245063324117539338057")));
    for (size_t i = 0; i < digits.size; i++)
        sum += (uint64_t)(slice_at(digits, i) - '0');
    assert_int_equal(sum, 23382);
    buffer_fini(&text);
    big_fini(&big);
}

/* Sums of products: C(n+1) = sum of C(i) C(n-i). */
static void test_catalan(void **state)
{
    (void)state;
    enum
    {
        LAST = 100
    };
    struct big catalan[LAST + 1] = {{.size = 0}};
    big_init(&catalan[0], 1);
    for (int n = 0; n < LAST; n++) {
        for (int i = 0; i <= n; i++) {
            struct big product = {.size = 0};
            assert_ok(big_set(&product, &catalan[i]));
            assert_ok(big_multiply(&product, &catalan[n - i]));
            assert_ok(big_add(&catalan[n + 1], &product));
            big_fini(&product);
        }
    }
    assert_int_equal(big_u64(&catalan[10]), 16796);
    assert_digits(&catalan[LAST],
                  "896519947090131496687170070074100632420837521538745909320");
    for (int n = 0; n <= LAST; n++)
        big_fini(&catalan[n]);
}

/* Interleavings of 6 actors with 10 steps each: a product of binomials from
 * Pascal's triangle. */
static void test_interleavings(void **state)
{
    (void)state;
    enum
    {
        STEPS = 60
    };
    struct big row[STEPS + 1] = {{.size = 0}};
    struct big paths;
    big_init(&row[0], 1);
    big_init(&paths, 1);
    for (int n = 1; n <= STEPS; n++) {
        for (int k = n; k > 0; k--)
            assert_ok(big_add(&row[k], &row[k - 1]));
        if (n % 10 == 0)
            assert_ok(big_multiply(&paths, &row[10]));
    }
    assert_digits(&paths, "3644153415887633116359073848179365185734400");
    big_fini(&paths);
    for (int k = 0; k <= STEPS; k++)
        big_fini(&row[k]);
}

/* 2^500 by doubling, by factors and by squares. */
static void test_powers_of_two(void **state)
{
    (void)state;
    struct big doubled;
    struct big scaled;
    struct big squared;
    struct big fifth = {.size = 0};
    big_init(&doubled, 1);
    big_init(&scaled, 1);
    big_init(&squared, 1ull << 50);
    for (int i = 0; i < 500; i++)
        assert_ok(big_add(&doubled, &doubled));
    for (int i = 0; i < 10; i++)
        assert_ok(big_multiply_u64(&scaled, 1ull << 50));
    assert_ok(big_multiply(&squared, &squared)); /* 2^100 */
    assert_ok(big_set(&fifth, &squared));
    assert_ok(big_multiply(&squared, &squared));
    assert_ok(big_multiply(&squared, &squared)); /* 2^400 */
    assert_ok(big_multiply(&squared, &fifth));
    assert_digits(&doubled,
                  "327339060789614187001318969682759915221664204604306478948329"
                  "136809613379640467455488327009232590415715088668412756007100"
                  "9217256545885393053328527589376");
    assert_int_equal(big_compare(&doubled, &scaled), 0);
    assert_int_equal(big_compare(&doubled, &squared), 0);
    big_fini(&doubled);
    big_fini(&scaled);
    big_fini(&squared);
    big_fini(&fifth);
}

/* 2^64 to the power of words, and one less than that. */
static void powers(int words, struct big *ret_power, struct big *ret_ones)
{
    struct big base;
    struct big one;
    struct big most;
    big_init(&base, 1ull << 63);
    assert_ok(big_multiply_u64(&base, 2));
    big_init(&one, 1);
    big_init(&most, UINT64_MAX);
    big_init(ret_power, 1);
    big_init(ret_ones, 0);
    for (int i = 0; i < words; i++) {
        assert_ok(big_multiply(ret_power, &base));
        assert_ok(big_multiply(ret_ones, &base));
        assert_ok(big_add(ret_ones, &most));
    }
}

/* A carry that runs through all words makes one more. */
static void test_carry(void **state)
{
    (void)state;
    for (int words = 1; words <= 9; words++) {
        struct big ones;
        struct big one;
        struct big power;
        powers(words, &power, &ones);
        big_init(&one, 1);
        assert_int_equal(big_compare(&ones, &power), -1);
        assert_int_equal(big_compare(&power, &ones), 1);
        assert_int_equal(ones.size, words);
        assert_ok(big_add(&ones, &one));
        assert_int_equal(ones.size, words + 1);
        assert_int_equal(big_compare(&ones, &power), 0);
        assert_ok(big_add(&one, &ones)); /* the short one grows */
        assert_int_equal(big_compare(&one, &ones), 1);
        assert_int_equal(big_u64(&one), UINT64_MAX);
        big_fini(&ones);
        big_fini(&one);
        big_fini(&power);
    }
}

static void test_compare(void **state)
{
    (void)state;
    struct big a;
    struct big b;
    big_init(&a, 5);
    big_init(&b, 6);
    assert_int_equal(big_compare(&a, &b), -1);
    assert_int_equal(big_compare(&b, &a), 1);
    assert_int_equal(big_compare(&a, &a), 0);
    for (int i = 0; i < 10; i++) {
        assert_ok(big_multiply_u64(&a, UINT64_MAX));
        assert_ok(big_multiply_u64(&b, UINT64_MAX));
        assert_int_equal(big_compare(&a, &b), -1);
    }
    assert_ok(big_set(&a, &b));
    assert_ok(big_set(&a, &a));
    assert_int_equal(big_compare(&a, &b), 0);
    big_fini(&a);
    big_fini(&b);
}

/* --- faults --------------------------------------------------------------- */

enum
{
    OPERATIONS = 5
};

static enum kan_err operate(int which, struct big *big, struct buffer *text)
{
    struct big other = {.size = 0};
    enum kan_err err = KAN_OK;
    switch (which) {
    case 0:
        return big_multiply_u64(big, UINT64_MAX);
    case 1:
        return big_multiply(big, big);
    case 2:
        return big_add(big, big);
    case 3:
        return big_append(text, big);
    default:
        err = big_set(&other, big);
        assert_int_equal(big_compare(&other, big) == 0, err == KAN_OK);
        big_fini(&other);
        return err;
    }
}

/* What fails changes nothing, and works when it is tried again. */
static void test_faults(void **state)
{
    (void)state;
    struct big big;
    struct big before = {.size = 0};
    struct buffer text = BUFFER_INIT;
    uint64_t strikes = 0;
    big_init(&big, UINT64_MAX);
    for (int i = 0; i < 6 * OPERATIONS; i++) {
        size_t size = text.size;
        bool struck = true;
        assert_ok(big_set(&before, &big));
        for (uint64_t nth = 1; struck; nth++) {
            mem_fault(nth, false);
            enum kan_err err = operate(i % OPERATIONS, &big, &text);
            struck = mem_fault_struck();
            mem_fault(0, false);
            assert_int_equal(err, struck ? KAN_NOMEM : KAN_OK);
            strikes += struck;
            if (struck) {
                assert_int_equal(big_compare(&big, &before), 0);
                assert_int_equal(text.size, size);
            }
        }
    }
    assert_in_range(strikes, 20, 100);
    big_fini(&big);
    big_fini(&before);
    buffer_fini(&text);
}

/* A sum that needs one word more than there is room for. */
static void test_fault_of_a_carry(void **state)
{
    (void)state;
    struct big one;
    struct big ones;
    struct big power;
    powers(4, &power, &ones);
    big_fini(&power);
    struct big full = {.words = {{0}}};
    assert_ok(big_set(&full, &ones));
    big_init(&one, 1);
    mem_fault(1, false);
    assert_int_equal(big_add(&full, &one), KAN_NOMEM);
    assert_int_equal(big_compare(&full, &ones), 0);
    mem_fault(1, false);
    assert_int_equal(big_multiply_u64(&full, 2), KAN_NOMEM);
    assert_int_equal(big_compare(&full, &ones), 0);
    mem_fault(0, false);
    assert_ok(big_add(&full, &one));
    assert_int_equal(full.size, 5);
    big_fini(&full);
    big_fini(&ones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_small_numbers_take_no_heap, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_zeros_within, setup, teardown),
        cmocka_unit_test_setup_teardown(test_factorials, setup, teardown),
        cmocka_unit_test_setup_teardown(test_factorial_of_2000, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_catalan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interleavings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_powers_of_two, setup, teardown),
        cmocka_unit_test_setup_teardown(test_carry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_compare, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fault_of_a_carry, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
