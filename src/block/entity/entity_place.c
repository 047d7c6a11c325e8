/* A place to test the entity block in. */

#include "block/entity/entity_place.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "contract/program/bank_sample.h"
#include "engine/sqlite/sqlite.h"

const char place_bank[] =
    "type account {\n"
    "    owner:   text(80) = \"\"\n"
    "    balance: int(0 .. 1_000_000_000) = 0\n"
    "    status:  unopened | open | frozen | closed\n"
    "    invariant small: balance <= 900_000_000\n" BANK_STEPS
    "    internal step seize when status == open { balance = 0 }\n"
    "    view statement {\n"
    "        balance:  balance\n"
    "        deposits: count(deposit)\n"
    "        paid_in:  sum(deposit.amount)\n"
    "    }\n"
    "}\n";

#define CART_1                                                         \
    "type cart version 1 {\n"                                          \
    "    lines: map(text(40), int(1 .. 99), 50)\n"                     \
    "    paid:  bool = false\n"                                        \
    "    step add(article: text(40)) when not paid {\n"                \
    "        if article in lines { lines[article] += 1 } else { "      \
    "lines[article] = 1 }\n"                                           \
    "    }\n"                                                          \
    "    step remove(article: text(40)) when not paid and article in " \
    "lines { lines -= article }\n"                                     \
    "    step empty when not paid { paid = false }\n"                  \
    "    step pay when not paid {\n"                                   \
    "        require size(lines) > 0 else \"the cart is empty\"\n"     \
    "        paid = true\n"                                            \
    "    }\n"                                                          \
    "    view sums { added: count(add) }\n"                            \
    "}\n"
#define CART_2                                                        \
    "type cart version 2 {\n"                                         \
    "    lines:  map(text(40), int(1 .. 99), 50)\n"                   \
    "    stage:  filling | paid | shipped\n"                          \
    "    coupon: optional text(20) = none\n"                          \
    "    step add(article: text(40), count: int(1 .. 99) = 1) when "  \
    "stage == filling {\n"                                            \
    "        if article in lines { lines[article] += count } else { " \
    "lines[article] = count }\n"                                      \
    "    }\n"                                                         \
    "    step remove(article: text(40)) when stage == filling and "   \
    "article in lines { lines -= article }\n"                         \
    "    step pay when stage == filling {\n"                          \
    "        require size(lines) > 0 else \"the cart is empty\"\n"    \
    "        stage = paid\n"                                          \
    "    }\n"                                                         \
    "    step ship when stage == paid { stage = shipped }\n"          \
    "    view sums { added: count(add); pieces: sum(add.count) }\n"   \
    "}\n"
#define CART_UPGRADE                                            \
    "upgrade cart 1 -> 2 {\n"                                   \
    "    up   { stage = if old.paid then paid else filling }\n" \
    "    down { paid = old.stage != filling }\n"                \
    "}\n"

const char place_cart_1[] = CART_1;
const char place_cart[] = CART_1 CART_2 CART_UPGRADE;
const char place_cart_2[] = CART_2;

/* --- a place -------------------------------------------------------------- */

uint64_t place_feed_bytes_max;
uint32_t place_ops_max;

void place_trouble(void *data, const char *text)
{
    struct place *place = data;

    snprintf(place->trouble, sizeof(place->trouble), "%s", text);
    place->troubles++;
}

static void on_event(void *data, const struct entity_event *event,
                     const void *state, const void *tally)
{
    struct place *place = data;

    assert_non_null(state);
    assert_non_null(tally);
    assert_true(event->revision > 0);
    place->events++;
    place->events_n += event->n;
}

static void on_ready(void *data, enum kan_err err, const char *why)
{
    struct place *place = data;

    assert_false(place->readied);
    place->readied = true;
    place->ready = err;
    snprintf(place->why, sizeof(place->why), "%s", why);
}

void place_text(struct place *place, const char *text)
{
    struct buffer faults = BUFFER_INIT;

    contract_unref(place->contract);
    if (contract_load(SLICE("test.kan"), kan_text(text), &place->contract,
                      &faults))
        fail_msg("%s", buffer_text(&faults));
    buffer_fini(&faults);
}

static struct engine *engine_for(struct place *place)
{
    struct sqlite_options sqlite = {.path = "kan.db"};
    struct memory_options memory = {.feed_bytes_max = place_feed_bytes_max};
    struct engine_promises profile = memory_promises;
    struct engine *engine;
    char why[256] = "";

    if (place_ops_max) {
        profile.ops_max = place_ops_max;
        memory.profile = &profile;
    }
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

void place_begin(struct place *place, enum place_kind kind, const char *text,
                 uint64_t seed)
{
    memset(place, 0, sizeof(*place));
    place->live = mem_live();
    place->kind = kind;
    tape_init_seed(&place->tape, seed);
    assert_int_equal(sim_world_new(&place->tape, NULL, &place->world), KAN_OK);
    assert_int_equal(sim_node_new(place->world, "a", &place->env), KAN_OK);
    place->engine = engine_for(place);
    place_text(place, text);
    place->options = (struct entity_options){
        .prefix = SLICE("entity||kan||"),
        .data = place,
        .event = on_event,
        .trouble = place_trouble,
    };
}

void place_host(struct place *place)
{
    struct buffer why = BUFFER_INIT;

    place->options.env = place->env;
    place->options.engine = place->engine;
    place->options.contract = place->contract;
    place->readied = false;
    if (entity_host_new(&place->options, on_ready, &place->host, &why))
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
    run_until(place, &place->readied);
    if (!place->ready && place->above_open)
        place->above_open(place);
}

static void check_ready(const struct place *place)
{
    if (place->ready)
        fail_msg("%s", place->why);
}

void place_open(struct place *place, enum place_kind kind, const char *text,
                uint64_t seed)
{
    place_begin(place, kind, text, seed);
    place_host(place);
    check_ready(place);
}

void set_flag(void *data)
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

void run_closed(struct place *place, const bool *flag)
{
    /* A dead process runs apart from the world. */
    while (!*flag)
        if (sim_dead(place->env))
            env_run(place->env, ENV_RUN_ONCE);
        else
            assert_true(sim_step(place->world));
}

uint64_t revision_now(struct place *place)
{
    return engine_cursor(place->engine).revision;
}

void host_close(struct place *place)
{
    bool closed = false;

    if (place->above)
        place->above_close(place);
    if (!place->host)
        return;
    entity_host_close(place->host, &closed, set_flag);
    assert_false(closed);
    run_closed(place, &closed);
    place->host = NULL;
}

void place_close(struct place *place)
{
    bool closed = false;

    host_close(place);
    engine_close(place->engine, &closed, set_flag);
    run_until(place, &closed);
    env_free(place->env);
    sim_world_free(place->world);
    tape_fini(&place->tape);
    place->contract = contract_unref(place->contract);
    assert_int_equal(mem_live(), place->live);
}

void place_reload(struct place *place, const char *text)
{
    place_text(place, text);
    place->readied = false;
    assert_int_equal(entity_host_reload(place->host, place->contract, on_ready),
                     KAN_OK);
    run_until(place, &place->readied);
    check_ready(place);
}

static void restart(struct place *place)
{
    bool closed = false;

    engine_close(place->engine, &closed, set_flag);
    run_closed(place, &closed);
    env_free(place->env);
    assert_int_equal(sim_restart(place->world, "a", &place->env), KAN_OK);
    place->engine = engine_for(place);
}

void place_crash(struct place *place)
{
    struct engine_fault_options faults = {0};

    if (place->kind == PLACE_SQLITE && !sim_dead(place->env))
        sim_crash(place->env);
    host_close(place);
    if (place->kind == PLACE_SQLITE)
        restart(place);
    if (place->kind == PLACE_FAULT) {
        faults = *engine_fault_options(place->engine);
        *engine_fault_options(place->engine) = (struct engine_fault_options){0};
    }
    place_host(place);
    check_ready(place);
    if (place->kind == PLACE_FAULT)
        *engine_fault_options(place->engine) = faults;
}

/* --- calls ---------------------------------------------------------------- */

static void ref_cut(const char *ref, struct kan_slice *ret_type,
                    struct kan_slice *ret_id)
{
    *ret_id = kan_text(ref);
    slice_cut(ret_id, '/', ret_type);
}

void to_ask(struct asked *asked, const char *ref, const char *step,
            const char *body)
{
    memset(asked, 0, sizeof(*asked));
    ref_cut(ref, &asked->call.type, &asked->call.id);
    asked->call.step = kan_text(step);
    asked->call.body = kan_text(body);
}

static void state_print(const struct entity_state *state, char *out)
{
    struct buffer json = BUFFER_INIT;

    program_json(state->program, 0, state->state, &json);
    if (program_view_count(state->program) &&
        !program_view(state->program, 0).over_all)
        program_view_json(state->program, 0, state->state, state->tally, &json);
    snprintf(out, PLACE_TEXT, "%s", buffer_text(&json));
    buffer_fini(&json);
}

static void on_call(struct entity_call *done)
{
    struct asked *asked = done->data;

    /* K-ENTITY-10: never inside the call, and never twice. */
    assert_true(asked->submitted);
    assert_false(asked->done);
    asked->done = true;
    asked->outcome = done->outcome;
    asked->err = done->err;
    asked->replayed = done->replayed;
    asked->n = done->after.n;
    asked->version = done->after.version;
    asked->revision = done->after.revision;
    if (done->outcome == ENTITY_TAKEN)
        state_print(&done->after, asked->state);
    snprintf(asked->text, sizeof(asked->text), "%.*s", SLICE_ARG(done->text));
    snprintf(asked->values, sizeof(asked->values), "%.*s",
             SLICE_ARG(done->values));
}

enum kan_err ask_try(struct entity_host *host, struct asked *asked)
{
    enum kan_err err;

    asked->call.data = asked;
    err = entity_call(host, &asked->call, on_call);
    asked->submitted = err == KAN_OK;
    return err;
}

void ask(struct place *place, struct asked *asked)
{
    assert_int_equal(ask_try(place->host, asked), KAN_OK);
}

void ask_wait(struct place *place, struct asked *asked)
{
    ask(place, asked);
    run_until(place, &asked->done);
}

struct asked call(struct place *place, const char *ref, const char *step,
                  const char *body)
{
    struct asked asked;

    to_ask(&asked, ref, step, body);
    ask_wait(place, &asked);
    return asked;
}

void takes(struct place *place, const char *ref, const char *step,
           const char *body, uint64_t n)
{
    struct asked asked = call(place, ref, step, body);

    if (asked.outcome != ENTITY_TAKEN)
        fail_msg("%s %s: outcome %d, %s, %s", ref, step, asked.outcome,
                 kan_err_name(asked.err), asked.text);
    assert_int_equal(asked.n, n);
    assert_true(asked.revision > 0);
}

void took(struct place *place, const char *ref, const char *step,
          const char *body)
{
    gives(place, ref, step, body, ENTITY_TAKEN);
}

void gives(struct place *place, const char *ref, const char *step,
           const char *body, enum entity_outcome outcome)
{
    struct asked asked = call(place, ref, step, body);

    if (asked.outcome != outcome)
        fail_msg("%s %s: outcome %d, not %d, %s, %s", ref, step, asked.outcome,
                 outcome, kan_err_name(asked.err), asked.text);
}

/* --- reads and changes ---------------------------------------------------- */

struct reading
{
    struct entity_read read;
    struct entity_change change;
    struct looked looked;
    bool done;
};

static void on_read(struct entity_read *read)
{
    struct reading *reading = read->data;

    reading->done = true;
    reading->looked.outcome = read->outcome;
    reading->looked.err = read->err;
    reading->looked.version = read->state.version;
    reading->looked.n = read->state.n;
    reading->looked.revision = read->state.revision;
    if (read->outcome == ENTITY_TAKEN)
        state_print(&read->state, reading->looked.state);
}

static struct looked look_with(struct place *place, const char *ref,
                               bool has_at, uint64_t at, uint32_t version)
{
    struct reading reading;

    memset(&reading, 0, sizeof(reading));
    reading.read.data = &reading;
    ref_cut(ref, &reading.read.type, &reading.read.id);
    reading.read.has_at = has_at;
    reading.read.at = at;
    reading.read.version = version;
    assert_int_equal(entity_read(place->host, &reading.read, on_read), KAN_OK);
    assert_false(reading.done);
    run_until(place, &reading.done);
    return reading.looked;
}

struct looked look(struct place *place, const char *ref)
{
    return look_with(place, ref, false, 0, 0);
}

struct looked look_at(struct place *place, const char *ref, uint64_t at,
                      uint32_t version)
{
    return look_with(place, ref, true, at, version);
}

static void on_change(struct entity_change *done)
{
    struct reading *reading = done->data;

    reading->done = true;
    reading->looked.outcome = done->outcome;
    reading->looked.err = done->err;
    reading->looked.n = done->n;
    snprintf(reading->looked.state, PLACE_TEXT, "%.*s", SLICE_ARG(done->text));
}

struct looked change(struct place *place, const char *ref,
                     enum entity_change_kind kind, uint32_t version)
{
    struct reading reading;

    memset(&reading, 0, sizeof(reading));
    reading.change.data = &reading;
    ref_cut(ref, &reading.change.type, &reading.change.id);
    reading.change.kind = kind;
    reading.change.version = version;
    assert_int_equal(entity_change(place->host, &reading.change, on_change),
                     KAN_OK);
    run_until(place, &reading.done);
    return reading.looked;
}

/* --- pages ---------------------------------------------------------------- */

struct paging
{
    struct entity_events events;
    struct entity_list list;
    struct paged paged;
    bool done;
};

static struct paging paging;

static void on_events(struct entity_events *events)
{
    struct buffer json = BUFFER_INIT;

    paging.done = true;
    paging.paged.outcome = events->outcome;
    paging.paged.err = events->err;
    paging.paged.count = events->item_count;
    paging.paged.more = events->more;
    paging.paged.last = events->last;
    paging.paged.first = events->item_count ? events->items[0].n : 0;
    for (uint32_t i = 0; i < events->item_count; i++) {
        entity_event_json(&events->items[i], &json);
        buffer_append_byte(&json, '\n');
    }
    snprintf(paging.paged.text, sizeof(paging.paged.text), "%s",
             buffer_text(&json));
    buffer_fini(&json);
}

struct paged page(struct place *place, const char *ref, uint64_t after,
                  uint32_t limit)
{
    memset(&paging, 0, sizeof(paging));
    ref_cut(ref, &paging.events.type, &paging.events.id);
    paging.events.after = after;
    paging.events.limit = limit;
    assert_int_equal(entity_events(place->host, &paging.events, on_events),
                     KAN_OK);
    run_until(place, &paging.done);
    return paging.paged;
}

static void on_list(struct entity_list *done)
{
    struct buffer text = BUFFER_INIT;

    paging.done = true;
    assert_int_equal(done->outcome, ENTITY_TAKEN);
    for (uint32_t i = 0; i < done->item_count; i++)
        buffer_print(&text, "%s%.*s", i ? " " : "",
                     SLICE_ARG(done->items[i].id));
    if (done->more)
        buffer_append_text(&text, " ...");
    snprintf(paging.paged.text, sizeof(paging.paged.text), "%s",
             buffer_text(&text));
    buffer_fini(&text);
}

const char *list(struct place *place, const char *type, const char *after,
                 uint32_t limit)
{
    memset(&paging, 0, sizeof(paging));
    paging.list.type = kan_text(type);
    paging.list.after = kan_text(after);
    paging.list.limit = limit;
    assert_int_equal(entity_list(place->host, &paging.list, on_list), KAN_OK);
    run_until(place, &paging.done);
    return paging.paged.text;
}

int64_t number_in(const char *json, const char *name)
{
    char wanted[64];
    const char *found;

    snprintf(wanted, sizeof(wanted), "\"%s\":", name);
    found = strstr(json, wanted);
    return found ? strtoll(found + strlen(wanted), NULL, 10) : -1;
}
