/* Random walks: long sequences of commits, reads, time and reopenings, each
 * compared with a model so simple that it is right by inspection; and a watch
 * beside them, compared with the changes that the model expects. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/conformance/cases.h"

enum
{
    STEPS = 400,
    KEYS_MAX = 2048, /* of the model: all that appends may make */
    OPS_MAX = 6,
    KEY_SIZE = 24,
    VALUE_SIZE = 16
};

struct model_key
{
    char key[KEY_SIZE];
    size_t key_size;
    char value[VALUE_SIZE];
    uint64_t created; /* 0: absent */
    uint64_t version;
    enum engine_ttl_kind ttl_kind;
    uint64_t ttl_ms;
    uint64_t expires_at;
};

struct model
{
    struct conformance *c;
    const struct engine_promises *promises;
    struct model_key keys[KEYS_MAX]; /* in byte order, absent ones too */
    unsigned key_count;
    struct c_event expected[C_EVENTS_MAX];
    unsigned expected_count;
    struct c_watch *watch;
    unsigned checked;  /* events of the watch */
    uint64_t revision; /* the newest one known */
    unsigned serial;
    char id[32]; /* of a commit that was answered, and its answer */
    uint64_t id_revision;
    uint64_t id_ns;
};

/* A commit in the making. */
struct plan
{
    struct engine_guard guards[OPS_MAX];
    struct engine_write writes[OPS_MAX];
    char values[OPS_MAX][VALUE_SIZE];
    uint32_t guard_count;
    uint32_t write_count;
    char id[32];
};

static unsigned draw(struct model *m, unsigned n)
{
    return (unsigned)env_choose(m->c->env, n);
}

static struct kan_slice model_slice(const struct model_key *key)
{
    return kan_slice(key->key, key->key_size);
}

static bool model_there(struct model *m, const struct model_key *key)
{
    return key->created != 0 &&
           !engine_expired(key->ttl_kind, key->expires_at,
                           env_wall_ms(m->c->env), env_now(m->c->env));
}

/* The place of a key, which is made when it is new. */
static struct model_key *model_at(struct model *m, struct kan_slice key)
{
    unsigned i = 0;

    while (i < m->key_count && slice_compare(model_slice(&m->keys[i]), key) < 0)
        i++;
    if (i < m->key_count && slice_equal(model_slice(&m->keys[i]), key))
        return &m->keys[i];
    assert_true(m->key_count < KEYS_MAX && key.size <= KEY_SIZE);
    memmove(&m->keys[i + 1], &m->keys[i],
            (m->key_count++ - i) * sizeof m->keys[i]);
    memset(&m->keys[i], 0, sizeof m->keys[i]);
    memcpy(m->keys[i].key, key.bytes, key.size);
    m->keys[i].key_size = key.size;
    return &m->keys[i];
}

/* --- what the model expects of a commit ----------------------------------- */

static void model_expect(struct model *m, enum engine_change_kind kind,
                         const struct model_key *key, uint64_t revision)
{
    struct c_event *event = &m->expected[m->expected_count];

    assert_true(m->expected_count < C_EVENTS_MAX);
    m->expected_count++;
    memset(event, 0, sizeof *event);
    event->kind = kind;
    event->revision = revision;
    event->created = key->created;
    event->key_size = key->key_size;
    memcpy(event->key, key->key, key->key_size);
    if (kind == ENGINE_CHANGE_PUT)
        memcpy(event->value, key->value, sizeof key->value);
}

static void model_set_ttl(struct model *m, struct model_key *key,
                          const struct engine_write *write)
{
    key->ttl_kind = write->ttl_kind;
    key->ttl_ms = write->ttl_ms;
    key->expires_at =
        engine_expires_at(write->ttl_kind, write->ttl_ms,
                          env_wall_ms(m->c->env), env_now(m->c->env));
}

static void model_put(struct model *m, struct kan_slice at,
                      const struct engine_write *write, uint64_t revision)
{
    struct model_key *key = model_at(m, at);

    if (!model_there(m, key))
        key->created = revision;
    key->version = revision;
    memset(key->value, 0, sizeof key->value);
    memcpy(key->value, write->value.bytes, write->value.size);
    model_set_ttl(m, key, write);
    model_expect(m, ENGINE_CHANGE_PUT, key, revision);
}

static void model_write(struct model *m, const struct engine_write *write,
                        uint32_t index, uint64_t revision)
{
    struct model_key *key = NULL;
    char bytes[KEY_SIZE];

    if (write->kind == ENGINE_APPEND) {
        engine_append_key(write->key, revision, index, bytes);
        model_put(m, kan_slice(bytes, write->key.size + ENGINE_APPEND_SIZE),
                  write, revision);
        return;
    }
    if (write->kind == ENGINE_PUT) {
        model_put(m, write->key, write, revision);
        return;
    }
    key = model_at(m, write->key);
    if (!model_there(m, key))
        return;
    if (write->kind == ENGINE_TOUCH) {
        model_set_ttl(m, key, write);
        return;
    }
    model_expect(m, ENGINE_CHANGE_DELETE, key, revision);
    key->created = 0;
}

/* The first guard that fails, or guard_count. */
static uint32_t model_judge(struct model *m, const struct plan *plan)
{
    uint32_t i = 0;

    for (; i < plan->guard_count; i++) {
        const struct engine_guard *guard = &plan->guards[i];
        struct model_key *key = model_at(m, guard->key);
        bool there = model_there(m, key);
        bool holds = false;
        switch (guard->kind) {
        case ENGINE_IF_ABSENT:
            holds = !there;
            break;
        case ENGINE_IF_PRESENT:
            holds = there;
            break;
        case ENGINE_IF_VERSION:
            holds = there && key->version == guard->revision;
            break;
        case ENGINE_IF_CREATED:
            holds = there && key->created == guard->revision;
            break;
        }
        if (!holds)
            break;
    }
    return i;
}

/* --- the watch ------------------------------------------------------------ */

static void model_expired(struct model *m, const struct c_event *event)
{
    struct model_key *key = model_at(m, kan_slice(event->key, event->key_size));

    assert_true(key->created != 0);
    assert_false(model_there(m, key));
    assert_int_equal(event->created, key->created);
    assert_true(event->revision >= m->revision);
    key->created = 0;
}

/* Compare what the watch has told; deletions by the sweep come in between. */
static void model_check_events(struct model *m)
{
    unsigned expected = 0;

    for (;;) {
        while (m->checked < m->watch->count) {
            const struct c_event *event = &m->watch->events[m->checked++];
            const struct c_event *want = &m->expected[expected];
            if (event->kind == ENGINE_CHANGE_EXPIRE) {
                model_expired(m, event);
            } else {
                assert_true(expected < m->expected_count);
                assert_int_equal(event->kind, want->kind);
                assert_int_equal(event->revision, want->revision);
                assert_int_equal(event->created, want->created);
                assert_int_equal(event->key_size, want->key_size);
                assert_memory_equal(event->key, want->key, want->key_size);
                assert_string_equal(event->value, want->value);
                expected++;
            }
            if (event->revision > m->revision)
                m->revision = event->revision;
        }
        if (expected == m->expected_count)
            break;
        assert_true(sim_step(m->c->world));
    }
    m->expected_count = 0;
}

/* --- steps of the walk ---------------------------------------------------- */

static struct kan_slice draw_key(struct model *m)
{
    static const struct kan_slice keys[] = {
        {"a", 1},       {"a\x00", 2}, {"a/1", 3},        {"a/2", 3},
        {"a/2\xff", 4}, {"b", 1},     {"b/\x00\x01", 4}, {"\x00", 1},
        {"\xff", 1},    {"c", 1},     {"\xff\xff", 2},
    };
    return keys[draw(m, sizeof keys / sizeof *keys)];
}

static enum engine_ttl_kind draw_ttl(struct model *m, uint64_t *ret_ms)
{
    static const enum engine_ttl_kind kinds[] = {ENGINE_FOREVER, ENGINE_FOREVER,
                                                 ENGINE_TTL, ENGINE_LEASE};
    enum engine_ttl_kind kind = ENGINE_FOREVER;

    *ret_ms = 0;
    if (m->promises->expiry_ms == 1)
        kind = kinds[draw(m, 4)];
    if (kind != ENGINE_FOREVER)
        *ret_ms = 1 + draw(m, 4000);
    return kind;
}

static void draw_write(struct model *m, struct plan *plan)
{
    struct engine_write *write = &plan->writes[plan->write_count];
    char *value = plan->values[plan->write_count++];
    unsigned kind = draw(m, 10);

    memset(write, 0, sizeof *write);
    write->key = draw_key(m);
    write->kind = kind < 2 ? ENGINE_DELETE : ENGINE_PUT;
    if (kind == 2 && m->promises->append)
        write->kind = ENGINE_APPEND;
    if (kind == 3 && m->promises->expiry_ms == 1)
        write->kind = ENGINE_TOUCH;
    if (write->kind == ENGINE_DELETE)
        return;
    snprintf(value, VALUE_SIZE, "%u", ++m->serial);
    write->value = kan_text(value);
    write->ttl_kind = draw_ttl(m, &write->ttl_ms);
}

static void draw_guard(struct model *m, struct plan *plan, struct kan_slice key)
{
    struct engine_guard *guard = &plan->guards[plan->guard_count++];
    struct model_key *at = model_at(m, key);
    bool there = model_there(m, at);

    guard->key = key;
    guard->kind = (enum engine_guard_kind)draw(m, 4);
    if (guard->kind == ENGINE_IF_CREATED && !m->promises->guard_created)
        guard->kind = ENGINE_IF_VERSION;
    guard->revision = draw(m, (unsigned)m->revision + 1);
    if (draw(m, 4) == 0)
        return;
    /* Mostly guards that hold, or nothing is ever written. */
    if (guard->kind == ENGINE_IF_VERSION)
        guard->revision = at->version;
    if (guard->kind == ENGINE_IF_CREATED)
        guard->revision = at->created;
    if (!there)
        guard->kind = ENGINE_IF_ABSENT;
    else if (guard->kind == ENGINE_IF_ABSENT)
        guard->kind = ENGINE_IF_PRESENT;
}

static void draw_plan(struct model *m, struct plan *plan)
{
    unsigned ops = 1 + draw(m, OPS_MAX);

    memset(plan, 0, sizeof *plan);
    if (m->promises->ops_max == 1) {
        draw_write(m, plan);
        if (draw(m, 2) && plan->writes[0].kind != ENGINE_APPEND)
            draw_guard(m, plan, plan->writes[0].key);
    } else {
        if (ops > m->promises->ops_max)
            ops = m->promises->ops_max;
        while (ops-- > 0) {
            if (draw(m, 3))
                draw_write(m, plan);
            else
                draw_guard(m, plan, draw_key(m));
        }
    }
    if (m->promises->dedupe_ms && draw(m, 4) == 0)
        snprintf(plan->id, sizeof plan->id, "id-%u", ++m->serial);
}

static void model_applied(struct model *m, const struct plan *plan,
                          uint64_t revision)
{
    uint64_t before = m->revision;

    assert_true(revision >= before);
    for (uint32_t i = 0; i < plan->write_count; i++)
        model_write(m, &plan->writes[i], i, revision);
    if (m->expected_count)
        assert_true(revision > before);
    m->revision = revision;
    if (plan->id[0]) {
        memcpy(m->id, plan->id, sizeof m->id);
        m->id_revision = revision;
        m->id_ns = env_now(m->c->env);
    }
}

static void step_commit(struct model *m)
{
    struct plan plan;
    struct c_result result;
    uint32_t failed;

    draw_plan(m, &plan);
    failed = model_judge(m, &plan);
    result = c_commit_id(m->c, plan.id[0] ? plan.id : NULL, plan.guards,
                         plan.guard_count, plan.writes, plan.write_count);
    if (failed < plan.guard_count) {
        assert_int_equal(result.err, KAN_CONFLICT);
        assert_int_equal(result.failed_guard, failed);
    } else {
        assert_int_equal(result.err, KAN_OK);
        model_applied(m, &plan, result.revision);
    }
}

static void step_repeat(struct model *m)
{
    struct c_result result;
    struct plan plan;
    uint64_t age = env_now(m->c->env) - m->id_ns;

    if (!m->id[0] || age > (uint64_t)m->promises->dedupe_ms * ENV_MS)
        return;
    draw_plan(m, &plan);
    result = c_commit_id(m->c, m->id, plan.guards, plan.guard_count,
                         plan.writes, plan.write_count);
    assert_int_equal(result.err, KAN_OK);
    assert_int_equal(result.revision, m->id_revision);
}

static void model_same(const struct c_item *item, const struct model_key *key)
{
    assert_int_equal(item->created, key->created);
    assert_int_equal(item->version, key->version);
    assert_string_equal(item->value, key->value);
    assert_int_equal(item->expires_ms,
                     key->ttl_kind == ENGINE_TTL ? key->expires_at : 0);
}

static void step_get(struct model *m)
{
    struct kan_slice slice = draw_key(m);
    struct model_key *key = model_at(m, slice);
    struct c_item item = c_get_slice(m->c, slice);

    assert_int_equal(item.there, model_there(m, key));
    if (item.there)
        model_same(&item, key);
}

static void step_scan(struct model *m)
{
    struct kan_slice prefix = draw(m, 2) ? kan_text("") : draw_key(m);
    struct kan_slice after = draw(m, 2) ? kan_text("") : draw_key(m);
    uint32_t limit = 1 + draw(m, 12), count = 0;
    struct c_page *page;
    bool more = false;

    if (!m->promises->scan)
        return;
    page = c_scan(m->c, prefix, after, limit, false);
    assert_int_equal(page->err, KAN_OK);
    for (unsigned i = 0; i < m->key_count; i++) {
        struct model_key *key = &m->keys[i];
        if (!slice_starts(model_slice(key), prefix) ||
            (after.size && slice_compare(model_slice(key), after) <= 0) ||
            !model_there(m, key))
            continue;
        if (count == limit) {
            more = true;
            break;
        }
        assert_true(count < page->count);
        assert_memory_equal(page->items[count].key, key->key, key->key_size);
        model_same(&page->items[count++], key);
    }
    assert_int_equal(page->count, count);
    assert_int_equal(page->more, more);
    free(page);
}

static void step_time(struct model *m)
{
    if (draw(m, 4) == 0)
        sim_wall_jump(m->c->env, (int64_t)draw(m, 3000));
    else
        c_pass(m->c, draw(m, 1500));
}

/* Whether a key has expired and its sweep has not been told. */
static bool model_unswept(struct model *m)
{
    for (unsigned i = 0; i < m->key_count; i++)
        if (m->keys[i].created != 0 && !model_there(m, &m->keys[i]))
            return true;
    return false;
}

static void step_reopen(struct model *m)
{
    struct engine_cursor cursor;

    if (!m->c->subject->survives || !m->promises->watch_from)
        return;
    while (model_unswept(m)) {
        c_pass(m->c, 100);
        model_check_events(m);
    }
    cursor = c_now(m->c);
    assert_int_equal(cursor.revision, m->revision);
    c_watch_stop(m->c, m->watch);
    c_watch_free(m->watch);
    c_close(m->c);
    c_pass(m->c, draw(m, 2) ? draw(m, 3000) : 0);
    /* Leases start afresh; TTLs run on. Whether one that ended in between is
     * swept before or after the reopening, the watch tells. */
    c_open(m->c);
    m->promises = engine_promises(m->c->engine);
    for (unsigned i = 0; i < m->key_count; i++)
        if (m->keys[i].ttl_kind == ENGINE_LEASE)
            m->keys[i].expires_at =
                engine_expires_at(ENGINE_LEASE, m->keys[i].ttl_ms,
                                  env_wall_ms(m->c->env), env_now(m->c->env));
    m->watch = c_watch(m->c, "", cursor);
    m->checked = 0;
}

static void model_step(struct model *m)
{
    unsigned what = draw(m, 100);

    if (what < 60)
        step_commit(m);
    else if (what < 75)
        step_get(m);
    else if (what < 85)
        step_scan(m);
    else if (what < 94)
        step_time(m);
    else if (what < 98)
        step_repeat(m);
    else
        step_reopen(m);
    model_check_events(m);
}

static void random_walk(struct conformance *c)
{
    struct model *m = calloc(1, sizeof *m);

    assert_non_null(m);
    m->c = c;
    m->promises = engine_promises(c->engine);
    m->watch = c_watch(c, "", (struct engine_cursor){0});
    for (int i = 0; i < STEPS; i++)
        model_step(m);
    c_watch_stop(c, m->watch);
    c_watch_free(m->watch);
    free(m);
}

const struct conformance_case cases_model[] = {
    CASE("random walk 1", random_walk, .seed = 1),
    CASE("random walk 2", random_walk, .seed = 2),
    CASE("random walk 3", random_walk, .seed = 3),
    CASE("random walk 4", random_walk, .seed = 4),
    CASE("random walk 5", random_walk, .seed = 5),
    CASE("random walk 6", random_walk, .seed = 6),
    CASE(NULL, NULL),
};
