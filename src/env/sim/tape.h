/* tape.h - the choices that make one simulated run.
 *
 * Everything that a simulated world leaves open is settled by drawing a number
 * below n from its tape. A tape draws from a seed, from choices recorded
 * before, or from a fuzzer's bytes, and records what it gave: any run can be
 * replayed from its record, and a shorter or smaller record is a simpler run,
 * because 0 is always the mildest choice. */

#ifndef ENV_SIM_TAPE_H
#define ENV_SIM_TAPE_H

#include <kan/base.h>

#include "base/bytes.h"

/* A number drawn, value < n. */
struct tape_choice
{
    uint64_t value;
    uint64_t n;
};

enum tape_source
{
    TAPE_ZERO,   /* always 0; what a zeroed struct is */
    TAPE_SEED,   /* pseudo-random */
    TAPE_REPLAY, /* choices given */
    TAPE_BYTES   /* a fuzzer's bytes */
};

struct tape
{
    enum tape_source source;
    uint64_t random;           /* SEED: state of the generator */
    struct tape_choice *given; /* REPLAY */
    size_t given_count;
    struct kan_slice bytes;      /* BYTES: what is left */
    size_t at;                   /* draws so far */
    struct tape_choice *choices; /* the record, in order; read only */
    size_t count;
    size_t capacity;
    bool failed; /* the record is cut short: out of memory */
};

/* A tape of the generator's numbers. Equal seeds give equal tapes. */
void tape_init_seed(struct tape *tape, uint64_t seed);

/* A tape that gives these choices (copied) again, taken modulo the n asked for,
 * and 0 behind their end. choices may be NULL when count is 0. KAN_NOMEM leaves
 * a zero tape. */
KAN_MUST_USE enum kan_err tape_init_replay(struct tape *tape,
                                           const struct tape_choice *choices,
                                           size_t count);

/* A tape that reads bytes (borrowed as long as the tape is used): one for an n
 * up to 256, two up to 65,536, else eight, taken modulo n; 0 behind their
 * end. */
void tape_init_bytes(struct tape *tape, struct kan_slice bytes);

/* Free the record. A zeroed tape is fine. */
void tape_fini(struct tape *tape);

/* A number in [0, n), n > 0. An n of 1 is no choice and is not recorded. */
uint64_t tape_choose(struct tape *tape, uint64_t n);

/* As tape_choose(), but that a tape of the generator's numbers gives value,
 * below n: for who weighs what is likely, with numbers from tape_chance(). It
 * is recorded and replayed as any other. */
uint64_t tape_choose_value(struct tape *tape, uint64_t n, uint64_t value);

/* 64 bits of the generator, which are not recorded; 0 on any other tape. */
uint64_t tape_chance(struct tape *tape);

/* Append the record as text: a line that names the format, then value/n, with
 * *k behind what repeats k times. */
void tape_save(const struct tape *tape, struct buffer *out);

/* Make a replay tape of what tape_save() wrote. KAN_INVALID when it is not
 * that, KAN_NOMEM; a zero tape is left in both cases. */
KAN_MUST_USE enum kan_err tape_load(struct tape *tape, struct kan_slice text);

#endif /* ENV_SIM_TAPE_H */
