/* The flags of the small commands. `kan run` has a parser of its own, made from
 * its table (node/settings.c). */

#include "cli/command.h"

#include <stdio.h>

#include "base/suggest.h"

enum
{
    FLAGS_MAX = 32
};

int command_refuse(const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "kan %s: ", name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE;
}

static const struct command_flag *find(struct kan_slice name, bool letter,
                                       const struct command_flag *flags,
                                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (letter ? name.size == 1 && flags[i].letter &&
                         slice_at(name, 0) == (unsigned char)flags[i].letter
                   : slice_equal(name, kan_text(flags[i].name)))
            return &flags[i];
    }
    return NULL;
}

static int unknown(const char *name, struct kan_slice flag,
                   const struct command_flag *flags, size_t count)
{
    const char *names[FLAGS_MAX];
    for (size_t i = 0; i < count && i < FLAGS_MAX; i++)
        names[i] = flags[i].name;
    const char *nearest = suggest_nearest(flag, names, count);
    if (nearest)
        return command_refuse(name, "unknown flag --%.*s; did you mean --%s?",
                              SLICE_ARG(flag), nearest);
    return command_refuse(name, "unknown flag --%.*s; 'kan help' tells more",
                          SLICE_ARG(flag));
}

int command_parse_all(const char *name, int argc, const char *const *argv,
                      const struct command_flag *flags, size_t flag_count,
                      const char **operands, int operand_max,
                      int *operand_count)
{
    *operand_count = 0;
    for (int at = 0; at < argc; at++) {
        struct kan_slice word = kan_text(argv[at]);
        if (word.size < 2 || slice_at(word, 0) != '-') {
            if (*operand_count == operand_max)
                return command_refuse(name, "unexpected '%s'", argv[at]);
            operands[(*operand_count)++] = argv[at];
            continue;
        }
        bool longer = slice_at(word, 1) == '-';
        struct kan_slice rest = slice_skip(word, longer ? 2 : 1);
        struct kan_slice flag_name;
        bool joined = slice_cut(&rest, '=', &flag_name);
        const struct command_flag *flag =
            find(flag_name, !longer && flag_name.size == 1, flags, flag_count);
        if (!flag)
            return unknown(name, flag_name, flags, flag_count);
        if (flag->given)
            *flag->given = true;
        if (!flag->value && !flag->list)
            continue;
        if (!joined && at + 1 >= argc)
            return command_refuse(name, "--%s needs a value", flag->name);
        const char *value = joined ? (rest.size ? rest.bytes : "") : argv[++at];
        if (flag->value)
            *flag->value = value;
        else if (flag->list->count == COMMAND_LIST_MAX)
            return command_refuse(name, "more than %d times --%s",
                                  COMMAND_LIST_MAX, flag->name);
        else
            flag->list->values[flag->list->count++] = value;
    }
    return EXIT_DONE;
}

int command_parse(const char *name, int argc, const char *const *argv,
                  const struct command_flag *flags, size_t flag_count,
                  const char **operand)
{
    int count;
    return command_parse_all(name, argc, argv, flags, flag_count, operand,
                             operand ? 1 : 0, &count);
}
