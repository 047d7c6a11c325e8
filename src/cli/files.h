/* files.h - which store a command that works on files means. */

#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <kan/base.h>

#include "base/bytes.h"

/* The path of the store: file when it is given, else kan.db in the data
 * directory. Borrowed from out. */
static inline const char *store_path(struct buffer *out, const char *data_dir,
                                     const char *file)
{
    if (file)
        buffer_append_text(out, file);
    else
        buffer_print(out, "%s/kan.db", data_dir);
    return buffer_text(out);
}

#endif /* CLI_FILES_H */
