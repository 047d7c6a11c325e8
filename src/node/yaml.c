/* libyaml's events, folded into a flat tree without recursion: the stack of
 * open lists and maps is an array of YAML_DEPTH_MAX places. */

#include "node/yaml.h"

#include <yaml.h>

#include "base/alloc.h"
#include "base/assert.h"

struct frame
{
    uint32_t node;
    bool named; /* a map: the next scalar is a value, its name has been read */
    size_t name_at;
    size_t name_size;
};

struct reader
{
    struct yaml_tree *tree;
    struct frame frames[YAML_DEPTH_MAX];
    uint32_t depth;
};

static enum kan_err refuse(struct yaml_tree *tree, size_t line,
                           const char *what)
{
    buffer_clear(&tree->why);
    buffer_print(&tree->why, "line %zu: %s", line, what);
    return KAN_INVALID;
}

/* Make room for one more node, and fill in what all nodes have. */
static enum kan_err add_node(struct reader *reader, enum yaml_kind kind,
                             size_t line)
{
    struct yaml_tree *tree = reader->tree;
    if (tree->node_count == YAML_NODES_MAX)
        return refuse(tree, line, "the file has too many values");
    if (tree->node_count == tree->capacity) {
        uint32_t capacity = tree->capacity ? tree->capacity * 2 : 64;
        struct yaml_node *nodes =
            mem_realloc(tree->nodes, capacity * sizeof *nodes);
        if (!nodes)
            return KAN_NOMEM;
        tree->nodes = nodes;
        tree->capacity = capacity;
    }
    struct yaml_node *node = &tree->nodes[tree->node_count++];
    *node = (struct yaml_node){
        .kind = kind, .line = (uint32_t)line, .next = tree->node_count};
    if (reader->depth) {
        struct frame *frame = &reader->frames[reader->depth - 1];
        node->name_at = frame->name_at;
        node->name_size = frame->name_size;
        frame->named = false;
    }
    return KAN_OK;
}

static bool in_map(const struct reader *reader)
{
    return reader->depth &&
           reader->tree->nodes[reader->frames[reader->depth - 1].node].kind ==
               YAML_KIND_MAP;
}

static enum kan_err add_name(struct reader *reader, const yaml_event_t *event,
                             size_t line)
{
    struct yaml_tree *tree = reader->tree;
    struct frame *frame = &reader->frames[reader->depth - 1];
    struct kan_slice name =
        kan_slice(event->data.scalar.value, event->data.scalar.length);
    struct yaml_node *map = &tree->nodes[frame->node];
    map->next = tree->node_count; /* so far; end() sets it for good */
    if (name.size == 0)
        return refuse(tree, line, "a key is empty");
    for (const struct yaml_node *child = yaml_first(tree, map); child;
         child = yaml_next(tree, map, child)) {
        if (slice_equal(yaml_name(tree, child), name)) {
            buffer_clear(&tree->why);
            buffer_print(&tree->why, "line %zu: '%.*s' is given twice", line,
                         SLICE_ARG(name));
            return KAN_INVALID;
        }
    }
    frame->name_at = tree->texts.size;
    frame->name_size = name.size;
    frame->named = true;
    buffer_append(&tree->texts, name);
    return buffer_failed(&tree->texts) ? KAN_NOMEM : KAN_OK;
}

static enum kan_err add_scalar(struct reader *reader, const yaml_event_t *event,
                               size_t line)
{
    struct yaml_tree *tree = reader->tree;
    if (in_map(reader) && !reader->frames[reader->depth - 1].named)
        return add_name(reader, event, line);
    enum kan_err err = add_node(reader, YAML_KIND_SCALAR, line);
    if (err != KAN_OK)
        return err;
    struct yaml_node *node = &tree->nodes[tree->node_count - 1];
    node->text_at = tree->texts.size;
    node->text_size = event->data.scalar.length;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    buffer_append(&tree->texts, kan_slice(event->data.scalar.value,
                                          event->data.scalar.length));
    return buffer_failed(&tree->texts) ? KAN_NOMEM : KAN_OK;
}

static enum kan_err begin(struct reader *reader, enum yaml_kind kind,
                          size_t line)
{
    if (in_map(reader) && !reader->frames[reader->depth - 1].named)
        return refuse(reader->tree, line, "a key must be a scalar");
    if (reader->depth == YAML_DEPTH_MAX)
        return refuse(reader->tree, line, "values are nested too deeply");
    enum kan_err err = add_node(reader, kind, line);
    if (err != KAN_OK)
        return err;
    reader->frames[reader->depth++] =
        (struct frame){.node = reader->tree->node_count - 1};
    return KAN_OK;
}

static void end(struct reader *reader)
{
    kan_assert(reader->depth > 0);
    struct frame *frame = &reader->frames[--reader->depth];
    reader->tree->nodes[frame->node].next = reader->tree->node_count;
}

static enum kan_err on_event(struct reader *reader, const yaml_event_t *event)
{
    size_t line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return add_scalar(reader, event, line);
    case YAML_SEQUENCE_START_EVENT:
        return begin(reader, YAML_KIND_LIST, line);
    case YAML_MAPPING_START_EVENT:
        return begin(reader, YAML_KIND_MAP, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        end(reader);
        return KAN_OK;
    case YAML_ALIAS_EVENT:
        return refuse(reader->tree, line,
                      "aliases (*name) are not read; repeat the value");
    default:
        return KAN_OK;
    }
}

static enum kan_err syntax(struct yaml_tree *tree, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return KAN_NOMEM;
    return refuse(tree, parser->problem_mark.line + 1,
                  parser->problem ? parser->problem : "not YAML");
}

enum kan_err yaml_parse(struct kan_slice input, struct yaml_tree *tree)
{
    if (input.size > YAML_SIZE_MAX)
        return refuse(tree, 1, "the file is larger than 1 MiB");
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return KAN_NOMEM;
    yaml_parser_set_input_string(
        &parser, input.size ? input.bytes : (const unsigned char *)"",
        input.size);
    struct reader reader = {.tree = tree};
    enum kan_err err = KAN_OK;
    for (bool more = true; more && err == KAN_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            err = syntax(tree, &parser);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        err = on_event(&reader, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return err;
}

void yaml_fini(struct yaml_tree *tree)
{
    mem_free(tree->nodes);
    buffer_fini(&tree->texts);
    buffer_fini(&tree->why);
    *tree = (struct yaml_tree){0};
}

static const struct yaml_node *at(const struct yaml_tree *tree, uint32_t index,
                                  uint32_t end_index)
{
    return index < end_index ? &tree->nodes[index] : NULL;
}

static uint32_t index_of(const struct yaml_tree *tree,
                         const struct yaml_node *node)
{
    return (uint32_t)(node - tree->nodes);
}

const struct yaml_node *yaml_document(const struct yaml_tree *tree,
                                      const struct yaml_node *previous)
{
    return at(tree, previous ? previous->next : 0, tree->node_count);
}

struct kan_slice yaml_name(const struct yaml_tree *tree,
                           const struct yaml_node *node)
{
    if (!node->name_size)
        return kan_slice(NULL, 0);
    return kan_slice(tree->texts.bytes + node->name_at, node->name_size);
}

struct kan_slice yaml_text(const struct yaml_tree *tree,
                           const struct yaml_node *node)
{
    if (!node->text_size)
        return kan_slice("", 0);
    return kan_slice(tree->texts.bytes + node->text_at, node->text_size);
}

bool yaml_null(const struct yaml_tree *tree, const struct yaml_node *node)
{
    if (!node)
        return true;
    if (node->kind != YAML_KIND_SCALAR || !node->plain)
        return false;
    struct kan_slice text = yaml_text(tree, node);
    return text.size == 0 || slice_equal(text, SLICE("~")) ||
           slice_equal_nocase(text, SLICE("null"));
}

const struct yaml_node *yaml_first(const struct yaml_tree *tree,
                                   const struct yaml_node *parent)
{
    return at(tree, index_of(tree, parent) + 1, parent->next);
}

const struct yaml_node *yaml_next(const struct yaml_tree *tree,
                                  const struct yaml_node *parent,
                                  const struct yaml_node *child)
{
    return at(tree, child->next, parent->next);
}

const struct yaml_node *yaml_member(const struct yaml_tree *tree,
                                    const struct yaml_node *map,
                                    const char *name)
{
    if (!map || map->kind != YAML_KIND_MAP)
        return NULL;
    for (const struct yaml_node *child = yaml_first(tree, map); child;
         child = yaml_next(tree, map, child)) {
        if (slice_equal(yaml_name(tree, child), kan_text(name)))
            return child;
    }
    return NULL;
}
