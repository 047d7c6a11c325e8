/* Events given to whoever follows, every one once and in order.
 *
 * Of one entity: the numbers tell what comes next. What the engine reports is
 * given at once when it is the next; whenever it is not, or somebody paused,
 * the events are read from where the follower is. No report need be trusted.
 * Of all entities of a type: the engine's watch, from a revision on. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

enum
{
    FOLLOW_PAGE = 100,
    FOLLOW_WAIT_MS = 100
};

struct entity_follower
{
    struct list link;
    struct entity_host *host;
    struct entity_follow *follow; /* NULL: it has heard the end */
    bool one;                     /* one entity, not all */
    bool watching;
    bool scanning;
    bool behind; /* there may be more than what was given */
    bool paused;
    bool ending;
    bool giving; /* its cb is running */
    enum kan_err err;
    uint64_t last;  /* one: the number given last; all: the revision */
    uint32_t given; /* all: of the changes of the revision behind last */
    struct buffer arguments;
    struct buffer prefix;
    struct buffer key;
    struct engine_watch watch;
    struct engine_scan scan;
    struct env_timer timer;
    struct env_task task;
    size_t type_size;
    size_t id_size;
    char names[];
};

static void follow_go(struct entity_follower *it);

static struct kan_slice follow_type(const struct entity_follower *it)
{
    return kan_slice(it->names, it->type_size);
}

static struct kan_slice follow_id(const struct entity_follower *it)
{
    return kan_slice(it->names + it->type_size, it->id_size);
}

/* --- the end -------------------------------------------------------------- */

static void follow_free(struct entity_follower *it)
{
    struct entity_host *host = it->host;

    env_timer_stop(host->env, &it->timer);
    env_undefer(host->env, &it->task);
    list_remove(&it->link);
    buffer_fini(&it->arguments);
    buffer_fini(&it->prefix);
    buffer_fini(&it->key);
    mem_free(it);
    entity_ebb(host);
}

/* It has ended, and the engine has answered all: now it hears of it. */
static void follow_last(struct entity_follower *it)
{
    struct entity_follow *follow = it->follow;

    if (it->watching || it->scanning || it->giving)
        return;
    it->follow = NULL;
    follow->part = NULL;
    follow->cb(follow, it->err, NULL);
    follow_free(it);
}

static void follow_task(struct env_task *task)
{
    struct entity_follower *it = task->data;

    if (it->ending)
        follow_last(it);
    else
        follow_go(it);
}

static void follow_later(struct entity_follower *it)
{
    env_defer(it->host->env, &it->task, follow_task);
}

static void follow_end(struct entity_follower *it, enum kan_err err)
{
    if (it->ending)
        return;
    it->ending = true;
    it->err = err;
    if (it->watching)
        engine_cancel(&it->watch.request);
    follow_later(it);
}

static void follow_timer(struct env_timer *timer)
{
    follow_go(timer->data);
}

/* Try again soon, or give up. */
static void follow_again(struct entity_follower *it, enum kan_err err)
{
    struct env *env = it->host->env;
    uint64_t due = env_now(env) + (uint64_t)FOLLOW_WAIT_MS * ENV_MS;
    enum kan_err_class class = kan_err_class(err);

    it->behind = true;
    if (it->ending)
        follow_later(it);
    else if (class == KAN_CLASS_BROKEN || err == KAN_CLOSED ||
             err == KAN_INVALID || (err == KAN_COMPACTED && !it->one) ||
             env_timer_start(env, &it->timer, due, follow_timer))
        follow_end(it, err);
}

/* --- giving --------------------------------------------------------------- */

/* Give one event. false: stop. */
static bool follow_give(struct entity_follower *it, struct kan_slice key,
                        struct kan_slice value, uint64_t revision)
{
    struct entity_host *host = it->host;
    const struct entity_type *type =
        entity_book_type(host->book, follow_type(it));
    struct entity_event event;
    enum kan_err err = KAN_NOTFOUND;

    if (type)
        err = buffer_reserve(&it->arguments, type->arguments_room);
    if (!err)
        err = entity_event_read(host, follow_type(it), key, value, revision,
                                it->arguments.bytes, &event);
    if (err) {
        follow_end(it, err);
        return false;
    }
    /*= K-ENTITY-11: each event once, and in order. */
    kan_assert(!it->one || event.n > it->last);
    if (it->one)
        it->last = event.n;
    it->giving = true;
    it->follow->cb(it->follow, KAN_OK, &event);
    it->giving = false;
    return !it->ending && !it->paused;
}

static struct kan_slice follow_rest(const struct entity_follower *it,
                                    struct kan_slice key)
{
    return slice_skip(key, it->host->prefix.size + it->type_size + 2);
}

/* Whether an event is the next one: after an erasure that is the tombstone. */
static bool follow_next(const struct entity_follower *it, uint64_t n,
                        struct kan_slice value)
{
    struct entity_record record;

    return n == it->last + 1 ||
           (n > it->last && entity_record_read(value, &record) == KAN_OK &&
            record.kind == ENTITY_ERASED);
}

static void report_one(struct entity_follower *it,
                       const struct engine_change *changes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t n = entity_key_n(changes[i].key);
        if (changes[i].kind != ENGINE_CHANGE_PUT || n <= it->last)
            continue;
        if (it->paused || it->scanning || it->behind || !it->host->open ||
            !follow_next(it, n, changes[i].value)) {
            it->behind = true;
            follow_later(it);
            return;
        }
        if (!follow_give(it, follow_rest(it, changes[i].key), changes[i].value,
                         changes[i].version)) {
            it->behind = true;
            return;
        }
    }
}

/* Each change once, also when it stops in the midst of a commit: then the watch
 * begins before that commit, and skips what was given. */
static void report_all(struct entity_follower *it, uint64_t revision,
                       const struct engine_change *changes, uint32_t count)
{
    for (uint32_t i = it->given; i < count; i++) {
        if (!it->host->open) {
            it->behind = true;
            engine_cancel(&it->watch.request);
            return;
        }
        it->given = i + 1;
        if (changes[i].kind != ENGINE_CHANGE_PUT)
            continue;
        if (!follow_give(it, follow_rest(it, changes[i].key), changes[i].value,
                         changes[i].version) &&
            i + 1 < count)
            return;
    }
    it->given = 0;
    it->last = revision;
}

static void on_report(struct engine_watch *watch, enum kan_err err,
                      uint64_t revision, const struct engine_change *changes,
                      uint32_t count)
{
    struct entity_follower *it = watch->request.data;
    struct entity_host *host = it->host;

    if (err) {
        it->watching = false;
        host->watches--;
        if (it->ending || err == KAN_CANCELED)
            follow_later(it);
        else
            follow_again(it, err);
        entity_ebb(host);
        return;
    }
    if (it->ending || (!it->one && it->paused))
        return;
    if (it->one)
        report_one(it, changes, count);
    else
        report_all(it, revision, changes, count);
}

/* --- reading -------------------------------------------------------------- */

static void on_events(struct engine_scan *scan, enum kan_err err)
{
    struct entity_follower *it = scan->request.data;
    struct entity_host *host = it->host;

    host->asked--;
    it->scanning = false;
    if (err) {
        follow_again(it, err);
        entity_ebb(host);
        return;
    }
    if (scan->more)
        it->behind = true;
    for (uint32_t i = 0; i < scan->item_count && !it->ending; i++) {
        const struct engine_item *item = &scan->items[i];
        uint64_t n = entity_key_n(item->key);
        if (it->paused) {
            it->behind = true;
            break;
        }
        /* What an erasure has not yet deleted is no event any more; it would
         * not follow either. */
        if (!follow_next(it, n, item->value)) {
            it->behind = true;
            follow_again(it, KAN_LOST);
            entity_ebb(host);
            return;
        }
        (void)follow_give(it, follow_rest(it, item->key), item->value,
                          item->version);
    }
    follow_later(it);
    entity_ebb(host);
}

static void follow_scan(struct entity_follower *it)
{
    struct entity_host *host = it->host;
    struct engine_scan *scan = &it->scan;
    enum kan_err err = KAN_NOMEM;

    it->behind = false;
    memset(scan, 0, sizeof(*scan));
    scan->request.data = it;
    scan->limit = FOLLOW_PAGE;
    scan->prefix = entity_key_stream(host, &it->prefix, follow_type(it), 'e',
                                     follow_id(it));
    if (it->last)
        scan->after = entity_key_event(host, &it->key, follow_type(it), 'e',
                                       follow_id(it), it->last);
    if (!buffer_failed(&it->prefix) && !buffer_failed(&it->key))
        err = engine_scan(host->engine, scan, on_events);
    if (err) {
        follow_again(it, err);
        return;
    }
    it->scanning = true;
    host->asked++;
}

static void follow_watch(struct entity_follower *it)
{
    struct entity_host *host = it->host;
    struct engine_watch *watch = &it->watch;
    enum kan_err err = KAN_NOMEM;

    memset(watch, 0, sizeof(*watch));
    watch->request.data = it;
    if (it->one) {
        watch->prefix = entity_key_stream(host, &it->prefix, follow_type(it),
                                          'e', follow_id(it));
    } else {
        watch->prefix = entity_key_plain(host, &it->prefix, follow_type(it),
                                         'e', kan_slice(NULL, 0));
        watch->from = engine_cursor(host->engine);
        watch->from.revision = it->last;
    }
    if (!buffer_failed(&it->prefix))
        err = engine_watch(host->engine, watch, on_report);
    if (err) {
        follow_again(it, err);
        return;
    }
    it->watching = true;
    it->behind = true;
    host->watches++;
}

/* Do what is next. */
static void follow_go(struct entity_follower *it)
{
    struct entity_host *host = it->host;

    if (it->ending || it->giving || !host->open)
        return;
    if (host->closing) {
        follow_end(it, KAN_CLOSED);
        return;
    }
    if (!it->one && it->paused) {
        if (it->watching)
            engine_cancel(&it->watch.request);
        return;
    }
    if (env_timer_armed(&it->timer))
        return;
    if (!it->watching)
        follow_watch(it);
    if (it->one && it->watching && it->behind && !it->paused && !it->scanning)
        follow_scan(it);
}

/* --- beginning, and asking it to stop ------------------------------------- */

enum kan_err entity_follow(struct entity_host *host,
                           struct entity_follow *follow, entity_follow_cb *cb)
{
    size_t size = follow->type.size + follow->id.size;
    struct entity_follower *it;

    check_magic(host, ENTITY_HOST_MAGIC);
    if (host->closing)
        return KAN_CLOSED;
    if (!host->ready)
        return KAN_BUSY;
    if (!entity_book_type(host->book, follow->type) ||
        (follow->id.size && !entity_id_legal(follow->id)))
        return KAN_INVALID;
    it = mem_zalloc(sizeof(*it) + size);
    if (!it)
        return KAN_NOMEM;
    it->host = host;
    it->follow = follow;
    it->one = follow->id.size > 0;
    it->last = follow->after;
    it->type_size = follow->type.size;
    it->id_size = follow->id.size;
    memcpy(it->names, follow->type.bytes, follow->type.size);
    if (it->one)
        memcpy(it->names + it->type_size, follow->id.bytes, follow->id.size);
    it->timer.data = it;
    it->task.data = it;
    follow->host = host;
    follow->cb = cb;
    follow->part = it;
    list_push(&host->follows, &it->link);
    follow_later(it);
    return KAN_OK;
}

void entity_follow_cancel(struct entity_follow *follow)
{
    struct entity_follower *it = follow->part;

    if (it)
        follow_end(it, KAN_CANCELED);
}

void entity_follow_pause(struct entity_follow *follow, bool paused)
{
    struct entity_follower *it = follow->part;

    if (!it || it->paused == paused)
        return;
    it->paused = paused;
    follow_later(it);
}

void entity_follow_stir(struct entity_host *host)
{
    for (struct list *link = host->follows.next; link != &host->follows;
         link = link->next)
        follow_later(list_entry(link, struct entity_follower, link));
}

void entity_follow_end(struct entity_host *host)
{
    for (struct list *link = host->follows.next; link != &host->follows;
         link = link->next)
        follow_end(list_entry(link, struct entity_follower, link), KAN_CLOSED);
}
