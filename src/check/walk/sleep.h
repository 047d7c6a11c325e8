/* sleep.h - sleep sets: steps out of a state that need not be taken from it.
 *
 * When t has been taken from a state, and u is taken after it, and the two can
 * change places, then t need not be taken behind u: "t, u" leads there as well.
 * So t sleeps behind u, and goes on sleeping for as long as only steps follow
 * that are independent of it (Godefroid, "Partial-Order Methods for the
 * Verification of Concurrent Systems", 1996, chapter 5). A set travels as the
 * names of its steps; in a state it is a list of places among its steps.
 *
 * Internal to the module. */

#ifndef CHECK_WALK_SLEEP_H
#define CHECK_WALK_SLEEP_H

#include "check/space/space.h"

/* The places of the named steps. Each is there: independent steps leave each
 * other possible. Names in the order of the steps cost least. Returns count. */
uint32_t sleep_find(const uint64_t *names, uint32_t count,
                    const struct space_step *steps, uint32_t step_count,
                    uint16_t *ret_places);

/* The names of those steps that sleep on behind the step at: those that are
 * independent of it. Returns how many. */
uint32_t sleep_pass(const struct space *space, bool observers,
                    const struct space_step *steps, const uint16_t *places,
                    uint32_t count, uint32_t at, uint64_t *ret_names);

/* --- in 63 bits ----------------------------------------------------------- */

/* A bit for each name of a step, so that a set is one word, and can be compared
 * with another one without the state at hand. Names are numbered as they are
 * met, and every 63rd shares a bit: of the steps of one state, those that share
 * one never sleep. So a bit of a set of that state stands for one step. */
enum
{
    SLEEP_BITS = 63
};

struct sleep_names
{
    uint64_t *names; /* a table with open addresses; 0: empty, else name + 1 */
    uint8_t *bits;   /* of each */
    uint32_t size;   /* a power of two, or 0 */
    uint32_t count;
};

void sleep_names_fini(struct sleep_names *names);

/* Make room for count more. KAN_NOMEM leaves what is there. */
KAN_MUST_USE enum kan_err sleep_names_reserve(struct sleep_names *names,
                                              uint32_t count);

/* The bits of the names of those steps, for which there must be room. Returns
 * those that stand for one step. */
uint64_t sleep_names_bits(struct sleep_names *names,
                          const struct space_step *steps, uint32_t count,
                          uint8_t *ret_bits);

/* As sleep_pass(), as a set of bits. */
uint64_t sleep_pass_bits(const struct space *space, bool observers,
                         const struct space_step *steps, const uint8_t *bits,
                         const uint16_t *places, uint32_t count, uint32_t at);

#endif /* CHECK_WALK_SLEEP_H */
