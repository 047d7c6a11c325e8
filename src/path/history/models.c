/* What each object answers. A state is a value, but for locks: there it is 0
 * when free, else one more than the process that holds it. */

#include "path/history/models.h"

#define KNOWS(name) (1u << HISTORY_##name)

static enum kan_err possible(bool condition, uint32_t state,
                             uint32_t *ret_state)
{
    if (!condition)
        return KAN_CONFLICT;
    *ret_state = state;
    return KAN_OK;
}

/* A new list in scratch: the elements of state from skip on, then one more
 * unless it is VALUE_NONE. */
static enum kan_err list_build(struct spec_world *world, uint32_t state,
                               uint32_t skip, uint32_t more,
                               uint32_t *ret_state)
{
    struct kan_slice old = value_bytes(world->values, state);
    buffer_clear(&world->scratch);
    buffer_append(&world->scratch, slice_skip(old, skip * sizeof more));
    if (more != VALUE_NONE)
        buffer_append(&world->scratch, kan_slice(&more, sizeof more));
    if (buffer_failed(&world->scratch))
        return KAN_NOMEM;
    return value_add(world->values, VALUE_LIST, buffer_slice(&world->scratch),
                     ret_state);
}

/* --- registers ------------------------------------------------------------ */

/* Text goes behind text; any other value becomes one more element of a list.
 * The empty text changes nothing. */
static enum kan_err append(struct spec_world *world, uint32_t state,
                           uint32_t argument, uint32_t *ret_state)
{
    enum value_kind kind = value_kind(world->values, state);
    bool text = value_kind(world->values, argument) == VALUE_TEXT;
    if (text && value_bytes(world->values, argument).size == 0)
        return possible(true, state, ret_state);
    if (kind == VALUE_LIST || (kind == VALUE_NIL && !text))
        return list_build(world, state, 0, argument, ret_state);
    if (!text || (kind != VALUE_TEXT && kind != VALUE_NIL))
        return KAN_CONFLICT;
    buffer_clear(&world->scratch);
    buffer_append(&world->scratch, value_bytes(world->values, state));
    buffer_append(&world->scratch, value_bytes(world->values, argument));
    if (buffer_failed(&world->scratch))
        return KAN_NOMEM;
    return value_add(world->values, VALUE_TEXT, buffer_slice(&world->scratch),
                     ret_state);
}

static enum kan_err compare_and_set(uint32_t state,
                                    const struct spec_call *call,
                                    uint32_t *ret_state)
{
    bool equal = state == call->expected;
    if (call->outcome == HISTORY_DONE)
        return possible(equal, call->argument, ret_state);
    if (call->outcome == HISTORY_MISMATCH)
        return possible(!equal, state, ret_state);
    return possible(true, equal ? call->argument : state, ret_state);
}

static enum kan_err step_register(struct spec_world *world, uint32_t state,
                                  const struct spec_call *call,
                                  uint32_t *ret_state)
{
    switch (call->function) {
    case HISTORY_READ:
        return possible(state == call->result, state, ret_state);
    case HISTORY_WRITE:
        return possible(true, call->argument, ret_state);
    case HISTORY_DELETE:
        return possible(true, VALUE_IS_NIL, ret_state);
    case HISTORY_CAS:
        return compare_and_set(state, call, ret_state);
    default:
        return append(world, state, call->argument, ret_state);
    }
}

static uint32_t register_leaves(const struct spec_world *world,
                                const struct spec_call *call)
{
    (void)world;
    if (call->function == HISTORY_APPEND)
        return SPEC_GROWN;
    return call->function == HISTORY_DELETE ? VALUE_IS_NIL : call->argument;
}

/* What the register has to hold where the call is possible. */
static uint32_t wanted(const struct spec_call *call)
{
    return call->function == HISTORY_CAS ? call->expected : call->result;
}

static bool register_leads(const struct spec_world *world, uint32_t state,
                           const struct spec_call *call)
{
    (void)world;
    return state == wanted(call);
}

const struct spec spec_register = {
    .name = "register",
    .summary = "read and write",
    .functions = KNOWS(READ) | KNOWS(WRITE),
    .cheap = true,
    .step = step_register,
    .leaves = register_leaves,
    .leads = register_leads,
};

const struct spec spec_cas_register = {
    .name = "cas-register",
    .summary = "read, write, and cas (compare and set)",
    .functions = KNOWS(READ) | KNOWS(WRITE) | KNOWS(CAS),
    .cheap = true,
    .step = step_register,
    .leaves = register_leaves,
    .leads = register_leads,
};

/* What is there stays at the beginning; ids of a list are bytes as well. */
static bool kv_leads(const struct spec_world *world, uint32_t state,
                     const struct spec_call *call)
{
    if (state == VALUE_IS_NIL)
        return true;
    return value_kind(world->values, state) ==
               value_kind(world->values, wanted(call)) &&
           slice_starts(value_bytes(world->values, wanted(call)),
                        value_bytes(world->values, state));
}

const struct spec spec_kv = {
    .name = "kv",
    .summary = "get, put, append, delete and cas, each on its key",
    .functions =
        KNOWS(READ) | KNOWS(WRITE) | KNOWS(CAS) | KNOWS(APPEND) | KNOWS(DELETE),
    .step = step_register,
    .leaves = register_leaves,
    .leads = kv_leads,
};

/* --- counter, set --------------------------------------------------------- */

static enum kan_err step_counter(struct spec_world *world, uint32_t state,
                                 const struct spec_call *call,
                                 uint32_t *ret_state)
{
    if (call->function == HISTORY_READ)
        return possible(state == call->result, state, ret_state);
    int64_t now;
    int64_t more;
    enum kan_err err = value_number(world->values, state, &now);
    if (err == KAN_OK)
        err = value_number(world->values, call->argument, &more);
    if (err != KAN_OK)
        return KAN_CONFLICT;
    return value_add_number(world->values, now + more, ret_state);
}

static uint32_t counter_leaves(const struct spec_world *world,
                               const struct spec_call *call)
{
    int64_t more;
    bool grows = value_number(world->values, call->argument, &more) == KAN_OK &&
                 more >= 0;
    return grows ? SPEC_GROWN : SPEC_ANY;
}

static bool counter_leads(const struct spec_world *world, uint32_t state,
                          const struct spec_call *call)
{
    int64_t now;
    int64_t then;
    return value_number(world->values, state, &now) == KAN_OK &&
           value_number(world->values, call->result, &then) == KAN_OK &&
           now <= then;
}

const struct spec spec_counter = {
    .name = "counter",
    .summary = "add (a whole number) and read",
    .functions = KNOWS(ADD) | KNOWS(READ),
    .step = step_counter,
    .leaves = counter_leaves,
    .leads = counter_leads,
};

/* The state without the element, and with it again when it is to be in. */
static enum kan_err set_change(struct spec_world *world, uint32_t state,
                               uint32_t element, bool in, uint32_t *ret_state)
{
    uint32_t count = value_count(world->values, state);
    buffer_clear(&world->scratch);
    enum kan_err err =
        buffer_reserve(&world->scratch, (count + 1) * sizeof element);
    if (err != KAN_OK)
        return err;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t one = value_element(world->values, state, i);
        if (one == element)
            continue;
        buffer_append(&world->scratch, kan_slice(&one, sizeof one));
        kept++;
    }
    if (in) {
        buffer_append(&world->scratch, kan_slice(&element, sizeof element));
        kept++;
    }
    void *ids = world->scratch.bytes;
    return value_add_ids(world->values, VALUE_SET, ids, kept, ret_state);
}

static bool set_has(const struct spec_world *world, uint32_t state,
                    uint32_t element)
{
    uint32_t count = value_count(world->values, state);
    for (uint32_t i = 0; i < count; i++) {
        if (value_element(world->values, state, i) == element)
            return true;
    }
    return false;
}

static enum kan_err step_set(struct spec_world *world, uint32_t state,
                             const struct spec_call *call, uint32_t *ret_state)
{
    switch (call->function) {
    case HISTORY_READ:
        return possible(state == call->result, state, ret_state);
    case HISTORY_CONTAINS:
        return possible(set_has(world, state, call->argument) ==
                            (call->result == world->yes),
                        state, ret_state);
    default:
        return set_change(world, state, call->argument,
                          call->function == HISTORY_ADD, ret_state);
    }
}

static uint32_t set_leaves(const struct spec_world *world,
                           const struct spec_call *call)
{
    (void)world;
    return call->function == HISTORY_ADD ? SPEC_GROWN : SPEC_ANY;
}

/* Both are ascending: one walk tells whether one holds the other. */
static bool set_within(const struct value_table *values, uint32_t inner,
                       uint32_t outer)
{
    uint32_t inner_count = value_count(values, inner);
    uint32_t outer_count = value_count(values, outer);
    uint32_t at = 0;
    for (uint32_t i = 0; i < inner_count; i++) {
        uint32_t element = value_element(values, inner, i);
        while (at < outer_count && value_element(values, outer, at) < element)
            at++;
        if (at == outer_count || value_element(values, outer, at) != element)
            return false;
    }
    return true;
}

static bool set_leads(const struct spec_world *world, uint32_t state,
                      const struct spec_call *call)
{
    if (call->function == HISTORY_READ)
        return set_within(world->values, state, call->result);
    return call->result == world->yes || !set_has(world, state, call->argument);
}

const struct spec spec_set = {
    .name = "set",
    .summary = "add, remove, contains, and read (of all elements)",
    .functions = KNOWS(ADD) | KNOWS(REMOVE) | KNOWS(CONTAINS) | KNOWS(READ),
    .step = step_set,
    .leaves = set_leaves,
    .leads = set_leads,
};

/* --- locks ---------------------------------------------------------------- */

static enum kan_err step_mutex(struct spec_world *world, uint32_t state,
                               const struct spec_call *call,
                               uint32_t *ret_state)
{
    uint32_t holder = world->spec->owned ? call->process + 1 : 1;
    if (call->function == HISTORY_ACQUIRE)
        return possible(state == 0, holder, ret_state);
    return possible(state == holder, 0, ret_state);
}

const struct spec spec_mutex = {
    .name = "mutex",
    .summary = "acquire and release, by whomever",
    .functions = KNOWS(ACQUIRE) | KNOWS(RELEASE),
    .cheap = true,
    .step = step_mutex,
};

const struct spec spec_lock = {
    .name = "lock",
    .summary = "acquire, and release by its holder alone",
    .functions = KNOWS(ACQUIRE) | KNOWS(RELEASE),
    .owned = true,
    .cheap = true,
    .step = step_mutex,
};

/* --- queue ---------------------------------------------------------------- */

static enum kan_err step_queue(struct spec_world *world, uint32_t state,
                               const struct spec_call *call,
                               uint32_t *ret_state)
{
    if (call->function == HISTORY_ENQUEUE)
        return list_build(world, state, 0, call->argument, ret_state);
    bool known = call->outcome == HISTORY_DONE;
    if (value_count(world->values, state) == 0)
        return possible(!known || call->result == VALUE_IS_NIL, state,
                        ret_state);
    if (known && value_element(world->values, state, 0) != call->result)
        return KAN_CONFLICT;
    return list_build(world, state, 1, VALUE_NONE, ret_state);
}

const struct spec spec_queue = {
    .name = "queue",
    .summary = "enqueue and dequeue, first in, first out; nil: it is empty",
    .functions = KNOWS(ENQUEUE) | KNOWS(DEQUEUE),
    .step = step_queue,
};

const struct spec *const spec_list[] = {
    &spec_register, &spec_cas_register, &spec_kv,    &spec_counter, &spec_set,
    &spec_mutex,    &spec_lock,         &spec_queue, NULL,
};
