/* The profiles, with the reason for each promise that is not given. Sizes are
 * the servers' defaults, or what a driver would set where they have none. */

#include "engine/profile.h"

#include "base/bytes.h"

enum
{
    MIB = 1 << 20,
    MINUTE_MS = 60 * 1000
};

const struct engine_profile engine_profiles[] = {
    {
        /* Guards, revision and feed in one script on one slot. A fail-over may
         * lose acknowledged commits and the revision: nothing that rests on
         * tokens is promised. */
        .name = "redis",
        .promises =
            {
                .ops_max = 1024,
                .commit_bytes_max = 64 * MIB,
                .key_max = 64 << 10,
                .value_max = 64 * MIB,
                .expiry_ms = 1,
                .dedupe_ms = 10 * MINUTE_MS,
                .durable = ENGINE_ASYNC,
                .guard_created = true,
                .append = true,
                .watch_from = true,
                .scan = true,
                .linearizable = false,
                .monotone_over_failover = false,
                .shared = true,
            },
    },
    {
        /* A transaction cannot name a key by its own revision, so no append;
         * requests end at 1.5 MiB, transactions at 128 operations; leases are
         * in seconds. */
        .name = "etcd",
        .promises =
            {
                .ops_max = 128,
                .commit_bytes_max = MIB + MIB / 2 - (16 << 10),
                .key_max = 64 << 10,
                .value_max = MIB,
                .expiry_ms = 1000,
                .dedupe_ms = 10 * MINUTE_MS,
                .durable = ENGINE_QUORUM,
                .guard_created = true,
                .append = false,
                .watch_from = true,
                .scan = true,
                .linearizable = true,
                .monotone_over_failover = true,
                .shared = true,
            },
    },
    {
        /* A node's version restarts when it is created again, so no guard on
         * created; children come all at once, so no pages; watches fire once,
         * so none from a cursor; no time to live by default. */
        .name = "zookeeper",
        .promises =
            {
                .ops_max = 128,
                .commit_bytes_max = MIB - (16 << 10),
                .key_max = 1024,
                .value_max = MIB - (32 << 10),
                .expiry_ms = 0,
                .dedupe_ms = 0,
                .durable = ENGINE_QUORUM,
                .guard_created = false,
                .append = false,
                .watch_from = false,
                .scan = false,
                .linearizable = true,
                .monotone_over_failover = true,
                .shared = true,
            },
    },
    {
        /* Everything, in SQL, behind one locked head row. */
        .name = "postgres",
        .promises =
            {
                .ops_max = 4096,
                .commit_bytes_max = 64 * MIB,
                .key_max = 2048,
                .value_max = 64 * MIB,
                .expiry_ms = 1,
                .dedupe_ms = 10 * MINUTE_MS,
                .durable = ENGINE_FSYNC,
                .guard_created = true,
                .append = true,
                .watch_from = true,
                .scan = true,
                .linearizable = true,
                .monotone_over_failover = true,
                .shared = true,
            },
    },
    {
        /* 2.9: compare-and-set of single keys; no time to live per key, no
         * pages, history only of the last value; acknowledged before it is
         * synced; message ids are known for two minutes. */
        .name = "nats",
        .promises =
            {
                .ops_max = 1,
                .commit_bytes_max = MIB,
                .key_max = 256,
                .value_max = MIB - (16 << 10),
                .expiry_ms = 0,
                .dedupe_ms = 2 * MINUTE_MS,
                .durable = ENGINE_ASYNC,
                .guard_created = false,
                .append = false,
                .watch_from = false,
                .scan = false,
                .linearizable = false,
                .monotone_over_failover = false,
                .shared = true,
            },
    },
    {.name = NULL},
};

const struct engine_promises *engine_profile(struct kan_slice name)
{
    const struct engine_profile *profile = engine_profiles;

    while (profile->name && !slice_equal(kan_text(profile->name), name))
        profile++;
    return profile->name ? &profile->promises : NULL;
}
