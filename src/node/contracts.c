/* Opening, reloading and closing of contracts. A half-opened one closes like a
 * whole one.
 *
 * Files are read once a second on a lane of their own, and compiled there, so
 * that whoever is served notices nothing. A text that has just changed is read
 * once more before it is taken: an editor may be in the middle of it. */

#include "node/contracts.h"

#include "base/alloc.h"

enum
{
    LOOK_EVERY_S = 1
};

static void on_trouble(void *data, const char *text)
{
    const struct contracts *contracts = data;
    log_line(contracts->log, LOG_WARN, "contracts",
             LOG_TEXT("trouble", kan_text(text)));
}

/* Say which sagas were not looked at whole. */
static void say_partly(const struct contracts *contracts)
{
    if (contracts->set.partly.size > 0)
        log_line(contracts->log, LOG_INFO,
                 "no saga was found that can get stuck, but not all was "
                 "walked at this start: kan check walks more",
                 LOG_TEXT("sagas", buffer_slice(&contracts->set.partly)));
}

/* Show what is in place. */
static void show(struct contracts *contracts)
{
    contracts->shown.entities = contracts->entities;
    contracts->shown.views = contracts->views;
    contracts->shown.sagas = contracts->sagas;
    contracts->shown.sources = contracts->set.sources;
    contracts->shown.source_count = contracts->set.count;
    contracts->shown.loaded_ms = env_wall_ms(contracts->env);
}

/* --- opening -------------------------------------------------------------- */

static void on_reloaded(struct contracts *contracts, enum kan_err err,
                        const char *why);

/* The host of entities is ready; at first, and after each reload. */
static void on_ready(void *data, enum kan_err err, const char *why)
{
    struct contracts *contracts = data;
    if (contracts->ready) {
        on_reloaded(contracts, err, why);
        return;
    }
    contracts->ready = true;
    contracts->err = err;
    if (err != KAN_OK && why)
        buffer_append_text(contracts->why, why);
}

static enum kan_err wait_ready(struct contracts *contracts)
{
    while (!contracts->ready) {
        bool more = env_run(contracts->env, ENV_RUN_ONCE);
        if (!more && !contracts->ready)
            return KAN_IO;
    }
    return contracts->err;
}

static enum kan_err open_entities(struct contracts *contracts,
                                  struct engine *engine, const char *app_id,
                                  struct buffer *why)
{
    struct buffer prefix = BUFFER_INIT;
    buffer_print(&prefix, "entity||%s||", app_id);
    const struct entity_options options = {.env = contracts->env,
                                           .engine = engine,
                                           .prefix = buffer_slice(&prefix),
                                           .contract = contracts->set.whole,
                                           .data = contracts,
                                           .trouble = on_trouble};
    enum kan_err err =
        buffer_failed(&prefix)
            ? KAN_NOMEM
            : entity_host_new(&options, on_ready, &contracts->entities, why);
    buffer_fini(&prefix);
    if (err != KAN_OK)
        return err;
    contracts->why = why;
    err = wait_ready(contracts);
    contracts->why = NULL;
    return err;
}

static enum kan_err open_views(struct contracts *contracts,
                               struct engine *engine, const char *app_id,
                               struct buffer *why)
{
    struct buffer prefix = BUFFER_INIT;
    buffer_print(&prefix, "view||%s||", app_id);
    const struct view_options options = {.env = contracts->env,
                                         .engine = engine,
                                         .entities = contracts->entities,
                                         .prefix = buffer_slice(&prefix),
                                         .data = contracts,
                                         .trouble = on_trouble};
    enum kan_err err = buffer_failed(&prefix)
                           ? KAN_NOMEM
                           : view_host_new(&options, &contracts->views, why);
    buffer_fini(&prefix);
    return err;
}

static enum kan_err open_sagas(struct contracts *contracts,
                               struct engine *engine, const char *app_id,
                               struct buffer *why)
{
    struct buffer prefix = BUFFER_INIT;
    buffer_print(&prefix, "saga||%s||", app_id);
    const struct saga_options options = {.env = contracts->env,
                                         .engine = engine,
                                         .entities = contracts->entities,
                                         .prefix = buffer_slice(&prefix),
                                         .data = contracts,
                                         .trouble = on_trouble};
    enum kan_err err = buffer_failed(&prefix)
                           ? KAN_NOMEM
                           : saga_host_new(&options, &contracts->sagas, why);
    buffer_fini(&prefix);
    return err;
}

static enum kan_err look_later(struct contracts *contracts);

static enum kan_err open_hosts(struct contracts *contracts,
                               const struct settings *settings,
                               const struct stores *stores, struct buffer *why)
{
    struct engine *engine = NULL;
    enum kan_err err = stores_actor_engine(
        stores, settings->contracts.values[0], &engine, why);
    contracts->shown.engine = engine;
    if (err == KAN_OK)
        err = open_entities(contracts, engine, settings->app_id, why);
    if (err == KAN_OK)
        err = open_views(contracts, engine, settings->app_id, why);
    if (err == KAN_OK)
        err = open_sagas(contracts, engine, settings->app_id, why);
    if (err == KAN_OK)
        err = env_lane_open(contracts->env, "contracts", &contracts->lane);
    if (err == KAN_OK)
        err = look_later(contracts);
    return err;
}

enum kan_err contracts_open(struct contracts *contracts,
                            const struct settings *settings,
                            const struct stores *stores,
                            const struct actors *actors, struct buffer *why)
{
    contracts->paths = &settings->contracts;
    contracts->actors = actors;
    if (settings->contracts.count == 0)
        return KAN_OK;
    enum kan_err err = contract_set_read(&contracts->set, contracts->env,
                                         contracts->paths, why);
    if (err == KAN_OK) {
        buffer_clear(why);
        err = contract_set_compile(&contracts->set, actors->exports,
                                   actors->count, why);
    }
    if (err == KAN_OK)
        err = open_hosts(contracts, settings, stores, why);
    if (err == KAN_OK) {
        show(contracts);
        say_partly(contracts);
    }
    return err;
}

/* --- reloading ------------------------------------------------------------ */

/* What runs stays; say why, once. */
static void refuse(struct contracts *contracts, struct kan_slice why)
{
    struct buffer *error = &contracts->error;
    contracts->hurry = false;
    if (slice_equal(buffer_slice(error), why))
        return;
    buffer_clear(error);
    buffer_append(error, why);
    contracts->shown.reload_error = buffer_slice(error);
    contracts->shown.reload_ms = env_wall_ms(contracts->env);
    log_line(contracts->log, LOG_ERROR,
             "the new contract is not taken, the old one goes on",
             LOG_TEXT("reason", why));
}

static void forget_error(struct contracts *contracts)
{
    contracts->hurry = false;
    buffer_clear(&contracts->error);
    contracts->shown.reload_error = (struct kan_slice){0};
    contract_set_fini(&contracts->refused);
}

/* The round is over: the next begins in a second, or at once. */
static void round_over(struct contracts *contracts)
{
    contracts->busy = false;
    contract_set_fini(&contracts->next);
    if (contracts->again && !contracts->closing) {
        contracts->again = false;
        contracts_reload(contracts);
    } else if (!contracts->closing && look_later(contracts) != KAN_OK) {
        on_trouble(contracts,
                   "out of memory: changes of the files are no "
                   "longer noticed, but on SIGHUP");
    }
}

/* A text that was refused is kept, so that it is not tried each second. */
static void keep_refused(struct contracts *contracts)
{
    contract_set_fini(&contracts->refused);
    contracts->refused = contracts->next;
    contracts->next = (struct contract_set){0};
}

static void on_reloaded(struct contracts *contracts, enum kan_err err,
                        const char *why)
{
    if (err == KAN_OK && !contracts->closing) {
        contract_set_fini(&contracts->set);
        contracts->set = contracts->next;
        contracts->next = (struct contract_set){0};
        show(contracts);
        forget_error(contracts);
        view_host_reloaded(contracts->views);
        log_line(contracts->log, LOG_INFO, "the new contract is in place");
        say_partly(contracts);
    } else if (err != KAN_OK) {
        refuse(contracts, kan_text(why && *why ? why : kan_err_text(err)));
        keep_refused(contracts);
    }
    round_over(contracts);
}

/* What the lane found. */
static void take_next(struct contracts *contracts)
{
    if (contracts->next_err != KAN_OK) {
        struct buffer *faults = &contracts->faults;
        if (!faults->size)
            buffer_append_text(faults, kan_err_text(contracts->next_err));
        refuse(contracts, buffer_slice(faults));
        keep_refused(contracts);
        round_over(contracts);
        return;
    }
    enum kan_err err = entity_host_reload(contracts->entities,
                                          contracts->next.whole, on_ready);
    if (err != KAN_OK)
        on_reloaded(contracts, err, NULL);
}

static bool has_text(const struct contract_set *set)
{
    return set->count != 0;
}

static void on_looked(struct env_work *work)
{
    struct contracts *contracts = work->data;
    if (contracts->closing) {
        round_over(contracts);
        return;
    }
    if (contracts->next.whole || contracts->next_err != KAN_OK) {
        take_next(contracts);
        return;
    }
    if (contract_set_equal(&contracts->next, &contracts->set)) {
        if (contracts->hurry)
            log_line(contracts->log, LOG_INFO,
                     "the contract is as it was: nothing to do");
        forget_error(contracts);
    } else {
        /* Changed, or refused before: look once more. */
        contract_set_fini(&contracts->before);
        contracts->before = contracts->next;
        contracts->next = (struct contract_set){0};
    }
    round_over(contracts);
}

/* On the lane. What the loop holds meanwhile is only read. */
static void look(struct env_work *work)
{
    struct contracts *contracts = work->data;
    struct contract_set *next = &contracts->next;
    buffer_clear(&contracts->faults);
    contracts->next_err = contract_set_read(
        next, contracts->env, contracts->paths, &contracts->faults);
    if (contracts->next_err != KAN_OK ||
        contract_set_equal(next, &contracts->set))
        return;
    bool known = has_text(&contracts->refused) &&
                 contract_set_equal(next, &contracts->refused);
    bool still = has_text(&contracts->before) &&
                 contract_set_equal(next, &contracts->before);
    if (!contracts->hurry && (known || !still))
        return;
    contracts->next_err =
        contract_set_compile(next, contracts->actors->exports,
                             contracts->actors->count, &contracts->faults);
    if (contracts->next_err == KAN_OK)
        contracts->next_err =
            contract_set_keeps(next, &contracts->set, &contracts->faults);
}

static void look_now(struct contracts *contracts)
{
    contracts->busy = true;
    contracts->work.data = contracts;
    env_lane_work(contracts->lane, &contracts->work, look, on_looked);
}

static void on_time(struct env_timer *timer)
{
    look_now(timer->data);
}

static enum kan_err look_later(struct contracts *contracts)
{
    contracts->timer.data = contracts;
    return env_timer_start(
        contracts->env, &contracts->timer,
        env_now(contracts->env) + LOOK_EVERY_S * (uint64_t)ENV_S, on_time);
}

void contracts_reload(struct contracts *contracts)
{
    if (!contracts->entities || contracts->closing)
        return;
    if (contracts->busy) {
        contracts->again = true;
        return;
    }
    env_timer_stop(contracts->env, &contracts->timer);
    contracts->hurry = true;
    look_now(contracts);
}

/* --- what the ready line says --------------------------------------------- */

void contracts_say(const struct contracts *contracts, struct buffer *out)
{
    const struct contract *contract = contracts->set.whole;
    uint32_t count = contract ? contract_type_count(contract) : 0;
    for (uint32_t i = 0; i < count; i++)
        buffer_print(out, "%s%.*s", i ? ", " : "; types: ",
                     SLICE_ARG(contract_type_name(contract, i)));
}

/* A value that a reader would choose; zero where every value will do. */
static void fill(const struct program *program, uint32_t type, void *value)
{
    const struct program_type *shape = program_type(program, type);
    static const char hello[] = "hello";
    if (shape->kind == TREE_INT) {
        int64_t number = shape->min > 1   ? shape->min
                         : shape->max < 1 ? shape->max
                                          : 1;
        memcpy(value, &number, sizeof number);
    } else if (shape->kind == TREE_TEXT) {
        uint32_t size = (uint32_t)sizeof hello - 1;
        uint16_t length = (uint16_t)(size < shape->bound ? size : shape->bound);
        memcpy(value, &length, sizeof length);
        memcpy((char *)value + sizeof length, hello, length);
    }
}

/* Whether a new entity takes the step with such values. arguments is as large
 * as those of any step. */
static bool step_fits(const struct program *program, uint32_t step,
                      const void *state, void *arguments)
{
    const struct program_input input = {.now_ms = 1};
    uint32_t type = program_step(program, step).arguments;
    const struct program_type *shape = program_type(program, type);
    memset(arguments, 0, shape->size);
    program_arguments(program, step, arguments);
    for (uint32_t i = 0; i < shape->member_count; i++) {
        struct program_member member = program_member(program, type, i);
        if (!member.has_default)
            fill(program, member.type, (char *)arguments + member.offset);
    }
    return program_valid(program, type, arguments) &&
           program_can(program, step, state, arguments, &input);
}

static uint32_t arguments_max(const struct program *program)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < program_step_count(program); i++) {
        uint32_t type = program_step(program, i).arguments;
        uint32_t size = program_type(program, type)->size;
        most = size > most ? size : most;
    }
    return most;
}

static bool try_program(const struct program *program, void *state,
                        void *arguments, struct buffer *out)
{
    program_start(program, state);
    for (uint32_t i = 0; i < program_step_count(program); i++) {
        struct program_step step = program_step(program, i);
        if (step.internal || !step_fits(program, i, state, arguments))
            continue;
        buffer_print(out, "/v1.0/actors/%.*s/alice/method/%.*s -d '",
                     SLICE_ARG(program_name(program)), SLICE_ARG(step.name));
        program_json(program, step.arguments, arguments, out);
        buffer_append_byte(out, '\'');
        return true;
    }
    return false;
}

void contracts_try(const struct contracts *contracts, struct buffer *out)
{
    const struct contract *contract = contracts->set.whole;
    bool done = !contract;
    uint32_t count = contract ? contract_type_count(contract) : 0;
    for (uint32_t i = 0; i < count && !done; i++) {
        const struct program *program = contract_program(contract, i, 0);
        void *state = mem_zalloc(program_state_size(program));
        void *arguments = mem_zalloc(arguments_max(program));
        if (state && arguments)
            done = try_program(program, state, arguments, out);
        mem_free(state);
        mem_free(arguments);
    }
}

/* --- closing -------------------------------------------------------------- */

static void on_closed(void *data)
{
    struct contracts *contracts = data;
    contracts->entities = NULL;
    contract_set_fini(&contracts->set);
    contract_set_fini(&contracts->next);
    contract_set_fini(&contracts->before);
    contract_set_fini(&contracts->refused);
    buffer_fini(&contracts->faults);
    buffer_fini(&contracts->error);
    contracts->close_cb(contracts->close_data);
}

static void close_entities(struct env_task *task)
{
    struct contracts *contracts = task->data;
    if (contracts->entities)
        entity_host_close(contracts->entities, contracts, on_closed);
    else
        on_closed(contracts);
}

static void on_views_closed(void *data)
{
    struct contracts *contracts = data;
    contracts->views = NULL;
    close_entities(&contracts->task);
}

static void on_sagas_closed(void *data)
{
    struct contracts *contracts = data;
    contracts->sagas = NULL;
    if (contracts->views)
        view_host_close(contracts->views, contracts, on_views_closed);
    else
        close_entities(&contracts->task);
}

static void on_lane_closed(void *data)
{
    struct contracts *contracts = data;
    contracts->lane = NULL;
    if (contracts->sagas)
        saga_host_close(contracts->sagas, contracts, on_sagas_closed);
    else
        on_sagas_closed(contracts);
}

static void close_lane(struct env_task *task)
{
    struct contracts *contracts = task->data;
    if (contracts->lane)
        env_lane_close(contracts->lane, contracts, on_lane_closed);
    else
        on_lane_closed(contracts);
}

void contracts_close(struct contracts *contracts, void *data, env_close_cb *cb)
{
    contracts->closing = true;
    contracts->close_data = data;
    contracts->close_cb = cb;
    env_timer_stop(contracts->env, &contracts->timer);
    contracts->task = (struct env_task){.data = contracts};
    env_defer(contracts->env, &contracts->task, close_lane);
}
