/* simulate.h - runs of a model or a module, each drawn from a tape of choices,
 * with faults; then the faults end, and progress is demanded.
 *
 * Two drivers run them. REAL puts the actors into the actor block itself, on an
 * engine in a simulated world, with clients that send again when they have no
 * answer; the process is killed, its power fails, answers are lost, clocks
 * jump. WALK goes at random through the states that `kan check` walks in full,
 * where messages between actors are lost, doubled and overtaken too. Both count
 * paths as the checker does, and a run is its tape: equal tapes give equal
 * runs, event by event. docs/design/sim.md has the rules. */

#ifndef CHECK_SIM_SIMULATE_H
#define CHECK_SIM_SIMULATE_H

#include <kan/model.h>

#include "base/bytes.h"
#include "check/space/space.h"
#include "check/walk/walk.h"
#include "env/sim/sim.h"
#include "path/id/id.h"
#include "path/scenario/scenario.h"

struct simulator;

enum simulate_driver
{
    SIMULATE_AUTO, /* REAL without a model and where messages are DURABLE */
    SIMULATE_REAL,
    SIMULATE_WALK
};

/* What went wrong on purpose; each is counted. */
enum simulate_fault
{
    SIMULATE_CRASH,   /* kill -9; in a walk, of one actor */
    SIMULATE_POWER,   /* the power failed: writes torn, dropped, kept */
    SIMULATE_ENGINE,  /* the engine's answer lost, late, or none */
    SIMULATE_LOST,    /* a message, or an answer to a client */
    SIMULATE_DOUBLED, /* a message, or a client's request */
    SIMULATE_LATE,    /* an answer to a client, which asked again before */
    SIMULATE_CUT,     /* actors cut off */
    SIMULATE_CLOCK,   /* a clock jumped, or ran wrong */
    SIMULATE_LIE,
    SIMULATE_FAULTS
};

/* Rare places that a campaign should come to. */
enum simulate_probe
{
    SIMULATE_PROBE_CRASH_WITH_MESSAGES, /* on their way to who crashed */
    SIMULATE_PROBE_RESTARTED,
    SIMULATE_PROBE_TIMER_FIRST, /* it fired, a message on its way */
    SIMULATE_PROBE_CHANCE,      /* a handler drew anything but 0 */
    SIMULATE_PROBE_ENDED,       /* nothing more could happen */
    SIMULATE_PROBE_GOAL,        /* reached after the faults */
    SIMULATE_PROBE_UNANSWERED,  /* committed, and died before the answer */
    SIMULATE_PROBE_REMEMBERED,  /* sent again, answered from memory */
    SIMULATE_PROBE_REFUSED,     /* by a handler */
    SIMULATE_PROBES
};

const char *simulate_fault_name(enum simulate_fault fault);
const char *simulate_probe_name(enum simulate_probe probe);

struct simulate_options
{
    const struct kan_module *module; /* borrowed, as all below */
    const int64_t *parameters;       /* of the model; NULL: presets */
    const struct kan_faults *faults; /* the budget of a run; NULL: the model's;
                                      * without a model: all, some times */
    enum simulate_driver driver;
    uint32_t clients;  /* without a model; 0 means 2 */
    uint32_t requests; /* of each client in a REAL run, at most; 0 means 20 */
    uint32_t steps;    /* of a WALK before the faults end, at most; 0 means
                        * 1,000 */
    bool (*frozen_object)(void *data, const void *address, char *text,
                          size_t size); /* as in space_options */
    void *data;
};

/* KAN_INVALID (why says it), KAN_NOMEM. Yours: simulator_free(). */
KAN_MUST_USE enum kan_err simulator_new(const struct simulate_options *options,
                                        struct simulator **ret_simulator,
                                        struct buffer *why);
struct simulator *simulator_free(struct simulator *simulator);

/* The driver in use: REAL or WALK. */
enum simulate_driver simulator_driver(const struct simulator *simulator);

/* --- one run -------------------------------------------------------------- */

enum simulate_verdict
{
    SIMULATE_HOLDS,
    SIMULATE_FAILS,
    SIMULATE_UNKNOWN /* no goal within the bound, though it may come */
};

struct simulate_run
{
    enum simulate_verdict verdict;
    char property[64]; /* FAILS: the model's, or "handler", "progress",
                        * "exactly-once", "durable" */
    char why[512];     /* FAILS, UNKNOWN */
    struct path_id path;
    struct sim_hash trace; /* of every event; equal tapes give equal ones */
    uint64_t events;
};

/* What one run did, in full. Zeroed before; free with simulate_log_fini(). */
struct simulate_log
{
    struct buffer lines; /* REAL: the events of a scenario */
    struct buffer trace; /* a line for each event, for comparisons */
    struct walk_run run; /* WALK: for drawings */
    uint32_t step_capacity;
};
void simulate_log_fini(struct simulate_log *log);

/* Run what the tape says (a fresh one; it keeps the record). log may be NULL.
 * KAN_NOMEM. */
KAN_MUST_USE enum kan_err simulator_run(struct simulator *simulator,
                                        struct tape *tape,
                                        struct simulate_log *log,
                                        struct simulate_run *ret_run);

/* The space that a WALK goes through, for drawings; NULL with REAL. */
struct space *simulator_space(struct simulator *simulator);

/* Run a scenario that has no tape in the REAL world: messages of clients are
 * sent in its order, each when all before it was taken. FAILS with the property
 * "replay" when what is taken is something else. */
KAN_MUST_USE enum kan_err simulator_replay(struct simulator *simulator,
                                           const struct scenario *scenario,
                                           struct simulate_log *log,
                                           struct simulate_run *ret_run);

/* Go along steps of the space, and judge every state. WALK only. KAN_NOTFOUND:
 * they are not possible there; KAN_NOMEM. */
KAN_MUST_USE enum kan_err simulator_follow(struct simulator *simulator,
                                           const struct walk_run *steps,
                                           struct simulate_run *ret_run);

/* Whether the run of a seed gives the same events when it is made again. When
 * not: KAN_CORRUPT, and why names the first event that differs. */
KAN_MUST_USE enum kan_err simulator_compare(struct simulator *simulator,
                                            uint64_t seed, struct buffer *why);

/* Of all runs so far. */
struct simulate_counts
{
    uint64_t events;
    uint64_t faults[SIMULATE_FAULTS];
    uint64_t probes[SIMULATE_PROBES];
    uint64_t world[SIM_PROBES]; /* of the simulated world; REAL */
};
const struct simulate_counts *simulator_counts(
    const struct simulator *simulator);

/* Whether the driver can come to the probe, with these faults. */
bool simulator_expects(const struct simulator *simulator,
                       enum simulate_probe probe);
bool simulator_expects_world(const struct simulator *simulator,
                             enum sim_probe probe);

/* Append the choices as the lines of a scenario's tape; and the opposite:
 * KAN_INVALID when it is no such text, KAN_NOMEM. A zero tape is left then. */
void simulate_tape_save(const struct tape_choice *choices, size_t count,
                        struct buffer *out);
KAN_MUST_USE enum kan_err simulate_tape_load(struct kan_slice lines,
                                             struct tape *ret_tape);

/* --- campaigns ------------------------------------------------------------ */

/* Called after each run, and while a failure is shrunk (then runs and choices
 * say how far that is). false ends it. */
struct campaign_progress
{
    uint64_t seeds;
    uint64_t events;
    uint64_t paths;
    size_t shrink_runs; /* 0: not shrinking */
    size_t choices;
};
typedef bool campaign_progress_cb(void *data,
                                  const struct campaign_progress *progress);

struct campaign_options
{
    struct simulator *simulator; /* borrowed */
    uint64_t seed;               /* the first */
    uint64_t seeds;              /* how many; 0: until progress says false */
    bool twice;                  /* run each seed twice, and compare */
    size_t shrink_max;           /* runs while shrinking; 0: 5,000 */
    void *data;
    campaign_progress_cb *progress; /* or NULL */
};

struct campaign
{
    enum simulate_verdict verdict;
    uint64_t seeds; /* run */
    uint64_t paths; /* distinct ids */
    uint64_t undecided;
    uint64_t failed_seed;        /* FAILS */
    struct simulate_run run;     /* FAILS: the shrunk run; UNKNOWN: the first */
    struct tape_choice *choices; /* FAILS: its tape; yours */
    size_t choice_count;
    size_t choices_before; /* shrinking */
    size_t shrink_runs;
    struct simulate_log log; /* of the shrunk run */
};

/* Run seeds until one fails, then shrink that. KAN_NOMEM; KAN_CORRUPT with
 * twice: a run is not the same when it is made again, why says where. Free the
 * result with campaign_fini(), whatever is returned. */
KAN_MUST_USE enum kan_err campaign_run(const struct campaign_options *options,
                                       struct campaign *ret_campaign,
                                       struct buffer *why);
void campaign_fini(struct campaign *campaign);

#endif /* CHECK_SIM_SIMULATE_H */
