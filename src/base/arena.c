/* arena.c - blocks that double, the newest first. */

#include "base/arena.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

enum
{
    BLOCK_MIN = 4096,
    BLOCK_MAX = 1 << 20 /* larger pieces get a block of their own */
};

struct arena_block
{
    struct arena_block *next;
    size_t size; /* of bytes */
    size_t used;
    max_align_t bytes[];
};

static struct arena_block *block_new(struct arena *arena, size_t size)
{
    size_t room = arena->blocks ? arena->blocks->size * 2 : BLOCK_MIN;
    struct arena_block *block;

    if (room > BLOCK_MAX)
        room = BLOCK_MAX;
    if (room < size)
        room = size;
    block = mem_zalloc(sizeof(*block) + room);
    if (!block)
        return NULL;
    block->size = room;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_give(struct arena *arena, size_t size)
{
    const size_t align = sizeof(max_align_t);
    struct arena_block *block = arena->blocks;
    void *piece;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + align - 1) / align * align;
    if (arena->bytes_max && size > arena->bytes_max - arena->bytes)
        return NULL;
    if (!block || size > block->size - block->used)
        block = block_new(arena, size);
    if (!block)
        return NULL;
    piece = (char *)block->bytes + block->used;
    block->used += size;
    arena->bytes += size;
    return piece;
}

char *arena_copy(struct arena *arena, struct kan_slice bytes)
{
    char *copy = arena_give(arena, bytes.size + 1);

    if (copy && bytes.size)
        memcpy(copy, bytes.bytes, bytes.size);
    return copy;
}

void arena_fini(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block) {
        struct arena_block *next = block->next;

        mem_free(block);
        block = next;
    }
    memset(arena, 0, sizeof(*arena));
}
