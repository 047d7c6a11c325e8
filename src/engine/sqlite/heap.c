/* SQLite's allocator, on ours: so that a test can fail any allocation of it.
 *
 * SQLite asks for the size of a block, which our heap does not know, so each
 * block carries it in front. */

#include <sqlite3.h>

#include "base/alloc.h"
#include "engine/sqlite/sqlite.h"

enum
{
    HEAD = 16 /* keeps the alignment of the heap */
};

static void *heap_settle(unsigned char *block, int size)
{
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    return block + HEAD;
}

static void *heap_malloc(int size)
{
    return heap_settle(mem_alloc(HEAD + (size_t)size), size);
}

static void heap_free(void *block)
{
    if (block)
        mem_free((unsigned char *)block - HEAD);
}

static void *heap_realloc(void *block, int size)
{
    unsigned char *base = block ? (unsigned char *)block - HEAD : NULL;

    return heap_settle(mem_realloc(base, HEAD + (size_t)size), size);
}

static int heap_size(void *block)
{
    int size = 0;

    if (block)
        memcpy(&size, (unsigned char *)block - HEAD, sizeof size);
    return size;
}

static int heap_roundup(int size)
{
    return (size + 7) & ~7;
}

static int heap_init(void *data)
{
    (void)data;
    return SQLITE_OK;
}

static void heap_shutdown(void *data)
{
    (void)data;
}

void engine_sqlite_configure(void)
{
    static const sqlite3_mem_methods methods = {
        heap_malloc,  heap_free, heap_realloc,  heap_size,
        heap_roundup, heap_init, heap_shutdown, NULL};

    /* Both fail, without harm, when SQLite is in use already. */
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
