/* A place to test the actor block in. */

#include "block/actor/actor_place.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/record.h"
#include "engine/sqlite/sqlite.h"

static void on_trouble(void *data, const char *text)
{
    struct place *place = data;

    snprintf(place->trouble, sizeof(place->trouble), "%s", text);
    place->troubles++;
}

static void on_event(void *data, const struct actor_event *event)
{
    struct place *place = data;

    place->events++;
    place->choices += event->choice_count;
    for (uint32_t i = 0; i < event->choice_count; i++)
        assert_true(event->choices[2 * i] < event->choices[2 * i + 1]);
    place->last = *event;
    place->path = event->path;
}

static struct engine *engine_for(struct place *place, enum place_kind kind)
{
    struct sqlite_options sqlite = {.path = "kan.db"};
    struct engine *engine;
    char why[256] = "";

    if (kind == PLACE_SQLITE) {
        if (engine_sqlite_open(place->env, &sqlite, why, sizeof(why), &engine))
            fail_msg("%s", why);
        return engine;
    }
    assert_int_equal(engine_memory_open(place->env, NULL, &engine), KAN_OK);
    if (kind == PLACE_FAULT)
        assert_int_equal(engine_fault_open(place->env, engine, NULL, &engine),
                         KAN_OK);
    return engine;
}

void place_begin(struct place *place, enum place_kind kind, uint64_t seed)
{
    memset(place, 0, sizeof(*place));
    place->live = mem_live();
    tape_init_seed(&place->tape, seed);
    assert_int_equal(sim_world_new(&place->tape, NULL, &place->world), KAN_OK);
    assert_int_equal(sim_node_new(place->world, "a", &place->env), KAN_OK);
    place->engine = engine_for(place, kind);
    place->modules[0] = &actor_case;
    place->options = (struct actor_options){.env = place->env,
                                            .engine = place->engine,
                                            .prefix = kan_text("actor||kan||"),
                                            .modules = place->modules,
                                            .module_count = 1,
                                            .step_limit_ms = 30,
                                            .data = place,
                                            .event = on_event,
                                            .trouble = on_trouble};
}

void place_host(struct place *place)
{
    struct buffer why = BUFFER_INIT;

    place->options.env = place->env;
    place->options.engine = place->engine;
    if (actor_host_new(&place->options, &place->host, &why))
        fail_msg("%s", buffer_text(&why));
    buffer_fini(&why);
}

void place_open(struct place *place, enum place_kind kind, uint64_t seed)
{
    place_begin(place, kind, seed);
    place_host(place);
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

void host_close(struct place *place)
{
    bool closed = false;

    actor_host_close(place->host, &closed, set_flag);
    assert_false(closed);
    run_until(place, &closed);
    place->host = NULL;
}

void place_close(struct place *place)
{
    bool closed = false;

    if (place->host)
        host_close(place);
    engine_close(place->engine, &closed, set_flag);
    run_until(place, &closed);
    env_free(place->env);
    sim_world_free(place->world);
    tape_fini(&place->tape);
    assert_int_equal(mem_live(), place->live);
}

/* A dead process runs apart from the world. */
static void run_dead(struct place *place, const bool *flag)
{
    while (!*flag)
        env_run(place->env, ENV_RUN_ONCE);
}

void place_crash(struct place *place)
{
    bool closed = false;

    if (!sim_dead(place->env))
        sim_crash(place->env);
    actor_host_close(place->host, &closed, set_flag);
    run_dead(place, &closed);
    closed = false;
    engine_close(place->engine, &closed, set_flag);
    run_dead(place, &closed);
    env_free(place->env);
    assert_int_equal(sim_restart(place->world, "a", &place->env), KAN_OK);
    place->engine = engine_for(place, PLACE_SQLITE);
    place_host(place);
}

/* --- calls ---------------------------------------------------------------- */

void to_ask(struct asked *asked, const char *ref, const char *method,
            const char *body)
{
    struct kan_slice rest = kan_text(ref);

    memset(asked, 0, sizeof(*asked));
    slice_cut(&rest, '/', &asked->call.type);
    asked->call.id = rest;
    asked->call.method = kan_text(method);
    asked->call.body = kan_text(body);
}

static void on_call(struct actor_call *call)
{
    struct asked *asked = call->data;
    struct buffer json = BUFFER_INIT;

    /* K-ACTOR-10: never inside the call, and never twice. */
    assert_true(asked->submitted);
    assert_false(asked->done);
    asked->done = true;
    asked->outcome = call->outcome;
    asked->err = call->err;
    asked->revision = call->revision;
    if (call->record) {
        snprintf(asked->record, sizeof(asked->record), "%s",
                 call->record->name);
        /* In a fault loop this may be what has no memory. */
        asked->unread =
            record_to_json(call->record, call->message, &json) != KAN_OK;
        snprintf(asked->text, sizeof(asked->text), "%s", buffer_text(&json));
    } else if (call->text.size) {
        snprintf(asked->text, sizeof(asked->text), "%.*s",
                 SLICE_ARG(call->text));
    }
    buffer_fini(&json);
}

enum kan_err ask_try(struct actor_host *host, struct asked *asked)
{
    enum kan_err err;

    asked->call.data = asked;
    err = actor_call(host, &asked->call, on_call);
    asked->submitted = err == KAN_OK;
    return err;
}

void ask_on(struct actor_host *host, struct asked *asked)
{
    assert_int_equal(ask_try(host, asked), KAN_OK);
}

void ask(struct place *place, struct asked *asked)
{
    ask_on(place->host, asked);
}

struct asked call(struct place *place, const char *ref, const char *method,
                  const char *body)
{
    struct asked asked;

    to_ask(&asked, ref, method, body);
    ask(place, &asked);
    run_until(place, &asked.done);
    return asked;
}

void call_gives(struct place *place, const char *ref, const char *method,
                const char *body, const char *json)
{
    struct asked asked = call(place, ref, method, body);

    if (asked.outcome != ACTOR_ANSWERED)
        fail_msg("%s %s: outcome %d, %s, %s", ref, method, asked.outcome,
                 kan_err_name(asked.err), asked.text);
    assert_string_equal(asked.text, json);
    assert_true(asked.revision > 0);
}

/* --- looking -------------------------------------------------------------- */

struct looked
{
    struct actor_look look;
    bool done;
    char json[PLACE_JSON];
};

static void on_look(struct actor_look *look)
{
    struct looked *looked = look->data;

    looked->done = true;
    if (look->err)
        snprintf(looked->json, sizeof(looked->json), "%s",
                 kan_err_name(look->err));
    else
        snprintf(looked->json, sizeof(looked->json), "%.*s",
                 SLICE_ARG(look->json));
}

const char *state_of(struct place *place, const char *ref)
{
    static struct looked looked;
    struct kan_slice rest = kan_text(ref);

    memset(&looked, 0, sizeof(looked));
    looked.look.data = &looked;
    slice_cut(&rest, '/', &looked.look.type);
    looked.look.id = rest;
    assert_int_equal(actor_look(place->host, &looked.look, on_look), KAN_OK);
    run_until(place, &looked.done);
    return looked.json;
}

int64_t field_of(struct place *place, const char *ref, const char *field)
{
    const char *json = state_of(place, ref);
    char name[64];
    const char *found;

    snprintf(name, sizeof(name), "\"%s\":", field);
    found = strstr(json, name);
    if (!found)
        return -1;
    found += strlen(name);
    if (strncmp(found, "true", 4) == 0)
        return 1;
    return strtoll(found, NULL, 10);
}

struct listed
{
    struct actor_parked page;
    bool done;
    uint32_t count;
    char method[64];
    char why[256];
};

static void on_parked(struct actor_parked *page)
{
    struct listed *listed = page->data;

    listed->done = true;
    assert_int_equal(page->err, KAN_OK);
    listed->count = page->item_count;
    if (page->item_count == 0)
        return;
    snprintf(listed->method, sizeof(listed->method), "%.*s",
             SLICE_ARG(page->items[0].method));
    snprintf(listed->why, sizeof(listed->why), "%.*s",
             SLICE_ARG(page->items[0].why));
}

uint32_t parked(struct place *place, char *ret_method, char *ret_why)
{
    struct listed listed;

    memset(&listed, 0, sizeof(listed));
    listed.page.data = &listed;
    assert_int_equal(actor_parked(place->host, &listed.page, on_parked),
                     KAN_OK);
    run_until(place, &listed.done);
    if (ret_method)
        strcpy(ret_method, listed.method);
    if (ret_why)
        strcpy(ret_why, listed.why);
    return listed.count;
}
