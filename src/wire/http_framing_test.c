/* Framing: what is refused, what is let pass, and that cuts do not matter.
 *
 * Every line of both tables is read in one piece, byte by byte and in random
 * pieces, and must end in the same answers and the same requests. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/http_lines.h"
#include "wire/http_stage.h"

static const struct http_limits limits = {.body_max = 1000};

static void read_whole(const struct line *line, struct buffer *answers)
{
    stage_tell(line->bytes, CUT_NOWHERE, 1, &limits, answers);
    char start[32];
    (void)snprintf(start, sizeof start, "HTTP/1.1 %d ", line->status);
    if (!slice_starts(buffer_slice(answers), kan_text(start)))
        fail_msg("%s: %s", line->name, buffer_text(answers));
    struct kan_slice rest = slice_skip(buffer_slice(answers), 1);
    if (slice_find(rest, SLICE("HTTP/1.1 ")) != SIZE_MAX)
        fail_msg("%s: a second answer: %s", line->name, buffer_text(answers));
}

/* The same bytes in other pieces. */
static void read_cut(const struct line *line, const struct buffer *whole)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct buffer again = BUFFER_INIT;
        stage_tell(line->bytes, seed ? CUT_RANDOM : CUT_EVERYWHERE, seed,
                   &limits, &again);
        if (!slice_equal(buffer_slice(whole), buffer_slice(&again)))
            fail_msg("%s, cut by %d: %s", line->name, (int)seed,
                     buffer_text(&again));
        buffer_fini(&again);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const struct line *line = &refused[i];
        struct buffer answers = BUFFER_INIT;
        read_whole(line, &answers);
        struct kan_slice all = buffer_slice(&answers);
        if (slice_find(all, SLICE("Connection: close\r\n")) == SIZE_MAX)
            fail_msg("%s: goes on", line->name);
        if (slice_find(all, SLICE("|body=")) != SIZE_MAX)
            fail_msg("%s: was handled", line->name);
        read_cut(line, &answers);
        buffer_fini(&answers);
    }
}

static void test_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        struct buffer answers = BUFFER_INIT;
        read_whole(&accepted[i], &answers);
        read_cut(&accepted[i], &answers);
        buffer_fini(&answers);
    }
}

/* The pure checker alone finds what heads have wrong with them. */
static void test_head_check(void **state)
{
    (void)state;
    assert_null(http_head_check(SLICE("GET / HTTP/1.1\r\n" H "\r\n")));
    assert_null(http_head_check(SLICE("\r\nGET / HTTP/1.0\r\n\r\n")));
    assert_non_null(http_head_check(SLICE("")));
    assert_non_null(http_head_check(SLICE("GET / HTTP/1.1\r\n" H)));
    assert_non_null(http_head_check(SLICE("GET / HTTP/1.1\r\n" H "\r\n\r\n")));
    assert_string_equal(
        http_head_check(SLICE("GET / HTTP/1.1\r\n" H "A : b\r\n\r\n")),
        "space before the colon");
    assert_string_equal(http_head_check(SLICE("GET / HTTP/1.1\r\n\r\n")),
                        "no Host");
    assert_string_equal(
        http_head_check(SLICE("PUT / HTTP/1.1\r\n" H "Content-Length: 1\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n")),
        "Content-Length beside Transfer-Encoding");
    assert_string_equal(
        http_head_check(SLICE("GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n")),
        "a folded line");
    assert_string_equal(
        http_head_check(SLICE("GET / HTTP/1.1\r\n" H "A: b\n\r\n")),
        "a line ends without CR");
    assert_string_equal(
        http_head_check(SLICE("GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n")),
        "CR without LF");
    assert_string_equal(
        http_head_check(SLICE("GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n")),
        "NUL in the head");
}

/* What cannot become a request is told so without waiting for more of it. */
static void test_refused_at_once(void **state)
{
    (void)state;
    static const struct line lines[] = {
        LINE("bare LF", 400, "GET /x HTTP/1.1\n"),
        LINE("noise", 400, "\026\003\001"),
        LINE("an empty chunk size", 400, CHUNKED "\r"),
        LINE("a chunk above the limit", 413, CHUNKED "3e9\r\n"),
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct stage stage;
        struct client client;
        char start[32];
        stage_open(&stage, &limits, NULL, 1);
        client_open(&stage, &client);
        assert_true(client_send(&client, lines[i].bytes));
        stage_run(&stage, 1000);
        (void)snprintf(start, sizeof start, "HTTP/1.1 %d ", lines[i].status);
        if (!slice_starts(buffer_slice(&client.received), kan_text(start)))
            fail_msg("%s", lines[i].name);
        client_fini(&client);
        stage_close(&stage);
    }
}

/* What the handler gets of a request that uses everything. */
static void test_what_the_handler_sees(void **state)
{
    (void)state;
    struct buffer got = BUFFER_INIT;
    stage_tell(SLICE("POST http://h/a%20b/?c=d&e?f HTTP/1.1\r\n" H
                     "X-A:  b c \r\nx-empty:\r\nTransfer-Encoding: chunked\r\n"
                     "\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n"),
               CUT_EVERYWHERE, 1, NULL, &got);
    assert_string_equal(buffer_text(&got),
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                        "Content-Length: 21\r\n\r\nPOST /a%20b/, 5 bytes--\n"
                        "POST /a%20b/|c=d&e?f|Host=h|X-A=b c|x-empty="
                        "|Transfer-Encoding=chunked|body=abcde\n");
    buffer_fini(&got);
}

/* Requests behind each other, in any pieces, are the same requests. */
static void test_pipelines_cut(void **state)
{
    (void)state;
    struct buffer whole = BUFFER_INIT;
    struct buffer bytes = BUFFER_INIT;
    for (int i = 0; i < 12; i++) {
        static const char *const paths[] = {"/x", "/later", "/slow", "/pieces"};
        buffer_print(&bytes, "GET %s HTTP/1.1\r\n" H "\r\n", paths[i % 4]);
        buffer_print(&bytes,
                     "POST %s HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
                     paths[(i + i / 4) % 4]);
        buffer_append(&bytes, SLICE(CHUNKED "4\r\nabcd\r\n0\r\n\r\n"));
    }
    buffer_append(&bytes, SLICE("GET /y HTTP/1.1\r\n" H "Bad : b\r\n\r\n"));
    stage_tell(buffer_slice(&bytes), CUT_NOWHERE, 0, &limits, &whole);
    struct kan_slice rest = buffer_slice(&whole);
    size_t at;
    int count = 0;
    while ((at = slice_find(rest, SLICE("HTTP/1.1 "))) != SIZE_MAX) {
        count++;
        rest = slice_skip(rest, at + 1);
    }
    assert_int_equal(count, 37);
    const struct line line = {"pipeline", 200, buffer_slice(&bytes)};
    read_cut(&line, &whole);
    buffer_fini(&bytes);
    buffer_fini(&whole);
}

static void expect_decoded(const char *in, bool plus, const char *out)
{
    char bytes[64];
    size_t size = 0;
    enum kan_err err = http_decode(kan_text(in), plus, bytes, &size);
    if (!out) {
        assert_int_equal(err, KAN_INVALID);
        return;
    }
    assert_int_equal(err, KAN_OK);
    assert_int_equal(size, strlen(out));
    assert_memory_equal(bytes, out, size);
}

static void test_decode(void **state)
{
    (void)state;
    expect_decoded("", true, "");
    expect_decoded("a%20b%2fC%2F", true, "a b/C/");
    expect_decoded("a+b", true, "a b");
    expect_decoded("a+b", false, "a+b");
    expect_decoded("%c3%A4", false, "\xc3\xa4");
    expect_decoded("%", false, NULL);
    expect_decoded("a%2", false, NULL);
    expect_decoded("%g0", false, NULL);
    expect_decoded("%0g", false, NULL);
    expect_decoded("%+1", false, NULL);
}

static void test_head_lines(void **state)
{
    (void)state;
    struct buffer lines = BUFFER_INIT;
    assert_int_equal(http_head_line(&lines, SLICE("A"), SLICE("b c")), KAN_OK);
    assert_int_equal(http_head_line(&lines, SLICE(""), SLICE("b")),
                     KAN_INVALID);
    assert_int_equal(http_head_line(&lines, SLICE("A:"), SLICE("b")),
                     KAN_INVALID);
    assert_int_equal(http_head_line(&lines, SLICE("A"), SLICE("b\r\nC: d")),
                     KAN_INVALID);
    assert_string_equal(buffer_text(&lines), "A: b c\r\n");
    buffer_fini(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_check),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_head_lines),
        cmocka_unit_test(test_what_the_handler_sees),
        cmocka_unit_test(test_refused_at_once),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_pipelines_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
