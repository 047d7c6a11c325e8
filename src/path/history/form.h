/* form.h - reads EDN and JSON, form by form: what histories are written in.
 *
 * One reader for both, since they differ little: commas are white space, a
 * colon behind a string that names a member is skipped. It is lax where that
 * does no harm; what it does not understand is an error with its line. */

#ifndef PATH_HISTORY_FORM_H
#define PATH_HISTORY_FORM_H

#include <kan/base.h>

#include "path/history/values.h"

struct form_reader
{
    struct kan_slice input; /* borrowed */
    size_t at;
    uint32_t line;       /* of at, from 1 */
    struct buffer ids;   /* of the elements of lists that are still open */
    struct buffer text;  /* of the string that was read last */
    const char *problem; /* after KAN_INVALID: what is wrong here; static */
};

void form_init(struct form_reader *reader, struct kan_slice input);
/* A zeroed reader is fine. */
void form_fini(struct form_reader *reader);

/* The next byte behind white space and comments, or -1 at the end. */
int form_peek(struct form_reader *reader);

/* Read a bare word (number, keyword, symbol). KAN_INVALID when none is next. */
KAN_MUST_USE enum kan_err form_word(struct form_reader *reader,
                                    struct kan_slice *ret_word);

/* Read a word or a string. The text is borrowed until the next string is read.
 * A keyword is without its colon. */
KAN_MUST_USE enum kan_err form_name(struct form_reader *reader,
                                    struct kan_slice *ret_name);

/* Read one form and add it to the values. KAN_INVALID, KAN_NOMEM, KAN_BUSY. */
KAN_MUST_USE enum kan_err form_value(struct form_reader *reader,
                                     struct value_table *values,
                                     uint32_t *ret_id);

/* Read one form and forget it. KAN_INVALID. */
KAN_MUST_USE enum kan_err form_skip(struct form_reader *reader);

#endif /* PATH_HISTORY_FORM_H */
