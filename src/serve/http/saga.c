/* saga.c - sagas over HTTP: begin one and wait for its end, or look at one. The
 * rules are the saga block's.
 *
 * The id is drawn here when the client names none, so that it is known when the
 * time is over and the saga goes on without us. */

#include "serve/http/entity.h"
#include "serve/http/problem.h"

#include "base/suggest.h"

enum
{
    WAIT_DEFAULT_MS = 30 * 1000,
    DAY_MS = 24 * 3600 * 1000,
    NAMES_MAX = 32,
    ID_DIGITS = 32
};

static const struct contract *contract_of(const struct call *call)
{
    return entity_host_contract(call->serve->options.contracts->entities);
}

/* The host; NULL: answered. */
static struct saga_host *host_find(struct call *call)
{
    if (!entity_host_find(call))
        return NULL;
    struct saga_host *host = call->serve->options.contracts->sagas;
    if (!host)
        call_fail_basic(call, ERROR_SAGA_NONE, "no contract here has a saga");
    return host;
}

/* --- what went wrong ------------------------------------------------------ */

static void fail_no_saga(struct call *call)
{
    const struct contract *contract = contract_of(call);
    const char *names[NAMES_MAX] = {NULL};
    char texts[NAMES_MAX][SOURCE_NAME_MAX + 1];
    uint32_t count = contract_saga_count(contract);
    if (count > NAMES_MAX)
        count = NAMES_MAX;
    for (uint32_t i = 0; i < count; i++) {
        struct kan_slice name =
            slice_head(contract_saga(contract, i).name, SOURCE_NAME_MAX);
        memcpy(texts[i], name.bytes, name.size);
        texts[i][name.size] = 0;
        names[i] = texts[i];
    }
    const char *nearest = suggest_nearest(call->params[0], names, count);
    call_fail_basic(
        call, ERROR_SAGA_NONE, "no contract has the saga '%.*s'%s%s%s",
        SLICE_ARG(call->params[0]), nearest ? "; did you mean '" : "",
        nearest ? nearest : "", nearest ? "'?" : "");
}

static void fail_undone(struct call *call, const struct saga_state *state)
{
    const struct problem problem = {.name = ERROR_SAGA_UNDONE,
                                    .kind = "saga-undone",
                                    .title =
                                        "The saga was refused, and is "
                                        "undone",
                                    .detail = state->reason};
    problem_begin(call, &problem);
    problem_text(call, "saga", state->saga);
    problem_text(call, "id", state->id);
    if (state->refused.size)
        problem_text(call, "refused", state->refused);
    json_append_name(&call->out, "state");
    saga_state_json(contract_of(call), state, &call->out);
    problem_answer(call, &problem);
}

static void fail_reused(struct call *call, const struct saga_call *saga)
{
    const struct problem problem = {.name = ERROR_KEY_REUSED,
                                    .kind = "idempotency-key-reused",
                                    .title = "The id was used for another saga",
                                    .detail = saga->text};
    problem_begin(call, &problem);
    problem_text(call, "saga", saga->saga);
    problem_answer(call, &problem);
}

static void fail_require(struct call *call, const struct saga_call *saga)
{
    const struct problem problem = {.name = ERROR_SAGA_REFUSED,
                                    .kind = "saga-require",
                                    .title = "The saga requires what is not so",
                                    .detail = saga->text};
    problem_begin(call, &problem);
    problem_text(call, "saga", saga->saga);
    problem_text(call, "require", saga->condition);
    json_append_name(&call->out, "values");
    buffer_append(&call->out, saga->values);
    problem_answer(call, &problem);
}

static void fail_err(struct call *call, enum kan_err err)
{
    if (err == KAN_NOMEM)
        call_overloaded(call);
    else if (err == KAN_CLOSED)
        call_fail_basic(call, ERROR_ENTITY_CLOSED,
                        "Kan is closing: what has begun goes on when it is "
                        "there again");
    else if (err == KAN_BUSY)
        call_fail_basic(call, ERROR_OVERLOADED,
                        "too many sagas are under way: nothing was done, try "
                        "again");
    else
        call_fail_basic(call, ERROR_SAGA_FAILED,
                        "%s; a saga that has begun goes on by itself",
                        kan_err_text(err));
}

/* The time is over: where it can be followed. */
static void answer_later(struct call *call, struct kan_slice id)
{
    struct buffer *out = &call->out;
    struct buffer *head = &call->text;
    buffer_clear(out);
    buffer_clear(head);
    buffer_append_text(out, "{\"saga\":");
    json_append_string(out, call->params[0]);
    json_append_name(out, "id");
    json_append_string(out, id);
    buffer_append_text(out, ",\"status\":\"running\"}");
    if (buffer_failed(out))
        call_overloaded(call);
    else
        call_answer(call, 202, "application/json", SLICE(""),
                    buffer_slice(out));
}

static void answer_state(struct call *call, const struct saga_state *state)
{
    saga_state_json(contract_of(call), state, &call->out);
    call_answer_json(call);
}

static void saga_done(struct saga_call *saga)
{
    struct call *call = saga->data;
    call->cancel = NULL;
    switch (saga->outcome) {
    case SAGA_ENDED:
        if (saga->read || saga->state.status == SAGA_DONE)
            answer_state(call, &saga->state);
        else
            fail_undone(call, &saga->state);
        break;
    case SAGA_NO_SAGA:
        fail_no_saga(call);
        break;
    case SAGA_NOTFOUND:
        call_fail_basic(call, ERROR_SAGA_NOT_FOUND,
                        "there is no %.*s '%.*s', or it ended long ago",
                        SLICE_ARG(call->params[0]), SLICE_ARG(saga->id));
        break;
    case SAGA_ID_INVALID:
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: '%.*s' is no id of a saga: it is 1 "
                        "to %d bytes of UTF-8",
                        SLICE_ARG(saga->id), SAGA_ID_MAX);
        break;
    case SAGA_BODY_INVALID:
        call_fail_basic(call, ERROR_MALFORMED, "%.*s", SLICE_ARG(saga->text));
        break;
    case SAGA_REFUSED:
        fail_require(call, saga);
        break;
    case SAGA_REUSED:
        fail_reused(call, saga);
        break;
    case SAGA_FAILED:
        if (saga->err == KAN_TIMEOUT && !saga->read)
            answer_later(call, saga->id);
        else
            fail_err(call, saga->err);
        break;
    }
}

/* --- requests ------------------------------------------------------------- */

static void saga_cancel(struct call *call)
{
    saga_call_cancel(&call->state.saga);
}

static void submit(struct call *call, struct saga_host *host)
{
    enum kan_err err = saga_call(host, &call->state.saga, saga_done);
    if (err != KAN_OK)
        fail_err(call, err);
    else
        call->cancel = saga_cancel;
}

/* The client's Idempotency-Key, or one that nobody else has. false: answered.
 */
static bool id_take(struct call *call, struct kan_slice *ret_id)
{
    struct env *env = call->serve->options.env;
    if (!entity_header_take(call, "Idempotency-Key", ret_id))
        return false;
    if (ret_id->bytes) {
        if (ret_id->size && ret_id->size <= SAGA_ID_MAX)
            return true;
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: an Idempotency-Key has 1 to %d bytes",
                        SAGA_ID_MAX);
        return false;
    }
    char *digits = call_alloc(call, ID_DIGITS);
    if (!digits) {
        call_overloaded(call);
        return false;
    }
    for (int i = 0; i < ID_DIGITS; i += 8) {
        uint64_t drawn = env_choose(env, UINT64_C(1) << 32);
        for (int k = 0; k < 8; k++)
            digits[i + k] = "0123456789abcdef"[drawn >> (4 * k) & 15];
    }
    *ret_id = kan_slice(digits, ID_DIGITS);
    return true;
}

void saga_begin_call(struct call *call)
{
    struct saga_call *saga = &call->state.saga;
    struct saga_host *host = host_find(call);
    uint64_t wait_ms = WAIT_DEFAULT_MS;
    if (!host)
        return;
    memset(saga, 0, sizeof(*saga));
    saga->data = call;
    saga->saga = call->params[0];
    saga->body = call->request->body;
    if (!entity_number_take(call, "waitMs", 0, DAY_MS, NULL, &wait_ms) ||
        !id_take(call, &saga->id))
        return;
    saga->deadline_ns =
        env_now(call->serve->options.env) + wait_ms * ENV_MS + 1;
    submit(call, host);
}

void saga_get_call(struct call *call)
{
    struct saga_call *saga = &call->state.saga;
    struct saga_host *host = host_find(call);
    if (!host)
        return;
    memset(saga, 0, sizeof(*saga));
    saga->data = call;
    saga->saga = call->params[0];
    saga->id = call->params[1];
    saga->read = true;
    submit(call, host);
}
