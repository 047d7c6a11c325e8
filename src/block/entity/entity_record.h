/* entity_record.h - how the entity block keeps things: keys and values.
 *
 * Keys are listed in entity.h. Numbers in values are LEB128, least first,
 * unless said otherwise. Every value begins with its format.
 *
 *   event    kind + 16 (with a key: + 32, with columns: + 64), version, now as
 *            8 bytes big endian, id as 16 bytes; with a key: its size, bytes,
 *            and 16 bytes of hash; with columns: their size, and what the state
 *            behind the event gives to views over all, as
 *            program_columns_save(); STEP: the step's number, and its arguments
 *            as program_save()
 *   head     1, flags (1: not there), the newest snapshot, the number up to
 *            which events are erased
 *   snapshot 1, version, hash of its program, the state as program_save(),
 *            count of tallies, each: version, view hash, size, bytes; count of
 *            keyed events, each as the difference to the one before
 *   program  1, hash of the program, hash of the upgrade to it (zero: none),
 *            the text of the contract that had both */

#ifndef BLOCK_ENTITY_ENTITY_RECORD_H
#define BLOCK_ENTITY_ENTITY_RECORD_H

#include "block/entity/entity.h"

enum
{
    ENTITY_HASH_SIZE = 16,
    ENTITY_NUMBER_SIZE = 8, /* of a number in a key */
    ENTITY_RECORD_HEAD = 80 /* bytes of an event beside key and arguments,
                                * at most */
};

struct entity_hash
{
    uint8_t bytes[ENTITY_HASH_SIZE];
};

/* What a call with an idempotency key asked for. */
struct entity_hash entity_hash_of(struct kan_slice step, struct kan_slice body);

/* --- keys ----------------------------------------------------------------- */

/* Append prefix, type, 0 and letter: what keys of that sort begin with. */
void entity_key_sort(struct buffer *out, struct kan_slice prefix,
                     struct kan_slice type, char letter);

/* Append the rest of a key of an event or snapshot: id, 0, n. */
void entity_key_number(struct buffer *out, struct kan_slice id, uint64_t n);

/* The number that a key ends in. */
uint64_t entity_key_n(struct kan_slice key);

/* Take the rest of a key apart: false when it is none. */
KAN_MUST_USE bool entity_key_read(struct kan_slice rest,
                                  struct kan_slice *ret_id, uint64_t *ret_n);

/* Whether an id may be used: 1 to ENTITY_ID_MAX bytes of UTF-8 without control
 * characters, / ? # and \. */
bool entity_id_legal(struct kan_slice id);

/* --- events --------------------------------------------------------------- */

/* An event as kept. Slices point into the value. */
struct entity_record
{
    enum entity_event_kind kind;
    uint32_t version;
    uint32_t step; /* STEP */
    struct program_input input;
    struct kan_slice key; /* bytes NULL: none */
    struct entity_hash hash;
    struct kan_slice columns;   /* empty: none */
    struct kan_slice arguments; /* STEP: as program_save() */
};

/* Append all of it but the arguments, which are the caller's to append. */
void entity_record_write(struct buffer *out, const struct entity_record *event);
KAN_MUST_USE enum kan_err entity_record_read(struct kan_slice value,
                                             struct entity_record *ret_event);

/* --- heads ---------------------------------------------------------------- */

struct entity_head
{
    bool gone;         /* deleted, and not begun anew */
    uint64_t snapshot; /* the newest one; 0: none */
    uint64_t erased;   /* events up to this one are erased; 0: none */
};

void entity_head_write(struct buffer *out, struct entity_head head);
KAN_MUST_USE enum kan_err entity_head_read(struct kan_slice value,
                                           struct entity_head *ret_head);

/* --- programs ------------------------------------------------------------- */

struct entity_kept
{
    struct program_hash hash;
    struct program_hash upgrade;
    struct kan_slice text;
};

void entity_kept_write(struct buffer *out, const struct entity_kept *kept);
KAN_MUST_USE enum kan_err entity_kept_read(struct kan_slice value,
                                           struct entity_kept *ret_kept);

/* --- numbers -------------------------------------------------------------- */

void entity_put_number(struct buffer *out, uint64_t number);
/* Takes it from the head of *bytes; false when there is none. */
KAN_MUST_USE bool entity_take_number(struct kan_slice *bytes,
                                     uint64_t *ret_number);
KAN_MUST_USE bool entity_take_bytes(struct kan_slice *bytes, size_t size,
                                    struct kan_slice *ret_taken);

#endif /* BLOCK_ENTITY_ENTITY_RECORD_H */
