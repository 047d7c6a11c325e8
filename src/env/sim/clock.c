/* The clocks of a host: one that runs on, perhaps too fast or too slow, and one
 * on the wall that jumps. */

#include "env/sim/world.h"

static const uint64_t MILLION = 1000000;

/* Rounded so that a timer whose host_due_ns() has come is due by the clock. */
uint64_t host_clock(const struct sim_host *host, uint64_t world_ns)
{
    uint64_t passed_ns = world_ns - host->clock_world_ns;
    int64_t whole = (int64_t)(passed_ns / MILLION) * host->clock_ppm;
    int64_t rest = (int64_t)(passed_ns % MILLION) * host->clock_ppm;
    return host->clock_host_ns + passed_ns +
           (uint64_t)(whole + rest / (int64_t)MILLION);
}

uint64_t host_due_ns(const struct sim_host *host, uint64_t clock_ns)
{
    if (clock_ns <= host->clock_host_ns)
        return host->clock_world_ns;
    uint64_t left_ns = clock_ns - host->clock_host_ns;
    if (left_ns > (uint64_t)INT64_MAX)
        return UINT64_MAX;
    uint64_t rate = (uint64_t)((int64_t)MILLION + host->clock_ppm);
    uint64_t rest = left_ns % rate * MILLION;
    return host->clock_world_ns + left_ns / rate * MILLION +
           (rest + rate - 1) / rate;
}

void sim_clock_rate(struct env *env, int32_t ppm)
{
    struct sim_node *node = sim_node(env);
    struct sim_host *host = node->host;
    kan_assert(ppm >= -500000 && ppm <= 500000);
    if (node->dead)
        return;
    node_note(node, "clock rate", NULL, (uint64_t)(int64_t)ppm, 0);
    host->clock_host_ns = host_clock(host, node->world->now_ns);
    host->clock_world_ns = node->world->now_ns;
    host->clock_ppm = ppm;
}

void sim_wall_jump(struct env *env, int64_t delta_ms)
{
    struct sim_node *node = sim_node(env);
    node_note(node, "wall clock jumps", NULL, (uint64_t)delta_ms, 0);
    node->host->wall_offset_ms += delta_ms;
}

uint64_t sim_wall_ms(struct env *env)
{
    const struct sim_node *node = sim_node(env);
    return node->world->options.wall_ms + node_clock(node) / ENV_MS +
           (uint64_t)node->host->wall_offset_ms;
}
