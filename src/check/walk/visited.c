/* The set of visited states: growth, and adds from several threads.
 *
 * Invariants: within a line no slot is empty before one that is used; a tag
 * that is in neither of its two lines found both full, and all lines from there
 * to where it stands. Adds keep this as they only fill the first empty slot,
 * growth as it adds every tag again. */

#include "check/walk/visited.h"

#include "base/alloc.h"
#include "base/assert.h"

/* --- how it works ---------------------------------------------------------
 *
 * The top 10 bits of the mixed hash choose one of 1,024 units, and need not be
 * stored; the other 64 are the tag. (That a place tells a part of the key is
 * Cleary, "Compact hash tables using bidirectional linear probing", 1984; its
 * use for sets of states, Geldenhuys and Valmari, "A nearly memory-optimal data
 * structure for sets and mappings", 2003.) Where a tag stands in its unit tells
 * nothing, so displacement needs no bound and no bits.
 *
 * In its unit a tag has two lines of 8 slots, and takes the emptier (Azar,
 * Broder, Karlin and Upfal, "Balanced allocations", 1999): units work up to a
 * load of 95 %. Both lines are known from the hash alone, so both can be
 * fetched early. When both are full the search goes on line by line.
 *
 * A unit that is full makes its group of 64 units grow, within its memory: each
 * unit gets the lines that its tags need, is copied aside and filled again.
 * Groups grow by 25 %, each at its own time, so that the mean load is nearly
 * constant: one table that grew as a whole could have steps of 12 % only, and
 * would move each tag twice as often. */

enum
{
    LINE_BYTES = VISITED_LINE_TAGS * 8,
    GROUP_UNITS = VISITED_UNITS / VISITED_GROUPS,
    UNIT_LINES_MIN = 4,
    /* Rungs of the ladder of sizes are 1/72 apart, and a group grows by 16 of
     * them, 25 %: the most that keeps a million states below 10 bytes each. */
    LADDER_STEP = 72,
    /* Loads, in 1/1024 of all slots. A unit at FILL_MAX is full. When
     * memory_max is near, growth may leave units as full as FILL_TIGHT: more
     * would not always add a line. */
    FILL_MAX = 976,
    FILL_TIGHT = 944,
    FILL_STEP = 8,
    /* Lines fetched at once when a search goes on; 4 to 5 are its mean. */
    OVERFLOW_LINES = 4,
    /* Above all addresses there are, and small enough to count with. */
    MEMORY_BITS = 48
};

static uint64_t line_bytes(const struct visited *set)
{
    return set->line_words * sizeof(uint64_t);
}

/* --- life cycle ----------------------------------------------------------- */

enum kan_err visited_init(struct visited *ret_set, uint32_t payload_size,
                          uint64_t memory_max)
{
    kan_assert(payload_size == 0 || payload_size == sizeof(uint64_t));
    memset(ret_set, 0, sizeof *ret_set);
    ret_set->memory_max =
        memory_max >> MEMORY_BITS ? (uint64_t)1 << MEMORY_BITS : memory_max;
    ret_set->line_words = VISITED_LINE_TAGS * (payload_size ? 2 : 1);
    enum kan_err err = visited_reserve(ret_set, 0);
    if (err != KAN_OK)
        visited_fini(ret_set);
    return err;
}

void visited_fini(struct visited *set)
{
    for (uint32_t i = 0; i < VISITED_GROUPS; i++)
        mem_free(set->groups[i].block);
    memset(set, 0, sizeof *set);
}

/* --- growth: the plan ----------------------------------------------------- */

/* What the growth of a group will do. */
struct plan
{
    struct visited_group *group;
    struct visited_unit *units; /* the first of the group */
    uint64_t extra;             /* tags more that each has room for */
    uint64_t fill;              /* the load with these, in 1/1024 */
    uint64_t lines;             /* of the group, afterwards */
    uint64_t copy;              /* bytes of the longest unit, as it is */
    uint64_t desk; /* these, and a byte for each line of the longest to be */
};

/* The size of a group that needs so many lines at least. Each group has every
 * 16th rung of one ladder, so all grow by 25 %, but at 16 different times: the
 * mean of their loads, which says how many bytes a state takes, hardly moves.
 * Whatever made a group grow brings it back to its rungs. */
static uint64_t group_lines(uint32_t index, uint64_t need)
{
    uint64_t lines = GROUP_UNITS * UNIT_LINES_MIN;
    for (uint32_t rung = 0; lines < need || rung % VISITED_GROUPS != index;
         rung++)
        lines += lines / LADDER_STEP;
    return lines;
}

/* How long a unit will be. None becomes shorter, so that none moves towards
 * the front, where others have yet to be read. */
static uint64_t plan_unit_lines(const struct plan *plan,
                                const struct visited_unit *unit)
{
    uint64_t slots =
        ((unit->count + plan->extra) * 1024 + plan->fill - 1) / plan->fill;
    uint64_t lines = (slots + VISITED_LINE_TAGS - 1) / VISITED_LINE_TAGS;
    if (lines < UNIT_LINES_MIN)
        lines = UNIT_LINES_MIN;
    return lines > unit->lines ? lines : unit->lines;
}

/* Lay the plan out for its load. Whether the set stays below memory_max, and
 * the group below the 2^32 lines that a unit can count. */
static bool plan_fits(struct plan *plan, const struct visited *set)
{
    uint64_t old_max = 0, new_max = 0;

    plan->lines = 0;
    for (uint32_t i = 0; i < GROUP_UNITS; i++) {
        uint64_t lines = plan_unit_lines(plan, &plan->units[i]);
        plan->lines += lines;
        if (lines > new_max)
            new_max = lines;
        if (plan->units[i].lines > old_max)
            old_max = plan->units[i].lines;
    }
    if (plan->lines > UINT32_MAX)
        return false;
    plan->copy = old_max * line_bytes(set);
    plan->desk = plan->copy + new_max;
    return visited_bytes(set) +
               (plan->lines - plan->group->lines) * line_bytes(set) +
               plan->desk <=
           set->memory_max;
}

/* A unit's share of states that are spread evenly: the mean, and 4 standard
 * deviations of a Poisson distribution, which one unit in 30,000 passes. */
static uint64_t unit_share(uint64_t states)
{
    uint64_t mean = (states + VISITED_UNITS - 1) / VISITED_UNITS;
    uint64_t spread = 0;
    while (spread * spread < 16 * mean)
        spread += spread / 16 + 1;
    return mean + spread;
}

/* --- growth: the moves ---------------------------------------------------- */

/* The first line of a block: the first byte that is aligned to a line. */
static uint64_t *block_table(char *block)
{
    return (uint64_t *)(void *)(block + -(uintptr_t)block % LINE_BYTES);
}

/* Give a group room for lines; the units are where they were in the table. The
 * heap moves large blocks by their pages, without a copy and without a second
 * block for a moment. */
static enum kan_err group_resize(const struct visited *set,
                                 struct visited_group *group, uint64_t lines)
{
    uintptr_t before = -(uintptr_t)group->block % LINE_BYTES;
    char *block =
        mem_realloc(group->block, lines * line_bytes(set) + LINE_BYTES);
    if (!block)
        return KAN_NOMEM;
    if (-(uintptr_t)block % LINE_BYTES != before)
        memmove(block_table(block), block + before,
                group->lines * line_bytes(set));
    group->block = block;
    group->lines = lines;
    return KAN_OK;
}

/* Add the tags of old lines to a unit without any. used is a byte for each of
 * its lines. */
static void unit_fill(const struct visited *set,
                      const struct visited_unit *unit, const uint64_t *old,
                      uint32_t old_lines, unsigned char *used)
{
    uint32_t words = set->line_words;
    const uint64_t *end = old + (uint64_t)old_lines * words;

    memset(unit->line, 0, unit->lines * line_bytes(set));
    memset(used, 0, unit->lines);
    for (; old < end; old += words) {
        for (uint32_t i = 0; i < VISITED_LINE_TAGS && old[i]; i++) {
            uint32_t at = visited_home(unit->lines, old[i]);
            uint32_t other = visited_other(unit->lines, old[i]);
            if (used[other] < used[at] || used[at] == VISITED_LINE_TAGS)
                at = other;
            while (used[at] == VISITED_LINE_TAGS)
                at = at + 1 < unit->lines ? at + 1 : 0;
            uint64_t *slot = visited_line(set, unit, at) + used[at]++;
            *slot = old[i];
            if (words > VISITED_LINE_TAGS)
                slot[VISITED_LINE_TAGS] = old[VISITED_LINE_TAGS + i];
        }
    }
}

/* Move all units, the last one first: it goes where no unit has yet to be
 * read. */
static void group_move(const struct visited *set, const struct plan *plan,
                       uint64_t old_lines, uint64_t *copy)
{
    unsigned char *used = (unsigned char *)copy + plan->copy;
    uint64_t *table = block_table(plan->group->block);
    uint64_t *from = table + old_lines * set->line_words;
    uint64_t *to = table + plan->lines * set->line_words;

    for (uint32_t i = GROUP_UNITS; i-- > 0;) {
        struct visited_unit *unit = &plan->units[i];
        uint32_t lines = unit->lines;
        from -= (uint64_t)lines * set->line_words;
        memcpy(copy, from, lines * line_bytes(set));
        unit->lines = (uint32_t)plan_unit_lines(plan, unit);
        unit->count_max = (uint32_t)((uint64_t)unit->lines * VISITED_LINE_TAGS *
                                     FILL_MAX / 1024);
        to -= (uint64_t)unit->lines * set->line_words;
        unit->line = to;
        unit_fill(set, unit, copy, lines, used);
    }
}

static enum kan_err group_grow(struct visited *set, const struct plan *plan)
{
    uint64_t old_lines = plan->group->lines;
    uint64_t *copy = mem_alloc(plan->desk);
    if (!copy)
        return KAN_NOMEM;
    enum kan_err err = group_resize(set, plan->group, plan->lines);
    if (err == KAN_OK)
        group_move(set, plan, old_lines, copy);
    mem_free(copy);
    return err;
}

/* Let each unit of a group take extra tags, and one more. */
static enum kan_err group_reserve(struct visited *set, uint32_t index,
                                  uint64_t extra)
{
    struct plan plan = {.group = &set->groups[index],
                        .units = &set->units[index * GROUP_UNITS],
                        .extra = extra};
    uint64_t count = 0;
    bool full = false;

    for (uint32_t i = 0; i < GROUP_UNITS; i++) {
        count += plan.units[i].count + extra;
        full |= plan.units[i].count + extra >= plan.units[i].count_max;
    }
    if (!full)
        return KAN_OK;
    /* A line has 8 slots: count * 1024 / 8 / lines is the load. */
    uint64_t need = count * 128 / FILL_TIGHT + 1;
    uint64_t more = plan.group->lines * 9 / 8;
    plan.fill = count * 128 / group_lines(index, need > more ? need : more) + 1;
    if (plan.fill > FILL_TIGHT)
        plan.fill = FILL_TIGHT;
    for (; plan.fill <= FILL_TIGHT; plan.fill += FILL_STEP) {
        if (plan_fits(&plan, set))
            return group_grow(set, &plan);
    }
    return KAN_NOMEM;
}

enum kan_err visited_reserve(struct visited *set, uint64_t states)
{
    uint64_t extra = states ? unit_share(states) : 0;
    enum kan_err err = KAN_OK;

    /* A state takes 8 bytes at least; and below, nothing overflows. */
    if (states > set->memory_max / sizeof(uint64_t))
        return KAN_NOMEM;
    for (uint32_t i = 0; i < VISITED_GROUPS && err == KAN_OK; i++)
        err = group_reserve(set, i, extra);
    return err;
}

/* --- beyond two full lines ------------------------------------------------ */

/* There is an empty slot: count_max is below the number of slots. */
uint64_t *visited_overflow(const struct visited *set,
                           const struct visited_unit *unit, uint64_t tag)
{
    uint32_t at = visited_other(unit->lines, tag);
    for (uint32_t i = 1; i <= OVERFLOW_LINES; i++)
        __builtin_prefetch(visited_line(set, unit, at) + i * set->line_words);
    for (;;) {
        at = at + 1 < unit->lines ? at + 1 : 0;
        uint64_t *line = visited_line(set, unit, at);
        uint32_t match = visited_match(line, tag);
        if (match)
            return line + __builtin_ctz(match);
        uint32_t used = visited_used(line);
        if (used < VISITED_LINE_TAGS)
            return line + used;
    }
}

/* --- several threads ------------------------------------------------------ */

/* The first slot of a line that holds tag or is empty, as of now; 8 when
 * neither is there. */
static uint32_t shared_scan(const uint64_t *line, uint64_t tag,
                            uint64_t *ret_seen)
{
    uint32_t i = 0;
    for (; i < VISITED_LINE_TAGS; i++) {
        *ret_seen = __atomic_load_n(&line[i], __ATOMIC_RELAXED);
        if (*ret_seen == tag || *ret_seen == 0)
            break;
    }
    return i;
}

/* As visited_slot(), with what was seen there: tag or 0. NULL when all lines
 * are full. */
static uint64_t *shared_slot(const struct visited *set,
                             const struct visited_unit *unit, uint64_t tag,
                             uint64_t *ret_seen)
{
    uint32_t at = visited_other(unit->lines, tag);
    uint64_t *home = visited_line(set, unit, visited_home(unit->lines, tag));
    uint64_t *other = visited_line(set, unit, at);
    uint32_t home_used = shared_scan(home, tag, ret_seen);
    if (*ret_seen == tag)
        return home + home_used;
    uint32_t other_used = shared_scan(other, tag, ret_seen);
    if (*ret_seen == tag || other_used < home_used)
        return other + other_used;
    *ret_seen = 0;
    if (home_used < VISITED_LINE_TAGS)
        return home + home_used;
    for (uint32_t left = unit->lines; left > 0; left--) {
        at = at + 1 < unit->lines ? at + 1 : 0;
        uint64_t *line = visited_line(set, unit, at);
        uint32_t used = shared_scan(line, tag, ret_seen);
        if (used < VISITED_LINE_TAGS)
            return line + used;
    }
    return NULL;
}

/* Two threads that add one tag cannot both take a slot for it. Slots fill in
 * order and never change again, so relaxed order is enough: each slot has one
 * history. Say A took slot a of the home line and B slot b of the other. B saw
 * no tag at a, so the uses it saw of the home line were at most a, and b is
 * below them. A saw at least a uses of the other line, b among them, where it
 * must have seen the tag. With a full line the argument is the same: it is full
 * for all who look later. A tie of slots is decided by the exchange.
 *
 * The count is raised after the slot is taken, so threads may pass count_max by
 * one each; when that fills the unit, shared_slot() has nothing to give. */
enum kan_err visited_add_shared(struct visited *set, struct visited_hash hash,
                                bool *ret_added)
{
    uint64_t tag, seen;
    struct visited_unit *unit = &set->units[visited_mix(hash, &tag)];

    kan_assert(set->line_words == VISITED_LINE_TAGS);
    for (;;) {
        uint64_t *slot = shared_slot(set, unit, tag, &seen);
        if (!slot)
            return KAN_BUSY;
        if (seen == 0) {
            if (__atomic_load_n(&unit->count, __ATOMIC_RELAXED) >=
                unit->count_max)
                return KAN_BUSY;
            if (__atomic_compare_exchange_n(slot, &seen, tag, false,
                                            __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED)) {
                __atomic_fetch_add(&unit->count, 1, __ATOMIC_RELAXED);
                *ret_added = true;
                return KAN_OK;
            }
        }
        if (seen == tag) {
            *ret_added = false;
            return KAN_OK;
        }
    }
}

/* --- figures -------------------------------------------------------------- */

uint64_t visited_count(const struct visited *set)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < VISITED_UNITS; i++)
        count += set->units[i].count;
    return count;
}

uint64_t visited_bytes(const struct visited *set)
{
    uint64_t bytes = sizeof *set;
    for (uint32_t i = 0; i < VISITED_GROUPS; i++)
        bytes += set->groups[i].lines * line_bytes(set) + LINE_BYTES;
    return bytes;
}

double visited_omission(uint64_t count)
{
    double expected = (double)count * (double)count;
    for (int bit = 0; bit < VISITED_BITS + 1; bit++)
        expected /= 2;
    return expected < 1 ? expected : 1;
}
