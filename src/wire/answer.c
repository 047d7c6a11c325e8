/* Answers: built whole in one buffer, so that most leave in one write. */

#include "base/assert.h"
#include "wire/exchange.h"

enum
{
    HEAD_ROOM = 192 /* for the lines that are always there */
};

/* For when there is no memory to say more. The handler has run, so this is not
 * a 503, which would invite the client to do it again. */
static const char failed_answer[] =
    "HTTP/1.1 500 Internal Server Error\r\n"
    "Content-Length: 0\r\n"
    "Connection: close\r\n"
    "\r\n";

/* For when the handler has not run. */
static const char refused_answer[] =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Length: 0\r\n"
    "Retry-After: 1\r\n"
    "Connection: close\r\n"
    "\r\n";

static void count(struct http_exchange *exchange, int status)
{
    exchange->server->stats.answers_by_class[status / 100]++;
}

/* Statuses whose answers never have a body (RFC 9110, 6.4.1). */
static bool is_bare(int status)
{
    return status == 204 || status == 304;
}

static bool is_clean(const char *content_type, struct kan_slice head_lines)
{
    for (const char *c = content_type; c && *c; c++) {
        if (!head_is_value((unsigned char)*c))
            return false;
    }
    return head_lines_clean(head_lines);
}

static void put_head(struct http_exchange *exchange, int status,
                     const char *content_type, struct kan_slice head_lines)
{
    struct buffer *out = &exchange->out;
    kan_assert(status >= 200 && status <= 599);
    if (exchange->server->closing)
        exchange->last = true;
    if (status == 200) {
        buffer_append(out, SLICE("HTTP/1.1 200 OK\r\n"));
    } else {
        buffer_append(out, SLICE("HTTP/1.1 "));
        buffer_append_u64(out, (uint64_t)status);
        buffer_append_byte(out, ' ');
        buffer_append_text(out, http_status_text(status));
        buffer_append(out, SLICE("\r\n"));
    }
    if (content_type) {
        buffer_append(out, SLICE("Content-Type: "));
        buffer_append_text(out, content_type);
        buffer_append(out, SLICE("\r\n"));
    }
    buffer_append(out, head_lines);
    if (exchange->last)
        buffer_append(out, SLICE("Connection: close\r\n"));
    else if (exchange->http_1_0)
        buffer_append(out, SLICE("Connection: keep-alive\r\n"));
}

static void put_whole(struct http_exchange *exchange, int status,
                      const char *content_type, struct kan_slice head_lines,
                      struct kan_slice body)
{
    struct buffer *out = &exchange->out;
    /* One allocation for all of it. */
    if (buffer_reserve(out, HEAD_ROOM + head_lines.size + body.size))
        out->failed = true;
    put_head(exchange, status, content_type, head_lines);
    if (!is_bare(status)) {
        buffer_append(out, SLICE("Content-Length: "));
        buffer_append_u64(out, body.size);
        buffer_append(out, SLICE("\r\n"));
    }
    buffer_append(out, SLICE("\r\n"));
    if (!is_bare(status) && !exchange->head_only)
        buffer_append(out, body);
}

/* Nobody is there to be answered. */
static void forget(struct http_exchange *exchange)
{
    exchange->state = EXCHANGE_ANSWERED;
    exchange_settle(exchange);
}

/* Send what was put, or the fixed answer when there was no memory for it. */
static void send_whole(struct http_exchange *exchange, int status,
                       struct kan_slice fixed)
{
    exchange->state = EXCHANGE_ANSWERED;
    bool failed = exchange->failed || buffer_failed(&exchange->out);
    count(exchange, failed ? 500 : status);
    if (failed) {
        buffer_clear(&exchange->out);
        exchange->last = true;
        if (!exchange->writing &&
            !connection_send_now(exchange->connection, fixed))
            return;
    }
    exchange_flush(exchange);
}

void http_answer(struct http_exchange *exchange, int status,
                 const char *content_type, struct kan_slice head_lines,
                 struct kan_slice body)
{
    kan_assert(exchange->state == EXCHANGE_HANDLING && !exchange->begun);
    if (!exchange->connection) {
        forget(exchange);
        return;
    }
    if (is_clean(content_type, head_lines)) {
        put_whole(exchange, status, content_type, head_lines, body);
    } else {
        status = 500;
        put_whole(exchange, status, "text/plain", kan_slice(NULL, 0),
                  SLICE("the answer's head is malformed"));
    }
    send_whole(exchange, status,
               kan_slice(failed_answer, sizeof failed_answer - 1));
}

void exchange_refuse(struct http_exchange *exchange, struct refusal refusal)
{
    struct http_server *server = exchange->server;
    struct connection *connection = exchange->connection;
    struct buffer body = BUFFER_INIT;
    const char *type = "text/plain";
    kan_assert(exchange->state <= EXCHANGE_BODY);
    server->stats.refused++;
    exchange->last = true;
    if (server->options.error)
        type = server->options.error(server->options.data, &refusal.status,
                                     refusal.reason, &body);
    else
        buffer_append_text(&body, refusal.reason);
    put_whole(exchange, refusal.status, type,
              refusal.status == 503 ? SLICE("Retry-After: 1\r\n")
                                    : kan_slice(NULL, 0),
              buffer_slice(&body));
    exchange->failed = buffer_failed(&body);
    buffer_fini(&body);
    /* A 100 Continue may still wait to be taken: then the answer waits too. */
    if (exchange->writing)
        server_wait(server, connection, WAITING_ANSWER);
    send_whole(exchange, refusal.status,
               kan_slice(refused_answer, sizeof refused_answer - 1));
}

/* --- in pieces ------------------------------------------------------------ */

void http_answer_begin(struct http_exchange *exchange, int status,
                       const char *content_type, struct kan_slice head_lines)
{
    kan_assert(exchange->state == EXCHANGE_HANDLING && !exchange->begun);
    exchange->begun = true;
    if (!exchange->connection)
        return;
    bool clean = is_clean(content_type, head_lines);
    if (!clean)
        status = 500;
    exchange->bodiless = exchange->head_only || is_bare(status) || !clean;
    exchange->pieces = !exchange->http_1_0;
    if (exchange->http_1_0 && !is_bare(status))
        exchange->last = true;
    put_head(exchange, status, clean ? content_type : NULL,
             clean ? head_lines : kan_slice(NULL, 0));
    if (!clean)
        buffer_append(&exchange->out, SLICE("Content-Length: 0\r\n"));
    else if (exchange->pieces && !is_bare(status))
        buffer_append(&exchange->out, SLICE("Transfer-Encoding: chunked\r\n"));
    buffer_append(&exchange->out, SLICE("\r\n"));
    if (buffer_failed(&exchange->out)) {
        exchange->failed = true;
        return;
    }
    count(exchange, status);
    exchange_flush_later(exchange);
}

static void put_piece(struct http_exchange *exchange, struct kan_slice piece)
{
    struct buffer *out = &exchange->out;
    if (exchange->pieces)
        buffer_print(out, "%zx\r\n", piece.size);
    buffer_append(out, piece);
    if (exchange->pieces)
        buffer_append(out, SLICE("\r\n"));
}

enum kan_err http_answer_piece(struct http_exchange *exchange,
                               struct kan_slice piece, void *data,
                               http_ready_cb *ready_cb)
{
    kan_assert(exchange->state == EXCHANGE_HANDLING && exchange->begun);
    kan_assert(!exchange->ready_cb);
    if (!exchange->connection)
        return KAN_LOST;
    if (exchange->failed)
        return KAN_NOMEM;
    if (piece.size && !exchange->bodiless) {
        /* The size line and the CRLFs fit in 32 bytes. */
        if (piece.size > SIZE_MAX - 32 ||
            buffer_reserve(&exchange->out, piece.size + 32) != KAN_OK)
            return KAN_NOMEM;
        put_piece(exchange, piece);
    }
    exchange->ready_data = data;
    exchange->ready_cb = ready_cb;
    if (exchange->out.size >= ANSWER_AHEAD)
        exchange_flush(exchange);
    if (ready_cb || exchange->out.size)
        exchange_flush_later(exchange);
    return KAN_OK;
}

void http_answer_unready(struct http_exchange *exchange)
{
    kan_assert(exchange->state == EXCHANGE_HANDLING && exchange->begun);
    exchange->ready_cb = NULL;
}

void http_answer_end(struct http_exchange *exchange)
{
    kan_assert(exchange->state == EXCHANGE_HANDLING && exchange->begun);
    exchange->ready_cb = NULL;
    if (exchange->flushing)
        env_undefer(exchange->env, &exchange->task);
    exchange->flushing = false;
    if (!exchange->connection) {
        forget(exchange);
        return;
    }
    if (exchange->failed) {
        send_whole(exchange, 500,
                   kan_slice(failed_answer, sizeof failed_answer - 1));
        return;
    }
    if (exchange->pieces && !exchange->bodiless)
        buffer_append(&exchange->out, SLICE("0\r\n\r\n"));
    if (buffer_failed(&exchange->out)) {
        http_answer_abort(exchange);
        return;
    }
    exchange->state = EXCHANGE_ANSWERED;
    exchange_flush(exchange);
}

void http_answer_abort(struct http_exchange *exchange)
{
    kan_assert(exchange->state == EXCHANGE_HANDLING);
    struct connection *connection = exchange->connection;
    exchange->ready_cb = NULL;
    exchange->state = EXCHANGE_ANSWERED;
    if (connection)
        connection_close(connection);
    else
        exchange_settle(exchange);
}

enum kan_err http_head_line(struct buffer *lines, struct kan_slice name,
                            struct kan_slice value)
{
    bool clean = name.size > 0;
    for (size_t i = 0; i < name.size; i++)
        clean = clean && head_is_token(slice_at(name, i));
    for (size_t i = 0; i < value.size; i++)
        clean = clean && head_is_value(slice_at(value, i));
    if (!clean)
        return KAN_INVALID;
    buffer_append(lines, name);
    buffer_append(lines, SLICE(": "));
    buffer_append(lines, value);
    buffer_append(lines, SLICE("\r\n"));
    return buffer_failed(lines) ? KAN_NOMEM : KAN_OK;
}
