/* Batches on their way: decided, sent, and what became of them. The core says
 * what to do; this is the only place where it is done. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

enum
{
    LATE_MS = 100 /* until what had no timer is tried again */
};

/* --- batches -------------------------------------------------------------- */

struct entity_batch *entity_batch_new(struct entity_one *one)
{
    struct entity_host *host = one->host;
    struct list *link = list_pop(&host->spare_batches);
    struct entity_batch *batch;

    if (link) {
        host->spare_batch_count--;
        batch = list_entry(link, struct entity_batch, link);
    } else {
        batch = mem_zalloc(sizeof(*batch));
        if (!batch)
            return NULL;
        list_init(&batch->items);
    }
    batch->one = one;
    batch->item_count = 0;
    batch->events = 0;
    batch->tip = entity_tip(one);
    batch->image_at = SIZE_MAX;
    batch->put_count = 0;
    batch->told_count = 0;
    batch->headed = false;
    batch->alone = false;
    batch->extra_ops = 0;
    batch->extra_bytes = 0;
    batch->commit.revision = 0;
    return batch;
}

static void buffer_trim(struct buffer *buffer)
{
    if (buffer->capacity > ENTITY_SPARE_BYTES)
        buffer_fini(buffer);
    else
        buffer_clear(buffer);
}

/* The host of a batch without an entity is being freed. */
struct entity_batch *entity_batch_free(struct entity_batch *batch)
{
    struct entity_host *host = batch->one ? batch->one->host : NULL;

    kan_assert(list_empty(&batch->items));
    if (host && host->spare_batch_count < ENTITY_SPARE_BATCHES) {
        buffer_trim(&batch->bytes);
        buffer_trim(&batch->images);
        list_push(&host->spare_batches, &batch->link);
        host->spare_batch_count++;
        return NULL;
    }
    buffer_fini(&batch->bytes);
    buffer_fini(&batch->images);
    mem_free(batch->puts);
    mem_free(batch->told);
    return mem_free(batch);
}

/* --- deciding ------------------------------------------------------------- */

/* Decide the first request that waits. false: no more can be decided now. */
static bool gather_one(struct entity_one *one)
{
    struct list *first = list_first(&one->queue);
    struct entity_item *item;

    if (!first)
        return false;
    item = list_entry(first, struct entity_item, link);
    if (!one->draft)
        one->draft = entity_batch_new(one);
    if (!one->draft) {
        one->queued--;
        entity_item_fail(item, KAN_NOMEM);
        return true;
    }
    switch (entity_decide(one, one->draft, item)) {
    case ENTITY_DECIDED:
        list_remove(&item->link);
        one->queued--;
        item->at = ENTITY_AT_DRAFT;
        list_push(&one->draft->items, &item->link);
        one->draft->item_count++;
        return true;
    case ENTITY_REPLAYS:
        list_remove(&item->link);
        one->queued--;
        item->replayed = true;
        entity_past_begin(one->host, item, one->type, entity_one_id(one),
                          item->n);
        return true;
    case ENTITY_NOROOM:
        one->queued--;
        entity_item_fail(item, KAN_NOMEM);
        return true;
    case ENTITY_UNKEYED:
        if (one->draft->item_count == 0 && !one->sent)
            entity_keys_load(one);
        return false;
    case ENTITY_FULL:
    case ENTITY_WAITS:
        break;
    }
    return false;
}

/* Decide what waits, as far as it fits into the draft. */
static void gather(struct entity_one *one)
{
    struct entity_host *host = one->host;

    if (host->closing || !host->open || one->loading)
        return;
    while (gather_one(one))
        ;
    if (!one->draft)
        return;
    if (one->draft->item_count == 0 && !one->core.draft) {
        one->draft = entity_batch_free(one->draft);
        return;
    }
    entity_one_input(one, ENTITY_ON_DRAFTED, 0, one->draft->events);
}

/* --- asking the engine ---------------------------------------------------- */

/* The engine did not even take the request: told of later, as all answers. */
static void unsent(struct entity_one *one, enum kan_err err)
{
    one->err = err;
    one->unsent = true;
    one->failed_guard = 0;
    entity_one_ready(one);
}

static uint32_t own_guard_count(const struct entity_one *one)
{
    return one->known && !one->host->exclusive ? 2 : 1;
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct entity_one *one = commit->request.data;
    struct entity_host *host = one->host;
    bool base;

    check_magic(host, ENTITY_HOST_MAGIC);
    host->asked--;
    one->err = err;
    one->failed_guard = commit->failed_guard;
    base = commit->failed_guard < own_guard_count(one);
    entity_one_input(one, entity_core_commit_meaning(err, base), 0, 0);
    entity_ebb(host);
}

/* The guards of the entity itself: what it was read at is there, and what comes
 * next is not. Where nobody else can write the latter is enough: a lost answer
 * and a second copy of a commit meet it, and only another owner's erasure would
 * not. */
static uint32_t own_guards(struct entity_one *one)
{
    struct entity_host *host = one->host;
    struct engine_guard *guards = host->guards;
    struct kan_slice type = one->type->name;
    struct kan_slice id = entity_one_id(one);
    uint32_t count = 0;

    memset(guards, 0, 2 * sizeof(guards[0]));
    if (!one->known) {
        guards[0].kind = ENGINE_IF_ABSENT;
        guards[0].key = entity_key_plain(host, &host->key, type, 'i', id);
        return 1;
    }
    /*= K-ENTITY-1: whoever has not seen the last event cannot write. */
    kan_assert(one->core.n > 0 && one->revision > 0);
    if (!host->exclusive) {
        guards[count].kind = ENGINE_IF_VERSION;
        guards[count].key =
            entity_key_event(host, &host->key, type, 'e', id, one->core.n);
        guards[count++].revision = one->revision;
    }
    guards[count].kind = ENGINE_IF_ABSENT;
    guards[count++].key = entity_key_event(host, &host->other_key, type, 'e',
                                           id, one->core.n + 1);
    return count;
}

static uint32_t extra_guards(struct entity_host *host,
                             const struct entity_batch *batch, uint32_t count)
{
    for (struct list *link = batch->items.next; link != &batch->items;
         link = link->next) {
        const struct entity_item *item =
            list_entry(link, struct entity_item, link);
        for (uint32_t i = 0;
             item->bring && item->events && i < item->bring->guard_count; i++)
            host->guards[count++] = item->bring->guards[i];
    }
    return count;
}

static uint32_t batch_writes(struct entity_host *host,
                             const struct entity_batch *batch)
{
    const char *bytes = batch->bytes.bytes;
    uint32_t count = 0;

    for (uint32_t i = 0; i < batch->put_count; i++) {
        const struct entity_put *put = &batch->puts[i];
        struct engine_write *write = &host->writes[count++];
        memset(write, 0, sizeof(*write));
        write->kind = ENGINE_PUT;
        write->cold = true; /* what it says is in the state already */
        write->key = kan_slice(bytes + put->key, put->key_size);
        write->value = kan_slice(bytes + put->value, put->value_size);
    }
    for (struct list *link = batch->items.next; link != &batch->items;
         link = link->next) {
        const struct entity_item *item =
            list_entry(link, struct entity_item, link);
        for (uint32_t i = 0;
             item->bring && item->events && i < item->bring->write_count; i++)
            host->writes[count++] = item->bring->writes[i];
    }
    return count;
}

static void send_commit(struct entity_one *one)
{
    struct entity_host *host = one->host;
    struct entity_batch *batch = one->sent;
    struct engine_commit *commit = &batch->commit;
    enum kan_err err = KAN_NOMEM;

    memset(commit, 0, sizeof(*commit));
    commit->request.data = one;
    commit->guard_count = own_guards(one);
    commit->guard_count = extra_guards(host, batch, commit->guard_count);
    commit->guards = host->guards;
    commit->write_count = batch_writes(host, batch);
    commit->writes = host->writes;
    if (batch->headed) {
        struct engine_write *write = &host->writes[commit->write_count++];
        memset(write, 0, sizeof(*write));
        write->kind = ENGINE_PUT;
        buffer_clear(&host->head);
        entity_head_write(&host->head, batch->tip.head);
        write->value = buffer_slice(&host->head);
        write->key = entity_key_plain(host, &host->head_key, one->type->name,
                                      'i', entity_one_id(one));
    }
    if (!buffer_failed(&host->key) && !buffer_failed(&host->other_key) &&
        !buffer_failed(&host->head) && !buffer_failed(&host->head_key))
        err = engine_commit(host->engine, commit, on_commit);
    if (err)
        unsent(one, err);
    else
        host->asked++;
}

/* --- looking -------------------------------------------------------------- */

static void on_look(struct engine_get *get, enum kan_err err)
{
    struct entity_one *one = get->request.data;
    struct entity_host *host = one->host;
    const struct entity_batch *batch = one->sent;
    const struct engine_item *item;
    const struct entity_put *put;
    struct kan_slice own;

    host->asked--;
    if (err != KAN_OK) {
        one->err = err;
        if (kan_err_class(err) == KAN_CLASS_BROKEN || err == KAN_CLOSED)
            entity_one_input(one, ENTITY_ON_BROKEN, 0, 0);
        else
            entity_one_input(one, ENTITY_ON_UNFOUND, 0, 0);
        entity_ebb(host);
        return;
    }
    item = &get->items[0];
    put = &batch->puts[0];
    own = kan_slice(batch->bytes.bytes + put->value, put->value_size);
    if (!item->created) {
        entity_one_input(one, ENTITY_ON_FOUND_NONE, 0, 0);
    } else if (slice_equal(item->value, own)) {
        /* Each event has an id of 128 bits of its own. */
        one->sent->commit.revision = item->version;
        entity_one_input(one, ENTITY_ON_FOUND_OURS, 0, 0);
    } else {
        entity_one_input(one, ENTITY_ON_FOUND_OTHER, 0, 0);
    }
    entity_ebb(host);
}

static void on_verify(struct engine_get *get, enum kan_err err)
{
    struct entity_one *one = get->request.data;
    struct entity_host *host = one->host;
    bool still;

    host->asked--;
    one->err = err;
    if (err == KAN_OK) {
        still = one->known ? get->items[0].created &&
                                 get->items[0].version == one->revision &&
                                 get->items[1].created == 0
                           : get->items[0].created == 0;
        one->sent->commit.revision = one->revision;
        entity_one_input(one, still ? ENTITY_ON_COMMITTED : ENTITY_ON_CONFLICT,
                         0, 0);
    } else if (kan_err_class(err) == KAN_CLASS_BROKEN || err == KAN_CLOSED) {
        entity_one_input(one, ENTITY_ON_BROKEN, 0, 0);
    } else {
        entity_one_input(one, ENTITY_ON_UNKNOWN, 0, 0);
    }
    entity_ebb(host);
}

static void send_get(struct entity_one *one, const struct kan_slice *keys,
                     uint32_t count, engine_get_cb *cb)
{
    struct entity_host *host = one->host;
    enum kan_err err = KAN_NOMEM;

    memset(&one->get, 0, sizeof(one->get));
    one->get.request.data = one;
    one->get.keys = keys;
    one->get.key_count = count;
    if (!buffer_failed(&host->key) && !buffer_failed(&host->other_key))
        err = engine_get(host->engine, &one->get, cb);
    if (err == KAN_OK) {
        host->asked++;
        return;
    }
    /* It was only asked: this is as a lost answer. */
    unsent(one, kan_err_class(err) == KAN_CLASS_REFUSED && err != KAN_CLOSED
                    ? KAN_LOST
                    : err);
}

static void send_verify(struct entity_one *one)
{
    struct kan_slice keys[2];
    uint32_t count = own_guards(one);

    for (uint32_t i = 0; i < count; i++)
        keys[i] = one->host->guards[i].key;
    send_get(one, keys, count, on_verify);
}

static void send_look(struct entity_one *one)
{
    struct entity_host *host = one->host;
    struct kan_slice key =
        entity_key_event(host, &host->key, one->type->name, 'e',
                         entity_one_id(one), one->core.n + 1);

    send_get(one, &key, 1, on_look);
}

/* --- in force ------------------------------------------------------------- */

static void tell_events(const struct entity_batch *batch, uint64_t revision)
{
    const struct entity_one *one = batch->one;
    const struct entity_host *host = one->host;
    const struct entity_type *type = one->type;

    for (uint32_t i = 0; i < batch->told_count; i++) {
        const struct entity_told *told = &batch->told[i];
        const unsigned char *image =
            (const unsigned char *)batch->images.bytes + told->image_at;
        struct entity_event event;
        memset(&event, 0, sizeof(event));
        event.kind = told->kind;
        event.type = type->name;
        event.id = entity_one_id(one);
        event.n = told->n;
        event.version = type->versions[told->place].version;
        event.program = type->versions[told->place].program;
        event.step = told->step;
        event.arguments =
            told->kind == ENTITY_STEP ? told->item->arguments.bytes : NULL;
        event.input = told->input;
        event.revision = revision;
        host->options.event(
            host->options.data, &event, image,
            image + type->state_room + type->versions[told->place].tally_at);
    }
}

/* The entity is what the batch made of it. */
static void adopt(struct entity_one *one, const struct entity_batch *batch,
                  uint64_t revision)
{
    if (batch->events == 0)
        return;
    /*= K-ENTITY-3: the state in memory is that behind the last event. */
    kan_assert(batch->tip.n == one->core.n && batch->image_at != SIZE_MAX);
    memcpy(one->image.bytes, batch->images.bytes + batch->image_at,
           one->type->image_size);
    one->image.n = batch->tip.n;
    one->image.place = batch->tip.place;
    one->image.live = batch->tip.live;
    one->revision = revision;
    one->known = batch->tip.known;
    one->head = batch->tip.head;
    entity_keyed_trim(&one->keyed);
    entity_keys_trim(one);
}

static void batch_answer(struct entity_one *one)
{
    struct entity_batch *batch = one->sent;
    struct entity_host *host = one->host;
    uint64_t revision = batch->commit.revision;
    uint64_t before = one->image.n;
    struct list *link;

    /*= K-ENTITY-4: an answer leaves only when its commit has succeeded. */
    kan_assert(one->core.sent == 0 && !one->core.unknown &&
               one->core.n == before + batch->events);
    /*= K-ENTITY-5: what no commit vouches for was verified, unless nobody else
     * can write. */
    kan_assert(batch->events || host->exclusive ||
               batch->commit.revision == one->revision);
    host->stats.commits += batch->events > 0;
    if (batch->told_count)
        tell_events(batch, revision);
    while ((link = list_pop(&batch->items)) != NULL) {
        struct entity_item *item = list_entry(link, struct entity_item, link);
        if (item->kind == ENTITY_ITEM_CHANGE && item->outcome == ENTITY_TAKEN &&
            batch->alone) {
            one->keyed.count = 0;
            entity_keys_free(one);
            entity_erase_begin(host, one->type, entity_one_id(one), item->n,
                               item);
            continue;
        }
        entity_item_answer(item, batch, revision, one->revision, before);
    }
    adopt(one, batch, revision);
    one->sent = NULL;
    entity_batch_free(batch);
}

/* --- not in force --------------------------------------------------------- */

/* Answer those of the sent batch that had an effect in mind. */
static void batch_fail(struct entity_one *one, enum kan_err err)
{
    struct list *link = one->sent->items.next;

    while (link != &one->sent->items) {
        struct entity_item *item = list_entry(link, struct entity_item, link);
        link = link->next;
        if (item->events && entity_item_wanted(item))
            entity_item_fail(item, err);
    }
}

static void batch_guarded(struct entity_one *one)
{
    uint32_t guard = one->known ? 2 : 1;
    struct list *link = one->sent->items.next;

    for (; link != &one->sent->items; link = link->next) {
        struct entity_item *item = list_entry(link, struct entity_item, link);
        if (!item->bring || !item->events)
            continue;
        guard += item->bring->guard_count;
        if (guard <= one->failed_guard)
            continue;
        if (entity_item_wanted(item)) {
            item->outcome = ENTITY_GUARDED;
            entity_item_done(item);
        }
        return;
    }
}

/* Put requests back where they waited, in their old order. */
static void batch_back(struct entity_one *one, struct entity_batch *batch)
{
    while (!list_empty(&batch->items)) {
        struct entity_item *item =
            list_entry(batch->items.prev, struct entity_item, link);
        list_remove(&item->link);
        if (!entity_item_wanted(item)) {
            entity_item_answer(item, NULL, 0, 0, 0);
            continue;
        }
        item->at = ENTITY_AT_QUEUE;
        item->replayed = false;
        buffer_clear(&item->text);
        buffer_clear(&item->values);
        /* list_push() in front of the first. */
        list_push(one->queue.next, &item->link);
        one->queued++;
    }
    entity_batch_free(batch);
}

static void batches_drop(struct entity_one *one)
{
    struct entity_batch *draft = one->draft;
    struct entity_batch *sent = one->sent;

    one->draft = NULL;
    one->sent = NULL;
    if (draft)
        batch_back(one, draft);
    if (sent)
        batch_back(one, sent);
    entity_keyed_cut(&one->keyed, one->core.n);
    entity_keys_cut(one, one->core.n);
}

void entity_one_undraft(struct entity_one *one)
{
    struct entity_batch *draft = one->draft;
    uint64_t n;

    one->draft = NULL;
    batch_back(one, draft);
    n = entity_tip(one).n;
    entity_keyed_cut(&one->keyed, n);
    entity_keys_cut(one, n);
    entity_one_input(one, ENTITY_ON_UNDRAFTED, 0, 0);
}

static void batches_end(struct entity_one *one, enum kan_err err)
{
    batches_drop(one);
    while (!list_empty(&one->queue)) {
        struct entity_item *item =
            list_entry(one->queue.next, struct entity_item, link);
        list_remove(&item->link);
        one->queued--;
        entity_item_fail(item, err);
    }
}

static void host_break(struct entity_one *one)
{
    struct entity_host *host = one->host;

    if (!host->broken && !host->closing) {
        entity_trouble(host,
                       "the engine has failed, nothing is taken any "
                       "more: %s",
                       kan_err_text(one->err));
    }
    if (!host->broken)
        host->broken = one->err ? one->err : KAN_CLOSED;
    batches_end(one, host->broken);
}

void entity_one_abandon(struct entity_one *one, enum kan_err err)
{
    struct list *link, *next;

    for (link = one->queue.next; link != &one->queue; link = next) {
        struct entity_item *item = list_entry(link, struct entity_item, link);
        next = link->next;
        list_remove(link);
        one->queued--;
        entity_item_fail(item, err);
    }
    if (one->draft) {
        struct entity_batch *draft = one->draft;
        one->draft = NULL;
        batch_back(one, draft);
        one->core.draft = false;
        one->core.drafted = 0;
        entity_one_abandon(one, err);
        return;
    }
    if (one->sent && (one->unsent || one->core.phase == ENTITY_PAUSED)) {
        batch_fail(one, one->core.unknown ? KAN_LOST : err);
        batches_end(one, err);
    }
    one->unsent = false;
}

/* --- effects -------------------------------------------------------------- */

static void on_timer(struct env_timer *timer)
{
    struct entity_one *one = timer->data;

    entity_one_input(one, ENTITY_ON_TIMER, 0, 0);
    entity_ebb(one->host);
}

static void pause_for(struct entity_one *one, uint32_t ms)
{
    struct entity_host *host = one->host;
    uint64_t due = env_now(host->env) + (uint64_t)ms * ENV_MS;

    if (env_timer_start(host->env, &one->timer, due, on_timer) == KAN_OK)
        return;
    one->late = true;
    entity_tick_at(host, env_now(host->env) + (uint64_t)LATE_MS * ENV_MS);
}

/* Nothing new is asked of the engine as the host closes. */
static bool closing_ends(struct entity_one *one, enum entity_effect_kind kind)
{
    if (!one->host->closing)
        return false;
    switch (kind) {
    case ENTITY_DO_COMMIT:
    case ENTITY_DO_VERIFY:
    case ENTITY_DO_LOOK:
    case ENTITY_DO_READ:
    case ENTITY_DO_PAUSE:
        if (one->sent)
            batch_fail(one, one->core.unknown ? KAN_LOST : KAN_CLOSED);
        batches_end(one, KAN_CLOSED);
        return true;
    case ENTITY_DO_FEED:
        batches_end(one, KAN_CLOSED);
        return true;
    default:
        return false;
    }
}

static void carry_out(struct entity_one *one, struct entity_effect effect)
{
    if (!one->sent && one->draft && !one->core.draft &&
        (effect.kind == ENTITY_DO_COMMIT || effect.kind == ENTITY_DO_VERIFY ||
         effect.kind == ENTITY_DO_ANSWER)) {
        one->sent = one->draft;
        one->draft = NULL;
        for (struct list *link = one->sent->items.next;
             link != &one->sent->items; link = link->next)
            list_entry(link, struct entity_item, link)->at = ENTITY_AT_SENT;
    }
    if (closing_ends(one, effect.kind))
        return;
    switch (effect.kind) {
    case ENTITY_DO_READ:
        entity_open(one);
        break;
    case ENTITY_DO_COMMIT:
        send_commit(one);
        break;
    case ENTITY_DO_VERIFY:
        send_verify(one);
        break;
    case ENTITY_DO_LOOK:
        send_look(one);
        break;
    case ENTITY_DO_ANSWER:
        batch_answer(one);
        break;
    case ENTITY_DO_FAIL:
        batch_fail(one, one->err);
        break;
    case ENTITY_DO_GUARD:
        batch_guarded(one);
        break;
    case ENTITY_DO_LOSE:
        batch_fail(one, KAN_LOST);
        break;
    case ENTITY_DO_DROP:
        batches_drop(one);
        break;
    case ENTITY_DO_FEED:
        break;
    case ENTITY_DO_PAUSE:
        pause_for(one, effect.ms);
        break;
    case ENTITY_DO_END:
        host_break(one);
        break;
    }
}

void entity_one_input(struct entity_one *one, enum entity_input_kind kind,
                      uint64_t n, uint32_t events)
{
    struct entity_input input = {kind, n, events};
    struct entity_turn turn =
        entity_core_step(one->core, input, one->host->exclusive);
    bool nested = one->running;
    bool feed = false;

    one->core = turn.core;
    one->running = true;
    for (uint32_t i = 0; i < turn.effect_count; i++) {
        feed = feed || turn.effects[i].kind == ENTITY_DO_FEED;
        carry_out(one, turn.effects[i]);
    }
    /* What somebody waits for is decided in the turn that is asked for it; what
     * an answer has freed, in the next one, so that those who were answered
     * may come along. */
    if (feed && kind == ENTITY_ON_WANTED) {
        gather(one);
        feed = one->core.phase == ENTITY_OPEN;
    }
    one->running = nested;
    if (feed && !one->loading && (!list_empty(&one->queue) || one->draft))
        entity_one_ready(one);
    if (!nested)
        entity_one_rest(one);
}
