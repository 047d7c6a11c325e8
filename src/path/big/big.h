/* big.h - exact natural numbers of any size, for counting runs.
 *
 * A number below 2^192, and nearly any below 2^256, lives in the struct itself,
 * a larger one on the heap, so that millions of small counts cost 40 bytes each
 * and no allocation. A zeroed struct is the number 0. Do not copy the struct:
 * use big_set(). */

#ifndef PATH_BIG_H
#define PATH_BIG_H

#include <kan/base.h>

#include "base/bytes.h"

enum
{
    BIG_INLINE_WORDS = 4
};

struct big
{
    union
    {
        uint64_t few[BIG_INLINE_WORDS];
        uint64_t *many; /* when capacity is not 0 */
    } words;            /* the least significant first */
    uint32_t size;      /* words used; the last one is not 0 */
    uint32_t capacity;  /* words at many */
};

/* --- life cycle ----------------------------------------------------------- */

/* The number value. Free it with big_fini(). */
void big_init(struct big *big, uint64_t value);

/* Free the words; the number is 0 again. A zeroed number is fine. */
void big_fini(struct big *big);

/* --- arithmetic ----------------------------------------------------------- */

/* KAN_NOMEM leaves the first number as it was. Both may be one number. A
 * number has at most 2^32 - 1 words; beyond is KAN_NOMEM too. */

/* big = other. */
KAN_MUST_USE enum kan_err big_set(struct big *big, const struct big *other);

/* big = big + other. */
KAN_MUST_USE enum kan_err big_add(struct big *big, const struct big *other);

/* big = big * factor. */
KAN_MUST_USE enum kan_err big_multiply_u64(struct big *big, uint64_t factor);

/* big = big * other, in time size * size. */
KAN_MUST_USE enum kan_err big_multiply(struct big *big,
                                       const struct big *other);

/* --- questions ------------------------------------------------------------ */

/* Below 0, 0 or above 0, as a is less than b, equal or greater. */
int big_compare(const struct big *a, const struct big *b);

/* The number as 64 bits; UINT64_MAX when it has more. */
uint64_t big_u64(const struct big *big);

/* Append the decimal digits, without leading zeros; "0" for 0. Takes time
 * size * size: 10,000 digits a millisecond or so. KAN_NOMEM leaves the buffer's
 * content as it was. */
KAN_MUST_USE enum kan_err big_append(struct buffer *buffer,
                                     const struct big *big);

#endif /* PATH_BIG_H */
