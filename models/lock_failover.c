/* A lock on a store that answers before its replica has heard of the grant: a
 * fail-over forgets it, and somebody else is granted the lock too. Fixed, the
 * answer waits for the replica. */

#include "models/lock_client.h"

enum
{
    PARAMETER_FIXED
};

/* A pair of servers as one actor: what the leader holds is gone when it
 * crashes, and the replica takes over with what had been copied. */
struct pair
{
    struct store leader;
    struct store replica;
    uint8_t asking; /* client + 1 that waits for the copy */
};
KAN_RECORD(pair, 1, KAN_STRUCT(pair, leader, store_record),
           KAN_STRUCT(pair, replica, store_record),
           KAN_INT(pair, asking, 0, STORE_CLIENTS_MAX));

enum
{
    TIMER_COPY
};

static void grant(kan_turn *turn, struct pair *pair, uint32_t client)
{
    struct kan_ref ref = kan_ref_number("client", client);

    pair->leader.believers |= (uint8_t)(1u << client);
    KAN_SEND(turn, &ref, answer, .granted = true, .token = pair->leader.token);
}

static void on_acquire(kan_turn *turn, void *state, const void *message)
{
    struct pair *pair = state;
    uint32_t client = kan_ref_to_number(turn->sender);

    (void)message;
    if (pair->leader.holder != 0) {
        KAN_REPLY(turn, answer, .granted = false);
        return;
    }
    pair->leader.holder = (uint8_t)(client + 1);
    pair->leader.token++;
    kan_timer_set(turn, TIMER_COPY, 1);
    if (kan_parameter(turn, PARAMETER_FIXED))
        pair->asking = (uint8_t)(client + 1);
    else
        grant(turn, pair, client);
}

static void on_copy(kan_turn *turn, void *state, const void *message)
{
    struct pair *pair = state;

    (void)message;
    pair->replica.holder = pair->leader.holder;
    pair->replica.token = pair->leader.token;
    if (pair->asking > 0)
        grant(turn, pair, pair->asking - 1u);
    pair->asking = 0;
}

static void on_release(kan_turn *turn, void *state, const void *message)
{
    struct pair *pair = state;
    uint32_t client = kan_ref_to_number(turn->sender);

    (void)message;
    pair->leader.believers &= (uint8_t) ~(1u << client);
    if (pair->leader.holder == client + 1)
        pair->leader.holder = 0;
    kan_timer_set(turn, TIMER_COPY, 1);
}

static void on_fail_over(kan_turn *turn, void *state, const void *message)
{
    struct pair *pair = state;

    (void)message;
    kan_timer_clear(turn, TIMER_COPY);
    pair->leader.holder = pair->replica.holder;
    pair->leader.token = pair->replica.token;
    if (pair->asking > 0) {
        struct kan_ref ref = kan_ref_number("client", pair->asking - 1u);
        KAN_SEND(turn, &ref, answer, .granted = false);
    }
    pair->asking = 0;
}

static const struct kan_handler handlers[] = {
    {&acquire_record, on_acquire},
    {&release_record, on_release},
};

static const struct kan_timer_type timers[] = {
    [TIMER_COPY] = {"copy", on_copy}};

/* Clients know it as the store. */
static const struct kan_actor_type pair_type = {
    .name = "store",
    .state = &pair_record,
    .restart = on_fail_over,
    KAN_HANDLERS(handlers),
    KAN_TIMERS(timers),
};

/* --- a client ------------------------------------------------------------- */

static void client_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    client_ask(turn, false);
}

static void on_answer(kan_turn *turn, void *state, const void *message)
{
    client_answered(turn, state, message);
}

static void on_worked(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    client_give_back(turn, state, true);
}

static const struct kan_handler client_handlers[] = {
    {&answer_record, on_answer},
};

static const struct kan_timer_type client_timers[] = {
    [CLIENT_TIMER_AGAIN] = {"again", client_start},
    [CLIENT_TIMER_WORKED] = {"worked", on_worked},
};

static const struct kan_actor_type client_type = {
    .name = "client",
    .state = &client_record,
    .start = client_start,
    KAN_HANDLERS(client_handlers),
    KAN_TIMERS(client_timers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    kan_setup_actor(setup, &pair_type, 0);
    kan_setup_actor(setup, &client_type, 0);
    kan_setup_actor(setup, &client_type, 1);
}

static bool one_holder(const kan_view *view)
{
    const struct pair *pair = view->states[0];
    uint8_t believers = pair->leader.believers;
    return (believers & (believers - 1)) == 0;
}

static const struct kan_model_property properties[] = {
    {.name = "one-holder", .kind = KAN_INVARIANT, .holds = one_holder},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: the answer waits for the replica"},
};

static const struct kan_model model = {
    .name = "lock-failover",
    .summary = "a lock on a store that answers before its replica knows",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_ORDERED,
    .faults = {.crash = 1},
};

KAN_MODULE(&model, &pair_type, &client_type);
