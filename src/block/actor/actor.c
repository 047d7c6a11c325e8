/* The host: its actors, whose turn it is, and how it begins and ends. */

#include "block/actor/actor.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/record.h"
#include "block/actor/actor_host.h"

const struct engine_promises actor_needs = {
    .ops_max = 192, /* of the largest step */
    .commit_bytes_max = 1 << 20,
    .key_max = 256,
    .value_max = 192 << 10, /* a state of 64 KiB as it is kept, at most */
    .append = true,
    .scan = true,
    .linearizable = true,
    .monotone_over_failover = true,
};

/* --- types and tables ----------------------------------------------------- */

const struct kan_actor_type *actor_host_type(const struct actor_host *host,
                                             struct kan_slice name)
{
    check_magic(host, ACTOR_HOST_MAGIC);
    for (uint32_t i = 0; i < host->type_count; i++)
        if (slice_equal(name, kan_text(host->types[i]->name)))
            return host->types[i];
    return NULL;
}

const struct kan_actor_type *host_type_of(const struct actor_host *host,
                                          const struct kan_ref *ref)
{
    return actor_host_type(host, actor_core_ref_type(ref));
}

static const struct kan_record *type_record(const struct kan_actor_type *type,
                                            struct kan_slice name)
{
    for (uint32_t i = 0; i < type->handler_count; i++)
        if (slice_equal(name, kan_text(type->handlers[i].message->name)))
            return type->handlers[i].message;
    return NULL;
}

const struct kan_record *host_record(const struct actor_host *host,
                                     const struct kan_actor_type *type,
                                     struct kan_slice name)
{
    const struct kan_record *record = type_record(type, name);

    if (!record && slice_equal(name, kan_text(kan_failed_record.name)))
        record = &kan_failed_record;
    for (uint32_t i = 0; !record && i < host->type_count; i++)
        record = type_record(host->types[i], name);
    return record;
}

uint32_t mailbox_max(const struct kan_actor_type *type)
{
    return type->mailbox_max ? type->mailbox_max : ACTOR_MAILBOX_DEFAULT;
}

void host_trouble(struct actor_host *host, const char *format, ...)
{
    va_list args;

    if (!host->options.trouble)
        return;
    buffer_clear(&host->text);
    va_start(args, format);
    buffer_vprint(&host->text, format, args);
    va_end(args);
    host->options.trouble(host->options.data, buffer_text(&host->text));
}

/* --- mailboxes ------------------------------------------------------------ */

/* Whether it may stand behind the last one: what an actor sends is numbered.
 * (Who sends kan_failed is not who numbers it.) */
static bool inbox_follows(const struct actor *actor,
                          const struct actor_message *message)
{
    const struct actor_message *last;

    if (list_empty(&actor->inbox) || message->revision == 0)
        return true;
    last = list_entry(actor->inbox.prev, struct actor_message, link);
    return last->revision == 0 || !kan_ref_equal(&last->from, &message->from) ||
           strcmp(last->name, kan_failed_record.name) == 0 ||
           strcmp(message->name, kan_failed_record.name) == 0 ||
           last->number < message->number;
}

void inbox_push(struct actor *actor, struct actor_message *message, bool first)
{
    /*= K-ACTOR-9: what one actor sends to another is taken in that order. */
    kan_assert(first || inbox_follows(actor, message));
    if (first) {
        /* Before the one that is first now. */
        list_push(actor->inbox.next, &message->link);
    } else {
        list_push(&actor->inbox, &message->link);
    }
    if (message->client) {
        message->client->actor = actor;
        message->client->message = message;
        message->client->trying = false;
    }
    actor->inbox_count++;
    actor->host->stats.waiting++;
}

void inbox_remove(struct actor *actor, struct actor_message *message)
{
    kan_assert(actor->inbox_count > 0 && actor->host->stats.waiting > 0);
    list_remove(&message->link);
    if (message->client)
        message->client->message = NULL;
    actor->inbox_count--;
    actor->host->stats.waiting--;
}

void inbox_forget(struct actor *actor)
{
    struct list *link = actor->inbox.next;

    while (link != &actor->inbox) {
        struct actor_message *message =
            list_entry(link, struct actor_message, link);
        link = link->next;
        if (message->client)
            continue;
        inbox_remove(actor, message);
        mem_free(message);
    }
    actor->seen = 0;
}

/* --- actors in memory ----------------------------------------------------- */

struct actor *host_actor_find(const struct actor_host *host,
                              const struct kan_ref *ref)
{
    return map_get(&host->actors, actor_core_ref_text(ref));
}

static void actor_free(struct actor *actor)
{
    struct actor_host *host = actor->host;

    kan_assert(actor->inbox_count == 0 && !actor->attempt);
    if (map_get(&host->actors, actor_core_ref_text(&actor->self)) == actor)
        (void)map_remove(&host->actors, actor_core_ref_text(&actor->self));
    host->stats.active = map_count(&host->actors);
    list_remove(&actor->link);
    env_timer_stop(host->env, &actor->timer);
    for (uint32_t i = 0; i < ACTOR_SENDERS_MAX; i++)
        mem_free(actor->notes[i]);
    buffer_fini(&actor->untold);
    mem_free(actor->why);
    mem_free(actor->state);
    mem_free(actor);
}

/* Whether nothing is lost when it leaves the memory. What is volatile would
 * be, and a restart that is still owed. */
static bool actor_may_leave(const struct actor *actor)
{
    const struct kan_record *record = actor->type->state;
    struct actor_host *host = actor->host;

    if (actor->inbox_count || actor->reserved || actor->attempt)
        return false;
    if (actor->phase == ACTOR_UNREADABLE)
        return true;
    if (actor->phase != ACTOR_READY ||
        (actor->restart && actor->head.life == host->life))
        return false;
    if (record->size == 0 || !actor->head.started)
        return true;
    memcpy(host->scratch, actor->state, record->size);
    record_drop_volatile(record, host->scratch);
    return memcmp(host->scratch, actor->state, record->size) == 0;
}

/* Let the one go that was idle for longest, of the first few. */
static void host_make_room(struct actor_host *host)
{
    struct list *link = host->idle.next;

    for (unsigned i = 0; i < 8 && link != &host->idle; i++) {
        struct actor *actor = list_entry(link, struct actor, link);
        link = link->next;
        if (!actor_may_leave(actor))
            continue;
        actor_free(actor);
        return;
    }
}

static struct actor *actor_new(struct actor_host *host,
                               const struct kan_actor_type *type,
                               const struct kan_ref *ref)
{
    struct actor *actor = mem_zalloc(sizeof(*actor));

    if (!actor)
        return NULL;
    actor->host = host;
    actor->type = type;
    actor->self = *ref;
    actor->reload = true;
    actor->timer.data = actor;
    list_init(&actor->inbox);
    actor->state = mem_zalloc(type->state->size);
    if (!actor->state ||
        env_timer_start(host->env, &actor->timer,
                        env_now(host->env) + (uint64_t)ACTOR_FAR_MS * ENV_MS,
                        actor_timer_cb) ||
        map_put(&host->actors, actor_core_ref_text(ref), actor, NULL)) {
        actor_free(actor);
        return NULL;
    }
    host->stats.active = map_count(&host->actors);
    return actor;
}

struct actor *host_actor(struct actor_host *host,
                         const struct kan_actor_type *type,
                         const struct kan_ref *ref)
{
    struct actor *actor = host_actor_find(host, ref);

    if (actor || host->closing)
        return actor;
    if (map_count(&host->actors) >= host->options.active_max)
        host_make_room(host);
    if (map_count(&host->actors) >= host->options.active_max)
        return NULL;
    actor = actor_new(host, type, ref);
    if (actor)
        actor_read(actor);
    return actor;
}

/* --- whose turn it is ----------------------------------------------------- */

static void actor_rest(struct actor *actor)
{
    struct actor_host *host = actor->host;

    actor->idle_ns = env_now(host->env);
    list_remove(&actor->link);
    list_push(&host->idle, &actor->link);
}

static void actor_run(struct actor *actor)
{
    struct actor_attempt *attempt;
    enum kan_err err = actor_gather(actor, &attempt);

    if (err == KAN_OK) {
        actor->attempt = attempt;
        actor->phase = ACTOR_BUSY;
        attempt_submit(attempt);
    } else if (err == KAN_NOTFOUND) {
        if (actor->inbox_count == 0)
            actor_rest(actor);
    } else {
        actor_pause(actor);
    }
}

static void host_run(struct env_task *task)
{
    struct actor_host *host = task->data;

    for (unsigned i = 0; i < ACTOR_RUNS_MAX; i++) {
        struct list *link = list_first(&host->ready);
        if (!link || host->closing || host->broken)
            return;
        list_remove(link);
        actor_run(list_entry(link, struct actor, link));
    }
    if (!list_empty(&host->ready))
        env_defer(host->env, &host->task, host_run);
}

void actor_stir(struct actor *actor)
{
    struct actor_host *host = actor->host;

    if (host->closing || host->broken || actor->phase != ACTOR_READY)
        return;
    list_remove(&actor->link);
    if (actor->reload || actor->announced > actor->seen) {
        actor_read(actor);
        return;
    }
    if (actor->inbox_count == 0 &&
        actor_core_due(&actor->head, env_wall_ms(host->env)) ==
            KAN_TIMERS_MAX) {
        actor_rest(actor);
        return;
    }
    list_push(&host->ready, &actor->link);
    env_defer(host->env, &host->task, host_run);
}

void host_break(struct actor_host *host, enum kan_err err)
{
    if (host->broken)
        return;
    host->broken = err;
    if (!host->closing)
        host_trouble(host,
                     "the engine has failed (%s: %s): no actor runs until it "
                     "is opened again",
                     kan_err_name(err), engine_message(host->engine));
    host_clients_end(host, err, err);
}

/* --- idle actors ---------------------------------------------------------- */

static void host_tick(struct env_timer *timer)
{
    struct actor_host *host = timer->data;
    uint64_t now = env_now(host->env);
    unsigned count = 0;
    struct list *link = host->idle.next;

    while (link != &host->idle && count++ < ACTOR_PAGE) {
        struct actor *actor = list_entry(link, struct actor, link);
        link = link->next;
        if (now - actor->idle_ns < host->options.idle_ms * ENV_MS)
            break;
        if (actor_may_leave(actor))
            actor_free(actor);
        else
            actor_rest(actor);
    }
    if (host->mail_wanted || host->mail_missed)
        host_mail(host);
    /* It is armed, so moving it needs no memory. */
    (void)!env_timer_start(host->env, &host->tick,
                           now + (uint64_t)ACTOR_RECHECK_MS * ENV_MS,
                           host_tick);
}

/* --- the host ------------------------------------------------------------- */

static void host_free(struct actor_host *host)
{
    env_timer_stop(host->env, &host->tick);
    env_timer_stop(host->env, &host->wake);
    env_undefer(host->env, &host->task);
    env_undefer(host->env, &host->done_task);
    env_undefer(host->env, &host->close_task);
    map_fini(&host->actors);
    map_fini(&host->clients);
    buffer_fini(&host->text);
    turn_free(host->turn);
    mem_free(host->scratch);
    mem_free(host->writes);
    mem_free(host->parameters);
    mem_free(host->types);
    mem_free((void *)host->prefix.bytes);
    host->magic = 0;
    mem_free(host);
}

static enum kan_err host_refuse(struct buffer *why, const char *text)
{
    buffer_append_text(why, text);
    return KAN_INVALID;
}

static uint32_t or_else(uint32_t value, uint32_t preset)
{
    return value ? value : preset;
}

static void options_settle(struct actor_options *options)
{
    options->step_limit_ms = or_else(options->step_limit_ms, 1000);
    options->crashes_max = or_else(options->crashes_max, 3);
    options->active_max = or_else(options->active_max, 10000);
    options->waiting_max = or_else(options->waiting_max, 65536);
    options->idle_ms = options->idle_ms ? options->idle_ms : 60000;
}

static enum kan_err add_types(struct actor_host *host,
                              const struct kan_module *module,
                              struct buffer *why)
{
    for (uint32_t i = 0; i < module->actor_count; i++) {
        const struct kan_actor_type *type = module->actors[i];
        enum kan_err err = turn_check_type(type, why);
        if (err != KAN_OK)
            return err;
        if (strcmp(type->name, "client") == 0)
            return host_refuse(why,
                               "a type of actor is called client: that "
                               "name is for who asks from outside");
        if (actor_host_type(host, kan_text(type->name))) {
            buffer_print(why,
                         "two types of actor are called %s: give one another "
                         "name",
                         type->name);
            return KAN_INVALID;
        }
        host->types[host->type_count++] = type;
    }
    return KAN_OK;
}

static enum kan_err take_types(struct actor_host *host, struct buffer *why)
{
    const struct actor_options *options = &host->options;
    size_t count = 0;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < options->module_count; i++)
        count += options->modules[i]->actor_count;
    host->types = mem_alloc((count + 1) * sizeof(struct kan_actor_type *));
    if (!host->types)
        return KAN_NOMEM;
    for (uint32_t i = 0; err == KAN_OK && i < options->module_count; i++)
        err = add_types(host, options->modules[i], why);
    return err;
}

static enum kan_err take_rooms(struct actor_host *host)
{
    const struct actor_options *options = &host->options;
    size_t size = options->parameter_count * sizeof(int64_t);

    host->scratch = mem_alloc(KAN_RECORD_SIZE_MAX);
    host->writes = mem_alloc(ACTOR_WRITES_MAX * sizeof(*host->writes));
    host->parameters = (void *)mem_copy(options->parameters, size);
    host->prefix =
        kan_slice(mem_copy(options->prefix.bytes, options->prefix.size),
                  options->prefix.size);
    if (!host->scratch || !host->writes || !host->parameters ||
        !host->prefix.bytes)
        return KAN_NOMEM;
    return turn_new(&host->turn);
}

static void host_limits(struct actor_host *host)
{
    const struct engine_promises *promises = engine_promises(host->engine);

    host->writes_max = ACTOR_WRITES_MAX;
    if (promises->ops_max - 1 < host->writes_max)
        host->writes_max = promises->ops_max - 1;
    /* The actor itself comes on top. */
    host->bytes_max = promises->commit_bytes_max - actor_needs.value_max;
}

static enum kan_err host_check(const struct actor_options *options,
                               struct buffer *why)
{
    const struct engine_promises *promises = engine_promises(options->engine);
    char text[128] = "";
    enum kan_err err =
        engine_promises_cover(promises, &actor_needs, text, sizeof(text));

    if (err != KAN_OK) {
        buffer_print(why, "the engine %s cannot keep actors: it %s",
                     options->engine->ops->name, text);
        return err;
    }
    if (options->prefix.size + STORE_KEY_MAX > promises->key_max)
        return host_refuse(why, "the key prefix leaves no room for keys");
    return KAN_OK;
}

static struct hash_seed seed_draw(struct env *env)
{
    struct hash_seed seed;

    seed.k0 = env_choose(env, UINT64_MAX);
    seed.k1 = env_choose(env, UINT64_MAX);
    return seed;
}

static void host_init(struct actor_host *host,
                      const struct actor_options *options)
{
    host->magic = ACTOR_HOST_MAGIC;
    host->env = options->env;
    host->engine = options->engine;
    host->options = *options;
    options_settle(&host->options);
    host_limits(host);
    host->life = 1 + env_choose(host->env, UINT64_MAX - 1);
    map_init(&host->actors, seed_draw(host->env), host->options.active_max);
    map_init(&host->clients, seed_draw(host->env), host->options.waiting_max);
    list_init(&host->ready);
    list_init(&host->idle);
    list_init(&host->done);
    host->task.data = host;
    host->done_task.data = host;
    host->close_task.data = host;
    host->tick.data = host;
}

enum kan_err actor_host_new(const struct actor_options *options,
                            struct actor_host **ret_host, struct buffer *why)
{
    struct actor_host *host;
    enum kan_err err = host_check(options, why);

    if (err != KAN_OK)
        return err;
    host = mem_zalloc(sizeof(*host));
    if (!host)
        return KAN_NOMEM;
    host_init(host, options);
    err = take_types(host, why);
    if (err == KAN_OK)
        err = take_rooms(host);
    if (err == KAN_OK)
        err = env_timer_start(
            host->env, &host->tick,
            env_now(host->env) + (uint64_t)ACTOR_RECHECK_MS * ENV_MS,
            host_tick);
    if (err == KAN_OK)
        err = host_watch_begin(host);
    if (err != KAN_OK) {
        host_free(host);
        return err;
    }
    *ret_host = host;
    return KAN_OK;
}

struct actor_stats actor_host_stats(const struct actor_host *host)
{
    check_magic(host, ACTOR_HOST_MAGIC);
    return host->stats;
}

/* --- the end -------------------------------------------------------------- */

static void host_finish(struct env_task *task)
{
    struct actor_host *host = task->data;
    env_close_cb *cb = host->close_cb;
    void *data = host->close_data;
    uint32_t cursor = 0;
    void *value;

    if (host->asked || host->calls)
        return;
    /* Attempts hold on to those they send to. */
    while (map_next(&host->actors, &cursor, NULL, &value)) {
        struct actor *actor = value;
        if (actor->attempt)
            attempt_abandon(actor->attempt);
        inbox_forget(actor);
    }
    cursor = 0;
    while (map_next(&host->actors, &cursor, NULL, &value))
        actor_free(value);
    host_free(host);
    cb(data);
}

void host_ebb(struct actor_host *host)
{
    if (!host->closing || host->asked)
        return;
    /* Nobody can be answered by an actor any more. */
    host_clients_end(host, KAN_CLOSED, KAN_LOST);
    if (host->calls == 0)
        env_defer(host->env, &host->close_task, host_finish);
}

static void host_end(struct env_task *task)
{
    struct actor_host *host = task->data;
    uint32_t cursor = 0;
    void *value;

    host_clients_end(host, KAN_CLOSED, KAN_OK);
    host_watch_end(host);
    while (map_next(&host->actors, &cursor, NULL, &value)) {
        struct actor *actor = value;
        engine_cancel(&actor->get.request);
        engine_cancel(&actor->scan.request);
    }
    host_ebb(host);
}

static void closed_nothing(void *data)
{
    (void)data;
}

void actor_host_close(struct actor_host *host, void *data, env_close_cb *cb)
{
    check_magic(host, ACTOR_HOST_MAGIC);
    kan_assert(!host->closing);
    host->closing = true;
    host->close_data = data;
    host->close_cb = cb ? cb : closed_nothing;
    env_defer(host->env, &host->close_task, host_end);
}
