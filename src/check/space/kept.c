/* Interning: an index of numbers by hash, items in chunks that never move, and
 * their bytes in large blocks. Bytes are compared whenever hashes are equal, so
 * two items are never taken for one. */

#include "check/space/kept.h"

#include <sched.h>

#include "base/alloc.h"
#include "base/assert.h"

enum
{
    BLOCK_SIZE = 1 << 16,
    INDEX_FIRST = 256,
    MEMO_FIRST = 256,
    ALIGNMENT = 16
};

/* At the front of each block of bytes. */
struct block
{
    void *next;
    size_t size;
};

enum kan_err kept_take(struct kept_budget *budget, uint64_t size)
{
    uint64_t before =
        atomic_fetch_add_explicit(&budget->bytes, size, memory_order_relaxed);

    if (budget->bytes_max == 0 || before + size <= budget->bytes_max)
        return KAN_OK;
    kept_give(budget, size);
    return KAN_NOMEM;
}

void kept_give(struct kept_budget *budget, uint64_t size)
{
    atomic_fetch_sub_explicit(&budget->bytes, size, memory_order_relaxed);
}

/* Zeroed memory within the budget, or NULL. */
static void *take_zeroed(struct kept_budget *budget, uint64_t size)
{
    void *memory;

    if (kept_take(budget, size) != KAN_OK)
        return NULL;
    memory = mem_zalloc(size);
    if (!memory)
        kept_give(budget, size);
    return memory;
}

static void give_back(struct kept_budget *budget, void *memory, uint64_t size)
{
    if (memory)
        kept_give(budget, size);
    mem_free(memory);
}

/* --- a table -------------------------------------------------------------- */

static void lock(struct kept *kept)
{
    while (atomic_flag_test_and_set_explicit(&kept->busy, memory_order_acquire))
        sched_yield();
}

static void unlock(struct kept *kept)
{
    atomic_flag_clear_explicit(&kept->busy, memory_order_release);
}

enum kan_err kept_new(struct kept_budget *budget, struct kept **ret_kept)
{
    struct kept *kept = mem_zalloc(sizeof(*kept));

    if (!kept)
        return KAN_NOMEM;
    kept->budget = budget;
    atomic_flag_clear(&kept->busy);
    *ret_kept = kept;
    return KAN_OK;
}

static uint64_t chunk_bytes(void)
{
    return sizeof(struct kept_item) << KEPT_CHUNK_BITS;
}

struct kept *kept_free(struct kept *kept)
{
    void *block;

    if (!kept)
        return NULL;
    for (uint32_t i = 0; i < KEPT_CHUNKS && kept->chunks[i]; i++)
        give_back(kept->budget, kept->chunks[i], chunk_bytes());
    while ((block = kept->blocks) != NULL) {
        struct block *head = block;
        kept->blocks = head->next;
        give_back(kept->budget, block, head->size);
    }
    give_back(kept->budget, kept->index,
              (uint64_t)kept->index_size * sizeof(uint32_t));
    return mem_free(kept);
}

uint32_t kept_count(struct kept *kept)
{
    uint32_t count;

    lock(kept);
    count = kept->count;
    unlock(kept);
    return count;
}

static void index_put(uint32_t *index, uint32_t size, uint64_t hash,
                      uint32_t value)
{
    uint32_t at = (uint32_t)hash & (size - 1);

    while (index[at] != 0)
        at = (at + 1) & (size - 1);
    index[at] = value;
}

static enum kan_err index_grow(struct kept *kept)
{
    uint32_t size = kept->index_size ? kept->index_size * 2 : INDEX_FIRST;
    uint32_t *index =
        take_zeroed(kept->budget, (uint64_t)size * sizeof(uint32_t));

    if (!index)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < kept->count; i++)
        index_put(index, size, kept_at(kept, i)->hash.low, i + 1);
    give_back(kept->budget, kept->index,
              (uint64_t)kept->index_size * sizeof(uint32_t));
    kept->index = index;
    kept->index_size = size;
    return KAN_OK;
}

/* Room for size bytes, aligned; NULL when there is none. */
static uint8_t *room(struct kept *kept, size_t size)
{
    /* What is empty has an address, too. */
    size_t need = (size + (size == 0) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    uint8_t *bytes;

    if (need > kept->block_left) {
        size_t total = sizeof(struct block) + need;
        struct block *block;
        if (total < BLOCK_SIZE)
            total = BLOCK_SIZE;
        block = take_zeroed(kept->budget, total);
        if (!block)
            return NULL;
        block->next = kept->blocks;
        block->size = total;
        kept->blocks = block;
        kept->block = (uint8_t *)(block + 1);
        kept->block_left = total - sizeof(*block);
    }
    bytes = kept->block;
    kept->block += need;
    kept->block_left -= need;
    return bytes;
}

static enum kan_err add(struct kept *kept, struct path_id hash,
                        struct kan_slice bytes, uint32_t note,
                        uint32_t *ret_number)
{
    uint32_t number = kept->count;
    uint32_t chunk = number >> KEPT_CHUNK_BITS;
    struct kept_item *item;
    uint8_t *copy;

    if (chunk >= KEPT_CHUNKS)
        return KAN_NOMEM;
    if (!kept->chunks[chunk]) {
        kept->chunks[chunk] = take_zeroed(kept->budget, chunk_bytes());
        if (!kept->chunks[chunk])
            return KAN_NOMEM;
    }
    copy = room(kept, bytes.size);
    if (!copy)
        return KAN_NOMEM;
    if (bytes.size > 0)
        memcpy(copy, bytes.bytes, bytes.size);
    item = &kept->chunks[chunk][number & ((1u << KEPT_CHUNK_BITS) - 1)];
    item->hash = hash;
    item->bytes = copy;
    item->size = (uint32_t)bytes.size;
    item->note = note;
    kept->count++;
    index_put(kept->index, kept->index_size, hash.low, number + 1);
    *ret_number = number;
    return KAN_OK;
}

static bool same(const struct kept_item *item, struct path_id hash,
                 struct kan_slice bytes)
{
    return item->hash.low == hash.low && item->hash.high == hash.high &&
           item->size == bytes.size &&
           (bytes.size == 0 ||
            memcmp(item->bytes, bytes.bytes, bytes.size) == 0);
}

/* The number + 1, or 0. Allocates nothing. */
static uint32_t find(const struct kept *kept, struct path_id hash,
                     struct kan_slice bytes)
{
    uint32_t at = (uint32_t)hash.low;

    if (kept->index_size == 0)
        return 0;
    for (;; at++) {
        uint32_t place = kept->index[at & (kept->index_size - 1)];
        if (place == 0 || same(kept_at(kept, place - 1), hash, bytes))
            return place;
    }
}

enum kan_err kept_number(struct kept *kept, struct path_id hash,
                         struct kan_slice bytes, uint32_t note,
                         uint32_t *ret_number)
{
    enum kan_err err = KAN_OK;
    uint32_t place;

    lock(kept);
    place = find(kept, hash, bytes);
    if (place > 0) {
        *ret_number = place - 1;
    } else {
        if (kept->count * 2 >= kept->index_size)
            err = index_grow(kept);
        if (err == KAN_OK)
            err = add(kept, hash, bytes, note, ret_number);
    }
    unlock(kept);
    return err;
}

/* --- a memo --------------------------------------------------------------- */

static uint64_t memo_bytes(uint32_t size)
{
    return (uint64_t)size * (sizeof(uint64_t) + sizeof(uint32_t));
}

void kept_memo_fini(struct kept_memo *memo)
{
    if (memo->size > 0)
        kept_give(memo->budget, memo_bytes(memo->size));
    mem_free(memo->keys);
    mem_free(memo->values);
    memo->keys = NULL;
    memo->values = NULL;
    memo->size = 0;
    memo->count = 0;
}

static void memo_put(struct kept_memo *memo, uint64_t key, uint32_t value)
{
    uint32_t at = (uint32_t)kept_spread(key) & (memo->size - 1);

    while (memo->keys[at] != 0)
        at = (at + 1) & (memo->size - 1);
    memo->keys[at] = key + 1;
    memo->values[at] = value;
    memo->count++;
}

static enum kan_err memo_grow(struct kept_memo *memo)
{
    struct kept_memo grown = {.budget = memo->budget,
                              .size = memo->size ? memo->size * 2 : MEMO_FIRST};

    if (kept_take(memo->budget, memo_bytes(grown.size)) != KAN_OK)
        return KAN_NOMEM;
    grown.keys = mem_zalloc(grown.size * sizeof(*grown.keys));
    grown.values = mem_zalloc(grown.size * sizeof(*grown.values));
    if (!grown.keys || !grown.values) {
        kept_memo_fini(&grown);
        return KAN_NOMEM;
    }
    for (uint32_t i = 0; i < memo->size; i++) {
        if (memo->keys[i] != 0)
            memo_put(&grown, memo->keys[i] - 1, memo->values[i]);
    }
    kept_memo_fini(memo);
    *memo = grown;
    return KAN_OK;
}

enum kan_err kept_memo_set(struct kept_memo *memo, uint64_t key, uint32_t value)
{
    kan_assert(key != UINT64_MAX);
    if (memo->count * 2 >= memo->size) {
        enum kan_err err = memo_grow(memo);
        if (err != KAN_OK)
            return err;
    }
    memo_put(memo, key, value);
    return KAN_OK;
}
