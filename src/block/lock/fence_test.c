/* Tests of fencing by the highest token seen: its rules as little plays, and
 * carried out on engines that fail. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "block/lock/fence.h"
#include "block/lock/lock_place.h"
#include "engine/fault/fault.h"

/* --- rules ---------------------------------------------------------------- */

static struct fence_step step(struct fence_core *core, struct fence_event event)
{
    struct fence_step step = fence_core_step(*core, event);

    *core = step.core;
    return step;
}

static struct fence_step begin_and_read(struct fence_core *core, uint64_t token,
                                        uint64_t version, uint64_t highest)
{
    struct fence_event start = {.kind = FENCE_EVENT_START};
    struct fence_event read = {
        .kind = FENCE_EVENT_READ, .version = version, .highest = highest};

    *core = fence_core_init(token);
    assert_int_equal(step(core, start).effect, FENCE_READ);
    return step(core, read);
}

/* K-LOCK-9 */
static void k_lock_9_the_highest_token_decides(void **context)
{
    struct fence_core core;
    struct fence_step found;

    (void)context;
    found = begin_and_read(&core, 5, 0, 0);
    assert_int_equal(found.effect, FENCE_COMMIT);
    assert_true(found.absent && found.raise);
    found = begin_and_read(&core, 5, 9, 4);
    assert_int_equal(found.effect, FENCE_COMMIT);
    assert_true(!found.absent && found.raise);
    assert_int_equal(found.version, 9);
    found = begin_and_read(&core, 5, 9, 5);
    assert_int_equal(found.effect, FENCE_COMMIT);
    assert_true(!found.absent && !found.raise);
    found = begin_and_read(&core, 5, 9, 6);
    assert_int_equal(found.effect, FENCE_ANSWER);
    assert_int_equal(found.err, KAN_FENCED);
}

static void a_damaged_fence_stops(void **context)
{
    struct fence_core core = fence_core_init(5);
    struct fence_event start = {.kind = FENCE_EVENT_START};
    struct fence_event read = {
        .kind = FENCE_EVENT_READ, .version = 3, .damaged = true};

    (void)context;
    step(&core, start);
    assert_int_equal(step(&core, read).err, KAN_CORRUPT);
    assert_int_equal(core.phase, FENCE_ENDED);
}

static void answers_of_the_engine(void **context)
{
    static const struct
    {
        struct fence_event event;
        enum kan_err err;
    } rows[] = {
        {{.kind = FENCE_EVENT_COMMITTED, .revision = 8}, KAN_OK},
        {{.kind = FENCE_EVENT_CONFLICT}, KAN_CONFLICT},
        {{.kind = FENCE_EVENT_FAILED, .err = KAN_LOST}, KAN_LOST},
    };

    (void)context;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fence_core core;
        struct fence_step found;
        begin_and_read(&core, 5, 9, 4);
        found = step(&core, rows[i].event);
        assert_int_equal(found.effect, FENCE_ANSWER);
        assert_int_equal(found.err, rows[i].err);
        assert_int_equal(found.revision, rows[i].event.revision);
        for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++)
            assert_int_equal(step(&core, rows[j].event).effect, FENCE_NOTHING);
    }
}

/* Each refusal of the fence means that somebody else got through. */
static void refusals_are_read_again_but_not_for_ever(void **context)
{
    struct fence_core core;
    struct fence_step found = begin_and_read(&core, 5, 1, 1);
    struct fence_event refused = {.kind = FENCE_EVENT_REFUSED};
    struct fence_event read = {
        .kind = FENCE_EVENT_READ, .version = 2, .highest = 1};
    int tries = 1;

    (void)context;
    while (found.effect == FENCE_COMMIT) {
        found = step(&core, refused);
        if (found.effect == FENCE_READ) {
            tries++;
            found = step(&core, read);
        }
    }
    assert_int_equal(found.err, KAN_BUSY);
    assert_int_equal(tries, FENCE_TRIES_MAX);
}

static void values_come_back(void **context)
{
    unsigned char value[FENCE_VALUE_SIZE];
    uint64_t token = 0;

    (void)context;
    fence_value_write(UINT64_C(0x0102030405060708), value);
    assert_true(fence_value_read(kan_slice(value, sizeof(value)), &token));
    assert_int_equal(token, UINT64_C(0x0102030405060708));
    assert_false(fence_value_read(kan_slice(value, 8), &token));
    value[0] = 9;
    assert_false(fence_value_read(kan_slice(value, sizeof(value)), &token));
}

/* --- carried out ---------------------------------------------------------- */

struct written
{
    bool done;
    enum kan_err err;
};

static void on_written(struct fence_write *write, enum kan_err err)
{
    struct written *written = write->data;

    assert_false(written->done);
    written->done = true;
    written->err = err;
}

static enum kan_err write_as(struct place *place, uint64_t token,
                             struct fence_write *write)
{
    struct engine_write put = {.key = kan_text("data"),
                               .value = kan_slice(&token, sizeof(token))};
    struct written written = {0};
    enum kan_err err;

    write->data = &written;
    write->engine = place->engine;
    write->lock_store = kan_text("locks");
    write->resource = kan_text("r");
    write->token = token;
    if (write->write_count == 0) {
        write->writes = &put;
        write->write_count = 1;
    }
    write->deadline_ns = 0;
    err = fence_write(write, on_written);
    if (err)
        return err;
    assert_false(written.done);
    run_until(place, &written.done);
    write->writes = NULL;
    write->write_count = 0;
    return written.err;
}

struct found
{
    bool done;
    uint64_t value; /* 0: absent */
};

static void on_found(struct engine_get *get, enum kan_err err)
{
    struct found *found = get->request.data;

    assert_int_equal(err, KAN_OK);
    found->done = true;
    if (get->items[0].created)
        memcpy(&found->value, get->items[0].value.bytes, sizeof(uint64_t));
}

static uint64_t data_of(struct place *place)
{
    struct found found = {0};
    struct kan_slice key = kan_text("data");
    struct engine_get get = {.keys = &key, .key_count = 1};

    get.request.data = &found;
    assert_int_equal(engine_get(place->engine, &get, on_found), KAN_OK);
    run_until(place, &found.done);
    return found.value;
}

/* K-LOCK-9 */
static void k_lock_9_a_lower_token_is_refused(void **context)
{
    (void)context;
    for (int kind = 0; kind < PLACE_KINDS; kind++) {
        struct place place;
        struct fence_write write = {0};
        struct engine_guard absent = {.kind = ENGINE_IF_ABSENT,
                                      .key = kan_text("data")};
        place_open(&place, (enum place_kind)kind, 1);
        assert_int_equal(write_as(&place, 5, &write), KAN_OK);
        assert_true(write.revision > 0);
        assert_int_equal(write_as(&place, 5, &write), KAN_OK);
        assert_int_equal(write_as(&place, 4, &write), KAN_FENCED);
        assert_int_equal(data_of(&place), 5);
        assert_int_equal(write_as(&place, 9, &write), KAN_OK);
        assert_int_equal(write_as(&place, 5, &write), KAN_FENCED);
        assert_int_equal(data_of(&place), 9);
        /* The client's own guards are told from the fence. */
        write.guards = &absent;
        write.guard_count = 1;
        assert_int_equal(write_as(&place, 10, &write), KAN_CONFLICT);
        assert_int_equal(write.failed_guard, 0);
        write.guard_count = 0;
        assert_int_equal(write_as(&place, 9, &write), KAN_OK);
        place_close(&place);
    }
}

static void what_is_wrong_is_refused(void **context)
{
    static char name[FENCE_STORE_MAX + 1];
    struct place place;
    struct engine_write put = {.key = kan_text("data")};
    struct fence_write good = {.lock_store = kan_text("s"),
                               .resource = kan_text("r"),
                               .token = 1,
                               .writes = &put,
                               .write_count = 1};
    struct fence_write bad;

    (void)context;
    memset(name, 'x', sizeof(name));
    place_open(&place, PLACE_MEMORY, 1);
    good.engine = place.engine;
    bad = good;
    bad.token = 0;
    assert_int_equal(fence_write(&bad, on_written), KAN_INVALID);
    bad = good;
    bad.lock_store = kan_text("a||b");
    assert_int_equal(fence_write(&bad, on_written), KAN_INVALID);
    bad.lock_store = kan_text("");
    assert_int_equal(fence_write(&bad, on_written), KAN_INVALID);
    bad.lock_store = kan_slice(name, sizeof(name));
    assert_int_equal(fence_write(&bad, on_written), KAN_INVALID);
    bad = good;
    bad.resource = kan_text("");
    assert_int_equal(fence_write(&bad, on_written), KAN_INVALID);
    bad = good;
    bad.write_count = 0;
    assert_int_equal(fence_write(&bad, on_written), KAN_INVALID);
    bad.write_count = FENCE_OPS_MAX + 1;
    assert_int_equal(fence_write(&bad, on_written), KAN_INVALID);
    place_close(&place);
}

/* Two writers at once, with one token or with two, and none is lost. */
static void writers_race(void **context)
{
    enum
    {
        WRITERS = 8
    };
    (void)context;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct place place;
        struct fence_write writes[WRITERS] = {0};
        struct written written[WRITERS] = {0};
        struct engine_write puts[WRITERS] = {0};
        uint64_t tokens[WRITERS];
        uint64_t highest = 0;
        place_open(&place, PLACE_SQLITE, seed);
        for (int i = 0; i < WRITERS; i++) {
            tokens[i] = 1 + tape_choose(&place.tape, 4);
            puts[i].key = kan_text("data");
            puts[i].value = kan_slice(&tokens[i], sizeof(tokens[i]));
            writes[i].data = &written[i];
            writes[i].engine = place.engine;
            writes[i].lock_store = kan_text("locks");
            writes[i].resource = kan_text("r");
            writes[i].token = tokens[i];
            writes[i].writes = &puts[i];
            writes[i].write_count = 1;
            assert_int_equal(fence_write(&writes[i], on_written), KAN_OK);
        }
        for (int i = 0; i < WRITERS; i++) {
            run_until(&place, &written[i].done);
            if (written[i].err == KAN_OK && tokens[i] > highest)
                highest = tokens[i];
            else
                assert_true(written[i].err == KAN_OK ||
                            written[i].err == KAN_FENCED);
        }
        for (int i = 0; i < WRITERS; i++)
            assert_true(written[i].err == KAN_OK || tokens[i] < highest);
        assert_int_equal(data_of(&place), highest);
        place_close(&place);
    }
}

static void failures_keep_their_class(void **context)
{
    static const struct
    {
        enum engine_fault_kind kind;
        enum kan_err err;
    } rows[] = {{ENGINE_FAULT_BUSY, KAN_BUSY}, {ENGINE_FAULT_LOST, KAN_LOST}};
    struct place place;
    struct fence_write write = {0};

    (void)context;
    place_open(&place, PLACE_FAULT, 1);
    for (size_t i = 0; i < 2; i++) {
        for (uint64_t nth = 1; nth <= 2; nth++) {
            engine_fault_nth(place.engine, rows[i].kind, nth);
            assert_int_equal(write_as(&place, 5, &write), rows[i].err);
            assert_int_equal(write_as(&place, 5, &write), KAN_OK);
        }
    }
    place_close(&place);
}

static void allocation_faults_refuse_and_leak_nothing(void **context)
{
    struct place place;
    struct fence_write write = {0};
    uint64_t token = 1;

    (void)context;
    place_open(&place, PLACE_MEMORY, 1);
    for (bool struck = true; struck; token++) {
        enum kan_err err;
        mem_fault(token, false);
        err = write_as(&place, token, &write);
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_int_equal(err, struck ? KAN_NOMEM : KAN_OK);
        assert_int_equal(write_as(&place, token, &write), KAN_OK);
    }
    assert_true(token > 3);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_lock_9_the_highest_token_decides),
        cmocka_unit_test(a_damaged_fence_stops),
        cmocka_unit_test(answers_of_the_engine),
        cmocka_unit_test(refusals_are_read_again_but_not_for_ever),
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(k_lock_9_a_lower_token_is_refused),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(writers_race),
        cmocka_unit_test(failures_keep_their_class),
        cmocka_unit_test(allocation_faults_refuse_and_leak_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
