/* Accounts to test views in. */

#include "block/view/view_place.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "engine/memory/memory.h"
#include "engine/sqlite/sqlite.h"

const char bank_text[] =
    "type account {\n"
    "    owner:   text(80) = \"\"\n"
    "    balance: int(0 .. 1_000_000) = 0\n"
    "    status:  unopened | open | frozen\n"
    "    step open(name: text(80)) when status == unopened {\n"
    "        owner  = name\n"
    "        status = open\n"
    "    }\n"
    "    step deposit(amount: int(1 .. 1000)) when status == open {\n"
    "        balance += amount\n"
    "    }\n"
    "    step withdraw(amount: int(1 .. 1000)) when status == open {\n"
    "        require amount <= balance else \"insufficient funds\"\n"
    "        balance -= amount\n"
    "    }\n"
    "    step freeze   when status == open   { status = frozen }\n"
    "    step unfreeze when status == frozen { status = open }\n"
    "    view bank over all {\n"
    "        accounts: count(open)\n"
    "        money:    sum(balance)\n"
    "        live:     count(status == open)\n"
    "        poorest:  min(balance)\n"
    "        richest:  max(balance)\n"
    "        deposits: count(deposit)\n"
    "        paid_in:  sum(deposit.amount)\n"
    "        least:    min(deposit.amount)\n"
    "        most:     max(deposit.amount)\n"
    "        newest:   last(deposit.amount)\n"
    "        owner:    last(open.name)\n"
    "        net:      sum(deposit.amount) - sum(withdraw.amount)\n"
    "    }\n"
    "}\n";

uint64_t place_feed_bytes_max;
uint32_t place_ops_max;

static void on_trouble(void *data, const char *text)
{
    struct place *place = data;

    snprintf(place->trouble, sizeof(place->trouble), "%s", text);
    place->troubles++;
}

static struct engine *engine_for(struct place *place)
{
    struct sqlite_options sqlite = {.path = "kan.db"};
    struct memory_options memory = {.feed_bytes_max = place_feed_bytes_max};
    struct engine_promises profile = memory_promises;
    struct engine *engine;
    char why[256] = "";

    if (place_ops_max)
        profile.ops_max = place_ops_max;
    memory.profile = &profile;

    if (place->kind == PLACE_SQLITE) {
        if (engine_sqlite_open(place->env, &sqlite, why, sizeof(why), &engine))
            fail_msg("%s", why);
        return engine;
    }
    assert_int_equal(engine_memory_open(place->env, &memory, &engine), KAN_OK);
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

void views_open(struct place *place)
{
    struct view_options view = {.env = place->env,
                                .engine = place->engine,
                                .entities = place->entities,
                                .prefix = kan_text("view||kan||"),
                                .keep_ms = place->keep_ms,
                                .data = place,
                                .trouble = on_trouble};
    struct buffer why = BUFFER_INIT;

    if (view_host_new(&view, &place->views, &why))
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
    views_open(place);
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

void views_close(struct place *place)
{
    bool closed = place->views == NULL;

    if (place->views)
        view_host_close(place->views, &closed, set_flag);
    wait_for(place, &closed);
    place->views = NULL;
}

void hosts_close(struct place *place)
{
    bool closed = false;

    views_close(place);
    if (place->entities)
        entity_host_close(place->entities, &closed, set_flag);
    else
        closed = true;
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
    hosts_open(place);
}

void place_reload(struct place *place, const char *text)
{
    struct contract *contract;
    struct buffer faults = BUFFER_INIT;

    if (contract_load(kan_text("bank.kan"), kan_text(text), &contract, &faults))
        fail_msg("%s", buffer_text(&faults));
    buffer_fini(&faults);
    place->ready = false;
    assert_int_equal(entity_host_reload(place->entities, contract, on_ready),
                     KAN_OK);
    run_until(place, &place->ready);
    assert_int_equal(place->ready_err, KAN_OK);
    contract_unref(place->contract);
    place->contract = contract;
    view_host_reloaded(place->views);
}

/* --- steps ---------------------------------------------------------------- */

struct stepped
{
    struct entity_call call;
    bool done;
    enum entity_outcome outcome;
    uint64_t revision;
};

static void on_call(struct entity_call *call)
{
    struct stepped *stepped = call->data;

    stepped->done = true;
    stepped->outcome = call->outcome;
    if (call->outcome == ENTITY_TAKEN)
        stepped->revision = call->after.revision;
}

enum entity_outcome take(struct place *place, const char *id, const char *step,
                         const char *body, uint64_t *ret_revision)
{
    struct stepped stepped = {.call = {.type = kan_text("account"),
                                       .id = kan_text(id),
                                       .step = kan_text(step),
                                       .body = kan_text(body)}};

    stepped.call.data = &stepped;
    assert_int_equal(entity_call(place->entities, &stepped.call, on_call),
                     KAN_OK);
    run_until(place, &stepped.done);
    if (ret_revision)
        *ret_revision = stepped.revision;
    return stepped.outcome;
}

void took(struct place *place, const char *id, const char *step,
          const char *body)
{
    assert_int_equal(take(place, id, step, body, NULL), ENTITY_TAKEN);
}

struct changed
{
    struct entity_change change;
    bool done;
    enum entity_outcome outcome;
};

static void on_change(struct entity_change *call)
{
    struct changed *changed = call->data;

    changed->done = true;
    changed->outcome = call->outcome;
}

enum entity_outcome change(struct place *place, const char *id,
                           enum entity_change_kind kind)
{
    struct changed changed = {.change = {.type = kan_text("account"),
                                         .id = kan_text(id),
                                         .kind = kind}};

    changed.change.data = &changed;
    assert_int_equal(entity_change(place->entities, &changed.change, on_change),
                     KAN_OK);
    run_until(place, &changed.done);
    return changed.outcome;
}

uint64_t revision_now(struct place *place)
{
    return engine_cursor(place->engine).revision;
}

/* --- reads ---------------------------------------------------------------- */

static void on_view(struct view_read *read)
{
    struct asked *asked = read->data;

    /* Never inside the call, and never twice. */
    assert_true(asked->submitted);
    assert_false(asked->done);
    asked->done = true;
    asked->err = read->err;
    asked->as_of = read->as_of;
    snprintf(asked->json, sizeof(asked->json), "%.*s", SLICE_ARG(read->json));
}

enum kan_err ask_try(struct place *place, struct asked *asked, const char *view,
                     uint64_t at_least)
{
    enum kan_err err;

    memset(asked, 0, sizeof(*asked));
    asked->read.data = asked;
    asked->read.type = kan_text("account");
    asked->read.view = kan_text(view);
    asked->read.at_least = at_least;
    err = view_read(place->views, &asked->read, on_view);
    asked->submitted = err == KAN_OK;
    return err;
}

void ask_on(struct place *place, struct asked *asked, const char *view,
            uint64_t at_least)
{
    assert_int_equal(ask_try(place, asked, view, at_least), KAN_OK);
}

struct asked ask(struct place *place, uint64_t at_least)
{
    struct asked asked;

    ask_on(place, &asked, "bank", at_least);
    run_until(place, &asked.done);
    return asked;
}

void shows(struct place *place, uint64_t at_least, const char *json)
{
    struct asked asked = ask(place, at_least);

    if (asked.err)
        fail_msg("%s", kan_err_name(asked.err));
    assert_string_equal(asked.json, json);
    assert_true(asked.as_of >= at_least);
}
