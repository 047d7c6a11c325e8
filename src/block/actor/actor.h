/* actor.h - the actor block: actors that live in an engine, one step at a time
 * each.
 *
 * The rules are in actor_core.c: what a mailbox takes, whom a serial actor
 * waits for, what happens after a crash. actor.c carries them out: it reads an
 * actor when its first message comes, runs handlers (turn.h), and commits the
 * state, sends and timers of a step together, guarded on the version that the
 * actor was read at, so that a second owner is refused by the engine. Answers
 * and sends leave when their commit has succeeded. Guarantees K-ACTOR-n:
 * docs/guarantees/actor.md. */

#ifndef BLOCK_ACTOR_ACTOR_H
#define BLOCK_ACTOR_ACTOR_H

#include <kan/actor.h>

#include "base/bytes.h"
#include "engine/engine.h"
#include "env/env.h"
#include "path/id/id.h"

/* All actors of the modules that one process serves. Belongs to one loop. */
struct actor_host;

/* The least that the block needs of an engine. */
extern const struct engine_promises actor_needs;

/* One input that an actor took, once it is committed; for recordings, logs and
 * tests. Texts and slices are borrowed until the callback returns. */
struct actor_event
{
    enum path_input input;
    struct kan_ref actor;
    struct kan_ref from;             /* MESSAGE; "client/..." for the outside */
    const char *name;                /* the message's record, or the timer */
    const struct kan_record *record; /* MESSAGE */
    const void *message;             /* canonical, or NULL */
    int64_t now_ms;                  /* on the actor's clock */
    /* Drawn by the handler, value and bound in turn; by the actor's start too,
     * and before, with its first input. None with CRASH. */
    const uint64_t *choices;
    uint32_t choice_count; /* pairs */
    struct path_id path;   /* of all that this process did so far */
};
/* The host's functions may not be called within. */
typedef void actor_event_cb(void *data, const struct actor_event *event);

/* A number that a handler wants: a value below n is to be returned. */
struct actor_draw
{
    const struct kan_ref *actor;
    uint32_t step;   /* inputs that it took since its last event: a step may run
                      * again, when its commit did not succeed */
    uint32_t number; /* drawn for the event to come, before this one */
    uint64_t n;
};
typedef uint64_t actor_draw_cb(void *data, const struct actor_draw *draw);

/* Something that whoever runs Kan should hear: a crash, a parked message, a
 * claim that does not hold. One line. Not to call the host within, either. */
typedef void actor_trouble_cb(void *data, const char *text);

struct actor_options
{
    struct env *env;
    struct engine *engine;   /* borrowed until the host is closed */
    struct kan_slice prefix; /* copied; before every key, as "actor||kan||" */
    const struct kan_module *const *modules; /* borrowed */
    uint32_t module_count;
    const int64_t *parameters; /* of a model, copied; or NULL */
    uint32_t parameter_count;
    uint32_t step_limit_ms; /* a handler that runs longer counts as a crash; 0
                             * means 1,000 */
    uint32_t crashes_max;   /* of one message, until it is parked; 0 means 3 */
    uint32_t active_max;    /* actors in memory; 0 means 10,000 */
    uint32_t waiting_max;   /* messages in memory, of all actors; 0 means
                             * 65,536; beyond it KAN_BUSY */
    uint64_t idle_ms;       /* an actor that nothing happened to for so long
                             * leaves the memory; 0 means 60,000 */
    void *data;
    actor_draw_cb *draw;       /* to do a run again; NULL: by chance */
    actor_event_cb *event;     /* or NULL */
    actor_trouble_cb *trouble; /* or NULL */
};

/* KAN_INVALID (a module is not sound, two types of one name, the engine lacks
 * what actor_needs says) and one line in why; KAN_NOMEM. It begins by reading
 * what waits from before: timers, and messages on their way. Yours:
 * actor_host_close(). */
KAN_MUST_USE enum kan_err actor_host_new(const struct actor_options *options,
                                         struct actor_host **ret_host,
                                         struct buffer *why);

/* End what is under way: calls not yet begun get KAN_CLOSED. cb runs when all
 * is gone, never within. */
void actor_host_close(struct actor_host *host, void *data, env_close_cb *cb);

/* The type of that name, or NULL. */
const struct kan_actor_type *actor_host_type(const struct actor_host *host,
                                             struct kan_slice name);

/* --- calls from outside --------------------------------------------------- */

enum actor_outcome
{
    ACTOR_ANSWERED, /* record and message are the answer. Without a record: text
                     * is the answer that was kept for a call sent twice, as
                     * JSON, or empty when the handler sent none */
    ACTOR_NO_TYPE,  /* no such type of actor here */
    ACTOR_NO_METHOD,
    ACTOR_ID_ILLEGAL,   /* empty, too long, or with / # ? \ or control bytes */
    ACTOR_BODY_INVALID, /* text says which field, and why */
    ACTOR_REFUSED,      /* by the handler; text is its own */
    ACTOR_CRASHED,      /* the handler did; text names it and the message */
    ACTOR_PARKED,       /* this very call (by sender and number) was parked */
    ACTOR_FAILED        /* err says how: BUSY, TIMEOUT, FULL, IO, ... */
};

struct actor_call;
typedef void actor_call_cb(struct actor_call *call);

/* One message from a client. It is answered when the step it causes has been
 * committed and sent something to the client, at once or in a later step. When
 * that step sends it nothing, and neither the state it leaves nor a message it
 * sends names the client, nobody can answer any more: the answer is nothing. */
struct actor_call
{
    void *data;            /* in: the caller's */
    struct kan_slice type; /* in: borrowed until cb, as all slices */
    struct kan_slice id;
    struct kan_slice method; /* the message's record */
    struct kan_slice body;   /* JSON object; empty: a zeroed message */
    struct kan_slice sender; /* with number, so that a call sent twice is taken
                              * once and answered the same; or empty */
    uint64_t number;         /* greater with each call of the sender; 0: none */
    uint64_t deadline_ns;    /* 0 means 30 s */

    enum actor_outcome outcome;      /* out */
    enum kan_err err;                /* out, with FAILED */
    const struct kan_record *record; /* out: of the answer; NULL: none */
    const void *message;             /* out: borrowed until cb returns */
    struct kan_slice text;           /* out: borrowed until cb returns */
    uint64_t revision;               /* out: of the step's commit */

    struct actor_host *host; /* from here on: the block's */
    actor_call_cb *cb;
    struct list link;
    struct env_task task;
    struct env_timer timer;
    void *part;
};

/* Submit. KAN_BUSY, KAN_NOMEM, KAN_CLOSED had no effect, and cb does not run.
 */
KAN_MUST_USE enum kan_err actor_call(struct actor_host *host,
                                     struct actor_call *call,
                                     actor_call_cb *cb);

/* Let go of the answer; what the call caused stays. cb runs, later, with
 * KAN_CANCELED. */
void actor_call_cancel(struct actor_call *call);

/* --- looking -------------------------------------------------------------- */

struct actor_look;
typedef void actor_look_cb(struct actor_look *look);

/* Read an actor's state as JSON, without making it; for pages and tests. */
struct actor_look
{
    void *data;
    struct kan_slice type;
    struct kan_slice id;
    enum kan_err err;      /* out: KAN_NOTFOUND when nothing happened to it */
    struct kan_slice json; /* out: borrowed until cb returns */
    uint64_t revision;     /* out */
    struct path_id path;   /* out: the actor's hash */
    struct actor_host *host;
    actor_look_cb *cb;
    struct engine_get get;
    struct env_task task;
    void *part;
};
KAN_MUST_USE enum kan_err actor_look(struct actor_host *host,
                                     struct actor_look *look,
                                     actor_look_cb *cb);

struct actor_parked;

/* A message that crashed its handler too often. */
struct actor_parked_item
{
    struct kan_slice key; /* names it; the next page may begin after it */
    struct kan_ref actor;
    struct kan_ref from;
    struct kan_slice method;
    struct kan_slice json;
    struct kan_slice why;
};
typedef void actor_parked_cb(struct actor_parked *parked);

/* A page of the parked messages, oldest first. */
struct actor_parked
{
    void *data;
    struct kan_slice after; /* in: the last key of the page before */
    uint32_t limit;         /* in: 1..100; 0: 100 */
    enum kan_err err;       /* out */
    const struct actor_parked_item *items; /* out: borrowed until cb returns */
    uint32_t item_count;
    bool more;
    struct actor_host *host;
    actor_parked_cb *cb;
    struct engine_scan scan;
    struct env_task task;
    void *part;
};
KAN_MUST_USE enum kan_err actor_parked(struct actor_host *host,
                                       struct actor_parked *parked,
                                       actor_parked_cb *cb);

/* What is read from outside, at any time. */
struct actor_stats
{
    uint64_t steps;
    uint64_t commits;
    uint64_t crashes;
    uint64_t parked; /* since the start */
    uint32_t active; /* actors in memory */
    uint32_t waiting;
    struct path_id path; /* of all that this process did */
};
struct actor_stats actor_host_stats(const struct actor_host *host);

#endif /* BLOCK_ACTOR_ACTOR_H */
