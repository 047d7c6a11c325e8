/* Limits, time-outs and the way down, in virtual time. */

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
#define S         1000000 /* microseconds */

static struct stage stage;
static struct client client;

static void open_with(const struct http_limits *limits)
{
    stage_open(&stage, limits, NULL, 1);
    client_open(&stage, &client);
    assert_true(client.connected);
}

static void close_all(void)
{
    client_fini(&client);
    stage_close(&stage);
}

static struct http_stats stats(void)
{
    return http_server_stats(stage.server);
}

static void expect_status(const struct client *who, const char *status)
{
    char start[32];
    (void)snprintf(start, sizeof start, "HTTP/1.1 %s ", status);
    if (!slice_starts(buffer_slice(&who->received), kan_text(start)))
        fail_msg("wanted %s: %.*s", status,
                 SLICE_ARG(buffer_slice(&who->received)));
    assert_int_equal(client_answers(who), 1);
}

/* --- time ----------------------------------------------------------------- */

static void test_head_timeout(void **state)
{
    (void)state;
    open_with(NULL);
    client_say(&client, "GET /x HTTP/1.1\r\n");
    /* More of the head does not earn more time. */
    for (int i = 0; i < 9; i++) {
        client_say(&client, "A: b\r\n");
        stage_run(&stage, S - 100000);
    }
    assert_int_equal(client_answers(&client), 0);
    stage_run(&stage, S);
    expect_status(&client, "408");
    assert_true(client.ended);
    assert_int_equal(stats().refused, 1);
    close_all();
}

static void test_body_timeout(void **state)
{
    (void)state;
    open_with(NULL);
    client_say(&client, "POST /x HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\n");
    for (int i = 0; i < 8; i++) {
        stage_run(&stage, 29 * S);
        client_say(&client, "a");
        assert_int_equal(client_answers(&client), 0);
    }
    stage_run(&stage, 30 * S);
    expect_status(&client, "408");
    assert_true(client.ended);
    close_all();
}

static void test_chunked_body_timeout(void **state)
{
    (void)state;
    open_with(&(struct http_limits){.body_timeout_ms = 100});
    client_say(&client,
               "POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
    stage_run(&stage, 100000);
    expect_status(&client, "408");
    close_all();
}

static void test_idle_timeout(void **state)
{
    (void)state;
    struct client silent;
    open_with(NULL);
    client_open(&stage, &silent);
    for (int i = 0; i < 3; i++) {
        stage_run(&stage, 74 * S);
        client_say(&client, GET("/x"));
        expect_status(&client, "200");
        buffer_clear(&client.received);
    }
    assert_true(silent.ended || silent.lost);
    assert_int_equal(silent.received.size, 0);
    assert_false(client.ended);
    stage_run(&stage, 75 * S);
    assert_true(client.ended || client.lost);
    assert_int_equal(stats().connections_open, 0);
    client_fini(&silent);
    close_all();
}

/* A handler may take its time: deadlines are its own. */
static void test_no_timeout_while_handled(void **state)
{
    (void)state;
    open_with(NULL);
    client_say(&client, GET("/hold"));
    stage_run(&stage, 1000ULL * S);
    assert_int_equal(stats().connections_open, 1);
    http_answer(stage.held, 200, NULL, kan_slice(NULL, 0), SLICE("at last"));
    stage_run(&stage, S);
    expect_status(&client, "200");
    close_all();
}

static void test_answer_timeout(void **state)
{
    (void)state;
    const struct sim_options far = {.latency_ns = ENV_MS};
    stage_open(&stage, NULL, &far, 1);
    client_open(&stage, &client);
    stage.big = 1000000;
    client_pause(&client, true);
    client_say(&client, GET("/big"));
    stage_run(&stage, 29 * S);
    assert_int_equal(client.received.size, 0);
    assert_int_equal(stats().connections_open, 1);
    /* Who takes a little gets more time. */
    client_pause(&client, false);
    stage_run(&stage, 100);
    client_pause(&client, true);
    assert_true(client.received.size > 0);
    assert_true(client.received.size < 100000);
    stage_run(&stage, 29 * S);
    assert_int_equal(stats().connections_open, 1);
    stage_run(&stage, 30 * S);
    assert_int_equal(stats().connections_open, 0);
    assert_int_equal(stats().refused, 1);
    close_all();
}

/* --- sizes ---------------------------------------------------------------- */

static void test_head_limit(void **state)
{
    (void)state;
    struct buffer head = BUFFER_INIT;
    assert_int_equal(buffer_reserve(&head, 5000), KAN_OK);
    for (int over = 0; over < 2; over++) {
        open_with(NULL);
        buffer_clear(&head);
        buffer_append_text(&head, "GET /x HTTP/1.1\r\n" H "A: ");
        while (head.size < 4096 - 4 + (size_t)over)
            buffer_append_byte(&head, 'a');
        buffer_append_text(&head, "\r\n\r\n");
        client_say(&client, buffer_text(&head));
        expect_status(&client, over ? "431" : "200");
        close_all();
    }
    buffer_fini(&head);
}

static void test_endless_head(void **state)
{
    (void)state;
    open_with(&(struct http_limits){.head_max = 64});
    client_say(&client, "GET /");
    for (int i = 0; i < 59; i++) {
        assert_int_equal(client_answers(&client), 0);
        client_say(&client, "a");
    }
    expect_status(&client, "431");
    close_all();
}

static void test_header_count(void **state)
{
    (void)state;
    struct buffer head = BUFFER_INIT;
    assert_int_equal(buffer_reserve(&head, 5000), KAN_OK);
    for (int over = 0; over < 2; over++) {
        open_with(NULL);
        buffer_clear(&head);
        buffer_append_text(&head, "GET /x HTTP/1.1\r\n" H);
        for (int i = 1; i < 64 + over; i++)
            buffer_append_text(&head, "A: b\r\n");
        buffer_append_text(&head, "\r\n");
        client_say(&client, buffer_text(&head));
        expect_status(&client, over ? "431" : "200");
        close_all();
    }
    buffer_fini(&head);
}

static void test_trailers_limit(void **state)
{
    (void)state;
    open_with(NULL);
    client_say(&client, "POST /x HTTP/1.1\r\n" H
                        "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 600; i++) {
        if (!client_send(&client, SLICE("A: bcd\r\n")))
            break;
        stage_run(&stage, 10);
    }
    stage_run(&stage, S);
    expect_status(&client, "431");
    close_all();
}

static void test_extensions_limit(void **state)
{
    (void)state;
    open_with(NULL);
    client_say(&client,
               "POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 2000; i++) {
        if (!client_send(&client, SLICE("1;a=b\r\nx\r\n")))
            break;
        stage_run(&stage, 10);
    }
    stage_run(&stage, S);
    assert_int_equal(client_answers(&client), 1);
    assert_non_null(strstr(buffer_text(&client.received), "431"));
    close_all();
}

/* Bodies of all clients share one limit. What was announced but not sent takes
 * nothing from others. */
static void test_bodies_limit(void **state)
{
    (void)state;
    struct client other;
    open_with(&(struct http_limits){.body_max = 1000, .bodies_max = 1500});
    client_open(&stage, &other);
    client_say(&client,
               "POST /hold HTTP/1.1\r\n" H "Content-Length: 1000\r\n\r\n");
    client_say(&other, "POST /x HTTP/1.1\r\n" H "Content-Length: 1000\r\n\r\n");
    char body[1000];
    memset(body, 'x', sizeof body);
    assert_true(client_send(&client, kan_slice(body, 1000)));
    stage_run(&stage, S);
    assert_int_equal(stats().body_bytes_in_flight, 1000);
    assert_true(client_send(&other, kan_slice(body, 500)));
    stage_run(&stage, S);
    assert_int_equal(stats().body_bytes_in_flight, 1500);
    assert_int_equal(client_answers(&other), 0);
    assert_true(client_send(&other, kan_slice(body, 1)));
    stage_run(&stage, S);
    expect_status(&other, "503");
    assert_non_null(strstr(buffer_text(&other.received), "\r\nRetry-After: 1"));
    assert_int_equal(stats().body_bytes_in_flight, 1000);
    client_fini(&other);

    /* What certainly does not fit is refused before it is sent. */
    client_open(&stage, &other);
    client_say(&other, "POST /x HTTP/1.1\r\n" H
                       "Content-Length: 501\r\n"
                       "Expect: 100-continue\r\n\r\n");
    expect_status(&other, "503");
    client_fini(&other);

    http_answer(stage.held, 200, NULL, kan_slice(NULL, 0), SLICE(""));
    stage_run(&stage, S);
    assert_int_equal(stats().body_bytes_in_flight, 0);
    close_all();
}

/* Requests sent ahead count too; what does not fit is not read, and the client
 * sees which requests were answered. */
static void test_ahead_limit(void **state)
{
    (void)state;
    open_with(&(struct http_limits){.body_max = 100, .bodies_max = 100});
    client_say(&client, GET("/hold"));
    struct buffer bytes = BUFFER_INIT;
    for (int i = 0; i < 10; i++)
        buffer_append_text(&bytes, GET("/x"));
    client_say(&client, buffer_text(&bytes));
    buffer_fini(&bytes);
    assert_int_equal(stats().body_bytes_in_flight, 0);
    http_answer(stage.held, 200, NULL, kan_slice(NULL, 0), SLICE("held"));
    stage_run(&stage, S);
    expect_status(&client, "200");
    assert_non_null(strstr(buffer_text(&client.received), "close"));
    assert_true(client.ended);
    close_all();
}

static void test_connection_limit(void **state)
{
    (void)state;
    struct client more[3];
    open_with(&(struct http_limits){.connections_max = 2});
    for (int i = 0; i < 3; i++)
        client_open(&stage, &more[i]);
    stage_run(&stage, 1000);
    assert_int_equal(more[0].received.size, 0);
    expect_status(&more[1], "503");
    expect_status(&more[2], "503");
    assert_true(more[1].ended);
    client_fini(&more[0]);
    client_fini(&more[1]);
    client_fini(&more[2]);
    stage_run(&stage, 6 * S);
    client_open(&stage, &more[0]);
    client_say(&more[0], GET("/x"));
    expect_status(&more[0], "200");
    client_fini(&more[0]);
    close_all();
}

/* --- the way down --------------------------------------------------------- */

static void on_gone(void *data)
{
    *(bool *)data = true;
}

static void test_drain(void **state)
{
    (void)state;
    struct client idle;
    struct client reading;
    struct client late;
    open_with(NULL);
    client_open(&stage, &idle);
    client_open(&stage, &reading);
    client_say(&client, GET("/hold"));
    client_say(&reading, "POST /x HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\na");
    http_server_close(stage.server, 10000, &stage.server_gone, on_gone);
    stage_run(&stage, 1000);
    assert_true(idle.ended || idle.lost);
    assert_int_equal(idle.received.size, 0);
    client_open(&stage, &late);
    assert_true(late.refused);
    client_say(&reading, "b");
    expect_status(&reading, "200");
    assert_non_null(strstr(buffer_text(&reading.received), "close\r\n"));
    assert_false(stage.server_gone);
    http_answer(stage.held, 200, NULL, kan_slice(NULL, 0), SLICE("held"));
    stage_run(&stage, 1000);
    expect_status(&client, "200");
    assert_non_null(strstr(buffer_text(&client.received), "close\r\n"));
    client_fini(&idle);
    client_fini(&reading);
    client_fini(&client);
    stage_run(&stage, 1000);
    assert_true(stage.server_gone);
    client_fini(&late);
    close_all();
}

/* After drain_ms all is cut, and a handler may still answer. */
static void test_drain_cut(void **state)
{
    (void)state;
    struct client partial;
    open_with(NULL);
    client_open(&stage, &partial);
    client_say(&client, GET("/hold"));
    client_say(&partial, "GET /x");
    http_server_close(stage.server, 500, &stage.server_gone, on_gone);
    stage_run(&stage, 499000);
    assert_false(stage.server_gone);
    stage_run(&stage, 10000);
    assert_true(stage.server_gone);
    assert_true(client.ended || client.lost);
    assert_true(partial.ended || partial.lost);
    assert_ptr_equal(http_exchange_env(stage.held), stage.env);
    http_answer(stage.held, 200, NULL, kan_slice(NULL, 0), SLICE("nobody"));
    client_fini(&partial);
    close_all();
}

static void test_close_at_once(void **state)
{
    (void)state;
    open_with(NULL);
    client_say(&client, GET("/pieces"));
    client_say(&client, GET("/hold"));
    http_server_close(stage.server, 0, &stage.server_gone, on_gone);
    assert_false(stage.server_gone); /* never within the call */
    stage_run(&stage, 1000);
    assert_true(stage.server_gone);
    http_answer_begin(stage.held, 200, NULL, kan_slice(NULL, 0));
    http_answer_end(stage.held);
    close_all();
}

static void test_close_unused(void **state)
{
    (void)state;
    stage_open(&stage, NULL, NULL, 1);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_timeout),
        cmocka_unit_test(test_body_timeout),
        cmocka_unit_test(test_chunked_body_timeout),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_no_timeout_while_handled),
        cmocka_unit_test(test_answer_timeout),
        cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_endless_head),
        cmocka_unit_test(test_header_count),
        cmocka_unit_test(test_trailers_limit),
        cmocka_unit_test(test_extensions_limit),
        cmocka_unit_test(test_bodies_limit),
        cmocka_unit_test(test_ahead_limit),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_cut),
        cmocka_unit_test(test_close_at_once),
        cmocka_unit_test(test_close_unused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
