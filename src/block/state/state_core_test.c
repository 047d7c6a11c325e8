/* Tests of the state block's rules. They need neither engine nor env. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "block/state/state_core.h"

static const struct engine_promises embedded = {
    .ops_max = 2048,
    .commit_bytes_max = 1 << 20,
    .key_max = 2048,
    .value_max = 1 << 19,
    .expiry_ms = 1000,
    .durable = ENGINE_FSYNC,
    .scan = true,
    .linearizable = true,
};

static const struct engine_promises weak = {
    .ops_max = 1,
    .commit_bytes_max = 64,
    .key_max = 20,
    .value_max = 16,
    .scan = true,
};

static struct state_limits strong_limits(void)
{
    return state_core_limits(embedded, 5);
}

static struct state_limits weak_limits(void)
{
    return state_core_limits(weak, 5);
}

/* --- keys ----------------------------------------------------------------- */

static void keys_are_checked(void **context)
{
    static const struct
    {
        const char *key;
        enum state_outcome outcome;
    } cases[] = {
        {"a", STATE_OK},
        {"", STATE_KEY_EMPTY},
        {"|", STATE_OK},
        {"a|b|c", STATE_OK},
        {"||", STATE_KEY_ILLEGAL},
        {"a||b", STATE_KEY_ILLEGAL},
        {"a||", STATE_KEY_ILLEGAL},
        {"||a", STATE_KEY_ILLEGAL},
        {"a|||b", STATE_KEY_ILLEGAL},
        {"\xff\x01", STATE_OK},
    };

    (void)context;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(
            state_core_key(strong_limits(), kan_text(cases[i].key)),
            cases[i].outcome);
    assert_int_equal(state_core_key(strong_limits(), kan_slice(NULL, 0)),
                     STATE_KEY_EMPTY);
    assert_int_equal(state_core_key(strong_limits(), kan_slice("a\0b", 3)),
                     STATE_OK);
    assert_int_equal(state_core_key(strong_limits(), kan_slice("a\0||", 4)),
                     STATE_KEY_ILLEGAL);
}

static void keys_have_a_greatest_length(void **context)
{
    char key[STATE_KEY_MAX + 1];
    struct engine_promises tight = embedded;

    (void)context;
    memset(key, 'k', sizeof(key));
    assert_int_equal(
        state_core_key(strong_limits(), kan_slice(key, STATE_KEY_MAX)),
        STATE_OK);
    assert_int_equal(
        state_core_key(strong_limits(), kan_slice(key, STATE_KEY_MAX + 1)),
        STATE_KEY_TOO_LONG);
    assert_int_equal(state_core_key(weak_limits(), kan_slice(key, 15)),
                     STATE_OK);
    assert_int_equal(state_core_key(weak_limits(), kan_slice(key, 16)),
                     STATE_KEY_TOO_LONG);
    tight.key_max = 5;
    assert_int_equal(
        state_core_key(state_core_limits(tight, 5), kan_slice(key, 1)),
        STATE_KEY_TOO_LONG);
}

/* --- etags ---------------------------------------------------------------- */

static void etags_are_canonical_decimals(void **context)
{
    static const struct
    {
        const char *etag;
        uint64_t revision;
    } cases[] = {
        {"1", 1},
        {"1234", 1234},
        {"9007199254740993", 9007199254740993},
        {"18446744073709551615", UINT64_MAX},
        {"18446744073709551616", 0},
        {"18446744073709551620", 0},
        {"99999999999999999999", 0},
        {"184467440737095516150", 0},
        {"0", 0},
        {"01", 0},
        {"", 0},
        {"+1", 0},
        {"-1", 0},
        {" 1", 0},
        {"1 ", 0},
        {"1.0", 0},
        {"0x10", 0},
        {"a", 0},
        {"\"1\"", 0},
        {"W/\"1\"", 0},
        {"d9b6a5a2-6f3e-4f7b", 0},
    };

    (void)context;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(state_core_etag(kan_text(cases[i].etag)),
                         cases[i].revision);
    assert_int_equal(state_core_etag(kan_slice("1\0", 2)), 0);
}

/* Every revision has one text, and no other text is taken for it. */
static void k_state_2_etags_round_trip(void **context)
{
    char text[STATE_ETAG_SIZE];

    (void)context;
    for (unsigned shift = 0; shift < 64; shift++) {
        for (uint64_t near = 0; near < 3; near++) {
            uint64_t revision = (UINT64_C(1) << shift) + near - 1;
            int size = snprintf(text, sizeof(text), "%" PRIu64, revision);
            assert_int_equal(state_core_etag(kan_slice(text, (size_t)size)),
                             revision);
        }
    }
}

/* --- time to live --------------------------------------------------------- */

static void k_state_8_ttl(void **context)
{
    (void)context;
    assert_int_equal(state_core_ttl_ms(false, 0), 0);
    assert_int_equal(state_core_ttl_ms(false, 7), 0);
    assert_int_equal(state_core_ttl_ms(true, 0), 0);
    assert_int_equal(state_core_ttl_ms(true, -1), 0);
    assert_int_equal(state_core_ttl_ms(true, INT64_MIN), 0);
    assert_int_equal(state_core_ttl_ms(true, 1), 1000);
    assert_int_equal(state_core_ttl_ms(true, INT64_MAX),
                     (uint64_t)STATE_TTL_SECONDS_MAX * 1000);
}

/* --- ops ------------------------------------------------------------------ */

/* What the guarantees say of one op, told in another way than the core does:
 * case by case. */
static enum state_outcome told_outcome(struct state_limits limits,
                                       struct state_op op)
{
    bool etag_counts = op.etag.size > 0 && op.concurrency != STATE_LAST_WRITE;

    if (op.consistency == STATE_STRONG && !limits.linearizable)
        return STATE_NOT_STRONG;
    if (op.kind == STATE_SET && op.ttl_given && op.ttl_seconds > 0 &&
        !limits.expiry)
        return STATE_NO_TTL;
    if (etag_counts && !slice_equal(op.etag, SLICE("12")))
        return STATE_ETAG_INVALID;
    return STATE_OK;
}

static void check_guard(struct state_op op, struct state_step step)
{
    bool etag = op.etag.size > 0;
    bool any = etag || op.revision > 0;

    if (op.concurrency == STATE_LAST_WRITE) {
        assert_false(step.guarded);
    } else if (any) {
        assert_true(step.guarded);
        assert_int_equal(step.guard.kind, ENGINE_IF_VERSION);
        assert_int_equal(step.guard.revision, etag ? 12 : op.revision);
    } else {
        assert_int_equal(step.guarded, op.concurrency == STATE_FIRST_WRITE);
        if (step.guarded)
            assert_int_equal(step.guard.kind, ENGINE_IF_ABSENT);
    }
    assert_true(slice_equal(step.guard.key, op.key));
}

static void check_effect(struct state_op op, struct state_step step)
{
    bool lives = op.ttl_given && op.ttl_seconds > 0;

    assert_int_equal(step.writing, op.kind != STATE_CHECK);
    if (!step.writing)
        return;
    assert_true(slice_equal(step.write.key, op.key));
    assert_int_equal(step.write.kind,
                     op.kind == STATE_SET ? ENGINE_PUT : ENGINE_DELETE);
    if (op.kind != STATE_SET)
        return;
    assert_true(slice_equal(step.write.value, op.value));
    assert_int_equal(step.write.ttl_kind, lives ? ENGINE_TTL : ENGINE_FOREVER);
    assert_int_equal(step.write.ttl_ms,
                     lives ? (uint64_t)op.ttl_seconds * 1000 : 0);
}

static void check_op(struct state_limits limits, struct state_op op)
{
    struct state_step step = state_core_step(limits, op);

    assert_int_equal(step.outcome, told_outcome(limits, op));
    if (step.outcome == STATE_OK) {
        check_guard(op, step);
        check_effect(op, step);
    } else {
        assert_false(step.guarded);
        assert_false(step.writing);
    }
}

/* K-STATE-2, K-STATE-3, K-STATE-6, K-STATE-8: all combinations. */
static void ops_mean_what_the_guarantees_say(void **context)
{
    static const char *const etags[] = {"", "12", "x", "0"};
    static const int64_t ttls[] = {-5, 0, 60};
    struct state_op op = {.key = kan_text("k"), .value = kan_text("v")};
    int count = 0;

    (void)context;
    for (int i = 0; i < 3 * 3 * 3 * 4 * 2 * 2 * 3; i++) {
        int n = i;
        op.kind = (enum state_op_kind)(n % 3), n /= 3;
        op.concurrency = (enum state_concurrency)(n % 3), n /= 3;
        op.consistency = (enum state_consistency)(n % 3), n /= 3;
        op.etag = kan_text(etags[n % 4]), n /= 4;
        op.revision = n % 2 ? 7 : 0, n /= 2;
        op.ttl_given = n % 2, n /= 2;
        op.ttl_seconds = ttls[n % 3];
        check_op(strong_limits(), op);
        check_op(weak_limits(), op);
        count++;
    }
    assert_int_equal(count, 1296);
}

static void values_have_a_greatest_size(void **context)
{
    char value[17] = {0};
    struct state_op op = {.key = kan_text("k")};

    (void)context;
    op.value = kan_slice(value, 16);
    assert_int_equal(state_core_step(weak_limits(), op).outcome, STATE_OK);
    op.value = kan_slice(value, 17);
    assert_int_equal(state_core_step(weak_limits(), op).outcome,
                     STATE_VALUE_TOO_LARGE);
    op.kind = STATE_DELETE;
    assert_int_equal(state_core_step(weak_limits(), op).outcome, STATE_OK);
}

static void a_bad_key_outranks_a_bad_etag(void **context)
{
    struct state_op op = {.key = kan_text("a||b"), .etag = kan_text("x")};

    (void)context;
    assert_int_equal(state_core_step(strong_limits(), op).outcome,
                     STATE_KEY_ILLEGAL);
}

/* --- sizes ---------------------------------------------------------------- */

static void sizes_count_what_the_engine_counts(void **context)
{
    struct state_limits limits = weak_limits();
    struct state_op op = {.key = kan_text("key"),
                          .value = kan_text("value"),
                          .etag = kan_text("3")};
    struct state_size size = {0};

    (void)context;
    size = state_core_add(limits, size, state_core_step(limits, op));
    assert_int_equal(size.parts, 2);
    assert_int_equal(size.bytes, 8 + 8 + 5);
    op.kind = STATE_DELETE;
    op.etag = kan_text("");
    size = state_core_add(limits, size, state_core_step(limits, op));
    assert_int_equal(size.parts, 3);
    assert_int_equal(size.bytes, 21 + 8);
    op.kind = STATE_CHECK;
    size = state_core_add(limits, size, state_core_step(limits, op));
    assert_int_equal(size.parts, 3);
}

static void commits_have_a_greatest_size(void **context)
{
    struct state_limits limits = weak_limits();

    (void)context;
    limits.ops_max = 3;
    assert_int_equal(state_core_fits(limits, (struct state_size){3, 64}),
                     STATE_OK);
    assert_int_equal(state_core_fits(limits, (struct state_size){4, 1}),
                     STATE_TOO_MANY);
    assert_int_equal(state_core_fits(limits, (struct state_size){3, 65}),
                     STATE_VALUE_TOO_LARGE);
}

/* --- levels and answers --------------------------------------------------- */

static void k_state_6_strong_or_refused(void **context)
{
    static const struct
    {
        bool linearizable;
        enum state_consistency consistency;
        uint64_t at_least;
        enum state_outcome outcome;
        enum engine_level level;
    } cases[] = {
        {true, STATE_CONSISTENCY_DEFAULT, 0, STATE_OK, ENGINE_LINEARIZABLE},
        {true, STATE_CONSISTENCY_DEFAULT, 9, STATE_OK, ENGINE_LINEARIZABLE},
        {true, STATE_STRONG, 0, STATE_OK, ENGINE_LINEARIZABLE},
        {true, STATE_EVENTUAL, 0, STATE_OK, ENGINE_EVENTUAL},
        {true, STATE_EVENTUAL, 9, STATE_OK, ENGINE_CAUSAL},
        {false, STATE_CONSISTENCY_DEFAULT, 0, STATE_OK, ENGINE_EVENTUAL},
        {false, STATE_CONSISTENCY_DEFAULT, 9, STATE_OK, ENGINE_CAUSAL},
        {false, STATE_STRONG, 0, STATE_NOT_STRONG, ENGINE_EVENTUAL},
        {false, STATE_EVENTUAL, 9, STATE_OK, ENGINE_CAUSAL},
    };

    (void)context;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct state_limits limits =
            cases[i].linearizable ? strong_limits() : weak_limits();
        struct state_level answer =
            state_core_level(limits, cases[i].consistency, cases[i].at_least);
        assert_int_equal(answer.outcome, cases[i].outcome);
        if (answer.outcome == STATE_OK)
            assert_int_equal(answer.level, cases[i].level);
    }
}

static void answers_keep_their_class(void **context)
{
    (void)context;
    assert_int_equal(state_core_answer(KAN_OK), STATE_OK);
    assert_int_equal(state_core_answer(KAN_CONFLICT), STATE_MISMATCH);
#define FAILS(name, number, class, text) \
    if (KAN_##name != KAN_CONFLICT)      \
        assert_int_equal(state_core_answer(KAN_##name), STATE_FAILED);
    KAN_ERR_MAP(FAILS)
#undef FAILS
}

static void worse_is_an_order(void **context)
{
    static const enum state_outcome order[] = {STATE_OK, STATE_MISMATCH,
                                               STATE_ETAG_INVALID,
                                               STATE_KEY_ILLEGAL, STATE_FAILED};

    (void)context;
    for (size_t a = 0; a < 5; a++) {
        for (size_t b = 0; b < 5; b++)
            assert_int_equal(state_core_worse(order[a], order[b]), a > b);
    }
    for (int a = STATE_KEY_EMPTY; a < STATE_FAILED; a++)
        assert_false(state_core_worse((enum state_outcome)a, STATE_NOT_STRONG));
}

static void every_outcome_has_a_text(void **context)
{
    (void)context;
    for (int i = STATE_OK; i <= STATE_FAILED; i++)
        assert_string_not_equal(state_outcome_text((enum state_outcome)i), "?");
    assert_string_equal(state_outcome_text((enum state_outcome)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(keys_have_a_greatest_length),
        cmocka_unit_test(etags_are_canonical_decimals),
        cmocka_unit_test(k_state_2_etags_round_trip),
        cmocka_unit_test(k_state_8_ttl),
        cmocka_unit_test(ops_mean_what_the_guarantees_say),
        cmocka_unit_test(values_have_a_greatest_size),
        cmocka_unit_test(a_bad_key_outranks_a_bad_etag),
        cmocka_unit_test(sizes_count_what_the_engine_counts),
        cmocka_unit_test(commits_have_a_greatest_size),
        cmocka_unit_test(k_state_6_strong_or_refused),
        cmocka_unit_test(answers_keep_their_class),
        cmocka_unit_test(worse_is_an_order),
        cmocka_unit_test(every_outcome_has_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
