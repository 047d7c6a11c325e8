/* Every call of env.h, handed to the world that the handle belongs to. */

#include "env/env.h"

#include "env/ops.h"

bool env_run(struct env *env, enum env_run_mode mode)
{
    return env->ops->run(env, mode);
}

void env_stop(struct env *env)
{
    env->ops->stop(env);
}

struct env *env_free(struct env *env)
{
    return env ? env->ops->free(env) : NULL;
}

bool env_simulated(const struct env *env)
{
    return env->ops->simulated(env);
}

uint64_t env_now(struct env *env)
{
    return env->ops->now(env);
}

uint64_t env_wall_ms(struct env *env)
{
    return env->ops->wall_ms(env);
}

uint64_t env_choose(struct env *env, uint64_t n)
{
    return env->ops->choose(env, n);
}

enum kan_err env_timer_start(struct env *env, struct env_timer *timer,
                             uint64_t due_ns, env_timer_cb *cb)
{
    return env->ops->timer_start(env, timer, due_ns, cb);
}

void env_timer_stop(struct env *env, struct env_timer *timer)
{
    env->ops->timer_stop(env, timer);
}

void env_defer(struct env *env, struct env_task *task, env_task_cb *cb)
{
    env->ops->defer(env, task, cb);
}

void env_undefer(struct env *env, struct env_task *task)
{
    env->ops->undefer(env, task);
}

void env_post(struct env *env, struct env_task *task, env_task_cb *cb)
{
    env->ops->post(env, task, cb);
}

enum kan_err env_lane_open(struct env *env, const char *name,
                           struct env_lane **ret_lane)
{
    return env->ops->lane_open(env, name, ret_lane);
}

void env_lane_work(struct env_lane *lane, struct env_work *work,
                   env_work_cb *run, env_work_cb *done)
{
    ((const struct env_handle *)(const void *)lane)
        ->env->ops->lane_work(lane, work, run, done);
}

void env_lane_close(struct env_lane *lane, void *data, env_close_cb *cb)
{
    ((const struct env_handle *)(const void *)lane)
        ->env->ops->lane_close(lane, data, cb);
}

enum kan_err env_listen(struct env *env, const char *address,
                        const struct env_listen_options *options, void *data,
                        env_accept_cb *cb, char *why, size_t why_size,
                        struct env_listener **ret_listener)
{
    return env->ops->listen(env, address, options, data, cb, why, why_size,
                            ret_listener);
}

const char *env_listener_address(const struct env_listener *listener)
{
    return ((const struct env_handle *)(const void *)listener)
        ->env->ops->listener_address(listener);
}

void env_listener_close(struct env_listener *listener, void *data,
                        env_close_cb *cb)
{
    ((const struct env_handle *)(const void *)listener)
        ->env->ops->listener_close(listener, data, cb);
}

enum kan_err env_connect(struct env *env, const char *address, void *data,
                         env_connect_cb *cb)
{
    return env->ops->connect(env, address, data, cb);
}

void env_stream_read_start(struct env_stream *stream, void *data,
                           env_read_cb *cb)
{
    ((const struct env_handle *)(const void *)stream)
        ->env->ops->stream_read_start(stream, data, cb);
}

void env_stream_read_stop(struct env_stream *stream)
{
    ((const struct env_handle *)(const void *)stream)
        ->env->ops->stream_read_stop(stream);
}

enum kan_err env_stream_try_write(struct env_stream *stream,
                                  struct kan_slice bytes, size_t *ret_written)
{
    return ((const struct env_handle *)(const void *)stream)
        ->env->ops->stream_try_write(stream, bytes, ret_written);
}

enum kan_err env_stream_write(struct env_stream *stream,
                              struct env_write *write, struct kan_slice bytes,
                              env_write_cb *cb)
{
    return ((const struct env_handle *)(const void *)stream)
        ->env->ops->stream_write(stream, write, bytes, cb);
}

size_t env_stream_pending(const struct env_stream *stream)
{
    return ((const struct env_handle *)(const void *)stream)
        ->env->ops->stream_pending(stream);
}

void env_stream_finish(struct env_stream *stream)
{
    ((const struct env_handle *)(const void *)stream)
        ->env->ops->stream_finish(stream);
}

void env_stream_close(struct env_stream *stream, void *data, env_close_cb *cb)
{
    ((const struct env_handle *)(const void *)stream)
        ->env->ops->stream_close(stream, data, cb);
}

enum kan_err env_port_open(struct env *env, const char *address, void *data,
                           env_message_cb *cb, struct env_port **ret_port)
{
    return env->ops->port_open(env, address, data, cb, ret_port);
}

const char *env_port_address(const struct env_port *port)
{
    return ((const struct env_handle *)(const void *)port)
        ->env->ops->port_address(port);
}

enum kan_err env_port_send(struct env_port *port, const char *to,
                           struct kan_slice bytes)
{
    return ((const struct env_handle *)(const void *)port)
        ->env->ops->port_send(port, to, bytes);
}

void env_port_close(struct env_port *port, void *data, env_close_cb *cb)
{
    ((const struct env_handle *)(const void *)port)
        ->env->ops->port_close(port, data, cb);
}

enum kan_err env_file_open(struct env *env, const char *path, unsigned flags,
                           struct env_file **ret_file)
{
    return env->ops->file_open(env, path, flags, ret_file);
}

void env_file_close(struct env_file *file)
{
    ((const struct env_handle *)(const void *)file)->env->ops->file_close(file);
}

enum kan_err env_file_read(struct env_file *file, uint64_t offset, void *bytes,
                           size_t size, size_t *ret_size)
{
    return ((const struct env_handle *)(const void *)file)
        ->env->ops->file_read(file, offset, bytes, size, ret_size);
}

enum kan_err env_file_write(struct env_file *file, uint64_t offset,
                            struct kan_slice bytes)
{
    return ((const struct env_handle *)(const void *)file)
        ->env->ops->file_write(file, offset, bytes);
}

enum kan_err env_file_sync(struct env_file *file)
{
    return ((const struct env_handle *)(const void *)file)
        ->env->ops->file_sync(file);
}

enum kan_err env_file_truncate(struct env_file *file, uint64_t size)
{
    return ((const struct env_handle *)(const void *)file)
        ->env->ops->file_truncate(file, size);
}

enum kan_err env_file_size(struct env_file *file, uint64_t *ret_size)
{
    return ((const struct env_handle *)(const void *)file)
        ->env->ops->file_size(file, ret_size);
}

enum kan_err env_file_lock(struct env_file *file)
{
    return ((const struct env_handle *)(const void *)file)
        ->env->ops->file_lock(file);
}

enum kan_err env_file_delete(struct env *env, const char *path)
{
    return env->ops->file_delete(env, path);
}

enum kan_err env_file_rename(struct env *env, const char *from, const char *to)
{
    return env->ops->file_rename(env, from, to);
}

enum kan_err env_file_exists(struct env *env, const char *path)
{
    return env->ops->file_exists(env, path);
}

enum kan_err env_dir_sync(struct env *env, const char *path)
{
    return env->ops->dir_sync(env, path);
}

enum kan_err env_dir_make(struct env *env, const char *path)
{
    return env->ops->dir_make(env, path);
}

enum kan_err env_dir_list(struct env *env, const char *path, void *data,
                          env_dir_cb *each)
{
    return env->ops->dir_list(env, path, data, each);
}

enum kan_err env_spawn(struct env *env, const struct env_spawn_options *options,
                       void *data, env_exit_cb *cb,
                       struct env_process **ret_process)
{
    return env->ops->spawn(env, options, data, cb, ret_process);
}

int64_t env_process_id(const struct env_process *process)
{
    return ((const struct env_handle *)(const void *)process)
        ->env->ops->process_id(process);
}

void env_process_signal(struct env_process *process, int signal)
{
    ((const struct env_handle *)(const void *)process)
        ->env->ops->process_signal(process, signal);
}

void env_process_close(struct env_process *process, void *data,
                       env_close_cb *cb)
{
    ((const struct env_handle *)(const void *)process)
        ->env->ops->process_close(process, data, cb);
}

enum kan_err env_signal_open(struct env *env, int signal, void *data,
                             env_signal_cb *cb, struct env_signal **ret_signal)
{
    return env->ops->signal_open(env, signal, data, cb, ret_signal);
}

void env_signal_close(struct env_signal *signal, void *data, env_close_cb *cb)
{
    ((const struct env_handle *)(const void *)signal)
        ->env->ops->signal_close(signal, data, cb);
}
