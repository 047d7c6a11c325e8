/* The driver of the state block: the only place where its rules meet an engine.
 *
 * One get and one save allocate nothing: keys are put together on the stack,
 * because the engine copies what a request points to. A request whose outcome
 * is known at once still answers later, through env_defer(). */

#include "block/state/state.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hash.h"
#include "block/lock/fence.h"
#include "block/state/state_core.h"

enum
{
    STORE_MAGIC = 0x57a7e001,
    FULL_KEY_MAX = STATE_PREFIX_MAX + STATE_KEY_MAX
};

struct state_store
{
    unsigned magic;
    struct engine *engine;
    struct state_limits limits;
    struct hash_seed seed;
    uint32_t open; /* requests under way */
    char prefix[]; /* limits.prefix_size bytes */
};

/* --- the store ------------------------------------------------------------ */

static enum kan_err store_refuse(char *why, size_t why_size, const char *text)
{
    if (why && why_size)
        snprintf(why, why_size, "%s", text);
    return KAN_INVALID;
}

enum kan_err state_store_new(const struct state_options *options, char *why,
                             size_t why_size, struct state_store **ret_store)
{
    const struct engine_promises *promises = engine_promises(options->engine);
    struct kan_slice prefix = options->prefix;
    struct state_store *store;
    enum kan_err err;

    err = engine_promises_cover(promises, &state_needs, why, why_size);
    if (err)
        return err;
    if (prefix.size > STATE_PREFIX_MAX)
        return store_refuse(why, why_size,
                            "the key prefix is longer than 512 bytes");
    if (prefix.size >= promises->key_max)
        return store_refuse(why, why_size,
                            "the key prefix leaves no room for keys");
    store = mem_zalloc(sizeof(*store) + prefix.size);
    if (!store)
        return KAN_NOMEM;
    store->magic = STORE_MAGIC;
    store->engine = options->engine;
    store->seed.k0 = env_choose(options->engine->env, UINT64_MAX);
    store->seed.k1 = env_choose(options->engine->env, UINT64_MAX);
    store->limits = state_core_limits(*promises, (uint32_t)prefix.size);
    if (prefix.size)
        memcpy(store->prefix, prefix.bytes, prefix.size);
    *ret_store = store;
    return KAN_OK;
}

struct state_store *state_store_free(struct state_store *store)
{
    if (!store)
        return NULL;
    check_magic(store, STORE_MAGIC);
    kan_assert(store->open == 0);
    store->magic = 0;
    return mem_free(store);
}

struct engine *state_store_engine(const struct state_store *store)
{
    check_magic(store, STORE_MAGIC);
    return store->engine;
}

/* Write prefix and key to out, which has FULL_KEY_MAX bytes. */
static struct kan_slice full_key(const struct state_store *store,
                                 struct kan_slice key, char *out)
{
    size_t prefix_size = store->limits.prefix_size;

    kan_assert(key.size <= STATE_KEY_MAX);
    if (prefix_size)
        memcpy(out, store->prefix, prefix_size);
    if (key.size)
        memcpy(out + prefix_size, key.bytes, key.size);
    return kan_slice(out, prefix_size + key.size);
}

/* The client's part of an engine's key. */
static struct kan_slice own_key(const struct state_store *store,
                                struct kan_slice key)
{
    struct kan_slice prefix =
        kan_slice(store->prefix, store->limits.prefix_size);

    /*= K-STATE-9: a store touches nothing outside its prefix. */
    kan_assert(slice_starts(key, prefix));
    return slice_skip(key, prefix.size);
}

static struct state_item own_item(const struct state_store *store,
                                  const struct engine_item *found)
{
    struct state_item item = {0};

    item.key = own_key(store, found->key);
    item.found = found->created != 0;
    item.value = found->value;
    item.version = found->version;
    item.expires_ms = found->expires_ms;
    return item;
}

/* --- writing: the end ----------------------------------------------------- */

/* Remember what went wrong with an op, when it is worse than what is known. */
static void write_note(struct state_write *write, enum state_outcome outcome,
                       enum kan_err err, uint32_t op)
{
    bool same = outcome == write->outcome && op < write->failed_op;

    if (!state_core_worse(outcome, write->outcome) && !same)
        return;
    write->outcome = outcome;
    write->err = outcome == STATE_FAILED ? err : KAN_OK;
    write->failed_op = op;
}

static void write_end(struct state_write *write)
{
    struct state_store *store = write->store;

    /*= K-STATE-12: a request is answered once, when all of it is known. */
    kan_assert(store->open > 0 && write->waiting == 0);
    write->part = mem_free(write->part);
    store->open--;
    write->cb(write);
}

static void write_task(struct env_task *task)
{
    write_end(task->data);
}

/* The outcome is known already. */
static enum kan_err write_later(struct state_write *write)
{
    write->task.data = write;
    env_defer(write->store->engine->env, &write->task, write_task);
    return KAN_OK;
}

/* The op that the nth guard of an atomic write came from. */
static uint32_t guarded_op(const struct state_write *write, uint32_t nth)
{
    uint32_t op = 0;

    for (;; op++) {
        struct state_step step;
        kan_assert(op < write->op_count);
        step = state_core_step(write->store->limits, write->ops[op]);
        if (step.guarded && nth-- == 0)
            return op;
    }
}

/* A commit of the write was answered; guard is the one that failed, the fence
 * not counted. */
static void part_answered(struct state_write *write, uint32_t op,
                          enum kan_err err, uint32_t guard, uint64_t revision)
{
    enum state_outcome outcome = state_core_answer(err);

    if (outcome == STATE_OK) {
        /*= K-STATE-1: what is acknowledged can be read from now on. */
        kan_assert(revision <= engine_cursor(write->store->engine).revision);
        if (revision > write->revision)
            write->revision = revision;
    } else {
        if (outcome == STATE_MISMATCH && write->atomic)
            op = guarded_op(write, guard);
        write_note(write, outcome, err, op);
    }
    if (--write->waiting == 0)
        write_end(write);
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct state_part *part = commit->request.data;
    struct state_write *write = part->write;
    uint32_t guard = commit->failed_guard;

    /* The fence is the first guard of every commit. */
    if (write->fenced && err == KAN_CONFLICT && guard-- == 0)
        err = KAN_FENCED;
    part_answered(write, part->op, err, guard, commit->revision);
}

static void on_fence_write(struct fence_write *fence, enum kan_err err)
{
    part_answered(fence->data, 0, err, fence->failed_guard, fence->revision);
}

/* --- writing: one op ------------------------------------------------------ */

static enum kan_err part_submit(struct state_write *write,
                                struct state_part *part, struct state_step step)
{
    struct state_store *store = write->store;
    char bytes[FULL_KEY_MAX];
    struct kan_slice key = full_key(store, step.guard.key, bytes);
    struct engine_guard guards[2];
    uint32_t guard_count = 0;
    enum kan_err err;

    step.guard.key = key;
    step.write.key = key;
    if (write->fenced)
        guards[guard_count++] = *write->fence;
    if (step.guarded)
        guards[guard_count++] = step.guard;
    part->write = write;
    part->commit.request.data = part;
    part->commit.request.deadline_ns = write->deadline_ns;
    part->commit.guards = guards;
    part->commit.writes = &step.write;
    part->commit.guard_count = guard_count;
    part->commit.write_count = step.writing ? 1 : 0;
    err = engine_commit(store->engine, &part->commit, on_commit);
    if (!err)
        write->waiting++;
    return err;
}

/* A check without a condition asks for nothing. */
static bool step_idle(const struct state_write *write, struct state_step step)
{
    return !step.guarded && !step.writing && !write->fenced;
}

static enum kan_err write_one(struct state_write *write)
{
    struct state_step step =
        state_core_step(write->store->limits, write->ops[0]);

    return step_idle(write, step) ? write_later(write)
                                  : part_submit(write, &write->first, step);
}

/* Each op is a commit of its own; all are submitted before any is answered, so
 * that the engine groups them. */
static enum kan_err write_each(struct state_write *write)
{
    struct state_part *parts =
        mem_zalloc(write->op_count * sizeof(struct state_part));

    if (!parts)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < write->op_count; i++) {
        struct state_step step =
            state_core_step(write->store->limits, write->ops[i]);
        enum kan_err err = KAN_OK;
        parts[i].op = i;
        if (!step_idle(write, step))
            err = part_submit(write, &parts[i], step);
        if (err)
            write_note(write, STATE_FAILED, err, i);
    }
    write->part = parts;
    if (write->waiting > 0)
        return KAN_OK;
    if (write->outcome == STATE_OK)
        return write_later(write);
    write->part = mem_free(parts);
    return write->err;
}

/* --- writing: all or none ------------------------------------------------- */

/* Room for one commit of many ops, freed as soon as the engine has it; with a
 * token, when it has been answered. */
struct draft
{
    struct fence_write *fence; /* of a write with a token */
    struct engine_guard *guards;
    struct engine_write *writes;
    bool *overruled;  /* a later op writes the same key */
    uint32_t *places; /* of ops by their key's hash; op + 1, 0: none */
    uint32_t place_count;
    uint32_t guard_count;
    uint32_t write_count;
    char *keys;
};

/* Mark the ops whose key a later op writes again. */
static void draft_overrule(struct draft *draft, const struct state_write *write)
{
    for (uint32_t i = write->op_count; i-- > 0;) {
        struct kan_slice key = write->ops[i].key;
        uint32_t place = (uint32_t)hash_bytes(write->store->seed, key) &
                         (draft->place_count - 1);
        if (write->ops[i].kind == STATE_CHECK)
            continue;
        while (draft->places[place] &&
               !slice_equal(write->ops[draft->places[place] - 1].key, key))
            place = (place + 1) & (draft->place_count - 1);
        draft->overruled[i] = draft->places[place] != 0;
        if (!draft->places[place])
            draft->places[place] = i + 1;
    }
}

static uint32_t places_for(uint32_t op_count)
{
    uint32_t count = 4;
    while (count < 2 * op_count)
        count *= 2;
    return count;
}

/* One block of memory holds it all. */
static enum kan_err draft_new(struct draft *draft,
                              const struct state_write *write, void **ret_block)
{
    uint32_t n = write->op_count;
    uint32_t places = places_for(n);
    size_t key_bytes = 0;
    char *block;

    for (uint32_t i = 0; i < n; i++)
        key_bytes += write->store->limits.prefix_size + write->ops[i].key.size;
    block = mem_zalloc(
        sizeof(*draft->fence) + (n + 1) * sizeof(*draft->guards) +
        n * sizeof(*draft->writes) + places * sizeof(*draft->places) +
        n * sizeof(*draft->overruled) + key_bytes);
    if (!block)
        return KAN_NOMEM;
    *ret_block = block;
    draft->fence = (void *)block;
    draft->guards = (void *)(draft->fence + 1);
    draft->writes = (void *)(draft->guards + n + 1);
    draft->places = (void *)(draft->writes + n);
    draft->place_count = places;
    draft->overruled = (void *)(draft->places + places);
    draft->keys = (void *)(draft->overruled + n);
    return KAN_OK;
}

/* Put all ops into the draft; the outcome says whether a commit may be so
 * large. */
static enum state_outcome draft_fill(struct draft *draft,
                                     const struct state_write *write)
{
    struct state_store *store = write->store;
    struct state_size size = {0};

    draft_overrule(draft, write);
    if (write->fenced) {
        draft->guards[draft->guard_count++] = *write->fence;
        size.parts++;
        size.bytes += write->fence->key.size;
    }
    if (write->token) /* what fence_write() adds: a guard and a put */
        size = state_core_add_fence(size, *write->token);
    for (uint32_t i = 0; i < write->op_count; i++) {
        struct state_step step = state_core_step(store->limits, write->ops[i]);
        struct kan_slice key = full_key(store, step.guard.key, draft->keys);
        step.writing = step.writing && !draft->overruled[i];
        size = state_core_add(store->limits, size, step);
        step.guard.key = key;
        step.write.key = key;
        draft->keys += key.size;
        if (step.guarded)
            draft->guards[draft->guard_count++] = step.guard;
        if (step.writing)
            draft->writes[draft->write_count++] = step.write;
    }
    /*= K-STATE-4: all guards and writes are in this one commit. */
    kan_assert(draft->guard_count + draft->write_count +
                   (write->token ? 2 : 0) ==
               size.parts);
    return state_core_fits(store->limits, size);
}

/* Submit under the token; the draft lives until it is answered. */
static enum kan_err submit_with_token(struct state_write *write,
                                      const struct draft *draft)
{
    struct fence_write *fence = draft->fence;

    fence->data = write;
    fence->engine = write->store->engine;
    fence->lock_store = write->token->lock_store;
    fence->resource = write->token->resource;
    fence->token = write->token->token;
    fence->guards = draft->guards;
    fence->writes = draft->writes;
    fence->guard_count = draft->guard_count;
    fence->write_count = draft->write_count;
    fence->deadline_ns = write->deadline_ns;
    return fence_write(fence, on_fence_write);
}

static enum kan_err submit_draft(struct state_write *write,
                                 const struct draft *draft)
{
    struct engine_commit *commit = &write->first.commit;

    write->first.write = write;
    commit->request.data = &write->first;
    commit->request.deadline_ns = write->deadline_ns;
    commit->guards = draft->guards;
    commit->writes = draft->writes;
    commit->guard_count = draft->guard_count;
    commit->write_count = draft->write_count;
    return engine_commit(write->store->engine, commit, on_commit);
}

static enum kan_err write_together(struct state_write *write)
{
    struct draft draft = {0};
    enum state_outcome outcome;
    void *block;
    enum kan_err err = draft_new(&draft, write, &block);

    if (err)
        return err;
    outcome = draft_fill(&draft, write);
    if (outcome != STATE_OK) {
        write_note(write, outcome, KAN_OK, 0);
        err = write_later(write);
    } else if (draft.guard_count + draft.write_count == 0) {
        err = write_later(write);
    } else {
        err = write->token ? submit_with_token(write, &draft)
                           : submit_draft(write, &draft);
        write->waiting = err ? 0 : 1;
        if (!err && write->token) {
            write->part = block;
            return KAN_OK;
        }
    }
    mem_free(block);
    return err;
}

/* --- writing: the beginning ----------------------------------------------- */

/* Judge what needs no engine. */
static void write_inspect(struct state_write *write)
{
    struct state_limits limits = write->store->limits;

    if (write->atomic && !limits.atomic) {
        write_note(write, STATE_NO_TRANSACTION, KAN_OK, 0);
        return;
    }
    if (write->op_count > STATE_OPS_MAX) {
        write_note(write, STATE_TOO_MANY, KAN_OK, STATE_OPS_MAX);
        return;
    }
    for (uint32_t i = 0; i < write->op_count; i++) {
        struct state_step step = state_core_step(limits, write->ops[i]);
        struct state_size size = {0};
        size = state_core_add(limits, size, step);
        if (step.outcome == STATE_OK && size.bytes > limits.commit_bytes_max)
            step.outcome = STATE_VALUE_TOO_LARGE;
        write_note(write, step.outcome, KAN_OK, i);
    }
}

static enum kan_err write_submit(struct state_write *write)
{
    write_inspect(write);
    /*= K-STATE-5: a request with anything wrong in it writes nothing. */
    if (write->outcome != STATE_OK || write->op_count == 0) {
        kan_assert(write->waiting == 0);
        return write_later(write);
    }
    if (write->op_count == 1 && !write->token)
        return write_one(write);
    return write->atomic ? write_together(write) : write_each(write);
}

enum kan_err state_write(struct state_store *store, struct state_write *write,
                         state_write_cb *cb)
{
    enum kan_err err;

    check_magic(store, STORE_MAGIC);
    kan_assert(!write->token || (write->atomic && !write->fence));
    write->outcome = STATE_OK;
    write->err = KAN_OK;
    write->failed_op = 0;
    write->revision = 0;
    write->store = store;
    write->cb = cb;
    write->fenced = write->fence != NULL;
    write->waiting = 0;
    write->part = NULL;
    memset(&write->first, 0, sizeof(write->first));
    memset(&write->task, 0, sizeof(write->task));
    err = write_submit(write);
    if (!err)
        store->open++;
    return err;
}

/* --- reading -------------------------------------------------------------- */

static void read_end(struct state_read *read)
{
    void *part = read->part;

    /*= K-STATE-12: a request is answered once. */
    kan_assert(read->store->open > 0);
    read->store->open--;
    read->part = NULL;
    read->cb(read);
    mem_free(part);
}

static void read_task(struct env_task *task)
{
    read_end(task->data);
}

static enum kan_err read_later(struct state_read *read)
{
    read->task.data = read;
    env_defer(read->store->engine->env, &read->task, read_task);
    return KAN_OK;
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    struct state_read *read = get->request.data;
    struct state_item *items = read->part ? read->part : &read->first;

    read->asked = false;
    if (err) {
        read->outcome = STATE_FAILED;
        read->err = err;
        read_end(read);
        return;
    }
    /*= K-STATE-10: a read is never older than what it was told to be. */
    kan_assert(get->revision >= read->at_least);
    for (uint32_t i = 0; i < read->key_count; i++) {
        items[i] = own_item(read->store, &get->items[i]);
        kan_assert(slice_equal(items[i].key, read->keys[i]));
    }
    read->items = items;
    read->revision = get->revision;
    read_end(read);
}

static enum kan_err read_ask(struct state_read *read,
                             const struct kan_slice *keys,
                             enum engine_level level)
{
    enum kan_err err;

    read->get.request.data = read;
    read->get.request.deadline_ns = read->deadline_ns;
    read->get.keys = keys;
    read->get.key_count = read->key_count;
    read->get.level = level;
    read->get.at_least = read->at_least;
    err = engine_get(read->store->engine, &read->get, on_get);
    read->asked = !err;
    return err;
}

static enum kan_err read_one(struct state_read *read, enum engine_level level)
{
    char bytes[FULL_KEY_MAX];
    struct kan_slice key = full_key(read->store, read->keys[0], bytes);

    return read_ask(read, &key, level);
}

/* One block holds the items of the answer, then the keys of the question. */
static enum kan_err read_many(struct state_read *read, enum engine_level level)
{
    size_t size = read->key_count *
                  (sizeof(struct state_item) + sizeof(struct kan_slice));
    struct kan_slice *keys;
    char *bytes;
    enum kan_err err;

    for (uint32_t i = 0; i < read->key_count; i++)
        size += read->store->limits.prefix_size + read->keys[i].size;
    read->part = mem_alloc(size);
    if (!read->part)
        return KAN_NOMEM;
    keys = (void *)((struct state_item *)read->part + read->key_count);
    bytes = (void *)(keys + read->key_count);
    for (uint32_t i = 0; i < read->key_count; i++) {
        keys[i] = full_key(read->store, read->keys[i], bytes);
        bytes += keys[i].size;
    }
    err = read_ask(read, keys, level);
    if (err)
        read->part = mem_free(read->part);
    return err;
}

/* Judge what needs no engine. */
static struct state_level read_inspect(struct state_read *read)
{
    struct state_limits limits = read->store->limits;
    struct state_level level =
        state_core_level(limits, read->consistency, read->at_least);

    read->outcome = level.outcome;
    if (read->key_count > STATE_OPS_MAX) {
        read->outcome = STATE_TOO_MANY;
        read->failed_key = STATE_OPS_MAX;
        return level;
    }
    for (uint32_t i = 0; i < read->key_count; i++) {
        enum state_outcome outcome = state_core_key(limits, read->keys[i]);
        if (outcome == STATE_OK)
            continue;
        read->outcome = outcome;
        read->failed_key = i;
        break;
    }
    return level;
}

static enum kan_err read_submit(struct state_read *read)
{
    struct state_level level = read_inspect(read);

    if (read->outcome != STATE_OK)
        return read_later(read);
    if (read->key_count == 0) {
        read->revision = engine_cursor(read->store->engine).revision;
        return read_later(read);
    }
    return read->key_count == 1 ? read_one(read, level.level)
                                : read_many(read, level.level);
}

enum kan_err state_read(struct state_store *store, struct state_read *read,
                        state_read_cb *cb)
{
    enum kan_err err;

    check_magic(store, STORE_MAGIC);
    read->err = KAN_OK;
    read->failed_key = 0;
    read->items = NULL;
    read->revision = 0;
    read->store = store;
    read->cb = cb;
    read->asked = false;
    read->part = NULL;
    memset(&read->get, 0, sizeof(read->get));
    memset(&read->task, 0, sizeof(read->task));
    err = read_submit(read);
    if (!err)
        store->open++;
    return err;
}

void state_read_cancel(struct state_read *read)
{
    if (read->asked)
        engine_cancel(&read->get.request);
}

/* --- listing -------------------------------------------------------------- */

static void list_end(struct state_list *list)
{
    struct state_item *part = list->part;

    /*= K-STATE-12: a request is answered once. */
    kan_assert(list->store->open > 0);
    list->store->open--;
    list->part = NULL;
    list->cb(list);
    mem_free(part);
}

static void list_task(struct env_task *task)
{
    list_end(task->data);
}

static void on_scan(struct engine_scan *scan, enum kan_err err);

/* Ask for the page behind the engine's key after, or for the first one. */
static enum kan_err list_ask(struct state_list *list, struct kan_slice after)
{
    char bytes[FULL_KEY_MAX];

    memset(&list->scan, 0, sizeof(list->scan));
    list->scan.request.data = list;
    list->scan.request.deadline_ns = list->deadline_ns;
    list->scan.prefix = full_key(list->store, list->prefix, bytes);
    list->scan.after = after;
    list->scan.limit = list->limit;
    list->scan.keys_only = true;
    list->scan.at_least = list->at_least;
    list->scan.level =
        state_core_level(list->store->limits, list->consistency, list->at_least)
            .level;
    return engine_scan(list->store->engine, &list->scan, on_scan);
}

static void list_fail(struct state_list *list, enum kan_err err)
{
    list->outcome = STATE_FAILED;
    list->err = err;
    list_end(list);
}

static void on_scan(struct engine_scan *scan, enum kan_err err)
{
    struct state_list *list = scan->request.data;
    uint32_t count = 0;

    if (err) {
        list_fail(list, err);
        return;
    }
    for (uint32_t i = 0; i < scan->item_count; i++) {
        struct state_item item = own_item(list->store, &scan->items[i]);
        if (state_core_owns(item.key))
            list->part[count++] = item;
    }
    if (count == 0 && scan->more) {
        /* All of it belongs to other stores: look behind it. */
        err = list_ask(list, scan->items[scan->item_count - 1].key);
        if (err)
            list_fail(list, err);
        return;
    }
    list->items = list->part;
    list->item_count = count;
    list->more = scan->more;
    list->revision = scan->revision;
    list_end(list);
}

static enum state_outcome list_inspect(const struct state_list *list)
{
    struct state_limits limits = list->store->limits;

    if (list->limit > STATE_PAGE_MAX)
        return STATE_TOO_MANY;
    if (list->prefix.size > limits.key_max || list->after.size > limits.key_max)
        return STATE_KEY_TOO_LONG;
    if (list->prefix.size > 0 && !state_core_owns(list->prefix))
        return STATE_KEY_ILLEGAL;
    return state_core_level(limits, list->consistency, list->at_least).outcome;
}

static enum kan_err list_submit(struct state_list *list)
{
    struct env *env = list->store->engine->env;
    char bytes[FULL_KEY_MAX];
    struct kan_slice after = {NULL, 0};
    enum kan_err err;

    list->outcome = list_inspect(list);
    if (list->outcome != STATE_OK) {
        list->task.data = list;
        env_defer(env, &list->task, list_task);
        return KAN_OK;
    }
    if (list->limit == 0)
        list->limit = STATE_PAGE_DEFAULT;
    if (list->deadline_ns == 0)
        list->deadline_ns = env_now(env) + 30 * (uint64_t)ENV_S;
    list->part = mem_alloc(list->limit * sizeof(*list->part));
    if (!list->part)
        return KAN_NOMEM;
    if (list->after.size)
        after = full_key(list->store, list->after, bytes);
    err = list_ask(list, after);
    if (err)
        list->part = mem_free(list->part);
    return err;
}

enum kan_err state_list(struct state_store *store, struct state_list *list,
                        state_list_cb *cb)
{
    enum kan_err err;

    check_magic(store, STORE_MAGIC);
    list->err = KAN_OK;
    list->items = NULL;
    list->item_count = 0;
    list->more = false;
    list->revision = 0;
    list->store = store;
    list->cb = cb;
    list->part = NULL;
    memset(&list->task, 0, sizeof(list->task));
    err = list_submit(list);
    if (!err)
        store->open++;
    return err;
}
