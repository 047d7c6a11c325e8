/* Deletion in halves, quarters, and so on down to single operations. To insist
 * on less can only make ordering easier, so an operation that could not be
 * spared once cannot be spared later: one pass over single ones is enough. */

#include "path/history/minimal.h"

#include "base/alloc.h"

enum
{
    LAST_MAX = 8,
    STEPS_TRY = 20000,    /* of a search that is only tried */
    STEPS_MAX = 500000,   /* of one search */
    STEPS_TOTAL = 8000000 /* of all */
};

struct deletion
{
    struct spec_world *world;
    struct plan_part part;
    struct linear_options options;
    uint8_t *roles;
    uint32_t *kept; /* ascending */
    uint32_t count;
    uint64_t steps; /* so far */
    bool exact;
};

static uint32_t nth(const struct plan_part *part, uint32_t i)
{
    return part->operations ? part->operations[i] : i;
}

/* Whether what is kept still cannot be ordered; if so, up to the return of
 * *ret_stuck it cannot. */
static enum kan_err still_not(struct deletion *deletion, bool *ret_not,
                              uint32_t *ret_stuck)
{
    struct plan plan;
    struct linear_result result;
    enum kan_err err = plan_init(&plan, deletion->world, &deletion->part, NULL);
    if (err != KAN_OK)
        return err;
    err = linear_search(&plan, &deletion->options, &result);
    plan_fini(&plan);
    if (err != KAN_OK)
        return err;
    deletion->steps += result.steps;
    if (result.verdict == VERDICT_UNKNOWN)
        deletion->exact = false;
    *ret_not = result.verdict == VERDICT_NOT;
    *ret_stuck = result.stuck;
    linear_result_fini(&result);
    return KAN_OK;
}

static void set_roles(struct deletion *deletion, uint32_t from, uint32_t to,
                      enum plan_role role)
{
    for (uint32_t i = from; i < to; i++)
        deletion->roles[deletion->kept[i]] = (uint8_t)role;
}

/* Take out the operations [from, to) for good, and all that return later than
 * stuck: what comes behind it is not needed. Returns where the operation is now
 * that stood at to. */
static uint32_t take_out(struct deletion *deletion, uint32_t from, uint32_t to,
                         uint32_t stuck)
{
    const struct operation *operations = deletion->part.history->operations;
    uint32_t kept = 0;
    uint32_t next = 0;
    deletion->part.end = operations[stuck].ret + 1;
    for (uint32_t i = 0; i < deletion->count; i++) {
        uint32_t index = deletion->kept[i];
        if (i == to)
            next = kept;
        bool out = (i >= from && i < to) ||
                   operations[index].ret > operations[stuck].ret;
        if (out)
            deletion->roles[index] = PLAN_OPTIONAL;
        else
            deletion->kept[kept++] = index;
    }
    if (to == deletion->count)
        next = kept;
    deletion->count = kept;
    return next;
}

static enum kan_err pass(struct deletion *deletion, uint32_t size)
{
    uint32_t from = 0;
    while (from < deletion->count && deletion->steps < STEPS_TOTAL) {
        uint32_t to =
            deletion->count - from > size ? from + size : deletion->count;
        bool not = false;
        uint32_t stuck = PLAN_NONE;
        set_roles(deletion, from, to, PLAN_OPTIONAL);
        enum kan_err err = still_not(deletion, &not, &stuck);
        if (err != KAN_OK)
            return err;
        if (not ) {
            from = take_out(deletion, from, to, stuck);
        } else {
            set_roles(deletion, from, to, PLAN_KEPT);
            from = to;
        }
    }
    return KAN_OK;
}

static enum kan_err delete_all(struct deletion *deletion)
{
    uint32_t size = deletion->count;
    enum kan_err err = KAN_OK;
    while (err == KAN_OK && size > 1) {
        size = (size + 1) / 2;
        deletion->exact = true;
        err = pass(deletion, size);
    }
    if (deletion->steps >= STEPS_TOTAL)
        deletion->exact = false;
    return err;
}

/* Insist on the few that return last, and see whether they suffice: they often
 * do, and then most of the work is saved. */
static enum kan_err try_last(struct deletion *deletion, uint32_t count,
                             bool *ret_suffice)
{
    const struct operation *operations = deletion->part.history->operations;
    uint32_t stuck;
    uint32_t chosen = 0;
    set_roles(deletion, 0, deletion->count, PLAN_OPTIONAL);
    for (; chosen < count; chosen++) {
        uint32_t last = PLAN_NONE;
        for (uint32_t i = 0; i < deletion->count; i++) {
            uint32_t index = deletion->kept[i];
            if (deletion->roles[index] == PLAN_OPTIONAL &&
                (last == PLAN_NONE ||
                 operations[index].ret > operations[last].ret))
                last = index;
        }
        deletion->roles[last] = PLAN_KEPT;
    }
    deletion->options.steps_max = STEPS_TRY;
    enum kan_err err = still_not(deletion, ret_suffice, &stuck);
    deletion->options.steps_max = STEPS_MAX;
    if (err != KAN_OK || !*ret_suffice) {
        set_roles(deletion, 0, deletion->count, PLAN_KEPT);
        return err;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < deletion->count; i++) {
        if (deletion->roles[deletion->kept[i]] == PLAN_KEPT)
            deletion->kept[kept++] = deletion->kept[i];
    }
    deletion->count = kept;
    return KAN_OK;
}

static enum kan_err start_small(struct deletion *deletion)
{
    enum kan_err err = KAN_OK;
    bool suffice = false;
    for (uint32_t count = 1; count <= LAST_MAX && count < deletion->count &&
                             err == KAN_OK && !suffice;
         count *= 2)
        err = try_last(deletion, count, &suffice);
    return err;
}

/* --- where the values came from ------------------------------------------- */

static uint32_t value_seen(const struct operation *one)
{
    if (one->function == HISTORY_CAS)
        return one->outcome == HISTORY_DONE ? one->expected : VALUE_NONE;
    return one->result;
}

static bool may_have_written(const struct operation *one, uint32_t value)
{
    if (one->outcome == HISTORY_MISMATCH || one->argument != value)
        return false;
    if (one->function == HISTORY_CAS)
        return one->expected != value;
    return one->function == HISTORY_WRITE || one->function == HISTORY_ENQUEUE;
}

/* The last operation that can have written what seer saw, or PLAN_NONE. */
static uint32_t writer_of(const struct plan_part *part, uint32_t seer)
{
    const struct operation *operations = part->history->operations;
    uint32_t value = value_seen(&operations[seer]);
    uint32_t found = PLAN_NONE;
    for (uint32_t i = 0; value != VALUE_NONE && i < part->count; i++) {
        uint32_t index = nth(part, i);
        if (index != seer && operations[index].call < operations[seer].ret &&
            operations[index].key == operations[seer].key &&
            may_have_written(&operations[index], value))
            found = index;
    }
    return found;
}

static bool has(const uint32_t *list, uint32_t count, uint32_t index)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] == index)
            return true;
    }
    return false;
}

static void insert(uint32_t *list, uint32_t *count, uint32_t index)
{
    uint32_t at = (*count)++;
    for (; at > 0 && list[at - 1] > index; at--)
        list[at] = list[at - 1];
    list[at] = index;
}

static enum kan_err find_writes(const struct plan_part *part,
                                struct minimal *minimal)
{
    minimal->writes = mem_alloc((minimal->count + 1) * sizeof(uint32_t));
    if (!minimal->writes)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < minimal->count; i++) {
        uint32_t index = writer_of(part, minimal->operations[i]);
        if (index != PLAN_NONE &&
            !has(minimal->operations, minimal->count, index) &&
            !has(minimal->writes, minimal->write_count, index))
            insert(minimal->writes, &minimal->write_count, index);
    }
    return KAN_OK;
}

/* --- all of it ------------------------------------------------------------ */

static void keep_all(struct deletion *deletion)
{
    const struct plan_part *part = &deletion->part;
    memset(deletion->roles, PLAN_OPTIONAL, part->history->count);
    for (uint32_t i = 0; i < part->count; i++) {
        uint32_t index = nth(part, i);
        if (part->history->operations[index].ret >= part->end)
            continue;
        deletion->roles[index] = PLAN_KEPT;
        deletion->kept[deletion->count++] = index;
    }
}

enum kan_err minimal_find(struct spec_world *world,
                          const struct plan_part *part,
                          const struct linear_options *options,
                          struct minimal *ret_minimal)
{
    struct deletion deletion = {.world = world, .part = *part, .exact = true};
    if (options)
        deletion.options = *options;
    deletion.options.steps_max = STEPS_MAX;
    deletion.roles = mem_alloc((size_t)part->history->count + 1);
    deletion.kept = mem_alloc(((size_t)part->count + 1) * sizeof(uint32_t));
    deletion.part.roles = deletion.roles;
    enum kan_err err = deletion.roles && deletion.kept ? KAN_OK : KAN_NOMEM;
    if (err == KAN_OK) {
        keep_all(&deletion);
        err = start_small(&deletion);
    }
    if (err == KAN_OK) {
        deletion.exact = true;
        err = delete_all(&deletion);
    }
    struct minimal minimal = {.operations = deletion.kept,
                              .count = deletion.count,
                              .exact = deletion.exact};
    if (err == KAN_OK)
        err = find_writes(part, &minimal);
    mem_free(deletion.roles);
    if (err == KAN_OK)
        *ret_minimal = minimal;
    else
        minimal_fini(&minimal);
    return err;
}

void minimal_fini(struct minimal *minimal)
{
    mem_free(minimal->operations);
    mem_free(minimal->writes);
    *minimal = (struct minimal){0};
}
