/* Whole files, for commands. */

#include "cli/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

int file_read(const char *command, const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    size_t size = 1;

    if (!file)
        return command_refuse(command, "%s: %s", path, strerror(errno));
    while (size > 0 && out->size <= FILE_READ_MAX &&
           buffer_reserve(out, 65536) == KAN_OK) {
        size = fread(out->bytes + out->size, 1, 65536, file);
        out->size += size;
    }
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed)
        return command_refuse(command, "%s: it could not be read", path);
    if (out->size > FILE_READ_MAX)
        return command_refuse(command, "%s: it is larger than %d MiB", path,
                              FILE_READ_MAX >> 20);
    if (size > 0)
        return command_refuse(command, "%s: out of memory", path);
    return EXIT_DONE;
}

bool file_write(const char *command, const char *path, struct kan_slice bytes)
{
    FILE *file = fopen(path, "wb");
    bool written =
        file && fwrite(bytes.bytes, 1, bytes.size, file) == bytes.size;

    if (file && fclose(file) != 0)
        written = false;
    if (!written)
        (void)command_refuse(command, "%s: %s", path, strerror(errno));
    return written;
}
