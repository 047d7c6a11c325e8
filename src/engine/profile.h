/* profile.h - what other engines promise, by name: masks for the memory engine,
 * so that every block is simulated against what each engine really gives.
 *
 * A mask narrows promises; the data still live in memory and nothing fails by
 * itself (engine/fault adds that). */

#ifndef ENGINE_PROFILE_H
#define ENGINE_PROFILE_H

#include <kan/base.h>

#include "engine/engine.h"

struct engine_profile
{
    const char *name; /* "redis" */
    struct engine_promises promises;
};

/* All of them; the last one's name is NULL. */
extern const struct engine_profile engine_profiles[];

/* The promises of the profile of that name, or NULL. Static. */
const struct engine_promises *engine_profile(struct kan_slice name);

#endif /* ENGINE_PROFILE_H */
