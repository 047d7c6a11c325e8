/* memo.h - the configurations that lead nowhere: a set of (return, state,
 * mask), exact, open addressing, 8 + 8 * words bytes each. */

#ifndef PATH_HISTORY_MEMO_H
#define PATH_HISTORY_MEMO_H

#include <kan/base.h>

struct memo
{
    uint64_t *entries; /* return + 1 and state, then the mask; 0: free */
    uint64_t size;     /* a power of two, or 0 */
    uint64_t count;
    uint32_t words; /* of a mask */
};

void memo_init(struct memo *memo, uint32_t words);
void memo_fini(struct memo *memo);

bool memo_has(const struct memo *memo, uint32_t at, uint32_t state,
              const uint64_t *mask);

/* Add what is not there. KAN_BUSY when that needs more than bytes_max,
 * KAN_NOMEM. */
KAN_MUST_USE enum kan_err memo_add(struct memo *memo, uint32_t at,
                                   uint32_t state, const uint64_t *mask,
                                   uint64_t bytes_max);

/* Memory in use, in bytes. */
uint64_t memo_size(const struct memo *memo);

#endif /* PATH_HISTORY_MEMO_H */
