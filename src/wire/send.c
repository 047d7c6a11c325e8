/* Sending: what the kernel takes at once goes at once; the rest waits in a
 * second buffer while the first one fills again. */

#include "base/assert.h"
#include "wire/exchange.h"

size_t exchange_waiting(const struct http_exchange *exchange)
{
    size_t flying = exchange->writing && exchange->connection
                        ? env_stream_pending(exchange->connection->stream)
                        : 0;
    return exchange->out.size + flying;
}

/* All of the answer is with the kernel. */
static void finished(struct http_exchange *exchange)
{
    struct connection *connection = exchange->connection;
    bool last = exchange->last;
    exchange->connection = NULL;
    connection->exchange = NULL;
    exchange_settle(exchange);
    connection_answered(connection, last);
}

static void ask_for_more(struct http_exchange *exchange)
{
    http_ready_cb *cb = exchange->ready_cb;
    if (!cb ||
        (exchange->connection && exchange_waiting(exchange) >= ANSWER_AHEAD))
        return;
    exchange->ready_cb = NULL;
    cb(exchange->ready_data);
}

static void on_written(struct env_write *write, enum kan_err err)
{
    struct http_exchange *exchange = write->data;
    struct connection *connection = exchange->connection;
    exchange->writing = false;
    if (!connection) {
        exchange_settle(exchange);
        return;
    }
    if (err) {
        connection_close(connection);
        return;
    }
    exchange->server->stats.bytes_out += write->bytes.size;
    buffer_clear(&exchange->flight);
    switch (exchange->state) {
    case EXCHANGE_HEAD:
    case EXCHANGE_BODY: /* 100 Continue is sent */
        server_wait(exchange->server, connection, WAITING_BODY);
        return;
    case EXCHANGE_ANSWERED:
        exchange_flush(exchange);
        return;
    case EXCHANGE_HANDLING:
        break;
    }
    server_wait(exchange->server, connection, WAITING_NOTHING);
    exchange_flush(exchange);
    ask_for_more(exchange);
}

/* Let the env send what the kernel did not take. */
static void send_rest(struct http_exchange *exchange, size_t sent)
{
    struct connection *connection = exchange->connection;
    struct buffer filled = exchange->out;
    exchange->out = exchange->flight;
    exchange->flight = filled;
    buffer_clear(&exchange->out);
    struct kan_slice rest = slice_skip(buffer_slice(&filled), sent);
    exchange->write.data = exchange;
    exchange->writing = true;
    exchange->pending = rest.size;
    if (env_stream_write(connection->stream, &exchange->write, rest,
                         on_written) != KAN_OK) {
        exchange->writing = false;
        connection_close(connection);
        return;
    }
    server_wait(exchange->server, connection, WAITING_ANSWER);
}

void exchange_flush(struct http_exchange *exchange)
{
    struct connection *connection = exchange->connection;
    if (!connection || exchange->writing)
        return;
    struct kan_slice bytes = buffer_slice(&exchange->out);
    if (bytes.size) {
        size_t written = 0;
        if (env_stream_try_write(connection->stream, bytes, &written) !=
            KAN_OK) {
            connection_close(connection);
            return;
        }
        exchange->server->stats.bytes_out += written;
        if (written < bytes.size) {
            send_rest(exchange, written);
            return;
        }
        buffer_clear(&exchange->out);
    }
    if (exchange->state == EXCHANGE_ANSWERED)
        finished(exchange);
}

static void on_task(struct env_task *task)
{
    struct http_exchange *exchange = task->data;
    exchange->flushing = false;
    kan_assert(exchange->state == EXCHANGE_HANDLING);
    exchange_flush(exchange);
    ask_for_more(exchange);
}

void exchange_flush_later(struct http_exchange *exchange)
{
    if (exchange->flushing)
        return;
    exchange->flushing = true;
    exchange->task.data = exchange;
    env_defer(exchange->env, &exchange->task, on_task);
}
