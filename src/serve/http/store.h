/* store.h - what the handlers of state and of the list of keys share. */

#ifndef SERVE_HTTP_STORE_H
#define SERVE_HTTP_STORE_H

#include "serve/http/call.h"

/* Find the store that the path names first. false: answered. */
bool store_find(struct call *call);

/* Answer with what became of a request, other than STATE_OK. err goes with
 * STATE_FAILED; key is the one at fault; count is how many there were. */
void store_fail(struct call *call, enum state_outcome outcome, enum kan_err err,
                struct kan_slice key, uint32_t count);

/* An option was refused, and call->text says which. A key that is wrong as
 * well is told first, because the public API looks at keys first. */
void store_fail_option(struct call *call, const struct state_op *ops,
                       uint32_t count);

/* The store has no transactions. */
void store_fail_no_transactions(struct call *call);

/* More operations than a transaction may have. */
void store_fail_too_many(struct call *call, uint32_t count);

struct kan_slice store_name(const struct call *call);

#endif /* SERVE_HTTP_STORE_H */
