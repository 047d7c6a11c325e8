/* Depth first over all orders; no memo, nothing clever. A state is a list of
 * value ids (text is the list of its letters), told apart from nil. */

#include "path/history/brute.h"

#include <string.h>

enum
{
    LIST_MAX = 32,
    KEY_MAX = 4
};

struct thing
{
    bool nil; /* of a register: no value */
    bool text;
    uint32_t count;
    uint32_t items[LIST_MAX];
};

struct brute
{
    const struct history *history;
    enum brute_model model;
    const bool *kept;
    bool used[BRUTE_MAX];
    struct thing things[KEY_MAX];
    uint32_t keys[KEY_MAX];
    uint32_t key_count;
};

/* --- values --------------------------------------------------------------- */

static struct thing thing_of(const struct history *history, uint32_t id)
{
    struct thing thing = {0};
    const struct value_table *values = &history->values;
    enum value_kind kind = value_kind(values, id);
    if (kind == VALUE_TEXT) {
        struct kan_slice text = value_bytes(values, id);
        thing.text = true;
        thing.nil = text.size == 0;
        for (uint32_t i = 0; i < text.size; i++)
            thing.items[thing.count++] = slice_at(text, i);
    } else if (kind == VALUE_LIST || kind == VALUE_SET) {
        for (uint32_t i = 0; i < value_count(values, id); i++)
            thing.items[thing.count++] = value_element(values, id, i);
    } else if (kind == VALUE_NIL) {
        thing.nil = true;
    } else {
        thing.items[thing.count++] = id;
    }
    return thing;
}

static bool same(const struct thing *a, const struct thing *b)
{
    return (a->nil && b->nil) ||
           (a->nil == b->nil && a->count == b->count &&
            memcmp(a->items, b->items, a->count * sizeof *a->items) == 0);
}

static bool same_set(const struct thing *a, const struct thing *b)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t j = 0; j < b->count; j++)
            found += a->items[i] == b->items[j];
    }
    return found == a->count && found == b->count;
}

static int64_t number_of(const struct history *history, uint32_t id)
{
    int64_t number = 0;
    if (value_number(&history->values, id, &number) != KAN_OK)
        return INT64_MIN;
    return number;
}

/* --- models --------------------------------------------------------------- */

/* Each applies one operation; false: not possible. */

static bool apply_register(const struct history *history, struct thing *thing,
                           const struct operation *one)
{
    struct thing other;
    switch (one->function) {
    case HISTORY_READ:
        other = thing_of(history, one->result);
        return same(thing, &other);
    case HISTORY_WRITE:
        *thing = thing_of(history, one->argument);
        return true;
    case HISTORY_DELETE:
        *thing = (struct thing){.nil = true};
        return true;
    case HISTORY_APPEND:
        other = thing_of(history, one->argument);
        thing->nil = false;
        memcpy(thing->items + thing->count, other.items,
               other.count * sizeof *other.items);
        thing->count += other.count;
        return true;
    default:
        break;
    }
    other = thing_of(history, one->expected);
    bool equal = same(thing, &other);
    if (one->outcome != HISTORY_PENDING &&
        equal != (one->outcome == HISTORY_DONE))
        return false;
    if (equal)
        *thing = thing_of(history, one->argument);
    return true;
}

/* The number stands in two items. */
static bool apply_counter(const struct history *history, struct thing *thing,
                          const struct operation *one)
{
    int64_t number;
    memcpy(&number, thing->items, sizeof number);
    if (one->function == HISTORY_READ)
        return number == number_of(history, one->result);
    number += number_of(history, one->argument);
    memcpy(thing->items, &number, sizeof number);
    return true;
}

static bool apply_set(const struct history *history, struct thing *thing,
                      const struct operation *one)
{
    struct thing other;
    if (one->function == HISTORY_READ) {
        other = thing_of(history, one->result);
        return same_set(thing, &other);
    }
    uint32_t at = 0;
    while (at < thing->count && thing->items[at] != one->argument)
        at++;
    bool in = at < thing->count;
    if (one->function == HISTORY_CONTAINS)
        return in == slice_equal(value_bytes(&history->values, one->result),
                                 SLICE("true"));
    if (one->function == HISTORY_ADD && !in)
        thing->items[thing->count++] = one->argument;
    if (one->function == HISTORY_REMOVE && in)
        thing->items[at] = thing->items[--thing->count];
    return true;
}

static bool apply_mutex(struct thing *thing, const struct operation *one,
                        bool owned)
{
    uint32_t holder = owned ? one->process : 0;
    if (one->function == HISTORY_ACQUIRE) {
        if (thing->count)
            return false;
        thing->items[thing->count++] = holder;
        return true;
    }
    if (!thing->count || thing->items[0] != holder)
        return false;
    thing->count = 0;
    return true;
}

static bool apply_queue(struct thing *thing, const struct operation *one)
{
    bool asked = one->outcome != HISTORY_PENDING;
    if (one->function == HISTORY_ENQUEUE) {
        thing->items[thing->count++] = one->argument;
        return true;
    }
    if (!thing->count)
        return !asked || one->result == VALUE_IS_NIL;
    if (asked && thing->items[0] != one->result)
        return false;
    thing->count--;
    memmove(thing->items, thing->items + 1,
            thing->count * sizeof *thing->items);
    return true;
}

static bool apply(struct brute *brute, const struct operation *one)
{
    uint32_t at = 0;
    while (at < brute->key_count && brute->keys[at] != one->key)
        at++;
    struct thing *thing = &brute->things[at];
    switch (brute->model) {
    case BRUTE_REGISTER:
        return apply_register(brute->history, thing, one);
    case BRUTE_COUNTER:
        return apply_counter(brute->history, thing, one);
    case BRUTE_SET:
        return apply_set(brute->history, thing, one);
    case BRUTE_MUTEX:
        return apply_mutex(thing, one, false);
    case BRUTE_LOCK:
        return apply_mutex(thing, one, true);
    default:
        return apply_queue(thing, one);
    }
}

/* --- orders --------------------------------------------------------------- */

static bool must(const struct brute *brute, uint32_t index)
{
    return brute->history->operations[index].outcome != HISTORY_PENDING &&
           (!brute->kept || brute->kept[index]);
}

/* What only looks plays no part unless it must. */
static bool idle(const struct brute *brute, uint32_t index)
{
    enum history_function function = brute->history->operations[index].function;
    return !must(brute, index) &&
           (function == HISTORY_READ || function == HISTORY_CONTAINS);
}

/* Whether it may follow all that are used: none of them was called after it
 * returned. */
static bool may_follow(const struct brute *brute, uint32_t index)
{
    const struct operation *operations = brute->history->operations;
    if (operations[index].ret == HISTORY_NEVER)
        return true;
    for (uint32_t i = 0; i < brute->history->count; i++) {
        if (brute->used[i] && operations[i].call > operations[index].ret)
            return false;
    }
    return true;
}

static bool order(struct brute *brute)
{
    bool done = true;
    for (uint32_t i = 0; i < brute->history->count; i++)
        done &= brute->used[i] || !must(brute, i);
    for (uint32_t i = 0; i < brute->history->count && !done; i++) {
        if (brute->used[i] || idle(brute, i) || !may_follow(brute, i))
            continue;
        struct thing before[KEY_MAX];
        memcpy(before, brute->things, sizeof before);
        brute->used[i] = true;
        done = apply(brute, &brute->history->operations[i]) && order(brute);
        brute->used[i] = false;
        memcpy(brute->things, before, sizeof before);
    }
    return done;
}

bool brute_judge(const struct history *history, enum brute_model model,
                 const bool *kept)
{
    struct brute brute = {.history = history, .model = model, .kept = kept};
    for (uint32_t i = 0; i < history->count; i++) {
        uint32_t at = 0;
        while (at < brute.key_count &&
               brute.keys[at] != history->operations[i].key)
            at++;
        if (at == brute.key_count)
            brute.keys[brute.key_count++] = history->operations[i].key;
    }
    for (uint32_t i = 0; i < KEY_MAX; i++)
        brute.things[i].nil = model == BRUTE_REGISTER;
    return order(&brute);
}
