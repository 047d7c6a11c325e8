/* Whether callers of one version keep working on the next.
 *
 * From each state of the old version that is walked, the old step is taken
 * beside what really happens to such a caller: the state carried up, the new
 * step of that name with the caller's arguments and the new defaults, and the
 * answer carried down. Then random runs, for what boundary values miss. */

#include "base/alloc.h"
#include "contract/law/law_run.h"
#include "contract/law/law_space.h"

enum
{
    RANDOM_RUNS = 100,
    RANDOM_STEPS = 40
};

struct pair
{
    const struct contract *contract;
    uint32_t type;
    uint32_t from;
    struct law_space old;
    const struct program *program; /* of the new version */
    struct law_compat *results;
    int32_t *steps;          /* the new step of each old one; -1: none */
    unsigned char *carried;  /* up: the state in the new version */
    unsigned char *taken;    /* behind the new step */
    unsigned char *answered; /* down again */
    unsigned char *arguments;
    uint64_t chance; /* of random runs */
};

/* What the old caller saw, beside what it would have seen. */
struct outcome
{
    enum law_compat_kind kind;
    struct buffer why;
};

/* --- the arguments -------------------------------------------------------- */

/* Read the old caller's arguments as the new step does. KAN_INVALID with the
 * reason. */
static enum kan_err carry_arguments(struct pair *pair, uint32_t step,
                                    struct buffer *why)
{
    const struct program *old = pair->old.program;
    uint32_t new_step = (uint32_t)pair->steps[step];
    struct json_tree tree = {0};
    struct buffer text = BUFFER_INIT;

    program_json(old, program_step(old, step).arguments, pair->old.arguments,
                 &text);
    program_arguments(pair->program, new_step, pair->arguments);
    enum kan_err err = buffer_failed(&text)
                           ? KAN_NOMEM
                           : json_parse(buffer_slice(&text), NULL, &tree);
    if (err == KAN_OK)
        err = program_read_json(pair->program,
                                program_step(pair->program, new_step).arguments,
                                &tree, tree.nodes, pair->arguments, why);
    json_fini(&tree);
    buffer_fini(&text);
    return err;
}

/* --- one call ------------------------------------------------------------- */

static void say_refusal(const struct program *program, uint32_t step,
                        const struct program_refusal *refusal, const char *who,
                        struct buffer *why)
{
    buffer_append_text(why, who);
    program_refusal_text(program, refusal, step, why);
}

/* Name the fields in which the two old states differ. */
static void say_difference(const struct pair *pair, const void *expected,
                           struct buffer *why)
{
    const struct program *old = pair->old.program;
    const unsigned char *a = expected;
    const char *comma = "";

    for (uint32_t i = 0; i < program_type(old, 0)->member_count; i++) {
        struct program_member member = program_member(old, 0, i);
        if (memcmp(a + member.offset, pair->answered + member.offset,
                   program_type(old, member.type)->size) == 0)
            continue;
        buffer_append_text(why, comma);
        buffer_append(why, member.name);
        buffer_append_text(why, " would be ");
        program_json(old, member.type, a + member.offset, why);
        buffer_append_text(why, " and is ");
        program_json(old, member.type, pair->answered + member.offset, why);
        comma = ", ";
    }
}

/* Both took the step: the old one led to old.after, the new one to taken. */
static void compare_states(struct pair *pair, const struct program_input *input,
                           struct outcome *outcome)
{
    struct program_refusal refusal = {.kind = PROGRAM_OK};
    size_t size = program_state_size(pair->old.program);

    memset(pair->answered, 0, size);
    if (contract_down(pair->contract, pair->type, pair->from, pair->taken,
                      input, pair->answered, &refusal) != KAN_OK) {
        outcome->kind = LAW_NO_WAY_BACK;
        buffer_append_text(&outcome->why,
                           "the state behind it cannot be carried down");
    } else if (memcmp(pair->answered, pair->old.after, size) != 0) {
        outcome->kind = LAW_DIFFERS;
        say_difference(pair, pair->old.after, &outcome->why);
    }
}

/* One old step, with old.arguments, from old.before (carried up already). */
static enum kan_err compare_call(struct pair *pair, uint32_t step,
                                 const struct program_input *input,
                                 struct outcome *outcome, bool *ret_taken)
{
    uint32_t new_step = (uint32_t)pair->steps[step];
    struct program_refusal old = {.kind = PROGRAM_OK};
    struct program_refusal now = {.kind = PROGRAM_OK};
    enum kan_err err = carry_arguments(pair, step, &outcome->why);

    outcome->kind = LAW_SAME;
    pair->old.steps++;
    *ret_taken = program_take(pair->old.program, step, pair->old.before,
                              pair->old.arguments, input, pair->old.after,
                              &old) == KAN_OK;
    if (err == KAN_INVALID && *ret_taken) {
        outcome->kind = LAW_GONE;
        return KAN_OK;
    }
    if (err) /* neither takes them */
        return err == KAN_NOMEM ? KAN_NOMEM : KAN_OK;
    bool taken =
        program_take(pair->program, new_step, pair->carried, pair->arguments,
                     input, pair->taken, &now) == KAN_OK;
    if (*ret_taken && !taken) {
        outcome->kind = LAW_REFUSES;
        say_refusal(pair->program, new_step, &now, "", &outcome->why);
    } else if (!*ret_taken && taken) {
        outcome->kind = LAW_ALLOWS;
        say_refusal(pair->old.program, step, &old,
                    "the old version said: ", &outcome->why);
    } else if (taken) {
        compare_states(pair, input, outcome);
    }
    return buffer_failed(&outcome->why) ? KAN_NOMEM : KAN_OK;
}

/* Carry old.before up. false: it cannot be. */
static bool carry_state(struct pair *pair, const struct program_input *input,
                        struct buffer *why)
{
    struct program_refusal refusal = {.kind = PROGRAM_OK};

    memset(pair->carried, 0, program_state_size(pair->program));
    if (contract_up(pair->contract, pair->type, pair->from, pair->old.before,
                    input, pair->carried, &refusal) == KAN_OK)
        return true;
    if (why) {
        buffer_append_text(why, "the state cannot be carried up: ");
        buffer_append(why,
                      refusal.name.size > 0 ? refusal.name : refusal.source);
    }
    return false;
}

/* Note a finding, the first of its step; run is the way to the state. */
static enum kan_err note(struct pair *pair, uint32_t step,
                         const struct outcome *outcome, struct law_run *run)
{
    struct law_compat *result = &pair->results[step];
    enum kan_err err;

    result->kind = outcome->kind;
    buffer_append(&result->why, buffer_slice(&outcome->why));
    result->run = *run;
    *run = (struct law_run){0};
    if (outcome->kind == LAW_ALLOWS || buffer_failed(&result->why))
        return buffer_failed(&result->why) ? KAN_NOMEM : KAN_OK;
    err = law_run_took(&result->run, pair->old.program, step,
                       pair->old.arguments, 1, pair->old.after);
    return err;
}

/* --- walked states -------------------------------------------------------- */

static enum kan_err note_walked(struct pair *pair, uint32_t node, uint32_t step,
                                uint64_t number, const struct outcome *outcome)
{
    struct law_run run = {0};
    struct program_refusal refusal;
    struct law_node at = pair->old.store.nodes[node];
    struct program_input input = law_space_input(at.now_ms, at.depth + 1, 0);
    enum kan_err err = law_space_run(&pair->old, node, &run);

    /* The run went over the scratch states. */
    law_space_load(&pair->old, node, pair->old.before);
    law_space_arguments(&pair->old, step, number, pair->old.arguments);
    (void)!program_take(pair->old.program, step, pair->old.before,
                        pair->old.arguments, &input, pair->old.after, &refusal);
    if (err == KAN_OK)
        err = note(pair, step, outcome, &run);
    law_run_fini(&run);
    return err;
}

static enum kan_err compare_step(struct pair *pair, uint32_t node,
                                 uint32_t step, bool carried)
{
    const struct law_ways *ways = &pair->old.ways[step];
    struct law_node at = pair->old.store.nodes[node];
    enum kan_err err = KAN_OK;

    for (uint32_t w = 0; w < ways->ways && err == KAN_OK; w++) {
        struct program_input input =
            law_space_input(at.now_ms, at.depth + 1, 0);
        struct outcome outcome = {.kind = LAW_SAME};
        uint64_t number = law_ways_number(ways, w);
        bool taken;
        if (pair->results[step].kind != LAW_SAME ||
            law_space_stopped(&pair->old))
            return KAN_OK;
        law_space_arguments(&pair->old, step, number, pair->old.arguments);
        if (carried) {
            err = compare_call(pair, step, &input, &outcome, &taken);
        } else {
            outcome.kind = LAW_REFUSES;
            (void)carry_state(pair, &input, &outcome.why);
        }
        if (err == KAN_OK && outcome.kind != LAW_SAME)
            err = note_walked(pair, node, step, number, &outcome);
        buffer_fini(&outcome.why);
    }
    return err;
}

/* Whether the step is still to be compared. */
static bool is_open(const struct pair *pair, uint32_t step)
{
    return pair->steps[step] >= 0 && pair->results[step].kind == LAW_SAME &&
           !program_step(pair->old.program, step).internal;
}

static enum kan_err compare_walked(struct pair *pair)
{
    enum kan_err err = KAN_OK;

    for (uint32_t n = 0; n < pair->old.store.count && err == KAN_OK; n++) {
        struct program_input input =
            law_space_input(pair->old.store.nodes[n].now_ms, 0, 0);
        if (pair->old.stopped)
            break;
        law_space_load(&pair->old, n, pair->old.before);
        bool carried = carry_state(pair, &input, NULL);
        for (uint32_t s = 0; s < pair->old.step_count && err == KAN_OK; s++) {
            if (is_open(pair, s))
                err = compare_step(pair, n, s, carried);
        }
    }
    return err;
}

/* --- random runs ---------------------------------------------------------- */

/* SplitMix64 (Steele, Lea and Flood, 2014): chance from a seed. */
static uint64_t choose(void *data, uint64_t n)
{
    struct pair *pair = data;
    uint64_t z = pair->chance += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return n == 0 ? 0 : (z ^ (z >> 31)) % n;
}

/* Half of the calls with boundary values: only so are bounds met. */
static void choose_arguments(struct pair *pair, uint32_t step)
{
    const struct law_ways *ways = &pair->old.ways[step];

    if (ways->ways > 0 && choose(pair, 2) == 0)
        law_space_arguments(&pair->old, step, choose(pair, ways->total),
                            pair->old.arguments);
    else
        program_any(pair->old.program,
                    program_step(pair->old.program, step).arguments, choose,
                    pair, pair->old.arguments);
}

/* One step of a random run; *run grows by it when the old version takes it. */
static enum kan_err random_step(struct pair *pair, struct law_run *run,
                                int64_t *now_ms, uint32_t depth)
{
    size_t size = program_state_size(pair->old.program);
    uint32_t step = (uint32_t)choose(pair, pair->old.step_count);
    struct program_input input = law_space_input(
        *now_ms, depth, (uint32_t)choose(pair, pair->old.inputs));
    struct outcome outcome = {.kind = LAW_SAME};
    struct program_refusal refusal;
    enum kan_err err = KAN_OK;
    bool taken;

    *now_ms = input.now_ms;
    choose_arguments(pair, step);
    if (is_open(pair, step) && carry_state(pair, &input, NULL))
        err = compare_call(pair, step, &input, &outcome, &taken);
    else
        taken = program_take(pair->old.program, step, pair->old.before,
                             pair->old.arguments, &input, pair->old.after,
                             &refusal) == KAN_OK;
    if (err == KAN_OK && outcome.kind != LAW_SAME) {
        err = note(pair, step, &outcome, run);
    } else if (err == KAN_OK && taken) {
        err = law_run_took(run, pair->old.program, step, pair->old.arguments, 1,
                           pair->old.after);
        memcpy(pair->old.before, pair->old.after, size);
    }
    buffer_fini(&outcome.why);
    return err;
}

static enum kan_err compare_random(struct pair *pair)
{
    enum kan_err err = KAN_OK;

    for (uint32_t r = 0; r < RANDOM_RUNS && err == KAN_OK; r++) {
        struct law_run run = {0};
        int64_t now_ms = pair->old.store.nodes[0].now_ms;
        program_start(pair->old.program, pair->old.before);
        err = law_run_begin(&run, pair->old.program, pair->old.before, 0);
        for (uint32_t i = 0; i < RANDOM_STEPS && err == KAN_OK; i++) {
            if (i > 0 && run.start.size == 0)
                break; /* the run was given to a finding */
            err = random_step(pair, &run, &now_ms, i + 1);
        }
        law_run_fini(&run);
        if (law_space_stopped(&pair->old))
            break;
    }
    return err;
}

/* --- what is lost on the way down ----------------------------------------- */

static enum kan_err find_lost(struct pair *pair,
                              const struct law_budget *budget, uint64_t *lost)
{
    struct law_space space;
    enum kan_err err = law_space_init(&space, pair->contract, pair->type,
                                      pair->from + 1, budget);

    memset(lost, 0, TREE_FIELDS_MAX / 64 * sizeof *lost);
    if (err == KAN_OK)
        err = law_space_walk(&space);
    for (uint32_t n = 0; err == KAN_OK && n < space.store.count; n++) {
        struct program_input input =
            law_space_input(space.store.nodes[n].now_ms, 0, 0);
        struct program_refusal refusal;
        law_space_load(&space, n, pair->taken);
        memset(pair->old.before, 0, program_state_size(pair->old.program));
        memset(pair->carried, 0, program_state_size(pair->program));
        if (contract_down(pair->contract, pair->type, pair->from, pair->taken,
                          &input, pair->old.before, &refusal) != KAN_OK ||
            contract_up(pair->contract, pair->type, pair->from,
                        pair->old.before, &input, pair->carried,
                        &refusal) != KAN_OK)
            continue;
        uint32_t members = program_type(pair->program, 0)->member_count;
        for (uint32_t i = 0; i < members; i++) {
            struct program_member member = program_member(pair->program, 0, i);
            if (memcmp(pair->taken + member.offset,
                       pair->carried + member.offset,
                       program_type(pair->program, member.type)->size) != 0)
                lost[i / 64] |= UINT64_C(1) << (i % 64);
        }
    }
    law_space_fini(&space);
    return err;
}

/* --- both versions -------------------------------------------------------- */

static size_t scratch_size(const struct program *program)
{
    size_t size = 0;

    for (uint32_t i = 0; i < program_type_count(program); i++) {
        if (program_type(program, i)->size > size)
            size = program_type(program, i)->size;
    }
    return size + 16;
}

static enum kan_err pair_init(struct pair *pair,
                              const struct law_budget *budget)
{
    enum kan_err err = law_space_init(&pair->old, pair->contract, pair->type,
                                      pair->from, budget);

    if (err)
        return err;
    pair->program =
        contract_program(pair->contract, pair->type, pair->from + 1);
    if (!pair->program)
        return KAN_NOTFOUND;
    pair->steps = mem_zalloc((pair->old.step_count + 1) * sizeof *pair->steps);
    pair->carried = mem_zalloc(scratch_size(pair->program));
    pair->taken = mem_zalloc(scratch_size(pair->program));
    pair->arguments = mem_zalloc(scratch_size(pair->program));
    pair->answered = mem_zalloc(scratch_size(pair->old.program));
    return pair->steps && pair->carried && pair->taken && pair->arguments &&
                   pair->answered
               ? KAN_OK
               : KAN_NOMEM;
}

static void pair_fini(struct pair *pair)
{
    mem_free(pair->steps);
    mem_free(pair->carried);
    mem_free(pair->taken);
    mem_free(pair->arguments);
    mem_free(pair->answered);
    law_space_fini(&pair->old);
}

/* What can be said of a step without running it. */
static enum kan_err match_step(struct pair *pair, uint32_t step)
{
    struct program_step old = program_step(pair->old.program, step);
    struct law_compat *result = &pair->results[step];

    pair->steps[step] = program_step_find(pair->program, old.name);
    if (old.internal) {
        buffer_append_text(&result->why, "only sagas take it");
    } else if (pair->steps[step] < 0 ||
               program_step(pair->program, (uint32_t)pair->steps[step])
                   .internal) {
        result->kind = LAW_GONE;
        buffer_print(&result->why, "version %u has no such step%s",
                     pair->from + 1,
                     pair->steps[step] < 0 ? "" : " for callers");
        pair->steps[step] = -1;
    } else if (!contract_has_down(pair->contract, pair->type, pair->from)) {
        result->kind = LAW_NO_WAY_BACK;
        buffer_print(&result->why, "upgrade %u -> %u has no down", pair->from,
                     pair->from + 1);
    }
    return buffer_failed(&result->why) ? KAN_NOMEM : KAN_OK;
}

static void results_fini(struct law_compat *results, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        law_compat_fini(&results[i]);
}

void law_compat_fini(struct law_compat *result)
{
    law_run_fini(&result->run);
    buffer_fini(&result->why);
    *result = (struct law_compat){0};
}

enum kan_err law_compat(const struct contract *contract, uint32_t type,
                        uint32_t from, uint64_t seed,
                        const struct law_budget *budget,
                        struct law_compat *results, uint64_t *lost,
                        struct law_walk *ret_walk)
{
    struct pair pair = {.contract = contract,
                        .type = type,
                        .from = from,
                        .results = results,
                        .chance = seed};
    enum kan_err err = pair_init(&pair, budget);
    uint32_t count = pair.old.step_count;

    for (uint32_t i = 0; i < count && pair.old.program; i++)
        results[i] = (struct law_compat){.step = i};
    if (err == KAN_OK)
        err = law_space_walk(&pair.old);
    for (uint32_t i = 0; err == KAN_OK && i < count; i++)
        err = match_step(&pair, i);
    if (err == KAN_OK)
        err = compare_walked(&pair);
    if (err == KAN_OK && count > 0)
        err = compare_random(&pair);
    if (err == KAN_OK)
        err = find_lost(&pair, budget, lost);
    if (err == KAN_OK)
        *ret_walk = law_space_result(&pair.old);
    else
        results_fini(results, count);
    pair_fini(&pair);
    return err;
}
