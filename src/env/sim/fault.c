/* Faults of a disk, by count and by rate. */

#include "env/sim/disk.h"

static struct sim_disk *disk_of(const struct env *env)
{
    return sim_node(env)->host->disk;
}

static void plan(struct env *env, enum sim_fault_kind kind,
                 struct sim_fault_plan wanted)
{
    struct sim_disk *disk = disk_of(env);
    kan_assert(kind < SIM_FAULT_KINDS);
    disk->plans[kind] = wanted;
    disk->struck = false;
}

void sim_fault(struct env *env, enum sim_fault_kind kind, uint64_t nth,
               bool sticky)
{
    plan(env, kind, (struct sim_fault_plan){nth, sticky, false});
}

void sim_fault_crash(struct env *env, enum sim_fault_kind kind, uint64_t nth)
{
    plan(env, kind, (struct sim_fault_plan){nth, false, true});
}

bool sim_fault_struck(const struct env *env)
{
    return disk_of(env)->struck;
}

uint64_t sim_fault_count(const struct env *env, enum sim_fault_kind kind)
{
    kan_assert(kind < SIM_FAULT_KINDS);
    return disk_of(env)->calls[kind];
}

/* Count the call; whether the plan strikes it. */
static bool strikes(struct sim_fault_plan *plan)
{
    if (plan->countdown == 0)
        return false;
    if (plan->countdown > 1) {
        plan->countdown--;
        return false;
    }
    if (!plan->sticky)
        plan->countdown = 0;
    return true;
}

static uint32_t rate_of(const struct sim_options *options,
                        enum sim_fault_kind kind)
{
    switch (kind) {
    case SIM_FAULT_READ:
        return options->read_fault_rate;
    case SIM_FAULT_WRITE:
    case SIM_FAULT_TRUNCATE:
        return options->write_fault_rate;
    case SIM_FAULT_SYNC:
    case SIM_FAULT_DIR:
        return options->sync_fault_rate;
    default:
        return 0;
    }
}

enum kan_err disk_call(struct sim_node *node, enum sim_fault_kind kind)
{
    struct sim_disk *disk = node->host->disk;
    const enum sim_fault_kind kinds[] = {kind, SIM_FAULT_ANY};
    bool struck = false;
    bool crash = false;
    if (node->dead)
        return KAN_IO;
    for (size_t i = 0; i < 2; i++) {
        struct sim_fault_plan *plan = &disk->plans[kinds[i]];
        bool crashing = plan->crash;
        disk->calls[kinds[i]]++;
        if (strikes(plan)) {
            struck = true;
            crash |= crashing;
        }
    }
    disk->struck |= struck;
    if (crash)
        sim_crash(&node->env);
    else if (!struck)
        struck = node_chance(node, rate_of(&node->world->options, kind));
    if (struck)
        node_note(node, "disk fault", NULL, kind, 0);
    return struck ? KAN_IO : KAN_OK;
}
