/* In which ways the operations so far can be in order: the just-in-time
 * linearization of Lowe ("Testing for Linearizability", 2017), as a value. A
 * frontier is the set of open operations and the set of configurations: which
 * open operations have taken effect, in which state each did, and the
 * specification's state now. An operation takes effect as late as it can: when
 * it or a later one must end. So the set depends on nothing but the partial
 * order of operations, and histories that nobody can tell apart from here on
 * are one. It is empty when there is no order at all. */

#include <stdlib.h>

#include "base/assert.h"
#include "base/record.h"
#include "check/space/inside.h"

enum
{
    ALIGNMENT = 16
};

struct frontier_head
{
    uint32_t open_count;
    uint32_t config_count;
    uint32_t stride;      /* bytes of a state of the specification */
    uint32_t config_size; /* a config_head, the state, and a state for each
                           * open operation (zero: it has not taken effect) */
};

struct open_op
{
    int64_t argument;
    uint32_t op;
    uint8_t actor;
    uint8_t zero[3];
};

struct config_head
{
    uint64_t done; /* a bit for each actor whose open operation took effect */
    uint64_t zero;
};

/* A frontier to read. */
struct frontier
{
    const struct frontier_head *head;
    const struct open_op *open;
    const uint8_t *configs;
};

static struct frontier frontier_at(const struct space *space, uint32_t number)
{
    const uint8_t *bytes = kept_at(space->frontiers, number)->bytes;
    struct frontier frontier;

    frontier.head = (const void *)bytes;
    frontier.open = (const void *)(frontier.head + 1);
    frontier.configs =
        (const uint8_t *)(frontier.open + frontier.head->open_count);
    return frontier;
}

static uint32_t open_place(const struct frontier *frontier, uint8_t actor)
{
    uint32_t at = 0;

    while (at < frontier->head->open_count && frontier->open[at].actor < actor)
        at++;
    return at;
}

bool frontier_open(const struct space *space, uint32_t number, uint8_t actor)
{
    struct frontier frontier = frontier_at(space, number);
    uint32_t at = open_place(&frontier, actor);

    return at < frontier.head->open_count && frontier.open[at].actor == actor;
}

static enum kan_err frontier_keep(struct space *space, struct kan_slice bytes,
                                  uint32_t *ret_number)
{
    return kept_number(space->frontiers, path_hash(bytes, SPACE_SEED_FRONTIER),
                       bytes, 0, ret_number);
}

static uint32_t spec_stride(const struct space *space)
{
    uint32_t size = space->spec ? space->spec->state->size : 0;

    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

enum kan_err frontier_first(struct space *space)
{
    uint32_t stride = spec_stride(space);
    struct frontier_head head = {
        .config_count = 0,
        .stride = stride,
        .config_size = (uint32_t)sizeof(struct config_head) + stride};
    size_t size = sizeof(head) + head.config_size;
    struct buffer blob = BUFFER_INIT;
    struct buffer raw = BUFFER_INIT;
    uint32_t number;
    enum kan_err err =
        frontier_keep(space, kan_slice(&head, sizeof(head)), &number);

    if (err == KAN_OK)
        err = buffer_reserve(&blob, size);
    if (err == KAN_OK)
        err = buffer_reserve(&raw, stride);
    if (err == KAN_OK) {
        uint8_t *state = (uint8_t *)blob.bytes + size - stride;
        memset(blob.bytes, 0, size);
        head.config_count = 1;
        memcpy(blob.bytes, &head, sizeof(head));
        if (space->spec && space->spec->start && stride > 0) {
            memset(raw.bytes, 0, stride);
            space->spec->start(raw.bytes);
            record_canonical(space->spec->state, raw.bytes, state);
        }
        err = frontier_keep(space, kan_slice(blob.bytes, size), &number);
    }
    buffer_fini(&raw);
    buffer_fini(&blob);
    return err;
}

/* --- an operation begins -------------------------------------------------- */

/* Every configuration gets a place for one more open operation, which has not
 * taken effect. Their order stays. */
static enum kan_err invoke(struct space_walker *walker, uint32_t number,
                           const struct frontier_event *event,
                           uint32_t *ret_number)
{
    struct frontier from = frontier_at(walker->space, number);
    struct frontier_head head = *from.head;
    struct open_op op = {
        .argument = event->value, .op = event->op, .actor = event->actor};
    struct buffer *out = &walker->observed[0];
    uint32_t at = open_place(&from, event->actor);
    size_t before = sizeof(struct config_head) + (size_t)(at + 1) * head.stride;
    static const uint8_t zeros[ALIGNMENT];

    head.open_count++;
    head.config_size += head.stride;
    buffer_clear(out);
    buffer_append(out, kan_slice(&head, sizeof(head)));
    buffer_append(out, kan_slice(from.open, at * sizeof(op)));
    buffer_append(out, kan_slice(&op, sizeof(op)));
    buffer_append(out, kan_slice(from.open + at,
                                 (from.head->open_count - at) * sizeof(op)));
    for (uint32_t i = 0; i < head.config_count; i++) {
        const uint8_t *config =
            from.configs + (size_t)i * from.head->config_size;
        buffer_append(out, kan_slice(config, before));
        for (uint32_t j = 0; j < head.stride; j += ALIGNMENT)
            buffer_append(out, kan_slice(zeros, ALIGNMENT));
        buffer_append(
            out, kan_slice(config + before, from.head->config_size - before));
    }
    if (buffer_failed(out))
        return KAN_NOMEM;
    return frontier_keep(walker->space, buffer_slice(out), ret_number);
}

/* --- an operation ends ---------------------------------------------------- */

struct ending
{
    const struct kan_spec *spec;
    struct frontier from;
    uint32_t at; /* of the operation, among the open ones */
    int64_t result;
    struct buffer *out;  /* configurations, without the operation */
    uint8_t *levels;     /* one configuration for each that is tried */
    uint8_t *raw;        /* a state that the specification works on */
    uint32_t level_size; /* of a configuration of from */
};

static uint8_t *state_of(uint8_t *config)
{
    return config + sizeof(struct config_head);
}

static uint8_t *before_of(const struct ending *ending, uint8_t *config,
                          uint32_t at)
{
    return state_of(config) + (size_t)(at + 1) * ending->from.head->stride;
}

/* Apply an operation to a state; false when the specification says no. */
static bool spec_step(const struct ending *ending, uint8_t *state, uint32_t at,
                      bool returned)
{
    const struct open_op *op = &ending->from.open[at];
    const struct kan_spec *spec = ending->spec;
    uint32_t stride = ending->from.head->stride;

    if (stride > 0)
        memcpy(ending->raw, state, stride);
    if (!spec->step(ending->raw, op->op, op->argument, returned,
                    returned ? ending->result : 0))
        return false;
    if (stride > 0) {
        memset(state, 0, stride);
        record_canonical(spec->state, ending->raw, state);
    }
    return true;
}

/* Add a configuration, without the operation that has ended. */
static void emit(const struct ending *ending, uint8_t *config)
{
    uint8_t actor = ending->from.open[ending->at].actor;
    struct config_head *head = (void *)config;
    struct config_head left = {.done = head->done & ~(UINT64_C(1) << actor)};
    uint8_t *state = state_of(config);
    uint8_t *gone = before_of(ending, config, ending->at);
    uint8_t *rest = gone + ending->from.head->stride;

    buffer_append(ending->out, kan_slice(&left, sizeof(left)));
    buffer_append(ending->out, kan_slice(state, (size_t)(gone - state)));
    buffer_append(
        ending->out,
        kan_slice(rest, (size_t)(config + ending->level_size - rest)));
}

/* Let others take effect before the operation, in every order, and then it. */
static void explore(const struct ending *ending, uint8_t *config)
{
    uint8_t *next = config + ending->level_size;
    struct config_head *head = (void *)config;

    memcpy(next, config, ending->level_size);
    if (spec_step(ending, state_of(next), ending->at, true))
        emit(ending, next);
    for (uint32_t i = 0; i < ending->from.head->open_count; i++) {
        uint64_t bit = UINT64_C(1) << ending->from.open[i].actor;
        if (i == ending->at || (head->done & bit))
            continue;
        memcpy(next, config, ending->level_size);
        memcpy(before_of(ending, next, i), state_of(config),
               ending->from.head->stride);
        if (!spec_step(ending, state_of(next), i, false))
            continue;
        ((struct config_head *)(void *)next)->done |= bit;
        explore(ending, next);
    }
}

static void end_one(const struct ending *ending, const uint8_t *config)
{
    const struct config_head *head = (const void *)config;
    uint64_t bit = UINT64_C(1) << ending->from.open[ending->at].actor;
    uint8_t *copy = ending->levels;

    memcpy(copy, config, ending->level_size);
    if (!(head->done & bit)) {
        explore(ending, copy);
        return;
    }
    /* It has taken effect: only its result was not known. */
    memcpy(copy + ending->level_size, copy, ending->level_size);
    if (spec_step(ending,
                  before_of(ending, copy + ending->level_size, ending->at),
                  ending->at, true))
        emit(ending, copy);
}

static int config_order(const void *a, const void *b, void *size)
{
    return memcmp(a, b, *(const size_t *)size);
}

/* Sort the configurations behind the first at bytes, each once. */
static uint32_t sort_configs(struct buffer *out, size_t at, size_t size)
{
    char *configs = out->bytes + at;
    size_t count = (out->size - at) / size;
    size_t kept = 0;

    qsort_r(configs, count, size, config_order, &size);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 &&
            memcmp(configs + (kept - 1) * size, configs + i * size, size) == 0)
            continue;
        if (kept != i)
            memcpy(configs + kept * size, configs + i * size, size);
        kept++;
    }
    out->size = at + kept * size;
    return (uint32_t)kept;
}

static enum kan_err end_prepare(struct space_walker *walker, uint32_t number,
                                const struct frontier_event *event,
                                struct ending *ending)
{
    struct buffer *levels = &walker->observed[1];
    struct buffer *raw = &walker->observed[2];
    size_t size;

    ending->spec = walker->space->spec;
    ending->from = frontier_at(walker->space, number);
    ending->at = open_place(&ending->from, event->actor);
    ending->result = event->value;
    ending->out = &walker->observed[0];
    ending->level_size = ending->from.head->config_size;
    size = (size_t)(ending->from.head->open_count + 1) * ending->level_size;
    buffer_clear(levels);
    buffer_clear(raw);
    if (buffer_reserve(levels, size) != KAN_OK ||
        buffer_reserve(raw, ending->from.head->stride + 1) != KAN_OK)
        return KAN_NOMEM;
    ending->levels = (uint8_t *)levels->bytes;
    ending->raw = (uint8_t *)raw->bytes;
    return KAN_OK;
}

static enum kan_err complete(struct space_walker *walker, uint32_t number,
                             const struct frontier_event *event,
                             uint32_t *ret_number)
{
    struct ending ending;
    struct frontier_head head;
    size_t configs;
    enum kan_err err = end_prepare(walker, number, event, &ending);

    if (err != KAN_OK)
        return err;
    head = *ending.from.head;
    head.open_count--;
    head.config_size -= head.stride;
    buffer_clear(ending.out);
    buffer_append(ending.out, kan_slice(&head, sizeof(head)));
    for (uint32_t i = 0; i <= head.open_count; i++) {
        if (i != ending.at)
            buffer_append(ending.out, kan_slice(&ending.from.open[i],
                                                sizeof(struct open_op)));
    }
    configs = ending.out->size;
    for (uint32_t i = 0; i < head.config_count; i++)
        end_one(&ending, ending.from.configs +
                             (size_t)i * ending.from.head->config_size);
    if (buffer_failed(ending.out))
        return KAN_NOMEM;
    head.config_count = sort_configs(ending.out, configs, head.config_size);
    if (head.config_count == 0) {
        *ret_number = FRONTIER_EMPTY;
        return KAN_OK;
    }
    memcpy(ending.out->bytes, &head, sizeof(head));
    return frontier_keep(walker->space, buffer_slice(ending.out), ret_number);
}

enum kan_err frontier_next(struct space_walker *walker, uint32_t frontier,
                           const struct frontier_event *event,
                           uint32_t *ret_frontier)
{
    struct kan_slice bytes = kan_slice(event, sizeof(*event));
    uint32_t place;
    uint64_t key;
    enum kan_err err =
        kept_number(walker->space->events, path_hash(bytes, SPACE_SEED_EVENT),
                    bytes, 0, &place);

    if (err != KAN_OK)
        return err;
    key = (uint64_t)frontier << 32 | place;
    if (kept_memo_get(&walker->frontier_memo, key, ret_frontier))
        return KAN_OK;
    if (frontier == FRONTIER_EMPTY)
        *ret_frontier = FRONTIER_EMPTY;
    else if (event->complete)
        err = complete(walker, frontier, event, ret_frontier);
    else
        err = invoke(walker, frontier, event, ret_frontier);
    if (err != KAN_OK)
        return err;
    return kept_memo_set(&walker->frontier_memo, key, *ret_frontier);
}
