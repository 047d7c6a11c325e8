/* One saga as it is carried out: the effects of its core meet the entities and
 * the engine here, and what they answer is fed back to it. */

#include "base/alloc.h"
#include "base/assert.h"
#include "block/saga/saga_host.h"

enum
{
    TELL_EVERY = 16 /* tries of what is in trouble */
};

static void feed(struct saga *saga, struct saga_event event);

/* --- life ----------------------------------------------------------------- */

enum kan_err saga_new(struct saga_host *host, struct kan_slice id,
                      struct saga **ret_saga)
{
    struct saga *saga = mem_zalloc(sizeof(*saga));

    if (!saga)
        return KAN_NOMEM;
    saga->host = host;
    list_init(&saga->waiters);
    buffer_append(&saga->id, id);
    saga_host_key(host, 'r', id, &saga->key);
    saga_host_key(host, 'u', id, &saga->mark);
    saga->task.data = saga;
    saga->timer.data = saga;
    saga->outcome = SAGA_FAILED;
    saga->core.refused = SAGA_STEP_NONE;
    if (buffer_failed(&saga->id) || buffer_failed(&saga->key) ||
        buffer_failed(&saga->mark)) {
        saga_free(saga);
        return KAN_NOMEM;
    }
    *ret_saga = saga;
    return KAN_OK;
}

static void forget_contract(struct saga *saga)
{
    saga->contract = contract_unref(saga->contract);
    saga->values = mem_free(saga->values);
}

void saga_free(struct saga *saga)
{
    kan_assert(!saga->asking && list_empty(&saga->waiters));
    env_timer_stop(saga->host->env, &saga->timer);
    env_undefer(saga->host->env, &saga->task);
    list_remove(&saga->link);
    forget_contract(saga);
    buffer_fini(&saga->id);
    buffer_fini(&saga->name);
    buffer_fini(&saga->saved);
    buffer_fini(&saga->refused_call);
    buffer_fini(&saga->reason);
    buffer_fini(&saga->obstacle);
    buffer_fini(&saga->stuck);
    buffer_fini(&saga->stuck_call);
    buffer_fini(&saga->key);
    buffer_fini(&saga->mark);
    buffer_fini(&saga->record);
    mem_free(saga);
}

/* --- events, later -------------------------------------------------------- */

static void on_task(struct env_task *task)
{
    struct saga *saga = task->data;

    if (saga->over || saga->host->closing) {
        saga->over = true;
        saga_host_over(saga->host, saga);
        return;
    }
    feed(saga, saga->event);
}

/* Never within another's callback: it may hold on to what it gave us. */
static void later(struct saga *saga, struct saga_event event)
{
    saga->event = event;
    env_defer(saga->host->env, &saga->task, on_task);
}

static void failed(struct saga *saga, enum kan_err err)
{
    struct saga_event event = {.kind = SAGA_EVENT_FAILED};

    if (err == KAN_CLOSED || err == KAN_IO)
        event.kind = SAGA_EVENT_BROKEN;
    saga->doing_err = err;
    later(saga, event);
}

void saga_begin(struct saga *saga, enum saga_event_kind kind)
{
    struct saga_event event = {.kind = kind};

    later(saga, event);
}

void saga_stop(struct saga *saga)
{
    saga->err = KAN_CLOSED;
    env_timer_stop(saga->host->env, &saga->timer);
    if (!saga->asking) {
        env_defer(saga->host->env, &saga->task, on_task);
    } else if (saga->core.phase == SAGA_STEPPING) {
        entity_call_cancel(&saga->step);
    } else if (saga->core.phase == SAGA_RECORDING) {
        engine_cancel(&saga->commit.request);
    } else {
        engine_cancel(&saga->get.request);
    }
}

/* --- the contract in place ------------------------------------------------ */

static void copy(struct buffer *to, struct kan_slice from)
{
    buffer_clear(to);
    buffer_append(to, from);
}

static void trouble(struct saga *saga, const char *what, struct kan_slice more)
{
    struct buffer line = BUFFER_INIT;

    buffer_print(&line, "saga %.*s %.*s: %s",
                 SLICE_ARG(buffer_slice(&saga->name)),
                 SLICE_ARG(buffer_slice(&saga->id)), what);
    buffer_append(&line, more);
    saga_host_trouble(saga->host, &line);
    buffer_fini(&line);
}

/* Lay the parameters out for the contract that the entities run by now, and
 * see that it means the same saga. */
static enum kan_err lay_out(struct saga *saga, struct contract *contract)
{
    int32_t number = contract_saga_find(contract, buffer_slice(&saga->name));
    struct buffer why = BUFFER_INIT;
    struct saga_plan plan = {0};
    void *values = NULL;
    enum kan_err err;

    if (number < 0)
        return KAN_NOTFOUND;
    err = saga_parameters_load(contract, (uint32_t)number,
                               buffer_slice(&saga->saved), &values);
    if (err == KAN_OK)
        err = saga_plan_make(contract, (uint32_t)number, values, &plan, &why);
    buffer_fini(&why);
    if (err == KAN_OK && saga->plan && plan.hash != saga->plan)
        err = KAN_CONFLICT;
    if (err) {
        if (values)
            mem_free(values);
        return err;
    }
    forget_contract(saga);
    saga->contract = contract_ref(contract);
    saga->number = (uint32_t)number;
    saga->values = values;
    saga->core.shape = plan.shape;
    return KAN_OK;
}

/* KAN_OK when the calls can be made. What stops them is told, and waited for:
 * another text may come. */
static enum kan_err ready(struct saga *saga)
{
    struct contract *contract = entity_host_contract(saga->host->entities);
    const char *what;
    enum kan_err err;

    if (saga->contract == contract)
        return KAN_OK;
    err = lay_out(saga, contract);
    if (err == KAN_OK)
        buffer_clear(&saga->stuck);
    if (err == KAN_OK || err == KAN_NOMEM)
        return err;
    what = err == KAN_NOTFOUND
               ? "it is under way, and the contract has no such saga any "
                 "more: it waits for a text that has it"
               : "it is under way, and its steps were changed: it waits "
                 "for the text that it was begun with";
    buffer_clear(&saga->stuck_call);
    copy(&saga->stuck, kan_text(what));
    if (saga->core.tries % TELL_EVERY == 0)
        trouble(saga, what, kan_slice(NULL, 0));
    return KAN_BUSY;
}

/* --- records -------------------------------------------------------------- */

struct saga_record saga_record_of(const struct saga *saga,
                                  struct saga_progress progress)
{
    struct saga_record record = {.progress = progress,
                                 .refused = saga->core.refused,
                                 .plan = saga->plan,
                                 .name = buffer_slice(&saga->name),
                                 .parameters = buffer_slice(&saga->saved)};

    if (saga->core.refused != SAGA_STEP_NONE) {
        record.refused_call = buffer_slice(&saga->refused_call);
        record.reason = buffer_slice(&saga->reason);
    }
    return record;
}

/* What a commit that makes progress consists of. */
struct writing
{
    struct engine_guard guards[1];
    struct engine_write writes[2];
    uint32_t write_count;
};

static enum kan_err write_record(struct saga *saga,
                                 struct saga_progress becomes,
                                 struct writing *writing)
{
    bool expires = engine_promises(saga->host->engine)->expiry_ms > 0;
    bool ends = saga_core_ended(becomes);
    struct saga_record record = saga_record_of(saga, becomes);

    memset(writing, 0, sizeof(*writing));
    buffer_clear(&saga->record);
    saga_record_save(&record, &saga->record);
    if (buffer_failed(&saga->record))
        return KAN_NOMEM;
    writing->guards[0].key = buffer_slice(&saga->key);
    writing->guards[0].kind =
        saga->core.revision ? ENGINE_IF_VERSION : ENGINE_IF_ABSENT;
    writing->guards[0].revision = saga->core.revision;
    writing->writes[0].kind = ENGINE_PUT;
    writing->writes[0].key = buffer_slice(&saga->key);
    writing->writes[0].value = buffer_slice(&saga->record);
    if (ends && expires) {
        writing->writes[0].ttl_kind = ENGINE_TTL;
        writing->writes[0].ttl_ms = SAGA_KEEP_MS;
    }
    writing->write_count = 1;
    /* The mark comes with the record, and goes with its last writing. */
    if (ends == (saga->core.revision != 0)) {
        writing->writes[1].kind = ends ? ENGINE_DELETE : ENGINE_PUT;
        writing->writes[1].key = buffer_slice(&saga->mark);
        writing->write_count = 2;
    }
    return KAN_OK;
}

/* --- taking a step -------------------------------------------------------- */

/* Whether it can be kept. What is told of a step that must not be refused does
 * not take the place of what made the saga turn round. */
static bool keep_reason(struct saga *saga, struct kan_slice text)
{
    const struct saga_core *core = &saga->core;
    uint32_t step = core->progress.next;

    if (core->progress.status == SAGA_UNDOING ||
        saga_core_behind(core->shape, step)) {
        copy(&saga->obstacle, text);
        return true;
    }
    copy(&saga->reason, text);
    buffer_clear(&saga->refused_call);
    saga_call_text(saga->contract, saga->number, step, false,
                   &saga->refused_call);
    return !buffer_failed(&saga->reason) && !buffer_failed(&saga->refused_call);
}

static void on_step(struct entity_call *call)
{
    struct saga *saga = call->data;
    struct saga_event event = {.kind = SAGA_EVENT_REFUSED};

    saga->asking = false;
    if (call->outcome == ENTITY_TAKEN) {
        event.kind = SAGA_EVENT_TAKEN;
        event.revision = call->after.revision;
    } else if (call->outcome == ENTITY_GUARDED) {
        event.kind = SAGA_EVENT_GUARDED;
    } else if (call->outcome == ENTITY_FAILED && call->err != KAN_CORRUPT) {
        if (kan_err_class(call->err) != KAN_CLASS_UNKNOWN) {
            failed(saga, call->err);
            return;
        }
        saga->doing_err = call->err;
        event.kind = SAGA_EVENT_UNKNOWN;
    } else {
        if (!keep_reason(saga, call->text.size
                                   ? call->text
                                   : kan_text(kan_err_text(call->err)))) {
            failed(saga, KAN_NOMEM);
            return;
        }
    }
    later(saga, event);
}

/* Fill in the call, but for its arguments. */
static struct contract_saga_call fill(struct saga *saga, uint32_t step,
                                      bool undo)
{
    struct contract *contract = saga->contract;
    struct contract_saga_call what =
        saga_call_of(contract, saga->number, step, undo);
    const struct program *program = contract_program(contract, what.type, 0);

    memset(&saga->step, 0, sizeof(saga->step));
    saga->step.data = saga;
    saga->step.type = contract_type_name(contract, what.type);
    saga->step.id =
        saga_entity_id(contract, saga->number, what.parameter, saga->values);
    saga->step.step = program_step(program, what.step).name;
    saga->step.internal = true;
    return what;
}

static enum kan_err submit_step(struct saga *saga,
                                const struct saga_effect *effect)
{
    bool undo = effect->kind == SAGA_EFFECT_UNDO;
    struct contract_saga_call what = fill(saga, effect->step, undo);
    uint32_t size = saga_call_size(saga->contract, &what);
    struct writing writing;
    struct entity_extra extra = {.guards = writing.guards, .guard_count = 1};
    void *arguments = mem_zalloc(size);
    enum kan_err err;

    if (!arguments)
        return KAN_NOMEM;
    err = contract_saga_arguments(saga->contract, saga->number, effect->step,
                                  undo, saga->values, arguments, &saga->record);
    if (err == KAN_OK)
        err = write_record(saga, effect->becomes, &writing);
    if (err == KAN_OK) {
        /*= K-SAGA-5: no step is taken without the record that tells of it. */
        kan_assert(writing.write_count > 0);
        extra.writes = writing.writes;
        extra.write_count = writing.write_count;
        saga->step.arguments = arguments;
        saga->step.extra = &extra;
        err = entity_call(saga->host->entities, &saga->step, on_step);
        saga->step.extra = NULL;
        saga->step.arguments = NULL;
    }
    mem_free(arguments);
    return err;
}

static void take_step(struct saga *saga, const struct saga_effect *effect)
{
    enum kan_err err = ready(saga);

    if (err == KAN_OK)
        err = submit_step(saga, effect);
    if (err)
        failed(saga, err);
    else
        saga->asking = true;
}

/* --- the record alone ----------------------------------------------------- */

static void on_commit(struct engine_commit *commit, enum kan_err err)
{
    struct saga *saga = commit->request.data;
    struct saga_event event = {.kind = SAGA_EVENT_TAKEN,
                               .revision = commit->revision};

    saga->asking = false;
    if (err == KAN_CONFLICT) {
        event.kind = SAGA_EVENT_GUARDED;
    } else if (kan_err_class(err) == KAN_CLASS_UNKNOWN) {
        saga->doing_err = err;
        event.kind = SAGA_EVENT_UNKNOWN;
    } else if (err) {
        failed(saga, err);
        return;
    }
    later(saga, event);
}

static void commit_record(struct saga *saga, const struct saga_effect *effect)
{
    struct writing writing;
    enum kan_err err = write_record(saga, effect->becomes, &writing);

    memset(&saga->commit, 0, sizeof(saga->commit));
    saga->commit.request.data = saga;
    saga->commit.guards = writing.guards;
    saga->commit.guard_count = 1;
    saga->commit.writes = writing.writes;
    saga->commit.write_count = writing.write_count;
    if (err == KAN_OK)
        err = engine_commit(saga->host->engine, &saga->commit, on_commit);
    if (err)
        failed(saga, err);
    else
        saga->asking = true;
}

/* --- reading it ----------------------------------------------------------- */

/* Take up what the record says. KAN_CONFLICT: it is another saga's. */
static enum kan_err adopt(struct saga *saga, const struct saga_record *record)
{
    bool mine = saga->name.size > 0;
    enum kan_err err;

    if (mine && (!slice_equal(buffer_slice(&saga->name), record->name) ||
                 !slice_equal(buffer_slice(&saga->saved), record->parameters)))
        return KAN_CONFLICT;
    copy(&saga->name, record->name);
    copy(&saga->saved, record->parameters);
    copy(&saga->refused_call, record->refused_call);
    copy(&saga->reason, record->reason);
    if (saga->plan != record->plan)
        forget_contract(saga);
    saga->plan = record->plan;
    if (buffer_failed(&saga->name) || buffer_failed(&saga->saved) ||
        buffer_failed(&saga->refused_call) || buffer_failed(&saga->reason))
        return KAN_NOMEM;
    if (!mine)
        saga_host_known(saga->host, saga);
    if (saga_core_ended(record->progress))
        return KAN_OK;
    err = ready(saga);
    if (err == KAN_OK &&
        !saga_core_possible(saga->core.shape, record->progress))
        err = KAN_CORRUPT;
    return err;
}

static void end_with(struct saga *saga, enum saga_outcome outcome,
                     enum kan_err err)
{
    saga->outcome = outcome;
    saga->err = err;
    saga->over = true;
    env_defer(saga->host->env, &saga->task, on_task);
}

static void on_record(struct saga *saga, const struct engine_item *item)
{
    struct saga_event event = {.kind = SAGA_EVENT_READ,
                               .revision = item->created ? item->version : 0,
                               .refused = SAGA_STEP_NONE};
    struct saga_record record;
    enum kan_err err = KAN_OK;

    if (!item->created && saga->name.size == 0) {
        end_with(saga, SAGA_FAILED, KAN_NOTFOUND);
        return;
    }
    if (item->created) {
        err = saga_record_load(item->value, &record);
        if (err == KAN_OK)
            err = adopt(saga, &record);
        if (err == KAN_OK) {
            event.progress = record.progress;
            event.refused = record.refused;
        }
    }
    if (err == KAN_CONFLICT) {
        end_with(saga, SAGA_REUSED, KAN_CONFLICT);
    } else if (err == KAN_CORRUPT) {
        trouble(saga, "what is kept of it is corrupt", kan_slice(NULL, 0));
        end_with(saga, SAGA_FAILED, KAN_CORRUPT);
    } else if (err) {
        failed(saga, err);
    } else {
        saga->doing_err = KAN_NOTFOUND;
        later(saga, event);
    }
}

static void on_get(struct engine_get *get, enum kan_err err)
{
    struct saga *saga = get->request.data;

    saga->asking = false;
    if (err)
        failed(saga, err);
    else
        on_record(saga, &get->items[0]);
}

static void read_record(struct saga *saga)
{
    struct kan_slice key = buffer_slice(&saga->key);
    enum kan_err err;

    memset(&saga->get, 0, sizeof(saga->get));
    saga->get.request.data = saga;
    saga->get.keys = &key;
    saga->get.key_count = 1;
    err = engine_get(saga->host->engine, &saga->get, on_get);
    if (err)
        failed(saga, err);
    else
        saga->asking = true;
}

/* --- the rest ------------------------------------------------------------- */

static void on_timer(struct env_timer *timer)
{
    struct saga *saga = timer->data;
    struct saga_event event = {.kind = SAGA_EVENT_TIMER};

    feed(saga, event);
}

static void rest(struct saga *saga, uint32_t ms)
{
    uint64_t due = env_now(saga->host->env) + (uint64_t)ms * ENV_MS;
    struct saga_event event = {.kind = SAGA_EVENT_TIMER};

    /* Others need not wait for one that cannot go on. */
    saga_host_taken_up(saga->host, saga);
    if (env_timer_start(saga->host->env, &saga->timer, due, on_timer))
        later(saga, event);
}

static void refused(struct saga *saga, const struct saga_effect *effect)
{
    struct buffer line = BUFFER_INIT;

    copy(&saga->stuck, buffer_slice(&saga->obstacle));
    saga->stuck_undo = effect->undo;
    buffer_clear(&saga->stuck_call);
    saga_call_text(saga->contract, saga->number, effect->step, effect->undo,
                   &saga->stuck_call);
    if (saga->troubles++ % TELL_EVERY)
        return;
    buffer_append(&line, buffer_slice(&saga->stuck_call));
    buffer_append_text(&line, ": ");
    buffer_append(&line, buffer_slice(&saga->obstacle));
    trouble(saga,
            "what nothing may refuse any more was refused, and is tried "
            "again: ",
            buffer_slice(&line));
    buffer_fini(&line);
}

static void feed(struct saga *saga, struct saga_event event)
{
    struct saga_turn turn = saga_core_step(saga->core, event);

    saga->core = turn.core;
    if (event.kind == SAGA_EVENT_TAKEN) {
        saga->troubles = 0;
        buffer_clear(&saga->stuck);
    }
    if (event.kind == SAGA_EVENT_TAKEN && turn.core.phase == SAGA_OVER) {
        struct saga_stats *stats = &saga->host->stats;
        *(turn.core.progress.status == SAGA_DONE ? &stats->done
                                                 : &stats->undone) += 1;
    }
    for (uint32_t i = 0; i < turn.effect_count; i++) {
        const struct saga_effect *effect = &turn.effects[i];
        switch (effect->kind) {
        case SAGA_EFFECT_DO:
        case SAGA_EFFECT_UNDO:
            take_step(saga, effect);
            break;
        case SAGA_EFFECT_RECORD:
            commit_record(saga, effect);
            break;
        case SAGA_EFFECT_READ:
            read_record(saga);
            break;
        case SAGA_EFFECT_RETRY:
            rest(saga, effect->ms);
            break;
        case SAGA_EFFECT_TROUBLE:
            refused(saga, effect);
            break;
        case SAGA_EFFECT_ANSWER:
            end_with(saga, effect->ended ? SAGA_ENDED : SAGA_FAILED,
                     effect->ended ? KAN_OK : saga->doing_err);
            break;
        }
    }
}
