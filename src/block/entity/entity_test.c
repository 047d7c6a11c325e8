/* The entity block in a good world: steps, refusals, versions, keys, pages,
 * followers. */

#include <stdio.h>

#include "base/alloc.h"
#include "block/entity/entity_place.h"

static struct place place;

/* --- steps ---------------------------------------------------------------- */

static void test_steps(void **state)
{
    struct asked asked;
    struct paged paged;

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    gives(&place, "account/alice", "deposit", "{\"amount\":5}", ENTITY_REFUSED);
    assert_int_equal(look(&place, "account/alice").outcome, ENTITY_NOTFOUND);
    takes(&place, "account/alice", "open", "{\"name\":\"Alice\"}", 1);
    takes(&place, "account/alice", "deposit", "{\"amount\":500}", 2);
    asked = call(&place, "account/alice", "withdraw", "{\"amount\":501}");
    assert_int_equal(asked.outcome, ENTITY_REFUSED);
    assert_string_equal(asked.text, "insufficient funds");
    assert_int_equal(number_in(asked.values, "balance"), 500);
    asked = call(&place, "account/alice", "withdraw", "{\"amount\":200}");
    assert_int_equal(asked.outcome, ENTITY_TAKEN);
    assert_int_equal(asked.n, 3);
    assert_int_equal(asked.version, 1);
    assert_int_equal(number_in(asked.state, "balance"), 300);
    assert_int_equal(number_in(asked.state, "deposits"), 1);
    assert_int_equal(number_in(asked.state, "paid_in"), 500);
    assert_int_equal(number_in(look(&place, "account/alice").state, "balance"),
                     300);
    paged = page(&place, "account/alice", 0, 0);
    assert_int_equal(paged.count, 3);
    assert_false(paged.more);
    assert_non_null(strstr(paged.text,
                           "{\"n\":2,\"step\":\"deposit\",\"version\":1,"
                           "\"args\":{\"amount\":500},\"time\":\"2026-"));
    assert_int_equal(place.events, 3);
    assert_int_equal(place.events_n, 6);
    place_close(&place);
}

/* K-ENTITY-5: whatever is wrong is refused, and nothing is written. */
static void test_refusals(void **state)
{
    struct asked asked;

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    gives(&place, "bank/a", "open", "{}", ENTITY_NO_TYPE);
    gives(&place, "account/", "open", "{}", ENTITY_ID_ILLEGAL);
    gives(&place, "account/a?b", "open", "{}", ENTITY_ID_ILLEGAL);
    gives(&place, "account/a\xc2\x85", "open", "{}", ENTITY_ID_ILLEGAL);
    gives(&place, "account/a\xff", "open", "{}", ENTITY_ID_ILLEGAL);
    gives(&place, "account/a", "close", "{}", ENTITY_NO_STEP);
    gives(&place, "account/a", "seize", "{}", ENTITY_NO_STEP);
    gives(&place, "account/a", "deposit", "{\"amount\":0}",
          ENTITY_BODY_INVALID);
    gives(&place, "account/a", "deposit", "{\"amount\":\"x\"}",
          ENTITY_BODY_INVALID);
    gives(&place, "account/a", "deposit", "", ENTITY_BODY_INVALID);
    gives(&place, "account/a", "deposit", "[]", ENTITY_BODY_INVALID);
    gives(&place, "account/a", "deposit", "{\"amount\":1", ENTITY_BODY_INVALID);
    gives(&place, "account/a", "deposit", "{\"amount\":1,\"to\":2}",
          ENTITY_BODY_INVALID);
    asked = call(&place, "account/a", "deposit", "{\"amount\":2000000}");
    assert_int_equal(asked.outcome, ENTITY_BODY_INVALID);
    assert_non_null(strstr(asked.text, "amount"));
    to_ask(&asked, "account/a", "deposit", "{\"amount\":1}");
    asked.call.version = 2;
    ask_wait(&place, &asked);
    assert_int_equal(asked.outcome, ENTITY_NO_VERSION);
    to_ask(&asked, "account/a", "seize", "{}");
    asked.call.internal = true;
    ask_wait(&place, &asked);
    assert_int_equal(asked.outcome, ENTITY_TAKEN);
    assert_int_equal(asked.n, 2);
    assert_int_equal(page(&place, "account/a", 0, 0).count, 2);
    place_close(&place);
}

static void test_if_match(void **state)
{
    struct asked asked;

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    for (uint64_t match = 1; match < 2; match--) {
        to_ask(&asked, "account/a", "open", "{\"name\":\"A\"}");
        asked.call.has_if_match = true;
        asked.call.if_match = match;
        ask_wait(&place, &asked);
        assert_int_equal(asked.outcome, match ? ENTITY_STALE : ENTITY_TAKEN);
        if (match == 0)
            break;
        assert_int_equal(asked.n, 0);
    }
    to_ask(&asked, "account/a", "deposit", "{\"amount\":1}");
    asked.call.has_if_match = true;
    ask_wait(&place, &asked);
    assert_int_equal(asked.outcome, ENTITY_STALE);
    assert_int_equal(asked.n, 1);
    asked.call.if_match = 1;
    asked.done = false;
    ask_wait(&place, &asked);
    assert_int_equal(asked.outcome, ENTITY_TAKEN);
    place_close(&place);
}

/* Many calls at once share commits, and each gets the state behind its own
 * step. Of two with the same expectation one wins. */
static void test_many_at_once(void **state)
{
    static struct asked asked[300];
    struct asked both[2];

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 0; i < 300; i++) {
        to_ask(&asked[i], "account/a", "deposit", "{\"amount\":1}");
        ask(&place, &asked[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        to_ask(&both[i], "account/a", "withdraw", "{\"amount\":300}");
        both[i].call.has_if_match = true;
        both[i].call.if_match = 301;
        ask(&place, &both[i]);
    }
    run_until(&place, &both[1].done);
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(asked[i].outcome, ENTITY_TAKEN);
        assert_int_equal(asked[i].n, i + 2);
        assert_int_equal(number_in(asked[i].state, "balance"), i + 1);
    }
    assert_int_equal(both[0].outcome, ENTITY_TAKEN);
    assert_int_equal(number_in(both[0].state, "balance"), 0);
    assert_int_equal(both[1].outcome, ENTITY_STALE);
    assert_true(entity_stats(place.host).commits < 10);
    place_close(&place);
}

/* --- keys ----------------------------------------------------------------- */

static struct asked keyed(const char *step, const char *body, const char *key)
{
    struct asked asked;

    to_ask(&asked, "account/a", step, body);
    asked.call.key = kan_text(key);
    ask_wait(&place, &asked);
    return asked;
}

/* K-ENTITY-6: a key counts once, also after the host was closed. */
static void test_keys(void **state)
{
    struct asked asked;

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned round = 0; round < 3; round++) {
        asked = keyed("deposit", "{\"amount\":5}", "k1");
        assert_int_equal(asked.outcome, ENTITY_TAKEN);
        assert_int_equal(asked.replayed, round > 0);
        assert_int_equal(asked.n, 2);
        assert_int_equal(number_in(asked.state, "balance"), 5);
        assert_int_equal(number_in(asked.state, "deposits"), 1);
        asked = keyed("deposit", "{\"amount\":6}", "k1");
        assert_int_equal(asked.outcome, ENTITY_KEY_REUSED);
        asked = keyed("withdraw", "{\"amount\":5}", "k1");
        assert_int_equal(asked.outcome, ENTITY_KEY_REUSED);
        asked = keyed("withdraw", "{\"amount\":500}", "k2");
        assert_int_equal(asked.outcome, ENTITY_REFUSED);
        takes(&place, "account/a", "deposit", "{\"amount\":1}", 3 + round);
        if (round == 1) {
            host_close(&place);
            place_host(&place);
        }
    }
    asked = keyed("deposit", "{\"amount\":500}", "k2");
    assert_int_equal(asked.outcome, ENTITY_TAKEN);
    assert_false(asked.replayed);
    asked = keyed("deposit", "{\"amount\":500}", "");
    assert_int_equal(asked.outcome, ENTITY_KEY_INVALID);
    /* A day later it is as new. */
    pass(&place, ENTITY_KEY_MS);
    asked = keyed("deposit", "{\"amount\":5}", "k1");
    assert_int_equal(asked.outcome, ENTITY_TAKEN);
    assert_false(asked.replayed);
    assert_int_equal(asked.n, 7);
    place_close(&place);
}

/* K-ENTITY-6: the same key twice at once: the second waits for the first. */
static void test_a_key_under_way(void **state)
{
    struct asked asked[3];

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 0; i < 3; i++) {
        to_ask(&asked[i], "account/a", "deposit",
               i < 2 ? "{\"amount\":5}" : "{\"amount\":6}");
        asked[i].call.key = kan_text("k");
        ask(&place, &asked[i]);
    }
    for (unsigned i = 0; i < 3; i++)
        run_until(&place, &asked[i].done);
    assert_int_equal(asked[0].outcome, ENTITY_TAKEN);
    assert_false(asked[0].replayed);
    assert_int_equal(asked[1].outcome, ENTITY_TAKEN);
    assert_true(asked[1].replayed);
    assert_int_equal(asked[1].n, 2);
    assert_int_equal(asked[2].outcome, ENTITY_KEY_REUSED);
    assert_int_equal(look(&place, "account/a").n, 2);
    place_close(&place);
}

/* K-ENTITY-6: the last 1,000, over snapshots and with steps without keys
 * between. */
static void test_many_keys(void **state)
{
    char key[32];

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 0; i < 1300; i++) {
        struct asked asked;
        snprintf(key, sizeof(key), "key-%u", i);
        asked = keyed("deposit", "{\"amount\":1}", key);
        assert_int_equal(asked.outcome, ENTITY_TAKEN);
        if (i % 3 == 0)
            gives(&place, "account/a", "deposit", "{\"amount\":1}",
                  ENTITY_TAKEN);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 300; i < 1300; i += 37) {
            struct asked asked;
            snprintf(key, sizeof(key), "key-%u", i);
            asked = keyed("deposit", "{\"amount\":1}", key);
            assert_int_equal(asked.outcome, ENTITY_TAKEN);
            assert_true(asked.replayed);
            assert_int_equal(asked.n, i + i / 3 + 2 + (i % 3 != 0));
            assert_int_equal(number_in(asked.state, "balance"), asked.n - 1);
        }
        host_close(&place);
        place_host(&place);
    }
    assert_false(keyed("deposit", "{\"amount\":1}", "key-0").replayed);
    place_close(&place);
}

/* --- the past ------------------------------------------------------------- */

/* K-ENTITY-3: the state at any number is the fold of the events up to it. */
static void test_past(void **state)
{
    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 2; i <= 2500; i++)
        takes(&place, "account/a", "deposit", "{\"amount\":1}", i);
    for (uint64_t at = 1; at <= 2500; at += 83) {
        struct looked looked = look_at(&place, "account/a", at, 0);
        assert_int_equal(looked.outcome, ENTITY_TAKEN);
        assert_int_equal(looked.n, at);
        assert_int_equal(number_in(looked.state, "balance"), at - 1);
        assert_int_equal(number_in(looked.state, "deposits"), at - 1);
    }
    for (uint64_t at = 999; at <= 1001; at++)
        assert_int_equal(
            number_in(look_at(&place, "account/a", at, 0).state, "balance"),
            at - 1);
    assert_int_equal(
        number_in(look_at(&place, "account/a", 0, 0).state, "balance"), 0);
    assert_int_equal(look_at(&place, "account/b", 0, 0).outcome,
                     ENTITY_NOTFOUND);
    assert_int_equal(look_at(&place, "account/a", 2501, 0).outcome,
                     ENTITY_NOTFOUND);
    assert_int_equal(look_at(&place, "account/a", UINT64_MAX, 0).outcome,
                     ENTITY_NOTFOUND);
    assert_int_equal(look_at(&place, "account/b", 1, 0).outcome,
                     ENTITY_NOTFOUND);
    assert_int_equal(look_at(&place, "account/a", 1, 3).outcome,
                     ENTITY_NO_VERSION);
    place_close(&place);
}

/* K-ENTITY-8: opening an entity reads the events since its last snapshot, not
 * those before. Counted in keys that the engine was asked for. */
static void test_opening_is_bounded(void **state)
{
    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 2; i <= 5003; i++)
        takes(&place, "account/a", "deposit", "{\"amount\":1}", i);
    host_close(&place);
    place_host(&place);
    {
        uint64_t before = engine_stats(place.engine).reads;
        struct looked looked = look(&place, "account/a");
        uint64_t reads = engine_stats(place.engine).reads - before;
        assert_int_equal(number_in(looked.state, "balance"), 5002);
        assert_int_equal(number_in(looked.state, "deposits"), 5002);
        assert_int_equal(looked.n, 5003);
        assert_true(looked.revision > 0);
        assert_true(reads <= 2 + 1 + 4);
    }
    place_close(&place);
}

static void test_pages(void **state)
{
    struct paged paged;

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    takes(&place, "account/a\xc3\xa9", "open", "{\"name\":\"A\"}", 1);
    takes(&place, "account/b", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 2; i <= 250; i++)
        takes(&place, "account/a", "deposit", "{\"amount\":1}", i);
    paged = page(&place, "account/a", 0, 0);
    assert_int_equal(paged.count, ENTITY_PAGE_DEFAULT);
    assert_true(paged.more);
    paged = page(&place, "account/a", paged.last, 1000);
    assert_int_equal(paged.first, 101);
    assert_int_equal(paged.last, 250);
    assert_false(paged.more);
    paged = page(&place, "account/a", 250, 1000);
    assert_int_equal(paged.count, 0);
    assert_int_equal(paged.last, 250);
    assert_int_equal(page(&place, "account/c", 0, 0).outcome, ENTITY_NOTFOUND);
    assert_int_equal(page(&place, "other/c", 0, 0).outcome, ENTITY_NO_TYPE);
    assert_string_equal(list(&place, "account", "", 0), "a a\xc3\xa9 b");
    assert_string_equal(list(&place, "account", "", 2), "a a\xc3\xa9 ...");
    assert_string_equal(list(&place, "account", "a", 2), "a\xc3\xa9 b");
    assert_int_equal(change(&place, "account/a", ENTITY_DELETE, 0).outcome,
                     ENTITY_TAKEN);
    assert_string_equal(list(&place, "account", "", 1), "a\xc3\xa9 ...");
    assert_string_equal(list(&place, "account", "", 2), "a\xc3\xa9 b");
    place_close(&place);
}

/* --- the end of an entity ------------------------------------------------- */

static void test_delete(void **state)
{
    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    assert_int_equal(change(&place, "account/a", ENTITY_DELETE, 0).outcome,
                     ENTITY_NOTFOUND);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    takes(&place, "account/a", "deposit", "{\"amount\":7}", 2);
    assert_int_equal(change(&place, "account/a", ENTITY_DELETE, 0).n, 3);
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(look(&place, "account/a").outcome, ENTITY_NOTFOUND);
        assert_int_equal(change(&place, "account/a", ENTITY_DELETE, 0).outcome,
                         ENTITY_NOTFOUND);
        assert_int_equal(
            number_in(look_at(&place, "account/a", 2, 0).state, "balance"), 7);
        assert_int_equal(look_at(&place, "account/a", 3, 0).outcome,
                         ENTITY_NOTFOUND);
        host_close(&place);
        place_host(&place);
    }
    assert_non_null(strstr(page(&place, "account/a", 2, 0).text,
                           "{\"n\":3,\"event\":\"deleted\",\"version\":1,"));
    /* It begins anew, and numbers go on. */
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 4);
    assert_int_equal(number_in(look(&place, "account/a").state, "balance"), 0);
    assert_int_equal(number_in(look(&place, "account/a").state, "deposits"), 0);
    host_close(&place);
    place_host(&place);
    assert_int_equal(look(&place, "account/a").n, 4);
    place_close(&place);
}

/* K-ENTITY-9: of what was erased nothing is left but the tombstone. */
static void test_erase(void **state)
{
    struct engine_scan scan;
    struct asked asked;

    (void)state;
    (void)scan;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    assert_int_equal(change(&place, "account/a", ENTITY_ERASE, 0).outcome,
                     ENTITY_NOTFOUND);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    asked = keyed("deposit", "{\"amount\":1}", "k");
    for (unsigned i = 3; i <= 1500; i++)
        takes(&place, "account/a", "deposit", "{\"amount\":1}", i);
    assert_int_equal(change(&place, "account/a", ENTITY_ERASE, 0).n, 1501);
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(look(&place, "account/a").outcome, ENTITY_NOTFOUND);
        assert_int_equal(look_at(&place, "account/a", 2, 0).outcome,
                         ENTITY_ERASED_PAST);
        assert_int_equal(page(&place, "account/a", 0, 0).count, 1);
        assert_non_null(strstr(page(&place, "account/a", 0, 0).text,
                               "{\"n\":1501,\"event\":\"erased\""));
        assert_string_equal(list(&place, "account", "", 0), "");
        assert_int_equal(change(&place, "account/a", ENTITY_ERASE, 0).n, 1501);
        host_close(&place);
        place_host(&place);
    }
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1502);
    asked = keyed("deposit", "{\"amount\":1}", "k");
    assert_int_equal(asked.outcome, ENTITY_TAKEN);
    assert_false(asked.replayed);
    assert_int_equal(
        number_in(look_at(&place, "account/a", 1503, 0).state, "balance"), 1);
    host_close(&place);
    place_host(&place);
    assert_int_equal(number_in(look(&place, "account/a").state, "balance"), 1);
    assert_int_equal(page(&place, "account/a", 0, 0).count, 3);
    place_close(&place);
}

/* --- versions ------------------------------------------------------------- */

static struct asked as_version(const char *step, const char *body,
                               uint32_t version)
{
    struct asked asked;

    to_ask(&asked, "cart/c", step, body);
    asked.call.version = version;
    ask_wait(&place, &asked);
    return asked;
}

static void reopen(const char *text)
{
    host_close(&place);
    place_text(&place, text);
    place_host(&place);
}

/* K-ENTITY-7: a stream folds with version 1 up to the upgrade and with version
 * 2 behind it, also when the text lacks version 1. */
static void test_upgrade(void **state)
{
    struct asked asked;

    (void)state;
    place_open(&place, PLACE_MEMORY, place_cart_1, 1);
    takes(&place, "cart/c", "add", "{\"article\":\"apple\"}", 1);
    takes(&place, "cart/c", "add", "{\"article\":\"apple\"}", 2);
    reopen(place_cart);
    assert_int_equal(place.ready, KAN_OK);
    assert_int_equal(look(&place, "cart/c").version, 1);
    /* A refused step upgrades nothing. */
    gives(&place, "cart/c", "ship", "{}", ENTITY_REFUSED);
    assert_int_equal(look(&place, "cart/c").n, 2);
    /* An old client: its step in the new version, the answer in the old. */
    asked = as_version("add", "{\"article\":\"pear\"}", 1);
    assert_int_equal(asked.outcome, ENTITY_TAKEN);
    assert_int_equal(asked.n, 4);
    assert_int_equal(asked.version, 1);
    assert_non_null(strstr(asked.state, "\"paid\":false"));
    assert_int_equal(number_in(asked.state, "added"), 3);
    assert_int_equal(as_version("empty", "{}", 1).outcome, ENTITY_GONE);
    assert_int_equal(
        as_version("add", "{\"article\":\"a\",\"count\":2}", 1).outcome,
        ENTITY_BODY_INVALID);
    asked = as_version("add", "{\"article\":\"pear\",\"count\":4}", 0);
    assert_int_equal(asked.version, 2);
    assert_int_equal(number_in(asked.state, "pear"), 5);
    assert_int_equal(number_in(asked.state, "added"), 4);
    assert_int_equal(number_in(asked.state, "pieces"), 7);
    assert_non_null(strstr(page(&place, "cart/c", 0, 0).text,
                           "{\"n\":3,\"event\":\"upgraded\",\"version\":2,"));
    reopen(place_cart_2);
    assert_int_equal(place.ready, KAN_OK);
    assert_int_equal(number_in(look(&place, "cart/c").state, "apple"), 2);
    assert_int_equal(number_in(look(&place, "cart/c").state, "added"), 4);
    assert_int_equal(look_at(&place, "cart/c", 2, 0).version, 1);
    assert_int_equal(look_at(&place, "cart/c", 2, 2).version, 2);
    assert_non_null(strstr(look_at(&place, "cart/c", 2, 2).state, "filling"));
    assert_int_equal(page(&place, "cart/c", 0, 0).count, 5);
    place_close(&place);
}

static void test_upgrade_asked_for(void **state)
{
    struct looked looked;

    (void)state;
    place_open(&place, PLACE_MEMORY, place_cart_1, 1);
    takes(&place, "cart/c", "add", "{\"article\":\"apple\"}", 1);
    reopen(place_cart);
    assert_int_equal(change(&place, "cart/d", ENTITY_UPGRADE, 0).outcome,
                     ENTITY_NOTFOUND);
    looked = change(&place, "cart/c", ENTITY_UPGRADE, 0);
    assert_int_equal(looked.outcome, ENTITY_TAKEN);
    assert_int_equal(looked.n, 2);
    assert_int_equal(change(&place, "cart/c", ENTITY_UPGRADE, 2).n, 2);
    assert_int_equal(look(&place, "cart/c").version, 2);
    looked = change(&place, "cart/c", ENTITY_UPGRADE, 1);
    assert_int_equal(looked.outcome, ENTITY_TAKEN);
    assert_int_equal(looked.n, 3);
    assert_int_equal(look(&place, "cart/c").version, 1);
    assert_int_equal(change(&place, "cart/c", ENTITY_UPGRADE, 3).outcome,
                     ENTITY_NO_VERSION);
    reopen(place_cart);
    assert_int_equal(look(&place, "cart/c").version, 1);
    takes(&place, "cart/c", "pay", "", 5);
    place_close(&place);
}

/* K-ENTITY-3: a view that snapshots do not have is counted from all events. */
static void test_another_view(void **state)
{
    static const char text[] =
        "type account { balance: int(0 .. 9000) = 0\n"
        "step deposit(amount: int(1 .. 9)) { balance += amount }\n"
        "view sums { %s: count(deposit) } }";
    char one[sizeof(text) + 16];

    (void)state;
    snprintf(one, sizeof(one), text, "many");
    place_open(&place, PLACE_MEMORY, one, 1);
    for (unsigned i = 1; i <= 2100; i++)
        takes(&place, "account/a", "deposit", "{\"amount\":2}", i);
    assert_int_equal(number_in(look(&place, "account/a").state, "many"), 2100);
    snprintf(one, sizeof(one), text, "much");
    reopen(one);
    assert_int_equal(place.ready, KAN_OK);
    for (unsigned round = 0; round < 2; round++) {
        struct looked looked = look(&place, "account/a");
        assert_int_equal(number_in(looked.state, "balance"), 4200);
        assert_int_equal(number_in(looked.state, "much"), 2100);
        assert_int_equal(
            number_in(look_at(&place, "account/a", 2050, 0).state, "much"),
            2050);
        reopen(one);
    }
    place_close(&place);
}

/* A call that waits behind a commit is taken back without a trace; one whose
 * step is with the engine is not. */
static void test_cancel_behind_a_commit(void **state)
{
    struct asked asked[4];

    (void)state;
    place_open(&place, PLACE_SQLITE, place_bank, 1);
    sim_world_options(place.world)->lane_jitter_ns = 3 * ENV_MS;
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 0; i < 4; i++) {
        to_ask(&asked[i], "account/a", "deposit", "{\"amount\":1}");
        ask(&place, &asked[i]);
        for (unsigned j = 0; i == 0 && j < 2; j++)
            (void)sim_step(place.world);
    }
    for (unsigned j = 0; j < 2; j++)
        (void)sim_step(place.world);
    entity_call_cancel(&asked[0].call);
    entity_call_cancel(&asked[2].call);
    for (unsigned i = 0; i < 4; i++)
        run_until(&place, &asked[i].done);
    assert_int_equal(asked[0].err, KAN_CANCELED);
    assert_int_equal(asked[1].n, 3);
    assert_int_equal(asked[2].err, KAN_CANCELED);
    assert_int_equal(asked[3].n, 4);
    assert_int_equal(number_in(look(&place, "account/a").state, "balance"), 3);
    place_close(&place);
}

/* K-ENTITY-7: another meaning under the same number is refused. */
static void test_changed_meaning(void **state)
{
    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    host_close(&place);
    place_text(&place,
               "type account { balance: int(0 .. 5) = 0\n"
               "step deposit { balance += 1 } }");
    place_host(&place);
    assert_int_equal(place.ready, KAN_INVALID);
    assert_non_null(strstr(place.why, "version 2"));
    assert_non_null(strstr(place.why, "test.kan: type account version 1 "));
    assert_non_null(strstr(place.why, " (the field owner is missing); "));
    {
        struct asked asked;
        to_ask(&asked, "account/a", "deposit", "");
        assert_int_equal(ask_try(place.host, &asked), KAN_BUSY);
    }
    place_close(&place);
}

/* Types that left the text are told of when entities of them are there, and
 * the host starts all the same. */
static void test_types_that_no_contract_has(void **state)
{
    static const char other[] =
        "type other { on: bool\nstep go { on = true } }";
    struct asked asked;

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    host_close(&place);
    place_text(&place, other);
    place_host(&place);
    assert_int_equal(place.ready, KAN_OK);
    assert_int_equal(place.troubles, 0);
    host_close(&place);
    place_text(&place, place_bank);
    place_host(&place);
    to_ask(&asked, "account/a", "open", "{\"name\":\"A\"}");
    ask(&place, &asked);
    run_until(&place, &asked.done);
    assert_int_equal(asked.outcome, ENTITY_TAKEN);
    host_close(&place);
    place_text(&place, other);
    place_host(&place);
    assert_int_equal(place.ready, KAN_OK);
    assert_int_equal(place.troubles, 1);
    assert_non_null(strstr(place.trouble, "entities of the type account, "));
    place_close(&place);
}

static void on_reloaded(void *data, enum kan_err err, const char *why)
{
    (void)data;
    place.ready = err;
    place.readied = true;
    snprintf(place.why, sizeof(place.why), "%s", why);
}

static void reload(const char *text)
{
    place_text(&place, text);
    place.readied = false;
    assert_int_equal(
        entity_host_reload(place.host, place.contract, on_reloaded), KAN_OK);
}

/* K-ENTITY-7: another contract comes into force at once, or not at all. */
static void test_reload(void **state)
{
    static struct asked asked[60];

    (void)state;
    place_open(&place, PLACE_MEMORY, place_cart_1, 1);
    for (unsigned i = 0; i < 60; i++) {
        to_ask(&asked[i], i % 2 ? "cart/c" : "cart/d", "add",
               "{\"article\":\"apple\"}");
        ask(&place, &asked[i]);
        if (i == 20)
            reload(place_cart);
        if (i % 7 == 0)
            (void)sim_step(place.world);
    }
    for (unsigned i = 0; i < 60; i++) {
        run_until(&place, &asked[i].done);
        assert_int_equal(asked[i].outcome, ENTITY_TAKEN);
    }
    run_until(&place, &place.readied);
    assert_int_equal(place.ready, KAN_OK);
    assert_int_equal(number_in(look(&place, "cart/c").state, "apple"), 30);
    assert_int_equal(as_version("ship", "", 0).outcome, ENTITY_REFUSED);
    reload(place_cart_2);
    run_until(&place, &place.readied);
    assert_int_equal(place.ready, KAN_OK);
    assert_int_equal(number_in(look(&place, "cart/d").state, "apple"), 30);
    place_text(&place,
               "type cart version 2 { paid: bool = false\n"
               "step add { paid = true } }");
    place.readied = false;
    assert_int_equal(
        entity_host_reload(place.host, place.contract, on_reloaded), KAN_OK);
    assert_int_equal(
        entity_host_reload(place.host, place.contract, on_reloaded), KAN_BUSY);
    run_until(&place, &place.readied);
    assert_int_equal(place.ready, KAN_INVALID);
    assert_int_equal(number_in(look(&place, "cart/d").state, "apple"), 30);
    place_close(&place);
}

/* --- followers ------------------------------------------------------------ */

struct followed
{
    struct entity_follow follow;
    uint64_t sum;
    uint64_t last;
    uint32_t count;
    uint32_t pause_at; /* pause when so many have come */
    enum kan_err err;
    bool ended;
};

static void on_follow(struct entity_follow *follow, enum kan_err err,
                      const struct entity_event *event)
{
    struct followed *it = follow->data;

    assert_false(it->ended);
    if (!event) {
        it->ended = true;
        it->err = err;
        return;
    }
    it->count++;
    if (follow->id.size && event->kind != ENTITY_ERASED)
        assert_int_equal(event->n, it->last + 1);
    it->last = follow->id.size ? event->n : event->revision;
    it->sum += event->n;
    if (it->count == it->pause_at)
        entity_follow_pause(follow, true);
}

static void follow(struct followed *it, const char *type, const char *id,
                   uint64_t after)
{
    memset(it, 0, sizeof(*it));
    it->follow.data = it;
    it->follow.type = kan_text(type);
    it->follow.id = kan_text(id);
    it->follow.after = after;
    it->last = after;
    assert_int_equal(entity_follow(place.host, &it->follow, on_follow), KAN_OK);
}

/* K-ENTITY-11: those that are there and those to come, each once, in order. */
static void test_follow(void **state)
{
    struct followed one, late, slow, all, from;

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 2; i <= 250; i++)
        takes(&place, "account/a", "deposit", "{\"amount\":1}", i);
    follow(&one, "account", "a", 0);
    follow(&late, "account", "a", 240);
    follow(&slow, "account", "a", 0);
    follow(&all, "account", "", 0);
    slow.pause_at = 120;
    for (unsigned i = 251; i <= 300; i++)
        takes(&place, "account/a", "deposit", "{\"amount\":1}", i);
    takes(&place, "account/b", "open", "{\"name\":\"A\"}", 1);
    pass(&place, 1000);
    assert_int_equal(one.count, 300);
    assert_int_equal(late.count, 60);
    assert_int_equal(slow.count, 120);
    assert_int_equal(all.count, 301);
    entity_follow_pause(&slow.follow, false);
    entity_follow_pause(&all.follow, true);
    pass(&place, 1000);
    assert_int_equal(slow.count, 300);
    follow(&from, "account", "", all.last);
    takes(&place, "account/b", "deposit", "{\"amount\":1}", 2);
    takes(&place, "account/a", "deposit", "{\"amount\":1}", 301);
    pass(&place, 1000);
    assert_int_equal(from.count, 2);
    assert_int_equal(all.count, 301);
    entity_follow_pause(&all.follow, false);
    pass(&place, 1000);
    assert_int_equal(all.count, 303);
    entity_follow_cancel(&late.follow);
    run_until(&place, &late.ended);
    assert_int_equal(late.err, KAN_CANCELED);
    assert_int_equal(change(&place, "account/a", ENTITY_ERASE, 0).n, 302);
    pass(&place, 1000);
    assert_int_equal(one.last, 302);
    host_close(&place);
    assert_true(one.ended && slow.ended && all.ended && from.ended);
    assert_int_equal(one.err, KAN_CLOSED);
    place_close(&place);
}

/* --- limits --------------------------------------------------------------- */

/* K-ENTITY-12: what does not fit is BUSY; who is used least leaves. */
static void test_limits(void **state)
{
    static struct asked asked[20];
    char ref[32];

    (void)state;
    place_begin(&place, PLACE_MEMORY, place_bank, 1);
    place.options.active_max = 4;
    place.options.queue_max = 10;
    place.options.waiting_max = 12;
    place_host(&place);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(ref, sizeof(ref), "account/%u", i);
        takes(&place, ref, "open", "{\"name\":\"A\"}", 1);
        assert_true(entity_stats(place.host).active <= 4);
    }
    for (unsigned i = 0; i < 20; i++) {
        snprintf(ref, sizeof(ref), "account/%u", i);
        takes(&place, ref, "deposit", "{\"amount\":1}", 2);
    }
    for (unsigned i = 0; i < 11; i++) {
        to_ask(&asked[i], "account/1", "deposit", "{\"amount\":1}");
        assert_int_equal(ask_try(place.host, &asked[i]),
                         i < 10 ? KAN_OK : KAN_BUSY);
    }
    for (unsigned i = 11; i < 14; i++) {
        to_ask(&asked[i], "account/2", "deposit", "{\"amount\":1}");
        assert_int_equal(ask_try(place.host, &asked[i]),
                         i < 13 ? KAN_OK : KAN_BUSY);
    }
    run_until(&place, &asked[12].done);
    pass(&place, 61000);
    assert_int_equal(entity_stats(place.host).active, 0);
    place_close(&place);
}

static void test_cancel_and_deadline(void **state)
{
    struct asked asked[4];

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 0; i < 4; i++) {
        to_ask(&asked[i], "account/a", "deposit", "{\"amount\":1}");
        if (i == 2)
            asked[i].call.deadline_ns = 1;
        ask(&place, &asked[i]);
    }
    entity_call_cancel(&asked[1].call);
    entity_call_cancel(&asked[1].call);
    assert_false(asked[1].done);
    for (unsigned i = 0; i < 4; i++)
        run_until(&place, &asked[i].done);
    assert_int_equal(asked[0].outcome, ENTITY_TAKEN);
    assert_int_equal(asked[1].outcome, ENTITY_FAILED);
    assert_int_equal(asked[1].err, KAN_CANCELED);
    assert_int_equal(asked[3].outcome, ENTITY_TAKEN);
    place_close(&place);
}

/* Guards and writes of another are in the step's commit, or it is not taken. */
static void test_extra(void **state)
{
    struct asked asked[3];
    struct engine_guard guard = {.kind = ENGINE_IF_ABSENT, .key = SLICE("g")};
    struct engine_write write = {
        .kind = ENGINE_PUT, .key = SLICE("g"), .value = SLICE("1")};
    struct entity_extra extra = {&guard, 1, &write, 1};

    (void)state;
    place_open(&place, PLACE_MEMORY, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 0; i < 3; i++) {
        to_ask(&asked[i], "account/a", "deposit", "{\"amount\":1}");
        if (i < 2)
            asked[i].call.extra = &extra;
        ask_wait(&place, &asked[i]);
    }
    assert_int_equal(asked[0].outcome, ENTITY_TAKEN);
    assert_int_equal(asked[1].outcome, ENTITY_GUARDED);
    assert_int_equal(asked[2].outcome, ENTITY_TAKEN);
    /* Beside others in one commit. */
    for (unsigned i = 0; i < 3; i++) {
        to_ask(&asked[i], "account/a", "deposit", "{\"amount\":1}");
        if (i == 1)
            asked[i].call.extra = &extra;
        ask(&place, &asked[i]);
    }
    for (unsigned i = 0; i < 3; i++)
        run_until(&place, &asked[i].done);
    assert_int_equal(asked[0].outcome, ENTITY_TAKEN);
    assert_int_equal(asked[1].outcome, ENTITY_GUARDED);
    assert_int_equal(asked[2].n, 5);
    assert_int_equal(number_in(asked[2].state, "balance"), 4);
    place_close(&place);
}

/* The same on the engine that keeps things. */
static void test_restart(void **state)
{
    (void)state;
    place_open(&place, PLACE_SQLITE, place_bank, 1);
    takes(&place, "account/a", "open", "{\"name\":\"A\"}", 1);
    for (unsigned i = 2; i <= 30; i++)
        takes(&place, "account/a", "deposit", "{\"amount\":1}", i);
    place_crash(&place);
    assert_int_equal(number_in(look(&place, "account/a").state, "balance"), 29);
    takes(&place, "account/a", "deposit", "{\"amount\":1}", 31);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_if_match),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_a_key_under_way),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_past),
        cmocka_unit_test(test_opening_is_bounded),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_erase),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_upgrade_asked_for),
        cmocka_unit_test(test_changed_meaning),
        cmocka_unit_test(test_types_that_no_contract_has),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_another_view),
        cmocka_unit_test(test_cancel_behind_a_commit),
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cancel_and_deadline),
        cmocka_unit_test(test_extra),
        cmocka_unit_test(test_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
