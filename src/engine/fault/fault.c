/* The fault is planned when a request arrives, so that its draws stand together
 * on the tape: whether and how it fails, whether it happens all the same, and
 * how late. */

#include "engine/fault/fault.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "engine/wrap.h"

enum
{
    RATE_ALL = 1000,
    DELAY_MAX_NS = ENV_S
};

/* op->plan: the answer that replaces the inner engine's. KAN_OK: none. */

struct fault
{
    struct wrap wrap;
    struct engine_fault_options options;
    enum engine_fault_kind nth_kind;
    uint64_t nth;
    bool struck;
    bool broken;
    struct env_task task; /* ends the watches of an engine that broke */
};

static struct fault *fault_of(struct wrap *wrap)
{
    return (struct fault *)(void *)wrap;
}

static struct env *fault_env(const struct fault *fault)
{
    return fault->wrap.engine.env;
}

/* --- chance --------------------------------------------------------------- */

/* Draws only when there is something to decide. */
static bool strikes(struct fault *fault, uint32_t rate)
{
    /* 0 is the mildest choice: the fault takes the upper end. */
    return rate > 0 &&
           env_choose(fault_env(fault), RATE_ALL) + rate >= RATE_ALL;
}

/* The kind of fault for the next request, or ENGINE_FAULT_KINDS. */
static enum engine_fault_kind draw_kind(struct fault *fault)
{
    unsigned kind = 0;

    if (fault->nth > 0 && --fault->nth == 0) {
        fault->struck = true;
        return fault->nth_kind;
    }
    while (kind < ENGINE_FAULT_KINDS &&
           !strikes(fault, fault->options.rate[kind]))
        kind++;
    return (enum engine_fault_kind)kind;
}

static uint64_t draw_delay(struct fault *fault)
{
    uint64_t max = fault->options.delay_max_ns ? fault->options.delay_max_ns
                                               : DELAY_MAX_NS;

    if (!strikes(fault, fault->options.delay_rate))
        return 0;
    return 1 + env_choose(fault_env(fault), max);
}

/* --- breaking ------------------------------------------------------------- */

static void explain(struct fault *fault, enum kan_err err)
{
    if (err == KAN_IO)
        engine_fail(&fault->wrap.engine,
                    "fault: the engine is broken by design; open it again");
    else
        engine_fail(&fault->wrap.engine, "fault: %s by design",
                    kan_err_name(err));
}

/* End all watches. Their callbacks may begin new ones, which are refused. */
static void end_watches(struct env_task *task)
{
    struct fault *fault = task->data;
    struct list rest, *link;

    list_init(&rest);
    list_splice(&rest, &fault->wrap.open);
    while ((link = list_pop(&rest)) != NULL) {
        struct wrap_op *op = list_entry(link, struct wrap_op, link);
        list_push(&fault->wrap.open, link);
        if (op->outer && wrap_kind(op) == ENGINE_REQUEST_WATCH) {
            explain(fault, KAN_IO);
            wrap_abandon(op, KAN_IO);
        }
    }
}

static void breaks(struct fault *fault)
{
    fault->broken = true;
    fault->task.data = fault;
    env_defer(fault_env(fault), &fault->task, end_watches);
}

/* --- hooks ---------------------------------------------------------------- */

static void refuse(struct wrap_op *op, enum kan_err err)
{
    explain(fault_of(op->wrap), err);
    wrap_answer_later(op, err);
}

static void forward_late(struct env_timer *timer)
{
    struct wrap_op *op = timer->data;
    struct fault *fault = fault_of(op->wrap);

    if (fault->broken) {
        explain(fault, KAN_IO);
        wrap_answer(op, KAN_IO);
    } else {
        wrap_forward(op);
    }
}

static void forward(struct wrap_op *op)
{
    struct fault *fault = fault_of(op->wrap);
    uint64_t delay = draw_delay(fault);

    if (delay == 0)
        wrap_forward(op);
    else if (wrap_hold(op, env_now(fault_env(fault)) + delay, KAN_OK,
                       forward_late))
        wrap_answer_later(op, KAN_NOMEM);
}

static void fault_begin(struct wrap_op *op)
{
    struct fault *fault = fault_of(op->wrap);
    enum engine_fault_kind kind;

    if (fault->broken) {
        refuse(op, KAN_IO);
        return;
    }
    kind = draw_kind(fault);
    if (kind == ENGINE_FAULT_IO)
        breaks(fault);
    if (kind == ENGINE_FAULT_KINDS) {
        forward(op);
    } else if (kind == ENGINE_FAULT_BUSY) {
        refuse(op, KAN_BUSY);
    } else {
        op->plan = kind == ENGINE_FAULT_LOST ? KAN_LOST : KAN_IO;
        /* Only a commit can have an effect that its owner is not told of. */
        if (wrap_kind(op) == ENGINE_REQUEST_COMMIT &&
            env_choose(fault_env(fault), 2) == 0)
            forward(op);
        else
            refuse(op, (enum kan_err)op->plan);
    }
}

static void answer_late(struct env_timer *timer)
{
    struct wrap_op *op = timer->data;

    wrap_answer(op, op->err);
}

static void fault_answered(struct wrap_op *op, enum kan_err err)
{
    struct fault *fault = fault_of(op->wrap);
    uint64_t delay = 0;

    /* A refusal is certain, however the request was to fail. */
    if (op->plan && kan_err_class(err) != KAN_CLASS_REFUSED) {
        err = (enum kan_err)op->plan;
        explain(fault, err);
    }
    if (wrap_kind(op) == ENGINE_REQUEST_COMMIT && !op->wrap->engine.closing)
        delay = draw_delay(fault);
    if (delay == 0 ||
        wrap_hold(op, env_now(fault_env(fault)) + delay, err, answer_late))
        wrap_answer(op, err);
}

static bool fault_report(struct wrap_op *op, uint64_t revision,
                         const struct engine_change *changes,
                         uint32_t change_count)
{
    struct fault *fault = fault_of(op->wrap);

    (void)revision;
    (void)changes;
    (void)change_count;
    if (!strikes(fault, fault->options.report_lost_rate))
        return true;
    explain(fault, KAN_LOST);
    wrap_abandon(op, KAN_LOST);
    return false;
}

static void fault_ended(struct wrap_op *op, enum kan_err err)
{
    (void)op;
    (void)err;
}

static void fault_fini(struct wrap *wrap)
{
    struct fault *fault = fault_of(wrap);

    env_undefer(fault_env(fault), &fault->task);
}

static void fault_stats(struct wrap *wrap, struct engine_stats *stats)
{
    if (fault_of(wrap)->broken)
        stats->broken = true;
}

static const struct wrap_hooks fault_hooks = {
    .begin = fault_begin,
    .answered = fault_answered,
    .report = fault_report,
    .ended = fault_ended,
    .fini = fault_fini,
    .stats = fault_stats,
};

/* --- life cycle ----------------------------------------------------------- */

static struct fault *fault_from(const struct engine *engine)
{
    const struct wrap *wrap = (const struct wrap *)(const void *)engine;

    kan_assert(wrap->hooks == &fault_hooks);
    return (struct fault *)(void *)wrap;
}

struct engine_fault_options *engine_fault_options(struct engine *engine)
{
    return &fault_from(engine)->options;
}

void engine_fault_nth(struct engine *engine, enum engine_fault_kind kind,
                      uint64_t nth)
{
    struct fault *fault = fault_from(engine);

    fault->nth_kind = kind;
    fault->nth = nth;
    fault->struck = false;
}

bool engine_fault_struck(const struct engine *engine)
{
    return fault_from(engine)->struck;
}

enum kan_err engine_fault_open(struct env *env, struct engine *inner,
                               const struct engine_fault_options *options,
                               struct engine **ret_engine)
{
    struct fault *fault = mem_zalloc(sizeof *fault);

    if (!fault)
        return KAN_NOMEM;
    wrap_init(&fault->wrap, "fault", &fault_hooks, env, inner);
    if (options)
        fault->options = *options;
    *ret_engine = &fault->wrap.engine;
    return KAN_OK;
}
