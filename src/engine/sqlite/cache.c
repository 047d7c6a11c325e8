/* A hash table whose entries are evicted by CLOCK: the hand takes the first
 * entry that was not used since it last passed. */

#include "engine/sqlite/cache.h"

#include "base/alloc.h"
#include "base/assert.h"

enum
{
    BUCKETS_MIN = 256,
    SHARE = 8 /* one value may take so much of the whole */
};

void sqlite_cache_init(struct sqlite_cache *cache, struct hash_seed seed,
                       uint64_t bytes_max)
{
    memset(cache, 0, sizeof *cache);
    cache->seed = seed;
    cache->bytes_max = bytes_max;
    list_init(&cache->ring);
}

struct sqlite_entry *sqlite_entry_new(struct kan_slice key,
                                      struct kan_slice value)
{
    struct sqlite_entry *entry =
        mem_alloc(sizeof *entry + key.size + value.size);

    if (!entry)
        return NULL;
    memset(entry, 0, sizeof *entry);
    entry->refs = 1;
    entry->key_size = (uint32_t)key.size;
    entry->value_size = (uint32_t)value.size;
    if (key.size)
        memcpy(entry->bytes, key.bytes, key.size);
    if (value.size)
        memcpy(entry->bytes + key.size, value.bytes, value.size);
    return entry;
}

void sqlite_entry_unref(struct sqlite_entry *entry)
{
    if (entry && --entry->refs == 0)
        mem_free(entry);
}

/* With what the heap adds to a block. */
static uint64_t entry_bytes(const struct sqlite_entry *entry)
{
    return sizeof *entry + entry->key_size + entry->value_size + 16;
}

static struct sqlite_entry **cache_place(struct sqlite_cache *cache,
                                         uint64_t hash, struct kan_slice key)
{
    struct sqlite_entry **at;

    if (cache->bucket_count == 0)
        return NULL;
    at = &cache->buckets[hash & (cache->bucket_count - 1)];
    for (; *at; at = &(*at)->chain)
        if ((*at)->hash == hash && slice_equal(sqlite_entry_key(*at), key))
            return at;
    return at;
}

static void cache_remove(struct sqlite_cache *cache, struct sqlite_entry **at)
{
    struct sqlite_entry *entry = *at;

    *at = entry->chain;
    list_remove(&entry->ring);
    entry->cached = false;
    cache->count--;
    cache->bytes -= entry_bytes(entry);
    sqlite_entry_unref(entry);
}

/* Twice the buckets. Without memory for them the chains grow longer. */
static void cache_grow(struct sqlite_cache *cache)
{
    uint32_t count =
        cache->bucket_count ? cache->bucket_count * 2 : BUCKETS_MIN;
    struct sqlite_entry **buckets = mem_zalloc(count * sizeof *buckets);

    if (!buckets)
        return;
    for (uint32_t i = 0; i < cache->bucket_count; i++) {
        struct sqlite_entry *entry = cache->buckets[i], *next;
        for (; entry; entry = next) {
            struct sqlite_entry **at = &buckets[entry->hash & (count - 1)];
            next = entry->chain;
            entry->chain = *at;
            *at = entry;
        }
    }
    mem_free(cache->buckets);
    cache->buckets = buckets;
    cache->bucket_count = count;
}

/* Make room before the new entry comes, which nobody has used yet. */
static void cache_evict(struct sqlite_cache *cache, uint64_t room)
{
    while (cache->bytes + room > cache->bytes_max) {
        struct sqlite_entry *entry =
            list_entry(list_first(&cache->ring), struct sqlite_entry, ring);
        if (entry->used) {
            entry->used = false;
            list_remove(&entry->ring);
            list_push(&cache->ring, &entry->ring);
        } else {
            cache_remove(cache, cache_place(cache, entry->hash,
                                            sqlite_entry_key(entry)));
        }
    }
}

static void cache_insert(struct sqlite_cache *cache, struct sqlite_entry *entry)
{
    struct sqlite_entry **at;

    if (entry_bytes(entry) > cache->bytes_max / SHARE)
        return;
    cache_evict(cache, entry_bytes(entry));
    if (cache->count >= cache->bucket_count)
        cache_grow(cache);
    at = cache_place(cache, entry->hash, sqlite_entry_key(entry));
    if (!at)
        return;
    kan_assert(!*at && !entry->cached);
    *at = sqlite_entry_ref(entry);
    entry->chain = NULL;
    entry->cached = true;
    entry->used = false;
    list_push(&cache->ring, &entry->ring);
    cache->count++;
    cache->bytes += entry_bytes(entry);
}

struct sqlite_entry *sqlite_cache_get(struct sqlite_cache *cache,
                                      struct kan_slice key)
{
    struct sqlite_entry **at =
        cache_place(cache, hash_bytes(cache->seed, key), key);

    if (!at || !*at)
        return NULL;
    (*at)->used = true;
    return *at;
}

static uint64_t *cache_touched(struct sqlite_cache *cache, uint64_t hash)
{
    /* Other bits than those that choose a bucket. */
    return &cache->touched[(hash >> 32) % SQLITE_CACHE_TOUCHED];
}

void sqlite_cache_fill(struct sqlite_cache *cache, struct sqlite_entry *entry,
                       uint64_t stamp)
{
    struct sqlite_entry **at;

    if (entry->cached)
        return;
    entry->hash = hash_bytes(cache->seed, sqlite_entry_key(entry));
    if (*cache_touched(cache, entry->hash) > stamp)
        return;
    at = cache_place(cache, entry->hash, sqlite_entry_key(entry));
    if (!at || !*at)
        cache_insert(cache, entry);
}

static uint64_t cache_forget(struct sqlite_cache *cache, struct kan_slice key,
                             uint64_t stamp)
{
    uint64_t hash = hash_bytes(cache->seed, key);
    struct sqlite_entry **at = cache_place(cache, hash, key);

    *cache_touched(cache, hash) = stamp;
    if (at && *at)
        cache_remove(cache, at);
    return hash;
}

void sqlite_cache_drop(struct sqlite_cache *cache, struct kan_slice key,
                       uint64_t stamp)
{
    (void)cache_forget(cache, key, stamp);
}

void sqlite_cache_put(struct sqlite_cache *cache, struct sqlite_entry *entry,
                      uint64_t stamp)
{
    entry->hash = cache_forget(cache, sqlite_entry_key(entry), stamp);
    cache_insert(cache, entry);
}

void sqlite_cache_fini(struct sqlite_cache *cache)
{
    struct list *link;

    while (cache->bucket_count && (link = list_first(&cache->ring)) != NULL) {
        struct sqlite_entry *entry =
            list_entry(link, struct sqlite_entry, ring);
        cache_remove(cache,
                     cache_place(cache, entry->hash, sqlite_entry_key(entry)));
    }
    cache->buckets = mem_free(cache->buckets);
    cache->bucket_count = 0;
}
