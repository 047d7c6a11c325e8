/* env.h - everything that the outside gives: time, chance, timers, lanes for
 * blocking work, streams, messages, files, processes and signals.
 *
 * There are two: env/uv is the world, env/sim is a world drawn from a tape of
 * choices. Code above this floor cannot tell which one it runs in, so that
 * what is simulated is what ships.
 *
 * The contract of every call that takes a callback:
 *   - the caller owns the request's memory until the callback;
 *   - when the call returns anything but KAN_OK, the callback never runs;
 *   - when it returns KAN_OK (or nothing), the callback runs exactly once, on
 *     the loop, and never inside the call that submitted it;
 *   - within a callback everything is allowed.
 * One loop, one thread: only env_post() may be called from another thread, and
 * files may be used from a lane. Ties break by submission order. */

#ifndef ENV_ENV_H
#define ENV_ENV_H

#include <kan/base.h>

#include "base/list.h"

struct env;

/* --- the loop ------------------------------------------------------------- */

enum env_run_mode
{
    ENV_RUN_UNTIL_STOPPED, /* until env_stop(), or nothing is waited for */
    ENV_RUN_ONCE,          /* wait for one round of events, and run it */
    ENV_RUN_NOWAIT         /* run what is ready */
};

/* Run callbacks. Returns whether anything is left to wait for. */
bool env_run(struct env *env, enum env_run_mode mode);

/* Make env_run() return once the current callback has. */
void env_stop(struct env *env);

/* Free the environment. Every handle must be closed and every callback have
 * run before. NULL is ignored; returns NULL. */
struct env *env_free(struct env *env);

/* Whether this is a simulated world. For drivers of foreign code only, which
 * must put their own file system in its place. */
bool env_simulated(const struct env *env);

/* --- time and chance ------------------------------------------------------ */

/* Nanoseconds on a clock that never goes back; its zero means nothing. */
uint64_t env_now(struct env *env);

/* Milliseconds since 1970 on the clock of the wall, which may jump. May be
 * called from a lane. */
uint64_t env_wall_ms(struct env *env);

/* A number in [0, n), n > 0. The one door of chance: a run is its choices. */
uint64_t env_choose(struct env *env, uint64_t n);

enum
{
    ENV_MS = 1000000, /* nanoseconds in a millisecond */
    ENV_S = 1000000000
};

/* --- timers and later ----------------------------------------------------- */

struct env_timer;
typedef void env_timer_cb(struct env_timer *timer);

/* The caller's; zeroed before its first use. Owned by the env while armed. */
struct env_timer
{
    void *data; /* the caller's */
    uint64_t due_ns;
    uint64_t order;
    env_timer_cb *cb;
    size_t heap_index; /* 0 when not armed; else place + 1 */
};

/* Call cb at due_ns (env_now time; the past means as soon as possible, yet not
 * within this call). An armed timer is moved. KAN_NOMEM leaves it as it was. */
KAN_MUST_USE enum kan_err env_timer_start(struct env *env,
                                          struct env_timer *timer,
                                          uint64_t due_ns, env_timer_cb *cb);

/* Disarm: cb does not run. Nothing happens when it is not armed. */
void env_timer_stop(struct env *env, struct env_timer *timer);

static inline bool env_timer_armed(const struct env_timer *timer)
{
    return timer->heap_index != 0;
}

struct env_task;
typedef void env_task_cb(struct env_task *task);

/* The caller's; zeroed before its first use. */
struct env_task
{
    void *data; /* the caller's */
    struct list link;
    env_task_cb *cb;
};

/* Run cb when the current callback has returned, before any new event is
 * waited for, in order of submission. Never fails. A task already waiting
 * stays where it is. */
void env_defer(struct env *env, struct env_task *task, env_task_cb *cb);

/* Take a deferred task back. */
void env_undefer(struct env *env, struct env_task *task);

/* As env_defer(), from any thread. The task must be zeroed or have run. */
void env_post(struct env *env, struct env_task *task, env_task_cb *cb);

/* --- lanes: blocking work off the loop ------------------------------------ */

/* A lane runs its work one at a time and in order, on a thread of its own. The
 * simulator runs each piece inline, at a moment that the tape chooses. */
struct env_lane;

/* name (copied, at most 15 bytes) is the thread's. Yours: env_lane_close(). */
KAN_MUST_USE enum kan_err env_lane_open(struct env *env, const char *name,
                                        struct env_lane **ret_lane);

struct env_work;
typedef void env_work_cb(struct env_work *work);

/* The caller's, until done has been called. */
struct env_work
{
    void *data;        /* the caller's */
    env_work_cb *run;  /* off the loop: files and memory only */
    env_work_cb *done; /* on the loop, after run */
    struct list link;
};

/* Queue work. Never fails; done always runs, also while the lane closes. */
void env_lane_work(struct env_lane *lane, struct env_work *work,
                   env_work_cb *run, env_work_cb *done);

/* Finish all queued work, then end the lane and call cb. */
typedef void env_close_cb(void *data);
void env_lane_close(struct env_lane *lane, void *data, env_close_cb *cb);

/* --- streams: bytes in order, both ways ----------------------------------- */

/* An address as text: "127.0.0.1:3500", "[::1]:3500", or an absolute or
 * relative path with a slash in it for a Unix socket. Port 0 asks for any. */
struct env_listener;
struct env_stream;

struct env_listen_options
{
    bool reuse_port; /* let other processes share the port (SO_REUSEPORT) */
    int backlog;     /* 0 means 1,024 */
};

/* A new stream arrived; it is yours. */
typedef void env_accept_cb(void *data, struct env_stream *stream);

/* Listen. Statuses: KAN_HELD when the address is in use; KAN_INVALID when it
 * is not an address of this machine or may not be used (why says which); a
 * stale Unix socket that nobody answers on is replaced. why is a buffer of
 * why_size bytes that receives one line of text, or NULL. */
KAN_MUST_USE enum kan_err env_listen(struct env *env, const char *address,
                                     const struct env_listen_options *options,
                                     void *data, env_accept_cb *cb, char *why,
                                     size_t why_size,
                                     struct env_listener **ret_listener);

/* The address in use, with its real port. Borrowed until close. */
const char *env_listener_address(const struct env_listener *listener);

/* Stop accepting; a Unix socket's file is removed. cb may be NULL. */
void env_listener_close(struct env_listener *listener, void *data,
                        env_close_cb *cb);

/* Connect. cb gets KAN_OK and the stream, which is yours, or KAN_LOST. */
typedef void env_connect_cb(void *data, enum kan_err err,
                            struct env_stream *stream);
KAN_MUST_USE enum kan_err env_connect(struct env *env, const char *address,
                                      void *data, env_connect_cb *cb);

/* Bytes arrived, borrowed until the callback returns. KAN_END with no bytes
 * when the peer has finished sending; KAN_LOST when the connection broke. After
 * either, no more calls. */
typedef void env_read_cb(void *data, enum kan_err err, struct kan_slice bytes);

/* Call cb for what arrives until env_stream_read_stop(). No memory is held
 * while nothing arrives. */
void env_stream_read_start(struct env_stream *stream, void *data,
                           env_read_cb *cb);
void env_stream_read_stop(struct env_stream *stream);

/* Write what the peer takes now, without waiting: ret_written may be 0 or
 * less than all. KAN_LOST when the connection broke. Not while env_stream_write
 * is under way (then it writes 0). */
KAN_MUST_USE enum kan_err env_stream_try_write(struct env_stream *stream,
                                               struct kan_slice bytes,
                                               size_t *ret_written);

struct env_write;
typedef void env_write_cb(struct env_write *write, enum kan_err err);

/* The caller's, until cb. */
struct env_write
{
    void *data; /* the caller's */
    env_write_cb *cb;
    struct kan_slice bytes;
    struct list link;
    uint64_t reserved[32]; /* the world's own request lives here */
};

/* Write all of bytes (borrowed until cb). cb gets KAN_OK when the kernel has
 * them, KAN_LOST when the connection broke, KAN_CLOSED when it was closed. */
KAN_MUST_USE enum kan_err env_stream_write(struct env_stream *stream,
                                           struct env_write *write,
                                           struct kan_slice bytes,
                                           env_write_cb *cb);

/* Bytes handed over by env_stream_write and not yet taken by the kernel. */
size_t env_stream_pending(const struct env_stream *stream);

/* Send the end of the stream, after what was written. Reading goes on. */
void env_stream_finish(struct env_stream *stream);

/* Close at once. Writes under way end with KAN_CLOSED, then cb runs (it may be
 * NULL) and the stream is gone. No read callback runs after this call. */
void env_stream_close(struct env_stream *stream, void *data, env_close_cb *cb);

/* --- messages: datagrams that may be lost, doubled, late ------------------ */

struct env_port;

/* A message arrived at the port, from the address (both borrowed). */
typedef void env_message_cb(void *data, const char *from,
                            struct kan_slice bytes);

/* Open a port at the address; port 0 asks for any. */
KAN_MUST_USE enum kan_err env_port_open(struct env *env, const char *address,
                                        void *data, env_message_cb *cb,
                                        struct env_port **ret_port);
const char *env_port_address(const struct env_port *port);

/* Send at most 1,200 bytes (copied). KAN_OK promises nothing but that it was
 * tried. */
KAN_MUST_USE enum kan_err env_port_send(struct env_port *port, const char *to,
                                        struct kan_slice bytes);
void env_port_close(struct env_port *port, void *data, env_close_cb *cb);

/* --- files: blocking; from a lane, or before the loop runs ---------------- */

struct env_file;

enum env_open_flags
{
    ENV_OPEN_READ = 0,
    ENV_OPEN_WRITE = 1 << 0,     /* for reading and writing */
    ENV_OPEN_CREATE = 1 << 1,    /* when it is absent; mode 0600 */
    ENV_OPEN_EXCLUSIVE = 1 << 2, /* KAN_CONFLICT when it exists */
    ENV_OPEN_TRUNCATE = 1 << 3
};

/* Statuses of all file calls: KAN_NOTFOUND, KAN_FULL (no space, or over a
 * quota), KAN_IO, KAN_INVALID (not permitted, not such a file), KAN_NOMEM,
 * KAN_BUSY (no descriptor left). */
KAN_MUST_USE enum kan_err env_file_open(struct env *env, const char *path,
                                        unsigned flags,
                                        struct env_file **ret_file);
void env_file_close(struct env_file *file);

/* Read up to size bytes at offset; ret_size is smaller only at the end. */
KAN_MUST_USE enum kan_err env_file_read(struct env_file *file, uint64_t offset,
                                        void *bytes, size_t size,
                                        size_t *ret_size);

/* Write all. After KAN_FULL or KAN_IO any part may have been written. */
KAN_MUST_USE enum kan_err env_file_write(struct env_file *file, uint64_t offset,
                                         struct kan_slice bytes);

/* Make what was written, and the size, survive a power cut. After a failure
 * nothing is known of what was pending: the file must not be trusted again. */
KAN_MUST_USE enum kan_err env_file_sync(struct env_file *file);
KAN_MUST_USE enum kan_err env_file_truncate(struct env_file *file,
                                            uint64_t size);
KAN_MUST_USE enum kan_err env_file_size(struct env_file *file,
                                        uint64_t *ret_size);

/* Take the file for this process, until close. KAN_HELD when another process
 * has it. */
KAN_MUST_USE enum kan_err env_file_lock(struct env_file *file);

KAN_MUST_USE enum kan_err env_file_delete(struct env *env, const char *path);
KAN_MUST_USE enum kan_err env_file_rename(struct env *env, const char *from,
                                          const char *to);

/* KAN_OK, KAN_NOTFOUND, or a failure. */
KAN_MUST_USE enum kan_err env_file_exists(struct env *env, const char *path);

/* Make names in the directory (creations, renames, deletions) survive a power
 * cut. */
KAN_MUST_USE enum kan_err env_dir_sync(struct env *env, const char *path);

/* Make the directory, mode 0700, with its parents; it may exist. */
KAN_MUST_USE enum kan_err env_dir_make(struct env *env, const char *path);

/* Call each with every name in the directory but . and .., in byte order. */
typedef void env_dir_cb(void *data, const char *name);
KAN_MUST_USE enum kan_err env_dir_list(struct env *env, const char *path,
                                       void *data, env_dir_cb *each);

/* --- processes and signals ------------------------------------------------ */

struct env_process;

/* The process ended: by itself with an exit code (signal 0), or by a signal. */
typedef void env_exit_cb(void *data, int64_t exit_code, int signal);

struct env_spawn_options
{
    const char *const
        *arguments; /* NULL-terminated; [0] is looked up in PATH */
    const char *const *environment; /* NULL-terminated "NAME=value" to add */
};

/* Start a process with our standard input, output and error. KAN_NOTFOUND when
 * there is no such program, KAN_INVALID when it may not be run. */
KAN_MUST_USE enum kan_err env_spawn(struct env *env,
                                    const struct env_spawn_options *options,
                                    void *data, env_exit_cb *cb,
                                    struct env_process **ret_process);
int64_t env_process_id(const struct env_process *process);
void env_process_signal(struct env_process *process, int signal);

/* Forget the process; cb does not run any more. After cb, this frees it. */
void env_process_close(struct env_process *process, void *data,
                       env_close_cb *cb);

struct env_signal;
typedef void env_signal_cb(void *data, int signal);

/* Call cb whenever the signal arrives. */
KAN_MUST_USE enum kan_err env_signal_open(struct env *env, int signal,
                                          void *data, env_signal_cb *cb,
                                          struct env_signal **ret_signal);
void env_signal_close(struct env_signal *signal, void *data, env_close_cb *cb);

#endif /* ENV_ENV_H */
