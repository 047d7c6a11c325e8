/* parse_step.c - statements, and the steps that hold them. */

#include "contract/tree/parse.h"

static struct tree_statement *statement(struct parse *parse);

/* --- blocks --------------------------------------------------------------- */

/* Statements up to the } that belongs to the { at open. */
static bool statements(struct parse *parse, uint32_t open,
                       struct tree_block *block)
{
    uint32_t depth = parse->depth;

    while (!parse_list_over(parse, open, false)) {
        uint32_t began = parse->at;
        struct tree_statement *one;

        if (parse_semicolon(parse))
            continue;
        parse_item(parse,
                   parse_kind(parse) == LEX_NAME ? LEX_ASSIGNMENT : LEX_ITEM);
        one = statement(parse);
        if (parse->no_memory)
            return false;
        if (!one) {
            parse->depth = depth;
            parse_recover(parse, began);
            continue;
        }
        block->statements = parse_room(parse, block->statements, block->count,
                                       sizeof(struct tree_statement *));
        if (!block->statements)
            return false;
        block->statements[block->count++] = one;
        if (!parse_separator(parse, "a statement"))
            parse_recover(parse, began);
    }
    return true;
}

struct tree_block *parse_block(struct parse *parse)
{
    struct tree_block *block = parse_give(parse, sizeof *block);
    uint32_t open = parse->at;
    uint32_t start = parse_span(parse).start;

    if (!block)
        return NULL;
    parse_mark(parse, LEX_BODY);
    if (!parse_take(parse, LEX_OPEN_BRACE)) {
        parse_expected(parse, "{",
                       parse_kind(parse) == LEX_ASSIGN
                           ? "== compares; = assigns"
                           : "what is done stands in { }");
        /* Forgotten at the end of the line: read on as if it were there. */
        if (!parse_line_ends(parse) || lex_is_head(parse_kind(parse)) ||
            parse_kind(parse) == LEX_CLOSE_BRACE ||
            parse_kind(parse) == LEX_END || open == 0)
            return NULL;
        open--;
    }
    if (!parse_enter(parse) || !statements(parse, open, block))
        return NULL;
    parse->depth--;
    block->span = parse_from(parse, start);
    return block;
}

/* --- statements ----------------------------------------------------------- */

struct tree_statement *parse_require(struct parse *parse)
{
    struct tree_statement *one = parse_give(parse, sizeof *one);
    static const char hint[] =
        "a guard says why: require CONDITION else \"why it is refused\"";

    if (!one)
        return NULL;
    one->kind = TREE_REQUIRE;
    one->span = parse_span(parse);
    parse_skip(parse);
    one->condition = parse_expr(parse);
    if (!one->condition)
        return NULL;
    if (!parse_expect(
            parse, LEX_ELSE,
            parse_kind(parse) == LEX_ASSIGN ? "== compares; = assigns" : hint))
        return NULL;
    if (parse_kind(parse) != LEX_STRING) {
        parse_expected(parse, "a text", hint);
        return NULL;
    }
    if (!parse_string(parse, "a text", &one->text))
        return NULL;
    one->span = parse_from(parse, one->span.start);
    return one;
}

/* `else if` as a block of one statement. */
static struct tree_block *else_if(struct parse *parse)
{
    struct tree_block *block = parse_give(parse, sizeof *block);

    if (!block)
        return NULL;
    block->span = parse_span(parse);
    block->statements =
        parse_room(parse, NULL, 0, sizeof(struct tree_statement *));
    if (!block->statements || !parse_enter(parse))
        return NULL;
    block->statements[0] = statement(parse);
    parse->depth--;
    if (!block->statements[0])
        return NULL;
    block->count = 1;
    block->span = parse_from(parse, block->span.start);
    return block;
}

static struct tree_statement *branch(struct parse *parse)
{
    struct tree_statement *one = parse_give(parse, sizeof *one);

    if (!one)
        return NULL;
    one->kind = TREE_BRANCH;
    one->span = parse_span(parse);
    parse_skip(parse);
    one->condition = parse_expr(parse);
    if (!one->condition)
        return NULL;
    if (parse_kind(parse) == LEX_THEN) {
        parse_expected(parse, "{",
                       "as a statement: if a { ... } else { ... }; "
                       "then is for values");
        return NULL;
    }
    one->body = parse_block(parse);
    if (!one->body)
        return NULL;
    if (parse_take(parse, LEX_ELSE)) {
        one->otherwise =
            parse_kind(parse) == LEX_IF ? else_if(parse) : parse_block(parse);
        if (!one->otherwise)
            return NULL;
    }
    one->span = parse_from(parse, one->span.start);
    return one;
}

static struct tree_statement *no_statement(struct parse *parse)
{
    static const char *const words[] = {"require", "if"};
    char text[SOURCE_MESSAGE_MAX];
    const char *hint =
        "a statement is require ... else \"...\", if ... { ... }, or an "
        "assignment";

    if (parse_kind(parse) == LEX_ELSE)
        hint = "no if ends just before this else";
    else if (parse_kind(parse) == LEX_NAME &&
             parse_suggest(parse, words, 2, text))
        hint = parse_suggest(parse, words, 2, text);
    parse_expected(parse, "a statement", hint);
    return NULL;
}

static struct tree_statement *assignment(struct parse *parse)
{
    struct tree_statement *one;
    enum lex_kind next = parse_ahead(parse, 1);
    bool alone = next == LEX_NAME || next == LEX_OPEN_PAREN ||
                 next == LEX_NUMBER || lex_is_word(next);

    if (alone && !parse->tokens[parse->at + 1].first)
        return no_statement(parse);
    one = parse_give(parse, sizeof *one);
    if (!one)
        return NULL;
    one->span = parse_span(parse);
    one->target = parse_place(parse);
    if (!one->target)
        return NULL;
    if (parse_take_here(parse, LEX_ASSIGN)) {
        one->kind = TREE_ASSIGN;
    } else if (parse_take_here(parse, LEX_INCREASE)) {
        one->kind = TREE_INCREASE;
    } else if (parse_take_here(parse, LEX_DECREASE)) {
        one->kind = TREE_DECREASE;
    } else {
        parse_expected(
            parse, "=, += or -=",
            parse_kind(parse) == LEX_EQUAL
                ? "= assigns; == compares"
                : "a statement is require ... else \"...\", if ... { ... }, "
                  "or an assignment");
        return NULL;
    }
    one->value = parse_expr(parse);
    if (!one->value)
        return NULL;
    one->span = parse_from(parse, one->span.start);
    return one;
}

static struct tree_statement *statement(struct parse *parse)
{
    switch (parse_kind(parse)) {
    case LEX_REQUIRE:
        return parse_require(parse);
    case LEX_IF:
        return branch(parse);
    case LEX_NAME:
    case LEX_NOW:
    case LEX_ID:
    case LEX_OLD:
        return assignment(parse);
    default:
        return no_statement(parse);
    }
}

/* --- steps ---------------------------------------------------------------- */

bool parse_step(struct parse *parse, struct tree_entity *entity)
{
    struct tree_step step = {.span = parse_span(parse)};

    parse_mark(parse, LEX_STEPS);
    step.internal = parse_take(parse, LEX_INTERNAL);
    if (!parse_expect(parse, LEX_STEP, "internal stands before a step"))
        return false;
    if (!parse_name(parse, "the name of a step", true, &step.name) ||
        !parse_parameters(parse, false, &step.parameters,
                          &step.parameter_count))
        return false;
    if (parse_take(parse, LEX_WHEN)) {
        step.when = parse_expr(parse);
        if (!step.when)
            return false;
    }
    step.body = parse_block(parse);
    if (!step.body)
        return false;
    step.span = parse_from(parse, step.span.start);
    entity->steps = parse_room_upto(parse, entity->steps, entity->step_count,
                                    sizeof step, TREE_STEPS_MAX, "steps");
    if (!entity->steps)
        return false;
    entity->steps[entity->step_count++] = step;
    return true;
}
