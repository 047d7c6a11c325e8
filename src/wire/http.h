/* http.h - an HTTP/1.1 server on streams of the env.
 *
 * It owns framing, limits, time-outs and the order of answers; what a request
 * means is the handler's. Framing is strict: whatever two parsers could read
 * in two ways is refused with 400 and the connection is closed (the list is in
 * docs/design/http.md, each line with its test). Pipelined requests are handled
 * one at a time, in order. An idle connection holds no buffer. */

#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include <kan/base.h>

#include "base/bytes.h"
#include "env/env.h"

struct http_server;
struct http_exchange;

/* Zero means the default in parentheses. */
struct http_limits
{
    uint32_t head_max;        /* bytes of a request's head (4,096), 64 to
                               * 1 MiB: 431 */
    uint32_t body_max;        /* bytes of a body (4 MiB): 413 */
    uint64_t bodies_max;      /* of all bodies in flight and of what clients
                               * sent ahead (16 MiB): 503 */
    uint32_t connections_max; /* (12,000); beyond it: 503 and close */
    uint32_t
        head_timeout_ms; /* first byte of a head to its end (10,000): 408 */
    uint32_t body_timeout_ms;   /* without a byte of a body arriving (30,000) */
    uint32_t idle_timeout_ms;   /* between requests (75,000): close */
    uint32_t answer_timeout_ms; /* without a byte of an answer taken (30,000) */
};

/* A request that is complete: head read and checked, body in memory. It is the
 * handler's until it has answered. Everything is borrowed until then. */
struct http_header
{
    struct kan_slice name;  /* as sent */
    struct kan_slice value; /* without space around it */
};

struct http_request
{
    struct kan_slice method; /* "GET": token characters, upper case */
    struct kan_slice target; /* path and query as sent: "/a/b?c=d"; "*" for
                              * OPTIONS *; of an absolute target what follows
                              * its host, which is that of Host */
    struct kan_slice path;   /* target up to ? */
    struct kan_slice query;  /* behind ?, or empty */
    const struct http_header *headers;
    uint32_t header_count; /* at most 64 */
    struct kan_slice body;
};

/* The value of the first header of that name, case aside, or a slice whose
 * bytes are NULL. */
struct kan_slice http_request_header(const struct http_request *request,
                                     const char *name);

/* Called once a request. Must answer exactly once, now or later. */
typedef void http_handler_cb(void *data, struct http_exchange *exchange,
                             const struct http_request *request);

/* The caller's place to keep what belongs to one exchange. */
void http_exchange_set(struct http_exchange *exchange, void *data);
void *http_exchange_get(const struct http_exchange *exchange);

/* Call cb, once and not within this call, if the client goes away, or says that
 * it will send no more, before it has its answer: nobody may be waiting any
 * more. The answer is owed all the same, and not to be given within cb. Bytes
 * sent ahead behind the request hide the end from us until it is answered.
 * false: the client is gone already, and cb will not run. */
typedef void http_gone_cb(void *data);
bool http_exchange_on_gone(struct http_exchange *exchange, void *data,
                           http_gone_cb *cb);

/* The env that the server runs in. */
struct env *http_exchange_env(const struct http_exchange *exchange);

/* Whether the request came in by this listener's address (the number that
 * http_server_listen gave). */
uint32_t http_exchange_listener(const struct http_exchange *exchange);

/* Answer: status, extra head lines ("Name: value\r\n"...; may be empty), body.
 * Both are copied. Content-Length, Date-free head and connection handling are
 * added. 204 and 304 have no body. content_type may be NULL for none. */
void http_answer(struct http_exchange *exchange, int status,
                 const char *content_type, struct kan_slice head_lines,
                 struct kan_slice body);

/* Head lines or a content type that are no clean header lines (a line break in
 * a value, say) are never sent: the answer becomes a 500. Build lines from
 * foreign text with http_head_line(). When there is no memory for an answer the
 * client gets a bare 500 and the connection ends. */

/* Answer in pieces (copied), sent chunked (or until close to an HTTP/1.0
 * client): begin, any number of pieces, end. ready_cb, when not NULL, is called
 * once, later, when less than 64 KiB wait to be sent or the client is gone; a
 * handler with much to say waits for it. Only one may be owed at a time; an end
 * or abort cancels it. Pieces leave when the current callback returns, or
 * earlier. KAN_LOST when the client is gone and KAN_NOMEM when the piece was
 * not taken: http_answer_end() or _abort() is still owed. */
typedef void http_ready_cb(void *data);
void http_answer_begin(struct http_exchange *exchange, int status,
                       const char *content_type, struct kan_slice head_lines);
KAN_MUST_USE enum kan_err http_answer_piece(struct http_exchange *exchange,
                                            struct kan_slice piece, void *data,
                                            http_ready_cb *ready_cb);
void http_answer_end(struct http_exchange *exchange);

/* Take back the ready_cb that is owed, if one is: it does not run, and a last
 * piece may be given. */
void http_answer_unready(struct http_exchange *exchange);

/* Instead of http_answer() or http_answer_end(): break the connection off, so
 * that the client can see that the answer is not whole. */
void http_answer_abort(struct http_exchange *exchange);

/* Append "name: value\r\n". KAN_INVALID, and nothing is appended, when the name
 * is no header name or the value has a control character in it. KAN_NOMEM. */
KAN_MUST_USE enum kan_err http_head_line(struct buffer *lines,
                                         struct kan_slice name,
                                         struct kan_slice value);

/* --- the server ----------------------------------------------------------- */

/* Counters since the start, for metrics. */
struct http_stats
{
    uint64_t requests;
    uint64_t answers_by_class[6]; /* [2]: 2xx ... */
    uint64_t refused;             /* by framing, limits or time-outs */
    uint64_t connections;         /* accepted */
    uint64_t connections_open;
    uint64_t body_bytes_in_flight;
    uint64_t bytes_in;
    uint64_t bytes_out;
};

/* How the server words an error of its own (bad framing, limits): writes a body
 * and returns its content type, and may send another status. NULL: plain
 * text. */
typedef const char *http_error_cb(void *data, int *status, const char *reason,
                                  struct buffer *body);

struct http_server_options
{
    struct http_limits limits;
    void *data;
    http_handler_cb *handler;
    http_error_cb *error; /* may be NULL */
};

/* options are copied. KAN_INVALID for a head_max out of its range, KAN_NOMEM.
 * Yours: http_server_close(). */
KAN_MUST_USE enum kan_err http_server_new(
    struct env *env, const struct http_server_options *options,
    struct http_server **ret_server);

/* Add a listener; statuses and why as env_listen(). ret_number tells them
 * apart in http_exchange_listener(); the address is http_server_address(). */
KAN_MUST_USE enum kan_err http_server_listen(
    struct http_server *server, const char *address,
    const struct env_listen_options *options, char *why, size_t why_size,
    uint32_t *ret_number);
const char *http_server_address(const struct http_server *server,
                                uint32_t number);

struct http_stats http_server_stats(const struct http_server *server);

/* Stop accepting, close idle connections, let requests under way end (their
 * answers say "Connection: close"), at most for drain_ms; then close all, free
 * the server and call cb. Handlers may still answer exchanges that were cut
 * off; the answers go nowhere. */
void http_server_close(struct http_server *server, uint32_t drain_ms,
                       void *data, env_close_cb *cb);

/* While it closes: wait no longer than now, whatever drain_ms was. */
void http_server_hurry(struct http_server *server);

/* --- pure parts, for tests and fuzzing ------------------------------------ */

/* Check a complete head (up to and with its empty line) against the rules that
 * http-parser does not enforce. NULL when it is clean, else a reason. */
const char *http_head_check(struct kan_slice head);

/* Decode percent escapes (and, as Dapr does, + as a space when plus is set)
 * into out (given room for in.size bytes). KAN_INVALID for a bad escape. */
KAN_MUST_USE enum kan_err http_decode(struct kan_slice in, bool plus, char *out,
                                      size_t *ret_size);

/* The reason phrase, "" for a status we never send. */
const char *http_status_text(int status);

#endif /* WIRE_HTTP_H */
