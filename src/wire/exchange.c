/* A request as it comes in: head, framing, body, handler. */

#include "wire/exchange.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "wire/parse.h"

enum
{
    EXCHANGE_MAGIC = 0x65786368,

    /* Room behind a head for a body that came with it. */
    SMALL_BODY = 4096
};

static const struct refusal no_memory = {503, "out of memory"};
static const struct refusal bodies_full = {503, "too many bodies in flight"};

/* --- life ----------------------------------------------------------------- */

struct http_exchange *exchange_free(struct http_exchange *exchange)
{
    if (!exchange)
        return NULL;
    exchange->magic = 0;
    buffer_fini(&exchange->in);
    buffer_fini(&exchange->body);
    buffer_fini(&exchange->out);
    buffer_fini(&exchange->flight);
    mem_free(exchange->headers);
    return mem_free(exchange);
}

static void begin(struct http_exchange *exchange, struct connection *connection)
{
    exchange->magic = EXCHANGE_MAGIC;
    exchange->state = EXCHANGE_HEAD;
    exchange->connection = connection;
    exchange->server = connection->server;
    exchange->env = connection->server->env;
    exchange->data = NULL;
    exchange->listener = connection->listener;
    exchange->scan = (struct head_scan){0, 0};
    exchange->left = 0;
    exchange->counted = 0;
    exchange->body_at = 0;
    exchange->chunked = false;
    exchange->http_1_0 = false;
    exchange->head_only = false;
    exchange->last = false;
    exchange->begun = false;
    exchange->pieces = false;
    exchange->bodiless = false;
    exchange->failed = false;
    exchange->ready_cb = NULL;
    exchange->gone_cb = NULL;
}

struct http_exchange *exchange_new(struct connection *connection)
{
    struct http_server *server = connection->server;
    struct list *link = list_pop(&server->pool);
    struct http_exchange *exchange;
    if (link) {
        server->pool_count--;
        exchange = list_entry(link, struct http_exchange, link);
    } else {
        exchange = mem_zalloc(sizeof *exchange);
    }
    if (exchange)
        begin(exchange, connection);
    return exchange;
}

static void trim(struct buffer *buffer)
{
    if (buffer->capacity > POOL_BUFFER_MAX)
        buffer_fini(buffer);
    else
        buffer_clear(buffer);
}

static void give_back(struct http_exchange *exchange)
{
    struct http_server *server = exchange->server;
    list_remove(&exchange->link);
    if (exchange->flushing)
        env_undefer(exchange->env, &exchange->task);
    exchange->flushing = false;
    if (server)
        server->stats.body_bytes_in_flight -= exchange->counted;
    if (!server || server->pool_count == POOL_MAX) {
        (void)exchange_free(exchange);
        return;
    }
    trim(&exchange->in);
    trim(&exchange->body);
    trim(&exchange->out);
    trim(&exchange->flight);
    list_push(&server->pool, &exchange->link);
    server->pool_count++;
}

void exchange_settle(struct http_exchange *exchange)
{
    check_magic(exchange, EXCHANGE_MAGIC);
    if (!exchange->connection && !exchange->writing &&
        exchange->state != EXCHANGE_HANDLING)
        give_back(exchange);
}

void exchange_peer_ended(struct http_exchange *exchange)
{
    check_magic(exchange, EXCHANGE_MAGIC);
    http_gone_cb *cb = exchange->gone_cb;
    if (exchange->state != EXCHANGE_HANDLING || !cb)
        return;
    exchange->gone_cb = NULL;
    cb(exchange->gone_data);
    kan_assert(exchange->state == EXCHANGE_HANDLING);
}

void exchange_detach(struct http_exchange *exchange)
{
    check_magic(exchange, EXCHANGE_MAGIC);
    exchange->connection = NULL;
    if (exchange->state == EXCHANGE_HANDLING) {
        list_push(&exchange->server->orphans, &exchange->link);
        if (exchange->ready_cb)
            exchange_flush_later(exchange);
        exchange_peer_ended(exchange);
    }
    exchange_settle(exchange);
}

/* --- the body ------------------------------------------------------------- */

/* Hand the request over. The exchange may be gone afterwards. */
static void handle(struct http_exchange *exchange)
{
    struct http_server *server = exchange->server;
    struct kan_slice body = buffer_slice(&exchange->body);
    if (exchange->body_at)
        body = slice_skip(buffer_slice(&exchange->in), exchange->body_at);
    exchange->request.body = body;
    exchange->state = EXCHANGE_HANDLING;
    server_wait(server, exchange->connection, WAITING_NOTHING);
    server->stats.requests++;
    server->options.handler(server->options.data, exchange, &exchange->request);
}

/* Whether so many bytes more may be in flight. */
static bool room_for(const struct http_server *server, uint64_t size)
{
    uint64_t max = server->options.limits.bodies_max;
    uint64_t used = server->stats.body_bytes_in_flight;
    return used <= max && size <= max - used;
}

/* Keep a part of the body. What has arrived counts, not what was announced: a
 * client that sends nothing takes nothing from others. */
static bool keep(struct http_exchange *exchange, struct kan_slice part)
{
    struct http_server *server = exchange->server;
    struct buffer *to = exchange->body_at ? &exchange->in : &exchange->body;
    struct refusal refusal = no_memory;
    if (!room_for(server, part.size))
        refusal = bodies_full;
    else if (buffer_reserve(to, part.size) == KAN_OK)
        refusal.status = 0;
    if (refusal.status) {
        exchange_refuse(exchange, refusal);
        return false;
    }
    buffer_append(to, part);
    exchange->counted += part.size;
    server->stats.body_bytes_in_flight += part.size;
    return true;
}

static size_t read_measured(struct http_exchange *exchange,
                            struct kan_slice bytes)
{
    size_t n =
        bytes.size < exchange->left ? bytes.size : (size_t)exchange->left;
    if (!keep(exchange, slice_head(bytes, n)))
        return bytes.size;
    exchange->left -= n;
    if (exchange->left == 0)
        handle(exchange);
    else
        server_wait(exchange->server, exchange->connection, WAITING_BODY);
    return n;
}

static size_t read_chunked(struct http_exchange *exchange,
                           struct kan_slice bytes)
{
    struct kan_slice rest = bytes;
    for (;;) {
        struct kan_slice part;
        struct refusal refusal;
        switch (chunk_next(&exchange->chunk, &rest, &part, &refusal)) {
        case CHUNK_BYTES:
            if (!keep(exchange, part))
                return bytes.size;
            break;
        case CHUNK_END:
            handle(exchange);
            return bytes.size - rest.size;
        case CHUNK_BAD:
            exchange_refuse(exchange, refusal);
            return bytes.size;
        case CHUNK_MORE:
            server_wait(exchange->server, exchange->connection, WAITING_BODY);
            return bytes.size;
        }
    }
}

/* --- the head ------------------------------------------------------------- */

static struct refusal admit(const struct http_exchange *exchange,
                            const struct head *head)
{
    if (head->length > exchange->server->options.limits.body_max)
        return refuse_with(413, "the body is too large");
    if (!room_for(exchange->server, head->length))
        return bodies_full;
    return refuse_with(0, NULL);
}

/* The client waits before it sends the body. It is told to go on even when the
 * body is here already: so the answer does not depend on timing. */
static void send_continue(struct http_exchange *exchange)
{
    buffer_append(&exchange->out, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    if (buffer_failed(&exchange->out)) {
        buffer_clear(&exchange->out);
        exchange_refuse(exchange, no_memory);
    } else {
        exchange_flush(exchange);
    }
}

static void await_body(struct http_exchange *exchange, const struct head *head)
{
    const struct http_limits *limits = &exchange->server->options.limits;
    exchange->state = EXCHANGE_BODY;
    exchange->chunked = head->chunked;
    exchange->left = head->length;
    if (head->chunked)
        chunk_init(&exchange->chunk, limits->body_max, limits->head_max);
    else if (head->length <= exchange->in.capacity - exchange->in.size)
        exchange->body_at = exchange->in.size;
    server_wait(exchange->server, exchange->connection, WAITING_BODY);
    if (head->expect)
        send_continue(exchange);
}

static struct refusal parse(struct http_exchange *exchange, struct head *head)
{
    bool keep_alive = false;
    struct refusal refusal = head_check(buffer_slice(&exchange->in), head);
    if (refusal.status)
        return refusal;
    if (!exchange->headers)
        exchange->headers =
            mem_alloc(HEAD_FIELDS_MAX * sizeof exchange->headers[0]);
    if (!exchange->headers)
        return no_memory;
    exchange->http_1_0 = head->http_1_0;
    exchange->head_only = slice_equal(head->method, SLICE("HEAD"));
    refusal =
        parse_head(head, &exchange->request, exchange->headers, &keep_alive);
    exchange->last = !keep_alive;
    return refusal;
}

/* The head is whole, in exchange->in. */
static void take_head(struct http_exchange *exchange)
{
    struct head head;
    struct refusal refusal = parse(exchange, &head);
    if (!refusal.status)
        refusal = admit(exchange, &head);
    if (refusal.status) {
        exchange_refuse(exchange, refusal);
        return;
    }
    if (head.chunked || head.length)
        await_body(exchange, &head);
    else
        handle(exchange);
}

/* Begin to keep a head that is not complete. */
static void keep_head(struct http_exchange *exchange, struct kan_slice bytes)
{
    if (buffer_reserve(&exchange->in, bytes.size) != KAN_OK) {
        exchange_refuse(exchange, no_memory);
        return;
    }
    buffer_append(&exchange->in, bytes);
    server_wait(exchange->server, exchange->connection, WAITING_HEAD);
}

/* Most heads come whole in one read: those are searched where they lie, and
 * copied once, together with room for a body, into memory that stays. */
static size_t read_head(struct http_exchange *exchange, struct kan_slice bytes)
{
    uint32_t max = exchange->server->options.limits.head_max;
    struct buffer *in = &exchange->in;
    size_t before = in->size;
    struct kan_slice seen = bytes;
    if (before) {
        struct kan_slice more = slice_head(bytes, max - before);
        if (buffer_reserve(in, more.size) != KAN_OK) {
            exchange_refuse(exchange, no_memory);
            return bytes.size;
        }
        buffer_append(in, more);
        seen = buffer_slice(in);
    }
    size_t size = 0;
    struct refusal refusal;
    switch (head_scan(&exchange->scan, seen, max, &size, &refusal)) {
    case HEAD_BAD:
        exchange_refuse(exchange, refusal);
        return bytes.size;
    case HEAD_MORE:
        if (!before)
            keep_head(exchange, bytes);
        return bytes.size;
    case HEAD_WHOLE:
        break;
    }
    if (before) {
        in->size = size;
    } else {
        size_t behind = bytes.size - size;
        size_t room = behind < SMALL_BODY ? behind : SMALL_BODY;
        if (buffer_reserve(in, size + room) != KAN_OK) {
            exchange_refuse(exchange, no_memory);
            return bytes.size;
        }
        buffer_append(in, slice_head(bytes, size));
    }
    take_head(exchange);
    return size - before;
}

size_t exchange_read(struct http_exchange *exchange, struct kan_slice bytes)
{
    check_magic(exchange, EXCHANGE_MAGIC);
    if (exchange->state == EXCHANGE_HEAD)
        return read_head(exchange, bytes);
    kan_assert(exchange->state == EXCHANGE_BODY);
    return exchange->chunked ? read_chunked(exchange, bytes)
                             : read_measured(exchange, bytes);
}

/* --- what a handler sees -------------------------------------------------- */

struct kan_slice http_request_header(const struct http_request *request,
                                     const char *name)
{
    struct kan_slice wanted = kan_text(name);
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (slice_equal_nocase(header->name, wanted))
            return header->value.bytes ? header->value : SLICE("");
    }
    return kan_slice(NULL, 0);
}

void http_exchange_set(struct http_exchange *exchange, void *data)
{
    check_magic(exchange, EXCHANGE_MAGIC);
    exchange->data = data;
}

void *http_exchange_get(const struct http_exchange *exchange)
{
    check_magic(exchange, EXCHANGE_MAGIC);
    return exchange->data;
}

bool http_exchange_on_gone(struct http_exchange *exchange, void *data,
                           http_gone_cb *cb)
{
    check_magic(exchange, EXCHANGE_MAGIC);
    kan_assert(exchange->state == EXCHANGE_HANDLING);
    if (!exchange->connection || exchange->connection->ended)
        return false;
    exchange->gone_data = data;
    exchange->gone_cb = cb;
    return true;
}

struct env *http_exchange_env(const struct http_exchange *exchange)
{
    check_magic(exchange, EXCHANGE_MAGIC);
    return exchange->env;
}

uint32_t http_exchange_listener(const struct http_exchange *exchange)
{
    check_magic(exchange, EXCHANGE_MAGIC);
    return exchange->listener;
}
