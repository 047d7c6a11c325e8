/* server.h - what all connections of a server share: options, counters, lists
 * by deadline, the pool of exchanges. Private to src/wire. */

#ifndef WIRE_SERVER_H
#define WIRE_SERVER_H

#include "base/list.h"
#include "wire/http.h"

struct connection;

/* What a connection waits for. Every time-out of a class is equally long, so a
 * list to which connections are added at the end is in order of deadlines, and
 * one timer serves all. */
enum waiting
{
    WAITING_HEAD,
    WAITING_BODY,
    WAITING_IDLE,
    WAITING_ANSWER,  /* for the peer to take bytes */
    WAITING_LINGER,  /* for the peer to close */
    WAITING_NOTHING, /* the handler works: no deadline */
    WAITING_CLASSES
};

enum
{
    /* Requests that one connection may have handled before others get their
     * turn. */
    TURN_REQUESTS = 16,

    /* Exchanges kept for reuse, and the bytes that one may keep in a buffer:
     * enough for 64 busy connections and 1 MiB at most. */
    POOL_MAX = 32,
    POOL_BUFFER_MAX = 16384,

    /* After an answer that ends the connection, what arrives is read and
     * dropped for so long, so that a reset cannot overtake the answer. */
    LINGER_MS = 5000,
    LINGER_BYTES = 8 << 20,

    /* Connections beyond the limit that may be told so at one time. */
    REFUSED_MAX = 64,

    /* A piecewise answer's bytes that may wait before its handler is asked to
     * wait too, as http.h says. */
    ANSWER_AHEAD = 65536
};

struct http_server
{
    uint32_t magic;
    bool closing;
    bool drained; /* drain_ns has passed: all is cut */
    struct env *env;
    struct http_server_options options; /* limits filled in */
    struct http_stats stats;
    uint64_t timeout_ns[WAITING_CLASSES];
    struct list waiting[WAITING_CLASSES];
    struct env_timer timer; /* armed while a connection is open */
    struct list ready;      /* connections with buffered bytes to go on with */
    struct env_timer turn;
    struct env_task turn_task; /* when the timer finds no memory */
    struct list pool;
    uint32_t pool_count;
    struct list orphans;   /* exchanges whose connection is gone */
    struct list listeners; /* struct listener */
    uint32_t listener_count;
    uint32_t listening; /* listeners not yet closed */
    uint64_t drain_ns;  /* when closing: the deadline for all */
    struct env_task finish;
    void *close_data;
    env_close_cb *close_cb;
};

/* Put the connection in the list of the class, with a fresh deadline. */
void server_wait(struct http_server *server, struct connection *connection,
                 enum waiting waiting);

/* Arm the timer for the first deadline. KAN_NOMEM only when it was not armed,
 * which it is while a connection is open. */
KAN_MUST_USE enum kan_err server_arm(struct http_server *server);

/* Let the connection go on with its buffered bytes, after what is ready now: by
 * a timer, since deferred tasks would come before the bytes of others. */
void server_ready(struct http_server *server, struct connection *connection);

/* A connection or listener is gone: finish closing when it was the last. */
void server_progress(struct http_server *server);

#endif /* WIRE_SERVER_H */
