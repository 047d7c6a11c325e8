/* The loop of the real world: time, chance, timers, tasks, posts and lanes. */

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "env/uv/fixture.h"

/* --- what happened, in order ---------------------------------------------- */

static char trace[256];

static void trace_add(const void *data)
{
    size_t size = strlen(trace);
    assert_true(size + 1 < sizeof trace);
    trace[size] = *(const char *)data;
    trace[size + 1] = 0;
}

static void trace_clear(void)
{
    trace[0] = 0;
}

static void trace_task(struct env_task *task)
{
    trace_add(task->data);
}

static void trace_timer(struct env_timer *timer)
{
    trace_add(timer->data);
}

static void nothing_task(struct env_task *task)
{
    (void)task;
}

static void timer_in(struct env *env, struct env_timer *timer, uint64_t ns,
                     env_timer_cb *cb)
{
    assert_int_equal(env_timer_start(env, timer, env_now(env) + ns, cb),
                     KAN_OK);
}

/* --- time and chance ------------------------------------------------------ */

static void test_clocks(void **state)
{
    struct fixture *f = *state;
    uint64_t before = env_now(f->env);
    uint64_t wall = env_wall_ms(f->env) / 1000;
    uint64_t reference = (uint64_t)time(NULL);
    assert_true(wall <= reference + 1 && reference <= wall + 1);
    assert_true(env_now(f->env) >= before);
    assert_false(env_simulated(f->env));
}

static void test_choose_is_fair(void **state)
{
    enum
    {
        DRAWS = 60000,
        SIDES = 6
    };
    struct fixture *f = *state;
    int seen[SIDES] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint64_t side = env_choose(f->env, SIDES);
        assert_true(side < SIDES);
        seen[side]++;
    }
    /* Six standard deviations are about 550. */
    for (int i = 0; i < SIDES; i++)
        assert_in_range(seen[i], DRAWS / SIDES - 600, DRAWS / SIDES + 600);
    assert_int_equal(env_choose(f->env, 1), 0);
    for (int i = 0; i < 1000; i++)
        assert_true(env_choose(f->env, (1ULL << 63) + 1) <= 1ULL << 63);
}

/* --- timers --------------------------------------------------------------- */

static void test_timers_in_order(void **state)
{
    struct fixture *f = *state;
    struct env_timer t[6] = {{0}};
    uint64_t now = env_now(f->env);
    const uint64_t due[6] = {now + 60 * ENV_MS, now + 20 * ENV_MS,
                             now + 20 * ENV_MS, 0,
                             now - 5,           now + 40 * ENV_MS};
    trace_clear();
    for (int i = 0; i < 6; i++) {
        t[i].data = (char *)(uintptr_t) & "abcdef"[i];
        assert_int_equal(env_timer_start(f->env, &t[i], due[i], trace_timer),
                         KAN_OK);
        assert_true(env_timer_armed(&t[i]));
    }
    assert_string_equal(trace, ""); /* never inside the call */
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
    assert_string_equal(trace, "debcfa");
}

static struct env *early_env;
static int early_count;

static void check_due(struct env_timer *timer)
{
    assert_true(env_now(early_env) >= timer->due_ns);
    early_count++;
}

static void test_timers_never_early(void **state)
{
    enum
    {
        COUNT = 50
    };
    struct fixture *f = *state;
    struct env_timer t[COUNT] = {{0}};
    early_env = f->env;
    early_count = 0;
    for (uint64_t i = 0; i < COUNT; i++)
        timer_in(f->env, &t[i], i * 137 * 1000, check_due);
    env_run(f->env, ENV_RUN_UNTIL_STOPPED);
    assert_int_equal(early_count, COUNT);
}

static struct env_timer victim;
static struct env *stop_env;

static void stop_victim(struct env_timer *timer)
{
    trace_add(timer->data);
    env_timer_stop(stop_env, &victim);
}

static void test_timer_stopped_and_moved(void **state)
{
    struct fixture *f = *state;
    struct env_timer stopper = {.data = (char[]){'s'}};
    struct env_timer moved = {.data = (char[]){'m'}};
    victim = (struct env_timer){.data = (char[]){'v'}};
    stop_env = f->env;
    trace_clear();
    timer_in(f->env, &moved, 3600 * (uint64_t)ENV_S, trace_timer);
    assert_int_equal(env_timer_start(f->env, &stopper, 0, stop_victim), KAN_OK);
    assert_int_equal(env_timer_start(f->env, &victim, 0, trace_timer), KAN_OK);
    timer_in(f->env, &moved, ENV_MS, trace_timer);
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
    assert_string_equal(trace, "sm");
    assert_false(env_timer_armed(&victim));
}

static int spins;
static struct env *spin_env;

static void spin_timer(struct env_timer *timer)
{
    spins++;
    assert_int_equal(env_timer_start(spin_env, timer, 0, spin_timer), KAN_OK);
}

static void spin_task(struct env_task *task)
{
    spins++;
    env_defer(spin_env, task, spin_task);
}

static void test_busy_ones_starve_nobody(void **state)
{
    struct fixture *f = *state;
    struct env_timer busy_timer = {0};
    struct env_timer end = {0};
    struct env_task busy_task = {0};
    spins = 0;
    spin_env = f->env;
    early_env = f->env;
    early_count = 0;
    assert_int_equal(env_timer_start(f->env, &busy_timer, 0, spin_timer),
                     KAN_OK);
    env_defer(f->env, &busy_task, spin_task);
    timer_in(f->env, &end, 2 * ENV_MS, check_due);
    run_to(f, &early_count, 1);
    assert_true(spins > 2);
    env_timer_stop(f->env, &busy_timer);
    env_undefer(f->env, &busy_task);
}

static void test_timer_without_memory(void **state)
{
    struct fixture *f = *state;
    struct env_timer timer = {0};
    mem_fault(1, false);
    assert_int_equal(env_timer_start(f->env, &timer, 0, trace_timer),
                     KAN_NOMEM);
    assert_false(env_timer_armed(&timer));
    assert_false(env_run(f->env, ENV_RUN_NOWAIT));
}

/* --- tasks ---------------------------------------------------------------- */

static struct env_task later[2];
static struct env *later_env;

static void defer_more(struct env_task *task)
{
    trace_add(task->data);
    env_defer(later_env, &later[0], trace_task);
    env_defer(later_env, &later[1], trace_task);
    env_defer(later_env, &later[0], trace_task); /* stays where it is */
}

static void test_tasks_in_order(void **state)
{
    struct fixture *f = *state;
    struct env_task a = {.data = (char[]){'a'}};
    struct env_task b = {.data = (char[]){'b'}};
    struct env_task c = {.data = (char[]){'c'}};
    later[0] = (struct env_task){.data = (char[]){'x'}};
    later[1] = (struct env_task){.data = (char[]){'y'}};
    later_env = f->env;
    trace_clear();
    env_defer(f->env, &a, defer_more);
    env_defer(f->env, &b, trace_task);
    env_defer(f->env, &c, trace_task);
    env_undefer(f->env, &b);
    env_undefer(f->env, &b); /* harmless */
    assert_string_equal(trace, "");
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
    assert_string_equal(trace, "acxy");
}

static void stop_here(struct env_task *task)
{
    trace_add(task->data);
    env_stop(later_env);
}

static void test_stop_keeps_the_rest(void **state)
{
    struct fixture *f = *state;
    struct env_task a = {.data = (char[]){'a'}};
    struct env_task b = {.data = (char[]){'b'}};
    struct env_task c = {.data = (char[]){'c'}};
    later_env = f->env;
    trace_clear();
    env_defer(f->env, &a, stop_here);
    env_defer(f->env, &b, trace_task);
    env_defer(f->env, &c, trace_task);
    assert_true(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
    assert_string_equal(trace, "a");
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
    assert_string_equal(trace, "abc");
}

static void test_once_does_not_wait_when_ready(void **state)
{
    struct fixture *f = *state;
    struct env_task task = {.data = (char[]){'a'}};
    struct env_timer far = {0};
    struct env_timer due = {.data = (char[]){'t'}};
    trace_clear();
    timer_in(f->env, &far, 3600 * (uint64_t)ENV_S, guard_cb);
    env_defer(f->env, &task, trace_task);
    assert_true(env_run(f->env, ENV_RUN_ONCE));
    assert_string_equal(trace, "a");
    assert_int_equal(env_timer_start(f->env, &due, 0, trace_timer), KAN_OK);
    assert_true(env_run(f->env, ENV_RUN_ONCE));
    assert_string_equal(trace, "at");
    assert_true(env_run(f->env, ENV_RUN_NOWAIT));
    env_timer_stop(f->env, &far);
    assert_false(env_run(f->env, ENV_RUN_ONCE)); /* nothing to wait for */
}

/* --- posts ---------------------------------------------------------------- */

enum
{
    POSTERS = 4,
    POSTS = 500
};

struct poster
{
    struct env *env;
    pthread_t thread;
    struct env_task tasks[POSTS];
    int next;
};

static int posts_seen;

static void on_post(struct env_task *task)
{
    struct poster *poster = task->data;
    assert_ptr_equal(task, &poster->tasks[poster->next]);
    poster->next++;
    posts_seen++;
}

static void *poster_main(void *data)
{
    struct poster *poster = data;
    for (int i = 0; i < POSTS; i++) {
        poster->tasks[i].data = poster;
        env_post(poster->env, &poster->tasks[i], on_post);
    }
    return NULL;
}

static void test_posts_from_threads(void **state)
{
    static struct poster posters[POSTERS];
    struct fixture *f = *state;
    memset(posters, 0, sizeof posters);
    posts_seen = 0;
    for (int i = 0; i < POSTERS; i++) {
        posters[i].env = f->env;
        assert_int_equal(
            pthread_create(&posters[i].thread, NULL, poster_main, &posters[i]),
            0);
    }
    run_to(f, &posts_seen, POSTERS * POSTS);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(posters[i].thread, NULL);
}

static void test_post_alone_keeps_the_loop(void **state)
{
    struct fixture *f = *state;
    struct env_task task = {.data = (char[]){'p'}};
    trace_clear();
    env_post(f->env, &task, trace_task);
    assert_string_equal(trace, "");
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
    assert_string_equal(trace, "p");
    env_post(f->env, &task, trace_task); /* it has run: it may be used again */
    env_run(f->env, ENV_RUN_NOWAIT);
    assert_string_equal(trace, "pp");
}

/* --- a foreign loop ------------------------------------------------------- */

static void *post_one(void *data)
{
    struct poster *poster = data;
    env_post(poster->env, &poster->tasks[0], trace_task);
    return NULL;
}

static void foreign_turn(struct env *env)
{
    struct pollfd fd = {.fd = env_uv_fd(env), .events = POLLIN};
    poll(&fd, 1, env_uv_timeout_ms(env));
    env_run(env, ENV_RUN_NOWAIT);
}

static void test_foreign_loop(void **state)
{
    static struct poster poster;
    struct fixture *f = *state;
    struct env_timer timer = {.data = (char[]){'t'}};
    struct env_task task = {.data = (char[]){'d'}};
    trace_clear();
    env_run(f->env, ENV_RUN_NOWAIT);
    assert_int_equal(env_uv_timeout_ms(f->env), -1);
    env_defer(f->env, &task, trace_task);
    assert_int_equal(env_uv_timeout_ms(f->env), 0);
    foreign_turn(f->env);
    assert_string_equal(trace, "d");
    timer_in(f->env, &timer, 3 * ENV_MS, trace_timer);
    assert_in_range(env_uv_timeout_ms(f->env), 0, 3);
    while (env_timer_armed(&timer))
        foreign_turn(f->env);
    assert_string_equal(trace, "dt");
    poster = (struct poster){.env = f->env};
    poster.tasks[0].data = (char[]){'p'};
    assert_int_equal(env_uv_timeout_ms(f->env), -1);
    assert_int_equal(pthread_create(&poster.thread, NULL, post_one, &poster),
                     0);
    while (strcmp(trace, "dtp") != 0)
        foreign_turn(f->env);
    pthread_join(poster.thread, NULL);
}

/* --- lanes ---------------------------------------------------------------- */

struct job
{
    struct env_work work; /* first */
    struct env_lane *lane;
    char letter;
    pthread_t ran_on;
    struct job *next; /* to be submitted when this one is done */
};

static void job_run(struct env_work *work)
{
    struct job *job = (struct job *)work;
    job->ran_on = pthread_self();
}

static int jobs_done;

static void job_done(struct env_work *work)
{
    struct job *job = (struct job *)work;
    trace_add(&job->letter);
    jobs_done++;
    if (job->next)
        env_lane_work(job->lane, &job->next->work, job_run, job_done);
}

static void on_lane_closed(void *data)
{
    trace_add("|");
    count_close(data);
}

static void test_lane_closes_after_its_work(void **state)
{
    struct fixture *f = *state;
    struct env_lane *lane;
    struct job jobs[4] = {
        {.letter = 'a'}, {.letter = 'b'}, {.letter = 'c'}, {.letter = 'd'}};
    trace_clear();
    jobs_done = 0;
    assert_int_equal(env_lane_open(f->env, "a name too long by far", &lane),
                     KAN_OK);
    for (int i = 0; i < 4; i++)
        jobs[i].lane = lane;
    jobs[2].next = &jobs[3]; /* submitted while the lane closes */
    for (int i = 0; i < 3; i++)
        env_lane_work(lane, &jobs[i].work, job_run, job_done);
    env_lane_close(lane, f, on_lane_closed);
    assert_string_equal(trace, "");
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
    assert_string_equal(trace, "abcd|");
    for (int i = 0; i < 4; i++)
        assert_false(pthread_equal(jobs[i].ran_on, pthread_self()));
}

static void test_lanes_together(void **state)
{
    enum
    {
        LANES = 3,
        JOBS = 60
    };
    struct fixture *f = *state;
    struct env_lane *lanes[LANES];
    static struct job jobs[LANES][JOBS];
    memset(jobs, 0, sizeof jobs);
    trace_clear();
    jobs_done = 0;
    for (int i = 0; i < LANES; i++)
        assert_int_equal(env_lane_open(f->env, "lane", &lanes[i]), KAN_OK);
    for (int j = 0; j < JOBS; j++) {
        for (int i = 0; i < LANES; i++) {
            jobs[i][j].letter = (char)('a' + i);
            env_lane_work(lanes[i], &jobs[i][j].work, job_run, job_done);
        }
    }
    run_to(f, &jobs_done, LANES * JOBS);
    for (int i = 0; i < LANES; i++) {
        assert_false(
            pthread_equal(jobs[i][0].ran_on, jobs[(i + 1) % LANES][0].ran_on));
        assert_true(pthread_equal(jobs[i][0].ran_on, jobs[i][JOBS - 1].ran_on));
        env_lane_close(lanes[i], f, count_close);
    }
    run_to_closed(f, LANES);
}

static void test_idle_lane_does_not_hold_the_loop(void **state)
{
    struct fixture *f = *state;
    struct env_lane *lane;
    assert_int_equal(env_lane_open(f->env, "idle", &lane), KAN_OK);
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
    env_lane_close(lane, NULL, NULL);
    assert_false(env_run(f->env, ENV_RUN_UNTIL_STOPPED));
}

static void test_lane_without_memory(void **state)
{
    struct fixture *f = *state;
    struct env_lane *lane = NULL;
    mem_fault(1, false);
    assert_int_equal(env_lane_open(f->env, "x", &lane), KAN_NOMEM);
    assert_null(lane);
    assert_int_equal(env_lane_open(f->env, "x", &lane), KAN_OK);
    env_lane_close(lane, f, count_close);
    run_to_closed(f, 1);
}

/* --- life cycle ----------------------------------------------------------- */

static void test_new_without_memory(void **state)
{
    struct env *env = NULL;
    (void)state;
    mem_fault(1, false);
    assert_int_equal(env_uv_new(&env), KAN_NOMEM);
    assert_null(env);
    assert_int_equal(env_uv_new(&env), KAN_OK);
    assert_false(env_run(env, ENV_RUN_UNTIL_STOPPED));
    env_free(env);
    assert_null(env_free(NULL));
}

/* Every descriptor that a world needs is refused once. libuv 1.44 itself loses
 * some then, which nobody can close. */
static void test_new_without_descriptors(void **state)
{
    struct rlimit old;
    struct env *env = NULL;
    enum kan_err err = KAN_BUSY;
    int refused = 0;
    struct fixture *f = *state;
    int before = descriptors();
    getrlimit(RLIMIT_NOFILE, &old);
    for (rlim_t limit = 0; err == KAN_BUSY; limit += 3) {
        const struct rlimit few = {limit, old.rlim_max};
        setrlimit(RLIMIT_NOFILE, &few);
        err = env_uv_new(&env);
        setrlimit(RLIMIT_NOFILE, &old);
        refused += err != KAN_OK;
    }
    assert_int_equal(err, KAN_OK);
    assert_true(refused > 3);
    env_free(env);
    f->descriptors += descriptors() - before;
}

static void some_handler(int number)
{
    (void)number;
}

static void check_sigpipe(void (*before)(int), void (*after)(int))
{
    struct sigaction action;
    struct env *env;
    signal(SIGPIPE, before);
    assert_int_equal(env_uv_new(&env), KAN_OK);
    sigaction(SIGPIPE, NULL, &action);
    assert_true(action.sa_handler == after);
    env_free(env);
}

static void test_sigpipe(void **state)
{
    (void)state;
    check_sigpipe(some_handler, some_handler); /* a program's own is kept */
    check_sigpipe(SIG_DFL, SIG_IGN);
}

static void test_two_worlds(void **state)
{
    struct fixture *f = *state;
    struct env *other;
    struct env_task a = {.data = (char[]){'a'}};
    struct env_task b = {.data = (char[]){'b'}};
    trace_clear();
    assert_int_equal(env_uv_new(&other), KAN_OK);
    env_defer(f->env, &a, trace_task);
    env_defer(other, &b, trace_task);
    env_run(other, ENV_RUN_NOWAIT);
    assert_string_equal(trace, "b");
    env_run(f->env, ENV_RUN_NOWAIT);
    assert_string_equal(trace, "ba");
    env_defer(other, &b, nothing_task);
    env_undefer(other, &b);
    env_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UV_TEST(test_clocks),
        UV_TEST(test_choose_is_fair),
        UV_TEST(test_timers_in_order),
        UV_TEST(test_timers_never_early),
        UV_TEST(test_timer_stopped_and_moved),
        UV_TEST(test_busy_ones_starve_nobody),
        UV_TEST(test_timer_without_memory),
        UV_TEST(test_tasks_in_order),
        UV_TEST(test_stop_keeps_the_rest),
        UV_TEST(test_once_does_not_wait_when_ready),
        UV_TEST(test_posts_from_threads),
        UV_TEST(test_post_alone_keeps_the_loop),
        UV_TEST(test_foreign_loop),
        UV_TEST(test_lane_closes_after_its_work),
        UV_TEST(test_lanes_together),
        UV_TEST(test_idle_lane_does_not_hold_the_loop),
        UV_TEST(test_lane_without_memory),
        UV_TEST(test_new_without_memory),
        UV_TEST(test_new_without_descriptors),
        UV_TEST(test_sigpipe),
        UV_TEST(test_two_worlds),
    };
    return cmocka_run_group_tests(tests, fixture_warm, NULL);
}
