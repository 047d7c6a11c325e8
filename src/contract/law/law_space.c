/* The walk over the states of one type. See law_space.h. */

#include "contract/law/law_space.h"

#include "base/alloc.h"
#include "contract/law/law_run.h"
#include "contract/law/law_uses.h"

enum
{
    STATES_MAX = 20000,
    DEPTH_MAX = 64,
    ARGUMENTS_MAX = 256,
    BYTES_MAX = 64 << 20,
    REPEATS_MAX = 4096,  /* of one step, in one move */
    LEAPS_A_STATE = 20,  /* steps within such moves, for each state allowed */
    STOP_EVERY = 512,    /* steps between two questions whether to stop */
    BEGIN_S = 1700000000 /* the time at which runs begin, s since 1970 */
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
    space->arguments = mem_zalloc(space->argument_max);
    space->ways = mem_zalloc((space->step_count + 1) * sizeof *space->ways);
    space->seen = mem_zalloc((space->step_count + 1) * sizeof *space->seen);
    return space->before && space->after && space->spare && space->arguments &&
                   space->ways && space->seen
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
    space->store.bytes_max = space->budget.bytes_max;
    enum kan_err err = make_scratch(space);
    for (uint32_t i = 0; err == KAN_OK && i < space->step_count; i++) {
        space->ways[i] = count_ways(space, i);
        space->trimmed |= space->ways[i].ways < space->ways[i].total;
    }
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

/* Go on with the step that has led from before to after until it is refused or
 * changes nothing more. node.move.times counts. */
static void repeat(struct law_space *space, struct law_node *node)
{
    size_t size = program_state_size(space->program);

    while (space->leaps_left > 0 && node->move.times < REPEATS_MAX &&
           !law_space_stopped(space)) {
        struct program_input input =
            law_space_input(node->now_ms, node->move.times, 0);
        space->leaps_left--;
        if (!take(space, node->move.step, space->after, &input, space->spare) ||
            memcmp(space->after, space->spare, size) == 0)
            break;
        memcpy(space->after, space->spare, size);
        node->move.times++;
        node->now_ms = input.now_ms;
    }
}

/* Take one step in one way; and, leaping, as often as it goes. */
static enum kan_err try_step(struct law_space *space, uint32_t from,
                             struct law_move move, bool leap)
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
    if (err || !leap)
        return err;
    repeat(space, &node);
    return node.move.times > 1 ? keep(space, space->after, &node) : KAN_OK;
}

static enum kan_err expand(struct law_space *space, uint32_t node, bool leap)
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
            err = try_step(space, node, move, leap && move.extra == 0);
            if (err || law_space_stopped(space))
                return err;
        }
    }
    return err;
}

/* Expand nodes from *next on, until there are none or the store is full. */
static enum kan_err walk_from(struct law_space *space, uint32_t *next,
                              bool leap)
{
    enum kan_err err = KAN_OK;

    while (err == KAN_OK && *next < space->store.count && !space->stopped &&
           !space->store.full) {
        if (space->store.nodes[*next].depth >= space->budget.depth_max)
            space->trimmed = true;
        else
            err = expand(space, *next, leap);
        (*next)++;
    }
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
        err = walk_from(space, &next, false);
    space->leaped = space->store.count;
    if (err || space->stopped || !space->store.full)
        return err;
    /* From the start again, now repeating; and then on from where that led. */
    space->trimmed = true;
    space->store.full = false;
    space->store.nodes_max = space->budget.states_max + 1;
    space->leaps_left = (uint64_t)space->budget.states_max * LEAPS_A_STATE;
    for (uint32_t i = 0;
         err == KAN_OK && i < space->leaped && space->leaps_left > 0 &&
         !space->store.full && !space->stopped;
         i++)
        err = expand(space, i, true);
    next = space->leaped;
    return err ? err : walk_from(space, &next, true);
}

struct law_walk law_space_result(const struct law_space *space)
{
    return (struct law_walk){
        .states = space->store.count,
        .steps = space->steps,
        .depth = space->depth,
        .complete = !space->trimmed && !space->store.full && !space->stopped,
        .stopped = space->stopped,
    };
}

/* --- runs ----------------------------------------------------------------- */

/* Take the move of a node again, from before, and say so. */
static enum kan_err run_step(struct law_space *space, struct law_run *run,
                             const struct law_node *node, int64_t *now_ms)
{
    size_t size = program_state_size(space->program);
    struct law_move move = node->move;

    law_space_arguments(space, move.step, move.number, space->arguments);
    for (uint32_t i = 0; i < move.times; i++) {
        struct program_input input = law_space_input(
            *now_ms, i == 0 ? node->depth : i, i == 0 ? move.extra : 0);
        if (!take(space, move.step, space->before, &input, space->after))
            break; /* never: it was taken before */
        memcpy(space->before, space->after, size);
        *now_ms = input.now_ms;
    }
    return law_run_took(run, space->program, move.step, space->arguments,
                        move.times, space->before);
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
    return err;
}
