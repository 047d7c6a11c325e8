/* Depth first. The search stands at a return: every move that closes before it
 * is ordered (or, when optional, let go). A frame is kept only where there is
 * more than one way on; what fails is remembered when its last way has failed,
 * so an easy history needs no memory at all. */

#include "path/history/linear.h"

#include "base/alloc.h"
#include "path/history/memo.h"

enum
{
    PROGRESS_STEPS = 1 << 14,
    AHEAD_MAX = 1024, /* moves, or reads, looked at before giving up */
    CAPACITY_FIRST = 64
};

/* The state that no read can tell from another of this kind: each of them waits
 * for a move that leaves a certain state, whatever was before. */
#define STATE_LOST VALUE_NONE

#define MEMORY_DEFAULT ((uint64_t)1 << 30)

/* Where there was a choice: how to come back, and what was tried. Two masks
 * of it stand in the masks array: ordered, and tried. */
struct frame
{
    uint32_t at;
    uint32_t state;
    uint32_t order_count;
    bool skipped; /* the optional move that closes here was let go */
};

struct search
{
    const struct plan *plan;
    const struct linear_options *options;
    uint64_t memory_max;
    struct linear_result *result;
    struct memo memo;
    /* Where the search stands. */
    uint32_t at; /* among the returns */
    uint32_t state;
    uint64_t ordered[PLAN_WORDS_MAX]; /* of the open slots, those ordered */
    uint64_t open[PLAN_WORDS_MAX];
    uint64_t pure[PLAN_WORDS_MAX]; /* of the open slots */
    uint32_t *slots;               /* slot to move */
    uint32_t *order;
    uint32_t order_count;
    /* Ways not yet gone. */
    struct frame *frames;
    uint64_t *masks;
    uint32_t depth;
    uint32_t capacity;
    /* The furthest return reached, and the longest order there. */
    uint32_t best_at;
    uint32_t reach; /* no failure so far is owed to a later return */
    bool best_set;
    uint32_t common; /* moves that order and result->order begin with alike */
};

static bool bit_get(const uint64_t *mask, uint32_t slot)
{
    return mask[slot / 64] >> slot % 64 & 1;
}

static void bit_set(uint64_t *mask, uint32_t slot)
{
    mask[slot / 64] |= (uint64_t)1 << slot % 64;
}

static void bit_clear(uint64_t *mask, uint32_t slot)
{
    mask[slot / 64] &= ~((uint64_t)1 << slot % 64);
}

/* --- where the search stands ---------------------------------------------- */

static enum kan_err step(const struct search *search, const struct move *move,
                         uint32_t *ret_state)
{
    if (search->state != STATE_LOST)
        return spec_step(search->plan->world, search->state, &move->call,
                         ret_state);
    if (move->call.pure)
        return KAN_CONFLICT;
    *ret_state = move->leaves == SPEC_GROWN ? STATE_LOST : move->leaves;
    return KAN_OK;
}

static void take(struct search *search, uint32_t index)
{
    const struct move *move = &search->plan->moves[index];
    bit_set(search->ordered, move->slot);
    search->order[search->order_count++] = index;
}

/* Take the move if it changes nothing and is possible: to take it at once never
 * hurts, since whatever order there is from here stays one with it in front. */
static enum kan_err take_pure(struct search *search, uint32_t index)
{
    const struct move *move = &search->plan->moves[index];
    uint32_t state;
    search->result->steps++;
    enum kan_err err = step(search, move, &state);
    if (err == KAN_OK)
        take(search, index);
    return err == KAN_CONFLICT ? KAN_OK : err;
}

static enum kan_err take_all_pure(struct search *search)
{
    for (uint32_t word = 0; word < search->plan->words; word++) {
        uint64_t left = search->pure[word] & ~search->ordered[word];
        for (; left; left &= left - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(left);
            enum kan_err err = take_pure(search, search->slots[slot]);
            if (err != KAN_OK)
                return err;
        }
    }
    return KAN_OK;
}

static void open_move(struct search *search, uint32_t index)
{
    const struct move *move = &search->plan->moves[index];
    search->slots[move->slot] = index;
    bit_set(search->open, move->slot);
    if (move->call.pure)
        bit_set(search->pure, move->slot);
}

/* Open the moves that open between the return before at and at itself. */
static enum kan_err open_moves(struct search *search)
{
    const struct plan *plan = search->plan;
    uint32_t from = search->at ? plan->opened[search->at - 1] : 0;
    uint32_t to = search->at < plan->return_count ? plan->opened[search->at]
                                                  : plan->count;
    enum kan_err err = KAN_OK;
    for (uint32_t i = from; i < to && err == KAN_OK; i++) {
        open_move(search, i);
        if (plan->moves[i].call.pure)
            err = take_pure(search, i);
    }
    return err;
}

/* Pass the return at which the search stands. */
static enum kan_err pass(struct search *search)
{
    const struct move *move =
        &search->plan->moves[search->plan->returns[search->at]];
    uint32_t slot = move->slot;
    bit_clear(search->open, slot);
    bit_clear(search->pure, slot);
    bit_clear(search->ordered, slot);
    search->at++;
    return open_moves(search);
}

/* Undo pass(), but for what was ordered. A slot that was taken again gets its
 * move back when its return is passed back. */
static void pass_back(struct search *search)
{
    const struct plan *plan = search->plan;
    uint32_t to = search->at < plan->return_count ? plan->opened[search->at]
                                                  : plan->count;
    search->at--;
    for (uint32_t i = to; i > plan->opened[search->at]; i--) {
        const struct move *move = &plan->moves[i - 1];
        bit_clear(search->open, move->slot);
        bit_clear(search->pure, move->slot);
    }
    open_move(search, plan->returns[search->at]);
}

/* Pass every return whose move is ordered. */
static enum kan_err settle(struct search *search)
{
    const struct plan *plan = search->plan;
    enum kan_err err = KAN_OK;
    while (
        err == KAN_OK && search->at < plan->return_count &&
        bit_get(search->ordered, plan->moves[plan->returns[search->at]].slot))
        err = pass(search);
    return err;
}

/* --- looking ahead -------------------------------------------------------- */

/* Whether the move may leave a state that leads to the read. */
static bool helps(const struct search *search, const struct move *move,
                  const struct spec_call *read)
{
    if (move->leaves == SPEC_GROWN || move->call.place != read->place)
        return false;
    const struct spec_world *world = search->plan->world;
    return move->leaves == SPEC_ANY ||
           world->spec->leads(world, move->leaves, read);
}

/* Whether a move that can still come before the read at return next helps. */
static bool any_helps(const struct search *search, uint32_t next,
                      const struct spec_call *read)
{
    const struct plan *plan = search->plan;
    for (uint32_t word = 0; word < plan->words; word++) {
        uint64_t left = search->open[word] & ~search->ordered[word];
        for (; left; left &= left - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(left);
            if (helps(search, &plan->moves[search->slots[slot]], read))
                return true;
        }
    }
    if (plan->opened[next] - plan->opened[search->at] > AHEAD_MAX)
        return true;
    for (uint32_t i = plan->opened[search->at]; i < plan->opened[next]; i++) {
        if (helps(search, &plan->moves[i], read))
            return true;
    }
    return false;
}

static bool leads(const struct search *search, const struct move *read)
{
    return search->state != STATE_LOST &&
           spec_leads(search->plan->world, search->state, &read->call);
}

static bool is_open(const struct search *search, uint32_t index)
{
    return index < search->plan->opened[search->at];
}

/* The first return, from `from` on, of a read that must be and is not ordered;
 * return_count when there is none. */
static uint32_t next_read(const struct search *search, uint32_t from)
{
    const struct plan *plan = search->plan;
    uint32_t next = plan->next_read[from];
    while (next < plan->return_count && is_open(search, plan->returns[next]) &&
           bit_get(search->ordered, plan->moves[plan->returns[next]].slot))
        next = plan->next_read[next + 1];
    return next;
}

/* Whether no read that is still to come can see this state, or what it grows
 * to: a move that is not open yet will have put another in its place. */
static bool is_lost(const struct search *search, uint32_t next)
{
    const struct plan *plan = search->plan;
    uint32_t reset = plan->next_reset[search->at];
    while (reset < plan->return_count && is_open(search, plan->returns[reset]))
        reset = plan->next_reset[reset + 1];
    uint32_t opened = plan->count;
    uint32_t last = plan->return_count;
    if (reset < plan->return_count) {
        opened = plan->opened[reset];
        last = plan->last_return[opened - 1] + 1;
    }
    for (uint32_t seen = 0; next < last; seen++) {
        uint32_t index = plan->returns[next];
        if (seen == AHEAD_MAX)
            return false;
        if (index < opened && leads(search, &plan->moves[index]))
            return false;
        next = next_read(search, next + 1);
    }
    return true;
}

/* Note that a way ends, and that what comes up to this return is why. */
static void fail_at(struct search *search, uint32_t at)
{
    if (at > search->reach)
        search->reach = at;
}

/* Look at the read that returns first of those that must be ordered. false: no
 * way from here leads to it. A state that is lost is marked as such. */
static bool look_ahead(struct search *search)
{
    const struct plan *plan = search->plan;
    if (!plan->next_read)
        return true;
    uint32_t next = next_read(search, search->at);
    if (next == plan->return_count)
        return true;
    const struct move *read = &plan->moves[plan->returns[next]];
    if (leads(search, read))
        return true;
    if (!any_helps(search, next, &read->call)) {
        fail_at(search, next);
        return false;
    }
    if (plan->next_reset && search->state != STATE_LOST &&
        is_lost(search, next))
        search->state = STATE_LOST;
    return true;
}

/* --- the longest order ---------------------------------------------------- */

/* Keep the order if it came further than any before it. Only what follows the
 * part both have in common is copied. */
static void keep_best(struct search *search)
{
    struct linear_result *result = search->result;
    bool further = !search->best_set || search->at > search->best_at ||
                   (search->at == search->best_at &&
                    search->order_count > result->order_count);
    if (!further)
        return;
    search->best_set = true;
    search->best_at = search->at;
    for (uint32_t i = search->common; i < search->order_count; i++)
        result->order[i] = search->plan->moves[search->order[i]].operation;
    result->order_count = search->order_count;
    search->common = search->order_count;
}

/* --- choices -------------------------------------------------------------- */

static uint64_t bytes_used(const struct search *search)
{
    const struct plan *plan = search->plan;
    size_t frame =
        sizeof *search->frames + 2 * plan->words * sizeof *search->masks;
    return memo_size(&search->memo) + search->capacity * frame +
           plan->count * 2 * sizeof *search->order + plan_size(plan) +
           spec_world_size(plan->world) + value_table_size(plan->world->values);
}

static enum kan_err push_frame(struct search *search)
{
    uint32_t words = search->plan->words;
    if (search->depth == search->capacity) {
        uint32_t capacity = search->capacity * 2 + CAPACITY_FIRST;
        size_t frame = sizeof *search->frames + 2 * words * sizeof(uint64_t);
        if (bytes_used(search) + capacity * frame > search->memory_max)
            return KAN_BUSY;
        struct frame *frames =
            mem_realloc(search->frames, capacity * sizeof *frames);
        if (!frames)
            return KAN_NOMEM;
        search->frames = frames;
        uint64_t *masks = mem_realloc(
            search->masks, (size_t)capacity * 2 * words * sizeof *masks);
        if (!masks)
            return KAN_NOMEM;
        search->masks = masks;
        search->capacity = capacity;
    }
    search->frames[search->depth] = (struct frame){
        .at = search->at,
        .state = search->state,
        .order_count = search->order_count,
    };
    uint64_t *masks = search->masks + (size_t)search->depth * 2 * words;
    memcpy(masks, search->ordered, words * sizeof *masks);
    memset(masks + words, 0, words * sizeof *masks);
    search->depth++;
    return KAN_OK;
}

/* Stand again where the uppermost frame was made. */
static void come_back(struct search *search)
{
    const struct frame *frame = &search->frames[search->depth - 1];
    uint32_t words = search->plan->words;
    while (search->at > frame->at)
        pass_back(search);
    memcpy(search->ordered,
           search->masks + (size_t)(search->depth - 1) * 2 * words,
           words * sizeof *search->ordered);
    search->state = frame->state;
    search->order_count = frame->order_count;
    if (search->common > search->order_count)
        search->common = search->order_count;
}

static bool equal_waits(const struct search *search, const struct move *move)
{
    if (move->before == PLAN_NONE)
        return false;
    const struct move *before = &search->plan->moves[move->before];
    bool gone =
        before->return_index != PLAN_NONE && before->return_index < search->at;
    return !gone && !bit_get(search->ordered, before->slot);
}

/* Of the open moves that are neither ordered nor tried, the one that closes
 * first; PLAN_NONE when there is none. Moves wait for their equals; what is
 * pure and open now is not possible in this state. ret_more says whether there
 * are others. */
static uint32_t pick(const struct search *search, const uint64_t *tried,
                     bool *ret_more)
{
    uint32_t best = PLAN_NONE;
    uint32_t count = 0;
    for (uint32_t word = 0; word < search->plan->words; word++) {
        uint64_t left =
            search->open[word] & ~search->ordered[word] & ~search->pure[word];
        if (tried)
            left &= ~tried[word];
        for (; left; left &= left - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(left);
            uint32_t index = search->slots[slot];
            const struct move *move = &search->plan->moves[index];
            if (equal_waits(search, move))
                continue;
            count++;
            if (best == PLAN_NONE ||
                move->closes < search->plan->moves[best].closes)
                best = index;
        }
    }
    *ret_more = count > 1;
    return best;
}

/* Try one move. KAN_CONFLICT: it is no way on. */
static enum kan_err try_move(struct search *search, uint32_t index)
{
    const struct move *move = &search->plan->moves[index];
    uint32_t state;
    search->result->steps++;
    enum kan_err err = step(search, move, &state);
    if (err != KAN_OK)
        return err;
    /* What need not happen and would change nothing is better kept. */
    if (!move->must && state == search->state)
        return KAN_CONFLICT;
    bool changed = state != search->state;
    search->state = state;
    take(search, index);
    return changed ? take_all_pure(search) : KAN_OK;
}

static bool may_skip(const struct search *search)
{
    return !search->plan->moves[search->plan->returns[search->at]].must;
}

/* Go on from the uppermost frame by a way not yet gone. KAN_CONFLICT when all
 * have failed. */
static enum kan_err next_way(struct search *search)
{
    struct frame *frame = &search->frames[search->depth - 1];
    uint32_t words = search->plan->words;
    uint64_t *tried =
        search->masks + (size_t)(search->depth - 1) * 2 * words + words;
    for (;;) {
        bool more;
        uint32_t index = pick(search, tried, &more);
        if (index == PLAN_NONE)
            break;
        bit_set(tried, search->plan->moves[index].slot);
        enum kan_err err = try_move(search, index);
        if (err != KAN_CONFLICT)
            return err;
    }
    if (frame->skipped || !may_skip(search))
        return KAN_CONFLICT;
    frame->skipped = true;
    return pass(search);
}

/* Go on from where the search stands, for the first time. */
static enum kan_err first_way(struct search *search)
{
    bool more;
    uint32_t only = pick(search, NULL, &more);
    if (only == PLAN_NONE)
        return may_skip(search) ? pass(search) : KAN_CONFLICT;
    if (!more && !may_skip(search))
        return try_move(search, only);
    enum kan_err err = push_frame(search);
    return err == KAN_OK ? next_way(search) : err;
}

/* Back to the last choice that has a way left. KAN_CONFLICT: there is none. */
static enum kan_err back(struct search *search)
{
    enum kan_err err = KAN_CONFLICT;
    while (err == KAN_CONFLICT && search->depth) {
        come_back(search);
        err = next_way(search);
        if (err != KAN_CONFLICT)
            break;
        uint64_t others = bytes_used(search) - memo_size(&search->memo);
        enum kan_err kept = KAN_BUSY;
        if (others < search->memory_max)
            kept = memo_add(&search->memo, search->at, search->state,
                            search->ordered, search->memory_max - others);
        if (kept != KAN_OK)
            return kept;
        search->depth--;
    }
    return err;
}

/* --- the search ----------------------------------------------------------- */

/* What is not in use may become values, or steps remembered; so they are told
 * anew at each check. */
static void set_shares(const struct search *search, uint64_t bytes)
{
    struct spec_world *world = search->plan->world;
    uint64_t left = search->memory_max - bytes;
    world->values->bytes_max = value_table_size(world->values) + left;
    world->cache_max = spec_world_size(world) + left;
}

static enum linear_limit check_limits(const struct search *search,
                                      uint64_t *next_check)
{
    const struct linear_options *options = search->options;
    uint64_t steps = search->result->steps;
    if (options->steps_max && steps > options->steps_max)
        return LINEAR_STEPS;
    if (steps < *next_check)
        return LINEAR_NO_LIMIT;
    *next_check = steps + PROGRESS_STEPS;
    uint64_t bytes = bytes_used(search);
    if (bytes > search->memory_max)
        return LINEAR_MEMORY;
    set_shares(search, bytes);
    if (options->progress && !options->progress(options->data, steps, bytes))
        return LINEAR_STOPPED;
    return LINEAR_NO_LIMIT;
}

/* KAN_OK: all is ordered. KAN_CONFLICT: no order exists. */
static enum kan_err walk(struct search *search)
{
    uint64_t next_check = 0;
    enum kan_err err = open_moves(search);
    while (err == KAN_OK) {
        err = settle(search);
        if (err != KAN_OK || search->at == search->plan->return_count)
            break;
        search->result->limit = check_limits(search, &next_check);
        if (search->result->limit != LINEAR_NO_LIMIT)
            return KAN_BUSY;
        bool known =
            !look_ahead(search) ||
            memo_has(&search->memo, search->at, search->state, search->ordered);
        err = known ? KAN_CONFLICT : first_way(search);
        if (err == KAN_CONFLICT) {
            fail_at(search, search->at);
            keep_best(search);
            err = back(search);
        }
    }
    return err;
}

static void search_fini(struct search *search)
{
    memo_fini(&search->memo);
    mem_free(search->slots);
    mem_free(search->order);
    mem_free(search->frames);
    mem_free(search->masks);
}

static enum kan_err search_init(struct search *search)
{
    const struct plan *plan = search->plan;
    memo_init(&search->memo, plan->words);
    search->state = plan->world->initial;
    search->slots = mem_alloc((plan->slot_count + 1) * sizeof(uint32_t));
    search->order = mem_alloc((plan->count + 1) * sizeof(uint32_t));
    search->result->order = mem_alloc((plan->count + 1) * sizeof(uint32_t));
    return search->slots && search->order && search->result->order ? KAN_OK
                                                                   : KAN_NOMEM;
}

static void conclude(struct search *search, enum kan_err err)
{
    struct linear_result *result = search->result;
    const struct plan *plan = search->plan;
    result->stuck = PLAN_NONE;
    if (err == KAN_OK) {
        result->verdict = VERDICT_LINEARIZABLE;
        search->best_set = false;
        keep_best(search);
    } else if (err == KAN_CONFLICT) {
        result->verdict = VERDICT_NOT;
        result->stuck = plan->moves[plan->returns[search->reach]].operation;
    } else {
        result->verdict = VERDICT_UNKNOWN;
        if (result->limit == LINEAR_NO_LIMIT)
            result->limit = LINEAR_MEMORY;
    }
    result->memo = search->memo.count;
    result->bytes = bytes_used(search);
}

enum kan_err linear_search(const struct plan *plan,
                           const struct linear_options *options,
                           struct linear_result *ret_result)
{
    static const struct linear_options none;
    struct linear_result result = {0};
    struct search search = {
        .plan = plan, .options = options ? options : &none, .result = &result};
    search.memory_max = search.options->memory_max ? search.options->memory_max
                                                   : MEMORY_DEFAULT;
    struct value_table *values = plan->world->values;
    uint64_t bytes_max = values->bytes_max;
    enum kan_err err = search_init(&search);
    if (err == KAN_OK)
        err = walk(&search);
    values->bytes_max = bytes_max;
    plan->world->cache_max = UINT64_MAX;
    bool decided = err == KAN_OK || err == KAN_CONFLICT || err == KAN_BUSY;
    if (decided) {
        conclude(&search, err);
        *ret_result = result;
    } else {
        mem_free(result.order);
    }
    search_fini(&search);
    return decided ? KAN_OK : err;
}

void linear_result_fini(struct linear_result *result)
{
    mem_free(result->order);
    *result = (struct linear_result){0};
}
