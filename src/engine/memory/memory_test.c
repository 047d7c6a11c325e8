/* What is the memory engine's own, beyond the conformance suite: its quotas. */

#include "engine/memory/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "env/sim/sim.h"

struct rig
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine;
    int64_t live;
};

static void rig_init(struct rig *rig, const struct memory_options *options)
{
    memset(rig, 0, sizeof *rig);
    rig->live = mem_live();
    assert_int_equal(sim_world_new(&rig->tape, NULL, &rig->world), KAN_OK);
    assert_int_equal(sim_node_new(rig->world, "host", &rig->env), KAN_OK);
    assert_int_equal(engine_memory_open(rig->env, options, &rig->engine),
                     KAN_OK);
}

static void rig_fini(struct rig *rig)
{
    engine_close(rig->engine, NULL, NULL);
    sim_run(rig->world, sim_now(rig->world));
    env_free(rig->env);
    sim_world_free(rig->world);
    tape_fini(&rig->tape);
    assert_int_equal(mem_live(), rig->live);
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    (void)err;
    ++*(unsigned *)commit->request.data;
}

static enum kan_err put(struct rig *rig, const char *key, size_t size,
                        const char *id)
{
    static const char zeros[4096];
    unsigned done = 0;
    struct engine_write write = {.kind = ENGINE_PUT,
                                 .key = kan_text(key),
                                 .value = kan_slice(zeros, size)};
    struct engine_commit commit = {.request.data = &done,
                                   .id = kan_text(id),
                                   .writes = &write,
                                   .write_count = 1};

    assert_int_equal(engine_commit(rig->engine, &commit, on_commit), KAN_OK);
    while (!done)
        assert_true(sim_step(rig->world));
    return commit.request.err;
}

static void test_full_takes_what_does_not_grow(void **state)
{
    struct memory_options options = {.bytes_max = 32 << 10};
    unsigned count = 0;
    char key[16];
    struct rig rig;

    (void)state;
    rig_init(&rig, &options);
    do
        snprintf(key, sizeof key, "%05u", count++);
    while (put(&rig, key, 4000, NULL) == KAN_OK);
    assert_true(count > 4 && count < 9);
    assert_int_equal(put(&rig, "00000", 4000, NULL), KAN_OK);
    assert_int_equal(put(&rig, "00001", 3000, NULL), KAN_OK);
    assert_int_equal(put(&rig, "00001", 4000, NULL), KAN_OK);
    assert_int_equal(put(&rig, key, 4000, NULL), KAN_FULL);
    rig_fini(&rig);
}

static void test_ids_have_a_quota(void **state)
{
    struct memory_options options = {.bytes_max = 32 << 10};
    unsigned count = 0;
    char id[16];
    struct rig rig;

    (void)state;
    rig_init(&rig, &options);
    do
        snprintf(id, sizeof id, "%05u", count++);
    while (put(&rig, "k", 1, id) == KAN_OK);
    assert_true(count > 10 && count < 1000);
    assert_int_equal(put(&rig, "k", 1, id), KAN_BUSY);
    assert_int_equal(put(&rig, "k", 1, NULL), KAN_OK);
    sim_run(rig.world, sim_now(rig.world) + UINT64_C(61) * ENV_S);
    assert_int_equal(put(&rig, "k", 1, id), KAN_OK);
    rig_fini(&rig);
}

static void on_watch(struct engine_watch *watch, enum kan_err err,
                     uint64_t revision, const struct engine_change *changes,
                     uint32_t change_count)
{
    (void)revision;
    (void)changes;
    (void)change_count;
    if (!err)
        ++*(unsigned *)watch->request.data;
}

static void test_history_keeps_the_newest(void **state)
{
    struct memory_options options = {.feed_bytes_max = 1};
    unsigned told = 0;
    struct engine_watch watch = {.request.data = &told};
    struct rig rig;

    (void)state;
    rig_init(&rig, &options);
    assert_int_equal(engine_watch(rig.engine, &watch, on_watch), KAN_OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(put(&rig, "k", 4000, NULL), KAN_OK);
    assert_int_equal(told, 10);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_takes_what_does_not_grow),
        cmocka_unit_test(test_ids_have_a_quota),
        cmocka_unit_test(test_history_keeps_the_newest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
