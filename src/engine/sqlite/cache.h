/* cache.h - values in memory, bounded in bytes. For the loop alone.
 *
 * An entry says what a key is since a stamp: a value, or absence. It is shared:
 * the cache holds one reference, each answer on its way another, so an answer
 * stays good when the cache moves on. A stamp counts the groups of commits that
 * the loop has been told of (docs/design/sqlite.md, "Reads"). */

#ifndef SQLITE_CACHE_H
#define SQLITE_CACHE_H

#include <kan/base.h>

#include "base/hash.h"
#include "base/list.h"
#include "engine/engine.h"

/* What a key is. Never changed, but for its expiry, once others see it. */
struct sqlite_entry
{
    struct sqlite_entry *chain;
    struct list ring;
    uint64_t hash;
    uint32_t refs;
    bool cached;
    bool used; /* since the hand passed */
    uint32_t key_size;
    uint32_t value_size;
    uint64_t created; /* 0: the key is absent */
    uint64_t version;
    enum engine_ttl_kind ttl_kind;
    uint64_t expires_at;   /* engine_expires_at() */
    unsigned char bytes[]; /* key, value */
};

enum
{
    SQLITE_CACHE_TOUCHED = 1024
};

struct sqlite_cache
{
    struct hash_seed seed;
    struct sqlite_entry **buckets;
    uint32_t bucket_count; /* a power of two, or 0 */
    uint32_t count;
    uint64_t bytes;
    uint64_t bytes_max;
    struct list ring; /* its first is where the hand is */

    /* By hash: the newest stamp at which a key was written. What was read
     * from the file before that must not be put in any more. */
    uint64_t touched[SQLITE_CACHE_TOUCHED];
};

void sqlite_cache_init(struct sqlite_cache *cache, struct hash_seed seed,
                       uint64_t bytes_max);
void sqlite_cache_fini(struct sqlite_cache *cache);

/* An entry with one reference, absent and for ever; the caller fills in the
 * rest. From any thread. NULL: out of memory. */
struct sqlite_entry *sqlite_entry_new(struct kan_slice key,
                                      struct kan_slice value);

static inline struct sqlite_entry *sqlite_entry_ref(struct sqlite_entry *entry)
{
    entry->refs++;
    return entry;
}

/* NULL is ignored. */
void sqlite_entry_unref(struct sqlite_entry *entry);

static inline struct kan_slice sqlite_entry_key(
    const struct sqlite_entry *entry)
{
    return kan_slice(entry->bytes, entry->key_size);
}

static inline struct kan_slice sqlite_entry_value(
    const struct sqlite_entry *entry)
{
    return kan_slice(entry->bytes + entry->key_size, entry->value_size);
}

/* The entry of key, the cache's, or NULL. */
struct sqlite_entry *sqlite_cache_get(struct sqlite_cache *cache,
                                      struct kan_slice key);

/* Put in what was read from a snapshot at stamp (a reference is taken), unless
 * the key has been written since, or is there. */
void sqlite_cache_fill(struct sqlite_cache *cache, struct sqlite_entry *entry,
                       uint64_t stamp);

/* Note that key was written at stamp, and forget what was known of it. */
void sqlite_cache_drop(struct sqlite_cache *cache, struct kan_slice key,
                       uint64_t stamp);

/* As sqlite_cache_drop(), and put in what was written. */
void sqlite_cache_put(struct sqlite_cache *cache, struct sqlite_entry *entry,
                      uint64_t stamp);

#endif /* SQLITE_CACHE_H */
