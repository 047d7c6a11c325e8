/* Tests of the set of visited states, against an exact set. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/map.h"
#include "check/walk/visited.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define MEMORY_MAX ((uint64_t)1 << 40)

static struct visited set;

static void assert_ok(enum kan_err err)
{
    assert_string_equal(kan_err_name(err), "OK");
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
    visited_fini(&set);
    return mem_live() == live_before ? 0 : -1;
}

/* --- hashes --------------------------------------------------------------- */

/* splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t mixed(uint64_t i)
{
    i += 0x9e3779b97f4a7c15;
    i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9;
    i = (i ^ (i >> 27)) * 0x94d049bb133111eb;
    return i ^ (i >> 31);
}

typedef struct visited_hash hash_of(uint64_t i);

static struct visited_hash hash_random(uint64_t i)
{
    return (struct visited_hash){mixed(2 * i), mixed(2 * i + 1)};
}

/* All in one unit. */
static struct visited_hash hash_low(uint64_t i)
{
    return (struct visited_hash){.low = i};
}

static struct visited_hash hash_low_ones(uint64_t i)
{
    return (struct visited_hash){~i, UINT64_MAX};
}

static struct visited_hash hash_low_top(uint64_t i)
{
    return (struct visited_hash){.low = i << 40};
}

static struct visited_hash hash_low_random(uint64_t i)
{
    return (struct visited_hash){mixed(i), 42};
}

static struct visited_hash hash_high(uint64_t i)
{
    return (struct visited_hash){.high = i};
}

static struct visited_hash hash_high_top(uint64_t i)
{
    return (struct visited_hash){.low = UINT64_MAX, .high = i << 40};
}

static struct visited_hash hash_high_random(uint64_t i)
{
    return (struct visited_hash){42, mixed(i)};
}

static struct visited_hash hash_both(uint64_t i)
{
    return (struct visited_hash){i, i};
}

/* --- adds ----------------------------------------------------------------- */

/* Add a state that is new, or not, as told. */
static void add(struct visited_hash hash, bool expected)
{
    bool added = !expected;
    visited_prefetch(&set, hash);
    assert_ok(visited_add(&set, hash, &added, NULL));
    assert_int_equal(added, expected);
}

static void test_random_against_map(void **state)
{
    (void)state;
    struct map exact;
    map_init(&exact, (struct hash_seed){1, 2}, 1 << 20);
    assert_ok(visited_init(&set, 0, MEMORY_MAX));
    for (uint64_t i = 0; i < 300000; i++) {
        struct visited_hash hash = hash_random(mixed(i) % 200000);
        struct kan_slice key = kan_slice(&hash, sizeof hash);
        bool is_new = map_get(&exact, key) == NULL;
        assert_int_equal(visited_find(&set, hash, NULL), !is_new);
        add(hash, is_new);
        assert_ok(map_put(&exact, key, &exact, NULL));
    }
    assert_int_equal(visited_count(&set), map_count(&exact));
    map_fini(&exact);
}

/* The mix keeps hashes apart that differ in one half only. */
static void test_hashes_that_are_not_mixed(void **state)
{
    (void)state;
    static hash_of *const kinds[] = {
        hash_low,  hash_low_ones,    hash_low_top,
        hash_high, hash_low_random,  hash_high_top,
        hash_both, hash_high_random, hash_random,
    };
    enum
    {
        STATES = 30000
    };
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        assert_ok(visited_init(&set, 0, MEMORY_MAX));
        for (uint64_t i = 0; i < STATES; i++)
            add(kinds[kind](i), true);
        for (uint64_t i = 0; i < STATES; i++) {
            add(kinds[kind](i), false);
            assert_false(visited_find(&set, kinds[kind](STATES + i), NULL));
        }
        assert_int_equal(visited_count(&set), STATES);
        visited_fini(&set);
    }
}

static void test_border_values(void **state)
{
    (void)state;
    static const uint64_t borders[] = {
        0,          1,          2,      INT64_MAX,   (uint64_t)INT64_MIN,
        UINT32_MAX, 1ull << 32, ~0ull,  ~0ull - 1,   1ull << 54,
        7,          1ull << 53, 0x3ff0, ~0ull << 54, 0x9e3779b97f4a7c15,
    };
    assert_ok(visited_init(&set, 0, MEMORY_MAX));
    uint64_t count = 0;
    for (size_t i = 0; i < COUNT(borders); i++) {
        for (size_t j = 0; j < COUNT(borders); j++) {
            struct visited_hash hash = {borders[i], borders[j]};
            assert_false(visited_find(&set, hash, NULL));
            add(hash, true);
            add(hash, false);
            count++;
        }
    }
    assert_int_equal(visited_count(&set), count);
}

/* A hash whose tag would be that of an empty slot. */
static void test_tag_of_zero(void **state)
{
    (void)state;
    uint64_t tag = 0;
    struct visited_hash zero = {5 * 0x9e3779b97f4a7c15, 5};
    (void)visited_mix(zero, &tag);
    assert_true(tag != 0);
    assert_ok(visited_init(&set, 0, MEMORY_MAX));
    assert_false(visited_find(&set, zero, NULL));
    add(zero, true);
    add(zero, false);
    assert_int_equal(visited_count(&set), 1);
}

/* --- growth --------------------------------------------------------------- */

/* Each size, and what a state takes: 10 bytes, and 20 with a payload. */
static void test_growth_keeps_states_and_payloads(void **state)
{
    (void)state;
    enum
    {
        STATES = 1200000
    };
    for (uint32_t size = 0; size <= 8; size += 8) {
        assert_ok(visited_init(&set, size, MEMORY_MAX));
        for (uint64_t i = 0; i < STATES; i++) {
            bool added = false;
            uint64_t *payload = &(uint64_t){1};
            assert_ok(visited_add(&set, hash_random(i), &added, &payload));
            assert_true(added);
            assert_true(size ? *payload == 0 : payload == NULL);
            if (payload)
                *payload = ~i;
            if (i >= 1000000 && i % 256 == 0)
                assert_in_range(visited_bytes(&set), 0,
                                (10 + size / 8 * 10) * i);
        }
        assert_int_equal(visited_count(&set), STATES);
        for (uint64_t i = 0; i < STATES; i++) {
            uint64_t *payload = &(uint64_t){1};
            assert_true(visited_find(&set, hash_random(i), &payload));
            assert_true(size ? *payload == ~i : payload == NULL);
        }
        visited_fini(&set);
    }
}

static void test_payload_is_written_in_place(void **state)
{
    (void)state;
    assert_ok(visited_init(&set, 8, MEMORY_MAX));
    for (uint64_t round = 0; round < 8; round++) {
        for (uint64_t i = 0; i < 20000; i++) {
            bool added = false;
            uint64_t *payload = NULL;
            assert_ok(visited_add(&set, hash_random(i), &added, &payload));
            assert_int_equal(added, round == 0);
            assert_int_equal(*payload, round * i);
            *payload += i;
        }
    }
}

static void test_reserve(void **state)
{
    (void)state;
    assert_ok(visited_init(&set, 0, (uint64_t)64 << 20));
    assert_ok(visited_reserve(&set, 100000));
    uint64_t bytes = visited_bytes(&set);
    for (uint64_t i = 0; i < 100000; i++)
        add(hash_random(i), true);
    assert_int_equal(visited_bytes(&set), bytes);
    assert_int_equal(visited_reserve(&set, 100000000), KAN_NOMEM);
    assert_int_equal(visited_reserve(&set, UINT64_MAX), KAN_NOMEM);
    assert_int_equal(visited_count(&set), 100000);
    for (uint64_t i = 0; i < 100000; i++)
        add(hash_random(i), false);
}

/* --- limits and faults ---------------------------------------------------- */

static void test_memory_limit(void **state)
{
    (void)state;
    enum
    {
        LIMIT = 4 << 20
    };
    assert_int_equal(visited_init(&set, 0, 100000), KAN_NOMEM);
    assert_int_equal(mem_live(), live_before);

    assert_ok(visited_init(&set, 0, LIMIT));
    enum kan_err err = KAN_OK;
    uint64_t count = 0;
    bool added = false;
    while ((err = visited_add(&set, hash_random(count), &added, NULL)) ==
           KAN_OK)
        count++;
    assert_int_equal(err, KAN_NOMEM);
    assert_int_equal(visited_count(&set), count);
    assert_in_range(visited_bytes(&set), 0, LIMIT);
    /* The limit is made use of: a state takes 8 bytes at least. */
    assert_in_range(count * 8, LIMIT / 100 * 78, LIMIT);
    assert_false(visited_find(&set, hash_random(count), NULL));
    for (uint64_t i = 0; i < count; i++)
        add(hash_random(i), false);
}

static void test_faults(void **state)
{
    (void)state;
    uint64_t nth = 0;
    bool struck = true;
    for (; struck; nth++) {
        mem_fault(nth + 1, false);
        enum kan_err err = visited_init(&set, 8, MEMORY_MAX);
        if (err != KAN_OK) {
            assert_int_equal(err, KAN_NOMEM);
            assert_int_equal(mem_live(), live_before);
            err = visited_init(&set, 8, MEMORY_MAX);
        }
        assert_ok(err);
        for (uint64_t i = 0; i < 30000; i++) {
            bool added = false;
            uint64_t *payload = NULL;
            err = visited_add(&set, hash_random(i), &added, &payload);
            if (err != KAN_OK) {
                assert_int_equal(err, KAN_NOMEM);
                assert_int_equal(visited_count(&set), i);
                assert_false(visited_find(&set, hash_random(i), NULL));
                err = visited_add(&set, hash_random(i), &added, &payload);
            }
            assert_ok(err);
            assert_true(added);
            *payload = i;
        }
        for (uint64_t i = 0; i < 30000; i++) {
            uint64_t *payload = NULL;
            assert_true(visited_find(&set, hash_random(i), &payload));
            assert_int_equal(*payload, i);
        }
        struck = mem_fault_struck();
        mem_fault(0, false);
        visited_fini(&set);
    }
    assert_in_range(nth, 32, 1000);
}

/* --- several threads ------------------------------------------------------ */

enum
{
    THREADS = 4,
    SHARED_STATES = 150000
};

struct adder
{
    pthread_t thread;
    uint64_t next; /* the state to add */
    uint64_t added;
    uint64_t busy;
};

/* All threads add the same states in the same order: most adds of a new one
 * meet others of the same. */
static void *adder_main(void *arg)
{
    struct adder *adder = arg;
    while (adder->next < SHARED_STATES) {
        bool added = false;
        struct visited_hash hash = hash_random(adder->next);
        visited_prefetch(&set, hash);
        if (visited_add_shared(&set, hash, &added) != KAN_OK) {
            adder->busy++;
            return NULL;
        }
        adder->added += added;
        adder->next++;
    }
    return NULL;
}

/* One level. Whether all adders are through. */
static bool adders_run(struct adder *adders)
{
    bool through = true;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&adders[i].thread, NULL, adder_main, &adders[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(adders[i].thread, NULL), 0);
        through &= adders[i].next == SHARED_STATES;
    }
    return through;
}

static void test_threads(void **state)
{
    (void)state;
    uint64_t added = 0;
    uint64_t busy = 0;
    for (uint64_t ahead = 0; ahead <= SHARED_STATES; ahead += SHARED_STATES) {
        struct adder adders[THREADS] = {0};
        added = busy = 0;
        assert_ok(visited_init(&set, 0, MEMORY_MAX));
        assert_ok(visited_reserve(&set, ahead));
        while (!adders_run(adders))
            assert_ok(visited_reserve(&set, 0));
        for (size_t i = 0; i < THREADS; i++) {
            added += adders[i].added;
            busy += adders[i].busy;
        }
        assert_int_equal(added, SHARED_STATES);
        assert_int_equal(visited_count(&set), SHARED_STATES);
        assert_int_equal(busy > 0, ahead == 0);
        for (uint64_t i = 0; i < SHARED_STATES; i++)
            add(hash_random(i), false);
        visited_fini(&set);
    }
}

/* A unit may be filled to the last slot: the search of its lines ends. */
static void test_unit_full_to_the_last_slot(void **state)
{
    (void)state;
    bool added = false;
    uint64_t i = 0;
    assert_ok(visited_init(&set, 0, MEMORY_MAX));
    struct visited_unit *unit = &set.units[0];
    unit->count_max = UINT32_MAX;
    while (visited_add_shared(&set, hash_low(i), &added) == KAN_OK) {
        assert_true(added);
        i++;
    }
    assert_int_equal(i, unit->lines * VISITED_LINE_TAGS);
    for (uint64_t j = 0; j < i; j++) {
        assert_ok(visited_add_shared(&set, hash_low(j), &added));
        assert_false(added);
    }
    unit->count_max = 0;
    assert_ok(visited_reserve(&set, 0));
    assert_int_equal(visited_count(&set), i);
    add(hash_low(i), true);
    add(hash_low(0), false);
}

/* --- figures -------------------------------------------------------------- */

static void test_omission(void **state)
{
    (void)state;
    assert_true(visited_omission(0) == 0);
    assert_true(visited_omission((uint64_t)1 << 37) == 0.5);
    assert_true(visited_omission(UINT64_MAX) == 1);
    double million = visited_omission(1000000); /* 10^12 / 2^75 */
    assert_true(million > 2.646977e-11 && million < 2.646979e-11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_against_map, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_hashes_that_are_not_mixed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_border_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tag_of_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(test_growth_keeps_states_and_payloads,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_payload_is_written_in_place, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_reserve, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unit_full_to_the_last_slot, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_omission, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
