/* files.h - which store a command that works on files means; and whole files
 * read and written. */

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

enum
{
    FILE_READ_MAX = 256 << 20 /* bytes */
};

/* Append all of the file. Returns EXIT_DONE, or prints one line and returns
 * EXIT_USAGE. */
int file_read(const char *command, const char *path, struct buffer *out);

/* Write the whole file, in place of what was there. false, after one line on
 * stderr, when it could not be written. */
bool file_write(const char *command, const char *path, struct kan_slice bytes);

#endif /* CLI_FILES_H */
