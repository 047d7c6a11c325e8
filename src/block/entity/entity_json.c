/* States and events as JSON. */

#include "base/json.h"
#include "base/number.h"
#include "block/entity/entity.h"

static void put_text(struct buffer *out, const char *name,
                     struct kan_slice text)
{
    json_append_name(out, name);
    json_append_string(out, text);
}

static void put_number(struct buffer *out, const char *name, uint64_t number)
{
    json_append_name(out, name);
    buffer_append_u64(out, number);
}

void entity_state_json(struct kan_slice type, struct kan_slice id,
                       const struct entity_state *state, struct buffer *out)
{
    buffer_append_byte(out, '{');
    put_text(out, "type", type);
    put_text(out, "id", id);
    put_number(out, "version", state->version);
    put_number(out, "n", state->n);
    put_number(out, "revision", state->revision);
    json_append_name(out, "state");
    program_json(state->program, 0, state->state, out);
    buffer_append_byte(out, '}');
}

static const char *event_name(enum entity_event_kind kind)
{
    switch (kind) {
    case ENTITY_STEP:
        return "step";
    case ENTITY_UPGRADED:
        return "upgraded";
    case ENTITY_DOWNGRADED:
        return "downgraded";
    case ENTITY_DELETED:
        return "deleted";
    case ENTITY_ERASED:
        break;
    }
    return "erased";
}

void entity_event_json(const struct entity_event *event, struct buffer *out)
{
    char time[NUMBER_TIME_SIZE];

    buffer_append_byte(out, '{');
    put_number(out, "n", event->n);
    if (event->kind == ENTITY_STEP)
        put_text(out, "step", program_step(event->program, event->step).name);
    else
        put_text(out, "event", kan_text(event_name(event->kind)));
    put_number(out, "version", event->version);
    if (event->kind == ENTITY_STEP) {
        json_append_name(out, "args");
        program_json(event->program,
                     program_step(event->program, event->step).arguments,
                     event->arguments, out);
    }
    number_time((uint64_t)event->input.now_ms, true, time);
    put_text(out, "time", kan_text(time));
    put_number(out, "revision", event->revision);
    buffer_append_byte(out, '}');
}
