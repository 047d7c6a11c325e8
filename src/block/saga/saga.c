/* The host of sagas: who waits for which, what was under way when it began, and
 * how all of it ends. */

#include "block/saga/saga.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/utf8.h"
#include "block/saga/saga_host.h"

enum
{
    SAGA_MAGIC = 0x73616761,
    WAITING_MAX = 10000
};

const struct engine_promises saga_needs = {
    .ops_max = 8, .scan = true, .linearizable = true};

static void recover_next(struct saga_host *host);
static void maybe_closed(struct saga_host *host);

void saga_host_key(const struct saga_host *host, char kind, struct kan_slice id,
                   struct buffer *out)
{
    buffer_append(out, buffer_slice(&host->prefix));
    buffer_append_byte(out, (unsigned char)kind);
    buffer_append(out, id);
}

void saga_host_trouble(struct saga_host *host, const struct buffer *line)
{
    struct buffer text = BUFFER_INIT;

    buffer_append(&text, buffer_slice(line));
    if (host->trouble)
        host->trouble(host->data, buffer_text(&text));
    buffer_fini(&text);
}

/* --- answers -------------------------------------------------------------- */

/* The call is answered; the waiter is gone. */
static void answer(struct saga_waiter *waiter)
{
    struct saga_host *host = waiter->host;
    struct saga_call *call = waiter->call;

    kan_assert(!waiter->reading);
    env_timer_stop(host->env, &call->timer);
    env_undefer(host->env, &call->task);
    list_remove(&call->link);
    call->part = NULL;
    call->text = buffer_slice(&waiter->text);
    call->condition = buffer_slice(&waiter->condition);
    call->values = buffer_slice(&waiter->values);
    host->waiter_count--;
    call->cb(call);
    buffer_fini(&waiter->text);
    buffer_fini(&waiter->condition);
    buffer_fini(&waiter->values);
    buffer_fini(&waiter->json);
    buffer_fini(&waiter->saved);
    mem_free(waiter);
    maybe_closed(host);
}

static void answer_as(struct saga_waiter *waiter, enum saga_outcome outcome,
                      enum kan_err err)
{
    waiter->call->outcome = outcome;
    waiter->call->err = err;
    answer(waiter);
}

static void on_answer(struct env_task *task)
{
    struct saga_call *call = task->data;

    answer(call->part);
}

/* Later: a call is never answered within the submission. */
static void answer_later(struct saga_waiter *waiter, enum saga_outcome outcome,
                         enum kan_err err)
{
    struct saga_call *call = waiter->call;

    call->outcome = outcome;
    call->err = err;
    env_timer_stop(waiter->host->env, &call->timer);
    if (!list_linked(&call->link))
        list_push(&waiter->host->waiting, &call->link);
    env_defer(waiter->host->env, &call->task, on_answer);
}

/* --- states --------------------------------------------------------------- */

/* The parameters of a record as JSON, if the contract has such a saga. */
static enum kan_err parameters_json(const struct contract *contract,
                                    const struct saga_record *record,
                                    struct buffer *out)
{
    int32_t saga = contract_saga_find(contract, record->name);
    struct contract_saga what;
    void *values = NULL;
    enum kan_err err;

    if (saga < 0)
        return KAN_OK;
    err = saga_parameters_load(contract, (uint32_t)saga, record->parameters,
                               &values);
    if (err == KAN_NOMEM)
        return err;
    if (err)
        return KAN_OK; /* of another text: not to be shown by this one */
    what = contract_saga(contract, (uint32_t)saga);
    program_json(what.values, what.parameters, values, out);
    mem_free(values);
    return buffer_failed(out) ? KAN_NOMEM : KAN_OK;
}

/* Show the record in the call's state. Slices are borrowed from the record,
 * but for the JSON. */
static enum kan_err show(struct saga_waiter *waiter,
                         const struct saga_record *record, uint64_t revision)
{
    struct contract *contract = entity_host_contract(waiter->host->entities);
    struct saga_state *state = &waiter->call->state;

    memset(state, 0, sizeof(*state));
    state->saga = record->name;
    state->id = waiter->call->id;
    state->status = record->progress.status;
    state->next = record->progress.next;
    state->reason = record->reason;
    state->refused = record->refused_call;
    state->refused_step = record->refused;
    state->revision = revision;
    buffer_clear(&waiter->json);
    enum kan_err err = parameters_json(contract, record, &waiter->json);
    state->json = buffer_slice(&waiter->json);
    return err;
}

/* --- sagas that are over -------------------------------------------------- */

static void say_reused(struct saga_waiter *waiter)
{
    buffer_append_text(&waiter->text,
                       "the id is that of another saga, or of this one with "
                       "other parameters");
}

static void tell(struct saga *saga, struct saga_waiter *waiter)
{
    struct saga_record record = saga_record_of(saga, saga->core.progress);
    enum kan_err err = saga->err;

    if (saga->outcome == SAGA_ENDED) {
        err = show(waiter, &record, saga->core.revision);
        if (err) {
            answer_as(waiter, SAGA_FAILED, err);
            return;
        }
    }
    if (saga->outcome == SAGA_REUSED)
        say_reused(waiter);
    answer_as(waiter, saga->outcome, err);
}

void saga_host_taken_up(struct saga_host *host, struct saga *saga)
{
    if (!saga->recovering)
        return;
    saga->recovering = false;
    host->recover.count--;
    recover_next(host);
}

void saga_host_over(struct saga_host *host, struct saga *saga)
{
    struct list *link;

    kan_assert(!saga->asking);
    if (host->closing)
        saga->err = saga->outcome == SAGA_ENDED ? KAN_OK : KAN_CLOSED;
    map_remove(&host->active, buffer_slice(&saga->id));
    host->stats.running--;
    saga_host_taken_up(host, saga);
    while ((link = list_first(&saga->waiters)) != NULL) {
        struct saga_call *call = list_entry(link, struct saga_call, link);
        tell(saga, call->part);
    }
    saga_free(saga);
    host->saga_count--;
    maybe_closed(host);
}

/* --- calls ---------------------------------------------------------------- */

static void on_deadline(struct env_timer *timer)
{
    struct saga_call *call = timer->data;
    struct saga_waiter *waiter = call->part;

    call->outcome = SAGA_FAILED;
    call->err = KAN_TIMEOUT;
    if (waiter->reading)
        engine_cancel(&waiter->get.request);
    else
        answer(waiter);
}

static void on_cancel(struct env_task *task)
{
    struct saga_call *call = task->data;

    answer_as(call->part, SAGA_FAILED, KAN_CANCELED);
}

void saga_call_cancel(struct saga_call *call)
{
    struct saga_waiter *waiter = call->part;

    if (!waiter)
        return;
    call->err = KAN_CANCELED;
    if (waiter->reading)
        engine_cancel(&waiter->get.request);
    else if (!list_linked(&call->task.link))
        env_defer(waiter->host->env, &call->task, on_cancel);
}

static enum kan_err waiter_new(struct saga_host *host, struct saga_call *call,
                               struct saga_waiter **ret_waiter)
{
    struct saga_waiter *waiter;
    uint64_t due = call->deadline_ns;

    if (host->waiter_count >= SAGA_WAITERS_MAX)
        return KAN_BUSY;
    waiter = mem_zalloc(sizeof(*waiter));
    if (!waiter)
        return KAN_NOMEM;
    if (due == 0)
        due = env_now(host->env) + (uint64_t)ENGINE_DEADLINE_MS * ENV_MS;
    memset(&call->timer, 0, sizeof(call->timer));
    memset(&call->task, 0, sizeof(call->task));
    memset(&call->link, 0, sizeof(call->link));
    memset(&call->state, 0, sizeof(call->state));
    call->timer.data = call;
    call->task.data = call;
    if (env_timer_start(host->env, &call->timer, due, on_deadline)) {
        mem_free(waiter);
        return KAN_NOMEM;
    }
    waiter->call = call;
    waiter->host = host;
    call->host = host;
    call->part = waiter;
    call->err = KAN_OK;
    call->text = kan_slice(NULL, 0);
    host->waiter_count++;
    *ret_waiter = waiter;
    return KAN_OK;
}

/* The submission fails, and the call is as it never was. */
static enum kan_err waiter_drop(struct saga_waiter *waiter, enum kan_err err)
{
    env_timer_stop(waiter->host->env, &waiter->call->timer);
    list_remove(&waiter->call->link);
    waiter->call->part = NULL;
    waiter->host->waiter_count--;
    buffer_fini(&waiter->text);
    buffer_fini(&waiter->condition);
    buffer_fini(&waiter->values);
    buffer_fini(&waiter->json);
    buffer_fini(&waiter->saved);
    mem_free(waiter);
    return err;
}

static bool id_valid(struct kan_slice id)
{
    if (id.size == 0 || id.size > SAGA_ID_MAX || !utf8_valid(id))
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (slice_at(id, i) < 0x20 || slice_at(id, i) == 0x7f)
            return false;
    return true;
}

static void draw_id(struct saga_waiter *waiter)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof(waiter->id); i += 8) {
        uint64_t some = env_choose(waiter->host->env, UINT64_C(1) << 32);
        for (size_t j = 0; j < 8; j++)
            waiter->id[i + j] = digits[some >> (4 * j) & 15];
    }
    waiter->call->id = kan_slice(waiter->id, sizeof(waiter->id));
}

/* --- reading one ---------------------------------------------------------- */

/* What keeps it is known to the host that carries it on, and is in no record.
 */
static void show_stuck(struct saga_waiter *waiter)
{
    struct saga_state *state = &waiter->call->state;
    const struct saga *saga = map_get(&waiter->host->active, state->id);

    if (!saga || saga->core.revision != state->revision)
        return;
    state->stuck = buffer_slice(&saga->stuck);
    state->stuck_call = buffer_slice(&saga->stuck_call);
    state->stuck_undo = saga->stuck_undo;
}

static void on_read(struct engine_get *get, enum kan_err err)
{
    struct saga_waiter *waiter = get->request.data;
    struct saga_call *call = waiter->call;
    struct saga_record record;

    waiter->reading = false;
    if (err == KAN_CANCELED && call->err)
        err = call->err;
    if (err == KAN_OK && !get->items[0].created) {
        answer_as(waiter, SAGA_NOTFOUND, KAN_OK);
        return;
    }
    if (err == KAN_OK)
        err = saga_record_load(get->items[0].value, &record);
    if (err == KAN_OK && !slice_equal(record.name, call->saga)) {
        answer_as(waiter, SAGA_NOTFOUND, KAN_OK);
        return;
    }
    if (err == KAN_OK)
        err = show(waiter, &record, get->items[0].version);
    if (err == KAN_OK)
        show_stuck(waiter);
    answer_as(waiter, err ? SAGA_FAILED : SAGA_ENDED, err);
}

static enum kan_err begin_read(struct saga_waiter *waiter)
{
    struct saga_host *host = waiter->host;
    struct buffer bytes = BUFFER_INIT;
    struct kan_slice key;
    enum kan_err err = KAN_NOMEM;

    saga_host_key(host, 'r', waiter->call->id, &bytes);
    key = buffer_slice(&bytes);
    waiter->get.request.data = waiter;
    waiter->get.keys = &key;
    waiter->get.key_count = 1;
    if (!buffer_failed(&bytes))
        err = engine_get(host->engine, &waiter->get, on_read);
    buffer_fini(&bytes);
    if (err)
        return waiter_drop(waiter, err);
    waiter->reading = true;
    list_push(&host->waiting, &waiter->call->link);
    return KAN_OK;
}

/* --- beginning one -------------------------------------------------------- */

static enum kan_err host_add(struct saga_host *host, struct saga *saga)
{
    enum kan_err err;

    /*= K-SAGA-6: one id, one saga. */
    kan_assert(!map_get(&host->active, buffer_slice(&saga->id)));
    err = map_put(&host->active, buffer_slice(&saga->id), saga, NULL);
    if (err)
        return err;
    list_push(&host->sagas, &saga->link);
    host->saga_count++;
    host->stats.running++;
    return KAN_OK;
}

/* What a call asks for, in the present contract. */
struct asked
{
    struct contract *contract;
    uint32_t saga;
    void *values;
    struct saga_plan plan;
    struct buffer saved;
};

/* Its own require does not hold, or cannot be computed. */
static enum kan_err say_refused(struct saga_waiter *waiter,
                                const struct program *program,
                                const void *parameters,
                                const struct program_refusal *refusal)
{
    program_refusal_text(program, refusal, UINT32_MAX, &waiter->text);
    buffer_append(&waiter->condition, refusal->source);
    program_refusal_values(program, refusal, UINT32_MAX, parameters, NULL,
                           &waiter->values);
    if (buffer_failed(&waiter->text) || buffer_failed(&waiter->condition) ||
        buffer_failed(&waiter->values))
        return KAN_NOMEM;
    return KAN_INVALID;
}

static enum kan_err ask(struct saga_waiter *waiter, struct asked *asked,
                        enum saga_outcome *ret_outcome)
{
    struct contract_saga what = contract_saga(asked->contract, asked->saga);
    struct program_refusal refusal;
    enum kan_err err;

    *ret_outcome = SAGA_BODY_INVALID;
    err = saga_parameters_read(asked->contract, asked->saga, waiter->call->body,
                               &asked->values, &waiter->text);
    if (err)
        return err;
    if (contract_saga_judge(asked->contract, asked->saga, asked->values,
                            &refusal)) {
        *ret_outcome = SAGA_REFUSED;
        return say_refused(waiter, what.values, asked->values, &refusal);
    }
    program_save(what.values, what.parameters, asked->values, &asked->saved);
    if (buffer_failed(&asked->saved))
        return KAN_NOMEM;
    return saga_plan_make(asked->contract, asked->saga, asked->values,
                          &asked->plan, &waiter->text);
}

static enum kan_err begin(struct saga_waiter *waiter, struct asked *asked)
{
    struct saga_host *host = waiter->host;
    struct saga *saga;
    enum kan_err err;

    if (map_count(&host->active) >= host->waiting_max)
        return KAN_BUSY;
    buffer_append(&waiter->saved, buffer_slice(&asked->saved));
    if (buffer_failed(&waiter->saved))
        return KAN_NOMEM;
    err = saga_new(host, waiter->call->id, &saga);
    if (err)
        return err;
    buffer_append(&saga->name, waiter->call->saga);
    buffer_append(&saga->saved, buffer_slice(&asked->saved));
    if (buffer_failed(&saga->name) || buffer_failed(&saga->saved))
        err = KAN_NOMEM;
    else
        err = host_add(host, saga);
    if (err) {
        saga_free(saga);
        return err;
    }
    saga->core = saga_core_begin(asked->plan.shape);
    saga->plan = asked->plan.hash;
    saga->contract = contract_ref(asked->contract);
    saga->number = asked->saga;
    saga->values = asked->values;
    asked->values = NULL;
    list_push(&saga->waiters, &waiter->call->link);
    saga_begin(saga, SAGA_EVENT_START);
    return KAN_OK;
}

static bool same(const struct saga *saga, const struct saga_waiter *waiter)
{
    return slice_equal(buffer_slice(&saga->name), waiter->call->saga) &&
           slice_equal(buffer_slice(&saga->saved),
                       buffer_slice(&waiter->saved));
}

void saga_host_known(struct saga_host *host, struct saga *saga)
{
    struct list *link = saga->waiters.next;

    (void)host;
    while (link != &saga->waiters) {
        struct saga_call *call = list_entry(link, struct saga_call, link);
        link = link->next;
        if (same(saga, call->part))
            continue;
        list_remove(&call->link);
        say_reused(call->part);
        answer_later(call->part, SAGA_REUSED, KAN_CONFLICT);
    }
}

static enum kan_err join_or_begin(struct saga_waiter *waiter,
                                  struct asked *asked)
{
    struct saga *saga = map_get(&waiter->host->active, waiter->call->id);

    if (!saga)
        return begin(waiter, asked);
    buffer_append(&waiter->saved, buffer_slice(&asked->saved));
    if (buffer_failed(&waiter->saved))
        return KAN_NOMEM;
    list_push(&saga->waiters, &waiter->call->link);
    /* One that is being taken up is not known before it is read. */
    if (saga->name.size)
        saga_host_known(waiter->host, saga);
    return KAN_OK;
}

static enum kan_err begin_saga(struct saga_waiter *waiter, uint32_t number)
{
    enum saga_outcome outcome = SAGA_FAILED;
    struct asked asked = {
        .contract = entity_host_contract(waiter->host->entities),
        .saga = number};
    enum kan_err err = ask(waiter, &asked, &outcome);

    if (err == KAN_INVALID) {
        answer_later(waiter, outcome, KAN_INVALID);
        err = KAN_OK;
    } else if (err == KAN_OK) {
        err = join_or_begin(waiter, &asked);
    }
    buffer_fini(&asked.saved);
    if (asked.values)
        mem_free(asked.values);
    return err ? waiter_drop(waiter, err) : KAN_OK;
}

enum kan_err saga_call(struct saga_host *host, struct saga_call *call,
                       saga_call_cb *cb)
{
    struct saga_waiter *waiter = NULL;
    int32_t number;
    enum kan_err err;

    check_magic(host, SAGA_MAGIC);
    if (host->closing)
        return KAN_CLOSED;
    err = waiter_new(host, call, &waiter);
    if (err)
        return err;
    call->cb = cb;
    if (call->id.size == 0 && !call->read)
        draw_id(waiter);
    number =
        contract_saga_find(entity_host_contract(host->entities), call->saga);
    if (number < 0) {
        answer_later(waiter, SAGA_NO_SAGA, KAN_NOTFOUND);
        return KAN_OK;
    }
    if (!id_valid(call->id)) {
        buffer_print(&waiter->text,
                     "a saga's id is 1 to %d bytes of UTF-8 without control "
                     "characters",
                     SAGA_ID_MAX);
        answer_later(waiter, SAGA_ID_INVALID, KAN_INVALID);
        return KAN_OK;
    }
    return call->read ? begin_read(waiter)
                      : begin_saga(waiter, (uint32_t)number);
}

/* --- taking up what was under way ----------------------------------------- */

static void on_recover_timer(struct env_timer *timer)
{
    struct saga_host *host = timer->data;

    host->recover.more = true;
    recover_next(host);
}

static void recover_later(struct saga_host *host, uint64_t ms)
{
    uint64_t due = env_now(host->env) + ms * ENV_MS;

    /* Without memory for a timer there is none for a scan: the one that is
     * armed, or the next start, sees to it. */
    if (env_timer_start(host->env, &host->recover.timer, due, on_recover_timer))
        return;
}

/* KAN_OK too when there is nothing to do. */
static enum kan_err take_up(struct saga_host *host, struct kan_slice id)
{
    struct saga *saga;
    enum kan_err err;

    if (map_get(&host->active, id))
        return KAN_OK;
    if (map_count(&host->active) >= host->waiting_max)
        return KAN_BUSY;
    err = saga_new(host, id, &saga);
    if (err)
        return err;
    err = host_add(host, saga);
    if (err) {
        saga_free(saga);
        return err;
    }
    saga->recovering = true;
    host->recover.count++;
    saga_begin(saga, SAGA_EVENT_RECOVER);
    return KAN_OK;
}

static enum kan_err take_up_page(struct saga_host *host,
                                 const struct engine_scan *scan)
{
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < scan->item_count && err == KAN_OK; i++) {
        struct kan_slice key = scan->items[i].key;
        err = take_up(host, slice_skip(key, host->prefix.size + 1));
        if (err)
            return err;
        buffer_clear(&host->recover.after);
        buffer_append(&host->recover.after, key);
        if (buffer_failed(&host->recover.after)) {
            /* From the start again: what is active is passed over. */
            buffer_clear(&host->recover.after);
            return KAN_NOMEM;
        }
    }
    return KAN_OK;
}

static void on_scan(struct engine_scan *scan, enum kan_err err)
{
    struct saga_host *host = scan->request.data;

    host->recover.scanning = false;
    if (host->closing) {
        maybe_closed(host);
        return;
    }
    if (err == KAN_OK)
        err = take_up_page(host, scan);
    if (err) {
        host->recover.more = false;
        if (err != KAN_CLOSED && err != KAN_IO)
            recover_later(host, SAGA_RECOVER_MS);
        return;
    }
    host->recover.more = scan->more;
    recover_next(host);
    if (scan->more)
        return;
    buffer_clear(&host->recover.after);
    if (engine_promises(host->engine)->shared)
        recover_later(host, SAGA_LOOK_MS);
}

static void recover_scan(struct saga_host *host)
{
    struct engine_scan *scan = &host->recover.scan;
    struct buffer prefix = BUFFER_INIT;
    enum kan_err err = KAN_NOMEM;

    saga_host_key(host, 'u', kan_slice(NULL, 0), &prefix);
    memset(scan, 0, sizeof(*scan));
    scan->request.data = host;
    scan->prefix = buffer_slice(&prefix);
    scan->after = buffer_slice(&host->recover.after);
    scan->limit = SAGA_RECOVER_MAX;
    scan->keys_only = true;
    if (!buffer_failed(&prefix))
        err = engine_scan(host->engine, scan, on_scan);
    buffer_fini(&prefix);
    host->recover.scanning = err == KAN_OK;
    host->recover.more = err == KAN_OK;
    if (err)
        recover_later(host, SAGA_RECOVER_MS);
}

/* The next page, when those of the last one have been taken up. */
static void recover_next(struct saga_host *host)
{
    if (host->closing || host->recover.scanning || !host->recover.more)
        return;
    if (host->recover.count == 0)
        recover_scan(host);
}

/* --- life ----------------------------------------------------------------- */

static struct hash_seed draw_seed(struct env *env)
{
    struct hash_seed seed;

    seed.k0 = env_choose(env, UINT64_MAX);
    seed.k1 = env_choose(env, UINT64_MAX);
    return seed;
}

static enum kan_err check_engine(const struct saga_options *options,
                                 struct buffer *why)
{
    const struct engine_promises *promises = engine_promises(options->engine);
    char missing[128] = "";

    if (engine_promises_cover(promises, &saga_needs, missing,
                              sizeof(missing))) {
        buffer_print(why, "sagas: the engine %s", missing);
        return KAN_INVALID;
    }
    if (options->prefix.size + SAGA_KEY_MAX > promises->key_max) {
        buffer_append_text(why, "sagas: the engine's keys are too short");
        return KAN_INVALID;
    }
    return KAN_OK;
}

enum kan_err saga_host_new(const struct saga_options *options,
                           struct saga_host **ret_host, struct buffer *why)
{
    enum kan_err err = check_engine(options, why);
    struct saga_host *host;

    if (err)
        return err;
    host = mem_zalloc(sizeof(*host));
    if (!host)
        return KAN_NOMEM;
    buffer_append(&host->prefix, options->prefix);
    if (buffer_failed(&host->prefix)) {
        mem_free(host);
        return KAN_NOMEM;
    }
    host->magic = SAGA_MAGIC;
    host->env = options->env;
    host->engine = options->engine;
    host->entities = options->entities;
    host->waiting_max =
        options->waiting_max ? options->waiting_max : WAITING_MAX;
    host->data = options->data;
    host->trouble = options->trouble;
    map_init(&host->active, draw_seed(host->env), host->waiting_max);
    list_init(&host->sagas);
    list_init(&host->waiting);
    host->recover.timer.data = host;
    host->close_task.data = host;
    recover_later(host, 0);
    if (!env_timer_armed(&host->recover.timer)) {
        buffer_fini(&host->prefix);
        map_fini(&host->active);
        mem_free(host);
        return KAN_NOMEM;
    }
    *ret_host = host;
    return KAN_OK;
}

static void on_closed(struct env_task *task)
{
    struct saga_host *host = task->data;
    env_close_cb *cb = host->close_cb;
    void *data = host->close_data;

    host->magic = 0;
    map_fini(&host->active);
    buffer_fini(&host->prefix);
    buffer_fini(&host->recover.after);
    mem_free(host);
    if (cb)
        cb(data);
}

static void maybe_closed(struct saga_host *host)
{
    if (host->closing && host->saga_count == 0 && host->waiter_count == 0 &&
        !host->recover.scanning)
        env_defer(host->env, &host->close_task, on_closed);
}

void saga_host_close(struct saga_host *host, void *data, env_close_cb *cb)
{
    struct list *link;

    check_magic(host, SAGA_MAGIC);
    kan_assert(!host->closing);
    host->closing = true;
    host->close_data = data;
    host->close_cb = cb;
    env_timer_stop(host->env, &host->recover.timer);
    if (host->recover.scanning)
        engine_cancel(&host->recover.scan.request);
    for (link = host->sagas.next; link != &host->sagas; link = link->next)
        saga_stop(list_entry(link, struct saga, link));
    for (link = host->waiting.next; link != &host->waiting; link = link->next) {
        struct saga_call *call = list_entry(link, struct saga_call, link);
        struct saga_waiter *waiter = call->part;
        call->err = waiter->reading ? KAN_CLOSED : call->err;
        if (waiter->reading)
            engine_cancel(&waiter->get.request);
    }
    maybe_closed(host);
}

struct saga_stats saga_stats(const struct saga_host *host)
{
    check_magic(host, SAGA_MAGIC);
    return host->stats;
}
