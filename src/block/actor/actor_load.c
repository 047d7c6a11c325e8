/* An actor read from the engine: its state, then the messages that wait. */

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "base/record.h"
#include "block/actor/actor_host.h"

/* --- waiting -------------------------------------------------------------- */

/* The timer is armed, so moving it needs no memory. */
static void timer_move(struct actor *actor, uint64_t ms)
{
    struct env *env = actor->host->env;

    (void)!env_timer_start(env, &actor->timer, env_now(env) + ms * ENV_MS,
                           actor_timer_cb);
}

void actor_pause(struct actor *actor)
{
    list_remove(&actor->link);
    actor->phase = ACTOR_PAUSED;
    timer_move(actor, actor_core_backoff_ms(actor->failures));
    actor->failures++;
}

void actor_timer_cb(struct env_timer *timer)
{
    struct actor *actor = timer->data;

    timer_move(actor, ACTOR_FAR_MS);
    if (actor->phase != ACTOR_PAUSED || actor->host->closing ||
        actor->host->broken)
        return;
    if (actor->attempt) {
        actor->phase = ACTOR_BUSY;
        attempt_submit(actor->attempt);
        return;
    }
    actor->phase = ACTOR_READY;
    actor_stir(actor);
}

/* --- failures ------------------------------------------------------------- */

/* The engine did not answer a read. */
static void read_failed(struct actor *actor, enum kan_err err)
{
    struct actor_host *host = actor->host;

    if (host->closing)
        return;
    if (actor_core_fate(err) == ACTOR_BROKEN)
        host_break(host, err);
    else
        actor_pause(actor);
}

/* What is kept of it cannot be loaded: everybody who waits is told. */
static void actor_refuse(struct actor *actor, enum kan_err err,
                         struct buffer *why)
{
    struct actor_host *host = actor->host;
    struct list *link = actor->inbox.next;

    actor->phase = ACTOR_UNREADABLE;
    actor->refusal = err;
    actor->reload = true;
    actor->why = mem_copy(why->bytes, why->size);
    while (link != &actor->inbox) {
        struct actor_message *message =
            list_entry(link, struct actor_message, link);
        link = link->next;
        if (message->client)
            client_end(message->client, ACTOR_FAILED, err, buffer_slice(why));
    }
    host_trouble(host, "%s is not loaded: %s. Its messages wait",
                 actor->self.text, buffer_text(why));
    list_push(&host->idle, &actor->link);
    actor->idle_ns = env_now(host->env);
}

/* --- messages ------------------------------------------------------------- */

struct table_search
{
    const struct actor *actor;
};

static const struct kan_record *find_table(void *data, struct kan_slice name)
{
    const struct table_search *search = data;

    return host_record(search->actor->host, search->actor->type, name);
}

static enum kan_err take_item(struct actor *actor,
                              const struct engine_item *item)
{
    struct table_search search = {actor};
    struct actor_message *message;
    struct kan_ref ref;
    uint64_t revision;
    uint32_t index;
    enum kan_err err;

    if (!store_message_key(slice_skip(item->key, actor->host->prefix.size),
                           &ref, &revision, &index))
        return KAN_OK;
    err = message_load(item->value, &search, find_table, &message);
    if (err == KAN_CORRUPT) {
        host_trouble(actor->host, "%s: a message in its mailbox is none: left",
                     actor->self.text);
        return KAN_OK;
    }
    if (err != KAN_OK)
        return err;
    message->revision = revision;
    message->index = index;
    inbox_push(actor, message, false);
    return KAN_OK;
}

static void mail_scan(struct actor *actor, struct kan_slice after);

static void on_mail(struct engine_scan *scan, enum kan_err err)
{
    struct actor *actor = scan->request.data;
    struct actor_host *host = actor->host;

    host->asked--;
    for (uint32_t i = 0; err == KAN_OK && i < scan->item_count; i++)
        err = take_item(actor, &scan->items[i]);
    if (err != KAN_OK) {
        inbox_forget(actor);
        actor->reload = true;
        read_failed(actor, err);
    } else if (scan->more && scan->item_count > 0 && !host->closing) {
        mail_scan(actor, scan->items[scan->item_count - 1].key);
    } else {
        actor->seen = scan->revision;
        actor->failures = 0;
        actor->phase = ACTOR_READY;
        actor_stir(actor);
    }
    host_ebb(host);
}

/* Read the page of messages behind that key; or, when it is empty, behind what
 * was seen. */
static void mail_scan(struct actor *actor, struct kan_slice after)
{
    struct actor_host *host = actor->host;
    struct buffer key = BUFFER_INIT;
    struct engine_scan *scan = &actor->scan;
    size_t prefix_size;
    unsigned char number[8];
    enum kan_err err = KAN_NOMEM;

    memset(scan, 0, sizeof(*scan));
    store_key_mailbox(&key, host->prefix, &actor->self);
    prefix_size = key.size;
    number_pack(actor->seen, number);
    buffer_append(&key, kan_slice(number, sizeof(number)));
    buffer_append(&key, SLICE("\xff\xff\xff\xff"));
    if (!buffer_failed(&key)) {
        scan->request.data = actor;
        scan->prefix = slice_head(buffer_slice(&key), prefix_size);
        scan->after = after.size ? after : buffer_slice(&key);
        scan->limit = ENGINE_KEYS_MAX;
        err = engine_scan(host->engine, scan, on_mail);
    }
    buffer_fini(&key);
    if (err == KAN_OK) {
        host->asked++;
        return;
    }
    inbox_forget(actor);
    actor->reload = true;
    read_failed(actor, err);
}

/* --- the state ------------------------------------------------------------ */

static void notes_free(struct actor *actor)
{
    for (uint32_t i = 0; i < ACTOR_SENDERS_MAX; i++)
        actor->notes[i] = mem_free(actor->notes[i]);
}

static enum kan_err take_state(struct actor *actor,
                               const struct engine_item *item,
                               struct buffer *why)
{
    struct actor_note *notes[ACTOR_SENDERS_MAX] = {NULL};
    struct actor_head head = actor_core_head(&actor->self);
    enum kan_err err = KAN_OK;

    if (actor->type->state->size)
        memset(actor->state, 0, actor->type->state->size);
    if (item->created)
        err = actor_load(actor->type, item->value, &head, notes, actor->state,
                         why);
    if (err != KAN_OK)
        return err;
    notes_free(actor);
    memcpy(actor->notes, notes, sizeof(notes));
    actor->head = head;
    actor->version = item->created ? item->version : 0;
    actor->restart = head.started && head.life != actor->host->life;
    actor->reload = false;
    return KAN_OK;
}

static void on_state(struct engine_get *get, enum kan_err err)
{
    struct actor *actor = get->request.data;
    struct actor_host *host = actor->host;
    struct buffer why = BUFFER_INIT;

    host->asked--;
    if (err != KAN_OK) {
        read_failed(actor, err);
    } else {
        err = take_state(actor, &get->items[0], &why);
        if (err == KAN_NOMEM)
            actor_pause(actor);
        else if (err != KAN_OK)
            actor_refuse(actor, err, &why);
        else if (!host->closing)
            mail_scan(actor, kan_slice(NULL, 0));
    }
    buffer_fini(&why);
    host_ebb(host);
}

void actor_read(struct actor *actor)
{
    struct actor_host *host = actor->host;
    struct buffer key = BUFFER_INIT;
    struct kan_slice keys;
    enum kan_err err = KAN_NOMEM;

    list_remove(&actor->link);
    actor->phase = ACTOR_LOADING;
    if (!actor->reload) {
        mail_scan(actor, kan_slice(NULL, 0));
        return;
    }
    inbox_forget(actor);
    memset(&actor->get, 0, sizeof(actor->get));
    store_key_actor(&key, host->prefix, &actor->self);
    if (!buffer_failed(&key)) {
        keys = buffer_slice(&key);
        actor->get.request.data = actor;
        actor->get.keys = &keys;
        actor->get.key_count = 1;
        err = engine_get(host->engine, &actor->get, on_state);
    }
    buffer_fini(&key);
    if (err == KAN_OK)
        host->asked++;
    else
        read_failed(actor, err);
}
