/* Tests of the JSON reader and writer. jansson, which is strict as well, is the
 * judge of which documents are valid. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/json_judge.h"
#include "base/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A document of its own memory without a byte to spare, so that the sanitizer
 * sees a read behind it. */
static char *exact(struct kan_slice text)
{
    char *copy = malloc(text.size ? text.size : 1);
    assert_non_null(copy);
    if (text.size)
        memcpy(copy, text.bytes, text.size);
    return copy;
}

/* Every node's place and slices, whatever the document was. */
static void check_tree(const struct json_tree *tree, struct kan_slice input)
{
    const char *from = input.bytes;
    const char *to = from + input.size;

    assert_true(tree->node_count > 0);
    assert_int_equal(tree->nodes[0].next, tree->node_count);
    for (uint32_t i = 0; i < tree->node_count; i++) {
        const struct json_node *node = &tree->nodes[i];
        const char *raw = node->raw.bytes;
        assert_true(raw >= from && raw + node->raw.size <= to);
        assert_true(node->raw.size > 0);
        assert_true(node->next > i && node->next <= tree->node_count);
        bool container = node->kind >= JSON_ARRAY;
        assert_true(node->expanded ? container : node->next == i + 1);
        uint32_t child = i + 1;
        while (child < node->next)
            child = tree->nodes[child].next;
        assert_int_equal(child, node->next);
    }
}

/* --- the table ------------------------------------------------------------ */

struct document
{
    const char *text;
    size_t size;
    const char *wrong; /* in the message; NULL: valid */
    size_t byte;       /* where; with wrong */
    enum json_kind kind;
};

#define GOOD(text, kind)                      \
    {                                         \
        text, sizeof(text) - 1, NULL, 0, kind \
    }
#define BAD(text, wrong, byte)                         \
    {                                                  \
        text, sizeof(text) - 1, wrong, byte, JSON_NULL \
    }

static const struct document documents[] = {
    GOOD("null", JSON_NULL),
    GOOD("true", JSON_BOOL),
    GOOD("false", JSON_BOOL),
    GOOD("0", JSON_NUMBER),
    GOOD("-0", JSON_NUMBER),
    GOOD("12", JSON_NUMBER),
    GOOD("-12.50e+07", JSON_NUMBER),
    GOOD("1E400", JSON_NUMBER),
    GOOD("123456789012345678901234567890", JSON_NUMBER),
    GOOD("\"\"", JSON_STRING),
    GOOD("\"a\"", JSON_STRING),
    GOOD("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", JSON_STRING),
    GOOD("\"\\u0000\"", JSON_STRING),
    GOOD("\"\\uD83D\\ude00\"", JSON_STRING),
    GOOD("\"\x7f\"", JSON_STRING),
    GOOD("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", JSON_STRING),
    GOOD("\"\xef\xbf\xbf\"", JSON_STRING),
    GOOD("[]", JSON_ARRAY),
    GOOD("{}", JSON_OBJECT),
    GOOD(" \t\r\n[ 1 ,\n2 ]\r\n ", JSON_ARRAY),
    GOOD("[[[[]],[]]]", JSON_ARRAY),
    GOOD("{\"\":{\"\":[]}}", JSON_OBJECT),
    GOOD("{\"a\":1,\"a\":2,\"A\":3}", JSON_OBJECT),
    GOOD("{\"\\u0061\\n\":null}", JSON_OBJECT),

    BAD("", "premature EOF", 0),
    BAD(" \n ", "premature EOF", 3),
    BAD("[", "premature EOF", 1),
    BAD("{\"a\":", "premature EOF", 5),
    BAD("[1,2", "premature EOF", 4),
    BAD("\"abc", "premature EOF", 4),
    BAD("\"abc\\", "may not", 5),
    BAD("\"\\u00", "non-hex", 5),
    BAD("tru", "invalid string", 3),
    BAD("nul!", "invalid string", 3),
    BAD("nulll", "trailing garbage", 4),
    BAD("True", "invalid char", 0),
    BAD("NaN", "invalid char", 0),
    BAD("Infinity", "invalid char", 0),
    BAD("01", "trailing garbage", 1),
    BAD("-", "after the minus", 1),
    BAD("-a", "after the minus", 1),
    BAD("+1", "invalid char", 0),
    BAD(".5", "invalid char", 0),
    BAD("1.", "after the decimal point", 2),
    BAD("1.e5", "after the decimal point", 2),
    BAD("1e", "after the exponent", 2),
    BAD("1e+", "after the exponent", 3),
    BAD("0x10", "trailing garbage", 1),
    BAD("[1,]", "unallowed token", 3),
    BAD("[,1]", "unallowed token", 1),
    BAD("[1,,2]", "unallowed token", 3),
    BAD("[1 2]", "',' or ']'", 3),
    BAD("[1]]", "trailing garbage", 3),
    BAD("[1}", "',' or ']'", 2),
    BAD("{\"a\":1,}", "object key", 7),
    BAD("{\"a\"}", "colon", 4),
    BAD("{\"a\" 1}", "colon", 5),
    BAD("{\"a\":1 \"b\":2}", "',' or '}'", 7),
    BAD("{1:2}", "object key", 1),
    BAD("{'a':1}", "invalid char", 1),
    BAD("{\"a\":1]", "',' or '}'", 6),
    BAD("1 2", "trailing garbage", 2),
    BAD("{} x", "trailing garbage", 3),
    BAD("1\0", "trailing garbage", 1),
    BAD("null\"", "trailing garbage", 4),
    BAD("[] tru", "trailing garbage", 3),
    BAD("1 -", "trailing garbage", 2),
    BAD("{}\"\\u", "trailing garbage", 2),
    BAD("/* no */ 1", "comment", 0),
    BAD("1 // no", "trailing garbage", 2),
    BAD("[1,\v2]", "control character", 3),
    BAD("[1,\f2]", "control character", 3),
    BAD("{\"a\"\v:1}", "control character", 4),
    BAD("[\f]", "control character", 1),
    BAD("1\f", "control character", 1),
    BAD("\v", "premature EOF", 1),
    BAD("\xc2\xa0"
        "1",
        "invalid char", 0),
    BAD("\xef\xbb\xbf"
        "1",
        "invalid char", 0),
    BAD("\"\t\"", "inside string", 1),
    BAD("\"\n\"", "inside string", 1),
    BAD("\"\0\"", "inside string", 1),
    BAD("\"\\x41\"", "may not", 2),
    BAD("\"\\'\"", "may not", 2),
    BAD("\"\\U0041\"", "may not", 2),
    BAD("\"\\u00g0\"", "non-hex", 5),
    BAD("\"\\u 041\"", "non-hex", 3),
    BAD("\"\\ud800\"", "surrogate", 1),
    BAD("\"a\\ud800b\"", "surrogate", 2),
    BAD("\"\\ud800\\n\"", "surrogate", 1),
    BAD("\"\\udc00\"", "surrogate", 1),
    BAD("\"\\ud800\\ud800\"", "surrogate", 1),
    BAD("\"\\ud800\\u0041\"", "surrogate", 1),
    BAD("\"\\udc00\\ud800\"", "surrogate", 1),
    BAD("{\"\\ud800\":1}", "surrogate", 2),
    BAD("\"\x80\"", "not UTF-8", 1),
    BAD("\"\xc0\x80\"", "not UTF-8", 1),
    BAD("\"a\xc3\"", "not UTF-8", 2),
    BAD("\"\xe0\x80\x80\"", "not UTF-8", 1),
    BAD("\"\xed\xa0\x80\"", "not UTF-8", 1),
    BAD("\"\xf4\x90\x80\x80\"", "not UTF-8", 1),
    BAD("\"\xf8\x88\x80\x80\x80\"", "not UTF-8", 1),
    BAD("\"\xff\"", "not UTF-8", 1),
};

static void check_document(const struct document *d)
{
    struct kan_slice text = kan_slice(d->text, d->size);
    char *copy = exact(text);
    struct json_tree tree = {0};
    struct kan_slice input = kan_slice(copy, d->size);
    enum kan_err err = json_parse(input, NULL, &tree);

    if (!d->wrong) {
        if (err != KAN_OK)
            fail_msg("'%s' is refused: %s", d->text,
                     buffer_text(&tree.message));
        check_tree(&tree, input);
        assert_int_equal(tree.nodes[0].kind, d->kind);
    } else {
        char place[64];
        (void)snprintf(place, sizeof place, "(byte %zu)", d->byte);
        struct kan_slice message = buffer_slice(&tree.message);
        assert_int_equal(err, KAN_INVALID);
        assert_int_equal(tree.node_count, 0);
        if (slice_find(message, kan_text(d->wrong)) == SIZE_MAX ||
            slice_find(message, kan_text(place)) == SIZE_MAX)
            fail_msg("'%s' is told: %s", d->text, buffer_text(&tree.message));
    }
    json_fini(&tree);
    free(copy);
}

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(documents); i++)
        check_document(&documents[i]);
}

static void test_input_may_be_null(void **state)
{
    (void)state;
    struct json_tree tree = {0};
    assert_int_equal(json_parse(kan_slice(NULL, 0), NULL, &tree), KAN_INVALID);
    json_fini(&tree);
    json_fini(&tree);
}

static void test_place_counts_lines(void **state)
{
    (void)state;
    struct json_tree tree = {0};
    assert_int_equal(json_parse(SLICE("[1\n,\r\n  x]"), NULL, &tree),
                     KAN_INVALID);
    assert_string_equal(
        buffer_text(&tree.message),
        "invalid char in json text at line 3, column 3 (byte 8)");
    json_fini(&tree);
}

/* --- trees ---------------------------------------------------------------- */

static void assert_slice(struct kan_slice slice, const char *expected)
{
    if (!slice_equal(slice, kan_text(expected)))
        fail_msg("'%.*s' is not '%s'", SLICE_ARG(slice), expected);
}

static void test_tree(void **state)
{
    (void)state;
    struct kan_slice input = SLICE(
        " [ {\"k\" : \"a\\u0062\" , \"\\u006e\":[1 , -2.5],\n"
        "\"o\":{\"x\":null}} , true, \"\" ] ");
    struct json_tree tree = {0};
    assert_int_equal(json_parse(input, NULL, &tree), KAN_OK);
    check_tree(&tree, input);
    assert_int_equal(tree.node_count, 10);
    const struct json_node *all = &tree.nodes[0];
    const struct json_node *object = json_first(&tree, all);
    assert_int_equal(object->kind, JSON_OBJECT);
    const struct json_node *k = json_first(&tree, object);
    assert_slice(k->name, "k");
    assert_slice(k->text, "ab");
    assert_slice(k->raw, "\"a\\u0062\"");
    assert_null(json_first(&tree, k));
    const struct json_node *n = json_next(&tree, object, k);
    assert_slice(n->name, "n");
    assert_slice(n->raw, "[1 , -2.5]");
    assert_slice(n->text, "[1 , -2.5]");
    const struct json_node *number = json_first(&tree, n);
    assert_slice(number->text, "1");
    assert_slice(number->name, "");
    number = json_next(&tree, n, number);
    assert_slice(number->raw, "-2.5");
    assert_null(json_next(&tree, n, number));
    const struct json_node *o = json_next(&tree, object, n);
    assert_slice(o->raw, "{\"x\":null}");
    assert_slice(json_first(&tree, o)->name, "x");
    assert_null(json_next(&tree, object, o));
    const struct json_node *yes = json_next(&tree, all, object);
    assert_int_equal(yes->kind, JSON_BOOL);
    assert_slice(yes->text, "true");
    const struct json_node *empty = json_next(&tree, all, yes);
    assert_int_equal(empty->kind, JSON_STRING);
    assert_slice(empty->text, "");
    assert_slice(empty->raw, "\"\"");
    assert_null(json_next(&tree, all, empty));
    json_fini(&tree);
}

static void test_member(void **state)
{
    (void)state;
    struct kan_slice input = SLICE(
        "{\"Key\":1,\"KEY\":2,\"etag\":3,\"ETAG\":4,\"etag\":5,"
        "\"in\":{\"deep\":6}}");
    struct json_tree tree = {0};
    int64_t number = 0;
    assert_int_equal(json_parse(input, NULL, &tree), KAN_OK);
    const struct json_node *object = &tree.nodes[0];
    /* No exact match: the last; an exact match wins, the last of those. */
    assert_int_equal(json_integer(json_member(&tree, object, "key"), &number),
                     KAN_OK);
    assert_int_equal(number, 2);
    assert_int_equal(json_integer(json_member(&tree, object, "Key"), &number),
                     KAN_OK);
    assert_int_equal(number, 1);
    assert_int_equal(json_integer(json_member(&tree, object, "etag"), &number),
                     KAN_OK);
    assert_int_equal(number, 5);
    assert_null(json_member(&tree, object, "deep"));
    assert_null(json_member(&tree, object, ""));
    assert_null(json_member(&tree, json_first(&tree, object), "key"));
    json_fini(&tree);
}

static void test_integer(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "1.0", "1e3", "9223372036854775808", "true", "\"1\"", "null", "[1]"};
    int64_t number = 7;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct json_tree tree = {0};
        assert_int_equal(json_parse(kan_text(bad[i]), NULL, &tree), KAN_OK);
        assert_int_equal(json_integer(&tree.nodes[0], &number), KAN_INVALID);
        assert_int_equal(number, 7);
        json_fini(&tree);
    }
    struct json_tree tree = {0};
    assert_int_equal(json_parse(SLICE("-9223372036854775808"), NULL, &tree),
                     KAN_OK);
    assert_int_equal(json_integer(&tree.nodes[0], &number), KAN_OK);
    assert_true(number == INT64_MIN);
    json_fini(&tree);
}

static void test_raw_members(void **state)
{
    (void)state;
    struct kan_slice input = SLICE(
        "[{\"value\" : {\"value\":[1,{\"x\":\"\\n\"}] } ,\"k\":[0]},"
        "{\"VALUE\":[ ]},{\"v\\u0061lue\":\"\\t\"},{\"value\":7},"
        "{\"k\":{\"value\":{}}}, \"value\"]");
    struct json_options options = {.raw = "value"};
    struct json_tree tree = {0};
    assert_int_equal(json_parse(input, &options, &tree), KAN_OK);
    check_tree(&tree, input);
    const struct json_node *all = &tree.nodes[0];
    const struct json_node *at = json_first(&tree, all);
    const struct json_node *value = json_member(&tree, at, "value");
    assert_int_equal(value->kind, JSON_OBJECT);
    assert_false(value->expanded);
    assert_null(json_first(&tree, value));
    assert_null(json_member(&tree, value, "value"));
    assert_slice(value->raw, "{\"value\":[1,{\"x\":\"\\n\"}] }");
    const struct json_node *k = json_member(&tree, at, "k");
    assert_true(k->expanded);
    assert_slice(json_first(&tree, k)->text, "0");
    at = json_next(&tree, all, at);
    assert_slice(json_member(&tree, at, "value")->raw, "[ ]");
    assert_false(json_member(&tree, at, "value")->expanded);
    at = json_next(&tree, all, at);
    assert_slice(json_member(&tree, at, "value")->raw, "\"\\t\"");
    assert_slice(json_member(&tree, at, "value")->text, "\t");
    at = json_next(&tree, all, at);
    assert_slice(json_member(&tree, at, "value")->raw, "7");
    at = json_next(&tree, all, at);
    k = json_member(&tree, at, "k");
    assert_slice(json_member(&tree, k, "value")->raw, "{}");
    at = json_next(&tree, all, at);
    assert_slice(at->text, "value");
    json_fini(&tree);
}

/* What is not expanded is checked all the same. */
static void test_raw_members_are_checked(void **state)
{
    (void)state;
    struct json_options options = {.raw = "value", .depth_max = 5};
    struct buffer document = BUFFER_INIT;
    for (size_t i = 0; i < COUNT(documents); i++) {
        const struct document *d = &documents[i];
        struct json_tree tree = {0};
        buffer_clear(&document);
        buffer_append_text(&document, "{\"value\":[");
        buffer_append(&document, kan_slice(d->text, d->size));
        buffer_append_text(&document, "]}");
        /* Two documents are as bad alone, but not inside an array. */
        bool mended =
            d->size == 0 || slice_equal(kan_text(d->text), kan_text(" \n "));
        bool deep = slice_starts(kan_text(d->text), SLICE("[[["));
        enum kan_err err = json_parse(buffer_slice(&document), &options, &tree);
        enum kan_err expected =
            (d->wrong && !mended) || deep ? KAN_INVALID : KAN_OK;
        if (err != expected)
            fail_msg("'%s' as raw: %s", d->text, kan_err_name(err));
        assert_int_equal(tree.node_count, err == KAN_OK ? 2 : 0);
        json_fini(&tree);
    }
    buffer_fini(&document);
}

/* --- limits --------------------------------------------------------------- */

static void nest(struct buffer *out, uint32_t depth)
{
    buffer_clear(out);
    for (uint32_t i = 0; i < depth; i++)
        buffer_append_text(out, i % 2 ? "{\"a\":" : "[");
    buffer_append_byte(out, '1');
    for (uint32_t i = depth; i > 0; i--)
        buffer_append_byte(out, (i - 1) % 2 ? '}' : ']');
}

static enum kan_err parse_only(struct kan_slice input,
                               const struct json_options *options)
{
    struct json_tree tree = {0};
    enum kan_err err = json_parse(input, options, &tree);
    if (err == KAN_OK)
        check_tree(&tree, input);
    json_fini(&tree);
    return err;
}

static void test_depth(void **state)
{
    (void)state;
    static const struct
    {
        uint32_t depth_max;
        uint32_t depth;
        enum kan_err err;
    } table[] = {
        {0, 128, KAN_OK},         {0, 129, KAN_INVALID},
        {1, 1, KAN_OK},           {1, 2, KAN_INVALID},
        {3, 3, KAN_OK},           {3, 4, KAN_INVALID},
        {5000, 5000, KAN_OK},     {5000, 5001, KAN_INVALID},
        {0, 500000, KAN_INVALID},
    };
    struct buffer document = BUFFER_INIT;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct json_options options = {.depth_max = table[i].depth_max};
        nest(&document, table[i].depth);
        assert_int_equal(parse_only(buffer_slice(&document), &options),
                         table[i].err);
        /* The same in a raw member: one step deeper, and no less bounded. */
        options.raw = "a";
        options.depth_max = options.depth_max ? options.depth_max : 128;
        assert_int_equal(parse_only(buffer_slice(&document), &options),
                         table[i].err);
    }
    buffer_fini(&document);
}

static void test_nodes(void **state)
{
    (void)state;
    struct json_options options = {.nodes_max = 100};
    struct buffer document = BUFFER_INIT;
    for (uint32_t children = 98; children <= 101; children++) {
        buffer_clear(&document);
        for (uint32_t i = 0; i < children; i++)
            buffer_append_text(&document, i ? ",0" : "[0");
        buffer_append_byte(&document, ']');
        assert_int_equal(parse_only(buffer_slice(&document), &options),
                         children + 1 <= 100 ? KAN_OK : KAN_INVALID);
        assert_int_equal(parse_only(buffer_slice(&document), NULL), KAN_OK);
    }
    options.nodes_max = 1;
    assert_int_equal(parse_only(SLICE("[]"), &options), KAN_OK);
    assert_int_equal(parse_only(SLICE("[0]"), &options), KAN_INVALID);
    buffer_clear(&document);
    for (uint32_t i = 0; i < 65536; i++)
        buffer_append_text(&document, i ? ",0" : "[0");
    buffer_append_byte(&document, ']');
    assert_int_equal(parse_only(buffer_slice(&document), NULL), KAN_INVALID);
    buffer_fini(&document);
}

/* --- memory --------------------------------------------------------------- */

/* Documents that make the reader ask for memory in every way it can. */
static void make_hungry(struct buffer *out, int kind)
{
    buffer_clear(out);
    if (kind == 0) { /* many nodes, escapes, long escapes */
        buffer_append_byte(out, '[');
        for (int i = 0; i < 100; i++)
            buffer_append_text(out, "{\"\\u0061\":\"\\n\"},");
        buffer_append_text(out, "\"\\t");
        for (int i = 0; i < 5000; i++)
            buffer_append_byte(out, 'x');
        buffer_append_text(out, "\"]");
    } else if (kind == 1) { /* a deep stack */
        nest(out, 1000);
    } else if (kind == 2) { /* a number that the end of the input ends */
        for (int i = 0; i < 9000; i++)
            buffer_append_byte(out, '1');
    } else { /* wrong at the end */
        buffer_append_text(out, "[1,2,\"\\n\"");
    }
    assert_false(buffer_failed(out));
}

static void test_faults(void **state)
{
    (void)state;
    struct json_options options = {.depth_max = 1000};
    struct buffer document = BUFFER_INIT;
    for (int kind = 0; kind < 4; kind++) {
        make_hungry(&document, kind);
        int64_t live = mem_live();
        bool struck = true;
        uint64_t n = 1;
        for (; struck; n++) {
            struct json_tree tree = {0};
            mem_fault(n, false);
            enum kan_err err =
                json_parse(buffer_slice(&document), &options, &tree);
            struck = mem_fault_struck();
            mem_fault(0, false);
            /* Without memory for the message the answer stays the same. */
            enum kan_err done = kind == 3 ? KAN_INVALID : KAN_OK;
            bool lost = buffer_failed(&tree.message);
            assert_int_equal(err, struck && !lost ? KAN_NOMEM : done);
            json_fini(&tree);
            assert_int_equal(mem_live(), live);
            assert_int_equal(
                json_parse(buffer_slice(&document), &options, &tree), done);
            json_fini(&tree);
            assert_int_equal(mem_live(), live);
        }
        assert_true(n > 3);
    }
    buffer_fini(&document);
}

/* The hot path: how often it asks for memory. */
static void test_few_allocations(void **state)
{
    (void)state;
    struct kan_slice save = SLICE(
        "[{\"key\":\"order-1\",\"value\":{\"total\":12.5,\"items\":[1,2,3]},"
        "\"etag\":\"17\",\"options\":{\"concurrency\":\"first-write\"}}]");
    struct json_options options = {.raw = "value"};
    struct json_tree tree = {0};
    mem_fault(2, true);
    assert_int_equal(json_parse(save, &options, &tree), KAN_OK);
    assert_false(mem_fault_struck());
    mem_fault(0, false);
    json_fini(&tree);
}

/* --- decoding ------------------------------------------------------------- */

static void append_unit(struct buffer *out, uint32_t unit, bool upper)
{
    buffer_print(out, upper ? "\\u%04X" : "\\u%04x", unit);
}

/* Every code point, written as escapes, is decoded to its UTF-8. */
static void test_escapes_decode(void **state)
{
    (void)state;
    struct buffer document = BUFFER_INIT;
    struct buffer expected = BUFFER_INIT;
    uint32_t point = 0;
    while (point <= 0x10ffff) {
        buffer_clear(&document);
        buffer_clear(&expected);
        buffer_append_byte(&document, '"');
        for (int i = 0; i < 4096 && point <= 0x10ffff; i++, point++) {
            char bytes[4];
            if (point >= 0xd800 && point <= 0xdfff)
                continue;
            buffer_append(&expected,
                          kan_slice(bytes, utf8_encode(point, bytes)));
            if (point < 0x10000) {
                append_unit(&document, point, i % 2);
                continue;
            }
            append_unit(&document, 0xd800 + ((point - 0x10000) >> 10), i % 2);
            append_unit(&document, 0xdc00 + (point & 0x3ff), i % 3);
        }
        buffer_append_byte(&document, '"');
        struct json_tree tree = {0};
        assert_int_equal(json_parse(buffer_slice(&document), NULL, &tree),
                         KAN_OK);
        assert_true(slice_equal(tree.nodes[0].text, buffer_slice(&expected)));
        json_fini(&tree);
    }
    buffer_fini(&document);
    buffer_fini(&expected);
}

/* --- writing -------------------------------------------------------------- */

static void test_append_string(void **state)
{
    (void)state;
    static const struct
    {
        const char *text;
        size_t size;
        const char *json;
    } table[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"\\/b", 5, "\"a\\\"\\\\/b\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\0\x1f\x7f", 3, "\"\\u0000\\u001f\x7f\""},
        {"<b>&", 4, "\"\\u003cb\\u003e\\u0026\""},
        {"\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 9,
         "\"\\u2028\\u2029\xe2\x80\xaa\""},
        {"a\xff\xc3", 3, "\"a\\ufffd\\ufffd\""},
        {"\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""},
    };
    struct buffer out = BUFFER_INIT;
    for (size_t i = 0; i < COUNT(table); i++) {
        buffer_clear(&out);
        json_append_string(&out, kan_slice(table[i].text, table[i].size));
        assert_slice(buffer_slice(&out), table[i].json);
    }
    buffer_fini(&out);
}

/* What is written reads back, at every place of a wide character around the
 * edges of the writer's chunks. */
static void test_append_string_reads_back(void **state)
{
    (void)state;
    static const char *const wide[] = {"\n", "&", "\xc3\xa9", "\xe2\x80\xa8",
                                       "\xf0\x9f\x98\x80"};
    struct buffer text = BUFFER_INIT;
    struct buffer out = BUFFER_INIT;
    for (size_t lead = 250; lead < 262; lead++) {
        buffer_clear(&text);
        for (size_t i = 0; i < lead; i++)
            buffer_append_byte(&text, 'a');
        for (size_t i = 0; i < 600; i++)
            buffer_append_text(&text, wide[(lead + i) % COUNT(wide)]);
        buffer_clear(&out);
        json_append_string(&out, buffer_slice(&text));
        struct json_tree tree = {0};
        assert_int_equal(json_parse(buffer_slice(&out), NULL, &tree), KAN_OK);
        assert_true(slice_equal(tree.nodes[0].text, buffer_slice(&text)));
        json_fini(&tree);
    }
    buffer_fini(&text);
    buffer_fini(&out);
}

static void test_append_string_faults(void **state)
{
    (void)state;
    char text[2000];
    memset(text, '<', sizeof text);
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        struct buffer out = BUFFER_INIT;
        mem_fault(n, false);
        json_append_string(&out, kan_slice(text, sizeof text));
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(buffer_failed(&out), struck);
        buffer_clear(&out);
        json_append_string(&out, kan_slice(text, sizeof text));
        assert_int_equal(out.size, 6 * sizeof text + 2);
        buffer_fini(&out);
    }
}

static void test_append_name(void **state)
{
    (void)state;
    struct buffer out = BUFFER_INIT;
    buffer_append_byte(&out, '{');
    json_append_name(&out, "a");
    buffer_append_byte(&out, '[');
    buffer_append_byte(&out, '{');
    json_append_name(&out, "b\"");
    buffer_append_byte(&out, '1');
    json_append_name(&out, "c");
    json_append_string(&out, SLICE("{"));
    json_append_name(&out, "d");
    buffer_append_text(&out, "{}}]}");
    assert_slice(buffer_slice(&out),
                 "{\"a\":[{\"b\\\"\":1,\"c\":\"{\",\"d\":{}}]}");
    buffer_fini(&out);
}

/* --- against jansson ------------------------------------------------------ */

/* Where the two differ, and why that is right:
 *   - jansson turns numbers into doubles and 64-bit integers, and refuses what
 *     does not fit; we keep their text;
 *   - jansson cannot hold a NUL in the name of a member;
 *   - jansson overlooks a NUL behind a number: a document that has one is
 *     never valid, and compare() demands so itself.
 * judge_load() excuses the first two, and nothing else. */

static void compare_value(const struct json_tree *tree,
                          const struct json_node *node, const void *judge);

static void compare_array(const struct json_tree *tree,
                          const struct json_node *array, const void *judge)
{
    size_t i = 0;
    for (const struct json_node *child = json_first(tree, array); child;
         child = json_next(tree, array, child))
        compare_value(tree, child, judge_at(judge, i++));
    assert_int_equal(i, judge_size(judge));
}

/* Of members of one name the judge has the last. */
static void compare_object(const struct json_tree *tree,
                           const struct json_node *object, const void *judge)
{
    size_t count = 0;
    for (const struct json_node *child = json_first(tree, object); child;
         child = json_next(tree, object, child)) {
        bool last = true;
        for (const struct json_node *later = json_next(tree, object, child);
             later && last; later = json_next(tree, object, later))
            last = !slice_equal(later->name, child->name);
        if (!last)
            continue;
        compare_value(tree, child, judge_get(judge, child->name));
        count++;
    }
    assert_int_equal(count, judge_size(judge));
}

static void compare_value(const struct json_tree *tree,
                          const struct json_node *node, const void *judge)
{
    assert_non_null(judge);
    char kind = judge_kind(judge);
    int64_t number = 0;

    switch (node->kind) {
    case JSON_NULL:
        assert_int_equal(kind, 'n');
        break;
    case JSON_BOOL:
        assert_int_equal(kind, slice_at(node->text, 0));
        break;
    case JSON_NUMBER:
        if (json_integer(node, &number) == KAN_OK) {
            assert_int_equal(kind, 'i');
            assert_true(number == judge_integer(judge));
        } else {
            assert_int_equal(kind, 'r');
        }
        break;
    case JSON_STRING:
        assert_int_equal(kind, 's');
        assert_true(slice_equal(node->text, judge_text(judge)));
        break;
    case JSON_ARRAY:
        assert_int_equal(kind, 'a');
        compare_array(tree, node, judge);
        break;
    case JSON_OBJECT:
        assert_int_equal(kind, 'o');
        compare_object(tree, node, judge);
        break;
    }
}

/* Returns whether the document is valid. */
static bool compare(struct kan_slice input)
{
    struct json_options options = {.depth_max = JUDGE_DEPTH};
    struct json_tree tree = {0};
    char why[200] = "valid";
    bool excused = false;
    enum kan_err err = json_parse(input, &options, &tree);
    void *judge = judge_load(input, why, &excused);

    if (judge && err == KAN_OK)
        compare_value(&tree, &tree.nodes[0], judge);
    else if (input.size && memchr(input.bytes, 0, input.size))
        assert_int_equal(err, KAN_INVALID);
    else if ((judge != NULL) != (err == KAN_OK) && !excused) {
        struct buffer shown = BUFFER_INIT;
        json_append_string(&shown, input);
        fail_msg("jansson: %s; we: %s %s; on %s", why, kan_err_name(err),
                 buffer_text(&tree.message), buffer_text(&shown));
    }
    judge_free(judge);
    json_fini(&tree);
    return err == KAN_OK;
}

static uint32_t draw(uint32_t *chance, uint32_t n)
{
    *chance = *chance * 1664525 + 1013904223;
    return (*chance >> 8) % n;
}

/* Pieces that a grammar trips over. */
static const char *const pieces[] = {
    "\"",     "\\",       "\\u",      "\\ud83d", "\\ude00", "{",    "}",
    "[",      "]",        ":",        ",",       "0",       "-",    ".",
    "e",      "1",        " ",        "\n",      "\v",      "\x01", "\xc3",
    "\xa9",   "\xe2",     "\xed\xa0", "\x7f",    "null",    "true", "false",
    "\"a\":", "/",        "\xf0",     "[1]",     "\"\"",    "{}",   "\\u0000",
    "E+1",    "\xf4\x90", "nul",
};

static void mutate(struct buffer *text, uint32_t *chance)
{
    uint32_t at = draw(chance, (uint32_t)text->size + 1);
    uint32_t size = draw(chance, 4);
    struct buffer out = BUFFER_INIT;

    buffer_append(&out, slice_head(buffer_slice(text), at));
    switch (draw(chance, 4)) {
    case 0: /* put in */
        buffer_append_text(&out, pieces[draw(chance, COUNT(pieces))]);
        buffer_append(&out, slice_skip(buffer_slice(text), at));
        break;
    case 1: /* replace */
        buffer_append_text(&out, pieces[draw(chance, COUNT(pieces))]);
        buffer_append(&out, slice_skip(buffer_slice(text), at + size));
        break;
    case 2: /* take out */
        buffer_append(&out, slice_skip(buffer_slice(text), at + size));
        break;
    default: /* change one bit */
        buffer_append(&out, slice_skip(buffer_slice(text), at));
        if (at < out.size)
            out.bytes[at] = (char)(out.bytes[at] ^ (1 << draw(chance, 8)));
        break;
    }
    assert_false(buffer_failed(&out));
    buffer_fini(text);
    *text = out;
}

static void test_jansson_agrees(void **state)
{
    (void)state;
    static const char *const larger[] = {
        "[{\"key\":\"a\",\"value\":{\"n\":[1,2.5,-3e7],\"s\":\"\\u00e9\\n\"},"
        "\"etag\":\"7\",\"metadata\":{\"ttlInSeconds\":\"60\"}}]",
        "{\"operations\":[{\"operation\":\"upsert\",\"request\":{\"key\":\"k\","
        "\"value\":null}},{\"operation\":\"delete\",\"request\":{}}]}",
        "[\"\\ud83d\\ude00\xf0\x9f\x98\x80\",true,false,null,[],{}]",
    };
    uint32_t chance = 2026;
    uint32_t valid = 0;
    uint32_t runs = 0;
    for (size_t i = 0; i < COUNT(documents) + COUNT(larger); i++) {
        bool large = i >= COUNT(documents);
        struct kan_slice seed =
            large ? kan_text(larger[i - COUNT(documents)])
                  : kan_slice(documents[i].text, documents[i].size);
        (void)compare(seed);
        for (int round = 0; round < (large ? 4000 : 300); round++) {
            struct buffer text = BUFFER_INIT;
            buffer_append(&text, seed);
            for (uint32_t n = draw(&chance, 3) + 1; n > 0; n--)
                mutate(&text, &chance);
            valid += compare(buffer_slice(&text));
            runs++;
            buffer_fini(&text);
        }
    }
    /* A generator of nothing but rubbish would prove little. */
    assert_true(valid > runs / 20 && valid < runs * 19 / 20);
}

static int64_t live_before;

static int note_live(void **state)
{
    (void)state;
    live_before = mem_live();
    return 0;
}

static int check_live(void **state)
{
    (void)state;
    mem_fault(0, false);
    return mem_live() == live_before ? 0 : -1;
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, note_live, check_live)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_documents),
        TEST(test_input_may_be_null),
        TEST(test_place_counts_lines),
        TEST(test_tree),
        TEST(test_member),
        TEST(test_integer),
        TEST(test_raw_members),
        TEST(test_raw_members_are_checked),
        TEST(test_depth),
        TEST(test_nodes),
        TEST(test_faults),
        TEST(test_few_allocations),
        TEST(test_escapes_decode),
        TEST(test_append_string),
        TEST(test_append_string_reads_back),
        TEST(test_append_string_faults),
        TEST(test_append_name),
        TEST(test_jansson_agrees),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
