/* The steps of step.c by generated C: deposit of bank.kan into an open account,
 * and add of cart.kan to a cart of ten articles.
 *
 * usage: step_c [STEPS]
 * Prints what step.c prints. It is built with bank.c and cart.c, as `kan gen c`
 * writes them, each a unit of its own: nothing is inlined. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bank.h"
#include "cart.h"

enum
{
    ROUNDS = 5,
    DEPOSITS_MAX = 1000000, /* of one and three, until the account is new */
    ADDS_MAX = 990          /* to ten articles */
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "step_c: %s\n", what);
    exit(1);
}

static double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double deposits(unsigned long steps)
{
    struct account_unopened fresh;
    struct account_open first;
    struct account_open account;
    unsigned long taken = DEPOSITS_MAX;

    account_unopened_start(&fresh);
    if (account_open(&fresh, &first, account_text("ann"), NULL) !=
        ACCOUNT_TAKEN)
        fail("open is refused");
    double from = cpu_seconds();
    for (unsigned long i = 0; i < steps; i++) {
        if (taken == DEPOSITS_MAX) {
            account = first;
            taken = 0;
        }
        if (account_deposit(&account, i % 2 ? 3 : 1, NULL) != ACCOUNT_TAKEN)
            fail("deposit is refused");
        taken++;
    }
    return cpu_seconds() - from;
}

static double adds(unsigned long steps)
{
    static const char *const articles[] = {"apple", "pear",  "plum",   "fig",
                                           "date",  "melon", "cherry", "lemon",
                                           "grape", "quince"};
    static struct cart_filling cart;
    unsigned long taken = ADDS_MAX;
    double from = cpu_seconds();

    for (unsigned long i = 0; i < steps; i++) {
        if (taken == ADDS_MAX) {
            cart_filling_start(&cart);
            taken = 0;
        }
        if (cart_add(&cart, cart_text(articles[i % 10]), 1, NULL) != CART_TAKEN)
            fail("add is refused");
        taken++;
    }
    return cpu_seconds() - from;
}

static void time_load(const char *name, double (*load)(unsigned long steps),
                      unsigned long steps)
{
    double best = 1e9;

    for (int i = 0; i < ROUNDS; i++) {
        double took = load(steps);
        best = took < best ? took : best;
    }
    (void)printf("%s %.2f\n", name, (double)steps / best / 1e6);
}

int main(int argc, char **argv)
{
    unsigned long steps = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000000;

    if (steps == 0)
        fail("usage: step_c [STEPS]");
    time_load("bank.kan deposit", deposits, steps);
    time_load("cart.kan add", adds, steps);
    return 0;
}
