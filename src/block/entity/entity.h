/* entity.h - the entity block: instances of a contract's types that live in an
 * engine as the events that happened to them.
 *
 * The rules are in entity_core.c: which step may be taken, what an idempotency
 * key means, what a version that is asked for means, when a snapshot is due,
 * what each answer of the engine means. entity.c carries them out: one owner
 * per entity decides its steps in order, in memory; all that wait for one
 * entity commit together, guarded so that a second owner is refused by the
 * engine; answers leave after the commit. Guarantees K-ENTITY-n:
 * docs/guarantees/entity.md.
 *
 * What is kept (prefix as in options, then the type, a zero byte, and:)
 *   "e" id 0 n      one event: n is 8 bytes, big endian. It is put only if the
 *                   key is absent: that is the guard, and numbers have no gap
 *   "i" id          the entity itself: there since its first event; says which
 *                   snapshot is newest, and whether it is deleted or erased
 *   "s" id 0 n      the state behind event n, each ENTITY_SNAPSHOT_EVERY
 *                   events, with the program's hash
 *   "p" version     the program of a version: its hash and its text
 *   "x" id          an erasure under way: what is before the tombstone is
 *                   being deleted
 *   "v"             a mark of block/view, so that the feed reports it */

#ifndef BLOCK_ENTITY_ENTITY_H
#define BLOCK_ENTITY_ENTITY_H

#include <kan/base.h>

#include "base/bytes.h"
#include "base/list.h"
#include "contract/contract.h"
#include "engine/engine.h"
#include "env/env.h"

struct entity_host;

/* The least that the block needs of an engine. */
extern const struct engine_promises entity_needs;

enum
{
    ENTITY_ID_MAX = CONTRACT_ENTITY_ID_MAX, /* bytes of an id: UTF-8 without
                                             * control characters, / ? # \ */
    ENTITY_KEY_MAX = 255,                   /* bytes of an idempotency key */
    ENTITY_KEYS_MAX = 1000, /* idempotency keys that an entity keeps, */
    ENTITY_KEY_MS = 24 * 3600 * 1000, /* and for how long */
    ENTITY_SNAPSHOT_EVERY = 1000,     /* events */
    ENTITY_PAGE_MAX = 1000,           /* of events, or of entities */
    ENTITY_PAGE_DEFAULT = 100
};

/* What an event is. */
enum entity_event_kind
{
    ENTITY_STEP,
    ENTITY_UPGRADED,   /* from version - 1 to version */
    ENTITY_DOWNGRADED, /* from version + 1 to version */
    ENTITY_DELETED,    /* what comes after begins anew, n goes on */
    ENTITY_ERASED      /* the tombstone of all events up to n */
};

/* One event as others see it. Borrowed until the callback returns. */
struct entity_event
{
    enum entity_event_kind kind;
    struct kan_slice type;
    struct kan_slice id;
    uint64_t n;
    uint32_t version;              /* of the program that it was decided by */
    const struct program *program; /* of that version */
    uint32_t step;                 /* STEP */
    const void *arguments;         /* STEP: laid out, after defaults */
    struct program_input input;
    uint64_t revision;
    struct kan_slice columns; /* what the state behind it gives to views over
                               * all, for program_columns_load(); or empty */
};

/* {"n":3,"step":"deposit","version":1,"args":{...},"time":"2026-...Z",
 * "revision":17}; of the other kinds "event":"deleted" and so on instead of
 * step and args. time is RFC 3339 with ms. */
void entity_event_json(const struct entity_event *event, struct buffer *out);

/* Called for each committed event of this host, in order of n within an entity,
 * before the answer leaves. The host's functions may not be called within. */
typedef void entity_event_cb(void *data, const struct entity_event *event,
                             const void *state, const void *tally);

/* Something that whoever runs Kan should hear. One line. */
typedef void entity_trouble_cb(void *data, const char *text);

/* Zero means the default in parentheses. */
struct entity_options
{
    struct env *env;
    struct engine *engine;     /* borrowed until the host is closed */
    struct kan_slice prefix;   /* copied; before every key: "entity||kan||" */
    struct contract *contract; /* referenced */
    uint32_t active_max;       /* entities in memory (10,000); the one used
                                * least lately leaves */
    uint64_t active_bytes_max; /* of their states (64 MiB) */
    uint32_t waiting_max;      /* calls under way, of all entities (65,536) */
    uint32_t queue_max;        /* calls waiting for one entity (10,000) */
    uint64_t idle_ms;          /* (60,000) until an entity leaves the memory */
    uint64_t seed[2];          /* 0: drawn; of the ids given to steps */
    void *data;
    entity_event_cb *event;     /* or NULL */
    entity_trouble_cb *trouble; /* or NULL */
};

/* KAN_INVALID (the engine lacks what entity_needs says), KAN_NOMEM; one line in
 * why. The host answers KAN_BUSY until ready() says that the kept programs have
 * been read and agree: ready's err is KAN_INVALID when a version's meaning
 * differs from the one kept (why says which, and to write a new version and an
 * upgrade), KAN_CORRUPT, or the engine's. Yours: entity_host_close(). */
typedef void entity_ready_cb(void *data, enum kan_err err, const char *why);
KAN_MUST_USE enum kan_err entity_host_new(const struct entity_options *options,
                                          entity_ready_cb *ready,
                                          struct entity_host **ret_host,
                                          struct buffer *why);

/* Put another contract in place of the present one, when its kept versions
 * mean the same; else nothing changes. Calls under way end by the old one.
 * cb (with options.data) as for entity_host_new(). One at a time: KAN_BUSY. */
KAN_MUST_USE enum kan_err entity_host_reload(struct entity_host *host,
                                             struct contract *contract,
                                             entity_ready_cb *cb);

/* The contract in place. Borrowed. */
struct contract *entity_host_contract(const struct entity_host *host);

/* End what is under way: calls not yet committing get KAN_CLOSED. */
void entity_host_close(struct entity_host *host, void *data, env_close_cb *cb);

/* --- steps ---------------------------------------------------------------- */

enum entity_outcome
{
    ENTITY_TAKEN,
    ENTITY_NO_TYPE,
    ENTITY_NO_STEP,    /* internal ones too, for who is no saga */
    ENTITY_GONE,       /* the step is not in the version that runs */
    ENTITY_NO_VERSION, /* no such version, or no way back to it */
    ENTITY_ID_ILLEGAL,
    ENTITY_BODY_INVALID, /* text: the path of the field, and why */
    ENTITY_REFUSED,      /* text: one sentence; problem: what is needed for
                          * RFC 9457 */
    ENTITY_STALE,        /* if_match is not the entity's n */
    ENTITY_KEY_INVALID,  /* an idempotency key that is empty or too long */
    ENTITY_KEY_REUSED,   /* the same key with another step or body */
    ENTITY_NOTFOUND,     /* reads: no event yet, or deleted */
    ENTITY_ERASED_PAST,  /* reads at an n that was erased */
    ENTITY_GUARDED,      /* a guard of extra does not hold */
    ENTITY_FAILED        /* err says how */
};

/* Guards and writes of whoever composes a step with more (sagas): they are in
 * the step's commit or the step is not taken. Copied by the call. */
struct entity_extra
{
    const struct engine_guard *guards;
    uint32_t guard_count;
    const struct engine_write *writes;
    uint32_t write_count;
};

/* A state as the outside sees it. */
struct entity_state
{
    uint32_t version; /* of program */
    const struct program *program;
    uint64_t n;
    uint64_t revision; /* of the commit of event n */
    const void *state;
    const void *tally;
};

/* {"type","id","version","n","revision","state":{...}}. */
void entity_state_json(struct kan_slice type, struct kan_slice id,
                       const struct entity_state *state, struct buffer *out);

struct entity_call;
typedef void entity_call_cb(struct entity_call *call);

/* Take one step of one entity. */
struct entity_call
{
    void *data;            /* in: the caller's */
    struct kan_slice type; /* in: borrowed until cb, as all slices */
    struct kan_slice id;
    struct kan_slice step;
    struct kan_slice body; /* JSON object; empty, null: {}. A list: one such
                            * object in it, or each argument in its place */
    const void *arguments; /* in: laid out for the newest version; then body
                              * is not read. Copied. NULL: body */
    bool internal;         /* in: the caller is a saga */
    uint32_t version;      /* in: what the caller speaks; 0: the newest */
    bool has_if_match;
    uint64_t if_match;                /* n; 0: there must be no event yet */
    struct kan_slice key;             /* idempotency key; bytes NULL: none */
    const struct entity_extra *extra; /* or NULL */
    uint64_t deadline_ns;             /* 0 means 30 s */

    enum entity_outcome outcome; /* out */
    enum kan_err err;            /* out, with FAILED */
    bool replayed;             /* out: TAKEN, by an earlier call of that key */
    struct entity_state after; /* out: TAKEN, in the version asked for;
                                  * STALE: n alone. Borrowed until cb returns */
    struct kan_slice text;     /* out: one line; borrowed until cb returns */
    uint32_t unfit; /* out: REFUSED by an upgrade, before the step: the version
                     * that the entity does not fit into; else 0 */
    struct program_refusal refusal; /* out: REFUSED */
    struct kan_slice values;        /* out: REFUSED, {"balance":3,...} */

    struct entity_host *host; /* from here on: the block's */
    entity_call_cb *cb;
    struct list link;
    struct env_task task;
    struct env_timer timer;
    void *part;
};

/* Submit. KAN_BUSY, KAN_NOMEM, KAN_CLOSED had no effect, and cb does not run.
 * A call whose commit's answer is lost is looked up before it is answered: the
 * outcome is what truly happened, or FAILED with an UNKNOWN err when the
 * deadline came first. */
KAN_MUST_USE enum kan_err entity_call(struct entity_host *host,
                                      struct entity_call *call,
                                      entity_call_cb *cb);

/* Let go of the answer: what is not yet committing is not begun. cb runs,
 * later. */
void entity_call_cancel(struct entity_call *call);

enum entity_change_kind
{
    ENTITY_DELETE, /* an event; 404 from then on, until a step begins it anew */
    ENTITY_ERASE,  /* delete, and replace every event by a tombstone */
    ENTITY_UPGRADE, /* to `version`, up or down; nothing when it is there */
};

struct entity_change;
typedef void entity_change_cb(struct entity_change *change);

/* Delete, erase or upgrade one entity. Outcomes TAKEN, NOTFOUND, STALE,
 * REFUSED (upgrade), NO_VERSION, NO_TYPE, ID_ILLEGAL, FAILED. */
struct entity_change
{
    void *data;
    enum entity_change_kind kind;
    struct kan_slice type;
    struct kan_slice id;
    uint32_t version; /* UPGRADE; 0: the newest */
    bool has_if_match;
    uint64_t if_match;
    uint64_t deadline_ns;

    enum entity_outcome outcome; /* out */
    enum kan_err err;
    uint64_t n; /* out: of the entity, afterwards */
    struct kan_slice text;
    uint32_t unfit;                 /* out: REFUSED: the version that it does
                                     * not fit into */
    struct program_refusal refusal; /* out: REFUSED, as of a call */
    struct kan_slice values;

    struct entity_host *host; /* from here on: the block's */
    entity_change_cb *cb;
    struct list link;
    struct env_task task;
    struct env_timer timer;
    void *part;
};
KAN_MUST_USE enum kan_err entity_change(struct entity_host *host,
                                        struct entity_change *change,
                                        entity_change_cb *cb);

/* --- looking -------------------------------------------------------------- */

struct entity_read;
typedef void entity_read_cb(struct entity_read *read);

/* The state now (the owner's: linearizable), or behind event `at`. Outcomes
 * TAKEN, NOTFOUND, ERASED_PAST, NO_TYPE, NO_VERSION, ID_ILLEGAL, FAILED. */
struct entity_read
{
    void *data;
    struct kan_slice type;
    struct kan_slice id;
    bool has_at;
    uint64_t at;      /* then the version is that of the event, unless given;
                       * 0: before the first one, in the newest version */
    uint32_t version; /* 0: the one that it is in */
    uint64_t deadline_ns;

    enum entity_outcome outcome; /* out */
    enum kan_err err;
    struct entity_state state; /* out: borrowed until cb returns */
    struct kan_slice text;

    struct entity_host *host; /* from here on: the block's */
    entity_read_cb *cb;
    struct list link;
    struct env_task task;
    struct env_timer timer;
    void *part;
};
KAN_MUST_USE enum kan_err entity_read(struct entity_host *host,
                                      struct entity_read *read,
                                      entity_read_cb *cb);

struct entity_events;
typedef void entity_events_cb(struct entity_events *events);

/* A page of events, by n. Outcomes as entity_read. */
struct entity_events
{
    void *data;
    struct kan_slice type;
    struct kan_slice id;
    uint64_t after; /* greater than this n */
    uint32_t limit; /* 1..ENTITY_PAGE_MAX; 0: ENTITY_PAGE_DEFAULT */
    uint64_t deadline_ns;

    enum entity_outcome outcome; /* out */
    enum kan_err err;
    const struct entity_event *items; /* out: borrowed until cb returns */
    uint32_t item_count;
    uint64_t last;     /* out: n of the last item, or after */
    bool more;         /* out: more is there already */
    uint64_t revision; /* out: of the page's snapshot */
    struct kan_slice text;

    struct entity_host *host; /* from here on: the block's */
    entity_events_cb *cb;
    struct env_task task;
    void *part;
};
KAN_MUST_USE enum kan_err entity_events(struct entity_host *host,
                                        struct entity_events *events,
                                        entity_events_cb *cb);

struct entity_list_item
{
    struct kan_slice id;
};

struct entity_list;
typedef void entity_list_cb(struct entity_list *list);

/* A page of the entities of a type that are there, by id. */
struct entity_list
{
    void *data;
    struct kan_slice type;
    struct kan_slice prefix;
    struct kan_slice after;
    uint32_t limit; /* as events */
    uint64_t deadline_ns;

    enum entity_outcome outcome; /* out */
    enum kan_err err;
    const struct entity_list_item *items; /* out: borrowed until cb returns */
    uint32_t item_count;
    bool more;
    uint64_t revision;

    struct entity_host *host; /* from here on: the block's */
    entity_list_cb *cb;
    struct env_task task;
    void *part;
};
KAN_MUST_USE enum kan_err entity_list(struct entity_host *host,
                                      struct entity_list *list,
                                      entity_list_cb *cb);

/* --- following ------------------------------------------------------------ */

struct entity_follow;

/* One event; event NULL: the end, with err (CLOSED, CANCELED, BUSY for who was
 * too slow, the engine's), once, last. */
typedef void entity_follow_cb(struct entity_follow *follow, enum kan_err err,
                              const struct entity_event *event);

/* Every event of one entity (id empty: of all entities of a type, in order of
 * revision) behind `after`, every one once and in order, those that are there
 * and those to come. */
struct entity_follow
{
    void *data;
    struct kan_slice type; /* copied */
    struct kan_slice id;
    uint64_t after; /* n; of all entities: a revision */

    struct entity_host *host; /* from here on: the block's */
    entity_follow_cb *cb;
    struct list link;
    struct env_task task;
    void *part;
};
KAN_MUST_USE enum kan_err entity_follow(struct entity_host *host,
                                        struct entity_follow *follow,
                                        entity_follow_cb *cb);

/* cb runs once more, later, with CANCELED. Fine within cb. */
void entity_follow_cancel(struct entity_follow *follow);

/* Stop giving events, and go on: for a slow reader. What is held back meanwhile
 * is read from the engine again, not kept in memory. */
void entity_follow_pause(struct entity_follow *follow, bool paused);

struct entity_stats
{
    uint64_t steps; /* taken */
    uint64_t refused;
    uint64_t commits; /* so many steps a commit */
    uint64_t replays; /* answered by an idempotency key */
    uint64_t opened;  /* entities read into memory */
    uint32_t active;
    uint32_t waiting;
};
struct entity_stats entity_stats(const struct entity_host *host);

/* --- the format of an event (entity_record.c), for views and verify ------- */

/* The key under which events of a type lie, for watches: prefix, type, 0, 'e'.
 */
void entity_events_prefix(const struct entity_host *host, struct kan_slice type,
                          struct buffer *out);

/* Take an event apart: key behind entity_events_prefix(), value as kept.
 * arguments (TREE_STATE_BYTES_MAX bytes, or as large as any argument of the
 * type) receives the arguments. programs of kept versions are the host's.
 * KAN_CORRUPT. */
KAN_MUST_USE enum kan_err entity_event_read(const struct entity_host *host,
                                            struct kan_slice type,
                                            struct kan_slice key,
                                            struct kan_slice value,
                                            uint64_t revision, void *arguments,
                                            struct entity_event *ret_event);

/* The program of a version of a type that events may name: of the contract, or
 * kept from an older text. NULL: unknown. */
const struct program *entity_program(const struct entity_host *host,
                                     struct kan_slice type, uint32_t version);

#endif /* BLOCK_ENTITY_ENTITY_H */
