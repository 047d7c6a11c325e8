/* format_align.c - lines that stand together are aligned: types of fields,
 * signs of assignments, guards of short steps, laws, and comments. */

#include "contract/tree/format.h"

enum
{
    PAD_MAX = 24, /* lines that differ by more are better left alone */
    PAD_ASSIGNMENT_MAX = 12,
    UNDO_GAP = 4,
    COMMENT_GAP = 2 /* spaces before a comment, at least */
};

uint32_t format_columns(struct kan_slice text)
{
    uint32_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += (slice_at(text, i) & 0xc0) != 0x80;
    return count;
}

static struct kan_slice text_of(const struct format_lines *lines,
                                const struct format_line *line)
{
    return line->size ? kan_slice(lines->texts.bytes + line->start, line->size)
                      : kan_slice(NULL, 0);
}

/* Columns of a line without its comment. */
static uint32_t width_of(const struct format_lines *lines,
                         const struct format_line *line)
{
    return line->indent + format_columns(text_of(lines, line)) +
           line->stops[0].pad + line->stops[1].pad;
}

/* Where a stop stands now. */
static uint32_t stop_column(const struct format_lines *lines,
                            const struct format_line *line, int stop)
{
    const struct format_stop *one = &line->stops[stop];

    return format_columns(slice_head(text_of(lines, line), one->at)) +
           one->width + (stop > 0 ? line->stops[0].pad : 0);
}

/* --- stops ---------------------------------------------------------------- */

static bool same_run(const struct format_line *a, const struct format_line *b)
{
    return a->role == b->role && a->indent == b->indent && !b->blank &&
           b->size > 0;
}

/* Spaces beyond one that a stop has before it. */
static uint32_t extra(enum lex_role role, uint32_t count)
{
    if (role == LEX_CALLS)
        return UNDO_GAP - 1;
    return role == LEX_LAWS && count > 1 ? 1 : 0;
}

static void align_stop(struct format_lines *lines, struct format_line *run,
                       uint32_t count, int stop)
{
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    uint32_t pad_max =
        run->role == LEX_ASSIGNMENT ? PAD_ASSIGNMENT_MAX : PAD_MAX;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = stop_column(lines, &run[i], stop);

        if (!run[i].stops[stop].at)
            continue;
        if (column < least)
            least = column;
        if (column > most)
            most = column;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!run[i].stops[stop].at)
            continue;
        run[i].stops[stop].pad = extra(run[i].role, count);
        if (most - least <= pad_max)
            run[i].stops[stop].pad += most - stop_column(lines, &run[i], stop);
    }
}

static void align_run(struct format_lines *lines, struct format_line *run,
                      uint32_t count)
{
    bool fits = true;

    for (int stop = 0; stop < FORMAT_STOPS; stop++)
        align_stop(lines, run, count, stop);
    for (uint32_t i = 0; i < count; i++)
        fits = fits && width_of(lines, &run[i]) <= FORMAT_COLUMNS;
    for (uint32_t i = 0; i < count && !fits; i++) {
        run[i].stops[0].pad = 0;
        run[i].stops[1].pad = 0;
    }
}

/* --- comments ------------------------------------------------------------- */

static bool has_comment(const struct format_line *line)
{
    return line->comment.end > line->comment.start;
}

/* Whether the comment stood apart from what it follows: in a column of its own,
 * that is, and not just behind it. */
static bool stood_apart(const struct source *source,
                        const struct format_line *line)
{
    const char *text = source->text.bytes;
    uint32_t at = line->comment.start;

    while (at > 0 && text[at - 1] == ' ')
        at--;
    return line->comment.start - at > COMMENT_GAP ||
           (at > 0 && text[at - 1] == '\t');
}

/* The column of the comments of a run: where the first of them stood, when
 * there is room for all. */
static uint32_t comment_column(const struct source *source,
                               const struct format_lines *lines,
                               const struct format_line *run, uint32_t count)
{
    uint32_t longest = 0;
    uint32_t comment = 0;
    uint32_t line;
    uint32_t column;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t width = width_of(lines, &run[i]);
        uint32_t its = format_columns(source_slice(source, run[i].comment));

        longest = width > longest ? width : longest;
        comment = its > comment ? its : comment;
    }
    source_place(source, run[0].comment.start, &line, &column);
    column--;
    if (!stood_apart(source, run) || column < longest + COMMENT_GAP ||
        column + comment > FORMAT_COLUMNS)
        column = longest + COMMENT_GAP;
    return column;
}

/* --- writing -------------------------------------------------------------- */

static void append_spaces(struct buffer *out, uint32_t count)
{
    while (count--)
        buffer_append_byte(out, ' ');
}

static void append_text(const struct format_lines *lines,
                        const struct format_line *line, struct buffer *out)
{
    struct kan_slice text = text_of(lines, line);
    uint32_t done = 0;

    append_spaces(out, line->indent);
    for (int stop = 0; stop < FORMAT_STOPS; stop++) {
        const struct format_stop *one = &line->stops[stop];

        if (!one->at)
            continue;
        buffer_append(out, slice_head(slice_skip(text, done), one->at - done));
        append_spaces(out, one->pad);
        done = one->at;
    }
    buffer_append(out, slice_skip(text, done));
}

static void append_line(const struct source *source,
                        const struct format_lines *lines,
                        const struct format_line *line, uint32_t column,
                        struct buffer *out)
{
    if (line->blank)
        buffer_append_byte(out, '\n');
    append_text(lines, line, out);
    if (has_comment(line)) {
        if (line->size)
            append_spaces(out, column - width_of(lines, line));
        buffer_append(out, source_slice(source, line->comment));
    }
    buffer_append_byte(out, '\n');
}

void format_align(const struct source *source, struct format_lines *lines,
                  struct buffer *out)
{
    struct format_line *all = lines->lines;
    uint32_t count;

    for (uint32_t i = 0; i < lines->count; i += count) {
        for (count = 1;
             i + count < lines->count && same_run(&all[i], &all[i + count]);)
            count++;
        align_run(lines, &all[i], count);
    }
    for (uint32_t i = 0; i < lines->count; i += count) {
        uint32_t column = 0;

        count = 1;
        if (all[i].size && has_comment(&all[i])) {
            while (i + count < lines->count && all[i + count].size &&
                   has_comment(&all[i + count]) && !all[i + count].blank)
                count++;
            column = comment_column(source, lines, &all[i], count);
        }
        for (uint32_t k = 0; k < count; k++)
            append_line(source, lines, &all[i + k], column, out);
    }
}
