/* The passes. Coarse ones first, which make a long tape short in few runs; then
 * cheap fine ones until the tape gets no shorter, then thorough ones that look
 * at pairs of choices, and so on until a whole round finds nothing. A pass may
 * meet a best tape of any new shape after each attempt, so it asks for the
 * count anew. An attempt that cannot be smaller is passed over before its tape
 * is copied, so the work is bounded by the runs. */

#include "check/property/shrink.h"

#include "base/alloc.h"
#include "check/property/attempt.h"

enum
{
    BLOCK_SMALL = 8,   /* blocks up to this are tried at every place */
    REACH = 8,         /* choices that may belong together */
    REACH_FAR = 64,    /* amounts that may belong together */
    PAIRED_MAX = 1024, /* choices of a tape on which those are looked for */
    MERGE_MAX = 4,     /* choices of an element that is merged into another */
    STRIDE_MAX = 10    /* steps tried where values in between pass */
};

static uint64_t value_at(const struct attempt *a, size_t at)
{
    return a->best[at].value;
}

/* --- blocks --------------------------------------------------------------- */

static bool try_without(struct attempt *a, size_t at, size_t size)
{
    attempt_copy_without(a, at, size);
    return attempt_try(a);
}

static bool try_zero(struct attempt *a, size_t at, size_t size)
{
    size_t from = at;
    while (from < at + size && value_at(a, from) == 0)
        from++;
    if (from == at + size)
        return false;
    attempt_copy(a);
    for (size_t i = from; i < at + size; i++)
        a->candidate[i].value = 0;
    return attempt_try(a);
}

/* All zeros behind some point: find the first by halving. */
static void cut_tail(struct attempt *a)
{
    size_t low = 0;
    size_t high = a->count;
    while (low < high && !a->stopped) {
        size_t middle = low + (high - low) / 2;
        if (try_without(a, middle, a->count - middle))
            high = middle < a->count ? middle : a->count;
        else
            low = middle + 1;
    }
}

typedef bool try_block(struct attempt *a, size_t at, size_t size);

/* Try blocks of this size from the end on, for what comes later depends on what
 * comes earlier. */
static void try_blocks(struct attempt *a, try_block *try, size_t size,
                       size_t step)
{
    size_t at = a->count;
    while (at >= size && !a->stopped) {
        size_t from = at - size;
        if (try(a, from, size))
            at = from + size < a->count ? from + size : a->count;
        else
            at = at > step ? at - step : 0;
    }
}

/* What is deleted shifts all that follows, what is zeroed leaves it in place:
 * where the one fails, the other may not. */
static void pass_coarse(struct attempt *a)
{
    cut_tail(a);
    for (size_t size = a->count / 2; size > 0; size /= 2) {
        if (size > BLOCK_SMALL)
            try_blocks(a, try_without, size, size);
        try_blocks(a, try_zero, size, size);
    }
}

/* Without this block the tape is as without the one a place behind, which was
 * tried before: a long run of zeros costs one attempt. */
static bool try_without_new(struct attempt *a, size_t at, size_t size)
{
    if (at + size < a->count && value_at(a, at) == value_at(a, at + size))
        return false;
    return try_without(a, at, size);
}

static void pass_delete(struct attempt *a)
{
    for (size_t size = BLOCK_SMALL; size > 0; size--)
        try_blocks(a, try_without_new, size, 1);
}

/* --- values --------------------------------------------------------------- */

/* Choices that are lowered by the same amount; when raise is set, the one there
 * is raised by it. */
struct group
{
    size_t at[REACH];
    size_t count;
    size_t raise; /* SIZE_MAX: none */
};

/* The most that the group can be lowered by. */
static uint64_t group_room(const struct attempt *a, const struct group *group)
{
    uint64_t room = UINT64_MAX;
    for (size_t i = 0; i < group->count; i++) {
        if (group->at[i] >= a->count)
            return 0;
        if (value_at(a, group->at[i]) < room)
            room = value_at(a, group->at[i]);
    }
    if (group->raise != SIZE_MAX) {
        if (group->raise >= a->count)
            return 0;
        struct tape_choice raised = a->best[group->raise];
        if (raised.n - 1 - raised.value < room)
            room = raised.n - 1 - raised.value;
    }
    return room;
}

static bool try_lower(struct attempt *a, const struct group *group,
                      uint64_t amount)
{
    if (amount == 0 || amount > group_room(a, group))
        return false;
    attempt_copy(a);
    for (size_t i = 0; i < group->count; i++)
        a->candidate[group->at[i]].value -= amount;
    if (group->raise != SIZE_MAX)
        a->candidate[group->raise].value += amount;
    return attempt_try(a);
}

/* Lower all the way, or as far as halving finds. */
static void lower_far(struct attempt *a, const struct group *group)
{
    uint64_t high = group_room(a, group);
    if (try_lower(a, group, high))
        return;
    while (high > 1 && !a->stopped) {
        uint64_t middle = high / 2;
        if (try_lower(a, group, middle))
            high -= middle;
        else
            high = middle;
    }
}

/* Where only even numbers fail, or every seventh one, halving gets stuck. */
static void lower_by_strides(struct attempt *a, const struct group *group)
{
    for (uint64_t stride = 2; stride <= STRIDE_MAX; stride++) {
        uint64_t amount = stride;
        while (try_lower(a, group, amount))
            amount *= 2;
    }
}

static void pass_lower(struct attempt *a)
{
    for (size_t i = 0; i < a->count && !a->stopped; i++) {
        struct group group = {{i}, 1, SIZE_MAX};
        if (value_at(a, i) == 0)
            continue;
        lower_far(a, &group);
        if (i < a->count && value_at(a, i))
            lower_by_strides(a, &group);
    }
}

/* Whether two choices may depend on each other: neighbours, and amounts that
 * are not too far apart. */
static bool is_pair(const struct attempt *a, size_t i, size_t j)
{
    return j - i <= REACH ||
           (a->best[i].n > 2 && a->best[j].n > 2 && a->count <= PAIRED_MAX);
}

/* Call try with each pair whose first choice is not 0. */
static void try_pairs(struct attempt *a,
                      void (*try)(struct attempt *a, size_t i, size_t j))
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = i + 1; j < a->count && j <= i + REACH_FAR; j++) {
            if (a->stopped)
                return;
            if (value_at(a, i) && is_pair(a, i, j))
                try(a, i, j);
        }
}

/* Two choices that must stay equal, or at one distance. */
static void lower_pair(struct attempt *a, size_t i, size_t j)
{
    struct group group = {{i, j}, 2, SIZE_MAX};
    lower_far(a, &group);
}

static void pass_lower_pairs(struct attempt *a)
{
    try_pairs(a, lower_pair);
}

/* As many choices of one value as a group holds, however far apart. */
static void pass_lower_equal(struct attempt *a)
{
    for (size_t i = 0; i < a->count && !a->stopped; i++) {
        struct group group = {{i}, 1, SIZE_MAX};
        if (value_at(a, i) == 0)
            continue;
        for (size_t j = i + 1; j < a->count && group.count < REACH; j++)
            if (value_at(a, j) == value_at(a, i))
                group.at[group.count++] = j;
        if (group.count > 1)
            lower_far(a, &group);
    }
}

/* Move value to a later choice: of numbers that only count together, one
 * remains, and the others can go. */
static void move_value(struct attempt *a, size_t i, size_t j)
{
    struct group group = {{i}, 1, j};
    lower_far(a, &group);
}

static void pass_move(struct attempt *a)
{
    try_pairs(a, move_value);
}

/* Delete a block that ends at last, and add the value in it at from, and a
 * little, to the choice at to: of two amounts that only count together, each at
 * least little, one remains. */
static bool try_merged(struct attempt *a, size_t from, size_t to, size_t last,
                       size_t size, uint64_t little)
{
    size_t at = last + 1 - size;
    struct tape_choice kept = a->best[to];
    uint64_t more = value_at(a, from) + little;
    if ((at <= to && to <= last) || kept.n - 1 - kept.value < more)
        return false;
    attempt_copy_without(a, at, size);
    a->candidate[to < at ? to : to - size].value = kept.value + more;
    return attempt_try(a);
}

/* The amount may be the last choice of its block, or the sign follows. */
static bool merge_amount(struct attempt *a, size_t from, size_t to)
{
    for (size_t last = from; last < a->count && last <= from + 1; last++)
        for (size_t size = last - from + 1; size <= MERGE_MAX; size++)
            if (size <= last + 1 && (try_merged(a, from, to, last, size, 0) ||
                                     try_merged(a, from, to, last, size, 1)))
                return true;
    return false;
}

static void pass_merge(struct attempt *a)
{
    for (size_t i = 0; i < a->count && a->count <= PAIRED_MAX; i++) {
        size_t j = i > REACH_FAR ? i - REACH_FAR : 0;
        for (; i < a->count && j < a->count && j <= i + REACH_FAR; j++) {
            if (a->stopped)
                return;
            if (j != i && a->best[i].n > 2 && a->best[i].n == a->best[j].n &&
                merge_amount(a, i, j))
                break;
        }
    }
}

/* --- order ---------------------------------------------------------------- */

/* Swap the blocks of size choices at at and at from. */
static bool try_swapped(struct attempt *a, size_t at, size_t from, size_t size)
{
    size_t same = 0;
    while (same < size && value_at(a, at + same) == value_at(a, from + same))
        same++;
    if (same == size || value_at(a, at + same) < value_at(a, from + same))
        return false;
    attempt_copy(a);
    memcpy(a->candidate + at, a->best + from, size * sizeof *a->best);
    memcpy(a->candidate + from, a->best + at, size * sizeof *a->best);
    return attempt_try(a);
}

static void pass_swap(struct attempt *a)
{
    for (size_t at = 0; at < a->count; at++)
        for (size_t reach = 1; reach <= REACH; reach++) {
            if (a->stopped)
                return;
            if (at + 2 * reach <= a->count)
                (void)try_swapped(a, at, at + reach, reach);
            if (at + reach < a->count)
                (void)try_swapped(a, at, at + reach, 1);
        }
}

/* --- lengths -------------------------------------------------------------- */

/* Delete the block behind a choice, which may be a length or what says how much
 * is drawn, and lower that choice by less. */
static bool try_shorter(struct attempt *a, size_t length, size_t size,
                        uint64_t less)
{
    if (length + 1 + size > a->count)
        return false;
    attempt_copy_without(a, length + 1, size);
    a->candidate[length].value -= less;
    return attempt_try(a);
}

static void pass_shorten(struct attempt *a)
{
    for (size_t i = 0; i < a->count && !a->stopped; i++)
        for (size_t size = 1; size <= BLOCK_SMALL; size++) {
            if (i >= a->count || value_at(a, i) == 0)
                break;
            if (!try_shorter(a, i, size, value_at(a, i)))
                (void)try_shorter(a, i, size, 1);
        }
}

/* --- the order of passes -------------------------------------------------- */

/* Again as long as the tape gets shorter. Values alone could go down by one a
 * round, two in turn, where a thorough pass lowers both at once. */
static void run_cheap(struct attempt *a)
{
    size_t before;
    do {
        before = a->count;
        pass_delete(a);
        pass_shorten(a);
        pass_lower(a);
    } while (a->count != before && !a->stopped);
}

static void run_passes(struct attempt *a)
{
    static void (*const thorough[])(struct attempt * a) = {
        pass_lower_equal, pass_lower_pairs, pass_move, pass_merge, pass_swap,
    };
    size_t before;
    pass_coarse(a);
    do {
        before = a->adopted;
        run_cheap(a);
        for (size_t i = 0; i < sizeof thorough / sizeof *thorough; i++)
            thorough[i](a);
    } while (a->adopted != before && !a->stopped);
}

enum kan_err shrink(const struct shrink_options *options,
                    const struct tape_choice *choices, size_t count,
                    struct shrink_result *ret_result)
{
    struct attempt attempt;
    enum kan_err err = attempt_init(&attempt, options, choices, count);
    if (err)
        return err;
    run_passes(&attempt);
    if (attempt.failed) {
        attempt_fini(&attempt);
        return KAN_NOMEM;
    }
    *ret_result = (struct shrink_result){
        .choices = attempt.best,
        .count = attempt.count,
        .runs = attempt.runs,
        .ended = !attempt.stopped,
    };
    attempt.best = NULL;
    attempt_fini(&attempt);
    return KAN_OK;
}

void shrink_result_fini(struct shrink_result *result)
{
    mem_free(result->choices);
    *result = (struct shrink_result){0};
}
