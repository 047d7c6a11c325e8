/* The rules of an entity, alone: each answer of the engine at each moment, and
 * all that can happen within a few steps. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "block/entity/entity.h"
#include "block/entity/entity_core.h"

/* --- one entity, stepped by hand ------------------------------------------ */

static struct entity_turn turn;

static void on(enum entity_input_kind kind, uint64_t number, bool exclusive)
{
    struct entity_input input = {kind, number, (uint32_t)number};

    turn = entity_core_step(turn.core, input, exclusive);
}

/* The effects must be these, in this order, up to ENTITY_DO_END + 1. */
static void expect(const char *effects)
{
    static const char names[] = "RCVLAFGXDfPE";
    char found[ENTITY_EFFECTS_MAX + 1] = "";

    for (uint32_t i = 0; i < turn.effect_count; i++)
        found[i] = names[turn.effects[i].kind];
    assert_string_equal(found, effects);
}

static void opened(uint64_t n)
{
    memset(&turn, 0, sizeof(turn));
    on(ENTITY_ON_WANTED, 0, true);
    expect("R");
    on(ENTITY_ON_OPENED, n, true);
    expect("f");
    assert_int_equal(turn.core.n, n);
}

/* K-ENTITY-4: a batch is answered when it is in force, and then the next one is
 * sent. */
static void test_committed(void **state)
{
    (void)state;
    opened(7);
    on(ENTITY_ON_DRAFTED, 2, true);
    expect("C");
    assert_int_equal(turn.core.sent, 2);
    on(ENTITY_ON_WANTED, 0, true);
    expect("f");
    on(ENTITY_ON_DRAFTED, 3, true);
    expect("");
    assert_int_equal(entity_core_next(turn.core), 13);
    on(ENTITY_ON_COMMITTED, 0, true);
    expect("Af");
    assert_int_equal(turn.core.n, 9);
    on(ENTITY_ON_DRAFTED, 4, true);
    expect("C");
    assert_int_equal(turn.core.sent, 4);
}

/* K-ENTITY-1: another has written: what was decided is dropped, and decided
 * again on what is there. */
static void test_conflict(void **state)
{
    (void)state;
    opened(7);
    on(ENTITY_ON_DRAFTED, 1, true);
    on(ENTITY_ON_DRAFTED, 1, true);
    on(ENTITY_ON_CONFLICT, 0, true);
    expect("DR");
    assert_int_equal(turn.core.sent + turn.core.drafted, 0);
    on(ENTITY_ON_OPENED, 12, true);
    assert_int_equal(entity_core_next(turn.core), 13);
}

/* K-ENTITY-4: a lost answer is looked up. */
static void test_unknown(void **state)
{
    static const struct
    {
        enum entity_input_kind found;
        const char *effects;
    } rows[] = {
        {ENTITY_ON_FOUND_OURS, "Af"},
        {ENTITY_ON_FOUND_OTHER, "DR"},
        {ENTITY_ON_FOUND_NONE, "C"},
        {ENTITY_ON_UNFOUND, "P"},
    };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        opened(7);
        on(ENTITY_ON_DRAFTED, 1, true);
        on(ENTITY_ON_UNKNOWN, 0, true);
        expect("L");
        on(rows[i].found, 0, true);
        expect(rows[i].effects);
    }
    assert_true(turn.effects[0].ms == ENTITY_BACKOFF_MS);
    on(ENTITY_ON_TIMER, 0, true);
    expect("L");
    /* The same batch once more; that it is refused says nothing of the first
     * copy. */
    on(ENTITY_ON_FOUND_NONE, 0, true);
    expect("C");
    on(ENTITY_ON_REFUSED, 0, true);
    expect("P");
    on(ENTITY_ON_TIMER, 0, true);
    on(ENTITY_ON_FOUND_NONE, 0, true);
    on(ENTITY_ON_CONFLICT, 0, true);
    expect("L");
    on(ENTITY_ON_FOUND_OURS, 0, true);
    expect("Af");
    assert_int_equal(turn.core.n, 8);
}

/* Who was refused, and finds nothing, knows nothing: an erasure may have
 * followed. */
static void test_lost(void **state)
{
    (void)state;
    opened(7);
    on(ENTITY_ON_DRAFTED, 1, true);
    on(ENTITY_ON_UNKNOWN, 0, true);
    on(ENTITY_ON_FOUND_NONE, 0, true);
    on(ENTITY_ON_CONFLICT, 0, true);
    on(ENTITY_ON_FOUND_NONE, 0, true);
    expect("XDR");
}

static void test_refused_and_guarded(void **state)
{
    (void)state;
    opened(7);
    on(ENTITY_ON_DRAFTED, 1, true);
    on(ENTITY_ON_REFUSED, 0, true);
    expect("FDf");
    assert_int_equal(turn.core.n, 7);
    on(ENTITY_ON_DRAFTED, 1, true);
    on(ENTITY_ON_GUARDED, 0, true);
    expect("GDf");
    on(ENTITY_ON_DRAFTED, 1, true);
    on(ENTITY_ON_UNKNOWN, 0, true);
    on(ENTITY_ON_FOUND_NONE, 0, true);
    on(ENTITY_ON_GUARDED, 0, true);
    expect("XDR");
}

/* K-ENTITY-5: reads alone are asked of the engine where others may write. */
static void test_reads(void **state)
{
    (void)state;
    opened(7);
    on(ENTITY_ON_DRAFTED, 0, true);
    expect("A");
    on(ENTITY_ON_DRAFTED, 0, false);
    expect("V");
    on(ENTITY_ON_UNKNOWN, 0, false);
    expect("P");
    on(ENTITY_ON_TIMER, 0, false);
    expect("V");
    on(ENTITY_ON_COMMITTED, 0, false);
    expect("Af");
    on(ENTITY_ON_DRAFTED, 0, false);
    on(ENTITY_ON_CONFLICT, 0, false);
    expect("DR");
}

static void test_broken(void **state)
{
    (void)state;
    opened(7);
    on(ENTITY_ON_DRAFTED, 1, true);
    on(ENTITY_ON_BROKEN, 0, true);
    expect("E");
    on(ENTITY_ON_COMMITTED, 0, true);
    expect("");
    on(ENTITY_ON_WANTED, 0, true);
    expect("E");
}

/* --- everything within a few steps ---------------------------------------- */

enum
{
    DEPTH = 9
};

/* The engine as it is: events there, how many are of the batch that is sent,
 * and whether a copy of it may still come. */
struct world
{
    struct entity_core core;
    uint64_t n;      /* in the engine */
    uint64_t ours;   /* of the sent batch: its last event there; 0: none */
    uint32_t copies; /* on their way */
    uint32_t answered;
};

static uint64_t walked;

static void walk(struct world world, unsigned depth);

static void walk_turn(struct world world, enum entity_input_kind kind,
                      uint64_t number, unsigned depth)
{
    struct entity_input input = {kind, number, (uint32_t)number};
    struct entity_turn next = entity_core_step(world.core, input, true);

    for (uint32_t i = 0; i < next.effect_count; i++) {
        switch (next.effects[i].kind) {
        case ENTITY_DO_COMMIT:
            world.copies++;
            break;
        case ENTITY_DO_ANSWER:
            /* K-ENTITY-4: only what is in force is answered. */
            assert_true(world.ours > 0);
            assert_int_equal(next.core.n, world.ours);
            world.ours = 0;
            world.answered++;
            /* Other copies of it find their place taken. */
            world.copies = 0;
            break;
        case ENTITY_DO_FAIL:
        case ENTITY_DO_GUARD:
        case ENTITY_DO_DROP:
            /* K-ENTITY-2: what is dropped to be decided again, or told to
             * have had no effect, is not in force, and cannot come. */
            assert_int_equal(world.ours, 0);
            if (world.n > world.core.n)
                world.copies = 0;
            assert_int_equal(world.copies, 0);
            break;
        default:
            break;
        }
    }
    world.core = next.core;
    walk(world, depth + 1);
}

/* A copy of the batch is judged by the engine. */
static bool land(struct world *world, uint32_t sent)
{
    world->copies--;
    if (world->n != world->core.n)
        return false;
    world->n += sent;
    world->ours = world->n;
    return true;
}

static void walk(struct world world, unsigned depth)
{
    struct entity_core core = world.core;
    struct world next = world;

    walked++;
    if (depth == DEPTH)
        return;
    if (core.phase == ENTITY_OPENING) {
        walk_turn(world, ENTITY_ON_OPENED, world.n, depth);
        walk_turn(world, ENTITY_ON_UNOPENED, 0, depth);
    }
    if (core.phase == ENTITY_OPEN)
        walk_turn(world, ENTITY_ON_DRAFTED, 2, depth);
    if (core.phase == ENTITY_SENT && core.sent) {
        walk_turn(world, ENTITY_ON_DRAFTED, 1, depth);
        /* Another owner writes. */
        if (world.n == core.n) {
            next.n += 3;
            walk(next, depth + 1);
        }
        next = world;
        if (land(&next, core.sent))
            walk_turn(next, ENTITY_ON_COMMITTED, 0, depth);
        else
            walk_turn(next, ENTITY_ON_CONFLICT, 0, depth);
        /* Its answer is lost: it has landed, it will, or it never does. */
        next = world;
        (void)land(&next, core.sent);
        walk_turn(next, ENTITY_ON_UNKNOWN, 0, depth);
        walk_turn(world, ENTITY_ON_UNKNOWN, 0, depth);
        next = world;
        next.copies--;
        walk_turn(next, ENTITY_ON_UNKNOWN, 0, depth);
        walk_turn(next, ENTITY_ON_REFUSED, 0, depth);
    }
    if (core.phase == ENTITY_LOOKING) {
        enum entity_input_kind found = ENTITY_ON_FOUND_NONE;
        if (world.ours)
            found = ENTITY_ON_FOUND_OURS;
        else if (world.n > core.n)
            found = ENTITY_ON_FOUND_OTHER;
        walk_turn(world, found, 0, depth);
        walk_turn(world, ENTITY_ON_UNFOUND, 0, depth);
        if (world.copies) {
            next = world;
            (void)land(&next, core.sent);
            walk(next, depth + 1);
        }
    }
    if (core.phase == ENTITY_PAUSED)
        walk_turn(world, ENTITY_ON_TIMER, 0, depth);
}

static void test_walk(void **state)
{
    struct world world;

    (void)state;
    opened(7);
    memset(&world, 0, sizeof(world));
    world.core = turn.core;
    world.n = 7;
    walk(world, 0);
    assert_true(walked > 1000);
}

/* --- small rules ---------------------------------------------------------- */

static void test_small_rules(void **state)
{
    (void)state;
    assert_int_equal(entity_core_snapshot_before(999), 0);
    assert_int_equal(entity_core_snapshot_before(1000), 1000);
    assert_int_equal(entity_core_snapshot_before(2999), 2000);
    assert_true(entity_core_snapshot_due(3000));
    assert_false(entity_core_snapshot_due(3001));
    assert_true(entity_core_key_counts(1, ENTITY_KEY_MS));
    assert_false(entity_core_key_counts(0, ENTITY_KEY_MS));
    assert_int_equal(entity_core_backoff_ms(1), 10);
    assert_int_equal(entity_core_backoff_ms(2), 20);
    assert_int_equal(entity_core_backoff_ms(1000), ENTITY_BACKOFF_MAX_MS);
    assert_int_equal(entity_core_commit_meaning(KAN_OK, true),
                     ENTITY_ON_COMMITTED);
    assert_int_equal(entity_core_commit_meaning(KAN_CONFLICT, true),
                     ENTITY_ON_CONFLICT);
    assert_int_equal(entity_core_commit_meaning(KAN_CONFLICT, false),
                     ENTITY_ON_GUARDED);
    assert_int_equal(entity_core_commit_meaning(KAN_FULL, true),
                     ENTITY_ON_REFUSED);
    assert_int_equal(entity_core_commit_meaning(KAN_TIMEOUT, true),
                     ENTITY_ON_UNKNOWN);
    assert_int_equal(entity_core_commit_meaning(KAN_CLOSED, true),
                     ENTITY_ON_BROKEN);
    assert_int_equal(entity_core_commit_meaning(KAN_IO, true),
                     ENTITY_ON_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_committed),
        cmocka_unit_test(test_conflict),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_refused_and_guarded),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_small_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
