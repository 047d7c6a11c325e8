/* saga_table.h - what the saga of models/saga.c is. It brings one along;
 * `kan check FILE.kan` puts those of a contract in its place. */

#ifndef MODELS_SAGA_TABLE_H
#define MODELS_SAGA_TABLE_H

#include <stdint.h>

/* As struct saga_shape of block/saga/saga_core.h. */
struct saga_table
{
    uint32_t step_count; /* at most 16 */
    uint32_t pivot;      /* step_count: there is none */
    uint32_t undoable;   /* a bit for each step that has an undo */
};

/* Set before a walk begins; it does not change during one. */
extern const struct saga_table *saga_table;

#endif /* MODELS_SAGA_TABLE_H */
