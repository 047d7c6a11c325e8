/* The first states: one for each choice of liars and each sequence of numbers
 * that the actors draw as they start. */

#include "base/assert.h"
#include "check/space/inside.h"

/* Liars are chosen among the actors that have lies, as a bit for each actor;
 * Gosper's hack (HAKMEM, item 175) goes from one choice to the next. */
struct liars
{
    uint8_t able[KAN_INSTANCES_MAX]; /* actors that have lies */
    uint32_t able_count;
    uint32_t wanted;
    uint64_t chosen; /* bits of places in able */
};

static void liars_first(const struct space *space, struct liars *liars)
{
    memset(liars, 0, sizeof(*liars));
    for (uint32_t i = 0; i < space->actor_count; i++) {
        if (space->actors[i].lies)
            liars->able[liars->able_count++] = (uint8_t)i;
    }
    liars->wanted = space->faults.liar;
    if (liars->wanted > liars->able_count)
        liars->wanted = liars->able_count;
    liars->chosen =
        liars->wanted == 64 ? UINT64_MAX : (UINT64_C(1) << liars->wanted) - 1;
}

static bool liars_next(struct liars *liars)
{
    uint64_t low = liars->chosen & (~liars->chosen + 1);
    uint64_t ripple = liars->chosen + low;

    if (liars->chosen == 0 || ripple == 0)
        return false;
    liars->chosen = (((ripple ^ liars->chosen) / low) >> 2) | ripple;
    return liars->able_count == 64 || liars->chosen >> liars->able_count == 0;
}

static bool lies(const struct liars *liars, uint32_t actor)
{
    for (uint32_t i = 0; i < liars->able_count; i++) {
        if (liars->able[i] == actor)
            return liars->chosen >> i & 1;
    }
    return false;
}

/* How many outcomes the start of an actor has, the first of which is given. */
static enum kan_err start(struct space_walker *walker, uint32_t actor,
                          uint32_t *ret_first, uint32_t *ret_count)
{
    const struct entry *entry;
    enum kan_err err = walker_special(
        walker, walker->space->actors[actor].unstarted, ENTRY_START, 0, &entry);

    if (err != KAN_OK)
        return err;
    *ret_first = entry->first;
    *ret_count = entry->count;
    return KAN_OK;
}

/* In how many ways the first so many actors start with these liars; more than
 * UINT32_MAX count as one more. */
static enum kan_err ways_of(struct space_walker *walker,
                            const struct liars *liars, uint32_t actors,
                            uint64_t *ret_ways)
{
    uint64_t ways = 1;

    for (uint32_t i = 0; i < actors; i++) {
        uint32_t first;
        uint32_t count = 1;
        enum kan_err err = KAN_OK;
        if (!lies(liars, i))
            err = start(walker, i, &first, &count);
        if (err != KAN_OK)
            return err;
        ways *= count;
        if (ways > UINT32_MAX)
            ways = (uint64_t)UINT32_MAX + 1;
    }
    *ret_ways = ways;
    return KAN_OK;
}

/* The outcomes of starts with these liars, in all combinations; as many as fit
 * into 32 bits count. */
static enum kan_err combinations(struct space_walker *walker,
                                 const struct liars *liars, uint32_t *ret_count)
{
    uint64_t ways;
    enum kan_err err =
        ways_of(walker, liars, walker->space->actor_count, &ways);

    if (err != KAN_OK)
        return err;
    *ret_count = ways > UINT32_MAX ? UINT32_MAX : (uint32_t)ways;
    return KAN_OK;
}

/* One actor starts in a state that has the others' first local states. */
static enum kan_err take_start(struct space_walker *walker, uint32_t actor,
                               uint32_t outcome, struct space_state *state)
{
    const struct space *space = walker->space;
    const struct outcome *done = &walker->outcomes[outcome];
    uint32_t *history = &state->words[at_history(space)];
    uint32_t words[KAN_SENDS_MAX];
    uint32_t count;
    enum kan_err err;

    if (done->flags & OUTCOME_BROKEN)
        return walker_fail(walker, KAN_CONFLICT, "%s",
                           walker->whys[done->sends]);
    err = place_sends(walker, state, UINT32_MAX, outcome, words, &count);
    if (err == KAN_OK && state->count + count > SPACE_WORDS_MAX)
        err = walker_fail(walker, KAN_BUSY,
                          "starting sends more messages than a state holds");
    if (err == KAN_OK && (done->flags & OUTCOME_NOTES) && space->spec)
        err = history_next(walker, *history, (uint8_t)actor, outcome, history);
    if (err != KAN_OK)
        return err;
    if (*history == HISTORY_WRONG)
        return walker_fail(walker, KAN_CONFLICT,
                           "%s: start: kan_complete() without kan_invoke(), "
                           "or two operations at a time",
                           space->actors[actor].ref.text);
    state->words[actor] = done->local;
    for (uint32_t i = 0; i < count; i++)
        place_put(space, state, words[i]);
    return KAN_OK;
}

static enum kan_err make_liar(struct space_walker *walker, uint32_t actor,
                              struct space_state *state)
{
    struct space *space = walker->space;
    enum kan_err err = local_blank(space, (uint8_t)actor, LOCAL_UP | LOCAL_LIAR,
                                   &walker->scratch);

    return err ? err
               : space_local(space, &walker->scratch, &state->words[actor]);
}

/* The combination of that number. */
static enum kan_err build(struct space_walker *walker,
                          const struct liars *liars, uint32_t number,
                          struct space_state *state)
{
    const struct space *space = walker->space;

    state->count = at_messages(space);
    state->words[at_around(space)] = space->first_around;
    state->words[at_history(space)] = space->first_history;
    for (uint32_t i = 0; i < space->actor_count; i++)
        state->words[i] = space->actors[i].unstarted;
    for (uint32_t i = 0; i < space->actor_count; i++) {
        uint32_t first;
        uint32_t count;
        enum kan_err err;
        if (lies(liars, i)) {
            err = make_liar(walker, i, state);
        } else {
            err = start(walker, i, &first, &count);
            if (err == KAN_OK)
                err = take_start(walker, i, first + number % count, state);
            number /= err == KAN_OK ? count : 1;
        }
        if (err != KAN_OK)
            return err;
    }
    state->hash = state_hash(space, state);
    return KAN_OK;
}

static enum kan_err find(struct space_walker *walker, uint32_t number,
                         struct space_state *ret_state)
{
    struct liars liars;

    liars_first(walker->space, &liars);
    do {
        uint32_t count;
        enum kan_err err = combinations(walker, &liars, &count);
        if (err != KAN_OK)
            return err;
        if (number < count)
            return build(walker, &liars, number, ret_state);
        number -= count;
    } while (liars_next(&liars));
    return KAN_NOTFOUND;
}

enum kan_err space_first(struct space_walker *walker, uint32_t number,
                         struct space_state *ret_state)
{
    enum kan_err err;

    check_magic(walker, WALKER_MAGIC);
    err = find(walker, number, ret_state);
    if (err == KAN_NOMEM)
        return walker_fail(walker, err, "no memory for the first states");
    return err;
}

enum kan_err space_first_drawn(struct space_walker *walker, uint32_t actor,
                               const uint64_t *pairs, uint32_t count,
                               uint32_t *number, uint32_t *ret_used)
{
    const struct run_input input = {
        .kind = TURN_START, .local = walker->space->actors[actor].unstarted};
    struct drawn drawn = {.pairs = pairs, .count = count, .begins = true};
    struct liars liars;
    uint64_t ways;
    uint64_t moved;
    enum kan_err err;

    check_magic(walker, WALKER_MAGIC);
    liars_first(walker->space, &liars);
    err = ways_of(walker, &liars, actor, &ways);
    if (err == KAN_OK && ways > UINT32_MAX)
        err = KAN_NOTFOUND;
    if (err == KAN_OK && !lies(&liars, actor))
        err = walker_drawn(walker, &input, &drawn);
    if (err != KAN_OK)
        return err;
    if (lies(&liars, actor))
        drawn.number = 0;
    moved = *number + drawn.number * ways;
    if (moved > UINT32_MAX)
        return KAN_NOTFOUND;
    *number = (uint32_t)moved;
    *ret_used = drawn.used;
    return KAN_OK;
}
