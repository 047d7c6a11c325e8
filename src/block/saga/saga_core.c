/* The rules of a saga. Everything here is a function of its arguments. */

#include "block/saga/saga_core.h"

#include "base/assert.h"

static void emit(struct saga_turn *turn, struct saga_effect effect)
{
    kan_assert(turn->effect_count < SAGA_EFFECTS_MAX);
    turn->effects[turn->effect_count] = effect;
    turn->effect_count++;
}

static struct saga_effect effect_of(enum saga_effect_kind kind)
{
    struct saga_effect effect = {0};

    effect.kind = kind;
    return effect;
}

bool saga_core_ended(struct saga_progress progress)
{
    return progress.status == SAGA_DONE || progress.status == SAGA_UNDONE;
}

bool saga_core_behind(struct saga_shape shape, uint32_t step)
{
    return step > shape.pivot;
}

static bool undoable(struct saga_shape shape, uint32_t step)
{
    return (shape.undoable >> step & 1) != 0;
}

bool saga_core_possible(struct saga_shape shape, struct saga_progress progress)
{
    switch (progress.status) {
    case SAGA_RUNNING:
        return progress.next < shape.step_count;
    case SAGA_UNDOING:
        return progress.next < shape.step_count &&
               undoable(shape, progress.next);
    case SAGA_DONE:
    case SAGA_UNDONE:
        return true;
    }
    return false;
}

/* What is to be undone when the steps before `below` are taken. */
static struct saga_progress undo_below(struct saga_shape shape, uint32_t below)
{
    struct saga_progress progress = {.status = SAGA_UNDONE};

    while (below > 0) {
        below--;
        if (undoable(shape, below)) {
            progress.status = SAGA_UNDOING;
            progress.next = below;
            return progress;
        }
    }
    return progress;
}

static struct saga_progress done_below(struct saga_shape shape, uint32_t below)
{
    struct saga_progress progress = {.status = SAGA_RUNNING, .next = below};

    if (below == shape.step_count)
        progress.status = SAGA_DONE;
    return progress;
}

/* What the record says once the step that is next has been taken. */
static struct saga_progress after_next(const struct saga_core *core)
{
    if (core->progress.status == SAGA_RUNNING)
        return done_below(core->shape, core->progress.next + 1);
    return undo_below(core->shape, core->progress.next);
}

/* --- going on ------------------------------------------------------------- */

static void answer(struct saga_turn *turn, bool ended)
{
    struct saga_effect effect = effect_of(SAGA_EFFECT_ANSWER);

    /*= K-SAGA-3: an end is told when the record says so, not before. */
    kan_assert(!ended || (turn->core.revision != 0 &&
                          saga_core_ended(turn->core.progress)));
    effect.ended = ended;
    turn->core.phase = SAGA_OVER;
    emit(turn, effect);
}

static void read_record(struct saga_turn *turn)
{
    turn->core.known = false;
    turn->core.phase = SAGA_READING;
    emit(turn, effect_of(SAGA_EFFECT_READ));
}

static void rest(struct saga_turn *turn)
{
    struct saga_effect retry = effect_of(SAGA_EFFECT_RETRY);
    uint32_t ms = SAGA_BACKOFF_MS;

    for (uint32_t i = 0; i < turn->core.tries && ms < SAGA_BACKOFF_MAX_MS; i++)
        ms *= 2;
    if (turn->core.tries < UINT32_MAX)
        turn->core.tries++;
    retry.ms = ms < SAGA_BACKOFF_MAX_MS ? ms : SAGA_BACKOFF_MAX_MS;
    turn->core.phase = SAGA_RESTING;
    emit(turn, retry);
}

static void take_next(struct saga_turn *turn)
{
    struct saga_core *core = &turn->core;
    struct saga_effect effect = effect_of(SAGA_EFFECT_DO);

    effect.step = core->progress.next;
    effect.becomes = after_next(core);
    if (core->progress.status == SAGA_UNDOING)
        effect.kind = SAGA_EFFECT_UNDO;
    /*= K-SAGA-2: nothing is undone that the record does not say is taken. */
    kan_assert(core->progress.status == SAGA_RUNNING || core->revision != 0);
    core->phase = SAGA_STEPPING;
    emit(turn, effect);
}

static void record_end(struct saga_turn *turn)
{
    struct saga_effect record = effect_of(SAGA_EFFECT_RECORD);

    record.becomes = turn->core.progress;
    turn->core.phase = SAGA_RECORDING;
    emit(turn, record);
}

/* The progress is ahead of the record only when all is undone without a step
 * that says so. */
static void go(struct saga_turn *turn)
{
    if (turn->core.progress.status == SAGA_UNDONE)
        record_end(turn);
    else
        take_next(turn);
}

/* --- what came of it ------------------------------------------------------ */

static void on_taken(struct saga_turn *turn, struct saga_event event)
{
    struct saga_core *core = &turn->core;

    /*= K-SAGA-1: the record tells of a step because it is in its commit. */
    kan_assert(event.revision > core->revision);
    if (core->phase == SAGA_STEPPING)
        core->progress = after_next(core);
    core->revision = event.revision;
    core->tries = 0;
    core->loose = false;
    core->balked = false;
    if (saga_core_ended(core->progress))
        answer(turn, true);
    else
        take_next(turn);
}

static void on_refused(struct saga_turn *turn)
{
    struct saga_core *core = &turn->core;
    uint32_t step = core->progress.next;

    if (core->progress.status == SAGA_RUNNING &&
        !saga_core_behind(core->shape, step)) {
        core->refused = step;
        core->progress = undo_below(core->shape, step);
        go(turn);
        return;
    }
    /*= K-SAGA-4: what must not be refused is never given up. */
    kan_assert(!saga_core_ended(core->progress));
    /* A copy of the step that was thought to be lost may have come into force
     * meanwhile, and is what it is refused for: the record tells. */
    core->balked = true;
    read_record(turn);
}

static void on_failed(struct saga_turn *turn)
{
    /* Who asked is told at once while nothing has begun. */
    if (turn->core.revision == 0 && !turn->core.loose)
        answer(turn, false);
    else
        rest(turn);
}

/* It was refused, and is still to be taken: that should not be. What was is
 * not what the record says is next: a refusal that turns the saga round is in
 * the record with the first undo alone. */
static void trouble(struct saga_turn *turn, struct saga_progress was)
{
    struct saga_effect effect = effect_of(SAGA_EFFECT_TROUBLE);

    effect.step = was.next;
    effect.undo = was.status == SAGA_UNDOING;
    turn->core.balked = false;
    emit(turn, effect);
    rest(turn);
}

static void on_read(struct saga_turn *turn, struct saga_event event)
{
    struct saga_core *core = &turn->core;
    struct saga_progress was = core->progress;
    bool moved = event.revision != core->revision;

    if (event.revision == 0 && core->revision != 0) {
        answer(turn, false); /* it is gone: whoever took it away has the word */
        return;
    }
    core->known = true;
    core->refused = event.refused;
    core->progress = done_below(core->shape, 0);
    if (event.revision)
        core->progress = event.progress;
    core->revision = event.revision;
    if (moved) {
        core->tries = 0;
        core->loose = false;
        core->balked = false;
    }
    if (saga_core_ended(core->progress))
        answer(turn, true);
    else if (core->balked)
        trouble(turn, was);
    else if (core->tries)
        rest(turn);
    else
        take_next(turn);
}

static void on_answer(struct saga_turn *turn, struct saga_event event)
{
    switch (event.kind) {
    case SAGA_EVENT_TAKEN:
        on_taken(turn, event);
        return;
    case SAGA_EVENT_REFUSED:
        kan_assert(turn->core.phase == SAGA_STEPPING);
        on_refused(turn);
        return;
    case SAGA_EVENT_UNKNOWN:
        if (turn->core.revision == 0)
            turn->core.loose = true;
        turn->core.tries++;
        read_record(turn);
        return;
    case SAGA_EVENT_GUARDED:
        turn->core.tries++;
        read_record(turn);
        return;
    case SAGA_EVENT_FAILED:
        on_failed(turn);
        return;
    case SAGA_EVENT_BROKEN:
        answer(turn, false);
        return;
    case SAGA_EVENT_START:
    case SAGA_EVENT_RECOVER:
    case SAGA_EVENT_READ:
    case SAGA_EVENT_TIMER:
        break;
    }
    kan_assert(false); /* nothing was asked that this would answer */
}

/* --- the one rule --------------------------------------------------------- */

struct saga_core saga_core_begin(struct saga_shape shape)
{
    struct saga_core core = {.shape = shape, .refused = SAGA_STEP_NONE};

    kan_assert(shape.step_count > 0 && shape.step_count <= SAGA_STEPS_MAX);
    kan_assert(shape.pivot <= shape.step_count);
    return core;
}

struct saga_turn saga_core_step(struct saga_core core, struct saga_event event)
{
    struct saga_turn turn = {.core = core};

    switch (core.phase) {
    case SAGA_NEW:
        kan_assert(event.kind == SAGA_EVENT_START ||
                   event.kind == SAGA_EVENT_RECOVER);
        turn.core.known = event.kind == SAGA_EVENT_START;
        if (turn.core.known)
            take_next(&turn);
        else
            read_record(&turn);
        break;
    case SAGA_READING:
        if (event.kind == SAGA_EVENT_READ)
            on_read(&turn, event);
        else if (event.kind == SAGA_EVENT_BROKEN)
            answer(&turn, false);
        else
            rest(&turn);
        break;
    case SAGA_STEPPING:
    case SAGA_RECORDING:
        on_answer(&turn, event);
        break;
    case SAGA_RESTING:
        kan_assert(event.kind == SAGA_EVENT_TIMER);
        if (core.known)
            go(&turn);
        else
            read_record(&turn);
        break;
    case SAGA_OVER:
        kan_assert(false);
    }
    return turn;
}
