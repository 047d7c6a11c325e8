/* json.h - strict JSON (RFC 8259) in, JSON out.
 *
 * The reader stands on yajl and closes what yajl lets through (the list is in
 * json.c; tested against jansson). It builds a flat tree in which every value
 * keeps its verbatim bytes, so that a state value is stored exactly as it was
 * sent. Depth and number of nodes are bounded; members named raw are checked
 * but not taken apart. */

#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <kan/base.h>

#include "base/bytes.h"

enum json_kind
{
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_node
{
    enum json_kind kind;
    uint32_t next;         /* index of the node behind this one and all in it */
    bool expanded;         /* its children are nodes (arrays and objects) */
    struct kan_slice name; /* decoded, when it is a member; else empty */
    struct kan_slice text; /* STRING: decoded; else as raw */
    struct kan_slice raw;  /* verbatim */
};

struct json_options
{
    uint32_t depth_max; /* 0 means 128 */
    uint32_t nodes_max; /* 0 means 65,536 */
    const char *raw;    /* members of this name, case aside, are not expanded;
                         * NULL: none */
};

/* Slices point into the input, or into the tree where escapes were decoded. */
struct json_tree
{
    struct json_node *nodes; /* [0] is the document */
    uint32_t node_count;
    uint32_t capacity;
    struct buffer message; /* after KAN_INVALID: what is wrong, and where, as
                            * "trailing garbage at line 1, column 5 (byte 4)";
                            * empty or cut when memory ran out for it */
    void *texts;           /* decoded strings */
};

/* Read one document and nothing behind it but white space. input is borrowed
 * as long as the tree is used; options may be NULL. KAN_INVALID with a message
 * in the tree, KAN_NOMEM. The tree is zeroed by the caller before, and given
 * to json_fini() in any case. */
KAN_MUST_USE enum kan_err json_parse(struct kan_slice input,
                                     const struct json_options *options,
                                     struct json_tree *tree);
void json_fini(struct json_tree *tree);

/* The member of an object whose name is equal, case of ASCII letters aside (an
 * exact match wins, then the last one), or NULL. */
const struct json_node *json_member(const struct json_tree *tree,
                                    const struct json_node *object,
                                    const char *name);

/* The first child of an expanded array or object, or NULL; and the one behind
 * child in parent, or NULL. */
const struct json_node *json_first(const struct json_tree *tree,
                                   const struct json_node *parent);
const struct json_node *json_next(const struct json_tree *tree,
                                  const struct json_node *parent,
                                  const struct json_node *child);

/* An integer without fraction or exponent that fits; KAN_INVALID otherwise. */
KAN_MUST_USE enum kan_err json_integer(const struct json_node *node,
                                       int64_t *ret_number);

/* Append text as a JSON string with its quotes. Escapes what must be, and <, >
 * and & as \u003c ..., as Dapr does, and as Go U+2028 and U+2029; each byte
 * that is not UTF-8 becomes \ufffd. */
void json_append_string(struct buffer *out, struct kan_slice text);

/* Append "name":  with a comma before it unless the buffer is empty or ends in
 * { [ or : */
void json_append_name(struct buffer *out, const char *name);

#endif /* BASE_JSON_H */
