/* Processes that are scripts, and signals. */

#include "base/alloc.h"
#include "env/sim/world.h"

enum
{
    SIGNAL_KILL = 9
};

/* --- processes ------------------------------------------------------------ */

struct env_process
{
    struct sim_handle handle;
    struct sim_event end;
    struct sim_program program;
    int64_t id;
    int signal; /* that ends it, or 0 */
    bool ended;
    void *data;
    env_exit_cb *cb;
};

static void end_fire(struct sim_event *event)
{
    struct env_process *process = list_entry(event, struct env_process, end);
    int64_t exit_code = process->signal ? 0 : process->program.exit_code;
    process->ended = true;
    handle_wait(&process->handle, false);
    node_note(handle_node(&process->handle), "process ends", NULL,
              (uint64_t)exit_code, (uint64_t)process->signal);
    process->cb(process->data, exit_code, process->signal);
}

static void process_destroy(struct sim_handle *handle)
{
    struct env_process *process =
        list_entry(handle, struct env_process, handle);
    node_disarm(handle_node(handle), &process->end);
    mem_free(process);
}

static const struct sim_handle_kind PROCESS = {NULL, process_destroy};

/* What the script says, or what the tape does. */
static enum kan_err program_of(struct sim_node *node,
                               const struct env_spawn_options *options,
                               struct sim_program *ret_program)
{
    const struct sim_options *world = &node->world->options;
    *ret_program = (struct sim_program){0};
    ret_program->run_ns = 1 + node_choose(node, ENV_S);
    return world->script ? world->script(world->data, options, ret_program)
                         : KAN_OK;
}

enum kan_err sim_spawn(struct env *env, const struct env_spawn_options *options,
                       void *data, env_exit_cb *cb,
                       struct env_process **ret_process)
{
    struct sim_node *node = sim_node(env);
    struct sim_program program;
    if (node->dead || !options->arguments || !options->arguments[0])
        return KAN_INVALID;
    enum kan_err err = program_of(node, options, &program);
    if (err)
        return err;
    struct env_process *process = mem_zalloc(sizeof *process);
    if (!process)
        return KAN_NOMEM;
    process->program = program;
    process->id = node->world->pid_next++;
    process->data = data;
    process->cb = cb;
    process->end.fire = end_fire;
    handle_init(&process->handle, node, &PROCESS);
    node_note(node, "spawn", options->arguments[0], (uint64_t)process->id, 0);
    if (program.run_ns != UINT64_MAX)
        node_arm(node, &process->end, program.run_ns);
    *ret_process = process;
    return KAN_OK;
}

int64_t sim_process_id(const struct env_process *process)
{
    return process->id;
}

void sim_process_signal(struct env_process *process, int signal)
{
    struct sim_node *node = handle_node(&process->handle);
    if (process->ended || process->handle.closing || process->signal)
        return;
    node_note(node, "kill", NULL, (uint64_t)process->id, (uint64_t)signal);
    if (process->program.stubborn && signal != SIGNAL_KILL)
        return;
    process->signal = signal;
    node_arm(node, &process->end, node_latency(node));
}

void sim_process_close(struct env_process *process, void *data,
                       env_close_cb *cb)
{
    node_disarm(handle_node(&process->handle), &process->end);
    handle_close(&process->handle, data, cb);
}

/* --- signals -------------------------------------------------------------- */

struct env_signal
{
    struct sim_handle handle;
    struct sim_event event;
    int signal;
    void *data;
    env_signal_cb *cb;
};

static void signal_fire(struct sim_event *event)
{
    struct env_signal *signal = list_entry(event, struct env_signal, event);
    node_note(handle_node(&signal->handle), "signal", NULL,
              (uint64_t)signal->signal, 0);
    signal->cb(signal->data, signal->signal);
}

static void signal_destroy(struct sim_handle *handle)
{
    struct env_signal *signal = list_entry(handle, struct env_signal, handle);
    node_disarm(handle_node(handle), &signal->event);
    mem_free(signal);
}

static const struct sim_handle_kind SIGNAL = {NULL, signal_destroy};

enum kan_err sim_signal_open(struct env *env, int signal, void *data,
                             env_signal_cb *cb, struct env_signal **ret_signal)
{
    struct env_signal *opened = mem_zalloc(sizeof *opened);
    if (!opened)
        return KAN_NOMEM;
    opened->signal = signal;
    opened->data = data;
    opened->cb = cb;
    opened->event.fire = signal_fire;
    handle_init(&opened->handle, sim_node(env), &SIGNAL);
    *ret_signal = opened;
    return KAN_OK;
}

void sim_signal_close(struct env_signal *signal, void *data, env_close_cb *cb)
{
    node_disarm(handle_node(&signal->handle), &signal->event);
    handle_close(&signal->handle, data, cb);
}

bool sim_signal(struct env *env, int signal)
{
    struct sim_node *node = sim_node(env);
    bool heard = false;
    struct list *link;
    for (link = node->handles.next; link != &node->handles; link = link->next) {
        struct sim_handle *handle = list_entry(link, struct sim_handle, link);
        struct env_signal *opened =
            list_entry(handle, struct env_signal, handle);
        if (handle->kind != &SIGNAL || handle->closing ||
            opened->signal != signal)
            continue;
        heard = true;
        if (!opened->event.armed)
            node_arm(node, &opened->event, 0);
    }
    return heard;
}
