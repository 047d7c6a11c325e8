/* turn_twice.c - a run repeated where everything that a handler may not look
 * at is different: padding, the stack below it, the memory behind its structs,
 * and, where only differences of times count, the time.
 *
 * What came of both is compared as bytes: canonical ones are equal when they
 * mean the same. */

#include "block/actor/turn.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/record.h"
#include "block/actor/turn_run.h"

enum
{
    TWICE_STACK = 8192, /* bytes of the stack, more than most handlers use */
    TWICE_WORDS = 160   /* of a difference, in bytes */
};

/* An arbitrary time, near a year, that no calendar and no round number fits;
 * below it clocks that are so far ahead are left alone. */
#define TWICE_SHIFT_MS INT64_C(31556951867)

static const struct turn_world world_first = {.fill = 0x00, .dirty = true};

static const char *const end_names[] = {[TURN_DONE] = "done",
                                        [TURN_UNHANDLED] = "unhandled",
                                        [TURN_DECLINED] = "declined",
                                        [TURN_REFUSED] = "refused",
                                        [TURN_NEEDS_CHOICE] = "drawing more",
                                        [TURN_CLAIM] = "a broken claim",
                                        [TURN_INVALID] = "a mistake",
                                        [TURN_CRASHED] = "a crash",
                                        [TURN_OVERRUN] = "an overrun"};

/* Leave the byte all over the stack where the handler's will be. */
__attribute__((noinline, no_sanitize("address"))) static void stack_fill(
    unsigned char byte)
{
    char bytes[TWICE_STACK];

    memset(bytes, byte, sizeof(bytes));
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

static void run_in(struct turn *turn, const struct turn_input *input,
                   const void *state, const struct turn_world *world,
                   struct turn_result *result)
{
    stack_fill(world->fill);
    turn_run_in(turn, input, state, world, result);
}

/* --- the first difference, in words --------------------------------------- */

/* What turn->why holds of record_diff(), its first line, behind a name. */
static void tell_records(struct turn *turn, const char *name,
                         const struct kan_record *record, const void *before,
                         const void *after, char *words)
{
    buffer_clear(&turn->why);
    if (record_diff(record, before, after, &turn->why) != KAN_OK)
        buffer_clear(&turn->why);
    struct kan_slice rest = buffer_slice(&turn->why);
    struct kan_slice line;
    (void)slice_cut(&rest, '\n', &line);
    (void)snprintf(words, TWICE_WORDS, "%s: %.*s", name, SLICE_ARG(line));
}

static bool draws_differ(const struct turn *turn, char *words)
{
    const struct turn_result *a = &turn->first;
    const struct turn_result *b = &turn->second;

    for (uint32_t i = 0; i < a->draw_count && i < b->draw_count; i++)
        if (a->draws[i].n != b->draws[i].n) {
            (void)snprintf(words, TWICE_WORDS,
                           "kan_choose() number %" PRIu32 " is of %" PRIu64
                           ", then of %" PRIu64,
                           i + 1, a->draws[i].n, b->draws[i].n);
            return true;
        }
    if (a->draw_count == b->draw_count)
        return false;
    (void)snprintf(words, TWICE_WORDS,
                   "%" PRIu32 " calls of kan_choose(), then %" PRIu32 "%s",
                   a->draw_count, b->draw_count,
                   b->draw_count > a->draw_count ? " or more" : "");
    return true;
}

static bool send_differs(struct turn *turn, uint32_t at, char *words)
{
    const struct turn_send *a = &turn->first.sends[at];
    const struct turn_send *b = &turn->second.sends[at];
    char name[TWICE_WORDS / 2];

    if (!kan_ref_equal(&a->to, &b->to)) {
        (void)snprintf(words, TWICE_WORDS,
                       "message %" PRIu32 " goes to %.48s, then to %.48s",
                       at + 1, a->to.text, b->to.text);
        return true;
    }
    if (a->record != b->record || a->call != b->call) {
        (void)snprintf(words, TWICE_WORDS,
                       "message %" PRIu32 " is %s%.32s, then %s%.32s", at + 1,
                       a->call ? "a call of " : "", a->record->name,
                       b->call ? "a call of " : "", b->record->name);
        return true;
    }
    if (!a->message || memcmp(a->message, b->message, a->record->size) == 0)
        return false;
    (void)snprintf(name, sizeof(name), "message %" PRIu32 " (%.32s)", at + 1,
                   a->record->name);
    tell_records(turn, name, a->record, a->message, b->message, words);
    return true;
}

static bool timer_differs(const struct turn *turn, uint32_t at, char *words)
{
    const struct turn_timer *a = &turn->first.timers[at];
    const struct turn_timer *b = &turn->second.timers[at];
    const struct kan_timer_type *types = turn->input->type->timers;

    if (a->timer == b->timer && a->set == b->set && a->after_ms == b->after_ms)
        return false;
    (void)snprintf(words, TWICE_WORDS,
                   "timer %.32s is %s to %" PRIu64
                   " ms, then %.32s %s to "
                   "%" PRIu64,
                   types[a->timer].name, a->set ? "set" : "cleared",
                   a->after_ms, types[b->timer].name,
                   b->set ? "set" : "cleared", b->after_ms);
    return true;
}

static bool note_differs(const struct turn *turn, uint32_t at, char *words)
{
    const struct turn_note *a = &turn->first.notes[at];
    const struct turn_note *b = &turn->second.notes[at];

    if (a->kind == b->kind && a->op == b->op && a->value == b->value)
        return false;
    (void)snprintf(
        words, TWICE_WORDS, "%s of %" PRId64 ", then %s of %" PRId64,
        a->kind == TURN_INVOKE ? "kan_invoke()" : "kan_complete()", a->value,
        b->kind == TURN_INVOKE ? "kan_invoke()" : "kan_complete()", b->value);
    return true;
}

static bool counts_differ(const char *what, uint32_t a, uint32_t b, char *words)
{
    if (a == b)
        return false;
    (void)snprintf(words, TWICE_WORDS, "%" PRIu32 " %s, then %" PRIu32, a, what,
                   b);
    return true;
}

static bool lists_differ(struct turn *turn, char *words)
{
    const struct turn_output *a = &turn->first.output;
    const struct turn_output *b = &turn->second.output;

    if (counts_differ("messages", a->send_count, b->send_count, words) ||
        counts_differ("timer calls", a->timer_count, b->timer_count, words) ||
        counts_differ("operations noted", a->note_count, b->note_count, words))
        return true;
    for (uint32_t i = 0; i < a->send_count; i++)
        if (send_differs(turn, i, words))
            return true;
    for (uint32_t i = 0; i < a->timer_count; i++)
        if (timer_differs(turn, i, words))
            return true;
    for (uint32_t i = 0; i < a->note_count; i++)
        if (note_differs(turn, i, words))
            return true;
    return counts_differ("calls of kan_release()", a->released, b->released,
                         words);
}

static bool runs_differ(struct turn *turn, char *words)
{
    const struct turn_output *a = &turn->first.output;
    const struct turn_output *b = &turn->second.output;
    const struct kan_record *record = turn->input->type->state;

    if (draws_differ(turn, words))
        return true;
    if (a->end != b->end) {
        (void)snprintf(words, TWICE_WORDS, "%s, then %s%s%.100s",
                       end_names[a->end], end_names[b->end],
                       b->why[0] ? ": " : "", b->why);
        return true;
    }
    if (a->end == TURN_REFUSED && strcmp(a->why, b->why) != 0) {
        (void)snprintf(words, TWICE_WORDS,
                       "refused with '%.50s', then with '%.50s'", a->why,
                       b->why);
        return true;
    }
    if (record->size > 0 && memcmp(a->state, b->state, record->size) != 0) {
        tell_records(turn, "state", record, a->state, b->state, words);
        return true;
    }
    return lists_differ(turn, words);
}

/* --- twice ---------------------------------------------------------------- */

/* Whether the time alone makes the difference that was found. */
static bool clock_to_blame(struct turn *turn, const struct turn_input *input,
                           const void *state, const struct turn_world *second)
{
    struct turn_world still = *second;
    char words[TWICE_WORDS];

    if (second->shift_ms == 0)
        return false;
    still.shift_ms = 0;
    run_in(turn, input, state, &still, &turn->second);
    return !runs_differ(turn, words);
}

static void run_fail(struct turn *turn, const struct turn_input *input,
                     const void *state, const char *words, bool clock)
{
    struct turn_output *output = &turn->first.output;
    size_t size = input->type->state->size;

    turn->result = &turn->first;
    if (size > 0)
        memcpy(turn->first.state, state, size);
    output->changed = false;
    output->released = false;
    output->send_count = 0;
    output->timer_count = 0;
    output->note_count = 0;
    turn_fail(turn, TURN_INVALID,
              clock ? "gives another outcome on another day, so a time is "
                      "where none is declared: %s"
                    : "is not deterministic: run again it gives another "
                      "outcome, as when it reads what was never set: %s",
              words);
}

const struct turn_output *turn_run_twice(struct turn *turn,
                                         const struct turn_input *input,
                                         const void *state, bool relative_times)
{
    struct turn_world second = {
        .fill = 0xa5, .dirty = true, .repeat = &turn->first};
    struct turn_output *output = &turn->first.output;
    char words[TWICE_WORDS];

    run_in(turn, input, state, &world_first, &turn->first);
    if (output->end != TURN_DONE && output->end != TURN_REFUSED &&
        output->end != TURN_DECLINED)
        return output;
    if (relative_times && input->now_ms < INT64_MAX / 2)
        second.shift_ms = TWICE_SHIFT_MS;
    run_in(turn, input, state, &second, &turn->second);
    if (runs_differ(turn, words)) {
        bool clock = clock_to_blame(turn, input, state, &second);
        run_fail(turn, input, state, words, clock);
    }
    return output;
}
