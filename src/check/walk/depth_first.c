/* Depth first, with sleep sets over the set of visited states.
 *
 * An arrival is a state and the set of steps that sleep in it. The set of
 * visited states keeps for each state which of its steps sleep in all arrivals
 * so far; a later arrival takes those of them that are awake in it (Godefroid,
 * "Partial-Order Methods", 1996, section 5.3). docs/design/checker.md proves
 * that this loses no state, in whatever order arrivals are handled. So a few
 * are handled at once, all lines of the table that they need are asked for
 * first, and the waits overlap; and an arrival at a state that still waits to
 * be expanded needs no more than to wake what is awake in it.
 *
 * The stack holds arrivals. Open ones have been expanded, and stay beneath
 * what follows them: a run is the chain of parents. */

#include "base/alloc.h"
#include "base/assert.h"
#include "check/walk/pile.h"
#include "check/walk/searches.h"
#include "check/walk/sleep.h"

/* The word that is kept for a state: whether it has been expanded, and the set
 * of steps that sleep in it. */
#define EXPANDED ((uint64_t)1 << SLEEP_BITS)
#define STEPS    (EXPANDED - 1)

struct item
{
    struct item *before; /* on the stack */
    struct item *parent; /* NULL: a first state */
    uint64_t name;       /* of the step to here, or the first's number */
    uint32_t depth;
    bool open;
    bool again; /* the state has been expanded before: these are known */
    uint64_t take;
    uint64_t asleep;
    /* The state follows, as far as its count. */
};

struct arrival
{
    const struct item *item;
    struct space_step *steps;
    uint8_t *bits; /* of each step's name, when reduced */
    uint32_t count;
    uint64_t take;   /* steps to take, by their bits */
    uint64_t asleep; /* steps that sleep on */
};

struct depth_first
{
    struct search *search;
    struct space_walker *walker;
    struct visited visited;
    struct pile pile;
    struct item *top;
    struct space_step *steps; /* SEARCH_STEPS */
    uint8_t *bits;            /* of each */
    uint32_t step_count;
    struct sleep_names names;
    struct arrival batch[SEARCH_BATCH];
    uint32_t batch_count;
    struct tally tally;
    struct finding finding;
    const struct item *found; /* where */
    bool reduced;
    bool observers;
};

static struct space_state *item_state(const struct item *item)
{
    return (struct space_state *)(uintptr_t)(item + 1);
}

/* --- the stack ------------------------------------------------------------ */

/* Keep the item that was made in the pile's room. */
static void item_push(struct depth_first *df, struct item *item)
{
    pile_keep(&df->pile, sizeof *item + search_state_size(item_state(item)));
    item->before = df->top;
    item->open = false;
    df->top = item;
    if (item->depth > df->tally.depth)
        df->tally.depth = item->depth;
}

static void stack_trim(struct depth_first *df)
{
    while (df->top && df->top->open) {
        struct item *item = df->top;
        df->top = item->before;
        pile_drop(&df->pile, item);
    }
}

/* --- arriving ------------------------------------------------------------- */

/* Which steps to take from a state, and which sleep on. */
static enum kan_err arrival_plan(struct depth_first *df,
                                 struct arrival *arrival)
{
    const struct item *item = arrival->item;
    uint64_t *word;
    bool added;

    if (!df->reduced) {
        arrival->take = STEPS;
        memset(arrival->bits, 0, arrival->count);
        return KAN_OK;
    }
    if (sleep_names_reserve(&df->names, arrival->count) != KAN_OK)
        return search_halt_memory(df->search);
    uint64_t single = sleep_names_bits(&df->names, arrival->steps,
                                       arrival->count, arrival->bits);
    if (item->again) {
        arrival->take = item->take;
        arrival->asleep = item->asleep;
        return KAN_OK;
    }
    enum kan_err err = visited_add(
        &df->visited, search_key(item_state(item)->hash), &added, &word);
    if (err != KAN_OK)
        return search_halt_memory(df->search);
    arrival->asleep = *word & single;
    arrival->take = STEPS & ~arrival->asleep;
    *word = EXPANDED | arrival->asleep;
    return KAN_OK;
}

static bool arrival_takes(const struct arrival *arrival, uint32_t place)
{
    return arrival->take >> arrival->bits[place] & 1;
}

/* Expand an item into the batch. */
static enum kan_err arrive(struct depth_first *df, const struct item *item)
{
    const struct space_state *state = item_state(item);
    struct arrival *arrival = &df->batch[df->batch_count];

    *arrival = (struct arrival){.item = item,
                                .steps = df->steps + df->step_count,
                                .bits = df->bits + df->step_count};
    enum kan_err err =
        space_expand(df->walker, state, arrival->steps, &arrival->count);
    if (err != KAN_OK)
        return search_halt_space(df->search, df->walker, err);
    if (!item->again) {
        if (arrival->count == 0)
            tally_terminal(&df->tally, state);
        if (search_judge(df->search, df->walker, state, arrival->steps,
                         arrival->count, item->depth, 0, &df->finding)) {
            df->found = item;
            return KAN_OK;
        }
    }
    err = arrival_plan(df, arrival);
    if (err != KAN_OK)
        return err;
    for (uint32_t i = 0; i < arrival->count; i++) {
        if (arrival_takes(arrival, i))
            visited_prefetch(&df->visited, search_key(arrival->steps[i].hash));
    }
    df->step_count += arrival->count;
    df->batch_count++;
    return KAN_OK;
}

/* Put the state that a step leads to on the stack. */
static enum kan_err child_push(struct depth_first *df,
                               const struct arrival *arrival, uint32_t at,
                               bool again, uint64_t take, uint64_t asleep)
{
    const struct space_step *step = &arrival->steps[at];
    struct item *item = pile_room(&df->pile);

    if (!item)
        return KAN_CANCELED;
    space_apply(df->walker, item_state(arrival->item), step, item_state(item));
    item->parent = (struct item *)(uintptr_t)arrival->item;
    item->name = space_step_name(step);
    item->depth = arrival->item->depth + 1;
    item->again = again;
    item->take = take;
    item->asleep = asleep;
    item_push(df, item);
    return KAN_OK;
}

/* Take a step; places are those that sleep behind it, or that do if they are
 * independent of it. */
static enum kan_err follow(struct depth_first *df,
                           const struct arrival *arrival, uint32_t at,
                           const uint16_t *places, uint32_t count)
{
    uint64_t *word;
    bool added;

    enum kan_err err = visited_add(
        &df->visited, search_key(arrival->steps[at].hash), &added, &word);
    if (err != KAN_OK)
        return search_halt_memory(df->search);
    df->tally.states += added;
    if (!df->reduced)
        return added ? child_push(df, arrival, at, false, 0, 0) : KAN_OK;
    uint64_t before = *word & STEPS;
    if (!added && before == 0)
        return KAN_OK;
    uint64_t asleep =
        sleep_pass_bits(df->search->space, df->observers, arrival->steps,
                        arrival->bits, places, count, at);
    if (added) {
        *word = asleep;
        return child_push(df, arrival, at, false, 0, 0);
    }
    *word &= asleep | EXPANDED;
    if (!(*word & EXPANDED) || (before & ~asleep) == 0)
        return KAN_OK;
    return child_push(df, arrival, at, true, before & ~asleep, before & asleep);
}

/* Take all steps of an arrival. Behind each sleeps what slept before, and what
 * was taken earlier in this arrival; never what another arrival took. */
static enum kan_err depart(struct depth_first *df,
                           const struct arrival *arrival)
{
    uint16_t places[SPACE_STEPS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; arrival->asleep && i < arrival->count; i++) {
        if (arrival->asleep >> arrival->bits[i] & 1)
            places[count++] = (uint16_t)i;
    }
    for (uint32_t i = 0; i < arrival->count; i++) {
        if (!arrival_takes(arrival, i))
            continue;
        df->tally.generated++;
        enum kan_err err = follow(df, arrival, i, places, count);
        if (err != KAN_OK)
            return err;
        if (df->reduced)
            places[count++] = (uint16_t)i;
    }
    return KAN_OK;
}

/* --- the walk ------------------------------------------------------------- */

/* Expand a few items at the top of the stack, then take all their steps. */
static enum kan_err turn(struct depth_first *df)
{
    struct item *item = df->top;
    struct item *next = item;
    enum kan_err err = KAN_OK;

    df->batch_count = 0;
    df->step_count = 0;
    for (uint32_t i = 0; df->reduced && next && i < SEARCH_BATCH; i++) {
        visited_prefetch(&df->visited, search_key(item_state(next)->hash));
        next = next->before;
    }
    while (err == KAN_OK && !df->found && item && !item->open &&
           df->batch_count < SEARCH_BATCH &&
           df->step_count + SPACE_STEPS_MAX <= SEARCH_STEPS) {
        item->open = true;
        err = arrive(df, item);
        item = item->before;
    }
    for (uint32_t i = df->batch_count; err == KAN_OK && !df->found && i > 0;
         i--)
        err = depart(df, &df->batch[i - 1]);
    return err;
}

/* Put the first states on the stack. */
static enum kan_err begin(struct depth_first *df)
{
    for (uint32_t number = 0;; number++) {
        struct item *item = pile_room(&df->pile);
        bool added;
        if (!item)
            return KAN_CANCELED;
        enum kan_err err = space_first(df->walker, number, item_state(item));
        if (err == KAN_NOTFOUND)
            return KAN_OK;
        if (err != KAN_OK)
            return search_first_failed(df->search, df->walker, err, number,
                                       &df->finding);
        df->tally.generated++;
        err = visited_add(&df->visited, search_key(item_state(item)->hash),
                          &added, NULL);
        if (err != KAN_OK)
            return search_halt_memory(df->search);
        if (!added)
            continue;
        df->tally.states++;
        item->parent = NULL;
        item->name = number;
        item->depth = 0;
        item->again = false;
        item_push(df, item);
    }
}

static enum kan_err go(struct depth_first *df)
{
    struct tally told = {0};
    enum kan_err err = begin(df);

    for (uint32_t i = 0;
         err == KAN_OK && df->top && df->finding.property == WALK_NONE; i++) {
        err = turn(df);
        if (err == KAN_OK && i % SEARCH_TICK == 0) {
            search_count(df->search, df->tally.states - told.states,
                         df->tally.generated - told.generated, df->tally.depth);
            told = df->tally;
            err = search_tick(df->search);
        }
        stack_trim(df);
    }
    return err;
}

/* The run to what was found: the chain of parents, and the last step. */
static enum kan_err found_run(const struct depth_first *df,
                              struct walk_run *ret_run)
{
    const struct item *item = df->found;
    const struct finding *finding = &df->finding;

    if (finding->first)
        return walk_run_new(finding->state, 0, ret_run);
    enum kan_err err = walk_run_new(0, finding->length, ret_run);
    if (err != KAN_OK)
        return err;
    uint32_t at = finding->length;
    if (finding->step != UINT32_MAX)
        ret_run->steps[--at] =
            space_step_name(&df->batch[df->batch_count].steps[finding->step]);
    for (; item->parent; item = item->parent)
        ret_run->steps[--at] = item->name;
    ret_run->first = (uint32_t)item->name;
    kan_assert(at == 0);
    return KAN_OK;
}

static void depth_first_fini(struct depth_first *df)
{
    pile_fini(&df->pile);
    visited_fini(&df->visited);
    mem_free(df->steps);
    mem_free(df->bits);
    sleep_names_fini(&df->names);
    space_walker_free(df->walker);
    mem_free(df);
}

static enum kan_err depth_first_new(struct search *search,
                                    struct depth_first **ret_df)
{
    struct depth_first *df = mem_zalloc(sizeof *df);

    if (!df)
        return KAN_NOMEM;
    df->search = search;
    df->reduced = !search->options->no_reduction;
    df->observers = search->judge.linearizable != WALK_NONE;
    df->finding.property = WALK_NONE;
    pile_init(&df->pile, search);
    df->steps = mem_alloc(SEARCH_STEPS * sizeof *df->steps);
    df->bits = mem_alloc(SEARCH_STEPS);
    enum kan_err err = df->steps && df->bits ? KAN_OK : KAN_NOMEM;
    if (err == KAN_OK)
        err = space_walker_new(search->space, &df->walker);
    if (err == KAN_OK)
        err = visited_init(&df->visited, df->reduced ? sizeof(uint64_t) : 0,
                           search_visited_max(search));
    if (err != KAN_OK) {
        depth_first_fini(df);
        return err;
    }
    *ret_df = df;
    return KAN_OK;
}

enum kan_err depth_first_walk(struct search *search, struct walk_result *result)
{
    struct depth_first *df;
    enum kan_err err = depth_first_new(search, &df);

    if (err != KAN_OK)
        return err;
    /* How it ended is in the finding, or in the search that halted. */
    search_watch(search, &df->visited, false);
    (void)go(df);
    search_peak(search);
    search_watch(search, NULL, false);
    if (df->finding.property != WALK_NONE &&
        found_run(df, &result->run) != KAN_OK) {
        df->finding.property = WALK_NONE;
        (void)search_halt_memory(search);
    }
    result_fill(result, search, &df->tally, &df->finding, false);
    result->reduced = df->reduced;
    depth_first_fini(df);
    return KAN_OK;
}
