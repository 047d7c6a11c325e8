/* alloc.h - the one door to the heap.
 *
 * Everything in Kan allocates here, so that a test can fail the n-th
 * allocation and count what is still live. Safe from any thread. */

#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <kan/base.h>

/* size bytes, uninitialised and aligned for any type, or NULL. size 0 gives a
 * pointer that may be freed. Yours: free it with mem_free(). */
KAN_MUST_USE void *mem_alloc(size_t size);

/* As mem_alloc(), zeroed. */
KAN_MUST_USE void *mem_zalloc(size_t size);

/* Grow or shrink. NULL leaves the old block as it was. */
KAN_MUST_USE void *mem_realloc(void *block, size_t size);

/* A copy of size bytes and a NUL behind them, or NULL. */
KAN_MUST_USE char *mem_copy(const void *bytes, size_t size);

/* Free; NULL is ignored. Returns NULL, so that p = mem_free(p) clears p. */
void *mem_free(void *block);

/* Blocks allocated and not yet freed. */
int64_t mem_live(void);

/* Make allocations fail: the nth from now (1 is the next), and every later
 * one too when sticky. nth 0 ends it. For tests. */
void mem_fault(uint64_t nth, bool sticky);

/* Whether the fault set last has struck. */
bool mem_fault_struck(void);

#endif /* BASE_ALLOC_H */
