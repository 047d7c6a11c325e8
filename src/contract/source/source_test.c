/* Places and faults: lines and columns of any text, faults in order and no
 * more than fit, and what is printed of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "contract/source/source.h"

static struct source source;
static struct buffer out;

static int clean(void **state)
{
    (void)state;
    mem_fault(0, false);
    source_fini(&source);
    buffer_fini(&out);
    return mem_live() == 0 ? 0 : -1;
}

static void given(struct kan_slice text)
{
    source_fini(&source);
    assert_int_equal(source_init(&source, SLICE("a.kan"), text), KAN_OK);
}

static void at(uint32_t offset, uint32_t line, uint32_t column)
{
    uint32_t its_line;
    uint32_t its_column;

    source_place(&source, offset, &its_line, &its_column);
    assert_int_equal(its_line, line);
    assert_int_equal(its_column, column);
}

static void test_places(void **state)
{
    (void)state;
    given(SLICE("ab\n\ncd"));
    at(0, 1, 1);
    at(2, 1, 3); /* the end of a line belongs to it */
    at(3, 2, 1);
    at(4, 3, 1);
    at(6, 3, 3); /* behind the last byte */
    at(600, 3, 3);
    given(SLICE("a\xc3\xa4z\r\nq\n"));
    at(3, 1, 3);
    at(4, 1, 4);
    at(5, 1, 4); /* the line feed stands where the return does */
    at(6, 2, 1);
    at(8, 3, 1);
    given(SLICE("\xef\xbb\xbfxy"));
    at(0, 1, 1);
    at(4, 1, 2); /* the mark is no column */
    given(SLICE("\xff\xfe!"));
    at(2, 1, 3);
    given(SLICE(""));
    at(0, 1, 1);
}

static void test_slices(void **state)
{
    (void)state;
    given(SLICE("hello"));
    assert_true(slice_equal(source_slice(&source, (struct source_span){1, 3}),
                            SLICE("el")));
    assert_int_equal(source_slice(&source, (struct source_span){3, 3}).size, 0);
    assert_int_equal(source_slice(&source, (struct source_span){4, 99}).size,
                     1);
    assert_int_equal(source_slice(&source, (struct source_span){9, 99}).size,
                     0);
}

static void test_faults_are_in_order(void **state)
{
    (void)state;
    given(SLICE("0123456789012345678901234567890123456789"));
    source_fault(&source, (struct source_span){5, 6}, NULL, "five");
    source_fault(&source, (struct source_span){1, 2}, "a hint", "one %d", 1);
    source_fault(&source, (struct source_span){3, 4}, NULL, "three");
    source_fault(&source, (struct source_span){1, 9}, NULL, "again");
    assert_int_equal(source.fault_count, 3);
    assert_string_equal(source.faults[0].message, "one 1");
    assert_string_equal(source.faults[0].hint, "a hint");
    assert_string_equal(source.faults[1].message, "three");
    assert_string_equal(source.faults[2].message, "five");
    assert_string_equal(source.faults[2].hint, "");
}

static void test_the_first_faults_are_kept(void **state)
{
    (void)state;
    given(SLICE("0123456789012345678901234567890123456789"));
    for (uint32_t i = 40; i > 0; i--)
        source_fault(&source, (struct source_span){i - 1, i}, NULL, "%u",
                     i - 1);
    assert_int_equal(source.fault_count, SOURCE_FAULTS_MAX);
    assert_int_equal(source.faults_more, 40 - SOURCE_FAULTS_MAX);
    for (uint32_t i = 0; i < SOURCE_FAULTS_MAX; i++)
        assert_int_equal(source.faults[i].span.start, i);
    source_print(&source, &out);
    assert_non_null(strstr(buffer_text(&out), "20 more faults are not shown"));
}

static void test_printed(void **state)
{
    (void)state;
    given(SLICE("type a {\n\tbalanse += amount\n}"));
    source_fault(&source, (struct source_span){10, 17}, "did you mean balance?",
                 "no field is named %s", "balanse");
    source_fault(&source, (struct source_span){29, 29}, NULL, "odd");
    source_print(&source, &out);
    assert_string_equal(buffer_text(&out),
                        "a.kan:2:2: no field is named balanse\n"
                        "         2 |  balanse += amount\n"
                        "           |  ^^^^^^^\n"
                        "             did you mean balance?\n"
                        "a.kan:3:2: odd\n"
                        "         3 | }\n"
                        "           |  ^\n");
}

/* Nothing in a line moves the cursor of a terminal or hides. */
static void test_printed_is_harmless(void **state)
{
    (void)state;
    given(SLICE("a\x1b[2J\0\xe2\x80\xae\xc2\x9b\xff z"));
    source_fault(&source, (struct source_span){0, 1}, "\x1b[2J\xe2\x80\xae",
                 "%s", "\x1b[2J\xc2\x9b");
    source_print(&source, &out);
    assert_true(utf8_valid(buffer_slice(&out)));
    assert_null(memchr(out.bytes, 0x1b, out.size));
    assert_null(memchr(out.bytes, 0, out.size));
    assert_null(strstr(buffer_text(&out), "\xe2\x80\xae"));
    assert_null(strstr(buffer_text(&out), "\xc2\x9b"));
}

static void test_a_long_line_is_cut(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;
    const char *end;

    for (int i = 0; i < 100000; i++)
        buffer_append_text(&text, i == 50000 ? "X" : "\xc3\xa4");
    given(buffer_slice(&text));
    buffer_fini(&text);
    source_fault(&source, (struct source_span){100000, 100001}, NULL, "here");
    source_print(&source, &out);
    assert_true(out.size < 700);
    assert_non_null(strstr(buffer_text(&out), "a.kan:1:50001: here\n"));
    assert_non_null(strstr(buffer_text(&out), " ...\n"));
    /* The caret stands below the X. */
    end = strchr(buffer_text(&out), '\n');
    assert_non_null(end);
    uint32_t marked = 0;
    uint32_t caret = 0;
    const char *second = strchr(end + 1, '\n');
    for (const char *c = end + 1; *c != 'X'; c++)
        marked += (*c & 0xc0) != 0x80;
    for (const char *c = second + 1; *c != '^'; c++)
        caret++;
    assert_int_equal(marked, caret);
    /* A span that goes on for ever is marked to the end of what is shown. */
    source_fault(&source, (struct source_span){0, 100001}, NULL, "all");
    buffer_clear(&out);
    source_print(&source, &out);
    assert_true(out.size < 1400);
}

static void test_messages_are_cut_between_characters(void **state)
{
    (void)state;
    char text[600];

    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa4", 3);
    given(SLICE("a"));
    source_fault(&source, (struct source_span){0, 1}, text, "x%s", text);
    assert_true(utf8_valid(kan_text(source.faults[0].message)));
    assert_true(utf8_valid(kan_text(source.faults[0].hint)));
    assert_int_equal(strlen(source.faults[0].message), SOURCE_MESSAGE_MAX - 1);
}

static void test_limits(void **state)
{
    (void)state;
    char *text = mem_zalloc(SOURCE_BYTES_MAX + 1);

    assert_non_null(text);
    assert_int_equal(
        source_init(&source, SLICE("a"), kan_slice(text, SOURCE_BYTES_MAX + 1)),
        KAN_FULL);
    assert_int_equal(
        source_init(&source, SLICE("a"), kan_slice(text, SOURCE_BYTES_MAX)),
        KAN_OK);
    text = mem_free(text);
    assert_null(text);
}

static void test_no_memory(void **state)
{
    (void)state;
    enum kan_err err = KAN_NOMEM;

    for (uint64_t n = 1; err == KAN_NOMEM; n++) {
        mem_fault(n, false);
        err = source_init(&source, SLICE("a.kan"), SLICE("one\ntwo"));
        if (err == KAN_NOMEM)
            assert_int_equal(mem_live(), 0);
        else
            assert_true(n > 3);
    }
    mem_fault(0, false);
    assert_int_equal(err, KAN_OK);
    at(4, 2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_places, clean),
        cmocka_unit_test_teardown(test_slices, clean),
        cmocka_unit_test_teardown(test_faults_are_in_order, clean),
        cmocka_unit_test_teardown(test_the_first_faults_are_kept, clean),
        cmocka_unit_test_teardown(test_printed, clean),
        cmocka_unit_test_teardown(test_printed_is_harmless, clean),
        cmocka_unit_test_teardown(test_a_long_line_is_cut, clean),
        cmocka_unit_test_teardown(test_messages_are_cut_between_characters,
                                  clean),
        cmocka_unit_test_teardown(test_limits, clean),
        cmocka_unit_test_teardown(test_no_memory, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
