/* Foreign code that crashes, loops or leaves: on several threads, again and
 * again, and beside handlers of somebody else. */

#include "block/actor/guard.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* What no compiler knows: where nothing is, and what is never true. */
static int *volatile nowhere;
static volatile int zero;

/* A thread sanitizer hands out signals at calls of the C library. */
static size_t (*volatile length)(const char *) = strlen;

/* cmocka takes the signals for itself, before each test. */
static void guard_take(void **state)
{
    (void)state;
    assert_int_equal(guard_install(), KAN_OK);
}

static void do_nothing(void *data)
{
    ++*(int *)data;
}

__attribute__((no_sanitize("undefined", "address", "thread"))) static void
do_crash(void *data)
{
    ++*(int *)data;
    *nowhere = 1;
}

static void do_abort(void *data)
{
    ++*(int *)data;
    abort();
}

static void do_trap(void *data)
{
    ++*(int *)data;
    __builtin_trap();
}

static void do_leave(void *data)
{
    ++*(int *)data;
    guard_leave();
}

static void do_loop(void *data)
{
    ++*(int *)data;
    while (length("") == 0)
        continue;
}

__attribute__((noinline)) static int go_deep(int n)
{
    volatile char room[4096];

    room[zero] = (char)n;
    return n == -1 ? 0 : go_deep(n + 1) + room[zero];
}

static void do_deep(void *data)
{
    *(int *)data += go_deep(0);
}

static enum guard_end run(void (*call)(void *), uint32_t limit_ms)
{
    int count = 0;
    struct guard_report report;

    assert_int_equal(guard_install(), KAN_OK);
    report = guard_run(call, &count, limit_ms);
    assert_int_equal(count, 1);
    return report.end;
}

/* --- ends ----------------------------------------------------------------- */

static void test_ends(void **state)
{
    int count = 0;
    struct guard_report report;

    guard_take(state);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run(do_nothing, 0), GUARD_DONE);
        assert_int_equal(run(do_leave, 0), GUARD_LEFT);
        assert_int_equal(run(do_crash, 0), GUARD_CRASHED);
        assert_int_equal(run(do_abort, 0), GUARD_CRASHED);
        assert_int_equal(run(do_trap, 100), GUARD_CRASHED);
        assert_int_equal(run(do_loop, 3), GUARD_OVERRUN);
    }
    report = guard_run(do_abort, &count, 0);
    assert_int_equal(report.signal, SIGABRT);
    report = guard_run(do_trap, &count, 0);
    assert_int_equal(report.signal, SIGILL);
}

static void test_address(void **state)
{
    int count = 0;
    char *page =
        mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct guard_report report;

    guard_take(state);
    assert_ptr_not_equal(page, MAP_FAILED);
    nowhere = (int *)(void *)(page + 64);
    report = guard_run(do_crash, &count, 0);
    nowhere = NULL;
    assert_int_equal(report.end, GUARD_CRASHED);
    assert_int_equal(report.signal, SIGSEGV);
    assert_ptr_equal(report.address, page + 64);
    (void)munmap(page, 4096);
}

/* A stack used up is left by way of the signal's own. */
static void test_deep(void **state)
{
    int sum = 0;

    guard_take(state);
    for (int i = 0; i < 3; i++)
        assert_int_equal(guard_run(do_deep, &sum, 0).end, GUARD_CRASHED);
}

/* The mask of a thread is what it was. */
static void test_mask(void **state)
{
    sigset_t before;
    sigset_t after;

    guard_take(state);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    assert_int_equal(run(do_crash, 0), GUARD_CRASHED);
    assert_int_equal(run(do_loop, 2), GUARD_OVERRUN);
    assert_int_equal(run(do_abort, 0), GUARD_CRASHED);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    for (int i = 1; i < 32; i++)
        assert_int_equal(sigismember(&before, i), sigismember(&after, i));
}

/* --- limits --------------------------------------------------------------- */

/* Short runs share a timer, and none is ended for what others used. */
static void test_many_short(void **state)
{
    guard_take(state);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(run(do_nothing, 20), GUARD_DONE);
    assert_int_equal(run(do_loop, 20), GUARD_OVERRUN);
}

/* A smaller limit does not wait for the larger one before it, and none is
 * none. */
static void test_limits_change(void **state)
{
    guard_take(state);
    assert_int_equal(run(do_nothing, 1000000), GUARD_DONE);
    assert_int_equal(run(do_loop, 2), GUARD_OVERRUN);
    assert_int_equal(run(do_nothing, 1000000), GUARD_DONE);
    assert_int_equal(run(do_nothing, 0), GUARD_DONE);
    assert_int_equal(run(do_loop, 2), GUARD_OVERRUN);
}

struct slow
{
    int before;
    int inside;
    int after;
};

static void spin(void)
{
    for (volatile int i = 0; i < 60000000; i++)
        zero = 0;
}

static void do_slow_pause(void *data)
{
    struct slow *slow = data;

    slow->before++;
    guard_pause();
    spin();
    slow->inside++;
    guard_resume();
    spin();
    while (length("") == 0)
        continue;
    slow->after++;
}

/* An overrun in a pause waits for its end. */
static void test_pause(void **state)
{
    struct slow slow = {0};

    guard_take(state);
    assert_int_equal(guard_run(do_slow_pause, &slow, 2).end, GUARD_OVERRUN);
    assert_int_equal(slow.before, 1);
    assert_int_equal(slow.inside, 1);
    assert_int_equal(slow.after, 0);
}

/* --- signals that are not ours -------------------------------------------- */

static volatile sig_atomic_t foreign_count;
static sigjmp_buf foreign_jump;

static void foreign_take(int number)
{
    (void)number;
    foreign_count++;
}

static void foreign_leave(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    foreign_count += info->si_addr == NULL;
    siglongjmp(foreign_jump, 1);
}

static void test_foreign(void **state)
{
    struct sigaction take = {.sa_handler = foreign_take};
    struct sigaction leave = {.sa_sigaction = foreign_leave,
                              .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction before[2];

    guard_take(state);
    assert_int_equal(sigaction(SIGVTALRM, &take, &before[0]), 0);
    assert_int_equal(sigaction(SIGSEGV, &leave, &before[1]), 0);
    assert_int_equal(guard_install(), KAN_OK);
    assert_int_equal(guard_install(), KAN_OK);
    foreign_count = 0;
    assert_int_equal(raise(SIGVTALRM), 0);
    assert_int_equal(foreign_count, 1);
    if (sigsetjmp(foreign_jump, 1) == 0)
        do_crash(&(int){0});
    assert_int_equal(foreign_count, 2);
    assert_int_equal(run(do_crash, 0), GUARD_CRASHED);
    assert_int_equal(run(do_loop, 2), GUARD_OVERRUN);
    assert_int_equal(foreign_count, 2);
    assert_int_equal(sigaction(SIGVTALRM, &before[0], NULL), 0);
    assert_int_equal(sigaction(SIGSEGV, &before[1], NULL), 0);
    assert_int_equal(guard_install(), KAN_OK);
}

/* signal() loses our flags when it puts us back; installing mends that, and
 * whoever was there before is still known. */
static void test_put_back(void **state)
{
    struct sigaction leave = {.sa_sigaction = foreign_leave,
                              .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction before;
    struct sigaction now;
    void (*ours)(int);

    assert_int_equal(sigaction(SIGSEGV, &leave, &before), 0);
    guard_take(state);
    ours = signal(SIGSEGV, foreign_take);
    assert_true(signal(SIGSEGV, ours) == foreign_take);
    assert_int_equal(guard_install(), KAN_OK);
    assert_int_equal(sigaction(SIGSEGV, NULL, &now), 0);
    assert_true(now.sa_flags & SA_ONSTACK);
    assert_int_equal(run(do_crash, 0), GUARD_CRASHED);
    foreign_count = 0;
    if (sigsetjmp(foreign_jump, 1) == 0)
        do_crash(&(int){0});
    assert_int_equal(foreign_count, 1);
    assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
}

/* --- threads -------------------------------------------------------------- */

static void *thread_run(void *data)
{
    int *failures = data;
    int sum = 0;

    for (int i = 0; i < 40; i++) {
        *failures += guard_install() != KAN_OK;
        *failures += guard_run(do_nothing, &sum, 5).end != GUARD_DONE;
        *failures += guard_run(do_crash, &sum, 50).end != GUARD_CRASHED;
        *failures += guard_run(do_leave, &sum, 0).end != GUARD_LEFT;
        if (i % 10 == 0) {
            *failures += guard_run(do_deep, &sum, 0).end != GUARD_CRASHED;
            *failures += guard_run(do_loop, &sum, 2).end != GUARD_OVERRUN;
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[4];
    int failures[4] = {0};

    guard_take(state);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, thread_run, &failures[i]), 0);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_int_equal(failures[i], 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),       cmocka_unit_test(test_address),
        cmocka_unit_test(test_deep),       cmocka_unit_test(test_mask),
        cmocka_unit_test(test_many_short), cmocka_unit_test(test_limits_change),
        cmocka_unit_test(test_pause),      cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_put_back),   cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
