/* lock.c - locks over HTTP: Dapr's TryLock and Unlock word for word, and Kan's
 * own: wait in line, renew, release one grant. The rules are the lock block's.
 *
 * Whoever waits in line and goes away is taken out of it; a grant that comes
 * all the same is released, so that nobody has to wait for its lease. */

#include "serve/http/lock.h"

#include "base/number.h"
#include "serve/http/item.h"

enum
{
    DAY_MS = 24 * 3600 * 1000
};

/* --- stores --------------------------------------------------------------- */

const struct serve_lock *lock_named(const struct serve *serve,
                                    struct kan_slice name)
{
    for (uint32_t i = 0; i < serve->options.lock_count; i++)
        if (slice_equal(name, kan_text(serve->options.locks[i].name)))
            return &serve->options.locks[i];
    return NULL;
}

static bool lock_configured(struct call *call)
{
    if (call->serve->options.lock_count)
        return true;
    call_fail_basic(call, ERROR_LOCK, "lock store is not configured");
    return false;
}

static bool lock_known(struct call *call)
{
    call->lock = lock_named(call->serve, call->params[0]);
    if (call->lock)
        return true;
    call_fail_basic(call, ERROR_LOCK_NOT_FOUND, "lock store %.*s not found",
                    SLICE_ARG(call->params[0]));
    return false;
}

bool lock_find(struct call *call)
{
    return lock_configured(call) && lock_known(call);
}

/* --- failures ------------------------------------------------------------- */

/* What the API says before the reason. */
static const char *lock_failed_text(const struct call *call)
{
    switch (call->context) {
    case ERROR_UNLOCK:
        return "failed to release lock";
    case ERROR_RENEW_LOCK:
        return "failed to renew lock";
    case ERROR_WATCH_LOCK:
        return "failed to watch lock";
    default:
        return "failed to try acquiring lock";
    }
}

static const char *unknown_hint(const struct call *call, enum kan_err err)
{
    if (kan_err_class(err) != KAN_CLASS_UNKNOWN)
        return "";
    switch (call->context) {
    case ERROR_UNLOCK:
        return "it may have been released all the same, and else ends with its "
               "lease: ";
    case ERROR_RENEW_LOCK:
        return "its lease may have been renewed, or not: ";
    case ERROR_TRY_LOCK:
        return "it was not granted: ";
    default:
        return "";
    }
}

void lock_fail(struct call *call, enum lock_outcome outcome, enum kan_err err)
{
    struct error_report report = {.name = call->context};
    bool own = (call->route->versions & KAN_V1) != 0;
    if (outcome == LOCK_FAILED && err == KAN_NOMEM) {
        call_overloaded(call);
        return;
    }
    if (outcome == LOCK_FAILED && err == KAN_BUSY && own) {
        call_fail_basic(call, ERROR_OVERLOADED,
                        "too many wait for this lock: nothing was done, try "
                        "again");
        return;
    }
    if (outcome == LOCK_FAILED) {
        call_fail(call, &report, "%s: %s%s", lock_failed_text(call),
                  unknown_hint(call, err), kan_err_text(err));
        return;
    }
    if (own)
        report.name = ERROR_MALFORMED;
    if (outcome == LOCK_RESOURCE_ILLEGAL)
        call_fail(call, &report,
                  "%s: input key/keyPrefix '%.*s' can't contain '||'",
                  lock_failed_text(call), SLICE_ARG(call->state.lock.resource));
    else
        call_fail(call, &report, "%s: %s", lock_failed_text(call),
                  lock_outcome_text(outcome));
}

/* --- bodies --------------------------------------------------------------- */

/* Read the body; an empty one is an object without members (root NULL). false:
 * answered. */
static bool body_read(struct call *call, const struct json_node **ret_root)
{
    *ret_root = NULL;
    if (!call->request->body.size)
        return true;
    enum kan_err err = json_parse(call->request->body, NULL, &call->tree);
    if (err == KAN_NOMEM || buffer_failed(&call->tree.message)) {
        call_overloaded(call);
        return false;
    }
    if (err != KAN_OK) {
        call_fail_basic(call, ERROR_MALFORMED, "%s",
                        buffer_text(&call->tree.message));
        return false;
    }
    if (call->tree.nodes[0].kind != JSON_OBJECT) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "the body must be a JSON object");
        return false;
    }
    *ret_root = call->tree.nodes;
    return true;
}

/* A member under either of its names; NULL: absent or null. */
static const struct json_node *member(const struct call *call,
                                      const struct json_node *root,
                                      const char *name, const char *snake)
{
    const struct json_node *node = NULL;
    if (root)
        node = json_member(&call->tree, root, name);
    if (root && !node)
        node = json_member(&call->tree, root, snake);
    return node && node->kind != JSON_NULL ? node : NULL;
}

static bool member_text(struct call *call, const struct json_node *root,
                        const char *name, const char *snake,
                        struct kan_slice *ret_text)
{
    const struct json_node *node = member(call, root, name, snake);
    *ret_text = node ? node->text : SLICE("");
    if (!node || node->kind == JSON_STRING)
        return true;
    call_fail_basic(call, ERROR_MALFORMED, "\"%s\" must be a string", name);
    return false;
}

/* A whole number, also as a string, or with a fraction of zeros, as some
 * encoders write 60.0; at most max. Absent: 0. */
static bool member_number(struct call *call, const struct json_node *root,
                          const char *name, const char *snake, int64_t max,
                          int64_t *ret_number)
{
    const struct json_node *node = member(call, root, name, snake);
    int64_t number = 0;
    bool fine = !node || node->kind == JSON_NUMBER || node->kind == JSON_STRING;
    if (node && fine) {
        struct kan_slice rest = node->text;
        struct kan_slice whole;
        (void)slice_cut(&rest, '.', &whole);
        while (rest.size && slice_at(rest, 0) == '0')
            rest = slice_skip(rest, 1);
        fine = !rest.size && number_i64(whole, &number) == KAN_OK &&
               number <= max && number >= -max - 1;
    }
    if (fine) {
        *ret_number = number;
        return true;
    }
    call_fail_basic(call, ERROR_MALFORMED,
                    "\"%s\" must be a whole number, at most %lld", name,
                    (long long)max);
    return false;
}

/* The token of Kan's own routes: digits, as a string or a number. */
static bool member_token(struct call *call, const struct json_node *root,
                         uint64_t *ret_token)
{
    const struct json_node *node = member(call, root, "token", "token");
    *ret_token = 0;
    if (!node || ((node->kind == JSON_STRING || node->kind == JSON_NUMBER) &&
                  number_u64(node->text, ret_token) == KAN_OK && *ret_token))
        return true;
    call_fail_basic(call, ERROR_MALFORMED,
                    "\"token\" must be one that was granted, as \"42\"");
    return false;
}

/* Resource and owner into the request. */
static bool body_names(struct call *call, const struct json_node *root)
{
    struct lock_request *request = &call->state.lock;
    memset(request, 0, sizeof(*request));
    request->data = call;
    return member_text(call, root, "resourceId", "resource_id",
                       &request->resource) &&
           member_text(call, root, "lockOwner", "lock_owner", &request->owner);
}

/* The checks that Dapr makes before it looks for the store. */
static bool names_given(struct call *call, bool owner_needed)
{
    const struct lock_request *request = &call->state.lock;
    if (!request->resource.size) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "ResourceId is empty in lock store %.*s",
                        SLICE_ARG(call->params[0]));
        return false;
    }
    if (!request->owner.size && owner_needed) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "LockOwner is empty in lock store %.*s",
                        SLICE_ARG(call->params[0]));
        return false;
    }
    return true;
}

/* --- acquire -------------------------------------------------------------- */

static void request_cancel(struct call *call)
{
    lock_cancel(&call->state.lock);
}

/* How long the lease lasts yet, by our clock and on the safe side. */
static void append_expires(struct call *call, struct lock_lease lease)
{
    uint64_t now = env_now(call->serve->options.env);
    uint64_t left = lease.until_ns > now ? lease.until_ns - now : 0;
    json_append_name(&call->out, "expiresInMs");
    buffer_append_u64(&call->out, left / ENV_MS);
}

/* The client is gone, or there is no memory for its answer. */
static void abandoned_done(struct lock_request *request)
{
    struct call *call = request->data;
    lock_fail(call, LOCK_FAILED, call->gone ? KAN_CANCELED : KAN_NOMEM);
}

/* Nobody will learn of the grant, and so nobody release it: do so. */
static void abandon(struct call *call)
{
    struct lock_request *request = &call->state.lock;
    request->token = request->granted;
    request->deadline_ns = 0;
    enum kan_err err = lock_release(call->lock->lock, request, abandoned_done);
    if (err != KAN_OK)
        lock_fail(call, LOCK_FAILED, err); /* its lease ends it */
}

/* Dapr's answer, with the token in the head; Kan's own has it in the body. */
static void answer_granted(struct call *call)
{
    const struct lock_request *request = &call->state.lock;
    bool own = (call->route->versions & KAN_V1) != 0;
    buffer_append(&call->text, SLICE("kan-fencing-token: "));
    buffer_append_u64(&call->text, request->granted);
    buffer_append(&call->text, SLICE("\r\n"));
    buffer_append(&call->out, SLICE("{\"success\":true"));
    if (own) {
        buffer_append(&call->out, SLICE(",\"token\":\""));
        buffer_append_u64(&call->out, request->granted);
        buffer_append_byte(&call->out, '"');
        append_expires(call, request->lease);
    }
    buffer_append_byte(&call->out, '}');
    if (buffer_failed(&call->out) || buffer_failed(&call->text))
        abandon(call);
    else
        call_answer(call, 200, "application/json", buffer_slice(&call->text),
                    buffer_slice(&call->out));
}

static void acquire_done(struct lock_request *request)
{
    struct call *call = request->data;
    call->cancel = NULL;
    if (request->outcome == LOCK_OK && call->gone)
        abandon(call);
    else if (request->outcome == LOCK_OK)
        answer_granted(call);
    else if (request->outcome == LOCK_HELD)
        call_answer(call, 200, "application/json", SLICE(""),
                    SLICE("{\"success\":false}"));
    else
        lock_fail(call, request->outcome, request->err);
}

static void acquire_submit(struct call *call)
{
    enum kan_err err =
        lock_acquire(call->lock->lock, &call->state.lock, acquire_done);
    if (err != KAN_OK) {
        lock_fail(call, LOCK_FAILED, err);
        return;
    }
    call->cancel = request_cancel;
    call->patient = call->state.lock.wait_until_ns != 0;
    call_watch_client(call);
}

void lock_try_call(struct call *call)
{
    const struct json_node *root;
    int64_t seconds;
    call->context = ERROR_TRY_LOCK;
    if (!body_read(call, &root) || !body_names(call, root) ||
        !member_number(call, root, "expiryInSeconds", "expiry_in_seconds",
                       INT32_MAX, &seconds))
        return;
    if (seconds <= 0) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "ExpiryInSeconds is not positive in lock store %.*s",
                        SLICE_ARG(call->params[0]));
        return;
    }
    if (!lock_configured(call) || !names_given(call, true) || !lock_known(call))
        return;
    call->state.lock.expiry_ms = (uint64_t)seconds * 1000;
    acquire_submit(call);
}

void lock_acquire_call(struct call *call)
{
    const struct json_node *root;
    struct lock_request *request = &call->state.lock;
    int64_t expiry_ms;
    int64_t wait_ms;
    call->context = ERROR_TRY_LOCK;
    if (!lock_find(call) || !body_read(call, &root) ||
        !body_names(call, root) || !names_given(call, true) ||
        !member_number(call, root, "expiryMs", "expiry_ms",
                       (int64_t)LOCK_EXPIRY_MAX_MS, &expiry_ms) ||
        !member_number(call, root, "waitMs", "wait_ms", DAY_MS, &wait_ms))
        return;
    if (expiry_ms <= 0 || wait_ms < 0) {
        call_fail_basic(call, ERROR_MALFORMED,
                        expiry_ms <= 0 ? "\"expiryMs\" must be at least 1"
                                       : "\"waitMs\" must not be negative");
        return;
    }
    request->expiry_ms = (uint64_t)expiry_ms;
    if (wait_ms && !call->serve->closing)
        request->wait_until_ns =
            env_now(call->serve->options.env) + (uint64_t)wait_ms * ENV_MS;
    acquire_submit(call);
}

/* --- release -------------------------------------------------------------- */

/* The number that Dapr has for an outcome. */
static int status_of(enum lock_outcome outcome)
{
    switch (outcome) {
    case LOCK_OK:
        return 0;
    case LOCK_NOTFOUND:
        return 1;
    case LOCK_OTHER:
        return 2;
    default:
        return 3;
    }
}

static void release_done(struct lock_request *request)
{
    struct call *call = request->data;
    int status = status_of(request->outcome);
    if (status == 3) {
        lock_fail(call, request->outcome, request->err);
        return;
    }
    buffer_append(&call->out, SLICE("{\"status\":"));
    buffer_append_u64(&call->out, (uint64_t)status);
    buffer_append_byte(&call->out, '}');
    call_answer_json(call);
}

static void release_submit(struct call *call)
{
    enum kan_err err =
        lock_release(call->lock->lock, &call->state.lock, release_done);
    if (err != KAN_OK)
        lock_fail(call, LOCK_FAILED, err);
}

void lock_unlock_call(struct call *call)
{
    const struct json_node *root;
    call->context = ERROR_UNLOCK;
    if (body_read(call, &root) && body_names(call, root) &&
        lock_configured(call) && names_given(call, true) && lock_known(call))
        release_submit(call);
}

void lock_release_call(struct call *call)
{
    const struct json_node *root;
    struct lock_request *request = &call->state.lock;
    call->context = ERROR_UNLOCK;
    if (lock_find(call) && body_read(call, &root) && body_names(call, root) &&
        member_token(call, root, &request->token) &&
        names_given(call, request->token == 0))
        release_submit(call);
}

/* --- renew ---------------------------------------------------------------- */

static void renew_done(struct lock_request *request)
{
    struct call *call = request->data;
    int status = status_of(request->outcome);
    if (status == 3) {
        lock_fail(call, request->outcome, request->err);
        return;
    }
    buffer_append_text(&call->out,
                       status ? "{\"success\":false" : "{\"success\":true");
    if (status) {
        buffer_print(&call->out, ",\"status\":%d", status);
    } else {
        buffer_print(&call->out, ",\"token\":\"%llu\"",
                     (unsigned long long)request->granted);
        append_expires(call, request->lease);
    }
    buffer_append_byte(&call->out, '}');
    call_answer_json(call);
}

void lock_renew_call(struct call *call)
{
    const struct json_node *root;
    struct lock_request *request = &call->state.lock;
    int64_t expiry_ms;
    call->context = ERROR_RENEW_LOCK;
    if (!lock_find(call) || !body_read(call, &root) ||
        !body_names(call, root) || !member_token(call, root, &request->token) ||
        !names_given(call, request->token == 0) ||
        !member_number(call, root, "expiryMs", "expiry_ms",
                       (int64_t)LOCK_EXPIRY_MAX_MS, &expiry_ms))
        return;
    if (expiry_ms <= 0) {
        call_fail_basic(call, ERROR_MALFORMED,
                        "\"expiryMs\" must be at least 1");
        return;
    }
    request->expiry_ms = (uint64_t)expiry_ms;
    enum kan_err err = lock_renew(call->lock->lock, request, renew_done);
    if (err != KAN_OK)
        lock_fail(call, LOCK_FAILED, err);
}
