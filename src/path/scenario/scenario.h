/* scenario.h - a run written down as text, to be read by people and replayed.
 *
 * A `.path` file is one line for each thing that happened, in order:
 *
 *     kan path 1
 *     model paxos servers=3 clients=2          (or: module ./counter.so)
 *     faults crash=1
 *     expect fails agreement
 *     start 0
 *     deliver client/0 -> server/0 put {"request":3,"value":65}
 *     timer server/1 election
 *     request counter/a add {"amount":5}
 *     crash server/2
 *     restart server/2
 *     lose server/0 -> server/1 prepare {...}
 *     double server/0 -> server/1 prepare {...}
 *     jump worker/0 -1000
 *     cut server/0 server/1
 *     heal
 *     lie node/0 -> node/1 propose {"value":2}
 *     tape 3/5 0/2*40 1/1000
 *     path 0123456789abcdef0123456789abcdef
 *
 * Lines of a tape are the choices that `kan sim` drew for the run, and replays.
 * Behind a line may stand " @1700000000000", the actor's clock in ms, and how
 * chance fell, in one of two ways. " #3/6,0/2": the handler drew 3 of 6, then 0
 * of 2; what the start of an actor drew comes first in its first line. So
 * `kan run --record` writes it. " #2": which of several outcomes of chance it
 * was, as the checker counts them.
 *
 * Empty lines and lines that begin with '#' say nothing. The checker writes
 * such files for what it finds, `kan run --record` for what happened live, and
 * both are replayed by the checker and by the simulator. */

#ifndef PATH_SCENARIO_SCENARIO_H
#define PATH_SCENARIO_SCENARIO_H

#include <kan/record.h>

#include "base/bytes.h"
#include "path/id/id.h"

enum scenario_kind
{
    SCENARIO_DELIVER,
    SCENARIO_TIMER,
    SCENARIO_REQUEST,
    SCENARIO_LIE,
    SCENARIO_CRASH,
    SCENARIO_RESTART,
    SCENARIO_LOSE,
    SCENARIO_DOUBLE,
    SCENARIO_JUMP,
    SCENARIO_CUT,
    SCENARIO_HEAL
};

enum
{
    SCENARIO_EVENTS_MAX = 1000000,
    SCENARIO_LINE_MAX = 200000, /* bytes */
    SCENARIO_DRAWS_MAX = 512,   /* of one line: a start's, and a step's */
    SCENARIO_SETTINGS_MAX = 32
};

/* One line. Texts are NUL-terminated. A scenario that was read owns them; one
 * that is written borrows them. */
struct scenario_event
{
    enum scenario_kind kind;
    struct kan_ref from; /* DELIVER, LOSE, DOUBLE, LIE; empty: from outside */
    struct kan_ref to;   /* the actor; empty for CUT and HEAL */
    const char *name;    /* of the message or timer, or NULL */
    const char *json;    /* of the message; NULL: it carries nothing */
    uint32_t choice;
    const char *draws; /* DELIVER, TIMER, DOUBLE, RESTART: "3/6,0/2", and then
                        * choice is not said; or NULL */
    int64_t jump_ms;   /* JUMP */
    uint64_t group;    /* CUT, written: unused; names has them */
    const char *names; /* CUT: the actors cut off, by blanks */
    int64_t now_ms;    /* 0: not said */
    uint32_t line;     /* where it was read */
};

/* "servers=3". */
struct scenario_setting
{
    const char *name;
    int64_t value;
};

struct scenario
{
    const char *model;  /* or NULL */
    const char *module; /* a file; or NULL */
    struct scenario_setting settings[SCENARIO_SETTINGS_MAX];
    uint32_t setting_count;
    struct scenario_setting faults[SCENARIO_SETTINGS_MAX];
    uint32_t fault_count;
    const char *expect;   /* "holds" or "fails"; NULL: not said */
    const char *property; /* that fails; or NULL */
    uint32_t first;       /* which of several first states */
    struct scenario_event *events;
    uint32_t event_count;
    struct buffer tape; /* choices of the simulator, lines of text; or empty */
    bool has_path;
    struct path_id path;
    void *texts; /* of one that was read */
};

/* Read. KAN_INVALID and "file:line: ..." in why; KAN_NOMEM. A zero scenario is
 * left then. */
KAN_MUST_USE enum kan_err scenario_read(struct kan_slice text, const char *file,
                                        struct scenario *ret_scenario,
                                        struct buffer *why);
void scenario_fini(struct scenario *scenario);

/* Append the head, one event as a line, and the last line. KAN_NOMEM. */
KAN_MUST_USE enum kan_err scenario_write_head(const struct scenario *scenario,
                                              struct buffer *out);
KAN_MUST_USE enum kan_err scenario_write_event(
    const struct scenario_event *event, struct buffer *out);
KAN_MUST_USE enum kan_err scenario_write_path(struct path_id path,
                                              struct buffer *out);

/* Numbers drawn as a line has them: pairs of a value and what it is below. */
void scenario_draws_write(const uint64_t *pairs, uint32_t count,
                          struct buffer *out);
/* Read them; ret_pairs has room for 2 * SCENARIO_DRAWS_MAX. KAN_INVALID. */
KAN_MUST_USE enum kan_err scenario_draws_read(const char *text,
                                              uint64_t *ret_pairs,
                                              uint32_t *ret_count);

#endif /* PATH_SCENARIO_SCENARIO_H */
