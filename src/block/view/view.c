/* The host of views: one follower a type, another beside it when the meaning of
 * its views has changed, and those who read. */

#include "block/view/view.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "block/view/view_host.h"

enum
{
    VIEW_MAGIC = 0x76696577
};

const struct engine_promises view_needs = {
    .ops_max = 16, .scan = true, .linearizable = true, .watch_from = true};

static void maybe_closed(struct view_host *host);

void view_host_trouble(struct view_host *host, const char *type,
                       const char *what)
{
    struct buffer line = BUFFER_INIT;

    buffer_print(&line, "views of %s: %s", type, what);
    if (host->trouble)
        host->trouble(host->data, buffer_text(&line));
    buffer_fini(&line);
}

/* --- answers -------------------------------------------------------------- */

static void answer(struct view_read *read, enum kan_err err)
{
    struct view_host *host = read->host;

    env_timer_stop(host->env, &read->timer);
    env_undefer(host->env, &read->task);
    list_remove(&read->link);
    read->err = err;
    if (err) {
        read->json = kan_slice(NULL, 0);
        read->as_of = 0;
    }
    read->part = NULL;
    host->reader_count--;
    read->cb(read);
    maybe_closed(host);
}

static int32_t view_number(const struct view_follower *follower,
                           struct kan_slice name)
{
    int32_t view = program_view_find(follower->program, name);

    if (view >= 0 && !program_view(follower->program, (uint32_t)view).over_all)
        view = -1;
    return view;
}

static void totals_fill(const struct view_follower *follower,
                        struct program_total *totals)
{
    for (uint32_t i = 0; i < follower->column_count; i++) {
        totals[i].any = follower->shown[i].any;
        totals[i].amount = follower->shown[i].amount;
        totals[i].json = buffer_slice(&follower->shown_lasts[i]);
    }
}

/* Answer with what the follower shows. */
static void answer_by(struct view_read *read, struct view_follower *follower)
{
    int32_t view = view_number(follower, read->view);
    struct program_total *totals;
    struct buffer json = BUFFER_INIT;
    enum kan_err err = KAN_OK;

    if (view < 0) {
        answer(read, KAN_NOTFOUND);
        return;
    }
    totals = mem_zalloc(follower->column_count * sizeof(*totals));
    if (totals) {
        totals_fill(follower, totals);
        program_view_all_json(follower->program, (uint32_t)view, totals, &json);
    }
    if (!totals || buffer_failed(&json))
        err = KAN_NOMEM;
    read->json = buffer_slice(&json);
    read->as_of = follower->as_of;
    /*= K-VIEW-3: what is read is not older than asked for. */
    kan_assert(err || read->as_of >= read->at_least);
    answer(read, err);
    mem_free(totals);
    buffer_fini(&json);
}

static bool shows(const struct view_follower *follower,
                  const struct view_read *read)
{
    return follower->readable && follower->as_of >= read->at_least;
}

void view_host_shown(struct view_follower *follower)
{
    struct list *link = follower->readers.next;
    struct list ready;

    list_init(&ready);
    while (link != &follower->readers) {
        struct view_read *read = list_entry(link, struct view_read, link);
        link = link->next;
        if (!shows(follower, read))
            continue;
        list_remove(&read->link);
        list_push(&ready, &read->link);
    }
    while ((link = list_first(&ready)) != NULL)
        answer_by(list_entry(link, struct view_read, link), follower);
}

/* --- followers ------------------------------------------------------------ */

/* Of the type: the newest, or an older one that still shows what it has. */
static struct view_follower *follower_of(const struct view_host *host,
                                         struct kan_slice type, bool frozen)
{
    for (struct list *link = host->followers.next; link != &host->followers;
         link = link->next) {
        struct view_follower *follower =
            list_entry(link, struct view_follower, link);
        if (!follower->stopping && (follower->phase == VIEW_FROZEN) == frozen &&
            slice_equal(buffer_slice(&follower->name), type))
            return follower;
    }
    return NULL;
}

void view_host_gone(struct view_host *host)
{
    maybe_closed(host);
}

/* Readers of one that goes wait for the other, or have nothing to wait for. */
static void readers_move(struct view_follower *from, struct view_follower *to)
{
    struct list *link;

    while ((link = list_first(&from->readers)) != NULL) {
        struct view_read *read = list_entry(link, struct view_read, link);
        if (!to) {
            answer(read, KAN_NOTFOUND);
            continue;
        }
        list_remove(link);
        list_push(&to->readers, link);
    }
}

void view_host_switch(struct view_follower *follower)
{
    struct kan_slice type = buffer_slice(&follower->name);
    struct view_follower *old;

    /*= K-VIEW-4: it takes the place of an older one when it is complete. */
    kan_assert(follower->readable && !follower->place.scanning);
    while ((old = follower_of(follower->host, type, true)) != NULL) {
        readers_move(old, follower);
        view_follower_stop(old);
    }
}

static bool has_views(const struct program *program)
{
    for (uint32_t i = 0; i < program_view_count(program); i++)
        if (program_view(program, i).over_all)
            return true;
    return false;
}

/* Put the right follower in place for a type. KAN_NOMEM. */
static enum kan_err follow(struct view_host *host, struct contract *contract,
                           uint32_t type)
{
    struct kan_slice name = contract_type_name(contract, type);
    struct view_follower *present = follower_of(host, name, false);
    struct view_follower *next;
    uint8_t meaning[VIEW_HASH_SIZE];
    enum kan_err err;

    view_meaning(contract, type, meaning);
    if (present && memcmp(present->meaning, meaning, sizeof(meaning)) == 0)
        return KAN_OK;
    if (!has_views(contract_program(contract, type, 0)))
        return KAN_OK;
    err = view_follower_new(host, contract, type, &next);
    if (err || !present)
        return err;
    readers_move(present, next);
    /* One that never showed anything has nothing to show meanwhile. */
    if (present->readable && !follower_of(host, name, true))
        view_follower_freeze(present);
    else
        view_follower_stop(present);
    return KAN_OK;
}

/* Whether the contract has views over all of this type. */
static bool followed(const struct contract *contract, struct kan_slice name)
{
    int32_t type = contract_type_find(contract, name);

    return type >= 0 &&
           has_views(contract_program(contract, (uint32_t)type, 0));
}

static enum kan_err follow_all(struct view_host *host)
{
    struct contract *contract = entity_host_contract(host->entities);
    uint32_t count = contract_type_count(contract);
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < count && err == KAN_OK; i++)
        err = follow(host, contract, i);
    return err;
}

static void on_follow(struct env_timer *timer)
{
    view_host_reloaded(timer->data);
}

void view_host_reloaded(struct view_host *host)
{
    struct contract *contract = entity_host_contract(host->entities);
    struct list *link;

    check_magic(host, VIEW_MAGIC);
    for (link = host->followers.next; link != &host->followers;) {
        struct view_follower *follower =
            list_entry(link, struct view_follower, link);
        link = link->next;
        if (follower->stopping ||
            followed(contract, buffer_slice(&follower->name)))
            continue;
        readers_move(follower, NULL);
        view_follower_stop(follower);
    }
    if (follow_all(host) == KAN_OK)
        return;
    view_host_trouble(host, "a new contract", "no memory, and tried again");
    if (env_timer_start(host->env, &host->timer,
                        env_now(host->env) + (uint64_t)VIEW_AGAIN_MS * ENV_MS,
                        on_follow))
        return;
}

/* --- reads ---------------------------------------------------------------- */

static void on_deadline(struct env_timer *timer)
{
    answer(timer->data, KAN_TIMEOUT);
}

static void on_cancel(struct env_task *task)
{
    answer(task->data, KAN_CANCELED);
}

void view_read_cancel(struct view_read *read)
{
    if (!read->part)
        return;
    env_undefer(read->host->env, &read->task);
    env_defer(read->host->env, &read->task, on_cancel);
}

/* Which follower answers: an older one only with what it has. */
static struct view_follower *follower_for(const struct view_read *read)
{
    struct view_follower *old = follower_of(read->host, read->type, true);
    struct view_follower *now = follower_of(read->host, read->type, false);

    if (now && view_number(now, read->view) < 0)
        return NULL;
    if (old && shows(old, read) && view_number(old, read->view) >= 0 &&
        !(now && now->readable))
        return old;
    return now;
}

static void on_read(struct env_task *task)
{
    struct view_read *read = task->data;
    struct view_follower *follower = follower_for(read);

    if (!follower) {
        answer(read, read->host->closing ? KAN_CLOSED : KAN_NOTFOUND);
    } else if (shows(follower, read)) {
        answer_by(read, follower);
    } else {
        list_remove(&read->link);
        list_push(&follower->readers, &read->link);
        view_follower_hurry(follower);
    }
}

enum kan_err view_read(struct view_host *host, struct view_read *read,
                       view_read_cb *cb)
{
    uint64_t due = read->deadline_ns;

    check_magic(host, VIEW_MAGIC);
    if (host->closing)
        return KAN_CLOSED;
    if (host->reader_count >= VIEW_READERS_MAX)
        return KAN_BUSY;
    if (due == 0)
        due = env_now(host->env) + (uint64_t)ENGINE_DEADLINE_MS * ENV_MS;
    memset(&read->timer, 0, sizeof(read->timer));
    memset(&read->task, 0, sizeof(read->task));
    memset(&read->link, 0, sizeof(read->link));
    read->timer.data = read;
    read->task.data = read;
    if (env_timer_start(host->env, &read->timer, due, on_deadline))
        return KAN_NOMEM;
    read->host = host;
    read->cb = cb;
    read->part = host;
    host->reader_count++;
    list_push(&host->answering, &read->link);
    env_defer(host->env, &read->task, on_read);
    return KAN_OK;
}

/* --- life ----------------------------------------------------------------- */

enum kan_err view_host_new(const struct view_options *options,
                           struct view_host **ret_host, struct buffer *why)
{
    char missing[128] = "";
    struct view_host *host;

    if (engine_promises_cover(engine_promises(options->engine), &view_needs,
                              missing, sizeof(missing))) {
        buffer_print(why, "views: the engine %s", missing);
        return KAN_INVALID;
    }
    host = mem_zalloc(sizeof(*host));
    if (!host)
        return KAN_NOMEM;
    host->magic = VIEW_MAGIC;
    host->env = options->env;
    host->engine = options->engine;
    host->entities = options->entities;
    host->seed.k0 = env_choose(options->env, INT64_MAX);
    host->seed.k1 = env_choose(options->env, INT64_MAX);
    host->keep_ms = options->keep_ms ? options->keep_ms : VIEW_KEEP_MS;
    host->data = options->data;
    host->trouble = options->trouble;
    host->timer.data = host;
    host->close_task.data = host;
    list_init(&host->followers);
    list_init(&host->answering);
    buffer_append(&host->prefix, options->prefix);
    if (buffer_failed(&host->prefix) || follow_all(host)) {
        /* Nothing of it has begun: the followers have only been thought of. */
        struct list *link;
        while ((link = list_first(&host->followers)) != NULL)
            view_follower_drop(list_entry(link, struct view_follower, link));
        buffer_fini(&host->prefix);
        mem_free(host);
        return KAN_NOMEM;
    }
    *ret_host = host;
    return KAN_OK;
}

static void on_closed(struct env_task *task)
{
    struct view_host *host = task->data;
    env_close_cb *cb = host->close_cb;
    void *data = host->close_data;

    host->magic = 0;
    buffer_fini(&host->prefix);
    mem_free(host);
    if (cb)
        cb(data);
}

static void maybe_closed(struct view_host *host)
{
    if (host->closing && list_empty(&host->followers) &&
        host->reader_count == 0)
        env_defer(host->env, &host->close_task, on_closed);
}

static void on_close(struct env_task *task)
{
    struct view_read *read = task->data;

    answer(read, KAN_CLOSED);
}

void view_host_close(struct view_host *host, void *data, env_close_cb *cb)
{
    struct list *link;

    check_magic(host, VIEW_MAGIC);
    kan_assert(!host->closing);
    host->closing = true;
    host->close_data = data;
    host->close_cb = cb;
    env_timer_stop(host->env, &host->timer);
    for (link = host->followers.next; link != &host->followers;
         link = link->next) {
        struct view_follower *follower =
            list_entry(link, struct view_follower, link);
        list_splice(&host->answering, &follower->readers);
        if (!follower->stopping)
            view_follower_stop(follower);
    }
    for (link = host->answering.next; link != &host->answering;
         link = link->next) {
        struct view_read *read = list_entry(link, struct view_read, link);
        env_undefer(host->env, &read->task);
        env_defer(host->env, &read->task, on_close);
    }
    maybe_closed(host);
}
