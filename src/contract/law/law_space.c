/* The walk over the states of one type. See law_space.h. */

#include "contract/law/law_space.h"

#include "base/alloc.h"
#include "contract/law/law_run.h"
#include "contract/law/law_uses.h"
#include "contract/law/law_vary.h"

enum
{
    STATES_MAX = 20000,
    DEPTH_MAX = 4096, /* the states end a walk long before, mostly */
    ARGUMENTS_MAX = 256,
    BYTES_MAX = 64 << 20,
    REPEATS_MAX = 4096,  /* of one step, in one move */
    LEAPS_A_STATE = 20,  /* steps within such moves, for each state allowed */
    STOP_EVERY = 512,    /* steps between two questions whether to stop */
    BEGIN_S = 1700000000 /* the time at which runs begin, s since 1970 */
};

/* What law_move.extra says: an input, or that elements vary. */
enum
{
    MOVE_VARIED = 4
};

#define TOTAL_MAX (UINT64_C(1) << 62)

/* What passes between two steps of a run. */
static const int64_t pauses_ms[] = {1000, 3600 * 1000,
                                    400 * INT64_C(24) * 3600 * 1000};

struct law_budget law_budget_whole(const struct law_budget *budget)
{
    struct law_budget whole = budget ? *budget : (struct law_budget){0};

    if (whole.states_max == 0)
        whole.states_max = STATES_MAX;
    if (whole.depth_max == 0)
        whole.depth_max = DEPTH_MAX;
    if (whole.arguments_max == 0)
        whole.arguments_max = ARGUMENTS_MAX;
    if (whole.bytes_max == 0)
        whole.bytes_max = BYTES_MAX;
    return whole;
}

/* --- ways to call a step -------------------------------------------------- */

uint32_t law_boundary_count(const struct program *program, uint32_t type,
                            void *scratch)
{
    uint32_t count = 0;

    while (count < PROGRAM_BOUNDARY_MAX &&
           program_boundary(program, type, count, scratch))
        count++;
    return count;
}

static struct law_ways count_ways(const struct law_space *space, uint32_t step)
{
    uint32_t arguments = program_step(space->program, step).arguments;
    uint32_t members = program_type(space->program, arguments)->member_count;
    struct law_ways ways = {.total = 1};

    for (uint32_t i = 0; i < members; i++) {
        uint32_t count = law_boundary_count(
            space->program, program_member(space->program, arguments, i).type,
            space->arguments);
        if (ways.total < TOTAL_MAX / PROGRAM_BOUNDARY_MAX)
            ways.total *= count;
    }
    ways.ways = ways.total < space->budget.arguments_max
                    ? (uint32_t)ways.total
                    : space->budget.arguments_max;
    return ways;
}

/* Whether all ways are all that callers have. */
static bool arguments_whole(const struct law_space *space, uint32_t step)
{
    uint32_t arguments = program_step(space->program, step).arguments;
    uint32_t members = program_type(space->program, arguments)->member_count;

    for (uint32_t i = 0; i < members; i++) {
        if (!program_boundary_whole(
                space->program,
                program_member(space->program, arguments, i).type))
            return false;
    }
    return true;
}

uint64_t law_ways_number(const struct law_ways *ways, uint32_t i)
{
    /* Not the first of many, in which all but two parameters are the same, but
     * some from everywhere. */
    return ways->total == ways->ways
               ? i
               : (i * UINT64_C(0x9e3779b97f4a7c15)) % ways->total;
}

void law_space_arguments(const struct law_space *space, uint32_t step,
                         uint64_t number, void *arguments)
{
    program_arguments(space->program, step, arguments);
    (void)program_boundary_arguments(space->program, step, number, arguments);
}

struct program_input law_space_input(int64_t before_ms, uint32_t depth,
                                     uint32_t input)
{
    static const char digits[] = "0123456789abcdef";
    struct program_input made = {.now_ms = before_ms + pauses_ms[input]};

    for (uint32_t i = 0; i < PROGRAM_ID_SIZE; i++)
        made.id[i] = '0';
    for (uint32_t i = PROGRAM_ID_SIZE; i-- > 0 && depth > 0; depth /= 16)
        made.id[i] = digits[depth % 16];
    return made;
}

/* --- life cycle ----------------------------------------------------------- */

static size_t round_up(size_t size)
{
    return (size + 15) / 16 * 16 + 16;
}

static enum kan_err make_scratch(struct law_space *space)
{
    const struct program *program = space->program;
    size_t state = round_up(program_state_size(program));
    size_t value = 0;

    /* A boundary value of any type is made in the place of arguments. */
    for (uint32_t i = 0; i < program_type_count(program); i++) {
        size_t size = program_type(program, i)->size;
        value = size > value ? size : value;
    }
    space->stride = state;
    space->argument_max = round_up(value);
    space->before = mem_zalloc(state);
    space->after = mem_zalloc(state);
    space->spare = mem_zalloc(state);
    space->prior = mem_zalloc(state);
    space->arguments = mem_zalloc(space->argument_max);
    space->ways = mem_zalloc((space->step_count + 1) * sizeof *space->ways);
    space->seen = mem_zalloc((space->step_count + 1) * sizeof *space->seen);
    return space->before && space->after && space->spare && space->prior &&
                   space->arguments && space->ways && space->seen
               ? KAN_OK
               : KAN_NOMEM;
}

enum kan_err law_space_init(struct law_space *space,
                            const struct contract *contract, uint32_t type,
                            uint32_t version, const struct law_budget *budget)
{
    *space = (struct law_space){
        .program = contract_program(contract, type, version),
        .budget = law_budget_whole(budget),
    };
    if (!space->program)
        return KAN_NOTFOUND;
    space->entity =
        tree_entity(contract_tree(contract), contract_type_name(contract, type),
                    program_version(space->program));
    space->step_count = program_step_count(space->program);
    space->inputs = space->entity && law_uses_now(space->entity)
                        ? sizeof pauses_ms / sizeof pauses_ms[0]
                        : 1;
    space->sampled =
        space->inputs > 1 || (space->entity && law_uses_id(space->entity));
    space->store.bytes_max = space->budget.bytes_max;
    enum kan_err err = make_scratch(space);
    for (uint32_t i = 0; err == KAN_OK && i < space->step_count; i++) {
        space->ways[i] = count_ways(space, i);
        space->trimmed |= space->ways[i].ways < space->ways[i].total;
        space->sampled |= !arguments_whole(space, i);
    }
    space->kinds = law_vary_kinds(space->program);
    return err;
}

void law_space_fini(struct law_space *space)
{
    law_store_fini(&space->store);
    mem_free(space->ways);
    mem_free(space->seen);
    mem_free(space->before);
    mem_free(space->after);
    mem_free(space->spare);
    mem_free(space->prior);
    mem_free(space->arguments);
    buffer_fini(&space->saved);
    *space = (struct law_space){0};
}

/* --- walking -------------------------------------------------------------- */

bool law_space_stopped(struct law_space *space)
{
    if (!space->stopped && space->budget.stop &&
        space->steps % STOP_EVERY == 0 &&
        space->budget.stop(space->budget.data))
        space->stopped = true;
    return space->stopped;
}

void law_space_load(const struct law_space *space, uint32_t node, void *state)
{
    struct kan_slice bytes = law_store_state(&space->store, node);

    memset(state, 0, program_state_size(space->program));
    if (program_load(space->program, 0, &bytes, state) != KAN_OK)
        program_start(space->program, state); /* never: the walk saved it */
}

static enum kan_err keep(struct law_space *space, const void *state,
                         const struct law_node *node)
{
    bool is_new;

    buffer_clear(&space->saved);
    program_save(space->program, 0, state, &space->saved);
    if (buffer_failed(&space->saved))
        return KAN_NOMEM;
    enum kan_err err = law_store_add(&space->store, buffer_slice(&space->saved),
                                     node, &is_new);
    if (err == KAN_OK && is_new && node->depth > space->depth)
        space->depth = node->depth;
    return err;
}

static bool take(struct law_space *space, uint32_t step, const void *before,
                 const struct program_input *input, void *after)
{
    struct program_refusal refusal;

    space->steps++;
    if (program_take(space->program, step, before, space->arguments, input,
                     after, &refusal) == KAN_OK) {
        space->seen[step].taken = true;
        return true;
    }
    if (refusal.kind == PROGRAM_INVARIANT)
        space->seen[step].invariant = refusal.name;
    return false;
}

/* The i-th of repeated steps has led from after to spare: go there. */
static void go_on(struct law_space *space, struct law_node *node,
                  int64_t now_ms)
{
    size_t size = program_state_size(space->program);

    memcpy(space->prior, space->after, size);
    space->prior_ms = node->now_ms;
    memcpy(space->after, space->spare, size);
    node->move.times++;
    node->now_ms = now_ms;
}

/* From after, with these arguments, to spare; false: refused, or no change. */
static bool take_again(struct law_space *space, uint32_t step,
                       const struct program_input *input)
{
    space->leaps_left -= space->leaps_left > 0;
    return take(space, step, space->after, input, space->spare) &&
           memcmp(space->after, space->spare,
                  program_state_size(space->program)) != 0;
}

/* Go on with the step that has led from before to after until it is refused or
 * changes nothing more. node.move.times counts. */
static void repeat(struct law_space *space, struct law_node *node)
{
    struct law_seen *seen = &space->seen[node->move.step];
    bool more = space->leaps_left > 0;

    while (more && space->leaps_left > 0 && node->move.times < REPEATS_MAX &&
           !law_space_stopped(space)) {
        struct program_input input =
            law_space_input(node->now_ms, node->move.times, 0);
        more = take_again(space, node->move.step, &input);
        if (more)
            go_on(space, node, input.now_ms);
    }
    seen->ended |= !more && space->leaps_left > 0;
    seen->cut |= more;
}

/* Whether it is of use to repeat this way of a step: not when another one came
 * to an end, and this did not. */
static bool is_hopeful(const struct law_space *space, uint32_t step,
                       uint32_t way)
{
    const struct law_seen *seen = &space->seen[step];

    return !seen->ended || way >= 64 || !(seen->hopeless >> way & 1);
}

/* Take the step from before to after, at most `times` times, each with other
 * elements; those that are refused are passed over. */
static void repeat_varied(struct law_space *space, struct law_node *node,
                          uint32_t times)
{
    uint32_t step = node->move.step;
    uint32_t misses = 0;

    memcpy(space->after, space->before, program_state_size(space->program));
    node->move.times = 0;
    for (uint32_t k = 1; node->move.times < times && misses < LAW_VARY_MISSES;
         k++) {
        struct program_input input = law_space_input(node->now_ms, k, 0);
        law_space_arguments(space, step, node->move.number, space->arguments);
        if (!law_vary(space->program, step, space->kinds, k, space->arguments))
            break;
        bool taken = take_again(space, step, &input);
        misses = taken ? 0 : misses + 1;
        if (taken)
            go_on(space, node, input.now_ms);
    }
}

/* Keep where repeating led, and the state before: there two steps may each be
 * taken, and not both. */
static enum kan_err keep_leap(struct law_space *space, struct law_node node)
{
    enum kan_err err = keep(space, space->after, &node);

    if (err || node.move.times < 2)
        return err;
    node.move.times--;
    node.now_ms = space->prior_ms;
    return keep(space, space->prior, &node);
}

/* Take one step in one way; and, leaping, as often as it goes. */
static enum kan_err try_step(struct law_space *space, uint32_t from,
                             struct law_move move, uint32_t way, bool leap)
{
    struct law_node parent = space->store.nodes[from];
    struct program_input input =
        law_space_input(parent.now_ms, parent.depth + 1, move.extra);
    struct law_node node = {.parent = from,
                            .depth = parent.depth + 1,
                            .now_ms = input.now_ms,
                            .move = move};

    law_space_arguments(space, move.step, move.number, space->arguments);
    if (!take(space, move.step, space->before, &input, space->after))
        return KAN_OK;
    enum kan_err err = keep(space, space->after, &node);
    if (err || !leap || !is_hopeful(space, move.step, way))
        return err;
    repeat(space, &node);
    if (node.move.times == REPEATS_MAX && way < 64)
        space->seen[move.step].hopeless |= UINT64_C(1) << way;
    return node.move.times > 1 ? keep_leap(space, node) : KAN_OK;
}

/* Whether the elements among the arguments of this way are the first ones: one
 * way of those that vary to the same. */
static bool is_first(struct law_space *space, uint32_t step, uint64_t number)
{
    uint32_t type = program_step(space->program, step).arguments;
    uint32_t count = program_type(space->program, type)->member_count;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t of = program_member(space->program, type, i).type;
        uint32_t values =
            law_boundary_count(space->program, of, space->arguments);
        bool varies =
            space->kinds >> program_type(space->program, of)->kind & 1;
        if (varies && number % values != 0)
            return false;
        number /= values;
    }
    return true;
}

/* Fill what there is to be filled, with one step. */
static enum kan_err try_varied(struct law_space *space, uint32_t from,
                               uint32_t step)
{
    struct law_node parent = space->store.nodes[from];
    const struct law_ways *ways = &space->ways[step];
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < ways->ways && err == KAN_OK; i++) {
        struct law_move move = {.step = step,
                                .number = law_ways_number(ways, i),
                                .extra = MOVE_VARIED};
        struct law_node node = {.parent = from,
                                .depth = parent.depth + 1,
                                .now_ms = parent.now_ms,
                                .move = move};
        if (space->leaps_left == 0 || law_space_stopped(space))
            return KAN_OK;
        if (!is_first(space, step, move.number))
            continue;
        repeat_varied(space, &node, LAW_VARY_MAX);
        if (node.move.times > 0)
            err = keep_leap(space, node);
    }
    return err;
}

/* How a node's moves are taken. */
enum pace
{
    STEPWISE,
    FILLING, /* and with other elements */
    LEAPING  /* and over and over, too */
};

static enum kan_err expand(struct law_space *space, uint32_t node,
                           enum pace pace)
{
    enum kan_err err = KAN_OK;

    law_space_load(space, node, space->before);
    for (uint32_t step = 0; step < space->step_count; step++) {
        const struct law_ways *ways = &space->ways[step];
        for (uint32_t i = 0; i < ways->ways * space->inputs; i++) {
            struct law_move move = {
                .step = step,
                .times = 1,
                .number = law_ways_number(ways, i / space->inputs),
                .extra = i % space->inputs,
            };
            err = try_step(space, node, move, i / space->inputs,
                           pace == LEAPING && move.extra == 0);
            if (err || law_space_stopped(space))
                return err;
        }
        if (pace != STEPWISE && law_varies(space->program, step, space->kinds))
            err = try_varied(space, node, step);
        if (err)
            return err;
    }
    return err;
}

/* Expand the nodes before `end`, from *next on, until the store is full. */
static enum kan_err walk_from(struct law_space *space, uint32_t *next,
                              uint32_t end, enum pace pace)
{
    enum kan_err err = KAN_OK;

    while (err == KAN_OK && *next < space->store.count && *next < end &&
           !space->stopped && !space->store.full) {
        if (space->store.nodes[*next].depth >= space->budget.depth_max)
            space->shallow = true;
        else
            err = expand(space, *next, pace);
        (*next)++;
    }
    space->trimmed |= space->shallow || space->store.full;
    return err;
}

enum kan_err law_space_walk(struct law_space *space)
{
    struct law_node root = {.parent = LAW_NO_NODE,
                            .now_ms = BEGIN_S * INT64_C(1000)};
    uint32_t next = 0;

    program_start(space->program, space->before);
    space->store.nodes_max = space->budget.states_max / 4 * 3 + 1;
    enum kan_err err = keep(space, space->before, &root);
    if (err == KAN_OK)
        err = walk_from(space, &next, UINT32_MAX, STEPWISE);
    space->leaped = space->store.count;
    bool whole = !space->trimmed && (!space->sampled || space->kinds == 0);
    if (err || space->stopped || whole)
        return err;
    /* From the start again, now repeating; and then on from where that led. */
    enum pace pace = space->trimmed ? LEAPING : FILLING;
    space->store.full = false;
    space->store.nodes_max = space->budget.states_max + 1;
    space->leaps_left = (uint64_t)space->budget.states_max * LEAPS_A_STATE;
    next = 0;
    while (err == KAN_OK && next < space->leaped && space->leaps_left > 0 &&
           !space->store.full && !space->stopped)
        err = walk_from(space, &next, next + 1, pace);
    next = space->leaped;
    return err ? err : walk_from(space, &next, UINT32_MAX, pace);
}

struct law_walk law_space_result(const struct law_space *space)
{
    return (struct law_walk){
        .states = space->store.count,
        .steps = space->steps,
        .depth = space->depth,
        .complete = !space->trimmed && !space->sampled && !space->store.full &&
                    !space->stopped,
        .stopped = space->stopped,
    };
}

bool law_space_reached(const struct law_space *space)
{
    bool leaped = space->trimmed;

    if (space->shallow || space->stopped)
        return false;
    for (uint32_t i = 0; i < space->step_count; i++) {
        const struct law_seen *seen = &space->seen[i];
        if (!seen->ended && (seen->cut || (seen->taken && leaped)))
            return false;
    }
    return true;
}

/* --- runs ----------------------------------------------------------------- */

/* Take the move of a node again, from before to after. */
static void take_move(struct law_space *space, const struct law_node *node,
                      int64_t *now_ms)
{
    struct law_move move = node->move;
    struct law_node again = {.now_ms = *now_ms, .move = move};

    if (move.extra & MOVE_VARIED) {
        repeat_varied(space, &again, move.times);
        *now_ms = again.now_ms;
        return;
    }
    law_space_arguments(space, move.step, move.number, space->arguments);
    for (uint32_t i = 0; i < move.times; i++) {
        struct program_input input = law_space_input(
            *now_ms, i == 0 ? node->depth : i, i == 0 ? move.extra : 0);
        if (!take(space, move.step, space->before, &input, space->after))
            return; /* never: it was taken before */
        memcpy(space->before, space->after, program_state_size(space->program));
        *now_ms = input.now_ms;
    }
}

/* Take the move of a node again, from before, and say so. */
static enum kan_err run_step(struct law_space *space, struct law_run *run,
                             const struct law_node *node, int64_t *now_ms)
{
    take_move(space, node, now_ms);
    memcpy(space->before, space->after, program_state_size(space->program));
    enum kan_err err =
        law_run_took(run, space->program, node->move.step, space->arguments,
                     node->move.times, space->before);
    if (err == KAN_OK)
        law_run_last(run)->varied = (node->move.extra & MOVE_VARIED) != 0;
    return err;
}

enum kan_err law_space_run(struct law_space *space, uint32_t node,
                           struct law_run *run)
{
    uint32_t count = 0;
    int64_t now_ms = space->store.nodes[0].now_ms;

    program_start(space->program, space->before);
    enum kan_err err = law_run_begin(run, space->program, space->before, 0);
    for (uint32_t at = node; space->store.nodes[at].parent != LAW_NO_NODE;
         at = space->store.nodes[at].parent)
        count++;
    for (uint32_t left = count; err == KAN_OK && left > 0; left--) {
        uint32_t at = node;
        for (uint32_t i = 1; i < left; i++)
            at = space->store.nodes[at].parent;
        err = run_step(space, run, &space->store.nodes[at], &now_ms);
    }
    law_run_fold(run);
    return err;
}
