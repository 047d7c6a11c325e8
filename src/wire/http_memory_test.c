/* What connections cost, and what happens when memory is short. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "wire/connection.h"
#include "wire/http_stage.h"

#define H         "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"
#define S         1000000 /* microseconds */

static struct stage stage;
static struct client client;

static struct http_stats stats(void)
{
    return http_server_stats(stage.server);
}

/* An idle connection is one struct of ours, also after it has been used. The
 * goal is 400 bytes a connection with the env's stream. */
static void test_idle_memory(void **state)
{
    (void)state;
    enum
    {
        COUNT = 10000
    };
    static struct client clients[COUNT];
    assert_true(sizeof(struct connection) < 200);
    const struct sim_options narrow = {.pipe_bytes = 512};
    stage_open(&stage, NULL, &narrow, 1);
    client_open(&stage, &client);
    client_say(&client, GET("/x"));
    client_fini(&client);
    int64_t before = mem_live();
    for (int i = 0; i < COUNT; i++) {
        client_open(&stage, &clients[i]);
        buffer_fini(&clients[i].received);
        assert_true(clients[i].connected);
    }
    assert_int_equal(stats().connections_open, COUNT);
    int64_t fresh = mem_live() - before;
    for (int i = 0; i < COUNT; i += 100) {
        client_say(&clients[i], "GET /x HTTP/1.1\r\n");
        client_say(&clients[i], H "\r\n");
        assert_int_equal(client_answers(&clients[i]), 1);
        buffer_fini(&clients[i].received);
    }
    assert_true(mem_live() - before <= fresh + 4);
    for (int i = 0; i < COUNT; i++) {
        env_stream_close(clients[i].stream, NULL, NULL);
        clients[i].stream = NULL;
    }
    stage_run(&stage, S);
    stage_close(&stage);
}

/* One conversation that touches everything that allocates. */
static void converse(void)
{
    struct client talker;
    client_open(&stage, &talker);
    if (talker.connected) {
        (void)client_send(&talker, SLICE("POST /x HTTP/1.1\r\n" H
                                         "Content-Length: 5\r\n\r\nhello"));
        stage_run(&stage, 1000);
        (void)client_send(
            &talker, SLICE("POST /x HTTP/1.1\r\n" H "Expect: 100-continue\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n"));
        stage_run(&stage, 1000);
        (void)client_send(&talker, SLICE("5\r\nhello\r\n0\r\n\r\nGET /bi"));
        stage_run(&stage, 1000);
        (void)client_send(
            &talker, SLICE("g HTTP/1.1\r\n" H "\r\n" GET("/slow") GET("/pieces")
                               GET("/later") "BAD\r\n\r\n"));
        stage_run(&stage, 100000);
    }
    client_fini(&talker);
    stage_run(&stage, 100000);
}

static void test_memory_faults(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        bool struck = true;
        for (uint64_t n = 1; struck; n++) {
            stage_open(&stage, NULL, NULL, n);
            stage.big = 70000;
            mem_fault(n, sticky);
            converse();
            struck = mem_fault_struck();
            mem_fault(0, false);
            stage_run(&stage, 100 * (uint64_t)S);
            assert_int_equal(stats().connections_open, 0);
            assert_int_equal(stats().body_bytes_in_flight, 0);
            client_open(&stage, &client);
            client_say(&client, GET("/x"));
            assert_true(slice_starts(buffer_slice(&client.received),
                                     SLICE("HTTP/1.1 200 ")));
            client_fini(&client);
            stage_close(&stage);
            assert_true(n < 10000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_memory),
        cmocka_unit_test(test_memory_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
