#include "check/property/attempt.h"

#include "base/alloc.h"
#include "base/assert.h"

enum
{
    TRIED_FIRST = 256 /* places */
};

enum kan_err attempt_init(struct attempt *attempt,
                          const struct shrink_options *options,
                          const struct tape_choice *choices, size_t count)
{
    *attempt = (struct attempt){
        .options = options,
        .runs_max = options->runs_max ? options->runs_max : SHRINK_RUNS_MAX,
        .best = mem_alloc(count * sizeof *choices),
        .candidate = mem_alloc(count * sizeof *choices),
        .tried = mem_zalloc(TRIED_FIRST * sizeof *attempt->tried),
        .tried_size = TRIED_FIRST,
        .count = count,
    };
    if (!attempt->best || !attempt->candidate || !attempt->tried) {
        attempt_fini(attempt);
        return KAN_NOMEM;
    }
    if (count)
        memcpy(attempt->best, choices, count * sizeof *choices);
    return KAN_OK;
}

void attempt_fini(struct attempt *attempt)
{
    mem_free(attempt->best);
    mem_free(attempt->candidate);
    mem_free(attempt->tried);
    *attempt = (struct attempt){0};
}

/* --- what was tried ------------------------------------------------------- */

/* Two chains of multiplications, each a bijection of its state for a given
 * value: nobody chooses tapes to make them collide, and a tape of 100,000 is
 * hashed for each attempt. */
static struct attempt_hash hash_tape(const struct tape_choice *choices,
                                     size_t count)
{
    struct attempt_hash hash = {count, ~(uint64_t)count};
    for (size_t i = 0; i < count; i++) {
        hash.a = (hash.a ^ choices[i].value) * 0x9e3779b97f4a7c15u;
        hash.a ^= hash.a >> 32;
        hash.b = (hash.b + choices[i].value) * 0xd6e8feb86659fd93u;
        hash.b ^= hash.b >> 29;
    }
    hash.a |= 1; /* never the empty place */
    return hash;
}

/* The place of hash, or the empty one where it belongs. */
static struct attempt_hash *find_place(struct attempt_hash *places, size_t size,
                                       struct attempt_hash hash)
{
    size_t at = (size_t)hash.b & (size - 1);
    while (places[at].a && (places[at].a != hash.a || places[at].b != hash.b))
        at = (at + 1) & (size - 1);
    return &places[at];
}

static bool grow_tried(struct attempt *attempt)
{
    size_t size = attempt->tried_size * 2;
    struct attempt_hash *places = mem_zalloc(size * sizeof *places);
    if (!places)
        return false;
    for (size_t i = 0; i < attempt->tried_size; i++)
        if (attempt->tried[i].a)
            *find_place(places, size, attempt->tried[i]) = attempt->tried[i];
    mem_free(attempt->tried);
    attempt->tried = places;
    attempt->tried_size = size;
    return true;
}

/* Remember the tape. Whether it is new. */
static bool remember(struct attempt *attempt, const struct tape_choice *choices,
                     size_t count)
{
    struct attempt_hash hash = hash_tape(choices, count);
    struct attempt_hash *place =
        find_place(attempt->tried, attempt->tried_size, hash);
    if (place->a)
        return false;
    *place = hash;
    attempt->tried_count++;
    if (attempt->tried_count * 2 > attempt->tried_size &&
        !grow_tried(attempt)) {
        attempt->failed = true;
        attempt->stopped = true;
    }
    return true;
}

/* --- candidates ----------------------------------------------------------- */

static bool is_smaller(const struct tape_choice *a, size_t a_count,
                       const struct tape_choice *b, size_t b_count)
{
    if (a_count != b_count)
        return a_count < b_count;
    for (size_t i = 0; i < a_count; i++)
        if (a[i].value != b[i].value)
            return a[i].value < b[i].value;
    return false;
}

void attempt_copy_without(struct attempt *attempt, size_t at, size_t size)
{
    kan_assert(at <= attempt->count && size <= attempt->count - at);
    size_t behind = attempt->count - at - size;
    if (at)
        memcpy(attempt->candidate, attempt->best,
               at * sizeof *attempt->candidate);
    if (behind)
        memcpy(attempt->candidate + at, attempt->best + at + size,
               behind * sizeof *attempt->candidate);
    attempt->candidate_count = attempt->count - size;
}

void attempt_copy(struct attempt *attempt)
{
    attempt_copy_without(attempt, 0, 0);
}

/* What was drawn is never longer than the best tape: it fits. */
static void adopt(struct attempt *attempt, struct shrink_drawn drawn)
{
    const struct shrink_options *options = attempt->options;
    if (drawn.count)
        memcpy(attempt->best, drawn.choices,
               drawn.count * sizeof *drawn.choices);
    attempt->count = drawn.count;
    attempt->adopted++;
    if (options->progress_cb)
        options->progress_cb(options->data, attempt->runs, attempt->count);
}

bool attempt_try(struct attempt *attempt)
{
    const struct shrink_options *options = attempt->options;
    struct shrink_drawn drawn = {NULL, 0};
    if (attempt->stopped ||
        !is_smaller(attempt->candidate, attempt->candidate_count, attempt->best,
                    attempt->count) ||
        !remember(attempt, attempt->candidate, attempt->candidate_count) ||
        attempt->stopped)
        return false;
    if (attempt->runs == attempt->runs_max) {
        attempt->stopped = true;
        return false;
    }
    attempt->runs++;
    switch (options->run_cb(options->data, attempt->candidate,
                            attempt->candidate_count, &drawn)) {
    case SHRINK_PASSES:
        return false;
    case SHRINK_STOP:
        attempt->stopped = true;
        return false;
    case SHRINK_FAILS:
        break;
    }
    if (!is_smaller(drawn.choices, drawn.count, attempt->best, attempt->count))
        return false;
    adopt(attempt, drawn);
    return true;
}
