/* The heap, counted, with a fault that a test can place.
 *
 * Counters are atomic because lanes allocate too. They cost a few nanoseconds,
 * so they are in every build: the code under test is the code that ships. */

#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>

static atomic_llong live;
static atomic_ullong fault_countdown;
static atomic_bool fault_sticky;
static atomic_bool fault_struck;

/* Count down to the fault. Exactly one allocation takes each number, whatever
 * thread it comes from. */
static bool fault_now(void)
{
    unsigned long long left =
        atomic_load_explicit(&fault_countdown, memory_order_relaxed);
    unsigned long long next;

    do {
        if (left == 0)
            return false;
        next = left > 1 || atomic_load(&fault_sticky) ? left - (left > 1) : 0;
    } while (!atomic_compare_exchange_weak(&fault_countdown, &left, next));
    if (left > 1)
        return false;
    atomic_store(&fault_struck, true);
    return true;
}

static void *counted(void *block)
{
    if (block)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return block;
}

void *mem_alloc(size_t size)
{
    return fault_now() ? NULL : counted(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size)
{
    return fault_now() ? NULL : counted(calloc(1, size ? size : 1));
}

void *mem_realloc(void *block, size_t size)
{
    if (!block)
        return mem_alloc(size);
    return fault_now() ? NULL : realloc(block, size ? size : 1);
}

char *mem_copy(const void *bytes, size_t size)
{
    char *copy = mem_alloc(size + 1);
    if (copy) {
        if (size)
            memcpy(copy, bytes, size);
        copy[size] = 0;
    }
    return copy;
}

void *mem_free(void *block)
{
    if (block)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    free(block);
    return NULL;
}

int64_t mem_live(void)
{
    return atomic_load(&live);
}

void mem_fault(uint64_t nth, bool sticky)
{
    atomic_store(&fault_sticky, sticky);
    atomic_store(&fault_struck, false);
    atomic_store(&fault_countdown, nth);
}

bool mem_fault_struck(void)
{
    return atomic_load(&fault_struck);
}
