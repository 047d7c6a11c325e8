/* module_allow.c - the lists.
 *
 * Allowed is what has no memory of its own, sees nothing but its arguments and
 * gives the same answer everywhere: memory and text without a locale. */

#include "block/actor/module_allow.h"

#include <stddef.h>
#include <string.h>

static const char *const symbols[] = {
    "memcpy",
    "memmove",
    "memset",
    "memcmp",
    "memchr",
    "memrchr",
    "bcmp",
    "bcopy",
    "bzero",
    "strlen",
    "strnlen",
    "strcmp",
    "strncmp",
    "strchr",
    "strrchr",
    "__memcpy_chk",
    "__memmove_chk",
    "__memset_chk",
    "__strlen_chk",
    "__strchr_chk",
    "__stack_chk_fail",
    "__cxa_finalize",
    "__gmon_start__",
    "_ITM_deregisterTMCloneTable",
    "_ITM_registerTMCloneTable",
};

/* Beginnings of their names: versions follow. */
static const char *const libraries[] = {"libc.so", "libm.so", "libgcc_s.so",
                                        "ld-linux"};

/* crti.o, and crtbegin.o of gcc, which clang uses as well. */
static const char *const constructors[] = {"_init", "_fini", "frame_dummy",
                                           "__do_global_dtors_aux"};

/* Sanitizers: allowed in a module when the process runs under the same one. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));
extern void __ubsan_handle_pointer_overflow_abort(void) __attribute__((weak));

enum sanitizer
{
    SANITIZER_ADDRESS,
    SANITIZER_THREAD,
    SANITIZER_UNDEFINED
};

static const struct
{
    enum sanitizer sanitizer;
    const char *start; /* of a symbol, a library, or a constructor */
} sanitized[] = {
    {SANITIZER_ADDRESS, "__asan_"},    {SANITIZER_ADDRESS, "libasan.so"},
    {SANITIZER_ADDRESS, "_sub_"},      {SANITIZER_ADDRESS, "asan.module_"},
    {SANITIZER_THREAD, "__tsan_"},     {SANITIZER_THREAD, "libtsan.so"},
    {SANITIZER_THREAD, "_sub_"},       {SANITIZER_THREAD, "tsan.module_"},
    {SANITIZER_UNDEFINED, "__ubsan_"}, {SANITIZER_UNDEFINED, "libubsan.so"},
};

static const struct
{
    const char *advice;
    const char *names[12];
} advices[] = {
    {"take kan_now() from its turn",
     {"time", "clock", "clock_gettime", "gettimeofday", "times", "timespec_get",
      "localtime", "gmtime", "mktime"}},
    {"draw with kan_choose()",
     {"rand", "srand", "rand_r", "random", "srandom", "drand48", "lrand48",
      "getrandom", "getentropy", "arc4random", "arc4random_uniform"}},
    {"keep everything in the state, in arrays of a fixed size",
     {"malloc", "calloc", "realloc", "free", "strdup", "strndup", "mmap",
      "aligned_alloc", "reallocarray"}},
    {"set a timer with kan_timer_set()",
     {"sleep", "usleep", "nanosleep", "alarm", "clock_nanosleep", "poll",
      "select"}},
    {"say it with kan_claim(), or kan_refuse() the message",
     {"abort", "exit", "_exit", "__assert_fail", "assert", "raise"}},
    {"put what it would say into a message or the state",
     {"printf", "puts", "putchar", "fprintf", "stdout", "stderr",
      "__printf_chk", "__fprintf_chk", "fwrite", "fputs", "perror"}},
    {"keep numbers as numbers; whoever shows them formats them",
     {"snprintf", "sprintf", "vsnprintf", "__snprintf_chk", "__sprintf_chk",
      "sscanf", "__isoc99_sscanf", "atoi", "strtol", "strtod"}},
    {"take a message or a parameter of the model",
     {"getenv", "open", "fopen", "read", "getpid"}},
    {"use memcpy() and strnlen()",
     {"strcpy", "strncpy", "strcat", "strncat", "stpcpy", "__strcpy_chk",
      "__strncpy_chk", "__strcat_chk"}},
};

static bool starts(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

static bool listed(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

static bool sanitizer_runs(enum sanitizer sanitizer)
{
    switch (sanitizer) {
    case SANITIZER_ADDRESS:
        return __asan_init != NULL;
    case SANITIZER_THREAD:
        return __tsan_init != NULL;
    case SANITIZER_UNDEFINED:
        return __ubsan_handle_pointer_overflow_abort != NULL;
    }
    return false;
}

static bool sanitizer_owns(const char *name)
{
    for (size_t i = 0; i < sizeof(sanitized) / sizeof(sanitized[0]); i++)
        if (starts(name, sanitized[i].start) &&
            sanitizer_runs(sanitized[i].sanitizer))
            return true;
    return false;
}

bool module_allow_symbol(const char *name)
{
    return listed(name, symbols, sizeof(symbols) / sizeof(symbols[0])) ||
           sanitizer_owns(name);
}

bool module_allow_library(const char *name)
{
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
        if (starts(name, libraries[i]))
            return true;
    return sanitizer_owns(name);
}

bool module_allow_constructor(const char *name)
{
    return listed(name, constructors,
                  sizeof(constructors) / sizeof(constructors[0])) ||
           sanitizer_owns(name);
}

const char *module_allow_instead(const char *name)
{
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
        for (size_t j = 0; j < 12 && advices[i].names[j]; j++)
            if (strcmp(name, advices[i].names[j]) == 0)
                return advices[i].advice;
    return "it has its state, its message and its turn; write into the module "
           "what else it needs";
}
