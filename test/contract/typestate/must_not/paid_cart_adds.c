/* What is paid gets no more articles. */
/* says: add needs cart that is filling */

#include "cart.h"

enum cart_refusal test(struct cart_filling *filling, struct cart_paid *paid);

enum cart_refusal test(struct cart_filling *filling, struct cart_paid *paid)
{
#ifdef RIGHT
    return paid ? cart_add(filling, cart_text("fig"), 1, NULL) : CART_GUARD;
#else
    return filling ? cart_add(paid, cart_text("fig"), 1, NULL) : CART_GUARD;
#endif
}
