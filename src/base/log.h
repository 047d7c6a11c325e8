/* log.h - lines about what happens, as logfmt or as JSON.
 *
 * A line has a time, a level, a message and fields. Only programs log: the
 * library below src/node never does. The sink gets whole lines, each with its
 * newline; what comes from outside cannot end a line or begin one. Values are
 * cut at 4 KiB. When memory is out a line is lost whole. */

#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <kan/base.h>

#include "base/bytes.h"

enum log_level
{
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
    LOG_FATAL
};

typedef void log_sink(void *data, struct kan_slice line);
typedef uint64_t log_clock(void *data); /* milliseconds since 1970 */

struct log
{
    enum log_level level; /* lines below it are dropped; may be changed */
    bool json;
    void *data;
    log_sink *sink;
    log_clock *clock; /* NULL: lines without a time */
    struct buffer line;
};

enum log_kind
{
    LOG_KIND_TEXT,
    LOG_KIND_NUMBER,
    LOG_KIND_BOOL
};

struct log_field
{
    const char *name;
    enum log_kind kind;
    struct kan_slice text;
    int64_t number;
};

#define LOG_TEXT(name, value)             \
    {                                     \
        (name), LOG_KIND_TEXT, (value), 0 \
    }
#define LOG_NUMBER(name, value)                              \
    {                                                        \
        (name), LOG_KIND_NUMBER, {NULL, 0}, (int64_t)(value) \
    }
#define LOG_FLAG(name, value)                             \
    {                                                     \
        (name), LOG_KIND_BOOL, {NULL, 0}, (value) ? 1 : 0 \
    }

/* log_line(log, LOG_INFO, "listening", LOG_TEXT("address", s), ...) */
#define log_line(log, level, ...) log_line_(log, level, __VA_ARGS__, )
#define log_line_(log, level, message, ...) \
    log_write(log, level, message,          \
              (const struct log_field[]){__VA_ARGS__{NULL, 0, {NULL, 0}, 0}})

/* fields end with one whose name is NULL. */
void log_write(struct log *log, enum log_level level, const char *message,
               const struct log_field *fields);

/* "debug", "info", "warn" or "warning", "error", "fatal"; KAN_INVALID else. */
KAN_MUST_USE enum kan_err log_level_parse(struct kan_slice text,
                                          enum log_level *ret_level);
const char *log_level_name(enum log_level level);

void log_fini(struct log *log);

#endif /* BASE_LOG_H */
