/* Every step out of a state, and the state that a step leads to. Here time is
 * spent, so the common case is short: the outcome is in memory, and the hash of
 * the next state is one addition away. */

#include "base/assert.h"
#include "check/space/inside.h"

/* One state being expanded. */
struct expansion
{
    struct space_walker *walker;
    struct space *space;
    const struct space_state *state;
    struct space_step *steps;
    uint32_t count;
    uint32_t around;
    uint32_t history;
    uint32_t messages;  /* how many there are */
    uint32_t sends_max; /* of one step */
    uint64_t present;   /* shared: a bit for some messages that are there */
    const struct around_head *head;
    uint16_t channels[SPACE_WORDS_MAX]; /* in order: of each message */
};

/* What a step does beside its outcome. */
struct effect
{
    enum space_kind kind;
    uint8_t actor;
    uint16_t choice;
    uint32_t object;
    uint32_t at; /* the message that is taken, or UINT32_MAX */
};

static bool takes(enum space_kind kind)
{
    return kind == SPACE_DELIVER || kind == SPACE_LOSE;
}

static enum kan_err step_new(struct expansion *e, const struct effect *effect,
                             struct space_step **ret_step)
{
    struct space_step *step = &e->steps[e->count];

    if (e->count == SPACE_STEPS_MAX)
        return walker_fail(e->walker, KAN_BUSY,
                           "a state has more than %d steps: declare fewer "
                           "requests, lies or faults",
                           SPACE_STEPS_MAX);
    e->count++;
    step->hash = e->state->hash;
    step->kind = (uint8_t)effect->kind;
    step->actor = effect->actor;
    step->choice = effect->choice;
    step->object = effect->object;
    step->at = effect->at;
    step->outcome = UINT32_MAX;
    step->flags = 0;
    step->after = e->history;
    *ret_step = step;
    return KAN_OK;
}

/* --- hashes --------------------------------------------------------------- */

static void replace(struct path_id *hash, struct path_id before,
                    struct path_id after)
{
    *hash = path_id_add(path_id_subtract(*hash, before), after);
}

/* A message is taken out, and those behind it in its channel move up. */
static void hash_take(const struct expansion *e, uint32_t at,
                      struct path_id *hash)
{
    const struct space *space = e->space;
    uint32_t word = e->state->words[at];
    uint16_t channel;

    *hash = path_id_subtract(*hash, word_item(space, word)->hash);
    if (!space->ordered)
        return;
    channel = e->channels[at];
    if ((channel & 0xff) == SPACE_OUTSIDE)
        return;
    for (uint32_t i = at + 1; i < e->state->count && e->channels[i] == channel;
         i++) {
        struct path_id one = word_item(space, e->state->words[i])->hash;
        replace(hash, place_hash(one, i - at), place_hash(one, i - at - 1));
    }
}

/* A message is added to the set, unless it is there. */
static void hash_share(const struct expansion *e, uint32_t word,
                       struct path_id *hash)
{
    if (e->present >> (word & 63) & 1) {
        for (uint32_t i = at_messages(e->space); i < e->state->count; i++) {
            if (e->state->words[i] == word)
                return;
        }
    }
    *hash = path_id_add(*hash, word_item(e->space, word)->hash);
}

/* A message is put behind those of its channel; sent before it in this step
 * were words. */
static void hash_put(const struct expansion *e, uint32_t taken,
                     const uint32_t *words, uint32_t sent, struct path_id *hash)
{
    const struct space *space = e->space;
    struct path_id one = word_item(space, words[sent])->hash;
    uint32_t channel = word_channel(space, words[sent]);
    uint32_t place = 0;

    if ((channel & 0xff) != SPACE_OUTSIDE) {
        for (uint32_t i = at_messages(space); i < e->state->count; i++)
            place += i != taken && e->channels[i] == channel;
        for (uint32_t i = 0; i < sent; i++)
            place += word_channel(space, words[i]) == channel;
    }
    *hash = path_id_add(*hash, place_hash(one, place));
}

static void hash_sends(const struct expansion *e, uint32_t taken,
                       const uint32_t *words, uint32_t count,
                       struct path_id *hash)
{
    for (uint32_t i = 0; i < count; i++) {
        if (e->space->shared)
            hash_share(e, words[i], hash);
        else if (e->space->ordered)
            hash_put(e, taken, words, i, hash);
        else
            *hash = path_id_add(*hash, word_item(e->space, words[i])->hash);
    }
}

/* --- steps ---------------------------------------------------------------- */

/* The surroundings change with the step. */
static enum kan_err step_around(struct expansion *e, struct space_step *step)
{
    uint32_t after;
    enum kan_err err =
        around_next(e->walker, e->around, (enum space_kind)step->kind,
                    step->object, &after);

    if (err == KAN_OK)
        replace(&step->hash, kept_at(e->space->arounds, e->around)->hash,
                kept_at(e->space->arounds, after)->hash);
    return err;
}

static enum kan_err step_notes(struct expansion *e, struct space_step *step)
{
    enum kan_err err;

    step->flags |= SPACE_OBSERVED;
    if (!e->space->spec)
        return KAN_OK;
    err = history_next(e->walker, e->history, step->actor, step->outcome,
                       &step->after);
    if (err != KAN_OK)
        return err;
    if (step->after == HISTORY_WRONG) {
        step->flags |= SPACE_BROKEN;
        return KAN_OK;
    }
    replace(&step->hash, kept_at(e->space->histories, e->history)->hash,
            kept_at(e->space->histories, step->after)->hash);
    if (!history_orderable(e->space, step->after))
        step->flags |= SPACE_UNORDERABLE;
    return KAN_OK;
}

/* A step with an outcome, in full. */
static enum kan_err add(struct expansion *e, const struct effect *effect,
                        uint32_t number)
{
    const struct outcome *outcome = &e->walker->outcomes[number];
    uint32_t taken =
        takes(effect->kind) && !e->space->shared ? effect->at : UINT32_MAX;
    uint32_t words[KAN_SENDS_MAX];
    uint32_t count;
    struct space_step *step;
    enum kan_err err = step_new(e, effect, &step);

    if (err != KAN_OK)
        return err;
    step->outcome = number;
    if (outcome->flags & OUTCOME_BROKEN) {
        step->flags = SPACE_BROKEN;
        return KAN_OK;
    }
    if (outcome->flags & OUTCOME_FOREIGN)
        step->flags |= SPACE_TIGHT;
    err = place_sends(e->walker, e->state, taken, number, words, &count);
    if (err != KAN_OK)
        return err;
    if (count > e->sends_max)
        e->sends_max = count;
    replace(&step->hash,
            kept_at(e->space->locals, e->state->words[effect->actor])->hash,
            kept_at(e->space->locals, outcome->local)->hash);
    if (taken != UINT32_MAX)
        hash_take(e, taken, &step->hash);
    hash_sends(e, taken, words, count, &step->hash);
    if (outcome->flags & OUTCOME_NOTES)
        err = step_notes(e, step);
    if (err == KAN_OK && effect->kind >= SPACE_REQUEST &&
        effect->kind != SPACE_RESTART)
        err = step_around(e, step);
    return err;
}

/* All outcomes of an input. */
static enum kan_err add_entry(struct expansion *e, struct effect *effect,
                              const struct entry *entry)
{
    uint32_t first = entry->first;
    uint32_t count = entry->count;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; err == KAN_OK && i < count; i++) {
        effect->choice = (uint16_t)i;
        err = add(e, effect, first + i);
    }
    return err;
}

static enum kan_err add_rings(struct expansion *e, uint8_t actor,
                              const struct local_info *info)
{
    struct effect effect = {
        .kind = SPACE_TIMER, .actor = actor, .at = UINT32_MAX};
    uint32_t first = info->rings;
    uint32_t end = first + info->ring_count;
    enum kan_err err = KAN_OK;

    for (uint32_t i = first; err == KAN_OK && i < end; i++) {
        const struct ring *ring = &e->walker->rings[i];
        effect.object = ring->timer;
        effect.choice = ring->choice;
        err = add(e, &effect, ring->outcome);
    }
    return err;
}

static enum kan_err add_special(struct expansion *e, struct effect *effect)
{
    const struct entry *entry;
    enum kan_err err = walker_special(e->walker, e->state->words[effect->actor],
                                      effect->kind, effect->object, &entry);

    return err ? err : add_entry(e, effect, entry);
}

static enum kan_err add_actors(struct expansion *e)
{
    struct space_walker *walker = e->walker;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; err == KAN_OK && i < e->space->actor_count; i++) {
        uint32_t local = e->state->words[i];
        const struct local_info *info = NULL;
        if (local < walker->info_size && walker->infos[local].known)
            info = &walker->infos[local];
        else
            err = walker_info(walker, local, &info);
        if (err == KAN_OK && info->ring_count > 0)
            err = add_rings(e, (uint8_t)i, info);
        if (err == KAN_OK && info->down) {
            struct effect effect = {
                .kind = SPACE_RESTART, .actor = (uint8_t)i, .at = UINT32_MAX};
            err = add_special(e, &effect);
        }
    }
    return err;
}

/* --- messages ------------------------------------------------------------- */

/* The step of a message whose only outcome changes nothing but the hash. */
static inline enum kan_err add_plain(struct expansion *e, uint32_t at,
                                     const struct entry *entry)
{
    uint32_t word = e->state->words[at];
    struct space_step *step = &e->steps[e->count];

    if (e->count == SPACE_STEPS_MAX) {
        struct effect effect = {.kind = SPACE_DELIVER};
        return step_new(e, &effect, &step);
    }
    e->count++;
    step->hash = path_id_add(e->state->hash, entry->delta);
    step->kind = SPACE_DELIVER;
    step->actor = word_to(word);
    step->choice = 0;
    step->object = word;
    step->at = at;
    step->outcome = entry->first;
    step->flags = 0;
    step->after = e->history;
    if (entry->send_count > e->sends_max)
        e->sends_max = entry->send_count;
    return KAN_OK;
}

static bool crosses(const struct space *space, uint64_t cut, uint32_t word)
{
    uint8_t from = note_from(word_item(space, word)->note);

    return from != SPACE_OUTSIDE &&
           ((cut >> from ^ cut >> word_to(word)) & 1) != 0;
}

/* Whether the message may be taken out next: the first of its channel, or of
 * several equal ones. */
static inline bool is_next(const struct expansion *e, uint32_t at)
{
    const uint32_t *words = e->state->words;

    if (at == at_messages(e->space))
        return true;
    if (e->space->ordered && (e->channels[at] & 0xff) != SPACE_OUTSIDE)
        return e->channels[at] != e->channels[at - 1];
    return words[at] != words[at - 1];
}

static enum kan_err add_messages(struct expansion *e)
{
    struct space_walker *walker = e->walker;
    const struct space_state *state = e->state;
    uint64_t cut = e->head->cut;
    uint32_t mailbox_min =
        e->space->shared ? UINT32_MAX : e->space->mailbox_min;
    uint32_t room = mailbox_min > e->messages ? mailbox_min - e->messages : 0;

    /* The waits for memory overlap. */
    for (uint32_t i = at_messages(e->space); i < state->count; i++)
        entry_prefetch(walker, entry_key(state->words[word_to(state->words[i])],
                                         state->words[i]));
    for (uint32_t i = at_messages(e->space); i < state->count; i++) {
        uint32_t word = state->words[i];
        uint32_t local = state->words[word_to(word)];
        const struct entry *entry;
        enum kan_err err = KAN_OK;
        if (!is_next(e, i) || (cut != 0 && crosses(e->space, cut, word)))
            continue;
        entry = entry_find(walker, entry_key(local, word));
        if (!entry)
            err = walker_deliver(walker, local, word, &entry);
        if (err != KAN_OK)
            return err;
        if (entry->plain && entry->send_count <= room) {
            err = add_plain(e, i, entry);
        } else if (entry->count > 0) {
            struct effect effect = {.kind = SPACE_DELIVER,
                                    .actor = word_to(word),
                                    .object = word,
                                    .at = i};
            err = add_entry(e, &effect, entry);
        }
        if (err != KAN_OK)
            return err;
    }
    return KAN_OK;
}

/* --- from outside --------------------------------------------------------- */

/* A message from outside is sent; a full mailbox refuses it. */
static enum kan_err add_arrival(struct expansion *e, enum space_kind kind,
                                uint32_t object, uint32_t word)
{
    struct effect effect = {.kind = kind,
                            .actor = word_to(word),
                            .object = object,
                            .at = UINT32_MAX};
    struct space_step *step;
    enum kan_err err = step_new(e, &effect, &step);

    if (err != KAN_OK)
        return err;
    if (e->sends_max == 0)
        e->sends_max = 1;
    if (!place_full(e->space, e->state, word))
        hash_sends(e, UINT32_MAX, &word, 1, &step->hash);
    return step_around(e, step);
}

static enum kan_err add_arrivals(struct expansion *e)
{
    const struct space *space = e->space;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; err == KAN_OK && i < space->request_count; i++) {
        const struct space_request *request = &space->requests[i];
        if (around_left(e->head)[request->group] > 0)
            err = add_arrival(e, SPACE_REQUEST, i, request->word);
    }
    for (uint32_t i = 0; err == KAN_OK && i < space->lie_count; i++) {
        const struct space_lie *lie = &space->lies[i];
        const struct local_head *liar =
            local_head(space, e->state->words[lie->liar]);
        if ((liar->flags & LOCAL_LIAR) && !around_told(space, e->head, i))
            err = add_arrival(e, SPACE_LIE, i, lie->word);
    }
    return err;
}

static bool is_liar(const struct expansion *e, uint32_t actor)
{
    return local_head(e->space, e->state->words[actor])->flags & LOCAL_LIAR;
}

static enum kan_err add_actor_faults(struct expansion *e)
{
    const struct space *space = e->space;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0;
         e->head->crash > 0 && err == KAN_OK && i < space->actor_count; i++) {
        struct effect effect = {
            .kind = SPACE_CRASH, .actor = (uint8_t)i, .at = UINT32_MAX};
        if (local_head(space, e->state->words[i])->flags == LOCAL_UP)
            err = add_special(e, &effect);
    }
    for (uint32_t i = 0;
         e->head->clock > 0 && err == KAN_OK && i < space->jump_count; i++) {
        struct effect effect = {.kind = SPACE_JUMP,
                                .actor = space->jumps[i].actor,
                                .object = i,
                                .at = UINT32_MAX};
        if (!is_liar(e, effect.actor))
            err = add_special(e, &effect);
    }
    return err;
}

static enum kan_err add_loss(struct expansion *e, uint32_t at)
{
    struct effect effect = {.kind = SPACE_LOSE,
                            .actor = UINT8_MAX,
                            .object = e->state->words[at],
                            .at = at};
    struct space_step *step;
    enum kan_err err = step_new(e, &effect, &step);

    if (err != KAN_OK)
        return err;
    hash_take(e, at, &step->hash);
    return step_around(e, step);
}

static enum kan_err add_double(struct expansion *e, uint32_t at)
{
    uint32_t word = e->state->words[at];
    uint32_t local = e->state->words[word_to(word)];
    struct effect effect = {
        .kind = SPACE_DOUBLE, .actor = word_to(word), .object = word, .at = at};
    const struct entry *entry = entry_find(e->walker, entry_key(local, word));
    enum kan_err err = KAN_OK;

    if (!entry)
        err = walker_deliver(e->walker, local, word, &entry);
    if (err != KAN_OK || entry->count == 0)
        return err;
    return add_entry(e, &effect, entry);
}

static enum kan_err add_message_faults(struct expansion *e)
{
    const struct space *space = e->space;
    enum kan_err err = KAN_OK;

    if (space->shared || (e->head->lost == 0 && e->head->doubled == 0))
        return KAN_OK;
    for (uint32_t i = at_messages(space); err == KAN_OK && i < e->state->count;
         i++) {
        uint32_t word = e->state->words[i];
        bool outside = note_from(word_item(space, word)->note) == SPACE_OUTSIDE;
        if (!is_next(e, i) ||
            (space->model.network == KAN_NETWORK_DURABLE && !outside))
            continue;
        if (e->head->lost > 0)
            err = add_loss(e, i);
        if (err == KAN_OK && e->head->doubled > 0 &&
            !(e->head->cut != 0 && crosses(space, e->head->cut, word)))
            err = add_double(e, i);
    }
    return err;
}

static enum kan_err add_partitions(struct expansion *e)
{
    bool whole = e->head->cut == 0;
    uint32_t count = 1;
    enum kan_err err = KAN_OK;

    if (whole)
        count = e->head->partition > 0 ? e->space->cut_count : 0;
    for (uint32_t i = 0; err == KAN_OK && i < count; i++) {
        struct effect effect = {.kind = whole ? SPACE_CUT : SPACE_HEAL,
                                .actor = UINT8_MAX,
                                .object = i,
                                .at = UINT32_MAX};
        struct space_step *step;
        err = step_new(e, &effect, &step);
        if (err == KAN_OK)
            err = step_around(e, step);
    }
    return err;
}

static enum kan_err add_outside(struct expansion *e)
{
    enum kan_err err = add_arrivals(e);

    if (err == KAN_OK)
        err = add_actor_faults(e);
    if (err == KAN_OK)
        err = add_message_faults(e);
    if (err == KAN_OK)
        err = add_partitions(e);
    return err;
}

/* --- all of them ---------------------------------------------------------- */

static void look(struct expansion *e)
{
    const struct space_state *state = e->state;
    const struct space *space = e->space;

    for (uint32_t i = at_messages(space); space->shared && i < state->count;
         i++)
        e->present |= UINT64_C(1) << (state->words[i] & 63);
    for (uint32_t i = at_messages(space); space->ordered && i < state->count;
         i++)
        e->channels[i] = (uint16_t)word_channel(space, state->words[i]);
}

/* Mark steps whose order may matter because a mailbox may become full. */
static void mark_tight(struct expansion *e)
{
    if (e->space->shared ||
        e->messages + 2 * e->sends_max <= e->space->mailbox_min)
        return;
    for (uint32_t i = 0; i < e->count; i++)
        e->steps[i].flags |= SPACE_TIGHT;
}

enum kan_err space_expand(struct space_walker *walker,
                          const struct space_state *state,
                          struct space_step *steps, uint32_t *ret_count)
{
    struct space *space = walker->space;
    struct expansion e;
    enum kan_err err;

    check_magic(walker, WALKER_MAGIC);
    e.walker = walker;
    e.space = space;
    e.state = state;
    e.steps = steps;
    e.count = 0;
    e.around = state->words[at_around(space)];
    e.history = state->words[at_history(space)];
    e.messages = state->count - at_messages(space);
    e.sends_max = 0;
    e.present = 0;
    e.head = around_head(space, e.around);
    look(&e);
    err = add_actors(&e);
    if (err == KAN_OK)
        err = add_messages(&e);
    if (err == KAN_OK &&
        kept_at(space->arounds, e.around)->note != AROUND_QUIET)
        err = add_outside(&e);
    if (err == KAN_OK && state->count + e.sends_max > SPACE_WORDS_MAX)
        err = walker_fail(walker, KAN_BUSY,
                          "more than %d messages are on their way: bound what "
                          "the actors send",
                          SPACE_WORDS_MAX - (int)at_messages(space));
    if (err == KAN_NOMEM)
        return walker_fail(walker, err,
                           "no memory for more local states and messages");
    if (err != KAN_OK)
        return err;
    mark_tight(&e);
    *ret_count = e.count;
    return KAN_OK;
}

/* --- taking a step -------------------------------------------------------- */

static void apply_outcome(struct space_walker *walker,
                          const struct space_state *state,
                          const struct space_step *step,
                          struct space_state *next)
{
    const struct space *space = walker->space;
    bool taken = step->kind == SPACE_DELIVER && !space->shared;
    uint32_t words[KAN_SENDS_MAX];
    uint32_t count;
    enum kan_err err = place_sends(walker, state, taken ? step->at : UINT32_MAX,
                                   step->outcome, words, &count);

    kan_assert(err == KAN_OK);
    next->words[step->actor] = walker->outcomes[step->outcome].local;
    next->words[at_history(space)] = step->after;
    if (taken)
        place_take(next, step->at);
    for (uint32_t i = 0; i < count; i++)
        place_put(space, next, words[i]);
}

static void apply_arrival(const struct space *space,
                          const struct space_step *step,
                          struct space_state *next)
{
    uint32_t word = step->kind == SPACE_REQUEST
                        ? space->requests[step->object].word
                        : space->lies[step->object].word;

    if (!place_full(space, next, word))
        place_put(space, next, word);
}

void space_apply(struct space_walker *walker, const struct space_state *state,
                 const struct space_step *step, struct space_state *ret_state)
{
    const struct space *space = walker->space;
    enum space_kind kind = (enum space_kind)step->kind;

    check_magic(walker, WALKER_MAGIC);
    kan_assert(!(step->flags & SPACE_BROKEN));
    ret_state->count = state->count;
    memcpy(ret_state->words, state->words, state->count * sizeof(uint32_t));
    ret_state->hash = step->hash;
    if (step->outcome != UINT32_MAX)
        apply_outcome(walker, state, step, ret_state);
    else if (kind == SPACE_REQUEST || kind == SPACE_LIE)
        apply_arrival(space, step, ret_state);
    else if (kind == SPACE_LOSE)
        place_take(ret_state, step->at);
    if (kind >= SPACE_REQUEST && kind != SPACE_RESTART) {
        enum kan_err err =
            around_next(walker, state->words[at_around(space)], kind,
                        step->object, &ret_state->words[at_around(space)]);
        kan_assert(err == KAN_OK);
    }
}
