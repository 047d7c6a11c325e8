/* Reads: snapshots, ordered pages, prefixes and levels. */

#include <stdlib.h>
#include <string.h>

#include "test/conformance/cases.h"

/* Keys in byte order, hard ones among them; kan_text() cannot name the 0x00. */
static const struct kan_slice sorted[] = {
    {"\x00", 1},      {"\x00\x00", 2}, {"\x00\xff", 2}, {"\x01", 1},
    {"a", 1},         {"a\x00", 2},    {"a\x00z", 3},   {"a/1", 3},
    {"a/10", 4},      {"a/2", 3},      {"a\xff", 2},    {"a\xff\x00", 3},
    {"a\xff\xff", 3}, {"b", 1},        {"\x7f", 1},     {"\x80", 1},
    {"\xff", 1},      {"\xff\x00", 2}, {"\xff\xff", 2},
};

enum
{
    SORTED = sizeof sorted / sizeof *sorted
};

/* Put them in an order that is not theirs. */
static void put_sorted(struct conformance *c)
{
    for (unsigned i = 0; i < SORTED; i++) {
        unsigned at = (i * 7 + 3) % SORTED;
        struct engine_write write = {
            .kind = ENGINE_PUT, .key = sorted[at], .value = sorted[at]};
        c_write(c, &write, 1);
    }
}

static bool key_is(const struct c_item *item, struct kan_slice key)
{
    return slice_equal(kan_slice(item->key, item->key_size), key);
}

/* Read all pages of this size and compare with what they must be. */
static void scan_all(struct conformance *c, struct kan_slice prefix,
                     uint32_t limit, bool keys_only)
{
    char place[80];
    struct kan_slice after = {place, 0};
    unsigned at = 0;
    bool more = true;

    while (more) {
        struct c_page *page = c_scan(c, prefix, after, limit, keys_only);
        assert_int_equal(page->err, KAN_OK);
        more = page->more;
        for (uint32_t i = 0; i < page->count; i++) {
            while (at < SORTED && !slice_starts(sorted[at], prefix))
                at++;
            assert_true(at < SORTED);
            assert_true(key_is(&page->items[i], sorted[at]));
            assert_int_equal(page->items[i].value_size,
                             keys_only ? 0 : sorted[at].size);
            assert_true(page->items[i].version > 0);
            at++;
        }
        if (more) {
            assert_int_equal(page->count, limit);
            after.size = page->items[page->count - 1].key_size;
            memcpy(place, page->items[page->count - 1].key, after.size);
        }
        free(page);
    }
    for (; at < SORTED; at++)
        assert_false(slice_starts(sorted[at], prefix));
}

static void pages_in_order(struct conformance *c)
{
    static const struct kan_slice prefixes[] = {
        {"", 0},         {"a", 1},
        {"a/", 2},       {"a\xff", 2},
        {"\x00", 1},     {"\xff", 1},
        {"\xff\xff", 2}, {"zz", 2},
        {"a/1", 3},      {"\xff\xff\xff", 3},
    };

    put_sorted(c);
    for (unsigned p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        scan_all(c, prefixes[p], 1, false);
        scan_all(c, prefixes[p], 2, true);
        scan_all(c, prefixes[p], 3, false);
        scan_all(c, prefixes[p], SORTED, false);
        scan_all(c, prefixes[p], SORTED - 1, true);
        scan_all(c, prefixes[p], ENGINE_KEYS_MAX, false);
    }
}

static void expect_first(struct conformance *c, struct kan_slice prefix,
                         struct kan_slice after, const char *first,
                         uint32_t count)
{
    struct c_page *page = c_scan(c, prefix, after, 100, false);

    assert_int_equal(page->count, count);
    assert_false(page->more);
    if (count)
        assert_string_equal(page->items[0].key, first);
    free(page);
}

static void after_may_be_anything(struct conformance *c)
{
    c_put(c, "b1", "1");
    c_put(c, "b3", "1");
    c_put(c, "b5", "1");
    c_put(c, "a", "1");
    c_put(c, "c", "1");
    expect_first(c, kan_text("b"), kan_text(""), "b1", 3);
    expect_first(c, kan_text("b"), kan_text("b1"), "b3", 2);
    expect_first(c, kan_text("b"), kan_text("b2"), "b3", 2);
    expect_first(c, kan_text("b"), kan_text("b"), "b1", 3);
    expect_first(c, kan_text("b"), kan_text("a"), "b1", 3);
    expect_first(c, kan_text("b"), kan_text("b5"), NULL, 0);
    expect_first(c, kan_text("b"), kan_text("c"), NULL, 0);
    expect_first(c, kan_text(""), kan_text("b5"), "c", 1);
    expect_first(c, kan_text("d"), kan_text(""), NULL, 0);
}

static void pages_show_versions(struct conformance *c)
{
    uint64_t created = c_put(c, "k", "1"), version = c_put(c, "k", "2");
    struct c_page *page = c_scan(c, kan_text(""), kan_text(""), 10, true);

    assert_int_equal(page->count, 1);
    assert_int_equal(page->items[0].created, created);
    assert_int_equal(page->items[0].version, version);
    assert_true(page->revision >= version);
    free(page);
}

static void pages_are_cut_by_bytes(struct conformance *c)
{
    size_t size = 1 << 20;
    char *bytes = malloc(size), last[80] = "";
    unsigned seen = 0;
    bool more = true;

    assert_non_null(bytes);
    memset(bytes, 'v', size);
    for (char key = 'a'; key < 'a' + 9; key++) {
        struct engine_write write = {.kind = ENGINE_PUT,
                                     .key = kan_slice(&key, 1),
                                     .value = kan_slice(bytes, size)};
        c_write(c, &write, 1);
    }
    while (more) {
        struct c_page *page =
            c_scan(c, kan_text(""), kan_text(last), 100, false);
        assert_true(page->count > 0);
        assert_true(page->value_bytes <= ENGINE_PAGE_BYTES);
        for (uint32_t i = 0; i < page->count; i++)
            assert_int_equal(page->items[i].key[0], 'a' + (int)seen++);
        memcpy(last, page->items[page->count - 1].key, sizeof last);
        more = page->more;
        free(page);
    }
    assert_int_equal(seen, 9);
    free(bytes);
}

struct pair
{
    unsigned calls;
    struct c_item a, b;
    uint64_t revision;
};

static void pair_read(struct engine_get *get, enum kan_err err)
{
    struct pair *pair = get->request.data;

    assert_int_equal(err, KAN_OK);
    pair->calls++;
    pair->revision = get->revision;
    pair->a.version = get->items[0].version;
    pair->b.version = get->items[1].version;
    assert_true(slice_equal(get->items[0].key, get->keys[0]));
    assert_true(slice_equal(get->items[1].key, get->keys[1]));
}

static void commit_counted(struct engine_commit *commit, enum kan_err err)
{
    assert_int_equal(err, KAN_OK);
    ++*(unsigned *)commit->request.data;
}

enum
{
    ROUNDS = 20
};

/* Two keys that are always written together are always read together. */
static void a_get_is_one_snapshot(struct conformance *c)
{
    struct kan_slice keys[] = {kan_text("a"), kan_text("b")};
    struct engine_write writes[] = {w_put("a", "1"), w_put("b", "1")};
    struct engine_commit commits[ROUNDS];
    struct engine_get gets[ROUNDS];
    struct pair pairs[ROUNDS];
    unsigned done = 0;

    memset(pairs, 0, sizeof pairs);
    for (int i = 0; i < ROUNDS; i++) {
        commits[i] = (struct engine_commit){
            .request.data = &done, .writes = writes, .write_count = 2};
        gets[i] = (struct engine_get){
            .request.data = &pairs[i], .keys = keys, .key_count = 2};
        c_level(c, &gets[i].level, &gets[i].at_least);
        assert_int_equal(engine_commit(c->engine, &commits[i], commit_counted),
                         KAN_OK);
        assert_int_equal(engine_get(c->engine, &gets[i], pair_read), KAN_OK);
    }
    for (int i = 0; i < ROUNDS; i++) {
        c_await(c, &pairs[i].calls, 1);
        assert_int_equal(pairs[i].a.version, pairs[i].b.version);
        assert_true(pairs[i].revision >= pairs[i].a.version);
    }
    c_await(c, &done, ROUNDS);
}

/* --- levels --------------------------------------------------------------- */

struct read_wait
{
    unsigned calls;
    enum kan_err err;
    uint64_t revision;
    bool there;
    uint64_t at_ns;
    struct conformance *c;
};

static void read_done(struct engine_get *get, enum kan_err err)
{
    struct read_wait *wait = get->request.data;

    wait->calls++;
    wait->err = err;
    wait->revision = get->revision;
    wait->at_ns = env_now(wait->c->env);
    if (!err)
        wait->there = get->items[0].created != 0;
}

static void causal_reads_see_at_least(struct conformance *c)
{
    struct kan_slice key = kan_text("key");
    struct read_wait wait = {.c = c};
    struct engine_get get = {.request.data = &wait,
                             .keys = &key,
                             .key_count = 1,
                             .level = ENGINE_CAUSAL};

    get.at_least = c_put(c, "key", "1");
    assert_int_equal(engine_get(c->engine, &get, read_done), KAN_OK);
    c_await(c, &wait.calls, 1);
    assert_int_equal(wait.err, KAN_OK);
    assert_true(wait.there);
    assert_true(wait.revision >= get.at_least);
}

static void causal_reads_wait(struct conformance *c)
{
    struct kan_slice key = kan_text("key");
    struct read_wait wait = {.c = c};
    struct engine_get get = {.request.data = &wait,
                             .keys = &key,
                             .key_count = 1,
                             .level = ENGINE_CAUSAL};

    get.at_least = c_put(c, "other", "1") + 1;
    assert_int_equal(engine_get(c->engine, &get, read_done), KAN_OK);
    c_pass(c, 100);
    assert_int_equal(wait.calls, 0);
    c_put(c, "key", "1");
    c_await(c, &wait.calls, 1);
    assert_int_equal(wait.err, KAN_OK);
    assert_true(wait.there);
    assert_true(wait.revision >= get.at_least);
}

static void causal_reads_wait_no_longer_than_their_deadline(
    struct conformance *c)
{
    struct kan_slice key = kan_text("key");
    struct read_wait wait = {.c = c};
    uint64_t start = env_now(c->env);
    struct engine_get get = {.request.data = &wait,
                             .keys = &key,
                             .key_count = 1,
                             .level = ENGINE_CAUSAL,
                             .at_least = c_put(c, "other", "1") + 1000};

    get.request.deadline_ns = start + UINT64_C(3) * ENV_S;
    assert_int_equal(engine_get(c->engine, &get, read_done), KAN_OK);
    c_await(c, &wait.calls, 1);
    assert_int_equal(wait.err, KAN_TIMEOUT);
    assert_int_equal(wait.at_ns, start + UINT64_C(3) * ENV_S);
    get.request.deadline_ns = 0;
    start = env_now(c->env);
    assert_int_equal(engine_get(c->engine, &get, read_done), KAN_OK);
    c_await(c, &wait.calls, 2);
    assert_int_equal(wait.err, KAN_TIMEOUT);
    assert_int_equal(wait.at_ns, start + (uint64_t)ENGINE_DEADLINE_MS * ENV_MS);
}

static void weak_levels_answer(struct conformance *c)
{
    static const enum engine_level levels[] = {ENGINE_SEQUENTIAL, ENGINE_CAUSAL,
                                               ENGINE_EVENTUAL};
    struct kan_slice key = kan_text("key");

    c_put(c, "key", "1");
    for (int i = 0; i < 3; i++) {
        struct read_wait wait = {.c = c};
        struct engine_get get = {.request.data = &wait,
                                 .keys = &key,
                                 .key_count = 1,
                                 .level = levels[i]};
        assert_int_equal(engine_get(c->engine, &get, read_done), KAN_OK);
        c_await(c, &wait.calls, 1);
        assert_int_equal(wait.err, KAN_OK);
    }
}

static void the_cursor_is_what_reads_see(struct conformance *c)
{
    for (int i = 0; i < 10; i++) {
        uint64_t revision = c_put(c, "key", "1");
        assert_true(c_now(c).revision >= revision);
        assert_true(c_now(c).store != 0);
        assert_true(c_now(c).incarnation != 0);
    }
}

const struct conformance_case cases_read[] = {
    CASE("pages in byte order, of every size", pages_in_order,
         .needs = {.scan = true}),
    CASE("a page may begin anywhere", after_may_be_anything,
         .needs = {.scan = true}),
    CASE("pages show created and version", pages_show_versions,
         .needs = {.scan = true}),
    CASE("pages are cut at 4 MiB", pages_are_cut_by_bytes,
         .needs = {.scan = true, .value_max = 1 << 20}),
    CASE("a get is one snapshot", a_get_is_one_snapshot,
         .needs = {.ops_max = 2}),
    CASE("a get is one snapshot, rough 1", a_get_is_one_snapshot,
         .needs = {.ops_max = 2}, .rough = true, .seed = 1),
    CASE("a get is one snapshot, rough 2", a_get_is_one_snapshot,
         .needs = {.ops_max = 2}, .rough = true, .seed = 2),
    CASE("a causal read sees at least", causal_reads_see_at_least),
    CASE("a causal read waits for its revision", causal_reads_wait),
    CASE("a causal read ends at its deadline",
         causal_reads_wait_no_longer_than_their_deadline),
    CASE("weak levels answer", weak_levels_answer),
    CASE("the cursor is what reads see", the_cursor_is_what_reads_see),
    CASE(NULL, NULL),
};
