/* check_law.c - laws: two runs of steps, and the variables they share. */

#include "contract/tree/check.h"

#include <stdio.h>

struct law_walk
{
    struct tree_law *law;
    const struct tree_members *members;
    /* Of each variable the step and parameter that gave it its type. */
    const struct tree_step *steps[TREE_LAW_VARIABLES_MAX];
    const struct tree_field *parameters[TREE_LAW_VARIABLES_MAX];
};

/* The place of the variable of that name, made when it is new. UINT32_MAX:
 * there are too many. */
static uint32_t law_variable(struct tree_checker *c, struct law_walk *walk,
                             const struct tree_name *name)
{
    struct tree_law *law = walk->law;
    uint32_t i;

    for (i = 0; i < law->variable_count; i++) {
        if (slice_equal(law->variables[i].name.text, name->text))
            return i;
    }
    if (i == TREE_LAW_VARIABLES_MAX) {
        source_fault(c->source, name->span,
                     "use a variable twice, or make two laws of it",
                     "a law has %d variables at most", TREE_LAW_VARIABLES_MAX);
        return UINT32_MAX;
    }
    law->variables[i].name = *name;
    law->variables[i].place = i;
    law->variable_count++;
    return i;
}

/* The variable stands for this parameter too. */
static void law_use(struct tree_checker *c, struct law_walk *walk,
                    const struct tree_name *name, uint32_t variable,
                    const struct tree_step *step,
                    const struct tree_field *parameter)
{
    struct tree_field *field = &walk->law->variables[variable];
    const struct tree_field *first = walk->parameters[variable];
    struct tree_type_words here;
    struct tree_type_words there;

    if (tree_type_broken(parameter->type))
        return;
    if (!first) {
        walk->steps[variable] = step;
        walk->parameters[variable] = parameter;
        field->type = parameter->type;
        return;
    }
    if (tree_type_same(first->type, parameter->type))
        return;
    there = tree_type_words(first->type);
    here = tree_type_words(parameter->type);
    source_fault(c->source, name->span,
                 "use two variables, or give both parameters the same bounds",
                 "%.*s is %s in %.*s, and %s in %.*s", SLICE_ARG(name->text),
                 there.text, SLICE_ARG(walk->steps[variable]->name.text),
                 here.text, SLICE_ARG(step->name.text));
}

static void law_step(struct tree_checker *c, struct law_walk *walk,
                     struct tree_law_step *one)
{
    const struct tree_step *step;
    char hint[SOURCE_MESSAGE_MAX];
    uint32_t i;

    one->step = tree_check_step_named(c, walk->members, &one->name);
    step = one->step;
    if (!step)
        return;
    if (one->argument_count != step->parameter_count) {
        snprintf(hint, sizeof(hint),
                 "a law names a variable for each parameter of %.*s",
                 SLICE_ARG(step->name.text));
        source_fault(
            c->source, one->name.span, hint, "%.*s takes %u argument%s, not %u",
            SLICE_ARG(step->name.text), step->parameter_count,
            step->parameter_count == 1 ? "" : "s", one->argument_count);
        return;
    }
    one->variables =
        tree_check_give(c, sizeof(*one->variables) * one->argument_count);
    for (i = 0; one->variables && i < one->argument_count; i++) {
        uint32_t variable = law_variable(c, walk, &one->arguments[i]);

        if (variable == UINT32_MAX)
            return;
        one->variables[i] = variable;
        law_use(c, walk, &one->arguments[i], variable, step,
                &step->parameters[i]);
    }
}

static void check_law(struct tree_checker *c, struct tree_members *members,
                      struct tree_law *law)
{
    struct law_walk walk = {.law = law, .members = members};
    size_t arguments = 0;
    uint32_t i;

    if (law->left_count + law->right_count == 0) {
        source_fault(c->source, law->span, "name a step on one side",
                     "nothing is nothing: this law says nothing");
        return;
    }
    for (i = 0; i < law->left_count; i++)
        arguments += law->left[i].argument_count;
    for (i = 0; i < law->right_count; i++)
        arguments += law->right[i].argument_count;
    if (arguments > TREE_LAW_VARIABLES_MAX)
        arguments = TREE_LAW_VARIABLES_MAX;
    law->variables = tree_check_give(c, sizeof(*law->variables) * arguments);
    if (!law->variables)
        return;
    for (i = 0; i < law->left_count; i++)
        law_step(c, &walk, &law->left[i]);
    for (i = 0; i < law->right_count; i++)
        law_step(c, &walk, &law->right[i]);
}

void tree_check_laws(struct tree_checker *c, struct tree_members *members)
{
    struct tree_entity *entity = members->entity;
    uint32_t i;

    if (!tree_check_limit(c, entity->name.span, entity->law_count,
                          TREE_STEPS_MAX, "laws"))
        return;
    for (i = 0; i < entity->law_count; i++)
        check_law(c, members, &entity->laws[i]);
}
