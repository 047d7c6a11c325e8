/* What the fault wrapper does to requests: by count, one by one; and by chance,
 * over many seeds, where a client that repeats what it is not sure of must
 * still count exactly. */

#include "engine/fault/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "engine/memory/memory.h"
#include "env/sim/sim.h"

struct rig
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine;
    struct engine *inner;
    int64_t live;
};

static void rig_init(struct rig *rig, uint64_t seed)
{
    memset(rig, 0, sizeof *rig);
    rig->live = mem_live();
    tape_init_seed(&rig->tape, seed);
    assert_int_equal(sim_world_new(&rig->tape, NULL, &rig->world), KAN_OK);
    assert_int_equal(sim_node_new(rig->world, "host", &rig->env), KAN_OK);
    assert_int_equal(engine_memory_open(rig->env, NULL, &rig->inner), KAN_OK);
    assert_int_equal(
        engine_fault_open(rig->env, rig->inner, NULL, &rig->engine), KAN_OK);
}

static void count_close(void *data)
{
    ++*(unsigned *)data;
}

static void rig_fini(struct rig *rig)
{
    unsigned closed = 0;

    engine_close(rig->engine, &closed, count_close);
    while (!closed)
        assert_true(sim_step(rig->world));
    env_free(rig->env);
    sim_world_free(rig->world);
    tape_fini(&rig->tape);
    assert_int_equal(mem_live(), rig->live);
}

struct wait
{
    unsigned calls;
    enum kan_err err;
    uint64_t version;
};

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct wait *wait = commit->request.data;

    wait->calls++;
    wait->err = err;
    wait->version = commit->revision;
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    struct wait *wait = get->request.data;

    wait->calls++;
    wait->err = err;
    wait->version = err ? 0 : get->items[0].version;
}

static void on_watch(struct engine_watch *watch, enum kan_err err,
                     uint64_t revision, const struct engine_change *changes,
                     uint32_t change_count)
{
    struct wait *wait = watch->request.data;

    (void)changes;
    (void)change_count;
    if (!err) {
        wait->version = revision;
        return;
    }
    wait->calls++;
    wait->err = err;
}

static struct wait await(struct rig *rig, struct wait *wait)
{
    while (!wait->calls)
        assert_true(sim_step(rig->world));
    return *wait;
}

static struct wait put(struct rig *rig, const char *key, const char *id)
{
    struct wait wait = {0};
    struct engine_write write = {
        .kind = ENGINE_PUT, .key = kan_text(key), .value = SLICE("v")};
    struct engine_commit commit = {.request.data = &wait,
                                   .id = kan_text(id),
                                   .writes = &write,
                                   .write_count = 1};

    assert_int_equal(engine_commit(rig->engine, &commit, on_commit), KAN_OK);
    return await(rig, &wait);
}

static struct wait get_from(struct rig *rig, struct engine *engine,
                            const char *key)
{
    struct wait wait = {0};
    struct kan_slice slice = kan_text(key);
    struct engine_get get = {
        .request.data = &wait, .keys = &slice, .key_count = 1};

    assert_int_equal(engine_get(engine, &get, on_get), KAN_OK);
    return await(rig, &wait);
}

static void test_busy_has_no_effect(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig, 1);
    engine_fault_nth(rig.engine, ENGINE_FAULT_BUSY, 2);
    assert_int_equal(put(&rig, "a", NULL).err, KAN_OK);
    assert_false(engine_fault_struck(rig.engine));
    assert_int_equal(put(&rig, "b", NULL).err, KAN_BUSY);
    assert_true(engine_fault_struck(rig.engine));
    assert_int_equal(get_from(&rig, rig.engine, "b").version, 0);
    assert_int_equal(put(&rig, "b", NULL).err, KAN_OK);
    rig_fini(&rig);
}

/* Over the seeds both happen: a lost commit that was applied, and one that was
 * not. The same id asked again tells the first answer. */
static void test_lost_happens_or_not(void **state)
{
    unsigned applied = 0, dropped = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct wait again;
        uint64_t version;
        struct rig rig;

        rig_init(&rig, seed);
        engine_fault_nth(rig.engine, ENGINE_FAULT_LOST, 1);
        assert_int_equal(put(&rig, "k", "id").err, KAN_LOST);
        version = get_from(&rig, rig.inner, "k").version;
        applied += version != 0;
        dropped += version == 0;
        assert_int_equal(put(&rig, "other", NULL).err, KAN_OK);
        again = put(&rig, "k", "id");
        assert_int_equal(again.err, KAN_OK);
        if (version)
            assert_int_equal(again.version, version);
        assert_int_equal(get_from(&rig, rig.engine, "k").version,
                         again.version);
        rig_fini(&rig);
    }
    assert_true(applied > 0 && dropped > 0);
}

static void test_broken_stays_broken(void **state)
{
    struct wait told = {0};
    struct engine_watch watch = {.request.data = &told};
    struct rig rig;

    (void)state;
    rig_init(&rig, 3);
    assert_int_equal(engine_watch(rig.engine, &watch, on_watch), KAN_OK);
    assert_int_equal(put(&rig, "a", NULL).err, KAN_OK);
    engine_fault_nth(rig.engine, ENGINE_FAULT_IO, 1);
    assert_int_equal(put(&rig, "b", NULL).err, KAN_IO);
    assert_int_equal(await(&rig, &told).err, KAN_IO);
    assert_int_equal(told.version, 1);
    assert_true(engine_stats(rig.engine).broken);
    assert_int_equal(put(&rig, "c", NULL).err, KAN_IO);
    assert_int_equal(get_from(&rig, rig.engine, "a").err, KAN_IO);
    assert_int_equal(get_from(&rig, rig.inner, "c").version, 0);
    rig_fini(&rig);
}

static void test_delays(void **state)
{
    struct wait waits[8] = {{0}};
    struct engine_commit commits[8];
    struct engine_write write = {
        .kind = ENGINE_PUT, .key = SLICE("k"), .value = SLICE("v")};
    bool reordered = false;
    struct rig rig;

    (void)state;
    rig_init(&rig, 4);
    engine_fault_options(rig.engine)->delay_rate = 1000;
    engine_fault_options(rig.engine)->delay_max_ns = ENV_S;
    for (int i = 0; i < 8; i++) {
        commits[i] = (struct engine_commit){
            .request.data = &waits[i], .writes = &write, .write_count = 1};
        assert_int_equal(engine_commit(rig.engine, &commits[i], on_commit),
                         KAN_OK);
    }
    write.key = SLICE("overwritten by the caller");
    for (int i = 0; i < 8; i++) {
        assert_int_equal(await(&rig, &waits[i]).err, KAN_OK);
        if (i && commits[i].revision < commits[i - 1].revision)
            reordered = true;
    }
    assert_true(reordered);
    assert_true(sim_now(rig.world) > 0);
    assert_true(sim_now(rig.world) <= UINT64_C(2) * ENV_S);
    assert_int_equal(get_from(&rig, rig.inner, "k").version, 8);
    rig_fini(&rig);
}

static void test_reports_are_lost(void **state)
{
    struct wait told = {0};
    struct engine_watch watch = {.request.data = &told};
    struct rig rig;

    (void)state;
    rig_init(&rig, 5);
    assert_int_equal(engine_watch(rig.engine, &watch, on_watch), KAN_OK);
    assert_int_equal(put(&rig, "a", NULL).err, KAN_OK);
    engine_fault_options(rig.engine)->report_lost_rate = 1000;
    assert_int_equal(put(&rig, "a", NULL).err, KAN_OK);
    assert_int_equal(await(&rig, &told).err, KAN_LOST);
    assert_int_equal(told.version, 1);
    rig_fini(&rig);
}

/* --- counting under all faults at once ------------------------------------ */

enum
{
    CLIENTS = 4,
    ROUNDS = 10
};

struct client
{
    struct rig *rig;
    struct engine_commit commit;
    struct engine_write write;
    char id[32];
    unsigned number, round;
    unsigned *finished;
    unsigned unsure;
};

static void client_next(struct client *client);

/* Appends one entry a round; unsure answers are asked again by the same id. */
static void client_told(struct engine_commit *commit, enum kan_err err)
{
    struct client *client = commit->request.data;

    if (err == KAN_OK)
        client->round++;
    else
        assert_true(err == KAN_BUSY || err == KAN_LOST || err == KAN_TIMEOUT);
    client->unsure += kan_err_class(err) == KAN_CLASS_UNKNOWN;
    if (client->round == ROUNDS)
        ++*client->finished;
    else
        client_next(client);
}

static void client_next(struct client *client)
{
    snprintf(client->id, sizeof client->id, "%u-%u", client->number,
             client->round);
    client->write = (struct engine_write){.kind = ENGINE_APPEND,
                                          .key = SLICE("log/"),
                                          .value = kan_text(client->id)};
    client->commit.request.data = client;
    client->commit.request.deadline_ns =
        env_now(client->rig->env) + UINT64_C(1500) * ENV_MS;
    client->commit.id = kan_text(client->id);
    client->commit.writes = &client->write;
    client->commit.write_count = 1;
    assert_int_equal(
        engine_commit(client->rig->engine, &client->commit, client_told),
        KAN_OK);
}

struct counted
{
    unsigned calls;
    unsigned items;
};

static void on_scan(struct engine_scan *scan, enum kan_err err)
{
    struct counted *counted = scan->request.data;

    assert_int_equal(err, KAN_OK);
    counted->calls++;
    counted->items = scan->item_count;
    assert_false(scan->more);
}

static void test_ids_make_retries_exact(void **state)
{
    unsigned unsure = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct client clients[CLIENTS] = {{0}};
        struct counted counted = {0};
        struct engine_scan scan = {.request.data = &counted, .limit = 1000};
        unsigned finished = 0;
        struct rig rig;

        rig_init(&rig, seed);
        engine_fault_options(rig.engine)->rate[ENGINE_FAULT_BUSY] = 100;
        engine_fault_options(rig.engine)->rate[ENGINE_FAULT_LOST] = 300;
        engine_fault_options(rig.engine)->delay_rate = 500;
        for (unsigned i = 0; i < CLIENTS; i++) {
            clients[i].rig = &rig;
            clients[i].number = i;
            clients[i].finished = &finished;
            client_next(&clients[i]);
        }
        while (finished < CLIENTS)
            assert_true(sim_step(rig.world));
        for (unsigned i = 0; i < CLIENTS; i++)
            unsure += clients[i].unsure;
        assert_int_equal(engine_scan(rig.inner, &scan, on_scan), KAN_OK);
        while (!counted.calls)
            assert_true(sim_step(rig.world));
        assert_int_equal(counted.items, CLIENTS * ROUNDS);
        rig_fini(&rig);
    }
    assert_true(unsure > 50);
}

/* --- closing and memory --------------------------------------------------- */

/* A delayed commit that was not begun is CLOSED; one whose answer is held gets
 * it. */
static void test_close_while_delayed(void **state)
{
    unsigned closed = 0, held = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct wait wait = {0};
        struct engine_write write = {
            .kind = ENGINE_PUT, .key = SLICE("k"), .value = SLICE("v")};
        struct engine_commit commit = {
            .request.data = &wait, .writes = &write, .write_count = 1};
        struct rig rig;
        bool there;

        rig_init(&rig, seed);
        engine_fault_options(rig.engine)->delay_rate = 1000;
        assert_int_equal(engine_commit(rig.engine, &commit, on_commit), KAN_OK);
        for (uint64_t i = 0; i < seed % 6; i++)
            sim_step(rig.world);
        there = engine_cursor(rig.inner).revision > 0;
        rig_fini(&rig);
        assert_int_equal(wait.calls, 1);
        assert_true(wait.err == KAN_OK || (!there && wait.err == KAN_CLOSED));
        closed += wait.err == KAN_CLOSED;
        held += there;
    }
    assert_true(closed > 0 && held > 0);
}

static void test_out_of_memory_while_delaying(void **state)
{
    bool struck = true;

    (void)state;
    for (uint64_t nth = 1; struck; nth++) {
        struct wait wait = {0};
        struct engine_write write = {
            .kind = ENGINE_PUT, .key = SLICE("k"), .value = SLICE("v")};
        struct engine_commit commit = {.request.data = &wait,
                                       .id = SLICE("id"),
                                       .writes = &write,
                                       .write_count = 1};
        struct rig rig;
        enum kan_err err;

        rig_init(&rig, nth);
        engine_fault_options(rig.engine)->delay_rate = 1000;
        mem_fault(nth, false);
        err = engine_commit(rig.engine, &commit, on_commit);
        if (!err)
            err = await(&rig, &wait).err;
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_true(err == KAN_OK || (struck && err == KAN_NOMEM));
        assert_int_equal(get_from(&rig, rig.inner, "k").version != 0,
                         err == KAN_OK);
        assert_int_equal(put(&rig, "k", NULL).err, KAN_OK);
        rig_fini(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy_has_no_effect),
        cmocka_unit_test(test_lost_happens_or_not),
        cmocka_unit_test(test_broken_stays_broken),
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_reports_are_lost),
        cmocka_unit_test(test_ids_make_retries_exact),
        cmocka_unit_test(test_close_while_delayed),
        cmocka_unit_test(test_out_of_memory_while_delaying),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
