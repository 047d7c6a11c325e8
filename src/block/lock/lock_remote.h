/* lock_remote.h - an engine in one simulated process that carries out what is
 * asked of it on an engine in another, over a way that is slow and loses
 * things: questions, answers, and reports.
 *
 * It stands for a client of an engine on a server. What it adds to engine/fault
 * is that client and server live and die apart, that their clocks differ, and
 * that a commit may come into force long after its client was told TIMEOUT. */

#ifndef BLOCK_LOCK_LOCK_REMOTE_H
#define BLOCK_LOCK_LOCK_REMOTE_H

#include "engine/engine.h"

/* Zero is a perfect way. Rates are in thousandths. */
struct remote_way
{
    uint64_t delay_max_ns; /* each way of each message, by chance */
    uint32_t lost_rate;    /* of questions, and of answers */
    uint32_t late_rate;    /* of questions: late by up to late_ns more */
    uint64_t late_ns;
    uint32_t report_lost_rate; /* the watch ends with KAN_LOST */
    uint64_t late_commits;     /* out: commits carried out after their client
                                * had been answered */
};

/* way and server are borrowed until the engine is closed, which leaves the
 * server open. KAN_NOMEM. */
KAN_MUST_USE enum kan_err engine_remote_open(struct env *env,
                                             struct engine *server,
                                             struct remote_way *way,
                                             struct engine **ret_engine);

#endif /* BLOCK_LOCK_LOCK_REMOTE_H */
