/* yaml.h - YAML read into a flat tree that knows its lines.
 *
 * Stands on libyaml's events. Aliases are refused (they are how a small file
 * becomes a large one), so are duplicate keys; depth, nodes and size are
 * bounded. Every value keeps the line it began on, for messages. */

#ifndef NODE_YAML_H
#define NODE_YAML_H

#include <kan/base.h>

#include "base/bytes.h"

enum
{
    YAML_SIZE_MAX = 1 << 20, /* bytes of a file */
    YAML_NODES_MAX = 20000,
    YAML_DEPTH_MAX = 32
};

enum yaml_kind
{
    YAML_KIND_SCALAR,
    YAML_KIND_LIST,
    YAML_KIND_MAP
};

struct yaml_node
{
    enum yaml_kind kind;
    uint32_t next; /* index of the node behind this one and all in it */
    uint32_t line; /* 1 is the first */
    bool plain;    /* a scalar without quotes, which may be null */
    size_t name_at;
    size_t name_size; /* 0 when it is no member of a map */
    size_t text_at;
    size_t text_size;
};

struct yaml_tree
{
    struct yaml_node *nodes;
    uint32_t node_count;
    uint32_t capacity;
    struct buffer texts; /* what name_at and text_at point into */
    struct buffer why;   /* after KAN_INVALID: "line 3: ..." */
};

/* Read every document of input; their roots stand one behind the other. The
 * tree is zeroed by the caller before, and given to yaml_fini() in any case.
 * KAN_INVALID with tree->why, or KAN_NOMEM. */
KAN_MUST_USE enum kan_err yaml_parse(struct kan_slice input,
                                     struct yaml_tree *tree);
void yaml_fini(struct yaml_tree *tree);

/* The first document, and the one behind; NULL at the end. */
const struct yaml_node *yaml_document(const struct yaml_tree *tree,
                                      const struct yaml_node *previous);

struct kan_slice yaml_name(const struct yaml_tree *tree,
                           const struct yaml_node *node);
struct kan_slice yaml_text(const struct yaml_tree *tree,
                           const struct yaml_node *node);

/* Whether the node is a plain scalar that YAML reads as null, or NULL. */
bool yaml_null(const struct yaml_tree *tree, const struct yaml_node *node);

/* The member of a map by name, or NULL. */
const struct yaml_node *yaml_member(const struct yaml_tree *tree,
                                    const struct yaml_node *map,
                                    const char *name);

/* The first child of a list or map, and the one behind child; NULL at the
 * end. */
const struct yaml_node *yaml_first(const struct yaml_tree *tree,
                                   const struct yaml_node *parent);
const struct yaml_node *yaml_next(const struct yaml_tree *tree,
                                  const struct yaml_node *parent,
                                  const struct yaml_node *child);

#endif /* NODE_YAML_H */
