/* By levels: all states that are n steps away, then those that are n + 1 away.
 *
 * So the first failure has a shortest run, a limit of depth cuts exactly what
 * lies beyond it, and what is counted does not depend on how many threads do
 * it: a level is the set of states that no shorter run reaches, whoever finds
 * them. There is no reduction. A level with a failure is finished, and of all
 * its failures the least is told, which is the same for any number of threads.
 *
 * Only the level and the next one are kept as states, in blocks that threads
 * take one after the other; of the others the parent and the place of the step
 * are kept, 6 bytes each, and a run is walked again from its first state. */

#include "base/alloc.h"
#include "check/walk/crew.h"
#include "check/walk/pile.h"
#include "check/walk/searches.h"

struct node
{
    uint32_t parent;
    uint16_t step; /* its place among the parent's */
    uint16_t unused;
    /* The state follows, as far as its count. */
};

/* A state of the batch. */
struct work
{
    const struct node *node;
    uint32_t number;
    struct space_step *steps;
    uint32_t count;
};

struct walker
{
    struct breadth_first *bf;
    struct space_walker *space;
    struct pile next; /* states of the next level that it found */
    struct space_step *steps;
    uint32_t step_count;
    struct work batch[SEARCH_BATCH];
    uint32_t batch_count;
    struct tally tally;
    struct finding finding;
    bool cut; /* something follows the deepest level */
};

struct breadth_first
{
    struct search *search;
    struct visited visited;
    struct walker *walkers;
    uint32_t count; /* of walkers */
    struct crew *crew;
    struct trail tree;
    uint32_t depth;
    struct column blocks;  /* of the level: struct pile_block * */
    _Atomic uint32_t next; /* block */
    enum kan_err grown;
};

static struct space_state *node_state(const struct node *node)
{
    return (struct space_state *)(uintptr_t)(node + 1);
}

static const struct node *node_after(const struct node *node)
{
    return (const struct node *)((uintptr_t)node_state(node) +
                                 search_state_size(node_state(node)));
}

/* --- the set of visited states, shared ------------------------------------ */

/* A unit is full: the set grows by a few per cent. */
static void grow(void *data)
{
    struct breadth_first *bf = data;

    search_share(bf->search, &bf->visited);
    bf->grown = visited_reserve(&bf->visited, 0);
    search_share(bf->search, &bf->visited);
}

static enum kan_err add(struct breadth_first *bf, struct path_id hash,
                        bool *ret_added)
{
    if (bf->count == 1) {
        enum kan_err err =
            visited_add(&bf->visited, search_key(hash), ret_added, NULL);
        return err == KAN_OK ? KAN_OK : search_halt_memory(bf->search);
    }
    while (visited_add_shared(&bf->visited, search_key(hash), ret_added) !=
           KAN_OK) {
        if (atomic_load(&bf->search->halting))
            return KAN_CANCELED;
        crew_alone(bf->crew, grow, bf);
        if (bf->grown != KAN_OK)
            return search_halt_memory(bf->search);
    }
    return KAN_OK;
}

/* --- a level -------------------------------------------------------------- */

/* Expand a state into the batch. */
static enum kan_err expand(struct walker *walker, const struct node *node,
                           uint32_t number)
{
    struct breadth_first *bf = walker->bf;
    const struct space_state *state = node_state(node);
    struct work *work = &walker->batch[walker->batch_count];

    *work = (struct work){.node = node,
                          .number = number,
                          .steps = walker->steps + walker->step_count};
    enum kan_err err =
        space_expand(walker->space, state, work->steps, &work->count);
    if (err != KAN_OK)
        return search_halt_space(bf->search, walker->space, err);
    column_u32(&bf->tree.parents)[number] = node->parent;
    column_u16(&bf->tree.steps)[number] = node->step;
    if (work->count == 0)
        tally_terminal(&walker->tally, state);
    (void)search_judge(bf->search, walker->space, state, work->steps,
                       work->count, bf->depth, number, &walker->finding);
    for (uint32_t i = 0; i < work->count; i++)
        visited_prefetch(&bf->visited, search_key(work->steps[i].hash));
    walker->step_count += work->count;
    walker->batch_count++;
    return KAN_OK;
}

static enum kan_err follow(struct walker *walker, const struct work *work,
                           uint32_t at)
{
    const struct space_step *step = &work->steps[at];
    bool added;

    if (step->flags & SPACE_BROKEN)
        return KAN_OK;
    walker->tally.generated++;
    enum kan_err err = add(walker->bf, step->hash, &added);
    if (err != KAN_OK || !added)
        return err;
    struct node *node = pile_room(&walker->next);
    if (!node)
        return KAN_CANCELED;
    node->parent = work->number;
    node->step = (uint16_t)at;
    node->unused = 0;
    space_apply(walker->space, node_state(work->node), step, node_state(node));
    pile_keep(&walker->next,
              sizeof *node + search_state_size(node_state(node)));
    walker->tally.states++;
    return KAN_OK;
}

/* Take all steps of the batch, or at the limit of depth only look whether they
 * would lead on. */
static enum kan_err batch_follow(struct walker *walker)
{
    const struct breadth_first *bf = walker->bf;
    uint32_t depth_max = bf->search->options->depth_max;
    bool last = depth_max && bf->depth == depth_max;

    for (uint32_t i = 0; i < walker->batch_count; i++) {
        const struct work *work = &walker->batch[i];
        for (uint32_t at = 0; at < work->count; at++) {
            if (last) {
                walker->cut |= !visited_find(
                    &bf->visited, search_key(work->steps[at].hash), NULL);
                continue;
            }
            enum kan_err err = follow(walker, work, at);
            if (err != KAN_OK)
                return err;
        }
    }
    walker->batch_count = 0;
    walker->step_count = 0;
    return KAN_OK;
}

/* Between batches: what others want, and the limits. */
static enum kan_err look_up(struct walker *walker, struct tally *told,
                            uint32_t turn)
{
    struct breadth_first *bf = walker->bf;
    struct search *search = bf->search;

    if (bf->crew)
        crew_yield(bf->crew);
    if (turn % SEARCH_TICK == 0) {
        search_count(search, walker->tally.states - told->states,
                     walker->tally.generated - told->generated, bf->depth);
        *told = walker->tally;
        if (walker == bf->walkers) {
            enum kan_err err = search_tick(search);
            if (err != KAN_OK)
                return err;
        }
    }
    return atomic_load_explicit(&search->halting, memory_order_relaxed)
               ? KAN_CANCELED
               : KAN_OK;
}

static enum kan_err block_walk(struct walker *walker,
                               const struct pile_block *block,
                               struct tally *told, uint32_t *turn)
{
    const struct node *node = (const struct node *)block->bytes;
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < block->count && err == KAN_OK; i++) {
        err = expand(walker, node, block->base + i);
        node = node_after(node);
        if (err == KAN_OK &&
            (walker->batch_count == SEARCH_BATCH || i + 1 == block->count ||
             walker->step_count + SPACE_STEPS_MAX > SEARCH_STEPS)) {
            err = batch_follow(walker);
            if (err == KAN_OK)
                err = look_up(walker, told, (*turn)++);
        }
    }
    return err;
}

/* What each member of the crew does: blocks of the level, until none is
 * left. */
static void level_walk(void *data, uint32_t member)
{
    struct breadth_first *bf = data;
    struct walker *walker = &bf->walkers[member];
    struct tally told = walker->tally;
    struct pile_block **blocks = bf->blocks.data;
    enum kan_err err = KAN_OK;
    uint32_t turn = 0;

    while (err == KAN_OK) {
        uint32_t at = atomic_fetch_add(&bf->next, 1);
        if (at >= bf->blocks.count)
            break;
        err = block_walk(walker, blocks[at], &told, &turn);
        pile_return(&walker->next, blocks[at]);
        blocks[at] = NULL;
    }
    search_count(bf->search, walker->tally.states - told.states,
                 walker->tally.generated - told.generated, bf->depth);
}

/* --- from level to level -------------------------------------------------- */

/* Number the states that were found, and make them the level. */
static enum kan_err level_next(struct breadth_first *bf)
{
    uint64_t base = bf->tree.parents.count;

    bf->blocks.count = 0;
    for (uint32_t i = 0; i < bf->count; i++) {
        struct pile_block *block;
        while ((block = pile_shift(&bf->walkers[i].next)) != NULL) {
            enum kan_err err =
                column_reserve(&bf->blocks, bf->blocks.count + 1);
            if (err != KAN_OK) {
                pile_return(&bf->walkers[i].next, block);
                return err;
            }
            ((struct pile_block **)bf->blocks.data)[bf->blocks.count++] = block;
            block->base = (uint32_t)base;
            base += block->count;
            if (base >= UINT32_MAX)
                return search_halt(bf->search,
                                   "breadth first ends at 4,294,967,294 "
                                   "states; walk depth first");
        }
    }
    enum kan_err err = column_resize(&bf->tree.parents, base);
    if (err == KAN_OK)
        err = column_resize(&bf->tree.steps, base);
    return err;
}

static enum kan_err begin(struct breadth_first *bf)
{
    struct walker *walker = bf->walkers;

    for (uint32_t number = 0;; number++) {
        struct node *node = pile_room(&walker->next);
        bool added;
        if (!node)
            return KAN_CANCELED;
        enum kan_err err = space_first(walker->space, number, node_state(node));
        if (err == KAN_NOTFOUND)
            return KAN_OK;
        if (err != KAN_OK)
            return search_first_failed(bf->search, walker->space, err, number,
                                       &walker->finding);
        walker->tally.generated++;
        err = add(bf, node_state(node)->hash, &added);
        if (err != KAN_OK)
            return err;
        if (!added)
            continue;
        *node = (struct node){.parent = UINT32_MAX};
        pile_keep(&walker->next,
                  sizeof *node + search_state_size(node_state(node)));
        walker->tally.states++;
        err = column_push_u32(&bf->tree.firsts, number);
        if (err != KAN_OK)
            return err;
    }
}

static bool found(const struct breadth_first *bf)
{
    for (uint32_t i = 0; i < bf->count; i++) {
        if (bf->walkers[i].finding.property != WALK_NONE)
            return true;
    }
    return false;
}

static enum kan_err go(struct breadth_first *bf)
{
    uint32_t depth_max = bf->search->options->depth_max;
    enum kan_err err = begin(bf);

    if (err == KAN_OK)
        err = level_next(bf);
    while (err == KAN_OK && bf->blocks.count > 0 && !found(bf)) {
        bf->walkers[0].tally.depth = bf->depth;
        atomic_store(&bf->next, 0);
        if (bf->crew)
            crew_run(bf->crew);
        else
            level_walk(bf, 0);
        if (atomic_load(&bf->search->halting))
            return KAN_CANCELED;
        err = search_tick(bf->search);
        if (err != KAN_OK || (depth_max && bf->depth == depth_max))
            return err;
        bf->depth++;
        err = level_next(bf);
    }
    return err;
}

/* --- life cycle ----------------------------------------------------------- */

static void blocks_fini(struct breadth_first *bf)
{
    struct pile_block **blocks = bf->blocks.data;

    for (uint64_t i = 0; i < bf->blocks.count; i++) {
        if (blocks[i])
            pile_link(&bf->walkers[0].next, blocks[i]);
    }
    column_fini(&bf->blocks);
}

static void breadth_first_fini(struct breadth_first *bf)
{
    crew_free(bf->crew);
    if (bf->walkers)
        blocks_fini(bf);
    for (uint32_t i = 0; bf->walkers && i < bf->count; i++) {
        struct walker *walker = &bf->walkers[i];
        pile_fini(&walker->next);
        mem_free(walker->steps);
        space_walker_free(walker->space);
    }
    mem_free(bf->walkers);
    trail_fini(&bf->tree);
    visited_fini(&bf->visited);
}

static enum kan_err walker_init(struct walker *walker, struct breadth_first *bf)
{
    walker->bf = bf;
    walker->finding.property = WALK_NONE;
    pile_init(&walker->next, bf->search);
    walker->steps = mem_alloc(SEARCH_STEPS * sizeof *walker->steps);
    if (!walker->steps)
        return KAN_NOMEM;
    return space_walker_new(bf->search->space, &walker->space);
}

static enum kan_err breadth_first_init(struct breadth_first *bf,
                                       struct search *search)
{
    uint32_t threads = search->options->threads;

    memset(bf, 0, sizeof *bf);
    bf->search = search;
    bf->count = threads > 1 ? threads : 1;
    trail_init(&bf->tree, search);
    column_init(&bf->blocks, search, sizeof(struct pile_block *));
    bf->walkers = mem_zalloc(bf->count * sizeof *bf->walkers);
    if (!bf->walkers)
        return KAN_NOMEM;
    enum kan_err err =
        visited_init(&bf->visited, 0, search_visited_max(search));
    for (uint32_t i = 0; i < bf->count && err == KAN_OK; i++)
        err = walker_init(&bf->walkers[i], bf);
    if (err == KAN_OK && bf->count > 1)
        err = crew_new(bf->count, level_walk, bf, &bf->crew);
    return err;
}

/* Merge what the walkers have counted and found, and tell it. */
static void conclude(struct breadth_first *bf, struct walk_result *result)
{
    struct search *search = bf->search;
    struct tally tally = {0};
    struct finding best = {.property = WALK_NONE};
    bool cut = false;

    for (uint32_t i = 0; i < bf->count; i++) {
        tally_add(&tally, &bf->walkers[i].tally);
        finding_merge(&best, &bf->walkers[i].finding);
        cut |= bf->walkers[i].cut;
    }
    if (best.property != WALK_NONE) {
        enum kan_err err = best.first
                               ? walk_run_new(best.state, 0, &result->run)
                               : trail_run(&bf->tree, bf->walkers[0].space,
                                           best.state, best.step, &result->run);
        /* What halted within a level may have missed a shorter one. */
        result->shortest = err == KAN_OK && !search->halting;
        if (err != KAN_OK) {
            best.property = WALK_NONE;
            (void)search_halt_memory(search);
        }
    }
    result_fill(result, search, &tally, &best, cut);
    result->threads = bf->count;
}

enum kan_err breadth_first_walk(struct search *search,
                                struct walk_result *result)
{
    struct breadth_first bf;
    enum kan_err err = breadth_first_init(&bf, search);

    if (err == KAN_OK) {
        /* How it ended is in the findings, or in the search that halted. */
        search_watch(search, &bf.visited, bf.count > 1);
        (void)go(&bf);
        search_peak(search);
        search_watch(search, NULL, false);
        conclude(&bf, result);
    }
    breadth_first_fini(&bf);
    return err;
}
