/* The law of the simulator: a run is its tape. A busy program with files,
 * streams, messages, lanes, timers and processes lives through crashes, kills
 * and partitions; runs with one tape must be equal, a record must replay, and
 * any other tape must be safe. */

#include "env/sim/fixture.h"

struct fixture fixture;

enum
{
    HOSTS = 3,
    LIVES = 64, /* of processes in one run */
    STEPS = 1500
};

static const char *const NAMES[HOSTS] = {"a", "b", "c"};
static const char *const ADDRESSES[HOSTS] = {"10.0.0.1:7", "10.0.0.2:7",
                                             "10.0.0.3:7"};

/* One life of the program. All its memory is here: a dead one is forgotten. */
struct life
{
    struct env *env;
    struct env_file *file;
    struct env_lane *lane;
    struct env_port *port;
    struct env_listener *listener;
    struct env_stream *out;
    struct env_timer timer;
    struct env_task task;
    struct env_work work;
    struct env_write write;
    bool working;
    bool writing;
    bool connecting;
    unsigned host;
    unsigned reads;
};

static struct life lives[LIVES];
static unsigned life_count;
static struct life *now_living[HOSTS];
static unsigned char payload[6000];

/* --- the program ---------------------------------------------------------- */

static void on_exit_code(void *data, int64_t exit_code, int signal)
{
    (void)exit_code;
    (void)signal;
    sim_trace(data, "child ended");
}

static void on_message(void *data, const char *from, struct kan_slice bytes)
{
    struct life *life = data;
    if (bytes.size > 1)
        (void)!env_port_send(life->port, from, slice_head(bytes, 1));
}

static void on_bytes(void *data, enum kan_err err, struct kan_slice bytes)
{
    struct life *life = data;
    (void)bytes;
    if (err)
        sim_trace(life->env, kan_err_name(err));
}

static void on_accept(void *data, struct env_stream *stream)
{
    struct life *life = data;
    if (life->reads++ % 3 < 2)
        env_stream_read_start(stream, life, on_bytes);
    else
        env_stream_close(stream, NULL, NULL);
}

static void on_written(struct env_write *write, enum kan_err err)
{
    struct life *life = write->data;
    life->writing = false;
    sim_trace(life->env, kan_err_name(err));
}

static void on_connect(void *data, enum kan_err err, struct env_stream *stream)
{
    struct life *life = data;
    life->connecting = false;
    if (!err)
        life->out = stream;
}

static void work_run(struct env_work *work)
{
    struct life *life = work->data;
    uint64_t at = env_choose(life->env, 20000);
    size_t size = (size_t)env_choose(life->env, sizeof payload);
    if (!life->file)
        return;
    (void)!env_file_write(life->file, at, kan_slice(payload, size));
    if (env_choose(life->env, 4) == 1)
        (void)!env_file_truncate(life->file, at);
    if (env_choose(life->env, 2) == 1)
        (void)!env_file_sync(life->file);
}

static void work_done(struct env_work *work)
{
    struct life *life = work->data;
    life->working = false;
}

static void on_task(struct env_task *task)
{
    struct life *life = task->data;
    sim_trace(life->env, "deferred");
}

static void send_message(struct life *life, uint64_t to)
{
    (void)!env_port_send(life->port, ADDRESSES[to], kan_slice(payload, 40));
}

static void use_stream(struct life *life, uint64_t to)
{
    size_t written;
    if (!life->out && !life->connecting)
        life->connecting =
            env_connect(life->env, ADDRESSES[to], life, on_connect) == KAN_OK;
    if (!life->out || life->writing)
        return;
    enum kan_err err = env_stream_try_write(
        life->out, kan_slice(payload, sizeof payload), &written);
    life->write.data = life;
    if (!err)
        err = env_stream_write(life->out, &life->write,
                               kan_slice(payload, sizeof payload), on_written);
    life->writing = !err;
    if (err) {
        env_stream_close(life->out, NULL, NULL);
        life->out = NULL;
    }
}

static void use_names(struct life *life)
{
    struct env_file *file;
    unsigned flags = ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE;
    if (!env_file_open(life->env, "new", flags, &file)) {
        (void)!env_file_write(file, 0, kan_slice(payload, 100));
        env_file_close(file);
    }
    (void)!env_file_rename(life->env, "new", "old");
    if (env_choose(life->env, 3) == 1)
        (void)!env_dir_sync(life->env, ".");
}

static void use_process(struct life *life)
{
    const char *arguments[] = {"child", NULL};
    const struct env_spawn_options options = {.arguments = arguments};
    struct env_process *process;
    if (!env_spawn(life->env, &options, life->env, on_exit_code, &process) &&
        env_choose(life->env, 2) == 1)
        env_process_signal(process, 15);
}

static void on_timer(struct env_timer *timer)
{
    struct life *life = timer->data;
    uint64_t to = env_choose(life->env, HOSTS);
    uint64_t delay_ns = 1 + env_choose(life->env, 50);
    if (life->env != now_living[life->host]->env)
        fail_msg("a dead process runs");
    (void)!env_timer_start(life->env, timer, env_now(life->env) + delay_ns,
                           on_timer);
    switch (env_choose(life->env, 6)) {
    case 0:
        send_message(life, to);
        break;
    case 1:
        use_stream(life, to);
        break;
    case 2:
        use_names(life);
        break;
    case 3:
        use_process(life);
        break;
    case 4:
        env_defer(life->env, &life->task, on_task);
        break;
    default:
        life->work.data = life;
        if (!life->working && life->lane)
            env_lane_work(life->lane, &life->work, work_run, work_done);
        life->working = life->lane != NULL;
        break;
    }
}

static void life_begin(unsigned host)
{
    struct life *life = &lives[life_count++];
    assert_true(life_count <= LIVES);
    *life = (struct life){.host = host};
    life->timer.data = life;
    life->task.data = life;
    now_living[host] = life;
    assert_ok(sim_node_new(fixture.world, NAMES[host], &life->env));
    (void)!env_file_open(life->env, "data", ENV_OPEN_WRITE | ENV_OPEN_CREATE,
                         &life->file);
    assert_ok(env_lane_open(life->env, "disk", &life->lane));
    assert_ok(env_port_open(life->env, ADDRESSES[host], life, on_message,
                            &life->port));
    assert_ok(env_listen(life->env, ADDRESSES[host], NULL, life, on_accept,
                         NULL, 0, &life->listener));
    assert_ok(env_timer_start(life->env, &life->timer, 0, on_timer));
}

/* --- the run -------------------------------------------------------------- */

/* Something bad, or nothing, by the tape. */
static void misfortune(struct tape *tape)
{
    unsigned host = (unsigned)tape_choose(tape, HOSTS);
    unsigned other = (host + 1) % HOSTS;
    if (life_count == LIVES)
        return;
    switch (tape_choose(tape, 8)) {
    case 1:
        sim_crash(now_living[host]->env);
        life_begin(host);
        break;
    case 2:
        sim_kill(now_living[host]->env);
        life_begin(host);
        break;
    case 3:
        sim_partition(fixture.world, NAMES[host], NAMES[other], true);
        break;
    case 4:
        sim_heal(fixture.world);
        break;
    case 5:
        sim_clock_rate(now_living[host]->env,
                       (int32_t)tape_choose(tape, 200000) - 100000);
        break;
    case 6:
        sim_wall_jump(now_living[host]->env, -1000);
        break;
    case 7:
        sim_break(now_living[host]->env);
        break;
    default:
        break;
    }
}

struct outcome
{
    struct sim_hash hash;
    uint64_t steps;
    uint64_t now_ns;
    uint64_t probes[SIM_PROBES];
    uint64_t bytes; /* of the disks, summed */
};

static const struct sim_options NASTY = {
    .shuffle = true,
    .chop = true,
    .latency_ns = 5,
    .jitter_ns = 40,
    .pipe_bytes = 1000,
    .break_rate = 5,
    .refuse_rate = 50,
    .connect_timeout_ns = 300,
    .lost_rate = 50,
    .doubled_rate = 50,
    .late_rate = 50,
    .late_ns = 500,
    .lane_jitter_ns = 60,
    .disk_bytes = 24000,
    .read_fault_rate = 5,
    .write_fault_rate = 20,
    .sync_fault_rate = 50,
};

/* Live with the tape, which is the caller's. */
static struct outcome live(struct tape *tape)
{
    struct outcome outcome = {.bytes = 0};
    life_count = 0;
    assert_ok(sim_world_new(tape, &NASTY, &fixture.world));
    for (unsigned host = 0; host < HOSTS; host++)
        life_begin(host);
    for (unsigned i = 0; i < STEPS; i++) {
        assert_true(sim_step(fixture.world));
        if (i % 30 == 29)
            misfortune(tape);
    }
    for (unsigned host = 0; host < HOSTS; host++)
        outcome.bytes += sim_disk_used(now_living[host]->env);
    for (enum sim_probe p = 0; p < SIM_PROBES; p++)
        outcome.probes[p] = probed(p);
    outcome.hash = sim_trace_hash(fixture.world);
    outcome.steps = sim_steps(fixture.world);
    outcome.now_ns = sim_now(fixture.world);
    fixture.world = sim_world_free(fixture.world);
    return outcome;
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_memory_equal(a, b, sizeof *a);
}

static uint64_t totals[SIM_PROBES];

/* Two runs with one tape are equal, and so is the replay of the record, saved
 * as text and loaded. */
static void test_one_tape_one_run(void **state)
{
    struct sim_hash last = {0, 0};
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        int64_t before = mem_live();
        struct buffer text = BUFFER_INIT;
        struct tape tape;
        struct tape again;
        struct tape replay;
        tape_init_seed(&tape, seed);
        struct outcome first = live(&tape);
        tape_init_seed(&again, seed);
        struct outcome second = live(&again);
        assert_same(&first, &second);
        tape_save(&tape, &text);
        assert_ok(tape_load(&replay, buffer_slice(&text)));
        struct outcome third = live(&replay);
        assert_same(&first, &third);
        assert_int_equal(replay.count, tape.count);
        assert_memory_equal(replay.choices, tape.choices,
                            tape.count * sizeof *tape.choices);
        assert_true(first.hash.low != last.low && first.hash.high != last.high);
        last = first.hash;
        for (int p = 0; p < SIM_PROBES; p++)
            totals[p] += first.probes[p];
        buffer_fini(&text);
        tape_fini(&tape);
        tape_fini(&again);
        tape_fini(&replay);
        assert_int_equal(mem_live(), before);
    }
}

/* Simulation that never gets to the rare paths proves nothing about them. */
static void test_probes(void **state)
{
    (void)state;
    for (enum sim_probe p = 0; p < SIM_PROBES; p++)
        if (totals[p] == 0)
            fail_msg("never reached: %s", sim_probe_name(p));
}

/* A shorter, or a changed, record is another run, and a safe one. */
static void test_other_tapes_are_safe(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct tape tape;
        struct tape other;
        tape_init_seed(&tape, seed);
        struct outcome first = live(&tape);
        size_t at = (size_t)(seed * 7919) % tape.count;
        if (seed % 2 == 0) {
            assert_ok(tape_init_replay(&other, tape.choices, at));
        } else {
            tape.choices[at].value += 1 + seed;
            assert_ok(tape_init_replay(&other, tape.choices, tape.count));
        }
        struct outcome second = live(&other);
        assert_int_equal(second.steps, first.steps);
        struct tape replay;
        assert_ok(tape_init_replay(&replay, other.choices, other.count));
        struct outcome third = live(&replay);
        assert_same(&second, &third);
        tape_fini(&tape);
        tape_fini(&other);
        tape_fini(&replay);
    }
}

static void test_bytes_are_a_tape(void **state)
{
    unsigned char bytes[4000];
    struct tape tape;
    struct tape replay;
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * i * 31 + i / 7);
    tape_init_bytes(&tape, kan_slice(bytes, sizeof bytes));
    struct outcome first = live(&tape);
    assert_ok(tape_init_replay(&replay, tape.choices, tape.count));
    struct outcome second = live(&replay);
    assert_same(&first, &second);
    tape_fini(&tape);
    tape_fini(&replay);
}

/* The trace as text tells what the hash tells. */
static void count_line(void *data, const char *line)
{
    unsigned *count = data;
    assert_true(strlen(line) > 12);
    ++*count;
}

static void test_sink_changes_nothing(void **state)
{
    struct sim_options loud = NASTY;
    unsigned lines = 0;
    struct sim_hash hashes[2];
    (void)state;
    loud.sink = count_line;
    loud.sink_data = &lines;
    for (int i = 0; i < 2; i++) {
        world_up(i ? &loud : &NASTY, 5);
        life_count = 0;
        for (unsigned host = 0; host < HOSTS; host++)
            life_begin(host);
        for (int step = 0; step < 300; step++)
            sim_step(fixture.world);
        hashes[i] = sim_trace_hash(fixture.world);
        world_down();
    }
    assert_true(lines >= 300);
    assert_memory_equal(&hashes[0], &hashes[1], sizeof hashes[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_tape_one_run),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_other_tapes_are_safe),
        cmocka_unit_test(test_bytes_are_a_tape),
        cmocka_unit_test(test_sink_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
