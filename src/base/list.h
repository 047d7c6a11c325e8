/* list.h - an intrusive doubly linked list, circular, with a head.
 *
 * An element is in at most one list by one link. Links are zero when they are
 * in none, so list_remove() twice is harmless. */

#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list
{
    struct list *next;
    struct list *prev;
};

/* The struct of type that holds link as its member. */
#define list_entry(link, type, member) \
    ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* Whether the link is in a list. */
static inline bool list_linked(const struct list *link)
{
    return link->next != NULL;
}

static inline void list_push(struct list *head, struct list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void list_remove(struct list *link)
{
    if (!link->next)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = NULL;
    link->prev = NULL;
}

/* The first link, or NULL. */
static inline struct list *list_first(const struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}

/* Take the first link out, or NULL. */
static inline struct list *list_pop(struct list *head)
{
    struct list *first = list_first(head);
    if (first)
        list_remove(first);
    return first;
}

/* Move all of from to the end of to. */
static inline void list_splice(struct list *to, struct list *from)
{
    struct list *link;
    while ((link = list_pop(from)) != NULL)
        list_push(to, link);
}

#endif /* BASE_LIST_H */
