/* arena.h - memory that is given piece by piece and freed all at once. */

#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <kan/base.h>

struct arena_block;

/* Zeroed is empty. */
struct arena
{
    struct arena_block *blocks; /* the newest first */
    size_t bytes;               /* given so far */
    size_t bytes_max;           /* 0: without end; beyond it NULL is given */
};

/* size zeroed bytes, aligned for any type, good until arena_fini(); NULL when
 * memory ran out. A size of 0 gives a pointer that must not be read. */
void *arena_give(struct arena *arena, size_t size);

/* A copy of the bytes, with a NUL behind them; NULL as above. */
char *arena_copy(struct arena *arena, struct kan_slice bytes);

/* Free all. The arena is as new. */
void arena_fini(struct arena *arena);

#endif /* BASE_ARENA_H */
