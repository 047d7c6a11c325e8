/* Processes: the application beside us.
 *
 * The child has our standard streams, the default signal actions and an empty
 * signal mask (libuv sees to the last two). */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "env/uv/world.h"

struct env_process
{
    struct env_handle handle; /* first */
    uv_process_t process;
    bool exited;   /* and waited for */
    bool closing;  /* closed by the caller */
    bool released; /* and told so; freed when it has exited */
    void *data;
    env_exit_cb *cb;
    struct env_task close_task;
    void *close_data;
    env_close_cb *close_cb;
};

void env_uv_process_gone(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void on_exit_status(uv_process_t *handle, int64_t status, int signal)
{
    struct env_process *process = handle->data;
    process->exited = true;
    if (process->released)
        uv_close((uv_handle_t *)handle, env_uv_process_gone);
    else if (!process->closing)
        process->cb(process->data, status, signal);
}

/* --- the child's environment ---------------------------------------------- */

/* The size of the name in "NAME=value", with its '='. */
static size_t name_size(const char *setting)
{
    const char *equals = strchr(setting, '=');
    return equals ? (size_t)(equals - setting) + 1 : strlen(setting);
}

static bool overridden(const char *setting, const char *const *by)
{
    size_t size = name_size(setting);
    for (; by && *by; by++) {
        if (strncmp(*by, setting, size) == 0)
            return true;
    }
    return false;
}

static size_t count(const char *const *settings)
{
    size_t n = 0;
    while (settings && settings[n])
        n++;
    return n;
}

/* Ours, less what added overrides, then added. The strings are borrowed; the
 * array is the caller's: mem_free(). NULL without memory. */
static char **environment_new(const char *const *added)
{
    const char *const *ours = (const char *const *)environ;
    char **all = mem_alloc((count(ours) + count(added) + 1) * sizeof *all);
    size_t n = 0;
    if (!all)
        return NULL;
    for (; ours && *ours; ours++) {
        if (!overridden(*ours, added))
            all[n++] = (char *)(uintptr_t)*ours;
    }
    for (; added && *added; added++)
        all[n++] = (char *)(uintptr_t)*added;
    all[n] = NULL;
    return all;
}

/* --- life cycle ----------------------------------------------------------- */

static int spawn(struct env_uv *world, struct env_process *process,
                 const char *const *arguments, char **environment)
{
    uv_stdio_container_t streams[3];
    for (int fd = 0; fd < 3; fd++) {
        /* One that we do not have is /dev/null to the child. */
        bool have = fcntl(fd, F_GETFD) >= 0;
        streams[fd].flags = have ? UV_INHERIT_FD : UV_IGNORE;
        streams[fd].data.fd = fd;
    }
    const uv_process_options_t options = {
        .exit_cb = on_exit_status,
        .file = arguments[0],
        .args = (char **)(uintptr_t)arguments,
        .env = environment,
        .stdio_count = 3,
        .stdio = streams,
    };
    return uv_spawn(&world->loop, &process->process, &options);
}

static enum kan_err spawn_err(int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return KAN_NOTFOUND;
    return env_uv_err(error);
}

enum kan_err env_uv_spawn(struct env *env,
                          const struct env_spawn_options *options, void *data,
                          env_exit_cb *cb, struct env_process **ret_process)
{
    struct env_uv *world = world_of(env);
    if (!options->arguments || !options->arguments[0])
        return KAN_INVALID;
    struct env_process *process = mem_zalloc(sizeof *process);
    char **environment = environment_new(options->environment);
    if (!process || !environment) {
        mem_free(environment);
        mem_free(process);
        return KAN_NOMEM;
    }
    process->handle.env = env;
    process->process.data = process;
    process->data = data;
    process->cb = cb;
    int error = spawn(world, process, options->arguments, environment);
    mem_free(environment);
    if (error) { /* libuv knows the handle even so */
        uv_close((uv_handle_t *)&process->process, env_uv_process_gone);
        return spawn_err(-error);
    }
    world->open++;
    *ret_process = process;
    return KAN_OK;
}

int64_t env_uv_process_id(const struct env_process *process)
{
    return uv_process_get_pid(&process->process);
}

void env_uv_process_signal(struct env_process *process, int signal)
{
    /* Once it has been waited for, the number may be somebody else's. */
    if (!process->exited)
        uv_process_kill(&process->process, signal);
}

/* One that still runs is kept, unseen, to be waited for: it must not stay
 * behind as a zombie. */
static void on_close(struct env_task *task)
{
    struct env_process *process = task->data;
    struct env_uv *world = world_of(process->handle.env);
    env_close_cb *cb = process->close_cb;
    void *data = process->close_data;
    process->released = true;
    if (process->exited)
        uv_close((uv_handle_t *)&process->process, env_uv_process_gone);
    else
        uv_unref((uv_handle_t *)&process->process);
    world->open--;
    if (cb)
        cb(data);
}

void env_uv_process_close(struct env_process *process, void *data,
                          env_close_cb *cb)
{
    kan_assert(!process->closing);
    process->closing = true;
    process->close_data = data;
    process->close_cb = cb;
    process->close_task.data = process;
    env_uv_defer(process->handle.env, &process->close_task, on_close);
}
