/* A bank to test sagas in. */

#include "block/saga/saga_place.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "engine/memory/memory.h"
#include "engine/sqlite/sqlite.h"

const char bank_text[] =
    "type account {\n"
    "    owner:   text(80) = \"\"\n"
    "    balance: int(0 .. 1_000_000_000) = 0\n"
    "    held:    int(0 .. 1_000_000_000) = 0\n"
    "    status:  unopened | open | frozen | closed\n"
    "    invariant fits: balance + held <= 1_000_000_000\n"
    "    step open(name: text(80)) when status == unopened {\n"
    "        require name != \"\" else \"an account needs an owner\"\n"
    "        owner  = name\n"
    "        status = open\n"
    "    }\n"
    "    step deposit(amount: int(1 .. 1_000_000)) when status == open {\n"
    "        balance += amount\n"
    "    }\n"
    "    step withdraw(amount: int(1 .. 1_000_000)) when status == open {\n"
    "        require amount <= balance else \"insufficient funds\"\n"
    "        balance -= amount\n"
    "    }\n"
    "    step freeze   when status == open   { status = frozen }\n"
    "    step unfreeze when status == frozen { status = open }\n"
    "    internal step hold(amount: int(1 .. 1_000_000)) when status == open "
    "{\n"
    "        require amount <= balance else \"insufficient funds\"\n"
    "        balance -= amount\n"
    "        held    += amount\n"
    "    }\n"
    "    internal step release(amount: int(1 .. 1_000_000)) when amount <= "
    "held "
    "{\n"
    "        held    -= amount\n"
    "        balance += amount\n"
    "    }\n"
    "    internal step settle(amount: int(1 .. 1_000_000)) when amount <= held "
    "{\n"
    "        held -= amount\n"
    "    }\n"
    "}\n"
    "saga transfer(from: account, to: account, amount: int(1 .. 2_000_000)) {\n"
    "    require from != to else \"the two accounts are one\"\n"
    "    from.hold(amount)    undo from.release(amount)\n"
    "    to.deposit(amount)\n"
    "    then from.settle(amount)\n"
    "}\n";

static void on_trouble(void *data, const char *text)
{
    struct place *place = data;

    snprintf(place->trouble, sizeof(place->trouble), "%s", text);
    place->troubles++;
}

static struct engine *engine_for(struct place *place)
{
    struct sqlite_options sqlite = {.path = "kan.db"};
    struct engine *engine;
    char why[256] = "";

    if (place->kind == PLACE_SQLITE) {
        if (engine_sqlite_open(place->env, &sqlite, why, sizeof(why), &engine))
            fail_msg("%s", why);
        return engine;
    }
    assert_int_equal(engine_memory_open(place->env, NULL, &engine), KAN_OK);
    if (place->kind == PLACE_FAULT)
        assert_int_equal(engine_fault_open(place->env, engine, NULL, &engine),
                         KAN_OK);
    return engine;
}

void place_begin(struct place *place, enum place_kind kind, uint64_t seed,
                 const char *text)
{
    struct buffer faults = BUFFER_INIT;

    memset(place, 0, sizeof(*place));
    place->live = mem_live();
    place->kind = kind;
    tape_init_seed(&place->tape, seed);
    assert_int_equal(sim_world_new(&place->tape, NULL, &place->world), KAN_OK);
    assert_int_equal(sim_node_new(place->world, "a", &place->env), KAN_OK);
    place->engine = engine_for(place);
    if (contract_load(kan_text("bank.kan"), kan_text(text), &place->contract,
                      &faults))
        fail_msg("%s", buffer_text(&faults));
    buffer_fini(&faults);
}

static void on_ready(void *data, enum kan_err err, const char *why)
{
    struct place *place = data;

    (void)why;
    place->ready_err = err;
    place->ready = true;
}

void sagas_open(struct place *place)
{
    struct saga_options saga = {.env = place->env,
                                .engine = place->engine,
                                .entities = place->entities,
                                .prefix = kan_text("saga||kan||"),
                                .waiting_max = place->waiting_max,
                                .data = place,
                                .trouble = on_trouble};
    struct buffer why = BUFFER_INIT;

    if (saga_host_new(&saga, &place->sagas, &why))
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
}

void hosts_open(struct place *place)
{
    struct entity_options entity = {.env = place->env,
                                    .engine = place->engine,
                                    .prefix = kan_text("entity||kan||"),
                                    .contract = place->contract,
                                    .data = place,
                                    .trouble = on_trouble};
    struct buffer why = BUFFER_INIT;

    place->ready = false;
    if (entity_host_new(&entity, on_ready, &place->entities, &why))
        fail_msg("%s", buffer_text(&why));
    run_until(place, &place->ready);
    assert_int_equal(place->ready_err, KAN_OK);
    buffer_fini(&why);
    sagas_open(place);
}

void place_open(struct place *place, enum place_kind kind, uint64_t seed)
{
    place_begin(place, kind, seed, bank_text);
    hosts_open(place);
}

static void set_flag(void *data)
{
    *(bool *)data = true;
}

void run_until(struct place *place, const bool *flag)
{
    while (!*flag)
        assert_true(sim_step(place->world));
}

void pass(struct place *place, uint64_t ms)
{
    sim_run(place->world, sim_now(place->world) + ms * ENV_MS);
}

/* A dead process runs apart from the world. */
static void wait_for(struct place *place, const bool *flag)
{
    while (!*flag)
        if (sim_dead(place->env))
            env_run(place->env, ENV_RUN_ONCE);
        else
            assert_true(sim_step(place->world));
}

void sagas_close(struct place *place)
{
    bool closed = place->sagas == NULL;

    if (place->sagas)
        saga_host_close(place->sagas, &closed, set_flag);
    wait_for(place, &closed);
    place->sagas = NULL;
}

void hosts_close(struct place *place)
{
    bool closed = place->entities == NULL;

    sagas_close(place);
    if (place->entities)
        entity_host_close(place->entities, &closed, set_flag);
    wait_for(place, &closed);
    place->entities = NULL;
}

void place_close(struct place *place)
{
    bool closed = false;

    hosts_close(place);
    engine_close(place->engine, &closed, set_flag);
    run_until(place, &closed);
    contract_unref(place->contract);
    env_free(place->env);
    sim_world_free(place->world);
    tape_fini(&place->tape);
    assert_int_equal(mem_live(), place->live);
}

void place_crash(struct place *place)
{
    bool closed = false;

    if (place->kind == PLACE_SQLITE)
        sim_crash(place->env);
    hosts_close(place);
    if (place->kind == PLACE_SQLITE) {
        engine_close(place->engine, &closed, set_flag);
        wait_for(place, &closed);
        env_free(place->env);
        assert_int_equal(sim_restart(place->world, "a", &place->env), KAN_OK);
        place->engine = engine_for(place);
    }
    /* The entities' opening is not what is tested. */
    struct engine_fault_options faults = {0};
    if (place->kind == PLACE_FAULT) {
        faults = *engine_fault_options(place->engine);
        *engine_fault_options(place->engine) = (struct engine_fault_options){0};
    }
    hosts_open(place);
    if (place->kind == PLACE_FAULT)
        *engine_fault_options(place->engine) = faults;
}

/* --- steps ---------------------------------------------------------------- */

struct stepped
{
    struct entity_call call;
    bool done;
    enum entity_outcome outcome;
};

static void on_call(struct entity_call *call)
{
    struct stepped *stepped = call->data;

    stepped->done = true;
    stepped->outcome = call->outcome;
}

enum entity_outcome take(struct place *place, const char *id, const char *step,
                         const char *body)
{
    struct stepped stepped = {.call = {.type = kan_text("account"),
                                       .id = kan_text(id),
                                       .step = kan_text(step),
                                       .body = kan_text(body)}};

    stepped.call.data = &stepped;
    assert_int_equal(entity_call(place->entities, &stepped.call, on_call),
                     KAN_OK);
    run_until(place, &stepped.done);
    return stepped.outcome;
}

void took(struct place *place, const char *id, const char *step,
          const char *body)
{
    assert_int_equal(take(place, id, step, body), ENTITY_TAKEN);
}

void account(struct place *place, const char *id, int64_t money)
{
    char body[64];

    took(place, id, "open", "{\"name\":\"somebody\"}");
    for (; money > 0; money -= 1000000) {
        snprintf(body, sizeof(body), "{\"amount\":%lld}",
                 (long long)(money > 1000000 ? 1000000 : money));
        took(place, id, "deposit", body);
    }
}

struct seen
{
    struct entity_read read;
    bool done;
    char json[1024];
};

static void on_read(struct entity_read *read)
{
    struct seen *seen = read->data;
    struct buffer json = BUFFER_INIT;

    seen->done = true;
    if (read->outcome == ENTITY_TAKEN)
        entity_state_json(read->type, read->id, &read->state, &json);
    snprintf(seen->json, sizeof(seen->json), "%s", buffer_text(&json));
    buffer_fini(&json);
}

int64_t number_of(struct place *place, const char *id, const char *field)
{
    struct seen seen = {
        .read = {.type = kan_text("account"), .id = kan_text(id)}};
    char name[64];
    const char *found;

    seen.read.data = &seen;
    assert_int_equal(entity_read(place->entities, &seen.read, on_read), KAN_OK);
    run_until(place, &seen.done);
    snprintf(name, sizeof(name), "\"%s\":", field);
    found = strstr(seen.json, name);
    return found ? strtoll(found + strlen(name), NULL, 10) : -1;
}

void has(struct place *place, const char *id, int64_t balance, int64_t held)
{
    assert_int_equal(number_of(place, id, "balance"), balance);
    assert_int_equal(number_of(place, id, "held"), held);
}

/* --- sagas ---------------------------------------------------------------- */

void to_ask(struct asked *asked, const char *id, const char *body)
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
    struct asked *asked = call->data;
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

enum kan_err ask_try(struct place *place, struct asked *asked)
{
    enum kan_err err;

    asked->call.data = asked;
    asked->contract = place->contract;
    err = saga_call(place->sagas, &asked->call, on_saga);
    asked->submitted = err == KAN_OK;
    return err;
}

void ask_on(struct place *place, struct asked *asked)
{
    assert_int_equal(ask_try(place, asked), KAN_OK);
}

struct asked transfer(struct place *place, const char *id, const char *body)
{
    struct asked asked;

    to_ask(&asked, id, body);
    ask_on(place, &asked);
    run_until(place, &asked.done);
    return asked;
}

struct asked look(struct place *place, const char *id)
{
    struct asked asked;

    to_ask(&asked, id, NULL);
    asked.call.read = true;
    ask_on(place, &asked);
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
            entity_events(place->entities, &auditing->events, on_events),
            KAN_OK);
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

uint64_t revision_now(struct place *place)
{
    return engine_cursor(place->engine).revision;
}
