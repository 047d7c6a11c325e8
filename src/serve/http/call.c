/* call.c - the memory of a request, and the ways to answer it.
 *
 * Whatever fails, exactly one whole answer leaves: bodies are written in full
 * before the first byte goes out, and the answer for want of memory needs
 * none. */

#include "serve/http/call.h"

#include "base/alloc.h"
#include "base/assert.h"

enum
{
    CALL_MAGIC = 0x43414c4c,
    CALL_PIECE = 16384 /* bytes of a chunk */
};

/* Memory beyond what a call has inside. */
struct block
{
    _Alignas(max_align_t) void *next;
};

/* --- life ----------------------------------------------------------------- */

struct call *call_new(struct serve *serve, struct http_exchange *exchange,
                      const struct http_request *request)
{
    struct list *link = list_pop(&serve->spare);
    struct call *call =
        link ? list_entry(link, struct call, link) : mem_alloc(sizeof(*call));
    if (!call)
        return NULL;
    if (link)
        serve->spare_count--;
    else
        call->text = call->out = (struct buffer)BUFFER_INIT;
    struct buffer out = call->out;
    struct buffer text = call->text;
    memset(call, 0, offsetof(struct call, state));
    call->out = out;
    call->text = text;
    call->magic = CALL_MAGIC;
    call->serve = serve;
    call->exchange = exchange;
    call->request = request;
    call->start_ns = env_now(serve->options.env);
    list_push(&serve->calls, &call->link);
    serve->call_count++;
    return call;
}

static void buffer_trim(struct buffer *buffer)
{
    if (buffer->capacity > CALL_BUFFER_MAX)
        buffer_fini(buffer);
    else
        buffer_clear(buffer);
}

/* The call was answered: keep it for the next one, or free it. */
static void call_end(struct call *call)
{
    struct serve *serve = call->serve;
    while (call->blocks) {
        struct block *block = call->blocks;
        call->blocks = block->next;
        mem_free(block);
    }
    json_fini(&call->tree);
    list_remove(&call->link);
    serve->call_count--;
    call->magic = 0;
    if (serve->spare_count < CALL_SPARE_MAX && !serve->closing) {
        buffer_trim(&call->out);
        buffer_trim(&call->text);
        list_push(&serve->spare, &call->link);
        serve->spare_count++;
    } else {
        buffer_fini(&call->out);
        buffer_fini(&call->text);
        mem_free(call);
    }
    serve_settle(serve);
}

enum serve_side call_side(const struct call *call)
{
    uint32_t number = http_exchange_listener(call->exchange);
    kan_assert(number < call->serve->side_count);
    return call->serve->sides[number];
}

static void on_gone(void *data)
{
    struct call *call = data;
    check_magic(call, CALL_MAGIC);
    call->gone = true;
    if (call->cancel)
        call->cancel(call);
}

void call_watch_client(struct call *call)
{
    check_magic(call, CALL_MAGIC);
    if (!http_exchange_on_gone(call->exchange, call, on_gone))
        on_gone(call);
}

void *call_alloc(struct call *call, size_t size)
{
    check_magic(call, CALL_MAGIC);
    size_t align = _Alignof(max_align_t);
    size_t whole = (size + align - 1) / align * align;
    if (whole < size)
        return NULL;
    if (whole <= sizeof(call->bytes) - call->used) {
        void *inside = call->bytes + call->used;
        call->used += whole;
        return inside;
    }
    struct block *block = mem_alloc(sizeof(*block) + whole);
    if (!block)
        return NULL;
    block->next = call->blocks;
    call->blocks = block;
    return block + 1;
}

/* --- what was asked ------------------------------------------------------- */

enum kan_err call_decode(struct call *call, struct kan_slice text,
                         struct kan_slice *ret_text)
{
    if (!text.size || (!memchr(text.bytes, '%', text.size) &&
                       !memchr(text.bytes, '+', text.size))) {
        *ret_text = text;
        return KAN_OK;
    }
    char *out = call_alloc(call, text.size);
    if (!out)
        return KAN_NOMEM;
    size_t size;
    enum kan_err err = http_decode(text, true, out, &size);
    if (err == KAN_OK)
        *ret_text = kan_slice(out, size);
    return err;
}

enum kan_err call_query(struct call *call, const char *name,
                        struct kan_slice *ret_value)
{
    struct kan_slice rest = call->request->query;
    while (rest.size) {
        struct kan_slice pair;
        struct kan_slice key;
        slice_cut(&rest, '&', &pair);
        slice_cut(&pair, '=', &key);
        enum kan_err err = call_decode(call, key, &key);
        if (err == KAN_OK && slice_equal_nocase(key, kan_text(name))) {
            err = call_decode(call, pair, &pair);
            if (err == KAN_OK) {
                *ret_value = pair.bytes ? pair : SLICE("");
                return KAN_OK;
            }
        }
        if (err != KAN_OK)
            return err;
    }
    *ret_value = kan_slice(NULL, 0);
    return KAN_OK;
}

/* --- the answer ----------------------------------------------------------- */

/* What is the same for every answer, just before it leaves. */
static void call_account(struct call *call, int status)
{
    struct serve *serve = call->serve;
    const struct http_request *request = call->request;
    uint64_t ns = env_now(serve->options.env) - call->start_ns;
    const char *name = call->route ? call->route->name : "none";
    if (call->route)
        metrics_count(&serve->stats[route_index(call->route)], status, ns);
    if (!serve->options.api_logging || !serve->options.log)
        return;
    log_line(serve->options.log, LOG_INFO, "api call",
             LOG_TEXT("method", request->method),
             LOG_TEXT("path", request->path), LOG_TEXT("route", kan_text(name)),
             LOG_NUMBER("status", status), LOG_NUMBER("us", ns / 1000));
}

/* head, with the lines of CORS when they are due. */
static struct kan_slice cors_head(struct call *call, struct kan_slice head)
{
    if (!call->vary)
        return head;
    size_t room = head.size + call->origin.size + 64;
    char *lines = call_alloc(call, room);
    if (!lines)
        return head; /* the browser refuses what the client asks again */
    struct buffer out = {.bytes = lines, .capacity = room};
    buffer_append(&out, head);
    buffer_append_text(&out, "Vary: Origin\r\n");
    if (call->origin.bytes) {
        buffer_append_text(&out, "Access-Control-Allow-Origin: ");
        buffer_append(&out, call->origin);
        buffer_append_text(&out, "\r\n");
    }
    return buffer_slice(&out);
}

void call_answer(struct call *call, int status, const char *content_type,
                 struct kan_slice head, struct kan_slice body)
{
    check_magic(call, CALL_MAGIC);
    call_account(call, status);
    http_answer(call->exchange, status, content_type, cors_head(call, head),
                body);
    call_end(call);
}

void call_answer_empty(struct call *call)
{
    call_answer(call, 204, NULL, SLICE(""), SLICE(""));
}

void call_answer_json(struct call *call)
{
    if (buffer_failed(&call->out))
        call_overloaded(call);
    else
        call_answer(call, 200, "application/json", SLICE(""),
                    buffer_slice(&call->out));
}

/* Send what fits now; called again when there is room for more. */
static void chunks_go_on(void *data)
{
    struct call *call = data;
    check_magic(call, CALL_MAGIC);
    while (call->sent < call->out.size) {
        struct kan_slice rest =
            slice_skip(buffer_slice(&call->out), call->sent);
        struct kan_slice piece = slice_head(rest, CALL_PIECE);
        call->sent += piece.size;
        bool last = call->sent == call->out.size;
        enum kan_err err =
            http_answer_piece(call->exchange, piece, last ? NULL : call,
                              last ? NULL : chunks_go_on);
        if (err != KAN_OK) {
            /* The client is gone, or must see that this is not all. */
            http_answer_abort(call->exchange);
            call_end(call);
            return;
        }
        if (!last)
            return; /* until chunks_go_on() is called for room */
    }
    http_answer_end(call->exchange);
    call_end(call);
}

void call_answer_chunked(struct call *call, const char *content_type)
{
    check_magic(call, CALL_MAGIC);
    if (buffer_failed(&call->out)) {
        call_overloaded(call);
        return;
    }
    call_account(call, 200);
    http_answer_begin(call->exchange, 200, content_type,
                      cors_head(call, SLICE("")));
    chunks_go_on(call);
}

void call_stream_begin(struct call *call, const char *content_type,
                       struct kan_slice head)
{
    check_magic(call, CALL_MAGIC);
    call_account(call, 200);
    http_answer_begin(call->exchange, 200, content_type, cors_head(call, head));
}

void call_stream_end(struct call *call)
{
    check_magic(call, CALL_MAGIC);
    http_answer_end(call->exchange);
    call_end(call);
}

void call_stream_abort(struct call *call)
{
    check_magic(call, CALL_MAGIC);
    http_answer_abort(call->exchange);
    call_end(call);
}

/* --- errors --------------------------------------------------------------- */

void call_overloaded(struct call *call)
{
    call_answer(call, 503, "application/json", SLICE(""),
                SLICE("{\"errorCode\":\"ERR_OVERLOADED\",\"message\":"
                      "\"out of memory: nothing was done, try again\"}"));
}

void call_fail_text(struct call *call, const struct error_report *report)
{
    buffer_clear(&call->out);
    error_write(&call->out, report, buffer_slice(&call->text));
    if (buffer_failed(&call->out) || buffer_failed(&call->text)) {
        /* The status tells most of it, and may not be lost. */
        call_answer(call, error_status(report), "application/json", SLICE(""),
                    SLICE("{\"errorCode\":\"ERR_OVERLOADED\",\"message\":"
                          "\"out of memory for the error's text\"}"));
        return;
    }
    call_answer(call, error_status(report), "application/json", SLICE(""),
                buffer_slice(&call->out));
}

void call_fail(struct call *call, const struct error_report *report,
               const char *format, ...)
{
    va_list args;
    buffer_clear(&call->text);
    va_start(args, format);
    buffer_vprint(&call->text, format, args);
    va_end(args);
    call_fail_text(call, report);
}

void call_fail_query(struct call *call, enum kan_err err)
{
    if (err == KAN_NOMEM)
        call_overloaded(call);
    else
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: a bad percent escape in the query");
}
