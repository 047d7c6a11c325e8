/* The life of requests and of the engine: deadlines, cancels, closing, being
 * busy, reopening, concurrency, and running out of memory. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/conformance/cases.h"

/* --- requests in flight --------------------------------------------------- */

enum
{
    FLIGHT = 12
};

struct flight
{
    struct conformance *c;
    struct engine_commit commits[FLIGHT];
    struct engine_get gets[FLIGHT];
    enum kan_err commit_err[FLIGHT];
    enum kan_err get_err[FLIGHT];
    struct c_watch *watch;
    char keys[FLIGHT][16];
    struct engine_write writes[FLIGHT];
    struct kan_slice slices[FLIGHT];
    unsigned done;
    unsigned closed;
    bool try_more; /* submit in callbacks, which must be refused as CLOSED */
};

static void flight_get(struct engine_get *get, enum kan_err err);

static void flight_more(struct flight *flight)
{
    struct engine_get get = {.keys = flight->slices, .key_count = 1};

    if (!flight->try_more || flight->closed)
        return;
    c_level(flight->c, &get.level, &get.at_least);
    assert_int_equal(engine_get(flight->c->engine, &get, flight_get),
                     KAN_CLOSED);
}

static void flight_commit(struct engine_commit *commit, enum kan_err err)
{
    struct flight *flight = commit->request.data;

    flight->commit_err[commit - flight->commits] = err;
    flight->done++;
    flight_more(flight);
}

static void flight_get(struct engine_get *get, enum kan_err err)
{
    struct flight *flight = get->request.data;

    flight->get_err[get - flight->gets] = err;
    flight->done++;
    flight_more(flight);
}

static void flight_closed(void *data)
{
    struct flight *flight = data;

    assert_int_equal(flight->done, 2 * FLIGHT);
    assert_int_equal(flight->watch->ended, 1);
    flight->closed++;
}

static struct flight *flight_start(struct conformance *c)
{
    struct flight *flight = calloc(1, sizeof *flight);

    assert_non_null(flight);
    flight->c = c;
    flight->watch = c_watch(c, "", (struct engine_cursor){0});
    for (unsigned i = 0; i < FLIGHT; i++) {
        snprintf(flight->keys[i], sizeof flight->keys[i], "k%u", i % 99);
        flight->writes[i] = w_put(flight->keys[i], "1");
        flight->slices[i] = kan_text(flight->keys[i]);
        flight->commits[i].request.data = flight;
        flight->commits[i].writes = &flight->writes[i];
        flight->commits[i].write_count = 1;
        flight->gets[i].request.data = flight;
        flight->gets[i].keys = &flight->slices[i];
        flight->gets[i].key_count = 1;
        c_level(c, &flight->gets[i].level, &flight->gets[i].at_least);
        assert_int_equal(
            engine_commit(c->engine, &flight->commits[i], flight_commit),
            KAN_OK);
        assert_int_equal(engine_get(c->engine, &flight->gets[i], flight_get),
                         KAN_OK);
    }
    assert_int_equal(flight->done, 0);
    return flight;
}

static void flight_end(struct flight *flight)
{
    c_watch_free(flight->watch);
    free(flight);
}

/* --- closing -------------------------------------------------------------- */

static void flight_close(struct conformance *c, struct flight *flight)
{
    engine_close(c->engine, flight, flight_closed);
    assert_int_equal(flight->done + flight->closed, 0);
    c_await(c, &flight->closed, 1);
    c->engine = NULL;
    assert_int_equal(flight->watch->end, KAN_CLOSED);
    for (unsigned i = 0; i < FLIGHT; i++) {
        assert_true(flight->commit_err[i] == KAN_OK ||
                    flight->commit_err[i] == KAN_CLOSED);
        assert_true(flight->get_err[i] == KAN_OK ||
                    flight->get_err[i] == KAN_CLOSED);
    }
}

/* What was answered OK is there, what was answered CLOSED is not. */
static void flight_check(struct conformance *c, struct flight *flight)
{
    c_open(c);
    for (unsigned i = 0; i < FLIGHT; i++)
        c_expect(c, flight->keys[i],
                 flight->commit_err[i] == KAN_OK ? "1" : NULL);
}

static void close_with_requests_in_flight(struct conformance *c)
{
    for (int steps = 0; steps < 40; steps++) {
        struct flight *flight = flight_start(c);
        for (int i = 0; i < steps && flight->done == 0; i++)
            sim_step(c->world);
        if (flight->done == 0) {
            flight->try_more = true;
            flight_close(c, flight);
            if (c->subject->survives)
                flight_check(c, flight);
            else
                c_open(c);
        } else {
            c_await(c, &flight->done, 2 * FLIGHT);
            c_watch_stop(c, flight->watch);
            steps = 40;
        }
        flight_end(flight);
        for (unsigned i = 0; i < FLIGHT; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%u", i % 99);
            c_write(c, WRITES(w_delete(key)));
        }
    }
}

struct closer
{
    struct conformance *c;
    unsigned closed;
};

static void closer_closed(void *data)
{
    ((struct closer *)data)->closed++;
}

static void closer_commit(struct engine_commit *commit, enum kan_err err)
{
    struct closer *closer = commit->request.data;

    assert_int_equal(err, KAN_OK);
    engine_close(closer->c->engine, closer, closer_closed);
    assert_int_equal(closer->closed, 0);
}

static void close_within_a_callback(struct conformance *c)
{
    struct engine_write write = w_put("k", "1");
    struct closer closer = {c, 0};
    struct engine_commit commit = {
        .request.data = &closer, .writes = &write, .write_count = 1};

    assert_int_equal(engine_commit(c->engine, &commit, closer_commit), KAN_OK);
    c_await(c, &closer.closed, 1);
    c->engine = NULL;
}

static void close_of_an_idle_engine(struct conformance *c)
{
    c_close(c);
    c_open(c);
    c_put(c, "k", "1");
    c_close(c);
}

static void never_scan(struct engine_scan *scan, enum kan_err err)
{
    (void)scan;
    (void)err;
    fail();
}

static void never_watch(struct engine_watch *watch, enum kan_err err,
                        uint64_t revision, const struct engine_change *changes,
                        uint32_t change_count)
{
    (void)watch;
    (void)err;
    (void)revision;
    (void)changes;
    (void)change_count;
    fail();
}

static void closing_refuses(struct conformance *c)
{
    struct engine_write write = w_put("k", "1");
    struct engine_commit commit = {.writes = &write, .write_count = 1};
    struct engine_scan scan = {.limit = 1, .level = ENGINE_EVENTUAL};
    struct engine_watch watch = {.cb = NULL};
    struct closer closer = {c, 0};
    struct kan_slice key = kan_text("k");
    struct engine_get get = {
        .keys = &key, .key_count = 1, .level = ENGINE_EVENTUAL};

    engine_close(c->engine, &closer, closer_closed);
    assert_int_equal(engine_commit(c->engine, &commit, closer_commit),
                     KAN_CLOSED);
    assert_int_equal(engine_get(c->engine, &get, flight_get), KAN_CLOSED);
    assert_int_equal(engine_scan(c->engine, &scan, never_scan), KAN_CLOSED);
    assert_int_equal(engine_watch(c->engine, &watch, never_watch), KAN_CLOSED);
    assert_true(strlen(engine_message(c->engine)) > 0);
    c_await(c, &closer.closed, 1);
    c->engine = NULL;
}

/* --- cancels and deadlines ------------------------------------------------ */

static void cancel_of_commits_and_reads(struct conformance *c)
{
    for (int steps = 0; steps < 6; steps++) {
        struct flight *flight = flight_start(c);
        for (int i = 0; i < steps; i++)
            sim_step(c->world);
        for (unsigned i = 0; i < FLIGHT; i++) {
            engine_cancel(&flight->commits[i].request);
            engine_cancel(&flight->gets[i].request);
        }
        c_await(c, &flight->done, 2 * FLIGHT);
        for (unsigned i = 0; i < FLIGHT; i++) {
            assert_true(flight->commit_err[i] == KAN_OK ||
                        flight->commit_err[i] == KAN_CANCELED);
            assert_true(flight->get_err[i] == KAN_OK ||
                        flight->get_err[i] == KAN_CANCELED);
            if (flight->commit_err[i] == KAN_OK)
                c_expect(c, flight->keys[i], "1");
            engine_cancel(&flight->commits[i].request); /* it has ended */
        }
        c_pass(c, 1000);
        assert_int_equal(flight->done, 2 * FLIGHT);
        c_watch_stop(c, flight->watch);
        flight_end(flight);
    }
    c_put(c, "k", "after");
    c_expect(c, "k", "after");
}

struct timed
{
    unsigned calls;
    enum kan_err err;
};

static void timed_done(struct engine_commit *commit, enum kan_err err)
{
    struct timed *timed = commit->request.data;

    timed->calls++;
    timed->err = err;
}

static void a_deadline_that_has_passed(struct conformance *c)
{
    c_pass(c, 1000);
    for (unsigned i = 0; i < 10; i++) {
        struct timed timed = {0, KAN_OK};
        struct engine_write write = w_put("k", "1");
        struct engine_commit commit = {
            .request = {.data = &timed, .deadline_ns = 1},
            .writes = &write,
            .write_count = 1};
        assert_int_equal(engine_commit(c->engine, &commit, timed_done), KAN_OK);
        assert_int_equal(timed.calls, 0);
        c_await(c, &timed.calls, 1);
        assert_true(timed.err == KAN_OK || timed.err == KAN_TIMEOUT);
        c_pass(c, 1000);
        assert_int_equal(timed.calls, 1);
        if (timed.err == KAN_OK)
            c_expect(c, "k", "1");
        c_write(c, WRITES(w_delete("k")));
    }
}

/* --- busy ----------------------------------------------------------------- */

static void busy_when_too_many_are_under_way(struct conformance *c)
{
    struct flight *flight;
    struct kan_slice key = kan_text("k");
    struct engine_get get = {.keys = &key, .key_count = 1};

    c_level(c, &get.level, &get.at_least);
    c->engine->open_max = 2 * FLIGHT + 1;
    flight = flight_start(c); /* commits, gets, and a watch */
    assert_int_equal(engine_stats(c->engine).waiting, 2 * FLIGHT + 1);
    assert_int_equal(engine_get(c->engine, &get, flight_get), KAN_BUSY);
    assert_true(strlen(engine_message(c->engine)) > 0);
    c_await(c, &flight->done, 2 * FLIGHT);
    c_put(c, "k", "1");
    c_watch_stop(c, flight->watch);
    assert_int_equal(engine_stats(c->engine).waiting, 0);
    c->engine->open_max = 0;
    flight_end(flight);
}

static void stats_count(struct conformance *c)
{
    struct engine_stats before = engine_stats(c->engine), after;

    c_put(c, "k", "1");
    c_put(c, "k", "2");
    c_commit(c, GUARDS(g_absent("k")), WRITES(w_put("k", "3")));
    c_expect(c, "k", "2");
    after = engine_stats(c->engine);
    assert_int_equal(after.commits - before.commits, 2);
    assert_int_equal(after.conflicts - before.conflicts, 1);
    assert_true(after.reads - before.reads >= 1);
    assert_int_equal(after.waiting, 0);
    assert_false(after.full);
    assert_false(after.broken);
}

/* --- a full store --------------------------------------------------------- */

static void a_full_store_refuses_and_recovers(struct conformance *c)
{
    char value[1001], key[16];
    enum kan_err err = KAN_OK;
    unsigned count = 0;

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    while (!err) {
        struct c_result result;
        snprintf(key, sizeof key, "k%u", count % 10000);
        result = c_commit(c, NO_GUARDS, WRITES(w_put(key, value)));
        err = result.err;
        count += !err;
        assert_true(count < 5000);
    }
    assert_int_equal(err, KAN_FULL);
    assert_true(count > 10);
    assert_true(strlen(engine_message(c->engine)) > 0);
    assert_true(engine_stats(c->engine).full);
    c_expect(c, key, NULL);
    assert_int_equal(c_get(c, "k0").value_size, 1000);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "k%u", i);
        c_write(c, WRITES(w_delete(key)));
    }
    c_put(c, "k0", value);
    assert_false(engine_stats(c->engine).full);
}

/* --- reopening ------------------------------------------------------------ */

static void everything_survives_reopening(struct conformance *c)
{
    uint64_t created = c_put(c, "k", "1"), version = c_put(c, "k", "2"), next;
    struct engine_cursor before;
    struct c_item item;

    c_put(c, "gone", "1");
    c_write(c, WRITES(w_delete("gone")));
    before = c_now(c);
    c_close(c);
    c_open(c);
    item = c_get(c, "k");
    assert_string_equal(item.value, "2");
    assert_int_equal(item.created, created);
    assert_int_equal(item.version, version);
    c_expect(c, "gone", NULL);
    assert_true(c_now(c).store == before.store);
    assert_true(c_now(c).revision >= before.revision);
    next = c_put(c, "k", "3");
    assert_true(next > before.revision);
}

static void revisions_never_repeat(struct conformance *c)
{
    uint64_t last = 0;

    for (int i = 0; i < 10; i++) {
        uint64_t revision = c_put(c, "k", "1");
        assert_true(revision > last);
        last = c_write(c, WRITES(w_delete("k")));
        assert_true(last > revision);
        c_close(c);
        c_open(c);
        assert_true(c_now(c).revision >= last);
    }
}

static void lost_commit(struct engine_commit *commit, enum kan_err err)
{
    (void)commit;
    (void)err;
}

static void ghost_closed(void *data)
{
    ++*(unsigned *)data;
}

/* The power fails under load; everything acknowledged is there, every commit
 * whole or not at all. */
static void acknowledged_commits_survive_power_cuts(struct conformance *c)
{
    char value[16] = "0";

    if (engine_promises(c->engine)->durable < ENGINE_FSYNC)
        return;
    for (unsigned round = 0; round < 15; round++) {
        struct engine_write writes[] = {w_put("a", "x"), w_put("b", "x")};
        struct engine_commit commit = {.writes = writes, .write_count = 2};
        struct env *ghost = c->env;
        unsigned closed = 0;
        char seen[80];

        snprintf(value, sizeof value, "%u", round);
        c_write(c, WRITES(w_put("a", value), w_put("b", value)));
        assert_int_equal(engine_commit(c->engine, &commit, lost_commit),
                         KAN_OK);
        for (unsigned i = 0; i < round; i++)
            sim_step(c->world);
        sim_crash(c->env);
        engine_close(c->engine, &closed, ghost_closed);
        while (!closed)
            env_run(ghost, ENV_RUN_ONCE);
        c->engine = NULL;
        env_free(ghost);
        assert_int_equal(sim_restart(c->world, "host", &c->env), KAN_OK);
        c_open(c);
        memcpy(seen, c_get(c, "a").value, sizeof seen);
        c_expect(c, "b", seen);
        assert_true(strcmp(seen, value) == 0 || strcmp(seen, "x") == 0);
    }
}

/* --- concurrency ---------------------------------------------------------- */

enum
{
    CLIENTS = 8,
    ROUNDS = 15
};

/* A client that adds one to a shared counter, over and over, by reading it and
 * committing under a guard on its version. */
struct client
{
    struct conformance *c;
    struct kan_slice key;
    struct engine_get get;
    struct engine_commit commit;
    struct engine_guard guard;
    struct engine_write write;
    char value[16];
    unsigned done;
    unsigned conflicts;
    uint64_t revisions[ROUNDS];
    unsigned *finished;
};

static void client_read(struct client *client);

static void client_committed(struct engine_commit *commit, enum kan_err err)
{
    struct client *client = commit->request.data;

    if (err == KAN_CONFLICT) {
        client->conflicts++;
    } else {
        assert_int_equal(err, KAN_OK);
        if (commit->revision > client->c->seen)
            client->c->seen = commit->revision;
        client->revisions[client->done++] = commit->revision;
    }
    if (client->done == ROUNDS)
        ++*client->finished;
    else
        client_read(client);
}

static void client_got(struct engine_get *get, enum kan_err err)
{
    struct client *client = get->request.data;
    const struct engine_item *item = &get->items[0];
    unsigned value = 0;

    assert_int_equal(err, KAN_OK);
    for (size_t i = 0; i < item->value.size; i++)
        value = 10 * value + slice_at(item->value, i) - '0';
    snprintf(client->value, sizeof client->value, "%u", value + 1);
    client->guard =
        item->created ? g_version("n", item->version) : g_absent("n");
    client->write = w_put("n", client->value);
    assert_int_equal(
        engine_commit(client->c->engine, &client->commit, client_committed),
        KAN_OK);
}

static void client_read(struct client *client)
{
    c_level(client->c, &client->get.level, &client->get.at_least);
    assert_int_equal(engine_get(client->c->engine, &client->get, client_got),
                     KAN_OK);
}

static void client_start(struct client *client, struct conformance *c,
                         unsigned *finished)
{
    client->c = c;
    client->key = kan_text("n");
    client->finished = finished;
    client->get.request.data = client;
    client->get.keys = &client->key;
    client->get.key_count = 1;
    client->commit.request.data = client;
    client->commit.guards = &client->guard;
    client->commit.guard_count = 1;
    client->commit.writes = &client->write;
    client->commit.write_count = 1;
    client_read(client);
}

static void guarded_increments_lose_nothing(struct conformance *c)
{
    struct client *clients = calloc(CLIENTS, sizeof *clients);
    unsigned finished = 0, conflicts = 0;
    char total[16];

    assert_non_null(clients);
    for (int i = 0; i < CLIENTS; i++)
        client_start(&clients[i], c, &finished);
    c_await(c, &finished, CLIENTS);
    snprintf(total, sizeof total, "%d", CLIENTS * ROUNDS);
    c_expect(c, "n", total);
    for (int i = 0; i < CLIENTS; i++) {
        conflicts += clients[i].conflicts;
        for (int r = 0; r < ROUNDS; r++)
            for (int j = 0; j < i; j++)
                for (int s = 0; s < ROUNDS; s++)
                    assert_true(clients[i].revisions[r] !=
                                clients[j].revisions[s]);
    }
    assert_true(conflicts > 0);
    free(clients);
}

/* --- out of memory -------------------------------------------------------- */

/* Whether an answer is one that a lack of memory may give. */
static bool short_of_memory(enum kan_err err)
{
    enum kan_err_class class = kan_err_class(err);

    return err == KAN_NOMEM || class == KAN_CLASS_UNKNOWN ||
           class == KAN_CLASS_BROKEN;
}

struct outcome
{
    unsigned calls;
    enum kan_err err;
    uint64_t version;
};

static void outcome_commit(struct engine_commit *commit, enum kan_err err)
{
    struct outcome *outcome = commit->request.data;

    outcome->calls++;
    outcome->err = err;
}

static void outcome_get(struct engine_get *get, enum kan_err err)
{
    struct outcome *outcome = get->request.data;

    outcome->calls++;
    outcome->err = err;
    if (!err)
        outcome->version = get->items[0].version;
}

static void outcome_scan(struct engine_scan *scan, enum kan_err err)
{
    struct outcome *outcome = scan->request.data;

    outcome->calls++;
    outcome->err = err;
}

/* Three writes, whole or not at all. The outcome of the commit. */
static enum kan_err starved_commit(struct conformance *c, const char *value)
{
    bool whole = engine_promises(c->engine)->ops_max >= 3;
    bool mortal = engine_promises(c->engine)->expiry_ms > 0;
    struct engine_write writes[] = {w_put("a", value), w_put(value, "new"),
                                    w_put("b", value)};
    struct outcome outcome = {0, KAN_OK, 0};
    struct engine_commit commit = {.request.data = &outcome,
                                   .writes = writes,
                                   .write_count = whole ? 3 : 1};
    enum kan_err err;

    if (mortal) {
        writes[1].ttl_kind = ENGINE_LEASE;
        writes[1].ttl_ms = 3600 * 1000;
    }
    if (engine_promises(c->engine)->dedupe_ms)
        commit.id = kan_text(value);
    err = engine_commit(c->engine, &commit, outcome_commit);
    if (err)
        return err;
    c_await(c, &outcome.calls, 1);
    return outcome.err;
}

static enum kan_err starved_reads(struct conformance *c)
{
    struct kan_slice key = kan_text("a");
    struct outcome outcome = {0, KAN_OK, 0};
    struct engine_get get = {
        .request.data = &outcome, .keys = &key, .key_count = 1};
    struct engine_scan scan = {.request.data = &outcome, .limit = 5};
    enum kan_err err;

    c_level(c, &get.level, &get.at_least);
    c_level(c, &scan.level, &scan.at_least);
    err = engine_get(c->engine, &get, outcome_get);
    if (err)
        return err;
    c_await(c, &outcome.calls, 1);
    if (outcome.err || !engine_promises(c->engine)->scan)
        return outcome.err;
    err = engine_scan(c->engine, &scan, outcome_scan);
    if (err)
        return err;
    c_await(c, &outcome.calls, 2);
    return outcome.err;
}

static void starved_told(struct engine_watch *watch, enum kan_err err,
                         uint64_t revision, const struct engine_change *changes,
                         uint32_t change_count)
{
    struct outcome *outcome = watch->request.data;

    (void)revision;
    (void)changes;
    (void)change_count;
    if (!err)
        return;
    outcome->calls++;
    outcome->err = err;
}

/* A watch that is stopped again, unless it ends by itself. */
static enum kan_err starved_watch(struct conformance *c)
{
    struct outcome outcome = {0, KAN_OK, 0};
    struct engine_watch watch = {.request.data = &outcome};
    enum kan_err err = engine_watch(c->engine, &watch, starved_told);

    if (err)
        return err;
    err = starved_commit(c, "w");
    engine_cancel(&watch.request);
    c_await(c, &outcome.calls, 1);
    return err ? err : outcome.err == KAN_CANCELED ? KAN_OK : outcome.err;
}

static enum kan_err starved_body(struct conformance *c)
{
    enum kan_err err = starved_commit(c, "v");

    if (!err)
        err = starved_reads(c);
    return err ? err : starved_watch(c);
}

/* a and b are written together, so they are equal, or both absent. */
static void starved_check(struct conformance *c)
{
    struct c_item a = c_get(c, "a"), b = c_get(c, "b");

    if (engine_promises(c->engine)->ops_max < 3)
        return;
    assert_int_equal(a.there, b.there);
    assert_string_equal(a.value, b.value);
    assert_int_equal(a.version, b.version);
    assert_int_equal(a.there, c_get(c, "v").there);
}

static void out_of_memory_anywhere(struct conformance *c)
{
    bool struck = true;

    for (uint64_t nth = 1; struck; nth++) {
        enum kan_err err;

        assert_true(nth < 5000);
        mem_fault(nth, false);
        err = starved_body(c);
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_true(err == KAN_OK || (struck && short_of_memory(err)));
        if (kan_err_class(err) == KAN_CLASS_BROKEN) {
            c_close(c);
            c_open(c);
        }
        starved_check(c);
        assert_int_equal(starved_body(c), KAN_OK);
        c_write(c, WRITES(w_delete("a")));
        c_write(c, WRITES(w_delete("b")));
        c_write(c, WRITES(w_delete("v")));
        c_write(c, WRITES(w_delete("w")));
        if (engine_promises(c->engine)->dedupe_ms)
            c_pass(c, engine_promises(c->engine)->dedupe_ms + 1000);
        c_close(c);
        c_open(c);
    }
}

static void out_of_memory_at_opening(struct conformance *c)
{
    bool struck = true;

    c_put(c, "k", "1");
    for (uint64_t nth = 1; struck; nth++) {
        enum kan_err err;
        int64_t live;

        c_close(c);
        live = mem_live();
        assert_true(nth < 5000);
        mem_fault(nth, false);
        err = c->subject->open(c->subject, c->env, c->wish, &c->engine);
        struck = mem_fault_struck();
        mem_fault(0, false);
        if (err) {
            assert_true(struck && short_of_memory(err));
            assert_null(c->engine);
            c_pass(c, 0);
            /* A disk may have grown; then the end of the case tells. */
            if (!c->subject->survives)
                assert_int_equal(mem_live(), live);
            c_open(c);
        }
        c_expect(c, "k", c->subject->survives ? "1" : NULL);
    }
}

const struct conformance_case cases_life[] = {
    CASE("close with requests in flight", close_with_requests_in_flight),
    CASE("close with requests in flight, rough 1",
         close_with_requests_in_flight, .rough = true, .seed = 1),
    CASE("close with requests in flight, rough 2",
         close_with_requests_in_flight, .rough = true, .seed = 2),
    CASE("close within a callback", close_within_a_callback),
    CASE("close of an idle engine", close_of_an_idle_engine),
    CASE("a closing engine refuses", closing_refuses, .needs = {.scan = true}),
    CASE("cancel of commits and reads", cancel_of_commits_and_reads),
    CASE("cancel of commits and reads, rough 1", cancel_of_commits_and_reads,
         .rough = true, .seed = 1),
    CASE("cancel of commits and reads, rough 2", cancel_of_commits_and_reads,
         .rough = true, .seed = 2),
    CASE("a deadline that has passed", a_deadline_that_has_passed),
    CASE("busy when too many are under way", busy_when_too_many_are_under_way),
    CASE("stats count", stats_count),
    CASE("a full store refuses, keeps reading and recovers",
         a_full_store_refuses_and_recovers, .wish = {.bytes_max = 128 << 10}),
    CASE("everything survives reopening", everything_survives_reopening,
         .reopens = true),
    CASE("revisions never repeat", revisions_never_repeat, .reopens = true),
    CASE("acknowledged commits survive power cuts",
         acknowledged_commits_survive_power_cuts, .needs = {.ops_max = 2},
         .reopens = true),
    CASE("acknowledged commits survive power cuts, rough 1",
         acknowledged_commits_survive_power_cuts, .needs = {.ops_max = 2},
         .reopens = true, .rough = true, .seed = 1),
    CASE("acknowledged commits survive power cuts, rough 2",
         acknowledged_commits_survive_power_cuts, .needs = {.ops_max = 2},
         .reopens = true, .rough = true, .seed = 2),
    CASE("guarded increments of many clients lose nothing",
         guarded_increments_lose_nothing),
    CASE("guarded increments of many clients lose nothing, rough 1",
         guarded_increments_lose_nothing, .rough = true, .seed = 1),
    CASE("guarded increments of many clients lose nothing, rough 2",
         guarded_increments_lose_nothing, .rough = true, .seed = 2),
    CASE("out of memory at any allocation", out_of_memory_anywhere),
    CASE("out of memory at opening", out_of_memory_at_opening),
    CASE(NULL, NULL),
};
