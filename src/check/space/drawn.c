/* Which outcome of chance a handler had when it drew the numbers given: the
 * call is made again, for every sequence, and what comes of it is dropped. */

#include "base/assert.h"
#include "check/space/inside.h"

void drawn_look(struct space_walker *walker, uint32_t number)
{
    struct drawn *drawn = walker->drawn;
    const struct tape *tape = &walker->tape;

    if (tape->at > drawn->count || (!drawn->begins && tape->at < drawn->count))
        return;
    for (uint32_t i = 0; i < tape->at; i++) {
        if (tape->values[i] != drawn->pairs[2 * i] ||
            tape->bounds[i] != drawn->pairs[2 * i + 1])
            return;
    }
    drawn->number = number;
    drawn->used = tape->at;
}

enum kan_err walker_drawn(struct space_walker *walker,
                          const struct run_input *input, struct drawn *drawn)
{
    uint32_t outcomes = walker->outcome_count;
    uint32_t sends = walker->send_count;
    uint32_t notes = walker->note_count;
    uint32_t first;
    uint32_t count;
    enum kan_err err;

    drawn->number = UINT32_MAX;
    walker->drawn = drawn;
    err = walker_run(walker, input, &first, &count);
    walker->drawn = NULL;
    walker->outcome_count = outcomes;
    walker->send_count = sends;
    walker->note_count = notes;
    if (err)
        return err;
    return drawn->number == UINT32_MAX ? KAN_NOTFOUND : KAN_OK;
}

enum kan_err space_drawn(struct space_walker *walker,
                         const struct space_state *state,
                         const struct space_step *step, const uint64_t *pairs,
                         uint32_t count, uint16_t *ret_choice)
{
    struct drawn drawn = {.pairs = pairs, .count = count};
    struct run_input input = {.word = step->object, .timer = step->object};
    enum kan_err err;

    check_magic(walker, WALKER_MAGIC);
    switch ((enum space_kind)step->kind) {
    case SPACE_DELIVER:
    case SPACE_DOUBLE:
        input.kind = TURN_MESSAGE;
        break;
    case SPACE_TIMER:
        input.kind = TURN_TIMER;
        break;
    case SPACE_RESTART:
        input.kind = TURN_RESTART;
        break;
    default:
        return KAN_NOTFOUND;
    }
    input.local = state->words[step->actor];
    err = walker_drawn(walker, &input, &drawn);
    if (err == KAN_OK)
        *ret_choice = (uint16_t)drawn.number;
    return err;
}
