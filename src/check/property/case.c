/* What a property calls. A case that is over, whatever its outcome, draws zeros
 * and records nothing more. */

#include "check/property/case.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"

static const uint32_t CASE_MAGIC = 0x6b636173;

struct kan_case
{
    uint32_t magic;
    bool noted;
    uint32_t list_size; /* how long lists are, about, in this case */
    struct tape tape;
    struct case_outcome *outcome;
};

static bool is_over(const kan_case *c)
{
    return c->outcome->state != CASE_RUNNING;
}

/* --- life cycle ----------------------------------------------------------- */

static enum kan_err open_tape(struct tape *tape, const struct case_plan *plan)
{
    *tape = (struct tape){.source = TAPE_ZERO};
    if (plan->source == TAPE_SEED)
        tape_init_seed(tape, plan->seed);
    else if (plan->source == TAPE_REPLAY)
        return tape_init_replay(tape, plan->choices, plan->count);
    return KAN_OK;
}

void case_run(const struct case_plan *plan, kan_property *property, void *data,
              struct case_outcome *outcome)
{
    static const uint32_t list_sizes[] = {2, 8, 8, 32};
    kan_case c = {.magic = CASE_MAGIC, .noted = plan->noted};
    outcome->state = CASE_RUNNING;
    outcome->place = 0;
    outcome->notes_size = 0;
    outcome->count = 0;
    outcome->message[0] = 0;
    outcome->err = open_tape(&c.tape, plan);
    if (outcome->err)
        return;
    c.outcome = outcome;
    c.list_size = list_sizes[tape_chance(&c.tape) % 4];
    property(&c, data);
    if (c.tape.failed)
        outcome->err = KAN_NOMEM;
    if (outcome->state == CASE_RUNNING)
        outcome->state = CASE_PASSED;
    tape_fini(&c.tape);
    c.magic = 0;
}

void case_outcome_fail(struct case_outcome *outcome, struct kan_slice place,
                       const char *message)
{
    outcome->state = CASE_FAILED;
    outcome->place = hash_bytes((struct hash_seed){0, 0}, place);
    (void)snprintf(outcome->message, sizeof outcome->message, "%s", message);
}

/* --- drawing -------------------------------------------------------------- */

/* Draw below n; the generator is to give proposed. */
static uint64_t draw(kan_case *c, uint64_t n, uint64_t proposed)
{
    struct case_outcome *outcome = c->outcome;
    if (n == 1 || is_over(c))
        return 0;
    if (outcome->count == KAN_CHOICES_MAX || c->tape.failed) {
        outcome->state = CASE_DISCARDED;
        return 0;
    }
    uint64_t value = tape_choose_value(&c->tape, n, proposed);
    outcome->choices[outcome->count++] = (struct tape_choice){value, n};
    return value;
}

uint64_t kan_draw(kan_case *c, uint64_t n)
{
    check_magic(c, CASE_MAGIC);
    kan_assert(n > 0);
    return draw(c, n, tape_chance(&c->tape) % n);
}

/* Half of all numbers are evenly spread, a quarter has an evenly spread number
 * of bits, and the others are 0, 1 and the last two: there the faults are. */
static uint64_t propose(kan_case *c, uint64_t n)
{
    uint64_t chance = tape_chance(&c->tape);
    uint64_t number = tape_chance(&c->tape);
    unsigned kind = (unsigned)(chance % 16);
    if (kind < 8)
        return number % n;
    if (kind < 12) {
        unsigned bits = 0;
        while (bits < 63 && n >> bits > 1)
            bits++;
        return (number & ((1ull << (chance >> 8) % (bits + 1)) - 1)) % n;
    }
    switch (kind) {
    case 12:
        return 0;
    case 13:
        return 1 % n;
    case 14:
        return n - 1;
    default:
        return n - (n > 1 ? 2 : 1);
    }
}

static uint64_t draw_edged(kan_case *c, uint64_t n)
{
    return draw(c, n, propose(c, n));
}

/* The distance from zero, and then which way: so that a case with a small
 * number is smaller than any with a larger one, and two numbers of one sign can
 * be moved into one by moving distance. Both are always drawn, though one side
 * may be too short for the distance: what follows keeps its place on the
 * tape. */
static int64_t draw_around_zero(kan_case *c, uint64_t below, uint64_t above)
{
    uint64_t far = draw_edged(c, (below > above ? below : above) + 1);
    bool negative = kan_draw_bool(c);
    if (far > above || (negative && far <= below))
        return (int64_t)(0 - far);
    return (int64_t)far;
}

int64_t kan_draw_int(kan_case *c, int64_t low, int64_t high)
{
    check_magic(c, CASE_MAGIC);
    kan_assert(low <= high);
    if (low < 0 && high > 0)
        return draw_around_zero(c, 0 - (uint64_t)low, (uint64_t)high);
    if (low >= 0)
        return low + (int64_t)draw_edged(c, (uint64_t)(high - low) + 1);
    uint64_t below = (uint64_t)high - (uint64_t)low;
    return (int64_t)((uint64_t)high - draw_edged(c, below + 1));
}

bool kan_draw_bool(kan_case *c)
{
    return kan_draw(c, 2) == 1;
}

size_t kan_draw_weighted(kan_case *c, const uint32_t *weights, size_t count)
{
    uint64_t total = 0;
    size_t at = 0;
    check_magic(c, CASE_MAGIC);
    for (size_t i = 0; i < count; i++)
        total += weights[i];
    kan_assert(total > 0);
    uint64_t left = tape_chance(&c->tape) % total;
    while (left >= weights[at])
        left -= weights[at++];
    at = (size_t)draw(c, count, at);
    /* A replay may give one of weight 0. */
    while (weights[at] == 0)
        at = (at + 1) % count;
    return at;
}

bool kan_draw_more(kan_case *c, size_t count, size_t min, size_t max)
{
    check_magic(c, CASE_MAGIC);
    kan_assert(min <= max);
    if (count < min)
        return true;
    if (count >= max)
        return false;
    return draw(c, 2, tape_chance(&c->tape) % (c->list_size + 1) > 0) == 1;
}

size_t kan_draw_bytes(kan_case *c, size_t min, size_t max, void *ret_bytes)
{
    unsigned char *bytes = ret_bytes;
    size_t count = 0;
    while (kan_draw_more(c, count, min, max))
        bytes[count++] = (unsigned char)draw_edged(c, 256);
    return count;
}

size_t kan_draw_text(kan_case *c, const char *alphabet, size_t min, size_t max,
                     char *ret_text)
{
    static const char printable[] =
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        " .,:;-_+*/=<>()[]{}!?'\"`#$%&@\\^|~";
    size_t count = 0;
    if (!alphabet)
        alphabet = printable;
    size_t letters = strlen(alphabet);
    kan_assert(letters > 0 || max == 0);
    while (kan_draw_more(c, count, min, max))
        ret_text[count++] = alphabet[draw_edged(c, letters)];
    ret_text[count] = 0;
    return count;
}

/* --- requiring ------------------------------------------------------------ */

bool kan_case_require(kan_case *c, bool holds, const char *text,
                      const char *file, int line)
{
    char message[CASE_MESSAGE_MAX];
    char place[CASE_MESSAGE_MAX];
    check_magic(c, CASE_MAGIC);
    if (holds || is_over(c))
        return holds;
    (void)snprintf(message, sizeof message, "%s:%d: required: %s", file, line,
                   text);
    (void)snprintf(place, sizeof place, "%s:%d", file, line);
    case_outcome_fail(c->outcome, kan_text(place), message);
    return false;
}

bool kan_case_assume(kan_case *c, bool holds)
{
    check_magic(c, CASE_MAGIC);
    if (!holds && !is_over(c))
        c->outcome->state = CASE_DISCARDED;
    return holds;
}

/* Add what fits. */
static void note(struct case_outcome *outcome, const char *text, size_t size)
{
    size_t room = CASE_NOTES_MAX - outcome->notes_size;
    if (size > room)
        size = room;
    memcpy(outcome->notes + outcome->notes_size, text, size);
    outcome->notes_size += size;
}

void kan_note(kan_case *c, const char *format, ...)
{
    char line[CASE_MESSAGE_MAX];
    va_list args;
    check_magic(c, CASE_MAGIC);
    if (!c->noted || is_over(c))
        return;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size < 0)
        return;
    note(c->outcome, line,
         (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
    note(c->outcome, "\n", 1);
}
