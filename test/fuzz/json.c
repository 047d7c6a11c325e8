/* json.c - the JSON reader on any bytes: what it accepts must be a tree whose
 * slices lie in the input, whose indexes nest, and each of whose values is a
 * document again, of the same kind and text. */

#include "base/json.h"
#include "base/assert.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct kan_slice part, struct kan_slice whole)
{
    const char *from = whole.bytes;
    const char *at = part.bytes;
    return at >= from && at + part.size <= from + whole.size;
}

/* A value alone is what it was in its place. */
static void check_again(const struct json_node *node)
{
    struct json_tree tree = {0};
    kan_assert(json_parse(node->raw, NULL, &tree) == KAN_OK);
    kan_assert(tree.nodes[0].kind == node->kind);
    kan_assert(slice_equal(tree.nodes[0].raw, node->raw));
    kan_assert(slice_equal(tree.nodes[0].text, node->text));
    json_fini(&tree);
}

/* What the writer makes of a string reads as that string. */
static void check_written(struct kan_slice text)
{
    struct buffer out = BUFFER_INIT;
    struct json_tree tree = {0};
    json_append_string(&out, text);
    kan_assert(json_parse(buffer_slice(&out), NULL, &tree) == KAN_OK);
    kan_assert(slice_equal(tree.nodes[0].text, text));
    json_fini(&tree);
    buffer_fini(&out);
}

static void check_node(const struct json_tree *tree, uint32_t index,
                       struct kan_slice input)
{
    const struct json_node *node = &tree->nodes[index];
    uint32_t child = index + 1;

    kan_assert(node->raw.size > 0 && inside(node->raw, input));
    kan_assert(node->next > index && node->next <= tree->node_count);
    kan_assert(utf8_valid(node->name) && utf8_valid(node->text));
    if (node->expanded)
        kan_assert(node->kind == JSON_ARRAY || node->kind == JSON_OBJECT);
    else
        kan_assert(node->next == child);
    while (child < node->next) {
        kan_assert(inside(tree->nodes[child].raw, node->raw));
        child = tree->nodes[child].next;
    }
    kan_assert(child == node->next);
    check_again(node);
    if (node->kind == JSON_STRING)
        check_written(node->text);
}

static void check_input(struct kan_slice input,
                        const struct json_options *options)
{
    struct json_tree tree = {0};
    enum kan_err err = json_parse(input, options, &tree);

    if (err == KAN_OK) {
        kan_assert(tree.nodes[0].next == tree.node_count);
        kan_assert(utf8_valid(input));
        for (uint32_t i = 0; i < tree.node_count; i++)
            check_node(&tree, i, input);
    } else {
        kan_assert(err == KAN_INVALID);
        kan_assert(tree.message.size > 0 && tree.node_count == 0);
    }
    json_fini(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_options small = {
        .depth_max = 8, .nodes_max = 64, .raw = "value"};
    struct kan_slice input = kan_slice(data, size);

    check_input(input, NULL);
    check_input(input, &small);
    return 0;
}
