/* The tracing wrapper around the memory engine. */

#include "engine/trace/trace.h"

#include "base/assert.h"
#include "engine/memory/memory.h"
#include "test/conformance/conformance.h"

/* Every line is text. */
static void sink(void *data, struct kan_slice line)
{
    (void)data;
    for (size_t i = 0; i < line.size; i++)
        kan_assert(slice_at(line, i) >= 0x20 && slice_at(line, i) < 0x7f);
}

/* An engine that finds no wrapper is closed again. */
static enum kan_err close_inner(struct env *env, struct engine *inner)
{
    engine_close(inner, NULL, NULL);
    env_run(env, ENV_RUN_NOWAIT);
    return KAN_NOMEM;
}

static enum kan_err open_trace(const struct conformance_subject *subject,
                               struct env *env,
                               const struct conformance_wish *wish,
                               struct engine **ret_engine)
{
    struct memory_options options = {
        .feed_bytes_max = wish->feed_bytes_max,
        .bytes_max = wish->bytes_max,
    };
    struct engine *inner = NULL;
    enum kan_err err = engine_memory_open(env, &options, &inner);

    (void)subject;
    if (!err && engine_trace_open(env, inner, NULL, sink, ret_engine))
        err = close_inner(env, inner);
    return err;
}

static const struct conformance_subject subjects[] = {
    {.name = "trace of memory", .takes_wishes = true, .open = open_trace},
};

int main(int argc, char **argv)
{
    return conformance_main(subjects, sizeof subjects / sizeof *subjects, argc,
                            argv);
}
