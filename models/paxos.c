/* Single-decree Paxos (Lamport, "Paxos Made Simple") behind a register: the
 * value that is decided is what everybody reads. Right, and wrong in two ways
 * that people get it wrong. */

#include "models/register.h"

enum
{
    SERVERS_MAX = 7,
    PARAMETER_WRONG = PARAMETERS_OF_REGISTER
};

enum wrong
{
    RIGHT,
    SMALL_QUORUM,  /* half of the servers are enough */
    FORGETS_OTHERS /* a proposer keeps its own value, whatever was accepted */
};

/* Rounds are ordered first, then servers. All zero: no ballot. */
struct ballot
{
    uint8_t round;
    uint8_t server;
};
KAN_RECORD(ballot, 1, KAN_INT(ballot, round, 0, 255),
           KAN_INT(ballot, server, 0, SERVERS_MAX));

/* A client's wish; request 0: none. */
struct proposal
{
    uint8_t request;
    uint8_t client;
    uint8_t value;
};
KAN_RECORD(proposal, 1, KAN_INT(proposal, request, 0, 255),
           KAN_INT(proposal, client, 0, 255), KAN_INT(proposal, value, 0, 255));

struct accepted
{
    struct ballot ballot;
    struct proposal proposal;
};
KAN_RECORD(accepted, 1, KAN_STRUCT(accepted, ballot, ballot_record),
           KAN_STRUCT(accepted, proposal, proposal_record));

/* --- messages between servers --------------------------------------------- */

struct prepare
{
    struct ballot ballot;
};
KAN_RECORD(prepare, 1, KAN_STRUCT(prepare, ballot, ballot_record));

struct promise
{
    struct ballot ballot;
    struct accepted last;
};
KAN_RECORD(promise, 1, KAN_STRUCT(promise, ballot, ballot_record),
           KAN_STRUCT(promise, last, accepted_record));

struct accept
{
    struct ballot ballot;
    struct proposal proposal;
};
KAN_RECORD(accept, 1, KAN_STRUCT(accept, ballot, ballot_record),
           KAN_STRUCT(accept, proposal, proposal_record));

struct vote
{
    struct ballot ballot;
};
KAN_RECORD(vote, 1, KAN_STRUCT(vote, ballot, ballot_record));

struct decided
{
    struct ballot ballot;
    struct proposal proposal;
};
KAN_RECORD(decided, 1, KAN_STRUCT(decided, ballot, ballot_record),
           KAN_STRUCT(decided, proposal, proposal_record));

/* --- a server: proposer and acceptor at once ------------------------------ */

struct server
{
    struct ballot ballot;
    struct proposal proposal;              /* as a proposer */
    uint8_t promised;                      /* a bit for each server */
    struct accepted promises[SERVERS_MAX]; /* what they had accepted */
    uint8_t votes;                         /* a bit for each server */
    struct accepted accepted;              /* as an acceptor */
    bool decided;
};
KAN_RECORD(server, 1, KAN_STRUCT(server, ballot, ballot_record),
           KAN_STRUCT(server, proposal, proposal_record),
           KAN_INT(server, promised, 0, 127),
           KAN_STRUCTS(server, promises, accepted_record),
           KAN_INT(server, votes, 0, 127),
           KAN_STRUCT(server, accepted, accepted_record),
           KAN_BOOL(server, decided));

static int order(struct ballot a, struct ballot b)
{
    if (a.round != b.round)
        return a.round < b.round ? -1 : 1;
    return a.server < b.server ? -1 : a.server > b.server;
}

static uint32_t count(uint8_t set)
{
    uint32_t members = 0;

    for (; set; set &= (uint8_t)(set - 1))
        members++;
    return members;
}

static uint32_t server_count(kan_turn *turn)
{
    return (uint32_t)kan_parameter(turn, PARAMETER_SERVERS);
}

static uint32_t quorum(kan_turn *turn)
{
    uint32_t half = server_count(turn) / 2;

    return kan_parameter(turn, PARAMETER_WRONG) == SMALL_QUORUM && half > 0
               ? half
               : half + 1;
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

/* Servers count from 1 in ballots, so that no ballot is zero. */
static uint8_t self_bit(kan_turn *turn)
{
    return (uint8_t)(1u << kan_ref_to_number(turn->self));
}

static uint8_t sender_bit(kan_turn *turn)
{
    return (uint8_t)(1u << kan_ref_to_number(turn->sender));
}

static void decide(kan_turn *turn, struct server *server)
{
    struct decided decided = {server->ballot, server->proposal};
    struct kan_ref client = kan_ref_number("client", server->proposal.client);

    server->decided = true;
    broadcast(turn, &decided_record, &decided);
    KAN_SEND(turn, &client, put_ok, .request = server->proposal.request);
}

/* Ask for votes, once enough servers have promised. */
static void propose(kan_turn *turn, struct server *server)
{
    struct accept accept = {.ballot = server->ballot};
    const struct accepted *newest = NULL;

    for (uint32_t i = 0; i < server_count(turn); i++) {
        const struct accepted *last = &server->promises[i];
        if ((server->promised >> i & 1) && last->proposal.request > 0 &&
            (!newest || order(newest->ballot, last->ballot) < 0))
            newest = last;
    }
    if (newest && kan_parameter(turn, PARAMETER_WRONG) != FORGETS_OTHERS)
        server->proposal = newest->proposal;
    server->accepted.ballot = server->ballot;
    server->accepted.proposal = server->proposal;
    server->votes |= self_bit(turn);
    accept.proposal = server->proposal;
    broadcast(turn, &accept_record, &accept);
    if (count(server->votes) == quorum(turn))
        decide(turn, server);
}

static void on_put(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct put *put = message;
    struct prepare prepare;

    if (server->decided || server->proposal.request > 0)
        return;
    server->proposal.request = put->request;
    server->proposal.client = (uint8_t)kan_ref_to_number(turn->sender);
    server->proposal.value = put->value;
    memset(server->promises, 0, sizeof(server->promises));
    server->votes = 0;
    server->ballot.round++;
    server->ballot.server = (uint8_t)(kan_ref_to_number(turn->self) + 1);
    server->promised = self_bit(turn);
    server->promises[kan_ref_to_number(turn->self)] = server->accepted;
    prepare.ballot = server->ballot;
    broadcast(turn, &prepare_record, &prepare);
    if (count(server->promised) == quorum(turn))
        propose(turn, server);
}

static void on_get(kan_turn *turn, void *state, const void *message)
{
    const struct server *server = state;
    const struct get *get = message;

    if (server->decided)
        KAN_REPLY(turn, get_ok, .request = get->request,
                  .value = server->accepted.proposal.value);
}

static void on_prepare(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct prepare *prepare = message;

    if (server->decided || order(server->ballot, prepare->ballot) >= 0)
        return;
    server->ballot = prepare->ballot;
    KAN_REPLY(turn, promise, .ballot = prepare->ballot,
              .last = server->accepted);
}

static void on_promise(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct promise *promise = message;

    if (server->decided || order(server->ballot, promise->ballot) != 0)
        return;
    server->promised |= sender_bit(turn);
    server->promises[kan_ref_to_number(turn->sender)] = promise->last;
    if (count(server->promised) == quorum(turn))
        propose(turn, server);
}

static void on_accept(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct accept *accept = message;

    if (server->decided || order(server->ballot, accept->ballot) > 0)
        return;
    server->ballot = accept->ballot;
    server->accepted.ballot = accept->ballot;
    server->accepted.proposal = accept->proposal;
    KAN_REPLY(turn, vote, .ballot = accept->ballot);
}

static void on_vote(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct vote *vote = message;

    if (server->decided || order(server->ballot, vote->ballot) != 0)
        return;
    server->votes |= sender_bit(turn);
    if (count(server->votes) == quorum(turn))
        decide(turn, server);
}

static void on_decided(kan_turn *turn, void *state, const void *message)
{
    struct server *server = state;
    const struct decided *decided = message;

    (void)turn;
    if (server->decided)
        return;
    server->ballot = decided->ballot;
    server->accepted.ballot = decided->ballot;
    server->accepted.proposal = decided->proposal;
    server->decided = true;
}

static const struct kan_handler handlers[] = {
    {&put_record, on_put},         {&get_record, on_get},
    {&prepare_record, on_prepare}, {&promise_record, on_promise},
    {&accept_record, on_accept},   {&vote_record, on_vote},
    {&decided_record, on_decided},
};

static const struct kan_actor_type server_type = {
    .name = "server",
    .state = &server_record,
    KAN_HANDLERS(handlers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    register_setup(setup, &server_type);
}

static const struct kan_model_parameter parameters[] = {
    REGISTER_PARAMETERS(3),
    {"wrong", 0, 0, 2,
     "0: as it is; 1: half is a quorum; 2: a proposer ignores what others have "
     "accepted"},
};

static const struct kan_model model = {
    .name = "paxos",
    .summary = "single-decree Paxos behind a register",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(register_properties),
    .network = KAN_NETWORK_UNORDERED,
    .compat = KAN_COMPAT_ACTOR,
};

KAN_MODULE(&model, &server_type, &register_client_type);
