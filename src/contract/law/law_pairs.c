/* Pairs of steps: in as many of the walked states as the budget allows, every
 * two calls are taken in both orders and compared.
 *
 * The time and the id belong to a call and go with it: who is taken first does
 * not change when a call was made. A step without parameters is called twice,
 * at two times. */

#include "base/alloc.h"
#include "contract/law/law_space.h"

enum
{
    CALLS_A_STEP = 12, /* ways to call one step that are paired */
    TAKES_A_STATE = 50 /* for each state of the budget */
};

struct call
{
    uint32_t step;
    uint64_t number;
    bool taken; /* in the state looked at */
};

struct table
{
    struct law_space space;
    struct law_pair *pairs;
    struct call *calls;
    uint32_t call_count;
    unsigned char *states; /* behind each call, from the state looked at */
    unsigned char *there;  /* behind both, in one order, and in the other */
    unsigned char *back;
    int64_t now_ms;
    uint64_t takes_left;
};

static struct law_pair *pair_of(struct table *table, uint32_t first,
                                uint32_t second)
{
    return &table->pairs[(size_t)first * table->space.step_count + second];
}

static unsigned char *state_of(struct table *table, uint32_t call)
{
    return table->states + call * table->space.stride;
}

/* --- calls ---------------------------------------------------------------- */

static uint32_t calls_of(const struct law_ways *ways)
{
    if (ways->total == 1)
        return 2;
    return ways->ways < CALLS_A_STEP ? ways->ways : CALLS_A_STEP;
}

static enum kan_err make_calls(struct table *table)
{
    struct law_space *space = &table->space;
    uint32_t count = 0;

    for (uint32_t s = 0; s < space->step_count; s++)
        count += calls_of(&space->ways[s]);
    table->calls = mem_zalloc((count + 1) * sizeof *table->calls);
    table->states = mem_zalloc((count + 1) * space->stride);
    table->there = mem_zalloc(space->stride);
    table->back = mem_zalloc(space->stride);
    if (!table->calls || !table->states || !table->there || !table->back)
        return KAN_NOMEM;
    for (uint32_t s = 0; s < space->step_count; s++) {
        struct law_ways ways = {space->ways[s].total,
                                calls_of(&space->ways[s])};
        space->trimmed |= ways.ways < ways.total;
        for (uint32_t i = 0; i < ways.ways; i++)
            table->calls[table->call_count++] =
                (struct call){.step = s, .number = law_ways_number(&ways, i)};
    }
    return KAN_OK;
}

static enum program_refusal_kind take(struct table *table, uint32_t number,
                                      const void *before, void *after)
{
    struct law_space *space = &table->space;
    const struct call *call = &table->calls[number];
    struct program_input input =
        law_space_input(table->now_ms + number, number, 0);
    struct program_refusal refusal = {.kind = PROGRAM_OK};

    space->steps++;
    table->takes_left -= table->takes_left > 0;
    law_space_arguments(space, call->step, call->number, space->arguments);
    if (program_take(space->program, call->step, before, space->arguments,
                     &input, after, &refusal) == KAN_OK)
        return PROGRAM_OK;
    return refusal.kind;
}

static bool leaves_type(enum program_refusal_kind kind)
{
    return kind == PROGRAM_INVARIANT || kind == PROGRAM_BOUND ||
           kind == PROGRAM_OVERFLOW || kind == PROGRAM_FULL ||
           kind == PROGRAM_LENGTH;
}

/* --- two calls ------------------------------------------------------------ */

/* What taking first does to second, which may be refused already. */
static void note_effect(struct table *table, uint32_t first, uint32_t second,
                        enum program_refusal_kind after)
{
    const struct call *a = &table->calls[first];
    const struct call *b = &table->calls[second];
    struct law_pair *pair = pair_of(table, a->step, b->step);

    if (!a->taken || !b->taken || after == PROGRAM_OK)
        return;
    pair->disables = true;
    pair->breaks |= leaves_type(after);
}

/* The two calls in both orders, from space.before. */
static void compare(struct table *table, uint32_t first, uint32_t second)
{
    const struct call *a = &table->calls[first];
    const struct call *b = &table->calls[second];
    struct law_pair *pair = pair_of(table, a->step, b->step);
    struct law_pair *other = pair_of(table, b->step, a->step);
    enum program_refusal_kind ab = PROGRAM_GUARD;
    enum program_refusal_kind ba = PROGRAM_GUARD;
    bool same;

    if (!a->taken && !b->taken)
        return;
    if (a->taken)
        ab = take(table, second, state_of(table, first), table->there);
    if (b->taken)
        ba = take(table, first, state_of(table, second), table->back);
    note_effect(table, first, second, ab);
    note_effect(table, second, first, ba);
    if (a->taken && b->taken && ab == PROGRAM_OK && ba == PROGRAM_OK) {
        same = memcmp(table->there, table->back,
                      program_state_size(table->space.program)) == 0;
        pair->meets = other->meets = true;
        pair->fits = other->fits = pair->fits && same;
    } else {
        /* Only one goes, whichever comes first. */
        same = (a->taken && !b->taken && ab != PROGRAM_OK) ||
               (b->taken && !a->taken && ba != PROGRAM_OK);
    }
    pair->commutes = other->commutes = pair->commutes && same;
}

/* Nothing more can be found out about the two steps. */
static bool is_known(struct table *table, uint32_t first, uint32_t second)
{
    const struct law_pair *pair = pair_of(table, first, second);
    const struct law_pair *other = pair_of(table, second, first);

    return !pair->commutes && pair->meets && !pair->fits && pair->breaks &&
           other->breaks;
}

static void compare_all(struct table *table, uint32_t node)
{
    struct law_space *space = &table->space;

    law_space_load(space, node, space->before);
    table->now_ms = space->store.nodes[node].now_ms;
    for (uint32_t i = 0; i < table->call_count; i++)
        table->calls[i].taken =
            take(table, i, space->before, state_of(table, i)) == PROGRAM_OK;
    for (uint32_t i = 0; i < table->call_count; i++) {
        for (uint32_t j = i; j < table->call_count; j++) {
            if (law_space_stopped(space))
                return;
            if (!is_known(table, table->calls[i].step, table->calls[j].step))
                compare(table, i, j);
        }
    }
}

/* --- the table ------------------------------------------------------------ */

/* The i-th state to look at: in turn one of those nearest to the start and one
 * of those that were reached by repeating a step. */
static uint32_t node_at(const struct law_space *space, uint32_t i)
{
    uint32_t near = space->leaped;
    uint32_t far = space->store.count - near;
    uint32_t both = near < far ? near : far;

    if (i < 2 * both)
        return i % 2 == 0 ? i / 2 : near + i / 2;
    return near > far ? i - both : near + (i - both);
}

static void fill_steps(struct table *table, struct law_step *steps)
{
    struct law_space *space = &table->space;

    for (uint32_t s = 0; s < space->step_count; s++) {
        steps[s] = (struct law_step){
            .stable = space->seen[s].taken,
            .never = !space->seen[s].taken,
            .invariant = space->seen[s].invariant,
        };
        for (uint32_t f = 0; f < space->step_count; f++) {
            if (pair_of(table, f, s)->disables)
                steps[s].stable = false;
        }
    }
}

static void fill_table(struct table *table)
{
    struct law_space *space = &table->space;

    for (uint32_t i = 0; i < space->step_count * space->step_count; i++)
        table->pairs[i] = (struct law_pair){.commutes = true, .fits = true};
    table->takes_left = (uint64_t)space->budget.states_max * TAKES_A_STATE;
    for (uint32_t i = 0; i < space->store.count; i++) {
        if (space->stopped)
            return;
        if (table->takes_left == 0) {
            space->trimmed = true;
            return;
        }
        compare_all(table, node_at(space, i));
    }
}

enum kan_err law_pairs(const struct contract *contract, uint32_t type,
                       uint32_t version, const struct law_budget *budget,
                       struct law_pair *pairs, struct law_step *steps,
                       struct law_walk *ret_walk)
{
    struct table table = {.pairs = pairs};
    enum kan_err err =
        law_space_init(&table.space, contract, type, version, budget);

    if (err == KAN_OK)
        err = law_space_walk(&table.space);
    if (err == KAN_OK)
        err = make_calls(&table);
    if (err == KAN_OK) {
        fill_table(&table);
        fill_steps(&table, steps);
        *ret_walk = law_space_result(&table.space);
    }
    mem_free(table.calls);
    mem_free(table.states);
    mem_free(table.there);
    mem_free(table.back);
    law_space_fini(&table.space);
    return err;
}
