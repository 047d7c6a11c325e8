/* entity_table.h - what an entity of the models is: its states and its steps,
 * by number. The models bring one along; `kan check FILE.kan` puts a table in
 * its place that is made of a contract's own states. */

#ifndef MODELS_ENTITY_TABLE_H
#define MODELS_ENTITY_TABLE_H

#include <stdint.h>

enum
{
    ENTITY_TABLE_STATES_MAX = 200,
    ENTITY_TABLE_CALLS_MAX = 4,
    ENTITY_TABLE_REFUSES = 255
};

/* State 0 is where the entity begins. */
struct entity_table
{
    uint32_t states;
    uint32_t calls; /* steps with their arguments */
    uint8_t next[ENTITY_TABLE_STATES_MAX][ENTITY_TABLE_CALLS_MAX];
};

/* The table that models/entity.c walks. It is set before a walk begins and does
 * not change during one. */
extern const struct entity_table *entity_table;

#endif /* MODELS_ENTITY_TABLE_H */
