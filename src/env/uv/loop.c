/* The loop: what runs when, and when it ends.
 *
 * A turn of libuv is: timers of its own, prepare, wait for events and run their
 * callbacks, check, closed handles. Here, prepare and check both run what has
 * become ready (work done, timers due, tasks), so a task deferred by an event
 * runs before the next wait. What these in turn submit waits for the next of
 * the two. Prepare alone decides whether the loop goes on, and how long the
 * wait may be. */

#include <errno.h>
#include <signal.h>

#include "base/alloc.h"
#include "env/uv/uv.h"
#include "env/uv/world.h"

static const struct env_ops ops;

/* --- one turn ------------------------------------------------------------- */

static void tasks_run(struct env_uv *world)
{
    struct list batch;
    struct list *link;
    list_init(&batch);
    list_splice(&batch, &world->tasks);
    while (!world->stopped && (link = list_pop(&batch)) != NULL) {
        struct env_task *task = list_entry(link, struct env_task, link);
        task->cb(task);
    }
    /* Only after env_stop(): the rest keeps its place before newer tasks. */
    if (!list_empty(&batch)) {
        list_splice(&batch, &world->tasks);
        list_splice(&world->tasks, &batch);
    }
}

static void ready_run(struct env_uv *world)
{
    env_uv_lanes_deliver(world);
    env_uv_timers_run(world);
    tasks_run(world);
}

/* Take over what other threads have left. */
static void collect(struct env_uv *world)
{
    uv_mutex_lock(&world->mutex);
    list_splice(&world->tasks, &world->posted);
    env_uv_lanes_collect(world);
    uv_mutex_unlock(&world->mutex);
}

static bool posted(struct env_uv *world)
{
    uv_mutex_lock(&world->mutex);
    bool any = !list_empty(&world->posted);
    uv_mutex_unlock(&world->mutex);
    return any;
}

/* Whether anything of the caller's is left to wait for. */
static bool alive(struct env_uv *world)
{
    uv_handle_t *prepare = (uv_handle_t *)&world->prepare;
    if (world->timers.count || world->working || !list_empty(&world->tasks))
        return true;
    uv_unref(prepare);
    bool handles = uv_loop_alive(&world->loop);
    uv_ref(prepare);
    return handles || posted(world);
}

static void idle_still(uv_idle_t *idle)
{
    (void)idle; /* that it is active makes the wait return at once */
}

/* Set how long the next wait may be. */
static void arm(struct env_uv *world)
{
    env_uv_timers_arm(world);
    if (list_empty(&world->tasks) && list_empty(&world->done))
        uv_idle_stop(&world->idle);
    else
        uv_idle_start(&world->idle, idle_still);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct env_uv *world = prepare->data;
    ready_run(world);
    arm(world);
    if (!alive(world))
        uv_stop(&world->loop);
}

static void on_check(uv_check_t *check)
{
    ready_run(check->data);
}

static void on_async(uv_async_t *async)
{
    collect(async->data);
}

void env_uv_lend(uv_handle_t *handle, size_t size, uv_buf_t *ret_buffer)
{
    struct env_uv *world = handle->loop->data;
    (void)size;
    *ret_buffer = uv_buf_init(world->read_buffer, WORLD_READ_SIZE);
}

/* --- running -------------------------------------------------------------- */

/* Whether something may run without a wait. libuv's own "once" would wait all
 * the same after it ran what prepare found. */
static bool ready(struct env_uv *world)
{
    const struct env_timer *first = timers_first(&world->timers);
    return !list_empty(&world->tasks) || !list_empty(&world->done) ||
           (first && first->due_ns <= env_uv_now(&world->env));
}

bool env_uv_run(struct env *env, enum env_run_mode mode)
{
    struct env_uv *world = world_of(env);
    kan_assert(!world->running);
    world->running = true;
    collect(world);
    if (mode == ENV_RUN_ONCE && ready(world))
        mode = ENV_RUN_NOWAIT;
    do {
        uv_run(&world->loop, mode == ENV_RUN_UNTIL_STOPPED ? UV_RUN_DEFAULT
                             : mode == ENV_RUN_ONCE        ? UV_RUN_ONCE
                                                           : UV_RUN_NOWAIT);
    } while (mode == ENV_RUN_UNTIL_STOPPED && !world->stopped && alive(world));
    world->stopped = false;
    world->running = false;
    return alive(world);
}

void env_uv_stop(struct env *env)
{
    struct env_uv *world = world_of(env);
    world->stopped = true;
    uv_stop(&world->loop);
}

int env_uv_fd(struct env *env)
{
    return uv_backend_fd(&world_of(env)->loop);
}

int env_uv_timeout_ms(struct env *env)
{
    struct env_uv *world = world_of(env);
    collect(world);
    if (ready(world))
        return 0;
    uv_update_time(&world->loop);
    arm(world);
    return uv_backend_timeout(&world->loop);
}

/* --- later ---------------------------------------------------------------- */

void env_uv_defer(struct env *env, struct env_task *task, env_task_cb *cb)
{
    kan_assert(cb);
    if (list_linked(&task->link))
        return;
    task->cb = cb;
    list_push(&world_of(env)->tasks, &task->link);
}

void env_uv_undefer(struct env *env, struct env_task *task)
{
    (void)world_of(env);
    list_remove(&task->link);
}

/* The loop is woken with the mutex held, so that whoever has seen the task run
 * and takes the mutex once more (as env_uv_free() does) knows that this thread
 * no longer touches the handle. */
void env_uv_post(struct env *env, struct env_task *task, env_task_cb *cb)
{
    struct env_uv *world = world_of(env);
    kan_assert(cb && !list_linked(&task->link));
    task->cb = cb;
    uv_mutex_lock(&world->mutex);
    list_push(&world->posted, &task->link);
    uv_async_send(&world->async);
    uv_mutex_unlock(&world->mutex);
}

/* --- life cycle ----------------------------------------------------------- */

/* The five of ours, and processes that were closed and still run. */
static void close_rest(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle))
        uv_close(handle, uv_handle_get_type(handle) == UV_PROCESS
                             ? env_uv_process_gone
                             : NULL);
}

/* Close what libuv still has, and free. The rest of a half-built world's
 * handles were never made, so libuv does not know them. */
static void world_end(struct env_uv *world)
{
    uv_walk(&world->loop, close_rest, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&world->loop);
    kan_assert(busy == 0);
    uv_mutex_destroy(&world->mutex);
    timers_fini(&world->timers);
    world->magic = 0;
    mem_free(world);
}

struct env *env_uv_free(struct env *env)
{
    struct env_uv *world = world_of(env);
    kan_assert(!world->running);
    collect(world);
    kan_assert(world->open == 0);    /* a handle was not closed */
    kan_assert(world->working == 0); /* work was not handed back */
    kan_assert(list_empty(&world->tasks));
    kan_assert(world->timers.count == 0);
    world_end(world);
    return NULL;
}

static void signal_ignore(int number)
{
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        sigaction(number, &action, NULL);
    }
}

static int handles_init(struct env_uv *world)
{
    uv_loop_t *loop = &world->loop;
    int error = uv_async_init(loop, &world->async, on_async);
    if (error)
        return error;
    uv_prepare_init(loop, &world->prepare);
    uv_check_init(loop, &world->check);
    uv_idle_init(loop, &world->idle);
    uv_timer_init(loop, &world->wake);
    world->async.data = world;
    world->prepare.data = world;
    world->check.data = world;
    world->idle.data = world;
    world->wake.data = world;
    uv_prepare_start(&world->prepare, on_prepare);
    uv_check_start(&world->check, on_check);
    uv_unref((uv_handle_t *)&world->async);
    uv_unref((uv_handle_t *)&world->check);
    uv_unref((uv_handle_t *)&world->idle);
    uv_unref((uv_handle_t *)&world->wake);
    return 0;
}

enum kan_err env_uv_new(struct env **ret_env)
{
    struct env_uv *world = mem_alloc(sizeof *world);
    int error;
    if (!world)
        return KAN_NOMEM;
    /* The buffer is left out: its pages cost nothing until they are used. */
    memset(world, 0, offsetof(struct env_uv, read_buffer));
    error = uv_mutex_init(&world->mutex);
    if (error) {
        mem_free(world);
        return env_uv_err(-error);
    }
    error = uv_loop_init(&world->loop);
    if (error) {
        uv_mutex_destroy(&world->mutex);
        mem_free(world);
        return env_uv_err(-error);
    }
    world->env.ops = &ops;
    world->magic = WORLD_MAGIC;
    world->loop.data = world;
    timers_init(&world->timers);
    list_init(&world->tasks);
    list_init(&world->done);
    list_init(&world->posted);
    list_init(&world->finished);
    enum kan_err err = env_uv_err(-handles_init(world));
    if (!err)
        err = env_uv_random_fill(world);
    if (err) {
        world_end(world);
        return err;
    }
    signal_ignore(SIGPIPE);
    signal_ignore(SIGXFSZ);
    *ret_env = &world->env;
    return KAN_OK;
}

static bool simulated(const struct env *env)
{
    (void)env;
    return false;
}

static const struct env_ops ops = {
    .run = env_uv_run,
    .stop = env_uv_stop,
    .free = env_uv_free,
    .simulated = simulated,
    .now = env_uv_now,
    .wall_ms = env_uv_wall_ms,
    .choose = env_uv_choose,
    .timer_start = env_uv_timer_start,
    .timer_stop = env_uv_timer_stop,
    .defer = env_uv_defer,
    .undefer = env_uv_undefer,
    .post = env_uv_post,
    .lane_open = env_uv_lane_open,
    .lane_work = env_uv_lane_work,
    .lane_close = env_uv_lane_close,
    .listen = env_uv_listen,
    .listener_address = env_uv_listener_address,
    .listener_close = env_uv_listener_close,
    .connect = env_uv_connect,
    .stream_read_start = env_uv_stream_read_start,
    .stream_read_stop = env_uv_stream_read_stop,
    .stream_try_write = env_uv_stream_try_write,
    .stream_write = env_uv_stream_write,
    .stream_pending = env_uv_stream_pending,
    .stream_finish = env_uv_stream_finish,
    .stream_close = env_uv_stream_close,
    .port_open = env_uv_port_open,
    .port_address = env_uv_port_address,
    .port_send = env_uv_port_send,
    .port_close = env_uv_port_close,
    .file_open = env_uv_file_open,
    .file_close = env_uv_file_close,
    .file_read = env_uv_file_read,
    .file_write = env_uv_file_write,
    .file_sync = env_uv_file_sync,
    .file_truncate = env_uv_file_truncate,
    .file_size = env_uv_file_size,
    .file_lock = env_uv_file_lock,
    .file_delete = env_uv_file_delete,
    .file_rename = env_uv_file_rename,
    .file_exists = env_uv_file_exists,
    .dir_sync = env_uv_dir_sync,
    .dir_make = env_uv_dir_make,
    .dir_list = env_uv_dir_list,
    .spawn = env_uv_spawn,
    .process_id = env_uv_process_id,
    .process_signal = env_uv_process_signal,
    .process_close = env_uv_process_close,
    .signal_open = env_uv_signal_open,
    .signal_close = env_uv_signal_close,
};
