/* A lock without fencing (Kleppmann, "How to do distributed locking"): a client
 * that sleeps through the end of its lease writes over its successor. Fixed,
 * the disk refuses a token lower than one that it has seen. */

#include "models/lock_client.h"

enum
{
    PARAMETER_FIXED
};

/* --- the disk that the lock protects -------------------------------------- */

struct write
{
    uint8_t token;
};
KAN_RECORD(write, 1, KAN_INT(write, token, 0, 9));

struct disk
{
    uint8_t token; /* of the last write that was taken */
    bool stale;    /* an older holder has overwritten a later one */
};
KAN_RECORD(disk, 1, KAN_INT(disk, token, 0, 9), KAN_BOOL(disk, stale));

static void on_write(kan_turn *turn, void *state, const void *message)
{
    struct disk *disk = state;
    const struct write *write = message;

    if (kan_parameter(turn, PARAMETER_FIXED) && write->token < disk->token)
        return;
    disk->stale |= write->token < disk->token;
    disk->token = write->token;
}

static const struct kan_handler disk_handlers[] = {{&write_record, on_write}};

static const struct kan_actor_type disk_type = {
    .name = "disk",
    .state = &disk_record,
    KAN_HANDLERS(disk_handlers),
};

/* --- a client ------------------------------------------------------------- */

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
    struct client *client = state;
    struct kan_ref disk = kan_ref_number("disk", 0);

    (void)message;
    KAN_SEND(turn, &disk, write, .token = client->token);
    client_give_back(turn, client, true);
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
    kan_setup_actor(setup, &client_type, 0);
    kan_setup_actor(setup, &client_type, 1);
    kan_setup_actor(setup, &disk_type, 0);
}

static bool no_stale_write(const kan_view *view)
{
    const struct disk *disk = view->states[3];
    return !disk->stale;
}

static const struct kan_model_property properties[] = {
    {.name = "no-stale-write", .kind = KAN_INVARIANT, .holds = no_stale_write},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1,
     "1: the disk refuses a token lower than one it has seen"},
};

static const struct kan_model model = {
    .name = "lock-fencing",
    .summary = "a lock whose holder sleeps through the end of its lease",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_ORDERED,
};

KAN_MODULE(&model, &store_type, &client_type, &disk_type);
