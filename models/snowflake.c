/* Ids of a time, a worker and a sequence number, as Snowflake makes them; here
 * with two bits of sequence. People let the sequence overflow within one
 * millisecond, or the clock step back, and an id is given twice. Fixed, a time
 * in an id never goes back, and moves on when the sequence is used up. */

#include <kan/model.h>

enum
{
    PARAMETER_FIXED,
    PARAMETER_IDS,
    IDS_MAX = 8,
    TICKS_MAX = 3, /* the time that passes */
    SEQUENCES = 4
};

KAN_RECORD_EMPTY(generate);

struct id
{
    int64_t time_ms;
    uint8_t sequence;
};
KAN_RECORD(id, 1, KAN_TIME(id, time_ms),
           KAN_INT(id, sequence, 0, SEQUENCES - 1));

struct worker
{
    struct id last;
    uint8_t ticks;
    uint8_t count;
    struct id given[IDS_MAX];
};
KAN_RECORD(worker, 1, KAN_STRUCT(worker, last, id_record),
           KAN_INT(worker, ticks, 0, TICKS_MAX),
           KAN_INT(worker, count, 0, IDS_MAX),
           KAN_STRUCTS_UPTO(worker, given, "count", id_record));

enum
{
    TIMER_TICK
};

static void worker_start(kan_turn *turn, void *state, const void *message)
{
    (void)state;
    (void)message;
    kan_timer_set(turn, TIMER_TICK, 1);
}

static void on_tick(kan_turn *turn, void *state, const void *message)
{
    struct worker *worker = state;

    (void)message;
    if (++worker->ticks < TICKS_MAX)
        kan_timer_set(turn, TIMER_TICK, 1);
}

static struct id next_wrong(struct id last, int64_t now_ms)
{
    struct id next = {now_ms, 0};

    if (now_ms == last.time_ms)
        next.sequence = (uint8_t)((last.sequence + 1) % SEQUENCES);
    return next;
}

static struct id next_right(struct id last, int64_t now_ms)
{
    struct id next = {now_ms, 0};

    if (now_ms > last.time_ms)
        return next;
    next.time_ms = last.time_ms;
    next.sequence = (uint8_t)(last.sequence + 1);
    if (next.sequence == SEQUENCES) {
        next.sequence = 0;
        next.time_ms++;
    }
    return next;
}

static void on_generate(kan_turn *turn, void *state, const void *message)
{
    struct worker *worker = state;
    int64_t now_ms = kan_now(turn);

    (void)message;
    if (worker->count == IDS_MAX)
        return;
    worker->last = kan_parameter(turn, PARAMETER_FIXED)
                       ? next_right(worker->last, now_ms)
                       : next_wrong(worker->last, now_ms);
    worker->given[worker->count++] = worker->last;
}

static const struct kan_handler handlers[] = {{&generate_record, on_generate}};
static const struct kan_timer_type timers[] = {
    [TIMER_TICK] = {"tick", on_tick}};

static const struct kan_actor_type worker_type = {
    .name = "worker",
    .state = &worker_record,
    .start = worker_start,
    KAN_HANDLERS(handlers),
    KAN_TIMERS(timers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    uint32_t ids = (uint32_t)kan_setup_parameter(setup, PARAMETER_IDS);
    struct kan_ref worker = kan_ref_number("worker", 0);

    kan_setup_actor(setup, &worker_type, 0);
    kan_setup_request(setup, worker, &generate_record, NULL, ids);
    kan_setup_jump(setup, worker, -1);
}

static bool unique(const kan_view *view)
{
    const struct worker *worker = view->states[0];

    for (uint32_t i = 0; i < worker->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (worker->given[i].time_ms == worker->given[j].time_ms &&
                worker->given[i].sequence == worker->given[j].sequence)
                return false;
        }
    }
    return true;
}

static const struct kan_model_property properties[] = {
    {.name = "unique", .kind = KAN_INVARIANT, .holds = unique},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: the time in an id never goes back"},
    {"ids", 5, 1, IDS_MAX, "how many ids are asked for"},
};

static const struct kan_model model = {
    .name = "snowflake",
    .summary = "ids whose sequence overflows, or whose clock steps back",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_DURABLE,
    .faults = {.clock = 1},
};

KAN_MODULE(&model, &worker_type);
