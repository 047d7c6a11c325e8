/* map.h - a hash map from bytes to pointers.
 *
 * Iteration is in the order of insertion, never of hashes or addresses, so two
 * runs that do the same see the same. The caller gives the seed (so that
 * clients cannot choose keys that collide) and the limit. */

#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <kan/base.h>

#include "base/hash.h"

struct map_entry;

struct map
{
    struct hash_seed seed;
    struct map_entry *entries; /* in order of insertion, with holes */
    uint32_t *index;           /* open addressing: 0, or place + 1 */
    uint32_t index_size;       /* a power of two, or 0 */
    uint32_t used;             /* entries and holes */
    uint32_t count;
    uint32_t count_max;
};

/* An empty map that holds at most count_max keys, from 1 to 2^28. Allocates
 * nothing. */
void map_init(struct map *map, struct hash_seed seed, uint32_t count_max);

/* Free what the map has allocated; the values are the caller's. A zeroed map
 * is fine. */
void map_fini(struct map *map);

static inline uint32_t map_count(const struct map *map)
{
    return map->count;
}

/* Set key (copied) to value, which must not be NULL. A key that is there keeps
 * its place in the order. ret_old, when not NULL, receives the value that was
 * replaced, or NULL. KAN_BUSY when the map is full, KAN_NOMEM; both leave it as
 * it was. */
KAN_MUST_USE enum kan_err map_put(struct map *map, struct kan_slice key,
                                  void *value, void **ret_old);

/* The value of key, or NULL. */
void *map_get(const struct map *map, struct kan_slice key);

/* Take key out. Returns its value, or NULL when it was not there. */
void *map_remove(struct map *map, struct kan_slice key);

/* Visit each key: start with *cursor 0 and call until it returns false. The
 * key is borrowed until it is removed. Keys may be removed between two calls,
 * none added. Both results may be NULL. */
bool map_next(const struct map *map, uint32_t *cursor,
              struct kan_slice *ret_key, void **ret_value);

#endif /* BASE_MAP_H */
