/* A breadth-first walk without any reduction. */

#include "check/space/plain_walk.h"

#include "base/alloc.h"
#include "base/assert.h"

/* States one after the other: hash, depth, count, numbers. */
struct pile
{
    struct buffer bytes;
    uint64_t *places; /* open addressing by hash: 0, or place + 1 */
    uint64_t size;    /* a power of two */
    uint64_t count;
};

struct piled
{
    struct path_id hash;
    uint32_t depth;
    uint32_t count;
};

static const struct piled *pile_at(const struct pile *pile, uint64_t place)
{
    return (const void *)(pile->bytes.bytes + place);
}

static uint64_t *pile_slot(const struct pile *pile, struct path_id hash)
{
    uint64_t at = hash.high;

    for (;; at++) {
        uint64_t *slot = &pile->places[at & (pile->size - 1)];
        const struct piled *piled;
        if (*slot == 0)
            return slot;
        piled = pile_at(pile, *slot - 1);
        if (piled->hash.low == hash.low && piled->hash.high == hash.high)
            return slot;
    }
}

/* Equal hashes must be equal states, or the space is wrong. */
static bool pile_add(struct pile *pile, const struct space_state *state,
                     uint32_t depth)
{
    uint64_t *slot = pile_slot(pile, state->hash);
    struct piled piled = {
        .hash = state->hash, .depth = depth, .count = state->count};
    size_t size = state->count * sizeof(uint32_t);

    if (*slot != 0) {
        const struct piled *there = pile_at(pile, *slot - 1);
        kan_assert(there->count == state->count);
        kan_assert(memcmp(there + 1, state->words, size) == 0);
        return false;
    }
    *slot = pile->bytes.size + 1;
    buffer_append(&pile->bytes, kan_slice(&piled, sizeof(piled)));
    buffer_append(&pile->bytes, kan_slice(state->words, size));
    if (state->count % 2 != 0)
        buffer_append(&pile->bytes, SLICE("\0\0\0\0"));
    kan_assert(!buffer_failed(&pile->bytes));
    pile->count++;
    return true;
}

static void look(struct space_walker *walker, const struct space *space,
                 const struct space_state *state, struct plain_walk *walk)
{
    for (uint32_t i = 0; i < space_property_count(space); i++) {
        if (space_property(space, i)->kind == KAN_INVARIANT)
            walk->fails += !space_holds(walker, i, state);
    }
}

static void take(struct space_walker *walker, const struct space_state *state,
                 const struct space_step *steps, uint32_t count, uint32_t depth,
                 struct pile *pile, struct plain_walk *walk)
{
    static struct space_state next;

    for (uint32_t i = 0; i < count; i++) {
        walk->generated++;
        walk->unorderable += (steps[i].flags & SPACE_UNORDERABLE) != 0;
        if (steps[i].flags & SPACE_BROKEN) {
            const char *why = space_why(walker, &steps[i]);
            if (walk->broken++ == 0)
                memcpy(walk->why, why, strlen(why) + 1);
            continue;
        }
        space_apply(walker, state, &steps[i], &next);
        (void)pile_add(pile, &next, depth + 1);
    }
}

static void firsts(struct space_walker *walker, struct pile *pile,
                   struct plain_walk *walk)
{
    static struct space_state state;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; err == KAN_OK; i++) {
        err = space_first(walker, i, &state);
        if (err == KAN_OK) {
            walk->generated++;
            (void)pile_add(pile, &state, 0);
        }
    }
    if (err != KAN_NOTFOUND)
        walk->err = err;
}

void plain_walk(const struct space *space, struct space_walker *walker,
                uint64_t states_max, plain_visit_cb *visit, void *data,
                struct plain_walk *ret_walk)
{
    static struct space_step steps[SPACE_STEPS_MAX];
    static struct space_state state;
    struct pile pile = {.size = 1};
    struct plain_walk walk = {.err = KAN_OK};
    size_t at = 0;

    while (pile.size < states_max * 3)
        pile.size *= 2;
    pile.places = mem_zalloc(pile.size * sizeof(*pile.places));
    kan_assert(pile.places);
    firsts(walker, &pile, &walk);
    while (walk.err == KAN_OK && at < pile.bytes.size) {
        struct piled piled = *pile_at(&pile, at);
        uint32_t count;
        at += sizeof(piled);
        state.hash = piled.hash;
        state.count = piled.count;
        memcpy(state.words, pile.bytes.bytes + at,
               piled.count * sizeof(uint32_t));
        at += (piled.count + piled.count % 2) * sizeof(uint32_t);
        walk.sum = path_id_add(walk.sum, state.hash);
        walk.depth = piled.depth;
        look(walker, space, &state, &walk);
        walk.err = space_expand(walker, &state, steps, &count);
        if (walk.err != KAN_OK)
            break;
        walk.terminal += count == 0;
        if (visit)
            visit(data, walker, &state, steps, count);
        take(walker, &state, steps, count, piled.depth, &pile, &walk);
        if (pile.count > states_max)
            walk.err = KAN_BUSY;
    }
    walk.states = pile.count;
    buffer_fini(&pile.bytes);
    mem_free(pile.places);
    *ret_walk = walk;
}
