/* Steps run one after the other, and what they did gathered into an attempt:
 * nothing of it leaves before the attempt is committed. */

#include "base/alloc.h"
#include "base/assert.h"
#include "base/record.h"
#include "block/actor/actor_draft.h"

/* --- a turn --------------------------------------------------------------- */

enum
{
    PAIR_SIZE = 2 * sizeof(uint64_t) /* a value, and what it is below */
};

/* Where the numbers begin that no input taken so far goes with. */
static size_t choices_told(const struct actor_attempt *attempt)
{
    const struct actor_taken *last;

    if (attempt->taken_count == 0)
        return 0;
    last = &attempt->inputs[attempt->taken_count - 1];
    return last->choice_at + (size_t)last->choice_count * PAIR_SIZE;
}

static uint32_t choices_untold(const struct actor_attempt *attempt)
{
    return (uint32_t)((attempt->choices.size - choices_told(attempt)) /
                      PAIR_SIZE);
}

static uint64_t draw(void *data, uint64_t n)
{
    struct draft *draft = data;
    struct actor_attempt *attempt = draft->attempt;
    const struct actor_options *options = &draft->host->options;
    const struct actor_draw wanted = {.actor = &attempt->actor->self,
                                      .step = attempt->taken_count,
                                      .number = choices_untold(attempt),
                                      .n = n};
    uint64_t pair[2] = {0, n};

    pair[0] = options->draw ? options->draw(options->data, &wanted)
                            : env_choose(draft->host->env, n);
    buffer_append(&attempt->choices, kan_slice(pair, sizeof(pair)));
    return pair[0];
}

static const struct turn_output *turn_take(struct draft *draft,
                                           struct turn_input *input)
{
    struct actor_host *host = draft->host;
    struct actor *actor = draft->attempt->actor;

    input->type = actor->type;
    input->self = &actor->self;
    input->now_ms = (int64_t)draft->now_ms;
    input->parameters = host->parameters;
    input->parameter_count = host->options.parameter_count;
    input->choose = draw;
    input->data = draft;
    input->limit_ms = host->options.step_limit_ms;
    host->stats.steps++;
    return turn_run(host->turn, input, draft->attempt->state);
}

static void take_timers(struct draft *draft, const struct turn_output *output)
{
    for (uint32_t i = 0; i < output->timer_count; i++) {
        const struct turn_timer *timer = &output->timers[i];
        struct actor_clock *clock = &draft->head.clocks[timer->timer];
        clock->crashes = 0;
        clock->due_ms =
            timer->set ? actor_core_due_at(draft->now_ms, timer->after_ms) : 0;
    }
}

/* The effects of a turn that is DONE. */
static enum kan_err take_effects(struct draft *draft,
                                 const struct turn_output *output,
                                 const struct actor_chain *chain,
                                 const struct kan_ref *client)
{
    enum kan_err err = KAN_OK;

    if (output->released)
        memset(&draft->head.awaits, 0, sizeof(draft->head.awaits));
    take_timers(draft, output);
    for (uint32_t i = 0; err == KAN_OK && i < output->send_count; i++) {
        err = draft_send(draft, &output->sends[i], chain);
        if (client && kan_ref_equal(&output->sends[i].to, client))
            draft->answered = true;
    }
    return err;
}

/* Write down that the input was taken. */
static void take_input(struct draft *draft, enum path_input input,
                       const struct actor_message *message, const char *name)
{
    struct actor_attempt *attempt = draft->attempt;
    size_t told = choices_told(attempt);
    uint32_t untold = choices_untold(attempt);
    struct actor_taken *taken;
    struct kan_slice bytes = kan_slice(NULL, 0);

    kan_assert(attempt->taken_count < ACTOR_STEPS_MAX + 2);
    taken = &attempt->inputs[attempt->taken_count++];
    if (message && message->record && !message->bad)
        bytes = kan_slice(message->bytes, message->record->size);
    draft->head.path = path_id_step(draft->head.path, input, name,
                                    message ? &message->from : NULL, bytes);
    taken->input = input;
    taken->message = message;
    taken->name = name;
    taken->now_ms = draft->now_ms;
    taken->after = draft->head.path;
    /* A crash draws nothing: the restart behind it has. */
    taken->choice_at = told;
    taken->choice_count = input == PATH_CRASH ? 0 : untold;
}

/* --- steps ---------------------------------------------------------------- */

static bool has_volatile(const struct kan_record *record)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        if ((field->flags & KAN_FIELD_VOLATILE) ||
            (field->kind == KAN_FIELD_RECORD && has_volatile(field->record)))
            return true;
    }
    return false;
}

/* The first step of an actor, or its first after a crash: before its next
 * input. KAN_CONFLICT: it crashed, and *why says how. */
static enum kan_err step_prepare(struct actor_attempt *attempt, uint64_t now_ms,
                                 const char **why)
{
    struct actor *actor = attempt->actor;
    bool restart = attempt->head.started;
    /* Else nobody can tell that there was a crash. */
    bool felt =
        restart && (actor->type->restart || has_volatile(actor->type->state));
    struct turn_input turn = {.kind = restart ? TURN_RESTART : TURN_START};
    const struct actor_chain none = {0};
    const struct turn_output *output;
    struct draft draft;
    enum kan_err err;

    draft_begin(&draft, attempt, now_ms);
    output = turn_take(&draft, &turn);
    if (turn_crashed(output->end)) {
        *why = output->why;
        draft_drop(&draft);
        return KAN_CONFLICT;
    }
    err = output->end == TURN_DONE ? take_effects(&draft, output, &none, NULL)
                                   : KAN_OK;
    draft.head.started = true;
    if (err == KAN_OK && felt) {
        take_input(&draft, PATH_CRASH, NULL, "");
        take_input(&draft, PATH_RESTART, NULL, "");
    }
    if (err != KAN_OK || buffer_failed(&attempt->choices)) {
        draft_drop(&draft);
        return KAN_NOMEM;
    }
    draft_adopt(&draft, output);
    return KAN_OK;
}

/* What a numbered call came to, for the note. */
static enum kan_err note_done(struct draft *draft,
                              const struct actor_message *message,
                              const struct turn_output *output)
{
    struct buffer json = BUFFER_INIT;
    const struct turn_send *answer = NULL;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; !answer && i < output->send_count; i++)
        if (kan_ref_equal(&output->sends[i].to, &message->from))
            answer = &output->sends[i];
    if (answer)
        err = record_to_json(answer->record, answer->message, &json);
    if (err == KAN_OK)
        err = note_take(draft->attempt, message,
                        draft->answered ? NOTE_ANSWERED : NOTE_PENDING, 0,
                        buffer_slice(&json));
    buffer_fini(&json);
    return err;
}

/* Whether somebody may answer the client later: who knows its name. */
static bool names_client(const struct actor_attempt *attempt,
                         const struct turn_output *output,
                         const struct kan_ref *client)
{
    const struct kan_record *state = attempt->actor->type->state;

    if (output->changed &&
        actor_core_names(kan_slice(output->state, state->size), client))
        return true;
    for (uint32_t i = 0; i < output->send_count; i++) {
        const struct turn_send *send = &output->sends[i];
        if (actor_core_names(kan_slice(send->message,
                                       send->message ? send->record->size : 0),
                             client))
            return true;
    }
    return false;
}

/* The client's side of a message that was taken. */
static enum kan_err settle_client(struct draft *draft,
                                  const struct actor_message *message,
                                  const struct turn_output *output)
{
    enum kan_err err;

    if (output->end == TURN_REFUSED) {
        err = note_take(draft->attempt, message, NOTE_REFUSED, 0,
                        kan_text(output->why));
        return err ? err
                   : draft_answer(draft, message, ACTOR_REFUSED, output->why);
    }
    if (!draft->answered &&
        !names_client(draft->attempt, output, &message->from)) {
        err = draft_answer(draft, message, ACTOR_ANSWERED, "");
        draft->answered = true;
        if (err != KAN_OK)
            return err;
    }
    return note_done(draft, message, output);
}

static enum kan_err settle_message(struct draft *draft,
                                   const struct actor_message *message,
                                   const struct turn_output *output)
{
    struct actor_chain chain = message_chain(message);
    struct actor_chain back;
    enum kan_err err = KAN_OK;

    if (output->end == TURN_DONE)
        err = take_effects(draft, output, &chain, &message->from);
    if (err == KAN_OK && message->revision == 0)
        err = settle_client(draft, message, output);
    if (err != KAN_OK || output->end != TURN_REFUSED ||
        !actor_core_tells(&message->from, message->name))
        return err;
    back = actor_core_chain_back(&chain, &message->from);
    return draft_send_failed(draft, &draft->attempt->actor->self,
                             &message->from, KAN_INVALID, &back);
}

/* The message is taken: nothing but the attempt has it any more. */
static enum kan_err settle_taken(struct draft *draft,
                                 struct actor_message *message)
{
    struct actor_attempt *attempt = draft->attempt;
    enum kan_err err;

    /*= K-ACTOR-2: what is taken is deleted in the commit that it causes, so it
     * is taken once. */
    err = draft_delete(attempt, message);
    if (err == KAN_OK && buffer_failed(&attempt->choices))
        err = KAN_NOMEM;
    if (err != KAN_OK)
        return err;
    kan_assert(message->revision == 0 ||
               attempt->writes[attempt->write_count - 1].kind == ENGINE_DELETE);
    take_input(draft, PATH_MESSAGE, message, message->name);
    return KAN_OK;
}

/* Adopt a step, unless it made the commit too large. KAN_FULL: it alone is. */
static enum kan_err step_end(struct draft *draft, enum kan_err err,
                             const struct turn_output *output,
                             uint32_t taken_count)
{
    struct actor_attempt *attempt = draft->attempt;

    if (err == KAN_OK && !draft_fits(draft))
        err = attempt->steps > 0 ? KAN_BUSY : KAN_FULL;
    if (err != KAN_OK) {
        draft_drop(draft);
        attempt->taken_count = taken_count;
        attempt->note = mem_free(attempt->note);
        if (err == KAN_BUSY) {
            attempt->full = true;
            return KAN_OK;
        }
        return err;
    }
    draft_adopt(draft, output);
    attempt->steps++;
    return KAN_OK;
}

static const char too_large[] =
    "what it changes and sends is more than the engine takes in one commit";

/* Stored messages stay in the inbox until the step is adopted. */
static void message_taken(struct actor_attempt *attempt,
                          struct actor_message *message, uint32_t steps)
{
    if (attempt->steps == steps)
        return;
    inbox_remove(attempt->actor, message);
    if (message->client)
        message->client->trying = true;
    list_push(&attempt->taken, &message->link);
}

/* It is not run: its chain of calls comes back to an actor that waits. */
static enum kan_err step_busy(struct actor_attempt *attempt,
                              struct actor_message *message, uint64_t now_ms)
{
    struct actor_chain chain = message_chain(message);
    struct actor_chain back = actor_core_chain_back(&chain, &message->from);
    uint32_t taken = attempt->taken_count;
    uint32_t steps = attempt->steps;
    struct draft draft;
    enum kan_err err;

    draft_begin(&draft, attempt, now_ms);
    /*= K-ACTOR-6: what would wait for itself is told so at once. */
    kan_assert(attempt->head.awaits.text[0] != '\0' && chain.count > 0);
    err = draft_send_failed(&draft, &attempt->actor->self, &message->from,
                            KAN_BUSY, &back);
    if (err == KAN_OK)
        err = settle_taken(&draft, message);
    err = step_end(&draft, err, NULL, taken);
    message_taken(attempt, message, steps);
    return err;
}

static enum kan_err step_message(struct actor_attempt *attempt,
                                 const struct input *input, uint64_t now_ms)
{
    struct actor_message *message = input->message;
    struct turn_input turn = {.kind = TURN_MESSAGE,
                              .sender = &message->from,
                              .record = message->record,
                              .message = message->bytes};
    static const struct turn_output unhandled = {.end = TURN_UNHANDLED};
    const struct turn_output *output = &unhandled;
    uint32_t taken = attempt->taken_count;
    uint32_t steps = attempt->steps;
    struct draft draft;
    enum kan_err err;

    if (message->bad)
        return step_crash(attempt, input, now_ms,
                          "its fields are not those of the table of that name "
                          "any more");
    draft_begin(&draft, attempt, now_ms);
    if (kan_ref_equal(&draft.head.awaits, &message->from))
        memset(&draft.head.awaits, 0, sizeof(draft.head.awaits));
    if (message->record)
        output = turn_take(&draft, &turn);
    if (turn_crashed(output->end)) {
        draft_drop(&draft);
        return step_crash(attempt, input, now_ms, output->why);
    }
    err = settle_message(&draft, message, output);
    if (err == KAN_OK)
        err = settle_taken(&draft, message);
    err = step_end(&draft, err, output, taken);
    message_taken(attempt, message, steps);
    return err == KAN_FULL ? step_crash(attempt, input, now_ms, too_large)
                           : err;
}

static enum kan_err step_timer(struct actor_attempt *attempt,
                               const struct input *input, uint64_t now_ms)
{
    struct turn_input turn = {.kind = TURN_TIMER, .timer = input->timer};
    const struct actor_chain none = {0};
    uint32_t taken = attempt->taken_count;
    const struct turn_output *output;
    struct draft draft;
    enum kan_err err = KAN_OK;

    draft_begin(&draft, attempt, now_ms);
    memset(&draft.head.clocks[input->timer], 0, sizeof(struct actor_clock));
    output = turn_take(&draft, &turn);
    if (turn_crashed(output->end)) {
        draft_drop(&draft);
        return step_crash(attempt, input, now_ms, output->why);
    }
    if (output->end == TURN_DONE)
        err = take_effects(&draft, output, &none, NULL);
    if (err == KAN_OK && buffer_failed(&attempt->choices))
        err = KAN_NOMEM;
    if (err == KAN_OK)
        take_input(&draft, PATH_TIMER, NULL, input->name);
    err = step_end(&draft, err, output, taken);
    return err == KAN_FULL ? step_crash(attempt, input, now_ms, too_large)
                           : err;
}

/* --- gathering ------------------------------------------------------------ */

/* The next message that the actor takes; a call with a number that was taken
 * before is answered on the way. */
static struct actor_message *next_message(const struct actor_attempt *attempt,
                                          bool *ret_busy)
{
    struct actor *actor = attempt->actor;
    struct list *link = actor->inbox.next;

    while (link != &actor->inbox) {
        struct actor_message *message =
            list_entry(link, struct actor_message, link);
        struct actor_chain chain = message_chain(message);
        enum actor_take take = actor_core_take(&attempt->head, &actor->self,
                                               &message->from, &chain);
        link = link->next;
        if (take == ACTOR_TAKE_LATER ||
            (message->client && client_repeats(actor, message)))
            continue;
        *ret_busy = take == ACTOR_TAKE_BUSY;
        return message;
    }
    return NULL;
}

static bool prepared(const struct actor_attempt *attempt)
{
    return attempt->head.started && !attempt->actor->restart;
}

/* KAN_NOTFOUND when there is nothing to do now. */
static enum kan_err step_next(struct actor_attempt *attempt, bool *ready)
{
    struct actor *actor = attempt->actor;
    uint64_t now_ms = env_wall_ms(actor->host->env);
    struct input input = {.timer = actor_core_due(&attempt->head, now_ms)};
    const char *why;
    bool busy = false;
    enum kan_err err = KAN_OK;

    if (input.timer < KAN_TIMERS_MAX) {
        input.name = actor->type->timers[input.timer].name;
    } else {
        input.message = next_message(attempt, &busy);
        if (!input.message)
            return KAN_NOTFOUND;
        input.name = input.message->name;
    }
    if (!*ready)
        err = step_prepare(attempt, now_ms, &why);
    if (err == KAN_CONFLICT)
        return step_crash(attempt, &input, now_ms, why);
    if (err != KAN_OK)
        return err;
    *ready = true;
    if (busy)
        return step_busy(attempt, input.message, now_ms);
    return input.message ? step_message(attempt, &input, now_ms)
                         : step_timer(attempt, &input, now_ms);
}

static bool room_left(const struct actor_attempt *attempt)
{
    /* Preparing may be a step of its own. */
    return !attempt->full && attempt->steps < ACTOR_STEPS_MAX &&
           attempt->taken_count < ACTOR_STEPS_MAX &&
           attempt->write_count + ACTOR_STEP_WRITES + ACTOR_END_WRITES <=
               attempt->actor->host->writes_max;
}

static enum kan_err put_clock(struct actor_attempt *attempt,
                              enum engine_write_kind kind, uint64_t due_ms,
                              const char *name)
{
    struct actor_write *write = draft_write(attempt, kind);

    store_key_timer(&attempt->bytes, attempt->actor->host->prefix, due_ms,
                    &attempt->actor->self, name);
    draft_write_value(attempt, write);
    return draft_write_end(attempt, write);
}

/* What has become of its timers, so that they are found after a restart. */
static enum kan_err put_clocks(struct actor_attempt *attempt)
{
    const struct actor *actor = attempt->actor;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < actor->type->timer_count; i++) {
        uint64_t before = actor->head.clocks[i].due_ms;
        uint64_t after = attempt->head.clocks[i].due_ms;
        const char *name = actor->type->timers[i].name;
        if (before == after)
            continue;
        if (before)
            err = put_clock(attempt, ENGINE_DELETE, before, name);
        if (err == KAN_OK && after)
            err = put_clock(attempt, ENGINE_PUT, after, name);
        if (err != KAN_OK)
            return err;
    }
    return KAN_OK;
}

/* The actor itself, with everything that its steps came to. */
static enum kan_err put_actor(struct actor_attempt *attempt)
{
    struct actor *actor = attempt->actor;
    struct actor_note *notes[ACTOR_SENDERS_MAX];
    struct actor_write *write;
    enum kan_err err;

    memcpy(notes, actor->notes, sizeof(notes));
    if (attempt->note)
        notes_add(notes, attempt->note);
    err = notes_answer(attempt, notes);
    if (err)
        return err;
    attempt->head.life = actor->host->life;
    attempt->head.attempt = actor->head.attempt + 1;
    write = draft_write(attempt, ENGINE_PUT);
    store_key_actor(&attempt->bytes, actor->host->prefix, &actor->self);
    draft_write_value(attempt, write);
    err = actor_save(actor->type, &attempt->head, notes, attempt->state,
                     &attempt->bytes);
    return err ? err : draft_write_end(attempt, write);
}

static struct actor_attempt *attempt_new(struct actor *actor)
{
    size_t size = actor->type->state->size;
    struct actor_attempt *attempt = mem_alloc(sizeof(*attempt));

    if (!attempt)
        return NULL;
    memset(attempt, 0, offsetof(struct actor_attempt, inputs));
    attempt->actor = actor;
    attempt->head = actor->head;
    list_init(&attempt->taken);
    list_init(&attempt->outs);
    attempt->state = mem_alloc(size);
    if (!attempt->state)
        return mem_free(attempt);
    if (size)
        memcpy(attempt->state, actor->state, size);
    buffer_append(&attempt->choices, buffer_slice(&actor->untold));
    if (!buffer_failed(&attempt->choices))
        return attempt;
    mem_free(attempt->state);
    return mem_free(attempt);
}

enum kan_err actor_gather(struct actor *actor,
                          struct actor_attempt **ret_attempt)
{
    struct actor_attempt *attempt = attempt_new(actor);
    bool ready;
    enum kan_err err = KAN_OK;

    if (!attempt)
        return KAN_NOMEM;
    ready = prepared(attempt);
    while (err == KAN_OK && room_left(attempt))
        err = step_next(attempt, &ready);
    attempt->ready = ready;
    /* What was worked out before memory ended can be committed. */
    if (attempt->steps > 0 || attempt->full)
        err = err == KAN_NOMEM && attempt->steps == 0 ? err : KAN_OK;
    if (err == KAN_OK)
        err = put_clocks(attempt);
    if (err == KAN_OK)
        err = put_actor(attempt);
    if (err != KAN_OK) {
        attempt_drop(attempt);
        return err;
    }
    *ret_attempt = attempt;
    return KAN_OK;
}
