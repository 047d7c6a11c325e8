/* Tests of the locks of kan/lock.h, on an engine in a simulated world, where
 * time passes at once, and in the world itself. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <kan/lock.h>

#include "base/alloc.h"
#include "block/loop/loop.h"
#include "block/state/typed.h"
#include "engine/memory/memory.h"
#include "env/sim/sim.h"

/* --- a place to test in --------------------------------------------------- */

struct place
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    kan_loop *loop;
    kan_strong store;
    kan_locks *locks;
    int64_t live; /* blocks before */
};

static void place_open(struct place *place)
{
    struct kan_store_options options = {0};
    struct engine *engine;
    char why[128] = "";

    memset(place, 0, sizeof(*place));
    place->live = mem_live();
    tape_init_seed(&place->tape, 1);
    assert_int_equal(sim_world_new(&place->tape, NULL, &place->world), KAN_OK);
    assert_int_equal(sim_node_new(place->world, "a", &place->env), KAN_OK);
    assert_int_equal(loop_new_on(place->env, &place->loop), KAN_OK);
    assert_int_equal(engine_memory_open(place->env, NULL, &engine), KAN_OK);
    if (typed_new(place->loop, engine, &options, TYPED_STRONG, why, sizeof(why),
                  &place->store.store) ||
        kan_locks_open(place->store, NULL, why, sizeof(why), &place->locks))
        fail_msg("%s", why);
    assert_string_equal(kan_locks_message(place->locks), "");
}

static void place_close(struct place *place)
{
    kan_locks_close(place->locks);
    kan_strong_close(place->store);
    kan_loop_free(place->loop);
    env_free(place->env);
    sim_world_free(place->world);
    tape_fini(&place->tape);
    assert_int_equal(mem_live(), place->live);
}

static void pass(struct place *place, uint64_t ms)
{
    sim_run(place->world, sim_now(place->world) + ms * ENV_MS);
}

static kan_lock *must_try(struct place *place, const char *resource,
                          uint64_t expiry_ms)
{
    kan_lock *lock = NULL;

    assert_int_equal(
        kan_lock_try(place->locks, kan_text(resource), expiry_ms, &lock),
        KAN_OK);
    assert_non_null(lock);
    return lock;
}

/* --- holding -------------------------------------------------------------- */

/* K-LOCK-1, K-LOCK-2 */
static void k_lock_1_a_lock_is_held_once(void **context)
{
    struct place place;
    kan_lock *lock, *other = NULL;
    uint64_t token;

    (void)context;
    place_open(&place);
    lock = must_try(&place, "r", 1000);
    token = kan_lock_token(lock);
    assert_int_equal(kan_lock_left_ms(lock), 1000);
    assert_int_equal(kan_lock_try(place.locks, kan_text("r"), 1000, &other),
                     KAN_HELD);
    assert_null(other);
    assert_non_null(strstr(kan_locks_message(place.locks), "wait"));
    assert_int_equal(kan_lock_release(lock), KAN_OK);
    assert_int_equal(kan_lock_release(NULL), KAN_OK);
    lock = must_try(&place, "r", 1000);
    assert_true(kan_lock_token(lock) > token);
    assert_int_equal(kan_lock_release(lock), KAN_OK);
    place_close(&place);
}

static void a_wait_is_rewarded_or_ends(void **context)
{
    struct place place;
    kan_lock *lock, *other = NULL;
    uint64_t begin;

    (void)context;
    place_open(&place);
    lock = must_try(&place, "r", 3000);
    begin = env_now(place.env);
    assert_int_equal(
        kan_lock_acquire(place.locks, kan_text("r"), 1000, 500, &other),
        KAN_HELD);
    assert_int_equal(env_now(place.env) - begin, 500 * (uint64_t)ENV_MS);
    assert_int_equal(
        kan_lock_acquire(place.locks, kan_text("r"), 1000, 9000, &other),
        KAN_OK);
    assert_in_range(env_now(place.env) - begin, 3000 * (uint64_t)ENV_MS,
                    4000 * (uint64_t)ENV_MS);
    assert_int_equal(kan_lock_left_ms(lock), 0);
    assert_int_equal(kan_lock_release(lock), KAN_FENCED);
    assert_int_equal(kan_lock_release(other), KAN_OK);
    place_close(&place);
}

static void what_is_wrong_is_named(void **context)
{
    static char bytes[KAN_LOCK_OWNER_MAX + 2];
    struct kan_locks_options options = {0};
    struct place place;
    kan_locks *locks = NULL;
    kan_lock *lock = NULL;
    char why[128] = "";

    (void)context;
    memset(bytes, 'x', sizeof(bytes) - 1);
    place_open(&place);
    assert_int_equal(kan_lock_try(place.locks, kan_text(""), 1, &lock),
                     KAN_INVALID);
    assert_int_equal(kan_lock_try(place.locks, kan_text("a||b"), 1, &lock),
                     KAN_INVALID);
    assert_int_equal(kan_lock_try(place.locks, kan_text(bytes), 1, &lock),
                     KAN_INVALID);
    assert_non_null(strstr(kan_locks_message(place.locks), "longer"));
    assert_int_equal(kan_lock_try(place.locks, kan_text("a"), 0, &lock),
                     KAN_INVALID);
    assert_null(lock);
    options.owner = kan_text(bytes);
    assert_int_equal(
        kan_locks_open(place.store, &options, why, sizeof(why), &locks),
        KAN_INVALID);
    assert_non_null(strstr(why, "owner"));
    options.owner = kan_text("me");
    options.prefix = kan_text(bytes);
    assert_int_equal(
        kan_locks_open(place.store, &options, why, sizeof(why), &locks),
        KAN_INVALID);
    assert_non_null(strstr(why, "prefix"));
    kan_locks_close(NULL);
    place_close(&place);
}

static void locks_of_two_prefixes_do_not_meet(void **context)
{
    struct kan_locks_options options = {.prefix = kan_text("lock||b||"),
                                        .owner = kan_text("b")};
    struct place place;
    kan_locks *locks = NULL;
    kan_lock *lock, *other = NULL;

    (void)context;
    place_open(&place);
    assert_int_equal(kan_locks_open(place.store, &options, NULL, 0, &locks),
                     KAN_OK);
    lock = must_try(&place, "r", 1000);
    assert_int_equal(kan_lock_try(locks, kan_text("r"), 1000, &other), KAN_OK);
    assert_int_equal(kan_lock_release(other), KAN_OK);
    assert_int_equal(kan_lock_release(lock), KAN_OK);
    kan_locks_close(locks);
    place_close(&place);
}

static void a_scope_releases(void **context)
{
    struct place place;

    (void)context;
    place_open(&place);
    for (int i = 0; i < 3; i++) {
        KAN_LOCK_SCOPED lock = NULL;
        assert_int_equal(kan_lock_try(place.locks, kan_text("r"), 60000, &lock),
                         KAN_OK);
    }
    place_close(&place);
}

/* --- loss and renewal ----------------------------------------------------- */

struct lost
{
    int count;
    enum kan_err why;
    kan_lock *lock;
};

static void on_lost(void *data, kan_lock *lock, enum kan_err why)
{
    struct lost *lost = data;

    lost->count++;
    lost->why = why;
    assert_ptr_equal(lost->lock, lock);
    assert_int_equal(kan_lock_left_ms(lock), 0);
}

/* K-LOCK-5 */
static void k_lock_5_a_loss_is_told_when_the_lease_ends(void **context)
{
    struct place place;
    struct lost lost = {0};

    (void)context;
    place_open(&place);
    lost.lock = must_try(&place, "r", 1000);
    kan_lock_on_loss(lost.lock, &lost, on_lost);
    pass(&place, 900);
    assert_int_equal(kan_lock_left_ms(lost.lock), 100);
    assert_int_equal(kan_lock_renew(lost.lock, 1000), KAN_OK);
    assert_int_equal(kan_lock_left_ms(lost.lock), 1000);
    pass(&place, 999);
    assert_int_equal(lost.count, 0);
    pass(&place, 1);
    assert_int_equal(lost.count, 1);
    assert_int_equal(lost.why, KAN_NOTFOUND);
    /* Whoever asks late is told at once, and whoever takes it back is not. */
    kan_lock_on_loss(lost.lock, &lost, on_lost);
    assert_int_equal(lost.count, 1);
    pass(&place, 1);
    assert_int_equal(lost.count, 2);
    kan_lock_on_loss(lost.lock, &lost, on_lost);
    kan_lock_on_loss(lost.lock, NULL, NULL);
    pass(&place, 1);
    assert_int_equal(lost.count, 2);
    assert_int_equal(kan_lock_renew(lost.lock, 1000), KAN_NOTFOUND);
    assert_int_equal(kan_lock_release(lost.lock), KAN_NOTFOUND);
    place_close(&place);
}

/* K-LOCK-5, K-LOCK-3: another program with the same locks takes it over. */
static void k_lock_5_a_regrant_is_told(void **context)
{
    struct place place;
    struct lost lost = {0};
    kan_lock *later;

    (void)context;
    place_open(&place);
    lost.lock = must_try(&place, "r", 1000);
    kan_lock_on_loss(lost.lock, &lost, on_lost);
    pass(&place, 1000);
    assert_int_equal(lost.count, 1);
    later = must_try(&place, "r", 1000);
    assert_int_equal(kan_lock_renew(lost.lock, 1000), KAN_FENCED);
    assert_int_equal(kan_lock_release(lost.lock), KAN_FENCED);
    assert_int_equal(kan_lock_left_ms(later), 1000);
    assert_int_equal(kan_lock_release(later), KAN_OK);
    place_close(&place);
}

/* --- writing as a holder -------------------------------------------------- */

/* K-LOCK-4 */
static void k_lock_4_only_a_holder_writes(void **context)
{
    struct place place;
    struct kan_value value = {0};
    struct kan_op ops[2] = {{.key = kan_text("a"), .value = kan_text("1")},
                            {.key = kan_text("b"),
                             .value = kan_text("2"),
                             .condition = KAN_IF_ABSENT}};
    struct kan_op check = {.kind = KAN_CHECK, .key = kan_text("a")};
    uint64_t revision = 0;
    kan_lock *lock;

    (void)context;
    place_open(&place);
    lock = must_try(&place, "r", 1000);
    assert_int_equal(kan_strong_put_fenced(place.store, lock, kan_text("k"),
                                           kan_text("mine"), 0, &revision),
                     KAN_OK);
    assert_true(revision > kan_lock_token(lock));
    assert_int_equal(kan_strong_commit_fenced(place.store, lock, ops, 2, NULL),
                     KAN_OK);
    /* A condition of its own is told from the lock's. */
    assert_int_equal(kan_strong_commit_fenced(place.store, lock, ops, 2, NULL),
                     KAN_CONFLICT);
    assert_non_null(strstr(kan_strong_message(place.store), "operation 1"));
    ops[1].condition = KAN_ALWAYS;
    assert_int_equal(
        kan_strong_commit_fenced(place.store, lock, &check, 1, NULL), KAN_OK);
    pass(&place, 1000);
    assert_int_equal(kan_strong_put_fenced(place.store, lock, kan_text("k"),
                                           kan_text("late"), 0, NULL),
                     KAN_FENCED);
    assert_int_equal(kan_strong_commit_fenced(place.store, lock, ops, 2, NULL),
                     KAN_FENCED);
    assert_int_equal(
        kan_strong_commit_fenced(place.store, lock, &check, 1, NULL),
        KAN_FENCED);
    assert_int_equal(kan_strong_get(place.store, kan_text("k"), &value),
                     KAN_OK);
    assert_string_equal(value.bytes, "mine");
    kan_value_fini(&value);
    assert_int_equal(kan_lock_release(lock), KAN_NOTFOUND);
    place_close(&place);
}

static void a_lock_of_another_store_is_refused(void **context)
{
    struct place place;
    struct kan_store_options options = {0};
    struct engine *engine;
    kan_strong other;
    kan_lock *lock;

    (void)context;
    place_open(&place);
    assert_int_equal(engine_memory_open(place.env, NULL, &engine), KAN_OK);
    assert_int_equal(typed_new(place.loop, engine, &options, TYPED_STRONG, NULL,
                               0, &other.store),
                     KAN_OK);
    lock = must_try(&place, "r", 1000);
    assert_int_equal(kan_strong_put_fenced(other, lock, kan_text("k"),
                                           kan_text("v"), 0, NULL),
                     KAN_INVALID);
    assert_int_equal(kan_lock_release(lock), KAN_OK);
    kan_strong_close(other);
    place_close(&place);
}

/* --- callbacks ------------------------------------------------------------ */

struct answer
{
    bool done;
    enum kan_err err;
};

static void on_acquire(struct kan_acquire *acquire, enum kan_err err)
{
    struct answer *answer = acquire->data;

    assert_false(answer->done);
    answer->done = true;
    answer->err = err;
}

static void on_change(struct kan_lock_change *change, enum kan_err err)
{
    struct answer *answer = change->data;

    assert_false(answer->done);
    answer->done = true;
    answer->err = err;
}

static void on_closed(void *data)
{
    *(bool *)data = true;
}

/* K-LOCK-6, K-LOCK-10 */
static void requests_wait_in_line(void **context)
{
    struct place place;
    struct answer answers[3] = {0};
    struct answer changed[2] = {0};
    struct kan_acquire acquires[3];
    struct kan_lock_change change = {.data = &changed[0], .expiry_ms = 5000};
    bool closed = false;

    (void)context;
    place_open(&place);
    for (int i = 0; i < 3; i++) {
        acquires[i] = (struct kan_acquire){.data = &answers[i],
                                           .resource = kan_text("r"),
                                           .owner = kan_text("someone"),
                                           .expiry_ms = 60000,
                                           .wait_ms = UINT64_MAX};
        assert_int_equal(
            kan_lock_acquire_async(place.locks, &acquires[i], on_acquire),
            KAN_OK);
        assert_false(answers[i].done);
    }
    pass(&place, 10);
    assert_true(answers[0].done && !answers[1].done);
    assert_int_equal(answers[0].err, KAN_OK);
    kan_lock_acquire_cancel(&acquires[1]);
    assert_false(answers[1].done);
    pass(&place, 10);
    assert_int_equal(answers[1].err, KAN_CANCELED);
    assert_int_equal(kan_lock_renew_async(acquires[0].lock, &change, on_change),
                     KAN_OK);
    assert_int_equal(kan_lock_renew_async(acquires[0].lock, &change, on_change),
                     KAN_BUSY);
    pass(&place, 10);
    assert_true(changed[0].done && changed[0].err == KAN_OK);
    change.data = &changed[1];
    assert_int_equal(
        kan_lock_release_async(acquires[0].lock, &change, on_change), KAN_OK);
    assert_false(changed[1].done);
    pass(&place, 10);
    assert_true(changed[1].done && changed[1].err == KAN_OK);
    assert_true(answers[2].done && answers[2].err == KAN_OK);
    assert_int_equal(kan_lock_release(acquires[2].lock), KAN_OK);
    /* Who waits while they close is told. */
    kan_locks_close_async(place.locks, &closed, on_closed);
    assert_int_equal(
        kan_lock_acquire_async(place.locks, &acquires[2], on_acquire),
        KAN_CLOSED);
    assert_false(closed);
    pass(&place, 1);
    assert_true(closed);
    place.locks = NULL;
    place_close(&place);
}

/* --- allocation faults ---------------------------------------------------- */

/* The life of a lock, as far as memory allows. */
static enum kan_err fault_body(struct place *place)
{
    kan_locks *locks = NULL;
    kan_lock *lock = NULL;
    enum kan_err err = kan_locks_open(place->store, NULL, NULL, 0, &locks);
    enum kan_err last;

    if (err)
        return err;
    err = kan_lock_acquire(locks, kan_text("r"), 1000, 5000, &lock);
    if (!err)
        err = kan_lock_renew(lock, 2000);
    if (!err)
        err = kan_strong_put_fenced(place->store, lock, kan_text("k"),
                                    kan_text("v"), 0, NULL);
    last = kan_lock_release(lock);
    kan_locks_close(locks);
    return err ? err : last;
}

static void allocation_faults_refuse_and_leak_nothing(void **context)
{
    (void)context;
    for (int sticky = 0; sticky < 2; sticky++) {
        struct place place;
        uint64_t nth = 1;
        place_open(&place);
        for (bool struck = true; struck; nth++) {
            enum kan_err err;
            mem_fault(nth, sticky);
            err = fault_body(&place);
            struck = mem_fault_struck();
            mem_fault(0, false);
            if (!struck)
                assert_int_equal(err, KAN_OK);
            else if (err)
                assert_int_equal(err, KAN_NOMEM);
            /* K-LOCK-7: whatever failed, it is free again in time. */
            assert_int_equal(fault_body(&place), KAN_OK);
        }
        assert_true(nth > 10);
        place_close(&place);
    }
}

/* --- in the world --------------------------------------------------------- */

static void locks_work_on_a_file(void **context)
{
    char path[] = "/tmp/kan-locks-XXXXXX";
    char file[64];
    struct kan_store_options options = {.path = path};
    kan_strong store;
    kan_locks *locks = NULL;
    kan_lock *lock = NULL, *other = NULL;
    char why[256] = "";

    (void)context;
    assert_non_null(mkdtemp(path));
    if (kan_strong_open(NULL, &options, why, sizeof(why), &store) ||
        kan_locks_open(store, NULL, why, sizeof(why), &locks))
        fail_msg("%s", why);
    assert_int_equal(kan_lock_try(locks, kan_text("r"), 60000, &lock), KAN_OK);
    assert_int_equal(kan_lock_try(locks, kan_text("r"), 60000, &other),
                     KAN_HELD);
    assert_in_range(kan_lock_left_ms(lock), 50000, 60000);
    assert_int_equal(kan_strong_put_fenced(store, lock, kan_text("k"),
                                           kan_text("v"), 0, NULL),
                     KAN_OK);
    assert_int_equal(kan_lock_renew(lock, 30), KAN_OK);
    assert_int_equal(
        kan_lock_acquire(locks, kan_text("r"), 60000, 60000, &other), KAN_OK);
    assert_true(kan_lock_token(other) > kan_lock_token(lock));
    assert_int_equal(kan_strong_put_fenced(store, lock, kan_text("k"),
                                           kan_text("late"), 0, NULL),
                     KAN_FENCED);
    assert_int_equal(kan_lock_release(lock), KAN_FENCED);
    assert_int_equal(kan_lock_release(other), KAN_OK);
    kan_locks_close(locks);
    kan_strong_close(store);
    snprintf(file, sizeof(file), "rm -r %s", path);
    assert_int_equal(system(file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_lock_1_a_lock_is_held_once),
        cmocka_unit_test(a_wait_is_rewarded_or_ends),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(locks_of_two_prefixes_do_not_meet),
        cmocka_unit_test(a_scope_releases),
        cmocka_unit_test(k_lock_5_a_loss_is_told_when_the_lease_ends),
        cmocka_unit_test(k_lock_5_a_regrant_is_told),
        cmocka_unit_test(k_lock_4_only_a_holder_writes),
        cmocka_unit_test(a_lock_of_another_store_is_refused),
        cmocka_unit_test(requests_wait_in_line),
        cmocka_unit_test(allocation_faults_refuse_and_leak_nothing),
        cmocka_unit_test(locks_work_on_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
