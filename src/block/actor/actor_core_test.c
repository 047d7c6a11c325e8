/* The rules of the actor block, one by one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block/actor/actor_core.h"

static struct kan_ref ref(const char *text)
{
    struct kan_ref made;

    memset(&made, 0, sizeof(made));
    memcpy(made.text, text, strlen(text));
    return made;
}

static struct actor_chain chain_of(const char *a, const char *b)
{
    struct actor_chain chain = {0};

    if (a)
        chain.refs[chain.count++] = ref(a);
    if (b)
        chain.refs[chain.count++] = ref(b);
    return chain;
}

static void test_references(void **state)
{
    char longest[64];
    struct kan_ref made;

    (void)state;
    assert_true(actor_core_ref(kan_text("t"), kan_text("a||b c"), &made));
    assert_string_equal(made.text, "t/a||b c");
    assert_false(actor_core_ref(kan_text("t"), kan_text(""), &made));
    assert_false(actor_core_ref(kan_text("t"), kan_text("a/b"), &made));
    assert_false(actor_core_ref(kan_text("t"), kan_text("a#"), &made));
    assert_false(actor_core_ref(kan_text("t"), kan_text("a?"), &made));
    assert_false(actor_core_ref(kan_text("t"), kan_text("a\\"), &made));
    assert_false(actor_core_ref(kan_text("t"), kan_text("a\n"), &made));
    assert_false(actor_core_ref(kan_text("t"), kan_text("\x7f"), &made));
    memset(longest, 'x', sizeof(longest));
    assert_true(actor_core_ref(kan_text("t"), kan_slice(longest, 61), &made));
    assert_int_equal(made.text[63], 0);
    assert_false(actor_core_ref(kan_text("t"), kan_slice(longest, 62), &made));
    made = ref("client/1");
    assert_true(actor_core_outside(&made));
    made = ref("clients/1");
    assert_false(actor_core_outside(&made));
}

static void test_who_is_named(void **state)
{
    struct kan_ref one = ref("client/1");
    struct kan_ref ten = ref("client/10");

    (void)state;
    assert_true(actor_core_names(kan_slice(&one, sizeof(one)), &one));
    assert_false(actor_core_names(kan_slice(&ten, sizeof(ten)), &one));
    assert_false(actor_core_names(kan_slice(&one, sizeof(one)), &ten));
    assert_false(actor_core_names(kan_slice(NULL, 0), &one));
}

/* K-ACTOR-6: chains grow with calls, and an answer goes back to before. */
static void test_chains(void **state)
{
    struct kan_ref self = ref("t/self");
    struct kan_ref a = ref("t/a");
    struct kan_ref b = ref("t/b");
    struct kan_ref c = ref("t/c");
    struct actor_chain in = chain_of("t/a", "t/b");
    struct actor_chain out;

    (void)state;
    assert_true(actor_core_chain(&in, &self, &c, true, &out));
    assert_int_equal(out.count, 3);
    assert_true(actor_core_is_call(&out, &self));
    assert_int_equal(actor_core_chain_back(&out, &self).count, 2);
    assert_true(actor_core_chain(&in, &self, &b, false, &out));
    assert_int_equal(out.count, 1);
    assert_true(kan_ref_equal(&out.refs[0], &a));
    assert_true(actor_core_chain(&in, &self, &a, false, &out));
    assert_int_equal(out.count, 0);
    assert_true(actor_core_chain(&in, &self, &c, false, &out));
    assert_int_equal(out.count, 0);
    assert_int_equal(actor_core_chain_back(&in, &c).count, 0);
    in.count = KAN_CHAIN_MAX;
    assert_false(actor_core_chain(&in, &self, &c, true, &out));
    assert_true(actor_core_chain(&in, &self, &c, false, &out));
}

/* K-ACTOR-6: who waits takes the answer, and refuses what comes back. */
static void test_what_is_taken(void **state)
{
    struct kan_ref self = ref("t/self");
    struct kan_ref other = ref("t/other");
    struct kan_ref third = ref("t/third");
    struct actor_chain none = chain_of(NULL, NULL);
    struct actor_chain back = chain_of("t/self", "t/other");
    struct actor_head head = actor_core_head(&self);

    (void)state;
    assert_int_equal(actor_core_take(&head, &self, &third, &back),
                     ACTOR_TAKE_NOW);
    head.awaits = other;
    assert_int_equal(actor_core_take(&head, &self, &other, &none),
                     ACTOR_TAKE_NOW);
    assert_int_equal(actor_core_take(&head, &self, &third, &none),
                     ACTOR_TAKE_LATER);
    assert_int_equal(actor_core_take(&head, &self, &other, &back),
                     ACTOR_TAKE_BUSY);
    assert_int_equal(actor_core_take(&head, &self, &third, &back),
                     ACTOR_TAKE_BUSY);
}

static void test_timers(void **state)
{
    struct kan_ref self = ref("t/self");
    struct actor_head head = actor_core_head(&self);

    (void)state;
    assert_int_equal(actor_core_due(&head, UINT64_MAX), KAN_TIMERS_MAX);
    head.clocks[3].due_ms = 50;
    head.clocks[5].due_ms = 40;
    head.clocks[7].due_ms = 40;
    assert_int_equal(actor_core_due(&head, 39), KAN_TIMERS_MAX);
    assert_int_equal(actor_core_due(&head, 40), 5);
    head.clocks[5].due_ms = head.clocks[7].due_ms = 0;
    assert_int_equal(actor_core_due(&head, 50), 3);
    assert_true(actor_core_due_at(7, 3) == 10);
    assert_true(actor_core_due_at(0, 0) == 1);
    assert_true(actor_core_due_at(7, UINT64_MAX) == INT64_MAX);
    assert_true(actor_core_due_at(UINT64_MAX, 1) == INT64_MAX);
}

static void test_failures(void **state)
{
    struct kan_ref client = ref("client/1");
    struct kan_ref actor = ref("t/a");
    struct actor_head head = actor_core_head(&actor);

    (void)state;
    assert_int_equal(actor_core_crashed(2, 3), ACTOR_RETRY);
    assert_int_equal(actor_core_crashed(3, 3), ACTOR_PARK);
    assert_false(actor_core_tells(&client, "add"));
    assert_true(actor_core_tells(&actor, "add"));
    assert_false(actor_core_tells(&actor, "kan_failed"));
    assert_int_equal(actor_core_fate(KAN_OK), ACTOR_COMMITTED);
    assert_int_equal(actor_core_fate(KAN_CONFLICT), ACTOR_LOOK);
    assert_int_equal(actor_core_fate(KAN_TIMEOUT), ACTOR_REPEAT);
    assert_int_equal(actor_core_fate(KAN_LOST), ACTOR_REPEAT);
    assert_int_equal(actor_core_fate(KAN_FULL), ACTOR_UNDONE);
    assert_int_equal(actor_core_fate(KAN_BUSY), ACTOR_UNDONE);
    assert_int_equal(actor_core_fate(KAN_CLOSED), ACTOR_BROKEN);
    assert_int_equal(actor_core_fate(KAN_IO), ACTOR_BROKEN);
    head.life = 5;
    head.attempt = 7;
    assert_true(actor_core_own(&head, 5, 7));
    assert_false(actor_core_own(&head, 5, 8));
    assert_false(actor_core_own(&head, 6, 7));
    assert_true(actor_core_backoff_ms(0) == 10);
    assert_true(actor_core_backoff_ms(1000) == 1280);
}

/* K-ACTOR-4 */
static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(actor_core_number(0, 1), ACTOR_NUMBER_NEW);
    assert_int_equal(actor_core_number(4, 5), ACTOR_NUMBER_NEW);
    assert_int_equal(actor_core_number(5, 5), ACTOR_NUMBER_SAME);
    assert_int_equal(actor_core_number(5, 4), ACTOR_NUMBER_OLD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references), cmocka_unit_test(test_who_is_named),
        cmocka_unit_test(test_chains),     cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_timers),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
