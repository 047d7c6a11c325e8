/* world.h - the inside of a simulated world. For env/sim alone.
 *
 * world.c picks what happens next, node.c is a process and its death, trace.c
 * writes down what happened; one file for each kind of handle. Events live in
 * the handles they belong to, so that scheduling never allocates. */

#ifndef ENV_SIM_WORLD_H
#define ENV_SIM_WORLD_H

#include "base/assert.h"
#include "base/bytes.h"
#include "base/list.h"
#include "env/address.h"
#include "env/ops.h"
#include "env/sim/sim.h"
#include "env/timers.h"

enum
{
    SIM_WORLD_MAGIC = 0x51be1d,
    SIM_NODE_MAGIC = 0x51b10de,
    SIM_HOSTS_MAX = 64, /* the width of a partition's mask */
    SIM_NAME_SIZE = 16
};

/* --- queue.c: events in order of (due, tie, order) ------------------------ */

struct sim_event
{
    uint64_t due_ns;
    uint64_t order;
    uint32_t tie;
    bool armed;
    void (*fire)(struct sim_event *event);
    struct sim_event *child; /* pairing heap */
    struct sim_event *next;
    struct sim_event *prev; /* elder sibling, or parent of the eldest */
};

struct sim_queue
{
    struct sim_event *first; /* the next, or NULL */
};

void sim_queue_push(struct sim_queue *queue, struct sim_event *event);
void sim_queue_remove(struct sim_queue *queue, struct sim_event *event);

/* --- the world ------------------------------------------------------------ */

struct sim_disk;

struct sim_host
{
    char name[SIM_NAME_SIZE];
    unsigned index;
    uint64_t cut_off; /* bit i: partitioned from host i */
    int64_t wall_offset_ms;
    int64_t clock_ppm;       /* how much faster its clock runs */
    uint64_t clock_world_ns; /* when that was set last, by the world's time */
    uint64_t clock_host_ns;  /* and by its own */
    struct sim_disk *disk;
};

struct sim_world
{
    unsigned magic;
    struct tape *tape;
    struct sim_options options;
    uint64_t now_ns;
    uint64_t order; /* of the next submission */
    uint64_t steps;
    uint64_t stalled; /* steps since time moved */
    bool running;     /* a callback is under way */
    struct sim_hash hash;
    struct buffer line;
    uint64_t probes[SIM_PROBES];

    struct sim_host *hosts[SIM_HOSTS_MAX];
    unsigned host_count;
    struct list nodes; /* dead ones too */

    struct sim_queue net;  /* messages under way */
    struct list packets;   /* the same */
    struct list listeners; /* in use by living processes */
    struct list ports;     /* the same */
    uint32_t packet_count;
    uint16_t port_next; /* given for port 0 */
    int64_t pid_next;
};

/* A process. */
struct sim_node
{
    struct env env;
    unsigned magic;
    struct sim_world *world;
    struct sim_host *host;
    struct list link; /* in world->nodes */
    bool dead;
    bool stopped;
    bool ghost_running;
    uint64_t ghost_ns; /* its own clock, once dead */
    uint64_t turns;    /* callbacks run */
    uint64_t tasks;    /* of these the last, deferred ones in a row */
    struct timers timers;
    struct sim_queue queue;
    struct list deferred;
    struct list posted;
    struct list handles;
    struct list files;
    size_t waiting; /* handles that keep the loop alive */
};

static inline struct sim_node *sim_node(const struct env *env)
{
    struct sim_node *node = (struct sim_node *)(void *)env;
    check_magic(node, (unsigned)SIM_NODE_MAGIC);
    return node;
}

/* The time by which the process's events are due: the world's, or a ghost's
 * own. Its clock is another matter (node_clock). */
static inline uint64_t node_now(const struct sim_node *node)
{
    return node->dead ? node->ghost_ns : node->world->now_ns;
}

/* clock.c: what the host's clock shows at that time of the world, and the first
 * time of the world at which it shows no less. */
uint64_t host_clock(const struct sim_host *host, uint64_t world_ns);
uint64_t host_due_ns(const struct sim_host *host, uint64_t clock_ns);

/* env_now() of the process. */
static inline uint64_t node_clock(const struct sim_node *node)
{
    return host_clock(node->host, node_now(node));
}

/* Fire at now + delay_ns. An armed event is moved. */
void node_arm(struct sim_node *node, struct sim_event *event,
              uint64_t delay_ns);
void node_disarm(struct sim_node *node, struct sim_event *event);

/* Draw. A ghost gets 0. */
uint64_t world_choose(struct sim_world *world, uint64_t n);
uint64_t node_choose(struct sim_node *node, uint64_t n);

/* Whether something with that rate in thousandths happens; not drawn when the
 * rate is 0. */
bool world_chance(struct sim_world *world, uint32_t rate);
bool node_chance(struct sim_node *node, uint32_t rate);

/* How long something travels. */
uint64_t world_latency(struct sim_world *world);
uint64_t node_latency(struct sim_node *node);

void world_packets_free(struct sim_world *world);

bool hosts_parted(const struct sim_host *a, const struct sim_host *b);

/* Run one event of a ghost; false when it has none. */
bool ghost_step(struct sim_node *node);

/* Whether anything is ready now. */
bool world_ready(struct sim_world *world);

/* --- trace.c -------------------------------------------------------------- */

/* An event happened to the process. subject may be NULL. */
void node_note(struct sim_node *node, const char *verb, const char *subject,
               uint64_t a, uint64_t b);

/* These bytes are part of the event noted last. */
void node_note_bytes(struct sim_node *node, const void *bytes, size_t size);

/* An event of no process. */
void world_note(struct sim_world *world, const char *verb, const char *subject,
                uint64_t a, uint64_t b);

static inline void world_probe(struct sim_world *world, enum sim_probe probe)
{
    world->probes[probe]++;
}

/* --- handles (node.c) ----------------------------------------------------- */

struct sim_handle;

struct sim_handle_kind
{
    void (*die)(struct sim_handle *handle, bool power); /* may be NULL */
    void (*destroy)(struct sim_handle *handle);         /* free it */
};

/* Every handle but a file begins with this. */
struct sim_handle
{
    struct env_handle base;
    const struct sim_handle_kind *kind;
    struct list link;
    bool waiting; /* keeps the loop alive */
    bool closing;
    struct sim_event close;
    void *close_data;
    env_close_cb *close_cb;
};

static inline struct sim_node *handle_node(const struct sim_handle *handle)
{
    return sim_node(handle->base.env);
}

void handle_init(struct sim_handle *handle, struct sim_node *node,
                 const struct sim_handle_kind *kind);
void handle_wait(struct sim_handle *handle, bool waiting);

/* Take it out of its process and free it. */
void handle_destroy(struct sim_handle *handle);

/* Destroy it in an event of its own, then call cb, which may be NULL. */
void handle_close(struct sim_handle *handle, void *data, env_close_cb *cb);

/* The process died. */
void node_die(struct sim_node *node, bool power);

/* Free the process and everything in it. */
void node_destroy(struct sim_node *node);

/* --- streams, listeners, ports -------------------------------------------- */

/* Partitions have changed: settle what has arrived, go on with what waits. */
void world_streams_settle(struct sim_world *world);
void world_streams_resume(struct sim_world *world);

/* Whether who listens at bound hears what is sent to wanted. */
bool address_reaches(const struct address *bound, const struct address *wanted);

/* Whether two may not both be bound on one host. */
bool address_clashes(const struct address *a, const struct address *b);

/* Whether it means something else on every host. */
bool address_local(const struct address *address);

/* A port number that is free on the host, in the order of asking. */
uint16_t world_port_free(struct sim_world *world);

/* --- disk.c, names.c, file.c, fault.c ------------------------------------- */

struct sim_fault_plan
{
    uint64_t countdown; /* 0: none */
    bool sticky;
    bool crash;
};

/* Called first by every file call: KAN_IO when it is to fail, or to a ghost. */
enum kan_err disk_call(struct sim_node *node, enum sim_fault_kind kind);

enum kan_err disk_new(uint64_t limit, struct sim_disk **ret_disk);
void disk_free(struct sim_disk *disk);

/* The power fails: settle what was pending. No file may be open. */
void disk_crash(struct sim_world *world, struct sim_host *host);

/* Take the disk away from the process's open files, and its locks. */
void node_files_detach(struct sim_node *node);
void node_files_destroy(struct sim_node *node);

/* --- the functions of env.h ----------------------------------------------- */

extern const struct env_ops sim_ops;

uint64_t sim_wall_ms(struct env *env);
void sim_lane_work(struct env_lane *lane, struct env_work *work,
                   env_work_cb *run, env_work_cb *done);
void sim_lane_close(struct env_lane *lane, void *data, env_close_cb *cb);
enum kan_err sim_lane_open(struct env *env, const char *name,
                           struct env_lane **ret_lane);

enum kan_err sim_listen(struct env *env, const char *address,
                        const struct env_listen_options *options, void *data,
                        env_accept_cb *cb, char *why, size_t why_size,
                        struct env_listener **ret_listener);
const char *sim_listener_address(const struct env_listener *listener);
void sim_listener_close(struct env_listener *listener, void *data,
                        env_close_cb *cb);
enum kan_err sim_connect(struct env *env, const char *address, void *data,
                         env_connect_cb *cb);

void sim_stream_read_start(struct env_stream *stream, void *data,
                           env_read_cb *cb);
void sim_stream_read_stop(struct env_stream *stream);
enum kan_err sim_stream_try_write(struct env_stream *stream,
                                  struct kan_slice bytes, size_t *ret_written);
enum kan_err sim_stream_write(struct env_stream *stream,
                              struct env_write *write, struct kan_slice bytes,
                              env_write_cb *cb);
size_t sim_stream_pending(const struct env_stream *stream);
void sim_stream_finish(struct env_stream *stream);
void sim_stream_close(struct env_stream *stream, void *data, env_close_cb *cb);

enum kan_err sim_port_open(struct env *env, const char *address, void *data,
                           env_message_cb *cb, struct env_port **ret_port);
const char *sim_port_address(const struct env_port *port);
enum kan_err sim_port_send(struct env_port *port, const char *to,
                           struct kan_slice bytes);
void sim_port_close(struct env_port *port, void *data, env_close_cb *cb);

enum kan_err sim_file_open(struct env *env, const char *path, unsigned flags,
                           struct env_file **ret_file);
void sim_file_close(struct env_file *file);
enum kan_err sim_file_read(struct env_file *file, uint64_t offset, void *bytes,
                           size_t size, size_t *ret_size);
enum kan_err sim_file_write(struct env_file *file, uint64_t offset,
                            struct kan_slice bytes);
enum kan_err sim_file_sync(struct env_file *file);
enum kan_err sim_file_truncate(struct env_file *file, uint64_t size);
enum kan_err sim_file_size(struct env_file *file, uint64_t *ret_size);
enum kan_err sim_file_lock(struct env_file *file);
enum kan_err sim_file_delete(struct env *env, const char *path);
enum kan_err sim_file_rename(struct env *env, const char *from, const char *to);
enum kan_err sim_file_exists(struct env *env, const char *path);
enum kan_err sim_dir_sync(struct env *env, const char *path);
enum kan_err sim_dir_make(struct env *env, const char *path);
enum kan_err sim_dir_list(struct env *env, const char *path, void *data,
                          env_dir_cb *each);

enum kan_err sim_spawn(struct env *env, const struct env_spawn_options *options,
                       void *data, env_exit_cb *cb,
                       struct env_process **ret_process);
int64_t sim_process_id(const struct env_process *process);
void sim_process_signal(struct env_process *process, int signal);
void sim_process_close(struct env_process *process, void *data,
                       env_close_cb *cb);
enum kan_err sim_signal_open(struct env *env, int signal, void *data,
                             env_signal_cb *cb, struct env_signal **ret_signal);
void sim_signal_close(struct env_signal *signal, void *data, env_close_cb *cb);

#endif /* ENV_SIM_WORLD_H */
