/* The report says what failed, after how much work, what the smallest case did,
 * and the one line that runs it again. */

#include "check/property/report.h"

enum
{
    /* Linux takes no longer variable than 128 KiB. */
    LINE_TAPE_MAX = 120 * 1024
};

/* text within single quotes of a shell. */
static void append_quoted(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            buffer_append_text(out, "'\\''");
        else
            buffer_append_byte(out, (unsigned char)*text);
    }
}

void report_append_tape(const char *tape, struct buffer *out)
{
    struct kan_slice rest = kan_text(tape);
    struct kan_slice line;
    const char *between = "";
    (void)slice_cut(&rest, '\n', &line);
    while (rest.size) {
        (void)slice_cut(&rest, '\n', &line);
        buffer_append_text(out, between);
        buffer_append(out, line);
        between = " ";
    }
}

static void append_notes(struct buffer *out, const char *notes)
{
    struct kan_slice rest = kan_text(notes);
    while (rest.size) {
        struct kan_slice line;
        (void)slice_cut(&rest, '\n', &line);
        buffer_append_text(out, "  | ");
        buffer_append(out, line);
        buffer_append_byte(out, '\n');
    }
}

/* How the failing case was found, and what became of it. */
static void append_search(const struct kan_property_result *result,
                          struct buffer *out)
{
    if (result->replayed)
        buffer_append_text(out, "  in a case that was saved");
    else
        buffer_print(out, "  in case %u (%u given up), seed %llu",
                     (unsigned)result->runs, (unsigned)result->discarded,
                     (unsigned long long)result->seed);
    if (result->flaky) {
        buffer_append_text(
            out,
            "\n  and not again with the same choices: the property depends"
            " on more than its draws\n"
            "  (time, threads, or what earlier cases left behind), so it"
            " was not made smaller\n");
        return;
    }
    buffer_print(out, "; %s of %u more has %zu choice%s\n",
                 result->smallest ? "the smallest" : "the smallest so far",
                 (unsigned)result->shrinks, result->choices,
                 result->choices == 1 ? "" : "s");
}

static void append_replay(const struct kan_property_options *options,
                          const struct kan_property_result *result,
                          const char *program, struct buffer *out)
{
    if (strlen(result->tape) > LINE_TAPE_MAX) {
        buffer_append_text(out,
                           "  replay: its tape is too long for a command; "
                           "set the option file\n");
        return;
    }
    buffer_append_text(out, "  replay: KAN_TAPE='");
    append_quoted(out, options->name);
    buffer_append_text(out, ": ");
    report_append_tape(result->tape, out);
    buffer_print(out, "' %s\n", program);
}

void report_append(const struct kan_property_options *options,
                   const struct kan_property_result *result,
                   const char *program, struct buffer *out)
{
    switch (result->verdict) {
    case KAN_HOLDS:
        return;
    case KAN_GAVE_UP:
        buffer_print(out,
                     "property \"%s\" was given up: of %u cases, %u were (by "
                     "kan_assume(), or for drawing\n  more than %d numbers); "
                     "draw data that fit, or raise discards_max\n",
                     options->name,
                     (unsigned)(result->runs + result->discarded),
                     (unsigned)result->discarded, KAN_CHOICES_MAX);
        return;
    case KAN_FAILS:
        buffer_print(out, "property \"%s\" fails: %s\n", options->name,
                     result->message);
        append_search(result, out);
        append_notes(out, result->notes);
        append_replay(options, result, program, out);
        return;
    }
}
