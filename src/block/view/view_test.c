/* Tests of views over all: random histories with restarts and crashes, against
 * a model; other meanings, other versions, other stores. Test names cite
 * docs/guarantees/view.md. */

#include "block/view/view_place.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"

/* --- a model -------------------------------------------------------------- */

enum
{
    MODEL_IDS = 6
};

static const char *const ids[MODEL_IDS] = {"account/a", "account/b",
                                           "account/c", "account/d",
                                           "account/e", "account/f"};

struct model_account
{
    bool there;
    bool frozen;
    int64_t balance;
    int64_t opens;
    int64_t deposits;
    int64_t paid_in;
    int64_t paid_out;
    int64_t least;
    int64_t most;
    int64_t newest;
    uint64_t newest_at; /* revision */
    uint64_t opened_at;
    char owner[16];
};

struct model
{
    struct model_account accounts[MODEL_IDS];
};

static void number(struct buffer *out, const char *name, bool any, int64_t is)
{
    json_append_name(out, name);
    if (any)
        buffer_print(out, "%lld", (long long)is);
    else
        buffer_append_text(out, "null");
}

/* What the view must show. */
static void model_json(const struct model *model, struct buffer *out)
{
    struct model_account all = {0};
    bool any = false;
    int64_t live = 0;
    int64_t poorest = 0;
    int64_t richest = 0;

    for (int i = 0; i < MODEL_IDS; i++) {
        const struct model_account *one = &model->accounts[i];
        if (!one->there)
            continue;
        live += !one->frozen;
        poorest = !any || one->balance < poorest ? one->balance : poorest;
        richest = !any || one->balance > richest ? one->balance : richest;
        any = true;
        all.opens += one->opens;
        all.balance += one->balance;
        if (one->deposits) {
            all.least = all.deposits == 0 || one->least < all.least ? one->least
                                                                    : all.least;
            all.most = one->most > all.most ? one->most : all.most;
        }
        all.deposits += one->deposits;
        all.paid_in += one->paid_in;
        all.paid_out += one->paid_out;
        if (one->newest_at > all.newest_at) {
            all.newest_at = one->newest_at;
            all.newest = one->newest;
        }
        if (one->opened_at > all.opened_at) {
            all.opened_at = one->opened_at;
            memcpy(all.owner, one->owner, sizeof(all.owner));
        }
    }
    buffer_clear(out);
    buffer_append_byte(out, '{');
    number(out, "accounts", true, all.opens);
    number(out, "money", true, all.balance);
    number(out, "live", true, live);
    number(out, "poorest", any, poorest);
    number(out, "richest", any, richest);
    number(out, "deposits", true, all.deposits);
    number(out, "paid_in", true, all.paid_in);
    number(out, "least", all.deposits > 0, all.least);
    number(out, "most", all.deposits > 0, all.most);
    number(out, "newest", all.newest_at > 0, all.newest);
    json_append_name(out, "owner");
    if (all.opened_at)
        json_append_string(out, kan_text(all.owner));
    else
        buffer_append_text(out, "null");
    number(out, "net", true, all.paid_in - all.paid_out);
    buffer_append_byte(out, '}');
}

static void model_deposit(struct model_account *one, int64_t amount,
                          uint64_t revision)
{
    one->balance += amount;
    one->least =
        one->deposits == 0 || amount < one->least ? amount : one->least;
    one->most = amount > one->most ? amount : one->most;
    one->deposits++;
    one->paid_in += amount;
    one->newest = amount;
    one->newest_at = revision;
}

/* Of what is erased, the state at as_of cannot be had any more. */
static bool never_erase;

/* Something happens to one of the accounts. The revision of its event; 0: it is
 * not known. */
static uint64_t happen(struct place *place, struct model *model)
{
    uint64_t which = env_choose(place->env, MODEL_IDS);
    int64_t amount = 1 + (int64_t)env_choose(place->env, 50);
    struct model_account *one = &model->accounts[which];
    uint64_t revision = 0;
    char body[64];

    snprintf(body, sizeof(body), "{\"amount\":%lld}", (long long)amount);
    if (!one->there) {
        memset(one, 0, sizeof(*one));
        snprintf(one->owner, sizeof(one->owner), "o%llu",
                 (unsigned long long)env_choose(place->env, 1000));
        snprintf(body, sizeof(body), "{\"name\":\"%s\"}", one->owner);
        assert_int_equal(take(place, ids[which], "open", body, &revision),
                         ENTITY_TAKEN);
        one->there = true;
        one->opens = 1;
        one->opened_at = revision;
        return revision;
    }
    switch (env_choose(place->env, 12)) {
    case 0:
        assert_int_equal(change(place, ids[which], ENTITY_DELETE, 0).outcome,
                         ENTITY_TAKEN);
        memset(one, 0, sizeof(*one));
        break;
    case 1:
        assert_int_equal(change(place, ids[which],
                                never_erase ? ENTITY_DELETE : ENTITY_ERASE, 0)
                             .outcome,
                         ENTITY_TAKEN);
        memset(one, 0, sizeof(*one));
        break;
    case 2:
        assert_int_equal(
            take(place, ids[which], one->frozen ? "unfreeze" : "freeze", "{}",
                 &revision),
            ENTITY_TAKEN);
        one->frozen = !one->frozen;
        break;
    case 3:
    case 4:
    case 5:
        if (take(place, ids[which], "withdraw", body, &revision) ==
            ENTITY_TAKEN) {
            assert_true(!one->frozen && one->balance >= amount);
            one->balance -= amount;
            one->paid_out += amount;
        }
        break;
    default:
        if (take(place, ids[which], "deposit", body, &revision) == ENTITY_TAKEN)
            model_deposit(one, amount, revision);
        break;
    }
    return revision;
}

static void agrees(struct place *place, const struct model *model)
{
    struct buffer json = BUFFER_INIT;

    model_json(model, &json);
    shows(place, revision_now(place), buffer_text(&json));
    buffer_fini(&json);
}

struct forgetting
{
    struct engine_commit commit;
    bool done;
};

static void on_forgotten(struct engine_commit *commit, enum kan_err err)
{
    struct forgetting *forgetting = commit->request.data;

    assert_int_equal(err, KAN_OK);
    forgetting->done = true;
}

struct finding
{
    struct engine_scan scan;
    struct forgetting forgetting;
    struct place *place;
};

static void on_place(struct engine_scan *scan, enum kan_err err)
{
    struct finding *finding = scan->request.data;
    struct engine_write write = {.kind = ENGINE_DELETE};

    assert_int_equal(err, KAN_OK);
    assert_int_equal(scan->item_count, 1);
    write.key = scan->items[0].key;
    finding->forgetting.commit.request.data = &finding->forgetting;
    finding->forgetting.commit.writes = &write;
    finding->forgetting.commit.write_count = 1;
    assert_int_equal(engine_commit(finding->place->engine,
                                   &finding->forgetting.commit, on_forgotten),
                     KAN_OK);
}

/* Where the follower of accounts stands is deleted. */
static void forget(struct place *place)
{
    struct finding finding = {
        .place = place,
        .scan = {.prefix = SLICE("view||kan||account\0p"), .limit = 9}};

    finding.scan.request.data = &finding;
    assert_int_equal(engine_scan(place->engine, &finding.scan, on_place),
                     KAN_OK);
    run_until(place, &finding.forgetting.done);
}

/* --- tests ---------------------------------------------------------------- */

/* K-VIEW-1, K-VIEW-3: totals are a fold of everything, at any time, whatever
 * happened in between. */
static void histories(enum place_kind kind, uint64_t seed, int count)
{
    struct place place;
    struct model model;

    memset(&model, 0, sizeof(model));
    accounts_open(&place, kind, seed);
    agrees(&place, &model);
    for (int i = 0; i < count; i++) {
        happen(&place, &model);
        if (env_choose(place.env, 8) == 0)
            agrees(&place, &model);
        if (env_choose(place.env, 25) == 0)
            place_crash(&place);
        if (env_choose(place.env, 40) == 0)
            pass(&place, 1 + env_choose(place.env, 3000));
    }
    agrees(&place, &model);
    place_crash(&place);
    agrees(&place, &model);
    assert_int_equal(place.troubles, 0);
    place_close(&place);
}

static void totals_are_a_fold_of_everything(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++)
        histories(PLACE_MEMORY, seed, 200);
    for (uint64_t seed = 1; seed <= 2; seed++)
        histories(PLACE_SQLITE, seed, 120);
}

/* K-VIEW-1: the same under failures of the engine while it counts. */
static void totals_survive_failures(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct place place;
        struct model model;
        struct engine_fault_options *fault;
        memset(&model, 0, sizeof(model));
        accounts_open(&place, PLACE_FAULT, seed);
        fault = engine_fault_options(place.engine);
        for (int i = 0; i < 120; i++) {
            *fault = (struct engine_fault_options){0};
            happen(&place, &model);
            fault->rate[ENGINE_FAULT_LOST] = 150;
            fault->rate[ENGINE_FAULT_BUSY] = 150;
            fault->report_lost_rate = 150;
            pass(&place, env_choose(place.env, 1500));
            if (env_choose(place.env, 30) == 0) {
                *fault = (struct engine_fault_options){0};
                place_crash(&place);
            }
        }
        *fault = (struct engine_fault_options){0};
        agrees(&place, &model);
        place_close(&place);
    }
}

/* K-VIEW-2: as_of is exact, when nobody waits too. */
static void it_is_counted_in_its_time(void **state)
{
    struct place place;
    struct view_asked asked;

    (void)state;
    accounts_open(&place, PLACE_MEMORY, 1);
    took(&place, "account/a", "open", "{\"name\":\"x\"}");
    pass(&place, 3000);
    asked = view_ask_wait(&place, 0);
    assert_int_equal(asked.err, KAN_OK);
    assert_non_null(strstr(asked.json, "\"accounts\":1"));
    took(&place, "account/a", "deposit", "{\"amount\":7}");
    asked = view_ask_wait(&place, 0);
    assert_non_null(strstr(asked.json, "\"money\":0"));
    pass(&place, 1100);
    asked = view_ask_wait(&place, 0);
    assert_non_null(strstr(asked.json, "\"money\":7"));
    /* K-VIEW-3: of a commit that is none of the type's. */
    shows(&place, revision_now(&place), asked.json);
    /* Of one that is yet to come. */
    asked = view_ask_wait(&place, revision_now(&place) + 1000);
    assert_int_equal(asked.err, KAN_TIMEOUT);
    place_close(&place);
}

/* A restart goes on where it was: it does not read all events again. */
static void a_restart_goes_on(void **state)
{
    struct place place;
    struct model model;
    uint64_t before;
    uint64_t reads;

    (void)state;
    memset(&model, 0, sizeof(model));
    accounts_open(&place, PLACE_MEMORY, 5);
    for (int i = 0; i < 400; i++)
        happen(&place, &model);
    agrees(&place, &model);
    pass(&place, 5000);
    before = engine_stats(place.engine).commits;
    reads = engine_stats(place.engine).reads;
    place_crash(&place);
    pass(&place, 5000);
    agrees(&place, &model);
    /* A mark at most, and no batch. */
    assert_true(engine_stats(place.engine).commits - before <= 2);
    assert_true(engine_stats(place.engine).reads - reads < 100);
    place_close(&place);
}

/* K-VIEW-1: a crash after each batch in turn, with more in the queue. */
static void a_crash_after_each_batch(void **state)
{
    struct place place;
    struct model model;

    (void)state;
    memset(&model, 0, sizeof(model));
    place_ops_max = 128;
    accounts_open(&place, PLACE_MEMORY, 7);
    agrees(&place, &model);
    for (uint64_t commits = 0; commits < 8; commits++) {
        uint64_t until;
        views_close(&place);
        for (int i = 0; i < 60; i++)
            happen(&place, &model);
        views_open(&place);
        until = engine_stats(place.engine).commits + commits;
        while (engine_stats(place.engine).commits < until &&
               sim_step(place.world))
            ;
        place_crash(&place);
        agrees(&place, &model);
    }
    assert_int_equal(place.troubles, 0);
    place_close(&place);
    place_ops_max = 0;
}

/* The feed no longer holds the place: all is counted again, be it while the
 * feed is cut all the time. */
static void the_feed_is_cut(void **state)
{
    struct place place;
    struct model model;

    (void)state;
    memset(&model, 0, sizeof(model));
    place_feed_bytes_max = 2048;
    accounts_open(&place, PLACE_MEMORY, 3);
    place_feed_bytes_max = 0;
    for (int i = 0; i < 20; i++)
        happen(&place, &model);
    agrees(&place, &model);
    for (int round = 0; round < 5; round++) {
        views_close(&place);
        for (int i = 0; i < 200; i++)
            happen(&place, &model);
        views_open(&place);
        /* While it counts again, more comes. */
        for (int i = 0; i < 50; i++)
            happen(&place, &model);
        agrees(&place, &model);
    }
    place_close(&place);
}

/* K-VIEW-2: what is shown is what was there at as_of, whatever has come since;
 * batches and pages are small. Nothing is erased: see the guarantee. */
struct past
{
    uint64_t after[2000]; /* what happened did so behind this revision, */
    uint64_t until[2000]; /* and not behind this one */
    char json[2000][320];
    uint32_t count;
};

static void remember(struct place *place, const struct model *model,
                     struct past *past, uint64_t before, uint64_t revision)
{
    struct buffer json = BUFFER_INIT;
    uint32_t at = past->count;

    model_json(model, &json);
    assert_true(at < 2000 && json.size < sizeof(past->json[0]));
    past->after[at] = revision ? revision - 1 : before;
    past->until[at] = revision ? revision : revision_now(place);
    snprintf(past->json[at], sizeof(past->json[at]), "%s", buffer_text(&json));
    past->count++;
    buffer_fini(&json);
}

static void was(const struct past *past, const struct view_asked *asked)
{
    uint32_t at = past->count;

    while (at > 0 && past->until[at - 1] > asked->as_of)
        at--;
    assert_true(at > 0);
    if (at < past->count && past->after[at] < asked->as_of &&
        strcmp(asked->json, past->json[at]) == 0)
        return;
    assert_string_equal(asked->json, past->json[at - 1]);
}

/* The view is read at any time, and steps go on meanwhile. */
static void look_and_go_on(struct place *place, struct model *model,
                           struct past *past, int count)
{
    static struct view_asked asked[2000];
    uint64_t before;
    uint64_t revision;

    for (int i = 0; i < count; i++) {
        view_ask(place, &asked[i], "bank",
                 env_choose(place->env, 2) ? revision_now(place) : 0);
        before = revision_now(place);
        revision = happen(place, model);
        remember(place, model, past, before, revision);
        if (env_choose(place->env, 30) == 0)
            pass(place, env_choose(place->env, 2000));
        if (env_choose(place->env, 60) == 0)
            place_crash(place);
    }
    pass(place, 10000);
    for (int i = 0; i < count; i++) {
        assert_true(asked[i].done);
        if (asked[i].err)
            assert_int_equal(asked[i].err, KAN_CLOSED);
        else
            was(past, &asked[i]);
    }
}

static void a_view_is_exactly_as_of(void **state)
{
    static struct past past;

    (void)state;
    place_ops_max = 128;
    never_erase = true;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct place place;
        struct model model;
        memset(&model, 0, sizeof(model));
        memset(&past, 0, sizeof(past));
        accounts_open(&place, PLACE_MEMORY, seed);
        remember(&place, &model, &past, 0, 1);
        look_and_go_on(&place, &model, &past, 300);
        /* All is counted again, by pages, while more comes. */
        views_close(&place);
        forget(&place);
        views_open(&place);
        look_and_go_on(&place, &model, &past, 300);
        agrees(&place, &model);
        assert_int_equal(place.troubles, 0);
        place_close(&place);
    }
    place_ops_max = 0;
    never_erase = false;
}

/* K-VIEW-1: two hosts count the same views in the same store. */
static void two_count_the_same(void **state)
{
    (void)state;
    place_ops_max = 128;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct place place;
        struct place other;
        struct model model;
        memset(&model, 0, sizeof(model));
        accounts_open(&place, PLACE_MEMORY, seed);
        for (int i = 0; i < 30; i++)
            happen(&place, &model);
        other = place;
        views_open(&other);
        for (int i = 0; i < 150; i++) {
            happen(&place, &model);
            if (env_choose(place.env, 10) == 0)
                agrees(env_choose(place.env, 2) ? &place : &other, &model);
        }
        agrees(&place, &model);
        agrees(&other, &model);
        views_close(&other);
        place_close(&place);
    }
    place_ops_max = 0;
}

/* K-VIEW-4 */
static void another_meaning(void **state)
{
    static const char other[] = VIEW_ACCOUNT
        "    view bank over all {\n"
        "        most: max(balance)\n"
        "    }\n"
        "    view more over all {\n"
        "        withdrawals: count(withdraw)\n"
        "    }\n"
        "}\n";

    (void)state;
    for (enum place_kind kind = PLACE_MEMORY; kind <= PLACE_SQLITE; kind += 2) {
        struct place place;
        struct model model;
        struct view_asked asked;
        struct buffer json = BUFFER_INIT;
        memset(&model, 0, sizeof(model));
        accounts_open(&place, kind, 4);
        for (int i = 0; i < 150; i++)
            happen(&place, &model);
        agrees(&place, &model);
        model_json(&model, &json);
        views_reload(&place, other);
        /* Until all is counted again the old one is shown. */
        shows(&place, 0, buffer_text(&json));
        view_ask(&place, &asked, "more", 0);
        run_until(&place, &asked.done);
        assert_int_equal(asked.err, KAN_OK);
        assert_non_null(strstr(asked.json, "withdrawals"));
        asked = view_ask_wait(&place, 0);
        assert_non_null(strstr(asked.json, "{\"most\":"));
        pass(&place, 5000);
        /* And back: after a restart in the middle, too. */
        views_reload(&place, bank_text);
        place_crash(&place);
        agrees(&place, &model);
        buffer_fini(&json);
        place_close(&place);
    }
}

/* What older meanings left in the store is deleted. */
static void what_is_old_goes(void **state)
{
    static const char without[] =
        "type account {\n"
        "    step open(name: text(80)) { }\n"
        "    view bank over all { n: count(open) }\n"
        "}\n";
    static const char other[] =
        "type account {\n"
        "    step open(name: text(80)) { }\n"
        "    view bank over all { m: last(open.name) "
        "}\n"
        "}\n";
    struct place place;
    char id[32];

    (void)state;
    accounts_open_text(&place, PLACE_MEMORY, without, 1);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "account/e%d", i);
        took(&place, id, "open", "{\"name\":\"x\"}");
    }
    shows(&place, revision_now(&place), "{\"n\":1000}");
    views_reload(&place, other);
    shows(&place, revision_now(&place), "{\"m\":\"x\"}");
    pass(&place, 60000);
    views_reload(&place, without);
    shows(&place, revision_now(&place), "{\"n\":1000}");
    place_close(&place);
}

/* K-VIEW-4: of entities in an older version, and of their events. */
static void older_versions_count(void **state)
{
    static const char one[] =
        "type account version 1 {\n"
        "    money: int(0 .. 1000) = 0\n"
        "    step put(amount: int(0 .. 100)) { money += amount }\n"
        "    step old_one { }\n"
        "    view all over all { sum: sum(money); n: count(put) }\n"
        "}\n";
    static const char two[] =
        "type account version 1 {\n"
        "    money: int(0 .. 1000) = 0\n"
        "    step put(amount: int(0 .. 100)) { money += amount }\n"
        "    step old_one { }\n"
        "    view all over all { sum: sum(money); n: count(put) }\n"
        "}\n"
        "type account version 2 {\n"
        "    cents: int(0 .. 100000) = 0\n"
        "    step put(amount: int(0 .. 100), note: text(9) = \"\") {\n"
        "        cents += amount * 100\n"
        "    }\n"
        "    view all over all {\n"
        "        sum: sum(cents)\n"
        "        n: count(put)\n"
        "        paid: sum(put.amount)\n"
        "        top: max(cents)\n"
        "    }\n"
        "}\n"
        "upgrade account 1 -> 2 { up { cents = old.money * 100 } }\n";
    struct place place;
    struct view_asked asked;

    (void)state;
    accounts_open_text(&place, PLACE_SQLITE, one, 1);
    took(&place, "account/a", "put", "{\"amount\":3}");
    took(&place, "account/b", "put", "{\"amount\":4}");
    took(&place, "account/b", "old_one", "{}");
    view_ask(&place, &asked, "all", revision_now(&place));
    run_until(&place, &asked.done);
    assert_string_equal(asked.json, "{\"sum\":7,\"n\":2}");
    views_reload(&place, two);
    view_ask(&place, &asked, "all", revision_now(&place));
    run_until(&place, &asked.done);
    assert_string_equal(asked.json,
                        "{\"sum\":700,\"n\":2,\"paid\":7,\"top\":400}");
    took(&place, "account/a", "put", "{\"amount\":5}");
    view_ask(&place, &asked, "all", revision_now(&place));
    run_until(&place, &asked.done);
    assert_string_equal(asked.json,
                        "{\"sum\":1200,\"n\":3,\"paid\":12,\"top\":800}");
    place_close(&place);
}

/* Sums beyond 64 bits. */
static void sums_are_wide(void **state)
{
    static const char text[] =
        "type account {\n"
        "    money: int = 0\n"
        "    step be(to: int) { money = to }\n"
        "    view all over all {\n"
        "        sum: sum(money)\n"
        "        paid: sum(be.to)\n"
        "        low: min(money)\n"
        "        high: max(money)\n"
        "    }\n"
        "}\n";
    struct place place;
    struct view_asked asked;

    (void)state;
    accounts_open_text(&place, PLACE_MEMORY, text, 1);
    took(&place, "account/a", "be", "{\"to\":\"9223372036854775807\"}");
    took(&place, "account/b", "be", "{\"to\":\"9223372036854775807\"}");
    took(&place, "account/c", "be", "{\"to\":\"9223372036854775807\"}");
    took(&place, "account/c", "be", "{\"to\":\"-9223372036854775808\"}");
    view_ask(&place, &asked, "all", revision_now(&place));
    run_until(&place, &asked.done);
    assert_string_equal(asked.json,
                        "{\"sum\":\"9223372036854775806\","
                        "\"paid\":\"18446744073709551613\","
                        "\"low\":\"-9223372036854775808\","
                        "\"high\":\"9223372036854775807\"}");
    place_close(&place);
}

static void who_asks_wrongly_is_told(void **state)
{
    struct place place;
    struct view_asked asked;

    (void)state;
    accounts_open(&place, PLACE_MEMORY, 1);
    view_ask(&place, &asked, "nothing", 0);
    run_until(&place, &asked.done);
    assert_int_equal(asked.err, KAN_NOTFOUND);
    view_ask(&place, &asked, "bank", 1000);
    view_read_cancel(&asked.read);
    run_until(&place, &asked.done);
    assert_int_equal(asked.err, KAN_CANCELED);
    view_ask(&place, &asked, "bank", 1000);
    host_close(&place);
    assert_true(asked.done);
    assert_int_equal(asked.err, KAN_CLOSED);
    place_close(&place);
}

/* Every allocation fails in turn, from the opening on; afterwards it is right.
 */
static void memory_runs_out(void **state)
{
    bool struck = true;

    for (uint64_t nth = 1; struck; nth += 1 + nth / 40) {
        struct place place;
        struct view_asked asked;
        accounts_open(&place, PLACE_MEMORY, 1);
        took(&place, "account/a", "open", "{\"name\":\"x\"}");
        took(&place, "account/a", "deposit", "{\"amount\":7}");
        mem_fault(nth, false);
        if (view_ask_try(&place, &asked, "bank", revision_now(&place)) ==
            KAN_OK)
            run_until(&place, &asked.done);
        struck = mem_fault_struck();
        mem_fault(0, false);
        shows(&place, revision_now(&place),
              "{\"accounts\":1,\"money\":7,\"live\":1,\"poorest\":7,"
              "\"richest\":7,\"deposits\":1,\"paid_in\":7,\"least\":7,"
              "\"most\":7,\"newest\":7,\"owner\":\"x\",\"net\":7}");
        place_close(&place);
    }
    (void)state;
}

/* The same while the feed is heard: what was half added up is heard again. The
 * deposit may fail as well. */
static void memory_runs_out_while_it_hears(void **state)
{
    bool struck = true;

    for (uint64_t nth = 1; struck; nth++) {
        struct place place;
        struct asked asked;
        struct looked looked;
        struct view_asked shown;
        accounts_open(&place, PLACE_MEMORY, 1);
        took(&place, "account/a", "open", "{\"name\":\"x\"}");
        shows(&place, revision_now(&place),
              "{\"accounts\":1,\"money\":0,\"live\":1,\"poorest\":0,"
              "\"richest\":0,\"deposits\":0,\"paid_in\":0,\"least\":null,"
              "\"most\":null,\"newest\":null,\"owner\":\"x\",\"net\":0}");
        to_ask(&asked, "account/a", "deposit", "{\"amount\":7}");
        mem_fault(nth, false);
        if (ask_try(place.host, &asked) == KAN_OK)
            run_until(&place, &asked.done);
        struck = mem_fault_struck();
        mem_fault(0, false);
        took(&place, "account/a", "deposit", "{\"amount\":5}");
        shown = view_ask_wait(&place, revision_now(&place));
        assert_int_equal(shown.err, KAN_OK);
        looked = look(&place, "account/a");
        assert_int_equal(number_in(shown.json, "money"),
                         number_in(looked.state, "balance"));
        assert_int_equal(number_in(shown.json, "paid_in"),
                         number_in(looked.state, "balance"));
        assert_int_equal(number_in(shown.json, "deposits"), looked.n - 1);
        place_close(&place);
    }
    (void)state;
}

enum
{
    MANY = 40 /* accounts: more than a commit of place_ops_max counts */
};

static void all_take(struct place *place, const char *step, const char *body)
{
    for (int i = 0; i < MANY; i++) {
        char ref[32];
        (void)snprintf(ref, sizeof(ref), "account/%d", i);
        took(place, ref, step, body);
    }
}

/* K-VIEW-1: more entities than fit a batch change before any is counted, some
 * of them in a batch that grows no more. */
static void many_change_at_once(void **state)
{
    struct place place;
    struct view_asked shown;
    uint64_t began;

    (void)state;
    place_ops_max = 128; /* a few entities a commit */
    accounts_open(&place, PLACE_MEMORY, 1);
    shown = view_ask_wait(&place, 0);
    assert_int_equal(shown.err, KAN_OK);
    began = engine_stats(place.engine).commits;
    all_take(&place, "open", "{\"name\":\"x\"}");
    all_take(&place, "deposit", "{\"amount\":3}");
    all_take(&place, "deposit", "{\"amount\":3}");
    shown = view_ask_wait(&place, revision_now(&place));
    assert_int_equal(shown.err, KAN_OK);
    assert_int_equal(number_in(shown.json, "accounts"), MANY);
    assert_int_equal(number_in(shown.json, "money"), 6 * MANY);
    assert_int_equal(number_in(shown.json, "deposits"), 2 * MANY);
    assert_int_equal(number_in(shown.json, "most"), 3);
    assert_true(engine_stats(place.engine).commits - began > 3 * MANY);
    assert_int_equal(place.troubles, 0);
    place_close(&place);
    place_ops_max = 0;
}

/* K-VIEW-1: a batch that takes several commits, and a crash after each of them:
 * what was counted is told by its number when it is heard again. */
static void a_crash_between_the_parts_of_a_batch(void **state)
{
    struct place place;
    int64_t deposits = 0;

    (void)state;
    place_ops_max = 128;
    accounts_open(&place, PLACE_MEMORY, 3);
    (void)view_ask_wait(&place, 0);
    all_take(&place, "open", "{\"name\":\"x\"}");
    (void)view_ask_wait(&place, revision_now(&place));
    for (uint64_t commits = 1; commits < 8; commits++) {
        struct view_asked shown;
        uint64_t until;
        all_take(&place, "deposit", "{\"amount\":3}");
        deposits += MANY;
        until = engine_stats(place.engine).commits + commits;
        while (engine_stats(place.engine).commits < until &&
               sim_step(place.world))
            ;
        place_crash(&place);
        shown = view_ask_wait(&place, revision_now(&place));
        assert_int_equal(shown.err, KAN_OK);
        assert_int_equal(number_in(shown.json, "deposits"), deposits);
        assert_int_equal(number_in(shown.json, "money"), 3 * deposits);
        assert_int_equal(number_in(shown.json, "paid_in"), 3 * deposits);
    }
    assert_int_equal(place.troubles, 0);
    place_close(&place);
    place_ops_max = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_a_fold_of_everything),
        cmocka_unit_test(totals_survive_failures),
        cmocka_unit_test(it_is_counted_in_its_time),
        cmocka_unit_test(a_restart_goes_on),
        cmocka_unit_test(a_crash_after_each_batch),
        cmocka_unit_test(the_feed_is_cut),
        cmocka_unit_test(a_view_is_exactly_as_of),
        cmocka_unit_test(two_count_the_same),
        cmocka_unit_test(another_meaning),
        cmocka_unit_test(what_is_old_goes),
        cmocka_unit_test(older_versions_count),
        cmocka_unit_test(sums_are_wide),
        cmocka_unit_test(who_asks_wrongly_is_told),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(memory_runs_out_while_it_hears),
        cmocka_unit_test(many_change_at_once),
        cmocka_unit_test(a_crash_between_the_parts_of_a_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
