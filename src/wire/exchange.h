/* exchange.h - one request and its answer. Private to src/wire.
 *
 * An exchange is taken from the server's pool at a request's first byte and
 * goes back when the answer is sent. While the handler owes an answer it
 * outlives its connection, and even its server. */

#ifndef WIRE_EXCHANGE_H
#define WIRE_EXCHANGE_H

#include "base/bytes.h"
#include "base/list.h"
#include "wire/chunk.h"
#include "wire/connection.h"
#include "wire/head.h"
#include "wire/http.h"

enum exchange_state
{
    EXCHANGE_HEAD,
    EXCHANGE_BODY,
    EXCHANGE_HANDLING, /* the handler owes the answer, or its end */
    EXCHANGE_ANSWERED  /* all of the answer is in the buffers, or sent */
};

struct http_exchange
{
    uint32_t magic;
    enum exchange_state state;
    struct connection *connection; /* NULL when it is gone */
    struct http_server *server;    /* NULL when it is gone */
    struct env *env;
    void *data;       /* the handler's */
    struct list link; /* in the server's pool or among its orphans */
    uint32_t listener;

    /* the request */
    struct buffer in; /* the head, and a body that fits behind it */
    struct buffer body;
    struct head_scan scan;
    struct chunk chunk;
    uint64_t left;    /* bytes of the body to come, when it is not chunked */
    uint64_t counted; /* bytes in the server's body_bytes_in_flight */
    size_t body_at;   /* where the body begins in in; 0: it is in body */
    bool chunked;
    bool http_1_0;
    bool head_only; /* HEAD: the answer's body is not sent */

    /* the answer */
    bool last;      /* the connection ends behind it */
    bool begun;     /* in pieces */
    bool pieces;    /* ... each framed as a chunk */
    bool bodiless;  /* ... none of which is sent */
    bool failed;    /* ... and the first of which found no memory */
    bool writing;   /* flight is with the env */
    bool flushing;  /* task is deferred */
    size_t pending; /* bytes the peer had not taken at the last deadline */
    struct buffer out;
    struct buffer flight;
    struct env_write write;
    struct env_task task;
    void *ready_data;
    http_ready_cb *ready_cb;

    void *gone_data;
    http_gone_cb *gone_cb;

    struct http_request request;
    struct http_header *headers; /* made for the first whole head: what waits
                                  * for the rest of a head stays small */
};

/* An exchange for the connection's next request. NULL when out of memory. */
KAN_MUST_USE struct http_exchange *exchange_new(struct connection *connection);

/* Free the memory of an exchange that is in no use. Returns NULL. */
struct http_exchange *exchange_free(struct http_exchange *exchange);

/* Read on in a request that is not complete. Returns how many bytes were used.
 * The handler may have been called, the exchange may be gone: look at the
 * connection. */
size_t exchange_read(struct http_exchange *exchange, struct kan_slice bytes);

/* The connection is gone. */
void exchange_detach(struct http_exchange *exchange);

/* The peer will send no more: tell the handler, if it wants to know. */
void exchange_peer_ended(struct http_exchange *exchange);

/* Give the exchange back if nobody needs it any more: its connection is gone or
 * done with it, no write is under way, the handler owes nothing. */
void exchange_settle(struct http_exchange *exchange);

/* --- answering (answer.c, send.c) ----------------------------------------- */

/* Answer with an error of the server's own and end the connection. The handler
 * has not been called. */
void exchange_refuse(struct http_exchange *exchange, struct refusal refusal);

/* Send what is in out, as far as possible. The exchange or the connection may
 * be gone afterwards. */
void exchange_flush(struct http_exchange *exchange);

/* Flush once the current callback has returned, and ask for more. */
void exchange_flush_later(struct http_exchange *exchange);

/* Bytes of the answer that the kernel has not taken. */
size_t exchange_waiting(const struct http_exchange *exchange);

#endif /* WIRE_EXCHANGE_H */
