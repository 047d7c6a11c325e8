/* source.c - a text with a table of its lines, and faults kept in order of
 * place. What is printed of a line is cut around the fault, and made harmless
 * for a terminal. */

#include "contract/source/source.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/utf8.h"

enum
{
    SHOWN_MAX = 110, /* columns of a line that are printed */
    SHOWN_BEFORE = 70
};

/* --- life ----------------------------------------------------------------- */

static enum kan_err lines_build(struct source *source)
{
    const char *text = source->text.bytes;
    size_t size = source->text.size;
    uint32_t count = 1;

    for (size_t i = 0; i < size; i++)
        count += text[i] == '\n';
    source->lines = mem_alloc(count * sizeof *source->lines);
    if (!source->lines)
        return KAN_NOMEM;
    source->line_count = 1;
    source->lines[0] = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n')
            source->lines[source->line_count++] = (uint32_t)i + 1;
    }
    return KAN_OK;
}

enum kan_err source_init(struct source *source, struct kan_slice name,
                         struct kan_slice text)
{
    memset(source, 0, sizeof *source);
    if (text.size > SOURCE_BYTES_MAX)
        return KAN_FULL;
    buffer_append(&source->name, name);
    buffer_append(&source->text, text);
    if (buffer_failed(&source->name) || buffer_failed(&source->text) ||
        lines_build(source) != KAN_OK) {
        source_fini(source);
        return KAN_NOMEM;
    }
    return KAN_OK;
}

void source_fini(struct source *source)
{
    buffer_fini(&source->name);
    buffer_fini(&source->text);
    mem_free(source->lines);
    memset(source, 0, sizeof *source);
}

/* --- faults --------------------------------------------------------------- */

/* What is cut at the end of a message must not be cut within a character. */
static void whole_characters(char *text)
{
    text[utf8_valid_size(kan_text(text))] = 0;
}

void source_fault(struct source *source, struct source_span span,
                  const char *hint, const char *format, ...)
{
    uint32_t place = source->fault_count;
    struct source_fault *fault;
    va_list args;

    while (place > 0 && source->faults[place - 1].span.start >= span.start) {
        if (source->faults[place - 1].span.start == span.start)
            return;
        place--;
    }
    if (source->fault_count == SOURCE_FAULTS_MAX) {
        source->faults_more++;
        if (place == SOURCE_FAULTS_MAX)
            return;
        source->fault_count--;
    }
    fault = &source->faults[place];
    memmove(fault + 1, fault, (source->fault_count - place) * sizeof *fault);
    source->fault_count++;
    memset(fault, 0, sizeof *fault);
    fault->span = span;
    va_start(args, format);
    vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
    if (hint)
        snprintf(fault->hint, sizeof fault->hint, "%s", hint);
    whole_characters(fault->message);
    whole_characters(fault->hint);
}

/* --- places --------------------------------------------------------------- */

struct kan_slice source_slice(const struct source *source,
                              struct source_span span)
{
    struct kan_slice text = buffer_slice(&source->text);

    if (span.end > text.size)
        span.end = (uint32_t)text.size;
    if (span.start >= span.end)
        return kan_slice(NULL, 0);
    return kan_slice((const char *)text.bytes + span.start,
                     span.end - span.start);
}

/* The line, from 0, that a byte stands in. */
static uint32_t line_of(const struct source *source, uint32_t offset)
{
    uint32_t low = 0;
    uint32_t high = source->line_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (source->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A line without its end, and without the mark that a text may begin with. */
static struct source_span line_span(const struct source *source, uint32_t line)
{
    const char *text = source->text.bytes;
    struct source_span span = {0, (uint32_t)source->text.size};

    if (source->line_count == 0)
        return span;
    span.start = source->lines[line];
    if (line + 1 < source->line_count)
        span.end = source->lines[line + 1] - 1;
    if (span.end > span.start && text[span.end - 1] == '\r')
        span.end--;
    if (slice_starts(source_slice(source, span), SLICE("\xef\xbb\xbf")) &&
        span.start == 0)
        span.start = 3;
    return span;
}

/* Code points; a byte that is none of UTF-8 counts as one. */
static uint32_t columns(struct kan_slice text)
{
    uint32_t count = 0;
    uint32_t point;

    while (text.size) {
        size_t size = utf8_decode(text, &point);

        text = slice_skip(text, size ? size : 1);
        count++;
    }
    return count;
}

void source_place(const struct source *source, uint32_t offset,
                  uint32_t *ret_line, uint32_t *ret_column)
{
    uint32_t line = line_of(source, offset);
    struct source_span span = line_span(source, line);

    if (offset < span.end)
        span.end = offset;
    *ret_line = line + 1;
    *ret_column = columns(source_slice(source, span)) + 1;
}

/* --- printing ------------------------------------------------------------- */

/* Append at most max characters of text, each as one that is one column wide
 * and does nothing to a terminal. */
static void append_shown(struct buffer *out, struct kan_slice text,
                         uint32_t skip, uint32_t max)
{
    uint32_t point = 0;

    for (uint32_t at = 0; text.size && at < skip + max; at++) {
        size_t size = utf8_decode(text, &point);
        bool wrong = size == 0 || point < 0x20 ||
                     (point >= 0x7f && point < 0xa0) ||
                     (point >= 0x200b && point <= 0x202e) ||
                     (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;

        if (at < skip)
            ;
        else if (size && point == '\t')
            buffer_append_byte(out, ' ');
        else if (wrong)
            buffer_append_text(out, "\xef\xbf\xbd");
        else
            buffer_append(out, slice_head(text, size));
        text = slice_skip(text, size ? size : 1);
    }
}

static void print_line(const struct source *source,
                       const struct source_fault *fault, struct buffer *out)
{
    uint32_t number;
    uint32_t column;
    source_place(source, fault->span.start, &number, &column);
    struct source_span span = line_span(source, number - 1);
    struct kan_slice line = source_slice(source, span);
    struct source_span marked = {fault->span.start, fault->span.end};
    if (marked.end > span.end)
        marked.end = span.end;
    uint32_t width = columns(source_slice(source, marked));
    uint32_t all = columns(line);
    uint32_t skip = 0;
    uint32_t shown;

    if (all > SHOWN_MAX && column > SHOWN_BEFORE)
        skip = column - SHOWN_BEFORE;
    shown = all > skip ? all - skip : 0;
    if (shown > SHOWN_MAX)
        shown = SHOWN_MAX;
    if (width > shown - (column - 1 - skip) && shown >= column - 1 - skip)
        width = shown - (column - 1 - skip);
    buffer_print(out, "    %6u | %s", number, skip ? "... " : "");
    append_shown(out, line, skip, shown);
    buffer_print(out, "%s\n           | %s", shown + skip < all ? " ..." : "",
                 skip ? "    " : "");
    for (uint32_t i = skip; i + 1 < column; i++)
        buffer_append_byte(out, ' ');
    do
        buffer_append_byte(out, '^');
    while (width-- > 1);
    buffer_append_byte(out, '\n');
}

void source_print(const struct source *source, struct buffer *out)
{
    for (uint32_t i = 0; i < source->fault_count; i++) {
        const struct source_fault *fault = &source->faults[i];
        uint32_t line;
        uint32_t column;

        source_place(source, fault->span.start, &line, &column);
        buffer_append(out, buffer_slice(&source->name));
        buffer_print(out, ":%u:%u: ", line, column);
        append_shown(out, kan_text(fault->message), 0, SOURCE_MESSAGE_MAX);
        buffer_append_byte(out, '\n');
        print_line(source, fault, out);
        if (!fault->hint[0])
            continue;
        buffer_append_text(out, "             ");
        append_shown(out, kan_text(fault->hint), 0, SOURCE_MESSAGE_MAX);
        buffer_append_byte(out, '\n');
    }
    if (source->faults_more)
        buffer_print(out, "%u more %s not shown\n", source->faults_more,
                     source->faults_more == 1 ? "fault is" : "faults are");
}
