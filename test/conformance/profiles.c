/* The memory engine behind the mask of every profile. */

#include "engine/profile.h"

#include <stdio.h>

#include "engine/memory/memory.h"
#include "test/conformance/conformance.h"

static enum kan_err open_masked(const struct conformance_subject *subject,
                                struct env *env,
                                const struct conformance_wish *wish,
                                struct engine **ret_engine)
{
    struct memory_options options = {
        .profile = subject->data,
        .feed_bytes_max = wish->feed_bytes_max,
        .bytes_max = wish->bytes_max,
    };

    return engine_memory_open(env, &options, ret_engine);
}

enum
{
    PROFILES_MAX = 16
};

int main(int argc, char **argv)
{
    static struct conformance_subject subjects[PROFILES_MAX];
    static char names[PROFILES_MAX][32];
    size_t count = 0;

    while (engine_profiles[count].name) {
        snprintf(names[count], sizeof names[count], "memory as %s",
                 engine_profiles[count].name);
        subjects[count].name = names[count];
        subjects[count].data = &engine_profiles[count].promises;
        subjects[count].takes_wishes = true;
        subjects[count].open = open_masked;
        count++;
    }
    return conformance_main(subjects, count, argc, argv);
}
