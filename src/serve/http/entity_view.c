/* entity_view.c - views over HTTP: of one entity, as of its newest event, and
 * over all of a type, as of a revision. */

#include "serve/http/entity.h"

enum
{
    DAY_MS = 24 * 3600 * 1000,
    LAG_WAIT_MS = 50 /* for a view that is not yet counted, when all that is
                      * asked is how far it is */
};

/* {"type":..., and what the second parameter is called. */
static void append_begin(struct buffer *out, struct kan_slice type,
                         const char *name, struct kan_slice value)
{
    buffer_append_text(out, "{\"type\":");
    json_append_string(out, type);
    json_append_name(out, name);
    json_append_string(out, value);
}

/* --- of one entity -------------------------------------------------------- */

static void fail_no_view(struct call *call, struct kan_slice view,
                         const char *hint)
{
    call_fail_basic(call, ERROR_VIEW_NOT_FOUND, "%.*s has no view '%.*s'%s",
                    SLICE_ARG(call->params[0]), SLICE_ARG(view), hint);
}

static void read_done(struct entity_read *read)
{
    struct call *call = read->data;
    struct buffer *out = &call->out;
    const struct entity_state *state = &read->state;
    struct kan_slice name = call->params[2];
    if (read->outcome != ENTITY_TAKEN) {
        entity_fail(call, read->outcome, read->err, read->text);
        return;
    }
    int32_t view = program_view_find(state->program, name);
    if (view < 0 || program_view(state->program, (uint32_t)view).over_all) {
        fail_no_view(call, name,
                     view < 0 ? " of one entity"
                              : " of one entity; that one is over all: GET "
                                "/kan/v1/views/{type}/{view}");
        return;
    }
    append_begin(out, read->type, "id", read->id);
    json_append_name(out, "view");
    json_append_string(out, name);
    buffer_print(out,
                 ",\"version\":%u,\"n\":%llu,\"revision\":%llu,\"values\":",
                 state->version, (unsigned long long)state->n,
                 (unsigned long long)state->revision);
    program_view_json(state->program, (uint32_t)view, state->state,
                      state->tally, out);
    buffer_append_byte(out, '}');
    call_answer_json(call);
}

/* A view is of the state now, in the version that it is in. false: answered,
 * another one was asked for. */
static bool now_alone(struct call *call)
{
    static const char *const names[] = {"version", "at"};
    bool header =
        http_request_header(call->request, "kan-version").bytes != NULL;
    const char *asked = header ? "kan-version" : NULL;
    struct kan_slice text;
    for (size_t i = 0; !asked && i < sizeof names / sizeof *names; i++) {
        enum kan_err err = call_query(call, names[i], &text);
        if (err != KAN_OK) {
            call_fail_query(call, err);
            return false;
        }
        if (text.bytes)
            asked = names[i];
    }
    if (asked)
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: a view of an entity is of its state "
                        "now, in the version that it is in: leave %s out; "
                        "GET /kan/v1/entities/%.*s/%.*s takes it",
                        asked, SLICE_ARG(call->params[0]),
                        SLICE_ARG(call->params[1]));
    return !asked;
}

void entity_view_call(struct call *call)
{
    struct entity_read *read = &call->state.entity;
    struct entity_host *host = entity_host_find(call);
    call->context = ERROR_VIEW_READ;
    if (!host)
        return;
    memset(read, 0, sizeof(*read));
    read->data = call;
    read->type = call->params[0];
    read->id = call->params[1];
    if (!now_alone(call))
        return;
    enum kan_err err = entity_read(host, read, read_done);
    if (err != KAN_OK)
        entity_fail(call, ENTITY_FAILED, err, SLICE(""));
}

/* --- over all ------------------------------------------------------------- */

/* Whether the view exists for each entity: then that is what to ask for. */
static bool view_of_one(const struct contract *contract, struct kan_slice type,
                        struct kan_slice view)
{
    int32_t number = contract_type_find(contract, type);
    const struct program *program =
        number < 0 ? NULL : contract_program(contract, (uint32_t)number, 0);
    return program && program_view_find(program, view) >= 0;
}

static void fail_view(struct call *call, const struct view_read *view)
{
    const struct serve_contracts *contracts = call->serve->options.contracts;
    if (view->err == KAN_NOTFOUND &&
        !entity_type_served(call->serve, view->type))
        entity_fail(call, ENTITY_NO_TYPE, KAN_OK, SLICE(""));
    else if (view->err == KAN_NOTFOUND)
        fail_no_view(call, view->view,
                     view_of_one(entity_host_contract(contracts->entities),
                                 view->type, view->view)
                         ? " over all; that one is of each entity: GET "
                           "/kan/v1/entities/{type}/{id}/views/{view}"
                         : " over all");
    else if (view->err == KAN_TIMEOUT)
        call_fail_basic(call, ERROR_VIEW_BEHIND,
                        "the view did not reach revision %llu in time",
                        (unsigned long long)view->at_least);
    else
        entity_fail(call, ENTITY_FAILED, view->err, SLICE(""));
}

static void view_done(struct view_read *view)
{
    struct call *call = view->data;
    struct buffer *out = &call->out;
    call->cancel = NULL;
    if (view->err != KAN_OK) {
        fail_view(call, view);
        return;
    }
    append_begin(out, view->type, "view", view->view);
    buffer_print(
        out, ",\"as_of\":%llu,\"values\":", (unsigned long long)view->as_of);
    buffer_append(out, view->json);
    buffer_append_byte(out, '}');
    call_answer_json(call);
}

static void view_cancel(struct call *call)
{
    view_read_cancel(&call->state.view);
}

void view_call(struct call *call)
{
    struct view_read *view = &call->state.view;
    struct entity_host *host = entity_host_find(call);
    uint64_t wait_ms = 0;
    bool waits;
    call->context = ERROR_VIEW_READ;
    if (!host)
        return;
    memset(view, 0, sizeof(*view));
    view->data = call;
    view->type = call->params[0];
    view->view = call->params[1];
    if (!entity_number_take(call, "at_least", 0, UINT64_MAX, NULL,
                            &view->at_least) ||
        !entity_number_take(call, "waitMs", 1, DAY_MS, &waits, &wait_ms))
        return;
    if (waits)
        view->deadline_ns =
            env_now(call->serve->options.env) + wait_ms * ENV_MS;
    view->err = KAN_NOTFOUND;
    struct view_host *views = call->serve->options.contracts->views;
    if (!views) {
        fail_view(call, view);
        return;
    }
    enum kan_err err = view_read(views, view, view_done);
    if (err != KAN_OK) {
        view->err = err;
        fail_view(call, view);
        return;
    }
    call->cancel = view_cancel;
    call->patient = view->at_least != 0;
    if (call->patient)
        call_watch_client(call);
}

/* --- how far behind ------------------------------------------------------- */

/* Types are asked one after the other, each by its first view over all. */
struct lags
{
    struct contract *contract; /* shared: a reload may come in between */
    uint32_t type;
    void (*done)(struct call *call);
};

static void lags_next(struct call *call);

static void lag_write(struct call *call, const struct view_read *view)
{
    struct buffer *out = &call->out;
    uint64_t now =
        engine_cursor(call->serve->options.contracts->engine).revision;
    buffer_print(
        out, "kan_view_lag_revisions{type=\"%.*s\"} %llu\n",
        SLICE_ARG(view->type),
        (unsigned long long)(now > view->as_of ? now - view->as_of : 0));
}

static void lag_done(struct view_read *view)
{
    struct call *call = view->data;
    call->cancel = NULL;
    if (view->err == KAN_OK)
        lag_write(call, view);
    lags_next(call);
}

/* Ask for the first view over all of the type. false: it has none, or cannot
 * be asked. */
static bool lag_ask(struct call *call, uint32_t type)
{
    const struct contract *contract = call->lags->contract;
    const struct program *program = contract_program(contract, type, 0);
    struct view_read *view = &call->state.view;
    uint32_t count = program_view_count(program);
    uint32_t number = 0;
    while (number < count && !program_view(program, number).over_all)
        number++;
    if (number == count)
        return false;
    memset(view, 0, sizeof(*view));
    view->data = call;
    view->type = contract_type_name(contract, type);
    view->view = program_view(program, number).name;
    view->deadline_ns =
        env_now(call->serve->options.env) + LAG_WAIT_MS * (uint64_t)ENV_MS;
    if (view_read(call->serve->options.contracts->views, view, lag_done) !=
        KAN_OK)
        return false;
    call->cancel = view_cancel;
    return true;
}

static void lags_next(struct call *call)
{
    struct lags *lags = call->lags;
    while (lags->type < contract_type_count(lags->contract))
        if (lag_ask(call, lags->type++))
            return;
    (void)contract_unref(lags->contract);
    lags->done(call);
}

void entity_view_lags(struct call *call, void (*done)(struct call *call))
{
    const struct serve_contracts *contracts = call->serve->options.contracts;
    struct lags *lags = contracts && contracts->views && contracts->engine
                            ? call_alloc(call, sizeof(*lags))
                            : NULL;
    if (!lags) {
        done(call);
        return;
    }
    lags->contract = contract_ref(entity_host_contract(contracts->entities));
    lags->type = 0;
    lags->done = done;
    call->lags = lags;
    buffer_append_text(&call->out,
                       "# HELP kan_view_lag_revisions Revisions of the store "
                       "that views over all have not counted yet.\n"
                       "# TYPE kan_view_lag_revisions gauge\n");
    lags_next(call);
}
