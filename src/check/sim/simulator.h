/* simulator.h - what the files of this folder share: one simulator, and what a
 * run under way says of itself. */

#ifndef CHECK_SIM_SIMULATOR_H
#define CHECK_SIM_SIMULATOR_H

#include "block/actor/turn.h"
#include "check/sim/simulate.h"

#define SIMULATOR_MAGIC 0x73696d75u /* "simu" */

struct real_cast;

/* A step of a walk, by place, in the order of content. */
struct ranked
{
    uint64_t key;
    uint32_t at;
};

struct simulator
{
    uint32_t magic;
    struct simulate_options options;
    enum simulate_driver driver;
    const struct kan_model *model; /* or NULL */
    int64_t parameters[KAN_PARAMETERS_MAX];
    uint32_t parameter_count;
    struct kan_faults faults;
    struct simulate_counts counts;

    /* WALK */
    struct space *space;
    struct space_walker *walker;
    uint32_t first_count;
    struct space_state *state;
    struct space_state *next;
    struct space_step *steps;
    struct ranked *ranked;

    /* REAL */
    struct turn *turn;
    struct real_cast *cast;
    struct space *judge; /* of what clients saw; NULL: nothing judges it */
    struct space_walker *judge_walker;
    uint64_t untold_found;   /* steps that died untold, and are known */
    uint64_t histories_lost; /* runs in which it is not judged to the end */

    /* CONVERGES: where the run of a tape of zeros ends. */
    bool end_sought;
    bool end_known;
    struct path_id end;
};

/* The first property of that kind, or NULL. */
const struct kan_model_property *simulator_property(
    const struct simulator *simulator, enum kan_property_kind kind);

/* The run has come to where nothing but faults could follow: end is a hash of
 * what every actor is then. */
void run_ends(struct simulator *simulator, struct simulate_run *run,
              struct path_id end);

/* The verdict is given once: the first failure stays. */
__attribute__((format(printf, 3, 4))) void run_fails(struct simulate_run *run,
                                                     const char *property,
                                                     const char *format, ...);
__attribute__((format(printf, 2, 3))) void run_undecided(
    struct simulate_run *run, const char *format, ...);

/* Take an event into the run's trace. */
void run_mix(struct simulate_run *run, uint64_t word);

/* walk_driver.c */
KAN_MUST_USE enum kan_err walk_driver_new(struct simulator *simulator,
                                          struct buffer *why);
void walk_driver_free(struct simulator *simulator);
KAN_MUST_USE enum kan_err walk_driver_run(struct simulator *simulator,
                                          struct tape *tape,
                                          struct simulate_log *log,
                                          struct simulate_run *run);

KAN_MUST_USE enum kan_err walk_driver_follow(struct simulator *simulator,
                                             const struct walk_run *steps,
                                             struct simulate_run *run);
bool walk_is_fault(uint32_t kind); /* enum space_kind */

/* walk_goal.c: whether steps that are no faults lead from the state to one
 * where the property holds. */
enum walk_goal
{
    WALK_GOAL_THERE,
    WALK_GOAL_NEVER,
    WALK_GOAL_UNKNOWN /* there are too many states to say */
};
KAN_MUST_USE enum kan_err walk_goal_find(struct simulator *simulator,
                                         const struct space_state *from,
                                         uint32_t property,
                                         enum walk_goal *ret_goal);

/* real_driver.c. script: NULL, or what is to be done again. */
KAN_MUST_USE enum kan_err real_driver_new(struct simulator *simulator,
                                          struct buffer *why);
void real_driver_free(struct simulator *simulator);
KAN_MUST_USE enum kan_err real_driver_run(struct simulator *simulator,
                                          struct tape *tape,
                                          const struct scenario *script,
                                          struct simulate_log *log,
                                          struct simulate_run *run);

/* Draw one of n: the tape's own numbers give value. */
static inline uint32_t draw_below(struct tape *tape, uint32_t n)
{
    return (uint32_t)tape_choose(tape, n);
}

/* A knob: 0 in half of all runs, else one of the rates of draw_rate(), in
 * thousandths. One choice, so that a shrunk tape keeps what it needs. */
uint32_t draw_rate(struct tape *tape);

#endif /* CHECK_SIM_SIMULATOR_H */
