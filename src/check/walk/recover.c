/* Properties that are about edges: whether a goal can be reached from every
 * state, and whether all runs end.
 *
 * A state from which no goal can be reached leads into a set of states that
 * lead to each other and nowhere else, without a goal (a bottom component). Of
 * these states the nearest is told. Goals are followed back along the edges,
 * so no component need be found. Runs all end when there is no cycle: states
 * are taken off in the order in which all that follows them is off, and a
 * cycle, and what leads to it, stays.
 *
 * States that the limit of depth cut off may do anything: they count as goals,
 * and as ends. So what fails fails in truth, and what holds, holds within the
 * budget. */

#include "base/alloc.h"
#include "base/assert.h"
#include "check/walk/graph.h"

/* --- goals ---------------------------------------------------------------- */

/* Mark what leads to the states that are marked, with that bit. */
static enum kan_err goal_follow_back(struct graph *graph,
                                     const struct reverse *reverse,
                                     uint32_t bit)
{
    const uint32_t *starts = column_u32(&reverse->starts);
    const uint32_t *sources = column_u32(&reverse->sources);
    uint32_t *marks = column_u32(&graph->marks);
    struct column queue;
    column_init(&queue, graph->search, sizeof(uint32_t));
    enum kan_err err = column_reserve(&queue, graph->marks.count);
    uint32_t *items = column_u32(&queue);

    for (uint32_t i = 0; err == KAN_OK && i < graph->marks.count; i++) {
        if (marks[i] & GRAPH_OPEN)
            marks[i] |= bit;
        if (marks[i] & bit)
            items[queue.count++] = i;
    }
    for (uint64_t done = 0; done < queue.count; done++) {
        for (uint32_t i = starts[items[done]]; i < starts[items[done] + 1];
             i++) {
            if (!(marks[sources[i]] & bit)) {
                marks[sources[i]] |= bit;
                items[queue.count++] = sources[i];
            }
        }
    }
    search_peak(graph->search);
    column_fini(&queue);
    return err;
}

/* Numbers go by levels, so the first state without the mark is a nearest. */
static enum kan_err goals_check(struct graph *graph,
                                const struct reverse *reverse)
{
    const struct judge *judge = &graph->search->judge;

    for (uint32_t i = 0; i < judge->recoverable_count; i++) {
        uint32_t bit = (uint32_t)1 << i;
        enum kan_err err = goal_follow_back(graph, reverse, bit);
        if (err != KAN_OK)
            return err;
        const uint32_t *marks = column_u32(&graph->marks);
        uint64_t at = 0;
        while (at < graph->marks.count && marks[at] & bit)
            at++;
        if (at == graph->marks.count)
            continue;
        graph->finding =
            (struct finding){.property = (int32_t)judge->recoverable[i],
                             .state = (uint32_t)at,
                             .step = UINT32_MAX};
        return KAN_OK;
    }
    return KAN_OK;
}

/* --- cycles --------------------------------------------------------------- */

/* From a state that leads to a cycle, go on along such states until one comes
 * again; degrees is 0 of those that do not. names receives the steps. */
static enum kan_err lap(struct graph *graph, uint32_t number,
                        struct space_state *state, struct space_state *next,
                        struct column *names)
{
    const uint16_t *degrees = column_u16(&graph->degrees);
    uint32_t *marks = column_u32(&graph->marks);

    while (!(marks[number] & GRAPH_END)) {
        uint32_t count, to = 0, i;
        marks[number] |= GRAPH_END; /* been here: nothing ends any more */
        enum kan_err err =
            space_expand(graph->walker, state, graph->steps, &count);
        if (err != KAN_OK)
            return search_halt_space(graph->search, graph->walker, err);
        for (i = 0; i < count; i++) {
            if (graph_find(graph, graph->steps[i].hash, &to) && degrees[to])
                break;
        }
        kan_assert(i < count);
        err = column_resize(names, names->count + 1);
        if (err != KAN_OK)
            return err;
        column_u64(names)[names->count - 1] = space_step_name(&graph->steps[i]);
        space_apply(graph->walker, state, &graph->steps[i], next);
        struct space_state *free_state = state;
        state = next;
        next = free_state;
        number = to;
    }
    return KAN_OK;
}

struct last
{
    struct space_state *state;
};

static bool last_keep(void *data, struct space_walker *walker,
                      const struct space_state *state,
                      const struct space_step *step)
{
    struct last *last = data;

    (void)walker;
    if (!step)
        memcpy(last->state, state, search_state_size(state));
    return true;
}

/* The run to the nearest state that leads to a cycle, and on, and once
 * round. */
static enum kan_err cycle_run(struct graph *graph, uint32_t number,
                              struct walk_run *ret_run)
{
    struct walk_run run = {0}, all;
    struct column names;
    struct space_state *states = mem_alloc(2 * sizeof *states);
    struct last last = {.state = states};

    column_init(&names, graph->search, sizeof(uint64_t));
    enum kan_err err = states ? KAN_OK : KAN_NOMEM;
    if (err == KAN_OK)
        err = trail_run(&graph->tree, graph->walker, number, UINT32_MAX, &run);
    if (err == KAN_OK)
        err = walk_follow(graph->search->space, &run, last_keep, &last);
    if (err == KAN_OK)
        err = lap(graph, number, states, states + 1, &names);
    if (err == KAN_OK)
        err = walk_run_new(run.first, run.step_count + (uint32_t)names.count,
                           &all);
    if (err == KAN_OK) {
        memcpy(all.steps, run.steps, run.step_count * sizeof *run.steps);
        memcpy(all.steps + run.step_count, names.data,
               names.count * sizeof *all.steps);
        *ret_run = all;
    }
    walk_run_fini(&run);
    column_fini(&names);
    mem_free(states);
    return err;
}

/* Look for a cycle; peels the graph. */
static enum kan_err cycle_check(struct graph *graph,
                                const struct reverse *reverse,
                                struct walk_run *ret_run)
{
    struct column order;
    column_init(&order, graph->search, sizeof(uint32_t));
    enum kan_err err = graph_peel(graph, reverse, &order);
    bool cycle = err == KAN_OK && order.count < graph->degrees.count;

    search_peak(graph->search);
    column_fini(&order);
    if (!cycle)
        return err;
    const uint16_t *degrees = column_u16(&graph->degrees);
    uint32_t number = 0;
    while (degrees[number] == 0)
        number++;
    err = cycle_run(graph, number, ret_run);
    if (err != KAN_OK)
        return err;
    graph->finding = (struct finding){
        .property = graph->search->judge.converges,
        .why =
            "a run need not end: the last state of this one has been there "
            "before"};
    return KAN_OK;
}

/* --- the walk ------------------------------------------------------------- */

/* With all states and edges there, and nothing found yet. */
static enum kan_err edges_check(struct graph *graph, struct walk_run *ret_run)
{
    struct reverse reverse;

    graph->search->phase = "recovering";
    enum kan_err err = search_tick(graph->search);
    if (err == KAN_OK)
        err = graph_reverse(graph, &reverse);
    if (err != KAN_OK)
        return err;
    if (graph->search->judge.recoverable_count > 0)
        err = goals_check(graph, &reverse);
    if (err == KAN_OK && graph->finding.property == WALK_NONE &&
        graph->search->judge.converges != WALK_NONE)
        err = cycle_check(graph, &reverse, ret_run);
    reverse_fini(&reverse);
    return err;
}

static void conclude(struct graph *graph, struct walk_result *result)
{
    struct finding *finding = &graph->finding;

    if (finding->property != WALK_NONE && !result->run.steps) {
        enum kan_err err =
            finding->first
                ? walk_run_new(finding->state, 0, &result->run)
                : trail_run(&graph->tree, graph->walker, finding->state,
                            finding->step, &result->run);
        result->shortest = err == KAN_OK;
        if (err != KAN_OK) {
            finding->property = WALK_NONE;
            (void)search_halt_memory(graph->search);
        }
    }
    result_fill(result, graph->search, &graph->tally, finding, graph->cut);
}

enum kan_err recover_walk(struct search *search, struct walk_result *result)
{
    struct graph graph;
    enum kan_err err = graph_init(&graph, search, GRAPH_JUDGE | GRAPH_EDGES,
                                  search->options->depth_max);

    if (err == KAN_OK) {
        if (graph_build(&graph) == KAN_OK &&
            graph.finding.property == WALK_NONE &&
            edges_check(&graph, &result->run) != KAN_OK)
            (void)search_halt_memory(search);
        conclude(&graph, result);
    }
    graph_fini(&graph);
    return err;
}

void shorten(struct search *search, struct walk_result *result)
{
    struct graph graph;
    struct walk_run run;

    search->phase = "shortening";
    if (graph_init(&graph, search, GRAPH_JUDGE, result->run.step_count) ==
            KAN_OK &&
        graph_build(&graph) == KAN_OK && graph.finding.property != WALK_NONE &&
        trail_run(&graph.tree, graph.walker, graph.finding.state,
                  graph.finding.step, &run) == KAN_OK) {
        walk_run_fini(&result->run);
        result->run = run;
        result->property = graph.finding.property;
        result->shortest = true;
        memcpy(result->why, graph.finding.why, sizeof result->why);
    }
    graph_fini(&graph);
}
