/* A process: its clock, its tasks, its handles, and how it dies. */

#include "env/sim/world.h"

#include "base/alloc.h"

static struct sim_host *host_find(struct sim_world *world, const char *name)
{
    for (unsigned i = 0; i < world->host_count; i++)
        if (strcmp(world->hosts[i]->name, name) == 0)
            return world->hosts[i];
    return NULL;
}

static enum kan_err host_new(struct sim_world *world, const char *name,
                             struct sim_host **ret_host)
{
    size_t size = strlen(name);
    kan_assert(size > 0 && size < SIM_NAME_SIZE);
    kan_assert(world->host_count < SIM_HOSTS_MAX);
    struct sim_host *host = mem_zalloc(sizeof *host);
    if (!host)
        return KAN_NOMEM;
    enum kan_err err = disk_new(world->options.disk_bytes, &host->disk);
    if (err) {
        mem_free(host);
        return err;
    }
    memcpy(host->name, name, size);
    host->index = world->host_count;
    world->hosts[world->host_count++] = host;
    *ret_host = host;
    return KAN_OK;
}

enum kan_err sim_node_new(struct sim_world *world, const char *name,
                          struct env **ret_env)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    struct sim_host *host = host_find(world, name);
    struct sim_node *node = mem_zalloc(sizeof *node);
    if (!node)
        return KAN_NOMEM;
    if (!host && host_new(world, name, &host)) {
        mem_free(node);
        return KAN_NOMEM;
    }
    node->env.ops = &sim_ops;
    node->magic = SIM_NODE_MAGIC;
    node->world = world;
    node->host = host;
    timers_init(&node->timers);
    list_init(&node->deferred);
    list_init(&node->posted);
    list_init(&node->handles);
    list_init(&node->files);
    list_push(&world->nodes, &node->link);
    node_note(node, "start", NULL, 0, 0);
    *ret_env = &node->env;
    return KAN_OK;
}

enum kan_err sim_restart(struct sim_world *world, const char *name,
                         struct env **ret_env)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    const struct sim_host *host = host_find(world, name);
    const struct list *link;
    if (!host)
        return KAN_NOTFOUND;
    for (link = world->nodes.next; link != &world->nodes; link = link->next) {
        const struct sim_node *node = list_entry(link, struct sim_node, link);
        if (node->host == host && !node->dead)
            return KAN_HELD;
    }
    return sim_node_new(world, name, ret_env);
}

void node_destroy(struct sim_node *node)
{
    struct list *link;
    while ((link = list_first(&node->handles)) != NULL)
        handle_destroy(list_entry(link, struct sim_handle, link));
    node_files_destroy(node);
    /* Armed timers are the program's, and may be gone by now. */
    mem_free(node->timers.heap);
    list_remove(&node->link);
    node->magic = 0;
    mem_free(node);
}

/* --- death ---------------------------------------------------------------- */

void node_die(struct sim_node *node, bool power)
{
    struct list *link = node->handles.next;
    node_note(node, power ? "power fails" : "killed", NULL, 0, 0);
    node_files_detach(node);
    while (link != &node->handles) {
        struct sim_handle *handle = list_entry(link, struct sim_handle, link);
        link = link->next;
        if (handle->kind->die)
            handle->kind->die(handle, power);
    }
    node->ghost_ns = node->world->now_ns;
    node->dead = true;
}

void sim_crash(struct env *env)
{
    struct sim_node *victim = sim_node(env);
    struct sim_world *world = victim->world;
    struct list *link;
    if (victim->dead)
        return;
    for (link = world->nodes.next; link != &world->nodes; link = link->next) {
        struct sim_node *node = list_entry(link, struct sim_node, link);
        if (node->host == victim->host && !node->dead)
            node_die(node, true);
    }
    disk_crash(world, victim->host);
}

void sim_kill(struct env *env)
{
    struct sim_node *node = sim_node(env);
    if (!node->dead)
        node_die(node, false);
}

bool sim_dead(const struct env *env)
{
    return sim_node(env)->dead;
}

/* --- handles -------------------------------------------------------------- */

static void close_fire(struct sim_event *event)
{
    struct sim_handle *handle = list_entry(event, struct sim_handle, close);
    void *data = handle->close_data;
    env_close_cb *cb = handle->close_cb;
    node_note(handle_node(handle), "closed", NULL, 0, 0);
    handle_destroy(handle);
    if (cb)
        cb(data);
}

void handle_init(struct sim_handle *handle, struct sim_node *node,
                 const struct sim_handle_kind *kind)
{
    handle->base.env = &node->env;
    handle->kind = kind;
    handle->close.fire = close_fire;
    list_push(&node->handles, &handle->link);
    handle_wait(handle, true);
}

void handle_wait(struct sim_handle *handle, bool waiting)
{
    struct sim_node *node = handle_node(handle);
    if (handle->waiting != waiting)
        node->waiting = waiting ? node->waiting + 1 : node->waiting - 1;
    handle->waiting = waiting;
}

void handle_destroy(struct sim_handle *handle)
{
    handle_wait(handle, false);
    node_disarm(handle_node(handle), &handle->close);
    list_remove(&handle->link);
    handle->kind->destroy(handle);
}

void handle_close(struct sim_handle *handle, void *data, env_close_cb *cb)
{
    kan_assert(!handle->closing);
    handle->closing = true;
    handle->close_data = data;
    handle->close_cb = cb;
    handle_wait(handle, true);
    node_arm(handle_node(handle), &handle->close, 0);
}

/* --- the loop ------------------------------------------------------------- */

static bool waits(const struct sim_node *node)
{
    return node->waiting > 0 || node->timers.count > 0 ||
           !list_empty(&node->deferred) || !list_empty(&node->posted);
}

static bool run_ghost(struct sim_node *node, enum env_run_mode mode)
{
    uint64_t until_ns = node->ghost_ns;
    node->ghost_running = true;
    while (!node->stopped && waits(node)) {
        if (mode == ENV_RUN_NOWAIT && node->ghost_ns > until_ns)
            break;
        if (!ghost_step(node))
            break;
        if (mode == ENV_RUN_ONCE && list_empty(&node->deferred))
            break;
    }
    node->ghost_running = false;
    node->stopped = false;
    return waits(node);
}

static bool run(struct env *env, enum env_run_mode mode)
{
    /* So many events of the world are one round at most: a program that defers
     * to itself for ever must not hang who polls. */
    static const unsigned ROUND_MAX = 100000;
    struct sim_node *node = sim_node(env);
    struct sim_world *world = node->world;
    uint64_t turns = node->turns;
    unsigned round = 0;
    if (node->dead)
        return run_ghost(node, mode);
    while (!node->stopped && !node->dead && waits(node)) {
        if (mode == ENV_RUN_NOWAIT &&
            (!world_ready(world) || round++ == ROUND_MAX))
            break;
        if (!sim_step(world))
            break;
        if (mode == ENV_RUN_ONCE && node->turns != turns &&
            list_empty(&node->deferred))
            break;
    }
    node->stopped = false;
    return waits(node);
}

static void stop(struct env *env)
{
    sim_node(env)->stopped = true;
}

static struct env *node_free(struct env *env)
{
    struct sim_node *node = sim_node(env);
    if (!node->dead) {
        kan_assert(list_empty(&node->handles) && list_empty(&node->files));
        kan_assert(!waits(node));
        node_note(node, "end", NULL, 0, 0);
    }
    node_destroy(node);
    return NULL;
}

static bool simulated(const struct env *env)
{
    (void)env;
    return true;
}

static uint64_t now(struct env *env)
{
    return node_clock(sim_node(env));
}

static uint64_t choose(struct env *env, uint64_t n)
{
    return node_choose(sim_node(env), n);
}

/* --- timers and tasks ----------------------------------------------------- */

static enum kan_err timer_start(struct env *env, struct env_timer *timer,
                                uint64_t due_ns, env_timer_cb *cb)
{
    struct sim_node *node = sim_node(env);
    /* One count of submissions for everything in the world. */
    node->timers.order = node->world->order;
    enum kan_err err =
        timers_add(&node->timers, timer, due_ns, node_clock(node), cb);
    node->world->order = node->timers.order;
    return err;
}

static void timer_stop(struct env *env, struct env_timer *timer)
{
    timers_remove(&sim_node(env)->timers, timer);
}

static void queue_task(struct list *tasks, struct env_task *task,
                       env_task_cb *cb)
{
    if (list_linked(&task->link))
        return;
    task->cb = cb;
    list_push(tasks, &task->link);
}

static void defer(struct env *env, struct env_task *task, env_task_cb *cb)
{
    queue_task(&sim_node(env)->deferred, task, cb);
}

static void undefer(struct env *env, struct env_task *task)
{
    (void)env;
    list_remove(&task->link);
}

static void post(struct env *env, struct env_task *task, env_task_cb *cb)
{
    queue_task(&sim_node(env)->posted, task, cb);
}

const struct env_ops sim_ops = {
    .run = run,
    .stop = stop,
    .free = node_free,
    .simulated = simulated,
    .now = now,
    .wall_ms = sim_wall_ms,
    .choose = choose,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .defer = defer,
    .undefer = undefer,
    .post = post,
    .lane_open = sim_lane_open,
    .lane_work = sim_lane_work,
    .lane_close = sim_lane_close,
    .listen = sim_listen,
    .listener_address = sim_listener_address,
    .listener_close = sim_listener_close,
    .connect = sim_connect,
    .stream_read_start = sim_stream_read_start,
    .stream_read_stop = sim_stream_read_stop,
    .stream_try_write = sim_stream_try_write,
    .stream_write = sim_stream_write,
    .stream_pending = sim_stream_pending,
    .stream_finish = sim_stream_finish,
    .stream_close = sim_stream_close,
    .port_open = sim_port_open,
    .port_address = sim_port_address,
    .port_send = sim_port_send,
    .port_close = sim_port_close,
    .file_open = sim_file_open,
    .file_close = sim_file_close,
    .file_read = sim_file_read,
    .file_write = sim_file_write,
    .file_sync = sim_file_sync,
    .file_truncate = sim_file_truncate,
    .file_size = sim_file_size,
    .file_lock = sim_file_lock,
    .file_delete = sim_file_delete,
    .file_rename = sim_file_rename,
    .file_exists = sim_file_exists,
    .dir_sync = sim_dir_sync,
    .dir_make = sim_dir_make,
    .dir_list = sim_dir_list,
    .spawn = sim_spawn,
    .process_id = sim_process_id,
    .process_signal = sim_process_signal,
    .process_close = sim_process_close,
    .signal_open = sim_signal_open,
    .signal_close = sim_signal_close,
};
