/* lock.h - what the handlers of locks, and fences, share. */

#ifndef SERVE_HTTP_LOCK_H
#define SERVE_HTTP_LOCK_H

#include "serve/http/call.h"

/* The lock store of that name, or NULL. */
const struct serve_lock *lock_named(const struct serve *serve,
                                    struct kan_slice name);

/* Find the lock store that the path names first. false: answered. */
bool lock_find(struct call *call);

/* Answer with a failure of the block, in the context of the call. */
void lock_fail(struct call *call, enum lock_outcome outcome, enum kan_err err);

#endif /* SERVE_HTTP_LOCK_H */
