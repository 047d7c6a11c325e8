/* Ports over real sockets. */

#include <stdio.h>

#include "env/uv/fixture.h"

struct inbox
{
    int count;
    char from[64];
    char bytes[1300];
    size_t size;
};

static void on_message(void *data, const char *from, struct kan_slice bytes)
{
    struct inbox *inbox = data;
    inbox->count++;
    snprintf(inbox->from, sizeof inbox->from, "%s", from);
    memcpy(inbox->bytes, bytes.bytes, bytes.size);
    inbox->size = bytes.size;
}

static void messages_over(struct fixture *f, const char *address)
{
    static const char large[1201];
    static struct inbox inboxes[2];
    struct env_port *a;
    struct env_port *b;
    memset(inboxes, 0, sizeof inboxes);
    assert_int_equal(
        env_port_open(f->env, address, &inboxes[0], on_message, &a), KAN_OK);
    assert_int_equal(
        env_port_open(f->env, address, &inboxes[1], on_message, &b), KAN_OK);
    assert_int_equal(env_port_send(a, env_port_address(b), SLICE("ping")),
                     KAN_OK);
    assert_int_equal(inboxes[1].count, 0);
    run_to(f, &inboxes[1].count, 1);
    assert_string_equal(inboxes[1].from, env_port_address(a));
    assert_int_equal(inboxes[1].size, 4);
    assert_memory_equal(inboxes[1].bytes, "ping", 4);
    assert_int_equal(env_port_send(b, inboxes[1].from, kan_slice(large, 1200)),
                     KAN_OK);
    run_to(f, &inboxes[0].count, 1);
    assert_int_equal(inboxes[0].size, 1200);
    assert_int_equal(
        env_port_send(a, env_port_address(b), kan_slice(large, 1201)),
        KAN_INVALID);
    assert_int_equal(env_port_send(a, "nobody", SLICE("x")), KAN_INVALID);
    assert_int_equal(env_port_send(a, "./path", SLICE("x")), KAN_INVALID);
    assert_int_equal(env_port_send(a, env_port_address(b), SLICE("")), KAN_OK);
    run_to(f, &inboxes[1].count, 2);
    assert_int_equal(inboxes[1].size, 0);
    env_port_close(a, f, count_close);
    env_port_close(b, f, count_close);
    run_to_closed(f, 2);
}

static void test_messages(void **state)
{
    messages_over(*state, "127.0.0.1:0");
}

static void test_messages_ipv6(void **state)
{
    if (have_ipv6())
        messages_over(*state, "[::1]:0");
}

static void test_port_refused(void **state)
{
    struct fixture *f = *state;
    struct env_port *port;
    struct env_port *none = NULL;
    static struct inbox inbox;
    mem_fault(1, false);
    assert_int_equal(
        env_port_open(f->env, "127.0.0.1:0", &inbox, on_message, &none),
        KAN_NOMEM);
    assert_int_equal(
        env_port_open(f->env, "127.0.0.1:0", &inbox, on_message, &port),
        KAN_OK);
    assert_int_equal(env_port_open(f->env, env_port_address(port), &inbox,
                                   on_message, &none),
                     KAN_HELD);
    assert_int_equal(env_port_open(f->env, "./path", &inbox, on_message, &none),
                     KAN_INVALID);
    assert_int_equal(
        env_port_open(f->env, "192.0.2.1:0", &inbox, on_message, &none),
        KAN_INVALID);
    assert_null(none);
    /* To a port that nobody has: tried, and no more. */
    assert_int_equal(env_port_send(port, "127.0.0.1:1", SLICE("x")), KAN_OK);
    assert_int_equal(env_port_send(port, "127.0.0.1:1", SLICE("x")), KAN_OK);
    env_port_close(port, f, count_close);
    run_to_closed(f, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UV_TEST(test_messages),
        UV_TEST(test_messages_ipv6),
        UV_TEST(test_port_refused),
    };
    return cmocka_run_group_tests(tests, fixture_warm, NULL);
}
