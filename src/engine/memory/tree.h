/* tree.h - an ordered set of the caller's nodes, kept balanced by chance.
 *
 * A treap: the tree of a random insertion order, whatever the real order was,
 * so paths are about 2 ln n long. Chance is a sequence of the tree's own, drawn
 * from its seed: the same insertions give the same tree. Nothing allocates. */

#ifndef MEMORY_TREE_H
#define MEMORY_TREE_H

#include <stdbool.h>
#include <stdint.h>

/* The caller's, zeroed while it is in no tree; part of a larger struct. */
struct tree_node
{
    struct tree_node *parent;
    struct tree_node *left;
    struct tree_node *right;
    uint64_t priority; /* no child's is greater; never 0 while in a tree */
};

#define tree_entry(node, type, member) \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Below, at or above 0 as the node sorts before, with or behind the key. */
typedef int tree_compare(const struct tree_node *node, const void *key);

struct tree
{
    struct tree_node *root;
    tree_compare *compare;
    uint64_t seed;
};

void tree_init(struct tree *tree, tree_compare *compare, uint64_t seed);

/* The node of the key, or NULL. */
struct tree_node *tree_find(const struct tree *tree, const void *key);

/* The first node at or behind the key (only behind it, when beyond), or NULL.
 */
struct tree_node *tree_seek(const struct tree *tree, const void *key,
                            bool beyond);

struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_next(const struct tree_node *node);

/* Put in a node whose key is not there yet. */
void tree_insert(struct tree *tree, struct tree_node *node, const void *key);

/* Take out; nothing happens when the node is in no tree. */
void tree_remove(struct tree *tree, struct tree_node *node);

static inline bool tree_linked(const struct tree_node *node)
{
    return node->priority != 0;
}

#endif /* MEMORY_TREE_H */
