/* source.h - the text of a contract, and what is wrong with it.
 *
 * Every place in a contract is a span of bytes. Faults gather in order of
 * place, at most SOURCE_FAULTS_MAX, and print with the file, line and column,
 * the line itself, a caret and a hint. */

#ifndef CONTRACT_SOURCE_SOURCE_H
#define CONTRACT_SOURCE_SOURCE_H

#include <kan/base.h>

#include "base/bytes.h"

enum
{
    SOURCE_FAULTS_MAX = 20,     /* printed of one text */
    SOURCE_BYTES_MAX = 4 << 20, /* of one text */
    SOURCE_MESSAGE_MAX = 240,   /* bytes of a message, and of a hint */
    SOURCE_NAME_MAX = 64        /* bytes of a name in a contract */
};

/* Bytes [start, end) of the text. */
struct source_span
{
    uint32_t start;
    uint32_t end;
};

struct source_fault
{
    struct source_span span;
    char message[SOURCE_MESSAGE_MAX]; /* what is wrong, and what was expected */
    char hint[SOURCE_MESSAGE_MAX];    /* what to do; "" for none */
};

/* A text under its name. Everything is owned; zeroed is empty. */
struct source
{
    struct buffer name; /* "bank.kan", as given */
    struct buffer text;
    struct source_fault faults[SOURCE_FAULTS_MAX];
    uint32_t fault_count;
    uint32_t faults_more; /* found beyond the limit */
    uint32_t *lines;      /* where each begins */
    uint32_t line_count;
};

/* name and text are copied. KAN_NOMEM; KAN_FULL for a text beyond the limit. */
KAN_MUST_USE enum kan_err source_init(struct source *source,
                                      struct kan_slice name,
                                      struct kan_slice text);
void source_fini(struct source *source);

/* Note a fault. hint may be NULL. A second fault at the same start is
 * dropped: the first says more. */
__attribute__((format(printf, 4, 5))) void source_fault(struct source *source,
                                                        struct source_span span,
                                                        const char *hint,
                                                        const char *format,
                                                        ...);

/* The bytes of a span. */
struct kan_slice source_slice(const struct source *source,
                              struct source_span span);

/* Line and column of a byte, both from 1; a column is a code point. */
void source_place(const struct source *source, uint32_t offset,
                  uint32_t *ret_line, uint32_t *ret_column);

/* All faults, each as
 *     bank.kan:12:5: no field is named balanse
 *         12 |     balanse += amount
 *            |     ^^^^^^^
 *         did you mean balance?                                             */
void source_print(const struct source *source, struct buffer *out);

#endif /* CONTRACT_SOURCE_SOURCE_H */
