/* assert.h - for what cannot happen unless a programmer erred.
 *
 * Always on: a wrong state that goes on running is worse than one that stops.
 * check_magic() is called on entry to every function of a long-lived struct;
 * destructors clear the word, so a use after free has a message. */

#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <stdint.h>

/* Print one line to stderr and abort. */
__attribute__((noreturn, cold)) void assert_fail(const char *what,
                                                 const char *file, int line);

#define kan_assert(condition) \
    ((condition) ? (void)0 : assert_fail(#condition, __FILE__, __LINE__))

#define check_magic(object, word) \
    kan_assert((object) != 0 && (object)->magic == (word))

#endif /* BASE_ASSERT_H */
