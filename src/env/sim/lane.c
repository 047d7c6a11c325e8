/* A lane: work runs inline, in an event of its own, and its owner is told in a
 * later one. Between the two, and before, anything else may happen; a crash
 * too. As on a thread, the next work may run before the owner has been told of
 * the last. */

#include "base/alloc.h"
#include "env/sim/world.h"

struct env_lane
{
    struct sim_handle handle;
    struct list queue; /* not yet run */
    struct list ran;   /* run, the owner not yet told */
    struct sim_event run;
    struct sim_event done;
    char name[SIM_NAME_SIZE + 1];
};

static struct sim_node *lane_node(const struct env_lane *lane)
{
    return handle_node(&lane->handle);
}

static void arm(struct env_lane *lane, struct sim_event *event)
{
    struct sim_node *node = lane_node(lane);
    uint64_t jitter_ns = node->world->options.lane_jitter_ns;
    if (!event->armed)
        node_arm(node, event, node_choose(node, jitter_ns + 1));
}

static void rest(struct env_lane *lane)
{
    bool idle = list_empty(&lane->queue) && list_empty(&lane->ran);
    if (!lane->handle.closing)
        handle_wait(&lane->handle, !idle);
    else if (idle && !lane->handle.close.armed)
        node_arm(lane_node(lane), &lane->handle.close, 0);
}

static void run_fire(struct sim_event *event)
{
    struct env_lane *lane = list_entry(event, struct env_lane, run);
    struct list *link = list_pop(&lane->queue);
    struct env_work *work = list_entry(link, struct env_work, link);
    node_note(lane_node(lane), "work", lane->name, 0, 0);
    /* In this order: work that crashes its own process is work that ran. */
    list_push(&lane->ran, &work->link);
    arm(lane, &lane->done);
    if (!list_empty(&lane->queue))
        arm(lane, &lane->run);
    work->run(work);
}

static void done_fire(struct sim_event *event)
{
    struct env_lane *lane = list_entry(event, struct env_lane, done);
    struct list *link = list_pop(&lane->ran);
    struct env_work *work = list_entry(link, struct env_work, link);
    node_note(lane_node(lane), "work done", lane->name, 0, 0);
    if (!list_empty(&lane->ran))
        arm(lane, &lane->done);
    rest(lane);
    work->done(work);
}

static void lane_die(struct sim_handle *handle, bool power)
{
    struct env_lane *lane = list_entry(handle, struct env_lane, handle);
    struct sim_world *world = lane_node(lane)->world;
    (void)power;
    if (!list_empty(&lane->queue))
        world_probe(world, SIM_PROBE_CRASH_WITH_WORK);
    if (!list_empty(&lane->ran))
        world_probe(world, SIM_PROBE_CRASH_BEFORE_DONE);
}

static void lane_destroy(struct sim_handle *handle)
{
    struct env_lane *lane = list_entry(handle, struct env_lane, handle);
    node_disarm(lane_node(lane), &lane->run);
    node_disarm(lane_node(lane), &lane->done);
    mem_free(lane);
}

static const struct sim_handle_kind LANE = {lane_die, lane_destroy};

enum kan_err sim_lane_open(struct env *env, const char *name,
                           struct env_lane **ret_lane)
{
    size_t size = strlen(name);
    struct env_lane *lane = mem_zalloc(sizeof *lane);
    if (!lane)
        return KAN_NOMEM;
    memcpy(lane->name, name, size < SIM_NAME_SIZE ? size : SIM_NAME_SIZE);
    list_init(&lane->queue);
    list_init(&lane->ran);
    lane->run.fire = run_fire;
    lane->done.fire = done_fire;
    handle_init(&lane->handle, sim_node(env), &LANE);
    handle_wait(&lane->handle, false);
    *ret_lane = lane;
    return KAN_OK;
}

void sim_lane_work(struct env_lane *lane, struct env_work *work,
                   env_work_cb *run, env_work_cb *done)
{
    kan_assert(run && done);
    work->run = run;
    work->done = done;
    list_push(&lane->queue, &work->link);
    handle_wait(&lane->handle, true);
    /* A callback may give work to a lane that closes, until it has. */
    node_disarm(lane_node(lane), &lane->handle.close);
    arm(lane, &lane->run);
}

void sim_lane_close(struct env_lane *lane, void *data, env_close_cb *cb)
{
    struct sim_handle *handle = &lane->handle;
    kan_assert(!handle->closing);
    handle->closing = true;
    handle->close_data = data;
    handle->close_cb = cb;
    handle_wait(handle, true);
    rest(lane);
}
