/* The stage of the HTTP tests. */

#include "wire/http_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"

/* --- the handler ---------------------------------------------------------- */

static void note(struct stage *stage, const struct http_request *request)
{
    struct buffer *seen = &stage->seen;
    buffer_append(seen, request->method);
    buffer_append_byte(seen, ' ');
    buffer_append(seen, request->path);
    buffer_append_byte(seen, '|');
    buffer_append(seen, request->query);
    for (uint32_t i = 0; i < request->header_count; i++) {
        buffer_append_byte(seen, '|');
        buffer_append(seen, request->headers[i].name);
        buffer_append_byte(seen, '=');
        buffer_append(seen, request->headers[i].value);
    }
    buffer_append_text(seen, "|body=");
    buffer_append(seen, request->body);
    buffer_append_byte(seen, '\n');
}

struct later
{
    struct stage *stage;
    struct http_exchange *exchange;
    struct env_task task;
    struct env_timer timer;
    size_t left;
};

static void answer_plain(struct http_exchange *exchange,
                         const struct http_request *request)
{
    char text[96];
    int size =
        snprintf(text, sizeof text, "%.*s %.*s, %zu bytes",
                 SLICE_ARG(slice_head(request->method, 8)),
                 SLICE_ARG(slice_head(request->path, 32)), request->body.size);
    http_answer(exchange, 200, "text/plain", kan_slice(NULL, 0),
                kan_slice(text, (size_t)size));
}

static void answer_late(struct later *later)
{
    struct http_exchange *exchange = later->exchange;
    free(later);
    http_answer(exchange, 200, NULL, kan_slice(NULL, 0), SLICE("late"));
}

static void on_task(struct env_task *task)
{
    answer_late(task->data);
}

static void on_timer(struct env_timer *timer)
{
    answer_late(timer->data);
}

static void on_ready(void *data)
{
    static const char block[1000] = "piece";
    struct later *later = data;
    while (later->left) {
        size_t n = later->left < sizeof block ? later->left : sizeof block;
        enum kan_err err = http_answer_piece(
            later->exchange, kan_slice(block, n), later, on_ready);
        if (err)
            break;
        later->left -= n;
        later->stage->big_left = later->left;
        return;
    }
    struct http_exchange *exchange = later->exchange;
    bool whole = later->left == 0;
    free(later);
    if (whole)
        http_answer_end(exchange);
    else
        http_answer_abort(exchange);
}

static struct later *later_new(struct stage *stage,
                               struct http_exchange *exchange)
{
    struct later *later = calloc(1, sizeof *later);
    assert_non_null(later);
    later->stage = stage;
    later->exchange = exchange;
    later->task.data = later;
    later->timer.data = later;
    return later;
}

static void answer_in_pieces(struct stage *stage,
                             struct http_exchange *exchange)
{
    struct later *later = later_new(stage, exchange);
    later->left = stage->big;
    http_answer_begin(exchange, 200, "text/plain", SLICE("X-Mode: pieces\r\n"));
    on_ready(later);
}

static void answer_big(struct stage *stage, struct http_exchange *exchange)
{
    char *bytes = calloc(1, stage->big + 1);
    assert_non_null(bytes);
    http_answer(exchange, 200, NULL, kan_slice(NULL, 0),
                kan_slice(bytes, stage->big));
    free(bytes);
}

static void answer_broken(struct http_exchange *exchange)
{
    http_answer_begin(exchange, 200, NULL, kan_slice(NULL, 0));
    (void)!http_answer_piece(exchange, SLICE("half of it"), NULL, NULL);
    http_answer_abort(exchange);
}

/* What needs no time. */
static void answer_now(struct stage *stage, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct kan_slice none = kan_slice(NULL, 0);
    if (slice_equal(request->path, SLICE("/big")))
        answer_big(stage, exchange);
    else if (slice_equal(request->path, SLICE("/broken")))
        answer_broken(exchange);
    else if (slice_equal(request->path, SLICE("/split")))
        http_answer(exchange, 200, NULL, SLICE("A: b\r\n\r\nC: d\r\n"), none);
    else if (slice_equal(request->path, SLICE("/bare")))
        http_answer(exchange, 204, NULL, SLICE("A: b\r\n"), SLICE("not sent"));
    else
        answer_plain(exchange, request);
}

static void on_request(void *data, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct stage *stage = data;
    stage->handled++;
    note(stage, request);
    http_exchange_set(exchange, stage);
    assert_ptr_equal(http_exchange_get(exchange), stage);
    assert_ptr_equal(http_exchange_env(exchange), stage->env);
    if (slice_equal(request->path, SLICE("/hold"))) {
        stage->held = exchange;
    } else if (slice_equal(request->path, SLICE("/slow"))) {
        struct later *later = later_new(stage, exchange);
        if (env_timer_start(stage->env, &later->timer,
                            env_now(stage->env) + 10 * ENV_MS,
                            on_timer) != KAN_OK)
            answer_late(later);
    } else if (slice_equal(request->path, SLICE("/later"))) {
        env_defer(stage->env, &later_new(stage, exchange)->task, on_task);
    } else if (slice_equal(request->path, SLICE("/pieces"))) {
        answer_in_pieces(stage, exchange);
    } else {
        answer_now(stage, exchange, request);
    }
}

bool stage_words_errors;

static const char *on_error(void *data, int *status, const char *reason,
                            struct buffer *body)
{
    assert_non_null(data);
    buffer_print(body, "{\"status\":%d,\"reason\":\"%s\"}", *status, reason);
    return "application/json";
}

/* --- the stage ------------------------------------------------------------ */

void stage_open(struct stage *stage, const struct http_limits *limits,
                const struct sim_options *world, uint64_t seed)
{
    memset(stage, 0, sizeof *stage);
    stage->live = mem_live();
    tape_init_seed(&stage->tape, seed);
    assert_int_equal(sim_world_new(&stage->tape, world, &stage->world), KAN_OK);
    assert_int_equal(sim_node_new(stage->world, "a", &stage->env), KAN_OK);
    struct http_server_options options = {.data = stage, .handler = on_request};
    if (stage_words_errors)
        options.error = on_error;
    if (limits)
        options.limits = *limits;
    assert_int_equal(http_server_new(stage->env, &options, &stage->server),
                     KAN_OK);
    assert_int_equal(http_server_listen(stage->server, "127.0.0.1:3500", NULL,
                                        NULL, 0, &stage->number),
                     KAN_OK);
}

void stage_run(struct stage *stage, uint64_t us)
{
    (void)sim_run(stage->world, sim_now(stage->world) + us * 1000);
}

static void on_server_gone(void *data)
{
    struct stage *stage = data;
    stage->server_gone = true;
}

void stage_close(struct stage *stage)
{
    if (!stage->server_gone) {
        stage_run(stage, 1000);
        assert_int_equal(http_server_stats(stage->server).body_bytes_in_flight,
                         0);
        http_server_close(stage->server, 1, stage, on_server_gone);
        stage_run(stage, 1000000);
    }
    assert_true(stage->server_gone);
    assert_null(env_free(stage->env));
    assert_null(sim_world_free(stage->world));
    tape_fini(&stage->tape);
    buffer_fini(&stage->seen);
    assert_int_equal(mem_live(), stage->live);
}

/* --- clients -------------------------------------------------------------- */

static void on_read(void *data, enum kan_err err, struct kan_slice bytes)
{
    struct client *client = data;
    if (err == KAN_END)
        client->ended = true;
    else if (err)
        client->lost = true;
    buffer_append(&client->received, bytes);
}

static void on_connect(void *data, enum kan_err err, struct env_stream *stream)
{
    struct client *client = data;
    if (err) {
        client->refused = true;
        return;
    }
    client->connected = true;
    client->stream = stream;
    env_stream_read_start(stream, client, on_read);
}

void client_open(struct stage *stage, struct client *client)
{
    memset(client, 0, sizeof *client);
    client->stage = stage;
    /* Outlive any fault loop around it. */
    (void)!buffer_reserve(&client->received, 4096);
    if (env_connect(stage->env, "127.0.0.1:3500", client, on_connect) !=
        KAN_OK) {
        client->refused = true;
        return;
    }
    for (int i = 0; i < 1000000 && !client->connected && !client->refused; i++)
        stage_run(stage, 10);
    assert_true(client->connected || client->refused);
}

struct sent
{
    struct env_write write;
    struct client *client;
    char bytes[];
};

static void on_sent(struct env_write *write, enum kan_err err)
{
    struct sent *sent = write->data;
    (void)err;
    sent->client->writes--;
    free(sent);
}

bool client_send(struct client *client, struct kan_slice bytes)
{
    if (!client->stream)
        return false;
    struct sent *sent = calloc(1, sizeof *sent + bytes.size + 1);
    assert_non_null(sent);
    sent->client = client;
    sent->write.data = sent;
    memcpy(sent->bytes, bytes.bytes, bytes.size);
    if (env_stream_write(client->stream, &sent->write,
                         kan_slice(sent->bytes, bytes.size),
                         on_sent) != KAN_OK) {
        free(sent);
        return false;
    }
    client->writes++;
    return true;
}

void client_finish(struct client *client)
{
    if (client->stream)
        env_stream_finish(client->stream);
}

void client_pause(struct client *client, bool paused)
{
    if (paused)
        env_stream_read_stop(client->stream);
    else
        env_stream_read_start(client->stream, client, on_read);
}

static void on_closed(void *data)
{
    struct client *client = data;
    client->gone = true;
}

void client_close(struct client *client)
{
    if (!client->stream)
        return;
    env_stream_close(client->stream, client, on_closed);
    client->stream = NULL;
    while (!client->gone)
        stage_run(client->stage, 10);
    assert_int_equal(client->writes, 0);
}

void client_fini(struct client *client)
{
    client_close(client);
    buffer_fini(&client->received);
}

void client_say(struct client *client, const char *text)
{
    assert_true(client_send(client, kan_text(text)));
    stage_run(client->stage, 100000);
}

void client_expect(struct client *client, const char *text)
{
    assert_string_equal(buffer_text(&client->received), text);
    buffer_clear(&client->received);
}

uint32_t client_answers(const struct client *client)
{
    uint32_t count = 0;
    struct kan_slice rest = buffer_slice(&client->received);
    size_t at;
    while ((at = slice_find(rest, SLICE("HTTP/1.1 "))) != SIZE_MAX) {
        count++;
        rest = slice_skip(rest, at + 1);
    }
    return count;
}

/* --- whole conversations -------------------------------------------------- */

static size_t next_cut(struct stage *stage, enum cut cut, size_t left)
{
    if (cut == CUT_NOWHERE)
        return left;
    if (cut == CUT_EVERYWHERE)
        return 1;
    size_t most = left < 40 ? left : 40;
    return 1 + (size_t)tape_choose(&stage->tape, most);
}

void stage_tell(struct kan_slice bytes, enum cut cut, uint64_t seed,
                const struct http_limits *limits, struct buffer *ret_answers)
{
    struct stage stage;
    struct client client;
    const struct sim_options wide = {.pipe_bytes = 1 << 20};
    const struct sim_options chopped = {.chop = true};
    /* Before the count of what is live begins. */
    assert_int_equal(buffer_reserve(ret_answers, 1 << 18), KAN_OK);
    stage_open(&stage, limits, cut == CUT_RANDOM ? &chopped : &wide, seed);
    client_open(&stage, &client);
    assert_true(client.connected);
    struct kan_slice rest = bytes;
    while (rest.size) {
        size_t n = next_cut(&stage, cut, rest.size);
        if (!client_send(&client, slice_head(rest, n)))
            break; /* the server has closed: what follows has no reader */
        rest = slice_skip(rest, n);
        stage_run(&stage, 1);
    }
    stage_run(&stage, 100);
    client_finish(&client);
    for (int i = 0; i < 200 && !client.ended && !client.lost; i++)
        stage_run(&stage, 10000);
    assert_true(client.ended || client.lost);
    buffer_append(ret_answers, buffer_slice(&client.received));
    buffer_append_text(ret_answers, "--\n");
    buffer_append(ret_answers, buffer_slice(&stage.seen));
    client_fini(&client);
    stage_close(&stage);
}
