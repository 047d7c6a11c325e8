/* replay.c - the corpus as a test: where there is no libFuzzer, run every file
 * that is named, or stands in a directory that is named, through the target
 * once. What is empty or begins with a dash is for libFuzzer, and skipped. */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read path into memory of exactly its size, so that a sanitizer sees a read
 * of one byte more. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat info;

    if (!file || fstat(fileno(file), &info) != 0) {
        (void)fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        if (file)
            (void)fclose(file);
        return 1;
    }
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size ? size : 1);
    size_t got = data ? fread(data, 1, size, file) : 0;
    (void)fclose(file);
    if (data && got == size)
        (void)LLVMFuzzerTestOneInput(data, size);
    else
        (void)fprintf(stderr, "replay: %s: cannot be read\n", path);
    free(data);
    return got == size ? 0 : 1;
}

/* All files of a directory, in byte order; adds them to *count. */
static int replay_dir(const char *path, int *count)
{
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    int failed = 0;

    if (n < 0) {
        (void)fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return 1;
    }
    for (int i = 0; i < n; i++) {
        char file[4096];
        int size = snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && size < (int)sizeof file) {
            failed |= replay_file(file);
            ++*count;
        }
        free(names[i]);
    }
    free(names);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    int count = 0;

    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (argv[i][0] == 0 || argv[i][0] == '-')
            continue;
        if (stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode)) {
            failed |= replay_dir(argv[i], &count);
        } else {
            failed |= replay_file(argv[i]);
            count++;
        }
    }
    printf("replayed %d inputs\n", count);
    if (count == 0)
        (void)fprintf(stderr, "replay: an empty corpus tests nothing\n");
    return failed || count == 0;
}
