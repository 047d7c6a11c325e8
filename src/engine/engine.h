/* engine.h - the waist: an ordered map from bytes to bytes in which every
 * commit has a revision.
 *
 * Blocks stand above, engines hang below, and neither knows the other's names.
 * A key has `created`, the revision of the put that found it absent or
 * expired, and `version`, the revision that last wrote it. Guards name either.
 * touch changes neither, so `created` is a fencing token that renewal keeps.
 *
 * A value is never readable before its commit is durable in the sense that the
 * engine promises. Requests follow the contract of env.h: the request's memory
 * is the caller's until its cb, cb runs exactly once and never inside the
 * call. What a request points to (keys, guards, writes, values) is copied by
 * the call. What an answer points to is borrowed until cb returns.
 *
 * One engine belongs to one loop. */

#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <kan/base.h>

#include "base/bytes.h"
#include "base/list.h"
#include "env/env.h"

struct engine;

/* --- what an engine promises ---------------------------------------------- */

enum engine_durable
{
    ENGINE_VOLATILE, /* gone with the process */
    ENGINE_ASYNC,    /* written, synced later: a power cut may lose it */
    ENGINE_FSYNC,    /* synced before the answer */
    ENGINE_QUORUM    /* on a majority before the answer */
};

/* Promises carry values. A profile masks them to another engine's: the lesser
 * of each pair (engine_promises_mask). */
struct engine_promises
{
    uint32_t ops_max;          /* guards and writes in one commit; one write
                                * guarded on its own key counts as 1. 1: no
                                * atomicity over keys */
    uint32_t commit_bytes_max; /* keys and values of one commit together */
    uint32_t key_max;          /* bytes; a key has at least one */
    uint32_t value_max;        /* bytes */
    uint32_t expiry_ms;        /* granularity of time to live; 0: none */
    uint32_t dedupe_ms;        /* how long at least a commit id is known; 0:
                                * ids are refused */
    enum engine_durable durable;
    bool guard_created; /* guards may name `created` */
    bool append;
    bool watch_from; /* watch from a cursor, none skipped; without it only
                      * from now on */
    bool scan;       /* ordered pages */
    bool linearizable;
    bool monotone_over_failover; /* revisions never repeat, whatever fails */
    bool shared;                 /* other processes see the same data */
};

/* The lesser of each pair. */
struct engine_promises engine_promises_mask(struct engine_promises engine,
                                            struct engine_promises profile);

/* KAN_OK when promises cover needs; else KAN_INVALID, and *why (at most
 * why_size bytes, with its NUL) says what is missing, as "needs append". A need
 * of zero or false asks for nothing. */
KAN_MUST_USE enum kan_err engine_promises_cover(
    const struct engine_promises *promises, const struct engine_promises *needs,
    char *why, size_t why_size);

/* --- requests ------------------------------------------------------------- */

enum engine_level
{
    ENGINE_LINEARIZABLE, /* 0: what is not said is strong */
    ENGINE_SEQUENTIAL,
    ENGINE_CAUSAL, /* not before at_least */
    ENGINE_EVENTUAL
};

enum engine_guard_kind
{
    ENGINE_IF_VERSION, /* the key is there and its version equals revision */
    ENGINE_IF_CREATED, /* the key is there and its created equals revision */
    ENGINE_IF_ABSENT,  /* the key is absent or expired */
    ENGINE_IF_PRESENT  /* the key is there */
};

struct engine_guard
{
    enum engine_guard_kind kind;
    struct kan_slice key;
    uint64_t revision;
};

enum engine_write_kind
{
    ENGINE_PUT,
    ENGINE_DELETE, /* of an absent key: nothing, and no event */
    ENGINE_TOUCH,  /* set the time to live; of an absent key: nothing */
    ENGINE_APPEND  /* put at key + revision (8 bytes, big endian) + index of
                    * the write in its commit (4 bytes, big endian) */
};

/* How long a written key lives. */
enum engine_ttl_kind
{
    ENGINE_FOREVER,
    ENGINE_TTL,  /* ttl_ms by the clock of the wall, running on over restarts */
    ENGINE_LEASE /* ttl_ms on a monotonic clock, afresh at full length whenever
                  * the engine opens: never shorter than promised */
};

struct engine_write
{
    enum engine_write_kind kind;
    enum engine_ttl_kind ttl_kind;
    struct kan_slice key;
    struct kan_slice value; /* PUT and APPEND */
    uint64_t ttl_ms;        /* > 0 unless FOREVER */
    bool cold; /* a hint: a get of the key is not expected soon, so its value
                * need not be held in memory */
};

enum engine_request_kind
{
    ENGINE_REQUEST_COMMIT,
    ENGINE_REQUEST_GET,
    ENGINE_REQUEST_SCAN,
    ENGINE_REQUEST_WATCH
};

/* What every request begins with. The fields marked in are the caller's to
 * set; the rest belongs to the engine until cb. */
struct engine_request
{
    void *data;           /* in: the caller's */
    uint64_t deadline_ns; /* in: env_now time; 0 means 30 s from now */

    struct engine *engine;
    enum kan_err err;
    uint8_t kind;     /* enum engine_request_kind */
    uint8_t state;    /* the front end's */
    struct list link; /* the engine's queue */
    struct list open; /* the front end's list of what is under way */
    struct env_timer timer;
    struct env_task task;
    void *op; /* the engine's own part */
};

enum
{
    ENGINE_ID_MAX = 64,            /* bytes of a commit id */
    ENGINE_KEYS_MAX = 1024,        /* keys in a get, items in a page */
    ENGINE_APPEND_SIZE = 12,       /* what an append adds to its key */
    ENGINE_PAGE_BYTES = 4 << 20,   /* of values in a page, at least one item */
    ENGINE_DEADLINE_MS = 30 * 1000 /* of a request that names none */
};

struct engine_commit;

/* KAN_OK: revision says which. KAN_CONFLICT: the guard at failed_guard does not
 * hold, nothing was written. REFUSED class: certainly no effect. UNKNOWN class:
 * it may have been applied; the same id asked again tells. BROKEN class: the
 * engine must be opened again.
 *
 * All guards are judged on the state before the commit; then the writes apply
 * in order, so that the same key may be written twice. An id is known once its
 * commit was answered KAN_OK or would have been, also when it changed nothing:
 * asked again, it gets the same revision and does nothing. A refused or
 * conflicting commit leaves no id behind: asked again, it is judged again. */
typedef void engine_commit_cb(struct engine_commit *commit, enum kan_err err);

struct engine_commit
{
    struct engine_request request;
    engine_commit_cb *cb;

    struct kan_slice id; /* in: dedupe key, at most ENGINE_ID_MAX bytes; empty
                          * for none */
    const struct engine_guard *guards; /* in */
    const struct engine_write *writes; /* in: at least one, or a guard */
    uint32_t guard_count;
    uint32_t write_count;

    uint64_t revision;     /* out, with KAN_OK: of this commit; a commit that
                            * changes nothing answers the current one */
    uint32_t failed_guard; /* out, with KAN_CONFLICT: the first that fails */
};

/* One key as an engine holds it. */
struct engine_item
{
    struct kan_slice key;
    struct kan_slice value; /* empty when keys_only */
    uint64_t created;       /* 0 when the key is absent */
    uint64_t version;
    uint64_t expires_ms; /* when it expires: wall clock in ms for TTL, 0 for
                          * FOREVER and LEASE */
};

struct engine_get;
typedef void engine_get_cb(struct engine_get *get, enum kan_err err);

/* All keys are read in one snapshot. A missing key is an item with created 0,
 * not an error. A revision that at_least names and that is not there yet is
 * waited for until the deadline. */
struct engine_get
{
    struct engine_request request;
    engine_get_cb *cb;

    const struct kan_slice *keys; /* in: key_count, at most 1,024 */
    uint32_t key_count;
    enum engine_level level;
    uint64_t at_least; /* in, CAUSAL: not before this revision */

    const struct engine_item *items; /* out: key_count, in the order asked */
    uint64_t revision;               /* out: of the snapshot */
};

struct engine_scan;
typedef void engine_scan_cb(struct engine_scan *scan, enum kan_err err);

/* An ordered page of what lives under a prefix. */
struct engine_scan
{
    struct engine_request request;
    engine_scan_cb *cb;

    struct kan_slice prefix; /* in */
    struct kan_slice after;  /* in: whole keys greater than this; empty: all */
    uint32_t limit;          /* in: 1..1,024 items */
    bool keys_only;
    enum engine_level level;
    uint64_t at_least;

    const struct engine_item *items; /* out */
    uint32_t item_count;
    bool more; /* out: the page was cut (by limit, or by 4 MiB of values) */
    uint64_t revision;
};

/* --- watching ------------------------------------------------------------- */

/* A place in the history of one store. A store id names the data, and the
 * incarnation changes when acknowledged commits may have been lost. */
struct engine_cursor
{
    uint64_t store;
    uint64_t incarnation;
    uint64_t revision; /* the last one seen; 0: from the beginning */
};

enum engine_change_kind
{
    ENGINE_CHANGE_PUT,
    ENGINE_CHANGE_DELETE,
    ENGINE_CHANGE_EXPIRE /* the sweep deleted it */
};

struct engine_change
{
    enum engine_change_kind kind;
    struct kan_slice key;
    struct kan_slice value;
    uint64_t created; /* of the key; for DELETE and EXPIRE of the one removed */
    uint64_t version; /* the revision of this commit */
};

struct engine_watch;

/* One call for each commit that changes something under the prefix, in order of
 * revision, none skipped, all of its changes together: one for each put and
 * append, and for each delete that found its key, in the order of the writes.
 * Touches are not reported. A failure (COMPACTED, CLOSED, CANCELED, IO, ...)
 * comes with change_count 0, once, last. Commits that were there already come
 * first. No call but the last follows engine_cancel(). */
typedef void engine_watch_cb(struct engine_watch *watch, enum kan_err err,
                             uint64_t revision,
                             const struct engine_change *changes,
                             uint32_t change_count);

/* request.deadline_ns is ignored: a watch lives until it is canceled. */
struct engine_watch
{
    struct engine_request request;
    engine_watch_cb *cb;

    struct kan_slice prefix;   /* in */
    struct engine_cursor from; /* in: what was seen last (revision 0: from the
                                * beginning); store 0: from now on */
};

/* --- an engine ------------------------------------------------------------ */

/* What is read from outside, at any time. */
struct engine_stats
{
    uint64_t commits;       /* applied */
    uint64_t conflicts;     /* refused by a guard */
    uint64_t reads;         /* keys asked for */
    uint64_t cache_hits;    /* of these, answered from memory */
    uint64_t groups;        /* transactions on disk */
    uint64_t bytes_written; /* to disk, as far as the engine can tell */
    uint64_t waiting;       /* requests under way */
    bool full;              /* the last commit found the disk full */
    bool broken;            /* must be opened again */
};

/* The methods of an engine. Every one is required. The front end (engine.c)
 * has validated the request against the promises, holds its deadline and
 * counts it; the engine owes exactly one engine_answer() for each. */
struct engine_ops
{
    const char *name; /* "sqlite" */

    /* Copy what is pointed to, and call engine_answer() later, never within
     * the call (request.task and env_defer() are there for that). */
    void (*commit)(struct engine *engine, struct engine_commit *commit);
    void (*get)(struct engine *engine, struct engine_get *get);
    void (*scan)(struct engine *engine, struct engine_scan *scan);

    /* Start to report. Ends by engine_answer() with the reason. */
    void (*watch)(struct engine *engine, struct engine_watch *watch);

    /* The request's deadline has passed (KAN_TIMEOUT), its owner lost interest
     * (KAN_CANCELED), or the engine closes (KAN_CLOSED; reads and watches
     * only). Called from the loop, never within another method. Undo it without
     * effect when that is still possible, let go of its memory, and call
     * engine_answer() with err before returning. */
    void (*cancel)(struct engine *engine, struct engine_request *request,
                   enum kan_err err);

    /* Called once, from the loop, when all reads and watches have ended. What
     * may still be open are commits: answer those that have not begun with
     * KAN_CLOSED, let those that have finish and answer them truly (cancel may
     * still come for them). Then engine_fini(), free the engine, call cb. */
    void (*close)(struct engine *engine, void *data, env_close_cb *cb);

    void (*stats)(struct engine *engine, struct engine_stats *ret_stats);
};

/* The part that all engines share; an engine's struct begins with it. */
struct engine
{
    unsigned magic;
    const struct engine_ops *ops;
    struct env *env;
    struct engine_promises promises;
    struct engine_cursor cursor; /* store, incarnation, newest revision that
                                  * can be read */
    const struct engine *behind; /* a wrapper's: whose cursor is its own */
    struct list open;            /* requests under way */
    uint32_t open_count;
    uint32_t open_max; /* 0 means 65,536; beyond it KAN_BUSY */
    bool closing;
    bool submitting;       /* within commit, get, scan or watch of ops */
    bool closed;           /* ops->close has been called */
    struct list canceling; /* open requests that were asked to end */
    struct env_task task;  /* carries out cancels and the close */
    void *close_data;
    env_close_cb *close_cb;
    struct buffer message; /* of the last failure, for a human */
};

/* --- for blocks ----------------------------------------------------------- */

/* Submit. KAN_INVALID when the request breaks a documented limit or asks for
 * what is not promised, KAN_BUSY when too many are under way, KAN_CLOSED.
 * engine_message() says more. */
KAN_MUST_USE enum kan_err engine_commit(struct engine *engine,
                                        struct engine_commit *commit,
                                        engine_commit_cb *cb);
KAN_MUST_USE enum kan_err engine_get(struct engine *engine,
                                     struct engine_get *get, engine_get_cb *cb);
KAN_MUST_USE enum kan_err engine_scan(struct engine *engine,
                                      struct engine_scan *scan,
                                      engine_scan_cb *cb);
KAN_MUST_USE enum kan_err engine_watch(struct engine *engine,
                                       struct engine_watch *watch,
                                       engine_watch_cb *cb);

/* Ask for an early end: cb still runs, later, with the true answer or
 * KAN_CANCELED. Nothing happens when the request has ended. */
void engine_cancel(struct engine_request *request);

/* End every request (KAN_CLOSED for what had no effect, the true answer for
 * what had begun), then free the engine and call cb (NULL is fine). From now
 * on the engine must not be used. */
void engine_close(struct engine *engine, void *data, env_close_cb *cb);

/* Where the engine stands: the newest revision that a read can see. */
struct engine_cursor engine_cursor(const struct engine *engine);

const struct engine_promises *engine_promises(const struct engine *engine);
struct engine_stats engine_stats(struct engine *engine);

/* One line about the last failure, for a human; "" when none. Borrowed until
 * the next call. */
const char *engine_message(struct engine *engine);

/* --- for engines ---------------------------------------------------------- */

/* Set up the shared part. Promises must be set before the first request. */
void engine_init(struct engine *engine, const struct engine_ops *ops,
                 struct env *env);

/* Undo engine_init(), when every request has been answered. The caller frees
 * the memory. */
void engine_fini(struct engine *engine);

/* The answer: runs cb at once, so the outs must be set. Never called within
 * commit, get, scan or watch. The engine must not touch the request after this
 * call, and its handle may be closing. */
void engine_answer(struct engine_request *request, enum kan_err err);

/* Report a commit to a watch: runs its cb at once, in which the watch may be
 * canceled (that is carried out later). Never called within watch. */
void engine_report(struct engine_watch *watch, uint64_t revision,
                   const struct engine_change *changes, uint32_t change_count);

/* Note a line about a failure. */
__attribute__((format(printf, 2, 3))) void engine_fail(struct engine *engine,
                                                       const char *format, ...);

/* --- rules that all engines share (rules.c): pure ------------------------- */

/* Whether the guard holds for the key as it is now (created 0: absent). */
bool engine_guard_holds(const struct engine_guard *guard, uint64_t created,
                        uint64_t version);

/* The key of an append: prefix, revision, index; out has prefix.size + 12. */
void engine_append_key(struct kan_slice prefix, uint64_t revision,
                       uint32_t index, void *out);

/* When what is written at wall_ms (clock of the wall) or now_ns (monotonic)
 * expires: in ms of the wall for ENGINE_TTL, in monotonic ns for ENGINE_LEASE,
 * 0 for ENGINE_FOREVER. What does not fit in 63 bits is cut to that. */
uint64_t engine_expires_at(enum engine_ttl_kind kind, uint64_t ttl_ms,
                           uint64_t wall_ms, uint64_t now_ns);

/* Whether it has expired: at its very instant it has. */
bool engine_expired(enum engine_ttl_kind kind, uint64_t expires_at,
                    uint64_t wall_ms, uint64_t now_ns);

/* Whether a cursor is of the history that here stands at the end of. When not,
 * its watch gets KAN_COMPACTED. */
bool engine_cursor_known(const struct engine_cursor *here,
                         const struct engine_cursor *from);

#endif /* ENGINE_ENGINE_H */
