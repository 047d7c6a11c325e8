/* An account through its states, by the step's name alone. */

#include "bank.h"

int account_test(void);

int account_test(void)
{
    struct account_unopened fresh;
    struct account_open open;
    struct account_frozen frozen;
    struct account_closed closed;
    struct account_open *is_open = NULL;
    struct account_why why;

    account_unopened_start(&fresh);
    if (account_open(&fresh, &open, account_text("ann"), &why) != ACCOUNT_TAKEN)
        return 1;
    if (account_deposit(&open, 500, &why) != ACCOUNT_TAKEN)
        return 2;
    if (account_withdraw(&open, 501, &why) != ACCOUNT_REQUIRE ||
        strcmp(why.text, "insufficient funds") != 0 || open.is.balance != 500)
        return 3;
    if (account_freeze(&open, &frozen, NULL) != ACCOUNT_TAKEN)
        return 4;
    /* It moved on: what is left behind takes no steps. */
    if (account_deposit(&open, 1, &why) != ACCOUNT_MOVED)
        return 5;
    if (account_as_open(&frozen.is, &is_open) || is_open != NULL)
        return 6;
    if (account_unfreeze(&frozen, &open, NULL) != ACCOUNT_TAKEN)
        return 7;
    if (!account_as_open(&open.is, &is_open) || is_open != &open)
        return 8;
    if (account_withdraw(is_open, 500, NULL) != ACCOUNT_TAKEN)
        return 9;
    if (account_close(&open, &closed, NULL) != ACCOUNT_TAKEN)
        return 10;
    return closed.is.status == ACCOUNT_STATUS_CLOSED ? 0 : 11;
}
