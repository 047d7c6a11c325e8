/* Tests of the state block under failures, and against a model of what its
 * guarantees say. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "block/state/state_place.h"
#include "engine/fault/fault.h"

/* --- failures ------------------------------------------------------------- */

/* K-STATE-12 */
static void k_state_12_a_closing_engine_refuses(void **context)
{
    struct place place;
    bool closed = false;
    struct kan_slice keys[2] = {kan_text("k"), kan_text("l")};
    struct state_op ops[2] = {{.key = keys[0]}, {.key = keys[1]}};
    struct state_write write = {.ops = ops, .op_count = 2};
    struct state_read read = {.keys = keys, .key_count = 1};
    struct state_list list = {0};

    (void)context;
    place_open(&place, NULL, 1);
    engine_close(place.engine, &closed, set_flag);
    assert_int_equal(state_write(place.store, &write, on_write), KAN_CLOSED);
    write.atomic = true;
    assert_int_equal(state_write(place.store, &write, on_write), KAN_CLOSED);
    write.op_count = 1;
    assert_int_equal(state_write(place.store, &write, on_write), KAN_CLOSED);
    assert_int_equal(state_read(place.store, &read, on_read), KAN_CLOSED);
    read.key_count = 2;
    assert_int_equal(state_read(place.store, &read, on_read), KAN_CLOSED);
    assert_int_equal(state_list(place.store, &list, on_list), KAN_CLOSED);
    run_until(&place, &closed);
    place_leave(&place);
}

static void a_full_engine_fails_the_write(void **context)
{
    static char value[1 << 20];
    struct place place;
    struct state_op op = {.key = kan_text("k")};
    struct memory_options options = {.bytes_max = 1 << 19};
    struct state_write write;
    bool closed = false;

    (void)context;
    place_open(&place, NULL, 1);
    state_store_free(place.store);
    engine_close(place.engine, &closed, set_flag);
    run_until(&place, &closed);
    assert_int_equal(engine_memory_open(place.env, &options, &place.engine),
                     KAN_OK);
    place.store = store_with(&place, "kan||");
    op.value = kan_slice(value, sizeof(value));
    write = write_op(&place, op);
    assert_int_equal(write.outcome, STATE_FAILED);
    assert_int_equal(write.err, KAN_FULL);
    assert_holds(&place, "k", NULL);
    save(&place, "k", "small");
    assert_holds(&place, "k", "small");
    place_close(&place);
}

/* What a fault loop repeats: one request of each kind, answered or refused with
 * KAN_NOMEM. The status of the worst. */
static enum kan_err fault_write(struct place *place, uint32_t count,
                                bool atomic)
{
    struct state_op ops[3] = {
        {.key = kan_text("a"), .value = kan_text("1")},
        {.key = kan_text("b"), .value = kan_text("2")},
        {.key = kan_text("a"), .value = kan_text("3")},
    };
    struct answer answer = {0};
    struct state_write write = {
        .data = &answer, .ops = ops, .op_count = count, .atomic = atomic};
    enum kan_err err = state_write(place->store, &write, on_write);

    if (err)
        return err;
    answer.submitted = true;
    run_until(place, &answer.done);
    if (write.outcome != STATE_OK)
        assert_int_equal(write.outcome, STATE_FAILED);
    return write.err;
}

static enum kan_err fault_read(struct place *place, uint32_t count)
{
    struct kan_slice keys[2] = {kan_text("a"), kan_text("b")};
    struct found found = {0};
    struct state_read read = {.data = &found, .keys = keys, .key_count = count};
    enum kan_err err = state_read(place->store, &read, on_read);

    if (err)
        return err;
    found.answer.submitted = true;
    run_until(place, &found.answer.done);
    return read.err;
}

static enum kan_err fault_list(struct place *place)
{
    struct page page = {0};
    struct state_list list = {.data = &page};
    enum kan_err err = state_list(place->store, &list, on_list);

    if (err)
        return err;
    run_until(place, &page.done);
    return list.err;
}

static enum kan_err fault_body(struct place *place, int kind)
{
    switch (kind) {
    case 0:
        return fault_write(place, 1, false);
    case 1:
        return fault_write(place, 3, false);
    case 2:
        return fault_write(place, 3, true);
    case 3:
        return fault_read(place, 1);
    case 4:
        return fault_read(place, 2);
    default:
        return fault_list(place);
    }
}

/* Every allocation fails once, and again with all later ones. */
static void allocation_faults_refuse_and_leak_nothing(void **context)
{
    (void)context;
    for (int kind = 0; kind < 6; kind++) {
        for (int sticky = 0; sticky < 2; sticky++) {
            struct place place;
            uint64_t nth = 1;
            bool struck;
            enum kan_err err;
            place_open(&place, NULL, 1);
            for (;; nth++) {
                mem_fault(nth, sticky);
                err = fault_body(&place, kind);
                struck = mem_fault_struck();
                mem_fault(0, false);
                if (!struck)
                    break;
                if (err)
                    assert_int_equal(err, KAN_NOMEM);
                assert_int_equal(fault_body(&place, kind), KAN_OK);
            }
            assert_int_equal(err, KAN_OK);
            assert_true(nth > 1);
            place_close(&place);
        }
    }
}

/* --- an engine that fails ------------------------------------------------- */

/* What an engine's failure is to a writer: the status is the engine's, and what
 * was not part of the failed commit is written. */
static void check_bulk_fault(enum engine_fault_kind kind, enum kan_err err,
                             uint64_t nth)
{
    struct state_op ops[3] = {
        {.key = kan_text("a"), .value = kan_text("1")},
        {.key = kan_text("b"), .value = kan_text("2")},
        {.key = kan_text("c"), .value = kan_text("3")},
    };
    struct place place;
    struct state_write write;

    place_open_as(&place, PLACE_FAULT, nth);
    engine_fault_nth(place.engine, kind, nth);
    write = write_ops(place.store, &place, ops, 3, false);
    assert_true(engine_fault_struck(place.engine));
    assert_int_equal(write.outcome, STATE_FAILED);
    assert_int_equal(write.err, err);
    assert_int_equal(write.failed_op, nth - 1);
    for (uint64_t i = 0; kind != ENGINE_FAULT_IO && i < 3; i++) {
        struct found found =
            load_from(place.store, &place, ops[i].key, STATE_STRONG);
        if (i != nth - 1)
            assert_true(found.found);
        else if (kind == ENGINE_FAULT_BUSY)
            assert_false(found.found);
    }
    place_close(&place);
}

/* K-STATE-12 */
static void k_state_12_engine_faults_keep_their_class(void **context)
{
    (void)context;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        check_bulk_fault(ENGINE_FAULT_BUSY, KAN_BUSY, nth);
        check_bulk_fault(ENGINE_FAULT_LOST, KAN_LOST, nth);
        check_bulk_fault(ENGINE_FAULT_IO, KAN_IO, nth);
    }
}

/* K-STATE-4: whether it took effect may be unknown, never half of it. */
static void k_state_4_a_lost_transaction_is_whole(void **context)
{
    int kept = 0;

    (void)context;
    for (uint64_t seed = 0; seed < 16; seed++) {
        struct state_op ops[2] = {
            {.key = kan_text("a"), .value = kan_text("1")},
            {.key = kan_text("b"), .value = kan_text("2")},
        };
        struct place place;
        struct state_write write;
        bool found;
        place_open_as(&place, PLACE_FAULT, seed);
        engine_fault_nth(place.engine, ENGINE_FAULT_LOST, 1);
        write = write_ops(place.store, &place, ops, 2, true);
        assert_int_equal(write.err, KAN_LOST);
        found = load(&place, "a").found;
        assert_int_equal(load(&place, "b").found, found);
        kept += found;
        place_close(&place);
    }
    assert_in_range(kept, 1, 15); /* both happen */
}

static void a_failed_read_is_told(void **context)
{
    struct place place;
    struct kan_slice keys[2] = {kan_text("a"), kan_text("b")};
    struct page page = {0};
    struct state_list list = {.data = &page};

    (void)context;
    place_open_as(&place, PLACE_FAULT, 1);
    for (uint32_t count = 1; count <= 2; count++) {
        struct found found = {0};
        struct state_read read = {
            .data = &found, .keys = keys, .key_count = count};
        engine_fault_nth(place.engine, ENGINE_FAULT_BUSY, 1);
        assert_int_equal(state_read(place.store, &read, on_read), KAN_OK);
        found.answer.submitted = true;
        run_until(&place, &found.answer.done);
        assert_int_equal(read.outcome, STATE_FAILED);
        assert_int_equal(read.err, KAN_BUSY);
    }
    engine_fault_nth(place.engine, ENGINE_FAULT_BUSY, 1);
    assert_int_equal(state_list(place.store, &list, on_list), KAN_OK);
    run_until(&place, &page.done);
    assert_int_equal(list.outcome, STATE_FAILED);
    assert_int_equal(list.err, KAN_BUSY);
    place_close(&place);
}

static void opening_under_allocation_faults(void **context)
{
    struct place place;
    struct state_options options = {0};
    struct state_store *store = NULL;

    (void)context;
    place_open(&place, NULL, 1);
    options.engine = place.engine;
    mem_fault(1, false);
    assert_int_equal(state_store_new(&options, NULL, 0, &store), KAN_NOMEM);
    mem_fault(0, false);
    assert_null(store);
    place_close(&place);
}

/* One get and one save leave the heap to the engine. */
static void the_hot_paths_allocate_nothing(void **context)
{
    struct place place;
    struct kan_slice key = kan_text("k");
    struct answer answer = {0};
    struct found found = {0};
    struct state_op op = {.key = key, .value = kan_text("v")};
    struct state_write write = {.data = &answer, .ops = &op, .op_count = 1};
    struct state_read read = {.data = &found, .keys = &key, .key_count = 1};

    (void)context;
    place_open(&place, NULL, 1);
    assert_int_equal(state_write(place.store, &write, on_write), KAN_OK);
    assert_null(write.part);
    answer.submitted = true;
    run_until(&place, &answer.done);
    assert_int_equal(state_read(place.store, &read, on_read), KAN_OK);
    assert_null(read.part);
    found.answer.submitted = true;
    run_until(&place, &found.answer.done);
    place_close(&place);
}

/* --- against a model ------------------------------------------------------ */

enum
{
    MODEL_KEYS = 4,
    MODEL_OPS = 5,
    MODEL_STEPS = 300
};

/* What the guarantees say a store is. */
struct model
{
    struct
    {
        uint64_t version; /* 0: absent */
        uint64_t expires_ms;
        int value;
    } keys[MODEL_KEYS];
};

static const char *const model_names[MODEL_KEYS] = {"a", "b", "c", "d"};

struct model_op
{
    int key;
    int value;
    struct state_op op;
    char text[12];
    char etag[STATE_ETAG_SIZE];
};

static bool model_present(const struct model *model, int key, uint64_t now)
{
    return model->keys[key].version &&
           (!model->keys[key].expires_ms || model->keys[key].expires_ms > now);
}

static void model_op_draw(struct tape *tape, const struct model *model,
                          struct model_op *op, int value)
{
    uint64_t etag = tape_choose(tape, 5);

    memset(op, 0, sizeof(*op));
    op->key = (int)tape_choose(tape, MODEL_KEYS);
    op->value = value;
    op->op.kind = (enum state_op_kind)tape_choose(tape, 3);
    op->op.concurrency = (enum state_concurrency)tape_choose(tape, 3);
    op->op.key = kan_text(model_names[op->key]);
    snprintf(op->text, sizeof(op->text), "%d", value);
    op->op.value = kan_text(op->text);
    op->op.ttl_given = tape_choose(tape, 2);
    op->op.ttl_seconds = (int64_t)tape_choose(tape, 4) - 1;
    if (etag == 1 && model->keys[op->key].version)
        op->op.etag = kan_text(etag_of(model->keys[op->key].version, op->etag));
    if (etag == 2)
        op->op.revision = 1 + tape_choose(tape, 50);
}

static bool model_allows(const struct model *model, const struct model_op *op,
                         uint64_t now)
{
    bool present = model_present(model, op->key, now);
    uint64_t named = op->op.revision;

    if (op->op.concurrency == STATE_LAST_WRITE)
        return true;
    if (op->op.etag.size)
        named = strtoull(op->etag, NULL, 10);
    if (named)
        return present && model->keys[op->key].version == named;
    return op->op.concurrency != STATE_FIRST_WRITE || !present;
}

static void model_apply(struct model *model, const struct model_op *op,
                        uint64_t revision, uint64_t now)
{
    bool mortal = op->op.ttl_given && op->op.ttl_seconds > 0;

    if (op->op.kind == STATE_CHECK)
        return;
    model->keys[op->key].version = op->op.kind == STATE_SET ? revision : 0;
    model->keys[op->key].value = op->value;
    model->keys[op->key].expires_ms =
        mortal ? now + (uint64_t)op->op.ttl_seconds * 1000 : 0;
}

static void model_transact(struct place *place, struct model *model, int step)
{
    uint32_t count = 1 + (uint32_t)tape_choose(&place->tape, MODEL_OPS);
    struct model_op drawn[MODEL_OPS];
    struct state_op ops[MODEL_OPS];
    struct model before = *model;
    struct state_write write;
    uint64_t now = env_wall_ms(place->env);
    uint32_t failed = count;

    for (uint32_t i = 0; i < count; i++) {
        model_op_draw(&place->tape, model, &drawn[i],
                      step * MODEL_OPS + (int)i);
        ops[i] = drawn[i].op;
        if (failed == count && !model_allows(&before, &drawn[i], now))
            failed = i;
    }
    write = write_ops(place->store, place, ops, count, true);
    if (failed < count) {
        assert_int_equal(write.outcome, STATE_MISMATCH);
        assert_int_equal(write.failed_op, failed);
        return;
    }
    assert_int_equal(write.outcome, STATE_OK);
    for (uint32_t i = 0; i < count; i++)
        model_apply(model, &drawn[i], write.revision, now);
}

static void model_compare(struct place *place, const struct model *model)
{
    uint64_t now = env_wall_ms(place->env);

    for (int i = 0; i < MODEL_KEYS; i++) {
        struct found found = load(place, model_names[i]);
        assert_int_equal(found.found, model_present(model, i, now));
        if (!found.found)
            continue;
        assert_int_equal(found.version, model->keys[i].version);
        assert_int_equal(found.expires_ms, model->keys[i].expires_ms);
        assert_int_equal(atoi(found.value), model->keys[i].value);
    }
}

/* K-STATE-1, K-STATE-2, K-STATE-3, K-STATE-4, K-STATE-7, K-STATE-8. */
static void random_transactions_agree_with_the_model(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct model model = {0};
        struct place place;
        place_open_as(&place, (enum place_kind)(seed % PLACE_KINDS), seed);
        for (int step = 0; step < MODEL_STEPS; step++) {
            model_transact(&place, &model, step);
            pass(&place, tape_choose(&place.tape, 700));
            model_compare(&place, &model);
        }
        place_close(&place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_state_12_a_closing_engine_refuses),
        cmocka_unit_test(a_full_engine_fails_the_write),
        cmocka_unit_test(allocation_faults_refuse_and_leak_nothing),
        cmocka_unit_test(k_state_12_engine_faults_keep_their_class),
        cmocka_unit_test(k_state_4_a_lost_transaction_is_whole),
        cmocka_unit_test(a_failed_read_is_told),
        cmocka_unit_test(opening_under_allocation_faults),
        cmocka_unit_test(the_hot_paths_allocate_nothing),
        cmocka_unit_test(random_transactions_agree_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
