/* sim.h - a world drawn from a tape of choices.
 *
 * A world has hosts, each with a name, a disk and a place in the network, and
 * processes on them, each with an env (env.h) of its own. Everything runs on
 * one thread in virtual time: time moves only when nothing is ready. Two runs
 * with equal programs, options and tapes are equal, event by event: nothing
 * depends on addresses, hash order, real time or the machine.
 *
 * The world allocates only in calls that may answer KAN_NOMEM, so fault loops
 * with mem_fault() work in it. The tape's record and a sink's lines are cut
 * short instead.
 *
 * Addresses: a host answers to every address that a process of it listens on.
 * Whoever is meant is looked for on the own host first, then on the others in
 * the order they were made, loopback addresses and paths too. */

#ifndef ENV_SIM_SIM_H
#define ENV_SIM_SIM_H

#include <kan/base.h>

#include "base/bytes.h"
#include "env/env.h"
#include "env/sim/tape.h"

struct sim_world;

/* --- knobs ---------------------------------------------------------------- */

/* How a process started with env_spawn() behaves. */
struct sim_program
{
    uint64_t run_ns;   /* until it exits by itself; UINT64_MAX: never */
    int64_t exit_code; /* when it exits by itself */
    bool stubborn;     /* only signal 9 ends it; else every signal does */
};

/* Say how the program behaves, KAN_OK; or refuse as env_spawn() may. Called
 * within env_spawn() with its options. ret_program is preset as if there were
 * no script. */
typedef enum kan_err sim_script_cb(void *data,
                                   const struct env_spawn_options *options,
                                   struct sim_program *ret_program);

/* A line about an event, without a newline. */
typedef void sim_sink_cb(void *data, const char *line);

/* Zero is the quiet world: no latency, no faults, nothing drawn from the tape
 * but by env_choose(), spawned processes and crashes. Rates are in thousandths
 * (1,000: always). */
struct sim_options
{
    uint64_t
        wall_ms; /* the wall clock at start; 0 means 2026-01-01 00:00 UTC */
    uint64_t step_ns; /* how long each event takes */
    bool shuffle;     /* the tape orders what is ready at the same time */

    /* the network */
    uint64_t latency_ns;  /* of everything that travels, at least */
    uint64_t jitter_ns;   /* at most so much more, by the tape */
    bool chop;            /* the tape cuts streams into pieces, makes
                           * try_write take less than there is room for,
                           * and drops what a reset overtakes */
    uint32_t pipe_bytes;  /* room in each direction of a stream; 0 means
                           * 16,384 */
    uint32_t break_rate;  /* per piece that arrives: both ends get LOST */
    uint32_t refuse_rate; /* of connects */
    uint64_t connect_timeout_ns; /* until a connect that nobody hears is LOST; 0
                                  * means 3 s */
    uint32_t lost_rate;          /* of messages */
    uint32_t doubled_rate;       /* of messages */
    uint32_t late_rate;          /* of messages: late by up to late_ns more */
    uint64_t late_ns;
    uint32_t messages_max; /* under way in the world, beyond it they are lost;
                            * 0 means 65,536 */

    /* lanes */
    uint64_t lane_jitter_ns; /* at most so long until work runs, and again until
                              * it is done */

    /* disks */
    uint64_t disk_bytes;       /* room on a new disk; 0 means no limit */
    uint32_t read_fault_rate;  /* of env_file_read(): KAN_IO */
    uint32_t write_fault_rate; /* of writes and truncates: KAN_IO */
    uint32_t sync_fault_rate;  /* of file and directory syncs: KAN_IO */
    bool kind_names;           /* env_file_sync() also makes the file's name
                                * durable, as ext4 happens to do */

    /* processes */
    void *data; /* the caller's, for script */
    sim_script_cb
        *script; /* NULL: runs up to 1 s by the tape and exits with 0 */

    /* what happened, as text */
    void *sink_data;
    sim_sink_cb *sink; /* may be NULL */
};

/* --- worlds and processes ------------------------------------------------- */

/* tape is borrowed until sim_world_free() and may be shared with nothing else;
 * options are copied and may be NULL. Yours: sim_world_free(). */
KAN_MUST_USE enum kan_err sim_world_new(struct tape *tape,
                                        const struct sim_options *options,
                                        struct sim_world **ret_world);

/* Free the world with all its hosts and processes, dead or alive; no callback
 * runs. Memory of the programs in it is not touched. NULL is ignored; returns
 * NULL. Not within a callback. */
struct sim_world *sim_world_free(struct sim_world *world);

/* The knobs, to be turned while the world runs (to end faults, say). */
struct sim_options *sim_world_options(struct sim_world *world);

/* Start a process on the host of that name, which is made, with an empty disk,
 * when it is new. A name has at most 15 bytes, a world at most 64 hosts.
 * Several processes may live on one host. Yours: env_free() when all of its
 * handles are closed, or leave it to sim_world_free(). */
KAN_MUST_USE enum kan_err sim_node_new(struct sim_world *world,
                                       const char *name, struct env **ret_env);

/* As sim_node_new(), on a host that exists and has no living process;
 * KAN_NOTFOUND and KAN_HELD otherwise. */
KAN_MUST_USE enum kan_err sim_restart(struct sim_world *world, const char *name,
                                      struct env **ret_env);

/* One callback, or one event of the world, in the order described above, or
 * time moving on to it. false when nothing will ever happen again. Not within
 * a callback. */
bool sim_step(struct sim_world *world);

/* Run what happens up to until_ns, and move the time there. With UINT64_MAX:
 * until nothing will ever happen, and time stays at the last event. Returns
 * whether anything is left that will happen later. env_run() of one process
 * also runs the whole world, until that process stops or waits for nothing, or
 * nothing will ever happen; an open handle, but for a file and an idle lane,
 * counts as waiting. */
bool sim_run(struct sim_world *world, uint64_t until_ns);

/* Nanoseconds since the world began; env_now() of every process whose host's
 * clock is right. */
uint64_t sim_now(const struct sim_world *world);

/* Events run so far. */
uint64_t sim_steps(const struct sim_world *world);

/* --- faults --------------------------------------------------------------- */

/* The power of the host fails. All of its processes die (see below), and each
 * of its disk's writes and name changes that was not synced is kept, dropped
 * or torn (cut at a sector of 512 bytes) by the tape, independently for each
 * page of 4,096 bytes. May be called in any callback, lane work included. */
void sim_crash(struct env *env);

/* This process is killed (kill -9): what it wrote stays readable, synced or
 * not.
 *
 * A process that died is a ghost. Its peers see KAN_LOST (after a kill by the
 * tape perhaps KAN_END, as the kernel closes its sockets), its locks and
 * addresses are free, and none of its callbacks ever runs in the world. Its
 * memory is still there, and so that the program's own destructors may release
 * it, env_run() of a ghost runs it apart from the world: on a clock of its own,
 * with every file call failing with KAN_IO, every stream KAN_LOST, every choice
 * 0 and without a trace. Nothing it does reaches the world. */
void sim_kill(struct env *env);

/* Whether the process has died. */
bool sim_dead(const struct env *env);

/* Cut, or mend, the way between two hosts, in both directions: messages are
 * lost, streams wait, connects time out. The hosts must exist. */
void sim_partition(struct sim_world *world, const char *a, const char *b,
                   bool cut);

/* Mend all partitions. */
void sim_heal(struct sim_world *world);

/* Move the wall clock of the host, now and for later processes on it. */
void sim_wall_jump(struct env *env, int64_t delta_ms);

/* Let the host's clocks run by so many millionths faster, or slower, than the
 * world's time from now on; -500,000 to 500,000. env_now() stays monotonic. */
void sim_clock_rate(struct env *env, int32_t ppm);

/* Break every stream of the process that is open now. */
void sim_break(struct env *env);

/* Deliver the signal to the process. Whether a handler was open for it. */
bool sim_signal(struct env *env, int signal);

/* --- disks ---------------------------------------------------------------- */

enum sim_fault_kind
{
    SIM_FAULT_OPEN,
    SIM_FAULT_READ,
    SIM_FAULT_WRITE,
    SIM_FAULT_SYNC, /* of a file */
    SIM_FAULT_TRUNCATE,
    SIM_FAULT_DELETE,
    SIM_FAULT_RENAME,
    SIM_FAULT_DIR,  /* sync, make, list */
    SIM_FAULT_LOOK, /* size, exists, lock */
    SIM_FAULT_ANY,  /* counts all of the above */
    SIM_FAULT_KINDS
};

/* Make the nth call of that kind on the host's disk from now (1 is the next)
 * fail with KAN_IO, and every later one too when sticky; nth 0 ends it. Of a
 * failed write the tape decides how much was written; after a failed sync it
 * decides whether what was pending stays so, is wrongly taken for written (a
 * later sync does not save it), or is forgotten at once. */
void sim_fault(struct env *env, enum sim_fault_kind kind, uint64_t nth,
               bool sticky);

/* As sim_fault(), but instead of the call the power fails: sim_crash(), and the
 * call answers KAN_IO to the ghost. */
void sim_fault_crash(struct env *env, enum sim_fault_kind kind, uint64_t nth);

/* Whether a fault set by the two calls above has struck on the host since the
 * last of them. */
bool sim_fault_struck(const struct env *env);

/* Calls of that kind on the host's disk since it was made, failed ones too. */
uint64_t sim_fault_count(const struct env *env, enum sim_fault_kind kind);

/* Set the room on the host's disk, in bytes; less than what is used is allowed:
 * nothing can grow then. 0 means no limit. */
void sim_disk_limit(struct env *env, uint64_t bytes);

/* Bytes in files that have a name or are open. */
uint64_t sim_disk_used(const struct env *env);

/* Flip one bit, chosen by the tape, in [offset, offset + size) of the file as
 * it is read and as it survives. KAN_NOTFOUND; KAN_INVALID when it has no byte
 * there. */
KAN_MUST_USE enum kan_err sim_disk_rot(struct env *env, const char *path,
                                       uint64_t offset, uint64_t size);

/* --- what happened -------------------------------------------------------- */

/* What tests ask to have occurred at least once over their seeds: a simulation
 * that never reaches a rare path proves nothing about it. */
enum sim_probe
{
    SIM_PROBE_WRITE_KEPT, /* at a crash */
    SIM_PROBE_WRITE_DROPPED,
    SIM_PROBE_WRITE_TORN,
    SIM_PROBE_WRITE_REORDERED, /* a later one kept, an earlier one dropped */
    SIM_PROBE_SIZE_WITHOUT_DATA,
    SIM_PROBE_TRUNCATE_DROPPED,
    SIM_PROBE_NAME_KEPT,
    SIM_PROBE_NAME_DROPPED,
    SIM_PROBE_SYNC_FAILED_DIRTY,
    SIM_PROBE_SYNC_FAILED_CLEAN,
    SIM_PROBE_SYNC_FAILED_FORGOT,
    SIM_PROBE_DISK_FULL,
    SIM_PROBE_MESSAGE_LOST,
    SIM_PROBE_MESSAGE_DOUBLED,
    SIM_PROBE_MESSAGE_LATE,
    SIM_PROBE_MESSAGE_CUT_OFF, /* by a partition */
    SIM_PROBE_STREAM_CHOPPED,
    SIM_PROBE_STREAM_BROKEN,
    SIM_PROBE_STREAM_WAITED, /* for a partition */
    SIM_PROBE_WRITE_BLOCKED, /* a full pipe */
    SIM_PROBE_CONNECT_REFUSED,
    SIM_PROBE_SHUFFLED,          /* not in the order of submission */
    SIM_PROBE_CRASH_WITH_WORK,   /* in a lane, not yet run */
    SIM_PROBE_CRASH_BEFORE_DONE, /* run, its owner not yet told */
    SIM_PROBES
};

/* How often it occurred in this world. */
uint64_t sim_probe_count(const struct sim_world *world, enum sim_probe probe);

/* "write kept", ... Static text. */
const char *sim_probe_name(enum sim_probe probe);

/* Add a line of the program's own to the trace. Ghosts add nothing. */
void sim_trace(struct env *env, const char *text);

/* A running hash of all events so far: of kind, host, time and content. */
struct sim_hash
{
    uint64_t low;
    uint64_t high;
};

struct sim_hash sim_trace_hash(const struct sim_world *world);

#endif /* ENV_SIM_SIM_H */
