/* saga_host.h - the inside of the saga block: the host with its sagas under way
 * and those who wait for them (saga.c), and one saga as it is carried out
 * (saga_run.c). */

#ifndef BLOCK_SAGA_SAGA_HOST_H
#define BLOCK_SAGA_SAGA_HOST_H

#include "base/map.h"
#include "block/saga/saga.h"
#include "block/saga/saga_record.h"

enum
{
    SAGA_WAITERS_MAX = 65536,
    SAGA_RECOVER_MAX = 64,    /* sagas that are taken up at the same time */
    SAGA_RECOVER_MS = 1000,   /* until a scan that failed is tried again */
    SAGA_LOOK_MS = 60 * 1000, /* on an engine that others share: how often it
                                * is looked whose sagas stand still */
    SAGA_KEY_MAX = 1 + SAGA_ID_MAX /* behind the prefix */
};

/* A call, while it is the block's. */
struct saga_waiter
{
    struct saga_call *call;
    struct saga_host *host;
    struct engine_get get; /* of a read */
    bool reading;
    struct buffer text; /* what the call's text borrows */
    struct buffer condition;
    struct buffer values;
    struct buffer json;
    struct buffer saved; /* the parameters that it asks for */
    char id[32];         /* that was drawn */
};

struct saga_host
{
    unsigned magic;
    struct env *env;
    struct engine *engine;
    struct entity_host *entities;
    struct buffer prefix;
    uint32_t waiting_max;
    void *data;
    entity_trouble_cb *trouble;
    struct map active;   /* id to struct saga */
    struct list sagas;   /* all, those that have ended and are not yet freed
                           * too */
    struct list waiting; /* calls that wait for no saga: reads, and answers
                           * that are on their way */
    uint32_t saga_count;
    uint32_t waiter_count;
    struct saga_stats stats;
    struct
    {
        struct engine_scan scan;
        struct env_timer timer;
        struct buffer after; /* key seen last */
        uint32_t count;      /* sagas that are being taken up */
        bool scanning;
        bool more;
    } recover;
    bool closing;
    struct env_task close_task;
    void *close_data;
    env_close_cb *close_cb;
};

/* One saga under way. */
struct saga
{
    struct saga_host *host;
    struct list link;
    struct list waiters; /* of struct saga_call */
    struct saga_core core;
    struct contract *contract; /* that values and number are of; or NULL */
    uint32_t number;           /* of the saga in it */
    void *values;              /* parameters, laid out */
    uint64_t plan;
    struct buffer id;
    struct buffer name;
    struct buffer saved; /* parameters, as kept */
    struct buffer refused_call;
    struct buffer reason;
    struct buffer obstacle; /* why what must not be refused was */
    struct buffer stuck;    /* why it cannot go on; empty: it does */
    struct buffer stuck_call;
    bool stuck_undo;
    uint32_t troubles; /* in a row */
    struct env_task task;
    struct saga_event event; /* for the task */
    bool asking;             /* of what is below, one is under way */
    bool over;
    bool recovering;
    enum saga_outcome outcome; /* when it failed */
    enum kan_err err;
    enum kan_err doing_err; /* of the last attempt */
    struct buffer key;
    struct buffer mark; /* the key that says it is under way */
    struct buffer record;
    struct entity_call step;
    struct engine_get get;
    struct engine_commit commit;
    struct env_timer timer;
};

/* --- saga_run.c ----------------------------------------------------------- */

/* A saga of that id, not yet begun. Yours, until saga_begin(). */
KAN_MUST_USE enum kan_err saga_new(struct saga_host *host, struct kan_slice id,
                                   struct saga **ret_saga);
void saga_free(struct saga *saga);

/* Feed its first event, later. */
void saga_begin(struct saga *saga, enum saga_event_kind kind);

/* What is known of it, as a record that says so of its progress. */
struct saga_record saga_record_of(const struct saga *saga,
                                  struct saga_progress progress);

/* End it without an end: the host closes. */
void saga_stop(struct saga *saga);

/* --- saga.c --------------------------------------------------------------- */

/* The saga is over, and no request of it is under way: answer who waits, and
 * free it. */
void saga_host_over(struct saga_host *host, struct saga *saga);

/* What it is has been read: those who wait for another one under its id are
 * told so. */
void saga_host_known(struct saga_host *host, struct saga *saga);

/* It has been taken up, as far as that can be said: others may be. */
void saga_host_taken_up(struct saga_host *host, struct saga *saga);

void saga_host_trouble(struct saga_host *host, const struct buffer *line);

/* Append the key of a kind, 'r' or 'u'. */
void saga_host_key(const struct saga_host *host, char kind, struct kan_slice id,
                   struct buffer *out);

#endif /* BLOCK_SAGA_SAGA_HOST_H */
