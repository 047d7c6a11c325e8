/* Whether a goal can still be reached: every state that follows without faults,
 * breadth first. A walk that does not come to a goal may have had bad luck, or
 * go round for ever; this tells the two apart, where there are not too many
 * states. */

#include "base/alloc.h"
#include "base/map.h"
#include "check/sim/simulator.h"

enum
{
    STATES_MAX = 20000
};

struct goal_search
{
    struct simulator *simulator;
    uint32_t property;
    struct map known;    /* hashes */
    struct buffer queue; /* states: their count, then their words */
    bool found;
    bool too_many;
};

/* Keep a state that is new. */
static enum kan_err push(struct goal_search *search,
                         const struct space_state *state)
{
    static char here; /* the map wants a value */
    struct kan_slice hash = kan_slice(&state->hash, sizeof state->hash);
    enum kan_err err;

    if (map_get(&search->known, hash))
        return KAN_OK;
    search->found |=
        space_holds(search->simulator->walker, search->property, state);
    err = map_put(&search->known, hash, &here, NULL);
    if (err == KAN_BUSY) {
        search->too_many = true;
        return KAN_OK;
    }
    buffer_append(&search->queue, hash);
    buffer_append(&search->queue,
                  kan_slice(&state->count, sizeof state->count));
    buffer_append(
        &search->queue,
        kan_slice(state->words, state->count * sizeof state->words[0]));
    return buffer_failed(&search->queue) ? KAN_NOMEM : err;
}

static void pop(const struct goal_search *search, size_t *at,
                struct space_state *state)
{
    const char *bytes = search->queue.bytes + *at;
    size_t size;

    memcpy(&state->hash, bytes, sizeof state->hash);
    bytes += sizeof state->hash;
    memcpy(&state->count, bytes, sizeof state->count);
    bytes += sizeof state->count;
    size = state->count * sizeof state->words[0];
    memcpy(state->words, bytes, size);
    *at = (size_t)(bytes - search->queue.bytes) + size;
}

static enum kan_err follow(struct goal_search *search,
                           const struct space_state *state,
                           struct space_state *next)
{
    struct simulator *simulator = search->simulator;
    uint32_t count;
    enum kan_err err =
        space_expand(simulator->walker, state, simulator->steps, &count);

    for (uint32_t i = 0; err == KAN_OK && i < count; i++) {
        const struct space_step *step = &simulator->steps[i];
        if (walk_is_fault(step->kind) || step->flags & SPACE_BROKEN)
            continue;
        space_apply(simulator->walker, state, step, next);
        err = push(search, next);
    }
    return err;
}

enum kan_err walk_goal_find(struct simulator *simulator,
                            const struct space_state *from, uint32_t property,
                            enum walk_goal *ret_goal)
{
    struct goal_search search = {.simulator = simulator, .property = property};
    struct space_state *state = mem_alloc(sizeof *state);
    struct space_state *next = mem_alloc(sizeof *next);
    size_t at = 0;
    enum kan_err err = state && next ? KAN_OK : KAN_NOMEM;

    map_init(&search.known, (struct hash_seed){0}, STATES_MAX);
    if (err == KAN_OK)
        err = push(&search, from);
    while (err == KAN_OK && !search.found && !search.too_many &&
           at < search.queue.size) {
        pop(&search, &at, state);
        err = follow(&search, state, next);
    }
    map_fini(&search.known);
    buffer_fini(&search.queue);
    mem_free(state);
    mem_free(next);
    if (err)
        return err;
    *ret_goal = search.found      ? WALK_GOAL_THERE
                : search.too_many ? WALK_GOAL_UNKNOWN
                                  : WALK_GOAL_NEVER;
    return KAN_OK;
}
