/* Raft's elections (Ongaro and Ousterhout, "In Search of an Understandable
 * Consensus Algorithm"), with a server that forgets its vote in a crash: it
 * votes twice, and a term has two leaders. Fixed, votes are kept. */

#include <kan/model.h>

enum
{
    PARAMETER_FIXED,
    PARAMETER_SERVERS,
    PARAMETER_TERMS,
    SERVERS_MAX = 5,
    TERMS_MAX = 3
};

struct ask_vote
{
    uint8_t term;
};
KAN_RECORD(ask_vote, 1, KAN_INT(ask_vote, term, 1, TERMS_MAX));

struct grant_vote
{
    uint8_t term;
};
KAN_RECORD(grant_vote, 1, KAN_INT(grant_vote, term, 1, TERMS_MAX));

struct server
{
    uint8_t term;
    uint8_t voted; /* server + 1; 0: nobody, in this term */
    uint8_t votes; /* a bit for each server, as a candidate */
    uint8_t led;   /* a bit for each term that it won */
};
KAN_RECORD(server, 1, KAN_INT(server, term, 0, TERMS_MAX),
           KAN_INT(server, voted, 0, SERVERS_MAX),
           KAN_INT(server, votes, 0, (1 << SERVERS_MAX) - 1),
           KAN_INT(server, led, 0, (2 << TERMS_MAX) - 1));

enum
{
    TIMER_ELECTION
};

static void server_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_set(turn, TIMER_ELECTION, 150);
}

static void server_restart(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;

    (void)message;
    server->votes = 0;
    if (!kan_parameter(turn, PARAMETER_FIXED))
        server->voted = 0;
    kan_timer_set(turn, TIMER_ELECTION, 150);
}

static void count_votes(kan_turn *turn, struct server *server)
{
    uint32_t votes = 0;

    for (uint32_t i = 0; i < SERVERS_MAX; i++)
        votes += (uint32_t)server->votes >> i & 1u;
    if (votes > kan_parameter(turn, PARAMETER_SERVERS) / 2)
        server->led |= (uint8_t)(1u << server->term);
}

static void on_election(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    uint32_t self = kan_ref_to_number(turn->self);

    (void)message;
    if (server->term == kan_parameter(turn, PARAMETER_TERMS))
        return;
    server->term++;
    server->voted = (uint8_t)(self + 1);
    server->votes = (uint8_t)(1u << self);
    kan_timer_set(turn, TIMER_ELECTION, 150);
    for (uint32_t i = 0; i < kan_parameter(turn, PARAMETER_SERVERS); i++) {
        struct kan_ref peer = kan_ref_number("server", i);
        if (i != self)
            KAN_SEND(turn, &peer, ask_vote, .term = server->term);
    }
    count_votes(turn, server);
}

static void on_ask_vote(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct ask_vote *ask = message;
    uint8_t candidate = (uint8_t)(kan_ref_to_number(turn->sender) + 1);

    if (ask->term > server->term) {
        server->term = ask->term;
        server->voted = 0;
        server->votes = 0;
    }
    if (ask->term < server->term ||
        (server->voted != 0 && server->voted != candidate))
        return;
    server->voted = candidate;
    KAN_REPLY(turn, grant_vote, .term = ask->term);
}

static void on_grant_vote(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct grant_vote *grant = message;

    if (grant->term != server->term || server->votes == 0)
        return;
    server->votes |= (uint8_t)(1u << kan_ref_to_number(turn->sender));
    count_votes(turn, server);
}

static const struct kan_handler handlers[] = {
    {&ask_vote_record, on_ask_vote},
    {&grant_vote_record, on_grant_vote},
};
static const struct kan_timer_type timers[] = {
    [TIMER_ELECTION] = {"election", on_election},
};

static const struct kan_actor_type server_type = {
    .name = "server",
    .state = &server_record,
    .start = server_start,
    .restart = server_restart,
    KAN_HANDLERS(handlers),
    KAN_TIMERS(timers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    uint32_t servers = (uint32_t)kan_setup_parameter(setup, PARAMETER_SERVERS);

    for (uint32_t i = 0; i < servers; i++)
        kan_setup_actor(setup, &server_type, i);
}

static bool one_leader(const kan_view *view)
{
    uint8_t led = 0;

    for (uint32_t i = 0; i < view->count; i++) {
        const struct server *server = view->states[i];
        if (led & server->led)
            return false;
        led |= server->led;
    }
    return true;
}

static const struct kan_model_property properties[] = {
    {.name = "one-leader-a-term", .kind = KAN_INVARIANT, .holds = one_leader},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: a vote survives a crash"},
    {"servers", 3, 1, SERVERS_MAX, "how many servers vote"},
    {"terms", 1, 1, TERMS_MAX, "elections are held up to this term"},
};

static const struct kan_model model = {
    .name = "raft-votes",
    .summary = "Raft's elections, with votes that a crash forgets",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_UNORDERED,
    .faults = {.crash = 1},
};

KAN_MODULE(&model, &server_type);
