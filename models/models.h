/* models.h - the models that ship, linked into `kan` and into tests. */

#ifndef MODELS_MODELS_H
#define MODELS_MODELS_H

#include <kan/model.h>

/* The number-th module, in the order of names; NULL behind the last. */
const struct kan_module *models_at(uint32_t number);

#endif /* MODELS_MODELS_H */
