/* A frozen account pays nothing out. */
/* says: withdraw needs account that is open */

#include "bank.h"

enum account_refusal test(struct account_open *open,
                          struct account_frozen *frozen);

enum account_refusal test(struct account_open *open,
                          struct account_frozen *frozen)
{
#ifdef RIGHT
    return frozen ? account_withdraw(open, 5, NULL) : ACCOUNT_GUARD;
#else
    return open ? account_withdraw(frozen, 5, NULL) : ACCOUNT_GUARD;
#endif
}
