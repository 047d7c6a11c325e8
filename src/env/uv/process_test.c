/* Processes and signals of this machine. */

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "env/uv/fixture.h"

/* --- processes ------------------------------------------------------------ */

static struct
{
    int ended;
    int64_t code;
    int signal;
} exited;

static void on_exit_status(void *data, int64_t code, int signal)
{
    assert_ptr_equal(data, &exited);
    exited.ended++;
    exited.code = code;
    exited.signal = signal;
}

static enum kan_err spawn(struct fixture *f, const char *const *arguments,
                          const char *const *environment,
                          struct env_process **ret_process)
{
    const struct env_spawn_options options = {arguments, environment};
    memset(&exited, 0, sizeof exited);
    return env_spawn(f->env, &options, &exited, on_exit_status, ret_process);
}

static void shell(struct fixture *f, const char *script,
                  const char *const *environment, int code, int signal)
{
    const char *const arguments[] = {"sh", "-c", script, NULL};
    struct env_process *process = NULL;
    assert_int_equal(spawn(f, arguments, environment, &process), KAN_OK);
    assert_true(env_process_id(process) > 0);
    run_to(f, &exited.ended, 1);
    assert_int_equal(exited.code, code);
    assert_int_equal(exited.signal, signal);
    env_process_signal(process, SIGKILL); /* too late, and harmless */
    f->closed = 0;
    env_process_close(process, f, count_close);
    run_to_closed(f, 1);
}

static void test_exit_codes(void **state)
{
    struct fixture *f = *state;
    shell(f, "exit 0", NULL, 0, 0);
    shell(f, "exit 7", NULL, 7, 0);
    shell(f, "kill -TERM $$", NULL, 0, SIGTERM);
    /* We ignore it; the child must not. */
    shell(f, "kill -PIPE $$; exit 5", NULL, 0, SIGPIPE);
}

static void test_environment(void **state)
{
    struct fixture *f = *state;
    const char *const added[] = {"KAN_A=new", "KAN_C=x=y", NULL};
    setenv("KAN_A", "old", 1);
    setenv("KAN_AB", "kept", 1);
    shell(f, "test $KAN_A = new && test $KAN_AB = kept && test $KAN_C = x=y",
          added, 0, 0);
    shell(f, "test $KAN_A = old && test -z \"$KAN_C\"", NULL, 0, 0);
    unsetenv("KAN_A");
    unsetenv("KAN_AB");
}

static void test_spawn_refused(void **state)
{
    struct fixture *f = *state;
    struct env_process *process = NULL;
    const char *const absent[] = {"kan-no-such-program", NULL};
    const char *const not_program[] = {"/etc/passwd", NULL};
    const char *const empty[] = {NULL};
    assert_int_equal(spawn(f, absent, NULL, &process), KAN_NOTFOUND);
    assert_int_equal(spawn(f, not_program, NULL, &process), KAN_INVALID);
    assert_int_equal(spawn(f, empty, NULL, &process), KAN_INVALID);
    assert_null(process);
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
    assert_int_equal(exited.ended, 0);
}

static void test_spawn_without_memory(void **state)
{
    struct fixture *f = *state;
    const char *const arguments[] = {"true", NULL};
    struct env_process *process = NULL;
    enum kan_err err = KAN_NOMEM;
    int64_t live = mem_live();
    uint64_t n;
    for (n = 1;; n++) {
        mem_fault(n, false);
        err = spawn(f, arguments, NULL, &process);
        mem_fault(0, false);
        if (err != KAN_NOMEM)
            break;
        assert_int_equal(mem_live(), live);
    }
    assert_int_equal(err, KAN_OK);
    assert_int_equal(n, 3);
    run_to(f, &exited.ended, 1);
    env_process_close(process, f, count_close);
    run_to_closed(f, 1);
}

static struct env_process *sleeper(struct fixture *f)
{
    const char *const arguments[] = {"sleep", "600", NULL};
    struct env_process *process = NULL;
    assert_int_equal(spawn(f, arguments, NULL, &process), KAN_OK);
    return process;
}

static void test_signal_to_process(void **state)
{
    struct fixture *f = *state;
    struct env_process *process = sleeper(f);
    env_process_signal(process, SIGINT);
    run_to(f, &exited.ended, 1);
    assert_int_equal(exited.signal, SIGINT);
    env_process_close(process, f, count_close);
    run_to_closed(f, 1);
}

static void test_forgotten_process(void **state)
{
    struct fixture *f = *state;
    struct env_process *process = sleeper(f);
    pid_t pid = (pid_t)env_process_id(process);
    env_process_close(process, f, count_close);
    assert_int_equal(f->closed, 0);
    run_to_closed(f, 1);
    assert_false(env_run(f->env, ENV_RUN_NOWAIT)); /* nothing waits for it */
    kill(pid, SIGKILL);
    while (kill(pid, 0) == 0) /* it is waited for: no zombie */
        env_run(f->env, ENV_RUN_NOWAIT);
    assert_int_equal(exited.ended, 0);
}

static void test_process_outlives_the_world(void **state)
{
    struct fixture *f = *state;
    struct env_process *process = sleeper(f);
    pid_t pid = (pid_t)env_process_id(process);
    env_process_close(process, NULL, NULL);
    env_run(f->env, ENV_RUN_NOWAIT);
    assert_null(env_free(f->env));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(env_uv_new(&f->env), KAN_OK);
}

/* --- signals -------------------------------------------------------------- */

static int signals_seen;

static void on_signal(void *data, int signal)
{
    assert_ptr_equal(data, &signals_seen);
    assert_int_equal(signal, SIGUSR1);
    signals_seen++;
}

static void test_signals(void **state)
{
    struct fixture *f = *state;
    struct env_signal *opened = NULL;
    signals_seen = 0;
    assert_int_equal(
        env_signal_open(f->env, SIGKILL, &signals_seen, on_signal, &opened),
        KAN_INVALID);
    assert_int_equal(
        env_signal_open(f->env, 0, &signals_seen, on_signal, &opened),
        KAN_INVALID);
    mem_fault(1, false);
    assert_int_equal(
        env_signal_open(f->env, SIGUSR1, &signals_seen, on_signal, &opened),
        KAN_NOMEM);
    assert_null(opened);
    assert_int_equal(
        env_signal_open(f->env, SIGUSR1, &signals_seen, on_signal, &opened),
        KAN_OK);
    raise(SIGUSR1);
    assert_int_equal(signals_seen, 0);
    run_to(f, &signals_seen, 1);
    raise(SIGUSR1);
    run_to(f, &signals_seen, 2);
    env_signal_close(opened, f, count_close);
    run_to_closed(f, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UV_TEST(test_exit_codes),
        UV_TEST(test_environment),
        UV_TEST(test_spawn_refused),
        UV_TEST(test_spawn_without_memory),
        UV_TEST(test_signal_to_process),
        UV_TEST(test_forgotten_process),
        UV_TEST(test_process_outlives_the_world),
        UV_TEST(test_signals),
    };
    return cmocka_run_group_tests(tests, fixture_warm, NULL);
}
