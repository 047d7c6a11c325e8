/* The nodes of a progress square, level by level: a node's steps lead to nodes
 * of higher numbers, so counting is one pass. Nodes of one place are told apart
 * by the hash of their state. */

#include "check/draw/square.h"

#include "base/alloc.h"
#include "base/record.h"
#include "path/big/big.h"

struct explorer
{
    struct square *square;
    struct space *space;
    const struct walk_run *run;
    struct space_walker *walker;
    struct space_state *state; /* the node's */
    struct space_state *next;  /* after a step; also the other end */
    struct space_step *steps;
    uint32_t step_count;
    uint32_t capacity; /* of nodes */
    struct buffer *why;
};

/* --- texts ---------------------------------------------------------------- */

/* The number of a text, which is kept once; the buffer is gone afterwards. */
static enum kan_err text_add(struct explorer *explorer, struct buffer *text,
                             uint32_t *ret_number)
{
    struct map *texts = &explorer->square->texts;
    enum kan_err err = buffer_failed(text) ? KAN_NOMEM : KAN_OK;
    uintptr_t number = (uintptr_t)map_get(texts, buffer_slice(text));

    if (err == KAN_OK && number == 0) {
        number = map_count(texts) + 1u;
        err = map_put(texts, buffer_slice(text), (void *)number, NULL);
    }
    buffer_fini(text);
    if (err == KAN_OK)
        *ret_number = (uint32_t)(number - 1);
    return err;
}

/* Append what differs between the structs of an actor in two states. */
static enum kan_err put_difference(const struct explorer *explorer,
                                   uint32_t actor,
                                   const struct space_state *before,
                                   const struct space_state *after, bool named,
                                   struct buffer *out)
{
    const void *a = space_actor_state(explorer->walker, before, actor);
    const void *b = space_actor_state(explorer->walker, after, actor);
    struct buffer lines = BUFFER_INIT;
    enum kan_err err = KAN_OK;

    if (a && b && a != b)
        err = record_diff(space_actor_type(explorer->space, actor)->state, a, b,
                          &lines);
    struct kan_slice rest = buffer_slice(&lines);
    while (rest.size > 0) {
        struct kan_slice line;
        slice_cut(&rest, '\n', &line);
        if (out->size > 0)
            buffer_append_byte(out, '\n');
        if (named)
            buffer_print(out, "%s ",
                         space_actor_ref(explorer->space, actor)->text);
        buffer_append(out, line);
    }
    buffer_fini(&lines);
    return err ? err : buffer_failed(out) ? KAN_NOMEM : KAN_OK;
}

/* --- nodes ---------------------------------------------------------------- */

static uint32_t *place_of(const struct square *square, uint32_t i, uint32_t j)
{
    return &square->first[i * (square->q.count + 1) + j];
}

static enum kan_err nodes_grow(struct explorer *explorer)
{
    struct square *square = explorer->square;
    uint32_t wanted = explorer->capacity ? explorer->capacity * 2 : 64;
    struct square_node *nodes;

    if (square->node_count < explorer->capacity)
        return KAN_OK;
    if (square->node_count >= SQUARE_NODES_MAX) {
        buffer_print(explorer->why,
                     "more than %d states for one picture; choose other "
                     "actors, or a shorter run",
                     SQUARE_NODES_MAX);
        return KAN_BUSY;
    }
    nodes = mem_realloc(square->nodes, wanted * sizeof *nodes);
    if (!nodes)
        return KAN_NOMEM;
    square->nodes = nodes;
    explorer->capacity = wanted;
    return KAN_OK;
}

static uint32_t node_find(const struct square *square, uint32_t i, uint32_t j,
                          struct path_id hash)
{
    uint32_t number = *place_of(square, i, j);

    while (number != SQUARE_NONE &&
           (square->nodes[number].hash.low != hash.low ||
            square->nodes[number].hash.high != hash.high ||
            square->nodes[number].flags & SQUARE_BROKEN))
        number = square->nodes[number].next;
    return number;
}

/* A new node; state is NULL behind a broken step. */
static enum kan_err node_add(struct explorer *explorer, uint32_t i, uint32_t j,
                             const struct space_state *state,
                             uint32_t *ret_number)
{
    struct square *square = explorer->square;
    enum kan_err err = nodes_grow(explorer);
    struct square_node node = {
        .i = i,
        .j = j,
        .p = {SQUARE_NONE, SQUARE_NONE},
        .q = {SQUARE_NONE, SQUARE_NONE},
        .apart = SQUARE_NONE,
    };

    if (err == KAN_OK && state) {
        node.hash = state->hash;
        node.word_count = state->count;
        node.words = mem_alloc(state->count * sizeof *node.words);
        err = node.words ? KAN_OK : KAN_NOMEM;
    }
    if (err)
        return err;
    if (node.words)
        memcpy(node.words, state->words, state->count * sizeof *node.words);
    node.next = *place_of(square, i, j);
    *place_of(square, i, j) = square->node_count;
    *ret_number = square->node_count;
    square->nodes[square->node_count++] = node;
    return KAN_OK;
}

static void node_load(const struct square_node *node, struct space_state *state)
{
    state->hash = node->hash;
    state->count = node->word_count;
    memcpy(state->words, node->words, node->word_count * sizeof *node->words);
}

/* --- steps ---------------------------------------------------------------- */

/* The node that a step leads to, i and j being its place. */
static enum kan_err step_take(struct explorer *explorer,
                              const struct space_step *step, uint32_t i,
                              uint32_t j, struct square_way *way)
{
    struct square *square = explorer->square;
    struct buffer text = BUFFER_INIT;
    enum kan_err err = KAN_OK;

    if (step->flags & SPACE_BROKEN) {
        err = node_add(explorer, i, j, NULL, &way->to);
        if (err)
            return err;
        square->nodes[way->to].flags = SQUARE_BROKEN;
        buffer_append_text(&text, space_why(explorer->walker, step));
        return text_add(explorer, &text, &square->nodes[way->to].apart);
    }
    space_apply(explorer->walker, explorer->state, step, explorer->next);
    way->to = node_find(square, i, j, explorer->next->hash);
    if (way->to == SQUARE_NONE)
        err = node_add(explorer, i, j, explorer->next, &way->to);
    if (err == KAN_OK && step->actor != UINT8_MAX)
        err = put_difference(explorer, step->actor, explorer->state,
                             explorer->next, false, &text);
    if (err == KAN_OK && text.size > 0)
        return text_add(explorer, &text, &way->changes);
    buffer_fini(&text);
    return err;
}

/* Go on along one axis, done of whose steps are taken. */
static enum kan_err step_along(struct explorer *explorer,
                               const struct square_axis *axis, uint32_t done,
                               uint32_t i, uint32_t j, struct square_way *way)
{
    uint64_t name;

    if (done == axis->count)
        return KAN_OK;
    name = explorer->run->steps[axis->steps[done]];
    for (uint32_t k = 0; k < explorer->step_count; k++) {
        if (space_step_name(&explorer->steps[k]) == name)
            return step_take(explorer, &explorer->steps[k], i, j, way);
    }
    return KAN_OK;
}

/* The properties that do not hold in the explorer's state. */
static uint32_t find_fails(const struct explorer *explorer)
{
    uint32_t fails = 0;

    for (uint32_t k = 0; k < space_property_count(explorer->space); k++) {
        bool holds = true;
        switch (space_property(explorer->space, k)->kind) {
        case KAN_FINALLY:
            if (explorer->step_count > 0)
                break;
            holds = space_holds(explorer->walker, k, explorer->state);
            break;
        case KAN_INVARIANT:
            holds = space_holds(explorer->walker, k, explorer->state);
            break;
        case KAN_LINEARIZABLE:
            holds = space_orderable(explorer->walker, explorer->state);
            break;
        case KAN_RECOVERABLE: /* of more states than are here */
        case KAN_CONVERGES:
            break;
        }
        fails |= (uint32_t)!holds << k;
    }
    return fails;
}

static enum kan_err node_expand(struct explorer *explorer, uint32_t number)
{
    struct square *square = explorer->square;
    struct square_node node = square->nodes[number];
    enum kan_err err;

    if (node.flags & SQUARE_BROKEN)
        return KAN_OK;
    node_load(&node, explorer->state);
    err = space_expand(explorer->walker, explorer->state, explorer->steps,
                       &explorer->step_count);
    if (err) {
        buffer_append_text(explorer->why, space_why(explorer->walker, NULL));
        return err;
    }
    if (explorer->step_count == 0)
        node.flags |= SQUARE_STUCK;
    node.fails = find_fails(explorer);
    err = step_along(explorer, &square->p, node.i, node.i + 1, node.j, &node.p);
    if (err == KAN_OK)
        err = step_along(explorer, &square->q, node.j, node.i, node.j + 1,
                         &node.q);
    square->nodes[number] = node;
    return err;
}

/* --- squares -------------------------------------------------------------- */

/* Where P then Q, or Q then P, leads from a node; or SQUARE_NONE. */
static uint32_t corner(const struct square *square,
                       const struct square_node *node, bool q_first)
{
    uint32_t side = q_first ? node->q.to : node->p.to;

    if (side == SQUARE_NONE)
        return SQUARE_NONE;
    return q_first ? square->nodes[side].p.to : square->nodes[side].q.to;
}

/* How the two ends of an empty square differ. */
static enum kan_err tell_apart(struct explorer *explorer, uint32_t a,
                               uint32_t b, uint32_t *ret_text)
{
    const struct square *square = explorer->square;
    struct buffer text = BUFFER_INIT;
    enum kan_err err = KAN_OK;

    if ((square->nodes[a].flags | square->nodes[b].flags) & SQUARE_BROKEN) {
        buffer_append_text(&text, "in one order a handler breaks");
        return text_add(explorer, &text, ret_text);
    }
    node_load(&square->nodes[a], explorer->state);
    node_load(&square->nodes[b], explorer->next);
    for (uint32_t k = 0;
         err == KAN_OK && k < space_actor_count(explorer->space); k++)
        err = put_difference(explorer, k, explorer->state, explorer->next, true,
                             &text);
    if (err) {
        buffer_fini(&text);
        return err;
    }
    if (text.size == 0)
        buffer_append_text(&text,
                           "messages on their way, timers, or what "
                           "clients saw");
    return text_add(explorer, &text, ret_text);
}

/* Fill squares, and mark what reaches the end, from the last node to the first.
 */
static enum kan_err fill(struct explorer *explorer)
{
    struct square *square = explorer->square;
    enum kan_err err = KAN_OK;

    for (uint32_t k = square->node_count; err == KAN_OK && k-- > 0;) {
        struct square_node *node = &square->nodes[k];
        uint32_t pq = corner(square, node, false);
        uint32_t qp = corner(square, node, true);
        bool end = node->i == square->p.count && node->j == square->q.count;
        if (end ||
            (node->p.to != SQUARE_NONE &&
             square->nodes[node->p.to].flags & SQUARE_REACHES) ||
            (node->q.to != SQUARE_NONE &&
             square->nodes[node->q.to].flags & SQUARE_REACHES))
            node->flags |= SQUARE_REACHES;
        if (pq == SQUARE_NONE || qp == SQUARE_NONE)
            continue;
        node->flags |= pq == qp ? SQUARE_FILLED : SQUARE_EMPTY;
        if (pq != qp)
            err = tell_apart(explorer, pq, qp, &node->apart);
    }
    return err;
}

/* --- counting ------------------------------------------------------------- */

/* Ways from the start to a node. Two ways are one path when they differ across
 * filled squares; replacing "Q then P" by "P then Q" there ends, and no two
 * such places overlap, so each path has exactly one way without them. */
struct ways
{
    struct big all;
    struct big plain; /* without "Q then P" across a filled square */
    struct big ahead; /* of these, the ones that may go on with P */
};

static enum kan_err ways_push(struct ways *ways, const struct square_node *node,
                              uint32_t number)
{
    struct ways *here = &ways[number];
    enum kan_err err = KAN_OK;

    if (node->p.to != SQUARE_NONE) {
        struct ways *to = &ways[node->p.to];
        err = big_add(&to->all, &here->all);
        if (err == KAN_OK)
            err = big_add(&to->plain, &here->ahead);
        if (err == KAN_OK)
            err = big_add(&to->ahead, &here->ahead);
    }
    if (err == KAN_OK && node->q.to != SQUARE_NONE) {
        struct ways *to = &ways[node->q.to];
        err = big_add(&to->all, &here->all);
        if (err == KAN_OK)
            err = big_add(&to->plain, &here->plain);
        if (err == KAN_OK && !(node->flags & SQUARE_FILLED))
            err = big_add(&to->ahead, &here->plain);
    }
    return err;
}

static enum kan_err ways_end(struct square *square, const struct ways *ways)
{
    struct big all = {0};
    struct big plain = {0};
    enum kan_err err = KAN_OK;

    for (uint32_t k = *place_of(square, square->p.count, square->q.count);
         err == KAN_OK && k != SQUARE_NONE; k = square->nodes[k].next) {
        err = big_add(&all, &ways[k].all);
        if (err == KAN_OK)
            err = big_add(&plain, &ways[k].plain);
    }
    if (err == KAN_OK)
        err = big_append(&square->interleavings, &all);
    if (err == KAN_OK)
        err = big_append(&square->paths, &plain);
    big_fini(&all);
    big_fini(&plain);
    return err;
}

static enum kan_err count(struct square *square)
{
    struct ways *ways = mem_zalloc(square->node_count * sizeof *ways);
    enum kan_err err = KAN_OK;

    if (!ways)
        return KAN_NOMEM;
    big_init(&ways[0].all, 1);
    big_init(&ways[0].plain, 1);
    big_init(&ways[0].ahead, 1);
    for (uint32_t k = 0; err == KAN_OK && k < square->node_count; k++)
        err = ways_push(ways, &square->nodes[k], k);
    if (err == KAN_OK)
        err = ways_end(square, ways);
    for (uint32_t k = 0; k < square->node_count; k++) {
        big_fini(&ways[k].all);
        big_fini(&ways[k].plain);
        big_fini(&ways[k].ahead);
    }
    mem_free(ways);
    return err;
}

/* --- squares of runs ------------------------------------------------------ */

static void explorer_fini(struct explorer *explorer)
{
    space_walker_free(explorer->walker);
    mem_free(explorer->state);
    mem_free(explorer->next);
    mem_free(explorer->steps);
}

static enum kan_err explorer_init(struct explorer *explorer)
{
    explorer->state = mem_alloc(sizeof *explorer->state);
    explorer->next = mem_alloc(sizeof *explorer->next);
    explorer->steps = mem_alloc(SPACE_STEPS_MAX * sizeof *explorer->steps);
    if (!explorer->state || !explorer->next || !explorer->steps)
        return KAN_NOMEM;
    return space_walker_new(explorer->space, &explorer->walker);
}

static enum kan_err lay_axes(struct square *square, const struct run *run,
                             struct buffer *why)
{
    bool *of_q = mem_alloc((run->step_count + 1) * sizeof *of_q);

    square->p.steps =
        mem_alloc((run->step_count + 1) * sizeof *square->p.steps);
    square->q.steps =
        mem_alloc((run->step_count + 1) * sizeof *square->q.steps);
    if (!of_q || !square->p.steps || !square->q.steps) {
        mem_free(of_q);
        return KAN_NOMEM;
    }
    square_threads(run, square->p.lane, square->q.lane, of_q);
    for (uint32_t i = 0; i < run->step_count; i++) {
        struct square_axis *axis = of_q[i] ? &square->q : &square->p;
        axis->steps[axis->count++] = i;
    }
    mem_free(of_q);
    if (square->p.count <= SQUARE_STEPS_MAX &&
        square->q.count <= SQUARE_STEPS_MAX)
        return KAN_OK;
    buffer_print(why,
                 "%u and %u steps; a picture has room for %d on each side: "
                 "choose other actors, or a shorter run",
                 square->p.count, square->q.count, SQUARE_STEPS_MAX);
    return KAN_BUSY;
}

static enum kan_err lay_places(struct square *square)
{
    uint32_t places = (square->p.count + 1) * (square->q.count + 1);

    square->first = mem_alloc(places * sizeof *square->first);
    for (uint32_t i = 0; square->first && i < places; i++)
        square->first[i] = SQUARE_NONE;
    return square->first ? KAN_OK : KAN_NOMEM;
}

static enum kan_err explore(struct explorer *explorer)
{
    struct square *square = explorer->square;
    uint32_t start;
    enum kan_err err =
        space_first(explorer->walker, explorer->run->first, explorer->state);

    if (err == KAN_OK)
        err = node_add(explorer, 0, 0, explorer->state, &start);
    for (uint32_t k = 0; err == KAN_OK && k < square->node_count; k++)
        err = node_expand(explorer, k);
    if (err == KAN_OK)
        err = fill(explorer);
    if (err == KAN_OK && !(square->nodes[0].flags & SQUARE_REACHES)) {
        buffer_append_text(explorer->why, "the run is not one of this model");
        err = KAN_NOTFOUND;
    }
    return err ? err : count(square);
}

enum kan_err square_new(struct space *space, const struct walk_run *steps,
                        const struct run *run, uint32_t p, uint32_t q,
                        struct square **ret_square, struct buffer *why)
{
    struct square *square = mem_zalloc(sizeof *square);
    struct explorer explorer = {
        .square = square, .space = space, .run = steps, .why = why};
    enum kan_err err;

    if (!square)
        return KAN_NOMEM;
    square->run = run;
    square->p.lane = p;
    square->q.lane = q;
    map_init(&square->texts, (struct hash_seed){0}, 4 * SQUARE_NODES_MAX);
    err = lay_axes(square, run, why);
    if (err == KAN_OK)
        err = lay_places(square);
    if (err == KAN_OK)
        err = explorer_init(&explorer);
    if (err == KAN_OK)
        err = explore(&explorer);
    explorer_fini(&explorer);
    if (err)
        square_free(square);
    else
        *ret_square = square;
    return err;
}

struct square *square_free(struct square *square)
{
    if (!square)
        return NULL;
    for (uint32_t i = 0; i < square->node_count; i++)
        mem_free(square->nodes[i].words);
    mem_free(square->nodes);
    mem_free(square->first);
    mem_free(square->p.steps);
    mem_free(square->q.steps);
    map_fini(&square->texts);
    buffer_fini(&square->interleavings);
    buffer_fini(&square->paths);
    return mem_free(square);
}

enum square_place square_place(const struct square *square, uint32_t i,
                               uint32_t j)
{
    uint32_t number = *place_of(square, i, j);

    if (number == SQUARE_NONE)
        return SQUARE_FORBIDDEN;
    for (; number != SQUARE_NONE; number = square->nodes[number].next) {
        if (square->nodes[number].flags & SQUARE_REACHES)
            return SQUARE_SAFE;
    }
    return SQUARE_UNSAFE;
}
