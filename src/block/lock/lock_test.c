/* Tests of what the lock block promises, on engines that work. Test names cite
 * the guarantees of docs/guarantees/lock.md. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "block/lock/lock_line.h"
#include "block/lock/lock_place.h"
#include "engine/profile.h"

/* --- try, release, renew -------------------------------------------------- */

/* K-LOCK-1 */
static void k_lock_1_one_holder_at_a_time(void **context)
{
    (void)context;
    for (int kind = 0; kind < PLACE_KINDS; kind++) {
        struct place place;
        struct lock_request request;
        place_open(&place, (enum place_kind)kind, 1);
        must_acquire(&place, "r", "alice", 10000);
        assert_int_equal(acquire(&place, "r", "bob", 10000).outcome, LOCK_HELD);
        assert_int_equal(acquire(&place, "r", "alice", 10000).outcome,
                         LOCK_HELD);
        must_acquire(&place, "s", "bob", 10000);
        request = release(&place, "r", "alice", 0);
        assert_int_equal(request.outcome, LOCK_OK);
        must_acquire(&place, "r", "bob", 10000);
        place_close(&place);
    }
}

/* K-LOCK-1, K-LOCK-7: to the millisecond, by the engine's clock. */
static void k_lock_7_a_lease_ends(void **context)
{
    (void)context;
    for (int kind = 0; kind < PLACE_KINDS; kind++) {
        struct place place;
        place_open(&place, (enum place_kind)kind, 1);
        must_acquire(&place, "r", "alice", 2000);
        pass(&place, 1990);
        assert_int_equal(acquire(&place, "r", "bob", 10).outcome, LOCK_HELD);
        pass(&place, 10);
        must_acquire(&place, "r", "bob", 2000);
        assert_int_equal(release(&place, "r", "alice", 0).outcome, LOCK_OTHER);
        place_close(&place);
    }
}

/* K-LOCK-2 */
static void k_lock_2_tokens_grow(void **context)
{
    struct place place;
    uint64_t last = 0;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    for (int i = 0; i < 30; i++) {
        struct lock_request request = acquire(&place, "r", "me", 1000);
        assert_int_equal(request.outcome, LOCK_OK);
        assert_true(request.granted > last);
        last = request.granted;
        request = renew(&place, "r", "me", i % 2 ? last : 0, 500);
        assert_int_equal(request.outcome, LOCK_OK);
        assert_int_equal(request.granted, last);
        if (i % 3)
            assert_int_equal(release(&place, "r", "", last).outcome, LOCK_OK);
        else
            pass(&place, 500);
    }
    place_close(&place);
}

/* K-LOCK-3 */
static void k_lock_3_only_the_owner_releases(void **context)
{
    struct place place;
    uint64_t token;

    (void)context;
    place_open(&place, PLACE_SQLITE, 1);
    assert_int_equal(release(&place, "r", "alice", 0).outcome, LOCK_NOTFOUND);
    assert_int_equal(release(&place, "r", "", 5).outcome, LOCK_NOTFOUND);
    token = must_acquire(&place, "r", "alice", 10000);
    assert_int_equal(release(&place, "r", "bob", 0).outcome, LOCK_OTHER);
    assert_int_equal(release(&place, "r", "bob", token).outcome, LOCK_OTHER);
    assert_int_equal(release(&place, "r", "alice", token + 1).outcome,
                     LOCK_OTHER);
    assert_int_equal(release(&place, "r", "", token + 1).outcome, LOCK_OTHER);
    assert_int_equal(acquire(&place, "r", "bob", 10).outcome, LOCK_HELD);
    assert_int_equal(release(&place, "r", "alice", token).outcome, LOCK_OK);
    assert_int_equal(release(&place, "r", "alice", token).outcome,
                     LOCK_NOTFOUND);
    place_close(&place);
}

static void a_renewal_begins_the_lease_anew(void **context)
{
    struct place place;
    uint64_t token;
    struct lock_request request;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    token = must_acquire(&place, "r", "alice", 1000);
    for (int i = 0; i < 5; i++) {
        pass(&place, 900);
        request = renew(&place, "r", "", token, 1000);
        assert_int_equal(request.outcome, LOCK_OK);
        assert_int_equal(request.lease.until_ns / ENV_MS,
                         now_ms(&place) + 1000);
    }
    assert_int_equal(renew(&place, "r", "bob", 0, 1000).outcome, LOCK_OTHER);
    pass(&place, 1000);
    assert_int_equal(renew(&place, "r", "", token, 1000).outcome,
                     LOCK_NOTFOUND);
    must_acquire(&place, "r", "bob", 1000);
    assert_int_equal(renew(&place, "r", "", token, 1000).outcome, LOCK_OTHER);
    assert_int_equal(renew(&place, "r", "alice", 0, 1000).outcome, LOCK_OTHER);
    place_close(&place);
}

static void what_is_wrong_is_named(void **context)
{
    static char bytes[LOCK_OWNER_MAX + 1];
    struct place place;
    struct asked asked;

    (void)context;
    memset(bytes, 'x', LOCK_OWNER_MAX);
    place_open(&place, PLACE_MEMORY, 1);
    assert_int_equal(acquire(&place, "", "me", 1).outcome, LOCK_RESOURCE_EMPTY);
    assert_int_equal(acquire(&place, "a||b", "me", 1).outcome,
                     LOCK_RESOURCE_ILLEGAL);
    assert_int_equal(acquire(&place, "a", "", 1).outcome, LOCK_OWNER_EMPTY);
    assert_int_equal(acquire(&place, "a", "me", 0).outcome,
                     LOCK_EXPIRY_ILLEGAL);
    assert_int_equal(release(&place, "a", "", 0).outcome, LOCK_OWNER_EMPTY);
    assert_int_equal(release(&place, "", "me", 0).outcome, LOCK_RESOURCE_EMPTY);
    assert_int_equal(renew(&place, "a", "me", 0, 0).outcome,
                     LOCK_EXPIRY_ILLEGAL);
    /* The longest that are allowed, together. */
    asked = to_acquire(&place, bytes, bytes, LOCK_EXPIRY_MAX_MS, 0);
    ask_acquire(&place, &asked);
    run_until(&place, &asked.done);
    assert_int_equal(asked.request.outcome, LOCK_OK);
    asked.request.resource.size++;
    asked.done = asked.submitted = false;
    ask_acquire(&place, &asked);
    run_until(&place, &asked.done);
    assert_int_equal(asked.request.outcome, LOCK_RESOURCE_TOO_LONG);
    place_close(&place);
}

static void stores_do_not_meet(void **context)
{
    struct place place;
    struct lock_store *other;
    struct lock_store *first;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    first = place.store;
    must_acquire(&place, "r", "alice", 1000);
    other = store_with(&place, "lock||other||");
    place.store = other;
    must_acquire(&place, "r", "alice", 1000);
    store_close(&place, other);
    other = store_with(&place, "lock||kan||");
    place.store = other;
    assert_int_equal(acquire(&place, "r", "alice", 1000).outcome, LOCK_HELD);
    store_close(&place, other);
    place.store = first;
    place_close(&place);
}

static void what_an_engine_lacks_is_named(void **context)
{
    static const struct
    {
        const char *name;
        const char *lacks; /* NULL: nothing */
    } rows[] = {{"redis", "linearizable"},
                {"etcd", NULL},
                {"postgres", NULL},
                {"zookeeper", "expiry"},
                {"nats", "guard_created"}};
    struct place place;
    static char prefix[LOCK_PREFIX_MAX + 1];
    struct lock_options options = {.prefix = kan_text("lock||")};
    struct lock_store *store = NULL;
    char why[256];

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct memory_options memory = {
            .profile = engine_profile(kan_text(rows[i].name))};
        bool closed = false;
        enum kan_err err;
        assert_int_equal(
            engine_memory_open(place.env, &memory, &options.engine), KAN_OK);
        err = lock_store_new(&options, why, sizeof(why), &store);
        assert_int_equal(err, rows[i].lacks ? KAN_INVALID : KAN_OK);
        if (err)
            assert_non_null(strstr(why, rows[i].lacks));
        else
            store_close(&place, store);
        engine_close(options.engine, &closed, set_flag);
        run_until(&place, &closed);
    }
    options.engine = place.engine;
    options.prefix = kan_slice(prefix, sizeof(prefix));
    assert_int_equal(lock_store_new(&options, why, sizeof(why), &store),
                     KAN_INVALID);
    assert_non_null(strstr(why, "512"));
    assert_int_equal(lock_store_new(&options, NULL, 0, &store), KAN_INVALID);
    place_close(&place);
}

/* --- waiting -------------------------------------------------------------- */

/* K-LOCK-6 */
static void k_lock_6_first_come_first_served(void **context)
{
    enum
    {
        COUNT = 10
    };
    (void)context;
    for (int kind = 0; kind < PLACE_KINDS; kind++) {
        struct place place;
        struct asked asked[COUNT];
        uint64_t token;
        place_open(&place, (enum place_kind)kind, 1);
        token = must_acquire(&place, "r", "first", 60000);
        for (int i = 0; i < COUNT; i++) {
            asked[i] = to_acquire(&place, "r", "next", 60000, 60000);
            ask_acquire(&place, &asked[i]);
        }
        assert_int_equal(lock_store_stats(place.store).waiting, COUNT);
        for (int i = 0; i < COUNT; i++) {
            uint64_t begin = now_ms(&place);
            assert_false(asked[i].done);
            assert_int_equal(release(&place, "r", "", token).outcome, LOCK_OK);
            run_until(&place, &asked[i].done);
            /* Woken by the report, not by the clock. */
            assert_true(asked[i].at_ms - begin < LOCK_POLL_MS / 10);
            assert_int_equal(asked[i].request.outcome, LOCK_OK);
            assert_true(asked[i].request.granted > token);
            token = asked[i].request.granted;
        }
        assert_int_equal(lock_store_stats(place.store).waiting, 0);
        place_close(&place);
    }
}

/* K-LOCK-7: nobody releases it; it is swept within a second. */
static void k_lock_7_a_waiter_is_woken_by_expiry(void **context)
{
    struct place place;
    struct asked asked;
    uint64_t begin;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    begin = now_ms(&place);
    must_acquire(&place, "r", "dead", 3000);
    asked = to_acquire(&place, "r", "next", 1000, 60000);
    ask_acquire(&place, &asked);
    run_until(&place, &asked.done);
    assert_int_equal(asked.request.outcome, LOCK_OK);
    assert_in_range(asked.at_ms - begin, 3000, 4000);
    place_close(&place);
}

static void the_wait_ends_on_time(void **context)
{
    struct place place;
    struct asked asked[3];
    uint64_t begin;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    must_acquire(&place, "r", "first", 60000);
    begin = now_ms(&place);
    asked[0] = to_acquire(&place, "r", "a", 1000, 2500);
    asked[1] = to_acquire(&place, "r", "b", 1000, 1300);
    asked[2] = to_acquire(&place, "r", "c", 1000, 0);
    for (int i = 0; i < 3; i++)
        ask_acquire(&place, &asked[i]);
    for (int i = 0; i < 3; i++) {
        run_until(&place, &asked[i].done);
        assert_int_equal(asked[i].request.outcome, LOCK_HELD);
    }
    assert_int_equal(asked[0].at_ms - begin, 2500);
    assert_int_equal(asked[1].at_ms - begin, 1300);
    assert_true(asked[2].at_ms - begin < 10);
    place_close(&place);
}

/* K-LOCK-7: lines are bounded, each and all together. */
static void k_lock_7_lines_have_an_end(void **context)
{
    enum
    {
        MORE = 6
    };
    struct place place;
    static struct asked asked[LOCK_LINE_MAX + MORE];
    struct lock_options options = {.prefix = kan_text("lock||kan||"),
                                   .waiting_max = LOCK_LINE_MAX + MORE};
    struct lock_request one_more;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    store_close(&place, place.store);
    options.engine = place.engine;
    assert_int_equal(lock_store_new(&options, NULL, 0, &place.store), KAN_OK);
    for (int i = 0; i < LOCK_LINE_MAX + MORE; i++) {
        const char *resource = i < LOCK_LINE_MAX ? "r" : "s";
        asked[i] = to_acquire(&place, resource, "me", 60000, 3000);
        if (i == LOCK_LINE_MAX) {
            one_more = asked[0].request;
            memset(&one_more.link, 0, sizeof(one_more.link));
            assert_int_equal(lock_acquire(place.store, &one_more, NULL),
                             KAN_BUSY);
        }
        ask_acquire(&place, &asked[i]);
    }
    one_more.resource = kan_text("t");
    assert_int_equal(lock_acquire(place.store, &one_more, NULL), KAN_BUSY);
    for (int i = 0; i < LOCK_LINE_MAX + MORE; i++) {
        run_until(&place, &asked[i].done);
        assert_int_equal(asked[i].request.outcome,
                         i == 0 || i == LOCK_LINE_MAX ? LOCK_OK : LOCK_HELD);
    }
    must_acquire(&place, "t", "me", 1000);
    place_close(&place);
}

/* K-LOCK-7: whoever cancels, at whatever moment, is answered and keeps
 * nothing. */
static void k_lock_7_a_canceled_waiter_keeps_nothing(void **context)
{
    (void)context;
    for (int steps = 0; steps < 12; steps++) {
        struct place place;
        struct asked asked[2];
        uint64_t token;
        place_open(&place, PLACE_SQLITE, (uint64_t)steps);
        token = must_acquire(&place, "r", "first", 60000);
        for (int i = 0; i < 2; i++) {
            asked[i] = to_acquire(&place, "r", "next", 60000, 60000);
            ask_acquire(&place, &asked[i]);
        }
        pass(&place, 50);
        assert_int_equal(release(&place, "r", "", token).outcome, LOCK_OK);
        for (int i = 0; i < steps && !asked[0].done; i++)
            sim_step(place.world);
        lock_cancel(&asked[0].request);
        lock_cancel(&asked[0].request);
        run_until(&place, &asked[0].done);
        if (asked[0].request.outcome == LOCK_OK) {
            assert_int_equal(
                release(&place, "r", "", asked[0].request.granted).outcome,
                LOCK_OK);
        } else {
            assert_int_equal(asked[0].request.outcome, LOCK_FAILED);
            assert_int_equal(asked[0].request.err, KAN_CANCELED);
        }
        lock_cancel(&asked[0].request);
        run_until(&place, &asked[1].done);
        assert_int_equal(asked[1].request.outcome, LOCK_OK);
        place_close(&place);
    }
}

/* --- notice of loss ------------------------------------------------------- */

/* K-LOCK-5 */
static void k_lock_5_a_loss_is_told_in_time(void **context)
{
    (void)context;
    for (int kind = 0; kind < PLACE_KINDS; kind++) {
        struct place place;
        struct held held[3];
        struct lock_request granted[3];
        uint64_t begin;
        place_open(&place, (enum place_kind)kind, 1);
        begin = now_ms(&place);
        granted[0] = acquire(&place, "expires", "me", 2000);
        granted[1] = acquire(&place, "renewed", "me", 2000);
        granted[2] = acquire(&place, "released", "me", 2000);
        hold_start(&place, &held[0], "expires", &granted[0]);
        hold_start(&place, &held[1], "renewed", &granted[1]);
        hold_start(&place, &held[2], "released", &granted[2]);
        pass(&place, 1000);
        assert_int_equal(release(&place, "released", "me", 0).outcome, LOCK_OK);
        assert_int_equal(renew(&place, "renewed", "me", 0, 2000).outcome,
                         LOCK_OK);
        run_until(&place, &held[2].told);
        assert_true(held[2].at_ms - begin < 1100);
        run_until(&place, &held[0].told);
        assert_in_range(held[0].at_ms - begin, 1990, 2000);
        run_until(&place, &held[1].told);
        assert_in_range(held[1].at_ms - begin, 2990, 3100);
        for (int i = 0; i < 3; i++)
            assert_int_equal(held[i].why, KAN_NOTFOUND);
        assert_int_equal(lock_store_stats(place.store).lost, 3);
        place_close(&place);
    }
}

/* K-LOCK-5: told when it happens, though the lease would have run on. */
static void k_lock_5_a_release_by_another_store_is_told(void **context)
{
    struct place place;
    struct held held[2];
    struct lock_request granted;
    struct lock_store *first, *other;

    (void)context;
    place_open(&place, PLACE_SQLITE, 1);
    granted = acquire(&place, "r", "me", 60000);
    hold_start(&place, &held[0], "r", &granted);
    first = place.store;
    other = store_with(&place, "lock||kan||");
    place.store = other;
    assert_int_equal(release(&place, "r", "me", 0).outcome, LOCK_OK);
    run_until(&place, &held[0].told);
    assert_int_equal(held[0].why, KAN_NOTFOUND);
    assert_true(held[0].at_ms < now_ms(&place) + 100);
    place.store = first;
    /* A hold that begins late: somebody else has it already. */
    place.store = other;
    must_acquire(&place, "r", "you", 60000);
    place.store = first;
    hold_start(&place, &held[1], "r", &granted);
    assert_int_equal(renew(&place, "r", "", granted.granted, 1000).outcome,
                     LOCK_OTHER);
    run_until(&place, &held[1].told);
    assert_int_equal(held[1].why, KAN_FENCED);
    store_close(&place, other);
    place_close(&place);
}

static void a_hold_may_be_stopped(void **context)
{
    struct place place;
    struct held held[3];
    struct lock_request granted;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    granted = acquire(&place, "r", "me", 1000);
    for (int i = 0; i < 3; i++)
        hold_start(&place, &held[i], "r", &granted);
    lock_hold_stop(&held[1].hold);
    lock_hold_stop(&held[1].hold);
    assert_false(held[1].told);
    run_until(&place, &held[1].told);
    lock_hold_stop(&held[1].hold);
    assert_int_equal(held[1].why, KAN_CANCELED);
    lock_hold_stop(&held[2].hold);
    run_until(&place, &held[2].told);
    run_until(&place, &held[0].told);
    assert_int_equal(held[0].why, KAN_NOTFOUND);
    held[0].hold.resource = kan_text("a||b");
    assert_int_equal(lock_hold_start(place.store, &held[0].hold, NULL),
                     KAN_INVALID);
    place_close(&place);
}

/* --- fencing -------------------------------------------------------------- */

struct committed
{
    bool done;
    enum kan_err err;
};

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct committed *committed = commit->request.data;

    committed->done = true;
    committed->err = err;
}

static enum kan_err write_fenced(struct place *place, const char *resource,
                                 uint64_t token)
{
    struct lock_key key;
    struct engine_guard guard;
    struct committed committed = {0};
    struct engine_write write = {.key = kan_text("data"),
                                 .value = kan_text("v")};
    struct engine_commit commit = {
        .guards = &guard, .guard_count = 1, .writes = &write, .write_count = 1};

    assert_int_equal(
        lock_fence_guard(place->store, kan_text(resource), token, &key, &guard),
        KAN_OK);
    commit.request.data = &committed;
    assert_int_equal(engine_commit(place->engine, &commit, on_commit), KAN_OK);
    memset(&key, 0xee, sizeof(key));
    run_until(place, &committed.done);
    return committed.err;
}

/* K-LOCK-4 */
static void k_lock_4_an_expired_holder_is_refused(void **context)
{
    (void)context;
    for (int kind = 0; kind < PLACE_KINDS; kind++) {
        struct place place;
        struct engine_guard guard;
        struct lock_key key;
        uint64_t token, later;
        place_open(&place, (enum place_kind)kind, 1);
        token = must_acquire(&place, "r", "alice", 1000);
        assert_int_equal(write_fenced(&place, "r", token), KAN_OK);
        assert_int_equal(write_fenced(&place, "r", token + 1), KAN_CONFLICT);
        assert_int_equal(renew(&place, "r", "", token, 1000).outcome, LOCK_OK);
        assert_int_equal(write_fenced(&place, "r", token), KAN_OK);
        /* Nobody has it, and yet it is not alice's any more. */
        pass(&place, 1000);
        assert_int_equal(write_fenced(&place, "r", token), KAN_CONFLICT);
        later = must_acquire(&place, "r", "bob", 1000);
        assert_int_equal(write_fenced(&place, "r", token), KAN_CONFLICT);
        assert_int_equal(write_fenced(&place, "r", later), KAN_OK);
        assert_int_equal(
            lock_fence_guard(place.store, kan_text("r"), 0, &key, &guard),
            KAN_INVALID);
        assert_int_equal(
            lock_fence_guard(place.store, kan_text("a||b"), 1, &key, &guard),
            KAN_INVALID);
        place_close(&place);
    }
}

/* --- closing -------------------------------------------------------------- */

/* K-LOCK-10, K-LOCK-7: at whatever moment, everybody is told, and what comes
 * too late is taken back. */
static void k_lock_10_closing_answers_everybody(void **context)
{
    (void)context;
    for (int steps = 0; steps < 16; steps++) {
        struct place place;
        struct asked asked[5];
        struct held held;
        struct lock_request granted;
        bool closed = false;
        place_open(&place, PLACE_SQLITE, (uint64_t)steps);
        granted = acquire(&place, "r", "me", 60000);
        hold_start(&place, &held, "r", &granted);
        asked[0] = to_acquire(&place, "r", "a", 1000, 60000);
        asked[1] = to_acquire(&place, "r", "b", 1000, 60000);
        asked[2] = to_acquire(&place, "s", "c", 60000, 0);
        asked[3] = to_change("r", "", granted.granted, 1000);
        asked[4] = to_change("r", "me", 0, 0);
        for (int i = 0; i < 3; i++)
            ask_acquire(&place, &asked[i]);
        ask_renew(&place, &asked[3]);
        ask_release(&place, &asked[4]);
        for (int i = 0; i < steps; i++)
            sim_step(place.world);
        lock_store_close(place.store, &closed, set_flag);
        assert_int_equal(lock_acquire(place.store, &granted, NULL), KAN_CLOSED);
        assert_int_equal(lock_release(place.store, &granted, NULL), KAN_CLOSED);
        assert_int_equal(lock_hold_start(place.store, &held.hold, NULL),
                         KAN_CLOSED);
        run_until(&place, &closed);
        for (int i = 0; i < 5; i++)
            assert_true(asked[i].done);
        assert_true(held.told);
        place.store = store_with(&place, "lock||kan||");
        if (asked[2].request.outcome != LOCK_OK)
            must_acquire(&place, "s", "d", 1000);
        place_close(&place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_lock_1_one_holder_at_a_time),
        cmocka_unit_test(k_lock_7_a_lease_ends),
        cmocka_unit_test(k_lock_2_tokens_grow),
        cmocka_unit_test(k_lock_3_only_the_owner_releases),
        cmocka_unit_test(a_renewal_begins_the_lease_anew),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(stores_do_not_meet),
        cmocka_unit_test(what_an_engine_lacks_is_named),
        cmocka_unit_test(k_lock_6_first_come_first_served),
        cmocka_unit_test(k_lock_7_a_waiter_is_woken_by_expiry),
        cmocka_unit_test(the_wait_ends_on_time),
        cmocka_unit_test(k_lock_7_lines_have_an_end),
        cmocka_unit_test(k_lock_7_a_canceled_waiter_keeps_nothing),
        cmocka_unit_test(k_lock_5_a_loss_is_told_in_time),
        cmocka_unit_test(k_lock_5_a_release_by_another_store_is_told),
        cmocka_unit_test(a_hold_may_be_stopped),
        cmocka_unit_test(k_lock_4_an_expired_holder_is_refused),
        cmocka_unit_test(k_lock_10_closing_answers_everybody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
