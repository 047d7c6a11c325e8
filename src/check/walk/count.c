/* How many runs there are, and how many when independent steps change places.
 *
 * Runs are counted backwards: one from each state that nothing follows, and
 * from any other as many as from all that follow it. For classes the same is
 * done over states with sleep sets, where steps are taken in one order and
 * those that sleep are not taken: then of each class exactly one run is left,
 * the one that always goes on with the first step that can begin what remains
 * (docs/design/checker.md). */

#include <stdio.h>

#include "base/alloc.h"
#include "check/walk/graph.h"
#include "path/big/big.h"

/* Add up over the states in order, each of which stands behind all that follow
 * it. A state's number goes to those before it, and is not needed any more. */
static enum kan_err add_up(const struct graph *graph,
                           const struct reverse *reverse,
                           const struct column *order, struct big *runs,
                           struct big *total)
{
    const uint32_t *starts = column_u32(&reverse->starts);
    const uint32_t *sources = column_u32(&reverse->sources);
    const uint32_t *marks = column_u32(&graph->marks);
    enum kan_err err = KAN_OK;

    for (uint64_t i = 0; err == KAN_OK && i < order->count; i++) {
        uint32_t state = column_u32(order)[i];
        if (marks[state] & GRAPH_END)
            big_init(&runs[state], 1);
        for (uint32_t at = starts[state];
             err == KAN_OK && at < starts[state + 1]; at++)
            err = big_add(&runs[sources[at]], &runs[state]);
        if (err == KAN_OK && state < graph->tree.firsts.count)
            err = big_add(total, &runs[state]);
        big_fini(&runs[state]);
    }
    return err;
}

/* Count the runs of a graph that has been built; peels it. */
static enum kan_err graph_count(struct graph *graph, bool *ret_unbounded,
                                struct buffer *text)
{
    struct reverse reverse;
    struct column order, runs;
    struct big total = {0};

    column_init(&order, graph->search, sizeof(uint32_t));
    column_init(&runs, graph->search, sizeof(struct big));
    enum kan_err err = graph_reverse(graph, &reverse);
    if (err != KAN_OK)
        return err;
    err = graph_peel(graph, &reverse, &order);
    bool unbounded = err == KAN_OK && order.count < graph->degrees.count;
    if (err == KAN_OK && !unbounded) {
        err = column_resize(&runs, graph->degrees.count);
        search_peak(graph->search);
        if (err == KAN_OK)
            err = add_up(graph, &reverse, &order, runs.data, &total);
        if (err == KAN_OK)
            err = big_append(text, &total);
    }
    for (uint64_t i = 0; i < runs.count; i++)
        big_fini(&((struct big *)runs.data)[i]);
    big_fini(&total);
    column_fini(&runs);
    column_fini(&order);
    reverse_fini(&reverse);
    if (err == KAN_OK)
        *ret_unbounded = unbounded;
    return err;
}

/* Build a graph and count its runs. Statuses: KAN_OK, and any other when the
 * search halted or memory ran out. */
static enum kan_err pass(struct search *search, uint32_t flags,
                         bool *ret_unbounded, struct buffer *text)
{
    struct graph graph;
    enum kan_err err = graph_init(&graph, search, GRAPH_EDGES | flags, 0);

    if (err == KAN_OK)
        err = graph_build(&graph);
    if (err == KAN_OK)
        err = graph_count(&graph, ret_unbounded, text);
    if (graph.finding.first)
        (void)search_halt(search, "a first step is broken: %s",
                          graph.finding.why);
    graph_fini(&graph);
    return err;
}

enum kan_err walk_count(const struct walk_options *options,
                        struct walk_counts *ret_counts)
{
    struct walk_counts counts = {0};
    struct search search;

    if (!options_valid(options))
        return KAN_INVALID;
    search_init(&search, options);
    search.phase = "counting";
    enum kan_err err =
        pass(&search, 0, &counts.unbounded, &counts.interleavings);
    if (err == KAN_OK && !counts.unbounded)
        err = pass(&search, GRAPH_SLEEP, &counts.unbounded, &counts.paths);
    if (err != KAN_OK) {
        (void)search_halt_memory(&search);
        (void)snprintf(counts.why, sizeof counts.why, "%.255s", search.why);
    }
    counts.complete = err == KAN_OK;
    *ret_counts = counts;
    return KAN_OK;
}

void walk_counts_fini(struct walk_counts *counts)
{
    buffer_fini(&counts->interleavings);
    buffer_fini(&counts->paths);
}
