/* An account whose state is not known has to be asked first. */
/* says: deposit needs account that is open */

#include "bank.h"

enum account_refusal test(struct account_open *open, struct account *account);

enum account_refusal test(struct account_open *open, struct account *account)
{
#ifdef RIGHT
    return account ? account_deposit(open, 5, NULL) : ACCOUNT_GUARD;
#else
    return open ? account_deposit(account, 5, NULL) : ACCOUNT_GUARD;
#endif
}
