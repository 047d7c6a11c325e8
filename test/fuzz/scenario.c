/* Any bytes as a scenario: either refused with its reason, or what is written
 * of it is read again and written the same. */

#include <stdlib.h>

#include "path/scenario/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void write_all(const struct scenario *scenario, struct buffer *out)
{
    check(scenario_write_head(scenario, out) == KAN_OK);
    for (uint32_t i = 0; i < scenario->event_count; i++)
        check(scenario_write_event(&scenario->events[i], out) == KAN_OK);
    if (scenario->has_path)
        check(scenario_write_path(scenario->path, out) == KAN_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scenario scenario;
    struct scenario again;
    struct buffer why = BUFFER_INIT;
    struct buffer once = BUFFER_INIT;
    struct buffer twice = BUFFER_INIT;
    enum kan_err err =
        scenario_read(kan_slice(data, size), "f", &scenario, &why);

    check((err == KAN_OK) == (why.size == 0));
    if (err == KAN_OK) {
        write_all(&scenario, &once);
        check(scenario_read(buffer_slice(&once), "f", &again, &why) == KAN_OK);
        check(again.event_count == scenario.event_count);
        write_all(&again, &twice);
        check(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
        scenario_fini(&again);
    }
    scenario_fini(&scenario);
    buffer_fini(&why);
    buffer_fini(&once);
    buffer_fini(&twice);
    return 0;
}
