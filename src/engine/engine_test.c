/* The front end, over an engine that answers only when it is told to; and the
 * rules that all engines share. */

#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "engine/profile.h"
#include "env/sim/sim.h"
#include "env/sim/tape.h"

/* --- an engine that is mute ----------------------------------------------- */

struct mute
{
    struct engine engine;
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    unsigned submitted;
    unsigned canceled;
    enum kan_err cancel_err; /* of the last one */
    unsigned closes;
    unsigned open_at_close; /* commits left when close was called */
    void *close_data;
    env_close_cb *close_cb;
};

static struct mute *mute_of(struct engine *engine)
{
    return (struct mute *)(void *)engine;
}

static void mute_commit(struct engine *engine, struct engine_commit *commit)
{
    (void)commit;
    mute_of(engine)->submitted++;
}

static void mute_get(struct engine *engine, struct engine_get *get)
{
    (void)get;
    mute_of(engine)->submitted++;
}

static void mute_scan(struct engine *engine, struct engine_scan *scan)
{
    (void)scan;
    mute_of(engine)->submitted++;
}

static void mute_watch(struct engine *engine, struct engine_watch *watch)
{
    (void)watch;
    mute_of(engine)->submitted++;
}

static void mute_cancel(struct engine *engine, struct engine_request *request,
                        enum kan_err err)
{
    mute_of(engine)->canceled++;
    mute_of(engine)->cancel_err = err;
    engine_answer(request, err);
}

static void mute_close(struct engine *engine, void *data, env_close_cb *cb)
{
    struct mute *mute = mute_of(engine);

    mute->closes++;
    mute->open_at_close = engine->open_count;
    mute->close_data = data;
    mute->close_cb = cb;
}

static void mute_stats(struct engine *engine, struct engine_stats *ret_stats)
{
    (void)engine;
    ret_stats->commits = 42;
}

static const struct engine_ops mute_ops = {
    .name = "mute",
    .commit = mute_commit,
    .get = mute_get,
    .scan = mute_scan,
    .watch = mute_watch,
    .cancel = mute_cancel,
    .close = mute_close,
    .stats = mute_stats,
};

static struct mute *mute_new(void)
{
    struct mute *mute = mem_zalloc(sizeof *mute);

    assert_non_null(mute);
    assert_int_equal(sim_world_new(&mute->tape, NULL, &mute->world), KAN_OK);
    assert_int_equal(sim_node_new(mute->world, "host", &mute->env), KAN_OK);
    engine_init(&mute->engine, &mute_ops, mute->env);
    mute->engine.promises = engine_profiles[3].promises;
    return mute;
}

/* When all is answered. */
static void mute_free(struct mute *mute)
{
    if (mute->engine.magic)
        engine_fini(&mute->engine);
    env_free(mute->env);
    sim_world_free(mute->world);
    tape_fini(&mute->tape);
    mem_free(mute);
}

static uint64_t pass(struct mute *mute, uint64_t ns)
{
    sim_run(mute->world, sim_now(mute->world) + ns);
    return sim_now(mute->world);
}

/* --- requests ------------------------------------------------------------- */

struct seen
{
    struct mute *mute;
    unsigned calls;
    enum kan_err err;
    uint64_t at_ns;
    unsigned changes;
};

static void see(struct seen *seen, enum kan_err err)
{
    seen->calls++;
    seen->err = err;
    seen->at_ns = sim_now(seen->mute->world);
}

static void see_commit(struct engine_commit *commit, enum kan_err err)
{
    see(commit->request.data, err);
}

static void see_get(struct engine_get *get, enum kan_err err)
{
    see(get->request.data, err);
}

static void see_scan(struct engine_scan *scan, enum kan_err err)
{
    see(scan->request.data, err);
}

static void see_watch(struct engine_watch *watch, enum kan_err err,
                      uint64_t revision, const struct engine_change *changes,
                      uint32_t change_count)
{
    struct seen *seen = watch->request.data;

    (void)revision;
    (void)changes;
    if (err)
        see(seen, err);
    seen->changes += change_count;
}

static struct engine_write put(void)
{
    struct engine_write write = {
        .kind = ENGINE_PUT, .key = SLICE("k"), .value = SLICE("v")};
    return write;
}

/* One of each kind. */
struct four
{
    struct seen seen[4];
    struct engine_write write;
    struct kan_slice key;
    struct engine_commit commit;
    struct engine_get get;
    struct engine_scan scan;
    struct engine_watch watch;
};

static void four_start(struct mute *mute, struct four *four)
{
    memset(four, 0, sizeof *four);
    for (int i = 0; i < 4; i++)
        four->seen[i].mute = mute;
    four->write = put();
    four->key = SLICE("k");
    four->commit.request.data = &four->seen[0];
    four->commit.writes = &four->write;
    four->commit.write_count = 1;
    four->get.request.data = &four->seen[1];
    four->get.keys = &four->key;
    four->get.key_count = 1;
    four->scan.request.data = &four->seen[2];
    four->scan.limit = 1;
    four->watch.request.data = &four->seen[3];
    assert_int_equal(engine_commit(&mute->engine, &four->commit, see_commit),
                     KAN_OK);
    assert_int_equal(engine_get(&mute->engine, &four->get, see_get), KAN_OK);
    assert_int_equal(engine_scan(&mute->engine, &four->scan, see_scan), KAN_OK);
    assert_int_equal(engine_watch(&mute->engine, &four->watch, see_watch),
                     KAN_OK);
    assert_int_equal(mute->engine.open_count, 4);
}

static void test_answers(void **state)
{
    struct mute *mute = mute_new();
    struct four four;

    (void)state;
    four_start(mute, &four);
    engine_answer(&four.commit.request, KAN_CONFLICT);
    engine_answer(&four.get.request, KAN_OK);
    engine_answer(&four.scan.request, KAN_IO);
    engine_answer(&four.watch.request, KAN_COMPACTED);
    assert_int_equal(four.seen[0].err, KAN_CONFLICT);
    assert_int_equal(four.seen[1].err, KAN_OK);
    assert_int_equal(four.seen[2].err, KAN_IO);
    assert_int_equal(four.seen[3].err, KAN_COMPACTED);
    for (int i = 0; i < 4; i++)
        assert_int_equal(four.seen[i].calls, 1);
    assert_int_equal(mute->engine.open_count, 0);
    assert_false(pass(mute, UINT64_C(60) * ENV_S) == 0);
    assert_int_equal(mute->canceled, 0); /* timers are gone */
    mute_free(mute);
}

static void test_deadlines(void **state)
{
    struct mute *mute = mute_new();
    struct seen seen = {.mute = mute};
    struct engine_write write = put();
    struct engine_commit commit = {
        .request.data = &seen, .writes = &write, .write_count = 1};
    uint64_t start = sim_now(mute->world);

    (void)state;
    assert_int_equal(engine_commit(&mute->engine, &commit, see_commit), KAN_OK);
    pass(mute, UINT64_C(40) * ENV_S);
    assert_int_equal(seen.err, KAN_TIMEOUT);
    assert_int_equal(seen.at_ns, start + (uint64_t)ENGINE_DEADLINE_MS * ENV_MS);
    commit.request.deadline_ns = sim_now(mute->world) + ENV_S;
    assert_int_equal(engine_commit(&mute->engine, &commit, see_commit), KAN_OK);
    pass(mute, UINT64_C(40) * ENV_S);
    assert_int_equal(seen.at_ns, commit.request.deadline_ns);
    commit.request.deadline_ns = 1; /* in the past: soon, but not within */
    assert_int_equal(engine_commit(&mute->engine, &commit, see_commit), KAN_OK);
    assert_int_equal(seen.calls, 2);
    pass(mute, 0);
    assert_int_equal(seen.calls, 3);
    assert_int_equal(mute->canceled, 3);
    mute_free(mute);
}

static void test_cancel_is_deferred(void **state)
{
    struct mute *mute = mute_new();
    struct four four;

    (void)state;
    four_start(mute, &four);
    engine_cancel(&four.get.request);
    engine_cancel(&four.get.request);
    engine_cancel(&four.watch.request);
    assert_int_equal(four.seen[1].calls + four.seen[3].calls, 0);
    pass(mute, 0);
    assert_int_equal(four.seen[1].err, KAN_CANCELED);
    assert_int_equal(four.seen[3].err, KAN_CANCELED);
    assert_int_equal(four.seen[1].calls, 1);
    /* The true answer comes before the cancel is carried out. */
    engine_cancel(&four.commit.request);
    engine_answer(&four.commit.request, KAN_OK);
    engine_cancel(&four.commit.request);
    engine_cancel(&four.scan.request);
    pass(mute, 0);
    assert_int_equal(four.seen[0].calls, 1);
    assert_int_equal(four.seen[0].err, KAN_OK);
    assert_int_equal(four.seen[2].err, KAN_CANCELED);
    assert_int_equal(mute->engine.open_count, 0);
    mute_free(mute);
}

static void test_reports_stop_at_cancel(void **state)
{
    struct mute *mute = mute_new();
    struct engine_change change = {.key = SLICE("k"), .created = 1};
    struct four four;

    (void)state;
    four_start(mute, &four);
    engine_report(&four.watch, 1, &change, 1);
    assert_int_equal(four.seen[3].changes, 1);
    engine_cancel(&four.watch.request);
    engine_report(&four.watch, 2, &change, 1);
    assert_int_equal(four.seen[3].changes, 1);
    pass(mute, 0);
    engine_answer(&four.commit.request, KAN_OK);
    engine_answer(&four.get.request, KAN_OK);
    engine_answer(&four.scan.request, KAN_OK);
    mute_free(mute);
}

static void count_close(void *data)
{
    ++*(unsigned *)data;
}

static void test_close(void **state)
{
    struct mute *mute = mute_new();
    unsigned closed = 0;
    struct four four;

    (void)state;
    four_start(mute, &four);
    engine_close(&mute->engine, &closed, count_close);
    assert_int_equal(engine_get(&mute->engine, &four.get, see_get), KAN_CLOSED);
    assert_int_equal(mute->closes + mute->canceled, 0);
    pass(mute, 0);
    assert_int_equal(mute->closes, 1);
    assert_int_equal(mute->open_at_close, 1); /* the commit */
    assert_int_equal(four.seen[0].calls, 0);
    for (int i = 1; i < 4; i++)
        assert_int_equal(four.seen[i].err, KAN_CLOSED);
    /* A commit may still run into its deadline, or be canceled. */
    engine_cancel(&four.commit.request);
    pass(mute, UINT64_C(60) * ENV_S);
    assert_int_equal(four.seen[0].err, KAN_CANCELED);
    assert_int_equal(mute->closes, 1);
    engine_fini(&mute->engine);
    mute->close_cb(mute->close_data);
    assert_int_equal(closed, 1);
    mute_free(mute);
}

static void test_busy(void **state)
{
    struct mute *mute = mute_new();
    struct seen seen = {.mute = mute};
    struct kan_slice key = SLICE("k");
    struct engine_get gets[3];

    (void)state;
    mute->engine.open_max = 2;
    for (int i = 0; i < 3; i++) {
        gets[i] = (struct engine_get){
            .request.data = &seen, .keys = &key, .key_count = 1};
        assert_int_equal(engine_get(&mute->engine, &gets[i], see_get),
                         i < 2 ? KAN_OK : KAN_BUSY);
    }
    assert_non_null(strstr(engine_message(&mute->engine), "2 requests"));
    assert_int_equal(engine_stats(&mute->engine).waiting, 2);
    assert_int_equal(engine_stats(&mute->engine).commits, 42);
    engine_answer(&gets[0].request, KAN_OK);
    assert_int_equal(engine_get(&mute->engine, &gets[2], see_get), KAN_OK);
    engine_answer(&gets[1].request, KAN_OK);
    engine_answer(&gets[2].request, KAN_OK);
    mute_free(mute);
}

static void test_no_memory_for_a_timer(void **state)
{
    struct mute *mute = mute_new();
    struct seen seen = {.mute = mute};
    struct kan_slice key = SLICE("k");
    struct engine_get get = {
        .request.data = &seen, .keys = &key, .key_count = 1};

    (void)state;
    mem_fault(1, true);
    assert_int_equal(engine_get(&mute->engine, &get, see_get), KAN_NOMEM);
    mem_fault(0, false);
    assert_int_equal(mute->submitted, 0);
    assert_int_equal(mute->engine.open_count, 0);
    pass(mute, UINT64_C(60) * ENV_S);
    assert_int_equal(seen.calls, 0);
    mute_free(mute);
}

/* A callback that submits again and closes. */
static void test_callbacks_reenter(void **state);

struct again
{
    struct mute *mute;
    struct engine_get get;
    unsigned calls;
    unsigned closed;
};

static void again_get(struct engine_get *get, enum kan_err err)
{
    struct again *again = get->request.data;

    (void)err;
    if (++again->calls == 1) {
        assert_int_equal(engine_get(&again->mute->engine, get, again_get),
                         KAN_OK);
        assert_int_equal(again->calls, 1);
    } else {
        engine_close(&again->mute->engine, &again->closed, count_close);
        assert_int_equal(again->mute->closes, 0);
    }
}

static void test_callbacks_reenter(void **state)
{
    struct mute *mute = mute_new();
    struct kan_slice key = SLICE("k");
    struct again again = {.mute = mute};

    (void)state;
    again.get.request.data = &again;
    again.get.keys = &key;
    again.get.key_count = 1;
    assert_int_equal(engine_get(&mute->engine, &again.get, again_get), KAN_OK);
    engine_answer(&again.get.request, KAN_OK);
    assert_int_equal(again.calls, 1);
    engine_answer(&again.get.request, KAN_OK);
    assert_int_equal(again.calls, 2);
    pass(mute, 0);
    assert_int_equal(mute->closes, 1);
    mute_free(mute);
}

/* --- rules ---------------------------------------------------------------- */

static void test_guards(void **state)
{
    struct engine_guard guard = {ENGINE_IF_VERSION, SLICE("k"), 5};

    (void)state;
    assert_true(engine_guard_holds(&guard, 1, 5));
    assert_false(engine_guard_holds(&guard, 5, 6));
    assert_false(engine_guard_holds(&guard, 0, 5));
    guard.kind = ENGINE_IF_CREATED;
    assert_true(engine_guard_holds(&guard, 5, 6));
    assert_false(engine_guard_holds(&guard, 4, 5));
    guard.revision = 0;
    assert_false(engine_guard_holds(&guard, 0, 0));
    guard.kind = ENGINE_IF_ABSENT;
    assert_true(engine_guard_holds(&guard, 0, 0));
    assert_false(engine_guard_holds(&guard, 1, 1));
    guard.kind = ENGINE_IF_PRESENT;
    assert_false(engine_guard_holds(&guard, 0, 0));
    assert_true(engine_guard_holds(&guard, 1, 1));
}

static void test_append_key(void **state)
{
    unsigned char key[2 + ENGINE_APPEND_SIZE];

    (void)state;
    engine_append_key(SLICE("p/"), UINT64_C(0x0102030405060708), 0x090a0b0c,
                      key);
    assert_memory_equal(
        key, "p/\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", sizeof key);
}

static void test_expiry(void **state)
{
    (void)state;
    assert_int_equal(engine_expires_at(ENGINE_FOREVER, 5, 100, 200), 0);
    assert_int_equal(engine_expires_at(ENGINE_TTL, 5, 100, 200), 105);
    assert_int_equal(engine_expires_at(ENGINE_LEASE, 5, 100, 200),
                     200 + 5 * ENV_MS);
    assert_int_equal(engine_expires_at(ENGINE_TTL, UINT64_MAX, 100, 200),
                     INT64_MAX);
    assert_int_equal(engine_expires_at(ENGINE_TTL, INT64_MAX - 100, 100, 200),
                     INT64_MAX);
    assert_int_equal(engine_expires_at(ENGINE_LEASE, UINT64_MAX, 1, 2),
                     INT64_MAX);
    assert_int_equal(
        engine_expires_at(ENGINE_LEASE, (INT64_MAX - 7) / ENV_MS, 1, 7),
        (INT64_MAX - 7) / ENV_MS * ENV_MS + 7);
    assert_false(engine_expired(ENGINE_TTL, 105, 104, 999));
    assert_true(engine_expired(ENGINE_TTL, 105, 105, 0));
    assert_false(engine_expired(ENGINE_LEASE, 105, 999, 104));
    assert_true(engine_expired(ENGINE_LEASE, 105, 0, 105));
    assert_false(engine_expired(ENGINE_FOREVER, 0, 999, 999));
}

static void test_cursors(void **state)
{
    struct engine_cursor here = {1, 2, 30}, from = {1, 2, 30};

    (void)state;
    assert_true(engine_cursor_known(&here, &from));
    from.revision = 0;
    assert_true(engine_cursor_known(&here, &from));
    from.revision = 31;
    assert_false(engine_cursor_known(&here, &from));
    from = (struct engine_cursor){2, 2, 3};
    assert_false(engine_cursor_known(&here, &from));
    from = (struct engine_cursor){1, 3, 3};
    assert_false(engine_cursor_known(&here, &from));
}

static void expect_missing(struct engine_promises has,
                           struct engine_promises needs, const char *words)
{
    char why[200] = "x";

    assert_int_equal(engine_promises_cover(&has, &needs, why, sizeof why),
                     words[0] ? KAN_INVALID : KAN_OK);
    assert_string_equal(why, words);
}

static void test_cover(void **state)
{
    struct engine_promises none = {0};
    const struct engine_promises *etcd = engine_profile(SLICE("etcd"));
    char tiny[6] = "x";

    (void)state;
    expect_missing(none, none, "");
    expect_missing(*etcd, none, "");
    expect_missing(*etcd, *etcd, "");
    expect_missing(none, (struct engine_promises){.append = true},
                   "needs append");
    expect_missing(*etcd, (struct engine_promises){.ops_max = 129},
                   "needs atomic ops of 129 (has 128)");
    expect_missing(*etcd, (struct engine_promises){.expiry_ms = 1000}, "");
    expect_missing(*etcd,
                   (struct engine_promises){.expiry_ms = 999, .append = true},
                   "needs expiry to 999 ms (has 1000 ms), append");
    expect_missing(none, (struct engine_promises){.expiry_ms = 5},
                   "needs expiry");
    expect_missing(none, (struct engine_promises){.durable = ENGINE_FSYNC},
                   "needs durable(fsync)");
    assert_int_equal(
        engine_promises_cover(&none, &(struct engine_promises){.append = true},
                              tiny, sizeof tiny),
        KAN_INVALID);
    assert_string_equal(tiny, "needs");
}

static void test_mask(void **state)
{
    const struct engine_promises *etcd = engine_profile(SLICE("etcd"));
    const struct engine_promises *nats = engine_profile(SLICE("nats"));
    struct engine_promises both = engine_promises_mask(*etcd, *nats);

    (void)state;
    assert_null(engine_profile(SLICE("etc")));
    assert_null(engine_profile(SLICE("")));
    assert_int_equal(both.ops_max, 1);
    assert_int_equal(both.expiry_ms, 0);
    assert_int_equal(both.durable, ENGINE_ASYNC);
    assert_false(both.scan);
    assert_true(both.shared);
    both.expiry_ms = 1;
    assert_int_equal(engine_promises_mask(*etcd, both).expiry_ms, 1000);
    for (const struct engine_profile *p = engine_profiles; p->name; p++) {
        both = engine_promises_mask(p->promises, p->promises);
        expect_missing(both, p->promises, "");
        expect_missing(p->promises, both, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_cancel_is_deferred),
        cmocka_unit_test(test_reports_stop_at_cancel),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_no_memory_for_a_timer),
        cmocka_unit_test(test_callbacks_reenter),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_append_key),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_cursors),
        cmocka_unit_test(test_cover),
        cmocka_unit_test(test_mask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
