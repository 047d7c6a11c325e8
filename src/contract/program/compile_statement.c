/* compile_statement.c - what a step does, in its order: the value first, then
 * its bounds, then the place that it goes to. So a refused assignment has
 * changed nothing. */

#include "contract/program/compile.h"

/* Where an assignment goes. */
struct target
{
    uint32_t type;
    uint16_t reg;
    uint32_t offset;
};

static const struct program_words no_words;

/* --- the names of places -------------------------------------------------- */

/* The field of the state that a target is in. */
static uint32_t target_field(const struct tree_expr *expr)
{
    while (expr->kind == TREE_MEMBER || expr->kind == TREE_INDEX)
        expr = expr->left;
    return expr->place;
}

static bool target_has_key(const struct tree_expr *expr)
{
    while (expr->kind == TREE_MEMBER)
        expr = expr->left;
    return expr->kind == TREE_INDEX;
}

static void target_print(const struct tree_expr *expr, struct buffer *out)
{
    if (expr->kind == TREE_MEMBER || expr->kind == TREE_INDEX)
        target_print(expr->left, out);
    if (expr->kind == TREE_MEMBER)
        buffer_append_byte(out, '.');
    if (expr->kind != TREE_INDEX)
        buffer_append(out, expr->name.text);
}

/* "lines.count" for lines[article].count. */
static struct program_words target_name(struct compile *c,
                                        const struct tree_expr *expr)
{
    struct buffer text = BUFFER_INIT;
    struct program_words words = {0};

    target_print(expr, &text);
    if (buffer_failed(&text))
        c->err = KAN_NOMEM;
    else
        words = compile_words(c, buffer_slice(&text));
    buffer_fini(&text);
    return words;
}

static void note_write(struct compile *c, const struct tree_expr *target)
{
    uint32_t field = target_field(target);

    c->writes[field / 64] |= UINT64_C(1) << field % 64;
    /* What is changed in part stays in part. */
    if (target->kind != TREE_NAMED)
        c->reads[field / 64] |= UINT64_C(1) << field % 64;
}

/* --- keys ----------------------------------------------------------------- */

/* Check the key against what the set or map may hold, and put it where no
 * change of the set or map can move it. Returns its register. */
static uint16_t key_ready(struct compile *c, const struct tree_expr *expr,
                          uint32_t whole, const struct tree_expr *target)
{
    const struct program_type *type = compile_type_of(c, whole);
    struct compile_goal goal = {
        .type = type->kind == TREE_MAP ? type->key : type->of,
        .reg = MACHINE_TEMPS,
        .name = c->assigned,
        .span = expr->span,
        .target = target,
        .value = expr};
    const struct program_type of = *compile_type_of(c, goal.type);
    uint16_t reg;

    goal.offset = compile_temp(c, of.size, expr->span);
    compile_into(c, expr, goal);
    reg = compile_register(c, expr->span);
    switch (of.kind) {
    case TREE_INT:
        compile_emit_xy(c, MACHINE_LOAD64, reg, goal.reg, 0, goal.offset, 0);
        break;
    case TREE_BOOL:
        compile_emit_xy(c, MACHINE_LOAD8, reg, goal.reg, 0, goal.offset, 0);
        break;
    case TREE_ENUM:
        compile_emit_xy(c, MACHINE_LOAD16, reg, goal.reg, 0, goal.offset, 0);
        break;
    default:
        compile_emit_xy(c, MACHINE_ADDRESS, reg, goal.reg, 0, goal.offset, 0);
        break;
    }
    return reg;
}

/* The condition of a set or map that is full. */
static uint32_t full_condition(struct compile *c,
                               const struct tree_statement *statement,
                               uint32_t whole)
{
    uint32_t number =
        compile_condition(c, PROGRAM_FULL, c->assigned, statement->span,
                          statement->target, statement->value);

    if (c->err == KAN_OK) {
        COMPILE_ITEM(c, conditions, struct program_inside_condition, number)
            ->max = compile_type_of(c, whole)->bound;
    }
    return number;
}

/* --- places --------------------------------------------------------------- */

static struct target target_of_value(struct compile_value value)
{
    struct target target = {
        .type = value.type, .reg = value.reg, .offset = value.offset};

    return target;
}

/* A place that is there, or the step is refused. A whole field that is
 * overwritten is not read. */
static struct target target_there(struct compile *c,
                                  const struct tree_expr *expr)
{
    uint64_t reads[PROGRAM_FIELD_WORDS];
    struct target target;

    memcpy(reads, c->reads, sizeof reads);
    target = target_of_value(compile_expr(c, expr));
    if (expr->kind == TREE_NAMED)
        memcpy(c->reads, reads, sizeof reads);
    return target;
}

/* The element target[key], made when it is not there. */
static struct target target_made(struct compile *c,
                                 const struct tree_statement *statement)
{
    const struct tree_expr *expr = statement->target;
    struct compile_value whole = compile_expr(c, expr->left);
    struct target target = {.type = whole.type};
    uint16_t at;
    uint16_t key;

    if (c->err != KAN_OK)
        return target;
    at = compile_address(c, whole, expr->span);
    key = key_ready(c, expr->right, whole.type, expr->left);
    target.reg = compile_register(c, expr->span);
    compile_emit_xy(c, MACHINE_INSERT, target.reg, at, key, whole.type,
                    full_condition(c, statement, whole.type));
    if (c->err == KAN_OK)
        target.type = compile_type_of(c, whole.type)->of;
    return target;
}

/* --- assignments ---------------------------------------------------------- */

static uint32_t whole_type(struct compile *c, const struct tree_expr *target)
{
    /* What the target is, without code: of fields, members and elements. */
    const struct program_type *type;
    uint32_t outer;

    if (target->kind == TREE_NAMED) {
        type = compile_type_of(c, 0);
    } else {
        outer = whole_type(c, target->left);
        type = compile_type_of(c, outer);
        if (target->kind == TREE_INDEX)
            return type->of;
    }
    return COMPILE_ITEM(c, members, struct program_inside_member,
                        type->member_first + target->place)
        ->type;
}

static struct compile_goal statement_goal(
    struct compile *c, const struct tree_statement *statement, uint32_t type)
{
    struct compile_goal goal = {.type = type,
                                .reg = MACHINE_TEMPS,
                                .name = c->assigned,
                                .span = statement->span,
                                .target = statement->target,
                                .value = statement->value};

    return goal;
}

static void statement_assign(struct compile *c,
                             const struct tree_statement *statement)
{
    const struct tree_expr *expr = statement->target;
    uint32_t type = whole_type(c, expr);
    struct compile_goal goal = statement_goal(c, statement, type);
    struct target target;
    uint16_t at;

    if (c->err != KAN_OK)
        return;
    if (!target_has_key(expr) && statement->value->kind != TREE_LITERAL &&
        statement->value->kind != TREE_IF) {
        struct compile_value value;

        if (statement->value->kind == TREE_NONE) {
            target = target_there(c, expr);
            goal.reg = target.reg;
            goal.offset = target.offset;
            compile_into(c, statement->value, goal);
            return;
        }
        value = compile_expr(c, statement->value);
        target = target_there(c, expr);
        goal.reg = target.reg;
        goal.offset = target.offset;
        compile_put(c, value, goal);
        return;
    }
    /* The place may move, or the value be half done when it is refused. */
    goal.offset =
        compile_temp(c, compile_type_of(c, type)->size, statement->span);
    compile_into(c, statement->value, goal);
    target = expr->kind == TREE_INDEX ? target_made(c, statement)
                                      : target_there(c, expr);
    at = compile_register(c, statement->span);
    compile_emit_xy(c, MACHINE_ADDRESS, at, MACHINE_TEMPS, 0, goal.offset, 0);
    if (c->err == KAN_OK) {
        compile_emit_xy(c, MACHINE_COPY, at, target.reg, 0, target.offset,
                        compile_type_of(c, type)->size);
    }
}

/* An int: read, changed and checked, and put back where it came from. */
static void statement_add(struct compile *c,
                          const struct tree_statement *statement)
{
    bool more = statement->kind == TREE_INCREASE;
    struct compile_value was = compile_expr(c, statement->target);
    struct compile_goal goal = statement_goal(c, statement, was.type);
    struct compile_value sum = {.kind = TREE_INT,
                                .type = PROGRAM_NOTHING,
                                .number = true,
                                .min = INT64_MIN,
                                .max = INT64_MAX};
    uint16_t a = compile_in_register(c, was, statement->span);
    uint16_t b = compile_in_register(c, compile_expr(c, statement->value),
                                     statement->span);
    uint32_t condition =
        compile_condition(c, PROGRAM_OVERFLOW, goal.name, statement->span,
                          statement->target, statement->value);

    sum.reg = compile_register(c, statement->span);
    compile_emit_xy(c, more ? MACHINE_ADD : MACHINE_SUBTRACT, sum.reg, a, b,
                    condition, 0);
    goal.reg = was.reg;
    goal.offset = was.offset;
    compile_put(c, sum, goal);
}

/* A set or a map. */
static void statement_element(struct compile *c,
                              const struct tree_statement *statement)
{
    bool more = statement->kind == TREE_INCREASE;
    struct compile_value whole = compile_expr(c, statement->target);
    uint16_t at = compile_address(c, whole, statement->span);
    uint16_t key;
    uint16_t reg;

    if (c->err != KAN_OK)
        return;
    if (more) {
        key = key_ready(c, statement->value, whole.type, statement->target);
        reg = compile_register(c, statement->span);
        compile_emit_xy(c, MACHINE_INSERT, reg, at, key, whole.type,
                        full_condition(c, statement, whole.type));
        return;
    }
    key = compile_key(c, statement->value, whole.type);
    compile_emit_xy(c, MACHINE_REMOVE, 0, at, key, whole.type, 0);
}

static void statement_change(struct compile *c,
                             const struct tree_statement *statement)
{
    uint32_t type = whole_type(c, statement->target);

    if (c->err != KAN_OK)
        return;
    if (compile_type_of(c, type)->kind == TREE_INT)
        statement_add(c, statement);
    else
        statement_element(c, statement);
}

/* --- the rest ------------------------------------------------------------- */

void compile_require(struct compile *c, const struct tree_expr *expr,
                     enum program_refusal_kind kind, struct program_words name,
                     struct kan_slice words)
{
    uint32_t fine = compile_label(c);
    struct program_words said = words.size ? compile_words(c, words) : no_words;
    uint32_t number;

    compile_jump(c, expr, fine, true);
    number = compile_condition(c, kind, name, expr->span, expr, NULL);
    if (c->err == KAN_OK) {
        COMPILE_ITEM(c, conditions, struct program_inside_condition, number)
            ->words = said;
    }
    compile_emit_xy(c, MACHINE_REFUSE, 0, 0, 0, number, 0);
    compile_label_here(c, fine);
}

static void statement_branch(struct compile *c,
                             const struct tree_statement *statement)
{
    uint32_t otherwise = compile_label(c);
    uint32_t end = compile_label(c);

    compile_jump(c, statement->condition, otherwise, false);
    compile_block(c, statement->body);
    if (statement->otherwise)
        compile_emit_xy(c, MACHINE_JUMP, 0, 0, 0, end, 0);
    compile_label_here(c, otherwise);
    if (statement->otherwise)
        compile_block(c, statement->otherwise);
    compile_label_here(c, end);
}

void compile_block(struct compile *c, const struct tree_block *block)
{
    uint32_t i;

    for (i = 0; block && i < block->count && c->err == KAN_OK; i++) {
        const struct tree_statement *statement = block->statements[i];

        /* Nothing in registers or temporaries outlives a statement. */
        c->registers = MACHINE_FIRST;
        c->temps = 0;
        if (statement->target)
            c->assigned = target_name(c, statement->target);
        switch (statement->kind) {
        case TREE_REQUIRE:
            compile_require(c, statement->condition, PROGRAM_REQUIRE, no_words,
                            statement->text);
            break;
        case TREE_ASSIGN:
            statement_assign(c, statement);
            note_write(c, statement->target);
            break;
        case TREE_INCREASE:
        case TREE_DECREASE:
            statement_change(c, statement);
            note_write(c, statement->target);
            break;
        case TREE_BRANCH:
            statement_branch(c, statement);
            break;
        }
        c->assigned = no_words;
    }
}
