/* Setting up a space from a recording: each actor that took something, and each
 * message that a client sent it. */

#include "cli/check_cast.h"

#include <string.h>

#include "base/alloc.h"
#include "base/record.h"

static const struct kan_actor_type *type_of(const struct kan_module *module,
                                            const struct kan_ref *ref)
{
    const char *slash = strchr(ref->text, '/');
    size_t size = slash ? (size_t)(slash - ref->text) : 0;

    for (uint32_t i = 0; i < module->actor_count; i++) {
        const char *name = module->actors[i]->name;
        if (strlen(name) == size && memcmp(name, ref->text, size) == 0)
            return module->actors[i];
    }
    return NULL;
}

static bool seen_before(const struct scenario *scenario, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (kan_ref_equal(&scenario->events[i].to, &scenario->events[at].to))
            return true;
    }
    return false;
}

static const struct kan_record *record_of(const struct kan_actor_type *type,
                                          const char *name)
{
    for (uint32_t i = 0; name && i < type->handler_count; i++) {
        if (strcmp(type->handlers[i].message->name, name) == 0)
            return type->handlers[i].message;
    }
    return NULL;
}

/* What a client sends; a message that cannot be read is left out, and its line
 * is told when the recording is followed. */
static void add_request(kan_setup *setup, const struct kan_actor_type *type,
                        const struct scenario_event *event)
{
    const struct kan_record *record = record_of(type, event->name);
    struct buffer why = BUFFER_INIT;
    void *message;

    if (!record)
        return;
    message = mem_zalloc(record->size + 1);
    if (message &&
        (record->size == 0 ||
         record_from_json(record, kan_text(event->json ? event->json : "{}"),
                          message, &why) == KAN_OK))
        kan_setup_request(setup, event->to, record,
                          record->size ? message : NULL, 1);
    mem_free(message);
    buffer_fini(&why);
}

static bool from_client(const struct kan_module *module,
                        const struct scenario_event *event)
{
    if (event->kind == SCENARIO_REQUEST)
        return true;
    return event->kind == SCENARIO_DELIVER && !type_of(module, &event->from);
}

void check_cast_set(void *data, kan_setup *setup)
{
    const struct check_cast *cast = data;
    const struct scenario *scenario = cast->scenario;

    for (uint32_t i = 0; i < scenario->event_count; i++) {
        const struct scenario_event *event = &scenario->events[i];
        const struct kan_actor_type *type = type_of(cast->module, &event->to);
        if (type && !seen_before(scenario, i))
            setup->api->actor(setup, type, event->to);
    }
    for (uint32_t i = 0; i < scenario->event_count; i++) {
        const struct scenario_event *event = &scenario->events[i];
        const struct kan_actor_type *type = type_of(cast->module, &event->to);
        if (type && from_client(cast->module, event))
            add_request(setup, type, event);
    }
}
