/* Values as JSON and back, and each way in which a caller can be wrong: every
 * fault names its place and what was expected. */

#include "contract/program/value_case.h"

static _Alignas(16) unsigned char value[VALUE_MAX];
static _Alignas(16) unsigned char other[VALUE_MAX];

static uint32_t arguments_of(const char *step)
{
    int32_t number = program_step_find(program, kan_text(step));
    assert_true(number >= 0);
    return program_step(program, (uint32_t)number).arguments;
}

static enum kan_err read_slice(uint32_t type, struct kan_slice text)
{
    struct json_tree json = {0};

    buffer_clear(&why);
    assert_int_equal(json_parse(text, NULL, &json), KAN_OK);
    enum kan_err err =
        program_read_json(program, type, &json, &json.nodes[0], value, &why);
    json_fini(&json);
    return err;
}

/* What text is as JSON of the type, as written back. */
static const char *there_and_back(uint32_t type, const char *text)
{
    memset(value, 0, program_type(program, type)->size);
    enum kan_err err = read_slice(type, kan_text(text));
    assert_string_equal(buffer_text(&why), "");
    assert_int_equal(err, KAN_OK);
    assert_true(program_valid(program, type, value));
    buffer_clear(&out);
    program_json(program, type, value, &out);
    return buffer_text(&out);
}

static void test_written(void **state)
{
    static const struct
    {
        const char *field;
        const char *in;
        const char *out; /* NULL: the same */
    } cases[] = {
        {"busy", "true", NULL},
        {"busy", "false", NULL},
        {"net", "-17", NULL},
        {"net", "\"-17\"", "-17"},
        {"net", "9007199254740992", NULL},
        {"net", "9007199254740993", "\"9007199254740993\""},
        {"net", "-9007199254740992", NULL},
        {"net", "-9007199254740993", "\"-9007199254740993\""},
        {"net", "\"-9223372036854775808\"", NULL},
        {"net", "9223372036854775807", "\"9223372036854775807\""},
        {"owner", "\"a\\u0000\\n\\\"\xc3\xa4\"", NULL},
        {"stage", "\"paid\"", NULL},
        {"coupon", "null", NULL},
        {"coupon", "\"\"", NULL},
        {"tags", "[]", NULL},
        {"tags", "[\"b\",\"\",\"a\"]", "[\"\",\"a\",\"b\"]"},
        {"days", "[31,\"1\",9,10]", "[1,9,10,31]"},
        {"stages", "[\"shipped\",\"filling\"]", "[\"filling\",\"shipped\"]"},
        {"lines", "{}", NULL},
        {"lines", "{\"pear\":{\"count\":2,\"note\":\"x\"},\"\":{\"count\":1}}",
         "{\"\":{\"count\":1,\"note\":\"-\"},"
         "\"pear\":{\"count\":2,\"note\":\"x\"}}"},
        {"rates", "{\"5\":\"9007199254740993\",\"-5\":1,\"0\":0}",
         "{\"-5\":1,\"0\":0,\"5\":\"9007199254740993\"}"},
        {"halves", "{\"true\":1,\"false\":9}", "{\"false\":9,\"true\":1}"},
        {"passed", "{\"shipped\":true,\"paid\":null}",
         "{\"paid\":null,\"shipped\":true}"},
        {"home", "{\"floor\":null,\"at\":{\"street\":\"x\"}}",
         "{\"at\":{\"street\":\"x\",\"number\":1},\"floor\":null}"},
        {"home", "{\"at\":{\"street\":\"x\"}}",
         "{\"at\":{\"street\":\"x\",\"number\":1},\"floor\":null}"},
        {"home", "null", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(
            there_and_back(sample_member(program, 0, cases[i].field).type,
                           cases[i].in),
            cases[i].out ? cases[i].out : cases[i].in);
}

static void test_defaults(void **state)
{
    uint32_t put = (uint32_t)program_step_find(program, SLICE("put"));
    uint32_t type = arguments_of("put");

    (void)state;
    program_arguments(program, put, value);
    assert_int_equal(read_slice(type, SLICE("{\"amount\":5}")), KAN_OK);
    program_json(program, type, value, &out);
    assert_string_equal(buffer_text(&out),
                        "{\"amount\":5,\"note\":\"none\",\"goal\":\"paid\"}");
    /* What is given stands, without a rest of the default. */
    program_arguments(program, put, value);
    assert_int_equal(
        read_slice(type, SLICE("{\"goal\":\"filling\",\"note\":\"\","
                               "\"amount\":\"1000000\"}")),
        KAN_OK);
    assert_true(program_valid(program, type, value));
    buffer_clear(&out);
    program_json(program, type, value, &out);
    assert_string_equal(
        buffer_text(&out),
        "{\"amount\":1000000,\"note\":\"\",\"goal\":\"filling\"}");
}

static void test_any_is_read(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        for (uint32_t type = 0; type < program_type_count(program); type++) {
            size_t size = program_type(program, type)->size;
            program_any(program, type, sample_choose, &seed, other);
            buffer_clear(&out);
            program_json(program, type, other, &out);
            memset(value, 0, size);
            assert_int_equal(read_slice(type, buffer_slice(&out)), KAN_OK);
            assert_memory_equal(value, other, size);
        }
    }
}

/* --- faults --------------------------------------------------------------- */

struct fault
{
    const char *json;
    const char *why;
};

static void check_faults(uint32_t type, const struct fault *faults,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        memset(value, 0, program_type(program, type)->size);
        enum kan_err err = read_slice(type, kan_text(faults[i].json));
        assert_string_equal(buffer_text(&why), faults[i].why);
        assert_int_equal(err, KAN_INVALID);
    }
}

static void test_faults_of_arguments(void **state)
{
    static const struct fault faults[] = {
        {"3", "expected an object, not a number"},
        {"[]", "expected an object, not an array"},
        {"{}", "amount: missing, expected int(1 .. 1_000_000)"},
        {"{\"amonut\":1}", "amonut: no such field; did you mean amount?"},
        {"{\"Amount\":1}", "Amount: no such field; did you mean amount?"},
        {"{\"amount\":1,\"colour\":2}", "colour: no such field"},
        {"{\"amount\":1,\"\":2}", "[\"\"]: no such field"},
        {"{\"amount\":1,\"a\\nb\":2}", "[\"a\\nb\"]: no such field"},
        {"{\"amount\":1,\"amount\":1}", "amount: given twice"},
        {"{\"amount\":\"much\"}",
         "amount: expected int(1 .. 1_000_000), not a string"},
        {"{\"amount\":\"\"}",
         "amount: expected int(1 .. 1_000_000), not a string"},
        {"{\"amount\":\"+1\"}",
         "amount: expected int(1 .. 1_000_000), not a string"},
        {"{\"amount\":\"01\"}",
         "amount: expected int(1 .. 1_000_000), not a string"},
        {"{\"amount\":\" 1\"}",
         "amount: expected int(1 .. 1_000_000), not a string"},
        {"{\"amount\":null}", "amount: expected int(1 .. 1_000_000), not null"},
        {"{\"amount\":true}",
         "amount: expected int(1 .. 1_000_000), not a bool"},
        {"{\"amount\":1.0}", "amount: expected int(1 .. 1_000_000), not 1.0"},
        {"{\"amount\":1e3}", "amount: expected int(1 .. 1_000_000), not 1e3"},
        {"{\"amount\":0}", "amount: 0 is not in 1 .. 1_000_000"},
        {"{\"amount\":-1}", "amount: -1 is not in 1 .. 1_000_000"},
        {"{\"amount\":1000001}", "amount: 1000001 is not in 1 .. 1_000_000"},
        {"{\"amount\":99999999999999999999999}",
         "amount: 99999999999999999999999 is not in 1 .. 1_000_000"},
        {"{\"amount\":"
         "10000000000000000000000000000000000000000000000000000}",
         "amount: 1000000000000000000000000000000000000000... is not in "
         "1 .. 1_000_000"},
        {"{\"note\":3}", "note: expected text(10), not a number"},
        {"{\"note\":\"12345678901\"}",
         "note: a text of 11 bytes is longer than text(10)"},
        {"{\"note\":\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\"}",
         "note: a text of 12 bytes is longer than text(10)"},
        {"{\"goal\":\"piad\"}",
         "goal: \"piad\" is none of filling, paid, shipped; "
         "did you mean paid?"},
        {"{\"goal\":\"x\\ny\"}",
         "goal: \"x\\ny\" is none of filling, paid, shipped"},
        {"{\"goal\":\"0123456789012345678901234567890123456789+\"}",
         "goal: \"0123456789012345678901234567890123456789\"... is none of "
         "filling, paid, shipped"},
        {"{\"goal\":\"012345678901234567890123456789012345678\xc3\xa4\"}",
         "goal: \"012345678901234567890123456789012345678\"... is none of "
         "filling, paid, shipped"},
        {"{\"goal\":1}",
         "goal: expected filling | paid | shipped, not a number"},
    };

    (void)state;
    check_faults(arguments_of("put"), faults, sizeof faults / sizeof faults[0]);
}

static void test_faults_within(void **state)
{
    static const struct fault faults[] = {
        {"{\"marks\":[\"a\",3]}", "marks[1]: expected text(8), not a number"},
        {"{\"marks\":{}}", "marks: expected set(text(8), 4), not an object"},
        {"{\"marks\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}",
         "marks: more than 4 elements"},
        {"{\"marks\":[\"b\",\"a\",\"b\"]}", "marks: \"b\" is given twice"},
        {"{\"stays\":[]}",
         "stays: expected map(text(4), an object, 3), not an array"},
        {"{\"stays\":{\"x\":3}}", "stays.x: expected an object, not a number"},
        {"{\"stays\":{\"longer\":{}}}",
         "stays.longer: a text of 6 bytes is longer than text(4)"},
        {"{\"stays\":{\"x\":{\"at\":{\"street\":\"s\"},\"floor\":100}}}",
         "stays.x.floor: 100 is not in -3 .. 99"},
        {"{\"stays\":{\"x\":{\"at\":{\"street\":\"s\",\"number\":0}}}}",
         "stays.x.at.number: 0 is not in 1 .. 9999"},
        {"{\"stays\":{\"a b\":{\"at\":{}}}}",
         "stays[\"a b\"].at.street: missing, expected text(40)"},
        {"{\"stays\":{\"x\":{\"floor\":1}}}",
         "stays.x.at: missing, expected an object"},
        {"{\"stays\":{\"x\":{\"at\":{\"street\":\"s\"},\"flor\":1}}}",
         "stays.x.flor: no such field; did you mean floor?"},
        {"{\"stays\":{\"x\":{\"at\":{\"street\":\"s\"},\"floor\":null},"
         "\"x\":{\"at\":{\"street\":\"s\"},\"floor\":null}}}",
         "stays: \"x\" is given twice"},
    };

    (void)state;
    check_faults(arguments_of("settle"), faults,
                 sizeof faults / sizeof faults[0]);
}

static void test_faults_of_keys(void **state)
{
    static const struct
    {
        const char *field;
        struct fault fault;
    } cases[] = {
        {"rates", {"{\"x\":1}", "x: expected int(-5 .. 5) as the key"}},
        {"rates", {"{\"01\":1}", "01: expected int(-5 .. 5) as the key"}},
        {"rates", {"{\"6\":1}", "6: 6 is not in -5 .. 5"}},
        {"rates", {"{\"1\":1,\"0\":2,\"1\":3}", "1 is given twice"}},
        {"halves", {"{\"yes\":1}", "yes: expected bool as the key"}},
        {"halves",
         {"{\"true\":1,\"false\":2,\"true\":3}", "more than 2 elements"}},
        {"passed",
         {"{\"piad\":null}",
          "piad: \"piad\" is none of filling, paid, shipped; "
          "did you mean paid?"}},
        {"passed", {"{\"paid\":3}", "paid: expected bool, not a number"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_faults(sample_member(program, 0, cases[i].field).type,
                     &cases[i].fault, 1);
}

/* Reading needs no memory but for the fault. */
static void test_no_memory(void **state)
{
    uint32_t type = arguments_of("put");
    struct json_tree json = {0};
    struct kan_slice text = SLICE("{\"amount\":\"x\"}");

    (void)state;
    assert_int_equal(json_parse(text, NULL, &json), KAN_OK);
    memset(value, 0, program_type(program, type)->size);
    mem_fault(1, true);
    enum kan_err err =
        program_read_json(program, type, &json, &json.nodes[0], value, &why);
    mem_fault(0, false);
    json_fini(&json);
    assert_int_equal(err, KAN_INVALID);
    assert_true(buffer_failed(&why));
}

/* --- for humans ----------------------------------------------------------- */

static const char *printed(const char *name, const char *json)
{
    uint32_t type = sample_member(program, 0, name).type;

    (void)there_and_back(type, json);
    buffer_clear(&out);
    program_print(program, type, value, &out);
    return buffer_text(&out);
}

static void test_printed(void **state)
{
    (void)state;
    assert_string_equal(printed("net", "\"9223372036854775807\""),
                        "9223372036854775807");
    assert_string_equal(printed("stage", "\"paid\""), "paid");
    assert_string_equal(printed("coupon", "null"), "none");
    assert_string_equal(printed("coupon", "\"x\""), "\"x\"");
    assert_string_equal(printed("tags", "[\"b\",\"a\"]"), "{\"a\", \"b\"}");
    assert_string_equal(printed("lines", "{\"a\":{\"count\":3}}"),
                        "{\"a\": {count: 3, note: \"-\"}}");
    assert_string_equal(printed("passed", "{\"paid\":null}"), "{paid: none}");
    /* Cut between characters, not in one. */
    assert_string_equal(
        printed("owner",
                "\"a\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82"
                "\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82"
                "\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\""),
        "\"a\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
        "\xe2\x82\xac\"... (43 bytes)");
}

static void test_numbers_printed(void **state)
{
    (void)state;
    value_int_print_long(0, &out);
    buffer_append_byte(&out, ' ');
    value_int_print_long(-9999, &out);
    buffer_append_byte(&out, ' ');
    value_int_print_long(10000, &out);
    buffer_append_byte(&out, ' ');
    value_int_print_long(INT64_MIN, &out);
    assert_string_equal(buffer_text(&out),
                        "0 -9999 10_000 -9_223_372_036_854_775_808");
    buffer_clear(&out);
    value_type_print(program, sample_member(program, 0, "net").type, &out);
    buffer_append_byte(&out, ' ');
    value_type_print(program, sample_member(program, 0, "passed").type, &out);
    assert_string_equal(buffer_text(&out),
                        "int map(filling | paid | shipped, optional bool, 3)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_written, check_live),
        cmocka_unit_test_teardown(test_defaults, check_live),
        cmocka_unit_test_teardown(test_any_is_read, check_live),
        cmocka_unit_test_teardown(test_faults_of_arguments, check_live),
        cmocka_unit_test_teardown(test_faults_within, check_live),
        cmocka_unit_test_teardown(test_faults_of_keys, check_live),
        cmocka_unit_test_teardown(test_no_memory, check_live),
        cmocka_unit_test_teardown(test_printed, check_live),
        cmocka_unit_test_teardown(test_numbers_printed, check_live),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
