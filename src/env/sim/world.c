/* What happens next, and when.
 *
 * Deferred tasks come before everything else, as env.h promises; then what is
 * due first, in order of submission or, when options.shuffle is set, in an
 * order drawn from the tape. */

#include "env/sim/world.h"

#include "base/alloc.h"

enum
{
    PIPE_BYTES = 16384,
    MESSAGES_MAX = 65536,
    PORT_FIRST = 49152,
    PID_FIRST = 1000,
    TIES = 8,
    /* Events at one instant after which each takes a microsecond, so that time
     * goes on for a program that polls. */
    STALL_MAX = 10000,
    STALL_NS = 1000,
    /* Tasks of one process in a row after which something else may have a turn,
     * should they defer themselves for ever. */
    TASKS_MAX = 1000
};

static const uint64_t WALL_MS = 1767225600000u; /* 2026-01-01 */
static const uint64_t CONNECT_TIMEOUT_NS = 3u * (uint64_t)ENV_S;

static void options_default(struct sim_options *options)
{
    if (!options->wall_ms)
        options->wall_ms = WALL_MS;
    if (!options->pipe_bytes)
        options->pipe_bytes = PIPE_BYTES;
    if (!options->connect_timeout_ns)
        options->connect_timeout_ns = CONNECT_TIMEOUT_NS;
    if (!options->messages_max)
        options->messages_max = MESSAGES_MAX;
    if (!options->disk_bytes)
        options->disk_bytes = UINT64_MAX;
}

enum kan_err sim_world_new(struct tape *tape, const struct sim_options *options,
                           struct sim_world **ret_world)
{
    struct sim_world *world = mem_zalloc(sizeof *world);
    if (!world)
        return KAN_NOMEM;
    world->magic = SIM_WORLD_MAGIC;
    world->tape = tape;
    if (options)
        world->options = *options;
    options_default(&world->options);
    list_init(&world->nodes);
    list_init(&world->packets);
    list_init(&world->listeners);
    list_init(&world->ports);
    world->order = 1;
    world->port_next = PORT_FIRST;
    world->pid_next = PID_FIRST;
    *ret_world = world;
    return KAN_OK;
}

struct sim_world *sim_world_free(struct sim_world *world)
{
    struct list *link;
    if (!world)
        return NULL;
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    kan_assert(!world->running);
    while ((link = list_first(&world->nodes)) != NULL)
        node_destroy(list_entry(link, struct sim_node, link));
    for (unsigned i = 0; i < world->host_count; i++) {
        disk_free(world->hosts[i]->disk);
        mem_free(world->hosts[i]);
    }
    world_packets_free(world);
    buffer_fini(&world->line);
    world->magic = 0;
    return mem_free(world);
}

struct sim_options *sim_world_options(struct sim_world *world)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    return &world->options;
}

uint64_t sim_now(const struct sim_world *world)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    return world->now_ns;
}

uint64_t sim_steps(const struct sim_world *world)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    return world->steps;
}

/* --- chance --------------------------------------------------------------- */

uint64_t world_choose(struct sim_world *world, uint64_t n)
{
    return tape_choose(world->tape, n);
}

uint64_t node_choose(struct sim_node *node, uint64_t n)
{
    kan_assert(n > 0);
    return node->dead ? 0 : world_choose(node->world, n);
}

bool world_chance(struct sim_world *world, uint32_t rate)
{
    if (rate == 0)
        return false;
    if (rate >= 1000)
        return true;
    return world_choose(world, 1000) >= 1000 - rate;
}

bool node_chance(struct sim_node *node, uint32_t rate)
{
    return !node->dead && world_chance(node->world, rate);
}

uint64_t world_latency(struct sim_world *world)
{
    const struct sim_options *options = &world->options;
    return options->latency_ns + world_choose(world, options->jitter_ns + 1);
}

uint64_t node_latency(struct sim_node *node)
{
    return node->dead ? 0 : world_latency(node->world);
}

/* --- scheduling ----------------------------------------------------------- */

void node_arm(struct sim_node *node, struct sim_event *event, uint64_t delay_ns)
{
    struct sim_world *world = node->world;
    uint64_t now_ns = node_now(node);
    sim_queue_remove(&node->queue, event);
    event->due_ns =
        delay_ns < UINT64_MAX - now_ns ? now_ns + delay_ns : UINT64_MAX;
    event->order = world->order++;
    event->tie = 0;
    if (world->options.shuffle)
        event->tie = (uint32_t)node_choose(node, TIES);
    if (event->tie)
        world_probe(world, SIM_PROBE_SHUFFLED);
    sim_queue_push(&node->queue, event);
}

void node_disarm(struct sim_node *node, struct sim_event *event)
{
    sim_queue_remove(&node->queue, event);
}

enum pick_kind
{
    PICK_NONE,
    PICK_DEFERRED,
    PICK_POSTED,
    PICK_TIMER,
    PICK_EVENT,
    PICK_NET
};

struct pick
{
    enum pick_kind kind;
    struct sim_node *node;
    uint64_t due_ns;
    uint64_t order;
};

/* The first candidates of everything there is, gone through in a fixed order.
 * best is what comes next by itself; with wanted > 0, other is the one that
 * many candidates after the first among those that are ready. */
struct picker
{
    uint64_t now_ns;
    uint64_t wanted;
    uint64_t ready;
    struct pick best;
    struct pick other;
};

static void consider(struct picker *picker, enum pick_kind kind,
                     struct sim_node *node, uint64_t due_ns, uint64_t order)
{
    struct pick pick = {kind, node, due_ns, order};
    struct pick *best = &picker->best;
    if (best->kind == PICK_NONE || due_ns < best->due_ns ||
        (due_ns == best->due_ns && order < best->order))
        *best = pick;
    if (due_ns > picker->now_ns)
        return;
    if (picker->wanted && picker->ready == picker->wanted)
        picker->other = pick;
    picker->ready++;
}

static void consider_node(struct picker *picker, struct sim_node *node)
{
    const struct env_timer *timer = timers_first(&node->timers);
    const struct sim_event *event = node->queue.first;
    if (!list_empty(&node->deferred))
        consider(picker, PICK_DEFERRED, node, picker->now_ns, UINT64_MAX);
    if (!list_empty(&node->posted))
        consider(picker, PICK_POSTED, node, 0, 0);
    if (timer)
        consider(picker, PICK_TIMER, node,
                 host_due_ns(node->host, timer->due_ns), timer->order);
    if (event)
        consider(picker, PICK_EVENT, node, event->due_ns, event->order);
}

static void consider_deferred(struct picker *picker, struct sim_node *node)
{
    if (!list_empty(&node->deferred) && node->tasks < TASKS_MAX)
        consider(picker, PICK_DEFERRED, node, 0, 0);
}

static void consider_world(struct sim_world *world, struct picker *picker)
{
    struct list *link;
    for (link = world->nodes.next; link != &world->nodes; link = link->next) {
        struct sim_node *node = list_entry(link, struct sim_node, link);
        if (!node->dead)
            consider_deferred(picker, node);
    }
    if (picker->best.kind != PICK_NONE)
        return;
    for (link = world->nodes.next; link != &world->nodes; link = link->next) {
        struct sim_node *node = list_entry(link, struct sim_node, link);
        if (!node->dead)
            consider_node(picker, node);
    }
    if (world->net.first)
        consider(picker, PICK_NET, NULL, world->net.first->due_ns,
                 world->net.first->order);
}

static struct pick pick_next(struct sim_world *world)
{
    struct picker picker = {.now_ns = world->now_ns};
    consider_world(world, &picker);
    return picker.best;
}

/* As pick_next(), but what is ready is shuffled. Draws. */
static struct pick pick_shuffled(struct sim_world *world)
{
    struct picker picker = {.now_ns = world->now_ns};
    consider_world(world, &picker);
    if (!world->options.shuffle || picker.ready < 2)
        return picker.best;
    uint64_t wanted = world_choose(world, picker.ready);
    if (wanted == 0)
        return picker.best;
    picker = (struct picker){.now_ns = world->now_ns, .wanted = wanted};
    consider_world(world, &picker);
    world_probe(world, SIM_PROBE_SHUFFLED);
    return picker.other;
}

static void run_task(struct sim_node *node, struct list *tasks)
{
    struct env_task *task = list_entry(list_pop(tasks), struct env_task, link);
    node_note(node, "task", NULL, 0, 0);
    task->cb(task);
}

static void run_timer(struct sim_node *node)
{
    struct env_timer *timer = timers_first(&node->timers);
    node_note(node, "timer", NULL, timer->due_ns, 0);
    timers_remove(&node->timers, timer);
    timer->cb(timer);
}

static void run_event(struct sim_queue *queue)
{
    struct sim_event *event = queue->first;
    sim_queue_remove(queue, event);
    event->fire(event);
}

static void run_pick(struct sim_world *world, const struct pick *pick)
{
    struct sim_node *node = pick->node;
    if (node) {
        node->turns++;
        node->tasks = pick->kind == PICK_DEFERRED ? node->tasks + 1 : 0;
    }
    switch (pick->kind) {
    case PICK_NONE:
        break;
    case PICK_DEFERRED:
        run_task(node, &node->deferred);
        break;
    case PICK_POSTED:
        run_task(node, &node->posted);
        break;
    case PICK_TIMER:
        run_timer(node);
        break;
    case PICK_EVENT:
        run_event(&node->queue);
        break;
    case PICK_NET:
        run_event(&world->net);
        break;
    }
}

bool sim_step(struct sim_world *world)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    kan_assert(!world->running);
    struct pick pick = pick_shuffled(world);
    if (pick.kind == PICK_NONE || pick.due_ns == UINT64_MAX)
        return false;
    world->steps++;
    world->stalled++;
    if (pick.due_ns > world->now_ns) {
        world->now_ns = pick.due_ns;
        world->stalled = 0;
    }
    world->running = true;
    run_pick(world, &pick);
    world->running = false;
    world->now_ns += world->options.step_ns;
    if (world->stalled > STALL_MAX)
        world->now_ns += STALL_NS;
    return true;
}

bool world_ready(struct sim_world *world)
{
    struct pick pick = pick_next(world);
    return pick.kind != PICK_NONE && pick.due_ns <= world->now_ns;
}

bool sim_run(struct sim_world *world, uint64_t until_ns)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    for (;;) {
        struct pick pick = pick_next(world);
        bool any = pick.kind != PICK_NONE && pick.due_ns != UINT64_MAX;
        if (!any || pick.due_ns > until_ns) {
            if (until_ns != UINT64_MAX && until_ns > world->now_ns) {
                world->now_ns = until_ns;
                world->stalled = 0;
            }
            return any;
        }
        if (!sim_step(world))
            return false;
    }
}

bool ghost_step(struct sim_node *node)
{
    struct picker picker = {.now_ns = node->ghost_ns};
    kan_assert(node->dead && !node->world->running);
    consider_deferred(&picker, node);
    if (picker.best.kind == PICK_NONE)
        consider_node(&picker, node);
    if (picker.best.kind == PICK_NONE || picker.best.due_ns == UINT64_MAX)
        return false;
    if (picker.best.due_ns > node->ghost_ns)
        node->ghost_ns = picker.best.due_ns;
    if (node->tasks > TASKS_MAX)
        node->ghost_ns += STALL_NS;
    node->world->running = true;
    run_pick(node->world, &picker.best);
    node->world->running = false;
    return true;
}

/* --- partitions ----------------------------------------------------------- */

/* The host of that name, which must exist. */
static struct sim_host *host_named(struct sim_world *world, const char *name)
{
    unsigned i = 0;
    while (i < world->host_count && strcmp(world->hosts[i]->name, name) != 0)
        i++;
    kan_assert(i < world->host_count);
    return world->hosts[i];
}

bool hosts_parted(const struct sim_host *a, const struct sim_host *b)
{
    return (a->cut_off >> b->index & 1) != 0;
}

void sim_partition(struct sim_world *world, const char *a, const char *b,
                   bool cut)
{
    struct sim_host *left = host_named(world, a);
    struct sim_host *right = host_named(world, b);
    kan_assert(left != right);
    world_streams_settle(world);
    world_note(world, cut ? "cut" : "mend", NULL, left->index, right->index);
    uint64_t left_bit = (uint64_t)1 << left->index;
    uint64_t right_bit = (uint64_t)1 << right->index;
    left->cut_off =
        cut ? left->cut_off | right_bit : left->cut_off & ~right_bit;
    right->cut_off =
        cut ? right->cut_off | left_bit : right->cut_off & ~left_bit;
    world_streams_resume(world);
}

void sim_heal(struct sim_world *world)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    world_note(world, "heal", NULL, 0, 0);
    for (unsigned i = 0; i < world->host_count; i++)
        world->hosts[i]->cut_off = 0;
    world_streams_resume(world);
}
