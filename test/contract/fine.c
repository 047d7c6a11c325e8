/* fine.c - contracts that must be right, and laid out as `kan fmt` lays them
 * out: files, and every block of a page that is marked ```kan. Each argument is
 * a file. */

#include <stdio.h>
#include <string.h>

#include "contract/tree/tree.h"

/* Whether the text is as it would be formatted. */
static bool is_laid_out(const char *name, uint32_t line, struct kan_slice text)
{
    struct source source;
    struct buffer laid = BUFFER_INIT;
    enum kan_err err = source_init(&source, kan_text(name), text);

    if (err == KAN_OK)
        err = tree_format(&source, &laid);
    bool same = err == KAN_OK && slice_equal(text, buffer_slice(&laid));
    if (!same)
        fprintf(stderr,
                "%s, from line %u on: kan fmt lays it out otherwise:\n%s", name,
                line, buffer_text(&laid));
    buffer_fini(&laid);
    source_fini(&source);
    return same;
}

static bool judge(const char *name, uint32_t line, struct kan_slice text)
{
    struct source source;
    struct tree tree = {0};
    struct buffer faults = BUFFER_INIT;
    enum kan_err err = source_init(&source, kan_text(name), text);

    if (err == KAN_OK)
        err = tree_parse(&tree, &source);
    if (err == KAN_OK)
        err = tree_check(&tree);
    if (err != KAN_OK) {
        source_print(&source, &faults);
        fprintf(stderr, "%s, from line %u on: %s\n%s", name, line,
                kan_err_name(err), buffer_text(&faults));
    }
    buffer_fini(&faults);
    tree_fini(&tree);
    source_fini(&source);
    return err == KAN_OK && is_laid_out(name, line, text);
}

/* All blocks of a page; a page without one is wrong. */
static bool judge_page(const char *name, struct kan_slice page)
{
    struct kan_slice block = {0};
    struct kan_slice line;
    uint32_t number = 0;
    uint32_t begins = 0;
    uint32_t count = 0;
    bool fine = true;

    while (page.size) {
        const void *start = page.bytes;

        (void)slice_cut(&page, '\n', &line);
        number++;
        if (!begins && slice_equal(line, SLICE("```kan"))) {
            begins = number + 1;
            block.bytes = page.bytes;
        } else if (begins && slice_equal(line, SLICE("```"))) {
            block.size =
                (size_t)((const char *)start - (const char *)block.bytes);
            fine &= judge(name, begins, block);
            begins = 0;
            count++;
        }
    }
    return fine && count && !begins;
}

int main(int argc, char **argv)
{
    bool fine = argc > 1;
    int i;

    for (i = 1; i < argc; i++) {
        struct buffer text = BUFFER_INIT;
        FILE *file = fopen(argv[i], "rb");
        size_t size = strlen(argv[i]);
        int byte;

        if (!file) {
            fprintf(stderr, "%s cannot be read\n", argv[i]);
            return 1;
        }
        while ((byte = getc(file)) != EOF)
            buffer_append_byte(&text, (unsigned char)byte);
        fclose(file);
        if (size > 3 && strcmp(argv[i] + size - 3, ".md") == 0)
            fine &= judge_page(argv[i], buffer_slice(&text));
        else
            fine &= judge(argv[i], 1, buffer_slice(&text));
        buffer_fini(&text);
    }
    return fine ? 0 : 1;
}
