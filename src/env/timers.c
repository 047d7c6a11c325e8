/* The binary heap behind every world's timers. */

#include "env/timers.h"

#include "base/alloc.h"
#include "base/assert.h"

enum
{
    CAPACITY_FIRST = 16
};

void timers_init(struct timers *timers)
{
    *timers = (struct timers){.order = 1};
}

void timers_fini(struct timers *timers)
{
    kan_assert(timers->count == 0);
    mem_free(timers->heap);
    *timers = (struct timers){0};
}

static bool before(const struct env_timer *a, const struct env_timer *b)
{
    if (a->due_ns != b->due_ns)
        return a->due_ns < b->due_ns;
    return a->order < b->order;
}

static void place(struct timers *timers, size_t at, struct env_timer *timer)
{
    timers->heap[at] = timer;
    timer->heap_index = at + 1;
}

static void sift_up(struct timers *timers, size_t at, struct env_timer *timer)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!before(timer, timers->heap[parent]))
            break;
        place(timers, at, timers->heap[parent]);
        at = parent;
    }
    place(timers, at, timer);
}

static void sift_down(struct timers *timers, size_t at, struct env_timer *timer)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count &&
            before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!before(timers->heap[child], timer))
            break;
        place(timers, at, timers->heap[child]);
        at = child;
    }
    place(timers, at, timer);
}

/* Put the timer where it belongs, the slot at being free. */
static void settle(struct timers *timers, size_t at, struct env_timer *timer)
{
    if (at > 0 && before(timer, timers->heap[(at - 1) / 2]))
        sift_up(timers, at, timer);
    else
        sift_down(timers, at, timer);
}

static enum kan_err grow(struct timers *timers)
{
    size_t capacity =
        timers->capacity ? timers->capacity * 2 : (size_t)CAPACITY_FIRST;
    if (capacity > SIZE_MAX / sizeof *timers->heap)
        return KAN_NOMEM;
    struct env_timer **heap =
        mem_realloc(timers->heap, capacity * sizeof *heap);
    if (!heap)
        return KAN_NOMEM;
    timers->heap = heap;
    timers->capacity = capacity;
    return KAN_OK;
}

enum kan_err timers_add(struct timers *timers, struct env_timer *timer,
                        uint64_t due_ns, uint64_t now_ns, env_timer_cb *cb)
{
    kan_assert(cb);
    if (!timer->heap_index) {
        if (timers->count == timers->capacity) {
            enum kan_err err = grow(timers);
            if (err)
                return err;
        }
        place(timers, timers->count++, timer);
    }
    kan_assert(timer->heap_index <= timers->count &&
               timers->heap[timer->heap_index - 1] == timer);
    timer->due_ns = due_ns > now_ns ? due_ns : now_ns;
    timer->order = timers->order++;
    timer->cb = cb;
    settle(timers, timer->heap_index - 1, timer);
    return KAN_OK;
}

void timers_remove(struct timers *timers, struct env_timer *timer)
{
    if (!timer->heap_index)
        return;
    size_t at = timer->heap_index - 1;
    kan_assert(at < timers->count && timers->heap[at] == timer);
    timer->heap_index = 0;
    struct env_timer *last = timers->heap[--timers->count];
    if (last != timer)
        settle(timers, at, last);
}

struct env_timer *timers_first(const struct timers *timers)
{
    return timers->count ? timers->heap[0] : NULL;
}

struct env_timer *timers_pop(struct timers *timers, uint64_t now_ns,
                             uint64_t before_order)
{
    struct env_timer *first = timers_first(timers);
    if (!first || first->due_ns > now_ns || first->order >= before_order)
        return NULL;
    timers_remove(timers, first);
    return first;
}
