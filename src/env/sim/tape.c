/* A tape draws, and remembers what it drew.
 *
 * The generator is splitmix64 (Steele, Lea, Flood: Fast splittable
 * pseudorandom number generators, 2014): one word of state and no weak seeds.
 * The remainder favours small numbers by at most n / 2^64, which is nothing. */

#include "env/sim/tape.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/number.h"

static const char FORMAT[] = "kan tape 1\n";

enum
{
    CAPACITY_FIRST = 1024,
    LINE_ITEMS = 12
};

void tape_init_seed(struct tape *tape, uint64_t seed)
{
    *tape = (struct tape){.source = TAPE_SEED, .random = seed};
}

enum kan_err tape_init_replay(struct tape *tape,
                              const struct tape_choice *choices, size_t count)
{
    *tape = (struct tape){.source = TAPE_ZERO};
    struct tape_choice *given = mem_alloc(count * sizeof *given);
    if (!given)
        return KAN_NOMEM;
    if (count)
        memcpy(given, choices, count * sizeof *given);
    tape->source = TAPE_REPLAY;
    tape->given = given;
    tape->given_count = count;
    return KAN_OK;
}

void tape_init_bytes(struct tape *tape, struct kan_slice bytes)
{
    *tape = (struct tape){.source = TAPE_BYTES, .bytes = bytes};
}

void tape_fini(struct tape *tape)
{
    mem_free(tape->given);
    mem_free(tape->choices);
    *tape = (struct tape){0};
}

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t bytes_next(struct kan_slice *bytes, uint64_t n)
{
    size_t take = n <= 256 ? 1 : n <= 65536 ? 2 : 8;
    uint64_t value = 0;
    if (bytes->size < take) {
        *bytes = kan_slice(NULL, 0);
        return 0;
    }
    for (size_t i = 0; i < take; i++)
        value = value << 8 | slice_at(*bytes, i);
    *bytes = slice_skip(*bytes, take);
    return value;
}

static void record(struct tape *tape, uint64_t value, uint64_t n)
{
    if (tape->failed)
        return;
    if (tape->count == tape->capacity) {
        size_t capacity =
            tape->capacity ? tape->capacity * 2 : (size_t)CAPACITY_FIRST;
        struct tape_choice *choices =
            mem_realloc(tape->choices, capacity * sizeof *choices);
        if (!choices) {
            tape->failed = true;
            return;
        }
        tape->choices = choices;
        tape->capacity = capacity;
    }
    tape->choices[tape->count++] = (struct tape_choice){value, n};
}

uint64_t tape_chance(struct tape *tape)
{
    return tape->source == TAPE_SEED ? random_next(&tape->random) : 0;
}

uint64_t tape_choose(struct tape *tape, uint64_t n)
{
    kan_assert(n > 0);
    return n == 1 ? 0 : tape_choose_value(tape, n, tape_chance(tape) % n);
}

uint64_t tape_choose_value(struct tape *tape, uint64_t n, uint64_t value)
{
    kan_assert(value < n);
    if (n == 1)
        return 0;
    switch (tape->source) {
    case TAPE_SEED:
        break;
    case TAPE_ZERO:
        value = 0;
        break;
    case TAPE_REPLAY:
        value = tape->at < tape->given_count ? tape->given[tape->at].value : 0;
        break;
    case TAPE_BYTES:
        value = bytes_next(&tape->bytes, n);
        break;
    }
    tape->at++;
    value %= n;
    record(tape, value, n);
    return value;
}

static size_t run_length(const struct tape *tape, size_t from)
{
    size_t end = from + 1;
    while (end < tape->count &&
           tape->choices[end].value == tape->choices[from].value &&
           tape->choices[end].n == tape->choices[from].n)
        end++;
    return end - from;
}

void tape_save(const struct tape *tape, struct buffer *out)
{
    unsigned items = 0;
    buffer_append_text(out, FORMAT);
    for (size_t at = 0; at < tape->count;) {
        size_t length = run_length(tape, at);
        if (items)
            buffer_append_byte(out, items % LINE_ITEMS ? ' ' : '\n');
        items++;
        buffer_append_u64(out, tape->choices[at].value);
        buffer_append_byte(out, '/');
        buffer_append_u64(out, tape->choices[at].n);
        if (length > 1) {
            buffer_append_byte(out, '*');
            buffer_append_u64(out, length);
        }
        at += length;
    }
    buffer_append_byte(out, '\n');
}

/* Read value/n or value/n*times. */
static enum kan_err read_item(struct kan_slice item,
                              struct tape_choice *ret_choice,
                              uint64_t *ret_times)
{
    struct kan_slice value;
    struct kan_slice n;
    struct tape_choice choice;
    *ret_times = 1;
    if (!slice_cut(&item, '/', &value))
        return KAN_INVALID;
    if (slice_cut(&item, '*', &n)) {
        enum kan_err err = number_u64(item, ret_times);
        if (err)
            return err;
    }
    if (number_u64(value, &choice.value) || number_u64(n, &choice.n) ||
        choice.value >= choice.n || *ret_times == 0)
        return KAN_INVALID;
    *ret_choice = choice;
    return KAN_OK;
}

/* The next item, between white space; empty at the end. */
static struct kan_slice next_item(struct kan_slice *text)
{
    size_t from = 0;
    while (from < text->size &&
           (slice_at(*text, from) == ' ' || slice_at(*text, from) == '\n'))
        from++;
    size_t to = from;
    while (to < text->size && slice_at(*text, to) != ' ' &&
           slice_at(*text, to) != '\n')
        to++;
    struct kan_slice item = slice_skip(slice_head(*text, to), from);
    *text = slice_skip(*text, to);
    return item;
}

enum kan_err tape_load(struct tape *tape, struct kan_slice text)
{
    /* A repeat is at most this: a short text must not fill the memory. */
    static const uint64_t TIMES_MAX = 1u << 24;
    struct tape loaded = {.source = TAPE_ZERO};
    enum kan_err err = KAN_INVALID;
    *tape = loaded;
    if (!slice_starts(text, kan_text(FORMAT)))
        return err;
    text = slice_skip(text, sizeof FORMAT - 1);
    for (;;) {
        struct tape_choice choice;
        uint64_t times;
        struct kan_slice item = next_item(&text);
        if (item.size == 0)
            break;
        err = read_item(item, &choice, &times);
        if (!err && loaded.count + times > TIMES_MAX)
            err = KAN_INVALID;
        if (err)
            goto out;
        while (times--)
            record(&loaded, choice.value, choice.n);
    }
    err = loaded.failed ? KAN_NOMEM
                        : tape_init_replay(tape, loaded.choices, loaded.count);
out:
    tape_fini(&loaded);
    return err;
}
