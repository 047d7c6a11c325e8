/* What a step writes, and what will leave once that is committed. */

#include "block/actor/actor_draft.h"

#include "base/alloc.h"
#include "base/assert.h"

/* --- drafts --------------------------------------------------------------- */

void draft_begin(struct draft *draft, struct actor_attempt *attempt,
                 uint64_t now_ms)
{
    memset(draft, 0, sizeof(*draft));
    draft->attempt = attempt;
    draft->host = attempt->actor->host;
    draft->head = attempt->head;
    list_init(&draft->outs);
    draft->write_count = attempt->write_count;
    draft->bytes_size = attempt->bytes.size;
    draft->choices_size = attempt->choices.size;
    draft->now_ms = now_ms;
}

struct actor_out *out_free(struct actor_out *out)
{
    if (out->to)
        out->to->reserved--;
    mem_free(out->message);
    return mem_free(out);
}

static void outs_free(struct list *outs)
{
    struct list *link;

    while ((link = list_pop(outs)) != NULL)
        out_free(list_entry(link, struct actor_out, link));
}

void draft_drop(struct draft *draft)
{
    struct actor_attempt *attempt = draft->attempt;

    outs_free(&draft->outs);
    attempt->write_count = draft->write_count;
    attempt->bytes.size = draft->bytes_size;
    attempt->bytes.failed = false;
    attempt->choices.size = draft->choices_size;
    attempt->choices.failed = false;
}

/* Take over what the draft has, and the state that a turn left. */
void draft_adopt(struct draft *draft, const struct turn_output *output)
{
    struct actor_attempt *attempt = draft->attempt;
    size_t size = attempt->actor->type->state->size;

    attempt->head = draft->head;
    list_splice(&attempt->outs, &draft->outs);
    if (output && output->end == TURN_DONE && size > 0)
        memcpy(attempt->state, output->state, size);
}

bool draft_fits(const struct draft *draft)
{
    return draft->attempt->bytes.size <= draft->host->bytes_max;
}

/* --- writes --------------------------------------------------------------- */

/* Begin a write; its key is appended to the attempt's bytes, then its value. */
struct actor_write *draft_write(struct actor_attempt *attempt,
                                enum engine_write_kind kind)
{
    struct actor_write *write;

    kan_assert(attempt->write_count < ACTOR_WRITES_MAX);
    write = &attempt->writes[attempt->write_count++];
    memset(write, 0, sizeof(*write));
    write->kind = kind;
    write->key = attempt->bytes.size;
    return write;
}

void draft_write_value(struct actor_attempt *attempt, struct actor_write *write)
{
    write->key_size = attempt->bytes.size - write->key;
    write->value = attempt->bytes.size;
}

enum kan_err draft_write_end(struct actor_attempt *attempt,
                             struct actor_write *write)
{
    write->value_size = attempt->bytes.size - write->value;
    return buffer_failed(&attempt->bytes) ? KAN_NOMEM : KAN_OK;
}

/* The key of a message that the engine has. */
void draft_message_key(struct actor_attempt *attempt,
                       const struct actor_message *message)
{
    struct actor *actor = attempt->actor;
    struct buffer *bytes = &attempt->bytes;
    unsigned char place[ENGINE_APPEND_SIZE];

    store_key_mailbox(bytes, actor->host->prefix, &actor->self);
    engine_append_key(kan_slice(NULL, 0), message->revision, message->index,
                      place);
    buffer_append(bytes, kan_slice(place, sizeof(place)));
}

enum kan_err draft_delete(struct actor_attempt *attempt,
                          const struct actor_message *message)
{
    struct actor_write *write;

    if (message->revision == 0)
        return KAN_OK;
    write = draft_write(attempt, ENGINE_DELETE);
    draft_message_key(attempt, message);
    draft_write_value(attempt, write);
    return draft_write_end(attempt, write);
}

/* --- what leaves ---------------------------------------------------------- */

static enum kan_err out_add(struct draft *draft, struct kan_slice text,
                            struct actor_out **ret_out)
{
    struct actor_out *out = mem_zalloc(sizeof(*out) + text.size + 1);

    if (!out)
        return KAN_NOMEM;
    out->text = (char *)(out + 1);
    if (text.size)
        memcpy(out->text, text.bytes, text.size);
    list_push(&draft->outs, &out->link);
    *ret_out = out;
    return KAN_OK;
}

/* Tell a client what became of its message. */
enum kan_err draft_answer(struct draft *draft,
                          const struct actor_message *message,
                          enum actor_outcome outcome, const char *text)
{
    struct actor_out *out;
    enum kan_err err = out_add(draft, kan_text(text), &out);

    if (err != KAN_OK)
        return err;
    out->whom = message->from;
    out->outcome = outcome;
    return KAN_OK;
}

/* Write a message under its receiver's mailbox, which may be in memory. */
static enum kan_err send_inside(struct draft *draft, const struct kan_ref *to,
                                struct actor *receiver,
                                struct actor_message *message)
{
    struct actor_attempt *attempt = draft->attempt;
    struct actor_write *write;
    struct actor_out *out;
    enum kan_err err = out_add(draft, kan_slice(NULL, 0), &out);

    if (err != KAN_OK) {
        mem_free(message);
        return err;
    }
    message->number = ++draft->head.number;
    out->message = message;
    out->inside = true;
    out->whom = *to;
    out->write = attempt->write_count;
    out->to = receiver;
    if (receiver)
        receiver->reserved++;
    else
        attempt->swept = true;
    write = draft_write(attempt, ENGINE_APPEND);
    store_key_mailbox(&attempt->bytes, draft->host->prefix, to);
    draft_write_value(attempt, write);
    err = message_save(message, &attempt->bytes);
    return err ? err : draft_write_end(attempt, write);
}

static bool ref_legal(const struct kan_ref *ref)
{
    struct kan_slice rest = actor_core_ref_text(ref);
    struct kan_slice type;
    struct kan_ref same;

    return slice_cut(&rest, '/', &type) && actor_core_ref(type, rest, &same);
}

/* Send to an actor. KAN_INVALID: there is none of that name; KAN_BUSY: its
 * mailbox is full; neither has done anything. */
static enum kan_err send_to(struct draft *draft, const struct kan_ref *from,
                            const struct kan_ref *to,
                            const struct kan_record *record, const void *bytes,
                            const struct actor_chain *chain, bool awaited)
{
    const struct kan_actor_type *type = host_type_of(draft->host, to);
    struct actor_message *message;
    struct actor *receiver;
    enum kan_err err;

    if (!type || !ref_legal(to))
        return KAN_INVALID;
    receiver = host_actor(draft->host, type, to);
    if (receiver && receiver->phase == ACTOR_UNREADABLE)
        return KAN_BUSY;
    /*= K-ACTOR-7: a mailbox is bounded. There is as much room again for what
     * a sender waits for: an answer, or the news that there is none. */
    awaited =
        awaited || (receiver && kan_ref_equal(&receiver->head.awaits, from));
    if (receiver && receiver->inbox_count + receiver->reserved >=
                        mailbox_max(type) * (awaited ? 2 : 1))
        return KAN_BUSY;
    kan_assert(!receiver || receiver->inbox_count + receiver->reserved <
                                2 * KAN_MAILBOX_MAX);
    err = message_new(from, chain, record, bytes, &message);
    return err ? err : send_inside(draft, to, receiver, message);
}

/* Whether news of a failure would change anything for actors of the type. */
static bool heeds_failures(const struct kan_actor_type *type)
{
    if (type->flags & KAN_ACTOR_SERIAL)
        return true;
    for (uint32_t i = 0; i < type->handler_count; i++)
        if (strcmp(type->handlers[i].message->name, kan_failed_record.name) ==
            0)
            return true;
    return false;
}

/* Tell an actor that its message to from was not taken. */
enum kan_err draft_send_failed(struct draft *draft, const struct kan_ref *from,
                               const struct kan_ref *to, enum kan_err failure,
                               const struct actor_chain *chain)
{
    const struct kan_actor_type *type = host_type_of(draft->host, to);
    struct kan_failed failed = {.err = failure};
    enum kan_err err;

    if (!type || !heeds_failures(type))
        return KAN_OK;
    err = send_to(draft, from, to, &kan_failed_record, &failed, chain, true);
    if (err == KAN_BUSY)
        host_trouble(draft->host,
                     "%s: its mailbox is so full that it is not told that a "
                     "message to %s failed",
                     to->text, from->text);
    return err == KAN_BUSY || err == KAN_INVALID ? KAN_OK : err;
}

static enum kan_err send_outside(struct draft *draft,
                                 const struct turn_send *send)
{
    const struct kan_ref *self = &draft->attempt->actor->self;
    const struct actor_chain none = {0};
    struct actor_out *out;
    enum kan_err err = out_add(draft, kan_slice(NULL, 0), &out);

    if (err != KAN_OK)
        return err;
    out->whom = send->to;
    out->outcome = ACTOR_ANSWERED;
    return message_new(self, &none, send->record, send->message, &out->message);
}

enum kan_err draft_send(struct draft *draft, const struct turn_send *send,
                        const struct actor_chain *chain)
{
    struct actor *actor = draft->attempt->actor;
    struct actor_chain with;
    enum kan_err err;

    if (actor_core_outside(&send->to))
        return send_outside(draft, send);
    if (!actor_core_chain(chain, &actor->self, &send->to, send->call, &with)) {
        err =
            draft_send_failed(draft, &send->to, &actor->self, KAN_BUSY, chain);
    } else {
        err = send_to(draft, &actor->self, &send->to, send->record,
                      send->message, &with, false);
        with = actor_core_chain_back(&with, &actor->self);
        if (err == KAN_BUSY || err == KAN_INVALID)
            err = draft_send_failed(draft, &send->to, &actor->self, err, &with);
    }
    if (send->call && (actor->type->flags & KAN_ACTOR_SERIAL))
        draft->head.awaits = send->to;
    return err;
}
