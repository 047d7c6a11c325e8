/* pile.h - items of many sizes one after the other, in blocks that never move.
 *
 * A stack when items are dropped from the top, a queue when blocks are taken
 * from the front. Blocks are charged to the search. Internal to the module. */

#ifndef CHECK_WALK_PILE_H
#define CHECK_WALK_PILE_H

#include "check/walk/search.h"

enum
{
    PILE_BLOCK = 256 * 1024,
    /* A header, a state of full size, and as many names of steps. */
    PILE_ITEM_MAX =
        64 + sizeof(struct space_state) + SPACE_STEPS_MAX * sizeof(uint64_t)
};

struct pile_block
{
    struct pile_block *before;
    struct pile_block *after;
    uint32_t used;  /* bytes */
    uint32_t count; /* items */
    uint32_t base;  /* the number of the first, if items have numbers */
    uint32_t unused;
    uint64_t bytes[(PILE_BLOCK - 32) / sizeof(uint64_t)];
};

struct pile
{
    struct search *search;
    struct pile_block *first;
    struct pile_block *last;
    struct pile_block *spare; /* one, so that a stack at the edge of a block
                               * need not allocate each time */
};

void pile_init(struct pile *pile, struct search *search);
void pile_fini(struct pile *pile);

/* Where the next item will stand: room for PILE_ITEM_MAX bytes, aligned to 8.
 * NULL, and halted, when there is no memory. */
void *pile_room(struct pile *pile);

/* Keep size bytes of the room, a multiple of 8. */
void pile_keep(struct pile *pile, size_t size);

/* Drop the item at the top. */
void pile_drop(struct pile *pile, const void *item);

/* Take the first block out; NULL when there is none. Give it back. */
struct pile_block *pile_shift(struct pile *pile);
void pile_return(struct pile *pile, struct pile_block *block);

/* Put a block that is owned by nobody behind the others. */
void pile_link(struct pile *pile, struct pile_block *block);

#endif /* CHECK_WALK_PILE_H */
