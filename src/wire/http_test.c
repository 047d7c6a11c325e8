/* What a client sees of a server that works: connections that live, answers in
 * order, bodies both ways, ends of all kinds. In virtual time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/http_stage.h"

#define H         "Host: h\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"
#define OK(length, body)                              \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" \
    "Content-Length: " length "\r\n\r\n" body

static struct stage stage;
static struct client client;

static void open_all(void)
{
    stage_open(&stage, NULL, NULL, 1);
    client_open(&stage, &client);
    assert_true(client.connected);
}

static void close_all(void)
{
    client_fini(&client);
    stage_close(&stage);
}

static void test_keep_alive(void **state)
{
    (void)state;
    open_all();
    for (int i = 0; i < 3; i++) {
        client_say(&client, GET("/x"));
        client_expect(&client, OK("15", "GET /x, 0 bytes"));
        assert_false(client.ended);
    }
    client_say(&client, "GET /x HTTP/1.1\r\n" H "Connection: a, CLOSE\r\n\r\n");
    client_expect(&client,
                  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                  "Connection: close\r\nContent-Length: 15\r\n\r\n"
                  "GET /x, 0 bytes");
    assert_true(client.ended);
    assert_int_equal(http_server_stats(stage.server).requests, 4);
    assert_int_equal(http_server_stats(stage.server).answers_by_class[2], 4);
    assert_int_equal(http_server_stats(stage.server).connections, 1);
    close_all();
}

static void test_http_1_0(void **state)
{
    (void)state;
    open_all();
    client_say(&client, "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client_expect(&client,
                  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                  "Connection: keep-alive\r\nContent-Length: 15\r\n\r\n"
                  "GET /x, 0 bytes");
    assert_false(client.ended);
    client_say(&client, "GET /x HTTP/1.0\r\n\r\n");
    client_expect(&client,
                  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                  "Connection: close\r\nContent-Length: 15\r\n\r\n"
                  "GET /x, 0 bytes");
    assert_true(client.ended);
    close_all();
}

static void test_methods_without_bodies(void **state)
{
    (void)state;
    open_all();
    client_say(&client, "HEAD /x HTTP/1.1\r\n" H "\r\n");
    client_expect(&client, OK("16", ""));
    client_say(&client, "OPTIONS /x HTTP/1.1\r\n" H "\r\n");
    client_expect(&client, OK("19", "OPTIONS /x, 0 bytes"));
    client_say(&client, GET("/bare"));
    client_expect(&client, "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n");
    client_say(&client, "HEAD /pieces HTTP/1.1\r\n" H "\r\n");
    client_expect(&client,
                  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                  "X-Mode: pieces\r\nTransfer-Encoding: chunked\r\n\r\n");
    close_all();
}

/* A header that would break the head in two is not sent. */
static void test_split(void **state)
{
    (void)state;
    open_all();
    client_say(&client, GET("/split"));
    client_expect(&client,
                  "HTTP/1.1 500 Internal Server Error\r\n"
                  "Content-Type: text/plain\r\nContent-Length: 30\r\n\r\n"
                  "the answer's head is malformed");
    close_all();
}

static void test_expect(void **state)
{
    (void)state;
    open_all();
    client_say(&client, "POST /x HTTP/1.1\r\n" H
                        "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
    client_expect(&client, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(&client, "hello");
    client_expect(&client, OK("16", "POST /x, 5 bytes"));
    client_say(&client, "POST /x HTTP/1.1\r\n" H
                        "Expect: 100-continue\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n");
    client_expect(&client, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(&client, "1\r\na\r\n0\r\n\r\n");
    client_expect(&client, OK("16", "POST /x, 1 bytes"));
    /* Nothing to wait for. */
    client_say(&client, "GET /x HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n");
    client_expect(&client, OK("15", "GET /x, 0 bytes"));
    /* No invitation to send what will be refused. */
    client_say(&client, "POST /x HTTP/1.1\r\n" H
                        "Expect: 100-continue\r\n"
                        "Content-Length: 4194305\r\n\r\n");
    assert_true(
        slice_starts(buffer_slice(&client.received), SLICE("HTTP/1.1 413 ")));
    close_all();
}

/* Answers come in the order of requests, whatever their handlers take. */
static void test_pipelining(void **state)
{
    (void)state;
    open_all();
    client_say(&client,
               GET("/slow") GET("/a") GET("/later") GET("/b") GET("/slow"));
    const char *late = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate";
    struct buffer wanted = BUFFER_INIT;
    buffer_append_text(&wanted, late);
    buffer_append_text(&wanted, OK("15", "GET /a, 0 bytes"));
    buffer_append_text(&wanted, late);
    buffer_append_text(&wanted, OK("15", "GET /b, 0 bytes"));
    buffer_append_text(&wanted, late);
    client_expect(&client, buffer_text(&wanted));
    assert_false(client.ended);
    buffer_fini(&wanted);
    close_all();
}

/* While one request is under way the next ones wait unread: the server's memory
 * for one client is bounded, however much it sends. */
static void test_reading_stops(void **state)
{
    (void)state;
    open_all();
    client_say(&client, GET("/hold"));
    for (int i = 0; i < 20; i++) {
        char bytes[4000];
        memset(bytes, 'x', sizeof bytes);
        assert_true(client_send(&client, kan_slice(bytes, sizeof bytes)));
        stage_run(&stage, 1000);
    }
    struct http_stats stats = http_server_stats(stage.server);
    assert_true(stats.bytes_in < 20000);
    assert_true(stats.body_bytes_in_flight < 20000);
    assert_true(client.writes > 0);
    http_answer(stage.held, 200, NULL, kan_slice(NULL, 0), SLICE("held"));
    stage_run(&stage, 100000);
    assert_int_equal(client_answers(&client), 2); /* the second is a 400 */
    close_all();
}

/* A client with a thousand requests at once does not keep others waiting. */
static void test_turns(void **state)
{
    (void)state;
    const struct sim_options wide = {.pipe_bytes = 1 << 20};
    struct client other;
    stage_open(&stage, NULL, &wide, 1);
    client_open(&stage, &client);
    client_open(&stage, &other);
    struct buffer bytes = BUFFER_INIT;
    for (int i = 0; i < 1000; i++)
        buffer_append_text(&bytes, GET("/x"));
    assert_true(client_send(&client, buffer_slice(&bytes)));
    assert_true(client_send(&other, SLICE(GET("/y"))));
    while (client_answers(&other) == 0)
        assert_true(sim_step(stage.world));
    assert_true(stage.handled < 100);
    stage_run(&stage, 100000);
    assert_int_equal(client_answers(&client), 1000);
    buffer_fini(&bytes);
    client_fini(&other);
    close_all();
}

static void test_half_closed(void **state)
{
    (void)state;
    open_all();
    assert_true(client_send(&client, SLICE(GET("/a") GET("/slow") GET("/b"))));
    client_finish(&client);
    stage_run(&stage, 100000);
    assert_int_equal(client_answers(&client), 3);
    assert_true(client.ended);
    close_all();
}

static void test_client_gone(void **state)
{
    (void)state;
    open_all();
    client_say(&client, GET("/hold"));
    client_close(&client);
    stage_run(&stage, 100000);
    struct http_exchange *held = stage.held;
    assert_ptr_equal(http_exchange_get(held), &stage);
    http_answer(held, 200, NULL, kan_slice(NULL, 0), SLICE("nobody"));
    stage_run(&stage, 1000000);
    assert_int_equal(http_server_stats(stage.server).connections_open, 0);
    close_all();
}

static void count_gone(void *data)
{
    ++*(int *)data;
}

/* A handler that wants to know hears of the end once, however it comes. */
static void test_told_of_the_end(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        int gone = 0;
        open_all();
        client_say(&client, GET("/hold"));
        assert_true(http_exchange_on_gone(stage.held, &gone, count_gone));
        stage_run(&stage, 100000);
        assert_int_equal(gone, 0);
        if (how == 0)
            client_close(&client);
        else if (how == 1)
            client_finish(&client);
        else
            sim_break(stage.env);
        stage_run(&stage, 100000);
        assert_int_equal(gone, 1);
        assert_false(http_exchange_on_gone(stage.held, &gone, count_gone));
        http_answer(stage.held, 200, NULL, kan_slice(NULL, 0), SLICE("late"));
        stage_run(&stage, 100000);
        /* Who has only finished sending gets its answer. */
        assert_int_equal(client_answers(&client), how == 1);
        assert_int_equal(gone, 1);
        close_all();
    }
}

/* The wish ends with the answer: the next request is another matter. */
static void test_not_told_after_the_answer(void **state)
{
    int gone = 0;
    (void)state;
    open_all();
    client_say(&client, GET("/hold"));
    assert_true(http_exchange_on_gone(stage.held, &gone, count_gone));
    http_answer(stage.held, 200, NULL, kan_slice(NULL, 0), SLICE("held"));
    stage_run(&stage, 1000);
    client_say(&client, GET("/hold"));
    client_close(&client);
    stage_run(&stage, 100000);
    assert_int_equal(gone, 0);
    http_answer(stage.held, 200, NULL, kan_slice(NULL, 0), SLICE("nobody"));
    close_all();
}

/* As above, but the connection breaks, and the answer comes in pieces. */
static void test_connection_broken(void **state)
{
    (void)state;
    open_all();
    client_say(&client, GET("/hold"));
    sim_break(stage.env);
    stage_run(&stage, 100000);
    assert_int_equal(http_server_stats(stage.server).connections_open, 0);
    http_answer_begin(stage.held, 200, NULL, kan_slice(NULL, 0));
    assert_int_equal(http_answer_piece(stage.held, SLICE("nobody"), NULL, NULL),
                     KAN_LOST);
    http_answer_end(stage.held);
    close_all();
}

/* What a handler says late still goes to the client that waits for more. */
static void test_pieces(void **state)
{
    (void)state;
    open_all();
    stage.big = 2500;
    client_say(&client, GET("/pieces"));
    struct kan_slice got = buffer_slice(&client.received);
    assert_true(slice_starts(
        got, SLICE("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                   "X-Mode: pieces\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3e8\r\npiece")));
    assert_true(slice_find(got, SLICE("\r\n1f4\r\npiece")) != SIZE_MAX);
    assert_memory_equal((const char *)got.bytes + got.size - 7, "\r\n0\r\n\r\n",
                        7);
    assert_false(client.ended);
    buffer_clear(&client.received);
    client_say(&client,
               "GET /pieces HTTP/1.0\r\n"
               "Connection: keep-alive\r\n\r\n");
    got = buffer_slice(&client.received);
    assert_true(slice_starts(
        got, SLICE("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                   "X-Mode: pieces\r\nConnection: close\r\n\r\npiece")));
    assert_int_equal(got.size - slice_find(got, SLICE("piece\0")), 2500);
    assert_true(client.ended);
    close_all();
}

static void test_broken_off(void **state)
{
    (void)state;
    open_all();
    client_say(&client, GET("/broken"));
    assert_true(client.ended || client.lost);
    assert_true(slice_find(buffer_slice(&client.received),
                           SLICE("0\r\n\r\n")) == SIZE_MAX);
    close_all();
}

/* A client that does not read makes the handler wait, not the memory grow. */
static void test_slow_reader(void **state)
{
    (void)state;
    open_all();
    stage.big = 1000000;
    client_pause(&client, true);
    client_say(&client, GET("/pieces"));
    stage_run(&stage, 1000000);
    assert_true(stage.big_left > 1000000 - 150000);
    client_pause(&client, false);
    stage_run(&stage, 5000000);
    assert_int_equal(stage.big_left, 0);
    assert_memory_equal(client.received.bytes + client.received.size - 7,
                        "\r\n0\r\n\r\n", 7);
    client_say(&client, GET("/x"));
    close_all();
}

/* A client that leaves ends the waiting of its handler. */
static void test_slow_reader_gone(void **state)
{
    (void)state;
    open_all();
    stage.big = 1000000;
    client_pause(&client, true);
    client_say(&client, GET("/pieces"));
    assert_true(stage.big_left > 0);
    sim_break(stage.env);
    client_close(&client);
    stage_run(&stage, 100000);
    assert_int_equal(http_server_stats(stage.server).connections_open, 0);
    close_all();
}

static void test_worded_errors(void **state)
{
    (void)state;
    stage_words_errors = true;
    open_all();
    stage_words_errors = false;
    client_say(&client, "GET /x HTTP/1.1\r\n\r\n");
    client_expect(&client,
                  "HTTP/1.1 400 Bad Request\r\n"
                  "Content-Type: application/json\r\nConnection: close\r\n"
                  "Content-Length: 33\r\n\r\n"
                  "{\"status\":400,\"reason\":\"no Host\"}");
    close_all();
}

static void test_big_answer(void **state)
{
    (void)state;
    open_all();
    stage.big = 3000000;
    client_say(&client, GET("/big") GET("/x"));
    stage_run(&stage, 5000000);
    assert_int_equal(client_answers(&client), 2);
    assert_true(client.received.size > 3000000);
    assert_int_equal(http_server_stats(stage.server).bytes_out,
                     client.received.size);
    close_all();
}

static void test_big_body(void **state)
{
    (void)state;
    open_all();
    static char body[4 << 20];
    assert_true(client_send(&client, SLICE("POST /x HTTP/1.1\r\n" H
                                           "Content-Length: 4194304\r\n\r\n")));
    assert_true(client_send(&client, kan_slice(body, sizeof body)));
    stage_run(&stage, 5000000);
    client_expect(&client, OK("22", "POST /x, 4194304 bytes"));
    client_say(&client, GET("/x"));
    client_expect(&client, OK("15", "GET /x, 0 bytes"));
    close_all();
}

/* A refused client that goes on sending can still read why. */
static void test_lingering(void **state)
{
    (void)state;
    open_all();
    static char body[5 << 20];
    assert_true(client_send(&client, SLICE("POST /x HTTP/1.1\r\n" H
                                           "Content-Length: 5242880\r\n\r\n")));
    assert_true(client_send(&client, kan_slice(body, sizeof body)));
    stage_run(&stage, 3000000);
    assert_true(client.ended);
    assert_false(client.lost);
    assert_int_equal(client.writes, 0);
    assert_int_equal(client_answers(&client), 1);
    assert_int_equal(http_server_stats(stage.server).connections_open, 1);
    client_close(&client);
    stage_run(&stage, 1000);
    assert_int_equal(http_server_stats(stage.server).connections_open, 0);
    close_all();
}

/* ... but not for ever. */
static void test_lingering_ends(void **state)
{
    (void)state;
    open_all();
    client_say(&client, "GET /x HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
    assert_true(client.ended);
    stage_run(&stage, 4800000);
    assert_int_equal(http_server_stats(stage.server).connections_open, 1);
    stage_run(&stage, 200000);
    assert_int_equal(http_server_stats(stage.server).connections_open, 0);
    close_all();
}

static void test_endless_sender(void **state)
{
    (void)state;
    open_all();
    client_say(&client, "BAD\r\n\r\n");
    assert_true(client.ended);
    static char noise[1 << 20];
    int sent = 0;
    while (client.stream && !client.lost && sent < 20) {
        if (!client_send(&client, kan_slice(noise, sizeof noise)))
            break;
        stage_run(&stage, 50000);
        sent++;
        if (http_server_stats(stage.server).connections_open == 0)
            break;
    }
    assert_int_equal(sent, 9);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_http_1_0),
        cmocka_unit_test(test_methods_without_bodies),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_expect),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_reading_stops),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_connection_broken),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_broken_off),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_slow_reader_gone),
        cmocka_unit_test(test_worded_errors),
        cmocka_unit_test(test_told_of_the_end),
        cmocka_unit_test(test_not_told_after_the_answer),
        cmocka_unit_test(test_big_answer),
        cmocka_unit_test(test_big_body),
        cmocka_unit_test(test_lingering),
        cmocka_unit_test(test_lingering_ends),
        cmocka_unit_test(test_endless_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
