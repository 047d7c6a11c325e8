/* A cart: both versions, and a map read by hand. */

#include "cart.h"

int cart_test(void);

int cart_test(void)
{
    struct cart_filling cart;
    struct cart_paid paid;
    struct cart_shipped shipped;
    struct cart_v1 old;
    uint16_t at = 0;

    cart_filling_start(&cart);
    cart_v1_start(&old);
    if (cart_pay(&cart, &paid, NULL) != CART_REQUIRE)
        return 1;
    if (cart_add(&cart, cart_text("pear"), 3, NULL) != CART_TAKEN ||
        cart_add(&cart, cart_text("fig"), 1, NULL) != CART_TAKEN)
        return 2;
    if (!cart_lines_find(&cart.is.lines, cart_text("pear"), &at) || at != 1 ||
        cart.is.lines.elements[at].value != 3)
        return 3;
    if (cart_pay(&cart, &paid, NULL) != CART_TAKEN ||
        cart_ship(&paid, &shipped, NULL) != CART_TAKEN)
        return 4;
    if (cart_v1_take_add(&old, cart_v1_text("pear"), NULL) != CART_V1_TAKEN)
        return 5;
    return shipped.is.stage == CART_STAGE_SHIPPED ? 0 : 6;
}
