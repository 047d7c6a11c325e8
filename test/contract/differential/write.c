/* Write the C of a contract: what `kan gen c` does, without the rest of kan.
 *
 * usage: differential_write FILE.kan FOLDER */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/generate/generate.h"

static bool write_file(const char *folder, const char *stem, const char *end,
                       const struct buffer *bytes)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s%s", folder, stem, end);
    FILE *file = fopen(path, "wb");
    if (!file)
        return false;
    bool done = fwrite(bytes->bytes, 1, bytes->size, file) == bytes->size;
    return fclose(file) == 0 && done;
}

int main(int argc, char **argv)
{
    static char text[1 << 20];
    char stem[256] = "";
    struct contract *contract = NULL;
    struct buffer faults = BUFFER_INIT;
    struct buffer header = BUFFER_INIT;
    struct buffer source = BUFFER_INIT;

    if (argc != 3)
        return 2;
    FILE *file = fopen(argv[1], "rb");
    if (!file)
        return 2;
    size_t size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    const char *slash = strrchr(argv[1], '/');
    const char *name = slash ? slash + 1 : argv[1];
    (void)snprintf(stem, sizeof stem, "%.*s", (int)strcspn(name, "."), name);
    struct generate_options options = {.file = kan_text(name),
                                       .stem = kan_text(stem)};
    if (contract_load(kan_text(name), kan_slice(text, size), &contract,
                      &faults) != KAN_OK) {
        (void)fputs(buffer_text(&faults), stderr);
        return 1;
    }
    bool done = generate_c(contract, &options, &header, &source) == KAN_OK &&
                write_file(argv[2], stem, ".h", &header) &&
                write_file(argv[2], stem, ".c", &source);
    buffer_fini(&header);
    buffer_fini(&source);
    buffer_fini(&faults);
    contract_unref(contract);
    return done ? 0 : 1;
}
