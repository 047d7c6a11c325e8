/* Component files from anywhere: read, or refused with a reason. The tree must
 * be one that can be walked. */

#include "node/yaml.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t walk(const struct yaml_tree *tree,
                     const struct yaml_node *parent)
{
    uint32_t count = 0;
    for (const struct yaml_node *child = yaml_first(tree, parent); child;
         child = yaml_next(tree, parent, child)) {
        kan_assert(child->next > (uint32_t)(child - tree->nodes));
        kan_assert(child->next <= parent->next);
        struct kan_slice name = yaml_name(tree, child);
        struct kan_slice text = yaml_text(tree, child);
        kan_assert(parent->kind != YAML_KIND_MAP || name.size > 0);
        kan_assert(parent->kind != YAML_KIND_SCALAR);
        kan_assert(name.size + text.size <= tree->texts.size);
        count += 1 + walk(tree, child);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml_tree tree = {0};
    enum kan_err err = yaml_parse(kan_slice(data, size), &tree);
    kan_assert(err == KAN_OK || err == KAN_INVALID);
    kan_assert(err == KAN_OK || tree.why.size > 0);
    uint32_t count = 0;
    for (const struct yaml_node *document =
             err == KAN_OK ? yaml_document(&tree, NULL) : NULL;
         document; document = yaml_document(&tree, document))
        count += 1 + walk(&tree, document);
    kan_assert(err != KAN_OK || count == tree.node_count);
    yaml_fini(&tree);
    return 0;
}
