/* What a run comes to: the events of each entity against the answers that its
 * clients had, and its state against the fold of the events. */

#include "base/alloc.h"
#include "check/entity/runs.h"
#include "contract/program/program.h"

/* One entity that is looked at. */
struct look
{
    struct run *run;
    uint32_t entity;
    uint64_t n; /* of the event seen last */
    void *state;
    void *after;
    bool more;
    bool done;
};

/* The request is the caller's: without an answer it ends with the process. */
static bool wait_for(struct look *look)
{
    while (!look->done && sim_step(look->run->world))
        ;
    if (look->done)
        return true;
    run_fail(look->run, "%s cannot be read: no answer comes",
             run_entity_id(look->entity));
    run_down(look->run);
    return false;
}

/* --- events --------------------------------------------------------------- */

static const struct runs_request *acknowledged(const struct run *run,
                                               uint32_t entity, uint64_t n)
{
    for (uint32_t i = 0; i < run->request_count; i++) {
        const struct runs_request *request = &run->requests[i];
        if (request->taken && request->entity == entity && request->n == n)
            return request;
    }
    return NULL;
}

static bool same_call(const struct runs_request *request,
                      const struct entity_event *event)
{
    return request->step == event->step &&
           slice_equal(buffer_slice(&request->arguments),
                       kan_slice(event->arguments, request->arguments.size));
}

/* The state behind the event. */
static void fold(struct look *look, const struct entity_event *event)
{
    struct run *run = look->run;
    struct program_refusal refusal;
    void *before = look->state;

    if (program_take(run->program, event->step, before, event->arguments,
                     &event->input, look->after, &refusal) ||
        program_holds(run->program, look->after, &refusal)) {
        run_fail(run, "event %llu of %s could not have happened",
                 (unsigned long long)event->n, run_entity_id(look->entity));
        return;
    }
    look->state = look->after;
    look->after = before;
}

static void judge_event(struct look *look, const struct entity_event *event)
{
    struct run *run = look->run;
    const char *id = run_entity_id(look->entity);
    unsigned long long n = event->n;
    const struct runs_request *request =
        acknowledged(run, look->entity, event->n);

    if (event->n != look->n + 1)
        run_fail(run, "event %llu of %s follows %llu", n, id,
                 (unsigned long long)look->n);
    else if (event->kind != ENTITY_STEP)
        run_fail(run, "event %llu of %s is no step", n, id);
    else if (!request)
        run_fail(run,
                 "event %llu of %s was acknowledged to nobody: a step was "
                 "taken twice",
                 n, id);
    else if (!same_call(request, event))
        run_fail(run, "event %llu of %s is not the step that was acknowledged",
                 n, id);
    else
        fold(look, event);
    look->n = event->n;
}

static void on_events(struct entity_events *events)
{
    struct look *look = events->data;

    look->done = true;
    look->more = events->outcome == ENTITY_TAKEN && events->more;
    if (events->outcome == ENTITY_FAILED)
        run_fail(look->run, "the events of %s cannot be read: %s",
                 run_entity_id(look->entity), kan_err_text(events->err));
    for (uint32_t i = 0; events->outcome == ENTITY_TAKEN &&
                         i < events->item_count && run_goes(look->run);
         i++)
        judge_event(look, &events->items[i]);
}

static void judge_events(struct look *look)
{
    struct run *run = look->run;

    do {
        struct entity_events events = {
            .data = look,
            .type = program_name(run->program),
            .id = kan_text(run_entity_id(look->entity)),
            .after = look->n};
        look->done = false;
        run->err = entity_events(run->host, &events, on_events);
        if (run->err || !wait_for(look))
            return;
    } while (look->more && run_goes(run));
}

/* Nothing that was acknowledged stands behind the last event. */
static void judge_lost(const struct look *look)
{
    struct run *run = look->run;

    for (uint32_t i = 0; i < run->request_count && run_goes(run); i++) {
        const struct runs_request *request = &run->requests[i];
        if (request->taken && request->entity == look->entity &&
            request->n > look->n)
            run_fail(run,
                     "event %llu of %s was acknowledged (request %u), and is "
                     "lost",
                     (unsigned long long)request->n,
                     run_entity_id(look->entity), request->number);
    }
}

/* --- states --------------------------------------------------------------- */

static void on_state(struct entity_read *read)
{
    struct look *look = read->data;
    struct run *run = look->run;
    const char *id = run_entity_id(look->entity);

    look->done = true;
    if (read->outcome == ENTITY_NOTFOUND && look->n == 0)
        return;
    if (read->outcome != ENTITY_TAKEN)
        run_fail(run, "%s cannot be read: %.*s", id, SLICE_ARG(read->text));
    else if (read->state.n != look->n)
        run_fail(run, "the state of %s is that of event %llu of %llu", id,
                 (unsigned long long)read->state.n,
                 (unsigned long long)look->n);
    else if (memcmp(read->state.state, look->state,
                    program_state_size(run->program)) != 0)
        run_fail(run, "the state of %s is not the fold of its events", id);
}

static void judge_state(struct look *look)
{
    struct run *run = look->run;
    struct entity_read read = {.data = look,
                               .type = program_name(run->program),
                               .id = kan_text(run_entity_id(look->entity))};

    look->done = false;
    run->err = entity_read(run->host, &read, on_state);
    if (run->err == KAN_OK)
        (void)wait_for(look);
}

static void judge_entity(struct run *run, uint32_t entity)
{
    uint32_t size = program_state_size(run->program);
    struct look look = {.run = run, .entity = entity};
    void *one = mem_zalloc(size + 1);
    void *other = mem_zalloc(size + 1);

    look.state = one;
    look.after = other;
    if (!one || !other)
        run->err = KAN_NOMEM;
    if (run_goes(run)) {
        program_start(run->program, look.state);
        judge_events(&look);
    }
    if (run_goes(run))
        judge_lost(&look);
    if (run_goes(run))
        judge_state(&look);
    mem_free(one);
    mem_free(other);
}

void run_judge(struct run *run)
{
    for (uint32_t i = 0; i < RUNS_ENTITIES && run_goes(run); i++)
        judge_entity(run, i);
}
