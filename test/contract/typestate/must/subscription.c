/* Where a step may end in several states, its result is told apart. */

#include "subscription.h"

int subscription_test(void);

int subscription_test(void)
{
    struct subscription_none_yet fresh;
    struct subscription_any any;
    struct subscription_yearly *yearly = NULL;
    static const char id[] = "0123456789abcdef0123456789abcdef";

    subscription_none_yet_start(&fresh);
    if (subscription_pay(&fresh, &any, SUBSCRIPTION_PAY_HOW_YEARLY, 5, id,
                         NULL) != SUBSCRIPTION_TAKEN)
        return 1;
    if (!subscription_as_yearly(&any.is, &yearly))
        return 2;
    return subscription_cancel(yearly, NULL) == SUBSCRIPTION_TAKEN ? 0 : 3;
}
