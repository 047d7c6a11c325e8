/* How actors, messages and parked messages are kept. */

#include "block/actor/actor_store.h"

#include <stdalign.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"
#include "base/record.h"
#include "engine/engine.h"

enum
{
    ACTOR_VERSION = 1, /* of each encoding */
    MESSAGE_VERSION = 1,
    PARKED_VERSION = 1,
    HEAD_STARTED = 1, /* flag */
    ALIGN = alignof(max_align_t)
};

/* --- numbers and texts ---------------------------------------------------- */

static void put_number(struct buffer *out, uint64_t number)
{
    unsigned char bytes[8];

    number_pack(number, bytes);
    buffer_append(out, kan_slice(bytes, sizeof(bytes)));
}

static void put_bytes(struct buffer *out, struct kan_slice bytes)
{
    put_number(out, bytes.size);
    buffer_append(out, bytes);
}

static void put_ref(struct buffer *out, const struct kan_ref *ref)
{
    struct kan_slice text = actor_core_ref_text(ref);

    buffer_append_byte(out, (unsigned char)text.size);
    buffer_append(out, text);
}

/* What is left to read. A read that does not fit gives zeros, and is
 * remembered. */
struct reader
{
    struct kan_slice rest;
    bool failed;
};

static struct kan_slice take(struct reader *reader, uint64_t size)
{
    struct kan_slice head = kan_slice(NULL, 0);

    if (size > reader->rest.size) {
        reader->failed = true;
        return head;
    }
    head = slice_head(reader->rest, (size_t)size);
    reader->rest = slice_skip(reader->rest, (size_t)size);
    return head;
}

static uint64_t take_number(struct reader *reader)
{
    struct kan_slice bytes = take(reader, 8);

    return bytes.size ? number_unpack(bytes.bytes) : 0;
}

static unsigned take_byte(struct reader *reader)
{
    struct kan_slice bytes = take(reader, 1);

    return bytes.size ? slice_at(bytes, 0) : 0;
}

static struct kan_slice take_bytes(struct reader *reader)
{
    return take(reader, take_number(reader));
}

static struct kan_ref take_ref(struct reader *reader)
{
    struct kan_slice text = take(reader, take_byte(reader));
    struct kan_ref ref;

    memset(&ref, 0, sizeof(ref));
    if (text.size >= sizeof(ref.text))
        reader->failed = true;
    else if (text.size)
        memcpy(ref.text, text.bytes, text.size);
    return ref;
}

/* --- keys ----------------------------------------------------------------- */

void store_key_all(struct buffer *out, struct kan_slice prefix, char kind)
{
    buffer_append(out, prefix);
    buffer_append_byte(out, (unsigned char)kind);
    buffer_append(out, SLICE("||"));
}

void store_key_actor(struct buffer *out, struct kan_slice prefix,
                     const struct kan_ref *ref)
{
    store_key_all(out, prefix, 'a');
    buffer_append(out, actor_core_ref_text(ref));
}

void store_key_mailbox(struct buffer *out, struct kan_slice prefix,
                       const struct kan_ref *ref)
{
    store_key_all(out, prefix, 'm');
    buffer_append(out, actor_core_ref_text(ref));
    buffer_append_byte(out, '/');
}

void store_key_timer(struct buffer *out, struct kan_slice prefix,
                     uint64_t due_ms, const struct kan_ref *ref,
                     const char *timer)
{
    store_key_all(out, prefix, 't');
    put_number(out, due_ms);
    buffer_append(out, actor_core_ref_text(ref));
    buffer_append_byte(out, '/');
    buffer_append_text(out, timer);
}

/* "type/id" from the start of text, up to its second slash. */
static bool ref_read(struct kan_slice text, struct kan_ref *ret_ref,
                     struct kan_slice *ret_rest)
{
    struct kan_slice type;
    struct kan_slice id;

    if (!slice_cut(&text, '/', &type) || !slice_cut(&text, '/', &id))
        return false;
    *ret_rest = text;
    return actor_core_ref(type, id, ret_ref);
}

bool store_message_key(struct kan_slice key, struct kan_ref *ret_ref,
                       uint64_t *ret_revision, uint32_t *ret_index)
{
    struct kan_slice rest;
    uint32_t index = 0;

    if (!slice_starts(key, SLICE("m||")) ||
        !ref_read(slice_skip(key, 3), ret_ref, &rest) ||
        rest.size != ENGINE_APPEND_SIZE)
        return false;
    for (size_t i = 8; i < rest.size; i++)
        index = index << 8 | slice_at(rest, i);
    *ret_revision = number_unpack(rest.bytes);
    *ret_index = index;
    return true;
}

bool store_timer_key(struct kan_slice key, struct kan_ref *ret_ref,
                     uint64_t *ret_due_ms)
{
    struct kan_slice rest = slice_skip(key, 3 + 8);
    uint64_t due_ms;

    if (!slice_starts(key, SLICE("t||")) || rest.size == 0)
        return false;
    due_ms = number_unpack((const unsigned char *)key.bytes + 3);
    if (!ref_read(rest, ret_ref, &rest))
        return false;
    *ret_due_ms = due_ms;
    return true;
}

/* --- messages ------------------------------------------------------------- */

struct actor_chain message_chain(const struct actor_message *message)
{
    struct actor_chain chain;

    chain.count = message->chain_count;
    if (chain.count)
        memcpy(chain.refs, message->chain, chain.count * sizeof(*chain.refs));
    return chain;
}

static size_t aligned(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

/* A block for a message, its bytes, chain and name; bytes are zero. */
static struct actor_message *message_room(size_t size, uint32_t chain_count,
                                          struct kan_slice name)
{
    size_t bytes_at = aligned(sizeof(struct actor_message));
    size_t chain_at = bytes_at + aligned(size);
    size_t name_at = chain_at + chain_count * sizeof(struct kan_ref);
    char *block = mem_zalloc(name_at + name.size + 1);
    struct actor_message *message = (void *)block;

    if (!block)
        return NULL;
    message->bytes = size ? block + bytes_at : NULL;
    message->chain_count = chain_count;
    message->chain = (void *)(block + chain_at);
    message->name = block + name_at;
    if (name.size)
        memcpy(block + name_at, name.bytes, name.size);
    return message;
}

enum kan_err message_new(const struct kan_ref *from,
                         const struct actor_chain *chain,
                         const struct kan_record *record, const void *bytes,
                         struct actor_message **ret_message)
{
    struct actor_message *message =
        message_room(record->size, chain->count, kan_text(record->name));

    if (!message)
        return KAN_NOMEM;
    message->from = *from;
    message->record = record;
    if (chain->count)
        memcpy((void *)message->chain, chain->refs,
               chain->count * sizeof(*chain->refs));
    if (record->size && bytes)
        memcpy((void *)message->bytes, bytes, record->size);
    *ret_message = message;
    return KAN_OK;
}

enum kan_err message_save(const struct actor_message *message,
                          struct buffer *out)
{
    kan_assert(message->record);
    buffer_append_byte(out, MESSAGE_VERSION);
    put_number(out, message->number);
    put_number(out, message->crashes);
    put_ref(out, &message->from);
    buffer_append_byte(out, (unsigned char)message->chain_count);
    for (uint32_t i = 0; i < message->chain_count; i++)
        put_ref(out, &message->chain[i]);
    put_bytes(out, kan_text(message->name));
    if (buffer_failed(out))
        return KAN_NOMEM;
    return message->record->size
               ? record_save(message->record, message->bytes, out)
               : KAN_OK;
}

enum kan_err message_load(struct kan_slice saved, void *data,
                          message_table *find,
                          struct actor_message **ret_message)
{
    struct reader reader = {.rest = saved};
    unsigned version = take_byte(&reader);
    uint64_t number = take_number(&reader);
    uint64_t crashes = take_number(&reader);
    struct kan_ref from = take_ref(&reader);
    uint32_t chain_count = take_byte(&reader);
    struct kan_ref chain[KAN_CHAIN_MAX];
    struct kan_slice name;
    const struct kan_record *record;
    struct actor_message *message;

    if (chain_count > KAN_CHAIN_MAX || version != MESSAGE_VERSION)
        return KAN_CORRUPT;
    for (uint32_t i = 0; i < chain_count; i++)
        chain[i] = take_ref(&reader);
    name = take_bytes(&reader);
    if (reader.failed)
        return KAN_CORRUPT;
    record = find(data, name);
    message = message_room(record ? record->size : 0, chain_count, name);
    if (!message)
        return KAN_NOMEM;
    message->number = number;
    message->crashes = (uint32_t)crashes;
    message->from = from;
    message->record = record;
    if (chain_count)
        memcpy((void *)message->chain, chain, chain_count * sizeof(*chain));
    if (record && record->size)
        message->bad =
            record_load(record, reader.rest, (void *)message->bytes, NULL);
    if (message->bad == KAN_NOMEM) {
        mem_free(message);
        return KAN_NOMEM;
    }
    *ret_message = message;
    return KAN_OK;
}

/* --- notes ---------------------------------------------------------------- */

enum kan_err note_new(struct kan_slice text, struct actor_note **ret_note)
{
    struct actor_note *note = mem_zalloc(sizeof(*note) + text.size);

    if (!note)
        return KAN_NOMEM;
    note->size = text.size;
    if (text.size)
        memcpy(note->text, text.bytes, text.size);
    *ret_note = note;
    return KAN_OK;
}

static void notes_save(struct actor_note *const *notes, struct buffer *out)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < ACTOR_SENDERS_MAX; i++)
        count += notes[i] != NULL;
    buffer_append_byte(out, (unsigned char)count);
    for (uint32_t i = 0; i < ACTOR_SENDERS_MAX; i++) {
        const struct actor_note *note = notes[i];
        if (!note)
            continue;
        put_ref(out, &note->sender);
        put_number(out, note->number);
        put_number(out, note->crashes);
        buffer_append_byte(out, (unsigned char)note->outcome);
        put_ref(out, &note->client);
        put_bytes(out, kan_slice(note->text, note->size));
    }
}

/* notes may be NULL: then they are only skipped. */
static enum kan_err notes_load(struct reader *reader, struct actor_note **notes)
{
    unsigned count = take_byte(reader);

    if (count > ACTOR_SENDERS_MAX)
        return KAN_CORRUPT;
    for (unsigned i = 0; i < count; i++) {
        struct kan_ref sender = take_ref(reader);
        uint64_t number = take_number(reader);
        uint64_t crashes = take_number(reader);
        unsigned outcome = take_byte(reader);
        struct kan_ref client = take_ref(reader);
        struct kan_slice text = take_bytes(reader);
        if (reader->failed || outcome > NOTE_GONE)
            return KAN_CORRUPT;
        if (!notes)
            continue;
        if (note_new(text, &notes[i]))
            return KAN_NOMEM;
        notes[i]->sender = sender;
        notes[i]->number = number;
        notes[i]->crashes = (uint32_t)crashes;
        notes[i]->outcome = outcome;
        notes[i]->client = client;
    }
    return KAN_OK;
}

struct actor_note *notes_find(struct actor_note *const *notes,
                              struct kan_slice sender)
{
    for (uint32_t i = 0; i < ACTOR_SENDERS_MAX && notes[i]; i++)
        if (slice_equal(actor_core_ref_text(&notes[i]->sender), sender))
            return notes[i];
    return NULL;
}

struct actor_note *notes_add(struct actor_note **notes, struct actor_note *note)
{
    uint32_t at = 0;
    struct actor_note *old;

    while (at < ACTOR_SENDERS_MAX && notes[at] &&
           !kan_ref_equal(&notes[at]->sender, &note->sender))
        at++;
    if (at < ACTOR_SENDERS_MAX && !notes[at]) {
        notes[at] = note;
        return NULL;
    }
    /* Its own, or the oldest, makes room; the new one is the last. */
    at = at < ACTOR_SENDERS_MAX ? at : 0;
    old = notes[at];
    while (at + 1 < ACTOR_SENDERS_MAX && notes[at + 1]) {
        notes[at] = notes[at + 1];
        at++;
    }
    notes[at] = note;
    return old;
}

/* --- actors --------------------------------------------------------------- */

static void clocks_save(const struct kan_actor_type *type,
                        const struct actor_head *head, struct buffer *out)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < type->timer_count; i++)
        count += head->clocks[i].due_ms != 0;
    buffer_append_byte(out, (unsigned char)count);
    for (uint32_t i = 0; i < type->timer_count; i++) {
        if (head->clocks[i].due_ms == 0)
            continue;
        put_bytes(out, kan_text(type->timers[i].name));
        put_number(out, head->clocks[i].due_ms);
        put_number(out, head->clocks[i].crashes);
    }
}

static enum kan_err clocks_load(const struct kan_actor_type *type,
                                struct reader *reader, struct actor_head *head)
{
    unsigned count = take_byte(reader);

    for (unsigned i = 0; i < count && !reader->failed; i++) {
        struct kan_slice name = take_bytes(reader);
        struct actor_clock clock = {.due_ms = take_number(reader)};
        clock.crashes = (uint32_t)take_number(reader);
        /* A timer that a newer type has no more is forgotten. */
        for (uint32_t j = 0; j < type->timer_count; j++)
            if (slice_equal(name, kan_text(type->timers[j].name)))
                head->clocks[j] = clock;
    }
    return reader->failed ? KAN_CORRUPT : KAN_OK;
}

enum kan_err actor_save(const struct kan_actor_type *type,
                        const struct actor_head *head,
                        struct actor_note *const *notes, const void *state,
                        struct buffer *out)
{
    buffer_append_byte(out, ACTOR_VERSION);
    buffer_append_byte(out, head->started ? HEAD_STARTED : 0);
    put_number(out, head->life);
    put_number(out, head->attempt);
    put_number(out, head->number);
    put_number(out, head->path.low);
    put_number(out, head->path.high);
    put_ref(out, &head->awaits);
    clocks_save(type, head, out);
    notes_save(notes, out);
    if (buffer_failed(out))
        return KAN_NOMEM;
    return head->started ? record_save(type->state, state, out) : KAN_OK;
}

static enum kan_err head_load(const struct kan_actor_type *type,
                              struct reader *reader,
                              struct actor_head *ret_head)
{
    struct actor_head head;
    unsigned version = take_byte(reader);
    enum kan_err err;

    memset(&head, 0, sizeof(head));
    head.started = take_byte(reader) & HEAD_STARTED;
    head.life = take_number(reader);
    head.attempt = take_number(reader);
    head.number = take_number(reader);
    head.path.low = take_number(reader);
    head.path.high = take_number(reader);
    head.awaits = take_ref(reader);
    err = clocks_load(type, reader, &head);
    if (err == KAN_OK && (reader->failed || version != ACTOR_VERSION))
        err = KAN_CORRUPT;
    if (err == KAN_OK)
        *ret_head = head;
    return err;
}

enum kan_err actor_load_head(const struct kan_actor_type *type,
                             struct kan_slice saved,
                             struct actor_head *ret_head)
{
    struct reader reader = {.rest = saved};

    return head_load(type, &reader, ret_head);
}

enum kan_err actor_load(const struct kan_actor_type *type,
                        struct kan_slice saved, struct actor_head *ret_head,
                        struct actor_note **notes, void *state,
                        struct buffer *why)
{
    struct reader reader = {.rest = saved};
    struct actor_note *found[ACTOR_SENDERS_MAX] = {NULL};
    struct actor_head head;
    enum kan_err err = head_load(type, &reader, &head);

    if (err == KAN_OK)
        err = notes_load(&reader, found);
    if (err == KAN_CORRUPT && why)
        buffer_append_text(why, "what is kept of it is no actor");
    /*= K-ACTOR-5: what is kept is a state of the type's table, of a version
     * that it knows, or it is not loaded. */
    if (err == KAN_OK && head.started)
        err = record_load(type->state, reader.rest, state, why);
    if (err != KAN_OK) {
        for (uint32_t i = 0; i < ACTOR_SENDERS_MAX; i++)
            mem_free(found[i]);
        return err;
    }
    kan_assert(!head.started || record_check(type->state, state, NULL) == 0);
    memcpy(notes, found, sizeof(found));
    *ret_head = head;
    return KAN_OK;
}

/* --- parked messages ------------------------------------------------------ */

void parked_save(const struct parked_value *parked, struct buffer *out)
{
    buffer_append_byte(out, PARKED_VERSION);
    put_ref(out, &parked->actor);
    put_ref(out, &parked->from);
    put_bytes(out, parked->method);
    put_bytes(out, parked->json);
    put_bytes(out, parked->why);
}

enum kan_err parked_load(struct kan_slice saved,
                         struct parked_value *ret_parked)
{
    struct reader reader = {.rest = saved};
    unsigned version = take_byte(&reader);
    struct parked_value parked;

    parked.actor = take_ref(&reader);
    parked.from = take_ref(&reader);
    parked.method = take_bytes(&reader);
    parked.json = take_bytes(&reader);
    parked.why = take_bytes(&reader);
    if (reader.failed || version != PARKED_VERSION)
        return KAN_CORRUPT;
    *ret_parked = parked;
    return KAN_OK;
}
