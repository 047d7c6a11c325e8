/* Moves, the order of their returns, slots, and which of equal moves goes
 * first. */

#include "path/history/plan.h"

#include <stdlib.h>

#include "base/alloc.h"

void plan_fini(struct plan *plan)
{
    mem_free(plan->moves);
    mem_free(plan->returns);
    mem_free(plan->opened);
    mem_free(plan->next_read);
    mem_free(plan->next_reset);
    mem_free(plan->last_return);
    *plan = (struct plan){0};
}

uint64_t plan_size(const struct plan *plan)
{
    return plan->count *
           (sizeof *plan->moves + sizeof *plan->returns + sizeof *plan->opened);
}

/* --- moves ---------------------------------------------------------------- */

/* Fill in a move. KAN_CONFLICT: it plays no part. */
static enum kan_err make_move(struct plan *plan, const struct plan_part *part,
                              uint32_t index, struct move *move)
{
    const struct operation *one = &part->history->operations[index];
    bool kept = !part->roles || part->roles[index] == PLAN_KEPT;
    bool closed = one->ret != HISTORY_NEVER && one->ret < part->end;
    if (one->call >= part->end)
        return KAN_CONFLICT;
    *move = (struct move){
        .operation = index,
        .opens = one->call,
        .closes = closed ? one->ret : HISTORY_NEVER,
        .before = PLAN_NONE,
        .return_index = PLAN_NONE,
        .must = kept && closed,
    };
    enum kan_err err = spec_call_make(
        plan->world, one, part->places ? part->places[index] : 0, &move->call);
    if (err == KAN_OK && !move->must && move->call.pure)
        return KAN_CONFLICT;
    return err;
}

static enum kan_err make_moves(struct plan *plan, const struct plan_part *part,
                               uint32_t *ret_bad)
{
    for (uint32_t i = 0; i < part->count; i++) {
        uint32_t index = part->operations ? part->operations[i] : i;
        enum kan_err err =
            make_move(plan, part, index, &plan->moves[plan->count]);
        if (err == KAN_OK)
            plan->count++;
        else if (err != KAN_CONFLICT) {
            if (ret_bad)
                *ret_bad = index;
            return err;
        }
    }
    return KAN_OK;
}

/* --- the order of returns ------------------------------------------------- */

static int compare_returns(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static enum kan_err sort_returns(struct plan *plan)
{
    uint64_t *keys = mem_alloc((plan->count + 1) * sizeof *keys);
    if (!keys)
        return KAN_NOMEM;
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->moves[i].closes != HISTORY_NEVER)
            keys[count++] = (uint64_t)plan->moves[i].closes << 32 | i;
    }
    qsort(keys, count, sizeof *keys, compare_returns);
    uint32_t opened = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (uint32_t)keys[i];
        while (opened < plan->count &&
               plan->moves[opened].opens < plan->moves[index].closes)
            opened++;
        plan->returns[i] = index;
        plan->opened[i] = opened;
        plan->moves[index].return_index = i;
    }
    plan->return_count = count;
    mem_free(keys);
    return KAN_OK;
}

/* --- slots ---------------------------------------------------------------- */

/* The lowest slot that is free; KAN_BUSY when none is. */
static enum kan_err take_slot(uint64_t *taken, uint32_t *ret_slot)
{
    for (uint32_t word = 0; word < PLAN_WORDS_MAX; word++) {
        if (taken[word] == UINT64_MAX)
            continue;
        uint32_t bit = (uint32_t)__builtin_ctzll(~taken[word]);
        taken[word] |= (uint64_t)1 << bit;
        *ret_slot = word * 64 + bit;
        return KAN_OK;
    }
    return KAN_BUSY;
}

static enum kan_err give_slots(struct plan *plan)
{
    uint64_t taken[PLAN_WORDS_MAX] = {0};
    uint32_t closed = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct move *move = &plan->moves[i];
        for (; closed < plan->return_count && plan->opened[closed] <= i;
             closed++) {
            uint32_t slot = plan->moves[plan->returns[closed]].slot;
            taken[slot / 64] &= ~((uint64_t)1 << slot % 64);
        }
        enum kan_err err = take_slot(taken, &move->slot);
        if (err != KAN_OK)
            return err;
        if (move->slot >= plan->slot_count)
            plan->slot_count = move->slot + 1;
    }
    plan->words = plan->slot_count ? (plan->slot_count + 63) / 64 : 1;
    return KAN_OK;
}

/* --- equal moves ---------------------------------------------------------- */

/* Whether later need not go while earlier, which opened before it, is open and
 * not ordered. In an order in which it does, the two can change places: earlier
 * closes no later. Where earlier never goes it can go in the place of later,
 * which then must not be one that has to. */
static bool goes_first(const struct move *earlier, const struct move *later)
{
    return (earlier->must || !later->must) &&
           earlier->closes <= later->closes && earlier->closes > later->opens;
}

static enum kan_err order_equals(struct plan *plan)
{
    uint32_t kinds = plan->world->kinds.count;
    uint32_t *last = mem_alloc(kinds * sizeof *last);
    if (!last)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < kinds; i++)
        last[i] = PLAN_NONE;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct move *move = &plan->moves[i];
        uint32_t *earlier = &last[move->call.kind];
        if (*earlier != PLAN_NONE && goes_first(&plan->moves[*earlier], move))
            move->before = *earlier;
        *earlier = i;
    }
    mem_free(last);
    return KAN_OK;
}

/* --- what lies ahead ------------------------------------------------------ */

typedef bool move_test(const struct move *move);

static bool is_read(const struct move *move)
{
    const struct spec_call *call = &move->call;
    return move->must &&
           (call->function == HISTORY_READ ||
            call->function == HISTORY_CONTAINS ||
            (call->function == HISTORY_CAS && call->outcome == HISTORY_DONE));
}

static bool is_reset(const struct move *move)
{
    return move->must && move->leaves != SPEC_GROWN && move->leaves != SPEC_ANY;
}

/* By return, the first one from there on of a move of that kind. NULL: out of
 * memory. */
static uint32_t *find_next(const struct plan *plan, move_test *test)
{
    uint32_t *found =
        mem_alloc(((size_t)plan->return_count + 1) * sizeof *found);
    if (!found)
        return NULL;
    uint32_t next = plan->return_count;
    found[next] = next;
    for (uint32_t i = plan->return_count; i > 0; i--) {
        if (test(&plan->moves[plan->returns[i - 1]]))
            next = i - 1;
        found[i - 1] = next;
    }
    return found;
}

static uint32_t *find_last_returns(const struct plan *plan)
{
    uint32_t *found = mem_alloc(((size_t)plan->count + 1) * sizeof *found);
    uint32_t last = 0;
    for (uint32_t i = 0; found && i < plan->count; i++) {
        uint32_t index = plan->moves[i].return_index;
        if (index != PLAN_NONE && index > last)
            last = index;
        found[i] = last;
    }
    return found;
}

static enum kan_err look_ahead(struct plan *plan)
{
    const struct spec *spec = plan->world->spec;
    bool grows = false;
    bool certain = !plan->world->places;
    if (!spec->leads)
        return KAN_OK;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct move *move = &plan->moves[i];
        bool pure = move->call.pure;
        move->leaves =
            pure ? SPEC_GROWN : spec->leaves(plan->world, &move->call);
        grows |= !pure && move->leaves == SPEC_GROWN;
        certain &=
            move->leaves != SPEC_ANY && move->call.function != HISTORY_CAS;
    }
    plan->next_read = find_next(plan, is_read);
    if (!plan->next_read)
        return KAN_NOMEM;
    if (!grows || !certain)
        return KAN_OK;
    plan->next_reset = find_next(plan, is_reset);
    plan->last_return = find_last_returns(plan);
    return plan->next_reset && plan->last_return ? KAN_OK : KAN_NOMEM;
}

enum kan_err plan_init(struct plan *plan, struct spec_world *world,
                       const struct plan_part *part, uint32_t *ret_bad)
{
    *plan = (struct plan){.world = world};
    size_t room = (size_t)part->count + 1;
    plan->moves = mem_alloc(room * sizeof *plan->moves);
    plan->returns = mem_alloc(room * sizeof *plan->returns);
    plan->opened = mem_alloc(room * sizeof *plan->opened);
    bool whole = plan->moves && plan->returns && plan->opened;
    enum kan_err err = whole ? make_moves(plan, part, ret_bad) : KAN_NOMEM;
    if (err == KAN_OK)
        err = sort_returns(plan);
    if (err == KAN_OK)
        err = give_slots(plan);
    if (err == KAN_OK)
        err = order_equals(plan);
    if (err == KAN_OK)
        err = look_ahead(plan);
    if (err != KAN_OK)
        plan_fini(plan);
    return err;
}
