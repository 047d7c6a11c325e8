/* Tests of the small parts of base. JSON has a program of its own. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/number.h"
#include "base/suggest.h"
#include "base/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_slice(struct kan_slice slice, const char *expected)
{
    if (!slice_equal(slice, kan_text(expected)))
        fail_msg("'%.*s' is not '%s'", SLICE_ARG(slice), expected);
}

/* Nothing that a test allocates may outlive it. */
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

/* --- statuses ------------------------------------------------------------- */

static void test_err(void **state)
{
    (void)state;
    assert_string_equal(kan_err_name(KAN_OK), "OK");
    assert_string_equal(kan_err_name(KAN_CONFLICT), "CONFLICT");
    assert_string_equal(kan_err_name((enum kan_err)77), "?");
    assert_int_equal(kan_err_class(KAN_OK), KAN_CLASS_OK);
    assert_int_equal(kan_err_class(KAN_HELD), KAN_CLASS_OUTCOME);
    assert_int_equal(kan_err_class(KAN_NOMEM), KAN_CLASS_REFUSED);
    assert_int_equal(kan_err_class(KAN_LOST), KAN_CLASS_UNKNOWN);
    assert_int_equal(kan_err_class(KAN_IO), KAN_CLASS_BROKEN);
    assert_int_equal(kan_err_class((enum kan_err)77), KAN_CLASS_BROKEN);
    assert_true(strlen(kan_err_text(KAN_FULL)) > 0);
    assert_non_null(strstr(kan_err_text((enum kan_err)77), "not know"));
    assert_true(strlen(kan_version()) >= strlen("0.0.0"));
}

/* --- asserts -------------------------------------------------------------- */

struct guarded
{
    uint32_t magic;
};

/* In a process of its own: what is false is told, and ends it. */
static void test_assert(void **state)
{
    (void)state;
    struct guarded fine = {.magic = 7};
    int ends[2];
    char said[256] = "";
    int status = 0;

    kan_assert(1 + 1 == 2);
    check_magic(&fine, 7);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        check_magic(&fine, 8);
        _exit(0);
    }
    (void)close(ends[1]);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "magic == (8)"));
    assert_non_null(strstr(said, "base_test.c"));
}

/* --- the heap ------------------------------------------------------------- */

static void test_alloc_counts_blocks(void **state)
{
    (void)state;
    int64_t before = mem_live();
    char *a = mem_alloc(0);
    unsigned char *b = mem_zalloc(64);
    char *c = mem_copy("kan", 3);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_int_equal(mem_live(), before + 3);
    for (int i = 0; i < 64; i++)
        assert_int_equal(b[i], 0);
    assert_string_equal(c, "kan");
    c = mem_realloc(c, 1000);
    assert_non_null(c);
    assert_memory_equal(c, "kan", 3);
    assert_int_equal(mem_live(), before + 3);
    assert_null(mem_free(a));
    (void)mem_free(b);
    (void)mem_free(c);
    assert_null(mem_free(NULL));
    assert_int_equal(mem_live(), before);
    char *d = mem_realloc(NULL, 8);
    assert_int_equal(mem_live(), before + 1);
    (void)mem_free(d);
}

static void test_alloc_fails_where_told(void **state)
{
    (void)state;
    mem_fault(2, false);
    char *a = mem_alloc(1);
    assert_non_null(a);
    assert_false(mem_fault_struck());
    assert_null(mem_realloc(a, 100));
    assert_true(mem_fault_struck());
    a = mem_realloc(a, 100); /* the old block is still there */
    assert_non_null(a);
    mem_fault(1, true);
    assert_null(mem_alloc(1));
    assert_null(mem_zalloc(1));
    assert_null(mem_copy("", 0));
    mem_fault(0, false);
    assert_false(mem_fault_struck());
    (void)mem_free(a);
    a = mem_alloc(1);
    assert_non_null(a);
    (void)mem_free(a);
}

/* --- slices --------------------------------------------------------------- */

static void test_slice_compare(void **state)
{
    (void)state;
    struct kan_slice none = kan_slice(NULL, 0);
    assert_true(slice_equal(none, SLICE("")));
    assert_true(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_equal(SLICE("a"), SLICE("ab")));
    assert_int_equal(slice_compare(none, none), 0);
    assert_true(slice_compare(SLICE("a"), SLICE("ab")) < 0);
    assert_true(slice_compare(SLICE("b"), SLICE("ab")) > 0);
    assert_true(slice_compare(SLICE("\x80"), SLICE("a")) > 0);
    assert_true(slice_compare(none, SLICE("\0")) < 0);
    assert_true(
        slice_equal_nocase(SLICE("Content-TYPE"), SLICE("cONTENT-type")));
    assert_false(slice_equal_nocase(SLICE("["), SLICE("{")));
    assert_false(slice_equal_nocase(SLICE("a"), SLICE("aa")));
}

static void test_slice_cut(void **state)
{
    (void)state;
    struct kan_slice rest = SLICE("a,,b");
    struct kan_slice head;
    assert_true(slice_cut(&rest, ',', &head));
    assert_slice(head, "a");
    assert_true(slice_cut(&rest, ',', &head));
    assert_slice(head, "");
    assert_slice(rest, "b");
    assert_false(slice_cut(&rest, ',', &head));
    assert_slice(head, "b");
    assert_slice(rest, "");
    assert_false(slice_cut(&rest, ',', &head));
    assert_slice(head, "");
    rest = SLICE("a,");
    assert_true(slice_cut(&rest, ',', &head));
    assert_slice(rest, "");
}

static void test_slice_parts(void **state)
{
    (void)state;
    struct kan_slice abc = SLICE("abc");
    assert_true(slice_starts(abc, SLICE("ab")));
    assert_true(slice_starts(abc, kan_slice(NULL, 0)));
    assert_false(slice_starts(abc, SLICE("abcd")));
    assert_slice(slice_skip(abc, 1), "bc");
    assert_slice(slice_skip(abc, 9), "");
    assert_slice(slice_head(abc, 2), "ab");
    assert_slice(slice_head(abc, 9), "abc");
    assert_int_equal(slice_find(abc, SLICE("c")), 2);
    assert_int_equal(slice_find(abc, SLICE("")), 0);
    assert_true(slice_find(abc, SLICE("d")) == SIZE_MAX);
    assert_true(slice_find(kan_slice(NULL, 0), SLICE("d")) == SIZE_MAX);
    assert_slice(slice_trim(SLICE(" \ta b\t ")), "a b");
    assert_slice(slice_trim(SLICE(" \t ")), "");
    assert_slice(slice_trim(kan_slice(NULL, 0)), "");
}

/* --- buffers -------------------------------------------------------------- */

static void fill(struct buffer *buffer)
{
    for (int i = 0; i < 40; i++) {
        buffer_append_text(buffer, "kan");
        buffer_append_byte(buffer, '=');
        buffer_append_u64(buffer, UINT64_MAX);
        buffer_print(buffer, "%s;", "x");
    }
}

static void test_buffer(void **state)
{
    (void)state;
    struct buffer b = BUFFER_INIT;
    assert_string_equal(buffer_text(&b), "");
    buffer_append(&b, kan_slice(NULL, 0));
    buffer_append_u64(&b, 0);
    buffer_append_text(&b, NULL);
    buffer_print(&b, "-%d-%s", 7, "x");
    assert_slice(buffer_slice(&b), "0-7-x");
    assert_string_equal(buffer_text(&b), "0-7-x");
    buffer_consume(&b, 2);
    assert_slice(buffer_slice(&b), "7-x");
    buffer_consume(&b, 99);
    assert_int_equal(b.size, 0);
    fill(&b);
    assert_int_equal(b.size, 40 * strlen("kan=18446744073709551615x;"));
    assert_false(buffer_failed(&b));
    buffer_clear(&b);
    assert_int_equal(b.size, 0);
    assert_int_equal(buffer_reserve(&b, SIZE_MAX), KAN_NOMEM);
    buffer_fini(&b);
    buffer_fini(&b);
}

static void test_buffer_faults(void **state)
{
    (void)state;
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        struct buffer b = BUFFER_INIT;
        mem_fault(n, false);
        fill(&b);
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(buffer_failed(&b), struck);
        /* What was lost is not followed by what came later. */
        assert_true(slice_starts(SLICE("kan=18446744073709551615x;kan="),
                                 slice_head(buffer_slice(&b), 30)));
        buffer_clear(&b);
        assert_false(buffer_failed(&b));
        buffer_append_text(&b, "again");
        assert_slice(buffer_slice(&b), "again");
        buffer_fini(&b);
        assert_true(n < 100);
    }
}

/* --- lists ---------------------------------------------------------------- */

struct item
{
    int number;
    struct list link;
};

static void test_list(void **state)
{
    (void)state;
    struct list head;
    struct list other;
    struct item items[4] = {
        {.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    list_init(&other);
    assert_true(list_empty(&head));
    assert_null(list_first(&head));
    assert_null(list_pop(&head));
    for (int i = 0; i < 4; i++)
        list_push(i < 3 ? &head : &other, &items[i].link);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_false(list_linked(&items[1].link));
    list_splice(&head, &other);
    assert_true(list_empty(&other));
    int expected[] = {0, 2, 3};
    for (size_t i = 0; i < COUNT(expected); i++) {
        struct list *link = list_pop(&head);
        assert_non_null(link);
        assert_int_equal(list_entry(link, struct item, link)->number,
                         expected[i]);
        assert_false(list_linked(link));
    }
    assert_true(list_empty(&head));
}

/* --- numbers -------------------------------------------------------------- */

static void test_number_integers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " 1",
        "1 ",
        "0x1",
        "1.0",
        "-",
        "+",
        "--1",
        "-+",
        "1e3",
        "+ 1",
        "18446744073709551616",
        "99999999999999999999999",
    };
    uint64_t u = 7;
    int64_t i = 7;
    for (size_t n = 0; n < COUNT(bad); n++) {
        assert_int_equal(number_u64(kan_text(bad[n]), &u), KAN_INVALID);
        assert_int_equal(number_i64(kan_text(bad[n]), &i), KAN_INVALID);
    }
    assert_int_equal(number_u64(SLICE("-1"), &u), KAN_INVALID);
    assert_int_equal(number_u64(SLICE("+1"), &u), KAN_INVALID);
    assert_int_equal(number_u64(SLICE("1\0"), &u), KAN_INVALID);
    assert_int_equal(number_i64(SLICE("9223372036854775808"), &i), KAN_INVALID);
    assert_int_equal(number_i64(SLICE("-9223372036854775809"), &i),
                     KAN_INVALID);
    assert_true(u == 7 && i == 7);
    assert_int_equal(number_u64(SLICE("18446744073709551615"), &u), KAN_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(number_u64(SLICE("007"), &u), KAN_OK);
    assert_true(u == 7);
    assert_int_equal(number_i64(SLICE("-9223372036854775808"), &i), KAN_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(number_i64(SLICE("+9223372036854775807"), &i), KAN_OK);
    assert_true(i == INT64_MAX);
    assert_int_equal(number_i64(SLICE("-0"), &i), KAN_OK);
    assert_true(i == 0);
    assert_int_equal(number_hex(SLICE("fFfFffffFFFFffff"), &u), KAN_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(number_hex(SLICE("10000000000000000"), &u), KAN_INVALID);
    assert_int_equal(number_hex(SLICE("0x1"), &u), KAN_INVALID);
    assert_int_equal(number_hex(SLICE("g"), &u), KAN_INVALID);
    assert_int_equal(number_hex(SLICE(""), &u), KAN_INVALID);
}

static void test_number_quantity(void **state)
{
    (void)state;
    static const struct
    {
        const char *text;
        uint64_t bytes; /* 0: refused */
    } table[] = {
        {"1", 1},
        {"4k", 4000},
        {"4Ki", 4096},
        {"16Mi", 16 << 20},
        {"3M", 3000000},
        {"2G", 2000000000},
        {"2Gi", UINT64_C(2) << 30},
        {"17179869183Gi", UINT64_C(17179869183) << 30},
        {"17179869184Gi", 0},
        {"", 0},
        {"k", 0},
        {"4K", 0},
        {"4 Mi", 0},
        {"4mi", 0},
        {"4MiB", 0},
        {"-4k", 0},
        {"1.5M", 0},
    };
    for (size_t n = 0; n < COUNT(table); n++) {
        uint64_t bytes = 0;
        enum kan_err err = number_quantity(kan_text(table[n].text), &bytes);
        assert_int_equal(err, table[n].bytes ? KAN_OK : KAN_INVALID);
        assert_true(bytes == table[n].bytes);
    }
}

static void test_number_duration(void **state)
{
    (void)state;
    const uint64_t refused = UINT64_MAX;
    const struct
    {
        const char *text;
        uint64_t ns;
    } table[] = {
        {"0", 0},
        {"0s", 0},
        {"1h30m", UINT64_C(5400) * 1000000000},
        {"500ms", 500000000},
        {"1.5s", 1500000000},
        {".5s", 500000000},
        {"1.s", 1000000000},
        {"7us", 7000},
        {"7\xc2\xb5s", 7000},
        {"7\xce\xbcs", 7000},
        {"0.1234567899s", 123456789},
        {"2562047h47m16.854775807s", INT64_MAX},
        {"0.00000000000000000000000000001h", 0},
        {"2562047h47m16.854775808s", refused},
        {"9223372036854775808ns", refused},
        {"99999999999999999999h", refused},
        {"5124095h5124095h", refused},
        {"", refused},
        {"1", refused},
        {"s", refused},
        {".s", refused},
        {"1.2.3s", refused},
        {"-1s", refused},
        {"+1s", refused},
        {"1 s", refused},
        {"1s ", refused},
        {"1d", refused},
        {"1S", refused},
        {"1e3s", refused},
    };
    for (size_t n = 0; n < COUNT(table); n++) {
        uint64_t ns = refused;
        enum kan_err err = number_duration(kan_text(table[n].text), &ns);
        if (ns != table[n].ns)
            fail_msg("%s is %llu", table[n].text, (unsigned long long)ns);
        assert_int_equal(err, ns == refused ? KAN_INVALID : KAN_OK);
    }
}

static void test_number_bool(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "TRUE", "t", "1", "yes", "Yes"};
    static const char *const no[] = {"false", "False", "f", "0", "no"};
    static const char *const bad[] = {"", "y", "2", "on", "true ", "01"};
    for (size_t n = 0; n < COUNT(yes); n++) {
        bool value = false;
        assert_int_equal(number_bool(kan_text(yes[n]), &value), KAN_OK);
        assert_true(value);
    }
    for (size_t n = 0; n < COUNT(no); n++) {
        bool value = true;
        assert_int_equal(number_bool(kan_text(no[n]), &value), KAN_OK);
        assert_false(value);
    }
    for (size_t n = 0; n < COUNT(bad); n++) {
        bool value = true;
        assert_int_equal(number_bool(kan_text(bad[n]), &value), KAN_INVALID);
        assert_true(value);
    }
}

static void test_number_pack(void **state)
{
    (void)state;
    unsigned char small[8];
    unsigned char large[8];
    number_pack(0x0102030405060708, small);
    assert_memory_equal(small, "\1\2\3\4\5\6\7\10", 8);
    assert_true(number_unpack(small) == 0x0102030405060708);
    number_pack(UINT64_MAX, large);
    assert_true(number_unpack(large) == UINT64_MAX);
    assert_true(memcmp(small, large, 8) < 0);
}

static void test_number_time(void **state)
{
    (void)state;
    static const struct
    {
        uint64_t ms;
        const char *text;
    } table[] = {
        {0, "1970-01-01T00:00:00Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {951868799999, "2000-02-29T23:59:59.999Z"},
        {951868800000, "2000-03-01T00:00:00Z"},
        {1709164800000, "2024-02-29T00:00:00Z"},
        {1735689599000, "2024-12-31T23:59:59Z"},
        {1795446245123, "2026-11-23T15:04:05.123Z"},
        {4107542400000, "2100-03-01T00:00:00Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {UINT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    char out[NUMBER_TIME_SIZE];
    for (size_t n = 0; n < COUNT(table); n++) {
        number_time(table[n].ms, false, out);
        assert_string_equal(out, table[n].text);
    }
    number_time(0, true, out);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
}

/* --- UTF-8 ---------------------------------------------------------------- */

/* Every code point there and back, and no other value of up to four bytes that
 * differs from what was encoded. */
static void test_utf8_round_trip(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        char bytes[4];
        uint32_t back = UINT32_MAX;
        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        size_t size = utf8_encode(point, bytes);
        if (utf8_decode(kan_slice(bytes, size), &back) != size ||
            back != point || !utf8_valid(kan_slice(bytes, size)))
            fail_msg("U+%04X does not come back", point);
        if (utf8_decode(kan_slice(bytes, size - 1), &back) != 0 && size > 1)
            fail_msg("U+%04X may be cut", point);
    }
}

static void test_utf8_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",             /* a continuation alone */
        "\xbf",             /* the same */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong U+007F */
        "\xe0\x80\x80",     /* overlong in three */
        "\xe0\x9f\xbf",     /* overlong U+07FF */
        "\xf0\x8f\xbf\xbf", /* overlong U+FFFF */
        "\xed\xa0\x80",     /* U+D800 */
        "\xed\xbf\xbf",     /* U+DFFF */
        "\xf4\x90\x80\x80", /* U+110000 */
        "\xf5\x80\x80\x80", /* beyond */
        "\xff",
        "\xfe",
        "\xc3",         /* cut */
        "\xe2\x82",     /* cut */
        "\xf0\x9f\x98", /* cut */
        "\xc3(",        /* no continuation */
        "\xe2\x82(",
        "\xf0\x9f\x98(",
        "\xe2(\xac",
    };
    for (size_t n = 0; n < COUNT(bad); n++) {
        struct kan_slice text = kan_text(bad[n]);
        uint32_t point = 7;
        assert_false(utf8_valid(text));
        assert_int_equal(utf8_decode(text, &point), 0);
        assert_int_equal(point, 7);
        /* Behind every number of good bytes, across the words of the fast
         * path. */
        for (size_t lead = 0; lead < 20; lead++) {
            char whole[64];
            memset(whole, 'a', sizeof whole);
            memcpy(whole + lead, text.bytes, text.size);
            struct kan_slice all = kan_slice(whole, lead + text.size + 9);
            assert_false(utf8_valid(all));
            assert_int_equal(utf8_valid_size(all), lead);
        }
    }
    assert_true(utf8_valid(kan_slice(NULL, 0)));
    assert_true(
        utf8_valid(SLICE("a\0b \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80")));
}

/* --- SipHash -------------------------------------------------------------- */

/* Expected: hash() of CPython 3.11, whose algorithm is SipHash-1-3, under
 * PYTHONHASHSEED=0 (an all-zero key) and 42. */
static void test_hash(void **state)
{
    (void)state;
    struct hash_seed zero = {0, 0};
    struct hash_seed seed = {0xdc504fd368cd90af, 0xb920bb9ffe99e9c1};
    struct kan_slice fox = SLICE("The quick brown fox jumps over the lazy dog");
    assert_true(hash_bytes(zero, SLICE("a")) == 0x407448d2b89b1813);
    assert_true(hash_bytes(zero, SLICE("1234567")) == 0xa33d651594fdae81);
    assert_true(hash_bytes(zero, SLICE("12345678")) == 0x3489982430560a87);
    assert_true(hash_bytes(zero, SLICE("123456789")) == 0x0fbc0f0007965fcf);
    assert_true(hash_bytes(zero, fox) == 0x8df676d3d00c451e);
    assert_true(hash_bytes(seed, SLICE("abc")) == 0x35b382d0c5d675e9);
    assert_true(hash_bytes(seed, SLICE("12345678")) == 0x84eb586ab30cc7f5);
    assert_true(hash_bytes(seed, fox) == 0x8464245bd96a618c);
    assert_true(hash_bytes(zero, kan_slice(NULL, 0)) ==
                hash_bytes(zero, SLICE("")));
}

/* --- maps ----------------------------------------------------------------- */

static const struct hash_seed map_seed = {11, 22};

static void test_map(void **state)
{
    (void)state;
    struct map map;
    int a = 0;
    int b = 0;
    void *old = &a;
    map_init(&map, map_seed, 2);
    assert_null(map_get(&map, SLICE("a")));
    assert_null(map_remove(&map, SLICE("a")));
    assert_int_equal(map_put(&map, SLICE("a"), &a, &old), KAN_OK);
    assert_null(old);
    assert_int_equal(map_put(&map, kan_slice(NULL, 0), &b, NULL), KAN_OK);
    assert_ptr_equal(map_get(&map, SLICE("a")), &a);
    assert_ptr_equal(map_get(&map, SLICE("")), &b);
    assert_int_equal(map_put(&map, SLICE("c"), &a, &old), KAN_BUSY);
    assert_null(map_get(&map, SLICE("c")));
    assert_int_equal(map_put(&map, SLICE("a"), &b, &old), KAN_OK);
    assert_ptr_equal(old, &a);
    assert_int_equal(map_count(&map), 2);
    assert_ptr_equal(map_remove(&map, SLICE("")), &b);
    assert_null(map_remove(&map, SLICE("")));
    assert_int_equal(map_put(&map, SLICE("c"), &a, NULL), KAN_OK);
    map_fini(&map);
    map_fini(&map);
}

enum
{
    MAP_KEYS = 200
};

/* A small generator, so that a failure comes again. */
static uint32_t draw(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525 + 1013904223;
    return (*state >> 8) % n;
}

static struct kan_slice map_key(uint32_t number, char out[16])
{
    return kan_slice(out, (size_t)snprintf(out, 16, "key-%u", number));
}

/* Random puts and removals against an array that says what must be there. */
static void test_map_against_array(void **state)
{
    (void)state;
    struct map map;
    static int values[MAP_KEYS];
    bool there[MAP_KEYS] = {false};
    uint32_t count = 0;
    uint32_t chance = 1;
    char text[16];
    map_init(&map, map_seed, MAP_KEYS);
    for (int step = 0; step < 20000; step++) {
        uint32_t number = draw(&chance, MAP_KEYS);
        struct kan_slice key = map_key(number, text);
        /* Seasons of growth and of decay. */
        bool put = draw(&chance, 4) != (step / 1000 % 2 ? 0u : 1u) &&
                   (step / 1000 % 2 || draw(&chance, 2));
        if (put) {
            assert_int_equal(map_put(&map, key, &values[number], NULL), KAN_OK);
            count += !there[number];
            there[number] = true;
        } else {
            void *value = map_remove(&map, key);
            assert_ptr_equal(value, there[number] ? &values[number] : NULL);
            count -= there[number];
            there[number] = false;
        }
        assert_int_equal(map_count(&map), count);
        number = draw(&chance, MAP_KEYS);
        assert_ptr_equal(map_get(&map, map_key(number, text)),
                         there[number] ? &values[number] : NULL);
    }
    uint32_t cursor = 0;
    uint32_t seen = 0;
    void *value;
    while (map_next(&map, &cursor, NULL, &value)) {
        assert_true(there[(int *)value - values]);
        seen++;
    }
    assert_int_equal(seen, count);
    map_fini(&map);
}

static void test_map_order_is_of_insertion(void **state)
{
    (void)state;
    struct map map;
    int values[100];
    char text[16];
    map_init(&map, map_seed, 100);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(map_put(&map, map_key(i, text), &values[i], NULL),
                         KAN_OK);
    /* Removing while walking skips nothing. */
    uint32_t cursor = 0;
    struct kan_slice key;
    void *value;
    for (uint32_t i = 0; map_next(&map, &cursor, &key, &value); i++) {
        assert_ptr_equal(value, &values[i]);
        assert_true(slice_equal(key, map_key(i, text)));
        if (i % 3)
            assert_ptr_equal(map_remove(&map, map_key(i, text)), &values[i]);
    }
    assert_int_equal(map_count(&map), 34);
    assert_int_equal(map_put(&map, map_key(1, text), &values[1], NULL), KAN_OK);
    cursor = 0;
    for (uint32_t i = 0; i < 100; i += 3) {
        assert_true(map_next(&map, &cursor, NULL, &value));
        assert_ptr_equal(value, &values[i]);
    }
    assert_true(map_next(&map, &cursor, NULL, &value));
    assert_ptr_equal(value, &values[1]);
    assert_false(map_next(&map, &cursor, NULL, &value));
    map_fini(&map);
}

static void test_map_faults(void **state)
{
    (void)state;
    int values[40];
    char text[16];
    uint32_t failures = 0;
    for (uint64_t n = 1;; n++) {
        struct map map;
        map_init(&map, map_seed, 40);
        mem_fault(n, false);
        for (uint32_t i = 0; i < 40; i++) {
            enum kan_err err =
                map_put(&map, map_key(i, text), &values[i], NULL);
            if (err != KAN_OK) {
                assert_int_equal(err, KAN_NOMEM);
                assert_int_equal(map_count(&map), i);
                assert_null(map_get(&map, map_key(i, text)));
                failures++;
                err = map_put(&map, map_key(i, text), &values[i], NULL);
            }
            assert_int_equal(err, KAN_OK);
        }
        bool struck = mem_fault_struck();
        mem_fault(0, false);
        for (uint32_t i = 0; i < 40; i++)
            assert_ptr_equal(map_get(&map, map_key(i, text)), &values[i]);
        map_fini(&map);
        if (!struck)
            break;
    }
    /* One for each key, and two for each size of the table: 16, 32, 64. */
    assert_int_equal(failures, 40 + 3 * 2);
}

/* --- did you mean --------------------------------------------------------- */

static void test_suggest(void **state)
{
    (void)state;
    static const char *const words[] = {
        "app-id",    "app-port", NULL,  "resources-path",
        "log-level", "help",     "run",
    };
    static const struct
    {
        const char *word;
        const char *nearest;
    } table[] = {
        {"app-id", "app-id"},
        {"APP-ID", "app-id"},
        {"ap-id", "app-id"},
        {"app-prot", "app-port"},
        {"resource-path", "resources-path"},
        {"resources_paht", "resources-path"},
        {"loglevel", "log-level"},
        {"hlep", "help"},
        {"rum", "run"},
        {"nur", NULL},
        {"xy", NULL},
        {"r", NULL},
        {"", NULL},
        {"components", NULL},
        {"app", NULL},
    };
    for (size_t n = 0; n < COUNT(table); n++) {
        const char *nearest =
            suggest_nearest(kan_text(table[n].word), words, COUNT(words));
        if (!nearest || !table[n].nearest)
            assert_ptr_equal(nearest, table[n].nearest);
        else
            assert_string_equal(nearest, table[n].nearest);
    }
    char large[65];
    memset(large, 'a', sizeof large);
    assert_null(suggest_nearest(kan_slice(large, 65), words, COUNT(words)));
    large[64] = 0;
    const char *const one[] = {large};
    assert_ptr_equal(suggest_nearest(kan_slice(large, 63), one, 1), large);
    assert_null(suggest_nearest(SLICE("run"), words, 0));
}

/* --- log ------------------------------------------------------------------ */

struct sink
{
    struct buffer lines;
    int count;
};

static void sink_line(void *data, struct kan_slice line)
{
    struct sink *sink = data;
    buffer_append(&sink->lines, line);
    sink->count++;
}

static uint64_t sink_clock(void *data)
{
    (void)data;
    return 1795446245000;
}

static void test_log(void **state)
{
    (void)state;
    struct sink sink = {0};
    struct log log = {.level = LOG_INFO,
                      .data = &sink,
                      .sink = sink_line,
                      .clock = sink_clock};
    log_line(&log, LOG_DEBUG, "not this");
    log_line(&log, LOG_WARN, "listening",
             LOG_TEXT("address", SLICE("127.0.0.1:3500")),
             LOG_NUMBER("pid", -7), LOG_FLAG("ready", true),
             LOG_TEXT("none", SLICE("")));
    log_line(&log, LOG_ERROR, "odd \"things\"",
             LOG_TEXT("value", SLICE("a\nlevel=fatal \\ \x1b[m \xc2\x9b \xff "
                                     "\xc3\xa9")));
    assert_slice(buffer_slice(&sink.lines),
                 "time=2026-11-23T15:04:05.000Z level=warn msg=listening "
                 "address=127.0.0.1:3500 pid=-7 ready=true none=\"\"\n"
                 "time=2026-11-23T15:04:05.000Z level=error "
                 "msg=\"odd \\\"things\\\"\" value=\"a\\nlevel=fatal \\\\ "
                 "\\x1b[m \\x9b \\xff \xc3\xa9\"\n");
    buffer_clear(&sink.lines);
    log.json = true;
    log.clock = NULL;
    log_line(&log, LOG_INFO, "line\none", LOG_TEXT("a", SLICE("<\xff>")),
             LOG_NUMBER("n", INT64_MIN), LOG_FLAG("no", false));
    assert_slice(buffer_slice(&sink.lines),
                 "{\"level\":\"info\",\"msg\":\"line\\none\",\"a\":"
                 "\"\\u003c\\ufffd\\u003e\",\"n\":-9223372036854775808,"
                 "\"no\":false}\n");
    log_fini(&log);
    buffer_fini(&sink.lines);
}

static void test_log_cuts_long_values(void **state)
{
    (void)state;
    struct sink sink = {0};
    struct log log = {.data = &sink, .sink = sink_line};
    struct buffer value = BUFFER_INIT;
    buffer_append_text(&value, "xx");
    for (int i = 0; i < 100000; i++)
        buffer_append_text(&value, "\xe2\x82\xac");
    log_line(&log, LOG_INFO, "m", LOG_TEXT("v", buffer_slice(&value)));
    assert_true(sink.lines.size < 5000);
    assert_true(utf8_valid(buffer_slice(&sink.lines)));
    assert_true(slice_find(buffer_slice(&sink.lines), SLICE("\\x")) ==
                SIZE_MAX);
    log_fini(&log);
    buffer_fini(&value);
    buffer_fini(&sink.lines);
}

static void test_log_faults(void **state)
{
    (void)state;
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        struct sink sink = {0};
        struct log log = {.data = &sink, .sink = sink_line};
        assert_int_equal(buffer_reserve(&sink.lines, 4096), KAN_OK);
        mem_fault(n, false);
        for (int i = 0; i < 3; i++)
            log_line(&log, LOG_INFO, "a message of some length",
                     LOG_TEXT("value", SLICE("with \"quotes\" and such, "
                                             "longer than 64 bytes")));
        struck = mem_fault_struck();
        mem_fault(0, false);
        /* The line is lost whole, and the next one is there. */
        assert_int_equal(sink.count, struck ? 2 : 3);
        log_fini(&log);
        buffer_fini(&sink.lines);
    }
}

static void test_log_levels(void **state)
{
    (void)state;
    enum log_level level = LOG_FATAL;
    for (int i = LOG_DEBUG; i <= LOG_FATAL; i++) {
        assert_int_equal(
            log_level_parse(kan_text(log_level_name((enum log_level)i)),
                            &level),
            KAN_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse(SLICE("warning"), &level), KAN_OK);
    assert_int_equal(level, LOG_WARN);
    assert_int_equal(log_level_parse(SLICE("loud"), &level), KAN_INVALID);
    assert_int_equal(log_level_parse(SLICE(""), &level), KAN_INVALID);
    assert_int_equal(level, LOG_WARN);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, note_live, check_live)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_err),
        TEST(test_assert),
        TEST(test_alloc_counts_blocks),
        TEST(test_alloc_fails_where_told),
        TEST(test_slice_compare),
        TEST(test_slice_cut),
        TEST(test_slice_parts),
        TEST(test_buffer),
        TEST(test_buffer_faults),
        TEST(test_list),
        TEST(test_number_integers),
        TEST(test_number_quantity),
        TEST(test_number_duration),
        TEST(test_number_bool),
        TEST(test_number_pack),
        TEST(test_number_time),
        TEST(test_utf8_round_trip),
        TEST(test_utf8_refuses),
        TEST(test_hash),
        TEST(test_map),
        TEST(test_map_against_array),
        TEST(test_map_order_is_of_insertion),
        TEST(test_map_faults),
        TEST(test_suggest),
        TEST(test_log),
        TEST(test_log_cuts_long_values),
        TEST(test_log_faults),
        TEST(test_log_levels),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
