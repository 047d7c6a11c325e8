/* The rules that all engines share. Pure: no clock, chance, I/O or allocation,
 * so that every engine, wrapper and profile gives the same answers. */

#include <stdio.h>

#include "engine/engine.h"

bool engine_guard_holds(const struct engine_guard *guard, uint64_t created,
                        uint64_t version)
{
    bool present = created != 0;

    switch (guard->kind) {
    case ENGINE_IF_VERSION:
        return present && version == guard->revision;
    case ENGINE_IF_CREATED:
        return present && created == guard->revision;
    case ENGINE_IF_ABSENT:
        return !present;
    case ENGINE_IF_PRESENT:
        return present;
    }
    return false;
}

static unsigned char *pack(unsigned char *out, uint64_t number, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        out[i] = (unsigned char)(number >> (8 * (size - 1 - i)));
    return out + size;
}

void engine_append_key(struct kan_slice prefix, uint64_t revision,
                       uint32_t index, void *out)
{
    unsigned char *tail = (unsigned char *)out + prefix.size;

    if (prefix.size)
        memcpy(out, prefix.bytes, prefix.size);
    tail = pack(tail, revision, 8);
    pack(tail, index, 4);
}

/* a + b * factor, cut to 63 bits: a store may keep it as a signed number. */
static uint64_t later(uint64_t a, uint64_t b, uint64_t factor)
{
    if (a >= INT64_MAX || b > (INT64_MAX - a) / factor)
        return INT64_MAX;
    return a + b * factor;
}

uint64_t engine_expires_at(enum engine_ttl_kind kind, uint64_t ttl_ms,
                           uint64_t wall_ms, uint64_t now_ns)
{
    switch (kind) {
    case ENGINE_TTL:
        return later(wall_ms, ttl_ms, 1);
    case ENGINE_LEASE:
        return later(now_ns, ttl_ms, ENV_MS);
    case ENGINE_FOREVER:
        break;
    }
    return 0;
}

bool engine_expired(enum engine_ttl_kind kind, uint64_t expires_at,
                    uint64_t wall_ms, uint64_t now_ns)
{
    switch (kind) {
    case ENGINE_TTL:
        return wall_ms >= expires_at;
    case ENGINE_LEASE:
        return now_ns >= expires_at;
    case ENGINE_FOREVER:
        break;
    }
    return false;
}

bool engine_cursor_known(const struct engine_cursor *here,
                         const struct engine_cursor *from)
{
    return from->store == here->store &&
           from->incarnation == here->incarnation &&
           from->revision <= here->revision;
}

/* --- promises ------------------------------------------------------------- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Granularity: the coarser is the lesser promise, and none is the least. */
static uint32_t coarser(uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return 0;
    return a > b ? a : b;
}

struct engine_promises engine_promises_mask(struct engine_promises engine,
                                            struct engine_promises profile)
{
    struct engine_promises both;

    both.ops_max = least(engine.ops_max, profile.ops_max);
    both.commit_bytes_max =
        least(engine.commit_bytes_max, profile.commit_bytes_max);
    both.key_max = least(engine.key_max, profile.key_max);
    both.value_max = least(engine.value_max, profile.value_max);
    both.expiry_ms = coarser(engine.expiry_ms, profile.expiry_ms);
    both.dedupe_ms = least(engine.dedupe_ms, profile.dedupe_ms);
    both.durable =
        engine.durable < profile.durable ? engine.durable : profile.durable;
    both.guard_created = engine.guard_created && profile.guard_created;
    both.append = engine.append && profile.append;
    both.watch_from = engine.watch_from && profile.watch_from;
    both.scan = engine.scan && profile.scan;
    both.linearizable = engine.linearizable && profile.linearizable;
    both.monotone_over_failover =
        engine.monotone_over_failover && profile.monotone_over_failover;
    both.shared = engine.shared && profile.shared;
    return both;
}

/* The line that says what is missing, as it grows. */
struct gaps
{
    char *why;
    size_t size; /* of why, with the NUL; may be 0 */
    size_t used;
    bool any;
};

static void gap_text(struct gaps *gaps, const char *text)
{
    for (; *text && gaps->used + 1 < gaps->size; text++)
        gaps->why[gaps->used++] = *text;
    if (gaps->size)
        gaps->why[gaps->used] = 0;
}

static void gap(struct gaps *gaps, const char *what)
{
    gap_text(gaps, gaps->any ? ", " : "needs ");
    gap_text(gaps, what);
    gaps->any = true;
}

static void gap_max(struct gaps *gaps, const char *what, uint32_t has,
                    uint32_t need)
{
    char line[96];

    if (need <= has)
        return;
    snprintf(line, sizeof line, "%s of %u (has %u)", what, need, has);
    gap(gaps, line);
}

static void gap_flag(struct gaps *gaps, const char *what, bool has, bool need)
{
    if (need && !has)
        gap(gaps, what);
}

static void gap_expiry(struct gaps *gaps, uint32_t has, uint32_t need)
{
    char line[96];

    if (need == 0 || (has != 0 && has <= need))
        return;
    if (has == 0)
        snprintf(line, sizeof line, "expiry");
    else
        snprintf(line, sizeof line, "expiry to %u ms (has %u ms)", need, has);
    gap(gaps, line);
}

static const char *durable_name(enum engine_durable durable)
{
    switch (durable) {
    case ENGINE_VOLATILE:
        return "durable";
    case ENGINE_ASYNC:
        return "durable(async)";
    case ENGINE_FSYNC:
        return "durable(fsync)";
    case ENGINE_QUORUM:
        return "durable(quorum)";
    }
    return "durable";
}

enum kan_err engine_promises_cover(const struct engine_promises *promises,
                                   const struct engine_promises *needs,
                                   char *why, size_t why_size)
{
    struct gaps gaps = {why, why ? why_size : 0, 0, false};

    gap_text(&gaps, "");
    gap_max(&gaps, "atomic ops", promises->ops_max, needs->ops_max);
    gap_max(&gaps, "commit bytes", promises->commit_bytes_max,
            needs->commit_bytes_max);
    gap_max(&gaps, "key bytes", promises->key_max, needs->key_max);
    gap_max(&gaps, "value bytes", promises->value_max, needs->value_max);
    gap_expiry(&gaps, promises->expiry_ms, needs->expiry_ms);
    gap_max(&gaps, "dedupe ms", promises->dedupe_ms, needs->dedupe_ms);
    gap_flag(&gaps, durable_name(needs->durable),
             promises->durable >= needs->durable,
             needs->durable != ENGINE_VOLATILE);
    gap_flag(&gaps, "guard_created", promises->guard_created,
             needs->guard_created);
    gap_flag(&gaps, "append", promises->append, needs->append);
    gap_flag(&gaps, "watch_from", promises->watch_from, needs->watch_from);
    gap_flag(&gaps, "scan", promises->scan, needs->scan);
    gap_flag(&gaps, "linearizable", promises->linearizable,
             needs->linearizable);
    gap_flag(&gaps, "monotone_over_failover", promises->monotone_over_failover,
             needs->monotone_over_failover);
    gap_flag(&gaps, "shared", promises->shared, needs->shared);
    return gaps.any ? KAN_INVALID : KAN_OK;
}
