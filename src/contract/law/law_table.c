/* A few states and calls of a type, by number. */

#include "base/alloc.h"
#include "contract/law/law_run.h"
#include "contract/law/law_space.h"

enum
{
    LOOKED_AT = 300 /* states among which the first one is chosen */
};

struct choice
{
    uint32_t step;
    uint64_t number;
};

struct maker
{
    struct law_space space;
    struct law_table *table;
    struct choice calls[LAW_TABLE_CALLS_MAX];
    unsigned char *states; /* laid out, by number */
};

void law_table_fini(struct law_table *table)
{
    for (uint32_t i = 0; i < LAW_TABLE_CALLS_MAX; i++)
        buffer_fini(&table->names[i]);
    buffer_fini(&table->start);
    *table = (struct law_table){0};
}

/* Take a call from a state into space.after. */
static bool take(struct maker *maker, struct choice call, const void *state)
{
    struct law_space *space = &maker->space;
    struct program_input input =
        law_space_input(space->store.nodes[0].now_ms, 1, 0);
    struct program_refusal refusal;

    law_space_arguments(space, call.step, call.number, space->arguments);
    return program_take(space->program, call.step, state, space->arguments,
                        &input, space->after, &refusal) == KAN_OK;
}

/* Calls that the state in space.before takes, one a step, those that change it;
 * at most LAW_TABLE_CALLS_MAX are kept, and how many there are is returned. */
static uint32_t find_calls(struct maker *maker, struct choice *calls)
{
    struct law_space *space = &maker->space;
    size_t size = program_state_size(space->program);
    uint32_t count = 0;

    for (uint32_t s = 0; s < space->step_count; s++) {
        for (uint32_t w = 0; w < space->ways[s].ways; w++) {
            struct choice call = {s, law_ways_number(&space->ways[s], w)};
            if (!take(maker, call, space->before) ||
                memcmp(space->before, space->after, size) == 0)
                continue;
            if (count < LAW_TABLE_CALLS_MAX)
                calls[count] = call;
            count++;
            break;
        }
    }
    return count;
}

/* The first state in which most steps can be taken. */
static void choose_start(struct maker *maker)
{
    uint32_t best = 0;

    for (uint32_t n = 0; n < maker->space.store.count; n++) {
        struct choice calls[LAW_TABLE_CALLS_MAX];
        law_space_load(&maker->space, n, maker->space.before);
        uint32_t count = find_calls(maker, calls);
        if (n > 0 && count <= best)
            continue;
        best = count;
        maker->table->calls =
            count < LAW_TABLE_CALLS_MAX ? count : LAW_TABLE_CALLS_MAX;
        memcpy(maker->calls, calls, sizeof calls);
        memcpy(maker->states, maker->space.before,
               program_state_size(maker->space.program));
    }
    maker->table->states = 1;
}

/* The number of the state in space.after, a new one if need be; REFUSES when
 * there is no room for it. */
static uint8_t number_of(struct maker *maker)
{
    struct law_table *table = maker->table;
    size_t size = program_state_size(maker->space.program);
    size_t stride = maker->space.stride;

    for (uint32_t i = 0; i < table->states; i++) {
        if (memcmp(maker->states + i * stride, maker->space.after, size) == 0)
            return (uint8_t)i;
    }
    if (table->states == LAW_TABLE_STATES_MAX)
        return LAW_TABLE_REFUSES;
    memcpy(maker->states + table->states * stride, maker->space.after, size);
    return (uint8_t)table->states++;
}

static void fill(struct maker *maker, uint32_t depth)
{
    struct law_table *table = maker->table;
    uint32_t level_end = 1; /* states before it are fewer calls away */

    memset(table->next, LAW_TABLE_REFUSES, sizeof table->next);
    for (uint32_t i = 0; i < table->states; i++) {
        if (i == level_end) {
            level_end = table->states;
            if (depth-- <= 1)
                return;
        }
        for (uint32_t c = 0; c < table->calls; c++) {
            if (take(maker, maker->calls[c],
                     maker->states + i * maker->space.stride))
                table->next[i][c] = number_of(maker);
        }
    }
}

static enum kan_err name_calls(struct maker *maker)
{
    struct law_table *table = maker->table;
    const struct program *program = maker->space.program;
    bool failed = false;

    program_json(program, 0, maker->states, &table->start);
    for (uint32_t c = 0; c < table->calls; c++) {
        struct buffer json = BUFFER_INIT;
        uint32_t step = maker->calls[c].step;
        law_space_arguments(&maker->space, step, maker->calls[c].number,
                            maker->space.arguments);
        program_json(program, program_step(program, step).arguments,
                     maker->space.arguments, &json);
        law_call_print(program, step, buffer_slice(&json), &table->names[c]);
        failed |= buffer_failed(&json) || buffer_failed(&table->names[c]);
        buffer_fini(&json);
    }
    return failed || buffer_failed(&table->start) ? KAN_NOMEM : KAN_OK;
}

enum kan_err law_table_make(const struct contract *contract, uint32_t type,
                            uint32_t depth, struct law_table *ret_table)
{
    const struct law_budget budget = {.states_max = LOOKED_AT,
                                      .arguments_max = 16};
    struct law_table table = {0};
    struct maker maker = {.table = &table};
    enum kan_err err = law_space_init(&maker.space, contract, type, 0, &budget);

    if (err == KAN_OK) {
        maker.states = mem_zalloc(LAW_TABLE_STATES_MAX * maker.space.stride);
        err = maker.states ? law_space_walk(&maker.space) : KAN_NOMEM;
    }
    if (err == KAN_OK) {
        choose_start(&maker);
        fill(&maker, depth);
        err = name_calls(&maker);
    }
    if (err == KAN_OK)
        *ret_table = table;
    else
        law_table_fini(&table);
    mem_free(maker.states);
    law_space_fini(&maker.space);
    return err;
}
