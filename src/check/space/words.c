/* Steps in words, for reports, and what they add to the id of a path. */

#include "check/space/inside.h"

static const char *const kind_words[] = {
    [SPACE_DELIVER] = "deliver", [SPACE_TIMER] = "timer",
    [SPACE_REQUEST] = "request", [SPACE_LIE] = "lie",
    [SPACE_CRASH] = "crash",     [SPACE_RESTART] = "restart",
    [SPACE_LOSE] = "lose",       [SPACE_DOUBLE] = "double",
    [SPACE_JUMP] = "jump",       [SPACE_CUT] = "cut",
    [SPACE_HEAL] = "heal",
};

static void say_message(const struct space *space, uint32_t word,
                        struct space_words *words)
{
    const struct message_head *head = word_head(space, word);

    words->from = space_message_from(space, word);
    words->to = space->actors[head->to].ref;
    words->record = space_message_record(space, word);
    words->name = words->record->name;
    words->message = words->record->size > 0 ? (const void *)(head + 1) : NULL;
}

void space_describe(struct space_walker *walker, const struct space_step *step,
                    struct space_words *ret_words)
{
    const struct space *space = walker->space;

    memset(ret_words, 0, sizeof(*ret_words));
    ret_words->what = kind_words[step->kind];
    if (step->actor != UINT8_MAX)
        ret_words->to = space->actors[step->actor].ref;
    switch ((enum space_kind)step->kind) {
    case SPACE_DELIVER:
    case SPACE_DOUBLE:
    case SPACE_LOSE:
        say_message(space, step->object, ret_words);
        break;
    case SPACE_REQUEST:
        say_message(space, space->requests[step->object].word, ret_words);
        break;
    case SPACE_LIE:
        say_message(space, space->lies[step->object].word, ret_words);
        break;
    case SPACE_TIMER:
        ret_words->name =
            space->actors[step->actor].type->timers[step->object].name;
        break;
    case SPACE_JUMP:
        ret_words->jump_ms = space->jumps[step->object].delta_ms;
        break;
    case SPACE_CUT:
        ret_words->group = space->cuts[step->object];
        break;
    case SPACE_CRASH:
    case SPACE_RESTART:
    case SPACE_HEAL:
        break;
    }
}

uint32_t space_sends(struct space_walker *walker, const struct space_step *step,
                     struct space_words *ret_words, uint32_t max)
{
    const struct space *space = walker->space;
    const struct outcome *outcome;

    if (step->outcome == UINT32_MAX)
        return 0;
    outcome = &walker->outcomes[step->outcome];
    for (uint32_t i = 0; i < outcome->send_count && i < max; i++) {
        memset(&ret_words[i], 0, sizeof(ret_words[i]));
        ret_words[i].what = "send";
        say_message(space, walker->sends[outcome->sends + i], &ret_words[i]);
    }
    return outcome->send_count;
}

const char *space_why(struct space_walker *walker,
                      const struct space_step *step)
{
    const struct outcome *outcome;

    if (!step || step->outcome == UINT32_MAX || !(step->flags & SPACE_BROKEN))
        return walker->why;
    outcome = &walker->outcomes[step->outcome];
    if (outcome->flags & OUTCOME_BROKEN)
        return walker->whys[outcome->sends];
    (void)walker_fail(walker, KAN_CONFLICT,
                      "%s: kan_invoke() within an open operation, or "
                      "kan_complete() without one: a client has one at a time",
                      walker->space->actors[step->actor].ref.text);
    return walker->why;
}

void space_path_step(struct space_walker *walker, const struct space_step *step,
                     struct path_id *actors, struct path_id *path)
{
    const struct space *space = walker->space;
    struct path_id blank;
    struct path_id before;
    struct space_words words;
    enum path_input input = PATH_MESSAGE;
    struct kan_slice bytes = kan_slice(NULL, 0);

    space_describe(walker, step, &words);
    switch ((enum space_kind)step->kind) {
    case SPACE_DELIVER:
    case SPACE_DOUBLE:
        bytes = kan_slice(words.message, words.record->size);
        break;
    case SPACE_TIMER:
        input = PATH_TIMER;
        break;
    case SPACE_CRASH:
        input = PATH_CRASH;
        break;
    case SPACE_RESTART:
        input = PATH_RESTART;
        break;
    case SPACE_REQUEST:
    case SPACE_LIE:
    case SPACE_LOSE:
    case SPACE_JUMP:
    case SPACE_CUT:
    case SPACE_HEAL:
        return;
    }
    before = actors[step->actor];
    blank = path_id_actor(&space->actors[step->actor].ref);
    actors[step->actor] = path_id_step(
        before, input, words.name ? words.name : "", &words.from, bytes);
    *path = path_id_replace(
        *path, before, before.low != blank.low || before.high != blank.high,
        actors[step->actor]);
}
