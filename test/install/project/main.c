/* A program that uses an installed libkan. Its own names are also names inside
 * libkan, and must not meet them. */

#include <kan/kan.h>
#include <stdio.h>

int buffer_append(void);
int mem_alloc(void);
int state_write(void);
int engine_open(void);

int buffer_append(void)
{
    return 1;
}

int mem_alloc(void)
{
    return 2;
}

int state_write(void)
{
    return 3;
}

int engine_open(void)
{
    return 4;
}

int main(int argc, char **argv)
{
    struct kan_store_options options = {0};
    struct kan_value value = {0};
    char why[256] = "";
    kan_strong store;
    int failures = 0;

    options.path = argc > 1 ? argv[1] : "data";
    if (kan_strong_open(NULL, &options, why, sizeof(why), &store) != KAN_OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    failures +=
        kan_strong_put(store, kan_text("k"), kan_text("v"), 0, NULL) != KAN_OK;
    failures += kan_strong_get(store, kan_text("k"), &value) != KAN_OK;
    failures += value.bytes == NULL || strcmp(value.bytes, "v") != 0;
    failures +=
        buffer_append() + mem_alloc() + state_write() + engine_open() != 10;
    failures += kan_version()[0] == 0;
    kan_value_fini(&value);
    kan_strong_close(store);
    return failures;
}
