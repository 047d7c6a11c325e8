/* The suite's floor: worlds, requests that are waited for, and the list of all
 * cases turned into cmocka tests. */

#include "test/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/conformance/cases.h"

/* --- the engine's life ---------------------------------------------------- */

void c_open(struct conformance *c)
{
    assert_null(c->engine);
    if (!c->subject->survives)
        c->seen = 0;
    assert_int_equal(c->subject->open(c->subject, c->env, c->wish, &c->engine),
                     KAN_OK);
}

static void count_closed(void *data)
{
    ++*(unsigned *)data;
}

void c_close(struct conformance *c)
{
    unsigned closed = 0;

    assert_non_null(c->engine);
    engine_close(c->engine, &closed, count_closed);
    assert_int_equal(closed, 0);
    c->engine = NULL;
    c_await(c, &closed, 1);
}

/* --- time ----------------------------------------------------------------- */

void c_pass(struct conformance *c, uint64_t ms)
{
    sim_run(c->world, sim_now(c->world) + ms * ENV_MS);
}

void c_await(struct conformance *c, const unsigned *done, unsigned count)
{
    while (*done < count)
        if (!sim_step(c->world))
            fail_msg("an answer never comes");
    assert_true(*done >= count);
}

/* --- commits -------------------------------------------------------------- */

struct engine_write w_put(const char *key, const char *value)
{
    struct engine_write write = {
        .kind = ENGINE_PUT, .key = kan_text(key), .value = kan_text(value)};
    return write;
}

struct engine_write w_put_ttl(const char *key, const char *value,
                              enum engine_ttl_kind kind, uint64_t ttl_ms)
{
    struct engine_write write = w_put(key, value);

    write.ttl_kind = kind;
    write.ttl_ms = ttl_ms;
    return write;
}

struct engine_write w_delete(const char *key)
{
    struct engine_write write = {.kind = ENGINE_DELETE, .key = kan_text(key)};
    return write;
}

struct engine_write w_touch(const char *key, enum engine_ttl_kind kind,
                            uint64_t ttl_ms)
{
    struct engine_write write = {.kind = ENGINE_TOUCH,
                                 .key = kan_text(key),
                                 .ttl_kind = kind,
                                 .ttl_ms = ttl_ms};
    return write;
}

struct engine_write w_append(const char *prefix, const char *value)
{
    struct engine_write write = w_put(prefix, value);

    write.kind = ENGINE_APPEND;
    return write;
}

static struct engine_guard guard_of(enum engine_guard_kind kind,
                                    const char *key, uint64_t revision)
{
    struct engine_guard guard = {kind, kan_text(key), revision};
    return guard;
}

struct engine_guard g_version(const char *key, uint64_t revision)
{
    return guard_of(ENGINE_IF_VERSION, key, revision);
}

struct engine_guard g_created(const char *key, uint64_t revision)
{
    return guard_of(ENGINE_IF_CREATED, key, revision);
}

struct engine_guard g_absent(const char *key)
{
    return guard_of(ENGINE_IF_ABSENT, key, 0);
}

struct engine_guard g_present(const char *key)
{
    return guard_of(ENGINE_IF_PRESENT, key, 0);
}

struct commit_wait
{
    unsigned calls;
    enum kan_err err;
};

static void commit_done(struct engine_commit *commit, enum kan_err err)
{
    struct commit_wait *wait = commit->request.data;

    wait->calls++;
    wait->err = err;
}

struct c_result c_commit_id(struct conformance *c, const char *id,
                            const struct engine_guard *guards,
                            uint32_t guard_count,
                            const struct engine_write *writes,
                            uint32_t write_count)
{
    struct commit_wait wait = {0};
    struct engine_commit commit = {.request.data = &wait,
                                   .id = kan_text(id),
                                   .guards = guards,
                                   .guard_count = guard_count,
                                   .writes = writes,
                                   .write_count = write_count};
    struct c_result result = {0};

    result.err = engine_commit(c->engine, &commit, commit_done);
    assert_int_equal(wait.calls, 0);
    if (result.err)
        return result;
    result.submitted = true;
    c_await(c, &wait.calls, 1);
    assert_int_equal(wait.calls, 1);
    result.err = wait.err;
    result.revision = commit.revision;
    result.failed_guard = commit.failed_guard;
    if (result.err == KAN_OK && result.revision > c->seen)
        c->seen = result.revision;
    return result;
}

struct c_result c_commit(struct conformance *c,
                         const struct engine_guard *guards,
                         uint32_t guard_count,
                         const struct engine_write *writes,
                         uint32_t write_count)
{
    return c_commit_id(c, NULL, guards, guard_count, writes, write_count);
}

uint64_t c_write(struct conformance *c, const struct engine_write *writes,
                 uint32_t write_count)
{
    struct c_result result = c_commit(c, NO_GUARDS, writes, write_count);

    assert_int_equal(result.err, KAN_OK);
    return result.revision;
}

uint64_t c_put(struct conformance *c, const char *key, const char *value)
{
    return c_write(c, WRITES(w_put(key, value)));
}

/* --- reads ---------------------------------------------------------------- */

void c_level(struct conformance *c, enum engine_level *level,
             uint64_t *at_least)
{
    bool strong = engine_promises(c->engine)->linearizable;

    *level = strong ? ENGINE_LINEARIZABLE : ENGINE_CAUSAL;
    *at_least = strong ? 0 : c->seen;
}

static void copy_text(char *to, size_t room, struct kan_slice from)
{
    size_t size = from.size < room - 1 ? from.size : room - 1;

    memset(to, 0, room);
    if (size)
        memcpy(to, from.bytes, size);
}

static struct c_item item_copy(const struct engine_item *item)
{
    struct c_item copy = {0};

    copy.there = item->created != 0;
    copy.created = item->created;
    copy.version = item->version;
    copy.expires_ms = item->expires_ms;
    copy.key_size = item->key.size;
    copy.value_size = item->value.size;
    copy_text(copy.key, sizeof copy.key, item->key);
    copy_text(copy.value, sizeof copy.value, item->value);
    return copy;
}

struct get_wait
{
    unsigned calls;
    enum kan_err err;
    struct c_item item;
};

static void get_done(struct engine_get *get, enum kan_err err)
{
    struct get_wait *wait = get->request.data;

    wait->calls++;
    wait->err = err;
    if (err == KAN_OK)
        wait->item = item_copy(&get->items[0]);
}

struct c_item c_get_slice(struct conformance *c, struct kan_slice key)
{
    struct get_wait wait = {0};
    struct engine_get get = {
        .request.data = &wait, .keys = &key, .key_count = 1};

    c_level(c, &get.level, &get.at_least);
    assert_int_equal(engine_get(c->engine, &get, get_done), KAN_OK);
    assert_int_equal(wait.calls, 0);
    c_await(c, &wait.calls, 1);
    assert_int_equal(wait.err, KAN_OK);
    assert_true(wait.item.key_size == key.size);
    return wait.item;
}

struct c_item c_get(struct conformance *c, const char *key)
{
    return c_get_slice(c, kan_text(key));
}

void c_expect(struct conformance *c, const char *key, const char *value)
{
    struct c_item item = c_get(c, key);

    if (!value) {
        assert_false(item.there);
        assert_int_equal(item.version, 0);
        assert_int_equal(item.value_size, 0);
        return;
    }
    assert_true(item.there);
    assert_string_equal(item.value, value);
}

struct scan_wait
{
    unsigned calls;
    struct c_page *page;
};

static void scan_done(struct engine_scan *scan, enum kan_err err)
{
    struct scan_wait *wait = scan->request.data;
    struct c_page *page = wait->page;

    wait->calls++;
    page->err = err;
    if (err)
        return;
    assert_true(scan->item_count <= scan->limit);
    page->count = scan->item_count;
    page->more = scan->more;
    page->revision = scan->revision;
    for (uint32_t i = 0; i < scan->item_count; i++) {
        page->items[i] = item_copy(&scan->items[i]);
        page->value_bytes += scan->items[i].value.size;
    }
}

struct c_page *c_scan(struct conformance *c, struct kan_slice prefix,
                      struct kan_slice after, uint32_t limit, bool keys_only)
{
    struct scan_wait wait = {0, calloc(1, sizeof(struct c_page))};
    struct engine_scan scan = {.request.data = &wait,
                               .prefix = prefix,
                               .after = after,
                               .limit = limit,
                               .keys_only = keys_only};

    assert_non_null(wait.page);
    c_level(c, &scan.level, &scan.at_least);
    assert_int_equal(engine_scan(c->engine, &scan, scan_done), KAN_OK);
    assert_int_equal(wait.calls, 0);
    c_await(c, &wait.calls, 1);
    return wait.page;
}

/* --- watches -------------------------------------------------------------- */

static void watch_event(struct c_watch *w, uint64_t revision,
                        const struct engine_change *change)
{
    struct c_event *event = &w->events[w->count];

    assert_true(w->count < C_EVENTS_MAX);
    w->count++;
    event->revision = revision;
    event->call = w->calls;
    event->kind = change->kind;
    event->created = change->created;
    event->version = change->version;
    event->key_size = change->key.size;
    event->wall_ms = env_wall_ms(w->c->env);
    copy_text(event->key, sizeof event->key, change->key);
    copy_text(event->value, sizeof event->value, change->value);
    assert_true(change->version == revision);
    assert_true(change->created > 0 && change->created <= revision);
    if (change->kind != ENGINE_CHANGE_PUT)
        assert_int_equal(change->value.size, 0);
}

static void watch_told(struct engine_watch *watch, enum kan_err err,
                       uint64_t revision, const struct engine_change *changes,
                       uint32_t change_count)
{
    struct c_watch *w = watch->request.data;

    assert_int_equal(w->ended, 0);
    w->calls++;
    if (err) {
        assert_int_equal(change_count, 0);
        w->ended++;
        w->end = err;
        return;
    }
    assert_true(change_count > 0);
    assert_true(revision > w->last);
    w->last = revision;
    for (uint32_t i = 0; i < change_count; i++)
        watch_event(w, revision, &changes[i]);
}

struct c_watch *c_watch(struct conformance *c, const char *prefix,
                        struct engine_cursor from)
{
    struct c_watch *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->c = c;
    w->watch.request.data = w;
    w->watch.prefix = kan_text(prefix);
    w->watch.from = from;
    assert_int_equal(engine_watch(c->engine, &w->watch, watch_told), KAN_OK);
    assert_int_equal(w->calls, 0);
    return w;
}

struct c_watch *c_watch_free(struct c_watch *w)
{
    assert_int_equal(w->ended, 1);
    free(w);
    return NULL;
}

void c_watch_stop(struct conformance *c, struct c_watch *w)
{
    engine_cancel(&w->watch.request);
    assert_int_equal(w->ended, 0);
    c_await(c, &w->ended, 1);
    assert_int_equal(w->end, KAN_CANCELED);
}

void c_watch_await(struct conformance *c, struct c_watch *w, unsigned count)
{
    c_await(c, &w->count, count);
    assert_int_equal(w->count, count);
    assert_int_equal(w->ended, 0);
}

void c_event_is(const struct c_event *event, enum engine_change_kind kind,
                const char *key, const char *value)
{
    assert_int_equal(event->kind, kind);
    assert_string_equal(event->key, key);
    assert_string_equal(event->value, value);
}

struct engine_cursor c_begin(struct conformance *c)
{
    struct engine_cursor cursor = engine_cursor(c->engine);

    cursor.revision = 0;
    return cursor;
}

struct engine_cursor c_now(struct conformance *c)
{
    return engine_cursor(c->engine);
}

/* --- running -------------------------------------------------------------- */

struct conformance_test
{
    const struct conformance_subject *subject;
    const struct conformance_case *which;
    char name[120];
};

static bool wishes(const struct conformance_wish *wish)
{
    return wish->bytes_max || wish->feed_bytes_max;
}

/* Whether the case can be asked of the engine. */
static bool case_fits(struct conformance *c,
                      const struct conformance_case *which)
{
    if (engine_promises_cover(engine_promises(c->engine), &which->needs, NULL,
                              0))
        return false;
    if (wishes(&which->wish) && !c->subject->takes_wishes)
        return false;
    return !which->reopens || c->subject->survives;
}

/* The world of cases that must hold whatever comes first. */
static const struct sim_options rough = {
    .step_ns = 1000, .shuffle = true, .lane_jitter_ns = 3 * ENV_MS};

static void conformance_run(void **state)
{
    const struct conformance_test *test = *state;
    struct conformance c = {.subject = test->subject,
                            .wish = &test->which->wish};
    int64_t live = mem_live();
    bool fits;

    tape_init_seed(&c.tape, test->which->seed);
    assert_int_equal(
        sim_world_new(&c.tape, test->which->rough ? &rough : NULL, &c.world),
        KAN_OK);
    assert_int_equal(sim_node_new(c.world, "host", &c.env), KAN_OK);
    c_open(&c);
    fits = case_fits(&c, test->which);
    if (fits)
        test->which->run(&c);
    if (c.engine)
        c_close(&c);
    c.env = env_free(c.env);
    c.world = sim_world_free(c.world);
    tape_fini(&c.tape);
    assert_int_equal(mem_live(), live);
    if (!fits)
        skip();
}

static const struct conformance_case *const tables[] = {
    cases_commit, cases_limit, cases_expiry, cases_read,
    cases_watch,  cases_life,  cases_model};

enum
{
    TESTS_MAX = 2048
};

static size_t add_tests(const struct conformance_subject *subject,
                        const char *only, struct CMUnitTest *tests,
                        size_t count)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct conformance_case *which = tables[t]; which->run;
             which++) {
            struct conformance_test *test = calloc(1, sizeof *test);
            assert_true(test && count < TESTS_MAX);
            test->subject = subject;
            test->which = which;
            snprintf(test->name, sizeof test->name, "%s: %s", subject->name,
                     which->name);
            if (only && !strstr(test->name, only)) {
                free(test);
                continue;
            }
            tests[count].name = test->name;
            tests[count].test_func = conformance_run;
            tests[count++].initial_state = test;
        }
    return count;
}

int conformance_main(const struct conformance_subject *subjects, size_t count,
                     int argc, char **argv)
{
    static struct CMUnitTest tests[TESTS_MAX];
    size_t test_count = 0;
    int failed;

    for (size_t i = 0; i < count; i++)
        test_count = add_tests(&subjects[i], argc > 1 ? argv[1] : NULL, tests,
                               test_count);
    failed =
        _cmocka_run_group_tests("conformance", tests, test_count, NULL, NULL);
    for (size_t i = 0; i < test_count; i++)
        free(tests[i].initial_state);
    return failed != 0;
}
