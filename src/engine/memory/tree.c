/* A treap with links to the parents, so that a node is taken out and stepped
 * from without a search. Rotations keep the order of nodes and repair the order
 * of priorities. */

#include "engine/memory/tree.h"

#include <string.h>

#include "base/assert.h"

void tree_init(struct tree *tree, tree_compare *compare, uint64_t seed)
{
    tree->root = NULL;
    tree->compare = compare;
    tree->seed = seed;
}

/* The next number of the tree's own sequence (splitmix64), never 0. */
static uint64_t tree_draw(struct tree *tree)
{
    uint64_t z = tree->seed += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) | 1;
}

struct tree_node *tree_find(const struct tree *tree, const void *key)
{
    struct tree_node *node = tree->root;

    while (node) {
        int order = tree->compare(node, key);
        if (order == 0)
            break;
        node = order < 0 ? node->right : node->left;
    }
    return node;
}

struct tree_node *tree_seek(const struct tree *tree, const void *key,
                            bool beyond)
{
    struct tree_node *node = tree->root, *best = NULL;

    while (node) {
        int order = tree->compare(node, key);
        if (order > 0 || (order == 0 && !beyond)) {
            best = node;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return best;
}

struct tree_node *tree_first(const struct tree *tree)
{
    struct tree_node *node = tree->root;

    while (node && node->left)
        node = node->left;
    return node;
}

struct tree_node *tree_next(const struct tree_node *node)
{
    struct tree_node *up;

    if (node->right) {
        struct tree_node *down = node->right;
        while (down->left)
            down = down->left;
        return down;
    }
    while ((up = node->parent) != NULL && up->right == node)
        node = up;
    return up;
}

/* The link that points to the node. */
static struct tree_node **tree_link(struct tree *tree, struct tree_node *node)
{
    if (!node->parent)
        return &tree->root;
    return node->parent->left == node ? &node->parent->left
                                      : &node->parent->right;
}

/* Move the node above its parent, keeping the order. */
static void tree_lift(struct tree *tree, struct tree_node *node)
{
    struct tree_node *parent = node->parent, *child;
    struct tree_node **link = tree_link(tree, parent);

    if (parent->left == node) {
        child = node->right;
        node->right = parent;
        parent->left = child;
    } else {
        child = node->left;
        node->left = parent;
        parent->right = child;
    }
    if (child)
        child->parent = parent;
    node->parent = parent->parent;
    parent->parent = node;
    *link = node;
}

void tree_insert(struct tree *tree, struct tree_node *node, const void *key)
{
    struct tree_node **link = &tree->root, *parent = NULL;

    kan_assert(!tree_linked(node));
    while (*link) {
        int order;
        parent = *link;
        order = tree->compare(parent, key);
        kan_assert(order != 0);
        link = order < 0 ? &parent->right : &parent->left;
    }
    node->parent = parent;
    node->left = NULL;
    node->right = NULL;
    node->priority = tree_draw(tree);
    *link = node;
    while (node->parent && node->parent->priority < node->priority)
        tree_lift(tree, node);
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
    struct tree_node *child;

    if (!tree_linked(node))
        return;
    while (node->left && node->right)
        tree_lift(tree, node->left->priority > node->right->priority
                            ? node->left
                            : node->right);
    child = node->left ? node->left : node->right;
    *tree_link(tree, node) = child;
    if (child)
        child->parent = node->parent;
    memset(node, 0, sizeof *node);
}
