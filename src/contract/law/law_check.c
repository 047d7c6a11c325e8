/* Laws: from every state walked, with every choice of boundary values for the
 * law's variables, both sides are run and compared.
 *
 * The i-th step of one side and the i-th of the other happen at the same time
 * and draw the same id, so that a law speaks of fields and not of clocks. */

#include "base/alloc.h"
#include "contract/law/law_run.h"
#include "contract/law/law_space.h"

enum
{
    VARIABLES_MAX = TREE_PARAMETERS_MAX
};

/* One law, made ready to be run. */
struct subject
{
    struct law_space *space;
    const struct tree_law *law;
    unsigned char *values[VARIABLES_MAX]; /* of each variable */
    uint32_t types[VARIABLES_MAX];
    uint32_t counts[VARIABLES_MAX]; /* of its boundary values */
    struct law_ways ways;
    unsigned char *left; /* the states behind the two sides */
    unsigned char *right;
};

void law_result_fini(struct law_result *result)
{
    law_run_fini(&result->run);
    law_run_fini(&result->other);
    *result = (struct law_result){0};
}

static const struct tree_entity *find_entity(const struct contract *contract,
                                             uint32_t type, uint32_t version)
{
    return tree_entity(contract_tree(contract),
                       contract_type_name(contract, type), version);
}

uint32_t law_count(const struct contract *contract, uint32_t type,
                   uint32_t version)
{
    const struct tree_entity *entity = find_entity(contract, type, version);

    return entity ? entity->law_count : 0;
}

struct kan_slice law_text(const struct contract *contract, uint32_t type,
                          uint32_t version, uint32_t law)
{
    const struct tree_entity *entity = find_entity(contract, type, version);

    if (!entity || law >= entity->law_count)
        return kan_slice(NULL, 0);
    return source_slice(contract_tree(contract)->source,
                        entity->laws[law].span);
}

/* --- variables ------------------------------------------------------------ */

/* The type of the parameter that an argument stands for. */
static uint32_t parameter_type(const struct program *program, uint32_t step,
                               uint32_t parameter)
{
    return program_member(program, program_step(program, step).arguments,
                          parameter)
        .type;
}

static void find_types(struct subject *subject,
                       const struct tree_law_step *side, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t a = 0; a < side[i].argument_count; a++)
            subject->types[side[i].variables[a]] =
                parameter_type(subject->space->program, side[i].step->place, a);
    }
}

static void subject_fini(struct subject *subject)
{
    for (uint32_t i = 0; i < VARIABLES_MAX; i++)
        mem_free(subject->values[i]);
    mem_free(subject->left);
    mem_free(subject->right);
}

static enum kan_err subject_init(struct subject *subject,
                                 struct law_space *space,
                                 const struct tree_law *law)
{
    uint32_t most = space->budget.arguments_max;

    *subject = (struct subject){.space = space, .law = law};
    subject->ways.total = 1;
    find_types(subject, law->left, law->left_count);
    find_types(subject, law->right, law->right_count);
    subject->left = mem_zalloc(space->stride);
    subject->right = mem_zalloc(space->stride);
    if (!subject->left || !subject->right)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < law->variable_count && i < VARIABLES_MAX; i++) {
        subject->values[i] = mem_zalloc(space->argument_max);
        if (!subject->values[i])
            return KAN_NOMEM;
        subject->counts[i] = law_boundary_count(
            space->program, subject->types[i], subject->values[i]);
        if (subject->ways.total < UINT32_MAX)
            subject->ways.total *= subject->counts[i];
    }
    subject->ways.ways =
        subject->ways.total < most ? (uint32_t)subject->ways.total : most;
    return KAN_OK;
}

/* Give each variable its boundary value of the number-th choice. */
static void choose_values(struct subject *subject, uint64_t number)
{
    for (uint32_t i = 0; i < subject->law->variable_count; i++) {
        uint32_t count = subject->counts[i] ? subject->counts[i] : 1;
        (void)program_boundary(subject->space->program, subject->types[i],
                               (uint32_t)(number % count), subject->values[i]);
        number /= count;
    }
}

/* Lay out the arguments of one step of a side; false: the variable's value is
 * not in the range of this parameter. */
static bool fill_arguments(struct subject *subject,
                           const struct tree_law_step *step)
{
    const struct program *program = subject->space->program;
    unsigned char *arguments = subject->space->arguments;
    uint32_t type = program_step(program, step->step->place).arguments;

    program_arguments(program, step->step->place, arguments);
    for (uint32_t a = 0; a < step->argument_count; a++) {
        struct program_member member = program_member(program, type, a);
        memcpy(arguments + member.offset, subject->values[step->variables[a]],
               program_type(program, member.type)->size);
    }
    return program_valid(program, type, arguments);
}

/* --- sides ---------------------------------------------------------------- */

/* Run a side from space->before; ret_after holds where it leads. false: a step
 * was refused. run, unless NULL, is told each step. */
static bool run_side(struct subject *subject, const struct tree_law_step *side,
                     uint32_t count, const struct law_node *node,
                     unsigned char *ret_after, struct law_run *run,
                     enum kan_err *ret_err)
{
    struct law_space *space = subject->space;
    size_t size = program_state_size(space->program);
    struct program_refusal refusal;
    int64_t now_ms = node->now_ms;

    memcpy(ret_after, space->before, size);
    for (uint32_t i = 0; i < count && *ret_err == KAN_OK; i++) {
        uint32_t step = side[i].step->place;
        struct program_input input =
            law_space_input(now_ms, node->depth + 1 + i, 0);
        now_ms = input.now_ms;
        if (!fill_arguments(subject, &side[i]))
            return false;
        space->steps++;
        if (program_take(space->program, step, ret_after, space->arguments,
                         &input, space->after, &refusal) != KAN_OK) {
            if (run)
                *ret_err = law_run_refused(run, space->program, step,
                                           space->arguments, &refusal);
            return false;
        }
        memcpy(ret_after, space->after, size);
        if (run)
            *ret_err = law_run_took(run, space->program, step, space->arguments,
                                    1, ret_after);
    }
    return true;
}

/* Both sides, from the state in space->before. */
static enum law_verdict compare(struct subject *subject,
                                const struct law_node *node)
{
    const struct tree_law *law = subject->law;
    enum kan_err err = KAN_OK;
    bool left = run_side(subject, law->left, law->left_count, node,
                         subject->left, NULL, &err);

    if (!left && !law->exact)
        return LAW_VACUOUS;
    bool right = run_side(subject, law->right, law->right_count, node,
                          subject->right, NULL, &err);
    if (left != right)
        return law->exact ? LAW_FAILS : LAW_VACUOUS;
    if (!left)
        return LAW_VACUOUS;
    return memcmp(subject->left, subject->right,
                  program_state_size(subject->space->program)) == 0
               ? LAW_HOLDS
               : LAW_FAILS;
}

static enum kan_err show_failure(struct subject *subject, uint32_t number,
                                 struct law_result *result)
{
    struct law_space *space = subject->space;
    const struct tree_law *law = subject->law;
    struct law_node node = space->store.nodes[number];
    enum kan_err err = law_space_run(space, number, &result->run);

    law_space_load(space, number, space->before);
    result->at = result->run.count;
    if (err == KAN_OK)
        err = law_run_begin(&result->other, space->program, space->before,
                            result->at);
    if (err == KAN_OK)
        (void)run_side(subject, law->left, law->left_count, &node,
                       subject->left, &result->run, &err);
    if (err == KAN_OK)
        (void)run_side(subject, law->right, law->right_count, &node,
                       subject->right, &result->other, &err);
    return err;
}

/* No state was found that runs both sides: is that all that can be said? */
static enum law_verdict verdict_of_none(const struct subject *subject)
{
    return subject->ways.ways == subject->ways.total &&
                   law_space_reached(subject->space)
               ? LAW_VACUOUS
               : LAW_UNKNOWN;
}

static enum kan_err check_law(struct subject *subject,
                              struct law_result *result)
{
    struct law_space *space = subject->space;

    result->verdict = LAW_UNKNOWN;
    for (uint32_t n = 0; n < space->store.count; n++) {
        law_space_load(space, n, space->before);
        for (uint32_t w = 0; w < subject->ways.ways; w++) {
            if (law_space_stopped(space))
                return KAN_OK;
            choose_values(subject, law_ways_number(&subject->ways, w));
            enum law_verdict found = compare(subject, &space->store.nodes[n]);
            if (found == LAW_FAILS) {
                result->verdict = LAW_FAILS;
                return show_failure(subject, n, result);
            }
            if (found == LAW_HOLDS) {
                result->verdict = LAW_HOLDS;
                result->checked++;
            }
        }
    }
    if (result->checked == 0)
        result->verdict = verdict_of_none(subject);
    return KAN_OK;
}

enum kan_err law_check(const struct contract *contract, uint32_t type,
                       uint32_t version, const struct law_budget *budget,
                       struct law_result *results, struct law_walk *ret_walk)
{
    struct law_space space;
    uint32_t count = law_count(contract, type, version);
    enum kan_err err = law_space_init(&space, contract, type, version, budget);

    for (uint32_t i = 0; i < count; i++)
        results[i] = (struct law_result){.verdict = LAW_UNKNOWN};
    if (err == KAN_OK)
        err = law_space_walk(&space);
    for (uint32_t i = 0; err == KAN_OK && i < count; i++) {
        struct subject subject;
        err = subject_init(&subject, &space, &space.entity->laws[i]);
        space.sampled |= subject.ways.ways < subject.ways.total;
        if (err == KAN_OK)
            err = check_law(&subject, &results[i]);
        subject_fini(&subject);
    }
    for (uint32_t i = 0; err && i < count; i++)
        law_result_fini(&results[i]);
    if (err == KAN_OK)
        *ret_walk = law_space_result(&space);
    law_space_fini(&space);
    return err;
}
