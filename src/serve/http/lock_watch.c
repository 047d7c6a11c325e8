/* lock_watch.c - notice of loss over HTTP: an answer that waits until a grant
 * is lost.
 *
 * The client names a grant by its token, and we know nothing of its lease: the
 * engine does. So each wait begins and ends with a question to the engine,
 * asked as a commit that does nothing but guard on the grant. */

#include "base/number.h"
#include "serve/http/lock.h"

enum
{
    WAIT_DEFAULT_MS = 30 * 1000,
    DAY_MS = 24 * 3600 * 1000
};

enum watch_end
{
    WATCH_WAITING,
    WATCH_LOST,
    WATCH_HELD,
    WATCH_FAILED
};

/* One wait. */
struct watch
{
    struct call *call;
    struct kan_slice resource;
    uint64_t token;
    uint64_t until_ns;
    enum watch_end end;
    enum kan_err err; /* WATCH_FAILED */
    bool over;        /* no more waiting: the time, the client, or our end */
    bool holding;     /* the hold is under way */
    bool asking;      /* the question is */
    bool stale;       /* the hold ended while it was: ask again */
    struct lock_hold hold;
    struct engine_commit ask;
    struct env_timer timer;
};

static void watch_go(struct watch *watch);

/* Answer, once nothing is under way any more. */
static void watch_settle(struct watch *watch)
{
    struct call *call = watch->call;
    if (watch->asking || watch->holding)
        return;
    env_timer_stop(call->serve->options.env, &watch->timer);
    call->cancel = NULL;
    if (watch->end == WATCH_LOST)
        call_answer(call, 200, "application/json", SLICE(""),
                    SLICE("{\"lost\":true}"));
    else if (watch->end == WATCH_HELD)
        call_answer_empty(call);
    else
        lock_fail(call, LOCK_FAILED, watch->err);
}

static void watch_decide(struct watch *watch, enum watch_end end,
                         enum kan_err err)
{
    watch->end = end;
    watch->err = err;
    if (watch->holding)
        lock_hold_stop(&watch->hold);
    watch_settle(watch);
}

static void watch_stop(struct watch *watch)
{
    watch->over = true;
    if (watch->holding)
        lock_hold_stop(&watch->hold);
}

static void watch_cancel(struct call *call)
{
    watch_stop(call->watch);
}

static void on_time(struct env_timer *timer)
{
    watch_stop(timer->data);
}

static void on_hold(struct lock_hold *hold, enum kan_err why)
{
    struct watch *watch = hold->data;
    watch->holding = false;
    if (watch->end != WATCH_WAITING)
        watch_settle(watch);
    else if (why == KAN_CLOSED)
        watch_decide(watch, WATCH_FAILED, why);
    else if (watch->asking)
        watch->stale = true;
    else
        watch_go(watch);
}

static void on_asked(struct engine_commit *ask, enum kan_err err)
{
    struct watch *watch = ask->request.data;
    watch->asking = false;
    if (watch->end != WATCH_WAITING)
        watch_settle(watch);
    else if (err == KAN_CONFLICT)
        watch_decide(watch, WATCH_LOST, KAN_OK);
    else if (err != KAN_OK)
        watch_decide(watch, WATCH_FAILED, err);
    else if (watch->stale)
        watch_go(watch);
    else if (!watch->holding)
        watch_decide(watch, WATCH_HELD, KAN_OK);
}

static enum kan_err hold_start(struct watch *watch)
{
    struct lock_hold *hold = &watch->hold;
    hold->data = watch;
    hold->resource = watch->resource;
    hold->lease =
        (struct lock_lease){.token = watch->token, .until_ns = watch->until_ns};
    enum kan_err err = lock_hold_start(watch->call->lock->lock, hold, on_hold);
    watch->holding = err == KAN_OK;
    return err;
}

static enum kan_err ask(struct watch *watch)
{
    struct lock_store *store = watch->call->lock->lock;
    struct engine_guard guard;
    struct lock_key key;
    memset(&watch->ask, 0, sizeof(watch->ask));
    enum kan_err err =
        lock_fence_guard(store, watch->resource, watch->token, &key, &guard);
    watch->ask.request.data = watch;
    watch->ask.guards = &guard;
    watch->ask.guard_count = 1;
    if (err == KAN_OK)
        err = engine_commit(lock_store_engine(store), &watch->ask, on_asked);
    watch->asking = err == KAN_OK;
    return err;
}

/* Ask whether it is held, and wait for the next sign that it is not any more.
 * The wait begins before the question, so that nothing is missed. */
static void watch_go(struct watch *watch)
{
    enum kan_err err = KAN_OK;
    uint64_t now = env_now(watch->call->serve->options.env);
    watch->stale = false;
    watch->over = watch->over || now >= watch->until_ns;
    if (!watch->over)
        err = hold_start(watch);
    if (err == KAN_OK)
        err = ask(watch);
    if (err != KAN_OK)
        watch_decide(watch, WATCH_FAILED, err);
}

/* The parameters of the query. false: answered. */
static bool watch_query(struct call *call, uint64_t *ret_token,
                        uint64_t *ret_wait_ms)
{
    struct kan_slice token = {0};
    struct kan_slice wait = {0};
    enum kan_err err = call_query(call, "token", &token);
    if (err == KAN_OK)
        err = call_query(call, "waitMs", &wait);
    if (err != KAN_OK) {
        call_fail_query(call, err);
        return false;
    }
    if (number_u64(token, ret_token) != KAN_OK || *ret_token == 0) {
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: token must be one that was granted, "
                        "as token=42");
        return false;
    }
    *ret_wait_ms = WAIT_DEFAULT_MS;
    if (wait.bytes &&
        (number_u64(wait, ret_wait_ms) != KAN_OK || *ret_wait_ms > DAY_MS)) {
        call_fail_basic(call, ERROR_BAD_REQUEST,
                        "invalid request: waitMs must be a number from 0 to "
                        "%d, not '%.*s'",
                        DAY_MS, SLICE_ARG(wait));
        return false;
    }
    return true;
}

static bool resource_named(struct call *call)
{
    enum lock_outcome outcome =
        lock_core_resource(call->params[1], LOCK_RESOURCE_MAX);
    if (outcome == LOCK_OK)
        return true;
    call_fail_basic(call, ERROR_BAD_REQUEST, "invalid request: %s",
                    lock_outcome_text(outcome));
    return false;
}

void lock_watch_call(struct call *call)
{
    struct env *env = call->serve->options.env;
    uint64_t token;
    uint64_t wait_ms;
    call->context = ERROR_WATCH_LOCK;
    if (!lock_find(call) || !resource_named(call) ||
        !watch_query(call, &token, &wait_ms))
        return;
    struct watch *watch = call_alloc(call, sizeof(*watch));
    if (!watch) {
        call_overloaded(call);
        return;
    }
    memset(watch, 0, sizeof(*watch));
    watch->call = call;
    watch->resource = call->params[1];
    watch->token = token;
    watch->until_ns = env_now(env) + wait_ms * ENV_MS;
    watch->over = wait_ms == 0 || call->serve->closing;
    watch->timer.data = watch;
    if (env_timer_start(env, &watch->timer, watch->until_ns, on_time) !=
        KAN_OK) {
        call_overloaded(call);
        return;
    }
    call->watch = watch;
    call->cancel = watch_cancel;
    call->patient = true;
    call_watch_client(call);
    watch_go(watch);
}
