/* A lock given back by DEL, whoever holds it: a client that was too slow
 * deletes the lock of the next one. Fixed, the owner is compared. */

#include "models/lock_client.h"

enum
{
    PARAMETER_FIXED
};

static void client_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    client_ask(turn, true);
}

static void on_answer(kan_turn *turn, void *state, const void *message)
{
    client_answered(turn, state, message);
}

static void on_worked(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    client_give_back(turn, state, kan_parameter(turn, PARAMETER_FIXED) == 1);
}

static const struct kan_handler handlers[] = {{&answer_record, on_answer}};

static const struct kan_timer_type timers[] = {
    [CLIENT_TIMER_AGAIN] = {"again", client_start},
    [CLIENT_TIMER_WORKED] = {"worked", on_worked},
};

static const struct kan_actor_type client_type = {
    .name = "client",
    .state = &client_record,
    .start = client_start,
    KAN_HANDLERS(handlers),
    KAN_TIMERS(timers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    kan_setup_actor(setup, &store_type, 0);
    for (uint32_t i = 0; i < STORE_CLIENTS_MAX; i++)
        kan_setup_actor(setup, &client_type, i);
}

static const struct kan_model_property properties[] = {
    {.name = "one-holder", .kind = KAN_INVARIANT, .holds = store_one_holder},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: only the owner's key is deleted"},
};

static const struct kan_model model = {
    .name = "lock-delete",
    .summary = "a lock given back by DEL, whoever holds it",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_ORDERED,
};

KAN_MODULE(&model, &store_type, &client_type);
