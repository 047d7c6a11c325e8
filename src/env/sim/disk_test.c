/* Files of a simulated world: what is read, and what a power cut leaves. */

#include "env/sim/fixture.h"

struct fixture fixture;

static struct env_file *file_open(struct env *env, const char *path)
{
    struct env_file *file;
    assert_ok(
        env_file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file));
    return file;
}

static void put(struct env_file *file, uint64_t offset, const char *text)
{
    assert_ok(env_file_write(file, offset, kan_text(text)));
}

/* The file's content is the text. */
static void holds(struct env_file *file, const char *text)
{
    char bytes[256];
    size_t size;
    assert_ok(env_file_read(file, 0, bytes, sizeof bytes, &size));
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
}

static void path_holds(struct env *env, const char *path, const char *text)
{
    struct env_file *file;
    assert_ok(env_file_open(env, path, ENV_OPEN_READ, &file));
    holds(file, text);
    env_file_close(file);
}

static struct env *reboot(struct env *env)
{
    struct env *next;
    sim_crash(env);
    assert_ok(sim_restart(fixture.world, "a", &next));
    return next;
}

/* --- without faults ------------------------------------------------------- */

static void test_read_and_write(void **state)
{
    char bytes[8];
    size_t size;
    uint64_t length;
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    struct env_file *file = file_open(env, "x");
    put(file, 0, "hello");
    put(file, 8, "world");
    assert_ok(env_file_size(file, &length));
    assert_int_equal(length, 13);
    assert_ok(env_file_read(file, 4, bytes, 6, &size));
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "o\0\0\0wo", 6);
    assert_ok(env_file_read(file, 11, bytes, 8, &size));
    assert_int_equal(size, 2);
    assert_ok(env_file_read(file, 13, bytes, 8, &size));
    assert_int_equal(size, 0);
    assert_ok(env_file_truncate(file, 3));
    holds(file, "hel");
    assert_ok(env_file_truncate(file, 5));
    assert_ok(env_file_read(file, 0, bytes, 8, &size));
    assert_memory_equal(bytes, "hel\0\0", 5);
    assert_int_equal(env_file_write(file, UINT64_MAX, SLICE("x")), KAN_INVALID);
    assert_int_equal(env_file_truncate(file, UINT64_MAX), KAN_INVALID);
    env_file_close(file);
    assert_ok(env_file_open(env, "./x", ENV_OPEN_READ, &file));
    assert_int_equal(env_file_write(file, 0, SLICE("x")), KAN_INVALID);
    assert_int_equal(env_file_truncate(file, 0), KAN_INVALID);
    env_file_close(file);
    env_free(env);
    world_down();
}

static void say_name(void *data, const char *name)
{
    (void)data;
    say(name);
}

static void test_names(void **state)
{
    struct env_file *file;
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    assert_int_equal(env_file_open(env, "x", ENV_OPEN_WRITE, &file),
                     KAN_NOTFOUND);
    assert_int_equal(env_file_open(env, "d/x", ENV_OPEN_CREATE, &file),
                     KAN_NOTFOUND);
    assert_int_equal(env_file_open(env, "", ENV_OPEN_CREATE, &file),
                     KAN_INVALID);
    assert_int_equal(env_file_open(env, "a/../b", ENV_OPEN_CREATE, &file),
                     KAN_INVALID);
    assert_ok(env_dir_make(env, "/d/e//f/"));
    assert_ok(env_dir_make(env, "/d/e"));
    assert_ok(env_dir_make(env, "/"));
    assert_ok(env_dir_make(env, "."));
    file = file_open(env, "/d/e/y");
    put(file, 0, "Y");
    assert_int_equal(env_file_open(env, "/d/e/y",
                                   ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &file),
                     KAN_CONFLICT);
    assert_int_equal(env_dir_make(env, "/d/e/y"), KAN_INVALID);
    assert_int_equal(env_dir_make(env, "/d/e/y/z"), KAN_INVALID);
    assert_int_equal(env_file_open(env, "/d", ENV_OPEN_READ, &file),
                     KAN_INVALID);
    assert_int_equal(env_file_delete(env, "/d/e"), KAN_INVALID);
    assert_int_equal(env_file_delete(env, "/d/none"), KAN_NOTFOUND);
    env_file_close(file);
    env_file_close(file_open(env, "/d/e/x"));
    env_file_close(file_open(env, "/d/e/f/deep"));
    env_file_close(file_open(env, "/d/e-later"));
    assert_ok(env_dir_list(env, "/d/e", NULL, say_name));
    said("f x y");
    assert_ok(env_dir_list(env, "/d", NULL, say_name));
    said("e e-later");
    assert_ok(env_dir_list(env, "/", NULL, say_name));
    said("d");
    assert_int_equal(env_dir_list(env, "/none", NULL, say_name), KAN_NOTFOUND);
    assert_int_equal(env_dir_list(env, "/d/e/x", NULL, say_name), KAN_INVALID);
    assert_ok(env_file_rename(env, "/d/e/y", "/d/e/x"));
    assert_int_equal(env_file_exists(env, "/d/e/y"), KAN_NOTFOUND);
    assert_ok(env_file_exists(env, "/d/e"));
    path_holds(env, "/d/e/x", "Y");
    assert_ok(env_file_rename(env, "/d/e/x", "/d/e/x"));
    path_holds(env, "/d/e/x", "Y");
    assert_int_equal(env_file_rename(env, "/d/e/y", "/d/e/z"), KAN_NOTFOUND);
    assert_int_equal(env_file_rename(env, "/d/e/x", "/n/z"), KAN_NOTFOUND);
    assert_int_equal(env_file_rename(env, "/d/e", "/d/g"), KAN_INVALID);
    env_free(env);
    world_down();
}

static void delete_it(void *data, const char *name)
{
    say(name);
    assert_ok(env_file_delete(data, name));
}

static void test_list_while_deleting(void **state)
{
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    env_file_close(file_open(env, "b"));
    env_file_close(file_open(env, "a"));
    env_file_close(file_open(env, "c"));
    assert_ok(env_dir_list(env, ".", env, delete_it));
    said("a b c");
    assert_ok(env_dir_list(env, ".", env, delete_it));
    said("");
    env_free(env);
    world_down();
}

static void test_deleted_but_open(void **state)
{
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    struct env_file *file = file_open(env, "x");
    put(file, 0, "still here");
    assert_ok(env_file_delete(env, "x"));
    holds(file, "still here");
    assert_int_equal(sim_disk_used(env), 10);
    env_file_close(file);
    assert_int_equal(sim_disk_used(env), 0);
    env_free(env);
    world_down();
}

static void test_locks(void **state)
{
    (void)state;
    world_up(NULL, 1);
    struct env *one = node_up("a");
    struct env *two = node_up("a");
    struct env *far = node_up("b");
    struct env_file *f1 = file_open(one, "lock");
    struct env_file *f2 = file_open(two, "lock");
    struct env_file *f3 = file_open(far, "lock");
    assert_ok(env_file_lock(f1));
    assert_ok(env_file_lock(f1));
    assert_int_equal(env_file_lock(f2), KAN_HELD);
    assert_ok(env_file_lock(f3)); /* another disk */
    env_file_close(f1);
    assert_ok(env_file_lock(f2));
    f1 = file_open(one, "lock");
    assert_int_equal(env_file_lock(f1), KAN_HELD);
    sim_kill(two);
    assert_ok(env_file_lock(f1));
    assert_int_equal(env_file_lock(f2), KAN_IO); /* a ghost */
    world_down();
}

/* --- crashes -------------------------------------------------------------- */

static void test_synced_survives(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        world_up(NULL, seed);
        struct env *env = node_up("a");
        struct env_file *file = file_open(env, "x");
        put(file, 0, "hello");
        assert_ok(env_file_sync(file));
        assert_ok(env_dir_sync(env, "."));
        struct env *next = reboot(env);
        path_holds(next, "x", "hello");
        assert_int_equal(env_file_sync(file), KAN_IO);
        env_file_close(file);
        env_free(env);
        world_down();
    }
}

static void test_killed_keeps_all(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct env *next;
        world_up(NULL, seed);
        struct env *env = node_up("a");
        put(file_open(env, "x"), 0, "hello");
        sim_kill(env);
        assert_ok(sim_restart(fixture.world, "a", &next));
        path_holds(next, "x", "hello");
        world_down();
    }
}

/* The mildest tape keeps everything. */
static void test_zero_tape_keeps_all(void **state)
{
    (void)state;
    world_up(NULL, 0);
    fixture.tape.source = TAPE_ZERO;
    struct env *env = node_up("a");
    struct env_file *file = file_open(env, "x");
    put(file, 0, "hello");
    assert_ok(env_file_truncate(file, 4));
    path_holds(reboot(env), "x", "hell");
    world_down();
}

/* What a file of two pages, synced as 'a's and then written as 'b's, holds
 * after the crash: a bit for each sector that is new. -1: mixed within one. */
static int sectors(struct env *env, const char *path, unsigned *ret_mask)
{
    char bytes[8192];
    size_t size;
    struct env_file *file;
    enum kan_err err = env_file_open(env, path, ENV_OPEN_READ, &file);
    *ret_mask = 0;
    if (err)
        return err;
    assert_ok(env_file_read(file, 0, bytes, sizeof bytes, &size));
    assert_int_equal(size, sizeof bytes);
    env_file_close(file);
    for (unsigned s = 0; s < 16; s++) {
        for (unsigned i = 1; i < 512; i++)
            assert_int_equal(bytes[s * 512 + i], bytes[s * 512]);
        *ret_mask |= bytes[s * 512] == 'b' ? 1u << s : 0;
    }
    return KAN_OK;
}

static void test_pages_and_sectors(void **state)
{
    bool all = false;
    bool none = false;
    bool torn = false;
    bool second_only = false;
    bool first_only = false;
    char bytes[8192];
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        unsigned mask;
        world_up(NULL, seed);
        struct env *env = node_up("a");
        struct env_file *file = file_open(env, "x");
        memset(bytes, 'a', sizeof bytes);
        assert_ok(env_file_write(file, 0, kan_slice(bytes, sizeof bytes)));
        assert_ok(env_file_sync(file));
        assert_ok(env_dir_sync(env, "."));
        memset(bytes, 'b', sizeof bytes);
        assert_ok(env_file_write(file, 0, kan_slice(bytes, sizeof bytes)));
        assert_ok(sectors(reboot(env), "x", &mask));
        unsigned low = mask & 0xff;
        unsigned high = mask >> 8;
        all |= mask == 0xffff;
        none |= mask == 0;
        first_only |= mask == 0x00ff;
        second_only |= mask == 0xff00;
        torn |= (low != 0 && low != 0xff) || (high != 0 && high != 0xff);
        /* A page is torn as a beginning. */
        assert_int_equal(low & (low + 1), 0);
        assert_int_equal(high & (high + 1), 0);
        world_down();
    }
    assert_true(all && none && torn && first_only && second_only);
}

/* Changes to one page survive up to some point, never a later one alone. */
static void test_order_within_a_page(void **state)
{
    unsigned seen = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        char bytes[4] = {0};
        size_t size;
        world_up(NULL, seed);
        struct env *env = node_up("a");
        struct env_file *file = file_open(env, "x");
        put(file, 0, "...");
        assert_ok(env_file_sync(file));
        assert_ok(env_dir_sync(env, "."));
        put(file, 0, "1");
        put(file, 1, "2");
        put(file, 2, "3");
        struct env *next = reboot(env);
        file = file_open(next, "x");
        assert_ok(env_file_read(file, 0, bytes, 3, &size));
        seen |= strcmp(bytes, "...") == 0   ? 1u
                : strcmp(bytes, "1..") == 0 ? 2u
                : strcmp(bytes, "12.") == 0 ? 4u
                : strcmp(bytes, "123") == 0 ? 8u
                                            : 16u;
        world_down();
    }
    assert_int_equal(seen, 15);
}

static void test_growth(void **state)
{
    bool empty = false;
    bool zeros = false;
    bool whole = false;
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        char bytes[8] = {0};
        size_t size;
        world_up(NULL, seed);
        struct env *env = node_up("a");
        struct env_file *file = file_open(env, "x");
        assert_ok(env_dir_sync(env, "."));
        put(file, 0, "abc");
        file = file_open(reboot(env), "x");
        assert_ok(env_file_read(file, 0, bytes, sizeof bytes, &size));
        empty |= size == 0;
        zeros |= size == 3 && memcmp(bytes, "\0\0\0", 3) == 0;
        whole |= size == 3 && memcmp(bytes, "abc", 3) == 0;
        assert_true(size == 0 || size == 3);
        world_down();
    }
    assert_true(empty && zeros && whole);
}

/* What was written behind a lost truncate is lost with it. */
static void test_truncate(void **state)
{
    bool cut = false;
    bool kept = false;
    bool rewritten = false;
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        char bytes[8] = {0};
        size_t size;
        world_up(NULL, seed);
        struct env *env = node_up("a");
        struct env_file *file = file_open(env, "x");
        put(file, 0, "old");
        assert_ok(env_file_sync(file));
        assert_ok(env_dir_sync(env, "."));
        assert_ok(env_file_truncate(file, 0));
        put(file, 0, "ne");
        file = file_open(reboot(env), "x");
        assert_ok(env_file_read(file, 0, bytes, sizeof bytes, &size));
        kept |= strcmp(bytes, "old") == 0;
        cut |= size == 0;
        rewritten |= strcmp(bytes, "ne") == 0;
        assert_string_not_equal(bytes, "ned");
        world_down();
    }
    assert_true(cut && kept && rewritten);
}

static void test_names_need_a_sync(void **state)
{
    bool kept = false;
    bool gone = false;
    bool old = false;
    bool renamed = false;
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        world_up(NULL, seed);
        struct env *env = node_up("a");
        struct env_file *file = file_open(env, "real");
        put(file, 0, "old");
        assert_ok(env_file_sync(file));
        assert_ok(env_dir_sync(env, "."));
        file = file_open(env, "temp");
        put(file, 0, "new");
        assert_ok(env_file_sync(file));
        assert_ok(env_dir_sync(env, "."));
        assert_ok(env_file_rename(env, "temp", "real"));
        file = file_open(env, "lone");
        assert_ok(env_file_sync(file)); /* not its name */
        struct env *next = reboot(env);
        kept |= env_file_exists(next, "lone") == KAN_OK;
        gone |= env_file_exists(next, "lone") == KAN_NOTFOUND;
        /* A rename is whole: the old or the new, never none. */
        if (env_file_exists(next, "temp") == KAN_OK) {
            old = true;
            path_holds(next, "real", "old");
        } else {
            renamed = true;
            path_holds(next, "real", "new");
        }
        world_down();
    }
    assert_true(kept && gone && old && renamed);
}

static void test_lost_directory(void **state)
{
    bool gone = false;
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        world_up(NULL, seed);
        struct env *env = node_up("a");
        assert_ok(env_dir_make(env, "d"));
        struct env_file *file = file_open(env, "d/x");
        assert_ok(env_file_sync(file));
        assert_ok(env_dir_sync(env, "d")); /* but not its parent */
        struct env *next = reboot(env);
        if (env_file_exists(next, "d") == KAN_NOTFOUND) {
            gone = true;
            assert_int_equal(env_file_exists(next, "d/x"), KAN_NOTFOUND);
        } else {
            assert_ok(env_file_exists(next, "d/x"));
        }
        world_down();
    }
    assert_true(gone);
}

static void test_kind_names(void **state)
{
    const struct sim_options options = {.kind_names = true};
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        world_up(&options, seed);
        struct env *env = node_up("a");
        struct env_file *file = file_open(env, "x");
        assert_ok(env_file_sync(file));
        assert_ok(env_file_exists(reboot(env), "x"));
        world_down();
    }
}

/* What is written back in the background is bounded, not kept for ever. */
static void test_many_changes(void **state)
{
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    struct env_file *file = file_open(env, "x");
    assert_ok(env_dir_sync(env, "."));
    for (uint64_t i = 0; i < 10000; i++)
        put(file, i * 10, "0123456789");
    file = file_open(reboot(env), "x");
    uint64_t size;
    assert_ok(env_file_size(file, &size));
    assert_true(size >= 10 * (10000 - 8192));
    world_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_and_write),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_list_while_deleting),
        cmocka_unit_test(test_deleted_but_open),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_synced_survives),
        cmocka_unit_test(test_killed_keeps_all),
        cmocka_unit_test(test_zero_tape_keeps_all),
        cmocka_unit_test(test_pages_and_sectors),
        cmocka_unit_test(test_order_within_a_page),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_names_need_a_sync),
        cmocka_unit_test(test_lost_directory),
        cmocka_unit_test(test_kind_names),
        cmocka_unit_test(test_many_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
