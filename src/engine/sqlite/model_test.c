/* Many reads and commits at once, in worlds where lanes are slow by the tape:
 * what each read saw must fit one order of all commits, and never an older one
 * than its asker could know. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "engine/sqlite/sqlite.h"
#include "env/sim/sim.h"

enum
{
    KEYS = 5,
    WRITERS = 4,
    READERS = 6,
    REVISIONS = 2048
};

#define assert_ok(call) assert_int_equal((call), KAN_OK)

struct cell
{
    uint64_t created; /* 0: absent */
    uint64_t version;
};

struct model;

struct writer
{
    struct model *model;
    struct engine_commit commit;
    struct engine_write writes[KEYS];
    char value[24];
    bool busy;
};

struct reader
{
    struct model *model;
    struct engine_get get;
    struct engine_scan scan;
    struct kan_slice keys[KEYS];
    unsigned which[KEYS];
    uint64_t floor; /* the newest revision that was known when it asked */
    bool busy;
};

struct model
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine;
    uint64_t random;
    bool ending;
    uint64_t known; /* the newest revision that any answer has told */
    /* What each revision did, by the watch: and the state behind it. */
    struct cell states[REVISIONS][KEYS];
    uint64_t seen; /* by the watch */
    unsigned hits, asked;

    struct writer writers[WRITERS];
    struct reader readers[READERS];

    /* Reads are judged when the watch has told what they saw. */
    struct
    {
        uint64_t revision;
        unsigned count;
        unsigned which[KEYS];
        struct cell cells[KEYS];
    } reads[8192];
    unsigned read_count;
};

static const char *const names[KEYS] = {"a", "b", "c", "d", "e"};

static uint64_t draw(struct model *model, uint64_t n)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % n;
}

static unsigned key_index(struct kan_slice key)
{
    assert_int_equal(key.size, 1);
    return (unsigned)(slice_at(key, 0) - 'a');
}

/* --- commits -------------------------------------------------------------- */

static void read_some(struct reader *reader);

/* Whoever hears of a commit may read it at once. */
static void written(struct engine_commit *commit, enum kan_err err)
{
    struct writer *writer = commit->request.data;
    struct model *model = writer->model;
    struct reader *reader = &model->readers[draw(model, READERS)];

    assert_ok(err);
    writer->busy = false;
    if (commit->revision > model->known)
        model->known = commit->revision;
    if (!reader->busy && !model->ending)
        read_some(reader);
}

static void write_some(struct writer *writer)
{
    struct model *model = writer->model;
    unsigned count = 1 + (unsigned)draw(model, 3);
    unsigned first = (unsigned)draw(model, KEYS);

    memset(&writer->commit, 0, sizeof writer->commit);
    memset(writer->writes, 0, sizeof writer->writes);
    for (unsigned i = 0; i < count; i++) {
        struct engine_write *write = &writer->writes[i];
        unsigned what = (unsigned)draw(model, 8);
        write->key = kan_text(names[(first + i) % KEYS]);
        write->kind = what == 0   ? ENGINE_DELETE
                      : what == 1 ? ENGINE_TOUCH
                                  : ENGINE_PUT;
        write->value = kan_text("value");
    }
    writer->commit.request.data = writer;
    writer->commit.writes = writer->writes;
    writer->commit.write_count = count;
    writer->busy = true;
    assert_ok(engine_commit(model->engine, &writer->commit, written));
}

/* --- reads ---------------------------------------------------------------- */

static void keep_read(struct reader *reader, uint64_t revision,
                      const struct engine_item *items, uint32_t count,
                      const unsigned *which)
{
    struct model *model = reader->model;
    unsigned at = model->read_count++;

    assert_true(at < sizeof model->reads / sizeof *model->reads);
    assert_true(revision >= reader->floor);
    if (revision > model->known)
        model->known = revision;
    model->reads[at].revision = revision;
    model->reads[at].count = count;
    for (uint32_t i = 0; i < count; i++) {
        model->reads[at].which[i] = which[i];
        model->reads[at].cells[i].created = items[i].created;
        model->reads[at].cells[i].version = items[i].version;
        assert_true(items[i].value.size == (items[i].created ? 5 : 0));
    }
}

static void got(struct engine_get *get, enum kan_err err)
{
    struct reader *reader = get->request.data;

    assert_ok(err);
    reader->busy = false;
    keep_read(reader, get->revision, get->items, get->key_count, reader->which);
}

/* A key that a scan leaves out is absent. */
static void scanned(struct engine_scan *scan, enum kan_err err)
{
    struct reader *reader = scan->request.data;
    struct engine_item items[KEYS] = {0};
    unsigned which[KEYS];

    assert_ok(err);
    reader->busy = false;
    for (unsigned i = 0; i < KEYS; i++)
        which[i] = i;
    for (uint32_t i = 0; i < scan->item_count; i++)
        items[key_index(scan->items[i].key)] = scan->items[i];
    keep_read(reader, scan->revision, items, KEYS, which);
}

static void read_some(struct reader *reader)
{
    struct model *model = reader->model;
    unsigned count = 1 + (unsigned)draw(model, 3);

    reader->floor = model->known;
    reader->busy = true;
    if (draw(model, 6) == 0) {
        reader->scan =
            (struct engine_scan){.request.data = reader, .limit = KEYS};
        assert_ok(engine_scan(model->engine, &reader->scan, scanned));
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        reader->which[i] = (unsigned)draw(model, KEYS);
        reader->keys[i] = kan_text(names[reader->which[i]]);
    }
    reader->get = (struct engine_get){
        .request.data = reader, .keys = reader->keys, .key_count = count};
    if (draw(model, 4) == 0) { /* perhaps of a commit that is still to come */
        reader->get.level = ENGINE_CAUSAL;
        reader->get.at_least = reader->floor = model->known + draw(model, 2);
    }
    assert_ok(engine_get(model->engine, &reader->get, got));
}

/* --- the history ---------------------------------------------------------- */

static void watched(struct engine_watch *watch, enum kan_err err,
                    uint64_t revision, const struct engine_change *changes,
                    uint32_t count)
{
    struct model *model = watch->request.data;

    if (err)
        return;
    assert_true(revision == model->seen + 1 && revision < REVISIONS);
    memcpy(model->states[revision], model->states[revision - 1],
           sizeof model->states[0]);
    model->seen = revision;
    for (uint32_t i = 0; i < count; i++) {
        struct cell *cell = &model->states[revision][key_index(changes[i].key)];
        if (changes[i].kind == ENGINE_CHANGE_PUT) {
            if (cell->created == 0)
                cell->created = revision;
            assert_true(changes[i].created == cell->created);
            cell->version = revision;
        } else {
            assert_true(changes[i].created == cell->created);
            memset(cell, 0, sizeof *cell);
        }
    }
}

static void judge(const struct model *model)
{
    for (unsigned i = 0; i < model->read_count; i++) {
        uint64_t revision = model->reads[i].revision;
        assert_true(revision <= model->seen);
        for (unsigned k = 0; k < model->reads[i].count; k++) {
            const struct cell *was =
                &model->states[revision][model->reads[i].which[k]];
            assert_true(model->reads[i].cells[k].created == was->created);
            assert_true(model->reads[i].cells[k].version == was->version);
        }
    }
}

static bool writing(const struct model *model)
{
    bool any = false;

    for (unsigned i = 0; i < WRITERS; i++)
        any = any || model->writers[i].busy;
    return any;
}

static bool reading(const struct model *model)
{
    bool any = false;

    for (unsigned i = 0; i < READERS; i++)
        any = any || model->readers[i].busy;
    return any;
}

/* A commit is always under way: causal reads may wait for it. */
static void step_on(struct model *model)
{
    if (!writing(model))
        write_some(&model->writers[0]);
    assert_true(sim_step(model->world));
}

static void closed(void *data)
{
    *(bool *)data = true;
}

static void model_run(uint64_t seed, uint64_t *hits, uint64_t *reads)
{
    struct sim_options options = {
        .shuffle = true, .lane_jitter_ns = 3 * ENV_MS, .step_ns = 10000};
    struct sqlite_options store = {
        .path = "kan.db",
        .checkpoint_bytes = 40 << 10,
        .value_cache_bytes = seed % 3 ? 0 : 2000 /* few fit */};
    struct model *model = calloc(1, sizeof *model);
    struct engine_watch watch = {0}, late = {0};
    bool done = false;
    char why[256];

    model->random = seed * 2654435761u + 1;
    tape_init_seed(&model->tape, seed);
    assert_ok(sim_world_new(&model->tape, &options, &model->world));
    assert_ok(sim_node_new(model->world, "host", &model->env));
    assert_ok(engine_sqlite_open(model->env, &store, why, sizeof why,
                                 &model->engine));
    watch.request.data = model;
    assert_ok(engine_watch(model->engine, &watch, watched));
    for (unsigned i = 0; i < WRITERS; i++)
        model->writers[i].model = model;
    for (unsigned i = 0; i < READERS; i++)
        model->readers[i].model = model;
    for (unsigned step = 0; step < 4000; step++) {
        struct writer *writer = &model->writers[draw(model, WRITERS)];
        struct reader *reader = &model->readers[draw(model, READERS)];
        if (draw(model, 4) == 0 && !writer->busy)
            write_some(writer);
        if (!reader->busy)
            read_some(reader);
        step_on(model);
        if (step == 2000) {
            /* Another watch catches up while all this goes on. */
            late.request.data = model;
            late.from = engine_cursor(model->engine);
            engine_cancel(&watch.request);
            late.from.revision = model->seen;
            assert_ok(engine_watch(model->engine, &late, watched));
        }
    }
    model->ending = true;
    while (reading(model))
        step_on(model);
    while (writing(model))
        assert_true(sim_step(model->world));
    while (model->seen < engine_cursor(model->engine).revision)
        assert_true(sim_step(model->world));
    judge(model);
    *hits += engine_stats(model->engine).cache_hits;
    *reads += engine_stats(model->engine).reads;
    engine_close(model->engine, &done, closed);
    while (!done)
        assert_true(sim_step(model->world));
    env_free(model->env);
    sim_world_free(model->world);
    tape_fini(&model->tape);
    free(model);
}

static void reads_fit_one_order(void **state)
{
    uint64_t hits = 0, reads = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        model_run(seed, &hits, &reads);
    assert_true(hits > reads / 10); /* both ways are walked */
    assert_true(hits < reads * 9 / 10);
}

/* --- a lease that is renewed while it ends -------------------------------- */

struct lease_read
{
    struct engine_get get;
    struct kan_slice key;
    uint64_t created;
    bool done;
};

static void lease_got(struct engine_get *get, enum kan_err err)
{
    struct lease_read *read = get->request.data;

    assert_ok(err);
    read->created = get->items[0].created;
    read->done = true;
}

static void lease_done(struct engine_commit *commit, enum kan_err err)
{
    assert_ok(err);
    *(bool *)commit->request.data = true;
}

static void lease_commit(struct sim_world *world, struct engine *engine,
                         enum engine_write_kind kind, bool wait, bool *done,
                         struct engine_commit *commit,
                         struct engine_write *write)
{
    *write = (struct engine_write){.kind = kind,
                                   .ttl_kind = ENGINE_LEASE,
                                   .ttl_ms = 10,
                                   .key = kan_text("l")};
    *commit = (struct engine_commit){
        .request.data = done, .writes = write, .write_count = 1};
    *done = false;
    assert_ok(engine_commit(engine, commit, lease_done));
    while (wait && !*done)
        assert_true(sim_step(world));
}

/* Nobody may see a lease gone, and then see it alive again: so while a group is
 * under way, time stands still for reads. */
static void lease_run(uint64_t seed, unsigned *renewed)
{
    struct sim_options options = {.lane_jitter_ns = 6 * ENV_MS};
    struct sqlite_options store = {.path = "kan.db"};
    struct engine_commit commit;
    struct engine_write write;
    struct sim_world *world;
    struct engine *engine;
    struct tape tape;
    struct env *env;
    uint64_t created = 0;
    bool gone = false, done = false, ended = false;
    char why[256];

    tape_init_seed(&tape, seed);
    assert_ok(sim_world_new(&tape, &options, &world));
    assert_ok(sim_node_new(world, "host", &env));
    assert_ok(engine_sqlite_open(env, &store, why, sizeof why, &engine));
    lease_commit(world, engine, ENGINE_PUT, true, &done, &commit, &write);
    created = commit.revision;
    sim_run(world, sim_now(world) + (1 + seed % 9) * ENV_MS);
    lease_commit(world, engine, ENGINE_TOUCH, false, &done, &commit, &write);
    for (unsigned i = 0; i < 60; i++) {
        struct lease_read read = {.key = kan_text("l")};
        read.get.request.data = &read;
        read.get.keys = &read.key;
        read.get.key_count = 1;
        assert_ok(engine_get(engine, &read.get, lease_got));
        while (!read.done)
            assert_true(sim_step(world));
        assert_true(read.created == created || read.created == 0);
        assert_false(gone && read.created);
        gone = read.created == 0;
        *renewed += done && !gone;
        sim_run(world, sim_now(world) + ENV_MS / 2);
    }
    engine_close(engine, &ended, closed);
    while (!ended)
        assert_true(sim_step(world));
    env_free(env);
    sim_world_free(world);
    tape_fini(&tape);
}

static void a_lease_does_not_come_back(void **state)
{
    unsigned renewed = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        lease_run(seed, &renewed);
    assert_true(renewed > 0);
}

/* --- the simulator stays a simulator -------------------------------------- */

static struct sim_hash trace_of(uint64_t seed)
{
    struct sim_options options = {.shuffle = true,
                                  .lane_jitter_ns = 2 * ENV_MS};
    struct sqlite_options store = {.path = "kan.db"};
    struct engine_commit commit;
    struct engine_write write;
    struct sim_world *world;
    struct engine *engine;
    struct sim_hash hash;
    struct tape tape;
    struct env *env;
    bool done, ended = false;
    char why[256];

    tape_init_seed(&tape, seed);
    assert_ok(sim_world_new(&tape, &options, &world));
    assert_ok(sim_node_new(world, "host", &env));
    assert_ok(engine_sqlite_open(env, &store, why, sizeof why, &engine));
    for (unsigned i = 0; i < 20; i++)
        lease_commit(world, engine, ENGINE_PUT, true, &done, &commit, &write);
    engine_close(engine, &ended, closed);
    while (!ended)
        assert_true(sim_step(world));
    hash = sim_trace_hash(world);
    env_free(env);
    sim_world_free(world);
    tape_fini(&tape);
    return hash;
}

/* Every byte that is read and written is in the trace. */
static void one_tape_is_one_run(void **state)
{
    struct sim_hash a = trace_of(5), b = trace_of(5), c = trace_of(6);

    (void)state;
    assert_true(a.low == b.low && a.high == b.high);
    assert_true(a.low != c.low || a.high != c.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fit_one_order),
        cmocka_unit_test(a_lease_does_not_come_back),
        cmocka_unit_test(one_tape_is_one_run),
    };

    engine_sqlite_configure();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
