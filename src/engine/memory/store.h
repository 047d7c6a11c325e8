/* store.h - the data of the memory engine: keys, expiry, history and known
 * commit ids. It knows no clock, loop or requests.
 *
 * A commit is copied into a struct store_commit, which owns everything that
 * applying it may need; so that applying never runs out of memory half way. */

#ifndef MEMORY_STORE_H
#define MEMORY_STORE_H

#include <kan/base.h>

#include "base/list.h"
#include "engine/engine.h"
#include "engine/memory/tree.h"

/* What time it is, on both clocks. */
struct store_clock
{
    uint64_t wall_ms;
    uint64_t now_ns;
};

/* A key and a value as one put wrote them; shared by the entry and by the
 * history, and never changed once applied. */
struct store_cell
{
    uint32_t refs;
    uint32_t key_size;
    uint32_t value_size;
    uint64_t created;
    uint64_t version;
    unsigned char bytes[]; /* key, then value */
};

/* A key that is there, though perhaps expired and not swept yet. */
struct store_entry
{
    struct tree_node by_key;
    struct tree_node by_time; /* in no tree when it lives for ever */
    struct store_cell *cell;
    enum engine_ttl_kind ttl_kind;
    uint64_t expires_at; /* engine_expires_at() */
    uint64_t mark;       /* the last commit that counted its bytes as freed */
};

/* What one commit changed, for watches. */
struct store_record
{
    struct tree_node by_revision;
    uint64_t revision;
    size_t bytes;
    uint32_t count;
    uint32_t capacity;
    struct store_cell **cells;      /* count, each with a reference */
    struct engine_change changes[]; /* slices point into the cells */
};

struct store
{
    struct tree keys;     /* entries by key */
    struct tree walls;    /* those with a TTL, by time and key */
    struct tree leases;   /* those with a LEASE, by time and key */
    struct tree feed;     /* records by revision */
    struct tree ids;      /* known commit ids */
    struct list ids_aged; /* the same, oldest first */
    uint64_t revision;    /* of the newest commit */
    uint64_t compacted;   /* the newest revision that the feed has lost */
    uint64_t bytes;       /* of keys, values and their nodes */
    uint64_t bytes_max;
    uint64_t feed_bytes;
    uint64_t feed_bytes_max;
    uint64_t id_bytes;
    uint64_t id_bytes_max;
    uint64_t dedupe_ns; /* how long an id is known */
    uint64_t marks;
    struct engine_change *scratch; /* room for the changes of any record */
    uint32_t scratch_count;
};

void store_init(struct store *store, uint64_t seed);
void store_fini(struct store *store);

/* A copy of what the commit asks for, or NULL: out of memory. */
struct store_commit;
struct store_commit *store_commit_new(const struct engine_commit *commit);
struct store_commit *store_commit_free(struct store_commit *commit);

/* Whether it gives a key a time to live. */
bool store_commit_mortal(const struct store_commit *commit);

/* Judge and apply. KAN_OK with the revision; KAN_CONFLICT with the guard;
 * KAN_FULL, KAN_BUSY (too many ids) or KAN_NOMEM with no effect. */
KAN_MUST_USE enum kan_err store_apply(struct store *store,
                                      struct store_commit *commit,
                                      struct store_clock clock,
                                      uint64_t *ret_revision,
                                      uint32_t *ret_failed_guard);

/* The entry of a key that is there and has not expired, or NULL. */
struct store_entry *store_lookup(const struct store *store,
                                 struct kan_slice key,
                                 struct store_clock clock);

/* The first such entry at or behind key (only behind, when beyond) under the
 * prefix, or NULL. */
struct store_entry *store_seek(const struct store *store,
                               struct kan_slice prefix, struct kan_slice key,
                               bool beyond, struct store_clock clock);

/* Commit the deletion of expired keys, at most 1,024. ret_more: there are more
 * to sweep right now. KAN_NOMEM leaves all as it was. */
KAN_MUST_USE enum kan_err store_sweep(struct store *store,
                                      struct store_clock clock, bool *ret_more);

/* Whether any key will expire. */
bool store_mortal(const struct store *store);

/* The first record behind a revision, or NULL. */
const struct store_record *store_record_after(const struct store *store,
                                              uint64_t revision);

/* What of a record is under the prefix, borrowed until the next call. */
uint32_t store_record_filter(struct store *store,
                             const struct store_record *record,
                             struct kan_slice prefix,
                             const struct engine_change **ret_changes);

static inline struct kan_slice store_cell_key(const struct store_cell *cell)
{
    return kan_slice(cell->bytes, cell->key_size);
}

static inline struct kan_slice store_cell_value(const struct store_cell *cell)
{
    return kan_slice(cell->bytes + cell->key_size, cell->value_size);
}

#endif /* MEMORY_STORE_H */
