/* Time, timers, tasks, lanes, processes and signals of a simulated world. */

#include "env/sim/fixture.h"

struct fixture fixture;

static void say_timer(struct env_timer *timer)
{
    say(timer->data);
}

static void say_task(struct env_task *task)
{
    say(task->data);
}

static void say_run(struct env_work *work)
{
    say("run");
    say(work->data);
}

static void say_done(struct env_work *work)
{
    say("done");
    say(work->data);
}

/* --- time ----------------------------------------------------------------- */

static void test_time_is_virtual(void **state)
{
    struct env_timer timer = {.data = "day"};
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    uint64_t wall_ms = env_wall_ms(env);
    assert_true(env_simulated(env));
    assert_int_equal(env_now(env), 0);
    assert_int_equal(wall_ms, 1767225600000u);
    assert_ok(env_timer_start(env, &timer, 86400ull * ENV_S, say_timer));
    assert_false(env_run(env, ENV_RUN_UNTIL_STOPPED));
    said("day");
    assert_int_equal(env_now(env), 86400ull * ENV_S);
    assert_int_equal(env_wall_ms(env), wall_ms + 86400000);
    sim_wall_jump(env, -3600000);
    assert_int_equal(env_wall_ms(env), wall_ms + 82800000);
    assert_null(env_free(env));
    world_down();
}

static void test_timers_in_order(void **state)
{
    struct env_timer t[5] = {{.data = "a"},
                             {.data = "b"},
                             {.data = "c"},
                             {.data = "d"},
                             {.data = "e"}};
    (void)state;
    world_up(NULL, 1);
    struct env *a = node_up("a");
    struct env *b = node_up("b");
    assert_ok(env_timer_start(a, &t[0], 20, say_timer));
    assert_ok(env_timer_start(b, &t[1], 10, say_timer));
    assert_ok(env_timer_start(a, &t[2], 10, say_timer));
    assert_ok(env_timer_start(b, &t[3], 10, say_timer));
    assert_ok(env_timer_start(b, &t[4], 5, say_timer));
    env_timer_stop(b, &t[4]);
    assert_true(sim_run(fixture.world, 15));
    said("b c d");
    assert_int_equal(sim_now(fixture.world), 15);
    assert_false(sim_run(fixture.world, UINT64_MAX));
    said("a");
    assert_int_equal(sim_now(fixture.world), 20);
    world_down();
}

static struct env *clock_env;
static unsigned late_count;

static void check_due(struct env_timer *timer)
{
    assert_true(env_now(clock_env) >= timer->due_ns);
    assert_true(env_now(clock_env) <= timer->due_ns + 2);
    late_count++;
}

/* A timer is never early by its own host's clock, whatever its rate. */
static void test_clock_rates(void **state)
{
    static const int32_t rates[] = {0, 1, -1, 333, -777, 499999, -500000, 0};
    struct env_timer timers[8][20] = {0};
    (void)state;
    world_up(NULL, 1);
    clock_env = node_up("a");
    struct env *other = node_up("b");
    late_count = 0;
    for (unsigned r = 0; r < 8; r++) {
        uint64_t before = env_now(clock_env);
        sim_clock_rate(clock_env, rates[r]);
        assert_int_equal(env_now(clock_env), before);
        for (uint64_t i = 0; i < 20; i++)
            assert_ok(env_timer_start(clock_env, &timers[r][i],
                                      before + i * i * i * 1237, check_due));
        uint64_t start = sim_now(fixture.world);
        sim_run(fixture.world, start + ENV_S);
        uint64_t passed = env_now(clock_env) - before;
        assert_int_equal(passed, ENV_S + rates[r] * (ENV_S / 1000000));
    }
    assert_int_equal(late_count, 160);
    assert_int_equal(env_now(other), sim_now(fixture.world));
    world_down();
}

/* --- tasks ---------------------------------------------------------------- */

static struct env *task_env;
static struct env_task task_two = {.data = "two"};

static void say_and_defer(struct env_task *task)
{
    say(task->data);
    env_defer(task_env, &task_two, say_task);
}

static void test_deferred_come_first(void **state)
{
    struct env_timer timer = {.data = "timer"};
    struct env_task one = {.data = "one"};
    struct env_task three = {.data = "three"};
    struct env_task gone = {.data = "gone"};
    struct env_task posted = {.data = "posted"};
    (void)state;
    world_up(NULL, 1);
    task_env = node_up("a");
    assert_ok(env_timer_start(task_env, &timer, 0, say_timer));
    env_post(task_env, &posted, say_task);
    env_defer(task_env, &one, say_and_defer);
    env_defer(task_env, &gone, say_task);
    env_defer(task_env, &three, say_task);
    env_defer(task_env, &one, say_and_defer); /* waits already */
    env_undefer(task_env, &gone);
    assert_false(env_run(task_env, ENV_RUN_UNTIL_STOPPED));
    said("one three two posted timer");
    world_down();
}

static void spin_task(struct env_task *task)
{
    env_defer(task_env, task, spin_task);
}

static void stop_timer(struct env_timer *timer)
{
    env_stop(timer->data);
}

static void test_busy_ones_starve_nobody(void **state)
{
    struct env_task busy = {0};
    (void)state;
    world_up(NULL, 1);
    task_env = node_up("a");
    struct env_timer timer = {.data = task_env};
    env_defer(task_env, &busy, spin_task);
    (void)env_run(task_env, ENV_RUN_NOWAIT);
    assert_ok(env_timer_start(task_env, &timer, 20 * ENV_MS, stop_timer));
    assert_true(env_run(task_env, ENV_RUN_UNTIL_STOPPED));
    assert_true(env_now(task_env) >= 20 * ENV_MS);
    world_down();
}

static void test_run_modes(void **state)
{
    struct env_timer near = {.data = "near"};
    struct env_timer far = {.data = "far"};
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    assert_false(env_run(env, ENV_RUN_NOWAIT));
    assert_ok(env_timer_start(env, &near, 10, say_timer));
    assert_ok(env_timer_start(env, &far, 20, say_timer));
    assert_true(env_run(env, ENV_RUN_NOWAIT));
    said("");
    assert_true(env_run(env, ENV_RUN_ONCE));
    said("near");
    assert_false(env_run(env, ENV_RUN_ONCE));
    said("far");
    world_down();
}

/* Run a few tasks and timers of two processes; what they said, in order. */
static void shuffled_run(uint64_t seed, char out[64])
{
    static const struct sim_options OPTIONS = {.shuffle = true};
    struct env_timer t[3] = {{.data = "1"}, {.data = "2"}, {.data = "3"}};
    struct env_task p[3] = {{.data = "x"}, {.data = "y"}, {.data = "z"}};
    world_up(&OPTIONS, seed);
    for (int i = 0; i < 3; i++) {
        struct env *env = node_up(i == 0 ? "a" : i == 1 ? "b" : "c");
        assert_ok(env_timer_start(env, &t[i], 10, say_timer));
        env_post(env, &p[i], say_task);
    }
    sim_run(fixture.world, UINT64_MAX);
    memcpy(out, fixture.trace, 64);
    world_down();
}

static void test_shuffle(void **state)
{
    char first[64];
    char again[64];
    bool other = false;
    (void)state;
    shuffled_run(1, first);
    for (uint64_t seed = 1; seed < 30; seed++) {
        shuffled_run(seed, again);
        other |= strcmp(first, again) != 0;
        assert_int_equal(strlen(again), strlen("x y z 1 2 3"));
    }
    assert_true(other);
    shuffled_run(1, again);
    assert_string_equal(first, again);
}

/* --- lanes ---------------------------------------------------------------- */

static void test_lane(void **state)
{
    struct env_work one = {.data = "1"};
    struct env_work two = {.data = "2"};
    struct env_lane *lane;
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    assert_ok(env_lane_open(env, "disk", &lane));
    assert_false(env_run(env, ENV_RUN_UNTIL_STOPPED)); /* idle */
    env_lane_work(lane, &one, say_run, say_done);
    env_lane_work(lane, &two, say_run, say_done);
    env_lane_close(lane, "closed", say_closed);
    said("");
    assert_false(env_run(env, ENV_RUN_UNTIL_STOPPED));
    said("run 1 done 1 run 2 done 2 closed");
    assert_ok(env_lane_open(env, "disk", &lane));
    env_lane_close(lane, "closed", say_closed);
    env_lane_work(lane, &one, say_run, say_done); /* just in time */
    assert_false(env_run(env, ENV_RUN_UNTIL_STOPPED));
    said("run 1 done 1 closed");
    env_free(env);
    world_down();
}

/* The tape decides whether the second work runs before the first is told. */
static void test_lane_order_varies(void **state)
{
    const struct sim_options options = {.lane_jitter_ns = 100};
    bool early = false;
    bool late = false;
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct env_work one = {.data = "1"};
        struct env_work two = {.data = "2"};
        struct env_lane *lane;
        world_up(&options, seed);
        struct env *env = node_up("a");
        assert_ok(env_lane_open(env, "disk", &lane));
        env_lane_work(lane, &one, say_run, say_done);
        env_lane_work(lane, &two, say_run, say_done);
        sim_run(fixture.world, UINT64_MAX);
        early |= strcmp(fixture.trace, "run 1 run 2 done 1 done 2") == 0;
        late |= strcmp(fixture.trace, "run 1 done 1 run 2 done 2") == 0;
        world_down();
    }
    assert_true(early && late);
}

/* --- processes and signals ------------------------------------------------ */

static int64_t last_code;
static int last_signal;

static void exited(void *data, int64_t exit_code, int signal)
{
    say(data);
    last_code = exit_code;
    last_signal = signal;
}

static enum kan_err script(void *data, const struct env_spawn_options *options,
                           struct sim_program *ret_program)
{
    const char *name = options->arguments[0];
    (void)data;
    if (strcmp(name, "absent") == 0)
        return KAN_NOTFOUND;
    ret_program->run_ns = strcmp(name, "server") == 0 ? UINT64_MAX : 5;
    ret_program->stubborn = strcmp(name, "server") == 0;
    ret_program->exit_code = 3;
    return KAN_OK;
}

static void test_processes(void **state)
{
    const struct sim_options options = {.script = script};
    const char *absent[] = {"absent", NULL};
    const char *server[] = {"server", NULL};
    const char *tool[] = {"tool", NULL};
    const char *none[] = {NULL};
    struct env_process *p;
    struct env_process *q;
    (void)state;
    world_up(&options, 1);
    struct env *env = node_up("a");
    struct env_spawn_options spawn = {.arguments = absent};
    assert_int_equal(env_spawn(env, &spawn, "p", exited, &p), KAN_NOTFOUND);
    spawn.arguments = none;
    assert_int_equal(env_spawn(env, &spawn, "p", exited, &p), KAN_INVALID);
    spawn.arguments = tool;
    assert_ok(env_spawn(env, &spawn, "tool", exited, &p));
    spawn.arguments = server;
    assert_ok(env_spawn(env, &spawn, "server", exited, &q));
    assert_int_not_equal(env_process_id(p), env_process_id(q));
    sim_run(fixture.world, UINT64_MAX);
    said("tool");
    assert_int_equal(last_code, 3);
    assert_int_equal(last_signal, 0);
    env_process_signal(p, 9); /* too late */
    env_process_signal(q, 15);
    sim_run(fixture.world, UINT64_MAX);
    said("");
    env_process_signal(q, 9);
    sim_run(fixture.world, UINT64_MAX);
    said("server");
    assert_int_equal(last_signal, 9);
    spawn.arguments = tool;
    env_process_close(p, "closed", say_closed);
    env_process_close(q, NULL, NULL);
    assert_ok(env_spawn(env, &spawn, "forgotten", exited, &p));
    env_process_close(p, NULL, NULL);
    assert_false(env_run(env, ENV_RUN_UNTIL_STOPPED));
    said("closed");
    env_free(env);
    world_down();
}

static void signaled(void *data, int signal)
{
    say(data);
    last_signal = signal;
}

static void test_signals(void **state)
{
    struct env_signal *term;
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    assert_false(sim_signal(env, 15));
    assert_ok(env_signal_open(env, 15, "term", signaled, &term));
    assert_true(sim_signal(env, 15));
    assert_false(sim_signal(env, 2));
    said("");
    sim_run(fixture.world, UINT64_MAX);
    said("term");
    assert_int_equal(last_signal, 15);
    assert_true(sim_signal(env, 15));
    env_signal_close(term, "closed", say_closed);
    assert_false(env_run(env, ENV_RUN_UNTIL_STOPPED));
    said("closed");
    env_free(env);
    world_down();
}

/* --- death ---------------------------------------------------------------- */

static void crash_work(struct env_work *work)
{
    say("crash");
    sim_crash(work->data);
}

static void test_ghost(void **state)
{
    struct env_timer timer = {.data = "timer"};
    struct env_task task = {.data = "task"};
    struct env_lane *lane;
    struct env *next;
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    struct env_work work = {.data = env};
    struct env_work more = {.data = "more"};
    assert_int_equal(sim_restart(fixture.world, "b", &next), KAN_NOTFOUND);
    assert_int_equal(sim_restart(fixture.world, "a", &next), KAN_HELD);
    assert_ok(env_lane_open(env, "disk", &lane));
    assert_ok(env_timer_start(env, &timer, ENV_S, say_timer));
    env_lane_work(lane, &work, crash_work, say_done);
    env_lane_work(lane, &more, say_run, say_done);
    sim_run(fixture.world, UINT64_MAX);
    said("crash");
    assert_true(sim_dead(env));
    assert_int_equal(probed(SIM_PROBE_CRASH_BEFORE_DONE), 1);
    assert_int_equal(probed(SIM_PROBE_CRASH_WITH_WORK), 1);
    struct sim_hash hash = sim_trace_hash(fixture.world);
    size_t drawn = fixture.tape.at;

    /* The program's own destructors run apart from the world. */
    work.data = "work";
    env_defer(env, &task, say_task);
    env_lane_close(lane, "closed", say_closed);
    assert_int_equal(env_choose(env, 1000), 0);
    assert_false(env_run(env, ENV_RUN_UNTIL_STOPPED));
    said("task done work run more done more closed timer");
    assert_int_equal(env_now(env), ENV_S);
    assert_int_equal(sim_now(fixture.world), 0);
    assert_int_equal(sim_trace_hash(fixture.world).low, hash.low);
    assert_int_equal(fixture.tape.at, drawn);
    env_free(env);

    assert_ok(sim_restart(fixture.world, "a", &next));
    assert_false(sim_dead(next));
    world_down();
}

/* A ghost left alone never runs, and its world can still be freed. */
static void test_abandoned(void **state)
{
    struct env_timer timer = {.data = "timer"};
    struct env_lane *lane;
    struct env_work work = {.data = "work"};
    (void)state;
    world_up(NULL, 1);
    struct env *env = node_up("a");
    assert_ok(env_lane_open(env, "disk", &lane));
    assert_ok(env_timer_start(env, &timer, ENV_S, say_timer));
    env_lane_work(lane, &work, say_run, say_done);
    sim_kill(env);
    assert_false(sim_run(fixture.world, UINT64_MAX));
    said("");
    world_down();
}

static void collect(void *data, const char *line)
{
    (void)data;
    say(line);
}

static void test_trace_lines(void **state)
{
    const struct sim_options options = {.sink = collect};
    (void)state;
    world_up(&options, 1);
    struct env *env = node_up("a");
    sim_run(fixture.world, 1500);
    sim_trace(env, "hello");
    said("0.000000000 a start 0.000001500 a trace hello");
    world_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_is_virtual),
        cmocka_unit_test(test_timers_in_order),
        cmocka_unit_test(test_clock_rates),
        cmocka_unit_test(test_deferred_come_first),
        cmocka_unit_test(test_busy_ones_starve_nobody),
        cmocka_unit_test(test_run_modes),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_lane),
        cmocka_unit_test(test_lane_order_varies),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_ghost),
        cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_trace_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
