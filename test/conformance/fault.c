/* The fault wrapper, with its knobs at 0, around the memory engine; and around
 * the tracing wrapper around it. */

#include "engine/fault/fault.h"

#include "engine/memory/memory.h"
#include "engine/trace/trace.h"
#include "test/conformance/conformance.h"

static void sink(void *data, struct kan_slice line)
{
    (void)data;
    (void)line;
}

/* An engine that finds no wrapper is closed again. */
static enum kan_err close_inner(struct env *env, struct engine *inner)
{
    engine_close(inner, NULL, NULL);
    env_run(env, ENV_RUN_NOWAIT);
    return KAN_NOMEM;
}

static enum kan_err open_fault(const struct conformance_subject *subject,
                               struct env *env,
                               const struct conformance_wish *wish,
                               struct engine **ret_engine)
{
    struct memory_options options = {
        .feed_bytes_max = wish->feed_bytes_max,
        .bytes_max = wish->bytes_max,
    };
    struct engine *inner = NULL, *traced = NULL;
    enum kan_err err = engine_memory_open(env, &options, &inner);

    if (err)
        return err;
    if (subject->data) {
        if (engine_trace_open(env, inner, NULL, sink, &traced))
            return close_inner(env, inner);
        inner = traced;
    }
    if (engine_fault_open(env, inner, NULL, ret_engine))
        return close_inner(env, inner);
    return KAN_OK;
}

static const struct conformance_subject subjects[] = {
    {.name = "fault of memory", .takes_wishes = true, .open = open_fault},
    {.name = "fault of trace of memory",
     .data = "trace",
     .takes_wishes = true,
     .open = open_fault},
};

int main(int argc, char **argv)
{
    return conformance_main(subjects, sizeof subjects / sizeof *subjects, argc,
                            argv);
}
