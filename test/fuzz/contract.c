/* contract.c - the parser, the checker and the formatter of contracts on any
 * bytes. What is refused has faults in order of place; what is read, formatted,
 * is read again as the same tokens, and formatting that changes nothing more.
 */

#include "base/assert.h"
#include "base/utf8.h"
#include "contract/tree/lex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_text(struct source *source, struct kan_slice text)
{
    kan_assert(source_init(source, SLICE("fuzz.kan"), text) == KAN_OK);
}

/* Faults are in order, at places of the text, and print as text. */
static void check_faults(const struct source *source)
{
    struct buffer out = BUFFER_INIT;

    kan_assert(source->fault_count > 0);
    kan_assert(source->fault_count <= SOURCE_FAULTS_MAX);
    for (uint32_t i = 0; i < source->fault_count; i++) {
        const struct source_fault *fault = &source->faults[i];

        kan_assert(fault->span.start <= source->text.size);
        kan_assert(fault->span.start <= fault->span.end);
        kan_assert(fault->message[0]);
        if (i)
            kan_assert(fault->span.start > source->faults[i - 1].span.start);
    }
    source_print(source, &out);
    kan_assert(utf8_valid(buffer_slice(&out)));
    buffer_fini(&out);
}

/* The next token that is no separator of items, whose place is free. */
static struct kan_slice next(const struct source *source, const struct lex *lex,
                             uint32_t *at)
{
    while (lex->tokens[*at].kind == LEX_SEMICOLON)
        ++*at;
    return source_slice(source, (struct source_span){lex->tokens[*at].start,
                                                     lex->tokens[*at].end});
}

static void check_same(struct source *source, struct source *formatted)
{
    struct lex left = {0};
    struct lex right = {0};
    uint32_t i = 0;
    uint32_t k = 0;

    kan_assert(lex_read(&left, source, true) == KAN_OK);
    kan_assert(lex_read(&right, formatted, true) == KAN_OK);
    for (;; i++, k++) {
        kan_assert(
            slice_equal(next(source, &left, &i), next(formatted, &right, &k)));
        kan_assert(left.tokens[i].kind == right.tokens[k].kind);
        if (left.tokens[i].kind == LEX_END)
            break;
    }
    kan_assert(left.comment_count == right.comment_count);
    for (i = 0; i < left.comment_count; i++)
        kan_assert(
            slice_equal(source_slice(source, left.comments[i].span),
                        source_slice(formatted, right.comments[i].span)));
    lex_fini(&left);
    lex_fini(&right);
}

static void check_format(struct source *source)
{
    struct source again;
    struct buffer once = BUFFER_INIT;
    struct buffer twice = BUFFER_INIT;

    kan_assert(tree_format(source, &once) == KAN_OK);
    if (once.size <= SOURCE_BYTES_MAX) {
        open_text(&again, buffer_slice(&once));
        kan_assert(tree_format(&again, &twice) == KAN_OK);
        kan_assert(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
        check_same(source, &again);
        source_fini(&again);
    }
    buffer_fini(&once);
    buffer_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source source;
    struct tree tree = {0};
    enum kan_err err;

    open_text(&source, kan_slice(data, size));
    err = tree_parse(&tree, &source);
    kan_assert(err == KAN_OK || err == KAN_INVALID);
    if (err == KAN_OK) {
        kan_assert(source.fault_count == 0);
        check_format(&source);
        err = tree_check(&tree);
        kan_assert(err == KAN_OK || err == KAN_INVALID);
    }
    if (err == KAN_INVALID)
        check_faults(&source);
    tree_fini(&tree);
    source_fini(&source);
    return 0;
}
