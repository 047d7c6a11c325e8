/* One line a record, built in a buffer of the log's own and given to the sink
 * whole. What comes from outside is quoted and escaped, so that no value can
 * end a line or begin another. When memory is out the line is lost, never half
 * written. */

#include "base/log.h"

#include "base/assert.h"
#include "base/json.h"
#include "base/number.h"
#include "base/utf8.h"

/* A value is cut here: a log is for people, and bodies can be megabytes. */
enum
{
    LOG_VALUE_MAX = 4096
};

static const char *const level_names[] = {"debug", "info", "warn", "error",
                                          "fatal"};

const char *log_level_name(enum log_level level)
{
    kan_assert((unsigned)level <= LOG_FATAL);
    return level_names[level];
}

enum kan_err log_level_parse(struct kan_slice text, enum log_level *ret_level)
{
    if (slice_equal(text, SLICE("warning"))) {
        *ret_level = LOG_WARN;
        return KAN_OK;
    }
    for (int i = 0; i <= LOG_FATAL; i++) {
        if (slice_equal(text, kan_text(level_names[i]))) {
            *ret_level = (enum log_level)i;
            return KAN_OK;
        }
    }
    return KAN_INVALID;
}

/* At most LOG_VALUE_MAX bytes of text, cut between two characters. */
static struct kan_slice shorten(struct kan_slice text)
{
    if (text.size <= LOG_VALUE_MAX)
        return text;
    size_t size = LOG_VALUE_MAX;
    while (size > LOG_VALUE_MAX - 4 && (slice_at(text, size) & 0xc0) == 0x80)
        size--;
    return slice_head(text, size);
}

/* Whether logfmt may hold text without quotes. */
static bool plain(struct kan_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = slice_at(text, i);
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return text.size > 0;
}

/* Append text with quotes. Quotes, backslashes and what is not printable are
 * escaped; UTF-8 stays, but for the control characters U+0080 to U+009F, which
 * terminals obey. */
static void append_quoted(struct buffer *line, struct kan_slice text)
{
    buffer_append_byte(line, '"');
    while (text.size > 0) {
        uint32_t point = 0;
        size_t size = utf8_decode(text, &point);
        if (size == 0) {
            buffer_print(line, "\\x%02x", slice_at(text, 0));
            size = 1;
        } else if (point == '\n') {
            buffer_append_text(line, "\\n");
        } else if (point < ' ' || (point >= 0x7f && point < 0xa0)) {
            buffer_print(line, "\\x%02x", (unsigned)point);
        } else {
            if (point == '"' || point == '\\')
                buffer_append_byte(line, '\\');
            buffer_append(line, slice_head(text, size));
        }
        text = slice_skip(text, size);
    }
    buffer_append_byte(line, '"');
}

static void append_name(struct log *log, const char *name)
{
    if (log->json) {
        json_append_name(&log->line, name);
        return;
    }
    if (log->line.size > 0)
        buffer_append_byte(&log->line, ' ');
    buffer_append_text(&log->line, name);
    buffer_append_byte(&log->line, '=');
}

static void append_text(struct log *log, const char *name,
                        struct kan_slice text)
{
    text = shorten(text);
    append_name(log, name);
    if (log->json)
        json_append_string(&log->line, text);
    else if (plain(text))
        buffer_append(&log->line, text);
    else
        append_quoted(&log->line, text);
}

static void append_field(struct log *log, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_KIND_TEXT:
        append_text(log, field->name, field->text);
        break;
    case LOG_KIND_NUMBER:
        append_name(log, field->name);
        buffer_print(&log->line, "%lld", (long long)field->number);
        break;
    case LOG_KIND_BOOL:
        append_name(log, field->name);
        buffer_append_text(&log->line, field->number ? "true" : "false");
        break;
    }
}

void log_write(struct log *log, enum log_level level, const char *message,
               const struct log_field *fields)
{
    char time[NUMBER_TIME_SIZE];

    if (level < log->level || !log->sink)
        return;
    buffer_clear(&log->line);
    if (log->json)
        buffer_append_byte(&log->line, '{');
    if (log->clock) {
        number_time(log->clock(log->data), true, time);
        append_text(log, "time", kan_text(time));
    }
    append_text(log, "level", kan_text(log_level_name(level)));
    append_text(log, "msg", kan_text(message));
    for (; fields && fields->name; fields++)
        append_field(log, fields);
    buffer_append_text(&log->line, log->json ? "}\n" : "\n");
    if (!buffer_failed(&log->line))
        log->sink(log->data, buffer_slice(&log->line));
}

void log_fini(struct log *log)
{
    buffer_fini(&log->line);
}
