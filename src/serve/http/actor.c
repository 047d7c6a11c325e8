/* actor.c - actors over HTTP: a message to one, a look at one, and the messages
 * that were parked. The rules are the actor block's. */

#include "base/number.h"
#include "base/record.h"
#include "base/suggest.h"
#include "serve/http/call.h"
#include "serve/http/entity.h"

enum
{
    PARKED_KEY_MAX = 64 /* bytes of a key that names a parked message */
};

/* Whether there are actors here. false: answered as a Dapr without them. */
static bool actors_served(struct call *call)
{
    if (call->serve->options.actors)
        return true;
    missing_call(call);
    return false;
}

static void overloaded_or(struct call *call, enum error_name name,
                          enum kan_err err, const char *what)
{
    if (err == KAN_NOMEM)
        call_overloaded(call);
    else if (err == KAN_CLOSED)
        call_fail_basic(call, ERROR_ACTOR_CLOSED, "actor runtime is closed");
    else if (err == KAN_BUSY)
        call_fail_basic(call, ERROR_OVERLOADED,
                        "too many messages wait for actors: nothing was done, "
                        "try again");
    else
        call_fail_basic(call, name, "%s: %s", what, kan_err_text(err));
}

/* --- names ---------------------------------------------------------------- */

/* Dapr refuses what could be mistaken for another path. */
static bool name_clean(struct kan_slice name)
{
    if (!name.size || slice_equal(name, SLICE(".")) ||
        slice_equal(name, SLICE("..")))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char byte = slice_at(name, i);
        if (byte < 0x20 || byte == 0x7f || strchr("#?/\\", byte))
            return false;
    }
    return true;
}

/* Whether type, id and method (count of them) can be names. false: answered. */
static bool names_clean(struct call *call, uint32_t count)
{
    static const char *const nouns[] = {"actor type", "actor id", "method"};
    for (uint32_t i = 0; i < count; i++) {
        if (name_clean(call->params[i]))
            continue;
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: the %s '%.*s' is empty or has one of "
                        "/ \\ # ? or a control character in it",
                        nouns[i], SLICE_ARG(call->params[i]));
        return false;
    }
    return true;
}

static void fail_no_type(struct call *call)
{
    call_fail_basic(call, ERROR_ACTOR_NO_ADDRESS,
                    "did not find address for actor '%.*s/%.*s'",
                    SLICE_ARG(call->params[0]), SLICE_ARG(call->params[1]));
}

/* --- calls ---------------------------------------------------------------- */

/* As Dapr words what an app answered. */
static void fail_invoke(struct call *call, int status, struct kan_slice text)
{
    call_fail_basic(call, ERROR_ACTOR_INVOKE,
                    "error invoke actor method: error from actor service: "
                    "(%d) %.*s",
                    status, SLICE_ARG(text));
}

/* Name the methods that there are, the one that was meant first. */
static void fail_no_method(struct call *call)
{
    enum
    {
        NAMES_MAX = 16
    };
    const struct kan_actor_type *type =
        actor_host_type(call->serve->options.actors, call->params[0]);
    struct kan_slice asked = call->params[2];
    const char *names[NAMES_MAX];
    uint32_t count =
        type->handler_count < NAMES_MAX ? type->handler_count : NAMES_MAX;
    struct buffer text = BUFFER_INIT;
    for (uint32_t i = 0; i < count; i++)
        names[i] = type->handlers[i].message->name;
    const char *nearest = suggest_nearest(asked, names, count);
    buffer_print(&text, "actor type %s has no method '%.*s'", type->name,
                 SLICE_ARG(asked));
    if (nearest)
        buffer_print(&text, "; did you mean '%s'?", nearest);
    for (uint32_t i = 0; i < count && !nearest; i++)
        buffer_print(&text, i ? ", %s" : "; it has %s", names[i]);
    fail_invoke(call, 404, buffer_slice(&text));
    buffer_fini(&text);
}

/* The answer of a call that was sent twice is kept as JSON. */
static void answer_call(struct call *call)
{
    const struct actor_call *actor = &call->state.actor;
    struct kan_slice json = actor->text;
    if (actor->record) {
        if (record_to_json(actor->record, actor->message, &call->out) !=
            KAN_OK) {
            call_fail_basic(call, ERROR_ACTOR_INVOKE,
                            "error invoke actor method: it was done, and there "
                            "is no memory for its answer");
            return;
        }
        json = buffer_slice(&call->out);
    }
    call_answer(call, 200, json.size ? "application/json" : NULL, SLICE(""),
                json);
}

static void fail_call(struct call *call, enum kan_err err)
{
    struct kan_slice why = call->state.actor.text;
    bool unknown = kan_err_class(err) == KAN_CLASS_UNKNOWN;
    if (!why.size && !unknown)
        overloaded_or(call, ERROR_ACTOR_INVOKE, err,
                      "error invoke actor method");
    else
        call_fail_basic(
            call, ERROR_ACTOR_INVOKE, "error invoke actor method: %s%.*s",
            unknown ? "it may have been done all the same, look "
                      "before you repeat it: "
                    : "",
            SLICE_ARG(why.size ? why : kan_text(kan_err_text(err))));
}

static void call_done(struct actor_call *actor)
{
    struct call *call = actor->data;
    call->cancel = NULL;
    switch (actor->outcome) {
    case ACTOR_ANSWERED:
        answer_call(call);
        break;
    case ACTOR_NO_TYPE:
        fail_no_type(call);
        break;
    case ACTOR_NO_METHOD:
        fail_no_method(call);
        break;
    case ACTOR_ID_ILLEGAL:
        call_fail_basic(
            call, ERROR_BAD_REQUEST,
            "invalid request: actor id '%.*s' is not one: 'type/id' "
            "has at most 63 bytes",
            SLICE_ARG(call->params[1]));
        break;
    case ACTOR_BODY_INVALID:
        call_fail_basic(call, ERROR_MALFORMED, "%.*s", SLICE_ARG(actor->text));
        break;
    case ACTOR_REFUSED:
        fail_invoke(call, 409, actor->text);
        break;
    case ACTOR_CRASHED:
    case ACTOR_PARKED:
        fail_invoke(call, 500, actor->text);
        break;
    case ACTOR_FAILED:
        fail_call(call, actor->err);
        break;
    }
}

static void call_cancel(struct call *call)
{
    actor_call_cancel(&call->state.actor);
}

/* Sender and number, with which a call that is sent twice is taken once. false:
 * answered. */
static bool call_once(struct call *call, struct actor_call *actor)
{
    struct kan_slice number = http_request_header(call->request, "kan-number");
    actor->sender = http_request_header(call->request, "kan-sender");
    bool fine = !actor->sender.bytes == !number.bytes;
    if (fine && number.bytes)
        fine = name_clean(actor->sender) &&
               actor->sender.size < sizeof(struct kan_ref) &&
               number_u64(number, &actor->number) == KAN_OK && actor->number;
    if (!fine)
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: kan-sender (a name of at most 63 "
                        "bytes) and kan-number (1 or more, greater with each "
                        "call) belong together");
    return fine;
}

void actor_method_call(struct call *call)
{
    struct actor_call *actor = &call->state.actor;
    if (entity_type_served(call->serve, call->params[0])) {
        entity_step_call(call);
        return;
    }
    if (call->serve->options.contracts && !call->serve->options.actors) {
        entity_fail(call, ENTITY_NO_TYPE, KAN_OK, SLICE(""));
        return;
    }
    if (!actors_served(call) || !names_clean(call, 3))
        return;
    memset(actor, 0, sizeof(*actor));
    actor->data = call;
    actor->type = call->params[0];
    actor->id = call->params[1];
    actor->method = call->params[2];
    actor->body = call->request->body;
    if (!call_once(call, actor))
        return;
    enum kan_err err =
        actor_call(call->serve->options.actors, actor, call_done);
    if (err != KAN_OK) {
        fail_call(call, err);
        return;
    }
    call->cancel = call_cancel;
}

/* --- looking -------------------------------------------------------------- */

static void look_done(struct actor_look *look)
{
    struct call *call = look->data;
    struct buffer *out = &call->out;
    if (look->err == KAN_NOTFOUND) {
        call_answer_empty(call);
        return;
    }
    if (look->err != KAN_OK) {
        overloaded_or(call, ERROR_ACTOR_STATE, look->err,
                      "error getting actor state");
        return;
    }
    char path[PATH_ID_TEXT];
    path_id_text(look->path, path);
    buffer_append_text(out, "{\"type\":");
    json_append_string(out, look->type);
    json_append_name(out, "id");
    json_append_string(out, look->id);
    buffer_print(out, ",\"revision\":\"%llu\",\"path\":\"%s\",\"state\":",
                 (unsigned long long)look->revision, path);
    buffer_append(out, look->json);
    buffer_append_byte(out, '}');
    call_answer_json(call);
}

void actor_look_call(struct call *call)
{
    struct actor_look *look = &call->state.look;
    struct actor_host *host = call->serve->options.actors;
    if (!actors_served(call) || !names_clean(call, 2))
        return;
    if (!actor_host_type(host, call->params[0])) {
        fail_no_type(call);
        return;
    }
    memset(look, 0, sizeof(*look));
    look->data = call;
    look->type = call->params[0];
    look->id = call->params[1];
    enum kan_err err = actor_look(host, look, look_done);
    if (err != KAN_OK)
        overloaded_or(call, ERROR_ACTOR_STATE, err,
                      "error getting actor state");
}

/* --- parked messages ------------------------------------------------------ */

/* Keys are bytes, and are shown as hexadecimal digits. */
static void append_hex(struct buffer *out, struct kan_slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        buffer_print(out, "%02x", slice_at(bytes, i));
}

/* The opposite, into call's memory. KAN_INVALID, KAN_NOMEM. */
static enum kan_err take_hex(struct call *call, struct kan_slice text,
                             struct kan_slice *ret_bytes)
{
    if (text.size % 2 || text.size / 2 > PARKED_KEY_MAX)
        return KAN_INVALID;
    unsigned char *bytes = call_alloc(call, text.size / 2 + 1);
    if (!bytes)
        return KAN_NOMEM;
    for (size_t i = 0; i < text.size / 2; i++) {
        uint64_t byte;
        if (number_hex(slice_head(slice_skip(text, 2 * i), 2), &byte) != KAN_OK)
            return KAN_INVALID;
        bytes[i] = (unsigned char)byte;
    }
    *ret_bytes = kan_slice(bytes, text.size / 2);
    return KAN_OK;
}

static void ref_member(struct buffer *out, const char *name,
                       const struct kan_ref *ref)
{
    json_append_name(out, name);
    json_append_string(
        out, kan_slice(ref->text, strnlen(ref->text, sizeof(ref->text))));
}

static void append_parked(struct buffer *out,
                          const struct actor_parked_item *item)
{
    buffer_append_text(out, "{\"key\":\"");
    append_hex(out, item->key);
    buffer_append_byte(out, '"');
    ref_member(out, "actor", &item->actor);
    ref_member(out, "from", &item->from);
    json_append_name(out, "method");
    json_append_string(out, item->method);
    json_append_name(out, "body");
    buffer_append(out, item->json.size ? item->json : SLICE("null"));
    json_append_name(out, "why");
    json_append_string(out, item->why);
    buffer_append_byte(out, '}');
}

static void parked_done(struct actor_parked *parked)
{
    struct call *call = parked->data;
    struct buffer *out = &call->out;
    if (parked->err != KAN_OK) {
        overloaded_or(call, ERROR_ACTOR_PARKED, parked->err,
                      "failed listing parked messages");
        return;
    }
    buffer_append_text(out, "{\"parked\":[");
    for (uint32_t i = 0; i < parked->item_count; i++) {
        if (i)
            buffer_append_byte(out, ',');
        append_parked(out, &parked->items[i]);
    }
    buffer_append_byte(out, ']');
    if (parked->more && parked->item_count) {
        buffer_append_text(out, ",\"after\":\"");
        append_hex(out, parked->items[parked->item_count - 1].key);
        buffer_append_byte(out, '"');
    }
    buffer_append_byte(out, '}');
    call_answer_json(call);
}

void actor_parked_call(struct call *call)
{
    struct actor_parked *parked = &call->state.parked;
    struct kan_slice after = {0};
    if (!actors_served(call))
        return;
    memset(parked, 0, sizeof(*parked));
    parked->data = call;
    enum kan_err err = call_query(call, "after", &after);
    if (err != KAN_OK) {
        call_fail_query(call, err);
        return;
    }
    err = take_hex(call, after, &parked->after);
    if (err == KAN_INVALID) {
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: after is not a key of the page "
                        "before");
        return;
    }
    if (err == KAN_OK)
        err = actor_parked(call->serve->options.actors, parked, parked_done);
    if (err != KAN_OK)
        overloaded_or(call, ERROR_ACTOR_PARKED, err,
                      "failed listing parked messages");
}
