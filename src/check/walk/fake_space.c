/* A space for tests of the walk. */

#include "check/walk/fake_space.h"

#include "base/alloc.h"

struct space
{
    struct fake fake;
};

struct space_walker
{
    struct fake *fake;
};

void fake_init(struct fake *fake)
{
    memset(fake, 0, sizeof *fake);
    fake->first_count = 1;
}

void fake_move_guarded(struct fake *fake, uint32_t actor, uint32_t from,
                       uint32_t to, uint32_t guard, uint32_t guard_at)
{
    fake->moves[fake->move_count++] =
        (struct fake_move){.actor = (uint8_t)actor,
                           .guard = (uint8_t)guard,
                           .from = (uint16_t)from,
                           .to = (uint16_t)to,
                           .guard_at = (uint16_t)guard_at};
}

void fake_move(struct fake *fake, uint32_t actor, uint32_t from, uint32_t to)
{
    fake_move_guarded(fake, actor, from, to, FAKE_NOBODY, 0);
}

void fake_property(struct fake *fake, enum kan_property_kind kind)
{
    fake->properties[fake->property_count++].kind = kind;
}

struct space *fake_space(struct fake *fake)
{
    return (struct space *)(void *)fake;
}

/* --- some spaces ---------------------------------------------------------- */

/* Actors that each count to length, on their own. */
void fake_grid(struct fake *fake, uint32_t actors, uint32_t length)
{
    fake_init(fake);
    fake->actors = actors;
    for (uint32_t actor = 0; actor < actors; actor++) {
        for (uint32_t at = 0; at < length; at++)
            fake_move(fake, actor, at, at + 1);
    }
}

/* Actors that each count to length and begin again. */
void fake_wheels(struct fake *fake, uint32_t actors, uint32_t length)
{
    fake_grid(fake, actors, length);
    for (uint32_t actor = 0; actor < actors; actor++)
        fake_move(fake, actor, length, 0);
}

uint64_t fake_seed;

uint32_t fake_draw(uint32_t below)
{
    fake_seed = fake_seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)((fake_seed >> 33) % below);
}

/* Up to 4 actors with moves drawn, some guarded; upwards only without
 * cycles. */
void fake_drawn(struct fake *fake, bool cycles)
{
    fake_init(fake);
    fake->actors = 2 + fake_draw(3);
    fake->first_count = 1 + fake_draw(2);
    uint32_t moves = 3 + fake_draw(12);
    for (uint32_t i = 0; i < moves; i++) {
        uint32_t actor = fake_draw(fake->actors);
        uint32_t from = fake_draw(cycles ? FAKE_PLACES : FAKE_PLACES - 1);
        uint32_t to = cycles ? fake_draw(FAKE_PLACES)
                             : from + 1 + fake_draw(FAKE_PLACES - 1 - from);
        uint32_t guard = fake_draw(fake->actors);
        if (fake_draw(2) || guard == actor)
            fake_move(fake, actor, from, to);
        else
            fake_move_guarded(fake, actor, from, to, guard,
                              fake_draw(FAKE_PLACES));
    }
}

/* --- states as numbers ---------------------------------------------------- */

static void fake_unpack(const struct fake *fake, uint32_t state,
                        uint32_t *places)
{
    for (uint32_t i = 0; i < fake->actors; i++) {
        places[i] = state % FAKE_PLACES;
        state /= FAKE_PLACES;
    }
}

uint32_t fake_pack(const struct fake *fake, const uint32_t *places)
{
    uint32_t state = 0;
    for (uint32_t i = fake->actors; i-- > 0;)
        state = state * FAKE_PLACES + places[i];
    return state;
}

/* Whether a move is possible, and where it leads. */
bool fake_leads(const struct fake *fake, uint32_t state, uint32_t move,
                uint32_t *ret_to)
{
    const struct fake_move *m = &fake->moves[move];
    uint32_t places[FAKE_ACTORS_MAX];

    fake_unpack(fake, state, places);
    if (places[m->actor] != m->from ||
        (m->guard != FAKE_NOBODY && places[m->guard] != m->guard_at))
        return false;
    places[m->actor] = m->to;
    *ret_to = fake_pack(fake, places);
    return true;
}

/* --- what space.h asks for ------------------------------------------------ */

enum kan_err space_walker_new(struct space *space,
                              struct space_walker **ret_walker)
{
    struct space_walker *walker = mem_alloc(sizeof *walker);

    if (!walker)
        return KAN_NOMEM;
    walker->fake = &space->fake;
    *ret_walker = walker;
    return KAN_OK;
}

struct space_walker *space_walker_free(struct space_walker *walker)
{
    return mem_free(walker);
}

static struct path_id place_hash(uint32_t actor, uint32_t place)
{
    uint32_t pair[2] = {actor, place};

    return path_hash(kan_slice(pair, sizeof pair), 0);
}

enum kan_err space_first(struct space_walker *walker, uint32_t number,
                         struct space_state *ret_state)
{
    const struct fake *fake = walker->fake;

    if (number >= fake->first_count)
        return KAN_NOTFOUND;
    if (fake->first_broken && number + 1 == fake->first_count)
        return KAN_CONFLICT;
    ret_state->count = fake->actors;
    ret_state->hash = (struct path_id){0};
    for (uint32_t i = 0; i < fake->actors; i++) {
        ret_state->words[i] = i == 0 ? number : 0;
        ret_state->hash =
            path_id_add(ret_state->hash, place_hash(i, ret_state->words[i]));
    }
    return KAN_OK;
}

static bool possible(const struct fake_move *move, const uint32_t *places)
{
    return places[move->actor] == move->from &&
           (move->guard == FAKE_NOBODY ||
            places[move->guard] == move->guard_at);
}

enum kan_err space_expand(struct space_walker *walker,
                          const struct space_state *state,
                          struct space_step *steps, uint32_t *ret_count)
{
    struct fake *fake = walker->fake;
    uint32_t count = 0;

    if (fake->expansions++ >= fake->expansions_max && fake->expansions_max)
        return KAN_BUSY;
    for (uint32_t i = 0; i < fake->move_count; i++) {
        const struct fake_move *move = &fake->moves[i];
        if (!possible(move, state->words))
            continue;
        struct path_id hash =
            path_id_subtract(state->hash, place_hash(move->actor, move->from));
        steps[count++] = (struct space_step){
            .hash = path_id_add(hash, place_hash(move->actor, move->to)),
            .kind = SPACE_DELIVER,
            .actor = move->actor,
            .object = i,
            .flags = move->flags};
    }
    *ret_count = count;
    return KAN_OK;
}

void space_apply(struct space_walker *walker, const struct space_state *state,
                 const struct space_step *step, struct space_state *ret_state)
{
    const struct fake_move *move = &walker->fake->moves[step->object];

    ret_state->hash = step->hash;
    ret_state->count = state->count;
    memcpy(ret_state->words, state->words,
           state->count * sizeof state->words[0]);
    ret_state->words[move->actor] = move->to;
}

bool space_independent(const struct space *space, const struct space_step *a,
                       const struct space_step *b, bool observers)
{
    const struct fake_move *first = &space->fake.moves[a->object];
    const struct fake_move *second = &space->fake.moves[b->object];

    if (observers && a->flags & b->flags & SPACE_OBSERVED)
        return false;
    return first->actor != second->actor && first->guard != second->actor &&
           second->guard != first->actor;
}

uint32_t space_property_count(const struct space *space)
{
    return space->fake.property_count;
}

const struct kan_model_property *space_property(const struct space *space,
                                                uint32_t number)
{
    return &space->fake.properties[number];
}

bool space_holds(struct space_walker *walker, uint32_t property,
                 const struct space_state *state)
{
    return !walker->fake->holds ||
           walker->fake->holds(walker->fake, property, state->words);
}

struct path_id space_actors_hash(struct space_walker *walker,
                                 const struct space_state *state)
{
    (void)walker;
    return state->hash;
}

const char *space_why(struct space_walker *walker,
                      const struct space_step *step)
{
    (void)walker;
    return step ? "the handler broke" : "the space ended";
}
