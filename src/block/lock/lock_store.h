/* lock_store.h - what the parts of the lock block's driver share: lock.c (the
 * store, requests and lines), lock_op.c (a request's core against the engine),
 * lock_hold.c (the watch, and notice of loss). */

#ifndef BLOCK_LOCK_LOCK_STORE_H
#define BLOCK_LOCK_LOCK_STORE_H

#include "base/map.h"
#include "block/lock/lock.h"
#include "block/lock/lock_line.h"

enum
{
    LOCK_STORE_MAGIC = 0x10c5707e,
    LOCK_DEADLINE_MS = 30 * 1000, /* of a request that names none */
    LOCK_ASK_MS = 5 * 1000,       /* for one question to the engine */
    LOCK_HOLDS_MAX = 65536,
    LOCK_IDLE_MS = 60 * 60 * 1000 /* timers stay armed, so that moving them
                                   * needs no memory: this is never */
};

enum lock_watch_state
{
    LOCK_WATCH_OFF,
    LOCK_WATCH_ON,
    LOCK_WATCH_ENDING /* canceled: the store closes */
};

struct lock_store
{
    unsigned magic;
    struct engine *engine;
    struct env *env;
    uint32_t resource_max; /* bytes */
    uint32_t waiting_max;
    uint32_t drift_ppm;
    uint64_t id; /* of this opening, drawn */
    uint64_t numbers;
    uint64_t tickets;
    struct map lines; /* resource -> struct lock_queue */
    struct map holds; /* resource -> the first struct lock_hold */
    struct list ops;
    uint32_t requests; /* whose cb has not run */
    struct list hold_list;
    uint32_t hold_count; /* whose cb has not run */
    struct lock_stats stats;

    enum lock_watch_state watching;
    struct engine_watch watch;
    struct engine_cursor seen;    /* store 0: nothing yet */
    struct env_timer watch_timer; /* to open it again */

    bool closing;
    bool ended; /* all that could be ended was asked to */
    struct env_task close_task;
    void *close_data;
    env_close_cb *close_cb;
    size_t prefix_size;
    char prefix[];
};

/* Those who want one resource. */
struct lock_queue
{
    struct lock_store *store;
    struct lock_line line;
    struct list requests;   /* struct lock_request */
    struct lock_op *op;     /* the try of the first in line */
    struct env_timer timer; /* always armed */
    struct env_task task;   /* a try that could not begin */
    uint64_t task_ticket;
    size_t resource_size;
    char resource[];
};

/* What is kept of a request in line. */
struct lock_waiter
{
    struct lock_queue *queue;
    size_t owner_size;
    char owner[];
};

/* One core and what it asks the engine. It outlives its request's answer as
 * long as the core wants to. */
struct lock_op
{
    struct lock_store *store;
    struct lock_core core;
    struct lock_queue *queue;     /* a try's, until it is answered or dropped */
    struct lock_request *request; /* else; NULL once answered */
    uint64_t ticket;
    enum lock_effect_kind asked; /* what the engine was asked last */
    struct list link;
    struct env_timer timer; /* always armed */
    struct env_task task;   /* a question that the engine did not take */
    enum kan_err err;
    struct engine_get get;
    struct engine_commit commit;
    size_t key_size;
    size_t value_size;     /* head and owner */
    unsigned char bytes[]; /* key, value */
};

/* --- lock.c --------------------------------------------------------------- */

/* What a try came to. Only for an op that is its queue's. */
void lock_queue_tried(struct lock_queue *queue, struct lock_op *op,
                      const struct lock_effect *answer);

/* The resource was freed, or may have been. */
void lock_queue_wake(struct lock_queue *queue);

/* Set the outcome, and run cb soon. */
void lock_request_end(struct lock_request *request, enum lock_outcome outcome,
                      enum kan_err err);

/* Free the store if it is closing and nothing is left. */
void lock_store_ebb(struct lock_store *store);

/* --- lock_op.c ------------------------------------------------------------ */

/* Begin what want says. Names have been checked. KAN_NOMEM. */
KAN_MUST_USE enum kan_err lock_op_begin(struct lock_store *store,
                                        struct lock_want want,
                                        struct kan_slice resource,
                                        struct kan_slice owner,
                                        struct lock_op **ret_op);

/* Nobody wants it any more; its request has been or will be answered. */
void lock_op_cancel(struct lock_op *op);

/* End all that are not with the engine, and hurry the others. */
void lock_op_close_all(struct lock_store *store);

/* --- lock_hold.c ---------------------------------------------------------- */

/* Watch, if not yet. What happens from the revision on will be reported. */
void lock_watch_ensure(struct lock_store *store, uint64_t revision);
void lock_watch_close(struct lock_store *store);

/* A renewal of the grant (0: of any) is sent; it was answered; a copy of it may
 * still come into force; the grant was found gone. lock_hold_renewed() returns
 * the lease. */
void lock_hold_risk(struct lock_store *store, struct kan_slice resource,
                    uint64_t token, uint64_t expiry_ms);
struct lock_lease lock_hold_renewed(struct lock_store *store,
                                    struct kan_slice resource,
                                    const struct lock_effect *answer);
void lock_hold_loose(struct lock_store *store, struct kan_slice resource,
                     uint64_t token, uint64_t expiry_ms);
void lock_hold_gone(struct lock_store *store, struct kan_slice resource,
                    uint64_t token, enum kan_err why);
void lock_hold_close_all(struct lock_store *store);

#endif /* BLOCK_LOCK_LOCK_STORE_H */
