/* A world: steps remembered, places joined into one state, calls made. The
 * specifications themselves are in models.c. */

#include "path/history/spec.h"

#include "base/alloc.h"
#include "path/history/models.h"

/* Steps already computed: (state, kind of call) to the state behind it, or
 * VALUE_NONE for one that is not possible. */
struct spec_cache
{
    uint64_t *keys; /* plus one; 0 is a free place */
    uint32_t *states;
    uint32_t size; /* a power of two */
    uint32_t count;
};

enum
{
    CACHE_FIRST = 256,
    ARGUMENT_MAX = 1 << 30 /* of add; all of a history sum up in 64 bits */
};

static uint64_t cache_size(const struct spec_cache *cache)
{
    return (uint64_t)cache->size *
           (sizeof *cache->keys + sizeof *cache->states);
}

/* --- choosing ------------------------------------------------------------- */

const struct spec *spec_find(struct kan_slice name)
{
    for (size_t i = 0; spec_list[i]; i++) {
        if (slice_equal(name, kan_text(spec_list[i]->name)))
            return spec_list[i];
    }
    return NULL;
}

/* What a set returns is a list of values; a counter returns a number. */
static bool reads_lists(const struct history *history)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct operation *one = &history->operations[i];
        if (one->function != HISTORY_READ || one->result == VALUE_NONE)
            continue;
        enum value_kind kind = value_kind(&history->values, one->result);
        if (kind == VALUE_LIST || kind == VALUE_SET)
            return true;
    }
    return false;
}

const struct spec *spec_choose(const struct history *history)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < history->count; i++)
        used |= 1u << history->operations[i].function;
    bool lists = used & 1u << HISTORY_ADD && reads_lists(history);
    for (size_t i = 0; spec_list[i]; i++) {
        const struct spec *spec = spec_list[i];
        if (!(used & ~spec->functions) && !(lists && spec == &spec_counter))
            return spec;
    }
    return NULL;
}

/* --- life cycle ----------------------------------------------------------- */

static enum kan_err start_state(struct spec_world *world, uint32_t initial)
{
    enum kan_err err = KAN_OK;
    uint32_t state = 0;
    if (initial != VALUE_NONE)
        state = initial;
    else if (world->spec == &spec_counter)
        err = value_add_number(world->values, 0, &state);
    else if (world->spec == &spec_queue)
        err = value_add_ids(world->values, VALUE_LIST, NULL, 0, &state);
    else if (world->spec == &spec_set)
        err = value_add_ids(world->values, VALUE_SET, NULL, 0, &state);
    world->initial = state;
    if (err != KAN_OK || !world->places)
        return err;
    for (uint32_t i = 0; i < world->places; i++)
        buffer_append(&world->scratch, kan_slice(&state, sizeof state));
    if (buffer_failed(&world->scratch))
        return KAN_NOMEM;
    return value_add(world->values, VALUE_LIST, buffer_slice(&world->scratch),
                     &world->initial);
}

enum kan_err spec_world_init(struct spec_world *world, const struct spec *spec,
                             struct value_table *values, uint32_t places,
                             uint32_t initial)
{
    *world = (struct spec_world){.spec = spec,
                                 .values = values,
                                 .places = places,
                                 .cache_max = UINT64_MAX};
    enum kan_err err = value_table_init(&world->kinds);
    if (err == KAN_OK)
        err = value_add(values, VALUE_WORD, SLICE("true"), &world->yes);
    if (err == KAN_OK) {
        world->cache = mem_zalloc(sizeof *world->cache);
        err = world->cache ? start_state(world, initial) : KAN_NOMEM;
    }
    if (err != KAN_OK)
        spec_world_fini(world);
    return err;
}

void spec_world_fini(struct spec_world *world)
{
    if (world->cache) {
        mem_free(world->cache->keys);
        mem_free(world->cache->states);
    }
    mem_free(world->cache);
    value_table_fini(&world->kinds);
    buffer_fini(&world->scratch);
    *world = (struct spec_world){0};
}

uint64_t spec_world_size(const struct spec_world *world)
{
    return value_table_size(&world->kinds) + world->scratch.capacity +
           cache_size(world->cache);
}

/* --- calls ---------------------------------------------------------------- */

/* No log of keys and values tells an empty text from an absent key. */
static uint32_t blank_to_nil(const struct spec_world *world, uint32_t id)
{
    bool blank = id != VALUE_NONE &&
                 value_kind(world->values, id) == VALUE_TEXT &&
                 value_bytes(world->values, id).size == 0;
    return blank ? VALUE_IS_NIL : id;
}

static enum kan_err adapt_kv(const struct spec_world *world,
                             struct spec_call *call)
{
    call->result = blank_to_nil(world, call->result);
    if (call->function == HISTORY_WRITE || call->function == HISTORY_CAS)
        call->argument = blank_to_nil(world, call->argument);
    if (call->function == HISTORY_CAS)
        call->expected = blank_to_nil(world, call->expected);
    return KAN_OK;
}

static enum kan_err adapt_counter(const struct spec_world *world,
                                  struct spec_call *call)
{
    int64_t number;
    if (call->function != HISTORY_ADD)
        return KAN_OK;
    enum kan_err err = value_number(world->values, call->argument, &number);
    if (err != KAN_OK || number > ARGUMENT_MAX || number < -ARGUMENT_MAX)
        return KAN_INVALID;
    return KAN_OK;
}

/* A set is read as a list, in no order. */
static enum kan_err adapt_set(struct spec_world *world, struct spec_call *call)
{
    if (call->function != HISTORY_READ || call->result == VALUE_NONE ||
        value_kind(world->values, call->result) == VALUE_SET)
        return KAN_OK;
    if (value_kind(world->values, call->result) != VALUE_LIST &&
        call->result != VALUE_IS_NIL)
        return KAN_INVALID;
    uint32_t count = value_count(world->values, call->result);
    buffer_clear(&world->scratch);
    enum kan_err err =
        buffer_reserve(&world->scratch, (count + 1) * sizeof(uint32_t));
    if (err != KAN_OK)
        return err;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = value_element(world->values, call->result, i);
        buffer_append(&world->scratch, kan_slice(&id, sizeof id));
    }
    void *ids = world->scratch.bytes;
    return value_add_ids(world->values, VALUE_SET, ids, count, &call->result);
}

/* Bring values into the form in which the specification compares them. */
static enum kan_err adapt(struct spec_world *world, struct spec_call *call)
{
    if (world->spec == &spec_kv)
        return adapt_kv(world, call);
    if (world->spec == &spec_counter)
        return adapt_counter(world, call);
    if (world->spec == &spec_set)
        return adapt_set(world, call);
    return KAN_OK;
}

static bool is_pure(const struct spec_call *call)
{
    switch (call->function) {
    case HISTORY_READ:
    case HISTORY_CONTAINS:
        return true;
    case HISTORY_CAS:
        return call->outcome == HISTORY_MISMATCH ||
               (call->outcome == HISTORY_DONE &&
                call->expected == call->argument);
    case HISTORY_DEQUEUE:
        return call->outcome == HISTORY_DONE && call->result == VALUE_IS_NIL;
    default:
        return false;
    }
}

enum kan_err spec_call_make(struct spec_world *world,
                            const struct operation *operation, uint32_t place,
                            struct spec_call *ret_call)
{
    if (!(world->spec->functions & 1u << operation->function))
        return KAN_INVALID;
    struct spec_call call = {
        .function = operation->function,
        .outcome = operation->outcome,
        .process = world->spec->owned ? operation->process : 0,
        .argument = operation->argument,
        .expected = operation->expected,
        .result = operation->result,
        .place = place,
    };
    enum kan_err err = adapt(world, &call);
    if (err != KAN_OK)
        return err;
    call.pure = is_pure(&call);
    /* A write that was answered and one that was not do the same. */
    bool same = call.function != HISTORY_CAS && call.result == VALUE_NONE;
    uint32_t key[] = {call.function, same ? 0 : call.outcome, call.process,
                      call.argument, call.expected,           call.result,
                      call.place};
    err = value_add_ids(&world->kinds, VALUE_LIST, key,
                        sizeof key / sizeof key[0], &call.kind);
    if (err == KAN_OK)
        *ret_call = call;
    return err;
}

/* --- steps ---------------------------------------------------------------- */

static uint32_t place_of(const struct spec_cache *cache, uint64_t key)
{
    uint64_t hash = key * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)(hash >> 32) & (cache->size - 1);
    while (cache->keys[at] && cache->keys[at] != key)
        at = (at + 1) & (cache->size - 1);
    return at;
}

static enum kan_err grow(struct spec_cache *cache, uint64_t bytes_max)
{
    struct spec_cache wider = {
        .size = cache->size ? cache->size * 2 : CACHE_FIRST,
        .count = cache->count};
    if (cache_size(&wider) > bytes_max)
        return KAN_BUSY;
    wider.keys = mem_zalloc(wider.size * sizeof *wider.keys);
    wider.states = mem_alloc(wider.size * sizeof *wider.states);
    if (!wider.keys || !wider.states) {
        mem_free(wider.keys);
        mem_free(wider.states);
        return KAN_NOMEM;
    }
    for (uint32_t i = 0; i < cache->size; i++) {
        if (!cache->keys[i])
            continue;
        uint32_t at = place_of(&wider, cache->keys[i]);
        wider.keys[at] = cache->keys[i];
        wider.states[at] = cache->states[i];
    }
    mem_free(cache->keys);
    mem_free(cache->states);
    *cache = wider;
    return KAN_OK;
}

/* One object among several: its part of the state is taken out and put back. */
static enum kan_err step_place(struct spec_world *world, uint32_t state,
                               const struct spec_call *call,
                               uint32_t *ret_state)
{
    uint32_t part = value_element(world->values, state, call->place);
    uint32_t next;
    enum kan_err err = world->spec->step(world, part, call, &next);
    if (err != KAN_OK)
        return err;
    if (next == part) {
        *ret_state = state;
        return KAN_OK;
    }
    buffer_clear(&world->scratch);
    err = buffer_reserve(&world->scratch, world->places * sizeof next);
    if (err != KAN_OK)
        return err;
    buffer_append(&world->scratch, value_bytes(world->values, state));
    memcpy(world->scratch.bytes + call->place * sizeof next, &next,
           sizeof next);
    return value_add(world->values, VALUE_LIST, buffer_slice(&world->scratch),
                     ret_state);
}

static enum kan_err step_remembered(struct spec_world *world, uint32_t state,
                                    const struct spec_call *call,
                                    uint32_t *ret_state)
{
    struct spec_cache *cache = world->cache;
    if (cache->count >= cache->size / 2) {
        enum kan_err grown = grow(cache, world->cache_max);
        if (grown != KAN_OK)
            return grown;
    }
    uint64_t key = ((uint64_t)state << 32 | call->kind) + 1;
    uint32_t at = place_of(cache, key);
    if (!cache->keys[at]) {
        uint32_t next = VALUE_NONE;
        enum kan_err err = world->places
                               ? step_place(world, state, call, &next)
                               : world->spec->step(world, state, call, &next);
        if (err != KAN_OK && err != KAN_CONFLICT)
            return err;
        cache->keys[at] = key;
        cache->states[at] = next;
        cache->count++;
    }
    if (cache->states[at] == VALUE_NONE)
        return KAN_CONFLICT;
    *ret_state = cache->states[at];
    return KAN_OK;
}

enum kan_err spec_step(struct spec_world *world, uint32_t state,
                       const struct spec_call *call, uint32_t *ret_state)
{
    if (world->spec->cheap && !world->places)
        return world->spec->step(world, state, call, ret_state);
    return step_remembered(world, state, call, ret_state);
}

bool spec_leads(const struct spec_world *world, uint32_t state,
                const struct spec_call *call)
{
    if (world->places)
        state = value_element(world->values, state, call->place);
    return world->spec->leads(world, state, call);
}
