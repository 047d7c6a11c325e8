/* Parts by key, then for each part zones where they fit, the search where they
 * do not. The first part that is not linearizable decides. */

#include "path/history/judge.h"

#include "base/alloc.h"
#include "path/history/models.h"
#include "path/history/zones.h"

struct judging
{
    struct history *history;
    const struct judge_options *options;
    struct judgement *judgement;
    uint32_t *places; /* by operation: its part, or its object */
    uint32_t place_count;
    uint32_t *members; /* operations, part by part */
    uint32_t *starts;  /* of each part among the members; one more at the end */
    struct zones zones;
    uint64_t steps_max; /* of the round */
    uint32_t *ret_bad;
};

enum
{
    STEPS_FIRST = 1 << 16,
    STEPS_TIMES = 16 /* a round costs a fifteenth more than without rounds */
};

const char *judge_reason_text(enum judge_reason reason)
{
    switch (reason) {
    case JUDGE_MEMORY:
        return "it needs more memory than it may use";
    case JUDGE_STOPPED:
        return "it was stopped";
    case JUDGE_OPEN:
        return "more than 1,024 operations are open at once";
    case JUDGE_STEPS:
        return "it needs more steps than it may take";
    case JUDGE_DECIDED:
        break;
    }
    return "decided";
}

/* --- parts ---------------------------------------------------------------- */

/* Number the keys in the order in which they are first used. */
static enum kan_err number_keys(struct judging *judging)
{
    const struct history *history = judging->history;
    uint32_t *of_value = mem_alloc(history->values.count * sizeof *of_value);
    judging->places =
        mem_alloc(((size_t)history->count + 1) * sizeof *judging->places);
    if (!of_value || !judging->places) {
        mem_free(of_value);
        return KAN_NOMEM;
    }
    for (uint32_t i = 0; i < history->values.count; i++)
        of_value[i] = PLAN_NONE;
    uint32_t unkeyed = PLAN_NONE;
    for (uint32_t i = 0; i < history->count; i++) {
        uint32_t key = history->operations[i].key;
        uint32_t *place = key == VALUE_NONE ? &unkeyed : &of_value[key];
        if (*place == PLAN_NONE)
            *place = judging->place_count++;
        judging->places[i] = *place;
    }
    mem_free(of_value);
    return KAN_OK;
}

static enum kan_err part_by_key(struct judging *judging)
{
    uint32_t count = judging->history->count;
    uint32_t parts = judging->place_count;
    judging->members = mem_alloc(((size_t)count + 1) * sizeof(uint32_t));
    judging->starts = mem_zalloc(((size_t)parts + 2) * sizeof(uint32_t));
    if (!judging->members || !judging->starts)
        return KAN_NOMEM;
    uint32_t *starts = judging->starts;
    for (uint32_t i = 0; i < count; i++)
        starts[judging->places[i] + 2]++;
    for (uint32_t part = 2; part < parts + 2; part++)
        starts[part] += starts[part - 1];
    /* Filling a part moves its entry, one on, to where the part ends. */
    for (uint32_t i = 0; i < count; i++)
        judging->members[starts[judging->places[i] + 1]++] = i;
    return KAN_OK;
}

/* --- one part ------------------------------------------------------------- */

static uint32_t initial_value(const struct judging *judging)
{
    uint32_t initial = judging->options->initial;
    return initial == VALUE_NONE ? VALUE_IS_NIL : initial;
}

static bool holds_values(const struct spec *spec)
{
    return spec == &spec_register || spec == &spec_cas_register ||
           spec == &spec_kv;
}

static enum judge_reason reason_of(enum linear_limit limit)
{
    switch (limit) {
    case LINEAR_STOPPED:
        return JUDGE_STOPPED;
    case LINEAR_STEPS:
        return JUDGE_STEPS;
    case LINEAR_MEMORY:
        return JUDGE_MEMORY;
    case LINEAR_NO_LIMIT:
        break;
    }
    return JUDGE_DECIDED;
}

/* Where an order puts each operation: behind its call, and behind those that
 * are ordered before it. */
static void set_points(struct judging *judging, const uint32_t *order,
                       uint32_t count)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t call = judging->history->operations[order[i]].call;
        if (call > rank)
            rank = call;
        judging->judgement->points[order[i]] = rank;
    }
}

static void note_found(struct judging *judging,
                       const struct linear_result *result)
{
    struct judgement *judgement = judging->judgement;
    judgement->steps += result->steps;
    if (result->memo > judgement->memo)
        judgement->memo = result->memo;
    if (result->bytes > judgement->bytes)
        judgement->bytes = result->bytes;
    if (judgement->points)
        set_points(judging, result->order, result->order_count);
}

static enum kan_err explain(struct judging *judging, struct spec_world *world,
                            const struct plan_part *part)
{
    struct judgement *judgement = judging->judgement;
    judgement->verdict = VERDICT_NOT;
    judgement->reason = JUDGE_DECIDED;
    if (!judging->options->whole)
        judgement->key =
            judging->history
                ->operations[part->operations ? part->operations[0] : 0]
                .key;
    if (judging->options->no_minimal)
        return KAN_OK;
    return minimal_find(world, part, &judging->options->search,
                        &judgement->minimal);
}

static enum kan_err search_part(struct judging *judging,
                                struct spec_world *world,
                                struct plan_part *part,
                                enum judge_reason *ret_reason)
{
    struct plan plan;
    struct linear_result result;
    struct linear_options options = judging->options->search;
    enum kan_err err = plan_init(&plan, world, part, judging->ret_bad);
    if (err == KAN_BUSY) {
        *ret_reason = JUDGE_OPEN;
        return KAN_OK;
    }
    if (err != KAN_OK)
        return err;
    options.steps_max = judging->steps_max;
    err = linear_search(&plan, &options, &result);
    plan_fini(&plan);
    if (err != KAN_OK)
        return err;
    note_found(judging, &result);
    *ret_reason = reason_of(result.limit);
    if (result.verdict == VERDICT_NOT) {
        part->end = judging->history->operations[result.stuck].ret + 1;
        err = explain(judging, world, part);
    }
    linear_result_fini(&result);
    return err;
}

/* KAN_CONFLICT: zones do not fit it. */
static enum kan_err judge_by_zones(struct judging *judging,
                                   struct spec_world *world,
                                   const struct plan_part *part)
{
    const struct judge_options *options = judging->options;
    if (options->searched || options->points || part->places ||
        !holds_values(world->spec))
        return KAN_CONFLICT;
    struct zones_result found;
    enum kan_err err = zones_judge(&judging->zones, part->operations,
                                   part->count, initial_value(judging), &found);
    if (err != KAN_OK || !found.fits)
        return err != KAN_OK ? err : KAN_CONFLICT;
    judging->judgement->fast_count++;
    if (found.linearizable)
        return KAN_OK;
    /* No other operation touches those values: the rest need not be asked. */
    struct plan_part witness = {.history = judging->history,
                                .operations = found.witness,
                                .count = found.witness_count,
                                .end = HISTORY_NEVER};
    return explain(judging, world, &witness);
}

/* *ret_reason says why the part is unknown, if it is. */
static enum kan_err judge_part(struct judging *judging, uint32_t places,
                               struct plan_part *part,
                               enum judge_reason *ret_reason)
{
    struct judgement *judgement = judging->judgement;
    struct spec_world world;
    enum kan_err err = spec_world_init(
        &world, judgement->spec, &judging->history->values, places,
        holds_values(judgement->spec) ? judging->options->initial : VALUE_NONE);
    if (err != KAN_OK)
        return err;
    *ret_reason = JUDGE_DECIDED;
    err = judge_by_zones(judging, &world, part);
    if (err == KAN_CONFLICT)
        err = search_part(judging, &world, part, ret_reason);
    spec_world_fini(&world);
    return err;
}

/* --- all parts ------------------------------------------------------------ */

static enum kan_err judge_whole(struct judging *judging)
{
    struct plan_part part = {.history = judging->history,
                             .count = judging->history->count,
                             .end = HISTORY_NEVER};
    bool places = judging->place_count > 1;
    enum judge_reason reason;
    part.places = places ? judging->places : NULL;
    judging->steps_max = judging->options->search.steps_max;
    enum kan_err err =
        judge_part(judging, places ? judging->place_count : 0, &part, &reason);
    if (err == KAN_OK && reason != JUDGE_DECIDED) {
        judging->judgement->verdict = VERDICT_UNKNOWN;
        judging->judgement->reason = reason;
    }
    return err;
}

/* Judge the parts that are listed, and keep in the list those whose steps did
 * not suffice. A part that is not linearizable decides; what else is unknown
 * waits for such a part. */
static enum kan_err judge_round(struct judging *judging, uint32_t *parts,
                                uint32_t *count)
{
    struct judgement *judgement = judging->judgement;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        const uint32_t *starts = judging->starts + parts[i];
        struct plan_part part = {.history = judging->history,
                                 .operations = judging->members + starts[0],
                                 .count = starts[1] - starts[0],
                                 .end = HISTORY_NEVER};
        enum judge_reason reason;
        enum kan_err err = judge_part(judging, 0, &part, &reason);
        if (err != KAN_OK || judgement->verdict == VERDICT_NOT)
            return err;
        if (reason == JUDGE_STEPS) {
            parts[kept++] = parts[i];
        } else if (reason != JUDGE_DECIDED) {
            judgement->verdict = VERDICT_UNKNOWN;
            judgement->reason = reason;
        }
    }
    *count = kept;
    return KAN_OK;
}

/* All parts get a few steps, and those that need more, more: one hard part does
 * not keep the others from deciding. */
static enum kan_err judge_parts(struct judging *judging)
{
    uint64_t limit = judging->options->search.steps_max;
    uint32_t count = judging->place_count;
    uint32_t *parts = mem_alloc(count * sizeof *parts);
    if (!parts)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        parts[i] = i;
    judging->judgement->part_count = count;
    judging->steps_max = STEPS_FIRST;
    enum kan_err err = KAN_OK;
    bool last = false;
    while (err == KAN_OK && count && !last &&
           judging->judgement->verdict != VERDICT_NOT) {
        last = limit && judging->steps_max >= limit;
        if (last)
            judging->steps_max = limit;
        err = judge_round(judging, parts, &count);
        judging->steps_max *= STEPS_TIMES;
    }
    if (err == KAN_OK && count && judging->judgement->verdict != VERDICT_NOT) {
        judging->judgement->verdict = VERDICT_UNKNOWN;
        judging->judgement->reason = JUDGE_STEPS;
    }
    mem_free(parts);
    return err;
}

static enum kan_err prepare(struct judging *judging)
{
    uint32_t count = judging->history->count;
    enum kan_err err = number_keys(judging);
    if (err == KAN_OK && judging->place_count > 1 && !judging->options->whole)
        err = part_by_key(judging);
    uint32_t blank = VALUE_NONE;
    if (err == KAN_OK && judging->judgement->spec == &spec_kv)
        err =
            value_add(&judging->history->values, VALUE_TEXT, SLICE(""), &blank);
    if (err == KAN_OK)
        err = zones_init(&judging->zones, judging->history, blank);
    if (err != KAN_OK || !judging->options->points)
        return err;
    uint32_t *points = mem_alloc(((size_t)count + 1) * sizeof *points);
    if (!points)
        return KAN_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        points[i] = PLAN_NONE;
    judging->judgement->points = points;
    return KAN_OK;
}

static const struct spec *choose(const struct history *history,
                                 const struct judge_options *options,
                                 uint32_t *ret_bad)
{
    *ret_bad = PLAN_NONE;
    if (!options->spec)
        return spec_choose(history);
    for (uint32_t i = 0; i < history->count; i++) {
        if (options->spec->functions & 1u << history->operations[i].function)
            continue;
        *ret_bad = i;
        return NULL;
    }
    return options->spec;
}

enum kan_err history_judge(struct history *history,
                           const struct judge_options *options,
                           uint32_t *ret_bad, struct judgement *ret_judgement)
{
    static const struct judge_options plain = {.initial = VALUE_NONE};
    struct judgement judgement = {.key = VALUE_NONE};
    uint32_t bad;
    if (!options)
        options = &plain;
    judgement.spec = choose(history, options, &bad);
    struct judging judging = {.history = history,
                              .options = options,
                              .judgement = &judgement,
                              .ret_bad = &bad};
    enum kan_err err = judgement.spec ? prepare(&judging) : KAN_INVALID;
    bool parted = judging.place_count > 1 && !options->whole;
    judgement.part_count = 1;
    if (err == KAN_OK)
        err = parted ? judge_parts(&judging) : judge_whole(&judging);
    mem_free(judging.places);
    mem_free(judging.members);
    mem_free(judging.starts);
    zones_fini(&judging.zones);
    if (err == KAN_OK)
        *ret_judgement = judgement;
    else
        judgement_fini(&judgement);
    if (ret_bad)
        *ret_bad = bad;
    return err;
}

void judgement_fini(struct judgement *judgement)
{
    minimal_fini(&judgement->minimal);
    mem_free(judgement->points);
    *judgement = (struct judgement){0};
}
