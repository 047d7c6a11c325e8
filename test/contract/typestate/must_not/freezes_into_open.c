/* A step ends in the state in which it ends. */
/* says:  */

#include "bank.h"

enum account_refusal test(struct account_open *open,
                          struct account_frozen *frozen,
                          struct account_open *other);

enum account_refusal test(struct account_open *open,
                          struct account_frozen *frozen,
                          struct account_open *other)
{
#ifdef RIGHT
    return other ? account_open_freeze(open, frozen, NULL) : ACCOUNT_GUARD;
#else
    return frozen ? account_open_freeze(open, other, NULL) : ACCOUNT_GUARD;
#endif
}
