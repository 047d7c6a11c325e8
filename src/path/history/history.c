/* Events are kept until the history is sealed; then their order is all that
 * counts. */

#include "path/history/history.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/assert.h"

struct history_event
{
    int64_t time;
    uint32_t index; /* of the operation */
    bool is_return;
};

enum
{
    CAPACITY_FIRST = 64
};

const char *history_function_name(enum history_function function)
{
    static const char *const names[] = {
#define HISTORY_FUNCTION_NAME(name, text) text,
        HISTORY_FUNCTION_MAP(HISTORY_FUNCTION_NAME)
#undef HISTORY_FUNCTION_NAME
    };
    return names[function];
}

enum kan_err history_init(struct history *history)
{
    *history = (struct history){.ordered = true};
    return value_table_init(&history->values);
}

void history_fini(struct history *history)
{
    mem_free(history->operations);
    mem_free(history->events);
    value_table_fini(&history->values);
    *history = (struct history){0};
}

/* --- building ------------------------------------------------------------- */

static enum kan_err grow(struct history *history)
{
    if (history->count < history->capacity)
        return KAN_OK;
    if (history->count >= HISTORY_COUNT_MAX)
        return KAN_BUSY;
    uint32_t capacity = history->capacity * 2 + CAPACITY_FIRST;
    struct operation *operations =
        mem_realloc(history->operations, capacity * sizeof *operations);
    if (!operations)
        return KAN_NOMEM;
    history->operations = operations;
    history->capacity = capacity;
    return KAN_OK;
}

static enum kan_err note(struct history *history, int64_t time, uint32_t index,
                         bool is_return)
{
    if (history->event_count == history->event_capacity) {
        uint32_t capacity = history->event_capacity * 2 + CAPACITY_FIRST;
        struct history_event *events =
            mem_realloc(history->events, capacity * sizeof *events);
        if (!events)
            return KAN_NOMEM;
        history->events = events;
        history->event_capacity = capacity;
    }
    if (history->event_count &&
        time <= history->events[history->event_count - 1].time)
        history->ordered = false;
    history->events[history->event_count++] = (struct history_event){
        .time = time, .index = index, .is_return = is_return};
    return KAN_OK;
}

enum kan_err history_call(struct history *history,
                          const struct operation *operation, int64_t time,
                          uint32_t *ret_index)
{
    kan_assert(!history->sealed && operation->process < HISTORY_PROCESS_MAX);
    enum kan_err err = grow(history);
    if (err == KAN_OK)
        err = note(history, time, history->count, false);
    if (err != KAN_OK)
        return err;
    struct operation *kept = &history->operations[history->count];
    *kept = *operation;
    kept->outcome = HISTORY_PENDING;
    kept->result = VALUE_NONE;
    kept->ret = HISTORY_NEVER;
    *ret_index = history->count++;
    return KAN_OK;
}

enum kan_err history_return(struct history *history, uint32_t index,
                            enum history_outcome outcome, uint32_t result,
                            int64_t time)
{
    struct operation *operation = &history->operations[index];
    kan_assert(!history->sealed && operation->outcome == HISTORY_PENDING);
    if (outcome == HISTORY_DONE || outcome == HISTORY_MISMATCH) {
        enum kan_err err = note(history, time, index, true);
        if (err != KAN_OK)
            return err;
        operation->result = result;
    }
    operation->outcome = outcome;
    return KAN_OK;
}

/* --- sealing -------------------------------------------------------------- */

static int compare_events(const void *left, const void *right)
{
    const struct history_event *a = left;
    const struct history_event *b = right;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    if (a->is_return != b->is_return)
        return a->is_return ? 1 : -1;
    return (a->index > b->index) - (a->index < b->index);
}

static void rank_events(struct history *history)
{
    if (!history->ordered)
        qsort(history->events, history->event_count, sizeof *history->events,
              compare_events);
    uint32_t rank = 0;
    for (uint32_t i = 0; i < history->event_count; i++) {
        const struct history_event *event = &history->events[i];
        struct operation *operation = &history->operations[event->index];
        if (operation->outcome == HISTORY_REFUSED)
            continue;
        if (event->is_return)
            operation->ret = rank++;
        else
            operation->call = rank++;
    }
}

enum kan_err history_seal(struct history *history)
{
    kan_assert(!history->sealed);
    struct operation *sorted = mem_alloc((history->count + 1) * sizeof *sorted);
    if (!sorted)
        return KAN_NOMEM;
    rank_events(history);
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->event_count; i++) {
        const struct history_event *event = &history->events[i];
        const struct operation *one = &history->operations[event->index];
        if (!event->is_return && one->outcome != HISTORY_REFUSED)
            sorted[count++] = *one;
    }
    mem_free(history->operations);
    history->operations = sorted;
    history->capacity = history->count + 1;
    history->count = count;
    history->events = mem_free(history->events);
    history->event_count = 0;
    history->event_capacity = 0;
    history->sealed = true;
    return KAN_OK;
}

/* --- words ---------------------------------------------------------------- */

static void print_value(const struct history *history, const char *before,
                        uint32_t id, struct buffer *out)
{
    if (id == VALUE_NONE)
        return;
    buffer_append_text(out, before);
    value_print(&history->values, id, out);
}

void history_print(const struct history *history, uint32_t index,
                   struct buffer *out)
{
    const struct operation *one = &history->operations[index];
    buffer_append_text(out, history_function_name(one->function));
    print_value(history, " ", one->key, out);
    print_value(history, " ", one->expected, out);
    print_value(history, " ", one->argument, out);
    print_value(history, " -> ", one->result, out);
    if (one->outcome == HISTORY_MISMATCH)
        buffer_append_text(out, " -> mismatch");
    if (one->outcome == HISTORY_PENDING)
        buffer_append_text(out, " -> ?");
}
