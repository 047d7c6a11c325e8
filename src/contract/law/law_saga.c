/* Whether an undo, or a step behind the pivot, can be refused.
 *
 * For each entity that a saga names and owes such a call, the states of (the
 * entity, where our saga is, where two others are) are walked: steps that
 * anybody may take, other sagas beginning, going on, turning round and being
 * left alone, and ours. An undo of ours that is refused is the failure looked
 * for; others' refusals are found when they are looked at. */

#include "base/alloc.h"
#include "contract/law/law_role.h"
#include "contract/law/law_run.h"
#include "contract/law/law_space.h"
#include "contract/law/law_uses.h"
#include "contract/law/law_vary.h"

enum
{
    OTHERS = 2, /* runs of sagas beside ours */
    TOKENS = OTHERS + 1,
    REPEATS_MAX = 4096,
    LEAPS_A_STATE = 20,
    STOP_EVERY = 512,
    INPUTS = 3 /* times of day, where a step looks at the time */
};

/* A state of the walk: the tokens, ours first, then the entity's bytes. */
struct place
{
    struct law_token tokens[TOKENS];
};

/* What law_move.extra says: a token's call, or a step of anybody. */
enum
{
    MOVE_CALL = 1,
    MOVE_UNDO = 2,
    MOVE_OURS = 4,
    MOVE_INPUT_SHIFT = 4,
    MOVE_INPUT_MASK = 3,
    MOVE_VARIED = 1 << 6, /* a step of anybody, with other elements each time */
    MOVE_ROLE_SHIFT = 8
};

/* The steps that anybody may take, with a few arguments each. */
struct public_step
{
    uint32_t step;
    struct law_few arguments;
};

struct watch
{
    const struct contract *contract;
    const struct program *program; /* of the entity */
    struct law_budget budget;
    struct law_few *choices; /* of each saga */
    struct law_role *roles;  /* that call an entity of this type */
    uint32_t role_count;
    uint32_t ours; /* which role */
    struct public_step *steps;
    uint32_t step_count;
    uint32_t inputs;
    struct law_store store;
    unsigned char *before;
    unsigned char *after;
    unsigned char *spare;
    unsigned char *prior; /* before the last of repeated steps */
    int64_t prior_ms;
    unsigned char *arguments;
    uint32_t kinds; /* of elements: law_vary_kinds() */
    struct buffer saved;
    uint64_t taken;
    uint64_t leaps_left;
    bool leaping; /* steps are repeated now */
    uint32_t depth;
    bool trimmed; /* not all states, or not all depths */
    bool sampled; /* not all values of a parameter */
    bool stopped;
    bool found; /* the failure: */
    uint32_t found_from;
    struct law_move found_move;
    struct law_role_call found_call;
};

void law_saga_fini(struct law_saga *result)
{
    buffer_fini(&result->values);
    law_run_fini(&result->run);
    *result = (struct law_saga){0};
}

/* --- preparing ------------------------------------------------------------ */

static void watch_fini(struct watch *watch)
{
    for (uint32_t i = 0;
         watch->choices && i < contract_saga_count(watch->contract); i++)
        law_few_fini(&watch->choices[i]);
    for (uint32_t i = 0; watch->steps && i < watch->step_count; i++)
        law_few_fini(&watch->steps[i].arguments);
    mem_free(watch->choices);
    mem_free(watch->roles);
    mem_free(watch->steps);
    mem_free(watch->before);
    mem_free(watch->after);
    mem_free(watch->spare);
    mem_free(watch->prior);
    mem_free(watch->arguments);
    law_store_fini(&watch->store);
    buffer_fini(&watch->saved);
}

static enum kan_err make_steps(struct watch *watch)
{
    uint32_t count = program_step_count(watch->program);
    enum kan_err err = KAN_OK;

    watch->steps = mem_zalloc((count + 1) * sizeof *watch->steps);
    if (!watch->steps)
        return KAN_NOMEM;
    for (uint32_t i = 0; err == KAN_OK && i < count; i++) {
        struct program_step step = program_step(watch->program, i);
        struct public_step *made = &watch->steps[watch->step_count];
        if (step.internal)
            continue;
        const struct law_few_of of = {.contract = watch->contract,
                                      .program = watch->program,
                                      .type = step.arguments,
                                      .preset = watch->arguments,
                                      .scratch = watch->spare};
        made->step = i;
        program_arguments(watch->program, i, watch->arguments);
        err = law_few_init(&made->arguments, &of);
        watch->sampled |= !made->arguments.whole;
        watch->step_count++;
    }
    return err;
}

/* All roles of all sagas that call an entity of the type. */
static enum kan_err make_roles(struct watch *watch, uint32_t type)
{
    const struct tree *tree = contract_tree(watch->contract);
    uint32_t count = contract_saga_count(watch->contract);
    struct kan_slice name = contract_type_name(watch->contract, type);
    enum kan_err err = KAN_OK;

    watch->choices = mem_zalloc(count * sizeof *watch->choices);
    watch->roles =
        mem_zalloc(count * TREE_PARAMETERS_MAX * sizeof *watch->roles);
    if (!watch->choices || !watch->roles)
        return KAN_NOMEM;
    for (uint32_t s = 0; err == KAN_OK && s < count; s++) {
        err = law_role_choices(watch->contract, s, &watch->choices[s]);
        for (uint32_t p = 0; p < tree->sagas[s].parameter_count; p++) {
            const struct tree_entity *of =
                tree->sagas[s].parameters[p].of_entity;
            struct law_role *role = &watch->roles[watch->role_count];
            if (!of || !slice_equal(of->name.text, name))
                continue;
            law_role_init(role, watch->contract, s, p, &watch->choices[s]);
            if (!law_role_calls(role))
                continue;
            watch->role_count++;
            watch->sampled |= !watch->choices[s].whole;
        }
    }
    return err;
}

static enum kan_err watch_init(struct watch *watch,
                               const struct contract *contract, uint32_t type,
                               const struct law_budget *budget)
{
    size_t scratch = law_scratch_size(contract);
    const struct tree_entity *entity = tree_entity(
        contract_tree(contract), contract_type_name(contract, type), 0);

    *watch = (struct watch){
        .contract = contract,
        .program = contract_program(contract, type, 0),
        .budget = law_budget_whole(budget),
        .inputs = entity && law_uses_now(entity) ? INPUTS : 1,
        .sampled = entity && (law_uses_now(entity) || law_uses_id(entity)),
    };
    watch->kinds = law_vary_kinds(watch->program);
    watch->store.bytes_max = watch->budget.bytes_max;
    watch->before = mem_zalloc(scratch);
    watch->after = mem_zalloc(scratch);
    watch->spare = mem_zalloc(scratch);
    watch->prior = mem_zalloc(scratch);
    watch->arguments = mem_zalloc(scratch);
    if (!watch->before || !watch->after || !watch->spare || !watch->prior ||
        !watch->arguments)
        return KAN_NOMEM;
    enum kan_err err = make_steps(watch);
    return err ? err : make_roles(watch, type);
}

/* --- states --------------------------------------------------------------- */

/* Others are alike: which of them is called first does not matter. */
static void sort_others(struct place *place)
{
    struct law_token swap = place->tokens[1];

    if (memcmp(&place->tokens[1], &place->tokens[2], sizeof swap) <= 0)
        return;
    place->tokens[1] = place->tokens[2];
    place->tokens[2] = swap;
}

static enum kan_err keep(struct watch *watch, struct place place,
                         const void *state, const struct law_node *node)
{
    bool is_new;

    sort_others(&place);
    buffer_clear(&watch->saved);
    buffer_append(&watch->saved, kan_slice(&place, sizeof place));
    program_save(watch->program, 0, state, &watch->saved);
    if (buffer_failed(&watch->saved))
        return KAN_NOMEM;
    enum kan_err err = law_store_add(&watch->store, buffer_slice(&watch->saved),
                                     node, &is_new);
    if (err == KAN_OK && is_new && node->depth > watch->depth)
        watch->depth = node->depth;
    return err;
}

static void load(const struct watch *watch, uint32_t node,
                 struct place *ret_place, void *state)
{
    struct kan_slice bytes = law_store_state(&watch->store, node);

    memcpy(ret_place, bytes.bytes, sizeof *ret_place);
    bytes = slice_skip(bytes, sizeof *ret_place);
    memset(state, 0, program_state_size(watch->program));
    if (program_load(watch->program, 0, &bytes, state) != KAN_OK)
        program_start(watch->program, state); /* never: the walk saved it */
}

static bool is_stopped(struct watch *watch)
{
    if (!watch->stopped && watch->budget.stop &&
        watch->taken % STOP_EVERY == 0 &&
        watch->budget.stop(watch->budget.data))
        watch->stopped = true;
    return watch->stopped || watch->found;
}

static bool take(struct watch *watch, uint32_t step, const void *before,
                 const struct program_input *input, void *after)
{
    struct program_refusal refusal;

    watch->taken++;
    return program_take(watch->program, step, before, watch->arguments, input,
                        after, &refusal) == KAN_OK;
}

/* --- moves ---------------------------------------------------------------- */

static const struct law_few *arguments_of(const struct watch *watch,
                                          uint32_t step)
{
    for (uint32_t i = 0; i < watch->step_count; i++) {
        if (watch->steps[i].step == step)
            return &watch->steps[i].arguments;
    }
    return NULL;
}

/* Lay out the arguments of a move. false: they are out of range, which the
 * choice of parameters excludes. */
static bool fill_arguments(struct watch *watch, const struct law_move *move)
{
    struct buffer why = BUFFER_INIT;
    const struct law_role *role;
    enum kan_err err;

    if (!(move->extra & MOVE_CALL)) {
        const struct law_few *few = arguments_of(watch, move->step);
        memcpy(watch->arguments, law_few_at(few, (uint32_t)move->number),
               program_type(watch->program,
                            program_step(watch->program, move->step).arguments)
                   ->size);
        return true;
    }
    role = &watch->roles[move->extra >> MOVE_ROLE_SHIFT];
    err = contract_saga_arguments(
        watch->contract, role->saga, (uint32_t)(move->number & 255),
        move->extra & MOVE_UNDO,
        law_few_at(role->choices, (uint32_t)(move->number >> 8)),
        watch->arguments, &why);
    buffer_fini(&why);
    return err == KAN_OK;
}

static struct program_input move_input(const struct law_node *parent,
                                       const struct law_move *move)
{
    return law_space_input(parent->now_ms, parent->depth + 1,
                           (move->extra >> MOVE_INPUT_SHIFT) & MOVE_INPUT_MASK);
}

/* Take a step from after, with these arguments; false: it is refused, or it
 * changes nothing. */
static bool take_again(struct watch *watch, struct law_node *node,
                       const struct program_input *input)
{
    size_t size = program_state_size(watch->program);

    watch->leaps_left -= watch->leaps_left > 0;
    if (!take(watch, node->move.step, watch->after, input, watch->spare) ||
        memcmp(watch->after, watch->spare, size) == 0)
        return false;
    memcpy(watch->prior, watch->after, size);
    memcpy(watch->after, watch->spare, size);
    watch->prior_ms = node->now_ms;
    node->now_ms = input->now_ms;
    node->move.times++;
    return true;
}

/* Keep where repeating led, and the state before: there is room for one more,
 * which may be ours. */
static enum kan_err keep_leap(struct watch *watch, const struct place *place,
                              struct law_node node)
{
    enum kan_err err = keep(watch, *place, watch->after, &node);

    if (err || node.move.times < 2)
        return err;
    node.move.times--;
    node.now_ms = watch->prior_ms;
    return keep(watch, *place, watch->prior, &node);
}

/* Go on with the step that has led to after until it is refused or changes
 * nothing more. */
static void repeat(struct watch *watch, struct law_node *node)
{
    bool more = true;

    while (more && watch->leaps_left > 0 && node->move.times < REPEATS_MAX) {
        struct program_input input =
            law_space_input(node->now_ms, node->move.times, 0);
        more = take_again(watch, node, &input);
    }
}

/* A step that anybody may take; leaping, over and over too. */
static enum kan_err move_public(struct watch *watch, uint32_t from,
                                const struct place *place, struct law_move move,
                                bool leap)
{
    struct law_node parent = watch->store.nodes[from];
    struct program_input input = move_input(&parent, &move);
    struct law_node node = {.parent = from,
                            .depth = parent.depth + 1,
                            .now_ms = input.now_ms,
                            .move = move};

    (void)fill_arguments(watch, &move);
    if (!take(watch, move.step, watch->before, &input, watch->after))
        return KAN_OK;
    enum kan_err err = keep(watch, *place, watch->after, &node);
    if (err || !leap)
        return err;
    repeat(watch, &node);
    return node.move.times > 1 ? keep_leap(watch, place, node) : KAN_OK;
}

/* Take the step from before to after, at most `times` times, each with other
 * elements; those that are refused are passed over. */
static void repeat_varied(struct watch *watch, struct law_node *node,
                          uint32_t times)
{
    uint32_t misses = 0;

    memcpy(watch->after, watch->before, program_state_size(watch->program));
    node->move.times = 0;
    for (uint32_t k = 1; node->move.times < times && misses < LAW_VARY_MISSES;
         k++) {
        struct program_input input = law_space_input(node->now_ms, k, 0);
        (void)fill_arguments(watch, &node->move);
        if (!law_vary(watch->program, node->move.step, watch->kinds, k,
                      watch->arguments))
            break;
        misses = take_again(watch, node, &input) ? 0 : misses + 1;
    }
}

/* Fill what there is to be filled, with one step of anybody's. */
static enum kan_err move_varied(struct watch *watch, uint32_t from,
                                const struct place *place,
                                const struct public_step *step)
{
    struct law_node parent = watch->store.nodes[from];
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < step->arguments.count && err == KAN_OK; i++) {
        struct law_node node = {
            .parent = from,
            .depth = parent.depth + 1,
            .now_ms = parent.now_ms,
            .move = {.step = step->step, .number = i, .extra = MOVE_VARIED}};
        if (watch->leaps_left == 0 || is_stopped(watch))
            return KAN_OK;
        if (!law_vary_same(watch->program, step->step, watch->kinds,
                           law_few_at(&step->arguments, 0),
                           law_few_at(&step->arguments, i)))
            continue;
        repeat_varied(watch, &node, LAW_VARY_MAX);
        if (node.move.times > 0)
            err = keep_leap(watch, place, node);
    }
    return err;
}

/* One call of the token at `slot`, which may be a new one. */
static enum kan_err move_call(struct watch *watch, uint32_t from,
                              const struct place *place, uint32_t slot,
                              struct law_token token,
                              const struct law_role_call *call,
                              uint32_t input_number)
{
    struct law_node parent = watch->store.nodes[from];
    bool ours = slot == 0;
    struct law_move move = {
        .step = call->call.step,
        .times = 1,
        .number = (uint64_t)token.choice << 8 | call->saga_step,
        .extra = MOVE_CALL | (call->undo ? MOVE_UNDO : 0u) |
                 (ours ? MOVE_OURS : 0u) | input_number << MOVE_INPUT_SHIFT |
                 (uint32_t)token.role << MOVE_ROLE_SHIFT,
    };
    struct program_input input = move_input(&parent, &move);
    struct law_node node = {.parent = from,
                            .depth = parent.depth + 1,
                            .now_ms = input.now_ms,
                            .move = move};
    struct place next = *place;

    if (!fill_arguments(watch, &move))
        return KAN_OK;
    if (!take(watch, move.step, watch->before, &input, watch->after)) {
        if (ours && call->must) {
            watch->found = true;
            watch->found_from = from;
            watch->found_move = move;
            watch->found_call = *call;
        }
        return KAN_OK;
    }
    next.tokens[slot] = call->after;
    if (ours && call->after.mode == LAW_ROLE_NONE)
        return KAN_OK; /* ours is over: nothing can go wrong any more */
    enum kan_err err = keep(watch, next, watch->after, &node);
    /* A saga that begins and ends with one call here may come any number of
     * times. */
    if (err || !watch->leaping || input_number > 0 ||
        call->after.mode != LAW_ROLE_NONE ||
        place->tokens[slot].mode != LAW_ROLE_NONE)
        return err;
    repeat(watch, &node);
    return node.move.times > 1 ? keep_leap(watch, place, node) : KAN_OK;
}

static enum kan_err move_token(struct watch *watch, uint32_t from,
                               const struct place *place, uint32_t slot,
                               struct law_token token)
{
    struct law_role_call calls[LAW_ROLE_CALLS_MAX];
    uint32_t count = law_role_next(&watch->roles[token.role], token, calls);
    enum kan_err err = KAN_OK;

    for (uint32_t i = 0; i < count * watch->inputs; i++) {
        err = move_call(watch, from, place, slot, token,
                        &calls[i / watch->inputs], i % watch->inputs);
        if (err || is_stopped(watch))
            return err;
    }
    return err;
}

/* What the token at a slot can do; when there is none, what a new one can. */
static enum kan_err move_slot(struct watch *watch, uint32_t from,
                              const struct place *place, uint32_t slot)
{
    enum kan_err err = KAN_OK;

    if (place->tokens[slot].mode != LAW_ROLE_NONE)
        return move_token(watch, from, place, slot, place->tokens[slot]);
    if (slot == 2 && place->tokens[1].mode == LAW_ROLE_NONE)
        return KAN_OK; /* the same as a new one at slot 1 */
    for (uint32_t r = 0; r < watch->role_count; r++) {
        if (slot == 0 && r != watch->ours)
            continue;
        for (uint32_t c = 0; c < watch->roles[r].choices->count; c++) {
            struct law_token token = {.role = (uint16_t)r,
                                      .choice = (uint16_t)c,
                                      .mode = LAW_ROLE_FORWARD};
            err = move_token(watch, from, place, slot, token);
            if (err || is_stopped(watch))
                return err;
        }
    }
    return err;
}

/* How moves are taken. */
enum pace
{
    STEPWISE,
    FILLING, /* and with other elements */
    LEAPING  /* and over and over, too */
};

static enum kan_err move_anybody(struct watch *watch, uint32_t from,
                                 const struct place *place, enum pace pace)
{
    enum kan_err err = KAN_OK;

    for (uint32_t s = 0; err == KAN_OK && s < watch->step_count; s++) {
        const struct public_step *step = &watch->steps[s];
        uint32_t ways = step->arguments.count * watch->inputs;
        for (uint32_t i = 0; err == KAN_OK && i < ways; i++) {
            struct law_move move = {
                .step = step->step,
                .times = 1,
                .number = i / watch->inputs,
                .extra = i % watch->inputs << MOVE_INPUT_SHIFT,
            };
            if (is_stopped(watch))
                return err;
            err = move_public(watch, from, place, move,
                              pace == LEAPING && i % watch->inputs == 0);
        }
        if (err == KAN_OK && pace != STEPWISE &&
            law_varies(watch->program, step->step, watch->kinds))
            err = move_varied(watch, from, place, step);
    }
    return err;
}

static enum kan_err expand(struct watch *watch, uint32_t from, enum pace pace)
{
    struct place place;
    enum kan_err err;

    watch->leaping = pace == LEAPING;
    load(watch, from, &place, watch->before);
    err = move_anybody(watch, from, &place, pace);
    for (uint32_t slot = 0; slot < TOKENS && err == KAN_OK; slot++) {
        if (!is_stopped(watch))
            err = move_slot(watch, from, &place, slot);
    }
    return err;
}

/* --- walking -------------------------------------------------------------- */

static enum kan_err expand_one(struct watch *watch, uint32_t node,
                               enum pace pace)
{
    if (watch->store.nodes[node].depth < watch->budget.depth_max)
        return expand(watch, node, pace);
    watch->trimmed = true;
    return KAN_OK;
}

static enum kan_err walk_from(struct watch *watch, uint32_t next,
                              enum pace pace)
{
    enum kan_err err = KAN_OK;

    /* When the store is full, what was kept is still looked at: a refusal needs
     * no room. */
    for (; err == KAN_OK && next < watch->store.count && !is_stopped(watch);
         next++)
        err = expand_one(watch, next, pace);
    watch->trimmed |= watch->store.full;
    return err;
}

/* As law_space_walk(): first all, then, when that is not all there is, with
 * steps that are repeated until they are refused. */
static enum kan_err walk_all(struct watch *watch)
{
    const struct place nobody = {0};
    struct law_node root = {.parent = LAW_NO_NODE,
                            .now_ms = law_space_input(0, 0, 0).now_ms};

    program_start(watch->program, watch->before);
    watch->store.nodes_max = watch->budget.states_max / 4 * 3 + 1;
    enum kan_err err = keep(watch, nobody, watch->before, &root);
    if (err == KAN_OK)
        err = walk_from(watch, 0, STEPWISE);
    bool whole = !watch->trimmed && (!watch->sampled || watch->kinds == 0);
    if (err || is_stopped(watch) || whole)
        return err;
    uint32_t first = watch->store.count;
    enum pace pace = watch->trimmed ? LEAPING : FILLING;
    watch->store.nodes_max = watch->budget.states_max + 1;
    watch->store.full = false;
    watch->leaps_left = (uint64_t)watch->budget.states_max * LEAPS_A_STATE;
    for (uint32_t i = 0; err == KAN_OK && i < first && watch->leaps_left > 0 &&
                         !watch->store.full && !is_stopped(watch);
         i++)
        err = expand_one(watch, i, pace);
    return err ? err : walk_from(watch, first, pace);
}

/* --- the run that shows it ------------------------------------------------ */

static void mark(struct law_run *run, const struct law_move *move)
{
    law_run_last(run)->ours = (move->extra & MOVE_OURS) != 0;
    law_run_last(run)->undo =
        (move->extra & MOVE_UNDO) != 0 && law_run_last(run)->ours;
}

/* Take the move of a node again, from before to after. */
static void take_move(struct watch *watch, const struct law_node *node)
{
    struct law_node parent = watch->store.nodes[node->parent];
    struct program_input input = move_input(&parent, &node->move);
    struct law_node again = {.now_ms = parent.now_ms, .move = node->move};

    if (node->move.extra & MOVE_VARIED) {
        repeat_varied(watch, &again, node->move.times);
        return;
    }
    (void)fill_arguments(watch, &node->move);
    for (uint32_t i = 0; i < node->move.times; i++) {
        if (i > 0)
            input = law_space_input(input.now_ms, i, 0);
        if (!take(watch, node->move.step, watch->before, &input, watch->after))
            return; /* never: it was taken before */
        memcpy(watch->before, watch->after, program_state_size(watch->program));
    }
}

/* Take the move of a node again, from before, and say so. */
static enum kan_err run_step(struct watch *watch, struct law_run *run,
                             uint32_t number)
{
    const struct law_node *node = &watch->store.nodes[number];

    take_move(watch, node);
    memcpy(watch->before, watch->after, program_state_size(watch->program));
    enum kan_err err =
        law_run_took(run, watch->program, node->move.step, watch->arguments,
                     node->move.times, watch->before);
    if (err)
        return err;
    mark(run, &node->move);
    law_run_last(run)->varied = (node->move.extra & MOVE_VARIED) != 0;
    return KAN_OK;
}

static enum kan_err run_path(struct watch *watch, struct law_run *run,
                             uint32_t node)
{
    uint32_t count = 0;

    program_start(watch->program, watch->before);
    enum kan_err err = law_run_begin(run, watch->program, watch->before, 0);
    for (uint32_t at = node; watch->store.nodes[at].parent != LAW_NO_NODE;
         at = watch->store.nodes[at].parent)
        count++;
    for (uint32_t left = count; err == KAN_OK && left > 0; left--) {
        uint32_t at = node;
        for (uint32_t i = 1; i < left; i++)
            at = watch->store.nodes[at].parent;
        err = run_step(watch, run, at);
    }
    law_run_fold(run);
    return err;
}

static enum kan_err show_failure(struct watch *watch, struct law_saga *result)
{
    const struct law_role *role = &watch->roles[watch->ours];
    struct contract_saga told = contract_saga(watch->contract, role->saga);
    struct law_node parent = watch->store.nodes[watch->found_from];
    struct law_move move = watch->found_move;
    struct program_input input = move_input(&parent, &move);
    struct program_refusal refusal = {.kind = PROGRAM_GUARD};
    enum kan_err err = run_path(watch, &result->run, watch->found_from);

    result->verdict = LAW_FAILS;
    result->step = watch->found_call.saga_step;
    result->undo = watch->found_call.undo;
    result->type = watch->found_call.call.type;
    result->parameter = role->parameter;
    program_json(told.values, told.parameters,
                 law_few_at(role->choices, (uint32_t)(move.number >> 8)),
                 &result->values);
    if (err == KAN_OK && buffer_failed(&result->values))
        err = KAN_NOMEM;
    if (err)
        return err;
    (void)fill_arguments(watch, &move);
    if (program_take(watch->program, move.step, watch->before, watch->arguments,
                     &input, watch->after, &refusal) == KAN_OK)
        return KAN_OK; /* never: it was refused before */
    err = law_run_refused(&result->run, watch->program, move.step,
                          watch->arguments, &refusal);
    if (err == KAN_OK)
        mark(&result->run, &move);
    return err;
}

/* --- one saga ------------------------------------------------------------- */

/* The walk for one entity that the saga names. */
static enum kan_err check_role(struct watch *watch, uint32_t ours,
                               struct law_saga *result)
{
    enum kan_err err;

    watch->ours = ours;
    err = walk_all(watch);
    result->walk.states += watch->store.count;
    result->walk.steps += watch->taken;
    if (watch->depth > result->walk.depth)
        result->walk.depth = watch->depth;
    result->walk.stopped |= watch->stopped;
    result->walk.complete &= !watch->trimmed && !watch->sampled &&
                             !watch->store.full && !watch->stopped;
    if (err == KAN_OK && watch->found)
        err = show_failure(watch, result);
    return err;
}

static enum kan_err check_parameter(const struct contract *contract,
                                    uint32_t saga, uint32_t parameter,
                                    const struct law_budget *budget,
                                    struct law_saga *result)
{
    const struct tree_entity *of =
        contract_tree(contract)->sagas[saga].parameters[parameter].of_entity;
    struct watch watch;
    int32_t type = of ? contract_type_find(contract, of->name.text) : -1;

    if (type < 0)
        return KAN_OK;
    enum kan_err err = watch_init(&watch, contract, (uint32_t)type, budget);
    for (uint32_t r = 0; err == KAN_OK && r < watch.role_count; r++) {
        if (watch.roles[r].saga == saga &&
            watch.roles[r].parameter == parameter &&
            law_role_owes(&watch.roles[r]))
            err = check_role(&watch, r, result);
    }
    watch_fini(&watch);
    return err;
}

enum kan_err law_saga_check(const struct contract *contract, uint32_t saga,
                            const struct law_budget *budget,
                            struct law_saga *ret_result)
{
    uint32_t count = contract_tree(contract)->sagas[saga].parameter_count;
    struct law_saga result = {.verdict = LAW_HOLDS, .walk.complete = true};
    enum kan_err err = KAN_OK;

    for (uint32_t p = 0; p < count && err == KAN_OK; p++) {
        if (result.verdict == LAW_HOLDS && !result.walk.stopped)
            err = check_parameter(contract, saga, p, budget, &result);
    }
    if (err)
        law_saga_fini(&result);
    else
        *ret_result = result;
    return err;
}
