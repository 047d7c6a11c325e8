/* fixture.h - a world for each test, and what must be as before when it ends:
 * the heap, the open descriptors, and the time it took (a test that hangs
 * fails by a timer). */

#ifndef ENV_UV_FIXTURE_H
#define ENV_UV_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "env/env.h"
#include "env/uv/uv.h"

struct fixture
{
    struct env *env;
    struct env_timer guard;
    int64_t live;
    int descriptors;
    int closed; /* count_close() was called */
};

static inline int descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static inline void guard_cb(struct env_timer *timer)
{
    (void)timer;
    fail_msg("the test hangs");
}

/* A machine may be without IPv6; then there is nothing to test of it. */
static inline bool have_ipv6(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound =
        fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof any) == 0;
    if (fd >= 0)
        close(fd);
    return bound;
}

/* libuv keeps a pipe for signals once any loop has been made. */
static inline int fixture_warm(void **state)
{
    struct env *env;
    (void)state;
    assert_int_equal(env_uv_new(&env), KAN_OK);
    env_free(env);
    return 0;
}

static inline int fixture_up(void **state)
{
    static struct fixture fixture;
    fixture =
        (struct fixture){.live = mem_live(), .descriptors = descriptors()};
    assert_int_equal(env_uv_new(&fixture.env), KAN_OK);
    *state = &fixture;
    return 0;
}

static inline int fixture_down(void **state)
{
    struct fixture *fixture = *state;
    mem_fault(0, false);
    env_timer_stop(fixture->env, &fixture->guard);
    assert_null(env_free(fixture->env));
    assert_int_equal(mem_live(), fixture->live);
    assert_int_equal(descriptors(), fixture->descriptors);
    return 0;
}

/* Run until *counter has reached the goal. */
static inline void run_to(struct fixture *fixture, const int *counter, int goal)
{
    struct env *env = fixture->env;
    assert_int_equal(
        env_timer_start(env, &fixture->guard,
                        env_now(env) + 20 * (uint64_t)ENV_S, guard_cb),
        KAN_OK);
    while (*counter < goal)
        env_run(env, ENV_RUN_ONCE);
    assert_int_equal(*counter, goal);
    env_timer_stop(env, &fixture->guard);
}

/* An env_close_cb for a struct fixture, and the wait for it. */
static inline void count_close(void *data)
{
    struct fixture *fixture = data;
    fixture->closed++;
}

static inline void run_to_closed(struct fixture *fixture, int goal)
{
    run_to(fixture, &fixture->closed, goal);
}

#define UV_TEST(function) \
    cmocka_unit_test_setup_teardown(function, fixture_up, fixture_down)

#endif /* ENV_UV_FIXTURE_H */
