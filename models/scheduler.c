/* A scheduler that marks a job as running and then lets a worker do it: when
 * the worker dies, nobody looks at the job again. Fixed, a job is taken for a
 * time, and comes back when it is over. */

#include <kan/model.h>

enum
{
    PARAMETER_FIXED
};

KAN_RECORD_EMPTY(take);
KAN_RECORD_EMPTY(job);
KAN_RECORD_EMPTY(nothing);
KAN_RECORD_EMPTY(done);

/* --- the table of jobs, with one in it ------------------------------------ */

enum
{
    JOB_PENDING,
    JOB_RUNNING,
    JOB_DONE
};

struct table
{
    uint8_t job;
};
KAN_RECORD(table, 1, KAN_INT(table, job, JOB_PENDING, JOB_DONE));

enum
{
    TIMER_LEASE
};

static void on_take(kan_turn *turn, void *state, const void *message)
{
    struct table *table = state;

    (void)message;
    if (table->job != JOB_PENDING) {
        kan_reply(turn, &nothing_record, NULL);
        return;
    }
    table->job = JOB_RUNNING;
    if (kan_parameter(turn, PARAMETER_FIXED))
        kan_timer_set(turn, TIMER_LEASE, 1000);
    kan_reply(turn, &job_record, NULL);
}

static void on_done(kan_turn *turn, void *state, const void *message)
{
    struct table *table = state;

    (void)message;
    table->job = JOB_DONE;
    kan_timer_clear(turn, TIMER_LEASE);
}

static void on_lease(kan_turn *turn, void *state, const void *message)
{
    struct table *table = state;

    (void)turn;
    (void)message;
    table->job = JOB_PENDING;
}

static const struct kan_handler table_handlers[] = {
    {&take_record, on_take},
    {&done_record, on_done},
};
static const struct kan_timer_type table_timers[] = {
    [TIMER_LEASE] = {"lease", on_lease},
};

static const struct kan_actor_type table_type = {
    .name = "table",
    .state = &table_record,
    KAN_HANDLERS(table_handlers),
    KAN_TIMERS(table_timers),
};

/* --- a worker, which keeps nothing ---------------------------------------- */

struct worker
{
    bool working;
};
KAN_RECORD(worker, 1, KAN_BOOL_VOLATILE(worker, working));

enum
{
    TIMER_POLL,
    TIMER_WORK
};

static void on_poll(kan_turn *turn, void *state, const void *message)
{
    struct kan_ref table = kan_ref_number("table", 0);

    (void)state;
    (void)message;
    kan_timer_clear(turn, TIMER_WORK);
    kan_timer_clear(turn, TIMER_POLL);
    kan_send(turn, &table, &take_record, NULL);
}

static void on_job(kan_turn *turn, void *state, const void *message)
{
    struct worker *worker = state;

    (void)message;
    worker->working = true;
    kan_timer_set(turn, TIMER_WORK, 100);
}

static void on_nothing(kan_turn *turn, void *state, const void *message)
{
    const struct worker *worker = state;

    (void)message;
    if (!worker->working)
        kan_timer_set(turn, TIMER_POLL, 10);
}

static void on_worked(kan_turn *turn, void *state, const void *message)
{
    struct worker *worker = state;
    struct kan_ref table = kan_ref_number("table", 0);

    (void)message;
    worker->working = false;
    kan_send(turn, &table, &done_record, NULL);
}

static const struct kan_handler worker_handlers[] = {
    {&job_record, on_job},
    {&nothing_record, on_nothing},
};
static const struct kan_timer_type worker_timers[] = {
    [TIMER_POLL] = {"poll", on_poll},
    [TIMER_WORK] = {"work", on_worked},
};

static const struct kan_actor_type worker_type = {
    .name = "worker",
    .state = &worker_record,
    .start = on_poll,
    .restart = on_poll,
    KAN_HANDLERS(worker_handlers),
    KAN_TIMERS(worker_timers),
};

/* --- the model ------------------------------------------------------------ */

static void setup_all(kan_setup *setup)
{
    kan_setup_actor(setup, &table_type, 0);
    kan_setup_actor(setup, &worker_type, 0);
}

static bool job_done(const kan_view *view)
{
    const struct table *table = view->states[0];
    return table->job == JOB_DONE;
}

static const struct kan_model_property properties[] = {
    {.name = "the-job-is-done", .kind = KAN_RECOVERABLE, .holds = job_done},
};

static const struct kan_model_parameter parameters[] = {
    {"fixed", 0, 0, 1, "1: a job is taken for a time, and comes back"},
};

static const struct kan_model model = {
    .name = "scheduler",
    .summary = "a job marked as running, and a worker that crashes",
    KAN_PARAMETERS(parameters),
    .setup = setup_all,
    KAN_PROPERTIES(properties),
    .network = KAN_NETWORK_ORDERED,
    .faults = {.crash = 1},
};

KAN_MODULE(&model, &table_type, &worker_type);
