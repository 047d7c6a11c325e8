/* The register of Attiya, Bar-Noy and Dolev ("Sharing Memory Robustly in
 * Message-Passing Systems"): every operation asks a majority for the newest
 * value and then has a majority record it. Readers that leave out the second
 * half can see the new value and then the old one. */

#include "models/register.h"

enum
{
    SERVERS_MAX = 7,
    PARAMETER_WRITE_BACK = PARAMETERS_OF_REGISTER
};

/* When a value was written: by a counter, then by server. */
struct stamp
{
    uint8_t count;
    uint8_t server;
};
KAN_RECORD(stamp, 1, KAN_INT(stamp, count, 0, 255),
           KAN_INT(stamp, server, 0, SERVERS_MAX));

struct stamped
{
    struct stamp stamp;
    uint8_t value;
};
KAN_RECORD(stamped, 1, KAN_STRUCT(stamped, stamp, stamp_record),
           KAN_INT(stamped, value, 0, 255));

struct query
{
    uint8_t request;
};
KAN_RECORD(query, 1, KAN_INT(query, request, 0, 255));

struct queried
{
    uint8_t request;
    struct stamped newest;
};
KAN_RECORD(queried, 1, KAN_INT(queried, request, 0, 255),
           KAN_STRUCT(queried, newest, stamped_record));

struct store
{
    uint8_t request;
    struct stamped newest;
};
KAN_RECORD(store, 1, KAN_INT(store, request, 0, 255),
           KAN_STRUCT(store, newest, stamped_record));

struct stored
{
    uint8_t request;
};
KAN_RECORD(stored, 1, KAN_INT(stored, request, 0, 255));

/* --- a server ------------------------------------------------------------- */

enum
{
    IDLE,
    ASKING,
    STORING
};

struct server
{
    struct stamped newest;
    uint8_t phase;
    uint8_t request;
    uint8_t client;
    bool writing;
    uint8_t value;                       /* to write, or read */
    uint8_t answered;                    /* a bit for each server */
    struct stamped answers[SERVERS_MAX]; /* ASKING */
};
KAN_RECORD(server, 1, KAN_STRUCT(server, newest, stamped_record),
           KAN_INT(server, phase, IDLE, STORING),
           KAN_INT(server, request, 0, 255), KAN_INT(server, client, 0, 255),
           KAN_BOOL(server, writing), KAN_INT(server, value, 0, 255),
           KAN_INT(server, answered, 0, 127),
           KAN_STRUCTS(server, answers, stamped_record));

static int order(struct stamp a, struct stamp b)
{
    if (a.count != b.count)
        return a.count < b.count ? -1 : 1;
    return a.server < b.server ? -1 : a.server > b.server;
}

static uint32_t server_count(kan_turn *turn)
{
    return (uint32_t)kan_parameter(turn, PARAMETER_SERVERS);
}

static bool is_majority(kan_turn *turn, uint8_t set)
{
    uint32_t members = 0;

    for (; set; set &= (uint8_t)(set - 1))
        members++;
    return members == server_count(turn) / 2 + 1;
}

static void broadcast(kan_turn *turn, const struct kan_record *record,
                      const void *message)
{
    uint32_t self = kan_ref_to_number(turn->self);

    for (uint32_t i = 0; i < server_count(turn); i++) {
        struct kan_ref peer = kan_ref_number("server", i);
        if (i != self)
            kan_send(turn, &peer, record, message);
    }
}

static void finish(kan_turn *turn, struct server *server)
{
    struct kan_ref client = kan_ref_number("client", server->client);

    if (server->writing)
        KAN_SEND(turn, &client, put_ok, .request = server->request);
    else
        KAN_SEND(turn, &client, get_ok, .request = server->request,
                 .value = server->value);
    server->phase = IDLE;
    server->request = 0;
    server->client = 0;
    server->writing = false;
    server->value = 0;
    server->answered = 0;
}

static void server_start(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;

    (void)message;
    server->newest.stamp.server = (uint8_t)kan_ref_to_number(turn->self);
}

static void begin(kan_turn *turn, struct server *server, uint8_t request,
                  bool writing, uint8_t value)
{
    uint32_t self = kan_ref_to_number(turn->self);
    struct query query = {request};

    if (server->phase != IDLE)
        return;
    server->phase = ASKING;
    server->request = request;
    server->client = (uint8_t)kan_ref_to_number(turn->sender);
    server->writing = writing;
    server->value = value;
    server->answered = (uint8_t)(1u << self);
    server->answers[self] = server->newest;
    broadcast(turn, &query_record, &query);
}

static void on_put(kan_turn *turn, void *state, const void *message)
{
    const struct put *put = message;
    begin(turn, state, put->request, true, put->value);
}

static void on_get(kan_turn *turn, void *state, const void *message)
{
    const struct get *get = message;
    begin(turn, state, get->request, false, 0);
}

static void on_query(kan_turn *turn, void *state, const void *message)
{
    const struct server *server = state;
    const struct query *query = message;

    KAN_REPLY(turn, queried, .request = query->request,
              .newest = server->newest);
}

/* The second phase: have a majority record what was written, or read. */
static void record_newest(kan_turn *turn, struct server *server)
{
    uint32_t self = kan_ref_to_number(turn->self);
    struct store store = {.request = server->request};

    for (uint32_t i = 0; i < server_count(turn); i++) {
        if ((server->answered >> i & 1) &&
            order(store.newest.stamp, server->answers[i].stamp) <= 0)
            store.newest = server->answers[i];
    }
    if (server->writing) {
        store.newest.stamp.count++;
        store.newest.stamp.server = (uint8_t)self;
        store.newest.value = server->value;
    }
    server->value = server->writing ? 0 : store.newest.value;
    memset(server->answers, 0, sizeof(server->answers));
    if (!server->writing && !kan_parameter(turn, PARAMETER_WRITE_BACK)) {
        finish(turn, server);
        return;
    }
    if (order(store.newest.stamp, server->newest.stamp) > 0)
        server->newest = store.newest;
    server->phase = STORING;
    server->answered = (uint8_t)(1u << self);
    broadcast(turn, &store_record, &store);
}

static void on_queried(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct queried *queried = message;
    uint32_t from = kan_ref_to_number(turn->sender);

    if (server->phase != ASKING || server->request != queried->request)
        return;
    server->answered |= (uint8_t)(1u << from);
    server->answers[from] = queried->newest;
    if (is_majority(turn, server->answered))
        record_newest(turn, server);
}

static void on_store(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct store *store = message;

    if (order(store->newest.stamp, server->newest.stamp) > 0)
        server->newest = store->newest;
    KAN_REPLY(turn, stored, .request = store->request);
}

static void on_stored(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct stored *stored = message;
    uint8_t bit = (uint8_t)(1u << kan_ref_to_number(turn->sender));

    if (server->phase != STORING || server->request != stored->request ||
        (server->answered & bit))
        return;
    server->answered |= bit;
    if (is_majority(turn, server->answered))
        finish(turn, server);
}

static const struct kan_handler handlers[] = {
    {&put_record, on_put},     {&get_record, on_get},
    {&query_record, on_query}, {&queried_record, on_queried},
    {&store_record, on_store}, {&stored_record, on_stored},
};

static const struct kan_actor_type server_type = {
    .name = "server",
    .state = &server_record,
    .start = server_start,
    KAN_HANDLERS(handlers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    register_setup(setup, &server_type);
}

static const struct kan_model_parameter parameters[] = {
    REGISTER_PARAMETERS(2),
    {"write-back", 1, 0, 1, "1: readers record what they read; 0: they do not"},
};

static const struct kan_model model = {
    .name = "abd",
    .summary = "the register of Attiya, Bar-Noy and Dolev",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(register_properties),
    .network = KAN_NETWORK_UNORDERED,
    .compat = KAN_COMPAT_ACTOR,
};

KAN_MODULE(&model, &server_type, &register_client_type);
