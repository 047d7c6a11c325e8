/* A lock by SETNX and then EXPIRE: a client that dies between the two commands
 * locks everybody out for ever. Fixed, the key is set with its time to live by
 * one command. */

#include "models/lock_client.h"

enum
{
    PARAMETER_FIXED
};

static void client_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    client_ask(turn, kan_parameter(turn, PARAMETER_FIXED) == 1);
}

static void on_answer(kan_turn *turn, void *state, const void *message)
{
    bool holds = client_answered(turn, state, message);

    if (holds && kan_parameter(turn, PARAMETER_FIXED) == 0)
        kan_reply(turn, &expire_record, NULL);
}

static void on_worked(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    client_give_back(turn, state, true);
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
    .flags = KAN_ACTOR_MORTAL,
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    kan_setup_actor(setup, &store_type, 0);
    kan_setup_actor(setup, &client_type, 0);
    kan_setup_actor(setup, &client_type, 1);
}

static bool all_served(const kan_view *view)
{
    for (uint32_t i = 1; i < view->count; i++) {
        const struct client *client = view->states[i];
        if (view->up[i] && client->stage != CLIENT_DONE)
            return false;
    }
    return true;
}

static const struct kan_model_property properties[] = {
    {.name = "everybody-is-served",
     .kind = KAN_RECOVERABLE,
     .holds = all_served},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: one command sets the key and its time to live"},
};

static const struct kan_model model = {
    .name = "lock-setnx",
    .summary = "a lock by SETNX, then EXPIRE, and a crash between them",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_ORDERED,
    .faults = {.crash = 1},
};

KAN_MODULE(&model, &store_type, &client_type);
