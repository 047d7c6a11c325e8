/* generate_dot.c - states and steps as a picture for Graphviz, a cluster for
 * each type. Steps between the same two states share an edge when they lead
 * away, and the state's own line when they come back to it, so that the text
 * can be read as well. */

#include "contract/generate/generate.h"
#include "contract/generate/states.h"

/* A text within quotes. \l of what is put together here is not touched. */
static void quoted(struct buffer *out, struct kan_slice text)
{
    size_t i;

    for (i = 0; i < text.size; i++) {
        unsigned char c = slice_at(text, i);

        if (c == '"' || c == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, c == '\n' || c == '\r' || c == '\t' ? ' ' : c);
    }
}

static struct kan_slice state_name(const struct states *states, uint32_t value)
{
    return states->field ? states->field->type->names[value].text
                         : states->entity->name.text;
}

/* Whether all that a guard asks for is the state it begins in. */
static bool asks_for_state_alone(const struct states *states,
                                 const struct tree_expr *expr)
{
    if (expr->kind == TREE_NAMED)
        return expr->meaning == TREE_MEANS_CONSTANT ||
               (expr->meaning == TREE_MEANS_FIELD && states->field &&
                expr->place == states->field->place);
    if (expr->kind == TREE_UNARY)
        return asks_for_state_alone(states, expr->left);
    return expr->kind == TREE_BINARY &&
           asks_for_state_alone(states, expr->left) &&
           asks_for_state_alone(states, expr->right);
}

/* deposit(amount) [when amount <= held] */
static void step_label(struct buffer *out, const struct tree *tree,
                       const struct states *states,
                       const struct tree_step *step)
{
    uint32_t i;

    if (step->internal)
        buffer_append_text(out, "internal ");
    quoted(out, step->name.text);
    for (i = 0; i < step->parameter_count; i++) {
        buffer_append_text(out, i ? ", " : "(");
        quoted(out, step->parameters[i].name.text);
    }
    if (step->parameter_count > 0)
        buffer_append_byte(out, ')');
    if (step->when && !asks_for_state_alone(states, step->when)) {
        buffer_append_text(out, " [");
        quoted(out, source_slice(tree->source, step->when->span));
        buffer_append_byte(out, ']');
    }
    buffer_append_text(out, "\\l");
}

/* All steps from one state to another, on one edge. */
static void edge_write(struct buffer *out, const struct tree *tree,
                       const struct states *states, uint32_t type,
                       uint32_t from, uint32_t to)
{
    const struct tree_entity *entity = states->entity;
    struct buffer label = BUFFER_INIT;
    uint32_t i;

    for (i = 0; i < entity->step_count; i++) {
        struct states_set after = states_after(states, &entity->steps[i], from);

        if (states_has(&after, to))
            step_label(&label, tree, states, &entity->steps[i]);
    }
    if (label.size > 0) {
        buffer_print(out, "        s%u_%u -> s%u_%u [label=\"", type, from,
                     type, to);
        buffer_append(out, buffer_slice(&label));
        buffer_append_text(out, "\"];\n");
    }
    if (buffer_failed(&label))
        out->failed = true;
    buffer_fini(&label);
}

static void entity_write(struct buffer *out, const struct tree *tree,
                         const struct tree_entity *entity, uint32_t type)
{
    struct states states;
    uint32_t from;
    uint32_t to;

    states_find(entity, &states);
    buffer_print(out, "\n    subgraph cluster_%u {\n        label=\"", type);
    quoted(out, entity->name.text);
    if (entity->version > 1)
        buffer_print(out, ", version %u", entity->version);
    if (states.field) {
        buffer_append_text(out, ", by ");
        quoted(out, states.field->name.text);
    }
    buffer_print(out, "\";\n        start_%u [shape=point];\n", type);
    for (from = 0; from < states.count; from++) {
        buffer_print(out, "        s%u_%u [label=\"", type, from);
        quoted(out, state_name(&states, from));
        buffer_append_text(out, "\"];\n");
    }
    buffer_print(out, "        start_%u -> s%u_%u;\n", type, type,
                 states_start(&states));
    for (from = 0; from < states.count; from++) {
        for (to = 0; to < states.count; to++)
            edge_write(out, tree, &states, type, from, to);
    }
    buffer_append_text(out, "    }\n");
}

enum kan_err generate_dot(const struct contract *contract,
                          const struct generate_options *options,
                          struct buffer *out)
{
    const struct tree *tree = contract_tree(contract);
    bool any = false;
    uint32_t i;

    buffer_append_text(out, "digraph \"");
    quoted(out, options->stem);
    buffer_append_text(out,
                       "\" {\n    rankdir=LR;\n"
                       "    node [shape=box, style=rounded];\n");
    for (i = 0; i < tree->entity_count; i++) {
        const struct tree_entity *entity = &tree->entities[i];

        if (tree_entity(tree, entity->name.text, 0) != entity ||
            (options->type.size > 0 &&
             !slice_equal(options->type, entity->name.text)))
            continue;
        any = true;
        entity_write(out, tree, entity, i);
    }
    buffer_append_text(out, "}\n");
    if (buffer_failed(out))
        return KAN_NOMEM;
    return any ? KAN_OK : KAN_NOTFOUND;
}
