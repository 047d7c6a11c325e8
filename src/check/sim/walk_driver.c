/* A walk at random through the states that `kan check` walks in full.
 *
 * The tape first draws which faults this run has and how often, then one number
 * a step. Steps are put in an order that depends on their content alone, never
 * on the numbers under which the space keeps things: so a tape means the same
 * run whatever was run before it. When the faults end, the walk goes on without
 * the tape, by a fixed fair order, and must come to a goal. */

#include "base/alloc.h"
#include "base/assert.h"
#include "check/sim/simulator.h"

enum
{
    STEPS_MAX = 1000, /* before the faults end, unless said otherwise */
    CALM_MAX = 2000,  /* after it, until a goal is reached */
    KINDS = SPACE_HEAL + 1,
    SORT_SMALL = 24 /* beyond it, insertion is too slow */
};

/* What is kept for all runs; beyond it everything is kept afresh. */
static const uint64_t kept_max = UINT64_C(1) << 29;

struct walk_driver
{
    struct simulator *simulator;
    struct tape *tape;
    struct simulate_log *log;
    struct simulate_run *run;
    uint32_t rates[KINDS]; /* of kinds that are faults; 0: none in this run */
    uint32_t slow;         /* an actor that is left behind; or none */
    uint32_t steps_max;
    uint32_t count; /* steps out of the state */
    uint32_t normal;
    uint64_t waited; /* a bit for each actor that a message is on its way to */
    struct path_id actors[KAN_INSTANCES_MAX];
    uint64_t goals; /* a bit for each RECOVERABLE property that held */
    struct space_state *mark; /* where the faults ended */
    struct path_id mark_path;
    uint32_t mark_steps;
    struct ranked *ranked; /* SPACE_STEPS_MAX */
};

/* --- life cycle ----------------------------------------------------------- */

static enum kan_err space_open(struct simulator *simulator, struct buffer *why)
{
    const struct simulate_options *options = &simulator->options;
    struct space_options space = {
        .module = options->module,
        .model = simulator->model,
        .parameters = simulator->model ? simulator->parameters : NULL,
        .faults = &simulator->faults,
        .clients = options->clients,
        .requests = options->requests,
        .frozen_object = options->frozen_object,
        .data = options->data,
    };
    enum kan_err err = space_new(&space, &simulator->space, why);

    if (err == KAN_OK)
        err = space_walker_new(simulator->space, &simulator->walker);
    return err;
}

static void space_close(struct simulator *simulator)
{
    simulator->walker = space_walker_free(simulator->walker);
    simulator->space = space_free(simulator->space);
}

/* A first step that breaks is every run's failure; it is found by the run. */
static enum kan_err count_firsts(struct simulator *simulator)
{
    enum kan_err err;

    simulator->first_count = 0;
    do {
        err = space_first(simulator->walker, simulator->first_count,
                          simulator->state);
        simulator->first_count += err == KAN_OK;
    } while (err == KAN_OK);
    return err == KAN_NOTFOUND || err == KAN_CONFLICT ? KAN_OK : err;
}

enum kan_err walk_driver_new(struct simulator *simulator, struct buffer *why)
{
    enum kan_err err = space_open(simulator, why);

    simulator->state = mem_alloc(sizeof *simulator->state);
    simulator->next = mem_alloc(sizeof *simulator->next);
    simulator->steps = mem_alloc(SPACE_STEPS_MAX * sizeof *simulator->steps);
    simulator->ranked = mem_alloc(SPACE_STEPS_MAX * sizeof *simulator->ranked);
    if (err == KAN_OK && (!simulator->state || !simulator->next ||
                          !simulator->steps || !simulator->ranked))
        err = KAN_NOMEM;
    return err ? err : count_firsts(simulator);
}

void walk_driver_free(struct simulator *simulator)
{
    space_close(simulator);
    mem_free(simulator->state);
    mem_free(simulator->next);
    mem_free(simulator->steps);
    mem_free(simulator->ranked);
}

/* --- the order of steps --------------------------------------------------- */

bool walk_is_fault(uint32_t kind)
{
    return kind == SPACE_CRASH || kind == SPACE_LOSE || kind == SPACE_DOUBLE ||
           kind == SPACE_JUMP || kind == SPACE_CUT || kind == SPACE_LIE;
}

/* Broken steps lead nowhere, so that their hash tells nothing of them. */
static uint64_t content_of(struct walk_driver *driver,
                           const struct space_step *step)
{
    struct space_words words;

    if (!(step->flags & SPACE_BROKEN))
        return step->hash.high;
    space_describe(driver->simulator->walker, step, &words);
    uint64_t content = step->choice;
    if (words.record)
        content += path_hash(kan_slice(words.message, words.record->size),
                             step->object == 0)
                       .high;
    if (words.from.text[0])
        content += path_hash(kan_text(words.from.text), 1).high;
    return content;
}

/* Faults behind all others, then by kind, actor and content. */
static uint64_t key_of(struct walk_driver *driver,
                       const struct space_step *step)
{
    uint64_t key = (uint64_t)walk_is_fault(step->kind) << 63 |
                   (uint64_t)step->kind << 58 | (uint64_t)step->actor << 50;

    return key | content_of(driver, step) >> 14;
}

static void sift(struct ranked *ranked, uint32_t from, uint32_t count)
{
    struct ranked moved = ranked[from];

    for (uint32_t child; (child = from * 2 + 1) < count; from = child) {
        child += child + 1 < count && ranked[child + 1].key > ranked[child].key;
        if (ranked[child].key <= moved.key)
            break;
        ranked[from] = ranked[child];
    }
    ranked[from] = moved;
}

static void sort(struct ranked *ranked, uint32_t count)
{
    if (count <= SORT_SMALL) {
        for (uint32_t i = 1; i < count; i++) {
            struct ranked moved = ranked[i];
            uint32_t at = i;
            for (; at > 0 && ranked[at - 1].key > moved.key; at--)
                ranked[at] = ranked[at - 1];
            ranked[at] = moved;
        }
        return;
    }
    for (uint32_t i = count / 2; i-- > 0;)
        sift(ranked, i, count);
    for (uint32_t i = count; i-- > 1;) {
        struct ranked last = ranked[i];
        ranked[i] = ranked[0];
        ranked[0] = last;
        sift(ranked, 0, i);
    }
}

/* The steps that this run may take, in order; those of faults that it does not
 * have are left out. */
static enum kan_err rank_steps(struct walk_driver *driver, bool calm)
{
    struct simulator *simulator = driver->simulator;
    uint32_t all;
    enum kan_err err = space_expand(simulator->walker, simulator->state,
                                    simulator->steps, &all);

    driver->count = 0;
    driver->normal = 0;
    driver->waited = 0;
    for (uint32_t i = 0; err == KAN_OK && i < all; i++) {
        const struct space_step *step = &simulator->steps[i];
        if (step->kind == SPACE_DELIVER)
            driver->waited |= UINT64_C(1) << step->actor;
        if (walk_is_fault(step->kind) &&
            (calm || driver->rates[step->kind] == 0))
            continue;
        driver->normal += !walk_is_fault(step->kind);
        driver->ranked[driver->count++] =
            (struct ranked){key_of(driver, step), i};
    }
    sort(driver->ranked, driver->count);
    return err;
}

/* --- drawing -------------------------------------------------------------- */

static void draw_knobs(struct walk_driver *driver)
{
    static const uint32_t lengths[] = {10, 30, 100, 300, 1000};
    const struct simulator *simulator = driver->simulator;
    const struct kan_faults *faults = &simulator->faults;
    const uint32_t budgets[KINDS] = {
        [SPACE_CRASH] = faults->crash,    [SPACE_LOSE] = faults->lost,
        [SPACE_DOUBLE] = faults->doubled, [SPACE_CUT] = faults->partition,
        [SPACE_JUMP] = faults->clock,     [SPACE_LIE] = faults->liar,
    };
    uint32_t longest =
        simulator->options.steps ? simulator->options.steps : STEPS_MAX;

    for (uint32_t kind = 0; kind < KINDS; kind++)
        driver->rates[kind] = budgets[kind] > 0 ? draw_rate(driver->tape) : 0;
    driver->slow =
        draw_below(driver->tape, space_actor_count(simulator->space) + 1);
    driver->steps_max =
        lengths[draw_below(driver->tape, sizeof lengths / sizeof lengths[0])] *
        longest / lengths[sizeof lengths / sizeof lengths[0] - 1];
}

/* How likely the faults of the steps at hand are, together, in thousandths. */
static uint32_t fault_rate(const struct walk_driver *driver)
{
    const struct space_step *steps = driver->simulator->steps;
    uint32_t seen = 0;
    uint32_t sum = 0;

    for (uint32_t i = driver->normal; i < driver->count; i++) {
        uint32_t kind = steps[driver->ranked[i].at].kind;
        if (!(seen & 1u << kind))
            sum += driver->rates[kind];
        seen |= 1u << kind;
    }
    return sum;
}

/* One step of those ranked. What is likely is not on the tape: the number is.
 * An actor left behind moves once where others move eight times. */
static uint32_t draw_step(struct walk_driver *driver)
{
    const struct space_step *steps = driver->simulator->steps;
    uint64_t chance = tape_chance(driver->tape);
    uint32_t faults = driver->count - driver->normal;
    uint32_t place;

    if (faults > 0 &&
        (driver->normal == 0 || chance % 1000 < fault_rate(driver)))
        place = driver->normal + (uint32_t)((chance >> 20) % faults);
    else
        place = (uint32_t)((chance >> 20) % driver->normal);
    if (driver->slow > 0 &&
        steps[driver->ranked[place].at].actor == driver->slow - 1 &&
        place < driver->normal && chance >> 60 != 0)
        place = (uint32_t)((chance >> 40) % driver->normal);
    return (uint32_t)tape_choose_value(driver->tape, driver->count, place);
}

/* --- a step --------------------------------------------------------------- */

static void count_step(struct walk_driver *driver,
                       const struct space_step *step)
{
    static const uint8_t faults[KINDS] = {
        [SPACE_CRASH] = SIMULATE_CRASH + 1,
        [SPACE_LOSE] = SIMULATE_LOST + 1,
        [SPACE_DOUBLE] = SIMULATE_DOUBLED + 1,
        [SPACE_JUMP] = SIMULATE_CLOCK + 1,
        [SPACE_CUT] = SIMULATE_CUT + 1,
        [SPACE_LIE] = SIMULATE_LIE + 1,
    };
    struct simulate_counts *counts = &driver->simulator->counts;
    bool waited =
        step->actor < KAN_INSTANCES_MAX && driver->waited >> step->actor & 1;

    if (faults[step->kind] > 0)
        counts->faults[faults[step->kind] - 1]++;
    counts->probes[SIMULATE_PROBE_CHANCE] += step->choice > 0;
    counts->probes[SIMULATE_PROBE_RESTARTED] += step->kind == SPACE_RESTART;
    counts->probes[SIMULATE_PROBE_CRASH_WITH_MESSAGES] +=
        step->kind == SPACE_CRASH && waited;
    counts->probes[SIMULATE_PROBE_TIMER_FIRST] +=
        step->kind == SPACE_TIMER && waited;
}

static enum kan_err log_step(struct walk_driver *driver,
                             const struct space_step *step)
{
    struct simulate_log *log = driver->log;
    struct walk_run *run = &log->run;
    struct space_words words;

    if (run->step_count == log->step_capacity) {
        uint32_t capacity = log->step_capacity ? log->step_capacity * 2 : 64;
        uint64_t *steps =
            mem_realloc(run->steps, capacity * sizeof *run->steps);
        if (!steps)
            return KAN_NOMEM;
        run->steps = steps;
        log->step_capacity = capacity;
    }
    run->steps[run->step_count++] = space_step_name(step);
    space_describe(driver->simulator->walker, step, &words);
    buffer_print(&log->trace, "%s %s %s %016llx\n", words.what, words.to.text,
                 words.name ? words.name : "",
                 (unsigned long long)step->hash.high);
    return buffer_failed(&log->trace) ? KAN_NOMEM : KAN_OK;
}

/* Which properties the state breaks, and which goals it is. */
static void judge_with(struct walk_driver *driver, struct space_walker *walker,
                       bool ended)
{
    struct simulator *simulator = driver->simulator;
    const struct space *space = simulator->space;

    for (uint32_t i = 0; i < space_property_count(space); i++) {
        const struct kan_model_property *property = space_property(space, i);
        bool matters = property->kind == KAN_INVARIANT ||
                       property->kind == KAN_RECOVERABLE ||
                       (property->kind == KAN_FINALLY && ended);
        if (!matters)
            continue;
        bool holds = space_holds(walker, i, simulator->state);
        if (property->kind == KAN_RECOVERABLE)
            driver->goals |= (uint64_t)holds << i;
        else if (!holds)
            run_fails(driver->run, property->name, "%s does not hold here",
                      property->name);
    }
}

static void judge(struct walk_driver *driver, bool ended)
{
    judge_with(driver, driver->simulator->walker, ended);
}

static enum kan_err take_step(struct walk_driver *driver,
                              const struct space_step *step)
{
    struct simulator *simulator = driver->simulator;
    struct simulate_run *run = driver->run;
    struct space_state *left = simulator->state;

    run->events++;
    run_mix(run, step->hash.high ^ (uint64_t)step->kind << 8 ^ step->actor);
    count_step(driver, step);
    if (driver->log) {
        enum kan_err err = log_step(driver, step);
        if (err)
            return err;
    }
    space_path_step(simulator->walker, step, driver->actors, &run->path);
    if (step->flags & SPACE_BROKEN) {
        run_fails(run, "handler", "%s", space_why(simulator->walker, step));
        return KAN_OK;
    }
    space_apply(simulator->walker, left, step, simulator->next);
    simulator->state = simulator->next;
    simulator->next = left;
    if (step->flags & SPACE_UNORDERABLE)
        run_fails(run, simulator_property(simulator, KAN_LINEARIZABLE)->name,
                  "what clients saw fits no order");
    judge(driver, false);
    return KAN_OK;
}

/* --- phases --------------------------------------------------------------- */

static bool going(const struct walk_driver *driver)
{
    return driver->run->verdict != SIMULATE_FAILS;
}

static enum kan_err walk_with_faults(struct walk_driver *driver)
{
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; going(driver) && i < driver->steps_max; i++) {
        err = rank_steps(driver, false);
        if (err || driver->count == 0)
            return err;
        uint32_t place = draw_step(driver);
        err = take_step(driver,
                        &driver->simulator->steps[driver->ranked[place].at]);
        if (err)
            return err;
    }
    return err;
}

/* Fair, and without the tape: whatever stays possible is taken some time. */
static uint32_t calm_place(const struct walk_driver *driver, uint64_t *random)
{
    const struct space_step *steps = driver->simulator->steps;

    for (uint32_t i = 0; i < driver->count; i++) {
        uint32_t kind = steps[driver->ranked[i].at].kind;
        if (kind == SPACE_HEAL || kind == SPACE_RESTART)
            return i;
    }
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*random >> 33) % driver->count);
}

static uint64_t wanted_goals(const struct space *space)
{
    uint64_t goals = 0;

    for (uint32_t i = 0; i < space_property_count(space); i++)
        goals |= (uint64_t)(space_property(space, i)->kind == KAN_RECOVERABLE)
                 << i;
    return goals;
}

static void judge_end(struct walk_driver *driver)
{
    struct simulator *simulator = driver->simulator;

    simulator->counts.probes[SIMULATE_PROBE_ENDED]++;
    judge(driver, true);
    run_ends(simulator, driver->run,
             space_actors_hash(simulator->walker, simulator->state));
}

/* What came after the faults ended says nothing more. */
static void go_back(struct walk_driver *driver)
{
    driver->run->path = driver->mark_path;
    if (driver->log)
        driver->log->run.step_count = driver->mark_steps;
}

static enum kan_err judge_goals(struct walk_driver *driver, uint64_t missing,
                                bool ended)
{
    struct simulator *simulator = driver->simulator;
    const struct space *space = simulator->space;
    enum kan_err err = KAN_OK;

    if (missing == 0)
        simulator->counts.probes[SIMULATE_PROBE_GOAL]++;
    for (uint32_t i = 0; err == KAN_OK && i < space_property_count(space);
         i++) {
        const char *name = space_property(space, i)->name;
        enum walk_goal goal = WALK_GOAL_NEVER;
        if (!(missing >> i & 1))
            continue;
        err = walk_goal_find(simulator, driver->mark, i, &goal);
        if (err == KAN_OK && goal == WALK_GOAL_NEVER)
            go_back(driver);
        else if (err == KAN_OK && !ended)
            err = walk_goal_find(simulator, simulator->state, i, &goal);
        else
            goal = WALK_GOAL_NEVER;
        if (err == KAN_OK && goal == WALK_GOAL_NEVER)
            run_fails(driver->run, name,
                      "the faults are over, and %s cannot be reached any more",
                      name);
        else if (err == KAN_OK && goal == WALK_GOAL_UNKNOWN)
            run_undecided(driver->run,
                          "%s was not reached within %d steps after the faults",
                          name, CALM_MAX);
    }
    return err;
}

/* The faults have ended. Without a goal the walk goes on until nothing more can
 * happen, or for as long as it went before. */
static enum kan_err walk_calm(struct walk_driver *driver)
{
    uint64_t wanted = wanted_goals(driver->simulator->space);
    uint32_t steps_max = wanted ? CALM_MAX : driver->steps_max;
    uint64_t random = 1;
    bool ended = false;

    driver->goals = 0;
    judge(driver, false);
    driver->mark = wanted ? (void *)mem_copy(driver->simulator->state,
                                             sizeof *driver->mark)
                          : NULL;
    if (wanted && !driver->mark)
        return KAN_NOMEM;
    driver->mark_path = driver->run->path;
    driver->mark_steps = driver->log ? driver->log->run.step_count : 0;
    for (uint32_t i = 0; going(driver) && i < steps_max; i++) {
        enum kan_err err;
        if (wanted && (driver->goals & wanted) == wanted)
            break;
        err = rank_steps(driver, true);
        if (err)
            return err;
        ended = driver->count == 0;
        if (ended)
            break;
        uint32_t place = calm_place(driver, &random);
        err = take_step(driver,
                        &driver->simulator->steps[driver->ranked[place].at]);
        if (err)
            return err;
    }
    if (going(driver) && ended)
        judge_end(driver);
    if (going(driver) && wanted)
        return judge_goals(driver, wanted & ~driver->goals, ended);
    return KAN_OK;
}

/* --- a run ---------------------------------------------------------------- */

static enum kan_err start(struct walk_driver *driver)
{
    struct simulator *simulator = driver->simulator;
    uint32_t first = simulator->first_count > 0
                         ? draw_below(driver->tape, simulator->first_count)
                         : 0;
    enum kan_err err = space_first(simulator->walker, first, simulator->state);

    if (err == KAN_CONFLICT) {
        run_fails(driver->run, "handler", "%s",
                  space_why(simulator->walker, NULL));
        return KAN_OK;
    }
    if (err)
        return err;
    if (driver->log)
        driver->log->run.first = first;
    for (uint32_t i = 0; i < space_actor_count(simulator->space); i++)
        driver->actors[i] = path_id_actor(space_actor_ref(simulator->space, i));
    judge(driver, false);
    return KAN_OK;
}

/* Never while a log of the space's numbers is wanted. */
static enum kan_err start_afresh(struct simulator *simulator)
{
    struct buffer why = BUFFER_INIT;
    enum kan_err err = KAN_OK;

    if (space_stats(simulator->space).bytes > kept_max) {
        space_close(simulator);
        err = space_open(simulator, &why);
    }
    buffer_fini(&why);
    return err;
}

enum kan_err walk_driver_run(struct simulator *simulator, struct tape *tape,
                             struct simulate_log *log, struct simulate_run *run)
{
    struct walk_driver *driver;
    enum kan_err err = start_afresh(simulator);

    if (err)
        return err;
    driver = mem_zalloc(sizeof *driver);
    if (!driver)
        return KAN_NOMEM;
    driver->ranked = simulator->ranked;
    driver->simulator = simulator;
    driver->tape = tape;
    driver->log = log;
    driver->run = run;
    draw_knobs(driver);
    err = start(driver);
    if (err == KAN_OK && going(driver))
        err = walk_with_faults(driver);
    if (err == KAN_OK && going(driver))
        err = walk_calm(driver);
    if (err == KAN_BUSY) {
        run_undecided(run, "%s", space_why(simulator->walker, NULL));
        err = KAN_OK;
    }
    mem_free(driver->mark);
    mem_free(driver);
    return err;
}

/* --- a run that is given -------------------------------------------------- */

static bool on_follow(void *data, struct space_walker *walker,
                      const struct space_state *state,
                      const struct space_step *step)
{
    struct walk_driver *driver = data;
    struct simulator *simulator = driver->simulator;
    struct simulate_run *run = driver->run;

    memcpy(simulator->state, state, offsetof(struct space_state, words));
    memcpy(simulator->state->words, state->words,
           state->count * sizeof state->words[0]);
    judge_with(driver, walker, false);
    if (!step)
        return true;
    run->events++;
    space_path_step(walker, step, driver->actors, &run->path);
    if (step->flags & SPACE_BROKEN)
        run_fails(run, "handler", "%s", space_why(walker, step));
    else if (step->flags & SPACE_UNORDERABLE)
        run_fails(run, simulator_property(simulator, KAN_LINEARIZABLE)->name,
                  "what clients saw fits no order");
    return true;
}

enum kan_err walk_driver_follow(struct simulator *simulator,
                                const struct walk_run *steps,
                                struct simulate_run *run)
{
    struct walk_driver *driver = mem_zalloc(sizeof *driver);
    enum kan_err err;

    if (!driver)
        return KAN_NOMEM;
    driver->simulator = simulator;
    driver->run = run;
    for (uint32_t i = 0; i < space_actor_count(simulator->space); i++)
        driver->actors[i] = path_id_actor(space_actor_ref(simulator->space, i));
    err = walk_follow(simulator->space, steps, on_follow, driver);
    mem_free(driver);
    return err;
}
