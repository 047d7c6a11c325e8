/* memory.h - an engine that keeps everything in memory, and loses it with the
 * process. It keeps every promise but durability, so that with a profile it
 * stands for another engine in tests and in the simulator. */

#ifndef MEMORY_MEMORY_H
#define MEMORY_MEMORY_H

#include <kan/base.h>

#include "engine/engine.h"

struct memory_options
{
    const struct engine_promises *profile; /* promise no more than this (only
                                            * read by the call); NULL: all */
    uint64_t feed_bytes_max; /* history kept for watches; 0 means 8 MiB */
    uint64_t bytes_max; /* of keys, values and their nodes: a commit that grows
                    * beyond it is refused with KAN_FULL; 0 means 256 MiB */
};

/* What the engine promises without a profile. */
extern const struct engine_promises memory_promises;

/* Open an empty store, with a store id and an incarnation drawn from the env.
 * options may be NULL. KAN_NOMEM. Yours: engine_close(). */
KAN_MUST_USE enum kan_err engine_memory_open(
    struct env *env, const struct memory_options *options,
    struct engine **ret_engine);

#endif /* MEMORY_MEMORY_H */
