/* real.h - what the files of the real driver share: one run of the actor block
 * in a simulated world.
 *
 * The world has two hosts: "kan" with the process under test (an engine and the
 * actors on it), and "outside" with the clients and with who makes the faults,
 * which never fail. What the actors did is told by the block's events, which
 * come when their commit has succeeded: from these the run keeps a state of
 * each actor of its own, by running the same handlers on the same inputs, and
 * holds it against the properties, and against what the engine has. */

#ifndef CHECK_SIM_REAL_H
#define CHECK_SIM_REAL_H

#include "base/list.h"
#include "block/actor/actor.h"
#include "block/actor/actor_core.h"
#include "check/sim/simulator.h"
#include "engine/engine.h"
#include "engine/fault/fault.h"

enum
{
    REAL_CLIENTS_MAX = 16,
    REAL_JUMPS_MAX = 64,
    REAL_TRIES = 2 /* calls under way of one client, with one number */
};

/* --- who is there (real_cast.c) ------------------------------------------- */

struct real_request
{
    struct kan_ref to;
    const struct kan_record *record;
    void *bytes; /* canonical; NULL: zeroed */
    uint32_t times;
};

struct real_cast
{
    struct kan_ref refs[KAN_INSTANCES_MAX];
    const struct kan_actor_type *types[KAN_INSTANCES_MAX];
    uint32_t count;
    struct real_request *requests; /* of the model; none without one */
    uint32_t request_count;
    int64_t jumps_ms[REAL_JUMPS_MAX]; /* of the process's clock */
    uint32_t jump_count;
};

KAN_MUST_USE enum kan_err real_cast_new(struct simulator *simulator,
                                        struct real_cast **ret_cast,
                                        struct buffer *why);
struct real_cast *real_cast_free(struct real_cast *cast);

/* Draw what a client without a model sends: any message of any actor, at an end
 * of its ranges or within. bytes has room for the largest struct. */
void real_cast_draw(const struct real_cast *cast, struct tape *tape,
                    struct kan_ref *ret_to,
                    const struct kan_record **ret_record, void *bytes);

/* --- what is known of an actor (real_watch.c) ----------------------------- */

struct real_actor
{
    struct kan_ref ref;
    const struct kan_actor_type *type;
    void *state;
    bool started;
    uint64_t timers;      /* a bit for each that is armed */
    struct path_id now;   /* its hash */
    struct path_id *past; /* all before it, oldest first */
    uint32_t past_count;
    uint32_t line; /* of the script, behind that of its last input */
    void *died;    /* the state when the process last died, volatile fields too;
                 * NULL where nobody asks */
    uint32_t op;   /* what it last began as a client, for words */
    int64_t argument;
};

static inline bool real_same_path(struct path_id a, struct path_id b)
{
    return a.low == b.low && a.high == b.high;
}

/* --- clients (real_client.c) ---------------------------------------------- */

struct real_run;
struct real_client;

/* One call under way. */
struct real_try
{
    struct real_client *client;
    struct actor_call call;
    bool busy; /* the block has it */
};

struct real_client
{
    struct real_run *run;
    uint32_t index;
    char sender[16];
    uint64_t number;
    uint32_t left; /* requests still to be made */
    bool waiting;  /* for the answer to the request below */
    bool taken;    /* an event has shown it */
    bool unsure;   /* the process has died since it was sent */
    bool answered; /* an answer was given, perhaps not received */
    struct kan_ref to;
    const struct kan_record *record;
    struct kan_slice bytes; /* canonical, of its memory */
    struct buffer memory;
    struct buffer json;
    struct buffer answer; /* of this number; "" when it was empty */
    enum actor_outcome outcome;
    uint32_t tries_made;
    struct real_try tries[REAL_TRIES];
    struct env_timer timer; /* the next request, or the next try */
};

/* Make clients that begin to ask after a while, each so many requests. */
void real_clients_init(struct real_run *run, uint32_t count, uint32_t requests);
void real_clients_fini(struct real_run *run);
/* Send this message now, by a client that waits for nothing; bytes are
 * canonical, and copied. false: all wait. */
bool real_client_send(struct real_run *run, const struct kan_ref *to,
                      const struct kan_record *record, const void *bytes);
/* The process has died. */
void real_clients_lost(struct real_run *run);
/* An actor has taken a message from outside. false: nobody sent it, or it was
 * taken before. */
bool real_client_took(struct real_run *run, const struct actor_event *event,
                      uint32_t *ret_client);
bool real_clients_done(const struct real_run *run);

/* --- a run ---------------------------------------------------------------- */

struct real_knobs
{
    bool durable;        /* SQLite on the simulated disk; else memory */
    uint32_t kill_rate;  /* per event, in thousandths: between the commit and
                           * the answer */
    uint32_t chaos_rate; /* of the moments at which something may happen */
    uint32_t power_rate; /* of deaths: the power fails */
    uint32_t clock_rate; /* of these moments: the clock jumps or drifts */
    uint32_t lost_rate;  /* of answers to clients */
    uint32_t doubled_rate;
    uint32_t late_rate;
};

struct real_run
{
    struct simulator *simulator;
    struct simulate_log *log;
    struct simulate_run *result;
    const struct scenario *script; /* or NULL */
    uint32_t script_at;
    struct tape *tape;
    struct real_knobs knobs;
    struct sim_world *world;
    struct env *outside;
    struct env_timer chaos;
    uint32_t deaths_left;
    bool calm; /* the faults have ended */

    /* the process */
    struct env *env;
    struct engine *engine;
    struct actor_host *host;
    uint64_t crashes; /* of handlers, as told by the block */
    char trouble[256];
    bool dead;         /* it is to be buried */
    bool starting;     /* it is being brought up: no faults */
    bool broken;       /* the engine must be opened again */
    bool lives;        /* it has been up before */
    uint64_t up_at_ns; /* when it is brought up, while there is none */

    struct real_actor actors[KAN_INSTANCES_MAX];
    uint32_t actor_count;
    uint64_t last_event_ns;
    uint32_t *left; /* of each request of the model, how many times */
    uint32_t jumps_left;
    uint64_t taken; /* events so far */
    uint64_t goals; /* a bit for each RECOVERABLE property that held */
    struct real_client clients[REAL_CLIENTS_MAX];
    uint32_t client_count;

    bool observed;    /* what clients saw is known, and judged */
    uint32_t orders;  /* of it (space_observe()) */
    struct list sent; /* struct real_sent, the oldest first; while observed */
    enum kan_err err; /* out of memory */
};

static inline bool real_going(const struct real_run *run)
{
    return run->err == KAN_OK && run->result->verdict != SIMULATE_FAILS;
}

/* Whether a fault of this rate strikes now: drawn only when it may. */
bool real_strikes(struct real_run *run, uint32_t rate);

/* The clock of the process jumps, or runs wrong from now on. */
void real_clock_disturb(struct real_run *run);

/* --- the process (real_process.c) ----------------------------------------- */

/* Bring it up: engine, host, and what the engine has of each actor held against
 * what is known. */
void real_process_up(struct real_run *run);
/* End it, dead or alive. */
void real_process_down(struct real_run *run);
/* It dies now, by kill -9 or a power failure; in any callback. */
void real_process_die(struct real_run *run, bool power);
/* No failure of the power waits for the disk any more. */
void real_process_disarm(struct real_run *run);
/* No faults from the engine any more. */
void real_process_calm(struct real_run *run);

/* --- watching (real_watch.c) ---------------------------------------------- */

void real_watch_init(struct real_run *run);
void real_watch_fini(struct real_run *run);
actor_event_cb real_watch_event;
/* What is known of the actor; one that nobody named before begins here. NULL:
 * its type is not there, or there is no room. */
struct real_actor *real_watch_actor(struct real_run *run,
                                    const struct kan_ref *ref);
/* What the engine has of an actor, read before the process runs anything. */
void real_watch_found(struct real_run *run, struct real_actor *actor,
                      const struct path_id *path, const void *state,
                      uint64_t timers, bool started);
/* Hold all properties against the states that are known. */
void real_watch_judge(struct real_run *run, bool ended);
void real_watch_reload(struct real_run *run);
bool real_watch_timers(const struct real_run *run);

/* --- numbers of a script (real_draws.c) ----------------------------------- */

actor_draw_cb real_draws_give;
/* An actor has taken an input: hold it against the line that it was given the
 * numbers of. */
void real_draws_took(struct real_run *run, struct real_actor *actor,
                     const struct actor_event *event);
/* Nothing but faults could follow: all runs are to end in one state. */
void real_watch_end(struct real_run *run);

/* --- messages on their way (real_sent.c) ---------------------------------- */

struct real_sent
{
    struct list link;
    struct kan_ref from;
    struct kan_ref to;
    const struct kan_record *record;
    void *bytes; /* canonical; NULL: it carries nothing */
};

/* bytes are copied. What is sent to a client is left out. */
void real_sent_add(struct real_run *run, const struct kan_ref *from,
                   const struct kan_ref *to, const struct kan_record *record,
                   const void *bytes);
void real_sent_remove(struct real_sent *sent);
/* Remove what the event says was taken. false: it was not there. */
bool real_sent_take(struct real_run *run, const struct actor_event *event);
void real_sent_fini(struct real_run *run);

/* --- what clients saw (real_history.c) ------------------------------------ */

/* Where the model has a property of kind LINEARIZABLE. */
KAN_MUST_USE enum kan_err real_judge_open(struct simulator *simulator,
                                          struct buffer *why);
void real_judge_close(struct simulator *simulator);

void real_history_init(struct real_run *run);
/* The actor's event, before it is played. */
void real_history_took(struct real_run *run, const struct real_actor *actor,
                       const struct actor_event *event);
/* A turn of it was played, and ended as DONE, REFUSED or UNHANDLED. */
void real_history_did(struct real_run *run, struct real_actor *actor,
                      const struct turn_input *input,
                      const struct turn_output *output);
/* Nobody knows what the actor did: nothing is judged from here on. */
void real_history_lose(struct real_run *run, const struct real_actor *actor);

/* --- steps that nobody was told of (real_untold.c) ------------------------ */

/* The engine has the actor on this path, of which what is known is the
 * beginning. Its state is still the one that is known. */
void real_untold(struct real_run *run, struct real_actor *actor,
                 struct path_id path);

/* What everybody did, as a note of the trace and a line of the scenario. */
__attribute__((format(printf, 2, 3))) void real_note(struct real_run *run,
                                                     const char *format, ...);

#endif /* CHECK_SIM_REAL_H */
