/* trace.h - an engine that tells what another is asked and what it answers, one
 * line of text each.
 *
 * A line begins with the number of the request, counted from 1:
 *   1 commit id "a" if absent "k" put "k" 5 bytes ttl 1000 ms
 *   1 commit OK revision 7
 *   2 get linearizable "k" "l"
 *   2 get OK revision 7: 1 of 2
 * Equal runs give equal lines. Values are not shown, only their sizes; keys are
 * quoted, with bytes outside of printable ASCII as \xNN, and cut at 64 bytes;
 * lists are cut at 16 members. */

#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <kan/base.h>

#include "engine/engine.h"

/* A line without a newline, borrowed until the call returns. */
typedef void engine_trace_sink(void *data, struct kan_slice line);

/* Wrap inner, which is given: the new engine closes it. KAN_NOMEM. Yours:
 * engine_close(). */
KAN_MUST_USE enum kan_err engine_trace_open(struct env *env,
                                            struct engine *inner, void *data,
                                            engine_trace_sink *sink,
                                            struct engine **ret_engine);

#endif /* TRACE_TRACE_H */
