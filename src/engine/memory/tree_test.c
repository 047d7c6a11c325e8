/* The treap against a sorted array, and that it stays shallow. */

#include "engine/memory/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum
{
    NODES = 4096
};

struct number
{
    struct tree_node node;
    unsigned value;
};

static struct number numbers[NODES];

static int compare(const struct tree_node *node, const void *key)
{
    unsigned a = tree_entry(node, struct number, node)->value;
    unsigned b = *(const unsigned *)key;

    return a < b ? -1 : a > b;
}

static unsigned depth(const struct tree_node *node)
{
    unsigned left, right;

    if (!node)
        return 0;
    left = depth(node->left);
    right = depth(node->right);
    return 1 + (left > right ? left : right);
}

static void put(struct tree *tree, unsigned value)
{
    numbers[value].value = value;
    tree_insert(tree, &numbers[value].node, &value);
}

/* Every link, both ways, and the order of priorities. */
static void check(const struct tree *tree)
{
    const struct tree_node *node = tree_first(tree);
    unsigned at = 0;

    for (unsigned value = 0; value < NODES; value++) {
        struct tree_node *found = tree_find(tree, &value);
        struct tree_node *seek = tree_seek(tree, &value, false);
        struct tree_node *beyond = tree_seek(tree, &value, true);
        assert_int_equal(found != NULL, tree_linked(&numbers[value].node));
        if (!found) {
            assert_ptr_equal(seek, beyond);
            continue;
        }
        assert_ptr_equal(found, &numbers[value].node);
        assert_ptr_equal(seek, found);
        assert_ptr_equal(node, found);
        if (found->parent)
            assert_true(found->parent->priority >= found->priority);
        node = tree_next(node);
        assert_ptr_equal(node, beyond);
        at++;
    }
    assert_null(node);
    (void)at;
}

static void test_tree(void **state)
{
    struct tree tree;

    (void)state;
    tree_init(&tree, compare, 5);
    check(&tree);
    for (unsigned i = 0; i < NODES; i++)
        put(&tree, i); /* the worst order for a plain tree */
    check(&tree);
    assert_true(depth(tree.root) < 60);
    for (unsigned i = 0; i < NODES; i += 3)
        tree_remove(&tree, &numbers[i].node);
    tree_remove(&tree, &numbers[0].node); /* out already */
    check(&tree);
    for (unsigned i = 0; i < NODES; i += 6)
        put(&tree, i);
    check(&tree);
    while (tree.root)
        tree_remove(&tree, tree.root);
    check(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tree)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
