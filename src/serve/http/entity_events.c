/* entity_events.c - the events of an entity: a page of them, or live, as
 * server-sent events.
 *
 * A live answer holds at most TAIL_AHEAD bytes beyond what the connection does:
 * then the follow is paused until the reader has taken some, and what happens
 * meanwhile waits in the engine. Who takes nothing for too long is cut, and
 * told so by a last event; every event has its n as id, with which a client
 * goes on where it was. */

#include "base/number.h"
#include "serve/http/entity.h"

enum
{
    TAIL_AHEAD = 32 << 10,   /* bytes given without asking for room */
    TAIL_HELD_MAX = 1 << 20, /* bytes that came though it was paused */
    TAIL_TICK_S = 1,
    TAIL_QUIET_S = 15, /* then a comment shows that we are there */
    TAIL_SLOW_S = 10   /* below the time-out of an answer, which ends it
                            * without a word */
};

/* --- a page --------------------------------------------------------------- */

static void page_done(struct entity_events *page)
{
    struct call *call = page->data;
    struct buffer *out = &call->out;
    if (page->outcome != ENTITY_TAKEN) {
        entity_fail(call, page->outcome, page->err, page->text);
        return;
    }
    buffer_append_text(out, "{\"events\":[");
    for (uint32_t i = 0; i < page->item_count; i++) {
        if (i)
            buffer_append_byte(out, ',');
        entity_event_json(&page->items[i], out);
    }
    buffer_print(out, "],\"after\":%llu,\"more\":%s}",
                 (unsigned long long)page->last, page->more ? "true" : "false");
    call_answer_json(call);
}

static void page_begin(struct call *call, struct entity_host *host,
                       uint64_t after)
{
    struct entity_events *page = &call->state.events;
    uint64_t limit = ENTITY_PAGE_DEFAULT;
    if (!entity_number_take(call, "limit", 1, ENTITY_PAGE_MAX, NULL, &limit))
        return;
    memset(page, 0, sizeof(*page));
    page->data = call;
    page->type = call->params[0];
    page->id = call->params[1];
    page->after = after;
    page->limit = (uint32_t)limit;
    enum kan_err err = entity_events(host, page, page_done);
    if (err != KAN_OK)
        entity_fail(call, ENTITY_FAILED, err, SLICE(""));
}

/* --- live ----------------------------------------------------------------- */

/* Why no more events are given. */
enum tail_end
{
    TAIL_OPEN,
    TAIL_GONE, /* the client went */
    TAIL_SHUT, /* Kan closes */
    TAIL_SLOW,
    TAIL_NOMEM
};

struct tail
{
    struct call *call;
    struct entity_follow follow;
    struct env_timer timer;
    size_t ahead;      /* bytes given since the reader was last seen to read */
    bool waiting;      /* for room, */
    uint64_t since_ns; /* so long */
    uint64_t sent_ns;  /* the last byte */
    enum tail_end end;
};

static struct env *tail_env(const struct tail *tail)
{
    return tail->call->serve->options.env;
}

/* Give no more; the follow's last callback finishes the answer. */
static void tail_stop(struct tail *tail, enum tail_end end)
{
    if (tail->end != TAIL_OPEN)
        return;
    tail->end = end;
    entity_follow_cancel(&tail->follow);
}

static void tail_cancel(struct call *call)
{
    tail_stop(call->tail, call->gone ? TAIL_GONE : TAIL_SHUT);
}

static http_ready_cb on_room;

/* Give what is in call->out, if there is room for it. */
static void tail_send(struct tail *tail)
{
    struct call *call = tail->call;
    struct buffer *out = &call->out;
    if (buffer_failed(out)) {
        tail_stop(tail, TAIL_NOMEM);
        return;
    }
    if (tail->waiting) {
        if (out->size > TAIL_HELD_MAX)
            tail_stop(tail, TAIL_SLOW);
        return;
    }
    tail->ahead += out->size;
    bool ask = tail->ahead >= TAIL_AHEAD;
    enum kan_err err =
        http_answer_piece(call->exchange, buffer_slice(out), ask ? tail : NULL,
                          ask ? on_room : NULL);
    buffer_clear(out);
    if (err != KAN_OK) {
        tail_stop(tail, err == KAN_LOST ? TAIL_GONE : TAIL_NOMEM);
        return;
    }
    tail->sent_ns = env_now(tail_env(tail));
    if (ask) {
        tail->waiting = true;
        tail->since_ns = tail->sent_ns;
        entity_follow_pause(&tail->follow, true);
    }
}

static void on_room(void *data)
{
    struct tail *tail = data;
    tail->waiting = false;
    tail->ahead = 0;
    if (tail->end != TAIL_OPEN)
        return;
    if (tail->call->out.size)
        tail_send(tail);
    if (tail->end == TAIL_OPEN && !tail->waiting)
        entity_follow_pause(&tail->follow, false);
}

static void on_tick(struct env_timer *timer)
{
    struct tail *tail = timer->data;
    uint64_t now = env_now(tail_env(tail));
    if (tail->end != TAIL_OPEN)
        return;
    if (tail->waiting &&
        now - tail->since_ns >= (uint64_t)TAIL_SLOW_S * ENV_S) {
        tail_stop(tail, TAIL_SLOW);
        return;
    }
    if (!tail->waiting &&
        now - tail->sent_ns >= (uint64_t)TAIL_QUIET_S * ENV_S) {
        buffer_append_text(&tail->call->out, ": still here\n\n");
        tail_send(tail);
    }
    if (tail->end == TAIL_OPEN &&
        env_timer_start(tail_env(tail), timer,
                        now + (uint64_t)TAIL_TICK_S * ENV_S, on_tick) != KAN_OK)
        tail_stop(tail, TAIL_NOMEM);
}

/* --- the last event ------------------------------------------------------- */

static void append_error(struct buffer *out, enum error_name name,
                         const char *text)
{
    buffer_append_text(out, "event: error\ndata: ");
    struct buffer body = BUFFER_INIT;
    error_write(&body, &(const struct error_report){.name = name},
                kan_text(text));
    buffer_append(out, buffer_slice(&body));
    out->failed |= buffer_failed(&body);
    buffer_fini(&body);
    buffer_append_text(out, "\n\n");
}

static void append_last(struct buffer *out, enum tail_end end, enum kan_err err)
{
    if (end == TAIL_SLOW || (end == TAIL_OPEN && err == KAN_BUSY))
        append_error(out, ERROR_EVENTS_SLOW,
                     "the events came faster than they were read: come back "
                     "with Last-Event-ID");
    else if (end == TAIL_SHUT || err == KAN_CLOSED)
        append_error(out, ERROR_ENTITY_CLOSED,
                     "Kan is closing: come back with Last-Event-ID");
    else if (end == TAIL_NOMEM || err == KAN_NOMEM)
        append_error(out, ERROR_OVERLOADED,
                     "out of memory: come back with Last-Event-ID");
    else
        append_error(out, ERROR_ENTITY_READ, kan_err_text(err));
}

/* The follow is over: say why, and end the answer. */
static void tail_finish(struct tail *tail, enum kan_err err)
{
    struct call *call = tail->call;
    struct buffer *out = &call->out;
    env_timer_stop(tail_env(tail), &tail->timer);
    call->cancel = NULL;
    if (tail->end == TAIL_GONE) {
        call_stream_abort(call);
        return;
    }
    if (buffer_failed(out))
        buffer_clear(out); /* a cut event would be no event */
    append_last(out, tail->end, err);
    http_answer_unready(call->exchange);
    if (buffer_failed(out) ||
        http_answer_piece(call->exchange, buffer_slice(out), NULL, NULL) !=
            KAN_OK)
        call_stream_abort(call);
    else
        call_stream_end(call);
}

/* --- events --------------------------------------------------------------- */

static struct kan_slice event_name(const struct entity_event *event)
{
    switch (event->kind) {
    case ENTITY_STEP:
        return program_step(event->program, event->step).name;
    case ENTITY_UPGRADED:
        return SLICE("upgraded");
    case ENTITY_DOWNGRADED:
        return SLICE("downgraded");
    case ENTITY_DELETED:
        return SLICE("deleted");
    case ENTITY_ERASED:
        return SLICE("erased");
    }
    return SLICE("message");
}

static void on_event(struct entity_follow *follow, enum kan_err err,
                     const struct entity_event *event)
{
    struct tail *tail = follow->data;
    struct buffer *out = &tail->call->out;
    if (!event) {
        tail_finish(tail, err);
        return;
    }
    if (tail->end != TAIL_OPEN)
        return;
    buffer_print(out,
                 "id: %llu\nevent: %.*s\ndata: ", (unsigned long long)event->n,
                 SLICE_ARG(event_name(event)));
    entity_event_json(event, out);
    buffer_append_text(out, "\n\n");
    tail_send(tail);
}

static void tail_begin(struct call *call, struct entity_host *host,
                       uint64_t after)
{
    struct env *env = call->serve->options.env;
    struct tail *tail = call_alloc(call, sizeof(*tail));
    if (!tail) {
        call_overloaded(call);
        return;
    }
    memset(tail, 0, sizeof(*tail));
    tail->call = call;
    tail->timer.data = tail;
    tail->sent_ns = env_now(env);
    tail->follow.data = tail;
    tail->follow.type = call->params[0];
    tail->follow.id = call->params[1];
    tail->follow.after = after;
    if (env_timer_start(env, &tail->timer,
                        tail->sent_ns + (uint64_t)TAIL_TICK_S * ENV_S,
                        on_tick) != KAN_OK) {
        call_overloaded(call);
        return;
    }
    enum kan_err err = call->serve->closing
                           ? KAN_CLOSED
                           : entity_follow(host, &tail->follow, on_event);
    if (err != KAN_OK) {
        env_timer_stop(env, &tail->timer);
        entity_fail(call, ENTITY_FAILED, err, SLICE(""));
        return;
    }
    call->tail = tail;
    call->cancel = tail_cancel;
    call->patient = true;
    call_stream_begin(call, "text/event-stream",
                      SLICE("Cache-Control: no-store\r\n"
                            "X-Accel-Buffering: no\r\n"));
    buffer_append_text(&call->out, "retry: 1000\n\n");
    tail_send(tail);
    call_watch_client(call);
}

/* Whether the client asks for a stream. */
static bool wants_stream(const struct call *call)
{
    struct kan_slice accept = http_request_header(call->request, "Accept");
    return slice_find(accept, SLICE("text/event-stream")) != SIZE_MAX;
}

/* Where to go on: Last-Event-ID, as a browser sends it when it comes back, or
 * the query's after. false: answered. */
static bool after_take(struct call *call, uint64_t *ret_after)
{
    struct kan_slice last = http_request_header(call->request, "Last-Event-ID");
    *ret_after = 0;
    if (!last.size)
        return entity_number_take(call, "after", 0, UINT64_MAX, NULL,
                                  ret_after);
    if (number_u64(last, ret_after) == KAN_OK)
        return true;
    call_fail_basic(call, ERROR_BAD_REQUEST,
                    "invalid request: Last-Event-ID must be the n of an event, "
                    "not '%.*s'",
                    SLICE_ARG(last));
    return false;
}

void entity_events_call(struct call *call)
{
    struct entity_host *host = entity_host_find(call);
    uint64_t after;
    call->context = ERROR_ENTITY_READ;
    if (!host || !after_take(call, &after))
        return;
    if (!entity_type_served(call->serve, call->params[0]))
        entity_fail(call, ENTITY_NO_TYPE, KAN_OK, SLICE(""));
    else if (wants_stream(call))
        tail_begin(call, host, after);
    else
        page_begin(call, host, after);
}
