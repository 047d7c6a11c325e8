/* turn.c - one run of a handler, and what is made of it.
 *
 * Before: the state and the message are copied into scratch memory. During: the
 * handler works on the copies, under the guard. After: whatever it changed or
 * sends is checked against its table and made canonical, so that nothing that
 * leaves a turn has bytes that mean nothing. */

#include "block/actor/turn.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/record.h"
#include "base/utf8.h"
#include "block/actor/guard.h"
#include "block/actor/turn_run.h"

#define TURN_MAGIC 0x7475726eu /* "turn" */

/* A line longer than this is cut anyway. */
#define TURN_WHY_ROOM 1024

static const struct turn_world turn_plain;
static const struct kan_ref turn_nobody;

/* --- memory --------------------------------------------------------------- */

enum kan_err turn_new(struct turn **ret_turn)
{
    enum kan_err err = guard_install();
    struct turn *turn;

    if (err != KAN_OK)
        return err;
    /* Not zeroed: the room for messages is large, and mostly never touched. */
    turn = mem_alloc(sizeof(*turn));
    if (!turn)
        return KAN_NOMEM;
    turn->magic = TURN_MAGIC;
    turn->face.api = &turn_api;
    memset(&turn->why, 0, sizeof(turn->why));
    memset(turn->tables, 0, sizeof(turn->tables));
    if (buffer_reserve(&turn->why, TURN_WHY_ROOM) != KAN_OK) {
        turn_free(turn);
        return KAN_NOMEM;
    }
    *ret_turn = turn;
    return KAN_OK;
}

struct turn *turn_free(struct turn *turn)
{
    if (!turn)
        return NULL;
    check_magic(turn, TURN_MAGIC);
    turn->magic = 0;
    buffer_fini(&turn->why);
    return mem_free(turn);
}

/* --- failures ------------------------------------------------------------- */

void turn_fail(struct turn *turn, enum turn_end end, const char *format, ...)
{
    struct turn_output *output = &turn->result->output;
    va_list args;
    int used;

    output->end = end;
    used = snprintf(output->why, sizeof(output->why),
                    "%s: %s: ", turn->input->type->name, turn->step);
    if (used < 0 || (size_t)used >= sizeof(output->why))
        return;
    va_start(args, format);
    (void)vsnprintf(output->why + used, sizeof(output->why) - (size_t)used,
                    format, args);
    va_end(args);
}

/* What record_check() found, "counter.value = 12 is outside 0..10", as "the
 * state's value = 12 is outside 0..10". */
static void fail_record(struct turn *turn, const char *whose,
                        const struct kan_record *record)
{
    const char *text = buffer_text(&turn->why);
    size_t size = strlen(record->name);

    if (strncmp(text, record->name, size) == 0 && text[size] == '.')
        text += size + 1;
    turn_fail(turn, TURN_INVALID, "%s's %s", whose, text);
}

static const char *signal_text(int number)
{
    switch (number) {
    case SIGSEGV:
    case SIGBUS:
        return "touched memory that is not its own";
    case SIGFPE:
        return "divided by zero, or a number too large";
    case SIGILL:
        return "ran into what cannot be executed (a trap, perhaps)";
    default:
        return "aborted (smashed its stack, perhaps)";
    }
}

static void fail_guard(struct turn *turn, const struct guard_report *report)
{
    switch (report->end) {
    case GUARD_DONE:
    case GUARD_LEFT: /* who leaves has said why */
        break;
    case GUARD_CRASHED:
        turn_fail(turn, TURN_CRASHED, "%s (SIG%s at %p)",
                  signal_text(report->signal), sigabbrev_np(report->signal),
                  report->address);
        turn->result->output.address = report->address;
        break;
    case GUARD_OVERRUN:
        turn_fail(turn, TURN_OVERRUN, "did not end within %u ms of computing",
                  (unsigned)turn->input->limit_ms);
        break;
    }
}

/* --- which handler -------------------------------------------------------- */

/* Whether bytes of one table are bytes of the other: messages are known by
 * name, and each file that includes a table has one of its own. */
static bool tables_alike(const struct kan_record *a, const struct kan_record *b)
{
    if (a == b)
        return true;
    if (a->size != b->size || a->field_count != b->field_count ||
        strcmp(a->name, b->name) != 0)
        return false;
    for (uint32_t i = 0; i < a->field_count; i++) {
        const struct kan_field *x = &a->fields[i];
        const struct kan_field *y = &b->fields[i];
        if (x->kind != y->kind || x->offset != y->offset ||
            x->size != y->size || x->count != y->count ||
            strcmp(x->name, y->name) != 0 ||
            (x->kind == KAN_FIELD_RECORD &&
             !tables_alike(x->record, y->record)))
            return false;
    }
    return true;
}

static kan_handle *handler_find(struct turn *turn)
{
    const struct kan_actor_type *type = turn->input->type;
    const struct kan_record *record = turn->input->record;

    for (uint32_t i = 0; i < type->handler_count; i++)
        if (type->handlers[i].message == record)
            return type->handlers[i].handle;
    for (uint32_t i = 0; i < type->handler_count; i++) {
        const struct kan_handler *handler = &type->handlers[i];
        if (strcmp(handler->message->name, record->name) != 0)
            continue;
        if (tables_alike(handler->message, record))
            return handler->handle;
        turn_fail(turn, TURN_INVALID,
                  "the sender's struct %s has other fields than the handler's: "
                  "build both from one header",
                  record->name);
        return NULL;
    }
    turn->result->output.end = TURN_UNHANDLED;
    return NULL;
}

/* Sets what runs and its name; handle is NULL when nothing does. */
static void step_choose(struct turn *turn)
{
    const struct turn_input *input = turn->input;

    turn->handle = NULL;
    switch (input->kind) {
    case TURN_START:
        turn->step = "start";
        turn->handle = input->type->start;
        break;
    case TURN_RESTART:
        turn->step = "restart";
        turn->handle = input->type->restart;
        break;
    case TURN_MESSAGE:
        turn->step = input->record->name;
        turn->handle = handler_find(turn);
        break;
    case TURN_TIMER:
        kan_assert(input->timer < input->type->timer_count);
        turn->step = input->type->timers[input->timer].name;
        turn->handle = input->type->timers[input->timer].fire;
        break;
    }
}

/* --- before --------------------------------------------------------------- */

void turn_copy_fields(const struct kan_record *record, const void *from,
                      void *to)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct kan_field *field = &record->fields[i];
        const char *source = (const char *)from + field->offset;
        char *target = (char *)to + field->offset;
        if (field->kind != KAN_FIELD_RECORD) {
            memcpy(target, source, (size_t)field->size * field->count);
            continue;
        }
        for (uint32_t j = 0; j < field->count; j++)
            turn_copy_fields(field->record, source + (size_t)j * field->size,
                             target + (size_t)j * field->size);
    }
}

/* A copy to work on, and behind it a tail to watch. */
static void scratch_fill(const struct turn *turn, struct turn_scratch *scratch,
                         const struct kan_record *record, const void *bytes)
{
    const struct turn_world *world = turn->world;

    if (world->dirty) {
        memset(scratch->bytes, world->fill, record->size);
        turn_copy_fields(record, bytes, scratch->bytes);
    } else if (record->size > 0) {
        memcpy(scratch->bytes, bytes, record->size);
    }
    if (world->shift_ms != 0)
        record_shift_times(record, scratch->bytes, world->shift_ms, 0);
    memset(scratch->bytes + record->size, world->fill, TURN_TAIL);
}

static void scratch_prepare(struct turn *turn, const void *state)
{
    const struct turn_input *input = turn->input;

    turn->message = NULL;
    scratch_fill(turn, &turn->scratch_state, input->type->state, state);
    if (input->kind == TURN_MESSAGE && input->record->size > 0) {
        scratch_fill(turn, &turn->scratch_message, input->record,
                     input->message);
        turn->message = turn->scratch_message.bytes;
    }
}

/* --- after ---------------------------------------------------------------- */

/* Whether nothing was written behind the struct. */
static bool tail_intact(const struct turn *turn,
                        const struct turn_scratch *scratch, uint32_t size)
{
    unsigned char tail[TURN_TAIL];

    memset(tail, turn->world->fill, TURN_TAIL);
    return memcmp(scratch->bytes + size, tail, TURN_TAIL) == 0;
}

struct table_check
{
    const struct kan_record *record;
    struct buffer *why;
    enum kan_err err;
};

static void table_check(void *data)
{
    struct table_check *check = data;

    check->err = record_check_table(check->record, check->why);
}

static bool table_same(const struct kan_record *a, const struct kan_record *b)
{
    return a->name == b->name && a->size == b->size &&
           a->version == b->version && a->fields == b->fields &&
           a->field_count == b->field_count;
}

/* Whether the table of a message to be sent is sound: when its module was
 * opened, only those of its types were looked at. Found so once, it is
 * remembered by its address and members. */
static bool table_sound(struct turn *turn, const struct kan_record *record)
{
    size_t at = ((uintptr_t)record / sizeof(*record)) % TURN_TABLES;
    struct turn_table *table = &turn->tables[at];
    struct table_check check = {record, &turn->why, KAN_INVALID};

    if (table->record == record && table_same(&table->was, record))
        return true;
    buffer_clear(&turn->why);
    if (guard_run(table_check, &check, 0).end != GUARD_DONE)
        buffer_append_text(&turn->why, "it points to nowhere");
    if (check.err != KAN_OK) {
        turn_fail(turn, TURN_INVALID, "the table of a sent message: %s",
                  buffer_text(&turn->why));
        return false;
    }
    table->record = record;
    table->was = *record;
    return true;
}

/* Zeros behind the end; false when the text is no "type/id". */
static bool ref_settle(struct kan_ref *ref)
{
    size_t size = strnlen(ref->text, sizeof(ref->text));
    const char *slash = memchr(ref->text, '/', size);

    if (size == sizeof(ref->text) || !slash || slash == ref->text ||
        slash[1] == '\0' || !utf8_valid(kan_slice(ref->text, size)))
        return false;
    memset(ref->text + size, 0, sizeof(ref->text) - size);
    return true;
}

/* Make one message canonical, on the clock of the state given. */
static bool send_settle(struct turn *turn, struct turn_send *send)
{
    struct turn_result *result = turn->result;
    const struct kan_record *record = send->record;
    char *bytes =
        send->message
            ? result->sent + ((const char *)send->message - result->sent)
            : NULL;
    void *spare = turn->scratch_message.bytes;

    if (!table_sound(turn, record))
        return false;
    if (!ref_settle(&send->to)) {
        turn_fail(turn, TURN_INVALID,
                  "sends %s to nobody: '%.63s' is no \"type/id\"", record->name,
                  send->to.text);
        return false;
    }
    if (!bytes)
        return true;
    buffer_clear(&turn->why);
    if (record_check(record, bytes, &turn->why) != KAN_OK) {
        char whose[64];
        (void)snprintf(whose, sizeof(whose), "the sent %s", record->name);
        fail_record(turn, whose, record);
        return false;
    }
    record_canonical(record, bytes, spare);
    if (turn->world->shift_ms != 0)
        record_shift_times(record, spare, -turn->world->shift_ms, 0);
    memcpy(bytes, spare, record->size);
    return true;
}

/* Check the state that the handler left, and make it canonical. */
static bool state_settle(struct turn *turn, const void *given)
{
    struct turn_result *result = turn->result;
    const struct kan_record *record = turn->input->type->state;
    const void *left = turn->scratch_state.bytes;
    bool first = turn->input->kind <= TURN_RESTART;

    /* What was given has been checked, but a start is given zeros, and a
     * restart volatile ones. */
    if (!first && memcmp(left, given, record->size) == 0) {
        memcpy(result->state, given, record->size);
        return true;
    }
    buffer_clear(&turn->why);
    if (record_check(record, left, &turn->why) != KAN_OK) {
        fail_record(turn, "the state", record);
        return false;
    }
    record_canonical(record, left, result->state);
    if (turn->world->shift_ms != 0)
        record_shift_times(record, result->state, -turn->world->shift_ms, 0);
    result->output.changed = memcmp(result->state, given, record->size) != 0;
    return true;
}

static void tails_check(struct turn *turn)
{
    const struct turn_input *input = turn->input;

    if (!tail_intact(turn, &turn->scratch_state, input->type->state->size))
        turn_fail(turn, TURN_INVALID, "wrote behind the end of its state");
    else if (turn->message &&
             !tail_intact(turn, &turn->scratch_message, input->record->size))
        turn_fail(turn, TURN_INVALID, "wrote behind the end of its message");
}

static void run_settle(struct turn *turn, const void *given)
{
    struct turn_output *output = &turn->result->output;

    if (output->end == TURN_DONE)
        tails_check(turn);
    if (output->end != TURN_DONE || !state_settle(turn, given))
        return;
    for (uint32_t i = 0; i < output->send_count; i++)
        if (!send_settle(turn, &turn->result->sends[i]))
            return;
}

/* A step that is not done did nothing. */
static void run_drop(struct turn *turn, const void *given)
{
    struct turn_result *result = turn->result;
    struct turn_output *output = &result->output;

    if (turn->input->type->state->size > 0)
        memcpy(result->state, given, turn->input->type->state->size);
    output->changed = false;
    output->released = false;
    output->send_count = 0;
    output->timer_count = 0;
    output->note_count = 0;
}

/* --- a run ---------------------------------------------------------------- */

static void result_init(struct turn_result *result)
{
    struct turn_output *output = &result->output;

    output->end = TURN_DONE;
    output->state = result->state;
    output->changed = false;
    output->released = false;
    output->sends = result->sends;
    output->send_count = 0;
    output->timers = result->timers;
    output->timer_count = 0;
    output->notes = result->notes;
    output->note_count = 0;
    output->address = NULL;
    output->why[0] = '\0';
    result->draw_count = 0;
    result->sent_size = 0;
}

static void handler_call(void *data)
{
    struct turn *turn = data;

    turn->handle(&turn->face, turn->scratch_state.bytes, turn->message);
}

void turn_run_in(struct turn *turn, const struct turn_input *input,
                 const void *state, const struct turn_world *world,
                 struct turn_result *result)
{
    struct guard_report report;

    turn->input = input;
    turn->world = world;
    turn->result = result;
    turn->face.self = input->self;
    turn->face.sender = input->sender ? input->sender : &turn_nobody;
    result_init(result);
    step_choose(turn);
    scratch_prepare(turn, state);
    if (turn->handle) {
        report = guard_run(handler_call, turn, input->limit_ms);
        fail_guard(turn, &report);
    }
    run_settle(turn, state);
    if (result->output.end != TURN_DONE)
        run_drop(turn, state);
}

const struct turn_output *turn_run(struct turn *turn,
                                   const struct turn_input *input,
                                   const void *state)
{
    check_magic(turn, TURN_MAGIC);
    turn_run_in(turn, input, state, &turn_plain, &turn->first);
    return &turn->first.output;
}
