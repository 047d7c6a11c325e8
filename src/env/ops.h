/* ops.h - what a world must provide: one function for each of env.h.
 *
 * For env.c, env/uv and env/sim alone. Every handle of a world (lane, stream,
 * listener, port, file, process, signal) begins with a struct env_handle. */

#ifndef ENV_OPS_H
#define ENV_OPS_H

#include "env/env.h"

struct env_handle
{
    struct env *env;
};

struct env_ops
{
    bool (*run)(struct env *env, enum env_run_mode mode);
    void (*stop)(struct env *env);
    struct env *(*free)(struct env *env);
    bool (*simulated)(const struct env *env);
    uint64_t (*now)(struct env *env);
    uint64_t (*wall_ms)(struct env *env);
    uint64_t (*choose)(struct env *env, uint64_t n);
    enum kan_err (*timer_start)(struct env *env, struct env_timer *timer,
                                uint64_t due_ns, env_timer_cb *cb);
    void (*timer_stop)(struct env *env, struct env_timer *timer);
    void (*defer)(struct env *env, struct env_task *task, env_task_cb *cb);
    void (*undefer)(struct env *env, struct env_task *task);
    void (*post)(struct env *env, struct env_task *task, env_task_cb *cb);
    enum kan_err (*lane_open)(struct env *env, const char *name,
                              struct env_lane **ret_lane);
    void (*lane_work)(struct env_lane *lane, struct env_work *work,
                      env_work_cb *run, env_work_cb *done);
    void (*lane_close)(struct env_lane *lane, void *data, env_close_cb *cb);
    enum kan_err (*listen)(struct env *env, const char *address,
                           const struct env_listen_options *options, void *data,
                           env_accept_cb *cb, char *why, size_t why_size,
                           struct env_listener **ret_listener);
    const char *(*listener_address)(const struct env_listener *listener);
    void (*listener_close)(struct env_listener *listener, void *data,
                           env_close_cb *cb);
    enum kan_err (*connect)(struct env *env, const char *address, void *data,
                            env_connect_cb *cb);
    void (*stream_read_start)(struct env_stream *stream, void *data,
                              env_read_cb *cb);
    void (*stream_read_stop)(struct env_stream *stream);
    enum kan_err (*stream_try_write)(struct env_stream *stream,
                                     struct kan_slice bytes,
                                     size_t *ret_written);
    enum kan_err (*stream_write)(struct env_stream *stream,
                                 struct env_write *write,
                                 struct kan_slice bytes, env_write_cb *cb);
    size_t (*stream_pending)(const struct env_stream *stream);
    void (*stream_finish)(struct env_stream *stream);
    void (*stream_close)(struct env_stream *stream, void *data,
                         env_close_cb *cb);
    enum kan_err (*port_open)(struct env *env, const char *address, void *data,
                              env_message_cb *cb, struct env_port **ret_port);
    const char *(*port_address)(const struct env_port *port);
    enum kan_err (*port_send)(struct env_port *port, const char *to,
                              struct kan_slice bytes);
    void (*port_close)(struct env_port *port, void *data, env_close_cb *cb);
    enum kan_err (*file_open)(struct env *env, const char *path, unsigned flags,
                              struct env_file **ret_file);
    void (*file_close)(struct env_file *file);
    enum kan_err (*file_read)(struct env_file *file, uint64_t offset,
                              void *bytes, size_t size, size_t *ret_size);
    enum kan_err (*file_write)(struct env_file *file, uint64_t offset,
                               struct kan_slice bytes);
    enum kan_err (*file_sync)(struct env_file *file);
    enum kan_err (*file_truncate)(struct env_file *file, uint64_t size);
    enum kan_err (*file_size)(struct env_file *file, uint64_t *ret_size);
    enum kan_err (*file_lock)(struct env_file *file);
    enum kan_err (*file_delete)(struct env *env, const char *path);
    enum kan_err (*file_rename)(struct env *env, const char *from,
                                const char *to);
    enum kan_err (*file_exists)(struct env *env, const char *path);
    enum kan_err (*dir_sync)(struct env *env, const char *path);
    enum kan_err (*dir_make)(struct env *env, const char *path);
    enum kan_err (*dir_list)(struct env *env, const char *path, void *data,
                             env_dir_cb *each);
    enum kan_err (*spawn)(struct env *env,
                          const struct env_spawn_options *options, void *data,
                          env_exit_cb *cb, struct env_process **ret_process);
    int64_t (*process_id)(const struct env_process *process);
    void (*process_signal)(struct env_process *process, int signal);
    void (*process_close)(struct env_process *process, void *data,
                          env_close_cb *cb);
    enum kan_err (*signal_open)(struct env *env, int signal, void *data,
                                env_signal_cb *cb,
                                struct env_signal **ret_signal);
    void (*signal_close)(struct env_signal *signal, void *data,
                         env_close_cb *cb);
};

/* A world's struct begins with this. */
struct env
{
    const struct env_ops *ops;
};

#endif /* ENV_OPS_H */
