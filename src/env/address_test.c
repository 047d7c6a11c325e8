/* Addresses: what is read, what is refused, and the way back. */

#include "env/address.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_forms(void **state)
{
    struct address a;
    (void)state;
    assert_int_equal(address_parse("127.0.0.1:3500", &a), KAN_OK);
    assert_int_equal(a.kind, ADDRESS_IPV4);
    assert_int_equal(a.port, 3500);
    assert_memory_equal(a.host, "\x7f\0\0\1", 4);
    assert_int_equal(address_parse("[::1]:0", &a), KAN_OK);
    assert_int_equal(a.kind, ADDRESS_IPV6);
    assert_int_equal(a.port, 0);
    assert_int_equal(a.host[15], 1);
    assert_int_equal(address_parse("./kan.sock", &a), KAN_OK);
    assert_int_equal(a.kind, ADDRESS_PATH);
    assert_string_equal(a.path, "./kan.sock");
}

static void test_canonical(void **state)
{
    static const char *const pairs[][2] = {
        {"0.0.0.0:00080", "0.0.0.0:80"},
        {"[0:0::0:1]:65535", "[::1]:65535"},
        {"[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]:1"},
        {"[2001:DB8::A]:5", "[2001:db8::a]:5"},
        {"/run/kan:1.sock", "/run/kan:1.sock"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct address a;
        struct address b;
        char text[ADDRESS_TEXT_SIZE];
        assert_int_equal(address_parse(pairs[i][0], &a), KAN_OK);
        address_print(&a, text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(address_parse(text, &b), KAN_OK);
        assert_true(address_equal(&a, &b));
    }
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        ":3500",
        "3500",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1:65536",
        "127.0.0.1:000001",
        "127.0.0.1: 1",
        " 127.0.0.1:1",
        "127.0.0.1:1 ",
        "127.0.0.1:1:2",
        "127.1:1",
        "256.0.0.1:1",
        "localhost:1",
        "::1:1",
        "[::1]",
        "[::1]1",
        "[::1",
        "[]:1",
        "[127.0.0.1]:1",
        "[::1%lo]:1",
        "[:::1]:1",
        "127.0.0.1:1x",
        "name",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct address a = {.port = 77};
        assert_int_equal(address_parse(bad[i], &a), KAN_INVALID);
        assert_int_equal(a.port, 77); /* untouched */
    }
}

static void test_path_length(void **state)
{
    char path[ADDRESS_PATH_MAX + 2];
    char text[ADDRESS_TEXT_SIZE];
    struct address a;
    (void)state;
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[ADDRESS_PATH_MAX + 1] = 0;
    assert_int_equal(address_parse(path, &a), KAN_INVALID);
    path[ADDRESS_PATH_MAX] = 0;
    assert_int_equal(address_parse(path, &a), KAN_OK);
    address_print(&a, text);
    assert_string_equal(text, path);
}

static void test_equal(void **state)
{
    struct address a;
    struct address b;
    (void)state;
    assert_int_equal(address_parse("10.0.0.1:1", &a), KAN_OK);
    assert_int_equal(address_parse("10.0.0.1:2", &b), KAN_OK);
    assert_false(address_equal(&a, &b));
    assert_int_equal(address_parse("10.0.0.2:1", &b), KAN_OK);
    assert_false(address_equal(&a, &b));
    assert_int_equal(address_parse("/10.0.0.1:1", &b), KAN_OK);
    assert_false(address_equal(&a, &b));
    assert_true(address_equal(&a, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),   cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_path_length),
        cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
