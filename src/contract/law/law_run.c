/* Runs: kept as JSON, so that they outlive the program's values, and shown as
 * the fields that each step changed. */

#include "contract/law/law_run.h"

#include "base/alloc.h"

enum
{
    CALL_WIDTH = 34, /* columns of a call before what it changed */
    FOLD_MIN = 5     /* steps in a row that are the same and told as one */
};

void law_run_fini(struct law_run *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        buffer_fini(&run->steps[i].arguments);
        buffer_fini(&run->steps[i].state);
    }
    mem_free(run->steps);
    buffer_fini(&run->start);
    *run = (struct law_run){0};
}

enum kan_err law_run_begin(struct law_run *run, const struct program *program,
                           const void *state, uint32_t first)
{
    buffer_clear(&run->start);
    program_json(program, 0, state, &run->start);
    run->first = first;
    return buffer_failed(&run->start) ? KAN_NOMEM : KAN_OK;
}

static enum kan_err add_step(struct law_run *run, const struct program *program,
                             uint32_t step, const void *arguments)
{
    struct law_run_step *steps =
        mem_realloc(run->steps, (run->count + 1) * sizeof *steps);

    if (!steps)
        return KAN_NOMEM;
    run->steps = steps;
    steps[run->count] = (struct law_run_step){.step = step, .times = 1};
    struct law_run_step *added = &steps[run->count++];
    program_json(program, program_step(program, step).arguments, arguments,
                 &added->arguments);
    return buffer_failed(&added->arguments) ? KAN_NOMEM : KAN_OK;
}

enum kan_err law_run_took(struct law_run *run, const struct program *program,
                          uint32_t step, const void *arguments, uint32_t times,
                          const void *state)
{
    enum kan_err err = add_step(run, program, step, arguments);

    if (err)
        return err;
    law_run_last(run)->times = times;
    program_json(program, 0, state, &law_run_last(run)->state);
    return buffer_failed(&law_run_last(run)->state) ? KAN_NOMEM : KAN_OK;
}

enum kan_err law_run_refused(struct law_run *run, const struct program *program,
                             uint32_t step, const void *arguments,
                             const struct program_refusal *refusal)
{
    enum kan_err err = add_step(run, program, step, arguments);

    if (err)
        return err;
    law_run_last(run)->refused = true;
    program_refusal_text(program, refusal, step, &law_run_last(run)->state);
    return buffer_failed(&law_run_last(run)->state) ? KAN_NOMEM : KAN_OK;
}

/* --- the same step in a row ----------------------------------------------- */

static bool is_same(const struct law_run_step *a, const struct law_run_step *b)
{
    return a->step == b->step && !a->varied && !b->varied && !a->refused &&
           !b->refused && !a->ours && !b->ours &&
           slice_equal(buffer_slice(&a->arguments),
                       buffer_slice(&b->arguments));
}

/* How many steps from there on are the same. */
static uint32_t count_same(const struct law_run *run, uint32_t from)
{
    uint32_t end = from + 1;

    while (end < run->count && is_same(&run->steps[from], &run->steps[end]))
        end++;
    return end - from;
}

void law_run_fold(struct law_run *run)
{
    uint32_t kept = 0;

    for (uint32_t i = 0, many; i < run->count; i += many) {
        uint32_t times = 0;
        many = count_same(run, i);
        if (many < FOLD_MIN)
            many = 1;
        for (uint32_t k = i; k < i + many; k++)
            times += run->steps[k].times;
        for (uint32_t k = i; k + 1 < i + many; k++) {
            buffer_fini(&run->steps[k].arguments);
            buffer_fini(&run->steps[k].state);
        }
        run->steps[kept] = run->steps[i + many - 1];
        run->steps[kept++].times = times;
    }
    run->count = kept;
}

/* --- for people ----------------------------------------------------------- */

/* A value as the language writes it: constants of enums without quotes. A text
 * looks the same as an enum in JSON; the type tells them apart. */
static void print_value(const struct program *program, uint32_t type,
                        const struct json_node *node, struct buffer *out)
{
    enum tree_type_kind kind = program_type(program, type)->kind;

    if (node->kind == JSON_NULL)
        buffer_append_text(out, "none");
    else if (kind == TREE_OPTIONAL)
        print_value(program, program_type(program, type)->of, node, out);
    else if (node->kind == JSON_STRING && kind != TREE_TEXT)
        buffer_append(out, node->text);
    else
        buffer_append(out, node->raw);
}

void law_call_print(const struct program *program, uint32_t step,
                    struct kan_slice arguments, struct buffer *out)
{
    struct program_step called = program_step(program, step);
    struct json_tree tree = {0};
    const char *comma = "";

    buffer_append(out, called.name);
    if (json_parse(arguments, NULL, &tree) == KAN_OK &&
        tree.nodes[0].kind == JSON_OBJECT &&
        program_type(program, called.arguments)->member_count > 0) {
        buffer_append_byte(out, '(');
        uint32_t count = program_type(program, called.arguments)->member_count;
        for (uint32_t i = 0; i < count; i++) {
            struct program_member member =
                program_member(program, called.arguments, i);
            const struct json_node *node = json_first(&tree, tree.nodes);
            while (node && !slice_equal(node->name, member.name))
                node = json_next(&tree, tree.nodes, node);
            if (!node)
                continue;
            buffer_append_text(out, comma);
            buffer_append(out, member.name);
            buffer_append_text(out, ": ");
            print_value(program, member.type, node, out);
            comma = ", ";
        }
        buffer_append_byte(out, ')');
    }
    json_fini(&tree);
}

/* The fields in which two states differ: "balance: 0 -> 5, held: 5 -> 0". */
static void print_changes(const struct program *program,
                          const struct json_tree *before,
                          const struct json_tree *after, struct buffer *out)
{
    uint32_t count = program_type(program, 0)->member_count;
    const struct json_node *old = json_first(before, before->nodes);
    const struct json_node *new_ = json_first(after, after->nodes);
    const char *comma = "";

    for (uint32_t i = 0; i < count && old && new_; i++) {
        struct program_member member = program_member(program, 0, i);
        if (!slice_equal(old->raw, new_->raw)) {
            buffer_append_text(out, comma);
            buffer_append(out, member.name);
            buffer_append_text(out, ": ");
            print_value(program, member.type, old, out);
            buffer_append_text(out, " -> ");
            print_value(program, member.type, new_, out);
            comma = ", ";
        }
        old = json_next(before, before->nodes, old);
        new_ = json_next(after, after->nodes, new_);
    }
    if (comma[0] == 0)
        buffer_append_text(out, "(nothing changes)");
}

static void print_effect(const struct program *program,
                         const struct buffer *state,
                         const struct law_run_step *step, struct buffer *out)
{
    struct json_tree before = {0};
    struct json_tree after = {0};

    if (step->refused) {
        buffer_append_text(out, "refused: ");
        buffer_append(out, buffer_slice(&step->state));
    } else if (json_parse(buffer_slice(state), NULL, &before) == KAN_OK &&
               json_parse(buffer_slice(&step->state), NULL, &after) == KAN_OK) {
        print_changes(program, &before, &after, out);
    }
    json_fini(&before);
    json_fini(&after);
}

void law_run_print(const struct program *program, const struct law_run *run,
                   struct buffer *out)
{
    const struct buffer *state = &run->start;

    for (uint32_t i = 0; i < run->count; i++) {
        const struct law_run_step *step = &run->steps[i];
        size_t begin;
        buffer_print(out, "%3u  ", run->first + i + 1);
        begin = out->size;
        law_call_print(program, step->step, buffer_slice(&step->arguments),
                       out);
        if (step->times > 1)
            buffer_print(out, " %u times%s", step->times,
                         step->varied ? ", each with another" : "");
        if (step->undo)
            buffer_append_text(out, ", as undo");
        else if (step->ours)
            buffer_append_text(out, ", the saga's");
        do
            buffer_append_byte(out, ' ');
        while (!out->failed && out->size - begin < CALL_WIDTH);
        buffer_append_byte(out, ' ');
        print_effect(program, state, step, out);
        buffer_append_byte(out, '\n');
        if (!step->refused)
            state = &step->state;
    }
}

/* --- for programs --------------------------------------------------------- */

void law_run_json(const struct program *program, const struct law_run *run,
                  struct buffer *out)
{
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < run->count; i++) {
        const struct law_run_step *step = &run->steps[i];
        buffer_append_text(out, i ? ",{\"step\":" : "{\"step\":");
        json_append_string(out, program_step(program, step->step).name);
        buffer_print(out, ",\"times\":%u,\"arguments\":", step->times);
        buffer_append(out, buffer_slice(&step->arguments));
        if (step->varied)
            buffer_append_text(out, ",\"varied\":true");
        if (step->ours)
            buffer_print(out, ",\"saga\":\"%s\"", step->undo ? "undo" : "do");
        if (step->refused) {
            buffer_append_text(out, ",\"refused\":");
            json_append_string(out, buffer_slice(&step->state));
        } else {
            buffer_append_text(out, ",\"state\":");
            buffer_append(out, buffer_slice(&step->state));
        }
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}
