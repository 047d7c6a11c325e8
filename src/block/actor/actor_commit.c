/* An attempt committed, and what it came to let out: once it is certain. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/actor/actor_draft.h"

static void attempt_settle(struct actor_attempt *attempt, enum kan_err err);

/* --- the end of an attempt ------------------------------------------------ */

static void outs_drop(struct actor_attempt *attempt)
{
    struct list *link;

    while ((link = list_pop(&attempt->outs)) != NULL)
        out_free(list_entry(link, struct actor_out, link));
}

/* What was taken is gone for good; its clients wait for answers only. */
static void taken_free(struct actor_attempt *attempt)
{
    struct list *link;

    while ((link = list_pop(&attempt->taken)) != NULL) {
        struct actor_message *message =
            list_entry(link, struct actor_message, link);
        if (message->client)
            message->client->trying = false;
        mem_free(message);
    }
}

static void attempt_free(struct actor_attempt *attempt)
{
    outs_drop(attempt);
    taken_free(attempt);
    buffer_fini(&attempt->bytes);
    buffer_fini(&attempt->choices);
    mem_free(attempt->note);
    notes_answer_drop(attempt);
    mem_free(attempt->state);
    if (attempt->actor->attempt == attempt)
        attempt->actor->attempt = NULL;
    mem_free(attempt);
}

/* Put back what was taken, in its old order. Clients that have gone do not
 * want theirs to be tried again. */
static void taken_back(struct actor_attempt *attempt)
{
    struct actor *actor = attempt->actor;

    if (attempt->again)
        inbox_push(actor, attempt->again, true);
    attempt->again = NULL;
    while (!list_empty(&attempt->taken)) {
        struct actor_message *message =
            list_entry(attempt->taken.prev, struct actor_message, link);
        list_remove(&message->link);
        if (message->revision == 0 && !message->client)
            mem_free(message);
        else
            inbox_push(actor, message, true);
    }
}

void attempt_drop(struct actor_attempt *attempt)
{
    taken_back(attempt);
    attempt_free(attempt);
}

void attempt_abandon(struct actor_attempt *attempt)
{
    mem_free(attempt->again);
    attempt_free(attempt);
}

/* --- success -------------------------------------------------------------- */

static void tell_event(const struct actor_attempt *attempt,
                       const struct actor_taken *taken)
{
    struct actor_host *host = attempt->actor->host;
    const struct actor_message *message = taken->message;
    struct actor_event event = {.input = taken->input,
                                .actor = attempt->actor->self,
                                .name = taken->name,
                                .now_ms = (int64_t)taken->now_ms,
                                .choice_count = taken->choice_count,
                                .path = host->stats.path};

    if (message) {
        event.from = message->from;
        event.record = message->record;
        event.message = message->bad ? NULL : message->bytes;
    }
    if (taken->choice_count)
        event.choices =
            (const void *)(attempt->choices.bytes + taken->choice_at);
    host->options.event(host->options.data, &event);
}

/* Count the inputs into the path of this process, one by one. */
static void tell_inputs(const struct actor_attempt *attempt)
{
    const struct actor *actor = attempt->actor;
    struct actor_host *host = actor->host;
    struct path_id blank = path_id_actor(&actor->self);
    struct path_id before = actor->head.path;
    bool begun = actor->version && actor->head.life == host->life &&
                 (before.low != blank.low || before.high != blank.high);

    for (uint32_t i = 0; i < attempt->taken_count; i++) {
        const struct actor_taken *taken = &attempt->inputs[i];
        host->stats.path =
            path_id_replace(host->stats.path, before, begun, taken->after);
        before = taken->after;
        begun = true;
        if (host->options.event)
            tell_event(attempt, taken);
    }
}

/* The message is the engine's; now its receiver sees it. */
static void hand_over(struct actor_host *host, struct actor_out *out,
                      uint64_t revision)
{
    struct actor *to = host_actor_find(host, &out->whom);
    struct actor_message *message = out->message;

    if (!to) {
        kan_assert(!out->to);
        host->mail_missed = true;
        out_free(out);
        return;
    }
    message->revision = revision;
    message->index = out->write;
    if (to->phase == ACTOR_LOADING || to->phase == ACTOR_UNREADABLE ||
        to->reload || to->announced > to->seen) {
        if (revision > to->announced)
            to->announced = revision;
    } else if (revision > to->seen) {
        out->message = NULL;
        inbox_push(to, message, false);
    }
    out_free(out);
    actor_stir(to);
}

static void let_out(struct actor_attempt *attempt, uint64_t revision)
{
    struct actor_host *host = attempt->actor->host;
    struct list *link;

    while ((link = list_pop(&attempt->outs)) != NULL) {
        struct actor_out *out = list_entry(link, struct actor_out, link);
        /*= K-ACTOR-1: nothing leaves a step before its commit has succeeded. */
        kan_assert(revision > 0 && attempt->actor->version == revision);
        if (out->inside)
            hand_over(host, out, revision);
        else
            host_answer(host, out, revision);
    }
}

/* The first message of an actor crashed: no event tells what its start drew,
 * so the next one will. */
static void keep_untold(struct actor_attempt *attempt)
{
    struct buffer *untold = &attempt->actor->untold;

    buffer_fini(untold);
    if (attempt->taken_count > 0)
        return;
    *untold = attempt->choices;
    attempt->choices = (struct buffer)BUFFER_INIT;
}

/* The actor is what the attempt made of it. */
static void actor_adopt(struct actor_attempt *attempt, uint64_t revision)
{
    struct actor *actor = attempt->actor;
    void *state = actor->state;

    /*= K-ACTOR-3: an actor goes from one version to the next, and nobody has
     * written between. */
    kan_assert(revision > actor->version &&
               attempt->head.attempt == actor->head.attempt + 1);
    actor->head = attempt->head;
    actor->state = attempt->state;
    attempt->state = state;
    actor->version = revision;
    actor->failures = 0;
    keep_untold(attempt);
    if (attempt->ready)
        actor->restart = false;
    if (attempt->note)
        mem_free(notes_add(actor->notes, attempt->note));
    attempt->note = NULL;
    for (uint32_t i = 0; i < attempt->late_count; i++)
        mem_free(notes_add(actor->notes, attempt->late[i]));
    attempt->late_count = 0;
    if (attempt->again) {
        attempt->again->crashes++;
        inbox_push(actor, attempt->again, true);
        attempt->again = NULL;
    }
    for (uint32_t i = 0; i < actor->type->timer_count; i++)
        if (actor->head.clocks[i].due_ms)
            host_due(actor->host, actor->head.clocks[i].due_ms);
}

static void attempt_done(struct actor_attempt *attempt, uint64_t revision)
{
    struct actor *actor = attempt->actor;

    actor->host->stats.commits++;
    tell_inputs(attempt);
    actor_adopt(attempt, revision);
    taken_free(attempt);
    actor->attempt = NULL;
    actor->phase = ACTOR_READY;
    let_out(attempt, revision);
    attempt_free(attempt);
    actor_stir(actor);
}

/* --- failure -------------------------------------------------------------- */

/* Clients whose messages are in the attempt are told so. */
static void taken_fail(struct actor_attempt *attempt, enum kan_err err)
{
    struct list *link = attempt->taken.next;

    while (link != &attempt->taken) {
        struct actor_message *message =
            list_entry(link, struct actor_message, link);
        link = link->next;
        if (message->client)
            client_end(message->client, ACTOR_FAILED, err, kan_slice(NULL, 0));
    }
}

/* The engine refused it: it certainly had no effect. */
static void attempt_undo(struct actor_attempt *attempt, enum kan_err err)
{
    struct actor *actor = attempt->actor;

    taken_fail(attempt, err);
    attempt_drop(attempt);
    actor_pause(actor);
}

/* Somebody else has written the actor. Unless an answer was lost, nothing of
 * this attempt took effect; if one was, it may have, before the other wrote:
 * then its clients cannot be told more than that, and those it sent to must
 * look for themselves. */
static void attempt_lost(struct actor_attempt *attempt)
{
    struct actor *actor = attempt->actor;
    struct list *link = attempt->outs.next;

    host_trouble(actor->host,
                 "%s was written by another process: what it had decided is "
                 "dropped, and it is read again",
                 actor->self.text);
    if (attempt->unknown)
        taken_fail(attempt, KAN_LOST);
    for (; attempt->unknown && link != &attempt->outs; link = link->next) {
        struct actor *to = list_entry(link, struct actor_out, link)->to;
        if (to && to->phase == ACTOR_LOADING) {
            to->reload = true;
        } else if (to) {
            inbox_forget(to);
            to->announced = engine_cursor(actor->host->engine).revision;
            actor_stir(to);
        }
    }
    attempt_drop(attempt);
    buffer_fini(&actor->untold);
    actor->reload = true;
    actor->phase = ACTOR_READY;
    actor_stir(actor);
}

/* --- asking the engine ---------------------------------------------------- */

/* Ask again after a while, unless the host closes: then nobody will know. */
static void attempt_wait(struct actor_attempt *attempt)
{
    if (!attempt->actor->host->closing)
        actor_pause(attempt->actor);
}

static void on_look(struct engine_get *get, enum kan_err err)
{
    struct actor *actor = get->request.data;
    struct actor_attempt *attempt = actor->attempt;
    struct actor_host *host = actor->host;
    const struct engine_item *item;
    struct actor_head head;

    host->asked--;
    if (err != KAN_OK) {
        if (actor_core_fate(err) == ACTOR_BROKEN && !host->closing)
            host_break(host, err);
        else
            attempt_wait(attempt);
        host_ebb(host);
        return;
    }
    item = &get->items[0];
    if (item->created &&
        actor_load_head(actor->type, item->value, &head) == KAN_OK &&
        actor_core_own(&head, host->life, attempt->head.attempt))
        attempt_done(attempt, item->version);
    else
        attempt_lost(attempt);
    host_ebb(host);
}

/* Who has written the actor? */
static enum kan_err attempt_look(struct actor_attempt *attempt)
{
    struct actor *actor = attempt->actor;
    struct actor_host *host = actor->host;
    struct buffer key = BUFFER_INIT;
    struct kan_slice keys;
    enum kan_err err = KAN_NOMEM;

    memset(&actor->get, 0, sizeof(actor->get));
    store_key_actor(&key, host->prefix, &actor->self);
    if (!buffer_failed(&key)) {
        keys = buffer_slice(&key);
        actor->get.request.data = actor;
        actor->get.keys = &keys;
        actor->get.key_count = 1;
        err = engine_get(host->engine, &actor->get, on_look);
    }
    buffer_fini(&key);
    return err;
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct actor_attempt *attempt = commit->request.data;
    struct actor_host *host = attempt->actor->host;

    host->asked--;
    attempt_settle(attempt, err);
    host_ebb(host);
}

static enum kan_err attempt_commit(struct actor_attempt *attempt)
{
    struct actor *actor = attempt->actor;
    struct actor_host *host = actor->host;
    struct engine_commit *commit = &attempt->commit;
    const char *bytes = attempt->bytes.bytes;
    struct engine_guard guard = {
        .kind = actor->version ? ENGINE_IF_VERSION : ENGINE_IF_ABSENT,
        .revision = actor->version};

    for (uint32_t i = 0; i < attempt->write_count; i++) {
        const struct actor_write *from = &attempt->writes[i];
        struct engine_write *to = &host->writes[i];
        memset(to, 0, sizeof(*to));
        to->kind = from->kind;
        to->key = kan_slice(bytes + from->key, from->key_size);
        to->value = kan_slice(bytes + from->value, from->value_size);
    }
    /* The actor itself is written last. */
    guard.key = host->writes[attempt->write_count - 1].key;
    memset(commit, 0, sizeof(*commit));
    commit->request.data = attempt;
    commit->guards = &guard;
    commit->guard_count = 1;
    commit->writes = host->writes;
    commit->write_count = attempt->write_count;
    return engine_commit(host->engine, commit, on_commit);
}

static void attempt_settle(struct actor_attempt *attempt, enum kan_err err)
{
    struct actor_host *host = attempt->actor->host;
    enum actor_fate fate = actor_core_fate(err);

    /* What is refused now says nothing of the first time. */
    if (fate == ACTOR_UNDONE && attempt->unknown)
        fate = ACTOR_REPEAT;
    switch (fate) {
    case ACTOR_COMMITTED:
        attempt_done(attempt, attempt->commit.revision);
        break;
    case ACTOR_REPEAT:
        attempt->unknown = true;
        attempt_wait(attempt);
        break;
    case ACTOR_LOOK:
        attempt->look = true;
        if (!host->closing)
            attempt_submit(attempt);
        break;
    case ACTOR_UNDONE:
        attempt_undo(attempt, err);
        break;
    case ACTOR_BROKEN:
        host_break(host, err);
        break;
    }
}

void attempt_submit(struct actor_attempt *attempt)
{
    enum kan_err err =
        attempt->look ? attempt_look(attempt) : attempt_commit(attempt);

    if (err == KAN_OK)
        attempt->actor->host->asked++;
    else if (attempt->look)
        attempt_wait(attempt);
    else
        attempt_settle(attempt, err);
}
