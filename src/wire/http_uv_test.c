/* The server on real sockets: TCP and a Unix socket, one thread, one loop. Only
 * what the simulated world cannot show. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "env/env.h"
#include "env/uv/uv.h"
#include "wire/http.h"

struct run
{
    struct env *env;
    struct http_server *server;
    struct env_stream *stream;
    struct buffer received;
    struct env_write write;
    struct buffer sent;
    size_t wanted; /* stop when so much was received */
    uint32_t listener;
    bool closed;
};

static void on_request(void *data, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct run *run = data;
    run->listener = http_exchange_listener(exchange);
    http_answer(exchange, 200, "application/octet-stream", kan_slice(NULL, 0),
                request->body);
}

static void on_read(void *data, enum kan_err err, struct kan_slice bytes)
{
    struct run *run = data;
    buffer_append(&run->received, bytes);
    if (err || run->received.size >= run->wanted)
        env_stop(run->env);
}

static void on_written(struct env_write *write, enum kan_err err)
{
    (void)write;
    assert_int_equal(err, KAN_OK);
}

static void on_connect(void *data, enum kan_err err, struct env_stream *stream)
{
    struct run *run = data;
    assert_int_equal(err, KAN_OK);
    run->stream = stream;
    env_stream_read_start(stream, run, on_read);
    assert_int_equal(env_stream_write(stream, &run->write,
                                      buffer_slice(&run->sent), on_written),
                     KAN_OK);
}

static void on_closed(void *data)
{
    struct run *run = data;
    run->closed = true;
    env_stop(run->env);
}

static void run_open(struct run *run)
{
    memset(run, 0, sizeof *run);
    struct http_server_options options = {.data = run, .handler = on_request};
    assert_int_equal(env_uv_new(&run->env), KAN_OK);
    assert_int_equal(http_server_new(run->env, &options, &run->server), KAN_OK);
}

static void run_close(struct run *run)
{
    http_server_close(run->server, 1000, run, on_closed);
    while (!run->closed)
        (void)env_run(run->env, ENV_RUN_ONCE);
    buffer_fini(&run->received);
    buffer_fini(&run->sent);
    assert_null(env_free(run->env));
}

/* Send a body of that size to the address, and get it back. */
static void echo(struct run *run, const char *address, size_t size)
{
    buffer_clear(&run->sent);
    buffer_clear(&run->received);
    buffer_print(&run->sent,
                 "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                 size);
    for (size_t i = 0; i < size; i++)
        buffer_append_byte(&run->sent, (unsigned char)('a' + i % 23));
    struct buffer wanted = BUFFER_INIT;
    buffer_print(&wanted,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 size);
    buffer_append(&wanted,
                  kan_slice(run->sent.bytes + run->sent.size - size, size));
    run->wanted = wanted.size;
    assert_int_equal(env_connect(run->env, address, run, on_connect), KAN_OK);
    (void)env_run(run->env, ENV_RUN_UNTIL_STOPPED);
    assert_true(
        slice_equal(buffer_slice(&wanted), buffer_slice(&run->received)));
    buffer_fini(&wanted);
    env_stream_close(run->stream, run, on_closed);
    while (!run->closed)
        (void)env_run(run->env, ENV_RUN_ONCE);
    run->closed = false;
}

static void test_sockets(void **state)
{
    (void)state;
    int64_t live = mem_live();
    struct run run;
    char path[64];
    uint32_t tcp = 9;
    uint32_t tcp_too = 9;
    uint32_t local = 9;
    run_open(&run);
    (void)snprintf(path, sizeof path, "/tmp/kan-http-%d.socket", (int)getpid());
    assert_int_equal(
        http_server_listen(run.server, "127.0.0.1:0", NULL, NULL, 0, &tcp),
        KAN_OK);
    assert_int_equal(
        http_server_listen(run.server, "127.0.0.1:0", NULL, NULL, 0, &tcp_too),
        KAN_OK);
    assert_int_equal(
        http_server_listen(run.server, path, NULL, NULL, 0, &local), KAN_OK);
    echo(&run, http_server_address(run.server, tcp), 5);
    assert_int_equal(run.listener, tcp);
    echo(&run, http_server_address(run.server, tcp_too), 200000);
    assert_int_equal(run.listener, tcp_too);
    echo(&run, path, 3000000);
    assert_int_equal(run.listener, local);
    assert_int_equal(http_server_stats(run.server).requests, 3);
    assert_int_equal(http_server_stats(run.server).body_bytes_in_flight, 0);
    run_close(&run);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(mem_live(), live);
}

static void test_address_in_use(void **state)
{
    (void)state;
    struct run run;
    char why[200] = "";
    uint32_t number = 0;
    run_open(&run);
    assert_int_equal(
        http_server_listen(run.server, "127.0.0.1:0", NULL, NULL, 0, &number),
        KAN_OK);
    assert_int_equal(
        http_server_listen(run.server, http_server_address(run.server, number),
                           NULL, why, sizeof why, &number),
        KAN_HELD);
    assert_true(why[0] != 0);
    run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_address_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
