/* Two-phase commit, as Gray and Lamport specify it in "Consensus on Transaction
 * Commit": messages are a set that everybody reads, and nobody crashes. Its
 * numbers of states are known by formula, for any number of managers. */

#include <kan/model.h>

KAN_RECORD_EMPTY(prepared);
KAN_RECORD_EMPTY(commit);
KAN_RECORD_EMPTY(abort_all);

enum
{
    PARAMETER_MANAGERS
};

/* --- a resource manager --------------------------------------------------- */

enum
{
    MANAGER_WORKING,
    MANAGER_PREPARED,
    MANAGER_COMMITTED,
    MANAGER_ABORTED
};

struct manager
{
    uint8_t stage;
};
KAN_RECORD(manager, 1,
           KAN_INT(manager, stage, MANAGER_WORKING, MANAGER_ABORTED));

enum
{
    TIMER_PREPARE,
    TIMER_GIVE_UP
};

static void manager_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_set(turn, TIMER_PREPARE, 0);
    kan_timer_set(turn, TIMER_GIVE_UP, 0);
}

static void manager_leave(kan_turn *turn, struct manager *manager,
                          uint8_t stage)
{
    kan_timer_clear(turn, TIMER_PREPARE);
    kan_timer_clear(turn, TIMER_GIVE_UP);
    manager->stage = stage;
}

static void on_prepare(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref coordinator = kan_ref_number("coordinator", 0);

    (void)message;
    manager_leave(turn, state, MANAGER_PREPARED);
    kan_send(turn, &coordinator, &prepared_record, NULL);
}

static void on_give_up(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    manager_leave(turn, state, MANAGER_ABORTED);
}

static void on_commit(kan_turn *turn, void *state, const void *message)
{
    (void)message;
    manager_leave(turn, state, MANAGER_COMMITTED);
}

static const struct kan_timer_type manager_timers[] = {
    [TIMER_PREPARE] = {"prepare", on_prepare},
    [TIMER_GIVE_UP] = {"give-up", on_give_up},
};

static const struct kan_handler manager_handlers[] = {
    {&commit_record, on_commit},
    {&abort_all_record, on_give_up},
};

static const struct kan_actor_type manager_type = {
    .name = "manager",
    .state = &manager_record,
    .start = manager_start,
    KAN_HANDLERS(manager_handlers),
    KAN_TIMERS(manager_timers),
};

/* --- the coordinator ------------------------------------------------------ */

enum
{
    COORDINATOR_WAITING,
    COORDINATOR_COMMITTED,
    COORDINATOR_ABORTED
};

struct coordinator
{
    uint8_t stage;
    uint32_t prepared; /* a bit for each manager */
};
KAN_RECORD(coordinator, 1,
           KAN_INT(coordinator, stage, COORDINATOR_WAITING,
                   COORDINATOR_ABORTED),
           KAN_INT(coordinator, prepared, 0, UINT32_MAX));

enum
{
    TIMER_COMMIT,
    TIMER_ABORT
};

static void coordinator_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_set(turn, TIMER_ABORT, 0);
}

static void tell(kan_turn *turn, const struct kan_record *what)
{
    uint32_t managers = (uint32_t)kan_parameter(turn, PARAMETER_MANAGERS);

    for (uint32_t i = 0; i < managers; i++) {
        struct kan_ref manager = kan_ref_number("manager", i);
        kan_send(turn, &manager, what, NULL);
    }
}

static void on_decide_commit(kan_turn *turn, void *state, const void *message)
{
    struct coordinator *coordinator = state;

    (void)message;
    coordinator->stage = COORDINATOR_COMMITTED;
    kan_timer_clear(turn, TIMER_ABORT);
    tell(turn, &commit_record);
}

static void on_decide_abort(kan_turn *turn, void *state, const void *message)
{
    struct coordinator *coordinator = state;

    (void)message;
    coordinator->stage = COORDINATOR_ABORTED;
    kan_timer_clear(turn, TIMER_COMMIT);
    tell(turn, &abort_all_record);
}

static void on_prepared(kan_turn *turn, void *state, const void *message)
{
    struct coordinator *coordinator = state;
    uint32_t managers = (uint32_t)kan_parameter(turn, PARAMETER_MANAGERS);

    (void)message;
    if (coordinator->stage != COORDINATOR_WAITING) {
        kan_decline(turn);
        return;
    }
    coordinator->prepared |= UINT32_C(1) << kan_ref_to_number(turn->sender);
    if (coordinator->prepared == (UINT32_C(1) << managers) - 1)
        kan_timer_set(turn, TIMER_COMMIT, 0);
}

static const struct kan_timer_type coordinator_timers[] = {
    [TIMER_COMMIT] = {"commit", on_decide_commit},
    [TIMER_ABORT] = {"abort", on_decide_abort},
};

static const struct kan_handler coordinator_handlers[] = {
    {&prepared_record, on_prepared},
};

static const struct kan_actor_type coordinator_type = {
    .name = "coordinator",
    .state = &coordinator_record,
    .start = coordinator_start,
    KAN_HANDLERS(coordinator_handlers),
    KAN_TIMERS(coordinator_timers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    uint32_t managers =
        (uint32_t)kan_setup_parameter(setup, PARAMETER_MANAGERS);

    kan_setup_actor(setup, &coordinator_type, 0);
    for (uint32_t i = 0; i < managers; i++)
        kan_setup_actor(setup, &manager_type, i);
}

static bool consistent(const kan_view *view)
{
    bool committed = false;
    bool aborted = false;

    for (uint32_t i = 1; i < view->count; i++) {
        const struct manager *manager = view->states[i];
        committed |= manager->stage == MANAGER_COMMITTED;
        aborted |= manager->stage == MANAGER_ABORTED;
    }
    return !committed || !aborted;
}

static const struct kan_model_property properties[] = {
    {.name = "consistent", .kind = KAN_INVARIANT, .holds = consistent},
};

static const struct kan_model_parameter parameters[] = {
    {"managers", 3, 1, 24, "how many resource managers take part"},
};

static const struct kan_model model = {
    .name = "two-phase",
    .summary = "two-phase commit, as in \"Consensus on Transaction Commit\"",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_SHARED,
    .compat = KAN_COMPAT_SPEC,
};

KAN_MODULE(&model, &coordinator_type, &manager_type);
