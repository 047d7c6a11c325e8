/* The SQLite engine under the conformance suite, on simulated files. */

#include "engine/sqlite/sqlite.h"

#include <stdio.h>

#include "test/conformance/conformance.h"

/* Wishes are not granted, for a full disk takes no deletions either; the tests
 * beside the engine fill a disk and trim the history. Small caches, so that the
 * paths around them are walked too. */
struct shape
{
    uint64_t cache_bytes;
    uint64_t value_cache_bytes;
    uint64_t checkpoint_bytes;
};

static enum kan_err open_sqlite(const struct conformance_subject *subject,
                                struct env *env,
                                const struct conformance_wish *wish,
                                struct engine **ret_engine)
{
    const struct shape *shape = subject->data;
    struct sqlite_options options = {
        .path = "kan.db",
        .cache_bytes = shape->cache_bytes,
        .value_cache_bytes = shape->value_cache_bytes,
        .checkpoint_bytes = shape->checkpoint_bytes,
        .feed_bytes_max = wish->feed_bytes_max,
    };
    char why[256] = "";
    enum kan_err err =
        engine_sqlite_open(env, &options, why, sizeof why, ret_engine);

    if (err && err != KAN_NOMEM)
        fprintf(stderr, "open: %s\n", why);
    return err;
}

static const struct shape usual = {0};
static const struct shape small = {64 << 10, 1, 64 << 10};

static const struct conformance_subject subjects[] = {
    {.name = "sqlite", .data = &usual, .survives = true, .open = open_sqlite},
    {.name = "sqlite, no cache",
     .data = &small,
     .survives = true,
     .open = open_sqlite},
};

int main(int argc, char **argv)
{
    engine_sqlite_configure();
    return conformance_main(subjects, sizeof subjects / sizeof *subjects, argc,
                            argv);
}
