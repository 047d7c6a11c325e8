/* Streams of a simulated world: listening, connecting, bytes in pieces, ends
 * and breaks. */

#include "env/sim/fixture.h"

struct fixture fixture;

/* One end and what it has read. */
struct end
{
    struct env_stream *stream;
    struct buffer in;
    enum kan_err ending; /* KAN_OK while there is none */
    unsigned pieces;
};

static struct end client;
static struct end server;
static enum kan_err connect_err;
static unsigned connects;

static void on_read(void *data, enum kan_err err, struct kan_slice bytes)
{
    struct end *end = data;
    assert_int_equal(end->ending, KAN_OK);
    if (err) {
        assert_int_equal(bytes.size, 0);
        end->ending = err;
        return;
    }
    assert_true(bytes.size > 0);
    end->pieces++;
    buffer_append(&end->in, bytes);
}

static void on_accept(void *data, struct env_stream *stream)
{
    struct end *end = data;
    end->stream = stream;
    env_stream_read_start(stream, end, on_read);
}

static void on_connect(void *data, enum kan_err err, struct env_stream *stream)
{
    struct end *end = data;
    connects++;
    connect_err = err;
    end->stream = stream;
    if (!err)
        env_stream_read_start(stream, end, on_read);
}

static void ends_clear(void)
{
    buffer_fini(&client.in);
    buffer_fini(&server.in);
    client = (struct end){0};
    server = (struct end){0};
    connects = 0;
    connect_err = KAN_OK;
}

static void quiet(void)
{
    sim_run(fixture.world, UINT64_MAX);
}

/* Two hosts and a connection from a to b. */
static void pair_up(const struct sim_options *options, uint64_t seed,
                    struct env **ret_a, struct env **ret_b,
                    struct env_listener **ret_listener)
{
    ends_clear();
    world_up(options, seed);
    *ret_a = node_up("a");
    *ret_b = node_up("b");
    assert_ok(env_listen(*ret_b, "10.0.0.2:80", NULL, &server, on_accept, NULL,
                         0, ret_listener));
    assert_ok(env_connect(*ret_a, "10.0.0.2:80", &client, on_connect));
    quiet();
    assert_ok(connect_err);
    assert_non_null(server.stream);
}

static void pair_down(void)
{
    ends_clear();
    world_down();
}

static void on_write(struct env_write *write, enum kan_err err)
{
    say(err ? kan_err_name(err) : write->data);
}

static void write_text(struct env_stream *stream, struct env_write *write,
                       const char *text)
{
    write->data = "ok";
    assert_ok(env_stream_write(stream, write, kan_text(text), on_write));
}

static void got(const struct end *end, const char *text)
{
    assert_int_equal(end->in.size, strlen(text));
    if (end->in.size)
        assert_memory_equal(end->in.bytes, text, end->in.size);
}

/* --- addresses ------------------------------------------------------------ */

static void test_listen(void **state)
{
    struct env_listen_options shared = {.reuse_port = true};
    struct env_listener *l[8];
    char why[32];
    (void)state;
    ends_clear();
    world_up(NULL, 1);
    struct env *a = node_up("a");
    struct env *b = node_up("b");
    assert_ok(
        env_listen(a, "127.0.0.1:0", NULL, &server, on_accept, NULL, 0, &l[0]));
    assert_string_equal(env_listener_address(l[0]), "127.0.0.1:49152");
    assert_int_equal(env_listen(a, "127.0.0.1:49152", NULL, &server, on_accept,
                                why, sizeof why, &l[1]),
                     KAN_HELD);
    assert_string_equal(why, "the address is in use");
    assert_int_equal(
        env_listen(a, "nowhere", NULL, &server, on_accept, why, 5, &l[1]),
        KAN_INVALID);
    assert_string_equal(why, "not ");
    assert_int_equal(env_listen(a, "0.0.0.0:49152", NULL, &server, on_accept,
                                NULL, 0, &l[1]),
                     KAN_HELD);
    assert_ok(env_listen(b, "127.0.0.1:49152", NULL, &server, on_accept, NULL,
                         0, &l[1]));
    assert_ok(env_listen(a, "10.0.0.1:80", &shared, &server, on_accept, NULL, 0,
                         &l[2]));
    assert_ok(env_listen(a, "10.0.0.1:80", &shared, &server, on_accept, NULL, 0,
                         &l[3]));
    assert_int_equal(
        env_listen(b, "10.0.0.1:80", NULL, &server, on_accept, NULL, 0, &l[4]),
        KAN_HELD);
    assert_ok(
        env_listen(a, "/run/x", NULL, &server, on_accept, NULL, 0, &l[4]));
    env_listener_close(l[0], "closed", say_closed);
    assert_ok(env_listen(a, "127.0.0.1:49152", NULL, &server, on_accept, NULL,
                         0, &l[5]));
    quiet();
    said("closed");
    pair_down();
}

static void connect_to(struct env *env, const char *address, enum kan_err err)
{
    connects = 0;
    assert_ok(env_connect(env, address, &client, on_connect));
    assert_int_equal(connects, 0);
    quiet();
    assert_int_equal(connects, 1);
    assert_int_equal(connect_err, err);
}

static void test_connect(void **state)
{
    struct env_listener *l[3];
    struct end other = {0};
    (void)state;
    ends_clear();
    world_up(NULL, 1);
    struct env *a = node_up("a");
    struct env *b = node_up("b");
    assert_int_equal(env_connect(a, "nowhere", &client, on_connect),
                     KAN_INVALID);
    connect_to(a, "127.0.0.1:80", KAN_LOST);
    assert_ok(env_listen(b, "127.0.0.1:80", NULL, &server, on_accept, NULL, 0,
                         &l[0]));
    connect_to(a, "127.0.0.1:80", KAN_OK); /* nobody nearer */
    assert_non_null(server.stream);
    assert_ok(
        env_listen(a, "0.0.0.0:80", NULL, &other, on_accept, NULL, 0, &l[1]));
    connect_to(a, "127.0.0.1:80", KAN_OK); /* its own */
    assert_non_null(other.stream);
    assert_ok(
        env_listen(b, "./sock", NULL, &server, on_accept, NULL, 0, &l[2]));
    connect_to(b, "./sock", KAN_OK);
    env_listener_close(l[2], NULL, NULL);
    connect_to(b, "./sock", KAN_LOST);
    pair_down();
}

static void test_connect_refused(void **state)
{
    const struct sim_options options = {.refuse_rate = 1000, .latency_ns = 7};
    struct env_listener *listener;
    (void)state;
    ends_clear();
    world_up(&options, 1);
    struct env *a = node_up("a");
    assert_ok(env_listen(a, "127.0.0.1:80", NULL, &server, on_accept, NULL, 0,
                         &listener));
    connect_to(a, "127.0.0.1:80", KAN_LOST);
    assert_null(server.stream);
    assert_int_equal(sim_now(fixture.world), 14);
    assert_int_equal(probed(SIM_PROBE_CONNECT_REFUSED), 1);
    pair_down();
}

/* A listener closed, or dead, before the accept. */
static void test_listener_gone(void **state)
{
    (void)state;
    for (unsigned steps = 0; steps < 4; steps++) {
        for (unsigned how = 0; how < 3; how++) {
            struct env_listener *listener;
            ends_clear();
            world_up(NULL, 1);
            struct env *a = node_up("a");
            struct env *b = node_up("b");
            assert_ok(env_listen(b, "10.0.0.2:80", NULL, &server, on_accept,
                                 NULL, 0, &listener));
            assert_ok(env_connect(a, "10.0.0.2:80", &client, on_connect));
            for (unsigned i = 0; i < steps; i++)
                sim_step(fixture.world);
            if (how == 0)
                env_listener_close(listener, NULL, NULL);
            else if (how == 1)
                sim_crash(b);
            else
                sim_crash(a);
            quiet();
            assert_int_equal(connects, how < 2 || steps >= 3 ? 1 : 0);
            if (how == 0 && connect_err == KAN_OK)
                assert_true(server.stream || client.ending == KAN_LOST);
            if (how == 1 && connect_err == KAN_OK)
                assert_int_equal(client.ending, KAN_LOST);
            if (how == 2 && server.stream)
                assert_int_equal(server.ending, KAN_LOST);
            (void)env_run(how == 1 ? b : a, ENV_RUN_UNTIL_STOPPED);
            pair_down();
        }
    }
}

/* --- bytes ---------------------------------------------------------------- */

static void test_bytes(void **state)
{
    struct env *a;
    struct env *b;
    struct env_listener *listener;
    struct env_write write = {0};
    struct env_write second = {0};
    size_t written;
    (void)state;
    pair_up(NULL, 1, &a, &b, &listener);
    assert_ok(env_stream_try_write(client.stream, SLICE("one "), &written));
    assert_int_equal(written, 4);
    write_text(client.stream, &write, "two ");
    write_text(client.stream, &second, "three");
    assert_int_equal(env_stream_pending(client.stream), 9);
    assert_ok(env_stream_try_write(client.stream, SLICE("x"), &written));
    assert_int_equal(written, 0); /* not while others wait */
    said("");
    quiet();
    said("ok ok");
    got(&server, "one two three");
    assert_int_equal(env_stream_pending(client.stream), 0);
    env_stream_finish(client.stream);
    quiet();
    assert_int_equal(server.ending, KAN_END);
    write_text(server.stream, &write, "half open");
    quiet();
    got(&client, "half open");
    env_stream_close(server.stream, "closed", say_closed);
    said("ok");
    quiet();
    said("closed");
    assert_int_equal(client.ending, KAN_END);
    env_stream_close(client.stream, NULL, NULL);
    env_listener_close(listener, NULL, NULL);
    quiet();
    env_free(a);
    env_free(b);
    pair_down();
}

/* A reader that does not read makes the writer wait. */
static void test_back_pressure(void **state)
{
    static char bytes[100000];
    const struct sim_options options = {.pipe_bytes = 1000, .latency_ns = 5};
    struct env *a;
    struct env *b;
    struct env_listener *listener;
    struct env_write write = {.data = "ok"};
    size_t written;
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    pair_up(&options, 1, &a, &b, &listener);
    env_stream_read_stop(server.stream);
    assert_ok(
        env_stream_try_write(client.stream, kan_slice(bytes, 600), &written));
    assert_int_equal(written, 600);
    assert_ok(env_stream_try_write(client.stream, kan_slice(bytes + 600, 600),
                                   &written));
    assert_int_equal(written, 400);
    assert_ok(env_stream_write(client.stream, &write,
                               kan_slice(bytes + 1000, sizeof bytes - 1000),
                               on_write));
    quiet();
    said("");
    assert_int_equal(server.in.size, 0);
    assert_true(probed(SIM_PROBE_WRITE_BLOCKED) > 0);
    env_stream_read_start(server.stream, &server, on_read);
    quiet();
    said("ok");
    assert_int_equal(server.in.size, sizeof bytes);
    assert_memory_equal(server.in.bytes, bytes, sizeof bytes);
    pair_down();
}

/* However pieces are cut, the bytes are the same. */
static void test_chop(void **state)
{
    static char bytes[3000];
    const struct sim_options options = {.chop = true,
                                        .shuffle = true,
                                        .pipe_bytes = 256,
                                        .latency_ns = 3,
                                        .jitter_ns = 50};
    bool partial = false;
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 100);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct env *a;
        struct env *b;
        struct env_listener *listener;
        struct env_write write = {.data = "ok"};
        size_t written;
        pair_up(&options, seed, &a, &b, &listener);
        assert_ok(env_stream_try_write(client.stream, kan_slice(bytes, 100),
                                       &written));
        partial |= written < 100;
        assert_ok(env_stream_write(
            client.stream, &write,
            kan_slice(bytes + written, sizeof bytes - written), on_write));
        env_stream_finish(client.stream);
        quiet();
        said("ok");
        assert_int_equal(server.ending, KAN_END);
        assert_int_equal(server.in.size, sizeof bytes);
        assert_memory_equal(server.in.bytes, bytes, sizeof bytes);
        assert_true(probed(SIM_PROBE_STREAM_CHOPPED) > 0);
        pair_down();
    }
    assert_true(partial);
}

/* --- ends and breaks ------------------------------------------------------ */

static void test_close_with_writes(void **state)
{
    static char bytes[100000];
    struct env *a;
    struct env *b;
    struct env_listener *listener;
    struct env_write one = {.data = "ok"};
    struct env_write two = {.data = "ok"};
    (void)state;
    pair_up(NULL, 1, &a, &b, &listener);
    env_stream_read_stop(server.stream);
    assert_ok(env_stream_write(client.stream, &one,
                               kan_slice(bytes, sizeof bytes), on_write));
    assert_ok(env_stream_write(client.stream, &two, SLICE("x"), on_write));
    quiet();
    env_stream_close(client.stream, "closed", say_closed);
    said("");
    quiet();
    said("CLOSED CLOSED closed");
    env_stream_read_start(server.stream, &server, on_read);
    quiet();
    assert_int_equal(server.in.size, 16384);
    assert_int_equal(server.ending, KAN_END);
    pair_down();
}

/* Who closes with unread bytes resets the connection. */
static void test_reset(void **state)
{
    struct env *a;
    struct env *b;
    struct env_listener *listener;
    struct env_write write = {0};
    struct env_write unread = {0};
    size_t written;
    (void)state;
    pair_up(NULL, 1, &a, &b, &listener);
    env_stream_read_stop(server.stream);
    write_text(client.stream, &unread, "nobody reads this");
    write_text(server.stream, &write, "answer");
    quiet();
    env_stream_close(server.stream, NULL, NULL);
    quiet();
    got(&client, "answer");
    assert_int_equal(client.ending, KAN_LOST);
    assert_int_equal(env_stream_try_write(client.stream, SLICE("x"), &written),
                     KAN_LOST);
    assert_int_equal(
        env_stream_write(client.stream, &write, SLICE("x"), on_write),
        KAN_LOST);
    env_stream_close(client.stream, NULL, NULL);
    quiet();
    pair_down();
}

/* Writing to a closed peer seems to work once, then the answer comes. */
static void test_write_to_nobody(void **state)
{
    struct env *a;
    struct env *b;
    struct env_listener *listener;
    struct env_write write = {0};
    size_t written;
    (void)state;
    pair_up(NULL, 1, &a, &b, &listener);
    env_stream_close(server.stream, NULL, NULL);
    quiet();
    assert_int_equal(client.ending, KAN_END);
    write_text(client.stream, &write, "hello?");
    quiet();
    said("ok");
    assert_int_equal(env_stream_try_write(client.stream, SLICE("x"), &written),
                     KAN_LOST);
    pair_down();
}

/* A peer that dies: LOST after a power cut; after a kill perhaps END. What was
 * written before a break may arrive or not. */
static void test_peer_dies(void **state)
{
    const struct sim_options options = {
        .chop = true, .latency_ns = 5, .jitter_ns = 5};
    bool lost = false;
    bool end = false;
    bool whole = false;
    bool cut = false;
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct env *a;
        struct env *b;
        struct env_listener *listener;
        struct env_write write = {0};
        struct env_write waits = {.data = "ok"};
        static char bytes[100000];
        pair_up(&options, seed, &a, &b, &listener);
        env_stream_read_stop(server.stream);
        /* Half of the deaths leave bytes unread. */
        if (seed % 4 < 2)
            assert_ok(env_stream_write(client.stream, &waits,
                                       kan_slice(bytes, sizeof bytes),
                                       on_write));
        write_text(server.stream, &write, "answer");
        for (int i = 0; i < 2; i++)
            sim_step(fixture.world);
        bool power = seed % 2 == 0;
        if (power)
            sim_crash(b);
        else
            sim_kill(b);
        quiet();
        assert_int_not_equal(client.ending, KAN_OK);
        if (power)
            assert_int_equal(client.ending, KAN_LOST);
        lost |= !power && client.ending == KAN_LOST;
        end |= !power && client.ending == KAN_END;
        if (seed % 4 < 2)
            assert_int_equal(client.ending, KAN_LOST);
        whole |= client.in.size == 6;
        cut |= client.in.size < 6;
        assert_int_equal(env_stream_pending(client.stream), 0);
        /* The ghost hears of it too, when its memory is to be released. */
        fixture.trace[0] = 0;
        env_stream_close(server.stream, NULL, NULL);
        env_listener_close(listener, NULL, NULL);
        assert_false(env_run(b, ENV_RUN_UNTIL_STOPPED));
        env_free(b);
        pair_down();
    }
    assert_true(lost && end && whole && cut);
}

static void test_breaks(void **state)
{
    const struct sim_options options = {.break_rate = 1000, .latency_ns = 5};
    struct env *a;
    struct env *b;
    struct env_listener *listener;
    struct env_write write = {0};
    (void)state;
    pair_up(&options, 1, &a, &b, &listener);
    write_text(client.stream, &write, "fatal");
    quiet();
    assert_int_equal(client.ending, KAN_LOST);
    assert_int_equal(server.ending, KAN_LOST);
    assert_true(probed(SIM_PROBE_STREAM_BROKEN) > 0);
    pair_down();
    pair_up(NULL, 1, &a, &b, &listener);
    sim_break(b);
    quiet();
    assert_int_equal(client.ending, KAN_LOST);
    assert_int_equal(server.ending, KAN_LOST);
    pair_down();
}

static void test_partition(void **state)
{
    const struct sim_options options = {.latency_ns = 5,
                                        .connect_timeout_ns = 1000};
    struct env *a;
    struct env *b;
    struct env_listener *listener;
    struct env_write write = {0};
    struct end other = {0};
    (void)state;
    pair_up(&options, 1, &a, &b, &listener);
    write_text(client.stream, &write, "before ");
    quiet();
    write_text(client.stream, &write, "while");
    sim_partition(fixture.world, "a", "b", true);
    uint64_t start_ns = sim_now(fixture.world);
    assert_ok(env_connect(a, "10.0.0.2:80", &other, on_connect));
    quiet();
    assert_int_equal(connect_err, KAN_LOST);
    assert_true(sim_now(fixture.world) >= start_ns + 1000);
    got(&server, "before ");
    env_stream_finish(client.stream);
    quiet();
    assert_int_equal(server.ending, KAN_OK);
    sim_partition(fixture.world, "b", "a", false);
    quiet();
    got(&server, "before while");
    assert_int_equal(server.ending, KAN_END);
    sim_partition(fixture.world, "a", "b", true);
    sim_crash(b);
    quiet();
    assert_int_equal(client.ending, KAN_OK); /* nothing is known */
    sim_heal(fixture.world);
    quiet();
    assert_int_equal(client.ending, KAN_LOST);
    pair_down();
}

static enum kan_err every_call(struct env *env, struct env_write *write)
{
    struct env_listener *listener;
    enum kan_err err = env_listen(env, "127.0.0.1:0", NULL, &server, on_accept,
                                  NULL, 0, &listener);
    if (!err)
        err = env_connect(env, env_listener_address(listener), &client,
                          on_connect);
    if (err)
        return err;
    quiet(); /* once under way, memory does not matter */
    assert_ok(connect_err);
    write_text(client.stream, write, "hello");
    quiet();
    return server.in.size == 5 ? KAN_OK : KAN_NOMEM; /* the test's buffer */
}

static void test_without_memory(void **state)
{
    bool struck = true;
    (void)state;
    for (uint64_t nth = 1; struck; nth++) {
        struct env_write write = {0};
        ends_clear();
        world_up(NULL, 1);
        struct env *env = node_up("a");
        mem_fault(nth, false);
        enum kan_err err = every_call(env, &write);
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(err, struck ? KAN_NOMEM : KAN_OK);
        buffer_clear(&server.in);
        assert_ok(every_call(env, &write));
        pair_down();
        assert_true(nth < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_connect_refused),
        cmocka_unit_test(test_listener_gone),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_chop),
        cmocka_unit_test(test_close_with_writes),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_write_to_nobody),
        cmocka_unit_test(test_peer_dies),
        cmocka_unit_test(test_breaks),
        cmocka_unit_test(test_partition),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
