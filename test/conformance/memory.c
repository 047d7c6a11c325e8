/* The memory engine under the conformance suite. */

#include "engine/memory/memory.h"

#include "test/conformance/conformance.h"

static enum kan_err open_memory(const struct conformance_subject *subject,
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

static const struct conformance_subject subjects[] = {
    {.name = "memory", .takes_wishes = true, .open = open_memory},
};

int main(int argc, char **argv)
{
    return conformance_main(subjects, sizeof subjects / sizeof *subjects, argc,
                            argv);
}
