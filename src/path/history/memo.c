/* At most two thirds are in use, so that a miss ends soon. */

#include "path/history/memo.h"

#include "base/alloc.h"

enum
{
    SIZE_FIRST = 64
};

void memo_init(struct memo *memo, uint32_t words)
{
    *memo = (struct memo){.words = words};
}

void memo_fini(struct memo *memo)
{
    mem_free(memo->entries);
    *memo = (struct memo){0};
}

uint64_t memo_size(const struct memo *memo)
{
    return memo->size * (memo->words + 1) * sizeof *memo->entries;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* Where the entry stands, or the free place where it would. */
static uint64_t *place_of(const struct memo *memo, uint64_t head,
                          const uint64_t *mask)
{
    uint32_t stride = memo->words + 1;
    uint64_t hash = mix(0, head);
    for (uint32_t i = 0; i < memo->words; i++)
        hash = mix(hash, mask[i]);
    uint64_t at = hash & (memo->size - 1);
    for (;; at = (at + 1) & (memo->size - 1)) {
        uint64_t *entry = memo->entries + at * stride;
        if (!entry[0] ||
            (entry[0] == head &&
             memcmp(entry + 1, mask, memo->words * sizeof *mask) == 0))
            return entry;
    }
}

static uint64_t head_of(uint32_t at, uint32_t state)
{
    return ((uint64_t)at + 1) << 32 | state;
}

bool memo_has(const struct memo *memo, uint32_t at, uint32_t state,
              const uint64_t *mask)
{
    return memo->count && *place_of(memo, head_of(at, state), mask);
}

static enum kan_err grow(struct memo *memo, uint64_t bytes_max)
{
    uint32_t stride = memo->words + 1;
    struct memo wider = *memo;
    wider.size = memo->size ? memo->size * 2 : SIZE_FIRST;
    /* Both are there for a moment. */
    if (memo_size(&wider) + memo_size(memo) > bytes_max)
        return KAN_BUSY;
    wider.entries = mem_zalloc(memo_size(&wider));
    if (!wider.entries)
        return KAN_NOMEM;
    for (uint64_t i = 0; i < memo->size; i++) {
        const uint64_t *entry = memo->entries + i * stride;
        if (entry[0])
            memcpy(place_of(&wider, entry[0], entry + 1), entry,
                   stride * sizeof *entry);
    }
    mem_free(memo->entries);
    *memo = wider;
    return KAN_OK;
}

enum kan_err memo_add(struct memo *memo, uint32_t at, uint32_t state,
                      const uint64_t *mask, uint64_t bytes_max)
{
    if (memo->count >= memo->size / 3 * 2) {
        enum kan_err grown = grow(memo, bytes_max);
        if (grown != KAN_OK)
            return grown;
    }
    uint64_t *entry = place_of(memo, head_of(at, state), mask);
    if (entry[0])
        return KAN_OK;
    entry[0] = head_of(at, state);
    memcpy(entry + 1, mask, memo->words * sizeof *mask);
    memo->count++;
    return KAN_OK;
}
