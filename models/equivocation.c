/* A leader that says one thing to some and another to others (Lamport, Shostak
 * and Pease, "The Byzantine Generals Problem"). Nodes repeat what the leader
 * told them, and decide when all but one say the same. Three nodes can be
 * split; with four, two values would need a node that repeats both. */

#include <kan/model.h>

enum
{
    PARAMETER_NODES,
    NODES_MAX = 5,
    VALUES = 2
};

struct propose
{
    uint8_t value;
};
KAN_RECORD(propose, 1, KAN_INT(propose, value, 1, VALUES));

struct repeat
{
    uint8_t value;
};
KAN_RECORD(repeat, 1, KAN_INT(repeat, value, 1, VALUES));

/* Node 0 leads. */
struct node
{
    uint8_t repeated;          /* the value; 0: none yet */
    uint8_t heard[VALUES + 1]; /* by value: a bit for each node */
    uint8_t decided;
};
KAN_RECORD(node, 1, KAN_INT(node, repeated, 0, VALUES),
           KAN_INTS(node, heard, 0, (1 << NODES_MAX) - 1),
           KAN_INT(node, decided, 0, VALUES));

static uint32_t node_count(kan_turn *turn)
{
    return (uint32_t)kan_parameter(turn, PARAMETER_NODES);
}

static void broadcast(kan_turn *turn, const struct kan_record *record,
                      const void *message)
{
    uint32_t self = kan_ref_to_number(turn->self);

    for (uint32_t i = 0; i < node_count(turn); i++) {
        struct kan_ref peer = kan_ref_number("node", i);
        if (i != self)
            kan_send(turn, &peer, record, message);
    }
}

static void hear(kan_turn *turn, struct node *node, uint8_t value,
                 uint32_t from)
{
    uint32_t heard = 0;

    node->heard[value] |= (uint8_t)(1u << from);
    for (uint32_t i = 0; i < node_count(turn); i++)
        heard += (uint32_t)node->heard[value] >> i & 1u;
    if (node->decided == 0 && heard >= node_count(turn) - 1)
        node->decided = value;
}

/* What the leader proposes counts as its repeating it. */
static void take_proposal(kan_turn *turn, struct node *node, uint8_t value)
{
    struct repeat repeat = {value};

    hear(turn, node, value, 0);
    if (node->repeated != 0)
        return;
    node->repeated = value;
    hear(turn, node, value, kan_ref_to_number(turn->self));
    if (kan_ref_to_number(turn->self) != 0)
        broadcast(turn, &repeat_record, &repeat);
}

static void node_start(kan_turn *turn, void *state, const void *message)
{
    struct propose propose = {1};

    (void)message;
    if (kan_ref_to_number(turn->self) != 0)
        return;
    broadcast(turn, &propose_record, &propose);
    take_proposal(turn, state, 1);
}

static void on_propose(kan_turn *turn, void *state, const void *message)
{
    const struct propose *propose = message;

    if (kan_ref_to_number(turn->sender) == 0)
        take_proposal(turn, state, propose->value);
}

static void on_repeat(kan_turn *turn, void *state, const void *message)
{
    const struct repeat *repeat = message;
    hear(turn, state, repeat->value, kan_ref_to_number(turn->sender));
}

static const struct kan_handler handlers[] = {
    {&propose_record, on_propose},
    {&repeat_record, on_repeat},
};

static const struct kan_actor_type node_type = {
    .name = "node",
    .state = &node_record,
    .start = node_start,
    KAN_HANDLERS(handlers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    uint32_t nodes = (uint32_t)kan_setup_parameter(setup, PARAMETER_NODES);
    struct kan_ref leader = kan_ref_number("node", 0);

    for (uint32_t i = 0; i < nodes; i++)
        kan_setup_actor(setup, &node_type, i);
    for (uint32_t i = 1; i < nodes; i++) {
        struct kan_ref peer = kan_ref_number("node", i);
        for (uint8_t value = 1; value <= VALUES; value++) {
            struct propose propose = {value};
            kan_setup_lie(setup, leader, peer, &propose_record, &propose);
        }
    }
}

static bool agreement(const kan_view *view)
{
    uint8_t decided = 0;

    for (uint32_t i = 0; i < view->count; i++) {
        const struct node *node = view->states[i];
        if (view->liar[i] || node->decided == 0)
            continue;
        if (decided != 0 && decided != node->decided)
            return false;
        decided = node->decided;
    }
    return true;
}

static const struct kan_model_property properties[] = {
    {.name = "agreement", .kind = KAN_INVARIANT, .holds = agreement},
};

static const struct kan_model_parameter parameters[] = {
    {"nodes", 3, 3, NODES_MAX, "3 can be split, 4 cannot"},
};

static const struct kan_model model = {
    .name = "equivocation",
    .summary = "a leader that says one thing to some, another to others",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_UNORDERED,
    .faults = {.liar = 1},
};

KAN_MODULE(&model, &node_type);
