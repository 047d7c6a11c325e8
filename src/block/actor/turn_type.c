/* turn_type.c - whether a type of actor is sound, before any of it runs. */

#include "block/actor/turn.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/record.h"

enum
{
    TYPE_NAME_MAX = 31
};

__attribute__((format(printf, 3, 4))) static enum kan_err type_refuse(
    struct buffer *why, const struct kan_actor_type *type, const char *format,
    ...)
{
    va_list args;

    buffer_print(why, "%s: ", type->name);
    va_start(args, format);
    buffer_vprint(why, format, args);
    va_end(args);
    return KAN_INVALID;
}

static bool name_valid(const char *name)
{
    size_t size = strnlen(name, TYPE_NAME_MAX + 1);

    if (size == 0 || size > TYPE_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static enum kan_err table_check(const struct kan_actor_type *type,
                                const struct kan_record *record,
                                const char *what, struct buffer *why)
{
    struct buffer text = BUFFER_INIT;
    enum kan_err err;

    if (!record)
        return type_refuse(why, type, "%s has no table", what);
    err = record_check_table(record, &text);
    if (err != KAN_OK)
        (void)type_refuse(why, type, "%s", buffer_text(&text));
    buffer_fini(&text);
    return err;
}

static enum kan_err handlers_check(const struct kan_actor_type *type,
                                   struct buffer *why)
{
    for (uint32_t i = 0; i < type->handler_count; i++) {
        const struct kan_handler *handler = &type->handlers[i];
        enum kan_err err =
            table_check(type, handler->message, "a handler", why);
        if (err != KAN_OK)
            return err;
        if (!handler->handle)
            return type_refuse(why, type, "the handler of %s has no function",
                               handler->message->name);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(type->handlers[j].message->name,
                       handler->message->name) == 0)
                return type_refuse(why, type, "%s has two handlers",
                                   handler->message->name);
    }
    return KAN_OK;
}

static enum kan_err timers_check(const struct kan_actor_type *type,
                                 struct buffer *why)
{
    if (type->timer_count > KAN_TIMERS_MAX)
        return type_refuse(why, type, "has %" PRIu32 " timers; at most %d fit",
                           type->timer_count, KAN_TIMERS_MAX);
    for (uint32_t i = 0; i < type->timer_count; i++) {
        const struct kan_timer_type *timer = &type->timers[i];
        if (!timer->name || !name_valid(timer->name))
            return type_refuse(why, type,
                               "timer %" PRIu32
                               " needs a name of 1 to %d "
                               "letters, digits, - and _",
                               i, TYPE_NAME_MAX);
        if (!timer->fire)
            return type_refuse(why, type, "timer %s has no function",
                               timer->name);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(type->timers[j].name, timer->name) == 0)
                return type_refuse(why, type, "two timers are called %s",
                                   timer->name);
    }
    return KAN_OK;
}

/* Without a start the zeroed state is the first. */
static enum kan_err zero_check(const struct kan_actor_type *type,
                               struct buffer *why)
{
    struct buffer text = BUFFER_INIT;
    enum kan_err err = KAN_OK;
    void *zero;

    if (type->start)
        return KAN_OK;
    zero = mem_zalloc(type->state->size);
    if (!zero)
        return KAN_NOMEM;
    if (record_check(type->state, zero, &text) != KAN_OK)
        err = type_refuse(why, type,
                          "the first state is all zeros, but %s: give the type "
                          "a start that sets it",
                          buffer_text(&text));
    buffer_fini(&text);
    mem_free(zero);
    return err;
}

enum kan_err turn_check_type(const struct kan_actor_type *type,
                             struct buffer *why)
{
    const unsigned known = KAN_ACTOR_SERIAL | KAN_ACTOR_MORTAL;
    enum kan_err err;

    if (!type->name || !name_valid(type->name)) {
        buffer_print(why,
                     "a type of actor is called '%.64s': a name has 1 to %d "
                     "letters, digits, - and _",
                     type->name ? type->name : "", TYPE_NAME_MAX);
        return KAN_INVALID;
    }
    if ((type->flags & ~known) != 0)
        return type_refuse(why, type, "has unknown flags (%#x)", type->flags);
    if (type->mailbox_max > KAN_MAILBOX_MAX)
        return type_refuse(why, type,
                           "mailbox_max = %" PRIu32 " is outside 0..%d",
                           type->mailbox_max, KAN_MAILBOX_MAX);
    if ((err = table_check(type, type->state, "its state", why)) != KAN_OK ||
        (err = handlers_check(type, why)) != KAN_OK ||
        (err = timers_check(type, why)) != KAN_OK)
        return err;
    return zero_check(type, why);
}
