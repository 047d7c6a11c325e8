/* The rules of the state block. Guarantees: docs/guarantees/state.md.
 *
 * State goes by value and nothing points into a caller's memory but the slices
 * it gave, so that Frama-C can prove these functions as they stand. */

#include "block/state/state_core.h"

#include "base/assert.h"
#include "block/lock/fence.h"

const struct engine_promises state_needs = {
    .ops_max = 1,
    .commit_bytes_max = 4096,
    .key_max = 128,
    .value_max = 1024,
    .scan = true,
};

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct state_limits state_core_limits(struct engine_promises promises,
                                      uint32_t prefix_size)
{
    struct state_limits limits = {0};
    uint32_t key_room =
        promises.key_max > prefix_size ? promises.key_max - prefix_size : 0;

    limits.key_max = lesser(STATE_KEY_MAX, key_room);
    limits.value_max = promises.value_max;
    limits.prefix_size = prefix_size;
    limits.ops_max = promises.ops_max;
    limits.commit_bytes_max = promises.commit_bytes_max;
    limits.linearizable = promises.linearizable;
    limits.atomic = promises.ops_max > 1;
    limits.expiry = promises.expiry_ms > 0;
    return limits;
}

/* --- keys ----------------------------------------------------------------- */

bool state_core_owns(struct kan_slice key)
{
    const char *bytes = key.bytes;

    if (key.size == 0)
        return false;
    for (size_t i = 1; i < key.size; i++) {
        if (bytes[i] == '|' && bytes[i - 1] == '|')
            return false;
    }
    return true;
}

enum state_outcome state_core_key(struct state_limits limits,
                                  struct kan_slice key)
{
    if (key.size == 0)
        return STATE_KEY_EMPTY;
    if (key.size > limits.key_max)
        return STATE_KEY_TOO_LONG;
    return state_core_owns(key) ? STATE_OK : STATE_KEY_ILLEGAL;
}

/* --- conditions ----------------------------------------------------------- */

uint64_t state_core_etag(struct kan_slice etag)
{
    const char *bytes = etag.bytes;
    uint64_t revision = 0;

    if (etag.size == 0 || etag.size >= STATE_ETAG_SIZE || bytes[0] == '0')
        return 0;
    for (size_t i = 0; i < etag.size; i++) {
        uint64_t digit;
        if (bytes[i] < '0' || bytes[i] > '9')
            return 0;
        digit = (uint64_t)(bytes[i] - '0');
        if (revision > (UINT64_MAX - digit) / 10)
            return 0;
        revision = revision * 10 + digit;
    }
    return revision;
}

uint64_t state_core_ttl_ms(bool given, int64_t seconds)
{
    if (!given || seconds <= 0)
        return 0;
    if (seconds > STATE_TTL_SECONDS_MAX)
        seconds = STATE_TTL_SECONDS_MAX;
    return (uint64_t)seconds * 1000;
}

/* The step with the condition of the op in it. */
static struct state_step condition(struct state_step step, struct state_op op)
{
    bool named = op.etag.size > 0 || op.revision > 0;

    step.guard.key = op.key;
    if (op.concurrency == STATE_LAST_WRITE)
        return step;
    if (named) {
        uint64_t revision =
            op.etag.size > 0 ? state_core_etag(op.etag) : op.revision;
        step.guarded = true;
        step.guard.kind = ENGINE_IF_VERSION;
        step.guard.revision = revision;
        step.outcome = revision ? STATE_OK : STATE_ETAG_INVALID;
    } else if (op.concurrency == STATE_FIRST_WRITE) {
        step.guarded = true;
        step.guard.kind = ENGINE_IF_ABSENT;
    }
    return step;
}

/* --- ops ------------------------------------------------------------------ */

/* What is wrong with the op whatever its condition. */
static enum state_outcome shape(struct state_limits limits, struct state_op op)
{
    enum state_outcome outcome = state_core_key(limits, op.key);

    if (outcome != STATE_OK)
        return outcome;
    if (op.kind == STATE_SET && op.value.size > limits.value_max)
        return STATE_VALUE_TOO_LARGE;
    if (op.consistency == STATE_STRONG && !limits.linearizable)
        return STATE_NOT_STRONG;
    if (op.kind == STATE_SET && !limits.expiry &&
        state_core_ttl_ms(op.ttl_given, op.ttl_seconds) > 0)
        return STATE_NO_TTL;
    return STATE_OK;
}

/* The step with what the op writes in it. */
static struct state_step effect(struct state_step step, struct state_op op)
{
    step.write.key = op.key;
    if (op.kind == STATE_DELETE) {
        step.writing = true;
        step.write.kind = ENGINE_DELETE;
    } else if (op.kind == STATE_SET) {
        step.writing = true;
        step.write.kind = ENGINE_PUT;
        step.write.value = op.value;
        step.write.ttl_ms = state_core_ttl_ms(op.ttl_given, op.ttl_seconds);
        step.write.ttl_kind = step.write.ttl_ms ? ENGINE_TTL : ENGINE_FOREVER;
        /*= K-STATE-7: the engine gets the value as it was given. */
        kan_assert(step.write.value.bytes == op.value.bytes &&
                   step.write.value.size == op.value.size);
        /*= K-STATE-8: a value expires if, and only if, this write says so. */
        kan_assert((step.write.ttl_kind == ENGINE_TTL) ==
                   (op.ttl_given && op.ttl_seconds > 0));
    }
    return step;
}

struct state_step state_core_step(struct state_limits limits,
                                  struct state_op op)
{
    struct state_step none = {0};
    struct state_step step = {0};

    step.outcome = shape(limits, op);
    if (step.outcome == STATE_OK)
        step = condition(step, op);
    if (step.outcome == STATE_OK)
        step = effect(step, op);

    none.outcome = step.outcome;
    if (step.outcome != STATE_OK)
        return none;

    /*= K-STATE-2: an etag that counts is always a guard. */
    kan_assert(step.guarded || op.concurrency == STATE_LAST_WRITE ||
               (op.etag.size == 0 && op.revision == 0));
    /*= K-STATE-3: first-write is always a guard. */
    kan_assert(step.guarded || op.concurrency != STATE_FIRST_WRITE);
    return step;
}

/* --- sizes ---------------------------------------------------------------- */

struct state_size state_core_add(struct state_limits limits,
                                 struct state_size size, struct state_step step)
{
    if (step.guarded) {
        size.parts++;
        size.bytes += limits.prefix_size + step.guard.key.size;
    }
    if (step.writing) {
        size.parts++;
        size.bytes +=
            limits.prefix_size + step.write.key.size + step.write.value.size;
    }
    return size;
}

struct state_size state_core_add_fence(struct state_size size,
                                       struct state_token token)
{
    uint64_t key_size =
        sizeof("fence||||") - 1 + token.lock_store.size + token.resource.size;

    size.parts += 2;
    size.bytes += 2 * key_size + FENCE_VALUE_SIZE;
    return size;
}

enum state_outcome state_core_fits(struct state_limits limits,
                                   struct state_size size)
{
    if (size.parts > limits.ops_max)
        return STATE_TOO_MANY;
    if (size.bytes > limits.commit_bytes_max)
        return STATE_VALUE_TOO_LARGE;
    return STATE_OK;
}

/* --- levels and answers --------------------------------------------------- */

struct state_level state_core_level(struct state_limits limits,
                                    enum state_consistency consistency,
                                    uint64_t at_least)
{
    struct state_level answer = {STATE_OK, ENGINE_EVENTUAL};

    if (consistency == STATE_STRONG && !limits.linearizable)
        answer.outcome = STATE_NOT_STRONG;
    else if (consistency != STATE_EVENTUAL && limits.linearizable)
        answer.level = ENGINE_LINEARIZABLE;
    else if (at_least > 0)
        answer.level = ENGINE_CAUSAL;

    /*= K-STATE-6: strong means linearizable, or is refused by name. */
    kan_assert(consistency != STATE_STRONG || answer.outcome != STATE_OK ||
               answer.level == ENGINE_LINEARIZABLE);
    return answer;
}

enum state_outcome state_core_answer(enum kan_err err)
{
    if (err == KAN_OK)
        return STATE_OK;
    return err == KAN_CONFLICT ? STATE_MISMATCH : STATE_FAILED;
}

static int severity(enum state_outcome outcome)
{
    switch (outcome) {
    case STATE_OK:
        return 0;
    case STATE_MISMATCH:
        return 1;
    case STATE_ETAG_INVALID:
        return 2;
    case STATE_FAILED:
        return 4;
    default:
        return 3;
    }
}

bool state_core_worse(enum state_outcome a, enum state_outcome b)
{
    return severity(a) > severity(b);
}

const char *state_outcome_text(enum state_outcome outcome)
{
    switch (outcome) {
    case STATE_OK:
        return "done";
    case STATE_MISMATCH:
        return "the key is not as the etag or first-write demands: read it "
               "again and decide anew";
    case STATE_ETAG_INVALID:
        return "this store gives etags that are decimal numbers: send back "
               "one that was read, or none";
    case STATE_KEY_EMPTY:
        return "a key is empty: name it with at least one byte";
    case STATE_KEY_ILLEGAL:
        return "a key contains ||, which separates a store's prefix from "
               "its "
               "keys: use another separator";
    case STATE_KEY_TOO_LONG:
        return "a key is longer than this store can keep: at most 1,024 "
               "bytes, less when the engine says so (kan engines)";
    case STATE_VALUE_TOO_LARGE:
        return "a value, or all of a transaction, is larger than the "
               "engine "
               "can keep (kan engines): split it";
    case STATE_TOO_MANY:
        return "more operations than one request can carry: split it";
    case STATE_NOT_STRONG:
        return "consistency=strong was asked of a store whose engine is "
               "not "
               "linearizable: ask for less, or use another engine";
    case STATE_NO_TRANSACTION:
        return "the engine of this store cannot commit several keys "
               "together "
               "(kan engines shows which can)";
    case STATE_NO_TTL:
        return "the engine of this store cannot expire keys (kan engines "
               "shows which can)";
    case STATE_FAILED:
        return "the engine failed";
    }
    return "?";
}
