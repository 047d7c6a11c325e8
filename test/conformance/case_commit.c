/* Commits: revisions, created and version, guards, order of writes, append and
 * commit ids. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/conformance/cases.h"

/* --- writes --------------------------------------------------------------- */

static void put_then_get(struct conformance *c)
{
    uint64_t revision = c_put(c, "key", "value");
    struct c_item item = c_get(c, "key");

    assert_true(item.there);
    assert_string_equal(item.value, "value");
    assert_int_equal(item.created, revision);
    assert_int_equal(item.version, revision);
    assert_int_equal(item.expires_ms, 0);
    c_expect(c, "other", NULL);
}

static void revisions_strictly_increase(struct conformance *c)
{
    uint64_t last = 0;

    for (int i = 0; i < 20; i++) {
        uint64_t revision = c_put(c, i % 3 ? "a" : "b", "x");
        assert_true(revision > last);
        last = revision;
    }
    assert_true(c_now(c).revision >= last);
}

static void overwrite_keeps_created(struct conformance *c)
{
    uint64_t first = c_put(c, "key", "1");
    uint64_t second = c_put(c, "key", "2");
    struct c_item item = c_get(c, "key");

    assert_string_equal(item.value, "2");
    assert_int_equal(item.created, first);
    assert_int_equal(item.version, second);
}

static void put_after_delete_is_created_anew(struct conformance *c)
{
    uint64_t first = c_put(c, "key", "1"), deleted, again;

    deleted = c_write(c, WRITES(w_delete("key")));
    assert_true(deleted > first);
    c_expect(c, "key", NULL);
    again = c_put(c, "key", "2");
    assert_true(again > deleted);
    assert_int_equal(c_get(c, "key").created, again);
}

static void empty_value_is_a_value(struct conformance *c)
{
    struct c_item item;

    c_put(c, "key", "");
    item = c_get(c, "key");
    assert_true(item.there);
    assert_int_equal(item.value_size, 0);
}

static void keys_and_values_are_bytes(struct conformance *c)
{
    static const char key[] = {0, (char)0xff, 'k', 0, (char)0x80};
    static const char value[] = {'v', 0, (char)0xfe, 0};
    struct engine_write write = {.kind = ENGINE_PUT,
                                 .key = kan_slice(key, sizeof key),
                                 .value = kan_slice(value, sizeof value)};
    struct c_item item;

    c_write(c, &write, 1);
    item = c_get_slice(c, kan_slice(key, sizeof key));
    assert_true(item.there);
    assert_int_equal(item.value_size, sizeof value);
    assert_memory_equal(item.value, value, sizeof value);
    assert_false(c_get_slice(c, kan_slice(key, sizeof key - 1)).there);
}

static void delete_of_absent_changes_nothing(struct conformance *c)
{
    uint64_t revision = c_put(c, "key", "1");
    struct c_result result = c_commit(c, NO_GUARDS, WRITES(w_delete("other")));

    assert_int_equal(result.err, KAN_OK);
    assert_int_equal(result.revision, revision);
    assert_int_equal(c_get(c, "key").version, revision);
}

static void touch_changes_neither(struct conformance *c)
{
    uint64_t revision = c_put(c, "key", "1");
    struct c_result result =
        c_commit(c, NO_GUARDS, WRITES(w_touch("key", ENGINE_TTL, 60 * 1000)));
    struct c_item item = c_get(c, "key");

    assert_int_equal(result.err, KAN_OK);
    assert_true(result.revision >= revision);
    assert_string_equal(item.value, "1");
    assert_int_equal(item.created, revision);
    assert_int_equal(item.version, revision);
    assert_true(item.expires_ms > env_wall_ms(c->env));
}

static void touch_of_absent_is_nothing(struct conformance *c)
{
    uint64_t revision = c_put(c, "key", "1");
    struct c_result result =
        c_commit(c, NO_GUARDS, WRITES(w_touch("other", ENGINE_TTL, 1000)));

    assert_int_equal(result.err, KAN_OK);
    assert_int_equal(result.revision, revision);
    c_expect(c, "other", NULL);
}

static void many_writes_have_one_revision(struct conformance *c)
{
    uint64_t revision =
        c_write(c, WRITES(w_put("a", "1"), w_put("b", "2"), w_put("c", "3")));

    assert_int_equal(c_get(c, "a").version, revision);
    assert_int_equal(c_get(c, "b").version, revision);
    assert_int_equal(c_get(c, "c").created, revision);
}

static void writes_apply_in_order(struct conformance *c)
{
    uint64_t old = c_put(c, "both", "0"), revision;

    c_put(c, "gone", "0");
    revision = c_write(
        c, WRITES(w_put("key", "1"), w_put("key", "2"), w_put("gone", "1"),
                  w_delete("gone"), w_delete("both"), w_put("both", "1")));
    c_expect(c, "key", "2");
    c_expect(c, "gone", NULL);
    c_expect(c, "both", "1");
    assert_int_equal(c_get(c, "key").created, revision);
    assert_true(revision > old);
    assert_int_equal(c_get(c, "both").created, revision);
}

static void one_key_shrinks_twice(struct conformance *c)
{
    char value[2001];

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    c_put(c, "k", value);
    c_write(c, WRITES(w_put("k", "1"), w_put("k", "2")));
    c_expect(c, "k", "2");
}

static void put_and_delete_of_new_key(struct conformance *c)
{
    uint64_t before = c_put(c, "x", "1");
    uint64_t revision = c_write(c, WRITES(w_put("k", "1"), w_delete("k")));

    assert_true(revision > before);
    c_expect(c, "k", NULL);
}

/* --- guards --------------------------------------------------------------- */

static void expect_conflict(struct conformance *c, struct engine_guard guard)
{
    struct c_result result =
        c_commit(c, &guard, 1, WRITES(w_put("key", "refused")));

    assert_int_equal(result.err, KAN_CONFLICT);
    assert_true(result.submitted);
    assert_int_equal(result.failed_guard, 0);
}

static void expect_applied(struct conformance *c, struct engine_guard guard)
{
    struct c_result result =
        c_commit(c, &guard, 1, WRITES(w_put("key", "applied")));

    assert_int_equal(result.err, KAN_OK);
    assert_int_equal(c_get(c, "key").version, result.revision);
}

static void guards_on_a_present_key(struct conformance *c)
{
    uint64_t created = c_put(c, "key", "1"), version = c_put(c, "key", "2");

    expect_conflict(c, g_absent("key"));
    expect_conflict(c, g_version("key", created));
    expect_conflict(c, g_version("key", version + 1));
    expect_conflict(c, g_version("key", 0));
    c_expect(c, "key", "2");
    expect_applied(c, g_present("key"));
    expect_applied(c, g_version("key", c_get(c, "key").version));
}

static void guards_on_created(struct conformance *c)
{
    uint64_t created = c_put(c, "key", "1"), version = c_put(c, "key", "2");

    expect_conflict(c, g_created("key", version));
    expect_conflict(c, g_created("key", 0));
    expect_applied(c, g_created("key", created));
    expect_applied(c, g_created("key", created));
    c_write(c, WRITES(w_delete("key")));
    expect_conflict(c, g_created("key", created));
    c_put(c, "key", "3");
    expect_conflict(c, g_created("key", created));
}

static void guards_on_an_absent_key(struct conformance *c)
{
    uint64_t old = c_put(c, "key", "1");

    c_write(c, WRITES(w_delete("key")));
    expect_conflict(c, g_present("key"));
    expect_conflict(c, g_version("key", old));
    expect_conflict(c, g_version("key", 0));
    c_expect(c, "key", NULL);
    expect_applied(c, g_absent("key"));
}

static void first_failing_guard_is_named(struct conformance *c)
{
    uint64_t a = c_put(c, "a", "1"), b = c_put(c, "b", "1");
    struct c_result result =
        c_commit(c,
                 GUARDS(g_version("a", a), g_present("b"), g_absent("b"),
                        g_version("b", b), g_absent("a")),
                 WRITES(w_put("a", "2")));

    assert_int_equal(result.err, KAN_CONFLICT);
    assert_int_equal(result.failed_guard, 2);
    result = c_commit(c,
                      GUARDS(g_version("a", a), g_present("b"), g_absent("z"),
                             g_version("b", b)),
                      WRITES(w_put("a", "2")));
    assert_int_equal(result.err, KAN_OK);
}

static void conflict_writes_nothing(struct conformance *c)
{
    uint64_t a = c_put(c, "a", "1"), b = c_put(c, "b", "1");
    struct engine_cursor before = c_now(c);
    struct c_result result =
        c_commit(c, GUARDS(g_version("a", a), g_version("b", b + 1)),
                 WRITES(w_put("a", "2"), w_put("new", "2"), w_delete("b")));

    assert_int_equal(result.err, KAN_CONFLICT);
    assert_int_equal(result.failed_guard, 1);
    c_expect(c, "a", "1");
    c_expect(c, "b", "1");
    c_expect(c, "new", NULL);
    assert_int_equal(c_now(c).revision, before.revision);
}

static void guards_are_judged_before_writes(struct conformance *c)
{
    struct c_result result = c_commit(c, GUARDS(g_absent("a")),
                                      WRITES(w_put("a", "1"), w_put("b", "1")));

    assert_int_equal(result.err, KAN_OK);
    result = c_commit(c, GUARDS(g_present("z")), WRITES(w_put("z", "1")));
    assert_int_equal(result.err, KAN_CONFLICT);
}

static void guards_alone_write_nothing(struct conformance *c)
{
    uint64_t revision = c_put(c, "a", "1");
    struct c_result result =
        c_commit(c, GUARDS(g_version("a", revision)), NO_WRITES);

    assert_int_equal(result.err, KAN_OK);
    assert_int_equal(result.revision, revision);
    result = c_commit(c, GUARDS(g_absent("a")), NO_WRITES);
    assert_int_equal(result.err, KAN_CONFLICT);
}

/* --- append --------------------------------------------------------------- */

static void append_key(char *out, const char *prefix, uint64_t revision,
                       uint32_t index)
{
    engine_append_key(kan_text(prefix), revision, index, out);
}

static void append_is_put_at_revision_and_index(struct conformance *c)
{
    char key[32];
    uint64_t revision =
        c_write(c, WRITES(w_put("x", "1"), w_append("log/", "one"),
                          w_delete("none"), w_append("log/", "two")));
    struct c_item item;

    append_key(key, "log/", revision, 1);
    assert_memory_equal(key, "log/", 4);
    item = c_get_slice(c, kan_slice(key, 4 + ENGINE_APPEND_SIZE));
    assert_string_equal(item.value, "one");
    assert_int_equal(item.created, revision);
    assert_int_equal(item.version, revision);
    append_key(key, "log/", revision, 3);
    item = c_get_slice(c, kan_slice(key, 4 + ENGINE_APPEND_SIZE));
    assert_string_equal(item.value, "two");
}

static void appends_stand_in_order_of_commits(struct conformance *c)
{
    struct c_page *page;

    for (int i = 0; i < 300; i++) {
        char a[16], b[16];
        snprintf(a, sizeof a, "%d", 2 * i);
        snprintf(b, sizeof b, "%d", 2 * i + 1);
        c_write(c, WRITES(w_append("log/", a), w_append("log/", b)));
    }
    page = c_scan(c, kan_text("log/"), kan_text(""), 1024, false);
    assert_int_equal(page->count, 600);
    for (int i = 0; i < 600; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        assert_string_equal(page->items[i].value, text);
    }
    free(page);
}

static void append_under_the_empty_prefix(struct conformance *c)
{
    char key[ENGINE_APPEND_SIZE];
    uint64_t revision = c_write(c, WRITES(w_append("", "v")));

    append_key(key, "", revision, 0);
    assert_string_equal(c_get_slice(c, kan_slice(key, sizeof key)).value, "v");
}

static void put_delete_and_append_together(struct conformance *c)
{
    char key[32];
    uint64_t old = c_put(c, "old", "1"), revision;
    struct c_result result =
        c_commit(c, GUARDS(g_version("old", old), g_absent("new")),
                 WRITES(w_put("new", "1"), w_delete("old"),
                        w_append("out/", "message")));

    assert_int_equal(result.err, KAN_OK);
    revision = result.revision;
    c_expect(c, "old", NULL);
    c_expect(c, "new", "1");
    append_key(key, "out/", revision, 2);
    assert_true(c_get_slice(c, kan_slice(key, 4 + ENGINE_APPEND_SIZE)).there);
}

/* --- commit ids ----------------------------------------------------------- */

static void an_id_gets_its_first_answer(struct conformance *c)
{
    struct c_result first =
        c_commit_id(c, "id-1", NO_GUARDS, WRITES(w_put("key", "1")));
    struct c_result again;
    uint64_t later = c_put(c, "key", "2");

    assert_int_equal(first.err, KAN_OK);
    again = c_commit_id(c, "id-1", NO_GUARDS, WRITES(w_put("key", "1")));
    assert_int_equal(again.err, KAN_OK);
    assert_int_equal(again.revision, first.revision);
    c_expect(c, "key", "2");
    assert_int_equal(c_get(c, "key").version, later);
    again = c_commit_id(c, "id-2", NO_GUARDS, WRITES(w_put("key", "3")));
    assert_true(again.revision > later);
}

static void an_id_is_known_through_its_window(struct conformance *c)
{
    uint64_t window = engine_promises(c->engine)->dedupe_ms;
    struct c_result first =
        c_commit_id(c, "id", NO_GUARDS, WRITES(w_put("key", "1")));
    struct c_result again;

    c_pass(c, window - 1);
    again = c_commit_id(c, "id", NO_GUARDS, WRITES(w_put("key", "2")));
    assert_int_equal(again.revision, first.revision);
    c_expect(c, "key", "1");
}

static void an_id_passes_its_own_guard_again(struct conformance *c)
{
    struct c_result first = c_commit_id(c, "id", GUARDS(g_absent("key")),
                                        WRITES(w_put("key", "1")));
    struct c_result again = c_commit_id(c, "id", GUARDS(g_absent("key")),
                                        WRITES(w_put("key", "1")));

    assert_int_equal(first.err, KAN_OK);
    assert_int_equal(again.err, KAN_OK);
    assert_int_equal(again.revision, first.revision);
}

static void an_id_that_changed_nothing_is_known(struct conformance *c)
{
    struct c_result first, again;

    c_put(c, "x", "1");
    first = c_commit_id(c, "id", NO_GUARDS, WRITES(w_delete("key")));
    assert_int_equal(first.err, KAN_OK);
    c_put(c, "key", "1");
    again = c_commit_id(c, "id", NO_GUARDS, WRITES(w_delete("key")));
    assert_int_equal(again.err, KAN_OK);
    assert_int_equal(again.revision, first.revision);
    c_expect(c, "key", "1");
}

static void a_conflict_leaves_no_id(struct conformance *c)
{
    struct c_result result = c_commit_id(c, "id", GUARDS(g_present("key")),
                                         WRITES(w_put("key", "2")));

    assert_int_equal(result.err, KAN_CONFLICT);
    c_put(c, "key", "1");
    result = c_commit_id(c, "id", GUARDS(g_present("key")),
                         WRITES(w_put("key", "2")));
    assert_int_equal(result.err, KAN_OK);
    c_expect(c, "key", "2");
}

static void count_commit(struct engine_commit *commit, enum kan_err err)
{
    assert_int_equal(err, KAN_OK);
    ++*(unsigned *)commit->request.data;
}

static void one_id_twice_at_once(struct conformance *c)
{
    struct engine_write write = w_append("log/", "x");
    struct engine_commit commits[5];
    struct c_page *page;
    unsigned done = 0;

    for (int i = 0; i < 5; i++) {
        commits[i] = (struct engine_commit){.request.data = &done,
                                            .id = kan_text("id"),
                                            .writes = &write,
                                            .write_count = 1};
        assert_int_equal(engine_commit(c->engine, &commits[i], count_commit),
                         KAN_OK);
    }
    c_await(c, &done, 5);
    for (int i = 1; i < 5; i++)
        assert_int_equal(commits[i].revision, commits[0].revision);
    page = c_scan(c, kan_text("log/"), kan_text(""), 10, false);
    assert_int_equal(page->count, 1);
    free(page);
}

static void ids_are_bytes_to_the_last(struct conformance *c)
{
    char id[ENGINE_ID_MAX + 1], other[ENGINE_ID_MAX + 1];
    struct c_result a, b;

    memset(id, 'i', sizeof id);
    id[ENGINE_ID_MAX] = 0;
    memcpy(other, id, sizeof id);
    other[ENGINE_ID_MAX - 1] = 'j';
    a = c_commit_id(c, id, NO_GUARDS, WRITES(w_put("key", "1")));
    b = c_commit_id(c, other, NO_GUARDS, WRITES(w_put("key", "2")));
    assert_true(b.revision > a.revision);
    b = c_commit_id(c, id, NO_GUARDS, WRITES(w_put("key", "3")));
    assert_int_equal(b.revision, a.revision);
}

static void an_id_survives_reopening(struct conformance *c)
{
    struct c_result first =
        c_commit_id(c, "id", NO_GUARDS, WRITES(w_put("key", "1")));
    struct c_result again;

    c_close(c);
    c_open(c);
    again = c_commit_id(c, "id", NO_GUARDS, WRITES(w_put("key", "2")));
    assert_int_equal(again.err, KAN_OK);
    assert_int_equal(again.revision, first.revision);
    c_expect(c, "key", "1");
}

const struct conformance_case cases_commit[] = {
    CASE("put, then get", put_then_get),
    CASE("revisions strictly increase", revisions_strictly_increase),
    CASE("an overwrite keeps created", overwrite_keeps_created),
    CASE("a put after a delete is created anew",
         put_after_delete_is_created_anew),
    CASE("an empty value is a value", empty_value_is_a_value),
    CASE("keys and values are any bytes", keys_and_values_are_bytes),
    CASE("a delete of an absent key changes nothing",
         delete_of_absent_changes_nothing),
    CASE("a touch changes neither created nor version", touch_changes_neither,
         .needs = {.expiry_ms = UINT32_MAX}),
    CASE("a touch of an absent key is nothing", touch_of_absent_is_nothing,
         .needs = {.expiry_ms = UINT32_MAX}),
    CASE("writes of a commit share a revision", many_writes_have_one_revision,
         .needs = {.ops_max = 3}),
    CASE("writes apply in order, the same key twice", writes_apply_in_order,
         .needs = {.ops_max = 6}),
    CASE("the only key shrinks twice in one commit", one_key_shrinks_twice,
         .needs = {.ops_max = 2}),
    CASE("put and delete of a new key in one commit", put_and_delete_of_new_key,
         .needs = {.ops_max = 2}),
    CASE("guards on a present key", guards_on_a_present_key),
    CASE("guards on created", guards_on_created,
         .needs = {.guard_created = true}),
    CASE("guards on an absent key", guards_on_an_absent_key),
    CASE("the first failing guard is named", first_failing_guard_is_named,
         .needs = {.ops_max = 6}),
    CASE("a conflict writes nothing", conflict_writes_nothing,
         .needs = {.ops_max = 5}),
    CASE("guards are judged before the writes", guards_are_judged_before_writes,
         .needs = {.ops_max = 3}),
    CASE("guards alone", guards_alone_write_nothing),
    CASE("append puts at prefix, revision and index",
         append_is_put_at_revision_and_index,
         .needs = {.ops_max = 4, .append = true}),
    CASE("appends stand in the order of commits",
         appends_stand_in_order_of_commits,
         .needs = {.ops_max = 2, .append = true, .scan = true}),
    CASE("append under the empty prefix", append_under_the_empty_prefix,
         .needs = {.append = true}),
    CASE("put, delete and append in one commit", put_delete_and_append_together,
         .needs = {.ops_max = 5, .append = true}),
    CASE("an id gets its first answer", an_id_gets_its_first_answer,
         .needs = {.dedupe_ms = 1}),
    CASE("an id is known through its window", an_id_is_known_through_its_window,
         .needs = {.dedupe_ms = 1}),
    CASE("an id passes its own guard again", an_id_passes_its_own_guard_again,
         .needs = {.dedupe_ms = 1}),
    CASE("an id that changed nothing is known",
         an_id_that_changed_nothing_is_known, .needs = {.dedupe_ms = 1}),
    CASE("a conflict leaves no id behind", a_conflict_leaves_no_id,
         .needs = {.dedupe_ms = 1}),
    CASE("one id several times at once", one_id_twice_at_once,
         .needs = {.dedupe_ms = 1, .append = true, .scan = true}),
    CASE("one id several times at once, rough 1", one_id_twice_at_once,
         .needs = {.dedupe_ms = 1, .append = true, .scan = true}, .rough = true,
         .seed = 1),
    CASE("one id several times at once, rough 2", one_id_twice_at_once,
         .needs = {.dedupe_ms = 1, .append = true, .scan = true}, .rough = true,
         .seed = 2),
    CASE("ids of full length, told apart by the last byte",
         ids_are_bytes_to_the_last, .needs = {.dedupe_ms = 1}),
    CASE("an id survives reopening", an_id_survives_reopening,
         .needs = {.dedupe_ms = 1}, .reopens = true),
    CASE(NULL, NULL),
};
