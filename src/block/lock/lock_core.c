/* The rules of one lock request. Guarantees: docs/guarantees/lock.md.
 *
 * State goes by value and points nowhere, so that Frama-C can prove these
 * functions as they stand, and the checker can hash what they return. */

#include "block/lock/lock_core.h"

#include "base/assert.h"

#define MS UINT64_C(1000000)

/* --- steps ---------------------------------------------------------------- */

static struct lock_step with(struct lock_step step, struct lock_effect effect)
{
    kan_assert(step.effect_count < LOCK_EFFECTS_MAX);
    step.effects[step.effect_count++] = effect;
    return step;
}

static uint64_t after(uint64_t now_ns, uint64_t ms)
{
    return ms > (UINT64_MAX - now_ns) / MS ? UINT64_MAX : now_ns + ms * MS;
}

/* When the request needs to be called next, though nothing arrives. */
static struct lock_step with_timer(struct lock_step step)
{
    struct lock_effect timer = {.kind = LOCK_EFFECT_TIMER};

    timer.due_ns = step.core.answered ? UINT64_MAX : step.core.until_ns;
    if (step.core.phase == LOCK_WAITING && step.core.retry_ns < timer.due_ns)
        timer.due_ns = step.core.retry_ns;
    if (step.core.phase == LOCK_ENDED || timer.due_ns == UINT64_MAX)
        return step;
    return with(step, timer);
}

static struct lock_step answer(struct lock_step step, enum lock_outcome outcome,
                               enum kan_err err)
{
    struct lock_effect effect = {.kind = LOCK_EFFECT_ANSWER,
                                 .outcome = outcome,
                                 .err = err,
                                 .token = step.core.token,
                                 .expiry_ms = step.core.expiry_ms,
                                 .since_ns = step.core.since_ns,
                                 .loose = step.core.loose > 0};

    /*= K-LOCK-10: a request is answered once. */
    kan_assert(!step.core.answered);
    step.core.answered = true;
    return with(step, effect);
}

static struct lock_step ended(struct lock_step step)
{
    step.core.phase = LOCK_ENDED;
    return step;
}

/* --- asking the engine ---------------------------------------------------- */

static struct lock_step read_key(struct lock_step step, uint64_t now_ns)
{
    struct lock_effect effect = {.kind = LOCK_EFFECT_READ};

    step.core.phase = LOCK_READING;
    step.core.asked_ns = now_ns;
    return with(step, effect);
}

static struct lock_step commit(struct lock_step step, uint64_t now_ns)
{
    static const enum lock_effect_kind kinds[] = {
        [LOCK_TRY] = LOCK_EFFECT_PUT,
        [LOCK_RELEASE] = LOCK_EFFECT_DELETE,
        [LOCK_RENEW] = LOCK_EFFECT_TOUCH,
    };
    struct lock_effect effect = {.kind = kinds[step.core.kind],
                                 .token = step.core.token,
                                 .expiry_ms = step.core.expiry_ms};

    /*= K-LOCK-3: only a grant that is named is released or renewed. */
    kan_assert(step.core.kind == LOCK_TRY || step.core.token != 0);
    if (++step.core.tries > LOCK_TRIES_MAX) {
        step = answer(step, LOCK_FAILED, KAN_BUSY);
        return ended(step);
    }
    step.core.phase = LOCK_COMMITTING;
    step.core.asked_ns = now_ns;
    /* Copies of a put that were sent earlier may be what counts; of touches
     * the last one does. */
    if (step.core.kind != LOCK_TRY || step.core.loose == 0)
        step.core.since_ns = now_ns;
    return with(step, effect);
}

static struct lock_step wait(struct lock_step step, uint64_t now_ns)
{
    uint64_t ms = LOCK_BACKOFF_MS;

    for (uint32_t i = 0; i < step.core.failures && ms < LOCK_BACKOFF_MAX_MS;
         i++)
        ms *= 2;
    step.core.failures++;
    step.core.phase = LOCK_WAITING;
    step.core.retry_ns =
        after(now_ns, ms < LOCK_BACKOFF_MAX_MS ? ms : LOCK_BACKOFF_MAX_MS);
    return step;
}

/* --- try ------------------------------------------------------------------ */

/* A try that has its answer: look on as long as a copy of its put may come. */
static struct lock_step rest(struct lock_step step, uint64_t now_ns)
{
    kan_assert(step.core.answered);
    if (step.core.loose == 0 || now_ns >= step.core.settle_ns)
        return ended(step);
    return wait(step, now_ns);
}

static struct lock_step take_back(struct lock_step step, uint64_t now_ns)
{
    struct lock_effect effect = {.kind = LOCK_EFFECT_DELETE,
                                 .token = step.core.unwanted};

    /*= K-LOCK-7: what is taken back is not what its client relies on. */
    kan_assert(step.core.unwanted != step.core.token);
    step.core.phase = LOCK_FREEING;
    step.core.asked_ns = now_ns;
    return with(step, effect);
}

/* The put has taken effect: the key is there since that revision. */
static struct lock_step won(struct lock_step step, uint64_t created,
                            uint64_t now_ns)
{
    bool fresh = now_ns < after(step.core.since_ns, step.core.expiry_ms);

    if (!step.core.answered && fresh && now_ns < step.core.until_ns) {
        /*= K-LOCK-2: a token is a revision, and no grant comes without. */
        kan_assert(created != 0);
        step.core.token = created;
        return rest(answer(step, LOCK_OK, KAN_OK), now_ns);
    }
    if (!step.core.answered)
        step = answer(step, LOCK_FAILED, KAN_TIMEOUT);
    step.core.unwanted = created;
    return take_back(step, now_ns);
}

static struct lock_step not_won(struct lock_step step, uint64_t now_ns)
{
    if (!step.core.answered)
        step = answer(step, LOCK_HELD, KAN_OK);
    return rest(step, now_ns);
}

static struct lock_step try_read(struct lock_step step, struct lock_event event)
{
    bool ours = event.created != 0 && event.id.store == step.core.id.store &&
                event.id.number == step.core.id.number;

    if (ours && event.created != step.core.token) {
        /*= K-LOCK-8: what an unknown put did is told by the key. */
        kan_assert(step.core.loose > 0);
        step.core.loose--;
        return won(step, event.created, event.now_ns);
    }
    if (event.created != 0 || step.core.answered)
        return not_won(step, event.now_ns);
    /* The key was absent after this read had been sent. Whichever copy of the
     * put comes into force now does so later than that. */
    step.core.since_ns = step.core.asked_ns;
    return commit(step, event.now_ns);
}

/* --- release and renew ---------------------------------------------------- */

/* The grant that was meant is gone. */
static struct lock_step gone(struct lock_step step, bool held)
{
    enum lock_outcome outcome = held ? LOCK_OTHER : LOCK_NOTFOUND;

    /* By our own doing, perhaps: then the client has what it asked for. */
    if (step.core.kind == LOCK_RELEASE && step.core.loose > 0)
        outcome = LOCK_OK;
    return ended(answer(step, outcome, KAN_OK));
}

static struct lock_step change_read(struct lock_step step,
                                    struct lock_event event)
{
    bool allowed = event.owner || !step.core.by_owner;
    bool meant = event.created == step.core.token;

    if (event.created == 0)
        return gone(step, false);
    /* Without a name, it is what the owner holds; found before and gone since,
     * it is what the owner holds now, unless we may have released it. */
    if (!meant && step.core.named == 0 && event.owner && step.core.loose == 0) {
        step.core.token = event.created;
        meant = true;
    }
    if (!meant)
        return gone(step, true);
    if (!allowed)
        return ended(answer(step, LOCK_OTHER, KAN_OK));
    return commit(step, event.now_ns);
}

/* --- answers of the engine ------------------------------------------------ */

static struct lock_step on_committed(struct lock_step step,
                                     struct lock_event event)
{
    step.core.failures = 0;
    if (step.core.phase == LOCK_FREEING) {
        step.core.unwanted = 0;
        return rest(step, event.now_ns);
    }
    if (step.core.kind == LOCK_TRY)
        return won(step, event.revision, event.now_ns);
    if (step.core.answered)
        return ended(step);
    return ended(answer(step, LOCK_OK, KAN_OK));
}

static struct lock_step on_refused(struct lock_step step,
                                   struct lock_event event)
{
    step.core.failures = 0;
    if (step.core.phase == LOCK_FREEING) {
        step.core.unwanted = 0;
        return rest(step, event.now_ns);
    }
    /* A put was refused by what may be an earlier copy of it. */
    if (step.core.kind == LOCK_TRY)
        return step.core.loose ? read_key(step, event.now_ns)
                               : not_won(step, event.now_ns);
    if (step.core.answered)
        return ended(step);
    if (step.core.kind == LOCK_RELEASE && step.core.loose > 0)
        return gone(step, false);
    return read_key(step, event.now_ns);
}

static struct lock_step on_unknown(struct lock_step step,
                                   struct lock_event event)
{
    if (step.core.phase == LOCK_FREEING)
        return wait(step, event.now_ns);
    step.core.loose++;
    step.core.settle_ns = after(event.now_ns, LOCK_SETTLE_MS);
    if (step.core.answered && step.core.kind != LOCK_TRY)
        return ended(step);
    if (step.core.failures > 0)
        return wait(step, event.now_ns);
    step.core.failures = 1;
    return read_key(step, event.now_ns);
}

static struct lock_step on_failed(struct lock_step step,
                                  struct lock_event event)
{
    bool settled = step.core.loose == 0 && step.core.phase != LOCK_FREEING;

    if (settled && !step.core.answered)
        step = answer(step, LOCK_FAILED, event.err);
    if (settled || (step.core.answered && step.core.kind != LOCK_TRY))
        return ended(step);
    return wait(step, event.now_ns);
}

static struct lock_step on_broken(struct lock_step step,
                                  struct lock_event event)
{
    if (!step.core.answered)
        step = answer(step, LOCK_FAILED, event.err);
    return ended(step);
}

/* --- time ----------------------------------------------------------------- */

static struct lock_step resume(struct lock_step step, uint64_t now_ns)
{
    if (step.core.unwanted)
        return take_back(step, now_ns);
    if (step.core.answered && now_ns >= step.core.settle_ns)
        return ended(step);
    return read_key(step, now_ns);
}

/* The client is told, and what is under way is left to come back. */
static struct lock_step give_up(struct lock_step step, enum kan_err err)
{
    if (step.core.answered)
        return step;
    step = answer(step, LOCK_FAILED, err);
    if (step.core.phase != LOCK_WAITING)
        return step;
    return step.core.kind == LOCK_TRY ? step : ended(step);
}

static struct lock_step on_timer(struct lock_step step, struct lock_event event)
{
    if (event.now_ns >= step.core.until_ns)
        step = give_up(step, KAN_TIMEOUT);
    if (step.core.phase == LOCK_WAITING && event.now_ns >= step.core.retry_ns)
        step = resume(step, event.now_ns);
    return step;
}

/* --- the step ------------------------------------------------------------- */

struct lock_core lock_core_init(struct lock_want want)
{
    struct lock_core core = {0};

    kan_assert(want.kind == LOCK_TRY || want.token != 0 || want.by_owner);
    kan_assert(want.kind == LOCK_RELEASE || want.expiry_ms > 0);
    core.kind = want.kind;
    core.by_owner = want.by_owner && want.kind != LOCK_TRY;
    core.named = want.kind == LOCK_TRY ? 0 : want.token;
    core.token = core.named;
    core.id = want.id;
    core.expiry_ms = want.expiry_ms;
    core.until_ns = want.until_ns;
    return core;
}

static struct lock_step start(struct lock_step step, uint64_t now_ns)
{
    if (step.core.phase != LOCK_IDLE)
        return step;
    if (step.core.answered)
        return ended(step);
    return step.core.by_owner ? read_key(step, now_ns) : commit(step, now_ns);
}

static bool asking(struct lock_core core)
{
    return core.phase == LOCK_READING || core.phase == LOCK_COMMITTING ||
           core.phase == LOCK_FREEING;
}

/* Whether the event answers what was asked. */
static bool expected(struct lock_core core, struct lock_event event)
{
    switch (event.kind) {
    case LOCK_EVENT_READ:
        return core.phase == LOCK_READING;
    case LOCK_EVENT_COMMITTED:
    case LOCK_EVENT_REFUSED:
    case LOCK_EVENT_UNKNOWN:
        return asking(core) && core.phase != LOCK_READING;
    case LOCK_EVENT_FAILED:
    case LOCK_EVENT_BROKEN:
        return asking(core);
    case LOCK_EVENT_START:
    case LOCK_EVENT_TIMER:
    case LOCK_EVENT_CANCEL:
        return core.phase != LOCK_ENDED;
    }
    return false;
}

static struct lock_step dispatch(struct lock_step step, struct lock_event event)
{
    switch (event.kind) {
    case LOCK_EVENT_START:
        return start(step, event.now_ns);
    case LOCK_EVENT_READ:
        if (step.core.kind == LOCK_TRY)
            return try_read(step, event);
        return step.core.answered ? ended(step) : change_read(step, event);
    case LOCK_EVENT_COMMITTED:
        return on_committed(step, event);
    case LOCK_EVENT_REFUSED:
        return on_refused(step, event);
    case LOCK_EVENT_UNKNOWN:
        return on_unknown(step, event);
    case LOCK_EVENT_FAILED:
        return on_failed(step, event);
    case LOCK_EVENT_BROKEN:
        return on_broken(step, event);
    case LOCK_EVENT_TIMER:
        return on_timer(step, event);
    case LOCK_EVENT_CANCEL:
        return give_up(step, KAN_CANCELED);
    }
    return step;
}

struct lock_step lock_core_step(struct lock_core core, struct lock_event event)
{
    struct lock_step step = {.core = core};

    if (!expected(core, event))
        return step;
    step = with_timer(dispatch(step, event));
    /*= K-LOCK-10: a request does not end without an answer. */
    kan_assert(step.core.phase != LOCK_ENDED || step.core.answered);
    return step;
}

/* --- a holder's own view -------------------------------------------------- */

static uint64_t lease_end(uint64_t since_ns, uint64_t expiry_ms,
                          uint32_t drift_ppm)
{
    uint64_t ms =
        expiry_ms < LOCK_EXPIRY_MAX_MS ? expiry_ms : LOCK_EXPIRY_MAX_MS;
    uint64_t us = ms * 1000;
    /* Rounded up, so that the margin is never too small. */
    uint64_t margin_us = us / 1000000 * drift_ppm +
                         (us % 1000000 * drift_ppm + 999999) / 1000000;
    uint64_t ns = us - margin_us;

    /*= K-LOCK-5: a holder's lease is never longer than the engine's. */
    kan_assert(drift_ppm < 1000000 && margin_us <= us);
    ns = ns > UINT64_MAX / 1000 ? UINT64_MAX : ns * 1000;
    return ns > UINT64_MAX - since_ns ? UINT64_MAX : since_ns + ns;
}

struct lock_lease lock_lease_begin(uint64_t token, uint64_t since_ns,
                                   uint64_t expiry_ms, uint32_t drift_ppm)
{
    struct lock_lease lease = {.token = token, .drift_ppm = drift_ppm};

    lease.until_ns = lease_end(since_ns, expiry_ms, drift_ppm);
    return lease;
}

struct lock_lease lock_lease_renew(struct lock_lease lease, uint64_t since_ns,
                                   uint64_t expiry_ms)
{
    bool loose = lease.loose_ms > 0 && since_ns < lease.loose_until_ns;

    if (loose && lease.loose_ms < expiry_ms)
        expiry_ms = lease.loose_ms;
    lease.until_ns = lease_end(since_ns, expiry_ms, lease.drift_ppm);
    if (!loose) {
        lease.loose_ms = 0;
        lease.loose_until_ns = 0;
    }
    return lease;
}

struct lock_lease lock_lease_risk(struct lock_lease lease, uint64_t now_ns,
                                  uint64_t expiry_ms)
{
    uint64_t end = lease_end(now_ns, expiry_ms, lease.drift_ppm);

    if (end < lease.until_ns)
        lease.until_ns = end;
    return lease;
}

struct lock_lease lock_lease_loose(struct lock_lease lease, uint64_t now_ns,
                                   uint64_t expiry_ms)
{
    if (lease.loose_ms == 0 || expiry_ms < lease.loose_ms)
        lease.loose_ms = expiry_ms;
    lease.loose_until_ns = after(now_ns, LOCK_SETTLE_MS);
    return lease;
}

/* --- names and values ----------------------------------------------------- */

enum lock_outcome lock_core_resource(struct kan_slice resource,
                                     uint32_t resource_max)
{
    const char *bytes = resource.bytes;

    if (resource.size == 0)
        return LOCK_RESOURCE_EMPTY;
    if (resource.size > resource_max || resource.size > LOCK_RESOURCE_MAX)
        return LOCK_RESOURCE_TOO_LONG;
    for (size_t i = 1; i < resource.size; i++) {
        if (bytes[i] == '|' && bytes[i - 1] == '|')
            return LOCK_RESOURCE_ILLEGAL;
    }
    return LOCK_OK;
}

enum lock_outcome lock_core_owner(struct kan_slice owner)
{
    if (owner.size == 0)
        return LOCK_OWNER_EMPTY;
    return owner.size > LOCK_OWNER_MAX ? LOCK_OWNER_TOO_LONG : LOCK_OK;
}

enum lock_outcome lock_core_expiry(uint64_t expiry_ms)
{
    if (expiry_ms == 0 || expiry_ms > LOCK_EXPIRY_MAX_MS)
        return LOCK_EXPIRY_ILLEGAL;
    return LOCK_OK;
}

enum
{
    VALUE_VERSION = 1
};

void lock_value_head(struct lock_id id, unsigned char head[LOCK_VALUE_HEAD])
{
    head[0] = VALUE_VERSION;
    for (int i = 0; i < 8; i++) {
        head[1 + i] = (unsigned char)(id.store >> (56 - 8 * i));
        head[9 + i] = (unsigned char)(id.number >> (56 - 8 * i));
    }
}

bool lock_value_read(struct kan_slice value, struct lock_id *ret_id,
                     struct kan_slice *ret_owner)
{
    const unsigned char *bytes = value.bytes;
    struct lock_id id = {0};

    if (value.size <= LOCK_VALUE_HEAD || bytes[0] != VALUE_VERSION)
        return false;
    for (int i = 0; i < 8; i++) {
        id.store = id.store << 8 | bytes[1 + i];
        id.number = id.number << 8 | bytes[9 + i];
    }
    *ret_id = id;
    *ret_owner =
        kan_slice(bytes + LOCK_VALUE_HEAD, value.size - LOCK_VALUE_HEAD);
    return true;
}

const char *lock_outcome_text(enum lock_outcome outcome)
{
    switch (outcome) {
    case LOCK_OK:
        return "done";
    case LOCK_HELD:
        return "another owner holds it, or the same one does: wait for its "
               "release or for the end of its lease";
    case LOCK_NOTFOUND:
        return "nobody holds it: its lease has ended, or it was released";
    case LOCK_OTHER:
        return "it is held by another owner, or by a later grant";
    case LOCK_RESOURCE_EMPTY:
        return "the resource is empty: name it with at least one byte";
    case LOCK_RESOURCE_ILLEGAL:
        return "the resource contains ||, which separates a store's prefix "
               "from its resources: use another separator";
    case LOCK_RESOURCE_TOO_LONG:
        return "the resource is longer than this store can keep: at most "
               "1,024 bytes, less when the engine says so (kan engines)";
    case LOCK_OWNER_EMPTY:
        return "the owner is empty: name it with at least one byte";
    case LOCK_OWNER_TOO_LONG:
        return "the owner is longer than 1,024 bytes: shorten it";
    case LOCK_EXPIRY_ILLEGAL:
        return "a lease has at least 1 millisecond, and at most 10^14";
    case LOCK_FAILED:
        return "the engine failed";
    }
    return "?";
}
