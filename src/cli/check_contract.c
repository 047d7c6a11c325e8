/* `kan check FILE.kan`: load the contract, walk its types, its sagas, and the
 * blocks that run them. */

#include "cli/check_contract.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "check/draw/run.h"
#include "cli/files.h"
#include "models/entity_table.h"
#include "models/saga_table.h"

enum
{
    EVENTS = 4 /* events of an entity in its model, at most */
};

static double seconds_now(void *data)
{
    struct timespec now;

    (void)data;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool is_late(void *data)
{
    struct check_contract *check = data;

    if (check->deadline > 0 && seconds_now(NULL) >= check->deadline)
        check->stopped = true;
    return check->stopped;
}

static int out_of_memory(const struct check_contract *check)
{
    return command_refuse("check", "%s: %s", check->options->file,
                          kan_err_text(KAN_NOMEM));
}

/* --- the text ------------------------------------------------------------- */

static int load(struct check_contract *check)
{
    struct buffer text = BUFFER_INIT;
    struct buffer faults = BUFFER_INIT;
    const char *file = check->options->file;
    int code = file_read("check", file, &text);
    enum kan_err err = KAN_OK;

    if (code == EXIT_DONE)
        err = contract_load(kan_text(file), buffer_slice(&text),
                            &check->contract, &faults);
    if (err == KAN_INVALID) {
        fputs(buffer_text(&faults), stderr);
        code = EXIT_USAGE;
    } else if (err) {
        code = command_refuse("check", "%s: %s", file, kan_err_text(err));
    }
    buffer_fini(&text);
    buffer_fini(&faults);
    return code;
}

static int check_syntax(const char *file)
{
    struct buffer text = BUFFER_INIT;
    struct buffer faults = BUFFER_INIT;
    struct source source = {0};
    struct tree tree = {0};
    int code = file_read("check", file, &text);

    if (code != EXIT_DONE)
        return code;
    enum kan_err err =
        source_init(&source, kan_text(file), buffer_slice(&text));
    if (err == KAN_FULL) {
        buffer_fini(&text);
        return command_refuse("check", "%s: it is larger than %d MiB", file,
                              SOURCE_BYTES_MAX >> 20);
    }
    if (err == KAN_OK)
        err = tree_parse(&tree, &source);
    if (err == KAN_OK)
        err = tree_check(&tree);
    if (err == KAN_INVALID) {
        source_print(&source, &faults);
        fputs(buffer_text(&faults), stderr);
        code = EXIT_USAGE;
    } else if (err) {
        code = command_refuse("check", "%s: %s", file, kan_err_text(err));
    }
    tree_fini(&tree);
    source_fini(&source);
    buffer_fini(&text);
    buffer_fini(&faults);
    return code;
}

int check_contract_syntax(const char *const *files, int count)
{
    int worst = EXIT_DONE;

    for (int i = 0; i < count; i++) {
        int code = check_syntax(files[i]);
        worst = code > worst ? code : worst;
    }
    return worst;
}

/* --- types and sagas by themselves ---------------------------------------- */

static struct law_budget budget_of(struct check_contract *check)
{
    return (struct law_budget){
        .states_max = check->options->states,
        .depth_max = check->options->depth,
        .bytes_max = check->options->memory_max,
        .stop = is_late,
        .data = check,
    };
}

static enum kan_err walk_type(struct check_contract *check,
                              struct check_type *type)
{
    struct law_budget budget = budget_of(check);
    struct law_walk walk;
    uint32_t laws = law_count(check->contract, type->type, type->version);
    uint32_t steps = program_step_count(type->program);

    type->laws = mem_zalloc((laws + 1) * sizeof *type->laws);
    type->pairs = mem_zalloc((size_t)steps * steps * sizeof *type->pairs + 1);
    type->steps = mem_zalloc((steps + 1) * sizeof *type->steps);
    if (!type->laws || !type->pairs || !type->steps)
        return KAN_NOMEM;
    type->step_count = steps;
    enum kan_err err = law_check(check->contract, type->type, type->version,
                                 &budget, type->laws, &type->walk);
    if (err == KAN_OK) {
        type->law_count = laws;
        err = law_pairs(check->contract, type->type, type->version, &budget,
                        type->pairs, type->steps, &walk);
    }
    if (err == KAN_OK) {
        type->walk.complete &= walk.complete;
        type->walk.stopped |= walk.stopped;
    }
    return err;
}

static enum kan_err walk_types(struct check_contract *check)
{
    const struct contract *contract = check->contract;
    enum kan_err err = KAN_OK;
    uint32_t count = 0;

    for (uint32_t i = 0; i < contract_type_count(contract); i++)
        count +=
            contract_newest(contract, i) - contract_oldest(contract, i) + 1;
    check->types = mem_zalloc((count + 1) * sizeof *check->types);
    if (!check->types)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < contract_type_count(contract); i++) {
        uint32_t newest = contract_newest(contract, i);
        for (uint32_t v = contract_oldest(contract, i); v <= newest; v++) {
            struct check_type *type = &check->types[check->type_count];
            *type = (struct check_type){
                .type = i,
                .version = v,
                .program = contract_program(contract, i, v),
            };
            if (err || !type->program)
                continue;
            check->type_count++;
            err = walk_type(check, type);
        }
    }
    return err;
}

static enum kan_err walk_sagas(struct check_contract *check)
{
    uint32_t count = contract_saga_count(check->contract);
    struct law_budget budget = budget_of(check);
    enum kan_err err = KAN_OK;

    check->sagas = mem_zalloc((count + 1) * sizeof *check->sagas);
    if (!check->sagas)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count && err == KAN_OK; i++) {
        err = law_saga_check(check->contract, i, &budget, &check->sagas[i]);
        check->saga_count += err == KAN_OK;
    }
    return err;
}

/* --- the blocks ----------------------------------------------------------- */

/* Tell the model's own walk in words. */
static void note_result(struct check_contract *check, struct check_block *block,
                        struct space *space, const struct target *target,
                        const struct walk_result *result)
{
    struct scenario head;
    struct run *run = NULL;

    block->verdict = result->verdict;
    block->complete = result->complete;
    block->states = result->states;
    block->steps = result->generated;
    block->depth = result->depth;
    target_head(target, &head);
    for (uint32_t i = 0; i < head.fault_count; i++) {
        if (head.faults[i].value > 0)
            buffer_print(&block->budget, "%s%s=%lld",
                         block->budget.size > 0 ? ", " : "",
                         head.faults[i].name, (long long)head.faults[i].value);
    }
    if (result->verdict == WALK_UNKNOWN)
        buffer_append_text(&block->property, result->why);
    if (result->verdict != WALK_FAILS)
        return;
    block->run_steps = result->run.step_count;
    buffer_append_text(
        &block->property,
        result->property >= 0
            ? space_property(space, (uint32_t)result->property)->name
            : result->why);
    if (run_new(space, &result->run, block->model,
                buffer_text(&block->property), &run) != KAN_OK ||
        run_draw_text(run, check->options->width, check->options->colour,
                      &block->drawing) != KAN_OK)
        buffer_append_text(&block->drawing, "out of memory for the drawing\n");
    run_free(run);
}

static int walk_space(struct check_contract *check, struct check_block *block,
                      const struct target *target)
{
    const struct space_options options = {
        .module = target->module,
        .model = target->module->model,
        .parameters = target->parameters,
        .faults = &target->faults,
        .memory_max = check->options->memory_max,
    };
    struct walk_options how = {
        .memory_max = check->options->memory_max,
        .clock = seconds_now,
    };
    struct walk_result result;
    struct buffer why = BUFFER_INIT;
    struct space *space = NULL;
    enum kan_err err = space_new(&options, &space, &why);

    how.space = space;
    if (check->deadline > 0) {
        how.seconds_max = check->deadline - seconds_now(NULL);
        if (how.seconds_max <= 0)
            how.seconds_max = 1e-3;
    }
    if (err == KAN_OK)
        err = walk(&how, &result);
    if (err == KAN_OK) {
        note_result(check, block, space, target, &result);
        walk_result_fini(&result);
    }
    int code =
        err ? command_refuse("check", "%s: %s", block->model,
                             why.size ? buffer_text(&why) : kan_err_text(err))
            : EXIT_DONE;
    space_free(space);
    buffer_fini(&why);
    return code;
}

static int walk_block(struct check_contract *check, struct check_block *block)
{
    struct target target;
    int code = target_open("check", block->model, &target);

    if (code != EXIT_DONE)
        return code;
    if (check->options->faults)
        code = target_set_faults("check", &target, check->options->faults);
    if (code == EXIT_DONE)
        code = walk_space(check, block, &target);
    target_close(&target);
    return code;
}

/* The entity block, with states and steps of the type for its entity. */
static int walk_entity(struct check_contract *check, uint32_t type)
{
    struct check_block *block = &check->blocks[check->block_count++];
    const struct entity_table *before = entity_table;
    struct entity_table table = {0};

    *block = (struct check_block){.model = "entity", .number = type};
    if (law_table_make(check->contract, type, EVENTS, &block->table) != KAN_OK)
        return out_of_memory(check);
    if (block->table.calls == 0) {
        check->block_count--; /* no step can ever be taken */
        law_table_fini(&block->table);
        return EXIT_DONE;
    }
    table.states = block->table.states;
    table.calls = block->table.calls;
    memset(table.next, ENTITY_TABLE_REFUSES, sizeof table.next);
    for (uint32_t i = 0; i < table.states; i++)
        memcpy(table.next[i], block->table.next[i], table.calls);
    entity_table = &table;
    int code = walk_block(check, block);
    entity_table = before;
    return code;
}

static int walk_saga(struct check_contract *check, uint32_t saga)
{
    struct check_block *block = &check->blocks[check->block_count++];
    struct contract_saga told = contract_saga(check->contract, saga);
    const struct saga_table *before = saga_table;
    struct saga_table table = {.step_count = told.step_count,
                               .pivot = told.pivot};
    struct contract_saga_call call;

    *block = (struct check_block){.model = "saga", .number = saga};
    for (uint32_t i = 0; i < told.step_count; i++) {
        if (contract_saga_undo(check->contract, saga, i, &call))
            table.undoable |= 1u << i;
    }
    saga_table = &table;
    int code = walk_block(check, block);
    saga_table = before;
    return code;
}

static int walk_blocks(struct check_contract *check)
{
    uint32_t types = contract_type_count(check->contract);
    uint32_t sagas = contract_saga_count(check->contract);
    int code = EXIT_DONE;

    check->blocks = mem_zalloc((types + sagas + 1) * sizeof *check->blocks);
    if (!check->blocks)
        return out_of_memory(check);
    for (uint32_t i = 0; i < types && code == EXIT_DONE; i++)
        code = walk_entity(check, i);
    for (uint32_t i = 0; i < sagas && code == EXIT_DONE; i++)
        code = walk_saga(check, i);
    return code;
}

/* --- the command ---------------------------------------------------------- */

static void end(struct check_contract *check)
{
    for (uint32_t i = 0; i < check->type_count; i++) {
        struct check_type *type = &check->types[i];
        for (uint32_t l = 0; l < type->law_count; l++)
            law_result_fini(&type->laws[l]);
        mem_free(type->laws);
        mem_free(type->pairs);
        mem_free(type->steps);
    }
    for (uint32_t i = 0; i < check->saga_count; i++)
        law_saga_fini(&check->sagas[i]);
    for (uint32_t i = 0; i < check->block_count; i++) {
        buffer_fini(&check->blocks[i].budget);
        buffer_fini(&check->blocks[i].property);
        buffer_fini(&check->blocks[i].drawing);
        law_table_fini(&check->blocks[i].table);
    }
    check_contract_runs_fini(check);
    mem_free(check->types);
    mem_free(check->sagas);
    mem_free(check->blocks);
    contract_unref(check->contract);
}

enum walk_verdict check_contract_verdict(const struct check_contract *check)
{
    bool unknown = check->stopped;
    bool fails = false;

    for (uint32_t i = 0; i < check->type_count; i++) {
        const struct check_type *type = &check->types[i];
        for (uint32_t l = 0; l < type->law_count; l++) {
            enum law_verdict verdict = type->laws[l].verdict;
            fails |= verdict == LAW_FAILS || verdict == LAW_VACUOUS;
            unknown |= verdict == LAW_UNKNOWN;
        }
        unknown |= type->walk.stopped;
    }
    for (uint32_t i = 0; i < check->saga_count; i++)
        fails |= check->sagas[i].verdict == LAW_FAILS;
    for (uint32_t i = 0; i < check->block_count; i++) {
        fails |= check->blocks[i].verdict == WALK_FAILS;
        unknown |= check->blocks[i].verdict == WALK_UNKNOWN;
    }
    for (uint32_t i = 0; i < check->run_count; i++) {
        fails |= check->runs[i].fails;
        unknown |= check->runs[i].stopped;
    }
    return fails ? WALK_FAILS : unknown ? WALK_UNKNOWN : WALK_HOLDS;
}

static int print(const struct check_contract *check)
{
    struct buffer out = BUFFER_INIT;
    enum walk_verdict verdict = check_contract_verdict(check);

    if (check->options->json)
        check_contract_json(check, &out);
    else
        check_contract_text(check, &out);
    int code = verdict == WALK_HOLDS   ? EXIT_DONE
               : verdict == WALK_FAILS ? EXIT_FOUND
                                       : EXIT_UNKNOWN;
    if (buffer_failed(&out))
        code = out_of_memory(check);
    else
        fwrite(out.bytes, 1, out.size, stdout);
    buffer_fini(&out);
    return code;
}

int check_contract(const struct check_contract_options *options)
{
    struct check_contract check = {.options = options};
    int code = load(&check);

    if (options->seconds_max > 0)
        check.deadline = seconds_now(NULL) + options->seconds_max;
    if (code == EXIT_DONE && walk_types(&check) != KAN_OK)
        code = out_of_memory(&check);
    if (code == EXIT_DONE && walk_sagas(&check) != KAN_OK)
        code = out_of_memory(&check);
    if (code == EXIT_DONE)
        code = walk_blocks(&check);
    if (code == EXIT_DONE)
        code = check_contract_runs(&check, is_late);
    if (code == EXIT_DONE)
        code = print(&check);
    end(&check);
    return code;
}
