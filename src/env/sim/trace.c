/* What happened, as one number and, when somebody listens, as lines. */

#include "env/sim/world.h"

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

/* Two lanes with different constants; each step is a bijection of the state
 * for a given word, so nothing that went in is forgotten. */
static void mix(struct sim_hash *hash, uint64_t word)
{
    hash->low = rotate(hash->low ^ word, 29) * 0x9e3779b97f4a7c15u +
                0x2545f4914f6cdd1du;
    hash->high =
        rotate(hash->high + word, 41) * 0xd1342543de82ef95u ^ (hash->low >> 31);
}

static void mix_bytes(struct sim_hash *hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    mix(hash, size);
    while (size > 0) {
        uint64_t word = 0;
        size_t take = size < 8 ? size : 8;
        for (size_t i = 0; i < take; i++)
            word |= (uint64_t)at[i] << (8 * i);
        mix(hash, word);
        at += take;
        size -= take;
    }
}

static void tell(struct sim_world *world, const char *who, const char *verb,
                 const char *subject, uint64_t a, uint64_t b)
{
    struct buffer *line = &world->line;
    buffer_clear(line);
    buffer_print(line, "%llu.%09llu %s %s",
                 (unsigned long long)(world->now_ns / ENV_S),
                 (unsigned long long)(world->now_ns % ENV_S), who, verb);
    if (subject)
        buffer_print(line, " %s", subject);
    if (a || b)
        buffer_print(line, " %llu %llu", (unsigned long long)a,
                     (unsigned long long)b);
    world->options.sink(world->options.sink_data, buffer_text(line));
}

static void note(struct sim_world *world, const struct sim_host *host,
                 const char *verb, const char *subject, uint64_t a, uint64_t b)
{
    struct sim_hash *hash = &world->hash;
    mix(hash, world->now_ns);
    mix(hash, host ? host->index : (uint64_t)SIM_HOSTS_MAX);
    mix_bytes(hash, verb, strlen(verb));
    if (subject)
        mix_bytes(hash, subject, strlen(subject));
    mix(hash, a);
    mix(hash, b);
    if (world->options.sink)
        tell(world, host ? host->name : "-", verb, subject, a, b);
}

void node_note(struct sim_node *node, const char *verb, const char *subject,
               uint64_t a, uint64_t b)
{
    if (!node->dead)
        note(node->world, node->host, verb, subject, a, b);
}

void node_note_bytes(struct sim_node *node, const void *bytes, size_t size)
{
    if (!node->dead)
        mix_bytes(&node->world->hash, bytes, size);
}

void world_note(struct sim_world *world, const char *verb, const char *subject,
                uint64_t a, uint64_t b)
{
    note(world, NULL, verb, subject, a, b);
}

void sim_trace(struct env *env, const char *text)
{
    node_note(sim_node(env), "trace", text, 0, 0);
}

struct sim_hash sim_trace_hash(const struct sim_world *world)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    return world->hash;
}

static const char *const PROBE_NAMES[SIM_PROBES] = {
    [SIM_PROBE_WRITE_KEPT] = "write kept",
    [SIM_PROBE_WRITE_DROPPED] = "write dropped",
    [SIM_PROBE_WRITE_TORN] = "write torn",
    [SIM_PROBE_WRITE_REORDERED] = "write reordered",
    [SIM_PROBE_SIZE_WITHOUT_DATA] = "size without data",
    [SIM_PROBE_TRUNCATE_DROPPED] = "truncate dropped",
    [SIM_PROBE_NAME_KEPT] = "name kept",
    [SIM_PROBE_NAME_DROPPED] = "name dropped",
    [SIM_PROBE_SYNC_FAILED_DIRTY] = "failed sync left dirty",
    [SIM_PROBE_SYNC_FAILED_CLEAN] = "failed sync marked clean",
    [SIM_PROBE_SYNC_FAILED_FORGOT] = "failed sync forgot",
    [SIM_PROBE_DISK_FULL] = "disk full",
    [SIM_PROBE_MESSAGE_LOST] = "message lost",
    [SIM_PROBE_MESSAGE_DOUBLED] = "message doubled",
    [SIM_PROBE_MESSAGE_LATE] = "message late",
    [SIM_PROBE_MESSAGE_CUT_OFF] = "message cut off",
    [SIM_PROBE_STREAM_CHOPPED] = "stream chopped",
    [SIM_PROBE_STREAM_BROKEN] = "stream broken",
    [SIM_PROBE_STREAM_WAITED] = "stream waited",
    [SIM_PROBE_WRITE_BLOCKED] = "write blocked",
    [SIM_PROBE_CONNECT_REFUSED] = "connect refused",
    [SIM_PROBE_SHUFFLED] = "shuffled",
    [SIM_PROBE_CRASH_WITH_WORK] = "crash with work",
    [SIM_PROBE_CRASH_BEFORE_DONE] = "crash before done",
};

uint64_t sim_probe_count(const struct sim_world *world, enum sim_probe probe)
{
    check_magic(world, (unsigned)SIM_WORLD_MAGIC);
    kan_assert(probe < SIM_PROBES);
    return world->probes[probe];
}

const char *sim_probe_name(enum sim_probe probe)
{
    kan_assert(probe < SIM_PROBES);
    return PROBE_NAMES[probe];
}
