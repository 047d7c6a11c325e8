/* The engine on real files: what is opened and what is refused, who holds it,
 * large values, many keys, backup, verify, and other programs that look in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "engine/sqlite/cache.h"
#include "engine/sqlite/feed.h"
#include "engine/sqlite/sqlite.h"
#include "env/uv/uv.h"

#define assert_ok(call) assert_int_equal((call), KAN_OK)

/* A folder, a world, and a store in it. */
struct place
{
    char folder[64];
    char path[96];
    char why[512];
    struct env *env;
    struct engine *engine;
};

static const struct sqlite_options usual = {.program = "kan run"};

static enum kan_err place_open(struct place *place,
                               const struct sqlite_options *options)
{
    struct sqlite_options with = *options;

    with.path = place->path;
    place->why[0] = 0;
    place->engine = NULL;
    return engine_sqlite_open(place->env, &with, place->why, sizeof place->why,
                              &place->engine);
}

static void closed(void *data)
{
    *(bool *)data = true;
}

static void place_close(struct place *place)
{
    bool done = false;

    engine_close(place->engine, &done, closed);
    while (!done)
        env_run(place->env, ENV_RUN_ONCE);
    place->engine = NULL;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    assert_non_null(place);
    snprintf(place->folder, sizeof place->folder, "/tmp/kan-store-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof place->path, "%s/state.db", place->folder);
    assert_ok(env_uv_new(&place->env));
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char command[128];

    if (place->engine)
        place_close(place);
    env_free(place->env);
    snprintf(command, sizeof command, "rm -rf %s", place->folder);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

/* --- requests that are waited for ----------------------------------------- */

struct wait
{
    bool done;
    enum kan_err err;
};

static void committed(struct engine_commit *commit, enum kan_err err)
{
    struct wait *wait = commit->request.data;

    wait->err = err;
    wait->done = true;
}

static enum kan_err write_all(struct place *place,
                              const struct engine_write *writes, uint32_t count,
                              uint64_t *ret_revision)
{
    struct wait wait = {0};
    struct engine_commit commit = {
        .request.data = &wait, .writes = writes, .write_count = count};

    assert_ok(engine_commit(place->engine, &commit, committed));
    while (!wait.done)
        env_run(place->env, ENV_RUN_ONCE);
    if (ret_revision)
        *ret_revision = commit.revision;
    return wait.err;
}

static enum kan_err put(struct place *place, const char *key,
                        struct kan_slice value)
{
    struct engine_write write = {
        .kind = ENGINE_PUT, .key = kan_text(key), .value = value};

    return write_all(place, &write, 1, NULL);
}

struct get_wait
{
    struct wait wait;
    char *value;
    size_t size;
};

static void got(struct engine_get *get, enum kan_err err)
{
    struct get_wait *wait = get->request.data;

    wait->wait.err = err;
    wait->wait.done = true;
    if (!err && get->items[0].created) {
        wait->size = get->items[0].value.size;
        wait->value = mem_copy(get->items[0].value.bytes, wait->size);
    }
}

/* The value, or NULL; free it with mem_free(). */
static char *get(struct place *place, const char *key, size_t *ret_size)
{
    struct get_wait wait = {0};
    struct kan_slice name = kan_text(key);
    struct engine_get read = {
        .request.data = &wait, .keys = &name, .key_count = 1};

    assert_ok(engine_get(place->engine, &read, got));
    while (!wait.wait.done)
        env_run(place->env, ENV_RUN_ONCE);
    assert_ok(wait.wait.err);
    *ret_size = wait.size;
    return wait.value;
}

static void expect(struct place *place, const char *key, const char *value)
{
    size_t size = 0;
    char *found = get(place, key, &size);

    if (value)
        assert_string_equal(found, value);
    else
        assert_null(found);
    mem_free(found);
}

/* --- SQL from outside ----------------------------------------------------- */

static void sql(const char *path, const char *text)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL))
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t sql_number(const char *path, const char *text)
{
    sqlite3_stmt *statement;
    int64_t number;
    sqlite3 *db;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

/* --- opening -------------------------------------------------------------- */

static void data_stay(void **state)
{
    struct place *place = *state;
    struct engine_cursor cursor;
    struct stat status;

    assert_ok(place_open(place, &usual));
    assert_ok(put(place, "a", kan_text("1")));
    assert_ok(put(place, "empty", kan_text("")));
    cursor = engine_cursor(place->engine);
    assert_true(cursor.revision == 2);
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    place_close(place);
    assert_ok(place_open(place, &usual));
    assert_true(engine_cursor(place->engine).store == cursor.store);
    assert_true(engine_cursor(place->engine).incarnation == cursor.incarnation);
    assert_true(engine_cursor(place->engine).revision == 2);
    expect(place, "a", "1");
    expect(place, "empty", "");
    expect(place, "b", NULL);
}

static void refused_files(void **state)
{
    struct place *place = *state;
    FILE *file;

    /* A newer format. */
    assert_ok(place_open(place, &usual));
    place_close(place);
    sql(place->path, "PRAGMA user_version=2");
    assert_int_equal(place_open(place, &usual), KAN_INVALID);
    assert_non_null(strstr(place->why, "has format 2"));
    assert_non_null(strstr(place->why, "newer Kan"));
    sql(place->path, "PRAGMA user_version=1");
    assert_ok(place_open(place, &usual));
    place_close(place);

    /* Another program's database. */
    snprintf(place->path, sizeof place->path, "%s/other.db", place->folder);
    sql(place->path, "CREATE TABLE t(x)");
    assert_int_equal(place_open(place, &usual), KAN_INVALID);
    assert_non_null(strstr(place->why, "another program"));
    assert_true(sql_number(place->path, "SELECT count(*) FROM t") == 0);

    /* No database. */
    snprintf(place->path, sizeof place->path, "%s/text.db", place->folder);
    file = fopen(place->path, "w");
    assert_non_null(file);
    for (int i = 0; i < 500; i++)
        fputs("this is a letter to my mother\n", file);
    fclose(file);
    assert_int_equal(place_open(place, &usual), KAN_INVALID);
    assert_non_null(strstr(place->why, "not a Kan store"));

    /* An empty file is a new store. */
    snprintf(place->path, sizeof place->path, "%s/empty.db", place->folder);
    file = fopen(place->path, "w");
    assert_non_null(file);
    fclose(file);
    assert_ok(place_open(place, &usual));
    place_close(place);

    /* No folder. */
    snprintf(place->path, sizeof place->path, "%s/no/state.db", place->folder);
    assert_int_equal(place_open(place, &usual), KAN_NOTFOUND);
    assert_non_null(strstr(place->why, "no such folder"));
}

static void held(void **state)
{
    struct place *place = *state;
    struct place other = *place;
    char expected[256];

    assert_ok(place_open(place, &usual));
    assert_int_equal(place_open(&other, &usual), KAN_HELD);
    snprintf(expected, sizeof expected,
             "the data directory is used by process %d (kan run)",
             (int)getpid());
    assert_string_equal(other.why, expected);
    engine_sqlite_note(place->engine, "http://127.0.0.1:3500");
    assert_int_equal(place_open(&other, &usual), KAN_HELD);
    snprintf(expected, sizeof expected,
             "the data directory is used by process %d (kan run, "
             "http://127.0.0.1:3500)",
             (int)getpid());
    assert_string_equal(other.why, expected);
    place_close(place);
    assert_ok(place_open(&other, &usual));
    place_close(&other);
}

/* The n-th allocation fails: nothing is left behind, and the next try works. */
static void memory_ends_while_opening(void **state)
{
    struct place *place = *state;
    bool struck = true;

    assert_ok(place_open(place, &usual));
    assert_ok(put(place, "a", kan_text("1")));
    place_close(place);
    for (uint64_t nth = 1; struck; nth++) {
        int64_t live = mem_live();
        enum kan_err err;
        mem_fault(nth, false);
        err = place_open(place, &usual);
        struck = mem_fault_struck();
        mem_fault(0, false);
        if (err) {
            assert_true(struck);
            assert_int_equal(err, KAN_NOMEM);
            assert_true(place->why[0]);
            while (env_run(place->env, ENV_RUN_NOWAIT))
                continue;
        } else {
            place_close(place);
        }
        assert_int_equal(mem_live(), live);
        assert_true(nth < 5000);
    }
    assert_ok(place_open(place, &usual));
    expect(place, "a", "1");
}

/* --- large and many ------------------------------------------------------- */

static void large_values(void **state)
{
    struct place *place = *state;
    size_t size = 4 << 20, found = 0;
    char *value = malloc(size);
    char *read;

    assert_non_null(value);
    for (size_t i = 0; i < size; i++)
        value[i] = (char)(i * 7 + i / 1000);
    assert_ok(place_open(place, &usual));
    for (int i = 0; i < 3; i++) {
        value[0] = (char)i;
        assert_ok(put(place, "large", kan_slice(value, size)));
    }
    read = get(place, "large", &found);
    assert_true(found == size && memcmp(read, value, size) == 0);
    mem_free(read);
    place_close(place);
    assert_ok(place_open(place, &usual));
    read = get(place, "large", &found);
    assert_true(found == size && memcmp(read, value, size) == 0);
    mem_free(read);
    free(value);
}

enum
{
    MANY = 100000,
    EACH = 1000
};

static void put_many(struct place *place)
{
    static struct engine_write writes[EACH];
    static char keys[EACH][16];

    for (unsigned i = 0; i < MANY; i += EACH) {
        for (unsigned k = 0; k < EACH; k++) {
            snprintf(keys[k], sizeof keys[k], "key-%06u", i + k);
            writes[k] = (struct engine_write){.kind = ENGINE_PUT,
                                              .key = kan_text(keys[k]),
                                              .value = kan_text(keys[k])};
        }
        assert_ok(write_all(place, writes, EACH, NULL));
    }
}

struct page_wait
{
    struct wait wait;
    unsigned count;
    bool more;
    char last[16];
};

static void paged(struct engine_scan *scan, enum kan_err err)
{
    struct page_wait *wait = scan->request.data;

    wait->wait.done = true;
    wait->wait.err = err;
    wait->more = scan->more;
    for (uint32_t i = 0; !err && i < scan->item_count; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "key-%06u", wait->count++);
        assert_true(slice_equal(scan->items[i].key, kan_text(expected)));
        assert_true(slice_equal(scan->items[i].value, kan_text(expected)));
        memcpy(wait->last, expected, sizeof wait->last);
    }
}

static unsigned scan_all(struct place *place)
{
    struct page_wait wait = {.more = true};

    while (wait.more) {
        char after[16];
        memcpy(after, wait.last, sizeof after);
        struct engine_scan scan = {.request.data = &wait,
                                   .prefix = kan_text("key-"),
                                   .after = kan_text(after),
                                   .limit = 1000};
        wait.wait.done = false;
        assert_ok(engine_scan(place->engine, &scan, paged));
        while (!wait.wait.done)
            env_run(place->env, ENV_RUN_ONCE);
        assert_ok(wait.wait.err);
    }
    return wait.count;
}

static void many_keys(void **state)
{
    struct place *place = *state;

    assert_ok(place_open(place, &usual));
    put_many(place);
    assert_int_equal(scan_all(place), MANY);
    place_close(place);
    assert_ok(place_open(place, &usual));
    assert_int_equal(scan_all(place), MANY);
    expect(place, "key-077777", "key-077777");
    assert_true(engine_stats(place->engine).reads > MANY / 100);
}

/* --- history -------------------------------------------------------------- */

struct watch_wait
{
    struct engine_watch watch;
    uint64_t last;
    unsigned calls;
    enum kan_err err;
    bool done;
};

static void watched(struct engine_watch *watch, enum kan_err err,
                    uint64_t revision, const struct engine_change *changes,
                    uint32_t count)
{
    struct watch_wait *wait = watch->request.data;

    (void)changes;
    if (err) {
        wait->err = err;
        wait->done = true;
        return;
    }
    assert_true(count > 0 && revision == wait->last + 1);
    wait->last = revision;
    wait->calls++;
}

static void watch_from(struct place *place, struct watch_wait *wait,
                       struct engine_cursor from)
{
    memset(wait, 0, sizeof *wait);
    wait->watch.request.data = wait;
    wait->watch.from = from;
    wait->last = from.revision;
    assert_ok(engine_watch(place->engine, &wait->watch, watched));
}

static void watch_stop(struct place *place, struct watch_wait *wait)
{
    if (!wait->done)
        engine_cancel(&wait->watch.request);
    while (!wait->done)
        env_run(place->env, ENV_RUN_ONCE);
}

static unsigned complaints;
static char complaint[512];

static void complain(void *data, const char *line)
{
    (void)data;
    if (complaints++ == 0)
        snprintf(complaint, sizeof complaint, "%s", line);
}

static enum kan_err verify(struct place *place, struct sqlite_verified *found)
{
    complaints = 0;
    complaint[0] = 0;
    return sqlite_verify(place->env, place->path, NULL, complain, found);
}

/* Only so much history is kept; a watch from before it is told so, and what is
 * kept has no gaps. */
static void history_is_trimmed(void **state)
{
    struct sqlite_options options = {.feed_bytes_max = 100 << 10};
    struct place *place = *state;
    struct sqlite_verified found;
    struct engine_cursor from;
    struct watch_wait wait;
    char value[2000];

    memset(value, 'v', sizeof value);
    assert_ok(place_open(place, &options));
    for (unsigned i = 0; i < 250; i++)
        assert_ok(put(place, "k", kan_slice(value, sizeof value)));
    assert_ok(verify(place, &found));
    assert_true(found.head == 250 && found.keys == 1);
    assert_true(found.compacted > 190 && found.compacted < 205);
    from = engine_cursor(place->engine);
    from.revision = 0;
    watch_from(place, &wait, from);
    while (!wait.done)
        env_run(place->env, ENV_RUN_ONCE);
    assert_int_equal(wait.err, KAN_COMPACTED);
    assert_non_null(strstr(engine_message(place->engine), "no longer kept"));
    from.revision = found.compacted;
    watch_from(place, &wait, from);
    while (wait.last < 250)
        env_run(place->env, ENV_RUN_ONCE);
    watch_stop(place, &wait);
    assert_int_equal(wait.err, KAN_CANCELED);
    from.revision = found.compacted - 1;
    watch_from(place, &wait, from);
    while (!wait.done)
        env_run(place->env, ENV_RUN_ONCE);
    assert_int_equal(wait.err, KAN_COMPACTED);
    from.revision = 251;
    watch_from(place, &wait, from);
    while (!wait.done)
        env_run(place->env, ENV_RUN_ONCE);
    assert_int_equal(wait.err, KAN_COMPACTED);
}

/* --- backup --------------------------------------------------------------- */

struct writer
{
    struct place *place;
    struct engine_commit commit;
    struct engine_write write;
    char key[16];
    unsigned *count;
    unsigned until;
    bool idle;
};

static void write_again(struct writer *writer);

static void wrote(struct engine_commit *commit, enum kan_err err)
{
    assert_ok(err);
    write_again(commit->request.data);
}

static void write_again(struct writer *writer)
{
    unsigned number = (*writer->count)++;

    writer->idle = number >= writer->until;
    if (writer->idle)
        return;
    snprintf(writer->key, sizeof writer->key, "w-%05u", number % 700);
    writer->write = (struct engine_write){.kind = ENGINE_PUT,
                                          .key = kan_text(writer->key),
                                          .value = kan_text(writer->key)};
    writer->commit = (struct engine_commit){
        .request.data = writer, .writes = &writer->write, .write_count = 1};
    assert_ok(engine_commit(writer->place->engine, &writer->commit, wrote));
}

/* A backup may be taken at any moment: here while the lane writes a group. */
static void backup_while_writing(void **state)
{
    struct place *place = *state;
    struct place copy = *place;
    struct writer writers[16];
    struct engine_cursor source, from;
    struct watch_wait wait;
    unsigned count = 0;
    bool idle = false;
    char why[256] = "";

    assert_ok(place_open(place, &usual));
    for (unsigned i = 0; i < 16; i++) {
        writers[i] =
            (struct writer){.place = place, .count = &count, .until = 4000};
        write_again(&writers[i]);
    }
    while (count < 1000)
        env_run(place->env, ENV_RUN_ONCE);
    snprintf(copy.path, sizeof copy.path, "%s/copy.db", place->folder);
    if (sqlite_backup(place->env, place->path, copy.path, why, sizeof why))
        fail_msg("backup: %s", why);
    assert_int_equal(
        sqlite_backup(place->env, place->path, copy.path, why, sizeof why),
        KAN_CONFLICT);
    assert_non_null(strstr(why, "exists"));
    while (!idle) {
        env_run(place->env, ENV_RUN_ONCE);
        idle = true;
        for (unsigned i = 0; i < 16; i++)
            idle = idle && writers[i].idle;
    }
    source = engine_cursor(place->engine);
    assert_true(source.revision == 4000);
    place_close(place);

    assert_ok(place_open(&copy, &usual));
    from = engine_cursor(copy.engine);
    assert_true(from.store == source.store);
    assert_true(from.incarnation != source.incarnation);
    assert_true(from.revision >= 1000 - 16 && from.revision <= 4000);
    expect(&copy, "w-00000", "w-00000");
    /* Cursors of the source are refused, its history is there. */
    source.revision = 1;
    watch_from(&copy, &wait, source);
    while (!wait.done)
        env_run(copy.env, ENV_RUN_ONCE);
    assert_int_equal(wait.err, KAN_COMPACTED);
    source = from;
    from.revision = 0;
    watch_from(&copy, &wait, from);
    while (wait.last < source.revision)
        env_run(copy.env, ENV_RUN_ONCE);
    watch_stop(&copy, &wait);
    assert_ok(put(&copy, "new", kan_text("1")));
    place_close(&copy);
}

static void backup_of_nothing(void **state)
{
    struct place *place = *state;
    char dest[96], why[256] = "";

    snprintf(dest, sizeof dest, "%s/copy.db", place->folder);
    assert_int_equal(
        sqlite_backup(place->env, place->path, dest, why, sizeof why),
        KAN_NOTFOUND);
    assert_true(why[0]);
    sql(place->path, "CREATE TABLE t(x)");
    assert_int_equal(
        sqlite_backup(place->env, place->path, dest, why, sizeof why),
        KAN_INVALID);
    assert_int_equal(access(dest, F_OK), -1);
}

/* --- verify --------------------------------------------------------------- */

static void verify_finds(struct place *place, const char *damage,
                         const char *expected)
{
    struct sqlite_verified found;

    sql(place->path, damage);
    assert_int_equal(verify(place, &found), KAN_CORRUPT);
    if (!strstr(complaint, expected))
        fail_msg("%s: it says \"%s\"", damage, complaint);
}

static void verify_finds_damage(void **state)
{
    static const struct
    {
        const char *damage;
        const char *expected;
    } cases[] = {
        {"DELETE FROM feed WHERE revision=5",
         "revisions 5 to 5 are missing from the feed"},
        {"UPDATE feed SET first=4 WHERE revision=5", "are 1 records"},
        {"UPDATE kv SET version=version+1 WHERE key=x'6b31'", "key k1 has"},
        {"UPDATE kv SET created=version+1 WHERE key=x'6b31'", "key k1 has"},
        {"UPDATE kv SET value=x'00' WHERE key=x'6b32'", "another value"},
        {"DELETE FROM kv WHERE key=x'6b33'", "key k3 of revision"},
        {"INSERT INTO kv(key,created,version,value)"
         " VALUES(x'7a',3,3,x'')",
         "keys were written"},
        {"INSERT INTO kv(key,created,version,value)"
         " VALUES(x'7a',99,99,x'')",
         "the store is at"},
        {"UPDATE feed SET body=substr(body,1,length(body)-1) WHERE revision=9",
         "rubbish"},
        {"DELETE FROM meta WHERE name='store'", "lost a row"},
    };
    struct place *place = *state;
    struct sqlite_verified found;
    char clean[128], command[512];

    assert_ok(place_open(place, &usual));
    for (unsigned i = 0; i < 12; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%u", i % 5);
        assert_ok(put(place, key, kan_text("value")));
    }
    assert_ok(verify(place, &found)); /* while it is open */
    assert_int_equal(complaints, 0);
    assert_true(found.head == 12 && found.compacted == 0 && found.keys == 5);
    place_close(place);
    assert_ok(verify(place, &found));
    snprintf(clean, sizeof clean, "%s/clean.db", place->folder);
    snprintf(command, sizeof command, "cp %s %s", place->path, clean);
    assert_int_equal(system(command), 0);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(command, sizeof command, "rm -f %s*; cp %s %s", place->path,
                 clean, place->path);
        assert_int_equal(system(command), 0);
        verify_finds(place, cases[i].damage, cases[i].expected);
    }
}

static void verify_finds_rot(void **state)
{
    struct place *place = *state;
    struct sqlite_verified found;
    unsigned spotted = 0;
    long size;
    FILE *file;

    assert_ok(place_open(place, &usual));
    put_many(place);
    place_close(place);
    file = fopen(place->path, "r+");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    for (long at = 2048 * 40; at < size && spotted < 3; at += size / 7) {
        fseek(file, at, SEEK_SET);
        for (int i = 0; i < 64; i++)
            fputc(0xa5, file);
        fflush(file);
        spotted += verify(place, &found) == KAN_CORRUPT;
    }
    fclose(file);
    assert_true(spotted > 0);
    assert_int_equal(verify(place, &found), KAN_CORRUPT);
    snprintf(place->path, sizeof place->path, "%s/none.db", place->folder);
    assert_int_equal(verify(place, &found), KAN_NOTFOUND);
}

/* However much is written, the log begins again and again. */
static void the_log_stays_small(void **state)
{
    struct sqlite_options options = {.checkpoint_bytes = 64 << 10};
    struct place *place = *state;
    struct stat status;
    char value[1000], log[128];

    memset(value, 'v', sizeof value);
    snprintf(log, sizeof log, "%s-wal", place->path);
    assert_ok(place_open(place, &options));
    for (unsigned i = 0; i < 400; i++)
        assert_ok(put(place, "k", kan_slice(value, sizeof value)));
    assert_int_equal(stat(log, &status), 0);
    assert_true(status.st_size >= 64 << 10);
    assert_true(status.st_size <= 128 << 10);
    place_close(place);
    assert_int_equal(stat(log, &status), -1);
}

/* --- others look in ------------------------------------------------------- */

/* The sqlite3 tool can read while the engine writes; and a reader that stays
 * does not stop it. */
static void another_program_reads(void **state)
{
    struct sqlite_options options = {.checkpoint_bytes = 64 << 10};
    struct place *place = *state;
    sqlite3_stmt *statement;
    char value[1000];
    sqlite3 *db;

    memset(value, 'v', sizeof value);
    assert_ok(place_open(place, &options));
    assert_ok(put(place, "a", kan_text("1")));
    assert_true(sql_number(place->path, "SELECT count(*) FROM kv") == 1);
    assert_int_equal(
        sqlite3_open_v2(place->path, &db, SQLITE_OPEN_READONLY, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT count(*) FROM kv", -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    for (unsigned i = 0; i < 300; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        assert_ok(put(place, key, kan_slice(value, sizeof value)));
    }
    assert_true(sql_number(place->path, "SELECT count(*) FROM kv") == 301);
    assert_int_equal(sqlite3_column_int(statement, 0), 1);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    assert_ok(put(place, "b", kan_text("2")));
    assert_false(engine_stats(place->engine).broken);
    assert_true(engine_stats(place->engine).bytes_written > 300000);
}

/* --- the feed's bytes, the cache ------------------------------------------ */

static void feed_bytes(void **state)
{
    struct engine_change put_change = {ENGINE_CHANGE_PUT, kan_text("key"),
                                       kan_text("value"), 7, 8};
    struct engine_change gone = {ENGINE_CHANGE_DELETE, kan_text("x"),
                                 kan_slice(NULL, 0), 3, 9};
    struct buffer body = BUFFER_INIT;
    struct sqlite_feed_reader reader;
    struct engine_change change;
    uint32_t count;
    size_t mark;

    (void)state;
    mark = sqlite_feed_begin(&body);
    sqlite_feed_finish(&body, mark, 0);
    assert_int_equal(body.size, 0);
    mark = sqlite_feed_begin(&body);
    sqlite_feed_add(&body, &put_change, kan_text("!!"));
    sqlite_feed_finish(&body, mark, 1);
    mark = sqlite_feed_begin(&body);
    sqlite_feed_add(&body, &gone, kan_slice(NULL, 0));
    sqlite_feed_finish(&body, mark, 1);
    sqlite_feed_open(&reader, buffer_slice(&body), 8);
    assert_ok(sqlite_feed_record(&reader, &count));
    assert_int_equal(count, 1);
    assert_ok(sqlite_feed_change(&reader, &change));
    assert_true(slice_equal(change.key, kan_text("key!!")));
    assert_true(slice_equal(change.value, kan_text("value")));
    assert_true(change.created == 7 && change.version == 8);
    assert_int_equal(sqlite_feed_change(&reader, &change), KAN_END);
    assert_ok(sqlite_feed_record(&reader, &count));
    assert_ok(sqlite_feed_change(&reader, &change));
    assert_int_equal(change.kind, ENGINE_CHANGE_DELETE);
    assert_int_equal(sqlite_feed_record(&reader, &count), KAN_END);

    /* Any cut or change of the bytes ends inside of them. */
    for (size_t size = 0; size < body.size; size++)
        for (unsigned byte = 0; byte < 256; byte += 51) {
            char *bytes = mem_copy(body.bytes, size + 1);
            enum kan_err err = KAN_OK;
            bytes[size] = (char)byte;
            bytes = mem_realloc(bytes, size + 1);
            sqlite_feed_open(&reader, kan_slice(bytes, size + 1), 1);
            while (!err && !(err = sqlite_feed_record(&reader, &count)))
                while (!(err = sqlite_feed_change(&reader, &change)))
                    continue;
            assert_true(err == KAN_END || err == KAN_CORRUPT);
            mem_free(bytes);
        }
    buffer_fini(&body);
}

static void cache_bounds(void **state)
{
    struct sqlite_cache cache;
    struct hash_seed seed = {1, 2};
    struct sqlite_entry *kept = NULL;
    int64_t live = mem_live();

    (void)state;
    sqlite_cache_init(&cache, seed, 20000);
    for (unsigned i = 0; i < 5000; i++) {
        char key[16];
        struct sqlite_entry *entry;
        snprintf(key, sizeof key, "k%u", i);
        entry = sqlite_entry_new(kan_text(key), kan_text("value"));
        entry->version = i + 1;
        sqlite_cache_put(&cache, entry, i + 1);
        assert_true(cache.bytes <= cache.bytes_max);
        assert_ptr_equal(sqlite_cache_get(&cache, kan_text(key)), entry);
        if (i == 0)
            kept = entry;
        else
            sqlite_entry_unref(entry);
        if (i % 3 == 0) /* one key that is always asked for stays */
            (void)sqlite_cache_get(&cache, kan_text("k4"));
    }
    assert_non_null(sqlite_cache_get(&cache, kan_text("k4")));
    assert_null(sqlite_cache_get(&cache, kan_text("k0")));
    assert_true(kept->refs == 1 && kept->version == 1);

    /* What was read before the last write of its key stays out. */
    sqlite_cache_fill(&cache, kept, 0);
    assert_null(sqlite_cache_get(&cache, kan_text("k0")));
    sqlite_cache_fill(&cache, kept, 6000);
    assert_ptr_equal(sqlite_cache_get(&cache, kan_text("k0")), kept);
    sqlite_cache_drop(&cache, kan_text("k0"), 6001);
    assert_null(sqlite_cache_get(&cache, kan_text("k0")));
    sqlite_cache_fill(&cache, kept, 6000);
    assert_null(sqlite_cache_get(&cache, kan_text("k0")));
    sqlite_entry_unref(kept);
    sqlite_cache_fini(&cache);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
#define STORE_TEST(name) \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feed_bytes),
        cmocka_unit_test(cache_bounds),
        STORE_TEST(data_stay),
        STORE_TEST(refused_files),
        STORE_TEST(held),
        STORE_TEST(memory_ends_while_opening),
        STORE_TEST(large_values),
        STORE_TEST(many_keys),
        STORE_TEST(history_is_trimmed),
        STORE_TEST(backup_while_writing),
        STORE_TEST(backup_of_nothing),
        STORE_TEST(verify_finds_damage),
        STORE_TEST(verify_finds_rot),
        STORE_TEST(the_log_stays_small),
        STORE_TEST(another_program_reads),
    };

    engine_sqlite_configure();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
