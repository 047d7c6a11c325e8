/* A service that writes to a database and then tells a bus: when it crashes
 * between the two, the bus never hears of it. Fixed, the database keeps what is
 * to be told in the same write (an outbox), and tells it until it is heard. */

#include <kan/model.h>

enum
{
    PARAMETER_FIXED
};

KAN_RECORD_EMPTY(order);   /* from a client, to the service */
KAN_RECORD_EMPTY(save);    /* from the service, to the database */
KAN_RECORD_EMPTY(saved);   /* and back */
KAN_RECORD_EMPTY(publish); /* to the bus */
KAN_RECORD_EMPTY(heard);   /* from the bus */

/* --- the service ---------------------------------------------------------- */

struct service
{
    bool asked; /* in memory only: what it was about to do */
};
KAN_RECORD(service, 1, KAN_BOOL_VOLATILE(service, asked));

static void on_order(kan_turn *turn, void *state, const void *message)
{
    struct service *service = state;
    struct kan_ref database = kan_ref_number("database", 0);

    (void)message;
    service->asked = true;
    kan_send(turn, &database, &save_record, NULL);
}

static void on_saved(kan_turn *turn, void *state, const void *message)
{
    struct service *service = state;
    struct kan_ref bus = kan_ref_number("bus", 0);

    (void)message;
    if (service->asked && !kan_parameter(turn, PARAMETER_FIXED))
        kan_send(turn, &bus, &publish_record, NULL);
    service->asked = false;
}

static const struct kan_handler service_handlers[] = {
    {&order_record, on_order},
    {&saved_record, on_saved},
};

static const struct kan_actor_type service_type = {
    .name = "service",
    .state = &service_record,
    KAN_HANDLERS(service_handlers),
};

/* --- the database --------------------------------------------------------- */

struct database
{
    uint8_t orders;
    uint8_t outbox; /* not yet heard of */
};
KAN_RECORD(database, 1, KAN_INT(database, orders, 0, 3),
           KAN_INT(database, outbox, 0, 3));

enum
{
    TIMER_TELL
};

static void on_save(kan_turn *turn, void *state, const void *message)
{
    struct database *database = state;

    (void)message;
    database->orders++;
    if (kan_parameter(turn, PARAMETER_FIXED)) {
        database->outbox++;
        kan_timer_set(turn, TIMER_TELL, 0);
    }
    kan_reply(turn, &saved_record, NULL);
}

static void on_tell(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref bus = kan_ref_number("bus", 0);

    (void)state;
    (void)message;
    kan_send(turn, &bus, &publish_record, NULL);
}

static void on_heard(kan_turn *turn, void *state, const void *message)
{
    struct database *database = state;

    (void)message;
    if (database->outbox > 0 && --database->outbox > 0)
        kan_timer_set(turn, TIMER_TELL, 0);
}

static const struct kan_handler database_handlers[] = {
    {&save_record, on_save},
    {&heard_record, on_heard},
};
static const struct kan_timer_type database_timers[] = {
    [TIMER_TELL] = {"tell", on_tell},
};

static const struct kan_actor_type database_type = {
    .name = "database",
    .state = &database_record,
    KAN_HANDLERS(database_handlers),
    KAN_TIMERS(database_timers),
};

/* --- the bus -------------------------------------------------------------- */

struct bus
{
    uint8_t orders;
};
KAN_RECORD(bus, 1, KAN_INT(bus, orders, 0, 3));

static void on_publish(kan_turn *turn, void *state, const void *message)
{
    struct bus *bus = state;

    (void)message;
    bus->orders++;
    kan_reply(turn, &heard_record, NULL);
}

static const struct kan_handler bus_handlers[] = {
    {&publish_record, on_publish}};

static const struct kan_actor_type bus_type = {
    .name = "bus",
    .state = &bus_record,
    KAN_HANDLERS(bus_handlers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    kan_setup_actor(setup, &service_type, 0);
    kan_setup_actor(setup, &database_type, 0);
    kan_setup_actor(setup, &bus_type, 0);
    kan_setup_request(setup, kan_ref_number("service", 0), &order_record, NULL,
                      1);
}

static bool bus_knows(const kan_view *view)
{
    const struct database *database = view->states[1];
    const struct bus *bus = view->states[2];
    return database->orders == bus->orders;
}

static const struct kan_model_property properties[] = {
    {.name = "the-bus-hears-of-all",
     .kind = KAN_RECOVERABLE,
     .holds = bus_knows},
    {.name = "in-the-end-they-agree", .kind = KAN_FINALLY, .holds = bus_knows},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: an outbox in the database's own write"},
};

static const struct kan_model model = {
    .name = "dual-write",
    .summary = "a write to a database, then to a bus, and a crash between",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_DURABLE,
    .faults = {.crash = 1},
};

KAN_MODULE(&model, &service_type, &database_type, &bus_type);
