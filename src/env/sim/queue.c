/* A pairing heap inside the events (Fredman, Sedgewick, Sleator, Tarjan: The
 * pairing heap, 1986). It needs no memory of its own, so that what must not
 * fail can be scheduled. */

#include "env/sim/world.h"

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    if (a->due_ns != b->due_ns)
        return a->due_ns < b->due_ns;
    if (a->tie != b->tie)
        return a->tie < b->tie;
    return a->order < b->order;
}

/* One tree of two; either may be NULL. Neither has siblings. */
static struct sim_event *meld(struct sim_event *a, struct sim_event *b)
{
    if (!a || !b)
        return a ? a : b;
    if (before(b, a)) {
        struct sim_event *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    b->prev = a;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    return a;
}

/* One tree of a list of siblings: pairs from left to right, then all of those
 * from right to left, in two loops instead of a recursion. */
static struct sim_event *meld_all(struct sim_event *list)
{
    struct sim_event *pairs = NULL;
    while (list) {
        struct sim_event *a = list;
        struct sim_event *b = a->next;
        list = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct sim_event *root = NULL;
    while (pairs) {
        struct sim_event *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

void sim_queue_push(struct sim_queue *queue, struct sim_event *event)
{
    kan_assert(!event->armed);
    event->armed = true;
    event->child = event->next = event->prev = NULL;
    queue->first = meld(queue->first, event);
}

static void unlink_from_parent(struct sim_event *event)
{
    if (event->prev->child == event)
        event->prev->child = event->next;
    else
        event->prev->next = event->next;
    if (event->next)
        event->next->prev = event->prev;
}

void sim_queue_remove(struct sim_queue *queue, struct sim_event *event)
{
    if (!event->armed)
        return;
    struct sim_event *rest = meld_all(event->child);
    if (queue->first == event) {
        queue->first = rest;
    } else {
        unlink_from_parent(event);
        queue->first = meld(queue->first, rest);
    }
    event->armed = false;
    event->child = event->next = event->prev = NULL;
}
