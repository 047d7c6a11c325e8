/* states.c - steps followed by what one field holds. */

#include "contract/generate/states.h"

#include "base/bytes.h"

/* What is known of a condition. */
enum truth
{
    TRUTH_NO,
    TRUTH_YES,
    TRUTH_OPEN
};

/* A step under way: the values that the field may have by now. */
struct follow
{
    const struct states *states;
    struct states_set now;
};

static struct states_set set_all(const struct states *states)
{
    struct states_set all = {{0}};
    uint32_t i;

    for (i = 0; i < states->count; i++)
        states_add(&all, i);
    return all;
}

uint32_t states_count(const struct states_set *set)
{
    uint32_t count = 0;
    uint32_t i;

    for (i = 0; i < STATES_WORDS; i++)
        count += (uint32_t)__builtin_popcountll(set->words[i]);
    return count;
}

uint32_t states_only(const struct states_set *set)
{
    uint32_t i = 0;

    while (i + 1 < TREE_VALUES_MAX && !states_has(set, i))
        i++;
    return i;
}

static void set_join(struct states_set *set, const struct states_set *other)
{
    uint32_t i;

    for (i = 0; i < STATES_WORDS; i++)
        set->words[i] |= other->words[i];
}

/* --- conditions ----------------------------------------------------------- */

static bool is_field(const struct follow *f, const struct tree_expr *expr)
{
    return f->states->field && expr->kind == TREE_NAMED &&
           expr->meaning == TREE_MEANS_FIELD &&
           expr->place == f->states->field->place;
}

static bool is_constant(const struct tree_expr *expr)
{
    return expr->kind == TREE_NAMED && expr->meaning == TREE_MEANS_CONSTANT;
}

static enum truth truth_not(enum truth truth)
{
    if (truth == TRUTH_OPEN)
        return TRUTH_OPEN;
    return truth == TRUTH_YES ? TRUTH_NO : TRUTH_YES;
}

static enum truth truth_of(const struct follow *f,
                           const struct tree_expr *expr);

/* field == constant, either way round. */
static enum truth truth_equal(const struct follow *f,
                              const struct tree_expr *expr)
{
    bool turned = is_field(f, expr->right);
    const struct tree_expr *other = turned ? expr->left : expr->right;

    if (!turned && !is_field(f, expr->left))
        return TRUTH_OPEN;
    if (!is_constant(other))
        return TRUTH_OPEN;
    if (!states_has(&f->now, other->place))
        return TRUTH_NO;
    return states_count(&f->now) == 1 ? TRUTH_YES : TRUTH_OPEN;
}

static enum truth truth_binary(const struct follow *f,
                               const struct tree_expr *expr)
{
    enum truth left;
    enum truth right;

    if (expr->op == TREE_EQUAL)
        return truth_equal(f, expr);
    if (expr->op == TREE_UNEQUAL)
        return truth_not(truth_equal(f, expr));
    if (expr->op != TREE_AND && expr->op != TREE_OR && expr->op != TREE_IMPLIES)
        return TRUTH_OPEN;
    left = truth_of(f, expr->left);
    right = truth_of(f, expr->right);
    if (expr->op == TREE_AND) {
        if (left == TRUTH_NO || right == TRUTH_NO)
            return TRUTH_NO;
        return left == TRUTH_YES ? right : TRUTH_OPEN;
    }
    if (expr->op == TREE_IMPLIES)
        left = truth_not(left);
    if (left == TRUTH_YES || right == TRUTH_YES)
        return TRUTH_YES;
    return left == TRUTH_NO ? right : TRUTH_OPEN;
}

static enum truth truth_of(const struct follow *f, const struct tree_expr *expr)
{
    enum truth choice;

    switch (expr->kind) {
    case TREE_TRUTH:
        return expr->number ? TRUTH_YES : TRUTH_NO;
    case TREE_UNARY:
        return expr->op == TREE_NOT ? truth_not(truth_of(f, expr->left))
                                    : TRUTH_OPEN;
    case TREE_BINARY:
        return truth_binary(f, expr);
    case TREE_IF:
        choice = truth_of(f, expr->left);
        if (choice != TRUTH_OPEN)
            return truth_of(f, choice == TRUTH_YES ? expr->right : expr->third);
        choice = truth_of(f, expr->right);
        return choice == truth_of(f, expr->third) ? choice : TRUTH_OPEN;
    default:
        return TRUTH_OPEN;
    }
}

/* --- steps ---------------------------------------------------------------- */

/* What an expression of the field's type may be. */
static struct states_set values_of(const struct follow *f,
                                   const struct tree_expr *expr)
{
    struct states_set set = {{0}};
    struct states_set other;
    enum truth choice;

    if (is_constant(expr)) {
        states_add(&set, expr->place);
        return set;
    }
    if (is_field(f, expr))
        return f->now;
    if (expr->kind != TREE_IF)
        return set_all(f->states);
    choice = truth_of(f, expr->left);
    if (choice != TRUTH_NO)
        set = values_of(f, expr->right);
    if (choice != TRUTH_YES) {
        other = values_of(f, expr->third);
        set_join(&set, &other);
    }
    return set;
}

static void follow_block(struct follow *f, const struct tree_block *block)
{
    const struct states_set none = {{0}};
    uint32_t i;

    for (i = 0; block && i < block->count && states_count(&f->now) > 0; i++) {
        const struct tree_statement *statement = block->statements[i];
        struct follow no = *f;
        struct states_set end = none;
        enum truth truth;

        switch (statement->kind) {
        case TREE_REQUIRE:
            if (truth_of(f, statement->condition) == TRUTH_NO)
                f->now = none;
            break;
        case TREE_ASSIGN:
            if (is_field(f, statement->target))
                f->now = values_of(f, statement->value);
            break;
        case TREE_BRANCH:
            truth = truth_of(f, statement->condition);
            if (truth != TRUTH_NO) {
                follow_block(f, statement->body);
                end = f->now;
            }
            if (truth != TRUTH_YES) {
                follow_block(&no, statement->otherwise);
                set_join(&end, &no.now);
            }
            f->now = end;
            break;
        case TREE_INCREASE:
        case TREE_DECREASE:
            break;
        }
    }
}

struct states_set states_after(const struct states *states,
                               const struct tree_step *step, uint32_t value)
{
    struct follow f = {.states = states};
    const struct states_set none = {{0}};

    states_add(&f.now, value);
    if (step->when && truth_of(&f, step->when) == TRUTH_NO)
        return none;
    follow_block(&f, step->body);
    return f.now;
}

uint32_t states_start(const struct states *states)
{
    if (!states->field || !states->field->value)
        return 0;
    return states->field->value->place;
}

/* How many guards do not hold in some value of the field. */
static uint32_t guards_asking(const struct states *states)
{
    uint32_t asking = 0;
    uint32_t i;
    uint32_t k;

    for (i = 0; i < states->entity->step_count; i++) {
        const struct tree_step *step = &states->entity->steps[i];

        for (k = 0; step->when && k < states->count; k++) {
            struct follow f = {.states = states};

            states_add(&f.now, k);
            if (truth_of(&f, step->when) == TRUTH_NO) {
                asking++;
                break;
            }
        }
    }
    return asking;
}

void states_find(const struct tree_entity *entity, struct states *ret_states)
{
    uint32_t most = 0;
    uint32_t i;

    *ret_states = (struct states){.entity = entity, .count = 1};
    for (i = 0; i < entity->field_count; i++) {
        const struct tree_field *field = &entity->fields[i];
        struct states states = {
            .entity = entity, .field = field, .count = field->type->name_count};
        uint32_t asking;

        if (field->type->kind != TREE_ENUM)
            continue;
        asking = guards_asking(&states);
        if (asking > most) {
            most = asking;
            *ret_states = states;
        }
    }
}
