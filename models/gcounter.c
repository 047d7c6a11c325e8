/* A counter that only grows, kept by replicas that tell each other what they
 * know (Shapiro, Preguica, Baquero and Zawirski, "A comprehensive study of
 * Convergent and Commutative Replicated Data Types"). Merging by sum counts
 * what is told twice twice. Fixed, a merge takes the greater of each pair. */

#include <kan/model.h>

enum
{
    PARAMETER_FIXED,
    PARAMETER_REPLICAS,
    REPLICAS_MAX = 4,
    COUNT_MAX = 255
};

/* What a replica knows, and tells. */
struct counts
{
    uint8_t of[REPLICAS_MAX];
};
KAN_RECORD(counts, 1, KAN_INTS(counts, of, 0, COUNT_MAX));

enum
{
    TIMER_ADD
};

static void replica_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_set(turn, TIMER_ADD, 0);
}

static void on_add(kan_turn *turn, void *state, const void *message)
{
    struct counts *counts = state;
    uint32_t self = kan_ref_to_number(turn->self);

    (void)message;
    counts->of[self]++;
    for (uint32_t i = 0; i < kan_parameter(turn, PARAMETER_REPLICAS); i++) {
        struct kan_ref peer = kan_ref_number("replica", i);
        if (i != self)
            kan_send(turn, &peer, &counts_record, counts);
    }
}

static void on_counts(kan_turn *turn, void *state, const void *message)
{
    struct counts *mine = state;
    const struct counts *theirs = message;

    for (uint32_t i = 0; i < REPLICAS_MAX; i++) {
        if (!kan_parameter(turn, PARAMETER_FIXED))
            mine->of[i] = (uint8_t)(mine->of[i] + theirs->of[i]);
        else if (theirs->of[i] > mine->of[i])
            mine->of[i] = theirs->of[i];
    }
}

static const struct kan_handler handlers[] = {{&counts_record, on_counts}};
static const struct kan_timer_type timers[] = {[TIMER_ADD] = {"add", on_add}};

static const struct kan_actor_type replica_type = {
    .name = "replica",
    .state = &counts_record,
    .start = replica_start,
    KAN_HANDLERS(handlers),
    KAN_TIMERS(timers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    uint32_t replicas =
        (uint32_t)kan_setup_parameter(setup, PARAMETER_REPLICAS);

    for (uint32_t i = 0; i < replicas; i++)
        kan_setup_actor(setup, &replica_type, i);
}

static bool never_too_many(const kan_view *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        const struct counts *counts = view->states[i];
        uint32_t total = 0;
        for (uint32_t j = 0; j < REPLICAS_MAX; j++)
            total += counts->of[j];
        if (total > view->count)
            return false;
    }
    return true;
}

static const struct kan_model_property properties[] = {
    {.name = "never-too-many", .kind = KAN_INVARIANT, .holds = never_too_many},
    {.name = "converges", .kind = KAN_CONVERGES},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: a merge takes the greater of each pair"},
    {"replicas", 2, 2, REPLICAS_MAX, "how many replicas add one each"},
};

static const struct kan_model model = {
    .name = "g-counter",
    .summary = "replicas of a counter, merged by sum",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_UNORDERED,
    .faults = {.doubled = 1},
};

KAN_MODULE(&model, &replica_type);
