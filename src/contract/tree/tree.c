/* tree.c - the end of a tree, and its types in words. */

#include "contract/tree/tree.h"

#include <inttypes.h>

void tree_fini(struct tree *tree)
{
    arena_fini(&tree->arena);
    memset(tree, 0, sizeof *tree);
}

static void print_int(const struct tree_type *type, struct buffer *out)
{
    buffer_append_text(out, "int");
    if (type->min != INT64_MIN || type->max != INT64_MAX)
        buffer_print(out, "(%" PRId64 " .. %" PRId64 ")", type->min, type->max);
}

static void print_enum(const struct tree_type *type, struct buffer *out)
{
    for (uint32_t i = 0; i < type->name_count; i++) {
        if (i)
            buffer_append_text(out, " | ");
        buffer_append(out, type->names[i].text);
    }
}

static void print_map(const struct tree_type *type, struct buffer *out)
{
    buffer_append_text(out, type->kind == TREE_MAP ? "map(" : "set(");
    if (type->kind == TREE_MAP) {
        tree_type_print(type->key, out);
        buffer_append_text(out, ", ");
    }
    tree_type_print(type->of, out);
    buffer_print(out, ", %u)", type->size);
}

void tree_type_print(const struct tree_type *type, struct buffer *out)
{
    switch (type->kind) {
    case TREE_BOOL:
        buffer_append_text(out, "bool");
        break;
    case TREE_INT:
        print_int(type, out);
        break;
    case TREE_TEXT:
        buffer_print(out, "text(%u)", type->size);
        break;
    case TREE_ENUM:
        print_enum(type, out);
        break;
    case TREE_RECORD:
        buffer_append(out, type->name.text);
        break;
    case TREE_OPTIONAL:
        buffer_append_text(out, "optional ");
        tree_type_print(type->of, out);
        break;
    case TREE_SET:
    case TREE_MAP:
        print_map(type, out);
        break;
    case TREE_NONE_TYPE:
        buffer_append_text(out, "none");
        break;
    }
}
