/* Tests of the lock block on engines that fail: refuse, lose answers, answer
 * late, break, close. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "block/lock/lock_line.h"
#include "block/lock/lock_place.h"
#include "engine/fault/fault.h"

/* --- answers that are lost ------------------------------------------------ */

/* K-LOCK-8: whichever question's answer is lost, the client gets the truth, and
 * there is one grant. */
static void k_lock_8_lost_answers_are_settled(void **context)
{
    uint64_t settled = 0;

    (void)context;
    for (uint64_t seed = 0; seed < 48; seed++) {
        struct place place;
        struct lock_request request;
        uint64_t token, nth = seed % 3 + 1;
        place_open(&place, PLACE_FAULT, seed);
        engine_fault_nth(place.engine, ENGINE_FAULT_LOST, nth);
        token = must_acquire(&place, "r", "me", 60000);
        assert_int_equal(acquire(&place, "r", "me", 60000).outcome, LOCK_HELD);
        engine_fault_nth(place.engine, ENGINE_FAULT_LOST, nth);
        request = renew(&place, "r", "me", 0, 60000);
        /* A lost read alone is told as what it is: nothing was done. */
        if (request.outcome == LOCK_FAILED)
            assert_int_equal(request.err, KAN_LOST);
        else
            assert_int_equal(request.outcome, LOCK_OK);
        engine_fault_nth(place.engine, ENGINE_FAULT_LOST, nth);
        request = release(&place, "r", "", token);
        assert_int_equal(request.outcome, LOCK_OK);
        engine_fault_nth(place.engine, ENGINE_FAULT_LOST, 0);
        must_acquire(&place, "r", "you", 60000);
        settled += lock_store_stats(place.store).settled;
        place_close(&place);
    }
    assert_true(settled > 10); /* the rare path was reached */
}

/* K-LOCK-8, K-LOCK-7: an engine that loses most of what it is asked. */
static void k_lock_8_many_lost_answers(void **context)
{
    uint64_t granted = 0, failed = 0, taken_back = 0;

    (void)context;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct place place;
        struct engine_fault_options *knobs;
        place_open(&place, PLACE_FAULT, seed);
        knobs = engine_fault_options(place.engine);
        for (int i = 0; i < 10; i++) {
            struct asked asked = to_acquire(&place, "r", "me", 3000, 0);
            uint64_t begin = now_ms(&place);
            knobs->rate[ENGINE_FAULT_LOST] = 700;
            asked.request.deadline_ns = env_now(place.env) + 100 * ENV_MS;
            ask_acquire(&place, &asked);
            run_until(&place, &asked.done);
            assert_true(asked.at_ms - begin <= 100);
            knobs->rate[ENGINE_FAULT_LOST] = 0;
            if (asked.request.outcome == LOCK_OK) {
                granted++;
                assert_int_equal(acquire(&place, "r", "you", 1).outcome,
                                 LOCK_HELD);
                assert_int_equal(
                    release(&place, "r", "", asked.request.granted).outcome,
                    LOCK_OK);
            } else {
                struct lock_request next;
                failed++;
                assert_int_equal(asked.request.outcome, LOCK_FAILED);
                /* What may have been granted is taken back long before its
                 * lease ends. */
                pass(&place, 2100);
                next = acquire(&place, "r", "you", 1000);
                assert_int_equal(next.outcome, LOCK_OK);
                assert_int_equal(release(&place, "r", "", next.granted).outcome,
                                 LOCK_OK);
            }
        }
        taken_back += lock_store_stats(place.store).taken_back;
        place_close(&place);
    }
    assert_true(granted > 20 && failed > 20 && taken_back > 5);
}

/* K-LOCK-7: a commit that comes into force after its client has given up. */
static void k_lock_7_a_late_grant_is_taken_back(void **context)
{
    uint64_t taken_back = 0;

    (void)context;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct place place;
        struct engine_fault_options *knobs;
        struct asked asked;
        place_open(&place, PLACE_FAULT, seed);
        knobs = engine_fault_options(place.engine);
        knobs->delay_rate = 1000;
        knobs->delay_max_ns = 400 * ENV_MS;
        asked = to_acquire(&place, "r", "me", 60000, 200);
        ask_acquire(&place, &asked);
        run_until(&place, &asked.done);
        knobs->delay_rate = 0;
        if (asked.request.outcome == LOCK_FAILED) {
            assert_int_equal(asked.request.err, KAN_TIMEOUT);
            pass(&place, 2500);
            must_acquire(&place, "r", "you", 1000);
        }
        taken_back += lock_store_stats(place.store).taken_back;
        place_close(&place);
    }
    assert_true(taken_back > 0);
}

/* --- watches that are lost ------------------------------------------------ */

/* K-LOCK-6: no report comes through, and yet nobody waits for ever. */
static void k_lock_6_waiting_goes_on_without_reports(void **context)
{
    struct place place;
    struct asked asked[3];
    uint64_t token, last = 0;

    (void)context;
    place_open(&place, PLACE_FAULT, 1);
    engine_fault_options(place.engine)->report_lost_rate = 1000;
    token = must_acquire(&place, "r", "me", 60000);
    for (int i = 0; i < 3; i++) {
        asked[i] = to_acquire(&place, "r", "next", 60000, 60000);
        ask_acquire(&place, &asked[i]);
    }
    for (int i = 0; i < 3; i++) {
        last = now_ms(&place);
        assert_int_equal(release(&place, "r", "", token).outcome, LOCK_OK);
        run_until(&place, &asked[i].done);
        assert_int_equal(asked[i].request.outcome, LOCK_OK);
        assert_true(asked[i].at_ms - last <= LOCK_POLL_MS);
        token = asked[i].request.granted;
    }
    /* And when reports come again, they wake at once. */
    engine_fault_options(place.engine)->report_lost_rate = 0;
    asked[0] = to_acquire(&place, "r", "next", 60000, 60000);
    ask_acquire(&place, &asked[0]);
    pass(&place, 2000);
    last = now_ms(&place);
    assert_int_equal(release(&place, "r", "", token).outcome, LOCK_OK);
    run_until(&place, &asked[0].done);
    assert_true(asked[0].at_ms - last < 100);
    place_close(&place);
}

/* K-LOCK-5: the holder's clock alone is enough. */
static void k_lock_5_a_loss_is_told_without_reports(void **context)
{
    struct place place;
    struct held held;
    struct lock_request granted;
    uint64_t begin;

    (void)context;
    place_open(&place, PLACE_FAULT, 1);
    engine_fault_options(place.engine)->report_lost_rate = 1000;
    begin = now_ms(&place);
    granted = acquire(&place, "r", "me", 2000);
    hold_start(&place, &held, "r", &granted);
    run_until(&place, &held.told);
    assert_int_equal(held.at_ms - begin, 2000);
    place_close(&place);
}

/* K-LOCK-5: a watch that ended is opened again, and goes on where it was. */
static void k_lock_5_reports_come_again(void **context)
{
    struct place place;
    struct held held[2];
    struct lock_request granted[2];
    struct lock_store *first, *other;
    uint64_t begin;

    (void)context;
    place_open(&place, PLACE_FAULT, 1);
    granted[0] = acquire(&place, "r", "me", 60000);
    granted[1] = acquire(&place, "s", "me", 60000);
    hold_start(&place, &held[0], "r", &granted[0]);
    hold_start(&place, &held[1], "s", &granted[1]);
    first = place.store;
    other = store_with(&place, "lock||kan||");
    place.store = other;
    engine_fault_options(place.engine)->report_lost_rate = 1000;
    assert_int_equal(release(&place, "r", "me", 0).outcome, LOCK_OK);
    pass(&place, 10);
    engine_fault_options(place.engine)->report_lost_rate = 0;
    assert_false(held[0].told);
    run_until(&place, &held[0].told); /* the very report that was lost */
    pass(&place, 1000);
    begin = now_ms(&place);
    assert_int_equal(release(&place, "s", "me", 0).outcome, LOCK_OK);
    run_until(&place, &held[1].told);
    assert_true(held[0].at_ms < 1000 && held[1].at_ms - begin < 100);
    store_close(&place, other);
    place.store = first;
    place_close(&place);
}

/* --- engines that break or close ------------------------------------------ */

/* K-LOCK-10 */
static void k_lock_10_a_broken_engine_answers_everybody(void **context)
{
    (void)context;
    for (uint64_t nth = 1; nth <= 6; nth++) {
        struct place place;
        struct asked asked[4];
        uint64_t token;
        place_open(&place, PLACE_FAULT, nth);
        token = must_acquire(&place, "held", "me", 60000);
        engine_fault_nth(place.engine, ENGINE_FAULT_IO, nth);
        asked[0] = to_acquire(&place, "held", "next", 1000, 5000);
        asked[1] = to_acquire(&place, "r", "me", 1000, 0);
        asked[2] = to_change("held", "me", 0, 1000);
        asked[3] = to_change("held", "", token, 1000);
        ask_acquire(&place, &asked[0]);
        ask_acquire(&place, &asked[1]);
        ask_renew(&place, &asked[2]);
        ask_release(&place, &asked[3]);
        for (int i = 0; i < 4; i++)
            run_until(&place, &asked[i].done);
        assert_int_equal(acquire(&place, "s", "me", 1000).err, KAN_IO);
        place_close(&place);
    }
}

/* K-LOCK-10: the engine begins to close, and only then the store. */
static void k_lock_10_a_closing_engine_answers_everybody(void **context)
{
    (void)context;
    for (int steps = 0; steps < 12; steps++) {
        struct place place;
        struct asked asked[2];
        struct held held;
        struct lock_request granted;
        bool closed = false;
        place_open(&place, PLACE_MEMORY, (uint64_t)steps);
        granted = acquire(&place, "r", "me", 60000);
        hold_start(&place, &held, "r", &granted);
        asked[0] = to_acquire(&place, "r", "next", 1000, 60000);
        asked[1] = to_acquire(&place, "s", "me", 1000, 0);
        ask_acquire(&place, &asked[0]);
        ask_acquire(&place, &asked[1]);
        for (int i = 0; i < steps; i++)
            sim_step(place.world);
        engine_close(place.engine, &closed, set_flag);
        store_close(&place, place.store);
        assert_true(asked[0].done && asked[1].done && held.told);
        run_until(&place, &closed);
        env_free(place.env);
        sim_world_free(place.world);
        tape_fini(&place.tape);
        assert_int_equal(mem_live(), place.live);
    }
}

/* --- allocation ----------------------------------------------------------- */

static void on_nothing(struct lock_request *request)
{
    *(bool *)request->data = true;
}

/* One request, answered or refused with KAN_NOMEM. */
static enum kan_err fault_ask(struct place *place, int kind, uint64_t token)
{
    bool done = false;
    struct lock_request request = {.data = &done,
                                   .resource = kan_text("r"),
                                   .owner = kan_text("me"),
                                   .token = kind ? token : 0,
                                   .expiry_ms = 1000};
    enum kan_err err;

    if (kind == 0) {
        request.wait_until_ns = env_now(place->env) + 100 * ENV_MS;
        err = lock_acquire(place->store, &request, on_nothing);
    } else if (kind == 1) {
        err = lock_renew(place->store, &request, on_nothing);
    } else {
        err = lock_release(place->store, &request, on_nothing);
    }
    if (err)
        return err;
    run_until(place, &done);
    return request.outcome == LOCK_FAILED ? request.err : KAN_OK;
}

static void allocation_faults_refuse_and_leak_nothing(void **context)
{
    (void)context;
    for (int kind = 0; kind < 3; kind++) {
        for (int sticky = 0; sticky < 2; sticky++) {
            struct place place;
            uint64_t nth = 1;
            place_open(&place, PLACE_MEMORY, 1);
            for (bool struck = true; struck; nth++) {
                uint64_t token =
                    kind ? must_acquire(&place, "r", "me", 5000) : 0;
                enum kan_err err;
                mem_fault(nth, sticky);
                err = fault_ask(&place, kind, token);
                struck = mem_fault_struck();
                mem_fault(0, false);
                if (!struck)
                    assert_int_equal(err, KAN_OK);
                else if (err)
                    assert_int_equal(err, KAN_NOMEM);
                /* K-LOCK-7: whatever failed, the lease ends. */
                pass(&place, 5000);
                assert_int_equal(lock_store_stats(place.store).waiting, 0);
            }
            assert_true(nth > 3);
            place_close(&place);
        }
    }
}

static void a_hold_under_allocation_faults(void **context)
{
    struct place place;
    struct lock_request granted;
    uint64_t nth = 1;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    granted = acquire(&place, "r", "me", 60000);
    for (bool struck = true; struck; nth++) {
        struct lock_hold hold = {.resource = kan_text("r"),
                                 .lease = granted.lease};
        struct held held = {.place = &place};
        enum kan_err err;
        mem_fault(nth, false);
        err = lock_hold_start(place.store, &hold, NULL);
        struck = mem_fault_struck();
        mem_fault(0, false);
        if (err) {
            assert_int_equal(err, KAN_NOMEM);
            continue;
        }
        /* It runs; put one with a callback beside it, and let go of both. */
        hold_start(&place, &held, "r", &granted);
        lock_hold_stop(&held.hold);
        run_until(&place, &held.told);
        hold.cb = held.hold.cb;
        hold.data = &held;
        held.told = false;
        lock_hold_stop(&hold);
        run_until(&place, &held.told);
    }
    place_close(&place);
}

static void opening_under_allocation_faults(void **context)
{
    struct place place;
    struct lock_options options = {.prefix = kan_text("lock||")};
    struct lock_store *store = NULL;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    options.engine = place.engine;
    mem_fault(1, false);
    assert_int_equal(lock_store_new(&options, NULL, 0, &store), KAN_NOMEM);
    mem_fault(0, false);
    assert_null(store);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_lock_8_lost_answers_are_settled),
        cmocka_unit_test(k_lock_8_many_lost_answers),
        cmocka_unit_test(k_lock_7_a_late_grant_is_taken_back),
        cmocka_unit_test(k_lock_6_waiting_goes_on_without_reports),
        cmocka_unit_test(k_lock_5_a_loss_is_told_without_reports),
        cmocka_unit_test(k_lock_5_reports_come_again),
        cmocka_unit_test(k_lock_10_a_broken_engine_answers_everybody),
        cmocka_unit_test(k_lock_10_a_closing_engine_answers_everybody),
        cmocka_unit_test(allocation_faults_refuse_and_leak_nothing),
        cmocka_unit_test(a_hold_under_allocation_faults),
        cmocka_unit_test(opening_under_allocation_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
