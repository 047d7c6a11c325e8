/* Watches: every commit under a prefix from a place on, in order, none skipped;
 * or COMPACTED. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/conformance/cases.h"

static struct engine_cursor from_now(void)
{
    struct engine_cursor cursor = {0};
    return cursor;
}

static void stop(struct conformance *c, struct c_watch *w)
{
    c_watch_stop(c, w);
    c_watch_free(w);
}

static void from_now_on(struct conformance *c)
{
    struct c_watch *w;
    uint64_t created = c_put(c, "k", "1"), revision;

    w = c_watch(c, "", from_now());
    revision = c_put(c, "k", "2");
    c_watch_await(c, w, 1);
    c_event_is(&w->events[0], ENGINE_CHANGE_PUT, "k", "2");
    assert_int_equal(w->events[0].created, created);
    assert_int_equal(w->events[0].revision, revision);
    revision = c_write(c, WRITES(w_delete("k")));
    c_watch_await(c, w, 2);
    c_event_is(&w->events[1], ENGINE_CHANGE_DELETE, "k", "");
    assert_int_equal(w->events[1].created, created);
    assert_int_equal(w->events[1].version, revision);
    stop(c, w);
}

static void from_the_beginning(struct conformance *c)
{
    struct c_watch *w;

    c_put(c, "a", "1");
    c_put(c, "b", "2");
    c_write(c, WRITES(w_delete("a")));
    w = c_watch(c, "", c_begin(c));
    c_watch_await(c, w, 3);
    c_event_is(&w->events[0], ENGINE_CHANGE_PUT, "a", "1");
    c_event_is(&w->events[1], ENGINE_CHANGE_PUT, "b", "2");
    c_event_is(&w->events[2], ENGINE_CHANGE_DELETE, "a", "");
    c_put(c, "c", "3");
    c_watch_await(c, w, 4);
    stop(c, w);
}

static void from_a_cursor(struct conformance *c)
{
    struct engine_cursor cursor;
    struct c_watch *w;

    c_put(c, "a", "1");
    cursor = c_now(c);
    c_put(c, "b", "2");
    cursor.revision = c_put(c, "c", "3");
    c_put(c, "d", "4");
    c_put(c, "e", "5");
    w = c_watch(c, "", cursor);
    c_watch_await(c, w, 2);
    c_event_is(&w->events[0], ENGINE_CHANGE_PUT, "d", "4");
    c_event_is(&w->events[1], ENGINE_CHANGE_PUT, "e", "5");
    stop(c, w);
    w = c_watch(c, "", c_now(c));
    c_put(c, "f", "6");
    c_watch_await(c, w, 1);
    c_event_is(&w->events[0], ENGINE_CHANGE_PUT, "f", "6");
    stop(c, w);
}

static void one_call_for_a_commit(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "", from_now());
    uint64_t revision;

    c_put(c, "d", "0");
    revision =
        c_write(c, WRITES(w_put("b", "1"), w_delete("d"), w_put("a", "1"),
                          w_delete("none"), w_put("b", "2"), w_delete("a")));
    c_watch_await(c, w, 6);
    assert_int_equal(w->calls, 2);
    c_event_is(&w->events[1], ENGINE_CHANGE_PUT, "b", "1");
    c_event_is(&w->events[2], ENGINE_CHANGE_DELETE, "d", "");
    c_event_is(&w->events[3], ENGINE_CHANGE_PUT, "a", "1");
    c_event_is(&w->events[4], ENGINE_CHANGE_PUT, "b", "2");
    c_event_is(&w->events[5], ENGINE_CHANGE_DELETE, "a", "");
    for (int i = 1; i < 6; i++)
        assert_int_equal(w->events[i].revision, revision);
    stop(c, w);
}

static void only_the_prefix(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "a/", c_begin(c));

    c_put(c, "a", "0");
    c_put(c, "a/1", "1");
    c_put(c, "b/1", "2");
    c_write(c, WRITES(w_put("a/2", "3"), w_put("c", "4"), w_put("a/3", "5")));
    c_write(c, WRITES(w_delete("b/1")));
    c_write(c, WRITES(w_delete("a/1")));
    c_watch_await(c, w, 4);
    assert_int_equal(w->calls, 3);
    c_event_is(&w->events[0], ENGINE_CHANGE_PUT, "a/1", "1");
    c_event_is(&w->events[1], ENGINE_CHANGE_PUT, "a/2", "3");
    c_event_is(&w->events[2], ENGINE_CHANGE_PUT, "a/3", "5");
    c_event_is(&w->events[3], ENGINE_CHANGE_DELETE, "a/1", "");
    stop(c, w);
}

static void appends_are_reported(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "log/", from_now());
    char key[32];
    uint64_t revision =
        c_write(c, WRITES(w_put("x", "0"), w_append("log/", "one")));

    engine_append_key(kan_text("log/"), revision, 1, key);
    c_watch_await(c, w, 1);
    assert_int_equal(w->events[0].key_size, 4 + ENGINE_APPEND_SIZE);
    assert_memory_equal(w->events[0].key, key, 4 + ENGINE_APPEND_SIZE);
    assert_string_equal(w->events[0].value, "one");
    stop(c, w);
}

static void touches_are_not_reported(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "", from_now());

    c_put(c, "k", "1");
    c_write(c, WRITES(w_touch("k", ENGINE_TTL, 600000)));
    c_write(c, WRITES(w_touch("k", ENGINE_FOREVER, 0)));
    c_put(c, "k", "2");
    c_watch_await(c, w, 2);
    c_event_is(&w->events[1], ENGINE_CHANGE_PUT, "k", "2");
    stop(c, w);
}

static void conflicts_are_not_reported(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "", from_now());

    c_put(c, "k", "1");
    c_commit(c, GUARDS(g_absent("k")), WRITES(w_put("k", "2")));
    c_put(c, "k", "3");
    c_watch_await(c, w, 2);
    c_event_is(&w->events[1], ENGINE_CHANGE_PUT, "k", "3");
    stop(c, w);
}

static void commit_counted(struct engine_commit *commit, enum kan_err err)
{
    assert_int_equal(err, KAN_OK);
    ++*(unsigned *)commit->request.data;
}

enum
{
    MANY = 600
};

static void submit_many(struct conformance *c, struct engine_commit *commits,
                        unsigned from, unsigned to, unsigned *done)
{
    for (unsigned i = from; i < to; i++) {
        char value[16];
        struct engine_write write;
        snprintf(value, sizeof value, "%u", i);
        write = w_put("k", value);
        commits[i] = (struct engine_commit){
            .request.data = done, .writes = &write, .write_count = 1};
        assert_int_equal(engine_commit(c->engine, &commits[i], commit_counted),
                         KAN_OK);
    }
}

/* Values must count up: commits submitted in order by one caller to one key
 * need not apply in order, so each event is compared with its commit. */
static void check_many(const struct c_watch *w,
                       const struct engine_commit *commits)
{
    for (unsigned i = 0; i < MANY; i++) {
        unsigned at = (unsigned)strtoul(w->events[i].value, NULL, 10);
        assert_true(at < MANY);
        assert_int_equal(w->events[i].revision, commits[at].revision);
    }
}

static void none_is_skipped(struct conformance *c)
{
    struct engine_commit *commits = calloc(MANY, sizeof *commits);
    struct c_watch *watches[6];
    unsigned done = 0;

    assert_non_null(commits);
    watches[0] = c_watch(c, "", c_begin(c));
    for (unsigned round = 0; round < 4; round++) {
        submit_many(c, commits, round * MANY / 4, (round + 1) * MANY / 4,
                    &done);
        watches[round + 1] = c_watch(c, "", c_begin(c));
        for (int i = 0; i < 37; i++)
            sim_step(c->world);
    }
    c_await(c, &done, MANY);
    watches[5] = c_watch(c, "", c_begin(c)); /* nothing comes after it */
    for (int i = 0; i < 6; i++) {
        c_watch_await(c, watches[i], MANY);
        assert_int_equal(watches[i]->calls, MANY);
        check_many(watches[i], commits);
        stop(c, watches[i]);
    }
    free(commits);
}

static void a_cancel_is_the_last_call(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "", from_now());
    unsigned calls;

    c_put(c, "k", "1");
    c_watch_await(c, w, 1);
    engine_cancel(&w->watch.request);
    engine_cancel(&w->watch.request);
    calls = w->calls;
    c_put(c, "k", "2");
    c_await(c, &w->ended, 1);
    assert_int_equal(w->end, KAN_CANCELED);
    assert_int_equal(w->calls, calls + 1);
    c_put(c, "k", "3");
    c_pass(c, 1000);
    assert_int_equal(w->calls, calls + 1);
    engine_cancel(&w->watch.request);
    c_watch_free(w);
}

static void canceled_before_it_began(struct conformance *c)
{
    struct c_watch *w;

    c_put(c, "k", "1");
    w = c_watch(c, "", from_now());
    engine_cancel(&w->watch.request);
    c_await(c, &w->ended, 1);
    assert_int_equal(w->end, KAN_CANCELED);
    assert_int_equal(w->count, 0);
    c_watch_free(w);
}

static void has_no_deadline(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "", from_now());

    c_pass(c, 10 * ENGINE_DEADLINE_MS);
    assert_int_equal(w->ended, 0);
    c_put(c, "k", "1");
    c_watch_await(c, w, 1);
    stop(c, w);
}

/* --- watching within callbacks -------------------------------------------- */

struct nest
{
    struct conformance *c;
    struct engine_watch inner;
    struct engine_commit commit;
    struct engine_write write;
    unsigned told, inner_told, ended, commits;
};

static void nest_inner(struct engine_watch *watch, enum kan_err err,
                       uint64_t revision, const struct engine_change *changes,
                       uint32_t change_count)
{
    struct nest *nest = watch->request.data;

    (void)revision;
    (void)changes;
    (void)change_count;
    if (err) {
        assert_int_equal(err, KAN_CANCELED);
        nest->ended++;
        return;
    }
    nest->inner_told++;
    engine_cancel(&watch->request);
}

static void nest_commit(struct engine_commit *commit, enum kan_err err)
{
    struct nest *nest = commit->request.data;

    assert_int_equal(err, KAN_OK);
    nest->commits++;
}

static void nest_outer(struct engine_watch *watch, enum kan_err err,
                       uint64_t revision, const struct engine_change *changes,
                       uint32_t change_count)
{
    struct nest *nest = watch->request.data;
    struct engine *engine = nest->c->engine;

    (void)revision;
    (void)changes;
    (void)change_count;
    if (err) {
        nest->ended++;
        return;
    }
    if (nest->told++ > 0)
        return;
    assert_int_equal(engine_watch(engine, &nest->inner, nest_inner), KAN_OK);
    assert_int_equal(engine_commit(engine, &nest->commit, nest_commit), KAN_OK);
    assert_int_equal(nest->inner_told + nest->commits, 0);
}

static void callbacks_may_do_anything(struct conformance *c)
{
    struct nest nest = {.c = c, .write = w_put("k", "2")};
    struct engine_watch outer = {.request.data = &nest};

    nest.inner.request.data = &nest;
    nest.commit.request.data = &nest;
    nest.commit.writes = &nest.write;
    nest.commit.write_count = 1;
    assert_int_equal(engine_watch(c->engine, &outer, nest_outer), KAN_OK);
    c_put(c, "k", "1");
    c_await(c, &nest.ended, 1);
    c_await(c, &nest.told, 2);
    assert_int_equal(nest.inner_told, 1);
    assert_int_equal(nest.commits, 1);
    c_put(c, "k", "3");
    c_await(c, &nest.told, 3);
    assert_int_equal(nest.inner_told, 1);
    engine_cancel(&outer.request);
    c_await(c, &nest.ended, 2);
}

/* --- history that is gone ------------------------------------------------- */

static void expect_compacted(struct conformance *c, struct engine_cursor from)
{
    struct c_watch *w = c_watch(c, "", from);

    c_await(c, &w->ended, 1);
    assert_int_equal(w->end, KAN_COMPACTED);
    assert_int_equal(w->count, 0);
    c_watch_free(w);
}

static void foreign_cursors(struct conformance *c)
{
    struct engine_cursor cursor;

    c_put(c, "k", "1");
    cursor = c_now(c);
    cursor.store ^= 1;
    if (cursor.store == 0)
        cursor.store = 2;
    expect_compacted(c, cursor);
    cursor = c_now(c);
    cursor.incarnation ^= 1;
    expect_compacted(c, cursor);
    cursor = c_now(c);
    cursor.revision++;
    expect_compacted(c, cursor);
    cursor.revision = UINT64_MAX;
    expect_compacted(c, cursor);
}

/* From any place: all that follows it, or COMPACTED; the latter only before
 * some point, and not for what is recent. */
static void compacted_or_whole(struct conformance *c, const struct c_watch *all)
{
    bool whole = false;

    for (unsigned i = 0; i < all->count; i++) {
        struct engine_cursor from = c_now(c);
        struct c_watch *w;
        from.revision = all->events[i].revision;
        w = c_watch(c, "", from);
        c_pass(c, 100);
        assert_true(w->ended ? w->end == KAN_COMPACTED && !whole : true);
        if (!w->ended) {
            whole = true;
            assert_int_equal(w->count, all->count - 1 - i);
            c_watch_stop(c, w);
        }
        c_watch_free(w);
    }
    assert_true(whole);
}

static void history_is_bounded(struct conformance *c)
{
    struct c_watch *w = c_watch(c, "", c_begin(c));
    struct engine_cursor middle;
    char value[1001];

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    c_put(c, "first", "1");
    middle = c_now(c);
    for (int i = 0; i < 500; i++)
        c_put(c, "k", value);
    expect_compacted(c, c_begin(c));
    expect_compacted(c, middle);
    c_watch_await(c, w, 501); /* who kept up lost nothing */
    compacted_or_whole(c, w);
    stop(c, w);
    w = c_watch(c, "", c_now(c));
    c_put(c, "k", "last");
    c_watch_await(c, w, 1);
    stop(c, w);
}

static void a_cursor_survives_reopening(struct conformance *c)
{
    struct engine_cursor cursor;
    struct c_watch *w;

    c_put(c, "a", "1");
    cursor = c_now(c);
    c_put(c, "b", "2");
    c_close(c);
    c_open(c);
    assert_true(c_now(c).store == cursor.store);
    assert_true(c_now(c).incarnation == cursor.incarnation);
    w = c_watch(c, "", cursor);
    c_watch_await(c, w, 1);
    c_event_is(&w->events[0], ENGINE_CHANGE_PUT, "b", "2");
    c_put(c, "c", "3");
    c_watch_await(c, w, 2);
    stop(c, w);
}

static void lost_data_is_noticed(struct conformance *c)
{
    struct engine_cursor cursor;

    c_put(c, "a", "1");
    cursor = c_now(c);
    c_close(c);
    c_open(c);
    if (c->subject->survives)
        return;
    c_expect(c, "a", NULL);
    expect_compacted(c, cursor);
    c_put(c, "a", "2");
    expect_compacted(c, cursor);
}

#define FROM               \
    {                      \
        .watch_from = true \
    }

const struct conformance_case cases_watch[] = {
    CASE("watch from now on", from_now_on),
    CASE("watch from the beginning", from_the_beginning, .needs = FROM),
    CASE("watch from a cursor", from_a_cursor, .needs = FROM),
    CASE("one call for a commit, changes in order", one_call_for_a_commit,
         .needs = {.ops_max = 6}),
    CASE("only what is under the prefix", only_the_prefix,
         .needs = {.ops_max = 3, .watch_from = true}),
    CASE("appends are reported", appends_are_reported,
         .needs = {.ops_max = 2, .append = true}),
    CASE("touches are not reported", touches_are_not_reported,
         .needs = {.expiry_ms = UINT32_MAX}),
    CASE("conflicts are not reported", conflicts_are_not_reported),
    CASE("none is skipped", none_is_skipped, .needs = FROM),
    CASE("none is skipped, rough 1", none_is_skipped, .needs = FROM,
         .rough = true, .seed = 1),
    CASE("none is skipped, rough 2", none_is_skipped, .needs = FROM,
         .rough = true, .seed = 2),
    CASE("a cancel is the last call of a watch", a_cancel_is_the_last_call),
    CASE("a watch canceled before it began", canceled_before_it_began),
    CASE("a watch has no deadline", has_no_deadline),
    CASE("callbacks may do anything", callbacks_may_do_anything),
    CASE("foreign cursors are compacted", foreign_cursors, .needs = FROM),
    CASE("history is bounded", history_is_bounded, .needs = FROM,
         .wish = {.feed_bytes_max = 64 << 10}),
    CASE("a cursor survives reopening", a_cursor_survives_reopening,
         .needs = FROM, .reopens = true),
    CASE("lost data is noticed by its cursors", lost_data_is_noticed,
         .needs = FROM),
    CASE(NULL, NULL),
};
