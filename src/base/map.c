/* Entries stand in an array in the order of insertion; a table of their places,
 * probed linearly and at most half full, finds them. Removal leaves a hole in
 * the array, closed when the array is next rebuilt, and none in the table. */

#include "base/map.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

struct map_entry
{
    uint64_t hash;
    struct kan_slice key; /* of mem_copy(); bytes NULL in a hole */
    void *value;
};

enum
{
    MAP_SIZE_MIN = 16
};

void map_init(struct map *map, struct hash_seed seed, uint32_t count_max)
{
    kan_assert(count_max > 0 && count_max <= UINT32_C(1) << 28);
    *map = (struct map){.seed = seed, .count_max = count_max};
}

void map_fini(struct map *map)
{
    for (uint32_t i = 0; i < map->used; i++)
        mem_free((void *)(uintptr_t)map->entries[i].key.bytes);
    mem_free(map->entries);
    mem_free(map->index);
    *map = (struct map){0};
}

/* The slot of the table that holds key, or the free one where it would be. The
 * table must not be empty; it always has a free slot. */
static uint32_t find_slot(const struct map *map, uint64_t hash,
                          struct kan_slice key)
{
    uint32_t mask = map->index_size - 1;
    uint32_t slot = (uint32_t)hash & mask;

    while (map->index[slot]) {
        const struct map_entry *entry = &map->entries[map->index[slot] - 1];
        if (entry->hash == hash && slice_equal(entry->key, key))
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

/* Move the entries, without holes, to arrays for twice the keys there are. */
static enum kan_err rebuild(struct map *map)
{
    uint32_t size = MAP_SIZE_MIN;
    while (size < map->count * 2)
        size *= 2;
    struct map_entry *entries = mem_alloc(size * sizeof *entries);
    uint32_t *index = mem_zalloc(2 * (size_t)size * sizeof *index);
    if (!entries || !index) {
        mem_free(entries);
        mem_free(index);
        return KAN_NOMEM;
    }
    uint32_t mask = 2 * size - 1;
    uint32_t used = 0;
    for (uint32_t i = 0; i < map->used; i++) {
        if (!map->entries[i].key.bytes)
            continue;
        uint32_t slot = (uint32_t)map->entries[i].hash & mask;
        while (index[slot])
            slot = (slot + 1) & mask;
        entries[used] = map->entries[i];
        index[slot] = ++used;
    }
    mem_free(map->entries);
    mem_free(map->index);
    map->entries = entries;
    map->index = index;
    map->index_size = 2 * size;
    map->used = used;
    return KAN_OK;
}

enum kan_err map_put(struct map *map, struct kan_slice key, void *value,
                     void **ret_old)
{
    kan_assert(value != NULL);
    uint64_t hash = hash_bytes(map->seed, key);
    if (map->count > 0) {
        uint32_t place = map->index[find_slot(map, hash, key)];
        if (place) {
            struct map_entry *entry = &map->entries[place - 1];
            if (ret_old)
                *ret_old = entry->value;
            entry->value = value;
            return KAN_OK;
        }
    }
    if (map->count >= map->count_max)
        return KAN_BUSY;
    if (map->used >= map->index_size / 2 && rebuild(map) != KAN_OK)
        return KAN_NOMEM;
    char *copy = mem_copy(key.bytes, key.size);
    if (!copy)
        return KAN_NOMEM;
    uint32_t slot = find_slot(map, hash, key);
    map->entries[map->used] =
        (struct map_entry){hash, kan_slice(copy, key.size), value};
    map->index[slot] = ++map->used;
    map->count++;
    if (ret_old)
        *ret_old = NULL;
    return KAN_OK;
}

void *map_get(const struct map *map, struct kan_slice key)
{
    if (map->count == 0)
        return NULL;
    uint64_t hash = hash_bytes(map->seed, key);
    uint32_t place = map->index[find_slot(map, hash, key)];
    return place ? map->entries[place - 1].value : NULL;
}

/* Free a slot by moving back what was probed past it (Knuth, vol. 3, 6.4,
 * algorithm R), so that no probe ends too early. */
static void free_slot(struct map *map, uint32_t slot)
{
    uint32_t mask = map->index_size - 1;
    uint32_t from = slot;

    for (;;) {
        from = (from + 1) & mask;
        uint32_t place = map->index[from];
        if (!place)
            break;
        uint32_t home = (uint32_t)map->entries[place - 1].hash & mask;
        if (((from - home) & mask) >= ((from - slot) & mask)) {
            map->index[slot] = place;
            slot = from;
        }
    }
    map->index[slot] = 0;
}

void *map_remove(struct map *map, struct kan_slice key)
{
    if (map->count == 0)
        return NULL;
    uint64_t hash = hash_bytes(map->seed, key);
    uint32_t slot = find_slot(map, hash, key);
    uint32_t place = map->index[slot];
    if (!place)
        return NULL;
    free_slot(map, slot);
    struct map_entry *entry = &map->entries[place - 1];
    void *value = entry->value;
    mem_free((void *)(uintptr_t)entry->key.bytes);
    *entry = (struct map_entry){0};
    map->count--;
    return value;
}

bool map_next(const struct map *map, uint32_t *cursor,
              struct kan_slice *ret_key, void **ret_value)
{
    while (*cursor < map->used) {
        const struct map_entry *entry = &map->entries[(*cursor)++];
        if (!entry->key.bytes)
            continue;
        if (ret_key)
            *ret_key = entry->key;
        if (ret_value)
            *ret_value = entry->value;
        return true;
    }
    return false;
}
