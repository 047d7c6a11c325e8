/* The rules of waiting for a lock. Guarantees: docs/guarantees/lock.md. */

#include "block/lock/lock_line.h"

#include "base/assert.h"

#define MS UINT64_C(1000000)

static struct lock_line_step with(struct lock_line_step step,
                                  struct lock_line_effect effect)
{
    kan_assert(step.effect_count < LOCK_LINE_EFFECTS);
    step.effects[step.effect_count++] = effect;
    return step;
}

static struct lock_line_step take_out(struct lock_line_step step, uint32_t at)
{
    struct lock_line *line = &step.line;

    kan_assert(at < line->count);
    for (uint32_t i = at + 1; i < line->count; i++)
        line->places[i - 1] = line->places[i];
    line->count--;
    line->places[line->count] = (struct lock_place){0};
    return step;
}

/* Answer the one at that place, who leaves the line. */
static struct lock_line_step tell(struct lock_line_step step, uint32_t at,
                                  enum lock_outcome outcome, enum kan_err err)
{
    struct lock_line_effect effect = {.kind = LOCK_LINE_ANSWER,
                                      .ticket = step.line.places[at].ticket,
                                      .outcome = outcome,
                                      .err = err};

    return with(take_out(step, at), effect);
}

/* --- what is due ---------------------------------------------------------- */

/* Answer those whose time is over, and while the resource is held those who do
 * not wait; no more than fit into one step. The first, while it tries, is left
 * to its try, which has the same deadline. Returns whether all were. */
static bool tell_due(struct lock_line_step *step, uint64_t now_ns)
{
    bool trying = step->line.phase == LOCK_LINE_TRYING;
    bool held = step->line.phase == LOCK_LINE_HELD;

    for (uint32_t i = trying ? 1 : 0; i < step->line.count;) {
        struct lock_place place = step->line.places[i];
        bool over = now_ns >= place.until_ns;
        if (!over && (place.patient || !held)) {
            i++;
            continue;
        }
        if (step->effect_count >= LOCK_LINE_EFFECTS - 2)
            return false;
        /* Whoever stood in line waited for a holder to go; the others waited
         * for an answer. */
        if (place.patient || held)
            *step = tell(*step, i, LOCK_HELD, KAN_OK);
        else
            *step = tell(*step, i, LOCK_FAILED, KAN_TIMEOUT);
    }
    return true;
}

static struct lock_line_step first_tries(struct lock_line_step step)
{
    struct lock_line_effect effect = {.kind = LOCK_LINE_TRY,
                                      .ticket = step.line.places[0].ticket,
                                      .until_ns = step.line.places[0].until_ns};

    step.line.phase = LOCK_LINE_TRYING;
    step.line.woken = false;
    return with(step, effect);
}

static struct lock_line_step alarm_at(struct lock_line_step step,
                                      uint64_t due_ns)
{
    struct lock_line_effect effect = {.kind = LOCK_LINE_ALARM,
                                      .due_ns = due_ns};

    return with(step, effect);
}

static uint64_t next_due(struct lock_line line)
{
    uint64_t due = line.phase == LOCK_LINE_HELD ? line.poll_ns : UINT64_MAX;

    for (uint32_t i = line.phase == LOCK_LINE_TRYING ? 1 : 0; i < line.count;
         i++) {
        if (line.places[i].until_ns < due)
            due = line.places[i].until_ns;
    }
    return due;
}

/* What every step ends with. */
static struct lock_line_step settle(struct lock_line_step step, uint64_t now_ns)
{
    if (!tell_due(&step, now_ns))
        return alarm_at(step, now_ns);
    if (step.line.count == 0) {
        step.line = (struct lock_line){0};
        return step;
    }
    if (step.line.phase == LOCK_LINE_HELD && now_ns >= step.line.poll_ns)
        step.line.phase = LOCK_LINE_OPEN;
    if (step.line.phase == LOCK_LINE_OPEN)
        step = first_tries(step);
    if (next_due(step.line) != UINT64_MAX)
        step = alarm_at(step, next_due(step.line));
    return step;
}

/* --- events --------------------------------------------------------------- */

static struct lock_line_step join(struct lock_line_step step,
                                  struct lock_place place)
{
    uint32_t count = step.line.count;

    /*= K-LOCK-7: a line has an end. */
    kan_assert(count < LOCK_LINE_MAX);
    /*= K-LOCK-6: who comes later stands behind. */
    kan_assert(count == 0 || step.line.places[count - 1].ticket < place.ticket);
    step.line.places[count] = place;
    step.line.count++;
    return step;
}

static struct lock_line_step leave(struct lock_line_step step, uint64_t ticket)
{
    struct lock_line_effect drop = {.kind = LOCK_LINE_DROP, .ticket = ticket};

    for (uint32_t i = 0; i < step.line.count; i++) {
        if (step.line.places[i].ticket != ticket)
            continue;
        step = take_out(step, i);
        if (i > 0 || step.line.phase != LOCK_LINE_TRYING)
            return step;
        /* If the try was granted all the same, it will be taken back, and the
         * next one is woken by that. */
        step.line.phase = LOCK_LINE_OPEN;
        return with(step, drop);
    }
    return step;
}

static struct lock_line_step held(struct lock_line_step step, uint64_t now_ns)
{
    step.line.phase = step.line.woken ? LOCK_LINE_OPEN : LOCK_LINE_HELD;
    step.line.poll_ns = now_ns + LOCK_POLL_MS * MS;
    return step;
}

static struct lock_line_step tried(struct lock_line_step step,
                                   struct lock_line_event event)
{
    bool first = step.line.count > 0 && step.line.phase == LOCK_LINE_TRYING &&
                 step.line.places[0].ticket == event.ticket;

    if (!first)
        return step;
    if (event.outcome == LOCK_OK) {
        step = tell(step, 0, LOCK_OK, KAN_OK);
        return held(step, event.now_ns);
    }
    if (event.outcome == LOCK_HELD)
        return held(step, event.now_ns);
    step.line.phase = LOCK_LINE_OPEN;
    return tell(step, 0, event.outcome, event.err);
}

static struct lock_line_step wake(struct lock_line_step step)
{
    if (step.line.phase == LOCK_LINE_TRYING)
        step.line.woken = true;
    else
        step.line.phase = LOCK_LINE_OPEN;
    return step;
}

struct lock_line_step lock_line_step(struct lock_line line,
                                     struct lock_line_event event)
{
    struct lock_line_step step = {.line = line};

    switch (event.kind) {
    case LOCK_LINE_JOIN:
        step = join(step, event.place);
        break;
    case LOCK_LINE_LEAVE:
        step = leave(step, event.ticket);
        break;
    case LOCK_LINE_TRIED:
        step = tried(step, event);
        break;
    case LOCK_LINE_WAKE:
        step = wake(step);
        break;
    case LOCK_LINE_TIMER:
        break;
    }
    return settle(step, event.now_ns);
}
