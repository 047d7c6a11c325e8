/* Calls from outside: clients, their messages and their answers. */

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/record.h"
#include "block/actor/actor_host.h"

/* --- answers -------------------------------------------------------------- */

static void done_run(struct env_task *task)
{
    struct actor_host *host = task->data;
    struct list batch;
    struct list *link;

    list_init(&batch);
    list_splice(&batch, &host->done);
    while ((link = list_pop(&batch)) != NULL) {
        struct actor_call *call = list_entry(link, struct actor_call, link);
        struct actor_client *client = call->part;
        struct actor_out *out = client->out;
        /*= K-ACTOR-10: a call is answered once. */
        kan_assert(host->calls > 0 && !client->known && !client->message);
        host->calls--;
        call->part = mem_free(client);
        call->cb(call);
        if (out)
            out_free(out);
    }
    host_ebb(host);
}

/* Nobody knows it any more; its cb runs soon. */
static void client_done(struct actor_client *client)
{
    struct actor_call *call = client->call;
    struct actor_host *host = call->host;

    if (client->known)
        (void)map_remove(&host->clients, actor_core_ref_text(&client->ref));
    client->known = false;
    env_timer_stop(host->env, &call->timer);
    list_push(&host->done, &call->link);
    env_defer(host->env, &host->done_task, done_run);
}

/* Whose message an attempt has: the message must forget the client. */
static void client_leave(struct actor_client *client)
{
    struct actor_message *message = client->message;
    struct actor_attempt *attempt;
    struct list *link;

    if (message) {
        inbox_remove(client->actor, message);
        mem_free(message);
        return;
    }
    if (!client->trying)
        return;
    attempt = client->actor->attempt;
    kan_assert(attempt);
    for (link = attempt->taken.next; link != &attempt->taken;
         link = link->next) {
        message = list_entry(link, struct actor_message, link);
        if (message->client == client)
            message->client = NULL;
    }
    client->trying = false;
}

void client_end(struct actor_client *client, enum actor_outcome outcome,
                enum kan_err err, struct kan_slice text)
{
    struct actor_call *call = client->call;
    struct actor_out *out = NULL;

    client_leave(client);
    if (text.size) {
        /* Without memory a refusal has no text; an answer is its text. */
        out = mem_zalloc(sizeof(*out) + text.size);
        if (out) {
            memcpy(out + 1, text.bytes, text.size);
        } else if (outcome == ACTOR_ANSWERED) {
            outcome = ACTOR_FAILED;
            err = KAN_NOMEM;
        }
    }
    call->outcome = outcome;
    call->err = err;
    client->out = out;
    if (out)
        call->text = kan_slice(out + 1, text.size);
    client_done(client);
}

void host_answer(struct actor_host *host, struct actor_out *out,
                 uint64_t revision)
{
    struct actor_client *client =
        map_get(&host->clients, actor_core_ref_text(&out->whom));
    struct actor_call *call;

    if (!client) {
        out_free(out);
        return;
    }
    client_leave(client);
    call = client->call;
    call->outcome = out->outcome;
    call->err = out->err;
    call->revision = revision;
    call->text = kan_text(out->text);
    if (out->message) {
        call->record = out->message->record;
        call->message = out->message->bytes;
    }
    client->out = out;
    client_done(client);
}

void host_clients_end(struct actor_host *host, enum kan_err waiting,
                      enum kan_err begun)
{
    uint32_t cursor = 0;
    void *value;

    while (map_next(&host->clients, &cursor, NULL, &value)) {
        struct actor_client *client = value;
        if (client->message)
            client_end(client, ACTOR_FAILED, waiting, kan_slice(NULL, 0));
        else if (begun != KAN_OK)
            client_end(client, ACTOR_FAILED, begun, kan_slice(NULL, 0));
    }
}

/* --- calls sent twice ----------------------------------------------------- */

static void note_answer(struct actor_client *client,
                        const struct actor_note *note)
{
    struct kan_slice text = kan_slice(note->text, note->size);

    switch ((enum note_outcome)note->outcome) {
    case NOTE_ANSWERED:
        client_end(client, ACTOR_ANSWERED, KAN_OK, text);
        break;
    case NOTE_REFUSED:
        client_end(client, ACTOR_REFUSED, KAN_OK, text);
        break;
    case NOTE_PARKED:
        client_end(client, ACTOR_PARKED, KAN_OK, text);
        break;
    case NOTE_PENDING:
    case NOTE_CRASHED:
    case NOTE_GONE:
        client_end(client, ACTOR_FAILED, KAN_COMPACTED,
                   SLICE("this call was taken before, and its answer is no "
                         "longer kept"));
        break;
    }
}

/* The answer may still come: to whoever asked first, who is this one now. */
static void note_wait(struct actor_client *client,
                      const struct actor_note *note)
{
    struct actor_host *host = client->call->host;
    struct kan_slice text = actor_core_ref_text(&note->client);

    if (map_get(&host->clients, text)) {
        client_end(client, ACTOR_FAILED, KAN_BUSY,
                   SLICE("the same call waits for its answer already"));
        return;
    }
    if (map_put(&host->clients, text, client, NULL)) {
        client_end(client, ACTOR_FAILED, KAN_NOMEM, kan_slice(NULL, 0));
        return;
    }
    (void)map_remove(&host->clients, actor_core_ref_text(&client->ref));
    client->ref = note->client;
    client_leave(client);
}

bool client_repeats(struct actor *actor, struct actor_message *message)
{
    struct actor_client *client = message->client;
    const struct actor_call *call = client->call;
    const struct actor_note *note;

    if (call->number == 0)
        return false;
    note = notes_find(actor->notes, call->sender);
    switch (actor_core_number(note ? note->number : 0, call->number)) {
    case ACTOR_NUMBER_NEW:
        return false;
    case ACTOR_NUMBER_SAME:
        break;
    case ACTOR_NUMBER_OLD:
        client_end(client, ACTOR_FAILED, KAN_COMPACTED,
                   SLICE("a later call of this sender was taken before"));
        return true;
    }
    if (note->outcome == NOTE_CRASHED)
        return false;
    /*= K-ACTOR-4: a call with a number is taken once. */
    kan_assert(note->number == call->number);
    if (note->outcome == NOTE_PENDING)
        note_wait(client, note);
    else
        note_answer(client, note);
    return true;
}

/* --- submitting ----------------------------------------------------------- */

static void on_deadline(struct env_timer *timer)
{
    struct actor_call *call = timer->data;

    client_end(call->part, ACTOR_FAILED, KAN_TIMEOUT, kan_slice(NULL, 0));
}

/* Says what is wrong with the call, with KAN_OK and the message when nothing
 * is. */
static enum kan_err call_read(struct actor_host *host,
                              struct actor_client *client,
                              const struct kan_actor_type **ret_type,
                              struct kan_ref *ret_self,
                              struct actor_message **ret_message,
                              struct buffer *why)
{
    struct actor_call *call = client->call;
    const struct kan_actor_type *type = actor_host_type(host, call->type);
    const struct actor_chain none = {0};
    const struct kan_record *record = NULL;
    void *bytes;
    enum kan_err err = KAN_OK;

    call->outcome = ACTOR_NO_TYPE;
    if (!type)
        return KAN_NOTFOUND;
    call->outcome = ACTOR_ID_ILLEGAL;
    if (!actor_core_ref(call->type, call->id, ret_self) ||
        call->sender.size >= sizeof(struct kan_ref))
        return KAN_NOTFOUND;
    for (uint32_t i = 0; !record && i < type->handler_count; i++)
        if (slice_equal(call->method,
                        kan_text(type->handlers[i].message->name)))
            record = type->handlers[i].message;
    call->outcome = ACTOR_NO_METHOD;
    if (!record)
        return KAN_NOTFOUND;
    call->outcome = ACTOR_BODY_INVALID;
    bytes = mem_zalloc(record->size);
    if (!bytes)
        return KAN_NOMEM;
    err = record_from_json(record, call->body.size ? call->body : SLICE("{}"),
                           bytes, why);
    if (err == KAN_OK)
        err = message_new(&client->ref, &none, record, bytes, ret_message);
    mem_free(bytes);
    *ret_type = type;
    return err;
}

/* KAN_NOTFOUND: nothing else is wrong but what call->outcome says. */
static enum kan_err call_place(struct actor_host *host,
                               struct actor_client *client, struct buffer *why)
{
    const struct kan_actor_type *type;
    struct actor_message *message;
    struct actor *actor;
    struct kan_ref self;
    enum kan_err err = call_read(host, client, &type, &self, &message, why);

    if (err != KAN_OK)
        return err == KAN_INVALID ? KAN_NOTFOUND : err;
    actor = host_actor(host, type, &self);
    if (!actor || actor->inbox_count + actor->reserved >= mailbox_max(type)) {
        mem_free(message);
        return KAN_BUSY;
    }
    if (actor->phase == ACTOR_UNREADABLE) {
        mem_free(message);
        client->call->outcome = ACTOR_FAILED;
        client->call->err = actor->refusal;
        buffer_append_text(why, actor->why ? actor->why : "");
        return KAN_NOTFOUND;
    }
    err = map_put(&host->clients, actor_core_ref_text(&client->ref), client,
                  NULL);
    if (err != KAN_OK) {
        mem_free(message);
        return err;
    }
    client->known = true;
    message->client = client;
    inbox_push(actor, message, false);
    actor_stir(actor);
    return KAN_OK;
}

static enum kan_err call_submit(struct actor_host *host,
                                struct actor_client *client)
{
    struct actor_call *call = client->call;
    struct buffer why = BUFFER_INIT;
    uint64_t due = call->deadline_ns;
    enum kan_err err;

    if (due == 0)
        due = env_now(host->env) + (uint64_t)ACTOR_DEADLINE_MS * ENV_MS;
    err = env_timer_start(host->env, &call->timer, due, on_deadline);
    if (err == KAN_OK)
        err = call_place(host, client, &why);
    if (err == KAN_NOTFOUND) {
        host->calls++;
        client_end(client, call->outcome, call->err, buffer_slice(&why));
        err = KAN_OK;
    } else if (err == KAN_OK) {
        host->calls++;
    } else {
        env_timer_stop(host->env, &call->timer);
    }
    buffer_fini(&why);
    return err;
}

enum kan_err actor_call(struct actor_host *host, struct actor_call *call,
                        actor_call_cb *cb)
{
    struct actor_client *client;
    enum kan_err err;

    check_magic(host, ACTOR_HOST_MAGIC);
    if (host->closing)
        return KAN_CLOSED;
    if (host->calls >= host->options.waiting_max ||
        host->stats.waiting >= host->options.waiting_max)
        return KAN_BUSY;
    client = mem_zalloc(sizeof(*client));
    if (!client)
        return KAN_NOMEM;
    (void)snprintf(client->ref.text, sizeof(client->ref.text),
                   "client/%08x.%llu", (unsigned)host->life,
                   (unsigned long long)++host->client_count);
    client->call = call;
    call->err = KAN_OK;
    call->record = NULL;
    call->message = NULL;
    call->text = kan_slice(NULL, 0);
    call->revision = 0;
    call->host = host;
    call->cb = cb;
    call->part = client;
    memset(&call->link, 0, sizeof(call->link));
    memset(&call->timer, 0, sizeof(call->timer));
    call->timer.data = call;
    if (host->broken) {
        host->calls++;
        client_end(client, ACTOR_FAILED, host->broken, kan_slice(NULL, 0));
        return KAN_OK;
    }
    err = call_submit(host, client);
    if (err != KAN_OK)
        call->part = mem_free(client);
    return err;
}

void actor_call_cancel(struct actor_call *call)
{
    struct actor_client *client = call->part;

    if (!client || list_linked(&call->link))
        return;
    check_magic(call->host, ACTOR_HOST_MAGIC);
    client_end(client, ACTOR_FAILED, KAN_CANCELED, kan_slice(NULL, 0));
}
