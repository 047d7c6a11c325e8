/* kan/property.h - test code by what must always hold, with data drawn for it.
 *
 * A property is a function that draws data from a case and requires something
 * of the code under test. It is run with many cases; one that fails is made as
 * small as can be, is told of, and can be replayed. All data of a case come
 * from one tape of choices, numbers below a bound, so no type needs a generator
 * or a shrinker of its own: whatever a function draws can be shrunk and
 * replayed, lists, commands and faults alike.
 *
 *     #include <kan/property.h>
 *     #include <stdlib.h>
 *
 *     static int compare(const void *a, const void *b)
 *     {
 *         return (*(const int *)a > *(const int *)b) -
 *                (*(const int *)a < *(const int *)b);
 *     }
 *
 *     static void sorts(kan_case *c, void *data)
 *     {
 *         int list[50];
 *         size_t count = 0;
 *
 *         (void)data;
 *         while (kan_draw_more(c, count, 0, 50))
 *             list[count++] = (int)kan_draw_int(c, -1000, 1000);
 *         qsort(list, count, sizeof(list[0]), compare);
 *         for (size_t i = 1; i < count; i++)
 *             kan_require(c, list[i - 1] <= list[i]);
 *     }
 *
 *     int main(void)
 *     {
 *         struct kan_property_options options = {.name = "qsort sorts"};
 *
 *         return kan_property_holds(&options, sorts, NULL) ? 0 : 1;
 *     }
 *
 * A property must depend on nothing but its draws: it makes what it tests anew,
 * and frees it, in each case. Nothing jumps out of it: when a requirement
 * fails, or the case is given up, the function goes on to its end, further
 * draws give 0 and further requirements are not looked at. Where it could not
 * go on, it asks:
 *
 *     if (!kan_require(c, list != NULL))
 *         return;
 *
 * Nothing here keeps state between two runs, or reads a clock unless a limit of
 * time is set: one seed gives the same cases on every machine. Properties may
 * run in several threads at once, each with data of its own; an isolated one
 * wants a process with no other thread. Two variables of the environment change
 * what is run:
 *   KAN_SEED=n                 draw other cases than the program asks for;
 *   KAN_TAPE='name: 1/2 ...'   run one case, of the property of that name, as
 *                              the report of a failure says it. */

#ifndef KAN_PROPERTY_H
#define KAN_PROPERTY_H

#include <kan/base.h>

KAN_BEGIN_DECLS

/* --- properties ----------------------------------------------------------- */

/* One case: what the draws come from. The library's, and gone when the property
 * returns. */
typedef struct kan_case kan_case;

/* A property, and data of yours that it shares with no other run. */
typedef void kan_property(kan_case *c, void *data);

/* --- drawing -------------------------------------------------------------- */

/* Each function says what is simplest, which is what shrinking goes for, and
 * what a replay gives when its tape has come to its end. */

enum
{
    KAN_CHOICES_MAX = 65536 /* numbers a case may draw; then it is given up.
                             * An integer of both signs takes two */
};

/* A number in [0, n), each as likely; n is at least 1. Simplest: 0. */
KAN_API uint64_t kan_draw(kan_case *c, uint64_t n);

/* A number in [low, high]. Small numbers and both ends are likely. Simplest:
 * 0, or the end that is closer to it; then what is close to it; then what is
 * positive. */
KAN_API int64_t kan_draw_int(kan_case *c, int64_t low, int64_t high);

/* Simplest: false. */
KAN_API bool kan_draw_bool(kan_case *c);

/* An index below count, which is at least 1, each as likely as its weight is
 * large; not all weights are 0, and one that is 0 is never drawn. Simplest: the
 * first. */
KAN_API size_t kan_draw_weighted(kan_case *c, const uint32_t *weights,
                                 size_t count);

/* An element of an array (not of a pointer). Simplest: the first. */
#define kan_draw_from(c, array) \
    ((array)[kan_draw((c), sizeof(array) / sizeof((array)[0]))])

/* Whether a list of count elements so far goes on: always below min, never from
 * max on. Simplest: it ends. A list that is drawn so, rather than by its
 * length, can lose any of its elements when it is shrunk. */
KAN_API bool kan_draw_more(kan_case *c, size_t count, size_t min, size_t max);

/* From min to max bytes, written to bytes, which has room for max. Returns how
 * many. Simplest: few, and zeros. */
KAN_API size_t kan_draw_bytes(kan_case *c, size_t min, size_t max,
                              void *ret_bytes);

/* From min to max characters of the alphabet and a NUL, written to text, which
 * has room for max + 1. alphabet is a string with its simplest character first;
 * NULL means all that ASCII can print, and "a" is the simplest. Returns how
 * many without the NUL. */
KAN_API size_t kan_draw_text(kan_case *c, const char *alphabet, size_t min,
                             size_t max, char *ret_text);

/* --- requiring ------------------------------------------------------------ */

/* Fail the case unless the condition holds; says the condition and where it
 * stands. Returns whether it holds. */
#define kan_require(c, condition)                                           \
    kan_case_require((c), (condition) ? true : false, #condition, __FILE__, \
                     __LINE__)

/* Give the case up, as one that the property does not speak of, unless the
 * condition holds. Returns whether it holds. */
#define kan_assume(c, condition) \
    kan_case_assume((c), (condition) ? true : false)

/* What the macros call. text and file are borrowed. */
KAN_API bool kan_case_require(kan_case *c, bool holds, const char *text,
                              const char *file, int line);
KAN_API bool kan_case_assume(kan_case *c, bool holds);

/* Say, as printf would, what is going on: a line of the report on the smallest
 * case that fails, and nothing in any other. A line is cut at 1,023 bytes, all
 * notes of a case at 16 KiB. */
KAN_API void kan_note(kan_case *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- running -------------------------------------------------------------- */

/* Zero means the default. */
struct kan_property_options
{
    const char *name; /* for the report and KAN_TAPE; without ":" and control
                       * characters. NULL means "property" */

    uint64_t seed;         /* 0 means 1: the same cases each time */
    uint32_t runs;         /* cases to run that are not given up; 0: 1,000 */
    uint32_t discards_max; /* cases given up before the property is; 0: ten
                            * times the runs */
    uint32_t shrinks_max;  /* cases to run in search of a smaller one; 0 means
                            * 20,000 */
    uint32_t time_ms;      /* begin no further case after this; 0: no limit.
                            * With this, or with isolate, the result depends on
                            * how fast the machine is */

    const char *file; /* a failing case is saved there, and run first the next
                       * time; NULL: nowhere */

    bool isolate;     /* run each case in a child process. A crash, an exit or
                       * a time-out is a failure then, and is shrunk too; what
                       * a case prints is shown for the smallest one alone, and
                       * what it does to memory is gone with it */
    uint32_t case_ms; /* how long an isolated case may take; 0: 2,000 */

    char *report;       /* receives the report, cut to its size and with a NUL;
                         * "" when the property holds. NULL: to report_fd */
    size_t report_size; /* bytes of it, at least 1 */
    int report_fd;      /* 0 means 2, the standard error; -1: nowhere */
};

/* What the cases said. */
enum kan_verdict
{
    KAN_HOLDS,  /* in all that were run */
    KAN_FAILS,  /* in one */
    KAN_GAVE_UP /* too many were given up to say */
};

/* A result of your own. */
struct kan_property_result
{
    enum kan_verdict verdict;
    uint32_t runs;      /* cases run and not given up, before any shrinking */
    uint32_t discarded; /* cases given up */
    uint32_t shrinks;   /* cases run in search of a smaller one */
    uint64_t seed;
    bool replayed; /* the case that failed came from KAN_TAPE or the file */
    bool flaky;    /* it did not fail the same way again: the property depends
                    * on more than its draws */
    bool smallest; /* shrinking came to its end, before any limit */

    char *message;  /* what failed, and where; NULL unless it fails, as below */
    char *notes;    /* of the smallest case, lines; "" when there are none */
    char *tape;     /* of the smallest case, the text of a tape file */
    size_t choices; /* numbers on it */
};

/* Free the texts; the result is as new. A zeroed result is fine. */
KAN_API void kan_property_result_fini(struct kan_property_result *result);

/* Run the property; options, which may be NULL, are borrowed. KAN_OK says that
 * it could be run, and ret_result whether it holds: give it to
 * kan_property_result_fini(). The report says on its own what failed and how to
 * replay it.
 *
 * KAN_INVALID: the options, KAN_SEED, KAN_TAPE or the file are wrong; the
 * report says what is. KAN_IO: the file cannot be read; KAN_BUSY: no process
 * can be started; KAN_NOMEM. A file that cannot be written is told of in the
 * report and fails nothing. Shrinking keeps to the failure that was found: a
 * smaller case counts when it fails at the same line, or ends in the same
 * way. */
KAN_API KAN_MUST_USE enum kan_err kan_property_run(
    const struct kan_property_options *options, kan_property *property,
    void *data, struct kan_property_result *ret_result);

/* Run the property and tell only whether it could be run and holds: for the
 * assertion of a test framework. */
KAN_API KAN_MUST_USE bool kan_property_holds(
    const struct kan_property_options *options, kan_property *property,
    void *data);

KAN_END_DECLS

#endif /* KAN_PROPERTY_H */
