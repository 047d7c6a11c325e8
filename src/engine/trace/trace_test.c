/* The lines of the tracing wrapper, word for word. */

#include "engine/trace/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/memory/memory.h"
#include "env/sim/sim.h"

static void sink(void *data, struct kan_slice line)
{
    struct buffer *text = data;

    buffer_append(text, line);
    buffer_append_byte(text, '\n');
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    (void)commit;
    (void)err;
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    (void)get;
    (void)err;
}

static void on_scan(struct engine_scan *scan, enum kan_err err)
{
    (void)scan;
    (void)err;
}

static void on_watch(struct engine_watch *watch, enum kan_err err,
                     uint64_t revision, const struct engine_change *changes,
                     uint32_t change_count)
{
    (void)watch;
    (void)err;
    (void)revision;
    (void)changes;
    (void)change_count;
}

/* One of everything, without waiting in between. */
static void submit(struct engine *engine, struct sim_world *world)
{
    struct engine_write writes[] = {
        {.kind = ENGINE_PUT,
         .key = SLICE("k\x00\"\xff"),
         .value = SLICE("value"),
         .ttl_kind = ENGINE_TTL,
         .ttl_ms = 1000},
        {.kind = ENGINE_DELETE, .key = SLICE("gone")},
        {.kind = ENGINE_APPEND, .key = SLICE("log/"), .value = SLICE("x")},
        {.kind = ENGINE_TOUCH, .key = SLICE("t")},
    };
    struct engine_guard guard = {ENGINE_IF_ABSENT, SLICE("k"), 0};
    struct engine_guard version = {ENGINE_IF_VERSION, SLICE("k"), 9};
    struct kan_slice keys[] = {SLICE("k\x00\"\xff"), SLICE("none")};
    struct engine_watch watch = {.prefix = SLICE("k")};
    struct engine_commit commit = {.id = SLICE("id"),
                                   .guards = &guard,
                                   .guard_count = 1,
                                   .writes = writes,
                                   .write_count = 4};
    struct engine_commit refused = {.guards = &version, .guard_count = 1};
    struct engine_get get = {.keys = keys, .key_count = 2};
    struct engine_get canceled = {
        .keys = keys, .key_count = 1, .level = ENGINE_CAUSAL, .at_least = 99};
    struct engine_scan scan = {.after = SLICE("a"), .limit = 1};

    assert_int_equal(engine_watch(engine, &watch, on_watch), KAN_OK);
    assert_int_equal(engine_commit(engine, &commit, on_commit), KAN_OK);
    assert_int_equal(engine_commit(engine, &refused, on_commit), KAN_OK);
    assert_int_equal(engine_get(engine, &get, on_get), KAN_OK);
    assert_int_equal(engine_get(engine, &canceled, on_get), KAN_OK);
    assert_int_equal(engine_scan(engine, &scan, on_scan), KAN_OK);
    sim_run(world, UINT64_C(2) * ENV_S);
    engine_cancel(&canceled.request);
    sim_run(world, UINT64_C(2) * ENV_S);
    engine_close(engine, NULL, NULL);
    sim_run(world, UINT64_C(3) * ENV_S);
}

static const char expected[] =
    "1 watch \"k\" from now\n"
    "2 commit id \"id\" if absent \"k\" put \"k\\x00\\x22\\xff\" 5 bytes ttl "
    "1000 ms delete \"gone\" append \"log/\" 1 bytes touch \"t\" for ever\n"
    "3 commit if version \"k\" 9\n"
    "4 get linearizable \"k\\x00\\x22\\xff\" \"none\"\n"
    "5 get causal at least 99 \"k\\x00\\x22\\xff\"\n"
    "6 scan linearizable under \"\" after \"a\" limit 1\n"
    "2 commit OK revision 1\n"
    "1 watch revision 1: put \"k\\x00\\x22\\xff\"\n"
    "3 commit CONFLICT guard 0\n"
    "4 get OK revision 1: 1 of 2\n"
    "6 scan OK revision 1: 1 items, more\n"
    "1 watch revision 2: expire \"k\\x00\\x22\\xff\"\n"
    "5 get CANCELED\n"
    "1 watch CLOSED\n";

static void test_lines(void **state)
{
    struct buffer text = BUFFER_INIT;
    struct tape tape = {0};
    struct sim_world *world;
    struct env *env;
    struct engine *inner, *engine;

    (void)state;
    for (int run = 0; run < 2; run++) {
        buffer_clear(&text);
        assert_int_equal(sim_world_new(&tape, NULL, &world), KAN_OK);
        assert_int_equal(sim_node_new(world, "host", &env), KAN_OK);
        assert_int_equal(engine_memory_open(env, NULL, &inner), KAN_OK);
        assert_int_equal(engine_trace_open(env, inner, &text, sink, &engine),
                         KAN_OK);
        submit(engine, world);
        env_free(env);
        sim_world_free(world);
        tape_fini(&tape);
        tape = (struct tape){0};
        assert_string_equal(buffer_text(&text), expected);
    }
    buffer_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
