/* Many owners in processes of their own, with clocks of their own, on an engine
 * that is far away: they acquire, wait, renew, write, release, forget and die,
 * while questions, answers and reports are lost or late. After every event of
 * the world, what all of them believe is compared with what the guarantees of
 * docs/guarantees/lock.md say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "block/lock/lock.h"
#include "block/lock/lock_remote.h"
#include "engine/memory/memory.h"
#include "env/sim/sim.h"

enum
{
    CLIENTS = 4,
    PEOPLE = 3, /* in each client's process */
    RESOURCES = 2,
    DEADLINE_MS = 3000,
    TIMER_LATE_NS = 10,
    BUSY_S = 60,      /* seconds in which things go wrong */
    DRIFT_PPM = 4900, /* of each clock, either way */
    SEEDS = 100
};

static const char *const resources[RESOURCES] = {"a", "b"};
static const char *const data_keys[RESOURCES] = {"data/a", "data/b"};

/* What a person is doing. */
enum mood
{
    RESTING,
    ASKING,  /* for a lock */
    HOLDING, /* as far as it knows */
    LEAVING  /* a release is under way */
};

struct client;

struct person
{
    struct client *client;
    enum mood mood;
    bool keeps; /* what it has, until its lease ends */
    int resource;
    struct lock_request request;
    struct lock_request renewal;
    bool renewing;
    struct lock_hold hold;
    bool held; /* hold is under way */
    struct engine_commit commit;
    bool writing;
    uint64_t ticket; /* in the order of asking, in its process */
    uint64_t wait_until_ns;
    struct env_timer timer;
};

struct client
{
    struct world *world;
    struct env *env;
    struct engine *engine;
    struct lock_store *store;
    bool dead;
    uint64_t tickets;
    struct person people[PEOPLE];
};

/* What a run must have met, or it has shown nothing. */
struct probes
{
    uint64_t granted;
    uint64_t waited;
    uint64_t gave_up;
    uint64_t unknown;
    uint64_t settled;
    uint64_t taken_back;
    uint64_t late_commits;
    uint64_t renewed;
    uint64_t lost;
    uint64_t written;
    uint64_t refused;
    uint64_t died_holding;
};

struct world
{
    struct tape tape;
    struct sim_world *sim;
    struct env *server_env;
    struct engine *server;
    struct remote_way way;
    struct engine_watch watch;
    bool watching;
    uint64_t grants[RESOURCES]; /* the newest token, as the server saw it */
    uint64_t writes[RESOURCES]; /* the newest token that wrote */
    bool calm;                  /* nothing goes wrong any more */
    bool over;                  /* nobody does anything by itself */
    struct client clients[CLIENTS];
    struct probes probes;
};

static uint64_t choose(struct world *world, uint64_t n)
{
    return tape_choose(&world->tape, n);
}

/* As slow, as right or as fast as may be. */
static int32_t choose_rate(struct world *world)
{
    return ((int32_t)choose(world, 3) - 1) * DRIFT_PPM;
}

/* --- what the server sees ------------------------------------------------- */

/* K-LOCK-2: tokens grow. K-LOCK-4: no write of an earlier holder comes after
 * one of a later holder. */
static void on_change(struct engine_watch *watch, enum kan_err err,
                      uint64_t revision, const struct engine_change *changes,
                      uint32_t change_count)
{
    struct world *world = watch->request.data;

    (void)revision;
    if (err)
        world->watching = false;
    for (uint32_t i = 0; i < change_count; i++) {
        if (changes[i].kind != ENGINE_CHANGE_PUT)
            continue;
        for (int r = 0; r < RESOURCES; r++) {
            struct kan_slice key = changes[i].key;
            if (slice_equal(key, kan_text(data_keys[r]))) {
                uint64_t token;
                memcpy(&token, changes[i].value.bytes, sizeof(token));
                assert_true(token >= world->writes[r]);
                world->writes[r] = token;
            } else if (slice_at(key, key.size - 1) ==
                           (unsigned char)resources[r][0] &&
                       slice_starts(key, SLICE("lock||"))) {
                assert_true(changes[i].created > world->grants[r]);
                world->grants[r] = changes[i].created;
            }
        }
    }
}

/* --- what they do --------------------------------------------------------- */

static void rest(struct person *person);

static void on_released(struct lock_request *request)
{
    struct person *person = request->data;

    /* K-LOCK-3, K-LOCK-8: its own grant is gone, or nobody knows. */
    if (request->outcome == LOCK_FAILED)
        person->client->world->probes.unknown++;
    rest(person);
}

static void on_renewed(struct lock_request *request)
{
    struct person *person = request->data;
    struct world *world = person->client->world;

    person->renewing = false;
    if (request->outcome == LOCK_OK) {
        world->probes.renewed++;
        assert_int_equal(request->granted, request->token);
    }
}

static void on_lost(struct lock_hold *hold, enum kan_err why)
{
    struct person *person = hold->data;
    struct world *world = person->client->world;

    person->held = false;
    if (why == KAN_NOTFOUND || why == KAN_FENCED)
        world->probes.lost++;
    if (person->mood == HOLDING)
        rest(person);
}

/* K-LOCK-6: of two in one process who wait for one resource, the first is
 * served first. */
static void check_order(struct person *person)
{
    for (int i = 0; i < PEOPLE; i++) {
        struct person *other = &person->client->people[i];
        if (other == person || other->mood != ASKING ||
            other->resource != person->resource || !other->wait_until_ns)
            continue;
        /* Its answer may be on its way. */
        if (other->request.part)
            assert_true(other->ticket > person->ticket);
    }
}

static void on_acquired(struct lock_request *request)
{
    struct person *person = request->data;
    struct client *client = person->client;
    struct world *world = client->world;
    uint64_t now = env_now(client->env);
    enum kan_err err;

    /* The deadline is kept, but for what a timer is late on a slow clock. */
    if (request->wait_until_ns)
        assert_true(now <= request->wait_until_ns + TIMER_LATE_NS);
    else
        assert_true(now <= request->deadline_ns + TIMER_LATE_NS);
    if (request->outcome != LOCK_OK) {
        if (request->outcome == LOCK_FAILED)
            world->probes.unknown++;
        else if (request->wait_until_ns)
            world->probes.gave_up++;
        rest(person);
        return;
    }
    check_order(person);
    assert_int_equal(request->lease.drift_ppm, LOCK_DRIFT_PPM);
    world->probes.granted++;
    if (request->wait_until_ns)
        world->probes.waited++;
    person->mood = HOLDING;
    person->hold.data = person;
    person->hold.resource = kan_text(resources[person->resource]);
    person->hold.lease = request->lease;
    err = lock_hold_start(client->store, &person->hold, on_lost);
    assert_int_equal(err, KAN_OK);
    person->held = true;
}

static void on_written(struct engine_commit *commit, enum kan_err err)
{
    struct person *person = commit->request.data;
    struct world *world = person->client->world;

    person->writing = false;
    if (!err)
        world->probes.written++;
    if (err == KAN_CONFLICT)
        world->probes.refused++;
}

/* Write as the holder of a grant that may have ended long ago. */
static void write_fenced(struct person *person)
{
    struct client *client = person->client;
    uint64_t token = person->hold.lease.token;
    struct engine_write write = {.key = kan_text(data_keys[person->resource]),
                                 .value = kan_slice(&token, sizeof(token))};
    struct engine_guard guard;
    struct lock_key key;

    if (person->writing || token == 0)
        return;
    if (lock_fence_guard(client->store, kan_text(resources[person->resource]),
                         token, &key, &guard))
        fail();
    memset(&person->commit, 0, sizeof(person->commit));
    person->commit.request.data = person;
    person->commit.guards = &guard;
    person->commit.guard_count = 1;
    person->commit.writes = &write;
    person->commit.write_count = 1;
    person->writing =
        engine_commit(client->engine, &person->commit, on_written) == KAN_OK;
}

static void ask(struct person *person)
{
    struct client *client = person->client;
    struct world *world = client->world;
    uint64_t now = env_now(client->env);

    if (person->writing || person->renewing || person->held)
        return;
    person->resource = (int)choose(world, RESOURCES);
    memset(&person->request, 0, sizeof(person->request));
    person->request.data = person;
    person->request.resource = kan_text(resources[person->resource]);
    person->request.owner = kan_text("someone");
    person->keeps = choose(world, 3) == 0;
    person->request.expiry_ms =
        person->keeps ? 5000 + choose(world, 25000) : 500 + choose(world, 5000);
    if (choose(world, 3))
        person->request.wait_until_ns = now + choose(world, 12000) * ENV_MS + 1;
    else
        person->request.deadline_ns = now + choose(world, 8000) * ENV_MS + 1;
    person->ticket = ++client->tickets;
    person->wait_until_ns = person->request.wait_until_ns;
    person->mood = ASKING;
    if (lock_acquire(client->store, &person->request, on_acquired))
        fail();
}

static void renew(struct person *person)
{
    struct client *client = person->client;

    if (person->renewing)
        return;
    memset(&person->renewal, 0, sizeof(person->renewal));
    person->renewal.data = person;
    person->renewal.resource = kan_text(resources[person->resource]);
    person->renewal.token = person->hold.lease.token;
    person->renewal.expiry_ms = 200 + choose(client->world, 5000);
    person->renewal.deadline_ns =
        env_now(client->env) + DEADLINE_MS * (uint64_t)ENV_MS;
    person->renewing = true;
    if (lock_renew(client->store, &person->renewal, on_renewed))
        fail();
}

static void leave(struct person *person)
{
    struct client *client = person->client;

    if (person->renewing)
        return;
    person->mood = LEAVING;
    lock_hold_stop(&person->hold);
    memset(&person->request, 0, sizeof(person->request));
    person->request.data = person;
    person->request.resource = kan_text(resources[person->resource]);
    person->request.token = person->hold.lease.token;
    person->request.deadline_ns =
        env_now(client->env) + DEADLINE_MS * (uint64_t)ENV_MS;
    if (lock_release(client->store, &person->request, on_released))
        fail();
}

static void on_turn(struct env_timer *timer)
{
    struct person *person = timer->data;
    struct client *client = person->client;
    struct world *world = client->world;

    if (world->over)
        return;
    switch (person->mood) {
    case RESTING:
        if (choose(world, 4) == 0)
            write_fenced(person); /* it has not noticed yet */
        else if (!world->calm)
            ask(person);
        break;
    case ASKING:
        if (choose(world, 20) == 0)
            lock_cancel(&person->request);
        break;
    case HOLDING:
        switch (person->keeps ? 4 : choose(world, 5)) {
        case 0:
            leave(person);
            break;
        case 1:
            renew(person);
            break;
        case 2:
            break;
        default:
            write_fenced(person);
            break;
        }
        break;
    case LEAVING:
        break;
    }
    if (env_timer_start(client->env, &person->timer,
                        env_now(client->env) + choose(world, 700) * ENV_MS + 1,
                        on_turn))
        fail();
}

static void rest(struct person *person)
{
    person->mood = RESTING;
}

/* --- what must hold after every event ------------------------------------- */

static bool believes(const struct person *person, uint64_t now)
{
    return person->mood == HOLDING && person->held &&
           lock_lease_valid(person->hold.lease, now);
}

static void check(struct world *world)
{
    int holders[RESOURCES] = {0};

    for (int c = 0; c < CLIENTS; c++) {
        struct client *client = &world->clients[c];
        uint64_t now = env_now(client->env);
        for (int p = 0; !client->dead && p < PEOPLE; p++) {
            struct person *person = &client->people[p];
            holders[person->resource] += believes(person, now);
            /* K-LOCK-5: nobody holds on beyond its lease. */
            if (person->held)
                assert_true(person->hold.lease.until_ns >= now ||
                            list_linked(&person->hold.task.link));
        }
    }
    /* K-LOCK-1 */
    for (int r = 0; r < RESOURCES; r++)
        assert_in_range(holders[r], 0, 1);
}

static void run_for(struct world *world, uint64_t ms)
{
    uint64_t until = sim_now(world->sim) + ms * ENV_MS;

    while (sim_now(world->sim) < until) {
        assert_true(sim_step(world->sim));
        check(world);
    }
}

/* --- life and death ------------------------------------------------------- */

static void client_start(struct world *world, int at)
{
    struct client *client = &world->clients[at];
    struct lock_options options = {.prefix = kan_text("lock||m||")};
    char name[8];

    snprintf(name, sizeof(name), "c%d", at);
    memset(client, 0, sizeof(*client));
    client->world = world;
    assert_int_equal(sim_node_new(world->sim, name, &client->env), KAN_OK);
    sim_clock_rate(client->env, choose_rate(world));
    assert_int_equal(engine_remote_open(client->env, world->server, &world->way,
                                        &client->engine),
                     KAN_OK);
    options.engine = client->engine;
    assert_int_equal(lock_store_new(&options, NULL, 0, &client->store), KAN_OK);
    for (int i = 0; i < PEOPLE; i++) {
        struct person *person = &client->people[i];
        person->client = client;
        person->timer.data = person;
        if (env_timer_start(client->env, &person->timer,
                            env_now(client->env) + ENV_MS, on_turn))
            fail();
    }
}

/* A ghost's part of the world stands still until it is laid to rest. */
static void client_kill(struct client *client)
{
    uint64_t now = env_now(client->env);

    for (int i = 0; i < PEOPLE; i++)
        client->world->probes.died_holding += believes(&client->people[i], now);
    client->dead = true;
    sim_kill(client->env);
}

static void set_flag(void *data)
{
    *(bool *)data = true;
}

static void end_both(struct world *world, struct client *client,
                     const bool *flag)
{
    while (!*flag) {
        if (client->dead)
            env_run(client->env, ENV_RUN_NOWAIT);
        if (!*flag)
            (void)sim_step(world->sim);
    }
}

static void client_end(struct world *world, struct client *client)
{
    struct lock_stats stats = lock_store_stats(client->store);
    bool closed = false;

    world->probes.settled += stats.settled;
    world->probes.taken_back += stats.taken_back;
    for (int i = 0; i < PEOPLE; i++)
        env_timer_stop(client->env, &client->people[i].timer);
    lock_store_close(client->store, &closed, set_flag);
    end_both(world, client, &closed);
    closed = false;
    engine_close(client->engine, &closed, set_flag);
    end_both(world, client, &closed);
    env_free(client->env);
}

static void world_start(struct world *world, uint64_t seed)
{
    struct sim_options options = {.shuffle = seed % 2};

    memset(world, 0, sizeof(*world));
    tape_init_seed(&world->tape, seed);
    assert_int_equal(sim_world_new(&world->tape, &options, &world->sim),
                     KAN_OK);
    assert_int_equal(sim_node_new(world->sim, "server", &world->server_env),
                     KAN_OK);
    sim_clock_rate(world->server_env, choose_rate(world));
    assert_int_equal(
        engine_memory_open(world->server_env, NULL, &world->server), KAN_OK);
    world->watch.request.data = world;
    assert_int_equal(engine_watch(world->server, &world->watch, on_change),
                     KAN_OK);
    world->watching = true;
    for (int i = 0; i < CLIENTS; i++)
        client_start(world, i);
}

static void world_end(struct world *world)
{
    bool closed = false;

    for (int i = 0; i < CLIENTS; i++)
        client_end(world, &world->clients[i]);
    engine_close(world->server, &closed, set_flag);
    while (!closed)
        assert_true(sim_step(world->sim));
    assert_false(world->watching);
    env_free(world->server_env);
    sim_world_free(world->sim);
    tape_fini(&world->tape);
}

/* --- the runs ------------------------------------------------------------- */

static void go_wrong(struct world *world)
{
    world->way.delay_max_ns = choose(world, 2) ? choose(world, 60) * ENV_MS : 0;
    world->way.lost_rate = (uint32_t)choose(world, 120);
    world->way.late_rate = (uint32_t)choose(world, 120);
    world->way.late_ns = (uint64_t)20 * ENV_S;
    world->way.report_lost_rate = (uint32_t)choose(world, 200);
}

static void go_right(struct world *world)
{
    uint64_t late_commits = world->way.late_commits;

    world->calm = true;
    memset(&world->way, 0, sizeof(world->way));
    world->way.late_commits = late_commits;
}

/* K-LOCK-7: when nobody wants anything and time has passed, everything is free:
 * whoever comes gets it at once. */
static void check_free(struct world *world)
{
    struct client *client = NULL;

    world->over = true;
    for (int i = 0; i < CLIENTS; i++)
        if (!world->clients[i].dead)
            client = &world->clients[i];
    for (int r = 0; client && r < RESOURCES; r++) {
        struct person *person = &client->people[r];
        assert_int_equal(person->mood, RESTING);
        memset(&person->request, 0, sizeof(person->request));
        person->request.data = person;
        person->resource = r;
        person->request.resource = kan_text(resources[r]);
        person->request.owner = kan_text("last");
        person->request.expiry_ms = 1000;
        person->request.deadline_ns = env_now(client->env) + ENV_MS;
        person->mood = ASKING;
        assert_int_equal(
            lock_acquire(client->store, &person->request, on_acquired), KAN_OK);
        run_for(world, 2);
        assert_int_equal(person->mood, HOLDING);
    }
}

static void one_run(uint64_t seed, struct probes *probes)
{
    struct world *world = mem_alloc(sizeof(*world));
    const uint64_t *from;
    uint64_t *to = (uint64_t *)probes;
    int64_t live = mem_live();

    assert_non_null(world);
    world_start(world, seed);
    for (int i = 0; i < BUSY_S / 5; i++) {
        go_wrong(world);
        run_for(world, 5000);
        if (choose(world, 6) == 0) {
            struct client *client = &world->clients[choose(world, CLIENTS)];
            if (!client->dead && client != &world->clients[0])
                client_kill(client);
        }
    }
    go_right(world);
    run_for(world, 90000);
    check_free(world);
    world_end(world);
    world->probes.late_commits = world->way.late_commits;
    from = (const uint64_t *)&world->probes;
    for (size_t i = 0; i < sizeof(*probes) / sizeof(*to); i++)
        to[i] += from[i];
    assert_int_equal(mem_live(), live);
    mem_free(world);
}

static void owners_agree_whatever_goes_wrong(void **context)
{
    struct probes probes = {0};
    const uint64_t *counts = (const uint64_t *)&probes;

    (void)context;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        one_run(seed, &probes);
    for (size_t i = 0; i < sizeof(probes) / sizeof(*counts); i++) {
        if (counts[i] == 0)
            fail_msg("the rare path %zu of struct probes was not reached", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_agree_whatever_goes_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
