/* Time to live: TTL by the clock of the wall, LEASE by a monotonic clock;
 * absent to reads and guards at once, swept within a second. */

#include <stdlib.h>

#include "test/conformance/cases.h"

/* How late at most an expired key may still be seen. */
static uint64_t grain(struct conformance *c)
{
    return engine_promises(c->engine)->expiry_ms;
}

static void expires_at_its_time(struct conformance *c,
                                enum engine_ttl_kind kind)
{
    c_write(c, WRITES(w_put_ttl("key", "1", kind, 5000)));
    c_pass(c, 4999);
    c_expect(c, "key", "1");
    c_pass(c, grain(c));
    c_expect(c, "key", NULL);
}

static void ttl_expires(struct conformance *c)
{
    expires_at_its_time(c, ENGINE_TTL);
}

static void lease_expires(struct conformance *c)
{
    expires_at_its_time(c, ENGINE_LEASE);
}

static void expiry_is_shown(struct conformance *c)
{
    uint64_t wall = env_wall_ms(c->env), shown;

    c_write(c, WRITES(w_put_ttl("t", "1", ENGINE_TTL, 5000)));
    c_write(c, WRITES(w_put_ttl("l", "1", ENGINE_LEASE, 5000)));
    shown = c_get(c, "t").expires_ms;
    assert_true(shown >= wall + 5000 && shown < wall + 5000 + grain(c));
    assert_int_equal(c_get(c, "l").expires_ms, 0);
}

/* Right after the instant, before any sweep can have run. */
static void expired_before_the_sweep(struct conformance *c)
{
    struct c_result result;
    uint64_t created =
        c_write(c, WRITES(w_put_ttl("k", "1", ENGINE_TTL, 5000)));

    c_pass(c, 5000 + grain(c) - 1);
    c_expect(c, "k", NULL);
    result = c_commit(c, GUARDS(g_present("k")), WRITES(w_put("k", "2")));
    assert_int_equal(result.err, KAN_CONFLICT);
    result =
        c_commit(c, GUARDS(g_version("k", created)), WRITES(w_put("k", "2")));
    assert_int_equal(result.err, KAN_CONFLICT);
    result = c_commit(c, GUARDS(g_absent("k")), WRITES(w_put("k", "2")));
    assert_int_equal(result.err, KAN_OK);
    c_expect(c, "k", "2");
    assert_int_equal(c_get(c, "k").created, result.revision);
    c_pass(c, 10000);
    c_expect(c, "k", "2");
}

static void touch_does_not_raise_the_dead(struct conformance *c)
{
    c_write(c, WRITES(w_put_ttl("k", "1", ENGINE_TTL, 5000)));
    c_pass(c, 5000 + grain(c) - 1);
    c_write(c, WRITES(w_touch("k", ENGINE_TTL, 60000)));
    c_expect(c, "k", NULL);
    c_pass(c, 3000);
    c_expect(c, "k", NULL);
}

static void expired_keys_are_not_scanned(struct conformance *c)
{
    struct c_page *page;

    c_put(c, "a", "1");
    c_write(c, WRITES(w_put_ttl("b", "1", ENGINE_TTL, 5000)));
    c_put(c, "c", "1");
    c_pass(c, 5000 + grain(c) - 1);
    page = c_scan(c, kan_text(""), kan_text(""), 2, false);
    assert_int_equal(page->count, 2);
    assert_string_equal(page->items[1].key, "c");
    assert_false(page->more);
    free(page);
}

static void touch_prolongs(struct conformance *c, enum engine_ttl_kind kind)
{
    uint64_t created = c_write(c, WRITES(w_put_ttl("k", "1", kind, 5000)));

    for (int i = 0; i < 5; i++) {
        c_pass(c, 4000);
        c_write(c, WRITES(w_touch("k", kind, 5000)));
    }
    c_pass(c, 4999);
    assert_int_equal(c_get(c, "k").created, created);
    assert_int_equal(c_get(c, "k").version, created);
    c_pass(c, grain(c));
    c_expect(c, "k", NULL);
}

static void touch_prolongs_a_ttl(struct conformance *c)
{
    touch_prolongs(c, ENGINE_TTL);
}

static void touch_prolongs_a_lease(struct conformance *c)
{
    touch_prolongs(c, ENGINE_LEASE);
}

static void touch_changes_the_kind(struct conformance *c)
{
    c_write(c, WRITES(w_put_ttl("a", "1", ENGINE_TTL, 5000)));
    c_write(c, WRITES(w_put("b", "1")));
    c_write(c, WRITES(w_put_ttl("d", "1", ENGINE_LEASE, 5000)));
    c_write(c, WRITES(w_touch("a", ENGINE_FOREVER, 0)));
    c_write(c, WRITES(w_touch("b", ENGINE_LEASE, 5000)));
    c_write(c, WRITES(w_touch("d", ENGINE_TTL, 9000)));
    assert_int_equal(c_get(c, "a").expires_ms, 0);
    c_pass(c, 7000);
    c_expect(c, "a", "1");
    c_expect(c, "b", NULL);
    c_expect(c, "d", "1");
    c_pass(c, 2000 + grain(c));
    c_expect(c, "d", NULL);
}

static void a_put_sets_the_ttl_anew(struct conformance *c)
{
    uint64_t created =
        c_write(c, WRITES(w_put_ttl("k", "1", ENGINE_TTL, 5000)));

    c_put(c, "k", "2");
    c_pass(c, 8000);
    c_expect(c, "k", "2");
    assert_int_equal(c_get(c, "k").created, created);
    assert_int_equal(c_get(c, "k").expires_ms, 0);
}

static void the_wall_jumps(struct conformance *c)
{
    c_write(c, WRITES(w_put_ttl("t", "1", ENGINE_TTL, 60000)));
    c_write(c, WRITES(w_put_ttl("l", "1", ENGINE_LEASE, 60000)));
    sim_wall_jump(c->env, 61000 + (int64_t)grain(c));
    c_expect(c, "t", NULL);
    c_expect(c, "l", "1");
    c_pass(c, 60000 + grain(c));
    c_expect(c, "l", NULL);
}

static void sweep_reports_one(struct conformance *c, enum engine_ttl_kind kind,
                              uint64_t ttl_ms)
{
    struct c_watch *w = c_watch(c, "", c_now(c));
    uint64_t start = env_wall_ms(c->env), created;
    struct c_event *event;

    created = c_write(c, WRITES(w_put_ttl("key", "1", kind, ttl_ms)));
    c_put(c, "other", "1");
    c_watch_await(c, w, 2);
    c_pass(c, ttl_ms + grain(c) - 1 + 1000);
    assert_int_equal(w->count, 3);
    event = &w->events[2];
    c_event_is(event, ENGINE_CHANGE_EXPIRE, "key", "");
    assert_int_equal(event->created, created);
    assert_true(event->revision > w->events[1].revision);
    assert_true(event->wall_ms >= start + ttl_ms);
    assert_true(c_now(c).revision >= event->revision);
    assert_true(c_put(c, "more", "1") > event->revision);
    c_watch_stop(c, w);
    c_watch_free(w);
}

/* At many distances from the beats of a sweep. */
static void sweep_reports(struct conformance *c, enum engine_ttl_kind kind)
{
    for (uint64_t ttl_ms = 1; ttl_ms < 6000; ttl_ms += 271)
        sweep_reports_one(c, kind, ttl_ms);
}

static void sweep_reports_a_ttl(struct conformance *c)
{
    sweep_reports(c, ENGINE_TTL);
}

static void sweep_reports_a_lease(struct conformance *c)
{
    sweep_reports(c, ENGINE_LEASE);
}

/* A key that is put or touched in time is not swept. */
static void sweep_is_guarded(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "", c_begin(c));
    unsigned expired = 0;

    for (int i = 0; i < 50; i++) {
        c_write(c, WRITES(w_put_ttl("k", "1", ENGINE_TTL, 2000)));
        c_write(c, WRITES(w_put_ttl("l", "1", ENGINE_LEASE, 2000)));
        c_pass(c, 1900);
        c_write(c, WRITES(w_touch("l", ENGINE_LEASE, 2000)));
    }
    for (unsigned i = 0; i < w->count; i++)
        expired += w->events[i].kind == ENGINE_CHANGE_EXPIRE;
    assert_int_equal(expired, 0);
    c_pass(c, 10000);
    assert_int_equal(w->count, 102);
    c_watch_stop(c, w);
    c_watch_free(w);
}

enum
{
    MANY = 3200
};

static void many_expire_at_once(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "", c_begin(c));
    unsigned expired = 0;

    for (int i = 0; i < MANY; i++) {
        char key[3] = {(char)(1 + i / 250), (char)(1 + i % 250), 0};
        c_write(c, WRITES(w_put_ttl(key, "1", ENGINE_TTL, 60000)));
    }
    c_pass(c, 61000 + grain(c));
    for (unsigned i = 0; i < w->count; i++)
        expired += w->events[i].kind == ENGINE_CHANGE_EXPIRE;
    assert_int_equal(expired, MANY);
    c_watch_stop(c, w);
    c_watch_free(w);
}

static void ttl_runs_on_over_restarts(struct conformance *c)
{
    c_write(c, WRITES(w_put_ttl("t", "1", ENGINE_TTL, 5000)));
    c_pass(c, 2000);
    c_close(c);
    c_pass(c, 2000);
    c_open(c);
    c_expect(c, "t", "1");
    c_pass(c, 1000 + grain(c));
    c_expect(c, "t", NULL);
}

static void ttl_ends_while_closed(struct conformance *c)
{
    struct engine_cursor cursor;
    uint64_t late = grain(c);
    struct c_watch *w;

    c_write(c, WRITES(w_put_ttl("t", "1", ENGINE_TTL, 5000)));
    cursor = c_now(c);
    c_close(c);
    c_pass(c, 6000 + late);
    c_open(c);
    c_expect(c, "t", NULL);
    w = c_watch(c, "", cursor);
    c_pass(c, 1000);
    assert_int_equal(w->count, 1);
    c_event_is(&w->events[0], ENGINE_CHANGE_EXPIRE, "t", "");
    c_watch_stop(c, w);
    c_watch_free(w);
}

static void lease_starts_afresh_on_opening(struct conformance *c)
{
    uint64_t created =
        c_write(c, WRITES(w_put_ttl("l", "1", ENGINE_LEASE, 5000)));

    c_pass(c, 4000);
    c_close(c);
    c_pass(c, 60000);
    c_open(c);
    c_pass(c, 4999);
    c_expect(c, "l", "1");
    assert_int_equal(c_get(c, "l").created, created);
    c_pass(c, 1000 + grain(c));
    c_expect(c, "l", NULL);
}

#define EXPIRY .needs.expiry_ms = UINT32_MAX
#define WATCH  .needs.watch_from = true

const struct conformance_case cases_expiry[] = {
    CASE("a ttl expires at its time", ttl_expires, EXPIRY),
    CASE("a lease expires at its time", lease_expires, EXPIRY),
    CASE("expiry of a ttl is shown", expiry_is_shown, EXPIRY),
    CASE("expired is absent, before the sweep", expired_before_the_sweep,
         EXPIRY),
    CASE("a touch does not raise the dead", touch_does_not_raise_the_dead,
         EXPIRY),
    CASE("expired keys are not scanned", expired_keys_are_not_scanned,
         .needs = {.expiry_ms = UINT32_MAX, .scan = true}),
    CASE("a touch prolongs a ttl", touch_prolongs_a_ttl, EXPIRY),
    CASE("a touch prolongs a lease", touch_prolongs_a_lease, EXPIRY),
    CASE("a touch changes the kind", touch_changes_the_kind, EXPIRY),
    CASE("a put sets the ttl anew", a_put_sets_the_ttl_anew, EXPIRY),
    CASE("the wall clock jumps: ttl follows, lease does not", the_wall_jumps,
         EXPIRY),
    CASE("the sweep of a ttl is reported within a second", sweep_reports_a_ttl,
         EXPIRY, WATCH),
    CASE("the sweep of a lease is reported within a second",
         sweep_reports_a_lease, EXPIRY, WATCH),
    CASE("the sweep takes nothing that was renewed", sweep_is_guarded, EXPIRY,
         WATCH),
    CASE("many expire at once", many_expire_at_once, EXPIRY, WATCH),
    CASE("a ttl runs on over restarts", ttl_runs_on_over_restarts, EXPIRY,
         .reopens = true),
    CASE("a ttl ends while closed, and is reported", ttl_ends_while_closed,
         EXPIRY, WATCH, .reopens = true),
    CASE("a lease starts afresh on opening", lease_starts_afresh_on_opening,
         EXPIRY, .reopens = true),
    CASE(NULL, NULL),
};
