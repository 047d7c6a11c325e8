/* What an input does in a local state: looked up, or found out and then kept.
 * Everything here is a function of (local state, input), whatever the rest of
 * the state is. */

#include "base/alloc.h"
#include "base/record.h"
#include "check/space/inside.h"

/* Keep the outcomes from first on. taken: the message that is used up, which
 * goes into the delta where hashes of messages just add up. */
static enum kan_err keep(struct space_walker *walker, uint64_t key,
                         uint32_t first, uint32_t count, uint32_t taken,
                         const struct entry **ret_entry)
{
    const struct space *space = walker->space;
    bool adds = !space->shared && !space->ordered;
    struct entry entry = {
        .key = key + 1, .first = first, .count = (uint16_t)count};

    if (count == 1) {
        const struct outcome *outcome = &walker->outcomes[first];
        entry.delta = outcome->delta;
        entry.send_count = outcome->send_count;
        entry.plain = outcome->flags == 0 && !space->ordered &&
                      (adds || outcome->send_count == 0);
        if (adds && taken != UINT32_MAX)
            entry.delta =
                path_id_subtract(entry.delta, word_item(space, taken)->hash);
    }
    return entry_add(walker, &entry, ret_entry);
}

/* --- messages ------------------------------------------------------------- */

static bool in_chain(const struct message_head *message, uint8_t actor)
{
    for (uint8_t i = 0; i < message->chain_count; i++) {
        if (message->chain[i] == actor)
            return true;
    }
    return false;
}

enum kan_err walker_deliver(struct space_walker *walker, uint32_t local,
                            uint32_t word, const struct entry **ret_entry)
{
    const struct space *space = walker->space;
    const struct local_head *head = local_head(space, local);
    const struct message_head *message = word_head(space, word);
    bool held = head->awaits != SPACE_OUTSIDE;
    struct run_input input = {
        .kind = TURN_MESSAGE, .local = local, .word = word};
    uint32_t first = 0;
    uint32_t count = 1;
    enum kan_err err = KAN_OK;

    if (!(head->flags & LOCAL_UP))
        count = 0;
    else if (head->flags & LOCAL_LIAR)
        err = outcome_silent(walker, local, local, &first);
    else if (held && in_chain(message, head->actor))
        err = outcome_failed(walker, local, word, KAN_BUSY, &first);
    else if (held && message->from != head->awaits)
        count = 0;
    else
        err = walker_run(walker, &input, &first, &count);
    if (err != KAN_OK)
        return err;
    return keep(walker, entry_key(local, word), first, count, word, ret_entry);
}

/* --- other inputs --------------------------------------------------------- */

/* The local state with its volatile fields zeroed and the actor down, or with
 * its clock moved. */
static enum kan_err changed(struct space_walker *walker, uint32_t local,
                            uint32_t kind, uint32_t object, uint32_t *ret_local)
{
    struct space *space = walker->space;
    const struct kept_item *item = kept_at(space->locals, local);
    struct buffer *blob = &walker->scratch;
    struct local_head *head;

    buffer_clear(blob);
    buffer_append(blob, kan_slice(item->bytes, item->size));
    if (buffer_failed(blob))
        return KAN_NOMEM;
    head = (void *)blob->bytes;
    if (kind == SPACE_CRASH) {
        head->flags &= (uint8_t)~LOCAL_UP;
        record_drop_volatile(space->actors[head->actor].type->state,
                             blob->bytes + head->state_at);
    } else {
        int64_t now_ms = head->now_ms;
        if (__builtin_add_overflow(now_ms, space->jumps[object].delta_ms,
                                   &now_ms) ||
            now_ms < 1)
            now_ms = 1;
        local_set_clock(space, blob, now_ms);
    }
    return space_local(space, blob, ret_local);
}

enum kan_err walker_special(struct space_walker *walker, uint32_t local,
                            uint32_t kind, uint32_t object,
                            const struct entry **ret_entry)
{
    uint64_t key = entry_key_special(local, (enum space_kind)kind, object);
    const struct entry *entry = entry_find(walker, key);
    struct run_input input = {.local = local};
    uint32_t first = 0;
    uint32_t count = 1;
    uint32_t after;
    enum kan_err err;

    if (entry) {
        *ret_entry = entry;
        return KAN_OK;
    }
    if (kind == ENTRY_START || kind == SPACE_RESTART) {
        input.kind = kind == ENTRY_START ? TURN_START : TURN_RESTART;
        err = walker_run(walker, &input, &first, &count);
    } else {
        err = changed(walker, local, kind, object, &after);
        if (err == KAN_OK && kind == SPACE_JUMP && after == local)
            count = 0;
        else if (err == KAN_OK)
            err = outcome_silent(walker, local, after, &first);
    }
    if (err != KAN_OK)
        return err;
    return keep(walker, key, first, count, UINT32_MAX, ret_entry);
}

/* --- timers --------------------------------------------------------------- */

/* Of an actor's armed timers only those that are due first may fire. */
static int64_t first_due(const struct local_head *head)
{
    const int64_t *due = local_due_at(head);
    int64_t first = 0;

    for (uint32_t i = 0; i < head->timer_count; i++) {
        if (due[i] != 0 && (first == 0 || due[i] < first))
            first = due[i];
    }
    return first;
}

static enum kan_err add_rings(struct space_walker *walker, uint32_t local,
                              uint32_t timer)
{
    struct run_input input = {
        .kind = TURN_TIMER, .local = local, .timer = timer};
    uint32_t first;
    uint32_t count;
    enum kan_err err = walker_run(walker, &input, &first, &count);

    if (err == KAN_OK)
        err = walker_grow(walker, &walker->rings, sizeof(*walker->rings),
                          walker->ring_count, count, &walker->ring_max);
    if (err != KAN_OK)
        return err;
    for (uint32_t i = 0; i < count; i++) {
        struct ring ring = {.outcome = first + i,
                            .choice = (uint16_t)i,
                            .timer = (uint8_t)timer};
        walker->rings[walker->ring_count++] = ring;
    }
    return KAN_OK;
}

static enum kan_err infos_reach(struct space_walker *walker, uint32_t local)
{
    uint32_t before = walker->info_size;
    enum kan_err err;

    if (local < before)
        return KAN_OK;
    err = walker_grow(walker, &walker->infos, sizeof(*walker->infos), local, 1,
                      &walker->info_size);
    if (err != KAN_OK)
        return err;
    memset(walker->infos + before, 0,
           (walker->info_size - before) * sizeof(*walker->infos));
    return KAN_OK;
}

enum kan_err walker_info(struct space_walker *walker, uint32_t local,
                         const struct local_info **ret_info)
{
    const struct space *space = walker->space;
    const struct local_head *head = local_head(space, local);
    uint32_t rings = walker->ring_count;
    int64_t first = first_due(head);
    enum kan_err err = infos_reach(walker, local);

    for (uint32_t i = 0; err == KAN_OK && i < head->timer_count; i++) {
        if (first != 0 && local_due_at(head)[i] == first &&
            head->flags == LOCAL_UP)
            err = add_rings(walker, local, i);
    }
    if (err != KAN_OK)
        return err;
    walker->infos[local].rings = rings;
    walker->infos[local].ring_count = (uint16_t)(walker->ring_count - rings);
    walker->infos[local].down =
        !(head->flags & LOCAL_UP) &&
        !(space->actors[head->actor].type->flags & KAN_ACTOR_MORTAL);
    walker->infos[local].known = 1;
    *ret_info = &walker->infos[local];
    return KAN_OK;
}
