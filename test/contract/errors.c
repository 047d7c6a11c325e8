/* errors.c - what a wrong contract is told: each NAME.kan of a folder
 * has its messages in NAME.err beside it.
 *
 *     contract_errors FOLDER            compares
 *     contract_errors FOLDER --accept   writes what it finds: read the diff */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "contract/tree/tree.h"

enum
{
    CASES_MIN = 60,
    NAMES_MAX = 1000
};

static const char *folder;
static bool accept_all;
static char names[NAMES_MAX][128];
static size_t name_count;

static struct buffer file_read(const char *name, const char *end)
{
    struct buffer text = BUFFER_INIT;
    char path[600];
    FILE *file;
    int byte;

    snprintf(path, sizeof(path), "%s/%s%s", folder, name, end);
    file = fopen(path, "rb");
    if (!file)
        return text;
    while ((byte = getc(file)) != EOF)
        buffer_append_byte(&text, (unsigned char)byte);
    fclose(file);
    return text;
}

static void file_write(const char *name, const char *end, struct buffer *text)
{
    char path[600];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s%s", folder, name, end);
    file = fopen(path, "wb");
    assert_non_null(file);
    if (text->size)
        assert_int_equal(fwrite(text->bytes, 1, text->size, file), text->size);
    assert_int_equal(fclose(file), 0);
}

/* The messages of a text, and how many of them do not say what to do. */
static enum kan_err judge(const char *name, const struct buffer *text,
                          struct buffer *out, uint32_t *ret_mute)
{
    struct source source;
    struct tree tree = {0};
    char file[160];
    enum kan_err err;

    snprintf(file, sizeof(file), "%s.kan", name);
    err = source_init(&source, kan_text(file), buffer_slice(text));
    if (err != KAN_OK)
        return err;
    err = tree_parse(&tree, &source);
    if (err == KAN_OK)
        err = tree_check(&tree);
    source_print(&source, out);
    for (uint32_t i = 0; i < source.fault_count; i++)
        *ret_mute += source.faults[i].hint[0] == 0;
    if (err != KAN_NOMEM)
        assert_int_equal(err == KAN_INVALID, source.fault_count > 0);
    tree_fini(&tree);
    source_fini(&source);
    return err;
}

static int name_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void names_read(void)
{
    DIR *listing = opendir(folder);
    struct dirent *entry;

    assert_non_null(listing);
    while ((entry = readdir(listing)) && name_count < NAMES_MAX) {
        size_t size = strlen(entry->d_name);

        if (size < 5 || size > 100 ||
            strcmp(entry->d_name + size - 4, ".kan") != 0)
            continue;
        snprintf(names[name_count++], sizeof(names[0]), "%.*s", (int)(size - 4),
                 entry->d_name);
    }
    closedir(listing);
    qsort(names, name_count, sizeof(names[0]), name_order);
}

/* Every text is refused, with the messages that are kept for it. */
static void test_messages(void **state)
{
    size_t wrong = 0;
    size_t i;

    (void)state;
    for (i = 0; i < name_count; i++) {
        struct buffer text = file_read(names[i], ".kan");
        struct buffer kept = file_read(names[i], ".err");
        struct buffer found = BUFFER_INIT;
        uint32_t mute = 0;

        if (judge(names[i], &text, &found, &mute) != KAN_INVALID) {
            print_error("%s.kan is not refused\n", names[i]);
            wrong++;
        } else if (mute) {
            print_error("%s.kan: a fault has no hint:\n%s\n", names[i],
                        buffer_text(&found));
            wrong++;
        } else if (accept_all) {
            file_write(names[i], ".err", &found);
        } else if (!slice_equal(buffer_slice(&kept), buffer_slice(&found))) {
            print_error("%s.kan: expected\n%s\nfound\n%s\n", names[i],
                        buffer_text(&kept), buffer_text(&found));
            wrong++;
        }
        buffer_fini(&text);
        buffer_fini(&kept);
        buffer_fini(&found);
    }
    assert_int_equal(wrong, 0);
    assert_true(name_count >= CASES_MIN);
    assert_int_equal(mem_live(), 0);
}

/* Whichever allocation fails, the text is refused for want of memory or for
 * its faults, and nothing is left. */
static void test_memory(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < name_count; i++) {
        struct buffer text = file_read(names[i], ".kan");
        uint64_t nth;

        for (nth = 1;; nth++) {
            struct buffer found = BUFFER_INIT;
            int64_t before = mem_live();
            uint32_t mute = 0;
            enum kan_err err;

            mem_fault(nth, true);
            err = judge(names[i], &text, &found, &mute);
            bool struck = mem_fault_struck();
            mem_fault(0, false);
            buffer_fini(&found);
            assert_int_equal(mem_live(), before);
            assert_true(err == KAN_INVALID || (struck && err == KAN_NOMEM));
            if (!struck)
                break;
        }
        buffer_fini(&text);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_memory),
    };

    if (argc < 2)
        return 2;
    folder = argv[1];
    accept_all = argc > 2 && strcmp(argv[2], "--accept") == 0;
    names_read();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
