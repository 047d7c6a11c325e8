/* register.h - what the models of a shared register have in common: the
 * messages that clients and servers exchange, and a client that writes once and
 * reads once, or reads twice, and says what it saw.
 *
 * Servers are "server/0" and on, clients "client/0" and on; client k counts as
 * actor number servers + k, as in the models that the counts are compared
 * with. */

#ifndef MODELS_REGISTER_H
#define MODELS_REGISTER_H

#include <kan/model.h>

/* Numbers of requests are the client's actor number times 1, 2, ... */
struct put
{
    uint8_t request;
    uint8_t value;
};
KAN_RECORD(put, 1, KAN_INT(put, request, 0, 255), KAN_INT(put, value, 0, 255));

struct put_ok
{
    uint8_t request;
};
KAN_RECORD(put_ok, 1, KAN_INT(put_ok, request, 0, 255));

struct get
{
    uint8_t request;
};
KAN_RECORD(get, 1, KAN_INT(get, request, 0, 255));

struct get_ok
{
    uint8_t request;
    uint8_t value;
};
KAN_RECORD(get_ok, 1, KAN_INT(get_ok, request, 0, 255),
           KAN_INT(get_ok, value, 0, 255));

struct register_client
{
    uint8_t awaiting; /* the request; 0: none */
    uint8_t done;     /* requests sent */
};
KAN_RECORD(register_client, 1, KAN_INT(register_client, awaiting, 0, 255),
           KAN_INT(register_client, done, 0, 3));

/* The parameters of every such model begin with these. */
enum
{
    PARAMETER_SERVERS,
    PARAMETER_CLIENTS,
    PARAMETER_READERS,
    PARAMETERS_OF_REGISTER
};

#define REGISTER_PARAMETERS(servers_preset)                                   \
    {"servers", servers_preset, 1, 7, "how many servers keep the register"},  \
        {"clients", 2, 1, 8, "how many clients do two things each"},          \
    {                                                                         \
        "readers", 0, 0, 8,                                                   \
            "how many of them, the last, read twice; others write, then read" \
    }

static inline bool register_client_reads(kan_turn *turn)
{
    return kan_ref_to_number(turn->self) +
               kan_parameter(turn, PARAMETER_READERS) >=
           kan_parameter(turn, PARAMETER_CLIENTS);
}

/* The client's next request: the server after the last one is asked. */
static inline void register_client_ask(kan_turn *turn,
                                       struct register_client *client,
                                       bool write)
{
    uint32_t servers = (uint32_t)kan_parameter(turn, PARAMETER_SERVERS);
    uint32_t self = kan_ref_to_number(turn->self);
    uint32_t index = servers + self;
    struct kan_ref server =
        kan_ref_number("server", (index + client->done) % servers);

    client->done++;
    client->awaiting = (uint8_t)(index * client->done);
    kan_invoke(turn, write ? KAN_REGISTER_WRITE : KAN_REGISTER_READ,
               write ? 'A' + (int64_t)self : 0);
    if (write)
        KAN_SEND(turn, &server, put, .request = client->awaiting,
                 .value = (uint8_t)('A' + self));
    else
        KAN_SEND(turn, &server, get, .request = client->awaiting);
}

static inline void register_client_start(kan_turn *turn, void *state,
                                         const void *message)
{
    (void)message;
    register_client_ask(turn, (struct register_client *)state,
                        !register_client_reads(turn));
}

static inline void register_client_put_ok(kan_turn *turn, void *state,
                                          const void *message)
{
    struct register_client *client = (struct register_client *)state;
    const struct put_ok *ok = (const struct put_ok *)message;

    if (client->awaiting == 0 || ok->request != client->awaiting)
        return;
    kan_complete(turn, 0);
    register_client_ask(turn, client, false);
}

static inline void register_client_get_ok(kan_turn *turn, void *state,
                                          const void *message)
{
    struct register_client *client = (struct register_client *)state;
    const struct get_ok *ok = (const struct get_ok *)message;

    if (client->awaiting == 0 || ok->request != client->awaiting)
        return;
    kan_complete(turn, ok->value);
    if (client->done == 1) {
        register_client_ask(turn, client, false);
        return;
    }
    client->awaiting = 0;
    client->done++;
}

static const struct kan_handler register_client_handlers[] = {
    {&put_ok_record, register_client_put_ok},
    {&get_ok_record, register_client_get_ok},
};

static const struct kan_actor_type register_client_type = {
    .name = "client",
    .state = &register_client_record,
    .start = register_client_start,
    KAN_HANDLERS(register_client_handlers),
};

static inline void register_show(uint32_t op, int64_t argument, bool returned,
                                 int64_t result, char *text, size_t size)
{
    const char *word = op == KAN_REGISTER_WRITE ? "write ?" : "read ?";
    int64_t value = op == KAN_REGISTER_WRITE ? argument : result;
    size_t at = strlen(word) - 1;

    if (size < 9)
        return;
    memcpy(text, word, at);
    text[at] = op == KAN_REGISTER_WRITE || returned ? (char)value : '?';
    if (text[at] == '\0')
        text[at] = '-';
    text[at + 1] = '\0';
}

static const struct kan_spec register_spec = {
    .name = "register",
    .state = &kan_register_record,
    .step = kan_register_step,
    .show = register_show,
};

static const struct kan_model_property register_properties[] = {
    {.name = "linearizable", .kind = KAN_LINEARIZABLE, .spec = &register_spec},
};

/* Add the servers, then the clients. */
static inline void register_setup(kan_setup *setup,
                                  const struct kan_actor_type *server)
{
    uint32_t servers = (uint32_t)kan_setup_parameter(setup, PARAMETER_SERVERS);
    uint32_t clients = (uint32_t)kan_setup_parameter(setup, PARAMETER_CLIENTS);

    for (uint32_t i = 0; i < servers; i++)
        kan_setup_actor(setup, server, i);
    for (uint32_t i = 0; i < clients; i++)
        kan_setup_actor(setup, &register_client_type, i);
}

#endif /* MODELS_REGISTER_H */
