/* Runs: made from where each state of a search came from, and gone along
 * again. */

#include "base/alloc.h"
#include "check/walk/searches.h"

/* --- runs ----------------------------------------------------------------- */

enum kan_err walk_run_new(uint32_t first, uint32_t step_count,
                          struct walk_run *ret_run)
{
    uint64_t *steps = mem_zalloc(step_count * sizeof *steps);

    if (!steps)
        return KAN_NOMEM;
    *ret_run = (struct walk_run){
        .first = first, .step_count = step_count, .steps = steps};
    return KAN_OK;
}

void walk_run_fini(struct walk_run *run)
{
    mem_free(run->steps);
    *run = (struct walk_run){0};
}

/* --- going along ---------------------------------------------------------- */

/* Where a run has come to. */
struct foot
{
    struct space_walker *walker;
    struct space_state *state;
    struct space_state *next; /* scratch */
    struct space_step *steps;
    uint32_t count;
};

static void foot_fini(struct foot *foot)
{
    mem_free(foot->state);
    mem_free(foot->next);
    mem_free(foot->steps);
}

static enum kan_err foot_init(struct foot *foot, struct space_walker *walker)
{
    *foot = (struct foot){
        .walker = walker,
        .state = mem_alloc(sizeof *foot->state),
        .next = mem_alloc(sizeof *foot->next),
        .steps = mem_alloc(SPACE_STEPS_MAX * sizeof *foot->steps)};
    if (foot->state && foot->next && foot->steps)
        return KAN_OK;
    foot_fini(foot);
    return KAN_NOMEM;
}

static void foot_step(struct foot *foot, uint32_t at)
{
    struct space_state *left = foot->state;

    space_apply(foot->walker, left, &foot->steps[at], foot->next);
    foot->state = foot->next;
    foot->next = left;
}

static enum kan_err foot_expand(struct foot *foot)
{
    return space_expand(foot->walker, foot->state, foot->steps, &foot->count);
}

/* The place of the step of that name, or the count of steps. */
static uint32_t foot_find(const struct foot *foot, uint64_t name)
{
    uint32_t at = 0;

    while (at < foot->count && space_step_name(&foot->steps[at]) != name)
        at++;
    return at;
}

static enum kan_err follow(struct foot *foot, const struct walk_run *run,
                           walk_follow_cb *cb, void *data)
{
    enum kan_err err = space_first(foot->walker, run->first, foot->state);

    for (uint32_t i = 0; err == KAN_OK && i < run->step_count; i++) {
        err = foot_expand(foot);
        if (err != KAN_OK)
            return err;
        uint32_t at = foot_find(foot, run->steps[i]);
        if (at == foot->count)
            return KAN_NOTFOUND;
        if (!cb(data, foot->walker, foot->state, &foot->steps[at]))
            return KAN_OK;
        /* Nothing follows a broken step, not even a state. */
        if (foot->steps[at].flags & SPACE_BROKEN)
            return i + 1 == run->step_count ? KAN_OK : KAN_NOTFOUND;
        foot_step(foot, at);
    }
    if (err == KAN_OK)
        (void)cb(data, foot->walker, foot->state, NULL);
    return err;
}

enum kan_err walk_follow(struct space *space, const struct walk_run *run,
                         walk_follow_cb *cb, void *data)
{
    struct space_walker *walker;
    struct foot foot;

    enum kan_err err = space_walker_new(space, &walker);
    if (err != KAN_OK)
        return err;
    err = foot_init(&foot, walker);
    if (err == KAN_OK) {
        err = follow(&foot, run, cb, data);
        foot_fini(&foot);
    }
    space_walker_free(walker);
    return err;
}

/* --- trees ---------------------------------------------------------------- */

void trail_init(struct trail *tree, struct search *search)
{
    column_init(&tree->parents, search, sizeof(uint32_t));
    column_init(&tree->steps, search, sizeof(uint16_t));
    column_init(&tree->firsts, search, sizeof(uint32_t));
}

void trail_fini(struct trail *tree)
{
    column_fini(&tree->parents);
    column_fini(&tree->steps);
    column_fini(&tree->firsts);
}

/* Places become names as the run is walked again. */
static enum kan_err run_name(struct foot *foot, struct walk_run *run)
{
    enum kan_err err = space_first(foot->walker, run->first, foot->state);

    for (uint32_t i = 0; err == KAN_OK && i < run->step_count; i++) {
        err = foot_expand(foot);
        if (err != KAN_OK)
            return err;
        uint32_t at = (uint32_t)run->steps[i];
        run->steps[i] = space_step_name(&foot->steps[at]);
        if (i + 1 < run->step_count)
            foot_step(foot, at);
    }
    return err;
}

enum kan_err trail_run(const struct trail *tree, struct space_walker *walker,
                       uint32_t number, uint32_t step, struct walk_run *ret_run)
{
    const uint32_t *parents = column_u32(&tree->parents);
    uint32_t count = step != UINT32_MAX, root = number;
    struct walk_run run;
    struct foot foot;

    for (; root >= tree->firsts.count; root = parents[root])
        count++;
    enum kan_err err =
        walk_run_new(column_u32(&tree->firsts)[root], count, &run);
    if (err != KAN_OK)
        return err;
    if (step != UINT32_MAX)
        run.steps[--count] = step;
    for (; number >= tree->firsts.count; number = parents[number])
        run.steps[--count] = column_u16(&tree->steps)[number];
    err = foot_init(&foot, walker);
    if (err == KAN_OK) {
        err = run_name(&foot, &run);
        foot_fini(&foot);
    }
    if (err != KAN_OK)
        walk_run_fini(&run);
    else
        *ret_run = run;
    return err;
}
