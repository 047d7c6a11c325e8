/* Tapes: what is drawn, recorded, replayed, saved and loaded. */

#include "env/sim/fixture.h"

struct fixture fixture;

static void draw(struct tape *tape, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_true(tape_choose(tape, i % 7 + 1) < i % 7 + 1);
}

static bool same(const struct tape *a, const struct tape *b)
{
    return a->count == b->count &&
           memcmp(a->choices, b->choices, a->count * sizeof *a->choices) == 0;
}

static void test_seeds(void **state)
{
    struct tape a;
    struct tape b;
    struct tape c;
    (void)state;
    tape_init_seed(&a, 7);
    tape_init_seed(&b, 7);
    tape_init_seed(&c, 8);
    draw(&a, 5000);
    draw(&b, 5000);
    draw(&c, 5000);
    assert_true(same(&a, &b));
    assert_false(same(&a, &c));
    tape_fini(&a);
    tape_fini(&b);
    tape_fini(&c);
}

static void test_seeds_are_fair(void **state)
{
    unsigned seen[6] = {0};
    struct tape tape;
    (void)state;
    tape_init_seed(&tape, 0);
    for (int i = 0; i < 60000; i++)
        seen[tape_choose(&tape, 6)]++;
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 9400, 10600);
    tape_fini(&tape);
}

static void test_one_is_no_choice(void **state)
{
    struct tape tape;
    (void)state;
    tape_init_seed(&tape, 1);
    assert_int_equal(tape_choose(&tape, 1), 0);
    assert_int_equal(tape.count, 0);
    tape_fini(&tape);
}

static void test_replay(void **state)
{
    const struct tape_choice given[] = {{3, 4}, {9, 10}, {1, 2}};
    struct tape tape;
    (void)state;
    assert_ok(tape_init_replay(&tape, given, 3));
    assert_int_equal(tape_choose(&tape, 4), 3);
    assert_int_equal(tape_choose(&tape, 4), 1); /* 9 modulo 4 */
    assert_int_equal(tape_choose(&tape, 100), 1);
    assert_int_equal(tape_choose(&tape, 100), 0); /* behind the end */
    assert_int_equal(tape.count, 4);
    assert_int_equal(tape.choices[1].n, 4);
    tape_fini(&tape);
}

static void test_a_value_is_proposed(void **state)
{
    const struct tape_choice given[] = {{3, 4}};
    struct tape drawn;
    struct tape replayed;
    (void)state;
    tape_init_seed(&drawn, 1);
    assert_true(tape_chance(&drawn) != tape_chance(&drawn));
    assert_int_equal(tape_choose_value(&drawn, 10, 7), 7);
    assert_int_equal(tape_choose_value(&drawn, 1, 0), 0);
    assert_int_equal(drawn.count, 1);
    assert_int_equal(drawn.choices[0].value, 7);
    assert_ok(tape_init_replay(&replayed, given, 1));
    assert_int_equal(tape_chance(&replayed), 0);
    assert_int_equal(tape_choose_value(&replayed, 4, 1), 3);
    assert_int_equal(tape_choose_value(&replayed, 4, 1), 0); /* at its end */
    tape_fini(&drawn);
    tape_fini(&replayed);
}

static void test_bytes(void **state)
{
    static const unsigned char given[] = {5, 1, 2, 0, 0, 0, 0, 0, 0, 1, 0, 9};
    struct tape tape;
    (void)state;
    tape_init_bytes(&tape, kan_slice(given, sizeof given));
    assert_int_equal(tape_choose(&tape, 256), 5);
    assert_int_equal(tape_choose(&tape, 257), 0x102 % 257);
    assert_int_equal(tape_choose(&tape, 1u << 20), 256);
    assert_int_equal(tape_choose(&tape, 300), 0); /* one byte is too few */
    assert_int_equal(tape_choose(&tape, 10), 0);
    tape_fini(&tape);
}

static void test_save_and_load(void **state)
{
    struct buffer text = BUFFER_INIT;
    struct tape tape;
    struct tape again;
    (void)state;
    tape_init_seed(&tape, 3);
    draw(&tape, 300);
    for (int i = 0; i < 100; i++)
        (void)tape_choose(&tape, 1000000);
    assert_true(tape_choose(&tape, UINT64_MAX) < UINT64_MAX);
    tape_save(&tape, &text);
    assert_ok(tape_load(&again, buffer_slice(&text)));
    draw(&again, 300);
    for (int i = 0; i < 100; i++)
        (void)tape_choose(&again, 1000000);
    (void)tape_choose(&again, UINT64_MAX);
    assert_true(same(&tape, &again));
    buffer_fini(&text);
    tape_fini(&tape);
    tape_fini(&again);
}

static void test_repeats_are_short(void **state)
{
    static const struct tape_choice zeros[500] = {{0, 2}};
    struct buffer text = BUFFER_INIT;
    struct tape tape;
    (void)state;
    assert_ok(tape_init_replay(&tape, zeros, 500));
    for (int i = 0; i < 500; i++)
        (void)tape_choose(&tape, 2);
    tape_save(&tape, &text);
    assert_string_equal(buffer_text(&text), "kan tape 1\n0/2*500\n");
    buffer_fini(&text);
    tape_fini(&tape);
}

static void test_bad_text(void **state)
{
    static const char *const bad[] = {
        "",
        "kan tape 2\n0/2\n",
        "kan tape 1",
        "kan tape 1\n2/2\n",
        "kan tape 1\n0/0\n",
        "kan tape 1\n1\n",
        "kan tape 1\n/2\n",
        "kan tape 1\n-1/2\n",
        "kan tape 1\n0/2*0\n",
        "kan tape 1\n0/2*\n",
        "kan tape 1\n0/2*99999999999\n",
        "kan tape 1\n0/2*18446744073709551615 0/2*2\n",
        "kan tape 1\n0/2\t1/2\n",
    };
    int64_t live = mem_live();
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tape tape;
        assert_int_equal(tape_load(&tape, kan_text(bad[i])), KAN_INVALID);
        assert_int_equal(tape_choose(&tape, 5), 0);
        tape_fini(&tape);
    }
    assert_int_equal(mem_live(), live);
}

static void test_without_memory(void **state)
{
    const struct tape_choice given[] = {{3, 4}};
    struct tape tape;
    (void)state;
    mem_fault(1, false);
    assert_int_equal(tape_init_replay(&tape, given, 1), KAN_NOMEM);
    mem_fault(1, false);
    assert_int_equal(tape_load(&tape, kan_text("kan tape 1\n1/2\n")),
                     KAN_NOMEM);
    mem_fault(2, false);
    assert_int_equal(tape_load(&tape, kan_text("kan tape 1\n1/2\n")),
                     KAN_NOMEM);
    tape_init_seed(&tape, 1);
    mem_fault(1, false);
    draw(&tape, 10); /* goes on, and says that its record is cut short */
    assert_true(tape.failed);
    tape_fini(&tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_seeds_are_fair),
        cmocka_unit_test(test_one_is_no_choice),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_a_value_is_proposed),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_repeats_are_short),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
