/* fence.h - the fence of a request: "{lock store}/{resource}/{token}" in its
 * metadata, the grant of a lock that all its writes rest on. */

#ifndef SERVE_HTTP_FENCE_H
#define SERVE_HTTP_FENCE_H

#include "serve/http/call.h"

/* Take text (empty: no fence) for the call's grant, once its state store is
 * known. false: answered. */
bool fence_take(struct call *call, struct kan_slice text);

/* Submit the write under the call's grant, if it has one: all or nothing then.
 * Statuses as state_write(). */
KAN_MUST_USE enum kan_err fence_submit(struct call *call,
                                       struct state_write *write,
                                       state_write_cb *cb);

#endif /* SERVE_HTTP_FENCE_H */
