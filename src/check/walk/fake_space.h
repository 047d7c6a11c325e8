/* fake_space.h - a space for tests of the walk: actors that move from place to
 * place, some only while another stands somewhere. What it holds can be counted
 * by formulas, or by brute force. */

#ifndef CHECK_WALK_FAKE_SPACE_H
#define CHECK_WALK_FAKE_SPACE_H

#include "check/space/space.h"

enum
{
    FAKE_ACTORS_MAX = 8,
    FAKE_MOVES_MAX = 600,
    FAKE_NOBODY = 255
};

struct fake_move
{
    uint8_t actor;
    uint8_t guard; /* another actor, or FAKE_NOBODY */
    uint16_t from;
    uint16_t to;
    uint16_t guard_at; /* where that one must stand */
    uint32_t flags;    /* enum space_step_flags */
};

struct fake
{
    uint32_t actors;
    uint32_t move_count;
    struct fake_move moves[FAKE_MOVES_MAX];
    uint32_t first_count; /* actor 0 starts at 0, 1, ...; the others at 0 */
    bool first_broken;    /* the last of the first states */
    uint32_t property_count;
    struct kan_model_property properties[4];
    bool (*holds)(const struct fake *fake, uint32_t property,
                  const uint32_t *places);
    uint64_t expansions_max; /* then KAN_BUSY; 0: no end */
    _Atomic uint64_t expansions;
};

/* No actors, one first state, everything holds. */
void fake_init(struct fake *fake);
void fake_move(struct fake *fake, uint32_t actor, uint32_t from, uint32_t to);
void fake_move_guarded(struct fake *fake, uint32_t actor, uint32_t from,
                       uint32_t to, uint32_t guard, uint32_t guard_at);
void fake_property(struct fake *fake, enum kan_property_kind kind);

/* --- some spaces ---------------------------------------------------------- */

/* Actors that each count to length, on their own. */
void fake_grid(struct fake *fake, uint32_t actors, uint32_t length);

/* Actors that each count to length and begin again. */
void fake_wheels(struct fake *fake, uint32_t actors, uint32_t length);

/* A number below that, from a sequence that fake_seed begins. */
extern uint64_t fake_seed;
uint32_t fake_draw(uint32_t below);

enum
{
    FAKE_PLACES = 4,      /* of an actor drawn */
    FAKE_STATES_MAX = 256 /* FAKE_PLACES to the power of 4 */
};

/* 2 to 4 actors with moves drawn, some guarded; upwards only without cycles. */
void fake_drawn(struct fake *fake, bool cycles);

/* A state of such actors as a number to the base of FAKE_PLACES, and whether a
 * move is possible in it, and where it leads. */
uint32_t fake_pack(const struct fake *fake, const uint32_t *places);
bool fake_leads(const struct fake *fake, uint32_t state, uint32_t move,
                uint32_t *ret_to);

/* The space of a fake; borrowed. */
struct space *fake_space(struct fake *fake);

#endif /* CHECK_WALK_FAKE_SPACE_H */
