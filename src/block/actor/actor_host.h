/* actor_host.h - what the parts of the actor block's driver share: actor.c (the
 * host and its table), actor_load.c (an actor read from the engine),
 * actor_step.c (steps run; actor_draft.c has their effects, actor_crash.c their
 * crashes), actor_commit.c (effects committed, then let out), actor_call.c
 * (clients), actor_timer.c (what the engine remembers: timers, and messages
 * from before), actor_look.c. */

#ifndef BLOCK_ACTOR_ACTOR_HOST_H
#define BLOCK_ACTOR_ACTOR_HOST_H

#include "base/map.h"
#include "block/actor/actor.h"
#include "block/actor/actor_store.h"
#include "block/actor/turn.h"

enum
{
    ACTOR_HOST_MAGIC = 0xac7035,
    ACTOR_DEADLINE_MS = 30 * 1000, /* of a call that names none */
    ACTOR_WRITES_MAX = 512,        /* in one commit, or what the engine takes */
    ACTOR_STEP_WRITES = KAN_SENDS_MAX + 3, /* of one step, at most */
    ACTOR_END_WRITES = 2 * KAN_TIMERS_MAX + 1,
    ACTOR_RUNS_MAX = 16,           /* actors in one turn of the loop */
    ACTOR_PAGE = 256,              /* keys of a page */
    ACTOR_FAR_MS = 60 * 60 * 1000, /* timers stay armed, so that moving them
                                    * needs no memory: this is never */
    ACTOR_RECHECK_MS = 1000 /* until what could not be woken is tried again */
};

enum actor_phase
{
    ACTOR_LOADING, /* the engine was asked for it */
    ACTOR_READY,
    ACTOR_BUSY,      /* an attempt is with the engine */
    ACTOR_PAUSED,    /* until its timer, after a failure */
    ACTOR_UNREADABLE /* its state is of no version that is known */
};

/* An actor in memory. */
struct actor
{
    struct actor_host *host;
    const struct kan_actor_type *type;
    struct kan_ref self;
    enum actor_phase phase;
    bool restart; /* another life wrote it: its restart handler comes first */
    bool reload;  /* all of it must be read again */
    struct list link; /* ready, or idle */
    struct list inbox;
    uint32_t inbox_count;
    uint32_t reserved; /* messages that are being committed to it */
    uint64_t seen;     /* every message of this revision or before is in memory,
                    * or was taken */
    uint64_t announced; /* the newest that came while it was being read */
    struct actor_head head;
    uint64_t version;                            /* of its key; 0: absent */
    struct actor_note *notes[ACTOR_SENDERS_MAX]; /* the oldest first */
    void *state;
    struct buffer untold; /* drawn by its start, and gone with no event yet */
    struct actor_attempt *attempt;
    struct engine_get get;
    struct engine_scan scan;
    struct env_timer timer; /* always armed */
    uint32_t failures;      /* of the engine, in a row */
    uint64_t idle_ns;       /* since when nothing happened */
    enum kan_err refusal;
    char *why; /* of the refusal */
};

/* A write, its key and value in the attempt's bytes. */
struct actor_write
{
    enum engine_write_kind kind;
    size_t key;
    size_t key_size;
    size_t value;
    size_t value_size;
};

/* An input that was taken, for the path and the event. */
struct actor_taken
{
    enum path_input input;
    const struct actor_message *message;
    const char *name;
    uint64_t now_ms;
    struct path_id after; /* the actor's path */
    size_t choice_at;     /* in the attempt's choices, in bytes */
    uint32_t choice_count;
};

/* What leaves once the commit has succeeded: a message to an actor, or to a
 * client its answer. */
struct actor_out
{
    struct list link;
    struct actor_message *message; /* or the answer; NULL: nothing */
    struct actor *to;              /* with a slot reserved; or NULL */
    bool inside;
    uint32_t write;      /* inside: its index in the commit */
    struct kan_ref whom; /* the actor, or the client */
    enum actor_outcome outcome;
    enum kan_err err;
    char *text; /* in this block */
};

/* Steps of one actor, on their way to be one commit. */
struct actor_attempt
{
    struct actor *actor;
    struct engine_commit commit;
    struct actor_head head; /* as it will be */
    void *state;
    struct actor_note *note;                    /* to be added; or NULL */
    struct actor_note *late[ACTOR_SENDERS_MAX]; /* of calls that were taken
                                                 * before, answered now */
    uint32_t late_count;
    struct list taken;           /* struct actor_message */
    struct actor_message *again; /* crashed: it stays, one crash more */
    struct list outs;
    struct buffer bytes;
    struct buffer choices;
    uint32_t taken_count;
    uint32_t write_count;
    uint32_t steps;
    bool full;    /* no other step may join */
    bool ready;   /* the actor was started, or restarted */
    bool swept;   /* somebody it sends to is not in memory */
    bool unknown; /* an answer was lost */
    bool look;    /* read who wrote the actor, instead of asking again */
    struct actor_taken inputs[ACTOR_STEPS_MAX + 2];
    struct actor_write writes[ACTOR_WRITES_MAX];
};

/* A call, from actor_call() until its cb. */
struct actor_client
{
    struct actor_call *call;
    struct actor *actor;           /* while its message waits there */
    struct actor_message *message; /* while nobody has taken it */
    struct actor_out *out;         /* the answer, until cb returns */
    struct kan_ref ref;
    bool known;  /* in the host's table */
    bool trying; /* an attempt has its message */
};

struct actor_host
{
    unsigned magic;
    struct env *env;
    struct engine *engine;
    struct actor_options options;
    struct kan_slice prefix; /* yours */
    const struct kan_actor_type **types;
    uint32_t type_count;
    int64_t *parameters;
    uint64_t life;
    uint64_t client_count;
    uint32_t writes_max;
    uint64_t bytes_max;
    struct turn *turn;
    void *scratch;               /* room for one state */
    struct engine_write *writes; /* room for one commit */
    struct map actors;           /* text of the reference -> struct actor */
    struct map clients;          /* the same -> struct actor_client */
    struct list ready;
    struct list idle; /* the longest first */
    struct env_task task;
    struct list done; /* struct actor_call, to be answered */
    struct env_task done_task;
    uint32_t asked;     /* requests that the engine has */
    uint32_t calls;     /* whose cb has not run */
    struct buffer text; /* for messages */
    struct actor_stats stats;
    enum kan_err broken;

    /* timers */
    uint64_t due_ms; /* of the first timer in the engine; UINT64_MAX: none */
    struct env_timer wake;
    struct engine_scan due_scan;
    bool due_scanning;
    uint64_t due_again; /* the next one, as the scan under way found */
    bool due_found;     /* it found one that is due */

    /* messages from before */
    struct engine_scan mail_scan;
    bool mail_scanning;
    bool mail_wanted;
    bool mail_missed;
    struct env_timer tick; /* mail that is wanted, and idle actors */

    bool closing;
    struct env_task close_task;
    void *close_data;
    env_close_cb *close_cb;
};

/* --- actor.c -------------------------------------------------------------- */

/* The actor in memory; it is made and read when it is not there. NULL when
 * there is no room or no memory. type is of its reference. */
struct actor *host_actor(struct actor_host *host,
                         const struct kan_actor_type *type,
                         const struct kan_ref *ref);
struct actor *host_actor_find(const struct actor_host *host,
                              const struct kan_ref *ref);
const struct kan_actor_type *host_type_of(const struct actor_host *host,
                                          const struct kan_ref *ref);
/* Let it run when it has something to do; or let it be idle. */
void actor_stir(struct actor *actor);
/* Stop: the engine answers no more. */
void host_break(struct actor_host *host, enum kan_err err);
/* A request of the engine has ended. */
void host_ebb(struct actor_host *host);
__attribute__((format(printf, 2, 3))) void host_trouble(struct actor_host *host,
                                                        const char *format,
                                                        ...);
/* The table of a message of that name, for this type or any. */
const struct kan_record *host_record(const struct actor_host *host,
                                     const struct kan_actor_type *type,
                                     struct kan_slice name);
void inbox_push(struct actor *actor, struct actor_message *message, bool first);
void inbox_remove(struct actor *actor, struct actor_message *message);
/* Forget the messages that the engine has. */
void inbox_forget(struct actor *actor);
uint32_t mailbox_max(const struct kan_actor_type *type);

/* --- actor_load.c --------------------------------------------------------- */

/* Ask the engine for the actor, or (when its state is known) for its mail. */
void actor_read(struct actor *actor);
/* Wait a while, then go on. */
void actor_pause(struct actor *actor);
void actor_timer_cb(struct env_timer *timer);

/* --- actor_step.c --------------------------------------------------------- */

/* Run what waits, and gather what it did. KAN_NOTFOUND: nothing to do.
 * KAN_NOMEM: nothing has happened. */
KAN_MUST_USE enum kan_err actor_gather(struct actor *actor,
                                       struct actor_attempt **ret_attempt);
struct actor_out *out_free(struct actor_out *out);

/* --- actor_commit.c ------------------------------------------------------- */

void attempt_submit(struct actor_attempt *attempt);
/* Nothing of it has happened, and nothing will. */
void attempt_drop(struct actor_attempt *attempt);
/* Give up one whose fate is unknown, as the host closes. */
void attempt_abandon(struct actor_attempt *attempt);

/* --- actor_call.c --------------------------------------------------------- */

/* The answer for a client, if it still waits. out is given, and holds it. */
void host_answer(struct actor_host *host, struct actor_out *out,
                 uint64_t revision);
/* The same, without a message. text is copied, and may be empty. */
void client_end(struct actor_client *client, enum actor_outcome outcome,
                enum kan_err err, struct kan_slice text);
/* A call whose number was taken before gets what is known of it. false: it is
 * new, and taken as any other. */
KAN_MUST_USE bool client_repeats(struct actor *actor,
                                 struct actor_message *message);
void host_clients_end(struct actor_host *host, enum kan_err waiting,
                      enum kan_err begun);

/* --- actor_timer.c -------------------------------------------------------- */

void host_due(struct actor_host *host, uint64_t due_ms);
void host_mail(struct actor_host *host);
KAN_MUST_USE enum kan_err host_watch_begin(struct actor_host *host);
void host_watch_end(struct actor_host *host);

#endif /* BLOCK_ACTOR_ACTOR_HOST_H */
