/* Messages in a state: where they stand, what they add to its hash, and whether
 * a mailbox has room for more. */

#include "base/assert.h"
#include "check/space/inside.h"

/* What a message adds to the hash at that place of its channel, the first being
 * 0. The factors are odd, so no two hashes become one. */
struct path_id place_hash(struct path_id hash, uint32_t place)
{
    if (place > 0) {
        hash.low = (hash.low + place) * 0x9e3779b97f4a7c15;
        hash.low ^= hash.low >> 32;
        hash.high = (hash.high + place) * 0xd6e8feb86659fd93;
        hash.high ^= hash.high >> 32;
    }
    return hash;
}

static bool from_outside(uint32_t channel)
{
    return (channel & 0xff) == SPACE_OUTSIDE;
}

struct path_id state_hash(const struct space *space,
                          const struct space_state *state)
{
    struct path_id sum =
        kept_at(space->arounds, state->words[at_around(space)])->hash;
    uint32_t place = 0;

    sum = path_id_add(
        sum, kept_at(space->histories, state->words[at_history(space)])->hash);
    for (uint32_t i = 0; i < space->actor_count; i++)
        sum = path_id_add(sum, kept_at(space->locals, state->words[i])->hash);
    for (uint32_t i = at_messages(space); i < state->count; i++) {
        uint32_t word = state->words[i];
        uint32_t channel = word_channel(space, word);
        bool follows = space->ordered && i > at_messages(space) &&
                       !from_outside(channel) &&
                       word_channel(space, state->words[i - 1]) == channel;
        place = follows ? place + 1 : 0;
        sum = path_id_add(sum, place_hash(word_item(space, word)->hash, place));
    }
    return sum;
}

void place_take(struct space_state *state, uint32_t at)
{
    state->count--;
    memmove(&state->words[at], &state->words[at + 1],
            (state->count - at) * sizeof(state->words[0]));
}

/* Whether a goes behind b. */
static bool behind(const struct space *space, uint32_t a, uint32_t b)
{
    uint32_t a_channel;
    uint32_t b_channel;

    if (!space->ordered)
        return a > b;
    a_channel = word_channel(space, a);
    b_channel = word_channel(space, b);
    if (a_channel != b_channel)
        return a_channel > b_channel;
    return !from_outside(a_channel) || a > b;
}

void place_put(const struct space *space, struct space_state *state,
               uint32_t word)
{
    uint32_t at = state->count;

    kan_assert(state->count < SPACE_WORDS_MAX);
    while (at > at_messages(space) &&
           !behind(space, word, state->words[at - 1]))
        at--;
    if (space->shared && at < state->count && state->words[at] == word)
        return;
    memmove(&state->words[at + 1], &state->words[at],
            (state->count - at) * sizeof(state->words[0]));
    state->words[at] = word;
    state->count++;
}

/* --- mailboxes ------------------------------------------------------------ */

static uint32_t waiting(const struct space *space,
                        const struct space_state *state, uint8_t actor)
{
    uint32_t count = 0;

    for (uint32_t i = at_messages(space); i < state->count; i++)
        count += word_to(state->words[i]) == actor;
    return count;
}

bool place_full(const struct space *space, const struct space_state *state,
                uint32_t word)
{
    uint8_t to = word_to(word);

    return !space->shared &&
           state->count - at_messages(space) >= space->actors[to].mailbox_max &&
           waiting(space, state, to) >= space->actors[to].mailbox_max;
}

/* Failures are always taken: they stand for what was not. */
static bool fits(const struct space *space, const struct space_state *state,
                 uint32_t consumed, const uint32_t *sent, uint32_t sent_count,
                 uint32_t word)
{
    uint8_t to = word_to(word);
    uint32_t count = waiting(space, state, to);

    if (consumed != UINT32_MAX && word_to(state->words[consumed]) == to)
        count--;
    for (uint32_t i = 0; i < sent_count; i++)
        count += word_to(sent[i]) == to;
    return count < space->actors[to].mailbox_max ||
           space_is_failed(space, word);
}

enum kan_err place_sends(struct space_walker *walker,
                         const struct space_state *state, uint32_t consumed,
                         uint32_t outcome, uint32_t *ret_words,
                         uint32_t *ret_count)
{
    struct space *space = walker->space;
    const struct outcome *done = &walker->outcomes[outcome];
    uint32_t messages = state->count - at_messages(space);
    bool roomy =
        space->shared || messages + done->send_count <= space->mailbox_min;

    for (uint32_t i = 0; i < done->send_count; i++) {
        uint32_t word = walker->sends[done->sends + i];
        if (!roomy && !fits(space, state, consumed, ret_words, i, word)) {
            enum kan_err err =
                space_answer(space, word, KAN_BUSY, &walker->other, &word);
            if (err != KAN_OK)
                return err;
        }
        ret_words[i] = word;
    }
    *ret_count = done->send_count;
    return KAN_OK;
}
