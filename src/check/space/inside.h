/* inside.h - what the files of this folder share: how states are laid out, and
 * what a space and a walker keep.
 *
 * A state's numbers: one local state for each actor, the surroundings, what
 * clients saw, and then the messages on their way, each as (receiver, number of
 * the message). Unordered and shared: sorted. In order: sorted by (receiver,
 * sender), and within that as they were sent; those of clients outside, which
 * are in no order, sorted. */

#ifndef CHECK_SPACE_INSIDE_H
#define CHECK_SPACE_INSIDE_H

#include "block/actor/turn.h"
#include "check/space/kept.h"
#include "check/space/space.h"

#define SPACE_MAGIC  0x73706163u /* "spac" */
#define WALKER_MAGIC 0x77616c6bu /* "walk" */

/* What every clock shows while times are relative: in 2001, far from 0. */
#define SPACE_BASE_MS INT64_C(1000000000000)

enum
{
    SPACE_OUTSIDE = 0xff,    /* the sender, when it is a client outside */
    SPACE_TO_SHIFT = 26,     /* of the receiver in a message's word */
    SPACE_RECORDS_MAX = 512, /* kinds of messages in a model */
    SPACE_REQUESTS_MAX = 1024,
    SPACE_LIES_MAX = 1024,
    SPACE_JUMPS_MAX = 256,
    SPACE_CUTS_MAX = 64,
    SPACE_OUTCOMES_MAX = 4096, /* of chance, in one call */
    SPACE_BOUNDARY_MAX = 64,   /* values of one message, without a model */
    SPACE_WHY_MAX = 512
};

/* Of a step, for space_independent() alone: whether a mailbox is full may
 * depend on the order, or an answer is put among another actor's messages. */
#define SPACE_TIGHT (1u << 3)

/* What each hash is of. */
enum space_seed
{
    SPACE_SEED_LOCAL = 101,
    SPACE_SEED_MESSAGE,
    SPACE_SEED_NAME,
    SPACE_SEED_AROUND,
    SPACE_SEED_HISTORY,
    SPACE_SEED_FRONTIER,
    SPACE_SEED_EVENT,
    SPACE_SEED_ACTOR
};

/* --- what is kept --------------------------------------------------------- */

enum local_flags
{
    LOCAL_UP = 1 << 0,
    LOCAL_LIAR = 1 << 1
};

/* A local state: this, int64_t due[timer_count] (0: not armed), and the struct
 * at state_at. */
struct local_head
{
    uint8_t actor;
    uint8_t flags;  /* enum local_flags */
    uint8_t awaits; /* the actor whose answer it waits for, or OUTSIDE */
    uint8_t timer_count;
    uint32_t state_at;
    int64_t now_ms;
};

/* A message: this, and the struct. */
struct message_head
{
    uint64_t name;   /* hash of the record's name */
    uint32_t client; /* its number, when it comes from outside */
    uint8_t from;
    uint8_t to;
    uint8_t chain_count;
    uint8_t refused;              /* zero */
    uint8_t chain[KAN_CHAIN_MAX]; /* who calls whom, the first caller first */
    uint64_t zero;                /* so that the struct is aligned to 16 */
};

/* The note of a kept message: its record's place, sender, and whether it has a
 * chain. */
static inline uint32_t message_note(uint32_t record, uint8_t from, bool chain)
{
    return record | (uint32_t)from << 16 | (uint32_t)chain << 24;
}

static inline uint8_t note_from(uint32_t note)
{
    return (uint8_t)(note >> 16);
}

/* The surroundings: this, uint16_t left[group_count] of requests, and a bit for
 * each lie that was told. */
struct around_head
{
    uint16_t crash; /* what is left of the budgets */
    uint16_t lost;
    uint16_t doubled;
    uint16_t partition;
    uint16_t clock;
    uint16_t zero[3];
    uint64_t cut; /* a bit for each actor that is cut off; 0: nobody is */
};

enum
{
    AROUND_QUIET = 1 /* note: nothing can come from outside any more */
};

/* --- the space ------------------------------------------------------------ */

struct space_actor
{
    struct kan_ref ref;
    const struct kan_actor_type *type;
    uint32_t mailbox_max;
    uint32_t unstarted; /* local state before its start */
    bool lies;          /* a lie of it is declared */
};

/* Something a client outside may send; those of one group share a budget. */
struct space_request
{
    uint32_t word;
    uint32_t group;
};

struct space_lie
{
    uint32_t word;
    uint8_t liar;
};

struct space_jump
{
    int64_t delta_ms;
    uint8_t actor;
};

struct space
{
    uint32_t magic;
    struct space_options options;
    struct kan_model model; /* the model's own, or made for a module */
    struct kan_faults faults;
    int64_t parameters[KAN_PARAMETERS_MAX];
    const struct kan_spec *spec; /* of the LINEARIZABLE property, or NULL */
    bool ordered;                /* DURABLE or ORDERED */
    bool shared;
    bool outside_goes; /* what is sent to nobody in the model just leaves */
    uint32_t mailbox_min;
    uint32_t client_first; /* number of the first client outside */

    struct space_actor actors[KAN_INSTANCES_MAX];
    uint32_t actor_count;
    struct space_request *requests;
    uint32_t request_count;
    uint16_t *groups; /* how many of each group may be sent */
    uint32_t group_count;
    struct space_lie *lies;
    uint32_t lie_count;
    struct space_jump jumps[SPACE_JUMPS_MAX];
    uint32_t jump_count;
    uint64_t cuts[SPACE_CUTS_MAX];
    uint32_t cut_count;

    atomic_flag records_busy;
    const struct kan_record *records[SPACE_RECORDS_MAX];
    uint32_t record_count;

    struct kept_budget budget;
    struct kept *locals;
    struct kept *messages;
    struct kept *arounds;
    struct kept *histories;
    struct kept *frontiers;
    struct kept *events;
    uint32_t first_around;
    uint32_t first_history;
    atomic_ullong calls;
};

/* Where things are in a state. */
static inline uint32_t at_around(const struct space *space)
{
    return space->actor_count;
}

static inline uint32_t at_history(const struct space *space)
{
    return space->actor_count + 1;
}

static inline uint32_t at_messages(const struct space *space)
{
    return space->actor_count + 2;
}

static inline uint8_t word_to(uint32_t word)
{
    return (uint8_t)(word >> SPACE_TO_SHIFT);
}

static inline uint32_t word_message(uint32_t word)
{
    return word & ((1u << SPACE_TO_SHIFT) - 1);
}

static inline const struct kept_item *word_item(const struct space *space,
                                                uint32_t word)
{
    return kept_at(space->messages, word_message(word));
}

static inline const struct message_head *word_head(const struct space *space,
                                                   uint32_t word)
{
    return (const void *)word_item(space, word)->bytes;
}

static inline const struct local_head *local_head(const struct space *space,
                                                  uint32_t local)
{
    return (const void *)kept_at(space->locals, local)->bytes;
}

static inline const struct around_head *around_head(const struct space *space,
                                                    uint32_t around)
{
    return (const void *)kept_at(space->arounds, around)->bytes;
}

/* --- the walker ----------------------------------------------------------- */

enum outcome_flags
{
    OUTCOME_BROKEN = 1 << 0,
    OUTCOME_FOREIGN = 1 << 1, /* an answer on behalf of another actor */
    OUTCOME_NOTES = 1 << 2
};

/* What one call of a handler did. */
struct outcome
{
    struct path_id delta; /* of the hash: the local state, and what is sent when
                           * the network is UNORDERED */
    uint32_t local;       /* the local state afterwards */
    uint32_t sends;       /* place of the first; BROKEN: of the reason */
    uint32_t notes;
    uint8_t send_count;
    uint8_t note_count;
    uint8_t flags;
    uint8_t zero;
};

/* The outcomes of one input in one local state. Two of them fill a line of the
 * processor's cache, and most need no more than theirs. */
struct entry
{
    uint64_t key; /* 0: empty; entry_key() + 1 */
    struct path_id delta;
    uint32_t first;
    uint16_t count; /* 0: no step */
    uint8_t plain;  /* one outcome, and delta is all that it does to the hash */
    uint8_t send_count;
};

static inline uint64_t entry_key(uint32_t local, uint32_t word)
{
    return (uint64_t)local << 32 | word;
}

/* Of an input that is no message. */
static inline uint64_t entry_key_special(uint32_t local, enum space_kind kind,
                                         uint32_t object)
{
    return UINT64_C(1) << 63 | entry_key(local, (uint32_t)kind << 24 | object);
}

enum
{
    ENTRY_START = 0x7f /* beside enum space_kind */
};

/* A timer that may fire. */
struct ring
{
    uint32_t outcome;
    uint16_t choice;
    uint8_t timer;
    uint8_t zero;
};

/* What a walker knows of a local state. */
struct local_info
{
    uint32_t rings;
    uint16_t ring_count;
    uint8_t known;
    uint8_t down; /* and may restart */
};

/* Values drawn so far in one call, and their bounds. */
struct tape
{
    uint64_t values[TURN_DRAWS_MAX];
    uint64_t bounds[TURN_DRAWS_MAX];
    uint32_t size;
    uint32_t at;
};

/* Numbers drawn, whose outcome is looked for as a call is made for every
 * sequence of them. */
struct drawn
{
    const uint64_t *pairs; /* a value, and what it is below */
    uint32_t count;
    bool begins;     /* those at the end may be of another call */
    uint32_t number; /* of the outcome; UINT32_MAX: it has none */
    uint32_t used;   /* so many of them are of the call */
};

struct space_walker
{
    uint32_t magic;
    struct space *space;
    struct turn *turn;
    struct entry *entries;
    uint32_t entry_size; /* a power of two */
    uint32_t entry_count;
    struct local_info *infos; /* by local state */
    uint32_t info_size;
    struct outcome *outcomes;
    uint32_t outcome_count;
    uint32_t outcome_max;
    uint32_t *sends; /* words */
    uint32_t send_count;
    uint32_t send_max;
    struct turn_note *notes;
    uint32_t note_count;
    uint32_t note_max;
    struct ring *rings;
    uint32_t ring_count;
    uint32_t ring_max;
    char **whys;
    uint32_t why_count;
    uint32_t why_max;
    struct kept_memo around_memo;
    struct kept_memo history_memo;
    struct kept_memo frontier_memo;
    struct tape tape;
    struct drawn *drawn;   /* NULL: nothing is looked for */
    struct buffer scratch; /* a local state or message being made */
    struct buffer other;
    struct buffer observed[4]; /* of observer.c */
    char why[SPACE_WHY_MAX];
};

/* Say why a call failed; passes err on. */
__attribute__((format(printf, 3, 4))) enum kan_err walker_fail(
    struct space_walker *walker, enum kan_err err, const char *format, ...);

/* Make *array, of items of that size, hold count + more. KAN_NOMEM. */
KAN_MUST_USE enum kan_err walker_grow(struct space_walker *walker, void *array,
                                      uint32_t item_size, uint32_t count,
                                      uint32_t more, uint32_t *max);

/* --- parts ---------------------------------------------------------------- */

/* setup.c: fill in actors, requests, lies, jumps and cuts. */
KAN_MUST_USE enum kan_err space_setup(struct space *space, struct buffer *why);

/* message.c: the place of an actor; SPACE_OUTSIDE when it is not there. */
uint8_t space_actor_place(const struct space *space, const struct kan_ref *ref);

/* The place of the record of that name, which is added when it is new.
 * KAN_INVALID when it is known with another size; KAN_NOMEM when there are too
 * many. */
KAN_MUST_USE enum kan_err space_record_place(struct space *space,
                                             const struct kan_record *record,
                                             uint32_t *ret_place);

struct message_parts
{
    uint8_t from;
    uint8_t to;
    uint32_t client; /* from OUTSIDE */
    const struct kan_record *record;
    const void *bytes; /* canonical; NULL: zeroed */
    int64_t now_ms;    /* the sender's clock, which times in it are relative to;
                     * 0: there are none */
    const uint8_t *chain;
    uint8_t chain_count;
};

/* Keep a message. scratch is any buffer. KAN_INVALID: as above. */
KAN_MUST_USE enum kan_err space_message(struct space *space,
                                        const struct message_parts *parts,
                                        struct buffer *scratch,
                                        uint32_t *ret_word);

/* The same, to the sender of a message that was not taken. */
KAN_MUST_USE enum kan_err space_answer(struct space *space, uint32_t word,
                                       enum kan_err failure,
                                       struct buffer *scratch,
                                       uint32_t *ret_word);
bool space_is_failed(const struct space *space, uint32_t word);
const struct kan_record *space_message_record(const struct space *space,
                                              uint32_t word);
struct kan_ref space_message_from(const struct space *space, uint32_t word);

/* local.c: keep the local state in the buffer. */
KAN_MUST_USE enum kan_err space_local(struct space *space,
                                      const struct buffer *blob,
                                      uint32_t *ret_local);

/* A blank one of an actor, in the buffer: zeroed struct, nothing armed. */
KAN_MUST_USE enum kan_err local_blank(struct space *space, uint8_t actor,
                                      uint8_t flags, struct buffer *blob);
static inline int64_t *local_due(struct local_head *head)
{
    return (int64_t *)(void *)(head + 1);
}
static inline const int64_t *local_due_at(const struct local_head *head)
{
    return (const int64_t *)(const void *)(head + 1);
}
static inline const void *local_struct(const struct local_head *head)
{
    return (const uint8_t *)head + head->state_at;
}

/* Set the clock, and with relative times move everything so that it shows
 * SPACE_BASE_MS again. */
void local_set_clock(const struct space *space, struct buffer *blob,
                     int64_t now_ms);

/* call.c: the outcomes of an input, from memory or by running the handler. The
 * entry is good until the next such call. */
KAN_MUST_USE enum kan_err walker_deliver(struct space_walker *walker,
                                         uint32_t local, uint32_t word,
                                         const struct entry **ret_entry);
KAN_MUST_USE enum kan_err walker_special(struct space_walker *walker,
                                         uint32_t local, uint32_t kind,
                                         uint32_t object,
                                         const struct entry **ret_entry);
KAN_MUST_USE enum kan_err walker_info(struct space_walker *walker,
                                      uint32_t local,
                                      const struct local_info **ret_info);

/* cache.c: the memory of entries. */
static inline const struct entry *entry_find(const struct space_walker *walker,
                                             uint64_t key)
{
    uint32_t mask = walker->entry_size - 1;

    for (uint32_t at = (uint32_t)kept_spread(key);; at++) {
        const struct entry *entry = &walker->entries[at & mask];
        if (entry->key == key + 1)
            return entry;
        if (entry->key == 0)
            return NULL;
    }
}
static inline void entry_prefetch(const struct space_walker *walker,
                                  uint64_t key)
{
    __builtin_prefetch(&walker->entries[(uint32_t)kept_spread(key) &
                                        (walker->entry_size - 1)]);
}
KAN_MUST_USE enum kan_err entries_init(struct space_walker *walker);
void entries_fini(struct space_walker *walker);
KAN_MUST_USE enum kan_err entry_add(struct space_walker *walker,
                                    const struct entry *entry,
                                    const struct entry **ret_entry);

/* run.c: run the handler of an input in a local state for every sequence of
 * choices; the outcomes follow each other. word counts for messages. */
struct run_input
{
    enum turn_kind kind;
    uint32_t local;
    uint32_t word;
    uint32_t timer;
};
KAN_MUST_USE enum kan_err walker_run(struct space_walker *walker,
                                     const struct run_input *input,
                                     uint32_t *ret_first, uint32_t *ret_count);

/* drawn.c: find the outcome of the numbers; KAN_NOTFOUND. */
KAN_MUST_USE enum kan_err walker_drawn(struct space_walker *walker,
                                       const struct run_input *input,
                                       struct drawn *drawn);
/* Whether the outcome just kept, of that number, is the one looked for. */
void drawn_look(struct space_walker *walker, uint32_t number);

/* An outcome without sends or notes that leads to the local state. */
KAN_MUST_USE enum kan_err outcome_silent(struct space_walker *walker,
                                         uint32_t before, uint32_t after,
                                         uint32_t *ret_outcome);

/* The same, that sends kan_failed to the sender of a message. */
KAN_MUST_USE enum kan_err outcome_failed(struct space_walker *walker,
                                         uint32_t local, uint32_t word,
                                         enum kan_err failure,
                                         uint32_t *ret_outcome);

/* Keep kan_failed of from, to an actor, about something in the chain. */
KAN_MUST_USE enum kan_err space_failed(struct space *space, uint8_t from,
                                       uint8_t to, enum kan_err failure,
                                       const uint8_t *chain,
                                       uint8_t chain_count,
                                       struct buffer *scratch,
                                       uint32_t *ret_word);

/* around.c: the surroundings after a step of that kind. */
KAN_MUST_USE enum kan_err around_first(struct space *space,
                                       uint32_t *ret_around);
KAN_MUST_USE enum kan_err around_next(struct space_walker *walker,
                                      uint32_t around, enum space_kind kind,
                                      uint32_t object, uint32_t *ret_around);
static inline const uint16_t *around_left(const struct around_head *head)
{
    return (const uint16_t *)(const void *)(head + 1);
}
bool around_told(const struct space *space, const struct around_head *head,
                 uint32_t lie);

/* observer.c: what clients saw. */
enum
{
    HISTORY_WRONG = UINT32_MAX /* kan_invoke() or kan_complete() misused */
};
KAN_MUST_USE enum kan_err history_first(struct space *space,
                                        uint32_t *ret_history);
KAN_MUST_USE enum kan_err history_next(struct space_walker *walker,
                                       uint32_t history, uint8_t actor,
                                       uint32_t outcome, uint32_t *ret_history);
bool history_orderable(const struct space *space, uint32_t history);

/* frontier.c: the ways in which operations so far can be in order. */
struct frontier_event
{
    uint8_t actor;
    uint8_t complete;
    uint16_t zero;
    uint32_t op;
    int64_t value;
};
enum
{
    FRONTIER_EMPTY = SPACE_ORDERS_NONE, /* no way is left */
    FRONTIER_FIRST = SPACE_ORDERS_FIRST
};
KAN_MUST_USE enum kan_err frontier_first(struct space *space);
/* Not for an actor that invokes twice, or completes what it did not invoke:
 * frontier_open() tells. */
KAN_MUST_USE enum kan_err frontier_next(struct space_walker *walker,
                                        uint32_t frontier,
                                        const struct frontier_event *event,
                                        uint32_t *ret_frontier);
bool frontier_open(const struct space *space, uint32_t frontier, uint8_t actor);

/* place.c: messages in a state. */
struct path_id place_hash(struct path_id hash, uint32_t place);
struct path_id state_hash(const struct space *space,
                          const struct space_state *state);

/* What an outcome sends in this state, when mailboxes are counted: at most 64
 * words. consumed: place of the message that is taken, or UINT32_MAX. */
KAN_MUST_USE enum kan_err place_sends(struct space_walker *walker,
                                      const struct space_state *state,
                                      uint32_t consumed, uint32_t outcome,
                                      uint32_t *ret_words, uint32_t *ret_count);
bool place_full(const struct space *space, const struct space_state *state,
                uint32_t word);
void place_take(struct space_state *state, uint32_t at);
void place_put(const struct space *space, struct space_state *state,
               uint32_t word);

static inline uint32_t word_channel(const struct space *space, uint32_t word)
{
    return (uint32_t)word_to(word) << 8 |
           note_from(word_item(space, word)->note);
}

#endif /* CHECK_SPACE_INSIDE_H */
