/* What clients saw. It is part of a state as the frontier of its possible
 * orders; with KAN_COMPAT_ACTOR as it was seen, as Stateright's tester keeps
 * it: for each client its operations, and with each how many operations of
 * every other had ended when it began. */

#include "base/assert.h"
#include "check/space/inside.h"

/* What one client did: this, and bytes of its operations. An operation is its
 * number, argument, pairs of (client, how many had ended), and, once it has
 * ended, its result. */
struct section
{
    uint8_t actor;
    uint8_t open;
    uint16_t ended;
    uint32_t bytes;
};

bool history_orderable(const struct space *space, uint32_t history)
{
    return kept_at(space->histories, history)->note != FRONTIER_EMPTY;
}

static enum kan_err keep(struct space *space, struct kan_slice bytes,
                         uint32_t frontier, uint32_t *ret_history)
{
    return kept_number(space->histories, path_hash(bytes, SPACE_SEED_HISTORY),
                       bytes, frontier, ret_history);
}

enum kan_err history_first(struct space *space, uint32_t *ret_history)
{
    struct path_id hash;
    struct kan_slice bytes = kan_slice(NULL, 0);
    enum kan_err err = frontier_first(space);

    if (err != KAN_OK)
        return err;
    if (space->spec && space->model.compat != KAN_COMPAT_ACTOR) {
        hash = kept_at(space->frontiers, FRONTIER_FIRST)->hash;
        bytes = kan_slice(&hash, sizeof(hash));
    }
    return keep(space, bytes, FRONTIER_FIRST, ret_history);
}

/* --- as it was seen ------------------------------------------------------- */

/* Seven bits a byte, small numbers of either sign first. */
static void put_number(struct buffer *out, int64_t number)
{
    uint64_t left = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);

    for (; left >= 0x80; left >>= 7)
        buffer_append_byte(out, (unsigned char)(left | 0x80));
    buffer_append_byte(out, (unsigned char)left);
}

static bool next_section(struct kan_slice *rest, struct section *ret_section,
                         struct kan_slice *ret_ops)
{
    if (rest->size == 0)
        return false;
    memcpy(ret_section, rest->bytes, sizeof(*ret_section));
    *rest = slice_skip(*rest, sizeof(*ret_section));
    *ret_ops = slice_head(*rest, ret_section->bytes);
    *rest = slice_skip(*rest, ret_section->bytes);
    return true;
}

/* What an event adds to the operations of its client. */
static void put_event(struct kan_slice seen, const struct frontier_event *event,
                      struct buffer *out)
{
    struct section other;
    struct kan_slice ops;

    buffer_clear(out);
    if (event->complete) {
        put_number(out, event->value);
        return;
    }
    put_number(out, event->op);
    put_number(out, event->value);
    while (next_section(&seen, &other, &ops)) {
        if (other.actor != event->actor && other.ended > 0) {
            put_number(out, other.actor);
            put_number(out, other.ended);
        }
    }
    put_number(out, -1);
}

static void put_section(struct buffer *out, struct section section,
                        struct kan_slice ops, struct kan_slice added)
{
    section.bytes = (uint32_t)(ops.size + added.size);
    buffer_append(out, kan_slice(&section, sizeof(section)));
    buffer_append(out, ops);
    buffer_append(out, added);
}

/* What was seen, and the event; sections stay sorted by client. */
static void see(struct kan_slice seen, const struct frontier_event *event,
                struct kan_slice added, struct buffer *out)
{
    struct kan_slice nothing = kan_slice(NULL, 0);
    struct section section;
    struct kan_slice ops;
    bool placed = false;
    bool more = next_section(&seen, &section, &ops);

    buffer_clear(out);
    while (more && section.actor < event->actor) {
        put_section(out, section, ops, nothing);
        more = next_section(&seen, &section, &ops);
    }
    if (!more || section.actor != event->actor) {
        struct section first = {.actor = event->actor, .open = 1};
        put_section(out, first, nothing, added);
        placed = true;
    }
    while (more) {
        if (!placed) {
            section.open = !event->complete;
            section.ended = (uint16_t)(section.ended + event->complete);
            put_section(out, section, ops, added);
            placed = true;
        } else {
            put_section(out, section, ops, nothing);
        }
        more = next_section(&seen, &section, &ops);
    }
}

/* --- a step --------------------------------------------------------------- */

/* Take one note. seen is in observed[3], and is replaced there. */
static enum kan_err take_event(struct space_walker *walker,
                               const struct frontier_event *event,
                               uint32_t *frontier)
{
    struct buffer *seen = &walker->observed[3];
    enum kan_err err = frontier_next(walker, *frontier, event, frontier);

    if (err != KAN_OK || walker->space->model.compat != KAN_COMPAT_ACTOR)
        return err;
    put_event(buffer_slice(seen), event, &walker->other);
    see(buffer_slice(seen), event, buffer_slice(&walker->other),
        &walker->observed[0]);
    buffer_clear(seen);
    buffer_append(seen, buffer_slice(&walker->observed[0]));
    return buffer_failed(seen) || buffer_failed(&walker->other) ||
                   buffer_failed(&walker->observed[0])
               ? KAN_NOMEM
               : KAN_OK;
}

static bool misused(const struct space *space, uint32_t frontier,
                    const struct frontier_event *event)
{
    return frontier != FRONTIER_EMPTY &&
           frontier_open(space, frontier, event->actor) !=
               (bool)event->complete;
}

static struct frontier_event note_event(uint8_t actor,
                                        const struct turn_note *note)
{
    bool complete = note->kind == TURN_COMPLETE;
    struct frontier_event event = {.actor = actor,
                                   .complete = complete,
                                   .op = complete ? 0 : note->op,
                                   .value = note->value};

    return event;
}

static enum kan_err take_notes(struct space_walker *walker, uint32_t history,
                               uint8_t actor, const struct outcome *outcome,
                               uint32_t *ret_history)
{
    struct space *space = walker->space;
    const struct kept_item *item = kept_at(space->histories, history);
    struct buffer *seen = &walker->observed[3];
    uint32_t frontier = item->note;
    struct path_id hash;

    buffer_clear(seen);
    if (space->model.compat == KAN_COMPAT_ACTOR)
        buffer_append(seen, kan_slice(item->bytes, item->size));
    for (uint32_t i = 0; i < outcome->note_count; i++) {
        struct frontier_event event =
            note_event(actor, &walker->notes[outcome->notes + i]);
        enum kan_err err;
        if (misused(space, frontier, &event)) {
            *ret_history = HISTORY_WRONG;
            return KAN_OK;
        }
        err = take_event(walker, &event, &frontier);
        if (err != KAN_OK)
            return err;
    }
    if (buffer_failed(seen))
        return KAN_NOMEM;
    if (space->model.compat == KAN_COMPAT_ACTOR)
        return keep(space, buffer_slice(seen), frontier, ret_history);
    hash = kept_at(space->frontiers, frontier)->hash;
    return keep(space, kan_slice(&hash, sizeof(hash)), frontier, ret_history);
}

enum kan_err history_next(struct space_walker *walker, uint32_t history,
                          uint8_t actor, uint32_t outcome,
                          uint32_t *ret_history)
{
    uint64_t key = (uint64_t)history << 32 | outcome;
    enum kan_err err;

    if (kept_memo_get(&walker->history_memo, key, ret_history))
        return KAN_OK;
    err = take_notes(walker, history, actor, &walker->outcomes[outcome],
                     ret_history);
    if (err != KAN_OK)
        return err;
    return kept_memo_set(&walker->history_memo, key, *ret_history);
}

enum kan_err space_observe(struct space_walker *walker, uint32_t actor,
                           const struct turn_note *notes, uint32_t count,
                           uint32_t *orders)
{
    uint32_t frontier = *orders;

    kan_assert(walker->space->spec && actor < KAN_INSTANCES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct frontier_event event = note_event((uint8_t)actor, &notes[i]);
        enum kan_err err;
        if (misused(walker->space, frontier, &event))
            return KAN_CONFLICT;
        err = frontier_next(walker, frontier, &event, &frontier);
        if (err != KAN_OK)
            return err;
    }
    *orders = frontier;
    return KAN_OK;
}
