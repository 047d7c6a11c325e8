/* Messages: who sent what to whom, within which chain of calls. Kinds of
 * messages are known by name, since every file that includes a table has one of
 * its own. */

#include <sched.h>

#include "base/record.h"
#include "check/space/inside.h"

uint8_t space_actor_place(const struct space *space, const struct kan_ref *ref)
{
    for (uint32_t i = 0; i < space->actor_count; i++) {
        if (kan_ref_equal(&space->actors[i].ref, ref))
            return (uint8_t)i;
    }
    return SPACE_OUTSIDE;
}

static enum kan_err record_place(struct space *space,
                                 const struct kan_record *record,
                                 uint32_t *ret_place)
{
    uint32_t at = 0;

    while (at < space->record_count && space->records[at] != record &&
           strcmp(space->records[at]->name, record->name) != 0)
        at++;
    if (at == space->record_count) {
        if (at == SPACE_RECORDS_MAX)
            return KAN_NOMEM;
        space->records[space->record_count++] = record;
    } else if (space->records[at]->size != record->size) {
        return KAN_INVALID;
    }
    *ret_place = at;
    return KAN_OK;
}

enum kan_err space_record_place(struct space *space,
                                const struct kan_record *record,
                                uint32_t *ret_place)
{
    enum kan_err err;

    while (atomic_flag_test_and_set_explicit(&space->records_busy,
                                             memory_order_acquire))
        sched_yield();
    err = record_place(space, record, ret_place);
    atomic_flag_clear_explicit(&space->records_busy, memory_order_release);
    return err;
}

enum kan_err space_message(struct space *space,
                           const struct message_parts *parts,
                           struct buffer *scratch, uint32_t *ret_word)
{
    const struct kan_record *record = parts->record;
    struct message_head head = {.client = parts->client,
                                .from = parts->from,
                                .to = parts->to,
                                .chain_count = parts->chain_count};
    uint32_t place;
    uint32_t number;
    enum kan_err err = space_record_place(space, record, &place);

    if (err != KAN_OK)
        return err;
    head.name = path_hash(kan_text(record->name), SPACE_SEED_NAME).low;
    if (parts->chain_count > 0)
        memcpy(head.chain, parts->chain, parts->chain_count);
    buffer_clear(scratch);
    err = buffer_reserve(scratch, sizeof(head) + record->size);
    if (err != KAN_OK)
        return err;
    memcpy(scratch->bytes, &head, sizeof(head));
    if (parts->bytes && record->size > 0)
        memcpy(scratch->bytes + sizeof(head), parts->bytes, record->size);
    else
        memset(scratch->bytes + sizeof(head), 0, record->size);
    scratch->size = sizeof(head) + record->size;
    if (parts->now_ms != 0 && !space->model.absolute_time)
        record_shift_times(record, scratch->bytes + sizeof(head),
                           SPACE_BASE_MS - parts->now_ms, SPACE_BASE_MS);
    err = kept_number(
        space->messages, path_hash(buffer_slice(scratch), SPACE_SEED_MESSAGE),
        buffer_slice(scratch),
        message_note(place, parts->from, parts->chain_count > 0), &number);
    if (err != KAN_OK)
        return err;
    *ret_word = (uint32_t)parts->to << SPACE_TO_SHIFT | number;
    return KAN_OK;
}

enum kan_err space_failed(struct space *space, uint8_t from, uint8_t to,
                          enum kan_err failure, const uint8_t *chain,
                          uint8_t chain_count, struct buffer *scratch,
                          uint32_t *ret_word)
{
    struct kan_failed failed = {.err = failure};
    struct message_parts parts = {.from = from,
                                  .to = to,
                                  .record = &kan_failed_record,
                                  .bytes = &failed,
                                  .chain = chain,
                                  .chain_count = chain_count};

    return space_message(space, &parts, scratch, ret_word);
}

/* Of a call, the chain that its sender was in before; whoever merely sends
 * begins a new one. */
enum kan_err space_answer(struct space *space, uint32_t word,
                          enum kan_err failure, struct buffer *scratch,
                          uint32_t *ret_word)
{
    const struct message_head *message = word_head(space, word);
    uint8_t count = message->chain_count;
    bool call = count > 0 && message->chain[count - 1] == message->from;

    return space_failed(space, message->to, message->from, failure,
                        message->chain, call ? (uint8_t)(count - 1) : 0,
                        scratch, ret_word);
}

bool space_is_failed(const struct space *space, uint32_t word)
{
    return strcmp(space_message_record(space, word)->name,
                  kan_failed_record.name) == 0;
}

const struct kan_record *space_message_record(const struct space *space,
                                              uint32_t word)
{
    return space->records[word_item(space, word)->note & 0xffff];
}

struct kan_ref space_message_from(const struct space *space, uint32_t word)
{
    const struct message_head *head = word_head(space, word);

    return head->from == SPACE_OUTSIDE ? kan_ref_number("client", head->client)
                                       : space->actors[head->from].ref;
}
