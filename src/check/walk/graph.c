/* All states with a number each, and the edges between them. */

#include "check/walk/graph.h"

#include "base/alloc.h"
#include "check/walk/sleep.h"

struct node
{
    uint32_t sleep_count;
    uint32_t unused;
    /* The state follows, as far as its count, then the names of what sleeps. */
};

static struct space_state *node_state(const struct node *node)
{
    return (struct space_state *)(uintptr_t)(node + 1);
}

static uint64_t *node_names(const struct node *node)
{
    const struct space_state *state = node_state(node);

    return (uint64_t *)((uintptr_t)state + search_state_size(state));
}

static size_t node_size(const struct node *node)
{
    return sizeof *node + search_state_size(node_state(node)) +
           node->sleep_count * sizeof(uint64_t);
}

/* --- life cycle ----------------------------------------------------------- */

enum kan_err graph_init(struct graph *graph, struct search *search,
                        uint32_t flags, uint32_t depth_max)
{
    memset(graph, 0, sizeof *graph);
    graph->search = search;
    graph->flags = flags;
    graph->depth_max = depth_max;
    graph->finding.property = WALK_NONE;
    pile_init(&graph->level, search);
    pile_init(&graph->next, search);
    trail_init(&graph->tree, search);
    column_init(&graph->marks, search, sizeof(uint32_t));
    column_init(&graph->degrees, search, sizeof(uint16_t));
    column_init(&graph->edges, search, sizeof(uint32_t));
    column_init(&graph->hashes, search, sizeof(uint64_t));
    graph->steps = mem_alloc(SPACE_STEPS_MAX * sizeof *graph->steps);
    graph->places = mem_alloc(SPACE_STEPS_MAX * sizeof *graph->places);
    if (!graph->steps || !graph->places)
        return KAN_NOMEM;
    enum kan_err err = space_walker_new(search->space, &graph->walker);
    if (err != KAN_OK)
        return err;
    err = visited_init(&graph->visited, sizeof(uint64_t),
                       search_visited_max(search));
    if (err == KAN_OK)
        search_watch(search, &graph->visited, false);
    return err;
}

void graph_fini(struct graph *graph)
{
    pile_fini(&graph->level);
    pile_fini(&graph->next);
    trail_fini(&graph->tree);
    column_fini(&graph->marks);
    column_fini(&graph->degrees);
    column_fini(&graph->edges);
    column_fini(&graph->hashes);
    mem_free(graph->steps);
    mem_free(graph->places);
    space_walker_free(graph->walker);
    search_watch(graph->search, NULL, false);
    visited_fini(&graph->visited);
}

/* --- states --------------------------------------------------------------- */

/* The hash of a state and what sleeps in it: a sum, as names have no order. */
static struct path_id node_hash(const struct node *node)
{
    const uint64_t *names = node_names(node);
    struct path_id hash = node_state(node)->hash;

    for (uint32_t i = 0; i < node->sleep_count; i++)
        hash = path_id_add(hash,
                           path_hash(kan_slice(&names[i], sizeof names[i]), 1));
    return hash;
}

/* Keep the node in the room of the next level, unless it is known. */
static enum kan_err node_keep(struct graph *graph, struct node *node,
                              struct path_id hash, uint32_t parent,
                              uint32_t step, uint32_t *ret_number)
{
    uint64_t *number;
    bool added;

    enum kan_err err =
        visited_add(&graph->visited, search_key(hash), &added, &number);
    if (err != KAN_OK)
        return search_halt_memory(graph->search);
    if (!added) {
        *ret_number = (uint32_t)*number;
        return KAN_OK;
    }
    uint64_t count = graph->tree.parents.count;
    if (count >= UINT32_MAX - 1)
        return search_halt(graph->search,
                           "a walk that keeps numbers of states "
                           "ends at 4,294,967,294 of them");
    *number = count;
    pile_keep(&graph->next, node_size(node));
    graph->tally.states++;
    err = column_push_u32(&graph->tree.parents, parent);
    if (err == KAN_OK)
        err = column_push_u16(&graph->tree.steps, (uint16_t)step);
    if (err == KAN_OK)
        err = column_push_u32(&graph->marks, 0);
    if (err == KAN_OK)
        *ret_number = (uint32_t)count;
    return err;
}

bool graph_find(const struct graph *graph, struct path_id hash,
                uint32_t *ret_number)
{
    uint64_t *number;

    if (!visited_find(&graph->visited, search_key(hash), &number))
        return false;
    *ret_number = (uint32_t)*number;
    return true;
}

/* A state of the next level may have several parents in this one. The least by
 * content is kept, so that the run told does not depend on the order in which
 * states were found. */
static void parent_choose(struct graph *graph, uint32_t number, uint32_t parent,
                          uint32_t step)
{
    const uint64_t *hashes = column_u64(&graph->hashes);
    uint32_t *parents = column_u32(&graph->tree.parents);

    if (number < graph->next_base ||
        hashes[parent - graph->level_base] >=
            hashes[parents[number] - graph->level_base])
        return;
    parents[number] = parent;
    column_u16(&graph->tree.steps)[number] = (uint16_t)step;
}

/* --- steps ---------------------------------------------------------------- */

static enum kan_err edge_add(struct graph *graph, uint32_t number)
{
    if (!(graph->flags & GRAPH_EDGES))
        return KAN_OK;
    if (graph->edges.count >= UINT32_MAX - 1)
        return search_halt(graph->search,
                           "a walk that keeps the edges between "
                           "states ends at 4,294,967,294 of "
                           "them");
    return column_push_u32(&graph->edges, number);
}

/* Behind the deepest level: an edge to a state that is known, or a cut. */
static enum kan_err step_look(struct graph *graph, uint32_t number, uint32_t at)
{
    uint32_t to;

    if (graph_find(graph, graph->steps[at].hash, &to))
        return edge_add(graph, to);
    column_u32(&graph->marks)[number] |= GRAPH_OPEN;
    graph->cut = true;
    return KAN_OK;
}

/* Take a step; places are those that sleep behind it, if any do. */
static enum kan_err step_take(struct graph *graph, const struct node *from,
                              uint32_t number, uint32_t at, uint32_t asleep)
{
    const struct space_step *step = &graph->steps[at];
    struct path_id hash = step->hash;
    uint32_t to;

    graph->tally.generated++;
    if (!(graph->flags & GRAPH_SLEEP) && graph_find(graph, hash, &to)) {
        parent_choose(graph, to, number, at);
        return edge_add(graph, to);
    }
    struct node *node = pile_room(&graph->next);
    if (!node)
        return KAN_CANCELED;
    node->sleep_count = 0;
    node->unused = 0;
    space_apply(graph->walker, node_state(from), step, node_state(node));
    if (graph->flags & GRAPH_SLEEP) {
        node->sleep_count =
            sleep_pass(graph->search->space, false, graph->steps, graph->places,
                       asleep, at, node_names(node));
        hash = node_hash(node);
    }
    enum kan_err err = node_keep(graph, node, hash, number, at, &to);
    return err == KAN_OK ? edge_add(graph, to) : err;
}

/* Take the steps of a state that do not sleep in it. */
static enum kan_err steps_take(struct graph *graph, const struct node *node,
                               uint32_t number, uint32_t count)
{
    bool last = graph->depth_max && graph->depth == graph->depth_max;
    bool sleeping[SPACE_STEPS_MAX];
    uint32_t asleep = 0;
    enum kan_err err = KAN_OK;

    if (graph->flags & GRAPH_SLEEP) {
        memset(sleeping, 0, count * sizeof sleeping[0]);
        asleep = sleep_find(node_names(node), node->sleep_count, graph->steps,
                            count, graph->places);
        for (uint32_t i = 0; i < asleep; i++)
            sleeping[graph->places[i]] = true;
    }
    for (uint32_t i = 0; i < count && err == KAN_OK; i++) {
        if (graph->steps[i].flags & SPACE_BROKEN)
            continue;
        if (last) {
            err = step_look(graph, number, i);
            continue;
        }
        if (graph->flags & GRAPH_SLEEP && sleeping[i])
            continue;
        err = step_take(graph, node, number, i, asleep);
        if (graph->flags & GRAPH_SLEEP)
            graph->places[asleep++] = (uint16_t)i;
    }
    return err;
}

/* --- judging -------------------------------------------------------------- */

/* All runs are to end alike: with the actors as the first end has them. */
static void end_judge(struct graph *graph, const struct space_state *state,
                      uint32_t number)
{
    struct path_id hash = space_actors_hash(graph->walker, state);
    struct finding found = {.property = graph->search->judge.converges,
                            .length = graph->depth,
                            .hash = state->hash,
                            .state = number,
                            .step = UINT32_MAX,
                            .why =
                                "two runs end, with different states of "
                                "actors; this is one of them"};

    if (!graph->ended) {
        graph->ended = true;
        graph->end_hash = hash;
        return;
    }
    if (hash.low != graph->end_hash.low || hash.high != graph->end_hash.high)
        finding_merge(&graph->finding, &found);
}

static uint32_t goals(const struct graph *graph,
                      const struct space_state *state)
{
    const struct judge *judge = &graph->search->judge;
    uint32_t mask = 0;

    for (uint32_t i = 0; i < judge->recoverable_count; i++) {
        if (space_holds(graph->walker, judge->recoverable[i], state))
            mask |= (uint32_t)1 << i;
    }
    return mask;
}

static void node_judge(struct graph *graph, const struct space_state *state,
                       uint32_t number, uint32_t count)
{
    (void)search_judge(graph->search, graph->walker, state, graph->steps, count,
                       graph->depth, number, &graph->finding);
    if (graph->flags & GRAPH_EDGES)
        column_u32(&graph->marks)[number] |= goals(graph, state);
    if (count == 0 && graph->search->judge.converges != WALK_NONE)
        end_judge(graph, state, number);
}

/* --- levels --------------------------------------------------------------- */

static enum kan_err node_walk(struct graph *graph, const struct node *node,
                              uint32_t number)
{
    const struct space_state *state = node_state(node);
    uint64_t before = graph->edges.count;
    uint32_t count;

    enum kan_err err = space_expand(graph->walker, state, graph->steps, &count);
    if (err != KAN_OK)
        return search_halt_space(graph->search, graph->walker, err);
    column_u64(&graph->hashes)[number - graph->level_base] = state->hash.low;
    for (uint32_t i = 0; i < count; i++)
        visited_prefetch(&graph->visited, search_key(graph->steps[i].hash));
    if (count == 0) {
        tally_terminal(&graph->tally, state);
        column_u32(&graph->marks)[number] |= GRAPH_END;
    }
    /* What clients saw is part of a state, and of no path: two such steps of
     * different actors are in no order, although their histories differ. */
    for (uint32_t i = 0; graph->flags & GRAPH_SLEEP && i < count; i++)
        graph->steps[i].flags &= ~(uint32_t)SPACE_OBSERVED;
    if (graph->flags & GRAPH_JUDGE)
        node_judge(graph, state, number, count);
    err = steps_take(graph, node, number, count);
    if (err == KAN_OK && graph->flags & GRAPH_EDGES)
        err = column_push_u16(&graph->degrees,
                              (uint16_t)(graph->edges.count - before));
    return err;
}

static enum kan_err block_walk(struct graph *graph,
                               const struct pile_block *block, uint32_t *number)
{
    const struct node *node = (const struct node *)block->bytes;

    for (uint32_t i = 0; i < block->count; i++) {
        enum kan_err err = node_walk(graph, node, (*number)++);
        if (err != KAN_OK)
            return err;
        if (*number % (SEARCH_BATCH * SEARCH_TICK) == 0) {
            graph->search->states = graph->tally.states;
            graph->search->generated = graph->tally.generated;
            graph->search->depth = graph->depth;
            err = search_tick(graph->search);
            if (err != KAN_OK)
                return err;
        }
        node = (const struct node *)((uintptr_t)node + node_size(node));
    }
    return KAN_OK;
}

static enum kan_err level_walk(struct graph *graph)
{
    uint32_t number = graph->level_base;
    struct pile_block *block;
    enum kan_err err =
        column_resize(&graph->hashes, graph->next_base - graph->level_base);

    while (err == KAN_OK && (block = pile_shift(&graph->level)) != NULL) {
        err = block_walk(graph, block, &number);
        pile_return(&graph->next, block);
    }
    return err;
}

static enum kan_err begin(struct graph *graph)
{
    for (uint32_t number = 0;; number++) {
        struct node *node = pile_room(&graph->next);
        uint32_t at;
        if (!node)
            return KAN_CANCELED;
        enum kan_err err = space_first(graph->walker, number, node_state(node));
        if (err == KAN_NOTFOUND)
            return KAN_OK;
        if (err != KAN_OK)
            return search_first_failed(graph->search, graph->walker, err,
                                       number, &graph->finding);
        graph->tally.generated++;
        node->sleep_count = 0;
        node->unused = 0;
        uint64_t before = graph->tally.states;
        err =
            node_keep(graph, node, node_state(node)->hash, UINT32_MAX, 0, &at);
        if (err == KAN_OK && graph->tally.states > before)
            err = column_push_u32(&graph->tree.firsts, number);
        if (err != KAN_OK)
            return err;
    }
}

enum kan_err graph_build(struct graph *graph)
{
    enum kan_err err = begin(graph);

    while (err == KAN_OK && graph->next_base < graph->tree.parents.count &&
           graph->finding.property == WALK_NONE) {
        struct pile level = graph->level;
        graph->level = graph->next;
        graph->next = level;
        graph->level_base = graph->next_base;
        graph->next_base = (uint32_t)graph->tree.parents.count;
        graph->tally.depth = graph->depth;
        err = level_walk(graph);
        if (graph->depth_max && graph->depth == graph->depth_max)
            break;
        graph->depth++;
    }
    search_peak(graph->search);
    return err;
}

/* --- edges turned round --------------------------------------------------- */

void reverse_fini(struct reverse *reverse)
{
    column_fini(&reverse->starts);
    column_fini(&reverse->sources);
}

/* A counting sort by target: count, sum up, and fill from the back, so that
 * each start ends where it belongs. */
enum kan_err graph_reverse(struct graph *graph, struct reverse *ret_reverse)
{
    uint64_t count = graph->degrees.count;
    const uint32_t *edges = column_u32(&graph->edges);
    const uint16_t *degrees = column_u16(&graph->degrees);
    struct reverse reverse;

    column_init(&reverse.starts, graph->search, sizeof(uint32_t));
    column_init(&reverse.sources, graph->search, sizeof(uint32_t));
    enum kan_err err = column_resize(&reverse.starts, count + 1);
    if (err == KAN_OK)
        err = column_resize(&reverse.sources, graph->edges.count);
    search_peak(graph->search);
    if (err != KAN_OK) {
        reverse_fini(&reverse);
        return err;
    }
    uint32_t *starts = column_u32(&reverse.starts);
    uint32_t *sources = column_u32(&reverse.sources);
    for (uint64_t i = 0; i < graph->edges.count; i++)
        starts[edges[i]]++;
    for (uint64_t i = 1; i <= count; i++)
        starts[i] += starts[i - 1];
    uint64_t edge = graph->edges.count;
    for (uint64_t from = count; from-- > 0;) {
        for (uint32_t i = 0; i < degrees[from]; i++)
            sources[--starts[edges[--edge]]] = (uint32_t)from;
    }
    column_fini(&graph->edges);
    *ret_reverse = reverse;
    return KAN_OK;
}

enum kan_err graph_peel(struct graph *graph, const struct reverse *reverse,
                        struct column *order)
{
    const uint32_t *starts = column_u32(&reverse->starts);
    const uint32_t *sources = column_u32(&reverse->sources);
    uint16_t *degrees = column_u16(&graph->degrees);
    uint64_t count = graph->degrees.count;
    enum kan_err err = column_reserve(order, count);

    if (err != KAN_OK)
        return err;
    uint32_t *peeled = column_u32(order);
    for (uint64_t i = 0; i < count; i++) {
        if (degrees[i] == 0)
            peeled[order->count++] = (uint32_t)i;
    }
    for (uint64_t done = 0; done < order->count; done++) {
        uint32_t state = peeled[done];
        for (uint32_t i = starts[state]; i < starts[state + 1]; i++) {
            if (--degrees[sources[i]] == 0)
                peeled[order->count++] = sources[i];
        }
    }
    return KAN_OK;
}
