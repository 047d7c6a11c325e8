/* A bank to test sagas in. */

#include "block/saga/saga_place.h"

#include <stdio.h>
#include <stdlib.h>

#include "contract/program/bank_sample.h"

const char bank_text[] =
    "type account {\n" BANK_MEMBERS BANK_STEPS BANK_FREEZE BANK_HOLD
    "}\n"
    "saga transfer(from: account, to: account, amount: int(1 .. 2_000_000)) "
    "{\n" BANK_TRANSFER "}\n";

uint32_t sagas_waiting_max;

void sagas_open(struct place *place)
{
    struct saga_options saga = {.env = place->env,
                                .engine = place->engine,
                                .entities = place->host,
                                .prefix = kan_text("saga||kan||"),
                                .waiting_max = sagas_waiting_max,
                                .data = place,
                                .trouble = place_trouble};
    struct saga_host *sagas;
    struct buffer why = BUFFER_INIT;

    if (saga_host_new(&saga, &sagas, &why))
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
    place->above = sagas;
}

void sagas_close(struct place *place)
{
    bool closed = false;

    saga_host_close(place->above, &closed, set_flag);
    run_closed(place, &closed);
    place->above = NULL;
}

void bank_open_text(struct place *place, enum place_kind kind, const char *text,
                    uint64_t seed)
{
    place_begin(place, kind, text, seed);
    place->options.event = NULL;
    place->above_open = sagas_open;
    place->above_close = sagas_close;
    place_host(place);
    assert_int_equal(place->ready, KAN_OK);
}

void bank_open(struct place *place, enum place_kind kind, uint64_t seed)
{
    bank_open_text(place, kind, bank_text, seed);
}

/* --- accounts ------------------------------------------------------------- */

enum
{
    REF_MAX = 64
};

static const char *ref_of(const char *id, char *out)
{
    snprintf(out, REF_MAX, "account/%s", id);
    return out;
}

void account(struct place *place, const char *id, int64_t money)
{
    char ref[REF_MAX];
    char body[64];

    took(place, ref_of(id, ref), "open", "{\"name\":\"somebody\"}");
    for (; money > 0; money -= 1000000) {
        snprintf(body, sizeof(body), "{\"amount\":%lld}",
                 (long long)(money > 1000000 ? 1000000 : money));
        took(place, ref, "deposit", body);
    }
}

int64_t number_of(struct place *place, const char *id, const char *field)
{
    char ref[REF_MAX];

    return number_in(look(place, ref_of(id, ref)).state, field);
}

void has(struct place *place, const char *id, int64_t balance, int64_t held)
{
    assert_int_equal(number_of(place, id, "balance"), balance);
    assert_int_equal(number_of(place, id, "held"), held);
}

/* --- sagas ---------------------------------------------------------------- */

void saga_to_ask(struct saga_asked *asked, const char *id, const char *body)
{
    memset(asked, 0, sizeof(*asked));
    snprintf(asked->id, sizeof(asked->id), "%s", id ? id : "");
    snprintf(asked->body, sizeof(asked->body), "%s", body ? body : "");
    asked->call.saga = kan_text("transfer");
    asked->call.id = kan_text(asked->id);
    asked->call.body = kan_text(asked->body);
}

static void keep(char *to, size_t size, struct kan_slice text)
{
    snprintf(to, size, "%.*s", SLICE_ARG(text));
}

static void on_saga(struct saga_call *call)
{
    struct saga_asked *asked = call->data;
    struct buffer json = BUFFER_INIT;

    /* K-SAGA-6: never inside the call, and never twice. */
    assert_true(asked->submitted);
    assert_false(asked->done);
    asked->done = true;
    asked->outcome = call->outcome;
    asked->err = call->err;
    keep(asked->text, sizeof(asked->text), call->text);
    if (call->outcome != SAGA_ENDED)
        return;
    asked->status = call->state.status;
    asked->revision = call->state.revision;
    keep(asked->reason, sizeof(asked->reason), call->state.reason);
    saga_state_json(asked->contract, &call->state, &json);
    keep(asked->json, sizeof(asked->json), buffer_slice(&json));
    buffer_fini(&json);
}

enum kan_err saga_ask_try(struct place *place, struct saga_asked *asked)
{
    enum kan_err err;

    asked->call.data = asked;
    asked->contract = place->contract;
    err = saga_call(place->above, &asked->call, on_saga);
    asked->submitted = err == KAN_OK;
    return err;
}

void saga_ask(struct place *place, struct saga_asked *asked)
{
    assert_int_equal(saga_ask_try(place, asked), KAN_OK);
}

struct saga_asked transfer(struct place *place, const char *id,
                           const char *body)
{
    struct saga_asked asked;

    saga_to_ask(&asked, id, body);
    saga_ask(place, &asked);
    run_until(place, &asked.done);
    return asked;
}

struct saga_asked saga_look(struct place *place, const char *id)
{
    struct saga_asked asked;

    saga_to_ask(&asked, id, NULL);
    asked.call.read = true;
    saga_ask(place, &asked);
    run_until(place, &asked.done);
    return asked;
}

/* --- the audit ------------------------------------------------------------ */

enum
{
    AUDIT_MAX = 65536
};

struct audited
{
    uint64_t revision;
    int64_t balance; /* the change of */
    int64_t held;
    int64_t under_way; /* deposited to a receiver, and not yet settled */
};

struct auditing
{
    struct entity_events events;
    bool done;
    bool more;
    uint64_t last;
    struct audited *rows;
    uint32_t count;
    uint64_t since;
};

static void add_row(struct auditing *auditing, const struct entity_event *event)
{
    struct program_step step;
    struct audited row = {.revision = event->revision};
    int64_t amount = 0;

    if (event->kind != ENTITY_STEP)
        return;
    step = program_step(event->program, event->step);
    if (program_type(event->program, step.arguments)->size == sizeof(amount))
        memcpy(&amount, event->arguments, sizeof(amount));
    if (slice_equal(step.name, SLICE("deposit"))) {
        row.balance = amount;
        row.under_way = event->revision > auditing->since ? amount : 0;
    } else if (slice_equal(step.name, SLICE("withdraw"))) {
        row.balance = -amount;
    } else if (slice_equal(step.name, SLICE("hold"))) {
        row.balance = -amount;
        row.held = amount;
    } else if (slice_equal(step.name, SLICE("release"))) {
        row.balance = amount;
        row.held = -amount;
    } else if (slice_equal(step.name, SLICE("settle"))) {
        row.held = -amount;
        row.under_way = -amount;
    }
    assert_true(auditing->count < AUDIT_MAX);
    auditing->rows[auditing->count] = row;
    auditing->count++;
}

static void on_events(struct entity_events *events)
{
    struct auditing *auditing = events->data;

    auditing->done = true;
    auditing->more = events->more;
    auditing->last = events->last;
    for (uint32_t i = 0; i < events->item_count; i++)
        add_row(auditing, &events->items[i]);
}

static int by_revision(const void *a, const void *b)
{
    const struct audited *left = a;
    const struct audited *right = b;

    return (left->revision > right->revision) -
           (left->revision < right->revision);
}

static void gather(struct place *place, struct auditing *auditing,
                   const char *id)
{
    auditing->last = 0;
    do {
        memset(&auditing->events, 0, sizeof(auditing->events));
        auditing->done = false;
        auditing->events.data = auditing;
        auditing->events.type = kan_text("account");
        auditing->events.id = kan_text(id);
        auditing->events.after = auditing->last;
        auditing->events.limit = ENTITY_PAGE_MAX;
        assert_int_equal(
            entity_events(place->host, &auditing->events, on_events), KAN_OK);
        run_until(place, &auditing->done);
    } while (auditing->more);
}

void audit(struct place *place, const char *const *ids, uint32_t count,
           uint64_t since)
{
    struct auditing auditing = {.since = since};
    int64_t sum = 0;
    int64_t start = -1;
    int64_t under_way = 0;

    auditing.rows = malloc(AUDIT_MAX * sizeof(*auditing.rows));
    assert_non_null(auditing.rows);
    for (uint32_t i = 0; i < count; i++)
        gather(place, &auditing, ids[i]);
    qsort(auditing.rows, auditing.count, sizeof(*auditing.rows), by_revision);
    for (uint32_t i = 0; i < auditing.count; i++) {
        const struct audited *row = &auditing.rows[i];
        if (row->revision > since && start < 0)
            start = sum;
        sum += row->balance + row->held;
        under_way += row->under_way;
        if (row->revision <= since)
            continue;
        /* K-SAGA-5: at every revision. */
        assert_true(under_way >= 0);
        assert_int_equal(sum - under_way, start);
    }
    free(auditing.rows);
}
