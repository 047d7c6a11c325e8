/* check_saga.c - sagas: whose steps they take, and in which order. */

#include "contract/tree/check.h"

#include <stdio.h>

/* --- parameters ----------------------------------------------------------- */

/* A lone name is a type, whose entity is meant, or a record. */
static bool parameter_named(struct tree_checker *c, struct tree_field *field)
{
    struct kan_slice name = field->entity.text;
    const struct tree_members *newest = map_get(&c->types, name);
    struct tree_record *record = map_get(&c->records, name);
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] = "declare it: type NAME { ... }";

    if (newest) {
        field->of_entity = newest->entity;
        if (!field->value)
            return true;
        source_fault(c->source, field->value->span,
                     "leave it out: who begins the saga names the entity",
                     "an entity has no default");
        return false;
    }
    if (record) {
        field->type = tree_check_give(c, sizeof(*field->type));
        if (!field->type)
            return false;
        field->type->kind = TREE_RECORD;
        field->type->span = field->entity.span;
        field->type->name = field->entity;
        return true;
    }
    tree_words_map(c, &words, &c->types);
    tree_words_map(c, &words, &c->records);
    tree_words_tell(c, &words, name, "choose one of:", hint);
    source_fault(c->source, field->entity.span, hint,
                 "no type and no record is named %.*s", SLICE_ARG(name));
    return false;
}

static bool check_parameters(struct tree_checker *c, struct tree_saga *saga)
{
    bool fine = true;
    uint32_t i;

    for (i = 0; i < saga->parameter_count; i++) {
        struct tree_field *field = &saga->parameters[i];

        if (!field->type && !parameter_named(c, field))
            fine = false;
    }
    return tree_check_fields(c, saga->parameters, saga->parameter_count, NULL,
                             "parameter") &&
           fine;
}

/* --- calls ---------------------------------------------------------------- */

/* The parameter that names the entity of a call, or NULL after a fault. */
static const struct tree_field *call_entity(struct tree_checker *c,
                                            const struct tree_saga *saga,
                                            struct tree_saga_call *call)
{
    struct tree_words words = {.count = 0};
    char hint[SOURCE_MESSAGE_MAX] =
        "name the entities behind the saga's name, as in (from: account)";
    uint32_t i;

    for (i = 0; i < saga->parameter_count; i++) {
        const struct tree_field *field = &saga->parameters[i];

        if (!slice_equal(field->name.text, call->entity.text)) {
            if (!field->type)
                tree_words_add(c, &words, field->name.text);
            continue;
        }
        call->parameter = i;
        if (field->of_entity)
            return field;
        if (field->type) {
            source_fault(c->source, call->entity.span,
                         "its type is the name of a type",
                         "%.*s is a value, and only entities have steps",
                         SLICE_ARG(call->entity.text));
        }
        return NULL; /* its own type is wrong: told already */
    }
    tree_words_tell(c, &words, call->entity.text, "its entities:", hint);
    source_fault(c->source, call->entity.span, hint,
                 "no parameter of the saga is named %.*s",
                 SLICE_ARG(call->entity.text));
    return NULL;
}

static const struct tree_members *members_of(const struct tree_checker *c,
                                             const struct tree_entity *entity)
{
    return &c->members[entity - c->tree->entities];
}

/* Arguments cannot be refused: names and constants. */
static void check_argument(struct tree_checker *c, struct tree_expr *argument,
                           const struct tree_field *parameter)
{
    if (tree_type_broken(parameter->type) ||
        !tree_check_value(c, argument, parameter->type))
        return;
    if (argument->kind == TREE_NAMED &&
        argument->meaning == TREE_MEANS_PARAMETER)
        return;
    tree_check_constant(c, argument,
                        "an argument is a parameter of the saga or a "
                        "constant");
}

static void check_call(struct tree_checker *c, const struct tree_saga *saga,
                       struct tree_saga_call *call)
{
    const struct tree_field *entity = call_entity(c, saga, call);
    const struct tree_step *step;
    uint32_t i;

    if (!entity)
        return;
    call->step =
        tree_check_step_named(c, members_of(c, entity->of_entity), &call->name);
    step = call->step;
    if (!step)
        return;
    if (call->argument_count != step->parameter_count) {
        source_fault(c->source, call->name.span,
                     "a saga gives a step all its arguments, in order",
                     "%.*s takes %u argument%s, not %u",
                     SLICE_ARG(step->name.text), step->parameter_count,
                     step->parameter_count == 1 ? "" : "s",
                     call->argument_count);
        return;
    }
    for (i = 0; i < call->argument_count; i++)
        check_argument(c, call->arguments[i], &step->parameters[i]);
}

/* --- the order of steps --------------------------------------------------- */

static void check_undo(struct tree_checker *c, const struct tree_saga *saga,
                       struct tree_saga_step *one)
{
    if (one->call.step &&
        !slice_equal(one->undo.entity.text, one->call.entity.text)) {
        source_fault(c->source, one->undo.entity.span,
                     "undo what was done, where it was done",
                     "this step is %.*s's, and its undo is %.*s's",
                     SLICE_ARG(one->call.entity.text),
                     SLICE_ARG(one->undo.entity.text));
        return;
    }
    check_call(c, saga, &one->undo);
}

/* Steps with an undo; the pivot; steps with `then`. */
static void check_order(struct tree_checker *c, struct tree_saga *saga)
{
    uint32_t i;

    saga->pivot = saga->step_count;
    for (i = 0; i < saga->step_count; i++) {
        struct tree_saga_step *one = &saga->steps[i];
        bool behind = saga->pivot < saga->step_count;

        if (one->then && one->has_undo) {
            source_fault(c->source, one->undo.span, "leave the undo out",
                         "what stands behind the pivot is never undone");
        } else if (one->then && !behind) {
            source_fault(c->source, one->call.span,
                         "leave `then` out, or the undo of the step before it",
                         "`then` stands behind the pivot, the first step "
                         "without an undo, and there is none before this");
            return;
        } else if (!one->then && behind) {
            source_fault(c->source, one->call.span,
                         one->has_undo
                             ? "move it before the pivot, the first step "
                               "without an undo"
                             : "write `then` before it when nothing can "
                               "refuse it, or give the steps before it an undo",
                         "behind the pivot each step has `then`");
        } else if (!one->then && !one->has_undo) {
            saga->pivot = i;
        }
    }
}

/* --- the whole ------------------------------------------------------------ */

static void check_saga(struct tree_checker *c, struct tree_saga *saga)
{
    uint32_t i;

    check_parameters(c, saga);
    if (saga->step_count == 0) {
        source_fault(c->source, saga->name.span, "as in from.hold(amount)",
                     "the saga %.*s has no steps", SLICE_ARG(saga->name.text));
    }
    if (!tree_check_limit(c, saga->name.span, saga->step_count,
                          TREE_SAGA_STEPS_MAX, "steps of a saga"))
        return;
    c->scope = (struct tree_scope){.parameters = saga->parameters,
                                   .parameter_count = saga->parameter_count,
                                   .where = "a saga"};
    for (i = 0; i < saga->require_count; i++)
        tree_check_require(c, saga->requires[i]);
    for (i = 0; i < saga->step_count; i++) {
        check_call(c, saga, &saga->steps[i].call);
        if (saga->steps[i].has_undo)
            check_undo(c, saga, &saga->steps[i]);
    }
    check_order(c, saga);
}

void tree_check_sagas(struct tree_checker *c)
{
    uint32_t i;

    for (i = 0; i < c->tree->saga_count; i++)
        check_saga(c, &c->tree->sagas[i]);
}
