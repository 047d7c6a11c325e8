/* module_allow.h - what of the outside a handler may use, and what to do
 * instead of the rest. */

#ifndef BLOCK_ACTOR_MODULE_ALLOW_H
#define BLOCK_ACTOR_MODULE_ALLOW_H

#include <stdbool.h>

/* Whether a module may need the function or variable. */
bool module_allow_symbol(const char *name);

/* Whether a module may be linked with the library, as "libc.so.6". */
bool module_allow_library(const char *name);

/* Whether a function of this name may run when a module is loaded or unloaded:
 * what compilers put there by themselves. */
bool module_allow_constructor(const char *name);

/* What to do instead of using the function. Static text. */
const char *module_allow_instead(const char *name);

#endif /* BLOCK_ACTOR_MODULE_ALLOW_H */
