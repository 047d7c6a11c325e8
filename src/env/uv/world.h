/* world.h - what the files of env/uv share: the struct of the world, and one
 * function for each row of env/ops.h, named after it with env_uv_ before. */

#ifndef ENV_UV_WORLD_H
#define ENV_UV_WORLD_H

#include <uv.h>

#include "base/assert.h"
#include "base/list.h"
#include "env/env.h"
#include "env/ops.h"
#include "env/timers.h"

enum
{
    WORLD_MAGIC = 0x756b616e,
    WORLD_READ_SIZE = 64 * 1024, /* one read; libuv's own suggestion */
    WORLD_RANDOM_SIZE = 256      /* the most that getrandom() never cuts */
};

struct env_uv
{
    struct env env; /* first */
    uint32_t magic;
    bool running; /* in env_run() */
    bool stopped; /* env_stop() was called */
    uv_loop_t loop;
    uv_prepare_t prepare; /* the only one of these five that keeps the loop */
    uv_check_t check;     /* alive: on_prepare() decides whether it goes on */
    uv_idle_t idle;       /* active while tasks wait, so that nothing blocks */
    uv_timer_t wake;      /* ends a wait when the first of timers is due */
    uv_async_t async;     /* ends a wait when another thread has left work */
    struct timers timers;
    struct list tasks;    /* struct env_task, deferred or posted */
    struct list done;     /* lanes with work to be handed back */
    size_t working;       /* env_work submitted and not yet handed back */
    size_t open;          /* handles and connects that the caller must end */
    uv_mutex_t mutex;     /* guards the next two */
    struct list posted;   /* struct env_task */
    struct list finished; /* lanes with work finished */
    uint64_t random[WORLD_RANDOM_SIZE / sizeof(uint64_t)];
    size_t random_left;
    char read_buffer[WORLD_READ_SIZE]; /* lent to whoever reads; last */
};

static inline struct env_uv *world_of(struct env *env)
{
    struct env_uv *world = (struct env_uv *)(void *)env;
    check_magic(world, WORLD_MAGIC);
    return world;
}

/* loop.c */
bool env_uv_run(struct env *env, enum env_run_mode mode);
void env_uv_stop(struct env *env);
struct env *env_uv_free(struct env *env);
void env_uv_defer(struct env *env, struct env_task *task, env_task_cb *cb);
void env_uv_undefer(struct env *env, struct env_task *task);
void env_uv_post(struct env *env, struct env_task *task, env_task_cb *cb);

/* A buffer for one read, good until its callback returns (a uv_alloc_cb). */
void env_uv_lend(uv_handle_t *handle, size_t size, uv_buf_t *ret_buffer);

/* time.c */
uint64_t env_uv_now(struct env *env);
uint64_t env_uv_wall_ms(struct env *env);
uint64_t env_uv_choose(struct env *env, uint64_t n);
enum kan_err env_uv_timer_start(struct env *env, struct env_timer *timer,
                                uint64_t due_ns, env_timer_cb *cb);
void env_uv_timer_stop(struct env *env, struct env_timer *timer);

/* Fill world->random. KAN_IO when the machine has no chance to give. */
KAN_MUST_USE enum kan_err env_uv_random_fill(struct env_uv *world);

/* Run the timers that are due, once each. */
void env_uv_timers_run(struct env_uv *world);

/* Set world->wake to the first timer. */
void env_uv_timers_arm(struct env_uv *world);

/* lane.c */
enum kan_err env_uv_lane_open(struct env *env, const char *name,
                              struct env_lane **ret_lane);
void env_uv_lane_work(struct env_lane *lane, struct env_work *work,
                      env_work_cb *run, env_work_cb *done);
void env_uv_lane_close(struct env_lane *lane, void *data, env_close_cb *cb);

/* Take over what the lanes have finished; the world's mutex is held. */
void env_uv_lanes_collect(struct env_uv *world);

/* Hand it back to its submitters. */
void env_uv_lanes_deliver(struct env_uv *world);

/* listen.c */
enum kan_err env_uv_listen(struct env *env, const char *address,
                           const struct env_listen_options *options, void *data,
                           env_accept_cb *cb, char *why, size_t why_size,
                           struct env_listener **ret_listener);
const char *env_uv_listener_address(const struct env_listener *listener);
void env_uv_listener_close(struct env_listener *listener, void *data,
                           env_close_cb *cb);

/* connect.c */
enum kan_err env_uv_connect(struct env *env, const char *address, void *data,
                            env_connect_cb *cb);

/* stream.c */
void env_uv_stream_read_start(struct env_stream *stream, void *data,
                              env_read_cb *cb);
void env_uv_stream_read_stop(struct env_stream *stream);
enum kan_err env_uv_stream_try_write(struct env_stream *stream,
                                     struct kan_slice bytes,
                                     size_t *ret_written);
enum kan_err env_uv_stream_write(struct env_stream *stream,
                                 struct env_write *write,
                                 struct kan_slice bytes, env_write_cb *cb);
size_t env_uv_stream_pending(const struct env_stream *stream);
void env_uv_stream_finish(struct env_stream *stream);
void env_uv_stream_close(struct env_stream *stream, void *data,
                         env_close_cb *cb);

/* port.c */
enum kan_err env_uv_port_open(struct env *env, const char *address, void *data,
                              env_message_cb *cb, struct env_port **ret_port);
const char *env_uv_port_address(const struct env_port *port);
enum kan_err env_uv_port_send(struct env_port *port, const char *to,
                              struct kan_slice bytes);
void env_uv_port_close(struct env_port *port, void *data, env_close_cb *cb);

/* file.c */
enum kan_err env_uv_file_open(struct env *env, const char *path, unsigned flags,
                              struct env_file **ret_file);
void env_uv_file_close(struct env_file *file);
enum kan_err env_uv_file_read(struct env_file *file, uint64_t offset,
                              void *bytes, size_t size, size_t *ret_size);
enum kan_err env_uv_file_write(struct env_file *file, uint64_t offset,
                               struct kan_slice bytes);
enum kan_err env_uv_file_sync(struct env_file *file);
enum kan_err env_uv_file_truncate(struct env_file *file, uint64_t size);
enum kan_err env_uv_file_size(struct env_file *file, uint64_t *ret_size);
enum kan_err env_uv_file_lock(struct env_file *file);

/* dir.c */
enum kan_err env_uv_file_delete(struct env *env, const char *path);
enum kan_err env_uv_file_rename(struct env *env, const char *from,
                                const char *to);
enum kan_err env_uv_file_exists(struct env *env, const char *path);
enum kan_err env_uv_dir_sync(struct env *env, const char *path);
enum kan_err env_uv_dir_make(struct env *env, const char *path);
enum kan_err env_uv_dir_list(struct env *env, const char *path, void *data,
                             env_dir_cb *each);

/* process.c */
enum kan_err env_uv_spawn(struct env *env,
                          const struct env_spawn_options *options, void *data,
                          env_exit_cb *cb, struct env_process **ret_process);
int64_t env_uv_process_id(const struct env_process *process);
void env_uv_process_signal(struct env_process *process, int signal);
void env_uv_process_close(struct env_process *process, void *data,
                          env_close_cb *cb);

/* Frees a process whose handle libuv has closed (a uv_close_cb). */
void env_uv_process_gone(uv_handle_t *handle);

/* signal.c */
enum kan_err env_uv_signal_open(struct env *env, int signal, void *data,
                                env_signal_cb *cb,
                                struct env_signal **ret_signal);
void env_uv_signal_close(struct env_signal *signal, void *data,
                         env_close_cb *cb);

/* error.c: what an errno means, for everything but files and for files. A
 * status of libuv is a negated errno. */
enum kan_err env_uv_err(int error);
enum kan_err env_uv_file_err(int error);

#endif /* ENV_UV_WORLD_H */
