/* parse_saga.c - sagas. */

#include "contract/tree/parse.h"

/* NAME . NAME ( expr, ... ) */
static bool call(struct parse *parse, struct tree_saga_call *call)
{
    static const char hint[] =
        "a saga's step is entity.step(arguments), where the entity is one of "
        "its parameters";

    call->span = parse_span(parse);
    if (parse_kind(parse) != LEX_NAME)
        return parse_expected(parse, "a step of an entity", hint);
    if (!parse_name(parse, "an entity", false, &call->entity))
        return false;
    if (!parse_take_here(parse, LEX_DOT))
        return parse_expected(parse, ".", hint);
    if (!parse_name(parse, "the name of a step", true, &call->name))
        return false;
    if (parse_line_ends(parse) || parse_kind(parse) != LEX_OPEN_PAREN)
        return parse_expected(parse, "(",
                              "a step without parameters is "
                              "called with ()");
    if (!parse_arguments(parse, &call->arguments, &call->argument_count))
        return false;
    call->span = parse_from(parse, call->span.start);
    return true;
}

static bool saga_step(struct parse *parse, struct tree_saga *saga)
{
    struct tree_saga_step step = {0};

    step.then = parse_take(parse, LEX_THEN);
    if (!call(parse, &step.call))
        return false;
    step.has_undo = parse_take(parse, LEX_UNDO);
    if (step.has_undo && !call(parse, &step.undo))
        return false;
    saga->steps = parse_room_upto(parse, saga->steps, saga->step_count,
                                  sizeof step, TREE_SAGA_STEPS_MAX, "steps");
    if (!saga->steps)
        return false;
    saga->steps[saga->step_count++] = step;
    return true;
}

static bool saga_require(struct parse *parse, struct tree_saga *saga)
{
    struct tree_statement *one;

    if (saga->step_count)
        source_fault(parse->source, parse_span(parse),
                     "guards of a saga are judged before its first step",
                     "a require stands before all steps of a saga");
    one = parse_require(parse);
    if (!one)
        return false;
    saga->requires = parse_room_upto(parse, saga->requires, saga->require_count,
                                     sizeof(struct tree_statement *),
                                     TREE_STEPS_MAX, "requires");
    if (!saga->requires)
        return false;
    saga->requires[saga->require_count++] = one;
    return true;
}

static bool saga_line(struct parse *parse, struct tree_saga *saga)
{
    static const char *const words[] = {"require", "then", "undo"};
    char text[SOURCE_MESSAGE_MAX];

    parse_item(parse, parse_kind(parse) == LEX_REQUIRE ? LEX_ITEM : LEX_CALLS);
    if (parse_kind(parse) == LEX_REQUIRE)
        return saga_require(parse, saga);
    if (parse_kind(parse) == LEX_NAME && parse_ahead(parse, 1) == LEX_NAME)
        return parse_expected(
            parse, "a step of an entity",
            parse_suggest_or(parse, words, 3, text,
                             "a saga's step is entity.step(arguments)"));
    return saga_step(parse, saga);
}

bool parse_saga(struct parse *parse)
{
    struct tree *tree = parse->tree;
    struct tree_saga saga = {.span = parse_span(parse)};
    uint32_t depth = parse->depth;
    uint32_t open;

    parse_skip(parse);
    if (!parse_name(parse, "the name of a saga", false, &saga.name))
        return false;
    if (parse_kind(parse) != LEX_OPEN_PAREN)
        return parse_expected(parse, "(",
                              "saga transfer(from: account, to: "
                              "account, amount: int) { ... }");
    if (!parse_parameters(parse, true, &saga.parameters, &saga.parameter_count))
        return false;
    if (!parse_open(parse, "its steps stand in { }", &open))
        return false;
    while (!parse_list_over(parse, open, false)) {
        uint32_t began = parse->at;

        if (parse_semicolon(parse))
            continue;
        if (!saga_line(parse, &saga) ||
            !parse_separator(parse, "a step of a saga"))
            parse_recover(parse, began);
        parse->depth = depth;
        if (parse->no_memory)
            return false;
    }
    saga.span = parse_from(parse, saga.span.start);
    tree->sagas = parse_room(parse, tree->sagas, tree->saga_count, sizeof saga);
    if (!tree->sagas)
        return false;
    tree->sagas[tree->saga_count++] = saga;
    return true;
}
