/* connection.h - one stream of requests. Private to src/wire.
 *
 * An idle connection is this struct and the env's stream, nothing else. While a
 * request is under way it has an exchange; what arrives meanwhile is buffered
 * once, and then reading stops until the request is answered. */

#ifndef WIRE_CONNECTION_H
#define WIRE_CONNECTION_H

#include "base/bytes.h"
#include "base/list.h"
#include "wire/http.h"
#include "wire/server.h"

struct connection
{
    uint32_t magic;
    uint32_t listener;
    struct http_server *server;
    struct env_stream *stream;
    struct http_exchange *exchange; /* the request under way, or NULL */
    struct list link;               /* in server->waiting[...] */
    struct list ready;              /* in server->ready */
    uint64_t deadline_ns;
    struct buffer ahead; /* bytes behind the request under way */
    size_t ahead_at;     /* of them used */
    uint32_t dropped;    /* bytes read while lingering */
    bool reading;
    bool running;   /* in connection_run(): answers must not recurse */
    bool ended;     /* the peer has finished sending */
    bool lingering; /* the last answer is sent */
    bool closed;    /* env_stream_close() was called */
};

/* Serve a stream that was accepted; it is given. */
void connection_open(struct http_server *server, uint32_t listener,
                     struct env_stream *stream);

/* Close at once. The exchange is cut off: the handler may still answer it. */
void connection_close(struct connection *connection);

/* The answer of the exchange is sent, and the exchange gone. last: no other
 * request may follow. */
void connection_answered(struct connection *connection, bool last);

/* Go on with buffered bytes. */
void connection_turn(struct connection *connection);

/* The deadline has passed. */
void connection_expired(struct connection *connection, enum waiting waiting);

/* Write an answer that needs no memory, as far as the peer takes it at once,
 * and linger. For when there is no memory for an exchange. */
void connection_busy(struct connection *connection);

/* Send what must not be buffered (a fixed answer). false when the connection
 * broke and was closed. */
bool connection_send_now(struct connection *connection, struct kan_slice bytes);

#endif /* WIRE_CONNECTION_H */
