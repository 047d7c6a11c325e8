/* What `kan check FILE.kan` prints. */

#include "base/json.h"
#include "cli/check_contract.h"

#define ULL(n) ((unsigned long long)(n))

enum
{
    NAME_MAX = 14, /* columns of a step's name in the table */
    TABLE_MAX = 90 /* columns of a table whose heads are not cut to three */
};

static const char *walk_text(enum walk_verdict verdict)
{
    return verdict == WALK_HOLDS   ? "holds"
           : verdict == WALK_FAILS ? "fails"
                                   : "unknown";
}

static const char *law_verdict_text(enum law_verdict verdict)
{
    switch (verdict) {
    case LAW_HOLDS:
        return "holds";
    case LAW_FAILS:
        return "fails";
    case LAW_VACUOUS:
        return "never runs";
    case LAW_UNKNOWN:
        break;
    }
    return "unknown";
}

/* A law on one line, without the word itself and the spaces that align it. */
static void print_law(struct kan_slice text, struct buffer *out)
{
    bool space = false;
    size_t begin = out->size;

    if (slice_starts(text, SLICE("law ")))
        text = slice_skip(text, 4);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = slice_at(text, i);
        bool blank = byte == ' ' || byte == '\n' || byte == '\t';
        if (!blank && space && out->size > begin)
            buffer_append_byte(out, ' ');
        if (!blank)
            buffer_append_byte(out, byte);
        space = blank;
    }
}

static void print_extent(const struct law_walk *walk, struct buffer *out)
{
    buffer_print(out, "%llu states, %llu steps, depth %u; %s",
                 ULL(walk->states), ULL(walk->steps), walk->depth,
                 walk->complete  ? "complete"
                 : walk->stopped ? "the time is used up"
                                 : "within the budget");
}

/* --- a type --------------------------------------------------------------- */

/* Both runs of a law that fails. */
static void print_runs(const struct check_type *type,
                       const struct law_result *law, struct buffer *out)
{
    buffer_append_text(out,
                       ": fails\n   from the start, then the left side:\n");
    law_run_print(type->program, &law->run, out);
    buffer_print(out, "   %s%u, the right side:\n",
                 law->at ? "instead, behind step " : "instead, step ", law->at);
    law_run_print(type->program, &law->other, out);
    if (law->other.count == 0)
        buffer_append_text(out, "     nothing\n");
}

static void print_verdict(const struct check_type *type,
                          const struct law_result *law, struct buffer *out)
{
    switch (law->verdict) {
    case LAW_HOLDS:
        buffer_print(out, ": holds%s (%llu tried)\n",
                     type->walk.complete ? "" : " within the budget",
                     ULL(law->checked));
        break;
    case LAW_FAILS:
        print_runs(type, law, out);
        break;
    case LAW_VACUOUS:
        buffer_append_text(out,
                           ": never runs: no state that was reached can "
                           "run both sides\n");
        break;
    case LAW_UNKNOWN:
        buffer_print(out,
                     ": unknown: no state that was reached can run both "
                     "sides, and not all were: walk further with more %s\n",
                     type->walk.stopped ? "--time" : "--states, or --depth");
        break;
    }
}

static void print_laws(const struct check_contract *check,
                       const struct check_type *type, struct buffer *out)
{
    for (uint32_t i = 0; i < type->law_count; i++) {
        buffer_append_text(out, "  law ");
        print_law(law_text(check->contract, type->type, type->version, i), out);
        print_verdict(type, &type->laws[i], out);
    }
}

static const char *pair_text(const struct law_pair *pair)
{
    if (pair->commutes)
        return "=";
    if (!pair->meets)
        return ".";
    return pair->fits ? "~" : "x";
}

static void print_cell(struct kan_slice name, uint32_t width,
                       struct buffer *out)
{
    struct kan_slice head = slice_head(name, width);

    buffer_append(out, head);
    for (size_t i = head.size; i < width; i++)
        buffer_append_byte(out, ' ');
}

/* Columns for the names over the table. */
static uint32_t head_width(const struct check_type *type)
{
    uint32_t longest = 3;

    for (uint32_t i = 0; i < type->step_count; i++) {
        size_t size = program_step(type->program, i).name.size;
        if (size > longest)
            longest = size < NAME_MAX ? (uint32_t)size : NAME_MAX;
    }
    return (longest + 1) * type->step_count <= TABLE_MAX ? longest : 3;
}

static void print_pairs(const struct check_type *type, struct buffer *out)
{
    uint32_t count = type->step_count;
    uint32_t width = head_width(type);

    buffer_append_text(out,
                       "  pairs of steps: = the same in either order, "
                       "refusals too; ~ the same where both orders fit;\n"
                       "  x not the same; . one order alone fits, or "
                       "none\n    ");
    print_cell(kan_slice(NULL, 0), NAME_MAX, out);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_byte(out, ' ');
        print_cell(program_step(type->program, i).name, width, out);
    }
    for (uint32_t i = 0; i < count; i++) {
        while (out->size > 0 && out->bytes[out->size - 1] == ' ')
            out->size--;
        buffer_append_text(out, "\n    ");
        print_cell(program_step(type->program, i).name, NAME_MAX, out);
        for (uint32_t j = 0; j <= i; j++) {
            buffer_append_byte(out, ' ');
            print_cell(kan_text(pair_text(&type->pairs[i * count + j])), width,
                       out);
        }
    }
    while (out->size > 0 && out->bytes[out->size - 1] == ' ')
        out->size--;
    buffer_append_byte(out, '\n');
}

static void print_steps(const struct check_type *type, struct buffer *out)
{
    bool any = false;

    buffer_print(
        out, "  stable%s:", type->walk.complete ? "" : " within the budget");
    for (uint32_t i = 0; i < type->step_count; i++) {
        if (!type->steps[i].stable)
            continue;
        buffer_print(out, "%s %.*s", any ? "," : "",
                     SLICE_ARG(program_step(type->program, i).name));
        any = true;
    }
    buffer_append_text(out, any ? "\n"
                                : " none (each step can be shut out by "
                                  "another)\n");
    for (uint32_t i = 0; i < type->step_count; i++) {
        struct kan_slice name = program_step(type->program, i).name;
        if (type->steps[i].never)
            buffer_print(out, "  %.*s: no state that was reached takes it\n",
                         SLICE_ARG(name));
        if (type->steps[i].invariant.size > 0)
            buffer_print(out,
                         "  %.*s: refused where %.*s would not hold, which "
                         "its guard and requires allow\n",
                         SLICE_ARG(name), SLICE_ARG(type->steps[i].invariant));
    }
}

static void print_type(const struct check_contract *check,
                       const struct check_type *type, struct buffer *out)
{
    buffer_print(out,
                 "\n%.*s version %u: ", SLICE_ARG(program_name(type->program)),
                 type->version);
    print_extent(&type->walk, out);
    buffer_append_byte(out, '\n');
    print_laws(check, type, out);
    if (type->step_count > 0) {
        print_pairs(type, out);
        print_steps(type, out);
    }
}

/* --- sagas and blocks ----------------------------------------------------- */

static void print_saga(const struct check_contract *check, uint32_t number,
                       struct buffer *out)
{
    const struct law_saga *saga = &check->sagas[number];
    const struct tree_saga *tree =
        &contract_tree(check->contract)->sagas[number];

    buffer_print(out, "\nsaga %.*s: ", SLICE_ARG(tree->name.text));
    if (saga->verdict != LAW_FAILS) {
        buffer_append_text(out,
                           "no undo, and no step behind the pivot, can be "
                           "refused (");
        print_extent(&saga->walk, out);
        buffer_append_text(out, ")\n");
        return;
    }
    const struct tree_saga_step *step = &tree->steps[saga->step];
    const struct tree_saga_call *call = saga->undo ? &step->undo : &step->call;
    buffer_print(out, "%s %.*s.%.*s can be refused. With ",
                 saga->undo ? "the undo" : "the step behind the pivot",
                 SLICE_ARG(call->entity.text), SLICE_ARG(call->name.text));
    buffer_append(out, buffer_slice(&saga->values));
    buffer_print(out, ", of %.*s:\n",
                 SLICE_ARG(tree->parameters[saga->parameter].name.text));
    law_run_print(contract_program(check->contract, saga->type, 0), &saga->run,
                  out);
}

static struct kan_slice block_name(const struct check_contract *check,
                                   const struct check_block *block)
{
    return block->model[0] == 'e'
               ? contract_type_name(check->contract, block->number)
               : contract_saga(check->contract, block->number).name;
}

static void print_block(const struct check_contract *check,
                        struct check_block *block, struct buffer *out)
{
    bool entity = block->model[0] == 'e';

    buffer_print(out, "\n%s %.*s, on the %s block: ", entity ? "type" : "saga",
                 SLICE_ARG(block_name(check, block)), block->model);
    if (block->verdict == WALK_HOLDS)
        buffer_append_text(
            out, entity ? "no acknowledged step is lost or taken twice, events "
                          "have no gap, the state is their fold"
                        : "all steps or none, each once, whoever crashes");
    else
        buffer_print(out, "%s: %s", walk_text(block->verdict),
                     buffer_text(&block->property));
    buffer_print(out, "\n  %llu states, %llu steps, depth %u; 2 %s%s%s\n",
                 ULL(block->states), ULL(block->steps), block->depth,
                 entity ? "owners, 2 clients that ask again, a lost answer"
                        : "hosts, a client that asks again, a lost answer",
                 block->budget.size > 0 ? ", " : "",
                 buffer_text(&block->budget));
    if (entity && block->table.calls > 0) {
        buffer_append_text(out, "  calls:");
        for (uint32_t i = 0; i < block->table.calls; i++)
            buffer_print(out, "%s %u %s", i ? "," : "", i,
                         buffer_text(&block->table.names[i]));
        buffer_print(out, "; from %s\n", buffer_text(&block->table.start));
    }
    if (block->verdict == WALK_FAILS) {
        buffer_append_byte(out, '\n');
        buffer_append(out, buffer_slice(&block->drawing));
    }
}

/* A law that is unknown although there was time. */
static bool has_unmet_law(const struct check_contract *check)
{
    for (uint32_t i = 0; i < check->type_count; i++) {
        const struct check_type *type = &check->types[i];
        for (uint32_t l = 0; l < type->law_count; l++) {
            if (type->laws[l].verdict == LAW_UNKNOWN && !type->walk.stopped)
                return true;
        }
    }
    return false;
}

void check_contract_text(const struct check_contract *check, struct buffer *out)
{
    enum walk_verdict verdict = check_contract_verdict(check);

    buffer_print(out, "%s: %s\n", check->options->file,
                 verdict == WALK_HOLDS   ? "holds within budget"
                 : verdict == WALK_FAILS ? "fails"
                 : !check->stopped && has_unmet_law(check)
                     ? "unknown: not all was walked"
                     : "unknown: the time or the memory is used up");
    for (uint32_t i = 0; i < check->type_count; i++)
        print_type(check, &check->types[i], out);
    for (uint32_t i = 0; i < check->saga_count; i++)
        print_saga(check, i, out);
    for (uint32_t i = 0; i < check->block_count; i++)
        print_block(check, &check->blocks[i], out);
    check_contract_runs_text(check, out);
}

/* --- for programs --------------------------------------------------------- */

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static void json_walk(const struct law_walk *walk, struct buffer *out)
{
    buffer_print(out,
                 "\"states\":%llu,\"steps\":%llu,\"depth\":%u,"
                 "\"complete\":%s",
                 ULL(walk->states), ULL(walk->steps), walk->depth,
                 truth(walk->complete));
}

static void json_law(const struct check_contract *check,
                     const struct check_type *type, uint32_t number,
                     struct buffer *out)
{
    const struct law_result *law = &type->laws[number];
    struct buffer text = BUFFER_INIT;

    print_law(law_text(check->contract, type->type, type->version, number),
              &text);
    buffer_append_text(out, number ? ",{\"law\":" : "{\"law\":");
    json_append_string(out, buffer_slice(&text));
    buffer_print(out, ",\"verdict\":\"%s\",\"checked\":%llu",
                 law_verdict_text(law->verdict), ULL(law->checked));
    if (law->verdict == LAW_FAILS) {
        buffer_print(out, ",\"at\":%u,\"left\":", law->at);
        law_run_json(type->program, &law->run, out);
        buffer_append_text(out, ",\"right\":");
        law_run_json(type->program, &law->other, out);
    }
    buffer_append_byte(out, '}');
    out->failed |= text.failed;
    buffer_fini(&text);
}

static void json_steps(const struct check_type *type, struct buffer *out)
{
    uint32_t count = type->step_count;

    for (uint32_t i = 0; i < count; i++) {
        buffer_append_text(out, i ? ",{\"step\":" : "{\"step\":");
        json_append_string(out, program_step(type->program, i).name);
        buffer_print(out, ",\"stable\":%s,\"never\":%s,\"invariant\":",
                     truth(type->steps[i].stable), truth(type->steps[i].never));
        if (type->steps[i].invariant.size > 0)
            json_append_string(out, type->steps[i].invariant);
        else
            buffer_append_text(out, "null");
        buffer_append_byte(out, '}');
    }
    buffer_append_text(out, "],\"pairs\":[");
    for (uint32_t i = 0; i < count * count; i++) {
        const struct law_pair *pair = &type->pairs[i];
        buffer_append_text(out, i ? ",{\"first\":" : "{\"first\":");
        json_append_string(out, program_step(type->program, i / count).name);
        buffer_append_text(out, ",\"second\":");
        json_append_string(out, program_step(type->program, i % count).name);
        buffer_print(out,
                     ",\"commutes\":%s,\"fits\":%s,\"meets\":%s,"
                     "\"disables\":%s,\"breaks\":%s}",
                     truth(pair->commutes), truth(pair->fits),
                     truth(pair->meets), truth(pair->disables),
                     truth(pair->breaks));
    }
}

static void json_type(const struct check_contract *check,
                      const struct check_type *type, struct buffer *out)
{
    buffer_append_text(out, "{\"type\":");
    json_append_string(out, program_name(type->program));
    buffer_print(out, ",\"version\":%u,", type->version);
    json_walk(&type->walk, out);
    buffer_append_text(out, ",\"laws\":[");
    for (uint32_t i = 0; i < type->law_count; i++)
        json_law(check, type, i, out);
    buffer_append_text(out, "],\"steps_of\":[");
    json_steps(type, out);
    buffer_append_text(out, "]}");
}

static void json_saga(const struct check_contract *check, uint32_t number,
                      struct buffer *out)
{
    const struct law_saga *saga = &check->sagas[number];
    const struct tree_saga *tree =
        &contract_tree(check->contract)->sagas[number];
    const struct tree_saga_step *step = &tree->steps[saga->step];
    const struct tree_saga_call *call = saga->undo ? &step->undo : &step->call;

    buffer_append_text(out, "{\"saga\":");
    json_append_string(out, tree->name.text);
    buffer_print(out, ",\"verdict\":\"%s\",", law_verdict_text(saga->verdict));
    json_walk(&saga->walk, out);
    if (saga->verdict == LAW_FAILS) {
        buffer_print(out, ",\"undo\":%s,\"call\":\"%.*s.%.*s\",\"parameters\":",
                     truth(saga->undo), SLICE_ARG(call->entity.text),
                     SLICE_ARG(call->name.text));
        buffer_append(out, buffer_slice(&saga->values));
        buffer_append_text(out, ",\"run\":");
        law_run_json(contract_program(check->contract, saga->type, 0),
                     &saga->run, out);
    }
    buffer_append_byte(out, '}');
}

static void json_block(const struct check_contract *check,
                       const struct check_block *block, struct buffer *out)
{
    buffer_print(out, "{\"model\":\"%s\",\"name\":", block->model);
    json_append_string(out, block_name(check, block));
    buffer_print(out,
                 ",\"verdict\":\"%s\",\"states\":%llu,\"steps\":%llu,"
                 "\"depth\":%u,\"complete\":%s,\"budget\":",
                 walk_text(block->verdict), ULL(block->states),
                 ULL(block->steps), block->depth, truth(block->complete));
    json_append_string(out, buffer_slice(&block->budget));
    if (block->property.size > 0) {
        buffer_append_text(
            out, block->verdict == WALK_FAILS ? ",\"property\":" : ",\"why\":");
        json_append_string(out, buffer_slice(&block->property));
    }
    buffer_append_byte(out, '}');
}

void check_contract_json(const struct check_contract *check, struct buffer *out)
{
    buffer_append_text(out, "{\"file\":");
    json_append_string(out, kan_text(check->options->file));
    buffer_print(out, ",\"verdict\":\"%s\",\"types\":[",
                 walk_text(check_contract_verdict(check)));
    for (uint32_t i = 0; i < check->type_count; i++) {
        buffer_append_text(out, i ? "," : "");
        json_type(check, &check->types[i], out);
    }
    buffer_append_text(out, "],\"sagas\":[");
    for (uint32_t i = 0; i < check->saga_count; i++) {
        buffer_append_text(out, i ? "," : "");
        json_saga(check, i, out);
    }
    buffer_append_text(out, "],\"blocks\":[");
    for (uint32_t i = 0; i < check->block_count; i++) {
        buffer_append_text(out, i ? "," : "");
        json_block(check, &check->blocks[i], out);
    }
    buffer_append_text(out, "],\"runs\":[");
    check_contract_runs_json(check, out);
    buffer_append_text(out, "]}\n");
}
