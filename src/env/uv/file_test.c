/* Files, directories and locks of this machine. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env/uv/fixture.h"

static char dir[] = "/tmp/kan-file-test-XXXXXX";
static char path[64];
static char other[64];

static int make_dir(void **state)
{
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/file", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    return fixture_warm(state);
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* every test left it empty */
}

static struct env_file *create(struct env *env)
{
    struct env_file *file = NULL;
    assert_int_equal(
        env_file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file),
        KAN_OK);
    return file;
}

static void expect(struct env_file *file, uint64_t offset, size_t size,
                   const char *expected)
{
    char bytes[64];
    size_t got = 99;
    assert_true(size <= sizeof bytes);
    assert_int_equal(env_file_read(file, offset, bytes, size, &got), KAN_OK);
    assert_int_equal(got, strlen(expected));
    assert_memory_equal(bytes, expected, got);
}

/* --- files ---------------------------------------------------------------- */

static void test_write_and_read(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    uint64_t size;
    struct env_file *file = create(f->env);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(env_file_write(file, 0, SLICE("hello world")), KAN_OK);
    assert_int_equal(env_file_write(file, 6, SLICE("there")), KAN_OK);
    assert_int_equal(env_file_write(file, 0, SLICE("")), KAN_OK);
    expect(file, 0, 64, "hello there");
    expect(file, 6, 3, "the");
    expect(file, 11, 5, "");
    expect(file, 1000, 5, "");
    assert_int_equal(env_file_size(file, &size), KAN_OK);
    assert_int_equal(size, 11);
    assert_int_equal(env_file_truncate(file, 5), KAN_OK);
    expect(file, 0, 64, "hello");
    assert_int_equal(env_file_sync(file), KAN_OK);
    assert_int_equal(env_file_write(file, UINT64_MAX, SLICE("x")), KAN_INVALID);
    assert_int_equal(env_file_truncate(file, UINT64_MAX), KAN_INVALID);
    size_t got;
    assert_int_equal(env_file_read(file, UINT64_MAX, &got, 1, &got),
                     KAN_INVALID);
    env_file_close(file);
    assert_int_equal(env_file_delete(f->env, path), KAN_OK);
}

static void test_open_flags(void **state)
{
    struct fixture *f = *state;
    struct env_file *none = NULL;
    struct env_file *file;
    uint64_t size;
    assert_int_equal(env_file_open(f->env, path, ENV_OPEN_WRITE, &none),
                     KAN_NOTFOUND);
    assert_int_equal(env_file_open(f->env, dir, ENV_OPEN_READ, &none),
                     KAN_INVALID);
    file = create(f->env);
    assert_int_equal(env_file_write(file, 0, SLICE("old")), KAN_OK);
    env_file_close(file);
    assert_int_equal(
        env_file_open(f->env, path,
                      ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE,
                      &none),
        KAN_CONFLICT);
    assert_int_equal(env_file_open(f->env, path, ENV_OPEN_READ, &file), KAN_OK);
    expect(file, 0, 3, "old");
    assert_int_equal(env_file_write(file, 0, SLICE("x")), KAN_INVALID);
    env_file_close(file);
    assert_int_equal(
        env_file_open(f->env, path, ENV_OPEN_WRITE | ENV_OPEN_TRUNCATE, &file),
        KAN_OK);
    assert_int_equal(env_file_size(file, &size), KAN_OK);
    assert_int_equal(size, 0);
    env_file_close(file);
    mem_fault(1, false);
    assert_int_equal(env_file_open(f->env, path, ENV_OPEN_READ, &none),
                     KAN_NOMEM);
    assert_null(none);
    assert_int_equal(env_file_delete(f->env, path), KAN_OK);
}

static void test_fifo_does_not_hang(void **state)
{
    struct fixture *f = *state;
    struct env_file *none = NULL;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(env_file_open(f->env, path, ENV_OPEN_READ, &none),
                     KAN_INVALID);
    assert_int_equal(env_file_open(f->env, path, ENV_OPEN_WRITE, &none),
                     KAN_INVALID);
    assert_null(none);
    assert_int_equal(env_file_delete(f->env, path), KAN_OK);
}

static void test_no_space(void **state)
{
    struct fixture *f = *state;
    struct rlimit old;
    struct env_file *file = create(f->env);
    getrlimit(RLIMIT_FSIZE, &old);
    const struct rlimit small = {4096, old.rlim_max};
    static const char bytes[8192];
    setrlimit(RLIMIT_FSIZE, &small);
    enum kan_err err = env_file_write(file, 0, kan_slice(bytes, sizeof bytes));
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(err, KAN_FULL);
    assert_int_equal(env_file_write(file, 0, kan_slice(bytes, sizeof bytes)),
                     KAN_OK);
    env_file_close(file);
    assert_int_equal(env_file_delete(f->env, path), KAN_OK);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(env_file_exists(f->env, path), KAN_NOTFOUND);
    assert_int_equal(env_file_delete(f->env, path), KAN_NOTFOUND);
    assert_int_equal(env_file_rename(f->env, path, other), KAN_NOTFOUND);
    env_file_close(create(f->env));
    assert_int_equal(env_file_exists(f->env, path), KAN_OK);
    assert_int_equal(env_file_rename(f->env, path, other), KAN_OK);
    assert_int_equal(env_file_exists(f->env, path), KAN_NOTFOUND);
    assert_int_equal(env_file_exists(f->env, other), KAN_OK);
    assert_int_equal(env_dir_sync(f->env, dir), KAN_OK);
    assert_int_equal(env_dir_sync(f->env, path), KAN_NOTFOUND);
    assert_int_equal(env_file_delete(f->env, dir), KAN_INVALID);
    assert_int_equal(env_file_delete(f->env, other), KAN_OK);
}

/* --- locks ---------------------------------------------------------------- */

static void test_lock(void **state)
{
    struct fixture *f = *state;
    struct env_file *first = create(f->env);
    struct env_file *second = create(f->env);
    assert_int_equal(env_file_lock(first), KAN_OK);
    assert_int_equal(env_file_lock(first), KAN_OK);
    assert_int_equal(env_file_lock(second), KAN_HELD);
    env_file_close(create(f->env)); /* does not lose it, as POSIX's would */
    assert_int_equal(env_file_lock(second), KAN_HELD);
    env_file_close(first);
    assert_int_equal(env_file_lock(second), KAN_OK);
    env_file_close(second);
    assert_int_equal(env_file_delete(f->env, path), KAN_OK);
}

static void test_lock_against_a_process(void **state)
{
    struct fixture *f = *state;
    int status;
    struct env_file *file = create(f->env);
    assert_int_equal(env_file_lock(file), KAN_OK);
    pid_t child = fork();
    if (child == 0) {
        struct env_file *mine;
        enum kan_err err = env_file_open(f->env, path, ENV_OPEN_WRITE, &mine);
        _exit(err ? 99 : (int)env_file_lock(mine));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, W_EXITCODE(KAN_HELD, 0));
    env_file_close(file);
    assert_int_equal(env_file_delete(f->env, path), KAN_OK);
}

/* --- directories ---------------------------------------------------------- */

static void test_dir_make(void **state)
{
    struct fixture *f = *state;
    char deep[96];
    struct stat status;
    snprintf(deep, sizeof deep, "%s/a//b/c/", dir);
    assert_int_equal(env_dir_make(f->env, deep), KAN_OK);
    assert_int_equal(env_dir_make(f->env, deep), KAN_OK);
    assert_int_equal(stat(deep, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    env_file_close(create(f->env));
    assert_int_equal(env_dir_make(f->env, path), KAN_INVALID);
    snprintf(deep, sizeof deep, "%s/below", path);
    assert_int_equal(env_dir_make(f->env, deep), KAN_INVALID);
    assert_int_equal(env_dir_make(f->env, ""), KAN_INVALID);
    assert_int_equal(env_file_delete(f->env, path), KAN_OK);
    const char *const parts[] = {"a/b/c", "a/b", "a"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(deep, sizeof deep, "%s/%s", dir, parts[i]);
        assert_int_equal(rmdir(deep), 0);
    }
}

static char listed[256];

static void on_name(void *data, const char *name)
{
    assert_ptr_equal(data, listed);
    strcat(strcat(listed, name), " ");
}

static void test_dir_list(void **state)
{
    struct fixture *f = *state;
    const char *const names[] = {"b", "a", "B", ".c", "aa"};
    enum kan_err err = KAN_NOMEM;
    char name[64];
    for (size_t i = 0; i < 5; i++) {
        struct env_file *file;
        snprintf(name, sizeof name, "%s/%s", dir, names[i]);
        assert_int_equal(env_file_open(f->env, name,
                                       ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file),
                         KAN_OK);
        env_file_close(file);
    }
    int64_t live = mem_live();
    uint64_t n;
    for (n = 1; err == KAN_NOMEM; n++) {
        listed[0] = 0;
        mem_fault(n, false);
        err = env_dir_list(f->env, dir, listed, on_name);
        if (err)
            assert_string_equal(listed, "");
        assert_int_equal(mem_live(), live);
    }
    mem_fault(0, false);
    assert_int_equal(err, KAN_OK);
    assert_int_equal(n, 8); /* the array and five names failed, then none */
    assert_string_equal(listed, ".c B a aa b ");
    for (size_t i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s/%s", dir, names[i]);
        assert_int_equal(env_file_delete(f->env, name), KAN_OK);
    }
    assert_int_equal(env_dir_list(f->env, path, listed, on_name), KAN_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UV_TEST(test_write_and_read),
        UV_TEST(test_open_flags),
        UV_TEST(test_fifo_does_not_hang),
        UV_TEST(test_no_space),
        UV_TEST(test_names),
        UV_TEST(test_lock),
        UV_TEST(test_lock_against_a_process),
        UV_TEST(test_dir_make),
        UV_TEST(test_dir_list),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
