/* call.h - one request on its way through the API: what was asked, the memory
 * it needs, and the one answer it gets; and the serve that calls belong to.
 *
 * A call lives from the handler of the server to its answer, which every path
 * gives exactly once and which ends the call. Calls are kept for reuse, with a
 * little memory inside, so that reading or saving one key allocates nothing
 * but what the parser and the store need. */

#ifndef SERVE_HTTP_CALL_H
#define SERVE_HTTP_CALL_H

#include "base/bytes.h"
#include "base/json.h"
#include "base/list.h"
#include "serve/http/error.h"
#include "serve/http/route.h"
#include "serve/http/serve.h"

enum
{
    CALL_PARAMS_MAX = 3,
    CALL_INLINE = 1024,    /* most decoded texts of a request fit */
    CALL_SPARE_MAX = 32,   /* calls kept for reuse */
    CALL_BUFFER_MAX = 4096 /* what a call kept for reuse may hold on to */
};

/* --- the whole that calls belong to --------------------------------------- */

enum
{
    SERVE_LISTENERS_MAX = 16,
    SERVE_STORES_MAX = 256,
    SERVE_EXTENDED_MAX = 64,
    SERVE_EXTENDED_KEY_MAX = 256,
    SERVE_EXTENDED_VALUE_MAX = 8192,
    SERVE_TIMES = 13 /* bounds of the histogram of times, in metrics.c */
};

/* What metrics tell about one route. */
struct route_stats
{
    uint64_t answers[6]; /* by class: [2] is 2xx */
    uint64_t times[SERVE_TIMES + 1];
    uint64_t ns;
};

/* One entry of the map "extended", in a list sorted by key. */
struct extended
{
    struct list link;
    struct kan_slice key; /* both behind the struct, in one block */
    struct kan_slice value;
};

struct serve
{
    unsigned magic;
    struct serve_options options;
    struct http_server *server;
    enum serve_side sides[SERVE_LISTENERS_MAX];
    uint32_t side_count;
    bool ready[SERVE_PARTS];

    struct list extended;
    uint32_t extended_count;

    struct list calls; /* under way */
    struct list spare;
    uint32_t call_count;
    uint32_t spare_count;
    struct route_stats *stats;           /* one for each route */
    struct entity_counts *entity_counts; /* steps by type; entity.c's */

    bool closing;
    bool closed; /* the server is gone, only calls in stores are left */
    void *close_data;
    env_close_cb *close_cb;
};

/* Which side the call came in by. */
enum serve_side call_side(const struct call *call);

/* Count an answer that took so long. */
void metrics_count(struct route_stats *stats, int status, uint64_t ns);

/* Free the serve when it was asked to close and nothing is left. */
void serve_settle(struct serve *serve);

/* --- a call --------------------------------------------------------------- */

struct call;
struct watch;
struct tail;
struct lags;

/* Ask what the call waits for to end early. Never answers by itself. */
typedef void call_cancel_cb(struct call *call);

/* The grant of a lock that the writes of a call rest on. */
struct call_grant
{
    const struct serve_lock *lock; /* NULL: none */
    struct kan_slice resource;
    uint64_t token;
};

struct call
{
    unsigned magic;
    struct serve *serve;
    struct http_exchange *exchange;
    const struct http_request *request;
    const struct route *route;
    struct list link;
    uint64_t start_ns;
    bool vary;               /* CORS is on: answers depend on Origin */
    struct kan_slice origin; /* CORS: the origin to allow; bytes NULL: none */
    struct kan_slice params[CALL_PARAMS_MAX];

    const struct serve_store *store;
    const struct serve_lock *lock;
    struct call_grant grant;
    struct watch *watch;   /* of lock_watch.c */
    struct tail *tail;     /* of entity_events.c */
    struct lags *lags;     /* of entity_view.c */
    struct json_tree tree; /* of the body */
    struct buffer out;     /* the answer's body */
    struct buffer text;    /* its extra head lines, or an error's message */
    size_t sent;           /* of out, while it goes out in pieces */
    void *blocks;          /* memory beyond bytes */
    size_t used;           /* of bytes */

    enum error_name context; /* what a failure of the store is called */
    call_cancel_cb *cancel;  /* NULL: what it waits for runs to its end */
    bool patient;            /* it may wait for long: canceled when the serve
                             * begins to close, or the client goes */
    bool gone;               /* the client went */
    struct kan_slice key;    /* the one key, when there is one */

    /* A new call is zeroed up to here. */
    union
    {
        struct state_read read;
        struct state_write write;
        struct state_list list;
        struct lock_request lock;
        struct actor_call actor;
        struct actor_look look;
        struct actor_parked parked;
        struct entity_call step;
        struct entity_change change;
        struct entity_read entity;
        struct entity_events events;
        struct entity_list entities;
        struct view_read view;
        struct saga_call saga;
    } state;
    struct state_op op; /* the one op, when there is one */

    _Alignas(max_align_t) char bytes[CALL_INLINE];
};

/* A new call, linked to the serve, or NULL. */
struct call *call_new(struct serve *serve, struct http_exchange *exchange,
                      const struct http_request *request);

/* Cancel what the call waits for when the client goes away before it has its
 * answer. */
void call_watch_client(struct call *call);

/* size bytes that live as long as the call, or NULL. */
KAN_MUST_USE void *call_alloc(struct call *call, size_t size);

/* text with its percent escapes and + taken for what they stand for. Points
 * into text when there are none. KAN_INVALID, KAN_NOMEM. */
KAN_MUST_USE enum kan_err call_decode(struct call *call, struct kan_slice text,
                                      struct kan_slice *ret_text);

/* The first value of a query parameter, decoded; its bytes are NULL when there
 * is none. Case of the name aside. KAN_INVALID when an escape is bad. */
KAN_MUST_USE enum kan_err call_query(struct call *call, const char *name,
                                     struct kan_slice *ret_value);

/* --- the answer: one of these, once; the call is gone afterwards ---------- */

/* content_type may be NULL; head is lines for http_answer(). */
void call_answer(struct call *call, int status, const char *content_type,
                 struct kan_slice head, struct kan_slice body);

/* 204. */
void call_answer_empty(struct call *call);

/* 200 and call->out as JSON, or 503 when it could not be written. */
void call_answer_json(struct call *call);

/* 200 and call->out, sent chunked, or 503 when it could not be written. */
void call_answer_chunked(struct call *call, const char *content_type);

/* 200, in pieces that the caller gives as it has them (http_answer_piece() on
 * call->exchange): begin, and one of the ends. */
void call_stream_begin(struct call *call, const char *content_type,
                       struct kan_slice head);
void call_stream_end(struct call *call);

/* Break the connection off: what was sent is not all. */
void call_stream_abort(struct call *call);

/* An error, its message as printf. */
__attribute__((format(printf, 3, 4))) void call_fail(
    struct call *call, const struct error_report *report, const char *format,
    ...);

/* The same for a basic error. */
#define call_fail_basic(call, error, ...) \
    call_fail(call, &(const struct error_report){.name = (error)}, __VA_ARGS__)

/* An error whose message is call->text. */
void call_fail_text(struct call *call, const struct error_report *report);

/* 503: no memory for this request. Needs none itself. */
void call_overloaded(struct call *call);

/* KAN_NOMEM as call_overloaded(), KAN_INVALID as a bad query. */
void call_fail_query(struct call *call, enum kan_err err);

#endif /* SERVE_HTTP_CALL_H */
