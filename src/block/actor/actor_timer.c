/* What the engine remembers for actors that are not in memory: timers, and
 * messages on their way when the last process ended. One page at a time is
 * looked at, and each actor that has something is woken. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/actor/actor_host.h"

enum
{
    WAKE_MAX_MS = 10 * 1000 /* how late a jump of the clock is noticed */
};

/* --- timers --------------------------------------------------------------- */

static void due_scan(struct actor_host *host, struct kan_slice after);

static void on_wake(struct env_timer *timer)
{
    struct actor_host *host = timer->data;

    if (!host->closing && !host->broken && !host->due_scanning &&
        host->due_ms <= env_wall_ms(host->env)) {
        host->due_again = UINT64_MAX;
        due_scan(host, kan_slice(NULL, 0));
    }
    host_due(host, UINT64_MAX);
}

void host_due(struct actor_host *host, uint64_t due_ms)
{
    uint64_t now_ms = env_wall_ms(host->env);
    uint64_t wait_ms = ACTOR_FAR_MS;
    /* Nobody scans any more: what is due would wake again and again. */
    bool ends = host->closing || host->broken;

    if (due_ms < host->due_ms)
        host->due_ms = due_ms;
    if (host->due_scanning && due_ms < host->due_again)
        host->due_again = due_ms;
    if (host->due_scanning)
        wait_ms = ACTOR_RECHECK_MS;
    else if (host->due_ms != UINT64_MAX && !ends)
        wait_ms = host->due_ms > now_ms ? host->due_ms - now_ms : 0;
    if (host->due_ms != UINT64_MAX && wait_ms > WAKE_MAX_MS)
        wait_ms = WAKE_MAX_MS;
    /* It is armed, so moving it needs no memory. */
    (void)!env_timer_start(host->env, &host->wake,
                           env_now(host->env) + wait_ms * ENV_MS, on_wake);
}

/* The scan found all that was due; the next is due at due_again. What was
 * found is looked for again a while later, in case that it could not be woken.
 */
static void due_end(struct actor_host *host, bool found)
{
    uint64_t again = env_wall_ms(host->env) + ACTOR_RECHECK_MS;

    host->due_scanning = false;
    host->due_ms = host->due_again;
    host_due(host, found ? again : UINT64_MAX);
}

static void wake_timer(struct actor_host *host, const struct kan_ref *ref)
{
    const struct kan_actor_type *type = host_type_of(host, ref);
    struct actor *actor = type ? host_actor(host, type, ref) : NULL;

    if (actor)
        actor_stir(actor);
}

static void on_due(struct engine_scan *scan, enum kan_err err)
{
    struct actor_host *host = scan->request.data;
    uint64_t now_ms = env_wall_ms(host->env);
    bool later = false;

    host->asked--;
    for (uint32_t i = 0; err == KAN_OK && i < scan->item_count && !later; i++) {
        struct kan_slice key =
            slice_skip(scan->items[i].key, host->prefix.size);
        struct kan_ref ref;
        uint64_t due_ms;
        if (!store_timer_key(key, &ref, &due_ms))
            continue;
        later = due_ms > now_ms;
        if (later && due_ms < host->due_again)
            host->due_again = due_ms;
        if (!later && !host->closing)
            wake_timer(host, &ref);
        host->due_found |= !later;
    }
    if (err == KAN_OK && scan->more && !later && !host->closing)
        due_scan(host, scan->items[scan->item_count - 1].key);
    else
        due_end(host, err != KAN_OK || host->due_found);
    if (err != KAN_OK && actor_core_fate(err) == ACTOR_BROKEN && !host->closing)
        host_break(host, err);
    host_ebb(host);
}

/* Look at the timers behind that key; empty: at all. */
static void due_scan(struct actor_host *host, struct kan_slice after)
{
    struct engine_scan *scan = &host->due_scan;
    struct buffer prefix = BUFFER_INIT;
    enum kan_err err = KAN_NOMEM;

    if (after.size == 0)
        host->due_found = false;
    memset(scan, 0, sizeof(*scan));
    store_key_all(&prefix, host->prefix, 't');
    if (!buffer_failed(&prefix)) {
        scan->request.data = host;
        scan->prefix = buffer_slice(&prefix);
        scan->after = after;
        scan->limit = ACTOR_PAGE;
        scan->keys_only = true;
        err = engine_scan(host->engine, scan, on_due);
    }
    buffer_fini(&prefix);
    if (err != KAN_OK) {
        due_end(host, true);
        return;
    }
    host->due_scanning = true;
    host->asked++;
}

/* --- messages from before ------------------------------------------------- */

static void mail_scan(struct actor_host *host, struct kan_slice after);

/* false: there is no room for more actors now. */
static bool wake_mail(struct actor_host *host, const struct kan_ref *ref)
{
    const struct kan_actor_type *type = host_type_of(host, ref);
    struct actor *actor;

    if (!type) {
        host_trouble(host,
                     "messages wait for %s, and no module has its type: they "
                     "stay",
                     ref->text);
        return true;
    }
    actor = host_actor(host, type, ref);
    return actor != NULL;
}

static void mail_page(struct actor_host *host, const struct engine_scan *scan)
{
    struct buffer after = BUFFER_INIT;
    struct kan_ref last;
    bool room = true;

    memset(&last, 0, sizeof(last));
    for (uint32_t i = 0; room && i < scan->item_count; i++) {
        struct kan_slice key =
            slice_skip(scan->items[i].key, host->prefix.size);
        struct kan_ref ref;
        uint64_t revision;
        uint32_t index;
        if (!store_message_key(key, &ref, &revision, &index) ||
            kan_ref_equal(&ref, &last))
            continue;
        room = wake_mail(host, &ref);
        last = ref;
    }
    host->mail_wanted = !room;
    if (!room || !scan->more)
        return;
    /* Behind all messages of the last actor. */
    store_key_mailbox(&after, host->prefix, &last);
    buffer_append(&after,
                  SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    if (buffer_failed(&after) || last.text[0] == '\0')
        mail_scan(host, scan->items[scan->item_count - 1].key);
    else
        mail_scan(host, buffer_slice(&after));
    buffer_fini(&after);
}

static void on_mail(struct engine_scan *scan, enum kan_err err)
{
    struct actor_host *host = scan->request.data;

    host->asked--;
    host->mail_scanning = false;
    if (err == KAN_OK && !host->closing)
        mail_page(host, scan);
    else
        host->mail_wanted = true;
    if (err != KAN_OK && actor_core_fate(err) == ACTOR_BROKEN && !host->closing)
        host_break(host, err);
    host_ebb(host);
}

static void mail_scan(struct actor_host *host, struct kan_slice after)
{
    struct engine_scan *scan = &host->mail_scan;
    struct buffer prefix = BUFFER_INIT;
    enum kan_err err = KAN_NOMEM;

    memset(scan, 0, sizeof(*scan));
    store_key_all(&prefix, host->prefix, 'm');
    if (!buffer_failed(&prefix)) {
        scan->request.data = host;
        scan->prefix = buffer_slice(&prefix);
        scan->after = after;
        scan->limit = ACTOR_PAGE;
        scan->keys_only = true;
        err = engine_scan(host->engine, scan, on_mail);
    }
    buffer_fini(&prefix);
    if (err != KAN_OK) {
        host->mail_wanted = true;
        return;
    }
    host->mail_scanning = true;
    host->asked++;
}

void host_mail(struct actor_host *host)
{
    if (host->mail_scanning || host->closing || host->broken)
        return;
    host->mail_missed = false;
    mail_scan(host, kan_slice(NULL, 0));
}

/* --- the beginning and the end -------------------------------------------- */

enum kan_err host_watch_begin(struct actor_host *host)
{
    enum kan_err err;

    host->wake.data = host;
    host->due_ms = 0; /* nobody knows: look */
    err = env_timer_start(host->env, &host->wake, env_now(host->env), on_wake);
    if (err != KAN_OK)
        return err;
    host_mail(host);
    return KAN_OK;
}

void host_watch_end(struct actor_host *host)
{
    engine_cancel(&host->due_scan.request);
    engine_cancel(&host->mail_scan.request);
}
