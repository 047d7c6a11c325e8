/* format.h - the lines between the two halves of tree_format(): format.c cuts
 * the tokens into lines, format_align.c lays neighbouring lines out. */

#ifndef CONTRACT_TREE_FORMAT_H
#define CONTRACT_TREE_FORMAT_H

#include "contract/tree/lex.h"

enum
{
    FORMAT_COLUMNS = 120,
    FORMAT_INDENT = 4,
    FORMAT_STOPS = 2
};

/* A place in a line where spaces may be put so that it stands below the same
 * place of the line above. */
struct format_stop
{
    uint32_t at;    /* offset in the text; 0: there is none */
    uint32_t width; /* of what ends in one column; 0: what begins there */
    uint32_t pad;
};

struct format_line
{
    uint32_t start; /* of its text, without indentation, in texts */
    uint32_t size;  /* 0: a comment alone */
    uint32_t indent;
    enum lex_role role; /* of the item that begins in it; else LEX_PLAIN */
    bool blank;         /* a blank line stands before it */
    struct format_stop stops[FORMAT_STOPS];
    struct source_span comment; /* empty: none */
};

struct format_lines
{
    struct buffer texts;
    struct format_line *lines;
    uint32_t count;
    uint32_t capacity;
};

/* Append the lines to out, aligned. */
void format_align(const struct source *source, struct format_lines *lines,
                  struct buffer *out);

/* Columns of a text: its code points. */
uint32_t format_columns(struct kan_slice text);

#endif /* CONTRACT_TREE_FORMAT_H */
