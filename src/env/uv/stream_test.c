/* Streams and listeners over real sockets. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "env/uv/fixture.h"
#include "env/uv/world.h"

/* --- two ends ------------------------------------------------------------- */

/* One end of a connection, and what it has seen. */
struct end
{
    struct env_stream *stream;
    int got;   /* bytes read */
    int ended; /* KAN_END or KAN_LOST was read */
    int calls; /* of the read callback */
    enum kan_err last;
    unsigned sum;
    bool echo;
    struct env_write write;
};

static struct
{
    struct env *env;
    struct env_listener *listener;
    struct end server;
    struct end client;
    int accepted;
    int connected;
    enum kan_err connect_err;
} pair;

static void on_accept(void *data, struct env_stream *stream)
{
    (void)data;
    pair.server.stream = stream;
    pair.accepted++;
}

static void on_connect(void *data, enum kan_err err, struct env_stream *stream)
{
    (void)data;
    assert_true((err == KAN_OK) == (stream != NULL));
    pair.connect_err = err;
    pair.client.stream = stream;
    pair.connected++;
}

static void on_read(void *data, enum kan_err err, struct kan_slice bytes)
{
    struct end *end = data;
    assert_int_equal(end->ended, 0); /* nothing after the end */
    end->calls++;
    end->last = err;
    if (err) {
        assert_int_equal(bytes.size, 0);
        end->ended = 1;
        return;
    }
    assert_true(bytes.size > 0);
    for (size_t i = 0; i < bytes.size; i++)
        end->sum = end->sum * 31 + slice_at(bytes, i);
    end->got += (int)bytes.size;
    if (end->echo) {
        size_t written;
        assert_int_equal(env_stream_try_write(end->stream, bytes, &written),
                         KAN_OK);
        assert_int_equal(written, bytes.size);
    }
}

static void listen_at(struct fixture *f, const char *address)
{
    char why[160] = "";
    memset(&pair, 0, sizeof pair);
    pair.env = f->env;
    enum kan_err err = env_listen(f->env, address, NULL, NULL, on_accept, why,
                                  sizeof why, &pair.listener);
    assert_string_equal(why, "");
    assert_int_equal(err, KAN_OK);
}

static void pair_up(struct fixture *f, const char *address)
{
    listen_at(f, address);
    assert_int_equal(env_connect(f->env, env_listener_address(pair.listener),
                                 NULL, on_connect),
                     KAN_OK);
    assert_int_equal(pair.connected, 0); /* never inside the call */
    run_to(f, &pair.connected, 1);
    run_to(f, &pair.accepted, 1);
    assert_int_equal(pair.connect_err, KAN_OK);
}

static void pair_down(struct fixture *f)
{
    env_stream_close(pair.client.stream, f, count_close);
    env_stream_close(pair.server.stream, f, count_close);
    env_listener_close(pair.listener, f, count_close);
    assert_int_equal(f->closed, 0);
    run_to_closed(f, 3);
}

static void read_both(void)
{
    env_stream_read_start(pair.client.stream, &pair.client, on_read);
    env_stream_read_start(pair.server.stream, &pair.server, on_read);
}

/* Small answers must leave at once. */
static void check_nodelay(void)
{
    int found = 0;
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        int on = 0;
        socklen_t on_size = sizeof on;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) ||
            peer.ss_family == AF_UNIX)
            continue;
        assert_int_equal(
            getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_size), 0);
        assert_int_equal(on, 1);
        found++;
    }
    assert_int_equal(found, 2);
}

static void echo_over(struct fixture *f, const char *address)
{
    size_t written;
    pair_up(f, address);
    pair.server.echo = true;
    read_both();
    assert_int_equal(
        env_stream_try_write(pair.client.stream, SLICE("hello"), &written),
        KAN_OK);
    assert_int_equal(written, 5);
    run_to(f, &pair.client.got, 5);
    assert_int_equal(pair.client.sum, pair.server.sum);
    pair_down(f);
}

static void test_echo_ipv4(void **state)
{
    echo_over(*state, "127.0.0.1:0");
}

static void test_no_delay(void **state)
{
    pair_up(*state, "127.0.0.1:0");
    check_nodelay();
    pair_down(*state);
}

static void test_echo_ipv6(void **state)
{
    if (have_ipv6())
        echo_over(*state, "[::1]:0");
}

/* --- large writes --------------------------------------------------------- */

enum
{
    LARGE = 12 * 1024 * 1024
};

static int writes_done;
static enum kan_err write_errs[4];

static void on_write(struct env_write *write, enum kan_err err)
{
    (void)write;
    write_errs[writes_done++] = err;
}

static char *large_new(unsigned *ret_sum)
{
    char *bytes = malloc(LARGE);
    assert_non_null(bytes);
    *ret_sum = 0;
    for (int i = 0; i < LARGE; i++) {
        bytes[i] = (char)((unsigned)i * 7 >> 3);
        *ret_sum = *ret_sum * 31 + (unsigned char)bytes[i];
    }
    return bytes;
}

static void test_try_then_write(void **state)
{
    struct fixture *f = *state;
    unsigned sum;
    char *bytes = large_new(&sum);
    size_t part;
    size_t none = 1;
    writes_done = 0;
    pair_up(f, "127.0.0.1:0");
    assert_int_equal(env_stream_try_write(pair.client.stream,
                                          kan_slice(bytes, LARGE), &part),
                     KAN_OK);
    assert_in_range(part, 1, LARGE - 1);
    assert_int_equal(
        env_stream_write(pair.client.stream, &pair.client.write,
                         kan_slice(bytes + part, LARGE - part), on_write),
        KAN_OK);
    assert_int_equal(writes_done, 0);
    assert_true(env_stream_pending(pair.client.stream) > 0);
    assert_int_equal(
        env_stream_try_write(pair.client.stream, SLICE("x"), &none), KAN_OK);
    assert_int_equal(none, 0); /* it must not overtake */
    env_stream_finish(pair.client.stream);
    env_stream_finish(pair.client.stream); /* harmless */
    read_both();
    run_to(f, &pair.server.ended, 1);
    assert_int_equal(pair.server.last, KAN_END);
    assert_int_equal(pair.server.got, LARGE);
    assert_int_equal(pair.server.sum, sum);
    assert_int_equal(writes_done, 1);
    assert_int_equal(write_errs[0], KAN_OK);
    assert_int_equal(env_stream_pending(pair.client.stream), 0);
    pair_down(f);
    free(bytes);
}

static void test_close_ends_writes(void **state)
{
    struct fixture *f = *state;
    unsigned sum;
    char *bytes = large_new(&sum);
    struct env_write second = {0};
    writes_done = 0;
    pair_up(f, "127.0.0.1:0");
    for (int i = 0; i < 2; i++)
        assert_int_equal(env_stream_write(pair.client.stream,
                                          i ? &second : &pair.client.write,
                                          kan_slice(bytes, LARGE), on_write),
                         KAN_OK);
    env_run(f->env, ENV_RUN_NOWAIT);
    pair_down(f);
    assert_int_equal(writes_done, 2);
    assert_int_equal(write_errs[0], KAN_CLOSED);
    assert_int_equal(write_errs[1], KAN_CLOSED);
    free(bytes);
}

static void test_empty_writes(void **state)
{
    struct fixture *f = *state;
    size_t written = 7;
    writes_done = 0;
    pair_up(f, "127.0.0.1:0");
    assert_int_equal(
        env_stream_try_write(pair.client.stream, kan_slice(NULL, 0), &written),
        KAN_OK);
    assert_int_equal(written, 0);
    assert_int_equal(env_stream_write(pair.client.stream, &pair.client.write,
                                      kan_slice(NULL, 0), on_write),
                     KAN_OK);
    run_to(f, &writes_done, 1);
    assert_int_equal(write_errs[0], KAN_OK);
    pair_down(f);
}

/* --- ends of connections -------------------------------------------------- */

static void test_half_close(void **state)
{
    struct fixture *f = *state;
    size_t written;
    pair_up(f, "127.0.0.1:0");
    read_both();
    env_stream_finish(pair.client.stream);
    run_to(f, &pair.server.ended, 1);
    assert_int_equal(pair.server.last, KAN_END);
    assert_int_equal(
        env_stream_try_write(pair.server.stream, SLICE("still here"), &written),
        KAN_OK);
    run_to(f, &pair.client.got, 10);
    assert_int_equal(
        env_stream_try_write(pair.client.stream, SLICE("x"), &written),
        KAN_CLOSED);
    assert_int_equal(env_stream_write(pair.client.stream, &pair.client.write,
                                      SLICE("x"), on_write),
                     KAN_CLOSED);
    env_stream_finish(pair.server.stream);
    run_to(f, &pair.client.ended, 1);
    assert_int_equal(pair.client.last, KAN_END);
    env_stream_read_start(pair.client.stream, &pair.client, on_read);
    env_run(f->env, ENV_RUN_NOWAIT);
    pair_down(f);
}

static void on_broken_write(struct env_write *write, enum kan_err err)
{
    (void)write;
    assert_int_equal(err, KAN_LOST);
    writes_done++;
}

static void test_broken_connection(void **state)
{
    struct fixture *f = *state;
    size_t written;
    unsigned sum;
    char *bytes = large_new(&sum);
    writes_done = 0;
    pair_up(f, "127.0.0.1:0");
    /* The server closes with bytes unread, which resets the connection, while
     * the client is in the middle of a write. */
    assert_int_equal(env_stream_write(pair.client.stream, &pair.client.write,
                                      kan_slice(bytes, LARGE), on_broken_write),
                     KAN_OK);
    env_stream_close(pair.server.stream, f, count_close);
    run_to(f, &writes_done, 1);
    env_stream_read_start(pair.client.stream, &pair.client, on_read);
    env_run(f->env, ENV_RUN_NOWAIT);
    assert_int_equal(
        env_stream_try_write(pair.client.stream, SLICE("x"), &written),
        KAN_LOST);
    env_stream_close(pair.client.stream, f, count_close);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 3);
    free(bytes);
}

static void test_reset_while_reading(void **state)
{
    struct fixture *f = *state;
    size_t written;
    pair_up(f, "127.0.0.1:0");
    assert_int_equal(
        env_stream_try_write(pair.client.stream, SLICE("unread"), &written),
        KAN_OK);
    env_stream_read_start(pair.client.stream, &pair.client, on_read);
    env_stream_close(pair.server.stream, f, count_close);
    run_to(f, &pair.client.ended, 1);
    assert_int_equal(pair.client.last, KAN_LOST);
    env_stream_close(pair.client.stream, f, count_close);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 3);
}

static void test_read_stop(void **state)
{
    struct fixture *f = *state;
    size_t written;
    pair_up(f, "127.0.0.1:0");
    read_both();
    env_stream_read_stop(pair.server.stream);
    env_stream_read_stop(pair.server.stream); /* harmless */
    assert_int_equal(
        env_stream_try_write(pair.client.stream, SLICE("abc"), &written),
        KAN_OK);
    for (int i = 0; i < 5; i++)
        env_run(f->env, ENV_RUN_NOWAIT);
    assert_int_equal(pair.server.calls, 0);
    env_stream_read_start(pair.server.stream, &pair.server, on_read);
    run_to(f, &pair.server.got, 3);
    pair_down(f);
}

static void close_in_read(void *data, enum kan_err err, struct kan_slice bytes)
{
    (void)err;
    (void)bytes;
    env_stream_close(pair.server.stream, data, count_close);
}

static void test_close_while_reading(void **state)
{
    struct fixture *f = *state;
    size_t written;
    pair_up(f, "127.0.0.1:0");
    env_stream_read_start(pair.server.stream, f, close_in_read);
    assert_int_equal(
        env_stream_try_write(pair.client.stream, SLICE("abc"), &written),
        KAN_OK);
    run_to_closed(f, 1);
    env_stream_close(pair.client.stream, NULL, NULL);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 2);
}

/* --- listening ------------------------------------------------------------ */

static void refuse(struct fixture *f, const char *address,
                   const struct env_listen_options *options, enum kan_err err,
                   const char *expected)
{
    struct env_listener *listener = NULL;
    char why[160] = "";
    assert_int_equal(env_listen(f->env, address, options, NULL, on_accept, why,
                                sizeof why, &listener),
                     err);
    assert_non_null(strstr(why, expected));
    assert_null(listener);
    assert_int_equal(env_listen(f->env, address, options, NULL, on_accept, NULL,
                                0, &listener),
                     err);
}

static void test_address_in_use(void **state)
{
    struct fixture *f = *state;
    char text[64];
    listen_at(f, "127.0.0.1:0");
    const char *address = env_listener_address(pair.listener);
    assert_non_null(strstr(address, "127.0.0.1:"));
    assert_string_not_equal(address, "127.0.0.1:0");
    snprintf(text, sizeof text, "address %s is already in use", address);
    refuse(f, address, NULL, KAN_HELD, text);
    refuse(f, address, &(struct env_listen_options){.reuse_port = true},
           KAN_HELD, text); /* the first did not agree to share */
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 1);
}

static void test_shared_port(void **state)
{
    struct fixture *f = *state;
    const struct env_listen_options share = {.reuse_port = true, .backlog = 8};
    struct env_listener *one;
    struct env_listener *two;
    assert_int_equal(env_listen(f->env, "127.0.0.1:0", &share, NULL, on_accept,
                                NULL, 0, &one),
                     KAN_OK);
    assert_int_equal(env_listen(f->env, env_listener_address(one), &share, NULL,
                                on_accept, NULL, 0, &two),
                     KAN_OK);
    refuse(f, env_listener_address(one), NULL, KAN_HELD, "in use");
    env_listener_close(one, f, count_close);
    env_listener_close(two, f, count_close);
    run_to_closed(f, 2);
}

static void test_listen_refused(void **state)
{
    struct fixture *f = *state;
    refuse(f, "localhost:80", NULL, KAN_INVALID,
           "localhost:80 is not an address");
    refuse(f, "192.0.2.1:0", NULL, KAN_INVALID,
           "192.0.2.1:0 is not an address of this machine");
    refuse(f, "/nowhere/at/all.sock", NULL, KAN_INVALID, "does not exist");
}

static void test_both_families(void **state)
{
    struct fixture *f = *state;
    struct env_listener *six;
    char address[64];
    if (!have_ipv6())
        return;
    listen_at(f, "0.0.0.0:0");
    const char *port = strrchr(env_listener_address(pair.listener), ':');
    snprintf(address, sizeof address, "[::]%s", port);
    assert_int_equal(
        env_listen(f->env, address, NULL, NULL, on_accept, NULL, 0, &six),
        KAN_OK);
    assert_string_equal(env_listener_address(six), address);
    env_listener_close(six, f, count_close);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 2);
}

static void test_restart_at_once(void **state)
{
    struct fixture *f = *state;
    char address[64];
    pair_up(f, "127.0.0.1:0");
    snprintf(address, sizeof address, "%s",
             env_listener_address(pair.listener));
    /* The server's end closes first, and so stays behind in the kernel. */
    env_stream_close(pair.server.stream, f, count_close);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 2);
    env_stream_close(pair.client.stream, f, count_close);
    run_to_closed(f, 3);
    listen_at(f, address);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 4);
}

static void test_listen_without_memory(void **state)
{
    struct fixture *f = *state;
    mem_fault(1, false);
    struct env_listener *listener = NULL;
    assert_int_equal(env_listen(f->env, "127.0.0.1:0", NULL, NULL, on_accept,
                                NULL, 0, &listener),
                     KAN_NOMEM);
    assert_null(listener);
}

/* A client of the system's, which costs the env nothing. */
static int raw_connect(const char *address)
{
    const char *port = strrchr(address, ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int rested;

static void on_rested(struct env_timer *timer)
{
    (void)timer;
    rested++;
}

static void test_accept_without_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit old;
    struct env_timer timer = {0};
    int turns = 0;
    rested = 0;
    listen_at(f, "127.0.0.1:0");
    int fd = raw_connect(env_listener_address(pair.listener));
    getrlimit(RLIMIT_NOFILE, &old);
    const struct rlimit none = {(rlim_t)fd + 1, old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    assert_int_equal(env_timer_start(f->env, &timer,
                                     env_now(f->env) + 20 * ENV_MS, on_rested),
                     KAN_OK);
    while (!rested) {
        env_run(f->env, ENV_RUN_ONCE);
        turns++;
    }
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(pair.accepted, 0);
    assert_in_range(turns, 1, 20); /* it does not spin */
    run_to(f, &pair.accepted, 1);  /* and the client has waited */
    env_stream_close(pair.server.stream, f, count_close);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 2);
    close(fd);
}

static void test_accept_without_memory(void **state)
{
    struct fixture *f = *state;
    listen_at(f, "127.0.0.1:0");
    int first = raw_connect(env_listener_address(pair.listener));
    mem_fault(1, false);
    while (!mem_fault_struck())
        env_run(f->env, ENV_RUN_ONCE);
    assert_int_equal(pair.accepted, 0);
    int second = raw_connect(env_listener_address(pair.listener));
    run_to(f, &pair.accepted, 1);
    env_stream_close(pair.server.stream, f, count_close);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 2);
    close(first);
    close(second);
}

static void on_accept_close(void *data, struct env_stream *stream)
{
    struct fixture *f = data;
    env_stream_close(stream, f, count_close);
    env_listener_close(pair.listener, f, count_close);
}

static void test_close_while_accepting(void **state)
{
    struct fixture *f = *state;
    memset(&pair, 0, sizeof pair);
    assert_int_equal(env_listen(f->env, "127.0.0.1:0", NULL, f, on_accept_close,
                                NULL, 0, &pair.listener),
                     KAN_OK);
    int first = raw_connect(env_listener_address(pair.listener));
    int second = raw_connect(env_listener_address(pair.listener));
    run_to_closed(f, 2);
    close(first);
    close(second);
}

/* --- Unix sockets --------------------------------------------------------- */

static char dir[] = "/tmp/kan-stream-test-XXXXXX";
static char path[64];

static int make_dir(void **state)
{
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/s.sock", dir);
    return fixture_warm(state);
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* every test left it empty */
}

static void test_echo_unix(void **state)
{
    echo_over(*state, path);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_unix_in_use(void **state)
{
    struct fixture *f = *state;
    listen_at(f, path);
    assert_string_equal(env_listener_address(pair.listener), path);
    refuse(f, path, NULL, KAN_HELD, "is already in use");
    assert_int_equal(access(path, F_OK), 0);
    env_listener_close(pair.listener, f, count_close);
    assert_int_equal(access(path, F_OK), -1);
    run_to_closed(f, 1);
}

static void test_stale_unix_replaced(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    close(fd); /* as after a crash: the file stays, nobody answers */
    assert_int_equal(access(path, F_OK), 0);
    echo_over(*state, path);
}

static void test_file_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    refuse(f, path, NULL, KAN_INVALID, "exists and is not a socket");
    assert_int_equal(unlink(path), 0);
}

static void test_file_of_another_is_kept(void **state)
{
    struct fixture *f = *state;
    listen_at(f, path);
    assert_int_equal(unlink(path), 0);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 1);
    assert_int_equal(unlink(path), 0); /* it was still there */
}

/* --- connecting ----------------------------------------------------------- */

static void fail_to_connect(struct fixture *f, const char *address)
{
    memset(&pair, 0, sizeof pair);
    assert_int_equal(env_connect(f->env, address, NULL, on_connect), KAN_OK);
    assert_int_equal(pair.connected, 0);
    run_to(f, &pair.connected, 1);
    assert_int_equal(pair.connect_err, KAN_LOST);
}

static void test_connect_to_nobody(void **state)
{
    struct fixture *f = *state;
    char address[64];
    listen_at(f, "127.0.0.1:0");
    snprintf(address, sizeof address, "%s",
             env_listener_address(pair.listener));
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 1);
    fail_to_connect(f, address);
    fail_to_connect(f, path);
    fail_to_connect(f, "255.255.255.255:1"); /* fails inside the call */
}

static void test_connect_deadline(void **state)
{
    struct fixture *f = *state;
    struct env_uv *world = world_of(f->env);
    listen_at(f, "127.0.0.1:0");
    assert_int_equal(env_connect(f->env, env_listener_address(pair.listener),
                                 NULL, on_connect),
                     KAN_OK);
    /* Ten seconds pass before the loop turns. */
    struct env_timer *deadline = timers_pop(
        &world->timers, env_now(f->env) + 10 * (uint64_t)ENV_S, UINT64_MAX);
    assert_non_null(deadline);
    deadline->cb(deadline);
    assert_int_equal(pair.connected, 0);
    run_to(f, &pair.connected, 1);
    assert_int_equal(pair.connect_err, KAN_LOST);
    run_to(f, &pair.accepted, 1); /* the kernel had been faster */
    env_stream_close(pair.server.stream, f, count_close);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 2);
}

static void test_connect_invalid(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(env_connect(f->env, "nonsense", NULL, on_connect),
                     KAN_INVALID);
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
}

static void test_connect_without_memory(void **state)
{
    struct fixture *f = *state;
    enum kan_err err = KAN_NOMEM;
    uint64_t n;
    listen_at(f, "127.0.0.1:0");
    int64_t live = mem_live();
    for (n = 1; err == KAN_NOMEM; n++) {
        mem_fault(n, false);
        err = env_connect(f->env, env_listener_address(pair.listener), NULL,
                          on_connect);
        bool struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(err, struck ? KAN_NOMEM : KAN_OK);
        if (!err)
            break;
        env_run(f->env, ENV_RUN_NOWAIT);
        assert_int_equal(mem_live(), live);
    }
    assert_true(n >= 3);
    run_to(f, &pair.connected, 1);
    run_to(f, &pair.accepted, 1);
    pair_down(f);
}

static void test_connect_without_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit old;
    listen_at(f, "127.0.0.1:0");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    getrlimit(RLIMIT_NOFILE, &old);
    const struct rlimit none = {(rlim_t)fd, old.rlim_max};
    close(fd);
    setrlimit(RLIMIT_NOFILE, &none);
    enum kan_err err = env_connect(f->env, env_listener_address(pair.listener),
                                   NULL, on_connect);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(err, KAN_BUSY);
    env_listener_close(pair.listener, f, count_close);
    run_to_closed(f, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UV_TEST(test_echo_ipv4),
        UV_TEST(test_echo_ipv6),
        UV_TEST(test_no_delay),
        UV_TEST(test_try_then_write),
        UV_TEST(test_close_ends_writes),
        UV_TEST(test_empty_writes),
        UV_TEST(test_half_close),
        UV_TEST(test_broken_connection),
        UV_TEST(test_reset_while_reading),
        UV_TEST(test_read_stop),
        UV_TEST(test_close_while_reading),
        UV_TEST(test_address_in_use),
        UV_TEST(test_shared_port),
        UV_TEST(test_listen_refused),
        UV_TEST(test_both_families),
        UV_TEST(test_restart_at_once),
        UV_TEST(test_listen_without_memory),
        UV_TEST(test_accept_without_descriptors),
        UV_TEST(test_accept_without_memory),
        UV_TEST(test_close_while_accepting),
        UV_TEST(test_echo_unix),
        UV_TEST(test_unix_in_use),
        UV_TEST(test_stale_unix_replaced),
        UV_TEST(test_file_is_not_replaced),
        UV_TEST(test_file_of_another_is_kept),
        UV_TEST(test_connect_to_nobody),
        UV_TEST(test_connect_deadline),
        UV_TEST(test_connect_invalid),
        UV_TEST(test_connect_without_memory),
        UV_TEST(test_connect_without_descriptors),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
