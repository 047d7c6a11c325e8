/* command.h - the subcommands of `kan`.
 *
 * Each is one file that defines one struct command; main.c lists them. Words
 * for the terminal and for the manual page kan(1) come from here. */

#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <kan/base.h>

#include "base/bytes.h"

enum
{
    EXIT_DONE = 0,
    EXIT_FOUND = 1,  /* it ran, and what it found is bad, or it broke */
    EXIT_USAGE = 2,  /* told wrong; one line on stderr says how */
    EXIT_UNKNOWN = 3 /* memory or time ran out before an answer */
};

enum
{
    COMMAND_LIST_MAX = 32 /* values of one flag */
};

struct command
{
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* one line */
    const char *details; /* a paragraph for the manual */
    int (*run)(int argc, const char *const *argv); /* argv behind the name */
    void (*flags)(struct buffer *out, bool roff);  /* long lists; or NULL */
};

extern const struct command command_run;
extern const struct command command_check;
extern const struct command command_history;
extern const struct command command_sim;
extern const struct command command_events;
extern const struct command command_upgrade;
extern const struct command command_compat;
extern const struct command command_fmt;
extern const struct command command_gen;
extern const struct command command_engines;
extern const struct command command_backup;
extern const struct command command_verify;
extern const struct command command_version;

/* The values of a flag that may be given several times. */
struct command_list
{
    const char *values[COMMAND_LIST_MAX];
    uint32_t count;
};

/* A flag of a small command: "data-dir" with a value, or one without. */
struct command_flag
{
    const char *name;
    char letter;               /* 0: none */
    const char **value;        /* where its value goes; NULL: it takes none */
    bool *given;               /* may be NULL */
    struct command_list *list; /* where its values go; instead of value */
};

/* Read flags and at most one operand. Returns EXIT_DONE, or prints one line
 * and returns EXIT_USAGE. operand may be NULL: then none is allowed. */
int command_parse(const char *name, int argc, const char *const *argv,
                  const struct command_flag *flags, size_t flag_count,
                  const char **operand);

/* As command_parse(), with up to operand_max operands. */
int command_parse_all(const char *name, int argc, const char *const *argv,
                      const struct command_flag *flags, size_t flag_count,
                      const char **operands, int operand_max,
                      int *operand_count);

/* Print "kan NAME: text" to stderr and return EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int command_refuse(const char *name,
                                                         const char *format,
                                                         ...);

#endif /* CLI_COMMAND_H */
