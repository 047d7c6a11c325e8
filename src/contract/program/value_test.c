/* Values in memory and as they are kept: what is canonical, in which order, and
 * what is not loaded. Boundary values and values by chance are canonical, too.
 */

#include "contract/program/value_case.h"

static _Alignas(16) unsigned char value[VALUE_MAX];
static _Alignas(16) unsigned char other[VALUE_MAX];

static struct program_member field(const char *name)
{
    return sample_member(program, 0, name);
}

static uint32_t size_of(uint32_t type)
{
    uint32_t size = program_type(program, type)->size;
    assert_true(size <= VALUE_MAX);
    return size;
}

/* Read text as JSON into zeroed memory. */
static void write_value(uint32_t type, const char *text, void *to)
{
    memset(to, 0, size_of(type));
    sample_read(program, type, text, to);
}

/* Saved bytes of value, in out, come back as the same value. */
static void check_kept(uint32_t type)
{
    uint32_t size = size_of(type);

    buffer_clear(&out);
    assert_true(program_valid(program, type, value));
    program_save(program, type, value, &out);
    buffer_append_text(&out, "behind");
    struct kan_slice bytes = buffer_slice(&out);
    memset(other, 0xee, size);
    assert_int_equal(program_load(program, type, &bytes, other), KAN_OK);
    assert_int_equal(bytes.size, strlen("behind"));
    assert_memory_equal(value, other, size);
}

/* --- keeping -------------------------------------------------------------- */

static void test_kept_bytes(void **state)
{
    static const struct
    {
        const char *field;
        const char *json;
        const char *bytes;
        size_t size;
    } cases[] = {
        {"busy", "true", "\x01", 1},
        {"net", "0", "\x00", 1},
        {"net", "-1", "\x01", 1},
        {"net", "64", "\x80\x01", 2},
        {"net", "\"9223372036854775807\"",
         "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
        {"net", "\"-9223372036854775808\"",
         "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
        {"stage", "\"shipped\"", "\x02", 1},
        {"owner", "\"\\u00e4!\"", "\x03\xc3\xa4!", 4},
        {"coupon", "null", "\x00", 1},
        {"coupon", "\"\"", "\x01\x00", 2},
        {"tags", "[\"b\",\"\",\"ab\",\"a\"]",
         "\x04\x00\x01"
         "a\x02"
         "ab\x01"
         "b",
         9},
        {"rates", "{\"5\":0,\"-5\":1,\"-1\":2}", "\x03\x09\x02\x01\x04\x0a\x00",
         7},
        {"halves", "{\"true\":1,\"false\":2}", "\x02\x00\x04\x01\x02", 5},
        {"passed", "{\"paid\":null,\"filling\":true}",
         "\x02\x00\x01\x01\x01\x00", 6},
        {"lines", "{\"x\":{\"count\":3}}", "\x01\x01x\x06\x01-", 6},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t type = field(cases[i].field).type;
        write_value(type, cases[i].json, value);
        check_kept(type);
        assert_int_equal(out.size, cases[i].size + strlen("behind"));
        assert_memory_equal(out.bytes, cases[i].bytes, cases[i].size);
    }
}

static void test_any_is_kept(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        program_any(program, 0, sample_choose, &seed, value);
        check_kept(0);
        for (uint32_t type = 1; type < program_type_count(program); type++) {
            program_any(program, type, sample_choose, &seed, value);
            check_kept(type);
        }
    }
}

static void refused(uint32_t type, struct kan_slice bytes)
{
    struct kan_slice rest = bytes;
    uint32_t size = size_of(type);

    memset(value, 0xab, size);
    memset(other, 0xab, size);
    assert_int_equal(program_load(program, type, &rest, value), KAN_CORRUPT);
    assert_memory_equal(value, other, size);
    assert_ptr_equal(rest.bytes, bytes.bytes);
    assert_int_equal(rest.size, bytes.size);
}

static void test_not_canonical(void **state)
{
    static const struct
    {
        const char *field;
        const char *bytes;
        size_t size;
    } cases[] = {
        {"busy", "\x02", 1},
        {"busy", "", 0},
        {"balance", "\x01", 1},                 /* -1 */
        {"balance", "\x82\xa8\xd6\xb9\x07", 5}, /* one more than the most */
        {"net", "\x80\x00", 2},                 /* zero in two bytes */
        {"net", "\x80", 1},                     /* not ended */
        {"net", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
        {"net", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
        {"stage", "\x03", 1},
        {"owner", "\x51", 1},             /* 81 bytes */
        {"owner", "\x02\xc3", 2},         /* one is missing */
        {"owner", "\x02\xc3!", 3},        /* no UTF-8 */
        {"owner", "\x03\xed\xa0\x80", 4}, /* a surrogate */
        {"owner", "\x80\x00", 2},
        {"coupon", "\x02\x00", 2},
        {"coupon", "\x01", 1},
        {"coupon", "\x01\x15", 2},
        {"tags",
         "\x02\x01"
         "a\x01"
         "a",
         5}, /* doubled */
        {"tags",
         "\x02\x01"
         "b\x01"
         "a",
         5}, /* not sorted */
        {"tags",
         "\x02\x01"
         "a\x00",
         4},
        {"tags",
         "\x05\x00\x01"
         "a\x01"
         "b\x01"
         "c\x01"
         "d",
         10},
        {"days", "\x01\x00", 2}, /* a day 0 */
        {"stages", "\x02\x01\x00", 3},
        {"rates", "\x02\x00\x00\x01\x00", 5}, /* 0 before -1 */
        {"rates", "\x01\x0c\x00", 3},         /* a key of 6 */
        {"halves", "\x02\x01\x00\x00\x00", 5},
        {"halves", "\x01\x02\x00", 3},
        {"passed", "\x01\x00\x01\x02", 4},
        {"lines", "\x01\x01x\x00\x00", 5}, /* a count of 0 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(field(cases[i].field).type,
                kan_slice(cases[i].bytes, cases[i].size));
}

static void test_cut_short(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        program_any(program, 0, sample_choose, &seed, value);
        buffer_clear(&out);
        program_save(program, 0, value, &out);
        for (size_t size = 0; size < out.size; size++)
            refused(0, kan_slice(out.bytes, size));
    }
}

static void test_no_memory(void **state)
{
    uint64_t seed = 3;

    (void)state;
    program_any(program, 0, sample_choose, &seed, value);
    mem_fault(1, true);
    program_save(program, 0, value, &out);
    program_json(program, 0, value, &out);
    program_print(program, 0, value, &out);
    mem_fault(0, false);
    assert_true(buffer_failed(&out));
    check_kept(0);
}

/* --- in memory ------------------------------------------------------------ */

/* Bytes that are a value are the only bytes of that value: another byte
 * anywhere makes another value, or none. */
static void test_one_form(void **state)
{
    uint64_t seed = 11;
    uint32_t size = size_of(0);
    unsigned valid = 0;
    unsigned changed = 0;
    struct buffer first = BUFFER_INIT;

    (void)state;
    for (unsigned round = 0; round < 4; round++) {
        program_any(program, 0, sample_choose, &seed, value);
        buffer_clear(&first);
        program_save(program, 0, value, &first);
        for (uint32_t i = 0; i < size; i++) {
            unsigned char kept = value[i];
            value[i] = (unsigned char)(kept ^ (1u << (i % 8)));
            changed++;
            if (program_valid(program, 0, value)) {
                valid++;
                check_kept(0);
                out.size -= strlen("behind");
                assert_false(
                    slice_equal(buffer_slice(&out), buffer_slice(&first)));
            }
            value[i] = kept;
        }
    }
    buffer_fini(&first);
    /* Both happened. */
    assert_true(valid > 10 && valid < changed / 2);
}

static void test_not_valid(void **state)
{
    uint32_t tags = field("tags").type;
    const struct program_type *t = program_type(program, tags);
    uint32_t coupon = field("coupon").type;
    uint32_t owner = field("owner").type;
    uint32_t days = field("days").type;

    (void)state;
    write_value(tags, "[\"a\",\"b\"]", value);
    assert_true(program_valid(program, tags, value));
    /* The elements change places. */
    ((char *)value_element_at(t, value, 0))[2] = 'c';
    assert_false(program_valid(program, tags, value));
    ((char *)value_element_at(t, value, 0))[2] = 'b';
    assert_false(program_valid(program, tags, value));
    write_value(tags, "[\"a\",\"b\"]", value);
    /* An element behind the count. */
    value_short_set(value, 1);
    assert_false(program_valid(program, tags, value));
    value_short_set(value, 5);
    assert_false(program_valid(program, tags, value));

    write_value(coupon, "\"x\"", value);
    assert_true(program_valid(program, coupon, value));
    value[program_type(program, program_type(program, coupon)->of)->size] = 0;
    assert_false(program_valid(program, coupon, value));
    value[program_type(program, program_type(program, coupon)->of)->size] = 2;
    assert_false(program_valid(program, coupon, value));

    write_value(owner, "\"xy\"", value);
    value_short_set(value, 1);
    assert_false(program_valid(program, owner, value));
    value_short_set(value, UINT16_MAX);
    assert_false(program_valid(program, owner, value));
    write_value(owner, "\"x\"", value);
    value[2] = 0xff;
    assert_false(program_valid(program, owner, value));

    /* Between the count and the first element. */
    write_value(days, "[1,31]", value);
    assert_true(program_valid(program, days, value));
    value[2] = 1;
    assert_false(program_valid(program, days, value));
}

static void ordered(uint32_t type, const char *const *texts, size_t count)
{
    static _Alignas(16) unsigned char a[VALUE_MAX];
    static _Alignas(16) unsigned char b[VALUE_MAX];

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            write_value(type, texts[i], a);
            write_value(type, texts[k], b);
            int order = value_compare(program, type, a, b);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
}

#define ORDERED(name, ...)                                                \
    do {                                                                  \
        static const char *const texts[] = {__VA_ARGS__};                 \
        ordered(field(name).type, texts, sizeof texts / sizeof texts[0]); \
    } while (0)

static void test_order(void **state)
{
    (void)state;
    ORDERED("busy", "false", "true");
    ORDERED("net", "\"-9223372036854775808\"", "-1", "0", "1",
            "\"9223372036854775807\"");
    ORDERED("owner", "\"\"", "\"a\"", "\"aa\"", "\"b\"", "\"\\u00e4\"");
    ORDERED("stage", "\"filling\"", "\"paid\"", "\"shipped\"");
    ORDERED("coupon", "null", "\"\"", "\"a\"");
    ORDERED("tags", "[]", "[\"a\"]", "[\"a\",\"b\"]", "[\"b\"]");
    ORDERED("rates", "{}", "{\"-5\":0}", "{\"-5\":1}", "{\"-4\":0}");
    ORDERED("lines", "{\"a\":{\"count\":1}}", "{\"a\":{\"count\":2}}",
            "{\"a\":{\"count\":2,\"note\":\"x\"}}");
}

static void test_sort(void **state)
{
    uint32_t days = field("days").type;
    const struct program_type *t = program_type(program, days);

    (void)state;
    for (uint64_t seed = 1; seed < 50; seed++) {
        uint64_t chance = seed;
        bool seen[32] = {false};
        bool doubled = false;
        memset(value, 0, size_of(days));
        uint32_t count = (uint32_t)sample_choose(&chance, 12);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t day = 1 + sample_choose(&chance, 31);
            doubled = doubled || seen[day];
            seen[day] = true;
            value_int_set(value_element_at(t, value, i), (int64_t)day);
        }
        uint32_t at = value_sort(program, t, value, count);
        assert_int_equal(at < count, doubled);
        assert_int_equal(program_valid(program, days, value), !doubled);
        if (doubled)
            assert_int_equal(value_int(value_element(t, value, at)),
                             value_int(value_element(t, value, at - 1)));
        for (uint32_t i = 0; i < count; i++)
            assert_true(seen[value_int(value_element(t, value, i))]);
    }
}

/* --- boundary values ------------------------------------------------------ */

/* All boundary values of a type as JSON, each in its place, separated by
 * spaces; texts that are long as their first letters. */
static const char *boundaries(uint32_t type)
{
    uint32_t size = size_of(type);

    buffer_clear(&out);
    for (uint32_t i = 0; program_boundary(program, type, i, value); i++) {
        buffer_append_text(&out, i > 0 ? " " : "");
        program_print(program, type, value, &out);
        assert_true(program_valid(program, type, value));
        for (uint32_t k = 0; k < i; k++) {
            assert_true(program_boundary(program, type, k, other));
            assert_memory_not_equal(value, other, size);
        }
        assert_true(i < PROGRAM_BOUNDARY_MAX);
    }
    return buffer_text(&out);
}

static void test_boundaries(void **state)
{
    int32_t put = program_step_find(program, SLICE("put"));

    (void)state;
    assert_true(put >= 0);
    uint32_t put_type = program_step(program, (uint32_t)put).arguments;
    assert_string_equal(
        boundaries(sample_member(program, put_type, "amount").type),
        "1 1000000 2 999999 777");
    assert_string_equal(
        boundaries(sample_member(program, put_type, "note").type),
        "\"\" \"a\" \"aaaaaaaaaa\" \"-\" \"none\"");
    assert_string_equal(boundaries(field("balance").type),
                        "0 1 1000000000 999999999 777");
    assert_string_equal(boundaries(field("net").type),
                        "0 1 -9223372036854775808 9223372036854775807 "
                        "-9223372036854775807 9223372036854775806 777");
    assert_string_equal(boundaries(field("busy").type), "false true");
    assert_string_equal(boundaries(field("stage").type),
                        "filling paid shipped");
    assert_string_equal(
        boundaries(field("coupon").type),
        "none \"\" \"a\" \"aaaaaaaaaaaaaaaaaaaa\" \"-\" \"none\"");
    assert_string_equal(boundaries(field("tags").type),
                        "{} {\"\"} {\"a\"} {\"aaaaaaaa\"} "
                        "{\"\", \"a\", \"b\", \"c\"}");
    assert_string_equal(boundaries(field("days").type), "{} {1} {31} {2}");
    assert_string_equal(boundaries(field("halves").type),
                        "{} {false: 0} {false: 1} {false: 9} {true: 0} "
                        "{false: 0, true: 0}");
}

static void test_boundaries_that_are_all(void **state)
{
    static const char *const whole[] = {"busy", "stage"};
    static const char *const sampled[] = {"balance", "net",  "coupon",
                                          "tags",    "days", "halves"};

    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        assert_true(program_boundary_whole(program, field(whole[i]).type));
    for (size_t i = 0; i < sizeof sampled / sizeof sampled[0]; i++)
        assert_false(program_boundary_whole(program, field(sampled[i]).type));
}

/* Keys, one as good as another, and never the same again. */
static void test_nth(void **state)
{
    uint32_t text = program_type(program, field("tags").type)->of;
    uint32_t day = program_type(program, field("days").type)->of;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        memset(value, 0, size_of(text));
        assert_true(program_nth(program, text, i, value));
        assert_true(program_valid(program, text, value));
        for (uint32_t k = 0; k < i; k++) {
            memset(other, 0, size_of(text));
            assert_true(program_nth(program, text, k, other));
            assert_memory_not_equal(value, other, size_of(text));
        }
    }
    assert_true(program_nth(program, day, 30, value));
    assert_int_equal(value_int(value), 31);
    assert_false(program_nth(program, day, 31, value));
    assert_false(program_nth(program, field("tags").type, 0, value));
}

static void test_boundary_arguments(void **state)
{
    uint32_t put = (uint32_t)program_step_find(program, SLICE("put"));
    uint32_t type = program_step(program, put).arguments;
    uint64_t count = 0;

    (void)state;
    buffer_clear(&out);
    while (program_boundary_arguments(program, put, count, value)) {
        assert_true(program_valid(program, type, value));
        if (count < 7) {
            buffer_append_text(&out, count > 0 ? " " : "");
            program_print(program, type, value, &out);
        }
        for (uint64_t k = 0; k < count; k++) {
            assert_true(program_boundary_arguments(program, put, k, other));
            assert_memory_not_equal(value, other, size_of(type));
        }
        count++;
    }
    assert_int_equal(count, 5 * 5 * 3);
    assert_false(program_boundary_arguments(program, put, UINT64_MAX, value));
    assert_string_equal(buffer_text(&out),
                        "{amount: 1, note: \"\", goal: filling} "
                        "{amount: 1000000, note: \"\", goal: filling} "
                        "{amount: 2, note: \"\", goal: filling} "
                        "{amount: 999999, note: \"\", goal: filling} "
                        "{amount: 777, note: \"\", goal: filling} "
                        "{amount: 1, note: \"a\", goal: filling} "
                        "{amount: 1000000, note: \"a\", goal: filling}");
}

static void test_boundaries_are_kept(void **state)
{
    unsigned records = 0;

    (void)state;
    for (uint32_t type = 0; type < program_type_count(program); type++) {
        uint32_t i = 0;
        for (; program_boundary(program, type, i, value); i++)
            check_kept(type);
        assert_true(i > 0);
        records += program_type(program, type)->kind == TREE_RECORD;
    }
    assert_true(records > 3);
}

/* --- by chance ------------------------------------------------------------ */

/* What is drawn is all over its type. */
static void test_any(void **state)
{
    uint32_t stage = field("stage").type;
    uint32_t owner = field("owner").type;
    uint32_t net = field("net").type;
    uint64_t seed = 5;
    unsigned stages[3] = {0};
    bool longest = false;
    bool empty = false;
    bool negative = false;
    bool large = false;
    bool small = false;

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        program_any(program, stage, sample_choose, &seed, value);
        stages[value_short(value)]++;
        program_any(program, owner, sample_choose, &seed, value);
        longest = longest || value_short(value) == 80;
        empty = empty || value_short(value) == 0;
        program_any(program, net, sample_choose, &seed, value);
        negative = negative || value_int(value) < 0;
        large = large || value_int(value) > VALUE_EXACT_MAX;
        small = small || value_int(value) == 1;
    }
    assert_true(stages[0] > 50 && stages[1] > 50 && stages[2] > 50);
    assert_true(longest && empty && negative && large && small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_kept_bytes, check_live),
        cmocka_unit_test_teardown(test_any_is_kept, check_live),
        cmocka_unit_test_teardown(test_not_canonical, check_live),
        cmocka_unit_test_teardown(test_cut_short, check_live),
        cmocka_unit_test_teardown(test_no_memory, check_live),
        cmocka_unit_test_teardown(test_one_form, check_live),
        cmocka_unit_test_teardown(test_not_valid, check_live),
        cmocka_unit_test_teardown(test_order, check_live),
        cmocka_unit_test_teardown(test_sort, check_live),
        cmocka_unit_test_teardown(test_boundaries, check_live),
        cmocka_unit_test_teardown(test_boundaries_that_are_all, check_live),
        cmocka_unit_test_teardown(test_nth, check_live),
        cmocka_unit_test_teardown(test_boundary_arguments, check_live),
        cmocka_unit_test_teardown(test_boundaries_are_kept, check_live),
        cmocka_unit_test_teardown(test_any, check_live),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
