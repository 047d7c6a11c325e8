/* A space and its walkers: made, freed, and asked for the first states. */

#include "check/space/space.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/record.h"
#include "check/space/inside.h"

enum
{
    LIMIT_MS = 1000,
    GROWTH_FIRST = 64
};

/* --- a model that is sound ------------------------------------------------ */

static const struct kan_model made_for_module = {
    .name = "module",
    .summary = "one actor of each type, and clients that send everything",
    .network = KAN_NETWORK_DURABLE,
};

static enum kan_err take_parameters(struct space *space, struct buffer *why)
{
    const struct kan_model *model = &space->model;

    if (model->parameter_count > KAN_PARAMETERS_MAX) {
        buffer_print(why, "model %s has more than %d parameters", model->name,
                     KAN_PARAMETERS_MAX);
        return KAN_INVALID;
    }
    for (uint32_t i = 0; i < model->parameter_count; i++) {
        const struct kan_model_parameter *parameter = &model->parameters[i];
        int64_t value = space->options.parameters ? space->options.parameters[i]
                                                  : parameter->preset;
        if (value < parameter->min || value > parameter->max) {
            buffer_print(why, "%s = %lld is outside %lld..%lld",
                         parameter->name, (long long)value,
                         (long long)parameter->min, (long long)parameter->max);
            return KAN_INVALID;
        }
        space->parameters[i] = value;
    }
    return KAN_OK;
}

/* What is missing in a property, or NULL. */
static const char *property_lacks(const struct kan_model_property *property)
{
    switch (property->kind) {
    case KAN_INVARIANT:
    case KAN_RECOVERABLE:
    case KAN_FINALLY:
        return property->holds ? NULL : "the function that says it";
    case KAN_LINEARIZABLE:
        if (!property->spec || !property->spec->state || !property->spec->step)
            return "a specification with a state and a step";
        return NULL;
    case KAN_CONVERGES:
        return NULL;
    }
    return "a kind";
}

static enum kan_err take_properties(struct space *space, struct buffer *why)
{
    const struct kan_model *model = &space->model;

    if (model->property_count > KAN_PROPERTIES_MAX) {
        buffer_print(why, "model %s has more than %d properties", model->name,
                     KAN_PROPERTIES_MAX);
        return KAN_INVALID;
    }
    for (uint32_t i = 0; i < model->property_count; i++) {
        const struct kan_model_property *property = &model->properties[i];
        const char *lacks = property_lacks(property);
        if (lacks) {
            buffer_print(why, "property %s lacks %s", property->name, lacks);
            return KAN_INVALID;
        }
        if (property->kind != KAN_LINEARIZABLE)
            continue;
        if (space->spec) {
            buffer_print(why,
                         "model %s has two properties about what clients saw: "
                         "make it one specification, or two models",
                         model->name);
            return KAN_INVALID;
        }
        space->spec = property->spec;
        if (record_check_table(space->spec->state, why) != KAN_OK)
            return KAN_INVALID;
    }
    return KAN_OK;
}

static enum kan_err check_model(struct space *space, struct buffer *why)
{
    const struct kan_model *model = &space->model;
    enum kan_err err;

    if (model->network > KAN_NETWORK_SHARED ||
        model->compat > KAN_COMPAT_SPEC) {
        buffer_print(why, "model %s has no such network or compat",
                     model->name);
        return KAN_INVALID;
    }
    if (model->compat == KAN_COMPAT_SPEC &&
        model->network != KAN_NETWORK_SHARED) {
        buffer_print(why, "model %s: KAN_COMPAT_SPEC needs KAN_NETWORK_SHARED",
                     model->name);
        return KAN_INVALID;
    }
    if (space->options.model && !model->setup) {
        buffer_print(why, "model %s has no setup", model->name);
        return KAN_INVALID;
    }
    err = take_parameters(space, why);
    return err ? err : take_properties(space, why);
}

/* --- a space -------------------------------------------------------------- */

static enum kan_err make_tables(struct space *space)
{
    struct kept **tables[] = {&space->locals,    &space->messages,
                              &space->arounds,   &space->histories,
                              &space->frontiers, &space->events};

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        enum kan_err err = kept_new(&space->budget, tables[i]);
        if (err != KAN_OK)
            return err;
    }
    return KAN_OK;
}

static void take_options(struct space *space,
                         const struct space_options *options)
{
    space->magic = SPACE_MAGIC;
    space->options = *options;
    if (!space->options.model && options->module)
        space->options.model = options->module->model;
    space->model =
        space->options.model ? *space->options.model : made_for_module;
    space->faults = options->faults ? *options->faults : space->model.faults;
    if (space->options.limit_ms == 0)
        space->options.limit_ms = LIMIT_MS;
    space->ordered = space->model.network == KAN_NETWORK_DURABLE ||
                     space->model.network == KAN_NETWORK_ORDERED;
    space->shared = space->model.network == KAN_NETWORK_SHARED;
    space->outside_goes = !space->options.model;
    space->budget.bytes_max = options->memory_max;
    atomic_flag_clear(&space->records_busy);
}

enum kan_err space_new(const struct space_options *options,
                       struct space **ret_space, struct buffer *why)
{
    struct space *space = mem_zalloc(sizeof(*space));
    enum kan_err err;

    if (!space)
        return KAN_NOMEM;
    take_options(space, options);
    err = check_model(space, why);
    if (err == KAN_OK)
        err = make_tables(space);
    if (err == KAN_OK)
        err = space_setup(space, why);
    if (err == KAN_OK)
        err = around_first(space, &space->first_around);
    if (err == KAN_OK)
        err = history_first(space, &space->first_history);
    if (err != KAN_OK) {
        space_free(space);
        return err;
    }
    *ret_space = space;
    return KAN_OK;
}

struct space *space_free(struct space *space)
{
    if (!space)
        return NULL;
    check_magic(space, SPACE_MAGIC);
    space->magic = 0;
    kept_free(space->locals);
    kept_free(space->messages);
    kept_free(space->arounds);
    kept_free(space->histories);
    kept_free(space->frontiers);
    kept_free(space->events);
    mem_free(space->requests);
    mem_free(space->groups);
    mem_free(space->lies);
    return mem_free(space);
}

const struct kan_model *space_model(const struct space *space)
{
    return &space->model;
}

uint32_t space_property_count(const struct space *space)
{
    return space->model.property_count;
}

const struct kan_model_property *space_property(const struct space *space,
                                                uint32_t number)
{
    return &space->model.properties[number];
}

uint32_t space_actor_count(const struct space *space)
{
    return space->actor_count;
}

const struct kan_ref *space_actor_ref(const struct space *space, uint32_t actor)
{
    return &space->actors[actor].ref;
}

const struct kan_actor_type *space_actor_type(const struct space *space,
                                              uint32_t actor)
{
    return space->actors[actor].type;
}

struct space_stats space_stats(const struct space *space)
{
    struct space_stats stats = {
        .locals = kept_count(space->locals),
        .messages = kept_count(space->messages),
        .calls = atomic_load(&space->calls),
        .bytes = atomic_load(&space->budget.bytes),
    };
    return stats;
}

/* --- a walker ------------------------------------------------------------- */

enum kan_err walker_fail(struct space_walker *walker, enum kan_err err,
                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(walker->why, sizeof(walker->why), format, args);
    va_end(args);
    return err;
}

enum kan_err walker_grow(struct space_walker *walker, void *array,
                         uint32_t item_size, uint32_t count, uint32_t more,
                         uint32_t *max)
{
    struct kept_budget *budget = &walker->space->budget;
    uint32_t size = *max ? *max : GROWTH_FIRST;
    void **items = array;
    void *grown;

    if (more <= *max && count <= *max - more)
        return KAN_OK;
    while (size - count < more || size < count) {
        if (size > UINT32_MAX / 4)
            return KAN_NOMEM;
        size *= 2;
    }
    if (kept_take(budget, (uint64_t)(size - *max) * item_size) != KAN_OK)
        return KAN_NOMEM;
    grown = mem_realloc(*items, (size_t)size * item_size);
    if (!grown) {
        kept_give(budget, (uint64_t)(size - *max) * item_size);
        return KAN_NOMEM;
    }
    *items = grown;
    *max = size;
    return KAN_OK;
}

enum kan_err space_walker_new(struct space *space,
                              struct space_walker **ret_walker)
{
    struct space_walker *walker = mem_zalloc(sizeof(*walker));
    enum kan_err err;

    check_magic(space, SPACE_MAGIC);
    if (!walker)
        return KAN_NOMEM;
    walker->magic = WALKER_MAGIC;
    walker->space = space;
    walker->around_memo.budget = &space->budget;
    walker->history_memo.budget = &space->budget;
    walker->frontier_memo.budget = &space->budget;
    err = turn_new(&walker->turn);
    if (err == KAN_OK)
        err = entries_init(walker);
    if (err != KAN_OK) {
        space_walker_free(walker);
        return err;
    }
    *ret_walker = walker;
    return KAN_OK;
}

static void *give_array(struct space_walker *walker, void *array,
                        uint32_t item_size, uint32_t max)
{
    kept_give(&walker->space->budget, (uint64_t)max * item_size);
    return mem_free(array);
}

#define GIVE_ARRAY(walker, array, max) \
    ((array) = give_array(walker, array, sizeof(*(array)), max))

struct space_walker *space_walker_free(struct space_walker *walker)
{
    if (!walker)
        return NULL;
    check_magic(walker, WALKER_MAGIC);
    walker->magic = 0;
    for (uint32_t i = 0; i < walker->why_count; i++)
        mem_free(walker->whys[i]);
    GIVE_ARRAY(walker, walker->infos, walker->info_size);
    GIVE_ARRAY(walker, walker->outcomes, walker->outcome_max);
    GIVE_ARRAY(walker, walker->sends, walker->send_max);
    GIVE_ARRAY(walker, walker->notes, walker->note_max);
    GIVE_ARRAY(walker, walker->rings, walker->ring_max);
    GIVE_ARRAY(walker, walker->whys, walker->why_max);
    entries_fini(walker);
    kept_memo_fini(&walker->around_memo);
    kept_memo_fini(&walker->history_memo);
    kept_memo_fini(&walker->frontier_memo);
    buffer_fini(&walker->scratch);
    buffer_fini(&walker->other);
    for (size_t i = 0;
         i < sizeof(walker->observed) / sizeof(walker->observed[0]); i++)
        buffer_fini(&walker->observed[i]);
    turn_free(walker->turn);
    return mem_free(walker);
}
