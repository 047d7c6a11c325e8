/* Two-phase commit with a coordinator that may die for good: whoever has said
 * yes waits for ever. Fixed, the coordinator keeps a log and comes back. */

#include <kan/model.h>

enum
{
    PARAMETER_FIXED,
    MEMBERS = 2
};

KAN_RECORD_EMPTY(prepare);
KAN_RECORD_EMPTY(yes);

struct decision
{
    bool commit;
};
KAN_RECORD(decision, 1, KAN_BOOL(decision, commit));

/* --- a member ------------------------------------------------------------- */

enum
{
    MEMBER_IDLE,
    MEMBER_PREPARED,
    MEMBER_COMMITTED,
    MEMBER_ABORTED
};

struct member
{
    uint8_t stage;
};
KAN_RECORD(member, 1, KAN_INT(member, stage, MEMBER_IDLE, MEMBER_ABORTED));

static void on_prepare(kan_turn *turn, void *state, const void *message)
{
    struct member *member = state;

    (void)message;
    member->stage = MEMBER_PREPARED;
    kan_reply(turn, &yes_record, NULL);
}

static void on_decision(kan_turn *turn, void *state, const void *message)
{
    struct member *member = state;
    const struct decision *decision = message;

    (void)turn;
    member->stage = decision->commit ? MEMBER_COMMITTED : MEMBER_ABORTED;
}

static const struct kan_handler member_handlers[] = {
    {&prepare_record, on_prepare},
    {&decision_record, on_decision},
};

static const struct kan_actor_type member_type = {
    .name = "member",
    .state = &member_record,
    KAN_HANDLERS(member_handlers),
};

/* --- the coordinator ------------------------------------------------------ */

struct coordinator
{
    uint8_t yes; /* a bit for each member */
    bool decided;
};
KAN_RECORD(coordinator, 1, KAN_INT(coordinator, yes, 0, (1 << MEMBERS) - 1),
           KAN_BOOL(coordinator, decided));

static void coordinator_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct kan_ref member = kan_ref_number("member", i);
        kan_send(turn, &member, &prepare_record, NULL);
    }
}

static void on_yes(kan_turn *turn, void *state, const void *message)
{
    struct coordinator *coordinator = state;

    (void)message;
    coordinator->yes |= (uint8_t)(1u << kan_ref_to_number(turn->sender));
    if (coordinator->decided || coordinator->yes != (1u << MEMBERS) - 1)
        return;
    coordinator->decided = true;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        struct kan_ref member = kan_ref_number("member", i);
        KAN_SEND(turn, &member, decision, .commit = true);
    }
}

static const struct kan_handler coordinator_handlers[] = {
    {&yes_record, on_yes},
};

static const struct kan_actor_type mortal_type = {
    .name = "coordinator",
    .state = &coordinator_record,
    .start = coordinator_start,
    KAN_HANDLERS(coordinator_handlers),
    .flags = KAN_ACTOR_MORTAL,
};

static const struct kan_actor_type lasting_type = {
    .name = "coordinator-with-a-log",
    .state = &coordinator_record,
    .start = coordinator_start,
    KAN_HANDLERS(coordinator_handlers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    bool fixed = kan_setup_parameter(setup, PARAMETER_FIXED) == 1;

    kan_setup_actor(setup, fixed ? &lasting_type : &mortal_type, 0);
    for (uint32_t i = 0; i < MEMBERS; i++)
        kan_setup_actor(setup, &member_type, i);
}

static bool nobody_waits(const kan_view *view)
{
    for (uint32_t i = 1; i < view->count; i++) {
        const struct member *member = view->states[i];
        if (view->up[i] && member->stage == MEMBER_PREPARED)
            return false;
    }
    return true;
}

static const struct kan_model_property properties[] = {
    {.name = "nobody-waits-for-ever",
     .kind = KAN_RECOVERABLE,
     .holds = nobody_waits},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: the coordinator keeps a log and comes back"},
};

static const struct kan_model model = {
    .name = "commit-blocking",
    .summary = "two-phase commit whose coordinator dies",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_UNORDERED,
    .faults = {.crash = 1},
};

KAN_MODULE(&model, &mortal_type, &lasting_type, &member_type);
