/* A host of entities: which of them are in memory, whose turn it is, and how it
 * all begins and ends. */

#include "block/entity/entity.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "block/entity/entity_host.h"

enum
{
    ACTIVE_MAX = 10000,
    ACTIVE_BYTES_MAX = 64 << 20,
    WAITING_MAX = 65536,
    QUEUE_MAX = 10000,
    IDLE_MS = 60000,
    FAR_MS = 60 * 60 * 1000, /* the tick stays armed, so that moving it needs no
                              * memory: this is never */
    TURN_ONES = 256          /* entities in one turn of the loop */
};

const struct engine_promises entity_needs = {
    .ops_max = 128, /* of the largest step: upgrades, a snapshot, a saga's */
    .commit_bytes_max = 512 << 10,
    .key_max = 512,
    .value_max = 256 << 10,
    .scan = true,
    .linearizable = true,
    .monotone_over_failover = true,
};

/* --- keys ----------------------------------------------------------------- */

struct kan_slice entity_key_plain(struct entity_host *host, struct buffer *out,
                                  struct kan_slice type, char letter,
                                  struct kan_slice id)
{
    buffer_clear(out);
    entity_key_sort(out, host->prefix, type, letter);
    buffer_append(out, id);
    return buffer_slice(out);
}

struct kan_slice entity_key_event(struct entity_host *host, struct buffer *out,
                                  struct kan_slice type, char letter,
                                  struct kan_slice id, uint64_t n)
{
    buffer_clear(out);
    entity_key_sort(out, host->prefix, type, letter);
    entity_key_number(out, id, n);
    return buffer_slice(out);
}

struct kan_slice entity_key_stream(struct entity_host *host, struct buffer *out,
                                   struct kan_slice type, char letter,
                                   struct kan_slice id)
{
    (void)entity_key_plain(host, out, type, letter, id);
    buffer_append_byte(out, 0);
    return buffer_slice(out);
}

void entity_trouble(struct entity_host *host, const char *format, ...)
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

struct program_input entity_draw(struct entity_host *host)
{
    struct program_input input;

    /* No step of any host gets the id of another: 128 bits under a seed that
     * only this host has. */
    input.now_ms = (int64_t)env_wall_ms(host->env);
    host->drawn++;
    for (unsigned i = 0; i < 2; i++) {
        struct hash_seed seed = host->seed;
        uint64_t half;
        seed.k1 += i;
        half = hash_bytes(seed, kan_slice(&host->drawn, sizeof(host->drawn)));
        for (unsigned j = 0; j < 16; j++, half >>= 4)
            input.id[16 * i + j] = "0123456789abcdef"[half & 15];
    }
    return input;
}

/* --- entities ------------------------------------------------------------- */

static struct kan_slice one_name(struct entity_host *host,
                                 struct kan_slice type, struct kan_slice id)
{
    buffer_clear(&host->key);
    buffer_append(&host->key, type);
    buffer_append_byte(&host->key, 0);
    buffer_append(&host->key, id);
    return buffer_slice(&host->key);
}

/* Count the bytes of an entity, which grows by the keys that it remembers. */
static void one_count(struct entity_one *one)
{
    struct entity_host *host = one->host;

    host->ones_bytes -= one->counted;
    one->counted = sizeof(*one) + one->type->image_size +
                   (size_t)one->keyed.capacity * sizeof(uint64_t);
    host->ones_bytes += one->counted;
}

static struct entity_one *one_alloc(struct entity_host *host,
                                    const struct entity_type *type,
                                    struct kan_slice id)
{
    size_t at = (sizeof(struct entity_one) + id.size + 16) & ~(size_t)15;
    struct entity_one *one = mem_zalloc(at + type->image_size);

    if (!one)
        return NULL;
    one->host = host;
    one->type = type;
    one->image.bytes = (unsigned char *)one + at;
    one->id_size = id.size;
    memcpy(one->id, id.bytes, id.size);
    one->timer.data = one;
    list_init(&one->queue);
    return one;
}

static bool one_idle(const struct entity_one *one)
{
    return !one->running && !one->ready && !one->loading && !one->unsent &&
           !one->sent && !one->draft && list_empty(&one->queue) &&
           entity_core_idle(one->core);
}

struct entity_one *entity_one_free(struct entity_one *one)
{
    struct entity_host *host = one->host;

    kan_assert(!one->running && !one->sent && !one->draft);
    kan_assert(list_empty(&one->queue));
    host->ones_bytes -= one->counted;
    (void)map_remove(&host->ones,
                     one_name(host, one->type->name, entity_one_id(one)));
    list_remove(&one->link);
    env_timer_stop(host->env, &one->timer);
    entity_keys_free(one);
    entity_keyed_fini(&one->keyed);
    mem_free(one->spare.bytes);
    return mem_free(one);
}

/* Let those go that were used least lately, until there is room. */
static bool host_room(struct entity_host *host)
{
    uint32_t max = host->options.active_max;

    while (map_count(&host->ones) >= max ||
           host->ones_bytes > host->options.active_bytes_max) {
        struct list *first = list_first(&host->idle_ones);
        if (!first)
            return map_count(&host->ones) < max;
        entity_one_free(list_entry(first, struct entity_one, link));
    }
    return true;
}

enum kan_err entity_one_get(struct entity_host *host,
                            const struct entity_type *type, struct kan_slice id,
                            struct entity_one **ret_one)
{
    struct kan_slice name = one_name(host, type->name, id);
    struct entity_one *one;
    enum kan_err err;

    if (buffer_failed(&host->key))
        return KAN_NOMEM;
    one = map_get(&host->ones, name);
    if (!one) {
        if (!host_room(host))
            return KAN_BUSY;
        one = one_alloc(host, type, id);
        if (!one)
            return KAN_NOMEM;
        err = map_put(&host->ones, one_name(host, type->name, id), one, NULL);
        if (err) {
            mem_free(one);
            return err;
        }
        one_count(one);
        /*= K-ENTITY-12: there are no more in memory than allowed. */
        kan_assert(map_count(&host->ones) <= host->options.active_max);
    }
    *ret_one = one;
    return KAN_OK;
}

static void host_tick(struct env_timer *timer);

/* It was armed before: to move it, or to arm it again when it has just been
 * due, needs no memory. */
static void tick_move(struct entity_host *host, uint64_t due_ns)
{
    enum kan_err err =
        env_timer_start(host->env, &host->tick, due_ns, host_tick);

    kan_assert(err == KAN_OK);
}

void entity_tick_at(struct entity_host *host, uint64_t due_ns)
{
    if (due_ns < host->tick.due_ns)
        tick_move(host, due_ns);
}

void entity_one_rest(struct entity_one *one)
{
    struct entity_host *host = one->host;

    if (!one_idle(one) || list_linked(&one->link))
        return;
    one_count(one);
    one->idle_ns = env_now(host->env);
    list_push(&host->idle_ones, &one->link);
    entity_tick_at(host, one->idle_ns + host->options.idle_ms * ENV_MS);
}

/* What it means that the engine did not take a request. */
static enum entity_input_kind unsent_meaning(const struct entity_one *one)
{
    enum entity_input_kind kind = entity_core_commit_meaning(one->err, true);

    if (one->core.phase == ENTITY_LOOKING && kind != ENTITY_ON_BROKEN)
        return ENTITY_ON_UNFOUND;
    return kind;
}

static void host_turn(struct env_task *task)
{
    struct entity_host *host = task->data;
    struct list now, *link;

    check_magic(host, ENTITY_HOST_MAGIC);
    list_init(&now);
    for (unsigned i = 0; i < TURN_ONES; i++) {
        link = list_pop(&host->ready_ones);
        if (!link)
            break;
        list_push(&now, link);
    }
    while ((link = list_pop(&now)) != NULL) {
        struct entity_one *one = list_entry(link, struct entity_one, link);
        one->ready = false;
        if (one->unsent) {
            one->unsent = false;
            entity_one_input(one, unsent_meaning(one), 0, 0);
        } else if (host->open && (!list_empty(&one->queue) || one->draft)) {
            entity_one_input(one, ENTITY_ON_WANTED, 0, 0);
        }
        entity_one_rest(one);
    }
    if (list_first(&host->ready_ones))
        env_defer(host->env, &host->task, host_turn);
    entity_ebb(host);
}

void entity_one_ready(struct entity_one *one)
{
    struct entity_host *host = one->host;

    if (one->ready)
        return;
    one->ready = true;
    list_remove(&one->link);
    list_push(&host->ready_ones, &one->link);
    env_defer(host->env, &host->task, host_turn);
}

void entity_one_fail(struct entity_one *one, enum kan_err err)
{
    struct list *link;

    while ((link = list_pop(&one->queue)) != NULL) {
        struct entity_item *item = list_entry(link, struct entity_item, link);
        one->queued--;
        entity_item_fail(item, err);
    }
    memset(&one->core, 0, sizeof(one->core));
    entity_keys_free(one);
    one->loading = false;
    entity_one_ready(one);
}

static void host_tick(struct env_timer *timer)
{
    struct entity_host *host = timer->data;
    uint64_t now = env_now(host->env);
    uint64_t idle = host->options.idle_ms * ENV_MS;
    uint64_t due = now + (uint64_t)FAR_MS * ENV_MS;
    uint32_t cursor = 0;
    struct list *first;
    void *value;

    while ((first = list_first(&host->idle_ones)) != NULL) {
        struct entity_one *one = list_entry(first, struct entity_one, link);
        if (one->idle_ns + idle > now) {
            due = one->idle_ns + idle;
            break;
        }
        entity_one_free(one);
    }
    tick_move(host, due);
    while (map_next(&host->ones, &cursor, NULL, &value)) {
        struct entity_one *one = value;
        if (!one->late)
            continue;
        one->late = false;
        entity_one_input(one, ENTITY_ON_TIMER, 0, 0);
    }
}

/* --- a host --------------------------------------------------------------- */

static void host_defaults(struct entity_options *options)
{
    if (options->active_max == 0)
        options->active_max = ACTIVE_MAX;
    if (options->active_bytes_max == 0)
        options->active_bytes_max = ACTIVE_BYTES_MAX;
    if (options->waiting_max == 0)
        options->waiting_max = WAITING_MAX;
    if (options->queue_max == 0)
        options->queue_max = QUEUE_MAX;
    if (options->idle_ms == 0)
        options->idle_ms = IDLE_MS;
}

static void host_free(struct entity_host *host)
{
    struct list *link;

    entity_items_fini(host);
    while ((link = list_pop(&host->spare_batches)) != NULL) {
        struct entity_batch *batch =
            list_entry(link, struct entity_batch, link);
        host->spare_batch_count = ENTITY_SPARE_BATCHES;
        batch->one = NULL;
        entity_batch_free(batch);
    }
    env_timer_stop(host->env, &host->tick);
    env_undefer(host->env, &host->task);
    env_undefer(host->env, &host->close_task);
    entity_keep_end(host);
    entity_book_free(host->book);
    map_fini(&host->ones);
    buffer_fini(&host->key);
    buffer_fini(&host->other_key);
    buffer_fini(&host->columns);
    buffer_fini(&host->head);
    buffer_fini(&host->head_key);
    buffer_fini(&host->text);
    mem_free(host->spare_arguments);
    mem_free(host->spare_image);
    mem_free(host->spare_image_2);
    mem_free(host->guards);
    mem_free(host->writes);
    mem_free((void *)(uintptr_t)host->prefix.bytes);
    host->magic = 0;
    mem_free(host);
}

static enum kan_err host_fill(struct entity_host *host)
{
    const struct engine_promises *promises =
        engine_promises(host->options.engine);
    uint64_t now = env_now(host->env);

    host->prefix = kan_slice(
        mem_copy(host->options.prefix.bytes, host->options.prefix.size),
        host->options.prefix.size);
    host->guards = mem_alloc(sizeof(host->guards[0]) *
                             (2 + (size_t)ENTITY_PUTS_MAX + ENTITY_EXTRA_MAX));
    host->writes = mem_alloc(sizeof(host->writes[0]) *
                             (2 + (size_t)ENTITY_PUTS_MAX + ENTITY_EXTRA_MAX));
    if (!host->prefix.bytes || !host->guards || !host->writes)
        return KAN_NOMEM;
    if (buffer_reserve(&host->key, 1024) ||
        buffer_reserve(&host->other_key, 1024))
        return KAN_NOMEM;
    host->ops_max = promises->ops_max < ENTITY_PUTS_MAX ? promises->ops_max
                                                        : ENTITY_PUTS_MAX;
    host->bytes_max = promises->commit_bytes_max;
    host->exclusive = !promises->shared;
    host->seed.k0 = host->options.seed[0];
    host->seed.k1 = host->options.seed[1];
    if (host->seed.k0 == 0 && host->seed.k1 == 0) {
        host->seed.k0 = env_choose(host->env, UINT64_MAX);
        host->seed.k1 = env_choose(host->env, UINT64_MAX);
    }
    map_init(&host->ones, host->seed, host->options.active_max);
    return env_timer_start(host->env, &host->tick,
                           now + (uint64_t)FAR_MS * ENV_MS, host_tick);
}

static enum kan_err host_check(const struct entity_options *options,
                               struct buffer *why)
{
    char text[128] = "";
    enum kan_err err = engine_promises_cover(engine_promises(options->engine),
                                             &entity_needs, text, sizeof(text));

    if (err) {
        buffer_print(why, "the engine %s cannot keep entities: it %s",
                     options->engine->ops->name, text);
        return err;
    }
    if (options->prefix.size + SOURCE_NAME_MAX + ENTITY_ID_MAX + 16 >
        engine_promises(options->engine)->key_max) {
        buffer_print(why, "the key prefix is too long for the keys of %s",
                     options->engine->ops->name);
        return KAN_INVALID;
    }
    return KAN_OK;
}

enum kan_err entity_host_new(const struct entity_options *options,
                             entity_ready_cb *ready,
                             struct entity_host **ret_host, struct buffer *why)
{
    enum kan_err err = host_check(options, why);
    struct entity_host *host;

    if (err)
        return err;
    host = mem_zalloc(sizeof(*host));
    if (!host)
        return KAN_NOMEM;
    host->magic = ENTITY_HOST_MAGIC;
    host->env = options->env;
    host->engine = options->engine;
    host->options = *options;
    host_defaults(&host->options);
    host->task.data = host;
    host->done_task.data = host;
    host->close_task.data = host;
    host->tick.data = host;
    list_init(&host->ready_ones);
    list_init(&host->idle_ones);
    list_init(&host->done);
    list_init(&host->spare_items);
    list_init(&host->spare_batches);
    list_init(&host->pasts);
    list_init(&host->looks);
    list_init(&host->follows);
    list_init(&host->erasers);
    err = host_fill(host);
    if (!err)
        err = entity_keep_begin(host, options->contract, ready);
    if (err) {
        host_free(host);
        return err;
    }
    *ret_host = host;
    return KAN_OK;
}

struct contract *entity_host_contract(const struct entity_host *host)
{
    return host->book ? host->book->contract : host->options.contract;
}

struct entity_stats entity_stats(const struct entity_host *host)
{
    struct entity_stats stats = host->stats;

    stats.active = map_count(&host->ones);
    stats.waiting = host->waiting;
    return stats;
}

const struct program *entity_program(const struct entity_host *host,
                                     struct kan_slice type, uint32_t version)
{
    const struct entity_type *found =
        host->book ? entity_book_type(host->book, type) : NULL;
    int32_t place = found ? entity_type_find(found, version) : -1;

    return place < 0 ? NULL : entity_type_program(found, (uint32_t)place);
}

/* --- closing -------------------------------------------------------------- */

static void close_ones(struct entity_host *host, enum kan_err err)
{
    uint32_t cursor = 0;
    void *value;

    while (map_next(&host->ones, &cursor, NULL, &value))
        entity_one_abandon(value, err);
}

static void close_run(struct env_task *task)
{
    struct entity_host *host = task->data;
    uint32_t cursor = 0;
    env_close_cb *cb = host->close_cb;
    void *data = host->close_data;
    void *value;

    if (!host->closed) {
        host->closed = true;
        entity_keep_stir(host);
        close_ones(host, KAN_CLOSED);
        entity_follow_end(host);
        entity_past_stir(host);
        entity_look_stir(host);
        entity_erase_stir(host);
    }
    if (host->asked || host->watches || host->waiting || host->keeper ||
        !list_empty(&host->looks) || !list_empty(&host->follows) ||
        !list_empty(&host->pasts) || !list_empty(&host->erasers) ||
        !list_empty(&host->done))
        return;
    while (cursor = 0, map_next(&host->ones, &cursor, NULL, &value))
        entity_one_free(value);
    host_free(host);
    if (cb)
        cb(data);
}

void entity_ebb(struct entity_host *host)
{
    if (host->closing)
        env_defer(host->env, &host->close_task, close_run);
    else if (!host->open && host->ready)
        entity_keep_stir(host);
}

void entity_host_close(struct entity_host *host, void *data, env_close_cb *cb)
{
    check_magic(host, ENTITY_HOST_MAGIC);
    kan_assert(!host->closing);
    host->closing = true;
    host->close_data = data;
    host->close_cb = cb;
    env_defer(host->env, &host->close_task, close_run);
}
