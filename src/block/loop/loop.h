/* loop.h - what is behind kan/loop.h: an env, and a flag that tells whether it
 * is running, so that a blocking call within a callback asserts. */

#ifndef BLOCK_LOOP_LOOP_H
#define BLOCK_LOOP_LOOP_H

#include <kan/loop.h>

#include "env/env.h"

/* A loop on an env of any kind, for tests in a simulated world; kan_loop_fd()
 * and kan_loop_timeout_ms() are not for it. env is borrowed until
 * kan_loop_free(), which leaves it. KAN_NOMEM. */
KAN_MUST_USE enum kan_err loop_new_on(struct env *env, kan_loop **ret_loop);

struct env *loop_env(const kan_loop *loop);

/* Run callbacks until *done. Not within a callback. */
void loop_wait(kan_loop *loop, const bool *done);

#endif /* BLOCK_LOOP_LOOP_H */
