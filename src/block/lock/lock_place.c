/* A place to test the lock block in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "block/lock/lock_place.h"
#include "engine/fault/fault.h"
#include "engine/sqlite/sqlite.h"

struct lock_store *store_with(struct place *place, const char *prefix)
{
    struct lock_options options = {.engine = place->engine,
                                   .prefix = kan_text(prefix)};
    struct lock_store *store = NULL;
    char why[128] = "";

    if (lock_store_new(&options, why, sizeof(why), &store))
        fail_msg("%s", why);
    assert_ptr_equal(lock_store_engine(store), place->engine);
    return store;
}

void place_open(struct place *place, enum place_kind kind, uint64_t seed)
{
    struct sqlite_options sqlite = {.path = "kan.db"};
    struct engine *inner;
    char why[256] = "";

    memset(place, 0, sizeof(*place));
    place->live = mem_live();
    tape_init_seed(&place->tape, seed);
    assert_int_equal(sim_world_new(&place->tape, NULL, &place->world), KAN_OK);
    assert_int_equal(sim_node_new(place->world, "a", &place->env), KAN_OK);
    if (kind == PLACE_SQLITE) {
        if (engine_sqlite_open(place->env, &sqlite, why, sizeof(why), &inner))
            fail_msg("%s", why);
    } else {
        assert_int_equal(engine_memory_open(place->env, NULL, &inner), KAN_OK);
    }
    place->engine = inner;
    if (kind == PLACE_FAULT)
        assert_int_equal(
            engine_fault_open(place->env, inner, NULL, &place->engine), KAN_OK);
    place->store = store_with(place, "lock||kan||");
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

void store_close(struct place *place, struct lock_store *store)
{
    bool closed = false;

    lock_store_close(store, &closed, set_flag);
    assert_false(closed);
    run_until(place, &closed);
}

void place_leave(struct place *place)
{
    bool closed = false;

    engine_close(place->engine, &closed, set_flag);
    run_until(place, &closed);
    env_free(place->env);
    sim_world_free(place->world);
    tape_fini(&place->tape);
    assert_int_equal(mem_live(), place->live);
}

void place_close(struct place *place)
{
    store_close(place, place->store);
    place_leave(place);
}

void pass(struct place *place, uint64_t ms)
{
    sim_run(place->world, sim_now(place->world) + ms * ENV_MS);
}

uint64_t now_ms(struct place *place)
{
    return env_now(place->env) / ENV_MS;
}

/* --- requests ------------------------------------------------------------- */

static void on_answer(struct lock_request *request)
{
    struct asked *asked = request->data;

    /* K-LOCK-10: never inside the call, and never twice. */
    assert_true(asked->submitted);
    assert_false(asked->done);
    asked->done = true;
    asked->at_ms = now_ms(asked->place);
}

static void ask(struct place *place, struct asked *asked, enum lock_kind kind)
{
    enum kan_err err;

    asked->place = place;
    asked->request.data = asked;
    if (kind == LOCK_TRY)
        err = lock_acquire(place->store, &asked->request, on_answer);
    else if (kind == LOCK_RELEASE)
        err = lock_release(place->store, &asked->request, on_answer);
    else
        err = lock_renew(place->store, &asked->request, on_answer);
    assert_int_equal(err, KAN_OK);
    asked->submitted = true;
}

void ask_acquire(struct place *place, struct asked *asked)
{
    ask(place, asked, LOCK_TRY);
}

void ask_release(struct place *place, struct asked *asked)
{
    ask(place, asked, LOCK_RELEASE);
}

void ask_renew(struct place *place, struct asked *asked)
{
    ask(place, asked, LOCK_RENEW);
}

struct asked to_acquire(struct place *place, const char *resource,
                        const char *owner, uint64_t expiry_ms, uint64_t wait_ms)
{
    struct asked asked = {0};

    asked.request.resource = kan_text(resource);
    asked.request.owner = kan_text(owner);
    asked.request.expiry_ms = expiry_ms;
    if (wait_ms)
        asked.request.wait_until_ns = env_now(place->env) + wait_ms * ENV_MS;
    return asked;
}

struct asked to_change(const char *resource, const char *owner, uint64_t token,
                       uint64_t expiry_ms)
{
    struct asked asked = {0};

    asked.request.resource = kan_text(resource);
    asked.request.owner = kan_text(owner);
    asked.request.token = token;
    asked.request.expiry_ms = expiry_ms;
    return asked;
}

struct lock_request acquire(struct place *place, const char *resource,
                            const char *owner, uint64_t expiry_ms)
{
    struct asked asked = to_acquire(place, resource, owner, expiry_ms, 0);

    ask_acquire(place, &asked);
    run_until(place, &asked.done);
    return asked.request;
}

struct lock_request release(struct place *place, const char *resource,
                            const char *owner, uint64_t token)
{
    struct asked asked = to_change(resource, owner, token, 0);

    ask_release(place, &asked);
    run_until(place, &asked.done);
    return asked.request;
}

struct lock_request renew(struct place *place, const char *resource,
                          const char *owner, uint64_t token, uint64_t expiry_ms)
{
    struct asked asked = to_change(resource, owner, token, expiry_ms);

    ask_renew(place, &asked);
    run_until(place, &asked.done);
    return asked.request;
}

uint64_t must_acquire(struct place *place, const char *resource,
                      const char *owner, uint64_t expiry_ms)
{
    struct lock_request request = acquire(place, resource, owner, expiry_ms);

    assert_int_equal(request.outcome, LOCK_OK);
    assert_true(request.granted > 0);
    assert_int_equal(request.lease.token, request.granted);
    return request.granted;
}

/* --- holds ---------------------------------------------------------------- */

static void on_lost(struct lock_hold *hold, enum kan_err why)
{
    struct held *held = hold->data;

    assert_false(held->told);
    held->told = true;
    held->why = why;
    held->at_ms = now_ms(held->place);
}

void hold_start(struct place *place, struct held *held, const char *resource,
                const struct lock_request *granted)
{
    memset(held, 0, sizeof(*held));
    held->place = place;
    held->hold.data = held;
    held->hold.resource = kan_text(resource);
    held->hold.lease = granted->lease;
    assert_int_equal(lock_hold_start(place->store, &held->hold, on_lost),
                     KAN_OK);
    assert_false(held->told);
}
