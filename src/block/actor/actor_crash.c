/* What a crash leads to: a client is told, a message stays or is parked, a
 * timer is disarmed. And what is remembered of calls with numbers. */

#include "base/alloc.h"
#include "base/assert.h"
#include "base/record.h"
#include "block/actor/actor_draft.h"

/* --- crashes -------------------------------------------------------------- */

/* What failed, and how. */
struct crash
{
    const char *name; /* of the message or timer */
    const char *why;
};

bool turn_crashed(enum turn_end end)
{
    return end != TURN_DONE && end != TURN_UNHANDLED && end != TURN_REFUSED;
}

static enum kan_err park(struct draft *draft,
                         const struct actor_message *message,
                         const struct crash *crash)
{
    struct actor_attempt *attempt = draft->attempt;
    struct buffer json = BUFFER_INIT;
    struct parked_value parked = {.actor = attempt->actor->self,
                                  .method = kan_text(crash->name),
                                  .why = kan_text(crash->why)};
    struct actor_write *write;
    enum kan_err err = KAN_OK;

    if (message)
        parked.from = message->from;
    if (message && message->record && !message->bad)
        err = record_to_json(message->record, message->bytes, &json);
    /* A number can take ten times its room in JSON. */
    if (err == KAN_OK && json.size <= KAN_RECORD_SIZE_MAX)
        parked.json = buffer_slice(&json);
    if (err == KAN_OK) {
        write = draft_write(attempt, ENGINE_APPEND);
        store_key_all(&attempt->bytes, draft->host->prefix, 'p');
        draft_write_value(attempt, write);
        parked_save(&parked, &attempt->bytes);
        err = draft_write_end(attempt, write);
    }
    buffer_fini(&json);
    return err;
}

/* Remember what a call with a number came to. */
enum kan_err note_take(struct actor_attempt *attempt,
                       const struct actor_message *message,
                       enum note_outcome outcome, uint32_t crashes,
                       struct kan_slice text)
{
    const struct actor_call *call =
        message->client ? message->client->call : NULL;
    enum kan_err err;

    if (!call || call->number == 0)
        return KAN_OK;
    if (text.size > ACTOR_ANSWER_MAX) {
        outcome = outcome == NOTE_ANSWERED ? NOTE_GONE : outcome;
        text = slice_head(text, outcome == NOTE_GONE ? 0 : ACTOR_ANSWER_MAX);
    }
    err = note_new(text, &attempt->note);
    if (err != KAN_OK)
        return err;
    memcpy(attempt->note->sender.text, call->sender.bytes, call->sender.size);
    attempt->note->number = call->number;
    attempt->note->crashes = crashes;
    attempt->note->outcome = outcome;
    attempt->note->client = message->from;
    attempt->full = true;
    return KAN_OK;
}

void notes_answer_drop(struct actor_attempt *attempt)
{
    while (attempt->late_count > 0)
        mem_free(attempt->late[--attempt->late_count]);
}

/* The note of the call whose client it is, while that waits. */
static struct actor_note *note_pending(struct actor_note *const *notes,
                                       const struct kan_ref *client)
{
    for (uint32_t i = 0; i < ACTOR_SENDERS_MAX && notes[i]; i++)
        if (notes[i]->outcome == NOTE_PENDING &&
            kan_ref_equal(&notes[i]->client, client))
            return notes[i];
    return NULL;
}

static enum kan_err note_answered(const struct actor_note *pending,
                                  const struct actor_message *answer,
                                  struct actor_note **ret_note)
{
    struct buffer json = BUFFER_INIT;
    enum kan_err err = record_to_json(answer->record, answer->bytes, &json);
    bool fits = json.size <= ACTOR_ANSWER_MAX;

    if (err == KAN_OK)
        err =
            note_new(fits ? buffer_slice(&json) : kan_slice(NULL, 0), ret_note);
    buffer_fini(&json);
    if (err)
        return err;
    (*ret_note)->sender = pending->sender;
    (*ret_note)->number = pending->number;
    (*ret_note)->crashes = pending->crashes;
    (*ret_note)->client = pending->client;
    (*ret_note)->outcome = fits ? NOTE_ANSWERED : NOTE_GONE;
    return KAN_OK;
}

enum kan_err notes_answer(struct actor_attempt *attempt,
                          struct actor_note **notes)
{
    enum kan_err err = KAN_OK;

    notes_answer_drop(attempt);
    for (struct list *link = attempt->outs.next;
         err == KAN_OK && link != &attempt->outs; link = link->next) {
        const struct actor_out *out = list_entry(link, struct actor_out, link);
        const struct actor_note *pending;
        struct actor_note **late = &attempt->late[attempt->late_count];
        if (out->inside || out->outcome != ACTOR_ANSWERED || !out->message)
            continue;
        pending = note_pending(notes, &out->whom);
        if (!pending)
            continue;
        err = note_answered(pending, out->message, late);
        if (err)
            continue;
        attempt->late_count++;
        (void)notes_add(notes, *late);
    }
    return err;
}

static void say_crash(const struct draft *draft,
                      const struct actor_message *message,
                      const struct crash *crash, uint32_t crashes,
                      enum actor_verdict verdict)
{
    struct actor *actor = draft->attempt->actor;

    /*= K-ACTOR-8: a crash names the actor, its message and the reason. */
    kan_assert(crash->name[0] != '\0' && crash->why[0] != '\0');
    draft->host->stats.crashes++;
    host_trouble(draft->host, "%s: %s%s%s crashed (%u of %u): %s%s",
                 actor->self.text, crash->name, message ? " from " : "",
                 message ? message->from.text : "", (unsigned)crashes,
                 (unsigned)draft->host->options.crashes_max, crash->why,
                 verdict == ACTOR_PARK ? "; it is parked" : "");
    if (verdict == ACTOR_PARK)
        draft->host->stats.parked++;
}

/* A client is told at once; its message is not tried again, unless it is sent
 * again with its number, and then so often only. */
static enum kan_err crash_client(struct draft *draft,
                                 struct actor_message *message,
                                 const struct crash *crash)
{
    struct actor *actor = draft->attempt->actor;
    const struct actor_call *call =
        message->client ? message->client->call : NULL;
    bool numbered = call && call->number != 0;
    struct actor_note *last =
        numbered ? notes_find(actor->notes, call->sender) : NULL;
    uint32_t crashes =
        1 + (last && last->number == call->number ? last->crashes : 0);
    enum actor_verdict verdict = ACTOR_RETRY;
    enum kan_err err = KAN_OK;

    if (numbered)
        verdict = actor_core_crashed(crashes, draft->host->options.crashes_max);
    if (verdict == ACTOR_PARK)
        err = park(draft, message, crash);
    if (err == KAN_OK)
        err = note_take(draft->attempt, message,
                        verdict == ACTOR_PARK ? NOTE_PARKED : NOTE_CRASHED,
                        crashes, kan_text(crash->why));
    if (err == KAN_OK)
        err = draft_answer(draft, message, ACTOR_CRASHED, crash->why);
    if (err != KAN_OK)
        return err;
    say_crash(draft, message, crash, crashes, verdict);
    inbox_remove(actor, message);
    if (message->client)
        message->client->trying = true;
    list_push(&draft->attempt->taken, &message->link);
    return KAN_OK;
}

/* It stays, with one crash more; or it is parked. */
static enum kan_err crash_stored(struct draft *draft,
                                 struct actor_message *message,
                                 const struct crash *crash)
{
    struct actor_attempt *attempt = draft->attempt;
    uint32_t crashes = message->crashes + 1;
    enum actor_verdict verdict =
        message->bad
            ? ACTOR_PARK
            : actor_core_crashed(crashes, draft->host->options.crashes_max);
    struct actor_write *write;
    enum kan_err err;

    if (verdict == ACTOR_PARK) {
        err = draft_delete(attempt, message);
        if (err == KAN_OK)
            err = park(draft, message, crash);
    } else {
        write = draft_write(attempt, ENGINE_PUT);
        draft_message_key(attempt, message);
        draft_write_value(attempt, write);
        message->crashes++;
        err = message_save(message, &attempt->bytes);
        message->crashes--;
        if (err == KAN_OK)
            err = draft_write_end(attempt, write);
    }
    if (err != KAN_OK)
        return err;
    say_crash(draft, message, crash, crashes, verdict);
    inbox_remove(attempt->actor, message);
    if (verdict == ACTOR_PARK)
        list_push(&attempt->taken, &message->link);
    else
        attempt->again = message;
    return KAN_OK;
}

static enum kan_err crash_timer(struct draft *draft, uint32_t timer,
                                const struct crash *crash)
{
    struct actor_clock *clock = &draft->head.clocks[timer];
    uint32_t crashes = clock->crashes + 1;
    enum actor_verdict verdict =
        actor_core_crashed(crashes, draft->host->options.crashes_max);
    enum kan_err err = KAN_OK;

    if (verdict == ACTOR_PARK)
        err = park(draft, NULL, crash);
    if (err != KAN_OK)
        return err;
    say_crash(draft, NULL, crash, crashes, verdict);
    clock->crashes = crashes;
    if (verdict == ACTOR_PARK)
        memset(clock, 0, sizeof(*clock));
    return KAN_OK;
}

/* The input's turn, or the one that had to come before it, has crashed. */
enum kan_err step_crash(struct actor_attempt *attempt,
                        const struct input *input, uint64_t now_ms,
                        const char *why)
{
    struct crash crash = {input->name, why};
    struct draft draft;
    enum kan_err err;

    draft_begin(&draft, attempt, now_ms);
    if (!input->message)
        err = crash_timer(&draft, input->timer, &crash);
    else if (input->message->revision == 0)
        err = crash_client(&draft, input->message, &crash);
    else
        err = crash_stored(&draft, input->message, &crash);
    attempt->full = true;
    if (err == KAN_OK) {
        draft_adopt(&draft, NULL);
        return KAN_OK;
    }
    draft_drop(&draft);
    attempt->note = mem_free(attempt->note);
    return err;
}
