/* Where a step may have ended in several states, ask which. */
/* says: cancel needs subscription that is trial or monthly or yearly */

#include "subscription.h"

enum subscription_refusal test(struct subscription_trial *trial,
                               struct subscription_any *any);

enum subscription_refusal test(struct subscription_trial *trial,
                               struct subscription_any *any)
{
#ifdef RIGHT
    return any ? subscription_cancel(trial, NULL) : SUBSCRIPTION_GUARD;
#else
    return trial ? subscription_cancel(any, NULL) : SUBSCRIPTION_GUARD;
#endif
}
