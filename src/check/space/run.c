/* Handlers run, and what they did written down as outcomes. A call that draws
 * numbers is run for every sequence of them, in the order of an odometer
 * (TigerBeetle's exhaustigen): the last number drawn goes up by one, and those
 * that were at their end are dropped. */

#include <stdio.h>

#include "base/alloc.h"
#include "base/record.h"
#include "check/space/inside.h"

/* One call under way. */
struct run
{
    struct space_walker *walker;
    const struct run_input *input;
    const struct space_actor *actor;
    const struct message_head *message; /* or NULL */
    const struct local_head *before;
    int64_t now_ms;
    uint8_t index; /* of the actor */
};

/* --- chance --------------------------------------------------------------- */

static uint64_t tape_choose(void *data, uint64_t n)
{
    struct tape *tape = data;

    if (tape->at == tape->size) {
        if (tape->size == TURN_DRAWS_MAX)
            return TURN_NO_CHOICE;
        tape->values[tape->size] = 0;
        tape->bounds[tape->size++] = n;
    }
    return tape->values[tape->at++];
}

/* The next sequence of choices; false when this was the last. */
static bool tape_next(struct tape *tape)
{
    tape->size = tape->at;
    while (tape->size > 0 &&
           tape->values[tape->size - 1] + 1 >= tape->bounds[tape->size - 1])
        tape->size--;
    if (tape->size > 0)
        tape->values[tape->size - 1]++;
    tape->at = 0;
    return tape->size > 0;
}

/* --- outcomes ------------------------------------------------------------- */

static enum kan_err outcome_new(struct space_walker *walker,
                                uint32_t *ret_outcome)
{
    enum kan_err err =
        walker_grow(walker, &walker->outcomes, sizeof(*walker->outcomes),
                    walker->outcome_count, 1, &walker->outcome_max);

    if (err != KAN_OK)
        return err;
    memset(&walker->outcomes[walker->outcome_count], 0,
           sizeof(*walker->outcomes));
    walker->outcomes[walker->outcome_count].sends = walker->send_count;
    walker->outcomes[walker->outcome_count].notes = walker->note_count;
    *ret_outcome = walker->outcome_count++;
    return KAN_OK;
}

static struct path_id local_delta(const struct space *space, uint32_t before,
                                  uint32_t after)
{
    return path_id_subtract(kept_at(space->locals, after)->hash,
                            kept_at(space->locals, before)->hash);
}

static enum kan_err outcome_send(struct space_walker *walker,
                                 struct outcome *outcome, uint32_t word)
{
    const struct space *space = walker->space;
    enum kan_err err =
        walker_grow(walker, &walker->sends, sizeof(*walker->sends),
                    walker->send_count, 1, &walker->send_max);

    if (err != KAN_OK)
        return err;
    for (uint32_t i = 0; space->shared && i < outcome->send_count; i++) {
        if (walker->sends[outcome->sends + i] == word)
            return KAN_OK;
    }
    walker->sends[walker->send_count++] = word;
    outcome->send_count++;
    if (!space->shared && !space->ordered)
        outcome->delta =
            path_id_add(outcome->delta, word_item(space, word)->hash);
    return KAN_OK;
}

enum kan_err outcome_silent(struct space_walker *walker, uint32_t before,
                            uint32_t after, uint32_t *ret_outcome)
{
    enum kan_err err = outcome_new(walker, ret_outcome);

    if (err != KAN_OK)
        return err;
    walker->outcomes[*ret_outcome].local = after;
    walker->outcomes[*ret_outcome].delta =
        local_delta(walker->space, before, after);
    return KAN_OK;
}

enum kan_err outcome_failed(struct space_walker *walker, uint32_t local,
                            uint32_t word, enum kan_err failure,
                            uint32_t *ret_outcome)
{
    enum kan_err err = outcome_silent(walker, local, local, ret_outcome);
    uint32_t answer;

    if (err != KAN_OK)
        return err;
    err = space_answer(walker->space, word, failure, &walker->scratch, &answer);
    return err ? err
               : outcome_send(walker, &walker->outcomes[*ret_outcome], answer);
}

/* --- failures ------------------------------------------------------------- */

/* Make the outcome broken. The reason names the actor and not only its type. */
static enum kan_err broken(struct run *run, struct outcome *outcome,
                           const char *text)
{
    struct space_walker *walker = run->walker;
    const char *type = run->actor->type->name;
    size_t size = strlen(type);
    char why[SPACE_WHY_MAX];
    int used;
    enum kan_err err = walker_grow(walker, &walker->whys, sizeof(*walker->whys),
                                   walker->why_count, 1, &walker->why_max);

    if (err != KAN_OK)
        return err;
    if (strncmp(text, type, size) == 0 && text[size] == ':')
        text += size + 2;
    used = snprintf(why, sizeof(why), "%s: %s", run->actor->ref.text, text);
    if (used < 0 || (size_t)used >= sizeof(why))
        used = (int)sizeof(why) - 1;
    walker->whys[walker->why_count] = mem_copy(why, (size_t)used);
    if (!walker->whys[walker->why_count])
        return KAN_NOMEM;
    outcome->local = run->input->local;
    outcome->sends = walker->why_count++;
    outcome->send_count = 0;
    outcome->note_count = 0;
    outcome->flags = OUTCOME_BROKEN;
    memset(&outcome->delta, 0, sizeof(outcome->delta));
    return KAN_OK;
}

static enum kan_err broken_end(struct run *run, struct outcome *outcome,
                               const struct turn_output *output)
{
    const struct space_options *options = &run->walker->space->options;
    char text[2 * SPACE_WHY_MAX];
    char object[TURN_WHY_MAX];

    if (output->end != TURN_CRASHED || !options->frozen_object ||
        !output->address ||
        !options->frozen_object(options->data, output->address, object,
                                sizeof(object)))
        return broken(run, outcome, output->why);
    (void)snprintf(text, sizeof(text),
                   "%s: it is %s, and a handler may change nothing but its "
                   "state",
                   output->why, object);
    return broken(run, outcome, text);
}

/* --- what is sent --------------------------------------------------------- */

/* How much of the chain that the turn is in goes with a message: all and the
 * actor itself with a call; with a send to an actor in the chain, which may be
 * its answer, what was before that actor called; else nothing. */
static uint8_t chain_for(const struct run *run, uint8_t to, bool call,
                         uint8_t chain[KAN_CHAIN_MAX + 1])
{
    uint8_t count = run->message ? run->message->chain_count : 0;

    if (count > 0)
        memcpy(chain, run->message->chain, count);
    if (call) {
        chain[count] = run->index;
        return (uint8_t)(count + 1);
    }
    for (uint8_t i = 0; i < count; i++) {
        if (chain[i] == to)
            return i;
    }
    return 0;
}

static enum kan_err send_unknown(struct run *run, struct outcome *outcome,
                                 const struct turn_send *send)
{
    char text[SPACE_WHY_MAX];

    (void)snprintf(text, sizeof(text),
                   "sends %s to \"%.63s\", who is not in the model: add that "
                   "actor in its setup",
                   send->record->name, send->to.text);
    return broken(run, outcome, text);
}

static enum kan_err send_size(struct run *run, struct outcome *outcome,
                              const struct turn_send *send)
{
    char text[SPACE_WHY_MAX];

    (void)snprintf(text, sizeof(text),
                   "sends %s, of which another file has a struct of another "
                   "size: build both from one header",
                   send->record->name);
    return broken(run, outcome, text);
}

/* Whether a reference means somebody who is not modelled. */
static bool leaves(const struct space *space, const struct kan_ref *to)
{
    return strncmp(to->text, "client/", 7) == 0 ||
           (space->outside_goes && to->text[0] != '\0');
}

static enum kan_err send_one(struct run *run, struct outcome *outcome,
                             const struct turn_send *send, uint8_t to)
{
    struct space_walker *walker = run->walker;
    struct space *space = walker->space;
    uint8_t chain[KAN_CHAIN_MAX + 1];
    uint8_t count = chain_for(run, to, send->call, chain);
    struct message_parts parts = {.from = run->index,
                                  .to = to,
                                  .record = send->record,
                                  .bytes = send->message,
                                  .now_ms = run->now_ms,
                                  .chain = chain,
                                  .chain_count = count};
    uint32_t word;
    enum kan_err err;

    if (count > KAN_CHAIN_MAX) {
        /* Too deep: the answer comes at once, within the caller's chain. */
        err = space_failed(space, to, run->index, KAN_BUSY, chain,
                           (uint8_t)(count - 1), &walker->other, &word);
        outcome->flags |= OUTCOME_FOREIGN;
    } else {
        err = space_message(space, &parts, &walker->other, &word);
    }
    if (err == KAN_INVALID)
        return send_size(run, outcome, send);
    return err ? err : outcome_send(walker, outcome, word);
}

static enum kan_err take_sends(struct run *run, uint32_t number,
                               const struct turn_output *output,
                               struct local_head *after)
{
    struct space_walker *walker = run->walker;

    for (uint32_t i = 0; i < output->send_count; i++) {
        const struct turn_send *send = &output->sends[i];
        struct outcome *outcome = &walker->outcomes[number];
        uint8_t to = space_actor_place(walker->space, &send->to);
        enum kan_err err = KAN_OK;
        if (to != SPACE_OUTSIDE)
            err = send_one(run, outcome, send, to);
        else if (!leaves(walker->space, &send->to))
            err = send_unknown(run, outcome, send);
        if (err != KAN_OK || (outcome->flags & OUTCOME_BROKEN))
            return err;
        if (send->call && to != SPACE_OUTSIDE &&
            (run->actor->type->flags & KAN_ACTOR_SERIAL))
            after->awaits = to;
    }
    return KAN_OK;
}

/* --- what changed --------------------------------------------------------- */

static void take_timers(const struct run *run, const struct turn_output *output,
                        struct local_head *after)
{
    for (uint32_t i = 0; i < output->timer_count; i++) {
        const struct turn_timer *timer = &output->timers[i];
        int64_t *due = &local_due(after)[timer->timer];
        if (!timer->set)
            *due = 0;
        else if (timer->after_ms > INT64_MAX / 4)
            *due = INT64_MAX / 2;
        else
            *due = run->now_ms + (int64_t)timer->after_ms;
    }
}

static enum kan_err take_notes(struct run *run, struct outcome *outcome,
                               const struct turn_output *output)
{
    struct space_walker *walker = run->walker;
    enum kan_err err =
        walker_grow(walker, &walker->notes, sizeof(*walker->notes),
                    walker->note_count, output->note_count, &walker->note_max);

    if (err != KAN_OK)
        return err;
    for (uint32_t i = 0; i < output->note_count; i++)
        walker->notes[walker->note_count++] = output->notes[i];
    outcome->note_count = (uint8_t)output->note_count;
    if (output->note_count > 0)
        outcome->flags |= OUTCOME_NOTES;
    return KAN_OK;
}

/* The local state that the input finds: the timer that fires is disarmed, and
 * an answer that was waited for is no longer. */
static enum kan_err local_begin(struct run *run, struct buffer *blob)
{
    const struct kept_item *item =
        kept_at(run->walker->space->locals, run->input->local);
    struct local_head *head;

    buffer_clear(blob);
    buffer_append(blob, kan_slice(item->bytes, item->size));
    if (buffer_failed(blob))
        return KAN_NOMEM;
    head = (void *)blob->bytes;
    if (run->input->kind == TURN_TIMER)
        local_due(head)[run->input->timer] = 0;
    if (run->input->kind == TURN_RESTART)
        head->flags |= LOCAL_UP;
    if (run->message && head->awaits == run->message->from)
        head->awaits = SPACE_OUTSIDE;
    return KAN_OK;
}

static enum kan_err take_done(struct run *run, uint32_t number,
                              const struct turn_output *output,
                              struct buffer *blob)
{
    struct local_head *after = (void *)blob->bytes;
    size_t size = run->actor->type->state->size;

    if (size > 0)
        memcpy(blob->bytes + after->state_at, output->state, size);
    if (output->released)
        after->awaits = SPACE_OUTSIDE;
    take_timers(run, output, after);
    return take_sends(run, number, output, after);
}

/* A sender inside that is refused is told so; of that it is not told again. */
static enum kan_err take_refused(struct run *run, uint32_t number)
{
    struct space_walker *walker = run->walker;
    uint32_t word = run->input->word;
    uint32_t answer;
    enum kan_err err;

    if (!run->message || run->message->from == SPACE_OUTSIDE ||
        space_is_failed(walker->space, word))
        return KAN_OK;
    err =
        space_answer(walker->space, word, KAN_INVALID, &walker->other, &answer);
    return err ? err : outcome_send(walker, &walker->outcomes[number], answer);
}

/* Write down one run. */
static enum kan_err take(struct run *run, const struct turn_output *output)
{
    struct space_walker *walker = run->walker;
    struct space *space = walker->space;
    struct buffer *blob = &walker->scratch;
    struct outcome *outcome;
    uint32_t number;
    enum kan_err err = outcome_new(walker, &number);

    if (err == KAN_OK)
        err = local_begin(run, blob);
    if (err != KAN_OK)
        return err;
    outcome = &walker->outcomes[number];
    if (output->end > TURN_REFUSED)
        return broken_end(run, outcome, output);
    if (output->end == TURN_DONE)
        err = take_done(run, number, output, blob);
    else if (output->end == TURN_REFUSED)
        err = take_refused(run, number);
    if (err == KAN_OK && !(outcome->flags & OUTCOME_BROKEN))
        err = take_notes(run, outcome, output);
    if (err != KAN_OK || (outcome->flags & OUTCOME_BROKEN))
        return err;
    local_set_clock(space, blob, run->now_ms);
    err = space_local(space, blob, &outcome->local);
    if (err == KAN_OK)
        outcome->delta =
            path_id_add(outcome->delta,
                        local_delta(space, run->input->local, outcome->local));
    return err;
}

/* --- a call --------------------------------------------------------------- */

/* Whether an outcome is no step where counts are those of other tools. */
static bool no_step(const struct run *run, const struct outcome *outcome)
{
    const struct space *space = run->walker->space;

    return space->model.compat == KAN_COMPAT_ACTOR &&
           (run->input->kind == TURN_TIMER ||
            (run->input->kind == TURN_MESSAGE && !space->ordered)) &&
           outcome->local == run->input->local && outcome->send_count == 0 &&
           outcome->note_count == 0 && outcome->flags == 0;
}

static enum kan_err too_many(struct run *run)
{
    uint32_t number;
    enum kan_err err = outcome_new(run->walker, &number);

    return err ? err
               : broken(run, &run->walker->outcomes[number],
                        "chance gives more than 4,096 outcomes: draw from "
                        "fewer, or one after the other in several steps");
}

static enum kan_err call_all(struct run *run, const struct turn_input *turn,
                             uint32_t first)
{
    struct space_walker *walker = run->walker;
    const struct space_options *options = &walker->space->options;
    const void *state = local_struct(run->before);

    do {
        const struct turn_output *output;
        enum kan_err err;
        if (walker->outcome_count - first == SPACE_OUTCOMES_MAX) {
            walker->outcome_count = first;
            if (walker->drawn)
                walker->drawn->number = UINT32_MAX;
            return too_many(run);
        }
        output = options->once
                     ? turn_run(walker->turn, turn, state)
                     : turn_run_twice(walker->turn, turn, state,
                                      !walker->space->model.absolute_time);
        atomic_fetch_add_explicit(&walker->space->calls, 1,
                                  memory_order_relaxed);
        if (output->end == TURN_DECLINED)
            continue;
        err = take(run, output);
        if (err != KAN_OK)
            return err;
        if (no_step(run, &walker->outcomes[walker->outcome_count - 1]))
            walker->outcome_count--;
        else if (walker->drawn)
            drawn_look(walker, walker->outcome_count - 1 - first);
    } while (tape_next(&walker->tape));
    return KAN_OK;
}

static int64_t run_clock(const struct run *run)
{
    int64_t now_ms = run->before->now_ms;

    if (run->input->kind == TURN_TIMER &&
        local_due_at(run->before)[run->input->timer] > now_ms)
        now_ms = local_due_at(run->before)[run->input->timer];
    return now_ms;
}

enum kan_err walker_run(struct space_walker *walker,
                        const struct run_input *input, uint32_t *ret_first,
                        uint32_t *ret_count)
{
    struct space *space = walker->space;
    struct run run = {.walker = walker, .input = input};
    uint32_t first = walker->outcome_count;
    struct kan_ref sender;
    struct turn_input turn = {.kind = input->kind, .timer = input->timer};
    enum kan_err err;

    run.before = local_head(space, input->local);
    run.index = run.before->actor;
    run.actor = &space->actors[run.index];
    run.now_ms = run_clock(&run);
    turn.type = run.actor->type;
    turn.self = &run.actor->ref;
    if (input->kind == TURN_MESSAGE) {
        run.message = word_head(space, input->word);
        sender = space_message_from(space, input->word);
        turn.sender = &sender;
        turn.record = space_message_record(space, input->word);
        turn.message = turn.record->size > 0 ? run.message + 1 : NULL;
    }
    turn.now_ms = run.now_ms;
    turn.parameters = space->parameters;
    turn.parameter_count = space->model.parameter_count;
    turn.may_decline = space->model.compat == KAN_COMPAT_SPEC;
    turn.choose = tape_choose;
    turn.data = &walker->tape;
    turn.limit_ms = space->options.limit_ms;
    walker->tape.size = 0;
    walker->tape.at = 0;
    err = call_all(&run, &turn, first);
    if (err != KAN_OK)
        return err;
    *ret_first = first;
    *ret_count = walker->outcome_count - first;
    return KAN_OK;
}
