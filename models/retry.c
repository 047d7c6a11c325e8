/* A client that sends again when no answer comes, to a server that does not
 * know a request when it sees it twice: one payment is made twice. Fixed, the
 * server keeps the number of the last request of each client. */

#include <kan/model.h>

enum
{
    PARAMETER_FIXED
};

struct pay
{
    uint8_t number;
};
KAN_RECORD(pay, 1, KAN_INT(pay, number, 1, 3));
KAN_RECORD_EMPTY(paid);

/* --- the server ----------------------------------------------------------- */

struct server
{
    uint8_t payments;
    uint8_t last; /* number of the last request taken */
};
KAN_RECORD(server, 1, KAN_INT(server, payments, 0, 9),
           KAN_INT(server, last, 0, 3));

static void on_pay(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct pay *pay = message;

    if (!kan_parameter(turn, PARAMETER_FIXED) || pay->number > server->last)
        server->payments++;
    server->last = pay->number;
    kan_reply(turn, &paid_record, NULL);
}

static const struct kan_handler server_handlers[] = {{&pay_record, on_pay}};

static const struct kan_actor_type server_type = {
    .name = "server",
    .state = &server_record,
    KAN_HANDLERS(server_handlers),
};

/* --- the client ----------------------------------------------------------- */

enum
{
    ATTEMPTS_MAX = 3
};

struct client
{
    uint8_t attempts;
    bool done;
};
KAN_RECORD(client, 1, KAN_INT(client, attempts, 0, ATTEMPTS_MAX),
           KAN_BOOL(client, done));

enum
{
    TIMER_NO_ANSWER
};

static void on_attempt(kan_turn *turn, void *state, const void *message)
{
    struct client *client = state;
    struct kan_ref server = kan_ref_number("server", 0);

    (void)message;
    if (++client->attempts < ATTEMPTS_MAX)
        kan_timer_set(turn, TIMER_NO_ANSWER, 100);
    KAN_SEND(turn, &server, pay, .number = 1);
}

static void on_paid(kan_turn *turn, void *state, const void *message)
{
    struct client *client = state;

    (void)message;
    client->done = true;
    kan_timer_clear(turn, TIMER_NO_ANSWER);
}

static const struct kan_handler client_handlers[] = {{&paid_record, on_paid}};
static const struct kan_timer_type client_timers[] = {
    [TIMER_NO_ANSWER] = {"no-answer", on_attempt},
};

static const struct kan_actor_type client_type = {
    .name = "client",
    .state = &client_record,
    .start = on_attempt,
    KAN_HANDLERS(client_handlers),
    KAN_TIMERS(client_timers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    kan_setup_actor(setup, &server_type, 0);
    kan_setup_actor(setup, &client_type, 0);
}

static bool paid_once(const kan_view *view)
{
    const struct server *server = view->states[0];
    return server->payments <= 1;
}

static const struct kan_model_property properties[] = {
    {.name = "paid-once", .kind = KAN_INVARIANT, .holds = paid_once},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: the server knows a request when it sees it twice"},
};

static const struct kan_model model = {
    .name = "retry",
    .summary = "a request sent again because its answer was lost",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_UNORDERED,
    .faults = {.lost = 2},
};

KAN_MODULE(&model, &server_type, &client_type);
