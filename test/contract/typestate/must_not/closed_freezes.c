/* A closed account stays closed. */
/* says: freeze needs account that is open */

#include "bank.h"

enum account_refusal test(struct account_open *open,
                          struct account_closed *closed,
                          struct account_frozen *to);

enum account_refusal test(struct account_open *open,
                          struct account_closed *closed,
                          struct account_frozen *to)
{
#ifdef RIGHT
    return closed ? account_freeze(open, to, NULL) : ACCOUNT_GUARD;
#else
    return open ? account_freeze(closed, to, NULL) : ACCOUNT_GUARD;
#endif
}
