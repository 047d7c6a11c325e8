/* A follower of one type's events: where it stands, which piece of work is
 * next, and what it shows. */

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "block/view/view_batch.h"

static void work_later(struct view_follower *follower);
static void load(struct view_follower *follower);

/* --- life ----------------------------------------------------------------- */

/* Two hashes of everything that the parts of an entity depend on. */
void view_meaning(const struct contract *contract, uint32_t type,
                  uint8_t out[VIEW_HASH_SIZE])
{
    uint32_t newest = contract_newest(contract, type);
    uint64_t low = 0x76696577;
    uint64_t high = newest;

    for (uint32_t version = contract_oldest(contract, type); version <= newest;
         version++) {
        struct program_hash hash =
            version == newest
                ? program_view_hash(contract_program(contract, type, 0))
                : contract_upgrade_hash(contract, type, version);
        struct kan_slice bytes = kan_slice(hash.bytes, sizeof(hash.bytes));
        low = hash_bytes((struct hash_seed){low, version}, bytes);
        high = hash_bytes((struct hash_seed){high, low}, bytes);
    }
    memcpy(out, &low, sizeof(low));
    memcpy(out + sizeof(low), &high, sizeof(high));
}

static void follower_free(struct view_follower *follower)
{
    kan_assert(!follower->busy && !follower->watching && !follower->marking);
    kan_assert(list_empty(&follower->readers));
    env_timer_stop(follower->host->env, &follower->timer);
    env_timer_stop(follower->host->env, &follower->nudge);
    env_undefer(follower->host->env, &follower->task);
    list_remove(&follower->link);
    contract_unref(follower->contract);
    for (uint32_t i = 0; i < follower->column_count; i++) {
        if (follower->lasts)
            buffer_fini(&follower->lasts[i]);
        if (follower->shown_lasts)
            buffer_fini(&follower->shown_lasts[i]);
    }
    mem_free(follower->columns);
    mem_free(follower->arguments);
    mem_free(follower->states[0]);
    mem_free(follower->states[1]);
    mem_free(follower->told);
    mem_free(follower->told_values);
    mem_free(follower->totals);
    mem_free(follower->lasts);
    mem_free(follower->dirty);
    mem_free(follower->shown);
    mem_free(follower->shown_lasts);
    buffer_fini(&follower->name);
    buffer_fini(&follower->feed_key);
    buffer_fini(&follower->place_key);
    buffer_fini(&follower->data_key);
    buffer_fini(&follower->mark_key);
    buffer_fini(&follower->after);
    buffer_fini(&follower->clean_after);
    mem_free(follower);
}

static void columns_fill(struct view_follower *follower)
{
    for (uint32_t i = 0; i < follower->column_count; i++) {
        struct program_column column = program_column(follower->program, i);
        follower->columns[i] = column;
        if (!column.of_events)
            follower->of_state = true;
        if (view_ordered(column.kind))
            follower->ordered_count++;
    }
}

static bool rooms_make(struct view_follower *follower)
{
    uint32_t count = follower->column_count;

    follower->columns = mem_zalloc(count * sizeof(*follower->columns));
    follower->arguments = mem_zalloc(TREE_STATE_BYTES_MAX);
    if (contract_oldest(follower->contract, follower->type) <
        program_version(follower->program)) {
        follower->states[0] = mem_zalloc(TREE_STATE_BYTES_MAX);
        follower->states[1] = mem_zalloc(TREE_STATE_BYTES_MAX);
        if (!follower->states[0] || !follower->states[1])
            return false;
    }
    follower->totals = mem_zalloc(count * sizeof(*follower->totals));
    follower->lasts = mem_zalloc(count * sizeof(*follower->lasts));
    follower->dirty = mem_zalloc(count * sizeof(*follower->dirty));
    follower->shown = mem_zalloc(count * sizeof(*follower->shown));
    follower->shown_lasts = mem_zalloc(count * sizeof(*follower->shown_lasts));
    follower->told = mem_zalloc(count * sizeof(*follower->told));
    follower->told_values = mem_zalloc(count * sizeof(*follower->told_values));
    return follower->columns && follower->arguments && follower->totals &&
           follower->told && follower->told_values && follower->lasts &&
           follower->dirty && follower->shown && follower->shown_lasts;
}

/* A key of the views of this type. */
void view_own_key(const struct view_follower *follower, char sort,
                  struct buffer *out)
{
    buffer_append(out, buffer_slice(&follower->host->prefix));
    buffer_append(out, buffer_slice(&follower->name));
    buffer_append_byte(out, 0);
    buffer_append_byte(out, (unsigned char)sort);
}

/* The feed is watched with all that the entities keep of the type, so that a
 * mark can be written into it that is no event. */
static bool keys_make(struct view_follower *follower)
{
    struct kan_slice meaning = kan_slice(follower->meaning, VIEW_HASH_SIZE);

    entity_events_prefix(follower->host->entities,
                         buffer_slice(&follower->name), &follower->feed_key);
    if (buffer_failed(&follower->feed_key) || follower->feed_key.size == 0)
        return false;
    follower->feed_key.size--; /* the sort of key: an event */
    buffer_append(&follower->mark_key, buffer_slice(&follower->feed_key));
    buffer_append_byte(&follower->mark_key, 'v');
    view_own_key(follower, 'p', &follower->place_key);
    buffer_append(&follower->place_key, meaning);
    return !buffer_failed(&follower->mark_key) &&
           !buffer_failed(&follower->place_key);
}

static uint32_t batch_max_of(const struct view_follower *follower)
{
    uint32_t ops = engine_promises(follower->host->engine)->ops_max;
    uint32_t each = 1 + 2 * follower->ordered_count;
    uint32_t max = ops > 2 ? (ops - 2) / each : 1;

    if (max > VIEW_ENTITIES_MAX)
        max = VIEW_ENTITIES_MAX;
    return max ? max : 1;
}

enum kan_err view_follower_new(struct view_host *host,
                               struct contract *contract, uint32_t type,
                               struct view_follower **ret)
{
    struct view_follower *follower = mem_zalloc(sizeof(*follower));

    if (!follower)
        return KAN_NOMEM;
    follower->host = host;
    follower->contract = contract_ref(contract);
    follower->type = type;
    follower->program = contract_program(contract, type, 0);
    follower->column_count = program_column_count(follower->program);
    list_init(&follower->queue);
    list_init(&follower->gathered);
    list_init(&follower->readers);
    follower->watch.request.data = follower;
    follower->task.data = follower;
    follower->timer.data = follower;
    follower->nudge.data = follower;
    follower->cleaning = 'd';
    /* Another process may follow by an older text; its data is its own. */
    follower->cleaned = engine_promises(host->engine)->shared;
    buffer_append(&follower->name, contract_type_name(contract, type));
    view_meaning(contract, type, follower->meaning);
    if (buffer_failed(&follower->name) || !rooms_make(follower) ||
        !keys_make(follower)) {
        follower_free(follower);
        return KAN_NOMEM;
    }
    columns_fill(follower);
    follower->batch_max = batch_max_of(follower);
    list_push(&host->followers, &follower->link);
    work_later(follower);
    *ret = follower;
    return KAN_OK;
}

void view_follower_stop(struct view_follower *follower)
{
    follower->stopping = true;
    env_timer_stop(follower->host->env, &follower->timer);
    env_timer_stop(follower->host->env, &follower->nudge);
    view_queue_leave(follower);
    work_later(follower);
}

void view_follower_drop(struct view_follower *follower)
{
    follower_free(follower);
}

void view_follower_freeze(struct view_follower *follower)
{
    follower->phase = VIEW_FROZEN;
    env_timer_stop(follower->host->env, &follower->timer);
    env_timer_stop(follower->host->env, &follower->nudge);
    view_queue_leave(follower);
}

/* --- what it shows -------------------------------------------------------- */

static enum kan_err show(struct view_follower *follower)
{
    uint32_t count = follower->column_count;

    for (uint32_t i = 0; i < count; i++) {
        buffer_clear(&follower->shown_lasts[i]);
        buffer_append(&follower->shown_lasts[i],
                      buffer_slice(&follower->lasts[i]));
        if (buffer_failed(&follower->shown_lasts[i]))
            return KAN_NOMEM;
    }
    memcpy(follower->shown, follower->totals, count * sizeof(*follower->shown));
    return KAN_OK;
}

/* Everything of the feed up to here is in the totals. */
static uint64_t counted_to(const struct view_follower *follower)
{
    uint64_t at = follower->place.revision;

    if (view_queue_empty(follower) && follower->queued > at)
        at = follower->queued;
    return at;
}

static void publish(struct view_follower *follower)
{
    uint64_t at = counted_to(follower);
    bool first = !follower->readable;

    if (follower->place.scanning || at < follower->place.need)
        return;
    /* What was only heard is heard again after a failure. */
    if (!first && at <= follower->as_of)
        return;
    /*= K-VIEW-2: a view is not shown before all events up to as_of are in it,
     * and as_of never goes back. */
    kan_assert(at >= follower->as_of && at >= follower->place.revision);
    if (show(follower)) {
        follower->readable = false; /* half of it is new: when there is room */
        return;
    }
    follower->as_of = at;
    follower->readable = true;
    if (first)
        view_host_switch(follower);
    view_host_shown(follower);
}

/* --- batches -------------------------------------------------------------- */

/* What is queued was heard before what is gathered. */
static void count_queue(struct view_follower *follower)
{
    struct view_place becomes = follower->place;
    struct view_batch *batch = NULL;
    struct view_events *events = NULL;

    if (list_empty(&follower->queue))
        batch = view_gather_take(follower);
    else
        events = view_queue_take(follower);
    if (batch)
        follower->many = batch->commits >= VIEW_MANY;
    becomes.revision = batch ? batch->revision : events->revision;
    becomes.after = buffer_slice(&follower->after);
    follower->busy = true;
    follower->due = false;
    if (batch)
        view_fold_gathered(follower, batch, &becomes);
    else
        view_fold(follower, events, &becomes, false);
}

static void on_page(struct engine_scan *scan, enum kan_err err)
{
    struct view_follower *follower = scan->request.data;
    size_t head = follower->feed_key.size + 1;
    struct view_place becomes = follower->place;
    struct view_events *events;

    if (err) {
        view_follower_done(follower, err);
        return;
    }
    events = mem_zalloc(sizeof(*events));
    if (!events) {
        view_follower_done(follower, KAN_NOMEM);
        return;
    }
    becomes.after = buffer_slice(&follower->after);
    for (uint32_t i = 0; i < scan->item_count; i++) {
        const struct engine_item *item = &scan->items[i];
        struct kan_slice key = slice_skip(item->key, head);
        view_events_add(events, item->version, key, item->value);
        becomes.after = key;
    }
    if (buffer_failed(&events->bytes)) {
        view_events_free(events);
        view_follower_done(follower, KAN_NOMEM);
        return;
    }
    becomes.scanning = scan->more;
    if (scan->revision > becomes.need)
        becomes.need = scan->revision;
    if (!scan->more)
        becomes.after = kan_slice(NULL, 0);
    view_fold(follower, events, &becomes, true);
}

static void scan_page(struct view_follower *follower)
{
    struct buffer prefix = BUFFER_INIT;
    struct buffer after = BUFFER_INIT;
    enum kan_err err = KAN_NOMEM;

    buffer_append(&prefix, buffer_slice(&follower->feed_key));
    buffer_append_byte(&prefix, 'e');
    if (follower->after.size) {
        buffer_append(&after, buffer_slice(&prefix));
        buffer_append(&after, buffer_slice(&follower->after));
    }
    memset(&follower->scan, 0, sizeof(follower->scan));
    follower->scan.request.data = follower;
    follower->scan.prefix = buffer_slice(&prefix);
    follower->scan.after = buffer_slice(&after);
    follower->scan.limit = follower->batch_max < VIEW_PAGE_MAX
                               ? follower->batch_max
                               : VIEW_PAGE_MAX;
    follower->busy = true;
    if (!buffer_failed(&prefix) && !buffer_failed(&after))
        err = engine_scan(follower->host->engine, &follower->scan, on_page);
    buffer_fini(&prefix);
    buffer_fini(&after);
    if (err)
        view_follower_done(follower, err);
}

/* --- the next piece of work ----------------------------------------------- */

static void on_timer(struct env_timer *timer)
{
    struct view_follower *follower = timer->data;

    if (follower->phase == VIEW_RESTING)
        follower->phase = VIEW_LOADING;
    follower->due = true;
    work_later(follower);
}

static bool waited_for(const struct view_follower *follower)
{
    for (struct list *link = follower->readers.next; link != &follower->readers;
         link = link->next) {
        const struct view_read *read = list_entry(link, struct view_read, link);
        if (read->at_least > follower->as_of)
            return true;
    }
    return false;
}

static void keep_later(struct view_follower *follower)
{
    uint64_t ms =
        follower->host->keep_ms * (follower->many ? VIEW_KEEP_TIMES : 1);
    uint64_t due = env_now(follower->host->env) + ms * ENV_MS;

    if (env_timer_armed(&follower->timer))
        return;
    if (env_timer_start(follower->host->env, &follower->timer, due, on_timer))
        follower->due = true; /* no memory: at once, then */
    if (follower->due)
        work_later(follower);
}

/* Whether there was a piece. */
static bool work_queue(struct view_follower *follower)
{
    if (view_queue_empty(follower))
        return false;
    if (follower->due || follower->place.scanning || !follower->readable ||
        waited_for(follower) || view_gather_full(follower) ||
        follower->queue_commits >= VIEW_QUEUE_COMMITS_MAX ||
        follower->queue_bytes >= VIEW_BATCH_BYTES_MAX) {
        count_queue(follower);
        return true;
    }
    keep_later(follower);
    return false;
}

static void work_on(struct view_follower *follower)
{
    if (follower->spoiled) {
        view_follower_done(follower, follower->spoiled);
        return;
    }
    publish(follower);
    if (!follower->watching && follower->queue_commits == 0 &&
        follower->queue_bytes == 0) {
        enum kan_err err = view_queue_enter(follower);
        if (err == KAN_COMPACTED)
            view_follower_anew(follower, NULL);
        if (err) {
            view_follower_done(follower, err);
            return;
        }
    }
    if (work_queue(follower))
        return;
    if (follower->place.scanning)
        scan_page(follower);
    else if (follower->readable && !follower->cleaned)
        view_clean(follower);
    view_nudge_later(follower);
}

/* Nothing is under way any more: go. */
static void end(struct view_follower *follower)
{
    struct view_host *host = follower->host;

    if (follower->watching || follower->marking) {
        view_queue_leave(follower);
        if (follower->asking)
            engine_cancel(&follower->ask.request);
        else if (follower->marking)
            engine_cancel(&follower->mark.request);
        return;
    }
    view_queue_clear(follower);
    follower_free(follower);
    view_host_gone(host);
}

static void on_work(struct env_task *task)
{
    struct view_follower *follower = task->data;

    if (follower->busy)
        return;
    if (follower->stopping) {
        end(follower);
        return;
    }
    if (follower->phase == VIEW_FROZEN) {
        view_queue_clear(follower);
        return;
    }
    if (follower->anew && follower->phase == VIEW_WORKING)
        follower->phase = VIEW_LOADING;
    if (follower->phase == VIEW_LOADING) {
        /* What the old watch has still to say is of no interest. */
        view_queue_leave(follower);
        if (!follower->watching)
            load(follower);
    } else if (follower->phase == VIEW_WORKING) {
        work_on(follower);
    }
}

static void work_later(struct view_follower *follower)
{
    env_defer(follower->host->env, &follower->task, on_work);
}

void view_follower_hurry(struct view_follower *follower)
{
    work_later(follower);
}

void view_follower_anew(struct view_follower *follower, const char *why)
{
    follower->anew = true;
    if (why)
        view_host_trouble(follower->host, buffer_text(&follower->name), why);
}

static void rest(struct view_follower *follower)
{
    uint64_t ms = VIEW_BACKOFF_MS;

    for (uint32_t i = 0; i < follower->failures && ms < VIEW_BACKOFF_MAX_MS;
         i++)
        ms *= 2;
    if (ms > VIEW_BACKOFF_MAX_MS)
        ms = VIEW_BACKOFF_MAX_MS;
    env_timer_stop(follower->host->env, &follower->timer);
    follower->phase = VIEW_RESTING;
    if (env_timer_start(follower->host->env, &follower->timer,
                        env_now(follower->host->env) + ms * ENV_MS, on_timer))
        follower->phase = VIEW_LOADING; /* at once, then */
}

void view_follower_done(struct view_follower *follower, enum kan_err err)
{
    follower->busy = false;
    view_batch_free(follower);
    if (err == KAN_OK) {
        follower->failures = 0;
        if (follower->phase == VIEW_LOADING)
            follower->phase = VIEW_WORKING;
    } else if (follower->phase != VIEW_FROZEN && !follower->stopping) {
        follower->failures++;
        if (follower->failures % 16 == 8)
            view_host_trouble(follower->host, buffer_text(&follower->name),
                              kan_err_text(err));
        rest(follower);
    }
    work_later(follower);
}

/* --- where it stands ------------------------------------------------------ */

/* All of it is to be counted, under a generation that is new. */
static void begin_anew(struct view_follower *follower, uint64_t revision)
{
    struct engine_cursor cursor = engine_cursor(follower->host->engine);
    uint64_t generation = follower->place.generation;

    follower->anew = false;
    follower->place = (struct view_place){
        .generation = (revision > generation ? revision : generation) + 1,
        .store = cursor.store,
        .incarnation = cursor.incarnation,
        .revision = cursor.revision,
        .scanning = true};
    buffer_clear(&follower->after);
    memset(follower->totals, 0,
           follower->column_count * sizeof(*follower->totals));
}

static enum kan_err adopt(struct view_follower *follower,
                          const struct engine_item *item, uint64_t revision)
{
    struct engine_cursor cursor = engine_cursor(follower->host->engine);
    struct view_place place = {0};
    uint64_t n;
    bool known;

    follower->place_version = item->created ? item->version : 0;
    known = item->created && view_place_load(item->value, &place) == KAN_OK;
    follower->place = place;
    if (known && (place.store != cursor.store ||
                  place.incarnation != cursor.incarnation)) {
        /* What is shown may be of commits that are lost. */
        known = false;
        follower->readable = false;
        follower->as_of = 0;
    }
    if (follower->anew || !known ||
        view_parts_load(place.totals, follower->totals, follower->column_count,
                        &n)) {
        begin_anew(follower, revision);
        return KAN_OK;
    }
    buffer_clear(&follower->after);
    buffer_append(&follower->after, place.after);
    follower->place.after = kan_slice(NULL, 0);
    follower->place.totals = kan_slice(NULL, 0);
    return buffer_failed(&follower->after) ? KAN_NOMEM : KAN_OK;
}

static void on_place(struct engine_get *get, enum kan_err err)
{
    struct view_follower *follower = get->request.data;
    unsigned char generation[8];

    if (err == KAN_OK)
        err = adopt(follower, &get->items[0], get->revision);
    if (err) {
        view_follower_done(follower, err);
        return;
    }
    number_pack(follower->place.generation, generation);
    buffer_clear(&follower->data_key);
    view_own_key(follower, 'd', &follower->data_key);
    buffer_append(&follower->data_key,
                  kan_slice(follower->meaning, VIEW_HASH_SIZE));
    buffer_append(&follower->data_key,
                  kan_slice(generation, sizeof(generation)));
    if (buffer_failed(&follower->data_key)) {
        view_follower_done(follower, KAN_NOMEM);
        return;
    }
    view_queue_clear(follower);
    follower->queued = follower->place.revision;
    for (uint32_t i = 0; i < follower->column_count; i++)
        follower->dirty[i] = view_ordered(follower->columns[i].kind);
    view_find(follower);
}

static void load(struct view_follower *follower)
{
    struct kan_slice key = buffer_slice(&follower->place_key);
    enum kan_err err;

    memset(&follower->get, 0, sizeof(follower->get));
    follower->get.request.data = follower;
    follower->get.keys = &key;
    follower->get.key_count = 1;
    follower->busy = true;
    err = engine_get(follower->host->engine, &follower->get, on_place);
    if (err)
        view_follower_done(follower, err);
}
