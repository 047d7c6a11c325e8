/* An account, and the property that no row of deposits and withdrawals
 * overdraws it. With the argument wrong, an account that forgets to look at its
 * balance when a fee is due: the smallest row that shows it is printed, and how
 * to run it again.
 *
 *     cc examples/property.c $(pkg-config --cflags --libs kan) -o account
 *     ./account
 *     ./account wrong */

#include <inttypes.h>
#include <kan/property.h>
#include <stdio.h>
#include <string.h>

enum
{
    FEE = 3, /* of every third withdrawal */
    STEPS_MAX = 100
};

/* --- the code under test -------------------------------------------------- */

struct account
{
    int64_t balance;
    unsigned withdrawals;
    bool forgets_the_fee;
};

static void account_deposit(struct account *account, int64_t amount)
{
    account->balance += amount;
}

/* Whether there was enough. */
static bool account_withdraw(struct account *account, int64_t amount)
{
    int64_t fee = (account->withdrawals + 1) % 3 == 0 ? FEE : 0;
    int64_t needed = account->forgets_the_fee ? amount : amount + fee;

    if (account->balance < needed)
        return false;
    account->balance -= amount + fee;
    account->withdrawals++;
    return true;
}

/* --- the property --------------------------------------------------------- */

static void never_overdrawn(kan_case *c, void *data)
{
    struct account account = {.forgets_the_fee = *(const bool *)data};

    for (size_t step = 0; kan_draw_more(c, step, 0, STEPS_MAX); step++) {
        bool withdraws = kan_draw_bool(c);
        int64_t amount = kan_draw_int(c, 1, 1000);

        if (!withdraws)
            account_deposit(&account, amount);
        else if (!account_withdraw(&account, amount))
            continue;
        kan_note(c, "%s %" PRId64 ": %" PRId64 " left",
                 withdraws ? "withdraw" : "deposit", amount, account.balance);
        if (!kan_require(c, account.balance >= 0))
            return;
    }
}

int main(int argc, char **argv)
{
    struct kan_property_options options = {.name = "never overdrawn"};
    bool wrong = argc > 1 && strcmp(argv[1], "wrong") == 0;

    if (!kan_property_holds(&options, never_overdrawn, &wrong))
        return 1;
    puts("the account is never overdrawn");
    return 0;
}
