/* Signals, as callbacks of the loop. */

#include "base/alloc.h"
#include "env/uv/world.h"

struct env_signal
{
    struct env_handle handle; /* first */
    uv_signal_t signal;
    void *data;
    env_signal_cb *cb;
    void *close_data;
    env_close_cb *close_cb;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct env_signal *signal = handle->data;
    signal->cb(signal->data, number);
}

static void on_gone(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void on_closed(uv_handle_t *handle)
{
    struct env_signal *signal = handle->data;
    struct env_uv *world = world_of(signal->handle.env);
    env_close_cb *cb = signal->close_cb;
    void *data = signal->close_data;
    mem_free(signal);
    world->open--;
    if (cb)
        cb(data);
}

enum kan_err env_uv_signal_open(struct env *env, int signal, void *data,
                                env_signal_cb *cb,
                                struct env_signal **ret_signal)
{
    struct env_uv *world = world_of(env);
    struct env_signal *opened = mem_zalloc(sizeof *opened);
    if (!opened)
        return KAN_NOMEM;
    opened->handle.env = env;
    opened->data = data;
    opened->cb = cb;
    int error = uv_signal_init(&world->loop, &opened->signal);
    if (error) {
        mem_free(opened);
        return env_uv_err(-error);
    }
    opened->signal.data = opened;
    error = uv_signal_start(&opened->signal, on_signal, signal);
    if (error) {
        uv_close((uv_handle_t *)&opened->signal, on_gone);
        return env_uv_err(-error);
    }
    world->open++;
    *ret_signal = opened;
    return KAN_OK;
}

void env_uv_signal_close(struct env_signal *signal, void *data,
                         env_close_cb *cb)
{
    signal->close_data = data;
    signal->close_cb = cb;
    uv_close((uv_handle_t *)&signal->signal, on_closed);
}
