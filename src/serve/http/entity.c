/* entity.c - entities over HTTP: their steps, their states, lists of them, and
 * how they end. The rules are the entity block's.
 *
 * What is wrong with a request is an error as Dapr words it; what the entity,
 * its past or its version forbids is a problem document (problem.h). */

#include "serve/http/entity.h"

#include "base/alloc.h"
#include "base/number.h"

enum
{
    COUNTED_MAX = 256, /* types, over all reloads; a label each */
    OUTCOMES = ENTITY_FAILED + 1
};

/* --- what is served ------------------------------------------------------- */

static const struct contract *contract_of(const struct serve *serve)
{
    const struct serve_contracts *contracts = serve->options.contracts;
    return contracts ? entity_host_contract(contracts->entities) : NULL;
}

bool entity_type_served(const struct serve *serve, struct kan_slice type)
{
    const struct contract *contract = contract_of(serve);
    return contract && contract_type_find(contract, type) >= 0;
}

struct entity_host *entity_host_find(struct call *call)
{
    const struct serve_contracts *contracts = call->serve->options.contracts;
    if (contracts)
        return contracts->entities;
    call_fail_basic(call, ERROR_CONTRACT_NONE,
                    "no contract is served here: 'kan run FILE.kan' serves "
                    "one");
    return NULL;
}

/* --- parameters ----------------------------------------------------------- */

bool entity_number_take(struct call *call, const char *name, uint64_t least,
                        uint64_t most, bool *ret_given, uint64_t *number)
{
    struct kan_slice text;
    uint64_t given;
    enum kan_err err = call_query(call, name, &text);
    if (err != KAN_OK) {
        call_fail_query(call, err);
        return false;
    }
    if (ret_given)
        *ret_given = text.bytes != NULL;
    if (!text.bytes)
        return true;
    if (number_u64(text, &given) != KAN_OK || given < least || given > most) {
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: %s must be a number from %llu to "
                        "%llu, not '%.*s'",
                        name, (unsigned long long)least,
                        (unsigned long long)most, SLICE_ARG(text));
        return false;
    }
    *number = given;
    return true;
}

bool entity_version_take(struct call *call, uint32_t *ret_version)
{
    struct kan_slice text = http_request_header(call->request, "kan-version");
    uint64_t version = 0;
    if (!text.bytes) {
        if (!entity_number_take(call, "version", 1, UINT32_MAX, NULL, &version))
            return false;
    } else if (number_u64(text, &version) != KAN_OK || version == 0 ||
               version > UINT32_MAX) {
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: kan-version must be a version such "
                        "as 1, not '%.*s'",
                        SLICE_ARG(text));
        return false;
    }
    *ret_version = (uint32_t)version;
    return true;
}

bool entity_header_take(struct call *call, const char *name,
                        struct kan_slice *ret_value)
{
    const struct http_request *request = call->request;
    uint32_t count = 0;
    for (uint32_t i = 0; i < request->header_count; i++)
        count += slice_equal_nocase(request->headers[i].name, kan_text(name));
    *ret_value = http_request_header(request, name);
    if (count > 1)
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: there are %u headers %s: send one",
                        count, name);
    return count <= 1;
}

/* If-Match: n, as a tag in quotes or bare. false: answered. */
static bool match_take(struct call *call, bool *ret_given, uint64_t *ret_n)
{
    struct kan_slice text;
    struct kan_slice bare;
    if (!entity_header_take(call, "If-Match", &text))
        return false;
    bare = text;
    *ret_given = text.bytes != NULL;
    if (!text.bytes)
        return true;
    if (bare.size >= 2 && slice_at(bare, 0) == '"' &&
        slice_at(bare, bare.size - 1) == '"')
        bare = slice_head(slice_skip(bare, 1), bare.size - 2);
    if (number_u64(bare, ret_n) == KAN_OK)
        return true;
    call_fail_basic(call, ERROR_BAD_REQUEST,
                    "invalid request: If-Match must be the n of the entity, as "
                    "\"3\" (\"0\": nothing has happened to it yet), not '%.*s'",
                    SLICE_ARG(text));
    return false;
}

/* --- counting ------------------------------------------------------------- */

/* One type. Names are those of contracts: bounded, unlike those of a user. */
struct entity_counts
{
    struct entity_counts *next;
    uint64_t outcomes[OUTCOMES];
    struct kan_slice name; /* behind the struct */
};

static const char *const outcome_names[OUTCOMES] = {
    [ENTITY_TAKEN] = "taken",           [ENTITY_NO_TYPE] = "no_type",
    [ENTITY_NO_STEP] = "no_step",       [ENTITY_GONE] = "gone",
    [ENTITY_NO_VERSION] = "no_version", [ENTITY_ID_ILLEGAL] = "invalid",
    [ENTITY_BODY_INVALID] = "invalid",  [ENTITY_REFUSED] = "refused",
    [ENTITY_STALE] = "stale",           [ENTITY_KEY_INVALID] = "invalid",
    [ENTITY_KEY_REUSED] = "key_reused", [ENTITY_NOTFOUND] = "not_found",
    [ENTITY_ERASED_PAST] = "erased",    [ENTITY_GUARDED] = "guarded",
    [ENTITY_FAILED] = "failed",
};

static void count(struct serve *serve, struct kan_slice type,
                  enum entity_outcome outcome)
{
    struct entity_counts **place = &serve->entity_counts;
    uint32_t length = 0;
    for (; *place; place = &(*place)->next, length++) {
        if (slice_equal((*place)->name, type)) {
            (*place)->outcomes[outcome]++;
            return;
        }
    }
    if (outcome == ENTITY_NO_TYPE || length == COUNTED_MAX)
        return;
    struct entity_counts *made = mem_zalloc(sizeof(*made) + type.size);
    if (!made)
        return;
    memcpy(made + 1, type.bytes, type.size);
    made->name = kan_slice(made + 1, type.size);
    made->outcomes[outcome] = 1;
    *place = made;
}

/* Several outcomes share the label "invalid"; the first speaks for all. */
static uint64_t outcome_sum(const struct entity_counts *counts, int outcome)
{
    uint64_t sum = 0;
    for (int i = 0; i < OUTCOMES; i++) {
        if (strcmp(outcome_names[i], outcome_names[outcome]) != 0)
            continue;
        if (i < outcome)
            return 0;
        sum += counts->outcomes[i];
    }
    return sum;
}

void entity_counts_write(struct buffer *out, const struct serve *serve)
{
    const struct entity_counts *counts = serve->entity_counts;
    for (; counts; counts = counts->next)
        for (int i = 0; i < OUTCOMES; i++) {
            uint64_t sum = outcome_sum(counts, i);
            if (sum)
                buffer_print(out,
                             "kan_entity_requests_total{type=\"%.*s\","
                             "outcome=\"%s\"} %llu\n",
                             SLICE_ARG(counts->name), outcome_names[i],
                             (unsigned long long)sum);
        }
}

void entity_counts_free(struct serve *serve)
{
    while (serve->entity_counts) {
        struct entity_counts *first = serve->entity_counts;
        serve->entity_counts = first->next;
        mem_free(first);
    }
}

/* --- steps and states ----------------------------------------------------- */

static void answer_state(struct call *call, const struct entity_state *state,
                         const char *more)
{
    struct buffer *head = &call->text;
    buffer_clear(head);
    buffer_clear(&call->out);
    buffer_append(head, SLICE("ETag: \""));
    buffer_append_u64(head, state->n);
    buffer_append(head, SLICE("\"\r\nkan-version: "));
    buffer_append_u64(head, state->version);
    buffer_append(head, SLICE("\r\n"));
    buffer_append_text(head, more);
    entity_state_json(call->params[0], call->params[1], state, &call->out);
    if (buffer_failed(head) || buffer_failed(&call->out))
        call_overloaded(call);
    else
        call_answer(call, 200, "application/json", buffer_slice(head),
                    buffer_slice(&call->out));
}

static void step_done(struct entity_call *step)
{
    struct call *call = step->data;
    call->cancel = NULL;
    count(call->serve, step->type, step->outcome);
    switch (step->outcome) {
    case ENTITY_TAKEN:
        answer_state(call, &step->after,
                     step->replayed ? "kan-replayed: true\r\n" : "");
        break;
    case ENTITY_REFUSED:
        if (step->unfit)
            entity_fail_unfit(call, step->step, step->unfit, &step->refusal,
                              step->values, step->text);
        else
            entity_fail_refused(call, step);
        break;
    case ENTITY_STALE:
        entity_fail_stale(call, step->after.n);
        break;
    default:
        entity_fail(call, step->outcome, step->err, step->text);
        break;
    }
}

static void step_cancel(struct call *call)
{
    entity_call_cancel(&call->state.step);
}

void entity_step_call(struct call *call)
{
    struct entity_call *step = &call->state.step;
    const struct http_request *request = call->request;
    call->context = ERROR_ENTITY_STEP;
    if (!slice_equal(request->method, SLICE("POST")) &&
        !slice_equal(request->method, SLICE("PUT"))) {
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: a step is taken with POST or PUT; "
                        "GET /kan/v1/entities/%.*s/%.*s reads the entity",
                        SLICE_ARG(call->params[0]), SLICE_ARG(call->params[1]));
        return;
    }
    memset(step, 0, sizeof(*step));
    step->data = call;
    step->type = call->params[0];
    step->id = call->params[1];
    step->step = call->params[2];
    step->body = request->body;
    if (!entity_header_take(call, "Idempotency-Key", &step->key) ||
        !entity_version_take(call, &step->version) ||
        !match_take(call, &step->has_if_match, &step->if_match))
        return;
    enum kan_err err =
        entity_call(call->serve->options.contracts->entities, step, step_done);
    if (err != KAN_OK)
        entity_fail(call, ENTITY_FAILED, err, SLICE(""));
    else
        call->cancel = step_cancel;
}

static void get_done(struct entity_read *read)
{
    struct call *call = read->data;
    if (read->outcome == ENTITY_TAKEN)
        answer_state(call, &read->state, "");
    else
        entity_fail(call, read->outcome, read->err, read->text);
}

void entity_get_call(struct call *call)
{
    struct entity_read *read = &call->state.entity;
    struct entity_host *host = entity_host_find(call);
    call->context = ERROR_ENTITY_READ;
    if (!host)
        return;
    memset(read, 0, sizeof(*read));
    read->data = call;
    read->type = call->params[0];
    read->id = call->params[1];
    if (!entity_version_take(call, &read->version) ||
        !entity_number_take(call, "at", 0, UINT64_MAX, &read->has_at,
                            &read->at))
        return;
    enum kan_err err = entity_read(host, read, get_done);
    if (err != KAN_OK)
        entity_fail(call, ENTITY_FAILED, err, SLICE(""));
}

/* --- lists ---------------------------------------------------------------- */

static void list_done(struct entity_list *list)
{
    struct call *call = list->data;
    struct buffer *out = &call->out;
    if (list->outcome != ENTITY_TAKEN) {
        entity_fail(call, list->outcome, list->err, SLICE(""));
        return;
    }
    buffer_append_text(out, "{\"entities\":[");
    for (uint32_t i = 0; i < list->item_count; i++) {
        buffer_append_text(out, i ? ",{\"id\":" : "{\"id\":");
        json_append_string(out, list->items[i].id);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
    if (list->more && list->item_count) {
        json_append_name(out, "after");
        json_append_string(out, list->items[list->item_count - 1].id);
    }
    buffer_append_byte(out, '}');
    call_answer_json(call);
}

void entity_list_call(struct call *call)
{
    struct entity_list *list = &call->state.entities;
    struct entity_host *host = entity_host_find(call);
    uint64_t limit = ENTITY_PAGE_DEFAULT;
    call->context = ERROR_ENTITY_READ;
    if (!host)
        return;
    memset(list, 0, sizeof(*list));
    list->data = call;
    list->type = call->params[0];
    enum kan_err err = call_query(call, "prefix", &list->prefix);
    if (err == KAN_OK)
        err = call_query(call, "after", &list->after);
    if (err != KAN_OK) {
        call_fail_query(call, err);
        return;
    }
    if (!entity_number_take(call, "limit", 1, ENTITY_PAGE_MAX, NULL, &limit))
        return;
    list->limit = (uint32_t)limit;
    err = entity_list(host, list, list_done);
    if (err != KAN_OK)
        entity_fail(call, ENTITY_FAILED, err, SLICE(""));
}

/* --- delete, erase, upgrade ----------------------------------------------- */

static void change_done(struct entity_change *change)
{
    struct call *call = change->data;
    struct buffer *out = &call->out;
    switch (change->outcome) {
    case ENTITY_TAKEN:
        break;
    case ENTITY_STALE:
        entity_fail_stale(call, change->n);
        return;
    case ENTITY_REFUSED:
        entity_fail_unfit(call, SLICE(""), change->unfit, &change->refusal,
                          change->values, change->text);
        return;
    default:
        entity_fail(call, change->outcome, change->err, change->text);
        return;
    }
    buffer_append_text(out, "{\"type\":");
    json_append_string(out, change->type);
    json_append_name(out, "id");
    json_append_string(out, change->id);
    buffer_print(out, ",\"n\":%llu", (unsigned long long)change->n);
    if (change->kind == ENTITY_UPGRADE && change->version)
        buffer_print(out, ",\"version\":%u", change->version);
    buffer_append_byte(out, '}');
    call_answer_json(call);
}

static void change_begin(struct call *call, enum entity_change_kind kind,
                         uint32_t version)
{
    struct entity_change *change = &call->state.change;
    struct entity_host *host = entity_host_find(call);
    call->context = ERROR_ENTITY_STEP;
    if (!host)
        return;
    memset(change, 0, sizeof(*change));
    change->data = call;
    change->kind = kind;
    change->type = call->params[0];
    change->id = call->params[1];
    change->version = version;
    if (!match_take(call, &change->has_if_match, &change->if_match))
        return;
    enum kan_err err = entity_change(host, change, change_done);
    if (err != KAN_OK)
        entity_fail(call, ENTITY_FAILED, err, SLICE(""));
}

void entity_delete_call(struct call *call)
{
    struct kan_slice text;
    bool erase = false;
    enum kan_err err = call_query(call, "erase", &text);
    if (err != KAN_OK) {
        call_fail_query(call, err);
        return;
    }
    if (text.bytes && number_bool(text, &erase) != KAN_OK) {
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: erase must be true or false, not "
                        "'%.*s'",
                        SLICE_ARG(text));
        return;
    }
    change_begin(call, erase ? ENTITY_ERASE : ENTITY_DELETE, 0);
}

/* {"version":2}; an empty body means the newest. false: answered. */
static bool upgrade_body(struct call *call, uint32_t *ret_version)
{
    *ret_version = 0;
    if (!call->request->body.size)
        return true;
    enum kan_err err = json_parse(call->request->body, NULL, &call->tree);
    if (err == KAN_NOMEM || buffer_failed(&call->tree.message)) {
        call_overloaded(call);
        return false;
    }
    if (err != KAN_OK) {
        call_fail_basic(call, ERROR_MALFORMED, "%s",
                        buffer_text(&call->tree.message));
        return false;
    }
    int64_t version = 0;
    const struct json_node *member =
        call->tree.nodes[0].kind == JSON_OBJECT
            ? json_member(&call->tree, call->tree.nodes, "version")
            : NULL;
    if (!member || json_integer(member, &version) != KAN_OK || version < 1 ||
        version > UINT32_MAX) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "version: the body must be an object with a version, "
                        "as {\"version\":2}");
        return false;
    }
    *ret_version = (uint32_t)version;
    return true;
}

void entity_upgrade_call(struct call *call)
{
    uint32_t version;
    if (upgrade_body(call, &version))
        change_begin(call, ENTITY_UPGRADE, version);
}
