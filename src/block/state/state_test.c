/* Tests of what the state block promises. Test names cite the guarantees of
 * docs/guarantees/state.md. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "block/state/state_place.h"

/* --- values and revisions ------------------------------------------------- */

/* K-STATE-1 */
static void k_state_1_acknowledged_is_readable(void **context)
{
    struct place place;
    uint64_t last = 0;

    (void)context;
    place_open(&place, NULL, 1);
    assert_holds(&place, "k", NULL);
    for (int i = 0; i < 20; i++) {
        char value[16];
        uint64_t revision;
        struct found found;
        snprintf(value, sizeof(value), "v%d", i);
        revision = save(&place, "k", value);
        assert_true(revision > last);
        last = revision;
        found = load(&place, "k");
        assert_string_equal(found.value, value);
        assert_int_equal(found.version, revision);
    }
    place_close(&place);
}

/* K-STATE-7 */
static void k_state_7_bytes_come_back(void **context)
{
    struct place place;
    char bytes[512];
    struct state_op op = {.key = kan_slice("k\0\n", 3)};
    struct found found;

    (void)context;
    place_open(&place, NULL, 1);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    op.value = kan_slice(bytes, sizeof(bytes));
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    found = load_from(place.store, &place, op.key, STATE_STRONG);
    assert_int_equal(found.size, sizeof(bytes));
    assert_memory_equal(found.value, bytes, sizeof(bytes));
    op.value = kan_slice(NULL, 0);
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    found = load_from(place.store, &place, op.key, STATE_STRONG);
    assert_true(found.found);
    assert_int_equal(found.size, 0);
    place_close(&place);
}

/* K-STATE-2 */
static void k_state_2_etags_are_compared(void **context)
{
    static const enum state_op_kind kinds[] = {STATE_SET, STATE_DELETE,
                                               STATE_CHECK};
    struct place place;
    char etag[STATE_ETAG_SIZE];

    (void)context;
    place_open(&place, NULL, 1);
    for (size_t i = 0; i < 3; i++) {
        struct state_op op = {
            .kind = kinds[i], .key = kan_text("k"), .value = kan_text("new")};
        uint64_t old = save(&place, "k", "old");
        uint64_t now = save(&place, "k", "now");
        op.etag = kan_text(etag_of(old, etag));
        assert_int_equal(write_op(&place, op).outcome, STATE_MISMATCH);
        assert_holds(&place, "k", "now");
        op.key = kan_text("absent");
        assert_int_equal(write_op(&place, op).outcome, STATE_MISMATCH);
        assert_holds(&place, "absent", NULL);
        op.key = kan_text("k");
        op.etag = kan_text(etag_of(now, etag));
        assert_int_equal(write_op(&place, op).outcome, STATE_OK);
        assert_holds(&place, "k", i == 0 ? "new" : i == 1 ? NULL : "now");
    }
    place_close(&place);
}

/* K-STATE-2 */
static void k_state_2_last_write_ignores_the_etag(void **context)
{
    struct place place;
    struct state_op op = {.key = kan_text("k"),
                          .value = kan_text("new"),
                          .concurrency = STATE_LAST_WRITE,
                          .etag = kan_text("no etag at all")};

    (void)context;
    place_open(&place, NULL, 1);
    save(&place, "k", "old");
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    assert_holds(&place, "k", "new");
    place_close(&place);
}

/* K-STATE-3 */
static void k_state_3_first_write_wins(void **context)
{
    struct place place;
    struct state_op op = {.key = kan_text("k"),
                          .value = kan_text("first"),
                          .concurrency = STATE_FIRST_WRITE};

    (void)context;
    place_open(&place, NULL, 1);
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    op.value = kan_text("second");
    assert_int_equal(write_op(&place, op).outcome, STATE_MISMATCH);
    assert_holds(&place, "k", "first");
    op.kind = STATE_DELETE;
    assert_int_equal(write_op(&place, op).outcome, STATE_MISMATCH);
    assert_holds(&place, "k", "first");
    place_close(&place);
}

static void a_delete_of_nothing_is_fine(void **context)
{
    struct place place;
    struct state_op op = {.kind = STATE_DELETE, .key = kan_text("k")};

    (void)context;
    place_open(&place, NULL, 1);
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    save(&place, "k", "v");
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    assert_holds(&place, "k", NULL);
    place_close(&place);
}

static void a_check_without_condition_is_idle(void **context)
{
    struct place place;
    struct state_op ops[2] = {{.kind = STATE_CHECK, .key = kan_text("k")},
                              {.kind = STATE_CHECK, .key = kan_text("l")}};

    (void)context;
    place_open(&place, NULL, 1);
    assert_int_equal(write_op(&place, ops[0]).outcome, STATE_OK);
    assert_int_equal(write_ops(place.store, &place, ops, 2, true).outcome,
                     STATE_OK);
    assert_int_equal(write_ops(place.store, &place, ops, 2, false).outcome,
                     STATE_OK);
    assert_int_equal(engine_stats(place.engine).commits, 0);
    place_close(&place);
}

/* --- time to live --------------------------------------------------------- */

/* K-STATE-8 */
static void k_state_8_values_expire(void **context)
{
    struct place place;
    struct state_op op = {.key = kan_text("k"),
                          .value = kan_text("v"),
                          .ttl_given = true,
                          .ttl_seconds = 2};
    struct found found;

    (void)context;
    place_open(&place, NULL, 1);
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    found = load(&place, "k");
    assert_true(found.found);
    assert_int_equal(found.expires_ms, env_wall_ms(place.env) + 2000);
    pass(&place, 1999);
    assert_holds(&place, "k", "v");
    pass(&place, 1);
    assert_holds(&place, "k", NULL);
    op.concurrency = STATE_FIRST_WRITE;
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    place_close(&place);
}

/* K-STATE-8 */
static void k_state_8_a_save_without_ttl_lives_for_ever(void **context)
{
    struct place place;
    struct state_op op = {.key = kan_text("k"),
                          .value = kan_text("v"),
                          .ttl_given = true,
                          .ttl_seconds = 2};

    (void)context;
    place_open(&place, NULL, 1);
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    save(&place, "k", "w");
    assert_int_equal(load(&place, "k").expires_ms, 0);
    pass(&place, 10000);
    assert_holds(&place, "k", "w");
    op.ttl_seconds = -1;
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    pass(&place, 10000);
    assert_holds(&place, "k", "v");
    place_close(&place);
}

/* --- transactions --------------------------------------------------------- */

/* K-STATE-4 */
static void k_state_4_all_or_none(void **context)
{
    struct place place;
    struct state_op ops[3] = {
        {.key = kan_text("a"), .value = kan_text("1")},
        {.kind = STATE_DELETE, .key = kan_text("b")},
        {.key = kan_text("c"), .value = kan_text("3"), .revision = 999},
    };
    struct state_write write;

    (void)context;
    place_open(&place, NULL, 1);
    save(&place, "b", "2");
    ops[2].revision = save(&place, "c", "0") + 1;
    write = write_ops(place.store, &place, ops, 3, true);
    assert_int_equal(write.outcome, STATE_MISMATCH);
    assert_int_equal(write.failed_op, 2);
    assert_holds(&place, "a", NULL);
    assert_holds(&place, "b", "2");
    assert_holds(&place, "c", "0");
    ops[2].revision--;
    write = write_ops(place.store, &place, ops, 3, true);
    assert_int_equal(write.outcome, STATE_OK);
    assert_holds(&place, "a", "1");
    assert_holds(&place, "b", NULL);
    assert_holds(&place, "c", "3");
    assert_int_equal(load(&place, "a").version, write.revision);
    assert_int_equal(load(&place, "c").version, write.revision);
    place_close(&place);
}

/* K-STATE-4 */
static void k_state_4_the_last_op_on_a_key_decides(void **context)
{
    struct place place;
    struct state_op ops[5] = {
        {.key = kan_text("a"), .value = kan_text("1")},
        {.kind = STATE_DELETE, .key = kan_text("b")},
        {.key = kan_text("a"), .value = kan_text("2")},
        {.key = kan_text("b"), .value = kan_text("3")},
        {.kind = STATE_DELETE, .key = kan_text("a")},
    };

    (void)context;
    place_open(&place, NULL, 1);
    save(&place, "a", "0");
    assert_int_equal(write_ops(place.store, &place, ops, 5, true).outcome,
                     STATE_OK);
    assert_holds(&place, "a", NULL);
    assert_holds(&place, "b", "3");
    assert_int_equal(write_ops(place.store, &place, ops, 3, true).outcome,
                     STATE_OK);
    assert_holds(&place, "a", "2");
    assert_holds(&place, "b", NULL);
    place_close(&place);
}

/* K-STATE-4: guards look at the state before the transaction, not at what
 * earlier ops in it would leave. */
static void k_state_4_guards_see_the_state_before(void **context)
{
    struct place place;
    struct state_op ops[2] = {
        {.key = kan_text("a"),
         .value = kan_text("1"),
         .concurrency = STATE_FIRST_WRITE},
        {.key = kan_text("a"),
         .value = kan_text("2"),
         .concurrency = STATE_FIRST_WRITE},
    };
    uint64_t revision;

    (void)context;
    place_open(&place, NULL, 1);
    assert_int_equal(write_ops(place.store, &place, ops, 2, true).outcome,
                     STATE_OK);
    assert_holds(&place, "a", "2");
    revision = load(&place, "a").version;
    memset(ops, 0, sizeof(ops));
    ops[0].kind = STATE_DELETE;
    ops[0].key = kan_text("a");
    ops[1].key = kan_text("a");
    ops[1].value = kan_text("3");
    ops[1].revision = revision;
    assert_int_equal(write_ops(place.store, &place, ops, 2, true).outcome,
                     STATE_OK);
    assert_holds(&place, "a", "3");
    place_close(&place);
}

/* K-STATE-4: what a check names is as it was when the rest is written. */
static void k_state_4_checks_guard_other_keys(void **context)
{
    struct place place;
    struct state_op ops[2] = {
        {.kind = STATE_CHECK, .key = kan_text("rate")},
        {.key = kan_text("price"), .value = kan_text("7")},
    };
    struct state_write write;

    (void)context;
    place_open(&place, NULL, 1);
    ops[0].revision = save(&place, "rate", "3");
    assert_int_equal(write_ops(place.store, &place, ops, 2, true).outcome,
                     STATE_OK);
    save(&place, "rate", "4");
    ops[1].value = kan_text("8");
    write = write_ops(place.store, &place, ops, 2, true);
    assert_int_equal(write.outcome, STATE_MISMATCH);
    assert_int_equal(write.failed_op, 0);
    assert_holds(&place, "price", "7");
    place_close(&place);
}

/* K-STATE-4: an engine is never asked to write a key twice in a commit, which
 * not every engine can; so this one fits into one of two writes. */
static void k_state_4_a_key_is_written_once(void **context)
{
    struct engine_promises profile = memory_promises;
    struct place place;
    struct state_op ops[4] = {
        {.key = kan_text("a"), .value = kan_text("1")},
        {.key = kan_text("b"), .value = kan_text("2")},
        {.key = kan_text("a"), .value = kan_text("3")},
        {.kind = STATE_CHECK, .key = kan_text("b")},
    };

    (void)context;
    profile.ops_max = 2;
    place_open(&place, &profile, 1);
    assert_int_equal(write_ops(place.store, &place, ops, 4, true).outcome,
                     STATE_OK);
    assert_holds(&place, "a", "3");
    assert_holds(&place, "b", "2");
    ops[3].revision = 1;
    assert_int_equal(write_ops(place.store, &place, ops, 4, true).outcome,
                     STATE_TOO_MANY);
    place_close(&place);
}

static void a_large_transaction_is_one_commit(void **context)
{
    struct place place;
    struct state_op ops[STATE_OPS_MAX + 1] = {{0}};
    static char keys[STATE_OPS_MAX + 1][8];
    struct state_write write;

    (void)context;
    place_open(&place, NULL, 1);
    for (size_t i = 0; i < STATE_OPS_MAX + 1; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%zu", i % 700);
        ops[i].key = kan_text(keys[i]);
        ops[i].value = ops[i].key;
        ops[i].concurrency = STATE_FIRST_WRITE;
    }
    write = write_ops(place.store, &place, ops, STATE_OPS_MAX + 1, true);
    assert_int_equal(write.outcome, STATE_TOO_MANY);
    write = write_ops(place.store, &place, ops, STATE_OPS_MAX, true);
    assert_int_equal(write.outcome, STATE_OK);
    assert_int_equal(engine_stats(place.engine).commits, 1);
    assert_int_equal(load(&place, "k699").version, write.revision);
    write = write_ops(place.store, &place, ops, STATE_OPS_MAX, true);
    assert_int_equal(write.outcome, STATE_MISMATCH);
    assert_int_equal(write.failed_op, 0);
    place_close(&place);
}

/* --- several at once, each for itself ------------------------------------- */

static void a_bulk_writes_what_it_can(void **context)
{
    struct place place;
    struct state_op ops[4] = {
        {.key = kan_text("a"), .value = kan_text("1")},
        {.key = kan_text("b"), .value = kan_text("2"), .revision = 12345},
        {.key = kan_text("c"), .value = kan_text("3"), .revision = 54321},
        {.key = kan_text("d"), .value = kan_text("4")},
    };
    struct state_write write;

    (void)context;
    place_open(&place, NULL, 1);
    write = write_ops(place.store, &place, ops, 4, false);
    assert_int_equal(write.outcome, STATE_MISMATCH);
    assert_int_equal(write.failed_op, 1);
    assert_holds(&place, "a", "1");
    assert_holds(&place, "b", NULL);
    assert_holds(&place, "c", NULL);
    assert_holds(&place, "d", "4");
    assert_int_equal(load(&place, "d").version, write.revision);
    place_close(&place);
}

static void a_bulk_writes_one_key_in_order(void **context)
{
    struct place place;
    struct state_op ops[3] = {
        {.key = kan_text("a"), .value = kan_text("1")},
        {.key = kan_text("a"), .value = kan_text("2")},
        {.key = kan_text("a"), .value = kan_text("3")},
    };

    (void)context;
    place_open(&place, NULL, 1);
    assert_int_equal(write_ops(place.store, &place, ops, 3, false).outcome,
                     STATE_OK);
    assert_holds(&place, "a", "3");
    place_close(&place);
}

static void nothing_to_do_is_done(void **context)
{
    struct place place;
    struct state_write write;

    (void)context;
    place_open(&place, NULL, 1);
    write = write_ops(place.store, &place, NULL, 0, false);
    assert_int_equal(write.outcome, STATE_OK);
    write = write_ops(place.store, &place, NULL, 0, true);
    assert_int_equal(write.outcome, STATE_OK);
    place_close(&place);
}

/* --- what is wrong with a request ----------------------------------------- */

static char long_key[STATE_KEY_MAX + 1];

static void bad_op(struct state_op *op, int which)
{
    static char value[(4 << 20) + 1];

    switch (which) {
    case 0:
        op->key = kan_text("");
        break;
    case 1:
        op->key = kan_text("a||b");
        break;
    case 2:
        memset(long_key, 'k', sizeof(long_key));
        op->key = kan_slice(long_key, sizeof(long_key));
        break;
    case 3:
        op->etag = kan_text("x");
        break;
    default:
        op->value = kan_slice(value, sizeof(value));
        break;
    }
}

/* K-STATE-5 */
static void k_state_5_bad_requests_write_nothing(void **context)
{
    static const enum state_outcome outcomes[] = {
        STATE_KEY_EMPTY, STATE_KEY_ILLEGAL, STATE_KEY_TOO_LONG,
        STATE_ETAG_INVALID, STATE_VALUE_TOO_LARGE};
    struct place place;

    (void)context;
    place_open(&place, NULL, 1);
    for (int which = 0; which < 5; which++) {
        for (uint32_t count = 1; count <= 3; count++) {
            for (int atomic = 0; atomic < 2; atomic++) {
                struct state_op ops[3] = {
                    {.key = kan_text("a"), .value = kan_text("1")},
                    {.key = kan_text("b"), .value = kan_text("2")},
                    {.key = kan_text("c"), .value = kan_text("3")},
                };
                struct state_write write;
                bad_op(&ops[count - 1], which);
                write = write_ops(place.store, &place, ops, count, atomic);
                assert_int_equal(write.outcome, outcomes[which]);
                assert_int_equal(write.failed_op, count - 1);
            }
        }
    }
    assert_int_equal(engine_stats(place.engine).commits, 0);
    place_close(&place);
}

static void a_transaction_too_large_in_sum_is_refused(void **context)
{
    static char value[4 << 20];
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    struct place place;
    struct state_op ops[5] = {{0}};
    struct state_write write;

    (void)context;
    place_open(&place, NULL, 1);
    for (int i = 0; i < 5; i++) {
        ops[i].key = kan_text(keys[i]);
        ops[i].value = kan_slice(value, sizeof(value));
    }
    write = write_ops(place.store, &place, ops, 5, true);
    assert_int_equal(write.outcome, STATE_VALUE_TOO_LARGE);
    assert_int_equal(engine_stats(place.engine).commits, 0);
    place_close(&place);
}

static void check_bad_read(struct place *place, const struct kan_slice *keys,
                           uint32_t count, enum state_outcome outcome,
                           uint32_t failed_key)
{
    struct found found = {0};
    struct state_read read = {.data = &found, .keys = keys, .key_count = count};

    assert_int_equal(state_read(place->store, &read, on_read), KAN_OK);
    found.answer.submitted = true;
    run_until(place, &found.answer.done);
    assert_int_equal(read.outcome, outcome);
    assert_int_equal(read.failed_key, failed_key);
}

static void bad_reads_are_told_why(void **context)
{
    struct place place;
    struct kan_slice keys[3] = {kan_text("a"), kan_text("b"), kan_text("")};
    static struct kan_slice many[STATE_OPS_MAX + 1];

    (void)context;
    place_open(&place, NULL, 1);
    check_bad_read(&place, keys, 3, STATE_KEY_EMPTY, 2);
    keys[1] = kan_text("||");
    check_bad_read(&place, keys, 3, STATE_KEY_ILLEGAL, 1);
    keys[0] = kan_slice(long_key, sizeof(long_key));
    check_bad_read(&place, keys, 3, STATE_KEY_TOO_LONG, 0);
    check_bad_read(&place, many, STATE_OPS_MAX + 1, STATE_TOO_MANY,
                   STATE_OPS_MAX);
    place_close(&place);
}

/* --- stores that promise less --------------------------------------------- */

static struct engine_promises lesser(void)
{
    struct engine_promises profile = memory_promises;

    profile.linearizable = false;
    profile.expiry_ms = 0;
    profile.ops_max = 1;
    return profile;
}

/* K-STATE-6 */
static void k_state_6_strong_is_refused_by_name(void **context)
{
    struct engine_promises profile = lesser();
    struct place place;
    struct kan_slice key = kan_text("k");
    struct found found = {0};
    struct state_read read = {.data = &found,
                              .keys = &key,
                              .key_count = 1,
                              .consistency = STATE_STRONG};
    struct state_op op = {
        .key = key, .value = kan_text("v"), .consistency = STATE_STRONG};

    (void)context;
    place_open(&place, &profile, 1);
    assert_int_equal(write_op(&place, op).outcome, STATE_NOT_STRONG);
    assert_int_equal(state_read(place.store, &read, on_read), KAN_OK);
    found.answer.submitted = true;
    run_until(&place, &found.answer.done);
    assert_int_equal(read.outcome, STATE_NOT_STRONG);
    op.consistency = STATE_CONSISTENCY_DEFAULT;
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    assert_true(
        load_from(place.store, &place, key, STATE_CONSISTENCY_DEFAULT).found);
    assert_true(load_from(place.store, &place, key, STATE_EVENTUAL).found);
    place_close(&place);
}

static void what_is_not_promised_is_refused_by_name(void **context)
{
    struct engine_promises profile = lesser();
    struct place place;
    struct state_op op = {.key = kan_text("k"),
                          .value = kan_text("v"),
                          .ttl_given = true,
                          .ttl_seconds = 1};

    (void)context;
    place_open(&place, &profile, 1);
    assert_int_equal(write_op(&place, op).outcome, STATE_NO_TTL);
    op.ttl_seconds = 0;
    assert_int_equal(write_op(&place, op).outcome, STATE_OK);
    op.revision = 1;
    op.etag = kan_text("1");
    assert_int_equal(write_ops(place.store, &place, &op, 1, true).outcome,
                     STATE_NO_TRANSACTION);
    assert_int_equal(write_ops(place.store, &place, &op, 0, true).outcome,
                     STATE_NO_TRANSACTION);
    op.etag = kan_text("77");
    assert_int_equal(write_op(&place, op).outcome, STATE_MISMATCH);
    place_close(&place);
}

/* --- tokens of a lock on another engine ----------------------------------- */

static struct state_write write_with_token(struct place *place,
                                           const struct state_op *ops,
                                           uint32_t count, uint64_t number)
{
    struct state_token token = {SLICE("far"), SLICE("r"), number};
    struct answer answer = {false, false};
    struct state_write write = {.data = &answer,
                                .ops = ops,
                                .op_count = count,
                                .atomic = true,
                                .token = &token};

    assert_int_equal(state_write(place->store, &write, on_write), KAN_OK);
    answer.submitted = true;
    run_until(place, &answer.done);
    return write;
}

static void k_lock_9_a_lower_token_writes_nothing(void **context)
{
    struct state_op ops[2] = {
        {.kind = STATE_SET, .key = SLICE("a"), .value = SLICE("1")},
        {.kind = STATE_SET, .key = SLICE("b"), .value = SLICE("1")}};
    struct state_write write;
    struct place place;

    (void)context;
    for (int kind = PLACE_MEMORY; kind < PLACE_KINDS; kind++) {
        place_open_as(&place, (enum place_kind)kind, 1);
        write = write_with_token(&place, ops, 2, 5);
        assert_int_equal(write.outcome, STATE_OK);
        assert_true(write.revision > 0);
        ops[0].value = SLICE("2");
        write = write_with_token(&place, ops, 1, 4);
        assert_int_equal(write.outcome, STATE_FAILED);
        assert_int_equal(write.err, KAN_FENCED);
        assert_holds(&place, "a", "1");
        /* A client's own condition is told apart from the fence. */
        ops[1].etag = SLICE("99");
        write = write_with_token(&place, ops, 2, 7);
        assert_int_equal(write.outcome, STATE_MISMATCH);
        assert_int_equal(write.failed_op, 1);
        assert_int_equal(write_with_token(&place, ops, 1, 5).outcome, STATE_OK);
        assert_holds(&place, "a", "2");
        ops[1].etag = (struct kan_slice){0};
        ops[0].value = SLICE("1");
        /* Its keys are no keys of the store. */
        struct state_list list = {.limit = 10};
        struct page page = list_page(place.store, &place, &list);
        assert_int_equal(page.count, 2);
        place_close(&place);
    }
}

/* What the fence adds counts: a commit that is full without it is too many. */
static void a_token_takes_room(void **context)
{
    struct engine_promises profile = memory_promises;
    struct state_op ops[4];
    struct place place;

    (void)context;
    profile.ops_max = 5;
    place_open(&place, &profile, 1);
    for (int i = 0; i < 4; i++)
        ops[i] = (struct state_op){.kind = STATE_SET,
                                   .key = kan_slice(&"abcd"[i], 1),
                                   .value = SLICE("1")};
    assert_int_equal(write_with_token(&place, ops, 4, 1).outcome,
                     STATE_TOO_MANY);
    assert_int_equal(write_with_token(&place, ops, 3, 1).outcome, STATE_OK);
    place_close(&place);
}

static void a_store_needs_enough_of_its_engine(void **context)
{
    struct engine_promises profile = memory_promises;
    struct place place;
    struct state_options options = {0};
    struct state_store *store = NULL;
    char prefix[STATE_PREFIX_MAX + 1];
    char why[128];

    (void)context;
    profile.key_max = 200;
    place_open(&place, &profile, 1);
    memset(prefix, 'p', sizeof(prefix));
    options.engine = place.engine;
    options.prefix = kan_slice(prefix, sizeof(prefix));
    assert_int_equal(state_store_new(&options, why, sizeof(why), &store),
                     KAN_INVALID);
    assert_non_null(strstr(why, "512"));
    options.prefix = kan_slice(prefix, 200);
    assert_int_equal(state_store_new(&options, why, sizeof(why), &store),
                     KAN_INVALID);
    assert_non_null(strstr(why, "no room"));
    assert_int_equal(state_store_new(&options, NULL, 0, &store), KAN_INVALID);
    options.prefix = kan_slice(prefix, 199);
    assert_int_equal(state_store_new(&options, why, sizeof(why), &store),
                     KAN_OK);
    assert_ptr_equal(state_store_engine(store), place.engine);
    assert_null(state_store_free(store));
    assert_null(state_store_free(NULL));
    place.engine->promises.scan = false;
    assert_int_equal(state_store_new(&options, why, sizeof(why), &store),
                     KAN_INVALID);
    assert_non_null(strstr(why, "scan"));
    place_close(&place);
}

/* --- several keys at once, and pages -------------------------------------- */

struct many
{
    struct answer answer;
    uint32_t found;
};

static void on_many(struct state_read *read)
{
    struct many *many = read->data;

    assert_int_equal(read->outcome, STATE_OK);
    for (uint32_t i = 0; i < read->key_count; i++) {
        const struct state_item *item = &read->items[i];
        assert_memory_equal(item->key.bytes, read->keys[i].bytes,
                            item->key.size);
        many->found += item->found;
        if (item->found)
            assert_memory_equal(item->value.bytes, item->key.bytes,
                                item->value.size);
    }
    many->answer.done = true;
}

static void many_keys_are_read_at_once(void **context)
{
    static const char *const texts[] = {"a", "bb", "a", "none", "ccc"};
    struct place place;
    struct kan_slice keys[5];
    struct many many = {0};
    struct state_read read = {.data = &many, .keys = keys, .key_count = 5};

    (void)context;
    place_open(&place, NULL, 1);
    for (int i = 0; i < 5; i++)
        keys[i] = kan_text(texts[i]);
    save(&place, "a", "a");
    save(&place, "bb", "bb");
    save(&place, "ccc", "ccc");
    assert_int_equal(state_read(place.store, &read, on_many), KAN_OK);
    run_until(&place, &many.answer.done);
    assert_int_equal(many.found, 4);
    many.answer.done = false;
    read.key_count = 0;
    assert_int_equal(state_read(place.store, &read, on_many), KAN_OK);
    run_until(&place, &many.answer.done);
    place_close(&place);
}

/* K-STATE-9 */
static void k_state_9_pages_in_order(void **context)
{
    struct place place;
    struct state_list list = {.prefix = kan_text("k"), .limit = 7};
    char after[16] = "";
    int next = 0;

    (void)context;
    place_open(&place, NULL, 1);
    save(&place, "j", "v");
    save(&place, "l", "v");
    for (int i = 0; i < 30; i++) {
        char key[8];
        snprintf(key, sizeof(key), "k%02d", i * 7 % 30);
        save(&place, key, "v");
    }
    do {
        struct page page;
        list.after = kan_text(after);
        page = list_page(place.store, &place, &list);
        for (uint32_t i = 0; i < page.count; i++) {
            char key[8];
            snprintf(key, sizeof(key), "k%02d", next++);
            assert_string_equal(page.keys[i], key);
            strcpy(after, key);
        }
    } while (list.more);
    assert_int_equal(next, 30);
    list.after = kan_text("zz");
    assert_int_equal(list_page(place.store, &place, &list).count, 0);
    place_close(&place);
}

/* K-STATE-9: stores on one engine do not see each other, not even one whose
 * prefix is empty. */
static void k_state_9_stores_are_apart(void **context)
{
    struct place place;
    struct state_store *bare;
    struct state_store *other;
    struct state_op op = {.key = kan_text("k"), .value = kan_text("bare")};
    struct state_list list = {.limit = 1};
    struct page page;

    (void)context;
    place_open(&place, NULL, 1);
    bare = store_with(&place, "");
    other = store_with(&place, "other||");
    save(&place, "k", "kan");
    save(&place, "x", "kan");
    write_ops(bare, &place, &op, 1, false);
    op.value = kan_text("other");
    write_ops(other, &place, &op, 1, false);
    op.key = kan_text("z");
    write_ops(bare, &place, &op, 1, false);
    assert_holds(&place, "k", "kan");
    assert_string_equal(
        load_from(bare, &place, kan_text("k"), STATE_STRONG).value, "bare");
    page = list_page(bare, &place, &list);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.keys[0], "k");
    list.after = kan_text("k");
    page = list_page(bare, &place, &list);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.keys[0], "z");
    assert_false(list.more);
    list.after = kan_text("");
    list.limit = 0;
    assert_int_equal(list_page(bare, &place, &list).count, 2);
    assert_int_equal(list_page(place.store, &place, &list).count, 2);
    assert_int_equal(list_page(other, &place, &list).count, 1);
    state_store_free(bare);
    state_store_free(other);
    place_close(&place);
}

static void bad_lists_are_told_why(void **context)
{
    struct place place;
    struct state_list list = {.limit = STATE_PAGE_MAX + 1};

    (void)context;
    place_open(&place, NULL, 1);
    list_page(place.store, &place, &list);
    assert_int_equal(list.outcome, STATE_TOO_MANY);
    list.limit = STATE_PAGE_MAX;
    list.prefix = kan_text("||");
    list_page(place.store, &place, &list);
    assert_int_equal(list.outcome, STATE_KEY_ILLEGAL);
    list.prefix = kan_slice(long_key, sizeof(long_key));
    list_page(place.store, &place, &list);
    assert_int_equal(list.outcome, STATE_KEY_TOO_LONG);
    place_close(&place);
}

/* K-STATE-10 */
static void k_state_10_reads_wait_for_a_revision(void **context)
{
    struct engine_promises profile = lesser();
    struct place place;
    struct kan_slice key = kan_text("k");
    struct found found = {0};
    struct state_read read = {.data = &found, .keys = &key, .key_count = 1};

    (void)context;
    place_open(&place, &profile, 1);
    read.at_least = save(&place, "k", "1") + 1;
    assert_int_equal(state_read(place.store, &read, on_read), KAN_OK);
    found.answer.submitted = true;
    pass(&place, 1000);
    assert_false(found.answer.done);
    assert_int_equal(save(&place, "k", "2"), read.at_least);
    run_until(&place, &found.answer.done);
    assert_int_equal(read.outcome, STATE_OK);
    assert_string_equal(found.value, "2");
    assert_true(read.revision >= read.at_least);
    place_close(&place);
}

static void a_read_can_be_canceled(void **context)
{
    struct engine_promises profile = lesser();
    struct place place;
    struct kan_slice key = kan_text("k");
    struct found found = {0};
    struct state_read read = {.data = &found, .keys = &key, .key_count = 1};

    (void)context;
    place_open(&place, &profile, 1);
    read.at_least = 1000;
    assert_int_equal(state_read(place.store, &read, on_read), KAN_OK);
    found.answer.submitted = true;
    state_read_cancel(&read);
    assert_false(found.answer.done);
    run_until(&place, &found.answer.done);
    assert_int_equal(read.outcome, STATE_FAILED);
    assert_int_equal(read.err, KAN_CANCELED);
    state_read_cancel(&read); /* too late is harmless */
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_state_1_acknowledged_is_readable),
        cmocka_unit_test(k_state_7_bytes_come_back),
        cmocka_unit_test(k_state_2_etags_are_compared),
        cmocka_unit_test(k_state_2_last_write_ignores_the_etag),
        cmocka_unit_test(k_state_3_first_write_wins),
        cmocka_unit_test(a_delete_of_nothing_is_fine),
        cmocka_unit_test(a_check_without_condition_is_idle),
        cmocka_unit_test(k_state_8_values_expire),
        cmocka_unit_test(k_state_8_a_save_without_ttl_lives_for_ever),
        cmocka_unit_test(k_state_4_all_or_none),
        cmocka_unit_test(k_state_4_the_last_op_on_a_key_decides),
        cmocka_unit_test(k_state_4_guards_see_the_state_before),
        cmocka_unit_test(k_state_4_checks_guard_other_keys),
        cmocka_unit_test(k_state_4_a_key_is_written_once),
        cmocka_unit_test(a_large_transaction_is_one_commit),
        cmocka_unit_test(a_bulk_writes_what_it_can),
        cmocka_unit_test(a_bulk_writes_one_key_in_order),
        cmocka_unit_test(nothing_to_do_is_done),
        cmocka_unit_test(k_state_5_bad_requests_write_nothing),
        cmocka_unit_test(a_transaction_too_large_in_sum_is_refused),
        cmocka_unit_test(bad_reads_are_told_why),
        cmocka_unit_test(k_state_6_strong_is_refused_by_name),
        cmocka_unit_test(what_is_not_promised_is_refused_by_name),
        cmocka_unit_test(k_lock_9_a_lower_token_writes_nothing),
        cmocka_unit_test(a_token_takes_room),
        cmocka_unit_test(a_store_needs_enough_of_its_engine),
        cmocka_unit_test(many_keys_are_read_at_once),
        cmocka_unit_test(k_state_9_pages_in_order),
        cmocka_unit_test(k_state_9_stores_are_apart),
        cmocka_unit_test(bad_lists_are_told_why),
        cmocka_unit_test(k_state_10_reads_wait_for_a_revision),
        cmocka_unit_test(a_read_can_be_canceled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
