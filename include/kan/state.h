/* kan/state.h - keys and values that last, at a level that the type names.
 *
 * A store is opened at a level, and each level is a type of its own:
 *   kan_strong    linearizable; compare-and-set; several keys in one commit;
 *   kan_causal    reads are never older than what this handle has seen;
 *   kan_eventual  reads may be old; writes are as durable as at any level.
 * A handle can be weakened, freely and by name (kan_strong_as_causal), and
 * never strengthened. What a level lacks has no function there, and a handle of
 * another level is refused by the compiler: handles are structs handed over by
 * value, and no C or C++ compiler takes one struct for another.
 *
 * Guarantees K-STATE-1 to K-STATE-12: docs/guarantees/state.md. In short: what
 * was acknowledged is durable and readable, values come back byte for byte, a
 * condition holds or nothing is written, a commit is all or nothing.
 *
 * Each verb has two forms. The blocking one runs the store's loop until it is
 * answered: for plain programs, and never inside a callback (that asserts). The
 * other, with async in its name, follows the contract of kan/loop.h.
 *
 *     #include <kan/state.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         struct kan_store_options options = {.path = "./.kan"};
 *         struct kan_value value = {0};
 *         char why[256];
 *         kan_strong store;
 *
 *         if (kan_strong_open(NULL, &options, why, sizeof(why), &store))
 *             return fprintf(stderr, "%s\n", why), 1;
 *         if (kan_strong_put(store, kan_text("greeting"), kan_text("hello"), 0,
 *                            NULL) ||
 *             kan_strong_get(store, kan_text("greeting"), &value))
 *             return fprintf(stderr, "%s\n", kan_strong_message(store)), 1;
 *         printf("%s\n", value.bytes);
 *         kan_value_fini(&value);
 *         kan_strong_close(store);
 *         return 0;
 *     }
 *
 * A store belongs to one loop, and so to one thread. Statuses are classed in
 * kan/base.h: after one of class UNKNOWN a write may have taken effect, so read
 * before you repeat it. */

#ifndef KAN_STATE_H
#define KAN_STATE_H

#include <kan/base.h>
#include <kan/loop.h>

KAN_BEGIN_DECLS

/* --- handles -------------------------------------------------------------- */

struct kan_store; /* what the handles of all levels point to */
struct kan_lock;  /* of kan/lock.h */

/* Copy handles as you like; all copies end when one of them is closed. */
typedef struct kan_strong
{
    struct kan_store *store; /* the library's */
} kan_strong;

typedef struct kan_causal
{
    struct kan_store *store; /* the library's */
} kan_causal;

typedef struct kan_eventual
{
    struct kan_store *store; /* the library's */
} kan_eventual;

/* The same store, asking for less. Costs nothing and keeps nothing alive. */
static inline kan_causal kan_strong_as_causal(kan_strong strong)
{
    kan_causal causal;
    causal.store = strong.store;
    return causal;
}

static inline kan_eventual kan_strong_as_eventual(kan_strong strong)
{
    kan_eventual eventual;
    eventual.store = strong.store;
    return eventual;
}

static inline kan_eventual kan_causal_as_eventual(kan_causal causal)
{
    kan_eventual eventual;
    eventual.store = causal.store;
    return eventual;
}

/* --- limits --------------------------------------------------------------- */

/* Beyond any of them a call is refused with KAN_INVALID. Values, and all of a
 * commit together, are bounded by the engine (kan engines shows how). */
enum
{
    KAN_KEY_MAX = 1024,    /* bytes of a key; at least one, and no || in it */
    KAN_PREFIX_MAX = 512,  /* bytes of a store's prefix */
    KAN_OPS_MAX = 1024,    /* operations of one commit, keys of one read */
    KAN_PAGE_MAX = 1000,   /* entries of one page */
    KAN_PAGE_DEFAULT = 100 /* entries when no limit is given */
};

/* --- options -------------------------------------------------------------- */

/* Zero means the default. */
struct kan_store_options
{
    const char *path; /* the data directory, as kan run --data-dir; made when
                       * it is absent. Needed by engine "sqlite" */

    const char *engine; /* "sqlite" (the default): durable, in the file kan.db
                         * of the directory. "memory": gone on close */

    struct kan_slice prefix; /* copied; put before every key. Empty: keys are
                              * stored as they are. A daemon with the app id
                              * orders keeps the key k of its stores as
                              * orders||k, so "orders||" shows its data */

    uint32_t timeout_ms; /* of a request that names none; 0 means 30,000 */
};

/* --- what is read --------------------------------------------------------- */

/* A value of your own. Zero it before its first use. */
struct kan_value
{
    char *bytes; /* size of them, and a NUL behind; NULL when there is none */
    size_t size;
    uint64_t revision;   /* that wrote it; 0: none */
    uint64_t expires_ms; /* milliseconds since 1970; 0: never */
};

/* Free the bytes; the value is as new. */
KAN_API void kan_value_fini(struct kan_value *value);

/* A key found by a list. */
struct kan_entry
{
    struct kan_slice key;
    uint64_t revision;   /* that wrote its value */
    uint64_t expires_ms; /* milliseconds since 1970; 0: never */
};

/* Which keys to list, in byte order. Zero means all, from the first. */
struct kan_list_options
{
    struct kan_slice prefix; /* only keys that begin with it */
    struct kan_slice after;  /* only keys greater than this one */
    uint32_t limit;          /* 1..KAN_PAGE_MAX; 0 means KAN_PAGE_DEFAULT */
};

/* A page of your own. Zero it before its first use. */
struct kan_page
{
    struct kan_entry *entries; /* their keys live as long as the page */
    uint32_t entry_count;      /* 0 only when nothing is left */
    bool more;                 /* ask again, after the last key */
    uint64_t revision;         /* of the snapshot that the page shows */
};

/* Free the entries and their keys; the page is as new. */
KAN_API void kan_page_fini(struct kan_page *page);

/* --- requests ------------------------------------------------------------- */

/* One key of a read. */
struct kan_item
{
    struct kan_slice key;
    struct kan_slice value;
    uint64_t revision;   /* that wrote it; 0: there is no such key */
    uint64_t expires_ms; /* milliseconds since 1970; 0: never */
};

/* Read keys, all in one snapshot. A key that is absent is an item with revision
 * 0, and no failure. */
struct kan_get
{
    void *data;                   /* in: yours */
    const struct kan_slice *keys; /* in: borrowed until cb */
    uint32_t key_count;           /* in: at most KAN_OPS_MAX */
    uint32_t timeout_ms;          /* in: 0 means the store's */
    const struct kan_item *items; /* out, with KAN_OK: key_count of them, in the
                                   * order asked; borrowed until cb returns */
    uint64_t revision;            /* out, with KAN_OK: of the snapshot */
    void *part;                   /* the library's */
};
typedef void kan_get_cb(struct kan_get *get, enum kan_err err);

/* Read a page of keys. */
struct kan_list
{
    void *data;                      /* in: yours */
    struct kan_list_options options; /* in: borrowed until cb */
    uint32_t timeout_ms;             /* in: 0 means the store's */
    const struct kan_entry *entries; /* out, with KAN_OK: borrowed until cb
                                      * returns */
    uint32_t entry_count;            /* out, with KAN_OK */
    bool more;                       /* out, with KAN_OK */
    uint64_t revision;               /* out, with KAN_OK */
    void *part;                      /* the library's */
};
typedef void kan_list_cb(struct kan_list *list, enum kan_err err);

/* Write one key, whatever it holds: what every level can. */
struct kan_write
{
    void *data;             /* in: yours */
    struct kan_slice key;   /* in: borrowed until cb */
    struct kan_slice value; /* in: for a put; borrowed until cb */
    uint32_t ttl_seconds;   /* in: for a put; 0: for ever */
    uint32_t timeout_ms;    /* in: 0 means the store's */
    uint64_t revision;      /* out, with KAN_OK */
    void *part;             /* the library's */
};
typedef void kan_write_cb(struct kan_write *write, enum kan_err err);

/* What an operation of a commit does to its key. */
enum kan_op_kind
{
    KAN_PUT,
    KAN_DELETE, /* of an absent key: nothing, and no failure */
    KAN_CHECK   /* write nothing: only the condition counts */
};

/* What must hold for the key before the commit, or nothing is written. */
enum kan_op_condition
{
    KAN_ALWAYS,
    KAN_IF_ABSENT,
    KAN_IF_REVISION /* it is there, and revision is what last wrote it */
};

/* One operation of a commit. */
struct kan_op
{
    enum kan_op_kind kind;
    enum kan_op_condition condition;
    struct kan_slice key;
    struct kan_slice value; /* KAN_PUT */
    uint64_t revision;      /* KAN_IF_REVISION: at least 1 */
    uint32_t ttl_seconds;   /* KAN_PUT; 0: for ever, whatever was before */
};

/* Carry out operations, all or none. Every condition is judged against the
 * state before the commit; of several operations on one key the last one
 * decides. */
struct kan_commit
{
    void *data;                  /* in: yours */
    const struct kan_op *ops;    /* in: borrowed until cb, keys and values
                                  * too */
    uint32_t op_count;           /* in: at most KAN_OPS_MAX */
    uint32_t timeout_ms;         /* in: 0 means the store's */
    const struct kan_lock *lock; /* in: a lock of kan/lock.h that must be held,
                                  * or nothing is written: KAN_FENCED. NULL:
                                  * none; borrowed for the call */
    uint64_t revision;           /* out, with KAN_OK: of this commit; a commit
                                  * that changes nothing gives the newest one */
    uint32_t failed_op;          /* out, with KAN_CONFLICT or KAN_INVALID: the
                                  * first whose condition or shape failed */
    void *part;                  /* the library's */
};
typedef void kan_commit_cb(struct kan_commit *commit, enum kan_err err);

/* A store is closed. */
typedef void kan_store_close_cb(void *data);

/* --- kan_strong ----------------------------------------------------------- */

/* Open the store under options, which are borrowed. loop NULL: the store makes
 * a loop of its own, for blocking calls. It reads and writes files before it
 * returns, so not within a callback.
 *
 * KAN_INVALID: the options are wrong, or the engine is not linearizable;
 * KAN_HELD: another process, or another store of this one, has the data
 * directory; KAN_IO, KAN_CORRUPT, KAN_FULL, KAN_NOMEM, KAN_BUSY (no descriptor
 * is left). why, unless NULL, is a buffer of why_size bytes that then receives
 * one line with the reason: who holds the directory, for one. Give the store to
 * kan_strong_close(). */
KAN_API KAN_MUST_USE enum kan_err kan_strong_open(
    kan_loop *loop, const struct kan_store_options *options, char *why,
    size_t why_size, kan_strong *ret_store);

/* Close, and wait until it is done: requests under way end first. A handle that
 * is zero is ignored. */
KAN_API void kan_strong_close(kan_strong store);

/* Close a store that was opened on a loop of yours. Requests end first, in the
 * order they were made; then cb runs, once, and every handle is gone. */
KAN_API void kan_strong_close_async(kan_strong store, void *data,
                                    kan_store_close_cb *cb);

/* One line about the last failure, for a human; "" when there was none.
 * Borrowed until the next call. */
KAN_API const char *kan_strong_message(kan_strong store);

/* Read the newest value. KAN_NOTFOUND when the key is absent or has expired.
 * The value is yours: kan_value_fini(). */
KAN_API KAN_MUST_USE enum kan_err kan_strong_get(kan_strong store,
                                                 struct kan_slice key,
                                                 struct kan_value *ret_value);

/* Write, whatever the key holds. ttl_seconds 0: for ever. ret_revision may be
 * NULL, here and below. */
KAN_API KAN_MUST_USE enum kan_err kan_strong_put(kan_strong store,
                                                 struct kan_slice key,
                                                 struct kan_slice value,
                                                 uint32_t ttl_seconds,
                                                 uint64_t *ret_revision);

/* Write if revision is what last wrote the key; 0: if the key is absent. Else
 * KAN_CONFLICT, and nothing is written. The value lives for ever; a commit can
 * give it a time to live. */
KAN_API KAN_MUST_USE enum kan_err kan_strong_put_if(kan_strong store,
                                                    struct kan_slice key,
                                                    uint64_t revision,
                                                    struct kan_slice value,
                                                    uint64_t *ret_revision);

/* Delete, whatever the key holds. KAN_OK also when it is absent. */
KAN_API KAN_MUST_USE enum kan_err kan_strong_delete(kan_strong store,
                                                    struct kan_slice key);

/* Delete if revision, at least 1, is what last wrote the key. Else
 * KAN_CONFLICT. */
KAN_API KAN_MUST_USE enum kan_err kan_strong_delete_if(kan_strong store,
                                                       struct kan_slice key,
                                                       uint64_t revision);

/* All of the operations or none: KAN_CONFLICT when a condition does not hold
 * (kan_strong_message() says which). */
KAN_API KAN_MUST_USE enum kan_err kan_strong_commit(kan_strong store,
                                                    const struct kan_op *ops,
                                                    uint32_t op_count,
                                                    uint64_t *ret_revision);

/* Read a page of keys. options NULL: the first page of all. The page is yours:
 * kan_page_fini(). */
KAN_API KAN_MUST_USE enum kan_err kan_strong_list(
    kan_strong store, const struct kan_list_options *options,
    struct kan_page *ret_page);

/* Submit a read, a commit, a list. What is returned instead of KAN_OK had no
 * effect: KAN_NOMEM, KAN_BUSY, KAN_CLOSED, or KAN_IO from an engine that broke.
 * cb gets every other status, KAN_INVALID too. */
KAN_API KAN_MUST_USE enum kan_err kan_strong_get_async(kan_strong store,
                                                       struct kan_get *get,
                                                       kan_get_cb *cb);
KAN_API KAN_MUST_USE enum kan_err kan_strong_commit_async(
    kan_strong store, struct kan_commit *commit, kan_commit_cb *cb);
KAN_API KAN_MUST_USE enum kan_err kan_strong_list_async(kan_strong store,
                                                        struct kan_list *list,
                                                        kan_list_cb *cb);

/* --- kan_causal ----------------------------------------------------------- */

/* As the functions of kan_strong with the same names, but that the engine need
 * not be linearizable, and that reads may be old, though never older than
 * kan_causal_seen(). */
KAN_API KAN_MUST_USE enum kan_err kan_causal_open(
    kan_loop *loop, const struct kan_store_options *options, char *why,
    size_t why_size, kan_causal *ret_store);
KAN_API void kan_causal_close(kan_causal store);
KAN_API void kan_causal_close_async(kan_causal store, void *data,
                                    kan_store_close_cb *cb);
KAN_API const char *kan_causal_message(kan_causal store);

/* The newest revision that this store's reads and writes have met, at any
 * level: what a read at this level is at least as new as. */
KAN_API uint64_t kan_causal_seen(kan_causal store);

/* Take note of a revision of this data that another process told of. Later
 * reads wait until the engine has it: KAN_TIMEOUT when it never does. Smaller
 * than what was seen: no effect. */
KAN_API void kan_causal_see(kan_causal store, uint64_t revision);

KAN_API KAN_MUST_USE enum kan_err kan_causal_get(kan_causal store,
                                                 struct kan_slice key,
                                                 struct kan_value *ret_value);
KAN_API KAN_MUST_USE enum kan_err kan_causal_put(kan_causal store,
                                                 struct kan_slice key,
                                                 struct kan_slice value,
                                                 uint32_t ttl_seconds,
                                                 uint64_t *ret_revision);
KAN_API KAN_MUST_USE enum kan_err kan_causal_delete(kan_causal store,
                                                    struct kan_slice key);
KAN_API KAN_MUST_USE enum kan_err kan_causal_list(
    kan_causal store, const struct kan_list_options *options,
    struct kan_page *ret_page);
KAN_API KAN_MUST_USE enum kan_err kan_causal_get_async(kan_causal store,
                                                       struct kan_get *get,
                                                       kan_get_cb *cb);
KAN_API KAN_MUST_USE enum kan_err kan_causal_put_async(kan_causal store,
                                                       struct kan_write *write,
                                                       kan_write_cb *cb);
KAN_API KAN_MUST_USE enum kan_err kan_causal_delete_async(
    kan_causal store, struct kan_write *write, kan_write_cb *cb);
KAN_API KAN_MUST_USE enum kan_err kan_causal_list_async(kan_causal store,
                                                        struct kan_list *list,
                                                        kan_list_cb *cb);

/* --- kan_eventual --------------------------------------------------------- */

/* As the functions of kan_strong with the same names, but that the engine need
 * not be linearizable, and that a read may miss writes that were acknowledged
 * before it. */
KAN_API KAN_MUST_USE enum kan_err kan_eventual_open(
    kan_loop *loop, const struct kan_store_options *options, char *why,
    size_t why_size, kan_eventual *ret_store);
KAN_API void kan_eventual_close(kan_eventual store);
KAN_API void kan_eventual_close_async(kan_eventual store, void *data,
                                      kan_store_close_cb *cb);
KAN_API const char *kan_eventual_message(kan_eventual store);
KAN_API KAN_MUST_USE enum kan_err kan_eventual_get(kan_eventual store,
                                                   struct kan_slice key,
                                                   struct kan_value *ret_value);
KAN_API KAN_MUST_USE enum kan_err kan_eventual_put(kan_eventual store,
                                                   struct kan_slice key,
                                                   struct kan_slice value,
                                                   uint32_t ttl_seconds);
KAN_API KAN_MUST_USE enum kan_err kan_eventual_delete(kan_eventual store,
                                                      struct kan_slice key);
KAN_API KAN_MUST_USE enum kan_err kan_eventual_list(
    kan_eventual store, const struct kan_list_options *options,
    struct kan_page *ret_page);
KAN_API KAN_MUST_USE enum kan_err kan_eventual_get_async(kan_eventual store,
                                                         struct kan_get *get,
                                                         kan_get_cb *cb);
KAN_API KAN_MUST_USE enum kan_err kan_eventual_put_async(
    kan_eventual store, struct kan_write *write, kan_write_cb *cb);
KAN_API KAN_MUST_USE enum kan_err kan_eventual_delete_async(
    kan_eventual store, struct kan_write *write, kan_write_cb *cb);
KAN_API KAN_MUST_USE enum kan_err kan_eventual_list_async(kan_eventual store,
                                                          struct kan_list *list,
                                                          kan_list_cb *cb);

KAN_END_DECLS

/* What a level lacks does not compile. C17 compilers would let a function that
 * is not there pass with a warning, so the names are taken out of the language:
 * compare-and-set and commits need a kan_strong, and no handle is made
 * stronger. */
#ifdef __GNUC__
#pragma GCC poison kan_causal_put_if kan_causal_delete_if
#pragma GCC poison kan_causal_commit kan_causal_commit_async
#pragma GCC poison kan_eventual_put_if kan_eventual_delete_if
#pragma GCC poison kan_eventual_commit kan_eventual_commit_async
#pragma GCC poison kan_eventual_see kan_eventual_seen
#pragma GCC poison kan_causal_as_strong kan_eventual_as_strong
#pragma GCC poison kan_eventual_as_causal
#endif

#endif /* KAN_STATE_H */
