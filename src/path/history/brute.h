/* brute.h - for tests: every order tried, with models of its own, so that it
 * shares nothing with what it judges but the history. */

#ifndef PATH_HISTORY_BRUTE_H
#define PATH_HISTORY_BRUTE_H

#include "path/history/history.h"

enum
{
    BRUTE_MAX = 10 /* operations */
};

enum brute_model
{
    BRUTE_REGISTER, /* with cas, append and delete */
    BRUTE_COUNTER,
    BRUTE_SET,
    BRUTE_MUTEX,
    BRUTE_LOCK,
    BRUTE_QUEUE,
    BRUTE_MODEL_COUNT
};

/* Whether the operations can be ordered. kept, by operation: true, it happened
 * as recorded; false, it may or may not have happened, within its time. NULL:
 * all are kept. Values are small whole numbers, one letter of text, or lists of
 * them; each key is an object. */
bool brute_judge(const struct history *history, enum brute_model model,
                 const bool *kept);

#endif /* PATH_HISTORY_BRUTE_H */
