/* subject.c - the generated headers, and a table of what they declare. */

#include "subject.h"

#include "bank.h"
#include "cart.h"
#include "every.h"
#include "order.h"
#include "stock.h"
#include "subscription.h"
#include "ticket.h"

/* named: the generated type. */
#define SUBJECT(named)                                                        \
    static void start_##named(void *state)                                    \
    {                                                                         \
        named##_start((struct named *)state);                                 \
    }                                                                         \
    static struct said take_##named(void *state, uint32_t step,               \
                                    const void *arguments, int64_t now_ms,    \
                                    const char *id)                           \
    {                                                                         \
        struct named##_why reason = {0};                                      \
        struct said said = {0};                                               \
        said.kind =                                                           \
            (int)named##_take((struct named *)state, (enum named##_step)step, \
                              arguments, now_ms, id, &reason);                \
        said.name = reason.name;                                              \
        said.text = reason.text;                                              \
        said.source = reason.source;                                          \
        said.value = reason.value;                                            \
        said.min = reason.min;                                                \
        said.max = reason.max;                                                \
        return said;                                                          \
    }

SUBJECT(account)
SUBJECT(cart)
SUBJECT(cart_v1)
SUBJECT(every)
SUBJECT(kan_class)
SUBJECT(article)
SUBJECT(wallet)
SUBJECT(warehouse)
SUBJECT(subscription)
SUBJECT(ticket)

#define ROW(file, type, version, named)                                        \
    {                                                                          \
        file, type, version, sizeof(struct named), start_##named, take_##named \
    }

const struct subject subjects[] = {
    ROW("bank.kan", "account", 1, account),
    ROW("cart.kan", "cart", 1, cart_v1),
    ROW("cart.kan", "cart", 2, cart),
    ROW("every.kan", "class", 1, kan_class),
    ROW("every.kan", "every", 1, every),
    ROW("order.kan", "article", 1, article),
    ROW("order.kan", "wallet", 1, wallet),
    ROW("stock.kan", "warehouse", 1, warehouse),
    ROW("subscription.kan", "subscription", 1, subscription),
    ROW("ticket.kan", "ticket", 1, ticket),
};
const size_t subject_count = sizeof subjects / sizeof *subjects;
