/* parse_law.c - laws. One stands in one line, as `;` separates its steps. */

#include "contract/tree/parse.h"

enum
{
    LAW_STEPS_MAX = 32 /* of a side; runs of laws are walked exhaustively */
};

/* NAME [ ( NAME, ... ) ] */
static bool law_step(struct parse *parse, struct tree_law_step *ret_step)
{
    struct tree_law_step step = {0};

    if (!parse_name(parse, "the name of a step", true, &step.name))
        return false;
    if (!parse_take_here(parse, LEX_OPEN_PAREN)) {
        *ret_step = step;
        return true;
    }
    parse->inside++;
    while (parse_kind(parse) != LEX_CLOSE_PAREN || step.argument_count) {
        struct tree_name name;

        if (parse_kind(parse) == LEX_NUMBER || parse_kind(parse) == LEX_STRING)
            return parse_expected(parse, "the name of a variable",
                                  "a law holds for all values: write a name, "
                                  "as in deposit(a)");
        if (!parse_name(parse, "the name of a variable", false, &name))
            return false;
        step.arguments = parse_room_upto(
            parse, step.arguments, step.argument_count, sizeof *step.arguments,
            TREE_PARAMETERS_MAX, "arguments");
        if (!step.arguments)
            return false;
        step.arguments[step.argument_count++] = name;
        if (parse_kind(parse) == LEX_CLOSE_PAREN)
            break;
        if (!parse_take(parse, LEX_COMMA))
            return parse_expected(parse, ", or )",
                                  "variables are separated by ,");
    }
    parse->inside--;
    parse_skip(parse);
    *ret_step = step;
    return true;
}

/* Whether a ; stands here and one more step behind it; and not, behind the
 * law, a member (a field, view v, step s). */
static bool law_goes_on(const struct parse *parse)
{
    enum lex_kind kind = parse_ahead(parse, 1);
    enum lex_kind behind = parse_ahead(parse, 2);

    if (parse_line_ends(parse) || parse_kind(parse) != LEX_SEMICOLON ||
        parse->tokens[parse->at + 1].first)
        return false;
    if (kind == LEX_NAME)
        return behind != LEX_COLON;
    return lex_is_head(kind) && (parse->tokens[parse->at + 2].first ||
                                 (behind != LEX_NAME && !lex_is_word(behind)));
}

/* nothing, or steps with ; between them. */
static bool law_side(struct parse *parse, struct tree_law_step **ret_steps,
                     uint32_t *ret_count)
{
    struct tree_law_step *steps = NULL;
    uint32_t count = 0;
    bool more = true;

    if (parse_take(parse, LEX_NOTHING))
        return true;
    while (more) {
        steps = parse_room_upto(parse, steps, count, sizeof *steps,
                                LAW_STEPS_MAX, "steps");
        if (!steps || !law_step(parse, &steps[count]))
            return false;
        count++;
        more = law_goes_on(parse);
        if (more)
            parse_skip(parse);
    }
    *ret_steps = steps;
    *ret_count = count;
    return true;
}

bool parse_law(struct parse *parse, struct tree_entity *entity)
{
    struct tree_law law = {.span = parse_span(parse)};

    parse_mark(parse, LEX_LAWS);
    parse_skip(parse);
    if (!law_side(parse, &law.left, &law.left_count))
        return false;
    if (parse_line_ends(parse) ||
        (parse_kind(parse) != LEX_TILDE && parse_kind(parse) != LEX_EQUAL))
        return parse_expected(
            parse, "~ or ==",
            "a law stands in one line: a; b ~ b; a (the fields end up the "
            "same), or == (and the refusals)");
    law.exact = parse_kind(parse) == LEX_EQUAL;
    parse_skip(parse);
    if (!law_side(parse, &law.right, &law.right_count))
        return false;
    law.span = parse_from(parse, law.span.start);
    entity->laws = parse_room_upto(parse, entity->laws, entity->law_count,
                                   sizeof law, TREE_STEPS_MAX, "laws");
    if (!entity->laws)
        return false;
    entity->laws[entity->law_count++] = law;
    return true;
}
