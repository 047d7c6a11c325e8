/* The engine on simulated disks that lose power, fail and fill up: whatever
 * happens, what was acknowledged is there, whole, and under its revision. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "engine/sqlite/sqlite.h"
#include "env/sim/sim.h"

enum
{
    KEYS = 12,
    CLIENTS = 6,
    COMMITS_MAX = 4096,
    KEYS_EACH = 3
};

#define assert_ok(call) assert_int_equal((call), KAN_OK)

/* A commit that was asked for: it puts its own number under some keys. */
struct asked
{
    unsigned count;
    unsigned keys[KEYS_EACH];
    bool answered;
    enum kan_err err;
    uint64_t revision;
    uint64_t found; /* the revision at which the feed has it; 0: nowhere */
};

struct client
{
    struct run *run;
    struct engine_commit commit;
    struct engine_write writes[KEYS_EACH];
    struct engine_guard guard;
    char keys[KEYS_EACH][8];
    char value[400];
    unsigned number; /* in run->asked */
    bool busy;
};

/* One history of one store, through crashes. */
struct run
{
    struct tape tape;
    struct sim_world *world;
    struct env *env;
    struct engine *engine;
    struct asked asked[COMMITS_MAX];
    unsigned asked_count;
    struct client clients[CLIENTS];
    uint64_t random;
    unsigned value_size;
    uint64_t checkpoint_bytes;

    uint64_t head; /* of the feed when it was last read */
    uint64_t store;
    uint64_t incarnation;
    uint64_t history[COMMITS_MAX]; /* revision: number of its commit, plus 1 */
    unsigned last[KEYS];           /* by the feed: number plus 1, or 0 */
    unsigned feed_end;
    unsigned refused, unknown, broken;
};

static uint64_t draw(struct run *run, uint64_t n)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return run->random % n;
}

/* --- the life of a store -------------------------------------------------- */

static enum kan_err run_open(struct run *run)
{
    struct sqlite_options options = {.path = "kan.db",
                                     .checkpoint_bytes = run->checkpoint_bytes};
    char why[256] = "";
    enum kan_err err =
        engine_sqlite_open(run->env, &options, why, sizeof why, &run->engine);

    if (err)
        assert_true(why[0]);
    else if (run->store) {
        assert_true(engine_cursor(run->engine).store == run->store);
        assert_true(engine_cursor(run->engine).incarnation == run->incarnation);
    }
    if (!err) {
        run->store = engine_cursor(run->engine).store;
        run->incarnation = engine_cursor(run->engine).incarnation;
    }
    return err;
}

static struct run *run_new(uint64_t seed, const struct sim_options *options)
{
    struct run *run = calloc(1, sizeof *run);

    assert_non_null(run);
    run->random = seed * 2654435761u + 88172645463325252u;
    run->value_size = 20;
    run->checkpoint_bytes = 24 << 10;
    tape_init_seed(&run->tape, seed);
    assert_ok(sim_world_new(&run->tape, options, &run->world));
    assert_ok(sim_node_new(run->world, "host", &run->env));
    for (unsigned i = 0; i < CLIENTS; i++)
        run->clients[i].run = run;
    return run;
}

static void closed(void *data)
{
    *(bool *)data = true;
}

/* Also of a process that has died. */
static void run_close(struct run *run)
{
    bool done = false;

    if (run->engine)
        engine_close(run->engine, &done, closed);
    while (run->engine && !done) {
        if (sim_dead(run->env))
            env_run(run->env, ENV_RUN_ONCE);
        else
            assert_true(sim_step(run->world));
    }
    run->engine = NULL;
}

static void run_free(struct run *run)
{
    mem_fault(0, false);
    run_close(run);
    env_free(run->env);
    sim_world_free(run->world);
    tape_fini(&run->tape);
    free(run);
}

static void run_restart(struct run *run)
{
    run_close(run);
    if (sim_dead(run->env)) {
        env_free(run->env);
        assert_ok(sim_restart(run->world, "host", &run->env));
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        run->clients[i].busy = false;
}

/* --- commits -------------------------------------------------------------- */

static void client_done(struct engine_commit *commit, enum kan_err err)
{
    struct client *client = commit->request.data;
    struct run *run = client->run;
    struct asked *asked = &run->asked[client->number];

    client->busy = false;
    if (sim_dead(run->env))
        return; /* nobody hears it */
    asked->answered = true;
    asked->err = err;
    asked->revision = commit->revision;
    run->refused += kan_err_class(err) == KAN_CLASS_REFUSED;
    run->unknown += kan_err_class(err) == KAN_CLASS_UNKNOWN;
    run->broken += kan_err_class(err) == KAN_CLASS_BROKEN;
}

/* Put the commit's number under one to three different keys; sometimes only if
 * one of them is absent. */
static void client_ask(struct client *client)
{
    struct run *run = client->run;
    struct asked *asked = &run->asked[run->asked_count];
    unsigned first = (unsigned)draw(run, KEYS);

    assert_true(run->asked_count < COMMITS_MAX);
    memset(asked, 0, sizeof *asked);
    memset(&client->commit, 0, sizeof client->commit);
    client->number = run->asked_count++;
    asked->count = 1 + (unsigned)draw(run, KEYS_EACH);
    memset(client->value, 'x', sizeof client->value);
    snprintf(client->value, sizeof client->value, "%u", client->number);
    for (unsigned i = 0; i < asked->count; i++) {
        asked->keys[i] = (first + i) % KEYS;
        snprintf(client->keys[i], sizeof client->keys[i], "k%02u",
                 asked->keys[i]);
        client->writes[i] = (struct engine_write){
            .kind = ENGINE_PUT,
            .key = kan_text(client->keys[i]),
            .value = kan_slice(client->value, run->value_size)};
    }
    if (draw(run, 8) == 0) {
        client->guard = (struct engine_guard){.kind = ENGINE_IF_ABSENT,
                                              .key = kan_text(client->keys[0])};
        client->commit.guards = &client->guard;
        client->commit.guard_count = 1;
    }
    client->commit.request.data = client;
    client->commit.writes = client->writes;
    client->commit.write_count = asked->count;
    client->busy =
        engine_commit(run->engine, &client->commit, client_done) == KAN_OK;
    if (!client->busy) {
        asked->answered = true;
        asked->err = KAN_BUSY;
    }
}

/* Ask and let things happen, until as many were asked or the process died. */
static void run_work(struct run *run, unsigned commits)
{
    unsigned end = run->asked_count + commits;

    while (run->asked_count < end && !sim_dead(run->env)) {
        struct client *client = &run->clients[draw(run, CLIENTS)];
        if (!client->busy)
            client_ask(client);
        else
            sim_step(run->world);
        if (draw(run, 64) == 0) /* idle: the log is copied */
            sim_run(run->world, sim_now(run->world) + 1200 * (uint64_t)ENV_MS);
    }
}

static bool run_busy(const struct run *run)
{
    bool busy = false;

    for (unsigned i = 0; i < CLIENTS; i++)
        busy = busy || run->clients[i].busy;
    return busy;
}

static void run_settle(struct run *run)
{
    while (run_busy(run) && !sim_dead(run->env))
        assert_true(sim_step(run->world));
}

/* --- what must hold ------------------------------------------------------- */

/* One commit of the feed is one that was asked for, whole. */
static void feed_told(struct engine_watch *watch, enum kan_err err,
                      uint64_t revision, const struct engine_change *changes,
                      uint32_t count)
{
    struct run *run = watch->request.data;
    char text[32] = "";
    struct asked *asked;
    unsigned number;

    if (err) {
        run->feed_end++;
        return;
    }
    assert_true(revision == run->head + 1);
    run->head = revision;
    memcpy(text, changes[0].value.bytes, 10);
    number = (unsigned)atoi(text);
    assert_true(number < run->asked_count);
    asked = &run->asked[number];
    assert_true(asked->found == 0 || asked->found == revision);
    assert_true(asked->count == count);
    for (uint32_t i = 0; i < count; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%02u", asked->keys[i]);
        assert_true(slice_equal(changes[i].key, kan_text(key)));
        assert_true(slice_equal(changes[i].value, changes[0].value));
        assert_true(changes[i].created <= revision);
        run->last[asked->keys[i]] = number + 1;
    }
    /* A revision that was seen once is the same for ever. */
    assert_true(run->history[revision] == 0 ||
                run->history[revision] == number + 1);
    run->history[revision] = number + 1;
    asked->found = revision;
}

static void feed_read(struct run *run)
{
    struct engine_cursor now = engine_cursor(run->engine);
    struct engine_watch watch = {
        .request.data = run,
        .from = {now.store, now.incarnation, 0},
    };
    uint64_t head = run->head;

    run->head = 0;
    run->feed_end = 0;
    memset(run->last, 0, sizeof run->last);
    for (unsigned i = 0; i < run->asked_count; i++)
        run->asked[i].found = 0;
    assert_ok(engine_watch(run->engine, &watch, feed_told));
    while (run->head < now.revision)
        assert_true(sim_step(run->world));
    engine_cancel(&watch.request);
    while (!run->feed_end)
        assert_true(sim_step(run->world));
    /* What was read once is never lost. */
    assert_true(run->head >= head);
}

struct scan_wait
{
    struct run *run;
    bool done;
};

static void scan_told(struct engine_scan *scan, enum kan_err err)
{
    struct scan_wait *wait = scan->request.data;
    unsigned at = 0;

    wait->done = true;
    assert_int_equal(err, KAN_OK);
    for (unsigned key = 0; key < KEYS; key++) {
        unsigned last = wait->run->last[key];
        char name[8], text[32];
        if (!last)
            continue;
        snprintf(name, sizeof name, "k%02u", key);
        snprintf(text, sizeof text, "%u", last - 1);
        assert_true(at < scan->item_count);
        assert_true(slice_equal(scan->items[at].key, kan_text(name)));
        assert_string_equal((const char *)scan->items[at].value.bytes, text);
        assert_true(scan->items[at].version ==
                    wait->run->asked[last - 1].found);
        at++;
    }
    assert_true(at == scan->item_count);
}

static void table_check(struct run *run)
{
    struct scan_wait wait = {run, false};
    struct engine_scan scan = {.request.data = &wait, .limit = KEYS + 1};

    assert_ok(engine_scan(run->engine, &scan, scan_told));
    while (!wait.done)
        assert_true(sim_step(run->world));
}

static void complain(void *data, const char *line)
{
    (void)data;
    print_message("verify: %s\n", line);
}

/* The store is open, and nothing is under way. */
static void run_check(struct run *run)
{
    struct sqlite_verified verified = {0};

    feed_read(run);
    table_check(run);
    for (unsigned i = 0; i < run->asked_count; i++) {
        const struct asked *asked = &run->asked[i];
        if (!asked->answered)
            continue;
        if (asked->err == KAN_OK)
            assert_true(asked->found == asked->revision);
        if (asked->err == KAN_CONFLICT ||
            kan_err_class(asked->err) == KAN_CLASS_REFUSED)
            assert_true(asked->found == 0);
    }
    assert_ok(sqlite_verify(run->env, "kan.db", NULL, complain, &verified));
    assert_true(verified.head == run->head);
}

/* What is still unanswered when a process dies stays unknown. */
static void run_reopen_and_check(struct run *run)
{
    run_restart(run);
    assert_ok(run_open(run));
    run_check(run);
}

/* --- crashes -------------------------------------------------------------- */

static uint64_t probes[SIM_PROBES];

static void count_probes(const struct run *run)
{
    for (int i = 0; i < SIM_PROBES; i++)
        probes[i] += sim_probe_count(run->world, (enum sim_probe)i);
}

static struct sim_options crash_options(uint64_t seed)
{
    struct sim_options options = {
        .shuffle = true,
        .lane_jitter_ns = seed % 3 ? 2 * ENV_MS : 0,
        .kind_names = seed % 2 != 0,
        .step_ns = 1000,
    };

    return options;
}

/* Crash in the middle of the work, often, also while opening. */
static void crash_run(uint64_t seed, bool power)
{
    struct sim_options options = crash_options(seed);
    struct run *run = run_new(seed, &options);

    run->value_size = seed % 4 == 0 ? 400 : 20;
    for (unsigned round = 0; round < 5; round++) {
        uint64_t nth = 1 + draw(run, 1 << draw(run, 9));
        if (power)
            sim_fault_crash(run->env, SIM_FAULT_ANY, nth);
        if (run_open(run) == KAN_OK) {
            run_work(run, power ? 400 : 1 + (unsigned)draw(run, 100));
            if (!power || !sim_dead(run->env))
                sim_kill(run->env);
        }
        assert_true(sim_dead(run->env));
        run_reopen_and_check(run);
        run_work(run, 30);
        if (draw(run, 2))
            sim_crash(run->env);
        run_restart(run);
    }
    assert_ok(run_open(run));
    run_check(run);
    count_probes(run);
    run_free(run);
}

static void power_loss(void **state)
{
    static const enum sim_probe wanted[] = {
        SIM_PROBE_WRITE_KEPT,       SIM_PROBE_WRITE_DROPPED,
        SIM_PROBE_WRITE_TORN,       SIM_PROBE_WRITE_REORDERED,
        SIM_PROBE_CRASH_WITH_WORK,  SIM_PROBE_CRASH_BEFORE_DONE,
        SIM_PROBE_TRUNCATE_DROPPED, SIM_PROBE_NAME_DROPPED};

    (void)state;
    memset(probes, 0, sizeof probes);
    for (uint64_t seed = 1; seed <= 60; seed++)
        crash_run(seed, true);
    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!probes[wanted[i]])
            fail_msg("never happened: %s", sim_probe_name(wanted[i]));
}

static void kills(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++)
        crash_run(seed + 1000, false);
}

/* The power fails instead of the nth sync, whichever that is: of a group, of
 * the log's head when it begins again, of a copied log, of the database. */
static bool unsynced_run(uint64_t nth, uint64_t seed)
{
    struct sim_options options = crash_options(seed);
    struct run *run = run_new(seed * 1000 + nth, &options);
    bool struck;

    run->value_size = 400;
    assert_ok(run_open(run));
    sim_fault_crash(run->env, SIM_FAULT_SYNC, nth);
    run_work(run, 150);
    struck = sim_dead(run->env);
    if (!struck)
        run_settle(run);
    run_reopen_and_check(run);
    run_free(run);
    return struck;
}

static void power_fails_at_every_sync(void **state)
{
    bool struck = true;

    (void)state;
    for (uint64_t nth = 1; struck; nth++) {
        assert_true(nth < 1000);
        for (uint64_t seed = 1; struck && seed <= 8; seed++)
            struck = unsynced_run(nth, seed);
    }
}

/* --- a disk that fails ---------------------------------------------------- */

/* One call fails, or all from then on. What is answered is the truth: also when
 * the power fails right after, while the disk works again. */
static bool fault_run(enum sim_fault_kind kind, uint64_t nth, bool sticky)
{
    struct sim_options options = crash_options(nth);
    struct run *run = run_new(nth * 31 + (uint64_t)kind, &options);
    enum kan_err err;
    bool struck;

    sim_fault(run->env, kind, nth, sticky);
    err = run_open(run);
    if (err == KAN_OK) {
        run_work(run, 60);
        run_settle(run);
        if (run->unknown || run->broken)
            assert_true(engine_stats(run->engine).broken);
    } else {
        assert_true(sim_fault_struck(run->env));
    }
    struck = sim_fault_struck(run->env);
    sim_fault(run->env, kind, 0, false);
    if (nth % 2 && run->engine)
        sim_crash(run->env);
    run_reopen_and_check(run);
    if (nth % 4 < 2) { /* what could be read is durable */
        sim_crash(run->env);
        run_reopen_and_check(run);
    }
    /* And it works again. */
    run_work(run, 20);
    run_settle(run);
    assert_true(run->asked[run->asked_count - 1].answered);
    run_check(run);
    run_free(run);
    return struck;
}

static void fault_loop(enum sim_fault_kind kind)
{
    for (int sticky = 0; sticky < 2; sticky++)
        for (uint64_t nth = 1; fault_run(kind, nth, sticky == 1);
             nth += nth < 60 ? 1 : 1 + nth / 16)
            assert_true(nth < 20000);
}

static void failing_writes(void **state)
{
    (void)state;
    fault_loop(SIM_FAULT_WRITE);
}

static void failing_syncs(void **state)
{
    (void)state;
    fault_loop(SIM_FAULT_SYNC);
}

static void failing_reads(void **state)
{
    (void)state;
    fault_loop(SIM_FAULT_READ);
}

static void failing_rest(void **state)
{
    (void)state;
    fault_loop(SIM_FAULT_OPEN);
    fault_loop(SIM_FAULT_TRUNCATE);
    fault_loop(SIM_FAULT_DELETE);
    fault_loop(SIM_FAULT_DIR);
    fault_loop(SIM_FAULT_LOOK);
}

/* A failed sync: unknown to its group, and nothing after it. */
static void a_failed_sync_breaks(void **state)
{
    struct run *run = run_new(7, NULL);

    (void)state;
    assert_ok(run_open(run));
    run_work(run, 20);
    run_settle(run);
    sim_fault(run->env, SIM_FAULT_SYNC, 1, false);
    client_ask(&run->clients[0]);
    client_ask(&run->clients[1]);
    run_settle(run);
    assert_int_equal(run->unknown, 2);
    assert_true(engine_stats(run->engine).broken);
    client_ask(&run->clients[0]);
    run_settle(run);
    assert_int_equal(run->broken, 1);
    assert_int_equal(run->asked[run->asked_count - 1].err, KAN_IO);
    assert_non_null(strstr(engine_message(run->engine), "sqlite"));
    run_reopen_and_check(run);
    run_free(run);
}

/* --- a disk that is full -------------------------------------------------- */

/* Work until the disk takes no more; read; make room; go on; lose power. */
static void full_run(uint64_t seed)
{
    struct sim_options options = crash_options(seed);
    struct run *run = run_new(seed, &options);
    unsigned refused;

    run->value_size = 400;
    assert_ok(run_open(run));
    run_work(run, 20);
    run_settle(run);
    sim_disk_limit(run->env, sim_disk_used(run->env) + seed * 777 % 60000);
    run_work(run, 300);
    run_settle(run);
    refused = run->refused;
    assert_int_equal(run->unknown + run->broken, 0);
    assert_false(engine_stats(run->engine).broken);
    run_check(run); /* reading goes on */
    if (seed % 3 == 0) {
        sim_crash(run->env); /* what was refused did not happen */
        sim_disk_limit(run->env, 0);
        run_reopen_and_check(run);
    }
    sim_disk_limit(run->env, 0);
    run_work(run, 60);
    run_settle(run);
    assert_true(run->refused == refused);
    assert_false(engine_stats(run->engine).full);
    sim_crash(run->env);
    run_reopen_and_check(run);
    count_probes(run);
    run_free(run);
}

static void a_full_disk(void **state)
{
    (void)state;
    memset(probes, 0, sizeof probes);
    for (uint64_t seed = 1; seed <= 60; seed++)
        full_run(seed);
    assert_true(probes[SIM_PROBE_DISK_FULL] > 0);
}

/* --- memory that runs out ------------------------------------------------- */

static void out_of_memory(void **state)
{
    bool struck = true;

    (void)state;
    for (uint64_t nth = 1; struck; nth += 1 + nth / 24) {
        struct run *run = run_new(nth, NULL);
        assert_ok(run_open(run));
        run_work(run, 30);
        run_settle(run);
        mem_fault(nth, nth % 5 == 0);
        run_work(run, 30);
        run_settle(run);
        struck = mem_fault_struck();
        mem_fault(0, false);
        assert_true(nth < 1000000);
        if (!engine_stats(run->engine).broken) {
            run_work(run, 10);
            run_settle(run);
            run_check(run);
        }
        run_reopen_and_check(run);
        run_free(run);
    }
}

/* Frames in the log, by its size. */
static uint64_t log_frames(struct run *run)
{
    struct env_file *log;
    uint64_t size = 0;

    assert_ok(env_file_open(run->env, "kan.db-wal", ENV_OPEN_READ, &log));
    assert_ok(env_file_size(log, &size));
    env_file_close(log);
    return size < 32 ? 0 : (size - 32) / (2048 + 24);
}

static void filled(struct engine_commit *commit, enum kan_err err)
{
    *(int *)commit->request.data = err;
}

/* Commit a value of that size under a key that no client has. */
static enum kan_err fill(struct run *run, size_t size)
{
    int err = INT_MAX;
    char *value = calloc(1, size);
    struct engine_write write = {.kind = ENGINE_PUT,
                                 .key = kan_text("fill"),
                                 .value = kan_slice(value, size)};
    struct engine_commit commit = {
        .request.data = &err, .writes = &write, .write_count = 1};

    assert_non_null(value);
    assert_ok(engine_commit(run->engine, &commit, filled));
    while (err == INT_MAX)
        assert_true(sim_step(run->world));
    free(value);
    return (enum kan_err)err;
}

/* Where the index of the log needs another block, memory can run out when the
 * last frame is synced already. Nobody may ever find what was refused. */
static bool boundary_run(uint64_t nth, unsigned *behind)
{
    enum
    {
        FIRST_BLOCK = 4062 /* frames in it (the WAL format of SQLite) */
    };
    struct run *run = run_new(nth, NULL);
    uint64_t head, found;
    enum kan_err err;
    bool struck;

    run->checkpoint_bytes = 1 << 30;
    assert_ok(run_open(run));
    while (log_frames(run) < FIRST_BLOCK - 500)
        assert_ok(fill(run, 400000));
    while (log_frames(run) < FIRST_BLOCK - 8)
        assert_ok(fill(run, 10));
    while (log_frames(run) < FIRST_BLOCK - 2)
        assert_ok(fill(run, 1));
    head = engine_cursor(run->engine).revision;
    mem_fault(nth, false);
    err = fill(run, 3000);
    struck = mem_fault_struck();
    mem_fault(0, false);
    *behind += err == KAN_NOMEM && log_frames(run) > FIRST_BLOCK;
    sim_kill(run->env);
    run_restart(run);
    assert_ok(run_open(run));
    found = engine_cursor(run->engine).revision;
    if (err == KAN_OK)
        assert_true(found == head + 1);
    else if (kan_err_class(err) == KAN_CLASS_REFUSED)
        assert_true(found == head);
    else
        assert_true(found == head || found == head + 1);
    run_free(run);
    return struck;
}

static void memory_ends_behind_the_sync(void **state)
{
    unsigned behind = 0;

    (void)state;
    for (uint64_t nth = 1; boundary_run(nth, &behind); nth++)
        assert_true(nth < 1000);
    assert_true(behind > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_sync_breaks),
        cmocka_unit_test(kills),
        cmocka_unit_test(power_fails_at_every_sync),
        cmocka_unit_test(power_loss),
        cmocka_unit_test(failing_writes),
        cmocka_unit_test(failing_syncs),
        cmocka_unit_test(failing_reads),
        cmocka_unit_test(failing_rest),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(memory_ends_behind_the_sync),
    };

    engine_sqlite_configure();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
