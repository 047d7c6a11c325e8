/* A connection: bytes to requests, one at a time and in order. */

#include "wire/connection.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "wire/exchange.h"

enum
{
    CONNECTION_MAGIC = 0x636f6e6e
};

static const char busy_answer[] =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 21\r\n"
    "Retry-After: 1\r\n"
    "Connection: close\r\n"
    "\r\n"
    "the server is at work";

static void on_read(void *data, enum kan_err err, struct kan_slice bytes);

static void start_reading(struct connection *connection)
{
    if (connection->reading || connection->ended)
        return;
    connection->reading = true;
    env_stream_read_start(connection->stream, connection, on_read);
}

static void stop_reading(struct connection *connection)
{
    if (!connection->reading)
        return;
    connection->reading = false;
    env_stream_read_stop(connection->stream);
}

/* --- bytes that came too early -------------------------------------------- */

static size_t ahead_size(const struct connection *connection)
{
    return connection->ahead.size - connection->ahead_at;
}

static void ahead_drop(struct connection *connection)
{
    connection->server->stats.body_bytes_in_flight -= connection->ahead.size;
    buffer_fini(&connection->ahead);
    connection->ahead_at = 0;
}

/* Keep what arrived, once, and stop reading. They count as bytes of bodies in
 * flight, so that all connections together cannot make us hold more. */
static bool ahead_keep(struct connection *connection, struct kan_slice bytes)
{
    struct http_server *server = connection->server;
    stop_reading(connection);
    uint64_t in_flight = server->stats.body_bytes_in_flight;
    uint64_t room = server->options.limits.bodies_max;
    if (in_flight > room || bytes.size > room - in_flight ||
        buffer_reserve(&connection->ahead, bytes.size) != KAN_OK)
        return false;
    buffer_append(&connection->ahead, bytes);
    server->stats.body_bytes_in_flight += bytes.size;
    return true;
}

/* --- the end -------------------------------------------------------------- */

static void on_closed(void *data)
{
    struct connection *connection = data;
    struct http_server *server = connection->server;
    connection->magic = 0;
    mem_free(connection);
    server->stats.connections_open--;
    if (server->stats.connections_open == 0)
        env_timer_stop(server->env, &server->timer);
    server_progress(server);
}

void connection_close(struct connection *connection)
{
    check_magic(connection, CONNECTION_MAGIC);
    if (connection->closed)
        return;
    connection->closed = true;
    connection->reading = false;
    list_remove(&connection->link);
    list_remove(&connection->ready);
    ahead_drop(connection);
    struct http_exchange *exchange = connection->exchange;
    connection->exchange = NULL;
    if (exchange)
        exchange_detach(exchange);
    env_stream_close(connection->stream, connection, on_closed);
}

/* The last answer is with the kernel. To close now could send a reset that
 * overtakes it, if the peer has sent or will send more: so say that we are
 * done, and wait until the peer has noticed. */
static void linger(struct connection *connection)
{
    if (connection->closed || connection->lingering)
        return;
    connection->lingering = true;
    list_remove(&connection->ready);
    ahead_drop(connection);
    env_stream_finish(connection->stream);
    if (connection->ended) {
        connection_close(connection);
        return;
    }
    server_wait(connection->server, connection, WAITING_LINGER);
    start_reading(connection);
}

bool connection_send_now(struct connection *connection, struct kan_slice bytes)
{
    size_t written = 0;
    if (env_stream_try_write(connection->stream, bytes, &written) != KAN_OK) {
        connection_close(connection);
        return false;
    }
    connection->server->stats.bytes_out += written;
    return true;
}

void connection_busy(struct connection *connection)
{
    struct http_server *server = connection->server;
    server->stats.refused++;
    server->stats.answers_by_class[5]++;
    if (connection_send_now(connection,
                            kan_slice(busy_answer, sizeof busy_answer - 1)))
        linger(connection);
}

/* --- requests ------------------------------------------------------------- */

/* Whether the bytes behind may be read now. */
static bool may_go_on(const struct connection *connection)
{
    return !connection->closed && !connection->lingering &&
           (!connection->exchange ||
            connection->exchange->state <= EXCHANGE_BODY);
}

/* Read requests until the bytes, the turn or the order of answers is up.
 * Returns how many bytes were used. */
static size_t run(struct connection *connection, struct kan_slice bytes)
{
    struct kan_slice rest = bytes;
    uint64_t requests_end = connection->server->stats.requests + TURN_REQUESTS;
    connection->running = true;
    while (rest.size && may_go_on(connection) &&
           connection->server->stats.requests != requests_end) {
        if (!connection->exchange)
            connection->exchange = exchange_new(connection);
        if (!connection->exchange) {
            connection_busy(connection);
            break;
        }
        rest = slice_skip(rest, exchange_read(connection->exchange, rest));
    }
    connection->running = false;
    return bytes.size - rest.size;
}

/* Nothing is buffered: wait for what comes next, or see that nothing will. */
static void wait_for_more(struct connection *connection)
{
    struct http_exchange *exchange = connection->exchange;
    if (connection->ended && exchange) {
        exchange_refuse(exchange,
                        refuse_with(400, "the request ended too early"));
        return;
    }
    if (connection->ended) {
        linger(connection);
        return;
    }
    if (!exchange) {
        server_wait(connection->server, connection, WAITING_IDLE);
        if (connection->server->closing) {
            connection_close(connection);
            return;
        }
    }
    start_reading(connection);
}

/* What arrived cannot be kept: the client may send it again on another
 * connection, since the answers before it are whole. */
static void shed(struct connection *connection)
{
    connection->server->stats.refused++;
    ahead_drop(connection);
    if (connection->exchange)
        connection->exchange->last = true;
    else
        linger(connection);
}

/* Others first. No deadline of the request before may strike meanwhile. */
static void go_on_later(struct connection *connection)
{
    server_wait(connection->server, connection, WAITING_NOTHING);
    server_ready(connection->server, connection);
}

static void arrived(struct connection *connection, struct kan_slice bytes)
{
    struct kan_slice rest = bytes;
    if (may_go_on(connection))
        rest = slice_skip(bytes, run(connection, bytes));
    if (connection->closed || connection->lingering)
        return;
    if (rest.size && !ahead_keep(connection, rest))
        shed(connection);
    else if (may_go_on(connection) && rest.size)
        go_on_later(connection);
    else if (may_go_on(connection))
        wait_for_more(connection);
}

void connection_turn(struct connection *connection)
{
    check_magic(connection, CONNECTION_MAGIC);
    if (!may_go_on(connection))
        return;
    struct kan_slice rest =
        slice_skip(buffer_slice(&connection->ahead), connection->ahead_at);
    size_t used = run(connection, rest);
    if (connection->closed || connection->lingering)
        return;
    connection->ahead_at += used;
    bool empty = ahead_size(connection) == 0;
    if (empty)
        ahead_drop(connection);
    if (!may_go_on(connection))
        return;
    if (empty)
        wait_for_more(connection);
    else
        go_on_later(connection);
}

void connection_answered(struct connection *connection, bool last)
{
    check_magic(connection, CONNECTION_MAGIC);
    connection->exchange = NULL;
    if (last)
        linger(connection);
    else if (connection->running)
        return;
    else if (!ahead_size(connection))
        wait_for_more(connection);
    else
        go_on_later(connection);
}

static void drop(struct connection *connection, size_t size)
{
    if (size > LINGER_BYTES - connection->dropped)
        connection_close(connection);
    else
        connection->dropped += (uint32_t)size;
}

static void on_read(void *data, enum kan_err err, struct kan_slice bytes)
{
    struct connection *connection = data;
    check_magic(connection, CONNECTION_MAGIC);
    if (connection->closed)
        return;
    if (err) {
        connection->ended = true;
        connection->reading = false;
        if (err != KAN_END || connection->lingering)
            connection_close(connection);
        else if (may_go_on(connection) && ahead_size(connection) == 0)
            wait_for_more(connection);
        else if (connection->exchange)
            exchange_peer_ended(connection->exchange);
        return;
    }
    connection->server->stats.bytes_in += bytes.size;
    if (connection->lingering)
        drop(connection, bytes.size);
    else
        arrived(connection, bytes);
}

/* --- time ----------------------------------------------------------------- */

/* The peer has time as long as it takes something. */
static void expired_answer(struct connection *connection)
{
    struct http_exchange *exchange = connection->exchange;
    size_t pending = env_stream_pending(connection->stream);
    if (exchange && pending < exchange->pending) {
        exchange->pending = pending;
        server_wait(connection->server, connection, WAITING_ANSWER);
        return;
    }
    connection->server->stats.refused++;
    connection_close(connection);
}

void connection_expired(struct connection *connection, enum waiting waiting)
{
    check_magic(connection, CONNECTION_MAGIC);
    switch (waiting) {
    case WAITING_HEAD:
        exchange_refuse(connection->exchange,
                        refuse_with(408, "the head took too long"));
        return;
    case WAITING_BODY:
        exchange_refuse(connection->exchange,
                        refuse_with(408, "the body took too long"));
        return;
    case WAITING_ANSWER:
        expired_answer(connection);
        return;
    case WAITING_IDLE:
    case WAITING_LINGER:
    case WAITING_NOTHING:
    case WAITING_CLASSES:
        break;
    }
    connection_close(connection);
}

/* --- the beginning -------------------------------------------------------- */

/* No room for this one: it is told so, if it is not one of too many. */
static void turn_away(struct http_server *server, struct env_stream *stream)
{
    size_t written = 0;
    server->stats.refused++;
    if (env_stream_try_write(stream,
                             kan_slice(busy_answer, sizeof busy_answer - 1),
                             &written) == KAN_OK)
        server->stats.bytes_out += written;
    env_stream_close(stream, NULL, NULL);
}

void connection_open(struct http_server *server, uint32_t listener,
                     struct env_stream *stream)
{
    uint64_t open = server->stats.connections_open;
    uint64_t max = server->options.limits.connections_max;
    server->stats.connections++;
    if (server->closing) {
        env_stream_close(stream, NULL, NULL);
        return;
    }
    struct connection *connection =
        open < max + REFUSED_MAX ? mem_zalloc(sizeof *connection) : NULL;
    if (!connection ||
        (!env_timer_armed(&server->timer) && server_arm(server) != KAN_OK)) {
        mem_free(connection);
        turn_away(server, stream);
        return;
    }
    connection->magic = CONNECTION_MAGIC;
    connection->server = server;
    connection->listener = listener;
    connection->stream = stream;
    server->stats.connections_open++;
    server_wait(server, connection, WAITING_IDLE);
    if (open >= max)
        connection_busy(connection);
    else
        start_reading(connection);
}
