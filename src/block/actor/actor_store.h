/* actor_store.h - what is kept of actors: keys, and how values are encoded.
 *
 * Under the host's prefix, with REF as "type/id":
 *
 *     a||REF                      the actor: head, then its state
 *     m||REF/ + revision, index   a message on its way to it (an append)
 *     t||due REF/timer            an armed timer; due in ms, 8 bytes
 *     p|| + revision, index       a message that crashed too often
 *
 * Ids have no slash, so no prefix is another's. Numbers are big endian. Every
 * value begins with the version of its encoding. Structs are kept field by
 * field (base/record.h), timers by name. */

#ifndef BLOCK_ACTOR_ACTOR_STORE_H
#define BLOCK_ACTOR_ACTOR_STORE_H

#include "base/bytes.h"
#include "base/list.h"
#include "block/actor/actor_core.h"

enum
{
    STORE_KEY_MAX = 128 /* bytes of a key behind the prefix */
};

/* --- keys ----------------------------------------------------------------- */

void store_key_actor(struct buffer *out, struct kan_slice prefix,
                     const struct kan_ref *ref);
/* Of all messages to it; their keys continue it by ENGINE_APPEND_SIZE. */
void store_key_mailbox(struct buffer *out, struct kan_slice prefix,
                       const struct kan_ref *ref);
void store_key_timer(struct buffer *out, struct kan_slice prefix,
                     uint64_t due_ms, const struct kan_ref *ref,
                     const char *timer);
/* What all keys of that kind begin with: m, t or p. */
void store_key_all(struct buffer *out, struct kan_slice prefix, char kind);

/* The actor that a key of a message is for, and its place; false when it is no
 * such key. Behind the prefix. */
bool store_message_key(struct kan_slice key, struct kan_ref *ret_ref,
                       uint64_t *ret_revision, uint32_t *ret_index);
bool store_timer_key(struct kan_slice key, struct kan_ref *ret_ref,
                     uint64_t *ret_due_ms);

/* --- messages ------------------------------------------------------------- */

struct actor;
struct actor_client;

/* A message, in memory. One block. */
struct actor_message
{
    struct list link;
    struct actor *to;  /* once it is decided who gets it */
    uint64_t revision; /* where it is kept; 0: nowhere, it is a client's */
    uint32_t index;
    uint64_t number; /* of its sender */
    uint32_t crashes;
    struct kan_ref from;
    const struct kan_record *record; /* NULL: no such table here */
    const void *bytes; /* canonical; NULL: nothing, or not readable */
    const char *name;  /* of the record, in this block */
    enum kan_err bad;  /* why bytes cannot be read */
    uint32_t chain_count;
    const struct kan_ref *chain;
    struct actor_client *client; /* a client's, while it waits for this */
};

struct actor_chain message_chain(const struct actor_message *message);

/* A message with these bytes (record->size, copied; NULL: zeros). Yours:
 * mem_free(). KAN_NOMEM. */
KAN_MUST_USE enum kan_err message_new(const struct kan_ref *from,
                                      const struct actor_chain *chain,
                                      const struct kan_record *record,
                                      const void *bytes,
                                      struct actor_message **ret_message);

/* Append the message as it is kept. KAN_NOMEM. */
KAN_MUST_USE enum kan_err message_save(const struct actor_message *message,
                                       struct buffer *out);

/* The opposite. find gives the table of a name, or NULL. What cannot be read
 * for other reasons than memory still makes a message, with bad set. KAN_NOMEM;
 * KAN_CORRUPT when not even its head can be read. */
typedef const struct kan_record *message_table(void *data,
                                               struct kan_slice name);
KAN_MUST_USE enum kan_err message_load(struct kan_slice saved, void *data,
                                       message_table *find,
                                       struct actor_message **ret_message);

/* --- actors --------------------------------------------------------------- */

/* What the last call of an outside sender came to. One block. */
struct actor_note
{
    struct kan_ref sender;
    uint64_t number;
    uint32_t crashes;
    uint32_t outcome;      /* enum note_outcome */
    struct kan_ref client; /* who waited for the answer */
    size_t size;
    char text[]; /* the answer as JSON; or why it was refused */
};

enum note_outcome
{
    NOTE_PENDING, /* taken; an answer may come */
    NOTE_ANSWERED,
    NOTE_REFUSED,
    NOTE_CRASHED, /* not taken, and may be tried again */
    NOTE_PARKED,
    NOTE_GONE /* taken; its answer is larger than what is kept */
};

/* Yours: mem_free(). */
KAN_MUST_USE enum kan_err note_new(struct kan_slice text,
                                   struct actor_note **ret_note);

/* Of ACTOR_SENDERS_MAX notes, the sender's; or NULL. */
struct actor_note *notes_find(struct actor_note *const *notes,
                              struct kan_slice sender);
/* Add a note, which is given. The one that it replaces is returned. */
struct actor_note *notes_add(struct actor_note **notes,
                             struct actor_note *note);

/* Append an actor: the head, notes, and the state when it has started.
 * Elements of notes may be NULL. KAN_NOMEM. */
KAN_MUST_USE enum kan_err actor_save(const struct kan_actor_type *type,
                                     const struct actor_head *head,
                                     struct actor_note *const *notes,
                                     const void *state, struct buffer *out);

/* The opposite: state has type->state->size bytes; notes receives at most
 * ACTOR_SENDERS_MAX, which are yours. KAN_INVALID and a line in why: the state
 * is of a version that the type's table does not know; KAN_CORRUPT; KAN_NOMEM.
 */
KAN_MUST_USE enum kan_err actor_load(const struct kan_actor_type *type,
                                     struct kan_slice saved,
                                     struct actor_head *ret_head,
                                     struct actor_note **notes, void *state,
                                     struct buffer *why);

/* Only the head's own fields: enough to tell who wrote it. */
KAN_MUST_USE enum kan_err actor_load_head(const struct kan_actor_type *type,
                                          struct kan_slice saved,
                                          struct actor_head *ret_head);

/* --- parked messages ------------------------------------------------------ */

struct parked_value
{
    struct kan_ref actor;
    struct kan_ref from;
    struct kan_slice method;
    struct kan_slice json;
    struct kan_slice why;
};

void parked_save(const struct parked_value *parked, struct buffer *out);
/* Slices are of saved. KAN_CORRUPT. */
KAN_MUST_USE enum kan_err parked_load(struct kan_slice saved,
                                      struct parked_value *ret_parked);

#endif /* BLOCK_ACTOR_ACTOR_STORE_H */
