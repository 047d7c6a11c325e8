/* Tests of the rules of a saga: a little world with a record, steps that
 * entities may refuse, answers that are lost, commits that come late, drivers
 * that die and others that take over, down many random paths. After each commit
 * the record must tell exactly what has been taken. Test names cite
 * docs/guarantees/saga.md. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "block/saga/saga_core.h"

enum
{
    DRIVERS = 2,
    LATE_MAX = 4
};

/* A commit that is on its way. */
struct commit
{
    bool there;
    enum saga_effect_kind kind;
    uint32_t step;
    struct saga_progress becomes;
    uint64_t guard;
};

struct driver
{
    bool alive;
    struct saga_core core;
    struct saga_effect out; /* what it asked for */
    bool told;
    bool told_end;
    bool wrong; /* its last refusal was one that should not be */
};

struct world
{
    struct saga_shape shape;
    uint64_t random;
    uint64_t revision;
    uint64_t record; /* its revision; 0: absent */
    struct saga_progress progress;
    bool taken[SAGA_STEPS_MAX];
    struct commit late[LATE_MAX];
    struct driver drivers[DRIVERS];
    bool quiet; /* no more faults, and nothing refuses what it may not */
    bool wrong; /* the last refusal was one that should not be */
};

static uint32_t chance(struct world *world, uint32_t n)
{
    world->random = world->random * UINT64_C(6364136223846793005) +
                    UINT64_C(1442695040888963407);
    return (uint32_t)(world->random >> 33) % n;
}

/* The record tells exactly which steps are taken and not undone. */
static void check(const struct world *world)
{
    for (uint32_t i = 0; i < world->shape.step_count; i++) {
        bool expect = false;
        if (world->record == 0)
            expect = false;
        else if (world->progress.status == SAGA_RUNNING)
            expect = i < world->progress.next;
        else if (world->progress.status == SAGA_DONE)
            expect = true;
        else if (world->progress.status == SAGA_UNDOING)
            expect = i <= world->progress.next;
        assert_int_equal(world->taken[i], expect);
    }
}

static bool land(struct world *world, const struct commit *commit)
{
    if (commit->guard != world->record)
        return false;
    /* K-SAGA-1: done once, undone once. */
    if (commit->kind == SAGA_EFFECT_DO) {
        assert_false(world->taken[commit->step]);
        world->taken[commit->step] = true;
    } else if (commit->kind == SAGA_EFFECT_UNDO) {
        assert_true(world->taken[commit->step]);
        world->taken[commit->step] = false;
    }
    world->revision++;
    world->record = world->revision;
    world->progress = commit->becomes;
    check(world);
    return true;
}

/* A step's own refusal: any may, before and at the pivot; behind it, and of
 * undos, now and then while there is no quiet, as if a law were wrong. */
static bool refuses(struct world *world, const struct saga_effect *effect)
{
    world->wrong = false;
    if (effect->kind == SAGA_EFFECT_RECORD)
        return false;
    /* What has been done cannot be done again: so it is with settle and
     * release in a bank. */
    if (world->taken[effect->step] == (effect->kind == SAGA_EFFECT_DO))
        return true;
    if (effect->kind == SAGA_EFFECT_DO &&
        !saga_core_behind(world->shape, effect->step))
        return chance(world, 4) == 0;
    world->wrong = !world->quiet && chance(world, 8) == 0;
    return world->wrong;
}

static void postpone(struct world *world, const struct commit *commit)
{
    for (int i = 0; i < LATE_MAX; i++)
        if (!world->late[i].there) {
            world->late[i] = *commit;
            world->late[i].there = true;
            return;
        }
}

static struct saga_event carry_out(struct world *world, struct driver *driver)
{
    struct saga_event event = {.kind = SAGA_EVENT_TAKEN,
                               .refused = SAGA_STEP_NONE};
    struct commit commit = {.kind = driver->out.kind,
                            .step = driver->out.step,
                            .becomes = driver->out.becomes,
                            .guard = driver->core.revision};

    if (refuses(world, &driver->out)) {
        event.kind = SAGA_EVENT_REFUSED;
        driver->wrong = world->wrong;
        return event;
    }
    if (!world->quiet && chance(world, 5) == 0) {
        event.kind = SAGA_EVENT_UNKNOWN;
        if (chance(world, 2))
            land(world, &commit);
        else if (chance(world, 2))
            postpone(world, &commit);
        return event;
    }
    if (!world->quiet && chance(world, 8) == 0) {
        event.kind = SAGA_EVENT_FAILED;
        return event;
    }
    if (!land(world, &commit))
        event.kind = SAGA_EVENT_GUARDED;
    event.revision = world->record;
    return event;
}

static struct saga_event answer_to(struct world *world, struct driver *driver)
{
    struct saga_event event = {.kind = SAGA_EVENT_TIMER,
                               .refused = SAGA_STEP_NONE};

    if (driver->out.kind == SAGA_EFFECT_RETRY)
        return event;
    if (driver->out.kind != SAGA_EFFECT_READ)
        return carry_out(world, driver);
    event.kind = SAGA_EVENT_FAILED;
    if (!world->quiet && chance(world, 6) == 0)
        return event;
    event.kind = SAGA_EVENT_READ;
    event.revision = world->record;
    if (world->record)
        event.progress = world->progress;
    return event;
}

static void step(struct world *world, struct driver *driver,
                 struct saga_event event)
{
    struct saga_turn turn = saga_core_step(driver->core, event);

    driver->core = turn.core;
    for (uint32_t i = 0; i < turn.effect_count; i++) {
        if (turn.effects[i].kind == SAGA_EFFECT_TROUBLE) {
            assert_true(driver->wrong);
            continue;
        }
        driver->out = turn.effects[i];
        if (turn.effects[i].kind != SAGA_EFFECT_ANSWER)
            continue;
        driver->told = true;
        driver->told_end = turn.effects[i].ended;
        /* K-SAGA-3: what is told is what the record says. */
        if (turn.effects[i].ended) {
            assert_true(saga_core_ended(world->progress));
            assert_int_equal(driver->core.progress.status,
                             world->progress.status);
        } else {
            assert_true(driver->core.revision == 0);
        }
    }
}

static void start(struct world *world, struct driver *driver,
                  enum saga_event_kind kind)
{
    struct saga_event event = {.kind = kind};

    memset(driver, 0, sizeof(*driver));
    driver->alive = true;
    driver->core = saga_core_begin(world->shape);
    step(world, driver, event);
}

static struct driver *one(struct world *world)
{
    return &world->drivers[chance(world, DRIVERS)];
}

static void happen(struct world *world)
{
    struct driver *driver = one(world);
    uint32_t late = chance(world, LATE_MAX);

    if (!world->quiet && world->late[late].there && chance(world, 4) == 0) {
        world->late[late].there = false;
        land(world, &world->late[late]);
        return;
    }
    if (!driver->alive || driver->told) {
        if (world->record)
            start(world, driver, SAGA_EVENT_RECOVER);
        else if (!world->quiet)
            start(world, driver, SAGA_EVENT_START);
        return;
    }
    if (!world->quiet && chance(world, 20) == 0)
        driver->alive = false;
    else
        step(world, driver, answer_to(world, driver));
}

static bool settled(const struct world *world)
{
    if (world->record && !saga_core_ended(world->progress))
        return false;
    for (int i = 0; i < DRIVERS; i++)
        if (world->drivers[i].alive && !world->drivers[i].told)
            return false;
    return true;
}

static struct world world_of(uint64_t seed)
{
    struct world world;

    memset(&world, 0, sizeof(world));
    world.random = seed * 77;
    world.shape.step_count = 1 + chance(&world, 5);
    world.shape.pivot = chance(&world, world.shape.step_count + 1);
    for (uint32_t i = 0; i < world.shape.step_count; i++)
        if (i < world.shape.pivot)
            world.shape.undoable |= UINT32_C(1) << i;
    return world;
}

/* K-SAGA-1, K-SAGA-2, K-SAGA-3, K-SAGA-4 */
static void all_or_nothing_down_every_path(void **state)
{
    uint32_t ends[SAGA_UNDONE + 1] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct world world = world_of(seed);
        uint32_t left = 2000;
        start(&world, &world.drivers[0], SAGA_EVENT_START);
        for (int i = 0; i < 60; i++)
            happen(&world);
        world.quiet = true;
        memset(world.late, 0, sizeof(world.late));
        while (!settled(&world) && left-- > 0)
            happen(&world);
        assert_true(settled(&world));
        if (world.record)
            ends[world.progress.status]++;
    }
    assert_true(ends[SAGA_DONE] > 1000);
    assert_true(ends[SAGA_UNDONE] > 1000);
    assert_int_equal(ends[SAGA_RUNNING] + ends[SAGA_UNDOING], 0);
}

static struct saga_turn feed(struct saga_turn turn, enum saga_event_kind kind,
                             uint64_t revision)
{
    struct saga_event event = {
        .kind = kind, .revision = revision, .refused = SAGA_STEP_NONE};

    return saga_core_step(turn.core, event);
}

static struct saga_turn begin(uint32_t count, uint32_t pivot, uint32_t undoable)
{
    struct saga_turn turn = {
        .core = saga_core_begin((struct saga_shape){count, pivot, undoable})};

    return feed(turn, SAGA_EVENT_START, 0);
}

/* K-SAGA-2 */
static void a_refusal_undoes_in_reverse(void **state)
{
    struct saga_turn turn = begin(3, 2, 3);

    (void)state;
    turn = feed(turn, SAGA_EVENT_TAKEN, 5);
    turn = feed(turn, SAGA_EVENT_TAKEN, 6);
    turn = feed(turn, SAGA_EVENT_REFUSED, 0);
    assert_int_equal(turn.core.refused, 2);
    assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_UNDO);
    assert_int_equal(turn.effects[0].step, 1);
    assert_int_equal(turn.effects[0].becomes.status, SAGA_UNDOING);
    assert_int_equal(turn.effects[0].becomes.next, 0);
    turn = feed(turn, SAGA_EVENT_TAKEN, 7);
    assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_UNDO);
    assert_int_equal(turn.effects[0].step, 0);
    assert_int_equal(turn.effects[0].becomes.status, SAGA_UNDONE);
    turn = feed(turn, SAGA_EVENT_TAKEN, 8);
    assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_ANSWER);
    assert_true(turn.effects[0].ended);
}

static void a_first_step_that_is_refused_is_recorded(void **state)
{
    struct saga_turn turn = begin(2, 1, 1);

    (void)state;
    turn = feed(turn, SAGA_EVENT_REFUSED, 0);
    assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_RECORD);
    assert_int_equal(turn.effects[0].becomes.status, SAGA_UNDONE);
    turn = feed(turn, SAGA_EVENT_TAKEN, 3);
    assert_true(turn.effects[0].ended);
}

/* K-SAGA-4 */
static void behind_the_pivot_a_refusal_is_told_and_tried_again(void **state)
{
    struct saga_turn turn = begin(2, 0, 0);
    uint32_t before = 0;

    (void)state;
    turn = feed(turn, SAGA_EVENT_TAKEN, 3);
    for (int i = 0; i < 20; i++) {
        struct saga_event read = {.kind = SAGA_EVENT_READ,
                                  .revision = 3,
                                  .progress = {SAGA_RUNNING, 1},
                                  .refused = SAGA_STEP_NONE};
        turn = feed(turn, SAGA_EVENT_REFUSED, 0);
        assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_READ);
        turn = saga_core_step(turn.core, read);
        assert_int_equal(turn.effect_count, 2);
        assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_TROUBLE);
        assert_int_equal(turn.effects[0].step, 1);
        assert_false(turn.effects[0].undo);
        assert_int_equal(turn.effects[1].kind, SAGA_EFFECT_RETRY);
        assert_true(turn.effects[1].ms >= before);
        assert_true(turn.effects[1].ms <= SAGA_BACKOFF_MAX_MS);
        before = turn.effects[1].ms;
        turn = feed(turn, SAGA_EVENT_TIMER, 0);
        assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_DO);
        assert_int_equal(turn.effects[0].step, 1);
    }
    assert_int_equal(before, SAGA_BACKOFF_MAX_MS);
    turn = feed(turn, SAGA_EVENT_TAKEN, 9);
    assert_true(turn.effects[0].ended);
    assert_int_equal(turn.core.progress.status, SAGA_DONE);
}

/* K-SAGA-4: the record says that the pivot is next until an undo is taken; it
 * is the undo that is refused, and told. */
static void an_undo_that_is_refused_is_told(void **state)
{
    struct saga_turn turn = begin(2, 1, 1);
    struct saga_event read = {.kind = SAGA_EVENT_READ,
                              .revision = 3,
                              .progress = {SAGA_RUNNING, 1},
                              .refused = SAGA_STEP_NONE};

    (void)state;
    turn = feed(turn, SAGA_EVENT_TAKEN, 3);
    for (int i = 0; i < 3; i++) {
        turn = feed(turn, SAGA_EVENT_REFUSED, 0);
        assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_UNDO);
        turn = feed(turn, SAGA_EVENT_REFUSED, 0);
        assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_READ);
        turn = saga_core_step(turn.core, read);
        assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_TROUBLE);
        assert_int_equal(turn.effects[0].step, 0);
        assert_true(turn.effects[0].undo);
        turn = feed(turn, SAGA_EVENT_TIMER, 0);
        assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_DO);
        assert_int_equal(turn.effects[0].step, 1);
    }
}

/* A first step that may still come into force keeps the saga. */
static void what_may_have_begun_is_not_given_up(void **state)
{
    struct saga_turn turn = begin(2, 1, 1);

    (void)state;
    turn = feed(turn, SAGA_EVENT_UNKNOWN, 0);
    assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_READ);
    turn = feed(turn, SAGA_EVENT_READ, 0);
    assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_RETRY);
    turn = feed(turn, SAGA_EVENT_TIMER, 0);
    assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_DO);
    turn = feed(turn, SAGA_EVENT_FAILED, 0);
    assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_RETRY);
    turn = begin(2, 1, 1);
    turn = feed(turn, SAGA_EVENT_FAILED, 0);
    assert_int_equal(turn.effects[0].kind, SAGA_EFFECT_ANSWER);
    assert_false(turn.effects[0].ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_or_nothing_down_every_path),
        cmocka_unit_test(a_refusal_undoes_in_reverse),
        cmocka_unit_test(a_first_step_that_is_refused_is_recorded),
        cmocka_unit_test(behind_the_pivot_a_refusal_is_told_and_tried_again),
        cmocka_unit_test(an_undo_that_is_refused_is_told),
        cmocka_unit_test(what_may_have_begun_is_not_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
