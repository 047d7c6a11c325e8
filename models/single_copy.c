/* A register on servers that know nothing of each other. With one server it is
 * linearizable; with two, a client reads where nobody wrote. */

#include "models/register.h"

struct server
{
    uint8_t value;
};
KAN_RECORD(server, 1, KAN_INT(server, value, 0, 255));

static void on_put(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct put *put = message;

    server->value = put->value;
    KAN_REPLY(turn, put_ok, .request = put->request);
}

static void on_get(kan_turn *turn, void *state, const void *message)
{
    const struct server *server = state;
    const struct get *get = message;

    KAN_REPLY(turn, get_ok, .request = get->request, .value = server->value);
}

static const struct kan_handler handlers[] = {
    {&put_record, on_put},
    {&get_record, on_get},
};

static const struct kan_actor_type server_type = {
    .name = "server",
    .state = &server_record,
    KAN_HANDLERS(handlers),
};

static void setup_all(kan_setup *setup)
{
    register_setup(setup, &server_type);
}

static const struct kan_model_parameter parameters[] = {
    REGISTER_PARAMETERS(1),
};

static const struct kan_model model = {
    .name = "single-copy",
    .summary = "a register on servers that know nothing of each other",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(register_properties),
    .network = KAN_NETWORK_UNORDERED,
    .compat = KAN_COMPAT_ACTOR,
};

KAN_MODULE(&model, &server_type, &register_client_type);
