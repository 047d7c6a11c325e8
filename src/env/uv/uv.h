/* uv.h - the world itself: clocks, threads, sockets, files and processes of
 * this machine, on libuv.
 *
 * It promises what env.h promises, and bounds its work: in one turn of the loop
 * a deferred task, or a timer that is due at once, which is submitted by a task
 * or a timer waits until sockets have been looked at again. A connect that
 * nobody answers ends after 10 seconds.
 *
 * Making one sets SIGPIPE and SIGXFSZ to be ignored for the whole process,
 * where they have their default action: a peer that went away and a file that
 * outgrows its limit are statuses here, not the end of the process. */

#ifndef ENV_UV_UV_H
#define ENV_UV_UV_H

#include <kan/base.h>

struct env;

/* A new world; it belongs to the thread that runs it. KAN_NOMEM, KAN_BUSY when
 * the process has no descriptor left, or KAN_IO when the machine has no random
 * numbers. Yours: env_free(). */
KAN_MUST_USE enum kan_err env_uv_new(struct env **ret_env);

/* For a loop that is not ours: wait until this descriptor is readable, for
 * env_uv_timeout_ms() at most, and call env_run(env, ENV_RUN_NOWAIT). The
 * descriptor belongs to the env. env must be of env_uv_new(). */
int env_uv_fd(struct env *env);

/* How long the foreign loop may wait, in milliseconds: 0 means not at all, -1
 * for ever. Ask anew before each wait: what is submitted in between changes
 * it. */
int env_uv_timeout_ms(struct env *env);

#endif /* ENV_UV_UV_H */
