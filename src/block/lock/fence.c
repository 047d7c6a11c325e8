/* Fencing by the highest token seen. Guarantees: docs/guarantees/lock.md. */

#include "block/lock/fence.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "env/env.h"

const struct engine_promises fence_needs = {
    .ops_max = 3, /* guard and put of the fence key, one write */
    .commit_bytes_max = 4096,
    .key_max = 512,
    .value_max = FENCE_VALUE_SIZE,
    .linearizable = true,
};

/* --- the rules ------------------------------------------------------------ */

struct fence_core fence_core_init(uint64_t token)
{
    struct fence_core core = {.token = token};

    kan_assert(token != 0);
    return core;
}

static struct fence_step answer(struct fence_core core, enum kan_err err)
{
    struct fence_step step = {.core = core, .effect = FENCE_ANSWER, .err = err};

    step.core.phase = FENCE_ENDED;
    return step;
}

static struct fence_step read_fence(struct fence_core core)
{
    struct fence_step step = {.core = core, .effect = FENCE_READ};

    if (core.tries == FENCE_TRIES_MAX)
        return answer(core, KAN_BUSY);
    step.core.tries++;
    step.core.phase = FENCE_READING;
    return step;
}

static struct fence_step judge(struct fence_core core, struct fence_event event)
{
    struct fence_step step = {.core = core, .effect = FENCE_COMMIT};

    if (event.damaged)
        return answer(core, KAN_CORRUPT);
    if (event.version != 0 && event.highest > core.token)
        return answer(core, KAN_FENCED);
    step.core.phase = FENCE_COMMITTING;
    step.absent = event.version == 0;
    step.version = event.version;
    step.raise = event.version == 0 || event.highest < core.token;
    /*= K-LOCK-9: nothing is written below the highest token seen. */
    kan_assert(step.absent || event.highest <= core.token);
    return step;
}

static struct fence_step committed(struct fence_core core, uint64_t revision)
{
    struct fence_step step = answer(core, KAN_OK);

    step.revision = revision;
    return step;
}

struct fence_step fence_core_step(struct fence_core core,
                                  struct fence_event event)
{
    struct fence_step nothing = {.core = core};
    bool reading = core.phase == FENCE_READING;
    bool committing = core.phase == FENCE_COMMITTING;

    switch (event.kind) {
    case FENCE_EVENT_START:
        return core.phase == FENCE_IDLE ? read_fence(core) : nothing;
    case FENCE_EVENT_READ:
        return reading ? judge(core, event) : nothing;
    case FENCE_EVENT_COMMITTED:
        return committing ? committed(core, event.revision) : nothing;
    case FENCE_EVENT_REFUSED:
        return committing ? read_fence(core) : nothing;
    case FENCE_EVENT_CONFLICT:
        return committing ? answer(core, KAN_CONFLICT) : nothing;
    case FENCE_EVENT_FAILED:
        return reading || committing ? answer(core, event.err) : nothing;
    }
    return nothing;
}

enum
{
    VALUE_VERSION = 1
};

void fence_value_write(uint64_t token, unsigned char value[FENCE_VALUE_SIZE])
{
    value[0] = VALUE_VERSION;
    for (int i = 0; i < 8; i++)
        value[1 + i] = (unsigned char)(token >> (56 - 8 * i));
}

bool fence_value_read(struct kan_slice value, uint64_t *ret_token)
{
    const unsigned char *bytes = value.bytes;
    uint64_t token = 0;

    if (value.size != FENCE_VALUE_SIZE || bytes[0] != VALUE_VERSION)
        return false;
    for (int i = 0; i < 8; i++)
        token = token << 8 | bytes[1 + i];
    *ret_token = token;
    return true;
}

/* --- carrying them out ---------------------------------------------------- */

#define KEY_HEAD "fence||"

/* What a write needs room for: the key, and the commit with two more parts. */
struct draft
{
    struct kan_slice key;
    unsigned char value[FENCE_VALUE_SIZE];
    struct engine_guard *guards;
    struct engine_write *writes;
    _Alignas(8) unsigned char bytes[]; /* guards, writes, key */
};

static void feed(struct fence_write *write, struct fence_event event);

static unsigned char *put(unsigned char *at, struct kan_slice bytes)
{
    if (bytes.size)
        memcpy(at, bytes.bytes, bytes.size);
    return at + bytes.size;
}

static enum kan_err draft_new(struct fence_write *write)
{
    size_t guards = (write->guard_count + 1) * sizeof(struct engine_guard);
    size_t writes = (write->write_count + 1) * sizeof(struct engine_write);
    size_t key_size = sizeof(KEY_HEAD) - 1 + write->lock_store.size + 2 +
                      write->resource.size;
    struct draft *draft =
        mem_zalloc(sizeof(*draft) + guards + writes + key_size);
    unsigned char *at;

    if (!draft)
        return KAN_NOMEM;
    at = draft->bytes;
    draft->guards = (void *)at;
    draft->writes = (void *)(at + guards);
    at += guards + writes;
    draft->key = kan_slice(at, key_size);
    at = put(at, SLICE(KEY_HEAD));
    at = put(at, write->lock_store);
    at = put(at, SLICE("||"));
    put(at, write->resource);
    fence_value_write(write->token, draft->value);
    write->part = draft;
    return KAN_OK;
}

static void end(struct env_task *task)
{
    struct fence_write *write = task->data;

    write->part = mem_free(write->part);
    write->cb(write, write->err);
}

static void answer_later(struct fence_write *write, enum kan_err err)
{
    write->err = err;
    write->task.data = write;
    env_defer(write->engine->env, &write->task, end);
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    struct fence_write *write = get->request.data;
    struct fence_event event = {.kind = FENCE_EVENT_READ, .err = err};

    if (err) {
        event.kind = FENCE_EVENT_FAILED;
    } else if (get->items[0].created) {
        event.version = get->items[0].version;
        event.damaged = !fence_value_read(get->items[0].value, &event.highest);
    }
    feed(write, event);
}

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct fence_write *write = commit->request.data;
    struct fence_event event = {.kind = FENCE_EVENT_COMMITTED,
                                .revision = commit->revision,
                                .err = err};

    if (err == KAN_CONFLICT && commit->failed_guard == 0) {
        event.kind = FENCE_EVENT_REFUSED;
    } else if (err == KAN_CONFLICT) {
        event.kind = FENCE_EVENT_CONFLICT;
        write->failed_guard = commit->failed_guard - 1;
    } else if (err) {
        event.kind = FENCE_EVENT_FAILED;
    }
    feed(write, event);
}

static enum kan_err ask_read(struct fence_write *write)
{
    const struct draft *draft = write->part;

    write->get.request.data = write;
    write->get.request.deadline_ns = write->deadline_ns;
    write->get.keys = &draft->key;
    write->get.key_count = 1;
    write->get.level = ENGINE_LINEARIZABLE;
    return engine_get(write->engine, &write->get, on_get);
}

static enum kan_err ask_commit(struct fence_write *write,
                               const struct fence_step *step)
{
    struct draft *draft = write->part;

    draft->guards[0] = (struct engine_guard){
        .kind = step->absent ? ENGINE_IF_ABSENT : ENGINE_IF_VERSION,
        .key = draft->key,
        .revision = step->version};
    for (uint32_t i = 0; i < write->guard_count; i++)
        draft->guards[1 + i] = write->guards[i];
    for (uint32_t i = 0; i < write->write_count; i++)
        draft->writes[i] = write->writes[i];
    draft->writes[write->write_count] = (struct engine_write){
        .kind = ENGINE_PUT,
        .key = draft->key,
        .value = kan_slice(draft->value, FENCE_VALUE_SIZE)};
    write->commit.request.data = write;
    write->commit.request.deadline_ns = write->deadline_ns;
    write->commit.guards = draft->guards;
    write->commit.guard_count = write->guard_count + 1;
    write->commit.writes = draft->writes;
    write->commit.write_count = write->write_count + (step->raise ? 1 : 0);
    return engine_commit(write->engine, &write->commit, on_commit);
}

static void feed(struct fence_write *write, struct fence_event event)
{
    struct fence_step step = fence_core_step(write->core, event);
    enum kan_err err = KAN_OK;

    write->core = step.core;
    if (step.effect == FENCE_READ)
        err = ask_read(write);
    else if (step.effect == FENCE_COMMIT)
        err = ask_commit(write, &step);
    else if (step.effect == FENCE_ANSWER) {
        write->revision = step.revision;
        answer_later(write, step.err);
    }
    if (err) {
        /* The engine did not take it: so much is certain. */
        write->core.phase = FENCE_ENDED;
        answer_later(write, err);
    }
}

static enum kan_err inspect(const struct fence_write *write)
{
    bool named = write->lock_store.size > 0 && write->resource.size > 0 &&
                 write->lock_store.size <= FENCE_STORE_MAX &&
                 slice_find(write->lock_store, SLICE("||")) == SIZE_MAX;

    if (!named || write->token == 0 || write->guard_count > FENCE_OPS_MAX ||
        write->write_count > FENCE_OPS_MAX ||
        write->guard_count + write->write_count == 0)
        return KAN_INVALID;
    return engine_promises_cover(engine_promises(write->engine), &fence_needs,
                                 NULL, 0);
}

enum kan_err fence_write(struct fence_write *write, fence_write_cb *cb)
{
    struct fence_event event = {.kind = FENCE_EVENT_START};
    enum kan_err err = inspect(write);

    if (!err)
        err = draft_new(write);
    if (err)
        return err;
    if (write->deadline_ns == 0)
        write->deadline_ns =
            env_now(write->engine->env) + (uint64_t)ENGINE_DEADLINE_MS * ENV_MS;
    write->cb = cb;
    write->revision = 0;
    write->failed_guard = 0;
    memset(&write->task, 0, sizeof(write->task));
    memset(&write->get, 0, sizeof(write->get));
    memset(&write->commit, 0, sizeof(write->commit));
    write->core = fence_core_step(fence_core_init(write->token), event).core;
    err = ask_read(write);
    if (err)
        write->part = mem_free(write->part);
    return err;
}
