/* Local states: an actor's struct, armed timers, clock, and whether it is up
 * and waits. With relative times, two that differ by the time of day alone are
 * one: before it is kept, each is moved so that its clock shows SPACE_BASE_MS.
 */

#include "base/record.h"
#include "check/space/inside.h"

enum
{
    STRUCT_ALIGNMENT = 16
};

static uint32_t state_at(uint32_t timer_count)
{
    uint32_t size = (uint32_t)sizeof(struct local_head) +
                    timer_count * (uint32_t)sizeof(int64_t);
    return (size + STRUCT_ALIGNMENT - 1) / STRUCT_ALIGNMENT * STRUCT_ALIGNMENT;
}

enum kan_err local_blank(struct space *space, uint8_t actor, uint8_t flags,
                         struct buffer *blob)
{
    const struct kan_actor_type *type = space->actors[actor].type;
    struct local_head head = {.actor = actor,
                              .flags = flags,
                              .awaits = SPACE_OUTSIDE,
                              .timer_count = (uint8_t)type->timer_count,
                              .state_at = state_at(type->timer_count),
                              .now_ms = SPACE_BASE_MS};
    size_t size = head.state_at + type->state->size;

    buffer_clear(blob);
    if (buffer_reserve(blob, size) != KAN_OK)
        return KAN_NOMEM;
    memset(blob->bytes, 0, size);
    memcpy(blob->bytes, &head, sizeof(head));
    blob->size = size;
    return KAN_OK;
}

enum kan_err space_local(struct space *space, const struct buffer *blob,
                         uint32_t *ret_local)
{
    return kept_number(space->locals,
                       path_hash(buffer_slice(blob), SPACE_SEED_LOCAL),
                       buffer_slice(blob), 0, ret_local);
}

/* A time moved; like those of records it stays above 0, which means never. */
static int64_t moved(int64_t time_ms, int64_t delta_ms)
{
    int64_t sum;

    if (__builtin_add_overflow(time_ms, delta_ms, &sum))
        sum = delta_ms > 0 ? INT64_MAX : 1;
    return sum < 1 ? 1 : sum;
}

void local_set_clock(const struct space *space, struct buffer *blob,
                     int64_t now_ms)
{
    struct local_head *head = (void *)blob->bytes;
    const struct kan_record *record = space->actors[head->actor].type->state;
    int64_t *due = local_due(head);
    int64_t delta_ms = SPACE_BASE_MS - now_ms;

    head->now_ms = now_ms;
    if (space->model.absolute_time)
        return;
    head->now_ms = SPACE_BASE_MS;
    for (uint32_t i = 0; i < head->timer_count; i++) {
        if (due[i] != 0)
            due[i] = moved(due[i], delta_ms);
    }
    record_shift_times(record, blob->bytes + head->state_at, delta_ms,
                       SPACE_BASE_MS);
}
