/* A counter for each id, kept on disk: the first actor that one would write.
 *
 *     cc -shared -fPIC -I include examples/counter.c -o counter.so
 *     kan run counter.so
 *     curl localhost:3500/v1.0/actors/counter/a/method/add -d '{"amount": 5}'
 *     kan check counter.so     walks every order of two clients' messages */

#include <kan/actor.h>

struct counter
{
    int64_t value;
};
KAN_RECORD(counter, 1, KAN_INT(counter, value, 0, 1000000));

struct add
{
    int64_t amount;
};
KAN_RECORD(add, 1, KAN_INT(add, amount, 1, 100));

struct total
{
    int64_t value;
};
KAN_RECORD(total, 1, KAN_INT(total, value, 0, 1000000));

static void on_add(kan_turn *turn, void *state, const void *message)
{
    struct counter *counter = state;
    const struct add *add = message;

    if (counter->value + add->amount > 1000000) {
        kan_refuse(turn, "the counter is full");
        return;
    }
    counter->value += add->amount;
    KAN_REPLY(turn, total, .value = counter->value);
}

static const struct kan_handler handlers[] = {{&add_record, on_add}};
static const struct kan_actor_type counter = {
    .name = "counter",
    .state = &counter_record,
    KAN_HANDLERS(handlers),
};
KAN_ACTORS(&counter);
