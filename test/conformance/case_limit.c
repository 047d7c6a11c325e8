/* Limits, at the boundary and one beyond; and what is not promised. What is
 * refused changes nothing and leaves a message. */

#include <stdlib.h>
#include <string.h>

#include "test/conformance/cases.h"

static char *filled(size_t size)
{
    char *bytes = malloc(size + 1);

    assert_non_null(bytes);
    memset(bytes, 'x', size);
    bytes[size] = 0;
    return bytes;
}

static void expect_refused(struct conformance *c, struct c_result result)
{
    assert_int_equal(result.err, KAN_INVALID);
    assert_false(result.submitted);
    assert_true(strlen(engine_message(c->engine)) > 10);
}

static struct c_result write_one(struct conformance *c,
                                 struct engine_write write)
{
    return c_commit(c, NO_GUARDS, &write, 1);
}

static void value_at_its_limit(struct conformance *c)
{
    size_t max = engine_promises(c->engine)->value_max;
    char *bytes = filled(max + 1);
    struct engine_write write = w_put("key", "");

    write.value = kan_slice(bytes, max + 1);
    expect_refused(c, write_one(c, write));
    c_expect(c, "key", NULL);
    write.value.size = max;
    assert_int_equal(write_one(c, write).err, KAN_OK);
    assert_int_equal(c_get(c, "key").value_size, max);
    free(bytes);
}

static void key_at_its_limit(struct conformance *c)
{
    size_t max = engine_promises(c->engine)->key_max;
    char *bytes = filled(max + 1);
    struct engine_write write = w_put("", "1");
    struct engine_guard guard = g_absent("");
    struct c_result result;

    expect_refused(c, write_one(c, write));
    expect_refused(c, c_commit(c, &guard, 1, WRITES(w_put("key", "1"))));
    write.key = kan_slice(bytes, max + 1);
    guard.key = write.key;
    expect_refused(c, write_one(c, write));
    expect_refused(c, c_commit(c, &guard, 1, NO_WRITES));
    write.key.size = max;
    guard.key.size = max;
    result = c_commit(c, &guard, 1, &write, 1);
    assert_int_equal(result.err, KAN_OK);
    assert_int_equal(c_get_slice(c, write.key).version, result.revision);
    free(bytes);
}

static void append_key_at_its_limit(struct conformance *c)
{
    size_t max = engine_promises(c->engine)->key_max;
    char *bytes = filled(max);
    struct engine_write write = w_append("", "1");

    write.key = kan_slice(bytes, max - ENGINE_APPEND_SIZE + 1);
    expect_refused(c, write_one(c, write));
    write.key.size--;
    assert_int_equal(write_one(c, write).err, KAN_OK);
    free(bytes);
}

static void ops_at_their_limit(struct conformance *c)
{
    uint32_t max = engine_promises(c->engine)->ops_max;
    struct engine_write *writes = calloc(max + 1, sizeof *writes);
    struct engine_guard guard = g_absent("b");

    assert_non_null(writes);
    for (uint32_t i = 0; i <= max; i++)
        writes[i] = w_put(i % 2 ? "a" : "c", "1");
    expect_refused(c, c_commit(c, NO_GUARDS, NO_WRITES));
    expect_refused(c, c_commit(c, NO_GUARDS, writes, max + 1));
    expect_refused(c, c_commit(c, &guard, 1, writes, max));
    c_expect(c, "c", NULL);
    assert_int_equal(c_commit(c, NO_GUARDS, writes, max).err, KAN_OK);
    assert_int_equal(
        c_commit(c, GUARDS(g_present("c")), WRITES(w_put("c", "2"))).err,
        KAN_OK);
    free(writes);
}

/* Bytes of a commit: keys k0, k1 ... of two bytes each. */
static void commit_bytes_at_their_limit(struct conformance *c)
{
    const struct engine_promises *promises = engine_promises(c->engine);
    uint64_t left = promises->commit_bytes_max;
    char *bytes = filled(promises->value_max), keys[26][3];
    struct engine_write writes[26];
    uint32_t count = 0;

    while (left > 0 && count < 26 && count < promises->ops_max) {
        uint64_t size = left - 2;
        memcpy(keys[count], (char[]){'k', (char)('a' + count), 0}, 3);
        writes[count] = w_put(keys[count], "");
        if (size > promises->value_max)
            size = promises->value_max;
        if (size + 2 < left && left - size - 2 < 2)
            size -= 2; /* room for one more key */
        writes[count++].value = kan_slice(bytes, size);
        left -= size + 2;
    }
    if (left > 0) {
        free(bytes);
        return; /* other limits are reached first */
    }
    writes[0].value.size--;
    assert_int_equal(c_commit(c, NO_GUARDS, writes, count).err, KAN_OK);
    writes[0].value.size++;
    assert_int_equal(c_commit(c, NO_GUARDS, writes, count).err, KAN_OK);
    keys[count - 1][0] = 'j';
    if (promises->ops_max > count)
        expect_refused(c, c_commit(c, GUARDS(g_absent("z")), writes, count));
    for (uint32_t i = 0; i < count; i++)
        if (writes[i].value.size < promises->value_max) {
            writes[i].value.size++;
            expect_refused(c, c_commit(c, NO_GUARDS, writes, count));
            break;
        }
    free(bytes);
}

static void ids_at_their_limit(struct conformance *c)
{
    char *id = filled(ENGINE_ID_MAX + 1);

    expect_refused(c, c_commit_id(c, id, NO_GUARDS, WRITES(w_put("key", "1"))));
    id[ENGINE_ID_MAX] = 0;
    assert_int_equal(
        c_commit_id(c, id, NO_GUARDS, WRITES(w_put("key", "1"))).err, KAN_OK);
    free(id);
}

static void ttl_of_zero(struct conformance *c)
{
    expect_refused(c, write_one(c, w_put_ttl("k", "1", ENGINE_TTL, 0)));
    expect_refused(c, write_one(c, w_put_ttl("k", "1", ENGINE_LEASE, 0)));
    expect_refused(c, write_one(c, w_touch("k", ENGINE_TTL, 0)));
    c_expect(c, "k", NULL);
}

static void ttl_without_end(struct conformance *c)
{
    c_write(c, WRITES(w_put_ttl("t", "1", ENGINE_TTL, UINT64_MAX)));
    c_write(c, WRITES(w_put_ttl("l", "1", ENGINE_LEASE, UINT64_MAX)));
    c_write(c, WRITES(w_put_ttl("u", "1", ENGINE_TTL, UINT64_MAX / 2)));
    c_pass(c, 100000);
    c_expect(c, "t", "1");
    c_expect(c, "l", "1");
    c_expect(c, "u", "1");
}

static void never_get(struct engine_get *get, enum kan_err err)
{
    (void)get;
    (void)err;
    fail();
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

struct keys_wait
{
    unsigned calls;
    uint32_t there;
};

static void count_keys(struct engine_get *get, enum kan_err err)
{
    struct keys_wait *wait = get->request.data;

    assert_int_equal(err, KAN_OK);
    wait->calls++;
    for (uint32_t i = 0; i < get->key_count; i++)
        wait->there += get->items[i].created != 0;
}

static void keys_of_a_get(struct conformance *c)
{
    struct kan_slice *keys = calloc(ENGINE_KEYS_MAX + 1, sizeof *keys);
    struct keys_wait wait = {0, 0};
    struct engine_get get = {
        .request.data = &wait, .keys = keys, .key_count = ENGINE_KEYS_MAX + 1};

    assert_non_null(keys);
    c_put(c, "key", "1");
    for (int i = 0; i <= ENGINE_KEYS_MAX; i++)
        keys[i] = kan_text(i % 2 ? "key" : "none");
    c_level(c, &get.level, &get.at_least);
    assert_int_equal(engine_get(c->engine, &get, never_get), KAN_INVALID);
    get.key_count = ENGINE_KEYS_MAX;
    assert_int_equal(engine_get(c->engine, &get, count_keys), KAN_OK);
    c_await(c, &wait.calls, 1);
    assert_int_equal(wait.there, ENGINE_KEYS_MAX / 2);
    get.key_count = 0;
    assert_int_equal(engine_get(c->engine, &get, count_keys), KAN_OK);
    c_await(c, &wait.calls, 2);
    keys[0] = kan_text("");
    get.key_count = 1;
    assert_int_equal(engine_get(c->engine, &get, never_get), KAN_INVALID);
    free(keys);
}

static void limits_of_a_scan(struct conformance *c)
{
    size_t max = engine_promises(c->engine)->key_max;
    char *bytes = filled(max + 1);
    struct engine_scan scan = {.limit = 0};

    c_level(c, &scan.level, &scan.at_least);
    assert_int_equal(engine_scan(c->engine, &scan, never_scan), KAN_INVALID);
    scan.limit = ENGINE_KEYS_MAX + 1;
    assert_int_equal(engine_scan(c->engine, &scan, never_scan), KAN_INVALID);
    scan.limit = 1;
    scan.prefix = kan_slice(bytes, max + 1);
    assert_int_equal(engine_scan(c->engine, &scan, never_scan), KAN_INVALID);
    scan.prefix.size = 0;
    scan.after = kan_slice(bytes, max + 1);
    assert_int_equal(engine_scan(c->engine, &scan, never_scan), KAN_INVALID);
    free(bytes);
    free(c_scan(c, kan_text(""), kan_text(""), ENGINE_KEYS_MAX, false));
}

/* --- asking for what is not promised -------------------------------------- */

static void refuse_unpromised_commits(struct conformance *c,
                                      const struct engine_promises *promises)
{
    if (!promises->guard_created)
        expect_refused(
            c, c_commit(c, GUARDS(g_created("k", 1)), WRITES(w_put("k", "1"))));
    if (!promises->append)
        expect_refused(c, write_one(c, w_append("k", "1")));
    if (!promises->dedupe_ms)
        expect_refused(
            c, c_commit_id(c, "id", NO_GUARDS, WRITES(w_put("k", "1"))));
    if (promises->expiry_ms)
        return;
    expect_refused(c, write_one(c, w_put_ttl("k", "1", ENGINE_TTL, 1000)));
    expect_refused(c, write_one(c, w_put_ttl("k", "1", ENGINE_LEASE, 1000)));
    expect_refused(c, write_one(c, w_touch("k", ENGINE_TTL, 1000)));
}

static void refuse_unpromised_reads(struct conformance *c,
                                    const struct engine_promises *promises)
{
    struct kan_slice key = kan_text("k");
    struct engine_get get = {.keys = &key, .key_count = 1};
    struct engine_scan scan = {.limit = 1, .level = ENGINE_EVENTUAL};
    struct engine_watch watch = {.from = c_begin(c)};

    if (!promises->linearizable)
        assert_int_equal(engine_get(c->engine, &get, never_get), KAN_INVALID);
    if (!promises->scan)
        assert_int_equal(engine_scan(c->engine, &scan, never_scan),
                         KAN_INVALID);
    scan.level = ENGINE_LINEARIZABLE;
    if (!promises->linearizable)
        assert_int_equal(engine_scan(c->engine, &scan, never_scan),
                         KAN_INVALID);
    if (!promises->watch_from)
        assert_int_equal(engine_watch(c->engine, &watch, never_watch),
                         KAN_INVALID);
}

static void what_is_not_promised_is_refused(struct conformance *c)
{
    const struct engine_promises *promises = engine_promises(c->engine);

    c_put(c, "other", "1");
    refuse_unpromised_commits(c, promises);
    refuse_unpromised_reads(c, promises);
    c_expect(c, "k", NULL);
}

const struct conformance_case cases_limit[] = {
    CASE("a value at its limit", value_at_its_limit),
    CASE("a key at its limit, and none", key_at_its_limit),
    CASE("an append's key at its limit", append_key_at_its_limit,
         .needs = {.append = true}),
    CASE("guards and writes at their limit", ops_at_their_limit),
    CASE("bytes of a commit at their limit", commit_bytes_at_their_limit),
    CASE("an id at its limit", ids_at_their_limit, .needs = {.dedupe_ms = 1}),
    CASE("a time to live of nothing", ttl_of_zero,
         .needs = {.expiry_ms = UINT32_MAX}),
    CASE("a time to live without end", ttl_without_end,
         .needs = {.expiry_ms = UINT32_MAX}),
    CASE("keys of a get at their limit", keys_of_a_get),
    CASE("limits of a scan", limits_of_a_scan, .needs = {.scan = true}),
    CASE("what is not promised is refused", what_is_not_promised_is_refused),
    CASE(NULL, NULL),
};
