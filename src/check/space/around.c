/* The surroundings of the actors: what may still come from outside, and who is
 * cut off. */

#include "check/space/inside.h"

static size_t around_size(const struct space *space)
{
    return sizeof(struct around_head) + space->group_count * sizeof(uint16_t) +
           (space->lie_count + 7) / 8;
}

static uint16_t *left(struct around_head *head)
{
    return (uint16_t *)(void *)(head + 1);
}

static uint8_t *told(const struct space *space, struct around_head *head)
{
    return (uint8_t *)(left(head) + space->group_count);
}

bool around_told(const struct space *space, const struct around_head *head,
                 uint32_t lie)
{
    const uint8_t *bits =
        (const uint8_t *)(around_left(head) + space->group_count);

    return bits[lie / 8] >> (lie % 8) & 1;
}

/* Whether no step comes from the surroundings any more. Lies are left out when
 * nobody lies. */
static bool quiet(const struct space *space, const struct around_head *head)
{
    if (head->crash || head->lost || head->doubled || head->clock ||
        head->partition || head->cut != 0)
        return false;
    for (uint32_t i = 0; i < space->group_count; i++) {
        if (around_left(head)[i] > 0)
            return false;
    }
    for (uint32_t i = 0; space->faults.liar > 0 && i < space->lie_count; i++) {
        if (!around_told(space, head, i))
            return false;
    }
    return true;
}

static enum kan_err keep(struct space *space, const struct buffer *blob,
                         uint32_t *ret_around)
{
    const struct around_head *head = (const void *)blob->bytes;

    return kept_number(
        space->arounds, path_hash(buffer_slice(blob), SPACE_SEED_AROUND),
        buffer_slice(blob), quiet(space, head) ? AROUND_QUIET : 0, ret_around);
}

static uint16_t budget(uint32_t wanted)
{
    return wanted > UINT16_MAX ? UINT16_MAX : (uint16_t)wanted;
}

enum kan_err around_first(struct space *space, uint32_t *ret_around)
{
    struct buffer blob = BUFFER_INIT;
    struct around_head *head;
    enum kan_err err = buffer_reserve(&blob, around_size(space));

    if (err != KAN_OK)
        return err;
    memset(blob.bytes, 0, around_size(space));
    blob.size = around_size(space);
    head = (void *)blob.bytes;
    head->crash = budget(space->faults.crash);
    head->lost = budget(space->faults.lost);
    head->doubled = budget(space->faults.doubled);
    head->partition = space->cut_count ? budget(space->faults.partition) : 0;
    head->clock = budget(space->faults.clock);
    if (space->group_count > 0)
        memcpy(left(head), space->groups,
               space->group_count * sizeof(*space->groups));
    err = keep(space, &blob, ret_around);
    buffer_fini(&blob);
    return err;
}

static void change(const struct space *space, struct around_head *head,
                   enum space_kind kind, uint32_t object)
{
    switch (kind) {
    case SPACE_REQUEST:
        left(head)[space->requests[object].group]--;
        break;
    case SPACE_LIE:
        told(space, head)[object / 8] |= (uint8_t)(1u << (object % 8));
        break;
    case SPACE_CRASH:
        head->crash--;
        break;
    case SPACE_LOSE:
        head->lost--;
        break;
    case SPACE_DOUBLE:
        head->doubled--;
        break;
    case SPACE_JUMP:
        head->clock--;
        break;
    case SPACE_CUT:
        head->partition--;
        head->cut = space->cuts[object];
        break;
    case SPACE_HEAL:
        head->cut = 0;
        break;
    case SPACE_DELIVER:
    case SPACE_TIMER:
    case SPACE_RESTART:
        break;
    }
}

/* Which messages are lost or doubled, and who crashes, is not told apart. */
static uint64_t memo_key(uint32_t around, enum space_kind kind, uint32_t object)
{
    if (kind != SPACE_REQUEST && kind != SPACE_LIE && kind != SPACE_CUT)
        object = 0;
    return (uint64_t)around << 32 | (uint64_t)kind << 24 | object;
}

enum kan_err around_next(struct space_walker *walker, uint32_t around,
                         enum space_kind kind, uint32_t object,
                         uint32_t *ret_around)
{
    struct space *space = walker->space;
    uint64_t key = memo_key(around, kind, object);
    const struct kept_item *item;
    enum kan_err err;

    if (kept_memo_get(&walker->around_memo, key, ret_around))
        return KAN_OK;
    item = kept_at(space->arounds, around);
    buffer_clear(&walker->other);
    buffer_append(&walker->other, kan_slice(item->bytes, item->size));
    if (buffer_failed(&walker->other))
        return KAN_NOMEM;
    change(space, (void *)walker->other.bytes, kind, object);
    err = keep(space, &walker->other, ret_around);
    if (err != KAN_OK)
        return err;
    return kept_memo_set(&walker->around_memo, key, *ret_around);
}
