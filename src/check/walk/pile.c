/* Items in blocks that never move. */

#include "check/walk/pile.h"

#include "base/alloc.h"
#include "base/assert.h"

_Static_assert(sizeof(struct pile_block) == PILE_BLOCK, "blocks are as named");

void pile_init(struct pile *pile, struct search *search)
{
    *pile = (struct pile){.search = search};
}

static void block_free(struct pile *pile, struct pile_block *block)
{
    if (!block)
        return;
    search_give(pile->search, sizeof *block);
    mem_free(block);
}

void pile_fini(struct pile *pile)
{
    while (pile->first)
        block_free(pile, pile_shift(pile));
    block_free(pile, pile->spare);
    *pile = (struct pile){0};
}

static struct pile_block *block_new(struct pile *pile)
{
    struct pile_block *block = pile->spare;

    pile->spare = NULL;
    if (!block && search_take(pile->search, sizeof *block)) {
        block = mem_alloc(sizeof *block);
        if (!block)
            search_give(pile->search, sizeof *block);
    }
    if (!block) {
        (void)search_halt_memory(pile->search);
        return NULL;
    }
    block->used = 0;
    block->count = 0;
    return block;
}

void pile_link(struct pile *pile, struct pile_block *block)
{
    block->before = pile->last;
    block->after = NULL;
    if (pile->last)
        pile->last->after = block;
    else
        pile->first = block;
    pile->last = block;
}

void *pile_room(struct pile *pile)
{
    struct pile_block *block = pile->last;

    if (!block || sizeof block->bytes - block->used < PILE_ITEM_MAX) {
        block = block_new(pile);
        if (!block)
            return NULL;
        pile_link(pile, block);
    }
    return (char *)block->bytes + block->used;
}

void pile_keep(struct pile *pile, size_t size)
{
    kan_assert(size <= PILE_ITEM_MAX && size % 8 == 0);
    pile->last->used += (uint32_t)size;
    pile->last->count++;
}

void pile_drop(struct pile *pile, const void *item)
{
    struct pile_block *block = pile->last;

    if (block->used == 0) {
        /* Room that was made and not kept: the item is one block down. */
        pile->last = block->before;
        pile->last->after = NULL;
        pile_return(pile, block);
        block = pile->last;
    }
    block->used = (uint32_t)((const char *)item - (const char *)block->bytes);
    block->count--;
    if (block->used == 0) {
        pile->last = block->before;
        if (pile->last)
            pile->last->after = NULL;
        else
            pile->first = NULL;
        pile_return(pile, block);
    }
}

struct pile_block *pile_shift(struct pile *pile)
{
    struct pile_block *block = pile->first;

    if (!block)
        return NULL;
    pile->first = block->after;
    if (pile->first)
        pile->first->before = NULL;
    else
        pile->last = NULL;
    return block;
}

void pile_return(struct pile *pile, struct pile_block *block)
{
    if (pile->spare)
        block_free(pile, block);
    else
        pile->spare = block;
}
