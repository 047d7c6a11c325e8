/* models.h - the specifications that come with Kan; spec.h says what one is. */

#ifndef PATH_HISTORY_MODELS_H
#define PATH_HISTORY_MODELS_H

#include "path/history/spec.h"

extern const struct spec spec_register;
extern const struct spec spec_cas_register;
extern const struct spec spec_kv;
extern const struct spec spec_counter;
extern const struct spec spec_set;
extern const struct spec spec_mutex;
extern const struct spec spec_lock;
extern const struct spec spec_queue;

#endif /* PATH_HISTORY_MODELS_H */
