/* saga.h - the saga block: steps of several entities, all of them or none.
 *
 * The rules are in saga_core.c: which step is next, what a refusal undoes,
 * what is done again after a crash. saga.c carries them out: a saga's progress
 * is written in the very commit of the step that it tells of (entity_extra),
 * so that no step is lost or taken twice whatever crashes. Guarantees K-SAGA-n:
 * docs/guarantees/saga.md. */

#ifndef BLOCK_SAGA_SAGA_H
#define BLOCK_SAGA_SAGA_H

#include "block/entity/entity.h"
#include "block/saga/saga_core.h"

struct saga_host;

enum
{
    SAGA_ID_MAX = 255, /* bytes of a saga's id, as an idempotency key */
    SAGA_KEEP_MS = 24 * 3600 * 1000 /* how long an ended saga can be read */
};

/* The least that sagas need of an engine, beside what entities do. */
extern const struct engine_promises saga_needs;

struct saga_options
{
    struct env *env;
    struct engine *engine;
    struct entity_host *entities; /* borrowed until the host is closed; ready */
    struct kan_slice prefix;      /* copied: "saga||kan||" */
    uint32_t waiting_max; /* sagas under way; 0 means 10,000; beyond it BUSY */
    void *data;
    entity_trouble_cb *trouble; /* or NULL */
};

/* It begins by taking up the sagas that were under way. */
KAN_MUST_USE enum kan_err saga_host_new(const struct saga_options *options,
                                        struct saga_host **ret_host,
                                        struct buffer *why);
void saga_host_close(struct saga_host *host, void *data, env_close_cb *cb);

/* A saga as the outside sees it. */
struct saga_state
{
    struct kan_slice saga; /* its name */
    struct kan_slice id;
    enum saga_status status;
    uint32_t next;            /* the step that is next to be done, or undone */
    struct kan_slice json;    /* its parameters */
    struct kan_slice reason;  /* of the refusal: one sentence; or empty */
    struct kan_slice refused; /* "to.deposit"; or empty */
    uint32_t refused_step;    /* its number; SAGA_STEP_NONE */
    struct kan_slice stuck;   /* why it cannot go on, as this host knows: the
                               * refusal of what nothing may refuse any more,
                               * or what is wrong with the text; or empty */
    struct kan_slice stuck_call; /* "from.release", that was; or empty */
    bool stuck_undo;             /* it undoes */
    uint64_t revision;           /* of its last progress */
};

/* {"saga","id","status":"done","parameters":{...},"steps":[{"call":
 * "from.hold","status":"done"}...],"refused":...,"reason":...,"stuck":{"call":
 * "from.release","undo":true,"reason":...},"revision":n}. */
void saga_state_json(const struct contract *contract,
                     const struct saga_state *state, struct buffer *out);

enum saga_outcome
{
    SAGA_ENDED, /* state.status is DONE or UNDONE; of a read: any */
    SAGA_NO_SAGA,
    SAGA_NOTFOUND,     /* reads */
    SAGA_ID_INVALID,   /* too long, not UTF-8, or with control characters */
    SAGA_BODY_INVALID, /* text: the path of the field, and why */
    SAGA_REFUSED,      /* by a require of its own: text; nothing was begun */
    SAGA_REUSED,       /* the id is another saga's, or had another body */
    SAGA_FAILED        /* err; it may go on by itself: read it */
};

struct saga_call;
typedef void saga_call_cb(struct saga_call *call);

/* Begin a saga and wait for its end; or read one (read true). The same id and
 * body again waits for, or answers, the same saga. */
struct saga_call
{
    void *data;
    struct kan_slice saga;
    struct kan_slice id;   /* empty: one is drawn */
    struct kan_slice body; /* JSON object */
    bool read;
    uint64_t deadline_ns; /* 0 means 30 s: then FAILED, TIMEOUT, and the saga
                           * goes on */

    enum saga_outcome outcome; /* out */
    enum kan_err err;
    struct saga_state state; /* out: ENDED, reads; borrowed until cb returns */
    struct kan_slice text;
    struct kan_slice
        condition;           /* out: REFUSED, what was required, as written */
    struct kan_slice values; /* out: REFUSED, {"from":"alice",...} */

    struct saga_host *host; /* from here on: the block's */
    saga_call_cb *cb;
    struct list link;
    struct env_task task;
    struct env_timer timer;
    void *part;
};
KAN_MUST_USE enum kan_err saga_call(struct saga_host *host,
                                    struct saga_call *call, saga_call_cb *cb);
void saga_call_cancel(struct saga_call *call);

struct saga_stats
{
    uint64_t done;
    uint64_t undone;
    uint32_t running;
};
struct saga_stats saga_stats(const struct saga_host *host);

#endif /* BLOCK_SAGA_SAGA_H */
