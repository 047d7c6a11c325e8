/* Limits of a walk, what it counts, and how a state is judged. */

#include "check/walk/search.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"

/* --- limits --------------------------------------------------------------- */

static void judge_init(struct judge *judge, const struct space *space)
{
    uint32_t count = space_property_count(space);

    kan_assert(count <= KAN_PROPERTIES_MAX);
    judge->linearizable = WALK_NONE;
    judge->converges = WALK_NONE;
    for (uint32_t i = 0; i < count; i++) {
        switch (space_property(space, i)->kind) {
        case KAN_INVARIANT:
            judge->always[judge->always_count++] = i;
            break;
        case KAN_FINALLY:
            judge->finally[judge->finally_count++] = i;
            break;
        case KAN_RECOVERABLE:
            judge->recoverable[judge->recoverable_count++] = i;
            break;
        case KAN_LINEARIZABLE:
            if (judge->linearizable == WALK_NONE)
                judge->linearizable = (int32_t)i;
            break;
        case KAN_CONVERGES:
            if (judge->converges == WALK_NONE)
                judge->converges = (int32_t)i;
            break;
        }
    }
}

void search_init(struct search *search, const struct walk_options *options)
{
    memset(search, 0, sizeof *search);
    search->options = options;
    search->space = options->space;
    search->phase = "walking";
    judge_init(&search->judge, options->space);
    if (options->clock)
        search->started = options->clock(options->data);
    search->told = search->started;
}

double search_seconds(const struct search *search)
{
    const struct walk_options *options = search->options;

    return options->clock ? options->clock(options->data) - search->started : 0;
}

static uint64_t search_bytes(const struct search *search)
{
    return atomic_load_explicit(&search->used, memory_order_relaxed) +
           (search->visited
                ? visited_bytes(search->visited)
                : atomic_load_explicit(&search->table, memory_order_relaxed));
}

void search_peak(struct search *search)
{
    uint64_t bytes = search_bytes(search);

    if (bytes > search->peak)
        search->peak = bytes;
}

uint64_t search_visited_max(const struct search *search)
{
    uint64_t max = search->options->memory_max;
    uint64_t used = atomic_load_explicit(&search->used, memory_order_relaxed);

    if (max == 0)
        return UINT64_MAX;
    return max > used ? max - used : 0;
}

void search_watch(struct search *search, struct visited *visited, bool shared)
{
    search->visited = shared ? NULL : visited;
    search->table = shared ? visited_bytes(visited) : 0;
}

void search_share(struct search *search, struct visited *visited)
{
    visited->memory_max = search_visited_max(search);
    search->table = visited_bytes(visited);
}

static bool search_tell(struct search *search)
{
    const struct walk_options *options = search->options;
    uint64_t states = search->states;
    struct walk_progress progress = {.states = states,
                                     .generated = search->generated,
                                     .depth = search->depth,
                                     .seconds = search->told - search->started,
                                     .omission = visited_omission(states),
                                     .phase = search->phase};

    return options->progress(options->data, &progress);
}

enum kan_err search_tick(struct search *search)
{
    const struct walk_options *options = search->options;

    search_peak(search);
    if (!options->clock)
        return KAN_OK;
    double now = options->clock(options->data);
    if (options->seconds_max > 0 &&
        now - search->started > options->seconds_max)
        return search_halt(search,
                           "the time of %g seconds is used up; give more, or "
                           "make the model smaller",
                           options->seconds_max);
    if (options->progress && now - search->told >= 0.1) {
        search->told = now;
        if (!search_tell(search))
            return search_halt(search, "it was stopped");
    }
    return KAN_OK;
}

bool search_take(struct search *search, uint64_t bytes)
{
    uint64_t max = search->options->memory_max;

    atomic_fetch_add_explicit(&search->used, bytes, memory_order_relaxed);
    if (max == 0)
        return true;
    if (search_bytes(search) > max) {
        search_give(search, bytes);
        return false;
    }
    if (search->visited)
        search->visited->memory_max = search_visited_max(search);
    return true;
}

void search_give(struct search *search, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&search->used, bytes, memory_order_relaxed);
}

enum kan_err search_halt(struct search *search, const char *why, ...)
{
    va_list args;

    if (!atomic_exchange(&search->halting, true)) {
        va_start(args, why);
        (void)vsnprintf(search->why, sizeof search->why, why, args);
        va_end(args);
        atomic_store(&search->halted, true);
    }
    return KAN_CANCELED;
}

enum kan_err search_halt_memory(struct search *search)
{
    uint64_t max = search->options->memory_max;

    if (max == 0)
        return search_halt(search,
                           "no more memory can be had; make the model or the "
                           "budget of faults smaller");
    return search_halt(search,
                       "the memory of %llu MiB is used up; give more, or make "
                       "the model or the budget of faults smaller",
                       (unsigned long long)(max >> 20));
}

enum kan_err search_halt_space(struct search *search,
                               struct space_walker *walker, enum kan_err err)
{
    const char *why = space_why(walker, NULL);

    return search_halt(search, "%s", why && *why ? why : kan_err_text(err));
}

/* --- counting ------------------------------------------------------------- */

void tally_add(struct tally *tally, const struct tally *other)
{
    tally->states += other->states;
    tally->generated += other->generated;
    tally->terminal += other->terminal;
    tally->terminal_sum = path_id_add(tally->terminal_sum, other->terminal_sum);
    if (other->depth > tally->depth)
        tally->depth = other->depth;
}

void tally_terminal(struct tally *tally, const struct space_state *state)
{
    tally->terminal++;
    tally->terminal_sum = path_id_add(tally->terminal_sum, state->hash);
}

void search_count(struct search *search, uint64_t states, uint64_t generated,
                  uint32_t depth)
{
    atomic_fetch_add_explicit(&search->states, states, memory_order_relaxed);
    atomic_fetch_add_explicit(&search->generated, generated,
                              memory_order_relaxed);
    if (depth > atomic_load_explicit(&search->depth, memory_order_relaxed))
        atomic_store_explicit(&search->depth, depth, memory_order_relaxed);
}

/* --- judging -------------------------------------------------------------- */

bool path_id_less(struct path_id a, struct path_id b)
{
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

/* Whether a is to be told rather than b. */
static bool finding_better(const struct finding *a, const struct finding *b)
{
    if (a->property == WALK_NONE || b->property == WALK_NONE)
        return a->property != WALK_NONE;
    if (a->length != b->length)
        return a->length < b->length;
    if (a->property != b->property)
        return a->property < b->property;
    return path_id_less(a->hash, b->hash);
}

void finding_merge(struct finding *best, const struct finding *other)
{
    if (finding_better(other, best))
        *best = *other;
}

/* The first property of those numbers that does not hold. */
static int32_t judge_state(const uint32_t *numbers, uint32_t count,
                           struct space_walker *walker,
                           const struct space_state *state)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!space_holds(walker, numbers[i], state))
            return (int32_t)numbers[i];
    }
    return WALK_NONE;
}

/* The first step that must not be: its place, or UINT32_MAX. */
static uint32_t judge_steps(const struct space_step *steps, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].flags & (SPACE_BROKEN | SPACE_UNORDERABLE))
            return i;
    }
    return UINT32_MAX;
}

bool search_judge(const struct search *search, struct space_walker *walker,
                  const struct space_state *state,
                  const struct space_step *steps, uint32_t count,
                  uint32_t depth, uint32_t number, struct finding *best)
{
    const struct judge *judge = &search->judge;
    struct finding found = {.property = WALK_NONE,
                            .length = depth,
                            .hash = state->hash,
                            .state = number,
                            .step = UINT32_MAX};

    if (judge->always_count)
        found.property =
            judge_state(judge->always, judge->always_count, walker, state);
    if (found.property == WALK_NONE && count == 0)
        found.property =
            judge_state(judge->finally, judge->finally_count, walker, state);
    if (found.property == WALK_NONE) {
        uint32_t at = judge_steps(steps, count);
        if (at == UINT32_MAX)
            return false;
        bool broken = steps[at].flags & SPACE_BROKEN;
        found.property = broken ? WALK_BROKEN : judge->linearizable;
        found.length = depth + 1;
        found.step = at;
        if (broken)
            (void)snprintf(found.why, sizeof found.why, "%s",
                           space_why(walker, &steps[at]));
    }
    if (!finding_better(&found, best))
        return false;
    *best = found;
    return true;
}

enum kan_err search_first_failed(struct search *search,
                                 struct space_walker *walker, enum kan_err err,
                                 uint32_t number, struct finding *best)
{
    if (err != KAN_CONFLICT)
        return search_halt_space(search, walker, err);
    *best = (struct finding){.property = WALK_BROKEN,
                             .state = number,
                             .step = UINT32_MAX,
                             .first = true};
    (void)snprintf(best->why, sizeof best->why, "%s", space_why(walker, NULL));
    return KAN_CANCELED;
}

/* --- columns -------------------------------------------------------------- */

enum
{
    COLUMN_MIN = 1024
};

void column_init(struct column *column, struct search *search, size_t width)
{
    *column = (struct column){.search = search, .width = width};
}

void column_fini(struct column *column)
{
    if (column->search)
        search_give(column->search, column->capacity * column->width);
    mem_free(column->data);
    *column = (struct column){0};
}

/* By half as much again: the heap moves large blocks by their pages, so what
 * has been used is not taken twice. */
enum kan_err column_reserve(struct column *column, uint64_t count)
{
    uint64_t capacity = column->capacity + column->capacity / 2;

    if (count <= column->capacity)
        return KAN_OK;
    if (capacity < count)
        capacity = count;
    if (capacity < COLUMN_MIN)
        capacity = COLUMN_MIN;
    uint64_t more = (capacity - column->capacity) * column->width;
    if (!search_take(column->search, more))
        return search_halt_memory(column->search);
    void *data = mem_realloc(column->data, capacity * column->width);
    if (!data) {
        search_give(column->search, more);
        return search_halt_memory(column->search);
    }
    column->data = data;
    column->capacity = capacity;
    return KAN_OK;
}

enum kan_err column_resize(struct column *column, uint64_t count)
{
    enum kan_err err = column_reserve(column, count);

    if (err != KAN_OK)
        return err;
    if (count > column->count)
        memset((char *)column->data + column->count * column->width, 0,
               (count - column->count) * column->width);
    column->count = count;
    return KAN_OK;
}
