/* conformance.h - one suite for every engine, wrapper and profile.
 *
 * An engine is done when it passes. It takes part by a program of its own
 * beside this file (memory.c is the example): a table of subjects, each of
 * which says how the engine is opened in a simulated process, and a main() that
 * hands the table to conformance_main(). What an engine does not promise is
 * not asked of it; but asking for it must be refused, and that is tested. */

#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <kan/base.h>

#include "engine/engine.h"
#include "env/env.h"

/* What a test would like, so that limits can be reached; 0: no wish. */
struct conformance_wish
{
    uint64_t feed_bytes_max; /* history kept for watches */
    uint64_t bytes_max;      /* of all data */
};

struct conformance_subject
{
    const char *name;  /* "memory"; results are named "memory: <test>" */
    const void *data;  /* the subject's own */
    bool survives;     /* data are there again when the engine is opened another
                        * time on the same host; also after a power cut when
                        * it promises ENGINE_FSYNC or more */
    bool takes_wishes; /* the wishes are granted */

    /* Open the engine in this process, anew on an empty host or again. Within
     * it, the loop may be run. The suite calls engine_close(), after which
     * nothing that open allocated may be left. KAN_NOMEM under faults. */
    enum kan_err (*open)(const struct conformance_subject *subject,
                         struct env *env, const struct conformance_wish *wish,
                         struct engine **ret_engine);
};

/* Run every test for every subject; the exit code of the program. With an
 * argument, only tests whose name contains it. */
int conformance_main(const struct conformance_subject *subjects, size_t count,
                     int argc, char **argv);

#endif /* CONFORMANCE_H */
