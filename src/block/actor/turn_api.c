/* turn_api.c - the calls of a handler: they write down what it wants.
 *
 * They run in the middle of foreign code, under its guard, on its pointers: a
 * bad one crashes here as it would there, and an overrun may jump out of any
 * line. So nothing here allocates or locks, and a wrong use leaves the handler
 * at once. */

#include "block/actor/turn_run.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/utf8.h"
#include "block/actor/guard.h"

/* A time so far ahead that adding it to a clock overflows is no time: that of
 * any clock is below the half. */
#define TURN_AFTER_MAX_MS ((uint64_t)INT64_MAX / 2)

struct turn *turn_of(kan_turn *face)
{
    return list_entry(face, struct turn, face);
}

/* Fail, and leave the handler. */
#define turn_misuse(turn, ...)                        \
    do {                                              \
        turn_fail((turn), TURN_INVALID, __VA_ARGS__); \
        guard_leave();                                \
    } while (0)

/* A zeroed message where the handler gives none; nothing where the record
 * carries nothing. */
static const void *send_copy(struct turn_result *result,
                             const struct kan_record *record,
                             const void *message)
{
    char *copy = result->sent + result->sent_size;

    if (record->size == 0)
        return NULL;
    if (message)
        memcpy(copy, message, record->size);
    else
        memset(copy, 0, record->size);
    result->sent_size += (record->size + TURN_ALIGN - 1) & ~(TURN_ALIGN - 1);
    return copy;
}

static void api_send(kan_turn *face, const struct kan_ref *to,
                     const struct kan_record *record, const void *message,
                     bool call)
{
    struct turn *turn = turn_of(face);
    struct turn_result *result = turn->result;
    struct turn_output *output = &result->output;

    if (output->send_count == KAN_SENDS_MAX)
        turn_misuse(turn, "sends more than %d messages in one step",
                    KAN_SENDS_MAX);
    if (record->size > KAN_RECORD_SIZE_MAX)
        turn_misuse(turn,
                    "sends a message of %" PRIu32
                    " bytes; at most %d are possible",
                    record->size, KAN_RECORD_SIZE_MAX);
    struct turn_send *send = &result->sends[output->send_count];
    send->to = *to;
    send->record = record;
    send->call = call;
    send->message = send_copy(result, record, message);
    output->send_count++;
}

static void api_refuse(kan_turn *face, const char *text)
{
    struct turn *turn = turn_of(face);
    struct turn_output *output = &turn->result->output;

    if (turn->input->kind != TURN_MESSAGE)
        turn_misuse(turn,
                    "calls kan_refuse() where there is no message to "
                    "refuse");
    if (output->end != TURN_DONE)
        return;
    size_t size = strnlen(text, TURN_WHY_MAX - 1);
    memcpy(output->why, text, size);
    /* Cut where a character ends; and a text that is none is not passed on. */
    output->why[utf8_valid_size(kan_slice(output->why, size))] = '\0';
    output->end = TURN_REFUSED;
}

static void api_decline(kan_turn *face)
{
    struct turn *turn = turn_of(face);
    struct turn_output *output = &turn->result->output;

    if (!turn->input->may_decline)
        turn_misuse(turn,
                    "calls kan_decline(), which only a model with "
                    "KAN_COMPAT_SPEC may; use kan_refuse()");
    if (output->end == TURN_DONE)
        output->end = TURN_DECLINED;
}

static void api_release(kan_turn *face)
{
    turn_of(face)->result->output.released = true;
}

static void api_timer(kan_turn *face, uint32_t timer, bool set,
                      uint64_t after_ms)
{
    struct turn *turn = turn_of(face);
    struct turn_result *result = turn->result;
    struct turn_output *output = &result->output;

    if (timer >= turn->input->type->timer_count)
        turn_misuse(turn,
                    "uses timer %" PRIu32 " of %" PRIu32 " in its type's table",
                    timer, turn->input->type->timer_count);
    if (output->timer_count == TURN_TIMER_CALLS_MAX)
        turn_misuse(turn,
                    "sets and clears timers more than %d times in one "
                    "step",
                    TURN_TIMER_CALLS_MAX);
    if (after_ms > TURN_AFTER_MAX_MS)
        turn_misuse(turn,
                    "sets timer %s to %" PRIu64
                    " ms from now, where no clock ever is",
                    turn->input->type->timers[timer].name, after_ms);
    result->timers[output->timer_count++] =
        (struct turn_timer){timer, set, after_ms};
}

static int64_t api_now(kan_turn *face)
{
    const struct turn *turn = turn_of(face);

    return turn->input->now_ms + turn->world->shift_ms;
}

/* The next draw of the run to be repeated. Where this one draws otherwise, the
 * two are told apart by what they drew, and the rest does not matter. */
static uint64_t draw_repeat(const struct turn *turn, uint64_t n)
{
    const struct turn_result *repeat = turn->world->repeat;
    uint32_t at = turn->result->draw_count - 1;

    if (at >= repeat->draw_count || repeat->draws[at].n != n)
        guard_leave();
    return repeat->draws[at].given;
}

static uint64_t draw_fresh(struct turn *turn, uint64_t n)
{
    uint64_t given;

    if (!turn->input->choose)
        return TURN_NO_CHOICE;
    guard_pause();
    given = turn->input->choose(turn->input->data, n);
    kan_assert(given < n || given == TURN_NO_CHOICE);
    guard_resume();
    return given;
}

static uint64_t api_choose(kan_turn *face, uint64_t n)
{
    struct turn *turn = turn_of(face);
    struct turn_result *result = turn->result;

    if (n == 0)
        turn_misuse(turn, "calls kan_choose() with nothing to choose from");
    if (result->draw_count == TURN_DRAWS_MAX)
        turn_misuse(turn, "calls kan_choose() more than %d times in one step",
                    TURN_DRAWS_MAX);
    struct turn_draw *draw = &result->draws[result->draw_count++];
    draw->n = n;
    draw->given =
        turn->world->repeat ? draw_repeat(turn, n) : draw_fresh(turn, n);
    if (draw->given == TURN_NO_CHOICE) {
        result->output.end = TURN_NEEDS_CHOICE;
        guard_leave();
    }
    return draw->given;
}

static int64_t api_parameter(kan_turn *face, uint32_t number)
{
    struct turn *turn = turn_of(face);

    if (number >= turn->input->parameter_count)
        turn_misuse(turn,
                    "asks for parameter %" PRIu32 " of %" PRIu32
                    " in its model's table",
                    number, turn->input->parameter_count);
    return turn->input->parameters[number];
}

static void note(kan_turn *face, enum turn_note_kind kind, uint32_t op,
                 int64_t value)
{
    struct turn *turn = turn_of(face);
    struct turn_result *result = turn->result;

    if (result->output.note_count == TURN_NOTES_MAX)
        turn_misuse(turn,
                    "calls kan_invoke() and kan_complete() more than %d "
                    "times in one step",
                    TURN_NOTES_MAX);
    result->notes[result->output.note_count++] =
        (struct turn_note){kind, op, value};
}

static void api_invoke(kan_turn *face, uint32_t op, int64_t argument)
{
    note(face, TURN_INVOKE, op, argument);
}

static void api_complete(kan_turn *face, int64_t result)
{
    note(face, TURN_COMPLETE, 0, result);
}

static void api_claim(kan_turn *face, bool holds, const char *text)
{
    struct turn *turn = turn_of(face);

    if (holds)
        return;
    turn_fail(turn, TURN_CLAIM, "the claim '%s' does not hold", text);
    guard_leave();
}

const struct kan_turn_api turn_api = {
    .send = api_send,
    .refuse = api_refuse,
    .decline = api_decline,
    .release = api_release,
    .timer = api_timer,
    .now = api_now,
    .choose = api_choose,
    .parameter = api_parameter,
    .invoke = api_invoke,
    .complete = api_complete,
    .claim = api_claim,
};
