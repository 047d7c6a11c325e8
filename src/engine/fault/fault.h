/* fault.h - an engine that makes another fail: by chance, from the tape, or at
 * the nth request.
 *
 * With all knobs at 0 it draws nothing and changes nothing. Every fault keeps
 * the contract of the waist: what is answered BUSY had no effect, what is
 * answered LOST or IO happened or did not, by choice, and a broken engine stays
 * broken until it is opened again. Canceled requests are not affected. */

#ifndef FAULT_FAULT_H
#define FAULT_FAULT_H

#include <kan/base.h>

#include "engine/engine.h"

enum engine_fault_kind
{
    ENGINE_FAULT_BUSY, /* answered KAN_BUSY, with no effect */
    ENGINE_FAULT_LOST, /* carried out or not, and answered KAN_LOST; a watch
                        * ends with it */
    ENGINE_FAULT_IO,   /* as LOST, but with KAN_IO; and so is every request from
                        * then on, and every watch ends with it */
    ENGINE_FAULT_KINDS
};

/* Rates are in thousandths of requests (1,000: always). */
struct engine_fault_options
{
    uint32_t rate[ENGINE_FAULT_KINDS];
    uint32_t delay_rate;   /* of requests that reach the inner engine late, and
                            * of commits whose answer is late */
    uint64_t delay_max_ns; /* at most so late; 0 means 1 s */
    uint32_t report_lost_rate; /* of reports to a watch: it ends with KAN_LOST
                                * instead */
};

/* Wrap inner, which is given: the new engine closes it. options are copied and
 * may be NULL. KAN_NOMEM. Yours: engine_close(). */
KAN_MUST_USE enum kan_err engine_fault_open(
    struct env *env, struct engine *inner,
    const struct engine_fault_options *options, struct engine **ret_engine);

/* The knobs, to be turned at any time. engine is what engine_fault_open()
 * gave. */
struct engine_fault_options *engine_fault_options(struct engine *engine);

/* Make the nth request from now (1 is the next) fail in this way, in place of
 * any other fault; 0 ends it. */
void engine_fault_nth(struct engine *engine, enum engine_fault_kind kind,
                      uint64_t nth);

/* Whether the fault set last has struck. */
bool engine_fault_struck(const struct engine *engine);

#endif /* FAULT_FAULT_H */
