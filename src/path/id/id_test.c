/* Path ids: what counts and what does not, fixed vectors so that no id ever
 * changes by accident, and the quality of the hash below them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "path/id/id.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct kan_ref ref_of(const char *text)
{
    struct kan_ref ref;
    memset(&ref, 0, sizeof ref);
    memcpy(ref.text, text, strlen(text));
    return ref;
}

static bool id_equal(struct path_id a, struct path_id b)
{
    return a.low == b.low && a.high == b.high;
}

static void assert_id(struct path_id id, const char *expected)
{
    char text[PATH_ID_TEXT];
    path_id_text(id, text);
    assert_string_equal(text, expected);
}

/* --- the number ----------------------------------------------------------- */

static void test_text(void **state)
{
    (void)state;
    assert_id((struct path_id){0, 0}, "00000000000000000000000000000000");
    assert_id((struct path_id){0x0123456789abcdefu, 0xfedcba9876543210u},
              "fedcba98765432100123456789abcdef");
}

static void test_sums_carry(void **state)
{
    (void)state;
    struct path_id most = {UINT64_MAX, UINT64_MAX};
    struct path_id one = {1, 0};
    struct path_id half = {UINT64_MAX, 0};

    assert_true(id_equal(path_id_add(most, one), (struct path_id){0, 0}));
    assert_true(id_equal(path_id_add(half, one), (struct path_id){0, 1}));
    assert_true(id_equal(path_id_subtract((struct path_id){0, 1}, one), half));
    assert_true(id_equal(path_id_subtract((struct path_id){0, 0}, one), most));
}

static void test_replace(void **state)
{
    (void)state;
    struct path_id path = {0, 0};
    struct path_id a = {5, 7};
    struct path_id b = {UINT64_MAX, 3};
    struct path_id c = {9, UINT64_MAX};

    path = path_id_replace(path, (struct path_id){77, 77}, false, a);
    assert_true(id_equal(path, a));
    path = path_id_replace(path, (struct path_id){88, 88}, false, b);
    assert_true(id_equal(path, path_id_add(a, b)));
    path = path_id_replace(path, a, true, c);
    assert_true(id_equal(path, path_id_add(b, c)));
}

/* --- inputs --------------------------------------------------------------- */

static const char payload[] = {1, 0, 0, 0, 2, 0, 0, 0};

static struct path_id step_of(struct path_id actor, enum path_input input,
                              const char *name, const char *from)
{
    struct kan_ref ref = ref_of(from);
    return path_id_step(actor, input, name, &ref,
                        kan_slice(payload, sizeof payload));
}

static void test_everything_in_an_input_counts(void **state)
{
    (void)state;
    struct kan_ref self = ref_of("counter/a");
    struct kan_ref other = ref_of("counter/b");
    struct kan_ref sender = ref_of("bank/1");
    struct path_id actor = path_id_actor(&self);
    struct path_id ids[] = {
        actor,
        path_id_actor(&other),
        step_of(actor, PATH_MESSAGE, "add", "bank/1"),
        step_of(path_id_actor(&other), PATH_MESSAGE, "add", "bank/1"),
        step_of(actor, PATH_TIMER, "add", "bank/1"),
        step_of(actor, PATH_CRASH, "add", "bank/1"),
        step_of(actor, PATH_RESTART, "add", "bank/1"),
        step_of(actor, PATH_MESSAGE, "ad", "bank/1"),
        step_of(actor, PATH_MESSAGE, "addb", "ank/1"),
        step_of(actor, PATH_MESSAGE, "add", "bank/2"),
        step_of(actor, PATH_MESSAGE, "add", ""),
        step_of(actor, PATH_MESSAGE, "add", "client/1"),
        path_id_step(actor, PATH_MESSAGE, "add", &sender,
                     kan_slice(payload, 7)),
        path_id_step(actor, PATH_MESSAGE, "add", &sender, kan_slice(NULL, 0)),
        path_id_step(actor, PATH_MESSAGE, "", &sender, kan_slice("add", 3)),
    };

    for (size_t i = 0; i < COUNT(ids); i++) {
        for (size_t j = 0; j < i; j++)
            assert_false(id_equal(ids[i], ids[j]));
    }
}

static void test_what_does_not_count(void **state)
{
    (void)state;
    struct path_id actor = {1, 2};
    struct kan_ref noise = ref_of("bank/1");

    assert_true(id_equal(step_of(actor, PATH_MESSAGE, "add", "client/1"),
                         step_of(actor, PATH_MESSAGE, "add", "client/xyz")));
    assert_false(id_equal(step_of(actor, PATH_MESSAGE, "add", "client/1"),
                          step_of(actor, PATH_MESSAGE, "add", "clients/1")));
    noise.text[20] = 'x'; /* behind the end */
    assert_true(id_equal(path_id_step(actor, PATH_MESSAGE, "add", &noise,
                                      kan_slice(payload, sizeof payload)),
                         step_of(actor, PATH_MESSAGE, "add", "bank/1")));
    assert_true(id_equal(path_id_step(actor, PATH_TIMER, "tick", NULL,
                                      kan_slice(payload, sizeof payload)),
                         step_of(actor, PATH_TIMER, "tick", "")));
    assert_true(id_equal(
        path_id_step(actor, PATH_CRASH, NULL, NULL, kan_slice(NULL, 0)),
        path_id_step(actor, PATH_CRASH, "", NULL, kan_slice("", 0))));
}

/* What one actor sees is a sequence; what two see has no order. */
static void test_order_counts_within_an_actor_only(void **state)
{
    (void)state;
    struct kan_ref a = ref_of("counter/a");
    struct kan_ref b = ref_of("counter/b");
    struct path_id none = {0, 0};
    struct path_id a1 = step_of(path_id_actor(&a), PATH_MESSAGE, "x", "");
    struct path_id b1 = step_of(path_id_actor(&b), PATH_MESSAGE, "y", "");
    struct path_id xy = step_of(a1, PATH_MESSAGE, "y", "");
    struct path_id yx =
        step_of(step_of(path_id_actor(&a), PATH_MESSAGE, "y", ""), PATH_MESSAGE,
                "x", "");

    assert_false(id_equal(xy, yx));
    assert_true(id_equal(path_id_replace(path_id_replace(none, none, false, a1),
                                         none, false, b1),
                         path_id_replace(path_id_replace(none, none, false, b1),
                                         none, false, a1)));
}

/* --- fixed vectors -------------------------------------------------------- */

/* Ids are shown to people and kept in files: these never change. The input of
 * each is the bytes 0, 1, 2, ... */
static void test_vectors(void **state)
{
    (void)state;
    static const struct
    {
        size_t size;
        uint64_t seed;
        const char *hash;
    } vectors[] = {
        {0, 0, "02c0cdee4b1dfa15ae33b725440a0fa2"},
        {1, 0, "d875ef0918ab1fd78b211e3a158b8fb5"},
        {2, 0, "d769271b64b6aea147ddb9653ec4fa0d"},
        {3, 1, "24f7dc8e32e6977d9d4d4073d00a6bca"},
        {4, 0, "5af4eee95efb1763731490853b198d66"},
        {7, 0, "50969e063b5c013d4af254eaed898173"},
        {8, 0, "9d91335e2e42408bc738f94d5f0a7a9a"},
        {9, 0xffffffffffffffffu, "5998acab52a7d4999f6b0569d74d837f"},
        {15, 0, "ef11e334ed5e66913b070079b2e983cb"},
        {16, 0, "9c904061524cf98a82609e507edb3b7a"},
        {17, 0, "8ed1e54b79206741cf95be4f09b39ac8"},
        {31, 3, "254622133d40a6a564cd98947576f297"},
        {32, 0, "c8095973a9a6e381bf17699d19ed168b"},
        {33, 0, "6dab82cfc6e047cf9cbb30e4e0d2de98"},
        {64, 0, "cc6e9caf0eeb5d37a5ca7cea02b48db6"},
        {200, 0, "6e78e4c67254da7ca0b26e21d23f66de"},
        {256, 0x123456789abcdefu, "4c335a1f2adbf9a2a17031c2593331d5"},
    };
    unsigned char bytes[256];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    for (size_t i = 0; i < COUNT(vectors); i++)
        assert_id(path_hash(kan_slice(bytes, vectors[i].size), vectors[i].seed),
                  vectors[i].hash);
    assert_id(path_hash(kan_slice(NULL, 0), 0), vectors[0].hash);
}

static void test_vectors_of_ids(void **state)
{
    (void)state;
    struct kan_ref self = ref_of("counter/a");
    struct path_id actor = path_id_actor(&self);

    assert_id(actor, "2431089f53c30ed9bdd5f1bdf1d28b31");
    assert_id(step_of(actor, PATH_MESSAGE, "add", "client/9"),
              "ee72bbee6c45b97285c2e012a7848f49");
    assert_id(path_id_step(actor, PATH_TIMER, "tick", NULL, kan_slice(NULL, 0)),
              "7f0354a89dd491459c83c8605a09fc39");
}

/* The bytes are read as little endian from any address. */
static void test_alignment_does_not_count(void **state)
{
    (void)state;
    unsigned char bytes[64 + 8];

    for (size_t size = 0; size <= 64; size++) {
        struct path_id first = {0, 0};
        for (size_t at = 0; at < 8; at++) {
            for (size_t i = 0; i < size; i++)
                bytes[at + i] = (unsigned char)(i * 37);
            struct path_id id = path_hash(kan_slice(bytes + at, size), 5);
            if (at == 0)
                first = id;
            assert_true(id_equal(id, first));
        }
    }
}

/* --- quality -------------------------------------------------------------- */

/* Chance for the tests: SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

enum
{
    AVALANCHE_ROUNDS = 2000
};

/* One flipped bit of the input flips each bit of the hash half the time. A
 * count of 2,000 fair flips is 1,000 and its deviation 22; over all pairs of
 * bits the widest of some 100,000 lies within six of them. */
static void avalanche(size_t size, bool random)
{
    unsigned char bytes[256] = {0};
    uint64_t chance = size + 1;
    uint64_t seed = 0;

    for (size_t bit = 0; bit < size * 8; bit++) {
        uint32_t flips[128] = {0};
        for (uint32_t round = 0; round < AVALANCHE_ROUNDS; round++) {
            /* Structured: a small counter in zeros, as states are. */
            for (size_t i = 0; random && i < size; i++)
                bytes[i] = (unsigned char)draw(&chance);
            seed = random ? 0 : round;
            struct path_id a = path_hash(kan_slice(bytes, size), seed);
            bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
            struct path_id b = path_hash(kan_slice(bytes, size), seed);
            bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
            for (unsigned i = 0; i < 64; i++) {
                flips[i] += (uint32_t)((a.low ^ b.low) >> i & 1);
                flips[64 + i] += (uint32_t)((a.high ^ b.high) >> i & 1);
            }
        }
        for (unsigned i = 0; i < 128; i++) {
            if (flips[i] < 866 || flips[i] > 1134)
                fail_msg(
                    "size %zu: bit %zu flips bit %u of the hash %u times "
                    "of %d",
                    size, bit, i, flips[i], AVALANCHE_ROUNDS);
        }
    }
}

static void test_avalanche(void **state)
{
    (void)state;
    avalanche(1, false);
    avalanche(3, false);
    avalanche(4, true);
    avalanche(8, true);
    avalanche(8, false);
    avalanche(17, true);
    avalanche(40, false);
}

enum
{
    KEYS = 1 << 18
};

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* How many keys share their shift-ed value with another. */
static uint32_t collisions(const uint64_t *values, unsigned shift,
                           uint64_t *sorted)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < KEYS; i++)
        sorted[i] = values[i] >> shift;
    qsort(sorted, KEYS, sizeof *sorted, compare);
    for (uint32_t i = 1; i < KEYS; i++)
        count += sorted[i] == sorted[i - 1];
    return count;
}

/* In 2^18 keys, 32 bits collide 8 times (2^36 / 2^33), 64 bits never. Each
 * half, from both ends: a table's index is the low bits. */
static void check_collisions(const struct path_id *ids)
{
    uint64_t *values = mem_alloc(KEYS * sizeof *values);
    uint64_t *sorted = mem_alloc(KEYS * sizeof *sorted);

    assert_non_null(values);
    assert_non_null(sorted);
    for (unsigned part = 0; part < 5; part++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            uint64_t half = part & 1 ? ids[i].high : ids[i].low;
            values[i] = part < 2   ? half
                        : part < 4 ? half << 32
                                   : ids[i].low << 32 | ids[i].high >> 32;
        }
        if (part != 2 && part != 3)
            assert_int_equal(collisions(values, 0, sorted), 0);
        assert_in_range(collisions(values, 32, sorted), 0, 25);
    }
    (void)mem_free(values);
    (void)mem_free(sorted);
}

/* A state as a checker meets it: small numbers, each in its place. */
static void number_put(unsigned char *to, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (unsigned char)(number >> (8 * i));
}

static void key_make(unsigned pattern, uint32_t number, unsigned char *key,
                     size_t *ret_size)
{
    memset(key, 0, 200);
    *ret_size = 64;
    switch (pattern) {
    case 0: /* one counter */
        number_put(key, number, 8);
        *ret_size = 8;
        break;
    case 1: /* six numbers of eight bytes, each 0 to 7 */
        for (unsigned i = 0; i < 6; i++)
            number_put(key + i * 8, number >> (3 * i) & 7, 8);
        *ret_size = 48;
        break;
    case 2: /* the same, as bytes spread over a large struct */
        for (unsigned i = 0; i < 6; i++)
            key[i * 37] = (unsigned char)(number >> (3 * i) & 7);
        *ret_size = 200;
        break;
    case 3: /* two numbers whose sum and product repeat */
        number_put(key, number & 511, 8);
        number_put(key + 8, number >> 9, 8);
        *ret_size = 16;
        break;
    case 4: /* one or two bits set: 2^18 pairs of 512 and 512 */
        key[(number & 511) / 8] ^= (unsigned char)(1u << (number & 7));
        key[64 + (number >> 9) / 8] ^= (unsigned char)(1u << (number >> 9 & 7));
        *ret_size = 128;
        break;
    default: /* a number in the high half of a word, among ones */
        memset(key, 0xff, 64);
        number_put(key + 36, number, 4);
        break;
    }
}

static void test_structured_keys_do_not_collide(void **state)
{
    (void)state;
    struct path_id *ids = mem_alloc(KEYS * sizeof *ids);
    unsigned char key[256];
    size_t size;

    assert_non_null(ids);
    for (unsigned pattern = 0; pattern < 6; pattern++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            key_make(pattern, i, key, &size);
            ids[i] = path_hash(kan_slice(key, size), 0);
        }
        check_collisions(ids);
    }
    /* Seeds and chains are keys as well. */
    for (uint32_t i = 0; i < KEYS; i++)
        ids[i] = path_hash(kan_slice("kan", 3), i);
    check_collisions(ids);
    ids[0] = (struct path_id){0, 0};
    for (uint32_t i = 1; i < KEYS; i++)
        ids[i] = path_id_step(ids[i - 1], PATH_TIMER, "tick", NULL,
                              kan_slice(NULL, 0));
    check_collisions(ids);
    (void)mem_free(ids);
}

/* Zeros of every length are different keys. */
static void test_length_counts(void **state)
{
    (void)state;
    static const unsigned char zeros[300];
    struct path_id ids[COUNT(zeros)];

    for (size_t i = 0; i < COUNT(ids); i++) {
        ids[i] = path_hash(kan_slice(zeros, i), 0);
        for (size_t j = 0; j < i; j++)
            assert_true(ids[i].low != ids[j].low && ids[i].high != ids[j].high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_sums_carry),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_everything_in_an_input_counts),
        cmocka_unit_test(test_what_does_not_count),
        cmocka_unit_test(test_order_counts_within_an_actor_only),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_vectors_of_ids),
        cmocka_unit_test(test_alignment_does_not_count),
        cmocka_unit_test(test_avalanche),
        cmocka_unit_test(test_structured_keys_do_not_collide),
        cmocka_unit_test(test_length_counts),
    };
    return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
