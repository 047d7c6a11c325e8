/* http.c - bytes into the HTTP server, in a simulated world.
 *
 * The first two bytes say how the rest is cut into reads. Whatever the rest is:
 * nothing crashes or leaks, the answers and the requests that the handler saw
 * are the same for every cut, and no byte stays counted as in flight. The same
 * bytes also go through the pure parts. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "env/env.h"
#include "env/sim/sim.h"
#include "wire/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct http_server *server;
    struct env_stream *client;
    struct http_exchange *waiting;
    struct env_timer timer;
    struct env_write writes[4096];
    size_t write_count;
    struct buffer answers;
    struct buffer requests;
    bool ended;
    bool gone;
};

/* --- the handler ---------------------------------------------------------- */

static void note(struct run *run, const struct http_request *request)
{
    buffer_append(&run->requests, request->method);
    buffer_append_byte(&run->requests, ' ');
    buffer_append(&run->requests, request->target);
    buffer_append_byte(&run->requests, ' ');
    buffer_append(&run->requests, request->path);
    buffer_append_byte(&run->requests, '?');
    buffer_append(&run->requests, request->query);
    for (uint32_t i = 0; i < request->header_count; i++) {
        buffer_append_byte(&run->requests, '\n');
        buffer_append(&run->requests, request->headers[i].name);
        buffer_append_byte(&run->requests, ':');
        buffer_append(&run->requests, request->headers[i].value);
    }
    buffer_append_text(&run->requests, "\n\n");
    buffer_append(&run->requests, request->body);
}

static void on_timer(struct env_timer *timer)
{
    struct run *run = timer->data;
    http_answer(run->waiting, 404, NULL, kan_slice(NULL, 0), SLICE("late"));
}

static void answer_in_pieces(struct http_exchange *exchange,
                             struct kan_slice body)
{
    http_answer_begin(exchange, 200, "a/b", kan_slice(NULL, 0));
    for (size_t i = 0; i < body.size; i += 3)
        (void)!http_answer_piece(exchange, slice_head(slice_skip(body, i), 3),
                                 NULL, NULL);
    http_answer_end(exchange);
}

static void on_request(void *data, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct run *run = data;
    note(run, request);
    unsigned char kind = slice_at(request->path, request->path.size - 1);
    if (kind == 'p') {
        answer_in_pieces(exchange, request->body);
    } else if (kind == 't') {
        run->waiting = exchange;
        run->timer.data = run;
        kan_assert(env_timer_start(run->env, &run->timer,
                                   env_now(run->env) + 100 * ENV_MS,
                                   on_timer) == KAN_OK);
    } else {
        http_answer(exchange, kind == 'n' ? 204 : 200, NULL, kan_slice(NULL, 0),
                    request->body);
    }
}

/* --- the client ----------------------------------------------------------- */

static void on_accepted(void *data, enum kan_err err, struct env_stream *stream)
{
    struct run *run = data;
    kan_assert(err == KAN_OK);
    run->client = stream;
}

static void on_read(void *data, enum kan_err err, struct kan_slice bytes)
{
    struct run *run = data;
    buffer_append(&run->answers, bytes);
    if (err)
        run->ended = true;
}

static void on_written(struct env_write *write, enum kan_err err)
{
    (void)write;
    (void)err;
}

static void on_gone(void *data)
{
    struct run *run = data;
    run->gone = true;
}

static void pass(struct run *run, uint64_t ns)
{
    (void)sim_run(run->world, sim_now(run->world) + ns);
}

static void run_open(struct run *run, bool chop)
{
    const struct sim_options world = {.chop = chop, .pipe_bytes = 1 << 16};
    const struct http_server_options options = {
        .limits = {.head_max = 256, .body_max = 64, .bodies_max = 1 << 20},
        .data = run,
        .handler = on_request};
    uint32_t number = 0;
    kan_assert(sim_world_new(&run->tape, &world, &run->world) == KAN_OK);
    kan_assert(sim_node_new(run->world, "a", &run->env) == KAN_OK);
    kan_assert(http_server_new(run->env, &options, &run->server) == KAN_OK);
    kan_assert(http_server_listen(run->server, "127.0.0.1:80", NULL, NULL, 0,
                                  &number) == KAN_OK);
    kan_assert(env_connect(run->env, "127.0.0.1:80", run, on_accepted) ==
               KAN_OK);
    pass(run, ENV_MS);
    env_stream_read_start(run->client, run, on_read);
}

static void run_close(struct run *run)
{
    env_stream_close(run->client, NULL, NULL);
    pass(run, ENV_S);
    struct http_stats stats = http_server_stats(run->server);
    kan_assert(stats.body_bytes_in_flight == 0);
    kan_assert(stats.connections_open == 0);
    http_server_close(run->server, 0, run, on_gone);
    pass(run, ENV_S);
    kan_assert(run->gone);
    kan_assert(!env_free(run->env));
    (void)sim_world_free(run->world);
    tape_fini(&run->tape);
}

static size_t next_cut(unsigned *random, int cut, size_t left)
{
    if (cut == 0)
        return left;
    if (cut == 1)
        return 1;
    *random = *random * 1103515245U + 12345U;
    size_t n = 1 + (*random >> 16) % 48;
    return n < left ? n : left;
}

/* Everything that came back and that was seen. Yours: buffer_fini(). */
static struct buffer talk(struct kan_slice bytes, int cut, unsigned seed)
{
    struct run *run = calloc(1, sizeof *run);
    kan_assert(run);
    tape_init_seed(&run->tape, seed);
    run_open(run, cut == 2);
    struct kan_slice rest = bytes;
    while (rest.size && !run->ended && run->write_count < 4096) {
        size_t n = next_cut(&seed, cut, rest.size);
        if (env_stream_write(run->client, &run->writes[run->write_count++],
                             slice_head(rest, n), on_written) != KAN_OK)
            break;
        rest = slice_skip(rest, n);
        pass(run, 1000);
    }
    env_stream_finish(run->client);
    for (int i = 0; i < 1000 && !run->ended; i++)
        pass(run, ENV_S);
    kan_assert(run->ended);
    run_close(run);
    buffer_append_text(&run->answers, "--");
    buffer_append(&run->answers, buffer_slice(&run->requests));
    kan_assert(!buffer_failed(&run->answers));
    struct buffer all = run->answers;
    buffer_fini(&run->requests);
    free(run);
    return all;
}

static void check_pure(struct kan_slice bytes)
{
    char *out = malloc(bytes.size + 1);
    size_t size = 0;
    kan_assert(out);
    for (int plus = 0; plus < 2; plus++) {
        if (http_decode(bytes, plus, out, &size) == KAN_OK)
            kan_assert(size <= bytes.size);
    }
    free(out);
    (void)http_head_check(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4000)
        return 0;
    int64_t live = mem_live();
    unsigned seed = (unsigned)data[0] << 8 | data[1];
    struct kan_slice bytes = kan_slice(data + 2, size - 2);
    check_pure(bytes);
    struct buffer whole = talk(bytes, 0, seed);
    for (int cut = 1; cut < 3; cut++) {
        struct buffer again = talk(bytes, cut, seed);
        kan_assert(slice_equal(buffer_slice(&whole), buffer_slice(&again)));
        buffer_fini(&again);
    }
    buffer_fini(&whole);
    kan_assert(mem_live() == live);
    return 0;
}
