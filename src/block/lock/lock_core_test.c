/* Tests of the rules of one lock request, as little plays: each line is an
 * event and the effects that must follow it. Times are milliseconds. Test names
 * cite docs/guarantees/lock.md. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "block/lock/lock_core.h"

#define MS UINT64_C(1000000)

/* --- plays ---------------------------------------------------------------- */

/* One line of a play. at: the time of the event; event: its kind, a number and
 * for a read whose it is; effects: what follows, without timers. */
struct line
{
    uint64_t at;
    const char *event;
    const char *effects;
};

static const struct lock_id own = {.store = 7, .number = 3};

static const char *const outcomes[] = {
    [LOCK_OK] = "ok",
    [LOCK_HELD] = "held",
    [LOCK_NOTFOUND] = "notfound",
    [LOCK_OTHER] = "other",
    [LOCK_FAILED] = "failed",
};

static void describe(const struct lock_effect *effect, struct buffer *out)
{
    if (effect->kind == LOCK_EFFECT_TIMER)
        return;
    if (out->size)
        buffer_append_text(out, ", ");
    switch (effect->kind) {
    case LOCK_EFFECT_READ:
        buffer_append_text(out, "read");
        break;
    case LOCK_EFFECT_PUT:
        buffer_append_text(out, "put");
        break;
    case LOCK_EFFECT_TOUCH:
        buffer_print(out, "touch %d", (int)effect->token);
        break;
    case LOCK_EFFECT_DELETE:
        buffer_print(out, "delete %d", (int)effect->token);
        break;
    case LOCK_EFFECT_ANSWER:
        buffer_print(out, "%s", outcomes[effect->outcome]);
        if (effect->outcome == LOCK_FAILED)
            buffer_print(out, " %s", kan_err_name(effect->err));
        if (effect->outcome == LOCK_OK)
            buffer_print(out, " %d since %d", (int)effect->token,
                         (int)(effect->since_ns / MS));
        break;
    case LOCK_EFFECT_TIMER:
        break;
    }
}

static bool word_is(const char *event, const char *word)
{
    return strncmp(event, word, strlen(word)) == 0;
}

static struct lock_event parse(const struct line *line)
{
    struct lock_event event = {.now_ns = line->at * MS};
    const char *number = strpbrk(line->event, "0123456789");
    uint64_t value = number ? strtoull(number, NULL, 10) : 0;

    if (word_is(line->event, "start")) {
        event.kind = LOCK_EVENT_START;
    } else if (word_is(line->event, "read")) {
        event.kind = LOCK_EVENT_READ;
        event.created = value;
        event.owner = strstr(line->event, "owner") != NULL;
        if (strstr(line->event, "mine"))
            event.id = own;
    } else if (word_is(line->event, "committed")) {
        event.kind = LOCK_EVENT_COMMITTED;
        event.revision = value;
    } else if (word_is(line->event, "refused")) {
        event.kind = LOCK_EVENT_REFUSED;
    } else if (word_is(line->event, "lost")) {
        event.kind = LOCK_EVENT_UNKNOWN;
        event.err = KAN_LOST;
    } else if (word_is(line->event, "busy")) {
        event.kind = LOCK_EVENT_FAILED;
        event.err = KAN_BUSY;
    } else if (word_is(line->event, "broken")) {
        event.kind = LOCK_EVENT_BROKEN;
        event.err = KAN_IO;
    } else if (word_is(line->event, "timer")) {
        event.kind = LOCK_EVENT_TIMER;
    } else {
        assert_string_equal(line->event, "cancel");
        event.kind = LOCK_EVENT_CANCEL;
    }
    return event;
}

/* Play the lines; the core at the end. */
static struct lock_core play(struct lock_want want, const struct line *lines)
{
    struct lock_core core;

    want.id = own;
    want.until_ns *= MS;
    core = lock_core_init(want);
    for (; lines->event; lines++) {
        struct lock_step step = lock_core_step(core, parse(lines));
        struct buffer found = BUFFER_INIT;
        for (uint32_t i = 0; i < step.effect_count; i++)
            describe(&step.effects[i], &found);
        if (strcmp(buffer_text(&found), lines->effects) != 0)
            fail_msg("at %d, %s: \"%s\", expected \"%s\"", (int)lines->at,
                     lines->event, buffer_text(&found), lines->effects);
        buffer_fini(&found);
        core = step.core;
    }
    return core;
}

static void play_to_end(struct lock_want want, const struct line *lines)
{
    assert_int_equal(play(want, lines).phase, LOCK_ENDED);
}

static const struct lock_want want_try = {
    .kind = LOCK_TRY, .expiry_ms = 10000, .until_ns = 5000};

/* --- try ------------------------------------------------------------------ */

/* K-LOCK-1, K-LOCK-2 */
static void k_lock_2_the_token_is_the_revision_of_the_put(void **context)
{
    static const struct line lines[] = {
        {100, "start", "put"}, {150, "committed 9", "ok 9 since 100"}, {0}};

    (void)context;
    play_to_end(want_try, lines);
}

static void what_is_held_is_held(void **context)
{
    static const struct line lines[] = {
        {0, "start", "put"}, {1, "refused", "held"}, {0}};

    (void)context;
    play_to_end(want_try, lines);
}

/* K-LOCK-10 */
static void k_lock_10_a_certain_failure_is_told(void **context)
{
    static const struct line busy[] = {
        {0, "start", "put"}, {1, "busy", "failed BUSY"}, {0}};
    static const struct line broken[] = {
        {0, "start", "put"}, {1, "broken", "failed IO"}, {0}};

    (void)context;
    play_to_end(want_try, busy);
    play_to_end(want_try, broken);
}

/* K-LOCK-8: the put took effect, and its answer was lost. */
static void k_lock_8_a_lost_grant_is_found_by_reading(void **context)
{
    static const struct line lines[] = {{100, "start", "put"},
                                        {200, "lost", "read"},
                                        {201, "read 9 mine", "ok 9 since 100"},
                                        {0}};

    (void)context;
    play_to_end(want_try, lines);
}

/* K-LOCK-8: another attempt of the same owner is somebody else. */
static void k_lock_8_another_attempt_is_not_ours(void **context)
{
    static const struct line lines[] = {{0, "start", "put"},
                                        {10, "lost", "read"},
                                        {11, "read 9 owner", "held"},
                                        /* A copy may still come: look on. */
                                        {61000, "timer", ""},
                                        {0}};

    (void)context;
    play_to_end(want_try, lines);
}

/* K-LOCK-8, K-LOCK-1: it had no effect, so far. The second copy is refused by
 * the first, which came late; the lease counts from when none was there. */
static void k_lock_8_a_late_copy_is_one_grant(void **context)
{
    static const struct line lines[] = {{100, "start", "put"},
                                        {200, "lost", "read"},
                                        {250, "read 0", "put"},
                                        {260, "refused", "read"},
                                        {261, "read 9 mine", "ok 9 since 200"},
                                        {0}};

    (void)context;
    play_to_end(want_try, lines);
}

/* K-LOCK-7: of two copies one is the grant; the other comes after its release,
 * and nobody wants it. */
static void k_lock_7_a_second_copy_is_taken_back(void **context)
{
    static const struct line lines[] = {
        {100, "start", "put"},
        {200, "lost", "read"},
        {250, "read 0", "put"},
        {260, "committed 9", "ok 9 since 200"},
        /* As long as the grant is there, it is the client's. */
        {1260, "timer", "read"},
        {1261, "read 9 mine", ""},
        /* It was released, and the other copy has come. */
        {4000, "timer", "read"},
        {4001, "read 12 mine", "delete 12"},
        {4002, "committed 13", ""},
        {0}};

    (void)context;
    play_to_end(want_try, lines);
}

/* K-LOCK-7 */
static void k_lock_7_a_grant_after_the_deadline_is_taken_back(void **context)
{
    static const struct line lines[] = {{0, "start", "put"},
                                        {5000, "timer", "failed TIMEOUT"},
                                        {5100, "committed 9", "delete 9"},
                                        {5200, "committed 10", ""},
                                        {0}};
    static const struct line refused[] = {{0, "start", "put"},
                                          {5000, "timer", "failed TIMEOUT"},
                                          {5100, "refused", ""},
                                          {0}};

    (void)context;
    play_to_end(want_try, lines);
    play_to_end(want_try, refused);
}

/* K-LOCK-7: the timer is late, and the grant is already too. */
static void k_lock_7_no_grant_is_answered_late(void **context)
{
    static const struct line lines[] = {
        {0, "start", "put"},
        {5000, "committed 9", "failed TIMEOUT, delete 9"},
        {5001, "refused", ""},
        {0}};

    (void)context;
    play_to_end(want_try, lines);
}

/* K-LOCK-5: a lease that has ended on its way is not handed out. */
static void k_lock_5_no_grant_is_answered_without_a_lease(void **context)
{
    struct lock_want want = want_try;
    static const struct line lines[] = {
        {0, "start", "put"},
        {1000, "committed 9", "failed TIMEOUT, delete 9"},
        {1001, "committed 10", ""},
        {0}};

    (void)context;
    want.expiry_ms = 1000;
    play_to_end(want, lines);
}

/* K-LOCK-7 */
static void k_lock_7_a_canceled_try_keeps_nothing(void **context)
{
    static const struct line lines[] = {{0, "start", "put"},
                                        {5, "cancel", "failed CANCELED"},
                                        {6, "cancel", ""},
                                        {10, "lost", "read"},
                                        {11, "read 9 mine", "delete 9"},
                                        {12, "lost", ""},
                                        {2500, "timer", "delete 9"},
                                        {2501, "refused", ""},
                                        {0}};

    (void)context;
    play_to_end(want_try, lines);
}

/* K-LOCK-7: an engine that holds on to a commit is watched, not for ever. */
static void k_lock_7_settling_ends(void **context)
{
    static const struct line lines[] = {{0, "start", "put"},
                                        {5, "lost", "read"},
                                        {6, "busy", ""},
                                        {5000, "timer", "failed TIMEOUT, read"},
                                        {5001, "read 0", ""},
                                        {20000, "timer", "read"},
                                        {20001, "read 0", ""},
                                        {60004, "timer", "read"},
                                        {60004, "read 0", ""},
                                        {65000, "timer", ""},
                                        {0}};

    (void)context;
    play_to_end(want_try, lines);
}

static void repeated_failures_wait_longer(void **context)
{
    static const struct line lines[] = {
        {0, "start", "put"}, {1, "lost", "read"}, {2, "busy", ""}, {0}};
    struct lock_core core = play(want_try, lines);
    uint64_t now = 2 * MS;
    uint64_t last = 0;

    (void)context;
    for (int i = 0; i < 12; i++) {
        struct lock_event timer = {.kind = LOCK_EVENT_TIMER};
        struct lock_event busy = {.kind = LOCK_EVENT_FAILED, .err = KAN_BUSY};
        assert_int_equal(core.phase, LOCK_WAITING);
        assert_true(core.retry_ns - now >= last);
        assert_true(core.retry_ns - now <= LOCK_BACKOFF_MAX_MS * MS);
        last = core.retry_ns - now;
        now = timer.now_ns = busy.now_ns = core.retry_ns;
        core = lock_core_step(core, timer).core;
        core = lock_core_step(core, busy).core;
    }
    assert_int_equal(last, LOCK_BACKOFF_MAX_MS * MS);
}

static void a_try_ends_though_the_engine_never_tells(void **context)
{
    struct lock_want want = want_try;
    struct lock_core core;
    struct lock_event event = {.kind = LOCK_EVENT_START};
    int puts = 0;

    (void)context;
    want.until_ns = UINT64_MAX;
    core = lock_core_init(want);
    while (core.phase != LOCK_ENDED) {
        struct lock_step step = lock_core_step(core, event);
        core = step.core;
        if (core.phase == LOCK_COMMITTING)
            puts++;
        event = (struct lock_event){.kind = LOCK_EVENT_UNKNOWN,
                                    .now_ns = event.now_ns + MS,
                                    .err = KAN_LOST};
        if (core.phase == LOCK_READING)
            event.kind = LOCK_EVENT_READ;
        if (core.phase == LOCK_WAITING)
            event = (struct lock_event){.kind = LOCK_EVENT_TIMER,
                                        .now_ns = core.retry_ns};
        assert_in_range(puts, 0, LOCK_TRIES_MAX);
    }
    assert_int_equal(puts, LOCK_TRIES_MAX);
}

static void answers_that_nobody_waits_for_change_nothing(void **context)
{
    static const struct line lines[] = {
        {0, "start", "put"},    {1, "start", ""},
        {2, "read 5", ""},      {3, "committed 9", "ok 9 since 0"},
        {4, "committed 9", ""}, {5, "refused", ""},
        {6, "lost", ""},        {7, "busy", ""},
        {8, "broken", ""},      {9, "timer", ""},
        {10, "cancel", ""},     {11, "read 9 mine", ""},
        {12, "start", ""},      {0}};

    (void)context;
    play_to_end(want_try, lines);
}

/* --- release -------------------------------------------------------------- */

static const struct lock_want release_token = {
    .kind = LOCK_RELEASE, .token = 9, .until_ns = 5000};
static const struct lock_want release_owner = {
    .kind = LOCK_RELEASE, .by_owner = true, .until_ns = 5000};

static void a_release_by_token_is_one_commit(void **context)
{
    static const struct line lines[] = {
        {0, "start", "delete 9"}, {1, "committed 10", "ok 9 since 0"}, {0}};

    (void)context;
    play_to_end(release_token, lines);
}

/* K-LOCK-3: a later grant is not released by an earlier token. */
static void k_lock_3_a_release_never_frees_a_later_grant(void **context)
{
    static const struct line other[] = {{0, "start", "delete 9"},
                                        {1, "refused", "read"},
                                        {2, "read 12 owner", "other"},
                                        {0}};
    static const struct line none[] = {{0, "start", "delete 9"},
                                       {1, "refused", "read"},
                                       {2, "read 0", "notfound"},
                                       {0}};

    (void)context;
    play_to_end(release_token, other);
    play_to_end(release_token, none);
}

/* K-LOCK-3 */
static void k_lock_3_only_the_owner_releases(void **context)
{
    static const struct line owner[] = {{0, "start", "read"},
                                        {1, "read 9 owner", "delete 9"},
                                        {2, "committed 10", "ok 9 since 1"},
                                        {0}};
    static const struct line other[] = {
        {0, "start", "read"}, {1, "read 9", "other"}, {0}};
    static const struct line none[] = {
        {0, "start", "read"}, {1, "read 0", "notfound"}, {0}};
    struct lock_want both = release_owner;

    (void)context;
    play_to_end(release_owner, owner);
    play_to_end(release_owner, other);
    play_to_end(release_owner, none);
    both.token = 9;
    play_to_end(both, owner);
    play_to_end(both, other);
    both.token = 8;
    play_to_end(both,
                (const struct line[]){
                    {0, "start", "read"}, {1, "read 9 owner", "other"}, {0}});
}

/* K-LOCK-3: it was granted to the same owner again between read and delete. */
static void a_regrant_to_the_owner_is_read_again(void **context)
{
    static const struct line lines[] = {{0, "start", "read"},
                                        {1, "read 9 owner", "delete 9"},
                                        {2, "refused", "read"},
                                        {3, "read 12 owner", "delete 12"},
                                        {4, "committed 13", "ok 12 since 3"},
                                        {0}};

    (void)context;
    play_to_end(release_owner, lines);
}

/* K-LOCK-8, K-LOCK-3: once a delete may have been carried out, a later grant
 * of the same owner is left alone. */
static void k_lock_8_a_lost_release_is_settled(void **context)
{
    static const struct line gone[] = {{0, "start", "read"},
                                       {1, "read 9 owner", "delete 9"},
                                       {2, "lost", "read"},
                                       {3, "read 12 owner", "ok 9 since 1"},
                                       {0}};
    static const struct line absent[] = {{0, "start", "delete 9"},
                                         {2, "lost", "read"},
                                         {3, "read 0", "ok 9 since 0"},
                                         {0}};
    static const struct line there[] = {{0, "start", "delete 9"},
                                        {2, "lost", "read"},
                                        {3, "read 9", "delete 9"},
                                        {4, "refused", "ok 9 since 3"},
                                        {0}};

    (void)context;
    play_to_end(release_owner, gone);
    play_to_end(release_token, absent);
    play_to_end(release_token, there);
}

/* K-LOCK-10 */
static void k_lock_10_a_release_ends_in_time(void **context)
{
    static const struct line waiting[] = {{0, "start", "delete 9"},
                                          {2, "lost", "read"},
                                          {3, "busy", ""},
                                          {5000, "timer", "failed TIMEOUT"},
                                          {0}};
    static const struct line under_way[] = {{0, "start", "delete 9"},
                                            {5000, "timer", "failed TIMEOUT"},
                                            {6000, "lost", ""},
                                            {0}};
    static const struct line canceled[] = {{0, "start", "read"},
                                           {2, "cancel", "failed CANCELED"},
                                           {3, "read 9 owner", ""},
                                           {0}};

    (void)context;
    play_to_end(release_token, waiting);
    play_to_end(release_token, under_way);
    play_to_end(release_owner, canceled);
}

/* --- renew ---------------------------------------------------------------- */

static const struct lock_want renew_token = {
    .kind = LOCK_RENEW, .token = 9, .expiry_ms = 8000, .until_ns = 5000};

/* K-LOCK-2: the token stays. K-LOCK-5: the lease counts from the last send. */
static void k_lock_2_renewal_keeps_the_token(void **context)
{
    static const struct line lines[] = {{100, "start", "touch 9"},
                                        {150, "committed 10", "ok 9 since 100"},
                                        {0}};
    static const struct line lost[] = {{100, "start", "touch 9"},
                                       {150, "lost", "read"},
                                       {200, "read 9", "touch 9"},
                                       {250, "committed 11", "ok 9 since 200"},
                                       {0}};

    (void)context;
    play_to_end(renew_token, lines);
    play_to_end(renew_token, lost);
}

/* K-LOCK-5 */
static void k_lock_5_a_renewal_tells_of_the_loss(void **context)
{
    static const struct line none[] = {{0, "start", "touch 9"},
                                       {1, "refused", "read"},
                                       {2, "read 0", "notfound"},
                                       {0}};
    static const struct line other[] = {{0, "start", "touch 9"},
                                        {1, "lost", "read"},
                                        {2, "read 12", "other"},
                                        {0}};

    (void)context;
    play_to_end(renew_token, none);
    play_to_end(renew_token, other);
}

/* --- leases --------------------------------------------------------------- */

/* K-LOCK-5 */
static void k_lock_5_a_lease_is_on_the_safe_side(void **context)
{
    struct lock_lease lease = lock_lease_begin(9, 1000 * MS, 10000, 10000);

    (void)context;
    assert_int_equal(lease.token, 9);
    assert_int_equal(lease.until_ns, 10900 * MS);
    assert_true(lock_lease_valid(lease, 10900 * MS - 1));
    assert_false(lock_lease_valid(lease, 10900 * MS));
    assert_int_equal(lock_lease_begin(9, 0, 1, 10000).until_ns, 990000);
    assert_int_equal(lock_lease_begin(9, 5, 7, 0).until_ns, 7 * MS + 5);
    assert_int_equal(lock_lease_begin(9, 5, LOCK_EXPIRY_MAX_MS, 0).until_ns,
                     UINT64_MAX);
    assert_int_equal(lock_lease_begin(9, UINT64_MAX, 1, 0).until_ns,
                     UINT64_MAX);
    lease = lock_lease_renew(lease, 9000 * MS, 1000);
    assert_int_equal(lease.until_ns, 9990 * MS);
}

/* K-LOCK-5: a renewal that is under way may already have made it shorter, and
 * one whose fate is unknown may yet cut a later one. */
static void k_lock_5_short_renewals_are_expected_to_count(void **context)
{
    struct lock_lease lease = lock_lease_begin(9, 0, 50000, 0);

    (void)context;
    lease = lock_lease_risk(lease, 10000 * MS, 60000);
    assert_int_equal(lease.until_ns, 50000 * MS);
    lease = lock_lease_risk(lease, 10000 * MS, 1000);
    assert_int_equal(lease.until_ns, 11000 * MS);
    lease = lock_lease_loose(lease, 10000 * MS, 1000);
    lease = lock_lease_loose(lease, 10000 * MS, 3000);
    lease = lock_lease_renew(lease, 10500 * MS, 20000);
    assert_int_equal(lease.until_ns, 11500 * MS);
    lease = lock_lease_renew(lease, (10000 + LOCK_SETTLE_MS) * MS, 20000);
    assert_int_equal(lease.until_ns, (30000 + LOCK_SETTLE_MS) * MS);
}

/* --- names and values ----------------------------------------------------- */

static void names_are_checked(void **context)
{
    static char bytes[LOCK_OWNER_MAX + 1];

    (void)context;
    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(lock_core_resource(kan_text(""), 9), LOCK_RESOURCE_EMPTY);
    assert_int_equal(lock_core_resource(kan_text("a"), 9), LOCK_OK);
    assert_int_equal(lock_core_resource(kan_text("|a|b|"), 9), LOCK_OK);
    assert_int_equal(lock_core_resource(kan_text("a||b"), 9),
                     LOCK_RESOURCE_ILLEGAL);
    assert_int_equal(lock_core_resource(kan_slice(bytes, 9), 9), LOCK_OK);
    assert_int_equal(lock_core_resource(kan_slice(bytes, 10), 9),
                     LOCK_RESOURCE_TOO_LONG);
    assert_int_equal(
        lock_core_resource(kan_slice(bytes, LOCK_RESOURCE_MAX + 1), UINT32_MAX),
        LOCK_RESOURCE_TOO_LONG);
    assert_int_equal(lock_core_owner(kan_text("")), LOCK_OWNER_EMPTY);
    assert_int_equal(lock_core_owner(kan_slice(bytes, LOCK_OWNER_MAX)),
                     LOCK_OK);
    assert_int_equal(lock_core_owner(kan_slice(bytes, LOCK_OWNER_MAX + 1)),
                     LOCK_OWNER_TOO_LONG);
    assert_int_equal(lock_core_expiry(0), LOCK_EXPIRY_ILLEGAL);
    assert_int_equal(lock_core_expiry(1), LOCK_OK);
    assert_int_equal(lock_core_expiry(LOCK_EXPIRY_MAX_MS), LOCK_OK);
    assert_int_equal(lock_core_expiry(LOCK_EXPIRY_MAX_MS + 1),
                     LOCK_EXPIRY_ILLEGAL);
    for (int i = LOCK_OK; i <= LOCK_FAILED; i++)
        assert_true(strlen(lock_outcome_text((enum lock_outcome)i)) > 3);
}

static void values_come_back(void **context)
{
    struct lock_id id = {.store = UINT64_C(0x0123456789abcdef), .number = 2};
    unsigned char value[LOCK_VALUE_HEAD + 2];
    struct lock_id found;
    struct kan_slice owner;

    (void)context;
    lock_value_head(id, value);
    memcpy(value + LOCK_VALUE_HEAD, "me", 2);
    assert_true(
        lock_value_read(kan_slice(value, sizeof(value)), &found, &owner));
    assert_int_equal(found.store, id.store);
    assert_int_equal(found.number, id.number);
    assert_true(slice_equal(owner, SLICE("me")));
    for (size_t size = 0; size <= LOCK_VALUE_HEAD; size++)
        assert_false(lock_value_read(kan_slice(value, size), &found, &owner));
    value[0] = 2;
    assert_false(
        lock_value_read(kan_slice(value, sizeof(value)), &found, &owner));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k_lock_2_the_token_is_the_revision_of_the_put),
        cmocka_unit_test(what_is_held_is_held),
        cmocka_unit_test(k_lock_10_a_certain_failure_is_told),
        cmocka_unit_test(k_lock_8_a_lost_grant_is_found_by_reading),
        cmocka_unit_test(k_lock_8_another_attempt_is_not_ours),
        cmocka_unit_test(k_lock_8_a_late_copy_is_one_grant),
        cmocka_unit_test(k_lock_7_a_second_copy_is_taken_back),
        cmocka_unit_test(k_lock_7_a_grant_after_the_deadline_is_taken_back),
        cmocka_unit_test(k_lock_7_no_grant_is_answered_late),
        cmocka_unit_test(k_lock_5_no_grant_is_answered_without_a_lease),
        cmocka_unit_test(k_lock_7_a_canceled_try_keeps_nothing),
        cmocka_unit_test(k_lock_7_settling_ends),
        cmocka_unit_test(repeated_failures_wait_longer),
        cmocka_unit_test(a_try_ends_though_the_engine_never_tells),
        cmocka_unit_test(answers_that_nobody_waits_for_change_nothing),
        cmocka_unit_test(a_release_by_token_is_one_commit),
        cmocka_unit_test(k_lock_3_a_release_never_frees_a_later_grant),
        cmocka_unit_test(k_lock_3_only_the_owner_releases),
        cmocka_unit_test(a_regrant_to_the_owner_is_read_again),
        cmocka_unit_test(k_lock_8_a_lost_release_is_settled),
        cmocka_unit_test(k_lock_10_a_release_ends_in_time),
        cmocka_unit_test(k_lock_2_renewal_keeps_the_token),
        cmocka_unit_test(k_lock_5_a_renewal_tells_of_the_loss),
        cmocka_unit_test(k_lock_5_a_lease_is_on_the_safe_side),
        cmocka_unit_test(k_lock_5_short_renewals_are_expected_to_count),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(values_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
