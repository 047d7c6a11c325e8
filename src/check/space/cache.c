/* The memory of outcomes: an open-addressed table of entries, at most half
 * full. */

#include "base/alloc.h"
#include "check/space/inside.h"

enum
{
    ENTRIES_FIRST = 1024
};

static uint64_t entry_bytes(uint32_t size)
{
    return (uint64_t)size * sizeof(struct entry);
}

static struct entry *put(struct entry *entries, uint32_t size,
                         const struct entry *entry)
{
    uint32_t at = (uint32_t)kept_spread(entry->key - 1) & (size - 1);

    while (entries[at].key != 0)
        at = (at + 1) & (size - 1);
    entries[at] = *entry;
    return &entries[at];
}

static enum kan_err grow(struct space_walker *walker)
{
    uint32_t size = walker->entry_size ? walker->entry_size * 2 : ENTRIES_FIRST;
    struct kept_budget *budget = &walker->space->budget;
    struct entry *entries;

    if (kept_take(budget, entry_bytes(size)) != KAN_OK)
        return KAN_NOMEM;
    entries = mem_zalloc(entry_bytes(size));
    if (!entries) {
        kept_give(budget, entry_bytes(size));
        return KAN_NOMEM;
    }
    for (uint32_t i = 0; i < walker->entry_size; i++) {
        if (walker->entries[i].key != 0)
            put(entries, size, &walker->entries[i]);
    }
    kept_give(budget, entry_bytes(walker->entry_size));
    mem_free(walker->entries);
    walker->entries = entries;
    walker->entry_size = size;
    return KAN_OK;
}

enum kan_err entries_init(struct space_walker *walker)
{
    return grow(walker);
}

void entries_fini(struct space_walker *walker)
{
    kept_give(&walker->space->budget, entry_bytes(walker->entry_size));
    walker->entries = mem_free(walker->entries);
    walker->entry_size = 0;
}

enum kan_err entry_add(struct space_walker *walker, const struct entry *entry,
                       const struct entry **ret_entry)
{
    if (walker->entry_count * 2 >= walker->entry_size) {
        enum kan_err err = grow(walker);
        if (err != KAN_OK)
            return err;
    }
    *ret_entry = put(walker->entries, walker->entry_size, entry);
    walker->entry_count++;
    return KAN_OK;
}
